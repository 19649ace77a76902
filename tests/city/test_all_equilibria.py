"""Every equilibrium of small cities: the counts of the spec, an older method, and what starts can reach."""

from __future__ import annotations

import math
from collections import Counter

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import city, complaint, geographies

from agora.data import circle, segment, star, two_cell
from agora.data.geographies import rearrangements
from agora.methods.city.all_equilibria import (
    Equilibrium,
    basins,
    even_distributions,
    every_equilibrium,
)
from agora.methods.city.firms_game import FirmsGame
from agora.methods.city.vertex_enumeration import potentials, vertices
from agora.models import FujitaOgawa
from agora.papers.osawa_akamatsu.cities import all_equilibria as by_faces
from agora.runners import certify, solve


def at_half(cells: int, t: float) -> FujitaOgawa:
    """Return the circular city with δ = ½."""
    return city(circle(cells), t, -cells * math.log(0.5))


def holds(found: list[Equilibrium], firms: np.ndarray, scale: float) -> bool:
    """Tell whether a distribution of firms is among the equilibria."""
    return any(np.abs(e.state.firms - firms).max() <= 1e-6 * scale for e in found)


@pytest.mark.parametrize(
    ("cells", "t", "number", "maximisers"),
    [  # three cells: 25 for t < ⅜(1−δ), 13 up to ½(1−δ), 1 above; four cells: counts of the spec
        (3, 0.15, 25, 7),
        (3, 0.18, 25, 7),
        (3, 0.2, 13, 7),
        (3, 0.24, 13, 7),
        (3, 0.26, 1, 1),
        *(
            pytest.param(*row, marks=pytest.mark.heavy)
            for row in ((4, 0.03, 53, 7), (4, 0.1, 69, 7), (4, 0.15, 65, 13), (4, 0.2, 33, 13))
        ),
        (4, 0.3, 17, 5),
    ],
)
def test_numbers_of_equilibria(cells: int, t: float, number: int, maximisers: int) -> None:
    found = every_equilibrium(FirmsGame(at_half(cells, t)))
    assert len(found) == number
    assert sum(e.kind == "local maximiser" for e in found) == maximisers


def test_the_equilibria_of_three_cells_by_orbit() -> None:
    game = FirmsGame(at_half(3, 0.15))
    found = every_equilibrium(game)
    orbits = Counter(e.orbit for e in found)
    listed = {
        (tuple(np.sort(e.state.firms * 6)[::-1].round(9)), orbits[e.orbit], e.kind == "local maximiser")
        for e in found
    }
    assert listed == {
        ((2.0, 1.0, 0.0), 6, True),
        ((1.0, 1.0, 1.0), 1, True),
        ((2.0, 0.5, 0.5), 3, False),
        ((1.8, 0.6, 0.6), 3, False),
        ((1.6, 1.0, 0.4), 6, False),
        ((1.5, 1.5, 0.0), 3, False),
        ((1.4, 1.4, 0.2), 3, False),
    }


@pytest.mark.parametrize("t", [0.1, 0.17, 0.22])
def test_two_methods_list_the_same(t: float) -> None:
    uneven = circle(3, land=[0.5, 0.3, 0.2])
    game = FirmsGame(city(uneven, t, 4.0))
    found, others = every_equilibrium(game), by_faces(game)
    assert len(found) == len(others)
    assert all(holds(found, other.firms, game.scale) for other in others)


@settings(max_examples=4)
@given(geographies(largest=4), st.floats(0.02, 0.4), st.floats(0.5, 6.0), st.sampled_from([0.5, 1.0, 2.0]))
def test_every_maximum_that_can_be_reached_is_listed(
    graph: nx.Graph, t: float, tau: float, phi: float
) -> None:
    at = city(graph, t, tau, firm_mass=1 / (1 + phi), phi=phi)
    game = FirmsGame(at)
    if game.tangent_eigenvalue <= 1e-6:
        return
    found = every_equilibrium(game)
    assert all(game.gap(e.state) <= 1e-9 for e in found)
    random = np.random.default_rng(0)
    for start in even_distributions(game, 6, random):
        assert holds(found, game.climb(start).firms, game.scale)
    assert found[0].potential == pytest.approx(potentials(game, vertices(at)).max(), abs=1e-12)
    assert found[0].kind == "local maximiser"


@pytest.mark.parametrize(("mass", "t"), [(0.4, 0.05), (0.4, 0.2), (0.43, 0.6)])
def test_two_cells_with_excess_land_against_a_fine_grid(mass: float, t: float) -> None:
    # along m_1 an equilibrium is where g' changes sign, or an end towards which g rises
    at = city(two_cell(land=(0.55, 0.45)), t, -math.log(0.1), firm_mass=mass)
    game = FirmsGame(at)
    low, high = max(0.0, mass - 0.45), min(mass, 0.55)
    m = np.linspace(low, high, 1001)
    firms = np.stack([m, mass - m], axis=1)
    g = np.array([at.interaction.potential(f) for f in firms]) - game.commuting_costs(firms)
    rising = np.diff(g) > 0
    expected = int((rising[1:] != rising[:-1]).sum()) + int(not rising[0]) + int(rising[-1])
    assert len(every_equilibrium(game)) == expected
    assert expected > 1


def test_symmetries_of_geographies() -> None:
    assert len(list(rearrangements(city(circle(5), 1.0, 1.0).network))) == 10
    assert len(list(rearrangements(city(segment(4), 1.0, 1.0).network))) == 2
    uneven = city(circle(4, land=[0.4, 0.2, 0.2, 0.2]), 1.0, 1.0).network
    assert len(list(rearrangements(uneven))) == 2
    assert uneven.symmetries is not None
    assert sorted(uneven.symmetries.tolist()) == [[0, 1, 2, 3], [0, 3, 2, 1]]
    assert city(circle(17), 1.0, 1.0).network.symmetries is None  # too many cells to write them out
    assert city(star(8), 1.0, 1.0).network.symmetries is None  # 8! of them


def test_basins_belong_to_maximisers_and_sum_to_one() -> None:
    game = FirmsGame(at_half(3, 0.15))
    found = every_equilibrium(game)
    shares = basins(game, found, 60)
    assert shares.sum() == pytest.approx(1.0)
    assert all(share == 0 for e, share in zip(found, shares, strict=True) if e.kind != "local maximiser")


def test_as_a_user_meets_it() -> None:
    solution = solve(at_half(3, 0.15), method="all-equilibria", samples=10)
    facts, table = solution.certificate.facts, solution.tables["equilibria"]
    assert solution.is_global
    assert facts["equilibria"] == len(table) == 25
    assert facts["kinds"]["local maximiser"] == 7
    assert (table.groupby("orbit")["orbit_size"].first() == table.groupby("orbit").size()).all()
    assert (table.groupby("orbit")["potential"].agg(np.ptp) < 1e-12).all()
    firms = solution.tables["equilibrium_firms"].pivot_table(
        index="equilibrium", columns="cell", values="firms"
    )
    assert firms.sum(axis=1).to_numpy() == pytest.approx(np.full(25, 0.5))
    assert certify(solution.model, solution.tables, 1e-6).passed


def test_what_is_refused() -> None:
    assert "at most 6" in complaint(solve, city(circle(7), 0.1, 2.0), method="all-equilibria")
    crowded = nx.complete_graph(6)
    nx.set_edge_attributes(crowded, 1.0, "length")
    nx.set_node_attributes(crowded, 1 / 6, "land")
    assert "number of links" in complaint(solve, city(crowded, 0.1, 2.0), method="all-equilibria")
    bipartite = nx.complete_bipartite_graph(2, 3)
    nx.set_edge_attributes(bipartite, 1.0, "length")
    nx.set_node_attributes(bipartite, 0.2, "land")
    assert "-0.0253867" in complaint(solve, city(bipartite, 0.1, 0.1), method="all-equilibria")
