r"""The routes to the least commuting cost, each run alone: ``python -m benchmarks.commuting_routes``.

Firms are given and fill, with their workers' homes, all land: every home has its worker. The routes
must agree on the optimum, h = min Σ t_ij n_ij, and share nothing but the geography:

* ``edges``: (S) as a flow on the edges, Pyomo and HiGHS;
* ``dual``: (D), prices on the edges, Pyomo and HiGHS;
* ``pairs``: (S) in the paper's n_ij, Pyomo and HiGHS;
* ``emd``: POT's network simplex on the dense cost matrix;
* ``formula``: Agora's closed form on the circle (weighted median);
* ``ot-circle``: POT's formula for the same.

Arguments: a route (or ``imports``, ``certified``, ``city``), a kind of geography, its size.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray
from scipy.sparse.csgraph import dijkstra

from agora.data.geographies import CellNetwork, cell_network, circle, grid
from agora.formulations.city.commuting import add_commuting_pairs
from agora.formulations.city.commuting_numbers import closed_form_commuting_cost
from agora.models.city.commuting import CommutingMarket
from agora.models.city.fujita_ogawa import FujitaOgawa
from agora.runners.solving import solve
from agora.solvers import solve_program
from agora.solvers.classify import objective_of
from benchmarks.measuring import best_of, peak_megabytes

if find_spec("ot"):
    import ot

Vector = NDArray[np.float64]

COMMUTING_COST, LABOR_PER_FIRM = 0.1, 4.0
CLUSTERS, SHARE_WITH_JOBS, SEED = 5, 0.4, 1
STARTS = 20


# --- the market ----------------------------------------------------------------------------------


def geography(kind: str, size: int) -> nx.Graph:
    """Return a circle of `size` cells, or a grid of size × size; every cell has land 1."""
    return circle(size, land=1.0) if kind == "circle" else grid(size, size, land=1.0)


def clustered_firms(network: CellNetwork) -> Vector:
    """Return firms in five clusters, uneven inside, that leave exactly the land their workers live on."""
    random = np.random.default_rng(SEED)
    centres = random.choice(network.number, CLUSTERS, replace=False)
    distance = dijkstra(network.matrix(), indices=centres).min(axis=0)
    inside = np.argsort(distance, kind="stable")[: int(SHARE_WITH_JOBS * network.number)]
    firms = np.zeros(network.number)
    firms[inside] = random.uniform(0.2, 0.8, len(inside)) * network.land[inside]
    scaled: Vector = firms * network.land.sum() / (1 + LABOR_PER_FIRM) / firms.sum()
    return scaled


def market(kind: str, size: int) -> CommutingMarket:
    """Return the market; its network is ready, its distances are not computed."""
    graph = geography(kind, size)
    made = CommutingMarket(
        geography=graph,
        commuting_cost=COMMUTING_COST,
        firms=clustered_firms(cell_network(graph)).tolist(),
        labor_per_firm=LABOR_PER_FIRM,
    )
    assert made.network.number
    return made


# --- the routes ----------------------------------------------------------------------------------


class Route(NamedTuple):
    """How a route builds its program and solves it, and how many variables that has."""

    build: Callable[[CommutingMarket], Any]
    solve: Callable[[Any], float]
    variables: Callable[[CommutingMarket], int]


def edges(given: CommutingMarket) -> pyo.ConcreteModel:
    return given.program()


def pairs(given: CommutingMarket) -> pyo.ConcreteModel:
    return given.program(add_commuting_pairs)


def dual(given: CommutingMarket) -> pyo.ConcreteModel:
    return given.dual_program()


def pyomo_optimum(program: pyo.ConcreteModel) -> float:
    solve_program(program)
    return float(pyo.value(objective_of(program)))


class Transport(NamedTuple):
    """Homes' masses, jobs' masses, cost per household."""

    homes: Vector
    jobs: Vector
    costs: Vector


def imbalances(given: CommutingMarket) -> Vector:
    """Return homes less jobs, (a_i − m_i) − φ m_i: households who leave (> 0) or arrive (< 0)."""
    excess: Vector = given.network.land - (1 + LABOR_PER_FIRM) * np.array(given.firms)
    return excess


def transport(given: CommutingMarket) -> Transport:
    """Return the smallest dense problem: those who work where they live are taken out beforehand.

    That loses nothing, since t_ij is a metric, and makes the network simplex 2 to 3 times faster.
    """
    excess = imbalances(given)
    sources, sinks = np.flatnonzero(excess > 0), np.flatnonzero(excess < 0)
    homes, jobs = excess[sources], -excess[sinks]
    costs = COMMUTING_COST * distances(given, sources, sinks)
    return Transport(homes, jobs * (homes.sum() / jobs.sum()), np.ascontiguousarray(costs))


def distances(given: CommutingMarket, sources: NDArray[np.int_], sinks: NDArray[np.int_]) -> Vector:
    """Return distances by the formula of the geography, faster than any search for shortest paths."""
    number, length = given.network.number, float(given.network.lengths[0])
    if given.geography.graph["kind"] == "circle":
        steps = np.abs(sources[:, None] - sinks[None, :])
        round_trip: Vector = length * np.minimum(steps, number - steps)
        return round_trip
    side = round(number**0.5)
    (row, column), (to_row, to_column) = np.divmod(sources, side), np.divmod(sinks, side)
    steps = np.abs(row[:, None] - to_row[None, :]) + np.abs(column[:, None] - to_column[None, :])
    blocks: Vector = length * steps
    return blocks


def emd_optimum(problem: Transport) -> float:
    _, log = ot.emd(problem.homes, problem.jobs, problem.costs, numItermax=10**9, log=True)
    if log["warning"] is not None:
        raise RuntimeError(f"POT: {log['warning']}")
    return float(log["cost"])


def formula(given: CommutingMarket) -> Callable[[], float]:
    known, excess = closed_form_commuting_cost(given.network), imbalances(given)
    if known is None:
        raise ValueError("no closed form on this geography")
    return lambda: COMMUTING_COST * float(known(-excess))


def ot_circle(given: CommutingMarket) -> Callable[[], float]:
    number = given.network.number
    locations, homes = np.arange(number) / number, given.network.land - np.array(given.firms)
    jobs = LABOR_PER_FIRM * np.array(given.firms)

    def optimum() -> float:
        mean = ot.wasserstein_circle(locations, locations, homes / homes.sum(), jobs / jobs.sum(), p=1)
        return float(COMMUTING_COST * homes.sum() * mean[0])

    return optimum


def call(optimum: Callable[[], float]) -> float:
    return optimum()


def dense_pairs(given: CommutingMarket) -> int:
    excess = imbalances(given)
    return int((excess > 0).sum() * (excess < 0).sum())


ROUTES: dict[str, Route] = {
    "edges": Route(edges, pyomo_optimum, lambda given: given.network.number + len(given.network.lengths)),
    "dual": Route(dual, pyomo_optimum, lambda given: 2 * given.network.number),
    "pairs": Route(pairs, pyomo_optimum, lambda given: given.network.number**2),
    "emd": Route(transport, emd_optimum, dense_pairs),
    "formula": Route(formula, call, lambda _: 0),
    "ot-circle": Route(ot_circle, call, lambda _: 0),
}


# --- one measurement -----------------------------------------------------------------------------


def timed(route: str, kind: str, size: int) -> dict[str, Any]:
    """Return the best time, the memory and the optimum of a route."""
    if route in ("emd", "ot-circle") and not find_spec("ot"):
        return {"skipped": "POT is not installed"}

    def run() -> dict[str, Any]:
        given = market(kind, size)  # anew each time: distances are kept once computed
        start = time.perf_counter()
        built = ROUTES[route].build(given)
        middle = time.perf_counter()
        optimum = ROUTES[route].solve(built)
        end = time.perf_counter()
        return {"build": middle - start, "solve": end - middle, "objective": optimum}

    return {**best_of(run), "variables": ROUTES[route].variables(market(kind, size))}


def certified(kind: str, size: int) -> dict[str, Any]:
    """Return the seconds of `agora.runners.solve` on the market: tables, prices and certificate too."""

    def run() -> dict[str, Any]:
        solution = solve(market(kind, size))
        return {**solution.seconds, "objective": solution.objective}

    return {**best_of(run), "variables": ROUTES["edges"].variables(market(kind, size))}


def city(kind: str, size: int) -> dict[str, Any]:
    """Return the seconds of best responses in a city: climbs, prices and certificate."""
    graph = circle(size) if kind == "circle" else grid(size, size)

    def run() -> dict[str, Any]:
        given = FujitaOgawa(
            geography=graph, commuting_cost=0.05, decay=25.0, firm_mass=0.5, labor_per_firm=1.0
        )
        solution = solve(given, starts=STARTS)
        return {**solution.seconds, "objective": solution.objective, "status": solution.status}

    return {**best_of(run), "starts": STARTS}


def main(route: str, kind: str, size: int) -> None:
    """Print one measurement as a line of JSON."""
    special: dict[str, Callable[[], dict[str, Any]]] = {
        "imports": lambda: {"megabytes": peak_megabytes()},
        "certified": lambda: certified(kind, size),
        "city": lambda: city(kind, size),
    }
    print(json.dumps(special[route]() if route in special else timed(route, kind, size)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
