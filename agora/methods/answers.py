"""What a method is asked and hands back; the method that every model has."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

import pandas as pd
import pyomo.environ as pyo
from pydantic import Field

from agora.data.fields import Fields
from agora.models.spatial import POSITIVE
from agora.solvers import SolverRecord, solve_program
from agora.solvers.classify import objective_of

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Answer:
    """A method's answer, before it is certified.

    Attributes
    ----------
    status : str
        What the answer is claimed to be.
    objective : float
        Value of the model's objective.
    is_global : bool
        True only with a proof, which `facts` then names.
    tables : dict of DataFrame
        The model's tables, and the method's own.
    facts : dict
        What else is known: kind, proof, bound, number of starts.
    solvers : tuple of SolverRecord
        Who did the work.
    """

    status: str
    objective: float
    is_global: bool
    tables: dict[str, pd.DataFrame]
    facts: Mapping[str, Any] = field(default_factory=dict)
    solvers: tuple[SolverRecord, ...] = ()


def silent(_: str) -> None:
    """Report progress to nobody."""


class Options(Fields):
    """How to solve any model.

    Parameters
    ----------
    tolerance : float
        Largest violation the certificate accepts, in the units of each condition.
    """

    tolerance: float = Field(default=1e-6, gt=0, json_schema_extra={"allowed": "a finite number > 0"})


class SearchOptions(Options):
    """How to search over structures.

    Parameters
    ----------
    seconds : float
        Time for the search; when it runs out, the bound reached is reported.
    """

    seconds: float = Field(default=60.0, gt=0, json_schema_extra=POSITIVE)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Build without the garbage collector: a program is millions of small objects that all stay."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


@singledispatch
def answer(model: Any, options: dict[str, Any], progress: Progress) -> tuple[Answer, Options]:
    """Solve a model by its method; without one of its own, its program goes to the solver as it is."""
    chosen = Options.model_validate(options)
    progress("building")
    with collector_paused():
        program = model.program()
    progress("solving")
    record = solve_program(program)
    tables = model.read(program)
    objective = float(pyo.value(objective_of(program)))
    convex = record.solver == "HiGHS"
    proof = (
        f"HiGHS closed the gap of a {record.program_class} program" if convex else "none: a local solution"
    )
    status = "global optimum" if convex else "local optimum"
    return Answer(status, objective, convex, tables, {"proof": proof}, (record,)), chosen


@singledispatch
def options_class(model: Any) -> type[Options] | None:
    """Return the class that checks a model's [solve] table, or None where its method has not said."""
    return Options if answer.dispatch(type(model)) is answer.dispatch(object) else None
