"""What the paper proves about cores and equilibria, tested on instances."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agora.data.marketplaces import CobbDouglas, ConsumerType, SetupComposite
from agora.methods.marketplaces.coalition import core_test, most_improving_coalition
from agora.models.marketplaces.coalition import CoalitionTest
from agora.papers.berliant_konishi.economies import SITES, best, economy, outcome, problem, solution
from agora.papers.berliant_konishi.printed_cells import printed_rows, row
from agora.papers.computations import Finding, computes
from agora.typing import Tables, Vector

_NOISE = 1e-9
"""Differences of utility that are none."""


@computes("optima-are-envy-free")
def optima_are_envy_free() -> Finding:
    """Return the largest relative difference of utility between sites at the optima of all printed rows."""
    apart = {
        (case, cost): _envy(solution(case, cost, row(case, cost).locations).tables, case)
        for case, cost in printed_rows()
    }
    return Finding(
        max(apart.values()),
        note=f"the largest of {len(apart)} economies",
        certificate="utility at every site from consumption, leisure and land in the tables alone",
    )


def _envy(tables: Tables, case: str) -> float:
    """Return by how much utilities a head differ between sites, relative to their mean."""
    sites, model = tables["sites"], economy(case, 0.1)
    uses = [f"consumption_{good}" for good in range(1, len(model.commodity_shares) + 1)]
    used = sites[[*uses, "leisure", "land"]].to_numpy(dtype=float)
    shares = np.array([*model.commodity_shares, model.leisure_share, model.land_share])
    levels = (used**shares).prod(axis=1) / sites["population"].to_numpy(dtype=float)
    return float(np.ptp(levels) / levels.mean())


@computes("equilibria-at-random-places")
def equilibria_exist(cases: list[str], number: int) -> Finding:
    """Test that equilibria are found and certified for marketplaces at random locations."""
    random, worst, solved = np.random.default_rng(1), 0.0, 0
    for case in cases:
        for k in range(number):
            locations = np.sort(random.uniform(0, 1, size=1 + k % 3))
            result = solution(case, 0.05, tuple(locations.round(6).tolist()))
            worst = max(worst, *(condition.worst for condition in result.certificate.conditions))
            solved += result.certificate.passed
    return Finding(
        solved == number * len(cases),
        note=f"{solved} economies with one to three marketplaces at random places, q̄ = 0.05; the largest "
        f"violation of any condition is {worst:.1e}",
        certificate="Definition 2.13, evaluated from the tables of each solution alone",
    )


@computes("nobody-leaves")
def nobody_leaves(cases: list[str], setup_cost: float) -> Finding:
    """Return the most that any coalition could gain upon the optima of some cases, proved.

    `setup_cost` must be so high that two marketplaces cannot be paid for.
    """
    bounds = {}
    for case in cases:
        reached = best(case, setup_cost)[0].utility
        test = coalition_test([(case, reached)], setup_cost)
        bounds[case] = float(most_improving_coalition(test, tolerance=1e-5).facts["bound"])
    return Finding(
        max(bounds.values()),
        note="; ".join(f"{case}: {bound:.1e}" for case, bound in bounds.items())
        + " of utility, the accuracy of the proof",
        certificate="all coalitions and all locations of a marketplace: branch and bound over prices",
    )


@computes("core-is-empty-with-land")
def core_is_empty_with_land(cases: list[str], setup_cost: float) -> Finding:
    """Test that the core is proved empty with two types of the numerical examples, half of the people each.

    `setup_cost` must be so high that two marketplaces cannot be paid for.
    """
    result = core_test(coalition_test([(case, 1.0) for case in cases], setup_cost), tolerance=2e-4)
    bound = float(result.best.facts["bound"])
    alone = " and ".join(f"{utility:.6f}" for utility in result.utility.values())
    locations = " and ".join(
        f"{float(each.tables['marketplaces']['location'].iloc[0]):.4f}" for each in result.alone.values()
    )
    note = f"preferences of {' and '.join(cases)}, q̄ = {setup_cost:g}: alone the types reach {alone} with a "
    note += (
        f"marketplace at {locations}; no allocation gives both more than (1 + λ) times that, λ = {bound:.6f}"
    )
    if result.empty:
        note += f", so in every allocation a type gains {100 * result.at_least:.3f} % or more by leaving"
    return Finding(result.empty, note=note, certificate=str(result.best.facts["proof"]))


def coalition_test(types: Sequence[tuple[str, float]], setup_cost: float) -> CoalitionTest:
    """Return the test of an allocation: types with the preferences of cases, and their utilities."""
    models = {case: economy(case, setup_cost) for case, _ in types}
    return CoalitionTest(
        types=tuple(
            ConsumerType(
                name=case,
                mass=1.0,
                taste=CobbDouglas(
                    commodities=models[case].commodity_shares,
                    leisure=models[case].leisure_share,
                    land=models[case].land_share,
                ),
                utility=reached,
            )
            for case, reached in types
        ),
        sites=tuple(SITES.values()),
        makes=next(iter(models.values())).makes,
        setup=SetupComposite(amount=setup_cost, shares=next(iter(models.values())).setup_shares),
        region=(0.0, 1.0),
        marketplaces=1,
    )


@computes("no-more-than-sites")
def no_more_than_sites(cases: list[str]) -> Finding:
    """Test that more marketplaces than sites leave people worse off than the best structure.

    With a marketplace at every site nobody travels; one more costs its set-up and saves nothing.
    """
    rows = [(case, cost) for case, cost in printed_rows() if case in cases]
    locations = (*SITES.values(), 0.5)
    gaps = [outcome(problem(*each), locations).utility - best(*each)[0].utility for each in rows]
    return Finding(
        max(gaps) < -_NOISE,
        note=f"five marketplaces, of which nobody needs the fifth, lower utility by {-max(gaps):.4f} or more "
        f"in {len(rows)} economies",
        certificate="with marketplaces at all four sites travel is zero, so no five places do better",
    )


@computes("locally-unique")
def locally_unique(steps: list[float]) -> Finding:
    """Test that moving marketplaces from the best locations, by little, always lowers utility.

    For given locations the program is strictly concave in what people consume, hence its optimum unique.
    """
    random, least, tried = np.random.default_rng(2), np.inf, 0
    for case, cost in printed_rows():
        for top in best(case, cost):
            for step in steps:
                for move in _moves(len(top.locations), random):
                    locations = np.clip(np.array(top.locations) + step * move, 0, 1)
                    if np.abs(locations - top.locations).max() < step / 2:
                        continue  # pushed against the end of the region
                    lower = 1 - outcome(problem(case, cost), tuple(locations.tolist())).utility / top.utility
                    least, tried = min(least, lower / step**2), tried + 1
    return Finding(
        bool(least > 0),
        note=f"{tried} moves of one or all marketplaces by {' and '.join(map(str, steps))} from every best "
        f"structure of {len(printed_rows())} economies; utility falls by {least:.2g} times the square of the "
        "move or more, relatively",
        certificate="structures proved best; the balance of markets solved at each place",
    )


def _moves(number: int, random: np.random.Generator) -> list[Vector]:
    """Return moves of one marketplace at a time, both ways, and four of all at once; the longest is 1."""
    alone = [sign * np.eye(number)[k] for k in range(number) for sign in (1.0, -1.0)]
    together = random.uniform(-1, 1, size=(4, number))
    return [*alone, *(together / np.abs(together).max(axis=1, keepdims=True))]
