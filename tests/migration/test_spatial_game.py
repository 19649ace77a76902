"""The dynamic game: golden numbers, closed forms, planted errors, bad input."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pyomo.environ as pyo
import pytest
from games import CASES, COMMON, field, game, wave
from makers import complaint

from agora.data import Caution, circle
from agora.formulations.migration.racetrack import LinearGame, wave_eigenvalue
from agora.models.migration.graph_game import GraphGame
from agora.papers.spatial_dynamics.dynamics import fine_grid_limit
from agora.runners import NotCertified, SolveFailed, certify, solve, solve_program

# --- algebra -------------------------------------------------------------------------------------


def test_golden_text_of_the_balances() -> None:
    small = game("K1", 3, radius=1.5 / np.pi, noise=0.25, moving_cost=0.5, scheme="central", horizon=2.0)
    program = small.path_program(np.array([2.0]))
    assert str(program.value_balance[1, 0].expr) == (
        "0.55*value[0,0] - 0.5*value[1,0]"
        " - ((0.25*(value[0,1] - value[0,0]) + 0.5*(value[0,1] - value[0,0])**2)"
        " + (0.25*(value[0,2] - value[0,0]) + 0.5*(value[0,2] - value[0,0])**2))"
        " - (instant[1].wage[0]*instant[1].supplier_access[0]**0.25)  ==  0.0"
    )
    assert str(program.density_balance[1, 0].expr) == (
        "0.5*density[1,0] - 0.5*density[0,0] - ((value[0,0] - value[0,2] + 0.25)*density[1,2]"
        " + (value[0,0] - value[0,1] + 0.25)*density[1,1])"
        " + ((value[0,1] - value[0,0] + 0.25) + (value[0,2] - value[0,0] + 0.25))*density[1,0]  ==  0.0"
    )


@pytest.mark.parametrize("time_scheme", ["implicit-euler", "trapezoid"])
@pytest.mark.parametrize("horizon", [20.0, "stationary", "infinite"])
def test_programs_are_square(time_scheme: str, horizon: Any) -> None:
    program = game(cells=6, horizon=horizon, time_scheme=time_scheme).program()
    variables = [v for v in program.component_data_objects(pyo.Var) if not v.fixed]
    rows = list(program.component_data_objects(pyo.Constraint, active=True))
    assert len(rows) == len(variables)
    assert all(row.equality for row in rows)


@pytest.mark.parametrize("scheme", ["upwind", "central", "exponential"])
def test_rates_are_the_slope_of_the_worth(scheme: str) -> None:
    technology = game(scheme=scheme).technology
    gain, step = np.array([-0.3, -0.01, 0.02, 0.4]), 1e-6
    higher, lower = (technology(gain + way * step, 0.02, 1.3)[0] for way in (1, -1))
    assert technology(gain, 0.02, 1.3)[1] == pytest.approx((higher - lower) / (2 * step), rel=1e-6)


# --- equilibria ----------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::agora.data.Caution")
@pytest.mark.parametrize("case", ["A1", pytest.param("K1", marks=pytest.mark.heavy)])
@pytest.mark.parametrize("scheme", ["upwind", "central", "exponential"])
@pytest.mark.parametrize("time_scheme", ["implicit-euler", "trapezoid"])
def test_every_scheme_is_certified(case: str, scheme: str, time_scheme: str) -> None:
    solution = solve(game(case, 8, noise=0.03, scheme=scheme, time_scheme=time_scheme))
    assert solution.certificate.passed
    assert solution.tables["branch"]["iterations"].max() <= 10
    assert not solution.is_global
    assert np.ptp(field(solution, "density")[0] - solution.model.initial_density) == 0  # type: ignore[attr-defined]


def test_sparse_and_dense_kernels_agree() -> None:
    sparse, dense = (solve(game("K1", kernel=kernel)) for kernel in ("sparse", "dense"))
    for name in ("density", "value", "wage"):
        assert field(sparse, name) == pytest.approx(field(dense, name), abs=1e-8)


def test_odd_cells_go_too() -> None:
    assert solve(game("A1", cells=7)).certificate.passed


def test_no_trade_costs() -> None:
    assert solve(game("A1", trade_cost_rate=0.0)).certificate.passed


def test_turning_the_racetrack_turns_the_answer() -> None:
    first = solve(game("K1"))
    turned = np.roll(first.model.initial_density, 3).tolist()  # type: ignore[attr-defined]
    second = solve(game("K1", initial=turned))
    for name in ("density", "value", "real_wage"):
        assert np.roll(field(first, name), 3, axis=1) == pytest.approx(field(second, name), abs=1e-8)


def test_armington_with_enough_spillover_is_krugman() -> None:
    first, second = solve(game("K2")), solve(game("K2", variant="armington", spillover=0.25))
    assert field(first, "density") == pytest.approx(field(second, "density"), abs=1e-8)


def test_amenity_draws_and_congestion_disperses() -> None:
    pleasant = {"kind": "cosine", "amplitude": 0.2}
    even = {"initial": {"kind": "uniform"}, "amenity": pleasant}
    free, crowded = (field(solve(game("A1", congestion=b, **even)), "density") for b in (0.0, 0.5))
    assert free[-1, 0] > crowded[-1, 0] > 1


@pytest.mark.parametrize(
    ("case", "middle", "end", "value"),
    [
        # the linear closed form in continuous space and time, δ = 1
        ("A1", 0.371692208670, 0.199683796113, -0.092076299221),
        pytest.param("K1", 1.912973387157, 2.314184253288, 2.945576722712, marks=pytest.mark.heavy),
        pytest.param("K2", 0.934650413778, 0.857621673499, 1.531087983583, marks=pytest.mark.heavy),
    ],
)
def test_small_waves_follow_the_closed_form(case: str, middle: float, end: float, value: float) -> None:
    delta, errors = 1e-3, []
    for cells in (6, 12):
        model = game(case, cells, scheme="exponential", time_scheme="trapezoid", **wave(case, delta))
        solution = solve(model)
        shape = np.cos(model.angles[0])
        found = [2 * float(now @ shape) / cells / delta for now in field(solution, "density")]
        worth = 2 * float(field(solution, "value")[0] @ shape) / cells / delta
        errors.append(np.abs(np.array([found[cells // 2] - middle, found[-1] - end, worth - value])).max())
    assert errors[1] < errors[0] / 3  # second order: a quarter


def test_upwind_and_euler_are_of_first_order() -> None:
    errors = []
    for cells in (4, 8, 16):
        model = game("A1", cells, **wave("A1", 1e-3))
        last = field(solve(model), "density")[-1]
        errors.append(abs(2 * float(last @ np.cos(model.angles[0])) / cells / 1e-3 - 0.199683796113))
    assert errors[2] < errors[1] < errors[0]
    assert errors[1] / errors[2] > 1.6


def test_small_waves_on_the_grid_are_exact_in_space() -> None:
    """With the grid's own κ and k², what is left of a small wave's error is that of time alone."""
    errors = []
    for steps in (16, 32):
        model = game("A1", 8, scheme="exponential", time_scheme="trapezoid", steps=steps, **wave("A1", 1e-4))
        found = 2 * float(field(solve(model), "density")[-1] @ np.cos(model.angles[0])) / 8
        errors.append(abs(found / float(model.wave(1).density(20.0)) - 1))
    assert errors[1] < 2e-3
    assert errors[1] < errors[0] / 3


@pytest.mark.heavy
def test_a1_on_64_by_64() -> None:
    # reference values of the first-order scheme, to 1e-6
    solution = solve(game("A1", 64))
    mu, u = field(solution, "density"), field(solution, "value")
    hhi = solution.tables["concentration"]["hhi"]
    found = [mu[-1, 0], mu[-1, 32], u[0, 0], u[0, 32], hhi[32], hhi[64]]
    assert found == pytest.approx(
        [1.09985400, 0.90238068, 7.91513146, 8.01316298, 1.01719139, 1.00487446], abs=1e-6
    )
    assert solution.tables["branch"]["iterations"].iloc[-1] <= 10


@pytest.mark.parametrize(
    ("grids", "accuracy"),
    [((12, 16, 24, 32), 2e-4), pytest.param((24, 32, 48, 64), 1e-5, marks=pytest.mark.heavy)],
)
def test_k1_in_the_limit_of_fine_grids(grids: tuple[int, ...], accuracy: float) -> None:
    # continuous space-time, by Richardson extrapolation: five digits of an independent derivation
    limit = fine_grid_limit("K1", "exponential", grids)
    assert limit == pytest.approx([2.44711, 0.24786, 13.82591, 10.82150, 1.580731], rel=0, abs=accuracy)


# --- at rest and for ever ------------------------------------------------------------------------


def test_the_agglomeration_at_rest() -> None:
    # c0 = 120 on 64 cells: reference values of the exponential scheme
    model = game("K1", 64, horizon="stationary", scheme="exponential")
    solution = solve(model, start="agglomerated")
    path = solution.tables["path"]
    assert path["density"].iloc[0] == pytest.approx(5.53667167, abs=1e-7)
    assert solution.tables["concentration"]["hhi"].iloc[0] == pytest.approx(3.82618290, abs=1e-7)
    scale = np.exp(path["value"] / (0.01 * 120.0))
    assert (path["density"] / scale).std() / (path["density"] / scale).mean() < 1e-8


def test_the_pitchfork() -> None:
    def linear(cells: int | None) -> float:
        economy = game("K1").economy
        return LinearGame(wave_eigenvalue(economy, 2.0, 1.0, 1, cells), 1.0, 0.01, 0.05, 1.0).game_threshold

    assert linear(None) == pytest.approx(231.498307, abs=1e-6)
    model = game("K1", 32, horizon="stationary", scheme="exponential", moving_cost=1.0)
    threshold = model.wave(1).game_threshold
    for cost, agglomerates in ((threshold * 0.97, True), (threshold * 1.03, False)):
        hhi = (
            solve(
                game("K1", 32, horizon="stationary", scheme="exponential", moving_cost=cost),
                start="agglomerated",
            )
            .tables["concentration"]["hhi"]
            .iloc[0]
        )
        assert (hhi > 1.05) == agglomerates


def test_an_infinite_horizon_does_not_move_when_doubled() -> None:
    model = game("A1", horizon="infinite", steps=8)
    solution = solve(model)
    facts = solution.certificate.facts
    assert facts["turnpike_residual"] <= 1e-4
    assert facts["distance_to_rest"] <= 1e-4
    rate = model.wave(1).growth_rate
    heights = 2 * field(solution, "density") @ np.cos(model.angles[0]) / model.number
    assert rate < 0
    assert heights[1] < heights[0]


@pytest.mark.parametrize(
    ("cells", "moving_cost", "ages"), [(6, 400.0, 2e3), pytest.param(16, 240.0, 2e4, marks=pytest.mark.heavy)]
)
def test_an_economy_that_hardly_disperses_comes_to_rest_after_ages(
    cells: int, moving_cost: float, ages: float
) -> None:
    """Above the pitchfork the last waves die out at the grid's own rate, period by period."""
    model = game("K1", cells, horizon="infinite", steps=8, moving_cost=moving_cost, scheme="exponential")
    solution = solve(model)
    facts = solution.certificate.facts
    assert facts["horizon"] >= ages
    assert max(facts["turnpike_residual"], facts["distance_to_rest"]) <= 1e-4
    linear = model.wave(1)
    times = solution.tables["concentration"]["time"].to_numpy()
    heights = 2 * field(solution, "density") @ np.cos(model.angles[0]) / model.number
    small = np.flatnonzero((heights[:-1] < 4e-3) & (heights[:-1] > 1e-5))
    inside = [n for n in small if n % 8 < 4]  # a value near the end of 8 equal periods foresees longer ones
    assert len(inside) > 3
    for n in inside:
        z = euler_factor(linear, times[n + 1] - times[n])
        assert heights[n + 1] / heights[n] == pytest.approx(z, rel=2e-5)


def euler_factor(linear: LinearGame, step: float) -> float:
    """Return z in (0, 1) of a wave a zⁿ, b zⁿ of the linear game by implicit Euler."""
    k2, lag = linear.squared_wavenumber, linear.noise * linear.squared_wavenumber
    growth = np.polynomial.Polynomial([-1 / step, 1 / step + lag]) * (linear.moving_cost / k2)  # b of a = 1
    value = np.polynomial.Polynomial([1 / step + linear.discount + lag, -1 / step])
    roots = (growth * value - np.polynomial.Polynomial([0.0, linear.eigenvalue])).roots()
    return float(next(z.real for z in roots if 0 < z.real < 1))


@pytest.mark.heavy
@pytest.mark.parametrize(("cells", "steps", "moving_cost"), [(6, 4, 200.0), (16, 8, 120.0)])
def test_an_agglomeration_is_where_an_infinite_path_ends(cells: int, steps: int, moving_cost: float) -> None:
    shared: dict[str, Any] = {"scheme": "exponential", "moving_cost": moving_cost}
    solution = solve(game("K1", cells, horizon="infinite", steps=steps, **shared), start="agglomerated")
    still = solve(game("K1", cells, horizon="stationary", **shared), start="agglomerated")
    assert field(solution, "density")[-1] == pytest.approx(field(still, "density")[0], abs=1e-4)
    assert solution.tables["concentration"]["hhi"].is_monotonic_increasing
    with pytest.raises(SolveFailed, match="no path ends at an even one from which waves grow"):
        solve(game("K1", 6, horizon="infinite", steps=2, scheme="exponential"))


def test_a_path_that_is_too_short_to_come_to_rest_is_not_certified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agora.methods.migration.game.MOST_DOUBLINGS", 1)
    slow = game("K1", 6, horizon="infinite", steps=4, moving_cost=300.0, first_horizon=10.0)
    with pytest.raises(NotCertified, match="turnpike"):
        solve(slow)


# --- torus and graph -----------------------------------------------------------------------------


def test_a_torus_that_varies_one_way_is_a_racetrack_of_its_own_kernel() -> None:
    wide = solve(game("A1", cells=[6, 4], steps=4))
    density = field(wide, "density").reshape(-1, 6, 4)
    assert np.ptp(density, axis=2).max() < 1e-9
    turned = wide.model.initial_density.reshape(6, 4).T.ravel().tolist()  # type: ignore[attr-defined]
    tall = solve(game("A1", cells=[4, 6], steps=4, initial=turned))
    assert field(tall, "density").reshape(-1, 4, 6).transpose(0, 2, 1) == pytest.approx(density, abs=1e-8)
    assert {"x", "y"} <= set(wide.tables["path"])


@pytest.mark.heavy
def test_a_torus_of_16_by_16() -> None:
    assert solve(game("K1", cells=[16, 16], steps=16, horizon=20.0)).certificate.passed


@pytest.mark.parametrize(("moving", "scheme"), [("quadratic", "upwind"), ("entropic", "exponential")])
def test_a_graph_that_is_a_ring_is_the_racetrack(moving: str, scheme: str) -> None:
    ring = game("K2", scheme=scheme)
    shared = {**COMMON, **CASES["K2"], "initial": ring.initial_density.tolist(), "steps": 8}
    graph = GraphGame(geography=circle(8, 2 * np.pi), moving=moving, **shared)
    first, second = solve(ring), solve(graph)
    for name in ("density", "value", "wage"):
        assert field(first, name) == pytest.approx(field(second, name), abs=1e-8)


@pytest.mark.parametrize("moving", ["quadratic", "entropic"])
def test_uneven_land_is_filled_evenly_by_shocks(moving: str) -> None:
    graph = nx.Graph()
    graph.add_node("a", land=1.0), graph.add_node("b", land=3.0), graph.add_node("c", land=2.0)
    graph.add_edge("a", "b", length=1.0), graph.add_edge("b", "c", length=0.5)
    still = {"variant": "armington", "trade_cost_rate": 0.0, "moving_cost": 1e6, "spillover": 0.25}
    model = GraphGame(
        geography=graph, elasticity=5.0, noise=0.5, discount=0.05, horizon=40.0, steps=10, moving=moving,
        initial=[3.0, 0.5, 1.0], **still,
    )  # fmt: skip
    assert field(solve(model), "density")[-1] == pytest.approx([1.0, 1.0, 1.0], abs=1e-4)


# --- the certificate -----------------------------------------------------------------------------


def test_a_path_that_nobody_would_choose_is_exploitable() -> None:
    solution = solve(game("K1", 6))
    path = solution.tables["path"].copy()
    path.loc[6:12, "value"] += 0.05 * np.arange(7)
    conditions = certify(solution.model, {**solution.tables, "path": path}, 1e-6).conditions
    worst = {condition.name: condition for condition in conditions}
    assert not worst["exploitability, best placed worker"].passed


def test_a_grid_too_coarse_for_the_central_scheme() -> None:
    coarse = game("K3", 6, scheme="central", noise=1e-3, horizon=0.8, moving_cost=0.2)
    assert any("central scheme" in sentence for sentence in coarse.cautions())
    with pytest.warns(Caution, match="central scheme"), pytest.raises(NotCertified, match="rates of moving"):
        solve(coarse)


def test_a_constraint_of_ones_own() -> None:
    """The program is the user's to change: a fixed wage somewhere in place of one moving worker's balance."""
    program = game("A1", 4).program()
    solve_program(program)
    value = float(program.density[4, 0].value)
    program.density_balance[4, 0].deactivate()
    program.held = pyo.Constraint(expr=program.density[4, 0] == value)
    record = solve_program(program)
    assert record.iterations is not None
    assert record.iterations <= 2


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"elasticity": 1.0}, "elasticity is 1.0, but must be a finite number > 1 (σ), for armington."),
        ({"trade_cost_rate": -0.1}, "trade_cost_rate is -0.1, but must be a finite number >= 0."),
        ({"noise": -1}, "noise is -1, but must be a finite number >= 0."),
        ({"noise": 0.0, "scheme": "central"}, "0 goes with the upwind scheme and a finite horizon only"),
        ({"horizon": -1}, "horizon is -1, but must be a finite number > 0, 'stationary' or 'infinite'."),
        ({"horizon": "long"}, "horizon is 'long', but must be a finite number > 0"),
        ({"cells": 2}, "cells is 2, but must be a whole number >= 3."),
        ({"cells": [4]}, "[rows, columns] of a torus"),
        ({"initial": [1.0, -1.0, 1, 1, 1, 1, 1, 1]}, "initial[1] is -1.0, but must be a finite number > 0."),
        ({"initial": [1.0, 1.0]}, "initial is '2 numbers', but must be 8 numbers, one a cell."),
        ({"initial": [2.0] * 8}, "initial (mean) is 2.0, but must be 1"),
        ({"initial": {"kind": "cosine", "amplitude": 1.5}}, "amplitude is 1.5, but must be between -1 and 1"),
        ({"initial": {"kind": "sine"}}, "initial.kind is 'sine', but must be one of uniform, cosine, list"),
        ({"initial": {"kind": "list"}}, "initial.values is missing"),
        ({"initial": 1.0}, "initial is 1.0, but must be a list of densities"),
        ({"amenity": float("nan")}, "amenity is nan"),
        ({"scheme": "downwind"}, "scheme is 'downwind'"),
        ({"discount": 0.0}, "discount is 0.0, but must be a finite number > 0."),
        ({"steps": 0}, "steps is 0, but must be a whole number >= 1."),
        ({"noize": 0.1}, "noize is 0.1, but must be left out, or a known field"),
    ],
)
def test_bad_parameters_get_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    said = complaint(lambda: game("A1", **changes))
    assert sentence in said
    assert "\n" not in said


def test_bad_graphs_and_options_get_one_sentence() -> None:
    shared = {**COMMON, **CASES["A1"]} | {"initial": [1.0, 1.0, 1.0]}
    assert "4 numbers, one a cell" in complaint(GraphGame, geography=circle(4), **shared)
    one_way = nx.DiGraph()
    one_way.add_edge(0, 1, length=1.0), one_way.add_edge(1, 2, length=1.0), one_way.add_edge(2, 0, length=1.0)
    nx.set_node_attributes(one_way, 1.0, "land")
    assert "links go both ways" in complaint(GraphGame, geography=one_way, **shared)
    wrong = {"parameter": "variant", "start": 1.0}
    assert "a number of the model" in complaint(solve, game(), continuation=wrong)
    assert "left out for an infinite horizon" in complaint(
        solve, game(horizon="infinite"), continuation={"parameter": "noise", "start": 0.1}
    )


def test_a_long_horizon_is_named() -> None:
    assert game("K3", 8, horizon=0.5).cautions() == []
    (sentence,) = game("K3", 8, horizon=9.0).cautions()
    assert "horizon is 9, beyond T* = " in sentence
