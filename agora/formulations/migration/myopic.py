r"""Myopic migration: people follow today's real wages as if they lasted for ever.

With the value V/ρ in place of the game's u: the comparison that the decomposition of concentration calls
"myopic adjustment" (Bahlali, Boucekkine & Petit 2026, slides). Space is a ring of N cells of length h, time
in the unit of 1/ρ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyomo.environ as pyo

from agora.typing import Vector

SMOOTHING = 1e-9
"""ε of max(p, 0) ≈ (p + √(p² + ε²))/2 in the rows, in units of a velocity."""


def gradient_rate(density: Vector, real_wage: Vector, step: float, noise: float, speed: float) -> Vector:
    r"""Return ∂_t μ where people climb the gradient of real wages and are shaken.

    .. math:: \partial_t \mu = \nu \Delta\mu - \mathrm{speed} \cdot \mathrm{div}(\mu \nabla V), \qquad
              \mathrm{speed} = 1/(\rho c_0)

    Finite volumes, upwind: what leaves a cell enters its neighbour, so that the mass stays to rounding.
    `density` and `real_wage` are (N,), `step` is h.
    """
    velocity = speed * (np.roll(real_wage, -1) - real_wage) / step
    after = np.roll(density, -1)
    flux = np.maximum(velocity, 0) * density + np.minimum(velocity, 0) * after
    flux = flux - noise * (after - density) / step
    return (np.roll(flux, 1) - flux) / step


def replicator_rate(density: Vector, real_wage: Vector, weights: Vector, speed: float) -> Vector:
    r"""Return ∂_t μ where locations grow by what they pay above the mean.

    .. math:: \partial_t \mu = \mathrm{speed} \cdot \mu \Bigl(V - \int V \mu\, dm\Bigr)
    """
    return speed * density * (real_wage - float((weights * density) @ real_wage))


def add_gradient_migration(  # noqa: PLR0913 (the rule's data, all by name)
    block: pyo.Block,
    before: Sequence[Any],
    after: Sequence[Any],
    real_wage: Sequence[Any],
    *,
    length: float,
    step: float,
    noise: float,
    speed: float,
) -> None:
    r"""Add one implicit Euler step of length `length` of the gradient dynamics, as ``migration``.

    .. math:: \frac{\mu_i^{n+1} - \mu_i^n}{\Delta t} = \frac{j_{i-1/2} - j_{i+1/2}}{h}, \qquad
              j_{i+1/2} = v^+ \mu_i - v^- \mu_{i+1} - \nu \frac{\mu_{i+1} - \mu_i}{h}
              \quad \text{for all } i

    with v = speed · (V_{i+1} − V_i)/h, all at n + 1.
    """
    cells = len(after)

    def positive(velocity: Any) -> Any:
        return (velocity + pyo.sqrt(velocity**2 + SMOOTHING**2)) / 2

    def flux_rule(b: pyo.Block, i: int) -> Any:
        right = (i + 1) % cells
        velocity = speed / step * (real_wage[right] - real_wage[i])
        carried = positive(velocity) * after[i] - positive(-velocity) * after[right]
        return carried - noise / step * (after[right] - after[i])

    def rule(b: pyo.Block, i: int) -> Any:
        return after[i] - before[i] == length / step * (b.flux[(i - 1) % cells] - b.flux[i])

    block.flux = pyo.Expression(range(cells), rule=flux_rule, doc="j, people crossing to the next cell")
    block.migration = pyo.Constraint(range(cells), rule=rule)


def add_replicator_migration(
    block: pyo.Block,
    before: Sequence[Any],
    after: Sequence[Any],
    real_wage: Sequence[Any],
    *,
    length: float,
    weights: Vector,
    speed: float,
) -> None:
    r"""Add one implicit Euler step of length `length` of the replicator dynamics, as ``migration``.

    .. math:: \mu_i^{n+1} - \mu_i^n = \Delta t\, \mathrm{speed}\, \mu_i^{n+1} (V_i^{n+1} - \bar V^{n+1})
              \quad \text{for all } i

    Adds ``mean_real_wage``, V̄ = ∫ V μ dm / ∫ μ dm.
    """
    start = sum(m * float(pyo.value(v)) for m, v in zip(weights, real_wage, strict=True))
    block.mean_real_wage = pyo.Var(initialize=start, doc="V̄")

    def rule(b: pyo.Block, i: int) -> Any:
        return after[i] - before[i] == length * speed * after[i] * (real_wage[i] - b.mean_real_wage)

    block.migration = pyo.Constraint(range(len(after)), rule=rule)
    people = pyo.quicksum(m * mu for m, mu in zip(weights.tolist(), after, strict=True))
    block.mass_balance = pyo.Constraint(expr=people == 1.0, doc="fixes V̄")
