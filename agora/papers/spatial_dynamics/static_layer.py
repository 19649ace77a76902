"""The static layer: the wage equation and its order, existence, uniqueness, homotopy, stability."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import null_space

from agora.formulations.migration.kernels import DenseKernel
from agora.formulations.migration.racetrack import wave_eigenvalue
from agora.formulations.migration.trade import first_wages, solve_wages, trade_economy
from agora.methods.migration.trade import trade_cost_homotopy
from agora.models.migration.spatial_trade import SpatialTrade
from agora.papers.computations import Finding, computes
from agora.papers.spatial_dynamics.cases import (
    ELASTICITY,
    RADIUS,
    RATE,
    racetrack,
    random_places,
    smooth_density,
)
from agora.runners.solving import solve
from agora.typing import Vector

TAU = ((1.0, 1.3, 1.8), (1.5, 1.0, 1.2), (1.4, 1.6, 1.0))
"""Asymmetric trade costs between three locations, rows origins."""
PEOPLE = (0.5, 0.3, 0.2)


def wage_map(kernel: DenseKernel, density: Vector, wage: Vector, transposed: bool) -> Vector:
    """Return the right-hand side of (1), τ as printed (`transposed`) or in the order of the price index."""
    freeness, people = kernel.values.T if transposed else kernel.values, kernel.weights * density
    access = freeness.T @ (people * wage ** (1 - ELASTICITY))
    return freeness @ (people * wage / access)


@computes("wage-equation")
def wage_equation(symmetric: bool) -> Finding:
    """Test (1) as printed at an equilibrium that is certified market by market."""
    costs = np.array(TAU)
    costs = (costs + costs.T) / 2 if symmetric else costs
    model = SpatialTrade(elasticity=ELASTICITY, trade_cost=costs.tolist(), population=PEOPLE)
    solution = solve(model, tolerance=1e-9)
    wage = solution.tables["locations"]["wage"].to_numpy(dtype=float)
    gaps = [
        float(np.abs(wage_map(model.dense_kernel, model.density, wage, order) / wage**ELASTICITY - 1).max())
        for order in (True, False)
    ]
    note = (
        f"as printed, (1) is violated by {gaps[0]:.3g} (relative) at the equilibrium of the slides' own "
        f"price index; with τ(x, y) in place of τ(y, x) and τ(z, y) in place of τ(y, z) by {gaps[1]:.1g}"
    )
    certificate = "shares, market clearing and budgets of every place, from the tables"
    if gaps[1] > 1e-9:
        raise ArithmeticError(note)
    if gaps[0] <= 1e-9:
        return Finding(True, note=note, certificate=certificate)
    return Finding(
        "w(x)^σ = ∫ τ(x,y)^{1−σ} w(y) / ∫ (τ(z,y) w(z))^{1−σ} dμ(z) dμ(y)", note=note, certificate=certificate
    )


@computes("demand-and-utility")
def demand_and_utility() -> Finding:
    """Test that the printed demand spends the wage, satisfies its first-order condition and yields w/P."""
    random, worst = np.random.default_rng(1), 0.0
    for _ in range(20):
        prices, wage = random.uniform(0.5, 2.0, 30), random.uniform(0.5, 2.0)
        index = float((prices ** (1 - ELASTICITY)).sum() ** (1 / (1 - ELASTICITY)))
        demand = prices**-ELASTICITY / index ** (1 - ELASTICITY) * wage
        rho = (ELASTICITY - 1) / ELASTICITY
        utility = float((demand**rho).sum() ** (1 / rho))
        slope = (demand**rho).sum() ** (1 / rho - 1) * demand ** (rho - 1)
        worst = max(worst, abs(float(prices @ demand) / wage - 1), abs(utility * index / wage - 1))
        worst = max(worst, float(np.abs(slope / prices * index - 1).max()))
    return Finding(
        worst < 1e-12,
        note=f"budget, first-order condition and V = w/P hold to {worst:.1g}",
        certificate="utility is concave, so that the first-order condition is sufficient",
    )


@computes("unique-wages")
def unique_wages(variant: str, economies: int, starts: int, spillover: float = 0.0) -> Finding:
    """Solve random economies from random wages; test that all agree and goods are substitutes."""
    worst, substitutes = 0.0, True
    for seed in range(economies):
        kernel, density = random_places(seed)
        economy = trade_economy(variant, ELASTICITY, len(density), spillover=spillover)
        reference = solve_wages(economy, kernel, density).wage
        random = np.random.default_rng(1000 + seed)
        for _ in range(starts):
            start = np.exp(random.normal(0, 1.0, len(density)))
            worst = max(
                worst, float(np.abs(solve_wages(economy, kernel, density, start).wage - reference).max())
            )
        slope = _map_slope(kernel, density, reference, economy.density_exponent)
        substitutes = substitutes and bool((slope > 0).all())
    return Finding(
        worst < 1e-9 and substitutes,
        note=f"{economies} asymmetric economies, {starts} starts each: wages differ by at most {worst:.1g}; "
        "instances, not the proof",
        certificate="every off-diagonal slope of excess demand is positive at the equilibrium",
    )


def _map_slope(kernel: DenseKernel, density: Vector, wage: Vector, c: float) -> Vector:
    """Return the derivative of log I by log w, (N, N), I the map of the existence proof."""
    people, theta = kernel.weights * density**c, ELASTICITY - 1
    offered = kernel.values * (people * wage**-theta)[:, None]
    purchases = offered / offered.sum(axis=0)
    sold = kernel.values * (kernel.weights * density * wage / offered.sum(axis=0))
    sales = sold / sold.sum(axis=1)[:, None]
    slope: Vector = sales @ (np.eye(len(wage)) + theta * purchases.T) / ELASTICITY
    return slope


@computes("derivative-of-the-wage-map")
def derivative_of_the_wage_map(part: str) -> Finding:
    """Test the statements on DI[w₀] of the uniqueness proof, for Krugman, in twenty random economies."""
    images, seconds, tangents, floors, positive = [], [], [], [], True
    for seed in range(20):
        kernel, density = random_places(seed)
        wage = solve_wages(trade_economy("krugman", ELASTICITY, len(density)), kernel, density).wage
        slope = wage[:, None] * _map_slope(kernel, density, wage, 1.0) / wage
        images.append(float(np.abs(slope @ wage / wage - 1).max()))
        sizes = np.sort(np.abs(np.linalg.eigvals(slope)))
        seconds.append(float(sizes[-2]))
        level = null_space((kernel.weights * density)[None, :])
        floors.append(float(np.linalg.svd((np.eye(len(wage)) - slope) @ level, compute_uv=False).min()))
        tangents.append(float(np.abs((kernel.weights * density) @ (slope - np.eye(len(wage)))).max()))
        positive = positive and bool((slope > 0).all())
    if part == "image":
        gap = max(images)
        if gap > 1e-10:
            raise ArithmeticError(f"DI[w0] w0 differs from w0 by {gap:.2g}")
        return Finding(
            "DI[w0] w0 = w0, so that (Id − DI[w0]) w0 = 0",
            note=f"|DI[w0] w0 − w0| ≤ {gap:.1g}: I is homogeneous of degree one (Euler)",
        )
    if part == "isomorphism":
        return Finding(
            min(floors) > 1e-3,
            note=f"smallest singular value of Id − DI[w0] on Θ⁰ ≥ {min(floors):.3f} in twenty economies",
        )
    if part == "krein-rutman":
        return Finding(
            positive and max(seconds) < 1,
            note=f"DI[w0] is a positive matrix; its second eigenvalue is at most {max(seconds):.3f}",
        )
    return Finding(max(tangents) < 1e-10, note=f"∫ DI[w0] h dμ = ∫ h dμ to {max(tangents):.1g} (Walras' law)")


@computes("free-trade-wages")
def free_trade_wages(variant: str) -> Finding:
    """Return the spread of wages without trade costs in an economy of uneven people."""
    kernel, density = random_places(3)
    free = DenseKernel(np.ones_like(kernel.values), kernel.weights)
    wage = solve_wages(trade_economy(variant, ELASTICITY, len(density)), free, density).wage
    spread = float(wage.max() / wage.min() - 1)
    note = f"largest over smallest wage less one: {spread:.3g}"
    if variant != "krugman":
        power = wage * density ** (1 / ELASTICITY)
        exact = float(power.max() / power.min() - 1)
        note += f"; instead w ∝ μ^(−1/σ), to {exact:.1g}: the homotopy starts there for perfect competition"
    return Finding(spread < 1e-12, note=note)


@computes("homotopy")
def homotopy(variant: str) -> Finding:
    """Follow τ_s from 0 to 1; test at each step that random starts find the path's wages and no others."""
    model = SpatialTrade(variant=variant, elasticity=ELASTICITY, trade_cost=TAU, population=PEOPLE)
    path, random, worst = trade_cost_homotopy(model, model.kernel, steps=8), np.random.default_rng(5), 0.0
    for s, wages in path.steps:
        kernel = DenseKernel((1 + s * (model.costs - 1)) ** (1 - ELASTICITY), model.base_weights)
        for _ in range(10):
            start = np.exp(random.normal(0, 1.0, 3))
            result = solve_wages(model.economy, kernel, model.density, start).wage
            worst = max(worst, float(np.abs(result - wages).max()))
    return Finding(
        worst < 1e-8,
        note=f"{len(path.steps)} values of s, ten starts each: the same wages to {worst:.1g}",
        certificate="Newton's method from random wages against the program followed by IPOPT",
    )


@computes("regular-wages")
def regular_wages() -> Finding:
    """Return the largest slope of wages on ever finer rings; test that it converges, wages bounded."""
    slopes, spans = [], []
    for cells in (64, 128, 256):
        economy, kernel = racetrack("krugman", cells)
        wage = solve_wages(economy, kernel, smooth_density(4, cells)).wage
        slopes.append(float(np.abs(np.diff(wage)).max() * cells / (2 * np.pi)))
        spans.append((float(wage.min()), float(wage.max())))
    converged = abs(slopes[2] - slopes[1]) < 0.5 * abs(slopes[1] - slopes[0]) + 1e-3
    return Finding(
        converged and min(low for low, _ in spans) > 0.5,
        note=f"Lipschitz constants on 64, 128, 256 cells: {slopes[0]:.4f}, {slopes[1]:.4f}, {slopes[2]:.4f}; "
        f"wages between {spans[2][0]:.4f} and {spans[2][1]:.4f}; an instance, not the proof",
    )


@computes("stable-wages")
def stable_wages(pairs: int) -> Finding:
    """Return the largest change of wages per Wasserstein distance over pairs of densities, near and far."""
    economy, kernel = racetrack("krugman", 64)
    ratios = []
    for seed in range(pairs):
        first, other = smooth_density(2 * seed, 64), smooth_density(2 * seed + 1, 64)
        for share in (1.0, 0.1, 0.001):
            second = (1 - share) * first + share * other
            change = [solve_wages(economy, kernel, density).wage for density in (first, second)]
            gap = np.cumsum(first - second) / 64
            distance = float(np.abs(gap - np.median(gap)).mean() * 2 * np.pi)
            ratios.append(float(np.abs(change[0] - change[1]).max()) / distance)
    return Finding(
        max(ratios) < 1.0,
        note=f"max |W(μ₁) − W(μ₂)| / W₁(μ₁, μ₂) = {max(ratios):.4f} over {len(ratios)} pairs; W₁ ≤ W₂, so "
        "that the same constant serves for W₂; instances, not the proof",
    )


def _normalised_map(kernel: DenseKernel, density: Any, wage: Any) -> Any:
    """Return Λ[w] = I[w] / ∫ I[w] dμ of the existence proof, Krugman; complex arguments too."""
    image = wage_map(kernel, density, wage, transposed=False) ** (1 / ELASTICITY)
    return image / (kernel.weights @ (density * image))


@computes("derivative-of-wages")
def derivative_of_wages() -> Finding:
    """Test the printed D_μW against differences of equilibria, in ten economies, ten directions each."""
    restricted, whole, outside, step = [], [], [], 1e-5
    for seed in range(10):
        kernel, density = random_places(seed)
        economy, m, n = trade_economy("krugman", ELASTICITY, len(density)), kernel.weights, len(density)
        wage, random = solve_wages(economy, kernel, density).wage, np.random.default_rng(seed)
        tiny = 1e-30j * np.eye(n)
        by_wage = (
            np.eye(n) - np.array([_normalised_map(kernel, density, wage + e).imag for e in tiny]).T / 1e-30
        )
        level = null_space((m * density)[None, :])
        for _ in range(10):
            way = random.normal(size=n)
            way -= m @ way
            ends = [solve_wages(economy, kernel, density + sign * step * way).wage for sign in (1, -1)]
            true = (ends[0] - ends[1]) / (2 * step)
            by_people = -_normalised_map(kernel, density + 1e-30j * way, wage + 0j).imag / 1e-30
            outside.append(abs(float((m * density) @ by_people)) / float(np.abs(by_people).max()))
            inside = level @ np.linalg.lstsq(by_wage @ level, -by_people, rcond=None)[0]
            size = float(np.abs(true).max())
            restricted.append(float(np.abs(inside - true).max()) / size)
            whole.append(float(np.abs(np.linalg.solve(by_wage, -by_people) - true).max()) / size)
    if max(whole) > 1e-6:
        raise ArithmeticError(f"the implicit function theorem is missed by {max(whole):.2g}")
    note = (
        f"∫ D_μG[h] dμ = ∫ W dh, up to {max(outside):.2g} of D_μG[h], so that D_μG[h] is not in Θ⁰, nor is "
        f"D_μW[h]: its nearest reading in Θ⁰ misses differences of equilibria by up to {max(restricted):.2g}"
        f", relative; with the inverse on all of C⁰, where D_wG w0 = w0, they agree to {max(whole):.1g}"
    )
    certificate = "central differences of equilibria solved to 1e-13; derivatives of G by complex steps"
    if max(restricted) <= 1e-6:
        return Finding(True, note=note, certificate=certificate)
    return Finding(
        "D_μW(μ) = −D_wG(μ, W(μ))^{−1} D_μG(μ, W(μ)), the inverse on C⁰", note=note, certificate=certificate
    )


@computes("lipschitz-map")
def lipschitz_map(pairs: int) -> Finding:
    """Test that Λ[w] is as smooth as trade costs make it, for rough wages and densities."""
    bound, worst, low, high = (ELASTICITY - 1) / ELASTICITY * RATE, 0.0, np.inf, 0.0
    for seed in range(pairs):
        _, ring = racetrack("krugman", 64)
        random = np.random.default_rng(seed)
        wage, density = np.exp(random.normal(0, 2.0, 64)), random.exponential(size=64)
        image = _normalised_map(DenseKernel(ring.dense(), ring.weights), density / density.mean(), wage)
        steep = np.abs(np.diff(np.log(image), append=np.log(image[0]))).max() * 64 / (2 * np.pi * RADIUS)
        worst, low, high = max(worst, float(steep)), min(low, image.min()), max(high, image.max())
    return Finding(
        bool(worst <= bound * (1 + 1e-9) and low > 0),
        note=f"{pairs} rough wage profiles (log-normal, spread 2): log Λ[w] has slopes of at "
        f"most {worst:.4f} ≤ (σ − 1)/σ · τ = {bound:g}, the Lipschitz constant of log τ times (σ − 1)/σ; "
        f"Λ[w] between {low:.3f} and {high:.3f}",
    )


@computes("wage-map-converges")
def wage_map_converges() -> Finding:
    """Iterate Λ from wages of one; test that it stays bounded and tends to the equilibrium."""
    worst = 0.0
    for seed in range(10):
        kernel, density = random_places(seed)
        economy = trade_economy("krugman", ELASTICITY, len(density))
        result = first_wages(economy, kernel, density, steps=300)
        worst = max(worst, float(np.abs(result - solve_wages(economy, kernel, density).wage).max()))
    return Finding(
        worst < 1e-9, note=f"300 steps of Λ in ten economies end within {worst:.1g} of the equilibrium"
    )


@computes("uniform-steady-state")
def uniform_steady_state() -> Finding:
    """Test that μ = 1 has w = 1 and the same real wage everywhere on a ring."""
    spread = 0.0
    for variant in ("krugman", "armington"):
        economy, kernel = racetrack(variant, 64)
        state = solve_wages(economy, kernel, np.ones(64), start=np.linspace(0.5, 1.5, 64))
        spread = max(spread, float(np.abs(state.wage - 1).max()), float(np.ptp(state.real_wage)))
    return Finding(spread < 1e-10, note=f"largest deviation {spread:.1g}, found from uneven wages")


@computes("denser-is-better")
def denser_is_better(variant: str) -> Finding:
    """Test that every wave of the density raises the real wage where it is dense, in many economies."""
    signs = [
        wave_eigenvalue(trade_economy(variant, elasticity, 1), (elasticity - 1) * rate, 1.0, mode)
        for elasticity in (1.5, 3.0, 5.0, 9.0)
        for rate in (0.01, 0.1, 0.5, 2.0)
        for mode in (1, 2, 3, 10)
    ]
    economy, kernel = racetrack(variant, 64)
    wave = 1 + 0.5 * np.cos(2 * np.pi * np.arange(64) / 64)
    real = solve_wages(economy, kernel, wave).real_wage
    return Finding(
        min(signs) > 0 and bool(real[0] > real[32]),
        note=f"λ between {min(signs):.3g} and {max(signs):.3g} over {len(signs)} economies and waves; with "
        f"μ = 1 + .5 cos x the real wage is {real[0]:.6f} at the peak and {real[32]:.6f} at the trough",
    )


@computes("armington-spillovers")
def armington_spillovers() -> Finding:
    """Test that Armington with α = 1/(σ − 1) has Krugman's wages."""
    kernel, density = random_places(6)
    answers = [
        solve_wages(economy, kernel, density).wage
        for economy in (
            trade_economy("krugman", ELASTICITY, len(density)),
            trade_economy("armington", ELASTICITY, len(density), spillover=1 / (ELASTICITY - 1)),
        )
    ]
    gap = float(np.abs(answers[0] - answers[1]).max())
    return Finding(gap < 1e-12, note=f"wages differ by {gap:.1g}")
