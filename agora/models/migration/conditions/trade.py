r"""The trade equilibrium, evaluated from tables.

Bahlali, Boucekkine & Petit (2026), slides: price index, demand, market clearing (1) with τ in the order of
the price index, normalisation (2). Every number is computed anew from the parameters, with the full matrix
of trade costs; nothing is shared with the program. Violations are relative to a place's income, price index
or real wage. All N market clearing conditions are evaluated, the one that Walras' law makes redundant too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import pandas as pd

from agora.models.certificate import Condition, worst_case
from agora.typing import Vector


class TradeParameters(Protocol):
    """What the definition needs to know of a trading economy of N places."""

    @property
    def variant(self) -> str: ...  # noqa: D102
    @property
    def elasticity(self) -> float: ...  # noqa: D102
    @property
    def spillover(self) -> float: ...  # noqa: D102
    @property
    def congestion(self) -> float: ...  # noqa: D102
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
    frame, totals = tables["locations"], tables["totals"].iloc[0]
    names = list(economy.names)
    if len(frame) != len(names):
        return (Condition("every place has its row", float("nan"), f"{len(frame)} rows", tolerance),)
    density, weight, wage, index, real = (
        frame[name].to_numpy(dtype=float)
        for name in ("population", "weight", "wage", "price_index", "real_wage")
    )

    def at_places(name: str, violations: Vector) -> Condition:
        return worst_case(name, violations, [f"location {place}" for place in names], tolerance)

    def overall(name: str, difference: float) -> Condition:
        return worst_case(name, [abs(difference)], ["the economy"], tolerance)

    listed = np.array([str(a) != str(b) for a, b in zip(frame["location"], names, strict=True)], dtype=float)
    parameters = (
        at_places("locations are the given ones", listed),
        at_places("population is the given one", np.abs(density / economy.density - 1)),
        at_places("weights are the given ones", np.abs(weight / economy.base_weights - 1)),
        at_places(
            "productivity is the given one", np.abs(frame["productivity"] / economy.productivities - 1)
        ),
        at_places("amenity is the given one", np.abs(frame["amenity"] / economy.amenities - 1)),
    )
    smallest = np.min([density, wage, index, real], axis=0)
    positive = at_places(
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
    worth = economy.amenities * density**-economy.congestion * wage / prices
    return (
        *parameters,
        positive,
        at_places("price index: P^{1−σ} = ∫ K a μ^c w^{1−σ} dm", np.abs(index / prices - 1)),
        at_places("shares of purchases sum to one", np.abs(stated - 1)),
        at_places("goods markets clear, (1)", np.abs(sales / income - 1)),
        at_places("trade is balanced: exports = imports", np.abs(exports - imports) / income),
        overall("Walras' law: the world sells what it earns", float(sales.sum() - income.sum())),
        overall("normalisation: ∫ w μ dm = 1, (2)", float(income.sum()) - 1),
        at_places("real wage: V = B w / P", np.abs(real / worth - 1)),
        *_identities(tables, totals, shares, income, real, economy, tolerance),
    )


def _identities(
    tables: Mapping[str, pd.DataFrame],
    totals: pd.Series[float],
    shares: Vector,
    income: Vector,
    real: Vector,
    economy: TradeParameters,
    tolerance: float,
) -> tuple[Condition, ...]:
    """Compare what the other tables repeat with what the locations imply."""
    names = economy.names
    people = tables["locations"]["population"].to_numpy(dtype=float)
    weight = tables["locations"]["weight"].to_numpy(dtype=float)
    implied = {
        "income": float(income.sum()),
        "mean_real_wage": float((weight * people) @ real),
        "own_share": float(np.diag(shares) @ income / income.sum()),
        "walras_slack": 0.0,
    }
    found = [
        worst_case(f"totals: {name}", [abs(float(totals[name]) - value)], ["the economy"], tolerance)
        for name, value in implied.items()
    ]
    if "trade" in tables:
        trade = tables["trade"]
        pairs = [f"{origin} to {destination}" for origin in names for destination in names]
        if len(trade) != len(pairs):
            return (
                *found,
                Condition("every pair has its row", float("nan"), f"{len(trade)} rows", tolerance),
            )
        written = [f"{o} to {d}" for o, d in zip(trade["origin"], trade["destination"], strict=True)]
        wrong = np.array([a != b for a, b in zip(written, pairs, strict=True)], dtype=float)
        share = np.abs(trade["share"].to_numpy(dtype=float) - shares.ravel())
        flow = np.abs(trade["flow"].to_numpy(dtype=float) - (shares * income).ravel())
        cost = np.abs(trade["cost"].to_numpy(dtype=float) / economy.costs.ravel() - 1)
        found += [
            worst_case("trade: costs are the given ones", cost, pairs, tolerance),
            worst_case("trade: pairs are all ordered pairs", wrong, pairs, tolerance),
            worst_case("trade: shares of the destination's income", share, pairs, tolerance),
            worst_case("trade: flows as shares of world income", flow, pairs, tolerance),
        ]
    return tuple(found)
