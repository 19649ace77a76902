r"""Two tests of a crowd's game: whether it is monotone (unique), whether it has a potential (an optimum).

Lasry & Lions (2007): where :math:`\int (V[\mu_1] - V[\mu_2])\, d(\mu_1 - \mu_2) \le 0` for all μ₁, μ₂ the
mean-field game has one equilibrium. It has a potential iff δV/δμ is symmetric on directions that keep the
mass.
"""

from __future__ import annotations

import numpy as np

from agora.typing import Vector


def monotonicity_quotient(first: Vector, second: Vector, gap: Vector, weights: Vector) -> float:
    r"""Return the Lasry–Lions quotient of two densities; ≤ 0 for every pair means one equilibrium.

    .. math:: \frac{\int (V_1 - V_2)(\mu_1 - \mu_2)\, dm}{\int (\mu_1 - \mu_2)^2\, dm}

    `first` and `second` are V at both densities, `gap` is μ₁ − μ₂, not zero, and `weights` m, all (N,).
    """
    return float((weights * (first - second)) @ gap / ((weights * gap) @ gap))


def largest_quotient(jacobian: Vector, weights: Vector) -> tuple[float, Vector]:
    """Return the largest quotient of densities near a state, and the direction (N,) that reaches it.

    `jacobian` is ∂V_x/∂μ_y (N, N), `weights` m (N,); directions h keep the mass, ∫ h dm = 0.
    """
    tangent = _tangent(jacobian, weights)
    sizes, directions = np.linalg.eigh((tangent + tangent.T) / 2)
    direction = _basis(weights) @ directions[:, -1]
    return float(sizes[-1]), direction


def potential_asymmetry(jacobian: Vector, weights: Vector) -> float:
    """Return |J − Jᵀ|/|J + Jᵀ| (Frobenius) of δV/δμ where mass is kept; 0 means that a potential exists."""
    tangent = _tangent(jacobian, weights)
    return float(np.linalg.norm(tangent - tangent.T) / np.linalg.norm(tangent + tangent.T))


def _basis(weights: Vector) -> Vector:
    """Return an orthonormal basis (in the measure m) of the directions with ∫ h dm = 0, (N, N − 1)."""
    roots = np.sqrt(weights)
    full, _ = np.linalg.qr(np.column_stack([roots, np.eye(len(weights))[:, 1:]]))
    return full[:, 1:] / roots[:, None]


def _tangent(jacobian: Vector, weights: Vector) -> Vector:
    basis = _basis(weights)
    return basis.T @ (weights[:, None] * jacobian) @ basis
