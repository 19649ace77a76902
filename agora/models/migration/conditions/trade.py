r"""The trade equilibrium, evaluated from tables.

Bahlali, Boucekkine & Petit (2026), slides: price index, demand, market clearing (1) with τ in the order of
the price index, normalisation (2). Every number is computed anew from the parameters, with the full matrix
of trade costs; nothing is shared with the program. Violations are relative to a place's income, price index
or real wage. All N market clearing conditions are evaluated, the one that Walras' law makes redundant too.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Protocol

import numpy as np
import pandas as pd

from agora.models.certificate import Condition, worst_case
from agora.typing import Vector


class Trading(Protocol):
    """What every definition here needs to know of trade."""

    @property
    def variant(self) -> str: ...  # noqa: D102
    @property
    def elasticity(self) -> float: ...  # noqa: D102
    @property
    def spillover(self) -> float: ...  # noqa: D102
    @property
    def congestion(self) -> float: ...  # noqa: D102


class Movers(Trading, Protocol):
    """What definitions need to know of people who move."""

    @property
    def trade_cost_rate(self) -> float: ...  # noqa: D102
    @property
    def noise(self) -> float: ...  # noqa: D102
    @property
    def discount(self) -> float: ...  # noqa: D102
    @property
    def moving_cost(self) -> float: ...  # noqa: D102


class TradeParameters(Trading, Protocol):
    """What the definition needs to know of a trading economy of N locations."""

    @property
    def names(self) -> tuple[object, ...]: ...  # noqa: D102
    @property
    def costs(self) -> Vector: ...  # noqa: D102
    @property
    def density(self) -> Vector: ...  # noqa: D102
    @property
    def base_weights(self) -> Vector: ...  # noqa: D102
    @property
    def productivities(self) -> Vector: ...  # noqa: D102
    @property
    def amenities(self) -> Vector: ...  # noqa: D102


def purchase_shares(economy: TradeParameters, wage: Vector, density: Vector) -> tuple[Vector, Vector]:
    """Return what each destination buys from each origin as shares of its income, and its price index.

    Firms price at cost, w τ / A, up to a mark-up common to all; with free entry their number is in
    proportion to people. Shares are (N, N), rows origins, and sum to one over origins by construction.
    """
    m = economy.base_weights
    if economy.variant == "eaton-kortum":
        power = economy.elasticity
        scale = economy.productivities * density ** (economy.spillover * power)
    else:
        power = economy.elasticity - 1
        scale = (economy.productivities * density**economy.spillover) ** power
    if economy.variant == "krugman":
        scale = scale * density  # varieties in proportion to people
    cheapness = (m * scale)[:, None] * (wage[:, None] * economy.costs) ** -power
    total = cheapness.sum(axis=0)
    return cheapness / total, total ** (-1 / power)


def trade_conditions(
    economy: TradeParameters, tables: Mapping[str, pd.DataFrame], tolerance: float
) -> tuple[Condition, ...]:
    """Evaluate every condition of a trade equilibrium and every identity of the tables."""
    frame, names = tables["locations"], list(economy.names)
    if len(frame) != len(names):
        return (Condition("every place has its row", float("nan"), f"{len(frame)} rows", tolerance),)
    density, weight, wage, index, real = (
        frame[name].to_numpy(dtype=float)
        for name in ("population", "weight", "wage", "price_index", "real_wage")
    )

    at_locations = partial(worst_case, places=[f"location {name}" for name in names], tolerance=tolerance)
    overall = partial(worst_case, places=["the economy"], tolerance=tolerance)
    listed = np.array([str(a) != str(b) for a, b in zip(frame["location"], names, strict=True)], dtype=float)
    parameters = (
        at_locations("locations are the given ones", listed),
        at_locations("population is the given one", np.abs(density / economy.density - 1)),
        at_locations("weights are the given ones", np.abs(weight / economy.base_weights - 1)),
        at_locations(
            "productivity is the given one", np.abs(frame["productivity"] / economy.productivities - 1)
        ),
        at_locations("amenity is the given one", np.abs(frame["amenity"] / economy.amenities - 1)),
    )
    smallest = np.min([density, wage, index, real], axis=0)
    positive = at_locations(
        "population, wage, price index and real wage > 0", np.where(smallest > 0, 0.0, np.inf)
    )
    if not positive.passed:
        return (*parameters, positive)
    shares, prices = purchase_shares(economy, wage, density)
    income = wage * density * weight
    sales = shares @ income
    # the shares at the price index that the table states: they sum to one only if it is the right one
    power = economy.elasticity - (economy.variant != "eaton-kortum")
    stated = shares.sum(axis=0) * (index / prices) ** power
    exports = sales - np.diag(shares) * income
    imports = income - np.diag(shares) * income
    value = economy.amenities * density**-economy.congestion * wage / prices
    return (
        *parameters,
        positive,
        at_locations("price index: P^{1−σ} = ∫ K a μ^c w^{1−σ} dm", np.abs(index / prices - 1)),
        at_locations("shares of purchases sum to one", np.abs(stated - 1)),
        at_locations("goods markets clear, (1)", np.abs(sales / income - 1)),
        at_locations("trade is balanced: exports = imports", np.abs(exports - imports) / income),
        overall("Walras' law: the world sells what it earns", abs(sales.sum() - income.sum())),
        overall("normalisation: ∫ w μ dm = 1, (2)", abs(income.sum() - 1)),
        at_locations("real wage: V = B w / P", np.abs(real / value - 1)),
        *_totals(tables["totals"].iloc[0], shares, income, float((weight * density) @ real), tolerance),
        *(_pairs(tables["trade"], shares, income, economy, tolerance) if "trade" in tables else ()),
    )


def _totals(
    totals: pd.Series[float], shares: Vector, income: Vector, mean_real_wage: float, tolerance: float
) -> list[Condition]:
    """Compare the totals with what the locations imply."""
    implied = {
        "income": float(income.sum()),
        "mean_real_wage": mean_real_wage,
        "own_share": float(np.diag(shares) @ income / income.sum()),
        "walras_slack": 0.0,
    }
    gaps = {name: abs(float(totals[name]) - value) for name, value in implied.items()}
    return [worst_case(f"totals: {name}", gap, ["the economy"], tolerance) for name, gap in gaps.items()]


def _pairs(
    trade: pd.DataFrame, shares: Vector, income: Vector, economy: TradeParameters, tolerance: float
) -> tuple[Condition, ...]:
    """Compare the table of pairs with what the locations imply."""
    names = economy.names
    pairs = [f"{origin} to {destination}" for origin in names for destination in names]
    if len(trade) != len(pairs):
        return (Condition("every pair has its row", float("nan"), f"{len(trade)} rows", tolerance),)
    written = [f"{o} to {d}" for o, d in zip(trade["origin"], trade["destination"], strict=True)]
    wrong = [float(a != b) for a, b in zip(written, pairs, strict=True)]
    cost, share, flow = (trade[name].to_numpy(dtype=float) for name in ("cost", "share", "flow"))
    each = partial(worst_case, places=pairs, tolerance=tolerance)
    return (
        each("trade: costs are the given ones", np.abs(cost / economy.costs.ravel() - 1)),
        each("trade: pairs are all ordered pairs", wrong),
        each("trade: shares of the destination's income", np.abs(share - shares.ravel())),
        each("trade: flows as shares of world income", np.abs(flow - (shares * income).ravel())),
    )
