"""Trade equilibria: known wages, planted errors, laws that every answer obeys, and bad input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import complaint, write

from agora.data import circle, read_scenario, torus
from agora.formulations.migration.kernels import DenseKernel, RingKernel, TorusKernel
from agora.formulations.migration.trade import solve_wages
from agora.methods.migration.trade import trade_cost_homotopy
from agora.models import SpatialTrade
from agora.models.solution import Solution
from agora.runners import certify, solve
from agora.runners.solving import model_from, solve_scenario

TAU = [[1, 1.3, 1.8], [1.5, 1, 1.2], [1.4, 1.6, 1]]
THREE: dict[str, Any] = {"elasticity": 5.0, "trade_cost": TAU, "population": [0.5, 0.3, 0.2]}
TWO: dict[str, Any] = {"elasticity": 5.0, "trade_cost": [[1, 1.5], [1.5, 1]], "population": [0.6, 0.4]}


def column(solution: Solution, name: str) -> np.ndarray:
    return solution.tables["locations"][name].to_numpy(dtype=float)


@pytest.mark.parametrize(
    ("variant", "wages", "real"),
    [
        (
            "krugman",
            [1.0258234170, 0.9947043072, 0.9433849967],
            [0.8943632427, 0.8377201505, 0.7697747068],
        ),
        (
            "armington",
            [0.9526736574, 1.0356104132, 1.0649002368],
            [1.0694684505, 1.1291195292, 1.1398192212],
        ),
    ],
)
@pytest.mark.parametrize("method", ["direct", "homotopy", "newton"])
def test_three_places(variant: str, wages: list[float], real: list[float], method: str) -> None:
    """Derived independently, ten digits."""
    solution = solve(SpatialTrade(variant=variant, **THREE), method=method)
    np.testing.assert_allclose(column(solution, "wage"), wages, rtol=0, atol=1e-9)
    np.testing.assert_allclose(column(solution, "real_wage"), real, rtol=0, atol=1e-9)
    assert solution.is_global
    assert solution.certificate.worst.worst < 1e-11
    words = {"direct": "IPOPT", "homotopy": "homotopy", "newton": "Newton's method"}
    assert words[method] in solution.certificate.facts["branch"]


def test_the_transposed_order_does_not_match() -> None:
    """The slides' (1) with τ as printed there is an equilibrium of another economy, and is refused."""
    transposed = solve(SpatialTrade(**{**THREE, "trade_cost": np.transpose(TAU).tolist()}))
    assert column(transposed, "wage")[0] == pytest.approx(1.0187128719, abs=1e-9)
    certificate = certify(SpatialTrade(**THREE), transposed.tables, 1e-6)
    violated = {condition.name for condition in certificate.conditions if not condition.passed}
    assert {"goods markets clear, (1)", "price index: P^{1−σ} = ∫ K a μ^c w^{1−σ} dm"} <= violated


@pytest.mark.parametrize(
    ("variant", "wages", "real"),
    [
        ("krugman", [1.0340382014, 0.9305792987], [0.6919713984, 0.5458533148]),
        ("armington", [0.9591373952, 1.0980452725], [0.6265175147, 0.6453816364]),
    ],
)
def test_racetrack(variant: str, wages: list[float], real: list[float]) -> None:
    """Derived independently, ten digits; N = 64, R = 1, τ = .5, σ = 5, μ = 1 + .5 cos x."""
    model = model_from(read_scenario("racetrack-64")).model_copy(update={"variant": variant})
    solution = solve(SpatialTrade.model_validate({n: getattr(model, n) for n in SpatialTrade.model_fields}))
    assert solution.certificate.facts["kernel"] == "RingKernel"
    np.testing.assert_allclose(column(solution, "wage")[[0, 32]], wages, rtol=0, atol=1e-9)
    np.testing.assert_allclose(column(solution, "real_wage")[[0, 32]], real, rtol=0, atol=1e-9)


def test_armington_with_spillovers_is_krugman() -> None:
    first = solve(SpatialTrade(variant="krugman", **THREE))
    second = solve(SpatialTrade(variant="armington", spillover=0.25, **THREE))
    for name in ("wage", "price_index", "real_wage"):
        np.testing.assert_allclose(column(second, name), column(first, name), rtol=0, atol=1e-12)


def test_eaton_kortum_is_armington_with_renamed_parameters() -> None:
    technology = np.array([1.0, 2.0, 0.7])
    first = solve(
        SpatialTrade(variant="eaton-kortum", productivity=technology.tolist(), **{**THREE, "elasticity": 4.0})
    )
    second = solve(SpatialTrade(variant="armington", productivity=(technology**0.25).tolist(), **THREE))
    np.testing.assert_allclose(column(first, "wage"), column(second, "wage"), rtol=0, atol=1e-12)
    np.testing.assert_allclose(column(first, "real_wage"), column(second, "real_wage"), rtol=0, atol=1e-12)


def test_two_equal_places_in_closed_form() -> None:
    solution = solve(SpatialTrade(**{**TWO, "population": [0.5, 0.5]}))
    freeness = 1.5**-4.0
    np.testing.assert_allclose(column(solution, "wage"), 1.0, atol=1e-12)
    np.testing.assert_allclose(column(solution, "real_wage"), (0.5 * (1 + freeness)) ** 0.25, atol=1e-12)
    assert solution.tables["totals"]["own_share"][0] == pytest.approx(1 / (1 + freeness), abs=1e-12)


def test_home_market_effect() -> None:
    """With free entry the larger place pays more, with goods by origin it pays less."""
    krugman, armington = (solve(SpatialTrade(variant=v, **TWO)) for v in ("krugman", "armington"))
    assert np.diff(column(krugman, "wage"))[0] < 0 < np.diff(column(armington, "wage"))[0]


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10**6), places=st.integers(2, 6), variant=st.sampled_from(["krugman", "armington"])
)
def test_relabelling_permutes_and_costs_hurt(seed: int, places: int, variant: str) -> None:
    random = np.random.default_rng(seed)
    costs = 1 + random.uniform(0, 1, (places, places)) * (1 - np.eye(places))
    people, weights = random.uniform(0.5, 1.5, places), random.uniform(0.5, 1.5, places)
    people /= people @ weights
    order = random.permutation(places)

    def economy(costs: np.ndarray, people: np.ndarray, weights: np.ndarray) -> SpatialTrade:
        return SpatialTrade(
            variant=variant,
            elasticity=3.0,
            trade_cost=costs.tolist(),
            population=people.tolist(),
            weights=weights.tolist(),
        )

    base = solve(economy(costs, people, weights))
    turned = solve(economy(costs[np.ix_(order, order)], people[order], weights[order]))
    for name in ("wage", "price_index", "real_wage"):
        np.testing.assert_allclose(column(turned, name), column(base, name)[order], rtol=1e-9)
    dearer = solve(economy(1 + 1.3 * (costs - 1), people, weights))
    welfare = [float(each.tables["totals"]["mean_real_wage"][0]) for each in (base, dearer)]
    assert welfare[1] < welfare[0]


def test_splitting_a_place_changes_nothing() -> None:
    """The base measure is a measure: a place of weight 1 is two places of weight 1/2 at the same spot."""
    whole = solve(SpatialTrade(**TWO))
    split = solve(
        SpatialTrade(
            elasticity=5.0,
            trade_cost=[[1, 1, 1.5], [1, 1, 1.5], [1.5, 1.5, 1]],
            population=[0.6, 0.6, 0.4],
            weights=[0.5, 0.5, 1.0],
        )
    )
    np.testing.assert_allclose(column(split, "real_wage")[[0, 1, 2]], column(whole, "real_wage")[[0, 0, 1]])


# --- planted errors --------------------------------------------------------------------------------


@pytest.mark.parametrize("wage", [-1.0, 0.0])
def test_a_wage_that_is_not_positive_is_caught(wage: float) -> None:
    model = SpatialTrade(**THREE)
    tables = solve(model).tables
    bad = tables["locations"].copy()
    bad.loc[1, "wage"] = wage
    assert not certify(model, {**tables, "locations": bad}, 1e-6).passed


def test_doubled_wages_violate_the_normalisation_alone_among_market_conditions() -> None:
    model = SpatialTrade(**THREE)
    solution = solve(model)
    bad = solution.tables["locations"].copy()
    bad[["wage", "price_index"]] *= 2
    certificate = certify(model, {**solution.tables, "locations": bad}, 1e-6)
    violated = {c.name for c in certificate.conditions if not c.passed}
    assert "normalisation: ∫ w μ dm = 1, (2)" in violated
    assert not {n for n in violated if n.startswith(("goods", "price", "real", "shares"))}


# --- kernels, homotopy, reach ----------------------------------------------------------------------


def test_a_rate_on_a_geography_picks_the_sparsest_kernel() -> None:
    ring = SpatialTrade(elasticity=5.0, trade_cost={"rate": 0.5}, geography=circle(10, circumference=4.0))
    assert isinstance(ring.kernel, RingKernel)
    sheet = SpatialTrade(elasticity=5.0, trade_cost={"rate": 0.5}, geography=torus(3, 4, spacing=0.5))
    assert isinstance(sheet.kernel, TorusKernel)
    for model in (ring, sheet):
        sparse, dense, short = (solve(model, kernel=k) for k in ("sparse", "dense", "low-rank"))
        np.testing.assert_allclose(column(sparse, "wage"), column(dense, "wage"), atol=1e-12)
        np.testing.assert_allclose(column(short, "wage"), column(dense, "wage"), atol=1e-9)


def test_an_uneven_or_relabelled_circle_is_not_taken_for_a_ring() -> None:
    uneven = circle(6)
    uneven.edges[0, 1]["length"] *= 2
    unequal = circle(6, land=[1, 1, 1, 1, 1, 2])
    mixed = nx.relabel_nodes(circle(6), {0: 3, 3: 0})
    for graph in (uneven, unequal, mixed):
        model = SpatialTrade(elasticity=5.0, trade_cost={"rate": 0.5}, geography=graph)
        assert isinstance(model.kernel, DenseKernel)
        assert solve(model).certificate.passed


def test_a_truncated_kernel_reports_its_error_and_the_certificate_sees_it() -> None:
    x = np.linspace(0, 1, 30) ** 2  # uneven: else the truncated waves cancel by symmetry
    costs = np.exp((x[:, None] - x) ** 2 / 4)
    model = SpatialTrade(elasticity=5.0, trade_cost=costs.tolist(), weights=[1 / 30] * 30)
    fine = solve(model, kernel="low-rank", truncation=1e-9)
    assert 0 < fine.certificate.facts["truncation_error"] <= 1e-9
    rough = solve(model, kernel="low-rank", truncation=1e-2, raise_uncertified=False)
    assert not rough.certificate.passed
    assert 1e-6 < rough.certificate.worst.worst < 1e-1


def test_the_homotopy_starts_where_trade_is_free_and_ends_at_the_model() -> None:
    random = np.random.default_rng(3)
    model = SpatialTrade(
        variant="armington",
        elasticity=6.0,
        trade_cost=(1 + random.uniform(0, 2, (5, 5))).tolist(),
        productivity=random.uniform(0.5, 2.0, 5).tolist(),
        weights=[0.2] * 5,
    )
    path = trade_cost_homotopy(model, model.kernel)
    assert [s for s, _ in path.steps] == [0.0, 0.25, 0.5, 0.75, 1.0]
    for s, wages in path.steps:
        kernel = DenseKernel((1 + s * (model.costs - 1)) ** -5.0, model.base_weights)
        exact = solve_wages(model.economy, kernel, model.density).wage
        np.testing.assert_allclose(wages, exact, rtol=1e-9)


def test_a_failing_step_of_the_homotopy_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    from agora.methods.migration import trade
    from agora.solvers import SolveFailed, solve_program

    calls = []

    def stubborn(program: Any, options: Any, **how: Any) -> Any:
        calls.append(1)
        record = solve_program(program, options, **how)
        if len(calls) in (1, 2):
            raise SolveFailed("stopped", record)
        return record

    monkeypatch.setattr(trade, "solve_program", stubborn)
    solution = solve(SpatialTrade(**THREE), method="auto")
    assert "1 halved" in solution.certificate.facts["branch"]
    assert len(calls) > 6
    monkeypatch.setattr(trade, "solve_program", _refuse)
    with pytest.raises(SolveFailed, match="stopped"):
        solve(SpatialTrade(**THREE))


def _refuse(program: Any, options: Any, **how: Any) -> Any:
    from agora.solvers import SolveFailed, solve_program

    raise SolveFailed("stopped", solve_program(program, options, **how))


def test_many_places_are_solved_by_newton_which_agrees_with_the_program() -> None:
    random = np.random.default_rng(11)
    costs = 1 + random.uniform(0, 1, (500, 500)) * (1 - np.eye(500))
    people = random.dirichlet(np.full(500, 3.0))
    solution = solve(
        SpatialTrade(elasticity=5.0, trade_cost=costs.tolist(), population=people.tolist()), tolerance=1e-9
    )
    assert "Newton" in solution.certificate.facts["branch"]
    assert "trade" not in solution.tables
    ring = SpatialTrade(
        elasticity=5.0,
        trade_cost={"rate": 0.5},
        geography=circle(100, circumference=6.0),
        population={"kind": "cosine", "amplitude": -0.9, "mode": 2},
    )
    by_program, by_newton = solve(ring), solve(ring, method="newton")
    for name in ("wage", "price_index", "real_wage"):
        np.testing.assert_allclose(column(by_newton, name), column(by_program, name), rtol=1e-10)


# --- tables of costs, bad input --------------------------------------------------------------------


def test_costs_from_a_table_beside_the_scenario(tmp_path: Path) -> None:
    rows = [f"{o},{d},{TAU[o][d]}" for o in range(3) for d in range(3) if o != d]
    write(tmp_path / "costs.csv", "origin,destination,cost\n" + "\n".join(reversed(rows)) + "\n")
    scenario = write(
        tmp_path / "three.toml",
        'model = "spatial-trade"\n[parameters]\nelasticity = 5.0\npopulation = [0.5, 0.3, 0.2]\n'
        'trade_cost = { file = "costs.csv" }\n',
    )
    solution = solve_scenario(read_scenario(scenario))
    assert column(solution, "wage")[0] == pytest.approx(1.0258234170, abs=1e-9)
    assert list(solution.tables["locations"]["location"]) == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "column of costs.csv is 'origin', but must be one of a, b."),
        ("origin,destination,cost\nx,y,1.2\n", "cost from y to x is missing, but must be given in a row."),
        (
            "origin,destination,cost\nx,y,1.2\nx,y,1.2\n",
            "line 3 of costs.csv is 'x to y', but must be a pair that is given once",
        ),
        (
            "origin,destination,cost\nx,y,0.2\n",
            "cost in line 2 of costs.csv is 0.2, but must be a finite number >= 1.",
        ),
        (
            "origin,destination,cost\nx,y,dear\n",
            "cost in line 2 of costs.csv is 'dear', but must be a finite number.",
        ),
        ("origin,destination,cost\nx,x,1\n", "a table of at least 2 locations"),
    ],
)
def test_bad_tables_of_costs(tmp_path: Path, text: str, said: str) -> None:
    file = write(tmp_path / "costs.csv", text)
    assert said in complaint(SpatialTrade, elasticity=5.0, trade_cost={"file": str(file)})


def test_a_missing_table_of_costs(tmp_path: Path) -> None:
    text = complaint(SpatialTrade, elasticity=5.0, trade_cost={"file": str(tmp_path / "none.csv")})
    assert "the path of a file that exists" in text
    assert "trade_cost.file is 3" in complaint(SpatialTrade, elasticity=5.0, trade_cost={"file": 3})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"elasticity": 1.0}, "elasticity is 1.0, but must be a finite number > 1 for krugman (σ)."),
        ({"elasticity": 0.5}, "elasticity is 0.5, but must be a finite number > 1 for krugman (σ)."),
        ({"elasticity": -1}, "elasticity is -1, but must be a finite number > 1 (> 0 for eaton-kortum)."),
        ({"elasticity": float("nan")}, "elasticity is nan"),
        ({"variant": "ricardo"}, "variant is 'ricardo'"),
        ({"trade_cost": [[1, 0.9], [1.5, 1]]}, "trade_cost[0][1] is 0.9, but must be a finite number >= 1."),
        ({"trade_cost": [[1, "x"], [1.5, 1]]}, "trade_cost[0][1] is 'x', but must be a finite number >= 1."),
        ({"trade_cost": [[1, float("inf")], [1.5, 1]]}, "trade_cost[0][1] is inf"),
        ({"trade_cost": [[1, 1.5]]}, "a square matrix of at least 2 rows"),
        ({"trade_cost": [[1, 1.5], [1.5]]}, "trade_cost[1] is [1.5], but must be a list of 2 costs"),
        ({"trade_cost": "dear"}, "a square matrix of at least 2 rows"),
        ({"trade_cost": {"rate": 0.5}}, "geography is missing, but must be given when trade_cost is a rate."),
        ({"trade_cost": {"rate": -1}}, "must be a finite number >= 0."),
        ({"trade_cost": {"rat": 1}}, "rat"),
        ({"trade_cost": [[1e200, 1e200], [1e200, 1e200]]}, "low enough that no location is cut off"),
        ({"population": [0.6, 0.0]}, "population[1] is 0.0, but must be a finite number > 0."),
        ({"population": [1.6, -0.6]}, "population[1] is -0.6, but must be a finite number > 0."),
        ({"population": [0.6, 0.3]}, "must be 1, within 1e-9: shares of the world's people."),
        ({"population": [0.6, 0.2, 0.2]}, "a list of 2 numbers, one a location."),
        ({"population": [0.6, "some"]}, "population[1] is 'some', but must be a finite number > 0."),
        ({"population": {"kind": "cosine", "amplitude": 0.5}}, "used with a geography of kind circle"),
        ({"population": {"kind": "sine"}}, "population.kind is 'sine', but must be one of cosine"),
        ({"weights": [1.0, 1.0, 1.0]}, "weights is [1.0, 1.0, 1.0], but must be a list of 2 numbers"),
        ({"weights": [1.0, 0.0]}, "weights[1] is 0.0, but must be a finite number > 0."),
        ({"productivity": 0.0}, "productivity is 0.0, but must be a finite number > 0."),
        ({"amenity": [1.0, -1.0]}, "amenity[1] is -1.0, but must be a finite number > 0."),
        ({"spillover": float("inf")}, "spillover is inf, but must be a finite number."),
        ({"wages": [1, 1]}, "wages is [1, 1], but must be left out"),
        ({"geography": circle(5)}, "a matrix with a row for each of the geography's 5 cells"),
        ({"geography": 3}, "geography is 3"),
        ({"locations": ["a", "a"]}, "2 different names"),
    ],
)
def test_bad_input_is_one_sentence(changes: dict[str, Any], said: str) -> None:
    text = complaint(SpatialTrade, **{**TWO, **changes})
    assert said in text
    assert "\n" not in text


@pytest.mark.parametrize("amplitude", [1.0, -1.2, "big"])
def test_a_wave_must_leave_people_everywhere(amplitude: Any) -> None:
    population = {"kind": "cosine", "amplitude": amplitude}
    ring = {"trade_cost": {"rate": 0.5}, "geography": circle(5), "population": population}
    assert "population.amplitude is" in complaint(SpatialTrade, elasticity=5.0, **ring)


def test_own_trade_cost_may_exceed_one() -> None:
    """A place's internal distance is a cost like any other."""
    solution = solve(SpatialTrade(**{**TWO, "trade_cost": [[1.1, 1.5], [1.5, 1.2]]}))
    assert solution.certificate.passed


@pytest.mark.parametrize("option", [{"method": "tatonnement"}, {"kernel": "fft"}, {"truncation": 0.0}])
def test_bad_options(option: dict[str, Any]) -> None:
    assert next(iter(option)) in complaint(solve, SpatialTrade(**TWO), **option)
