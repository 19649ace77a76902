"""Welfare against the potential: (τ, t) ↔ (τ, (k+1)t), subsidies that decentralise, price of anarchy."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import city, complaint, geographies

from agora.data import ProductionFunction, WithinCellPower, circle, two_cell
from agora.methods.city.efficiency import (
    anarchy_map,
    decentralising_subsidy,
    degree,
    shortfall,
    welfare,
    welfare_optimum,
    worst_anarchy_map,
)
from agora.methods.city.firms_game import FirmsGame
from agora.methods.city.global_search import certified_maximiser
from agora.methods.city.vertex_enumeration import vertices
from agora.models import FujitaOgawa


@settings(max_examples=6, deadline=None)
@given(geographies(largest=5), st.floats(0.02, 0.6), st.floats(0.5, 6.0), st.sampled_from([0.5, 1.0, 2.0]))
def test_the_optimum_is_the_best_vertex_and_is_decentralised(
    graph: nx.Graph, t: float, tau: float, phi: float
) -> None:
    at = city(graph, t, tau, firm_mass=1 / (1 + phi), phi=phi)
    game = FirmsGame(at)
    if game.tangent_eigenvalue <= 1e-6:
        return
    corners = vertices(at)
    values = np.array([at.interaction.level(m) @ m for m in corners]) - game.commuting_costs(corners)
    found = welfare_optimum(at)
    assert found.is_global
    assert found.welfare == pytest.approx(values.max(), abs=1e-12)
    assert found.welfare == pytest.approx(welfare(at, found.firms), abs=1e-12)
    assert found.subsidy == pytest.approx(at.interaction.level(found.firms))
    assert found.shortfall == pytest.approx(0.0, abs=1e-12)


def test_the_subsidy_holds_what_firms_would_leave() -> None:
    # three cells, δ = e^{−20/3}: m̂ is optimal up to t = ½(1−δ), selected up to ¼(1−δ), an equilibrium up to
    # ½(1−δ), with the subsidy up to 1−δ
    three = city(circle(3), 0.3, 20.0)
    assert sorted((6 * welfare_optimum(three).firms).round(12).tolist()) == [0.0, 1.0, 2.0]
    assert certified_maximiser(three).tables["cells"]["firms"].to_numpy() == pytest.approx(np.full(3, 1 / 6))
    mono = np.array([1 / 3, 1 / 6, 0.0])
    assert shortfall(three, mono, np.zeros(3)) == pytest.approx(0.0, abs=1e-12)
    dear = city(circle(3), 0.6, 20.0)
    assert shortfall(dear, mono, np.zeros(3)) > 1e-3
    assert shortfall(dear, mono, decentralising_subsidy(dear, mono)) == pytest.approx(0.0, abs=1e-12)


def test_within_cell_externality_of_degree_one_half() -> None:
    at = FujitaOgawa(
        geography=two_cell(land=(0.6, 0.4)), commuting_cost=0.1, firm_mass=0.5, labor_per_firm=1.0,
        externality=WithinCellPower(exponent=0.5),
    )  # fmt: skip
    assert degree(at) == 0.5
    found = welfare_optimum(at)
    assert found.subsidy == pytest.approx(0.5 * np.sqrt(found.firms))  # Σ m_j ∂A_j/∂m_i = α m_i^α
    assert found.welfare == pytest.approx(welfare(at, found.firms), abs=1e-12)
    assert found.shortfall == pytest.approx(0.0, abs=1e-9)


def test_a_function_of_the_user_has_no_known_degree() -> None:
    at = FujitaOgawa(
        geography=two_cell(), commuting_cost=0.1, firm_mass=0.5, labor_per_firm=1.0,
        externality=ProductionFunction(function=list),
    )  # fmt: skip
    assert "degree of homogeneity" in complaint(degree, at)


def test_equilibrium_has_too_little_agglomeration_and_the_price_of_it() -> None:
    decays, costs = [4.0, 12.0], [0.04, 0.1, 0.2]
    table = anarchy_map(circle(8), decays, costs)
    assert table["certified"].all()
    assert (table["anarchy"] >= 1 - 1e-12).all()
    assert table["anarchy"].max() > 1.05
    apart = table[table["centres_optimum"] != table["centres_equilibrium"]]
    assert len(apart)
    for row in table.itertuples():
        at = city(circle(8), row.commuting_cost, row.decay)
        game = FirmsGame(at)
        corners = vertices(at)
        production = np.array([at.interaction.level(m) @ m for m in corners])
        travel = game.commuting_costs(corners)
        assert row.welfare_optimum == pytest.approx((production - travel).max(), abs=1e-12)
        selected = int(np.argmax(production / 2 - travel))
        assert row.welfare_equilibrium == pytest.approx(production[selected] - travel[selected], abs=1e-12)


@pytest.mark.parametrize("cost", [0.02, 0.08, 0.2, 0.4])
def test_the_worst_equilibrium_of_two_equal_cells(cost: float) -> None:
    # (5.2), (5.3): W = 2 (1−δ)(m_1 − m̄)² + 2 (1+δ) m̄² − 2t |m_1 − m̄|, m̄ = ¼; equilibria: m̄, m̄ ± t/(1−δ)
    # and m̄ ± ¼ where t < (1−δ)/4; the first three are worth the same
    delta, mean = np.exp(-1.0), 0.25
    even = 2 * (1 + delta) * mean**2
    apart = even + 2 * (1 - delta) * mean**2 - 2 * cost * mean
    exists = cost < (1 - delta) / 4
    row = worst_anarchy_map(two_cell(), [1.0], [cost]).iloc[0]
    assert row["equilibria"] == (5 if exists else 1)
    assert row["welfare_optimum"] == pytest.approx(max(even, apart), abs=1e-12)
    assert row["welfare_worst"] == pytest.approx(even, abs=1e-12)
    assert row["welfare_best"] == pytest.approx(max(even, apart) if exists else even, abs=1e-12)
    assert row["welfare_worst_stable"] == pytest.approx(even, abs=1e-12)
    assert row["anarchy_worst"] == pytest.approx(max(even, apart) / even, abs=1e-12)
    selected = apart if exists and cost < (1 - delta) / 8 else even  # potential: t* = ½ t̂
    assert row["welfare_selected"] == pytest.approx(selected, abs=1e-12)
