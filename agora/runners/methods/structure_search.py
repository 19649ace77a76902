r"""How many marketplaces and where: branch and bound with a proof, on a line.

For fixed marketplaces the economy is settled exactly (`agora.formulations.market_settlement`). Over
locations utility is not concave, so boxes of locations are searched. Within a box that no site
crosses every distance is affine in the locations, what a site is worth at given prices, φ_j, is
convex and falls with distance, and the distance to the nearest marketplace is a minimum; so the
Lagrangian bound Σ φ_j + μ − F(d) is convex in d and largest at a corner. A box none of whose
corners reaches the target utility at the prices of its own centre holds nothing better. Near an
optimum the bound is exact to second order, so boxes vanish quickly.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations_with_replacement, count, pairwise, product

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from agora.formulations.market_settlement import Economy, Settlement, head_price, settle, slack

Vector = NDArray[np.float64]

FLOOR = 1e-6
"""Utilities below this are not told apart: a number of marketplaces nobody can pay for has this bound."""


@dataclass(frozen=True)
class LineProblem:
    """Sites on a line, marketplaces in an interval of it.

    Attributes
    ----------
    economy : Economy
        Preferences and technology.
    sites : array (J,)
        Positions of the sites.
    region : (float, float)
        Where marketplaces may be.
    need : callable
        Locations, shape (…, k) in ascending order → set-up need in composites, shape (…); affine
        between neighbouring `breaks`.
    breaks : array
        Positions at which `need` has kinks.
    """

    economy: Economy
    sites: Vector
    region: tuple[float, float]
    need: Callable[[Vector], Vector]
    breaks: Vector = field(default_factory=lambda: np.zeros(0))

    def travel(self, locations: Vector) -> Vector:
        """Return the distance of every site to the nearest marketplace, (…, k) → (…, J)."""
        distance: Vector = np.abs(self.sites[:, None] - locations[..., None, :]).min(axis=-1)
        return distance

    def settle(self, locations: Vector, start: Settlement | None = None) -> Settlement:
        """Return the equilibrium with marketplaces at `locations` (k,)."""
        return settle(self.economy, self.travel(locations), float(self.need(np.sort(locations))), start)


@dataclass(frozen=True)
class StructureResult:
    """The best structure with a given number of marketplaces.

    Attributes
    ----------
    number : int
        k, the number of marketplaces.
    locations : array (k,)
        The best locations found, ascending.
    utility, bound : float
        Its utility, and a proved upper bound for every structure with k marketplaces.
    boxes : int
        Boxes examined.
    settlement : Settlement
        The equilibrium there.
    """

    number: int
    locations: Vector
    utility: float
    bound: float
    boxes: int
    settlement: Settlement


def best_structure(
    problem: LineProblem, number: int, *, gap: float = 1e-9, seconds: float = 60.0
) -> StructureResult:
    """Return the best `number` marketplaces, proved within a relative `gap` unless time runs out."""
    search = _Search(problem, number, gap)
    deadline = time.monotonic() + seconds
    while search.heap and time.monotonic() < deadline:
        search.step()
    bound = max(search.utility, FLOOR) * (1 + gap)
    if search.heap:
        bound = max(bound, search.open_bound())
    order = np.argsort(search.locations)
    return StructureResult(
        number, search.locations[order], search.utility, bound, search.boxes, search.settlement
    )


class _Search:
    """Boxes still open, and the best structure so far."""

    def __init__(self, problem: LineProblem, number: int, gap: float) -> None:
        self.problem, self.number, self.gap = problem, number, gap
        low, high = problem.region
        marks = np.unique(np.clip(np.concatenate([[low, high], problem.sites, problem.breaks]), low, high))
        intervals = list(pairwise(marks))
        self.utility, self.boxes = 0.0, 0
        self.locations = np.full(number, (low + high) / 2)
        self.settlement = problem.settle(self.locations)
        self.utility = self.settlement.utility
        self.heap: list[tuple[float, int, Vector, Settlement]] = []
        self.order = count()
        for box in combinations_with_replacement(intervals, number):
            self.push(np.array(box), self.settlement)
        self.polish()

    def consider(self, locations: Vector, start: Settlement | None = None) -> Settlement:
        """Settle a structure and keep it if it is the best so far."""
        state = self.problem.settle(locations, start)
        if state.utility > self.utility:
            self.utility, self.locations, self.settlement = state.utility, locations.copy(), state
        return state

    def corners(self, box: Vector) -> Vector:
        """Return the corners of a box, (2^k, k), each in ascending order."""
        return np.sort(np.array(list(product(*box))), axis=1)

    def push(self, box: Vector, prices: Settlement) -> None:
        """Keep a box open unless none of its corners can be better; settle its centre for new prices."""
        self.boxes += 1
        corners = self.corners(box)
        if prices.utility > 0 and self.margins(corners, prices).max() < 0:
            return
        centre = self.consider(box.mean(axis=1), prices)
        if centre.utility <= 0:
            centre = self.relaxed(box, corners)
            if centre.utility <= 0:
                return
        margins = self.margins(corners, centre)
        best = int(margins.argmax())
        if margins[best] >= 0:
            self.consider(corners[best], centre)
            margins = self.margins(corners, centre)
        if margins.max() >= 0:
            heapq.heappush(self.heap, (-centre.utility, next(self.order), box, centre))

    def relaxed(self, box: Vector, corners: Vector) -> Settlement:
        """Settle with every site as near to a marketplace as the box allows, at the least need."""
        low, high = box[:, 0], box[:, 1]
        sites = self.problem.sites[:, None]
        nearest = np.maximum(np.maximum(low - sites, sites - high), 0.0).min(axis=1)
        return settle(self.problem.economy, nearest, float(self.problem.need(corners).min()))

    def margins(self, corners: Vector, at: Settlement, target: float | None = None) -> Vector:
        """Return by how much each corner could do better than the target, at given prices.

        The target is a little more than the best utility found, unless given.
        """
        problem = self.problem
        if target is None:
            target = max(self.utility, FLOOR) * (1 + self.gap)
        head = None if target <= 1.02 * at.utility else head_price(problem.economy, at, target)
        return slack(problem.economy, at, target, problem.travel(corners), problem.need(corners), head)

    def step(self) -> None:
        """Halve the most promising open box along its decisive side, if it is still open."""
        _, _, box, centre = heapq.heappop(self.heap)
        if self.margins(self.corners(box), centre).max() < 0:
            return
        side = self.decisive_side(box, centre)
        for half in range(2):
            part = box.copy()
            part[side, 1 - half] = box[side].mean()
            self.push(part, centre)

    def decisive_side(self, box: Vector, at: Settlement) -> int:
        """Return the side along which the bound changes most; a marketplace nobody uses has none."""
        corners = np.array(list(product(*box)))
        values = self.margins(np.sort(corners, axis=1), at)
        change = np.zeros(self.number)
        for side in range(self.number):
            middle = corners.copy()
            middle[:, side] = box[side].mean()
            change[side] = np.abs(values - self.margins(np.sort(middle, axis=1), at)).max()
        if change.max() <= 1e-15:
            return int(np.argmax(box[:, 1] - box[:, 0]))
        return int(change.argmax())

    def polish(self) -> None:
        """Climb from the best structure: −∂u/∂δ_j = u w_j m_j / Σ Y m, by the envelope theorem."""
        found = minimize(
            lambda d: -self.problem.settle(d, self.settlement).utility,
            self.locations,
            method="L-BFGS-B",
            bounds=[self.problem.region] * self.number,
            options={"ftol": 1e-15, "gtol": 1e-10},
        )
        self.consider(np.asarray(found.x, dtype=float), self.settlement)

    def open_bound(self) -> float:
        """Return a utility that no open box can exceed, by bisection on the target; infinite if unproved."""
        boxes = [(self.corners(box), centre) for _, _, box, centre in self.heap]
        low = max(self.utility, FLOOR)
        high = 2 * low
        while not self.unreachable(high, boxes):
            low, high = high, 2 * high
            if high > 1e6 * max(self.utility, FLOOR):
                return np.inf
        for _ in range(40):
            middle = (low + high) / 2
            if self.unreachable(middle, boxes):
                high = middle
            else:
                low = middle
        return high

    def unreachable(self, target: float, boxes: list[tuple[Vector, Settlement]]) -> bool:
        """Tell whether it is proved that no structure in these boxes reaches `target`."""
        return all(self.margins(corners, centre, target).max() < 0 for corners, centre in boxes)
