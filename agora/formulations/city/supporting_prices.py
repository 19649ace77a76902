r"""All prices that support an allocation of the Fujita–Ogawa city, and the choice among them.

Where a cell is used for one purpose only, the rent between households' and firms' bids is not
determined by the equilibrium conditions. Agora reports the prices with the highest profit π* and,
given it, the lowest wages: they exist, are unique, do not depend on the order of the cells, and
share the symmetries of the allocation; min r = 0 follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyomo.environ as pyo

from agora.data.geographies import CellNetwork
from agora.formulations.city.commuting import add_commuting_prices_edges, label
from agora.formulations.city.land_labor import add_wages_and_rents, cell_values
from agora.typing import Vector


class Commuting(Protocol):
    """Commuters by edge."""

    @property
    def flow(self) -> Vector: ...  # noqa: D102


class Allocation(Protocol):
    """Masses of firms and households by cell (I,), and the commuters."""

    @property
    def firms(self) -> Vector: ...  # noqa: D102
    @property
    def residents(self) -> Vector: ...  # noqa: D102
    @property
    def employment(self) -> Vector: ...  # noqa: D102
    @property
    def commuters(self) -> Commuting: ...  # noqa: D102


def add_supporting_prices(
    block: pyo.Block,
    network: CellNetwork,
    allocation: Allocation,
    commuting_cost: float,
    labor_per_firm: float,
    production_level: Vector,
) -> None:
    r"""Add prices that support `allocation`, and the highest profit among them as the objective.

    .. math::
        \max \pi^* \;\text{ s.t. }\;
        r_i + \phi w_i + \pi^* \ge A_i \; (= \text{ where } m_i > 0), \quad
        r_i \ge w_i \; (= \text{ where } y_i > 0), \quad
        w_j - w_i \le t \ell_e \; (= \text{ where } x_e > 0),

        r_i = 0 \text{ where land is left}, \quad w_i = 0 \text{ where labour is left}
        \qquad \text{for all } i, \; e = (i, j)

    The conditions (3.5)–(3.8) of Osawa & Akamatsu (2019) for fixed quantities. Quantities below
    1e-9 of the mean land count as zero.
    """
    add_wages_and_rents(block)
    block.profit = pyo.Var(initialize=0.0, doc="π*, equilibrium profit per firm")
    add_commuting_prices_edges(block, network, commuting_cost)
    limits = price_limits(network, allocation, commuting_cost, labor_per_firm, production_level)
    levels, highest, home, rent, wage = (
        cell_values(network, numbers)
        for numbers in (production_level, limits.bid, limits.home, limits.rent, limits.wage)
    )

    def profit_rule(b: pyo.Block, *cell: Any) -> Any:
        key = label(cell)
        upper = highest[key] if np.isfinite(highest[key]) else None
        return (levels[key], b.rent[cell] + labor_per_firm * b.wage[cell] + b.profit, upper)

    block.profit_limit = pyo.Constraint(block.cells, rule=profit_rule)
    for cell in network.cells:
        if np.isfinite(home[cell]):
            row = block.wage_limit[cell]
            row.set_value((row.body, home[cell]))
        if np.isfinite(rent[cell]):
            block.rent[cell].setub(rent[cell])
        if np.isfinite(wage[cell]):
            block.wage[cell].setub(wage[cell])
    links = list(block.links)
    for k in np.flatnonzero(np.isfinite(limits.trip)).tolist():
        row = block.wage_gap_limit[links[k]]
        row.set_value((row.body, float(limits.trip[k])))
    block.highest_profit = pyo.Objective(expr=block.profit, sense=pyo.maximize)


@dataclass(frozen=True)
class PriceLimits:
    """Which inequalities of `add_supporting_prices` are equations, as limits; infinite where they are not."""

    bid: Vector
    """Upper limit of r + φ w + π*, (I,): A_i where firms stand."""
    home: Vector
    """Lower limit of w − r, (I,): 0 where households live."""
    trip: Vector
    """Lower limit of w_j − w_i, (E,): t ℓ_e where they travel."""
    rent: Vector
    """Upper limit, (I,): 0 where land is left."""
    wage: Vector
    """Upper limit, (I,): 0 where labour is left."""


def price_limits(
    network: CellNetwork,
    allocation: Allocation,
    commuting_cost: float,
    labor_per_firm: float,
    production_level: Vector,
) -> PriceLimits:
    """Return which inequalities of `add_supporting_prices` an allocation makes equations."""
    negligible = 1e-9 * float(network.land.mean())
    spare_land = network.land - allocation.firms - allocation.residents
    spare_labor = allocation.employment - labor_per_firm * allocation.firms
    travelled = allocation.commuters.flow > negligible
    return PriceLimits(
        bid=np.where(allocation.firms > negligible, production_level, np.inf),
        home=np.where(allocation.residents > negligible, 0.0, -np.inf),
        trip=np.where(travelled, commuting_cost * network.lengths, -np.inf),
        rent=np.where(spare_land > negligible, 0.0, np.inf),
        wage=np.where(spare_labor > negligible, 0.0, np.inf),
    )
