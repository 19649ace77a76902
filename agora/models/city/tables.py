"""A city in economic words: an allocation with its prices, read from programs into tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyomo.environ as pyo
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra

from agora.data.geographies import CellNetwork
from agora.formulations.city.commuting_numbers import commuters_by_pair
from agora.models.prices import price
from agora.models.table_spec import Column, TableSpec, columns
from agora.typing import Vector

_CELL, _FIRMS = Column("cell", kind="name"), Column("firms", "mass of firms")
_HOUSEHOLDS, _NUMERAIRE = "mass of households", "numéraire"
_LAND = (_CELL, Column("land", "land"), _FIRMS)
_PEOPLE = columns("residents", "employment", unit=_HOUSEHOLDS)
_PRICES = (Column("wage", "numéraire per household"), Column("rent", "numéraire per unit of land"))
_SUMS = (_FIRMS, Column("households", _HOUSEHOLDS))
_PAID = columns("aggregate_rent", "total_commuting_cost", unit=_NUMERAIRE)
_COMMUTING = TableSpec(
    (
        *columns("origin", "destination", kind="name"),
        Column("flow", _HOUSEHOLDS),
        Column("cost", "numéraire per household"),
    ),
    key=("origin", "destination"),
    complete=False,
)

COMMUTING_TABLES: dict[str, TableSpec] = {
    "cells": TableSpec((*_LAND, *_PEOPLE, *_PRICES), key=("cell",)),
    "commuting": _COMMUTING,
    "totals": TableSpec((*_SUMS, *_PAID)),
}
"""Tables of a city whose firms are given."""

_ALL = "method 'all-equilibria' alone"
_HISTORY = "method 'history' alone"
CITY_TABLES: dict[str, TableSpec] = {
    "cells": TableSpec(
        (
            *(*_LAND, *_PEOPLE),
            Column("production", "numéraire per firm"),
            *_PRICES,
            Column("profit", "numéraire per firm"),
            Column("use", kind="name"),
        ),
        key=("cell",),
    ),
    "commuting": _COMMUTING,
    "totals": TableSpec(
        (
            *_SUMS,
            Column("profit", "numéraire per firm"),
            *_PAID,
            Column("production", _NUMERAIRE),
            Column("potential", _NUMERAIRE, missing="the externality is not symmetric"),
            Column("welfare", _NUMERAIRE),
        )
    ),
    "equilibria": TableSpec(
        (
            Column("equilibrium", kind="whole"),
            Column("potential", _NUMERAIRE),
            Column("kind", kind="name"),
            Column("total_commuting_cost", _NUMERAIRE),
            Column("reached", kind="whole", optional="methods that go on from starts"),
            *columns("orbit", "orbit_size", kind="whole", optional=_ALL),
            Column("basin", "dimensionless", optional=_ALL),
            Column("firms_*", "mass of firms", optional="few cells"),
        ),
        key=("equilibrium",),
        optional="methods 'best-response', 'global' and 'all-equilibria'",
    ),
    "equilibrium_firms": TableSpec(
        (Column("equilibrium", kind="whole"), _CELL, _FIRMS), key=("equilibrium", "cell"), optional=_ALL
    ),
    "history": TableSpec(
        (Column("time", "time"), Column("potential", _NUMERAIRE)), key=("time",), optional=_HISTORY
    ),
    "history_firms": TableSpec(
        (Column("time", "time"), _CELL, _FIRMS), key=("time", "cell"), optional=_HISTORY
    ),
}
"""Tables of a city whose firms choose their cell, those of single methods too."""


Route = tuple[int, int, float, float]
"""Home, workplace (positions in the network), mass of households, length of the route."""


@dataclass(frozen=True)
class Commuters:
    """Who commutes: the flow x_e (E,) on the edges, or the pairs n_ij where a program has them."""

    flow: Vector
    pairs: tuple[Route, ...] | None = None

    def ties(self, network: CellNetwork) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
        """Return tails and heads of the edges or pairs somebody travels: there wages pay the trip exactly."""
        if self.pairs is None:
            used = self.flow > 1e-9 * float(network.land.mean())
            return network.tails[used], network.heads[used]
        homes, jobs = ([pair[k] for pair in self.pairs] for k in (0, 1))
        return np.array(homes, dtype=int), np.array(jobs, dtype=int)

    def rows(self, network: CellNetwork, residents: Vector, employment: Vector) -> list[Route]:
        """Return the commuting matrix as rows; recovered from the flow where it is not known."""
        if self.pairs is None:
            return commuters_by_pair(network, residents, employment, self.flow)
        return list(self.pairs)


@dataclass(frozen=True)
class CityAllocation:
    """Who stands where and at which prices; arrays in the order of the network."""

    firms: Vector
    residents: Vector
    employment: Vector
    """Masses m_i, y_i, N_i of firms, residents and workers, (I,) each."""
    commuters: Commuters
    """Who commutes where."""
    wage: Vector
    rent: Vector
    """w_j and r_i in the numéraire, (I,) each."""
    profit: float
    """π*, numéraire per firm."""
    commuting_cost: float
    """t, numéraire per unit of length."""


def offered_wages(network: CellNetwork, commuting_cost: float, rent: Vector) -> Vector:
    r"""Return the wages at which households are indifferent, w_j = min_i (r_i + t_ij) (I,).

    The wage of a cell without jobs may be anything below; this is the highest, the canonical one.
    """
    number = network.number
    rows = np.concatenate([network.tails, np.full(number, number)])
    columns = np.concatenate([network.heads, np.arange(number)])
    weights = np.concatenate([commuting_cost * network.lengths, rent])
    graph = csr_array((weights, (rows, columns)), shape=(number + 1, number + 1))
    wages: Vector = dijkstra(graph, indices=number)[:number]
    return wages


def read_city(
    program: pyo.ConcreteModel, network: CellNetwork, commuting_cost: float, labor_per_firm: float
) -> CityAllocation:
    """Read quantities and prices from a solved overall program, in edges or in pairs.

    Prices are multipliers, shifted so that the lowest rent is 0 where all land is used (then the
    common level of prices is free), with wages the highest that households accept.
    """
    cells = network.cells

    def values(component: Any) -> Vector:
        return np.array([max(float(pyo.value(component[cell])), 0.0) for cell in cells])

    firms, residents, employment = (values(c) for c in (program.firms, program.residents, program.employment))
    if hasattr(program, "wage"):
        rent, profit = values(program.rent), float(pyo.value(program.profit))
    else:
        rent = np.array([price(program, program.land_limit[cell]) for cell in cells])
        profit = price(program, program.firm_mass_balance)
    level = rent.min()
    rent = np.maximum(rent - level, 0.0)
    profit += (1 + labor_per_firm) * level
    wage = offered_wages(network, commuting_cost, rent)
    commuters = read_commuters(program, network)
    return CityAllocation(firms, residents, employment, commuters, wage, rent, profit, commuting_cost)


def read_commuters(program: pyo.ConcreteModel, network: CellNetwork) -> Commuters:
    """Read who commutes from a solved program in edges or in pairs, without rounding noise."""
    scale = float(network.land.mean())
    if hasattr(program, "commuters"):
        masses = {key: float(pyo.value(flow)) for key, flow in program.commuters.items()}
        return Commuters(
            np.zeros(0),
            tuple(
                (i, j, n, float(network.distances[i, j])) for (i, j), n in masses.items() if n > 1e-9 * scale
            ),
        )
    flow = np.array([max(float(pyo.value(x)), 0.0) for x in program.commuting_flow.values()])
    ends = list(zip(network.tails.tolist(), network.heads.tolist(), strict=True))
    along = dict(zip(ends, flow.tolist(), strict=True))
    back = np.array([along.get((head, tail), 0.0) for tail, head in ends])
    flow = np.maximum(flow - back, 0.0)  # who goes and comes back goes nowhere
    return Commuters(np.where(flow > 1e-7 * scale, flow, 0.0))


def commuting_table(network: CellNetwork, routes: list[Route], commuting_cost: float) -> pd.DataFrame:
    """Return the table ``commuting``: origin, destination, flow (mass), cost (numéraire per household)."""
    names = cell_names(network)
    return pd.DataFrame(
        {
            "origin": [names[i] for i, _, _, _ in routes],
            "destination": [names[j] for _, j, _, _ in routes],
            "flow": np.array([mass for _, _, mass, _ in routes], dtype=float),
            "cost": np.array([commuting_cost * length for _, _, _, length in routes], dtype=float),
        }
    )


def city_tables(
    allocation: CityAllocation,
    network: CellNetwork,
    labor_per_firm: float,
    production: Vector,
    potential: float,
) -> dict[str, pd.DataFrame]:
    """Return the tables ``cells``, ``commuting`` and ``totals`` of a city.

    ``cells``: cell, land, firms, residents, employment (masses), production, wage, rent, profit
    (numéraire per firm, worker, unit of land, firm), use (business, residential, integrated — all
    who live there work there and nobody else —, mixed, vacant). ``commuting``: origin,
    destination, flow (mass), cost (numéraire per household). ``totals``: one row of sums; `potential` is
    f(m), missing where there is none.
    """
    names = cell_names(network)
    routes = allocation.commuters.rows(network, allocation.residents, allocation.employment)
    commuting = commuting_table(network, routes, allocation.commuting_cost)
    travelling = np.zeros(network.number)
    for i, j, mass, _ in routes:
        if i != j:
            travelling[i] += mass
            travelling[j] += mass
    cells = pd.DataFrame(
        {
            "cell": names,
            "land": network.land,
            "firms": allocation.firms,
            "residents": allocation.residents,
            "employment": allocation.employment,
            "production": production,
            "wage": allocation.wage,
            "rent": allocation.rent,
            "profit": production - labor_per_firm * allocation.wage - allocation.rent,
            "use": land_use(network.land, allocation.firms, allocation.residents, travelling),
        }
    )
    cost = sum(mass * allocation.commuting_cost * length for _, _, mass, length in routes)
    output = float(production @ allocation.firms)
    totals = pd.DataFrame(
        {
            "firms": [float(allocation.firms.sum())],
            "households": [float(allocation.residents.sum())],
            "profit": [allocation.profit],
            "aggregate_rent": [float(allocation.rent @ network.land)],
            "total_commuting_cost": [cost],
            "production": [output],
            "potential": [potential - cost],
            "welfare": [output - cost],
        }
    )
    return {"cells": cells, "commuting": commuting, "totals": totals}


def land_use(land: Vector, firms: Vector, residents: Vector, travelling: Vector) -> list[str]:
    """Name the use of each cell; quantities below 1e-6 of its land do not count."""
    uses = []
    for has_firms, has_residents, has_travel in zip(
        firms > 1e-6 * land, residents > 1e-6 * land, travelling > 1e-6 * land, strict=True
    ):
        if has_firms and has_residents:
            uses.append("mixed" if has_travel else "integrated")
        else:
            uses.append("business" if has_firms else "residential" if has_residents else "vacant")
    return uses


def number_of_centres(network: CellNetwork, residents: Vector, employment: Vector) -> int:
    """Return the number of business centres: connected groups of cells where more work than live.

    A city in which nobody commutes has none. Differences below 1e-6 of a cell's land do not count.
    """
    inside = employment - residents > 1e-6 * network.land
    links = inside[network.tails] & inside[network.heads]
    ends = (network.tails[links], network.heads[links])
    graph = csr_array((np.ones(int(links.sum())), ends), shape=(network.number, network.number))
    _, names = connected_components(graph, directed=False)
    return len(set(names[inside].tolist()))


def cell_names(network: CellNetwork) -> list[Any]:
    """Return the cells as they stand in tables: numbers or text, one kind in a column."""
    if all(isinstance(cell, int) for cell in network.cells):
        return list(network.cells)
    return [str(cell) for cell in network.cells]
