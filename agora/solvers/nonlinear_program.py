"""A nonlinear program kept in IPOPT: bounds and starts change, derivatives and multipliers stay."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyomo.environ as pyo

from agora.solvers.classify import ProgramClass, explain
from agora.solvers.compiled import Structure, algebra, derivatives, take_apart
from agora.solvers.ipopt import IPOPT_OPTIONS, casadi_version
from agora.solvers.records import SolveFailed, SolverRecord, multipliers_of
from agora.solvers.reuse import known

_PUSHES = ("bound_push", "bound_frac", "slack_bound_push", "slack_bound_frac", "mult_bound_push")
WARM_START: dict[str, Any] = {
    "warm_start_init_point": "yes",
    "mu_init": 1e-7,
    **{f"warm_start_{push}": 1e-9 for push in _PUSHES},
}
"""Options of a solve that starts from the values and multipliers of the last one."""


@dataclass
class NonlinearProgram:
    """A Pyomo program in IPOPT: bounds and starts change, derivatives and multipliers stay.

    What changes from solve to solve are bounds and values of its variables, so parameters are variables
    whose bounds are equal (not fixed ones, which become numbers). In a sweep programs that differ in numbers
    alone share their derivatives. IPOPT runs in process, in CasADi's wheel, whatever the chain finds first.
    """

    program: pyo.ConcreteModel
    """Any program with continuous variables and one active objective; its rows must not change."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """IPOPT options that replace the defaults of this file."""
    solves: int = 0
    iterations: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        start = time.perf_counter()
        self._structure = structure = take_apart(self.program)
        self.variables, self._last = structure.variables, None
        self.key = ("nonlinear", structure.key, tuple(sorted(self.options.items())))
        self._compiled = known(self.key, partial(_Compiled, structure, self._options()))
        self.seconds += time.perf_counter() - start

    def state(self) -> Any:
        """Return the last optimum and its multipliers, or None before the first."""
        last: Any = self._last
        return None if last is None else {name: np.array(last[name]) for name in ("x", "lam_x", "lam_g")}

    def rewind(self, state: Any | None) -> None:
        """Start the next warm solve from an optimum of a program of this structure and its multipliers."""
        self._last = state
        if state is not None:
            self._put(state["x"])

    def _put(self, values: Any) -> None:
        for variable, value in zip(self.variables, np.array(values).ravel().tolist(), strict=True):
            variable.set_value(value, skip_validation=True)

    def solve(self, *, warm: bool = False) -> SolverRecord:
        """Solve from the variables' values; values and multipliers land in the Pyomo program.

        Parameters
        ----------
        warm : bool
            Start from the multipliers of the last solve too, if there was one, close to the optimum.

        Raises
        ------
        SolveFailed
            If IPOPT reports anything but an optimum.
        """
        start = time.perf_counter()
        last: Any = self._last if warm else None
        solver, variables = self._compiled.solver(last is not None), self.variables
        multipliers = {} if last is None else {"lam_x0": last["lam_x"], "lam_g0": last["lam_g"]}
        answer = solver(
            x0=[0.0 if v.value is None else float(v.value) for v in variables],
            p=self._structure.numbers,
            lbx=[-np.inf if v.lb is None else float(v.lb) for v in variables],
            ubx=[np.inf if v.ub is None else float(v.ub) for v in variables],
            lbg=self._structure.lower,
            ubg=self._structure.upper,
            **multipliers,
        )
        stats, taken = solver.stats(), time.perf_counter() - start
        self.solves, self.seconds = self.solves + 1, self.seconds + taken
        self.iterations += int(stats["iter_count"])
        self._put(answer["x"])
        if not stats["success"]:
            record = self.record(str(stats["return_status"]))
            raise SolveFailed(explain(self.program, record), record)
        self._last = answer
        duals, sign = multipliers_of(self.program), -self._structure.sign
        for row, value in zip(self._structure.rows, np.array(answer["lam_g"]).ravel().tolist(), strict=True):
            duals[row] = sign * value
        return self.record()

    def record(self, status: str = "Solve_Succeeded") -> SolverRecord:
        """Return what this program has cost so far."""
        return SolverRecord(
            "IPOPT", casadi_version(), "mumps", "casadi", ProgramClass.NLP.value, self._options(), status,
            self.iterations, self.seconds,
        )  # fmt: skip

    def _options(self) -> dict[str, Any]:
        return {**IPOPT_OPTIONS, **self.options, "linear_solver": "mumps", "print_level": 0, "sb": "yes"}


class _Compiled:
    """What programs of one structure share: IPOPT with their derivatives, the numbers left open."""

    def __init__(self, structure: Structure, options: Mapping[str, Any]) -> None:
        self._options, self._solvers = options, dict[bool, Any]()
        made = algebra(structure)
        self._parts = {"x": made.x, "p": made.p, "f": made.f, "g": made.g}
        self._derivatives = derivatives(made, structure)

    def solver(self, warm: bool) -> Any:
        if warm not in self._solvers:
            import casadi

            ipopt = {**self._options, **(WARM_START if warm else {})}
            settings = {"ipopt": ipopt, "print_time": False, "show_eval_warnings": False, **self._derivatives}
            self._solvers[warm] = casadi.nlpsol("program", "ipopt", self._parts, settings)
        return self._solvers[warm]
