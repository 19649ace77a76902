"""The global maximiser of a city's potential, with proof: which road proves it for which city."""

from __future__ import annotations

import numpy as np

from agora.methods.answers import Answer, Progress, silent
from agora.methods.city.best_response import Found, equilibria_table, keep_distinct
from agora.methods.city.chain_bounds import Bounded, ChainBounds
from agora.methods.city.firms_game import FirmsGame
from agora.methods.city.lattice_city import LatticeCity, check_convex, lattice_city
from agora.methods.city.lattice_tree import OutOfTimeError, TreeBounds
from agora.methods.city.starts import starting_points
from agora.methods.city.vertex_enumeration import LARGEST, global_maximiser
from agora.models.city.fujita_ogawa import FujitaOgawa
from agora.solvers import SolveFailed, solve_within

MOST_LISTED = 50
"""Configurations within the asked distance that are shown in the table of equilibria."""
STARTS = 20
"""Starts of best responses beside the mixed-integer program."""
CLOSED = 1e-9
"""Gap of the mixed-integer program, relative, that counts as closed: HiGHS works to such a tolerance."""


def certified_maximiser(
    city: FujitaOgawa,
    within: float = 0.0,
    seconds: float = 60.0,
    progress: Progress = silent,
    folded: bool = True,
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
    within : float
        Lattice configurations whose potential is at most so much lower, numéraire, are counted and listed.
    seconds : float
        Time for the search; when it runs out, bound and gap are reported and nothing is claimed.
    folded : bool
        Whether local maximisers that are mirror images of each other are listed once, up to `LARGEST` cells.

    Raises
    ------
    InputError
        Naming the assumption that fails.
    """
    if city.network.number <= LARGEST:
        return global_maximiser(city, progress, folded)
    lattice = lattice_city(city)
    progress("bounding lattice configurations")
    bounds: ChainBounds | TreeBounds
    if lattice.shape in ("circle", "line"):
        bounds = ChainBounds(lattice)
    elif lattice.shape == "tree":
        bounds = TreeBounds(lattice)
    else:
        return _by_program(city, lattice, seconds, progress)
    try:
        found = bounds.maximum(city.commuting_cost, within=lattice.value(within), seconds=seconds)
    except OutOfTimeError:
        return _by_program(city, lattice, seconds, progress)
    return _answer(city, lattice, found, within, progress)


def _answer(
    city: FujitaOgawa, lattice: LatticeCity, found: Bounded, within: float, progress: Progress
) -> Answer:
    progress("testing the best configurations")
    game = FirmsGame(city)
    shown = []
    for steps in found.listed[:MOST_LISTED]:
        state = game.settle(lattice.firms(steps))
        shown.append(Found(state, game.potential(state), game.kind(state)))
    top = shown[0]
    allocation, prices = game.allocation(top.state)
    bound = lattice.potential(found.bound) if not found.complete else top.potential
    gap = max(0.0, bound - top.potential)
    eigenvalue = check_convex(lattice.kernel)
    facts = {
        "kind": top.kind,
        "proof": _proof(lattice, found, eigenvalue),
        "bound": bound,
        "gap": gap,
        "bound_before_search": lattice.potential(found.root),
        "within": within,
        "configurations_within": len(found.listed) if found.all_listed else None,
        "tangent_eigenvalue": eigenvalue,
        "visited": found.visited,
    }
    tables = {**city.tables(allocation), "equilibria": equilibria_table(shown, city.network)}
    status = "global maximiser" if found.complete else top.kind
    return Answer(status, top.potential, found.complete, tables, facts, (game.linear.record(), prices))


def _proof(lattice: LatticeCity, found: Bounded, eigenvalue: float) -> str:
    if not found.complete:
        return "none: the search ran out of time or memory; no configuration exceeds the bound"
    found_by = (
        "an exact dynamic program on the tree gives the highest value of them all, which the best one has"
        if lattice.shape == "tree"
        else f"dynamic programming on the {lattice.shape} bounds them all, and all whose bound reaches the "
        "best were listed and evaluated"
    )
    return (
        f"f is convex (least tangent eigenvalue {eigenvalue:.6g}), so maximisers are vertices, with cells "
        f"empty, half full or full; {found_by}"
    )


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
        states.append(game.settle(game.feasible(np.round(firms * 2 / lattice.land) * lattice.land / 2)))
    top = max(states, key=game.potential)
    value, kind = game.potential(top), game.kind(top)
    gap_closed = bound - value <= CLOSED * max(unit, abs(value))
    allocation, prices = game.allocation(top)
    eigenvalue = check_convex(lattice.kernel)
    facts = {
        "kind": kind,
        "proof": f"f is convex (least tangent eigenvalue {eigenvalue:.6g}), so maximisers are vertices, with "
        "cells empty, half full or full; HiGHS closed the gap of the mixed-integer program over these"
        if gap_closed
        else "none: HiGHS did not close the gap in time; no configuration exceeds the bound",
        "bound": value if gap_closed else float(bound),
        "gap": 0.0 if gap_closed else float(bound - value),
        "tangent_eigenvalue": eigenvalue,
    }
    found: list[Found] = []
    for state in states:
        keep_distinct(game, found, state)
    found.sort(key=lambda f: -f.potential)
    tables = {**city.tables(allocation), "equilibria": equilibria_table(found, city.network)}
    status = "global maximiser" if gap_closed else kind
    return Answer(status, value, gap_closed, tables, facts, (game.linear.record(), prices, *records))
