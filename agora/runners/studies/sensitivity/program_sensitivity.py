r"""Sensitivities of the optimum of one program, quantities and prices, through its conditions.

At the optimum the Karush–Kuhn–Tucker matrix is decomposed once
(`agora.runners.studies.sensitivity.optimality`). For each parameter p the conditions at the fixed point (x,
y) are evaluated for p ± h, p ± 2h, which gives their derivative to about 12 digits without solving anything;
one back substitution turns it into (x', y'), and the model's own reading of its program along (x', y') into
derivatives of every number of its tables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from agora.data.checks import InputError
from agora.methods.differentiable import Differentiable
from agora.models.model import Model
from agora.models.solution import Solution
from agora.runners.studies.parameters import Parameter
from agora.runners.studies.sensitivity.optimality import SLACK, UPPER, NoOptimum, Optimum, optimum, polished
from agora.runners.studies.sensitivity.ranging import (
    ALLOWED,
    Direction,
    Drift,
    Range,
    allowed_move,
    allowed_point,
    first_order_range,
    verified_range,
)
from agora.runners.studies.sensitivity.readings import Readings, flatten
from agora.solvers import SolveFailed
from agora.solvers.compiled import ProgramFunctions
from agora.typing import Vector

STEP = 1e-4
"""Relative step of the differences in a parameter."""
ASIDE = 1e-4
"""Relative distance at which the regime on one side of a kink is looked at."""
ROUNDING = 1e-10
"""Elasticities below this are zero."""
SAME_ANSWER = 1e-4
"""Relative difference up to which the program's optimum is the answer."""
AGREE = 1e-6
"""One-sided derivatives closer than this (relative) are one derivative."""
STENCILS: dict[str, tuple[tuple[int, ...], tuple[float, ...]]] = {
    "both": ((-2, -1, 1, 2), (1 / 12, -8 / 12, 8 / 12, -1 / 12)),
    "right": ((0, 1, 2, 3, 4), (-25 / 12, 4.0, -3.0, 4 / 3, -1 / 4)),
    "left": ((0, -1, -2, -3, -4), (25 / 12, -4.0, 3.0, -4 / 3, 1 / 4)),
}
"""Fourth-order differences: offsets in steps, weights."""


@dataclass(frozen=True)
class Move(Direction):
    """How the optimum, and with it all numbers of its tables, moves with a parameter."""

    table: pd.Series  # derivative of every number of the tables
    base: pd.Series  # the numbers themselves, as read from `at`
    unsure: frozenset[Any] = frozenset()  # numbers that other optima or other multipliers give other values


class Study:
    """One answer, to be differentiated in many parameters."""

    def __init__(self, model: Model, what: Differentiable) -> None:
        self.model, self.what = model, what
        functions = ProgramFunctions(what.program)
        self.at = optimum(functions, functions.point(), functions.multipliers())
        self.readings = Readings(what)
        self._near: tuple[str, dict[int, ProgramFunctions]] = ("", {})
        self.base = self.readings.numbers(model, self.at)

    def check_against(self, solution: Solution) -> None:
        """Raise `NoOptimum` unless the program's optimum is the solution, wherever it is unique."""
        unsure = self.readings.unsure(self.model, self.at)
        stated: dict[Any, float] = flatten(solution.tables, self.model.tables_spec).to_dict()
        read: dict[Any, float] = self.base.to_dict()
        if not set(read) & set(stated):
            raise NoOptimum("the program's tables have no number in common with the answer's")
        for key in set(read) & set(stated) - unsure:
            if abs(stated[key] - read[key]) > SAME_ANSWER * max(1e-2, abs(read[key])):
                raise NoOptimum(
                    f"the answer is not the optimum of one program: {' '.join(key)} is {stated[key]:.6g} in "
                    f"the answer and {read[key]:.6g} in the program ({self.what.note})"
                )

    def left_out(self, solution: Solution) -> str:
        """Return how many numbers of the answer's tables the program does not hold, in words; or nothing."""
        stated = flatten(solution.tables, self.model.tables_spec).index
        same = stated[stated.get_level_values("table").isin(self.base.index.get_level_values("table"))]
        missing = len(same.difference(self.base.index))
        return f"; {missing} of {len(same)} numbers of its tables are not in this program" if missing else ""

    # --- derivatives ---------------------------------------------------------------------------

    def moves(self, each: Parameter) -> list[Move]:
        """Return the derivative on both sides at once, or on each side where they may differ."""
        drifts = {side: self.drift(each, self.at, side) for side in open_sides(each)}
        if len(drifts) == 2 and _same(drifts["left"], drifts["right"]):
            drifts = {"both": self.drift(each, self.at, "both")}
        results = []
        for side, drift in drifts.items():
            if not self.at.degenerate and self.at.system.consistent(_right(self.at, drift)):
                results.append(self.move(each, side, self.at, drift))
            else:
                sides = ["left", "right"] if side == "both" else [side]
                for one in sides:
                    moved = self.aside(each, one)
                    if moved is not None:
                        results.append(moved)
        return results

    def drift(self, each: Parameter, at: Optimum, side: str) -> Drift:
        """Return the derivatives of the conditions at a fixed point, by differences in the parameter."""
        offsets, step = STENCILS[side][0], step_of(each)
        others = [self._functions(each, offset, step) for offset in offsets]
        return drift_of(at, others, side, step)

    def _functions(self, each: Parameter, offset: int, step: float) -> ProgramFunctions:
        """Return the program's functions `offset` steps from the parameter's value; built once."""
        if offset == 0:
            return self.at.functions
        if self._near[0] != each.name:
            self._near = (each.name, {})
        built = self._near[1]
        if offset not in built:
            built[offset] = ProgramFunctions(
                self.what.build(each.at(each.value + offset * step)), self.at.functions
            )
        return built[offset]

    def move(
        self, each: Parameter, side: str, at: Optimum, drift: Drift, unsure: frozenset[Any] | None = None
    ) -> Move:
        """Return how the optimum moves while its regime lasts."""
        x, y = moved(at, drift)
        if side != "both":
            inside = allowed_move(Direction(side, at, x, y, drift))
            if inside is None:
                raise NoOptimum("every move to this side crosses a limit that is touched")
            x, y = inside
        base = self.readings.numbers(self.model, at)

        def read(model: Model, change: float) -> pd.Series:
            return self.readings.numbers(model, at, at.x + change * x, at.y + change * y)

        table = self.derivative(each, side, base, read)
        if unsure is None:
            unsure = self.readings.unsure(self.model, at)
        return Move(side, at, x, y, drift, table, base, unsure)

    def aside(self, each: Parameter, side: str) -> Move | None:
        """Return how the optimum moves in the regime just aside of the parameter's value, at the value."""
        sign = 1 if side == "right" else -1
        near = each.at(each.value + sign * ASIDE * (abs(each.value) or 1.0))
        try:
            program = self.what.follow(near, self.what.program)
            functions = ProgramFunctions(program, self.at.functions)
            there = optimum(functions, functions.point(), functions.multipliers())
            at = _brought_back(self.at, there)
            # aside, no limit of the regime is about to bind, so all that is not unique may move
            unsure = self.readings.unsure(near, there)
            drift = self.drift(each, at, side)
            inside = allowed_point(at, drift)
            if inside is None or not at.system.consistent(_right(at, drift)):
                return None
            if inside.x is not at.x:
                at, drift = inside, self.drift(each, inside, side)
            return self.move(each, side, at, drift, unsure)
        except (SolveFailed, NoOptimum, InputError):
            return None

    def derivative(
        self, each: Parameter, side: str, base: pd.Series, read: Callable[[Model, float], pd.Series]
    ) -> pd.Series:
        """Return derivatives of all numbers, read along the move; NaN where rows come or go.

        A difference that is rounding is zero.
        """
        step = step_of(each)
        total = pd.Series(0.0, index=base.index)
        for offset, weight in zip(*STENCILS[side], strict=True):
            change = offset * step
            model = each.at(each.value + change) if offset else self.model
            total += weight / step * read(model, change).reindex(base.index)
        noise = ROUNDING * np.maximum(base.abs(), 1e-3) / (abs(each.value) or 1.0)
        return total.mask(total.abs() <= noise, 0.0)

    # --- ranges and rows -----------------------------------------------------------------------

    def range(self, each: Parameter, moves: list[Move], verify: bool) -> Range:
        """Return the values of the parameter between which no limit starts or ceases to bind."""
        span = Range()
        if not allows(each, "left"):
            span = replace(span, low=each.value, low_is=ALLOWED)
        if not allows(each, "right"):
            span = replace(span, high=each.value, high_is=ALLOWED)
        for move in moves:
            span = span.joined(first_order_range(move, each.value))
        if verify and moves:
            span = verified_range(each, moves, span, self.what)
        return span

    def rows(self, each: Parameter, moves: list[Move], span: Range, solution: Solution) -> pd.DataFrame:
        """Return the rows of the table for one parameter."""
        stated: dict[Any, float] = flatten(solution.tables, self.model.tables_spec).to_dict()
        read: dict[Any, float] = self.base.to_dict()
        rows = []
        for key, value in read.items():
            known = stated.get(key, value)
            table, place, quantity = key
            for exists, derivative in _verdicts(key, moves):
                rows.append(
                    {
                        "table": table,
                        "quantity": quantity,
                        "place": place,
                        "value": known,
                        "unit": self.model.unit_for(f"{table}.{quantity}"),
                        "parameter": each.name,
                        "at": each.value,
                        "derivative": derivative,
                        "elasticity": derivative * each.value / known if abs(known) > 1e-12 else np.nan,
                        "exists": exists,
                        "from": span.low,
                        "to": span.high,
                    }
                )
        return pd.DataFrame(rows)


def _verdicts(key: Any, moves: list[Move]) -> list[tuple[str, float]]:
    """Return what can be said about one number: (exists, derivative), one or two."""
    if not moves:
        return [("no", np.nan)]
    if any(key in move.unsure for move in moves):
        return [("not unique", np.nan)]
    slopes = {move.side: float(move.table.get(key, np.nan)) for move in moves}
    if any(np.isnan(slope) for slope in slopes.values()):
        return [("no", np.nan)]
    if "both" in slopes:
        return [("yes", slopes["both"])]
    if len(slopes) == 1:
        side, slope = next(iter(slopes.items()))
        return [(f"{side} only", slope)]
    bases = [float(move.base.get(key, np.nan)) for move in moves]
    if abs(bases[0] - bases[1]) > AGREE * max(1.0, abs(bases[0])):
        return [("not unique", np.nan)]
    left, right = slopes["left"], slopes["right"]
    if abs(left - right) <= AGREE * max(1.0, abs(left)):
        return [("yes", (left + right) / 2)]
    return [("left", left), ("right", right)]


def step_of(each: Parameter) -> float:
    """Return the step of the differences in a parameter."""
    return STEP * (abs(each.value) or 1.0)


def open_sides(each: Parameter) -> list[str]:
    """Return the sides to which a parameter may vary, left, right; `InputError` if there is none."""
    sides = [side for side in ("left", "right") if allows(each, side)]
    if not sides:
        each.at(each.value + step_of(each))  # the model says why not
        raise InputError(each.name, each.value, "a parameter that may vary at least to one side")
    return sides


def allows(each: Parameter, side: str) -> bool:
    """Tell whether the model allows values on that side."""
    offsets, _ = STENCILS[side]
    try:
        for offset in offsets:
            each.at(each.value + offset * step_of(each))
    except InputError:
        return False
    return True


def _same(left: Drift, right: Drift) -> bool:
    """Tell whether the conditions have one derivative, not a kink."""
    for one, other in zip(vars(left).values(), vars(right).values(), strict=True):
        scale = max(1.0, float(np.abs(one).max(initial=0.0)))
        if np.abs(one - other).max(initial=0.0) > 1e-5 * scale:
            return False
    return True


def drift_of(at: Optimum, others: Sequence[ProgramFunctions], side: str, step: float) -> Drift:
    """Return the derivatives of the conditions from those at the points of a stencil."""
    total: list[Vector] | None = None
    for other, weight in zip(others, STENCILS[side][1], strict=True):
        parts = [weight / step * part for part in conditions_of(other, at)]
        total = parts if total is None else [a + b for a, b in zip(total, parts, strict=True)]
    assert total is not None
    return Drift(*total)


def conditions_of(other: ProgramFunctions, at: Optimum) -> list[Vector]:
    """Return slope, rows and sides of a program at the values and multipliers of `at`."""
    f = at.functions
    missing = set(f.positions) ^ set(other.positions)
    if missing:
        raise NoOptimum(f"the parameter changes the program's structure: row {min(missing)}")
    x = dict(zip(f.columns, at.x.tolist(), strict=True))
    start = other.point()
    there = np.array([x.get(name, start[k]) for name, k in other.columns.items()])
    order = np.array([f.positions[name] for name in other.positions], dtype=int)
    slope, level = other.values(there, at.y[order])
    columns = [(f.columns[name], k) for name, k in other.columns.items() if name in f.columns]
    to, source = (np.array([pair[i] for pair in columns], dtype=int) for i in (0, 1))
    full_slope, lower, upper = np.zeros(len(f.columns)), f.lower.copy(), f.upper.copy()
    full_slope[to], lower[to], upper[to] = slope[source], other.lower[source], other.upper[source]
    rows = [np.zeros(len(f.positions)) for _ in range(3)]
    for target, values in zip(rows, (level, other.row_lower, other.row_upper), strict=True):
        target[order] = values
    return [np.nan_to_num(v, posinf=0.0, neginf=0.0) for v in (full_slope, *rows, lower, upper)]


def moved(at: Optimum, drift: Drift) -> tuple[Vector, Vector]:
    """Return the derivatives of values and multipliers while the regime lasts."""
    x, y = at.spread(at.system.solve(_right(at, drift)))
    return x + _bound_drift(at, drift), y


def _bound_drift(at: Optimum, drift: Drift) -> Vector:
    """Return how the held variables move with their bounds (n,); zero for the free ones."""
    held = np.where(at.columns == UPPER, drift.upper, drift.lower)
    result: Vector = np.where((at.columns == SLACK) | at.weak_columns, 0.0, held)
    return result


def _right(at: Optimum, drift: Drift) -> Vector:
    """Return the right-hand side of the linear system of a move."""
    hessian, jacobian = at.matrices
    bound = _bound_drift(at, drift)
    slope = drift.slope + hessian @ bound
    side = np.where(at.rows == UPPER, drift.row_upper, drift.row_lower)
    level = drift.level - side + jacobian @ bound
    return -np.concatenate([slope[at.free], level[at.binding]])


def _brought_back(base: Optimum, near: Optimum) -> Optimum:
    """Return the optimum at the base's parameters in the regime of a neighbour."""
    f, g = base.functions, near.functions
    if set(f.columns) != set(g.columns) or set(f.positions) != set(g.positions):
        raise NoOptimum("the parameter changes the program's structure")
    columns = np.array([g.columns[name] for name in f.columns], dtype=int)
    rows = np.array([g.positions[name] for name in f.positions], dtype=int)
    moved = replace(
        near, functions=f, x=near.x[columns], y=near.y[rows], columns=near.columns[columns],
        rows=near.rows[rows], weak_columns=near.weak_columns[columns], weak_rows=near.weak_rows[rows],
    )  # fmt: skip
    if moved.degenerate:
        raise NoOptimum("limits bind without a multiplier aside of the value, too")
    exact = polished(moved)
    return replace(exact, weak_columns=moved.weak_columns, weak_rows=moved.weak_rows)
