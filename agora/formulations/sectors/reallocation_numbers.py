r"""What firms earn and pay as they move, in numbers: potential, speeds, costs and the equation of motion.

.. math:: \frac{dn_i}{dt} = \sum_{e = (i, j)} \frac{M_e}{\ell_e} v_e \text{ towards } i, \qquad
          v_e = g(\psi_j - \psi_i) / c, \qquad \psi = \pi - c \nu (\log (n/\lambda) + 1)

M_e is the mean of the masses at both ends; g(p) = p/ℓ where firms move, which with a fixed cost φ they do if
|p|/ℓ > √(2cφ).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import csr_array

from agora.formulations.sectors.short_run_numbers import ShortRun
from agora.formulations.sectors.transport import Links
from agora.typing import Vector

Numeraire = Literal["consumption", "labor", "expenditure"]


@dataclass(frozen=True, eq=False)
class Reallocation:
    """Firms on the links of an economy's sectors."""

    economy: ShortRun
    """The short-run equilibrium."""
    links: Links
    """Links along which firms move."""
    moving_cost: float
    """c."""
    fixed_cost: float = 0.0
    """φ."""
    noise: float = 0.0
    """ν."""
    numeraire: Numeraire = "consumption"
    """What costs one: a unit of consumption, a unit of labour, or all consumption (expenditure)."""

    @property
    def scale(self) -> float:
        """The factor of C or log C in what climbs: α/κ, times L̄/(1 − α) where labour is the numéraire."""
        economy = self.economy
        private = economy.firm_share / economy.degree
        return private * (economy.labor / (1 - economy.firm_share) if self.numeraire == "labor" else 1.0)

    def unit(self, firms: Vector) -> Vector:
        """Return the price of a unit of consumption in the numéraire, (…, I) → (…)."""
        consumed = self.economy.consumption(firms)
        if self.numeraire == "consumption":
            return np.ones_like(consumed)
        wealth = self.economy.labor / (1 - self.economy.firm_share) if self.numeraire == "labor" else 1.0
        return wealth / consumed

    def potential(self, firms: Vector) -> Vector:
        """Return Φ, what climbs along the path: (α/κ) f(C) − cν Σ n log(n/λ)."""
        consumed = self.economy.consumption(firms)
        level = consumed if self.numeraire == "consumption" else np.log(consumed)
        spread = (firms * np.log(firms / self.economy.varieties)).sum(axis=-1)
        climbing: Vector = self.scale * level - self.moving_cost * self.noise * spread
        return climbing

    def value(self, firms: Vector) -> Vector:
        """Return ψ = δΦ/δn: the profit rate, less the crowding that noise makes; (…, I)."""
        rates = self.economy.profit_rates(firms) * np.expand_dims(self.unit(firms), -1)
        if self.noise == 0:
            return rates
        return rates - self.moving_cost * self.noise * (np.log(firms / self.economy.varieties) + 1)

    def on_links(self, firms: Vector) -> Vector:
        """Return M, the mean mass at both ends of each link, (…, I) → (…, E)."""
        return 0.5 * (firms[..., self.links.tails] + firms[..., self.links.heads])

    def speeds(self, firms: Vector) -> Vector:
        """Return v, the speed that each firm on a link likes best, from tail to head; (…, E)."""
        value = self.value(firms)
        slope = (value[..., self.links.heads] - value[..., self.links.tails]) / self.links.lengths
        if self.fixed_cost > 0:
            slope = np.where(slope**2 > 2 * self.moving_cost * self.fixed_cost, slope, 0.0)
        return slope / self.moving_cost

    def change(self, firms: Vector) -> tuple[Vector, float]:
        """Return dn/dt (I,) and what all firms pay per unit of time, at one state (I,)."""
        speeds, mass = self.speeds(firms), self.on_links(firms)
        change = self.links.arrivals(mass * speeds / self.links.lengths, len(firms))
        moving = np.where(speeds != 0, self.fixed_cost, 0.0)
        return change, float(mass @ (0.5 * self.moving_cost * speeds**2 + moving))

    def pattern(self) -> csr_array:
        """Return which dn/dt depends on which n if C were given: sectors and their neighbours (I, I)."""
        number = len(self.economy.tastes)
        rows = np.concatenate([self.links.tails, self.links.heads, np.arange(number)])
        columns = np.concatenate([self.links.heads, self.links.tails, np.arange(number)])
        return csr_array((np.ones(len(rows)), (rows, columns)), shape=(number, number))

    def costs(self, flows: Vector, middle: Vector, steps: Vector) -> Vector:
        """Return what is paid on each link during steps, with masses in the `middle`: (K, E).

        τ M L(v) with v = J ℓ/(τ M) and L the convex envelope of (c/2) v² + φ·1[v ≠ 0].
        """
        mass, length, time = self.on_links(middle), self.links.lengths, steps[:, None]
        speed = np.abs(flows) * length / (time * mass)
        slow = np.sqrt(2 * self.fixed_cost / self.moving_cost)
        envelope = self.moving_cost * (slow * speed + 0.5 * np.maximum(speed - slow, 0.0) ** 2)
        paid: Vector = time * mass * envelope
        return paid
