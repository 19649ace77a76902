"""A marketplace economy solved: structures searched with proof, the best solved as a program."""

from __future__ import annotations

import time
from dataclasses import replace
from math import comb

import pandas as pd
import pyomo.environ as pyo
from pydantic import Field

from agora.data.fields import POSITIVE
from agora.formulations.marketplaces.grounds import Line, Network, Plane, distinct
from agora.formulations.marketplaces.market_equilibrium import MarketEquilibrium, solve_market
from agora.methods.marketplaces.branch_and_bound import (
    StructureProblem,
    StructureResult,
    best_structure,
    least_bound,
)
from agora.methods.marketplaces.line_bound import bounded_structure
from agora.methods.marketplaces.median_bound import median_structure
from agora.methods.method import Answer, Method, Progress, Proof, SearchOptions, silent
from agora.models.marketplaces.marketplaces import Marketplaces, start_from
from agora.solvers import SolveFailed, SolverRecord, solve_program
from agora.typing import Vector

IPOPT_ACCURACY = {"tol": 1e-11}
"""Rents are small multipliers; land clears to 1e-6 only if complementarity is tighter than usual."""

IPOPT_FROM_SOLUTION = {**IPOPT_ACCURACY, "bound_push": 1e-8, "bound_frac": 1e-8, "mu_init": 1e-6}
"""Started at the equilibrium, the program is not pushed off its bounds again."""

_HOW = {
    Line: "Lagrangian dynamic programming",
    Plane: "Lagrangian k-medians over all points of the region",
    Network: "Lagrangian k-medians over the cells, beyond which no point of an edge is better",
}

FEW_SITES = 8
"""Sites up to which every number of marketplaces is searched to the end."""

MOST_BOXES = 5000
"""Boxes a search may begin with."""

MOST_SIDES = 8
"""Numbers that say where the marketplaces are, up to which boxes of them are searched."""


class MarketplaceOptions(SearchOptions):
    """How to solve a marketplace economy."""

    gap: float = Field(default=1e-9, gt=0, json_schema_extra=POSITIVE)
    """Relative gap to which every number of marketplaces is proved."""


def solve_marketplaces(
    economy: Marketplaces, chosen: MarketplaceOptions, progress: Progress = silent
) -> Answer:
    """Return the best structure, the runner-up, and the equilibrium that decentralises the best.

    Every number of marketplaces from one to that of the sites is searched to a proved bound, unless
    the number or the locations are given.
    """
    economy.check()
    if isinstance(economy.marketplaces, tuple):
        return _given(economy, economy.given_locations)
    numbers = list(range(1, economy.number + 1))
    if isinstance(economy.marketplaces, int):
        numbers = [economy.marketplaces]
    problem = structure_problem(economy)
    results = _searched(problem, numbers, gap=chosen.gap, seconds=chosen.seconds, progress=progress)
    ranked = _distinct(economy, results)
    top = ranked[0]
    progress("solving the best structure")
    locations = distinct(economy.ground, top.locations)
    program, record = _solved(economy, locations, top.equilibrium)
    utility = float(program.utility.value)
    bounds = [min(result.bound, least_bound(problem, result.number)) for result in results]
    untouched = numbers[len(results) :] if not results[-1].beyond else []
    if untouched:
        bounds.append(least_bound(problem, untouched[0]))
    bound = max(*bounds, top.utility)
    proof = _proof(economy, bound, bound / top.utility - 1, 10 * chosen.gap)
    at_once = untouched[0] if untouched else next((r.number for r in results if r.beyond), None)
    runner_up = ranked[1] if len(ranked) > 1 else None
    facts = {
        "marketplaces": len(economy.ground.names(locations)),
        "bounded_at_once": f"{at_once} or more" if at_once else None,
        "runner_up": runner_up.utility if runner_up else None,
        "runner_up_marketplaces": _count(economy, runner_up.locations) if runner_up else None,
        "boxes": sum(result.boxes for result in results),
        "methods_differ_by": abs(utility - top.utility),
    }
    tables = {**economy.tables(program, locations), "structures": structures_table(economy, results, ranked)}
    status = "global optimum" if proof.is_global else "best structure found"
    return Answer(status, utility, tables, proof, facts, (record,))


def _proof(economy: Marketplaces, bound: float, gap: float, promised: float) -> Proof:
    if not gap <= promised:
        words = "none: a limit stopped the search; the bound holds for every number and all locations"
        return Proof("none", words, bound, gap, promised)
    words = f"every number and all locations of marketplaces bounded by {_HOW[type(economy.ground)]}"
    return Proof("bound", words + ", gaps closed by branch and bound", bound, gap, promised)


def structure_problem(economy: Marketplaces) -> StructureProblem:
    """Return the economy, its ground and its set-up need as a problem of structures."""
    return StructureProblem(economy.economy, economy.ground, lambda d: economy.setup_cost * economy.units(d))


def _searched(
    problem: StructureProblem, numbers: list[int], *, gap: float, seconds: float, progress: Progress
) -> list[StructureResult]:
    """Bound every number of marketplaces, then close the gaps that matter.

    With few sites every number is searched to the end, so that the runner-up is exact too; with many,
    only numbers whose bound exceeds the best structure found, as far as the boxes to begin with are
    not too many.
    """
    deadline = time.monotonic() + seconds
    ground = problem.ground
    few = len(problem.economy.makes) <= FEW_SITES
    results: list[StructureResult] = []
    for number in numbers:
        progress(f"bounding structures with {number} of up to {numbers[-1]} marketplaces")
        enough = 0.0 if few else max((result.utility for result in results), default=0.0)
        if isinstance(ground, Line):
            results.append(bounded_structure(problem, number, enough))
        else:
            before = results[-1] if results else None
            results.append(median_structure(problem, number, enough, before, deadline))
        if results[-1].beyond or time.monotonic() > deadline:
            break
    top = max(result.utility for result in results)
    for k, result in enumerate(results):
        matters = few or result.bound > top * (1 + gap)
        boxes = comb(len(ground.pieces) + result.number, result.number)
        if result.number * ground.width > MOST_SIDES:
            continue
        left = deadline - time.monotonic()
        if result.bound > result.utility * (1 + gap) and matters and boxes <= MOST_BOXES and left > 0:
            progress(f"searching structures with {result.number} marketplaces")
            exact = best_structure(problem, result.number, gap=gap, seconds=left, known=result.locations)
            best = exact if exact.utility >= result.utility else result
            results[k] = replace(best, bound=min(exact.bound, result.bound), boxes=exact.boxes)
            top = max(top, best.utility)
    return results


def _given(economy: Marketplaces, locations: Vector) -> Answer:
    need = economy.setup_cost * float(economy.units(locations))
    state = solve_market(economy.economy, economy.travel(locations), need)
    program, record = _solved(economy, locations, state)
    utility = float(program.utility.value)
    number = len(economy.ground.names(locations))
    facts = {"marketplaces": number, "methods_differ_by": abs(utility - state.utility)}
    row = {"marketplaces": number, "utility": utility, "bound": utility}
    structures = pd.DataFrame([{**row, "locations": _written(economy, locations)}])
    tables = {**economy.tables(program, locations), "structures": structures}
    words = "for given marketplaces and fixed utility the constraints are convex: local is global"
    status = "global optimum for the given marketplaces"
    return Answer(status, utility, tables, Proof("convexity", words), facts, (record,))


def _solved(
    economy: Marketplaces, locations: Vector, at: MarketEquilibrium
) -> tuple[pyo.ConcreteModel, SolverRecord]:
    """Solve the program for given locations from the equilibrium; from its own start if IPOPT fails."""
    program = economy.fixed_program(locations.tolist())
    start_from(economy, program, at, locations)
    try:
        return program, solve_program(program, IPOPT_FROM_SOLUTION, interior=True)
    except SolveFailed:
        program = economy.fixed_program(locations.tolist())
        return program, solve_program(program, IPOPT_ACCURACY, interior=True)


def _distinct(economy: Marketplaces, results: list[StructureResult]) -> list[StructureResult]:
    """Return results from best to worst, the best one for each number of marketplaces in use."""
    best: dict[int, StructureResult] = {}
    for result in sorted(results, key=lambda r: (-r.utility, r.number)):
        if result.utility > 0:
            best.setdefault(_count(economy, result.locations), result)
    return list(best.values())


def structures_table(
    economy: Marketplaces, results: list[StructureResult], ranked: list[StructureResult]
) -> pd.DataFrame:
    """Return one row a number of marketplaces: utility, proved bound, locations, boxes examined."""
    return pd.DataFrame(
        {
            "marketplaces": result.number,
            "utility": result.utility,
            "bound": result.bound,
            "locations": _written(economy, result.locations),
            "used": _count(economy, result.locations),
            "distinct": any(result is kept for kept in ranked),
            "boxes": result.boxes,
        }
        for result in sorted(results, key=lambda r: -r.utility)
    )


def _count(economy: Marketplaces, locations: Vector) -> int:
    """Return the number of marketplaces in use."""
    return len(distinct(economy.ground, locations)) // economy.ground.width


def _written(economy: Marketplaces, locations: Vector) -> str:
    names = economy.ground.names(locations)
    return " ".join(f"{name:.6g}" if isinstance(name, float) else f"{name};" for name in names).rstrip(";")


METHOD = Method("branch-and-bound", MarketplaceOptions, solve_marketplaces, solves=())
"""Every number and all locations of marketplaces bounded, the best structure solved as a program."""
