"""The coalition test: its programs, its proof, Example 1's empty core, and what it says of bad input."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyomo.environ as pyo
import pytest
from scipy.optimize import linprog

from agora.data import InputError
from agora.data.marketplaces import (
    CobbDouglas,
    ConsumerType,
    Leontief,
    SetupComposite,
    SetupNeeds,
)
from agora.formulations.marketplaces.coalition_numbers import least_gain, living_costs, setup_fee
from agora.methods.marketplaces.coalition import (
    CoreTest,
    StructureSearch,
    core_test,
    most_improving_coalition,
)
from agora.models.marketplaces.coalition import CoalitionTest
from agora.models.marketplaces.conditions.coalition import affordable_gain
from agora.models.marketplaces.example_one import (
    FIRST,
    SECOND_AS_LOCATED,
    SECOND_AS_PRINTED,
    example_one,
    net_output,
    one_taste,
)
from agora.papers.berliant_konishi.example_one import (
    draw_empty_core,
    draw_frontier,
    envelope,
    frontier,
    ideal,
)
from agora.solvers import solve_program

ROOT = math.sqrt(78) / 2
EVEN = CobbDouglas(commodities=(0.25, 0.25), leisure=0.25, land=0.25)
TILTED = CobbDouglas(commodities=(0.2, 0.3), leisure=0.25, land=0.25)
READINGS = pytest.mark.parametrize(
    "second", [SECOND_AS_PRINTED, pytest.param(SECOND_AS_LOCATED, marks=pytest.mark.heavy)]
)


def case_one(utility: float, marketplaces: int = 1, setup: float = 0.1) -> CoalitionTest:
    """Return the test of an allocation of the paper's case 1."""
    return economy([ConsumerType(name="all", mass=1, taste=EVEN, utility=utility)], marketplaces, setup)


def economy(types: list[ConsumerType], marketplaces: int = 1, setup: float = 0.1) -> CoalitionTest:
    return CoalitionTest(
        types=tuple(types),
        sites=(0, 0.33, 0.67, 1),
        makes=(1, 1, 2, 2),
        setup=SetupComposite(amount=setup, shares=(0.5, 0.5)),
        region=(0, 1),
        marketplaces=marketplaces,
    )


def two_types(first: float, second: float, marketplaces: int = 1) -> CoalitionTest:
    types = [
        ConsumerType(name="even", mass=1, taste=EVEN, utility=first),
        ConsumerType(name="tilted", mass=0.5, taste=TILTED, utility=second),
    ]
    return economy(types, marketplaces)


# --- equations -------------------------------------------------------------------------------------


def test_golden_text_of_the_coalition_program() -> None:
    """Every row of max λ on two sites, word for word."""
    program = one_taste((0.5, 1.0), utility=0.3).program([0.25])
    mass = "member_mass[all,0] + member_mass[all,1]"
    assert str(program.coalition_mass_balance.expr) == f"{mass}  ==  1.0"
    time = "work[all,0] + leisure[all,0] - 1.75*member_mass[all,0]"
    assert str(program.coalition_time_limit["all", 0].expr) == f"{time}  <=  0.0"
    land = "land_used[all,0]"
    assert str(program.coalition_land_limit[0].expr) == f"{land}  <=  1.0"
    made = "work[all,1] - (consumption[all,0,2] + consumption[all,1,2]) - setup_input[2]"
    assert str(program.coalition_commodity_balance[2].expr) == f"0.0  <=  {made}"
    assert program.setup_input[2].value == 0.5
    enough = "consumption[all,1,1] - 0.5*(0.3 + 0.3*gain)*member_mass[all,1]"
    assert str(program.gain_limit_leontief["all", 1, 1].expr) == f"0.0  <=  {enough}"
    assert program.greatest_gain.sense == pyo.maximize


def test_golden_text_of_cobb_douglas_rows() -> None:
    program = two_types(0.8, 0.7).giving([0.8, 0.7], everybody=True).program([0.5])
    row = program.gain_limit["tilted", 2]
    uses = [("consumption[tilted,2,1]", 0.2), ("consumption[tilted,2,2]", 0.3)]
    uses += [("leisure[tilted,2]", 0.25), ("land_used[tilted,2]", 0.25)]
    reached = "*".join(f"{use}**{share}" for use, share in uses)
    assert str(row.expr) == f"0.0  <=  {reached} - (0.7 + 0.7*gain)*member_mass[tilted,2]"
    need = "0.5*log(setup_input[1]) + 0.5*log(setup_input[2])"
    assert need in str(program.setup_limit.expr)
    everybody = str(program.economy_mass_balance["tilted"].expr)
    assert everybody.startswith("member_mass[tilted,0] + member_mass[tilted,1]")
    assert everybody.endswith(str(1 / 3))


def test_golden_text_of_the_price_program() -> None:
    program = one_taste((0.5, 1.0), utility=0.3).price_program([0.25])
    assert str(program.price_balance.expr) == "commodity_price[1] + commodity_price[2]  ==  1.0"
    income = "land_rent[0] + land_rent[1] + 1.75*commodity_price[1]"
    fee = "(0.5*commodity_price[1] + 0.5*commodity_price[2])"
    cost = "(0.3 + 0.3*gain)*(0.5*commodity_price[1] + commodity_price[2])"
    row = str(program.price_test["all", 0].expr)
    assert row == f"{income} - {fee} - transfer[all] - {cost}  <=  0.0"
    assert program.transfer["all"].fixed
    assert pyo.value(program.setup_cost) == pytest.approx(0.5, abs=1e-15)
    assert pyo.value(program.living_cost["all", 0]) == pytest.approx(0.75, abs=1e-15)


def test_free_marketplaces_are_nearest_to_their_sites() -> None:
    program = case_one(0.8, marketplaces=2).location_program([0.3, 0.8])
    assert str(program.travel_right[1].expr) == "0.33  <=  travel[1] + location[1]"
    assert str(program.travel_left[3].expr) == "-1.0  <=  travel[3] - location[2]"


# --- two programs agree ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place", [0.0, 0.5, *(pytest.param(place, marks=pytest.mark.heavy) for place in (0.2, 0.9))]
)
@pytest.mark.parametrize("everybody", [False, True])
@pytest.mark.parametrize("kind", ["leontief", "cobb-douglas"])
def test_allocations_and_prices_give_the_same_gain(place: float, everybody: bool, kind: str) -> None:
    """The max λ over allocations = min λ over prices, both certified from their tables alone."""
    made = example_one(utility=(0.3, 0.2)) if kind == "leontief" else two_types(0.8, 0.7)
    test = made.giving([0.3, 0.2] if kind == "leontief" else [0.8, 0.7], everybody=everybody)
    direct, mirror = test.program([place]), test.price_program([place])
    solve_program(direct)
    solve_program(mirror)
    assert pyo.value(direct.gain) == pytest.approx(pyo.value(mirror.gain), abs=1e-6)
    for tables in (test.read(direct), test.read_prices(mirror)):
        failed = [condition.name for condition in test.conditions(tables) if not condition.passed]
        assert failed == []


def leontief_by_bisection(test: CoalitionTest, place: float) -> float:
    """Bisect on λ; for a given λ a linear program over who lives where (no land, no leisure)."""
    hours = test.time - test.travel([place])
    low, high = -1.0, 5.0
    for _ in range(50):
        middle = (low + high) / 2
        rows = np.zeros((2, len(test.types) * len(test.sites)))
        for t, kind in enumerate(test.types):
            for j, good in enumerate(test.makes):
                column = t * len(test.sites) + j
                rows[:, column] = (1 + middle) * kind.utility * np.array(test.tastes[kind.name].commodities)
                rows[good - 1, column] -= hours[j]
        limits = -np.array(test.needs(1).needs)
        found = linprog(np.zeros(rows.shape[1]), rows, limits, np.ones((1, rows.shape[1])), [1.0])
        low, high = (middle, high) if found.status == 0 else (low, middle)
    return low


@pytest.mark.parametrize("place", [0.1, 0.5, 0.7])
def test_a_bisection_of_linear_programs_agrees(place: float) -> None:
    test = example_one(utility=(0.3, 0.27))
    program = test.price_program([place])
    solve_program(program)
    assert pyo.value(program.gain) == pytest.approx(leontief_by_bisection(test, place), abs=1e-6)


@pytest.mark.parametrize("everybody", [False, True])
def test_any_prices_bound_the_gain(everybody: bool) -> None:
    """Weak duality at random prices; equality at the program's own."""
    test = two_types(0.8, 0.83).giving([0.8, 0.83], everybody=everybody)
    program = test.price_program([0.4])
    solve_program(program)
    gain, random = pyo.value(program.gain), np.random.default_rng(3)
    for _ in range(50):
        share = random.uniform(0.05, 0.95)
        prices, rents = np.array([share, 1 - share]), random.uniform(0.01, 0.6, 4)
        assert affordable_gain(test, [0.4], prices, rents) >= gain - 1e-9
    tables = test.read_prices(program)
    own = affordable_gain(
        test, [0.4], tables["commodities"]["price"].to_numpy(), tables["sites"]["rent"].to_numpy()
    )
    assert own == pytest.approx(gain, abs=1e-7)


@pytest.mark.parametrize(
    ("everybody", "number"),
    [(False, 1), (True, 1), (True, 2), pytest.param(False, 2, marks=pytest.mark.heavy)],
)
def test_the_bound_of_a_simplex_holds_inside_it(everybody: bool, number: int) -> None:
    """No structure drawn at random from a region gains more than the region's bound."""
    search = StructureSearch(two_types(0.8, 0.83, 2).giving([0.8, 0.83], everybody=everybody), number)
    random = np.random.default_rng(11)
    for simplex in search.regions:
        bound = search.bound(simplex)
        for weights in random.dirichlet(np.ones(number + 1), size=3 // number):
            place = tuple((weights @ np.array(simplex)).tolist())
            assert search.at(place).gain <= bound + 1e-8
    covered = sum(
        abs(np.linalg.det(np.diff(np.array(s), axis=0))) / math.factorial(number) for s in search.regions
    )
    assert covered == pytest.approx(1 / math.factorial(number), abs=1e-12)


def test_the_bound_is_exact_to_second_order() -> None:
    """Halving an interval at the optimum divides the gap by about four."""
    best = 5 - ROOT
    search = StructureSearch(one_taste(FIRST), 1)
    top = search.at((best,)).gain
    gaps = [search.bound(((best,), (best + width,))) - top for width in (0.08, 0.04, 0.02)]
    assert 3 < gaps[0] / gaps[1] < 5
    assert 3 < gaps[1] / gaps[2] < 5


# --- Example 1 -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coefficients", "location"),
    [
        (FIRST, 5 - ROOT),
        (SECOND_AS_PRINTED, 0.5),
        pytest.param(SECOND_AS_LOCATED, ROOT - 4, marks=pytest.mark.heavy),
    ],
)
def test_ideal_locations(coefficients: tuple[float, float], location: float) -> None:
    """Closed forms: −4 + ½√78 and 5 − ½√78, in the other order than printed, and ½.

    Berliant & Konishi (2000), Example 1, print .41588 for type 1, whose ideal is .58412; .41588 is ideal
    for min{c₁, 2c₂}, and ½ for the printed min{c₁, c₂}. Located to 1e-6, proved to 1e-8 in utility.
    """
    own = ideal(coefficients)
    assert own.location == pytest.approx(location, abs=1e-6)
    share = (own.consumption[0] + 0.5) / (2 - own.location)
    assert net_output(own.location, share) == pytest.approx(own.consumption, abs=1e-7)


def test_type_one_alone() -> None:
    """x₁ = .168239, c₂ = 2c₁, at a population of .471960 at site 0 (six digits)."""
    answer = most_improving_coalition(one_taste(FIRST), tolerance=1e-8)
    assert answer.is_global
    members = answer.tables["members"]
    assert members["consumption_1"].sum() == pytest.approx(0.168239, abs=5e-7)
    assert members["consumption_2"].sum() == pytest.approx(2 * members["consumption_1"].sum(), abs=1e-12)
    assert members["mass"].tolist() == pytest.approx([0.471960, 1 - 0.471960], abs=1e-6)


@cache
def no_core(second: tuple[float, float]) -> CoreTest:
    found = core_test(example_one(second))
    assert found.best.is_global
    return found


@READINGS
def test_the_core_is_empty(second: tuple[float, float]) -> None:
    """Whatever the allocation, a type can leave and gain at least ε (.2364 and .9435 per cent)."""
    found = no_core(second)
    expected = {SECOND_AS_PRINTED: 0.00236418, SECOND_AS_LOCATED: 0.00943480}[second]
    assert found.empty
    assert found.best.facts["bound"] < 0
    assert found.at_least == pytest.approx(expected, abs=1e-7)
    test = example_one(second).giving(found.utility, everybody=True)
    assert all(condition.passed for condition in test.conditions(found.best.tables))


@READINGS
def test_the_best_allocation_of_everybody_is_blocked_and_by_whom(second: tuple[float, float]) -> None:
    """Its blocking coalition is found: one type alone, at its ideal location, gaining ε."""
    found = no_core(second)
    reached = [(1 + found.best.objective) * own for own in found.utility.values()]
    test = example_one(second, utility=reached)
    answer = most_improving_coalition(test)
    assert answer.facts["improves"]
    assert answer.objective == pytest.approx(found.at_least, abs=1e-6)
    assert sorted(np.round(answer.tables["types"]["share"], 6)) == [0, 1]
    alone = int(answer.tables["types"]["share"].to_numpy().argmax())
    place = answer.tables["marketplaces"]["location"].iloc[0]
    assert place == pytest.approx(ideal((FIRST, second)[alone]).location, abs=1e-4)
    assert answer.tables["types"]["mass"].max() == pytest.approx(0.5, abs=1e-6)
    assert all(condition.passed for condition in test.conditions(answer.tables))


@READINGS
def test_every_feasible_allocation_on_a_grid_is_blocked(second: tuple[float, float]) -> None:
    """An oracle without programs: any d, m and division leaves a type below what it can have alone."""
    alone, best = list(no_core(second).utility.values()), -np.inf
    for place in np.linspace(0, 1, 81):
        for output in net_output(float(place), np.linspace(0, 1, 161)):
            if output.min() < 0:
                continue
            need = 0.5 * (np.array(FIRST) * alone[0] + np.array(second) * alone[1])
            best = max(best, float((output / need).min()) - 1)
    found = no_core(second)
    assert best <= found.best.facts["bound"]
    assert best == pytest.approx(found.best.objective, abs=2e-2)


def test_two_marketplaces_leave_nothing() -> None:
    """The paper's remark: with two marketplaces no one can get positive utility."""
    assert StructureSearch(example_one(), 2).at((0.0, 1.0)).gain == pytest.approx(-1, abs=1e-6)


def test_frontiers_and_envelope() -> None:
    """At d = ½ the frontier is x₁ + x₂ = ½; the envelope lies on or beyond each, and is not convex."""
    assert frontier(0.5) == pytest.approx(np.array([[0.5, 0.0], [0.0, 0.5]]), abs=1e-7)
    whole = envelope(11)
    x, d = whole.output, whole.location
    assert d[0] < 0.25
    assert d[-1] > 0.75
    assert (np.diff(d) > 0).all()
    for place in np.linspace(0, 1, 6):
        ends = frontier(float(place))
        assert (x[:, 0] / ends[0, 0] + x[:, 1] / ends[1, 1] >= 1 - 1e-6).all()
    middle = x[5]
    assert middle == pytest.approx([0.25, 0.25], abs=1e-6)
    chord = (x[4] + x[6]) / 2
    assert (chord > middle).all()
    for k in (2, 7):
        assert ideal((x[k] / x[k].sum()).tolist()).location == pytest.approx(d[k], abs=1e-5)


# --- Cobb–Douglas ----------------------------------------------------------------------------------


def test_the_whole_economy_improves_upon_less_than_the_optimum() -> None:
    """Case 1, q̄ = .1: the optimum is .834792 with one marketplace at ½ (six digits)."""
    test = case_one(0.80, marketplaces=2)
    answer = most_improving_coalition(test)
    assert answer.is_global
    assert answer.objective == pytest.approx(0.834792 / 0.80 - 1, abs=1e-6)
    assert answer.tables["marketplaces"]["location"].tolist() == pytest.approx([0.5], abs=1e-5)
    members = answer.tables["members"]
    assert members["mass"].tolist() == pytest.approx([0.1882, 0.3118, 0.3118, 0.1882], abs=5e-5)
    assert members["utility"].tolist() == pytest.approx([0.834792] * 4, abs=1e-6)
    assert answer.tables["types"]["mass"].tolist() == [1.0]
    assert all(condition.passed for condition in test.conditions(answer.tables))


@pytest.mark.parametrize("marketplaces", [1, pytest.param(2, marks=pytest.mark.heavy)])
def test_nobody_improves_upon_the_optimum(marketplaces: int) -> None:
    """Proved to 1e-6, against up to so many marketplaces; the utility is the program's own optimum."""
    optimum = 0.8 * (1 + most_improving_coalition(case_one(0.8), tolerance=1e-8).objective)
    answer = most_improving_coalition(case_one(optimum, marketplaces))
    assert answer.facts["unblocked"]
    assert not answer.facts["improves"]
    assert answer.facts["bound"] <= 1e-6


@pytest.mark.heavy
def test_two_marketplaces_are_better_where_they_are_cheap() -> None:
    """Case 1, q̄ = .05: k = 2 gives .904617, k = 1 .876070 (six digits)."""
    answer = most_improving_coalition(case_one(0.904617, marketplaces=2, setup=0.05))
    assert answer.objective == pytest.approx(0, abs=2e-6)
    assert len(answer.tables["marketplaces"]) == 2
    one = most_improving_coalition(case_one(0.876070, marketplaces=1, setup=0.05))
    assert one.objective == pytest.approx(0, abs=2e-6)


@pytest.mark.heavy
def test_the_formal_counterexample_of_footnote_22() -> None:
    """The tastes of cases 1 and 2 together, q̄ = .1, masses 1 and ½: the core is empty, ε = .119 per cent.

    Alone the types reach .834792 (case 1, six digits) and .848800, at other places; no published number.
    """
    found = core_test(two_types(1.0, 1.0))
    assert found.empty
    assert found.utility["even"] == pytest.approx(0.834792, abs=1e-6)
    assert found.at_least == pytest.approx(0.0011946, abs=1e-6)
    places = [answer.tables["marketplaces"]["location"].iloc[0] for answer in found.alone.values()]
    assert places == pytest.approx([0.5, 0.67], abs=1e-4)
    everybody = two_types(1.0, 1.0).giving(found.utility, everybody=True)
    assert all(condition.passed for condition in everybody.conditions(found.best.tables))
    assert found.best.tables["types"]["share"].tolist() == pytest.approx([2 / 3, 1 / 3], abs=1e-8)


@pytest.mark.heavy
def test_types_that_are_alike_have_a_core() -> None:
    """Theorem 4.1: with one taste, under two names, everybody together does as well as each alone."""
    types = [ConsumerType(name=name, mass=mass, taste=EVEN, utility=1) for name, mass in (("a", 1), ("b", 2))]
    found = core_test(economy(types))
    assert not found.empty
    assert found.best.objective == pytest.approx(0, abs=1e-6)


def test_a_mixed_coalition_of_two_types() -> None:
    """Where both types get less than together they could, everybody improves; each condition holds."""
    test = two_types(0.83, 0.84)
    together = test.giving({"even": 0.83, "tilted": 0.84}, everybody=True)
    answer = most_improving_coalition(together, tolerance=1e-3)
    assert answer.is_global
    assert answer.facts["improves"]
    free = most_improving_coalition(test, tolerance=1e-3)
    assert free.facts["bound"] >= answer.objective
    assert all(condition.passed for condition in test.conditions(free.tables))


def test_a_type_with_nothing_gains_in_units_of_utility() -> None:
    answer = most_improving_coalition(case_one(0.0))
    assert answer.objective == pytest.approx(0.834792, abs=1e-6)
    assert answer.facts["improves"]


def test_where_no_marketplace_can_be_set_up_nobody_improves() -> None:
    test = case_one(0.5, setup=3.0)
    answer = most_improving_coalition(test)
    assert answer.objective == pytest.approx(-1, abs=1e-6)
    assert answer.facts["unblocked"]
    assert answer.tables["types"]["mass"].tolist() == [0.0]
    assert all(condition.passed for condition in test.conditions(answer.tables, 1e-6))


# --- properties and refusals -----------------------------------------------------------------------


def test_relabelling_and_units() -> None:
    """Order of types, mass units and utility units change nothing but themselves."""
    test = example_one(utility=(0.3, 0.2), marketplaces=1)
    gain = most_improving_coalition(test, tolerance=1e-8).objective
    turned = test.model_copy(update={"types": test.types[::-1]})
    assert most_improving_coalition(turned, tolerance=1e-8).objective == pytest.approx(gain, abs=1e-7)
    doubled = [{**kind.model_dump(), "mass": 7 * kind.mass} for kind in test.types]
    larger = CoalitionTest.model_validate({**test.model_dump(), "types": doubled})
    answer = most_improving_coalition(larger, tolerance=1e-8)
    assert answer.objective == pytest.approx(gain, abs=1e-7)
    assert answer.tables["types"]["mass"].max() == pytest.approx(3.5, abs=1e-6)


@pytest.fixture(
    scope="module",
    params=[
        "leontief",
        *(pytest.param(kind, marks=pytest.mark.heavy) for kind in ("cobb-douglas", "everybody")),
    ],
)
def improved(request: pytest.FixtureRequest) -> tuple[CoalitionTest, dict[str, pd.DataFrame]]:
    """Return a test and the tables of the coalition that gains most with marketplaces in one place."""
    test = {
        "cobb-douglas": case_one(0.8),
        "leontief": example_one(utility=(0.3, 0.2)),
        "everybody": two_types(0.8, 0.8).giving([0.8, 0.8], everybody=True),
    }[request.param]
    program = test.price_program([0.5])
    solve_program(program)
    return test, test.read_prices(program)


def test_every_single_error_in_a_coalition_is_caught(
    improved: tuple[CoalitionTest, dict[str, pd.DataFrame]],
) -> None:
    """A number off by a thousandth, a missing row, a row twice, another label: some condition says so."""
    test, tables = improved
    assert all(condition.passed for condition in test.conditions(tables))
    for name, table in tables.items():
        for column in table.columns:
            for row in range(len(table)):
                of_nobody = column == "utility" and table.loc[row, "mass"] < 1e-3
                of_no_use = column == "land" and next(iter(test.tastes.values())).land == 0
                if name == "members" and (of_nobody or of_no_use):
                    continue
                spoilt = table.copy()
                spoilt.loc[row, column] = (
                    "somebody" if column == "type" else spoilt.loc[row, column] + (
                        1 if column in ("site", "commodity", "marketplace") else 1e-3
                    )
                )  # fmt: skip
                found = test.conditions({**tables, name: spoilt})
                assert not all(each.passed for each in found), f"{name}.{column}[{row}]"
        for wrong in (table.iloc[1:], pd.concat([table, table.iloc[:1]])):
            found = test.conditions({**tables, name: wrong.reset_index(drop=True)})
            assert not all(each.passed for each in found), name


def test_the_order_of_the_rows_of_a_coalition_does_not_matter(
    improved: tuple[CoalitionTest, dict[str, pd.DataFrame]],
) -> None:
    test, tables = improved
    turned = {name: table.iloc[::-1] for name, table in tables.items()}
    before, after = test.conditions(tables), test.conditions(turned)
    assert [each.name for each in before] == [each.name for each in after]
    assert [each.worst for each in after] == pytest.approx([each.worst for each in before], abs=1e-12)


def test_the_certificate_works_out_utilities_and_costs_itself() -> None:
    """Tables that agree with themselves about a wrong utility, a wrong way or a wrong bound do not pass."""
    test = case_one(0.8)
    program = test.price_program([0.5])
    solve_program(program)
    tables = test.read_prices(program)
    richer = tables["members"].assign(utility=tables["members"]["utility"] + 0.1)
    types = tables["types"].assign(required_utility=tables["types"]["required_utility"] + 0.1)
    gain = float(tables["totals"]["gain"].iloc[0]) + 0.1 / 0.8
    totals = tables["totals"].assign(gain=gain)
    failed = {
        each.name
        for each in test.conditions({**tables, "members": richer, "types": types, "totals": totals})
        if not each.passed
    }
    assert failed == {
        "members reach their utility (2.12; utility × mass)",
        "utility is that of the consumption (utility × mass)",
    }
    nearer = tables["sites"].assign(travel=tables["sites"]["travel"] / 2)
    assert any(not each.passed for each in test.conditions({**tables, "sites": nearer}))
    poorer = tables["totals"].assign(gain=gain - 0.3)
    failed = {each.name for each in test.conditions({**tables, "totals": poorer}) if not each.passed}
    assert "nobody could afford a greater gain at the prices (Theorem 3.1; gain)" in failed


@pytest.mark.parametrize("everybody", [False, True])
def test_the_certificate_and_the_search_bound_the_gain_alike(everybody: bool) -> None:
    """Newton's method on the definition, bisection on the program's mirror: the same λ at any prices."""
    test, random = two_types(0.8, 0.83).giving([0.8, 0.83], everybody=everybody), np.random.default_rng(5)
    wants = [np.array(list(each.values())) for each in (test.utility, test.unit, test.shares)]
    for _ in range(50):
        share = random.uniform(0.02, 0.98)
        prices, rents = np.array([share, 1 - share]), random.uniform(0.01, 0.6, 4)
        fee = setup_fee(test.needs(1), prices)
        income = prices[np.array(test.makes) - 1] * (test.time - test.travel([0.4])) + rents.sum() - fee
        costs = living_costs(list(test.tastes.values()), test.makes, prices, rents)
        other = least_gain(
            income[None], costs[None], *wants[:2], test.least_gain, wants[2] if everybody else None
        )
        assert affordable_gain(test, [0.4], prices, rents) == pytest.approx(other, abs=1e-12)


def test_nothing_is_proved_at_prices_of_nothing() -> None:
    """Where a type's consumption is free no gain is too great."""
    test = example_one(utility=(0.3, 0.2))
    for everybody in (False, True):
        economy = test.giving([0.3, 0.2], everybody=everybody)
        bound = affordable_gain(economy, [0.5], np.array([0.0, 0.0]), np.zeros(2))
        assert not bound <= 1e6


BASE: dict[str, Any] = case_one(0.8).model_dump()
TYPE: dict[str, Any] = BASE["types"][0]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"makes": (1, 2)}, r"makes \(length\) is 2, but must be 4, one for each site\."),
        (
            {"makes": (1, 1, 1, 1)},
            r"makes is \(1, 1, 1, 1\), but must be a list that holds each commodity 1 … 2",
        ),
        ({"region": (1, 0)}, r"region is \(1.0, 0.0\), but must be an interval"),
        ({"marketplaces": 0}, r"marketplaces is 0, but must be 1, 2 or 3\."),
        ({"time": 0}, r"time is 0, but must be a finite number > 0\."),
        ({"plot": -1}, r"plot is -1, but must be a finite number > 0\."),
        ({"types": [TYPE, TYPE]}, r"types \(names\) is \['all', 'all'\], but must be all different\."),
        ({"types": [{**TYPE, "mass": 0}]}, r"mass is 0, but must be a finite number > 0\."),
        ({"types": [{**TYPE, "utility": -1}]}, r"utility is -1, but must be a finite number >= 0\."),
        (
            {"types": [{**TYPE, "taste": {"kind": "leontief", "coefficients": (1, 1, 1)}}]},
            r"commodities of type all is 3, but must be 2, as in the set-up\.",
        ),
    ],
)
def test_bad_input_is_one_sentence(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        CoalitionTest.model_validate({**BASE, **changed})


def test_a_constructor_looks_at_no_structure(monkeypatch: pytest.MonkeyPatch) -> None:
    given = two_types(0.8, 0.83, marketplaces=3).model_dump()
    for name in ("travel", "needs", "program", "price_program", "location_program"):
        monkeypatch.setattr(CoalitionTest, name, None)
    test = CoalitionTest.model_validate(given)
    assert test.giving([0.7, 0.7]).utility == {"even": 0.7, "tilted": 0.7}


def test_bad_tastes_and_needs() -> None:
    with pytest.raises(InputError, match=r"coefficients is \(0.0, 0.0\), but must be a list"):
        Leontief(coefficients=(0, 0))
    with pytest.raises(InputError, match=r"sum of exponents is 1.2, but must be 1"):
        CobbDouglas(commodities=(0.6, 0.6))
    with pytest.raises(InputError, match=r"shares is \(0.5, 0.6\), but must be"):
        SetupComposite(amount=1, shares=(0.5, 0.6))
    with pytest.raises(InputError, match=r"amount is 0, but must be a finite number > 0"):
        SetupComposite(amount=0, shares=(0.5, 0.5))
    with pytest.raises(InputError, match=r"amounts"):
        SetupNeeds(amounts=(-1, 1))


def test_bad_structures_and_utilities() -> None:
    test = case_one(0.8)
    with pytest.raises(InputError, match=r"locations is \[1.5\], but must be 1 to 1 numbers from 0 to 1\."):
        test.program([1.5])
    with pytest.raises(InputError, match=r"locations is \[0.1, 0.2\], but must be 1 to 1 numbers"):
        test.price_program([0.1, 0.2])
    with pytest.raises(InputError, match=r"utility is \[1, 2\], but must be given for each of all\."):
        test.giving([1, 2])
    with pytest.raises(InputError, match=r"tolerance is 0, but must be a finite number > 0\."):
        most_improving_coalition(test, tolerance=0)


@pytest.mark.heavy
def test_the_figures() -> None:
    assert len(draw_frontier(points=5).axes) == 1
    lower = draw_empty_core(points=5).axes[2]
    words = " ".join(text.get_text() for text in lower.texts)
    assert "0.58412" in words
    assert "0.50000" in words
