"""Local maximisers of a city's potential: best responses from many starts, distinct ones kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd

from agora.data.geographies import CellNetwork
from agora.formulations.city.network_kernels import LARGEST_DENSE
from agora.methods.city.firms_game import FirmsGame, State, city_method
from agora.methods.city.starts import large_city_starts, starting_points
from agora.methods.method import Answer, Count, Options, Progress, Proof, Whole, silent
from agora.models.city.fujita_ogawa import FujitaOgawa
from agora.solvers import SolverRecord
from agora.typing import Vector

FEW_CELLS = 10
"""Cells up to which the table of equilibria shows the firms in each."""
LARGEST_FOR_SYMMETRY = 300
"""Cells up to which states are compared up to the geography's symmetries; above, as they stand."""


@dataclass
class DistinctState:
    """A state that differs from all others reached, and the times that it was reached."""

    state: State
    potential: float
    kind: str
    times: int = 1

    @classmethod
    def of(cls, game: FirmsGame, state: State, times: int = 1) -> DistinctState:
        """Return a state with its potential and its kind."""
        return cls(state, game.potential(state), game.kind(state), times)


class StartOptions(Options):
    """How to search for local maximisers."""

    starts: Count = 20
    """Number of starting points."""
    seed: Whole = 1
    """Seed of everything random."""


def best_response(city: FujitaOgawa, chosen: StartOptions, progress: Progress = silent) -> Answer:
    """Return the best local maximiser found from some starts, and all distinct ones as a table.

    Starts are the even distribution, one to many centres placed far apart, and random orders of the
    cells. Nothing is claimed about global optimality.
    """
    city.check_potential()
    game = FirmsGame(city)
    states: list[DistinctState] = []
    points = large_city_starts if city.network.number > LARGEST_DENSE else starting_points
    for number, start in enumerate(points(city, chosen.starts, np.random.default_rng(chosen.seed))):
        progress(f"best responses from start {number + 1} of {chosen.starts}")
        keep_distinct(game, states, game.climb(start))
    states.sort(key=lambda s: -s.potential)
    top = states[0]
    eigenvalue, meaning = game.definiteness
    facts: dict[str, Any] = {
        "starts": chosen.starts,
        "distinct_states": len(states),
        "tangent_eigenvalue": eigenvalue,
    }
    product = city.interaction.product
    if product is not None:
        facts |= {"definiteness": meaning, "kernel": product.method, "kernel_error": product.error}
    proof = Proof("none", "none: the best of the states found; others may be higher")
    return city_answer(game, top, states, top.kind, proof, facts)


METHOD = city_method("best-response", StartOptions, best_response)
"""Local maximisers, by linear programs."""


def city_answer(
    game: FirmsGame,
    top: DistinctState,
    states: list[DistinctState],
    status: str,
    proof: Proof,
    facts: dict[str, Any],
    records: Sequence[SolverRecord] = (),
) -> Answer:
    """Return the answer that is the state `top`, with a table of distinct states."""
    allocation, prices = game.allocation(top.state)
    tables = {**game.city.tables(allocation), "equilibria": equilibria_table(states, game.city.network)}
    solvers = (game.linear.record(), prices, *records)
    return Answer(status, top.potential, tables, proof, {"kind": top.kind, **facts}, solvers)


def keep_distinct(game: FirmsGame, states: list[DistinctState], state: State, times: int = 1) -> None:
    """Add a state to distinct ones, or count it as one of them up to symmetry."""
    potential = game.potential(state)
    for other in states:
        if abs(other.potential - potential) <= 1e-9 * max(1.0, abs(potential)) and equivalent(
            game.city.network, other.state.firms, state.firms
        ):
            other.times += times
            return
    states.append(DistinctState.of(game, state, times))


def equilibria_table(states: list[DistinctState], network: CellNetwork) -> pd.DataFrame:
    """Return one row a distinct state: potential, kind, how often reached; few cells: firms in each."""
    columns: dict[str, Any] = {
        "equilibrium": range(1, len(states) + 1),
        "potential": [s.potential for s in states],
        "kind": [s.kind for s in states],
        "total_commuting_cost": [s.state.total_commuting_cost for s in states],
        "reached": [s.times for s in states],
    }
    if network.number <= FEW_CELLS:
        for i, cell in enumerate(network.cells):
            columns[f"firms_{cell}"] = [float(s.state.firms[i]) for s in states]
    return pd.DataFrame(columns)


def equivalent(network: CellNetwork, first: Vector, second: Vector) -> bool:
    """Tell whether a symmetry of the geography (land and lengths kept) turns one state into the other."""
    scale = float(network.land.mean())
    if np.abs(first - second).max() <= 1e-6 * scale:
        return True
    if network.number > LARGEST_FOR_SYMMETRY or np.abs(np.sort(first) - np.sort(second)).max() > 1e-6 * scale:
        return False
    group = network.symmetries
    if group is not None:
        return bool((np.abs(first[group] - second).max(axis=1) <= 1e-6 * scale).any())
    graphs = []
    for firms in (first, second):
        graph = nx.DiGraph()
        for i in range(network.number):
            graph.add_node(i, colour=(round(firms[i] / scale, 5), round(network.land[i] / scale, 9)))
        for tail, head, length in zip(network.tails, network.heads, network.lengths, strict=True):
            graph.add_edge(int(tail), int(head), length=round(float(length), 12))
        graphs.append(graph)
    same = (lambda a, b, name=name: a[name] == b[name] for name in ("colour", "length"))
    return bool(nx.is_isomorphic(*graphs, *same))
