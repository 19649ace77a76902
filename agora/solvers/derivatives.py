"""Exact derivatives of a Pyomo program: objective, rows, Jacobian, Hessian of the Lagrangian.

CasADi reads the program as an NL file and differentiates it; nothing is solved here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import casadi
import numpy as np
import pyomo.environ as pyo
from pyomo.repn.plugins.nl_writer import NLWriter
from scipy.sparse import csc_array

from agora.solvers.classify import objective_of
from agora.typing import Vector


class ProgramFunctions:
    r"""The functions of a program at any point: f, g and their derivatives; f as stated, not negated.

    With multipliers y as in ``program.dual``, d(optimum)/d(right-hand side), an optimum is stationary:
    ∇f = J'y + z for both senses, z being the multipliers of the variables' bounds.

    Parameters
    ----------
    program : ConcreteModel
        Any program with one active objective; not changed.

    Attributes
    ----------
    variables, rows : list
        Pyomo's variables and rows, in the order of all arrays.
    columns, places : dict
        Name → position, of variables and of rows.
    lower, upper : array (n,)
        Bounds of the variables; infinite where there are none.
    row_lower, row_upper : array (m,)
        Sides of the rows.
    sign : float
        1 for a minimisation, −1 for a maximisation.
    """

    def __init__(self, program: pyo.ConcreteModel) -> None:
        self.program = program
        self.sign = 1.0 if objective_of(program).sense == pyo.minimize else -1.0
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "program.nl"
            with file.open("w", encoding="utf-8") as stream:
                info = NLWriter().write(program, stream, linear_presolve=False, scale_model=False)
            builder = casadi.NlpBuilder()
            builder.import_nl(str(file))
        self.variables, self.rows = list(info.variables), list(info.constraints)
        self.columns = {variable.name: k for k, variable in enumerate(self.variables)}
        self.places = {row.name: k for k, row in enumerate(self.rows)}
        self.lower = np.array([-np.inf if v.lb is None else v.lb for v in self.variables], dtype=float)
        self.upper = np.array([np.inf if v.ub is None else v.ub for v in self.variables], dtype=float)
        self.row_lower = np.array(builder.g_lb, dtype=float)
        self.row_upper = np.array(builder.g_ub, dtype=float)
        self._x = casadi.vertcat(*builder.x)
        self._y = casadi.MX.sym("y", len(self.rows))
        # import_nl hands a maximisation over as the minimisation of the negative
        self._f = self.sign * builder.f
        self._g = casadi.vertcat(*builder.g) if self.rows else casadi.MX(0, 1)
        self._lagrangian = self._f - casadi.dot(self._y, self._g)

    @cached_property
    def _values(self) -> Any:
        slope = casadi.gradient(self._lagrangian, self._x)
        return casadi.Function("values", [self._x, self._y], [slope, self._g])

    @cached_property
    def _matrices(self) -> Any:
        hessian, _ = casadi.hessian(self._lagrangian, self._x)
        return casadi.Function("matrices", [self._x, self._y], [hessian, casadi.jacobian(self._g, self._x)])

    def values(self, x: Vector, y: Vector) -> tuple[Vector, Vector]:
        """Return ∇f − J'y (n,) and g (m,) at x (n,), y (m,)."""
        slope, rows = self._values(x, y)
        return np.array(slope).ravel(), np.array(rows).ravel()

    def matrices(self, x: Vector, y: Vector) -> tuple[csc_array, csc_array]:
        """Return ∇²f − Σ y ∇²g (n × n) and J (m × n)."""
        hessian, jacobian = self._matrices(x, y)
        return csc_array(hessian.sparse()), csc_array(jacobian.sparse())

    # --- between arrays and the program ------------------------------------------------------------

    def point(self) -> Vector:
        """Return the values of the program's variables (n,)."""
        return np.array([0.0 if v.value is None else float(v.value) for v in self.variables])

    def multipliers(self) -> Vector:
        """Return ``program.dual`` (m,), zero where there is none."""
        duals = self.program.component("dual")
        if duals is None:
            return np.zeros(len(self.rows))
        return np.array([float(duals.get(row, 0.0)) for row in self.rows])

    def load(self, x: Mapping[str, float], y: Mapping[str, float]) -> None:
        """Put values and multipliers, by name, into the program."""
        for variable in self.variables:
            variable.set_value(x[variable.name], skip_validation=True)
        if self.program.component("dual") is None:
            self.program.dual = pyo.Suffix(direction=pyo.Suffix.IMPORT)
        for row in self.rows:
            self.program.dual[row] = y[row.name]
