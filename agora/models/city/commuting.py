r"""Commuting to given jobs: the lower stage of the Fujita–Ogawa city, (S) and its dual (D).

Firms stand where they are told; households choose where to live and by which route to commute, and
land and labour markets clear. Osawa & Akamatsu (2019), Definition 2 and Proposition 2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import pyomo.environ as pyo
from pydantic import Field, field_validator, model_validator

from agora.data.checks import InputError, finite
from agora.data.fields import POSITIVE
from agora.data.geographies import CellNetwork, cell_network
from agora.formulations.city import land_labor
from agora.formulations.city.commuting import (
    add_commuting_edges,
    add_commuting_prices_edges,
    add_commuting_prices_pairs,
)
from agora.formulations.city.commuting_numbers import lowest_wages
from agora.models.certificate import Condition
from agora.models.city.conditions import commuting_conditions
from agora.models.city.tables import (
    COMMUTING_TABLES,
    cell_names,
    commuting_table,
    offered_wages,
    read_commuters,
)
from agora.models.model import ModelCard
from agora.models.prices import price
from agora.models.spatial import SpatialModel
from agora.models.table_spec import TableSpec
from agora.typing import Tables

Commuting = Callable[[pyo.Block, CellNetwork, float], None]
"""A formulation of commuting: `add_commuting_edges` or `add_commuting_pairs`."""


class CommuterCity(SpatialModel):
    """A geography whose households commute to firms that need labour."""

    symbols: ClassVar[Mapping[str, str]] = {
        "t": "commuting_cost",
        "phi": "labor_per_firm",
        "φ": "labor_per_firm",
    }
    unit_of: ClassVar[Mapping[str, str]] = {
        "commuting_cost": "numéraire per household and length",
        "labor_per_firm": "households per firm",
        "land": "land",
    }

    commuting_cost: float = Field(gt=0, json_schema_extra=POSITIVE)
    labor_per_firm: float = Field(gt=0, json_schema_extra=POSITIVE)

    def expected_rows(self) -> dict[str, pd.DataFrame]:
        """Return what the rows of the tables are about: the cells."""
        names = cell_names(self.network)
        cells = pd.DataFrame({"cell": names})
        pairs = pd.DataFrame({"origin": names, "destination": names})
        return {"cells": cells, "commuting": pairs, "equilibrium_firms": cells, "history_firms": cells}


class CommutingMarket(CommuterCity):
    """Households' homes, jobs and routes, with the wages and rents that clear the markets.

    Parameters
    ----------
    geography : networkx.Graph or DiGraph
        Cells with ``land`` (> 0), links with ``length`` (> 0).
    commuting_cost : float
        t > 0, numéraire per unit of length and household.
    firms : mapping cell → mass, or sequence
        m_i ≥ 0, at most the land of the cell; a sequence is in the sorted order of the cells.
    labor_per_firm : float
        φ > 0, households per firm.
    """

    card: ClassVar[ModelCard] = ModelCard(
        name="commuting",
        question="Given the firms, where do households live, and what do wages and rents have to be?",
        program="linear program; network flow on the edges of the geography",
        citation="Osawa and Akamatsu (2019), section 4.1, (S) and (D)",
        assumptions=("commuting costs are proportional to the length of the shortest path",),
        left_out=("congestion", "firms' choice of location"),
    )

    unit_of: ClassVar[Mapping[str, str]] = {**CommuterCity.unit_of, "firms": "mass of firms"}
    tables_spec: ClassVar[Mapping[str, TableSpec]] = COMMUTING_TABLES

    firms: tuple[float, ...]

    @field_validator("firms", mode="before")
    @classmethod
    def _masses(cls, given: Any, info: Any) -> tuple[float, ...]:
        if isinstance(given, Mapping) and "geography" in info.data:
            names = {str(cell): cell for cell in cell_network(info.data["geography"]).cells}
            table = {names.get(str(cell), cell): mass for cell, mass in given.items()}
            for cell in table:
                if cell not in names.values():
                    allowed = "left out, since the geography has no such cell"
                    raise InputError(f"firms[{cell}]", table[cell], allowed)
            given = [table.get(cell, 0.0) for cell in names.values()]
        return tuple(finite(f"firms[{i}]", mass) for i, mass in enumerate(given))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        land = self.network.land
        if len(self.firms) != len(land):
            raise InputError("firms", f"{len(self.firms)} numbers", f"one number a cell, {len(land)}")
        for cell, mass, space in zip(self.network.cells, self.firms, land.tolist(), strict=True):
            if not 0 <= mass <= space * (1 + 1e-12):
                raise InputError(f"firms[{cell}]", mass, f"between 0 and the land of the cell, {space:.12g}")
        need, total = sum(self.firms) * (1 + self.labor_per_firm), float(land.sum())
        if need > total * (1 + 1e-12):
            allowed = f"at most {total / (1 + self.labor_per_firm):.12g} in all, so that workers fit"
            raise InputError("firms", sum(self.firms), allowed)
        return self

    def program(self, commuting: Commuting = add_commuting_edges) -> pyo.ConcreteModel:
        r"""Return (S): min h(n) over homes and routes, land and labour limits.

        Osawa & Akamatsu (2019), Proposition 2 (a). Multipliers: rents ř_i, wages w_j.
        """
        program = pyo.ConcreteModel(name="commuting (S)")
        land_labor.add_cells(program, self.network)
        land_labor.add_given_firms(program, land_labor.cell_values(self.network, self.firms))
        commuting(program, self.network, self.commuting_cost)
        land_labor.add_land_limit(program)
        land_labor.add_labor_balance(program, self.labor_per_firm)
        program.cost = pyo.Objective(expr=program.total_commuting_cost, sense=pyo.minimize, doc="h(n)")
        return program

    def dual_program(self, pairs: bool = False) -> pyo.ConcreteModel:
        r"""Return (D): max φ Σ w_i m_i − Σ ř_i (a_i − m_i) over prices no household can improve upon.

        Osawa & Akamatsu (2019), Proposition 2 (b); stated on the edges, or for all pairs of cells.
        """
        program = pyo.ConcreteModel(name="commuting (D)")
        land_labor.add_cells(program, self.network)
        land_labor.add_wages_and_rents(program)
        (add_commuting_prices_pairs if pairs else add_commuting_prices_edges)(
            program, self.network, self.commuting_cost
        )
        masses = zip(self.network.cells, self.firms, self.network.land.tolist(), strict=True)
        program.surplus = pyo.Objective(
            expr=pyo.quicksum(
                self.labor_per_firm * mass * program.wage[cell] - (land - mass) * program.rent[cell]
                for cell, mass, land in masses
            ),
            sense=pyo.maximize,
            doc="wage bill less rents of homes",
        )
        return program

    def read(self, program: pyo.ConcreteModel) -> dict[str, pd.DataFrame]:
        """Return ``cells`` (cell, land, firms, residents, employment, wage, rent), ``commuting``, ``totals``.

        Wages and rents are the lowest that support the commuting, hence the same for every
        formulation and solver; wages of cells without jobs are the highest households accept.
        """
        network = self.network
        firms = np.array(self.firms)
        residents = np.array([float(pyo.value(program.residents[cell])) for cell in network.cells])
        employment = np.array([float(pyo.value(program.employment[cell])) for cell in network.cells])
        commuters = read_commuters(program, network)
        rents = np.array([max(price(program, program.land_limit[cell]), 0.0) for cell in network.cells])
        supporting = offered_wages(network, self.commuting_cost, rents)
        wage = lowest_wages(
            network, self.commuting_cost, supporting, np.zeros(network.number), commuters.ties(network)
        )
        names = cell_names(network)
        commuting = commuting_table(
            network, commuters.rows(network, residents, employment), self.commuting_cost
        )
        cells = pd.DataFrame(
            {
                "cell": names,
                "land": network.land,
                "firms": firms,
                "residents": residents,
                "employment": employment,
                "wage": wage,
                "rent": wage,
            }
        )
        totals = pd.DataFrame(
            {
                "firms": [float(firms.sum())],
                "households": [float(residents.sum())],
                "aggregate_rent": [float(wage @ network.land)],
                "total_commuting_cost": [float((commuting["flow"] * commuting["cost"]).sum())],
            }
        )
        return {"cells": cells, "commuting": commuting, "totals": totals}

    def conditions(self, tables: Tables, tolerance: float = 1e-6) -> tuple[Condition, ...]:
        """Evaluate Definition 2, (3.5), (3.7), (3.8), from the tables alone."""
        return commuting_conditions(self, np.array(self.firms), tables, tolerance)
