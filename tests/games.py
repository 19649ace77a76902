"""Games of moving workers that several tests solve."""

from __future__ import annotations

from typing import Any

from agora.models.migration.spatial_game import SpatialGame
from agora.models.solution import Solution

COMMON: dict[str, Any] = {
    "elasticity": 5.0,
    "trade_cost_rate": 0.5,
    "noise": 0.01,
    "discount": 0.05,
    "initial": {"kind": "cosine", "amplitude": 0.5},
}
CASES: dict[str, dict[str, Any]] = {
    "A1": {"variant": "armington", "moving_cost": 1.0, "horizon": 20.0},
    "K1": {"variant": "krugman", "moving_cost": 120.0, "horizon": 100.0},
    "K2": {"variant": "krugman", "moving_cost": 400.0, "horizon": 20.0},
    "K3": {"variant": "krugman", "moving_cost": 1.0, "horizon": 4.0},
}


def game(case: str = "A1", cells: int = 8, **changes: Any) -> SpatialGame:
    return SpatialGame(**{**COMMON, **CASES[case], "cells": cells, "steps": cells, **changes})


def wave(case: str, amplitude: float) -> dict[str, Any]:
    return {"initial": {"kind": "cosine", "amplitude": amplitude}}


def field(solution: Solution, name: str) -> Any:
    model: Any = solution.model
    return solution.tables["path"][name].to_numpy(dtype=float).reshape(-1, model.arcs.number)
