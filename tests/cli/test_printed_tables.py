"""Tables on a screen: whatever its width, no number is cut and every row keeps its name."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import agora

from agora.cli.application import print_table

NUMBERS = np.random.default_rng(4).normal(size=(5, 9)) * 10.0 ** np.arange(-12, 15, 3)
WIDE = pd.DataFrame(
    {
        "cell": range(5),
        "use": [
            "business",
            "residential",
            "integrated",
            "vacant",
            "a use of many words, more than a column has",
        ],
        **{f"quantity_{k}": NUMBERS[:, k] for k in range(9)},
        "certified": [True, False, True, True, False],
    }
)


def printed(
    frame: pd.DataFrame, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    print_table(frame, "a table")
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("width", [60, 80, 120, 400])
def test_no_number_is_cut(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed(WIDE, width, monkeypatch, capsys)
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)
    words = " ".join(lines).split()
    for number in NUMBERS.ravel():
        assert f"{number:.6g}" in words
    for name in WIDE.columns:
        assert name in words


def test_every_part_names_its_rows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed(WIDE.drop(columns="use"), 80, monkeypatch, capsys)
    heads = [k for k, line in enumerate(lines) if line.startswith("┏")]
    assert len(heads) > 1
    for head, after in pairwise([*heads, len(lines)]):
        rows = [line.split("│")[1].strip() for line in lines[head:after] if line.startswith("│")]
        assert rows == ["0", "1", "2", "3", "4"]


def test_commands_cut_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for command in (("solve", "circle-3"), ("sensitivity", "circle-3", "--wrt", "decay"), ("doctor",)):
        run = agora(*command, folder=tmp_path)
        assert run.returncode == 0, run.stderr
        cut = [line for line in run.stdout.splitlines() if "…" in line and "more rows" not in line]
        assert [line for line in cut if "┃" in line or "│" in line] == []
