"""The command line: ``agora doctor | solve | sweep | export | reproduce | scenarios``.

Each file of this package adds its commands to the application. Exit codes: 0 solved and certified;
2 bad input, one sentence on stderr; 3 not solved, or solved and not certified. Heavy imports happen
inside the commands, so that ``agora --help`` is quick.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from agora.cli.application import Interrupted, app, tell
from agora.standard_output import CommandOutput

COMMANDS = ("solving", "sweeping", "comparing", "reproducing")
"""The modules that add commands to the application, in the order in which help lists them."""
NOTHING_WRITTEN = "interrupted; nothing was written."


def main() -> None:
    """Run the command line as a process of its own: its standard output is the answer and nothing else.

    File descriptor 1 is stderr until the process has ended, since libraries print at exit too; where
    ``sys.stdout`` is somebody else's, as in a test, both are as before afterwards.
    """
    output = CommandOutput().begin()
    try:
        code = run(sys.argv[1:])
        output.finish()
        if output.trouble is not None:
            tell(f"the answer cannot be written ({output.trouble.strerror}).")
            code = code or 3
        sys.exit(code)
    finally:
        if output.borrowed:
            output.end()


def load_commands() -> None:
    """Have every module of `COMMANDS` add its commands to the application."""
    for module in COMMANDS:
        import_module(f"agora.cli.{module}")


def run(arguments: Sequence[str]) -> int:
    """Run one command; turn bad input into one sentence on stderr; return the exit code."""
    from agora.data.checks import Caution, InputError

    other = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *rest: Any, **named: Any) -> None:
        """Print a caution as one line on stderr, any other warning as usual."""
        if issubclass(category, Caution):
            tell(f"warning: {message}")
        else:
            other(message, category, *rest, **named)

    with warnings.catch_warnings():
        warnings.showwarning = show
        warnings.simplefilter("always", Caution)
        try:
            load_commands()
            app(list(arguments))
        except KeyboardInterrupt:
            tell(NOTHING_WRITTEN)
            return 130
        except InputError as error:
            tell(error)
            return 2
        except SystemExit as stop:
            if stop.code == 130 and not isinstance(stop, Interrupted):
                tell(NOTHING_WRITTEN)
            return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0
