r"""Products with a kernel, X = K Y, written so that a program stays sparse.

.. math:: X(x) = \int K(x, y)\, Y(y)\, dm(y) = \sum_y K(x, y)\, m_y Y_y \quad \text{for all } x

A kernel knows its numbers (`Kernel.matrix`, `Kernel.apply`) and its algebra (`add_kernel_product`): N²
non-zeros if dense, five a row for an exponential kernel on a ring, twice that on a torus, 2rN for rank r.
All quantities are dimensionless unless the caller says otherwise.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, singledispatch
from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.core.expr.numeric_expr import LinearExpression

from agora.typing import Vector

Entries = Sequence[Any]
"""N variables, or numbers where only their values are asked for, one a location."""
SMALLEST_STEP = 1e-3
"""Decay over one cell below which the recurrence loses digits: its inverse square amplifies rounding."""


class Kernel(ABC):
    """K(x, y) on N locations with the weights m of the base measure."""

    weights: Vector
    truncation_error: float = 0.0
    """Largest relative error of K·1 made by replacing the kernel, 0 where the algebra is exact."""

    @property
    def number(self) -> int:
        """The number N of locations."""
        return len(self.weights)

    @abstractmethod
    def dense(self) -> Vector:
        """Return K(x, y), (N, N), without the weights, as the algebra has it (truncated or not)."""

    @property
    @abstractmethod
    def transposed(self) -> Kernel:
        """The kernel K(y, x) with the same weights."""

    def matrix(self) -> Vector:
        """Return K(x, y) m(y), (N, N): the dense oracle of every other form."""
        return self.dense() * self.weights

    def apply(self, sources: Vector) -> Vector:
        """Return X = K Y for Y (N,)."""
        return self.matrix() @ sources


@dataclass(frozen=True, eq=False)
class DenseKernel(Kernel):
    """Any kernel, number by number."""

    values: Vector
    """K(x, y), (N, N)."""
    weights: Vector
    """Base weights m(y), (N,)."""

    def dense(self) -> Vector:
        """Return K(x, y), (N, N)."""
        return self.values

    @property
    def transposed(self) -> DenseKernel:
        """The kernel K(y, x)."""
        return DenseKernel(self.values.T, self.weights)


@dataclass(frozen=True, eq=False)
class RingKernel(Kernel):
    r"""An exponential kernel on N equal cells of a circle, weights 1/N.

    .. math:: K(x, y) = e^{-s\, d(x, y)}, \qquad d \text{ along the circle}
    """

    cells: int
    """Number of cells N ≥ 2."""
    decay: float
    """Rate s > 0, per unit of length."""
    circumference: float
    """Circumference 2πR, in the same unit of length."""

    @property
    def step(self) -> float:
        """The decay over one cell, s·h."""
        return self.decay * self.circumference / self.cells

    @cached_property
    def weights(self) -> Vector:  # type: ignore[override]
        """Equal weights, (N,)."""
        return np.full(self.cells, 1.0 / self.cells)

    @cached_property
    def profile(self) -> Vector:
        """K(x, 0) for all x, (N,)."""
        apart = np.arange(self.cells)
        return np.exp(-self.step * np.minimum(apart, self.cells - apart))

    def dense(self) -> Vector:
        """Return K(x, y), (N, N)."""
        indices = np.arange(self.cells)
        dense: Vector = self.profile[(indices[:, None] - indices) % self.cells]
        return dense

    @property
    def transposed(self) -> RingKernel:
        """The kernel itself: distances along a circle are symmetric."""
        return self

    def apply(self, sources: Vector) -> Vector:
        """Return X = K Y by the fast Fourier transform, for Y (…, N)."""
        spectrum = np.fft.rfft(self.profile) / self.cells
        return np.fft.irfft(spectrum * np.fft.rfft(sources), self.cells)


@dataclass(frozen=True, eq=False)
class TorusKernel(Kernel):
    r"""Two rings crossed: K = K₁ ⊗ K₂, the exponential kernel of the ℓ¹ distance on a torus.

    .. math:: K((x_1, x_2), (y_1, y_2)) = e^{-s (d(x_1, y_1) + d(x_2, y_2))}

    Locations are numbered row by row.
    """

    down: RingKernel
    """The ring of the rows, N₁ cells."""
    across: RingKernel
    """The ring of the columns, N₂ cells."""

    @cached_property
    def weights(self) -> Vector:  # type: ignore[override]
        """Equal weights, (N₁N₂,)."""
        return np.asarray(np.kron(self.down.weights, self.across.weights), dtype=np.float64)

    def dense(self) -> Vector:
        """Return K(x, y), (N₁N₂, N₁N₂)."""
        return np.asarray(np.kron(self.down.dense(), self.across.dense()), dtype=np.float64)

    @property
    def transposed(self) -> TorusKernel:
        """The kernel itself: distances on a torus are symmetric."""
        return self

    def apply(self, sources: Vector) -> Vector:
        """Return X = K Y by two sweeps."""
        table = self.across.apply(sources.reshape(self.down.cells, self.across.cells))
        return self.down.apply(table.T).T.ravel()


@dataclass(frozen=True, eq=False)
class LowRankKernel(Kernel):
    """A kernel truncated to rank r: K ≈ L Rᵀ, with the error made."""

    left: Vector
    """Left factor L, (N, r)."""
    right: Vector
    """Right factor R, (N, r)."""
    weights: Vector
    """Base weights m(y), (N,)."""
    truncation_error: float
    """Largest relative error of X for sources of one size: max over x of Σ_y |K − L Rᵀ| m / Σ_y K m."""

    @property
    def rank(self) -> int:
        """The rank r."""
        return int(self.left.shape[1])

    def dense(self) -> Vector:
        """Return L Rᵀ, (N, N)."""
        return self.left @ self.right.T

    @property
    def transposed(self) -> LowRankKernel:
        """R Lᵀ; the error is that of the kernel as it stands."""
        return LowRankKernel(self.right, self.left, self.weights, self.truncation_error)

    def apply(self, sources: Vector) -> Vector:
        """Return X = L Rᵀ (m Y)."""
        return self.left @ (self.right.T @ (self.weights * sources))


def low_rank_kernel(values: Vector, weights: Vector, tolerance: float = 1e-10) -> LowRankKernel:
    """Return the kernel of the smallest rank whose truncation error is at most `tolerance`.

    `values` are K(x, y) ≥ 0 without weights (N, N), `weights` m(y) > 0 (N,). The factors come from the
    singular value decomposition, the best of their rank in the mean square; rows and columns count alike.
    """
    left, sizes, right = np.linalg.svd(values)
    roots = np.sqrt(sizes)
    totals = np.concatenate([values @ weights, weights @ values])

    def error(rank: int) -> float:
        gap = np.abs(values - (left[:, :rank] * sizes[:rank]) @ right[:rank])
        return float((np.concatenate([gap @ weights, weights @ gap]) / totals).max())

    rank = 1 + bisect_left(range(1, len(sizes)), True, key=lambda rank: error(rank) <= tolerance)
    return LowRankKernel(left[:, :rank] * roots[:rank], right[:rank].T * roots[:rank], weights, error(rank))


def sparse_kernel(values: Vector, weights: Vector, tolerance: float = 1e-10) -> Kernel:
    """Return the kernel in the form with fewer non-zeros: low rank within `tolerance`, or dense."""
    truncated = low_rank_kernel(values, weights, tolerance)
    return truncated if 2 * truncated.rank < len(weights) else DenseKernel(values, weights)


def ring_kernel(cells: int, decay: float, circumference: float) -> Kernel:
    """Return e^{-s d} on a ring: the recurrence, or low rank where it hardly decays over a cell."""
    ring = RingKernel(cells, decay, circumference)
    return ring if ring.step >= SMALLEST_STEP else low_rank_kernel(ring.dense(), ring.weights, 1e-14)


def torus_kernel(rows: int, columns: int, decay: float, spacing: float) -> Kernel:
    """Return e^{-s d}, d the ℓ¹ distance on a torus of cells `spacing` apart, as a Kronecker product."""
    torus = TorusKernel(
        RingKernel(rows, decay, rows * spacing), RingKernel(columns, decay, columns * spacing)
    )
    return torus if torus.down.step >= SMALLEST_STEP else low_rank_kernel(torus.dense(), torus.weights, 1e-14)


# --- algebra -----------------------------------------------------------------------------------


@singledispatch
def add_kernel_product(
    kernel: Any, block: pyo.Block, sources: Entries, targets: Entries, name: str, slack: Any = None
) -> None:
    r"""Add rows that say X = K Y + z to `block`, as the constraint ``<name>``; they are linear.

    .. math:: X_x = \sum_y K(x, y)\, m_y Y_y + z \quad \text{for all } x

    Dispatches on the class of the kernel. A kernel whose algebra needs variables of its own adds them as
    ``<name>_sweep`` (torus) or ``<name>_factor`` (low rank), started at what the sources' values imply.

    Parameters
    ----------
    kernel : Kernel
        K with its weights, N locations.
    block : Block
        Where the rows go: one call a name.
    sources : sequence of N variables
        Y, with values.
    targets : sequence of N variables
        X.
    name : str
        Name of the rows.
    slack : variable, optional
        z, the same in every row; none unless given. Here it stays in linear rows.
    """
    raise TypeError(f"no algebra for the kernel {type(kernel).__name__}")


@add_kernel_product.register
def add_kernel_product_dense(
    kernel: DenseKernel, block: pyo.Block, sources: Entries, targets: Entries, name: str, slack: Any = None
) -> None:
    r"""Write the product as it stands: N + 1 non-zeros a row; the oracle of the other forms.

    .. math:: X_x - \sum_y K(x, y)\, m_y Y_y = 0 \quad \text{for all } x
    """
    constraint = pyo.Constraint(range(kernel.number), doc="X = K Y")
    block.add_component(name, constraint)
    for index, coefficients in enumerate((-kernel.matrix()).tolist()):
        _set_row(constraint, index, [1.0, *coefficients], [targets[index], *sources], slack)


@add_kernel_product.register
def add_kernel_product_ring(
    kernel: RingKernel, block: pyo.Block, sources: Entries, targets: Entries, name: str, slack: Any = None
) -> None:
    r"""Write an exponential kernel on a ring as a three-point recurrence, exactly: five non-zeros a row.

    .. math:: \frac{2\cosh(sh) X_i - X_{i+1} - X_{i-1}}{2\cosh(sh) - 2}
              = \frac{\coth(sh/2)}{N} \bigl(Y_i - e^{-sNh/2} Y_{i+N/2}\bigr) \quad \text{for all } i

    For odd N the antipode is the mean of two cells (six non-zeros). The kernel is the Green's function of
    the recurrence. Divided as above, the rows' inverse has row sums one: a residual of a row is an error
    of X of at most the same size.
    """
    constraint = pyo.Constraint(range(kernel.cells), doc="X = K Y, three-point recurrence")
    block.add_component(name, constraint)
    _add_ring_rows(constraint, 0, kernel, sources, targets, slack)


@add_kernel_product.register
def add_kernel_product_torus(
    kernel: TorusKernel, block: pyo.Block, sources: Entries, targets: Entries, name: str, slack: Any = None
) -> None:
    r"""Write a Kronecker product as two sweeps of recurrences, exactly: ten non-zeros a location.

    .. math:: Z = (I \otimes K_2)\, Y, \qquad X = (K_1 \otimes I)\, Z

    Adds ``<name>_sweep``, Z.
    """
    rows, columns = kernel.down.cells, kernel.across.cells
    block.add_component(f"{name}_sweep", pyo.Var(range(kernel.number), doc="Z, rows swept"))
    swept = list(block.component(f"{name}_sweep").values())
    start_kernel_product(kernel, block, sources, name)
    constraint = pyo.Constraint(range(2 * kernel.number), doc="Z = K₂ Y, then X = K₁ Z")
    block.add_component(name, constraint)
    for row in range(rows):
        part = slice(row * columns, (row + 1) * columns)
        _add_ring_rows(constraint, part.start, kernel.across, sources[part], swept[part])
    for column in range(columns):
        part = slice(column, None, columns)
        first = kernel.number + column * rows
        _add_ring_rows(constraint, first, kernel.down, swept[part], targets[part], slack)


@add_kernel_product.register
def add_kernel_product_low_rank(
    kernel: LowRankKernel, block: pyo.Block, sources: Entries, targets: Entries, name: str, slack: Any = None
) -> None:
    r"""Write a product of rank r through r factors: 2 r N non-zeros; the truncation is `kernel`'s.

    .. math:: Z = R^\top (m Y), \qquad X = L Z

    Adds ``<name>_factor``, Z.
    """
    block.add_component(f"{name}_factor", pyo.Var(range(kernel.rank), doc="Z = Rᵀ (m Y)"))
    factors = list(block.component(f"{name}_factor").values())
    start_kernel_product(kernel, block, sources, name)
    constraint = pyo.Constraint(range(kernel.rank + kernel.number), doc="Z = Rᵀ (m Y), then X = L Z")
    block.add_component(name, constraint)
    for index, coefficients in enumerate((-kernel.right.T * kernel.weights).tolist()):
        _set_row(constraint, index, [1.0, *coefficients], [factors[index], *sources])
    for row, coefficients in enumerate((-kernel.left).tolist()):
        _set_row(constraint, kernel.rank + row, [1.0, *coefficients], [targets[row], *factors], slack)


def start_kernel_product(kernel: Kernel, block: pyo.Block, sources: Entries, name: str) -> None:
    """Start a product's own variables, if it has any, at what the values of `sources` imply."""
    values = np.array([float(pyo.value(variable)) for variable in sources])
    if isinstance(kernel, TorusKernel):
        table = values.reshape(kernel.down.cells, kernel.across.cells)
        implied, own = kernel.across.apply(table).ravel(), block.component(f"{name}_sweep")
    elif isinstance(kernel, LowRankKernel):
        implied, own = kernel.right.T @ (kernel.weights * values), block.component(f"{name}_factor")
    else:
        return
    for variable, value in zip(own.values(), implied.tolist(), strict=True):
        variable.set_value(value, skip_validation=True)


def _add_ring_rows(
    constraint: Any, first: int, kernel: RingKernel, sources: Entries, targets: Entries, slack: Any = None
) -> None:
    """Add the N rows of a ring's recurrence, indexed from `first`.

    Their coefficients of X sum to one, so that X − z in place of X takes z once a row.
    """
    cells, step = kernel.cells, kernel.step
    gap = float(-np.expm1(-step))  # 1 - e^{-sh}; everything below is free of overflow
    beside = -float(np.exp(-step)) / gap**2  # -1 / (4 sinh²(sh/2))
    source = -(2.0 - gap) / gap / cells  # -coth(sh/2) / N
    half = cells // 2
    if cells % 2:
        far = float(np.exp(-step * (cells + 1) / 2)) / gap / cells  # e^{-sNh/2} / (2 sinh(sh/2)) / N
        opposite = [(half, far), (half + 1, far)]
    else:
        opposite = [(half, -source * float(np.exp(-step * half)))]
    shape: dict[tuple[bool, int], float] = {(True, 0): 1.0 - 2.0 * beside, (False, 0): source}
    for key, coefficient in (
        ((True, 1 % cells), beside),
        ((True, (cells - 1) % cells), beside),
        *(((False, apart), far) for apart, far in opposite),
    ):
        shape[key] = shape.get(key, 0.0) + coefficient
    coefficients = list(shape.values())
    for cell in range(cells):
        variables = [
            (targets if is_target else sources)[(cell + apart) % cells] for is_target, apart in shape
        ]
        _set_row(constraint, first + cell, coefficients, variables, slack)


def _set_row(
    constraint: Any, index: int, coefficients: list[float], variables: list[Any], slack: Any = None
) -> None:
    if slack is not None:
        coefficients, variables = [*coefficients, -1.0], [*variables, slack]
    constraint[index] = (LinearExpression(linear_coefs=coefficients, linear_vars=variables), 0.0)
