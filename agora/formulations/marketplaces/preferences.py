r"""Utilities that are homogeneous of degree one, seen through bid rents.

At prices p and a wage w_j a unit of utility costs e_j(r) where rent is r. Somebody with income Y_j who
reaches u can bid the rent r_j that solves u e_j(r_j) = Y_j, and land clears if b_j units of it, at this
rent, are what m_j people spend their share for land on. So population, budgets and the value of a site
follow from the bid rent, in closed form for Cobb–Douglas and for CES.

Arrays end in sites (…, J); `prices` in commodities (…, I); `income` is per head, in the numéraire.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy.optimize import brentq

from agora.numerics import falling_roots, reached
from agora.typing import Vector


class Preferences(Protocol):
    """What the equilibrium of a market depends on in a utility."""

    @property
    def elasticity(self) -> float:
        """Most by which log u must rise for the value of every site to fall by one in logs."""

    def bid_rent(self, prices: Vector, wages: Vector, income: Vector, utility: Vector | float) -> Vector:
        """Return r_j with u e_j(r_j) = Y_j: 0 without income, infinite where no rent is high enough."""

    def land_shares(self, prices: Vector, wages: Vector, income: Vector, utility: Vector | float) -> Vector:
        """Return the share of income spent on land, to be broadcast to (…, J)."""

    def other_shares(
        self, prices: Vector, wages: Vector, income: Vector, utility: Vector | float
    ) -> tuple[Vector, Vector]:
        """Return the shares spent on commodities and leisure, to be broadcast to (…, J, I) and (…, J)."""

    def one_head(self, prices: Vector, wages: Vector, income: Vector, plots: Vector) -> tuple[Vector, Vector]:
        """Return the u at which one head lives at all sites together (…), and who lives where (…, J)."""

    def utility_for_land_value(
        self, prices: Vector, wages: Vector, income: Vector, plots: Vector, value: float
    ) -> float:
        """Return the u at which all land bids Σ b_j r_j = `value` > 0 together."""

    def head_price(self, prices: Vector, wages: Vector, own: Vector, utility: float, plots: Vector) -> float:
        """Return the μ at which one head lives at all sites together, with incomes `own` − μ."""


def population(
    tastes: Preferences, prices: Vector, wages: Vector, income: Vector, utility: Vector | float, plots: Vector
) -> Vector:
    r"""Return the people whose spending on land pays its bid rent.

    .. math:: m_j = b_j r_j / (s_{Lj} Y_j) \quad \text{for all } j
    """
    rent = tastes.bid_rent(prices, wages, income, utility)
    spent = tastes.land_shares(prices, wages, income, utility) * np.maximum(income, 1e-300)
    living = (income > 0) & (rent > 0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        people: Vector = np.where(living, plots * rent / np.where(living, spent, 1.0), 0.0)
    return people


@dataclass(frozen=True)
class CobbDouglas:
    """Π c_i^{α_i} · leisure^{α_ℓ} · land^{α_L}, exponents summing to one."""

    commodities: Vector
    leisure: float
    land: float

    @property
    def elasticity(self) -> float:
        """α_L: bid rents are proportional to u^{−1/α_L}."""
        return self.land

    @cached_property
    def _log_scale(self) -> float:
        """Σ α log α over all exponents."""
        every = np.array([*self.commodities, self.leisure, self.land])
        return float((every[every > 0] * np.log(every[every > 0])).sum())

    def _log_other_cost(self, prices: Vector, wages: Vector) -> Vector:
        """Return log e_j(r) without its factor r^{α_L} (…, J)."""
        return (np.log(prices) @ self.commodities)[..., None] + self.leisure * np.log(wages) - self._log_scale

    def _log_unit_rent(self, prices: Vector, wages: Vector, income: Vector) -> Vector:
        """Return the log of the bid rent for u = 1; −∞ without income."""
        with np.errstate(divide="ignore"):
            rent: Vector = (np.log(np.maximum(income, 0.0)) - self._log_other_cost(prices, wages)) / self.land
        return rent

    def bid_rent(self, prices: Vector, wages: Vector, income: Vector, utility: Vector | float) -> Vector:
        """Return r_j = (Y_j / u K_j)^{1/α_L}."""
        level = np.asarray(np.log(utility))[..., None] / self.land
        return np.exp(np.minimum(self._log_unit_rent(prices, wages, income) - level, 700.0))

    def land_shares(self, prices: Vector, wages: Vector, income: Vector, utility: Vector | float) -> Vector:
        """Return α_L everywhere."""
        return np.array(self.land)

    def other_shares(
        self, prices: Vector, wages: Vector, income: Vector, utility: Vector | float
    ) -> tuple[Vector, Vector]:
        """Return α_i and α_ℓ everywhere."""
        return self.commodities, np.array(self.leisure)

    def one_head(self, prices: Vector, wages: Vector, income: Vector, plots: Vector) -> tuple[Vector, Vector]:
        """Return u = (Σ b_j r_j(1) / α_L Y_j)^{α_L}, 0 without any income, and m_j in these proportions."""
        power = 1 / self.land - 1
        bids = plots * np.maximum(income, 1e-300) ** power * wages ** (-self.leisure / self.land)
        weight = np.where(income > 0, bids, 0.0)
        total = weight.sum(axis=-1)
        some = np.maximum(total, 1e-300)
        level = self._log_scale - np.log(prices) @ self.commodities - self.land * np.log(self.land)
        utility: Vector = np.where(total > 1e-290, np.exp(level) * some**self.land, 0.0)
        return utility, weight / some[..., None]

    def utility_for_land_value(
        self, prices: Vector, wages: Vector, income: Vector, plots: Vector, value: float
    ) -> float:
        """Return u = (Σ b_j r_j(1) / value)^{α_L}."""
        return float(((plots * self.bid_rent(prices, wages, income, 1.0)).sum(axis=-1) / value) ** self.land)

    def head_price(self, prices: Vector, wages: Vector, own: Vector, utility: float, plots: Vector) -> float:
        """Return μ, the root of the falling Σ m_j(μ) − 1."""
        power = 1 / self.land - 1
        logs = np.log(plots / self.land) - (self._log_other_cost(prices, wages) + np.log(utility)) / self.land
        alone = np.exp(-logs / power)  # own − μ where one head wants to live at the site
        low = float((own - alone * (1 + 1e-9)).max())

        def excess(head: float) -> float:
            with np.errstate(divide="ignore"):
                return float(np.exp(logs + power * np.log(np.maximum(own - head, 0.0))).sum()) - 1

        return float(brentq(excess, low, float(own.max()), xtol=1e-15))


@dataclass(frozen=True)
class ConstantElasticity:
    r"""CES with substitution σ ≠ 1: (Σ α_i c_i^ρ + α_ℓ leisure^ρ + α_L land^ρ)^{1/ρ}, ρ = (σ − 1)/σ.

    .. math:: e_j(r)^{1-\sigma} = A_j + \alpha_L^\sigma r^{1-\sigma}, \quad
              A_j = \sum_i \alpha_i^\sigma p_i^{1-\sigma} + \alpha_\ell^\sigma w_j^{1-\sigma}

    With σ > 1 people can do without land: e_j is bounded above, and to an income beyond u times the bound
    every rent is too low.
    """

    commodities: Vector
    leisure: float
    land: float
    substitution: float

    @property
    def elasticity(self) -> float:
        """1: land takes no more than all income, so that bid rents fall faster than u rises."""
        return 1.0

    def _parts(self, prices: Vector, wages: Vector) -> tuple[Vector, Vector]:
        """Return α_i^σ p_i^{1−σ} (…, I) and α_ℓ^σ w_j^{1−σ} (…, J)."""
        goods: Vector = self.commodities**self.substitution * prices ** (1 - self.substitution)
        leisure: Vector = self.leisure**self.substitution * wages ** (1 - self.substitution)
        return goods, leisure

    def _costs(
        self, prices: Vector, wages: Vector, income: Vector, utility: Vector | float
    ) -> tuple[Vector, Vector]:
        """Return (Y_j/u)^{1−σ}, and what of it is land's, ≤ 0 where no rent makes both sides equal."""
        goods, leisure = self._parts(prices, wages)
        level = np.log(np.maximum(income, 1e-300)) - np.asarray(np.log(utility))[..., None]
        whole = np.exp(np.clip((1 - self.substitution) * level, -700.0, 700.0))
        return whole, whole - goods.sum(axis=-1)[..., None] - leisure

    def bid_rent(self, prices: Vector, wages: Vector, income: Vector, utility: Vector | float) -> Vector:
        """Return r_j = ((Y_j/u)^{1−σ} − A_j)^{1/(1−σ)} α_L^{−σ/(1−σ)}."""
        _, left = self._costs(prices, wages, income, utility)
        return self._rent(left, income)

    def _rent(self, left: Vector, income: Vector) -> Vector:
        """Return r_j from land's part of (Y_j/u)^{1−σ}."""
        power = 1 / (1 - self.substitution)
        logs = power * (np.log(np.maximum(left, 1e-300)) - self.substitution * np.log(self.land))
        none = 0.0 if self.substitution < 1 else np.inf
        rent = np.where(left > 0, np.exp(np.clip(logs, -700.0, 700.0)), none)
        return np.where(income > 0, rent, 0.0)

    def land_shares(self, prices: Vector, wages: Vector, income: Vector, utility: Vector | float) -> Vector:
        """Return α_L^σ (r_j/e_j)^{1−σ}."""
        whole, left = self._costs(prices, wages, income, utility)
        return np.clip(left / whole, 1e-300, 1.0)

    def other_shares(
        self, prices: Vector, wages: Vector, income: Vector, utility: Vector | float
    ) -> tuple[Vector, Vector]:
        """Return α_i^σ (p_i/e_j)^{1−σ} and α_ℓ^σ (w_j/e_j)^{1−σ}."""
        goods, leisure = self._parts(prices, wages)
        whole, _ = self._costs(prices, wages, income, utility)
        return goods[..., None, :] / whole[..., None], leisure / whole

    def _bids(
        self, prices: Vector, wages: Vector, income: Vector, logs: Vector, plots: Vector
    ) -> tuple[Vector, Vector, Vector]:
        r"""Return m_j, b_j r_j and s_Lj at log u (…), all (…, J).

        .. math:: \frac{\partial \log m_j}{\partial \log u} = \sigma - 1 - \frac{\sigma}{s_{Lj}}, \quad
                  \frac{\partial \log r_j}{\partial \log u} = -\frac{1}{s_{Lj}}, \quad
                  \frac{\partial \log m_j}{\partial \log Y_j} = \sigma \Bigl(\frac{1}{s_{Lj}} - 1\Bigr)
        """
        whole, left = self._costs(prices, wages, income, np.exp(logs))
        value = plots * self._rent(left, income)
        share = np.clip(left / whole, 1e-300, 1.0)
        living = (income > 0) & (value > 0)
        spent = np.where(living, share * np.maximum(income, 1e-300), 1.0)
        with np.errstate(over="ignore"):
            people: Vector = np.where(living, value / spent, 0.0)
        return people, value, share

    def one_head(self, prices: Vector, wages: Vector, income: Vector, plots: Vector) -> tuple[Vector, Vector]:
        """Return the root of the falling Σ m_j(u) − 1 by Newton's method in logs, and m_j."""
        goods, leisure = self._parts(prices, wages)
        cost = np.log(goods.sum(axis=-1)[..., None] + leisure) / (1 - self.substitution)
        most = np.where(income > 0, np.log(np.maximum(income, 1e-300)) - cost, -np.inf).max(axis=-1)
        some = np.isfinite(most)
        edge = np.where(some, most, 0.0)
        below, above = edge - 60.0, edge
        if self.substitution > 1:  # everybody could do without land: that much is reached at least
            below, above = edge, edge + 60.0

        def heads(logs: Vector) -> tuple[Vector, Vector]:
            people, _, share = self._bids(prices, wages, income, logs, plots)
            some = np.where(people > 0, share, 1.0)
            slope = people * (self.substitution - 1 - self.substitution / some)
            return _in_logs(people.sum(axis=-1), slope.sum(axis=-1))

        logs = falling_roots(heads, below, above, edge + np.where(self.substitution < 1, -0.5, 0.5))
        people, _, _ = self._bids(prices, wages, income, logs, plots)
        utility: Vector = np.where(some, np.exp(logs), 0.0)
        return utility, np.where(some[..., None], people, 0.0)

    def utility_for_land_value(
        self, prices: Vector, wages: Vector, income: Vector, plots: Vector, value: float
    ) -> float:
        """Return the root of the falling Σ b_j r_j(u) − value by Newton's method in logs."""

        def excess(logs: Vector) -> tuple[Vector, Vector]:
            _, rents, share = self._bids(prices, wages, income, logs, plots)
            slope = -(rents / np.where(rents > 0, share, 1.0)).sum(axis=-1)
            return _in_logs(rents.sum(axis=-1) / value, slope / value)

        low, high = np.array(-60.0), np.array(60.0)
        return float(np.exp(falling_roots(excess, low, high, np.zeros(()))))

    def head_price(self, prices: Vector, wages: Vector, own: Vector, utility: float, plots: Vector) -> float:
        """Return μ, the root of the falling Σ m_j(μ) − 1, by Newton's method in logs."""
        level = np.log(np.asarray(utility))

        def excess(head: Vector) -> tuple[Vector, Vector]:
            income = own - head
            people, _, share = self._bids(prices, wages, income, level, plots)
            some = people > 0
            ease = self.substitution * (1 / np.where(some, share, 1.0) - 1)
            slope = -(people * ease / np.where(some, income, 1.0)).sum(axis=-1)
            return _in_logs(people.sum(axis=-1), slope)

        high = own.max()
        low = reached(lambda head: bool(excess(np.array(head))[0] >= 0), high - 4.0 ** np.arange(21))
        return float(falling_roots(excess, np.array(low), high, np.array(low)))


def _in_logs(value: Vector, slope: Vector) -> tuple[Vector, Vector]:
    """Return log(value) and its slope; nothing counts as 1e-300."""
    some = np.clip(value, 1e-300, 1e300)
    with np.errstate(over="ignore", invalid="ignore"):
        logs_slope = np.where(value == some, slope / some, -1.0)
    return np.log(some), logs_slope
