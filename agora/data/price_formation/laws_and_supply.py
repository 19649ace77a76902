"""Who trades and what is supplied: initial laws as atoms, and supply as numbers on a grid of times."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Self

import networkx as nx
import numpy as np
from pydantic import Field, field_validator, model_validator
from scipy.stats import norm

from agora.data.checks import MISSING, InputError, finite
from agora.data.fields import Count, Fields, FilePath, Finite, Index, Kind, Positive, kinds, read_kind
from agora.data.tables import read_table
from agora.typing import Vector


class InitialLaw(Fields):
    """The law of the agents' initial states: atoms and their masses, which sum to one."""

    states: tuple[tuple[float, ...], ...]
    """Initial holdings of each atom, a number an asset."""
    masses: tuple[float, ...]
    """Share of the agents in each atom."""

    @property
    def assets(self) -> int:
        """Number of assets held."""
        return len(self.states[0])


class Law(Kind):
    """How the agents' initial states are spread."""

    @abstractmethod
    def atoms(self) -> tuple[Vector, Vector]:
        """Return states (atoms, assets) and masses (atoms,)."""


class LawBetween(Law):
    """States between two ends."""

    start: Finite = Field(alias="from")
    end: Finite = Field(alias="to")
    number: Count


class LinspaceLaw(LawBetween):
    """Equal masses at `number` states from `from` to `to`, both included."""

    kind: Literal["linspace"] = "linspace"

    def atoms(self) -> tuple[Vector, Vector]:  # noqa: D102
        return _equal(np.linspace(self.start, self.end, self.number))


class UniformLaw(LawBetween):
    """The uniform law between `from` and `to` by its `number` midpoint quantiles."""

    kind: Literal["uniform"] = "uniform"

    def atoms(self) -> tuple[Vector, Vector]:  # noqa: D102
        return _equal(self.start + (self.end - self.start) * _midpoints(self.number))


class NormalLaw(Law):
    """The normal law by its `number` midpoint quantiles."""

    kind: Literal["normal"] = "normal"
    mean: Finite
    deviation: Positive
    number: Count

    def atoms(self) -> tuple[Vector, Vector]:  # noqa: D102
        return _equal(norm.ppf(_midpoints(self.number), loc=self.mean, scale=self.deviation))


class ListedLaw(Law):
    """States one by one (numbers, or lists with a number an asset), of equal mass or with weights.

    Weights need not sum to one; they are divided by their sum. A law without mass is none.
    """

    kind: Literal["list"] = "list"
    states: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...] | None = None

    @field_validator("states", mode="before")
    @classmethod
    def _rows(cls, given: Any) -> Any:
        if not isinstance(given, list | tuple | np.ndarray):
            raise InputError("states", given, "a list of numbers, or of lists with a number an asset")
        rows = [_row(f"states[{k}]", row) for k, row in enumerate(given)]
        if any(len(row) != len(rows[0]) or not row for row in rows):
            raise InputError("states", given, "states with the same number of assets each")
        if not rows:
            raise InputError("states", given, "at least one state")
        return tuple(rows)

    @field_validator("weights", mode="before")
    @classmethod
    def _numbers(cls, given: Any) -> Any:
        if given is None or not isinstance(given, list | tuple | np.ndarray):
            return given
        return tuple(finite(f"weights[{k}]", weight) for k, weight in enumerate(given))

    @model_validator(mode="after")
    def _has_mass(self) -> Self:
        if self.weights is not None and len(self.weights) != len(self.states):
            raise InputError("weights", self.weights, f"one weight a state, {len(self.states)} in all")
        if self.weights is not None and (min(self.weights) < 0 or sum(self.weights) <= 0):
            raise InputError("weights", self.weights, "numbers >= 0 with a positive sum: a law needs mass")
        return self

    def atoms(self) -> tuple[Vector, Vector]:  # noqa: D102
        states = np.array(self.states)
        if self.weights is None:
            return states, np.full(len(states), 1.0 / len(states))
        weights = np.array(self.weights)
        return states[weights > 0], weights[weights > 0] / sum(self.weights)


LAWS: dict[str, type[Law]] = kinds(LinspaceLaw, UniformLaw, NormalLaw, ListedLaw)
"""The kinds of initial laws that a scenario can name."""


def as_initial_law(given: Any) -> InitialLaw:
    """Return the initial law a user means.

    Parameters
    ----------
    given : InitialLaw, list, Law or table
        A list of states (numbers, or lists with a number an asset) of equal mass; or one of `LAWS`.

    Raises
    ------
    InputError
        One sentence.
    """
    if isinstance(given, InitialLaw):
        return given
    if isinstance(given, list | tuple | np.ndarray):
        given = {"kind": "list", "states": given}
    law = given if isinstance(given, Law) else read_kind("agents", given, LAWS, "; or a list of states")
    states, masses = law.atoms()
    return InitialLaw(states=tuple(map(tuple, states.tolist())), masses=tuple(masses.tolist()))


def _equal(states: Vector) -> tuple[Vector, Vector]:
    return states[:, None], np.full(len(states), 1.0 / len(states))


def _midpoints(number: int) -> Vector:
    return (np.arange(number) + 0.5) / number


def _row(field: str, given: Any) -> tuple[float, ...]:
    """Return a number an asset, from a list or from one number."""
    row = given if isinstance(given, list | tuple | np.ndarray) else [given]
    return tuple(finite(field, value) for value in row)


# --- supply --------------------------------------------------------------------------------------


class SupplyTree(Fields):
    """Supply at the nodes of a tree of events; a path without branches is supply that is known."""

    parents: tuple[int, ...]
    """The node before each node, −1 for the root; nodes are in the order of time."""
    depths: tuple[int, ...]
    """The time step of each node."""
    probabilities: tuple[float, ...]
    """Of reaching each node; at every step they sum to one."""
    supplies: tuple[tuple[float, ...], ...]
    """Q at each node, a number an asset, units of the asset per unit of time and agent."""
    names: tuple[str, ...] = ()
    """The nodes' names in the graph they came from; empty for supply that is known."""

    @property
    def known(self) -> bool:
        """Whether supply is certain."""
        return not self.names

    @property
    def values(self) -> Vector:
        """Supplies as an array (nodes, assets)."""
        return np.array(self.supplies)


class Supply(Kind):
    """A rule that says what is supplied at every time."""

    @abstractmethod
    def on(self, times: Vector, horizon: float) -> Any:
        """Return a list of supplies at `times` (N,), or a tree of events of that depth."""


class ConstantSupply(Supply):
    """The same at every time."""

    kind: Literal["constant"] = "constant"
    level: Finite

    def on(self, times: Vector, horizon: float) -> Any:  # noqa: D102
        return np.full(len(times), self.level)


class SineSupply(Supply):
    """A wave, amplitude · sin(frequency · t + phase)."""

    kind: Literal["sine"] = "sine"
    frequency: Finite
    amplitude: Finite = 1.0
    phase: Finite = 0.0

    def on(self, times: Vector, horizon: float) -> Any:  # noqa: D102
        return self.amplitude * np.sin(self.frequency * times + self.phase)


class TableSupply(Supply):
    """One number a step: `values`, or the column ``supply`` of a `file` (of a `sheet` if it is XLSX)."""

    kind: Literal["table"] = "table"
    values: Any = None
    file: FilePath | None = None
    sheet: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.values is None) == (self.file is None):
            raise InputError("file", self.file or MISSING, "given exactly where values are not")
        if self.values is not None and not isinstance(self.values, list | tuple | np.ndarray):
            raise InputError("values", self.values, "a list with one number a step")
        return self

    def on(self, times: Vector, horizon: float) -> Any:  # noqa: D102
        return self.values if self.file is None else read_supply(self.file, self.sheet)


class WienerSupply(Supply):
    """A path of Brownian motion on the whole horizon, times `scale`."""

    kind: Literal["wiener"] = "wiener"
    seed: Index
    scale: Finite = 1.0

    def on(self, times: Vector, horizon: float) -> Any:  # noqa: D102
        path = np.interp(times / horizon, np.linspace(0.0, 1.0, 1001), wiener_path(self.seed))
        return self.scale * np.sqrt(horizon) * path


class RandomWalkSupply(Supply):
    """Ups and downs at equally spaced times, see `random_walk_tree`."""

    kind: Literal["random-walk"] = "random-walk"
    branchings: Count
    deviation: Positive = 1.0
    level: Finite = 0.0

    def on(self, times: Vector, horizon: float) -> Any:  # noqa: D102
        steps, most = len(times), min(len(times) - 1, 12)
        if self.branchings > most:
            raise InputError("supply.branchings", self.branchings, f"at most {most}")
        return random_walk_tree(horizon, steps, **self.model_dump(exclude={"kind"}))


SUPPLIES: dict[str, type[Supply]] = kinds(
    ConstantSupply, SineSupply, TableSupply, WienerSupply, RandomWalkSupply
)
"""The kinds of supply that a scenario can name."""


def as_supply(given: Any, horizon: float, steps: int) -> SupplyTree:
    """Return supply on the grid t_i = i T/N, i = 0 … N − 1, or on a tree of that depth.

    Parameters
    ----------
    given : SupplyTree, callable, list, DiGraph, Supply or table
        A function of time; one number (or list, a number an asset) a step; a directed tree whose nodes
        have a ``supply`` and, but for the root, a conditional ``probability``; or one of `SUPPLIES`.
    horizon : float
        T.
    steps : int
        N.

    Raises
    ------
    InputError
        One sentence: unknown kind, wrong length, numbers that are not finite, a graph that is no tree.
    """
    if isinstance(given, SupplyTree):
        return given
    times = horizon * np.arange(steps) / steps
    if callable(given):
        given = [given(float(t)) for t in times]
    elif not isinstance(given, nx.Graph | list | tuple | np.ndarray):
        if not isinstance(given, Supply):
            given = read_kind("supply", given, SUPPLIES, "; or one number a step")
        given = given.on(times, horizon)
    return _from_graph(given, steps) if isinstance(given, nx.Graph) else _path(given, steps)


def _path(values: Sequence[Any] | Vector, steps: int) -> SupplyTree:
    if len(values) != steps:
        raise InputError("supply", f"{len(values)} numbers", f"one number a step, {steps} in all")
    rows = [_row(f"supply[{i}]", row) for i, row in enumerate(values)]
    if any(len(row) != len(rows[0]) for row in rows):
        raise InputError("supply", values, "rows with the same number of assets each")
    return SupplyTree(
        parents=tuple(range(-1, steps - 1)),
        depths=tuple(range(steps)),
        probabilities=(1.0,) * steps,
        supplies=tuple(rows),
    )


def read_supply(file: str | Path, sheet: str | None = None) -> list[float]:
    """Return the column ``supply`` of a CSV, Parquet or XLSX file, one row a step.

    Raises `InputError` if there is no such file or column, or an entry is no number.
    """
    return read_table(file, "supply.file", sheet=sheet).numbers("supply")


SHIPPED_PATHS = {1: "wiener-1.csv"}
"""Seeds of the Wiener paths that come with Agora, and their files."""


def wiener_path(seed: int) -> Vector:
    """Return W at k/1000, k = 0 … 1000, on [0, 1]: shipped data for the seed 1, drawn for others."""
    if seed in SHIPPED_PATHS:
        folder = Path(str(files("agora.data"))) / "shipped" / "paths"
        return np.array(read_supply(folder / SHIPPED_PATHS[seed]))
    increments = np.random.default_rng(seed).normal(scale=np.sqrt(1e-3), size=1000)
    return np.concatenate([[0.0], np.cumsum(increments)])


# --- trees ---------------------------------------------------------------------------------------


def _from_graph(graph: nx.Graph, steps: int) -> SupplyTree:
    """Return a checked tree of events, its nodes in the order of time and, within a time, of the graph."""
    if not isinstance(graph, nx.DiGraph) or not nx.is_arborescence(graph):
        raise InputError("supply", graph, "a directed tree, from the root on")
    root = next(node for node, degree in graph.in_degree() if degree == 0)
    order = [root, *(child for _, child in nx.bfs_edges(graph, root))]
    depth = nx.shortest_path_length(graph, root)
    short = [node for node in order if graph.out_degree(node) == 0 and depth[node] != steps - 1]
    if short or max(depth.values()) != steps - 1:
        raise InputError("supply", graph, f"a tree whose every branch has one node a step, {steps} in all")
    index = {node: k for k, node in enumerate(order)}
    probability = {root: 1.0}
    for node in order:
        children = list(graph.successors(node))
        shares = [
            finite(f"supply: probability of {child}", graph.nodes[child].get("probability", MISSING))
            for child in children
        ]
        if children and (min(shares) <= 0 or abs(sum(shares) - 1) > 1e-9):
            raise InputError(f"supply: probabilities after {node}", shares, "numbers > 0 that sum to one")
        for child, share in zip(children, shares, strict=True):
            probability[child] = probability[node] * share
    supplies = [_row(f"supply of node {v}", graph.nodes[v].get("supply", MISSING)) for v in order]
    if any(len(row) != len(supplies[0]) for row in supplies):
        raise InputError("supply", graph, "a tree with the same number of assets at every node")
    return SupplyTree(
        parents=tuple(index[next(graph.predecessors(node))] if node != root else -1 for node in order),
        depths=tuple(depth[node] for node in order),
        probabilities=tuple(probability[node] for node in order),
        supplies=tuple(supplies),
        names=tuple(str(node) for node in order),
    )


def random_walk_tree(
    horizon: float, steps: int, *, branchings: int, deviation: float = 1.0, level: float = 0.0
) -> nx.DiGraph:
    """Return supply that goes up or down at equally spaced times, as a directed tree.

    Parameters
    ----------
    horizon, steps : float, int
        T and N.
    branchings : int
        How often; 2**branchings paths in the end. The first time is T/(branchings + 1).
    deviation : float
        Standard deviation of the change over the whole horizon.
    level : float
        Supply at first.

    Returns
    -------
    DiGraph
        Nodes are named by their step and the ups (u) and downs (d) so far; attributes ``supply``,
        ``probability`` (given the node before) and ``step``.
    """
    graph = nx.DiGraph(horizon=horizon, steps=steps)
    jumps = {round(steps * (k + 1) / (branchings + 1)) for k in range(branchings)}
    size = deviation / np.sqrt(branchings) if branchings else 0.0
    last = [("0", "", float(level))]
    graph.add_node("0", supply=float(level), probability=1.0, step=0)
    for step in range(1, steps):
        following = []
        for name, history, supply in last:
            ways = (("u", supply + size), ("d", supply - size)) if step in jumps else (("", supply),)
            for letter, value in ways:
                child = f"{step}{history}{letter}"
                graph.add_node(child, supply=float(value), probability=1.0 / len(ways), step=step)
                graph.add_edge(name, child)
                following.append((child, history + letter, value))
        last = following
    return graph
