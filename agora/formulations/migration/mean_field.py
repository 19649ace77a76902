r"""A mean-field game of moving workers: value backward, density forward, along the arcs of a space.

A space is cells i with base weights m_i (Σ m = 1) and directed arcs e = (i → j). A worker at i who would gain
p = u_j − u_i by moving along e does so at a rate chosen at a cost; the best choice yields φ_e(p) and the
rate is its derivative φ_e'(p). With

.. math:: F_i(u) = \sum_{e = (i \to j)} \varphi_e(u_j - u_i), \qquad A(u) = F'(u),

Hamilton–Jacobi–Bellman is −∂_t u − F(u) + ρu = V and Fokker–Planck ∂_t (mμ) = A(u)ᵀ (mμ): exact duality, so
that mass is kept to rounding. On a ring or torus with arcs of length h the three technologies below are the
monotone, the central and the exponential scheme of −∂_t u − νΔu − |∇u|²/2c_0 + ρu = V; on a graph the first
and the last are finite-state games with a quadratic and an entropic moving cost.

Source: Bahlali, Boucekkine & Petit (2026), slides, the mean-field game system; Achdou & Capuzzo-Dolcetta
(2010) for dual finite differences of it. Times and rates in the horizon's unit of time; densities are per
base weight (dimensionless, mean 1); values in real wages × time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray
from pyomo.core.expr.numeric_expr import LinearExpression

from agora.typing import Vector

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Arcs:
    """Where workers may move: E directed arcs between N cells, each with its opposite."""

    weights: Vector
    """Base weights m of the cells, summing to one, (N,)."""
    tails: Indices
    """Where each arc starts, (E,)."""
    heads: Indices
    """Where each arc ends, (E,)."""
    noise: Vector
    """Rate at which shocks move workers along each arc, ν/ℓ² on even land; per unit of time, (E,)."""
    ease: Vector
    """1/(c_0 ℓ²): how quickly workers move per unit of gain; per unit of value and time, (E,)."""

    @property
    def number(self) -> int:
        """Number of cells, N."""
        return len(self.weights)

    def leaving(self) -> list[list[int]]:
        """Return the arcs that leave each cell."""
        return _by_cell(self.tails, self.number)

    def entering(self) -> list[list[int]]:
        """Return the arcs that enter each cell."""
        return _by_cell(self.heads, self.number)


def _by_cell(ends: Indices, number: int) -> list[list[int]]:
    arcs: list[list[int]] = [[] for _ in range(number)]
    for arc, cell in enumerate(ends.tolist()):
        arcs[cell].append(arc)
    return arcs


# --- the value of moving --------------------------------------------------------------------------

Technology = Callable[[Any, Any, Any], tuple[Any, Any]]
"""Gain p, noise, ease → (value of moving φ, its rate φ'); of expressions or of arrays."""


def upwind(smoothing: float = 1e-6) -> Technology:
    r"""Return the monotone (Engquist–Osher) technology: workers move up only, at a quadratic cost.

    .. math:: \varphi(p) = \nu p/h^2 + (p)_+^2/(2 c_0 h^2), \qquad (p)_+ = (p + \sqrt{p^2 + \epsilon^2})/2

    First order in h; rates are ≥ ν/h² whatever the values. `smoothing` is ε, in units of value.
    """

    def value_and_rate(p: Any, noise: Any, ease: Any) -> tuple[Any, Any]:
        root = _root(p**2 + smoothing**2)
        up = 0.5 * (p + root)
        return noise * p + (0.5 * ease) * up**2, noise + ease * up**2 / root

    return value_and_rate


def central() -> Technology:
    r"""Return the central technology: the gradient is squared on both sides alike.

    .. math:: \varphi(p) = \nu p/h^2 + p^2/(4 c_0 h^2)

    Second order in h; rates are ≥ 0 only where |p| ≤ 2νc_0: the grid must be fine enough.
    """

    def value_and_rate(p: Any, noise: Any, ease: Any) -> tuple[Any, Any]:
        return noise * p + (0.25 * ease) * p**2, noise + (0.5 * ease) * p

    return value_and_rate


def exponential() -> Technology:
    r"""Return the exponential technology: an entropic moving cost relative to the shocks.

    .. math:: \varphi(p) = 2\nu^2 c_0/h^2 \, (e^{p/(2\nu c_0)} - 1)

    Second order in h, monotone, and its stationary density is exactly e^{u/(νc_0)}/Z. Needs ν > 0.
    """

    def value_and_rate(p: Any, noise: Any, ease: Any) -> tuple[Any, Any]:
        scale = 2.0 * noise / ease
        rate = noise * _exponential(p / scale)
        return scale * (rate - noise), rate

    return value_and_rate


def _root(x: Any) -> Any:
    return np.sqrt(x) if isinstance(x, np.ndarray) else pyo.sqrt(x)


def _exponential(x: Any) -> Any:
    return np.exp(x) if isinstance(x, np.ndarray) else pyo.exp(x)


# --- values and densities over time --------------------------------------------------------------


def add_times(block: pyo.Block, steps: Sequence[float], cells: int) -> None:
    """Add the sets ``times`` 0 … N_t, ``periods`` 1 … N_t (period n ends at time n) and ``cells``.

    `steps` are the lengths Δt of the periods, > 0, in the unit of time.
    """
    block.times = pyo.RangeSet(0, len(steps), doc="instants")
    block.periods = pyo.RangeSet(1, len(steps), doc="periods between instants")
    block.cells = pyo.RangeSet(0, cells - 1, doc="locations")


def add_values_and_densities(block: pyo.Block, initial_density: Vector, terminal_value: Vector) -> None:
    """Add ``value`` u and ``density`` μ at every time; u is fixed at the end, μ at the beginning.

    Densities start at the initial one and values at the terminal one; a model sets a better start.
    """
    block.value = pyo.Var(block.times, block.cells, doc="u, value of being there (real wage × time)")
    block.density = pyo.Var(block.times, block.cells, bounds=(0.0, None), doc="μ, workers per base weight")
    initial, terminal = initial_density.tolist(), terminal_value.tolist()
    last = block.times.last()
    for time in block.times:
        for cell in block.cells:
            block.value[time, cell].set_value(terminal[cell])
            block.density[time, cell].set_value(initial[cell])
    for cell in block.cells:
        block.value[last, cell].fix()
        block.density[0, cell].fix()


def add_moving_rates_implicit(block: pyo.Block, arcs: Arcs, technology: Technology) -> None:
    r"""Workers decide on the values at the beginning of a period: implicit Euler.

    .. math:: \varphi_e(u^{n-1}_j - u^{n-1}_i), \quad \varphi_e'(u^{n-1}_j - u^{n-1}_i)
              \quad \text{for all periods } n \text{ and arcs } e = (i, j)

    Adds both as the expressions ``moving_worth`` and ``moving_rate``.
    """

    def value(period: int, cell: int) -> Any:
        return block.value[period - 1, cell]

    _add_moving(block, arcs, technology, value, block.periods)


def add_moving_rates_midpoint(block: pyo.Block, arcs: Arcs, technology: Technology) -> None:
    r"""Workers decide on the values at the middle of a period, the mean of its two ends: trapezoid.

    .. math:: \varphi_e(\bar u_j - \bar u_i), \quad \varphi_e'(\bar u_j - \bar u_i), \quad
              \bar u = \tfrac12 (u^{n-1} + u^n) \quad \text{for all } n, e = (i, j)

    Adds both as the expressions ``moving_worth`` and ``moving_rate``.
    """

    def value(period: int, cell: int) -> Any:
        return 0.5 * block.value[period - 1, cell] + 0.5 * block.value[period, cell]

    _add_moving(block, arcs, technology, value, block.periods)


def _add_moving(
    block: pyo.Block, arcs: Arcs, technology: Technology, value: Callable[..., Any], *times: pyo.Set
) -> None:
    """Add the value of moving and its rate for every arc, at every index of `times` if there are times."""
    block.arcs = pyo.RangeSet(0, len(arcs.tails) - 1, doc="directed links between cells")
    block.moving_worth = pyo.Expression(*times, block.arcs, doc="φ(p), real wage")
    block.moving_rate = pyo.Expression(*times, block.arcs, doc="φ'(p), per unit of time")
    arrays = (block.arcs, arcs.tails.tolist(), arcs.heads.tolist(), arcs.noise.tolist(), arcs.ease.tolist())
    for time, (arc, tail, head, noise, ease) in product(product(*times), zip(*arrays, strict=True)):
        won, rate = technology(value(*time, head) - value(*time, tail), noise, ease)
        block.moving_worth[*time, arc], block.moving_rate[*time, arc] = won, rate


def add_value_balance_implicit(
    block: pyo.Block, arcs: Arcs, steps: Sequence[float], discount: float, real_wage: Any
) -> None:
    r"""State Hamilton–Jacobi–Bellman by implicit Euler, backward in time.

    .. math:: (u^{n-1}_i - u^n_i)/\Delta t_n - F_i(u^{n-1}) + \rho u^{n-1}_i = V_i(\mu^n)
              \quad \text{for all } n, i

    Bahlali, Boucekkine & Petit (2026), (HJB). `real_wage` maps (n, i) to V. Multiplier: none of meaning in a
    square program.
    """
    leaving = arcs.leaving()
    step = dict(zip(block.periods, steps, strict=True))

    def rule(b: pyo.Block, n: int, i: int) -> Any:
        moving = pyo.quicksum(b.moving_worth[n, e] for e in leaving[i])
        now = (1.0 / step[n] + discount) * b.value[n - 1, i]
        return now - b.value[n, i] / step[n] - moving - real_wage[n, i] == 0.0

    block.value_balance = pyo.Constraint(block.periods, block.cells, rule=rule, doc="(HJB)")


def add_value_balance_trapezoid(
    block: pyo.Block, arcs: Arcs, steps: Sequence[float], discount: float, real_wage: Any
) -> None:
    r"""State Hamilton–Jacobi–Bellman to second order in time.

    .. math:: (u^{n-1}_i - u^n_i)/\Delta t_n - F_i(\bar u^n) + \rho \bar u^n_i
              = \tfrac12 (V_i(\mu^{n-1}) + V_i(\mu^n)), \quad \bar u^n = \tfrac12 (u^{n-1} + u^n)
              \quad \text{for all } n, i

    Bahlali, Boucekkine & Petit (2026), (HJB). Multiplier: none of meaning in a square program.
    """
    leaving = arcs.leaving()
    step = dict(zip(block.periods, steps, strict=True))

    def rule(b: pyo.Block, n: int, i: int) -> Any:
        moving = pyo.quicksum(b.moving_worth[n, e] for e in leaving[i])
        now = (1.0 / step[n] + 0.5 * discount) * b.value[n - 1, i]
        then = (1.0 / step[n] - 0.5 * discount) * b.value[n, i]
        return now - then - moving - 0.5 * real_wage[n - 1, i] - 0.5 * real_wage[n, i] == 0.0

    block.value_balance = pyo.Constraint(block.periods, block.cells, rule=rule, doc="(HJB)")


def add_density_balance_implicit(block: pyo.Block, arcs: Arcs, steps: Sequence[float]) -> None:
    r"""State Fokker–Planck by implicit Euler, forward in time, with the rates of the value balance.

    .. math:: m_i (\mu^n_i - \mu^{n-1}_i)/\Delta t_n = \sum_{e = (j \to i)} \varphi_e' m_j \mu^n_j
              - \sum_{e = (i \to j)} \varphi_e' m_i \mu^n_i \quad \text{for all } n, i

    Bahlali, Boucekkine & Petit (2026), (Fokker–Planck). The rows of a period sum to zero change of mass.
    Multiplier: none of meaning in a square program.
    """

    def density(period: int, cell: int) -> Any:
        return block.density[period, cell]

    _add_density_balance(block, arcs, steps, density)


def add_density_balance_trapezoid(block: pyo.Block, arcs: Arcs, steps: Sequence[float]) -> None:
    r"""State Fokker–Planck to second order in time: as the implicit one, with the mean density of the period.

    .. math:: m_i (\mu^n_i - \mu^{n-1}_i)/\Delta t_n = \sum_{e = (j \to i)} \varphi_e' m_j \bar\mu^n_j
              - \sum_{e = (i \to j)} \varphi_e' m_i \bar\mu^n_i \quad \text{for all } n, i

    Bahlali, Boucekkine & Petit (2026), (Fokker–Planck). Multiplier: none of meaning in a square program.
    """

    def density(period: int, cell: int) -> Any:
        return 0.5 * block.density[period - 1, cell] + 0.5 * block.density[period, cell]

    _add_density_balance(block, arcs, steps, density)


def _add_density_balance(
    block: pyo.Block, arcs: Arcs, steps: Sequence[float], density: Callable[..., Any]
) -> None:
    """Add Fokker–Planck's rows in terms of the density that moves during a period."""
    leaving, entering, tails = arcs.leaving(), arcs.entering(), arcs.tails.tolist()
    share = (arcs.weights[arcs.tails] / arcs.weights[arcs.heads]).tolist()
    step = dict(zip(block.periods, steps, strict=True))

    def rule(b: pyo.Block, n: int, i: int) -> Any:
        out = pyo.quicksum(b.moving_rate[n, e] for e in leaving[i]) * density(n, i)
        come = pyo.quicksum(share[e] * b.moving_rate[n, e] * density(n, tails[e]) for e in entering[i])
        return (1.0 / step[n]) * b.density[n, i] - (1.0 / step[n]) * b.density[n - 1, i] - come + out == 0.0

    block.density_balance = pyo.Constraint(block.periods, block.cells, rule=rule, doc="(Fokker–Planck)")


# --- at rest -------------------------------------------------------------------------------------


def add_rest(block: pyo.Block, cells: int) -> None:
    """Add ``value`` u and ``density`` μ of a stationary equilibrium, indexed by ``cells``."""
    block.cells = pyo.RangeSet(0, cells - 1, doc="locations")
    block.value = pyo.Var(block.cells, initialize=0.0, doc="u, value of being there (real wage × time)")
    block.density = pyo.Var(block.cells, initialize=1.0, bounds=(0.0, None), doc="μ, workers per base weight")


def add_moving_rates_at_rest(block: pyo.Block, arcs: Arcs, technology: Technology) -> None:
    r"""Workers decide on values that do not change.

    .. math:: \varphi_e(u_j - u_i), \quad \varphi_e'(u_j - u_i) \quad \text{for all arcs } e = (i, j)

    Adds both as the expressions ``moving_worth`` and ``moving_rate``.
    """
    _add_moving(block, arcs, technology, block.value.__getitem__)


def add_value_balance_at_rest(block: pyo.Block, arcs: Arcs, discount: float, real_wage: Any) -> None:
    r"""State Hamilton–Jacobi–Bellman of a stationary equilibrium.

    .. math:: \rho u_i - F_i(u) = V_i(\mu) \quad \text{for all } i

    Bahlali, Boucekkine & Petit (2026), the stationary case. Multiplier: none of meaning in a square program.
    """
    leaving = arcs.leaving()

    def rule(b: pyo.Block, i: int) -> Any:
        return discount * b.value[i] - pyo.quicksum(b.moving_worth[e] for e in leaving[i]) == real_wage[i]

    block.value_balance = pyo.Constraint(block.cells, rule=rule, doc="(HJB)")


def add_density_balance_at_rest(block: pyo.Block, arcs: Arcs) -> None:
    r"""State Fokker–Planck of a stationary equilibrium: as many come as go; all are somewhere.

    .. math:: \sum_{e = (j \to i)} \varphi_e' m_j \mu_j - \sum_{e = (i \to j)} \varphi_e' m_i \mu_i = r m_i
              \quad \text{for all } i, \qquad \sum_i m_i \mu_i = 1

    The rows sum to r = 0: ``density_residue`` r takes up the redundant one and is zero at a solution.
    Multiplier: none of meaning in a square program.
    """
    leaving, entering, tails = arcs.leaving(), arcs.entering(), arcs.tails.tolist()
    share = (arcs.weights[arcs.tails] / arcs.weights[arcs.heads]).tolist()
    block.density_residue = pyo.Var(initialize=0.0, doc="r, zero at a solution")
    pinned = block.component("drift") is not None

    def rule(b: pyo.Block, i: int) -> Any:
        out = pyo.quicksum(b.moving_rate[e] for e in leaving[i]) * b.density[i]
        come = pyo.quicksum(share[e] * b.moving_rate[e] * b.density[tails[e]] for e in entering[i])
        pushed = pyo.quicksum(b.turning[k][i] * b.drift[k] for k in b.directions) if pinned else 0.0
        return come - out == b.density_residue + pushed

    block.density_balance = pyo.Constraint(block.cells, rule=rule, doc="(Fokker–Planck)")
    mass = LinearExpression(linear_coefs=arcs.weights.tolist(), linear_vars=list(block.density.values()))
    block.mass_balance = pyo.Constraint(expr=(mass, 1.0))


def add_position(block: pyo.Block, directions: Sequence[Vector]) -> None:
    r"""Pin where a stationary equilibrium stands on a space all of whose cells are alike.

    .. math:: \sum_i m_i d_i \mu_i = 0, \qquad \text{(Fokker–Planck)}_i: \; \dots = r + s\, d_i
              \quad \text{for every direction } d

    Turned by any angle it is an equilibrium again, so that the system is singular without. A direction d is
    the slope of a density that stands where it should, Σ d = 0; ``drift`` s is zero at a solution.
    `add_density_balance_at_rest` reads ``drift``, so call it after this.
    """
    block.directions = pyo.RangeSet(0, len(directions) - 1, doc="ways a stationary equilibrium can turn")
    block.drift = pyo.Var(block.directions, initialize=0.0, doc="s, zero at a solution")
    block.turning = [direction.tolist() for direction in directions]

    def rule(b: pyo.Block, way: int) -> Any:
        body = LinearExpression(linear_coefs=b.turning[way], linear_vars=list(b.density.values()))
        return (body, 0.0)

    block.position = pyo.Constraint(block.directions, rule=rule, doc="no turning")


def add_terminal_value(block: pyo.Block, rest: pyo.Block) -> None:
    r"""Tie the end of a long path to a stationary equilibrium: the infinite horizon.

    .. math:: u^{N_t}_i = u_i \quad \text{for all } i

    Frees the values at the last time, which `add_values_and_densities` had fixed.
    """
    last = block.times.last()
    for cell in block.cells:
        block.value[last, cell].unfix()

    def rule(b: pyo.Block, i: int) -> Any:
        return b.value[last, i] - rest.value[i] == 0.0

    block.terminal_value = pyo.Constraint(block.cells, rule=rule, doc="u(T) at rest")
