"""First derivatives of a system of equations, found quickly."""

from __future__ import annotations

from typing import Any

import numpy as np

LONG_ROW = 24
"""Variables of a row beyond which it is differentiated apart from the shorter ones."""


def with_derivatives(casadi: Any, parts: dict[str, Any], rows: list[Any]) -> tuple[Any, dict[str, Any]]:
    """Return a program for CasADi's solvers and its derivatives: by hand if it is a system of equations.

    As many equations as variables and a constant objective: then Newton's steps do not depend on the
    Hessian, and none is made. Jacobians are found by colouring, which one long row spoils for all others;
    so rows of many variables are differentiated apart. Any other program comes back as it is.

    Parameters
    ----------
    casadi : module
        CasADi, from the one file that knows it.
    parts : dict
        ``x``, ``f``, ``g`` as CasADi's expressions.
    rows : list of Constraint data
        The rows of ``g``.
    """
    number = parts["x"].numel()
    constant = casadi.jacobian_sparsity(parts["f"], parts["x"]).nnz() == 0
    if not constant or len(rows) != number or not all(row.equality for row in rows):
        return parts, {}
    x, p = casadi.SX.sym("x", number), casadi.SX.sym("p", 0)
    g = casadi.Function("rows", [parts["x"]], [parts["g"]]).expand()(x)
    length = np.bincount(casadi.jacobian_sparsity(g, x).row(), minlength=number)
    short, long = np.flatnonzero(length <= LONG_ROW), np.flatnonzero(length > LONG_ROW)
    pieces = [casadi.jacobian(g[part.tolist()], x) for part in (short, long)]
    jacobian = casadi.vertcat(*pieces)[np.argsort(np.concatenate([short, long])).tolist(), :]
    factors = [casadi.SX.sym("f", 1), casadi.SX.sym("g", number)]
    return {"x": x, "f": casadi.SX(0.0), "g": g}, {
        "jac_g": casadi.Function("nlp_jac_g", [x, p], [g, jacobian]),
        "hess_lag": casadi.Function("nlp_hess_l", [x, p, *factors], [casadi.SX(number, number)]),
    }
