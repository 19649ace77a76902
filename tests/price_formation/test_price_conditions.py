"""The definition of equilibrium bites: planted errors, and best replies against independent searches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from agora.data.price_formation.laws_and_supply import random_walk_tree
from agora.data.price_formation.state_costs import DoubleWell, QuadraticCost, StateCost
from agora.models.price_formation.conditions.best_replies import Agent, cheapest_replies, quadratic_values
from agora.models.price_formation.conditions.market import exploitability
from agora.models.price_formation.price_formation import PriceFormation
from agora.models.solution import Solution
from agora.runners import certify, solve

WELLS = {"kind": "double-well", "weight": 50.0, "wells": [0.25, 0.75]}
LAW = {"kind": "linspace", "from": 0.0, "to": 1.0, "number": 6}


def quadratic(weight: float, target: float = 0.0) -> dict[str, Any]:
    return {"kind": "quadratic", "weight": weight, "target": target}


@pytest.fixture(scope="module")
def markets() -> dict[str, Solution]:
    sine: dict[str, Any] = {
        "horizon": 1.0,
        "steps": 15,
        "agents": LAW,
        "supply": {"kind": "sine", "frequency": 10.0},
    }
    coupled = {"kind": "quadratic", "weight": [[3.0, 1.0], [1.0, 2.0]], "target": [0.2, 0.1]}
    two = {**sine, "agents": [[0.0, 1.0], [1.0, 0.5]], "supply": [[0.1, 0.2]] * 15}
    return {
        "quadratic": solve(PriceFormation(**sine, terminal=quadratic(4.0))),
        "mixed": solve(PriceFormation(**sine, terminal=WELLS)),
        "running": solve(PriceFormation(**sine, running=WELLS)),
        "tree": solve(
            PriceFormation(
                **{**sine, "supply": random_walk_tree(1.0, 15, branchings=2)}, running=quadratic(3.0)
            )
        ),
        "assets": solve(PriceFormation(**two, running=coupled)),
        "bounded": solve(PriceFormation(**sine, terminal=quadratic(12.0, -0.5), state_bounds=(-0.02, None))),
    }


KINDS = ("quadratic", "mixed", "running", "tree", "assets", "bounded")


@pytest.mark.parametrize("kind", KINDS)
def test_rows_may_come_in_any_order(markets: dict[str, Solution], kind: str) -> None:
    solution = markets[kind]
    shuffled = {name: table.sample(frac=1.0, random_state=1) for name, table in solution.tables.items()}
    assert certify(solution.model, shuffled, 1e-6).passed


@pytest.mark.parametrize("kind", KINDS)
def test_a_price_moved_everywhere_is_exploitable(markets: dict[str, Solution], kind: str) -> None:
    solution = markets[kind]
    moved = solution.tables["price"].assign(price=solution.tables["price"]["price"] + 0.05)
    certificate = certify(solution.model, {**solution.tables, "price": moved}, 1e-6)
    worst = {c.name: c.worst for c in certificate.conditions}
    assert worst["exploitability_mean"] > 1e-5
    assert worst["exploitability_max"] >= worst["exploitability_mean"] * (1 - 1e-9)
    assert worst["clearing"] <= 1e-6


def test_the_gap_is_the_mean_gain(markets: dict[str, Solution]) -> None:
    for kind in KINDS:
        solution = markets[kind]
        moved = solution.tables["price"].assign(price=solution.tables["price"]["price"] + 0.03)
        worst = {
            c.name: c.worst
            for c in certify(solution.model, {**solution.tables, "price": moved}, 1e-6).conditions
        }
        assert worst["gap"] == pytest.approx(worst["exploitability_mean"], abs=1e-8)


def test_agents_in_the_wrong_well_are_found() -> None:
    law = {"kind": "linspace", "from": 0.0, "to": 1.0, "number": 12}
    model = PriceFormation(horizon=1.0, steps=12, agents=law, supply=[0.0] * 12, terminal=WELLS)
    solution = solve(model)
    gains = exploitability(model, solution.tables)
    assert gains.largest.max() <= 2e-7
    # P = 0 by symmetry; the agent at 0 sent to the upper well loses what the two trips differ by
    assert solution.tables["price"]["price"].abs().max() <= 1e-9
    paths = solution.tables["paths"].copy()
    first = paths["agent"] == 0
    paths.loc[first, "control"] = np.where(paths.loc[first, "control"].isna(), np.nan, 0.75)
    paths.loc[first, "state"] = 0.75 * paths.loc[first, "time"]
    value = gains.values[0]
    worse = exploitability(model, {**solution.tables, "paths": paths})
    assert worse.largest[0] == pytest.approx(0.75**2 / 2 - value, abs=1e-9)


# --- best replies --------------------------------------------------------------------------------


def tried(agent: Agent, start: float, random: np.random.Generator, tries: int = 6) -> float:
    """Return the least cost that a general minimiser finds from many starts."""
    best = np.inf
    for _ in range(tries):
        ends = random.uniform(-1.0, 2.0, 2)
        grid = np.arange(1, agent.number + 1) / agent.number
        x = np.interp(grid, [0, random.uniform(0.2, 0.8), 1.0], [start, *ends])

        def cost(y: np.ndarray) -> float:
            return float(agent.cost(np.r_[start, y][None])[0])

        def slope(y: np.ndarray) -> np.ndarray:
            return agent.gradient(np.r_[start, y][None])[0]

        best = min(best, float(minimize(cost, x, jac=slope, method="L-BFGS-B", options={"maxiter": 500}).fun))
    return best


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**6))
def test_no_search_beats_the_proved_bound(seed: int) -> None:
    random = np.random.default_rng(seed)
    number = int(random.integers(4, 25))
    wells = DoubleWell(weight=float(random.uniform(10, 60)), wells=(0.2, float(random.uniform(0.5, 0.8))))
    costs: list[StateCost] = [wells, StateCost(), QuadraticCost(weight=3.0, target=0.4)]
    running, terminal = (costs[int(k)] for k in random.integers(0, 3, 2))
    agent = Agent(random.normal(scale=0.6, size=number), 1.0 / number, 1.0, running, terminal)
    starts = random.uniform(0, 1, 3)
    found = cheapest_replies(agent, starts, 1e-7)
    assert found.proof or not (running.convex or terminal.convex)
    for k, start in enumerate(starts):
        reached = tried(agent, float(start), random)
        assert reached >= found.bounds[k] - 1e-9
        if found.proof:
            assert found.values[k] <= reached + 1e-8
            assert found.values[k] - found.bounds[k] <= 1e-7 + 1e-12


def test_the_value_function_in_plain_numbers_is_that_of_matrices() -> None:
    random = np.random.default_rng(5)
    model = PriceFormation(
        horizon=1.3, steps=40, agents=LAW, supply=[0.0] * 40, control_cost=1.7,
        running=quadratic(3.0, 0.2), terminal=quadratic(5.0, -0.4),
    )  # fmt: skip
    named = model.supply.model_copy(update={"names": tuple(str(k) for k in range(40))})
    costs = [(c.matrix(1), c.targets(1)) for c in (model.running, model.terminal)]  # type: ignore[attr-defined]
    prices = random.normal(size=(1, 40))
    plain, matrices = (
        quadratic_values(model.starts, prices, supply, model.step, 1.7, *costs).values
        for supply in (model.supply, named)
    )
    assert plain == pytest.approx(matrices, abs=1e-12)


def test_best_replies_are_asked_anew_when_anything_changes() -> None:
    sine = {"kind": "sine", "frequency": 10.0}
    terms: dict[str, Any] = {
        "horizon": 1.0, "steps": 15, "agents": LAW, "supply": sine, "terminal": WELLS,
    }  # fmt: skip
    one = PriceFormation(**terms)
    tables = solve(one).tables
    first = exploitability(one, tables)
    assert exploitability(one, tables).values.tolist() == first.values.tolist()
    changes: list[dict[str, Any]] = [
        {"terminal": {**WELLS, "weight": 40.0}}, {"running": WELLS}, {"control_cost": 2.0}, {"horizon": 1.1},
    ]  # fmt: skip
    for change in changes:
        other = exploitability(PriceFormation(**{**terms, **change}), tables)
        assert np.abs(other.values - first.values).max() > 1e-4, change
    moved = tables["price"].assign(price=tables["price"]["price"] + 0.01)
    assert np.abs(exploitability(one, {**tables, "price": moved}).values - first.values).max() > 1e-4


def test_best_replies_are_computed_once_in_a_solve_and_forgotten_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []

    def counted(*arguments: Any) -> Any:
        asked.append(arguments)
        return cheapest_replies(*arguments)

    monkeypatch.setattr("agora.models.price_formation.conditions.market.cheapest_replies", counted)
    model = PriceFormation(horizon=1.0, steps=8, agents=LAW, supply=[0.0] * 8, running=WELLS, terminal=WELLS)
    first, second = solve(model), solve(model)  # the method and the certificate ask, each time
    assert len(asked) == 2
    assert first.certificate.record() == second.certificate.record()
    exploitability(model, first.tables)
    exploitability(model, first.tables)
    assert len(asked) == 4


def test_without_proof_it_is_said() -> None:
    stiff = DoubleWell(weight=5000.0, wells=(0.25, 0.75))
    agent = Agent(np.zeros(50), 0.02, 1.0, stiff, StateCost())
    assert agent.pin()[0] == 0
    found = cheapest_replies(agent, np.array([0.5, 0.1]), 1e-7)
    assert found.proof == ""
    model = PriceFormation(
        horizon=1.0, steps=40, agents=LAW, supply=[0.0] * 40,
        running={"kind": "double-well", "weight": 2000.0, "wells": [0.25, 0.75]},
    )  # fmt: skip
    solution = solve(model, raise_uncertified=False)
    assert not solution.is_global
    assert "not proved" in solution.certificate.facts["best_replies"]


def test_the_pinned_cost_is_weakly_convex_with_the_stated_constant() -> None:
    random = np.random.default_rng(3)
    agent = Agent(
        random.normal(size=30), 1 / 30, 1.0, DoubleWell(weight=50.0, wells=(0.25, 0.75)), StateCost()
    )
    place, kappa = agent.pin()
    at = np.linspace(-0.5, 1.5, 81)
    start = np.full((81, 31), 0.4)
    start[:, place] = at
    states, slack = agent.solve(start, place)
    assert slack.max() <= 1e-12
    bent = agent.cost(states) + kappa / 2 * at**2
    assert (np.diff(bent, 2) >= -1e-11).all()
    slope = agent.gradient(states)[:, place - 1]
    numeric = np.gradient(agent.cost(states), at)
    assert slope[1:-1] == pytest.approx(numeric[1:-1], abs=5e-2)
