r"""Certified global maximisers over a whole plane of parameters, from a few searches.

For a given decay, V of each configuration is a line in t, and the highest value G(t) is their upper
envelope: convex. Where G is known to lie on the envelope of the configurations found so far, at both
ends of a stretch of t on which that envelope is one line, it lies on it throughout. So it suffices to
search at the ends of the range and at the kinks of the envelope: every commuting cost between is
certified with them. Where a search is cut short, the chord of the bounds at hand still bounds G.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import networkx as nx
import numpy as np
import pandas as pd

from agora.methods.city.chain_bounds import ChainBounds, Pool
from agora.methods.city.lattice_city import LatticeCity, Steps, lattice_city
from agora.methods.method import Progress, silent
from agora.models.city.fujita_ogawa import FujitaOgawa
from agora.numerics import upper_envelope
from agora.typing import Vector

SAME = 1e-9
"""Relative difference of V, to the largest term in it, up to which two values are the same."""
NEIGHBOURS = 4
"""Decays in a row that try each other's configurations first, whatever the number of processes."""


@dataclass(frozen=True)
class Envelope:
    """The highest value of a city over a range of commuting costs, and what is proved of it."""

    costs: Vector
    bounds: Vector
    """Commuting costs searched at (K,), rising, and bounds on V there."""
    configurations: Steps
    """The configurations on the envelope (L, I), by falling travel: the first wins at low commuting
    costs."""
    production: Vector
    travel: Vector
    """V = production − rate · t · travel of each (L,)."""
    rate: float
    """See `ChainBounds.rate`."""
    switches: Vector
    """Commuting costs at which one configuration gives way to the next (L − 1,)."""

    def best(self, cost: float) -> int:
        """Return which configuration is the best known one at a commuting cost."""
        return int(np.searchsorted(self.switches, cost))

    def value(self, cost: float) -> float:
        """Return the value of the best known configuration."""
        k = self.best(cost)
        return float(self.production[k] - self.rate * cost * self.travel[k])

    def bound(self, cost: float) -> float:
        """Return a value that no configuration exceeds: the chord between the bounds on either side."""
        return float(np.interp(cost, self.costs, self.bounds))

    def certified(self, cost: float) -> bool:
        """Tell whether the best known configuration is proved best."""
        scale = max(1.0, self.rate * cost * float(self.travel.max()))
        return self.bound(cost) - self.value(cost) <= SAME * scale


def envelope(bounds: ChainBounds, low: float, high: float, seconds: float = 60.0) -> Envelope:
    """Search at both ends of a range of commuting costs, 0 < low ≤ high, and at every kink between them.

    Each search takes at most so many `seconds`.
    """
    searched: dict[float, float] = {}
    fresh = sorted({low, high})
    while fresh:
        for cost in fresh:
            searched[cost] = bounds.maximum(cost, seconds=seconds).bound
        known = _known_envelope(bounds, searched)
        fresh = [t for t in known.switches.tolist() if not any(abs(t - s) <= 1e-12 * high for s in searched)]
    return known


def _known_envelope(bounds: ChainBounds, searched: Mapping[float, float]) -> Envelope:
    """Return the upper envelope of the known configurations, with the bounds at the costs searched at."""
    costs = np.array(sorted(searched))
    configurations, production, travel = bounds.lines()
    low, high = float(costs[0]), float(costs[-1])
    rows, kinks = upper_envelope(-bounds.rate * travel, production, low, high, narrow=1e-12)
    return Envelope(
        costs, np.array([searched[t] for t in costs]), configurations[rows], production[rows],
        travel[rows], bounds.rate, kinks,
    )  # fmt: skip


def business_centres(steps: Steps) -> int:
    """Return the number of runs of business cells of a configuration on a circle."""
    return int(((steps == 1) & (np.roll(steps, 1) != 1)).sum()) or int((steps == 1).all())


def certified_map(
    geography: nx.Graph,
    decays: Sequence[float] | Vector,
    costs: Sequence[float] | Vector,
    *,
    seconds: float = 60.0,
    workers: int = 1,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Return the global maximiser at every point of a grid of decay τ and commuting cost t.

    Parameters
    ----------
    geography : networkx.Graph
        A circle or a line of equal cells; φ = 1, no excess land.
    decays, costs : sequence of float
        τ per unit of length, t in numéraire per unit of length.
    seconds : float
        For each search.
    workers : int
        Processes.
    progress : callable, optional
        Called with a short text as the work goes on.

    Returns
    -------
    DataFrame
        One row a point: decay, commuting_cost, centres (runs of business cells; 0: uniform), pattern
        (lengths of runs, + business, − residential, 0 integrated), potential, bound, gap (numéraire),
        certified.
    """
    every, rising = [float(decay) for decay in decays], [float(cost) for cost in sorted(costs)]
    starts = range(0, len(every), NEIGHBOURS)
    jobs = [(geography, every[first : first + NEIGHBOURS], rising, seconds) for first in starts]
    start, done = time.perf_counter(), 0
    rows: list[dict[str, object]] = []

    def take(parts: Iterable[list[dict[str, object]]]) -> None:
        nonlocal done
        for (_, some, _, _), part in zip(jobs, parts, strict=True):
            done += len(some)
            progress(f"decay {done} of {len(every)}, {time.perf_counter() - start:.0f} s")
            rows.extend(part)

    if workers == 1:
        take(map(_some_decays, jobs))
    else:
        with ProcessPoolExecutor(workers) as executor:
            take(executor.map(_some_decays, jobs))
    return pd.DataFrame(rows)


def filled_city(geography: nx.Graph, decay: float) -> FujitaOgawa:
    """Return the city that fills a geography, φ = 1, with exponential spillovers; t = 1."""
    land = float(sum(land for _, land in geography.nodes(data="land")))
    return FujitaOgawa(
        geography=geography, commuting_cost=1.0, decay=decay, firm_mass=land / 2, labor_per_firm=1.0
    )


def certified_envelope(
    city: FujitaOgawa, low: float, high: float, seconds: float = 60.0, pool: Pool | None = None
) -> tuple[LatticeCity, Envelope]:
    """Return the lattice of a city and its envelope over a range of commuting costs.

    `pool` holds configurations of the same geography at other decays: they are tried first, and those found
    are added.
    """
    lattice = lattice_city(city)
    bounds = ChainBounds(lattice, Pool() if pool is None else pool)
    return lattice, envelope(bounds, low, high, seconds)


def _some_decays(job: tuple[nx.Graph, list[float], list[float], float]) -> list[dict[str, object]]:
    """Return the rows of some decays, which try each other's configurations."""
    geography, decays, costs, seconds = job
    pool = Pool()
    return [row for decay in decays for row in _one_decay(geography, decay, costs, seconds, pool)]


def _one_decay(
    geography: nx.Graph, decay: float, costs: list[float], seconds: float, pool: Pool
) -> list[dict[str, object]]:
    lattice = lattice_city(filled_city(geography, decay))
    bounds = ChainBounds(lattice, pool)
    best = envelope(bounds, costs[0], costs[-1], seconds)
    rows: list[dict[str, object]] = []
    for cost in costs:
        if not best.certified(cost) and cost not in best.costs:
            searched = dict(zip(best.costs.tolist(), best.bounds.tolist(), strict=True))
            searched[cost] = bounds.maximum(cost, seconds=seconds).bound
            best = _known_envelope(bounds, searched)
        steps = best.configurations[best.best(cost)]
        potential, bound = (lattice.potential(f(cost)) for f in (best.value, best.bound))
        certified = best.certified(cost)
        rows.append(
            {
                "decay": decay,
                "commuting_cost": cost,
                "centres": business_centres(steps),
                "pattern": pattern(steps),
                "potential": potential,
                "bound": potential if certified else bound,
                "gap": 0.0 if certified else bound - potential,
                "certified": certified,
            }
        )
    return rows


def pattern(steps: Steps) -> str:
    """Write a configuration as the lengths of its runs: + business, − residential, 0 integrated."""
    ends = np.flatnonzero(np.diff(steps)) + 1
    runs = np.split(steps, ends)
    return "".join(f"{'−0+'[int(run[0]) + 1]}{len(run)}" for run in runs)
