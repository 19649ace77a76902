r"""The coalition and the marketplaces that improve most upon an allocation, with a proof.

For given marketplaces the greatest gain is the value of a small program over prices
(`CoalitionTest.price_program`), whose multipliers are the coalition. Over locations the region is cut
into simplices that no site crosses, and a simplex is bounded from the prices p_v found at its corners
d_v: at d = Σ λ_v d_v take the prices Σ λ_v p_v. The fee and the costs of living are concave in prices and
the way to the nearest marketplace is concave in d, so a member's income exceeds the mean of the corners'
at most by

.. math:: \sum_{v<w} \lambda_v \lambda_w (p_v - p_w)_{i(j)} (\delta_v - \delta_w)_j \le \kappa_j
          = \tfrac12 \bigl(1 - \tfrac1n\bigr) \max_{v<w} (p_v - p_w)_{i(j)} (\delta_v - \delta_w)_j

with n corners, and no structure in the simplex gains more than the most that κ_j of additional income
buys at a corner's prices. Prices and ways both change in proportion to the size of the simplex, so the
bound is exact to second order and few simplices remain. It holds at any prices: the proof does not rest
on a solver's tolerance.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, combinations_with_replacement, count, pairwise, permutations
from typing import Any

import numpy as np
import pandas as pd
import pyomo.environ as pyo
from pydantic import Field

from agora.data.checks import InputError, positive
from agora.data.fields import POSITIVE
from agora.formulations.marketplaces.coalition_numbers import least_gain, living_costs, setup_fee
from agora.methods.method import Answer, Method, Progress, Proof, SearchOptions, silent
from agora.models.marketplaces.coalition import CoalitionTest
from agora.solvers import SolveFailed, SolverRecord, solve_program
from agora.typing import Vector


@dataclass(frozen=True)
class Structure:
    """The solution of the price program for given marketplaces."""

    locations: tuple[float, ...]
    """Locations d′, ascending."""
    gain: float
    """λ, the greatest gain of any coalition with them (the least gain if the solver failed)."""
    prices: Vector
    income: Vector
    costs: Vector
    travel: Vector
    """Prices (I,) summing to one, and what follows from them: a member's income (J,), its costs of a unit of
    utility at each site (types, J); hours of travel (J,)."""
    record: SolverRecord
    """The record of its solver."""
    program: pyo.ConcreteModel


@dataclass(frozen=True)
class NumberResult:
    """The best structure with a given number of marketplaces, and a bound for all others with as many."""

    structure: Structure
    bound: float
    structures: int
    simplices: int


class StructureSearch:
    """Structures with k marketplaces, `number`, for the allocation that is tested; each is solved once."""

    def __init__(self, test: CoalitionTest, number: int) -> None:
        self.test, self.number = test, number
        self.known: dict[tuple[float, ...], Structure] = {}

    def at(self, locations: tuple[float, ...]) -> Structure:
        """Return what is known about a structure; solve its price program at the first time."""
        locations = tuple(sorted(locations))
        if locations not in self.known:
            self.known[locations] = self._solve(locations)
        return self.known[locations]

    def _solve(self, locations: tuple[float, ...]) -> Structure:
        test = self.test
        program = test.price_program(locations)
        try:
            record = solve_program(program)
            gain = float(pyo.value(program.gain))
        except SolveFailed as failure:
            record, gain = failure.record, test.least_gain
        prices = np.array([max(pyo.value(p), 1e-12) for p in program.commodity_price.values()])
        rents = np.array([max(pyo.value(r), 1e-12) for r in program.land_rent.values()]) / prices.sum()
        prices = prices / prices.sum()
        travel = test.travel(locations)
        wages = prices[np.array(test.makes) - 1]
        fee = setup_fee(test.needs(self.number), prices)
        income = wages * (test.time - travel) + test.plot * rents.sum() - fee
        costs = living_costs(list(test.tastes.values()), test.makes, prices, rents)
        return Structure(locations, gain, prices, income, costs, travel, record, program)

    @cached_property
    def regions(self) -> list[tuple[tuple[float, ...], ...]]:
        """Simplices, as their corners, that cover every structure and that no site crosses."""
        low, high = self.test.region
        inside = [site for site in self.test.sites if low < site < high]
        marks = sorted({low, high, *inside})
        intervals = list(pairwise(marks)) or [(low, high)]
        return [
            simplex
            for box in combinations_with_replacement(intervals, self.number)
            for simplex in _cut(np.array(box))
        ]

    def bound(self, simplex: tuple[tuple[float, ...], ...]) -> float:
        """Return a gain that no structure in a simplex exceeds."""
        corners = [self.at(corner) for corner in simplex]
        goods = np.array(self.test.makes) - 1
        more = np.zeros(len(goods))
        for one, other in combinations(corners, 2):
            more = np.maximum(more, (one.prices - other.prices)[goods] * (one.travel - other.travel))
        more *= 0.5 * (1 - 1 / len(corners))
        income = np.array([corner.income for corner in corners]) + more
        tested, unit, shares = (
            np.array(list(each.values())) for each in (self.test.utility, self.test.unit, self.test.shares)
        )
        costs = np.array([corner.costs for corner in corners])
        together = shares if self.test.everybody else None
        return least_gain(income, costs, tested, unit, self.test.least_gain, together)

    def best(self) -> Structure:
        """Return the best structure so far."""
        return max(self.known.values(), key=lambda structure: structure.gain)

    def polish(self) -> Structure:
        """Move the marketplaces of the best structure to where they are best nearby."""
        start = self.best()
        if start.gain <= self.test.least_gain:
            return start
        program = self.test.location_program(start.locations)
        try:
            solve_program(program)
        except SolveFailed:
            return start
        low, high = self.test.region
        moved = np.clip([pyo.value(location) for location in program.location.values()], low, high)
        return self.at(tuple(moved.tolist()))

    def run(self, tolerance: float, deadline: float, known: float = -np.inf) -> NumberResult:
        """Cut the region until no structure gains `tolerance` more than the best, or time runs out.

        `known` is the gain of a structure with another number of marketplaces: those that gain less
        need no closer look.
        """
        heap: list[tuple[float, int, tuple[tuple[float, ...], ...]]] = []
        order = count()
        for simplex in self.regions:
            heapq.heappush(heap, (-self.bound(simplex), next(order), simplex))
        self.polish()
        while heap and -heap[0][0] > max(self.best().gain, known) + tolerance and time.monotonic() < deadline:
            _, _, simplex = heapq.heappop(heap)
            for half in _halves(simplex):
                heapq.heappush(heap, (-self.bound(half), next(order), half))
        polished, best = self.polish(), self.best()
        if polished.gain >= best.gain - min(1e-8, tolerance):  # solvers cannot distinguish them
            best = polished
        bound = max(-heap[0][0] if heap else best.gain, best.gain, self.best().gain)
        return NumberResult(best, bound, len(self.known), next(order))


def _cut(box: Vector) -> Iterator[tuple[tuple[float, ...], ...]]:
    """Cut a box (k, 2) into the simplices, one for each order of its sides, that keep locations in order."""
    number = len(box)
    if np.ptp(box) == 0:
        yield (tuple(box[:, 0].tolist()),)
        return
    for sides in permutations(range(number)):
        corners = [box[:, 0].copy()]
        for side in sides:
            corners.append(corners[-1].copy())
            corners[-1][side] = box[side, 1]
        if (np.diff(np.mean(corners, axis=0)) > 0).all():
            yield tuple(tuple(corner.tolist()) for corner in corners)


def _halves(simplex: tuple[tuple[float, ...], ...]) -> Iterator[tuple[tuple[float, ...], ...]]:
    """Halve a simplex at the middle of its longest edge."""
    points = np.array(simplex)
    pairs = list(combinations(range(len(points)), 2))
    one, other = max(pairs, key=lambda pair: float(np.abs(points[pair[0]] - points[pair[1]]).max()))
    middle = tuple(((points[one] + points[other]) / 2).tolist())
    for gone in (one, other):
        yield tuple(middle if k == gone else corner for k, corner in enumerate(simplex))


def most_improving_coalition(
    test: CoalitionTest, *, tolerance: float = 1e-6, seconds: float = 60.0, progress: Progress = silent
) -> Answer:
    """Return the coalition and the marketplaces with the greatest gain, or prove that there is none.

    The answer's objective is the gain λ of the best coalition met (see `CoalitionTest`), and its facts say:
    ``bound``, no coalition with any structure gains more; ``improves``, whether λ exceeds the tolerance > 0;
    ``unblocked``, whether it is proved that no gain does. Its table ``structures`` has the best one for each
    number of marketplaces. The bound exceeds λ by no more than the tolerance, unless the `seconds` > 0 for a
    number of marketplaces run out.

    Raises
    ------
    InputError
        For a bad tolerance or time.
    """
    tolerance, seconds = positive("tolerance", tolerance), positive("seconds", seconds)
    results: list[NumberResult] = []
    for number in range(1, test.marketplaces + 1):
        progress(f"searching structures with {number} marketplaces")
        known = max((result.structure.gain for result in results), default=-np.inf)
        results.append(StructureSearch(test, number).run(tolerance / 2, time.monotonic() + seconds, known))
    best = max(results, key=lambda result: result.structure.gain).structure
    bound = max(result.bound for result in results)
    improves, unblocked = best.gain > tolerance, bound <= tolerance
    tables = test.read_prices(best.program)
    tables["structures"] = structures = pd.DataFrame(
        {
            "number": number,
            "gain": result.structure.gain,
            "bound": result.bound,
            "locations": ", ".join(f"{d:.6f}" for d in result.structure.locations),
            "solved": result.structures,
            "simplices": result.simplices,
        }
        for number, result in enumerate(results, start=1)
    )
    solved, simplices = (int(structures[column].sum()) for column in ("solved", "simplices"))
    facts: dict[str, Any] = {"improves": improves, "unblocked": unblocked, "structures": solved}
    if improves:
        status = "a coalition improves upon the allocation"
    elif unblocked:
        status = f"no coalition improves upon the allocation by more than {tolerance:g}"
    else:
        status = "no improving coalition found, and none excluded"
    words = (
        f"no coalition gains more than {bound:.9g}: at the prices found at the corners of "
        f"{simplices} simplices of locations, nobody could afford it"
    )
    proof = Proof("bound", words, bound, bound - best.gain, tolerance)
    return Answer(status, best.gain, tables, proof, facts, (best.record,))


@dataclass(frozen=True)
class CoreTest:
    """The result of the test whether any allocation can satisfy every type."""

    alone: dict[str, Answer]
    """Type → what it can have by itself: the answer's tables show where and how."""
    utility: dict[str, float]
    """Type → the utility that it reaches alone."""
    best: Answer
    """The allocation of everybody that comes nearest to giving every type that much, or that gives most
    above it; its gain is a share of the types' utilities alone."""
    at_least: float
    """ε: whatever the allocation, some type can leave and make all its members better off by at least
    this share of their utility. Proved; not positive if nothing is shown."""

    @property
    def empty(self) -> bool:
        """Whether the core is proved to be empty."""
        return self.at_least > 0


def core_test(
    test: CoalitionTest, *, tolerance: float = 1e-6, seconds: float = 60.0, progress: Progress = silent
) -> CoreTest:
    r"""Return whether each type's own coalitions leave anything to agree on for everybody.

    Alone, type t reaches u*_t > 0. If it is proved that no allocation of everybody, with any
    marketplaces and any division, gives more than (1 + λ̄) u*_t to all types t, with λ̄ < 0, then in
    every allocation some type gets (1 + λ̄) u*_t at most and by leaving gains ε = 1 / (1 + λ̄) − 1 at
    least: the core is empty (Berliant & Konishi 2000, Example 1 and footnote 22).

    The utilities in the test do not matter; tolerance and seconds are those of each search.

    Raises
    ------
    InputError
        If a type cannot reach any utility alone.
    """
    alone, utility = {}, {}
    for kind in test.types:
        own = {**test.model_dump(), "types": [{**kind.model_dump(), "utility": 1.0}], "everybody": False}
        alone[kind.name] = most_improving_coalition(
            CoalitionTest.model_validate(own), tolerance=tolerance / 10, seconds=seconds, progress=progress
        )
        utility[kind.name] = 1 + alone[kind.name].objective
        if utility[kind.name] <= tolerance:
            raise InputError(f"utility of type {kind.name} alone", utility[kind.name], "> 0 to compare with")
    best = most_improving_coalition(
        test.giving(utility, everybody=True), tolerance=tolerance, seconds=seconds, progress=progress
    )
    return CoreTest(alone, utility, best, 1 / (1 + float(best.facts["bound"])) - 1)


class CoalitionOptions(SearchOptions):
    """How to search for an improving coalition."""

    gain_tolerance: float = Field(default=1e-6, gt=0, json_schema_extra=POSITIVE)
    """Gain up to which "no coalition improves" is proved."""


def _run(test: CoalitionTest, chosen: CoalitionOptions, progress: Progress) -> Answer:
    return most_improving_coalition(
        test, tolerance=chosen.gain_tolerance, seconds=chosen.seconds, progress=progress
    )


METHOD = Method("branch-and-bound", CoalitionOptions, _run, solves=())
"""Structures solved one by one, all others bounded."""
