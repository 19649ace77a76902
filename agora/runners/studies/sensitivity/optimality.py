r"""An optimum by its Karush–Kuhn–Tucker conditions: which limits bind, and how all of it moves.

Every limit of a program — a side of a row, a bound of a variable — is at an optimum slack, binding with a
multiplier, or, where two regimes meet, binding without one ("weakly"). Where the binding limits are the
same around a parameter's value, the optimum (x, y) moves by one linear system,

.. math:: \begin{pmatrix} H & J^\top \\ J & 0 \end{pmatrix} \begin{pmatrix} x' \\ -y' \end{pmatrix}
          = - \frac{\partial}{\partial p} \begin{pmatrix} \nabla f - J^\top y \\ g - b \end{pmatrix}

over the free variables and the binding rows (Fiacco 1983). Where several multipliers or several optima
support each other, as in most linear programs, limits are distinguished in the relative interior of the
optima (Goldman & Tucker 1956), and the null space of the matrix says what is not unique.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import block_array, csc_array, diags_array, eye_array, hstack, vstack
from scipy.sparse.linalg import splu

from agora.solvers.compiled import ProgramFunctions
from agora.typing import Vector

States = NDArray[np.int_]

SLACK, LOWER, UPPER, BOTH = 0, -1, 1, 2
"""States of a limit: not binding, binding from below, from above, an equality."""
NEGLIGIBLE = 1e-8
"""Multipliers below this, relative to the largest or to 1, count as none."""
TOUCHING = 1e-9
"""Slacks below this, relative to the limit or to 1, count as none."""
SINGULAR = 1e-11
"""Singular values below this, relative to the largest, count as zero."""
DENSE, LARGEST_DENSE = 600, 4000
"""Unknowns up to which the matrix is decomposed by singular values at once; and at all."""


class NoOptimum(RuntimeError):
    """A point that does not satisfy the conditions of an optimum, or too large a degenerate one."""


@dataclass(frozen=True)
class Optimum:
    """A point with multipliers, and the states of all limits."""

    functions: ProgramFunctions  # of the program
    x: Vector  # values (n,)
    y: Vector  # multipliers d(optimum)/d(right-hand side) (m,)
    columns: States  # of the variables' bounds (n,)
    rows: States  # of the rows (m,)
    weak_columns: NDArray[np.bool_]  # which of the binding limits have no multiplier (n,)
    weak_rows: NDArray[np.bool_]  # likewise (m,)

    @property
    def degenerate(self) -> bool:
        """Whether some limit binds without a multiplier, so that two regimes meet."""
        return bool(self.weak_columns.any() or self.weak_rows.any())

    @cached_property
    def free(self) -> NDArray[np.int_]:
        """Positions of the variables that are not held by a bound with a multiplier."""
        return np.flatnonzero((self.columns == SLACK) | self.weak_columns)

    @cached_property
    def binding(self) -> NDArray[np.int_]:
        """Positions of the rows that bind with a multiplier, and of the equalities."""
        return np.flatnonzero((self.rows != SLACK) & ~self.weak_rows)

    @cached_property
    def matrices(self) -> tuple[csc_array, csc_array]:
        """Hessian of the Lagrangian and Jacobian at the point."""
        return self.functions.matrices(self.x, self.y)

    @cached_property
    def system(self) -> System:
        """The matrix of the conditions, decomposed once."""
        return System(kkt_matrix(self, self.free, self.binding))

    def spread(self, vector: Vector) -> tuple[Vector, Vector]:
        """Return values (n,) and multipliers (m,) of a vector over free variables and binding rows."""
        x, y = np.zeros_like(self.x), np.zeros_like(self.y)
        x[self.free], y[self.binding] = vector[: len(self.free)], -vector[len(self.free) :]
        return x, y

    def regime(self) -> dict[str, int]:
        """Return the limits that bind with a multiplier: name → side."""
        f = self.functions
        held = {f.variables[k].name: int(self.columns[k]) for k in np.flatnonzero(self.columns)}
        rows = {f.rows[k].name: int(self.rows[k]) for k in np.flatnonzero(self.rows)}
        return {**held, **rows}

    def sides(self) -> tuple[Vector, Vector]:
        """Return the bounds of held variables (n,) and sides of binding rows (m,); zero elsewhere."""
        f = self.functions
        bound = np.where(self.columns == UPPER, f.upper, np.where(self.columns == SLACK, 0.0, f.lower))
        side = np.where(self.rows == UPPER, f.row_upper, np.where(self.rows == SLACK, 0.0, f.row_lower))
        return bound, side


def kkt_matrix(at: Optimum, free: NDArray[np.int_], binding: NDArray[np.int_]) -> csc_array:
    """Return the symmetric matrix of the conditions over `free` variables and `binding` rows."""
    hessian, jacobian = at.matrices
    rows = jacobian.tocsr()[binding][:, free]
    upper = hessian.tocsr()[free][:, free]
    return csc_array(block_array([[upper, rows.T], [rows, None]]))


class System:
    """A symmetric matrix, equilibrated and decomposed once, however many right-hand sides follow."""

    def __init__(self, matrix: csc_array) -> None:
        self.size = matrix.shape[0]
        self.scale = np.ones(self.size)
        scaled = matrix
        for _ in range(4):
            largest = np.maximum(abs(scaled).max(axis=1).toarray().ravel(), 1e-300)
            self.scale /= np.sqrt(np.where(largest > 1e-200, largest, 1.0))
            scaled = csc_array(diags_array(self.scale) @ matrix @ diags_array(self.scale))
        self._scaled = scaled
        self.null = np.zeros((self.size, 0))
        self._lu = None
        if self.size > DENSE:
            self._factorise()
        if self._lu is None:
            self._decompose()

    def _factorise(self) -> None:
        """Factorise sparsely, unless the matrix is singular."""
        try:
            lu = splu(self._scaled)
        except RuntimeError:
            return
        pivots = np.abs(lu.U.diagonal())
        random = np.random.default_rng(0).standard_normal(self.size)
        back = lu.solve(self._scaled @ random)
        if pivots.min() > SINGULAR * pivots.max() and np.abs(back - random).max() < 1e-6:
            self._lu = lu

    def _decompose(self) -> None:
        """Decompose by singular values, which shows what is not determined."""
        if self.size > LARGEST_DENSE:
            raise NoOptimum(
                f"the optimum is not unique in prices or quantities, and with {self.size} unknowns too large "
                f"to tell which (up to {LARGEST_DENSE})"
            )
        left, values, right = np.linalg.svd(self._scaled.toarray())
        kept = values > SINGULAR * values.max(initial=0.0)
        self._left, self._values, self._right = left[:, kept], values[kept], right[kept]
        self.null = self.scale[:, None] * right[~kept].T
        self._left_null = left[:, ~kept]

    def solve(self, right: Vector) -> Vector:
        """Return the solution, (N,) or (N, P) as `right`; of least norm (scaled) where there are several."""
        scaled = (self.scale * right.T).T
        if self._lu is not None:
            answer = self._lu.solve(scaled)
            answer += self._lu.solve(scaled - self._scaled @ answer)
        else:
            answer = self._right.T @ ((self._left.T @ scaled).T / self._values).T
        result: Vector = (self.scale * answer.T).T
        return result

    def consistent(self, right: Vector, tolerance: float = 1e-7) -> bool:
        """Tell whether a right-hand side (N,) is within reach of the matrix."""
        if self._lu is not None:
            return True
        scaled = self.scale * right
        missed = np.abs(self._left_null.T @ scaled).max(initial=0.0)
        return bool(missed <= tolerance * max(float(np.abs(scaled).max(initial=0.0)), 1e-12))


# --- finding the states ---------------------------------------------------------------------------


def optimum(functions: ProgramFunctions, x: Vector, y: Vector) -> Optimum:
    """Return the optimum near a solver's answer: binding limits exactly binding, multipliers exact.

    Raises
    ------
    NoOptimum
        If there is none near: conditions fail by more than a solver's tolerance.
    """
    at = _guess(functions, x, y)
    for _ in range(5):
        at = polished(at)
        result = _classified(at)
        if result is None:
            break
        at = result
    at = _weak(at)
    if at.degenerate:
        at = _told_apart(at)
    return at


def _guess(f: ProgramFunctions, x: Vector, y: Vector) -> Optimum:
    slope, level = f.values(x, y)
    columns = _states(x, f.lower, f.upper, f.sign * slope)
    rows = _states(level, f.row_lower, f.row_upper, f.sign * y)
    none = np.zeros(0, dtype=bool)
    return Optimum(f, x, y, columns, rows, none, none)


def _states(value: Vector, lower: Vector, upper: Vector, multiplier: Vector) -> States:
    """Return which side binds: the slack is smaller than the multiplier, or nothing."""
    states = np.full(len(value), SLACK)
    for side, slack, push in (
        (LOWER, value - lower, multiplier),
        (UPPER, upper - value, -multiplier),
    ):
        bound = np.where(np.isfinite(slack), np.abs(lower if side == LOWER else upper), 0.0)
        bound = np.where(np.isfinite(bound), bound, 0.0)
        touching = slack <= TOUCHING * np.maximum(1.0, bound)
        states[np.isfinite(slack) & (touching | (push > slack))] = side
    states[lower == upper] = BOTH
    return states


def polished(at: Optimum) -> Optimum:
    """Return the point with the conditions of its states solved by Newton's method."""
    f = at.functions
    free, rows = np.flatnonzero(at.columns == SLACK), np.flatnonzero(at.rows != SLACK)
    bound, side = at.sides()
    x = np.where(at.columns == SLACK, at.x, bound)
    y = np.where(at.rows == SLACK, 0.0, at.y)
    start = x.copy()
    none = np.zeros(0, dtype=bool)
    moved = Optimum(f, x, y, at.columns, at.rows, none, none)
    system: System | None = None
    best = np.inf
    for step in range(12):
        slope, level = f.values(moved.x, moved.y)
        residual = np.concatenate([slope[free], (level - side)[rows]])
        size = float(np.abs(residual).max(initial=0.0))
        if size <= 1e-14 or (step > 2 and size >= 0.5 * best) or not np.isfinite(size):
            break
        best = min(best, size)
        if system is None or step in (1, 3):
            system = System(kkt_matrix(moved, free, rows))
        move = system.solve(-residual)
        x, y = moved.x.copy(), moved.y.copy()
        x[free] += move[: len(free)]
        y[rows] -= move[len(free) :]
        moved = Optimum(f, x, y, at.columns, at.rows, none, none)
    if not np.isfinite(size) or size > 1e-7 or np.abs(moved.x - start).max(initial=0.0) > 0.05:
        worst = min(size, 1e300)
        raise NoOptimum(f"the conditions of an optimum are missed by {worst:.3g} near the answer")
    return moved


def _groups(at: Optimum) -> tuple[tuple[States, Vector, Vector, Vector, Vector], ...]:
    """Return states, values, lower and upper sides, and multipliers of the variables, and of the rows."""
    f = at.functions
    slope, level = f.values(at.x, at.y)
    return (
        (at.columns, at.x, f.lower, f.upper, f.sign * slope),
        (at.rows, level, f.row_lower, f.row_upper, f.sign * at.y),
    )


def _classified(at: Optimum) -> Optimum | None:
    """Return the point with limits that are crossed made binding, and those that pull back let go."""
    changed = False
    states = []
    for state, value, lower, upper, multiplier in _groups(at):
        new = state.copy()
        tolerance = NEGLIGIBLE * max(1.0, float(np.abs(multiplier).max(initial=0.0)))
        new[(state == SLACK) & (value - lower < -TOUCHING)] = LOWER
        new[(state == SLACK) & (upper - value < -TOUCHING)] = UPPER
        far = (value - lower > TOUCHING) & (upper - value > TOUCHING)
        new[(state == LOWER) & (multiplier < -tolerance) & far] = SLACK
        new[(state == UPPER) & (multiplier > tolerance) & far] = SLACK
        changed |= bool((new != state).any())
        states.append(new)
    return replace(at, columns=states[0], rows=states[1]) if changed else None


def _weak(at: Optimum) -> Optimum:
    """Return the point with its weak limits marked: they bind and have no multiplier, or nearly bind."""
    marks, states = [], []
    largest = max(1.0, float(np.abs(at.y).max(initial=0.0)))
    for state, value, lower, upper, multiplier in _groups(at):
        new = state.copy()
        new[(state == SLACK) & (value - lower <= TOUCHING)] = LOWER
        new[(state == SLACK) & (upper - value <= TOUCHING)] = UPPER
        push = np.where(new == LOWER, multiplier, -multiplier)
        weak = ((new == LOWER) | (new == UPPER)) & (push <= NEGLIGIBLE * largest)
        marks.append(weak)
        states.append(new)
    return replace(at, columns=states[0], rows=states[1], weak_columns=marks[0], weak_rows=marks[1])


# --- the relative interior ------------------------------------------------------------------------


def _told_apart(at: Optimum) -> Optimum:
    """Return an optimum inside the set of optima, where no more limits are weak than need be."""
    at = _supported(at)
    return _loosened(at) if at.degenerate else at


def _supported(at: Optimum) -> Optimum:
    r"""Return the point with multipliers that as many binding limits as possible share.

    max Σ u over (y, z, θ ≥ 1) with J'y + z = θ∇f and u ≤ (multiplier), 0 ≤ u ≤ 1: limits with u = 1 have
    a multiplier in some support of the point, and in y/θ all have at once.
    """
    f = at.functions
    rows = np.flatnonzero(at.rows != SLACK)
    held = np.flatnonzero(at.columns != SLACK)
    slope = f.values(at.x, np.zeros(len(at.y)))[0]
    jacobian = at.matrices[1].tocsr()[rows]
    n = len(at.x)
    unit = csc_array((np.ones(len(held)), (held, np.arange(len(held)))), shape=(n, len(held)))
    states = np.concatenate([at.rows[rows], at.columns[held]])
    limits = np.flatnonzero(states != BOTH)
    direction = f.sign * np.where(states[limits] == LOWER, 1.0, -1.0)
    unknowns = len(states)
    picks = csc_array((direction, (np.arange(len(limits)), limits)), shape=(len(limits), unknowns))
    equations = hstack([jacobian.T, unit, csc_array(-slope[:, None]), csc_array((n, len(limits)))])
    limited = hstack([-picks, csc_array((len(limits), 1)), eye_array(len(limits))])
    bounds = [(None, None)] * unknowns + [(1.0, None)] + [(0.0, 1.0)] * len(limits)
    cost = np.concatenate([np.zeros(unknowns + 1), -np.ones(len(limits))])
    result = linprog(cost, limited, np.zeros(len(limits)), equations, np.zeros(n), bounds, method="highs")
    if result.status != 0:
        return at
    y = np.zeros(len(at.y))
    y[rows] = result.x[: len(rows)] / result.x[unknowns]
    supported = result.x[unknowns + 1 :] > 0.5
    weak = np.zeros(unknowns, dtype=bool)
    weak[limits[~supported]] = True
    weak_rows, weak_columns = np.zeros(len(at.y), dtype=bool), np.zeros(n, dtype=bool)
    weak_rows[rows], weak_columns[held] = weak[: len(rows)], weak[len(rows) :]
    y[weak_rows] = 0.0
    exact = _exact_multipliers(at, y, rows[~weak[: len(rows)]], weak_columns)
    return replace(at, y=exact, weak_rows=weak_rows, weak_columns=weak_columns)


def _exact_multipliers(
    at: Optimum, y: Vector, rows: NDArray[np.int_], weak_columns: NDArray[np.bool_]
) -> Vector:
    """Return multipliers next to `y` with no slope left along any variable that is free."""
    free = np.flatnonzero((at.columns == SLACK) | weak_columns)
    slope = at.functions.values(at.x, y)[0][free]
    jacobian = at.matrices[1].tocsr()[rows][:, free]
    if len(free) and len(rows) and np.abs(slope).max() > 1e-15:
        empty = csc_array((len(rows), len(rows)))
        matrix = csc_array(block_array([[eye_array(len(free)), jacobian.T], [jacobian, empty]]))
        y = y.copy()
        # projection: the part of the slope that rows can take up
        y[rows] += System(matrix).solve(np.concatenate([slope, np.zeros(len(rows))]))[len(free) :]
    return y


def _loosened(at: Optimum) -> Optimum:
    """Return an optimum beside the point at which weak limits that may be slack are slack."""
    f = at.functions
    hessian, jacobian = at.matrices
    free, rows = at.free, at.binding
    jacobian = jacobian.tocsr()[:, free]
    _, level = f.values(at.x, at.y)
    weak_rows = np.flatnonzero(at.weak_rows)
    weak_columns = np.flatnonzero(at.weak_columns)
    signs = np.where(at.rows[weak_rows] == LOWER, 1.0, -1.0)
    side = np.where(at.columns[weak_columns] == LOWER, 1.0, -1.0)
    index = {int(k): j for j, k in enumerate(free)}
    own = csc_array(
        (side, (np.arange(len(side)), [index[int(k)] for k in weak_columns])), shape=(len(side), len(free))
    )
    moves = vstack([diags_array(signs) @ jacobian[weak_rows], own])
    number = moves.shape[0]
    still = vstack([jacobian[rows], hessian.tocsr()[free][:, free]])
    result = linprog(
        np.concatenate([np.zeros(len(free)), -np.ones(number)]),
        hstack([-moves, eye_array(number)]),
        np.zeros(number),
        hstack([still, csc_array((still.shape[0], number))]),
        np.zeros(still.shape[0]),
        [(None, None)] * len(free) + [(0.0, 1.0)] * number,
        method="highs",
    )
    if result.status != 0 or result.x[len(free) :].max(initial=0.0) < 0.5:
        return at
    loose = result.x[len(free) :] > 0.5
    direction = np.zeros(len(at.x))
    direction[free] = result.x[: len(free)]
    # stay well inside the limits that are slack already
    drift = at.matrices[1] @ direction
    room = [1e-3]
    for state, value, lower, upper, change in (
        (at.columns, at.x, f.lower, f.upper, direction),
        (at.rows, level, f.row_lower, f.row_upper, drift),
    ):
        slack = np.where(change < 0, value - lower, upper - value)
        falls = (state == SLACK) & (np.abs(change) > 1e-12) & np.isfinite(slack)
        room.append(float((slack[falls] / np.abs(change[falls])).min(initial=np.inf)) / 2)
    columns, states = at.columns.copy(), at.rows.copy()
    still_rows, still_columns = at.weak_rows.copy(), at.weak_columns.copy()
    states[weak_rows[loose[: len(weak_rows)]]] = SLACK
    columns[weak_columns[loose[len(weak_rows) :]]] = SLACK
    still_rows &= states != SLACK
    still_columns &= columns != SLACK
    return replace(
        at, x=at.x + min(room) * direction, columns=columns, rows=states,
        weak_rows=still_rows, weak_columns=still_columns,
    )  # fmt: skip
