"""(S), (D), their two formulations and the closed forms."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pyomo.environ as pyo
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import firms_within, geographies

from agora.data import circle, grid, segment, star, tree, two_cell
from agora.data.geographies import cell_network
from agora.formulations import add_commuting_edges, add_commuting_pairs
from agora.formulations.city.commuting_numbers import closed_form_commuting_cost, commuters_by_pair
from agora.models.city.commuting import CommutingMarket
from agora.runners import solve, solve_program


def market(graph: nx.Graph, firms: list[float], t: float = 0.3) -> CommutingMarket:
    return CommutingMarket(geography=graph, commuting_cost=t, firms=firms, labor_per_firm=1.0)


def least_cost(program: pyo.ConcreteModel) -> float:
    solve_program(program)
    return float(pyo.value(next(program.component_data_objects(pyo.Objective, active=True))))


@settings(max_examples=12, deadline=None)
@given(geographies(directed=False), st.floats(0.4, 1.0), st.integers(0, 1000))
def test_strong_duality_and_both_formulations(graph: nx.Graph, share: float, seed: int) -> None:
    # Proposition 2, Osawa & Akamatsu (2019): (S) and (D) have one value, in edges and in pairs
    place = market(graph, firms_within(graph, share, seed))
    values = [
        least_cost(place.program(add_commuting_edges)),
        least_cost(place.program(add_commuting_pairs)),
        least_cost(place.dual_program(pairs=False)),
        least_cost(place.dual_program(pairs=True)),
    ]
    assert np.ptp(values) <= 1e-10 * max(1.0, abs(values[0]))


@settings(max_examples=12, deadline=None)
@given(geographies(), st.floats(0.4, 1.0), st.integers(0, 1000))
def test_canonical_prices_do_not_depend_on_the_formulation(graph: nx.Graph, share: float, seed: int) -> None:
    place = market(graph, firms_within(graph, share, seed))
    tables = []
    for formulation in (add_commuting_edges, add_commuting_pairs):
        program = place.program(formulation)
        solve_program(program)
        tables.append(place.read(program)["cells"])
    for column in ("wage", "rent"):
        assert np.abs(tables[0][column] - tables[1][column]).max() <= 1e-12


@settings(max_examples=8, deadline=None)
@given(geographies(directed=True), st.floats(0.4, 1.0), st.integers(0, 1000))
def test_one_way_lengths_are_certified_too(graph: nx.Graph, share: float, seed: int) -> None:
    solution = solve(market(graph, firms_within(graph, share, seed)))
    assert solution.certificate.passed
    assert solution.is_global


@settings(max_examples=8, deadline=None)
@given(geographies(), st.integers(0, 1000), st.randoms())
def test_relabelling_permutes_the_answer(graph: nx.Graph, seed: int, shuffle: object) -> None:
    firms = dict(enumerate(firms_within(graph, 0.9, seed)))
    names = [f"cell-{k}" for k in range(len(firms))]
    shuffle.shuffle(names)  # type: ignore[attr-defined]
    renamed = nx.relabel_nodes(graph, dict(enumerate(names)))
    first = solve(market(graph, firms)).tables["cells"].set_index("cell")  # type: ignore[arg-type]
    second = solve(market(renamed, {names[k]: m for k, m in firms.items()})).tables["cells"]  # type: ignore[arg-type]
    second = second.set_index("cell").loc[names]
    for column in ("land", "firms", "wage", "rent"):
        assert np.abs(first[column].to_numpy() - second[column].to_numpy()).max() <= 1e-11


@pytest.mark.parametrize(
    "graph",
    [two_cell(land=(0.6, 0.4)), segment(9), star(5), tree(2, 3), circle(9), circle(2), circle(12, land=None)],
    ids=["two-cell", "line", "star", "tree", "odd circle", "circle of two", "even circle"],
)
def test_closed_forms_equal_the_program(graph: nx.Graph) -> None:
    # spec: line h = t Σ ℓ|F|, tree t Σ ℓ|subtree imbalance|, circle with the median; no excess land
    network = cell_network(graph)
    cost = closed_form_commuting_cost(network)
    assert cost is not None
    random = np.random.default_rng(3)
    for _ in range(5):
        weights = random.uniform(0.0, 1.0, network.number)
        firms = network.land * weights
        firms *= 0.5 * network.land.sum() / firms.sum()
        if (firms > network.land).any():
            continue
        place = market(graph, firms.tolist())
        assert float(cost(2 * firms - network.land)) * 0.3 == pytest.approx(
            least_cost(place.program()), abs=1e-12
        )


def test_closed_form_of_an_uneven_circle() -> None:
    graph = nx.cycle_graph(6)
    random = np.random.default_rng(5)
    for u, v in graph.edges:
        graph.edges[u, v]["length"] = float(random.uniform(0.1, 1.0))
    nx.set_node_attributes(graph, 1 / 6, "land")
    network = cell_network(graph)
    cost = closed_form_commuting_cost(network)
    assert cost is not None
    for _ in range(10):
        firms = random.uniform(0, 1 / 6, 6)
        firms = np.clip(firms + (0.5 - firms.sum()) / 6, 0, 1 / 6)
        firms[0] += 0.5 - firms.sum()
        if not 0 <= firms[0] <= 1 / 6:
            continue
        place = market(graph, firms.tolist())
        assert float(cost(2 * firms - 1 / 6)) * 0.3 == pytest.approx(least_cost(place.program()), abs=1e-12)


def test_no_closed_form_is_claimed_for_a_grid() -> None:
    assert closed_form_commuting_cost(cell_network(grid(3, 3))) is None


def test_routes_keep_masses_and_costs() -> None:
    graph = grid(4, 5)
    place = market(graph, firms_within(graph, 0.95, 2))
    program = place.program()
    solve_program(program)
    network = place.network
    residents = np.array([pyo.value(program.residents[c]) for c in network.cells])
    employment = np.array([pyo.value(program.employment[c]) for c in network.cells])
    flow = np.array([pyo.value(x) for x in program.commuting_flow.values()])
    rows = commuters_by_pair(network, residents, employment, flow)
    for position, wanted in ((0, residents), (1, employment)):
        found = np.bincount([r[position] for r in rows], [r[2] for r in rows], network.number)
        assert np.abs(found - wanted).max() <= 1e-12
    assert sum(r[2] * r[3] for r in rows) * 0.3 == pytest.approx(pyo.value(program.cost), abs=1e-12)
    assert all(length == pytest.approx(network.distances[i, j], abs=1e-12) for i, j, _, length in rows)


def test_travellers_pass_a_cell_whose_people_have_found_their_jobs() -> None:
    network = cell_network(segment(3, spacing=0.5))
    ends = zip(network.tails.tolist(), network.heads.tolist(), strict=True)
    flow = np.array([0.25 if head == tail + 1 else 0.0 for tail, head in ends])
    rows = commuters_by_pair(network, np.array([0.5, 0.25, 0.0]), np.array([0.25, 0.25, 0.25]), flow)
    assert rows == [(0, 0, 0.25, 0.0), (0, 2, 0.25, 1.0), (1, 1, 0.25, 0.0)]


def test_a_flow_in_circles_takes_nobody_to_work() -> None:
    network = cell_network(circle(3))
    ends = list(zip(network.tails.tolist(), network.heads.tolist(), strict=True))
    flow = np.array([0.3 if head == (tail + 1) % 3 else 0.0 for tail, head in ends])
    at_home = [(i, i, 0.1, 0.0) for i in range(3)]
    assert commuters_by_pair(network, np.full(3, 0.1), np.full(3, 0.1), flow) == at_home
    flow[ends.index((0, 1))] += 0.05
    rows = commuters_by_pair(network, np.array([0.15, 0.1, 0.1]), np.array([0.1, 0.15, 0.1]), flow)
    assert [(home, job) for home, job, _, _ in rows] == [(0, 0), (0, 1), (1, 1), (2, 2)]
    assert [mass for *_, mass, _ in rows] == pytest.approx([0.1, 0.05, 0.1, 0.1])


def test_golden_text_on_two_cells() -> None:
    """Each equation of (S) and (D), word for word, on two cells with a_1 = .6, a_2 = .4, t = .3."""
    place = market(two_cell(land=(0.6, 0.4)), [0.5, 0.0])
    edges, pairs = place.program(add_commuting_edges), place.program(add_commuting_pairs)
    cost = "0.3*commuting_flow[0,1] + 0.3*commuting_flow[1,0]"
    assert str(edges.land_limit[0].expr) == "0.5 + residents[0]  <=  0.6"
    arriving = "(residents[0] - commuting_flow[0,1] + commuting_flow[1,0])"
    assert str(edges.labor_balance[0].expr) == f"0.0  <=  {arriving} - 0.5"
    assert str(edges.total_commuting_cost.expr) == cost
    assert str(pairs.land_limit[0].expr) == "0.5 + (commuters[0,0] + commuters[0,1])  <=  0.6"
    assert str(pairs.labor_balance[0].expr) == "0.0  <=  (commuters[0,0] + commuters[1,0]) - 0.5"
    assert str(pairs.total_commuting_cost.expr) == (
        "0.0*commuters[0,0] + 0.3*commuters[0,1] + 0.3*commuters[1,0] + 0.0*commuters[1,1]"
    )
    dual = place.dual_program()
    assert str(dual.wage_gap_limit[0, 1].expr) == "wage[1] - wage[0]  <=  0.3"
    assert str(dual.wage_limit[1].expr) == "wage[1] - rent[1]  <=  0.0"
    assert str(place.dual_program(pairs=True).utility_limit[0, 1].expr) == "wage[1] - rent[0]  <=  0.3"


def test_cells_may_have_any_names() -> None:
    for names in (["north", "south"], [(0, 0), (0, 1)], [7, "x"]):
        graph = nx.relabel_nodes(two_cell(land=(0.6, 0.4)), dict(enumerate(names)))
        solution = solve(market(graph, {names[0]: 0.5}))  # type: ignore[arg-type]
        assert set(solution.tables["cells"]["cell"].map(str)) == {str(name) for name in names}
        assert solution.objective == pytest.approx(0.12, abs=1e-12)


def test_multipliers_are_derivatives_of_the_cost() -> None:
    # envelope theorem (4.7): ∂ȟ/∂m_i = φ w_i + ř_i, where ȟ is differentiable
    graph = grid(3, 3)
    firms = np.array(firms_within(graph, 0.9, 8)) + 1e-3
    firms = np.minimum(firms, 0.1)
    cells = solve(market(graph, firms.tolist())).tables["cells"]
    gradient = (cells["wage"] + cells["rent"]).to_numpy()
    for cell in range(9):
        step = np.zeros(9)
        step[cell] = 1e-6
        up = least_cost(market(graph, (firms + step).tolist()).program())
        down = least_cost(market(graph, (firms - step).tolist()).program())
        assert (up - down) / 2e-6 == pytest.approx(gradient[cell], abs=1e-6)
