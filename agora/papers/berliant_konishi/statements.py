"""What the text says: of the tables, at their q̄ and along a fine grid, and of where everything is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from agora.methods.marketplaces.branch_and_bound import best_structure
from agora.methods.marketplaces.marketplaces import structure_problem
from agora.papers.berliant_konishi.economies import (
    GAP,
    QUANTITIES,
    SITES,
    Outcome,
    best,
    economy,
    named,
    runner_up,
    solution,
)
from agora.papers.berliant_konishi.printed_cells import digits_off, printed_rows, row, value
from agora.papers.berliant_konishi.sweep import GRID, path, thresholds
from agora.papers.computations import Finding, computes
from agora.typing import Vector

_NOISE = 1e-9
"""Changes smaller than this are none."""
_NEAR = 1e-6
"""Largest difference of locations, rents and wages between sites that counts as none."""
_MEASURES: dict[str, Callable[[Outcome], Vector]] = {
    "population in b and c": lambda at: at.population[1:3],
    "population in a and b with one marketplace": lambda at: np.array(
        [at.population[:2].sum() if len(at.locations) == 1 else np.nan]
    ),
    "number of marketplaces": lambda at: np.array([float(len(at.locations))]),
    "rents in b and c": lambda at: at.rent[1:3],
    "rents in b and c relative to a and d": lambda at: at.rent[1:3] / at.rent[[0, 3]],
    "every rent": lambda at: at.rent,
    "location of the only marketplace": lambda at: np.array(
        at.locations if len(at.locations) == 1 else [np.nan]
    ),
}
"""Quantities that the text speaks of; NaN where there is no such thing."""


@computes("optima-are-equilibria")
def optima_are_equilibria() -> Finding:
    """Return the largest violation of Definition 2.13 at the optima of all printed rows."""
    worst = 0.0
    for case, setup_cost in printed_rows():
        result = row(case, setup_cost)
        certificate = solution(case, setup_cost, result.locations).certificate
        worst = max(worst, *(condition.worst for condition in certificate.conditions))
    return Finding(
        worst,
        note=f"the largest violation of any condition in {len(printed_rows())} economies",
        certificate="the definition of equilibrium, evaluated from the tables of each solution alone",
    )


@computes("one-marketplace-from")
def one_marketplace_from(case: str, setup_cost: float) -> Finding:
    """Test that one marketplace is best at and above a q̄."""
    changes = thresholds()
    known = changes[(changes["case"] == case) & (changes["what"] == "number of marketplaces")]
    last = known.iloc[-1]
    at_tables = all(
        len(best(name, cost)[0].locations) == 1
        for name, cost in printed_rows()
        if name == case and cost >= setup_cost
    )
    return Finding(
        at_tables and str(last["above"]) == "1" and float(last["setup_cost"]) <= setup_cost,
        note=f"one marketplace is best from q̄ = {last['setup_cost']:g} on",
        certificate="branch and bound at the q̄ of the tables, and a root of the difference in utility",
    )


@computes("moves-with-setup-cost")
def moves_with_setup_cost(case: str, quantity: str, direction: str) -> Finding:
    """Test that a quantity rises or falls from one q̄ to the next: in the tables, and along the grid.

    It may stay the same where the number of marketplaces does, or where there is one.
    """
    costs = [cost for name, cost in printed_rows() if name == case]
    sign = 1 if direction == "up" else -1
    against = _against([row(case, cost) for cost in costs], costs, _MEASURES[quantity], sign)
    on_grid = _against(path(case), GRID, _MEASURES[quantity], sign)
    jumps = {
        (float(low), float(high))
        for low, high in pairwise(GRID)
        if len(path(case)[GRID.index(low)].locations) != len(path(case)[GRID.index(high)].locations)
    }
    note = f"from table row to row {_told(against)}; in steps of {GRID[1] - GRID[0]:g} {_told(on_grid)}"
    if on_grid and all(step in jumps for step in on_grid):
        note += ", which is where the number of marketplaces changes; for a given number the statement holds"
    return Finding(not against and not on_grid, note=note)


def _against(
    outcomes: Sequence[Outcome], costs: Sequence[float], measure: Callable[[Outcome], Vector], sign: int
) -> list[tuple[float, float]]:
    """Return the steps of q̄ in which some part of a quantity moves against the given sign."""
    values = [sign * measure(each) for each in outcomes]
    return [
        (low, high)
        for (low, before), (high, after) in pairwise(zip(costs, values, strict=True))
        if np.any(after - before < -_NOISE)
    ]


def _told(steps: list[tuple[float, float]]) -> str:
    if not steps:
        return "never the other way"
    return "the other way between q̄ = " + ", ".join(f"{low:g} and {high:g}" for low, high in steps[:4])


@computes("agglomerates")
def agglomerates(case: str, setup_cost: float) -> Finding:
    """Test that more people live in b than in a, and in c than in d, with two marketplaces."""
    result = row(case, setup_cost)
    inner, outer = result.population[1:3], result.population[[0, 3]]
    others = [
        f"{each.name}: " + " ".join(f"{mass:.4f}" for mass in each.population)
        for each in best(case, setup_cost)
    ]
    return Finding(
        len(result.locations) == 2 and bool((inner > outer + _NOISE).all()),
        note="population of a to d by structure, of equal utility: " + "; ".join(others),
    )


@computes("best-structures")
def best_structures(case: str, setup_cost: float) -> Finding:
    """Return all structures of sites with the highest utility."""
    tied, other = best(case, setup_cost), runner_up(case, setup_cost)
    utilities = [each.utility for each in tied]
    note = f"utility {utilities[0]:.9f}, equal up to {max(np.ptp(utilities), 1e-16):.0e}"
    if other is not None:
        note += f"; the next best, {other.name}, has {other.utility:.6f}"
    written = ", ".join("{" + each.name.replace(" ", ", ") + "}" for each in tied)
    return Finding(written, note=note, certificate="no structure is better: branch and bound with proof")


@computes("biased-to-the-right")
def biased_to_the_right(case: str, setup_costs: list[float]) -> Finding:
    """Test that the only marketplace is right of the middle."""
    locations = [best(case, cost)[0].locations for cost in setup_costs]
    return Finding(
        all(len(each) == 1 and each[0] > 0.5 + _NOISE for each in locations),
        note="at " + ", ".join(f"{each[0]:.6f}" for each in locations),
    )


def _apart(first: Outcome, second: Outcome, name: str) -> Vector:
    """Return by how much a quantity of the sites differs (4,)."""
    apart: Vector = np.abs(getattr(first, name) - getattr(second, name))
    return apart


@computes("largest-difference")
def largest_difference(case: str, other_case: str, setup_cost: float) -> Finding:
    """Return the largest difference of what the tables print for a site between two cases."""
    first, second = row(case, setup_cost), row(other_case, setup_cost)
    apart = {name: _apart(first, second, name) for name in QUANTITIES}
    worst = max(apart, key=lambda name: float(apart[name].max()))
    cells = [
        cell.arguments for cell in printed_rows()[case, setup_cost] if cell.computation == "printed-cell"
    ]
    unequal = sum(
        any(digits_off(cell["printed"], value(at, cell["column"], cell["site"])) for at in (first, second))
        for cell in cells
    )
    site = list(SITES)[int(apart[worst].argmax())]
    return Finding(
        float(apart[worst].max()),
        note=f"in {worst} of site {site}; utilities {first.utility:.6f} and {second.utility:.6f}; "
        f"after rounding to the printed digits {unequal} of {len(cells)} cells differ",
        certificate="both structures proved best",
    )


# --- where marketplaces, people, rents and wages are -------------------------------------------------


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
            if np.ptp(travel) > _NEAR:
                compared += 1
                if rent[travel.argmin()] <= rent[travel.argmax()] + _NEAR:
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
        all(abs(ratio - 1) > _NEAR for ratio in ratios.values()),
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
        min(shares.values()) > 0.5 + _NEAR,
        note=", ".join(f"{100 * share:.1f} % at q̄ = {cost:g}" for cost, share in shares.items()),
        certificate="structures proved best by branch and bound",
    )


@computes("structures-differ")
def structures_differ(case: str, other_case: str, setup_cost: float) -> Finding:
    """Test that number and locations of marketplaces, population and rents of two cases differ."""
    first, second = best(case, setup_cost)[0], best(other_case, setup_cost)[0]
    moved = [float(_apart(first, second, name).max()) for name in ("population", "rent")]
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
    within = all(gap <= half + _NEAR for gap, half in zip(away, halves, strict=True))
    finer = all(later < before for before, later in pairwise(halves))
    return Finding(
        within and finer,
        note=f"marketplaces by the number of sites in each area: {'; '.join(reported)}; the middles are "
        f"{SITES['b'] / 2:g} and {1 - SITES['b'] / 2:g}, and none is further from its middle than half the "
        "distance of neighbouring sites",
        certificate=f"all locations searched by branch and bound, relative gap {GAP:.0e}",
    )
