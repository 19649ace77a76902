"""Section 6.1: the three-cell city."""

from __future__ import annotations

import numpy as np

from agora.runners.methods.firms_game import FirmsGame
from agora.runners.reproductions import Finding, computes
from agora.runners.reproductions.osawa_akamatsu.cities import (
    centric,
    circle_cells,
    decay_on_circle,
    firms_of,
    global_maximisers,
    locally_maximises,
    switch,
    turning_point,
)
from agora.runners.reproductions.osawa_akamatsu.cities import two_cells as two_cell_city
from agora.runners.reproductions.osawa_akamatsu.equilibria import all_equilibria

MONOCENTRIC = (2, 1, 0)
"""m̂ = (a, m̄, 0), in multiples of m̄."""


@computes("three-cell-global-threshold")
def three_cell_global_threshold(delta: float) -> Finding:
    """Return the t at which the maximiser changes from m̂ to m̄. Printed: t* = ¼(1−δ)."""
    city = circle_cells(3, decay_on_circle(3, delta))
    threshold, proof = switch(city, firms_of(MONOCENTRIC), centric(3, 0))
    return Finding(threshold, printed=(1 - delta) / 4, certificate=proof)


@computes("three-cell-local-threshold")
def three_cell_local_threshold(delta: float) -> Finding:
    """Return the t below which m̂ is a local maximiser. Printed, in the proof: ½(1−δ)."""
    city = circle_cells(3, decay_on_circle(3, delta))
    firms = firms_of(MONOCENTRIC)
    threshold = turning_point(lambda cost: locally_maximises(city(cost), firms), 1e-6, 2.0)
    return Finding(
        threshold, printed=(1 - delta) / 2, certificate="bisection in t on the kind of the state"
    )


@computes("number-of-equilibria")
def number_of_equilibria(cells: int, delta: float, cost: float, of: str) -> Finding:
    """Return how many equilibria, or equilibria that are not local maximisers, a city has."""
    decay = decay_on_circle(3, delta) if cells == 3 else -float(np.log(delta))
    city = circle_cells(cells, decay) if cells == 3 else two_cell_city(0.5, decay)
    game = FirmsGame(city(cost))
    kinds = [game.kind(state) for state in all_equilibria(game)]
    counts = {kind: kinds.count(kind) for kind in sorted(set(kinds))}
    number = len(kinds) - (0 if of == "all" else counts.get("local maximiser", 0))
    listed = ", ".join(f"{count} {kind}s" for kind, count in counts.items())
    return Finding(
        number, note=f"at t = {cost:g}: {listed}", certificate=f"all {5**cells} faces of the program searched"
    )


@computes("range-of-equilibria")
def range_of_equilibria(delta: float) -> Finding:
    """Return the t below which the three-cell city has as many equilibria as section 6.1 says."""
    city = circle_cells(3, decay_on_circle(3, delta))

    def number(cost: float) -> int:
        return len(all_equilibria(FirmsGame(city(cost))))

    many, end = number(1e-3), 1.0
    first = turning_point(lambda cost: number(cost) == many, 1e-3, end, halvings=24)
    fewer = number(first + 1e-3)
    second = turning_point(lambda cost: number(cost) >= fewer, first + 1e-3, end, halvings=24)
    return Finding(
        first,
        verdict="corrected",
        note=f"{many} equilibria for t < {first:.6g} = {first / (1 - delta):.6g}(1−δ), {fewer} up to "
        f"{second:.6g} = {second / (1 - delta):.6g}(1−δ), {number(second + 1e-3)} above",
        certificate="bisection in t on the number of equilibria, enumerated",
    )


@computes("interior-maximisers")
def interior_maximisers(delta: float, costs: list[float]) -> Finding:
    """Return how many interior equilibria other than m̄ are local maximisers (Lemma A.1 (c))."""
    interior = maximisers = 0
    for cost in costs:
        game = FirmsGame(circle_cells(3, decay_on_circle(3, delta))(cost))
        for state in all_equilibria(game):
            inside = 1e-9 < state.firms.min() and (state.firms < game.land - 1e-9).all()
            if inside and np.ptp(state.firms) > 1e-9:
                interior += 1
                maximisers += game.kind(state) == "local maximiser"
    return Finding(float(maximisers), note=f"of {interior} interior equilibria of {len(costs)} cities")


@computes("equivalent-maximisers")
def equivalent_maximisers(delta: float, cost: float) -> Finding:
    """Return how many other local maximisers have the potential of m̂ (footnote 24)."""
    city = circle_cells(3, decay_on_circle(3, delta))
    game = FirmsGame(city(cost))
    value = game.potential(game.settle(firms_of(MONOCENTRIC)))
    strict = [state for state in all_equilibria(game) if game.kind(state) == "local maximiser"]
    same = sum(abs(game.potential(state) - value) <= 1e-12 for state in strict)
    first = global_maximisers(city).pieces[0]
    return Finding(
        float(same - 1), note=f"of {len(strict)} local maximisers; global for t < {first.high:.6g}"
    )
