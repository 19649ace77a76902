"""Solved marketplace economies and coalitions in tables, and an equilibrium as a program's start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyomo.environ as pyo
from numpy.typing import ArrayLike

from agora.formulations.marketplaces.coalitions import Taste
from agora.formulations.marketplaces.grounds import nearest
from agora.formulations.marketplaces.market_equilibrium import MarketEquilibrium
from agora.models.prices import price
from agora.typing import Vector

if TYPE_CHECKING:
    from agora.models.marketplaces.coalition import CoalitionTest
    from agora.models.marketplaces.marketplaces import Marketplaces


def marketplace_tables(
    model: Marketplaces, program: pyo.ConcreteModel, places: Vector
) -> dict[str, pd.DataFrame]:
    """Return the tables of a solved program with marketplaces at `locations`."""
    sites, goods = list(program.sites), list(program.goods)
    commodity = np.array([price(program, program.commodity_balance[i]) for i in goods])
    wage = np.array([price(program, program.time_balance[j]) for j in sites])
    rent = np.array([price(program, program.land_balance[j]) for j in sites])
    unit = commodity.sum() + wage.sum() + rent.sum()
    names, home = model.ground.names(places), nearest(model.ground, places)

    def column(variable: Any) -> list[float]:
        return [float(variable[j].value) for j in sites]

    table = pd.DataFrame(
        {
            "site": sites,
            **model.ground.site_columns(),
            "makes": model.makes,
            "marketplace": [names[k] for k in home],
            "travel": model.travel(places),
            "population": column(program.population),
            "production": column(program.work),
            "leisure": column(program.leisure),
            "land": column(program.land_used),
            "wage": wage / unit,
            "rent": rent / unit,
        }
    )
    for i in goods:
        table[f"consumption_{i}"] = [float(program.consumption[i, j].value) for j in sites]
    users = [float(table["population"][home == k].sum()) for k in range(len(names))]
    kinds = ["commodity"] * len(goods) + ["wage"] * len(sites) + ["rent"] * len(sites)
    prices = pd.DataFrame(
        {
            "kind": kinds,
            "of": [*goods, *sites, *sites],
            "price": np.concatenate([commodity, wage, rent]) / unit,
        }
    )
    inputs = {f"setup_input_{i}": [float(program.setup_input[i].value)] for i in goods}
    totals = pd.DataFrame(
        {
            "utility": [float(program.utility.value)],
            "marketplaces": [len(names)],
            "setup_need": [model.setup_cost * float(model.units(places))],
            "fee": [float(sum(commodity[i - 1] * inputs[f"setup_input_{i}"][0] for i in goods) / unit)],
            "rent_income": [float((rent * model.plots).sum() / unit)],
            **inputs,
        }
    )
    return {
        "sites": table,
        "marketplaces": pd.DataFrame(
            {"marketplace": range(len(names)), **model.ground.columns(places), "users": users}
        ),
        "prices": prices,
        "totals": totals,
    }


def start_from(
    model: Marketplaces, program: pyo.ConcreteModel, at: MarketEquilibrium, locations: Vector
) -> None:
    """Start a program at an equilibrium, so that IPOPT needs a few steps only."""
    wages, people = at.prices[model.economy.makes], np.maximum(at.population, 1e-8)
    income = np.maximum(at.income, float(at.income @ at.population))
    tastes, level = model.economy.preferences, max(at.utility, 1e-6)
    goods, rest = tastes.other_shares(at.prices, wages, income, level)
    goods, rest = (
        np.broadcast_to(goods, (len(people), len(at.prices))),
        np.broadcast_to(rest, len(people)),
    )
    spent, travel = people * income, model.travel(locations)
    for j in program.sites:
        program.population[j].set_value(float(people[j]))
        for good in program.goods:
            eaten = goods[j, good - 1] * spent[j] / at.prices[good - 1]
            program.consumption[good, j].set_value(float(max(eaten, 1e-12)))
        leisure = float(max(rest[j] * spent[j] / wages[j], 1e-12))
        program.leisure[j].set_value(leisure)
        program.work[j].set_value(float(max((model.time - travel[j]) * people[j] - leisure, 1e-12)))
        program.land_used[j].set_value(float(model.plots[j]))
    for good in program.goods:
        used = model.setup_shares[good - 1] * at.fee / at.prices[good - 1]
        program.setup_input[good].set_value(max(used, 1e-12))
    program.utility.set_value(at.utility)


# --- coalitions ------------------------------------------------------------------------------------

FEW = 1e-7
"""Share of a coalition up to which a type does not limit how large the coalition is."""


def coalition_tables(
    test: CoalitionTest,
    locations: Sequence[float],
    gain: float,
    members: Mapping[str, Vector],
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
    members : mapping of array (types, J) and, for ``consumption``, (types, J, I)
        ``mass`` m_tj; totals of ``work``, ``leisure``, ``land``, ``consumption`` C_tji.
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
    names, travel, consumption = list(test.utility), test.travel(locations), members["consumption"]
    shares, masses = members["mass"].sum(axis=1), np.array(list(test.masses.values()))
    large = shares > FEW
    scale = float((masses[large] / shares[large]).min()) if large.any() else 0.0
    frame = pd.DataFrame(
        {
            "type": np.repeat(names, len(travel)),
            "site": np.tile(np.arange(len(travel)), len(names)),
            **{name: members[name].ravel() for name in ("mass", "work", "leisure", "land")},
            **{f"consumption_{i + 1}": consumption[..., i].ravel() for i in range(consumption.shape[-1])},
        }
    )
    uses = np.concatenate([consumption, members["leisure"][..., None], members["land"][..., None]], axis=-1)
    reached = [_utility(test.tastes[name], uses[t]) for t, name in enumerate(names)]
    with np.errstate(divide="ignore", invalid="ignore"):
        frame["utility"] = np.where(frame["mass"] > 0, np.ravel(reached) / frame["mass"], np.nan)
    return {
        "members": frame,
        "types": pd.DataFrame(
            {
                "type": names,
                "share": shares,
                "mass": np.minimum(scale * shares, masses),
                "tested_utility": list(test.utility.values()),
                "required_utility": [test.utility[name] + gain * test.unit[name] for name in names],
            }
        ),
        "marketplaces": pd.DataFrame({"marketplace": range(1, len(locations) + 1), "location": locations}),
        "commodities": pd.DataFrame(
            {"commodity": range(1, len(prices) + 1), "setup_input": setup_input, "price": prices}
        ),
        "sites": pd.DataFrame({"site": range(len(travel)), "travel": travel, "rent": rents}),
        "totals": pd.DataFrame({"gain": [gain], "coalition_mass": [scale * float(shares.sum())]}),
    }


def _utility(taste: Taste, uses: Vector) -> Vector:
    """Return the utility of totals of commodities, leisure and land, (J, I + 2) → (J,)."""
    shares = np.array([*taste.commodities, taste.leisure, taste.land])
    used, kept = uses[:, shares > 0], shares[shares > 0]
    reached: Vector = (
        np.prod(np.maximum(used, 0.0) ** kept, axis=1) if taste.substitutes else (used / kept).min(axis=1)
    )
    return reached
