r"""The short-run competitive equilibrium as algebra: technology, labour, and consumption.

Firms per sector, n, are given in the short run. Sector i makes q_i from its firms and workers; consumers
value C, a CES index of the q_i. Maximising C subject to technology and labour decentralises: the multipliers
are prices, wages and profit rates (P = 1). Quantities are totals of a sector: mass of firms, mass of labour,
units of the sector's good, units of C.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pyomo.environ as pyo

Numbers = Mapping[Hashable, float]


def add_sectors(block: pyo.Block, sectors: Sequence[Hashable], firms: Numbers) -> None:
    """Add the set ``sectors`` and the variable ``firms`` n_i ≥ 0, started at `firms` (masses > 0)."""
    block.sectors = pyo.Set(initialize=list(sectors), ordered=True, doc="sectors x")
    block.firms = pyo.Var(block.sectors, bounds=(0.0, None), initialize=dict(firms), doc="n_i, mass of firms")


def add_given_firms(block: pyo.Block, firms: Numbers) -> None:
    r"""Firms cannot move in the short run.

    .. math:: n_i = \bar n_i \quad \text{for all } i

    Multiplier: the value of one more firm there, the profit rate π_i (units of C per firm).
    """

    def rule(b: pyo.Block, *sector: Any) -> Any:
        return b.firms[sector] == firms[named(sector)]

    block.given_firms = pyo.Constraint(block.sectors, rule=rule, doc="multiplier: π_i, profit rate")


def add_production_limit(
    block: pyo.Block, productivity: Numbers, firm_share: float, start: tuple[Numbers, Numbers]
) -> None:
    r"""Make output from firms and labour with constant returns.

    .. math:: q_i \le A_i n_i^{\alpha} L_i^{1-\alpha} \quad \text{for all } i

    `productivity` holds A_i, the external factor (n_i/λ_i)^η included: a firm takes it as given. `start`
    holds labour and output to start from. Adds ``labor``, ``output``. Multiplier: the price p_i ≥ 0 (units of
    C).
    """
    block.labor = pyo.Var(block.sectors, bounds=(0.0, None), initialize=dict(start[0]), doc="L_i")
    block.output = pyo.Var(block.sectors, bounds=(0.0, None), initialize=dict(start[1]), doc="q_i")

    def rule(b: pyo.Block, *sector: Any) -> Any:
        made = productivity[named(sector)] * b.firms[sector] ** firm_share
        return (None, b.output[sector] - made * b.labor[sector] ** (1 - firm_share), 0.0)

    block.production_limit = pyo.Constraint(block.sectors, rule=rule, doc="multiplier: p_i, price")


def add_labor_limit(block: pyo.Block, labor: float) -> None:
    r"""Workers go where they like.

    .. math:: \sum_i L_i \le \bar L

    Multiplier: the wage w ≥ 0 (units of C per unit of labour).
    """
    block.labor_limit = pyo.Constraint(
        expr=(None, pyo.quicksum(block.labor.values()), labor), doc="multiplier: w, wage"
    )


def add_labor_limit_by_sector(block: pyo.Block, labor: Numbers) -> None:
    r"""Keep workers in their sector.

    .. math:: L_i \le \bar L_i \quad \text{for all } i

    Multiplier: the wage w_i ≥ 0 of the sector.
    """

    def rule(b: pyo.Block, *sector: Any) -> Any:
        return (None, b.labor[sector], labor[named(sector)])

    block.labor_limit = pyo.Constraint(block.sectors, rule=rule, doc="multiplier: w_i, wage")


def add_consumption_ces(block: pyo.Block, tastes: Numbers, substitution: float, start: float) -> None:
    r"""Consume a CES index of all outputs, σ ≠ 1.

    .. math:: X = \sum_i \beta_i^{1/\sigma} q_i^{\rho}, \qquad C = X^{1/\rho}, \qquad \rho = (\sigma-1)/\sigma

    Concave in q and homogeneous of degree one. Adds the index ``taste_index`` X and the expression
    ``consumption`` C. `start` is X to start from.
    """
    rho = (substitution - 1) / substitution
    block.taste_index = pyo.Var(bounds=(1e-12, None), initialize=start, doc="X")
    inside = pyo.quicksum(
        tastes[sector] ** (1 / substitution) * block.output[sector] ** rho for sector in block.sectors
    )
    block.taste_balance = pyo.Constraint(expr=block.taste_index - inside == 0.0)
    block.consumption = pyo.Expression(expr=block.taste_index ** (1 / rho), doc="C")


def add_consumption_cobb_douglas(block: pyo.Block, tastes: Numbers, start: float) -> None:
    r"""Consume a Cobb–Douglas index of all outputs, the CES index as σ → 1, with Σ β = 1.

    .. math:: X = \sum_i \beta_i \log (q_i / \beta_i), \qquad C = e^{X}
    """
    block.taste_index = pyo.Var(initialize=start, doc="X")
    inside = pyo.quicksum(
        tastes[sector] * pyo.log(block.output[sector] / tastes[sector]) for sector in block.sectors
    )
    block.taste_balance = pyo.Constraint(expr=block.taste_index - inside == 0.0)
    block.consumption = pyo.Expression(expr=pyo.exp(block.taste_index), doc="C")


def add_consumption_of_firms(
    block: pyo.Block, reference: Numbers, shares: Numbers, curvature: float, degree: float, consumption: float
) -> None:
    r"""Consume what the short-run equilibrium gives, by its closed form: C as a function of the firms alone.

    .. math:: \hat Z = \sum_i s_i (n_i / n^0_i)^{\theta}, \qquad C = C^0 \hat Z^{\kappa/\theta},
              \qquad \theta \ne 0

    Relative to a reference state n⁰ with expenditure shares s and consumption C⁰, so that every number is of
    the order of one. Concave in n if θ < 1 and κ ≤ 1; its logarithm is if θ < 1. Adds ``firm_index`` Ẑ and
    the expressions ``consumption`` C and ``log_consumption``.
    """
    block.firm_index = pyo.Var(bounds=(1e-12, None), initialize=1.0, doc="Ẑ")
    inside = pyo.quicksum(
        shares[sector] * (block.firms[sector] / reference[sector]) ** curvature for sector in block.sectors
    )
    block.firm_balance = pyo.Constraint(expr=block.firm_index - inside == 0.0)
    block.consumption = pyo.Expression(expr=consumption * block.firm_index ** (degree / curvature), doc="C")
    block.log_consumption = pyo.Expression(
        expr=pyo.log(consumption) + degree / curvature * pyo.log(block.firm_index), doc="log C"
    )


def add_consumption_of_firms_cobb_douglas(
    block: pyo.Block, reference: Numbers, shares: Numbers, degree: float, consumption: float
) -> None:
    r"""Consume what the short-run equilibrium gives, σ = 1 (θ = 0).

    .. math:: \hat Z = \sum_i s_i \log(n_i / n^0_i), \qquad C = C^0 e^{\kappa \hat Z}
    """
    block.firm_index = pyo.Var(initialize=0.0, doc="Ẑ")
    inside = pyo.quicksum(
        shares[sector] * pyo.log(block.firms[sector] / reference[sector]) for sector in block.sectors
    )
    block.firm_balance = pyo.Constraint(expr=block.firm_index - inside == 0.0)
    block.consumption = pyo.Expression(expr=consumption * pyo.exp(degree * block.firm_index), doc="C")
    block.log_consumption = pyo.Expression(expr=pyo.log(consumption) + degree * block.firm_index, doc="log C")


def named(sector: tuple[Any, ...]) -> Any:
    """Return a sector as it is named: Pyomo takes tuples apart."""
    return sector[0] if len(sector) == 1 else sector
