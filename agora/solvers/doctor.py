"""Which solver would be used for each class of program, tested in about a second."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyomo.environ as pyo

from agora.solvers import SolverRecord, solve_program
from agora.solvers.classify import sign_test_program
from agora.solvers.ipopt import ipopt_route

ADVICE = "Faster linear solvers (MA57, MA27) for IPOPT: pip install 'agora[idaes]' && idaes get-extensions"


@dataclass(frozen=True)
class Diagnosis:
    """The solver of one class of program, and whether the self-test passed."""

    program: str
    solver: str
    version: str
    linear_solver: str
    path: str
    passed: bool
    seconds: float
    detail: str

    def record(self) -> dict[str, Any]:
        """Return plain data."""
        return dict(self.__dict__)


def diagnose() -> list[Diagnosis]:
    """Solve one small program of each class, both senses, and compare values and multipliers."""
    return [
        _examine("linear (LP)", sum_program, {"c": 3.0, "d": -1.0}),
        _examine("mixed-integer (MIP)", partial(sum_program, integer=True), {}),
        _examine("convex quadratic (QP)", partial(sum_program, quadratic=True), {"c": 9.0, "d": -5.0}),
        _examine("nonlinear (NLP)", sign_test_program, {"c": -1.83329, "d": 1.93329}),
    ]


def advice() -> str:
    """Return one line on how to get faster linear solvers, or that they are in use."""
    route = ipopt_route()
    if route.linear_solver in ("ma57", "ma27"):
        return f"IPOPT uses {route.linear_solver.upper()} from {route.source}."
    return ADVICE


def sum_program(sense: Any, *, integer: bool = False, quadratic: bool = False) -> pyo.ConcreteModel:
    """Return the program min 2x + 3y (+ x² + y²), x + y ≥ 4, x ≤ 1, or the maximum of its negative."""
    program = pyo.ConcreteModel()
    domain = pyo.NonNegativeIntegers if integer else pyo.NonNegativeReals
    program.x, program.y = pyo.Var(domain=domain), pyo.Var(domain=domain)
    cost = 2 * program.x + 3 * program.y
    if quadratic:
        cost += program.x**2 + program.y**2
    program.o = pyo.Objective(expr=cost if sense == pyo.minimize else -cost, sense=sense)
    program.c = pyo.Constraint(expr=(4.0, program.x + program.y, None))
    program.d = pyo.Constraint(expr=(None, program.x, 1.0))
    return program


def _examine(
    name: str, build: Callable[[Any], pyo.ConcreteModel], multipliers: dict[str, float]
) -> Diagnosis:
    start, faults, record = time.perf_counter(), [], None
    for sense, sign in ((pyo.minimize, 1.0), (pyo.maximize, -1.0)):
        program = build(sense)
        try:
            record = solve_program(program)
        except Exception as error:  # the doctor reports whatever is wrong with an installation
            faults.append(f"{type(error).__name__}: {error}")
            continue
        for row, expected in multipliers.items():
            dual = float(program.dual[program.component(row)])
            if not math.isclose(dual, sign * expected, abs_tol=1e-4):
                faults.append(f"multiplier of {row} is {dual:.6g}, should be {sign * expected:.6g}")
    known = record or SolverRecord("none", "-", "-", "-", name, {}, "failed", None, 0.0)
    detail = "; ".join(faults) or "values and signs of multipliers as known"
    return Diagnosis(
        name, known.solver, known.version, known.linear_solver, known.path, not faults,
        time.perf_counter() - start, detail,
    )  # fmt: skip
