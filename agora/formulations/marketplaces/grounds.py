r"""Where sites are, where marketplaces may be, and how far it is between them.

Three grounds: a `Line`, a `Plane`, and the edges of a `Network`. The locations of k marketplaces are a flat
array (…, k · width): positions on a line, pairs of coordinates in the plane, and on a network a single
number a location, the edge's start on one long line of edges plus the way along the edge.

On a line and along an edge a site's distance to its nearest marketplace is a minimum of affine functions,
so that anything convex and falling in distance is convex in the locations and largest at the corners of a box
of them (Hakimi's theorem, for given prices). In the plane distance is convex; there what is convex and
falling in distance lies under its chord, and distance above its tangent: together an upper bound that is
affine in the location and exact to second order, again largest at the corners.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise, product
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from agora.data.checks import InputError, finite
from agora.data.geographies import CellNetwork
from agora.typing import Vector

SiteValues = Callable[[Vector], Vector]
"""Travel times (…, J) → values of sites (…, J), each convex and falling in its own travel time."""

SAME = 1e-7
"""Marketplaces closer than this are one."""


class Ground(Protocol):
    """What programs, searches and tables ask about locations."""

    @property
    def width(self) -> int:
        """Numbers that say where one marketplace is."""

    @property
    def candidates(self) -> Vector:
        """Locations (C, width) among which, or near which, the best marketplaces lie at given prices."""

    @property
    def candidates_suffice(self) -> bool:
        """Whether at given prices no location is better than the best candidates."""

    @property
    def pieces(self) -> list[Vector]:
        """Boxes (width, 2) that cover all locations."""

    def coordinates(self, given: Any) -> Vector:
        """Return a user's location as numbers (width,), or raise `InputError`."""

    def travel(self, locations: Vector) -> Vector:
        """Return the travel time of every site to its nearest marketplace, (…, k · width) → (…, J)."""

    def corner_values(self, box: Vector, site_values: SiteValues) -> Vector:
        """Return an upper bound of the sites' values, (corners, J): its sum is largest at a corner.

        `box` is (…, k · width, 2); the corners of several boxes come as (…, corners, J).
        """

    def names(self, locations: Vector) -> list[Any]:
        """Return what to call each marketplace: its position on a line, else a text."""

    def columns(self, locations: Vector) -> dict[str, list[Any]]:
        """Return the columns of the table of marketplaces that say where they are."""

    def site_columns(self) -> dict[str, list[Any]]:
        """Return the columns of the table of sites that say where they are."""


def corners(box: Vector) -> Vector:
    """Return the corners of boxes, (…, n, 2) → (…, 2^n, n)."""
    number = box.shape[-2]
    choice = np.array(list(product((0, 1), repeat=number)))
    return np.where(choice, box[..., None, :, 1], box[..., None, :, 0])


@dataclass(frozen=True)
class Line:
    """Sites and marketplaces on a line."""

    positions: Vector
    """Of the sites, (J,)."""
    region: tuple[float, float]
    """D, where marketplaces may be."""
    pace: float = 1.0
    """Time a unit of distance takes."""
    breaks: Vector = field(default_factory=lambda: np.zeros(0))
    """Positions at which the cost of a railway changes."""
    width = 1
    candidates_suffice = True

    @cached_property
    def marks(self) -> Vector:
        """Ends of the region, sites and breaks within it, ascending."""
        low, high = self.region
        return np.unique(np.clip(np.concatenate([[low, high], self.positions, self.breaks]), low, high))

    @property
    def candidates(self) -> Vector:
        """The marks (C, 1)."""
        return self.marks[:, None]

    @property
    def pieces(self) -> list[Vector]:
        """The intervals between neighbouring marks."""
        return [np.array([ends]) for ends in pairwise(self.marks)]

    def coordinates(self, given: Any) -> Vector:
        """Return a position within the region."""
        low, high = self.region
        allowed = f"within the region D = [{low:g}, {high:g}]"
        location = finite("marketplaces", given, allowed)
        if not low <= location <= high:
            raise InputError("marketplaces", given, allowed)
        return np.array([location])

    def travel(self, locations: Vector) -> Vector:
        """Return the time to the nearest marketplace, (…, k) → (…, J)."""
        time: Vector = self.pace * np.abs(self.positions[:, None] - locations[..., None, :]).min(axis=-1)
        return time

    def corner_values(self, box: Vector, site_values: SiteValues) -> Vector:
        """Return the values at the corners: between marks it is convex."""
        return site_values(self.travel(corners(box)))

    def names(self, locations: Vector) -> list[Any]:
        """Return the positions."""
        return [float(location) for location in locations]

    def columns(self, locations: Vector) -> dict[str, list[Any]]:
        """Return ``location``, the positions."""
        return {"location": self.names(locations)}

    def site_columns(self) -> dict[str, list[Any]]:
        """Return ``position``."""
        return {"position": self.positions.tolist()}


@dataclass(frozen=True)
class Plane:
    """Sites and marketplaces in the plane, ways as the crow flies."""

    positions: Vector
    """Of the sites, (J, 2)."""
    region: tuple[tuple[float, float], tuple[float, float]]
    """D, a rectangle: its lower left and its upper right corner."""
    pace: float = 1.0
    """Time a unit of distance takes."""
    width = 2
    candidates_suffice = False

    @property
    def candidates(self) -> Vector:
        """The sites (J, 2), moved into the region."""
        inside: Vector = np.clip(self.positions, *np.array(self.region))
        return np.unique(inside, axis=0)

    @property
    def pieces(self) -> list[Vector]:
        """The rectangle."""
        return [np.array(self.region).T]

    def coordinates(self, given: Any) -> Vector:
        """Return a point within the region."""
        (left, low), (right, high) = self.region
        allowed = f"[x, y] within the region D = [{left:g}, {right:g}] × [{low:g}, {high:g}]"
        if not isinstance(given, list | tuple) or len(given) != 2:
            raise InputError("marketplaces", given, allowed)
        x, y = (finite("marketplaces", each, allowed) for each in given)
        if not (left <= x <= right and low <= y <= high):
            raise InputError("marketplaces", given, allowed)
        return np.array([x, y])

    def travel(self, locations: Vector) -> Vector:
        """Return the time to the nearest marketplace, (…, 2k) → (…, J)."""
        points = locations.reshape(*locations.shape[:-1], -1, 2)
        ways = self.positions[:, None, :] - points[..., None, :, :]
        time: Vector = self.pace * np.hypot(ways[..., 0], ways[..., 1]).min(axis=-1)
        return time

    def corner_values(self, box: Vector, site_values: SiteValues) -> Vector:
        r"""Return a bound of the values at the corners, affine in each marketplace's location.

        .. math:: \phi_j(|x_j - d|) \le \phi_j(a) - s \, (|x_j - c| + n \cdot (d - c) - a)

        with a, b the least and greatest distance of the box, s ≥ 0 the slope of the chord between them, c
        its middle and n the direction from the site to it.
        """
        sides = box.reshape(*box.shape[:-2], -1, 1, 2, 2)  # (…, k, 1, axis, end)
        low, high, middle = sides[..., 0], sides[..., 1], sides.mean(axis=-1)
        beyond = np.maximum(np.maximum(low - self.positions, self.positions - high), 0.0)
        across = np.maximum(np.abs(low - self.positions), np.abs(high - self.positions))
        near, far = np.hypot(beyond[..., 0], beyond[..., 1]), np.hypot(across[..., 0], across[..., 1])
        ahead = middle - self.positions
        length = np.hypot(ahead[..., 0], ahead[..., 1])
        direction = ahead / np.maximum(length, 1e-300)[..., None]
        top, bottom = site_values(self.pace * near), site_values(self.pace * far)
        slope = (top - bottom) / np.maximum(far - near, 1e-300)
        points = corners(box)
        moved = points.reshape(*points.shape[:-1], -1, 1, 2) - middle[..., None, :, :, :]
        tangent = length[..., None, :, :] + (direction[..., None, :, :, :] * moved).sum(axis=-1)
        value = top[..., None, :, :] - slope[..., None, :, :] * (tangent - near[..., None, :, :])
        best: Vector = value.max(axis=-2)
        return best

    def names(self, locations: Vector) -> list[Any]:
        """Return the coordinates as text."""
        return [f"({x:.6g}, {y:.6g})" for x, y in locations.reshape(-1, 2)]

    def columns(self, locations: Vector) -> dict[str, list[Any]]:
        """Return ``location`` and the coordinates ``x``, ``y``."""
        points = locations.reshape(-1, 2)
        return {"location": self.names(locations), "x": points[:, 0].tolist(), "y": points[:, 1].tolist()}

    def site_columns(self) -> dict[str, list[Any]]:
        """Return ``position`` and the coordinates ``x``, ``y``."""
        columns = self.columns(self.positions.ravel())
        return {"position": columns.pop("location"), **columns}


@dataclass(frozen=True)
class Network:
    """Sites in the cells of a network, marketplaces in cells and anywhere along edges."""

    cells: CellNetwork
    """The network; its edges go both ways."""
    pace: float = 1.0
    """Time a unit of distance takes."""
    width = 1
    candidates_suffice = True

    @cached_property
    def edges(self) -> NDArray[np.int64]:
        """Positions of each edge in the arrays of arcs, the arc from the lower to the higher cell."""
        return np.flatnonzero(self.cells.tails < self.cells.heads)

    @cached_property
    def starts(self) -> Vector:
        """Where each edge starts on the long line of edges, a gap of one between two."""
        lengths = self.cells.lengths[self.edges]
        return np.concatenate([[0.0], np.cumsum(lengths + 1.0)[:-1]])

    @cached_property
    def of_cell(self) -> Vector:
        """A location for each cell: the end of an edge."""
        ends = np.full(self.cells.number, np.nan)
        for start, edge in zip(self.starts, self.edges, strict=True):
            ends[self.cells.heads[edge]] = start + self.cells.lengths[edge]
            ends[self.cells.tails[edge]] = start
        return ends

    @property
    def candidates(self) -> Vector:
        """The cells (C, 1)."""
        return self.of_cell[:, None]

    @property
    def pieces(self) -> list[Vector]:
        """The edges."""
        lengths = self.cells.lengths[self.edges]
        return [np.array([[a, a + b]]) for a, b in zip(self.starts, lengths, strict=True)]

    def _along(self, locations: Vector) -> tuple[NDArray[np.int64], Vector, Vector]:
        """Return the edge of each location, and the ways to its tail and its head."""
        number = np.searchsorted(self.starts, locations, side="right") - 1
        edge = self.edges[number]
        after = np.clip(locations - self.starts[number], 0.0, self.cells.lengths[edge])
        return edge, after, self.cells.lengths[edge] - after

    def coordinates(self, given: Any) -> Vector:
        """Return a cell, or a point [cell, neighbouring cell, distance from the first]."""
        names = list(self.cells.cells)
        allowed = "a cell, or [cell, neighbouring cell, distance from the first along their edge]"
        if not isinstance(given, list | tuple) or given in names:
            if given not in names:
                raise InputError("marketplaces", given, allowed)
            return self.of_cell[[names.index(given)]]
        if len(given) != 3 or given[0] not in names or given[1] not in names:
            raise InputError("marketplaces", given, allowed)
        first, second, way = names.index(given[0]), names.index(given[1]), finite("marketplaces", given[2])
        for start, edge in zip(self.starts, self.edges, strict=True):
            ends, length = (self.cells.tails[edge], self.cells.heads[edge]), self.cells.lengths[edge]
            if {first, second} == set(ends) and 0 <= way <= length:
                return np.array([start + (way if first == ends[0] else length - way)])
        raise InputError("marketplaces", given, allowed)

    def travel(self, locations: Vector) -> Vector:
        """Return the time to the nearest marketplace along the edges, (…, k) → (…, J)."""
        edge, before, after = self._along(locations)
        ways = self.cells.distances
        to_tail = ways[self.cells.tails[edge]] + before[..., None]
        to_head = ways[self.cells.heads[edge]] + after[..., None]
        time: Vector = self.pace * np.minimum(to_tail, to_head).min(axis=-2)
        return time

    def corner_values(self, box: Vector, site_values: SiteValues) -> Vector:
        """Return the values at the corners: along edges it is convex."""
        return site_values(self.travel(corners(box)))

    def names(self, locations: Vector) -> list[Any]:
        """Return the name of a cell, or of an edge and the way along it."""
        return [
            str(cell) if way == 0 else f"{cell} – {neighbour} at {way:.6g}"
            for cell, neighbour, way in self._named(locations)
        ]

    def _named(self, locations: Vector) -> list[tuple[Any, Any, float]]:
        """Return for each location the cells of its edge and the way from the first, which is 0 in a cell."""
        names, named = self.cells.cells, []
        for edge, before, after in zip(*self._along(locations), strict=True):
            tail, head = names[self.cells.tails[edge]], names[self.cells.heads[edge]]
            way = 0.0 if min(before, after) <= SAME else before
            named.append((head, tail, way) if after <= SAME else (tail, head, way))
        return named

    def columns(self, locations: Vector) -> dict[str, list[Any]]:
        """Return ``location``; ``cell``, ``towards``, ``distance``: how far from a cell to a neighbour."""
        columns: dict[str, list[Any]] = {"location": self.names(locations)}
        return columns | {
            name: [each[k] for each in self._named(locations)]
            for k, name in enumerate(("cell", "towards", "distance"))
        }

    def site_columns(self) -> dict[str, list[Any]]:
        """Return ``position``, the names of the cells."""
        return {"position": [str(cell) for cell in self.cells.cells]}


def distinct(ground: Ground, locations: Vector) -> Vector:
    """Return marketplaces that somebody uses, each location once, in ascending order of their numbers."""
    points = locations.reshape(-1, ground.width)
    points = points[np.lexsort(points.T[::-1])]
    ways = ground.travel(points)
    kept: list[int] = []
    for k in range(len(points)):
        if all(np.abs(ways[k] - ways[other]).max() > SAME for other in kept):
            kept.append(k)
    used = sorted({kept[j] for j in ways[kept].argmin(axis=0).tolist()})
    return points[used].ravel()


def nearest(ground: Ground, locations: Vector) -> NDArray[np.int_]:
    """Return the number of each site's marketplace (J,)."""
    points = locations.reshape(-1, ground.width)
    number: NDArray[np.int_] = ground.travel(points).argmin(axis=0)
    return number
