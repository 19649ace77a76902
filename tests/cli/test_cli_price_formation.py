"""Price formation on the command line: what clears but is no equilibrium, and bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import agora

MARKET = """
model = "price-formation"
[parameters]
horizon = 1.0
steps = 30
agents = { kind = "linspace", from = 0.0, to = 1.0, number = 12 }
supply = { kind = "sine", frequency = 10.0 }
terminal = { kind = "double-well", weight = 50.0, wells = [0.25, 0.75] }
"""
LOCAL = MARKET + '[solve]\nmethod = "program"\nstart = "supply"\n'
CONVEX = MARKET.replace('{ kind = "double-well", weight = 50.0, wells = [0.25, 0.75] }', '{ kind = "none" }')


def written(folder: Path, text: str) -> Path:
    file = folder / "market.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_what_clears_without_being_an_equilibrium_exits_with_3(tmp_path: Path) -> None:
    file = written(tmp_path, LOCAL)
    run = agora("solve", file, folder=tmp_path)
    assert run.returncode == 3, run.stderr
    assert "clears the market, not an equilibrium (not certified)" in run.stdout
    assert "'exploitability_max' is violated by" in run.stderr
    assert run.stderr.count("\n") == 1
    run = agora("solve", file, "--json", folder=tmp_path)
    assert run.returncode == 3, run.stderr
    answer = json.loads(run.stdout)
    assert answer["status"] == "clears the market, not an equilibrium"
    assert answer["global"] is False
    worst = {entry["name"]: entry["worst"] for entry in answer["certificate"]["conditions"]}
    assert worst["clearing"] <= 1e-8
    assert worst["exploitability_max"] > 1e-3
    assert [path.name for path in tmp_path.iterdir()] == ["market.toml"]


def test_the_equilibrium_of_the_same_market_exits_with_0(tmp_path: Path) -> None:
    run = agora("solve", written(tmp_path, MARKET), folder=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "equilibrium (global, proved)" in run.stdout
    assert "exploitability_max" in run.stdout
    names = {path.name for path in (tmp_path / "runs" / "market").iterdir()}
    assert {"price.csv", "paths.csv", "totals.csv", "certificate.csv", "trading.png"} <= names


BAD = {
    "wells that coincide": (
        MARKET.replace("[0.25, 0.75]", "[0.5, 0.5]"),
        "terminal.wells is [0.5, 0.5], but must be two different numbers.",
    ),
    "no horizon": (MARKET.replace("horizon = 1.0", "horizon = 0.0"), "horizon is 0.0, but must be a finite"),
    "horizon below zero": (MARKET.replace("horizon = 1.0", "horizon = -2.0"), "horizon is -2.0, but must be"),
    "a law without mass": (
        MARKET.replace(
            '{ kind = "linspace", from = 0.0, to = 1.0, number = 12 }',
            '{ kind = "list", states = [0.0, 1.0], weights = [0.0, 0.0] }',
        ),
        "numbers >= 0 with a positive sum: a law needs mass",
    ),
    "supply too short": (
        MARKET.replace('{ kind = "sine", frequency = 10.0 }', "[0.1, 0.2]"),
        "supply is '2 numbers', but must be one number a step, 30 in all.",
    ),
    "trade too slow": (
        CONVEX + "control_bounds = [-0.5, 0.5]\n",
        "such that the market can clear: at time 0.0666667 the mean velocity must be 0.61837",
    ),
    "too little held": (
        CONVEX + 'state_bounds = [0.6, "none"]\n',
        "such that the market can clear: at time 0.0333333 the mean state must be 0.5",
    ),
    "bounds upside down": (CONVEX + "state_bounds = [1.0, 0.0]\n", "(lowest, highest) with lowest < highest"),
    "an unknown method": (LOCAL.replace('"program"', '"guess"'), "method is 'guess'"),
    "a method for others": (MARKET + '[solve]\nmethod = "structure"\n', "another unless costs are quadratic"),
    "an option of another method": (
        LOCAL.replace('"program"', '"structure"'),
        "start is 'supply', but must be left out: the method structure has no such option; program has it.",
    ),
    "NaN": (MARKET.replace("50.0", "nan"), "terminal.weight is nan, but must be a finite number > 0."),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_exits_with_2_and_one_sentence(case: str, tmp_path: Path) -> None:
    text, sentence = BAD[case]
    run = agora("solve", written(tmp_path, text), folder=tmp_path)
    assert run.returncode == 2, run.stdout + run.stderr
    assert sentence in run.stderr
    assert run.stderr.count("\n") == 1
    assert "Traceback" not in run.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["market.toml"]
