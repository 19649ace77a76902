"""Who trades and what is supplied: initial laws as atoms, and supply as numbers on a grid of times."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
from scipy.stats import norm

from agora.data.checks import MISSING, InputError, finite, nearest, positive, whole
from agora.data.fields import Fields
from agora.data.tables import read_table
from agora.typing import Vector


class InitialLaw(Fields):
    """The law of the agents' initial states: atoms and their masses, which sum to one.

    Attributes
    ----------
    states : tuple of tuple of float
        Initial holdings of each atom, a number an asset.
    masses : tuple of float
        Share of the agents in each atom.
    """

    states: tuple[tuple[float, ...], ...]
    masses: tuple[float, ...]

    @property
    def assets(self) -> int:
        """Number of assets held."""
        return len(self.states[0])


def as_initial_law(given: Any) -> InitialLaw:
    """Return the initial law a user means.

    Parameters
    ----------
    given : InitialLaw, list, or table
        A list of states (numbers, or lists with a number an asset) of equal mass; or a table:
        ``linspace`` (from, to, number), ``uniform`` and ``normal`` (their `number` midpoint quantiles),
        ``list`` (states, weights). Weights need not sum to one; they are divided by their sum.

    Raises
    ------
    InputError
        One sentence; a law without mass is none.
    """
    if isinstance(given, InitialLaw):
        return given
    if isinstance(given, list | tuple | np.ndarray):
        given = {"kind": "list", "states": list(given)}
    if not isinstance(given, Mapping):
        raise InputError("agents", given, f"a list of states, or a table with kind = {nearest('', _LAWS)}")
    table = dict(given)
    kind = table.pop("kind", MISSING)
    if not isinstance(kind, str) or kind not in _LAWS:
        raise InputError("agents.kind", kind, nearest(str(kind), _LAWS))
    states, masses = _call("agents", _LAWS[kind], table)
    return InitialLaw(
        states=tuple(tuple(float(v) for v in row) for row in states), masses=tuple(float(v) for v in masses)
    )


def _call(field: str, maker: Callable[..., Any], table: Mapping[str, Any]) -> Any:
    """Call a maker with the entries of a table; unknown and missing ones are one sentence."""
    renamed = {"from": "start", "to": "end"}
    shown = {new: old for old, new in renamed.items()}
    code = maker.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    optional = set(maker.__kwdefaults__ or {})
    arguments = {renamed.get(key, key): value for key, value in table.items()}
    known = [shown.get(name, name) for name in names]
    for key, value in table.items():
        if renamed.get(key, key) not in names:
            raise InputError(f"{field}.{key}", value, f"left out, or a known field: {nearest(key, known)}")
    for name in names:
        if name not in arguments and name not in optional:
            raise InputError(f"{field}.{shown.get(name, name)}", MISSING, "given")
    return maker(**arguments)


def _linspace(*, start: Any, end: Any, number: Any) -> tuple[Vector, Vector]:
    count = whole("agents.number", number, at_least=1)
    states = np.linspace(finite("agents.from", start), finite("agents.to", end), count)
    return states[:, None], np.full(count, 1.0 / count)


def _uniform(*, start: Any, end: Any, number: Any) -> tuple[Vector, Vector]:
    count = whole("agents.number", number, at_least=1)
    low, high = finite("agents.from", start), finite("agents.to", end)
    states = low + (high - low) * (np.arange(count) + 0.5) / count
    return states[:, None], np.full(count, 1.0 / count)


def _normal(*, mean: Any, deviation: Any, number: Any) -> tuple[Vector, Vector]:
    count = whole("agents.number", number, at_least=1)
    middle, spread = finite("agents.mean", mean), positive("agents.deviation", deviation)
    states = norm.ppf((np.arange(count) + 0.5) / count, loc=middle, scale=spread)
    return states[:, None], np.full(count, 1.0 / count)


def _listed(*, states: Any, weights: Any = None) -> tuple[list[list[float]], list[float]]:
    if not isinstance(states, list | tuple | np.ndarray):
        raise InputError("agents.states", states, "a list of numbers, or of lists with a number an asset")
    rows = [
        [finite(f"agents.states[{k}]", v) for v in row]
        if isinstance(row, list | tuple | np.ndarray)
        else [finite(f"agents.states[{k}]", row)]
        for k, row in enumerate(states)
    ]
    if any(len(row) != len(rows[0]) or not row for row in rows):
        raise InputError("agents.states", states, "states with the same number of assets each")
    if not rows:
        raise InputError("agents.states", states, "at least one state")
    if weights is None:
        return rows, [1.0 / len(rows)] * len(rows)
    given = [finite(f"agents.weights[{k}]", v) for k, v in enumerate(weights)]
    if len(given) != len(rows):
        raise InputError("agents.weights", weights, f"one weight a state, {len(rows)} in all")
    if min(given, default=0.0) < 0 or sum(given) <= 0:
        raise InputError("agents.weights", weights, "numbers >= 0 with a positive sum: a law needs mass")
    kept = [k for k, weight in enumerate(given) if weight > 0]
    return [rows[k] for k in kept], [given[k] / sum(given) for k in kept]


_LAWS: dict[str, Callable[..., Any]] = {
    "linspace": _linspace,
    "uniform": _uniform,
    "normal": _normal,
    "list": _listed,
}


# --- supply --------------------------------------------------------------------------------------


class SupplyTree(Fields):
    """Supply at the nodes of a tree of events; a path without branches is supply that is known.

    Attributes
    ----------
    parents : tuple of int
        The node before each node, −1 for the root; nodes are in the order of time.
    depths : tuple of int
        The time step of each node.
    probabilities : tuple of float
        Of reaching each node; at every step they sum to one.
    supplies : tuple of tuple of float
        Q at each node, a number an asset, units of the asset per unit of time and agent.
    names : tuple of str
        The nodes' names in the graph they came from; empty for supply that is known.
    """

    parents: tuple[int, ...]
    depths: tuple[int, ...]
    probabilities: tuple[float, ...]
    supplies: tuple[tuple[float, ...], ...]
    names: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Whether supply is certain."""
        return not self.names

    @property
    def values(self) -> Vector:
        """Supplies as an array (nodes, assets)."""
        return np.array(self.supplies)


def as_supply(given: Any, horizon: float, steps: int) -> SupplyTree:
    """Return supply on the grid t_i = i T/N, i = 0 … N − 1, or on a tree of that depth.

    Parameters
    ----------
    given : SupplyTree, callable, list, DiGraph or table
        A function of time; one number (or list, a number an asset) a step; a directed tree whose nodes
        have a ``supply`` and, but for the root, a conditional ``probability``; or a table: ``constant``
        (level), ``sine`` (frequency, amplitude, phase), ``table`` (values or file), ``wiener`` (seed,
        scale), ``random-walk`` (branchings, deviation, level).
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
    if isinstance(given, nx.Graph):
        return _from_graph(given, steps)
    if callable(given):
        return _path([given(float(t)) for t in times], steps)
    if isinstance(given, list | tuple | np.ndarray):
        return _path(list(given), steps)
    if not isinstance(given, Mapping):
        kinds = nearest("", (*_SUPPLIES, "random-walk"))
        raise InputError("supply", given, f"one number a step, or a table with kind = {kinds}")
    table = dict(given)
    kind = table.pop("kind", MISSING)
    if kind == "random-walk":
        return _from_graph(_call("supply", _random_walk(horizon, steps), table), steps)
    if not isinstance(kind, str) or kind not in _SUPPLIES:
        raise InputError("supply.kind", kind, nearest(str(kind), (*_SUPPLIES, "random-walk")))
    law = _call("supply", _SUPPLIES[kind], table)
    return _path(law(times, horizon) if callable(law) else law, steps)


def _path(values: Sequence[Any] | Vector, steps: int) -> SupplyTree:
    if len(values) != steps:
        raise InputError("supply", f"{len(values)} numbers", f"one number a step, {steps} in all")
    rows = [
        tuple(finite(f"supply[{i}]", v) for v in row)
        if isinstance(row, list | tuple | np.ndarray)
        else (finite(f"supply[{i}]", row),)
        for i, row in enumerate(values)
    ]
    if any(len(row) != len(rows[0]) for row in rows):
        raise InputError("supply", values, "rows with the same number of assets each")
    return SupplyTree(
        parents=tuple(range(-1, steps - 1)),
        depths=tuple(range(steps)),
        probabilities=(1.0,) * steps,
        supplies=tuple(rows),
    )


def _constant(*, level: Any) -> Callable[[Vector, float], Vector]:
    number = finite("supply.level", level)
    return lambda times, horizon: np.full(len(times), number)


def _sine(*, frequency: Any, amplitude: Any = 1.0, phase: Any = 0.0) -> Callable[[Vector, float], Vector]:
    rate, height = finite("supply.frequency", frequency), finite("supply.amplitude", amplitude)
    shift = finite("supply.phase", phase)

    def law(times: Vector, horizon: float) -> Vector:
        return height * np.sin(rate * times + shift)

    return law


def _table(*, values: Any = None, file: Any = None) -> list[Any]:
    if (values is None) == (file is None):
        raise InputError("supply", {"values": values, "file": file}, "given by either values or a file")
    if values is not None:
        if not isinstance(values, list | tuple | np.ndarray):
            raise InputError("supply.values", values, "a list with one number a step")
        return list(values)
    return read_supply(str(file))


def read_supply(file: str | Path, sheet: str | None = None) -> list[float]:
    """Return the column ``supply`` of a CSV, Parquet or XLSX file, one row a step.

    Raises
    ------
    InputError
        If there is no such file or column, or an entry is no number.
    """
    return read_table(file, "supply.file", sheet=sheet).numbers("supply")


SHIPPED_PATHS = {1: "wiener-1.csv"}
"""Seeds of the Wiener paths that come with Agora, and their files."""


def wiener_path(seed: int) -> Vector:
    """Return W at k/1000, k = 0 … 1000, on [0, 1]: shipped data for the seed 1, drawn for others."""
    if seed in SHIPPED_PATHS:
        return np.array(
            read_supply(Path(str(files("agora.data"))) / "shipped" / "paths" / SHIPPED_PATHS[seed])
        )
    increments = np.random.default_rng(seed).normal(scale=np.sqrt(1e-3), size=1000)
    return np.concatenate([[0.0], np.cumsum(increments)])


def _wiener(*, seed: Any, scale: Any = 1.0) -> Callable[[Vector, float], Vector]:
    number, size = whole("supply.seed", seed, at_least=0), finite("supply.scale", scale)

    def law(times: Vector, horizon: float) -> Vector:
        path = np.interp(times / horizon, np.linspace(0.0, 1.0, 1001), wiener_path(number))
        result: Vector = size * np.sqrt(horizon) * path
        return result

    return law


_SUPPLIES: dict[str, Callable[..., Any]] = {
    "constant": _constant,
    "sine": _sine,
    "table": _table,
    "wiener": _wiener,
}


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
    supplies = []
    for node in order:
        given = graph.nodes[node].get("supply", MISSING)
        row = given if isinstance(given, list | tuple | np.ndarray) else [given]
        supplies.append(tuple(finite(f"supply of node {node}", value) for value in row))
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


def _random_walk(horizon: float, steps: int) -> Callable[..., nx.DiGraph]:
    def maker(*, branchings: Any, deviation: Any = 1.0, level: Any = 0.0) -> nx.DiGraph:
        count = whole("supply.branchings", branchings, at_least=1)
        if count >= steps or count > 12:
            raise InputError("supply.branchings", branchings, f"at most {min(steps - 1, 12)}")
        return random_walk_tree(
            horizon, steps, branchings=count, deviation=positive("supply.deviation", deviation),
            level=finite("supply.level", level),
        )  # fmt: skip

    return maker
