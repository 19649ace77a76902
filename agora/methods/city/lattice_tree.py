r"""Global maximisers of a city on a tree, with proof: an exact dynamic program.

On a tree D is the covariance of a Markov field: with δ_c = e^{−τℓ} on the link of cell c to its parent p,

.. math:: u'Du = \max_a \{ 2u'a - a'D^{-1}a \}, \qquad
          a'D^{-1}a = a_{root}^2 + \sum_c \frac{(a_c - \delta_c a_p)^2}{1 - \delta_c^2}

and the flow on that link is the sum x_c of the subtree's u. Given the field a_p, all that the rest of the
city needs to know of a subtree is x_c and

.. math:: N_c(x, a_p) = \max \{ \text{production of the subtree} + 2\, \delta_c a_p S_c - w|x| \}

which is for every configuration a line in a_p, hence for all of them a convex, piecewise linear function.
Three steps build it, all exact: a cell's own lines 2ua + bu; sums of children, maximised over how x is
split; and across a link the line (slope s, intercept k) becomes (δs, k + s²(1 − δ²)/4). Lines that are
highest for no field that can occur are dropped: no grid, no error but rounding.

The same from the root downwards gives the value of the rest of the city to every subtree, hence the exact
value of the best completion of a part of a configuration. So all configurations within a distance of the
best are listed without a dead end; parts with the same (x, s, k) are exchangeable and listed once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import breadth_first_order

from agora.methods.city.chain_bounds import ROUNDING, Bounded
from agora.methods.city.lattice_city import LatticeCity, Steps
from agora.numerics import upper_envelope
from agora.typing import Vector

Whole = NDArray[np.int64]

ALIKE = 10
"""Digits to which lines agree whose configurations are exchangeable."""


class OutOfTimeError(Exception):
    """The dynamic program was not finished in time."""


@dataclass(frozen=True)
class Lines:
    """The highest of some lines, by rising slope, and the origin of each."""

    slope: Vector
    intercept: Vector
    """Slopes and intercepts (L,) of lines none of which is below the others everywhere."""
    origin: Whole
    """Origins (L, 3) of a sum's lines: the flow of the first part, and the lines of both parts."""

    def kinks(self) -> Vector:
        """Return the fields at which one line gives way to the next (L − 1,)."""
        return -np.diff(self.intercept) / np.diff(self.slope)

    def best(self, slope: Vector, intercept: Vector) -> Vector:
        """Return the highest sum with other lines less the square of the field, max_a (N,)."""
        ends = (slope[:, None] + self.slope) ** 2 / 4 + self.intercept
        return np.asarray(ends.max(axis=1) + intercept)


Table = dict[int, Lines]
"""Flow → lines."""


def highest_lines(slope: Vector, intercept: Vector, origin: Whole, reach: float) -> Lines:
    """Return the lines that are highest somewhere between −reach and reach."""
    seen, _ = upper_envelope(slope, intercept, -reach, reach)
    return Lines(slope[seen], intercept[seen], origin[seen])


def summed(first: Table, second: Table, most: int, reach: float, sign: int = 1) -> Table:
    """Return the highest sums over all pairs of flows x, y, by the flow x + sign · y, up to ±`most`."""
    parts: dict[int, list[tuple[Vector, Vector, Whole]]] = {}
    kinks = {y: lines.kinks() for y, lines in second.items()}
    for x, one in first.items():
        here = one.kinks()
        for y, other in second.items():
            flow = x + sign * y
            if abs(flow) > most:
                continue
            turns = np.argsort(np.concatenate([here, kinks[y]]), kind="stable") < len(here)
            i = np.append(0, np.cumsum(turns))
            j = np.arange(len(i)) - i
            origin = np.stack([np.full(len(i), x), i, j], axis=1)
            parts.setdefault(flow, []).append(
                (one.slope[i] + other.slope[j], one.intercept[i] + other.intercept[j], origin)
            )
    highest: Table = {}
    for flow, pieces in sorted(parts.items()):
        slope, intercept, origin = (np.concatenate(column) for column in zip(*pieces, strict=True))
        highest[flow] = highest_lines(slope, intercept, origin, reach)
    return highest


@dataclass(frozen=True)
class Parts:
    """Configurations of a part of the tree, one of each exchangeable kind: flow, line, steps (N, I)."""

    flow: Whole
    slope: Vector
    intercept: Vector
    steps: Steps

    def only(self, kept: Whole) -> Parts:
        """Return some of them."""
        return Parts(self.flow[kept], self.slope[kept], self.intercept[kept], self.steps[kept])

    def above(self, outside: Table, threshold: float) -> Parts:
        """Return one of each kind whose best completion has a value of at least `threshold`."""
        kept = np.zeros(len(self.flow), dtype=bool)
        for flow in np.unique(self.flow).tolist():
            if flow in outside:
                rows = np.flatnonzero(self.flow == flow)
                kept[rows] = outside[flow].best(self.slope[rows], self.intercept[rows]) >= threshold
        some = self.only(np.flatnonzero(kept))
        marks = np.round(np.stack([some.flow, some.slope, some.intercept], axis=1), ALIKE) + 0.0
        return some.only(np.sort(np.unique(marks, axis=0, return_index=True)[1]))


@dataclass
class TreeBounds:
    """The exact search for one city on a tree."""

    city: LatticeCity
    """The city, of shape ``tree`` or ``line``."""

    def __post_init__(self) -> None:
        number, lengths = self.city.number, self.city.network.matrix()
        if len(self.city.network.tails) != 2 * (number - 1):
            raise ValueError(f"a city on a {self.city.shape} is no tree")
        root = int(np.bincount(self.city.network.tails).argmax())
        order, parents = breadth_first_order(lengths, root, directed=False)
        self.order: list[int] = order.tolist()
        self.parent = parents
        self.children: list[list[int]] = [[] for _ in range(number)]
        self.delta, self.length = np.zeros(number), np.zeros(number)
        size = np.ones(number, dtype=int)
        for cell in self.order[1:]:
            self.children[parents[cell]].append(cell)
            self.length[cell] = lengths[cell, parents[cell]]
        for cell in reversed(self.order[1:]):
            size[parents[cell]] += size[cell]
        kernel = self.city.kernel
        for cell in self.order[1:]:
            self.delta[cell] = kernel[cell, parents[cell]]
        self.most = np.minimum(size, number - size)
        ordered = np.sort(kernel, axis=1)
        self.reach = ordered[:, (number + 1) // 2 :].sum(axis=1) - ordered[:, : number // 2].sum(axis=1)
        self.reach += 1e-9 * (1 + self.reach)
        total = 2 * kernel.sum(axis=1)
        self.pull = total - total.mean()  # Σ u = 0, so a constant does not matter

    def maximum(
        self, cost: float, *, within: float = 0.0, seconds: float = np.inf, width: int = 100_000
    ) -> Bounded:
        """Return the best configuration at a commuting cost t > 0.

        Configurations whose V is lower by at most `within` are listed, unless more than `width` of a part of
        the tree have to be followed at a time. Raises `OutOfTimeError` when the `seconds` run out.
        """
        self.deadline = time.perf_counter() + seconds
        self.toll = cost * 8 / self.city.land * self.length
        scale = 1 + float(np.abs(self.city.kernel).sum() + (self.toll * self.most).sum())
        rounding = ROUNDING * scale
        self._upwards()
        final = self.sums[self.order[0]][-1][0]
        ends = final.slope**2 / 4 + final.intercept
        bound = float(ends.max())
        best = np.zeros(self.city.number, dtype=np.int8)
        self._trace(self.order[0], 0, int(ends.argmax()), best)
        value = self._value(best, cost)
        visited = sum(len(lines.slope) for table in self.up for lines in table.values())
        self._downwards()
        listed = self._listed(value - within - rounding, width)
        every = best[None] if listed is None else np.concatenate([best[None], listed])
        every = self._distinct(every, cost)
        values = np.array([self._value(steps, cost) for steps in every])
        order = np.argsort(-values, kind="stable")
        order = order[values[order] >= value - within - rounding]
        complete = bound <= value + rounding
        return Bounded(
            best, value, value if complete else bound, every[order], values[order], visited, bound, complete,
            listed is not None,
        )  # fmt: skip

    def _value(self, steps: Steps, cost: float) -> float:
        along = steps[None, self.city.order]
        production = float(self.city.production(along)[0])
        return production - cost * 8 / self.city.land * float(self.city.travel(along)[0])

    def _distinct(self, configurations: Steps, cost: float) -> Steps:
        """Return the configurations without those of the same value and the same number of full cells."""
        kinds: dict[tuple[float, ...], Steps] = {}
        for steps in configurations:
            u = steps.astype(float)
            marks = (self._value(steps, cost), float((steps > 0).sum()), float(u @ self.city.kernel @ u))
            kinds.setdefault(tuple(round(mark, ALIKE - 2) + 0.0 for mark in marks), steps)
        return np.array(list(kinds.values()), dtype=np.int8)

    # --- the dynamic program -----------------------------------------------------------------------

    def _own(self, cell: int) -> Table:
        nothing = np.zeros((1, 3), dtype=np.int64)
        return {u: Lines(np.array([2.0 * u]), np.array([u * self.pull[cell]]), nothing) for u in (-1, 0, 1)}

    def _across(self, cell: int, table: Table) -> Table:
        """Carry lines in the field of a cell to its parent, or back: the link is the same both ways."""
        delta = self.delta[cell]
        return {
            flow: Lines(
                lines.slope * delta, self._intercept(cell, lines.slope, lines.intercept, flow), lines.origin
            )
            for flow, lines in table.items()
        }

    def _intercept(self, cell: int, slope: Vector, intercept: Vector, flow: int | Whole) -> Vector:
        """Return the intercepts of lines beyond the link of a cell to its parent."""
        variance, toll = 1 - self.delta[cell] ** 2, self.toll[cell]
        return np.asarray(intercept + slope**2 * variance / 4 - toll * np.abs(flow))

    def _in_time(self, cells: list[int]) -> Iterator[int]:
        for cell in cells:
            if time.perf_counter() > self.deadline:
                raise OutOfTimeError
            yield cell

    def _upwards(self) -> None:
        number = self.city.number
        self.up: list[Table] = [{} for _ in range(number)]
        self.sums: list[list[Table]] = [[] for _ in range(number)]
        for cell in self._in_time(self.order[::-1]):
            tables, reach = [self._own(cell)], float(self.reach[cell])
            for k, child in enumerate(self.children[cell], start=1):
                last = k == len(self.children[cell])
                most = int(self.most[cell]) if last else number
                tables.append(summed(tables[-1], self.up[child], most, reach))
            self.sums[cell] = tables
            if cell != self.order[0]:
                self.up[cell] = self._across(cell, tables[-1])

    def _trace(self, cell: int, flow: int, line: int, steps: Steps) -> None:
        """Write down the configuration of a line of a subtree."""
        stack = [(cell, flow, line)]
        while stack:
            cell, flow, line = stack.pop()
            for k in range(len(self.children[cell]), 0, -1):
                origin = self.sums[cell][k][flow].origin[line]
                before, line, below = (int(number) for number in origin)
                stack.append((self.children[cell][k - 1], flow - before, below))
                flow = before
            steps[cell] = flow

    def _downwards(self) -> None:
        """Compute the value of the rest of the city to every sum and to every subtree."""
        nothing = Lines(np.zeros(1), np.zeros(1), np.zeros((1, 3), dtype=np.int64))
        number = self.city.number
        self.outside: list[list[Table]] = [[] for _ in range(number)]
        self.beyond: list[Table] = [{} for _ in range(number)]
        for cell in self._in_time(self.order):
            above = {0: nothing} if cell == self.order[0] else self._across(cell, self.beyond[cell])
            tables, reach = [above], float(self.reach[cell])
            for k in range(len(self.children[cell]), 0, -1):
                child = self.children[cell][k - 1]
                before = self.sums[cell][k - 1]
                self.beyond[child] = summed(tables[0], before, int(self.most[child]), reach, sign=-1)
                tables.insert(0, summed(tables[0], self.up[child], max(before), reach, sign=-1))
            self.outside[cell] = tables

    # --- all configurations within a distance -----------------------------------------------------

    def _listed(self, threshold: float, width: int) -> Steps | None:
        """Return one configuration of every kind with a value ≥ `threshold`; None if there are too many."""
        below: dict[int, Parts] = {}
        for cell in self._in_time(self.order[::-1]):
            steps = np.zeros((3, self.city.number), dtype=np.int8)
            u = np.array([-1, 0, 1])
            steps[:, cell] = u
            parts = Parts(u.astype(np.int64), 2.0 * u, u * self.pull[cell], steps)
            parts = parts.above(self.outside[cell][0], threshold)
            for k, child in enumerate(self.children[cell], start=1):
                other = below.pop(child)
                pairs = len(parts.flow) * len(other.flow)
                if pairs > width:
                    return None
                i, j = np.divmod(np.arange(pairs), len(other.flow))
                parts = Parts(
                    parts.flow[i] + other.flow[j], parts.slope[i] + other.slope[j],
                    parts.intercept[i] + other.intercept[j], parts.steps[i] + other.steps[j],
                ).above(self.outside[cell][k], threshold)  # fmt: skip
            below[cell] = replace(
                parts, slope=parts.slope * self.delta[cell],
                intercept=self._intercept(cell, parts.slope, parts.intercept, parts.flow),
            )  # fmt: skip
        return below[self.order[0]].steps
