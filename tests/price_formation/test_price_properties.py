"""Price formation: what holds for every market, and the derivatives that the method uses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trading_games import NONE, WELLS, game, prices, quadratic

from agora.methods.price_formation.column_generation import TradingGame
from agora.models.price_formation.conditions.market import exploitability
from agora.runners import solve


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**6))
def test_relabelling_scaling_and_shifting(seed: int) -> None:
    random = np.random.default_rng(seed)
    states, masses = random.normal(size=6), random.uniform(0.5, 2.0, 6)
    supply = random.normal(size=12)
    terms = {"running": quadratic(5, 0.3), "terminal": quadratic(2, 0.7), "steps": 12}

    def solved(x: np.ndarray, w: np.ndarray, **changes: Any) -> np.ndarray:
        law = {"kind": "list", "states": x.tolist(), "weights": w.tolist()}
        return prices(solve(game(**{**terms, "agents": law, "supply": supply.tolist(), **changes})).tables)

    base, order = solved(states, masses), random.permutation(6)
    assert solved(states[order], masses[order]) == pytest.approx(base, abs=1e-10)
    assert solved(np.r_[states, states], np.r_[masses, masses]) == pytest.approx(base, abs=1e-10)
    tripled = {"running": quadratic(15, 0.3), "terminal": quadratic(6, 0.7), "control_cost": 3.0}
    assert solved(states, masses, **tripled) == pytest.approx(3 * base, abs=1e-9)
    moved = {"running": quadratic(5, 1.3), "terminal": quadratic(2, 1.7)}
    assert solved(states + 1, masses, **moved) == pytest.approx(base, abs=1e-10)


# 13, 20, 28, 31 and 70706 need colder schedules or have more mixed replies than prices can make indifferent
@pytest.mark.parametrize(
    "seed", [0, 1, 2, 28, 70706, *(pytest.param(seed, marks=pytest.mark.heavy) for seed in (3, 13, 20, 31))]
)
def test_random_wells_are_solved_with_proof(seed: int) -> None:
    random = np.random.default_rng(seed)
    low = float(random.uniform(0.0, 0.4))
    wells = {
        "kind": "double-well",
        "weight": float(random.uniform(10, 50)),
        "wells": [low, low + float(random.uniform(0.3, 0.5))],
    }
    model = game(
        7, 25, running=wells if random.random() < 0.6 else NONE, terminal=wells,
        supply=random.normal(scale=0.8, size=25).tolist(),
    )  # fmt: skip
    solution = solve(model, raise_uncertified=False)
    worst = {c.name: c.worst for c in solution.certificate.conditions}
    assert worst["clearing"] <= 1e-6
    assert solution.certificate.passed == solution.is_global
    if solution.certificate.facts["best_replies"].startswith("branch"):
        assert solution.is_global, (seed, worst)


def test_objective_rises_with_the_cost_of_trading() -> None:
    values = [solve(game(6, 15, running=WELLS, terminal=NONE, control_cost=c)).objective for c in (0.5, 1, 2)]
    assert values == sorted(values)


def test_the_dual_of_the_price_is_concave_and_below_the_optimum() -> None:
    model = game(9, 20, terminal=WELLS)
    solution = solve(model)
    random = np.random.default_rng(4)
    for _ in range(10):
        other = prices(solution.tables) + random.normal(scale=0.3) + random.normal(scale=0.1, size=20)
        table = solution.tables["price"].assign(price=other)
        values = exploitability(model, {**solution.tables, "price": table}).values
        dual = model.masses @ values - model.step * other @ model.supply.values[:, 0]
        assert dual <= solution.objective + 1e-9


def test_newton_on_the_dual_has_the_right_derivatives() -> None:
    model = game(5, 12, running=WELLS, terminal=NONE)
    trading = TradingGame(model)
    random = np.random.default_rng(1)
    multipliers = random.normal(scale=0.05, size=12)
    columns = trading.generate(multipliers)
    for direction in np.eye(12)[[0, 5, 11]]:
        small = 1e-5
        ahead, behind = (trading.follow(columns, multipliers + s * small * direction) for s in (1, -1))
        slope = (trading.shares(ahead, 1e-2)[1] - trading.shares(behind, 1e-2)[1]) / (2 * small)
        shares = trading.shares(columns, 1e-2)[0]
        excess = trading.excess(columns, shares)
        assert slope == pytest.approx(excess @ direction, abs=1e-8)
        change = (
            trading.excess(ahead, trading.shares(ahead, 1e-2)[0])
            - trading.excess(behind, trading.shares(behind, 1e-2)[0])
        ) / (2 * small)
        assert change == pytest.approx(-trading.curvature(columns, shares, 1e-2) @ direction, abs=1e-6)
