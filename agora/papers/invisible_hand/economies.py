"""The economies of the reproduction, and their paths."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
from scipy.optimize import approx_fprime

from agora.data.geographies import segment
from agora.models.sectors.invisible_hand import InvisibleHand, UnstableExternality
from agora.models.solution import Solution
from agora.runners.solving import solve
from agora.typing import Vector

PAPER = "invisible-hand"
BASE: dict[str, Any] = {
    "firm_share": 0.35,
    "substitution": 2.0,
    "productivity": {"kind": "sine", "amplitude": 0.5},
    "initial": {"kind": "bump", "at": 0.15, "width": 0.06, "floor": 0.02},
}


def economy(cells: int = 100, **changes: Any) -> InvisibleHand:
    """Return the base economy, changed; an unstable one without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnstableExternality)
        return InvisibleHand(geography=segment(cells), **{**BASE, **changes})


@cache
def path(**changes: Any) -> Solution:
    """Return the path of the base economy, changed, by minimising movements."""
    return solve(economy(**changes))


def even(substitution: float, externality: float = 0.0, cells: int = 400) -> InvisibleHand:
    """Return sectors without differences, firms spread evenly."""
    return economy(cells, substitution=substitution, externality=externality, productivity=1.0, initial=1.0)


def growth_rate(model: InvisibleHand) -> float:
    """Return the growth rate of the longest wave, cos πx, around the even distribution."""
    wave = np.cos(np.pi * model.positions)
    wave /= np.sqrt(wave @ wave)

    def pushed(size: Vector) -> float:
        change = model.motion.change(model.start + float(size[0]) * wave)[0]
        return float(wave @ change)

    small = 1e-4 * float(model.start.min())
    return float(approx_fprime(np.zeros(1), pushed, small)[0])


def masses(solution: Solution) -> Vector:
    """Return the masses of firms (T, I) of a path."""
    steps = len(solution.tables["aggregate"])
    return solution.tables["path"]["firms"].to_numpy(dtype=float).reshape(steps, -1)


def distance(first: Vector, second: Vector, width: float) -> float:
    """Return W₂ between two distributions on a row of cells of a width, mass even within each cell."""
    levels = (np.arange(20_000) + 0.5) / 20_000
    edges = np.arange(len(first) + 1) * width
    ends = [
        np.interp(levels, np.concatenate([[0.0], mass.cumsum() / mass.sum()]), edges)
        for mass in (first, second)
    ]
    return float(np.sqrt(np.mean((ends[0] - ends[1]) ** 2) * first.sum()))
