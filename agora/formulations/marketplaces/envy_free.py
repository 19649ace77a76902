r"""The envy-free Pareto program of a marketplace economy, piece by piece.

Quantities are totals of a site: per head × population, which homogeneity of degree one of utility
allows. Source: Berliant & Konishi (2000), sections 2.3–2.11 and 5; Corollary 3 makes the program's
optima the core. Masses of people sum to one; time is in units of a head's endowment scale; commodities
in the units in which an hour of work makes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyomo.environ as pyo


def add_sites(block: pyo.Block, sites: Sequence[int], goods: int) -> None:
    """Add the sets ``sites`` and ``goods`` (1 … I), and people's quantities at each site.

    Variables, all totals of the site: ``population`` m_j, ``consumption`` C_ij, ``work``, ``leisure``,
    ``land_used``; and ``utility`` u, common to all (envy-freeness). Start: everybody alike.
    """
    block.sites = pyo.Set(initialize=list(sites), ordered=True, doc="sites where people live")
    block.goods = pyo.RangeSet(1, goods, doc="commodities")
    share = 1.0 / len(sites)
    block.population = pyo.Var(block.sites, bounds=(1e-9, 1.0), initialize=share, doc="m_j")
    block.consumption = pyo.Var(
        block.goods, block.sites, bounds=(1e-12, None), initialize=0.4 * share, doc="C_ij"
    )
    block.work = pyo.Var(block.sites, bounds=(0.0, None), initialize=share, doc="hours worked")
    block.leisure = pyo.Var(block.sites, bounds=(1e-12, None), initialize=0.5 * share, doc="hours of leisure")
    block.land_used = pyo.Var(block.sites, bounds=(1e-12, None), initialize=0.9, doc="land occupied")
    block.utility = pyo.Var(bounds=(1e-9, None), initialize=0.5, doc="u, the common utility")


def add_population_balance(block: pyo.Block) -> None:
    r"""Everybody lives somewhere.

    .. math:: \sum_j m_j = 1

    Multiplier: the value of one more head (utility).
    """
    block.population_balance = pyo.Constraint(expr=pyo.quicksum(block.population.values()) == 1.0)


def add_land_balance(block: pyo.Block, plots: Sequence[float]) -> None:
    r"""All land of a site is lived on.

    .. math:: \mathrm{Land}_j = b_j \quad \text{for all } j

    It serves for nothing else and more of it never harms, so none is left: as an inequality the row
    would bind, but where few people live its multiplier is so small that an interior-point method
    leaves land idle. Multiplier: the rent r_j ≥ 0.
    """
    land = dict(zip(block.sites, plots, strict=True))

    def rule(b: pyo.Block, site: int) -> Any:
        return b.land_used[site] == land[site]

    block.land_balance = pyo.Constraint(block.sites, rule=rule, doc="multiplier: r_j, rent")


def add_time_balance(block: pyo.Block, endowment: float, travel: Any) -> None:
    r"""Work, leisure and the way to the marketplace fill the day.

    .. math:: \mathrm{Work}_j + \mathrm{Leisure}_j + \delta_j m_j \le T m_j \quad \text{for all } j

    `travel` maps a site to δ_j: a number, or a variable where marketplaces are free. Multiplier: the
    wage w_j ≥ 0.
    """

    def rule(b: pyo.Block, site: int) -> Any:
        return (None, b.work[site] + b.leisure[site] + (travel[site] - endowment) * b.population[site], 0.0)

    block.time_balance = pyo.Constraint(block.sites, rule=rule, doc="multiplier: w_j, wage")


def add_commodity_balance(block: pyo.Block, makes: Sequence[int]) -> None:
    r"""Make what is eaten or built into marketplaces: one unit an hour.

    .. math:: \sum_j C_{ij} + Q_i \le \sum_{j \text{ makes } i} \mathrm{Work}_j \quad \text{for all } i

    Multiplier: the price p_i ≥ 0.
    """
    made = dict(zip(block.sites, makes, strict=True))
    block.setup_input = pyo.Var(block.goods, bounds=(1e-12, None), initialize=0.1, doc="Q_i")

    def rule(b: pyo.Block, good: int) -> Any:
        eaten = pyo.quicksum(b.consumption[good, site] for site in b.sites)
        output = pyo.quicksum(b.work[site] for site in b.sites if made[site] == good)
        return (0.0, output - eaten - b.setup_input[good], None)

    block.commodity_balance = pyo.Constraint(block.goods, rule=rule, doc="multiplier: p_i, price")


def add_setup_composite(block: pyo.Block, setup_shares: Sequence[float], need: Any) -> None:
    r"""Marketplaces and railways are built from a composite of the commodities.

    .. math:: \log \mathrm{need} \le \sum_i \gamma_i \log Q_i

    `need` is the number of composites, a number or an expression > 0.
    """
    left = weighted_logs(setup_shares, block.setup_input.values()) - pyo.log(need)
    block.setup_limit = pyo.Constraint(expr=(0.0, left, None), doc="multiplier: value of the composite")


def weighted_logs(shares: Sequence[float], variables: Iterable[Any]) -> Any:
    """Return Σ share · log(variable) over the variables whose share is positive."""
    pairs = zip(shares, variables, strict=True)
    return pyo.quicksum(share * pyo.log(variable) for share, variable in pairs if share > 0)


def add_envy_freeness_cobb_douglas(
    block: pyo.Block, commodity_shares: Sequence[float], leisure_share: float, land_share: float
) -> None:
    r"""Everybody, wherever they live, reaches the common utility: Cobb–Douglas, in logs.

    .. math:: \log u + \log m_j \le \sum_i \alpha_i \log C_{ij} + \alpha_\ell \log \mathrm{Leisure}_j
              + \alpha_L \log \mathrm{Land}_j \quad \text{for all } j

    For fixed u the set is convex: its other form, u m_j ≤ a geometric mean, says so.
    """

    def rule(b: pyo.Block, site: int) -> Any:
        taste = weighted_logs(commodity_shares, [b.consumption[good, site] for good in b.goods])
        if leisure_share > 0:
            taste += leisure_share * pyo.log(b.leisure[site])
        taste += land_share * pyo.log(b.land_used[site])
        return (0.0, taste - pyo.log(b.utility) - pyo.log(b.population[site]), None)

    block.envy_freeness = pyo.Constraint(block.sites, rule=rule)


def add_envy_freeness_ces(
    block: pyo.Block,
    commodity_shares: Sequence[float],
    leisure_share: float,
    land_share: float,
    substitution: float,
) -> None:
    r"""Everybody, wherever they live, reaches the common utility: CES with substitution σ ≠ 1.

    .. math:: u\, m_j \le \Bigl(\sum_i \alpha_i C_{ij}^{\rho} + \alpha_\ell \mathrm{Leisure}_j^{\rho}
              + \alpha_L \mathrm{Land}_j^{\rho}\Bigr)^{1/\rho}, \quad \rho = (\sigma-1)/\sigma
              \quad \text{for all } j

    Written as it stands, not in logs: where nobody lives both sides go to zero with bounded slopes.
    Homogeneous of degree one and concave, so that for fixed u the set is convex; σ → 1 is
    Cobb–Douglas up to a factor.
    """
    rho = (substitution - 1) / substitution

    def rule(b: pyo.Block, site: int) -> Any:
        inside = pyo.quicksum(
            share * b.consumption[good, site] ** rho
            for good, share in zip(b.goods, commodity_shares, strict=True)
            if share > 0
        )
        if leisure_share > 0:
            inside += leisure_share * b.leisure[site] ** rho
        inside += land_share * b.land_used[site] ** rho
        return (0.0, inside ** (1 / rho) - b.utility * b.population[site], None)

    block.envy_freeness = pyo.Constraint(block.sites, rule=rule)


def add_travel_on_line(
    block: pyo.Block,
    positions: Sequence[float],
    region: tuple[float, float],
    groups: Sequence[int],
    pace: float = 1.0,
) -> None:
    r"""Let marketplaces be anywhere in an interval; each site travels to the marketplace of its group.

    .. math:: \delta_j \ge \tau |x_j - d_{g(j)}|, \qquad d_1 \le d_2 \le \dots \le d_k, \quad
              \underline{D} \le d \le \overline{D}

    `groups` gives each site's marketplace, 0-based; `pace` τ is the time a unit of distance takes. Adds
    ``location``, ``travel``.
    """
    number = max(groups) + 1
    block.marketplaces = pyo.RangeSet(0, number - 1, doc="marketplaces, in the order of the line")
    middle = _middles(positions, groups)
    start = {k: min(max(middle[k], region[0]), region[1]) for k in middle}
    block.location = pyo.Var(block.marketplaces, bounds=region, initialize=start, doc="d_k")
    block.travel = pyo.Var(block.sites, bounds=(0.0, None), doc="δ_j, time to the marketplace")
    block.travel_right = pyo.Constraint(block.sites)
    block.travel_left = pyo.Constraint(block.sites)
    for site, x, group in zip(block.sites, positions, groups, strict=True):
        block.travel[site].set_value(pace * abs(x - start[group]))
        way = block.location[group] if pace == 1.0 else pace * block.location[group]
        block.travel_right[site] = (pace * x, block.travel[site] + way, None)
        block.travel_left[site] = (0.0 - pace * x, block.travel[site] - way, None)
    block.location_order = pyo.Constraint(pyo.RangeSet(1, number - 1))
    for k in range(1, number):
        block.location_order[k] = (0.0, block.location[k] - block.location[k - 1], None)


def _middles(positions: Sequence[float], groups: Sequence[int]) -> dict[int, float]:
    """Return the mean position of each group."""
    return {
        k: sum(x for x, g in zip(positions, groups, strict=True) if g == k) / max(1, list(groups).count(k))
        for k in range(max(groups) + 1)
    }


def add_travel_in_plane(
    block: pyo.Block,
    positions: Sequence[tuple[float, float]],
    region: tuple[tuple[float, float], tuple[float, float]],
    groups: Sequence[int],
    pace: float = 1.0,
) -> None:
    r"""Let marketplaces be anywhere in a rectangle; each site travels to the marketplace of its group.

    .. math:: \delta_j^2 \ge \tau^2 \bigl((x_j - d^x_{g(j)})^2 + (y_j - d^y_{g(j)})^2\bigr) \quad
              \text{for all } j

    A cone, so that for given u and populations the locations are a convex matter. `groups` and `pace` as on a
    line. Adds ``location`` (marketplace, axis) and ``travel``.
    """
    number = max(groups) + 1
    block.marketplaces = pyo.RangeSet(0, number - 1, doc="marketplaces")
    block.axes = pyo.RangeSet(0, 1, doc="x and y")
    middles = [_middles([point[axis] for point in positions], groups) for axis in (0, 1)]
    block.location = pyo.Var(block.marketplaces, block.axes, doc="d_k")
    for k in block.marketplaces:
        for axis in block.axes:
            low, high = region[0][axis], region[1][axis]
            block.location[k, axis].setlb(low)
            block.location[k, axis].setub(high)
            block.location[k, axis].set_value(min(max(middles[axis][k], low), high))
    block.travel = pyo.Var(block.sites, bounds=(1e-9, None), doc="δ_j, time to the marketplace")
    block.travel_limit = pyo.Constraint(block.sites)
    for site, point, group in zip(block.sites, positions, groups, strict=True):
        reach = [block.location[group, axis] - point[axis] for axis in (0, 1)]
        block.travel[site].set_value(0.1 + pace * sum(pyo.value(each) ** 2 for each in reach) ** 0.5)
        square = pace**2 * (reach[0] ** 2 + reach[1] ** 2)
        block.travel_limit[site] = (0.0, block.travel[site] ** 2 - square, None)


def add_railway_length(block: pyo.Block, stretches: Sequence[tuple[float, float, float]]) -> None:
    r"""Add ``railway_cost``: what the railway between the outermost marketplaces of a line costs.

    .. math:: \sum_i c_i (s_{ik} - s_{i1}), \qquad d = a + \sum_i s_i, \quad 0 \le s_i \le b_i - a_i, \quad
              (b_i - a_i - s_i)\, s_{i+1} \le \varepsilon

    for stretches (a_i, b_i) of land where a unit of length costs c_i; s_i is how far a location is into
    stretch i, and the last row fills the stretches in their order, up to ε = 10⁻⁹. With one stretch the cost
    is proportional to length and nothing is added. In units of q̄.
    """
    ends = block.location[max(block.marketplaces)], block.location[min(block.marketplaces)]
    if len(stretches) == 1:
        block.railway_cost = pyo.Expression(expr=stretches[0][2] * (ends[0] - ends[1]))
        return
    block.stretches = pyo.RangeSet(0, len(stretches) - 1, doc="land of one cost")
    block.ends = pyo.Set(initialize=["last", "first"], ordered=True)
    block.depth = pyo.Var(block.stretches, block.ends, bounds=(0.0, None), doc="s_i")
    block.depth_balance = pyo.Constraint(block.ends)
    block.depth_limit = pyo.Constraint(block.stretches, block.ends)
    block.depth_order = pyo.Constraint(pyo.RangeSet(1, len(stretches) - 1), block.ends)
    for name, location in zip(block.ends, ends, strict=True):
        for i, (low, high, _) in enumerate(stretches):
            into = min(max(pyo.value(location) - low, 0.0), high - low)
            block.depth[i, name].set_value(into)
            block.depth_limit[i, name] = (None, block.depth[i, name], high - low)
            if i:
                before = stretches[i - 1]
                idle = before[1] - before[0] - block.depth[i - 1, name]
                block.depth_order[i, name] = (None, idle * block.depth[i, name], 1e-9)
        way = pyo.quicksum(block.depth[i, name] for i in block.stretches)
        block.depth_balance[name] = location - way == stretches[0][0]
    block.railway_cost = pyo.Expression(
        expr=pyo.quicksum(
            cost * (block.depth[i, "last"] - block.depth[i, "first"])
            for i, (_, _, cost) in enumerate(stretches)
        )
    )
