"""Every program of every model is solved, agrees with another route, and has the equations it had.

Together they build every formulation there is: one that nothing solves fails the suite.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from pkgutil import walk_packages
from types import CodeType

import pyomo.environ as pyo
import pytest
from contract.economies import LINES
from contract.golden import FOLDER, equations, file_of, golden_programs
from contract.programs import PROGRAMS, Solving, built, called

import agora.formulations


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_program_is_solved_and_agrees_with_another_route(name: str) -> None:
    PROGRAMS[name].compare(Solving())


@pytest.mark.parametrize("name", [name for name, entry in PROGRAMS.items() if entry.golden])
def test_the_equations_are_the_golden_ones(name: str) -> None:
    assert equations(built(name)) == file_of(name).read_text(encoding="utf-8")


def test_no_golden_file_is_left_over() -> None:
    assert {file.name for file in FOLDER.iterdir()} == {file_of(name).name for name, _ in golden_programs()}


def everywhere() -> set[CodeType]:
    """Return all functions by which the programs that are solved are built."""
    return set().union(*(called(name) for name in PROGRAMS))


def test_every_program_of_every_model_is_solved() -> None:
    """Name the methods that end in `program` and that no solved program is built by."""
    solved, left = everywhere(), set()
    for model in {type(line.economy) for line in LINES.values()}:
        for method, function in inspect.getmembers(model, inspect.isfunction):
            states = method == "program" or (method.endswith("_program") and not method.startswith("_"))
            if states and function.__code__ not in solved:
                left.add(f"{model.__name__}.{method}")
    assert left == set()


def formulations() -> Iterator[tuple[str, CodeType]]:
    """Yield name and code of every ``add_…`` of the formulations, and of each form of one that dispatches."""
    for module in walk_packages(agora.formulations.__path__, "agora.formulations."):
        for name, function in vars(import_module(module.name)).items():
            if name.startswith("add_") and getattr(function, "__module__", None) == module.name:
                if hasattr(function, "registry"):
                    for kind, form in function.registry.items():
                        if kind is not object:
                            yield f"{name} ({kind.__name__})", form.__code__
                else:
                    yield name, function.__code__


def test_every_formulation_is_in_a_program_that_is_solved() -> None:
    every, solved = dict(formulations()), everywhere()
    assert len(every) > 70
    assert {name for name, code in every.items() if code not in solved} == set()


# --- rows ----------------------------------------------------------------------------------------


class Without(Solving):
    """Solves programs without some of their rows."""

    def __init__(self, left_out: str) -> None:
        self.left_out = left_out

    def construct(self, build: Callable[[], pyo.ConcreteModel]) -> pyo.ConcreteModel:
        """Return the program without the rows of that name."""
        program = build()
        for rows in program.component_objects(pyo.Constraint, descend_into=True):
            if rows.local_name == self.left_out:
                rows.deactivate()
        return program


def rows_of(name: str) -> set[str]:
    """Return the names of the rows of a program."""
    parts = built(name).component_objects(pyo.Constraint, descend_into=True)
    return {part.local_name for part in parts if any(row.active for row in part.values())}


def depends(name: str, rows: str) -> bool:
    """Tell whether a program without some rows fails to agree, to be solved, or to be read."""
    try:
        PROGRAMS[name].compare(Without(rows))
    except Exception:  # whatever goes wrong without a row shows that it matters
        return True
    return False


@pytest.mark.heavy
def test_some_answer_depends_on_every_row() -> None:
    """Leave out the rows of one name: some program no longer agrees with the other route."""
    rows = {name: rows_of(name) for name in PROGRAMS}
    every = set().union(*rows.values())
    assert len(every) > 60
    assert {r for r in every if not any(depends(name, r) for name in PROGRAMS if r in rows[name])} == set()
