"""Section 6.3: cities with a large number of cells, and certified maps of the plane (τ, t)."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from agora.data.geographies import circle
from agora.methods.city.certified_map import certified_map
from agora.methods.city.firms_game import FirmsGame
from agora.methods.city.global_search import certified_maximiser
from agora.papers.computations import Finding, computes
from agora.papers.osawa_akamatsu.cities import centric, circle_cells, parts_of, upper_envelope
from agora.typing import Vector

Values = Sequence[float] | Mapping[str, float]
"""Numbers, or {from, to, number} of equally spaced ones."""
SECONDS = 20.0
"""For each search."""
FEW_POINTS = 1000
"""Points that one process maps; more are shared by two."""
PLANE_48: tuple[Mapping[str, float], Mapping[str, float]] = (
    {"from": 0.5, "to": 70.0, "number": 164},
    {"from": 0.004, "to": 0.25, "number": 33},
)
"""The grid of (τ, t) for 48 cells."""
PLANE_24: tuple[Mapping[str, float], Mapping[str, float]] = (
    {"from": 3.0, "to": 69.0, "number": 12},
    {"from": 0.005, "to": 0.25, "number": 50},
)
"""The grid for 24 cells: coarse in τ, so that it is drawn in less than a minute."""
PLANE_3: tuple[Mapping[str, float], Mapping[str, float]] = (
    {"from": 0.5, "to": 10.0, "number": 20},
    {"from": 0.02, "to": 0.5, "number": 25},
)
"""The grid for all equilibria of three cells."""


def smallest_city(centres: int) -> int:
    """Return the least I on which m^J exists with I/(4J) whole for every J up to `centres`."""
    return 4 * math.lcm(*range(1, centres + 1))


def uniform_production(decay: float) -> float:
    """Return f(m̄) for infinitely many cells, (E.5)."""
    return (1 - math.exp(-decay / 2)) / (4 * decay)


def relative_production(centres: int, decay: float) -> float:
    """Return Ψ_J = f_J/f_∞ − 1 for infinitely many cells, (E.6)."""

    def c(z: float) -> float:
        return (1 - z) / (1 + z)

    delta = math.exp(-decay / (2 * centres))
    parity = 1.0 if centres % 2 == 0 else 1 / c(math.exp(-decay / 2))
    return (1 + 2 * c(delta) / math.log(delta)) * parity


def continuous_gain(centres: int, decay: float, cost: float) -> float:
    """Return g(m^J) − g(m̄) for infinitely many cells, (E.1) and (E.6)."""
    return uniform_production(decay) * relative_production(centres, decay) - cost / (8 * centres)


def continuous_sequence(decay: float, most: int) -> list[tuple[int, float]]:
    """Return (number of centres, highest t) of the maximisers in ℳ* as t rises; 0 centres is uniform."""
    production_gain = [0.0, *(uniform_production(decay) * relative_production(j, decay) for j in _to(most))]
    commuting = [0.0, *(1 / (8 * j) for j in _to(most))]
    pieces = upper_envelope(np.array(production_gain), np.array(commuting))
    return [(piece.candidate, piece.high) for piece in pieces]


def _to(most: int) -> range:
    return range(1, most + 1)


def _arrows(numbers: Sequence[int]) -> str:
    return " → ".join("uniform" if number == 0 else str(number) for number in numbers)


# --- numbers of cells --------------------------------------------------------------------------


@computes("cells-for-centres")
def cells_for_centres(most: int) -> Finding:
    """Return I = 4 LCM(K) for K = 1, 2, …, checked by building the patterns."""
    numbers = [smallest_city(centres) for centres in _to(most)]
    for centres, cells in enumerate(numbers, start=1):
        fits = [number for number in range(4, cells + 1, 4) if _all_fit(number, centres)]
        if fits[0] != cells:
            raise ValueError(f"{fits[0]} cells already carry every pattern up to {centres} centres")
    return Finding(
        ", ".join(f"{number:,}" for number in numbers),
        certificate="no smaller multiple of 4 carries them all",
    )


def _all_fit(cells: int, centres: int) -> bool:
    return all(cells % (4 * number) == 0 for number in _to(centres))


@computes("centres-for-cells")
def centres_for_cells(cells: int) -> Finding:
    """Return the largest K such that m^1, …, m^K all exist on a number of cells."""
    most = 1
    while _all_fit(cells, most + 1):
        most += 1
    return Finding(
        float(most),
        note=f"4·LCM(20) = {smallest_city(20):,} = 4·LCM({most}); 4·LCM(50) = {smallest_city(50):.4g}",
    )


@computes("least-common-multiple")
def least_common_multiple(centres: int) -> Finding:
    """Return LCM(1, …, K)."""
    multiple = math.lcm(*range(1, centres + 1))
    return Finding(float(multiple), note=f"4·LCM({centres}) = {4 * multiple}")


# --- sequences of maximisers -------------------------------------------------------------------


@computes("sequence-in-cost")
def sequence_in_cost(decay: float, most: int) -> Finding:
    """Return the maximisers in ℳ* as t falls, for infinitely many cells."""
    result = continuous_sequence(decay, most)[::-1]
    ends = ", ".join(f"{high:.10g}" for _, high in result[1:])
    return Finding(
        _arrows([number for number, _ in result]),
        note=f"switches at t = {ends}",
        certificate=f"exact upper envelope of the uniform and {most} centric patterns",
    )


@computes("sequence-in-cost-discrete")
def sequence_in_cost_discrete(cells: int, decay: float, most: int) -> Finding:
    """Return the maximisers in ℳ* as t falls, on a finite number of cells."""
    patterns = np.array([centric(cells, centres) for centres in range(most + 1)])
    result = upper_envelope(*parts_of(circle_cells(cells, decay), patterns))[::-1]
    ends = ", ".join(f"{piece.high:.10g}" for piece in result[1:])
    return Finding(
        _arrows([piece.candidate for piece in result]), note=f"I = {cells}: switches at t = {ends}"
    )


@computes("sequence-in-cost-monotone")
def sequence_in_cost_monotone(decays: Sequence[float], most: int) -> Finding:
    """Test Observation 3 on a grid of τ: uniform, J*, J* − 1, …, 1 as t falls."""
    starts = []
    for decay in decays:
        numbers = [number for number, _ in continuous_sequence(decay, most)]
        if numbers != [*range(1, len(numbers)), 0]:
            return Finding(False, note=f"{_arrows(numbers[::-1])} at τ = {decay:g}")
        starts.append(len(numbers) - 1)
    return Finding(
        True, note=f"at τ = {', '.join(f'{d:g}' for d in decays)}: J* = {', '.join(map(str, starts))}"
    )


@computes("sequence-in-decay")
def sequence_in_decay(cost: float, until: float, most: int, shown: int) -> Finding:
    """Return the first `shown` maximisers in ℳ* as τ rises from 0, for infinitely many cells."""

    def best(decay: float) -> int:
        gains = [0.0, *(continuous_gain(centres, decay, cost) for centres in _to(most))]
        return int(np.argmax(gains))

    grid = np.linspace(0.05, until, 800).tolist()
    numbers = [best(decay) for decay in grid]
    sequence, ends = [numbers[0]], []
    for (low, before), (high, after) in pairwise(zip(grid, numbers, strict=True)):
        if before != after:
            sequence.append(after)
            ends.append(float(brentq(_difference, low, high, args=(before, after, cost), xtol=1e-13)))
    ends_listed = ", ".join(f"{end:.10g}" for end in ends)
    return Finding(
        _arrows(sequence[:shown]),
        note=f"{_arrows(sequence)} up to τ = {until:g}; switches at τ = {ends_listed}",
    )


def _difference(decay: float, before: int, after: int, cost: float) -> float:
    gains = [continuous_gain(centres, decay, cost) if centres else 0.0 for centres in (before, after)]
    return gains[1] - gains[0]


# --- certified maps ----------------------------------------------------------------------------


def listed(values: Values) -> tuple[float, ...]:
    """Return the numbers."""
    if isinstance(values, Mapping):
        return tuple(np.linspace(values["from"], values["to"], int(values["number"])).tolist())
    return tuple(float(value) for value in values)


def certified_points(cells: int, decays: Values, costs: Values) -> pd.DataFrame:
    """Return the certified map of a circle: see `agora.methods.city.certified_map`."""
    return _map(cells, listed(decays), listed(costs)).copy()


@cache
def _map(cells: int, decays: tuple[float, ...], costs: tuple[float, ...]) -> pd.DataFrame:
    many = len(decays) * len(costs) > FEW_POINTS
    workers = min(2, os.cpu_count() or 1) if many else 1
    return certified_map(circle(cells), decays, costs, seconds=SECONDS, workers=workers)


def certified_by_decay(points: pd.DataFrame) -> pd.DataFrame:
    """Return one row a decay: points, how many certified, how many open, the largest gap, the winners."""
    rows = []
    for decay, part in points.groupby("decay"):
        sure = int(part["certified"].sum())
        ordered = part.sort_values("commuting_cost")["centres"].tolist()
        winners = [ordered[0], *(b for a, b in pairwise(ordered) if a != b)]
        rows.append(
            {
                "decay": float(str(decay)),
                "points": len(part),
                "certified": sure,
                "open": len(part) - sure,
                "largest_gap": float(part["gap"].max()),
                "centres as t rises": " → ".join("uniform" if k == 0 else str(k) for k in winners),
            }
        )
    return pd.DataFrame(rows)


# --- Conjecture 1 ------------------------------------------------------------------------------


@computes("conjecture-counterexample")
def conjecture_counterexample(cells: int, most: int, other: int, decay: float, cost: float) -> Finding:
    """Return g(m^other) less the highest g in ℳ* = {m̄, m¹, …, m^most}: > 0 refutes the conjecture."""
    city = circle_cells(cells, decay)(cost)
    game = FirmsGame(city)

    def potential(firms: Vector) -> float:
        return game.potential(game.lower_stage(firms))

    values = [potential(centric(cells, centres)) for centres in range(most + 1)]
    best = int(np.argmax(values))
    beyond = potential(centric(cells, other))
    gain = beyond - values[best]
    return Finding(
        gain,
        verdict="refuted" if gain > 1e-9 else "not computable",
        note=f"K = {most}, τ = {decay:g}, t = {cost:g}: g(m^{other}) = {beyond:.12f}, but the best of ℳ* is "
        f"{_arrows([best])} with {values[best]:.12f}",
        certificate="one pattern outside ℳ* with a higher potential is enough",
    )


@computes("conjecture-certified")
def conjecture_certified(cells: int, most: int, decay: float, cost: float) -> Finding:
    """Return the global maximum of g, proved by bounds and a search, less the highest g in ℳ*."""
    city = circle_cells(cells, decay)(cost)
    result = certified_maximiser(city)
    if not result.is_global:
        return Finding(math.nan, verdict="not computable", note="the search was cut short")
    game = FirmsGame(city)
    patterns = {j: centric(cells, j) for j in range(cells // 4 + 1) if j == 0 or cells % (4 * j) == 0}
    values = {j: game.potential(game.lower_stage(firms)) for j, firms in patterns.items()}
    gain = result.objective - max(value for j, value in values.items() if j <= most)
    winner = [j for j, value in values.items() if abs(value - result.objective) <= 1e-12]
    return Finding(
        gain,
        verdict="refuted" if gain > 1e-9 else "reproduced",
        note=f"the global maximum {result.objective:.12f} has {', '.join(map(_words, winner))}",
        certificate=str(result.facts["proof"]),
    )


def _words(centres: int) -> str:
    return "the uniform pattern" if centres == 0 else f"{centres} centres"


@computes("conjecture-map")
def conjecture_map(cells: int, most: int, decays: Values, costs: Values, among: str) -> Finding:
    """Return at how many points of a grid the certified global maximiser is not in a set of patterns.

    `among` is ``printed``, {m̄, m¹, …, m^most}, or ``all``: m̄ and every m^J with 4J | I.
    """
    points = certified_points(cells, decays, costs)
    numbers = [j for j in range(1, cells // 4 + 1) if cells % (4 * j) == 0 and (j <= most or among == "all")]
    patterns = np.array([centric(cells, j) for j in (0, *numbers)])
    outside = 0
    for decay, rows in points.groupby("decay"):
        made, travel = parts_of(circle_cells(cells, float(str(decay))), patterns)
        best = (made[:, None] - np.outer(travel, rows["commuting_cost"])).max(axis=0)
        outside += int((rows["bound"].to_numpy() > best + 1e-12).sum())
    open_points = int((~points["certified"]).sum())
    return Finding(
        float(outside),
        verdict="refuted" if outside > open_points else "reproduced" if not outside else "not computable",
        note=f"of {len(points)} points, {len(points) - open_points} certified, {open_points} open",
        certificate="bound by dynamic programming, and a search of everything it leaves",
    )
