"""The trade equilibrium's rows and numbers: golden text, two methods, known wages, Walras' law."""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agora.formulations.migration.kernels import (
    DenseKernel,
    Kernel,
    RingKernel,
    low_rank_kernel,
    torus_kernel,
)
from agora.formulations.migration.trade import (
    TradeEconomy,
    add_real_wage,
    add_trade_equilibrium,
    real_wage_jacobian,
    solve_wages,
    start_trade,
    trade_economy,
)
from agora.solvers import solve_program

TAU = np.array([[1, 1.3, 1.8], [1.5, 1, 1.2], [1.4, 1.6, 1]])
THREE = np.array([0.5, 0.3, 0.2])
KNOWN = {
    "krugman": (
        [1.0258234170, 0.9947043072, 0.9433849967],
        [0.8943632427, 0.8377201505, 0.7697747068],
    ),
    "armington": (
        [0.9526736574, 1.0356104132, 1.0649002368],
        [1.0694684505, 1.1291195292, 1.1398192212],
    ),
}
"""Wages and real wages of three places, σ = 5: an independent computation, ten digits."""


def program(
    economy: TradeEconomy, kernel: Kernel, density: np.ndarray, variable: bool = False
) -> pyo.ConcreteModel:
    block = pyo.ConcreteModel()
    places: list[object] = density.tolist()
    if variable:
        block.density = pyo.Var(range(len(density)), initialize=dict(enumerate(density.tolist())))
        block.density.fix()
        places = list(block.density.values())
    add_trade_equilibrium(block, economy, kernel, places)
    add_real_wage(block, economy, places)
    block.nothing = pyo.Objective(expr=0.0)
    return block


def column(component: pyo.Var) -> np.ndarray:
    return np.array([pyo.value(part) for part in component.values()])


@pytest.mark.parametrize("variant", ["krugman", "armington"])
@pytest.mark.parametrize("variable", [False, True])
def test_three_places_by_program_and_by_newton(variant: str, variable: bool) -> None:
    economy = trade_economy(variant, 5.0, 3)
    kernel = DenseKernel(TAU**-4.0, np.ones(3))
    block = program(economy, kernel, THREE, variable)
    solve_program(block)
    wages, real = KNOWN[variant]
    np.testing.assert_allclose(column(block.wage), wages, rtol=0, atol=1e-9)
    np.testing.assert_allclose(column(block.real_wage), real, rtol=0, atol=1e-9)
    assert block.walras_slack.value == pytest.approx(0.0, abs=1e-10)
    state = solve_wages(economy, kernel, THREE)
    np.testing.assert_allclose(state.wage, wages, rtol=0, atol=1e-10)
    np.testing.assert_allclose(state.real_wage, real, rtol=0, atol=1e-10)


def test_the_transposed_order_is_another_economy() -> None:
    """Equation (1) of the slides, read literally, gives these wages: they must not be the answer."""
    economy = trade_economy("krugman", 5.0, 3)
    transposed = solve_wages(economy, DenseKernel(TAU.T**-4.0, np.ones(3)), THREE).wage
    assert transposed[0] == pytest.approx(1.0187128719, abs=1e-10)
    assert abs(transposed[0] - KNOWN["krugman"][0][0]) > 7e-3


@pytest.mark.parametrize("cells", [64])
@pytest.mark.parametrize(
    ("variant", "wages", "real"),
    [
        ("krugman", [1.0340382014, 0.9305792987], [0.6919713984, 0.5458533148]),
        ("armington", [0.9591373952, 1.0980452725], [0.6265175147, 0.6453816364]),
    ],
)
def test_racetrack_of_64_cells(variant: str, wages: list[float], real: list[float], cells: int) -> None:
    kernel = RingKernel(cells, 2.0, 2 * np.pi)
    density = 1 + 0.5 * np.cos(2 * np.pi * np.arange(cells) / cells)
    block = program(trade_economy(variant, 5.0, cells), kernel, density)
    solve_program(block)
    ends = [0, cells // 2]
    np.testing.assert_allclose(column(block.wage)[ends], wages, rtol=0, atol=1e-9)
    np.testing.assert_allclose(column(block.real_wage)[ends], real, rtol=0, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    places=st.integers(2, 8),
    variant=st.sampled_from(["krugman", "armington", "eaton-kortum"]),
    elasticity=st.floats(1.5, 9.0),
    spillover=st.floats(-0.05, 0.15),
)
def test_program_and_newton_agree_and_the_walras_slack_is_zero(
    seed: int, places: int, variant: str, elasticity: float, spillover: float
) -> None:
    random = np.random.default_rng(seed)
    economy = trade_economy(
        variant,
        elasticity,
        places,
        productivity=random.uniform(0.7, 1.4, places),
        amenity=random.uniform(0.7, 1.4, places),
        spillover=spillover,
        congestion=0.1,
    )
    costs = 1 + random.uniform(0.0, 1.0, (places, places)) * (1 - np.eye(places))
    weights = random.dirichlet(np.full(places, 5.0))
    density = random.uniform(0.3, 2.0, places)
    density /= weights @ density
    kernel = DenseKernel(costs**-economy.trade_elasticity, weights)
    block = program(economy, kernel, density)
    solve_program(block)
    state = solve_wages(economy, kernel, density)
    np.testing.assert_allclose(column(block.wage), state.wage, rtol=1e-7)
    np.testing.assert_allclose(column(block.real_wage), state.real_wage, rtol=1e-7)
    assert block.walras_slack.value == pytest.approx(0.0, abs=1e-8)


def test_armington_with_spillover_one_over_sigma_minus_one_is_krugman() -> None:
    kernel = DenseKernel(TAU**-4.0, np.ones(3))
    first = solve_wages(trade_economy("krugman", 5.0, 3), kernel, THREE)
    second = solve_wages(trade_economy("armington", 5.0, 3, spillover=0.25), kernel, THREE)
    np.testing.assert_allclose(second.wage, first.wage, rtol=0, atol=1e-13)
    np.testing.assert_allclose(second.real_wage, first.real_wage, rtol=0, atol=1e-13)


def test_every_kernel_gives_the_same_wages() -> None:
    torus = torus_kernel(4, 6, 1.2, 0.5)
    random = np.random.default_rng(8)
    density = random.uniform(0.5, 1.5, 24)
    density /= density.mean()
    economy = trade_economy("krugman", 4.0, 24)
    answers = []
    for kernel in (
        torus,
        DenseKernel(torus.dense(), torus.weights),
        low_rank_kernel(torus.dense(), torus.weights, 1e-13),
    ):
        block = program(economy, kernel, density)
        solve_program(block)
        answers.append(column(block.wage))
    np.testing.assert_allclose(answers[1], answers[0], rtol=1e-9)
    np.testing.assert_allclose(answers[2], answers[0], rtol=1e-9)


def test_the_program_starts_consistent() -> None:
    """Only the wage equations are open at the start; with the true wages nothing is."""
    kernel = torus_kernel(3, 4, 1.2, 0.5)
    density = np.linspace(0.5, 1.5, 12)
    economy = trade_economy("armington", 4.0, 12)
    block = program(economy, kernel, density)
    open_rows = {
        row.parent_component().local_name
        for row in block.component_data_objects(pyo.Constraint)
        if abs(pyo.value(row.body) - row.upper) > 1e-12
    }
    assert open_rows == {"wage_balance"}
    start_trade(block, economy, kernel, density.tolist(), solve_wages(economy, kernel, density).wage)
    rows = block.component_data_objects(pyo.Constraint)
    assert max(abs(pyo.value(row.body) - row.upper) for row in rows) < 1e-12


def test_rows_in_words_of_two_places() -> None:
    """The golden text of each equation."""
    economy = trade_economy("armington", 3.0, 2, productivity=[1.0, 2.0], congestion=0.1, amenity=[1.0, 3.0])
    block = pyo.ConcreteModel()
    block.mu = pyo.Var([0, 1], initialize=1.0)
    places = list(block.mu.values())
    add_trade_equilibrium(
        block, economy, DenseKernel(np.array([[1.0, 0.5], [0.25, 1.0]]), np.array([0.5, 0.5])), places
    )
    add_real_wage(block, economy, places)
    rows = {
        "supply_capacity_balance": "supply_capacity[1]*wage[1]**2.0  ==  4.0",
        "market_capacity_balance": "market_capacity[1]*supplier_access[1]  ==  income[1]",
        "income_balance": "income[1]  ==  wage[1]*mu[1]",
        "supplier_access_balance": "supplier_access[1] - 0.25*supply_capacity[0]"
        " - 0.5*supply_capacity[1]  ==  0.0",
        "market_access_balance": "market_access[1] - 0.125*market_capacity[0]"
        " - 0.5*market_capacity[1] - walras_slack  ==  0.0",
        "wage_balance": "4.0*market_access[1]  ==  wage[1]**3.0*mu[1]",
    }
    for name, text in rows.items():
        assert str(getattr(block, name)[1].expr) == text, name
    total = "0.5*income[0] + 0.5*income[1]  ==  1.0"
    assert str(block.income_normalisation.expr) == total
    assert str(block.real_wage[1].expr) == "3.0*(wage[1]*supplier_access[1]**0.5)*mu[1]**(-0.1)"
    unknowns = sum(1 for _ in block.component_data_objects(pyo.Var)) - 2
    assert unknowns == sum(1 for _ in block.component_data_objects(pyo.Constraint)) == 13


@pytest.mark.parametrize("variant", ["krugman", "armington"])
def test_the_slope_of_real_wages_is_that_of_finite_differences(variant: str) -> None:
    random = np.random.default_rng(4)
    weights = random.dirichlet(np.full(6, 5.0))
    economy = trade_economy(variant, 4.0, 6, spillover=0.1, congestion=0.2)
    costs = 1 + random.uniform(0.0, 1.0, (6, 6))
    kernel = DenseKernel(costs**-3.0, weights)
    density = random.uniform(0.5, 1.5, 6)
    slope = real_wage_jacobian(economy, kernel, density)
    for y in range(6):
        step = 1e-5 * np.eye(6)[y]
        up, down = (solve_wages(economy, kernel, density + sign * step).real_wage for sign in (1, -1))
        np.testing.assert_allclose(slope[:, y], (up - down) / 2e-5, rtol=1e-6, atol=1e-8)


def test_wages_that_cannot_be_found_are_an_error() -> None:
    economy = trade_economy("krugman", 5.0, 3)
    with pytest.raises(ArithmeticError, match="wages not found"):
        solve_wages(economy, DenseKernel(TAU**-4.0, np.ones(3)), THREE, tolerance=-1.0)
