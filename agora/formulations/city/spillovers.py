r"""Technological externalities: production levels A(m), their potential f(m), and tests of both.

A potential f with ∇f = A exists iff ∇A is symmetric (externality symmetry, Osawa & Akamatsu 2019,
Assumption 1 (ii)); f is convex along the distributions of firms iff ∇A is positive semidefinite on
the tangent space {ε : Σ ε_i = 0} (Assumption 1 (i)).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.core.expr.calculus.derivatives import Modes, differentiate
from pyomo.core.expr.numeric_expr import LinearExpression
from scipy.linalg import eigh

from agora.data.checks import InputError
from agora.data.city import (
    ExponentialDecay,
    Externality,
    InteractionMatrix,
    ProductionFunction,
    WithinCellPower,
)
from agora.data.geographies import CellNetwork
from agora.formulations.city.network_kernels import LARGEST_DENSE, KernelProduct, kernel_product
from agora.typing import Vector


def exponential_kernel(distances: Vector, decay: float) -> Vector:
    r"""Return D, d_ij = e^{-τ ℓ_ij} (I × I, dimensionless). Osawa & Akamatsu (2019), Assumption 2."""
    return np.exp(-decay * distances)


@dataclass(frozen=True)
class Interaction:
    """The numbers of an externality on a network, for methods that evaluate it many times."""

    level: Callable[[Vector], Vector]
    """m (I,) → A(m) (I,), production level per firm in the numéraire."""
    potential: Callable[[Vector], float]
    """m (I,) → f(m), with gradient A(m) where the Jacobian is symmetric."""
    jacobian: Callable[[Vector], Vector]
    """m (I,) → ∇A(m) (I × I)."""
    linear: bool
    """Whether ∇A is the same everywhere, as the externality says."""
    product: KernelProduct | None = None
    """How A = D m is computed where D is too large to hold; ∇A is then symmetric, and `jacobian` refuses."""


# --- algebra -----------------------------------------------------------------------------------


@singledispatch
def add_production(externality: Externality, block: pyo.Block, network: CellNetwork) -> None:
    """Add ``production_level[i]`` = A_i(m) and ``production_potential`` = f(m) to `block`.

    Dispatches on the class of the externality; `block` has ``cells`` and ``firms``.
    """
    raise _unregistered(externality, "add_production")


@add_production.register
def _(externality: ExponentialDecay, block: pyo.Block, network: CellNetwork) -> None:
    if network.number > LARGEST_DENSE:
        raise _too_large(network)
    add_production_linear(block, exponential_kernel(network.distances, externality.decay))


@add_production.register
def _(externality: InteractionMatrix, block: pyo.Block, network: CellNetwork) -> None:
    add_production_linear(block, matrix_kernel(externality, network))


@add_production.register
def _(externality: WithinCellPower, block: pyo.Block, network: CellNetwork) -> None:
    add_production_within_cell(block, externality.exponent)


@add_production.register
def _(externality: ProductionFunction, block: pyo.Block, network: CellNetwork) -> None:
    add_production_function(block, externality)


def add_production_linear(block: pyo.Block, kernel: Vector) -> None:
    r"""Make production levels linear in the distribution of firms.

    .. math:: A_i = \sum_j d_{ij} m_j \quad \text{for all } i, \qquad f = \tfrac12 \sum_i A_i m_i

    Osawa & Akamatsu (2019), Assumption 2 and (4.10). The levels are variables of their own, so that
    the dense kernel stands in linear rows only; they start at the values the firms' start implies.
    """
    firms = list(block.firms.values())
    masses = np.array([pyo.value(mass) for mass in firms])
    start = dict(zip(block.cells, (kernel @ masses).tolist(), strict=True))
    block.production_level = pyo.Var(block.cells, initialize=start, doc="A_i, production per firm")
    levels = list(block.production_level.values())
    block.production_balance = pyo.Constraint(block.cells, doc="A_i is what the firms around i give")
    for cell, level, row in zip(block.cells, levels, (-kernel).tolist(), strict=True):
        body = LinearExpression(linear_coefs=[1.0, *row], linear_vars=[level, *firms])
        block.production_balance[cell] = (body, 0.0)
    produced = pyo.quicksum(level * mass for level, mass in zip(levels, firms, strict=True))
    block.production_potential = pyo.Expression(expr=0.5 * produced, doc="f(m)")


def add_production_within_cell(block: pyo.Block, exponent: float) -> None:
    r"""Let production levels depend on the firms of the same cell only.

    .. math:: A_i = m_i^{\alpha} \quad \text{for all } i, \qquad
              f = \sum_i \frac{m_i^{1+\alpha}}{1+\alpha}

    Osawa & Akamatsu (2019), Example 1.
    """

    def level_rule(b: pyo.Block, *cell: Any) -> Any:
        return b.firms[cell] ** exponent

    block.production_level = pyo.Expression(block.cells, rule=level_rule, doc="A_i, production per firm")
    powers = pyo.quicksum(mass ** (1 + exponent) for mass in block.firms.values())
    block.production_potential = pyo.Expression(expr=powers / (1 + exponent), doc="f(m)")


def add_production_function(block: pyo.Block, externality: ProductionFunction) -> None:
    r"""Take production levels and their potential from a function of the user.

    .. math:: f(m) = \int_0^1 A(sm) \cdot m \, ds

    Osawa & Akamatsu (2019), (3.11), by Gauss–Legendre quadrature with 16 nodes unless the user
    gives f.
    """
    firms = list(block.firms.values())
    levels = dict(zip(block.cells, externality.function(firms), strict=True))
    block.production_level = pyo.Expression(block.cells, initialize=levels, doc="A_i, production per firm")
    block.production_potential = pyo.Expression(expr=_line_integral(externality, firms), doc="f(m)")


# --- numbers -----------------------------------------------------------------------------------


@singledispatch
def interaction(externality: Externality, network: CellNetwork) -> Interaction:
    """Return the numbers of an externality on a network."""
    raise _unregistered(externality, "interaction")


@interaction.register
def _(externality: ExponentialDecay, network: CellNetwork) -> Interaction:
    if network.number > LARGEST_DENSE:
        return _product(kernel_product(network, externality.decay), network)
    return _linear(exponential_kernel(network.distances, externality.decay))


@interaction.register
def _(externality: InteractionMatrix, network: CellNetwork) -> Interaction:
    return _linear(matrix_kernel(externality, network))


@interaction.register
def _(externality: WithinCellPower, network: CellNetwork) -> Interaction:
    alpha = externality.exponent

    def jacobian(m: Vector) -> Vector:
        with np.errstate(divide="ignore"):
            return np.diag(alpha * np.maximum(m, 0.0) ** (alpha - 1))

    return Interaction(
        level=lambda m: np.maximum(m, 0.0) ** alpha,
        potential=lambda m: float((np.maximum(m, 0.0) ** (1 + alpha)).sum() / (1 + alpha)),
        jacobian=jacobian,
        linear=externality.is_linear,
    )


@interaction.register
def _(externality: ProductionFunction, network: CellNetwork) -> Interaction:
    scratch = pyo.ConcreteModel()
    scratch.m = pyo.Var(range(network.number), initialize=1.0)
    variables = list(scratch.m.values())
    levels = [level + 0.0 * variables[0] for level in externality.function(variables)]
    if len(levels) != network.number:
        raise InputError(
            "externality.function", f"{len(levels)} levels", f"one level a cell, {network.number}"
        )

    def jacobian(m: Vector) -> Vector:
        for variable, mass in zip(variables, m.tolist(), strict=True):
            variable.set_value(mass)
        rows = [differentiate(level, wrt_list=variables, mode=Modes.reverse_numeric) for level in levels]
        return np.array(rows, dtype=float)

    return Interaction(
        level=lambda m: np.array([float(level) for level in externality.function(m.tolist())]),
        potential=lambda m: float(_line_integral(externality, m.tolist())),
        jacobian=jacobian,
        linear=externality.is_linear,
    )


def matrix_kernel(externality: InteractionMatrix, network: CellNetwork) -> Vector:
    """Return D of an `InteractionMatrix`, checked to have one row a cell."""
    kernel = np.array(externality.values, dtype=float)
    if len(kernel) != network.number:
        raise InputError("externality.values", f"{len(kernel)} rows", f"one row a cell, {network.number}")
    return kernel


def _unregistered(externality: Externality, function: str) -> InputError:
    allowed = f"one that is known to {function} (a kind of one's own: @{function}.register)"
    return InputError("externality", externality, allowed)


def _linear(kernel: Vector) -> Interaction:
    return Interaction(
        level=lambda m: kernel @ m,
        potential=lambda m: float(0.5 * m @ kernel @ m),
        jacobian=lambda _: kernel,
        linear=True,
    )


def _product(product: KernelProduct, network: CellNetwork) -> Interaction:
    def jacobian(_: Vector) -> Vector:
        raise _too_large(network)

    return Interaction(
        level=product.apply,
        potential=lambda m: float(0.5 * m @ product.apply(m)),
        jacobian=jacobian,
        linear=True,
        product=product,
    )


def _too_large(network: CellNetwork) -> InputError:
    return InputError(
        "geography (number of cells)",
        network.number,
        f"at most {LARGEST_DENSE} where every pair of cells is held in memory; method = 'best-response' "
        "needs no pairs",
    )


def _line_integral(externality: ProductionFunction, firms: list[Any]) -> Any:
    if externality.potential is not None:
        return externality.potential(firms)
    nodes, weights = np.polynomial.legendre.leggauss(16)
    total: Any = 0.0
    for node, weight in zip(((nodes + 1) / 2).tolist(), (weights / 2).tolist(), strict=True):
        levels = externality.function([node * mass for mass in firms])
        total += weight * sum(level * mass for level, mass in zip(levels, firms, strict=True))
    return total


# --- tests of the assumptions ------------------------------------------------------------------


def check_symmetric(numbers: Interaction, network: CellNetwork, samples: list[Vector]) -> None:
    """Raise `InputError` unless ∇A is symmetric at every sample (Assumption 1 (ii)).

    The tolerance is 1e-9 of the largest entry of ∇A.
    """
    if numbers.product is not None:
        return
    for sample in samples[:1] if numbers.linear else samples:
        slope = numbers.jacobian(sample)
        gap = np.abs(slope - slope.T)
        if gap.max() > 1e-9 * max(np.abs(slope[np.isfinite(slope)]).max(initial=0.0), 1e-300):
            i, j = (int(k) for k in np.unravel_index(int(gap.argmax()), gap.shape))
            first, second = network.cells[i], network.cells[j]
            raise InputError(
                f"externality (∂A[{first}]/∂m[{second}], ∂A[{second}]/∂m[{first}])",
                (float(slope[i, j]), float(slope[j, i])),
                "a pair of equal numbers, since without symmetry no potential exists; "
                "such a city is solved with method = 'complementarity'",
            )


def smallest_tangent_eigenvalue(matrix: Vector) -> float:
    r"""Return min ε'Mε over ε with Σ ε_i = 0 and ‖ε‖ = 1: f is convex along M iff it is ≥ 0.

    Assumption 1 (i) of Osawa & Akamatsu (2019). Footnote 19 of the paper claims it for every
    exponential kernel; it fails on the complete bipartite graph K_{2,3} with unit edges.
    """
    symmetric = (matrix + matrix.T) / 2
    # Householder's reflection that takes (1, …, 1) to an axis: the rest are tangent directions
    mirror = np.full(len(symmetric), 1 / np.sqrt(len(symmetric)))
    mirror[0] += 1.0
    mirror /= np.linalg.norm(mirror)
    image = symmetric @ mirror
    turned = image - (mirror @ image) * mirror
    reflected = symmetric - 2 * (np.outer(mirror, turned) + np.outer(turned, mirror))
    return float(eigh(reflected[1:, 1:], subset_by_index=[0, 0], eigvals_only=True)[0])
