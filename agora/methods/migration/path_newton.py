r"""Newton's method for the path of a game with wages eliminated, and deflation away from known paths.

A method beside the program, for searches that need many solves: unknown are values and densities only;
wages clear within, and their derivatives come from the implicit function theorem. The program is the oracle:
it solves every path of this method again. With n periods and N cells the Jacobian has 2nN rows; its blocks
are those of the moves (sparse), of time (diagonal) and ∂V/∂μ (dense, N × N).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array
from scipy.sparse.linalg import splu

from agora.formulations.migration.trade import TradeState, real_wage_jacobian, solve_wages
from agora.models.migration.game import MeanFieldGame
from agora.typing import Vector

Indices = NDArray[Any]

TINY = 1e-30
"""Imaginary step by which rates are differentiated, exact to rounding."""


class Course(NamedTuple):
    """Density, value and wages (times, cells) of a path, or of its one time at rest."""

    density: Vector
    value: Vector
    wages: Vector


class PathEquations:
    r"""The backward and forward equations of a game's path, in values and densities.

    Unknown are :math:`u^0 … u^{n-1}` and :math:`\mu^1 … \mu^n`, (2, n, N); :math:`u^n` and μ⁰ are given.
    `end` is u^n (N,), 0 unless given; `steps` (n,) are the lengths of the periods, else the model's own.
    """

    def __init__(self, model: MeanFieldGame, steps: Vector | None = None, end: Vector | None = None) -> None:
        self.model, self.arcs, self.technology = model, model.arcs, model.technology
        self.steps = model.period_lengths() if steps is None else steps
        self.end = np.zeros(self.arcs.number) if end is None else end
        self.shape = (2, len(self.steps), self.arcs.number)
        self.back = 0.5 if model.time_scheme == "trapezoid" else 0.0
        """Weight of the other end of a period: ½ for the trapezoid scheme, 0 for implicit Euler."""
        self.first = solve_wages(model.economy, model.trade_kernel, model.initial_density)
        self.states: list[TradeState | None] = [None] * len(self.steps)

    def paths(self, unknown: Vector) -> tuple[Vector, Vector]:
        """Return values and densities with what is given, (n + 1, N) each."""
        value, density = unknown
        whole = np.vstack([value, self.end])
        return whole, np.vstack([self.model.initial_density, density])

    def _wages(self, density: Vector) -> Vector:
        """Clear all markets from the wages of the last call; return real wages (times, N)."""
        economy, kernel = self.model.economy, self.model.trade_kernel
        for n, mu in enumerate(density[1:]):
            last = self.states[n]
            self.states[n] = solve_wages(economy, kernel, mu, None if last is None else last.wage)
        return np.array([self.first.real_wage, *(s.real_wage for s in self.states if s is not None)])

    def _means(self, value: Vector, density: Vector) -> tuple[Vector, Vector]:
        back = self.back
        return (1 - back) * value[:-1] + back * value[1:], (1 - back) * density[1:] + back * density[:-1]

    def residual(self, unknown: Vector) -> Vector:
        """Return the gaps of both equations, (2, n, N)."""
        arcs, (value, density) = self.arcs, self.paths(unknown)
        real, (decided, crowd) = self._wages(density), self._means(value, density)
        income = (1 - self.back) * real[1:] + self.back * real[:-1]
        gap = np.empty(self.shape)
        step, count = self.steps[:, None], self.shape[2]
        gap[0] = (value[:-1] - value[1:]) / step + self.model.discount * decided - income
        gap[1] = (density[1:] - density[:-1]) / step
        for n, u in enumerate(decided):
            gain, rate = self.technology(u[arcs.heads] - u[arcs.tails], arcs.noise, arcs.ease)
            flow = arcs.weights[arcs.tails] * rate * crowd[n][arcs.tails]
            gap[0, n] -= np.bincount(arcs.tails, gain, count)
            into = np.bincount(arcs.heads, flow, count) - np.bincount(arcs.tails, flow, count)
            gap[1, n] -= into / arcs.weights
        return gap

    def jacobian(self, unknown: Vector) -> csc_array:
        """Return the derivative of `residual` at the point where that was called last, (2nN, 2nN)."""
        arcs, (value, density) = self.arcs, self.paths(unknown)
        decided, crowd = self._means(value, density)
        (_, periods, count), back, rho = self.shape, self.back, self.model.discount
        cells, tails, heads, m = np.arange(count), arcs.tails, arcs.heads, arcs.weights
        rows, columns, numbers = [], [], []

        def add(row: int, column: int, i: Indices, j: Indices, number: Vector) -> None:
            rows.append(row * count + i)
            columns.append(column * count + j)
            numbers.append(np.broadcast_to(number, i.shape))

        every_row, every_column = (index.ravel() for index in np.indices((count, count)))
        for n in range(periods):
            gain = decided[n][heads] - decided[n][tails]
            rate = self.technology(gain, arcs.noise, arcs.ease)[1]
            bend = self.technology(gain + TINY * 1j, arcs.noise, arcs.ease)[1].imag / TINY
            shift = bend * m[tails] * crowd[n][tails]
            for later, weight in ((0, 1 - back), (1, back)):
                if weight == 0 or n + later >= periods:
                    continue
                time = (-1.0 if later else 1.0) / self.steps[n]
                add(n, n + later, cells, cells, np.asarray(time + rho * weight))
                add(n, n + later, tails, heads, -weight * rate)
                add(n, n + later, tails, tails, weight * rate)
                for cell, sign in ((heads, -1.0), (tails, 1.0)):
                    add(periods + n, n + later, cell, heads, sign * weight * shift / m[cell])
                    add(periods + n, n + later, cell, tails, -sign * weight * shift / m[cell])
            if back == 0 and n + 1 < periods:
                add(n, n + 1, cells, cells, np.asarray(-1.0 / self.steps[n]))
            for earlier, weight in ((0, 1 - back), (1, back)):
                if n - earlier < 0:
                    continue
                column = periods + n - earlier
                add(periods + n, column, cells, cells, np.asarray((-1.0) ** earlier / self.steps[n]))
                if weight == 0:
                    continue
                flow = weight * m[tails] * rate
                add(periods + n, column, heads, tails, -flow / m[heads])
                add(periods + n, column, tails, tails, flow / m[tails])
                slope = self._slope(n - earlier, density)
                add(n, column, every_row, every_column, -weight * slope.ravel())
        size = 2 * periods * count
        indices = (np.concatenate(rows), np.concatenate(columns))
        return csc_array((np.concatenate(numbers), indices), shape=(size, size))

    def _slope(self, n: int, density: Vector) -> Vector:
        economy, kernel = self.model.economy, self.model.trade_kernel
        return real_wage_jacobian(economy, kernel, density[n + 1], self.states[n])


def newton_path(
    model: MeanFieldGame,
    start: Course,
    known: Sequence[Vector] = (),
    *,
    steps: Vector | None = None,
    end: Vector | None = None,
    tolerance: float = 1e-9,
    limit: int = 60,
) -> tuple[Course, int]:
    r"""Return a path of a game near a start, and the steps taken, by Newton's method.

    With paths `known` to be equilibria the equations g(x) = 0 are deflated,

    .. math:: \Bigl(\prod_k \frac{1}{\lVert \mu - \mu_k \rVert^2} + 1\Bigr) g(x) = 0,

    so that the method cannot return to them (Farrell, Birkisson & Funke 2015, "Deflation techniques for
    finding distinct solutions of nonlinear partial differential equations"). Its step is the plain one times
    a number. Steps are shortened to keep densities positive and, without deflation, to lower the gap.

    `known` are densities (T + 1, N), `steps` and `end` are those of `PathEquations`. Raises `ArithmeticError`
    if `limit` steps do not make the largest gap, in units of each equation, smaller than `tolerance`.
    """
    equations = PathEquations(model, steps, end)
    x = np.stack([start.value[:-1], start.density[1:]])
    gap = equations.residual(x)
    for step in range(limit + 1):
        worst = float(np.abs(gap).max())
        if worst <= tolerance:
            value, density = equations.paths(x)
            wages = [equations.first.wage, *(s.wage for s in equations.states if s is not None)]
            return Course(density, value, np.array(wages)), step
        try:
            change = splu(equations.jacobian(x)).solve(-gap.ravel()).reshape(x.shape)
        except RuntimeError as singular:
            raise ArithmeticError("the equations are singular here") from singular
        change = change * _deflation(x[1], change[1], known)
        falls = x[1] + change[1] <= 0
        length = float(min(1.0, *(0.9 * x[1][falls] / -change[1][falls]), 1.0)) if falls.any() else 1.0
        while True:  # deflated gaps may rise, and the shortest step is taken whatever it brings
            trial = equations.residual(x + length * change)
            lower = np.linalg.norm(trial) < np.linalg.norm(gap)
            if known or lower or worst < 1e-7 or length < 1e-3:
                break
            length /= 2
        x, gap = x + length * change, trial
    raise ArithmeticError(f"no path found in {limit} steps: largest gap {worst:.3g}")


def _deflation(density: Vector, change: Vector, known: Sequence[Vector]) -> float:
    """Return the factor of Newton's step that deflation asks for: 1/(1 − ∇M·d/M)."""
    pull = 0.0
    for other in known:
        away = density - other[1:]
        squared = float(np.sum(away**2))
        pull -= 2 * float(np.sum(away * change)) / squared**2 / (1 / squared + 1)
    return 1.0 / (1.0 - pull)
