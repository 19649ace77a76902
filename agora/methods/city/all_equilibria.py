r"""Every equilibrium of a small city, by its active sets and kinks.

In equilibrium each cell is empty, full or in between, has vacant land or not, and households travel
along a forest of links, each in one direction (an optimal flow of least links has no cycles). Each
such choice fixes a face of the overall program (P0), and on it the conditions of a stationary point
are linear: with p_i the price of a worker at cell i,

.. math:: A_i(m) - (1+\phi) p_i = \pi \;\; (0 < m_i < a_i), \qquad p_j - p_i = t \ell_{ij} \;\;
          (i \to j \text{ travelled}), \qquad p_i = 0 \;\; (\text{vacant land}),

    (1+\phi) m_i - a_i + v_i = \sum_{e \to i} x_e - \sum_{e \leftarrow i} x_e, \qquad \sum_i m_i = M

Two solutions on one face would differ by a move z with z'∇A z = 0: where f is strictly convex along the
distributions of firms there is at most one. Every solution that lies inside its face is tested for
being a best response to itself (Osawa & Akamatsu 2019, Proposition 3). The list is complete.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

import networkx as nx
import numpy as np
import pandas as pd

from agora.data.checks import InputError
from agora.data.geographies import CellNetwork, rearrangements
from agora.methods.city.firms_game import FirmsGame, State, city_method
from agora.methods.city.lattice_city import check_convex
from agora.methods.method import Answer, Count, Options, Progress, Proof, Whole, silent
from agora.models.city.fujita_ogawa import FujitaOgawa
from agora.models.city.tables import cell_names
from agora.typing import Vector

MOST_CELLS, MOST_FACES = 6, 400_000
"""Size up to which all equilibria are listed."""


@dataclass(frozen=True)
class Equilibrium:
    """One equilibrium of a city."""

    state: State
    """Firms and commuting."""
    potential: float
    """g(m), numéraire."""
    kind: str
    """Local maximiser, saddle, minimiser."""
    orbit: int
    """Equilibria with the same number are turned into each other by symmetries of the geography."""


def every_equilibrium(game: FirmsGame, progress: Progress = silent) -> list[Equilibrium]:
    """Return all equilibria of a small city, orbits together, those of highest potential first.

    Raises
    ------
    InputError
        For too many cells, a directed geography, an externality that is not linear and symmetric, or
        one that is not positive definite on the tangent space.
    """
    city = game.city
    _check(city)
    states: list[State] = []
    for number, firms in enumerate(_stationary_points(game), start=1):
        if any(np.abs(firms - other.firms).max() <= 1e-9 * game.scale for other in states):
            continue
        progress(f"testing stationary point {number}")
        state = game.state(firms)
        if game.gap(state) <= 1e-10:
            states.append(state)
    symmetries = list(rearrangements(city.network))
    orbits: list[list[State]] = []
    for state in states:
        for orbit in orbits:
            turned = (np.abs(orbit[0].firms[turn] - state.firms).max() for turn in symmetries)
            if any(difference <= 1e-7 * game.scale for difference in turned):
                orbit.append(state)
                break
        else:
            orbits.append([state])
    orbits.sort(key=lambda o: (-round(game.potential(o[0]), 12), len(o)))
    return [
        Equilibrium(state, game.potential(state), game.kind(state), number)
        for number, orbit in enumerate(orbits, start=1)
        for state in sorted(orbit, key=lambda s: tuple(-np.round(s.firms, 9)))
    ]


def _check(city: FujitaOgawa) -> None:
    network = city.network
    if network.number > MOST_CELLS:
        limit = f"at most {MOST_CELLS} for method = 'all-equilibria'"
        raise InputError("geography (number of cells)", network.number, limit)
    if city.geography.is_directed():
        raise InputError("geography", "a directed graph", "undirected for method = 'all-equilibria'")
    city.check_potential()
    if not city.interaction.linear:
        raise InputError(
            "externality.kind", city.spillover.kind, "exponential or matrix for method = 'all-equilibria'"
        )
    check_convex(city.interaction.jacobian(np.zeros(network.number)))
    faces = 3**network.number * len(list(_forests(network)))
    if faces > MOST_FACES:
        raise InputError(
            "geography (number of links)", len(network.tails) // 2,
            f"fewer: its {faces} faces are more than the {MOST_FACES} searched for method = 'all-equilibria'",
        )  # fmt: skip


# --- faces -------------------------------------------------------------------------------------------


def _forests(network: CellNetwork) -> Iterator[tuple[tuple[int, int, float], ...]]:
    """Yield every forest of links, each link in one of its directions: (tail, head, length)."""
    once = network.tails < network.heads
    columns = (each[once].tolist() for each in (network.tails, network.heads, network.lengths))
    links = list(zip(*columns, strict=True))
    for size in range(network.number):
        for chosen in combinations(links, size):
            graph = nx.Graph((u, v) for u, v, _ in chosen)
            if chosen and not nx.is_forest(graph):
                continue
            for turned in product((False, True), repeat=size):
                yield tuple(
                    (v, u, x) if t else (u, v, x) for (u, v, x), t in zip(chosen, turned, strict=True)
                )


def _stationary_points(game: FirmsGame) -> Iterator[Vector]:
    """Yield the stationary point of every face that has one inside."""
    city = game.city
    land, number = game.land, city.network.number
    kernel = np.asarray(city.interaction.jacobian(np.zeros(number)))
    # with excess land, at least one cell has vacant land
    sizes = range(1) if city.no_excess_land else range(1, number + 1)
    vacancies = [cells for size in sizes for cells in combinations(range(number), size)]
    for forest in _forests(city.network):
        graph = nx.Graph((u, v) for u, v, _ in forest)
        graph.add_nodes_from(range(number))
        pieces = list(nx.connected_components(graph))
        for vacant in vacancies:
            for fillings in product((0, 1, 2), repeat=number):
                free = [i for i in range(number) if fillings[i] == 1]
                full_and_vacant = any(fillings[i] == 2 for i in vacant)
                if full_and_vacant or not _fits(city, pieces, set(vacant), fillings, land):
                    continue
                firms = _solve_face(game, kernel, forest, vacant, free, fillings)
                if firms is not None:
                    yield firms


def _fits(
    city: FujitaOgawa, pieces: list[set[int]], vacant: set[int], fillings: tuple[int, ...], land: Vector
) -> bool:
    """Tell whether firms inside the face can house their workers within each piece of the forest."""
    low = sum(float(land[i]) for i in range(len(land)) if fillings[i] == 2)
    high = low + sum(float(land[i]) for i in range(len(land)) if fillings[i] == 1)
    if not low - 1e-12 <= city.firm_mass <= high + 1e-12:
        return False
    for piece in pieces:
        wanted = float(land[list(piece)].sum()) / (1 + city.labor_per_firm)
        low = sum(float(land[i]) for i in piece if fillings[i] == 2)
        high = low + sum(float(land[i]) for i in piece if fillings[i] == 1)
        if low > wanted + 1e-12 or (high < wanted - 1e-12 and not piece & vacant):
            return False
    return True


def _solve_face(
    game: FirmsGame,
    kernel: Vector,
    forest: tuple[tuple[int, int, float], ...],
    vacant: tuple[int, ...],
    free: list[int],
    fillings: tuple[int, ...],
) -> Vector | None:
    """Return the firms at the stationary point of a face if it has one inside, else None."""
    city, land, number = game.city, game.land, game.city.network.number
    phi, fixed = city.labor_per_firm, np.where(np.array(fillings) == 2, land, 0.0)
    firms, prices, flows = len(free), number, len(forest)
    # unknowns: firms of the free cells, prices of workers, flows, vacant land, profit
    width = firms + prices + flows + len(vacant) + 1
    rows, right = [], []

    def equation(constant: float) -> Vector:
        row = np.zeros(width)
        rows.append(row)
        right.append(constant)
        return row

    for i in free:
        row = equation(-float(kernel[i] @ fixed))
        row[:firms] = kernel[i, free]
        row[firms + i], row[-1] = -(1 + phi), -1.0
    for tail, head, length in forest:
        row = equation(city.commuting_cost * length)
        row[firms + head], row[firms + tail] = 1.0, -1.0
    for i in vacant:
        equation(0.0)[firms + i] = 1.0
    for i in range(number):
        row = equation(float(land[i] - (1 + phi) * fixed[i]))
        if i in free:
            row[free.index(i)] = 1 + phi
        if i in vacant:
            row[firms + prices + flows + vacant.index(i)] = 1.0
        for k, (tail, head, _) in enumerate(forest):
            row[firms + prices + k] = float(tail == i) - float(head == i)
    equation(city.firm_mass - float(fixed.sum()))[:firms] = 1.0
    matrix, constants = np.array(rows), np.array(right)
    solution = np.linalg.lstsq(matrix, constants, rcond=1e-11)[0]
    if np.abs(matrix @ solution - constants).max() > 1e-10 * max(1.0, float(np.abs(constants).max())):
        return None
    margin = 1e-9 * game.scale
    masses = solution[:firms]
    moving = solution[firms + prices : -1]
    inside = (masses > margin).all() and (masses < land[free] - margin).all() and (moving > margin).all()
    if not inside:
        return None
    fixed[free] = masses
    return fixed


# --- basins -----------------------------------------------------------------------------


def basins(game: FirmsGame, equilibria: list[Equilibrium], samples: int, seed: int = 1) -> Vector:
    """Return the share of distributions of firms from which best responses lead to each equilibrium.

    Estimated from `samples` distributions drawn evenly from ℳ; the standard error of a share p is
    sqrt(p (1 − p) / samples).
    """
    random = np.random.default_rng(seed)
    counts = np.zeros(len(equilibria))
    for start in even_distributions(game, samples, random):
        reached = game.climb(start).firms
        gaps = [np.abs(e.state.firms - reached).max() for e in equilibria]
        nearest = int(np.argmin(gaps))
        if gaps[nearest] <= 1e-6 * game.scale:
            counts[nearest] += 1
    return counts / samples


def even_distributions(game: FirmsGame, samples: int, random: np.random.Generator) -> list[Vector]:
    """Draw distributions of firms evenly from ℳ = {0 ≤ m ≤ a, Σ m = M}."""
    land, mass = game.land, game.city.firm_mass
    drawn: list[Vector] = []
    while len(drawn) < samples:
        firms = random.dirichlet(np.ones(len(land)), size=256) * mass
        drawn.extend(firms[(firms <= land).all(axis=1)])
    return drawn[:samples]


# --- the answer ------------------------------------------------------------------------------------------


class EquilibriaOptions(Options):
    """How to list all equilibria."""

    samples: Count = 200
    """Distributions of firms from which basins are estimated."""
    seed: Whole = 1
    """Seed of the samples."""


def all_equilibria(city: FujitaOgawa, chosen: EquilibriaOptions, progress: Progress = silent) -> Answer:
    """Return the global maximiser of a small city and its equilibria; raises as `every_equilibrium` does."""
    game = FirmsGame(city)
    equilibria = every_equilibrium(game, progress)
    progress("basins")
    shares = basins(game, equilibria, chosen.samples, chosen.seed)
    top = equilibria[0]
    allocation, prices = game.allocation(top.state)
    sizes, kinds = Counter(e.orbit for e in equilibria), Counter(sorted(e.kind for e in equilibria))
    numbers, names = np.arange(1, len(equilibria) + 1), cell_names(city.network)
    listed = pd.DataFrame(
        {
            "equilibrium": numbers,
            "potential": [e.potential for e in equilibria],
            "kind": [e.kind for e in equilibria],
            "total_commuting_cost": [e.state.total_commuting_cost for e in equilibria],
            "orbit": [e.orbit for e in equilibria],
            "orbit_size": [sizes[e.orbit] for e in equilibria],
            "basin": shares,
        }
    )
    firms = pd.DataFrame(
        {
            "equilibrium": np.repeat(numbers, len(names)),
            "cell": names * len(equilibria),
            "firms": np.concatenate([e.state.firms for e in equilibria]),
        }
    )
    facts = {
        "kind": top.kind,
        "equilibria": len(equilibria),
        "orbits": len(sizes),
        "kinds": dict(kinds),
        "tangent_eigenvalue": game.tangent_eigenvalue,
        "basin_samples": chosen.samples,
    }
    tables = {**city.tables(allocation), "equilibria": listed, "equilibrium_firms": firms}
    words = f"highest of all {len(equilibria)} equilibria: every face of the program searched"
    convex = f"f is convex (least tangent eigenvalue {game.tangent_eigenvalue:.6g})"
    assumptions = ("a linear and symmetric externality", convex)
    proof = Proof("enumeration", words, bound=top.potential, gap=0.0, assumptions=assumptions)
    return Answer("global maximiser", top.potential, tables, proof, facts, (game.linear.record(), prices))


METHOD = city_method("all-equilibria", EquilibriaOptions, all_equilibria)
"""Every equilibrium of up to `MOST_CELLS` cells, classified."""
