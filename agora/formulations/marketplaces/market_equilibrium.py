r"""A marketplace economy solved for given travel times, by its equilibrium conditions alone.

The envy-free Pareto optimum for fixed marketplaces is the competitive equilibrium with a fee (Berliant &
Konishi 2000, Theorem 3.1 and Corollary 3), and with bid rents in closed form
(`agora.formulations.marketplaces.preferences`) its conditions reduce to one equation a commodity and one for
the rent income. This is the fast method for searching over many structures; the declarative program of
`agora.formulations.marketplaces.envy_free` is its oracle.

Notation: site j makes commodity i(j); wage w_j = p_{i(j)}; full income Y_j = w_j (T − δ_j) + R − F with
the rent income R of a head's land and the fee F, the least cost of the set-up need.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize

from agora.formulations.marketplaces.preferences import CobbDouglas, ConstantElasticity, Preferences
from agora.numerics import damped_newton, reached
from agora.typing import Vector


@dataclass(frozen=True)
class Economy:
    """The parameters of a marketplace economy as arrays."""

    makes: NDArray[np.int_]
    """The commodity of each site, 0-based, (J,)."""
    shares: Vector
    """α_i, commodity shares of utility, (I,)."""
    leisure: float
    """α_ℓ."""
    land: float
    """α_L; all shares sum to one."""
    plots: Vector
    """Land of each site, per head, (J,)."""
    time: float
    """T, time of a head."""
    setup_shares: Vector
    """γ_i, shares of the set-up composite, summing to one, (I,)."""
    substitution: float | None = None
    """σ of CES preferences; Cobb–Douglas unless given."""

    @cached_property
    def preferences(self) -> Preferences:
        """What people like."""
        if self.substitution is None:
            return CobbDouglas(self.shares, self.leisure, self.land)
        return ConstantElasticity(self.shares, self.leisure, self.land, self.substitution)

    @cached_property
    def maker(self) -> Vector:
        """1 where a site (row) makes a commodity (column), else 0."""
        made: Vector = (self.makes[:, None] == np.arange(len(self.shares))).astype(np.float64)
        return made

    @cached_property
    def setup_log(self) -> float:
        """Σ γ log γ."""
        used = self.setup_shares[self.setup_shares > 0]
        return float((used * np.log(used)).sum())

    def setup_price(self, prices: Vector) -> float:
        """Return the least cost of one unit of the set-up composite, Π (p_i/γ_i)^{γ_i}."""
        return float(np.exp(self.setup_shares @ np.log(prices) - self.setup_log))


@dataclass(frozen=True)
class MarketEquilibrium:
    """An equilibrium for given travel times; prices with p_1 = 1."""

    utility: float
    """u, common to all; 0 if nobody can live."""
    prices: Vector
    """p_i, (I,)."""
    rent_income: float
    """R, per head."""
    fee: float
    """F, per head."""
    income: Vector
    """Y_j, (J,)."""
    population: Vector
    """m_j, (J,)."""


def largest_need(economy: Economy, travel: Vector) -> float:
    r"""Return the largest set-up need that can be met at all: all work, nobody consumes.

    .. math:: \max_m \prod_i \bigl(\sum_{j \text{ makes } i} (T - \delta_j) m_j\bigr)^{\gamma_i}
              = \prod_i (\gamma_i \max_{j \text{ makes } i} (T - \delta_j))^{\gamma_i}
    """
    total = 0.0
    for good, share in enumerate(economy.setup_shares):
        if share > 0:
            hours = float((economy.time - travel[economy.makes == good]).max(initial=0.0))
            if hours <= 0:
                return 0.0
            total += share * np.log(share * hours)
    return float(np.exp(total))


def solve_market(
    economy: Economy, travel: Vector, need: float, start: MarketEquilibrium | None = None
) -> MarketEquilibrium:
    """Return the equilibrium for travel times `travel` (J,) and a set-up need of `need` composites.

    Newton's method on the markets of commodities 2 … I and the rent income; where it fails, nested
    bracketing for two commodities.
    """
    if need >= largest_need(economy, travel):
        return _nobody(economy)
    goods = len(economy.shares)
    guess = np.zeros(goods)
    if start is not None and start.utility > 0:
        guess[:-1] = np.log(start.prices[1:])
        guess[-1] = start.rent_income
    else:
        guess[-1] = economy.land * economy.time / 2

    residual = partial(_residual, economy, travel, need)

    def step(unknown: Vector, left: Vector) -> Vector:
        slope = (residual(unknown + 1e-7 * np.eye(goods)) - left) / 1e-7
        move = np.asarray(np.linalg.solve(slope.T, -left), dtype=float)
        return move * min(1.0, 3.0 / max(float(np.abs(move[:-1]).max(initial=0.0)), 3.0))

    unknown, gap, _ = damped_newton(residual, step, guess, tolerance=1e-13, limit=60)
    if not gap < 1e-10:
        if goods != 2:
            return _by_descent(economy, travel, need)
        unknown = _bracketed(economy, travel, need)
    return _state(economy, travel, need, unknown)


def _nobody(economy: Economy) -> MarketEquilibrium:
    sites = len(economy.makes)
    return MarketEquilibrium(0.0, np.ones(len(economy.shares)), 0.0, 0.0, np.zeros(sites), np.zeros(sites))


def _state(economy: Economy, travel: Vector, need: float, unknown: Vector) -> MarketEquilibrium:
    prices, fee, income, population, utility = _evaluate(economy, travel, need, unknown)
    return MarketEquilibrium(float(utility), prices, float(unknown[-1]), float(fee), income, population)


def _evaluate(
    economy: Economy, travel: Vector, need: float, unknown: Vector
) -> tuple[Vector, Vector, Vector, Vector, Vector]:
    """Return prices, fee, income, population, utility for log prices and rent income, shape (…, I)."""
    logs = np.concatenate([np.zeros((*unknown.shape[:-1], 1)), unknown[..., :-1]], axis=-1)
    logs = np.clip(logs, -50.0, 50.0)
    prices = np.exp(logs)
    wages = prices[..., economy.makes]
    fee = need * np.exp(logs @ economy.setup_shares - economy.setup_log)
    income = wages * (economy.time - travel) + (unknown[..., -1] - fee)[..., None]
    utility, people = economy.preferences.one_head(prices, wages, income, economy.plots)
    return prices, fee, income, people, utility


def _residual(economy: Economy, travel: Vector, need: float, unknown: Vector) -> Vector:
    """Return excess demands for commodities 2 … I (in units) and the excess of rents over rent income.

    Shape (…, I), like `unknown`.
    """
    prices, fee, income, people, utility = _evaluate(economy, travel, need, unknown)
    wages, level = prices[..., economy.makes], np.maximum(utility, 1e-300)
    goods, leisure = economy.preferences.other_shares(prices, wages, income, level)
    land = economy.preferences.land_shares(prices, wages, income, level)
    spent = np.maximum(income, 0.0) * people
    produced = wages * (economy.time - travel) * people - leisure * spent
    eaten = (goods * spent[..., None]).sum(axis=-2)
    excess = eaten + economy.setup_shares * fee[..., None] - produced @ economy.maker
    rents = (land * spent).sum(axis=-1) - unknown[..., -1]
    residual = np.concatenate([(excess / prices)[..., 1:], rents[..., None]], axis=-1)
    return np.where(utility[..., None] > 0, residual, np.inf)


def _with_rents(economy: Economy, travel: Vector, need: float, logs: Vector) -> Vector:
    """Return log prices and, after them, the rent income that these prices imply."""
    prices = np.exp(np.concatenate([[0.0], logs]))
    own = float((prices[economy.makes] * (economy.time - travel)).max()) - need * economy.setup_price(prices)
    low = max(0.0, -own) * (1 + 1e-12) + 1e-14
    high = economy.land * max(own, 1e-12) / (1 - economy.land) + 2 * low

    def excess(rents: float) -> float:
        return float(_residual(economy, travel, need, np.append(logs, rents))[-1])

    high = reached(lambda rents: excess(rents) <= 0, high * 4.0 ** np.arange(60))
    return np.append(logs, brentq(excess, low, high, xtol=1e-15))


def _bracketed(economy: Economy, travel: Vector, need: float) -> Vector:
    """Solve two commodities by bracketing the price, and within it the rent income."""

    def excess(log_price: float) -> float:
        unknown = _with_rents(economy, travel, need, np.array([log_price]))
        return float(_residual(economy, travel, need, unknown)[0])

    low = reached(lambda log_price: excess(log_price) >= 0, -(2.0 ** np.arange(7)))
    high = reached(lambda log_price: excess(log_price) <= 0, 2.0 ** np.arange(7))
    return _with_rents(economy, travel, need, np.array([brentq(excess, low, high, xtol=1e-15)]))


def _by_descent(economy: Economy, travel: Vector, need: float) -> MarketEquilibrium:
    """Minimise over prices the utility that they allow: quasi-convex, least in equilibrium."""

    def state(logs: Vector) -> MarketEquilibrium:
        return _state(economy, travel, need, _with_rents(economy, travel, need, logs))

    def allowed(logs: Vector) -> float:
        return float(np.log(state(logs).utility))

    options = {"xatol": 1e-12, "fatol": 1e-15, "maxiter": 20000}
    start = np.zeros(len(economy.shares) - 1)
    return state(minimize(allowed, start, method="Nelder-Mead", options=options).x)


# --- bounds ---------------------------------------------------------------------------------------


def head_price(economy: Economy, at: MarketEquilibrium, utility: float) -> float:
    r"""Return the μ at which, at the prices of `at`, exactly one head wants to live at `utility`.

    The Lagrangian bound holds for any μ; this one makes it least at the travel times of `at`, as the
    value of all sites and μ is convex in μ.
    """
    wages = at.prices[economy.makes]
    own = at.income + at.fee - at.rent_income
    return economy.preferences.head_price(at.prices, wages, own, utility, economy.plots)


def site_values(economy: Economy, prices: Vector, utility: float, travel: Vector, head: float) -> Vector:
    r"""Return the value of each site at given prices when everybody must reach `utility`, (…, J).

    .. math:: \phi_j(\delta) = \max_{m \ge 0} \; (w_j (T - \delta) - \mu) m - B_j(u m) = b_j r_j

    Production less consumption, leisure and the price μ (`head`) of a head: the rent of the site's land, as
    nobody profits, with B_j the least cost of goods and leisure on the site's land. Convex and falling in δ.
    `travel` may have any leading shape.
    """
    wages = prices[economy.makes]
    margin = wages * (economy.time - travel) - head
    return economy.plots * economy.preferences.bid_rent(prices, wages, margin, utility)


def slack(
    economy: Economy,
    at: MarketEquilibrium,
    utility: float,
    travel: Vector,
    need: Vector | float,
    head: float | None = None,
) -> Vector:
    r"""Return Σ φ_j(δ_j) + μ − F(d), shape (…): negative means that `utility` cannot be reached.

    An allocation with utility u exists for travel δ and need F(d) only if the sum is ≥ 0: the Lagrangian
    bound with φ_j from `site_values`, valid at any prices and any μ (`head`; by default that of `at`, F − R).
    `travel` may have any leading shape (…, J).
    """
    if head is None:
        head = at.fee - at.rent_income
    value = site_values(economy, at.prices, utility, travel, head)
    left: Vector = value.sum(axis=-1) + head - np.asarray(need) * economy.setup_price(at.prices)
    return left


def add_median_choice(block: pyo.Block, value: Vector, number: int) -> None:
    r"""Open at most k locations and let each site use one: the linear relaxation, as the objective.

    .. math:: \max \sum_{cj} \phi_{cj} x_{cj} \;\text{ s.t. }\; \sum_c x_{cj} = 1, \quad
              x_{cj} \le y_c, \quad \sum_c y_c \le k, \quad x, y \ge 0

    `value` is φ (C, J). Multipliers: v_j of a site's row (``use_balance``), the least it must offer a
    location to count for it; η ≥ 0 of ``number_limit``, the value of one more location. Their dual,
    Σ v_j + k max_c Σ_j (φ_cj − v_j)^+, is a bound for any v.
    """
    locations, sites = value.shape
    block.locations, block.sites = pyo.RangeSet(0, locations - 1), pyo.RangeSet(0, sites - 1)
    block.use = pyo.Var(block.locations, block.sites, bounds=(0.0, None), doc="x_cj")
    block.opened = pyo.Var(block.locations, bounds=(0.0, None), doc="y_c")

    def use_rule(b: pyo.Block, site: int) -> Any:
        return pyo.quicksum(b.use[location, site] for location in b.locations) == 1.0

    def open_rule(b: pyo.Block, location: int, site: int) -> Any:
        return (None, b.use[location, site] - b.opened[location], 0.0)

    block.use_balance = pyo.Constraint(block.sites, rule=use_rule)
    block.open_limit = pyo.Constraint(block.locations, block.sites, rule=open_rule)
    block.number_limit = pyo.Constraint(expr=(None, pyo.quicksum(block.opened.values()), float(number)))
    values = value.tolist()
    block.total_value = pyo.Objective(
        expr=pyo.quicksum(values[c][j] * block.use[c, j] for c in block.locations for j in block.sites),
        sense=pyo.maximize,
    )
