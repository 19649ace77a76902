"""Section 5 and Appendix D: the two-cell city."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from agora.methods.city.firms_game import FirmsGame
from agora.methods.city.vertex_enumeration import local_maximisers, vertices
from agora.papers.computations import Finding, computes
from agora.papers.osawa_akamatsu.cities import (
    ANY_COST,
    CityAt,
    all_equilibria,
    circle_cells,
    global_maximisers,
    holding_cost,
    kind_at,
    locally_maximises,
    production,
)
from agora.papers.osawa_akamatsu.cities import two_cells as two_cell_city
from agora.typing import Vector


@dataclass(frozen=True)
class _Marks:
    """The masses m_1 that section 5 names."""

    lowest: float
    even: float
    integrated: float
    highest: float


def _marks(land: float, firm_mass: float) -> _Marks:
    """Return m̌, m̄, m̃ and m̂ (section 5 and footnote 21), with 1/(1+φ) = M."""
    return _Marks(
        lowest=max(0.0, firm_mass - (1 - land)),
        even=firm_mass / 2,
        integrated=land * firm_mass,
        highest=min(firm_mass, land),
    )


def _firms(mass: float, firm_mass: float) -> Vector:
    return np.array([mass, firm_mass - mass])


@computes("two-cell-local-threshold")
def two_cell_local_threshold(pattern: str, land: float, firm_mass: float, delta: float) -> Finding:
    """Return the t at which a pattern starts or ceases to be a strict local maximiser.

    Printed, for all three patterns: 2M(1−δ)(m̂ − m̄).
    """
    marks = _marks(land, firm_mass)
    city = two_cell_city(land, -math.log(delta), firm_mass)
    masses = {"integrated": marks.integrated, "cell 1": marks.highest, "cell 2": marks.lowest}
    firms = _firms(masses[pattern], firm_mass)
    threshold = holding_cost(city, firms)
    distance = abs(masses[pattern] - marks.even)
    return Finding(
        threshold,
        printed=2 * firm_mass * (1 - delta) * (marks.highest - marks.even),
        note=f"it is 2M(1−δ) times {distance:.6g}, the distance of the pattern's m_1 from m̄, up to "
        f"{abs(threshold - 2 * firm_mass * (1 - delta) * distance):.1g}",
        certificate="bisection in t on the kind of the state",
    )


@computes("two-cell-symmetric-thresholds")
def two_cell_symmetric_thresholds(pattern: str, delta: float) -> Finding:
    """Return ť − t̂, or t̃, for two cells of equal land."""
    city = two_cell_city(0.5, -math.log(delta))
    if pattern == "integrated":
        holds = locally_maximises(city(1e-6), _firms(0.25, 0.5))
        return Finding(0.0 if holds else math.nan, note="m̃ = m̄ is a local maximiser at t = 1e-06")
    ends = [holding_cost(city, _firms(mass, 0.5)) for mass in (0.0, 0.5)]
    return Finding(ends[0] - ends[1], note=f"ť = {ends[0]:.9g}, t̂ = {ends[1]:.9g}")


@computes("two-cell-global-threshold")
def two_cell_global_threshold(land: float, firm_mass: float, delta: float) -> Finding:
    """Return the t at which the global maximiser changes from m̂ to m̃.

    Printed: t* = ½(t̂ + t̃), where the appendix derives t̃ = 2M(1−δ)(m̃ − m̄).
    """
    marks = _marks(land, firm_mass)
    result = global_maximisers(two_cell_city(land, -math.log(delta), firm_mass))
    masses = [float(firms[0]) for firms in result.firms]
    if not np.allclose(masses, [marks.highest, marks.integrated]):
        raise ValueError(f"the maximisers are {masses} for rising t")
    upper = 2 * firm_mass * (1 - delta) * (marks.highest - marks.even)
    lower = 2 * firm_mass * (1 - delta) * (marks.integrated - marks.even)
    return Finding(result.pieces[0].high, printed=(upper + lower) / 2, certificate=result.proof)


@computes("two-cell-maximisers-named")
def two_cell_maximisers_named(land: float, firm_mass: float, delta: float, costs: list[float]) -> Finding:
    """Test that all local maximisers are among m̌, m̃, m̂, and all global ones m̃ or m̂."""
    marks = _marks(land, firm_mass)
    city = two_cell_city(land, -math.log(delta), firm_mass)
    local = {round(mass, 9) for cost in costs for mass in _local_masses(city, cost)}
    best = {round(float(firms[0]), 9) for firms in global_maximisers(city).firms}
    allowed = {round(mass, 9) for mass in (marks.lowest, marks.integrated, marks.highest)}
    return Finding(
        local <= allowed and best <= allowed - {round(marks.lowest, 9)},
        note=f"m_1 of local maximisers {sorted(local)}, of global ones {sorted(best)}",
        certificate=f"all equilibria of {len(costs)} cities, enumerated",
    )


@computes("two-cell-number-of-maximisers")
def two_cell_number_of_maximisers(
    land: float, firm_mass: float, delta: float, upper_share: float, lower_share: float
) -> Finding:
    """Return how many local maximisers there are at t = `upper_share` t̂ + `lower_share` t̃."""
    city = two_cell_city(land, -math.log(delta), firm_mass)
    marks = _marks(land, firm_mass)

    shares = (upper_share, marks.highest), (lower_share, marks.integrated)
    cost = sum(share * holding_cost(city, _firms(mass, firm_mass)) for share, mass in shares if share)
    masses = _local_masses(city, cost)
    return Finding(
        float(len(masses)), note=f"t = {cost:.6g}; m_1 = {', '.join(f'{mass:g}' for mass in masses)}"
    )


def _local_masses(city: CityAt, cost: float) -> list[float]:
    """Return m_1 at all local maximisers: equilibria that are strict, and vertices, which must agree."""
    game = FirmsGame(city(cost))
    strict = sorted(
        float(state.firms[0]) for state in all_equilibria(game) if game.kind(state) == "local maximiser"
    )
    at_vertices = sorted(float(state.firms[0]) for state in local_maximisers(game, vertices(game.city)))
    if not np.allclose(strict, at_vertices):
        raise ValueError(f"two ways to list the local maximisers differ: {strict} and {at_vertices}")
    return strict


@computes("two-cell-formula")
def two_cell_formula(part: str, land: float, firm_mass: float, delta: float, cost: float) -> Finding:
    """Return the largest deviation of (5.2) or (5.3) from the lower stage and the potential."""
    marks = _marks(land, firm_mass)
    at = two_cell_city(land, -math.log(delta), firm_mass)(cost)
    game = FirmsGame(at)
    masses = np.linspace(marks.lowest, marks.highest, 21)
    if part == "commuting":
        values = [game.lower_stage(_firms(mass, firm_mass)).total_commuting_cost for mass in masses]
        formula = (1 + at.labor_per_firm) * cost * np.abs(masses - marks.integrated)
    else:
        values = [production(at, _firms(mass, firm_mass)) for mass in masses]
        formula = (1 - delta) * (masses - marks.even) ** 2 + (1 + delta) * marks.even**2
    return Finding(
        float(np.abs(np.array(values) - formula).max()), note="largest deviation at 21 distributions of firms"
    )


@computes("two-cell-excess-land")
def two_cell_excess_land(land: float, firm_mass: float, labor: float, cost: float) -> Finding:
    """Return the largest deviation of (D.5) from the lower stage, with excess land."""
    game = FirmsGame(two_cell_city(land, ANY_COST, firm_mass, labor)(cost))
    deviations = []
    marks = _marks(land, firm_mass)
    for mass in np.linspace(marks.lowest, marks.highest, 21):
        short = [(1 + labor) * (firm_mass - mass) - (1 - land), 0.0, (1 + labor) * mass - land]
        value = game.lower_stage(_firms(float(mass), firm_mass)).total_commuting_cost
        deviations.append(abs(value - cost * max(short)))
    return Finding(max(deviations), note="largest deviation at 21 distributions of firms")


@computes("uniform-with-excess-land")
def uniform_with_excess_land(cells: int, decay: float, cost: float, firm_mass: float) -> Finding:
    """Test that the uniform distribution is a local minimiser iff there is excess land."""
    city = circle_cells(cells, decay, firm_mass)(cost)
    kind = kind_at(city, np.full(cells, firm_mass / cells))
    return Finding((kind == "minimiser") == (not city.no_excess_land), note=f"kind of m̄: {kind}")
