r"""Numbers about commuting that need no solver: closed forms, routes into pairs, lowest wages.

Source: Osawa & Akamatsu (2019), section 4 and the proof of Proposition 7; the circle's median
formula is that of optimal transport on a circle (Rabin, Delon & Gousseau 2011).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import networkx as nx
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from agora.data.geographies import CellNetwork
from agora.typing import Vector


def closed_form_commuting_cost(network: CellNetwork) -> Callable[[Vector], Vector] | None:
    r"""Return ȟ/t as a function of the imbalances where a closed form is known, else None.

    The function takes (1+φ) m_i − a_i, shape (…, I) with zero sum (no excess land), and returns
    Σ flow × length, shape (…):

    .. math:: \text{tree (a line, a star): } \sum_e \ell_e |\text{imbalance of the subtree of } e|,
       \qquad \text{circle: } \min_c \sum_e \ell_e |F_e - c|

    with F_e the imbalance accumulated along the circle; the best c is the weighted median.
    """
    if not network.two_way:
        return None
    graph = nx.Graph()
    graph.add_nodes_from(range(network.number))
    arcs = zip(network.tails.tolist(), network.heads.tolist(), network.lengths.tolist(), strict=True)
    graph.add_weighted_edges_from(arcs, weight="length")
    if nx.is_tree(graph):
        return _tree(graph)
    return None if network.walk is None else _circle(graph, network.walk)


def _tree(graph: nx.Graph) -> Callable[[Vector], Vector]:
    """Return the cost of imbalances on a tree."""
    order = list(nx.dfs_preorder_nodes(graph, 0))
    parent = {child: mother for mother, child in nx.dfs_edges(graph, 0)}
    size = dict.fromkeys(order, 1)
    for cell in reversed(order[1:]):
        size[parent[cell]] += size[cell]
    lengths = np.array([graph.edges[cell, parent[cell]]["length"] for cell in order[1:]])
    first = np.arange(1, len(order))  # the cells of a subtree stand together
    last = first + np.array([size[cell] for cell in order[1:]])

    def cost(imbalance: Vector) -> Vector:
        behind = np.cumsum(np.take(imbalance, order, axis=-1), axis=-1)
        within = np.take(behind, last - 1, axis=-1) - np.take(behind, first - 1, axis=-1)
        total: Vector = np.abs(within) @ lengths
        return total

    return cost


def _circle(graph: nx.Graph, cycle: list[int]) -> Callable[[Vector], Vector]:
    """Return the cost of imbalances on a circle."""
    lengths = np.array([graph.edges[u, v]["length"] for u, v in zip(cycle, [*cycle[1:], 0], strict=True)])

    def cost(imbalance: Vector) -> Vector:
        flow = np.cumsum(np.take(imbalance, cycle, axis=-1), axis=-1)
        order = np.argsort(flow, axis=-1)
        weight = np.cumsum(lengths[order], axis=-1)
        middle = np.argmax(weight >= lengths.sum() / 2 * (1 - 1e-15), axis=-1)
        median = np.take_along_axis(flow, np.take_along_axis(order, middle[..., None], -1), -1)
        total: Vector = np.abs(flow - median) @ lengths
        return total

    return cost


def commuters_by_pair(
    network: CellNetwork, residents: Vector, employment: Vector, flow: Vector
) -> list[tuple[int, int, float, float]]:
    """Turn flow on the edges into homes and workplaces: rows (home, workplace, mass, route length).

    Households take the jobs of their own cell first; those who travel keep the order of arrival.
    The flow of an optimum has no cycles, and every route is a shortest path. At most I + E + I
    rows, one a pair: the length is the mean over its routes. Which pairs commute need not be unique
    (Berliant & Tabuchi 2018); their cost is.

    `residents` and `employment` are the masses living and working in each cell (I,), `flow` those travelling
    along each directed edge (E,), in the order of `network`; what runs in a circle is left out, since without
    it everyone arrives where they did, for less.
    """
    negligible = 1e-13 * float(network.land.sum())
    flow = _without_circles(network, flow, negligible)
    used = [k for k in range(len(flow)) if flow[k] > negligible]
    graph = nx.DiGraph((int(network.tails[k]), int(network.heads[k])) for k in used)
    graph.add_nodes_from(range(network.number))
    leaving: list[list[int]] = [[] for _ in range(network.number)]
    for k in used:
        leaving[int(network.tails[k])].append(k)
    waiting: list[deque[tuple[int, float, float]]] = [
        deque([(i, float(residents[i]), 0.0)] if residents[i] > negligible else [])
        for i in range(network.number)
    ]
    pairs: dict[tuple[int, int], tuple[float, float]] = {}
    for cell in nx.lexicographical_topological_sort(graph):
        for home, mass, length in _take(waiting[cell], float(employment[cell]), negligible):
            before, mean = pairs.get((home, cell), (0.0, length))
            mean += (length - mean) * mass / (before + mass)
            pairs[home, cell] = before + mass, mean
        for k in leaving[cell]:
            for home, mass, length in _take(waiting[cell], float(flow[k]), negligible):
                waiting[int(network.heads[k])].append((home, mass, length + float(network.lengths[k])))
    return [(home, job, *pairs[home, job]) for home, job in sorted(pairs)]


def _without_circles(network: CellNetwork, flow: Vector, negligible: float) -> Vector:
    """Take out flow that runs in circles, as an interior point method leaves it."""
    flow = flow.copy()
    edge = {(int(u), int(v)): k for k, (u, v) in enumerate(zip(network.tails, network.heads, strict=True))}
    graph = nx.DiGraph(ends for ends, k in edge.items() if flow[k] > negligible)
    while not nx.is_directed_acyclic_graph(graph):
        circle = [(u, v) for u, v in nx.find_cycle(graph)]
        surplus = min(flow[edge[ends]] for ends in circle)
        for ends in circle:
            flow[edge[ends]] -= surplus
            if flow[edge[ends]] <= negligible:
                graph.remove_edge(*ends)
    return flow


def _take(
    queue: deque[tuple[int, float, float]], wanted: float, negligible: float
) -> list[tuple[int, float, float]]:
    """Take `wanted` households off the front of the queue."""
    taken = []
    while wanted > negligible and queue:
        home, mass, length = queue.popleft()
        share = min(mass, wanted)
        taken.append((home, share, length))
        wanted -= share
        if mass - share > negligible:
            queue.appendleft((home, mass - share, length))
    return taken


def lowest_wages(
    network: CellNetwork,
    commuting_cost: float,
    supporting: Vector,
    floor: Vector,
    ties: tuple[NDArray[np.int_], NDArray[np.int_]],
) -> Vector:
    r"""Return the lowest wages that support a commuting pattern, cell by cell.

    Supporting wages satisfy w_j − w_i ≤ t ℓ_e on every edge e = (i, j), with equality where somebody
    travels, and w ≥ `floor`. They form a lattice, so there is one that is lowest in every cell; it
    does not depend on the order of the cells or on the solver. It is found as longest paths, by
    Dijkstra's algorithm on the slacks that any supporting wages leave.

    `supporting` are any supporting wages (numéraire per worker; for instance a solver's multipliers) and
    `floor` wages no cell may go below, ≤ `supporting`, both (I,). `ties` are the tails and heads (positions)
    of the edges, or the homes and workplaces of the pairs, that are travelled.
    """
    costs = commuting_cost * network.lengths
    tails, heads, number = network.tails, network.heads, network.number
    slack = np.maximum(supporting[tails] + costs - supporting[heads], 0.0)
    rows = np.concatenate([heads, ties[0], np.full(number, number)])
    columns = np.concatenate([tails, ties[1], np.arange(number)])
    weights = np.concatenate([slack, np.zeros(len(ties[0])), np.maximum(supporting - floor, 0.0)])
    table: dict[tuple[int, int], float] = {}
    for row, column, weight in zip(rows.tolist(), columns.tolist(), weights.tolist(), strict=True):
        table[row, column] = min(weight, table.get((row, column), np.inf))
    keys = np.array(list(table), dtype=int)
    graph = csr_array((list(table.values()), (keys[:, 0], keys[:, 1])), shape=(number + 1, number + 1))
    lowered = dijkstra(graph, indices=number)[:number]
    wages: Vector = np.maximum(supporting - lowered, floor)
    return wages
