"""Which program a model's answer is differentiated through, and how it is followed to other parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial, singledispatch
from typing import Any

import pandas as pd
import pyomo.environ as pyo

from agora.methods.changed_programs import refuse_changed_programs
from agora.methods.families import nearest_listed
from agora.solvers import solve_program
from agora.typing import Tables

ACCURATE: dict[str, Any] = {"tol": 1e-10}


@dataclass(frozen=True)
class Differentiable:
    """A model's answer as the optimum of one program."""

    program: pyo.ConcreteModel
    """Holds the answer: values, and multipliers in ``dual``."""
    build: Callable[[Any], pyo.ConcreteModel]
    """Model with other parameters → the same program for it, not solved."""
    read: Callable[[Any, pyo.ConcreteModel], dict[str, pd.DataFrame]]
    """Model, program → tables."""
    follow: Callable[[Any, pyo.ConcreteModel], pyo.ConcreteModel]
    """Model with parameters near by, program that holds an optimum → the program of that model, solved
    from there."""
    note: str = ""
    """What is held or free, in words."""


@singledispatch
def differentiable(model: Any, tables: Tables) -> Any:
    """Return the program whose optimum a solution is: as the table of its family says, or the model's own.

    A `Differentiable`, or a `DifferentiablePath` where the answer is a sequence of optima. A user's model
    registers a function of its own, of the model that was solved and the solution's tables.

    Raises
    ------
    InputError
        For a user's class that changes a program of a model of Agora and has registered no function.
    """
    of_family = nearest_listed(type(model), "methods", "DIFFERENTIABLE")
    if of_family is not None:
        allowed = "a function registered for this class by differentiable.register"
        refuse_changed_programs(type(model), (), "differentiable", of_family.__name__, allowed)
        return of_family(model, tables)

    def build(other: Any) -> pyo.ConcreteModel:
        return other.program()

    def read(other: Any, program: pyo.ConcreteModel) -> Any:
        return other.read(program)

    program = build(model)
    solve_program(program)
    return Differentiable(program, build, read, partial(followed, build), "the model's program")


def followed(
    build: Callable[[Any], pyo.ConcreteModel],
    model: Any,
    before: pyo.ConcreteModel,
    options: Mapping[str, Any] | None = None,
) -> pyo.ConcreteModel:
    """Solve a neighbouring model's program from an optimum."""
    program = build(model)
    known = {v.name: v.value for v in before.component_data_objects(pyo.Var, descend_into=True)}
    for variable in program.component_data_objects(pyo.Var, descend_into=True):
        if not variable.fixed and known.get(variable.name) is not None:
            variable.set_value(known[variable.name], skip_validation=True)
    solve_program(program, options)
    return program
