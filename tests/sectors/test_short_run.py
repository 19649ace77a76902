"""The short run: multipliers are prices, wages and profit rates; two methods agree; errors are caught."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pyomo.environ as pyo
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import complaint, geographies

from agora.data import segment
from agora.models.sectors.short_run import ShortRunCompetition
from agora.runners import solve


def short_run(cells: int = 12, **changes: Any) -> ShortRunCompetition:
    given: dict[str, Any] = {
        "geography": segment(cells),
        "firm_share": 0.35,
        "substitution": 2.0,
        "productivity": {"kind": "sine", "amplitude": 0.5},
        "distribution": {"kind": "bump", "at": 0.15, "width": 0.1, "floor": 0.02},
    }
    return ShortRunCompetition(**{**given, **changes})


def one_way() -> nx.DiGraph:
    graph = nx.DiGraph([(0, 1, {"length": 1.0}), (1, 0, {"length": 2.0})])
    nx.set_node_attributes(graph, 0.5, "land")
    return graph


SWITCHES: list[dict[str, Any]] = [
    {},
    {"immobile_labor": {"kind": "sine", "amplitude": 0.3}},
    {"externality": 0.2, "preferences": {"kind": "sine", "amplitude": 0.4, "mode": 2}},
]


@pytest.mark.parametrize("alpha", [0.3, 0.6])
@pytest.mark.parametrize("sigma", [0.5, 0.9, 1.0, 1.5, 2.0, 5.0])
def test_multipliers_are_the_closed_form_and_derivatives_of_consumption(sigma: float, alpha: float) -> None:
    # spec/invisible-hand.md: |π − δC/δn| relative ≤ 1e-6 by finite differences
    for switch in SWITCHES:
        model = short_run(substitution=sigma, firm_share=alpha, **switch)
        solution = solve(model)
        assert solution.certificate.passed
        assert solution.is_global
        assert solution.certificate.facts["closed_form_differs_by"] <= 1e-9
        closed, table = model.closed_form()["sectors"], solution.tables["sectors"]
        for column in ("labor", "output", "price", "wage", "profit_rate"):
            assert table[column].to_numpy() == pytest.approx(closed[column].to_numpy(), rel=1e-6)
        economy, firms = model.economy, model.masses
        push = np.diag(1e-5 * firms)
        slopes = (economy.consumption(firms + push) - economy.consumption(firms - push)) / (2e-5 * firms)
        private = alpha / (alpha + model.externality)
        assert table["profit_rate"].to_numpy() == pytest.approx(private * slopes, rel=1e-6)


@pytest.mark.parametrize("switch", SWITCHES)
@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_slopes_of_profits_are_their_differences(sigma: float, switch: dict[str, Any]) -> None:
    model = short_run(substitution=sigma, **switch)
    economy, firms = model.economy, model.masses
    push = np.diag(1e-5 * firms)
    above, below = economy.profit_rates(firms + push), economy.profit_rates(firms - push)
    differences = ((above - below) / (2e-5 * firms)[:, None]).T
    own, common = economy.profit_slopes(firms)
    slopes = np.diag(own) + np.outer(economy.profit_rates(firms), common)
    np.testing.assert_allclose(slopes, differences, rtol=1e-6, atol=1e-6 * np.abs(slopes).max())


@pytest.mark.parametrize("immobile", [{}, SWITCHES[1]])
@pytest.mark.parametrize("sigma", [1.5, 2.0, 5.0])
def test_at_the_largest_externality_firms_attract_as_much_as_they_repel(
    sigma: float, immobile: dict[str, Any]
) -> None:
    limit = short_run(substitution=sigma, **immobile).economy.largest_externality
    assert short_run(substitution=sigma, externality=limit, **immobile).economy.curvature == pytest.approx(1)
    assert short_run(substitution=1.0, **immobile).economy.largest_externality == np.inf


def test_consumption_by_the_formula_of_the_model() -> None:
    # C = L̄^{1−α} Z^{α/θ}, a = b^{1−θ} A^{θ/α}, on land 1 so that densities are masses
    random = np.random.default_rng(3)
    graph = nx.path_graph(5)
    for _, _, data in graph.edges(data=True):
        data["length"] = 1.0
    for node in graph:
        graph.nodes[node]["land"] = 1.0
    tastes, technology, spread = (random.uniform(0.5, 2.0, 5) for _ in range(3))
    alpha, sigma, labor = 0.4, 3.0, 2.5
    model = ShortRunCompetition(
        geography=graph, firm_share=alpha, substitution=sigma, labor=labor, firms=1.7,
        preferences=tastes.tolist(), productivity=technology.tolist(), distribution=spread.tolist(),
    )  # fmt: skip
    theta = alpha * (sigma - 1) / (1 + alpha * (sigma - 1))
    n = 1.7 * spread / spread.sum()
    weights = tastes ** (1 - theta) * technology ** (theta / alpha)
    z = (weights * n**theta).sum()
    consumption = labor ** (1 - alpha) * z ** (alpha / theta)
    found = model.closed_form()
    assert found["totals"]["consumption"].iloc[0] == pytest.approx(consumption, rel=1e-12)
    rates = alpha * consumption * weights * n ** (theta - 1) / z
    assert found["sectors"]["profit_rate"].to_numpy() == pytest.approx(rates, rel=1e-12)
    assert solve(model).objective == pytest.approx(consumption, rel=1e-9)


@settings(max_examples=10, deadline=None)
@given(geographies(5), st.floats(0.2, 4.0), st.floats(0.1, 0.8))
def test_random_economies_are_certified(graph: nx.Graph, sigma: float, alpha: float) -> None:
    if 0 < abs(sigma - 1) < 1e-3:
        sigma = 1.0
    solution = solve(ShortRunCompetition(geography=graph, firm_share=alpha, substitution=sigma))
    assert solution.certificate.passed


def test_golden_text_on_two_sectors() -> None:
    program = short_run(2, productivity=1.0, distribution=1.0).program()
    assert str(program.given_firms[0].expr) == "firms[0]  ==  0.5"
    assert str(program.production_limit[1].expr) == ("output[1] - firms[1]**0.35*labor[1]**0.65  <=  0.0")
    assert str(program.labor_limit.expr) == "labor[0] + labor[1]  <=  1.0"
    assert "0.7071067811865476*output[0]**0.5" in str(program.taste_balance.expr)
    assert str(program.consumption.expr) == "taste_index**2.0"
    assert program.aggregate_consumption.sense == pyo.maximize


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"substitution": 0.0}, "substitution is 0.0, but must be a finite number > 0."),
        ({"substitution": -1.0}, "substitution is -1.0"),
        ({"substitution": float("nan")}, "substitution is nan"),
        ({"substitution": 1 + 1e-9}, "1, or at least 1e-6 away from it"),
        ({"firm_share": 0.0}, "firm_share is 0.0, but must be a number > 0 and < 1."),
        ({"firm_share": 1.0}, "firm_share is 1.0, but must be a number > 0 and < 1."),
        ({"distribution": [1.0, -0.1]}, "distribution[1] is -0.1, but must be a finite number > 0."),
        ({"distribution": [1.0, 2.0]}, "but must be a number, or one a sector, 12 in all."),
        ({"distribution": {"kind": "bump", "at": 0.1, "width": 0.001}}, "a number > 0 in every sector"),
        ({"productivity": {"kind": "sin"}}, "did you mean sine?"),
        ({"productivity": {"kind": "sine", "amplitud": 1.0}}, "did you mean amplitude?"),
        ({"productivity": {"kind": "sine", "amplitude": 1.0}}, "productivity.amplitude is 1.0"),
        ({"productivity": "high"}, "productivity is 'high', but must be a number > 0, a list"),
        ({"externality": -0.1}, "externality is -0.1, but must be a finite number >= 0."),
        ({"labour": 1.0}, "did you mean labor?"),
        ({"geography": one_way()}, "geography is 'a directed graph', but must be undirected"),
    ],
)
def test_bad_input_gets_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    said = complaint(short_run, **changes)
    assert sentence in said
    assert "\n" not in said
