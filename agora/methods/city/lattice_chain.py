r"""Highest value of a lattice path along a chain of cells: a bound from above, and a guided search.

A path takes a step u_k ∈ {−1, 0, 1} in each of n cells; x_k = u_1 + … + u_k is the flow to the next
cell, x_n = 0. Its value is

.. math:: \gamma\, u'Ku + b'u - \sum_k w_k |x_k|, \qquad
          K_{jj} = d_j, \quad K_{jk} = d_j \rho_{j+1} \cdots \rho_k \; (j < k)

Such a K is the covariance of a Markov chain, so all that the cells to come need to know of the cells
behind is the flow x_k and the field L_k = Σ_{j ≤ k} K_jk u_j, which obeys L_{k+1} = ρ_{k+1} L_k + d_{k+1}
u_{k+1}. The highest value to come,

.. math:: F_k(x, L) = \max_u \{ \gamma (d u^2 + 2 u \rho L) + b u - w |x + u|
          + F_{k+1}(x + u, \rho L + d u) \},

is a maximum of functions affine in L, hence convex in L: interpolated linearly between the points of a
grid it can only grow. The dynamic program over (x, L) on a grid therefore bounds every path from above,
whatever the grid, and its tables guide a search that lists every path above a given value.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from agora.typing import Vector

Whole = NDArray[np.int64]

STEPS = (-1, 0, 1)
KEPT = 4_000_000
"""Interpolation weights are kept for further use if there are at most so many, else made anew."""
BLOCK = 16
"""Columns worked on at a time, so that they stay in the processor's cache."""


@dataclass(frozen=True)
class Level:
    """The grid of fields after k cells: for each flow x = −highest … highest the fields reachable with it."""

    highest: int
    lowest: Vector
    spacing: Vector


@dataclass(frozen=True)
class _Move:
    """One step from a level to the next: the flows that can take it, where it leads, what its field gains."""

    step: int
    first: int
    count: int
    weights: csr_array
    field_gain: Vector


@dataclass(frozen=True)
class Chain:
    """A chain of n cells."""

    variance: Vector
    carry: Vector
    """d_k > 0 and ρ_k (n,); ρ_1 is not used."""
    highest: int
    """Largest |x_k| to be considered."""
    points: int = 96
    """Points of the grid of fields for each flow."""

    @property
    def number(self) -> int:
        """Number of cells, n."""
        return len(self.variance)

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """The grids after 0, 1, …, n cells."""
        low = high = np.zeros(1)
        levels = [Level(0, low, np.ones(1))]
        for k, (d, rho) in enumerate(zip(self.variance.tolist(), self.carry.tolist(), strict=True), start=1):
            before, top = levels[-1].highest, min(k, self.number - k, self.highest)
            flows = np.arange(-top, top + 1)
            lows, highs = [], []
            for step in STEPS:
                row = flows - step + before
                inside = (row >= 0) & (row <= 2 * before)
                row = np.clip(row, 0, 2 * before)
                lows.append(np.where(inside, rho * low[row] + d * step, np.inf))
                highs.append(np.where(inside, rho * high[row] + d * step, -np.inf))
            low, high = np.min(lows, axis=0), np.max(highs, axis=0)
            width = np.maximum(high - low, 1e-9)
            levels.append(Level(top, low, width / (self.points - 1)))
        return tuple(levels)

    def interpolation(self, k: int, flow: Whole, field: Vector) -> tuple[Whole, Vector]:
        """Return the grid point left of each state after k cells, and the share of the point right of it."""
        level = self.levels[k]
        row = flow + level.highest
        position = (field - level.lowest[row]) / level.spacing[row]
        left = np.clip(np.floor(position).astype(np.int64), 0, self.points - 2)
        return row * self.points + left, np.clip(position - left, 0.0, 1.0)

    @cached_property
    def _kept(self) -> list[list[_Move]] | None:
        size = sum(3 * 2 * (2 * level.highest + 1) * self.points for level in self.levels)
        return [list(self._moves(k)) for k in range(self.number)] if size <= KEPT else None

    def moves(self, k: int) -> list[_Move]:
        """Return the three steps from the level after k cells to the next."""
        return list(self._moves(k)) if self._kept is None else self._kept[k]

    def _moves(self, k: int) -> Iterator[_Move]:
        here, there = self.levels[k], self.levels[k + 1]
        d, rho = float(self.variance[k]), float(self.carry[k])
        for step in STEPS:
            first, last = max(-here.highest, -there.highest - step), min(here.highest, there.highest - step)
            flows = np.arange(first, last + 1)
            if not len(flows):
                continue
            rows = flows + here.highest
            fields = here.lowest[rows, None] + here.spacing[rows, None] * np.arange(self.points)
            arrivals = np.broadcast_to((flows + step)[:, None], fields.shape)
            left, share = self.interpolation(k + 1, arrivals.ravel(), (rho * fields + d * step).ravel())
            number = fields.size
            weights = csr_array(
                (
                    np.stack([1 - share, share], axis=1).ravel(),
                    np.stack([left, left + 1], axis=1).ravel(),
                    np.arange(0, 2 * number + 1, 2),
                ),
                shape=(number, (2 * there.highest + 1) * self.points),
            )
            gain = d * step * step + 2 * step * rho * fields.ravel()
            yield _Move(step, int(rows[0]), len(flows), weights, gain)


@dataclass(frozen=True)
class PathProgram:
    """The values of paths along a chain, for several linear terms at once."""

    chain: Chain
    """The cells."""
    curvature: float
    """γ > 0."""
    linear: Vector
    """b (n, B), one column a linear term."""
    toll: Vector
    """w_k ≥ 0 (n,), for a unit of flow from cell k to the next."""

    def bounds(self) -> Vector:
        """Return bounds (B,) on the value of every path."""
        width = self.linear.shape[1]
        bounds = np.empty(width)
        for start in range(0, width, BLOCK):
            block = slice(start, start + BLOCK)
            bounds[block] = deque(self._backward(self.linear[:, block]), maxlen=1)[0][0]
        return bounds

    def tables(self) -> list[Vector]:
        """Return F_0, …, F_n on the grids: arrays (flows × fields, B)."""
        return list(self._backward(self.linear))[::-1]

    def _backward(self, linear: Vector) -> Iterator[Vector]:
        chain, width = self.chain, linear.shape[1]
        value = np.zeros((chain.points, width))
        yield value
        for k in range(chain.number - 1, -1, -1):
            here, there = chain.levels[k].highest, chain.levels[k + 1].highest
            cost = self.toll[k] * np.abs(np.arange(-there, there + 1))
            value = value - np.repeat(cost, chain.points)[:, None]
            best = np.full((2 * here + 1, chain.points, width), -np.inf)
            for move in chain.moves(k):
                gain = move.weights @ value
                gain += self.curvature * move.field_gain[:, None]
                if move.step:
                    gain += move.step * linear[k]
                part = best[move.first : move.first + move.count]
                np.maximum(part, gain.reshape(part.shape), out=part)
            value = best.reshape(-1, width)
            yield value


@dataclass(frozen=True)
class Listing:
    """Paths found by a search."""

    paths: NDArray[np.int8]
    """Their steps (N, n)."""
    bound: float
    """No path that is not listed has a higher value: the threshold, or more if the search was cut
    short."""
    visited: int
    """Beginnings of paths looked at."""
    complete: bool
    """Whether every path above the threshold is listed."""


def search(
    program: PathProgram,
    tables: list[Vector],
    total: Callable[[Vector], Vector],
    threshold: float,
    *,
    width: int = 400_000,
    cut: bool = False,
    deadline: float = np.inf,
) -> Listing:
    """List every path whose bound is at least `threshold`.

    All beginnings of paths are continued cell by cell; a beginning is dropped when its value so far
    plus the highest value to come is below the threshold. `total` turns the values of N paths under the B
    linear terms (N, B) into their bounds (N,). If there are more than `width` beginnings, or the clock
    (`time.perf_counter`) is beyond `deadline`, the search stops, or with `cut` goes on with the best.
    """
    chain = program.chain
    front = _Front.start(program.linear.shape[1])
    history: list[tuple[NDArray[np.int32], NDArray[np.int8]]] = []
    visited, lost = 0, -np.inf
    for k in range(chain.number):
        front = front.continued(program, tables[k + 1], total, threshold, k)
        if len(front.flow) > width or (len(front.flow) and time.perf_counter() > deadline):
            if not cut:
                nothing = np.zeros((0, chain.number), dtype=np.int8)
                return Listing(nothing, max(float(front.bound.max()), lost), visited, False)
            order = np.argsort(-front.bound, kind="stable")
            lost = max(lost, float(front.bound[order[width:]].max(initial=-np.inf)))
            front = front.only(order[:width])
        history.append((front.origin, front.step))
        visited += len(front.flow)
    paths = np.empty((len(front.flow), chain.number), dtype=np.int8)
    member: Whole = np.arange(len(front.flow), dtype=np.int64)
    for k in range(chain.number - 1, -1, -1):
        origin, step = history[k]
        paths[:, k] = step[member]
        member = origin[member].astype(np.int64)
    return Listing(paths, max(threshold, lost), visited, lost == -np.inf)


@dataclass(frozen=True)
class _Front:
    """Beginnings of paths of equal length: their states, their values, and their origins."""

    flow: Whole
    field: Vector
    value: Vector
    bound: Vector
    origin: NDArray[np.int32]
    step: NDArray[np.int8]

    @classmethod
    def start(cls, width: int) -> _Front:
        """Return the empty beginning."""
        zero, origin, step = np.zeros(1), np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.int8)
        return cls(np.zeros(1, dtype=np.int64), zero, np.zeros((1, width)), zero, origin, step)

    def only(self, kept: Whole) -> _Front:
        """Return some of the beginnings."""
        return _Front(
            self.flow[kept], self.field[kept], self.value[kept], self.bound[kept], self.origin[kept],
            self.step[kept],
        )  # fmt: skip

    def continued(
        self, program: PathProgram, table: Vector, total: Callable[[Vector], Vector], threshold: float, k: int
    ) -> _Front:
        """Return the continuations by one cell whose bound is at least the threshold."""
        chain = program.chain
        top, d, rho = chain.levels[k + 1].highest, float(chain.variance[k]), float(chain.carry[k])
        parts = []
        for step in STEPS:
            able = np.flatnonzero(np.abs(self.flow + step) <= top)
            flow, behind = self.flow[able] + step, rho * self.field[able]
            common = program.curvature * (d * step * step + 2 * step * behind)
            value = self.value[able] + step * program.linear[k]
            value += (common - np.abs(flow) * program.toll[k])[:, None]
            field = behind + d * step
            left, share = chain.interpolation(k + 1, flow, field)
            bound = total(value + table[left] * (1 - share)[:, None] + table[left + 1] * share[:, None])
            kept = np.flatnonzero(bound >= threshold)
            steps = np.full(len(kept), step, dtype=np.int8)
            parts.append(
                (flow[kept], field[kept], value[kept], bound[kept], able[kept].astype(np.int32), steps)
            )
        return _Front(*(np.concatenate([part[i] for part in parts]) for i in range(6)))
