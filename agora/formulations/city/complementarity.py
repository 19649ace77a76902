r"""The Fujita–Ogawa equilibrium as complementarity conditions, with or without a potential.

Source: Osawa & Akamatsu (2019), Definition 1, (3.5)–(3.9), stated on the edges of the geography.
"""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo
from pyomo.mpec import Complementarity, complements

from agora.data.geographies import CellNetwork
from agora.formulations.city.land_labor import add_wages_and_rents


def add_city_complementarity(
    block: pyo.Block, network: CellNetwork, commuting_cost: float, labor_per_firm: float
) -> None:
    r"""Add the five complementarity conditions of a spatial equilibrium.

    .. math::
        0 \le m_i \perp \pi^* - A_i(m) + \phi w_i + r_i \ge 0, \quad
        0 \le y_i \perp r_i - w_i \ge 0, \quad
        0 \le x_e \perp t\ell_e + w_i - w_j \ge 0 \; (e = (i, j)),

        0 \le r_i \perp a_i - m_i - y_i \ge 0, \quad
        0 \le w_i \perp N_i - \phi m_i \ge 0 \qquad \text{for all } i, e

    Osawa & Akamatsu (2019), (3.5)–(3.8); (3.9) is the balance of the firms' mass. `block` has
    firms, residents, commuting_flow, employment and production_level. Where no land is left over,
    all prices may shift by a common level; the objective, a millionth of the sum of rents, selects
    the lowest, min r = 0.
    """
    add_wages_and_rents(block)
    block.profit = pyo.Var(initialize=0.0, doc="π*, equilibrium profit per firm")

    def firms_rule(b: pyo.Block, *cell: Any) -> Any:
        shortfall = b.profit - b.production_level[cell] + labor_per_firm * b.wage[cell] + b.rent[cell]
        return complements(b.firms[cell] >= 0, shortfall >= 0)

    def residents_rule(b: pyo.Block, *cell: Any) -> Any:
        return complements(b.residents[cell] >= 0, b.rent[cell] - b.wage[cell] >= 0)

    def land_rule(b: pyo.Block, *cell: Any) -> Any:
        return complements(b.rent[cell] >= 0, b.land[cell] - b.firms[cell] - b.residents[cell] >= 0)

    def labor_rule(b: pyo.Block, *cell: Any) -> Any:
        return complements(b.wage[cell] >= 0, b.employment[cell] - labor_per_firm * b.firms[cell] >= 0)

    block.profit_maximisation = Complementarity(block.cells, rule=firms_rule, doc="(3.6)")
    block.home_choice = Complementarity(block.cells, rule=residents_rule, doc="(3.5), homes")
    block.route_choice = Complementarity(block.links, doc="(3.5), routes")
    wage, tolls = list(block.wage.values()), (commuting_cost * network.lengths).tolist()
    for link, tail, head, toll in zip(block.links, network.tails, network.heads, tolls, strict=True):
        block.route_choice[link] = complements(
            block.commuting_flow[link] >= 0, toll + wage[tail] - wage[head] >= 0
        )
    block.land_market = Complementarity(block.cells, rule=land_rule, doc="(3.7)")
    block.labor_market = Complementarity(block.cells, rule=labor_rule, doc="(3.8)")
    block.rent_level = pyo.Objective(
        expr=1e-6 * pyo.quicksum(block.rent[cell] for cell in block.cells), doc="lowest of equivalent rents"
    )
