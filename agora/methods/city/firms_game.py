r"""The firms' game of a city: potential, best responses, and what kind of equilibrium a state is.

Everything rests on one linear program kept in the solver, max A·m − h over land and labour:

* with m held fixed it gives ȟ(m), the least commuting cost;
* m is an equilibrium iff it solves the program for A = A(m) (Osawa & Akamatsu 2019, Proposition 3);
* it is a strict local maximiser of g = f − ȟ if that solution is unique in m, and only if so where
  f is strictly convex: along an edge of other solutions g rises to second order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np
from scipy.optimize import minimize_scalar

from agora.formulations.city.commuting_numbers import closed_form_commuting_cost, lowest_wages
from agora.formulations.city.network_kernels import LARGEST_DENSE
from agora.formulations.city.spillovers import smallest_tangent_eigenvalue
from agora.methods.city.shared_programs import BestResponses, SupportingPrices
from agora.methods.method import Answer, AnyOptions, Method, Progress
from agora.models.city.fujita_ogawa import FujitaOgawa
from agora.models.city.tables import CityAllocation, Commuters, number_of_centres, offered_wages
from agora.solvers import LinearAnswer, SolverRecord
from agora.typing import Vector


@dataclass(frozen=True)
class State:
    """A distribution of firms with the commuting it induces."""

    firms: Vector
    total_commuting_cost: float
    answer: LinearAnswer


class FirmsGame:
    """The game of `city`, with its linear program and counters."""

    def __init__(self, city: FujitaOgawa) -> None:
        self.city = city
        shared = BestResponses.of(city)
        self.program, self.linear, self.columns = shared.program, shared.linear, shared.firms
        self.land = city.network.land
        self.scale = float(self.land.mean())

    # --- values --------------------------------------------------------------------------------

    @cached_property
    def _closed_form(self) -> object:
        return closed_form_commuting_cost(self.city.network) if self.city.no_excess_land else None

    def commuting_costs(self, firms: Vector) -> Vector:
        """Return ȟ (numéraire) for distributions of firms, shape (…, I)."""
        if callable(self._closed_form):
            imbalance = (1 + self.city.labor_per_firm) * firms - self.land
            return np.asarray(self.city.commuting_cost * self._closed_form(imbalance))
        rows = firms.reshape(-1, len(self.land))
        costs = np.array([self.lower_stage(row).total_commuting_cost for row in rows])
        return costs.reshape(firms.shape[:-1])

    def potential(self, state: State) -> float:
        """Return g(m) = f(m) − ȟ(m), in the numéraire."""
        return self.city.interaction.potential(state.firms) - state.total_commuting_cost

    def lower_stage(self, firms: Vector) -> State:
        """Return the households' least commuting cost given the firms: the lower stage (S)."""
        self.linear.set_costs(self.columns, np.zeros(len(firms)))
        self.linear.set_bounds(self.columns, firms, firms)
        try:
            answer = self._solve()
        finally:
            self.linear.set_bounds(self.columns, np.zeros(len(firms)), np.full(len(firms), np.inf))
        return State(firms, -answer.objective, answer)

    def state(self, firms: Vector) -> State:
        """Return the state of a distribution of firms that is feasible up to rounding."""
        return self.lower_stage(self.feasible(firms))

    def feasible(self, firms: Vector) -> Vector:
        """Return the firms with rounding removed: 0 ≤ m ≤ a and Σ m = M to the last digit that counts."""
        clipped: Vector = np.clip(firms, 0.0, self.land)
        missing = self.city.firm_mass - float(clipped.sum())
        room = self.land - clipped if missing > 0 else clipped
        return clipped + missing * room / float(room.sum())

    def respond(self, level: Vector) -> State:
        """Return the best response of all firms to given production levels (I,)."""
        self.linear.set_costs(self.columns, level)
        answer = self._solve()
        firms = np.maximum(answer.values[self.columns], 0.0)
        return State(firms, float(level @ firms) - answer.objective, answer)

    def _solve(self) -> LinearAnswer:
        """Solve the linear program; a large one for the first time by the interior point method."""
        return self.linear.solve(interior=not self.linear.solves and len(self.land) > LARGEST_DENSE)

    # --- climbing ------------------------------------------------------------------------------

    def climb(self, start: Vector, limit: int = 1000) -> State:
        """Climb from a distribution of firms to a local maximiser by repeated best responses.

        Where f is convex every step raises g by at least what the linear program promises, and the
        climb ends after finitely many. Where it is not, steps are shortened to the best point of
        the segment. A state with other best responses is left along them.
        """
        state, level = None, self.city.interaction.level(start)
        firms = start
        for _ in range(limit):
            step = self.respond(level)
            if state is not None:
                promise = step.answer.objective - (float(level @ firms) - state.total_commuting_cost)
                if promise <= 1e-12 * max(1.0, abs(step.answer.objective)):
                    other = self.other_response(step, level)
                    if other is None or not self._rises(state, other):
                        same = np.abs(step.firms - firms).max() <= 1e-9 * self.scale
                        return replace(state, answer=step.answer) if same else state
                    step = self.lower_stage(other)
                else:
                    step = self._best_on_segment(state, step, promise)
            state, firms = step, step.firms
            level = self.city.interaction.level(firms)
        return step

    def _rises(self, state: State, other: Vector) -> bool:
        """Tell whether g is higher at the other end of an edge along which it is flat at first."""
        interaction = self.city.interaction
        gain = interaction.potential(other) - interaction.potential(state.firms)
        slope = float(interaction.level(state.firms) @ (other - state.firms))
        return gain - slope > 1e-14

    def _best_on_segment(self, state: State, step: State, promise: float) -> State:
        f = self.city.interaction.potential
        cost = step.total_commuting_cost - state.total_commuting_cost
        move = step.firms - state.firms
        if f(step.firms) - f(state.firms) - cost >= promise * (1 - 1e-9):
            return step

        def loss(share: float) -> float:
            return share * cost - f(state.firms + share * move)

        share = float(minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-12}).x)
        return step if share > 1 - 1e-9 else self.lower_stage(state.firms + share * move)

    # --- what kind of state --------------------------------------------------------------------

    def other_response(self, state: State, level: Vector, seed: int = 0) -> Vector | None:
        """Return another best response to `level` than the state's firms, or None if there is none.

        The optimal face is searched along a random direction, up and down: it is a point iff its
        width is zero (with probability one).
        """
        self.linear.set_costs(self.columns, level)
        answer = self.linear.solve()
        direction = np.random.default_rng(seed).uniform(0.5, 1.5, size=len(level))
        farthest, distance = None, 1e-7 * self.scale
        with self.linear.optimal_face(answer):
            for sign in (1.0, -1.0):
                self.linear.set_costs(self.columns, sign * direction)
                other = np.maximum(self.linear.solve().values[self.columns], 0.0)
                gap = float(np.abs(other - state.firms).max())
                if gap > distance:
                    farthest, distance = other, gap
        return farthest

    def gap(self, state: State) -> float:
        """Return how far the state is from a best response to itself (numéraire); 0 in equilibrium."""
        level = self.city.interaction.level(state.firms)
        best = self.respond(level)
        return best.answer.objective - (float(level @ state.firms) - state.total_commuting_cost)

    def kind(self, state: State, tolerance: float = 1e-9) -> str:
        """Name the state: local maximiser, saddle, minimiser, equilibrium of undecided kind, or none.

        By the one-sided derivatives g'(m; z) = A(m)·z − ȟ'(m; z), which exist at kinks too: all
        negative at a strict local maximiser; at a minimiser none is, so that moving any firm
        anywhere leaves g flat to first order.
        """
        if self.gap(state) > tolerance * max(1.0, abs(self.potential(state))):
            return "no equilibrium"
        level = self.city.interaction.level(state.firms)
        other = self.other_response(state, level)
        if other is None:
            return "local maximiser"
        if not self._rises(state, other):
            return "equilibrium of undecided kind"
        return "minimiser" if self._flat_everywhere(state, level) else "saddle"

    def _flat_everywhere(self, state: State, level: Vector) -> bool:
        """Tell whether no move of a few firms from one cell to another lowers g to first order."""
        step = 1e-4 * self.scale
        donors = np.flatnonzero(state.firms > step)
        receivers = np.flatnonzero(state.firms < self.land - step)
        for i, j in product(donors, receivers):
            if i != j:
                moved = state.firms.copy()
                moved[[i, j]] += -step, step
                rise = float(self.commuting_costs(moved)) - state.total_commuting_cost
                if (level[j] - level[i]) - rise / step < -1e-7:
                    return False
        return True

    @cached_property
    def tangent_eigenvalue(self) -> float:
        """The least eigenvalue of ∇A at the even distribution, on {ε : Σ ε = 0}."""
        if self.city.interaction.product is not None:
            raise ValueError("the kernel of a large city is not held: see `definiteness`")
        even = self.city.firm_mass * self.land / self.land.sum()
        return smallest_tangent_eigenvalue(self.city.interaction.jacobian(even))

    @cached_property
    def definiteness(self) -> tuple[float | None, str]:
        """The least tangent eigenvalue of ∇A or a bound below it (None: not known), and which it is."""
        product = self.city.interaction.product
        if product is not None:
            return product.least_eigenvalue()
        return self.tangent_eigenvalue, "least eigenvalue on the tangent space"

    # --- prices --------------------------------------------------------------------------------

    def allocation(self, state: State) -> tuple[CityAllocation, SolverRecord]:
        """Return the state with the prices that support it: highest profit, then lowest wages."""
        city, program, values = self.city, self.program, state.answer.values
        network = city.network
        residents = np.maximum(values[self.linear.columns(program.residents.values())], 0.0)
        flow = np.maximum(values[self.linear.columns(program.commuting_flow.values())], 0.0)
        arriving = np.bincount(network.heads, flow, network.number)
        leaving = np.bincount(network.tails, flow, network.number)
        employment = (residents + arriving - leaving).astype(float)
        none = np.zeros(0)
        quantities = CityAllocation(
            state.firms, residents, employment, Commuters(flow), none, none, 0.0, city.commuting_cost
        )
        profit, supporting, record = SupportingPrices.of(city).solve(city, quantities)
        level, phi, negligible = city.interaction.level(state.firms), city.labor_per_firm, 1e-9 * self.scale
        bid = (level - profit) / (1 + phi)
        floor = np.where(residents > negligible, np.clip(bid, 0.0, supporting), 0.0)
        ties = quantities.commuters.ties(network)
        wage = lowest_wages(network, city.commuting_cost, supporting, floor, ties)
        used = state.firms + residents > negligible
        rent = np.where(used, np.maximum(np.maximum(wage, level - phi * wage - profit), 0.0), 0.0)
        rent[self.land - state.firms - residents > negligible] = 0.0
        wage = offered_wages(network, city.commuting_cost, rent)
        return replace(quantities, wage=wage, rent=rent, profit=profit), record


def city_method(
    name: str,
    options: type[AnyOptions],
    solve: Callable[[FujitaOgawa, AnyOptions, Progress], Answer],
    solves: Collection[str] = (),
) -> Method[FujitaOgawa, AnyOptions]:
    """Return a method of the city, which counts the centres of its answer."""

    def run(model: FujitaOgawa, chosen: AnyOptions, progress: Progress) -> Answer:
        answer = solve(model, chosen, progress)
        residents, employment = answer.tables["cells"][["residents", "employment"]].to_numpy(dtype=float).T
        centres = number_of_centres(model.network, residents, employment)
        return replace(answer, facts={**answer.facts, "centres": centres})

    return Method(name, options, run, solves)
