"""Every command once, and its `--json` parsed: this shows if a library's release breaks us.

One command runs as a process of its own; the others run within the test, where what a library prints from C
would reach the test's own file descriptor 1.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import agora

from agora import cli
from agora.cli.application import app

pytestmark = pytest.mark.smoke

ROWS = """
scenario = "two-cell-low"
[grid]
commuting_cost = [0.01, 0.2]
"""
THRESHOLD = ("--parameter", "t", "--where", 'blocks(cells.use == "business")')


def written(answer: dict[str, Any], folder: Path) -> bool:
    return len(answer["files"]) > 0 and all((folder / file).stat().st_size > 0 for file in answer["files"])


COMMANDS: dict[str, tuple[tuple[str, ...], Callable[[dict[str, Any], Path], bool]]] = {
    "convergence": (("synthetic-sectors",), lambda answer, _: len(answer["regressions"]) > 0),
    "doctor": ((), lambda answer, _: all(program["passed"] for program in answer["programs"])),
    "export": (("circle-3", "--format", "lp"), written),
    "plot": (("rows", "--x", "commuting_cost", "--y", "objective"), written),
    "reproduce": (
        ("invisible-hand", "--claim", "short-run", "--out", "paper"),
        lambda answer, _: answer["counts"] == {"reproduced": 1} and len(answer["verdicts"]) == 1,
    ),
    "scenarios": ((), lambda answer, _: answer["two-cell-10000"]["kind"] == "dataset"),
    "sensitivity": (("circle-3", "--wrt", "decay", "--out", "s"), lambda a, _: len(a["sensitivities"]) > 0),
    "solve": (("circle-3", "--out", "run"), lambda answer, _: answer["certificate"]["passed"]),
    "sweep": (("rows.toml", "--out", "rows", "--workers", "1"), lambda answer, _: answer["solved"] == 2),
    "threshold": (
        ("circle-3", *THRESHOLD, "--scan", "4", "--tolerance", "0.01", "--out", "t"),
        lambda answer, _: len(answer["scan"]) > 4,
    ),
}
"""Command → arguments, and what its answer has."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a dataset that is swept already, in this process, for `plot`."""
    folder = tmp_path_factory.mktemp("smoke")
    (folder / "rows.toml").write_text(ROWS, encoding="utf-8")
    answered(agora("sweep", "rows.toml", "--out", "rows", "--workers", "0", "--json", folder=folder))
    return folder


def answered(run: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert run.returncode == 0, run.stderr
    answer = json.loads(run.stdout)
    assert isinstance(answer, dict)
    return answer


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_answers_with_one_json_object(
    name: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = answered(agora(name, *COMMANDS[name][0], "--json", folder=folder))
    assert COMMANDS[name][1](answer, folder)
    assert capfd.readouterr().out == ""


def test_a_process_answers_with_one_json_object(tmp_path: Path) -> None:
    """A sweep, whose worker is another process that writes to the same standard output."""
    (tmp_path / "rows.toml").write_text(ROWS, encoding="utf-8")
    command = [sys.executable, "-m", "agora.cli", "sweep", *COMMANDS["sweep"][0], "--json"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert COMMANDS["sweep"][1](answered(run), tmp_path)


def test_no_command_is_left_out() -> None:
    cli.load_commands()
    names = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    assert names == set(COMMANDS)
