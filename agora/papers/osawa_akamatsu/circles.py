"""Section 6.1, 6.2 and Appendix A: the three-, four- and eight-cell cities."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import brentq

from agora.methods.city.best_response import equivalent
from agora.methods.city.firms_game import FirmsGame
from agora.methods.city.vertex_enumeration import vertices
from agora.papers.computations import Finding, computes
from agora.papers.osawa_akamatsu.cities import (
    ANY_COST,
    all_equilibria,
    centric,
    circle_cells,
    decay_on_circle,
    firms_of,
    global_maximisers,
    holding_cost,
    kind_at,
    locally_maximises,
    production,
    switch,
    turning_point,
)

# --- four cells --------------------------------------------------------------------------------

FOUR_CELLS_PRINTED: dict[str, Callable[[float], float]] = {
    "t*": lambda delta: (1 - delta**2) / 2,
    "t**": lambda delta: (1 - delta) ** 2 / 2,
    "t***": lambda delta: (1 - delta) / 2,
    "delta t***": lambda delta: delta * (1 - delta) / 2,
    "eighth": lambda delta: (1 - delta**2) / 8,
    "half t*": lambda delta: (1 - delta**2) / 4,
}
"""The thresholds of Propositions 6 and A.1 and of their proofs, as printed."""


@computes("four-cell-local-threshold")
def four_cell_local_threshold(
    pattern: Sequence[float], delta: float, between: Sequence[float], printed: str
) -> Finding:
    """Return the t between two at which a pattern starts or ceases to be a strict local maximiser.

    `between` is given in multiples of 1 − δ.
    """
    city = circle_cells(4, decay_on_circle(4, delta))
    firms = firms_of(pattern)
    low, high = ((1 - delta) * share for share in between)
    threshold = holding_cost(city, firms, low, high)
    starts = locally_maximises(city(high), firms)
    return Finding(
        threshold,
        printed=FOUR_CELLS_PRINTED[printed](delta),
        note=f"the pattern is a local maximiser {'above' if starts else 'below'} it",
        certificate="bisection in t on the kind of the state",
    )


@computes("four-cell-in-local-maximisers")
def four_cell_in_local_maximisers(
    pattern: Sequence[float], delta: float, costs: Sequence[float], interval: Sequence[float] | None = None
) -> Finding:
    """Test whether a pattern is a strict local maximiser on a grid of t.

    At every t inside `interval`, or without one at some t.
    """
    city = circle_cells(4, decay_on_circle(4, delta))
    kinds = {cost: kind_at(city(cost), firms_of(pattern)) for cost in costs}
    listed = "; ".join(
        f"{kind} at t = {', '.join(f'{cost:g}' for cost in costs if kinds[cost] == kind)}"
        for kind in sorted(set(kinds.values()))
    )
    if interval is None:
        return Finding("local maximiser" in kinds.values(), note=listed)
    inside = [kind for cost, kind in kinds.items() if interval[0] < cost < interval[1]]
    return Finding(set(inside) == {"local maximiser"}, note=listed)


@computes("four-cell-derivative")
def four_cell_derivative(
    pattern: Sequence[float], from_cell: int, to_cell: int, delta: float, cost: float
) -> Finding:
    """Return g'(m; z_ij) for a move of firms from cell i to cell j. Printed, (A.8): −2m̄(1+φ)t."""
    city = circle_cells(4, decay_on_circle(4, delta))(cost)
    game, firms = FirmsGame(city), firms_of(pattern)
    start = game.potential(game.lower_stage(firms))

    def slope_to(step: float) -> float:
        moved = firms.copy()
        moved[from_cell - 1] -= step
        moved[to_cell - 1] += step
        return (game.potential(game.lower_stage(moved)) - start) / step

    near, far = 1e-3, 1e-2
    curvature = (slope_to(far) - slope_to(near)) / (far - near)
    return Finding(
        slope_to(near) - curvature * near,
        printed=-2 * float(firms.mean()) * (1 + city.labor_per_firm) * cost,
        note=f"to second order g rises by {curvature:.6g} ε² along the move; 1 − δ² = {1 - delta**2:.6g}",
        certificate="g is quadratic along the move; differences at two steps",
    )


@computes("circle-global-threshold")
def circle_global_threshold(cells: int, delta: float, below: int, above: int, printed: str) -> Finding:
    """Return the t at which the maximiser changes from `below` centres to `above` (0: uniform)."""
    city = circle_cells(cells, decay_on_circle(cells, delta))
    threshold, proof = switch(city, centric(cells, below), centric(cells, above))
    return Finding(threshold, printed=FOUR_CELLS_PRINTED[printed](delta), certificate=proof)


@computes("global-maximisers-named")
def global_maximisers_named(cells: int, decays: Sequence[float], centres: Sequence[int]) -> Finding:
    """Test that every global maximiser, for all t and several τ, is one of the J-centric patterns."""
    allowed = [centric(cells, number) for number in centres]
    seen: set[int] = set()
    proof = ""
    for decay in decays:
        city = circle_cells(cells, decay)
        result = global_maximisers(city)
        proof = result.proof
        for firms in result.firms:
            names = [
                number
                for number, pattern in zip(centres, allowed, strict=True)
                if equivalent(city(ANY_COST).network, firms, pattern)
            ]
            if not names:
                return Finding(False, note=f"{firms * 2 * cells} wins at τ = {decay:g}")
            seen.update(names)
    return Finding(
        True,
        note=f"numbers of centres seen (0: uniform): {sorted(seen)}, for all t at {len(decays)} values of τ",
        certificate=proof,
    )


@computes("less-centric-is-higher")
def less_centric_is_higher(cells: int, fewer: int, more: int, decays: Sequence[float]) -> Finding:
    """Test g(m^fewer) > g(m^more) for all t on a grid of τ: f is higher, ȟ not."""
    gains = []
    for decay in decays:
        city = circle_cells(cells, decay)(ANY_COST)
        game = FirmsGame(city)
        costs = [game.lower_stage(centric(cells, centres)).total_commuting_cost for centres in (fewer, more)]
        if costs[0] > costs[1] + 1e-12:
            return Finding(False, note="commuting costs differ, so the ranking turns with t")
        gains.append(production(city, centric(cells, fewer)) - production(city, centric(cells, more)))
    return Finding(
        min(gains) > 0, note=f"same ȟ; f differs by {min(gains):.3g} to {max(gains):.3g} on the grid"
    )


# --- commuting ---------------------------------------------------------------------------------


@computes("commuting-cost-per-household")
def commuting_cost_per_household(cells: int, centres: int) -> Finding:
    """Return ȟ(m^J) a household, in multiples of t."""
    city = circle_cells(cells, ANY_COST)(ANY_COST)
    game = FirmsGame(city)
    state = game.lower_stage(centric(cells, centres))
    closed = float(game.commuting_costs(state.firms))
    if abs(closed - state.total_commuting_cost) > 1e-9:
        raise ValueError(f"linear program {state.total_commuting_cost} and closed form {closed} differ")
    households = city.labor_per_firm * city.firm_mass
    return Finding(
        closed / households,
        note=f"ȟ = {closed:.9g} t, {households:g} households",
        certificate="linear program (S) and closed form agree",
    )


@computes("operating-cost")
def operating_cost(cells: int, centres: int, cell: int, edge: int, cost: float) -> Finding:
    """Return c_i = φ w_i + ř_i of a cell in multiples of t.

    By (4.7) it is the derivative of ȟ along a move of firms to the `edge` of the cell's labour market,
    where nobody arrives and c = 0.
    """
    game, firms = FirmsGame(circle_cells(cells, ANY_COST)(cost)), centric(cells, centres)
    step = 1e-3
    moved = firms.copy()
    moved[cell - 1] -= step
    moved[edge - 1] += step
    saved = game.lower_stage(firms).total_commuting_cost - game.lower_stage(moved).total_commuting_cost
    return Finding(
        saved / step / cost, note=f"cell {cell} against cell {edge}, the edge of its labour market"
    )


# --- eight cells -------------------------------------------------------------------------------

EIGHT_CELLS_PRINTED: dict[str, Callable[[float], float]] = {
    "t*": lambda delta: 2 / 16 * (1 - delta) * (1 + delta) * (1 + delta + delta**2),
    "t**": lambda delta: 4 / 16 * (1 - delta) ** 2 * (1 + delta) ** 2,
    "t***": lambda delta: (
        4 / 16 * delta * (1 - delta) * (1 + delta) * (1 + delta) * (1 + delta) * (1 + delta) ** 2
    ),
}
"""The thresholds of Proposition 7 as its proof prints them, m̄ = 1/16."""


@computes("eight-cell-threshold")
def eight_cell_threshold(decay: float, below: int, above: int, printed: str) -> Finding:
    """Return the t at which the maximiser changes from `below` centres to `above` (0: uniform)."""
    delta = math.exp(-decay / 8)
    threshold, proof = switch(circle_cells(8, decay), centric(8, below), centric(8, above))
    note = f"¼δ(1−δ²)(1+2δ) = {delta * (1 - delta**2) * (1 + 2 * delta) / 4:.12g}" if below * above else ""
    return Finding(threshold, printed=EIGHT_CELLS_PRINTED[printed](delta), note=note, certificate=proof)


@computes("eight-cell-critical-decay")
def eight_cell_critical_decay(low: float, high: float) -> Finding:
    """Return the τ at which uniform, mono- and duo-centric patterns tie. Printed: −8 log((√13 − 1)/6)."""
    game = FirmsGame(circle_cells(8, ANY_COST)(ANY_COST))
    lengths = game.commuting_costs(np.array([centric(8, 1), centric(8, 2)])) / ANY_COST

    def advantage(decay: float) -> float:
        """Return g(m²) − g(m̄) at the t where g(m¹) = g(m̄)."""
        city = circle_cells(8, decay)(ANY_COST)
        uniform, mono, duo = (production(city, centric(8, centres)) for centres in (0, 1, 2))
        cost = (mono - uniform) / float(lengths[0])
        return duo - uniform - cost * float(lengths[1])

    critical = float(brentq(advantage, low, high, xtol=1e-13, rtol=1e-14))
    sides = [len(global_maximisers(circle_cells(8, critical + shift)).pieces) for shift in (-1e-3, 1e-3)]
    if sides != [2, 3]:
        raise ValueError(f"{sides} patterns win below and above, not 2 and 3")
    return Finding(
        critical,
        printed=-8 * math.log((math.sqrt(13) - 1) / 6),
        note=f"δ* = {math.exp(-critical / 8):.12g}",
        certificate=f"envelope of all {len(vertices(game.city))} vertices: two patterns win just below, "
        "three just above",
    )


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
    threshold = holding_cost(city, firms_of(MONOCENTRIC))
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
    value = game.potential(game.lower_stage(firms_of(MONOCENTRIC)))
    strict = [state for state in all_equilibria(game) if game.kind(state) == "local maximiser"]
    same = sum(abs(game.potential(state) - value) <= 1e-12 for state in strict)
    first = global_maximisers(city).pieces[0]
    return Finding(
        float(same - 1), note=f"of {len(strict)} local maximisers; global for t < {first.high:.6g}"
    )
