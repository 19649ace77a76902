"""Local maximisers of a city's potential: best responses from many starts, distinct ones kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd

from agora.data.geographies import CellNetwork
from agora.formulations.city.network_kernels import LARGEST_DENSE
from agora.methods.city.centres import city_method
from agora.methods.city.firms_game import FirmsGame, State
from agora.methods.city.starts import large_city_starts, starting_points
from agora.methods.method import Answer, Count, Options, Progress, Proof, Whole, silent
from agora.models.city.fujita_ogawa import FujitaOgawa
from agora.typing import Vector

FEW_CELLS = 10
"""Cells up to which the table of equilibria shows the firms in each."""
LARGEST_FOR_SYMMETRY = 300
"""Cells up to which states are compared up to the geography's symmetries; above, as they stand."""


@dataclass
class Found:
    """A distinct state, and how often it was reached."""

    state: State
    potential: float
    kind: str
    times: int = 1


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
    found: list[Found] = []
    points = large_city_starts if city.network.number > LARGEST_DENSE else starting_points
    for number, start in enumerate(points(city, chosen.starts, np.random.default_rng(chosen.seed))):
        progress(f"best responses from start {number + 1} of {chosen.starts}")
        keep_distinct(game, found, game.climb(start))
    found.sort(key=lambda f: -f.potential)
    top = found[0]
    allocation, prices = game.allocation(top.state)
    eigenvalue, meaning = game.definiteness
    facts = {
        "kind": top.kind,
        "starts": chosen.starts,
        "distinct_states": len(found),
        "tangent_eigenvalue": eigenvalue,
    }
    product = city.interaction.product
    if product is not None:
        facts |= {"definiteness": meaning, "kernel": product.method, "kernel_error": product.error}
    tables = {**city.tables(allocation), "equilibria": equilibria_table(found, city.network)}
    proof = Proof("none", "none: the best of the states found; others may be higher")
    return Answer(top.kind, top.potential, tables, proof, facts, (game.linear.record(), prices))


METHOD = city_method("best-response", StartOptions, best_response)
"""Local maximisers, by linear programs."""


def keep_distinct(game: FirmsGame, found: list[Found], state: State, times: int = 1) -> None:
    """Add a state to those found, or count it as one of them up to symmetry."""
    potential = game.potential(state)
    for other in found:
        if abs(other.potential - potential) <= 1e-9 * max(1.0, abs(potential)) and equivalent(
            game.city.network, other.state.firms, state.firms
        ):
            other.times += times
            return
    found.append(Found(state, potential, game.kind(state), times))


def equilibria_table(found: list[Found], network: CellNetwork) -> pd.DataFrame:
    """Return one row a distinct state: potential, kind, how often reached; few cells: firms in each."""
    columns: dict[str, Any] = {
        "equilibrium": range(1, len(found) + 1),
        "potential": [f.potential for f in found],
        "kind": [f.kind for f in found],
        "total_commuting_cost": [f.state.total_commuting_cost for f in found],
        "reached": [f.times for f in found],
    }
    if network.number <= FEW_CELLS:
        for i, cell in enumerate(network.cells):
            columns[f"firms_{cell}"] = [float(f.state.firms[i]) for f in found]
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
    return bool(
        nx.is_isomorphic(
            *graphs,
            node_match=lambda a, b: a["colour"] == b["colour"],
            edge_match=lambda a, b: a["length"] == b["length"],
        )
    )
