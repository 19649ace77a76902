"""Myopic paths: growth rates in closed form, the program as oracle, planted errors, bad input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from makers import complaint

from agora.formulations.migration.racetrack import LinearGame, squared_wavenumber, wave_eigenvalue
from agora.models import MyopicMigration
from agora.runners import certify, solve
from agora.solvers import solve_program

BASE: dict[str, Any] = {
    "elasticity": 5.0,
    "trade_cost_rate": 0.5,
    "noise": 0.01,
    "discount": 0.05,
    "moving_cost": 120.0,
    "horizon": 10.0,
    "cells": 16,
    "steps": 10,
    "initial": {"kind": "cosine", "amplitude": 0.4},
}


def model(**changes: Any) -> MyopicMigration:
    return MyopicMigration(**{**BASE, **changes})


@pytest.mark.parametrize("variant", ["krugman", "armington"])
@pytest.mark.parametrize("dynamics", ["gradient", "replicator"])
def test_a_small_wave_grows_at_the_rate_of_the_closed_form(variant: str, dynamics: str) -> None:
    small = model(variant=variant, dynamics=dynamics, initial={"kind": "cosine", "amplitude": 1e-5})
    path = (
        solve(small, accuracy=1e-12)
        .tables["path"]
        .pivot(index="time", columns="x", values="density")
        .to_numpy()
    )
    wave = 2 * (path @ np.cos(small.positions)) / small.cells
    eigenvalue = wave_eigenvalue(small.economy, 2.0, 1.0, 1, small.cells)
    game = LinearGame(eigenvalue, squared_wavenumber(1, 1.0, small.cells), 0.01, 0.05, 120.0)
    rate = game.myopic_growth_rate if dynamics == "gradient" else eigenvalue * small.speed
    assert math.log(wave[-1] / wave[0]) / 10 == pytest.approx(rate, rel=1e-4)


@pytest.mark.parametrize(("moving_cost", "sign"), [(270.0, 1), (285.0, -1)])
def test_the_myopic_threshold_of_moving_costs(moving_cost: float, sign: int) -> None:
    """277.797969 on the circle; on 64 cells 277.83."""
    small = model(moving_cost=moving_cost, cells=64, initial={"kind": "cosine", "amplitude": 1e-3})
    hhi = solve(small).tables["concentration"]["hhi"].to_numpy()
    assert (np.sign(np.diff(hhi)) == sign).all()


@pytest.mark.parametrize("dynamics", ["gradient", "replicator"])
def test_the_program_tends_to_the_integrated_path(dynamics: str) -> None:
    """Implicit Euler against LSODA: the error halves with the step."""
    errors = []
    for steps in (4, 8):
        coarse = model(dynamics=dynamics, steps=steps, cells=8)
        program = coarse.program()
        solve_program(program, {"tol": 1e-10})
        last = coarse.read(program)["path"]["density"].to_numpy()[-8:]
        exact = solve(coarse, raise_uncertified=False).tables["path"]["density"].to_numpy()[-8:]
        errors.append(np.abs(last - exact).max())
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.15)
    assert errors[1] < 0.05


def test_armington_disperses_and_krugman_agglomerates() -> None:
    ends = []
    for variant in ("krugman", "armington"):
        hhi = solve(model(variant=variant)).tables["concentration"]["hhi"].to_numpy()
        ends.append(hhi[-1] - hhi[0])
    assert ends[1] < 0 < ends[0]


def test_a_negative_wage_is_caught() -> None:
    solution = solve(model())
    path = solution.tables["path"].copy()
    path.loc[5, "wage"] = -1.0
    assert not certify(solution.model, {**solution.tables, "path": path}, 1e-6).passed


def test_another_speed_violates_the_law_of_motion_alone() -> None:
    tables = solve(model()).tables
    certificate = certify(model(moving_cost=121.0), tables, 1e-6)
    assert {c.name for c in certificate.conditions if not c.passed} == {"law of motion, by Simpson's rule"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"elasticity": 1.0}, "elasticity is 1.0, but must be a finite number > 1 for krugman (σ)."),
        ({"trade_cost_rate": 0.0}, "trade_cost_rate is 0.0, but must be a finite number > 0."),
        ({"noise": -0.1}, "noise is -0.1, but must be a finite number >= 0."),
        ({"steps": 3}, "steps is 3, but must be an even whole number >= 2."),
        ({"cells": 3}, "cells is 3, but must be a whole number >= 4."),
        ({"initial": {"kind": "cosine", "amplitude": 1.0}}, "initial.amplitude is 1.0"),
        ({"initial": {"kind": "sine"}}, "initial.kind is 'sine', but must be one of uniform, cosine"),
        (
            {"initial": {"kind": "cosine", "mod": 2}},
            "a field of kind 'cosine': one of amplitude, mode (did you",
        ),
        ({"initial": "flat"}, "initial is 'flat'"),
        ({"initial": [1.0] * 15}, "initial is '15 densities', but must be one a cell, 16."),
        ({"initial": [1.0] * 15 + [-1.0]}, "initial[15] is -1.0, but must be a finite number > 0."),
        ({"initial": [1.0] * 15 + [2.0]}, "initial (mean) is 1.0625"),
        ({"horizon": float("inf")}, "horizon is inf, but must be a finite number > 0."),
        ({"dynamics": "best"}, "dynamics is 'best'"),
    ],
)
def test_bad_input_is_one_sentence(changes: dict[str, Any], said: str) -> None:
    assert said in complaint(MyopicMigration, **{**BASE, **changes})


def test_a_changed_copy_derives_everything_anew() -> None:
    first = model(variant="krugman")
    assert first.economy.density_exponent == 1
    changed = first.model_copy(update={"variant": "armington", "cells": 8})
    assert changed.economy.density_exponent == 0
    assert len(changed.start) == 8
    assert first.economy.density_exponent == 1
    assert changed == model(variant="armington", cells=8)
