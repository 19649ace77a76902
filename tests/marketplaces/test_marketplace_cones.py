"""The optimum for given marketplaces by a conic solver: power cones, nothing shared with the program.

For a given utility u the constraints of the envy-free program are cones, and the greatest set-up V(u) that
can be built falls in u: u is the optimum of the whole if and only if V(u) is the need. (All at once it is no
conic program: u m_j is a product of unknowns, and in logs the time balance is not convex.) The root is found
by bracketing, V by Clarabel through CVXPY.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from makers import FOUR_SITES
from scipy.optimize import brentq

from agora.models import Marketplaces
from agora.runners import solve

cp = pytest.importorskip("cvxpy", reason="the conic oracle needs cvxpy and clarabel: the extra `test`")

ROWS: list[tuple[str, dict[str, Any]]] = [
    ("Table 1, .01", {"setup_cost": 0.01, "marketplaces": [0.0, 0.33, 0.67, 1.0]}),
    ("Table 1, .1", {"setup_cost": 0.1, "marketplaces": [0.5]}),
    ("Table 1, .5", {"setup_cost": 0.5, "marketplaces": [0.5]}),
    ("Table 2, .05", {"setup_cost": 0.05, "marketplaces": [0.33, 0.67], "commodity_shares": [0.2, 0.3]}),
    ("Table 2, .4", {"setup_cost": 0.4, "marketplaces": [0.6557], "commodity_shares": [0.2, 0.3]}),
    ("case 3", {"setup_cost": 0.1, "marketplaces": [0.6053], "setup_shares": [0.3, 0.7]}),
    (
        "case 4",
        {
            "setup_cost": 0.05,
            "marketplaces": [0.33, 0.67],
            "railway": {"scale": "once", "cost_per_length": 3.0},
        },
    ),
]


def most_built(model: Marketplaces) -> tuple[Any, Any]:
    """Return the conic program of V(u), and its parameter u."""
    sites, goods = model.number, len(model.commodity_shares)
    travel = model.travel(model.given_locations)
    people, work, leisure = (cp.Variable(sites, nonneg=True) for _ in range(3))
    eaten, inputs = cp.Variable((goods, sites), nonneg=True), cp.Variable(goods, nonneg=True)
    utility = cp.Parameter(nonneg=True)
    shares = [*model.commodity_shares, model.leisure_share, model.land_share]
    rows = [cp.sum(people) == 1, work + leisure <= cp.multiply(model.time - travel, people)]
    for good in range(goods):
        makers = np.array([float(made == good + 1) for made in model.makes])
        rows.append(cp.sum(eaten[good]) + inputs[good] <= makers @ work)
    for site in range(sites):
        land = cp.Constant(model.plots[site])
        uses = [*(eaten[good, site] for good in range(goods)), leisure[site], land]
        rows.append(_mean(uses, shares, rows) >= utility * people[site])
    most = _mean([inputs[good] for good in range(goods)], list(model.setup_shares), rows)
    return cp.Problem(cp.Maximize(most), rows), utility


def _mean(uses: list[Any], shares: list[float], rows: list[Any]) -> Any:
    """Return the weighted geometric mean, one power cone in three dimensions for each further use."""
    mean, weight = uses[0], shares[0]
    for use, share in zip(uses[1:], shares[1:], strict=True):
        before, mean, weight = mean, cp.Variable(), weight + share
        rows.append(cp.PowCone3D(before, use, mean, 1 - share / weight))
    return mean


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")  # the values are compared, to 1e-6
@pytest.mark.parametrize(("row", "changes"), ROWS, ids=[name for name, _ in ROWS])
def test_conic_programs_meet_the_program(row: str, changes: dict[str, Any]) -> None:
    model = Marketplaces(**{**FOUR_SITES, **changes})
    found = solve(model).objective
    need = model.setup_cost * float(model.units(model.given_locations))
    program, utility = most_built(model)

    def left(level: float) -> float:
        utility.value = level
        program.solve(solver=cp.CLARABEL, tol_gap_abs=1e-9, tol_gap_rel=1e-9, tol_feas=1e-9)
        assert program.status in ("optimal", "optimal_inaccurate", "infeasible")
        return (0.0 if program.status == "infeasible" else float(program.value)) - need

    optimum = brentq(left, 0.5 * found, 1.04 * found, xtol=1e-10)
    assert optimum == pytest.approx(found, rel=1e-6)
