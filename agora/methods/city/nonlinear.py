"""A city by IPOPT: the overall program (P0) from a start, or Definition 1 as complementarity."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyomo.environ as pyo

from agora.formulations.city.commuting import add_commuting_edges, add_commuting_pairs
from agora.methods.city.best_response import StartOptions
from agora.methods.city.firms_game import FirmsGame, city_method
from agora.methods.city.starts import starting_points
from agora.methods.method import Answer, Progress, Proof, silent
from agora.models.city.fujita_ogawa import FujitaOgawa
from agora.solvers import SolveFailed, SolverRecord, solve_program

RELAXATIONS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
"""Bounds on each complementarity product, solved in turn."""

COMMUTING = {"edges": add_commuting_edges, "pairs": add_commuting_pairs}


class PotentialOptions(StartOptions):
    """How to solve the overall program (P0)."""

    commuting: Literal["edges", "pairs"] = "edges"
    """``edges`` or ``pairs``: the formulation of commuting."""


def potential_program(city: FujitaOgawa, chosen: PotentialOptions, progress: Progress = silent) -> Answer:
    """Return the best solution of (P0) that IPOPT finds from some starts; a local statement."""
    game, starts = FirmsGame(city), chosen.starts
    best: tuple[float, pyo.ConcreteModel, SolverRecord] | None = None
    failed = 0
    for number, start in enumerate(starting_points(city, starts, np.random.default_rng(chosen.seed))):
        progress(f"IPOPT from start {number + 1} of {starts}")
        program = city.program(COMMUTING[chosen.commuting])
        city.start_from(program, start)
        try:
            record = solve_program(program)
        except SolveFailed as failure:
            failed, record = failed + 1, failure.record
            continue
        value = float(pyo.value(program.potential))
        if best is None or value > best[0]:
            best = (value, program, record)
    if best is None:
        raise SolveFailed(f"IPOPT found no solution of (P0) from {starts} starts.", record)
    value, program, record = best
    state = game.state(np.array([float(v.value) for v in program.firms.values()]))
    kind = game.kind(state, tolerance=1e-6)
    facts = {"kind": kind, "starts": starts, "failed_starts": failed}
    return Answer(kind, value, city.read(program), Proof("none", "none: a local solution"), facts, (record,))


def complementarity(city: FujitaOgawa, chosen: StartOptions, progress: Progress = silent) -> Answer:
    """Return a spatial equilibrium by Definition 1, with or without a potential.

    The products of each complementary pair are bounded by a number that falls to 1e-8; then the
    side of each pair that is zero is fixed and the rest solved exactly.
    """
    last: SolveFailed | None = None
    points = starting_points(city, max(chosen.starts, 3), np.random.default_rng(chosen.seed))
    for number, start in enumerate(points):
        program = city.complementarity_program()
        city.start_from(program, start)
        pyo.TransformationFactory("mpec.simple_nonlinear").apply_to(program, mpec_bound=1.0)
        try:
            for bound in RELAXATIONS:
                progress(f"complementarity from start {number + 1}, products ≤ {bound:g}")
                program.mpec_bound.set_value(bound)
                record = solve_program(program)
            _fix_zero_sides(program)
            record = solve_program(program)
        except SolveFailed as failure:
            last = failure
            continue
        return _answer(city, program, record)
    assert last is not None
    raise last


def _fix_zero_sides(program: pyo.ConcreteModel) -> None:
    """Replace each bounded product by an equation: the smaller side of the pair is zero."""
    from pyomo.mpec import Complementarity

    for pairs in list(program.component_objects(pyo.Block, descend_into=True)):
        if not isinstance(pairs, Complementarity):
            continue
        for pair in pairs.values():
            slack, other = pair.v, pair.c
            if float(slack.value) <= float(pyo.value(other.body)) - float(other.lb or 0.0):
                slack.setub(0.0)
            else:
                other.set_value((other.lb, other.body, other.lb))
            pair.ccon.deactivate()


def _answer(city: FujitaOgawa, program: pyo.ConcreteModel, record: SolverRecord) -> Answer:
    tables = city.read(program)
    totals = tables["totals"].iloc[0]
    objective, kind = float(totals["welfare"]), "equilibrium without a potential"
    if city.has_potential:
        objective = float(totals["potential"])
        game = FirmsGame(city)
        kind = game.kind(game.state(tables["cells"]["firms"].to_numpy(dtype=float)), tolerance=1e-6)
    facts = {"kind": kind, "objective": "potential" if city.has_potential else "welfare"}
    status = kind if kind != "no equilibrium" else "equilibrium"
    proof = Proof("none", "none: one equilibrium, others may exist")
    return Answer(status, objective, tables, proof, facts, (record,))


IPOPT = city_method("ipopt", PotentialOptions, potential_program, solves=("program",))
"""The overall program (P0) by IPOPT."""
COMPLEMENTARITY = city_method(
    "complementarity", StartOptions, complementarity, solves=("complementarity_program",)
)
"""Definition 1, for externalities without a potential."""
