"""How far a parameter may go before a limit starts or ceases to bind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import block_array, csc_array, diags_array, hstack

from agora.data.checks import InputError
from agora.methods.differentiable import Differentiable
from agora.numerics import bisected
from agora.runners.studies.parameters import Parameter
from agora.runners.studies.sensitivity.optimality import (
    BOTH,
    LOWER,
    SLACK,
    TOUCHING,
    NoOptimum,
    Optimum,
    kkt_matrix,
    optimum,
)
from agora.solvers import SolveFailed
from agora.solvers.compiled import ProgramFunctions
from agora.typing import Vector

WITHIN = 1e-4
"""Relative width to which the end of a range is verified."""
MOST_SOLVES = 24
"""Solves to verify one end."""
FIRST_ORDER, ALLOWED = "first order", "end of the allowed values"


@dataclass(frozen=True)
class Drift:
    """Derivatives of the conditions at a fixed point: slope (n,), rows (m,), and of all sides."""

    slope: Vector
    level: Vector
    row_lower: Vector
    row_upper: Vector
    lower: Vector
    upper: Vector


@dataclass(frozen=True)
class Direction:
    """How an optimum moves with a parameter, on one side or on both."""

    side: str  # ``both``, ``left`` or ``right``
    at: Optimum  # the optimum, with the regime of that side
    x: Vector  # derivatives of values (n,)
    y: Vector  # derivatives of multipliers (m,)
    drift: Drift  # of the conditions


@dataclass(frozen=True)
class Range:
    """Values of a parameter between which the same limits bind."""

    low: float = np.nan  # infinite if no limit is met; so is `high`
    high: float = np.nan
    at_low: str = ""  # what happens there
    at_high: str = ""
    # `FIRST_ORDER`, `ALLOWED`, ``verified``, or ``not verified``: solves near it failed or did not decide
    low_is: str = FIRST_ORDER
    high_is: str = FIRST_ORDER

    def joined(self, other: Range) -> Range:
        """Return the range with the ends the other knows."""
        known = self
        if not np.isnan(other.low):
            known = replace(known, low=other.low, at_low=other.at_low, low_is=other.low_is)
        if not np.isnan(other.high):
            known = replace(known, high=other.high, at_high=other.at_high, high_is=other.high_is)
        return known

    def rows(self, name: str, value: float) -> list[dict[str, Any]]:
        """Return the two ends as rows of a table."""
        ends = (("from", self.low, self.at_low, self.low_is), ("to", self.high, self.at_high, self.high_is))
        return [
            {"parameter": name, "at": value, "end": end, "value": number, "what": what, "how": how}
            for end, number, what, how in ends
        ]


def allowed_move(move: Direction) -> tuple[Vector, Vector] | None:
    """Return the move among those that solve the conditions under which no touched limit is crossed.

    Where the moves are not unique, the one of least norm may lead out of a limit that is slack in the
    regime but touched at the point. None if every move does.
    """
    sign = 1.0 if move.side == "right" else -1.0
    limits = _limits(move)
    touched = np.flatnonzero(limits.values <= TOUCHING)
    shift = _shift_inside(move.at, move.drift, sign * limits.changes[touched], touched, sign)
    return None if shift is None else (move.x + shift[0], move.y + shift[1])


def allowed_point(at: Optimum, drift: Drift) -> Optimum | None:
    """Return the optimum, among those of its regime, at which no limit is violated; None if there is none."""
    values = _limits(Direction("both", at, np.zeros_like(at.x), np.zeros_like(at.y), drift)).values
    shift = _shift_inside(at, drift, values, np.arange(len(values)), 1.0)
    return None if shift is None else replace(at, x=at.x + shift[0], y=at.y + shift[1])


def _shift_inside(
    at: Optimum, drift: Drift, own: Vector, which: NDArray[np.int_], sign: float
) -> tuple[Vector, Vector] | None:
    """Return the least shift within the null space of the conditions that makes `own` nowhere negative."""
    if own.min(initial=0.0) >= -TOUCHING:
        return np.zeros_like(at.x), np.zeros_like(at.y)
    null = at.system.null
    if not null.shape[1]:
        return None
    still = Drift(**{name: np.zeros_like(part) for name, part in vars(drift).items()})
    changes = [_limits(Direction("both", at, *at.spread(vector), still)).changes for vector in null.T]
    matrix = sign * np.array(changes)[:, which].T
    number = null.shape[1]
    result = linprog(np.ones(2 * number), np.hstack([-matrix, matrix]), own, method="highs")
    return None if result.status != 0 else at.spread(null @ (result.x[:number] - result.x[number:]))


def first_order_range(move: Direction, value: float) -> Range:
    """Return the range by the ratio test: slacks and multipliers go on as they move now.

    Exact where slacks and multipliers are linear in the parameter: linear programs whose costs or
    right-hand sides are. Where multipliers or quantities are not unique the range is the largest that
    some of them allow.
    """
    ratios = _ratios if not move.at.system.null.shape[1] else _widest
    span = Range()
    if move.side != "right":
        reach, what = ratios(move, -1.0)
        span = replace(span, low=value - reach, at_low=what)
    if move.side != "left":
        reach, what = ratios(move, 1.0)
        span = replace(span, high=value + reach, at_high=what)
    return span


@dataclass(frozen=True)
class _Sides:
    """All that must not fall below zero: slacks of variables and rows, and multipliers of those that bind."""

    names: list[str]  # what happens if one does (L,)
    which: NDArray[np.int_]  # a variable, or the number of variables plus a row (L,)
    slack: NDArray[np.bool_]  # whether it is a slack, not a multiplier (L,)
    sign: Vector  # with which it counts: −1 for upper sides (L,)

    def of(self, values: Vector, lower: Vector, upper: Vector, multipliers: Vector) -> Vector:
        """Return each (L,) from what variables and rows have (n + m,)."""
        k = self.which
        slacks = values[k] - np.where(self.sign > 0, lower[k], upper[k])
        result: Vector = self.sign * np.where(self.slack, slacks, multipliers[k])
        return result


def _sides(at: Optimum) -> _Sides:
    f, found = at.functions, []
    states = np.concatenate([at.columns, at.rows])
    lower, upper = np.concatenate([f.lower, f.row_lower]), np.concatenate([f.upper, f.row_upper])
    for k, part in enumerate([*f.variables, *f.rows]):
        if states[k] == SLACK:
            ends = (1.0, lower[k]), (-1.0, upper[k])
            found += [(f"{part.name} comes to bind", k, True, s) for s, end in ends if np.isfinite(end)]
        elif states[k] != BOTH:
            found.append((f"{part.name} ceases to bind", k, False, f.sign if states[k] == LOWER else -f.sign))
    which, slack, sign = np.array([numbers for _, *numbers in found], dtype=float).reshape(-1, 3).T
    return _Sides([name for name, *_ in found], which.astype(int), slack > 0, sign)


@dataclass(frozen=True)
class _Limits:
    """Slacks and multipliers that must not fall below zero, and their derivatives (L,)."""

    names: list[str]
    values: Vector
    changes: Vector


def _limits(move: Direction) -> _Limits:
    at, drift = move.at, move.drift
    f, sides = at.functions, _sides(move.at)
    hessian, jacobian = at.matrices
    slope, level = f.values(at.x, at.y)
    level_move = drift.level + jacobian @ move.x
    slope_move = drift.slope + hessian @ move.x - jacobian.T @ move.y
    values = sides.of(
        np.concatenate([at.x, level]), np.concatenate([f.lower, f.row_lower]),
        np.concatenate([f.upper, f.row_upper]), np.concatenate([slope, at.y]),
    )  # fmt: skip
    changes = sides.of(
        np.concatenate([move.x, level_move]), *_drifts(drift), np.concatenate([slope_move, move.y])
    )
    return _Limits(sides.names, values, changes)


def _drifts(drift: Drift) -> tuple[Vector, Vector]:
    """Return how the lower and the upper sides of variables and rows move (n + m,)."""
    return np.concatenate([drift.lower, drift.row_lower]), np.concatenate([drift.upper, drift.row_upper])


def _ratios(move: Direction, sign: float) -> tuple[float, str]:
    limits = _limits(move)
    falls = np.flatnonzero(sign * limits.changes < -1e-12 * np.maximum(1.0, np.abs(limits.values)))
    if not len(falls):
        return np.inf, "nothing"
    ratios = np.maximum(limits.values[falls], 0.0) / (-sign * limits.changes[falls])
    first = int(ratios.argmin())
    return float(ratios[first]), limits.names[falls[first]]


def _widest(move: Direction, sign: float) -> tuple[float, str]:
    """Return the farthest the parameter may go with some values and multipliers of the regime.

    max s over (dx, dy, s ≥ 0) with the conditions' linearisation = 0, slacks and multipliers ≥ 0.
    """
    at, drift, sides = move.at, move.drift, _sides(move.at)
    if not sides.names:
        return np.inf, "nothing"
    free, binding = at.free, at.binding
    hessian, jacobian = at.matrices
    matrix = kkt_matrix(at, free, binding)
    right = sign * (matrix @ np.concatenate([move.x[free], -move.y[binding]]))
    held = move.x.copy()
    held[free] = 0.0
    own = sides.of(
        np.concatenate([held, drift.level + jacobian @ held]), *_drifts(drift),
        np.concatenate([drift.slope + hessian @ held, np.zeros(len(at.y))]),
    )  # fmt: skip
    # slacks and multipliers of variables and rows as linear functions of (dx over free, −dy over binding)
    n, m = len(free), len(binding)
    pick_x = csc_array((np.ones(n), (free, np.arange(n))), shape=(len(at.x), n))
    pick_y = csc_array((np.ones(m), (binding, np.arange(m))), shape=(len(at.y), m))
    no_x, no_y = csc_array((len(at.y), n)), csc_array((len(at.x), m))
    every = block_array(
        [[pick_x, no_y], [jacobian @ pick_x, None], [hessian @ pick_x, jacobian.T @ pick_y], [no_x, -pick_y]]
    ).tocsr()
    chosen = np.where(sides.slack, sides.which, len(at.x) + len(at.y) + sides.which)
    result = linprog(
        np.concatenate([np.zeros(n + m), [-1.0]]),
        hstack([-diags_array(sides.sign) @ every[chosen], csc_array(-sign * own[:, None])]),
        np.maximum(_limits(move).values, 0.0),
        block_array([[matrix, csc_array(-right[:, None])]]),
        np.zeros(n + m),
        [(None, None)] * (n + m) + [(0.0, None)],
        method="highs",
    )
    if result.status == 3:
        return np.inf, "nothing"
    if result.status != 0:
        return np.nan, "not decided"
    return float(result.x[-1]), sides.names[int(np.abs(result.ineqlin.marginals).argmax())]


# --- verification ---------------------------------------------------------------------------------


def verified_range(each: Parameter, moves: Sequence[Direction], span: Range, what: Differentiable) -> Range:
    """Return the range with each end verified by solves: the same limits bind inside, others outside."""
    for move in moves:
        if move.side in ("both", "left"):
            low, how = _verified(each, move, span.low, what)
            span = replace(span, low=low, low_is=how)
        if move.side in ("both", "right"):
            high, how = _verified(each, move, span.high, what)
            span = replace(span, high=high, high_is=how)
    return span


def _verified(each: Parameter, move: Direction, end: float, what: Differentiable) -> tuple[float, str]:
    """Return the end of a range between two solves with and without the regime, and how it is known."""
    if not np.isfinite(end) or end == each.value:
        return end, FIRST_ORDER
    regime = move.at.regime()

    def seen(value: float) -> str:
        """Tell what a solve at the value finds: ``same``, ``other``, ``forbidden`` or ``failed``."""
        try:
            model = each.at(value)
        except InputError:
            return "forbidden"
        try:
            program = what.follow(model, what.program)
            functions = ProgramFunctions(program, move.at.functions)
            result = optimum(functions, functions.point(), functions.multipliers())
        except (SolveFailed, NoOptimum, InputError, ValueError):
            return "failed"
        return "same" if not result.degenerate and result.regime() == regime else "other"

    far = float(np.sign(end - each.value))
    width = WITHIN * max(abs(end - each.value), 1e-3 * abs(each.value))
    inside, outside, beyond = each.value, None, ""
    trial = end - far * width
    for _ in range(MOST_SOLVES):
        result = seen(trial)
        if result == "failed":
            return end, "not verified"
        if result == "same":
            inside = trial
        else:
            outside, beyond = trial, result
        if outside is None:
            trial = (
                end + far * width
                if abs(inside - end) <= 1.5 * width and inside != end + far * width
                else (each.value + 1.5 * (inside - each.value))
            )
        elif abs(outside - inside) <= 2.5 * width:
            break
        else:
            trial = (inside + outside) / 2
    if outside is None or inside == each.value:
        return end, "not verified"
    if beyond == "forbidden":
        return edge(each, outside), ALLOWED
    middle = (inside + outside) / 2
    return (end if abs(middle - end) <= 2 * width else middle), "verified"


def edge(each: Parameter, outside: float) -> float:
    """Return the last value on the way to `outside` that the model allows; `outside` itself if it does."""

    def allowed(value: float) -> bool:
        try:
            return bool(each.at(value))
        except InputError:
            return False

    if not np.isfinite(outside) or allowed(outside):
        return outside
    return bisected(allowed, each.value, outside, 50)[0]
