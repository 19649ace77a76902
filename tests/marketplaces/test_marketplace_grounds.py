"""Marketplaces in the plane and on networks: distances, bounds, proofs, certificates, errors."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import FOUR_SITES, complaint, geographies

from agora.data import InputError
from agora.data.geographies import cell_network
from agora.formulations.marketplaces.grounds import Line, Network, corners
from agora.formulations.marketplaces.market_equilibrium import slack
from agora.methods.marketplaces.branch_and_bound import best_structure
from agora.methods.marketplaces.line_bound import bounded_structure
from agora.methods.marketplaces.marketplaces import structure_problem
from agora.methods.marketplaces.median_bound import median_structure
from agora.models.marketplaces.marketplaces import Marketplaces
from agora.runners import certify, solve, solve_program
from agora.runners.figures.marketplaces.economy import draw_marketplace_map

FIVE = [[0.1, 0.2], [0.9, 0.1], [0.5, 0.6], [0.2, 0.9], [0.8, 0.8]]


def plane(**changes: Any) -> Marketplaces:
    return Marketplaces(
        **{**FOUR_SITES, "sites": FIVE, "makes": [1, 2, 1, 2, 1], "setup_cost": 0.1, **changes}
    )


def network(**changes: Any) -> Marketplaces:
    graph = nx.cycle_graph(["a", "b", "c", "d", "e"])
    graph.add_edge("a", "c")
    lengths = dict(zip(sorted(graph.edges), (0.3, 0.5, 0.2, 0.25, 0.4, 0.35), strict=True))
    nx.set_edge_attributes(graph, lengths, "length")
    nx.set_node_attributes(graph, 1.0, "land")
    rest = {key: value for key, value in FOUR_SITES.items() if key != "sites"}
    return Marketplaces(
        **{**rest, "geography": graph, "makes": [1, 2, 1, 2, 1], "setup_cost": 0.1, **changes}
    )


@settings(max_examples=30, deadline=None)
@given(geographies(), st.integers(0, 10**6))
def test_ways_on_a_network_are_those_of_a_graph_with_the_marketplaces_in_it(
    graph: nx.Graph, seed: int
) -> None:
    ground = Network(cell_network(graph), 2.0)
    random = np.random.default_rng(seed)
    piece = ground.pieces[int(random.integers(len(ground.pieces)))][0]
    place = np.array([random.uniform(*piece)])
    columns = ground.columns(place)
    near, far, way = (columns[name][0] for name in ("cell", "towards", "distance"))
    with_market, length = graph.copy(), graph.edges[near, far]["length"]
    with_market.add_edge(near, "market", length=way)
    with_market.add_edge("market", far, length=length - way)
    ways = nx.single_source_dijkstra_path_length(with_market, "market", weight="length")
    assert ground.travel(place) == pytest.approx([2.0 * ways[cell] for cell in sorted(graph)], abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["line", "plane", "network"]), st.integers(1, 2))
def test_no_place_in_a_box_is_worth_more_than_its_corners(seed: int, kind: str, number: int) -> None:
    """For a value that is convex and falls with distance."""
    random = np.random.default_rng(seed)
    grounds = {
        "line": Line(random.uniform(0, 1, 5), (0.0, 1.0)),
        "plane": plane().ground,
        "network": network().ground,
    }
    ground = grounds[kind]
    pieces = [ground.pieces[k] for k in random.integers(0, len(ground.pieces), number)]
    box = np.concatenate(pieces)
    if kind == "plane":
        box = np.sort(random.uniform(0.1, 0.9, box.shape), axis=1)

    def value(travel: np.ndarray) -> np.ndarray:
        return np.maximum(1.2 - travel, 0.0) ** 3

    bound = ground.corner_values(box, value).sum(axis=-1).max()
    for _ in range(30):
        places = random.uniform(box[:, 0], box[:, 1])
        assert value(ground.travel(places)).sum() <= bound * (1 + 1e-12)


def test_the_bound_of_a_small_box_in_the_plane_is_exact_to_second_order() -> None:
    ground, middle = plane().ground, np.array([0.31, 0.47])

    def excess(width: float) -> float:
        box = np.stack([middle - width, middle + width], axis=1)
        bound = ground.corner_values(box, _cube).sum(axis=-1)
        return float((bound - _cube(ground.travel(corners(box))).sum(axis=-1)).max())

    assert excess(1e-3) <= 1.5e-2 * excess(1e-2)


def _cube(travel: np.ndarray) -> np.ndarray:
    return np.maximum(1.5 - travel, 0.0) ** 3


@pytest.mark.heavy
def test_a_network_in_a_row_is_a_line() -> None:
    row = nx.path_graph(4)
    for (tail, head), length in zip(row.edges, (0.33, 0.34, 0.33), strict=True):
        row.edges[tail, head]["length"] = length
    nx.set_node_attributes(row, 1.0, "land")
    rest = {key: value for key, value in FOUR_SITES.items() if key != "sites"}
    changes: dict[str, Any] = {"commodity_shares": [0.2, 0.3], "setup_cost": 0.4}
    there = solve(Marketplaces(**{**rest, **changes, "geography": row}))
    here = solve(Marketplaces(**{**FOUR_SITES, **changes}))
    assert there.is_global
    assert there.certificate.passed
    assert there.objective == pytest.approx(here.objective, rel=1e-8)
    # spec: the marketplace is at .6557, inside an edge
    assert there.tables["marketplaces"].loc[0, ["cell", "towards"]].tolist() == [1, 2]
    assert there.tables["marketplaces"]["distance"][0] == pytest.approx(0.6557 - 0.33, abs=1e-4)


@pytest.mark.parametrize(
    "width", [0.005, *(pytest.param(width, marks=pytest.mark.heavy) for width in (0.02, 0.2))]
)
def test_sites_in_a_row_of_the_plane_are_a_line(width: float) -> None:
    sites = [[x, 0.0] for x in FOUR_SITES["sites"]]
    flat = {"sites": sites, "region": [[0.0, -width], [1.0, width]], "setup_cost": 0.1, "marketplaces": 1}
    there = solve(Marketplaces(**{**FOUR_SITES, **flat}), seconds=600)
    here = solve(Marketplaces(**{**FOUR_SITES, "setup_cost": 0.1, "marketplaces": 1}))
    assert there.is_global
    assert there.objective == pytest.approx(here.objective, rel=1e-8)


@pytest.mark.parametrize(
    "model",
    [
        plane(region=[[0.4, 0.4], [0.6, 0.6]]),
        network(),
        pytest.param(plane(), marks=pytest.mark.heavy),
    ],
)
def test_the_best_structure_is_proved_and_certified(model: Marketplaces) -> None:
    solution = solve(model)
    facts = solution.certificate.facts
    assert solution.certificate.passed
    assert solution.is_global
    assert facts["gap"] <= 1e-8
    ground, random = model.ground, np.random.default_rng(3)
    on = structure_problem(model)
    for number in (1, 2, 3):
        for places in combinations(ground.candidates, number):
            assert on.solve(np.concatenate(places)).utility <= facts["bound"]
        for _ in range(15):
            pieces = [ground.pieces[k] for k in random.integers(0, len(ground.pieces), number)]
            box = np.concatenate(pieces)
            assert on.solve(random.uniform(box[:, 0], box[:, 1])).utility <= facts["bound"]
    table = solution.tables["structures"]
    assert (table["utility"] <= table["bound"]).all()


@pytest.mark.parametrize(
    ("model", "number"),
    [
        (plane(region=[[0.4, 0.4], [0.6, 0.6]]), 1),
        (network(), 1),
        (network(), 2),
        *(pytest.param(plane(), number, marks=pytest.mark.heavy) for number in (1, 2)),
    ],
)
def test_medians_bound_what_boxes_find(model: Marketplaces, number: int) -> None:
    on = structure_problem(model)
    bounded, exact = median_structure(on, number), best_structure(on, number, gap=1e-6, seconds=20.0)
    assert bounded.utility <= exact.bound
    assert bounded.bound >= exact.utility * (1 - 1e-10)


def test_medians_and_the_dynamic_program_bound_alike() -> None:
    """Where the relaxation is integral, as on a line, both are the same dual."""
    on = structure_problem(Marketplaces(**{**FOUR_SITES, "setup_cost": 0.1}))
    for number in (1, 2, 3):
        assert median_structure(on, number).bound == pytest.approx(
            bounded_structure(on, number).bound, rel=1e-6
        )


@pytest.mark.heavy
def test_a_bound_for_all_larger_numbers_holds_for_them() -> None:
    on = structure_problem(plane())
    top = max((median_structure(on, number) for number in (1, 2)), key=lambda found: found.utility)
    found = next(f for n in (2, 3, 4) if (f := median_structure(on, n, top.utility)).beyond)
    for number in range(found.number, 6):
        for places in combinations(on.ground.candidates, number):
            assert on.solve(np.concatenate(places)).utility <= found.bound


def test_a_limit_leaves_an_honest_bound() -> None:
    solution = solve(plane(), seconds=1e-3)
    assert not solution.is_global
    assert solution.certificate.facts["bound"] >= solution.objective
    assert "limit" in solution.certificate.facts["proof"]


def test_the_lagrangian_bound_holds_in_the_plane() -> None:
    model, random = plane(), np.random.default_rng(5)
    on = structure_problem(model)
    for _ in range(20):
        here, there = random.uniform(0.1, 0.9, 4), random.uniform(0.1, 0.9, 4)
        at, other = on.solve(here), on.solve(there)
        assert float(slack(model.economy, at, other.utility, on.travel(there), on.need(there))) >= -1e-12


def test_the_free_program_of_the_plane_reaches_the_proved_optimum() -> None:
    model = plane(marketplaces=1, region=[[0.4, 0.4], [0.6, 0.6]])
    program = model.program()
    solve_program(program)
    assert certify(model, model.read(program), 1e-6).passed
    assert float(program.utility.value) == pytest.approx(solve(model).objective, rel=1e-7)


@pytest.mark.parametrize(
    ("make", "changes", "sentence"),
    [
        (
            plane,
            {"sites": [[0, 0], [1, 1], 2.0, [0, 1], [1, 0]]},
            "sites[2] is 2.0, but must be a pair [x, y]",
        ),
        (plane, {"sites": [*FIVE[:4], [0.1, float("nan")]]}, "sites[4] is nan, but must be a finite number."),
        (plane, {"sites": [*FIVE[:4], FIVE[0]]}, "two or more different positions"),
        (plane, {"marketplaces": [[0.5, 2.0]]}, "[x, y] within the region D = [0.1, 0.9] × [0.1, 0.9]"),
        (plane, {"marketplaces": [0.5]}, "[x, y] within the region"),
        (plane, {"region": [0.0, 1.0]}, "two corners of a rectangle"),
        (plane, {"railway": {"scale": "once"}}, "'per-marketplace' unless the sites are on a line"),
        (plane, {"time_per_distance": -1.0}, "time_per_distance is -1.0, but must be a finite number > 0."),
        (network, {"marketplaces": ["z"]}, "a cell, or [cell, neighbouring cell, distance from the first"),
        (network, {"marketplaces": [["a", "b", 0.9]]}, "a cell, or [cell, neighbouring cell"),
        (network, {"sites": [0.0, 1.0]}, "left out: the sites are the cells of the geography"),
        (network, {"region": [0.0, 1.0]}, "left out: marketplaces may be anywhere on the network"),
        (network, {"makes": [1, 2]}, "one commodity a site, 5 in all"),
        (network, {"geography": nx.DiGraph([(0, 1)])}, "length of edge 0-1 is missing"),
    ],
)
def test_bad_parameters_get_one_sentence(make: Any, changes: dict[str, Any], sentence: str) -> None:
    said = complaint(make, **changes)
    assert sentence in said
    assert said.count("\n") == 0


@pytest.mark.parametrize("make", [plane, network])
def test_what_nobody_can_pay_for_is_refused_before_solving(make: Any) -> None:
    with pytest.raises(InputError, match=r"setup_cost is 3\.0, but must be below"):
        solve(make(setup_cost=3.0))


def test_the_map_shows_every_site_and_marketplace() -> None:
    for model in (plane(marketplaces=[[0.5, 0.5], [0.2, 0.3]]), network(marketplaces=["a", ["c", "d", 0.1]])):
        solution = solve(model)
        figure = draw_marketplace_map(model, solution.tables)
        counts = {c.get_label(): len(c.get_offsets()) for c in figure.axes[0].collections}
        assert counts["sites"] == 5
        assert counts["marketplaces"] == 2


@pytest.mark.heavy
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_twenty_five_sites_in_the_plane_are_proved(seed: int) -> None:
    random = np.random.default_rng(seed)
    many = plane(
        sites=random.uniform(0, 1, (25, 2)).tolist(), makes=[1 + k % 2 for k in range(25)], setup_cost=0.05
    )
    solution = solve(many, seconds=120)
    assert solution.certificate.passed
    assert solution.is_global
