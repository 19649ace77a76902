"""Distributions of firms from which the search for local maximisers starts.

Small cities start from few to many centres placed far apart. In large ones distances are found from
some cells only, and a grid or a torus is solved first on a coarser one, whose best city is then refined.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from agora.data.geographies import grid, torus
from agora.formulations.city.network_kernels import cartesian_factors
from agora.methods.city.firms_game import FirmsGame
from agora.models.city.fujita_ogawa import FujitaOgawa
from agora.typing import Vector

FEWEST_COARSE, MOST_COARSE = 100, 700
"""Cells of the coarse city."""
COARSE_STARTS = 12
Indices = NDArray[np.int_]
CANDIDATES, MOVES = 12, 6
"""Cells tried as a better middle of the cells nearest to a centre, and how often."""


def starting_points(city: FujitaOgawa, number: int, random: np.random.Generator) -> list[Vector]:
    """Return distributions of firms to start from: even; 1, 2, … centres; random orders of the cells.

    Centres are spread over the geography, once in the middle of links and once in cells, so that
    centres of an even and of an odd number of cells are both met.
    """
    network, cells = city.network, city.network.number
    everywhere, once = np.arange(cells), network.tails < network.heads
    kinds = ((network.tails[once], network.heads[once]), (everywhere, everywhere))
    points = [city.firm_mass * network.land / network.land.sum()]
    for count in range(1, max(1, cells // 4) + 1):
        for first, second in kinds:
            if len(points) <= number // 2:
                distances = (network.distances[:, first] + network.distances[:, second]) / 2
                centres = _spread(distances, first, second, count, random)
                points.append(filled(city, distances[:, centres].min(axis=1)))
    while len(points) < number:
        points.append(filled(city, random.random(cells)))
    return points[:number]


def _spread(
    distances: Vector, first: Indices, second: Indices, count: int, random: np.random.Generator
) -> list[int]:
    """Choose centres far apart, then move each to the middle of the cells nearest to it.

    `distances` are those of every cell (rows) from every possible centre (columns), which is the middle
    of its `first` and `second` cell.
    """
    chosen = [int(random.integers(distances.shape[1]))]
    while len(chosen) < count:
        near = distances[:, chosen]
        apart = ((near[first] + near[second]) / 2).min(axis=1)
        chosen.append(int(np.argmax(apart)))
    for _ in range(50):
        nearest = distances[:, chosen].argmin(axis=1)
        moved = []
        for k, centre in enumerate(chosen):
            spread = distances[nearest == k].sum(axis=0)
            moved.append(centre if spread[centre] <= spread.min() * (1 + 1e-12) else int(spread.argmin()))
        if moved == chosen:
            break
        chosen = moved
    return chosen


def filled(city: FujitaOgawa, order_by: Vector) -> Vector:
    """Fill cells with firms, smallest `order_by` first, until all firms are placed."""
    land, left = city.network.land, city.firm_mass
    firms = np.zeros(len(land))
    for cell in np.argsort(order_by, kind="stable"):
        firms[cell] = min(land[cell], left)
        left -= firms[cell]
    return firms


# --- large cities --------------------------------------------------------------------------------


def large_city_starts(city: FujitaOgawa, number: int, random: np.random.Generator) -> Iterator[Vector]:
    """Yield distributions of firms to start from, without the distances of all pairs of cells.

    First the best city of a coarser grid or torus, where there is one; then one, two, … centres in the
    middle of equal parts of the geography; the even distribution comes third.
    """
    yield from islice(_large_city_starts(city, number, random), number)


def _large_city_starts(city: FujitaOgawa, number: int, random: np.random.Generator) -> Iterator[Vector]:
    coarse = coarse_city(city)
    if coarse is not None:
        yield refined(city, *coarse, random)
    yield filled(city, _distance_to_centres(city, 1, random))
    yield city.firm_mass * city.network.land / city.network.land.sum()
    for centres in range(2, number + 1):
        yield filled(city, _distance_to_centres(city, centres, random))


def coarse_city(city: FujitaOgawa) -> tuple[FujitaOgawa, Indices] | None:
    """Return a city whose cells are blocks of those of a grid or torus, and the block of each cell."""
    factors = cartesian_factors(city.network)
    if factors is None:
        return None
    first, second = (_row(factor) for factor in factors)
    if first is None or second is None or first[0] != second[0] or not math.isclose(first[1], second[1]):
        return None
    closed, spacing = first
    rows, columns = (factor.shape[0] for factor in factors)
    blocks = [
        b for b in range(2, 1 + min(rows, columns) // 3)
        if rows % b == 0 and columns % b == 0 and FEWEST_COARSE <= rows * columns // b**2 <= MOST_COARSE
    ]  # fmt: skip
    if not blocks:
        return None
    side = blocks[0]
    cell = np.arange(rows * columns)
    block = cell // columns // side * (columns // side) + cell % columns // side
    land = np.bincount(block, city.network.land)
    make = torus if closed else grid
    geography = make(rows // side, columns // side, spacing=spacing * side, land=land.tolist())
    parameters = ("commuting_cost", "decay", "externality", "firm_mass", "labor_per_firm")
    return FujitaOgawa(geography=geography, **{name: getattr(city, name) for name in parameters}), block


def refined(city: FujitaOgawa, coarse: FujitaOgawa, block: Indices, random: np.random.Generator) -> Vector:
    """Return the best city of a coarser geography, its firms spread evenly over the cells of each block."""
    game = FirmsGame(coarse)
    states = [game.climb(start) for start in starting_points(coarse, COARSE_STARTS, random)]
    best = max(states, key=game.potential)
    return (best.firms / game.land)[block] * city.network.land


def _row(factor: csr_array) -> tuple[bool, float] | None:
    """Tell whether a network is a ring (or a row) in the order of its cells, and its equal spacing."""
    number, entries = factor.shape[0], factor.tocoo()
    apart = np.abs(entries.row - entries.col)
    spacing = float(entries.data.mean())
    even = float(np.abs(entries.data - spacing).max()) <= 1e-12 * spacing
    if number < 3 or not even or not np.isin(apart, (1, number - 1)).all():
        return None
    expected = {2 * number: True, 2 * (number - 1): False}
    return (expected[len(apart)], spacing) if len(apart) in expected else None


def _distance_to_centres(city: FujitaOgawa, centres: int, random: np.random.Generator) -> Vector:
    """Return the distance of every cell to the nearest of some centres, each in the middle of its part."""
    lengths, number = city.network.matrix(), city.network.number
    chosen = [int(random.integers(number))]
    while len(chosen) < centres:
        chosen.append(int(dijkstra(lengths, indices=chosen, min_only=True).argmax()))
    middles = np.array(chosen)
    for _ in range(MOVES):
        nearest = dijkstra(lengths, indices=middles).argmin(axis=0)
        moved = []
        for k, middle in enumerate(middles.tolist()):
            part = np.flatnonzero(nearest == k)
            tried = np.append(random.choice(part, min(CANDIDATES, len(part)), replace=False), middle)
            totals = (dijkstra(lengths, indices=tried)[:, part] * city.network.land[part]).sum(axis=1)
            moved.append(int(tried[totals.argmin()]))
        middles = np.array(moved)
    return np.asarray(dijkstra(lengths, indices=middles, min_only=True))
