"""Price formation: equations, closed forms, methods that agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest
from trading_games import NONE, SINE, WELLS, WIENER, game, prices, quadratic

from agora.methods.price_formation.closed_forms import mean_field, price_level
from agora.papers.price_formation.cases import continuous_price, continuous_states, discrete_price
from agora.runners import NotCertified, certify, solve, solve_program
from agora.runners.records.export import export_program
from agora.solvers import NonlinearProgram

# --- golden equations ----------------------------------------------------------------------------


def test_equations_on_two_agents_and_two_steps() -> None:
    small = game(2, 2, supply=[0.5, -0.25], running=quadratic(4.0, 0.25), terminal=quadratic(2.0, 1.0))
    program = small.program()
    assert str(program.state_dynamics[1, 1, 2].expr) == (
        "state[1,1,2] - state[1,1,1] - 0.5*control[1,1,1]  ==  0.0"
    )
    assert str(program.clearing_balance[1, 1].expr) == "0.5*control[0,1,1] + 0.5*control[1,1,1]  ==  -0.25"
    assert program.state[1, 1, 0].fixed
    assert program.state[1, 1, 0].value == 1.0
    for variable in program.control.values():
        variable.set_value(1.0)
    for (reply, _, place), variable in program.state.items():
        variable.set_value(reply + 0.5 * place, skip_validation=True)
    # by hand: trading ½·(½ + ½); running ½·2·[(x₀ − ¼)² + (x₁ − ¼)²]; terminal (x₂ − 1)²
    each = [0.5 + (x - 0.25) ** 2 + (x + 0.25) ** 2 + x**2 for x in (0.0, 1.0)]
    assert pyo.value(program.population_cost) == pytest.approx(np.mean(each), abs=1e-14)
    relaxed = small.relaxed_program([0, 0, 1])
    assert str(relaxed.share_balance[0].expr) == "share[0] + share[1]  ==  0.5"
    assert str(relaxed.clearing_balance[1, 0].expr) == (
        "share[0]*control[0,1,0] + share[1]*control[1,1,0] + share[2]*control[2,1,0]  ==  0.5"
    )
    cuts = game(2, 2, terminal=WELLS).variational_program([0, 1], [0.3, 0.4], [0.1, -0.2])
    assert str(cuts.reply_limit[1].expr) == "agent_value[1] + 0.2*price_level  <=  0.4"
    assert cuts.dual_value.sense == pyo.maximize


def test_a_cost_is_the_same_in_numbers_and_in_algebra() -> None:
    x = np.linspace(-1.0, 2.0, 31)

    def wavy(state: Any) -> Any:
        return 2 * (state - 0.3) ** 2 + 0.1 * pyo.exp(-state) + pyo.sin(3 * state) / 5

    model = game(running=WELLS, terminal=wavy)
    state = pyo.Var()
    state.construct()
    for cost in (model.running, model.terminal, game(running=quadratic(3.0, 0.2)).running):
        for value in x:
            state.set_value(float(value))
            assert pyo.value(cost.expression(state)) == pytest.approx(
                cost.value(np.array([value]))[0], abs=1e-13
            )
        near = 1e-5
        assert cost.slope(x) == pytest.approx((cost.value(x + near) - cost.value(x - near)) / 2e-5, abs=1e-6)
        assert cost.curvature(x) == pytest.approx(
            (cost.slope(x + near) - cost.slope(x - near)) / 2e-5, abs=1e-6
        )
        assert (cost.curvature(x) >= cost.least_curvature - 1e-12).all()
        assert (cost.value(x) >= cost.least_value - 1e-12).all()


# --- closed forms --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("running", "terminal"),
    [(NONE, quadratic()), (quadratic(), NONE), (quadratic(7, 0.3), quadratic(3, 0.6))],
)
@pytest.mark.parametrize("supply", [SINE, WIENER])
def test_the_discrete_closed_form(
    running: dict[str, Any], terminal: dict[str, Any], supply: dict[str, Any]
) -> None:
    model = game(20, 200, running=running, terminal=terminal, supply=supply, control_cost=1.5, horizon=1.3)
    solution = solve(model)
    assert solution.is_global
    assert np.abs(prices(solution.tables) - discrete_price(model)).max() <= 1e-11


def test_the_released_size_meets_the_closed_form() -> None:
    for case in ({}, {"running": quadratic(), "terminal": NONE, "supply": WIENER}):
        model = game(100, 1000, **case)
        assert np.abs(mean_field(model).prices[0] - discrete_price(model)).max() <= 1e-11


@pytest.mark.parametrize(("running", "terminal"), [(NONE, quadratic()), (quadratic(), quadratic(2, 1))])
def test_first_order_convergence_to_continuous_time(
    running: dict[str, Any], terminal: dict[str, Any]
) -> None:
    errors = []
    for steps in (200, 400, 800):
        model = game(5, steps, running=running, terminal=terminal)
        found = mean_field(model)
        errors.append(
            (
                np.abs(found.prices[0] - continuous_price(model, model.times)).max(),
                np.abs(found.states[:, 0] - continuous_states(model)).max(),
            )
        )
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert orders == pytest.approx(np.ones_like(orders), abs=0.1)


def test_a_thousand_agents_and_a_thousand_steps() -> None:
    model = game(1000, 1000, running=quadratic(5, 0.4), supply=WIENER)
    found = mean_field(model)
    assert np.abs(found.prices[0] - discrete_price(model)).max() <= 1e-11
    bought = np.diff(found.states[:, 0], axis=1).mean(axis=0) / model.step
    assert bought == pytest.approx(model.supply.values[:, 0], abs=1e-10)


def test_case_3_has_the_level_of_the_spec() -> None:
    # spec/price-formation.md: −.1643 at the grid, −.1650 with the released sampling, −.1617 in the limit
    grid = solve(game(100, 1000, terminal=WELLS))
    assert grid.is_global
    assert grid.certificate.facts["price_level"] == pytest.approx(-0.1643, abs=5e-5)
    assert {c.name: c.worst for c in grid.certificate.conditions}["exploitability_max"] <= 2e-7


@pytest.mark.heavy
def test_case_3_has_the_level_of_the_spec_with_the_released_sampling() -> None:
    released = np.sin(10 * np.arange(1000) / 999).tolist()
    level = solve(game(100, 1000, terminal=WELLS, supply=released)).certificate.facts["price_level"]
    assert level == pytest.approx(-0.1650, abs=5e-5)


@pytest.mark.heavy
def test_case_3_tends_to_its_limit() -> None:
    law = {"kind": "uniform", "from": 0.0, "to": 1.0, "number": 1500}
    _, facts, _ = price_level(game(law, 4000, terminal=WELLS))
    assert facts["price_level"] == pytest.approx(-0.1617, abs=5e-4)


# --- methods agree -------------------------------------------------------------------------------


def test_highs_and_ipopt_agree_with_the_structure() -> None:
    model = game(6, 30, running=quadratic(8, 0.2), terminal=quadratic(3, 0.7))
    first, second = model.program(), model.program()
    assert solve_program(first).solver == "HiGHS"
    assert NonlinearProgram(second).solve().solver == "IPOPT"
    tables = [model.read(program) for program in (first, second)]
    exact = solve(model)
    for found in tables:
        assert certify(model, found, 1e-6).passed
        assert prices(found) == pytest.approx(prices(exact.tables), abs=1e-7)
        assert found["paths"]["state"].to_numpy() == pytest.approx(exact.tables["paths"]["state"], abs=1e-7)
        assert found["totals"]["population_cost"].iloc[0] == pytest.approx(exact.objective, abs=1e-9)


def test_the_representative_agent_sets_the_price() -> None:
    model = game(7, 25, running=quadratic(8, 0.2))
    program = model.representative_program()
    NonlinearProgram(program).solve()
    step = model.step
    found = [-program.dual[program.clearing_balance[1, i]] / step for i in range(25)]
    assert found == pytest.approx(prices(solve(model).tables), abs=1e-7)


def test_the_mixed_road_meets_the_structure_on_quadratic_costs() -> None:
    law = {"kind": "list", "states": [0.1, 0.5, 2.0], "weights": [3, 1, 1]}
    model = game(law, 60, running=quadratic(8, 0.2))
    assert prices(solve(model, method="mixed").tables) == pytest.approx(prices(solve(model).tables), abs=1e-8)


def test_three_methods_for_a_terminal_double_well() -> None:
    model = game(12, 30, terminal=WELLS)
    variational, mixed = solve(model), solve(model, method="mixed")
    assert prices(mixed.tables) == pytest.approx(prices(variational.tables), abs=1e-8)
    assert mixed.objective == pytest.approx(variational.objective, abs=1e-9)
    paths = variational.tables["paths"]
    assert (paths["path"] > 0).any()  # somebody is indifferent and mixes
    agents = paths.groupby(["agent", "path"], sort=False).size().index.get_level_values(0).tolist()
    program = model.relaxed_program(agents)
    states = paths["state"].to_numpy().reshape(len(agents), 1, -1)
    shares = paths["weight"].to_numpy().reshape(len(agents), -1)[:, 0]
    model.start_from(program, states + 1e-3 * np.arange(31) / 30, shares)
    NonlinearProgram(program).solve()
    tables = model.read(program)
    assert prices(tables) == pytest.approx(prices(variational.tables), abs=1e-6)
    assert certify(model, tables, 1e-6).passed


def test_relaxed_program_is_the_oracle_of_running_wells() -> None:
    model = game(6, 20, running=WELLS, terminal=NONE, horizon=1.4)
    solution = solve(model)
    assert solution.is_global
    paths = solution.tables["paths"]
    agents = paths.groupby(["agent", "path"], sort=False).size().index.get_level_values(0).tolist()
    program = model.relaxed_program(agents)
    model.start_from(
        program, paths["state"].to_numpy().reshape(len(agents), 1, -1) + 1e-3 * np.arange(21) / 20,
        paths["weight"].to_numpy().reshape(len(agents), -1)[:, 0],
    )  # fmt: skip
    NonlinearProgram(program).solve()
    assert pyo.value(program.population_cost) == pytest.approx(solution.objective, abs=1e-7)
    assert prices(model.read(program)) == pytest.approx(prices(solution.tables), abs=1e-6)


def test_a_convex_cost_of_the_user_meets_the_program() -> None:
    def cost(state: Any) -> Any:
        return pyo.exp(state) + 2 * (state - 0.4) ** 2

    model = game(5, 20, running=cost, terminal=quadratic(2.0, 0.1))
    solution = solve(model)
    assert solution.is_global
    assert solution.certificate.facts["method"] == "mixed"
    program = model.program()
    assert solve_program(program).solver == "IPOPT"
    assert prices(model.read(program)) == pytest.approx(prices(solution.tables), abs=1e-6)


# --- clearing is not equilibrium -----------------------------------------------------------------


def test_the_local_road_clears_and_says_that_it_is_no_equilibrium() -> None:
    model = game(12, 30, terminal=WELLS)
    with pytest.raises(NotCertified, match="exploitability_max") as caught:
        solve(model, method="program", start="supply")
    solution = caught.value.solution
    assert solution.status == "clears the market, not an equilibrium"
    assert not solution.is_global
    worst = {c.name: c.worst for c in solution.certificate.conditions}
    assert worst["clearing"] <= 1e-8
    assert worst["exploitability_max"] > 1e-3
    assert solution.certificate.facts["exploited_agents"] >= 1


@pytest.mark.parametrize("changes", [{}, {"terminal": WELLS}, {"running": quadratic()}])
def test_export_to_gams(changes: dict[str, Any], tmp_path: Path) -> None:
    text = export_program(game(2, 3, **changes), "gms", tmp_path / "rows.gms").read_text()
    assert text.count("..") >= 9
