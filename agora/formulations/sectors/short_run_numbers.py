r"""The short-run competitive equilibrium in closed form: sectors with given firms, in numbers.

A sector makes q = A n^α L^{1−α} (n/λ)^η from n firms and L workers, λ its number of varieties; the factor
(n/λ)^η is external to the firm. Consumers have C = (Σ β^{1/σ} q^ρ)^{1/ρ}, ρ = (σ−1)/σ, β = λ b; the price of
C is one. All arrays have one entry a sector, all quantities are totals of the sector.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from agora.typing import Vector


@dataclass(frozen=True, eq=False)
class ShortRun:
    """Preferences, technology and labour of an economy of I sectors."""

    firm_share: float
    """α in (0, 1), the firms' share of revenue."""
    substitution: float
    """σ > 0; at σ = 1 preferences are Cobb–Douglas, C = Π (q/β)^β with β summing to one."""
    externality: float
    """η ≥ 0."""
    tastes: Vector
    """β > 0, weights of the sectors in consumption, (I,)."""
    productivity: Vector
    """A > 0, (I,)."""
    varieties: Vector
    """λ > 0, (I,)."""
    labor: float
    """L̄ > 0."""
    immobile: Vector | None = None
    """L > 0 of each sector, if labour cannot move, (I,)."""

    @property
    def degree(self) -> float:
        """κ = α + η: the degree to which C is homogeneous in the firms."""
        return self.firm_share + self.externality

    @cached_property
    def curvature(self) -> float:
        """θ: expenditure shares are a n^θ / Z; θ < 1 makes the long run unique and stable."""
        alpha, sigma = self.firm_share, self.substitution
        spread = sigma if self.immobile is not None else 1 + alpha * (sigma - 1)
        return self.degree * (sigma - 1) / spread

    @property
    def largest_externality(self) -> float:
        """The η at which θ = 1: 1/(σ − 1), or σ/(σ − 1) − α if labour is immobile; ∞ for σ ≤ 1."""
        if self.substitution <= 1:
            return np.inf
        bound = 1 / (self.substitution - 1)
        return bound if self.immobile is None else bound + 1 - self.firm_share

    @cached_property
    def log_weights(self) -> Vector:
        """Logarithms of a: shares are a n^θ / Z."""
        alpha, sigma = self.firm_share, self.substitution
        technology = np.log(self.productivity) - self.externality * np.log(self.varieties)
        if self.immobile is None:
            return (np.log(self.tastes) + (sigma - 1) * technology) / (1 + alpha * (sigma - 1))
        effective = technology + (1 - alpha) * np.log(self.immobile)
        return (np.log(self.tastes) + (sigma - 1) * effective) / sigma

    def shares(self, firms: Vector) -> Vector:
        """Return the shares of the sectors in expenditure, a n^θ / Z; (…, I) → (…, I)."""
        exponent = self.log_weights + self.curvature * np.log(firms)
        shares: Vector = np.exp(exponent - logsumexp(exponent, axis=-1, keepdims=True))
        return shares

    def workers(self, firms: Vector) -> Vector:
        """Return the labour of each sector, L̄ times its share unless labour is immobile."""
        if self.immobile is not None:
            return np.broadcast_to(self.immobile, np.shape(firms)).copy()
        return self.labor * self.shares(firms)

    def output(self, firms: Vector) -> Vector:
        """Return q of each sector in the short-run equilibrium."""
        return self.made(firms, self.workers(firms))

    def made(self, firms: Vector, labor: Vector) -> Vector:
        """Return q = A n^α L^{1−α} (n/λ)^η for any labour."""
        alpha, external = self.firm_share, (firms / self.varieties) ** self.externality
        return self.productivity * firms**alpha * labor ** (1 - alpha) * external

    def consumption(self, firms: Vector) -> Vector:
        """Return C; (…, I) → (…)."""
        logs, sigma = np.log(self.output(firms)), self.substitution
        if sigma == 1:
            product: Vector = np.exp(np.sum(self.tastes * (logs - np.log(self.tastes)), axis=-1))
            return product
        inside = logsumexp(np.log(self.tastes) / sigma + (sigma - 1) / sigma * logs, axis=-1)
        consumed: Vector = np.exp(sigma / (sigma - 1) * inside)
        return consumed

    def profit_rates(self, firms: Vector) -> Vector:
        """Return profit per firm, α C a n^{θ−1} / Z = (α/κ) δC/δn, in units of C."""
        consumed = np.expand_dims(self.consumption(firms), -1)
        return self.firm_share * consumed * self.shares(firms) / firms

    def profit_slopes(self, firms: Vector) -> tuple[Vector, Vector]:
        """Return ∂π/∂n as a diagonal d and a vector s: ∂π_i/∂n_j = d_i δ_ij + π_i s_j; for one state (I,)."""
        rates, shares = self.profit_rates(firms), self.shares(firms)
        return (self.curvature - 1) * rates / firms, (self.degree - self.curvature) * shares / firms

    def prices(self, firms: Vector) -> Vector:
        """Return the prices of the sectors' goods, in units of C."""
        consumed = np.expand_dims(self.consumption(firms), -1)
        return (self.tastes * consumed / self.output(firms)) ** (1 / self.substitution)

    def wages(self, firms: Vector) -> Vector:
        """Return the wage in each sector, (1 − α) p q / L, in units of C."""
        consumed = np.expand_dims(self.consumption(firms), -1)
        return (1 - self.firm_share) * consumed * self.shares(firms) / self.workers(firms)

    def long_run(self, firms: Vector, groups: NDArray[np.int64]) -> Vector:
        """Return n*, at which all profit rates are equal: n ∝ a^{1/(1−θ)}, for θ < 1.

        `firms` are N of each group (G,), `groups` the group of each sector, from 0 (I,); sectors of different
        groups exchange no firms.
        """
        exponent = self.log_weights / (1 - self.curvature)
        masses = np.empty(len(exponent))
        for group, total in enumerate(firms):
            inside = groups == group
            masses[inside] = total * np.exp(exponent[inside] - logsumexp(exponent[inside]))
        return masses
