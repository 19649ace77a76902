r"""Many sites in the plane or on a network: a bound on every structure with k marketplaces, and a climb.

At given prices p and price of a head μ the best structure is a k-median: each site j adds
φ_j(δ_j) to the value of the marketplace it uses. For any numbers v_j

.. math:: \max_d \sum_j \phi_j(\delta_j(d)) \;\le\;
          \sum_j v_j + k \max_{x} \sum_j \bigl(\phi_j(\mathrm{time}(j, x)) - v_j\bigr)^+

and the right side asks for a single best location x only: one of the cells on a network, and in the plane a
maximum that boxes bound. The v_j are multipliers of the linear relaxation over a few locations, to which the
best x is added until it is among them. If the value of a single location does not exceed its set-up cost,
the bound for k holds for all larger numbers too. The bound holds at any (p, μ); these are taken from the best
structure found, and where that leaves a gap, from the structures met so far: where the most that any of
them allows is least.
"""

from __future__ import annotations

import time

import numpy as np
import pyomo.environ as pyo
from scipy.optimize import minimize

from agora.formulations.marketplaces.grounds import Ground, SiteValues, nearest
from agora.formulations.marketplaces.market_equilibrium import (
    MarketEquilibrium,
    add_median_choice,
    site_values,
)
from agora.methods.marketplaces.branch_and_bound import StructureProblem, StructureResult, prices_and_head
from agora.methods.method import collector_paused
from agora.solvers import LinearProgram
from agora.solvers.classify import objective_of
from agora.typing import Vector

CLOSED = 1e-10
"""Relative gap at which a bound counts as closed."""
ROUNDS = 25
"""Rounds of adding locations, and of changing prices, at most."""


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
    search = _Median(problem, number, deadline, before)
    bound = np.inf
    for _ in range(ROUNDS):
        if search.late and np.isfinite(bound):
            break
        value, locations = search.bound(search.prices, search.head, max(enough, search.utility))
        bound = min(bound, value)
        if locations is not None:
            search.climb(locations)
        if bound <= max(enough, search.utility * (1 + CLOSED)):
            break
        if not search.better_prices(bound):
            break
    beyond = search.beyond and search.utility <= enough and bound <= enough * (1 + CLOSED)
    bound = max(bound, search.utility)
    return StructureResult(number, search.locations, search.utility, bound, 0, search.equilibrium, beyond)


class _Median:
    """The search for the best structure with a given number of marketplaces.

    The search starts from the structure `before` and the location that adds most to it, or from nothing.
    """

    def __init__(
        self, problem: StructureProblem, number: int, deadline: float, before: StructureResult | None
    ) -> None:
        self.problem, self.number, self.deadline = problem, number, deadline
        ground = problem.ground
        self.candidates = ground.candidates
        self.need, more = (float(problem.need(np.tile(self.candidates[0], k))) for k in (number, number + 1))
        self.step = more - self.need
        self.pool: list[Vector] = []
        self.beyond = False
        self.utility, self.locations = -1.0, np.tile(self.candidates[0], self.number)
        known = before.locations if before is not None else np.zeros(0)
        start = before.equilibrium if before is not None and before.utility > 0 else None
        missing = self.number - len(known) // ground.width
        trials = [np.concatenate([known, np.tile(location, missing)]) for location in self.candidates]
        best = max(trials, key=lambda trial: problem.solve(trial, start).utility)
        self.equilibrium = problem.solve(self.locations)
        self.climb(best)
        state = self.equilibrium
        self.prices, self.head = state.prices, state.fee - state.rent_income

    @property
    def late(self) -> bool:
        """Whether time is up."""
        return time.monotonic() > self.deadline

    def consider(self, locations: Vector) -> MarketEquilibrium:
        """Solve the market of a structure, remember it, and keep it if it is the best so far."""
        state = self.problem.solve(locations, self.equilibrium if self.utility > 0 else None)
        if state.utility > self.utility:
            self.utility, self.locations, self.equilibrium = state.utility, locations, state
        return state

    def climb(self, locations: Vector) -> None:
        """Move marketplaces one by one to better candidates near them, and then freely."""
        ground = self.problem.ground
        width = ground.width
        state = self.consider(locations)
        points = locations.reshape(-1, width).copy()
        self.pool.append(self.problem.travel(locations))
        ways = ground.travel(self.candidates)
        moved = state.utility > 0
        while moved and not self.late:
            moved = False
            for k in range(len(points)):
                near = np.argsort(np.abs(ways - ground.travel(points[k])).max(axis=1))[:6]
                for c in near.tolist():
                    trial = points.copy()
                    trial[k] = self.candidates[c]
                    reached = self.problem.solve(trial.ravel(), state)
                    if reached.utility > state.utility * (1 + 1e-12):
                        points, state, moved = trial, reached, True
        self.consider(points.ravel())
        self.pool.append(self.problem.travel(points.ravel()))
        if not ground.candidates_suffice and state.utility > 0:
            self.consider(self.polished(points.ravel(), state))

    def polished(self, locations: Vector, state: MarketEquilibrium) -> Vector:
        """Return the locations of a local maximum in the plane: −∂ log u/∂δ_j = w_j m_j / Σ Y m."""
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
        end = minimize(descent, locations, jac=True, method="L-BFGS-B", bounds=limits, options=options)
        return np.asarray(end.x, dtype=float)

    def bound(self, prices: Vector, head: float, target: float) -> tuple[float, Vector | None]:
        """Return a utility that no structure exceeds, at given prices, and the structure behind it."""
        economy, ground = self.problem.economy, self.problem.ground
        least = self.need * economy.setup_price(prices) - head
        target = max(target, 1e-3)
        if least <= 0:
            return np.inf, None

        def values_at(travel: Vector) -> Vector:
            return site_values(economy, prices, target, travel, head)

        best, locations = np.inf, None
        for _ in range(ROUNDS):
            ways = ground.travel(self.candidates)
            table = values_at(ways)
            if not np.isfinite(table).all():
                return np.inf, None
            scale = max(float(table.max()), 1e-300)
            floor, opened = _relaxed(table / scale, self.number)
            floor = floor * scale
            locations = self.candidates[np.sort(np.argsort(-opened)[: self.number])].ravel()
            if len(locations) < self.number * ground.width:
                rest = self.number - len(locations) // ground.width
                locations = np.concatenate([locations, np.tile(locations[: ground.width], rest)])
            inside = float(np.maximum(table - floor, 0.0).sum(axis=1).max())
            most, location = _best_location(ground, values_at, floor, inside)
            value = float(floor.sum()) + self.number * most
            best = min(best, target * max(value / least, 1.0) ** economy.preferences.elasticity)
            self.beyond = value <= least and most <= self.step * economy.setup_price(prices)
            if most <= inside + CLOSED * value / self.number or location is None or self.late:
                break
            self.candidates = np.vstack([self.candidates, location])
        return best * (1 + 1e-12), locations

    def better_prices(self, bound: float) -> bool:
        """Take the prices at which the most that the pool allows is least, and tell whether that is less."""
        economy = self.problem.economy
        tastes = economy.preferences
        pool = np.unique(np.round(self.pool, 12), axis=0)

        def allowed(x: Vector) -> float:
            prices, head = prices_and_head(x)
            wages = prices[economy.makes]
            least = self.need * economy.setup_price(prices) - head
            if least <= 0:
                return 1e3
            margins = wages * (economy.time - pool) - head
            utilities = [
                tastes.utility_for_land_value(prices, wages, own, economy.plots, least) for own in margins
            ]
            return float(np.log(max(*utilities, 1e-300)))

        first = np.append(np.log(self.prices[1:]), self.head)
        simplex = np.vstack([first, first + 0.03 * np.eye(len(first))])
        options = {"initial_simplex": simplex, "xatol": 1e-10, "fatol": 1e-13, "maxfev": 200 * len(first)}
        least = minimize(allowed, first, method="Nelder-Mead", options=options)
        if np.exp(least.fun) >= bound * (1 - CLOSED):
            return False
        self.prices, self.head = prices_and_head(least.x)
        return True


def _relaxed(values: Vector, number: int) -> tuple[Vector, Vector]:
    """Return the multipliers v_j of the relaxed k-median and how far each location is opened."""
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


def _best_location(
    ground: Ground, values_at: SiteValues, floor: Vector, known: float
) -> tuple[float, Vector | None]:
    """Return an upper bound of Σ_j (φ_j − v_j)^+ over all locations, and the best one if beyond `known`.

    In the plane by branch and bound, all open boxes of a size at once.
    """
    if ground.candidates_suffice:
        return known, None
    best, location = known, None
    boxes = np.stack(ground.pieces)
    for _ in range(200):
        middles = boxes.mean(axis=-1)
        ways = ground.travel(middles)
        values = np.maximum(values_at(ways) - floor, 0.0).sum(axis=-1)
        if values.max() > best:
            best, location = float(values.max()), middles[int(values.argmax())]
        bounds = np.maximum(ground.corner_values(boxes, values_at) - floor, 0.0).sum(axis=-1).max(axis=-1)
        open_ones = bounds > best + CLOSED * max(best, float(floor.sum()) * 1e-2, 1e-300)
        if not open_ones.any():
            break
        if len(boxes) > 20000:
            return float(bounds.max()), location
        boxes = boxes[open_ones]
        side = (boxes[:, :, 1] - boxes[:, :, 0]).argmax(axis=1)
        rows, cut = np.arange(len(boxes)), boxes.mean(axis=-1)
        left, right = boxes.copy(), boxes.copy()
        left[rows, side, 1] = right[rows, side, 0] = cut[rows, side]
        boxes = np.concatenate([left, right])
    else:
        return float(bounds.max()), location
    return best + CLOSED * max(best, float(floor.sum()) * 1e-2, 1e-300), location
