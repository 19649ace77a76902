r"""The short run of an economy of sectors: wages, prices and profit rates that clear markets, firms given.

A model in the spirit of Fabbri, Fiaschi and Ricci (2025): their equations are not public, and those here are
derived so that the claims of their abstract hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import pyomo.environ as pyo
from pydantic import field_validator, model_validator

from agora.data.profiles import Profile
from agora.formulations.sectors import short_run
from agora.models.certificate import Condition, worst_case
from agora.models.model import ModelCard
from agora.models.prices import price
from agora.models.sectors.conditions.short_run import COLUMNS, dates_of, price_level_of, short_run_conditions
from agora.models.sectors.economy import SHORT_RUN_TABLES, SectorEconomy, profile
from agora.models.table_spec import TableSpec
from agora.typing import Tables, Vector


class ShortRunCompetition(SectorEconomy):
    r"""Competitive equilibrium of sectors whose firms cannot move yet; consumption is the numéraire (P = 1).

    Parameters
    ----------
    geography : networkx.Graph
        Sectors with ``land`` λ > 0, their numbers of varieties.
    firm_share : float
        α in (0, 1): Y = A n^α L^{1−α}.
    substitution : float
        σ > 0; 1 is Cobb–Douglas.
    firms, labor : float
        N and L̄ > 0, masses.
    distribution : list of float or table
        Density of firms (mass per variety) up to a factor, > 0; even unless given.
    productivity, preferences : float, list or table
        A and b > 0 of each sector.
    externality : float
        η ≥ 0: output is raised by (n/λ)^η, which no firm takes into account.
    immobile_labor : list or table, optional
        Density of labour up to a factor, if workers cannot change sector.

    Raises
    ------
    InputError
        One sentence that names the field, its value, and what is allowed.
    """

    card: ClassVar[ModelCard] = ModelCard(
        name="short-run-competition",
        question="Given the firms of each sector, what are wages, prices and profit rates?",
        program="convex program: a concave index of concave outputs, linear limits",
        citation="in the spirit of Fabbri, G., D. Fiaschi and C. Ricci (2025), The invisible hand as an "
        "emergent property: a gradient flow approach, arXiv:2508.14498",
        assumptions=("competitive firms with constant returns", "identical consumers with CES preferences"),
        left_out=("movement of firms: see invisible-hand", "capital", "trade"),
    )

    tables_spec: ClassVar[Mapping[str, TableSpec]] = SHORT_RUN_TABLES

    distribution: tuple[float, ...] | Profile = (1.0,)

    @field_validator("distribution", mode="before")
    @classmethod
    def _density(cls, given: Any) -> Any:
        return profile("distribution", given)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self.over_sectors("distribution", self.distribution)
        return self

    @cached_property
    def masses(self) -> Vector:
        """Masses of firms (I,), summing to N."""
        return self.spread_out("distribution", self.distribution)

    def program(self) -> pyo.ConcreteModel:
        """Return max C subject to technology and labour; its multipliers are profit rates, prices and wages.

        It starts from even labour, not from the answer.
        """
        economy, firms, named = self.economy, self.masses, self.by_sector
        external = (firms / economy.varieties) ** economy.externality
        labor = economy.immobile
        if labor is None:
            labor = self.labor * economy.varieties / economy.varieties.sum()
        output, sigma = economy.made(firms, labor), self.substitution
        program = pyo.ConcreteModel(name="short-run competition")
        short_run.add_sectors(program, self.network.cells, named(firms))
        short_run.add_given_firms(program, named(firms))
        short_run.add_production_limit(
            program, named(economy.productivity * external), self.firm_share, (named(labor), named(output))
        )
        if economy.immobile is None:
            short_run.add_labor_limit(program, self.labor)
        else:
            short_run.add_labor_limit_by_sector(program, named(labor))
        if sigma == 1:
            start = float((economy.tastes * np.log(output / economy.tastes)).sum())
            short_run.add_consumption_cobb_douglas(program, named(economy.tastes), start)
        else:
            start = float((economy.tastes ** (1 / sigma) * output ** (1 - 1 / sigma)).sum())
            short_run.add_consumption_ces(program, named(economy.tastes), sigma, start)
        program.aggregate_consumption = pyo.Objective(
            expr=program.consumption, sense=pyo.maximize, doc="C, units of the consumption index"
        )
        return program

    def read(self, program: pyo.ConcreteModel) -> dict[str, pd.DataFrame]:
        """Return ``sectors`` (sector, firms, labor, output, price, wage, profit_rate) and ``totals``."""
        cells = self.network.cells
        if self.immobile_labor is None:
            wage = [price(program, program.labor_limit)] * len(cells)
        else:
            wage = [price(program, program.labor_limit[cell]) for cell in cells]
        sectors = pd.DataFrame(
            {
                "sector": [str(cell) for cell in cells],
                "firms": [float(program.firms[cell].value) for cell in cells],
                "labor": [float(program.labor[cell].value) for cell in cells],
                "output": [float(program.output[cell].value) for cell in cells],
                "price": [price(program, program.production_limit[cell]) for cell in cells],
                "wage": wage,
                "profit_rate": [price(program, program.given_firms[cell]) for cell in cells],
            }
        )
        consumption = float(pyo.value(program.consumption))
        return {"sectors": sectors, "totals": pd.DataFrame({"consumption": [consumption]})}

    def closed_form(self) -> dict[str, pd.DataFrame]:
        """Return the same tables by the closed form, C = L̄^{1−α} Z^{α/θ} and its kin: the oracle."""
        economy, firms = self.economy, self.masses
        sectors = pd.DataFrame(
            {
                "sector": [str(cell) for cell in self.network.cells],
                "firms": firms,
                "labor": economy.workers(firms),
                "output": economy.output(firms),
                "price": economy.prices(firms),
                "wage": economy.wages(firms),
                "profit_rate": economy.profit_rates(firms),
            }
        )
        consumption = float(economy.consumption(firms))
        return {"sectors": sectors, "totals": pd.DataFrame({"consumption": [consumption]})}

    def expected_rows(self) -> dict[str, pd.DataFrame]:
        """Return what the rows of the tables are about: the sectors."""
        return {"sectors": pd.DataFrame({"sector": [str(cell) for cell in self.network.cells]})}

    def conditions(self, tables: Tables, tolerance: float = 1e-6) -> tuple[Condition, ...]:
        """Evaluate the definition of the short-run equilibrium from the tables alone."""
        dates = dates_of(tables["sectors"], self.network.cells, COLUMNS)
        consumption = tables["totals"]["consumption"].to_numpy(dtype=float)
        given = self.masses
        sectors, astray = [f"sector {name}" for name in dates.names], np.abs(dates["firms"][0] / given - 1)
        dear = np.abs(price_level_of(self, dates["price"]) - 1)
        return (
            worst_case("firms are the given ones", astray, sectors, tolerance),
            *short_run_conditions(self, dates, consumption, tolerance),
            worst_case("a unit of consumption costs one", dear, ["the economy"], tolerance),
        )
