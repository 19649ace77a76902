r"""The improving coalition of Berliant & Konishi (2000), section 2.12, evaluated from tables.

A coalition S with marketplaces d′ improves upon an allocation if what its members consume, and what the
marketplaces need, is made by its members with their own time and land, and every member is better off.
Everything is in proportion to the coalition's mass (section 2.9), so quantities are a member's share:
totals of a coalition of mass one. The prices in the tables prove how much any coalition with these
marketplaces could gain: at prices at which nobody could pay for more, no coalition does better (the
separation argument of Theorem 3.1). Utilities, costs, ways and balances are worked out here from the
economy's own numbers; nothing is shared with the programs or with the code that makes the tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from agora.data.marketplaces import CoalitionParameters, CobbDouglas, ConsumerType, Leontief, SetupComposite
from agora.models.certificate import Condition, worst_case
from agora.typing import Tables, Vector

FEW = 1e-7
"""Share of a coalition up to which a type does not limit how large the coalition is."""


@np.errstate(invalid="ignore", over="ignore")  # what is missing or absurd is a violation
def coalition_conditions(
    economy: CoalitionParameters, tables: Tables, tolerance: float
) -> tuple[Condition, ...]:
    """Evaluate every condition of section 2.12, the bound of Theorem 3.1, and the tables' identities.

    The conditions of a coalition make the gain a lower bound (these members do it), the last one an upper
    bound for these marketplaces (nobody could afford more at these prices).
    """
    names, goods = [kind.name for kind in economy.types], range(1, max(economy.makes) + 1)
    homes = [(name, site) for name in names for site in range(len(economy.sites))]
    members, missing_members = labelled_rows(tables["members"], ["type", "site"], homes)
    types, missing_types = labelled_rows(tables["types"], ["type"], names)
    commodities, missing_goods = labelled_rows(tables["commodities"], ["commodity"], goods)
    sites, missing_sites = labelled_rows(tables["sites"], ["site"], range(len(economy.sites)))
    number = len(tables["marketplaces"])
    markets, missing_markets = labelled_rows(
        tables["marketplaces"], ["marketplace"], list(range(1, number + 1))
    )
    locations = markets["location"].to_numpy(float)
    totals = tables["totals"].reset_index(drop=True).reindex([0]).iloc[0]
    gain, size = float(totals["gain"]), float(totals["coalition_mass"])

    def at_homes(column: str) -> Vector:
        return members[column].to_numpy(float).reshape(len(names), len(economy.sites))

    mass, work, leisure, land = (at_homes(name) for name in ("mass", "work", "leisure", "land"))
    consumption = np.stack([at_homes(f"consumption_{good}") for good in goods], axis=-1)
    inputs, prices = (commodities[name].to_numpy(float) for name in ("setup_input", "price"))
    rents = sites["rent"].to_numpy(float)
    there = [f"{name} at site {site}" for name, site in homes]
    empty, most = not mass.any(), economy.marketplaces

    unit = np.array([kind.utility or 1.0 for kind in economy.types])
    tested = np.array([kind.utility for kind in economy.types])
    wanted = tested + gain * unit
    reached = np.array(
        [_utility(kind, *use) for kind, *use in zip(economy.types, consumption, leisure, land, strict=True)]
    )
    written = np.where(mass > 0, at_homes("utility") * mass - reached, 0.0)
    travel = _travel(economy, locations)
    shares, limit = mass.sum(axis=1), np.array([kind.mass for kind in economy.types])
    large = shares > FEW
    largest = 0.0 if empty else float((limit[large] / shares[large]).min(initial=np.inf))
    masses = np.minimum(largest * shares, limit)
    makes = np.array(economy.makes)
    made = np.array([work[:, makes == good].sum() for good in goods])
    used = consumption.sum(axis=(0, 1)) + inputs
    quantities = np.min([mass, work, leisure, land, consumption.min(axis=-1)], axis=0)

    each = partial(worst_case, tolerance=tolerance)
    conditions = [
        each(
            "rows: each member, type, marketplace, commodity and site once",
            [
                *(missing_members, missing_types, missing_markets, missing_goods, missing_sites),
                abs(len(tables["totals"]) - 1),
            ],
            ["members", "types", "marketplaces", "commodities", "sites", "totals"],
        ),
        each("quantities are not negative", -quantities.ravel(), there),
        each("inputs and prices are not negative", -np.minimum(inputs, prices), goods),
        each("rents are not negative", -rents, range(len(rents))),
        each("prices add up to one", [abs(prices.sum() - 1)], ["all commodities"]),
        each(
            "masses add up to a coalition of mass one (2.9)",
            [*np.abs(types["share"].to_numpy(float) - shares), 0.0 if empty else abs(mass.sum() - 1)],
            [*names, "the coalition"],
        ),
        each("no more members of a type than there are (2.12)", types["mass"].to_numpy(float) - limit, names),
        each(
            "the coalition is as large as its types allow (share of all people)",
            [
                *np.abs(types["mass"].to_numpy(float) - masses) / limit.sum(),
                abs(size - largest * shares.sum()) / limit.sum(),
            ],
            [*names, "the coalition"],
        ),
        each("without members there is no gain", gain - _least_gain(economy) if empty else 0.0, ["nobody"]),
        each(
            "marketplaces lie in D",
            np.maximum(economy.region[0] - locations, locations - economy.region[1]),
            locations.tolist(),
        ),
        each("there are as many marketplaces as may be", max(1 - number, number - most), ["marketplaces"]),
        each(
            "members reach their utility (2.12; utility × mass)",
            np.where(mass > 0, np.maximum(wanted[:, None] * mass - reached, 0.0), 0.0).ravel(),
            there,
        ),
        each("utility is that of the consumption (utility × mass)", np.abs(written).ravel(), there),
        each("tested utilities are the given ones", np.abs(types["tested_utility"] - tested), names),
        each("required utilities follow from the gain", np.abs(types["required_utility"] - wanted), names),
        each("travel is the way to the nearest marketplace", np.abs(sites["travel"] - travel), sites.index),
        each("time of members (hours)", (work + leisure - (economy.time - travel) * mass).ravel(), there),
        each("land of the coalition", land.sum(axis=0) - economy.plot * mass.sum(), range(len(rents))),
        each("commodities are made by members (units)", used - made, goods),
        _needs_met(economy, number, inputs, empty, tolerance),
        each(
            "nobody could afford a greater gain at the prices (Theorem 3.1; gain)",
            [affordable_gain(economy, locations, prices, rents) - gain],
            ["everywhere"],
        ),
    ]
    if economy.everybody and not empty:
        conditions.append(each("the coalition is everybody", np.abs(shares - limit / limit.sum()), names))
    return tuple(conditions)


def labelled_rows(table: pd.DataFrame, keys: list[str], labels: Sequence[Any]) -> tuple[pd.DataFrame, float]:
    """Return the rows of the labels, in their order, and how many are missing, unknown or double."""
    rows = table.assign(type=table["type"].astype(str)) if "type" in keys else table
    once = rows.drop_duplicates(keys).set_index(keys)
    wanted = (
        pd.MultiIndex.from_tuples(labels, names=keys) if len(keys) > 1 else pd.Index(labels, name=keys[0])
    )
    there = int(wanted.isin(once.index).sum())
    return once.reindex(wanted), float(len(rows) + len(wanted) - 2 * there)


def _travel(economy: CoalitionParameters, locations: Vector) -> Vector:
    """Return the hours from each site to the nearest marketplace (J,)."""
    hours = np.abs(np.subtract.outer(np.array(economy.sites), locations))
    return hours.min(axis=1) if len(locations) else np.full(len(hours), np.nan)


def _utility(kind: ConsumerType, consumption: Vector, leisure: Vector, land: Vector) -> Vector:
    """Return the utility of totals (J, I), (J,), (J,): as they grow in proportion, so does utility."""
    if isinstance(kind.taste, Leontief):
        needed = np.array(kind.taste.coefficients)
        least: Vector = (consumption[:, needed > 0] / needed[needed > 0]).min(axis=1)
        return least
    uses = np.column_stack([consumption, leisure, land])
    shares = _exponents(kind.taste)
    with np.errstate(divide="ignore"):
        logs = np.log(np.maximum(uses[:, shares > 0], 0.0)) @ shares[shares > 0]
    utility: Vector = np.exp(logs)
    return utility


def _needs_met(
    economy: CoalitionParameters, number: int, inputs: Vector, empty: bool, tolerance: float
) -> Condition:
    """Return whether a coalition puts aside what its marketplaces need a head."""
    name = "the marketplaces' needs are met (2.9)"
    if isinstance(economy.setup, SetupComposite):
        shares = np.array(economy.setup.shares)
        with np.errstate(divide="ignore"):
            built = np.exp(shares[shares > 0] @ np.log(np.maximum(inputs[shares > 0], 0.0)))
        lacking = 0.0 if empty else number * economy.setup.amount - built
        return worst_case(name, [lacking], ["the composite"], tolerance)
    amounts = np.array(economy.setup.amounts)
    missing = 0.0 * amounts if empty else number * amounts - inputs
    return worst_case(name, missing, range(1, len(amounts) + 1), tolerance)


# --- what prices prove -----------------------------------------------------------------------------


def affordable_gain(
    economy: CoalitionParameters, locations: Sequence[float] | Vector, prices: Vector, rents: Vector
) -> float:
    r"""Return an upper bound of the gain with given marketplaces, from any prices p, r ≥ 0.

    A member at j earns the wage p_{i(j)} in T − δ_j hours and the rent of its plots, pays the fee F(p),
    and a unit of its utility costs e_tj at least. A coalition spends what it earns, so some member
    spends no more than it earns, and λ is at most

    .. math:: \max_{t,j} \frac{y_j / e_{tj} - \bar u_t}{g_t}, \qquad
              y_j = p_{i(j)} (T - \delta_j) + \sum_k b r_k - F(p).

    If the coalition must be everybody, types may support each other: then λ is at most the root of
    the falling, convex Σ_t s_t max_j (y_j − (ū_t + λ g_t) e_tj), found by Newton's method from below.
    """
    wage = np.array([prices[good - 1] for good in economy.makes])
    fee = _fee(economy, prices)
    income = (economy.time - _travel(economy, np.asarray(locations, dtype=float))) * wage
    income = income + economy.plot * rents.sum() - len(locations) * fee
    costs = np.array([_cost_of_utility(kind, prices, wage, rents) for kind in economy.types])
    tested = np.array([kind.utility for kind in economy.types])
    unit, least = np.where(tested > 0, tested, 1.0), _least_gain(economy)
    if economy.everybody:
        masses = np.array([kind.mass for kind in economy.types])
        return _with_support(income, costs, tested, unit, masses, least)
    free = np.where(income < 0, -np.inf, np.inf)  # what utilities cost nothing allow
    reached = np.where(costs > 0, income / np.where(costs > 0, costs, 1.0), free)
    return float(np.maximum(((reached - tested[:, None]) / unit[:, None]).max(), least))


def _with_support(
    income: Vector, costs: Vector, tested: Vector, unit: Vector, masses: Vector, least: float
) -> float:
    """Return the λ at which all types together can just pay for what λ adds; NaN if for any λ."""
    gain, kinds = least, np.arange(len(masses))
    for _ in range(1000):
        left = income - (tested + gain * unit)[:, None] * costs
        best = left.argmax(axis=1)
        excess, slope = masses @ left[kinds, best], (masses * unit) @ costs[kinds, best]
        if excess < 0 or 0 <= excess <= 1e-14 * max(1.0, abs(gain)) * slope > 0:
            return gain
        if not slope > 0:
            break
        gain += float(excess / slope)
    return np.nan


def _least_gain(economy: CoalitionParameters) -> float:
    """Return the gain of nobody: all of a utility lost, or none won by those who have none."""
    return 0.0 if any(kind.utility == 0 for kind in economy.types) else -1.0


def _fee(economy: CoalitionParameters, prices: Vector) -> float:
    """Return the least cost a head of what one marketplace needs."""
    if isinstance(economy.setup, SetupComposite):
        return economy.setup.amount * _geometric(np.array(economy.setup.shares), prices)
    return float(np.array(economy.setup.amounts) @ prices)


def _cost_of_utility(kind: ConsumerType, prices: Vector, wage: Vector, rents: Vector) -> Vector:
    """Return the least cost of a unit of utility at each site (J,)."""
    if isinstance(kind.taste, Leontief):
        return np.full(len(wage), float(np.array(kind.taste.coefficients) @ prices))
    shares = _exponents(kind.taste)
    return np.array([_geometric(shares, np.array([*prices, w, r])) for w, r in zip(wage, rents, strict=True)])


def _exponents(taste: CobbDouglas) -> Vector:
    """Return the exponents of commodities, leisure and land (I + 2,)."""
    return np.array([*taste.commodities, taste.leisure, taste.land])


def _geometric(shares: Vector, prices: Vector) -> float:
    """Return Π (price/share)^share, what a unit of Π x^share costs."""
    paid = shares > 0
    with np.errstate(divide="ignore"):
        logs = np.log(np.maximum(prices[paid], 0.0)) - np.log(shares[paid])
    return float(np.exp(shares[paid] @ logs))
