"""Section 6.1: the three-cell city."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from agora.methods.city.firms_game import FirmsGame
from agora.papers.computations import Finding, computes
from agora.papers.osawa_akamatsu.cities import (
    centric,
    circle_cells,
    decay_on_circle,
    firms_of,
    global_maximisers,
    locally_maximises,
    switch,
    turning_point,
)
from agora.papers.osawa_akamatsu.equilibria import all_equilibria

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
    return Finding(threshold, printed=(1 - delta) / 2, certificate="bisection in t on the kind of the state")


@computes("number-of-equilibria")
def number_of_equilibria(cells: int, delta: float, cost: float, of: str) -> Finding:
    """Return how many equilibria, or equilibria that are not local maximisers, a city has at t."""
    city = circle_cells(cells, decay_on_circle(cells, delta))

    def number(cost: float) -> int:
        return len(all_equilibria(FirmsGame(city(cost))))

    game = FirmsGame(city(cost))
    kinds = [game.kind(state) for state in all_equilibria(game)]
    counts = {kind: kinds.count(kind) for kind in sorted(set(kinds))}
    listed = ", ".join(f"{count} of kind {kind}" for kind, count in counts.items())
    note = f"at t = {cost:g}: {listed}"
    if of == "all":
        note += f"; number by t: {_steps(number, (1 - delta) / 100, (1 - delta) * 1.2, 1 - delta)}"
    return Finding(
        float(len(kinds) if of == "all" else len(kinds) - counts.get("local maximiser", 0)),
        note=note,
        certificate=f"all {5**cells} faces of the program searched",
    )


def _steps(number: Callable[[float], int], low: float, high: float, unit: float) -> str:
    """Describe a step function of t: its values, and where it steps in multiples of `unit`."""
    grid = np.linspace(low, high, 16).tolist()
    values = [number(cost) for cost in grid]
    parts = []
    for k in range(len(grid) - 1):
        if values[k] != values[k + 1]:
            step = turning_point(lambda t, v=values[k]: number(t) == v, grid[k], grid[k + 1], 16)  # type: ignore[misc]
            parts.append(f"{values[k]} below {step:.4f} = {step / unit:.4f}(1−δ)")
    return ", ".join([*parts, f"{values[-1]} above"])


@computes("interior-maximisers")
def interior_maximisers(delta: float, costs: list[float]) -> Finding:
    """Return how many interior equilibria other than m̄ are local maximisers (Lemma A.1 (c))."""
    interior = maximisers = 0
    for cost in costs:
        game = FirmsGame(circle_cells(3, decay_on_circle(3, delta))(cost))
        for state in all_equilibria(game):
            inside = state.firms.min() > 1e-9 and (state.firms < game.land - 1e-9).all()
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
