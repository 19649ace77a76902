"""Values and densities of a mean-field game in numbers: one backward or one forward sweep in time.

For starts and fixed-point iterations; the program is the oracle. Newton's method on the backward
equation is policy iteration, for its derivative is the generator of the moves.
"""

from __future__ import annotations

import numpy as np

from agora.formulations.migration.mean_field import Arcs, Technology
from agora.typing import Vector


def moves(arcs: Arcs, technology: Technology, value: Vector) -> tuple[Vector, Vector]:
    """Return the value of moving F(u), (N,), and the generator of the moves A(u), (N, N), rows to zero."""
    values, rate = technology(value[arcs.heads] - value[arcs.tails], arcs.noise, arcs.ease)
    won = np.zeros(arcs.number)
    np.add.at(won, arcs.tails, values)
    generator = np.zeros((arcs.number, arcs.number))
    np.add.at(generator, (arcs.tails, arcs.heads), rate)
    np.add.at(generator, (arcs.tails, arcs.tails), -rate)
    return won, generator


def backward_values(  # noqa: PLR0913 (the game's data and two options)
    arcs: Arcs,
    technology: Technology,
    steps: Vector,
    discount: float,
    real_wage: Vector,
    terminal: Vector,
    *,
    trapezoid: bool = False,
    tolerance: float = 1e-12,
) -> Vector:
    """Return the values (T + 1, N) that solve the backward equation for given real wages V (T + 1, N).

    `steps` are the lengths of the periods (T,), `discount` is ρ and `terminal` u at the end (N,); `trapezoid`
    asks for the second-order scheme instead of implicit Euler. Raises `ArithmeticError` if 100 Newton steps
    do not bring the largest change down to `tolerance`, relative to the values where these are above one.
    """
    value = np.empty_like(real_wage)
    value[-1] = terminal
    eye = np.eye(arcs.number)
    for n in range(len(steps) - 1, -1, -1):
        span = steps[n] / 2 if trapezoid else steps[n]
        income = (real_wage[n] + real_wage[n + 1]) / 2 if trapezoid else real_wage[n + 1]
        right = value[n + 1] / span + income
        trial = value[n + 1]
        for _ in range(100):
            won, generator = moves(arcs, technology, trial)
            gap = (1 / span + discount) * trial - won - right
            change = np.linalg.solve((1 / span + discount) * eye - generator, gap)
            trial = trial - change
            if np.abs(change).max() <= tolerance * max(1.0, float(np.abs(trial).max())):
                break
        else:
            raise ArithmeticError(f"no values in period {n + 1}")
        value[n] = 2 * trial - value[n + 1] if trapezoid else trial
    return value


def forward_density(
    arcs: Arcs,
    technology: Technology,
    steps: Vector,
    value: Vector,
    initial: Vector,
    *,
    trapezoid: bool = False,
) -> Vector:
    """Return the density (T + 1, N), `initial` at first (N,), carried by the moves that `value` calls for."""
    density = np.empty_like(value)
    density[0] = initial
    eye = np.eye(arcs.number)
    for n, step in enumerate(steps):
        decided = (value[n] + value[n + 1]) / 2 if trapezoid else value[n]
        _, generator = moves(arcs, technology, decided)
        carried = (generator * arcs.weights[:, None] / arcs.weights).T
        if trapezoid:
            ahead = (eye + step / 2 * carried) @ density[n]
            density[n + 1] = np.linalg.solve(eye - step / 2 * carried, ahead)
        else:
            density[n + 1] = np.linalg.solve(eye - step * carried, density[n])
    return density
