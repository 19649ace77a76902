"""Global maximisers on trees: the exact dynamic program against enumeration, the chain and HiGHS."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from makers import city

from agora.data import segment, star, tree
from agora.methods.city import global_search
from agora.methods.city.chain_bounds import ChainBounds
from agora.methods.city.lattice_city import lattice_city
from agora.methods.city.lattice_tree import OutOfTimeError, TreeBounds, highest_lines
from agora.methods.city.vertex_enumeration import LARGEST
from agora.models import FujitaOgawa
from agora.runners import solve
from agora.solvers import solve_within


def random_tree(cells: int, seed: int) -> nx.Graph:
    random = np.random.default_rng(seed)
    graph = nx.Graph()
    for cell in range(cells):
        graph.add_node(cell, land=1 / cells)
    for cell in range(1, cells):
        graph.add_edge(cell, int(random.integers(cell)), length=float(random.uniform(0.05, 0.5)))
    return graph


def every_value(model: FujitaOgawa) -> np.ndarray:
    """Return V of every lattice configuration: of all u ∈ {−1, 0, 1}^I with Σ u = 0."""
    lattice = lattice_city(model)
    steps = np.array(
        [u for u in itertools.product((-1, 0, 1), repeat=lattice.number) if sum(u) == 0], dtype=np.int8
    )[:, lattice.order]
    travel = model.commuting_cost * 8 / lattice.land * lattice.travel(steps)
    values: np.ndarray = lattice.production(steps) - travel
    return values


@settings(max_examples=10)
@given(st.integers(3, 9), st.integers(0, 2**31), st.floats(0.01, 0.4), st.floats(0.3, 10.0))
@example(9, 0, 0.02, 1.0)
def test_the_best_and_all_near_it_are_those_of_enumeration(
    cells: int, seed: int, cost: float, decay: float
) -> None:
    model = city(random_tree(cells, seed), cost, decay)
    values, within = every_value(model), 0.3
    found = TreeBounds(lattice_city(model)).maximum(cost, within=within)
    assert found.complete
    assert found.all_listed
    assert found.value == pytest.approx(values.max(), abs=1e-11 * max(1, abs(values).max()))
    assert found.bound == found.value
    near = values[values >= values.max() - within]
    apart = np.abs(near[:, None] - found.values)
    assert apart.min(axis=1).max() <= 1e-9  # every value near the best is listed
    assert apart.min(axis=0).max() <= 1e-9  # and no other


@pytest.mark.parametrize("leaves", [5, 8])
@pytest.mark.parametrize("cost", [0.001, 0.02, 0.03, 0.1])
def test_a_star_with_its_many_ties(leaves: int, cost: float) -> None:
    model = city(star(leaves), cost, 1.0)
    values = every_value(model)
    found = TreeBounds(lattice_city(model)).maximum(cost)
    assert found.value == pytest.approx(values.max(), abs=1e-12)
    assert len(found.listed) == 1  # leaves are exchangeable


@pytest.mark.parametrize("cells", [24, pytest.param(48, marks=pytest.mark.heavy)])
@pytest.mark.parametrize("cost", [0.03, 0.12, pytest.param(0.05, marks=pytest.mark.heavy)])
def test_a_line_as_a_tree_and_as_a_chain(cells: int, cost: float) -> None:
    lattice = lattice_city(city(segment(cells), cost, 25.0))
    along = ChainBounds(lattice).maximum(cost)
    found = TreeBounds(lattice).maximum(cost)
    assert found.complete
    assert found.value == pytest.approx(along.value, rel=1e-11)
    assert lattice.firms(found.best[lattice.order]).sum() == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("graph", "cost", "decay"),
    [
        (star(11, length=0.3), 0.02, 3.0),
        pytest.param(tree(3, 2, length=0.2), 0.03, 5.0, marks=pytest.mark.heavy),
    ],
)
def test_highs_finds_the_same_on_small_trees(graph: nx.Graph, cost: float, decay: float) -> None:
    model = city(graph, cost, decay)
    assert model.network.number > LARGEST
    found = solve(model, method="global")
    assert found.is_global
    unit = float(model.network.land[0]) ** 2 / 8
    _, bound = solve_within(model.lattice_program(), 120.0)
    assert found.objective == pytest.approx(bound * unit, abs=1e-9)


def test_the_answer_holds_its_proof_and_is_certified() -> None:
    model = city(tree(2, 4, length=0.1), 0.05, 6.0)
    solution = solve(model, method="global", within=1e-4)
    facts = solution.certificate.facts
    assert solution.status == "global maximiser"
    assert "exact dynamic program on the tree" in facts["proof"]
    assert (facts["gap"], facts["bound"]) == (0.0, solution.objective)
    listed = solution.tables["equilibria"]["potential"]
    assert len(listed) == facts["configurations_within"]
    assert (listed >= solution.objective - 1e-4 - 1e-12).all()


def test_a_tree_beyond_the_time_is_left_to_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    model = city(tree(2, 3, length=0.1), 0.05, 6.0)
    with pytest.raises(OutOfTimeError):
        TreeBounds(lattice_city(model)).maximum(0.05, seconds=-1.0)

    def too_slow(*_: object, **__: object) -> None:
        raise OutOfTimeError

    monkeypatch.setattr(global_search.TreeBounds, "maximum", too_slow)
    solution = solve(model, method="global", seconds=0.1)
    assert solution.certificate.facts["bound"] >= solution.objective - 1e-12
    assert solution.is_global == (solution.certificate.facts["gap"] == 0.0)


def test_too_many_near_the_best_are_not_listed() -> None:
    model = city(tree(2, 3, length=0.1), 0.05, 6.0)
    lattice = lattice_city(model)
    found = TreeBounds(lattice).maximum(0.05, within=5.0, width=50)
    assert found.complete
    assert not found.all_listed
    assert len(found.listed) == 1


def test_the_highest_lines_are_highest_everywhere() -> None:
    random = np.random.default_rng(3)
    for _ in range(20):
        slope, intercept = random.standard_normal((2, 200))
        slope[::7] = slope[3] + random.uniform(-1e-14, 1e-14, len(slope[::7]))  # a cluster, as ties make it
        lines = highest_lines(slope, intercept, np.zeros((200, 3), dtype=np.int64), 2.0)
        for field in np.linspace(-2, 2, 41):
            everywhere = (slope * field + intercept).max()
            assert (lines.slope * field + lines.intercept).max() == pytest.approx(everywhere, abs=1e-11)
        assert len(lines.slope) < 30
