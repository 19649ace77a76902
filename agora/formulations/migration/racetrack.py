r"""The racetrack economy in closed form: kernel, slope of real wages, linearised game, forces.

A circle of radius R with trade costs e^{τ d}, d along the circle, people uniform but for a wave
δ cos(kx), k = n/R. Everything is linear in the wave, so that mode n is two numbers: a(t) of the density and
b(t) of the value,

.. math:: a' = -\nu k^2 a + (k^2/c_0)\, b, \qquad b' = (\nu k^2 + \rho)\, b - \lambda a, \qquad
          a(0) = \delta, \; b(T) = 0

Source: Bahlali, Boucekkine & Petit (2026), slides, "The Racetrack Economy"; the eigenvalue λ, the paths and
the forces of a wave are worked out here. Time is in the unit of 1/ρ, length in the unit of R.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from agora.formulations.migration.kernels import RingKernel
from agora.formulations.migration.trade import TradeEconomy
from agora.typing import Vector

# --- the static layer --------------------------------------------------------------------------


def mean_freeness(decay: float, radius: float, cells: int | None = None) -> float:
    r"""Return K0 = ∫ K(0, y) dm(y), on the circle or on a grid of equal cells.

    .. math:: K_0 = \frac{1 - e^{-s\pi R}}{s\pi R}

    `decay` is s = (σ − 1) τ > 0, `radius` R and `cells` N; on the circle itself unless cells are given.
    """
    if cells is None:
        half = decay * math.pi * radius
        return -math.expm1(-half) / half
    return float(RingKernel(cells, decay, 2 * math.pi * radius).profile.mean())


def freeness_share(decay: float, radius: float, mode: int, cells: int | None = None) -> float:
    r"""Return κ_n, the share of a wave of mode n that the kernel lets through, 1 ≥ κ ≥ 0.

    .. math:: \kappa_n = \frac{s^2}{s^2 + k^2} \cdot
              \frac{1 - (-1)^n e^{-s\pi R}}{1 - e^{-s\pi R}}, \qquad
              \kappa_N = \frac{\sum_j K_j \cos(2\pi nj/N)}{\sum_j K_j}

    Parameters are those of `mean_freeness`; `mode` is n ≥ 1.
    """
    if cells is None:
        k, far = mode / radius, math.exp(-decay * math.pi * radius)
        return decay**2 / (decay**2 + k**2) * (1 - math.cos(math.pi * mode) * far) / (1 - far)
    profile = RingKernel(cells, decay, 2 * math.pi * radius).profile
    return float(profile @ np.cos(2 * np.pi * mode * np.arange(cells) / cells) / profile.sum())


def uniform_real_wage(economy: TradeEconomy, decay: float, radius: float, cells: int | None = None) -> float:
    """Return V̄ = B̄ (a K0)^{1/(σ−1)} of the uniform state; technology and amenity are those of location 0."""
    level = float(economy.technology[0]) * mean_freeness(decay, radius, cells)
    return float(economy.amenity[0] * level ** (1 / economy.trade_elasticity))


def wave_eigenvalue(
    economy: TradeEconomy, decay: float, radius: float, mode: int, cells: int | None = None
) -> float:
    r"""Return λ_k, the change of the real wage with the density, for a wave of mode n.

    .. math:: \lambda_k = \bar V \left\{ \frac{c(\sigma-1+\sigma\kappa) - (\sigma-1)(1-\kappa)}
              {(\sigma-1)(\sigma + (\sigma-1)\kappa)} - \beta \right\}

    Positive for Krugman, negative for Armington without spillover. The parameters are those of
    `freeness_share`; on a grid it is exact for the grid.
    """
    share, theta = freeness_share(decay, radius, mode, cells), economy.trade_elasticity
    c, sigma = economy.density_exponent, theta + 1
    gain = (c * (theta + sigma * share) - theta * (1 - share)) / (theta * (sigma + theta * share))
    return uniform_real_wage(economy, decay, radius, cells) * (gain - economy.congestion)


def squared_wavenumber(mode: int, radius: float, cells: int | None = None) -> float:
    """Return k² = (n/R)², or 4 sin²(kh/2)/h² on a grid, the second difference's eigenvalue."""
    if cells is None:
        return (mode / radius) ** 2
    step = 2 * math.pi * radius / cells
    return 4 * math.sin(mode * step / (2 * radius)) ** 2 / step**2


# --- the linearised game -----------------------------------------------------------------------


@dataclass(frozen=True)
class LinearGame:
    """One wave of the linearised game."""

    eigenvalue: float
    """λ, of `wave_eigenvalue`."""
    squared_wavenumber: float
    """k²."""
    noise: float
    """ν ≥ 0."""
    discount: float
    """ρ > 0."""
    moving_cost: float
    """c0 > 0."""
    horizon: float = math.inf
    """T; infinity for the infinite horizon."""
    amplitude: float = 1.0
    """δ."""

    @property
    def pull(self) -> float:
        """The number q = νk² + ρ/2."""
        return self.noise * self.squared_wavenumber + self.discount / 2

    @property
    def discriminant(self) -> float:
        """D = q² − λk²/c0; where it is negative the wave oscillates and long horizons have no path."""
        return self.pull**2 - self.eigenvalue * self.squared_wavenumber / self.moving_cost

    @property
    def critical_horizon(self) -> float:
        """T* = (π − arctan(Ω/q))/Ω with Ω = √−D: no linear path for T = T*; infinity if D ≥ 0."""
        if self.discriminant >= 0:
            return math.inf
        turn = math.sqrt(-self.discriminant)
        return (math.pi - math.atan2(turn, self.pull)) / turn

    @property
    def growth_rate(self) -> float:
        """The rate r₋ = ρ/2 − ω at which the wave grows over an infinite horizon; NaN if D < 0."""
        return self.discount / 2 - math.sqrt(self.discriminant) if self.discriminant >= 0 else math.nan

    @property
    def myopic_growth_rate(self) -> float:
        """The rate −νk² + λk²/(ρc0) at which the wave grows if the value is V/ρ."""
        gain = self.eigenvalue / (self.discount * self.moving_cost)
        return self.squared_wavenumber * (gain - self.noise)

    @property
    def game_threshold(self) -> float:
        """The moving cost λ/(ν(νk² + ρ)) below which the wave grows over an infinite horizon."""
        return self.eigenvalue / (self.noise * (self.noise * self.squared_wavenumber + self.discount))

    @property
    def myopic_threshold(self) -> float:
        """The moving cost λ/(νρ) below which the myopic wave grows."""
        return self.eigenvalue / (self.noise * self.discount)

    def density(self, time: ArrayLike) -> Vector:
        """Return a(t), of the shape of `time`; `ArithmeticError` if T = ∞ and D < 0: no path is bounded."""
        return self._paths(time)[0]

    def value(self, time: ArrayLike) -> Vector:
        """Return b(t), of the shape of `time`."""
        return self._paths(time)[1]

    def _paths(self, time: ArrayLike) -> tuple[Vector, Vector]:
        t = np.asarray(time, dtype=float)
        delta, rho, q, end = self.amplitude, self.discount, self.pull, self.horizon
        omega = cmath.sqrt(self.discriminant)
        if math.isinf(end):
            if self.discriminant < 0:
                raise ArithmeticError("no path over an infinite horizon: the discriminant is negative")
            a = delta * np.exp((rho / 2 - omega.real) * t)
            return a, self.eigenvalue * a / (q + omega.real)
        if abs(omega) * end < 1e-7:
            level = delta * np.exp(rho * t / 2) / (1 + q * end)
            return level * (1 + q * (end - t)), level * self.eigenvalue * (end - t)
        # numerator and denominator both divided by e^{ωT}/2, so that nothing overflows
        left = np.exp(-2 * omega * (end - t))
        whole = (omega + q) + (omega - q) * cmath.exp(-2 * omega * end)
        scale = delta * np.exp((rho / 2 - omega) * t) / whole
        wave, value = scale * ((omega + q) + (omega - q) * left), scale * self.eigenvalue * (1 - left)
        return np.asarray(wave.real), np.asarray(value.real)

    def concentration(self, time: ArrayLike) -> Vector:
        """Return H(t) = ∫ μ² dm = 1 + a²/2."""
        return 1 + self.density(time) ** 2 / 2

    def concentration_growth(self, time: ArrayLike) -> Vector:
        """Return H'(t)/2 = a a'/2."""
        a, b = self._paths(time)
        k2 = self.squared_wavenumber
        return a * (k2 / self.moving_cost * b - self.noise * k2 * a) / 2

    def forces(self, time: ArrayLike) -> dict[str, Vector]:
        r"""Return the four forces of H'/2: shocks, myopic, uncertainty, expectations.

        .. math:: F_1 = -\tfrac12 \nu k^2 a^2, \quad F_2 = \frac{k^2 \lambda a^2}{2\rho c_0}, \quad
                  F_3 = -\frac{\nu k^4 ab}{2\rho c_0}, \quad F_4 = \frac{k^2 a b'}{2\rho c_0}

        Bahlali, Boucekkine & Petit (2026), proposition "Decomposition of HHI evolution", for a wave; the
        sum is H'/2 identically.
        """
        a, b = self._paths(time)
        k2, nu, rho = self.squared_wavenumber, self.noise, self.discount
        scale = k2 / (2 * rho * self.moving_cost)
        change = (nu * k2 + rho) * b - self.eigenvalue * a
        return {
            "shocks": -nu * k2 * a**2 / 2,
            "myopic": scale * self.eigenvalue * a**2,
            "uncertainty": -scale * nu * k2 * a * b,
            "expectations": scale * a * change,
        }

    @property
    def expectations_turn(self) -> float:
        """The time at which expectations change from agglomerating to dispersing if λ > 0.

        T − artanh(2ω/ρ)/ω where the wave grows (ω < ρ/2), else −infinity: they never agglomerate; never
        defined for λ ≤ 0 (NaN), where they always agglomerate.
        """
        if self.eigenvalue <= 0:
            return math.nan
        if self.discriminant < 0:
            turn = math.sqrt(-self.discriminant)
            return self.horizon - math.atan(2 * turn / self.discount) / turn
        omega = math.sqrt(self.discriminant)
        if 2 * omega >= self.discount:
            return -math.inf
        if omega == 0.0:
            return self.horizon - 2 / self.discount
        return self.horizon - math.atanh(2 * omega / self.discount) / omega
