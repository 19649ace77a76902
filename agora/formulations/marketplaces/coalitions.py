r"""The coalition test: who could leave an allocation together, and what each of them would gain.

A coalition S with marketplaces d′ improves upon an allocation if it can feed, house and employ itself,
pay its own set-up, and make every member better off (Berliant & Konishi 2000, section 2.12). Set-up
needs, land and time are proportional to the coalition's mass (section 2.9), so only its composition
matters and its mass is one. Quantities are totals per member of the coalition; one hour of work makes
one unit of the site's commodity.

The program over allocations (`add_coalition` to `add_coalition_gain`) has a mirror over prices
(`add_prices` to `add_price_test`): the greatest gain of any coalition is the least gain at which, at
some prices, nobody could afford to be a member. For a given gain both are convex.

Notation: types t, sites j, commodities i; i(j) what site j makes; δ_j hours to the nearest marketplace;
ū_t + λ g_t the utility that a member of type t must reach, with λ the gain and g_t its unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyomo.environ as pyo

from agora.formulations.marketplaces.envy_free import weighted_logs


@dataclass(frozen=True)
class Taste:
    """A utility that is homogeneous of degree one, as numbers."""

    commodities: tuple[float, ...]
    """Leontief coefficients a_i (units of i per unit of utility), or Cobb–Douglas exponents α_i."""
    leisure: float
    """Cobb–Douglas exponent α_ℓ; zero for Leontief."""
    land: float
    """Cobb–Douglas exponent α_L; zero for Leontief. The exponents sum to one."""
    substitutes: bool
    """Whether it is Cobb–Douglas, Π C_i^α_i · leisure^α_ℓ · land^α_L, or Leontief, min C_i / a_i."""


@dataclass(frozen=True)
class Setup:
    """What the marketplaces of a structure need for each head: ``needs`` Q_i, or a composite."""

    needs: tuple[float, ...]
    """Q_i, units of each commodity (used if ``composite`` is 0)."""
    composite: float
    """q, units of the composite Π Q_i^γ_i."""
    shares: tuple[float, ...]
    """γ_i, summing to one."""


# --- allocations -----------------------------------------------------------------------------------


def add_coalition(block: pyo.Block, types: Sequence[str], makes: Sequence[int], goods: int) -> None:
    """Add the sets ``types``, ``sites`` (0 … J−1), ``goods`` (1 … I) and what members do.

    Variables, all totals of the members of type t at site j: ``member_mass`` m_tj (share of the
    coalition), ``consumption`` C_tji (units), ``work`` and ``leisure`` (hours), ``land_used``. Start:
    all alike. Where powers have infinite slopes quantities stay above 2e-8, also where nobody lives.
    """
    block.types = pyo.Set(initialize=list(types), ordered=True, doc="types of consumers")
    block.sites = pyo.RangeSet(0, len(makes) - 1, doc="sites, in the order given")
    block.goods = pyo.RangeSet(1, goods, doc="commodities")
    share = 1.0 / (len(types) * len(makes))
    people = (block.types, block.sites)
    block.member_mass = pyo.Var(*people, bounds=(1e-10, 1.0), initialize=share, doc="m_tj, share")
    block.consumption = pyo.Var(*people, block.goods, bounds=(2e-8, None), initialize=share / 3, doc="C_tji")
    block.work = pyo.Var(*people, bounds=(0.0, None), initialize=share, doc="hours of work")
    block.leisure = pyo.Var(*people, bounds=(2e-8, None), initialize=share / 2, doc="hours of leisure")
    block.land_used = pyo.Var(*people, bounds=(2e-8, None), initialize=share, doc="land occupied")


def add_coalition_mass_balance(block: pyo.Block) -> None:
    r"""Add the members up to one: any types, in any proportion.

    .. math:: \sum_{t,j} m_{tj} = 1

    Berliant & Konishi (2000), sections 2.9 and 2.12: everything scales with ν(S). The multiplier is
    the value of one more member, zero by the same scaling.
    """
    block.coalition_mass_balance = pyo.Constraint(expr=pyo.quicksum(block.member_mass.values()) == 1.0)


def add_economy_mass_balance(block: pyo.Block, shares: Mapping[str, float]) -> None:
    r"""Make the coalition everybody: each type with its share of the economy.

    .. math:: \sum_j m_{tj} = s_t \quad \text{for all } t, \qquad \sum_t s_t = 1

    The multipliers are the transfers σ_t that types receive, adding up to nothing (commodity units).
    """

    def rule(b: pyo.Block, kind: str) -> Any:
        return pyo.quicksum(b.member_mass[kind, site] for site in b.sites) == shares[kind]

    block.economy_mass_balance = pyo.Constraint(block.types, rule=rule, doc="multiplier: σ_t")


def add_coalition_time_limit(block: pyo.Block, endowment: float, travel: Any) -> None:
    r"""Fill members' days with work, leisure and the way to the marketplace.

    .. math:: \mathrm{Work}_{tj} + \mathrm{Leisure}_{tj} \le (T - \delta_j)\, m_{tj}
              \quad \text{for all } t, j

    Berliant & Konishi (2000), section 2.6; hours. `travel` gives δ_j, a number or a variable. The
    multiplier is the wage p_{i(j)} ≥ 0.
    """

    def rule(b: pyo.Block, kind: str, site: int) -> Any:
        used = b.work[kind, site] + b.leisure[kind, site]
        return (None, used - (endowment - travel[site]) * b.member_mass[kind, site], 0.0)

    block.coalition_time_limit = pyo.Constraint(block.types, block.sites, rule=rule, doc="multiplier: wage")


def add_coalition_land_limit(block: pyo.Block, plots: Sequence[float]) -> None:
    r"""House the coalition on its own land: every member owns a plot at every site.

    .. math:: \sum_t \mathrm{Land}_{tj} \le b_j \quad \text{for all } j

    Berliant & Konishi (2000), sections 2.10 and 5; units of land per member. The multiplier is the
    rent r_j ≥ 0.
    """

    def rule(b: pyo.Block, site: int) -> Any:
        return (None, pyo.quicksum(b.land_used[kind, site] for kind in b.types), plots[site])

    block.coalition_land_limit = pyo.Constraint(block.sites, rule=rule, doc="multiplier: r_j, rent")


def add_coalition_commodity_balance(block: pyo.Block, makes: Sequence[int], setup: Setup) -> None:
    r"""Let members make what they consume and what their marketplaces need.

    .. math:: \sum_{t,j} C_{tji} + Q_i \le \sum_t \sum_{j: i(j) = i} \mathrm{Work}_{tj}
              \quad \text{for all } i

    and, for a composite, log q ≤ Σ γ_i log Q_i. Berliant & Konishi (2000), sections 2.8, 2.9, 5. The
    multiplier is the price p_i ≥ 0 of commodity i.
    """
    least = 1e-7 if setup.composite > 0 else 0.0
    block.setup_input = pyo.Var(block.goods, bounds=(least, None), initialize=setup.composite, doc="Q_i")
    if setup.composite > 0:
        built = weighted_logs(setup.shares, block.setup_input.values())
        block.setup_limit = pyo.Constraint(expr=built >= pyo.log(setup.composite))
    else:
        for good, need in zip(block.goods, setup.needs, strict=True):
            block.setup_input[good].fix(need)

    def rule(b: pyo.Block, good: int) -> Any:
        made = pyo.quicksum(b.work[kind, site] for kind in b.types for site in b.sites if makes[site] == good)
        eaten = pyo.quicksum(b.consumption[kind, site, good] for kind in b.types for site in b.sites)
        return (0.0, made - eaten - b.setup_input[good], None)

    block.coalition_commodity_balance = pyo.Constraint(block.goods, rule=rule, doc="multiplier: p_i, price")


def add_coalition_gain(
    block: pyo.Block,
    tastes: Mapping[str, Taste],
    utility: Mapping[str, float],
    unit: Mapping[str, float],
    least: float,
) -> None:
    r"""Maximise what every member gains, ``gain`` λ ≥ λ̲.

    .. math:: U_t(C_{tj}, \mathrm{Leisure}_{tj}, \mathrm{Land}_{tj}) \ge (\bar u_t + \lambda g_t)\, m_{tj}
              \quad \text{for all } t, j

    Berliant & Konishi (2000), section 2.12. Leontief: C_tji ≥ a_ti (ū_t + λ g_t) m_tj for all i;
    Cobb–Douglas as the product of powers that it is. For given λ the set is convex, so λ is
    quasi-concave and a Karush–Kuhn–Tucker point global. Multipliers: what a member's utility costs the
    coalition.

    Parameters
    ----------
    tastes, utility, unit : mapping
        Type → U_t, ū_t (utility), g_t (utility per unit of gain).
    least : float
        λ̲, −1 or 0.
    """
    block.gain = pyo.Var(bounds=(least, None), initialize=max(least + 0.1, -0.5), doc="λ, the members' gain")
    block.gain_limit_leontief = pyo.Constraint(block.types, block.sites, block.goods)
    block.gain_limit = pyo.Constraint(block.types, block.sites)
    for kind in block.types:
        target = utility[kind] + block.gain * unit[kind]
        taste = tastes[kind]
        for site in block.sites:
            people = block.member_mass[kind, site]
            eaten = [block.consumption[kind, site, good] for good in block.goods]
            if taste.substitutes:
                uses = [*eaten, block.leisure[kind, site], block.land_used[kind, site]]
                shares = [*taste.commodities, taste.leisure, taste.land]
                reached = pyo.prod(use**share for use, share in zip(uses, shares, strict=True) if share > 0)
                enough = (0.0, reached - target * people, None)
                block.gain_limit[kind, site] = enough
                continue
            for good, need in zip(block.goods, taste.commodities, strict=True):
                if need > 0:
                    enough = (0.0, block.consumption[kind, site, good] - need * target * people, None)
                    block.gain_limit_leontief[kind, site, good] = enough
    block.greatest_gain = pyo.Objective(expr=block.gain, sense=pyo.maximize, doc="λ")


def add_free_marketplaces(
    block: pyo.Block, positions: Sequence[float], region: tuple[float, float], start: Sequence[float]
) -> None:
    r"""Let marketplaces move within the region; each site keeps the one that is nearest at the start.

    .. math:: \delta_j \ge |x_j - d'_{k(j)}|, \qquad \underline{D} \le d'_k \le \overline{D}
              \quad \text{for all } j, k

    Adds ``location`` d′_k (units of the line) and ``travel`` δ_j (hours). Nonconvex together with the
    time limit. Multipliers: the value of a shorter way to the members at j.

    Parameters
    ----------
    positions : sequence (J,)
        x_j.
    region : (float, float)
        D.
    start : sequence (k,)
        Where the marketplaces begin.
    """
    block.location = pyo.Var(
        block.marketplaces, bounds=region, initialize=dict(enumerate(start, 1)), doc="d′_k"
    )
    block.travel = pyo.Var(block.sites, bounds=(0.0, None), doc="δ_j, hours")
    block.travel_right = pyo.Constraint(block.sites)
    block.travel_left = pyo.Constraint(block.sites)
    for site, x in zip(block.sites, positions, strict=True):
        ways = [abs(x - location) for location in start]
        block.travel[site].set_value(min(ways))
        location = block.location[1 + ways.index(min(ways))]
        block.travel_right[site] = (float(x), block.travel[site] + location, None)
        block.travel_left[site] = (float(-x), block.travel[site] - location, None)


# --- prices ----------------------------------------------------------------------------------------


def add_prices(
    block: pyo.Block, types: Sequence[str], plots: Sequence[float], goods: int, tastes: Mapping[str, Taste]
) -> None:
    r"""Add prices ``commodity_price`` p_i, ``land_rent`` r_j and ``transfer`` σ_t.

    .. math:: \sum_i p_i = 1, \qquad p, r \ge 0

    The multiplier of the sum is zero: prices' scale does not matter. Cobb–Douglas costs have infinite
    slopes at zero, so that prices then stay above 1e-7, which can only raise the bound.
    """
    block.types = pyo.Set(initialize=list(types), ordered=True, doc="types of consumers")
    block.sites = pyo.RangeSet(0, len(plots) - 1, doc="sites, in the order given")
    block.goods = pyo.RangeSet(1, goods, doc="commodities")
    land = max(taste.land for taste in tastes.values())
    start = land / ((1 - land) * len(plots) * max(plots))
    smooth = any(taste.substitutes for taste in tastes.values())
    least = 1e-7 if smooth else 0.0
    block.commodity_price = pyo.Var(block.goods, bounds=(least, None), initialize=1 / goods, doc="p_i")
    block.land_rent = pyo.Var(block.sites, bounds=(least, None), initialize=start + 2 * least, doc="r_j")
    block.transfer = pyo.Var(block.types, initialize=0.0, doc="σ_t, lump sum a head")
    block.price_balance = pyo.Constraint(expr=pyo.quicksum(block.commodity_price.values()) == 1.0)


def add_no_transfers(block: pyo.Block) -> None:
    r"""Pay no lump sums, σ_t = 0: nobody joins a coalition of free composition to give."""
    block.transfer.fix(0.0)


def add_transfer_balance(block: pyo.Block, shares: Mapping[str, float]) -> None:
    r"""Let lump sums between the types of a given composition add up to nothing.

    .. math:: \sum_t s_t \sigma_t = 0

    The multiplier is the mass of the coalition in the units of `price_test`'s multipliers.
    """
    block.transfer_balance = pyo.Constraint(
        expr=pyo.quicksum(shares[kind] * block.transfer[kind] for kind in block.types) == 0.0
    )


def add_setup_cost(block: pyo.Block, setup: Setup) -> None:
    r"""Add the fee a head, ``setup_cost``: the least cost of what the marketplaces need.

    .. math:: F(p) = \sum_i q_i p_i \quad \text{or} \quad F(p) = q \prod_i (p_i / \gamma_i)^{\gamma_i}
    """
    prices = list(block.commodity_price.values())
    if setup.composite > 0:
        cost = setup.composite * _geometric(prices, setup.shares)
    else:
        cost = pyo.quicksum(need * p for need, p in zip(setup.needs, prices, strict=True))
    block.setup_cost = pyo.Expression(expr=cost, doc="F, fee a head")


def add_living_cost(block: pyo.Block, makes: Sequence[int], tastes: Mapping[str, Taste]) -> None:
    r"""Add ``living_cost``: what a unit of utility costs a type at a site, its leisure at the wage there.

    .. math:: e_{tj}(p, r) = \sum_i a_{ti} p_i \quad \text{or} \quad e_{tj}(p, r) =
              \prod_i \Bigl(\frac{p_i}{\alpha_i}\Bigr)^{\alpha_i}
              \Bigl(\frac{p_{i(j)}}{\alpha_\ell}\Bigr)^{\alpha_\ell}
              \Bigl(\frac{r_j}{\alpha_L}\Bigr)^{\alpha_L} \quad \text{for all } t, j
    """

    def rule(b: pyo.Block, kind: str, site: int) -> Any:
        taste, prices = tastes[kind], list(b.commodity_price.values())
        if not taste.substitutes:
            return pyo.quicksum(need * p for need, p in zip(taste.commodities, prices, strict=True))
        every = [*prices, b.commodity_price[makes[site]], b.land_rent[site]]
        return _geometric(every, [*taste.commodities, taste.leisure, taste.land])

    block.living_cost = pyo.Expression(block.types, block.sites, rule=rule, doc="e_tj")


def _geometric(prices: Sequence[pyo.Var], shares: Sequence[float]) -> Any:
    """Return Π (price/share)^share."""
    used = [(price, share) for price, share in zip(prices, shares, strict=True) if share > 0]
    return pyo.prod((price / share) ** share for price, share in used)


def add_price_test(  # noqa: PLR0913 (one argument a datum of the paper's test)
    block: pyo.Block,
    makes: Sequence[int],
    endowment: float,
    travel: Sequence[float],
    plots: Sequence[float],
    utility: Mapping[str, float],
    unit: Mapping[str, float],
    least: float,
) -> None:
    r"""Find the least gain that nobody could afford to exceed, ``gain`` λ ≥ λ̲.

    .. math:: \min_{p, r, \sigma} \lambda \quad \text{with} \quad
              p_{i(j)} (T - \delta_j) + \sum_k b_k r_k - F(p)
              \le \sigma_t + (\bar u_t + \lambda g_t)\, e_{tj}(p, r) \quad \text{for all } t, j

    The separation argument of Berliant & Konishi (2000, Theorem 3.1, proof): at any such prices a
    member's consumption costs at least as much as the member earns, so no coalition gains more than
    λ. The multiplier of ``price_test`` is m_tj times a constant: who would be in the coalition.

    Parameters
    ----------
    makes, travel, plots : sequence (J,)
        i(j), δ_j (hours), b_j (land a head).
    endowment : float
        T, hours.
    utility, unit : mapping
        Type → ū_t, g_t.
    least : float
        λ̲, −1 or 0.
    """
    block.gain = pyo.Var(bounds=(least, None), initialize=max(least, 0.0) + 1.0, doc="λ, the members' gain")

    def rule(b: pyo.Block, kind: str, site: int) -> Any:
        rents = pyo.quicksum(plots[other] * b.land_rent[other] for other in b.sites)
        income = b.commodity_price[makes[site]] * (endowment - travel[site]) + rents - b.setup_cost
        target = utility[kind] + b.gain * unit[kind]
        return (None, income - b.transfer[kind] - target * b.living_cost[kind, site], 0.0)

    block.price_test = pyo.Constraint(block.types, block.sites, rule=rule, doc="multiplier ∝ m_tj")
    block.least_gain = pyo.Objective(expr=block.gain, sense=pyo.minimize, doc="λ")
