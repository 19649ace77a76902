"""Local maximisers of a city's potential: best responses from many starts, distinct ones kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agora.data.geographies import CellNetwork
from agora.models.fujita_ogawa import FujitaOgawa
from agora.runners.methods.answers import Answer, Progress, silent
from agora.runners.methods.firms_game import FirmsGame, State
from agora.runners.methods.symmetries import symmetries

Vector = NDArray[np.float64]

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


def best_response(city: FujitaOgawa, starts: int = 20, seed: int = 1, progress: Progress = silent) -> Answer:
    """Return the best local maximiser found from `starts` starts, and all distinct ones as a table.

    Starts are the even distribution, one to many centres placed far apart, and random orders of the
    cells; `seed` fixes them. Nothing is claimed about global optimality.
    """
    city.check_potential()
    game = FirmsGame(city)
    found: list[Found] = []
    for number, start in enumerate(starting_points(city, starts, np.random.default_rng(seed))):
        progress(f"best responses from start {number + 1} of {starts}")
        keep_distinct(game, found, game.climb(start))
    found.sort(key=lambda f: -f.potential)
    top = found[0]
    allocation, prices = game.allocation(top.state)
    facts = {
        "kind": top.kind,
        "starts": starts,
        "distinct_states": len(found),
        "tangent_eigenvalue": game.tangent_eigenvalue,
        "proof": "none: the best of the states found; others may be higher",
    }
    tables = {**city.tables(allocation), "equilibria": equilibria_table(found, city.network)}
    return Answer(top.kind, top.potential, False, tables, facts, (game.linear.record(), prices))


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
        "commuting_cost": [f.state.commuting_cost for f in found],
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
    group = symmetries(network)
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


def starting_points(city: FujitaOgawa, number: int, random: np.random.Generator) -> list[Vector]:
    """Return distributions of firms to start from: even; 1, 2, … centres; random orders of the cells.

    Centres are spread over the geography, once in the middle of links and once in cells, so that
    centres of an even and of an odd number of cells are both met.
    """
    network = city.network
    cells = network.number
    everywhere, once = np.arange(cells), network.tails < network.heads
    kinds = []
    for first, second in ((network.tails[once], network.heads[once]), (everywhere, everywhere)):
        kinds.append(((network.distances[:, first] + network.distances[:, second]) / 2, first, second))
    points = [city.firm_mass * network.land / network.land.sum()]
    for count in range(1, max(1, cells // 4) + 1):
        for places, first, second in kinds:
            if len(points) <= number // 2:
                centres = _spread(places, first, second, count, random)
                points.append(_filled(city, places[:, centres].min(axis=1)))
    while len(points) < number:
        points.append(_filled(city, random.random(cells)))
    return points[:number]


def _spread(
    places: Vector, first: NDArray[np.int_], second: NDArray[np.int_], count: int, random: np.random.Generator
) -> list[int]:
    """Choose places far apart, then move each to the middle of the cells nearest to it.

    `places` holds the distance of every cell (rows) to every place (columns); a place is the middle
    of its `first` and `second` cell.
    """
    chosen = [int(random.integers(places.shape[1]))]
    while len(chosen) < count:
        near = places[:, chosen]
        apart = ((near[first] + near[second]) / 2).min(axis=1)
        chosen.append(int(np.argmax(apart)))
    for _ in range(50):
        nearest = places[:, chosen].argmin(axis=1)
        moved = []
        for k, place in enumerate(chosen):
            spread = places[nearest == k].sum(axis=0)
            moved.append(place if spread[place] <= spread.min() * (1 + 1e-12) else int(spread.argmin()))
        if moved == chosen:
            break
        chosen = moved
    return chosen


def _filled(city: FujitaOgawa, order_by: Vector) -> Vector:
    """Fill cells with firms, smallest `order_by` first, until all firms are placed."""
    land, left = city.network.land, city.firm_mass
    firms = np.zeros(len(land))
    for cell in np.argsort(order_by, kind="stable"):
        firms[cell] = min(land[cell], left)
        left -= firms[cell]
        if left <= 0:
            break
    return firms
