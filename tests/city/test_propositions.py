"""Propositions 4, 5, 6, A.1 and 7 of Osawa & Akamatsu (2019), over grids of (τ, t).

True statements are those of the spec of the model, where printed ones are wrong; each test says so.
"""

from __future__ import annotations

from functools import lru_cache

import networkx as nx
import numpy as np
import pytest
from makers import city
from scipy.optimize import brentq

from agora.data import circle, two_cell
from agora.methods.city.firms_game import FirmsGame
from agora.methods.city.vertex_enumeration import local_maximisers, potentials, vertices

OFF = 1e-6
"""Relative distance from a threshold within which nothing is claimed."""


@lru_cache
def candidates(kind: str, size: float) -> np.ndarray:
    """Vertices depend on the geography only, not on (τ, t)."""
    return vertices(city(geography(kind, size), 0.1, 1.0))


def geography(kind: str, size: float) -> nx.Graph:
    return two_cell(land=(size, 1 - size)) if kind == "two-cell" else circle(int(size))


def global_set(game: FirmsGame, points: np.ndarray) -> set[tuple[float, ...]]:
    values = potentials(game, points)
    return {tuple(np.round(m, 9)) for m in points[values >= values.max() - 1e-11]}


def local_set(game: FirmsGame, points: np.ndarray) -> set[tuple[float, ...]]:
    return {tuple(np.round(state.firms, 9)) for state in local_maximisers(game, points)}


def off(t: float, *thresholds: float) -> bool:
    return all(abs(t - s) > OFF * max(s, 1e-3) for s in thresholds)


@pytest.mark.parametrize("a1", [0.5, 0.55, 0.6, 0.7, 0.8])
def test_proposition_4(a1: float) -> None:
    """Two cells: m̌, m̃, m̂ and ť, t̃, t̂, t*, with ť and t̃ as in the spec (the print repeats t̂)."""
    big_m, points = 0.5, candidates("two-cell", a1)
    low, high, kink = max(0.0, big_m - (1 - a1)), min(big_m, a1), a1 / 2
    for tau in np.linspace(0.2, 5.0, 3):
        delta, mean = np.exp(-tau), big_m / 2
        slope = 2 * big_m * (1 - delta)
        t_low, t_kink, t_high = slope * (mean - low), slope * (kink - mean), slope * (high - mean)
        t_star = (t_high + t_kink) / 2
        for t in np.linspace(0.003, 0.6, 8):
            if not off(t, t_low, t_kink, t_high, t_star):
                continue
            game = FirmsGame(city(two_cell(land=(a1, 1 - a1)), t, tau))
            expected = {m for m, holds in ((low, t < t_low), (kink, t > t_kink), (high, t < t_high)) if holds}
            assert {m[0] for m in local_set(game, points)} == {round(m, 9) for m in expected}
            winners = {m[0] for m in global_set(game, points)}
            winner = kink if t > t_star else high
            mirrored = {round(low, 9)} if a1 == 0.5 and winner == high else set()
            assert winners == {round(winner, 9)} | mirrored


def test_proposition_5() -> None:
    """Three cells: uniform for t ≥ ¼(1−δ), monocentric for t ≤ ¼(1−δ), δ = e^{−τ/3}; local at t < ½(1−δ)."""
    points, m = candidates("circle", 3), 1 / 6
    for tau in np.linspace(0.3, 8.0, 4):
        delta = np.exp(-tau / 3)
        for t in np.linspace(0.01, 0.6, 8):
            if not off(t, (1 - delta) / 4, (1 - delta) / 2):
                continue
            game = FirmsGame(city(circle(3), t, tau))
            mono, uniform = round(2 * m, 9), tuple(np.round([m] * 3, 9))
            winners = global_set(game, points)
            assert winners == ({uniform} if t > (1 - delta) / 4 else {w for w in winners if mono in w})
            assert len(winners) == (1 if t > (1 - delta) / 4 else 6)
            assert len(local_set(game, points)) == (7 if t < (1 - delta) / 2 else 1)


def pattern(shares: tuple[int, ...]) -> tuple[float, ...]:
    """Return m from land shares 0, 1, 2 (empty, integrated, full) of M/I."""
    return tuple(np.round(np.array(shares) * 0.5 / len(shares), 9))


def test_propositions_6_and_a1() -> None:
    """Four cells; two lines of Proposition A.1 are corrected by the spec.

    m̂¹ ∈ L iff t < ½(1−δ²); m̂² ∈ L iff t < ½(1−δ)²; m̃¹ = (2,1,0,1) never (the print claims an
    interval); m̃² = (2,1,1,0) iff ½δ(1−δ) < t < ½(1−δ) (the print has the interval reversed).
    """
    points = candidates("circle", 4)
    for tau in np.linspace(0.3, 10.0, 4):
        d = np.exp(-tau / 4)
        t1, t2, t3 = (1 - d**2) / 2, (1 - d) ** 2 / 2, (1 - d) / 2
        for t in np.linspace(0.005, 0.55, 8):
            if not off(t, t1, t1 / 2, t2, t3, d * t3):
                continue
            game = FirmsGame(city(circle(4), t, tau))
            local = local_set(game, points)
            assert pattern((1, 1, 1, 1)) in local
            assert (pattern((2, 2, 0, 0)) in local) == (t < t1)
            assert (pattern((2, 0, 2, 0)) in local) == (t < t2)
            assert pattern((2, 1, 0, 1)) not in local
            assert (pattern((2, 1, 1, 0)) in local) == (d * t3 < t < t3)
            monocentric = {pattern(tuple(np.roll((2, 2, 0, 0), k))) for k in range(4)}
            assert global_set(game, points) == (monocentric if t < t1 / 2 else {pattern((1, 1, 1, 1))})


def test_the_saddle_that_proposition_a1_calls_a_maximiser() -> None:
    """m̃¹ is a saddle for t ≤ ¼(1−δ²), and g rises by (1−δ²)ε² along e4 − e2 (spec)."""
    tau = 4.0
    d = float(np.exp(-tau / 4))
    game = FirmsGame(city(circle(4), 0.9 * (1 - d**2) / 4, tau))
    m = np.array([2.0, 1.0, 0.0, 1.0]) / 8
    state = game.lower_stage(m)
    assert game.kind(state) == "saddle"
    moved = game.lower_stage(m + 0.01 * np.array([0, -1, 0, 1]))
    rise = game.potential(moved) - game.potential(state)
    assert rise == pytest.approx((1 - d**2) * 0.01**2, rel=1e-6)


EIGHT = {
    0: (1, 1, 1, 1, 1, 1, 1, 1),
    1: (0, 0, 2, 2, 2, 2, 0, 0),
    2: (0, 2, 2, 0, 0, 2, 2, 0),
    4: (2, 0, 2, 0, 2, 0, 2, 0),
}
"""Osawa & Akamatsu (2019), figure 7a: firms as shares of M/I in m̄, m¹, m², m⁴."""


def switch(tau: float, first: int, second: int) -> float:
    """Return the t at which two patterns of eight cells have one potential; f and ȟ/t by the program."""
    game = FirmsGame(city(circle(8), 1.0, tau))
    states = [game.lower_stage(np.array(EIGHT[j]) / 16) for j in (first, second)]
    f = [game.city.interaction.potential(state.firms) for state in states]
    return (f[1] - f[0]) / (states[1].total_commuting_cost - states[0].total_commuting_cost)


@pytest.mark.parametrize(
    ("tau", "first", "second", "threshold"),
    [
        (4.0, 0, 1, 0.156008152041),
        (8.0, 0, 2, 0.186911268104),
        (8.0, 2, 1, 0.138032915375),
        (12.0, 0, 2, 0.225726153860),
        (12.0, 2, 1, 0.076659448998),
    ],
)
def test_thresholds_of_proposition_7(tau: float, first: int, second: int, threshold: float) -> None:
    """The threshold table of the spec, I = 8; t*** is misprinted in the paper."""
    d = np.exp(-tau / 8)
    formula = {
        (0, 1): (1 - d**2) * (1 + d + d**2) / 8,
        (0, 2): (1 - d**2) ** 2 / 4,
        (2, 1): d * (1 - d**2) * (1 + 2 * d) / 4,
    }[first, second]
    found = switch(tau, first, second)
    assert found == pytest.approx(threshold, abs=1e-11)
    assert found == pytest.approx(formula, abs=1e-13)


def test_tau_star_of_proposition_7() -> None:
    """δ* = (√13 − 1)/6, τ* = 6.672921554819: where t* = t** = t***."""
    tau = brentq(lambda x: switch(x, 0, 1) - switch(x, 0, 2), 3.0, 10.0, xtol=1e-13)
    assert tau == pytest.approx(6.672921554819, abs=1e-10)
    assert np.exp(-tau / 8) == pytest.approx((np.sqrt(13) - 1) / 6, abs=1e-12)


def test_proposition_7_over_the_plane() -> None:
    """Eight cells: uniform, monocentric or duocentric wins, where the thresholds say so."""
    points = candidates("circle", 8)
    seen = set()
    for tau in (2.0, 6.5, 7.0, 14.0):
        t1, t2, t3 = switch(tau, 0, 1), switch(tau, 0, 2), switch(tau, 2, 1)
        for t in np.linspace(0.01, 0.28, 10):
            if not off(t, t1, t2, t3):
                continue
            polycentric = tau > 6.672921554819 and t > t3
            winner = 0 if t > max(t1, t2) else 2 if polycentric else 1
            orbit = {pattern(tuple(np.roll(EIGHT[winner], k))) for k in range(8)}
            assert global_set(FirmsGame(city(circle(8), float(t), tau)), points) == orbit
            seen.add(winner)
    assert seen == {0, 1, 2}


@pytest.mark.parametrize(("centres", "per_household"), [(0, 0.0), (1, 0.25), (2, 0.125), (4, 0.125)])
def test_commuting_cost_per_household(centres: int, per_household: float) -> None:
    """Section 6.2 prints 0, t/8, t/8, t/4 for m̄, m¹, m², m⁴; true are 0, t/4, t/8, t/8."""
    game = FirmsGame(city(circle(8), 1.0, 8.0))
    cost = game.lower_stage(np.array(EIGHT[centres]) / 16).total_commuting_cost
    assert cost / 0.5 == pytest.approx(per_household, abs=1e-12)


def test_figure_1_and_its_three_cases() -> None:
    """Figure 1: M = ½, a_1 = .6, δ = .1; local maximisers at high, medium and low t."""
    points, tau = candidates("two-cell", 0.6), float(np.log(10))
    for t, expected in ((0.3375, {0.3}), (0.105, {0.1, 0.3, 0.5}), (0.0225, {0.1, 0.5})):
        assert {
            m[0] for m in local_set(FirmsGame(city(two_cell(land=(0.6, 0.4)), t, tau)), points)
        } == expected


def test_uniform_is_a_minimiser_with_excess_land() -> None:
    """Proposition D.1: with (1+φ)M < 1 the uniform pattern is a locally minimising KKT point."""
    for cells in (2, 4, 8):
        game = FirmsGame(city(circle(cells), 0.1, 3.0, firm_mass=0.4))
        state = game.lower_stage(np.full(cells, 0.4 / cells))
        assert game.kind(state) == "minimiser"
    full = FirmsGame(city(circle(8), 0.1, 3.0))
    assert full.kind(full.lower_stage(np.full(8, 1 / 16))) == "local maximiser"
