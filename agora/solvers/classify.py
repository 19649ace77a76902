"""What kind of program a Pyomo model is, which decides the solver; why a solve failed."""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.repn import generate_standard_repn


class ProgramClass(Enum):
    """What kind of program it is, which decides the solver."""

    LP = "linear"
    MIP = "mixed-integer linear"
    QP = "convex quadratic"
    NLP = "nonlinear"


def classify(program: pyo.ConcreteModel) -> ProgramClass:
    """Return the class of a program from its active parts."""
    variables = list(program.component_data_objects(pyo.Var, descend_into=True))
    integer = any(not v.is_continuous() for v in variables if not v.fixed)
    rows = program.component_data_objects(pyo.Constraint, active=True)
    nonlinear = any(row.body.polynomial_degree() not in (0, 1) for row in rows)
    objective = objective_of(program)
    degree = objective.expr.polynomial_degree()
    if nonlinear or degree not in (0, 1, 2):
        return ProgramClass.NLP
    if degree == 2:
        return ProgramClass.QP if not integer and _is_convex(objective) else ProgramClass.NLP
    return ProgramClass.MIP if integer else ProgramClass.LP


def objective_of(program: pyo.ConcreteModel) -> Any:
    """Return the one active objective."""
    active = list(program.component_data_objects(pyo.Objective, active=True))
    if len(active) != 1:
        raise ValueError(f"a program needs one active objective, this one has {len(active)}")
    return active[0]


def _is_convex(objective: Any) -> bool:
    """Test the objective's Hessian: by its diagonal if it is diagonal, else by its least eigenvalue."""
    repn = generate_standard_repn(objective.expr, compute_values=True)
    sign = 1.0 if objective.sense == pyo.minimize else -1.0
    pairs = list(zip(repn.quadratic_vars, repn.quadratic_coefs, strict=True))
    if all(u is v for (u, v), _ in pairs):
        return all(sign * coefficient >= 0 for _, coefficient in pairs)
    index: dict[int, int] = {}
    for (u, v), _ in pairs:
        index.setdefault(id(u), len(index))
        index.setdefault(id(v), len(index))
    if len(index) > 3000:
        return False
    hessian = np.zeros((len(index), len(index)))
    for (u, v), coefficient in pairs:
        hessian[index[id(u)], index[id(v)]] += sign * coefficient
        hessian[index[id(v)], index[id(u)]] += sign * coefficient
    least = float(np.linalg.eigvalsh(hessian)[0])
    return least >= -1e-10 * float(np.abs(hessian).max())


def sign_test_program(sense: Any = pyo.minimize) -> pyo.ConcreteModel:
    """Return the two-variable program whose multipliers are known: c −1.83329, d 1.93329 (minimise)."""
    program = pyo.ConcreteModel()
    program.x = pyo.Var(initialize=1.0)
    program.y = pyo.Var(initialize=1.0)
    cost = (program.x - 2) ** 2 + (program.y - 1) ** 2 + 0.1 * pyo.exp(-program.x) + 0.3 * program.y
    program.o = pyo.Objective(expr=cost if sense == pyo.minimize else -cost, sense=sense)
    program.c = pyo.Constraint(expr=program.x + program.y == 2)
    program.d = pyo.Constraint(expr=(0.9, program.y, None))
    return program


def explain(program: pyo.ConcreteModel, record: Any) -> str:
    """Say what the solver said, which row is violated most where it stopped, and what may help."""
    worst, where = 0.0, "no row"
    for row in program.component_data_objects(pyo.Constraint, active=True):
        body = pyo.value(row.body, exception=False)
        if body is None:
            continue
        gap = max(row.lb - body if row.has_lb() else 0.0, body - row.ub if row.has_ub() else 0.0)
        if gap > worst:
            worst, where = gap, row.name
    hint = "another start or more iterations may help"
    if "infeasible" in record.status.lower():
        hint = "the constraints contradict each other"
    return (
        f"{record.solver} stopped with '{record.status}' (iterations: {record.iterations}); "
        f"largest violated row: {where} by {worst:.3g}; {hint}."
    )
