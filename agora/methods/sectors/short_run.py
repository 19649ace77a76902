"""The short-run equilibrium by IPOPT: a convex program, so that a local solution is global."""

from __future__ import annotations

import pyomo.environ as pyo

from agora.methods.method import Answer, Method, Options, Progress, Proof, silent
from agora.models.sectors.short_run import ShortRunCompetition
from agora.solvers import solve_program

ACCURACY = {"tol": 1e-13, "bound_push": 1e-9, "bound_frac": 1e-9}
"""Quantities of a sector are small numbers where there are many: they are not pushed off their bounds."""


def solve_short_run(model: ShortRunCompetition, chosen: Options, progress: Progress = silent) -> Answer:
    """Return the short-run equilibrium from its program, beside the closed form."""
    program = model.program()
    progress("solving")
    record = solve_program(program, ACCURACY, unique=True, interior=True)
    tables = model.read(program)
    value = float(pyo.value(program.aggregate_consumption))
    closed = float(model.closed_form()["totals"]["consumption"].iloc[0])
    proof = Proof("convexity", "concave index of concave outputs, linear limits: local is global")
    facts = {"closed_form_differs_by": abs(value - closed)}
    return Answer("global optimum", value, tables, proof, facts, (record,))


METHOD = Method("program", Options, solve_short_run, solves=("program",))
"""The program as it stands, to more digits than usual."""
