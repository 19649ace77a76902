"""From a Pyomo program to derivatives: its structure, its numbers, and its functions at any point.

Two programs of one structure differ in numbers alone, bounds and starts aside; so the derivatives of one
serve the other. What a program says is kept as its rows that are sums of multiples of variables, and as the
lines of an NL file for all else, where numbers have names as variables do.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray
from pyomo.core.expr import numeric_expr as expressions
from scipy.sparse import csc_array

from agora.solvers.classify import objective_of
from agora.typing import Vector

Indices = NDArray[np.int64]

_OPERATIONS: dict[type, str] = {
    expressions.ProductExpression: "o2",
    expressions.DivisionExpression: "o3",
    expressions.PowExpression: "o5",
    expressions.AbsExpression: "o15",
    expressions.NegationExpression: "o16",
}
_FUNCTIONS = {
    "ceil": "o14", "floor": "o13", "tanh": "o37", "tan": "o38", "sqrt": "o39", "sinh": "o40", "sin": "o41",
    "log10": "o42", "log": "o43", "exp": "o44", "cosh": "o45", "cos": "o46", "atan": "o49",
    "asin": "o51", "acos": "o53",
}  # fmt: skip
"""Operators of the NL format (D. M. Gay, Writing .nl files, 2005) that CasADi reads."""


@dataclass(frozen=True, eq=False)
class Structure:
    """A program as its structure and its numbers."""

    key: tuple[Any, ...]
    """What the program says; equal for programs that differ in numbers alone."""
    numbers: Vector
    """The numbers in its objective and rows (P,)."""
    variables: list[Any]
    """Its variables that are not fixed, in the order in which they are met."""
    rows: list[Any]
    """Its active rows, first those that are sums of multiples of variables."""
    lower: Vector
    upper: Vector
    """Their sides (rows,); infinite where there are none."""
    flat: int
    """Number of rows that are such sums."""
    terms: Indices
    """Their terms (3, T): row, column, number of the factor."""
    constants: Indices
    """Number of each one's constant (flat,)."""
    curved: list[list[str]]
    """The other rows, then the objective, in NL lines; a number is ``p0``, ``p1``, … there, a named
    expression ``d0``, ``d1``, …."""
    named: list[list[str]]
    """The named expressions."""
    sign: float
    """1 for a minimisation, −1 for a maximisation."""

    @property
    def square(self) -> bool:
        """Whether there are as many equations as variables, and nothing else."""
        return len(self.rows) == len(self.variables) and bool((self.lower == self.upper).all())


def take_apart(program: pyo.ConcreteModel) -> Structure:
    """Return the structure and the numbers of a program with one active objective.

    Raises
    ------
    TypeError
        For an expression that is none of sums, products, powers and the usual functions.
    """
    walk = _Walk()
    flat: list[Any] = []
    curved: list[Any] = []
    for row in program.component_data_objects(pyo.Constraint, active=True):
        lower, body, upper = row.to_bounded_expression(evaluate_bounds=True)
        parts = row, body, -np.inf if lower is None else lower, np.inf if upper is None else upper
        (flat if walk.takes_flat(len(flat), body) else curved).append(parts)
    objective = objective_of(program)
    lines = [walk.lines_of(body) for _, body, _, _ in curved]
    lines.append(walk.lines_of(objective.expr))
    sign = 1.0 if objective.sense == pyo.minimize else -1.0
    terms = np.array(walk.terms, dtype=np.int64).reshape(-1, 3).T
    constants = np.array(walk.constants, dtype=np.int64)
    rows, _, lower, upper = zip(*flat, *curved, strict=True) if flat or curved else ((), (), (), ())
    low, high = np.array(lower, dtype=float), np.array(upper, dtype=float)
    text = "\n".join("\n".join(each) for each in (*walk.named, *lines))
    key = text, terms.tobytes(), constants.tobytes(), (low == high).tobytes(), sign
    numbers = np.array(walk.numbers, dtype=float)
    return Structure(
        key, numbers, walk.variables, list(rows), low, high, len(flat), terms, constants, lines, walk.named,
        sign,
    )  # fmt: skip


class _Walk:
    """Collects numbers, variables, terms and named expressions."""

    def __init__(self) -> None:
        self.numbers: list[float] = []
        self.variables: list[Any] = []
        self.terms: list[tuple[int, int, int]] = []
        self.constants: list[int] = []
        self.named: list[list[str]] = []
        self._column: dict[int, int] = {}
        self._names: dict[int, int] = {}

    def takes_flat(self, row: int, body: Any) -> bool:
        """Take a sum of multiples of different variables, and say whether it was one."""
        kind, constant = body.__class__, 0.0
        if kind is expressions.LinearExpression:
            factors, variables, constant = body.linear_coefs, body.linear_vars, pyo.value(body.constant)
        elif kind is expressions.MonomialTermExpression:
            factors, variables = body.args[:1], body.args[1:]
        elif body.is_variable_type():
            factors, variables = (1.0,), (body,)
        else:
            return False
        if any(variable.fixed for variable in variables) or len(set(map(id, variables))) < len(variables):
            return False
        self.constants.append(self._number(constant))
        for factor, variable in zip(factors, variables, strict=True):
            self.terms.append((row, self._index_of(variable), self._number(pyo.value(factor))))
        return True

    def lines_of(self, expression: Any) -> list[str]:
        """Return any expression in NL lines."""
        lines: list[str] = []
        stack = [expression]
        while stack:
            node = stack.pop()
            kind = node.__class__
            if kind is float or kind is int:
                lines.append(f"p{self._number(node)}")
            elif kind is expressions.MonomialTermExpression:
                lines.append("o2")
                stack.extend(node.args[::-1])
            elif kind is expressions.PowExpression and node.args[1].__class__ is int:
                lines.append("o5")  # a square is a square in every program; a power of data is a number
                stack.extend((f"n{node.args[1]}", node.args[0]))
            elif kind is str:
                lines.append(node)
            elif kind in _OPERATIONS:
                lines.append(_OPERATIONS[kind])
                stack.extend(node.args[::-1])
            elif isinstance(node, expressions.SumExpression):
                terms = node.args
                if len(terms) > 2:
                    lines.extend(("o54", str(len(terms))))
                elif len(terms) == 2:
                    lines.append("o0")
                elif not terms:
                    lines.append(f"p{self._number(0.0)}")
                stack.extend(terms[::-1])
            else:
                self._other(node, lines, stack)
        return lines

    def _other(self, node: Any, lines: list[str], stack: list[Any]) -> None:
        if not hasattr(node, "is_potentially_variable") or not node.is_potentially_variable():
            lines.append(f"p{self._number(pyo.value(node))}")
        elif node.is_variable_type():
            lines.append(f"p{self._number(node.value)}" if node.fixed else f"v{self._index_of(node)}")
        elif node.is_named_expression_type():
            index = self._names.get(id(node))
            if index is None:
                inside = self.lines_of(node.arg(0))
                index = self._names[id(node)] = len(self.named)
                self.named.append(inside)
            lines.append(f"d{index}")
        elif isinstance(node, expressions.UnaryFunctionExpression) and node.getname() in _FUNCTIONS:
            lines.append(_FUNCTIONS[node.getname()])
            stack.append(node.arg(0))
        else:
            name = node.getname() if hasattr(node, "getname") else type(node).__name__
            raise TypeError(f"no derivative is known of {name}")

    def _number(self, number: Any) -> int:
        self.numbers.append(float(number))
        return len(self.numbers) - 1

    def _index_of(self, variable: Any) -> int:
        key = id(variable)
        index = self._column.get(key)
        if index is None:
            index = self._column[key] = len(self.variables)
            self.variables.append(variable)
        return index


# --- put together again, with symbols for the numbers ----------------------------------------------


@dataclass(frozen=True)
class Algebra:
    """A structure in CasADi's scalar expressions of variables x and numbers p."""

    x: Any
    p: Any
    f: Any
    g: Any
    """Variables, numbers, objective (to be minimised), rows."""
    jacobian: Any
    """∂g/∂x."""


LONG_ROW = 24
"""Variables of a row beyond which it is differentiated apart from the shorter ones."""


def algebra(structure: Structure) -> Algebra:
    """Return a structure as expressions."""
    import casadi

    number, count = len(structure.variables), len(structure.numbers)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "structure.nl"
        file.write_text(_nl(structure), encoding="ascii")
        builder = casadi.NlpBuilder()
        builder.import_nl(str(file))
    symbols = casadi.vertcat(*builder.x)
    body = casadi.Function("read", [symbols], [builder.f, casadi.vertcat(*builder.g)]).expand()
    x, p = casadi.SX.sym("x", number), casadi.SX.sym("p", count)
    f, bent = body(casadi.vertcat(x, p))
    rows, columns, factors = structure.terms
    sparsity = casadi.Sparsity.triplet(structure.flat, number, rows.tolist(), columns.tolist())
    order = np.lexsort((rows, columns))  # by column, as CasADi keeps them
    matrix = casadi.SX(sparsity, p[factors[order].tolist()])
    straight = casadi.mtimes(matrix, x) + p[structure.constants.tolist()]
    parts, positions = [matrix], [np.arange(structure.flat)]
    if bent.numel():
        length = np.bincount(casadi.jacobian_sparsity(bent, x).row(), minlength=bent.numel())
        for part in (np.flatnonzero(length <= LONG_ROW), np.flatnonzero(length > LONG_ROW)):
            if len(part):
                parts.append(casadi.jacobian(bent[part.tolist()], x))
                positions.append(structure.flat + part)
    jacobian = casadi.vertcat(*parts)[np.argsort(np.concatenate(positions)).tolist(), :]
    return Algebra(x, p, f, casadi.vertcat(straight, bent), jacobian)


def derivatives(made: Algebra, structure: Structure) -> dict[str, Any]:
    """Return first and second derivatives as IPOPT calls them, by the names of CasADi's options.

    Of as many equations as variables with a constant objective, Newton's steps do not depend on the Hessian,
    and none is made.
    """
    import casadi

    number, rows = len(structure.variables), len(structure.rows)
    factors = [casadi.SX.sym("f", 1), casadi.SX.sym("g", rows)]
    constant = casadi.jacobian_sparsity(made.f, made.x).nnz() == 0
    if constant and structure.square:
        hessian: Any = casadi.SX(number, number)
    else:
        curved = slice(structure.flat, None)
        lagrangian = factors[0] * made.f + casadi.dot(factors[1][curved], made.g[curved])
        hessian = casadi.triu(casadi.hessian(lagrangian, made.x)[0])
    given = [made.x, made.p]
    return {
        "jac_g": casadi.Function("nlp_jac_g", given, [made.g, made.jacobian]),
        "hess_lag": casadi.Function("nlp_hess_l", [*given, *factors], [hessian]),
    }


def _nl(structure: Structure) -> str:
    """Return the curved rows and the objective as an NL file; numbers are variables after the others."""
    number, count = len(structure.variables), len(structure.numbers)
    offsets = {"p": number, "d": number + count}
    rows = len(structure.curved) - 1

    def written(lines: list[str]) -> list[str]:
        return [f"v{offsets[line[0]] + int(line[1:])}" if line[0] in offsets else line for line in lines]

    text = [
        "g3 1 1 0", f" {number + count} {rows} 1 0 {rows}", f" {rows} 1", " 0 0",
        f" {number + count} {number + count} {number + count}", " 0 0 0 1", " 0 0 0 0 0", " 0 0", " 0 0",
        f" {len(structure.named)} 0 0 0 0",
    ]  # fmt: skip
    for index, lines in enumerate(structure.named):
        text += [f"V{offsets['d'] + index} 0 0", *written(lines)]
    for row, lines in enumerate(structure.curved[:-1]):
        text += [f"C{row}", *written(lines)]
    text += [f"O0 {0 if structure.sign > 0 else 1}", *written(structure.curved[-1])]
    text += ["x0", "r", *["3"] * rows, "b", *["3"] * (number + count)]
    return "\n".join(text) + "\n"


# --- functions at any point --------------------------------------------------------------------------


class ProgramFunctions:
    r"""The functions of a program at any point: f, g and their derivatives; f as stated, not negated.

    With multipliers y as in ``program.dual``, d(optimum)/d(right-hand side), an optimum is stationary:
    ∇f = J'y + z for both senses, z being the multipliers of the variables' bounds.

    Parameters
    ----------
    program : ConcreteModel
        Any program with one active objective; not changed.
    like : ProgramFunctions, optional
        Functions of another program, which serve this one too where both differ in numbers alone.

    Attributes
    ----------
    variables, rows : list
        Pyomo's variables and rows, in the order of all arrays.
    columns, positions : dict
        Name → position, of variables and of rows.
    lower, upper : array (n,)
        Bounds of the variables; infinite where there are none.
    row_lower, row_upper : array (m,)
        Sides of the rows.
    sign : float
        1 for a minimisation, −1 for a maximisation.
    """

    def __init__(self, program: pyo.ConcreteModel, like: ProgramFunctions | None = None) -> None:
        self.program, structure = program, take_apart(program)
        self.sign, self._numbers = structure.sign, structure.numbers
        self.variables, self.rows = structure.variables, structure.rows
        self.columns = {variable.name: k for k, variable in enumerate(self.variables)}
        self.positions = {row.name: k for k, row in enumerate(self.rows)}
        self.lower = np.array([-np.inf if v.lb is None else v.lb for v in self.variables], dtype=float)
        self.upper = np.array([np.inf if v.ub is None else v.ub for v in self.variables], dtype=float)
        self.row_lower, self.row_upper = structure.lower, structure.upper
        same = like is not None and like.shared.key == structure.key
        self.shared: _Shared = like.shared if like is not None and same else _Shared(structure)

    def values(self, x: Vector, y: Vector) -> tuple[Vector, Vector]:
        """Return ∇f − J'y (n,) and g (m,) at x (n,), y (m,)."""
        slope, rows = self.shared.values(x, y, self._numbers)
        return np.array(slope).ravel(), np.array(rows).ravel()

    def matrices(self, x: Vector, y: Vector) -> tuple[csc_array, csc_array]:
        """Return ∇²f − Σ y ∇²g (n × n) and J (m × n)."""
        hessian, jacobian = self.shared.matrices(x, y, self._numbers)
        return csc_array(hessian.sparse()), csc_array(jacobian.sparse())

    # --- between arrays and the program ------------------------------------------------------------

    def point(self) -> Vector:
        """Return the values of the program's variables (n,)."""
        return np.array([0.0 if v.value is None else float(v.value) for v in self.variables])

    def multipliers(self) -> Vector:
        """Return ``program.dual`` (m,), zero where there is none."""
        duals = self.program.component("dual")
        return np.array([0.0 if duals is None else float(duals.get(row, 0.0)) for row in self.rows])

    def load(self, x: Mapping[str, float], y: Mapping[str, float]) -> None:
        """Put values and multipliers, by name, into the program."""
        for variable in self.variables:
            variable.set_value(x[variable.name], skip_validation=True)
        if self.program.component("dual") is None:
            self.program.dual = pyo.Suffix(direction=pyo.Suffix.IMPORT)
        for row in self.rows:
            self.program.dual[row] = y[row.name]


class _Shared:
    """What programs of one structure share: their Lagrangian's derivatives, the numbers left open."""

    def __init__(self, structure: Structure) -> None:
        import casadi

        self.key = structure.key
        made = algebra(structure)
        y = casadi.SX.sym("y", len(structure.rows))
        self._arguments = [made.x, y, made.p]
        # the objective of the algebra is to be minimised; here it is as stated
        self._lagrangian = structure.sign * made.f - casadi.dot(y, made.g)
        self._made = made

    @cached_property
    def values(self) -> Any:
        """∇f − J'y and g."""
        import casadi

        slope = casadi.gradient(self._lagrangian, self._made.x)
        return casadi.Function("values", self._arguments, [slope, self._made.g])

    @cached_property
    def matrices(self) -> Any:
        """∇²f − Σ y ∇²g and J."""
        import casadi

        hessian, _ = casadi.hessian(self._lagrangian, self._made.x)
        return casadi.Function("matrices", self._arguments, [hessian, self._made.jacobian])
