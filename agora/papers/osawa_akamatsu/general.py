"""Sections 3 to 5, the lemmas and Appendix D: what is claimed for all cities, tested on instances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import networkx as nx
import numpy as np
import pyomo.environ as pyo

from agora.data.checks import InputError
from agora.data.geographies import as_geography, circle
from agora.formulations.city.spillovers import smallest_tangent_eigenvalue
from agora.methods.city.firms_game import FirmsGame
from agora.methods.city.starts import starting_points
from agora.models.city.commuting import CommutingMarket
from agora.models.city.fujita_ogawa import FujitaOgawa
from agora.papers.computations import Finding, computes
from agora.papers.osawa_akamatsu.cities import (
    ANY_COST,
    all_equilibria,
    centric,
    circle_cells,
    decay_on_circle,
    global_maximisers,
    holding_cost,
    kind_at,
    locally_maximises,
    turning_point,
    two_cells,
)
from agora.runners.certifying import certify
from agora.solvers import solve_program


@computes("stationary-points-are-equilibria")
def stationary_points_are_equilibria(cells: int, delta: float, cost: float) -> Finding:
    """Return the worst violation of Definition 1 over all KKT points of (P), prices included."""
    city = circle_cells(cells, decay_on_circle(cells, delta))(cost)
    game = FirmsGame(city)
    states = all_equilibria(game)
    certificates = [certify(city, city.tables(game.allocation(state)[0]), 1e-6) for state in states]
    worst = max(certificate.worst.worst for certificate in certificates)
    return Finding(
        worst,
        note=f"all {len(states)} KKT points: {sum(c.passed for c in certificates)} satisfy (3.5)–(3.9)",
        certificate="the conditions are evaluated from the tables, by code that shares nothing with (P)",
    )


@computes("commuting-cost-is-convex")
def commuting_cost_is_convex(left: int, right: int, pairs: int) -> Finding:
    """Test Jensen's inequality for ȟ between random distributions of firms on K_{left,right}."""
    city = _bipartite_city(left, right, decay=1.0)
    game = FirmsGame(city)
    points = starting_points(city, 2 * pairs, np.random.default_rng(1))
    costs = [game.lower_stage(point).total_commuting_cost for point in points]
    gaps = [
        (costs[k] + costs[k + 1]) / 2 - game.lower_stage((points[k] + points[k + 1]) / 2).total_commuting_cost
        for k in range(0, 2 * pairs, 2)
    ]
    return Finding(
        min(gaps) >= -1e-9, note=f"{pairs} pairs; largest strict gap {max(gaps):.4g}, least {min(gaps):.2g}"
    )


@computes("tangent-eigenvalue-bipartite")
def tangent_eigenvalue_bipartite(left: int, right: int, decay: float) -> Finding:
    """Return the least eigenvalue of D on the tangent space for K_{left,right} with unit edges."""
    city = _bipartite_city(left, right, decay)
    number = city.network.number
    least = smallest_tangent_eigenvalue(city.interaction.jacobian(np.full(number, city.firm_mass / number)))
    return Finding(
        least,
        verdict="reproduced" if least > 0 else "refuted",
        note=f"least eigenvalue on {{ε : Σ ε = 0}} of K_{{{left},{right}}}, unit edges, τ = {decay:g}",
        certificate="symmetric eigenvalue problem on an orthonormal basis of the tangent space",
    )


@computes("tangent-eigenvalue-circles")
def tangent_eigenvalue_circles(cells: Sequence[int], decays: Sequence[float]) -> Finding:
    """Return the least eigenvalue of D on the tangent space over circles and decays."""
    result = {
        (number, decay): smallest_tangent_eigenvalue(
            circle_cells(number, decay)(ANY_COST).interaction.jacobian(centric(number, 0))
        )
        for number in cells
        for decay in decays
    }
    at = min(result, key=lambda key: result[key])
    return Finding(
        result[at],
        verdict="reproduced" if result[at] > 0 else "refuted",
        note=f"least over {len(result)} circles, at I = {at[0]}, τ = {at[1]:g}",
    )


def _bipartite_city(left: int, right: int, decay: float) -> FujitaOgawa:
    graph = nx.complete_bipartite_graph(left, right)
    nx.set_edge_attributes(graph, 1.0, "length")
    geography = as_geography(graph, land=None)
    return FujitaOgawa(
        geography=geography, commuting_cost=1.0, decay=decay, firm_mass=0.5, labor_per_firm=1.0
    )


@computes("welfare-threshold-ratio")
def welfare_threshold_ratio(cells: int, decay: float) -> Finding:
    """Return by which factor every switching t of the welfare program exceeds that of the potential."""
    city = circle_cells(cells, decay)
    potential, welfare = global_maximisers(city), global_maximisers(city, weight=2.0)
    same = len(potential.firms) == len(welfare.firms) and all(
        np.array_equal(a, b) for a, b in zip(potential.firms, welfare.firms, strict=True)
    )
    if not same:
        raise ValueError("the two programs have different sequences of maximisers")
    ratios = [w.high / p.high for w, p in zip(welfare.pieces[:-1], potential.pieces[:-1], strict=True)]
    return Finding(
        float(np.mean(ratios)),
        note=f"{len(ratios)} switches, spread {max(ratios) - min(ratios):.1g}",
        certificate=welfare.proof,
    )


@computes("uniform-is-local-maximiser")
def uniform_is_local_maximiser(
    cells: Sequence[int], decays: Sequence[float], costs: Sequence[float]
) -> Finding:
    """Test Lemma A.1 (a) on a grid of circles, τ and t."""
    kinds = {
        (number, decay, cost): kind_at(circle_cells(number, decay)(cost), centric(number, 0))
        for number in cells
        for decay in decays
        for cost in costs
    }
    failures = [location for location, kind in kinds.items() if kind != "local maximiser"]
    return Finding(not failures, note=f"{len(kinds)} cities (I, τ, t); failures: {failures[:3] or 'none'}")


@computes("uniform-wins-above")
def uniform_wins_above(cells: Sequence[int], decays: Sequence[float]) -> Finding:
    """Test Lemma 1 (b): beyond a finite t the uniform distribution is the only global maximiser."""
    last = {}
    for number in cells:
        for decay in decays:
            result = global_maximisers(circle_cells(number, decay))
            if not np.allclose(result.firms[-1], centric(number, 0)):
                return Finding(False, note=f"another pattern wins for large t at I = {number}, τ = {decay:g}")
            last[number, decay] = result.pieces[-1].low
    highest = max(last, key=lambda key: last[key])
    return Finding(
        True,
        note=f"{len(last)} cities; the highest threshold is t = {last[highest]:.6g}, at I = {highest[0]}, "
        f"τ = {highest[1]:g}",
    )


@computes("densities-of-local-maximisers")
def densities_of_local_maximisers(
    cells: Sequence[int], decays: Sequence[float], costs: Sequence[float], starts: int
) -> Finding:
    """Return the values of m_i/m̄ at the local maximisers reached from many starts (Lemma 1 (a))."""
    densities: set[float] = set()
    reached = 0
    for number in cells:
        for decay in decays:
            for cost in costs:
                city = circle_cells(number, decay)(cost)
                game, random = FirmsGame(city), np.random.default_rng(1)
                for start in starting_points(city, starts, random):
                    state = game.climb(start)
                    if game.kind(state) == "local maximiser":
                        reached += 1
                        densities.update(np.round(state.firms * 2 * number, 6).tolist())
    return Finding(
        ", ".join(f"{density:g}" for density in sorted(densities)),
        note=f"{reached} local maximisers reached by best responses from {starts} starts a city",
    )


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
    ratios = []
    for mass in masses:
        city, firsts = two_cells(land, -math.log(delta), mass), (max(0.0, mass - (1 - land)), min(mass, land))
        second, first = (holding_cost(city, np.array([first, mass - first])) for first in firsts)
        ratios.append(second / first)
    return Finding(
        all(low > high for low, high in pairwise(ratios)),
        note="ť/t̂ = "
        + ", ".join(f"{ratio:.4f} at M = {mass:g}" for ratio, mass in zip(ratios, masses, strict=True)),
        certificate="bisection in t on the kind of the state",
    )
