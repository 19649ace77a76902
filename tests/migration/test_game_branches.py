"""Branches of a game: followed, bifurcating, found by deflation; trade costs charged in part."""

from __future__ import annotations

import numpy as np
import pytest
from games import field, game
from makers import complaint

from agora.data import Caution
from agora.formulations.migration.kernels import DenseKernel, LowRankKernel
from agora.methods.migration.continuation import Continuation, at_value, bifurcation, follow
from agora.methods.migration.game import crowd_at_rest, crowded, replied, rest_course
from agora.methods.migration.path_newton import Course, PathEquations, newton_path
from agora.runners import SolveFailed, solve


def test_a_branch_is_followed_and_named() -> None:
    plan = {"parameter": "initial.amplitude", "start": 0.1, "steps": 2}
    solution = solve(game("K2"), continuation=plan)
    direct = solve(game("K2"))
    assert solution.tables["branch"]["value"].tolist() == pytest.approx([0.1, 0.3, 0.5])
    assert "continuation in initial.amplitude" in solution.certificate.facts["reached"]
    assert field(solution, "density") == pytest.approx(field(direct, "density"), abs=1e-7)


def test_less_of_the_trade_costs_is_a_homotopy() -> None:
    model = game("A1", 6, steps=4, trade_cost_share=0.5)
    assert isinstance(model.trade_kernel, DenseKernel | LowRankKernel)
    solution = solve(model, continuation={"parameter": "trade_cost_share", "start": 0.1, "steps": 1})
    assert solution.tables["branch"]["value"].tolist() == pytest.approx([0.1, 0.5])
    free, whole = (solve(game("A1", 6, steps=4, trade_cost_share=s)) for s in (0.0, 1.0))
    assert np.ptp(field(free, "real_wage")[-1] * field(free, "density")[-1] ** 0.2) < 1e-8  # V ∝ μ^{−1/σ}
    near = solve(game("A1", 6, steps=4, trade_cost_share=1 - 1e-9))
    assert field(near, "density") == pytest.approx(field(whole, "density"), abs=1e-7)


def test_steps_are_halved_where_concentration_jumps() -> None:
    model = game("K1", 8, horizon="stationary", scheme="exponential", moving_cost=200.0)
    first = crowd_at_rest(at_value(model, "moving_cost", 120.0))
    whole = bifurcation(model, "moving_cost", 120.0, [200.0], first=first, steps=2)
    assert whole["value"].tolist() == [120.0, 160.0, 200.0]
    plan = Continuation(parameter="moving_cost", start=120.0, steps=1, jump=0.3)
    tables, rows, _ = follow(model, plan, first)
    hhi = np.array([row["hhi"] for row in rows])
    assert len(rows) > 2
    assert hhi[-1] > 1.1
    assert (np.abs(hhi[1:] / hhi[:-1] - 1) <= 0.3).all()
    assert tables["concentration"]["hhi"].iloc[0] == pytest.approx(whole["hhi"].iloc[-1], abs=1e-8)
    with pytest.raises(SolveFailed, match="no further towards 200"):
        follow(model, Continuation(parameter="moving_cost", start=120.0, steps=1, jump=1e-5), first)


@pytest.mark.heavy
def test_the_branch_of_agglomerations() -> None:
    # N = 64, c0 = 120 continued down from 220: reference values
    model = game("K1", 64, horizon="stationary", scheme="exponential")
    near = at_value(model, "moving_cost", 220.0)
    first = rest_course(near, 1 + 0.6 * np.cos(model.angles[0]))
    table = bifurcation(model, "moving_cost", 220.0, [120.0], first=first)
    assert table["peak"].iloc[0] == pytest.approx(5.53667167, abs=1e-7)
    assert table["hhi"].iloc[0] == pytest.approx(3.82618290, abs=1e-7)
    assert (np.diff(table["hhi"]) < 0).all()


@pytest.mark.parametrize("time_scheme", ["implicit-euler", "trapezoid"])
@pytest.mark.parametrize("scheme", ["upwind", "central", "exponential"])
def test_the_special_road_is_the_program(scheme: str, time_scheme: str) -> None:
    model = game("K1", 6, steps=4, horizon=4.0, moving_cost=30.0, scheme=scheme, time_scheme=time_scheme)
    equations = PathEquations(model)
    x = np.random.default_rng(0).uniform(0.6, 1.4, equations.shape)
    equations.residual(x)
    jacobian = equations.jacobian(x).toarray()
    direction = np.random.default_rng(1).normal(size=x.shape)
    ahead, behind = (equations.residual(x + step * direction) for step in (1e-6, -1e-6))
    assert jacobian @ direction.ravel() == pytest.approx((ahead - behind).ravel() / 2e-6, abs=1e-7)
    solution = solve(model)
    start = Course(np.tile(model.initial_density, (5, 1)), 0.5 * field(solution, "value"), np.ones((5, 6)))
    course, _ = newton_path(model, start, tolerance=1e-11)
    assert course.density == pytest.approx(field(solution, "density"), abs=1e-8)
    assert course.value == pytest.approx(field(solution, "value"), abs=1e-8)
    assert course.wages == pytest.approx(field(solution, "wage"), abs=1e-8)


def test_deflation_leaves_what_is_known() -> None:
    even = game("K3", 8, initial={"kind": "uniform"})
    start = replied(even, crowded(even, [0], 0.3, 9), 8, even.period_lengths())
    first, _ = newton_path(even, start)
    second, _ = newton_path(even, start, [first.density])
    assert np.abs(first.density - second.density).max() > 1e-3
    for course in (first, second):
        gap = PathEquations(even).residual(np.stack([course.value[:-1], course.density[1:]]))
        assert np.abs(gap).max() < 1e-8


def test_self_fulfilling_equilibria_beside_the_even_one() -> None:
    even = game("K3", 8, initial={"kind": "uniform"})
    with pytest.warns(Caution, match=r"beyond T\* = "):
        solution = solve(even)
    with pytest.warns(Caution):
        other = solve(even, start="agglomerated")
    assert solution.tables["concentration"]["hhi"].iloc[-1] == pytest.approx(1.0, abs=1e-9)
    assert other.tables["concentration"]["hhi"].iloc[-1] > 2
    assert solution.certificate.facts["lasry_lions_quotient"] > 0
    with pytest.warns(Caution):
        searched = solve(even, starts=2, seed=3)
    assert searched.certificate.facts["equilibria_found"] > 1
    assert solve(game("A1")).certificate.facts["lasry_lions_quotient"] < 0


def test_a_rush_to_two_cells_fulfils_itself() -> None:
    # K3 without a wave, 32 × 32: a value derived independently, two crowds 14 cells apart
    even = game("K3", 32, initial={"kind": "uniform"})
    start = replied(even, crowded(even, [0, 14], 0.3, 33), 6, even.period_lengths())
    course, _ = newton_path(even, start)
    assert float(np.square(course.density[-1]).mean()) == pytest.approx(6.62589424, abs=1e-7)
    assert np.flatnonzero(course.density[-1] > 5).tolist() == [0, 14]


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("centres", "hhi", "crowds"), [([0], 6.83780541, [0, 16]), ([0, 14], 6.62589424, [0, 14])]
)
def test_two_crowds_by_two_routes(centres: list[int], hhi: float, crowds: list[int]) -> None:
    # the first is our own value: a rush to one cell empties the other side, where a second crowd forms
    even = game("K3", 32, initial={"kind": "uniform"})
    start = replied(even, crowded(even, centres, 0.3, 33), 20, even.period_lengths())
    course, _ = newton_path(even, start)
    assert float(np.square(course.density[-1]).mean()) == pytest.approx(hhi, abs=1e-7)
    with pytest.warns(Caution):
        solution = solve(even, start="agglomerated", centres=centres)
    assert solution.tables["concentration"]["hhi"].iloc[-1] == pytest.approx(hhi, abs=1e-7)
    assert np.flatnonzero(field(solution, "density")[-1] > 5).tolist() == crowds


def test_centres_are_cells() -> None:
    assert "centres[1] is 8, but must be at most 7, the last cell." in complaint(
        solve, game("A1"), start="agglomerated", centres=[0, 8]
    )
    assert "centres[0] is -1, but must be a whole number >= 0." in complaint(
        solve, game("A1"), start="agglomerated", centres=[-1]
    )
