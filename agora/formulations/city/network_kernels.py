r"""Products with the exponential kernel on large networks, A = D m with d_ij = e^{−τ ℓ_ij}, without D.

ℓ_ij is the length of a shortest path. Four methods, by the shape of an undirected network:

* a tree: D is the covariance of a Markov field, so that with W_pc = e^{−τℓ} from parent p to child c

  .. math:: D = (1 - W')^{-1}\, \operatorname{diag}(1 - \delta_c^2)\, (1 - W)^{-1}

  (δ = 0 at the root), two triangular solves with I − 1 entries each;
* a Cartesian product of two networks, such as a grid or a torus: distances add up, so that D is the
  Kronecker product of the kernels of the factors;
* any network: D without the entries below a cutoff, found by shortest paths that go no farther;
* where even these are too many: row by row, anew in every product.

The second is Osawa & Akamatsu's (2019) Assumption 2 on the ℓ1 plane; the others hold for any lengths.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_array, csr_array, eye_array, kron
from scipy.sparse.csgraph import breadth_first_order, dijkstra
from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh, splu

from agora.data.checks import InputError
from agora.data.geographies import CellNetwork
from agora.typing import Vector

LARGEST_DENSE = 2500
"""Cells up to which the whole kernel is held in memory."""
CUTOFF = 1e-12
"""Entries of a kernel below this are left out where the network is neither a tree nor a product."""
MOST_ENTRIES = 40_000_000
"""Entries above the cutoff that are kept (12 bytes each); more are computed anew in every product."""
ROWS = 256
"""Rows computed at a time."""
LANCZOS_STEPS = 3000


@dataclass(frozen=True)
class KernelProduct:
    """The exponential kernel of a network as a product."""

    method: str
    """How products are computed: ``tree``, ``product``, ``truncated`` or ``rows``."""
    apply: Callable[[Vector], Vector]
    """m (I,) → D m (I,)."""
    error: float
    """No entry of D m is off by more than this times Σ |m|, but for rounding."""
    _least: Callable[[], tuple[float | None, str]]

    def least_eigenvalue(self) -> tuple[float | None, str]:
        """Return the least eigenvalue of D, or a bound below it, and what it is; None if not known.

        On the tangent space it is at least as large: f is convex if it is ≥ 0.
        """
        return self._least()


def kernel_product(network: CellNetwork, decay: float) -> KernelProduct:
    """Return the product with D by the quickest method there is; `InputError` for a directed network.

    `network` is in one piece, `decay` is τ > 0, per unit of length.
    """
    lengths = network.matrix()
    if (lengths != lengths.T).nnz:
        raise InputError(
            "geography", f"a directed graph of {network.number} cells",
            f"undirected beyond {LARGEST_DENSE} cells: without symmetric distances no potential exists",
        )  # fmt: skip
    if len(network.tails) == 2 * (network.number - 1):
        return tree_product(network, decay)
    factors = cartesian_factors(network)
    if factors is not None:
        return factored_product(*factors, decay)
    return truncated_product(network, decay)


def tree_product(network: CellNetwork, decay: float) -> KernelProduct:
    """Return the product on a tree."""
    number = network.number
    order, parents = breadth_first_order(network.matrix(), 0, directed=False)
    position = np.empty(number, dtype=int)
    position[order] = np.arange(number)
    children = order[1:]
    up = position[parents[children]]
    lengths = np.asarray(network.matrix()[parents[children], children]).ravel()
    delta = np.exp(-decay * lengths)
    below = csc_array((delta, (up, position[children])), shape=(number, number))
    factor = splu(
        csc_array(eye_array(number) - below), permc_spec="NATURAL", diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )  # fmt: skip
    own = np.append(1.0, -np.expm1(-2 * decay * lengths))

    def apply(firms: Vector) -> Vector:
        fields = factor.solve(own * factor.solve(firms[order]), trans="T")
        levels: Vector = fields[position]
        return levels

    def least() -> tuple[float | None, str]:
        # Gershgorin's circles of D⁻¹, whose entries off the diagonal are −δ/(1 − δ²)
        pull = delta / -np.expm1(-decay * lengths)
        circles = 1 + np.bincount(up, pull, number) + np.bincount(position[children], pull, number)
        return 1 / float(circles.max()), "lower bound: the kernel of a tree is positive definite"

    return KernelProduct("tree", apply, 0.0, least)


def cartesian_factors(network: CellNetwork) -> tuple[csr_array, csr_array] | None:
    """Return the two networks, as arc lengths, of which a network is the Cartesian product, or None.

    Cells are numbered row by row, as `grid` and `torus` do: cell r C + c is the pair (r, c). Both
    factors have at least two cells.
    """
    number, whole = network.number, network.matrix()
    for columns in sorted(set(whole[[0], :].indices.tolist())):
        if columns < 2 or number % columns or number // columns < 2:
            continue
        across = csr_array(whole[:columns, :columns])
        down = csr_array(whole[::columns, ::columns])
        rows = number // columns
        expected = kron(eye_array(rows), across) + kron(down, eye_array(columns))
        if abs(csr_array(expected) - whole).max() <= 1e-12 * whole.max():
            return down, across
    return None


def factored_product(down: csr_array, across: csr_array, decay: float) -> KernelProduct:
    """Return the product on a Cartesian product of two networks."""
    first, second = (np.exp(-decay * dijkstra(factor)) for factor in (down, across))
    shape = (len(first), len(second))

    def apply(firms: Vector) -> Vector:
        levels: Vector = (first @ firms.reshape(shape) @ second).ravel()
        return levels

    def least() -> tuple[float | None, str]:
        lowest = [np.linalg.eigvalsh(kernel) for kernel in (first, second)]
        products = np.multiply.outer([lowest[0][0], lowest[0][-1]], [lowest[1][0], lowest[1][-1]])
        return float(products.min()), "least eigenvalue of the kernel, product of those of its factors"

    return KernelProduct("product", apply, 0.0, least)


def truncated_product(
    network: CellNetwork, decay: float, cutoff: float = CUTOFF, most: int = MOST_ENTRIES
) -> KernelProduct:
    """Return the product without entries below `cutoff`; row by row if more than `most` are left."""
    lengths, number = network.matrix(), network.number
    reach = -np.log(cutoff) / decay
    sample = np.unique(np.linspace(0, number - 1, 32).astype(int))
    seen = np.isfinite(dijkstra(lengths, indices=sample, limit=reach)).sum(axis=1)
    if seen.mean() * number > most:
        return _by_rows(lengths, decay, cutoff)
    blocks = [_rows(lengths, decay, reach, start) for start in range(0, number, ROWS)]
    indices = np.concatenate([columns for _, columns, _ in blocks])
    values = np.concatenate([entries for _, _, entries in blocks])
    counts = np.concatenate([count for count, _, _ in blocks])
    kernel = csr_array((values, indices, np.append(0, np.cumsum(counts))), shape=(number, number))
    return KernelProduct("truncated", lambda m: kernel @ m, cutoff, lambda: _lanczos(kernel))


def _rows(lengths: csr_array, decay: float, reach: float, start: int) -> tuple[Vector, Vector, Vector]:
    """Return some rows of the kernel: entries a row, their columns, their values."""
    number = lengths.shape[0]
    distances = dijkstra(lengths, indices=np.arange(start, min(start + ROWS, number)), limit=reach)
    near = np.isfinite(distances)
    return near.sum(axis=1), np.nonzero(near)[1].astype(np.int32), np.exp(-decay * distances[near])


def _by_rows(lengths: csr_array, decay: float, cutoff: float) -> KernelProduct:
    reach = -np.log(cutoff) / decay

    def apply(firms: Vector) -> Vector:
        levels = np.zeros(len(firms))
        occupied = np.flatnonzero(firms)
        for start in range(0, len(occupied), ROWS):
            sources = occupied[start : start + ROWS]
            levels += firms[sources] @ np.exp(-decay * dijkstra(lengths, indices=sources, limit=reach))
        return levels

    return KernelProduct("rows", apply, cutoff, lambda: (None, "not checked: the kernel is too large"))


def _lanczos(kernel: csr_array) -> tuple[float | None, str]:
    """Return the least eigenvalue on {ε : Σ ε = 0}, by Lanczos's method, if it converges."""
    number, top = kernel.shape[0], float(kernel.sum(axis=1).max())

    def turned(vector: Vector) -> Vector:
        flat = vector.ravel()
        inside = flat - flat.mean()
        image = kernel @ inside
        moved: Vector = image - image.mean() + top * flat.mean()
        return moved

    operator = LinearOperator((number, number), matvec=turned, dtype=float)
    start = np.random.default_rng(0).standard_normal(number)
    try:
        outcome = eigsh(operator, k=1, which="SA", v0=start, maxiter=LANCZOS_STEPS, tol=1e-4,
                      return_eigenvectors=False)  # fmt: skip
    except ArpackError:
        return None, "not checked: Lanczos's method did not converge"
    return float(outcome[0]), "least eigenvalue on the tangent space, estimated by Lanczos's method"
