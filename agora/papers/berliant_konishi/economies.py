"""The economies of section 5, their best structures with proof, and their equilibria, each found once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from scipy.optimize import brentq

from agora.methods.marketplaces.branch_and_bound import StructureProblem, StructureResult, best_structure
from agora.methods.marketplaces.marketplaces import structure_problem
from agora.models.marketplaces.marketplaces import Marketplaces
from agora.models.solution import Solution
from agora.runners.solving import solve
from agora.typing import Vector

SITES = {"a": 0.0, "b": 0.33, "c": 0.67, "d": 1.0}
"""J and the names of its elements."""
GAP = 1e-6
"""Relative gap to which the search proves that no structure is better."""
TIE = 1e-9
"""Structures whose utilities differ by less than this, relatively, tie."""
QUANTITIES = ("population", "production", "rent")
"""What the tables print for every site."""

_SHARED: dict[str, Any] = {
    "sites": list(SITES.values()),
    "makes": [1, 1, 2, 2],
    "time": 2.0,
    "leisure_share": 0.25,
    "land_share": 0.25,
    "commodity_shares": [0.25, 0.25],
    "setup_shares": [0.5, 0.5],
}
_CASES: dict[str, dict[str, Any]] = {
    "case1": {},
    "case2": {"commodity_shares": [0.2, 0.3]},
    "case3": {"setup_shares": [0.3, 0.7]},
    "case4": {"railway": {"scale": "once", "cost_per_length": 3.0}},
    "case5": {"railway": {"scale": "once", "cost_per_length": [(0.0, 0.5, 9.0), (0.5, 1.0, 0.3)]}},
}
"""What sets the cases of section 5 apart."""


@dataclass(frozen=True)
class Outcome:
    """A structure and the equilibrium that it leads to."""

    locations: tuple[float, ...]  # of the marketplaces, ascending
    utility: float  # common to all
    population: Vector  # of the sites a to d (4,), as all that follow
    production: Vector
    rent: Vector  # on the unit simplex
    wages: Vector  # on the unit simplex

    @property
    def name(self) -> str:
        """The structure in the notation of the tables."""
        return " ".join(named(location) for location in self.locations)


def economy(case: str, setup_cost: float, **changes: Any) -> Marketplaces:
    """Return the economy of a case with q̄ = `setup_cost`."""
    return Marketplaces(**{**_SHARED, **_CASES[case], "setup_cost": setup_cost, **changes})


def problem(case: str, setup_cost: float) -> StructureProblem:
    """Return the search for the best structure of a case with q̄ = `setup_cost`."""
    return structure_problem(economy(case, setup_cost))


def outcome(on: StructureProblem, locations: tuple[float, ...]) -> Outcome:
    """Return the equilibrium with marketplaces at `locations`; utility 0 where nobody can live."""
    places = np.sort(np.array(locations))
    with np.errstate(all="ignore"):  # a trial step of Newton's method may leave the range of prices
        state = on.solve(places)
    given = on.economy
    wages, spent = state.prices[given.makes], state.income * state.population
    rent = given.land * spent / given.plots
    simplex = state.prices.sum() + wages.sum() + rent.sum()
    return Outcome(
        tuple(places.tolist()),
        state.utility,
        state.population,
        (given.time - on.travel(places)) * state.population - given.leisure * spent / wages,
        rent / simplex,
        wages / simplex,
    )


@cache
def search(case: str, setup_cost: float, number: int) -> StructureResult:
    """Return the best structure with `number` marketplaces, proved."""
    with np.errstate(all="ignore"):
        result = best_structure(problem(case, setup_cost), number, gap=GAP)
    if result.bound > result.utility * (1 + 2 * GAP) and result.utility > 0:
        raise RuntimeError(f"no proof for {number} marketplaces in {case} with q̄ = {setup_cost}")
    return result


@cache
def best_with(case: str, setup_cost: float, number: int) -> tuple[Outcome, ...]:
    """Return the best structure with `number` marketplaces, after those at sites that tie with it.

    Marketplaces at one location are one; structures of fewer locations are left out, and so is everything
    that cannot be paid for.
    """
    result, on = search(case, setup_cost, number), problem(case, setup_cost)
    best = outcome(on, tuple(result.locations.tolist()))
    if best.utility <= 0:
        return ()
    at_sites = [outcome(on, locations) for locations in combinations(SITES.values(), number)]
    tied = [each for each in at_sites if each.utility >= best.utility * (1 - TIE)]
    if tied:  # all are at the optimum, and exactly at sites
        return tuple(tied)
    if number == 1:  # the search is exact in utility, the balance in the location, too
        return (
            max([best, *balanced(on)], key=lambda each: each.utility - best.utility * TIE * (each is best)),
        )
    return (best,) if min(np.diff(best.locations), default=1.0) > 1e-6 else ()


def pull(on: StructureProblem, location: float) -> float:
    """Return how much a single marketplace at `location` is pulled to the right, by the value of a step.

    By the envelope theorem ∂u/∂δ_j is −w_j m_j up to a common factor. A site at `location` pulls to the left.
    """
    at = outcome(on, (location,))
    value = at.wages * at.population
    right = np.array(list(SITES.values())) > location
    return float(value[right].sum() - value[~right].sum())


def balanced(on: StructureProblem) -> list[Outcome]:
    """Return every location between two sites at which the pulls on a single marketplace balance."""
    results = []
    for left, right in pairwise(SITES.values()):
        ends = left + 1e-12, right - 1e-12
        if pull(on, ends[0]) > 0 > pull(on, ends[1]):
            results.append(outcome(on, (float(brentq(lambda d: pull(on, d), *ends, xtol=1e-14)),)))
    return results


@cache
def best(case: str, setup_cost: float) -> tuple[Outcome, ...]:
    """Return the best structures over all numbers of marketplaces, the fewest that will do."""
    known = [best_with(case, setup_cost, number) for number in range(1, len(SITES) + 1)]
    top = max(each[0].utility for each in known if each)
    return next(each for each in known if each and each[0].utility >= top * (1 - TIE))


def runner_up(case: str, setup_cost: float) -> Outcome | None:
    """Return the best structure with another number of marketplaces, if any can be paid for."""
    chosen = best(case, setup_cost)
    others = [
        each[0]
        for number in range(1, len(SITES) + 1)
        if (each := best_with(case, setup_cost, number)) and each[0].utility < chosen[0].utility * (1 - TIE)
    ]
    return max(others, key=lambda each: each.utility, default=None)


@cache
def printed_or_best(case: str, setup_cost: float, printed: str) -> Outcome:
    """Return the best structure; among those that tie, the one whose name is `printed`."""
    tied = best(case, setup_cost)
    return next((each for each in tied if each.name == printed), tied[0])


@cache
def solution(case: str, setup_cost: float, locations: tuple[float, ...]) -> Solution:
    """Return the program for given marketplaces solved, and certified by Definition 2.13."""
    return solve(economy(case, setup_cost, marketplaces=locations))


def named(location: float, digits: int = 6) -> str:
    """Return the name of the site at a location, or the location itself."""
    for name, position in SITES.items():
        if abs(location - position) < 1e-6:
            return name
    return f"{location:.{digits}f}".rstrip("0")
