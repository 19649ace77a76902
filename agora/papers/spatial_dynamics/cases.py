"""The economies on which the slides' statements are tested; the slides print no parameters of their own."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from agora.formulations.migration.kernels import DenseKernel, RingKernel
from agora.formulations.migration.racetrack import LinearGame, wave_eigenvalue
from agora.formulations.migration.trade import TradeEconomy, trade_economy
from agora.models.migration.spatial_game import SpatialGame
from agora.models.solution import Solution
from agora.runners.solving import solve
from agora.typing import Vector

PAPER = "spatial-dynamics"
ELASTICITY, RATE, RADIUS, NOISE, DISCOUNT = 5.0, 0.5, 1.0, 0.01, 0.05
"""σ, τ, R, ν, ρ of the reference economies."""
CASES: dict[str, tuple[str, float, float]] = {
    "A1": ("armington", 1.0, 20.0),
    "K1": ("krugman", 120.0, 100.0),
    "K2": ("krugman", 400.0, 20.0),
    "K3": ("krugman", 1.0, 4.0),
}
"""Variant, moving cost c0 and horizon T."""


def game(case: str, cells: int | tuple[int, int], amplitude: float = 0.5, **changes: Any) -> SpatialGame:
    """Return the game of a reference case on as many periods as cells (in a row), changed."""
    variant, moving_cost, horizon = CASES[case]
    given = {
        "variant": variant, "elasticity": ELASTICITY, "trade_cost_rate": RATE, "radius": RADIUS,
        "noise": NOISE, "discount": DISCOUNT, "moving_cost": moving_cost, "horizon": horizon, "cells": cells,
        "steps": int(np.max(cells)), "initial": {"kind": "cosine", "amplitude": amplitude},
    }  # fmt: skip
    return SpatialGame(**{**given, **changes})


@cache
def solved(case: str) -> Solution:
    """Return the certified game of a reference case from μ⁰ = 1 + .5 cos x, 64 cells and 64 steps."""
    return solve(game(case, 64))


def linear_game(case: str, **changes: Any) -> LinearGame:
    """Return the first wave of a reference case on the circle, δ = 1 unless changed."""
    variant, moving_cost, horizon = CASES[case]
    numbers = {"noise": NOISE, "discount": DISCOUNT, "moving_cost": moving_cost, "horizon": horizon}
    eigenvalue = wave_eigenvalue(trade_economy(variant, ELASTICITY, 1), (ELASTICITY - 1) * RATE, RADIUS, 1)
    return LinearGame(eigenvalue, 1 / RADIUS**2, **{**numbers, **changes})


def racetrack(variant: str, cells: int, **changes: float) -> tuple[TradeEconomy, RingKernel]:
    """Return the static layer on a ring of cells."""
    economy = trade_economy(variant, ELASTICITY, cells, **changes)
    return economy, RingKernel(cells, economy.trade_elasticity * RATE, 2 * math.pi * RADIUS)


def random_places(seed: int, locations: int = 12, symmetric: bool = False) -> tuple[DenseKernel, Vector]:
    """Return a kernel of random trade costs between 1 and 2, and a random density."""
    random = np.random.default_rng(seed)
    costs = 1 + random.uniform(0, 1, (locations, locations)) * (1 - np.eye(locations))
    if symmetric:
        costs = (costs + costs.T) / 2
    weights = random.dirichlet(np.full(locations, 5.0))
    density = random.uniform(0.2, 2.0, locations)
    return DenseKernel(costs ** (1 - ELASTICITY), weights), density / float(weights @ density)


def smooth_density(seed: int, cells: int, size: float = 0.8) -> Vector:
    """Return a positive density of three random waves on a ring, the same for every number of cells."""
    random = np.random.default_rng(seed)
    x = 2 * np.pi * np.arange(cells) / cells
    heights, phases = random.dirichlet(np.ones(3)) * size, random.uniform(0, 2 * np.pi, 3)
    wave = 1 + sum(h * np.cos((k + 1) * x + p) for k, (h, p) in enumerate(zip(heights, phases, strict=True)))
    density: Vector = np.asarray(wave) / np.mean(wave)
    return density
