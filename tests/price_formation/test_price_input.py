"""Price formation: bad input gets one sentence, and laws and supplies are read as meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from makers import complaint
from trading_games import SINE, WELLS, WIENER, game

from agora.data.price_formation.laws_and_supply import random_walk_tree
from agora.runners import solve


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"horizon": 0.0}, "horizon is 0.0, but must be a finite number > 0."),
        ({"horizon": -1.0}, "horizon is -1.0, but must be a finite number > 0."),
        ({"horizon": float("inf")}, "horizon is inf, but must be a finite number > 0."),
        ({"steps": 0}, "steps is 0, but must be a whole number >= 1."),
        ({"steps": 2.5}, "steps is 2.5, but must be a whole number >= 1."),
        ({"control_cost": float("nan")}, "control_cost is nan, but must be a finite number > 0."),
        (
            {"terminal": {**WELLS, "wells": [0.5, 0.5]}},
            "terminal.wells is [0.5, 0.5], but must be two different numbers.",
        ),
        ({"terminal": {**WELLS, "weight": -1}}, "terminal.weight is -1, but must be a finite number > 0."),
        ({"terminal": {**WELLS, "depth": 1}}, "terminal.depth is 1, but must be left out"),
        ({"terminal": {"kind": "tripple-well"}}, "terminal.kind is 'tripple-well', but must be one of"),
        ({"running": 3.0}, "running is 3.0, but must be a table"),
        ({"running": lambda x: x.nothing}, "a function of the state that returns a smooth Pyomo expression"),
        ({"agents": []}, "agents"),
        ({"agents": {"kind": "list", "states": [0.1], "weights": [0.0]}}, "a law needs mass"),
        (
            {"agents": {"kind": "list", "states": [0.1, 0.2], "weights": [1.0]}},
            "one weight a state, 2 in all",
        ),
        (
            {"agents": {"kind": "list", "states": [0.1, float("nan")]}},
            "agents.states[1] is nan, but must be a finite number.",
        ),
        (
            {"agents": {"kind": "linspace", "from": 0, "to": 1}},
            "agents.number is missing, but must be given.",
        ),
        (
            {"agents": {"kind": "linspace", "from": 0, "to": 1, "number": 3, "step": 1}},
            "agents.step is 1, but must be left out",
        ),
        (
            {"agents": {"kind": "normal", "mean": 0, "deviation": 0, "number": 3}},
            "agents.deviation is 0, but must be a finite number > 0.",
        ),
        ({"supply": [0.1] * 39}, "supply is '39 numbers', but must be one number a step, 40 in all."),
        ({"supply": [0.1] * 39 + [float("inf")]}, "supply[39] is inf, but must be a finite number."),
        ({"supply": {"kind": "sin", "frequency": 1}}, "(did you mean sine?)"),
        ({"supply": {"kind": "sine"}}, "supply.frequency is missing, but must be given."),
        (
            {"supply": {"kind": "table", "file": "nowhere.csv"}},
            "supply.file is 'nowhere.csv', but must be the path of a file that exists.",
        ),
        ({"supply": {"kind": "wiener", "seed": -1}}, "supply.seed is -1, but must be a whole number >= 0."),
        ({"supply": nx.path_graph(40)}, "a directed tree, from the root on"),
        ({"supply": nx.path_graph(7, create_using=nx.DiGraph)}, "one node a step, 40 in all"),
        ({"supply": [[0.1, 0.2]] * 40}, "states of 2, as many as are supplied"),
        ({"state_bounds": [1.0, 0.0]}, "(lowest, highest) with lowest < highest"),
        ({"state_bounds": [0.0, 1.0], "terminal": WELLS}, "left out unless the costs are convex"),
        (
            {"control_bounds": [-0.5, 0.5]},
            "such that the market can clear: at time 0.075 the mean velocity must be 0.68",
        ),
        (
            {"state_bounds": [0.6, None]},
            "such that the market can clear: at time 0.025 the mean state must be 0.5",
        ),
        (
            {"supply": random_walk_tree(1.0, 40, branchings=2, level=0.2), "state_bounds": [0.3, None]},
            "such that the market can clear: at time",
        ),
        (
            {"supply": random_walk_tree(1.0, 40, branchings=2, level=0.2), "control_bounds": [None, 0.5]},
            "such that the market can clear: at time 0.325 the mean velocity must be 0.907",
        ),
        ({"volatility": 1.0}, "volatility is 1.0, but must be left out"),
    ],
)  # fmt: skip
def test_bad_parameters_get_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    said = complaint(game, **changes)
    assert sentence in said
    assert "\n" not in said


def test_bad_methods_get_one_sentence() -> None:
    wells, tree = game(terminal=WELLS), game(3, 6, supply=random_walk_tree(1.0, 6, branchings=2))
    assert "another unless costs are quadratic" in complaint(solve, wells, method="structure")
    assert "another with running costs" in complaint(solve, game(running=WELLS), method="variational")
    assert "another with bounds" in complaint(solve, tree, method="mixed")
    assert "method is 'guess'" in complaint(solve, wells, method="guess")
    assert "at least one reply of every agent" in complaint(wells.relaxed_program, [0, 1])


def test_laws_and_supplies() -> None:
    assert game(agents=[0.2, 0.4]).masses == pytest.approx([0.5, 0.5])
    law = game(agents={"kind": "normal", "mean": 1.0, "deviation": 2.0, "number": 2000})
    assert law.starts.mean() == pytest.approx(1.0)
    assert law.starts.std() == pytest.approx(2.0, rel=0.01)
    spread = game(agents={"kind": "uniform", "from": 0.0, "to": 1.0, "number": 4}).starts[:, 0]
    assert spread == pytest.approx([0.125, 0.375, 0.625, 0.875])
    kept = game(agents={"kind": "list", "states": [0.0, 1.0, 2.0], "weights": [1, 0, 3]})
    assert kept.starts[:, 0].tolist() == [0.0, 2.0]
    assert kept.masses == pytest.approx([0.25, 0.75])
    times = np.arange(40) / 40
    assert game(supply=lambda t: t**2).supply.values[:, 0] == pytest.approx(times**2)
    assert game(supply=SINE).supply.values[:, 0] == pytest.approx(np.sin(10 * times))
    path = game(steps=1000, supply=WIENER).supply.values[:, 0]
    drawn = np.random.default_rng(1).normal(scale=np.sqrt(1e-3), size=1000).cumsum()
    assert path[0] == 0.0
    assert path[1:] == pytest.approx(drawn[:-1], abs=1e-11)
    assert (np.diff(path) ** 2).sum() == pytest.approx(1.0, abs=0.15)


def test_supply_from_a_file_beside_the_scenario(tmp_path: Path) -> None:
    from agora.data import read_scenario
    from agora.runners.solving import model_from

    (tmp_path / "supply.csv").write_text("time,supply\n0,0.5\n0.5,-0.25\n", encoding="utf-8")
    file = tmp_path / "own.toml"
    text = 'model = "price-formation"\n[parameters]\nhorizon = 1.0\nsteps = 2\nagents = [0.0, 1.0]\n'
    text += (
        'supply = { kind = "table", file = "supply.csv" }\nterminal = { kind = "quadratic", weight = 2.0 }\n'
    )
    file.write_text(text, encoding="utf-8")
    assert model_from(read_scenario(file)).supply.values[:, 0].tolist() == [0.5, -0.25]  # type: ignore[attr-defined]
    (tmp_path / "supply.csv").write_text("supply\n0.5\nmuch\n", encoding="utf-8")
    assert "supply in line 3 of supply.csv is 'much'" in complaint(model_from, read_scenario(file))
