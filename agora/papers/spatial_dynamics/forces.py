"""The racetrack: thresholds, the four forces and their signs, concentration."""

from __future__ import annotations

from itertools import product

import numpy as np

from agora.formulations.migration.racetrack import LinearGame
from agora.models.migration.myopic import MyopicMigration
from agora.papers.computations import Finding, computes
from agora.papers.spatial_dynamics.cases import (
    CASES,
    DISCOUNT,
    ELASTICITY,
    NOISE,
    RATE,
    linear_game,
    smooth_density,
    solved,
)
from agora.runners.solving import solve

NAMES = ("shocks", "myopic", "uncertainty", "expectations")


def _games(variant: str) -> list[LinearGame]:
    """Return first waves over a grid of noise, discount, moving cost and horizon, none beyond T*."""
    case = "K1" if variant == "krugman" else "A1"
    grid = product((0.001, 0.01, 0.1), (0.01, 0.05, 0.2), (1.0, 50.0, 120.0, 400.0), (2.0, 20.0, 100.0))
    games = [
        linear_game(case, noise=noise, discount=discount, moving_cost=cost, horizon=horizon)
        for noise, discount, cost, horizon in grid
    ]
    return [game for game in games if game.horizon < game.critical_horizon]


@computes("decomposition")
def decomposition() -> Finding:
    """Return the largest |F1 + F2 + F3 + F4 − H'/2| along the four reference cases, relative to H'/2."""
    worst = 0.0
    for case in CASES:
        game = linear_game(case)
        t = np.linspace(0, game.horizon, 401)
        growth = game.concentration_growth(t)
        gap = np.abs(np.sum(list(game.forces(t).values()), axis=0) - growth).max() / np.abs(growth).max()
        worst = max(worst, float(gap))
    return Finding(worst, note="relative to the largest H'/2 of the case", certificate="paths in closed form")


@computes("sign-of-a-force")
def sign_of_a_force(variant: str, force: str, sign: int) -> Finding:
    """Test the sign of a force at all times of a grid of games."""
    games, kept, total = _games(variant), 0, 0
    for game in games:
        values = game.forces(np.linspace(0, 0.999 * game.horizon, 100))[force]
        kept, total = kept + int((np.sign(values) == sign).sum()), total + len(values)
    note = f"the stated sign at {kept} of {total} times of {len(games)} games"
    if variant == "krugman" and force == "expectations":
        turn = linear_game("K1").expectations_turn
        note += (
            "; with λ > 0 it holds only where the wave grows (ω < ρ/2) and T − t > artanh(2ω/ρ)/ω: in K1 "
            f"for t < {turn:.7f}, in K2 and K3 never"
        )
    return Finding(kept == total, note=note)


@computes("sign-of-a-nonlinear-force")
def sign_of_a_nonlinear_force(case: str, force: str, sign: int) -> Finding:
    """Test the sign of a force of the exact decomposition at all times but the last two of a solved game."""
    table = solved(case).tables["concentration"].iloc[:-2]
    kept = np.sign(table[force].to_numpy(dtype=float)) == sign
    note = f"{case}, δ = .5: the stated sign at {int(kept.sum())} of {len(kept)} times"
    if not kept.all():
        note += f", not from t = {float(table['time'].iloc[int(np.argmin(kept))]):.4g} on"
    return Finding(bool(kept.all()), note=note, certificate="the game certified with best replies")


@computes("expectations-agglomerate")
def expectations_agglomerate() -> Finding:
    """Test that expectations agglomerate in every game of both variants."""
    kept = {variant: sign_of_a_force(variant, "expectations", 1) for variant in ("krugman", "armington")}
    later = float(linear_game("K2").forces(10.0)["expectations"])
    return Finding(
        all(bool(finding.computed) for finding in kept.values()),
        note=f"Armington: always (computed: {kept['armington'].note}). Krugman: not always "
        f"({kept['krugman'].note}); the force is {later:.6g} in K2 at t = 10",
        certificate="paths in closed form, checked against a boundary value solver",
    )


@computes("cannot-reverse")
def cannot_reverse(moving_cost: float) -> Finding:
    """Test that the game agglomerates or disperses as the myopic economy does, at a moving cost between."""
    game = linear_game("K1", horizon=np.inf, moving_cost=moving_cost)
    model = MyopicMigration(
        elasticity=ELASTICITY, trade_cost_rate=RATE, noise=NOISE, discount=DISCOUNT, moving_cost=moving_cost,
        horizon=20.0, cells=64, steps=40, initial={"kind": "cosine", "amplitude": 0.01},
    )  # fmt: skip
    hhi = solve(model).tables["concentration"]["hhi"].to_numpy(dtype=float)
    grows = bool((np.diff(hhi) > 0).all())
    return Finding(
        (game.growth_rate > 0) == grows,
        note=f"at c0 = {moving_cost:g} the myopic wave grows at {game.myopic_growth_rate:.3g} (integrated "
        f"with 64 cells: H from {hhi[0]:.8f} to {hhi[-1]:.8f}), that of the game at {game.growth_rate:.3g}. "
        f"Between c0 = {game.game_threshold:.6f} and {game.myopic_threshold:.6f} the myopic economy "
        "agglomerates and the game disperses: there the pattern is reversed, towards dispersion",
        certificate="the game in closed form; the myopic path certified from its tables",
    )


@computes("uniform-minimises-concentration")
def uniform_minimises_concentration() -> Finding:
    """Test H > 1 for uneven densities, and H → ∞ as they concentrate."""
    smallest = min(float((smooth_density(seed, 128) ** 2).mean()) for seed in range(200))
    peaks = []
    for width in (0.5, 0.1, 0.02):
        x = np.linspace(-np.pi, np.pi, 4096, endpoint=False)
        peak = np.exp(-((x / width) ** 2) / 2)
        peaks.append(float(((peak / peak.mean()) ** 2).mean()))
    return Finding(
        smallest > 1 and peaks[0] * 4 < peaks[1] * 1 and peaks[1] * 4 < peaks[2],
        note=f"smallest H of 200 uneven densities {smallest:.6f}; H = {peaks[0]:.3g}, {peaks[1]:.3g}, "
        f"{peaks[2]:.3g} as a peak narrows by 5 and 5",
    )
