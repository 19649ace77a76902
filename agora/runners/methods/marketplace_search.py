"""A marketplace economy solved: structures searched with proof, the best solved as a program."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agora.models.marketplaces import Marketplaces
from agora.runners.methods.answers import Answer, Progress, silent
from agora.runners.methods.structure_search import LineProblem, StructureResult, best_structure
from agora.runners.solvers import solve_program

Vector = NDArray[np.float64]

IPOPT_ACCURACY = {"tol": 1e-11}
"""Rents are small multipliers; land clears to 1e-6 only if complementarity is tighter than usual."""

SAME = 1e-7
"""Marketplaces closer than this, and utilities closer than this (relative), count as the same."""


def solve_marketplaces(
    economy: Marketplaces, *, gap: float = 1e-9, seconds: float = 60.0, progress: Progress = silent
) -> Answer:
    """Return the best structure, the runner-up, and the equilibrium that decentralises the best.

    Every number of marketplaces from one to that of the sites is searched to a proved bound, unless
    the number or the places are given.
    """
    if isinstance(economy.marketplaces, tuple):
        return _given(economy, np.array(economy.marketplaces))
    numbers = (
        [economy.marketplaces]
        if isinstance(economy.marketplaces, int)
        else list(range(1, len(economy.sites) + 1))
    )
    problem = LineProblem(
        economy.economy,
        economy.positions,
        economy.interval,
        lambda d: economy.setup_cost * economy.units(d),
        economy.rail_marks,
    )
    found = []
    for number in numbers:
        progress(f"searching structures with {number} of up to {numbers[-1]} marketplaces")
        found.append(best_structure(problem, number, gap=gap, seconds=seconds / len(numbers)))
    distinct = _distinct(economy, found)
    top = distinct[0]
    progress("solving the best structure")
    places = _used(economy, top.locations)
    program = economy.fixed_program(places.tolist())
    economy.start_from(program, top.settlement, places)
    record = solve_program(program, IPOPT_ACCURACY)
    utility = float(program.utility.value)
    bound = max(result.bound for result in found)
    proved = bound <= top.utility * (1 + 10 * gap)
    runner_up = distinct[1] if len(distinct) > 1 else None
    facts = {
        "marketplaces": len(places),
        "bound": bound,
        "gap": bound / top.utility - 1,
        "runner_up": runner_up.utility if runner_up else None,
        "runner_up_marketplaces": len(_used(economy, runner_up.locations)) if runner_up else None,
        "boxes": sum(result.boxes for result in found),
        "two_roads_differ_by": abs(utility - top.utility),
        "proof": "all numbers and places of marketplaces searched by branch and bound with a Lagrangian bound"
        if proved
        else "none: time ran out; the bound is what was proved",
    }
    tables = {**economy.tables(program, places), "structures": structures_table(economy, found, distinct)}
    status = "global optimum" if proved else "best structure found"
    return Answer(status, utility, proved, tables, facts, (record,))


def _given(economy: Marketplaces, places: Vector) -> Answer:
    program = economy.fixed_program(places.tolist())
    record = solve_program(program, IPOPT_ACCURACY)
    utility = float(program.utility.value)
    facts = {
        "marketplaces": len(places),
        "proof": "for given marketplaces and fixed utility the constraints are convex: local is global",
    }
    structures = pd.DataFrame(
        {
            "marketplaces": [len(places)],
            "utility": [utility],
            "bound": [utility],
            "locations": [_written(places)],
        }
    )
    return Answer(
        "global optimum for the given marketplaces",
        utility,
        True,
        {**economy.tables(program, places), "structures": structures},
        facts,
        (record,),
    )


def _used(economy: Marketplaces, locations: Vector) -> Vector:
    """Return the marketplaces that somebody uses or the railway ends at, once each."""
    kept: list[float] = []
    for place in np.sort(locations):
        if not kept or place - kept[-1] > SAME:
            kept.append(float(place))
    places = np.array(kept)
    nearest = np.abs(economy.positions[:, None] - places).argmin(axis=1)
    return places[sorted(set(nearest.tolist()))]


def _distinct(economy: Marketplaces, found: list[StructureResult]) -> list[StructureResult]:
    """Return results from best to worst, without those that repeat a structure of fewer marketplaces."""
    kept: list[StructureResult] = []
    for result in sorted(found, key=lambda r: (-r.utility, r.number)):
        places = _used(economy, result.locations)
        repeats = len(places) < result.number and economy.railway.scale == "once"
        if result.utility > 0 and not (
            repeats and any(len(_used(economy, k.locations)) == len(places) for k in kept)
        ):
            kept.append(result)
    fewest: dict[int, StructureResult] = {}
    for result in kept:
        count = len(_used(economy, result.locations))
        if count not in fewest or result.utility > fewest[count].utility:
            fewest[count] = result
    return sorted(fewest.values(), key=lambda r: (-r.utility, r.number))


def structures_table(
    economy: Marketplaces, found: list[StructureResult], distinct: list[StructureResult]
) -> pd.DataFrame:
    """Return one row a number of marketplaces: utility, proved bound, places, boxes examined."""
    rows = []
    for result in sorted(found, key=lambda r: -r.utility):
        places = _used(economy, result.locations)
        rows.append(
            {
                "marketplaces": result.number,
                "utility": result.utility,
                "bound": result.bound,
                "locations": _written(result.locations),
                "used": len(places),
                "distinct": any(result is kept for kept in distinct),
                "boxes": result.boxes,
            }
        )
    return pd.DataFrame(rows)


def _written(places: Vector) -> str:
    return " ".join(f"{place:.6g}" for place in places)
