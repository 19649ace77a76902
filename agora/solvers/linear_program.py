"""A linear program kept in HiGHS: costs and bounds change, the basis stays warm."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import highspy
import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler

from agora.solvers.classify import ProgramClass, explain, objective_of
from agora.solvers.highs import HIGHS_OPTIONS, new_highs
from agora.solvers.records import SolveFailed, SolverRecord, multipliers_of, release
from agora.typing import Vector


@dataclass(frozen=True)
class LinearAnswer:
    """Optimum of a `LinearProgram`; arrays in the order of its columns and rows."""

    objective: float
    values: Vector
    reduced_costs: Vector
    multipliers: Vector


@dataclass
class LinearProgram:
    """A Pyomo linear program kept in HiGHS: costs and bounds change, the basis stays warm."""

    program: pyo.ConcreteModel
    """A linear program; compiled once, not changed."""
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
        maximise = objective_of(self.program).sense == pyo.maximize
        lp.sense_ = highspy.ObjSense.kMaximize if maximise else highspy.ObjSense.kMinimize
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
        lp.a_matrix_.start_, lp.a_matrix_.index_ = matrix.indptr, matrix.indices
        lp.a_matrix_.value_ = matrix.data
        self._highs = new_highs()
        for name, value in self.options.items():
            self._highs.setOptionValue(name, value)
        self._highs.passModel(lp)

    def state(self) -> Any:
        """Return the basis of the last solve."""
        return self._highs.getBasis()

    def rewind(self, state: Any | None) -> None:
        """Start the next solve from a basis, or from nothing; counters start at zero."""
        self._highs.clearSolver()
        if state is not None:
            self._highs.setBasis(state)
        self.solves, self.iterations, self.seconds = 0, 0, 0.0

    def rows_of(self, constraints: Iterable[Any]) -> NDArray[np.int32]:
        """Return the rows of some constraints, each of which is one row."""
        index = {id(row): k for k, row in enumerate(self.rows)}
        return np.array([index[id(constraint)] for constraint in constraints], dtype=np.int32)

    def set_rows(self, rows: NDArray[np.int32], lower: Vector, upper: Vector) -> None:
        """Change the limits of rows."""
        self._row_lower[rows], self._row_upper[rows] = lower, upper
        sides = (np.ascontiguousarray(side, dtype=float) for side in (lower, upper))
        self._highs.changeRowsBounds(len(rows), rows, *sides)

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
        sides = (np.ascontiguousarray(side, dtype=float) for side in (lower, upper))
        self._highs.changeColsBounds(len(columns), columns, *sides)

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
        arrays = (np.array(each) for each in (answer.col_value, answer.col_dual, answer.row_dual))
        return LinearAnswer(float(info.objective_function_value), *arrays)

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


def solve_linear(program: pyo.ConcreteModel, options: dict[str, Any]) -> SolverRecord:
    """Solve a linear program in sparse form, several times quicker than row by row."""
    linear = LinearProgram(program, options)
    answer = linear.solve()
    for variable, value in zip(linear.variables, answer.values.tolist(), strict=True):
        variable.set_value(value, skip_validation=True)
    duals = multipliers_of(program)
    for row, multiplier in zip(linear.rows, answer.multipliers.tolist(), strict=True):
        duals[row] = duals.get(row, 0.0) + multiplier
    return linear.record()
