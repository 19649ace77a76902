r"""What a reply can gain within bounds on states or controls, for convex costs: weak duality at the reply."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from agora.typing import Vector


def dual_gains(  # noqa: PLR0913 (the data of one asset's problem)
    states: Vector,
    controls: Vector,
    control_gradient: Vector,
    chance: Vector,
    before: NDArray[np.int64],
    step: float,
    control_cost: float,
    state_bounds: tuple[float | None, float | None],
    control_bounds: tuple[float | None, float | None],
) -> Vector:
    r"""Return an upper bound of what each reply can gain within the bounds, for convex costs.

    For any multipliers ν of the state bounds with the right sign, every other reply x' within the bounds
    costs at least

    .. math:: E(x) + \sum_v \min_{a'} \Bigl[ \bigl(\gamma_v + h \sum_{j > v} \nu_j\bigr) (a'_v - a_v)
              + \pi_v h \tfrac{c_0}{2} (a'_v - a_v)^2 \Bigr] - \sum_j |\nu_j|\, |x_j - \bar x_j|

    Parameters
    ----------
    states, controls : array (B, P), (B, V)
        Of one asset: B replies, P places, V nodes.
    control_gradient : array (B, V)
        γ, the derivative of the cost by each control.
    chance : array (V,)
        π, probability of each node.
    before : array (P,)
        The node before each place, −1 for the first; on a path without branches the place before.
    step, control_cost : float
        h, c₀.
    state_bounds, control_bounds : pair
        Limits, None where there is none.
    """
    lowest, highest = (np.nan if v is None else v for v in state_bounds)
    least, most = (-np.inf, np.inf) if control_bounds == (None, None) else (
        -np.inf if control_bounds[0] is None else control_bounds[0],
        np.inf if control_bounds[1] is None else control_bounds[1],
    )  # fmt: skip
    pressed, slack = control_gradient.copy(), np.zeros(len(states))
    if state_bounds != (None, None):
        near = 1e-5
        at_low, at_high = states[:, 1:] <= lowest + near, states[:, 1:] >= highest - near
        free = (controls > least + near) & (controls < most - near)
        path = bool((before[1:] == np.arange(len(before) - 1)).all())
        below = None if path else _below(before, controls.shape[1])
        for k in range(len(states)):
            if below is None:
                nu = _state_multipliers(pressed[k] / step, free[k], at_low[k], at_high[k])
                pressed[k] += step * np.cumsum(nu[::-1])[::-1]
            else:
                nu = _tree_multipliers(pressed[k] / step, free[k], at_low[k], at_high[k], below, chance)
                pressed[k] += step * below @ nu
            away = np.where(nu < 0, states[k, 1:] - lowest, highest - states[k, 1:])
            slack[k] = np.abs(np.where(nu != 0, nu * away, 0.0)).sum()
    weight = chance * step * control_cost
    move = np.clip(-pressed / weight, least - controls, most - controls)
    gain: Vector = -(pressed * move + weight / 2 * move**2).sum(axis=1) + slack
    return gain


def _below(before: NDArray[np.int64], nodes: int) -> Vector:
    """Return which places 1 … come after each node (nodes, places − 1)."""
    after = np.zeros((nodes, len(before)))
    for place in range(1, len(before)):
        node = before[place]
        while node >= 0:
            after[node, place] = 1.0
            node = before[node]
    return after[:, 1:]


def _tree_multipliers(
    gradient: Vector,
    free: NDArray[np.bool_],
    at_low: NDArray[np.bool_],
    at_high: NDArray[np.bool_],
    below: Vector,
    chance: Vector,
) -> Vector:
    """Return multipliers on a tree: least squares of what is left at free controls, with the right signs."""
    nu, touching = np.zeros(below.shape[1]), at_low | at_high
    if not touching.any() or not free.any():
        return nu
    scale = 1.0 / np.sqrt(chance[free])
    system, right = below[np.ix_(free, touching)] * scale[:, None], -gradient[free] * scale
    limits = np.where(at_low, -np.inf, 0.0)[touching], np.where(at_high, np.inf, 0.0)[touching]
    nu[touching] = lsq_linear(system, right, bounds=limits, method="bvls", tol=1e-14).x
    return nu


def _state_multipliers(
    gradient: Vector, free: NDArray[np.bool_], at_low: NDArray[np.bool_], at_high: NDArray[np.bool_]
) -> Vector:
    """Return multipliers of the places 1 … N of one reply, zero but where the state is at a limit.

    Σ_{j > i} ν_j should be minus the gradient where the control is free, and may change only at limits.
    """
    number = len(gradient)
    touching = at_low | at_high
    wanted, level = np.zeros(number), 0.0
    end = number
    while end > 0:  # controls first … end − 1 have no limit of the state between them
        first = end - 1
        while first > 0 and not touching[first - 1]:
            first -= 1
        inside = free[first:end]
        if not (end == number and not touching[-1]) and inside.any():
            level = -float(gradient[first:end][inside].mean())
        wanted[first:end] = level
        end = first
    nu = wanted - np.append(wanted[1:], 0.0)
    return np.where(
        at_low & at_high,
        nu,
        np.where(at_low, np.minimum(nu, 0.0), np.where(at_high, np.maximum(nu, 0.0), 0.0)),
    )
