"""Cautions on the command line: one line on stderr, and an answer all the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import agora

GAME = """
model = "spatial-game"
[parameters]
variant = "krugman"
elasticity = 5.0
trade_cost_rate = 0.5
noise = 0.01
discount = 0.05
moving_cost = 1.0
horizon = 5.0
cells = 4
steps = 4
initial = { kind = "uniform" }
"""
HAND = """
model = "invisible-hand"
[geography]
kind = "segment"
cells = 4
[parameters]
firm_share = 0.35
substitution = 2.0
externality = 1.1
horizon = 0.1
step = 0.05
"""
CASES = {
    "beyond T*": (GAME, ("horizon is 5, beyond T* = ", "mode 1: T* = ")),
    "unstable": (HAND, ("externality is 1.1, not below 1:", "unstable")),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_a_caution_is_one_line_and_the_answer_follows(case: str, tmp_path: Path) -> None:
    text, words = CASES[case]
    (tmp_path / "scenario.toml").write_text(text, encoding="utf-8")
    run = agora("solve", "scenario.toml", "--json", folder=tmp_path)
    said = run.stderr.strip().splitlines()
    assert run.returncode in (0, 3), run.stderr
    cautions = [line for line in said if line.startswith("agora: warning: ")]
    assert len(cautions) == 1, run.stderr
    assert all(part in cautions[0] for part in words)
    assert len(said) == 1 + (run.returncode == 3), run.stderr
    if run.returncode == 0:
        assert json.loads(run.stdout)
