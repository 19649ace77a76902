"""Certified maps of the plane (τ, t), computed once: a claim and a figure may rest on the same one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd

from agora.data.geographies import circle
from agora.methods.city.certified_map import certified_map

Values = Sequence[float] | Mapping[str, float]
"""Numbers, or {from, to, number} of equally spaced ones."""

SECONDS = 20.0
"""For each search."""
FEW_POINTS = 1000
"""Points that one process maps; more are shared by two."""

PLANE_48: tuple[Mapping[str, float], Mapping[str, float]] = (
    {"from": 0.5, "to": 70.0, "number": 164},
    {"from": 0.004, "to": 0.25, "number": 33},
)
"""The grid of (τ, t) for 48 cells."""
PLANE_24: tuple[Mapping[str, float], Mapping[str, float]] = (
    {"from": 3.0, "to": 69.0, "number": 12},
    {"from": 0.005, "to": 0.25, "number": 50},
)
"""The grid for 24 cells: coarse in τ, so that it is drawn in less than a minute."""


PLANE_3: tuple[Mapping[str, float], Mapping[str, float]] = (
    {"from": 0.5, "to": 10.0, "number": 20},
    {"from": 0.02, "to": 0.5, "number": 25},
)
"""The grid for all equilibria of three cells."""


def listed(values: Values) -> tuple[float, ...]:
    """Return the numbers."""
    if isinstance(values, Mapping):
        return tuple(np.linspace(values["from"], values["to"], int(values["number"])).tolist())
    return tuple(float(value) for value in values)


def certified_points(cells: int, decays: Values, costs: Values) -> pd.DataFrame:
    """Return the certified map of a circle: see `agora.methods.city.certified_map`."""
    return _map(cells, listed(decays), listed(costs)).copy()


@cache
def _map(cells: int, decays: tuple[float, ...], costs: tuple[float, ...]) -> pd.DataFrame:
    many = len(decays) * len(costs) > FEW_POINTS
    workers = min(2, os.cpu_count() or 1) if many else 1
    return certified_map(circle(cells), decays, costs, seconds=SECONDS, workers=workers)


def certified_by_decay(points: pd.DataFrame) -> pd.DataFrame:
    """Return one row a decay: points, how many certified, how many open, the largest gap, the winners."""
    rows = []
    for decay, part in points.groupby("decay"):
        sure = int(part["certified"].sum())
        ordered = part.sort_values("commuting_cost")["centres"].tolist()
        winners = [ordered[0], *(b for a, b in pairwise(ordered) if a != b)]
        rows.append(
            {
                "decay": float(str(decay)),
                "points": len(part),
                "certified": sure,
                "open": len(part) - sure,
                "largest_gap": float(part["gap"].max()),
                "centres as t rises": " → ".join("uniform" if k == 0 else str(k) for k in winners),
            }
        )
    return pd.DataFrame(rows)
