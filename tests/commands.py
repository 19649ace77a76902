"""Commands of agora, run within the test that gives them."""

from __future__ import annotations

import io
import subprocess
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path

from agora.cli import run


def agora(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder; return what a process would: exit code, stdout and stderr.

    The process is the test's own, so that nothing is imported twice; an error that the command line does
    not turn into a sentence and an exit code is an error of the test.
    """
    words = [str(argument) for argument in arguments]
    out, said = io.StringIO(), io.StringIO()
    with chdir(folder), redirect_stdout(out), redirect_stderr(said):
        code = run(words)
    return subprocess.CompletedProcess(words, code, out.getvalue(), said.getvalue())
