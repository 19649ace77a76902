"""The city's programs, its reading, and its definition of equilibrium."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pyomo.environ as pyo
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import city, geographies

from agora.data import (
    InputError,
    InteractionMatrix,
    ProductionFunction,
    WithinCellPower,
    circle,
    grid,
    read_geography,
    two_cell,
)
from agora.formulations import add_commuting_edges, add_commuting_pairs
from agora.methods.city.best_response import equivalent
from agora.methods.city.firms_game import FirmsGame
from agora.models import FujitaOgawa, price
from agora.runners import certify, solve, solve_program

EASY = {
    "geography": two_cell(land=(0.6, 0.4)),
    "commuting_cost": 0.3,
    "externality": InteractionMatrix(values=((1.0, 0.25), (0.25, 1.0))),
    "firm_mass": 0.5,
    "labor_per_firm": 1.0,
}
FLOWS = "0.3*commuting_flow[0,1] + 0.3*commuting_flow[1,0]"


def stand(program: pyo.ConcreteModel, firms: np.ndarray) -> None:
    """Let the firms stand where they are told; their mass is then not the program's to choose."""
    for variable, mass in zip(program.firms.values(), firms.tolist(), strict=True):
        variable.fix(mass)
    program.firm_mass_balance.deactivate()


def test_golden_text_of_every_program() -> None:
    """Each equation of (P0), (P), (W), (C.1), (C.7), word for word, on two cells."""
    place = FujitaOgawa(**EASY)
    overall = place.program()
    assert str(overall.firm_mass_balance.expr) == "firms[0] + firms[1]  ==  0.5"
    assert str(overall.land_limit[0].expr) == "firms[0] + residents[0]  <=  0.6"
    arriving = "(residents[0] - commuting_flow[0,1] + commuting_flow[1,0])"
    assert str(overall.labor_balance[0].expr) == f"0.0  <=  {arriving} - firms[0]"
    assert (
        str(overall.production_balance[0].expr) == "production_level[0] - firms[0] - 0.25*firms[1]  ==  0.0"
    )
    f = "(0.5*(production_level[0]*firms[0] + production_level[1]*firms[1]))"
    assert str(overall.potential.expr) == f"{f} - ({FLOWS})"
    assert str(place.reduced_program().firm_land_limit[1].expr) == "firms[1]  <=  0.4"
    output = "production_level[0]*firms[0] + production_level[1]*firms[1]"
    assert str(place.welfare_program().welfare.expr) == f"{output} - ({FLOWS})"
    assert str(place.best_response_program([1.0, 2.0]).output.expr) == f"firms[0] + 2.0*firms[1] - ({FLOWS})"
    homes, jobs = place.home_first_program(), place.job_first_program()
    assert str(homes.land_limit[0].expr) == "firms[0] + resident_stock[0]  <=  0.6"
    assert (
        str(homes.resident_balance[0].expr)
        == "(commuters[0,0] + commuters[0,1]) - resident_stock[0]  ==  0.0"
    )
    assert str(jobs.labor_balance[0].expr) == "0.0  <=  job_stock[0] - firms[0]"
    assert str(jobs.job_balance[0].expr) == "(commuters[0,0] + commuters[1,0]) - job_stock[0]  ==  0.0"


def test_golden_text_of_definition_1() -> None:
    program = FujitaOgawa(**EASY).complementarity_program()
    pairs = {
        "profit_maximisation": ("firms[0]", "profit - production_level[0] + wage[0] + rent[0]"),
        "home_choice": ("residents[0]", "rent[0] - wage[0]"),
        "land_market": ("rent[0]", "0.6 - firms[0] - residents[0]"),
        "labor_market": ("wage[0]", "(residents[0] - commuting_flow[0,1] + commuting_flow[1,0]) - firms[0]"),
    }
    for name, sides in pairs.items():
        assert [str(side) for side in program.component(name)[0]._args] == [
            f"0  <=  {side}" for side in sides
        ]
    route = [str(side) for side in program.route_choice[0, 1]._args]
    assert route == ["0  <=  commuting_flow[0,1]", "0  <=  0.3 + wage[0] - wage[1]"]


def test_golden_text_of_the_within_cell_externality() -> None:
    place = FujitaOgawa(**{**EASY, "externality": WithinCellPower(exponent=0.5)})
    program = place.program()
    assert str(program.production_level[0].expr) == "firms[0]**0.5"
    assert str(program.production_potential.expr) == "(firms[0]**1.5 + firms[1]**1.5)/1.5"


@pytest.mark.parametrize("formulation", [add_commuting_edges, add_commuting_pairs])
def test_all_decompositions_are_one_problem(formulation: Callable[..., None]) -> None:
    # (P0), (P), (C.1), (C.7): the same potential at any firms (Osawa & Akamatsu 2019, Remark 2, appendix C)
    place = city(grid(2, 3), t=0.2, tau=2.0)
    game, random = FirmsGame(place), np.random.default_rng(4)
    for _ in range(3):
        firms = game.feasible(random.uniform(0, 1 / 6, 6))
        expected = game.potential(game.lower_stage(firms))
        for build in (
            place.program,
            place.reduced_program,
            place.home_first_program,
            place.job_first_program,
        ):
            program = build(formulation)
            stand(program, firms)
            solve_program(program)
            assert float(pyo.value(program.potential)) == pytest.approx(expected, abs=1e-10)


def test_welfare_is_the_potential_at_half_the_commuting_cost() -> None:
    # Remarks 3, 4: A homogeneous of degree 1, so W at 2t is twice the potential at t
    place, dearer = city(circle(6), t=0.04, tau=3.0), city(circle(6), t=0.08, tau=3.0)
    game, random = FirmsGame(place), np.random.default_rng(2)
    for _ in range(4):
        firms = game.feasible(random.uniform(0, 1 / 6, 6))
        welfare, potential = dearer.welfare_program(), place.program()
        for program in (welfare, potential):
            stand(program, firms)
            solve_program(program)
        assert pyo.value(welfare.welfare) == pytest.approx(2 * pyo.value(potential.potential), abs=1e-10)


def test_a_user_can_add_a_constraint() -> None:
    place = city(circle(6), t=0.02, tau=4.0)
    program = place.program()
    program.green_belt = pyo.Constraint(expr=program.firms[0] + program.firms[1] + program.firms[2] <= 0.2)
    solve_program(program)
    assert sum(program.firms[k].value for k in range(3)) <= 0.2 + 1e-7
    assert price(program, program.green_belt) >= -1e-9


def test_multipliers_of_the_overall_program_are_the_prices() -> None:
    # Proposition 1: r, w, π* are the multipliers of (3.12), (3.13), (3.9)
    place = city(two_cell(land=(0.6, 0.4)), t=0.4, tau=2.0)
    program = place.program()
    place.start_from(program, [0.3, 0.2])
    solve_program(program)
    m = np.array([program.firms[k].value for k in range(2)])
    level = place.interaction.level(m)
    profit = price(program, program.firm_mass_balance)
    for cell in range(2):
        wage, rent = price(program, program.labor_balance[cell]), price(program, program.land_limit[cell])
        assert level[cell] - wage - rent <= profit + 1e-6
        assert m[cell] * (profit - level[cell] + wage + rent) == pytest.approx(0.0, abs=1e-7)
        assert min(wage, rent) >= -1e-7
    assert m.min() > 0.1


@settings(max_examples=10, deadline=None)
@given(geographies(largest=6), st.floats(0.02, 0.5), st.floats(0.2, 5.0))
def test_random_cities_are_certified(graph: nx.Graph, t: float, tau: float) -> None:
    place = city(graph, t, tau, firm_mass=0.45)
    solution = solve(place, starts=4)
    assert solution.certificate.passed
    assert solution.certificate.worst.worst <= 1e-9


@settings(max_examples=2, deadline=None)
@given(geographies(largest=4), st.floats(0.05, 0.5), st.floats(0.2, 5.0), st.sampled_from([0.4, 0.5]))
def test_any_single_error_in_a_random_city_is_caught(
    graph: nx.Graph, t: float, tau: float, mass: float
) -> None:
    solution = solve(city(graph, t, tau, firm_mass=mass), starts=3)
    for table, frame in solution.tables.items():
        if table == "equilibria":
            continue
        for column in frame.columns:
            if column in ("cell", "origin", "destination"):
                continue
            for row in range(len(frame)):
                certificate = certify(solution.model, plant(solution.tables, table, column, row), 1e-6)
                assert not certificate.passed, f"{table}.{column}[{row}]"


@settings(max_examples=3, deadline=None)
@given(geographies(largest=5), st.floats(0.02, 0.3), st.floats(0.5, 4.0), st.sampled_from([0.5, 1.0, 2.0]))
def test_relabelling_permutes_the_global_maximiser(graph: nx.Graph, t: float, tau: float, phi: float) -> None:
    mass = 1 / (1 + phi)
    try:
        first = solve(city(graph, t, tau, mass, phi), method="global")
    except InputError as error:
        assert "tangent space" in str(error)  # noqa: PT017 — random graphs may break Assumption 1 (i)
        return
    number = graph.number_of_nodes()
    names = {k: f"cell-{(k * 7 + 3) % 11}" for k in range(number)}
    second = solve(city(nx.relabel_nodes(graph, names), t, tau, mass, phi), method="global")
    assert second.objective == pytest.approx(first.objective, abs=1e-12)
    columns = ["land", "firms", "residents", "employment", "production", "wage", "rent", "profit"]
    here = first.tables["cells"].set_index("cell")
    there = second.tables["cells"].set_index("cell").loc[[names[k] for k in here.index]]
    assert np.abs(here[columns].to_numpy() - there[columns].to_numpy()).max() <= 1e-9
    assert list(here["use"]) == list(there["use"])


@pytest.fixture(scope="module")
def solved() -> Any:
    """Return a solved city with business and residential cells, commuting, and uneven prices."""
    return solve(city(circle(8), t=0.05, tau=8.0), starts=8)


def plant(tables: dict[str, pd.DataFrame], table: str, column: str, row: int) -> dict[str, pd.DataFrame]:
    """Return the tables with an error of 1e-3 (or another word) in one entry."""
    spoiled = tables[table].copy()
    value = spoiled[column].iloc[row]
    wrong: Any = value + 1e-3 if isinstance(value, float) else "business" if value == "vacant" else "vacant"
    spoiled[column] = spoiled[column].astype(object)
    spoiled.iloc[row, spoiled.columns.get_loc(column)] = wrong
    return {**tables, table: spoiled.infer_objects()}


def test_the_solution_passes(solved: Any) -> None:
    assert solved.certificate.passed
    assert {"business", "residential"} <= set(solved.tables["cells"]["use"])


def test_kinds_on_two_cells() -> None:
    # figure 1b: ends and kink are maximisers, between them minimisers (Proposition 4)
    game = FirmsGame(city(two_cell(land=(0.6, 0.4)), t=0.105, tau=float(np.log(10))))
    for m1, kind in ((0.5, "local maximiser"), (0.3, "local maximiser")):
        assert game.kind(game.lower_stage(np.array([m1, 0.5 - m1]))) == kind
    # interior equilibrium: f' = 2(1−δ)(m − M/2) = (1+φ)t
    between = 0.25 + 2 * 0.105 / (2 * 0.9)
    assert game.kind(game.lower_stage(np.array([between, 0.5 - between]))) == "minimiser"
    assert game.kind(game.lower_stage(np.array([0.45, 0.05]))) == "no equilibrium"


def test_a_saddle_is_called_a_saddle() -> None:
    # three cells, δ = .5, t = .15: (1.6, 1, .4) m̄ is an interior equilibrium on an edge of kinks (spec)
    game = FirmsGame(city(circle(3), t=0.15, tau=3 * float(np.log(2))))
    assert game.kind(game.lower_stage(np.array([1.6, 1.0, 0.4]) / 6)) == "saddle"
    assert game.kind(game.lower_stage(np.array([2.0, 0.5, 0.5]) / 6)) in ("saddle", "minimiser")


def test_symmetric_copies_count_once() -> None:
    network = city(circle(8), 0.1, 1.0).network
    first = np.array([1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0]) / 8
    assert equivalent(network, first, np.roll(first, 3))
    assert equivalent(network, first, first[::-1])
    other = np.array([1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]) / 8
    assert not equivalent(network, first, other)


def test_both_methods_meet_on_a_potential_game() -> None:
    place = city(grid(2, 3), t=0.3, tau=1.0)
    by_potential = solve(place, starts=6)
    by_definition = solve(place, method="complementarity")
    by_ipopt = solve(place, method="ipopt", starts=3)
    assert by_definition.certificate.passed
    assert by_ipopt.certificate.passed
    known = by_potential.tables["equilibria"]["potential"].to_numpy()
    assert np.abs(known - by_definition.objective).min() <= 1e-6
    assert np.abs(known - by_ipopt.objective).min() <= 1e-6


def test_an_externality_without_potential_is_solved_and_certified() -> None:
    skew = InteractionMatrix(values=((1.0, 0.3, 0.1), (0.2, 1.0, 0.3), (0.1, 0.2, 1.0)))
    place = FujitaOgawa(
        geography=circle(3), commuting_cost=0.15, externality=skew, firm_mass=0.5, labor_per_firm=1.0
    )
    solution = solve(place, method="complementarity")
    assert solution.certificate.passed
    assert solution.status == "equilibrium without a potential"
    assert not solution.is_global
    totals = solution.tables["totals"]
    assert totals["potential"].isna().all()
    assert solution.objective == totals["welfare"].iloc[0]
    said = {**solution.tables, "totals": totals.assign(potential=totals["welfare"])}
    assert "potential" in certify(place, said, 1e-6).worst.name


def test_a_function_whose_integral_depends_on_the_way_has_no_potential() -> None:
    def skew(m: Sequence[float]) -> list[float]:
        return [m[0] + 0.3 * m[1] ** 2, m[1] + 0.1 * m[0], m[2]]

    place = FujitaOgawa(
        geography=circle(3), commuting_cost=0.15, externality=ProductionFunction(function=skew),
        firm_mass=0.5, labor_per_firm=1.0,
    )  # fmt: skip
    solution = solve(place, method="complementarity")
    assert solution.certificate.passed
    assert solution.tables["totals"]["potential"].isna().all()


def test_a_nonconvex_potential_is_still_climbed() -> None:
    # K_{2,3}, τ = .1: D is indefinite on the tangent space, so full steps need not climb
    graph = nx.complete_bipartite_graph(2, 3)
    nx.set_edge_attributes(graph, 1.0, "length")
    nx.set_node_attributes(graph, 0.2, "land")
    solution = solve(city(graph, t=0.001, tau=0.1), starts=6)
    assert solution.certificate.passed
    assert solution.certificate.facts["tangent_eigenvalue"] < 0


def test_global_is_refused_where_its_assumption_fails() -> None:
    with pytest.raises(InputError, match="labor_per_firm is 3"):
        solve(city(circle(12), 0.1, 1.0, firm_mass=0.25, phi=3.0), method="global")
    with pytest.raises(InputError, match="no excess land"):
        solve(city(circle(4), 0.1, 1.0, firm_mass=0.4), method="global")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"commuting_cost": -1.0}, "commuting_cost is -1.0, but must be a finite number > 0."),
        ({"commuting_cost": float("nan")}, "commuting_cost is nan, but must be a finite number > 0."),
        ({"firm_mass": 0.6}, "firm_mass is 0.6, but must be at most 0.5, so that firms and their workers"),
        ({"labor_per_firm": "many"}, "labor_per_firm is 'many', but must be a finite number > 0."),
        ({"decay": 1.0}, "decay is 1.0, but must be given (> 0) exactly when no externality is given."),
        ({"externality": None}, "decay is missing, but must be given"),
        (
            {"externality": {"kind": "gravity"}},
            "externality.kind is 'gravity', but must be one of exponential",
        ),
        (
            {"externality": {"kind": "power", "exponent": 0}},
            "exponent is 0, but must be a finite number > 0.",
        ),
        ({"externality": {"kind": "matrix", "values": [[1, 2]]}}, "a row of 2 entries"),
        ({"geography": "circle"}, "geography is 'circle', but must be a networkx graph"),
        ({"shape": 1}, "shape is 1, but must be left out, or a known field"),
    ],
)
def test_bad_parameters_get_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as error:
        FujitaOgawa(**{**EASY, **changes})
    assert sentence in str(error.value)
    assert str(error.value).count("\n") == 0


@pytest.mark.parametrize("name", ["SiouxFalls", "friedrichshain-center"])
def test_a_city_on_a_real_road_network(name: str) -> None:
    file = Path(__file__).resolve().parents[3] / "shared" / "reference" / "networks" / f"{name}_net.tntp"
    if not file.is_file():
        pytest.skip(f"the TNTP network {name} is not beside the repository")
    roads = read_geography(str(file), undirected=True, largest_component=True)
    length = float(np.median([data["length"] for *_, data in roads.edges(data=True)]))
    solution = solve(city(roads, t=0.05 / length, tau=0.5 / length), starts=4)
    assert solution.certificate.passed
    assert not solution.is_global


def test_one_way_streets_leave_no_potential() -> None:
    graph = circle(4).to_directed()
    graph.edges[0, 1]["length"] = 0.5
    with pytest.raises(InputError, match="no potential exists"):
        solve(city(graph, t=0.1, tau=2.0))
    assert solve(city(graph, t=0.1, tau=2.0), method="complementarity").certificate.passed


def test_the_callers_graph_is_not_touched() -> None:
    graph = two_cell()
    place = FujitaOgawa(**{**EASY, "geography": graph})
    graph.nodes[0]["land"] = 99.0
    assert place.network.land.tolist() == [0.5, 0.5]
    with pytest.raises(nx.NetworkXError):
        place.geography.add_node(5)


def test_a_solution_does_not_change(solved: Any) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        solved.objective = 0.0


def test_a_notebook_shows_table_certificate_and_picture(solved: Any) -> None:
    page = solved._repr_html_()
    assert "<img" in page
    assert "local maximiser" in page
    assert page.count("<table") == 2
