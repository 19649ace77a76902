"""Numerical methods that SciPy does not have in the form in which more than one place asks for them.

Where a root of one continuous function is wanted, or of many side by side, `scipy.optimize.brentq` and
`scipy.optimize.elementwise.find_root` are called where they are needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from agora.typing import Vector

SAME_SLOPE = 1e-12
"""Relative difference up to which slopes are the same, but for rounding."""


def bisected(
    holds: Callable[[float], bool], low: float, high: float, halvings: int = 2000
) -> tuple[float, float]:
    """Narrow a bracket of the value up to which a statement holds.

    Unlike a root finder it takes a statement that is only true or false, and keeps apart the end where it
    was seen to hold from the end where it was not: either may be what is proved.

    Parameters
    ----------
    holds : callable
        The statement; not asked again at the ends.
    low, high : float
        Where it holds and where it does not; `low` may be the larger.
    halvings : int
        At the most; until no number lies between unless given.

    Returns
    -------
    low, high : float
        The last value where it held and the last where it did not.
    """
    for _ in range(halvings):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low, high


def reached(holds: Callable[[float], bool], values: Iterable[float]) -> float:
    """Return the first of some values, ever further out, at which a statement holds.

    Raises
    ------
    ArithmeticError
        If it holds at none.
    """
    for value in values:
        if holds(value):
            return float(value)
    raise ArithmeticError("no bracket was found: what was looked for lies further out than any value tried")


def damped_newton(
    gaps: Callable[[Vector], Vector],
    step: Callable[[Vector, Vector], Vector],
    start: Vector,
    *,
    tolerance: float,
    limit: int = 100,
) -> tuple[Vector, float, int]:
    """Follow Newton's steps, each halved until the largest gap of the equations falls.

    For systems whose steps are solved for in a form of their own (bordered, by differences, capped), which
    `scipy.optimize.root` does not take.

    Parameters
    ----------
    gaps : callable
        What the equations miss at a point (N,); infinite or NaN where it is not defined.
    step : callable
        Newton's step from a point and its gaps; may raise `LinAlgError`.
    start : array (N,)
        Where to begin.
    tolerance : float
        Largest gap, in the equations' units, at which to end.
    limit : int
        Steps; each is tried at up to twenty lengths.

    Returns
    -------
    point : array (N,)
        The last one.
    gap : float
        Its largest gap: more than the tolerance if the limit was reached, or no step lowered it.
    steps : int
        How many were taken.
    """
    point, left = start, gaps(start)
    for taken in range(limit):
        worst = float(np.abs(left).max())
        if worst <= tolerance:
            return point, worst, taken
        try:
            move = step(point, left)
        except np.linalg.LinAlgError:
            return point, worst, taken
        for share in 0.5 ** np.arange(20):
            trial = gaps(point + share * move)
            if np.abs(trial).max() < worst:
                break
        else:
            return point, worst, taken
        point, left = point + share * move, trial
    return point, float(np.abs(left).max()), limit


def descended(
    cost: Callable[[Vector], Vector], points: Vector, steps: Vector, slopes: Vector, rounding: float
) -> Vector:
    """Go along steps that lower a cost, many side by side, each halved until Armijo's rule is met.

    The cost has to fall by 1e-4 of what the slope at the beginning promises, but for rounding.

    Parameters
    ----------
    cost : callable
        Costs (B,) of points (B, N).
    points, steps : array (B, N)
        Where to begin, and how far to go at the most.
    slopes : array (B,)
        Of the cost along each step, < 0.
    rounding : float
        Of a cost, relative to one more than its size.
    """
    before, moved, share = cost(points), points.copy(), np.ones(len(points))
    room = rounding * (1 + np.abs(before))
    trying = np.arange(len(points))
    for _ in range(40):
        moved[trying] = points[trying] + share[trying, None] * steps[trying]
        limit = before[trying] + 1e-4 * share[trying] * slopes[trying] + room[trying]
        trying = trying[~(cost(moved[trying]) <= limit)]
        if not len(trying):
            break
        share[trying] /= 2
    return moved


def falling_roots(
    function: Callable[[Vector], tuple[Vector, Vector]], below: Vector, above: Vector, start: Vector
) -> Vector:
    """Return the roots of falling functions (value, slope) between brackets, all at once.

    Newton's method; where it leaves the bracket, or does not halve it in three steps, the bracket is halved.
    The functions keep their shape, which `scipy.optimize.elementwise.find_root` would not let them.
    """
    here, width = start, above - below
    for step in range(200):
        value, slope = function(here)
        below, above = np.where(value > 0, here, below), np.where(value > 0, above, here)
        with np.errstate(over="ignore", invalid="ignore"):
            move = -value / np.where(slope < 0, slope, -1.0)
        trial = here + move
        small = np.abs(move) <= 4e-16 * np.maximum(1.0, np.abs(here))
        if (small | (above - below <= 4e-16 * np.maximum(1.0, np.abs(here)))).all():
            break
        inside = (trial > below) & (trial < above)
        if step % 3 == 2:
            inside &= (above - below <= width / 2) | (np.abs(move) < 1e-6)
            width = above - below
        here = np.where(small, here, np.where(inside, trial, (below + above) / 2))
    return here


def upper_envelope(
    slope: Vector, intercept: Vector, low: float = -np.inf, high: float = np.inf, narrow: float = 0.0
) -> tuple[NDArray[np.int_], Vector]:
    """Return which of some lines are highest somewhere between two points, and where they give way.

    Exact but for rounding, also where many lines are the same or meet in a point, which a convex hull of
    the points (slope, intercept) by `scipy.spatial.ConvexHull` need not survive.

    Parameters
    ----------
    slope, intercept : array (L,)
        Of the lines; of several that are equal the first counts.
    low, high : float
        The points, low < high.
    narrow : float
        A line that is highest over no more than so much is left out.

    Returns
    -------
    lines : integer array (K,)
        By rising slope: in the order in which they are highest.
    kinks : array (K − 1,)
        Where each gives way to the next.
    """
    order = np.lexsort((-np.arange(len(slope)), slope))  # of equal lines the first comes last
    same = np.append(0, np.cumsum(np.diff(slope[order]) > SAME_SLOPE * max(1.0, float(np.abs(slope).max()))))
    order = order[np.lexsort((intercept[order], same))]
    order = order[np.append(np.diff(same) > 0, True)]
    while True:
        rise, run = np.diff(intercept[order]), np.diff(slope[order])
        bent = rise[:-1] * run[1:] - rise[1:] * run[:-1] > narrow * run[:-1] * run[1:]
        if bent.all():
            break
        order = order[np.concatenate([[True], bent, [True]])]
    kinks = -rise / run
    seen = (np.append(kinks, np.inf) > low + narrow) & (np.append(-np.inf, kinks) < high - narrow)
    lines = order[seen]
    return lines, kinks[seen[:-1] & seen[1:]]
