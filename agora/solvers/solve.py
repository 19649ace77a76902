"""Solving any program: its class decides the solver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyomo.environ as pyo

from agora.solvers.classify import ProgramClass, classify
from agora.solvers.highs import HIGHS_OPTIONS, solve_with_highs
from agora.solvers.ipopt import IPOPT_OPTIONS, ipopt_route, solve_with_executable
from agora.solvers.linear_program import solve_linear
from agora.solvers.nonlinear_program import NonlinearProgram
from agora.solvers.records import SolverRecord
from agora.solvers.reuse import start_beside, sweeping


def solve_program(
    program: pyo.ConcreteModel,
    options: Mapping[str, Any] | None = None,
    *,
    unique: bool = False,
    interior: bool = False,
) -> SolverRecord:
    """Solve a program to optimality; values land in its variables, multipliers in ``program.dual``.

    Multipliers are d(objective)/d(right-hand side), for both senses and every solver.

    Parameters
    ----------
    program : ConcreteModel
        Any Pyomo program with one active objective.
    options : dict, optional
        Solver options that replace the defaults of this file.
    unique : bool
        Whether a nonlinear program has one optimum at most, so that a row of a sweep may be solved from
        that of a neighbour; otherwise IPOPT starts where the program does.
    interior : bool
        Whether IPOPT solves it even if HiGHS could.

    Raises
    ------
    SolveFailed
        With the solver's word, the worst violated row and a hint.
    """
    kind = ProgramClass.NLP if interior else classify(program)
    if kind is ProgramClass.LP:
        return solve_linear(program, {**HIGHS_OPTIONS, **(options or {})})
    if kind is not ProgramClass.NLP:
        return solve_with_highs(program, kind, {**HIGHS_OPTIONS, **(options or {})})
    route = ipopt_route()
    if route.executable is None or sweeping():
        kept = NonlinearProgram(program, options or {})
        return kept.solve(warm=unique and start_beside(kept.key, kept))
    return solve_with_executable(program, route, {**IPOPT_OPTIONS, **(options or {})})
