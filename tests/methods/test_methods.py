"""Methods: each has its own options, foreign ones are refused; what a proof claims; methods of a user."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pyomo.environ as pyo
import pytest
from makers import city, complaint, write

from agora.data import circle, two_cell
from agora.data.datasets import read_dataset
from agora.data.scenarios import read_scenario, shipped, shipped_scenarios
from agora.methods.families import listed
from agora.methods.method import (
    PROGRAM,
    Answer,
    Method,
    Options,
    Progress,
    Proof,
    _registered,
    choose,
    methods_of,
    register,
    solve_as_stated,
)
from agora.models import CommutingMarket, Condition, FujitaOgawa, Model, ModelCard, worst_case
from agora.models.registry import FAMILIES, model_named
from agora.runners import solve
from agora.runners.sweeps.plan import plan

MODELS = sorted(name for family in FAMILIES for name in family.MODELS)
METHODS = {name: methods_of(model_named(name)) for name in MODELS}
EVERY = [(name, method) for name in MODELS for method in METHODS[name]]
FOREIGN = [
    (name, method, option)
    for name, method in EVERY
    for option in sorted({o for other in METHODS[name].values() for o in other.options.model_fields})
    if option not in METHODS[name][method].options.model_fields
]


# --- options ---------------------------------------------------------------------------------------


def test_the_first_method_of_a_model_is_its_default() -> None:
    assert {name: next(iter(methods)) for name, methods in METHODS.items()} == {
        "coalition-test": "branch-and-bound",
        "commuting": "program",
        "fujita-ogawa": "best-response",
        "graph-game": "newton",
        "invisible-hand": "minimizing-movement",
        "marketplaces": "branch-and-bound",
        "myopic-migration": "ode",
        "price-formation": "auto",
        "short-run-competition": "program",
        "spatial-game": "newton",
        "spatial-trade": "auto",
    }


@pytest.mark.parametrize(
    ("room", "table"),
    [("methods", "METHODS"), ("methods", "DIFFERENTIABLE"), ("runners.figures", "PICTURES")],
)
def test_what_the_tables_of_the_families_name_is_there(room: str, table: str) -> None:
    for family in FAMILIES:
        package = import_module(family.__name__.replace("agora.models", f"agora.{room}"))
        entries = getattr(package, table, {})
        assert set(entries) <= set(family.MODELS)
        for name in entries:
            found = listed(model_named(name), room, table)
            each = [found] if callable(found) else list(found.values())
            assert each
            assert all(isinstance(one, Method) if table == "METHODS" else callable(one) for one in each)


@pytest.mark.parametrize(("name", "method"), EVERY)
def test_a_method_has_the_name_and_the_options_that_it_is_chosen_by(name: str, method: str) -> None:
    found, chosen = choose(model_named(name), {"method": method, "tolerance": 1e-5})
    assert found.name == method
    assert type(chosen) is found.options
    assert chosen.tolerance == 1e-5
    again = choose(model_named(name), {"method": method, **chosen.model_dump()})
    assert again == (found, chosen)


@pytest.mark.parametrize(("name", "method", "option"), FOREIGN)
def test_an_option_of_another_method_is_refused(name: str, method: str, option: str) -> None:
    said = complaint(choose, model_named(name), {"method": method, option: 4})
    assert said.startswith(f"{option} is 4, but must be left out: the method {method} has no such option; ")
    having = said.partition("; ")[2].removesuffix(" has it.").removesuffix(" have it.").split(", ")
    assert having == [other for other, m in METHODS[name].items() if option in m.options.model_fields]


def test_foreign_options_are_many() -> None:
    assert {name for name, *_ in FOREIGN} == {
        "fujita-ogawa", "invisible-hand", "price-formation", "spatial-trade"
    }  # fmt: skip
    assert ("fujita-ogawa", "global", "starts") in FOREIGN


@pytest.mark.parametrize(("name", "method"), EVERY)
def test_an_unknown_option_is_refused_with_the_nearest_of_the_method(name: str, method: str) -> None:
    said = complaint(choose, model_named(name), {"method": method, "tolerence": 1e-6})
    assert said.startswith("tolerence is 1e-06, but must be left out, or a known field: one of ")
    assert "(did you mean tolerance?)" in said
    for guess in ("guess", ["guess"]):
        said = complaint(choose, model_named(name), {"method": guess})
        assert said.startswith(f"method is {guess!r}, but must be one of ")


def test_nothing_is_solved_before_a_foreign_option_is_refused() -> None:
    steps: list[str] = []
    said = complaint(solve, city(circle(8), 0.1, 8.0), method="global", starts=4, progress=steps.append)
    assert said == (
        "starts is 4, but must be left out: the method global has no such option; "
        "best-response, ipopt, complementarity have it."
    )
    assert steps == []


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("fujita-ogawa", {"method": "history", "start": [0.5, 0.0], "seed": 3}, "unless no start is given"),
        ("price-formation", {"method": "program", "start": "supply", "seed": 3}, "unless start is random"),
        ("spatial-trade", {"truncation": 1e-3}, "unless kernel is low-rank"),
        ("spatial-game", {"centres": [1, 2]}, "unless start is agglomerated"),
        ("spatial-game", {"replies": 3}, "unless start is agglomerated or starts > 0"),
        ("graph-game", {"start": "agglomerated", "seed": 3}, "unless starts > 0"),
        (
            "invisible-hand",
            {"step_control": "fixed", "step_tolerance": 0.1},
            "unless step_control is adaptive",
        ),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(
    name: str, options: dict[str, Any], sentence: str
) -> None:
    assert sentence in complaint(choose, model_named(name), options)


@pytest.mark.parametrize("name", sorted(shipped_scenarios()))
def test_shipped_scenarios_have_no_foreign_option(name: str) -> None:
    scenario = read_scenario(name)
    method, chosen = choose(model_named(scenario.model), scenario.solve)
    assert {key: getattr(chosen, key) for key in scenario.solve if key != "method"} == {
        key: value for key, value in scenario.solve.items() if key != "method"
    }
    assert scenario.solve.get("method", method.name) == method.name


@pytest.mark.parametrize("name", sorted(shipped("datasets")))
def test_shipped_datasets_have_no_foreign_option(name: str) -> None:
    rows = read_dataset(shipped("datasets")[name]).rows
    assert rows
    for row in rows:
        choose(model_named(row.content["model"]), row.content.get("solve", {}))


def test_a_dataset_names_the_rows_with_foreign_options(tmp_path: Path) -> None:
    table = "scenario,solve.method,solve.starts\ntwo-cell-low,best-response,3\ntwo-cell-low,global,3\n"
    planned = plan(read_dataset(write(tmp_path / "table.csv", table)))
    assert [ready.row.number for ready in planned.ready] == [1]
    (fault,) = planned.faults
    assert (fault.row, fault.column, fault.value) == (2, "solve.starts", 3)
    assert "the method global has no such option" in fault.sentence()


def test_the_manifest_holds_the_method_and_its_options_alone() -> None:
    solution = solve(city(two_cell(), 0.1, 2.0), method="all-equilibria", samples=3)
    options = {"method": "all-equilibria", "tolerance": 1e-6, "samples": 3, "seed": 1}
    assert solution.manifest["options"] == options
    assert solve(solution.model, **options).objective == solution.objective


# --- proofs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "proof",
    [
        Proof("none", "nothing", bound=1.0, gap=0.0),
        Proof("bound", "no bound", gap=0.0),
        Proof("bound", "no gap", bound=1.0),
        Proof("enumeration", "neither"),
        Proof("bound", "infinite", bound=math.inf, gap=0.0),
        Proof("bound", "infinite", bound=1.0, gap=math.inf, promised=math.inf),
        Proof("bound", "NaN", bound=math.nan, gap=0.0),
        Proof("enumeration", "NaN", bound=1.0, gap=math.nan, promised=1.0),
        Proof("convexity", "NaN", gap=math.nan),
        Proof("uniqueness", "infinite", bound=-math.inf),
        Proof("bound", "not closed", bound=1.0, gap=1e-6, promised=1e-9),
        Proof("bound", "the answer exceeds the bound", bound=1.0, gap=-1e-6, promised=1e-9),
        Proof("bound", "closed to NaN", bound=1.0, gap=0.0, promised=math.nan),
    ],
)
def test_no_proof_is_no_claim(proof: Proof) -> None:
    assert not proof.is_global
    assert not Answer("optimum", 1.0, {}, proof).is_global


@pytest.mark.parametrize(
    "proof",
    [
        Proof("bound", "closed", bound=1.0, gap=1e-9, promised=1e-9),
        Proof("bound", "closed within rounding", bound=1.0, gap=-1e-10, promised=1e-9),
        Proof("enumeration", "all evaluated", bound=1.0, gap=0.0),
        Proof("convexity", "local is global"),
        Proof("uniqueness", "no other solution"),
    ],
)
def test_a_proof_is_a_claim(proof: Proof) -> None:
    assert proof.is_global
    answer = Answer("optimum", 1.0, {}, proof, {"kind": "best"})
    assert answer.is_global
    assert answer.facts["kind"] == "best"
    assert answer.facts["proof"] == proof.words
    assert answer.facts.get("gap") == proof.gap


def test_what_is_claimed_of_a_solution_is_what_its_proof_says() -> None:
    solution = solve(city(two_cell(), 0.1, 2.0), method="global")
    assert solution.proof.kind == "enumeration"
    assert solution.proof.bound == solution.objective
    assert any(assumption.startswith("f is convex") for assumption in solution.proof.assumptions)
    assert solution.is_global
    assert solution.record()["global"] is True
    assert solution.record()["certificate"]["proof"] == solution.proof.words
    assert solve(city(two_cell(), 0.1, 2.0), starts=2).proof.kind == "none"


# --- models and methods of a user --------------------------------------------------------------------


class Knapsack(Model):
    """What to carry, whole pieces or shares, with or without a bend in the value."""

    card: ClassVar[ModelCard] = ModelCard("knapsack", "What to carry?", "MIP", "-", (), ())
    whole: bool = True
    bend: float = 0.0
    power: int = 2
    sign: float = 1.0

    def program(self) -> pyo.ConcreteModel:
        """Return the program."""
        program = pyo.ConcreteModel()
        worth, weights = [6.0, 10.0, 12.0], [1.0, 2.0, 3.0]
        domain = pyo.Binary if self.whole else pyo.UnitInterval
        program.take = pyo.Var(range(3), domain=domain, initialize=0.5)
        program.limit = pyo.Constraint(expr=sum(weights[k] * program.take[k] for k in range(3)) <= 4.5)
        value = sum(worth[k] * program.take[k] for k in range(3))
        if self.bend:
            value += self.bend * sum(program.take[k] ** self.power for k in range(3))
        sense = pyo.maximize if self.sign > 0 else pyo.minimize
        program.value = pyo.Objective(expr=self.sign * value, sense=sense)
        return program

    def read(self, program: pyo.ConcreteModel) -> dict[str, pd.DataFrame]:
        """Return what is taken."""
        return {"pieces": pd.DataFrame({"taken": [float(v.value) for v in program.take.values()]})}

    def conditions(self, tables: Any, tolerance: float) -> tuple[Condition, ...]:
        """Evaluate the limit."""
        load = float(tables["pieces"]["taken"] @ [1.0, 2.0, 3.0]) - 4.5
        return (worst_case("no more than one can carry", [load], ["the bag"], tolerance),)


@pytest.fixture(scope="module", autouse=True)
def _forget_the_knapsack() -> Iterator[None]:
    yield
    Model.registry.pop("knapsack", None)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_mixed_integer_program_is_proved_by_its_bound(sign: float) -> None:
    solution = solve(Knapsack(sign=sign))
    proof = solution.proof
    assert solution.objective == pytest.approx(sign * 18.0, abs=1e-9)
    assert (proof.kind, proof.bound, proof.gap) == ("bound", pytest.approx(sign * 18.0), pytest.approx(0.0))
    assert solution.is_global
    assert solution.certificate.facts["bound"] == proof.bound
    assert solution.manifest["solvers"][0]["bound"] == proof.bound


@pytest.mark.parametrize(
    ("changes", "kind", "assumptions"),
    [
        ({"whole": False}, "convexity", ("the program is linear",)),
        ({"whole": False, "bend": -1.0}, "convexity", ("the program is convex quadratic",)),
        ({"whole": False, "bend": 1.0}, "none", ()),
        ({"whole": False, "bend": -1.0, "power": 3}, "none", ()),
    ],
)
def test_a_program_as_it_stands_is_proved_by_its_class(
    changes: dict[str, Any], kind: str, assumptions: tuple[str, ...]
) -> None:
    solution = solve(Knapsack(**changes))
    assert (solution.proof.kind, solution.proof.assumptions) == (kind, assumptions)
    assert solution.is_global == (kind == "convexity")
    assert solution.status == ("global optimum" if solution.is_global else "local optimum")
    assert "bound" not in solution.manifest["solvers"][0]


class GreedyOptions(Options):
    """How to fill the bag."""

    pieces: int = 3


def greedy(model: Knapsack, chosen: GreedyOptions, progress: Progress) -> Answer:
    """Take the first pieces."""
    progress("filling")
    taken = [1.0 if k < chosen.pieces else 0.0 for k in range(3)]
    tables = {"pieces": pd.DataFrame({"taken": taken})}
    return Answer("full", float(pd.Series(taken) @ [6.0, 10.0, 12.0]), tables, Proof("none", "none: greedy"))


def test_a_user_registers_a_method_of_their_own() -> None:
    class Bag(Knapsack):
        """A knapsack of a user's own, known by the card above."""

    assert list(methods_of(Bag)) == ["program"]
    register(Bag, Method("greedy", GreedyOptions, greedy))
    assert list(methods_of(Bag)) == ["greedy", "program"]
    assert list(methods_of(Knapsack)) == ["program"]
    solution = solve(Bag(), pieces=2)
    assert (solution.status, solution.objective, solution.is_global) == ("full", 16.0, False)
    assert solution.manifest["options"] == {"method": "greedy", "tolerance": 1e-6, "pieces": 2}
    assert solve(Bag(), method="program").objective == pytest.approx(18.0)
    said = complaint(solve, Bag(), method="program", pieces=2)
    assert "the method program has no such option; greedy has it" in said
    register(Bag, Method("greedy", Options, solve_as_stated))  # as a notebook does that is run again
    assert solve(Bag()).objective == pytest.approx(18.0)


def test_methods_of_agora_stay_and_a_users_come_after() -> None:
    class Town(FujitaOgawa):
        """A city of a user's own."""

    class Village(Town):
        """A smaller one."""

    register(Town, Method("mine", Options, solve_as_stated))
    assert list(methods_of(Town)) == ["mine", *METHODS["fujita-ogawa"]]
    assert list(methods_of(Village)) == list(methods_of(Town))
    assert list(methods_of(FujitaOgawa)) == list(METHODS["fujita-ogawa"])
    assert methods_of(CommutingMarket) == {"program": PROGRAM}
    said = complaint(register, FujitaOgawa, Method("global", Options, solve_as_stated))
    assert said == "method is 'global', but must be a name that FujitaOgawa has no method of yet."


def test_a_changed_method_of_a_user_makes_a_row_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    dataset = read_dataset(write(tmp_path / "table.csv", "scenario,solve.method\ntwo-cell-low,mine\n"))
    keys = []
    for name, factor in (("first_own", 1.0), ("second_own", 2.0), ("third_own", 1.0)):
        write(tmp_path / f"{name}.py", f"def run(model, chosen, progress):\n    return {factor}\n")
        mine = Method("mine", Options, import_module(name).run)
        monkeypatch.setitem(_registered, FujitaOgawa, {"mine": mine})
        (ready,) = plan(dataset).ready
        keys.append(ready.key)
    assert keys[0] != keys[1]
    assert keys[0] == keys[2]
