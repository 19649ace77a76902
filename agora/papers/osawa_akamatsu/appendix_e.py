"""Appendix E: potential values of J-centric patterns, and when they are equilibria."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq

from agora.methods.city.firms_game import FirmsGame
from agora.papers.computations import Finding, computes
from agora.papers.osawa_akamatsu.cities import ANY_COST, centric, circle_cells, production, turning_point
from agora.papers.osawa_akamatsu.many_cells import relative_production, uniform_production
from agora.typing import Vector


def _productions(cells: int, decay: float, centres: Sequence[int]) -> list[float]:
    """Return f(m^J) on a finite number of cells; J = 0 is the uniform distribution."""
    city = circle_cells(cells, decay)(ANY_COST)
    return [production(city, centric(cells, number)) for number in centres]


def _relative(cells: int, decay: float, centres: int) -> float:
    uniform, result = _productions(cells, decay, (0, centres))
    return result / uniform - 1


def _relative_limit(cells: int, decay: float, centres: int) -> float:
    """Return Ψ_J for infinitely many cells, extrapolated from two numbers of cells; error O(1/I⁴)."""
    coarse, fine = (_relative(number, decay, centres) for number in (cells, 2 * cells))
    return (4 * fine - coarse) / 3


def _levels(cells: int, decay: float, centres: int) -> tuple[Vector, float]:
    """Return A(m^J) and its uniform level Ā."""
    interaction = circle_cells(cells, decay)(ANY_COST).interaction
    return interaction.level(centric(cells, centres)), float(interaction.level(centric(cells, 0))[0])


# --- values ------------------------------------------------------------------------------------


@computes("commuting-cost-of-centres")
def commuting_cost_of_centres(cells: int, centres: int) -> Finding:
    """Return ȟ(m^J)/t by the linear program of the lower stage. Printed, (E.1): 1/(8J)."""
    game = FirmsGame(circle_cells(cells, ANY_COST)(ANY_COST))
    return Finding(
        game.lower_stage(centric(cells, centres)).total_commuting_cost,
        printed=1 / (8 * centres),
        certificate="linear program (S)",
    )


@computes("place-of-centre")
def place_of_centre(cells: int, centres: int, which: int) -> Finding:
    """Return where on the circle the middle of a business centre of m^J is. Printed, (E.3): j/(2J)."""
    business = np.flatnonzero(centric(cells, centres))
    middles = (business.reshape(centres, -1).mean(axis=1) + 0.5) / cells
    return Finding(
        float(middles[which - 1]),
        printed=which / (2 * centres),
        note=f"m^{centres} of (6.1) has its centres at {', '.join(f'{middle:g}' for middle in middles)}",
    )


@computes("uniform-production")
def uniform_production_value(cells: int, decay: float) -> Finding:
    """Return f(m̄) on a finite number of cells. Printed, (E.4): (1/8I)((1+δ)/(1−δ))(1 − δ^{I/2})."""
    delta = math.exp(-decay / cells)
    printed = (1 + delta) / (1 - delta) * (1 - delta ** (cells / 2)) / (8 * cells)
    return Finding(_productions(cells, decay, (0,))[0], printed=printed)


@computes("uniform-production-limit")
def uniform_production_limit(decay: float, cells: int) -> Finding:
    """Return the limit of f(m̄) in the number of cells. Printed, (E.5): (1 − e^{−τ/2})/(4τ)."""
    coarse, fine = (_productions(number, decay, (0,))[0] for number in (cells, 2 * cells))
    return Finding(
        (4 * fine - coarse) / 3,
        printed=uniform_production(decay),
        certificate=f"extrapolated from I = {cells} and {2 * cells}; the last step moved it by "
        f"{abs(fine - coarse) / 3:.1g}",
    )


@computes("relative-production")
def relative_production_value(centres: int, decay: float, cells: int) -> Finding:
    """Return the limit of f(m^J)/f(m̄) − 1 in the number of cells. Printed: Ψ_J of (E.6)."""
    return Finding(
        _relative_limit(cells, decay, centres),
        printed=relative_production(centres, decay),
        note=f"{_relative(cells, decay, centres):.9g} with I = {cells}",
        certificate=f"potentials of both patterns at I = {cells} and {2 * cells}, extrapolated",
    )


@computes("relative-production-finite")
def relative_production_finite(cells: int, decays: Sequence[float]) -> Finding:
    """Return the largest deviation of (E.6) with finitely many cells from f(m^J)/f(m̄) − 1.

    The bracket is then 1 − 4J tanh(τ/4J)/(I sinh(τ/I)), whose limit is the printed 1 − (4J/τ) tanh(τ/4J).
    """
    fitting = [j for j in range(1, cells // 4 + 1) if cells % (4 * j) == 0]
    exact, limit = 0.0, 0.0
    for centres in fitting:
        for decay in decays:
            slope = 4 * centres * math.tanh(decay / (4 * centres))
            odd = 1 / math.tanh(decay / 4) if centres % 2 else 1.0
            true = _relative(cells, decay, centres)
            exact = max(exact, abs((1 - slope / (cells * math.sinh(decay / cells))) * odd - true))
            limit = max(limit, abs(relative_production(centres, decay) - true))
    return Finding(
        exact,
        note=f"for J = {', '.join(map(str, fitting))}; the printed limit is off by up to {limit:.3g}",
        certificate="potentials of both patterns",
    )


@computes("relative-production-decreasing")
def relative_production_decreasing(fewer: int, more: int, cells: int, low: float, high: float) -> Finding:
    """Return the τ below which Ψ rises from J = fewer to J = more; Ψ decreasing in J needs none."""

    def fall(decay: float) -> float:
        return _relative_limit(cells, decay, fewer) - _relative_limit(cells, decay, more)

    if fall(low) >= 0:
        return Finding(
            low, verdict="reproduced", note=f"Ψ_{fewer} ≥ Ψ_{more} already at the lowest τ, {low:g}"
        )
    critical = float(brentq(fall, low, high, xtol=1e-9))
    psi = [_relative_limit(cells, low, centres) for centres in (fewer, more)]
    return Finding(
        critical,
        verdict="refuted",
        note=f"below it Ψ_{fewer} < Ψ_{more}: at τ = {low:g}, {psi[0]:.6g} < {psi[1]:.6g}",
        certificate=f"potentials of both patterns at I = {cells} and {2 * cells}, extrapolated",
    )


@computes("relative-production-range")
def relative_production_range(cells: int, centres: Sequence[int], decays: Sequence[float]) -> Finding:
    """Test Ψ_J ∈ (0, 1) on a grid."""
    values = [_relative(cells, decay, number) for decay in decays for number in centres]
    return Finding(
        min(values) > 0 and max(values) < 1,
        note=f"from {min(values):.4g} to {max(values):.4g} over {len(values)} pairs (J, τ), I = {cells}",
    )


@computes("production-ordering")
def production_ordering(cells: int, most: int, decays: Sequence[float], statement: str) -> Finding:
    """Test one of the properties of {f_J} that footnote 35 lists, on a grid of τ."""
    table = np.array([_productions(cells, decay, range(most + 1)) for decay in decays])
    uniform, centric_values = table[:, :1], table[:, 1:]
    differences = {
        "decreasing in decay": -np.diff(centric_values, axis=0),
        "above uniform": centric_values - uniform,
        "above second next": centric_values[:, :-2] - centric_values[:, 2:],
        "first above second": centric_values[:, 0] - centric_values[:, 1],
    }[statement]
    return Finding(
        bool(differences.min() > 0),
        note=f"least difference {differences.min():.3g} over J ≤ {most} and {len(decays)} values of τ, "
        f"I = {cells}",
    )


@computes("production-without-decay")
def production_without_decay(cells: int, centres: int, decay: float) -> Finding:
    """Return f(m^J) extrapolated to τ = 0."""
    near, far = (_productions(cells, value, (centres,))[0] for value in (decay, 2 * decay))
    return Finding(2 * near - far, note=f"extrapolated from τ = {decay:g} and {2 * decay:g}, J = {centres}")


# --- production levels, (E.8), (E.9) -----------------------------------------------------------


@computes("levels-concave")
def levels_concave(cells: int, centres: Sequence[int], decays: Sequence[float]) -> Finding:
    """Test (E.8): A is mid-point concave inside every business centre."""
    worst = -math.inf
    for number in centres:
        radius = cells // (4 * number)
        for decay in decays:
            level, _ = _levels(cells, decay, number)
            second = _second_differences(level)[radius + 1 : 3 * radius - 1]
            worst = max(worst, float(second.max(initial=-math.inf)))
    return Finding(worst < 0, note=f"largest A″ {worst:.3g}, I = {cells}")


@computes("second-difference")
def second_difference(cells: int, centres: int, decay: float) -> Finding:
    """Return the largest deviation of A″ from the right-hand side of (E.9) in a business centre."""
    radius, delta = cells // (4 * centres), math.exp(-decay / cells)
    network = circle_cells(cells, decay)(ANY_COST).network
    kernel, firms = np.exp(-decay * network.distances), centric(cells, centres)
    level, _ = _levels(cells, decay, centres)
    second = _second_differences(level)
    half, steps = cells // 2, np.arange(1, cells // 2)
    deviations = []
    for k in range(radius, 3 * radius):
        around = kernel[k, (k + steps) % cells] @ (firms[(k - steps) % cells] + firms[(k + steps) % cells])
        across = kernel[0, half] / delta * firms[(k + half) % cells]
        formula = ((delta + 1 / delta) / 2 - 1) * around - (1 - delta) * (firms[k] - across)
        deviations.append(abs(float(formula - second[k])))
    return Finding(max(deviations), note=f"J = {centres}, I = {cells}, τ = {decay:g}")


@computes("hyperbolic-cosine")
def hyperbolic_cosine(cells: int, decay: float) -> Finding:
    """Return (δ + 1/δ)/2 − 1 = cosh(τ/I) − 1, said to be negative under (E.9)."""
    delta = math.exp(-decay / cells)
    value = (delta + 1 / delta) / 2 - 1
    return Finding(
        value,
        verdict="reproduced" if value < 0 else "refuted",
        note=f"I = {cells}, τ = {decay:g}; A″ < 0 holds nonetheless, see (E.8)",
    )


def _second_differences(level: Vector) -> Vector:
    return (np.roll(level, -1) - 2 * level + np.roll(level, 1)) / 2


# --- equilibrium, (E.10), (E.11) ---------------------------------------------------------------


@computes("level-at-border")
def level_at_border(cells: int, centres: int, decay: float) -> Finding:
    """Return ½(A_I + A_1)/Ā, said to be 1; it is ½(A_R + A_{R+1}), at a centre's edge, that equals Ā."""
    level, uniform = _levels(cells, decay, centres)
    radius = cells // (4 * centres)
    edge = float(level[radius - 1] + level[radius]) / 2 / uniform
    return Finding(
        float(level[-1] + level[0]) / 2 / uniform,
        note=f"cells 1 and I are the middle of a residential area; ½(A_R + A_R+1)/Ā = {edge:.12g}, "
        f"R = {radius}",
    )


@computes("level-of-first-cell")
def level_of_first_cell(cells: int, centres: int, decay: float) -> Finding:
    """Test A_1 > Ā."""
    level, uniform = _levels(cells, decay, centres)
    return Finding(bool(level[0] > uniform), note=f"A_1/Ā = {level[0] / uniform:.6g}")


@computes("centres-are-equilibrium")
def centres_are_equilibrium(cells: int, centres: int, decay: float) -> Finding:
    """Return the largest t at which m^J is an equilibrium.

    Printed, (E.10): A_{2R} − t/(2J) − Ā − t/I ≥ 0.
    """
    city, firms = circle_cells(cells, decay), centric(cells, centres)

    def holds(cost: float) -> bool:
        game = FirmsGame(city(cost))
        return game.gap(game.lower_stage(firms)) <= 1e-10

    level, uniform = _levels(cells, decay, centres)
    advantage = float(level[2 * (cells // (4 * centres)) - 1]) - uniform
    largest = turning_point(holds, 1e-6, 4.0)
    corrected = advantage / (1 / (2 * centres) - 1 / cells)
    return Finding(
        largest,
        printed=advantage / (1 / (2 * centres) + 1 / cells),
        note=f"with + t/I instead of − t/I the bound is {corrected:.9g}",
        certificate="bisection in t on whether m^J is a best response to itself",
    )


@computes("potential-difference")
def potential_difference(cells: int, centres: int, decay: float, cost: float) -> Finding:
    """Return g(m^J) − g(m̄). Printed, (E.11): (J/2I) Σ (A_k − t/(2J) − Ā) over a centre."""
    game = FirmsGame(circle_cells(cells, decay)(cost))
    values = [game.potential(game.lower_stage(centric(cells, number))) for number in (centres, 0)]
    level, uniform = _levels(cells, decay, centres)
    radius = cells // (4 * centres)
    printed = centres / (2 * cells) * (level[radius : 3 * radius] - cost / (2 * centres) - uniform).sum()
    return Finding(values[0] - values[1], printed=float(printed))


@computes("better-than-uniform-is-equilibrium")
def better_than_uniform_is_equilibrium(
    cells: int, centres: Sequence[int], decays: Sequence[float], costs: Sequence[float]
) -> Finding:
    """Test on a grid that m^J is an equilibrium wherever g(m^J) ≥ g(m̄)."""
    tested = 0
    for decay in decays:
        for cost in costs:
            game = FirmsGame(circle_cells(cells, decay)(cost))
            uniform = game.potential(game.lower_stage(centric(cells, 0)))
            for number in centres:
                state = game.lower_stage(centric(cells, number))
                if game.potential(state) >= uniform:
                    tested += 1
                    if game.gap(state) > 1e-10:
                        return Finding(False, note=f"fails at J = {number}, τ = {decay:g}, t = {cost:g}")
    return Finding(tested > 0, note=f"{tested} states on the grid have g(m^J) ≥ g(m̄), I = {cells}")
