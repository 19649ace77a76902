r"""The global maximiser of a small city's potential, by enumerating every vertex of the program.

Where f is convex, g = f − h is convex in (m, x) on the polytope {0 ≤ m ≤ a, flow balances}, so its
maximum is at a vertex. Without excess land the columns of a vertex are independent only if the
travelled edges form a forest and each tree of it has at most one cell that is neither empty nor
full of firms. Hence every vertex is a partition of the cells into connected sheds, each with firms
for its own workers, (1+φ) Σ m = Σ a, and at most one partly filled cell: a finite list, complete
by construction. Lemma 1 of Osawa & Akamatsu (2019) is the case of equal cells and M = ½.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from agora.data.checks import InputError
from agora.data.geographies import CellNetwork
from agora.methods.city.best_response import DistinctState, city_answer, keep_distinct
from agora.methods.city.firms_game import FirmsGame, State
from agora.methods.method import Answer, Progress, Proof, silent
from agora.models.city.fujita_ogawa import FujitaOgawa
from agora.solvers.reuse import known
from agora.typing import Vector

LARGEST = 10
"""Cells up to which the enumeration is offered."""


def global_maximiser(city: FujitaOgawa, progress: Progress = silent, folded: bool = True) -> Answer:
    """Return the certified global maximiser, the runner-up, and all strict local maximisers.

    Raises `InputError` if an assumption fails: at most 10 cells, no excess land, ∇A positive definite on the
    tangent space.
    """
    city.check_potential()
    game = check_enumerable(city)
    progress("enumerating vertices")
    structure = (city.network, city.labor_per_firm)
    candidates = known(("vertices", *structure), lambda: vertices(city))
    first, sizes = np.arange(len(candidates)), np.ones(len(candidates), dtype=int)
    if folded:
        first, sizes = known(("orbits", *structure), lambda: orbits(city.network, candidates))
    values = potentials(game, candidates[first])
    progress(f"testing {len(candidates)} vertices, {len(first)} up to symmetry")
    order = first[np.argsort(-values, kind="stable")]
    reached = dict(zip([row.tobytes() for row in candidates[first]], sizes.tolist(), strict=True))
    maximisers: list[DistinctState] = []
    for state in local_maximisers(game, candidates[first]):
        if folded:
            keep_distinct(game, maximisers, state, times=reached[state.firms.tobytes()])
        else:
            maximisers.append(DistinctState.of(game, state))
    maximisers.sort(key=lambda m: -m.potential)
    top = DistinctState.of(game, game.lower_stage(candidates[order[0]]))
    facts = {
        "vertices": len(candidates),
        "runner_up": next((m.potential for m in maximisers if m.potential < top.potential - 1e-12), None),
        "distinct_local_maximisers": len(maximisers),
    }
    convex = f"f is convex (least tangent eigenvalue {game.tangent_eigenvalue:.6g})"
    proof = Proof(
        "enumeration",
        f"{convex}, so the maximum is at one of the {len(candidates)} vertices, all evaluated",
        bound=top.potential,
        gap=0.0,
        assumptions=("no excess land", convex),
    )
    return city_answer(game, top, maximisers, "global maximiser", proof, facts)


def check_enumerable(city: FujitaOgawa) -> FirmsGame:
    """Return the game if its vertices can be enumerated and f is convex, else say which assumption fails."""
    number = city.network.number
    if number > LARGEST:
        raise InputError("geography (number of cells)", number, f"at most {LARGEST} for method = 'global'")
    if not city.no_excess_land:
        need = float(city.network.land.sum()) / (1 + city.labor_per_firm)
        raise InputError(
            "firm_mass", city.firm_mass, f"{need:.12g} (no excess land, M(1 + φ) = Σ a) for method = 'global'"
        )
    game = FirmsGame(city)
    if not (city.interaction.linear or city.spillover.kind == "power"):
        raise InputError(
            "externality.kind", city.spillover.kind, "one whose f is known to be convex for method = 'global'"
        )
    if city.interaction.linear and game.tangent_eigenvalue <= 0:
        raise InputError(
            "externality (least eigenvalue on the tangent space)",
            game.tangent_eigenvalue,
            "> 0 for method = 'global': f is not convex, so the maximum need not be at a vertex",
        )
    return game


def vertices(city: FujitaOgawa) -> Vector:
    """Return every vertex of the polytope as a distribution of firms, shape (number, I)."""
    network, phi = city.network, city.labor_per_firm
    number, land = network.number, network.land
    neighbours = [0] * number
    for tail, head in zip(network.tails.tolist(), network.heads.tolist(), strict=True):
        neighbours[tail] |= 1 << head
        neighbours[head] |= 1 << tail
    sheds: dict[int, list[tuple[float, ...]]] = {}
    for mask in range(1, 1 << number):
        if _connected(mask, neighbours):
            fillings = _fillings(mask, land, phi)
            if fillings:
                sheds[mask] = fillings
    partial: dict[int, set[tuple[float, ...]]] = {0: {(0.0,) * number}}

    def cover(mask: int) -> set[tuple[float, ...]]:
        if mask not in partial:
            lowest = mask & -mask
            states: set[tuple[float, ...]] = set()
            for shed, fillings in sheds.items():
                if shed & lowest and shed & mask == shed:
                    rest = cover(mask ^ shed)
                    for filling, other in product(fillings, rest):
                        states.add(tuple(a + b for a, b in zip(filling, other, strict=True)))
            partial[mask] = states
        return partial[mask]

    return np.array(sorted(cover((1 << number) - 1)))


def _connected(mask: int, neighbours: list[int]) -> bool:
    reached = mask & -mask
    while True:
        grown = reached
        for cell in range(len(neighbours)):
            if reached >> cell & 1:
                grown |= neighbours[cell] & mask
        if grown == reached:
            return reached == mask
        reached = grown


def _fillings(mask: int, land: Vector, phi: float) -> list[tuple[float, ...]]:
    """Return the ways to fill a shed with firms for its own workers, at most one cell partly."""
    members = [cell for cell in range(len(land)) if mask >> cell & 1]
    wanted = float(land[members].sum()) / (1 + phi)
    fillings: dict[tuple[float, ...], None] = {}
    for open_cell in members:
        others = [cell for cell in members if cell != open_cell]
        for full in product((0.0, 1.0), repeat=len(others)):
            firms = np.zeros(len(land))
            firms[others] = np.array(full) * land[others]
            rest = wanted - float(firms.sum())
            if -1e-12 <= rest <= land[open_cell] + 1e-12:
                firms[open_cell] = min(max(rest, 0.0), float(land[open_cell]))
                fillings[tuple(np.round(firms, 13).tolist())] = None
    return list(fillings)


def potentials(game: FirmsGame, candidates: Vector) -> Vector:
    """Return g at each of many distributions of firms."""
    production = np.array([game.city.interaction.potential(firms) for firms in candidates])
    return production - game.commuting_costs(candidates)


def local_maximisers(game: FirmsGame, candidates: Vector) -> list[State]:
    """Return the candidates that are strict local maximisers of the potential."""
    maximisers = []
    for firms, cost in zip(candidates, game.commuting_costs(candidates), strict=True):
        level = game.city.interaction.level(firms)
        highest = game.respond(level).answer.objective
        if highest - (float(level @ firms) - cost) <= 1e-10 * max(1.0, abs(highest)):
            state = game.lower_stage(firms)
            if game.other_response(state, level) is None:
                maximisers.append(state)
    return maximisers


def orbits(network: CellNetwork, states: Vector) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Return one of each orbit of the different states (N, I), by its row, and how many belong to it."""
    group = network.symmetries
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
