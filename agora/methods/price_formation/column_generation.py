r"""Mixed replies by column generation: the price at which best replies, some mixed, clear the market.

The columns are trajectories of agents, one in each well that matters, and the master program bends them:
it is the dual problem of the price, whose derivative is what agents buy less what is supplied. Where an
agent is indifferent the dual has a kink; it is smoothed by a soft minimum over the agent's columns, whose
weights are the shares of a mixed reply, the smoothing is driven down, and at last prices and shares are
solved for together. New columns are best replies by dynamic programming.

Trajectories are relative to supply, y = x − ∫Q, so that clearing reads: the mean of y stays where it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, lapack

from agora.methods.method import Progress, silent
from agora.methods.price_formation.closed_forms import Equilibrium
from agora.models.price_formation.price_formation import PriceFormation
from agora.numerics import descended
from agora.typing import Vector

SCHEDULES = (
    (1e-2, 1e-3, 1e-5),
    (1e-3, 1e-4, 1e-5, 1e-6),
    (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6),
)
COLDER = (1e-6, 1e-7, 1e-8, 1e-9, 1e-10)
"""Temperatures of the soft minimum, in the numéraire, those of a schedule and then colder ones: mixed replies
of one agent differ in cost by a few of the last. A later schedule is for games that no earlier one solves."""
MOST_GENERATIONS = 12
CLEARED = 1e-11
"""Largest mean of y − x̄ that counts as cleared."""


@dataclass(frozen=True)
class Columns:
    """Trajectories: the agent of each, its states relative to supply (columns, N + 1), and its cost."""

    agents: NDArray[np.int64]
    states: Vector
    costs: Vector

    def take(self, which: NDArray[Any]) -> Columns:
        """Return some of the columns."""
        return Columns(self.agents[which], self.states[which], self.costs[which])

    def least(self, number: int) -> Vector:
        """Return the lowest cost of each of so many agents (agents,); infinite for one without columns."""
        costs = np.full(number, np.inf)
        np.minimum.at(costs, self.agents, self.costs)
        return costs


class TradingGame:
    """A market with one asset and known supply, in states relative to supply."""

    def __init__(self, model: PriceFormation) -> None:
        self.model = model
        self.number, self.step = model.steps, model.step
        self.stiffness = model.control_cost / model.step
        self.supply = model.supply.values[:, 0]
        self.supplied = np.concatenate([[0.0], self.step * np.cumsum(self.supply)])
        self.starts, self.masses = model.starts[:, 0], model.masses
        self.mean = float(self.masses @ self.starts)

    def prices(self, multipliers: Vector) -> Vector:
        """Return ω (N,) for multipliers λ_1 … λ_N of the mean of y."""
        smooth = np.cumsum(multipliers[::-1])[::-1]
        return smooth - self.model.control_cost * self.supply

    def multipliers(self, prices: Vector) -> Vector:
        """Return λ (N,) for prices ω."""
        smooth = prices + self.model.control_cost * self.supply
        return np.asarray(smooth - np.append(smooth[1:], 0.0))

    def cost(self, states: Vector, multipliers: Vector) -> Vector:
        """Return what trajectories cost at a price, less constants common to all of an agent's."""
        held = self.states(states)
        return np.asarray(
            self.stiffness / 2 * (np.diff(states, axis=1) ** 2).sum(axis=1)
            + self.step * self.model.running.value(held[:, :-1]).sum(axis=1)
            + self.model.terminal.value(held[:, -1])
            + (states[:, 1:] - states[:, :1]) @ multipliers
        )

    def states(self, relative: Vector) -> Vector:
        """Return x for y."""
        return np.asarray(relative + self.supplied)

    def gradient(self, states: Vector, multipliers: Vector) -> Vector:
        """Return the derivative of the cost by y_1 … y_N."""
        moves = self.stiffness * np.diff(states, axis=1)
        held = self.states(states)
        result: Vector = moves + multipliers
        result[:, :-1] += self.step * self.model.running.slope(held[:, 1:-1]) - moves[:, 1:]
        result[:, -1] += self.model.terminal.slope(held[:, -1])
        return result

    def diagonal(self, states: Vector) -> Vector:
        """Return the Hessian's diagonal; beside it stands −c₀/h."""
        held = self.states(states)
        inner = 2 * self.stiffness + self.step * self.model.running.curvature(held[:, 1:-1])
        last = self.stiffness + self.model.terminal.curvature(held[:, -1:])
        return np.concatenate([inner, last], axis=1)

    # --- columns -------------------------------------------------------------------------------

    def generate(self, multipliers: Vector, known: Columns | None = None) -> Columns:
        """Return the columns known so far and every agent's best reply at a price, each bent to a minimum.

        Best replies are found by dynamic programming on a grid of states and refined by Newton's method; an
        agent also tries its neighbours' replies, so that one between two wells has a column in each.
        """
        best = self._programmed(multipliers)
        order = np.argsort(self.starts, kind="stable")
        fading = 1.0 - np.arange(self.number + 1) / self.number
        tries, owners = [best], [np.arange(len(self.starts))]
        if known is not None:
            tries, owners = [known.states, *tries], [known.agents, *owners]
        for mine, other in ((order[:-1], order[1:]), (order[1:], order[:-1])):
            shift = (self.starts[mine] - self.starts[other])[:, None]
            tries.append(best[other] + shift * fading)
            owners.append(mine)
        return self._distinct(np.concatenate(owners), np.concatenate(tries), multipliers)

    def _programmed(self, multipliers: Vector) -> Vector:
        """Return every agent's cheapest trajectory (agents, N + 1) on a grid of states and a few times."""
        model, number = self.model, self.number
        marks = np.unique(np.round(np.linspace(0, number, min(number, 50) + 1)).astype(int))
        low, high = self._range(multipliers)
        grid = np.linspace(low, high, 401)
        inner = np.append(multipliers[:-1], 0.0)
        tilt = np.add.reduceat(np.append(0.0, inner), marks[:-1])  # of the states from each mark on
        value = model.terminal.value(grid + self.supplied[-1]) + multipliers[-1] * grid
        choices = []
        for j in range(len(marks) - 2, -1, -1):
            first, last = int(marks[j]), int(marks[j + 1])
            span = (last - first) * self.step
            here = grid if first else self.starts
            middle = float(self.supplied[first:last].mean())
            held = span * model.running.value(here + middle) + tilt[j] * here
            table = self.stiffness / (2 * (last - first)) * (grid[None, :] - here[:, None]) ** 2
            table += value[None, :]
            choices.append(table.argmin(axis=1))
            value = table.min(axis=1) + held
        knots, at = [self.starts], choices[-1]
        knots.append(grid[at])
        for choice in choices[-2::-1]:
            at = choice[at]
            knots.append(grid[at])
        times, rows = np.arange(number + 1), np.stack(knots, axis=1)
        return np.stack([np.interp(times, marks, row) for row in rows])

    def _range(self, multipliers: Vector) -> tuple[float, float]:
        """Return an interval that holds the agents and where supply and price lead them."""
        moves = np.concatenate([[0.0], self.supplied])
        room = 0.5 + float(np.ptp(moves)) + 0.5 * float(np.ptp(self.starts))
        return float(self.starts.min()) - room, float(self.starts.max()) + room

    def _distinct(self, agents: NDArray[np.int64], states: Vector, multipliers: Vector) -> Columns:
        states, sound = self.local_minima(states, multipliers)
        costs = self.cost(states, multipliers)
        order = np.lexsort((costs, agents))
        order = order[sound[order]]
        distinct: dict[int, list[int]] = {}
        for k in order.tolist():
            own = distinct.setdefault(int(agents[k]), [])
            if all(np.abs(states[j] - states[k]).max() > 1e-6 for j in own):
                own.append(k)
        kept = [k for own in distinct.values() for k in own]
        return Columns(agents[kept], states[kept], costs[kept])

    def local_minima(
        self, states: Vector, multipliers: Vector, rounds: int = 60
    ) -> tuple[Vector, NDArray[np.bool_]]:
        """Return local minima near trajectories, and which of them are minima, by Newton's method."""
        states = states.copy()
        beside = np.full((len(states), self.number), -self.stiffness)
        beside[:, -1] = 0.0
        size = np.full(len(states), np.inf)
        moving = np.arange(len(states))
        for _ in range(rounds):
            current = states[moving]
            gradient = self.gradient(current, multipliers)
            diagonal = self.diagonal(current)
            *_, step, info = lapack.dptsv(
                diagonal.ravel(), beside[: len(moving)].ravel()[:-1], -gradient.ravel()
            )
            if info:
                bent = np.maximum(diagonal, 2 * self.stiffness)
                bent[:, -1] = np.maximum(diagonal[:, -1], self.stiffness)
                *_, step, info = lapack.dptsv(
                    bent.ravel(), beside[: len(moving)].ravel()[:-1], -gradient.ravel()
                )
            step = step.reshape(gradient.shape)
            size[moving] = np.abs(step).max(axis=1)
            open_ = size[moving] > 1e-13
            if not open_.any():
                break
            moving, current, step, gradient = moving[open_], current[open_], step[open_], gradient[open_]
            states[moving] = descended(
                lambda paths: self.cost(paths, multipliers), current, np.pad(step, ((0, 0), (1, 0))),
                (gradient * step).sum(axis=1), 1e-13,
            )  # fmt: skip
        *_, info = lapack.dpttrf(self.diagonal(states).ravel(), beside.ravel()[:-1])
        sound = size < 1e-9
        if info:
            for k in range(len(states)):
                *_, fault = lapack.dpttrf(self.diagonal(states[k : k + 1]).ravel(), beside[0, :-1])
                sound[k] &= not fault
        return states, sound

    # --- the dual ------------------------------------------------------------------------------

    def shares(self, columns: Columns, temperature: float) -> tuple[Vector, float]:
        """Return the mass of every column in the soft minimum, and the smoothed dual value."""
        agents, least = columns.agents, columns.least(len(self.masses))
        weight = np.exp(-(columns.costs - least[agents]) / temperature)
        total = np.bincount(agents, weight, len(self.masses))
        value = float(self.masses @ (least - temperature * np.log(total)))
        return self.masses[agents] * weight / total[agents], value

    def excess(self, columns: Columns, shares: Vector) -> Vector:
        """Return the mean of y − x̄ at 1 … N: what has been bought beyond supply."""
        return shares @ columns.states[:, 1:] - self.mean

    def curvature(self, columns: Columns, shares: Vector, temperature: float) -> Vector:
        """Return minus the Hessian of the smoothed dual (N, N)."""
        inverse = self.inverses(columns, shares)
        mean = np.zeros((len(self.masses), self.number))
        np.add.at(mean, columns.agents, shares[:, None] * columns.states[:, 1:])
        mean /= self.masses[:, None]
        mixing = np.bincount(columns.agents[shares > 1e-14], minlength=len(self.masses)) > 1
        used = mixing[columns.agents] & (shares > 1e-14)
        spread = columns.states[used, 1:] - mean[columns.agents[used]]
        inverse += (spread * (shares[used] / temperature)[:, None]).T @ spread
        return inverse

    def inverses(self, columns: Columns, shares: Vector) -> Vector:
        """Return the sum of the inverse Hessians of all columns, each a product of two solutions."""
        used = shares > 1e-14
        diagonal = self.diagonal(columns.states[used]).T  # (N, columns)
        k, number = self.stiffness, self.number
        pivot, definite = np.full(diagonal.shape[1], np.inf), np.ones(diagonal.shape[1], dtype=bool)
        for row in diagonal:
            pivot = row - k * k / pivot
            definite &= pivot > 0
        floor = np.full((number, 1), 2 * k)
        floor[-1] = k
        diagonal = np.where(definite, diagonal, np.maximum(diagonal, floor))
        left, right = np.empty_like(diagonal), np.empty_like(diagonal)
        left[0], right[-1] = 1.0, 1.0
        for i in range(1, number):
            left[i] = (diagonal[i - 1] * left[i - 1] - (k * left[i - 2] if i > 1 else 0.0)) / k
        for i in range(number - 2, -1, -1):
            right[i] = (diagonal[i + 1] * right[i + 1] - (k * right[i + 2] if i < number - 2 else 0.0)) / k
        constant = diagonal[0] * right[0] - (k * right[1] if number > 1 else 0.0)
        upper = (left * (shares[used] / constant)) @ right.T
        return np.asarray(np.triu(upper) + np.triu(upper, 1).T)

    def follow(self, columns: Columns, multipliers: Vector) -> Columns:
        """Return the same columns bent to another price, less those whose well is gone."""
        states, sound = self.local_minima(columns.states, multipliers, rounds=40)
        keep = sound | ~np.isin(columns.agents, columns.agents[sound])
        return Columns(columns.agents[keep], states[keep], self.cost(states[keep], multipliers))


@dataclass(frozen=True)
class Balance:
    """Prices and the mixed replies that clear the market at them."""

    equilibrium: Equilibrium
    generations: int
    rounds: int
    """How often columns were generated, and steps of Newton's method."""
    residual: float
    """Largest mean of x − ∫Q − x̄."""


class _Master:
    """The master program: columns, their price, and their shares."""

    def __init__(self, game: TradingGame, prices: Vector, progress: Progress) -> None:
        self.game, self.progress = game, progress
        self.multipliers = game.multipliers(prices)
        self.columns = game.generate(self.multipliers)
        self.generations, self.rounds = 1, 0
        self.temperature = SCHEDULES[0][0]
        self.shares, _ = game.shares(self.columns, self.temperature)

    def solve_smoothed(self, temperature: float) -> None:
        """Solve the smoothed dual for the columns at hand, by Newton's method with backtracking."""
        game, self.temperature = self.game, temperature
        for _ in range(12):
            self.shares, value = game.shares(self.columns, temperature)
            excess = game.excess(self.columns, self.shares)
            residual = float(np.abs(excess).max())
            self.progress(f"mixed replies: temperature {temperature:g}, clearing within {residual:.1e}")
            if residual < 1e-9:
                return
            direction = _solved(game.curvature(self.columns, self.shares, temperature), excess)
            gain = float(excess @ direction)
            self.rounds += 1
            for length in 0.5 ** np.arange(10):
                trial = self.multipliers + length * direction
                after = game.follow(self.columns, trial)
                if game.shares(after, temperature)[1] >= value + 1e-4 * length * gain - 1e-13:
                    self.multipliers, self.columns = trial, after
                    self.shares, _ = game.shares(after, temperature)
                    break
            else:
                return

    def refresh(self) -> bool:
        """Generate columns at the price at hand; return whether an agent gains by a new one."""
        game, before = self.game, self.columns.least(len(self.game.masses))
        self.columns = game.generate(self.multipliers, self.columns)
        self.shares, _ = game.shares(self.columns, self.temperature)
        self.generations += 1
        return bool((self.columns.least(len(before)) < before - 1e-10).any())

    def exact(self) -> bool:
        """Solve for the price and the shares of mixed replies together; return whether all shares are ≥ 0.

        Whoever mixes is indifferent: an equation for the price with each share that is unknown.
        """
        game = self.game
        mixed = self.shares > 1e-7 * game.masses[self.columns.agents]
        columns, shares = self.columns.take(mixed), self.shares[mixed]
        total = np.bincount(columns.agents, shares, len(game.masses))
        shares = shares * (game.masses / total)[columns.agents]
        first = np.r_[True, np.diff(columns.agents) > 0]
        others = np.flatnonzero(~first)
        bases = np.flatnonzero(first)[np.searchsorted(columns.agents[first], columns.agents[others])]
        for _ in range(25):
            excess = game.excess(columns, shares)
            apart = columns.costs[others] - columns.costs[bases]
            self.progress(f"mixed replies: clearing within {np.abs(excess).max():.1e}")
            if np.abs(excess).max() < CLEARED and np.abs(apart).max(initial=0.0) < 1e-13:
                break
            spread = (columns.states[others] - columns.states[bases])[:, 1:].T
            hessian = game.inverses(columns, shares)
            both = _solved(hessian, np.column_stack([excess, spread]))
            # λ' = λ + H⁻¹(excess + spread δ), and costs of mixed replies meet: apart + spreadᵀ(λ' − λ) = 0
            try:
                shift = np.linalg.solve(spread.T @ both[:, 1:], -apart - spread.T @ both[:, 0])
            except np.linalg.LinAlgError:  # more replies at hand than prices can make indifferent
                return False
            self.multipliers = self.multipliers + both[:, 0] + both[:, 1:] @ shift
            shares = shares.copy()
            np.add.at(shares, others, shift)
            np.add.at(shares, bases, -shift)
            bent = game.follow(columns, self.multipliers)
            if len(bent.agents) < len(shares):
                return False
            columns = bent
            self.rounds += 1
        self.columns, self.shares = columns, shares
        return bool((shares >= -1e-12).all()) and float(np.abs(game.excess(columns, shares)).max()) < 1e-9

    def balance(self) -> Balance:
        game, keep = self.game, self.shares > 1e-13
        agents, states, shares = self.columns.agents[keep], self.columns.states[keep], self.shares[keep]
        shares = shares * (game.masses / np.bincount(agents, shares, len(game.masses)))[agents]
        residual = float(np.abs(shares @ states[:, 1:] - game.mean).max())
        prices, paths = game.prices(self.multipliers)[None], game.states(states)[:, None]
        return Balance(Equilibrium(prices, agents, paths, shares), self.generations, self.rounds, residual)


def balance(game: TradingGame, prices: Vector, progress: Progress = silent) -> Balance:
    """Return the equilibrium price and mixed replies, from a first guess of the price.

    The soft minimum's temperature falls; columns are generated anew until nobody gains by a new one; then
    prices and shares are solved for exactly. What is not an equilibrium after that is for the certificate
    to say.
    """
    tried = []
    for schedule in SCHEDULES:
        master = _Master(game, prices, progress)
        converged = _descend(master, schedule)
        tried.append(master.balance())
        if converged:
            break
    return tried[-1] if converged else min(tried, key=lambda each: each.residual)


def _descend(master: _Master, schedule: tuple[float, ...]) -> bool:
    """Lower the temperature, then solve exactly; return whether no agent gains by a new column."""
    for temperature in schedule:
        master.solve_smoothed(temperature)
        for _ in range(MOST_GENERATIONS):
            if not master.refresh():
                break
            master.solve_smoothed(temperature)
    for temperature in COLDER:
        before = master.columns, master.shares, master.multipliers
        if master.exact():
            exact = master.columns, master.shares, master.multipliers
            if not master.refresh():
                master.columns, master.shares, master.multipliers = exact
                return True
        else:
            master.columns, master.shares, master.multipliers = before
            master.refresh()
        master.solve_smoothed(temperature)
    return False


def _solved(matrix: Vector, right: Vector) -> Vector:
    """Solve a positive definite system."""
    matrix[np.diag_indices_from(matrix)] *= 1 + 1e-14
    return np.asarray(cho_solve(cho_factor(matrix), right))
