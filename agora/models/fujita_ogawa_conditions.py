r"""The definition of a spatial equilibrium, evaluated from tables.

Nothing here is shared with the program that produced the tables: production levels and travel
costs are computed anew from the parameters. Source: Osawa & Akamatsu (2019), Definition 1,
(3.5)–(3.9), and min r = 0. Quantities are compared as shares of the cell's land, prices in the
numéraire (a unit of the exported good).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from typing import Any, Protocol

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from agora.data.externalities import (
    ExponentialDecay,
    Externality,
    InteractionMatrix,
    ProductionFunction,
    WithinCellPower,
)
from agora.data.geographies import cell_network
from agora.models.equilibrium import Condition, worst_case

Vector = NDArray[np.float64]


class City(Protocol):
    """What the definition needs to know of a city."""

    @property
    def geography(self) -> nx.Graph: ...  # noqa: D102
    @property
    def commuting_cost(self) -> float: ...  # noqa: D102
    @property
    def firm_mass(self) -> float: ...  # noqa: D102
    @property
    def labor_per_firm(self) -> float: ...  # noqa: D102
    @property
    def spillover(self) -> Externality: ...  # noqa: D102


def city_conditions(city: City, tables: Mapping[str, pd.DataFrame], tolerance: float) -> tuple[Condition, ...]:
    """Evaluate every condition of Definition 1 and every identity of the tables.

    Parameters
    ----------
    city : City
        The parameters.
    tables : mapping of DataFrame
        ``cells``, ``commuting`` and ``totals``.
    tolerance : float
        Largest accepted violation: of quantities per unit of land, of prices in the numéraire.
    """
    frame, commuting, totals = tables["cells"], tables["commuting"], tables["totals"].iloc[0]
    network = cell_network(city.geography)
    roads = csr_array(
        (city.commuting_cost * network.lengths, (network.tails, network.heads)), shape=(network.number,) * 2
    )
    cells, land, phi = list(frame["cell"]), network.land, city.labor_per_firm
    firms, residents, employment, wage, rent, profit = (
        frame[name].to_numpy(dtype=float)
        for name in ("firms", "residents", "employment", "wage", "rent", "profit")
    )
    position = {cell: i for i, cell in enumerate(cells)}
    homes = np.array([position[cell] for cell in commuting["origin"]], dtype=int)
    jobs = np.array([position[cell] for cell in commuting["destination"]], dtype=int)
    flow = commuting["flow"].to_numpy(dtype=float)
    routes = [f"{cells[i]} → {cells[j]}" for i, j in zip(homes, jobs, strict=True)]
    toll = _travel_cost(roads, homes, jobs, float(commuting["cost"].max()) if len(flow) else 0.0)
    living = np.bincount(homes, weights=flow, minlength=network.number)
    working = np.bincount(jobs, weights=flow, minlength=network.number)
    best_wage = _accepted_wage(roads, rent)
    level = production_level(city.spillover, firms, network.distances)
    top = float(totals["profit"])
    earned = wage[jobs] - toll - rent[homes]
    spare_land, spare_labor = land - firms - living, working - phi * firms

    def cellwise(name: str, violations: Any) -> Condition:
        return worst_case(name, violations, cells, tolerance)

    def overall(name: str, violation: float) -> Condition:
        return worst_case(name, [violation], ["the city"], tolerance)

    return (
        cellwise("households: no cell pays more than min(rent + travel) (3.5)", (wage - best_wage)),
        cellwise("households: wages are the highest they accept, w = min(r + t)", np.abs(wage - best_wage)),
        worst_case("households: commuters earn v* = 0, n · v (3.5)", np.abs(flow / land[homes] * earned), routes, tolerance),
        worst_case("households: commuting masses ≥ 0 (3.5)", -flow / land[homes], routes, tolerance),
        worst_case("households: routes cost what they cost", np.abs(commuting["cost"] - toll), routes, tolerance),
        cellwise("firms: no cell offers more than π* (3.6)", level - phi * wage - rent - top),
        cellwise("firms: all earn π*, m · (π* − π) (3.6)", np.abs(firms / land * (top - level + phi * wage + rent))),
        cellwise("firms: masses ≥ 0 (3.6)", -firms / land),
        cellwise("firms: profit is production less wages and rent (3.1)", np.abs(profit - (level - phi * wage - rent))),
        cellwise("firms: production is what the firms around give", np.abs(frame["production"] - level)),
        cellwise("land: firms and residents fit (3.7)", -spare_land / land),
        cellwise("land: idle land is free, r · spare (3.7)", np.abs(rent * spare_land / land)),
        cellwise("land: rents ≥ 0 (3.7)", -rent),
        cellwise("land: the lowest rent is 0", np.where(rent <= rent.min(), np.abs(rent), 0.0)),
        cellwise("land: the table's land is the geography's", np.abs(frame["land"] - land) / land),
        cellwise("labour: firms find their workers (3.8)", -spare_labor / land),
        cellwise("labour: idle labour is free, w · spare (3.8)", np.abs(wage * spare_labor / land)),
        cellwise("labour: wages ≥ 0 (3.8)", -wage),
        cellwise("residents are those who commute from the cell", np.abs(residents - living) / land),
        cellwise("employment is those who commute to the cell", np.abs(employment - working) / land),
        cellwise("land use is named after who is there", _misnamed(frame["use"], land, firms, living, homes, jobs, flow)),
        overall("conservation: Σ m = M (3.9)", abs(firms.sum() - city.firm_mass) / city.firm_mass),
        overall("totals: firms and households", abs(totals["firms"] - firms.sum()) + abs(totals["households"] - flow.sum())),
        overall("totals: aggregate rent", abs(totals["aggregate_rent"] - rent @ land)),
        overall("totals: commuting cost", abs(totals["commuting_cost"] - flow @ toll)),
        overall("totals: production", abs(totals["production"] - level @ firms)),
        overall("totals: welfare is production less commuting", abs(totals["welfare"] - (level @ firms - flow @ toll))),
        overall(
            "totals: potential is f(m) less commuting",
            abs(totals["potential"] - (production_potential(city.spillover, firms, level) - flow @ toll)),
        ),
    )  # fmt: skip


def _travel_cost(roads: csr_array, homes: NDArray[np.int_], jobs: NDArray[np.int_], farthest: float) -> Vector:
    """Return t_ij of the given pairs by shortest paths, searching no farther than needed."""
    cost = np.full(len(homes), np.inf)
    order = np.argsort(homes, kind="stable")
    origins, first = np.unique(homes[order], return_index=True)
    groups = np.split(order, first[1:])
    for start in range(0, len(origins), 256):
        chunk = origins[start : start + 256]
        reach = dijkstra(roads, indices=chunk, limit=farthest * (1 + 1e-9) + 1e-300)
        for row, members in enumerate(groups[start : start + 256]):
            cost[members] = reach[row, jobs[members]]
    return cost


def _accepted_wage(roads: csr_array, rent: Vector) -> Vector:
    """Return min_i (r_i + t_ij) for every j: one shortest-path search from all homes at once."""
    number = len(rent)
    coordinates = roads.tocoo()
    floor = min(float(rent.min()), 0.0)
    weights = np.concatenate([coordinates.data, rent - floor])
    rows = np.concatenate([coordinates.row, np.full(number, number)])
    columns = np.concatenate([coordinates.col, np.arange(number)])
    reach = dijkstra(csr_array((weights, (rows, columns)), shape=(number + 1,) * 2), indices=number)
    accepted: Vector = reach[:number] + floor
    return accepted


def _misnamed(
    use: pd.Series,
    land: Vector,
    firms: Vector,
    living: Vector,
    homes: NDArray[np.int_],
    jobs: NDArray[np.int_],
    flow: Vector,
) -> Vector:
    """Return 1 where the named use is not what stands in the cell."""
    abroad = np.where(homes != jobs, flow, 0.0)
    moving = np.bincount(homes, abroad, len(land)) + np.bincount(jobs, abroad, len(land))
    seen = 1e-6 * land
    wrong = np.zeros(len(land))
    for i, name in enumerate(use):
        business, residential = firms[i] > seen[i], living[i] > seen[i]
        allowed = {
            (True, False): {"business"},
            (False, True): {"residential"},
            (False, False): {"vacant"},
            (True, True): {"mixed"} if moving[i] > seen[i] else {"integrated"},
        }[bool(business), bool(residential)]
        wrong[i] = 0.0 if name in allowed else 1.0
    return wrong


# --- production levels, anew ---------------------------------------------------------------------


@singledispatch
def production_level(externality: Any, firms: Vector, distances: Vector) -> Vector:
    """Return A(m) (I,), computed from the parameters of the externality."""
    raise TypeError(f"no production level for {type(externality).__name__}")


@production_level.register
def _(externality: ExponentialDecay, firms: Vector, distances: Vector) -> Vector:
    level: Vector = (np.exp(-externality.decay * distances) * firms[None, :]).sum(axis=1)
    return level


@production_level.register
def _(externality: WithinCellPower, firms: Vector, distances: Vector) -> Vector:
    level: Vector = np.maximum(firms, 0.0) ** externality.exponent
    return level


@production_level.register
def _(externality: InteractionMatrix, firms: Vector, distances: Vector) -> Vector:
    level: Vector = (np.array(externality.values) * firms[None, :]).sum(axis=1)
    return level


@production_level.register
def _(externality: ProductionFunction, firms: Vector, distances: Vector) -> Vector:
    return np.array([float(level) for level in externality.function(firms.tolist())])


def production_potential(externality: Externality, firms: Vector, level: Vector) -> float:
    """Return f(m): by homogeneity where A is homogeneous, else as the user's f or line integral."""
    if isinstance(externality, WithinCellPower):
        return float(level @ firms) / (1 + externality.exponent)
    if isinstance(externality, ProductionFunction):
        if externality.potential is not None:
            return float(externality.potential(firms.tolist()))
        nodes, weights = np.polynomial.legendre.leggauss(16)
        levels = [externality.function((0.5 * (node + 1) * firms).tolist()) for node in nodes]
        return float(sum(w / 2 * (np.array(a, float) @ firms) for w, a in zip(weights, levels, strict=True)))
    return float(level @ firms) / 2
