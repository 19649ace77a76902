r"""A coalition's tables, and the definition of improving upon an allocation, evaluated from them.

The conditions share nothing with the algebra of `agora.formulations.marketplaces.coalitions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from agora.models.certificate import Condition, worst_case
from agora.typing import Tables, Vector

if TYPE_CHECKING:
    from agora.models.marketplaces.coalition import CoalitionTest


def coalition_tables(
    test: CoalitionTest,
    locations: Sequence[float],
    gain: float,
    people: Vector,
    eaten: Vector,
    rest: Vector,
    setup_input: ArrayLike,
    prices: Vector,
    rents: Vector,
) -> dict[str, pd.DataFrame]:
    """Return the tables of a coalition of mass one.

    Parameters
    ----------
    test : CoalitionTest
        What is tested.
    locations : sequence (k,)
        d′, positions on the line.
    gain : float
        λ.
    people, eaten, rest : array (types, J), (types, J, I), (3, types, J)
        m_tj; C_tji; hours of work, hours of leisure, land; totals.
    setup_input, prices, rents : array (I,), (I,), (J,)
        Q_i; p_i summing to one; r_j.

    Returns
    -------
    dict of DataFrame
        ``members`` (type and site: mass, hours, land, ``consumption_1`` …, ``utility`` a head),
        ``types`` (share of the coalition, mass of the largest such coalition, tested utility, and what
        members must reach), ``marketplaces``, ``commodities`` (``setup_input``, ``price``), ``sites``
        (``travel``, ``rent``), ``totals`` (``gain``, ``coalition_mass``).
    """
    names, travel = list(test.utility), test.travel(locations)
    shares = people.sum(axis=1)
    masses = np.array([kind.mass for kind in test.types])
    with np.errstate(divide="ignore"):
        scale = float(np.min(np.where(shares > 1e-7, masses / np.maximum(shares, 1e-300), np.inf)))
    scale = scale if np.isfinite(scale) else 0.0
    members = pd.DataFrame(
        {
            "type": np.repeat(names, len(travel)),
            "site": np.tile(np.arange(len(travel)), len(names)),
            "mass": people.ravel(),
            "work": rest[0].ravel(),
            "leisure": rest[1].ravel(),
            "land": rest[2].ravel(),
            **{f"consumption_{good + 1}": eaten[:, :, good].ravel() for good in range(eaten.shape[2])},
        }
    )
    members["utility"] = [_reached(test, row, eaten.shape[2]) for _, row in members.iterrows()]
    reach = [test.utility[name] + gain * test.unit[name] for name in names]
    return {
        "members": members,
        "types": pd.DataFrame(
            {
                "type": names,
                "share": shares,
                "mass": np.minimum(scale * shares, masses),
                "tested_utility": list(test.utility.values()),
                "required_utility": reach,
            }
        ),
        "marketplaces": pd.DataFrame({"marketplace": range(1, len(locations) + 1), "location": locations}),
        "commodities": pd.DataFrame(
            {"commodity": range(1, len(prices) + 1), "setup_input": setup_input, "price": prices}
        ),
        "sites": pd.DataFrame({"site": range(len(travel)), "travel": travel, "rent": rents}),
        "totals": pd.DataFrame({"gain": [gain], "coalition_mass": [scale * float(shares.sum())]}),
    }


def _reached(test: CoalitionTest, row: pd.Series, goods: int) -> float:
    """Return utility a head of the members in a row (NaN where there is nobody)."""
    if row["mass"] <= 0:
        return float("nan")
    taste = test.tastes[str(row["type"])]
    eaten = np.array([float(row[f"consumption_{good}"]) for good in range(1, goods + 1)])
    parts = np.array(taste.commodities)
    if not taste.substitutes:
        return float((eaten[parts > 0] / parts[parts > 0]).min() / row["mass"])
    uses = np.array([*eaten, float(row["leisure"]), float(row["land"])])
    shares = np.array([*parts, taste.leisure, taste.land])
    return float(np.prod(np.maximum(uses[shares > 0], 0.0) ** shares[shares > 0]) / row["mass"])


def coalition_conditions(test: CoalitionTest, tables: Tables, tolerance: float) -> tuple[Condition, ...]:
    """Evaluate Berliant & Konishi (2000), section 2.12, from tables and parameters.

    The first conditions make the gain a lower bound (this coalition does it), the last one an upper
    bound for these marketplaces (nobody could afford more at these prices).
    """
    members, types, goods = tables["members"], tables["types"], tables["commodities"]
    gain = float(tables["totals"]["gain"].iloc[0])
    places = tables["marketplaces"]["location"].to_numpy(float)
    low, high = test.region
    travel = test.travel(places)
    who = members["type"] + " at site " + members["site"].astype(str)
    mass = members["mass"].to_numpy(float)
    site = members["site"].to_numpy(int)
    work, leisure, land = (members[column].to_numpy(float) for column in ("work", "leisure", "land"))
    number = len(goods)
    eaten = members[[f"consumption_{good}" for good in range(1, number + 1)]].to_numpy(float)
    parts = np.column_stack([mass, work, leisure, land, eaten])
    target = {name: test.utility[name] + gain * test.unit[name] for name in test.utility}
    missing = []
    for _, row in members.iterrows():
        reached = _reached(test, row, number) if row["mass"] > 0 else np.inf
        missing.append(max(target[str(row["type"])] - reached, 0.0) * float(row["mass"]))
    shares = types["share"].to_numpy(float)
    grouped = members.groupby("type")["mass"].sum().reindex(types["type"]).to_numpy(float)
    limit = np.array([kind.mass for kind in test.types])
    made = np.bincount(np.array(test.makes)[site] - 1, weights=work, minlength=number)
    used = goods["setup_input"].to_numpy(float)
    empty = not mass.any()
    claimed = gain - test.least_gain if empty else 0.0
    whole = 0.0 if empty else abs(mass.sum() - 1)
    late = work + leisure - (test.time - travel[site]) * mass
    lack = eaten.sum(axis=0) + used - made
    setup = test.needs(len(places))
    if setup.composite > 0:
        lacking = [
            0.0
            if empty
            else setup.composite - float(np.prod(np.maximum(used, 0.0) ** np.array(setup.shares)))
        ]
    else:
        lacking = [0.0 if empty else need - put for need, put in zip(setup.needs, used, strict=True)]
    names, commodities = types["type"].tolist(), goods["commodity"].tolist()
    plots = np.bincount(site, weights=land, minlength=len(travel)) - test.plot * mass.sum()
    prices, rents = goods["price"].to_numpy(float), tables["sites"]["rent"].to_numpy(float)
    found = [
        worst_case("quantities are not negative", -parts.min(axis=1), who, tolerance),
        worst_case(
            "masses add up to a coalition of mass one (2.9)",
            [*abs(shares - grouped), whole], [*names, "the coalition"], tolerance,
        ),
        worst_case(
            "no more members of a type than there are (2.12)",
            types["mass"].to_numpy(float) - limit, names, tolerance,
        ),
        worst_case("without members there is no gain", [claimed], ["nobody"], tolerance),
        worst_case("marketplaces lie in D", np.maximum(low - places, places - high), places, tolerance),
        worst_case("members reach their utility (2.12; utility × mass)", missing, who, tolerance),
        worst_case("time of members (hours)", late, who, tolerance),
        worst_case("land of the coalition", plots, range(len(travel)), tolerance),
        worst_case("commodities are made by members (units)", lack, commodities, tolerance),
        worst_case("the marketplaces' needs are met (2.9)", lacking, range(1, len(lacking) + 1), tolerance),
        worst_case(
            "nobody could afford a greater gain at the prices (Theorem 3.1; gain)",
            [affordable_gain(test, places, prices, rents) - gain], ["everywhere"], tolerance,
        ),
    ]  # fmt: skip
    if test.everybody and not empty:
        wanted = np.array(list(test.shares.values()))
        found.append(worst_case("the coalition is everybody", abs(shares - wanted), names, tolerance))
    return tuple(found)


def affordable_gain(
    test: CoalitionTest, locations: Sequence[float] | Vector, prices: Vector, rents: Vector
) -> float:
    r"""Return an upper bound of the gain with given marketplaces, from any prices p, r ≥ 0.

    .. math:: \max_{t,j} \frac{(p_{i(j)}(T-\delta_j) + \sum_k b r_k - F(p)) / e_{tj}(p, r) - \bar u_t}{g_t}

    (with transfers between types if the coalition is everybody); see
    `agora.formulations.marketplaces.coalitions.add_price_test`.
    """
    income = member_income(test, test.travel(locations), len(locations), prices, rents)
    return least_gain(test, income[None, :], living_costs(test, prices, rents)[None, :])


def member_income(test: CoalitionTest, travel: Vector, number: int, prices: Vector, rents: Vector) -> Vector:
    """Return a member's income at each site (J,): working time at the wage, land, less the fee."""
    setup, shares = test.needs(number), np.array(test.needs(number).shares)
    if setup.composite > 0:
        paid = shares > 0
        fee = setup.composite * float(np.prod((prices[paid] / shares[paid]) ** shares[paid]))
    else:
        fee = float(np.dot(setup.needs, prices))
    income: Vector = prices[np.array(test.makes) - 1] * (test.time - travel) + test.plot * rents.sum() - fee
    return income


def living_costs(test: CoalitionTest, prices: Vector, rents: Vector) -> Vector:
    """Return e_tj (types, J), the least cost of a unit of utility."""
    costs = np.empty((len(test.types), len(test.sites)))
    for t, taste in enumerate(test.tastes.values()):
        shares = np.array([*taste.commodities, taste.leisure, taste.land])
        used = shares > 0
        for j, good in enumerate(test.makes):
            level = np.array([*prices, prices[good - 1], rents[j]])
            if taste.substitutes:
                costs[t, j] = np.prod((level[used] / shares[used]) ** shares[used])
            else:
                costs[t, j] = shares @ level
    return costs


def least_gain(test: CoalitionTest, income: Vector, costs: Vector) -> float:
    """Return the least λ ≥ λ̲ at which nobody gains by joining, for every one of several price vectors.

    Parameters
    ----------
    test : CoalitionTest
        Its utilities and their units; whether types may transfer income (everybody).
    income : array (prices, J)
        Of a member at each site.
    costs : array (prices, types, J)
        Of a unit of utility.
    """
    tested, unit = np.array(list(test.utility.values())), np.array(list(test.unit.values()))
    with np.errstate(divide="ignore", over="ignore"):
        alone = (income[:, None, :] / np.maximum(costs, 1e-300) - tested[:, None]) / unit[:, None]
    best = alone.max(axis=-1)
    if not test.everybody:
        return max(float(best.max()), test.least_gain)
    shares = np.array(list(test.shares.values()))
    low, high = test.least_gain, max(float(best.max()), test.least_gain)
    for _ in range(200):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        left = income[:, None, :] - (tested + middle * unit)[:, None] * costs
        if (left.max(axis=-1) @ shares).max() > 0:
            low = middle
        else:
            high = middle
    return high
