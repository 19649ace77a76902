"""Cities too large for their kernel: the same answers as with it, and the same certificate."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest
from makers import city, complaint

from agora.data import grid, hexagonal, segment, torus, tree
from agora.data.scenarios import read_scenario
from agora.formulations.city import spillovers as externalities
from agora.methods.city import best_response, firms_game
from agora.methods.city.starts import coarse_city, large_city_starts
from agora.models import FujitaOgawa
from agora.runners import solve
from agora.runners.certifying import certify
from agora.runners.solving import model_from, solve_scenario


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat every city of more than 20 cells as large."""
    for module in (externalities, best_response, firms_game):
        monkeypatch.setattr(module, "LARGEST_DENSE", 20)


CITIES: dict[str, tuple[nx.Graph, float, float, str]] = {
    "grid": (grid(12, 12), 0.012, 20.0, "product"),
    "torus": (torus(6, 6), 0.02, 12.0, "product"),
    "line": (segment(40), 0.05, 25.0, "tree"),
    "tree": (tree(2, 4), 0.01, 0.8, "tree"),
    "hexagons": (hexagonal(3), 0.01, 2.0, "truncated"),
}


@pytest.mark.usefixtures("small_memory")
@pytest.mark.parametrize("shape", CITIES)
def test_a_large_city_is_certified_and_its_numbers_are_the_dense_ones(shape: str) -> None:
    graph, cost, decay, method = CITIES[shape]
    large = city(graph, cost, decay)
    assert large.interaction.product is not None
    solution = solve(large, starts=3)
    facts = solution.certificate.facts
    assert solution.status == "local maximiser"
    assert not solution.is_global
    assert (facts["kernel"], facts["kernel_error"]) == (method, 1e-12 if method == "truncated" else 0.0)
    assert facts["tangent_eigenvalue"] > 0
    # the dense oracle, from the tables
    cells, totals = solution.tables["cells"], solution.tables["totals"].iloc[0]
    kernel = np.exp(-decay * large.network.distances)
    firms = cells["firms"].to_numpy()
    assert cells["production"].to_numpy() == pytest.approx(kernel @ firms, abs=1e-12)
    assert solution.objective == pytest.approx(
        firms @ kernel @ firms / 2 - totals["total_commuting_cost"], abs=1e-12
    )


@pytest.mark.usefixtures("small_memory")
def test_the_kind_of_a_state_is_that_of_the_dense_game() -> None:
    large = city(grid(6, 6), 0.02, 12.0)
    starts = list(large_city_starts(large, 3, np.random.default_rng(0)))
    game = firms_game.FirmsGame(large)
    found = [game.climb(start) for start in starts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(externalities, "LARGEST_DENSE", 10_000)
        dense = firms_game.FirmsGame(city(grid(6, 6), 0.02, 12.0))
        for state in found:
            exact = dense.lower_stage(state.firms)
            assert dense.kind(exact) == game.kind(state) == "local maximiser"
            assert dense.potential(exact) == pytest.approx(game.potential(state), abs=1e-12)
        assert game.definiteness[0] is not None
        assert 0 < game.definiteness[0] <= dense.tangent_eigenvalue * (1 + 1e-12)


@pytest.mark.parametrize("make", [grid, torus])
def test_the_coarse_city_keeps_land_lengths_and_parameters(make: Any) -> None:
    fine = city(make(36, 24, land=(np.arange(864) % 7 + 1.0) / 4000), 0.01, 9.0, firm_mass=0.3)
    found = coarse_city(fine)
    assert found is not None
    coarse, block = found
    assert coarse.network.number == 216
    assert coarse.network.land.sum() == pytest.approx(fine.network.land.sum())
    assert np.bincount(block, fine.network.land) == pytest.approx(coarse.network.land)
    assert coarse.network.lengths == pytest.approx(2 * fine.network.lengths[0])
    assert (coarse.commuting_cost, coarse.decay, coarse.firm_mass) == (0.01, 9.0, 0.3)
    # neighbours stay neighbours
    joined = {
        (int(block[u]), int(block[v])) for u, v in zip(fine.network.tails, fine.network.heads, strict=True)
    }
    arcs = set(zip(coarse.network.tails.tolist(), coarse.network.heads.tolist(), strict=True))
    assert {(u, v) for u, v in joined if u != v} == arcs
    assert coarse_city(city(hexagonal(6), 0.01, 1.0)) is None
    assert coarse_city(city(grid(31, 37), 0.01, 1.0)) is None


def test_starts_hold_the_firms_that_fit() -> None:
    large = city(grid(20, 20), 0.01, 9.0, firm_mass=0.3)
    starts = list(large_city_starts(large, 5, np.random.default_rng(1)))
    assert len(starts) == 5
    for firms in starts:
        assert firms.sum() == pytest.approx(0.3)
        assert (firms >= 0).all()
        assert (firms <= large.network.land * (1 + 1e-9)).all()


@pytest.mark.usefixtures("small_memory")
def test_what_needs_every_pair_says_so() -> None:
    large = city(grid(5, 5), 0.02, 12.0)
    for build in (large.program, large.welfare_program, large.lattice_program):
        assert "at most 20" in complaint(build)
    assert "best-response" in complaint(solve, large, method="global")
    one_way = nx.DiGraph()
    one_way.add_nodes_from(range(30), land=1 / 30)
    one_way.add_weighted_edges_from([(k, (k + 1) % 30, 1.0) for k in range(30)], weight="length")
    assert "undirected" in complaint(solve, city(one_way, 0.02, 12.0))


@pytest.mark.heavy
def test_ten_thousand_cells() -> None:
    solution = solve_scenario(read_scenario("grid-100"))
    assert solution.certificate.passed
    assert solution.status == "local maximiser"
    assert len(solution.tables["cells"]) == 10_000
    # a planted error in the levels of production is caught by the check that shares no code with the product
    tables = {name: table.copy() for name, table in solution.tables.items()}
    tables["cells"].loc[5050, "production"] *= 1.01
    model = model_from(read_scenario("grid-100"))
    assert isinstance(model, FujitaOgawa)
    assert not certify(model, tables, 1e-6).passed
