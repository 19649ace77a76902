r"""Many sites in the plane or on a network: a bound on every structure with k marketplaces, and a climb.

At given prices p and price of a head μ the best structure is a k-median: each site j adds
φ_j(δ_j) to the value of the marketplace it uses. For any numbers v_j

.. math:: \max_d \sum_j \phi_j(\delta_j(d)) \;\le\;
          \sum_j v_j + k \max_{x} \sum_j \bigl(\phi_j(\mathrm{time}(j, x)) - v_j\bigr)^+

and the right side asks for a single best place x only: one of the cells on a network, and in the plane a
maximum that boxes bound. The v_j are multipliers of the linear relaxation over a few places, to which the
best x is added until it is among them. If the value of a single place does not exceed its set-up cost,
the bound for k holds for all larger numbers too. The bound holds at any (p, μ); these are taken from the best
structure found, and where that leaves a gap, from the structures met so far: where the most that any of
them allows is least.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pyomo.environ as pyo
from scipy.optimize import minimize

from agora.formulations.marketplaces.grounds import Ground, SiteValues, nearest
from agora.formulations.marketplaces.market_equilibrium import (
    MarketEquilibrium,
    add_median_choice,
    site_values,
)
from agora.methods.marketplaces.branch_and_bound import StructureProblem, StructureResult
from agora.methods.method import collector_paused
from agora.solvers import LinearProgram
from agora.solvers.classify import objective_of
from agora.typing import Vector

CLOSED = 1e-10
"""Relative gap at which a bound counts as closed."""
ROUNDS = 25
"""Rounds of adding places, and of changing prices, at most."""


def median_structure(
    problem: StructureProblem,
    number: int,
    enough: float = 0.0,
    before: StructureResult | None = None,
    deadline: float = np.inf,
) -> StructureResult:
    """Return a good structure with `number` marketplaces, and a bound that no such structure exceeds.

    The bound is made as small as it gets, or no larger than `enough` or the structure's own utility, until
    the clock (`time.monotonic`) shows `deadline`; there is always one, if only infinity. `before` is a good
    structure with one marketplace less.
    """
    search = _Median(problem, number, deadline)
    search.begin(before)
    bound = np.inf
    for _ in range(ROUNDS):
        if search.late and np.isfinite(bound):
            break
        value, places = search.bound(search.prices, search.head, max(enough, search.utility))
        bound = min(bound, value)
        if places is not None:
            search.climb(places)
        if bound <= max(enough, search.utility * (1 + CLOSED)):
            break
        if not search.better_prices(bound):
            break
    return StructureResult(
        number,
        search.locations,
        search.utility,
        max(bound, search.utility),
        0,
        search.equilibrium,
        search.beyond and search.utility <= enough and bound <= enough * (1 + CLOSED),
    )


@dataclass
class _Median:
    """What is known about structures with one number of marketplaces."""

    problem: StructureProblem
    number: int
    deadline: float

    @property
    def late(self) -> bool:
        """Whether time is up."""
        return time.monotonic() > self.deadline

    def begin(self, before: StructureResult | None) -> None:
        """Start from the structure before and the place that adds most to it, or from nothing."""
        ground = self.problem.ground
        self.places = ground.candidates
        self.need = float(self.problem.need(np.tile(self.places[0], self.number)))
        self.pool: list[Vector] = []
        another = np.tile(self.places[0], self.number + 1)
        self.step = float(self.problem.need(another)) - self.need
        self.beyond = False
        self.utility, self.locations = -1.0, np.tile(self.places[0], self.number)
        known = before.locations if before is not None else np.zeros(0)
        found: list[tuple[float, Vector]] = []
        start = before.equilibrium if before is not None and before.utility > 0 else None
        for place in self.places:
            trial = np.concatenate([known, place])
            rest = np.tile(place, self.number - len(trial) // ground.width)
            trial = np.concatenate([trial, rest])
            found.append((self.problem.solve(trial, start).utility, trial))
        self.equilibrium = self.problem.solve(self.locations)
        self.climb(max(found, key=lambda pair: pair[0])[1])
        state = self.equilibrium
        self.prices, self.head = state.prices, state.fee - state.rent_income

    def consider(self, places: Vector) -> MarketEquilibrium:
        """Solve the market of a structure, remember it, and keep it if it is the best so far."""
        state = self.problem.solve(places, self.equilibrium if self.utility > 0 else None)
        if state.utility > self.utility:
            self.utility, self.locations, self.equilibrium = state.utility, places, state
        return state

    def climb(self, places: Vector) -> None:
        """Move marketplaces one by one to better candidates near them, and then freely."""
        ground = self.problem.ground
        width = ground.width
        state = self.consider(places)
        points = places.reshape(-1, width).copy()
        self.pool.append(self.problem.travel(places))
        ways = ground.travel(self.places)
        moved = state.utility > 0
        while moved and not self.late:
            moved = False
            for k in range(len(points)):
                near = np.argsort(np.abs(ways - ground.travel(points[k])).max(axis=1))[:6]
                for c in near.tolist():
                    trial = points.copy()
                    trial[k] = self.places[c]
                    found = self.problem.solve(trial.ravel(), state)
                    if found.utility > state.utility * (1 + 1e-12):
                        points, state, moved = trial, found, True
        self.consider(points.ravel())
        self.pool.append(self.problem.travel(points.ravel()))
        if not ground.candidates_suffice and state.utility > 0:
            self.consider(self.slid(points.ravel(), state))

    def slid(self, places: Vector, state: MarketEquilibrium) -> Vector:
        """Climb in the plane: −∂ log u/∂δ_j = w_j m_j / Σ Y m, by the envelope theorem."""
        ground, economy = self.problem.ground, self.problem.economy
        width, piece = ground.width, ground.pieces[0]

        def descent(flat: Vector) -> tuple[float, Vector]:
            at = self.problem.solve(flat, state)
            if at.utility <= 0:
                return 1e3, np.zeros(len(flat))
            slope = at.prices[economy.makes] * at.population / float(at.income @ at.population)
            own, gradient = nearest(ground, flat), np.zeros((self.number, width))
            points = flat.reshape(-1, width)
            for axis in range(width):
                step = np.zeros(width)
                step[axis] = 1e-7
                for k in range(self.number):
                    change = (ground.travel(points[k] + step) - ground.travel(points[k] - step)) / 2e-7
                    gradient[k, axis] = float((slope * change)[own == k].sum())
            return -float(np.log(at.utility)), gradient.ravel()

        limits = [tuple(side) for side in piece.tolist()] * self.number
        options = {"ftol": 1e-15, "gtol": 1e-11, "maxiter": 200}
        found = minimize(descent, places, jac=True, method="L-BFGS-B", bounds=limits, options=options)
        return np.asarray(found.x, dtype=float)

    def bound(self, prices: Vector, head: float, target: float) -> tuple[float, Vector | None]:
        """Return a utility that no structure exceeds, at given prices, and the structure behind it."""
        economy, ground = self.problem.economy, self.problem.ground
        least = self.need * economy.setup_price(prices) - head
        target = max(target, 1e-3)
        if least <= 0:
            return np.inf, None

        def values_at(travel: Vector) -> Vector:
            return site_values(economy, prices, target, travel, head)

        best, places = np.inf, None
        for _ in range(ROUNDS):
            ways = ground.travel(self.places)
            table = values_at(ways)
            if not np.isfinite(table).all():
                return np.inf, None
            scale = max(float(table.max()), 1e-300)
            floor, opened = _relaxed(table / scale, self.number)
            floor = floor * scale
            places = self.places[np.sort(np.argsort(-opened)[: self.number])].ravel()
            if len(places) < self.number * ground.width:
                rest = self.number - len(places) // ground.width
                places = np.concatenate([places, np.tile(places[: ground.width], rest)])
            inside = float(np.maximum(table - floor, 0.0).sum(axis=1).max())
            most, place = _best_place(ground, values_at, floor, inside)
            value = float(floor.sum()) + self.number * most
            best = min(best, target * max(value / least, 1.0) ** economy.preferences.elasticity)
            self.beyond = value <= least and most <= self.step * economy.setup_price(prices)
            if most <= inside + CLOSED * value / self.number or place is None or self.late:
                break
            self.places = np.vstack([self.places, place])
        return best * (1 + 1e-12), places

    def better_prices(self, bound: float) -> bool:
        """Take the prices at which the most that a structure of the pool allows is least."""
        economy = self.problem.economy
        goods, tastes = len(economy.shares), economy.preferences
        pool = np.unique(np.round(self.pool, 12), axis=0)

        def allowed(x: Vector) -> float:
            prices = np.exp(np.concatenate([[0.0], np.clip(x[: goods - 1], -20, 20)]))
            head, wages = float(x[-1]), prices[economy.makes]
            least = self.need * economy.setup_price(prices) - head
            if least <= 0:
                return 1e3
            margins = wages * (economy.time - pool) - head
            utilities = [
                tastes.utility_for_land_value(prices, wages, own, economy.plots, least) for own in margins
            ]
            return float(np.log(max(*utilities, 1e-300)))

        first = np.append(np.log(self.prices[1:]), self.head)
        simplex = np.vstack([first, *(first + 0.03 * row for row in np.eye(goods))])
        options = {"initial_simplex": simplex, "xatol": 1e-10, "fatol": 1e-13, "maxfev": 200 * goods}
        found = minimize(allowed, first, method="Nelder-Mead", options=options)
        if np.exp(found.fun) >= bound * (1 - CLOSED):
            return False
        self.prices = np.exp(np.concatenate([[0.0], np.clip(found.x[: goods - 1], -20, 20)]))
        self.head = float(found.x[-1])
        return True


def _relaxed(values: Vector, number: int) -> tuple[Vector, Vector]:
    """Return the multipliers v_j of the relaxed k-median and how far each place is opened."""
    with collector_paused():
        program = pyo.ConcreteModel(name="median")
        add_median_choice(program, values, number)
        linear = LinearProgram(program)
    answer = linear.solve()
    sign = 1.0 if objective_of(program).sense == pyo.maximize else -1.0
    row = {id(each): k for k, each in enumerate(linear.rows)}
    floor = np.array([sign * answer.multipliers[row[id(program.use_balance[j])]] for j in program.sites])
    column = linear.columns([program.opened[c] for c in program.locations])
    return floor, answer.values[column]


def _best_place(
    ground: Ground, values_at: SiteValues, floor: Vector, known: float
) -> tuple[float, Vector | None]:
    """Return an upper bound of Σ_j (φ_j − v_j)^+ over all places, and the best place if beyond `known`.

    In the plane by branch and bound, all open boxes of a size at once.
    """
    if ground.candidates_suffice:
        return known, None
    best, place = known, None
    boxes = np.stack(ground.pieces)
    for _ in range(200):
        middles = boxes.mean(axis=-1)
        ways = ground.travel(middles)
        values = np.maximum(values_at(ways) - floor, 0.0).sum(axis=-1)
        if values.max() > best:
            best, place = float(values.max()), middles[int(values.argmax())]
        bounds = np.maximum(ground.corner_values(boxes, values_at) - floor, 0.0).sum(axis=-1).max(axis=-1)
        open_ones = bounds > best + CLOSED * max(best, float(floor.sum()) * 1e-2, 1e-300)
        if not open_ones.any():
            break
        if len(boxes) > 20000:
            return float(bounds.max()), place
        boxes = boxes[open_ones]
        side = (boxes[:, :, 1] - boxes[:, :, 0]).argmax(axis=1)
        rows, cut = np.arange(len(boxes)), boxes.mean(axis=-1)
        left, right = boxes.copy(), boxes.copy()
        left[rows, side, 1] = right[rows, side, 0] = cut[rows, side]
        boxes = np.concatenate([left, right])
    else:
        return float(bounds.max()), place
    return best + CLOSED * max(best, float(floor.sum()) * 1e-2, 1e-300), place
