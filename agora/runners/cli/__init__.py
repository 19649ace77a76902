"""The command line: ``agora doctor | solve | export | reproduce | scenarios``.

Each file of this package adds its commands to the application. Exit codes: 0 solved and certified;
2 bad input, one sentence on stderr; 3 not solved, or solved and not certified. Heavy imports happen
inside the commands, so that ``agora --help`` is quick.
"""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from pkgutil import iter_modules

from agora.runners.cli.application import app


def main() -> None:
    """Run the command line; turn bad input into one sentence and an exit code."""
    from agora.data.checks import InputError

    for module in iter_modules(__path__):
        if module.name != "__main__":
            import_module(f"{__name__}.{module.name}")
    warnings.showwarning = lambda message, *_, **__: print(f"agora: warning: {message}.", file=sys.stderr)
    try:
        app()
    except InputError as error:
        print(f"agora: {error}", file=sys.stderr)
        sys.exit(2)
    except SystemExit as stop:
        if stop.code == 130:
            print("agora: interrupted; nothing was written.", file=sys.stderr)
        raise
