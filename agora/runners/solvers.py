"""The only file that knows HiGHS and IPOPT: which is used, with which options, and what it answered.

HiGHS solves linear, mixed-integer and convex quadratic programs; IPOPT, found by a chain (idaes binaries, an
executable on the PATH, the CasADi wheel), everything else. Options are named here and recorded with a solve.
"""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import highspy
import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray
from pyomo.contrib.solver.common.results import SolutionStatus
from pyomo.contrib.solver.solvers.ipopt import Ipopt
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler

from agora.runners.highs import PyomoHighs, new_highs
from agora.runners.ipopt_places import IpoptRoute, idaes_folder, library_path
from agora.runners.programs import (
    ProgramClass,
    classify,
    explain,
    objective_of,
    sign_test_program,
)
from agora.runners.reuse import known, start_beside, sweeping
from agora.runners.solver_options import HIGHS_OPTIONS, IPOPT_OPTIONS, WARM_START
from agora.runners.solver_records import SolveFailed as SolveFailed
from agora.runners.solver_records import SolverRecord as SolverRecord
from agora.runners.solver_records import release
from agora.runners.structure import Structure, algebra, derivatives, take_apart

Vector = NDArray[np.float64]


# --- solving a program -------------------------------------------------------------------------


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
        return _solve_linear(program, {**HIGHS_OPTIONS, **(options or {})})
    if kind is not ProgramClass.NLP:
        return _solve_with_highs(program, kind, {**HIGHS_OPTIONS, **(options or {})})
    route = ipopt_route()
    if route.executable is None or sweeping():
        kept = NonlinearProgram(program, options or {})
        return kept.solve(warm=unique and start_beside(kept.key, kept))
    return _solve_with_executable(program, route, {**IPOPT_OPTIONS, **(options or {})})


def _duals(program: pyo.ConcreteModel) -> Any:
    if not hasattr(program, "dual"):
        program.dual = pyo.Suffix(direction=pyo.Suffix.IMPORT)
    program.dual.clear()
    return program.dual


def _solve_linear(program: pyo.ConcreteModel, options: dict[str, Any]) -> SolverRecord:
    """Solve a linear program by the sparse road, several times quicker than row by row."""
    linear = LinearProgram(program, options)
    answer = linear.solve()
    for variable, value in zip(linear.variables, answer.values.tolist(), strict=True):
        variable.set_value(value, skip_validation=True)
    duals = _duals(program)
    for row, multiplier in zip(linear.rows, answer.multipliers.tolist(), strict=True):
        duals[row] = duals.get(row, 0.0) + multiplier
    return linear.record()


def _solve_with_highs(
    program: pyo.ConcreteModel, kind: ProgramClass, options: dict[str, Any]
) -> SolverRecord:
    result, record = _run_highs(program, kind, options)
    _load(program, result, record, with_duals=kind is not ProgramClass.MIP)
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
        str(result.termination_condition.name), _iterations(result),
        time.perf_counter() - start,
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


def _load(program: pyo.ConcreteModel, result: Any, record: SolverRecord, with_duals: bool) -> None:
    """Put an optimum into the program, or raise."""
    if result.solution_status is not SolutionStatus.optimal:
        raise SolveFailed(explain(program, record), record)
    result.solution_loader.load_vars()
    duals = _duals(program)
    if with_duals:
        for constraint, value in result.solution_loader.get_duals().items():
            duals[constraint] = value


def _iterations(result: Any) -> int | None:
    """Return the iteration count, if the interface tells."""
    count = result.extra_info.get("iteration_count")
    return count if isinstance(count, int) else None


# --- IPOPT: the chain --------------------------------------------------------------------------


@lru_cache(maxsize=1)
def ipopt_route() -> IpoptRoute:
    """Return the first IPOPT of the chain that solves a two-variable program."""
    folder = idaes_folder()
    suffix = ".exe" if platform.system() == "Windows" else ""
    candidates: list[tuple[str, Path, Path | None]] = [("idaes binaries", folder / f"ipopt{suffix}", folder)]
    found = shutil.which("ipopt")
    if found:
        candidates.append(("the PATH", Path(found), None))
    for source, executable, libraries in candidates:
        if not (executable.is_file() and os.access(executable, os.X_OK)):
            continue
        for linear_solver in ("ma57", "ma27", "mumps"):
            route = IpoptRoute(source, executable, linear_solver, "", libraries)
            program = sign_test_program()
            try:
                record = _solve_with_executable(program, route, dict(IPOPT_OPTIONS))
            except Exception:  # whatever a foreign binary does, the chain goes on
                continue
            if abs(pyo.value(program.x) - 1.1) < 1e-5:
                return IpoptRoute(source, executable, linear_solver, record.version, libraries)
    return IpoptRoute("the CasADi wheel", None, "mumps", _casadi_version())


def _casadi_version() -> str:
    return f"3.14 (CasADi {release('casadi')})"


def _solve_with_executable(
    program: pyo.ConcreteModel, route: IpoptRoute, options: dict[str, Any]
) -> SolverRecord:
    chosen = {**options, "linear_solver": route.linear_solver}
    start = time.perf_counter()
    with library_path(route.libraries):
        solver = Ipopt(executable=str(route.executable))
        solver._version_timeout = 60  # a loaded machine is slow, not without IPOPT
        number = ".".join(map(str, solver.version() or ()))
        result = solver.solve(
            program,
            solver_options=chosen,
            writer_config={"linear_presolve": False},
            load_solutions=False,
            raise_exception_on_nonoptimal_result=False,
        )
    record = SolverRecord(
        "IPOPT", number, route.linear_solver, str(route.executable), ProgramClass.NLP.value, chosen,
        str(result.termination_condition.name), _iterations(result), time.perf_counter() - start,
    )  # fmt: skip
    _load(program, result, record, with_duals=True)
    return record


# --- one nonlinear program, solved many times --------------------------------------------------


@dataclass
class NonlinearProgram:
    """A Pyomo program in IPOPT: bounds and starts change, derivatives and multipliers stay.

    What changes from solve to solve are bounds and values of its variables, so parameters are variables
    whose bounds are equal (not fixed ones, which become numbers). In a sweep programs that differ in numbers
    alone share their derivatives. IPOPT runs in process, in CasADi's wheel, whatever the chain finds first.

    Parameters
    ----------
    program : ConcreteModel
        Any program with continuous variables and one active objective; its rows must not change.
    options : dict, optional
        IPOPT options that replace the defaults of this file.
    """

    program: pyo.ConcreteModel
    options: Mapping[str, Any] = field(default_factory=dict)
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

    def place(self) -> Any:
        """Return the last optimum and its multipliers, or None before the first."""
        last: Any = self._last
        return None if last is None else {name: np.array(last[name]) for name in ("x", "lam_x", "lam_g")}

    def rewind(self, place: Any | None) -> None:
        """Start the next warm solve from an optimum of a program of this structure and its multipliers."""
        self._last = place
        if place is not None:
            self._put(place["x"])

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
        lower, upper = self._structure.limits
        answer = solver(
            x0=[0.0 if v.value is None else float(v.value) for v in variables],
            p=self._structure.numbers,
            lbx=[-np.inf if v.lb is None else float(v.lb) for v in variables],
            ubx=[np.inf if v.ub is None else float(v.ub) for v in variables],
            lbg=lower,
            ubg=upper,
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
        duals, sign = _duals(self.program), -self._structure.sign
        for row, value in zip(self._structure.rows, np.array(answer["lam_g"]).ravel().tolist(), strict=True):
            duals[row] = sign * value
        return self.record()

    def record(self, status: str = "Solve_Succeeded") -> SolverRecord:
        """Return what this program has cost so far."""
        return SolverRecord(
            "IPOPT", _casadi_version(), "mumps", "casadi", ProgramClass.NLP.value, self._options(), status,
            self.iterations, self.seconds,
        )  # fmt: skip

    def _options(self) -> dict[str, Any]:
        return {**IPOPT_OPTIONS, **self.options, "linear_solver": "mumps", "print_level": 0, "sb": "yes"}


class _Compiled:
    """What programs of one structure share: IPOPT with their derivatives, the numbers left open."""

    def __init__(self, structure: Structure, options: Mapping[str, Any]) -> None:
        import casadi

        self._options, self._solvers, self._nlpsol = options, dict[bool, Any](), casadi.nlpsol
        found = algebra(casadi, structure)
        self._parts = {"x": found.x, "p": found.p, "f": found.f, "g": found.g}
        self._derivatives = derivatives(casadi, found, structure)

    def solver(self, warm: bool) -> Any:
        if warm not in self._solvers:
            ipopt = {**self._options, **(WARM_START if warm else {})}
            settings = {"ipopt": ipopt, "print_time": False, "show_eval_warnings": False, **self._derivatives}
            self._solvers[warm] = self._nlpsol("program", "ipopt", self._parts, settings)
        return self._solvers[warm]


# --- one linear program, solved many times -----------------------------------------------------


@dataclass(frozen=True)
class LinearAnswer:
    """Optimum of a `LinearProgram`; arrays in the order of its columns and rows."""

    objective: float
    values: Vector
    reduced_costs: Vector
    multipliers: Vector


@dataclass
class LinearProgram:
    """A Pyomo linear program kept in HiGHS: costs and bounds change, the basis stays warm.

    Parameters
    ----------
    program : ConcreteModel
        A linear program; compiled once, not changed.
    """

    program: pyo.ConcreteModel
    options: Mapping[str, Any] = field(default_factory=lambda: dict(HIGHS_OPTIONS))
    solves: int = 0
    iterations: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        form = LinearStandardFormCompiler().write(self.program, mixed_form=True, set_sense=None)
        self.variables = list(form.columns)
        self.rows = [row.constraint for row in form.rows]
        self._column = {id(variable): k for k, variable in enumerate(form.columns)}
        matrix = form.A.tocsc()
        lp = highspy.HighsLp()
        lp.num_row_, lp.num_col_ = matrix.shape
        lp.sense_ = (
            highspy.ObjSense.kMaximize
            if objective_of(self.program).sense == pyo.maximize
            else highspy.ObjSense.kMinimize
        )
        lp.offset_ = float(np.asarray(form.c_offset).ravel()[0])
        self._costs = np.asarray(form.c.todense(), dtype=float).ravel()
        self._lower = np.array([-np.inf if v.lb is None else v.lb for v in form.columns], dtype=float)
        self._upper = np.array([np.inf if v.ub is None else v.ub for v in form.columns], dtype=float)
        right = np.asarray(form.rhs, dtype=float)
        bound = np.array([row.bound_type for row in form.rows])
        self._row_lower = np.where(bound <= 0, right, -np.inf)
        self._row_upper = np.where(bound >= 0, right, np.inf)
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = self._costs, self._lower, self._upper
        lp.row_lower_, lp.row_upper_ = self._row_lower, self._row_upper
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = (
            matrix.indptr,
            matrix.indices,
            matrix.data,
        )
        self._highs = new_highs()
        for name, value in self.options.items():
            self._highs.setOptionValue(name, value)
        self._highs.passModel(lp)

    def place(self) -> Any:
        """Return the basis of the last solve."""
        return self._highs.getBasis()

    def rewind(self, place: Any | None) -> None:
        """Start the next solve from a basis, or from nothing; counters start at zero."""
        self._highs.clearSolver()
        if place is not None:
            self._highs.setBasis(place)
        self.solves, self.iterations, self.seconds = 0, 0, 0.0

    def rows_of(self, constraints: Iterable[Any]) -> NDArray[np.int32]:
        """Return the rows of some constraints, each of which is one row."""
        place = {id(row): k for k, row in enumerate(self.rows)}
        return np.array([place[id(constraint)] for constraint in constraints], dtype=np.int32)

    def set_rows(self, rows: NDArray[np.int32], lower: Vector, upper: Vector) -> None:
        """Change the limits of rows."""
        self._row_lower[rows], self._row_upper[rows] = lower, upper
        self._highs.changeRowsBounds(
            len(rows), rows, np.ascontiguousarray(lower, float), np.ascontiguousarray(upper, float)
        )

    def columns(self, variables: Iterable[Any]) -> NDArray[np.int32]:
        """Return the columns of some variables."""
        return np.array([self._column[id(variable)] for variable in variables], dtype=np.int32)

    def set_costs(self, columns: NDArray[np.int32], costs: Vector) -> None:
        """Change objective coefficients."""
        self._costs[columns] = costs
        self._highs.changeColsCost(len(columns), columns, np.ascontiguousarray(costs, dtype=float))

    def set_bounds(self, columns: NDArray[np.int32], lower: Vector, upper: Vector) -> None:
        """Change bounds of variables."""
        self._lower[columns], self._upper[columns] = lower, upper
        self._push_columns(columns, lower, upper)

    def _push_columns(self, columns: NDArray[np.int32], lower: Vector, upper: Vector) -> None:
        self._highs.changeColsBounds(
            len(columns), columns, np.ascontiguousarray(lower, float), np.ascontiguousarray(upper, float)
        )

    def solve(self, *, interior: bool = False) -> LinearAnswer:
        """Solve from the basis of the last solve, or anew by the interior point method and crossover.

        Raises
        ------
        SolveFailed
            If HiGHS reports anything but an optimum.
        """
        start = time.perf_counter()
        self._highs.setOptionValue("solver", "ipm" if interior else "choose")
        self._highs.run()
        status, info = self._highs.getModelStatus(), self._highs.getInfo()
        self.solves += 1
        self.seconds += time.perf_counter() - start
        self.iterations += max(int(info.simplex_iteration_count), 0)
        if status != highspy.HighsModelStatus.kOptimal:
            record = self.record(str(status).rsplit(".k", 1)[-1])
            raise SolveFailed(explain(self.program, record), record)
        answer = self._highs.getSolution()
        return LinearAnswer(
            float(info.objective_function_value),
            np.array(answer.col_value),
            np.array(answer.col_dual),
            np.array(answer.row_dual),
        )

    def record(self, status: str = "optimal") -> SolverRecord:
        """Return what this program has cost so far."""
        return SolverRecord(
            "HiGHS", release("highspy"), "-", "highspy", ProgramClass.LP.value, dict(self.options), status,
            self.iterations, self.seconds,
        )  # fmt: skip

    @contextmanager
    def optimal_face(self, answer: LinearAnswer, negligible: float = 1e-9) -> Iterator[None]:
        """Confine the program to all optima, while inside, with an objective of zero.

        By complementary slackness: columns with a reduced cost and rows with a multiplier stay
        where they are.
        """
        every = np.arange(len(self._costs), dtype=np.int32)
        tight = np.abs(answer.reduced_costs) > negligible
        rows = np.flatnonzero(np.abs(answer.multipliers) > negligible).astype(np.int32)
        at_upper = np.isfinite(self._row_upper[rows]) & (
            ~np.isfinite(self._row_lower[rows]) | (self._row_lower[rows] == self._row_upper[rows])
        )
        side = np.where(at_upper, self._row_upper[rows], self._row_lower[rows])
        costs = self._costs.copy()
        try:
            lower = np.where(tight, answer.values, self._lower)
            upper = np.where(tight, answer.values, self._upper)
            self._push_columns(every, lower, upper)
            self._highs.changeRowsBounds(len(rows), rows, side, side)
            self.set_costs(every, np.zeros(len(every)))
            yield
        finally:
            self._push_columns(every, self._lower, self._upper)
            self._highs.changeRowsBounds(len(rows), rows, self._row_lower[rows], self._row_upper[rows])
            self.set_costs(every, costs)
