"""Symmetries of a geography: which rearrangements of the cells leave land and lengths as they are."""

from __future__ import annotations

from itertools import islice
from weakref import WeakKeyDictionary

import networkx as nx
import numpy as np
from networkx.algorithms.isomorphism import DiGraphMatcher
from numpy.typing import NDArray

from agora.data.geographies import CellNetwork
from agora.typing import Vector

MOST_CELLS = 16
"""Cells up to which the symmetries of a geography are written out."""
MOST_SYMMETRIES = 1000
"""Symmetries up to which they are written out."""

_found: WeakKeyDictionary[CellNetwork, NDArray[np.int_] | None] = WeakKeyDictionary()


def symmetries(network: CellNetwork) -> NDArray[np.int_] | None:
    """Return every symmetry as a row of positions (G, I), the identity among them; None if too many."""
    if network not in _found:
        _found[network] = _symmetries(network)
    return _found[network]


def _symmetries(network: CellNetwork) -> NDArray[np.int_] | None:
    if network.number > MOST_CELLS:
        return None
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
    every = range(network.number)
    rows = [
        [image[cell] for cell in every] for image in islice(matcher.isomorphisms_iter(), MOST_SYMMETRIES + 1)
    ]
    return None if len(rows) > MOST_SYMMETRIES else np.array(rows)


def orbits(network: CellNetwork, states: Vector) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Return one state of each orbit, by its row, and how many of the states belong to it.

    Parameters
    ----------
    states : array (N, I)
        Distributions, all different, in the order of the network.
    """
    group = symmetries(network)
    if group is None:
        return np.arange(len(states)), np.ones(len(states), dtype=int)
    scale = float(network.land.mean())
    marks = np.round(states / scale, 9) + 0.0
    best = marks
    for image in group:
        other = marks[:, image]
        differ = other != best
        first = differ.argmax(axis=1)
        rows = np.arange(len(marks))
        larger = differ.any(axis=1) & (other[rows, first] > best[rows, first])
        best = np.where(larger[:, None], other, best)
    _, representatives, sizes = np.unique(best, axis=0, return_index=True, return_counts=True)
    order = np.argsort(representatives)
    return representatives[order], sizes[order]
