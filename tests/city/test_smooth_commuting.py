"""The smoothed commuting cost: optimal by its dual, by IPOPT, by a bracketed root; the same everywhere."""

from __future__ import annotations

import math
from typing import NamedTuple

import networkx as nx
import numpy as np
import pyomo.environ as pyo
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import complaint
from numpy.typing import NDArray
from scipy.optimize import brentq

from agora.data import circle, grid, segment, torus, tree
from agora.data.geographies import CellNetwork, cell_network
from agora.formulations.city import smooth_commuting
from agora.formulations.city.smooth_commuting import SmoothCommuting
from agora.solvers import NonlinearProgram

Vector = NDArray[np.float64]

SHAPES = {
    "triangle": circle(3),
    "circle": circle(8),
    "ladder": grid(2, 5),
    "grid": grid(4, 4),
    "torus": torus(4, 5),
    "complete": nx.complete_graph(6),
    "tree": tree(2, 3),
    "segment": segment(2),
}


class Case(NamedTuple):
    """A smoothed cost and firms to ask it for."""

    smooth: SmoothCommuting
    firms: Vector


@st.composite
def cases(draw: st.DrawFn, narrowest: float = -6.0, shapes: tuple[str, ...] = tuple(SHAPES)) -> Case:
    """Return a geography with lengths of one size or of many, firms, and a width in units of mean land."""
    graph = SHAPES[draw(st.sampled_from(shapes))].copy()
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    orders = draw(st.sampled_from([0.0, 1.0, 5.0]))
    for link in graph.edges:
        graph.edges[link]["length"] = 10 ** (orders * float(random.uniform(-0.5, 0.5)))
    spread = draw(st.sampled_from([0.0, 0.5]))
    for cell in graph:
        graph.nodes[cell]["land"] = 1 + spread * float(random.uniform(-1, 1))
    network = cell_network(graph)
    width = 10 ** draw(st.floats(narrowest, -1.0))
    smooth = SmoothCommuting(network, 0.3, 1.0, width * float(network.land.mean()))
    # firms anywhere, firms that fill cells or leave them (flows tie on equal lengths), and nearly mixed land
    kind = draw(st.sampled_from(["anywhere", "full or empty", "nearly mixed"]))
    shares = {
        "anywhere": random.uniform(0.1, 1.0, network.number),
        "full or empty": random.choice([0.2, 1.0], network.number),
        "nearly mixed": 1 + 1e-3 * random.normal(size=network.number),
    }[kind]
    firms = shares * network.land
    return Case(smooth, firms * network.land.sum() / (2 * firms.sum()))


def links(network: CellNetwork) -> list[tuple[int, int, float]]:
    """Return each undirected link once, in the order of the flows."""
    arcs = zip(network.tails.tolist(), network.heads.tolist(), network.lengths.tolist(), strict=True)
    return [(u, v, length) for u, v, length in arcs if u < v]


def demand(case: Case) -> Vector:
    """Return the workers each cell takes in."""
    return (1 + case.smooth.labor_per_firm) * case.firms - case.smooth.network.land


def price_rounding(smooth: SmoothCommuting) -> float:
    """Return what prices are rounded to: a flow near zero is as large ones are, and turns within a width."""
    rounding = np.finfo(float).eps * float(smooth.network.land.sum()) / smooth.width
    return 10 * rounding * smooth.commuting_cost * sum(length for *_, length in links(smooth.network))


def dual_value(case: Case) -> float:
    r"""Return what the cost is at least, by weak duality: a bound whatever the prices π of workers.

    .. math:: π·d + ε \sum_e \Bigl(\sqrt{t^2 ℓ_e^2 - (π_v - π_u)^2} - t ℓ_e\Bigr), \quad |π_v - π_u| ≤ t ℓ_e

    Prices follow from the flow along the tree of the largest flows: they reach their limits to the last
    bit there, whereas that of a flow near zero, which is rounded like the large ones, is far from its limit.
    """
    smooth, arcs = case.smooth, links(case.smooth.network)
    tails, heads, lengths = (np.array(column) for column in zip(*arcs, strict=True))
    limit = smooth.commuting_cost * lengths
    flow = smooth.flows(case.firms)
    slopes = limit * flow / np.hypot(flow, smooth.width)
    rise = {(u, v): slope for (u, v, _), slope in zip(arcs, slopes.tolist(), strict=True)}
    graph = nx.Graph()
    graph.add_weighted_edges_from((u, v, abs(x)) for (u, v, _), x in zip(arcs, flow.tolist(), strict=True))
    prices = np.zeros(smooth.network.number)
    for u, v in nx.bfs_edges(nx.maximum_spanning_tree(graph), 0):
        prices[v] = prices[u] + (rise[u, v] if u < v else -rise[v, u])
    prices /= max(1.0, float((np.abs(prices[heads] - prices[tails]) / limit).max()))
    apart = np.abs(prices[heads] - prices[tails])
    root = np.sqrt(np.maximum((limit - apart) * (limit + apart), 0.0))
    return float(prices @ demand(case) + smooth.width * (root - limit).sum())


@settings(max_examples=75, deadline=None)
@given(cases())
def test_the_flow_is_balanced_and_of_least_cost_by_its_dual(case: Case) -> None:
    smooth = case.smooth
    flow = smooth.flows(case.firms)
    arrived = np.zeros(smooth.network.number)
    for (u, v, _), x in zip(links(smooth.network), flow.tolist(), strict=True):
        arrived[u] -= x
        arrived[v] += x
    assert arrived == pytest.approx(demand(case), abs=1e-13 * float(smooth.network.land.sum()))
    # the bound of nearly mixed land is small beside the terms it is the sum of
    rounding = 1e-15 * smooth.commuting_cost * sum(x for *_, x in links(smooth.network))
    least = pytest.approx(dual_value(case), rel=1e-12, abs=rounding * float(smooth.network.land.max()))
    assert smooth.cost(case.firms) == least


@settings(max_examples=50, deadline=None)
@given(cases(), st.integers(0, 2**32 - 1))
def test_the_last_bits_of_the_firms_do_not_matter(case: Case, seed: int) -> None:
    smooth = case.smooth
    cost, prices = smooth.cost(case.firms), smooth.firm_cost(case.firms)
    rounding = price_rounding(smooth)
    random = np.random.default_rng(seed)
    for _ in range(3):
        other = np.nextafter(case.firms, random.choice([-np.inf, np.inf], len(case.firms)))
        changed = float(prices @ (other - case.firms))
        second_order = rounding * float(np.abs(other - case.firms).sum())
        assert smooth.cost(other) == pytest.approx(cost + changed, rel=1e-12, abs=second_order)
        assert smooth.firm_cost(other) == pytest.approx(prices, abs=rounding)


@settings(max_examples=50, deadline=None)
@given(cases(), cases())
def test_nothing_is_remembered(case: Case, other: Case) -> None:
    flow = case.smooth.flows(case.firms)
    again = SmoothCommuting(
        case.smooth.network, case.smooth.commuting_cost, case.smooth.labor_per_firm, case.smooth.width
    )
    mixed = case.smooth.network.land / 2
    for firms in (mixed, case.firms[::-1] * mixed.sum() / case.firms.sum()):
        again.flows(firms)
    other.smooth.flows(other.firms)
    assert (again.flows(case.firms) == flow).all()
    assert (case.smooth.flows(case.firms) == flow).all()


@settings(max_examples=60, deadline=None)
@given(cases(), st.sampled_from([1e-9, 1e-3, 1.0, 1e6]), st.integers(0, 2**32 - 1))
def test_wherever_the_search_starts_it_ends_at_the_same_prices(case: Case, away: float, seed: int) -> None:
    smooth = case.smooth
    flow = smooth.flows(case.firms)
    start = flow + away * np.random.default_rng(seed).normal(size=len(flow))
    found = smooth.firm_cost_with(smooth.flows(case.firms, start=start))
    assert found == pytest.approx(smooth.firm_cost_with(flow), abs=price_rounding(smooth))


@settings(max_examples=20, deadline=None)
@given(cases(narrowest=-3.0, shapes=("triangle", "circle", "ladder", "grid", "torus", "complete")))
def test_the_cost_is_that_of_the_program(case: Case) -> None:
    smooth = case.smooth
    arcs, scale = links(smooth.network), smooth.width
    program = pyo.ConcreteModel()
    program.links = pyo.RangeSet(0, len(arcs) - 1)
    program.cells = pyo.RangeSet(0, smooth.network.number - 1)
    workers = demand(case)
    most = (
        float(np.abs(workers).sum()) + smooth.width
    )  # no flow of least cost is larger; IPOPT may wander off without
    program.flow = pyo.Var(program.links, initialize=0.0, bounds=(-most, most))

    def balance_rule(p: pyo.ConcreteModel, cell: int) -> object:
        arrived = sum(p.flow[e] for e, (_, v, _) in enumerate(arcs) if v == cell)
        left = sum(p.flow[e] for e, (u, _, _) in enumerate(arcs) if u == cell)
        return arrived - left == float(workers[cell])

    program.worker_balance = pyo.Constraint(program.cells, rule=balance_rule)
    # the cells' balances sum to 0 = 0; without one of them rows are independent
    program.worker_balance[0].deactivate()
    program.length = pyo.Objective(
        expr=sum(x * (pyo.sqrt(program.flow[e] ** 2 + scale**2) - scale) for e, (*_, x) in enumerate(arcs))
    )
    NonlinearProgram(program).solve()
    least = smooth.commuting_cost * float(pyo.value(program.length))
    total = smooth.commuting_cost * sum(x for *_, x in arcs) * float(smooth.network.land.mean())
    assert smooth.cost(case.firms) == pytest.approx(least, rel=1e-7, abs=1e-8 * total)


@settings(max_examples=60, deadline=None)
@given(cases(shapes=("triangle", "circle")))
def test_on_a_circle_the_cost_is_at_the_root_of_one_slope(case: Case) -> None:
    network, width = case.smooth.network, case.smooth.width
    number = network.number
    lengths = {(u, v): x for u, v, x in links(network)}
    around = np.array([lengths[min(k, (k + 1) % number), max(k, (k + 1) % number)] for k in range(number)])
    passed = -np.cumsum(demand(case))  # from cell k to the next, if nothing comes from the last to the first

    def slope(turn: float) -> float:
        return float(around @ ((passed + turn) / np.hypot(passed + turn, width)))

    turn = brentq(slope, -passed.max() - width, -passed.min() + width, xtol=1e-16, rtol=1e-15)
    root = np.hypot(passed + turn, width)
    least = case.smooth.commuting_cost * float(around @ ((passed + turn) ** 2 / (root + width)))
    assert case.smooth.cost(case.firms) == pytest.approx(least, rel=1e-12)


@settings(max_examples=30, deadline=None)
@given(cases(), st.integers(0, 2**32 - 1))
def test_the_gradient_lies_between_the_costs_of_any_two_distributions(case: Case, seed: int) -> None:
    """A convex function is above its tangents, at every width."""
    random = np.random.default_rng(seed)
    smooth, land = case.smooth, case.smooth.network.land
    move = random.normal(size=len(land))
    there = case.firms + 10 ** random.uniform(-4, -0.5) * (move - move.mean()) * land.min()
    cost, beyond = smooth.cost(case.firms), smooth.cost(there)
    rounding = 1e-12 * (cost + beyond) + price_rounding(smooth) * float(np.abs(there - case.firms).sum())
    assert float(smooth.firm_cost(case.firms) @ (there - case.firms)) <= beyond - cost + rounding
    assert beyond - cost <= float(smooth.firm_cost(there) @ (there - case.firms)) + rounding


@settings(max_examples=40, deadline=None)
@given(cases(), st.floats(-6, 6), st.floats(-6, 6))
def test_units_do_not_matter(case: Case, land: float, length: float) -> None:
    smooth, network = case.smooth, case.smooth.network
    mass, far = 10**land, 10**length
    other = CellNetwork(
        network.cells, network.land * mass, network.tails, network.heads, network.lengths * far
    )
    scaled = SmoothCommuting(other, smooth.commuting_cost, smooth.labor_per_firm, smooth.width * mass)
    assert scaled.cost(case.firms * mass) == pytest.approx(smooth.cost(case.firms) * mass * far, rel=1e-11)


def test_mixed_land_costs_nothing() -> None:
    network = cell_network(torus(3, 4))
    smooth = SmoothCommuting(network, 0.3, 1.0, 1e-4)
    assert smooth.cost(network.land / 2) == 0
    assert (smooth.firm_cost(network.land / 2) == 0).all()


@pytest.mark.parametrize("width", [1e-8, 1e-10])
def test_widths_beyond_any_use_are_found_too(width: float) -> None:
    network = cell_network(torus(4, 4))
    random = np.random.default_rng(3)
    for _ in range(20):
        firms = random.choice([0.2, 1.0], 16)
        case = Case(SmoothCommuting(network, 0.3, 1.0, width), firms / (2 * firms.sum()))
        assert case.smooth.cost(case.firms) == pytest.approx(dual_value(case), rel=1e-12)


def test_what_cannot_be_found_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    network = cell_network(circle(5))
    assert "width is 0.0" in complaint(SmoothCommuting, network, 0.3, 1.0, 0.0)
    smooth = SmoothCommuting(network, 0.3, 1.0, 1e-3)
    firms = np.array([0.2, 0.1, 0.1, 0.05, 0.05])
    assert "finite numbers" in complaint(smooth.cost, np.where(firms > 0.1, math.nan, firms))
    monkeypatch.setattr(smooth_commuting, "STEPS", 2)
    with pytest.raises(RuntimeError, match=r"not found in 2 steps of Newton's method: .* a larger width"):
        smooth.firm_cost(firms)
