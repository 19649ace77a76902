"""Geographies: cells with land, joined by edges with a length, as plain networkx graphs.

A geography is an `nx.Graph` (or an `nx.DiGraph`, where links may be one-way) with the node attribute
``land`` > 0, the edge attribute ``length`` > 0 and, for drawing, the node attributes ``x``, ``y``. No class
wraps it: `as_geography` checks any networkx graph, `cell_network` leaves networkx in a fixed order.
Land and length are in any unit the user likes; the constructors' defaults are dimensionless.
"""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any, TypeAlias

import networkx as nx
import numpy as np
from networkx.algorithms.isomorphism import DiGraphMatcher
from numpy.typing import ArrayLike, DTypeLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import depth_first_order, dijkstra

from agora.data.checks import MISSING, InputError, finite, nearest, positive, whole
from agora.data.fields import known_kind

MOST_CELLS_FOR_SYMMETRIES = 16
"""Cells up to which the symmetries of a geography are written out."""
MOST_SYMMETRIES = 1000
"""Symmetries up to which they are written out."""

Land: TypeAlias = float | Sequence[float] | None
"""Land of a constructor's cells: a number per cell, I numbers in the order of the cells, or None for 1/I
(total 1, the normalisation of Osawa and Akamatsu 2019, section 3). Anything else raises `InputError`."""


def two_cell(land: Land = (0.5, 0.5), length: float = 1.0) -> nx.Graph:
    """Return two cells joined by one edge of `length` > 0."""
    length = positive("length", length)
    return _assemble("two-cell", [(0.0, 0.0), (length, 0.0)], [(0, 1)], length, land)


def circle(cells: int, circumference: float = 1.0, land: Land = None) -> nx.Graph:
    """Return `cells` >= 2 cells on a circle; an edge is circumference / cells long (two cells: one edge)."""
    cells, circumference = whole("cells", cells, 2), positive("circumference", circumference)
    radius = circumference / (2 * math.pi)
    points = [_polar(radius, cell / cells) for cell in range(cells)]
    edges = [(cell, (cell + 1) % cells) for cell in range(cells)]
    return _assemble("circle", points, edges, circumference / cells, land)


def segment(cells: int, spacing: float | None = None, land: Land = None) -> nx.Graph:
    """Return `cells` >= 2 cells in a row, `spacing` (1 / cells unless given) apart, x at their centres."""
    cells = whole("cells", cells, 2)
    spacing = 1 / cells if spacing is None else positive("spacing", spacing)
    points = [((cell + 0.5) * spacing, 0.0) for cell in range(cells)]
    return _assemble("segment", points, [(cell, cell + 1) for cell in range(cells - 1)], spacing, land)


def grid(rows: int, columns: int, spacing: float | None = None, land: Land = None) -> nx.Graph:
    """Return a grid of four neighbours, numbered row by row, `spacing` (1 / the longer side) apart."""
    rows, columns, spacing = _lattice(rows, columns, spacing)
    edges = [(cell, cell + 1) for cell in range(rows * columns) if (cell + 1) % columns]
    edges += [(cell, cell + columns) for cell in range(rows * columns - columns)]
    return _assemble("grid", _lattice_points(rows, columns, spacing), edges, spacing, land)


def torus(rows: int, columns: int, spacing: float | None = None, land: Land = None) -> nx.Graph:
    """Return a grid wrapped both ways (two rows or columns are joined once), with the grid's coordinates."""
    rows, columns, spacing = _lattice(rows, columns, spacing)
    edges = []
    for row, column in itertools.product(range(rows), range(columns)):
        cell = row * columns + column
        edges.append((cell, row * columns + (column + 1) % columns))
        edges.append((cell, (row + 1) % rows * columns + column))
    return _assemble("torus", _lattice_points(rows, columns, spacing), edges, spacing, land)


def tree(branching: int, height: int, length: float = 1.0, land: Land = None) -> nx.Graph:
    """Return a balanced tree: root 0, then level by level; a level lies on a circle around the root."""
    branching, height = whole("branching", branching, 1), whole("height", height, 1)
    length = positive("length", length)
    sizes = [branching**level for level in range(height + 1)]
    points = [
        _polar(level * length, (k + 0.5) / size) for level, size in enumerate(sizes) for k in range(size)
    ]
    edges = [((cell - 1) // branching, cell) for cell in range(1, len(points))]
    return _assemble("tree", points, edges, length, land)


def star(leaves: int, length: float = 1.0, land: Land = None) -> nx.Graph:
    """Return a centre, cell 0, joined to each of `leaves` >= 1 cells by an edge of `length` > 0."""
    leaves, length = whole("leaves", leaves, 1), positive("length", length)
    points = [(0.0, 0.0), *(_polar(length, leaf / leaves) for leaf in range(leaves))]
    return _assemble("star", points, [(0, leaf) for leaf in range(1, leaves + 1)], length, land)


def hexagonal(rings: int, spacing: float = 1.0, land: Land = None) -> nx.Graph:
    """Return hexagonal cells in `rings` >= 1 rings around cell 0: I = 1 + 3 rings (rings + 1) cells.

    Centres form a triangular lattice, `spacing` > 0 apart: the plane of central-place theory. Cells are
    numbered ring by ring, each ring counter-clockwise from the x axis.
    """
    rings, spacing = whole("rings", rings, 1), positive("spacing", spacing)
    turns = [(-1, 1), (-1, 0), (0, -1), (1, -1), (1, 0), (0, 1)]  # axial steps along a ring's six sides
    axial = [(0, 0)]
    for ring in range(1, rings + 1):
        q, r = ring, 0
        for step_q, step_r in turns:
            for _ in range(ring):
                axial.append((q, r))
                q, r = q + step_q, r + step_r
    number = {axis: cell for cell, axis in enumerate(axial)}
    edges = [
        (cell, number[q + step_q, r + step_r])
        for (q, r), cell in number.items()
        for step_q, step_r in turns[:3]
        if (q + step_q, r + step_r) in number
    ]
    points = [(spacing * (q + r / 2), spacing * r * math.sqrt(3) / 2) for q, r in axial]
    return _assemble("hexagonal", points, edges, spacing, land)


GEOGRAPHIES: dict[str, Callable[..., nx.Graph]] = {
    "two-cell": two_cell,
    "circle": circle,
    "segment": segment,
    "grid": grid,
    "torus": torus,
    "tree": tree,
    "star": star,
    "hexagonal": hexagonal,
}
"""The kinds a scenario file may name (besides ``file``, see `agora.data.geography_files.read_geography`)."""


def build_geography(kind: str, **arguments: Any) -> nx.Graph:
    """Return the geography of a kind in `GEOGRAPHIES`, built from named arguments of its constructor.

    An unknown kind and an unknown, a missing or a bad argument raise `InputError`.
    """
    known_kind("geography", {"kind": kind}, GEOGRAPHIES)
    return call_checked(GEOGRAPHIES[kind], kind, arguments)


def call_checked(builder: Callable[..., Any], name: str, arguments: Mapping[str, object]) -> nx.Graph:
    """Return ``builder(**arguments)``; its complaints, and wrong arguments, name ``geography.<argument>``.

    `builder` is a constructor or a reader, `name` what a user calls it; raises `InputError` only.
    """
    accepted = inspect.signature(builder).parameters
    for argument, value in arguments.items():
        if argument not in accepted:
            allowed = f"left out, or an argument of {name!r}: {nearest(argument, accepted)}"
            raise InputError(f"geography.{argument}", value, allowed)
    for argument, parameter in accepted.items():
        if parameter.default is parameter.empty and argument not in arguments:
            raise InputError(f"geography.{argument}", MISSING, f"given: {name!r} has no default for it")
    try:
        return builder(**arguments)
    except InputError as error:
        if error.field.split("[")[0] in accepted:
            raise InputError(f"geography.{error.field}", error.value, error.allowed) from None
        raise


def as_geography(
    graph: nx.Graph,
    *,
    length: str = "length",
    land: str | Mapping[Hashable, float] | None = "land",
    total_land: float | None = None,
    largest_component: bool = False,
    connected: bool = True,
) -> nx.Graph | nx.DiGraph:
    """Return a checked geography made from any networkx graph, which is left as it is.

    Parallel edges become one (the shortest), self-loops are dropped, and a directed graph whose every arc
    has a twin of the same length becomes undirected. ``graph.graph["kind"]`` is carried over as a label.

    Parameters
    ----------
    graph : networkx graph
        Graph, DiGraph, MultiGraph or MultiDiGraph with I >= 2 nodes.
    length : str
        The edge attribute that holds the lengths, any unit.
    land : str, mapping or None
        The node attribute that holds the land, or a number for each node, or None: equal shares.
    total_land : float, optional
        Land is scaled to this total, any unit. Unless given, land stays as it is; equal shares sum to 1.
    largest_component : bool
        Keep only the largest (strongly) connected piece.
    connected : bool
        Refuse a graph in several pieces; if False, it stays as it is.

    Returns
    -------
    networkx.Graph or networkx.DiGraph
        The same cells with float ``land`` (and ``x``, ``y`` where given); simple edges with float ``length``.

    Raises
    ------
    InputError
        Fewer than 2 cells, a length or land that is missing or not a finite number > 0, a graph in pieces.
    """
    if not isinstance(graph, nx.Graph):
        raise InputError("graph", graph, "a networkx graph")
    if not isinstance(length, str):
        raise InputError("length", length, "the name of an edge attribute")
    if not isinstance(largest_component, bool):
        raise InputError("largest_component", largest_component, "true or false")
    simple = _shortest_edges(graph, length)
    if connected or largest_component:
        _keep_one_piece(simple, largest_component)
    if simple.number_of_nodes() < 2:
        raise InputError("number of cells", simple.number_of_nodes(), "a whole number >= 2")
    arcs = simple.adj
    two_way = all(tail in arcs[head] and arcs[head][tail] == arcs[tail][head] for tail, head in simple.edges)
    checked = nx.Graph() if two_way else nx.DiGraph()
    checked.graph["kind"] = graph.graph.get("kind", "graph")
    for cell, number in _land_of_graph(graph, list(simple), land, total_land).items():
        checked.add_node(cell, land=number)
        for axis in ("x", "y"):
            coordinate = graph.nodes[cell].get(axis)
            if coordinate is not None:
                checked.nodes[cell][axis] = finite(f"{axis} of cell {cell!r}", coordinate)
    checked.add_weighted_edges_from(simple.edges(data="length"), weight="length")
    return checked


@dataclass(frozen=True, eq=False)
class CellNetwork:
    """The numbers of a geography with I cells and E arcs, always in one order; arrays are read-only."""

    cells: tuple[Hashable, ...]
    """The I cells, sorted (mixed types by type name and repr)."""
    land: NDArray[np.float64]
    """Land of each cell, (I,), > 0, the geography's unit."""
    tails: NDArray[np.int64]
    heads: NDArray[np.int64]
    """Ends of the arcs, (E,): positions in `cells`, sorted by (tail, head); a two-way link is two arcs."""
    lengths: NDArray[np.float64]
    """Length of each arc, (E,), > 0, the geography's unit."""

    def __post_init__(self) -> None:
        for name, kind in (("land", float), ("tails", int), ("heads", int), ("lengths", float)):
            object.__setattr__(self, name, _read_only(getattr(self, name), kind))

    @property
    def number(self) -> int:
        """Number of cells, I."""
        return len(self.cells)

    def matrix(self) -> csr_array:
        """Return the arc lengths as a sparse (I, I) array, rows the tails, columns the heads."""
        return csr_array((self.lengths, (self.tails, self.heads)), shape=(self.number, self.number))

    @cached_property
    def distances(self) -> NDArray[np.float64]:
        """Shortest-path lengths, (I, I), rows the origins, columns the destinations; read-only."""
        return _read_only(dijkstra(self.matrix(), directed=True), float)

    @cached_property
    def two_way(self) -> bool:
        """Whether every arc has a twin of the same length."""
        lengths = self.matrix()
        return bool((lengths != lengths.T).nnz == 0)

    @cached_property
    def walk(self) -> list[int] | None:
        """The cells, as positions, in their order along a circle or a line; None on other geographies."""
        lengths = self.matrix()
        neighbours = np.diff(lengths.indptr)
        ends = np.flatnonzero(neighbours == 1)
        if self.number < 2 or neighbours.max() > 2 or len(ends) not in (0, 2):
            return None
        order = depth_first_order(lengths, int(min(ends, default=0)), return_predecessors=False)
        return order.tolist() if len(order) == self.number else None

    @cached_property
    def outgoing(self) -> tuple[tuple[int, ...], ...]:
        """For each cell the arcs that leave it, as positions in `lengths`."""
        return self._arcs_by_cell(self.tails)

    @cached_property
    def incoming(self) -> tuple[tuple[int, ...], ...]:
        """For each cell the arcs that enter it, as positions in `lengths`."""
        return self._arcs_by_cell(self.heads)

    @cached_property
    def symmetries(self) -> NDArray[np.int64] | None:
        """Symmetries as rows of positions (G, I), the identity among them, read-only; None if too many."""
        if self.number > MOST_CELLS_FOR_SYMMETRIES:
            return None
        rows = list(itertools.islice(rearrangements(self), MOST_SYMMETRIES + 1))
        return None if len(rows) > MOST_SYMMETRIES else _read_only(np.array(rows), int)

    def _arcs_by_cell(self, ends: NDArray[np.int64]) -> tuple[tuple[int, ...], ...]:
        arcs: list[list[int]] = [[] for _ in self.cells]
        for arc, cell in enumerate(ends.tolist()):
            arcs[cell].append(arc)
        return tuple(map(tuple, arcs))


def rearrangements(network: CellNetwork) -> Iterator[NDArray[np.int_]]:
    """Yield every symmetry as the positions that the cells move to (I,), the identity among them."""
    graph, scale = nx.DiGraph(), float(network.land.mean())
    for cell, land in enumerate(network.land.tolist()):
        graph.add_node(cell, land=round(land / scale, 9))
    for tail, head, length in zip(network.tails, network.heads, network.lengths, strict=True):
        graph.add_edge(int(tail), int(head), length=round(float(length), 12))
    matcher = DiGraphMatcher(
        graph,
        graph,
        node_match=lambda a, b: a["land"] == b["land"],
        edge_match=lambda a, b: a["length"] == b["length"],
    )
    for image in matcher.isomorphisms_iter():
        yield np.array([image[cell] for cell in range(network.number)])


def cell_network(graph: nx.Graph, *, connected: bool = True) -> CellNetwork:
    """Return the numbers of a geography in a fixed order, whatever the order its cells and edges came in.

    The graph is checked as in `as_geography`; bad ``land`` or ``length`` or (unless `connected` is False)
    several pieces: `InputError`.
    """
    checked = as_geography(graph, connected=connected)
    cells = sorted_cells(checked)
    position = {cell: number for number, cell in enumerate(cells)}
    arcs = sorted(
        (position[u], position[v], length) for u, v, length in nx.DiGraph(checked).edges(data="length")
    )
    tails, heads, lengths = zip(*arcs, strict=True)
    land = [checked.nodes[cell]["land"] for cell in cells]
    return CellNetwork(cells, np.array(land), np.array(tails), np.array(heads), np.array(lengths))


def positions(graph: nx.Graph) -> NDArray[np.float64]:
    """Return (I, 2) drawing positions in the order of `CellNetwork.cells`.

    They are ``x``, ``y`` where every cell has both, else a layout that is the same at every call. The graph
    is checked as in `as_geography`, but for its land.
    """
    checked = as_geography(graph, land=None)
    cells = sorted_cells(checked)
    if all("x" in data and "y" in data for data in checked.nodes.values()):
        return np.array([(checked.nodes[cell]["x"], checked.nodes[cell]["y"]) for cell in cells])
    network = cell_network(checked)
    plain = nx.Graph()
    links = zip(network.tails.tolist(), network.heads.tolist(), network.lengths.tolist(), strict=True)
    plain.add_weighted_edges_from(links, weight="length")
    small = network.number <= 200  # Kamada-Kawai takes every distance: too slow beyond
    layout = nx.kamada_kawai_layout(plain, weight="length") if small else nx.spring_layout(plain, seed=1)
    return np.array([layout[cell] for cell in range(network.number)])


def sorted_cells(cells: Iterable[Hashable]) -> tuple[Hashable, ...]:
    """Return cells in their natural order, or by (type name, repr) where they have none."""
    listed = list(cells)
    if _comparable(listed):
        return tuple(sorted(listed))  # type: ignore[type-var]
    return tuple(sorted(listed, key=_type_and_repr))


def _comparable(values: Sequence[Any]) -> bool:
    """Say whether values have one natural order: all numbers, all text, or alike tuples of such."""
    if all(isinstance(value, str) for value in values):
        return True
    if all(isinstance(value, Real) and not math.isnan(value) for value in values):
        return True
    if all(isinstance(value, tuple) for value in values) and len(set(map(len, values))) == 1:
        return all(_comparable(column) for column in zip(*values, strict=True))
    return False


def _type_and_repr(value: Hashable) -> tuple[str, str]:
    return type(value).__name__, repr(value)


def _read_only(values: ArrayLike, kind: DTypeLike) -> NDArray[Any]:
    array = np.array(values, dtype=kind)
    array.setflags(write=False)
    return array


def _assemble(
    kind: str,
    points: Sequence[tuple[float, float]],
    edges: Iterable[tuple[int, int]],
    length: float,
    land: Land,
) -> nx.Graph:
    """Return the graph of cells at `points`; repeated edges count once, edges to oneself not at all."""
    graph = nx.Graph(kind=kind)
    for cell, ((x, y), number) in enumerate(zip(points, _land_of_cells(land, len(points)), strict=True)):
        graph.add_node(cell, land=number, x=x, y=y)
    graph.add_edges_from(((tail, head) for tail, head in edges if tail != head), length=length)
    return graph


def _land_of_cells(land: Land, cells: int) -> list[float]:
    if land is None:
        return [1 / cells] * cells
    values = land.tolist() if hasattr(land, "tolist") else land
    if isinstance(values, str) or not isinstance(values, Sequence):
        return [positive("land", values)] * cells
    if len(values) != cells:
        raise InputError("land", values, f"a number, or {cells} numbers, one for each cell")
    return [positive(f"land[{cell}]", value) for cell, value in enumerate(values)]


def _polar(radius: float, turn: float) -> tuple[float, float]:
    return radius * math.cos(2 * math.pi * turn), radius * math.sin(2 * math.pi * turn)


def _lattice(rows: int, columns: int, spacing: float | None) -> tuple[int, int, float]:
    rows, columns = whole("rows", rows, 1), whole("columns", columns, 1)
    if rows * columns < 2:
        raise InputError("columns", columns, "a whole number >= 2 where rows is 1")
    return rows, columns, 1 / max(rows, columns) if spacing is None else positive("spacing", spacing)


def _lattice_points(rows: int, columns: int, spacing: float) -> list[tuple[float, float]]:
    return [(column * spacing, row * spacing) for row in range(rows) for column in range(columns)]


def _shortest_edges(graph: nx.Graph, length: str) -> nx.Graph:
    """Return a simple graph of the same cells whose only data are checked lengths."""
    simple = nx.DiGraph() if graph.is_directed() else nx.Graph()
    simple.add_nodes_from(graph)
    for tail, head, data in graph.edges(data=True):
        if tail == head:
            continue
        field = f"{length} of edge {tail!r}-{head!r}"
        if length not in data:
            known = ", ".join(map(repr, data)) or "no attribute"
            raise InputError(field, MISSING, f"given by its edge attribute {length!r} (the edge has {known})")
        number = positive(field, data[length])
        if not simple.has_edge(tail, head) or number < simple.edges[tail, head]["length"]:
            simple.add_edge(tail, head, length=number)
    return simple


def _keep_one_piece(simple: nx.Graph, largest_component: bool) -> None:
    """Remove all cells outside the largest piece, or raise if there are any."""
    directed = simple.is_directed()
    pieces = list(nx.strongly_connected_components(simple) if directed else nx.connected_components(simple))
    if len(pieces) <= 1:
        return
    rank = {cell: number for number, cell in enumerate(sorted_cells(simple))}
    pieces.sort(key=lambda piece: (-len(piece), min(rank[cell] for cell in piece)))
    if largest_component:
        simple.remove_nodes_from([cell for cell in simple if cell not in pieces[0]])
        return
    inside, outside = (min(piece, key=rank.__getitem__) for piece in pieces[:2])
    fault = f"cell {outside!r} is not joined to cell {inside!r}"
    if directed:
        back = nx.has_path(simple, inside, outside)
        origin, destination = (outside, inside) if back else (inside, outside)
        fault = f"no route leads from cell {origin!r} to cell {destination!r}"
    field = f"number of {'strongly ' if directed else ''}connected pieces"
    raise InputError(field, len(pieces), f"1 ({fault}; largest_component=True keeps the largest piece)")


def _land_of_graph(
    graph: nx.Graph, cells: list[Hashable], land: object, total_land: float | None
) -> dict[Hashable, float]:
    total = None if total_land is None else positive("total_land", total_land)
    if land is None:
        return dict.fromkeys(cells, (1.0 if total is None else total) / len(cells))
    if isinstance(land, Mapping):
        given, hint = land, "given: the mapping has no entry for it"
        for cell in land:
            if cell not in graph:
                raise InputError("key of land", cell, "a cell of the graph")
    elif isinstance(land, str):
        given, hint = (
            dict(graph.nodes(data=land)),
            f"given by the node attribute {land!r} (or land=None: equal shares)",
        )
    else:
        raise InputError("land", land, "a node attribute, a mapping from cells to numbers, or None")
    numbers = {}
    for cell in cells:
        if given.get(cell) is None:
            raise InputError(f"land of cell {cell!r}", MISSING, hint)
        numbers[cell] = positive(f"land of cell {cell!r}", given[cell])
    present = math.fsum(numbers.values())
    return numbers if total is None else {cell: number * total / present for cell, number in numbers.items()}
