r"""How many marketplaces and where: branch and bound with a proof, on any ground.

For fixed marketplaces the equilibrium is exact (`agora.formulations.marketplaces.market_equilibrium`). Over
locations utility is not concave, so boxes of locations are searched. The value of a site at given prices,
φ_j, is convex and falls with distance, and the distance to the nearest marketplace is a minimum; so within
a box between the marks of a line, or along edges, the Lagrangian bound Σ φ_j + μ − F(d) is convex in d
and largest at a corner, and in the plane a bound of it is (`agora.formulations.marketplaces.grounds`). A box
none of whose corners reaches the target utility at the prices of its own centre holds nothing better. Near an
optimum the bound is exact to second order, so boxes vanish quickly.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations_with_replacement, count

import numpy as np
from scipy.optimize import minimize

from agora.formulations.marketplaces.grounds import Ground, Line, corners
from agora.formulations.marketplaces.market_equilibrium import (
    Economy,
    MarketEquilibrium,
    head_price,
    site_values,
    solve_market,
)
from agora.numerics import bisected
from agora.typing import Vector

FLOOR = 1e-6
"""Utilities below this count as nothing: a number of marketplaces that no site can pay for has this bound."""


@dataclass(frozen=True)
class StructureProblem:
    """An economy and the ground on which its marketplaces may be."""

    economy: Economy
    """Preferences and technology."""
    ground: Ground
    """Where sites are and marketplaces may be."""
    need: Callable[[Vector], Vector]
    """Locations, shape (…, k · width), on a line ascending → set-up need in composites, shape (…); affine
    within the ground's pieces."""

    def travel(self, locations: Vector) -> Vector:
        """Return the travel time of every site to its nearest marketplace, (…, k · width) → (…, J)."""
        return self.ground.travel(locations)

    def ordered(self, locations: Vector) -> Vector:
        """Return locations in ascending order where the ground is a line."""
        return np.sort(locations) if isinstance(self.ground, Line) else locations

    def solve(self, locations: Vector, start: MarketEquilibrium | None = None) -> MarketEquilibrium:
        """Return the equilibrium with marketplaces at `locations` (k · width,)."""
        locations = self.ordered(locations)
        return solve_market(self.economy, self.travel(locations), float(self.need(locations)), start)


@dataclass(frozen=True)
class StructureResult:
    """The best structure with a given number of marketplaces."""

    number: int
    """k, the number of marketplaces."""
    locations: Vector
    """The best locations found (k · width,), ascending on a line."""
    utility: float
    bound: float
    """Its utility, and a proved upper bound for every structure with k marketplaces."""
    boxes: int
    """Boxes examined."""
    equilibrium: MarketEquilibrium
    """The equilibrium there."""
    beyond: bool = False
    """Whether `bound` is proved for every larger number of marketplaces too."""


def best_structure(
    problem: StructureProblem,
    number: int,
    *,
    gap: float = 1e-9,
    seconds: float = 60.0,
    known: Vector | None = None,
) -> StructureResult:
    """Return the best `number` marketplaces, proved within a relative `gap` unless time runs out.

    `known` are the locations of a good structure, if one is known.
    """
    deadline = time.monotonic() + seconds
    search = _Search(problem, number, gap, known)
    while search.heap and time.monotonic() < deadline:
        search.step()
    bound = max(search.utility, FLOOR) * (1 + gap)
    if search.heap:
        bound = max(bound, search.open_bound())
    locations = problem.ordered(search.locations)
    return StructureResult(number, locations, search.utility, bound, search.boxes, search.equilibrium)


def least_bound(problem: StructureProblem, number: int) -> float:
    """Return a utility that no structure with `number` or more marketplaces exceeds.

    What is reached if every site is as near to a marketplace as D allows, at the set-up cost of the fewest,
    all at one location: less travel and less need never harm.
    """
    candidates = problem.ground.candidates
    ways = problem.travel(problem.ordered(candidates.ravel()))
    need = float(problem.need(np.tile(candidates[0], number)))
    return max(solve_market(problem.economy, ways, need).utility, FLOOR) * (1 + 1e-9)


def prices_and_head(x: Vector) -> tuple[Vector, float]:
    """Return prices (goods,), the first one, and the price of a head from log prices and that (goods,)."""
    return np.exp(np.append(0.0, np.clip(x[:-1], -20, 20))), float(x[-1])


class _Search:
    """Boxes still open, and the best structure so far."""

    def __init__(
        self, problem: StructureProblem, number: int, gap: float, known: Vector | None = None
    ) -> None:
        self.problem, self.number, self.gap = problem, number, gap
        pieces = problem.ground.pieces
        self.boxes, middle = 0, pieces[len(pieces) // 2].mean(axis=1)
        self.locations = np.tile(middle, number) if known is None else known
        self.equilibrium = problem.solve(self.locations)
        self.utility = self.equilibrium.utility
        self.heap: list[tuple[float, int, Vector, MarketEquilibrium]] = []
        self.order = count()
        for box in combinations_with_replacement(pieces, number):
            self.push(np.concatenate(box), self.equilibrium)
        self.polish()

    def consider(self, locations: Vector, start: MarketEquilibrium | None = None) -> MarketEquilibrium:
        """Solve the market of a structure and keep the structure if it is the best so far."""
        state = self.problem.solve(locations, start)
        if state.utility > self.utility:
            self.utility, self.locations, self.equilibrium = state.utility, locations.copy(), state
        return state

    def corners(self, box: Vector) -> Vector:
        """Return the corners of a box, (2^n, n), each in ascending order on a line."""
        return self.problem.ordered(corners(box))

    def push(self, box: Vector, prices: MarketEquilibrium) -> None:
        """Keep a box open unless none of its corners can be better; solve at its centre for new prices."""
        self.boxes += 1
        if prices.utility > 0 and self.margins(box, prices).max() < 0:
            return
        centre = self.consider(box.mean(axis=1), prices)
        if centre.utility <= 0:
            centre = self.relaxed(box)
            if centre.utility <= 0:
                return
        margins = self.margins(box, centre)
        best = int(margins.argmax())
        if margins[best] >= 0:
            self.consider(self.corners(box)[best], centre)
            margins = self.margins(box, centre)
        if margins.max() >= 0:
            heapq.heappush(self.heap, (-centre.utility, next(self.order), box, centre))

    def relaxed(self, box: Vector) -> MarketEquilibrium:
        """Solve with every site as near to a marketplace as at any corner, at the least need there.

        A source of prices only: bounds hold at any.
        """
        ends = self.corners(box)
        ways = self.problem.travel(ends).min(axis=0)
        return solve_market(self.problem.economy, ways, float(self.problem.need(ends).min()))

    def margins(self, box: Vector, at: MarketEquilibrium, target: float | None = None) -> Vector:
        """Return by how much each corner could do better than the target, at given prices.

        The target is a little more than the best utility found, unless given.
        """
        problem, economy = self.problem, self.problem.economy
        if target is None:
            target = max(self.utility, FLOOR) * (1 + self.gap)
        head = at.fee - at.rent_income
        if target > 1.02 * at.utility:
            head = head_price(economy, at, target)

        def values_at(travel: Vector) -> Vector:
            return site_values(economy, at.prices, target, travel, head)

        total = problem.ground.corner_values(box, values_at).sum(axis=-1)
        rest = head - np.asarray(problem.need(self.corners(box))) * economy.setup_price(at.prices)
        return np.asarray(total + rest)

    def step(self) -> None:
        """Halve the most promising open box along its decisive side, if it is still open."""
        _, _, box, centre = heapq.heappop(self.heap)
        if self.margins(box, centre).max() < 0:
            return
        side = self.decisive_side(box, centre)
        for half in range(2):
            part = box.copy()
            part[side, 1 - half] = box[side].mean()
            self.push(part, centre)

    def decisive_side(self, box: Vector, at: MarketEquilibrium) -> int:
        """Return the side along which the bound changes most; a marketplace without use has none."""
        values = self.margins(box, at)
        change = np.zeros(len(box))
        for side in range(len(box)):
            middle = box.copy()
            middle[side] = box[side].mean()
            change[side] = np.abs(values - self.margins(middle, at)).max()
        if change.max() <= 1e-15:
            return int(np.argmax(box[:, 1] - box[:, 0]))
        return int(change.argmax())

    def polish(self) -> None:
        """Climb from the best structure within its pieces."""
        ground, number = self.problem.ground, self.number
        limits: list[tuple[float, float]] = []
        for location in self.locations.reshape(number, ground.width):
            around = [p for p in ground.pieces if ((p[:, 0] <= location) & (location <= p[:, 1])).all()]
            limits += [
                (min(float(p[axis, 0]) for p in around), max(float(p[axis, 1]) for p in around))
                for axis in range(ground.width)
            ]
        if isinstance(ground, Line):
            limits = [ground.region] * number

        def loss(locations: Vector) -> float:
            return -self.problem.solve(locations, self.equilibrium).utility

        options = {"ftol": 1e-15, "gtol": 1e-10}
        climbed = minimize(loss, self.locations, method="L-BFGS-B", bounds=limits, options=options)
        self.consider(np.asarray(climbed.x, dtype=float), self.equilibrium)

    def open_bound(self) -> float:
        """Return a utility that no open box can exceed, by bisection on the target; infinite if unproved."""
        boxes = [(box, centre) for _, _, box, centre in self.heap]
        low = max(self.utility, FLOOR)
        high = 2 * low
        while not self.unreachable(high, boxes):
            low, high = high, 2 * high
            if high > 1e6 * max(self.utility, FLOOR):
                return np.inf
        return bisected(lambda target: self.unreachable(target, boxes), high, low, 40)[0]

    def unreachable(self, target: float, boxes: list[tuple[Vector, MarketEquilibrium]]) -> bool:
        """Tell whether it is proved that no structure in these boxes reaches `target`."""
        return all(self.margins(box, centre, target).max() < 0 for box, centre in boxes)
