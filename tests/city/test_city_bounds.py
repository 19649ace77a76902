"""Global maximisers on circles and lines: against brute force, enumeration and the certified values."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import city, complaint

from agora.data import circle, grid, segment
from agora.methods.city.certified_map import certified_map, envelope
from agora.methods.city.chain_bounds import ChainBounds
from agora.methods.city.firms_game import FirmsGame
from agora.methods.city.lattice_chain import Chain, PathProgram, search
from agora.methods.city.lattice_city import LatticeCity, lattice_city
from agora.methods.city.vertex_enumeration import potentials, vertices
from agora.runners import solve
from agora.solvers import solve_within


def lattice_of(graph: nx.Graph, tau: float) -> LatticeCity:
    """Return the lattice of a city that fills its land with φ = 1."""
    return lattice_city(city(graph, 1.0, tau, firm_mass=sum(dict(graph.nodes(data="land")).values()) / 2))


def all_configurations(number: int) -> np.ndarray:
    """Return every u ∈ {−1, 0, 1}^I with Σ u = 0."""
    every = np.array(list(product((-1, 0, 1), repeat=number)), dtype=np.int8)
    return every[every.sum(axis=1) == 0]


def uneven_line(number: int, seed: int) -> nx.Graph:
    """Return equal cells in a row at uneven distances, named in no order."""
    random = np.random.default_rng(seed)
    names = random.permutation(number)
    graph = nx.Graph()
    graph.add_nodes_from(range(number), land=1 / number)
    for a, b in pairwise(names):
        graph.add_edge(int(a), int(b), length=float(random.uniform(0.02, 0.4)))
    return graph


# --- chains --------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), number=st.integers(2, 7), points=st.sampled_from([2, 5, 40]))
def test_a_bound_is_never_below_any_path_whatever_the_grid(seed: int, number: int, points: int) -> None:
    random = np.random.default_rng(seed)
    variance, carry = random.uniform(0.5, 2.0, number), random.uniform(0.05, 0.95, number)
    linear, toll = random.normal(size=(number, 2)), random.uniform(0.0, 2.0, number)
    kernel = np.diag(variance)
    for j, k in product(range(number), repeat=2):
        if j < k:
            kernel[j, k] = kernel[k, j] = variance[j] * carry[j + 1 : k + 1].prod()
    paths = all_configurations(number)
    flow = np.abs(np.cumsum(paths, axis=1)) @ toll
    values = (1.3 * ((paths @ kernel) * paths).sum(axis=1) - flow)[:, None] + paths @ linear
    program = PathProgram(Chain(variance, carry, number, points), 1.3, linear, toll)
    bounds = program.bounds()
    assert (bounds >= values.max(axis=0) - 1e-9).all()
    if points == 40:
        assert bounds == pytest.approx(values.max(axis=0), abs=0.25)
    threshold = float(np.sort(values[:, 0])[-3:][0]) - 1e-9
    found = search(program, program.tables(), lambda columns: columns[:, 0], threshold)
    assert found.complete
    listed = {tuple(path) for path in found.paths.tolist()}
    assert listed >= {tuple(p) for p in paths[values[:, 0] >= threshold].tolist()}


# --- cities against brute force --------------------------------------------------------------------


@settings(max_examples=12, deadline=None)
@given(
    number=st.integers(4, 9),
    tau=st.floats(0.3, 40.0),
    t=st.floats(0.01, 0.3),
    seed=st.integers(0, 1000),
    shape=st.sampled_from(["circle", "line", "uneven line"]),
)
def test_the_search_finds_the_best_of_all_configurations(
    number: int, tau: float, t: float, seed: int, shape: str
) -> None:
    graph = {"circle": circle, "line": segment}.get(shape, lambda n: uneven_line(n, seed))(number)
    bounds = ChainBounds(lattice_of(graph, tau))
    values = bounds.values(all_configurations(number), t)
    found = bounds.maximum(t)
    assert found.complete
    assert found.value == pytest.approx(values.max(), abs=1e-9)
    assert found.root >= values.max() - 1e-9
    assert bounds.values(found.best[None], t)[0] == pytest.approx(found.value, abs=1e-12)


def test_values_are_the_potential() -> None:
    for graph in (circle(9), segment(8), uneven_line(7, seed=3)):
        lattice, at = lattice_of(graph, 7.0), city(graph, 0.11, 7.0)
        random = np.random.default_rng(1)
        for steps in random.choice(all_configurations(len(graph)), 5):
            value = float(lattice.production(steps) - 0.11 * 8 / lattice.land * lattice.travel(steps))
            firms = lattice.firms(steps)
            travel = nx.Graph(graph)
            assert firms.sum() == pytest.approx(0.5)
            demand = {c: round(1e6 * (2 * m - travel.nodes[c]["land"])) for c, m in enumerate(firms)}
            demand[0] -= sum(demand.values())
            for c, d in demand.items():
                travel.nodes[c]["demand"] = d
            for *_, data in travel.edges(data=True):
                data["weight"] = round(1e6 * data["length"])
            least = nx.cost_of_flow(travel.to_directed(), nx.min_cost_flow(travel.to_directed())) / 1e12
            expected = at.interaction.potential(firms) - 0.11 * least
            assert lattice.potential(value) == pytest.approx(expected, abs=1e-6)


def test_configurations_within_a_distance_are_counted() -> None:
    graph, t, tau, within = circle(9), 0.12, 9.0, 0.8
    bounds = ChainBounds(lattice_of(graph, tau))
    configurations = all_configurations(9)
    values = bounds.values(configurations, t)
    near = configurations[values >= values.max() - within]

    def turned(steps: np.ndarray) -> tuple[int, ...]:
        return max(tuple(np.roll(s, k).tolist()) for s in (steps, steps[::-1]) for k in range(9))

    found = bounds.maximum(t, within=within)
    assert len(near) > 30
    assert {turned(s) for s in found.listed} == {turned(s) for s in near}
    assert len(found.listed) == len({turned(s) for s in near})


@pytest.mark.parametrize(("tau", "t"), [(8.0, 0.16), (8.0, 0.1), (12.0, 0.1)])
def test_the_best_lattice_configuration_is_the_best_vertex(tau: float, t: float) -> None:
    lattice, at = lattice_of(circle(8), tau), city(circle(8), t, tau)
    found = ChainBounds(lattice).maximum(t)
    best = potentials(FirmsGame(at), vertices(at)).max()
    assert lattice.potential(found.value) == pytest.approx(best, abs=1e-13)


# --- certified values ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("graph", "tau", "t", "known"),
    [  # certified values of the spec
        (circle(48), 25.0, 0.05, 0.014208440100),
        (circle(48), 25.0, 0.13, 0.010656969200),
        pytest.param(circle(48), 10.0, 0.12, 0.025552057842, marks=pytest.mark.heavy),
        (circle(24), 40.0, 0.1, 0.010400117916),
        pytest.param(circle(48), 40.0, 0.1, 0.007835385231, marks=pytest.mark.heavy),
        (segment(48), 25.0, 0.05, 0.014205496480),
        (segment(48), 25.0, 0.12, 0.010906456527),
        (segment(100), 25.0, 0.05, 0.013800748606),
    ],
)
def test_certified_values(graph: nx.Graph, tau: float, t: float, known: float) -> None:
    lattice = lattice_of(graph, tau)
    found = ChainBounds(lattice).maximum(t)
    assert found.complete
    assert lattice.potential(found.value) == pytest.approx(known, abs=1e-12)


@pytest.mark.parametrize("cells", [96, pytest.param(240, marks=pytest.mark.heavy)])
def test_even_centres_on_a_large_circle_are_certified(cells: int) -> None:
    # where (1 + q) u'Ku alone leaves a slack of 2q u'Ku and far too many configurations
    lattice = lattice_of(circle(cells), 12.0)
    found = ChainBounds(lattice).maximum(0.12)
    assert found.complete
    assert found.best.tolist() in [np.roll(lattice.centres(2), k).tolist() for k in range(cells)]


def test_conjecture_1_fails() -> None:
    for number, largest in ((24, 3), (48, 4)):  # I = 4 LCM(K): K = 3, 4
        bounds = ChainBounds(lattice_of(circle(number), 40.0))
        named = bounds.values(np.array([bounds.city.centres(j) for j in range(largest + 1)]), 0.1)
        found = bounds.maximum(0.1)
        assert found.complete
        assert found.value > named.max() + 1.0
        assert found.value == pytest.approx(bounds.values(bounds.city.centres(6)[None], 0.1)[0])


def test_a_search_cut_short_says_so() -> None:
    bounds = ChainBounds(lattice_of(circle(32), 11.0))
    whole = bounds.maximum(0.12)
    fresh = ChainBounds(lattice_of(circle(32), 11.0), points=3)
    part = fresh.maximum(0.12, width=2)
    assert whole.complete
    assert not part.complete
    assert part.bound >= whole.value - 1e-9
    assert part.bound > part.value


# --- all commuting costs at once ---------------------------------------------------------------------


def test_the_envelope_certifies_what_single_searches_certify() -> None:
    bounds = ChainBounds(lattice_of(circle(16), 20.0))
    found = envelope(bounds, 0.01, 0.2)
    fresh = ChainBounds(lattice_of(circle(16), 20.0))
    for t in np.linspace(0.01, 0.2, 9):
        single = fresh.maximum(float(t))
        assert found.certified(float(t))
        assert found.value(float(t)) == pytest.approx(single.value, abs=1e-9)
    assert len(found.configurations) > 2


def test_the_map_is_certified_and_holds_the_repaired_conjecture() -> None:
    table = certified_map(circle(24), [15.0, 40.0], [0.06, 0.1, 0.14])
    assert table["certified"].all()
    assert len(table) == 6
    lattice = lattice_of(circle(24), 15.0)
    for row in table[table["decay"] == 15.0].itertuples():
        rate = 8 / lattice.land
        patterns = np.array(list(lattice.symmetric_patterns().values()))
        values = lattice.production(patterns) - row.commuting_cost * rate * lattice.travel(patterns)
        assert row.potential == pytest.approx(lattice.potential(float(values.max())), abs=1e-13)


@pytest.mark.heavy
def test_the_map_does_not_depend_on_what_was_mapped_before() -> None:
    """Row for row, to the last bit: alone, after another map, and shared by two processes."""
    plane: tuple[Any, ...] = (circle(12), [2.0, 9.0, 15.0, 20.0, 40.0], [0.02, 0.06, 0.1])
    first = certified_map(*plane)
    certified_map(circle(12), [5.0, 30.0], [0.03, 0.2])
    pd.testing.assert_frame_equal(certified_map(*plane), first, check_exact=True)
    pd.testing.assert_frame_equal(certified_map(*plane, workers=2), first, check_exact=True)


@pytest.mark.heavy
def test_every_point_of_a_grid_of_48_cells_is_certified() -> None:
    table = certified_map(circle(48), np.linspace(0.5, 70, 164), np.linspace(0.005, 0.165, 33), workers=2)
    assert len(table) == 164 * 33
    assert table["certified"].all()


# --- as a user meets it ------------------------------------------------------------------------------


def test_global_on_a_circle_of_48_cells() -> None:
    solution = solve(city(circle(48), 0.12, 10.0), method="global", within=4e-5)
    facts = solution.certificate.facts
    assert solution.is_global
    assert solution.status == "global maximiser"
    assert solution.objective == pytest.approx(0.025552057842, abs=1e-12)
    assert facts["gap"] == 0.0
    assert facts["bound"] == solution.objective
    assert facts["configurations_within"] == 2  # m², and what is next to it, 3.9438612967e-05 lower
    assert facts["kind"] == "local maximiser"
    assert len(solution.tables["equilibria"]) == 2


def test_what_is_not_proved_is_not_claimed() -> None:
    solution = solve(city(circle(28), 0.12, 10.0), method="global", seconds=1e-9)
    facts = solution.certificate.facts
    assert not solution.is_global
    assert solution.status != "global maximiser"
    assert facts["gap"] > 0
    assert facts["proof"].startswith("none")
    assert facts["bound"] >= solution.objective


def test_the_error_names_the_assumption_that_fails() -> None:
    uneven = circle(12, land=[0.5, *[0.5 / 11] * 11])
    said = complaint(solve, city(uneven, 0.1, 5.0), method="global")
    assert "land of the cells" in said
    assert "Lemma 1" in said
    said = complaint(solve, city(circle(12), 0.1, 5.0, firm_mass=0.25, phi=3.0), method="global")
    assert "labor_per_firm is 3.0" in said
    assert "M = ½" in said
    said = complaint(solve, city(circle(12), 0.1, 5.0, firm_mass=0.4), method="global")
    assert "firm_mass is 0.4" in said
    assert "no excess land" in said
    bipartite = nx.complete_bipartite_graph(5, 6)
    nx.set_edge_attributes(bipartite, 1.0, "length")
    nx.set_node_attributes(bipartite, 1 / 11, "land")
    said = complaint(solve, city(bipartite, 0.1, 0.1), method="global")
    assert "least eigenvalue on the tangent space) is -0." in said
    assert "not positive definite" in said
    assert "guaranteed" in said


def test_other_geographies_are_no_chains() -> None:
    assert lattice_of(grid(3, 4), 2.0).shape == "graph"
    with pytest.raises(ValueError, match="no chain"):
        ChainBounds(lattice_of(grid(3, 4), 2.0))


# --- the mixed-integer program -------------------------------------------------------------------------


def test_golden_text_of_the_lattice_program() -> None:
    program = city(segment(2), 0.3, 2.0).lattice_program()
    assert str(program.lattice_balance[0].expr) == "firms[0] - 0.25*(1 + full[0] - empty[0])  ==  0"
    assert str(program.use_limit[0].expr) == "full[0] + empty[0]  <=  1"
    difference = "(full[0] - empty[0] - full[1] + empty[1])"
    assert str(program.difference_limit[0, 3, 1].expr) == f"-2.0  <=  squared_difference[0] - 3*{difference}"
    assert len(program.difference_limit) == 4


@pytest.mark.parametrize("number", [6, 8])
def test_the_program_on_the_lattice_is_the_potential(number: int) -> None:
    at = city(segment(number), 0.1, 6.0)
    lattice = lattice_city(at)
    random = np.random.default_rng(number)
    for steps in random.choice(all_configurations(number), 3):
        program = at.lattice_program()
        for variable, mass in zip(program.firms.values(), lattice.firms(steps).tolist(), strict=True):
            variable.fix(mass)
        _, bound = solve_within(program, 10.0)
        game = FirmsGame(at)
        assert bound * lattice.land**2 / 8 == pytest.approx(
            game.potential(game.lower_stage(lattice.firms(steps))), abs=1e-11
        )


@pytest.mark.parametrize(
    ("graph", "tau", "t"),
    [
        (circle(8), 12.0, 0.05),
        (segment(9), 9.0, 0.08),
        pytest.param(circle(8), 8.0, 0.16, marks=pytest.mark.heavy),
        pytest.param(circle(12), 10.0, 0.12, marks=pytest.mark.heavy),
        pytest.param(circle(12), 25.0, 0.1, marks=pytest.mark.heavy),
        pytest.param(segment(12), 25.0, 0.07, marks=pytest.mark.heavy),
    ],
)
def test_the_mixed_integer_program_has_the_same_value(graph: nx.Graph, tau: float, t: float) -> None:
    lattice = lattice_of(graph, tau)
    _, bound = solve_within(city(graph, t, tau).lattice_program(), 600.0)
    assert bound == pytest.approx(lattice.value(lattice.uniform) + ChainBounds(lattice).maximum(t).value)


def test_global_on_a_general_graph_reports_its_gap() -> None:
    plane = city(grid(3, 4), 0.1, 6.0)
    solved = solve(plane, method="global", seconds=300.0)
    assert solved.is_global
    assert "HiGHS" in solved.certificate.facts["proof"]
    assert solved.tables["cells"]["use"].tolist().count("business") == 6
    assert solved.objective >= solve(plane).objective - 1e-12
    cut = solve(city(grid(4, 4), 0.1, 6.0), method="global", seconds=0.2)
    assert not cut.is_global
    assert cut.certificate.facts["gap"] > 1e-6
    assert cut.certificate.facts["bound"] == pytest.approx(cut.objective + cut.certificate.facts["gap"])
