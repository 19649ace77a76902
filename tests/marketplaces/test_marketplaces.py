"""Marketplaces and cities: programs, exact structures, equilibrium with fees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from makers import FOUR_SITES
from scipy.optimize import brentq

from agora.data import InputError
from agora.data.datasets import read_dataset
from agora.formulations.marketplaces.grounds import Line
from agora.formulations.marketplaces.market_equilibrium import (
    Economy,
    _bracketed,
    largest_need,
    slack,
    solve_market,
)
from agora.formulations.marketplaces.preferences import CobbDouglas, ConstantElasticity, population
from agora.methods.marketplaces.branch_and_bound import FLOOR, _Search, best_structure, least_bound
from agora.methods.marketplaces.line_bound import allowed_utility, bounded_structure
from agora.methods.marketplaces.marketplaces import structure_problem
from agora.models.marketplaces.marketplaces import Marketplaces
from agora.runners import certify, solve, solve_program
from agora.runners.studies.parameters import parameter
from agora.runners.sweeps.plan import plan

PAPER = FOUR_SITES
CASES: dict[int, dict[str, Any]] = {
    1: {},
    2: {"commodity_shares": [0.2, 0.3]},
    3: {"setup_shares": [0.3, 0.7]},
    4: {"railway": {"scale": "once", "cost_per_length": 3.0}},
    5: {"railway": {"scale": "once", "cost_per_length": [(0.0, 0.5, 9.0), (0.5, 1.0, 0.3)]}},
}


def economy(case: int = 1, **changes: Any) -> Marketplaces:
    return Marketplaces(**{**PAPER, **CASES[case], **changes})


def long(*case: Any) -> Any:
    """Return a case that takes seconds, for the heavy tests; shorter ones of its kind stand beside it."""
    return pytest.param(*case, marks=pytest.mark.heavy)


@pytest.mark.parametrize(
    ("case", "cost", "number", "utility", "population", "runner_up"),
    [
        long(1, 0.01, 4, 1.011929, (0.25, 0.25, 0.25, 0.25), (0.989981, 3)),
        long(1, 0.05, 2, 0.904617, None, (0.893295, 3)),
        long(1, 0.1, 1, 0.834792, (0.1882, 0.3118, 0.3118, 0.1882), (0.822290, 2)),
        (1, 0.5, 1, 0.478452, (0.1253, 0.3747, 0.3747, 0.1253), None),
        long(2, 0.01, 4, 1.018215, (0.2240, 0.2240, 0.2760, 0.2760), (1.001410, 3)),
        (2, 0.05, 2, 0.910762, None, (0.904349, 3)),
        long(2, 0.4, 1, 0.581014, (0.1275, 0.3269, 0.3736, 0.1719), (0.266365, 2)),
        long(2, 0.5, 1, 0.484985, (0.1086, 0.3566, 0.3933, 0.1416), None),
        long(3, 0.1, 1, 0.842303, (0.1736, 0.2953, 0.3266, 0.2045), (0.834277, 2)),
        (4, 0.05, 2, 0.903806, (0.1943, 0.3057, 0.3057, 0.1943), (0.876070, 1)),
        (5, 0.05, 3, 0.932080, (0.1831, 0.2954, 0.2608, 0.2608), (0.916830, 2)),
    ],
)
def test_the_table_of_the_spec(
    case: int,
    cost: float,
    number: int,
    utility: float,
    population: tuple[float, ...] | None,
    runner_up: tuple[float, int] | None,
) -> None:
    # spec/marketplaces.md, "What a correct program returns", to 1e-5; ties between mirror images are free
    solution = solve(economy(case, setup_cost=cost))
    facts = solution.certificate.facts
    assert solution.certificate.passed
    assert solution.is_global
    assert solution.objective == pytest.approx(utility, abs=1e-5)
    assert facts["marketplaces"] == number
    assert facts["gap"] <= 1e-8
    assert facts["methods_differ_by"] <= 1e-7
    if population is not None:
        assert solution.tables["sites"]["population"].to_numpy() == pytest.approx(population, abs=6e-5)
    if runner_up is None:
        assert facts["runner_up"] is None
    else:
        assert facts["runner_up"] == pytest.approx(runner_up[0], abs=1e-5)
        assert facts["runner_up_marketplaces"] == runner_up[1]


def test_the_four_mirror_images_of_two_marketplaces() -> None:
    # footnote 23 of the paper: {a, c}, {a, d}, {b, c}, {b, d} are all best at q̄ = .05
    values = [solve(economy(marketplaces=[x, y])).objective for x in (0.0, 0.33) for y in (0.67, 1.0)]
    assert np.ptp(values) <= 1e-8


@pytest.mark.heavy
def test_a_single_marketplace_of_case_2_moves_left() -> None:
    for cost, place in ((0.2, 0.67), (0.4, 0.6557), (0.5, 0.6202)):
        found = solve(economy(2, setup_cost=cost)).tables["marketplaces"]["location"]
        assert found.tolist() == pytest.approx([place], abs=5e-5)


@settings(max_examples=3)
@given(st.sampled_from([1, 2, 3, 4, 5]), st.floats(0.02, 0.25), st.integers(1, 2), st.integers(0, 10**6))
def test_no_structure_beats_the_proved_bound(case: int, cost: float, number: int, seed: int) -> None:
    model = economy(case, setup_cost=cost)
    line = structure_problem(model)
    best = best_structure(line, number)
    assert best.bound <= best.utility * (1 + 1e-8)
    random = np.random.default_rng(seed)
    for _ in range(20):
        places = np.sort(random.uniform(0, 1, number))
        if random.random() < 0.5:
            places[0] = random.choice(model.sites)
        assert line.solve(np.sort(places)).utility <= best.bound


@pytest.mark.parametrize("substitution", [0.7, long(0.3)])
def test_bracketing_finds_newtons_prices_where_rents_are_far_above_incomes(substitution: float) -> None:
    scarce = Economy(
        makes=np.array([0, 1, 0]), shares=np.array([0.3, 0.25]), leisure=0.25, land=0.2,
        plots=np.array([0.01, 0.02, 0.01]), time=1.0, setup_shares=np.array([0.4, 0.6]),
        substitution=substitution,
    )  # fmt: skip
    travel = np.array([0.1, 0.3, 0.2])
    newton = solve_market(scarce, travel, 0.05)
    log_price, rents = _bracketed(scarce, travel, 0.05)
    assert [np.exp(log_price), rents] == pytest.approx([newton.prices[1], newton.rent_income], rel=1e-9)
    assert rents > 0.4  # more than people earn times the land's share of utility


@settings(max_examples=3)
@given(st.integers(0, 10**6), st.integers(2, 3))
@example(39529, 3)  # two people in 10⁵ at a site, rents of 10⁻⁷
@example(197, 2)  # IPOPT does not find back to the equilibrium it starts at
def test_two_methods_give_the_same_equilibrium(seed: int, goods: int) -> None:
    """The reduced equations and the declarative program from its own start, on random economies."""
    random = np.random.default_rng(seed)
    shares = random.dirichlet(np.full(goods + 2, 4.0))
    sites = np.sort(random.uniform(0, 1, 5))
    makes = [1 + k % goods for k in random.permutation(5)]
    model = Marketplaces(
        sites=sites.tolist(),
        makes=makes,
        commodity_shares=shares[:goods].tolist(),
        leisure_share=float(shares[goods]),
        land_share=float(1 - shares[: goods + 1].sum()),
        setup_cost=float(random.uniform(0.01, 0.1)),
        setup_shares=random.dirichlet(np.full(goods, 4.0)).tolist(),
        land=random.uniform(0.5, 2.0, 5).tolist(),
        marketplaces=random.uniform(sites[0], sites[-1], 2).tolist(),
    )
    solution = solve(model)
    assert solution.certificate.passed
    quick = solve_market(model.economy, model.travel(np.array(model.marketplaces)), 2 * model.setup_cost)
    assert quick.utility == pytest.approx(solution.objective, rel=1e-7)
    program = model.program()
    solve_program(program)
    assert float(program.utility.value) == pytest.approx(solution.objective, rel=1e-7)
    assert solution.tables["sites"]["population"].to_numpy() == pytest.approx(quick.population, abs=1e-6)


def test_the_optimum_for_given_places_is_global_by_bisection() -> None:
    """For fixed u the most that can be built is a convex program; u is feasible iff that suffices."""
    model = economy(2, marketplaces=[0.33, 0.67])
    optimum = solve(model).objective
    need = np.log(2 * 0.05)
    for utility, enough in ((optimum * (1 - 1e-4), True), (optimum * (1 + 1e-4), False)):
        built = []
        for start in (0.2, 0.6, 1.2):
            program = model.program()
            program.utility.fix(utility)
            program.setup_limit.deactivate()
            program.common_utility.deactivate()
            for site in program.sites:
                program.leisure[site].set_value(start / 4)
            program.most = pyo.Objective(
                expr=sum(0.5 * pyo.log(program.setup_input[i]) for i in program.goods), sense=pyo.maximize
            )
            solve_program(program)
            built.append(float(pyo.value(program.most)))
        assert np.ptp(built) <= 1e-6
        assert (built[0] >= need) == enough


def test_the_free_program_meets_the_search() -> None:
    model = economy(2, setup_cost=0.4, marketplaces=1)
    program = model.program()
    solve_program(program)
    assert program.location[0].value == pytest.approx(0.655739, abs=1e-5)
    tables = model.read(program)
    assert certify(model, tables, 1e-6).passed
    railway = economy(4, marketplaces=2)
    program = railway.free_program([0, 0, 1, 1])
    solve_program(program)
    assert float(program.utility.value) <= solve(economy(4)).objective + 1e-8


@pytest.mark.parametrize("substitution", [0.5, 0.9, 1.5, 3.0])
def test_ces_is_certified_for_given_places(substitution: float) -> None:
    """The equilibrium by bid rents, the program from it, and the program from its own start agree."""
    model = economy(2, substitution=substitution, marketplaces=[0.2, 0.67])
    solution = solve(model)
    assert solution.certificate.passed
    assert solution.is_global
    assert solution.certificate.facts["methods_differ_by"] <= 1e-8
    program = model.program()
    solve_program(program)
    assert float(program.utility.value) == pytest.approx(solution.objective, rel=1e-8)


@pytest.mark.parametrize(
    ("substitution", "marketplaces"), [(2.0, 2), long(2.0, "free"), long(0.5, "free"), long(0.8, "free")]
)
def test_ces_chooses_marketplaces_with_proof(substitution: float, marketplaces: Any) -> None:
    model = economy(2, substitution=substitution, marketplaces=marketplaces)
    solution = solve(model, seconds=600)
    assert solution.certificate.passed
    assert solution.is_global
    assert solution.certificate.facts["gap"] <= 1e-8
    random, on = np.random.default_rng(7), structure_problem(model)
    for _ in range(15):
        number = int(random.integers(1, 4)) if marketplaces == "free" else marketplaces
        places = np.sort(random.uniform(0, 1, number))
        assert on.solve(places).utility <= solution.certificate.facts["bound"]


@pytest.mark.parametrize("substitution", [None, 0.3, 0.8, 1.3, 4.0])
def test_roots_of_preferences_are_roots(substitution: float | None) -> None:
    """One head lives at u, all land bids its value, one head lives at μ; plain bracketing agrees."""
    shares = (np.array([0.2, 0.3]), 0.25, 0.25)
    tastes = CobbDouglas(*shares) if substitution is None else ConstantElasticity(*shares, substitution)
    random = np.random.default_rng(3)
    for _ in range(20):
        prices = np.exp(random.normal(0, 0.5, 2))
        wages, plots = prices[[0, 1, 0, 1]], random.uniform(0.5, 2, 4)
        income = random.uniform(-0.3, 2, 4)
        income[0] = random.uniform(0.05, 2)
        utility, people = tastes.one_head(prices, wages, income, plots)
        assert float(people.sum()) == pytest.approx(1, abs=1e-12)
        log_u = brentq(
            lambda x: population(tastes, prices, wages, income, np.exp(x), plots).sum().clip(0, 9) - 1,  # noqa: B023
            -60,
            60,
            xtol=1e-14,
        )
        assert float(utility) == pytest.approx(np.exp(log_u), rel=1e-11)
        value = float(plots @ tastes.bid_rent(prices, wages, income, utility))
        assert tastes.utility_for_land_value(prices, wages, income, plots, value) == pytest.approx(
            float(utility), rel=1e-12
        )
        head = tastes.head_price(prices, wages, income + 0.7, float(utility), plots)
        assert head == pytest.approx(0.7, abs=1e-11)


def test_utility_falls_in_the_setup_cost() -> None:
    values = [solve(economy(2, setup_cost=q)).objective for q in (0.05, 0.06, 0.35)]
    assert values == sorted(values, reverse=True)


def test_the_order_of_the_sites_does_not_matter() -> None:
    first = solve(economy(2, setup_cost=0.35))
    order = [2, 0, 3, 1]
    second = solve(
        economy(
            2,
            setup_cost=0.35,
            sites=[PAPER["sites"][k] for k in order],
            makes=[PAPER["makes"][k] for k in order],
        )
    )
    assert second.objective == pytest.approx(first.objective, abs=1e-10)
    here = first.tables["sites"].set_index("position").sort_index()
    there = second.tables["sites"].set_index("position").sort_index()
    for column in ("population", "production", "wage", "rent"):
        assert here[column].to_numpy() == pytest.approx(there[column].to_numpy(), abs=1e-6)


@pytest.fixture(scope="module")
def solved() -> Any:
    """Return case 2 with two marketplaces, solved."""
    return solve(economy(2, marketplaces=[0.33, 0.67]))


def test_the_order_of_the_rows_of_the_tables_does_not_matter(solved: Any) -> None:
    turned = {name: frame.iloc[::-1] for name, frame in solved.tables.items()}
    found = certify(solved.model, turned, 1e-6)
    assert found.passed
    before = {each.name: each.worst for each in solved.certificate.conditions}
    assert {each.name: each.worst for each in found.conditions} == pytest.approx(before, abs=1e-12)


def test_another_structure_than_the_given_one_does_not_pass(solved: Any) -> None:
    """An equilibrium with other marketplaces is none of the model whose marketplaces are given."""
    for other in (
        economy(2, marketplaces=[0.33, 0.66]),
        economy(2, marketplaces=[0.33]),
        economy(2, marketplaces=1),
    ):
        found = certify(other, solved.tables, 1e-6)
        assert [c.name for c in found.conditions if not c.passed] == ["marketplaces are those that may be"]
    assert certify(economy(2), solved.tables, 1e-6).passed
    outside = economy(2, marketplaces=2, region=(0.5, 1.0))
    found = certify(outside, solved.tables, 1e-6)
    assert [c.name for c in found.conditions if not c.passed] == ["marketplaces lie in D"]


def test_golden_text_on_two_sites() -> None:
    small = Marketplaces(
        sites=[0.0, 1.0], makes=[1, 2], commodity_shares=[0.25, 0.25], leisure_share=0.25, land_share=0.25,
        setup_cost=0.5, setup_shares=[0.5, 0.5], marketplaces=[0.5],
    )  # fmt: skip
    program = small.program()
    assert str(program.population_balance.expr) == "population[0] + population[1]  ==  1.0"
    assert str(program.land_balance[0].expr) == "land_used[0]  ==  1.0"
    assert str(program.time_balance[1].expr) == "work[1] + leisure[1] - 1.5*population[1]  <=  0.0"
    assert str(program.commodity_balance[2].expr) == (
        "0.0  <=  work[1] - (consumption[2,0] + consumption[2,1]) - setup_input[2]"
    )
    assert str(program.setup_limit.expr) == (
        "0.0  <=  0.5*log(setup_input[1]) + 0.5*log(setup_input[2]) + 0.6931471805599453"
    )
    assert str(program.envy_freeness[0].expr) == (
        "0.0  <=  0.25*log(consumption[1,0]) + 0.25*log(consumption[2,0]) + 0.25*log(leisure[0])"
        " + 0.25*log(land_used[0]) - log(utility) - log(population[0])"
    )
    free = small.free_program([0, 0])
    assert str(free.travel_right[1].expr) == "1.0  <=  travel[1] + location[0]"
    assert str(free.travel_left[0].expr) == "0.0  <=  travel[0] - location[0]"


def test_the_lagrangian_bound_holds_at_any_prices() -> None:
    model = economy(1, setup_cost=0.1)
    line = structure_problem(model)
    random = np.random.default_rng(5)
    for _ in range(50):
        here, there = (np.sort(random.uniform(0, 1, 2)) for _ in range(2))
        at, other = line.solve(here), line.solve(there)
        margin = slack(model.economy, at, other.utility, line.travel(there), line.need(there))
        assert float(margin) >= -1e-12


def test_largest_setup_cost_is_named_and_is_the_largest() -> None:
    with pytest.raises(InputError, match=r"setup_cost is 2\.0, but must be below") as error:
        solve(economy(setup_cost=2.0, marketplaces=[0.5]))
    most = float(str(error.value).split("below ")[1].split(",")[0])
    assert most == pytest.approx(0.915, abs=1e-6)
    assert (
        solve_market(economy().economy, np.abs(np.array(PAPER["sites"]) - 0.5), most * (1 - 1e-6)).utility > 0
    )
    assert solve(economy(setup_cost=0.9, marketplaces=[0.5])).certificate.passed


def test_two_marketplaces_may_pay_for_what_one_cannot() -> None:
    # at T = .6 one marketplace between sites a unit apart leaves a tenth of an hour, two leave all of it
    far = economy(sites=[0.0, 1.0], makes=[1, 2], time=0.6, setup_cost=0.12, land=[1.0, 1.0])
    solution = solve(far)
    assert solution.certificate.facts["marketplaces"] == 2
    assert solution.is_global


def test_largest_need_is_all_work_and_no_consumption() -> None:
    small = Economy(
        makes=np.array([0, 1]), shares=np.array([0.25, 0.25]), leisure=0.25, land=0.25, plots=np.ones(2),
        time=2.0, setup_shares=np.array([0.5, 0.5]),
    )  # fmt: skip
    assert largest_need(small, np.array([0.5, 0.5])) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"leisure_share": 0.3}, "commodity_shares, leisure_share, land_share (sum) is 1.05, but must be 1."),
        ({"makes": [1, 1, 1, 1]}, "such that some site makes commodity 2"),
        ({"makes": [1, 1, 2]}, "one commodity a site, 4 in all"),
        ({"makes": [1, 1, 2, 3]}, "whole numbers from 1 to 2"),
        ({"setup_shares": [0.5, 0.6]}, "setup_shares (sum) is 1.1, but must be 1."),
        ({"setup_cost": float("nan")}, "setup_cost is nan, but must be a finite number > 0."),
        ({"marketplaces": [0.5, 1.5]}, "marketplaces is 1.5, but must be within the region D = [0, 1]."),
        ({"marketplaces": 0}, "marketplaces is 0, but must be a whole number >= 1."),
        ({"sites": [0.0, 0.0, 0.67, 1.0]}, "two or more different positions"),
        ({"land": [1, 1, 1, -1]}, "a number > 0, or one a site"),
        ({"land_share": 0.0}, "land_share is 0.0, but must be a number > 0 and < 1."),
        ({"railway": {"scale": "twice"}}, "scale is 'twice'"),
        ({"railway": {"cost_per_length": [(0, 1, -1)]}}, "a list of adjoining (from, to, cost)"),
        ({"substitution": 1.0}, "left out (Cobb–Douglas), or a number > 0 other than 1"),
    ],
)
def test_bad_parameters_get_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as error:
        economy(**changes)
    assert sentence in str(error.value)
    assert str(error.value).count("\n") == 0


@pytest.mark.parametrize("places", ["free", 2, [0.5]])
def test_what_nobody_can_pay_for_is_refused_before_anything_is_solved(
    places: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = economy(setup_cost=5.0, marketplaces=places)
    said = r"setup_cost is 5\.0, but must be below .*, the largest that all work could pay for\."
    for module in (
        "agora.methods.marketplaces.marketplaces",
        "agora.formulations.marketplaces.market_equilibrium",
    ):
        monkeypatch.setattr(f"{module}.solve_market", None)
    monkeypatch.setattr("agora.methods.marketplaces.marketplaces.solve_program", None)
    for attempt in (solve, Marketplaces.program, Marketplaces.check):
        with pytest.raises(InputError, match=said) as error:
            attempt(model)
        assert str(error.value).count("\n") == 0
    with pytest.raises(InputError, match=said):
        parameter(economy(), "setup_cost").at(5.0)


def test_rows_of_a_sweep_that_nobody_can_pay_for_are_listed_before_anything_is_solved(tmp_path: Path) -> None:
    (tmp_path / "costs.csv").write_text(
        "scenario,setup_cost\nmarketplaces-case-1,0.1\nmarketplaces-case-1,5\n", encoding="utf-8"
    )
    found = plan(read_dataset(tmp_path / "costs.csv"))
    assert [(fault.row, fault.column) for fault in found.faults] == [(2, "setup_cost")]
    assert len(found.ready) == 1


def test_a_constructor_evaluates_no_structure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of forty sites is built without a look at where marketplaces might be; solving looks."""
    looked: list[str] = []
    for name in ("travel", "units"):
        whole = getattr(Marketplaces, name)

        def counted(model: Marketplaces, places: Any, name: str = name, whole: Any = whole) -> Any:
            looked.append(name)
            return whole(model, places)

        monkeypatch.setattr(Marketplaces, name, counted)
    monkeypatch.setattr(Line, "travel", lambda *_: looked.append("ways"))
    sites = np.linspace(0, 3, 40).tolist()
    for places in ("free", 3, [0.5, 2.5]):
        many = economy(
            sites=sites, makes=[1 + k % 2 for k in range(40)], time=3.0, setup_cost=0.02, marketplaces=places
        )
        many.model_copy(update={"setup_cost": 0.03})
        assert looked == []
    monkeypatch.undo()
    assert many.largest_setup_cost > 0.02


@pytest.mark.parametrize(
    ("case", "cost", "number"),
    [
        *((2, 0.1, 1), (5, 0.05, 1), (1, 0.05, 2), (3, 0.1, 2), (4, 0.05, 2), (5, 0.05, 3)),
        *(long(case, cost, 1) for case, cost in ((1, 0.05), (2, 0.4), (3, 0.1), (4, 0.05))),
        *(long(case, cost, 2) for case, cost in ((2, 0.1), (5, 0.05))),
        *(
            long(*each)
            for each in ((2, 0.4, 2), (1, 0.05, 3), (2, 0.1, 3), (2, 0.4, 3), (3, 0.1, 3), (4, 0.05, 3))
        ),
    ],
)
def test_the_bound_by_dynamic_programming_holds(case: int, cost: float, number: int) -> None:
    line = structure_problem(economy(case, setup_cost=cost))
    exact, bounded = best_structure(line, number), bounded_structure(line, number)
    assert bounded.utility <= exact.bound
    assert bounded.bound >= exact.utility * (1 - 1e-10)


def test_a_bound_at_any_prices_holds_for_random_structures() -> None:
    line = structure_problem(economy(5, setup_cost=0.1))
    random, marks = np.random.default_rng(3), np.array([0.0, 0.33, 0.5, 0.67, 1.0])
    for _ in range(30):
        number = int(random.integers(1, 4))
        prices = np.array([1.0, float(np.exp(random.normal(0, 0.3)))])
        bound, _ = allowed_utility(line, number, marks, prices, float(random.uniform(-1.0, 0.0)))
        for _ in range(5):
            places = np.sort(random.uniform(0, 1, number))
            assert line.solve(places).utility <= bound * (1 + 1e-12)


@pytest.mark.parametrize(
    ("case", "cost", "number"),
    [(2, 0.4, 1), (5, 0.2, 2), long(5, 0.24, 3), long(1, 0.05, 3), long(1, 0.3, 3)],
)
def test_a_search_cut_short_reports_only_what_is_proved(case: int, cost: float, number: int) -> None:
    line = structure_problem(economy(case, setup_cost=cost))
    cut, exact = best_structure(line, number, seconds=1e-9), best_structure(line, number)
    assert cut.bound >= exact.utility
    search = _Search(line, number, 1e-9)
    bound = search.open_bound()
    boxes = [(box, centre) for _, _, box, centre in search.heap]
    assert boxes
    assert np.isinf(bound) or search.unreachable(bound, boxes)
    assert not search.unreachable(search.utility * (1 - 1e-6), boxes) or bound <= search.utility * (1 + 1e-6)


def test_what_nobody_can_pay_for_is_bounded_by_the_floor() -> None:
    found = best_structure(structure_problem(economy(1, setup_cost=0.5)), 3)
    assert found.utility == 0.0
    assert 0 < found.bound <= 2 * FLOOR


@pytest.mark.parametrize(("number", "marketplaces"), [(10, 4), long(40, 5)])
def test_many_sites_on_a_line_are_proved(number: int, marketplaces: int) -> None:
    random = np.random.default_rng(1)
    sites = np.sort(random.uniform(0, 3, number))
    makes = [1 + int(x > 1.5) if random.random() < 0.8 else int(random.integers(1, 3)) for x in sites]
    many = economy(1, sites=sites.tolist(), makes=makes, time=3.0, setup_cost=0.02)
    solution = solve(many, seconds=600)
    assert solution.certificate.passed
    assert solution.is_global
    assert solution.certificate.facts["gap"] <= 1e-8
    assert solution.certificate.facts["marketplaces"] == marketplaces


@pytest.mark.parametrize("seed", range(4))
def test_twenty_sites_with_given_marketplaces(seed: int) -> None:
    random = np.random.default_rng(seed)
    sites = sorted(random.random(20).tolist())
    makes = [1, 2, *random.integers(1, 3, 18).tolist()]
    solution = solve(economy(2, sites=sites, makes=makes, marketplaces=[0.2, 0.5, 0.8], land=0.2))
    assert solution.certificate.passed


@pytest.mark.parametrize("scale", ["per-marketplace", "once"])
def test_a_limit_reports_a_bound_over_all_numbers(scale: str) -> None:
    random = np.random.default_rng(2)
    sites = np.sort(random.uniform(0, 3, 12)).tolist()
    changes = {"sites": sites, "makes": [1 + k % 2 for k in range(12)], "time": 3.0, "setup_cost": 0.02}
    many = economy(1, **changes, railway={"scale": scale, "cost_per_length": 1.0})
    solution = solve(many, seconds=1e-6)
    facts = solution.certificate.facts
    assert solution.certificate.passed
    assert not solution.is_global
    assert "limit" in facts["proof"]
    assert facts["bounded_at_once"] == "2 or more"
    assert len(solution.tables["structures"]) == 1
    best = 0.0
    for number in range(1, 13):  # the numbers that were not touched, too
        given = [random.uniform(sites[0], sites[-1], number) for _ in range(8)]
        on = structure_problem(many)
        best = max(best, *(on.solve(np.sort(places)).utility for places in given))
    assert solution.objective < best <= facts["bound"] < 2 * best


@pytest.mark.parametrize(("case", "cost"), [(2, 0.1), long(1, 0.05), long(5, 0.2)])
def test_less_travel_and_less_need_bound_all_larger_numbers(case: int, cost: float) -> None:
    line = structure_problem(economy(case, setup_cost=cost, region=(0.2, 0.9) if case < 4 else (0.0, 1.0)))
    best = {number: best_structure(line, number).utility for number in range(1, 5)}
    for fewest in (1, 2, 3):
        bound = least_bound(line, fewest)
        assert all(best[number] <= bound for number in range(fewest, 5))


def test_the_program_builds_its_railway_over_uneven_land() -> None:
    # spec: the best two marketplaces of case 5 are at .5 and d, utility .916830
    program = economy(5).free_program([0, 0, 0, 1])
    solve_program(program)
    assert float(program.utility.value) == pytest.approx(0.916830, abs=1e-5)
    assert [place.value for place in program.location.values()] == pytest.approx([0.5, 1.0], abs=1e-5)
    assert pyo.value(program.railway_cost) == pytest.approx(0.3 * 0.5, abs=1e-5)
