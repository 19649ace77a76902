"""as_geography, CellNetwork and positions: hand values, fixed order, and the sentence of every bad input."""

from __future__ import annotations

import itertools
import math
import pickle
import random
from collections.abc import Callable
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from makers import city, complaint

from agora.data.checks import InputError
from agora.data.frozen_geographies import frozen_geography
from agora.data.geographies import (
    CellNetwork,
    as_geography,
    cell_network,
    circle,
    hexagonal,
    positions,
    sorted_cells,
)
from agora.models import SpatialTrade
from agora.models.model import plain


def line(*lengths: float, kind: type[nx.Graph] = nx.Graph) -> nx.Graph:
    """Return cells 0, 1, ... of land 1 in a row, joined by edges of the given lengths."""
    graph = kind()
    graph.add_nodes_from(range(len(lengths) + 1), land=1.0)
    graph.add_edges_from((cell, cell + 1, {"length": length}) for cell, length in enumerate(lengths))
    return graph


def osmnx_like() -> nx.MultiDiGraph:
    """Return a street graph of the shape OSMnx gives: node numbers, x, y, metres, parallel edges, a loop."""
    graph = nx.MultiDiGraph(crs="epsg:4326", simplified=True)
    for node, x, y in [(42433066, 4.90, 52.37), (42433070, 4.91, 52.37), (7, 4.90, 52.38)]:
        graph.add_node(node, x=x, y=y, street_count=3)
    shape = object()  # a geometry: as_geography need not know what it is
    for tail, head, length in [(42433066, 42433070, 120.5), (42433066, 42433070, 98.25), (42433070, 7, 300)]:
        graph.add_edge(tail, head, length=length, osmid=[1, 2], oneway=False, geometry=shape)
        graph.add_edge(head, tail, length=length, osmid=[1, 2], oneway=False, geometry=shape)
    graph.add_edge(7, 7, length=55.0, osmid=3, oneway=False)
    return graph


def test_street_graph_becomes_a_simple_graph_with_the_shortest_edges() -> None:
    graph = as_geography(osmnx_like(), land=None)
    assert type(graph) is nx.Graph
    assert {frozenset((u, v)): data for u, v, data in graph.edges(data=True)} == {
        frozenset((42433066, 42433070)): {"length": 98.25},
        frozenset((42433070, 7)): {"length": 300.0},
    }
    assert graph.nodes[7] == {"land": pytest.approx(1 / 3), "x": 4.90, "y": 52.38}
    assert cell_network(graph).distances[0].tolist() == [0, 398.25, 300]


def test_one_way_street_keeps_the_graph_directed() -> None:
    graph = osmnx_like()
    graph.add_edge(7, 42433066, length=10.0)
    geography = as_geography(graph, land=None, total_land=6.0)
    assert type(geography) is nx.DiGraph
    assert geography.number_of_edges() == 5
    network = cell_network(geography)
    assert network.cells == (7, 42433066, 42433070)
    assert network.land.tolist() == [2, 2, 2]
    assert network.distances.tolist() == [[0, 10, 108.25], [398.25, 0, 98.25], [300, 98.25, 0]]


def test_twins_of_different_length_stay_directed() -> None:
    graph = line(1.0, kind=nx.DiGraph)
    graph.add_edge(1, 0, length=2.0)
    assert type(as_geography(graph)) is nx.DiGraph
    graph.add_edge(1, 0, length=1.0)
    assert type(as_geography(graph)) is nx.Graph


def test_land_comes_from_an_attribute_a_mapping_or_in_equal_shares() -> None:
    graph = line(1.0, 1.0)
    nx.set_node_attributes(graph, {0: 3, 1: 2, 2: 5}, "area")
    assert cell_network(as_geography(graph, land="area")).land.tolist() == [3, 2, 5]
    assert cell_network(as_geography(graph, land="area", total_land=1.0)).land.tolist() == [0.3, 0.2, 0.5]
    assert cell_network(as_geography(graph, land={0: 1, 1: 1, 2: 2}, total_land=8)).land.tolist() == [2, 2, 4]
    assert cell_network(as_geography(graph, land={0: 1, 1: 1, 2: 2})).land.tolist() == [1, 1, 2]
    assert cell_network(as_geography(graph, land=None)).land.tolist() == pytest.approx([1 / 3] * 3)
    assert cell_network(as_geography(graph, land=None, total_land=6)).land.tolist() == [2, 2, 2]


def test_length_names_the_attribute() -> None:
    graph = nx.MultiGraph()
    graph.add_nodes_from("ab", land=1)
    graph.add_edge("a", "b", minutes=3, length=-1)
    graph.add_edge("a", "b", minutes=np.float32(2.5), length=-1)
    assert list(as_geography(graph, length="minutes").edges(data=True)) == [("a", "b", {"length": 2.5})]


def test_kind_is_carried_over_and_nothing_else() -> None:
    assert as_geography(circle(3)).graph == {"kind": "circle"}
    assert as_geography(osmnx_like(), land=None).graph == {"kind": "graph"}


def test_largest_component_is_kept_on_request() -> None:
    graph = line(1.0, 1.0)
    graph.add_edge("far", "away", length=1.0)
    geography = as_geography(graph, land=None, largest_component=True)
    assert sorted(geography) == [0, 1, 2]
    assert sum(nx.get_node_attributes(geography, "land").values()) == pytest.approx(1.0)
    one_way = line(1.0, 1.0, 1.0, kind=nx.DiGraph)
    one_way.add_edge(2, 1, length=1.0)
    assert sorted(as_geography(one_way, largest_component=True)) == [1, 2]


def test_equal_pieces_are_chosen_by_order_not_by_insertion() -> None:
    graph = nx.Graph([("c", "d"), ("b", "a")])
    nx.set_edge_attributes(graph, 1.0, "length")
    assert sorted(as_geography(graph, land=None, largest_component=True)) == ["a", "b"]


def broken(change: Callable[[nx.Graph], None], kind: type[nx.Graph] = nx.Graph) -> nx.Graph:
    """Return a sound line of three cells after one change."""
    graph = line(1.0, 2.0, kind=kind)
    change(graph)
    return graph


@pytest.mark.parametrize(
    ("graph", "options", "sentence"),
    [
        ([(0, 1)], {}, "graph is [(0, 1)], but must be a networkx graph."),
        (nx.Graph(), {}, "number of cells is 0, but must be a whole number >= 2."),
        (line(), {}, "number of cells is 1, but must be a whole number >= 2."),
        (
            nx.path_graph(2),
            {},
            "length of edge 0-1 is missing, but must be given by its edge attribute 'length' "
            "(the edge has no attribute).",
        ),
        (
            osmnx_like(),
            {"length": "metres"},
            "metres of edge 42433066-42433070 is missing, but must be given by its edge attribute 'metres' "
            "(the edge has 'length', 'osmid', 'oneway', 'geometry').",
        ),
        (line(1, 0), {}, "length of edge 1-2 is 0, but must be a finite number > 0."),
        (line(1, -2.5), {}, "length of edge 1-2 is -2.5, but must be a finite number > 0."),
        (line(math.nan), {}, "length of edge 0-1 is nan, but must be a finite number > 0."),
        (line(math.inf), {}, "length of edge 0-1 is inf, but must be a finite number > 0."),
        (line("12 m"), {}, "length of edge 0-1 is '12 m', but must be a finite number > 0."),
        (line(None), {}, "length of edge 0-1 is None, but must be a finite number > 0."),
        (
            broken(lambda graph: graph.nodes[1].clear()),
            {},
            "land of cell 1 is missing, but must be given by the node attribute 'land' "
            "(or land=None: equal shares).",
        ),
        (
            line(1.0),
            {"land": "area"},
            "land of cell 0 is missing, but must be given by the node attribute 'area' "
            "(or land=None: equal shares).",
        ),
        (
            broken(lambda graph: graph.add_node(1, land=0)),
            {},
            "land of cell 1 is 0, but must be a finite number > 0.",
        ),
        (
            broken(lambda graph: graph.add_node(2, land=-1.0)),
            {},
            "land of cell 2 is -1.0, but must be a finite number > 0.",
        ),
        (
            broken(lambda graph: graph.add_node(2, land=math.nan)),
            {},
            "land of cell 2 is nan, but must be a finite number > 0.",
        ),
        (
            line(1.0),
            {"land": {0: 1.0}},
            "land of cell 1 is missing, but must be given: the mapping has no entry for it.",
        ),
        (line(1.0), {"land": {0: 1.0, 1: 1.0, 9: 1.0}}, "key of land is 9, but must be a cell of the graph."),
        (line(1.0), {"land": {0: 1.0, 1: 0.0}}, "land of cell 1 is 0.0, but must be a finite number > 0."),
        (
            line(1.0),
            {"land": 3.0},
            "land is 3.0, but must be a node attribute, a mapping from cells to numbers, or None.",
        ),
        (line(1.0), {"length": ["km"]}, "length is ['km'], but must be the name of an edge attribute."),
        (line(1.0), {"total_land": 0}, "total_land is 0, but must be a finite number > 0."),
        (line(1.0), {"largest_component": "yes"}, "largest_component is 'yes', but must be true or false."),
        (
            broken(lambda graph: graph.add_node(0, x="east")),
            {},
            "x of cell 0 is 'east', but must be a finite number.",
        ),
        (
            broken(lambda graph: graph.add_node(0, y=math.nan)),
            {},
            "y of cell 0 is nan, but must be a finite number.",
        ),
        (
            broken(
                lambda graph: graph.add_edges_from([("p", "q", {"length": 1.0}), ("r", "s", {"length": 1.0})])
            ),
            {},
            "number of connected pieces is 3, but must be 1 (cell 'p' is not joined to cell 0; "
            "largest_component=True keeps the largest piece).",
        ),
        (
            broken(lambda graph: graph.add_edge(1, 0, length=1.0), nx.DiGraph),
            {},
            "number of strongly connected pieces is 2, but must be 1 (no route leads from cell 2 to cell 0; "
            "largest_component=True keeps the largest piece).",
        ),
        (
            broken(lambda graph: graph.add_edge(2, 1, length=1.0), nx.DiGraph),
            {},
            "number of strongly connected pieces is 2, but must be 1 (no route leads from cell 1 to cell 0; "
            "largest_component=True keeps the largest piece).",
        ),
        (
            line(1.0, kind=nx.DiGraph),
            {"largest_component": True},
            "number of cells is 1, but must be a whole number >= 2.",
        ),
    ],
)
def test_as_geography_says_what_is_wrong(graph: object, options: dict[str, Any], sentence: str) -> None:
    assert complaint(as_geography, graph, **options) == sentence


def test_cell_network_and_positions_check_the_graph() -> None:
    assert (
        complaint(cell_network, line(-1.0)) == "length of edge 0-1 is -1.0, but must be a finite number > 0."
    )
    assert complaint(positions, line(-1.0)) == "length of edge 0-1 is -1.0, but must be a finite number > 0."


NUMBERS = st.sampled_from([1, 2.5, np.float64(3.0), 0, -1.0, math.nan, None, "4"])
GOOD = st.floats(min_value=0.01, max_value=100.0)


@st.composite
def any_graphs(draw: st.DrawFn) -> nx.Graph:
    """Return a graph of any networkx class, sound or not."""
    graph = draw(st.sampled_from([nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph]))(
        name="mine", kind="own"
    )
    numbers = draw(st.sampled_from([GOOD, NUMBERS]))
    for cell in draw(st.permutations(range(draw(st.integers(0, 5))))):
        graph.add_node(
            cell, **draw(st.fixed_dictionaries({}, optional={"land": numbers, "x": numbers, "note": numbers}))
        )
    if len(graph):
        for tail, head in draw(st.lists(st.tuples(*[st.sampled_from(list(graph))] * 2), max_size=12)):
            graph.add_edge(
                tail, head, **draw(st.fixed_dictionaries({}, optional={"length": numbers, "tag": numbers}))
            )
    return graph


def content(graph: nx.Graph) -> str:
    """Return all that a graph holds, in its order (as text: nan equals itself)."""
    edges = graph.edges(keys=True, data=True) if graph.is_multigraph() else graph.edges(data=True)
    return repr((type(graph), graph.graph, list(graph.nodes(data=True)), list(edges)))


@given(
    graph=any_graphs(),
    land=st.sampled_from(["land", None, {0: 1.0, 1: 2.0}]),
    total_land=st.sampled_from([None, 2.0]),
    largest_component=st.booleans(),
)
def test_as_geography_never_changes_its_input(
    graph: nx.Graph, land: object, total_land: float | None, largest_component: bool
) -> None:
    before = content(graph), repr(land)
    try:
        result = as_geography(graph, land=land, total_land=total_land, largest_component=largest_component)
    except InputError:
        pass  # refused, and told why: test_as_geography_says_what_is_wrong
    else:
        assert type(result) in (nx.Graph, nx.DiGraph)
        assert all(data["land"] > 0 for data in result.nodes.values())
        assert all(data["length"] > 0 for *_, data in result.edges(data=True))
        for *_, data in itertools.chain(result.nodes(data=True), result.edges(data=True)):
            data.clear()  # nor does a change of the result reach the input
    assert (content(graph), repr(land)) == before


def test_cell_network_of_a_line_is_what_one_writes_by_hand() -> None:
    network = cell_network(line(1.0, 2.0))
    assert isinstance(network, CellNetwork)
    assert network.number == 3
    assert network.cells == (0, 1, 2)
    assert network.tails.tolist() == [0, 1, 1, 2]
    assert network.heads.tolist() == [1, 0, 2, 1]
    assert network.lengths.tolist() == [1, 1, 2, 2]
    assert network.outgoing == ((0,), (1, 2), (3,))
    assert network.incoming == ((1,), (0, 3), (2,))
    assert network.matrix().toarray().tolist() == [[0, 1, 0], [1, 0, 2], [0, 2, 0]]
    assert network.distances.tolist() == [[0, 1, 3], [1, 0, 2], [3, 2, 0]]
    assert network.distances is network.distances


def test_distances_respect_one_way_arcs() -> None:
    graph = line(1.0, 1.0, kind=nx.DiGraph)
    graph.add_edge(2, 0, length=5.0)
    assert cell_network(graph).distances.tolist() == [[0, 1, 2], [6, 0, 1], [5, 6, 0]]


@pytest.mark.parametrize("name", ["land", "lengths", "tails", "heads", "distances"])
def test_arrays_of_a_cell_network_are_read_only(name: str) -> None:
    array = getattr(cell_network(circle(4)), name)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 7


def test_cell_network_leaves_the_arrays_it_is_given_writable() -> None:
    land = np.ones(2)
    ends = np.array([0, 1]), np.array([1, 0])
    network = CellNetwork(("a", "b"), land, *ends, np.ones(2))
    land[0] = 5
    assert network.land.tolist() == [1, 1]


def shuffled(graph: nx.Graph, seed: int) -> nx.Graph:
    """Return the same graph with cells and edges inserted in another order, and edges turned round."""
    chance = random.Random(seed)
    cells, edges = list(graph.nodes(data=True)), list(graph.edges(data=True))
    chance.shuffle(cells)
    chance.shuffle(edges)
    other = type(graph)(**graph.graph)
    other.add_nodes_from(cells)
    other.add_edges_from(
        (v, u, d) if not graph.is_directed() and chance.random() < 0.5 else (u, v, d) for u, v, d in edges
    )
    return other


@pytest.mark.parametrize(
    "names", [str, lambda cell: (cell % 2, str(cell)), lambda cell: cell if cell % 3 else f"c{cell}"]
)
@pytest.mark.parametrize("seed", range(5))
def test_numbers_do_not_depend_on_the_order_of_insertion(names: Callable[[int], Any], seed: int) -> None:
    graph = nx.relabel_nodes(hexagonal(2), names)
    for number, (tail, head) in enumerate(graph.edges):
        graph.edges[tail, head]["length"] = 1 + number / 7
        graph.nodes[tail]["land"] = 1 + number / 3
    network, other = cell_network(graph), cell_network(shuffled(graph, seed))
    assert network.cells == other.cells
    for name in ("land", "tails", "heads", "lengths", "distances"):
        np.testing.assert_array_equal(getattr(network, name), getattr(other, name))
    np.testing.assert_array_equal(positions(graph), positions(shuffled(graph, seed)))


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([10, 9, 2.5, np.int64(1)], (1, 2.5, 9, 10)),
        (["b", "a10", "a9"], ("a10", "a9", "b")),
        ([(1, "b"), (1, "a"), (0, "z")], ((0, "z"), (1, "a"), (1, "b"))),
        (["b", 2, "a", 10], (10, 2, "a", "b")),
        ([(1, 2), (1, "a")], ((1, "a"), (1, 2))),
        ([(1, 2), (0, 1, 2)], ((0, 1, 2), (1, 2))),
        ([1.0, math.nan, 0.5], (0.5, 1.0, math.nan)),
        ([frozenset({2}), frozenset({1})], (frozenset({1}), frozenset({2}))),
    ],
)
def test_cells_are_sorted_whatever_they_are(cells: list[Any], expected: tuple[Any, ...]) -> None:
    for permutation in itertools.permutations(cells):
        assert sorted_cells(permutation) == expected


@pytest.mark.parametrize("cells", [40, 201])
def test_positions_without_coordinates_are_a_layout_that_never_changes(cells: int) -> None:
    graph = circle(cells)
    del graph.nodes[3]["x"]  # coordinates of all cells, or a layout
    places = positions(graph)
    assert places.shape == (cells, 2)
    assert np.isfinite(places).all()
    assert len(np.unique(np.round(places, 6), axis=0)) == cells
    np.testing.assert_array_equal(places, positions(shuffled(graph, 1)))
    assert not np.allclose(places, positions(circle(cells)))


def test_positions_of_a_directed_geography() -> None:
    graph = line(1.0, 1.0, kind=nx.DiGraph)
    graph.add_edge(2, 0, length=1.0)
    assert positions(graph).shape == (3, 2)


# --- frozen geographies ----------------------------------------------------------------------------


def test_models_of_one_geography_share_its_numbers() -> None:
    first = city(circle(6), 0.1, 2.0)
    second = city(first.geography, 0.2, 2.0)
    assert second.geography is first.geography
    assert second.network is first.network
    assert city(circle(6), 0.1, 2.0).network is not first.network  # equal, and another graph
    trade = SpatialTrade(
        geography=first.geography, trade_cost={"rate": 0.5}, elasticity=5.0, population=[1.0] * 6
    )
    assert trade.network is first.network
    assert first.model_copy(update={"commuting_cost": 0.3}).network is first.network


@pytest.mark.parametrize("directed", [False, True])
def test_a_frozen_geography_is_a_checked_copy(directed: bool) -> None:
    given = nx.DiGraph(circle(4)) if directed else circle(4)
    if directed:
        given.edges[0, 1]["length"] = 2.0
    frozen = frozen_geography(given)
    assert frozen.is_directed() == directed
    assert plain(frozen) == plain(as_geography(given))
    given.nodes[0]["land"] = 9.0
    assert frozen.nodes[0]["land"] == 0.25
    with pytest.raises(nx.NetworkXError, match="Frozen"):
        frozen.add_edge(0, 2, length=1.0)
    numbers = frozen.network
    again = pickle.loads(pickle.dumps(frozen))
    assert nx.is_frozen(again)
    assert again.network.lengths.tolist() == numbers.lengths.tolist()
    changed = frozen.copy()
    changed.nodes[0]["land"] = 0.75
    assert frozen_geography(changed).network.land[0] == 0.75
    with pytest.raises(TypeError, match="a copy of a geography that may change"):
        _ = changed.network


def test_a_geography_in_pieces_is_checked_again_where_it_must_be_one() -> None:
    pieces = nx.compose(circle(3), nx.relabel_nodes(circle(3), {0: 3, 1: 4, 2: 5}))
    frozen = frozen_geography(pieces, connected=False)
    assert frozen.network.number == 6
    with pytest.raises(InputError, match="number of connected pieces is 2"):
        frozen_geography(frozen)
    whole = frozen_geography(circle(3))
    assert frozen_geography(whole, connected=False) is whole
