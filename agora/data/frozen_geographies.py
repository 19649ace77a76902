"""Geographies that have been checked and change no more: a model's own, which carries its numbers with it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import networkx as nx

from agora.data.checks import InputError
from agora.data.geographies import CellNetwork, as_geography, cell_network


class _Frozen:
    """What a checked geography has beside what any graph has."""

    in_one_piece: bool = False
    """Whether it has been checked that all cells are joined."""

    @cached_property
    def network(self) -> CellNetwork:
        """The geography as arrays; all models on this geography have the same."""
        if not nx.is_frozen(self):
            raise TypeError("a copy of a geography that may change has no numbers of its own")
        return cell_network(self, connected=self.in_one_piece)

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the graph only; its numbers are derived again."""
        return {name: value for name, value in self.__dict__.items() if name != "network"}


class FrozenGeography(_Frozen, nx.Graph):
    """A geography whose links go both ways."""


class FrozenDirectedGeography(_Frozen, nx.DiGraph):
    """A geography with one-way links."""


def frozen_geography(graph: nx.Graph, *, connected: bool = True) -> FrozenGeography | FrozenDirectedGeography:
    """Return a graph as a geography that has been checked, is a copy, and cannot be changed.

    One that this function has made is handed back as it is, so that models share it. The graph is checked as
    in `as_geography`; `InputError` if it is in pieces, unless `connected` is False.
    """
    checked_kinds = (FrozenGeography, FrozenDirectedGeography)
    if isinstance(graph, checked_kinds) and nx.is_frozen(graph) and (graph.in_one_piece or not connected):
        return graph
    checked = as_geography(graph, connected=connected)
    frozen = (FrozenDirectedGeography if checked.is_directed() else FrozenGeography)(checked)
    frozen.in_one_piece = connected
    nx.freeze(frozen)
    return frozen


def given_geography(given: Any, *, connected: bool = True) -> FrozenGeography | FrozenDirectedGeography:
    """Return what a user gave a model as its geography, frozen; `InputError` if it is no graph at all."""
    if not isinstance(given, nx.Graph):
        raise InputError("geography", given, "a networkx graph, or a [geography] table in a scenario")
    return frozen_geography(given, connected=connected)
