"""Beyond the claims: figures 1 to 5 at true equilibria, and the quality of the published levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from agora.methods.price_formation.closed_forms import mean_field
from agora.papers.computations import Beyond, goes_beyond, violation
from agora.papers.price_formation.cases import (
    CASES,
    PAPER,
    Clearing,
    at_rest,
    continuous_price,
    continuous_states,
    discrete_price,
    equilibrium,
    level,
    market,
    price,
    published_case_3,
)
from agora.runners.figures.price_formation.market import draw_trading

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PUBLISHED = {"3": 0.0508}
"""Price levels P that the released code prints."""
TITLES = {
    "1": "Case 1: quadratic terminal cost, Q = sin 10t",
    "2": "Case 2: quadratic running cost, Q a Wiener path",
    "3": "Case 3: two wells at the end, Q = sin 10t",
    "4a": "Case 4a: two wells all along, Q = sin 10t",
    "4b": "Case 4b: two wells all along, Q a Wiener path",
}


def published(case: str) -> Clearing:
    """Return where the published iteration comes to rest: the printed level, or agents who start at rest."""
    return published_case_3(PUBLISHED[case])[1] if case in PUBLISHED else at_rest(case)


def levels() -> pd.DataFrame:
    """Return the published and the equilibrium price level of every case, and what agents gain at each.

    The level is the mean of ω + c₀Q; gains are proved upper bounds. Where the sine is supplied it is
    sampled at i/(N − 1), as in the released code, so that both can be compared.
    """
    rows: list[dict[str, Any]] = []
    for case in CASES:
        released = case in ("1", "3", "4a")
        solution, clearing = equilibrium(case, released), published(case)
        model, gains = market(case, released=released), clearing.gains
        spent = float(clearing.tables["totals"]["revenue"].iloc[0] - model.masses @ gains.values)
        rows.append(
            {
                "case": case,
                "published_level": level(model, clearing.prices),
                "from": "printed" if case in PUBLISHED else "agents at rest",
                "published_gain_mean": max(float(model.masses @ gains.gains), 0.0),
                "published_gain_max": max(float(gains.largest.max()), 0.0),
                "published_exploited_agents": int((gains.largest > 1e-5).sum()),
                "published_J_above_minimum": spent
                + float(solution.tables["totals"]["population_cost"].iloc[0]),
                "equilibrium_level": level(model, price(solution.tables)),
                "equilibrium_gain_mean": violation(solution, "exploitability_mean"),
                "equilibrium_gain_max": violation(solution, "exploitability_max"),
            }
        )
    return pd.DataFrame(rows)


def figure(case: str) -> Figure:
    """Return the paper's figure of a case at the true equilibrium, supply sampled at the grid."""
    model = market(case)
    named: dict[str, Any] = {"title": TITLES[case]}
    if case == "1":
        named["analytic"], named["analytic_states"] = (
            continuous_price(model, model.times), continuous_states(model),
        )  # fmt: skip
    elif case == "2":
        named["analytic"], named["analytic_states"] = discrete_price(model), mean_field(model).states[:, 0]
    elif case == "3":
        named["other"] = ("published ω", PUBLISHED["3"] - model.control_cost * model.supply.values[:, 0])
    return draw_trading(model, equilibrium(case).tables, **named)


@goes_beyond(PAPER)
def levels_and_figures() -> Beyond:
    """Return the table of price levels and figures 1 to 5."""
    figures = {f"figure-{number}": figure(case) for number, case in enumerate(CASES, start=1)}
    return Beyond(tables={"levels": levels()}, figures=figures)
