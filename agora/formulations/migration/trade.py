r"""Trade equilibrium for a given distribution of people: Krugman, Armington and Eaton–Kortum as arguments.

Locations x carry the base measure m (Σ m = 1), people the density μ with respect to it (∫ μ dm = 1). Iceberg
costs τ(o, d) ≥ 1 from origin to destination enter as K(o, d) = τ(o, d)^{1−σ}; the trade elasticity is σ − 1
(θ for Eaton–Kortum). With technology a = Ā^{σ−1} (T for Eaton–Kortum) and c = χ + α(σ−1), where χ = 1 for
Krugman's free entry and 0 for Armington and Eaton–Kortum:

.. math::
    G(d) = \int K(o, d)\, a(o) \mu(o)^c w(o)^{1-\sigma} dm(o), \qquad P = G^{1/(1-\sigma)}

    w(x)^\sigma \mu(x)^{1-c} = a(x) \int K(x, d)\, w(d) \mu(d) / G(d)\, dm(d), \qquad \int w \mu\, dm = 1

Source: Bahlali, Boucekkine & Petit (2026), slides, (1)–(2), with τ in the order of their price index (their
(1) has it transposed); Redding & Venables (2004) for the names of the four aggregates. The numéraire is
world income. One of the wage equations is redundant (Walras' law): a slack z added to every location's market
access makes the program square, and is zero at an equilibrium. It stands in linear rows, as world income does
(over ``income``, y = w μ), so that every nonlinear row knows its own location only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import ArrayLike
from pyomo.core.expr.numeric_expr import LinearExpression

from agora.formulations.migration.kernels import Entries, Kernel, add_kernel_product, start_kernel_product
from agora.numerics import damped_newton
from agora.typing import Vector

VARIETIES = {"krugman": 1.0, "armington": 0.0, "eaton-kortum": 0.0}
"""χ, the elasticity of a location's varieties to its people, by variant."""

SMALLEST = 1e-12
"""Lower bound of what must be positive."""


@dataclass(frozen=True, eq=False)
class TradeEconomy:
    """The numbers of a trade model on N locations; all dimensionless."""

    varieties: float
    """χ: 1 where firms enter in proportion to people (Krugman), 0 where each location makes its own good."""
    trade_elasticity: float
    """σ − 1 > 0, or θ."""
    technology: Vector
    """a = Ā^{σ−1}, or T, (N,)."""
    amenity: Vector
    """B̄, (N,)."""
    spillover: float = 0.0
    """α: productivity is Ā μ^α."""
    congestion: float = 0.0
    """β: amenity is B̄ μ^{−β}."""

    @property
    def density_exponent(self) -> float:
        """The elasticity c = χ + α(σ−1) of a location's supply to its people."""
        return self.varieties + self.spillover * self.trade_elasticity


def trade_economy(
    variant: str,
    elasticity: float,
    number: int,
    *,
    productivity: ArrayLike = 1.0,
    amenity: ArrayLike = 1.0,
    spillover: float = 0.0,
    congestion: float = 0.0,
) -> TradeEconomy:
    """Return the numbers of a variant: σ and Ā for Krugman and Armington, θ and T for Eaton–Kortum.

    `variant` is a key of `VARIETIES`, `elasticity` σ > 1 or θ > 0, `number` N; `productivity` Ā or T and
    `amenity` B̄ are > 0, one for all locations or one each (N,).
    """
    ricardian = variant == "eaton-kortum"
    trade_elasticity = elasticity if ricardian else elasticity - 1.0
    level = np.broadcast_to(np.asarray(productivity, dtype=float), (number,))
    return TradeEconomy(
        varieties=VARIETIES[variant],
        trade_elasticity=trade_elasticity,
        technology=level.copy() if ricardian else level**trade_elasticity,
        amenity=np.broadcast_to(np.asarray(amenity, dtype=float), (number,)).copy(),
        spillover=spillover,
        congestion=congestion,
    )


# --- algebra -----------------------------------------------------------------------------------


def add_trade_equilibrium(
    block: pyo.Block, economy: TradeEconomy, kernel: Kernel, density: Entries, wages: ArrayLike | None = None
) -> None:
    """Add wages, incomes and the four aggregates of a trade equilibrium: 6N + 1 variables and rows.

    Adds ``wage`` (w), ``income`` (y = w μ), ``supply_capacity`` (e), ``supplier_access`` (G),
    ``market_capacity`` (f), ``market_access`` (D), all indexed 0 … N − 1, and ``walras_slack`` (z). They
    start at what `wages` and the values of `density` imply.

    Parameters
    ----------
    block : Block
        An empty block, for instance one of each time step.
    economy : TradeEconomy
        N locations.
    kernel : Kernel
        K(o, d) = τ(o, d)^{1−σ}: rows origins, columns destinations.
    density : sequence of N variables or numbers
        μ, > 0; variables have values.
    wages : (N,) array, optional
        Where wages start; `first_wages` unless given. They are scaled to ∫ w μ dm = 1.
    """
    add_trade_variables(block, kernel.number)
    start_trade(block, economy, kernel, density, wages)
    add_supply_capacity(block, economy, density)
    add_income(block, density)
    add_market_capacity(block)
    access, capacity = list(block.supplier_access.values()), list(block.supply_capacity.values())
    add_kernel_product(kernel.transposed, block, capacity, access, "supplier_access_balance")
    access, capacity = list(block.market_access.values()), list(block.market_capacity.values())
    add_kernel_product(kernel, block, capacity, access, "market_access_balance", block.walras_slack)
    add_wage_balance(block, economy, density)
    add_income_normalisation(block, kernel.weights)


def add_trade_variables(block: pyo.Block, number: int) -> None:
    """Add the variables of a trade equilibrium on `number` locations, all positive."""
    block.locations = pyo.RangeSet(0, number - 1, doc="locations, in the order of the kernel")
    for name, doc in (
        ("wage", "w, in units of world income"),
        ("income", "y = w μ, income density"),
        ("supply_capacity", "e = a μ^c w^{1−σ}, what a location offers at its cost"),
        ("supplier_access", "G = P^{1−σ}, what a location can buy from"),
        ("market_capacity", "f = w μ / G, what a location spends at its competition"),
        ("market_access", "D, what a location can sell to"),
    ):
        block.add_component(name, pyo.Var(block.locations, bounds=(SMALLEST, None), doc=doc))
    block.walras_slack = pyo.Var(initialize=0.0, doc="z, zero at an equilibrium")


def start_trade(
    block: pyo.Block, economy: TradeEconomy, kernel: Kernel, density: Entries, wages: ArrayLike | None = None
) -> None:
    """Start the variables of a trade equilibrium, and its products' own, at what wages and density imply."""
    mu = np.array([float(pyo.value(people)) for people in density])
    w = first_wages(economy, kernel, mu) if wages is None else np.asarray(wages, dtype=float)
    w = w / float((kernel.weights * mu) @ w)
    supply = economy.technology * mu**economy.density_exponent * w**-economy.trade_elasticity
    access = kernel.transposed.apply(supply)
    market = w * mu / access
    for variable, start in (
        (block.wage, w),
        (block.income, w * mu),
        (block.supply_capacity, supply),
        (block.supplier_access, access),
        (block.market_capacity, market),
        (block.market_access, kernel.apply(market)),
    ):
        for entry, number in zip(variable.values(), start.tolist(), strict=True):
            entry.set_value(number, skip_validation=True)
    block.walras_slack.set_value(0.0)
    if block.component("market_access_balance") is not None:
        supplies, markets = list(block.supply_capacity.values()), list(block.market_capacity.values())
        start_kernel_product(kernel.transposed, block, supplies, "supplier_access_balance")
        start_kernel_product(kernel, block, markets, "market_access_balance")


def first_wages(economy: TradeEconomy, kernel: Kernel, density: Vector, steps: int = 10) -> Vector:
    r"""Return wages to start from: a few steps of the map whose fixed point is the equilibrium.

    .. math:: w \leftarrow \Lambda[w] = \frac{I[w]}{\int I[w] \mu\, dm}, \qquad
              I[w] = \bigl(a \mu^{c-1} D[w]\bigr)^{1/\sigma}

    Bahlali, Boucekkine & Petit (2026), the map of the existence proof. From wages of one IPOPT loses its
    way where the trade elasticity is high and locations differ much.
    """
    c, theta, backward = economy.density_exponent, economy.trade_elasticity, kernel.transposed
    w = np.ones(kernel.number)
    for _ in range(steps):
        access = backward.apply(economy.technology * density**c * w**-theta)
        w = economy.technology * density ** (c - 1.0) * kernel.apply(w * density / access)
        w = w ** (1.0 / (theta + 1.0))
        w = w / float((kernel.weights * density) @ w)
    return w


def add_supply_capacity(block: pyo.Block, economy: TradeEconomy, density: Entries) -> None:
    r"""Make a location offer more the more people it has and the less they cost.

    .. math:: e(x)\, w(x)^{\sigma-1} = a(x)\, \mu(x)^{c} \quad \text{for all } x
    """
    technology, c = economy.technology.tolist(), economy.density_exponent

    def rule(b: pyo.Block, x: int) -> Any:
        supplied = technology[x] * _power(density[x], c)
        return b.supply_capacity[x] * _power(b.wage[x], economy.trade_elasticity) == supplied

    block.supply_capacity_balance = pyo.Constraint(block.locations, rule=rule)


def add_income(block: pyo.Block, density: Entries) -> None:
    r"""Add what a location earns.

    .. math:: y(x) = w(x)\, \mu(x) \quad \text{for all } x
    """

    def rule(b: pyo.Block, x: int) -> Any:
        return b.income[x] == b.wage[x] * density[x]

    block.income_balance = pyo.Constraint(block.locations, rule=rule)


def add_market_capacity(block: pyo.Block) -> None:
    r"""Let a location spend its income where competition is weak.

    .. math:: f(x)\, G(x) = y(x) \quad \text{for all } x
    """

    def rule(b: pyo.Block, x: int) -> Any:
        return b.market_capacity[x] * b.supplier_access[x] == b.income[x]

    block.market_capacity_balance = pyo.Constraint(block.locations, rule=rule)


def add_wage_balance(block: pyo.Block, economy: TradeEconomy, density: Entries) -> None:
    r"""Equate what a location earns with what it sells: the wage equation, divided by μ^c.

    .. math:: w(x)^{\sigma} \mu(x)^{1-c} = a(x)\, D(x), \qquad D = K f + z \quad \text{for all } x

    Bahlali, Boucekkine & Petit (2026), (1), in the order of their price index. Weighted with
    μ^c w^{1−σ} and summed, both sides are world income plus ∫ e z dm, so that z = 0.
    """
    technology, c = economy.technology.tolist(), economy.density_exponent

    def rule(b: pyo.Block, x: int) -> Any:
        earned = _power(b.wage[x], economy.trade_elasticity + 1.0) * _power(density[x], 1.0 - c)
        return technology[x] * b.market_access[x] == earned

    block.wage_balance = pyo.Constraint(block.locations, rule=rule)


def add_income_normalisation(block: pyo.Block, weights: Vector) -> None:
    r"""Make world income the numéraire.

    .. math:: \int y\, dm = 1

    Bahlali, Boucekkine & Petit (2026), (2).
    """
    total = LinearExpression(linear_coefs=weights.tolist(), linear_vars=list(block.income.values()))
    block.income_normalisation = pyo.Constraint(expr=(total, 1.0))


def add_real_wage(block: pyo.Block, economy: TradeEconomy, density: Entries) -> None:
    r"""Add what a wage buys, with amenity: the expression ``real_wage``.

    .. math:: V(x) = \bar B(x)\, \mu(x)^{-\beta}\, w(x)\, G(x)^{1/(\sigma-1)} \quad \text{for all } x
    """
    amenity = economy.amenity.tolist()

    def rule(b: pyo.Block, x: int) -> Any:
        bought = b.wage[x] * b.supplier_access[x] ** (1.0 / economy.trade_elasticity)
        return amenity[x] * bought * _power(density[x], -economy.congestion)

    block.real_wage = pyo.Expression(block.locations, rule=rule, doc="V = B w / P")


def _power(base: Any, exponent: float) -> Any:
    """Return base^exponent without a power where the exponent is 0 or 1."""
    if abs(exponent) < 1e-15:
        return 1.0
    return base if abs(exponent - 1.0) < 1e-15 else base**exponent


# --- numbers -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class TradeState:
    """A trade equilibrium in numbers."""

    wage: Vector
    """w, (N,)."""
    supplier_access: Vector
    """G, (N,)."""
    real_wage: Vector
    """V, (N,)."""
    residual: float
    """Largest relative violation of a wage equation."""
    iterations: int
    """Newton steps."""


def solve_wages(
    economy: TradeEconomy,
    kernel: Kernel,
    density: Vector,
    start: Vector | None = None,
    tolerance: float = 1e-13,
) -> TradeState:
    """Return the trade equilibrium of a density by Newton's method in log wages, with dense matrices.

    The fast method for time integration, and an oracle for the program; steps are halved until the largest
    violation falls. `density` is μ > 0 with ∫ μ dm = 1, `start` the wages to start from, 1 unless given (N,).
    Raises `ArithmeticError` where 100 steps leave a relative violation of a wage equation above 100 ×
    `tolerance`; less is rounding.
    """
    freeness, weights = kernel.dense(), kernel.weights
    log_wage = np.zeros(len(density)) if start is None else np.log(start)

    def gaps(log_wage: Vector) -> Vector:
        return _wage_gap(economy, freeness, weights, density, log_wage)[0]

    def change(log_wage: Vector, gap: Vector) -> Vector:
        _, parts = _wage_gap(economy, freeness, weights, density, log_wage)
        income = weights * density * np.exp(log_wage)
        return _bordered_solve(parts.by_wage(economy), income / income.sum(), -gap)

    log_wage, worst, steps = damped_newton(gaps, change, log_wage, tolerance=tolerance)
    if not worst <= 100 * tolerance:  # less is rounding: as near as it gets
        raise ArithmeticError(f"wages not found: largest relative violation {worst:.3g}")
    wage = np.exp(log_wage)
    wage = wage / float((weights * density) @ wage)
    _, parts = _wage_gap(economy, freeness, weights, density, np.log(wage))
    value = wage * parts.access ** (1.0 / economy.trade_elasticity)
    real = economy.amenity * density**-economy.congestion * value
    return TradeState(wage, parts.access, real, worst, steps)


def real_wage_jacobian(
    economy: TradeEconomy, kernel: Kernel, density: Vector, state: TradeState | None = None
) -> Vector:
    r"""Return ∂V_x / ∂μ_y, (N, N), at a trade equilibrium, by the implicit function theorem.

    The derivative of V with respect to the measure, δV/δμ(x, y), is this divided by m(y). On directions
    with ∫ h dm = 0 it is what migration changes; world income stays the numéraire.
    """
    state = solve_wages(economy, kernel, density) if state is None else state
    freeness, weights, n = kernel.dense(), kernel.weights, len(density)
    _, parts = _wage_gap(economy, freeness, weights, density, np.log(state.wage))
    c, theta = economy.density_exponent, economy.trade_elasticity
    income = weights * density * state.wage
    by_density = (1.0 - c) * np.eye(n) - parts.sales @ (np.eye(n) - c * parts.purchases.T)
    wage_change = _bordered_solve(parts.by_wage(economy), income, -by_density, -income)
    access_change = parts.purchases.T @ (c * np.eye(n) - theta * wage_change)
    log_real = wage_change + access_change / theta - economy.congestion * np.eye(n)
    return state.real_wage[:, None] * log_real / density


@dataclass(frozen=True, eq=False)
class _Shares:
    """G, purchase shares π(o, d) (columns sum to one) and sales shares φ(o, d) (rows sum to one)."""

    access: Vector
    purchases: Vector
    sales: Vector

    def by_wage(self, economy: TradeEconomy) -> Vector:
        """Return the derivative of the wage gaps by log wages, (N, N); its rows sum to zero."""
        n, theta = len(self.access), economy.trade_elasticity
        return (theta + 1.0) * np.eye(n) - self.sales @ (np.eye(n) + theta * self.purchases.T)


def _wage_gap(
    economy: TradeEconomy, freeness: Vector, weights: Vector, density: Vector, log_wage: Vector
) -> tuple[Vector, _Shares]:
    """Return σ log w + (1 − c) log μ − log a − log D, and the shares of trade."""
    c, theta = economy.density_exponent, economy.trade_elasticity
    log_supply = np.log(economy.technology) + c * np.log(density) - theta * log_wage
    offered = freeness * (weights * np.exp(log_supply))[:, None]
    access = offered.sum(axis=0)
    bought = freeness * (weights * np.exp(log_wage) * density / access)
    market = bought.sum(axis=1)
    gap = (theta + 1.0) * log_wage + (1.0 - c) * np.log(density) - np.log(economy.technology) - np.log(market)
    return gap, _Shares(access, offered / access, bought / market[:, None])


def _bordered_solve(slope: Vector, income: Vector, right: Vector, level: Any = 0.0) -> Vector:
    """Solve slope · z − s = right, income · z = level: a scalar s absorbs Walras' redundant row."""
    n = len(slope)
    whole = np.zeros((n + 1, n + 1))
    whole[:n, :n], whole[:n, n], whole[n, :n] = slope, -1.0, income
    bottom = np.broadcast_to(np.asarray(level, dtype=float), right.shape[1:])[None, ...]
    return np.linalg.solve(whole, np.concatenate([right, bottom]))[:n]
