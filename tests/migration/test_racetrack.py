"""The racetrack's closed forms against stated numbers, the discrete economy, an integrator, identities."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import solve_bvp, solve_ivp

from agora.formulations.migration.kernels import RingKernel
from agora.formulations.migration.monotonicity import (
    largest_quotient,
    monotonicity_quotient,
    potential_asymmetry,
)
from agora.formulations.migration.racetrack import (
    LinearGame,
    freeness_share,
    mean_freeness,
    squared_wavenumber,
    uniform_real_wage,
    wave_eigenvalue,
)
from agora.formulations.migration.trade import real_wage_jacobian, solve_wages, trade_economy
from agora.models.migration.spatial_game import SpatialGame
from agora.models.migration.tables import concentration_table

KRUGMAN, ARMINGTON = trade_economy("krugman", 5.0, 1), trade_economy("armington", 5.0, 1)
CASES: dict[str, dict[str, Any]] = {
    "A1": {"economy": ARMINGTON, "moving_cost": 1.0, "horizon": 20.0},
    "K1": {"economy": KRUGMAN, "moving_cost": 120.0, "horizon": 100.0},
    "K2": {"economy": KRUGMAN, "moving_cost": 400.0, "horizon": 20.0},
    "K3": {"economy": KRUGMAN, "moving_cost": 1.0, "horizon": 4.0},
}


def game(case: str, **changes: float) -> LinearGame:
    """Return a reference case: σ = 5, τ = .5, R = 1, n = 1, ν = .01, ρ = .05, δ = 1."""
    chosen = dict(CASES[case])
    economy = chosen.pop("economy")
    chosen = {"noise": 0.01, "discount": 0.05, **chosen, **changes}
    return LinearGame(wave_eigenvalue(economy, 2.0, 1.0, 1), 1.0, **chosen)


def test_static_numbers_of_the_first_mode() -> None:
    """Derived independently, ten digits."""
    assert freeness_share(2.0, 1.0, 1) == pytest.approx(0.8029934986, abs=1e-10)
    assert uniform_real_wage(KRUGMAN, 2.0, 1.0) == pytest.approx(0.6313236930, abs=1e-10)
    assert wave_eigenvalue(KRUGMAN, 2.0, 1.0, 1) == pytest.approx(0.1388989843, abs=1e-10)
    assert wave_eigenvalue(ARMINGTON, 2.0, 1.0, 1) == pytest.approx(-0.0151455511, abs=1e-10)


@pytest.mark.parametrize("mode", [1, 2, 5])
def test_the_closed_forms_are_integrals_over_the_circle(mode: int) -> None:
    y = (np.arange(400_000) + 0.5) * np.pi / 400_000  # half the circle, by the midpoint rule, R = 1.3
    kernel = np.exp(-0.7 * 1.3 * y)
    assert mean_freeness(0.7, 1.3) == pytest.approx(kernel.mean(), rel=1e-10)
    assert freeness_share(0.7, 1.3, mode) == pytest.approx(
        (kernel * np.cos(mode * y)).mean() / kernel.mean(), rel=1e-8
    )


@pytest.mark.parametrize("variant", ["krugman", "armington", "eaton-kortum"])
@pytest.mark.parametrize("mode", [1, 3])
def test_the_eigenvalue_on_a_grid_is_that_of_the_discrete_economy(variant: str, mode: int) -> None:
    cells, decay, radius = 24, 1.7, 0.8
    economy = trade_economy(
        variant, 4.0, cells, productivity=1.3, amenity=0.9, spillover=0.05, congestion=0.1
    )
    kernel = RingKernel(cells, decay, 2 * np.pi * radius)
    slope = real_wage_jacobian(economy, kernel, np.ones(cells))
    wave = np.cos(2 * np.pi * mode * np.arange(cells) / cells)
    expected = wave_eigenvalue(economy, decay, radius, mode, cells)
    np.testing.assert_allclose(slope @ wave, expected * wave, atol=1e-11)
    level = uniform_real_wage(economy, decay, radius, cells)
    np.testing.assert_allclose(solve_wages(economy, kernel, np.ones(cells)).real_wage, level, rtol=1e-12)


def test_the_grid_tends_to_the_circle() -> None:
    for closed in (
        lambda cells: freeness_share(2.0, 1.0, 1, cells),
        lambda cells: mean_freeness(2.0, 1.0, cells),
        lambda cells: squared_wavenumber(2, 1.0, cells),
    ):
        errors = [abs(closed(cells) - closed(None)) for cells in (64, 128, 256)]
        assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.02)
        assert errors[1] / errors[2] == pytest.approx(4.0, rel=0.02)


@pytest.mark.parametrize(
    ("case", "half", "end", "value"),
    [
        ("A1", 0.371692208670, 0.199683796113, -0.092076299221),
        ("K1", 1.912973387157, 2.314184253288, 2.945576722712),
        ("K2", 0.934650413778, 0.857621673499, 1.531087983583),
        ("K3", None, 6.123341741033, None),
    ],
)
def test_reference_paths(case: str, half: float | None, end: float, value: float | None) -> None:
    """Derived independently, twelve digits."""
    path = game(case)
    assert path.density(path.horizon) == pytest.approx(end, abs=2e-11)
    if half is not None:
        assert path.density(path.horizon / 2) == pytest.approx(half, abs=2e-12)
        assert path.value(0.0) == pytest.approx(value, abs=2e-12)
    assert path.density(0.0) == pytest.approx(1.0, abs=1e-14)
    assert path.value(path.horizon) == pytest.approx(0.0, abs=1e-14)


@pytest.mark.parametrize("case", ["A1", "K1", "K2", "K3"])
def test_paths_satisfy_their_equations(case: str) -> None:
    path = game(case)
    t = np.linspace(0, path.horizon, 9)

    def slope(_: float, y: np.ndarray) -> np.ndarray:
        a, b = y
        return np.array(
            [
                -path.noise * path.squared_wavenumber * a + path.squared_wavenumber / path.moving_cost * b,
                (path.noise * path.squared_wavenumber + path.discount) * b - path.eigenvalue * a,
            ]
        )

    def ends(first: np.ndarray, last: np.ndarray) -> np.ndarray:
        return np.array([first[0] - 1.0, last[1]])

    found = solve_bvp(slope, ends, t, np.vstack([np.ones(9), np.zeros(9)]), tol=1e-9, max_nodes=20_000)
    assert found.success
    np.testing.assert_allclose(path.density(t), found.sol(t)[0], atol=1e-6)
    np.testing.assert_allclose(path.value(t), found.sol(t)[1], atol=1e-6)


def test_no_path_at_the_critical_horizon() -> None:
    path = game("K3")
    assert path.critical_horizon == pytest.approx(4.486918902897, abs=1e-11)
    near = [float(game("K3", horizon=path.critical_horizon * (1 - gap)).density(0.5)) for gap in (1e-4, 1e-5)]
    assert near[1] / near[0] == pytest.approx(10, rel=0.01)
    assert game("A1").critical_horizon == game("K1").critical_horizon == math.inf


def test_infinite_horizon_is_the_limit_of_long_ones() -> None:
    for case in ("A1", "K1", "K2"):
        limit, long = game(case, horizon=math.inf), game(case, horizon=2000.0)
        t = np.linspace(0, 20, 5)
        np.testing.assert_allclose(long.density(t), limit.density(t), rtol=1e-9)
        np.testing.assert_allclose(long.value(t), limit.value(t), rtol=1e-9)
        assert limit.density(1.0) == pytest.approx(math.exp(limit.growth_rate), rel=1e-12)
    with pytest.raises(ArithmeticError, match="no path over an infinite horizon"):
        game("K3", horizon=math.inf).density(1.0)
    assert math.isnan(game("K3").growth_rate)


def test_a_vanishing_discriminant_is_no_gap() -> None:
    base = game("K1")
    exact = base.eigenvalue / base.pull**2  # c0 at which D = 0
    at, near = (
        game("K1", moving_cost=exact, horizon=20.0),
        game("K1", moving_cost=exact * 1.00001, horizon=20.0),
    )
    assert abs(at.discriminant) < 1e-17
    t = np.linspace(0, 20, 5)
    np.testing.assert_allclose(at.density(t), near.density(t), rtol=1e-4)
    np.testing.assert_allclose(at.value(t), near.value(t), atol=1e-4 * float(near.value(0.0)))
    assert at.expectations_turn == pytest.approx(near.expectations_turn, rel=1e-3)


def test_thresholds_of_growth() -> None:
    """231.498307 for the game, 277.797969 for the myopic economy: between them they disagree."""
    base = game("K1", horizon=math.inf)
    assert base.game_threshold == pytest.approx(231.498307, abs=1e-6)
    assert base.myopic_threshold == pytest.approx(277.797969, abs=1e-6)
    for moving_cost, forward, myopic in ((230.0, 1, 1), (250.0, -1, 1), (280.0, -1, -1)):
        path = game("K1", moving_cost=moving_cost, horizon=math.inf)
        assert np.sign(path.growth_rate) == forward
        assert np.sign(path.myopic_growth_rate) == myopic


@pytest.mark.parametrize(
    ("case", "time", "stated"),
    [
        ("A1", 10.0, (-6.90775490e-04, -2.09243510e-02, 1.13465769e-03, 1.41164049e-02)),
        ("K1", 25.0, (-1.00268849e-02, 2.32120688e-02, -4.64428931e-03, 4.65366704e-03)),
    ],
)
def test_stated_forces(case: str, time: float, stated: tuple[float, ...]) -> None:
    """Derived independently, nine digits."""
    for force, number in zip(game(case).forces(time).values(), stated, strict=True):
        assert force == pytest.approx(number, rel=4e-9)


@pytest.mark.parametrize("case", ["A1", "K1", "K2", "K3"])
def test_the_forces_add_up_to_the_growth_of_concentration(case: str) -> None:
    path = game(case)
    t = np.linspace(0, path.horizon, 201)
    total = sum(path.forces(t).values())
    growth = path.concentration_growth(t)
    assert np.abs(total - growth).max() <= 1e-12 * max(1.0, np.abs(growth).max())
    h = 1e-5
    slope = (path.concentration(t[1:-1] + h) - path.concentration(t[1:-1] - h)) / (4 * h)
    np.testing.assert_allclose(slope, growth[1:-1], rtol=1e-6, atol=1e-9)


def test_signs_of_the_forces() -> None:
    t = np.linspace(0, 19.9, 50)
    armington = game("A1").forces(t)
    for name, sign in (("shocks", -1), ("myopic", -1), ("uncertainty", 1), ("expectations", 1)):
        assert (np.sign(armington[name]) == sign).all(), name
    krugman = game("K1")
    assert krugman.expectations_turn == pytest.approx(58.458619153474, abs=1e-9)  # in 50-digit arithmetic
    assert krugman.forces(58.45)["expectations"] > 0 > krugman.forces(58.47)["expectations"]
    for case in ("K2", "K3"):
        path = game(case)
        assert path.expectations_turn < 0
        assert (path.forces(np.linspace(0, path.horizon, 50))["expectations"] < 0).all()
    assert math.isnan(game("A1").expectations_turn)


def manufactured(cells: int, steps: int, growth: float = -0.2) -> tuple[Any, ...]:
    """Return a path that solves both equations exactly: μ = 1 + a cos x, u = c0 (ν + g) log μ, a' = g a."""
    nu, rho, c0 = 0.03, 0.2, 1.7
    t, x = np.linspace(0, 4, steps), 2 * np.pi * np.arange(cells) / cells
    a = 0.6 * np.exp(growth * t)[:, None]
    mu = 1 + a * np.cos(x)
    height = c0 * (nu + growth)
    first, second = -a * np.sin(x) / mu, -(a * np.cos(x) + a**2) / mu**2  # derivatives of log μ
    change = growth * a * np.cos(x) / mu
    v = height * (rho * np.log(mu) - change - nu * second - height / (2 * c0) * first**2)
    exact = growth * a[:, 0] ** 2 / 2
    return t, mu, height * np.log(mu), v, exact, {"noise": nu, "discount": rho, "moving_cost": c0}


def decomposed(t: Any, mu: Any, u: Any, v: Any, **numbers: float) -> pd.DataFrame:
    """Return the table ``concentration`` of a path on a racetrack, by central differences."""
    initial = {"kind": "cosine", "amplitude": 0.5}
    model = SpatialGame(
        elasticity=5.0, trade_cost_rate=0.5, horizon=float(t[-1]), cells=mu.shape[1], initial=initial,
        scheme="central", **numbers,
    )  # fmt: skip
    parts = {"density": mu.ravel(), "value": u.ravel(), "real_wage": v.ravel()}
    return concentration_table(model, pd.DataFrame({"time": np.repeat(t, mu.shape[1]), **parts}))


def test_the_exact_decomposition_is_exact_up_to_second_order() -> None:
    errors = []
    for size in (32, 64, 128):
        t, mu, u, v, exact, numbers = manufactured(size, size)
        found = decomposed(t, mu, u, v, **numbers)
        five = sum(found[name] for name in ("shocks", "myopic", "uncertainty", "expectations", "gradient"))
        np.testing.assert_allclose(found["growth"] - five, found["rest"], atol=1e-15)
        np.testing.assert_allclose(found["hhi"], (mu**2).mean(axis=1))
        errors.append(np.abs(five - exact).max())
        assert np.abs(found["gradient"]).max() > 1e-4, "a fifth term that is nothing tests nothing"
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.15)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.15)


def test_the_exact_decomposition_of_a_small_wave_is_the_linear_one() -> None:
    path, x = game("K1", amplitude=1e-4), 2 * np.pi * np.arange(256) / 256
    t = np.linspace(0, 100, 401)
    mu = 1 + path.density(t)[:, None] * np.cos(x)
    u, v = path.value(t)[:, None] * np.cos(x), path.eigenvalue * (mu - 1)
    found = decomposed(t, mu, u, v, noise=0.01, discount=0.05, moving_cost=120.0)
    for name, force in path.forces(t).items():
        np.testing.assert_allclose(found[name][1:-1], force[1:-1], rtol=2e-3, atol=1e-14)
    assert np.abs(found["gradient"]).max() < 1e-3 * np.abs(found["myopic"]).max()


def test_growth_of_the_myopic_wave_by_integration() -> None:
    path = game("K1")

    def slope(_: float, a: np.ndarray) -> np.ndarray:
        return -path.noise * a + path.eigenvalue / (path.discount * path.moving_cost) * a

    end = solve_ivp(slope, (0, 10), [1.0], rtol=1e-10, atol=1e-12).y[0, -1]
    assert end == pytest.approx(math.exp(10 * path.myopic_growth_rate), rel=1e-8)


def test_armington_is_monotone_krugman_is_not() -> None:
    cells = 32
    kernel = RingKernel(cells, 2.0, 2 * np.pi)
    random = np.random.default_rng(7)
    quotients: dict[str, list[float]] = {"krugman": [], "armington": []}
    for _ in range(20):
        first, second = (random.uniform(0.2, 2.0, cells) for _ in range(2))
        first, second = first / first.mean(), second / second.mean()
        for variant, found in quotients.items():
            economy = trade_economy(variant, 5.0, cells)
            real = [solve_wages(economy, kernel, density).real_wage for density in (first, second)]
            found.append(monotonicity_quotient(*real, first - second, kernel.weights))
    assert max(quotients["armington"]) < 0 < min(quotients["krugman"])


def test_the_largest_quotient_at_the_uniform_state_is_the_largest_eigenvalue() -> None:
    cells = 32
    kernel = RingKernel(cells, 2.0, 2 * np.pi)
    economy = trade_economy("krugman", 5.0, cells)
    slope = real_wage_jacobian(economy, kernel, np.ones(cells))
    size, direction = largest_quotient(slope, kernel.weights)
    assert size == pytest.approx(wave_eigenvalue(economy, 2.0, 1.0, 1, cells), rel=1e-10)
    assert abs(kernel.weights @ direction) < 1e-12
    up, down = (solve_wages(economy, kernel, 1 + sign * 1e-4 * direction).real_wage for sign in (1, -1))
    assert monotonicity_quotient(up, down, 2e-4 * direction, kernel.weights) == pytest.approx(size, rel=1e-5)


def test_a_potential_exists_at_the_uniform_state_only() -> None:
    cells = 32
    kernel = RingKernel(cells, 2.0, 2 * np.pi)
    wave = 1 + 0.5 * np.cos(2 * np.pi * np.arange(cells) / cells)
    for variant in ("krugman", "armington"):
        economy = trade_economy(variant, 5.0, cells)
        flat = potential_asymmetry(real_wage_jacobian(economy, kernel, np.ones(cells)), kernel.weights)
        bent = potential_asymmetry(real_wage_jacobian(economy, kernel, wave), kernel.weights)
        assert flat < 1e-12
        assert bent > 1e-3, variant
