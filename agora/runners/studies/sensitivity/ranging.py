"""How far a parameter may go before a limit starts or ceases to bind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import block_array, csc_array, hstack, vstack

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

if TYPE_CHECKING:
    from agora.runners.studies.sensitivity.program_sensitivity import Drift

WITHIN = 1e-4
"""Relative width to which the end of a range is verified."""
MOST_SOLVES = 24
"""Solves to verify one end."""
FIRST_ORDER, ALLOWED = "first order", "end of the allowed values"


@dataclass(frozen=True)
class Range:
    """Values of a parameter between which the same limits bind.

    Attributes
    ----------
    low, high : float
        Its ends; infinite if no limit is met.
    at_low, at_high : str
        What happens there.
    low_is, high_is : str
        ``first order``, ``verified``, ``not verified`` (solves near it failed or did not decide), or
        ``end of the allowed values``.
    """

    low: float = np.nan
    high: float = np.nan
    at_low: str = ""
    at_high: str = ""
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


@dataclass(frozen=True)
class Direction:
    """How the optimum, or that of one step of a path, moves with a parameter, on one side or on both.

    Attributes
    ----------
    side : str
        ``both``, ``left`` or ``right``.
    at : Optimum
        The optimum, with the regime of that side.
    x, y : array (n,), (m,)
        Derivatives of values and multipliers.
    drift : Drift
        Of the conditions.
    """

    side: str
    at: Optimum
    x: Vector
    y: Vector
    drift: Drift


def allowed_move(at: Optimum, x: Vector, y: Vector, drift: Drift, side: str) -> tuple[Vector, Vector] | None:
    """Return the move among those that solve the conditions under which no touched limit is crossed.

    Where the moves are not unique, the one of least norm may lead out of a limit that is slack in the
    regime but touched at the point. None if every move does.
    """
    sign = 1.0 if side == "right" else -1.0
    limits = _limits(at, Direction(side, at, x, y, drift))
    touched = [k for k, (_, value, _) in enumerate(limits) if value <= TOUCHING]
    own = np.array([sign * limits[k][2] for k in touched])
    shift = _shift_inside(at, drift, own, touched, sign)
    return None if shift is None else (x + shift[0], y + shift[1])


def allowed_point(at: Optimum, drift: Drift) -> Optimum | None:
    """Return the optimum, among those of its regime, at which no limit is violated; None if there is none."""
    zero = Direction("both", at, np.zeros_like(at.x), np.zeros_like(at.y), drift)
    limits = _limits(at, zero)
    values = np.array([value for _, value, _ in limits])
    shift = _shift_inside(at, drift, values, list(range(len(limits))), 1.0)
    return None if shift is None else replace(at, x=at.x + shift[0], y=at.y + shift[1])


def _shift_inside(
    at: Optimum, drift: Drift, own: Vector, which: list[int], sign: float
) -> tuple[Vector, Vector] | None:
    """Return the least shift within the null space of the conditions that makes `own` nowhere negative."""
    across, along = np.zeros_like(at.x), np.zeros_like(at.y)
    if own.min(initial=0.0) >= -TOUCHING:
        return across, along
    still = type(drift)(**{name: np.zeros_like(part) for name, part in vars(drift).items()})
    shifts = []
    for vector in at.system.null.T:
        x, y = np.zeros_like(at.x), np.zeros_like(at.y)
        x[at.free], y[at.binding] = vector[: len(at.free)], -vector[len(at.free) :]
        shifts.append((x, y))
    if not shifts:
        return None
    columns = []
    for x, y in shifts:
        changes = _limits(at, Direction("both", at, x, y, still))
        columns.append([sign * changes[k][2] for k in which])
    matrix = np.array(columns).T
    number = len(shifts)
    result = linprog(np.ones(2 * number), np.hstack([-matrix, matrix]), own, method="highs")
    if result.status != 0:
        return None
    for (x, y), weight in zip(shifts, result.x[:number] - result.x[number:], strict=True):
        across, along = across + weight * x, along + weight * y
    return across, along


def first_order_range(at: Optimum, move: Direction, value: float) -> Range:
    """Return the range by the ratio test: slacks and multipliers go on as they move now.

    Exact where slacks and multipliers are linear in the parameter: linear programs whose costs or
    right-hand sides are. Where multipliers or quantities are not unique the range is the largest that
    some of them allow.
    """
    ratios = _ratios if not at.system.null.shape[1] else _widest
    span = Range()
    for side in ("left", "right"):
        if move.side not in ("both", side):
            continue
        reach, what = ratios(at, move, 1.0 if side == "right" else -1.0)
        if side == "left":
            span = replace(span, low=value - reach, at_low=what)
        else:
            span = replace(span, high=value + reach, at_high=what)
    return span


def _limits(at: Optimum, move: Direction) -> list[tuple[str, float, float]]:
    """Return every slack and multiplier that must not fall below zero: what, its value, its derivative."""
    f, drift = at.functions, move.drift
    hessian, jacobian = at.matrices
    slope, level = f.values(at.x, at.y)
    level_move = drift.level + jacobian @ move.x
    slope_move = drift.slope + hessian @ move.x - jacobian.T @ move.y
    results: list[tuple[str, float, float]] = []
    groups = (
        (f.variables, at.columns, at.x, move.x, f.lower, f.upper, drift.lower, drift.upper, slope,
         slope_move),
        (f.rows, at.rows, level, level_move, f.row_lower, f.row_upper, drift.row_lower, drift.row_upper,
         at.y, move.y),
    )  # fmt: skip
    for parts, states, values, moves, lower, upper, down, up, multipliers, pulls in groups:
        for k, part in enumerate(parts):
            if states[k] == BOTH:
                continue
            if states[k] == SLACK:
                if np.isfinite(lower[k]):
                    results.append((f"{part.name} comes to bind", values[k] - lower[k], moves[k] - down[k]))
                if np.isfinite(upper[k]):
                    results.append((f"{part.name} comes to bind", upper[k] - values[k], up[k] - moves[k]))
            else:
                sign = f.sign * (1.0 if states[k] == LOWER else -1.0)
                results.append((f"{part.name} ceases to bind", sign * multipliers[k], sign * pulls[k]))
    return results


def _ratios(at: Optimum, move: Direction, sign: float) -> tuple[float, str]:
    reach, what = np.inf, "nothing"
    for name, value, change in _limits(at, move):
        if sign * change < -1e-12 * max(1.0, abs(value)):
            ratio = max(value, 0.0) / (-sign * change)
            if ratio < reach:
                reach, what = ratio, name
    return reach, what


def _widest(at: Optimum, move: Direction, sign: float) -> tuple[float, str]:
    """Return the farthest the parameter may go with some values and multipliers of the regime.

    max s over (dx, dy, s ≥ 0) with the conditions' linearisation = 0, slacks and multipliers ≥ 0.
    """
    f, drift = at.functions, move.drift
    free, binding = at.free, at.binding
    hessian, jacobian = at.matrices
    dense_x = move.x.copy()
    particular = np.concatenate([move.x[free], -move.y[binding]])
    matrix = kkt_matrix(at, free, binding)
    right = sign * (matrix @ particular)
    limits = _limits(at, move)
    held_move = np.where(np.isin(np.arange(len(dense_x)), free), 0.0, dense_x)
    level_own = drift.level + jacobian @ held_move
    slope_own = drift.slope + hessian @ held_move
    # rows of the limits as linear functions of (dx over free, −dy over binding, s)
    n, m = len(free), len(binding)
    blocks, own, values = [], [], []
    pick_x = csc_array((np.ones(n), (free, np.arange(n))), shape=(len(at.x), n))
    pick_y = csc_array((np.ones(m), (binding, np.arange(m))), shape=(len(at.y), m))
    groups = (
        (at.columns, hstack([pick_x, csc_array((len(at.x), m))]), held_move,
         hstack([hessian @ pick_x, jacobian.T @ pick_y]), slope_own,
         f.lower, f.upper, drift.lower, drift.upper),
        (at.rows, hstack([jacobian @ pick_x, csc_array((len(at.y), m))]), level_own,
         hstack([csc_array((len(at.y), n)), -pick_y]), np.zeros(len(at.y)),
         f.row_lower, f.row_upper, drift.row_lower, drift.row_upper),
    )  # fmt: skip
    for states, value_rows, value_own, pull_rows, pull_own, lower, upper, down, up in groups:
        value_rows, pull_rows = value_rows.tocsr(), pull_rows.tocsr()
        for k in range(len(states)):
            if states[k] == BOTH:
                continue
            if states[k] == SLACK:
                if np.isfinite(lower[k]):
                    blocks.append(value_rows[[k]])
                    own.append(value_own[k] - down[k])
                if np.isfinite(upper[k]):
                    blocks.append(-value_rows[[k]])
                    own.append(up[k] - value_own[k])
            else:
                side = f.sign * (1.0 if states[k] == LOWER else -1.0)
                blocks.append(side * pull_rows[[k]])
                own.append(side * pull_own[k])
    values = [value for _, value, _ in limits]
    if not blocks:
        return np.inf, "nothing"
    rows = csc_array(vstack(blocks))
    own_column = csc_array(sign * np.array(own)[:, None])
    result = linprog(
        np.concatenate([np.zeros(n + m), [-1.0]]),
        hstack([-rows, -own_column]),
        np.maximum(values, 0.0),
        block_array([[matrix, csc_array(-right[:, None])]]),
        np.zeros(n + m),
        [(None, None)] * (n + m) + [(0.0, None)],
        method="highs",
    )
    if result.status == 3:
        return np.inf, "nothing"
    if result.status != 0:
        return np.nan, "not decided"
    prices = np.abs(result.ineqlin.marginals)
    return float(result.x[-1]), limits[int(prices.argmax())][0]


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
