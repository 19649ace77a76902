"""Symmetries of a geography: which rearrangements of the cells leave land and lengths as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
from networkx.algorithms.isomorphism import DiGraphMatcher
from numpy.typing import NDArray

if TYPE_CHECKING:
    from agora.data.geographies import CellNetwork


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
