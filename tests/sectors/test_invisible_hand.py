"""The invisible hand: two methods, numbers of the spec, the certificate, switches, bad input."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import networkx as nx
import numpy as np
import pyomo.environ as pyo
import pytest
from makers import complaint

from agora.data import circle, grid, segment
from agora.methods.sectors.reallocation_equation import orbit
from agora.models import Solution
from agora.models.sectors.invisible_hand import InvisibleHand, UnstableExternality
from agora.papers.invisible_hand.economies import distance
from agora.runners import certify, solve, solve_program


def hand(cells: int = 30, **changes: Any) -> InvisibleHand:
    given: dict[str, Any] = {
        "geography": segment(cells),
        "firm_share": 0.35,
        "substitution": 2.0,
        "productivity": {"kind": "sine", "amplitude": 0.5},
        "initial": {"kind": "bump", "at": 0.15, "width": 0.06, "floor": 0.02},
        "horizon": 0.2,
        "step": 0.02,
    }
    return InvisibleHand(**{**given, **changes})


def masses(solution: Solution) -> np.ndarray[Any, Any]:
    steps = len(solution.tables["aggregate"])
    return solution.tables["path"]["firms"].to_numpy().reshape(steps, -1)


def worst(solution: Solution, part: str) -> float:
    [found] = [c.worst for c in solution.certificate.conditions if part in c.name]
    return found


@pytest.fixture(scope="module")
def base() -> Solution:
    return solve(hand(100, horizon=1.0, step=0.01))


def test_the_numbers_of_the_spec(base: Solution) -> None:
    # spec/invisible-hand.md: C0 = .783998; the gap to C* = 1 is 5.8e-2, 4.5e-3, 3.4e-4 at t = .1, .5, 1
    level = base.tables["aggregate"].set_index("time")["consumption"]
    assert level.iloc[0] == pytest.approx(0.783998, abs=5e-7)
    gaps = [1 - level.iloc[k] for k in (10, 50, 100)]
    assert gaps == pytest.approx([5.8e-2, 4.5e-3, 3.4e-4], rel=0.02)
    assert base.certificate.facts["long_run_consumption"] == pytest.approx(1.0, abs=1e-12)


def test_every_step_is_certified(base: Solution) -> None:
    assert base.is_global
    assert base.status == "path of global optima"
    assert worst(base, "bound on the gap") <= 1e-9
    assert worst(base, "another speed") <= 1e-12
    assert worst(base, "no firm is lost") <= 1e-12
    assert np.all(np.diff(base.tables["aggregate"]["consumption"]) > 0)


def test_the_equation_of_motion_has_the_energy_identity() -> None:
    solution = solve(hand(15), method="ode")
    frame = solution.tables["aggregate"]
    gain = frame["consumption"] - frame["consumption"].iloc[0]
    assert frame["reallocation_cost"].to_numpy() == pytest.approx(gain.to_numpy() / 2, abs=1e-7)
    assert solution.certificate.passed
    assert not solution.is_global


def test_first_order_in_the_step() -> None:
    # spec: W₂ to the flow at t = .3: 1.9e-2, 1.0e-2, 5.1e-3, 2.5e-3; a fresh grid and start, hence the order
    exact = orbit(hand(25), np.array([0.0, 0.2]), rtol=1e-6, atol=1e-9)[0][-1]
    found = [distance(masses(solve(hand(25, step=step)))[-1], exact, 0.04) for step in (0.05, 0.025, 0.0125)]
    for far, near in pairwise(found):
        assert 0.8 < np.log2(far / near) < 1.2
    costs = [solve(hand(25, step=step)).certificate.facts["cost_over_gain"] for step in (0.02, 0.005)]
    assert 0.4 < costs[0] < costs[1] < 0.5


def test_one_declarative_step_is_the_first_step_of_the_kept_program() -> None:
    model = hand(20, horizon=0.02)
    program = model.program()
    solve_program(program, {"tol": 1e-12, "bound_push": 1e-9, "bound_frac": 1e-9})
    tables = model.read(program)
    assert certify(model, tables, 1e-6).passed
    kept = solve(model)
    assert tables["path"]["firms"].to_numpy() == pytest.approx(
        kept.tables["path"]["firms"].to_numpy(), abs=1e-9
    )
    limited = model.program()  # the user may add a limit: at most a tenth of the firms move on the first link
    limited.limit = pyo.Constraint(expr=(None, limited.flow[1, 5], 0.001))
    solve_program(limited)
    assert pyo.value(limited.value) < pyo.value(program.value)
    assert not certify(model, model.read(limited), 1e-6).passed


def test_flows_and_plans_agree_where_firms_move_far() -> None:
    """Kantorovich's form against the flux form in many slabs: the difference falls with the grid."""
    found = []
    for cells in (20, 40):
        model = hand(
            cells, moving_cost=0.05, initial={"kind": "bump", "at": 0.3, "width": 0.15, "floor": 0.2}
        )
        steps = []
        for program in (
            model.step_program(model.start, 0.05, slabs=4),
            model.plan_program(model.start, 0.05),
        ):
            solve_program(program, {"tol": 1e-9, "bound_push": 1e-9, "bound_frac": 1e-9})
            steps.append(np.array([float(v.value) for v in program.firms.values()]))
        moved = 0.5 * np.abs(steps[0] - model.start).sum()
        found.append(0.5 * np.abs(steps[0] - steps[1]).sum() / moved)
    assert found[1] < found[0]
    assert found[1] < 0.05


def test_the_plan_is_everybodys_best_reply() -> None:
    """Who starts in i goes where V_j − c d²/2τ is largest, V the multiplier of arrivals = the profit rate."""
    model = hand(15, moving_cost=0.1)
    step = 0.05
    program = model.plan_program(model.start, step)
    solve_program(program, {"tol": 1e-10, "bound_push": 1e-9, "bound_frac": 1e-9})
    after = np.array([float(v.value) for v in program.firms.values()])
    value = model.motion.value(after)
    payoff = value[None, :] - 0.1 / (2 * step) * model.network.distances**2
    plan = np.array([[program.plan[i, j].value for j in range(15)] for i in range(15)])
    regret = payoff.max(axis=1, keepdims=True) - payoff
    assert (plan * regret).sum() <= 1e-6
    assert np.abs(plan.sum(axis=1) - model.start).max() <= 1e-9


@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize("numeraire", ["consumption", "labor"])
def test_the_value_of_a_firm_is_the_slope_of_the_potential(noise: float, numeraire: str) -> None:
    motion = hand(8, noise=noise, numeraire=numeraire).motion
    firms, nudge = np.linspace(0.5, 1.5, 8) / 8, 1e-6 * np.eye(8)
    slopes = (motion.potential(firms + nudge) - motion.potential(firms - nudge)) / 2e-6
    assert motion.value(firms) == pytest.approx(slopes, rel=1e-6, abs=1e-8)


def test_firms_follow_their_best_reply_in_the_flux_form() -> None:
    """Nash on a sample: the monotone map of a step is argmax_y π(y) − (c/2τ)(y − x)², up to the grid."""
    model = hand(
        200, horizon=0.02, step=0.02, initial={"kind": "bump", "at": 0.3, "width": 0.2, "floor": 0.2}
    )
    before, after = masses(solve(model))
    edges = np.arange(201) / 200
    places = np.linspace(0.1, 0.9, 17)
    arrived = np.interp(
        np.interp(places, edges, np.append(0, before.cumsum())), np.append(0, after.cumsum()), edges
    )
    fine = np.linspace(0, 1, 20_001)
    rate = np.interp(fine, model.positions, model.economy.profit_rates(after))
    best = np.array([fine[np.argmax(rate - (fine - x) ** 2 / 0.04)] for x in places])
    assert np.abs(arrived - places).max() > 0.015
    assert np.abs(arrived - best).max() < 0.15 * np.abs(arrived - places).max()


SWITCHES: dict[str, dict[str, Any]] = {
    "complements": {"substitution": 0.5},
    "Cobb-Douglas": {"substitution": 1.0},
    "tastes": {"preferences": {"kind": "sine", "amplitude": 0.5, "mode": 3}},
    "externality": {"externality": 0.5},
    "immobile": {"immobile_labor": {"kind": "sine", "amplitude": 0.5, "mode": 2}},
    "noise": {"noise": 0.1},
    "fixed cost": {"fixed_cost": 0.2},
    "wage one": {"numeraire": "labor"},
    "expenditure one": {"numeraire": "expenditure"},
    "ring": {"geography": circle(16)},
    "grid": {"geography": grid(4, 4)},
    "masses": {"firms": 20.0, "labor": 5.0},
}
ALIKE = {"Cobb-Douglas", "wage one", "expenditure one", "masses", "ring"}
"""Those whose kind another shows: of substitution, of units, of a geography."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.heavy if name in ALIKE else ()) for name in SWITCHES],
)
def test_switches(name: str) -> None:
    model = hand(16, step=0.04, **SWITCHES[name])
    solution = solve(model)
    assert solution.certificate.passed
    assert solution.is_global
    if name != "fixed cost":  # the equation of motion agrees to first order in the step
        exact = orbit(model, np.array([0.0, 0.2]), rtol=1e-6, atol=1e-9)[0][-1]
        moved = np.abs(exact - model.start).sum()
        assert np.abs(masses(solution)[-1] - exact).sum() < 0.12 * moved


def random_graph() -> nx.Graph:
    random = np.random.default_rng(4)
    points = random.uniform(size=(25, 2))
    graph = nx.random_geometric_graph(25, 0.35, pos=dict(enumerate(points)), seed=1)
    for u, v in graph.edges:
        graph.edges[u, v]["length"] = float(np.hypot(*(points[u] - points[v])))
    for node in graph:
        graph.nodes[node]["land"] = float(random.uniform(0.5, 1.5)) / 25
    assert nx.is_connected(graph)
    return graph


def test_a_random_graph_and_its_relabelling() -> None:
    random, graph = np.random.default_rng(5), random_graph()
    start, technology = random.uniform(0.1, 1, 25), random.uniform(0.5, 1.5, 25)
    found = solve(hand(geography=graph, initial=start.tolist(), productivity=technology.tolist()))
    order = random.permutation(25)  # node k becomes order[k]
    renamed = nx.relabel_nodes(graph, {k: int(order[k]) for k in range(25)})
    back = np.argsort(order)
    again = solve(
        hand(geography=renamed, initial=start[back].tolist(), productivity=technology[back].tolist())
    )
    assert masses(again)[-1][order] == pytest.approx(masses(found)[-1], abs=1e-8)
    assert found.certificate.passed


def test_the_long_run_in_one_call() -> None:
    for changes in ({}, {"externality": 0.5}, {"immobile_labor": {"kind": "sine", "amplitude": 0.5}}):
        model = hand(12, horizon="long-run", **changes)
        solution = solve(model)
        assert solution.certificate.passed
        assert solution.objective == pytest.approx(
            solution.certificate.facts["long_run_consumption"], abs=1e-10
        )
        assert masses(solution)[-1] == pytest.approx(model.rest, abs=1e-7)
        assert len(solution.tables["aggregate"]) < 150
    # n* = N b A^{σ−1}/S for mobile labour: here A itself, σ = 2
    model = hand(40)
    technology = 1 + 0.5 * np.sin(2 * np.pi * model.positions)
    assert model.rest == pytest.approx(technology / technology.sum(), rel=1e-12)


def test_a_fixed_cost_leaves_many_rest_points() -> None:
    ends = []
    for at in (0.15, 0.85):
        start = {"kind": "bump", "at": at, "width": 0.06, "floor": 0.02}
        model = hand(12, fixed_cost=0.05, horizon="long-run", productivity=1.0, initial=start)
        solution = solve(model)
        slope = np.abs(np.diff(model.economy.profit_rates(masses(solution)[-1]))) * 12
        assert slope.max() <= np.sqrt(2 * 0.05) * (1 + 1e-6)
        ends.append(masses(solution)[-1])
    assert 0.5 * np.abs(ends[0] - ends[1]).sum() > 0.05
    still = hand(12, fixed_cost=0.05, productivity=1.0, initial={"kind": "sine", "amplitude": 0.02})
    assert masses(solve(still))[-1] == pytest.approx(still.start, abs=1e-8)


def two_pieces() -> nx.Graph:
    graph = nx.Graph([(0, 1), (1, 2), (3, 4), (4, 5)])
    for u, v in graph.edges:
        graph.edges[u, v]["length"] = 0.5
    for node in graph:
        graph.nodes[node]["land"] = 1.0
    return graph


def test_mass_is_conserved_in_each_piece() -> None:
    start = [3.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    model = hand(geography=two_pieces(), initial=start, productivity=1.0, horizon="long-run")
    solution = solve(model)
    assert solution.certificate.passed
    found = masses(solution)
    assert found[:, :3].sum(axis=1) == pytest.approx(5 / 8, abs=1e-12)
    assert found[-1] == pytest.approx([5 / 24] * 3 + [1 / 8] * 3, abs=1e-7)
    rates = model.economy.profit_rates(found[-1])
    assert rates[0] < rates[3] * 0.9  # profit rates equalise within a piece only
    moved = solution.tables["path"].copy()
    last = len(moved) - 6
    moved.loc[last, "firms"] -= 1e-3
    moved.loc[last + 3, "firms"] += 1e-3
    certificate = certify(model, {**solution.tables, "path": moved}, 1e-6)
    [lost] = [c for c in certificate.conditions if "no firm is lost" in c.name]
    assert not lost.passed


def test_an_unstable_externality_is_warned_of_and_not_called_global() -> None:
    with pytest.warns(UnstableExternality, match="not below 1"):
        model = hand(
            10, externality=1.1, productivity=1.0, initial={"kind": "sine", "amplitude": 0.05}, step=0.01
        )
    assert not model.is_convex
    solution = solve(model)
    assert not solution.is_global
    assert "local" in solution.status
    spread = [np.ptp(state) for state in masses(solution)]
    assert spread[-1] > spread[0]


def test_golden_text_on_two_sectors() -> None:
    program = hand(2, productivity=1.0, initial=1.0).program()
    assert str(program.firm_flow_balance[1, 0].expr) == ("firms[0] - previous[0] + flow[1,0]  ==  0.0")
    assert str(program.mobility[1, 0].expr) == ("0.25*(previous[0] + previous[1] + firms[0] + firms[1])")
    assert str(program.reallocation_cost.expr) == (
        "0.125*flow[1,0]**2/(step*(0.25*(previous[0] + previous[1] + firms[0] + firms[1])))"
    )
    assert "0.5*(2.0*firms[0])**0.2592592592592" in str(program.firm_balance.expr)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"step": 0.5}, "step is 0.5, but must be at most the horizon, 0.2."),
        ({"horizon": -1.0}, "horizon is -1.0"),
        ({"horizon": "forever"}, "a finite number > 0, or 'long-run'"),
        ({"moving_cost": 0.0}, "moving_cost is 0.0, but must be a finite number > 0."),
        ({"fixed_cost": -1.0}, "fixed_cost is -1.0"),
        ({"initial": [-1.0] * 30}, "initial[0] is -1.0, but must be a finite number > 0."),
        ({"numeraire": "gold"}, "numeraire is 'gold'"),
        ({"numeraire": "labor", "immobile_labor": 1.0}, "where labour is immobile"),
        ({"externality": 1.0, "horizon": "long-run"}, "externality is 1.0, but must be below 1 for"),
        ({"substitution": 0.0}, "substitution is 0.0"),
        ({"firm_share": 1.5}, "firm_share is 1.5"),
    ],
)
def test_bad_input_gets_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    said = complaint(hand, **changes)
    assert sentence in said
    assert "\n" not in said


def test_methods_refuse_what_they_cannot_do() -> None:
    assert "minimizing-movement" in complaint(solve, hand(fixed_cost=0.1), method="ode")
    assert "horizon is 'long-run'" in complaint(solve, hand(horizon="long-run"), method="ode")
    assert "0 for a transport plan" in complaint(hand(fixed_cost=0.1).plan_program, hand().start, 0.01)
    assert "equal_within" in complaint(solve, hand(), equal_within=1e-15)
