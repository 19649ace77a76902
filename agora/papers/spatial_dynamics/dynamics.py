"""The dynamic layer: instances of existence, several equilibria, long horizons, and the linearised system."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar

from agora.data.checks import Caution
from agora.methods.migration.path_newton import Course, newton_path
from agora.papers.computations import Finding, computes, violation
from agora.papers.spatial_dynamics.cases import DISCOUNT, ELASTICITY, game, linear_game, solved
from agora.papers.spatial_dynamics.multiplicity import agglomerated, stationary_residual
from agora.runners.solving import solve
from agora.typing import Vector


@computes("producer-prices")
def producer_prices() -> Finding:
    """Test that the best price against the printed demand is the same multiple of w τ everywhere."""
    random, ratios = np.random.default_rng(1), []
    for cost in random.uniform(0.3, 3.0, 30):
        best = minimize_scalar(
            lambda p, cost=cost: -(p - cost) * p**-ELASTICITY,
            bounds=(cost, 4 * cost),
            method="bounded",
            options={"xatol": 1e-10},
        )
        ratios.append(best.x / cost)
    markup = ELASTICITY / (ELASTICITY - 1)
    return Finding(
        float(np.abs(np.array(ratios) / markup - 1).max()) < 1e-6,
        note=f"the best price is {np.mean(ratios):.6f} times w τ at 30 costs; σ/(σ − 1) = {markup:g}",
    )


@computes("equilibria-exist")
def equilibria_exist() -> Finding:
    """Test that A1 and K1 have a certified equilibrium from μ⁰ = 1 + .5 cos x."""
    solutions = [solved(case) for case in ("A1", "K1")]
    gains = [violation(solution, "exploitability") for solution in solutions]
    return Finding(
        all(solution.certificate.passed for solution in solutions),
        note=f"A1 and K1 on 64 × 64: a best reply computed afresh gains at most {max(gains):.1g}; instances, "
        "not a proof",
        certificate="values, densities and wages re-evaluated with a dense kernel, and best replies",
    )


def fine_grid_limit(case: str, scheme: str, grids: Sequence[int]) -> Vector:
    """Return μ(T, 0), μ(T, π), u(0, 0), u(0, π) and H(T) of a case in continuous space and time, δ = .5.

    Richardson's extrapolation of a scheme of second order in space and time from ever finer grids, N cells
    and N periods each: the polynomial in N^{−2} through all of them, at zero.
    """
    results = []
    for cells in grids:
        model = game(case, cells, scheme=scheme, time_scheme="trapezoid")
        rest, times = float(model.initial_real_wage.mean()) / DISCOUNT, cells + 1
        density, even = np.tile(model.initial_density, (times, 1)), np.ones((times, cells))
        course, _ = newton_path(model, Course(density, rest * even, even), tolerance=1e-10)
        last, first = course.density[-1], course.value[0]
        ends = [last[0], last[cells // 2], first[0], first[cells // 2], float((last**2).mean())]
        results.append(np.array(ends))
    squares = [1 / cells**2 for cells in grids]
    while len(results) > 1:  # Neville's scheme
        span = len(squares) - len(results) + 1
        results = [
            later + (later - earlier) * squares[k + span] / (squares[k] - squares[k + span])
            for k, (earlier, later) in enumerate(itertools.pairwise(results))
        ]
    return results[0]


@computes("continuous-limit")
def continuous_limit(case: str, grids: list[int]) -> Finding:
    """Test that two schemes of the nonlinear game tend to the same equilibrium of continuous space-time."""
    central, exponential = (fine_grid_limit(case, scheme, grids) for scheme in ("central", "exponential"))
    gap = float(np.abs(central / exponential - 1).max())
    names = ("μ(T, 0)", "μ(T, π)", "u(0, 0)", "u(0, π)", "H(T)")
    shown = ", ".join(f"{name} = {number:.6g}" for name, number in zip(names, exponential, strict=True))
    return Finding(
        gap < 1e-5,
        note=f"{case}, δ = .5, in continuous space and time: {shown}; the central and the exponential "
        f"scheme, extrapolated from {grids[0]} to {grids[-1]} cells and periods, differ by {gap:.1g} "
        "relative",
        certificate="two schemes, Newton's method with wages eliminated; the program agrees on each grid",
    )


@computes("self-fulfilling")
def self_fulfilling(cells: int, centres: list[list[int]]) -> Finding:
    """Find equilibria of K3 that start from the same, uniform, density: nobody moves, or all to `centres`."""
    model = game("K3", cells, initial={"kind": "uniform"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Caution)
        solutions = [solve(model), *(solve(model, start="agglomerated", centres=each) for each in centres)]
    ends, shown = [], []
    for solution in solutions:
        density = solution.tables["path"]["density"].to_numpy(dtype=float)[-cells:]
        ends.append(float((density**2).mean()))
        peaks = (density > np.roll(density, 1)) & (density > np.roll(density, -1)) & (density > 2)
        crowds = " and ".join(f"cell {location}" for location in np.flatnonzero(peaks)) or "none"
        shown.append(f"H(T) = {ends[-1]:.8f} (crowds: {crowds})")
    different = min(abs(one - other) for k, one in enumerate(ends) for other in ends[:k]) > 1e-3
    return Finding(
        abs(ends[0] - 1) < 1e-9 and min(ends[1:]) > 2 and different,
        note=f"K3 on {cells} × {cells} from μ⁰ = 1: nobody moves, or all expect crowds and make them: "
        + "; ".join(shown),
        certificate="every path certified with best replies",
    )


@computes("stationary-game")
def stationary_game() -> Finding:
    """Test that the stationary program finds the agglomeration of the one-field equation."""
    model = game("K1", 64, horizon="stationary", scheme="exponential")
    path = solve(model, start="agglomerated").tables["path"]
    density = path["density"].to_numpy(dtype=float)
    ends = [float((each**2).mean()) for each in (density, agglomerated(120.0))]
    left = stationary_residual(density, 120.0)
    return Finding(
        abs(ends[0] - ends[1]) < 1e-7 and left < 1e-6,
        note=f"K1 at rest: density {density.max():.8f} at the peak, H = {ends[0]:.8f}, and {ends[1]:.8f} by "
        f"Newton's method on the equation in φ = √μ, which the density satisfies to {left:.1g}",
        certificate="the program's answer certified; the other method shares only the trade equilibrium",
    )


@computes("infinite-horizon")
def infinite_horizon(case: str, cells: int, steps: int, start: str, scheme: str) -> Finding:
    """Test that a path over an infinite horizon does not move when its length is doubled."""
    solution = solve(game(case, cells, horizon="infinite", steps=steps, scheme=scheme), start=start)
    facts, hhi = solution.certificate.facts, solution.tables["concentration"]["hhi"].iloc[-1]
    moved, left = (float(facts[name]) for name in ("turnpike_residual", "distance_to_rest"))
    return Finding(
        max(moved, left) <= 1e-4,
        note=f"{case} on {cells} cells, T = {facts['horizon']:g}: the path moves by {moved:.1g} when its "
        f"length is doubled, and ends {left:.1g} from the stationary state, where H = {hhi:.6f}",
        certificate="certified up to its last horizon",
    )


@computes("torus-game")
def torus_game(cells: int) -> Finding:
    """Test that a game on a torus has a certified equilibrium, and that turning it turns the answer."""
    angle = 2 * np.pi * np.arange(cells) / cells
    wave = 1 + 0.2 * np.cos(angle)[:, None] + 0.2 * np.sin(angle)[None, :]
    fields = []
    for table in (wave, wave.T):
        model = game("K2", (cells, cells), initial=table.ravel().tolist())
        solution = solve(model)
        density = solution.tables["path"]["density"].to_numpy(dtype=float)
        fields.append(density.reshape(-1, cells, cells))
    gap = float(np.abs(fields[0].transpose(0, 2, 1) - fields[1]).max())
    gain = violation(solution, "exploitability")
    return Finding(
        solution.certificate.passed and gap < 1e-7,
        note=f"K2 on {cells} × {cells} cells and {cells} periods, from a wave in both directions: a best "
        f"reply computed afresh gains at most {gain:.1g}; turned over, the torus "
        f"gives the same answer to {gap:.1g}",
        certificate="values, densities and wages re-evaluated with a dense kernel, and best replies",
    )


@computes("one-dynamic-equilibrium")
def one_dynamic_equilibrium(congestion: float, cells: int, starts: int) -> Finding:
    """Test that a search from many starts finds one equilibrium only in an economy with congestion."""
    model = game("K3", cells, initial={"kind": "uniform"}, congestion=congestion)
    solution = solve(model, starts=starts, seed=1)
    facts, rows = solution.certificate.facts, solution.tables["branches"]
    return Finding(
        facts["equilibria_found"] == 1 and bool(rows["solved"].any()),
        note=f"K3 with β = {congestion:g} on {cells} × {cells}: {int(rows['solved'].sum())} of {starts} "
        "rushes to one place lead to an equilibrium, always the same, and deflation finds no other; "
        f"Lasry–Lions quotient {facts['lasry_lions_quotient']:.3g}. Without congestion there are several",
        certificate="the equilibrium certified; a search, not a proof",
    )


@computes("linearised-system")
def linearised_system(case: str, cells: list[int]) -> Finding:
    """Test that the nonlinear game from a small wave tends to the linearised one as the grid gets finer."""
    amplitude, linear, errors = 1e-3, linear_game(case), []
    for number in cells:
        model = game(case, number, amplitude, scheme="exponential", time_scheme="trapezoid")
        density = solve(model).tables["path"]["density"].to_numpy(dtype=float).reshape(-1, number)
        wave = 2 * density @ np.cos(2 * np.pi * np.arange(number) / number) / number / amplitude
        exact = linear.density(np.linspace(0.0, linear.horizon, number + 1))
        errors.append(float(np.abs(wave - exact).max()))
    order = float(np.log(errors[0] / errors[-1]) / np.log(cells[-1] / cells[0]))
    shown = ", ".join(f"{error:.2g} on {n} × {n}" for error, n in zip(errors, cells, strict=True))
    return Finding(
        order > 1.5 and errors[-1] < 0.05,
        note=f"{case}, δ = .001: largest distance of a(t)/δ to the closed form {shown}, order {order:.2f}",
        certificate="the games certified with best replies",
    )
