"""The global maximiser of a city's potential, with proof: by the method that the city's geography allows."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from agora.methods.city.best_response import DistinctState, city_answer, keep_distinct
from agora.methods.city.chain_bounds import Bounded, ChainBounds
from agora.methods.city.firms_game import FirmsGame, city_method
from agora.methods.city.lattice_city import LatticeCity, check_convex, lattice_city
from agora.methods.city.lattice_tree import OutOfTimeError, TreeBounds
from agora.methods.city.starts import starting_points
from agora.methods.city.vertex_enumeration import LARGEST, global_maximiser
from agora.methods.method import Answer, Progress, Proof, SearchOptions, silent
from agora.models.city.fujita_ogawa import FujitaOgawa
from agora.solvers import SolveFailed, solve_within

MOST_LISTED = 50
"""Configurations within the asked distance that are shown in the table of equilibria."""
STARTS = 20
"""Starts of best responses beside the mixed-integer program."""
CLOSED = 1e-9
"""Gap of the mixed-integer program, relative, that counts as closed: HiGHS works to such a tolerance."""


class GlobalOptions(SearchOptions):
    """How to search for the global maximiser."""

    within: float = Field(default=0.0, ge=0, json_schema_extra={"allowed": "a finite number >= 0"})
    """Numéraire: lattice configurations whose potential is at most so much lower are counted and listed,
    beyond `LARGEST` cells."""
    folded: bool = Field(default=True, json_schema_extra={"allowed": "true or false"})
    """Whether local maximisers that are mirror images of each other are listed once, up to `LARGEST`
    cells."""


def certified_maximiser(
    city: FujitaOgawa, chosen: GlobalOptions | None = None, progress: Progress = silent
) -> Answer:
    """Return the global maximiser with the bound that proves it, or the best state with its gap.

    Up to `LARGEST` cells every vertex is evaluated. More cells, on a circle, a line or a tree, are searched
    by dynamic programming (`agora.methods.city.chain_bounds`, `agora.methods.city.lattice_tree`); on
    any other geography, or a tree too large for the time, HiGHS solves the mixed-integer program
    `FujitaOgawa.lattice_program`. When time runs out, bound and gap are reported and nothing is claimed.

    Raises
    ------
    InputError
        Naming the assumption that fails: no excess land; beyond `LARGEST` cells, equal cells and φ = 1 too.
    """
    chosen = chosen or GlobalOptions()
    if city.network.number <= LARGEST:
        return global_maximiser(city, progress, chosen.folded)
    lattice = lattice_city(city)
    progress("bounding lattice configurations")
    if lattice.shape == "graph":
        return _by_program(city, lattice, chosen.seconds, progress)
    bounds = TreeBounds(lattice) if lattice.shape == "tree" else ChainBounds(lattice)
    within = lattice.value(chosen.within)
    try:
        result = bounds.maximum(city.commuting_cost, within=within, seconds=chosen.seconds)
    except OutOfTimeError:
        return _by_program(city, lattice, chosen.seconds, progress)
    return _answer(city, lattice, result, chosen.within, progress)


def _answer(
    city: FujitaOgawa, lattice: LatticeCity, result: Bounded, within: float, progress: Progress
) -> Answer:
    """Return the answer of a search, which proves its best configuration if it is complete."""
    progress("testing the best configurations")
    game = FirmsGame(city)
    configurations = result.listed[:MOST_LISTED]
    shown = [DistinctState.of(game, game.lower_stage(lattice.firms(steps))) for steps in configurations]
    top = shown[0]
    bound = top.potential if result.complete else lattice.potential(result.bound)
    eigenvalue = check_convex(lattice.kernel)
    if not result.complete:
        why = "the search ran out of time or memory"
    elif lattice.shape == "tree":
        why = "an exact dynamic program on the tree gives the highest value of them all, which the best has"
    else:
        why = f"dynamic programming on the {lattice.shape} bounds them all, and all whose bound reaches the "
        why += "best were listed and evaluated"
    proof = _proof(result.complete, why, eigenvalue, bound, max(0.0, bound - top.potential))
    facts = {
        "bound_before_search": lattice.potential(result.root),
        "within": within,
        "configurations_within": len(result.listed) if result.all_listed else None,
        "tangent_eigenvalue": eigenvalue,
        "visited": result.visited,
    }
    status = "global maximiser" if proof.is_global else top.kind
    return city_answer(game, top, shown, status, proof, facts)


def _proof(complete: bool, why: str, eigenvalue: float, bound: float, gap: float) -> Proof:
    """Return the proof by a bound on all vertices, or say why there is none."""
    if not complete:
        return Proof("none", f"none: {why}; no configuration exceeds the bound", bound, gap)
    convex = f"f is convex (least tangent eigenvalue {eigenvalue:.6g})"
    words = f"{convex}, so maximisers are vertices, with cells empty, half full or full; {why}"
    return Proof("bound", words, bound, gap, assumptions=("no excess land", "equal cells", "φ = 1", convex))


def _by_program(city: FujitaOgawa, lattice: LatticeCity, seconds: float, progress: Progress) -> Answer:
    """Return the answer of the mixed-integer program, or of best responses where they do better."""
    progress("best responses from many starts")
    game = FirmsGame(city)
    starts = starting_points(city, STARTS, np.random.default_rng(1))
    states = [game.climb(start) for start in starts]
    progress("the mixed-integer program")
    program = city.lattice_program()
    unit = lattice.land**2 / 8
    records, bound = [], np.inf
    try:
        record, scaled = solve_within(program, seconds)
    except SolveFailed as failure:
        records.append(failure.record)
    else:
        records.append(record)
        bound = scaled * unit
        firms = np.array([float(v.value) for v in program.firms.values()])
        states.append(game.state(np.round(firms * 2 / lattice.land) * lattice.land / 2))
    top = DistinctState.of(game, max(states, key=game.potential))
    closed = abs(bound - top.potential) <= CLOSED * max(unit, abs(top.potential))
    bound = top.potential if closed else float(bound)
    eigenvalue = check_convex(lattice.kernel)
    why = "HiGHS closed the gap of the mixed-integer program over these"
    if not closed:
        why = "HiGHS did not close the gap in time"
    proof = _proof(closed, why, eigenvalue, bound, bound - top.potential)
    distinct: list[DistinctState] = []
    for state in states:
        keep_distinct(game, distinct, state)
    distinct.sort(key=lambda d: -d.potential)
    status = "global maximiser" if proof.is_global else top.kind
    return city_answer(game, top, distinct, status, proof, {"tangent_eigenvalue": eigenvalue}, records)


METHOD = city_method("global", GlobalOptions, certified_maximiser)
"""The global maximiser, with proof."""
