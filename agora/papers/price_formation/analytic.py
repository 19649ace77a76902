"""The closed form of quadratic cases in continuous time, for supply that is a sine (Appendix A)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agora.data.price_formation.state_costs import QuadraticCost, StateCost
from agora.models.price_formation.price_formation import PriceFormation
from agora.typing import Vector

FREQUENCY = 10.0


def supplied(time: NDArray[Any]) -> Vector:
    """Return ∫₀ᵗ sin 10s ds."""
    return (1 - np.cos(FREQUENCY * time)) / FREQUENCY


def _twice(time: NDArray[Any]) -> Vector:
    """Return ∫₀ᵗ ∫₀ˢ sin 10r dr ds."""
    return time / FREQUENCY - np.sin(FREQUENCY * time) / FREQUENCY**2


def _numbers(cost: StateCost) -> tuple[float, float]:
    if isinstance(cost, QuadraticCost):
        return float(cost.matrix(1)[0, 0]), float(cost.targets(1)[0])
    return 0.0, 0.0


def continuous_price(model: PriceFormation, time: Vector) -> Vector:
    r"""Return ω(t) = −c₀Q + b(β − m(T)) + a ∫_t^T (α − m), m = x̄ + ∫Q; (34)."""
    (a, alpha), (b, beta) = _numbers(model.running), _numbers(model.terminal)
    end, mean = np.array(model.horizon), float(model.masses @ model.starts[:, 0])
    ahead = (alpha - mean) * (end - time) - (_twice(end) - _twice(time))
    return -model.control_cost * np.sin(FREQUENCY * time) + b * (beta - mean - supplied(end)) + a * ahead


def continuous_states(model: PriceFormation) -> Vector:
    """Return x(t) = m(t) + (x₀ − x̄) ϕ(t) at the grid's times (agents, N + 1); (38), (39)."""
    (a, _), (b, _) = _numbers(model.running), _numbers(model.terminal)
    c, horizon = model.control_cost, model.horizon
    time = model.step * np.arange(model.steps + 1)
    left = horizon - time
    if a == 0:
        decay = (c + b * left) / (c + b * horizon)
    else:
        k = np.sqrt(a / c)
        decay = c * k * np.cosh(k * left) + b * np.sinh(k * left)
        decay = decay / decay[0]
    starts = model.starts[:, 0]
    mean = float(model.masses @ starts)
    return mean + supplied(time) + (starts - mean)[:, None] * decay


def discrete_price(model: PriceFormation) -> Vector:
    r"""Return the exact price of the left Euler scheme for any supply, ω_i (N,).

    .. math:: \omega_i = -c_0 Q_i + b (\beta - m_N) + a h \sum_{j=i+1}^{N-1} (\alpha - m_j)
    """
    (a, alpha), (b, beta) = _numbers(model.running), _numbers(model.terminal)
    supply = model.supply.values[:, 0]
    mean = float(model.masses @ model.starts[:, 0]) + np.concatenate([[0.0], model.step * np.cumsum(supply)])
    ahead = np.append(np.cumsum((alpha - mean[1:-1])[::-1])[::-1], 0.0)
    result: Vector = -model.control_cost * supply + b * (beta - mean[-1]) + a * model.step * ahead
    return result
