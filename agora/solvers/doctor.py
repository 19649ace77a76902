"""Which solver would be used for each class of program, tested in about a second."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyomo.environ as pyo

from agora.solvers import SolverRecord, solve_program
from agora.solvers.classify import sign_test_program
from agora.solvers.ipopt import ipopt_route

ADVICE = "Faster linear solvers (MA57, MA27) for IPOPT: pip install 'agora[idaes]' && idaes get-extensions"


@dataclass(frozen=True)
class Diagnosis:
    """One class of program: who solves it here, and whether the self-test passed."""

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
        _examine("linear (LP)", _linear, {"c": 3.0, "d": -1.0}),
        _examine("mixed-integer (MIP)", _integer, {}),
        _examine("convex quadratic (QP)", _quadratic, {"c": 9.0, "d": -5.0}),
        _examine("nonlinear (NLP)", sign_test_program, {"c": -1.83329, "d": 1.93329}),
    ]


def advice() -> str:
    """Return one line on how to get faster linear solvers, or that they are in use."""
    route = ipopt_route()
    if route.linear_solver in ("ma57", "ma27"):
        return f"IPOPT uses {route.linear_solver.upper()} from {route.source}."
    return ADVICE


def _sum_program(sense: Any, extra: Callable[[Any, Any], Any], domain: Any) -> pyo.ConcreteModel:
    program = pyo.ConcreteModel()
    program.x = pyo.Var(domain=domain)
    program.y = pyo.Var(domain=domain)
    cost = 2 * program.x + 3 * program.y + extra(program.x, program.y)
    program.o = pyo.Objective(expr=cost if sense == pyo.minimize else -cost, sense=sense)
    program.c = pyo.Constraint(expr=(4.0, program.x + program.y, None))
    program.d = pyo.Constraint(expr=(None, program.x, 1.0))
    return program


def _linear(sense: Any) -> pyo.ConcreteModel:
    return _sum_program(sense, lambda x, y: 0.0, pyo.NonNegativeReals)


def _integer(sense: Any) -> pyo.ConcreteModel:
    return _sum_program(sense, lambda x, y: 0.0, pyo.NonNegativeIntegers)


def _quadratic(sense: Any) -> pyo.ConcreteModel:
    return _sum_program(sense, lambda x, y: x**2 + y**2, pyo.NonNegativeReals)


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
            found = float(program.dual[program.component(row)])
            if not math.isclose(found, sign * expected, abs_tol=1e-4):
                faults.append(f"multiplier of {row} is {found:.6g}, should be {sign * expected:.6g}")
    known = record or SolverRecord("none", "-", "-", "-", name, {}, "failed", None, 0.0)
    return Diagnosis(
        name,
        known.solver,
        known.version,
        known.linear_solver,
        known.path,
        not faults,
        time.perf_counter() - start,
        "; ".join(faults) or "values and signs of multipliers as known",
    )
