"""What changes as q̄ rises: structures along a fine grid, and the q̄ at which they change."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import combinations, pairwise
from typing import Any

import pandas as pd
from scipy.optimize import brentq

from agora.papers.berliant_konishi.economies import (
    GAP,
    SITES,
    TIE,
    Outcome,
    balanced,
    outcome,
    problem,
    pull,
    search,
)

CASES = ("case1", "case2")
"""The cases that the paper solves for many q̄."""
GRID = tuple(round(0.005 * step, 3) for step in range(1, 101))
"""q̄ up to the largest of the tables."""


@cache
def structures(case: str, setup_cost: float, number: int) -> tuple[Outcome, ...]:
    """Return the best of a few structures, best first: one marketplace anywhere, more of them at sites.

    Only these are ever optimal at the q̄ of the tables, where all are searched with proof.
    """
    on = problem(case, setup_cost)
    every = [outcome(on, locations) for locations in combinations(SITES.values(), number)]
    if number == 1:
        every += balanced(on)
    top = max(each.utility for each in every)
    return tuple(each for each in every if each.utility >= top * (1 - TIE) and top > 0)


def utility(case: str, setup_cost: float, number: int) -> float:
    """Return the utility with the best `number` marketplaces."""
    result = structures(case, setup_cost, number)
    return result[0].utility if result else 0.0


def best_number(case: str, setup_cost: float) -> int:
    """Return the number of marketplaces that makes people best off."""
    return max(range(1, len(SITES) + 1), key=lambda number: utility(case, setup_cost, number))


@cache
def path(case: str) -> tuple[Outcome, ...]:
    """Return the best structure at every q̄ of the grid; of those that tie the one with most people in b, c.

    That is {b, c} where the tables choose it for its contrast with one marketplace (footnote 23).
    """
    return tuple(
        max(
            structures(case, cost, best_number(case, cost)), key=lambda at: round(at.population[1:3].sum(), 9)
        )
        for cost in GRID
    )


@cache
def thresholds() -> pd.DataFrame:
    """Return the q̄ at which the number of marketplaces changes, or the only one leaves a site.

    Returns
    -------
    DataFrame
        One row a change: the case, what there is below and above, q̄ and the utility there, and by how
        much, relatively, the search with proof finds the structures on both sides to differ.
    """
    rows: list[dict[str, Any]] = []
    for case in CASES:
        for low, high in pairwise(GRID):
            below, above = best_number(case, low), best_number(case, high)
            if below != above:
                rows.append(_change_of_number(case, below, above, low, high))
        rows += _departures(case)
    return pd.DataFrame(rows)


def _change_of_number(case: str, below: int, above: int, low: float, high: float) -> dict[str, Any]:
    """Return the q̄ in between at which two numbers of marketplaces are as good, and the best, with proof."""
    at = _root(lambda cost: utility(case, cost, below) - utility(case, cost, above), low, high)
    proved = {number: search(case, at, number).utility for number in range(1, len(SITES) + 1)}
    level, other = proved[below], proved[above]
    if max(proved.values()) > max(level, other) * (1 + GAP):
        raise RuntimeError(f"another number of marketplaces is better at q̄ = {at}")
    apart = abs(level - other)
    return _change(case, "number of marketplaces", (str(below), str(above)), at, level, apart)


def _departures(case: str) -> list[dict[str, Any]]:
    """Return where the only marketplace leaves a site: where the pulls to both sides balance."""
    rows = []
    for low, high in pairwise(GRID):
        locations = [structures(case, q, 1)[0].name for q in (low, high)]
        if locations[0] == locations[1] or not set(locations) & set(SITES):
            continue
        site = SITES[locations[0] if locations[0] in SITES else locations[1]]
        leaves_left = structures(case, high, 1)[0].locations[0] < site
        beside = site - 1e-12 if leaves_left else site + 1e-12
        at = _departure(case, beside, low, high)
        below, above = (f"at {name}" if name in SITES else "between sites" for name in locations)
        level = utility(case, at, 1)
        rows.append(_change(case, "location of the only marketplace", (below, above), at, level, 0.0))
    return rows


def _departure(case: str, beside: float, low: float, high: float) -> float:
    """Return the q̄ at which the pulls on a single marketplace just beside a site balance."""
    return _root(lambda cost: pull(problem(case, cost), beside), low, high)


def _change(
    case: str, what: str, sides: tuple[str, str], at: float, level: float, apart: float
) -> dict[str, Any]:
    return {
        "case": case,
        "what": what,
        "below": sides[0],
        "above": sides[1],
        "setup_cost": round(at, 6),
        "utility": round(level, 6),
        "proved_within": float(f"{max(apart / level, GAP):.0e}"),
    }


def _root(difference: Callable[[float], float], low: float, high: float) -> float:
    return float(brentq(difference, low, high, xtol=1e-12))
