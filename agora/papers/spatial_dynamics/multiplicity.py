"""Monotonicity, potential, and the stationary states of the racetrack."""

from __future__ import annotations

import numpy as np

from agora.formulations.migration.monotonicity import monotonicity_quotient, potential_asymmetry
from agora.formulations.migration.trade import real_wage_jacobian, solve_wages
from agora.methods.migration.continuation import bifurcation
from agora.methods.migration.game import rest_course
from agora.papers.computations import Finding, computes
from agora.papers.spatial_dynamics.cases import DISCOUNT, NOISE, RADIUS, game, racetrack, smooth_density
from agora.typing import Vector

CELLS = 64


def stationary_density(start: Vector, moving_cost: float) -> Vector:
    r"""Return a stationary density of the Krugman game on the ring by Newton's method from a density.

    With u = 2νc0 ln φ the zero-flux states solve 2ν²c0 Δφ/φ − 2νc0ρ ln φ + V(φ²/⟨φ²⟩) = 0.

    Raises
    ------
    ArithmeticError
        If 60 steps do not find one.
    """
    economy, kernel = racetrack("krugman", CELLS)
    h, eye = 2 * np.pi * RADIUS / CELLS, np.eye(CELLS)
    second = (np.roll(eye, 1, axis=0) + np.roll(eye, -1, axis=0) - 2 * eye) / h**2
    diffusion, memory = 2 * NOISE**2 * moving_cost, 2 * NOISE * moving_cost * DISCOUNT
    phi = np.sqrt(start)
    state = solve_wages(economy, kernel, start)
    phi = phi * np.exp((state.real_wage.mean() - memory * np.log(phi).mean()) / memory)
    for _ in range(60):
        mu = phi**2 / (phi**2).mean()
        state = solve_wages(economy, kernel, mu, state.wage)
        gap = diffusion * (second @ phi) / phi - memory * np.log(phi) + state.real_wage
        if np.abs(gap).max() < 1e-11:
            density: Vector = mu
            return density
        slope = diffusion * (second / phi[:, None] - np.diag((second @ phi) / phi**2)) - memory * np.diag(
            1 / phi
        )
        by_phi = np.diag(2 * mu / phi) - np.outer(mu, 2 * phi / (phi @ phi))
        slope += real_wage_jacobian(economy, kernel, mu, state) @ by_phi
        change = np.linalg.solve(slope, -gap)
        phi = phi * np.exp(np.clip(change / phi, -0.3, 0.3))
    raise ArithmeticError(f"no stationary state found from here at c0 = {moving_cost:g}")


def stationary_residual(density: Vector, moving_cost: float) -> float:
    """Return how far ln μ = u/(νc0) − ln Z is from a solution of the stationary equation, in units of V.

    The constant Z is free: the residual is the spread of the equation's gap over the ring.
    """
    economy, kernel = racetrack("krugman", CELLS)
    h, phi = 2 * np.pi * RADIUS / CELLS, np.sqrt(density)
    bend = (np.roll(phi, 1) + np.roll(phi, -1) - 2 * phi) / h**2 / phi
    real = solve_wages(economy, kernel, density).real_wage
    gap = 2 * NOISE**2 * moving_cost * bend - 2 * NOISE * moving_cost * DISCOUNT * np.log(phi) + real
    return float(np.ptp(gap))


def agglomerated(moving_cost: float) -> Vector:
    """Return the agglomerated stationary density, continued down from near the bifurcation."""
    x = 2 * np.pi * np.arange(CELLS) / CELLS
    density = 1 + 0.6 * np.cos(x)
    for cost in np.append(np.arange(220.0, moving_cost, -10.0), moving_cost):
        density = stationary_density(density, float(cost))
    return density


def stationary_branch() -> list[tuple[float, float]]:
    """Return (c0, H) along the branch of agglomerations, from c0 = 50 up to the bifurcation."""
    model = game("K1", CELLS, 0.6, moving_cost=220.0, horizon="stationary", scheme="exponential")
    first = rest_course(model, model.initial_density)
    table = bifurcation(model, "moving_cost", 220.0, [50.0, 231.0], first=first, steps=20)
    return list(zip(table["value"].tolist(), table["hhi"].tolist(), strict=True))


@computes("stationary-states")
def stationary_states(moving_cost: float) -> Finding:
    """Find the uniform and the agglomerated stationary state, and turn the latter by a quarter."""
    peak = agglomerated(moving_cost)
    uniform = stationary_density(np.ones(CELLS), moving_cost)
    hhi = float((peak**2).mean())
    turned = stationary_residual(np.roll(peak, CELLS // 4), moving_cost)
    return Finding(
        hhi > 1.01 and float(np.ptp(uniform)) < 1e-9 and turned < 1e-8,
        note=f"at c0 = {moving_cost:g} the uniform state and an agglomeration with density {peak[0]:.8f} at "
        f"its peak and H = {hhi:.8f}, anywhere on the circle (turned by a quarter, residual {turned:.1g})",
        certificate="stationary equation with residual below 1e-11 in both states",
    )


@computes("monotonicity")
def monotonicity(variant: str, congestion: float, pairs: int) -> Finding:
    """Test the Lasry–Lions condition on pairs of densities, smooth and rough."""
    economy, kernel = racetrack(variant, 32, congestion=congestion)
    random, quotients = np.random.default_rng(2), []
    for seed in range(pairs):
        rough = random.uniform(0.1, 2.0, (2, 32))
        for first, second in (
            (smooth_density(2 * seed, 32), smooth_density(2 * seed + 1, 32)),
            (rough[0] / rough[0].mean(), rough[1] / rough[1].mean()),
        ):
            real = [solve_wages(economy, kernel, density).real_wage for density in (first, second)]
            quotients.append(monotonicity_quotient(real[0], real[1], first - second, kernel.weights))
    return Finding(
        max(quotients) <= 0,
        note=f"∫(V₁ − V₂)d(μ₁ − μ₂) / ∫(μ₁ − μ₂)² dm between {min(quotients):.4g} and {max(quotients):.4g} "
        f"over {len(quotients)} pairs; instances, not a proof",
    )


@computes("no-potential")
def no_potential(variant: str) -> Finding:
    """Test that δV/δμ is not symmetric away from the uniform state."""
    economy, kernel = racetrack(variant, 64)
    at = [np.ones(64), 1 + 0.5 * np.cos(2 * np.pi * np.arange(64) / 64), smooth_density(9, 64)]
    result = [potential_asymmetry(real_wage_jacobian(economy, kernel, mu), kernel.weights) for mu in at]
    return Finding(
        result[0] < 1e-10 and min(result[1:]) > 1e-4,
        note=f"relative asymmetry of δV/δμ {result[0]:.1g} at the uniform state, {result[1]:.3g} at "
        f"1 + .5 cos x, {result[2]:.3g} at another density: small, but no potential",
        certificate="the derivative by the implicit function theorem, tested against finite differences",
    )


@computes("not-monotone")
def not_monotone(variant: str, pairs: int) -> Finding:
    """Test that the Lasry–Lions condition fails."""
    result = monotonicity(variant, 0.0, pairs)
    return Finding(not result.computed, note=result.note)
