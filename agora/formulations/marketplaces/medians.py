r"""Choosing marketplaces where the value of a site depends on the one it uses: the k-median."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray


def add_median_choice(block: pyo.Block, value: NDArray[np.float64], number: int) -> None:
    r"""Open at most k locations and let each site use one: the linear relaxation, as the objective.

    .. math:: \max \sum_{cj} \phi_{cj} x_{cj} \;\text{ s.t. }\; \sum_c x_{cj} = 1, \quad
              x_{cj} \le y_c, \quad \sum_c y_c \le k, \quad x, y \ge 0

    `value` is φ (C, J). Multipliers: v_j of a site's row (``use_balance``), the least it must offer a
    location to count for it; η ≥ 0 of ``number_limit``, the value of one more location. Their dual,
    Σ v_j + k max_c Σ_j (φ_cj − v_j)^+, is a bound for any v.
    """
    locations, sites = value.shape
    block.places, block.sites = pyo.RangeSet(0, locations - 1), pyo.RangeSet(0, sites - 1)
    block.use = pyo.Var(block.places, block.sites, bounds=(0.0, None), doc="x_cj")
    block.opened = pyo.Var(block.places, bounds=(0.0, None), doc="y_c")

    def use_rule(b: pyo.Block, site: int) -> Any:
        return pyo.quicksum(b.use[location, site] for location in b.places) == 1.0

    def open_rule(b: pyo.Block, location: int, site: int) -> Any:
        return (None, b.use[location, site] - b.opened[location], 0.0)

    block.use_balance = pyo.Constraint(block.sites, rule=use_rule)
    block.open_limit = pyo.Constraint(block.places, block.sites, rule=open_rule)
    block.number_limit = pyo.Constraint(
        expr=(None, pyo.quicksum(block.opened[location] for location in block.places), float(number))
    )
    values = value.tolist()
    block.total_value = pyo.Objective(
        expr=pyo.quicksum(values[c][j] * block.use[c, j] for c in block.places for j in block.sites),
        sense=pyo.maximize,
    )
