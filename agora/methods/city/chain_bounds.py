r"""Global maximisers of a city on a circle or a line, with proof: bounds and a guided search.

On a line D is the covariance of a Markov chain, and V(u) is the value of a lattice path (see
`agora.methods.city.lattice_chain`): the search lists every configuration above the best known one.

On a circle some link has no flow, the median flow being one of them: cut there. With K the kernel of
the chain bent round, K_ij = (δ^k + δ^{I−k})/(1 − δ^I) for cells k links apart, (1 + q) K − D is
positive semidefinite, with q = e^{−τℓI/2} for even I and 2 δ^{(I+1)/2}/(1 + δ) for odd I, so that for any v

.. math:: u'Du \le (1 + q) u'Ku - 2 v'Mu + v'Mv, \qquad M = (1 + q) K - D,

with equality at u = v. Given the field a at the cut, (Ku) there, the rest is a chain again:

.. math:: u'Ku = \max_a \{ u'\hat K u + 2 a\, c'u - a^2 / s \}

with K̂ the covariance given the field at the cut, s its variance, c the covariances over s. What is in
braces, less −a²/s, is convex in a when maximised over u: between two fields it lies below the chord.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from agora.methods.city.lattice_chain import Chain, Listing, PathProgram, search
from agora.methods.city.lattice_city import LatticeCity, Steps
from agora.typing import Vector

ROUNDING = 1e-11
"""Share of the largest term by which thresholds are lowered, so that rounding hides no configuration."""
FIELDS = 17
"""Fields at the cut with which the search of a circle begins."""
PARTS = 4
"""Parts into which a range of fields that may hold the maximum is divided."""
BEAM = 64
"""Beginnings followed when a first good configuration is sought."""
TANGENTS = 3
"""Configurations at which the bound of a circle is made tight."""


@dataclass(frozen=True)
class Bounded:
    """The result of a search: the best configuration, its value V, and a bound on all others."""

    best: Steps
    """The best configuration (I,), along the chain."""
    value: float
    bound: float
    """Its value, and a value no configuration exceeds."""
    listed: Steps
    """Distinct configurations (N, I) within the asked distance of the best, best first, and their
    values; on a circle up to rotation, and beside each also its mirror image with opposite steps if it is
    as good."""
    values: Vector
    visited: int
    """Beginnings of configurations looked at."""
    root: float
    """The bound before any search."""
    complete: bool
    """Whether the best configuration is proved best, up to rounding."""
    all_listed: bool = True
    """Whether `listed` holds every configuration within the asked distance; else it may miss some."""


class Pool:
    """The configurations evaluated so far, which serve every commuting cost and every decay."""

    def __init__(self) -> None:
        self.known: dict[bytes, Steps] = {}

    def add(self, configurations: Iterable[Steps]) -> None:
        """Remember configurations."""
        for steps in configurations:
            self.known.setdefault(steps.tobytes(), steps)

    def array(self) -> Steps:
        """Return all configurations (N, I)."""
        return np.array(list(self.known.values()), dtype=np.int8)


@dataclass
class ChainBounds:
    """Bounds and searches for one city on a circle or a line at any commuting cost."""

    city: LatticeCity
    """The city, of shape ``circle`` or ``line``."""
    pool: Pool = field(default_factory=Pool)
    """Configurations to start from; what is found is added."""
    points: int = 0
    """Grid points of the field for each flow."""

    def __post_init__(self) -> None:
        if self.city.shape not in ("circle", "line"):
            raise ValueError(f"a city on a {self.city.shape} is no chain")
        self.points = self.points or (96 if self.city.number <= 150 else 64)
        self.pool.add([np.zeros(self.city.number, dtype=np.int8)])
        if self.circle:
            self.pool.add(self.city.symmetric_patterns().values())
        self._production: dict[bytes, tuple[float, float]] = {}

    @property
    def circle(self) -> bool:
        """Whether the chain is closed."""
        return self.city.shape == "circle"

    @property
    def rate(self) -> float:
        """The cost in V of a unit of flow over a unit of length at t = 1, 8/a."""
        return 8 / self.city.land

    def lines(self) -> tuple[Steps, Vector, Vector]:
        """Return the known configurations, their production and their travel.

        V = production − t · `rate` · travel.
        """
        fresh = [steps for key, steps in self.pool.known.items() if key not in self._production]
        if fresh:
            block = np.array(fresh)
            numbers = zip(self.city.production(block).tolist(), self.city.travel(block).tolist(), strict=True)
            self._production |= {s.tobytes(): pair for s, pair in zip(fresh, numbers, strict=True)}
        pairs = np.array([self._production[key] for key in self.pool.known])
        return self.pool.array(), pairs[:, 0], pairs[:, 1]

    def values(self, configurations: Steps, cost: float) -> Vector:
        """Return V of configurations (N, I) at a commuting cost."""
        return self.city.production(configurations) - cost * self.rate * self.city.travel(configurations)

    def best_known(self, cost: float) -> tuple[Steps, float]:
        """Return the best configuration known and its value."""
        configurations, production, travel = self.lines()
        values = production - cost * self.rate * travel
        top = int(values.argmax())
        return configurations[top], float(values[top])

    # --- the chain -----------------------------------------------------------------------------

    @cached_property
    def _ratios(self) -> Vector:
        """δ of each link, the share of a firm's effect that is left after it."""
        first = self.city.along
        steps = np.arange(len(self.city.lengths))
        return first[steps, (steps + 1) % self.city.number]

    @cached_property
    def chain(self) -> Chain:
        """The cells as a Markov chain; on a circle given the field at the cut."""
        number = self.city.number
        if not self.circle:
            return Chain(np.ones(number), np.append(0.0, self._ratios), number // 2, self.points)
        rate = -np.log(self._ratios[0])
        left = np.arange(number) + 0.5
        right = number - left
        variance = np.expm1(-2 * rate * left) * np.expm1(-2 * rate * right) / -np.expm1(-2 * rate * number)
        carry = np.zeros(number)
        carry[1:] = np.exp(-rate) * np.expm1(-2 * rate * right[1:]) / np.expm1(-2 * rate * right[:-1])
        return Chain(variance, carry, (number + 2) // 4, self.points)

    @cached_property
    def toll(self) -> Vector:
        """The cost in V of a unit of flow from a cell to the next at t = 1."""
        lengths = self.city.lengths if self.circle else np.append(self.city.lengths, 0.0)
        return self.rate * lengths

    # --- searches ------------------------------------------------------------------------------

    def maximum(
        self, cost: float, *, within: float = 0.0, seconds: float = np.inf, width: int = 400_000
    ) -> Bounded:
        """Search the best configuration at a commuting cost t > 0.

        Configurations whose V is lower by at most `within` are listed. When the `seconds` run out, or there
        are more than `width` beginnings to follow at a time, the bound reached is reported.
        """
        deadline = time.perf_counter() + seconds
        method = _Circle(self, cost) if self.circle else _Line(self, cost)
        root = method.begin()
        while True:
            start = self.best_known(cost)[1]
            threshold = start - within - method.rounding
            listings = list(method.listings(threshold, deadline, width))
            for listing in listings:
                self.pool.add(listing.paths)
            best, value = self.best_known(cost)
            if value <= start + method.rounding:
                break
        bound = max((listing.bound for listing in listings if not listing.complete), default=-np.inf)
        complete = bound <= value + method.rounding
        configurations = self._distinct(np.concatenate([best[None], *(each.paths for each in listings)]))
        values = self.values(configurations, cost)
        order = np.argsort(-values, kind="stable")
        order = order[values[order] >= value - within - method.rounding]
        return Bounded(
            best, value, value if complete else bound, configurations[order], values[order],
            sum(listing.visited for listing in listings), max(root, value), complete,
        )  # fmt: skip

    def _distinct(self, configurations: Steps) -> Steps:
        """Return the different ones; on a circle, up to its symmetries, those and their opposites."""
        if not self.circle:
            return np.unique(configurations, axis=0)
        seen: dict[bytes, Steps] = {}
        for steps in np.unique(configurations, axis=0):
            for turned in (steps, -steps):
                seen.setdefault(_turned(turned).tobytes(), turned)
        return np.array(list(seen.values()), dtype=np.int8)


def _turned(steps: Steps) -> Steps:
    """Return the first of a configuration's rotations and reflections in the order of numbers."""
    every = np.arange(len(steps))
    turns = (every[:, None] + every) % len(steps)
    images = np.concatenate([steps[turns], steps[::-1][turns]])
    return np.asarray(images[np.lexsort(images.T[::-1])[0]])


class _Line:
    """The search on a line: bounds are exact but for the grid."""

    def __init__(self, bounds: ChainBounds, cost: float) -> None:
        self.bounds = bounds
        toll = cost * bounds.toll
        self.program = PathProgram(bounds.chain, 1.0, bounds.city.attraction[:, None], toll)
        scale = 1 + np.abs(bounds.city.along).sum() + toll.sum() * bounds.chain.highest
        self.rounding = ROUNDING * float(scale)

    def begin(self) -> float:
        """Find a first good configuration; return the bound."""
        self.tables = self.program.tables()
        good = search(self.program, self.tables, _only, -np.inf, width=BEAM, cut=True)
        self.bounds.pool.add(good.paths)
        return float(self.tables[0][0, 0])

    def listings(self, threshold: float, deadline: float, width: int) -> Iterable[Listing]:
        """List all configurations above a threshold."""
        yield search(self.program, self.tables, _only, threshold, width=width, deadline=deadline)


def _only(values: Vector) -> Vector:
    """Return the value under the one linear term there is."""
    return values[:, 0]


class _Circle:
    """The search on a circle cut at a link without flow, field by field."""

    def __init__(self, bounds: ChainBounds, cost: float) -> None:
        self.bounds, self.toll = bounds, cost * bounds.toll
        city = bounds.city
        number = city.number
        ratio = float(bounds._ratios[0])
        rate = -np.log(ratio)
        apart = np.minimum(np.arange(number), number - np.arange(number))
        bent = (ratio**apart + ratio ** (number - apart)) / -np.expm1(-rate * number)
        half = number / 2
        loss = np.exp(-rate * half) if number % 2 == 0 else 2 * np.exp(-rate * (half + 0.5)) / (1 + ratio)
        self.curvature = 1 + float(loss)
        cells = np.arange(number)
        self.excess = self.curvature * bent[(cells[:, None] - cells) % number] - city.along
        self.variance = 1 / np.tanh(rate * half)
        left = np.arange(number) + 0.5
        self.reach = (np.exp(-rate * left) + np.exp(-rate * (number - left))) / (1 + np.exp(-rate * number))
        ordered = np.sort(self.reach)
        most = ordered[(number + 1) // 2 :].sum() - ordered[: number // 2].sum()
        self.largest = self.variance * float(most) * (1 + 1e-12)
        scale = self.curvature * bent.sum() * number + self.toll.sum() * bounds.chain.highest
        self.rounding = ROUNDING * float(1 + scale)

    def begin(self) -> float:
        """Bound every configuration by the field at the cut; find a first good one."""
        self.fields, nowhere = np.linspace(0.0, self.largest, FIELDS), np.zeros((1, self.bounds.city.number))
        self.ranges = self._bounds(self.fields, nowhere)
        top = int(self.ranges.argmax())
        fields = self.fields[top : top + 2]
        paths = self._program(self._linear(fields, nowhere))
        good = search(paths, paths.tables(), self._chords(fields, nowhere), -np.inf, width=BEAM, cut=True)
        self.bounds.pool.add(good.paths)
        return float(self.ranges.max())

    def _linear(self, fields: Vector, tangents: Vector) -> Vector:
        """Return the linear terms (I, fields × tangents)."""
        pull = 2 * self.curvature * self.reach[:, None] * fields
        slope = -2 * self.excess @ tangents.T
        return np.asarray((pull[:, :, None] + slope[:, None, :]).reshape(len(pull), -1))

    def _program(self, linear: Vector) -> PathProgram:
        return PathProgram(self.bounds.chain, self.curvature, linear, self.toll)

    def _chords(self, fields: Vector, tangents: Vector) -> _Chords:
        """Return the bound between two fields (2,), tight at the tangents (K, I)."""
        constants = ((tangents @ self.excess) * tangents).sum(axis=1)
        return _Chords(fields, self.curvature / self.variance, constants)

    def _bounds(self, fields: Vector, tangents: Vector) -> Vector:
        """Return the bound of each range between two fields."""
        ends = self._program(self._linear(fields, tangents)).bounds().reshape(len(fields), len(tangents))
        pairs = [slice(k, k + 2) for k in range(len(fields) - 1)]
        ranges = [self._chords(fields[pair], tangents)(ends[pair].reshape(1, -1)) for pair in pairs]
        return np.concatenate(ranges)

    def listings(self, threshold: float, deadline: float, width: int) -> Iterable[Listing]:
        """List all configurations above a threshold, range by range of the field at the cut."""
        tangents = self._tangents(threshold)
        for k in np.flatnonzero(self.ranges >= threshold):
            if len(tangents) > 1 and self._bounds(self.fields[k : k + 2], tangents)[0] < threshold:
                continue
            fields = np.linspace(self.fields[k], self.fields[k + 1], PARTS + 1)
            linear = self._linear(fields, tangents)
            tables = self._program(linear).tables()
            for part in range(PARTS):
                columns = slice(part * len(tangents), (part + 2) * len(tangents))
                program, some = self._program(linear[:, columns]), [table[:, columns] for table in tables]
                chords = self._chords(fields[part : part + 2], tangents)
                yield search(program, some, chords, threshold, width=width, deadline=deadline)

    def _tangents(self, threshold: float) -> Vector:
        """Return configurations at which to make the bound tight: good ones for which it is not."""
        configurations, production, travel = self.bounds.lines()
        values = production - self.toll[0] / self.bounds.city.lengths[0] * travel
        slack = ((configurations @ self.excess) * configurations).sum(axis=1)
        good = np.flatnonzero((values + slack >= threshold) & (slack > self.rounding))
        chosen = [np.zeros(self.bounds.city.number)]
        for k in good[np.argsort(-values[good], kind="stable")]:
            for cut in _cuts(configurations[k]):
                turned = np.sign(float(self.reach @ cut)) * cut
                if not any((turned == other).all() for other in chosen):
                    chosen.append(turned)
            if len(chosen) > TANGENTS:
                break
        return np.array(chosen[: TANGENTS + 1])


def _cuts(steps: Steps) -> list[Vector]:
    """Return a configuration of a circle as it looks from each link without flow."""
    flow = np.cumsum(steps)
    idle = np.flatnonzero(flow == np.sort(flow)[(len(flow) - 1) // 2])
    return [np.roll(steps, -(int(k) + 1)).astype(float) for k in idle]


@dataclass(frozen=True)
class _Chords:
    """The bound on a range of fields, from the values at its ends under each tangent."""

    fields: Vector
    bend: float
    constants: Vector

    def __call__(self, values: Vector) -> Vector:
        """Turn values (N, 2 × tangents) into bounds (N,)."""
        low, high = self.fields
        ends = values.reshape(len(values), 2, len(self.constants))
        slope = (ends[:, 1] - ends[:, 0]) / (high - low)
        top = np.clip(slope / (2 * self.bend), low, high)
        bounds = ends[:, 0] + slope * (top - low) - self.bend * top**2 + self.constants
        return np.asarray(bounds.min(axis=1))
