r"""Best replies to a price, with proof: what an agent's cheapest reply costs, among *all* replies.

An agent faces ω and minimises Σ h (c₀/2 a² + l(x) + ω a) + g(x_N). Three cases, none of which shares
anything with the programs and methods that find prices:

* quadratic costs: the value function is quadratic, exactly, by backward recursion (any number of assets,
  random supply);
* one asset, any costs: once the state at one time is *pinned*, what is left is strictly convex, because a
  short trajectory cannot profit from two wells. The least pinned cost F(ξ) is computed by Newton's method;
  F + κξ²/2 is convex for a known κ, so tangents bound F from below between the ξ that were tried; branch
  and bound on ξ closes the gap;
* bounds on states or controls, convex costs: weak duality, in
  `agora.models.price_formation.conditions.bounded_replies`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from agora.data.price_formation.laws_and_supply import SupplyTree
from agora.data.price_formation.state_costs import StateCost
from agora.numerics import descended
from agora.typing import Vector

MOST_UNKNOWNS = 2_000_000
"""Unknowns of pinned problems that are solved at once."""
RECURSION = "quadratic value function, by backward recursion"


@dataclass(frozen=True)
class Cheapest:
    """What the best replies of some agents cost."""

    values: Vector
    """The least cost found, (agents,)."""
    bounds: Vector
    """A lower bound of the cost of every reply; equal to `values` where nothing is proved, (agents,)."""
    proof: str
    """Why the bounds hold; empty if they are not proved."""


# --- quadratic costs -----------------------------------------------------------------------------


def quadratic_values(
    starts: Vector,
    prices: Vector,
    supply: SupplyTree,
    step: float,
    control_cost: float,
    running: tuple[Vector, Vector],
    terminal: tuple[Vector, Vector],
) -> Cheapest:
    r"""Return the value function at the start, for costs ½ (x − y)ᵀ R (x − y).

    .. math:: V_v(x) = h\, l(x) + \min_a h \tfrac{c_0}{2} |a|^2 + h\, \omega_v a
              + \mathbb{E}[V(x + h a) \mid v]

    `starts` is (agents, assets), `prices` (assets, nodes); `running` and `terminal` are (R, y).
    """
    parents, depths = np.array(supply.parents), np.array(supply.depths)
    chance, assets = np.array(supply.probabilities), starts.shape[1]
    if assets == 1 and supply.known:
        numbers = [float(v.ravel()[0]) for v in (*running, *terminal)]
        return _scalar_values(starts[:, 0], prices[0], step, control_cost, numbers)
    (weight, target), (last, aim) = running, terminal
    nodes = len(parents)
    curvature = last.copy()
    ends = np.flatnonzero(depths == depths.max())
    slope = np.tile(-last @ aim, (nodes, 1))  # of the value after each node, averaged over what follows
    level = np.full(nodes, float(aim @ last @ aim) / 2)
    here = ends
    while True:
        inverse = np.linalg.inv(control_cost * np.eye(assets) + step * curvature)
        pressed = slope[here] + prices[:, here].T
        value_slope = slope[here] - step * pressed @ inverse @ curvature - step * weight @ target
        value_level = (
            level[here]
            - step / 2 * np.einsum("vi,ij,vj->v", pressed, inverse, pressed)
            + step * float(target @ weight @ target) / 2
        )
        curvature = step * weight + curvature - step * curvature @ inverse @ curvature
        if depths[here[0]] == 0:
            break
        above = parents[here]
        share = chance[here] / chance[above]
        before = np.unique(above)
        slope[before], level[before] = 0.0, 0.0
        np.add.at(slope, above, share[:, None] * value_slope)
        np.add.at(level, above, share * value_level)
        here = before
    values = (
        np.einsum("ni,ij,nj->n", starts, curvature, starts) / 2 + starts @ value_slope[0] + value_level[0]
    )
    return Cheapest(values, values, RECURSION)


def _scalar_values(
    starts: Vector, prices: Vector, step: float, control_cost: float, costs: list[float]
) -> Cheapest:
    """Return the same for one asset and known supply, in plain numbers."""
    weight, target, last, aim = costs
    curvature, slope, level = last, -last * aim, last * aim**2 / 2
    held = step * weight
    for price in prices[::-1].tolist():
        inverse, pressed = 1.0 / (control_cost + step * curvature), slope + price
        level += held * target**2 / 2 - step / 2 * pressed**2 * inverse
        slope -= step * pressed * inverse * curvature + held * target
        curvature += held - step * curvature**2 * inverse
    values = curvature / 2 * starts**2 + slope * starts + level
    return Cheapest(values, values, RECURSION)


# --- one asset, any costs ------------------------------------------------------------------------


class Agent:
    """The problem of an agent who trades one asset at known prices.

    Parameters
    ----------
    prices : array (N,)
        ω.
    step, control_cost : float
        h, c₀.
    running, terminal : StateCost
        l, g.
    """

    def __init__(
        self, prices: Vector, step: float, control_cost: float, running: StateCost, terminal: StateCost
    ) -> None:
        self.prices, self.step, self.control_cost = prices, step, control_cost
        self.running, self.terminal = running, terminal
        self.number = len(prices)
        self.stiffness = control_cost / step
        self._tilt = np.append(prices[:-1] - prices[1:], prices[-1])  # of x_1 … x_N

    def cost(self, states: Vector) -> Vector:
        """Return the cost of trajectories (…, N + 1)."""
        moves = np.diff(states, axis=-1)
        held = self.running.value(states[..., :-1]).sum(axis=-1)
        result: Vector = (
            self.stiffness / 2 * (moves**2).sum(axis=-1)
            + moves @ self.prices
            + self.step * held
            + self.terminal.value(states[..., -1])
        )
        return result

    def gradient(self, states: Vector) -> Vector:
        """Return the derivative of the cost by x_1 … x_N, (…, N)."""
        moves = self.stiffness * np.diff(states, axis=-1)
        result: Vector = moves + self._tilt
        result[..., :-1] -= moves[..., 1:]
        result[..., :-1] += self.step * self.running.slope(states[..., 1:-1])
        result[..., -1] += self.terminal.slope(states[..., -1])
        return result

    def diagonal(self, states: Vector) -> Vector:
        """Return the diagonal of the Hessian by x_1 … x_N; beside it stands −c₀/h."""
        inner = 2 * self.stiffness + self.step * self.running.curvature(states[..., 1:-1])
        last = self.stiffness + self.terminal.curvature(states[..., -1:])
        return np.concatenate([inner, last], axis=-1)

    # --- the pin -------------------------------------------------------------------------------

    def least_diagonal(self) -> Vector:
        """Return a lower bound of the Hessian's diagonal, wherever the trajectory is."""
        least = np.full(self.number, 2 * self.stiffness + self.step * self.running.least_curvature)
        least[-1] = self.stiffness + self.terminal.least_curvature
        return least

    def pin(self) -> tuple[int, float]:
        r"""Return the place i ≥ 1 to pin, and κ, such that F(ξ) + κξ²/2 is convex; κ < 0: no pin is needed.

        With the Hessian's diagonal at its least, what is left and right of the pin must be positive
        definite (its pivots are), and κ is minus the Schur complement of the pin. (0, ∞) if there is none.
        """
        diagonal, square = self.least_diagonal(), self.stiffness**2
        left, right = np.full(self.number + 1, np.nan), np.full(self.number + 1, np.nan)
        left[0], pivot = 0.0, np.inf
        for i, entry in enumerate(diagonal.tolist()):
            pivot = entry - square / pivot
            if not pivot > 0:
                break
            left[i + 1] = square / pivot  # what the part up to i takes from the pin at i + 1
        right[self.number], pivot = 0.0, np.inf
        for i in range(self.number - 1, 0, -1):
            pivot = float(diagonal[i]) - square / pivot
            if not pivot > 0:
                break
            right[i] = square / pivot
        schur = diagonal - left[:-1] - right[1:]
        if np.isnan(schur).all() or not np.isfinite(np.nanmax(schur)):
            return 0, np.inf
        best = int(np.nanargmax(schur))
        return best + 1, -float(schur[best])

    def solve(self, states: Vector, pin: int | None, rounds: int = 60) -> tuple[Vector, Vector]:
        """Return trajectories (B, N + 1) of least cost with the same start and pin, and the proof's slack.

        Newton's method with backtracking, all trajectories in one block-diagonal tridiagonal system. The
        slack is the last squared decrement, twice the distance to the least cost to second order.
        """
        each = max(1, MOST_UNKNOWNS // self.number)
        parts = [self._solve(states[k : k + each], pin, rounds) for k in range(0, len(states), each)]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def _solve(self, states: Vector, pin: int | None, rounds: int) -> tuple[Vector, Vector]:
        states = states.copy()
        slack = np.full(len(states), np.inf)
        moving = np.arange(len(states))
        for _ in range(rounds):
            current = states[moving]
            gradient = self.gradient(current)
            if pin is not None:
                gradient[:, pin - 1] = 0.0
            step = self._newton_step(current, gradient, pin)
            decrement = -(gradient * step).sum(axis=1)
            slack[moving] = np.abs(decrement)
            open_ = np.abs(decrement) > 1e-15 * (1 + np.abs(self.cost(current)))
            if not open_.any():
                break
            moving, current, step, decrement = moving[open_], current[open_], step[open_], decrement[open_]
            whole = np.pad(step, ((0, 0), (1, 0)))
            states[moving] = descended(self.cost, current, whole, -decrement, 1e-14)
        return states, slack

    def _newton_step(self, states: Vector, gradient: Vector, pin: int | None) -> Vector:
        diagonal = self.diagonal(states)
        beside = np.full(diagonal.shape, -self.stiffness)
        beside[:, -1] = 0.0
        if pin is not None:
            diagonal[:, pin - 1] = 1.0
            beside[:, pin - 1] = 0.0
            if pin >= 2:
                beside[:, pin - 2] = 0.0
        *_, step, info = lapack.dptsv(diagonal.ravel(), beside.ravel()[:-1], -gradient.ravel())
        if info:  # not convex there: bend the running cost up
            low = 2 * self.stiffness
            diagonal = np.maximum(diagonal, low)
            diagonal[:, -1] = np.maximum(self.diagonal(states)[:, -1], self.stiffness)
            if pin is not None:
                diagonal[:, pin - 1] = 1.0
            *_, step, info = lapack.dptsv(diagonal.ravel(), beside.ravel()[:-1], -gradient.ravel())
        result: Vector = step.reshape(gradient.shape)
        return result


def cheapest_replies(agent: Agent, starts: Vector, accuracy: float) -> Cheapest:
    """Return what the best reply of an agent from each of `starts` (n,) costs, proved within `accuracy`."""
    place, kappa = agent.pin()
    floor = agent.running.least_value, agent.terminal.least_value
    if place == 0 or not all(np.isfinite(floor)):
        return _programmed(agent, starts)
    if kappa < 0:
        states, slack = agent.solve(np.repeat(starts[:, None], agent.number + 1, axis=1), None)
        values = agent.cost(states)
        return Cheapest(values, values - slack, "an agent's problem is strictly convex")
    branching = _Branching(agent, starts, place, kappa, accuracy)
    values = branching.run()
    pinned = f"the state at time {place * agent.step:g}; pinned there the problem is convex"
    return Cheapest(values, values - accuracy, f"branch and bound on {pinned}")


class _Points(NamedTuple):
    """Pinned problems solved: agent, pinned state ξ, least cost F, slope F', trajectory."""

    agent: NDArray[np.int64]
    at: Vector
    cost: Vector
    slope: Vector
    states: Vector

    def take(self, which: NDArray[np.int64]) -> _Points:
        return _Points._make(column[which] for column in self)

    def join(self, other: _Points) -> _Points:
        return _Points._make(map(np.concatenate, zip(self, other, strict=True)))


class _Branching:
    """Branch and bound on the pinned state, all agents side by side."""

    FIRST_CELLS = 24

    def __init__(self, agent: Agent, starts: Vector, place: int, kappa: float, accuracy: float) -> None:
        self.agent, self.starts, self.place = agent, starts, place
        self.kappa, self.accuracy = kappa, accuracy
        self.best = np.full(len(starts), np.inf)

    def run(self) -> Vector:
        low, high = self._range()
        share = np.linspace(0.0, 1.0, self.FIRST_CELLS + 1)
        number, every = len(self.starts), len(share)
        at = (low[:, None] + (high - low)[:, None] * share).ravel()
        points = self._solve(np.repeat(np.arange(number), every), at, None)
        self._polish(points)
        inner = np.arange(number * every).reshape(number, every)
        left, right = points.take(inner[:, :-1].ravel()), points.take(inner[:, 1:].ravel())
        for _ in range(200):
            bound, crossing = self._bounds(left, right)
            open_ = np.flatnonzero(bound < self.best[left.agent] - self.accuracy)
            if not len(open_):
                return self.best
            left, right, crossing = left.take(open_), right.take(open_), crossing[open_]
            width = right.at - left.at
            crossing = np.clip(crossing, left.at + 0.1 * width, right.at - 0.1 * width)
            share = ((crossing - left.at) / width)[:, None]
            between = self._solve(left.agent, crossing, (1 - share) * left.states + share * right.states)
            left, right = left.join(between), between.join(right)
        raise ArithmeticError("branch and bound on the pinned state did not end")

    def _range(self) -> tuple[Vector, Vector]:
        """Return an interval of pinned states outside which every reply costs more than some reply."""
        agent, time = self.agent, self.place * self.agent.step
        still = np.repeat(self.starts[:, None], agent.number + 1, axis=1)
        known, _ = agent.solve(still, self.place)
        self.best = np.minimum(self.best, agent.cost(known))
        spent = agent.step * float((agent.prices**2).sum()) / (2 * agent.control_cost)
        horizon = agent.number * agent.step
        floor = horizon * agent.running.least_value + agent.terminal.least_value
        middle = self.starts - agent.step * float(agent.prices[: self.place].sum()) / agent.control_cost
        room = np.maximum(self.best + spent - floor, 0.0)
        reach = np.sqrt(2 * time * room / agent.control_cost) * (1 + 1e-9) + 1e-9
        return middle - reach, middle + reach

    def _solve(self, agents: NDArray[np.int64], at: Vector, start: Vector | None) -> _Points:
        place, number = self.place, self.agent.number
        if start is None:
            share = np.minimum(np.arange(number + 1) / place, 1.0)
            x = self.starts[agents][:, None]
            start = x + (at[:, None] - x) * share
        start[:, place] = at
        states, slack = self.agent.solve(start, place)
        cost = self.agent.cost(states) - slack  # a lower bound of F, and F up to rounding
        slope = self.agent.gradient(states)[:, place - 1]
        np.minimum.at(self.best, agents, cost + slack)
        return _Points(agents, at, cost, slope, states)

    def _polish(self, points: _Points) -> None:
        """Descend from the best pin of every agent, so that little is left to prove."""
        order = np.lexsort((points.cost, points.agent))
        first = order[np.r_[True, np.diff(points.agent[order]) > 0]]
        states, _ = self.agent.solve(points.states[first], None)
        np.minimum.at(self.best, points.agent[first], self.agent.cost(states))

    def _bounds(self, left: _Points, right: _Points) -> tuple[Vector, Vector]:
        """Return a lower bound of F on every cell, and where the two tangents of F + κξ²/2 cross."""
        kappa = self.kappa
        a, b = left.slope + kappa * left.at, right.slope + kappa * right.at
        p = left.cost + kappa / 2 * left.at**2 - a * left.at
        q = right.cost + kappa / 2 * right.at**2 - b * right.at
        with np.errstate(all="ignore"):
            crossing = (q - p) / (a - b)
        middle = (left.at + right.at) / 2
        crossing = np.where(np.isfinite(crossing), np.clip(crossing, left.at, right.at), middle)
        at_crossing = np.minimum(p + a * crossing, q + b * crossing) - kappa / 2 * crossing**2
        return np.minimum(np.minimum(left.cost, right.cost), at_crossing), crossing


def _programmed(agent: Agent, starts: Vector) -> Cheapest:
    """Return the cheapest replies found by dynamic programming on a grid and Newton's method; no proof."""
    chunks = min(agent.number, 40)
    marks = np.round(np.linspace(0, agent.number, chunks + 1)).astype(int)
    low, high = starts.min(), starts.max()
    room = max(high - low, 1.0)
    grid = np.linspace(low - room, high + room, 301)
    value = agent.terminal.value(grid)
    chosen = []
    for first, last in zip(marks[-2::-1], marks[:0:-1], strict=True):
        span = (last - first) * agent.step
        mean = agent.prices[first:last].mean()

        def total(x: Vector, value: Vector = value, span: float = span, mean: float = mean) -> Vector:
            away = grid[None, :] - x[:, None]
            held = (agent.running.value(x)[:, None] + agent.running.value(grid)[None, :]) / 2
            return agent.control_cost / (2 * span) * away**2 + mean * away + span * held + value

        table = total(grid if first else starts)
        chosen.append(table.argmin(axis=1))
        value = table.min(axis=1)
    at = chosen[-1]
    knots = [starts, grid[at]]
    for choice in chosen[-2::-1]:
        at = choice[at]
        knots.append(grid[at])
    places = np.arange(agent.number + 1)
    path = np.stack([np.interp(places, marks, row) for row in np.stack(knots, axis=1)])
    states, _ = agent.solve(path, None)
    values = agent.cost(states)
    return Cheapest(values, values, "")
