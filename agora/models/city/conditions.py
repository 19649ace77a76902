r"""The definition of a spatial equilibrium, evaluated from tables.

Nothing here is shared with the program that produced the tables: production levels and travel
costs are computed anew from the parameters. Source: Osawa & Akamatsu (2019), Definition 1,
(3.5)–(3.9), and min r = 0. Quantities are compared as shares of the cell's land, prices in the
numéraire (a unit of the exported good).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import singledispatch
from typing import Any, Protocol

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from agora.data.checks import InputError
from agora.data.city import (
    ExponentialDecay,
    Externality,
    InteractionMatrix,
    ProductionFunction,
    WithinCellPower,
)
from agora.data.geographies import CellNetwork, cell_network
from agora.models.certificate import Condition, worst_case
from agora.typing import Vector

NEGLIGIBLE_SPILLOVER = 1e-18
"""Share of a firm's effect on its own cell below which its effect on another is left out."""


class Market(Protocol):
    """What the definition needs to know of a market to which households commute."""

    @property
    def geography(self) -> nx.Graph: ...  # noqa: D102
    @property
    def commuting_cost(self) -> float: ...  # noqa: D102
    @property
    def labor_per_firm(self) -> float: ...  # noqa: D102


class City(Market, Protocol):
    """A market whose firms choose their cell."""

    @property
    def firm_mass(self) -> float: ...  # noqa: D102
    @property
    def spillover(self) -> Externality: ...  # noqa: D102


def commuting_conditions(
    market: Market, given_firms: Vector, tables: Mapping[str, pd.DataFrame], tolerance: float
) -> tuple[Condition, ...]:
    """Evaluate Definition 2 (firms given) and every identity of the tables; see `city_conditions`."""
    look = _Look(market, tables, tolerance)
    return (
        look.cellwise("firms: stand where they are told", np.abs(look.firms - given_firms) / look.land),
        *look.households(),
        *look.land_market(),
        *look.labor_market(),
        *look.sums(),
    )


def city_conditions(
    city: City, tables: Mapping[str, pd.DataFrame], tolerance: float
) -> tuple[Condition, ...]:
    """Evaluate every condition of Definition 1 and every identity of the tables.

    `tolerance` is the largest accepted violation: of quantities per unit of land, of prices in the numéraire.
    """
    look = _Look(city, tables, tolerance)
    level = production_level(city.spillover, look.firms, look.network)
    earned = level - city.labor_per_firm * look.wage - look.rent
    top, totals, share = float(look.totals["profit"]), look.totals, look.firms / look.land
    output, cost = float(level @ look.firms), float(look.flow @ look.toll)
    return (
        *look.households(),
        look.cellwise("firms: no cell offers more than π* (3.6)", earned - top),
        look.cellwise("firms: all earn π*, m · (π* − π) (3.6)", np.abs(share * (top - earned))),
        look.cellwise("firms: masses ≥ 0 (3.6)", -share),
        look.cellwise(
            "firms: profit is production less wages and rent (3.1)", np.abs(look.column("profit") - earned)
        ),
        look.cellwise(
            "firms: production is what the firms around give", np.abs(look.column("production") - level)
        ),
        *look.land_market(),
        *look.labor_market(),
        look.cellwise("land use is named after who is there", look.misnamed()),
        look.overall("conservation: Σ m = M (3.9)", (look.firms.sum() - city.firm_mass) / city.firm_mass),
        *look.sums(),
        look.overall("totals: production", totals["production"] - output),
        look.overall("totals: welfare is production less commuting", totals["welfare"] - (output - cost)),
        look.overall(
            "totals: potential is f(m) less commuting",
            _untrue(totals["potential"] + cost, city.spillover, look.firms, level, look.network),
        ),
    )


class _Look:
    """The tables as arrays, with travel costs computed anew from the geography."""

    def __init__(self, market: Market, tables: Mapping[str, pd.DataFrame], tolerance: float) -> None:
        self.market, self.tolerance = market, tolerance
        self.frame, commuting = tables["cells"], tables["commuting"]
        self.totals = tables["totals"].iloc[0].to_dict()
        network = cell_network(market.geography)
        self.land, self.network = network.land, network
        number = len(self.land)
        self.links = csr_array(
            (market.commuting_cost * network.lengths, (network.tails, network.heads)), shape=(number, number)
        )
        self.cells = self.frame["cell"].tolist()
        self.firms, self.wage, self.rent = (self.column(name) for name in ("firms", "wage", "rent"))
        position = {cell: i for i, cell in enumerate(self.cells)}
        self.homes, self.jobs = (
            np.array([position[cell] for cell in commuting[end].tolist()], dtype=int)
            for end in ("origin", "destination")
        )
        self.flow = commuting["flow"].to_numpy(dtype=float)
        self.reported = commuting["cost"].to_numpy(dtype=float)
        self.toll = _travel_cost(self.links, self.homes, self.jobs, self.reported)
        self.living = np.bincount(self.homes, weights=self.flow, minlength=number)
        self.working = np.bincount(self.jobs, weights=self.flow, minlength=number)

    def column(self, name: str) -> Vector:
        """Return a column of the table of cells."""
        return self.frame[name].to_numpy(dtype=float)

    def cellwise(self, name: str, violations: Any) -> Condition:
        """Return the condition violated by so much in each cell."""
        return worst_case(name, violations, self.cells, self.tolerance)

    def routewise(self, name: str, violations: Any) -> Condition:
        """Return the condition violated by so much on each commuting pair."""
        routes = [f"{self.cells[i]} → {self.cells[j]}" for i, j in zip(self.homes, self.jobs, strict=True)]
        return worst_case(name, violations, routes, self.tolerance)

    def overall(self, name: str, difference: Any) -> Condition:
        """Return the condition on a sum."""
        return worst_case(name, [abs(float(difference))], ["the city"], self.tolerance)

    def households(self) -> tuple[Condition, ...]:
        """Evaluate utility maximisation (3.5), v* = 0: no pair of cells is better, all used are as good."""
        accepted, share = _accepted_wage(self.links, self.rent), self.flow / self.land[self.homes]
        utility = self.wage[self.jobs] - self.toll - self.rent[self.homes]
        return (
            self.cellwise("households: no home and job gives more than v* = 0 (3.5)", self.wage - accepted),
            self.cellwise(
                "households: wages are the highest they accept, w = min(r + t)", np.abs(self.wage - accepted)
            ),
            self.routewise("households: commuters earn v* = 0, n · v (3.5)", np.abs(share * utility)),
            self.routewise("households: commuting masses ≥ 0 (3.5)", -share),
            self.routewise("households: trips cost t × shortest path", np.abs(self.reported - self.toll)),
        )

    def land_market(self) -> tuple[Condition, ...]:
        """Evaluate land market clearing (3.7) and the opportunity rent 0."""
        spare = (self.land - self.firms - self.living) / self.land
        lowest = np.where(self.rent <= self.rent.min(), np.abs(self.rent), 0.0)
        listed, residents = self.column("land"), self.column("residents")
        return (
            self.cellwise("land: firms and residents fit (3.7)", -spare),
            self.cellwise("land: idle land is free, r · spare (3.7)", np.abs(self.rent * spare)),
            self.cellwise("land: rents ≥ 0 (3.7)", -self.rent),
            self.cellwise("land: the lowest rent is 0", lowest),
            self.cellwise(
                "land: the table's land is the geography's", np.abs(listed - self.land) / self.land
            ),
            self.cellwise(
                "land: residents are those who commute from here", np.abs(residents - self.living) / self.land
            ),
        )

    def labor_market(self) -> tuple[Condition, ...]:
        """Evaluate labour market clearing (3.8)."""
        employment = self.column("employment")
        spare = (self.working - self.market.labor_per_firm * self.firms) / self.land
        return (
            self.cellwise("labour: firms find their workers (3.8)", -spare),
            self.cellwise("labour: idle labour is free, w · spare (3.8)", np.abs(self.wage * spare)),
            self.cellwise("labour: wages ≥ 0 (3.8)", -self.wage),
            self.cellwise(
                "labour: employment is those who commute to here",
                np.abs(employment - self.working) / self.land,
            ),
        )

    def sums(self) -> tuple[Condition, ...]:
        """Evaluate the totals every model of commuting has."""
        return (
            self.overall("totals: firms", self.totals["firms"] - self.firms.sum()),
            self.overall("totals: households", self.totals["households"] - self.flow.sum()),
            self.overall("totals: aggregate rent", self.totals["aggregate_rent"] - self.rent @ self.land),
            self.overall(
                "totals: total commuting cost", self.totals["total_commuting_cost"] - self.flow @ self.toll
            ),
        )

    def misnamed(self) -> Vector:
        """Return 1 where the named use is not what stands in the cell, else 0."""
        abroad = np.where(self.homes != self.jobs, self.flow, 0.0)
        number, seen = len(self.land), 1e-6 * self.land
        moving = np.bincount(self.homes, abroad, number) + np.bincount(self.jobs, abroad, number)
        wrong = np.zeros(number)
        for i, name in enumerate(self.frame["use"]):
            allowed = {
                (True, False): "business",
                (False, True): "residential",
                (False, False): "vacant",
                (True, True): "mixed" if moving[i] > seen[i] else "integrated",
            }[bool(self.firms[i] > seen[i]), bool(self.living[i] > seen[i])]
            wrong[i] = float(name != allowed)
        return wrong


def _travel_cost(
    links: csr_array, homes: NDArray[np.int_], jobs: NDArray[np.int_], reported: Vector
) -> Vector:
    """Return t_ij of the given pairs by shortest paths.

    Searches start from homes or from jobs, whichever are fewer, and go a little farther than the
    longest trip reported; a pair not met within is infinitely dear.
    """
    away = homes != jobs
    cost = np.where(away, np.inf, 0.0)
    if len(np.unique(jobs[away])) < len(np.unique(homes[away])):
        links, homes, jobs = links.T.tocsr(), jobs, homes
    pairs = np.flatnonzero(away)
    pairs = pairs[np.argsort(homes[pairs], kind="stable")]
    origins, first = np.unique(homes[pairs], return_index=True)
    members = np.split(pairs, first[1:]) if len(pairs) else []
    longest = np.array([np.nan_to_num(reported[group], nan=np.inf).max() for group in members])
    order = np.argsort(longest, kind="stable")
    for start in range(0, len(order), 32):
        chunk = order[start : start + 32]
        limit = float(longest[chunk].max()) * (1 + 1e-6)
        reach = dijkstra(links, indices=origins[chunk], limit=limit)
        for row, group in zip(reach, chunk, strict=True):
            cost[members[group]] = row[jobs[members[group]]]
    return cost


def _accepted_wage(links: csr_array, rent: Vector) -> Vector:
    """Return min_i (r_i + t_ij) for every j: one shortest-path search from all homes at once."""
    number = len(rent)
    coordinates = links.tocoo()
    floor = min(float(rent.min()), 0.0)
    weights = np.concatenate([coordinates.data, rent - floor])
    rows = np.concatenate([coordinates.row, np.full(number, number)])
    columns = np.concatenate([coordinates.col, np.arange(number)])
    reach = dijkstra(csr_array((weights, (rows, columns)), shape=(number + 1,) * 2), indices=number)
    accepted: Vector = reach[:number] + floor
    return accepted


# --- production levels, anew ---------------------------------------------------------------------


@singledispatch
def production_level(externality: Externality, firms: Vector, network: CellNetwork) -> Vector:
    """Return A(m) (I,), computed from the parameters of the externality."""
    allowed = "one that is known to production_level (a kind of one's own: @production_level.register)"
    raise InputError("externality", externality, allowed)


@production_level.register
def _(externality: ExponentialDecay, firms: Vector, network: CellNetwork) -> Vector:
    level = np.zeros(network.number)
    towards = network.matrix().T.tocsr()
    occupied = np.flatnonzero(firms)
    reach = -np.log(NEGLIGIBLE_SPILLOVER) / externality.decay
    for start in range(0, len(occupied), 256):
        cells = occupied[start : start + 256]
        level += firms[cells] @ np.exp(-externality.decay * dijkstra(towards, indices=cells, limit=reach))
    return level


@production_level.register
def _(externality: WithinCellPower, firms: Vector, network: CellNetwork) -> Vector:
    return np.maximum(firms, 0.0) ** externality.exponent


@production_level.register
def _(externality: InteractionMatrix, firms: Vector, network: CellNetwork) -> Vector:
    level: Vector = (np.array(externality.values) * firms[None, :]).sum(axis=1)
    return level


@production_level.register
def _(externality: ProductionFunction, firms: Vector, network: CellNetwork) -> Vector:
    return np.array([float(level) for level in externality.function(firms.tolist())])


def production_potential(
    externality: Externality, firms: Vector, level: Vector, network: CellNetwork
) -> float:
    """Return f(m): by homogeneity where A is homogeneous, else as the user's f or line integral."""
    if externality.degree is not None:
        return float(level @ firms) / (1 + externality.degree)
    if isinstance(externality, ProductionFunction) and externality.potential is not None:
        return float(externality.potential(firms.tolist()))
    return _line_integral(externality, 0 * firms, firms, network)


def _untrue(
    said: float, externality: Externality, firms: Vector, level: Vector, network: CellNetwork
) -> float:
    """Return by how much the f(m) that was said is wrong; NaN if it is missing or given wrongly."""
    gap = round_trip(externality, network)
    if math.isnan(said):
        return 0.0 if gap > 1e-10 else math.nan
    return said - production_potential(externality, firms, level, network) if gap < 1e-5 else math.nan


def round_trip(externality: Externality, network: CellNetwork) -> float:
    """Return A's integral around a triangle of distributions over that of |A|'s sides: 0 if f exists."""
    if externality.is_symmetric(network):
        return 0.0
    random = np.random.default_rng(7)
    corners = [0 * network.land, *(network.land * random.uniform(0.2, 1.8, size=(2, network.number)))]
    sides = [
        _line_integral(externality, start, end, network)
        for start, end in zip(corners, [*corners[1:], corners[0]], strict=True)
    ]
    return abs(sum(sides)) / max(sum(map(abs, sides)), 1e-300)


def _line_integral(externality: Externality, start: Vector, end: Vector, network: CellNetwork) -> float:
    """Return the integral of A along the straight line between two distributions of firms."""
    nodes, weights = np.polynomial.legendre.leggauss(1 if externality.is_linear else 16)
    total = 0.0
    for node, weight in zip(nodes, weights, strict=True):
        between = start + (node + 1) / 2 * (end - start)
        total += weight / 2 * float(production_level(externality, between, network) @ (end - start))
    return total
