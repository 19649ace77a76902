"""Products with the exponential kernel of large networks: every method against the dense kernel."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from makers import complaint, geographies

from agora.data import circle, grid, hexagonal, segment, star, torus, tree
from agora.data.geographies import cell_network
from agora.formulations.city.network_kernels import (
    cartesian_factors,
    kernel_product,
    tree_product,
    truncated_product,
)

SHAPES = {
    "segment": (segment(50), "tree"),
    "star": (star(9), "tree"),
    "tree": (tree(3, 4), "tree"),
    "grid": (grid(13, 17), "product"),
    "torus": (torus(5, 7), "product"),
    "ladder": (grid(2, 9), "product"),
    "hexagons": (hexagonal(4), "truncated"),
    "ring": (circle(11), "truncated"),
}


@pytest.mark.parametrize("decay", [0.1, 3.0, 40.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_product_is_that_of_the_dense_kernel(shape: str, decay: float) -> None:
    graph, method = SHAPES[shape]
    network = cell_network(graph)
    kernel = np.exp(-decay * network.distances)
    product = kernel_product(network, decay)
    assert product.method == method
    for seed in range(3):
        firms = np.random.default_rng(seed).random(network.number)
        gap = np.abs(product.apply(firms) - kernel @ firms).max()
        assert gap <= product.error * firms.sum() + 1e-12 * (kernel @ firms).max()


@pytest.mark.parametrize("decay", [0.1, 3.0, 40.0])
@pytest.mark.parametrize("shape", [name for name, (_, method) in SHAPES.items() if method != "truncated"])
def test_the_least_eigenvalue_is_the_kernels_or_a_bound_below_it(shape: str, decay: float) -> None:
    network = cell_network(SHAPES[shape][0])
    true = float(np.linalg.eigvalsh(np.exp(-decay * network.distances))[0])
    stated, meaning = kernel_product(network, decay).least_eigenvalue()
    assert stated is not None
    assert 0 < stated <= true * (1 + 1e-9)
    if not meaning.startswith("lower bound"):
        assert stated == pytest.approx(true, rel=1e-9)


@given(geographies(largest=9))
def test_any_network_in_rows_and_cut_off(graph: nx.Graph) -> None:
    network = cell_network(graph)
    firms = np.random.default_rng(1).random(network.number)
    dense = np.exp(-20.0 * network.distances) @ firms
    for most in (0, 10**6):  # none kept: row by row
        for cutoff in (1e-3, 1e-12):
            product = truncated_product(network, 20.0, cutoff, most)
            assert product.method == ("truncated" if most else "rows")
            gap = dense - product.apply(firms)
            assert gap.max() <= cutoff * firms.sum() + 1e-14
            assert gap.min() >= -1e-14


@given(geographies(largest=9), st.floats(0.05, 20.0))
def test_random_trees(graph: nx.Graph, decay: float) -> None:
    spanning = nx.minimum_spanning_tree(graph, weight="length")
    network = cell_network(spanning)
    firms = np.random.default_rng(2).random(network.number)
    dense = np.exp(-decay * network.distances) @ firms
    assert tree_product(network, decay).apply(firms) == pytest.approx(dense, rel=1e-13)


def test_the_definiteness_of_a_cut_off_kernel_is_estimated_or_said_to_be_open() -> None:
    # K_{2,3} with unit edges, τ = .1: −.0253867 on the tangent space (spec/fujita-ogawa.md, "Upper stage")
    graph = nx.complete_bipartite_graph(2, 3)
    nx.set_edge_attributes(graph, 1.0, "length")
    nx.set_node_attributes(graph, 0.2, "land")
    network = cell_network(graph)
    stated, meaning = truncated_product(network, 0.1).least_eigenvalue()
    assert stated == pytest.approx(-0.0253867, abs=5e-5)
    assert "Lanczos" in meaning
    assert truncated_product(network, 0.1, most=0).least_eigenvalue() == (
        None,
        "not checked: the kernel is too large",
    )


def test_a_network_that_is_nearly_a_product_is_none() -> None:
    graph = grid(6, 8)
    assert cartesian_factors(cell_network(graph)) is not None
    graph.edges[9, 10]["length"] *= 1.01
    assert cartesian_factors(cell_network(graph)) is None
    assert cartesian_factors(cell_network(hexagonal(3))) is None


def test_a_directed_network_is_refused() -> None:
    graph = nx.DiGraph()
    graph.add_nodes_from(range(3), land=1.0)
    graph.add_weighted_edges_from([(0, 1, 1.0), (1, 2, 1.0), (2, 0, 2.0)], weight="length")
    assert "undirected" in complaint(kernel_product, cell_network(graph), 1.0)
