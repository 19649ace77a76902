"""The two linear programs of a city, kept from scenario to scenario while the geography and φ stay.

What they say is written in `FujitaOgawa.best_response_program` and `supporting_price_program`; here
their numbers change in the solver, without a new program.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from agora.formulations.city.supporting_prices import price_limits
from agora.models.city.fujita_ogawa import FujitaOgawa
from agora.models.city.tables import CityAllocation, Commuters
from agora.solvers import LinearProgram, SolverRecord
from agora.solvers.reuse import kept
from agora.typing import Vector


class _KeptLinear:
    """A linear program that keeps its basis."""

    linear: LinearProgram

    def state(self) -> Any:
        """Return the basis."""
        return self.linear.state()

    def rewind(self, state: Any | None) -> None:
        """Start from a basis, or from nothing."""
        self.linear.rewind(state)


class BestResponses(_KeptLinear):
    """max Σ A_i m_i − h(n) for cities that differ in t, M and the externality alone."""

    def __init__(self, city: FujitaOgawa) -> None:
        self.program = city.best_response_program(np.zeros(city.network.number))
        self.linear = LinearProgram(self.program)
        self.firms = self.linear.columns(self.program.firms.values())
        self.flows = self.linear.columns(self.program.commuting_flow.values())
        self.mass = self.linear.rows_of([self.program.firm_mass_balance])

    @classmethod
    def of(cls, city: FujitaOgawa) -> BestResponses:
        """Return the program of a city, kept or built."""
        shared = kept(("best responses", city.network, city.labor_per_firm), lambda: cls(city))
        everywhere, mass = city.network.number, np.array([city.firm_mass])
        shared.linear.set_costs(shared.flows, -city.commuting_cost * city.network.lengths)
        shared.linear.set_costs(shared.firms, np.zeros(everywhere))
        shared.linear.set_bounds(shared.firms, np.zeros(everywhere), np.full(everywhere, np.inf))
        shared.linear.set_rows(shared.mass, mass, mass)
        return shared


class SupportingPrices(_KeptLinear):
    """The highest profit that supports an allocation, for any allocation, t and externality."""

    def __init__(self, city: FujitaOgawa) -> None:
        nowhere = np.zeros(city.network.number)
        empty = CityAllocation(
            nowhere, nowhere, nowhere, Commuters(np.zeros(len(city.network.lengths))), nowhere, nowhere, 0.0,
            city.commuting_cost,
        )  # fmt: skip
        program = city.supporting_price_program(empty)
        self.linear = LinearProgram(program)
        self.wage, self.rent, self.profit = (
            self.linear.columns(variables)
            for variables in (program.wage.values(), program.rent.values(), [program.profit])
        )
        self.bid, self.home, self.trip = (
            self.linear.rows_of(rows.values())
            for rows in (program.profit_limit, program.wage_limit, program.wage_gap_limit)
        )

    @classmethod
    def of(cls, city: FujitaOgawa) -> SupportingPrices:
        """Return the program of a city, kept or built."""
        return kept(("supporting prices", city.network, city.labor_per_firm), lambda: cls(city))

    def solve(self, city: FujitaOgawa, allocation: CityAllocation) -> tuple[float, Vector, SolverRecord]:
        """Return the highest profit (numéraire per firm), the wages with it (I,), and the solver's record."""
        level = city.interaction.level(allocation.firms)
        limits = price_limits(city.network, allocation, city.commuting_cost, city.labor_per_firm, level)
        linear, zero = self.linear, np.zeros(city.network.number)
        linear.set_rows(self.bid, level, limits.bid)
        linear.set_rows(self.home, limits.home, zero)
        linear.set_rows(self.trip, limits.trip, city.commuting_cost * city.network.lengths)
        linear.set_bounds(self.rent, zero, limits.rent)
        linear.set_bounds(self.wage, zero, limits.wage)
        answer = linear.solve()
        return float(answer.values[self.profit[0]]), answer.values[self.wage], linear.record()
