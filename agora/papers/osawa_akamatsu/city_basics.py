"""Sections 3 to 5 and Appendix D: what holds for every city, tested on small ones."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pyomo.environ as pyo

from agora.data.checks import InputError
from agora.data.geographies import circle
from agora.models.city.commuting import CommutingMarket
from agora.papers.computations import Finding, computes
from agora.papers.osawa_akamatsu.cities import locally_maximises, turning_point, two_cells
from agora.solvers import solve_program


@computes("largest-mass-of-firms")
def largest_mass_of_firms(labor: float) -> Finding:
    """Return the largest M for which a city of land 1 has room for firms and households.

    Printed: 1/(1 + φ).
    """

    def fits(mass: float) -> bool:
        try:
            two_cells(0.5, 1.0, mass, labor)(0.1)
        except InputError:
            return False
        return True

    return Finding(
        turning_point(fits, 0.01, 1.0),
        printed=1 / (1 + labor),
        certificate="bisection; a larger M is refused before anything is solved",
    )


@computes("lower-stage-duality")
def lower_stage_duality(cells: int, number: int) -> Finding:
    """Return the largest gap between (S) and (D), households' commuting and firms' operating costs."""
    random, worst = np.random.default_rng(1), 0.0
    for _ in range(number):
        firms = random.uniform(0.0, 0.8 / cells, size=cells)
        market = CommutingMarket(
            geography=circle(cells), commuting_cost=1.0, firms=firms.tolist(), labor_per_firm=1.0
        )
        values = []
        for program in (market.program(), market.dual_program()):
            solve_program(program)
            objective = next(program.component_data_objects(pyo.Objective, active=True))
            values.append(abs(float(pyo.value(objective))))
        worst = max(worst, abs(values[0] - values[1]))
    return Finding(worst, note=f"{number} random distributions of firms on {cells} cells with excess land")


@computes("cell-2-alone-never-maximises")
def cell_2_alone_never_maximises(land: float, delta: float, costs: list[float]) -> Finding:
    """Test that a concentration to cell 2 is at no commuting cost a local maximiser, M = 1/2."""
    firms = np.array([land - 0.5, 1 - land])
    city = two_cells(land, -math.log(delta), 0.5)
    held = [cost for cost in costs if locally_maximises(city(cost), firms)]
    return Finding(
        not held,
        note=f"m_1 = {firms[0]:g} next to m̄ = 0.25: production, too, falls towards it"
        if firms[0] > 0.25
        else f"m_1 = {firms[0]:g}; a local maximiser at t = {held}",
        certificate=f"kind of the state at {len(costs)} commuting costs",
    )


@computes("cell-2-against-cell-1")
def cell_2_against_cell_1(land: float, delta: float, masses: list[float]) -> Finding:
    """Test that ť/t̂, up to which cost cell 2 holds its concentration next to cell 1, falls in M."""
    ratios = [
        _highest_cost(land, delta, mass, max(0.0, mass - (1 - land)))
        / _highest_cost(land, delta, mass, min(mass, land))
        for mass in masses
    ]
    return Finding(
        all(low > high for low, high in pairwise(ratios)),
        note="ť/t̂ = "
        + ", ".join(f"{ratio:.4f} at M = {mass:g}" for ratio, mass in zip(ratios, masses, strict=True)),
        certificate="bisection in t on the kind of the state",
    )


def _highest_cost(land: float, delta: float, mass: float, first: float) -> float:
    """Return the commuting cost up to which `first` firms in cell 1 are a local maximiser."""
    city, firms = two_cells(land, -math.log(delta), mass), np.array([first, mass - first])
    return turning_point(lambda cost: locally_maximises(city(cost), firms), 1e-6, 2.0)
