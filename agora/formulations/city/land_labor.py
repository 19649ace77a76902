r"""Land and labour: how much land a cell has, and how many workers firms need.

Source: Osawa & Akamatsu (2019), section 3, equations (3.6)–(3.9), (3.12), (3.13). Quantities are
masses of firms and households; one firm uses one unit of land and φ units of labour, one household
one unit of land and supplies one unit of labour. Prices are in the numéraire, the exported good.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyomo.environ as pyo
from pyomo.core.expr.numeric_expr import LinearExpression

from agora.data.geographies import CellNetwork


def add_cells(block: pyo.Block, network: CellNetwork) -> None:
    """Add the index set ``cells`` and the land a_i of each (a plain number, not mutable)."""
    block.cells = pyo.Set(initialize=list(network.cells), ordered=True, doc="cells of the geography")
    land = dict(zip(network.cells, network.land.tolist(), strict=True))
    block.land = pyo.Param(block.cells, initialize=land, within=pyo.PositiveReals, doc="a_i, land of cell i")


def add_firms(block: pyo.Block, network: CellNetwork, firm_mass: float) -> None:
    r"""Firms choose a cell; their mass is given.

    .. math:: m_i \ge 0 \quad \text{for all } i, \qquad \sum_i m_i = M

    Osawa & Akamatsu (2019), (3.2), (3.9). The multiplier of the balance is the equilibrium profit
    π* (numéraire per firm), the value of one more firm. Start: the same density everywhere.
    """
    density = firm_mass / float(network.land.sum())
    start = {cell: density * land for cell, land in zip(network.cells, network.land.tolist(), strict=True)}
    block.firms = pyo.Var(
        block.cells, domain=pyo.NonNegativeReals, initialize=start, doc="m_i, firms in cell i"
    )
    total = LinearExpression(linear_coefs=[1.0] * network.number, linear_vars=list(block.firms.values()))
    block.firm_mass_balance = pyo.Constraint(expr=(total, firm_mass), doc="multiplier: π*, profit of firms")


def add_given_firms(block: pyo.Block, firms: Mapping[Any, float]) -> None:
    """Fix the masses of firms: m_i are numbers (mass per cell)."""
    block.firms = pyo.Param(
        block.cells, initialize=dict(firms), within=pyo.NonNegativeReals, doc="m_i, firms in cell i"
    )


def add_firm_land_limit(block: pyo.Block) -> None:
    r"""Firms fit into their cell, households aside.

    .. math:: m_i \le a_i \quad \text{for all } i

    Osawa & Akamatsu (2019), (3.2). The multiplier is r̂_i ≥ 0, what firms bid above households'
    highest bid ř_i (4.5).
    """

    def rule(b: pyo.Block, *cell: Any) -> Any:
        return (None, b.firms[cell], b.land[cell])

    block.firm_land_limit = pyo.Constraint(block.cells, rule=rule, doc="multiplier: r̂_i")


def add_land_limit(block: pyo.Block) -> None:
    r"""Firms and residents fit on the land of their cell.

    .. math:: m_i + y_i \le a_i \quad \text{for all } i

    Osawa & Akamatsu (2019), (3.12), with y_i = Σ_j n_ij. The multiplier is the land rent r_i ≥ 0
    (numéraire per unit of land), the value of one more unit of land in i.
    """

    def rule(b: pyo.Block, *cell: Any) -> Any:
        return (None, b.firms[cell] + b.residents[cell], b.land[cell])

    block.land_limit = pyo.Constraint(block.cells, rule=rule, doc="multiplier: r_i, land rent")


def add_labor_balance(block: pyo.Block, labor_per_firm: float) -> None:
    r"""Every firm finds its φ workers.

    .. math:: N_j - \phi m_j \ge 0 \quad \text{for all } j

    Osawa & Akamatsu (2019), (3.13), with N_j = Σ_i n_ij. The multiplier is the wage w_j ≥ 0
    (numéraire per worker), the cost of one more job in j.
    """

    def rule(b: pyo.Block, *cell: Any) -> Any:
        return (0.0, b.employment[cell] - labor_per_firm * b.firms[cell], None)

    block.labor_balance = pyo.Constraint(block.cells, rule=rule, doc="multiplier: w_j, wage")


def add_wages_and_rents(block: pyo.Block) -> None:
    """Add the prices w_j ≥ 0 (per worker) and r_i ≥ 0 (per unit of land), in the numéraire."""
    block.wage = pyo.Var(block.cells, domain=pyo.NonNegativeReals, initialize=0.0, doc="w_j, wage")
    block.rent = pyo.Var(block.cells, domain=pyo.NonNegativeReals, initialize=0.0, doc="r_i, land rent")


def add_resident_stock(block: pyo.Block) -> None:
    r"""Households choose a home before a job: N_i live in i, land is shared, all who live in i commute.

    .. math:: m_i + N_i \le a_i \; [r_i], \qquad \sum_j n_{ij} = N_i \; [v_i] \quad \text{for all } i

    Osawa & Akamatsu (2019), (C.1b), (C.1d); v_i is the payoff of living in i.
    """
    block.resident_stock = pyo.Var(
        block.cells, domain=pyo.NonNegativeReals, initialize=0.0, doc="N_i, homes in i"
    )

    def land_rule(b: pyo.Block, *cell: Any) -> Any:
        return (None, b.firms[cell] + b.resident_stock[cell], b.land[cell])

    def stock_rule(b: pyo.Block, *cell: Any) -> Any:
        return (b.residents[cell] - b.resident_stock[cell], 0.0)

    block.land_limit = pyo.Constraint(block.cells, rule=land_rule, doc="multiplier: r_i, land rent")
    block.resident_balance = pyo.Constraint(block.cells, rule=stock_rule, doc="multiplier: v_i")


def add_job_stock(block: pyo.Block, labor_per_firm: float) -> None:
    r"""Households choose a job before a home: N_j work in j, enough for the firms, all find a home.

    .. math:: N_j - \phi m_j \ge 0 \; [w_j], \qquad \sum_i n_{ij} = N_j \; [v_j] \quad \text{for all } j

    Osawa & Akamatsu (2019), (C.7c), (C.7d); −v_j is the payoff of working in j before rent.
    """
    block.job_stock = pyo.Var(block.cells, domain=pyo.NonNegativeReals, initialize=0.0, doc="N_j, jobs in j")

    def labor_rule(b: pyo.Block, *cell: Any) -> Any:
        return (0.0, b.job_stock[cell] - labor_per_firm * b.firms[cell], None)

    def stock_rule(b: pyo.Block, *cell: Any) -> Any:
        return (b.employment[cell] - b.job_stock[cell], 0.0)

    block.labor_balance = pyo.Constraint(block.cells, rule=labor_rule, doc="multiplier: w_j, wage")
    block.job_balance = pyo.Constraint(block.cells, rule=stock_rule, doc="multiplier: v_j")


def cell_values(network: CellNetwork, values: Any) -> dict[Any, float]:
    """Return cell → number from values in the order of the network."""
    return dict(zip(network.cells, [float(value) for value in values], strict=True))
