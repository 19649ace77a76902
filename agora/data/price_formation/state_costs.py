"""What holding an asset costs: functions of the state with two derivatives and proved bounds of curvature.

A cost is a parameter. Here it can be evaluated on arrays; as algebra it is `expression`, a Pyomo
expression of a state. The bounds of value and curvature hold on the whole line: proofs of global
optimality rest on them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pyomo.environ as pyo
from pydantic import Field, PrivateAttr, model_validator
from pyomo.common.errors import PyomoException
from pyomo.contrib.fbbt.expression_bounds_walker import ExpressionBoundsVisitor
from pyomo.core.expr import numeric_expr, visitor
from pyomo.core.expr.calculus.derivatives import Modes, differentiate

from agora.data.checks import InputError, finite, positive
from agora.data.fields import POSITIVE, Kind, kinds, read_kind, within
from agora.typing import Vector


class StateCost(Kind):
    """A cost of holding x units of the asset: the zero function, and what all kinds share.

    Values are in the numéraire (a running cost: per unit of time), states in units of the asset.
    """

    kind: Literal["none"] = "none"

    @property
    def absent(self) -> bool:
        """Whether the cost is zero everywhere."""
        return self.kind == "none"

    @property
    def least_value(self) -> float:
        """A lower bound of the cost on the whole line, −∞ if none is known."""
        return 0.0

    @property
    def least_curvature(self) -> float:
        """A lower bound of the second derivative on the whole line, −∞ if none is known."""
        return 0.0

    @property
    def convex(self) -> bool:
        """Whether the cost is proved to be convex."""
        return self.least_curvature >= 0.0

    def value(self, x: Vector) -> Vector:
        """Return the cost at `x`."""
        return np.zeros_like(x)

    def slope(self, x: Vector) -> Vector:
        """Return the first derivative at `x`."""
        return np.zeros_like(x)

    def curvature(self, x: Vector) -> Vector:
        """Return the second derivative at `x`."""
        return np.zeros_like(x)

    def expression(self, state: Any) -> Any:
        """Return the cost of a Pyomo state."""
        return 0.0


class QuadraticCost(StateCost):
    r"""A quadratic cost with one well.

    .. math:: \frac{r}{2} (x - y)^2

    With several assets `weight` may be a symmetric positive semidefinite matrix (list of rows) and
    `target` a list, :math:`\tfrac12 (x-y)^\top R (x-y)`; a number stands for all assets alike.
    """

    kind: Literal["quadratic"] = "quadratic"  # type: ignore[assignment]
    weight: float | tuple[tuple[float, ...], ...]
    target: float | tuple[float, ...] = 0.0

    @model_validator(mode="after")
    def _checked(self) -> QuadraticCost:
        if isinstance(self.weight, float):
            positive("weight", self.weight)
        else:
            matrix = [[finite("weight", entry) for entry in row] for row in self.weight]
            square = all(len(row) == len(matrix) for row in matrix)
            if not square or not np.allclose(matrix, np.transpose(matrix)):
                allowed = "a number > 0, or a symmetric matrix as a list of rows"
                raise InputError("weight", self.weight, allowed)
            if float(np.linalg.eigvalsh(np.array(matrix))[0]) < -1e-12:
                raise InputError("weight", self.weight, "a positive semidefinite matrix")
        return self

    def matrix(self, assets: int) -> Vector:
        """Return R (assets, assets)."""
        return self.weight * np.eye(assets) if isinstance(self.weight, float) else np.array(self.weight)

    def targets(self, assets: int) -> Vector:
        """Return y (assets,)."""
        return np.full(assets, self.target) if isinstance(self.target, float) else np.array(self.target)

    def _numbers(self) -> tuple[float, float]:
        return float(self.matrix(1)[0, 0]), float(self.targets(1)[0])

    def value(self, x: Vector) -> Vector:  # noqa: D102
        weight, target = self._numbers()
        return weight / 2 * (x - target) ** 2

    def slope(self, x: Vector) -> Vector:  # noqa: D102
        weight, target = self._numbers()
        return weight * (x - target)

    def curvature(self, x: Vector) -> Vector:  # noqa: D102
        return np.full_like(x, self._numbers()[0])

    def expression(self, state: Any) -> Any:  # noqa: D102
        weight, target = self._numbers()
        return weight / 2 * (state - target) ** 2


class DoubleWell(StateCost):
    r"""A quartic cost with two wells of equal depth.

    .. math:: \frac{r}{2} (x - y_1)^2 (x - y_2)^2

    Its curvature is least midway between the wells, −r (y₂ − y₁)²/2.
    """

    kind: Literal["double-well"] = "double-well"  # type: ignore[assignment]
    weight: float = Field(gt=0, json_schema_extra=POSITIVE)
    wells: tuple[float, float] = Field(json_schema_extra={"allowed": "two different finite numbers"})

    @model_validator(mode="after")
    def _two_wells(self) -> DoubleWell:
        if self.wells[0] == self.wells[1]:
            raise InputError("wells", list(self.wells), "two different numbers")
        return self

    @property
    def _half(self) -> float:
        return abs(self.wells[1] - self.wells[0]) / 2

    def _from_middle(self, x: Vector) -> Vector:
        return x - (self.wells[0] + self.wells[1]) / 2

    @property
    def least_curvature(self) -> float:  # noqa: D102
        return -2.0 * self.weight * self._half**2

    def value(self, x: Vector) -> Vector:  # noqa: D102
        u = self._from_middle(x)
        return self.weight / 2 * (u * u - self._half**2) ** 2

    def slope(self, x: Vector) -> Vector:  # noqa: D102
        u = self._from_middle(x)
        return 2 * self.weight * u * (u * u - self._half**2)

    def curvature(self, x: Vector) -> Vector:  # noqa: D102
        u = self._from_middle(x)
        return 2 * self.weight * (3 * u * u - self._half**2)

    def expression(self, state: Any) -> Any:  # noqa: D102
        low, high = self.wells
        return self.weight / 2 * (state - low) ** 2 * (state - high) ** 2


class ExpressionCost(StateCost):
    """Any smooth cost, given by a Python function that takes a state and returns a Pyomo expression.

    Derivatives are symbolic. Bounds of value and curvature on the whole line come from interval
    arithmetic on the expressions; where that gives −∞, `least_value` and `least_curvature` may be stated
    by the user, who then answers for them.
    """

    kind: Literal["expression"] = "expression"  # type: ignore[assignment]
    function: Callable[[Any], Any]
    stated_least_value: float | None = None
    stated_least_curvature: float | None = None
    _parts: tuple[Any, Any, Any] = PrivateAttr()
    _state: Any = PrivateAttr()

    @model_validator(mode="after")
    def _smooth(self) -> ExpressionCost:
        block = pyo.ConcreteModel()
        block.state = pyo.Var(initialize=0.0)
        allowed = "a function of the state that returns a smooth Pyomo expression of it"
        try:
            value = self.function(block.state)
            slope = _derivative(value, block.state)
            curvature = _derivative(slope, block.state)
            foreign = [v for v in visitor.identify_variables(value) if v is not block.state]
        except Exception as error:  # whatever the user's function does, the complaint is one sentence
            raise InputError(
                "function", self.function, f"{allowed} ({type(error).__name__}: {error})"
            ) from None
        if foreign:
            raise InputError("function", self.function, f"{allowed} (it also uses {foreign[0].name})")
        self._parts, self._state = (value, slope, curvature), block.state
        self._block = block
        with np.errstate(all="ignore"):
            trial = [self._on(part, np.linspace(0.0, 1.0, 5)) for part in self._parts]
        if not all(np.isfinite(numbers).all() for numbers in trial):
            raise InputError("function", self.function, f"{allowed}, finite between 0 and 1")
        return self

    _block: Any = PrivateAttr()

    @property
    def least_value(self) -> float:  # noqa: D102
        return self.stated_least_value if self.stated_least_value is not None else _least(self._parts[0])

    @property
    def least_curvature(self) -> float:  # noqa: D102
        stated = self.stated_least_curvature
        return stated if stated is not None else _least(self._parts[2])

    def _on(self, part: Any, x: Vector) -> Vector:
        return np.broadcast_to(np.asarray(_evaluated(part, self._state, x), dtype=float), x.shape).copy()

    def value(self, x: Vector) -> Vector:  # noqa: D102
        return self._on(self._parts[0], x)

    def slope(self, x: Vector) -> Vector:  # noqa: D102
        return self._on(self._parts[1], x)

    def curvature(self, x: Vector) -> Vector:  # noqa: D102
        return self._on(self._parts[2], x)

    def expression(self, state: Any) -> Any:  # noqa: D102
        return self.function(state)


def _derivative(part: Any, state: Any) -> Any:
    """Return the derivative of a Pyomo expression by a state it may not depend on."""
    if all(variable is not state for variable in visitor.identify_variables(part)):
        return 0.0
    return differentiate(part, wrt=state, mode=Modes.reverse_symbolic)


def _least(part: Any) -> float:
    """Return a lower bound of an expression on the whole line by interval arithmetic."""
    if isinstance(part, int | float):
        return float(part)
    if not part.is_potentially_variable():
        return float(pyo.value(part))
    try:
        low, _ = ExpressionBoundsVisitor(use_fixed_var_values_as_bounds=False).walk_expression(part)
    except (PyomoException, ValueError, ZeroDivisionError, OverflowError):
        return -math.inf
    return -math.inf if low is None or math.isnan(low) else float(low)


_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    name: getattr(np, name)
    for name in ("exp", "log", "log10", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh")
} | {
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
}  # fmt: skip


def _evaluated(part: Any, state: Any, x: Vector) -> Any:
    """Return a Pyomo expression of one state on an array of states."""
    if part is state:
        return x
    if not hasattr(part, "is_expression_type") or not part.is_expression_type():
        return float(pyo.value(part))
    arguments = [_evaluated(argument, state, x) for argument in part.args]
    if isinstance(part, numeric_expr.UnaryFunctionExpression):
        return _FUNCTIONS[part.getname()](arguments[0])
    return part._apply_operation(arguments)


KINDS: dict[str, type[StateCost]] = kinds(StateCost, QuadraticCost, DoubleWell)
"""Kinds of costs that a scenario can name."""


def as_state_cost(field: str, given: Any) -> StateCost:
    """Return the cost a user means: a table with a kind, a function of the state, or a `StateCost`.

    Anything else raises `InputError`, which names `field` and what is allowed.
    """
    if isinstance(given, StateCost):
        return given
    if callable(given):
        return within(field, ExpressionCost, {"function": given})
    return read_kind(field, given, KINDS, "; or, in Python, a function")
