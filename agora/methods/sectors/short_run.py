"""The short-run equilibrium by IPOPT: a convex program, so that a local solution is global."""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo

from agora.methods.answers import Answer, Options, Progress, answer
from agora.models.sectors.short_run import ShortRunCompetition
from agora.solvers import solve_program

ACCURACY = {"tol": 1e-13, "bound_push": 1e-9, "bound_frac": 1e-9}
"""Quantities of a sector are small numbers where there are many: they are not pushed off their bounds."""


@answer.register
def _(model: ShortRunCompetition, options: dict[str, Any], progress: Progress) -> tuple[Answer, Options]:
    chosen = Options.model_validate(options)
    program = model.program()
    progress("solving")
    record = solve_program(program, ACCURACY, unique=True, interior=True)
    tables = model.read(program)
    value = float(pyo.value(program.aggregate_consumption))
    closed = float(model.closed_form()["totals"]["consumption"].iloc[0])
    facts = {
        "proof": "concave index of concave outputs, linear limits: local is global",
        "closed_form_differs_by": abs(value - closed),
    }
    return Answer("global optimum", value, True, tables, facts, (record,)), chosen
