"""The global maximiser of a city's potential, with proof: by the method that the city's geography allows."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from agora.methods.city.best_response import Found, equilibria_table, keep_distinct
from agora.methods.city.centres import city_method
from agora.methods.city.chain_bounds import Bounded, ChainBounds
from agora.methods.city.firms_game import FirmsGame
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
    `FujitaOgawa.lattice_program`, as far as time allows.

    Parameters
    ----------
    city : FujitaOgawa
        Without excess land; of more than `LARGEST` cells also with equal cells and φ = 1.
    chosen : GlobalOptions, optional
        When time runs out, bound and gap are reported and nothing is claimed.

    Raises
    ------
    InputError
        Naming the assumption that fails.
    """
    chosen = chosen or GlobalOptions()
    if city.network.number <= LARGEST:
        return global_maximiser(city, progress, chosen.folded)
    lattice = lattice_city(city)
    progress("bounding lattice configurations")
    bounds: ChainBounds | TreeBounds
    if lattice.shape in ("circle", "line"):
        bounds = ChainBounds(lattice)
    elif lattice.shape == "tree":
        bounds = TreeBounds(lattice)
    else:
        return _by_program(city, lattice, chosen.seconds, progress)
    try:
        found = bounds.maximum(
            city.commuting_cost, within=lattice.value(chosen.within), seconds=chosen.seconds
        )
    except OutOfTimeError:
        return _by_program(city, lattice, chosen.seconds, progress)
    return _answer(city, lattice, found, chosen.within, progress)


def _answer(
    city: FujitaOgawa, lattice: LatticeCity, found: Bounded, within: float, progress: Progress
) -> Answer:
    progress("testing the best configurations")
    game = FirmsGame(city)
    shown = []
    for steps in found.listed[:MOST_LISTED]:
        state = game.lower_stage(lattice.firms(steps))
        shown.append(Found(state, game.potential(state), game.kind(state)))
    top = shown[0]
    allocation, prices = game.allocation(top.state)
    bound = lattice.potential(found.bound) if not found.complete else top.potential
    gap = max(0.0, bound - top.potential)
    eigenvalue = check_convex(lattice.kernel)
    proof = _proof(eigenvalue, _found_by(lattice) if found.complete else None, bound, gap)
    facts = {
        "kind": top.kind,
        "bound_before_search": lattice.potential(found.root),
        "within": within,
        "configurations_within": len(found.listed) if found.all_listed else None,
        "tangent_eigenvalue": eigenvalue,
        "visited": found.visited,
    }
    tables = {**city.tables(allocation), "equilibria": equilibria_table(shown, city.network)}
    status = "global maximiser" if proof.is_global else top.kind
    return Answer(status, top.potential, tables, proof, facts, (game.linear.record(), prices))


def _found_by(lattice: LatticeCity) -> str:
    if lattice.shape == "tree":
        return (
            "an exact dynamic program on the tree gives the highest value of them all, which the best one has"
        )
    return (
        f"dynamic programming on the {lattice.shape} bounds them all, and all whose bound reaches the "
        "best were listed and evaluated"
    )


def _proof(
    eigenvalue: float,
    found_by: str | None,
    bound: float,
    gap: float,
    missing: str = "the search ran out of time or memory",
) -> Proof:
    """Return the proof by a bound on all vertices, or what is missing where none was found."""
    if found_by is None:
        return Proof("none", f"none: {missing}; no configuration exceeds the bound", bound, gap)
    convex = f"f is convex (least tangent eigenvalue {eigenvalue:.6g})"
    words = f"{convex}, so maximisers are vertices, with cells empty, half full or full; {found_by}"
    assumptions = ("no excess land", "equal cells", "φ = 1", convex)
    return Proof("bound", words, bound, gap, assumptions=assumptions)


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
    top = max(states, key=game.potential)
    value, kind = game.potential(top), game.kind(top)
    closed = abs(bound - value) <= CLOSED * max(unit, abs(value))
    bound = value if closed else float(bound)
    allocation, prices = game.allocation(top)
    eigenvalue = check_convex(lattice.kernel)
    by_program = "HiGHS closed the gap of the mixed-integer program over these" if closed else None
    missing = "HiGHS did not close the gap in time"
    proof = _proof(eigenvalue, by_program, bound, bound - value, missing)
    facts = {"kind": kind, "tangent_eigenvalue": eigenvalue}
    found: list[Found] = []
    for state in states:
        keep_distinct(game, found, state)
    found.sort(key=lambda f: -f.potential)
    tables = {**city.tables(allocation), "equilibria": equilibria_table(found, city.network)}
    status = "global maximiser" if proof.is_global else kind
    return Answer(status, value, tables, proof, facts, (game.linear.record(), prices, *records))


METHOD = city_method("global", GlobalOptions, certified_maximiser)
"""The global maximiser, with proof."""
