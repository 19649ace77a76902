"""HiGHS: linear programs, mixed-integer linear ones, convex quadratic ones."""

from __future__ import annotations

import time
from typing import Any

import highspy
import pyomo.environ as pyo
from pyomo.contrib.solver.common.results import SolutionStatus
from pyomo.contrib.solver.solvers.highs import Highs

from agora.solvers.classify import ProgramClass, explain
from agora.solvers.records import SolveFailed, SolverRecord, iterations_of, load_optimum, release
from agora.standard_output import descriptors_in_turn, kept_off_stdout

HIGHS_OPTIONS: dict[str, Any] = {
    "primal_feasibility_tolerance": 1e-9,
    "dual_feasibility_tolerance": 1e-9,
    "mip_rel_gap": 1e-9,
    "mip_abs_gap": 1e-12,  # of its own, HiGHS stops at 1e-6, whatever the size of the objective
    "qp_regularization_value": 1e-12,  # as shipped, 1e-7 bends the multipliers in their fifth digit
}
"""Options with which HiGHS runs here, where they differ from its own."""


def new_highs() -> Any:
    """Return a HiGHS that says nothing; from 1.16 on it greets when it is made, whatever its options say."""
    with kept_off_stdout():
        highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    return highs


class PyomoHighs(Highs):
    """Pyomo's interface to HiGHS, which makes one when it is given a program."""

    def set_instance(self, model: Any) -> None:
        """Take a program."""
        with kept_off_stdout():
            super().set_instance(model)

    def solve(self, model: Any, **settings: Any) -> Any:
        """Solve a program; what HiGHS logs meanwhile Pyomo captures, so no other thread may do as much."""
        with descriptors_in_turn():
            return super().solve(model, **settings)


def solve_with_highs(program: pyo.ConcreteModel, kind: ProgramClass, options: dict[str, Any]) -> SolverRecord:
    """Solve a program by HiGHS; a mixed-integer one has no multipliers."""
    result, record = _run_highs(program, kind, options)
    load_optimum(program, result, record, with_duals=kind is not ProgramClass.MIP)
    return record


def _run_highs(
    program: pyo.ConcreteModel, kind: ProgramClass, options: dict[str, Any]
) -> tuple[Any, SolverRecord]:
    start = time.perf_counter()
    result = PyomoHighs().solve(
        program, solver_options=options, load_solutions=False, raise_exception_on_nonoptimal_result=False
    )
    record = SolverRecord(
        "HiGHS", release("highspy"), "-", "highspy", kind.value, options,
        str(result.termination_condition.name), iterations_of(result),
        time.perf_counter() - start, result.objective_bound if kind is ProgramClass.MIP else None,
    )  # fmt: skip
    return result, record


def solve_within(program: pyo.ConcreteModel, seconds: float) -> tuple[SolverRecord, float]:
    """Solve a mixed-integer program as well as time allows; the best point found lands in its variables.

    Returns the record, whose status says whether the gap was closed, and the bound on the objective;
    raises `SolveFailed` if no feasible point was found in so many seconds.
    """
    result, record = _run_highs(program, ProgramClass.MIP, {**HIGHS_OPTIONS, "time_limit": seconds})
    if result.solution_status not in (SolutionStatus.optimal, SolutionStatus.feasible):
        raise SolveFailed(explain(program, record), record)
    result.solution_loader.load_vars()
    return record, float(result.objective_bound)
