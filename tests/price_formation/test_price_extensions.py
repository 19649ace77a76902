"""Price formation with several assets, random supply, and bounds."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pyomo.environ as pyo
import pytest
from trading_games import NONE, game, prices, quadratic

from agora.data.price_formation.laws_and_supply import random_walk_tree
from agora.models.price_formation.conditions.market import exploitability
from agora.models.price_formation.price_formation import PriceFormation
from agora.runners import solve, solve_program
from agora.solvers import NonlinearProgram


def test_two_assets_with_coupled_costs() -> None:
    weight = [[6.0, 2.0], [2.0, 3.0]]
    model = PriceFormation(
        horizon=1.0,
        steps=20,
        agents=[[0.0, 1.0], [0.5, 0.2], [1.0, 0.7]],
        supply=np.column_stack([np.sin(np.arange(20)), np.cos(np.arange(20))]).tolist(),
        running={"kind": "quadratic", "weight": weight, "target": [0.2, 0.1]},
        terminal=quadratic(2.0, 0.5),
    )
    solution = solve(model)
    assert solution.is_global
    assert set(solution.tables["price"]["asset"]) == {1, 2}
    program = model.program()
    solve_program(program)
    assert prices(model.read(program)) == pytest.approx(prices(solution.tables), abs=1e-6)


def test_uncoupled_assets_are_two_markets() -> None:
    supply = np.column_stack([np.sin(np.arange(15)), np.cos(np.arange(15))])
    both = PriceFormation(
        horizon=1.0,
        steps=15,
        agents=[[0.0, 1.0], [1.0, 0.7]],
        supply=supply.tolist(),
        running=quadratic(6, 0.2),
    )
    found = prices(solve(both).tables).reshape(2, -1)
    for asset, states in enumerate(([0.0, 1.0], [1.0, 0.7])):
        alone = game(
            steps=15,
            agents=states,
            supply=supply[:, asset].tolist(),
            running=quadratic(6, 0.2),
            terminal=NONE,
        )
        assert found[asset] == pytest.approx(prices(solve(alone).tables), abs=1e-11)


def test_random_supply_has_a_price_that_cannot_foresee() -> None:
    tree = random_walk_tree(1.0, 12, branchings=3, deviation=0.8, level=0.2)
    model = game(4, 12, supply=tree, running=quadratic(6, 0.2), terminal=quadratic(2, 0.5))
    solution = solve(model)
    assert solution.is_global
    program = model.program()
    solve_program(program)
    assert prices(model.read(program)) == pytest.approx(prices(solution.tables), abs=1e-6)
    table = solution.tables["price"]
    assert table.groupby("time")["probability"].sum().to_numpy() == pytest.approx(1.0)
    # before the first event the price is the mean of what it would be on each path if that were known
    leaves = [node for node in tree if tree.out_degree(node) == 0]
    known = []
    for leaf in leaves:
        path = nx.shortest_path(tree, "0", leaf)
        sure = game(
            4, 12, supply=[tree.nodes[n]["supply"] for n in path], running=quadratic(6, 0.2),
            terminal=quadratic(2, 0.5),
        )  # fmt: skip
        known.append(prices(solve(sure).tables)[0])
    assert prices(solution.tables)[0] == pytest.approx(np.mean(known), abs=1e-10)
    assert np.ptp(known) > 0.1


def test_a_tree_without_branches_is_known_supply() -> None:
    values = np.sin(np.arange(8.0))
    graph = nx.DiGraph()
    for step, value in enumerate(values):
        graph.add_node(step, supply=float(value), probability=1.0)
    nx.add_path(graph, range(8))
    one = solve(game(3, 8, supply=graph)).tables
    assert prices(one) == pytest.approx(prices(solve(game(3, 8, supply=values.tolist())).tables), abs=1e-12)


@pytest.mark.parametrize(
    ("state_bounds", "control_bounds"),
    [((0.2, None), (None, None)), ((None, None), (-0.7, 0.8)), ((0.215, 1.0), (-0.63, 0.63))],
)
def test_bounds_bind_and_are_certified(state_bounds: Any, control_bounds: Any) -> None:
    free = game(
        {"kind": "linspace", "from": 0.2, "to": 0.9, "number": 8}, 30,
        supply={"kind": "sine", "frequency": 6.28, "amplitude": -0.6}, terminal=quadratic(12, -0.3),
    )  # fmt: skip
    model = free.model_copy(update={"state_bounds": state_bounds, "control_bounds": control_bounds})
    solution = solve(model)
    assert solution.is_global
    paths, before = solution.tables["paths"], solve(free).tables["paths"]
    for column, (low, high) in (("state", state_bounds), ("control", control_bounds)):
        values = paths.loc[(paths["time"] > 0) | (column == "control"), column].dropna()
        assert low is None or values.min() >= low - 1e-8
        assert high is None or values.max() <= high + 1e-8
    assert np.abs(paths["state"] - before["state"]).max() > 1e-3  # something was bound


@pytest.mark.parametrize(
    ("state_bounds", "control_bounds"),
    [((0.0, None), (None, None)), ((None, 1.41), (None, None)), ((0.0, 1.42), (-1.25, 1.6))],
)
def test_bounds_hold_on_every_branch_of_random_supply(state_bounds: Any, control_bounds: Any) -> None:
    tree = random_walk_tree(1.0, 12, branchings=3, deviation=0.8, level=0.2)
    terms = {"running": quadratic(6, 0.2), "terminal": quadratic(2, 0.5), "supply": tree}
    model = game(4, 12, state_bounds=state_bounds, control_bounds=control_bounds, **terms)
    solution, free = solve(model), solve(game(4, 12, **terms))
    assert solution.is_global
    paths = solution.tables["paths"]
    assert paths["state"].min() >= (state_bounds[0] if state_bounds[0] is not None else -9) - 1e-8
    assert paths["state"].max() <= (state_bounds[1] if state_bounds[1] is not None else 9) + 1e-8
    assert np.abs(paths["state"] - free.tables["paths"]["state"]).max() > 1e-3
    program = model.program()
    NonlinearProgram(program).solve()
    assert prices(model.read(program)) == pytest.approx(prices(solution.tables), abs=1e-5)
    # at another price the proved gain is at least what best replies, computed as a program, do gain
    random = np.random.default_rng(2)
    other = solution.tables["price"].assign(
        price=prices(solution.tables) + random.normal(scale=0.2, size=len(model.supply.parents))
    )
    proved = exploitability(model, {**solution.tables, "price": other})
    replies = model.program()
    replies.clearing_balance.deactivate()
    replies.population_cost.deactivate()
    weight = model.step * np.array(model.supply.probabilities) * other["price"].to_numpy()
    replies.reply_cost = pyo.Objective(
        expr=replies.population_cost.expr
        + pyo.quicksum(
            model.masses[k] * weight[v] * replies.control[k, 1, v]
            for k in replies.replies
            for v in replies.nodes
        )
    )
    solve_program(replies)
    spent = paths.sort_values(["agent", "node"])["control"].dropna().to_numpy().reshape(4, -1)
    gained = (
        solution.tables["totals"]["population_cost"].iloc[0]
        + float(model.masses @ spent @ weight)
        - pyo.value(replies.reply_cost)
    )
    assert gained > 1e-3
    assert float(model.masses @ proved.gains) >= gained - 1e-8


def test_who_starts_out_of_bounds_may_come_in() -> None:
    model = game([0.0, 0.4], 10, supply=[0.3] * 10, state_bounds=(0.02, None), running=quadratic(3, 0.2))
    paths = solve(model).tables["paths"]
    assert paths["state"].iloc[0] == 0.0
    assert paths.loc[paths["time"] > 0, "state"].min() >= 0.02 - 1e-8


def test_wide_bounds_change_nothing() -> None:
    free = game(5, 20, running=quadratic(4, 0.1))
    wide = free.model_copy(update={"state_bounds": (-50.0, 50.0), "control_bounds": (-90.0, 90.0)})
    assert prices(solve(wide).tables) == pytest.approx(prices(solve(free).tables), abs=1e-6)
