"""Where marketplaces, people, rents and wages are: what the introduction, Figures 1 and 2 and notes say."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from agora.methods.marketplaces.branch_and_bound import best_structure
from agora.methods.marketplaces.marketplaces import structure_problem
from agora.papers.berliant_konishi.economies import GAP, SITES, best, economy, named, solution
from agora.papers.berliant_konishi.printed_cells import printed_rows, row
from agora.papers.computations import Finding, computes

_NOISE = 1e-6
"""Largest difference of locations, rents and wages that counts as none."""


@computes("who-goes-where")
def who_goes_where(case: str, setup_cost: float, locations: list[float]) -> Finding:
    """Return which site uses which marketplace in the equilibrium with given marketplaces."""
    result = solution(case, setup_cost, tuple(locations))
    sites, users = result.tables["sites"], result.tables["marketplaces"]["users"]
    pairs = zip(sites["position"], sites["marketplace"], strict=True)
    return Finding(
        ", ".join(f"{position:g} → {location:g}" for position, location in pairs),
        note=f"{' and '.join(f'{100 * share:.1f} %' for share in users)} of the people; people at each site "
        f"{', '.join(f'{share:.3f}' for share in sites['population'])}; {case}, q̄ = {setup_cost:g}",
        certificate="an equilibrium with given marketplaces by Definition 2.13",
    )


@computes("rents-fall-with-travel")
def rents_fall_with_travel() -> Finding:
    """Test that of two sites that make the same the one nearer to a marketplace has the higher rent."""
    against, compared = [], 0
    for case, cost in printed_rows():
        sites = solution(case, cost, row(case, cost).locations).tables["sites"]
        for _, both in sites.groupby("makes"):
            travel, rent = both["travel"].to_numpy(dtype=float), both["rent"].to_numpy(dtype=float)
            if np.ptp(travel) > _NOISE:
                compared += 1
                if rent[travel.argmin()] <= rent[travel.argmax()] + _NOISE:
                    against.append(f"{case}, q̄ = {cost:g}")
    return Finding(
        not against,
        note=f"{compared} pairs of sites in {len(printed_rows())} economies"
        + (f"; not in {', '.join(against)}" if against else ""),
        certificate="equilibria by Definition 2.13",
    )


@computes("wages-differ")
def wages_differ(case: str) -> Finding:
    """Test that wages differ between the sites that make commodity 1 and those that make commodity 2."""
    ratios = {}
    for name, cost in printed_rows():
        if name == case:
            wage = row(name, cost).wages
            ratios[cost] = float(wage[2:].mean() / wage[:2].mean())
    return Finding(
        all(abs(ratio - 1) > _NOISE for ratio in ratios.values()),
        note="wages in c and d over those in a and b: "
        + ", ".join(f"{ratio:.4f} at q̄ = {cost:g}" for cost, ratio in ratios.items()),
        certificate="multipliers of the commodity balances, two methods",
    )


@computes("marketplaces-at-sites")
def marketplaces_at_sites(rows: list[tuple[str, float]], at_sites: bool) -> Finding:
    """Test whether all marketplaces are where consumers are, or none of them is, in some economies."""
    reported, holds = [], True
    for case, cost in rows:
        names = [named(location) for location in best(case, cost)[0].locations]
        inside = [name in SITES for name in names]
        holds = holds and (all(inside) if at_sites else not any(inside))
        reported.append(f"{case}, q̄ = {cost:g}: {' '.join(names)}")
    return Finding(holds, note="; ".join(reported), certificate="structures proved best by branch and bound")


@computes("lives-in-majority")
def lives_in_majority(case: str, sites: str) -> Finding:
    """Test that more than half of the people live at some sites, at every q̄ of the table."""
    at = [list(SITES).index(name) for name in sites]
    shares = {
        cost: float(row(case, cost).population[at].sum()) for name, cost in printed_rows() if name == case
    }
    return Finding(
        min(shares.values()) > 0.5 + _NOISE,
        note=", ".join(f"{100 * share:.1f} % at q̄ = {cost:g}" for cost, share in shares.items()),
        certificate="structures proved best by branch and bound",
    )


@computes("structures-differ")
def structures_differ(case: str, other_case: str, setup_cost: float) -> Finding:
    """Test that number and locations of marketplaces, population and rents of two cases differ."""
    first, second = best(case, setup_cost)[0], best(other_case, setup_cost)[0]
    moved = [
        float(np.abs(getattr(first, name) - getattr(second, name)).max()) for name in ("population", "rent")
    ]
    return Finding(
        len(first.locations) != len(second.locations) and min(moved) > 1e-3,
        note=f"{case}: {first.name}; {other_case}: {second.name}; population differs by "
        f"up to {moved[0]:.4f}, rent by up to {moved[1]:.4f}",
        certificate="structures proved best by branch and bound",
    )


@computes("more-sites-more-symmetry")
def more_sites_more_symmetry(setup_cost: float, numbers: list[int]) -> Finding:
    """Test that with more sites in each area two marketplaces come to the middles of the areas.

    Sites are evenly spaced on [0, .33] and [.67, 1], with the same land in all; case 1.
    """
    away, halves, reported = [], [], []
    for number in numbers:
        first = np.linspace(0.0, SITES["b"], number)
        sites = np.concatenate([first, 1 - first[::-1]])
        makes, land = [1] * number + [2] * number, 2 / number
        given = economy("case1", setup_cost, sites=sites.tolist(), makes=makes, land=land)
        with np.errstate(all="ignore"):
            result = best_structure(structure_problem(given), 2, gap=GAP)
        locations = np.sort(result.locations)
        away.append(float(np.abs(locations - [SITES["b"] / 2, 1 - SITES["b"] / 2]).max()))
        halves.append(float(first[1]) / 2)
        reported.append(f"{number}: {locations[0]:.4f} and {locations[1]:.4f}")
    within = all(gap <= half + _NOISE for gap, half in zip(away, halves, strict=True))
    finer = all(later < before for before, later in pairwise(halves))
    return Finding(
        within and finer,
        note=f"marketplaces by the number of sites in each area: {'; '.join(reported)}; the middles are "
        f"{SITES['b'] / 2:g} and {1 - SITES['b'] / 2:g}, and none is further from its middle than half the "
        "distance of neighbouring sites",
        certificate=f"all places searched by branch and bound, relative gap {GAP:.0e}",
    )
