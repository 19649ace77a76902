"""X = K Y in every form against the dense matrix, and what each form costs."""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler

from agora.formulations.migration.kernels import (
    DenseKernel,
    Kernel,
    LowRankKernel,
    RingKernel,
    TorusKernel,
    add_kernel_product,
    low_rank_kernel,
    ring_kernel,
    sparse_kernel,
    start_kernel_product,
    torus_kernel,
)


def product_block(kernel: Kernel, sources: np.ndarray) -> pyo.ConcreteModel:
    block = pyo.ConcreteModel()
    block.y = pyo.Var(range(kernel.number), initialize=dict(enumerate(sources.tolist())))
    block.x = pyo.Var(range(kernel.number), initialize=0.0)
    add_kernel_product(kernel, block, list(block.y.values()), list(block.x.values()), "product")
    block.nothing = pyo.Objective(expr=0.0)
    return block


def solved(kernel: Kernel, sources: np.ndarray) -> tuple[np.ndarray, int]:
    """Solve the rows for X with Y fixed by a dense linear solver; also the number of non-zeros."""
    block = product_block(kernel, sources)
    form = LinearStandardFormCompiler().write(block, mixed_form=True)
    table, names = form.A.toarray(), [v.name for v in form.columns]
    known = [k for k, name in enumerate(names) if name.startswith("y[")]
    wanted = [k for k in range(len(names)) if k not in known]
    values = np.array([form.columns[k].value for k in known])
    answer = np.linalg.solve(table[:, wanted], form.rhs - table[:, known] @ values)
    by_name = {names[k]: number for k, number in zip(wanted, answer, strict=True)}
    return np.array([by_name[f"x[{i}]"] for i in range(kernel.number)]), int(form.A.nnz)


def ring_by_hand(cells: int, decay: float, circumference: float) -> np.ndarray:
    x = np.arange(cells) * circumference / cells
    apart = np.abs(x[:, None] - x)
    return np.exp(-decay * np.minimum(apart, circumference - apart)) / cells


@settings(max_examples=40, deadline=None)
@given(
    cells=st.integers(2, 40),
    decay=st.floats(0.05, 30.0),
    circumference=st.floats(0.5, 10.0),
    seed=st.integers(0, 10**6),
)
def test_the_recurrence_on_a_ring_is_the_dense_product(
    cells: int, decay: float, circumference: float, seed: int
) -> None:
    kernel = RingKernel(cells, decay, circumference)
    dense = ring_by_hand(cells, decay, circumference)
    np.testing.assert_allclose(kernel.matrix(), dense, rtol=1e-12, atol=1e-300)
    sources = np.random.default_rng(seed).uniform(0.1, 2.0, cells)
    found, nonzeros = solved(kernel, sources)
    np.testing.assert_allclose(found, dense @ sources, rtol=1e-9)
    np.testing.assert_allclose(kernel.apply(sources), dense @ sources, rtol=1e-12)
    assert nonzeros <= (5 + cells % 2) * cells


def test_a_ring_row_has_five_nonzeros_and_bounds_the_error_by_its_residual() -> None:
    kernel = RingKernel(64, 2.0, 2 * np.pi)
    block = product_block(kernel, np.ones(64))
    form = LinearStandardFormCompiler().write(block, mixed_form=True)
    assert set(np.diff(form.A.tocsr().indptr).tolist()) == {5}
    columns = [k for k, v in enumerate(form.columns) if v.name.startswith("x[")]
    inverse = np.linalg.inv(form.A.toarray()[:, columns])
    assert inverse.min() >= 0
    np.testing.assert_allclose(inverse.sum(axis=1), 1.0, rtol=1e-9)


@pytest.mark.parametrize(("rows", "columns"), [(2, 2), (4, 6), (5, 4), (3, 7)])
def test_two_sweeps_on_a_torus_are_the_dense_product_of_the_l1_distance(rows: int, columns: int) -> None:
    decay, spacing = 1.3, 0.4
    kernel = torus_kernel(rows, columns, decay, spacing)
    assert isinstance(kernel, TorusKernel)
    dense = np.empty((rows * columns, rows * columns))
    for place in range(rows * columns):
        for other in range(rows * columns):
            apart = 0
            for a, b, size in (
                (place // columns, other // columns, rows),
                (place % columns, other % columns, columns),
            ):
                apart += min(abs(a - b), size - abs(a - b))
            dense[place, other] = np.exp(-decay * spacing * apart) / (rows * columns)
    np.testing.assert_allclose(kernel.matrix(), dense, rtol=1e-12)
    sources = np.random.default_rng(3).uniform(0.1, 2.0, rows * columns)
    np.testing.assert_allclose(kernel.apply(sources), dense @ sources, rtol=1e-12)
    found, nonzeros = solved(kernel, sources)
    np.testing.assert_allclose(found, dense @ sources, rtol=1e-10)
    assert nonzeros <= 12 * rows * columns


def test_low_rank_is_within_the_error_it_reports() -> None:
    x = np.linspace(0, 1, 60)
    values = np.exp(-3.0 * (x[:, None] - x) ** 2)
    weights = np.random.default_rng(1).uniform(0.5, 1.5, 60)
    weights /= weights.sum()
    kernel = low_rank_kernel(values, weights, 1e-8)
    assert isinstance(kernel, LowRankKernel)
    assert kernel.rank < 15
    gap = np.abs(kernel.dense() - values)
    assert (gap @ weights / (values @ weights)).max() <= kernel.truncation_error * (1 + 1e-9) <= 1e-8
    sources = np.random.default_rng(2).uniform(-1.0, 1.0, 60)
    found, nonzeros = solved(kernel, sources)
    exact = values @ (weights * sources)
    assert np.abs(found - exact).max() <= kernel.truncation_error * (values @ weights).max()
    assert np.abs(found - exact).max() > 1e-14, "a truncation that changes nothing tests nothing"
    assert nonzeros <= 60 * (2 * kernel.rank + 1) + kernel.rank
    rougher = low_rank_kernel(values, weights, 1e-2)
    assert rougher.rank < kernel.rank
    assert kernel.truncation_error < rougher.truncation_error <= 1e-2


def test_an_asymmetric_kernel_keeps_its_order() -> None:
    random = np.random.default_rng(5)
    kernel = DenseKernel(random.uniform(0.1, 1.0, (7, 7)), random.uniform(0.1, 1.0, 7))
    sources = random.uniform(0.1, 1.0, 7)
    expected = [sum(kernel.values[i, j] * kernel.weights[j] * sources[j] for j in range(7)) for i in range(7)]
    np.testing.assert_allclose(solved(kernel, sources)[0], expected, rtol=1e-12)
    expected = [sum(kernel.values[j, i] * kernel.weights[j] * sources[j] for j in range(7)) for i in range(7)]
    np.testing.assert_allclose(solved(kernel.transposed, sources)[0], expected, rtol=1e-12)
    full = low_rank_kernel(kernel.values, kernel.weights, 1e-13)
    np.testing.assert_allclose(solved(full.transposed, sources)[0], expected, rtol=1e-10)


def test_the_form_with_fewer_nonzeros_is_chosen() -> None:
    x, weights = np.linspace(0, 1, 40), np.full(40, 1 / 40)
    assert isinstance(sparse_kernel(np.exp(-((x[:, None] - x) ** 2)), weights), LowRankKernel)
    noise = np.random.default_rng(0).uniform(0.1, 1.0, (40, 40))
    assert isinstance(sparse_kernel(noise, weights), DenseKernel)
    assert isinstance(ring_kernel(64, 2.0, 2 * np.pi), RingKernel)
    flat = ring_kernel(64, 1e-4, 2 * np.pi)
    assert isinstance(flat, LowRankKernel)
    np.testing.assert_allclose(flat.matrix(), ring_by_hand(64, 1e-4, 2 * np.pi), rtol=1e-12)


@pytest.mark.parametrize("kind", ["torus", "low rank"])
def test_a_products_own_variables_start_at_what_the_sources_imply(kind: str) -> None:
    x = np.linspace(0, 1, 12)
    kernel: Kernel = torus_kernel(3, 4, 1.0, 0.5)
    if kind == "low rank":
        kernel = low_rank_kernel(np.exp(-((x[:, None] - x) ** 2)), np.full(12, 1 / 12))
    block = product_block(kernel, np.linspace(1, 2, 12))
    for moved in (False, True):
        if moved:
            for place, y in block.y.items():
                y.set_value(2.0 + (-1) ** place)
            start_kernel_product(kernel, block, list(block.y.values()), "product")
        exact = kernel.apply(np.array([y.value for y in block.y.values()]))
        for place, target in block.x.items():
            target.set_value(float(exact[place]))
        assert max(abs(pyo.value(row.body) - row.upper) for row in block.product.values()) < 1e-12


def test_a_kernel_without_algebra_says_so() -> None:
    with pytest.raises(TypeError, match="no algebra for the kernel ndarray"):
        add_kernel_product(np.eye(2), pyo.ConcreteModel(), [], [], "product")
