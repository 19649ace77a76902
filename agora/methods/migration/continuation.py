"""Branches of equilibria: one program solved from a start, and followed along a parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyomo.environ as pyo
from pydantic import Field

from agora.data.checks import InputError
from agora.data.fields import POSITIVE, Fields
from agora.methods.differentiable import Differentiable, followed
from agora.methods.method import Count, Progress, collector_paused, silent
from agora.methods.migration.path_newton import Course
from agora.models.migration.game import MeanFieldGame
from agora.solvers import SolveFailed, SolverRecord, solve_program
from agora.typing import Tables

NEWTON = {"mu_init": 1e-6, "max_iter": 300}
"""A system of equations has nothing to gain from the barrier."""

HALVINGS = 10
"""Times that a step along a branch is halved, at most."""


class Continuation(Fields):
    """How a parameter is moved from another value to that of the model.

    A step that fails, or over which the concentration jumps, is halved, up to ten times; one that succeeds
    lets the next be twice as long, up to the first.
    """

    parameter: str
    """A number of the model: ``moving_cost``, ``trade_cost_share``, ``initial.amplitude``, …"""
    start: float
    """Its first value."""
    steps: Count = 10
    """Steps to the model's own value if none is halved, ≥ 1."""
    jump: float = Field(default=0.5, gt=0, json_schema_extra=POSITIVE)
    """Largest relative change of the concentration H at the end, over a step; more is another branch."""


def course_of(model: MeanFieldGame, table: pd.DataFrame) -> Course:
    """Return the course that a table ``path`` or ``rest`` holds."""
    count = model.arcs.number
    return Course(*(table[c].to_numpy(dtype=float).reshape(-1, count) for c in ("density", "value", "wage")))


def towards(earlier: Course, later: Course, ahead: float) -> Course:
    """Return the course that continues from `earlier` through `later` by the share `ahead` of the gap."""
    mu = later.density * np.clip(later.density / earlier.density, 0.1, 10.0) ** ahead
    return Course(mu, later.value + ahead * (later.value - earlier.value), later.wages)


def solve_once(
    model: MeanFieldGame, start: Course | None = None, doublings: int = 1, rest: Course | None = None
) -> tuple[dict[str, pd.DataFrame], SolverRecord]:
    """Solve a model's program from a start and return its tables and the solver's record."""
    with collector_paused():
        program = horizon_program(model, doublings)
        start_from(model, program, start, rest)
        record = solve_program(program, NEWTON, interior=True)
        return model.read(program), record


def horizon_program(model: MeanFieldGame, doublings: int = 1) -> pyo.ConcreteModel:
    """Return the square program of a model's horizon; an infinite one is cut after some doublings."""
    if model.horizon == "stationary":
        return model.rest_program()
    return model.path_program(model.period_lengths(doublings))


def start_from(
    model: MeanFieldGame, program: pyo.ConcreteModel, start: Course | None, rest: Course | None = None
) -> None:
    """Set the values from which a program is solved: those of its path, and of the rest where it ends."""
    if rest is not None:
        model.start_rest(program.rest, *(part[0] for part in rest))
    if start is not None and model.horizon == "stationary":
        model.start_rest(program, *(part[0] for part in start))
    elif start is not None:
        model.start(program, *start)


def at_value(model: MeanFieldGame, parameter: str, value: float | str) -> MeanFieldGame:
    """Return the model with another value of a parameter, dotted for tables (``initial.amplitude``)."""
    name, _, inner = parameter.partition(".")
    fields = {field: getattr(model, field) for field in type(model).model_fields}
    if not inner:
        return type(model).model_validate({**fields, name: value})
    given = fields[name]
    table = {field: getattr(given, field) for field in type(given).model_fields}
    return type(model).model_validate({**fields, name: {**table, inner: value}})


def follow(
    model: MeanFieldGame, plan: Continuation, first: Course | None, progress: Progress = silent
) -> tuple[dict[str, pd.DataFrame], list[dict[str, Any]], list[SolverRecord]]:
    """Follow a branch from another value of a parameter to the model's own, from solution to solution.

    Returns the tables at the end, one row a step of the table ``branch``, and the solvers' records.

    Raises
    ------
    InputError
        If the model has no such number.
    SolveFailed
        If a step fails at a thousandth of its length: the branch may turn back or cross another there.
    """
    end = model.branch_value(plan.parameter)
    progress(f"{plan.parameter} = {plan.start:.6g}")
    tables, record = solve_once(at_value(model, plan.parameter, plan.start), first)
    rows = [branch_row(0, plan.parameter, plan.start, tables, record)]
    records = [record]
    value, whole = plan.start, (end - plan.start) / plan.steps
    step, earlier, now = whole, None, course_of(model, tables["path"])
    gap = 1.0
    while abs(end - value) > 1e-12 * max(1.0, abs(end)):
        target = end if abs(end - value) <= abs(step) * (1 + 1e-9) else value + step
        here = model if target == end else at_value(model, plan.parameter, target)
        progress(f"{plan.parameter} = {target:.6g}")
        start = now if earlier is None else towards(earlier, now, (target - value) / gap)
        ahead = None
        try:
            ahead, last = solve_once(here, start)
        except SolveFailed as failure:
            last = failure.record
        if ahead is None or abs(_concentration(ahead) / _concentration(tables) - 1) > plan.jump:
            step /= 2
            if abs(step) < abs(whole) / 2**HALVINGS:
                raise SolveFailed(
                    f"The branch in {plan.parameter} was followed from {plan.start:g} to {value:.6g} and no "
                    f"further towards {end:g}: it may turn back there, or {plan.jump:g} of its concentration "
                    "be gained at once.",
                    last,
                )
            continue
        gap, value, tables, record = target - value, target, ahead, last
        earlier, now = now, course_of(model, tables["path"])
        records.append(record)
        rows.append(branch_row(len(rows), plan.parameter, value, tables, record))
        step = min(step * 2, whole, key=abs)
    return tables, rows, records


def branch_row(
    step: int, parameter: str, value: float, tables: Mapping[str, pd.DataFrame], record: SolverRecord
) -> dict[str, Any]:
    """Return a row of the table ``branch``."""
    return {
        "step": step,
        "parameter": parameter,
        "value": value,
        "hhi": _concentration(tables),
        "iterations": record.iterations,
    }


def _concentration(tables: Mapping[str, pd.DataFrame]) -> float:
    """Return H at the end."""
    return float(tables["concentration"]["hhi"].iloc[-1])


def bifurcation(
    model: MeanFieldGame,
    parameter: str,
    start: float,
    ends: Sequence[float],
    *,
    first: Course | None = None,
    steps: int = 10,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Return a branch of equilibria over a parameter, followed from `start` to each of `ends`.

    The first solve is started from `first`, or from the initial density, and each end is reached in so many
    `steps`, if none is halved. The model's own value of the parameter does not matter. Columns, sorted by
    ``value`` of the parameter: ``hhi`` = H at the end (dimensionless), ``peak``, the largest density there.

    Raises
    ------
    InputError
        For an infinite horizon, or if the model has no such number.
    SolveFailed
        If a branch cannot be followed to its end.
    """
    if model.horizon == "infinite":
        raise InputError("horizon", "infinite", "stationary or a number, to follow a branch")
    branch: dict[float, tuple[float, float]] = {}

    def note(here: MeanFieldGame, tables: dict[str, pd.DataFrame]) -> None:
        last = tables["path"]["density"].to_numpy(dtype=float)[-here.arcs.number :]
        branch[here.branch_value(parameter)] = (_concentration(tables), float(last.max()))

    begin = at_value(model, parameter, start)
    tables, _ = solve_once(begin, first)
    note(begin, tables)
    root = course_of(begin, tables["path"])
    for end in ends:
        course, here = root, start
        for value in np.linspace(start, end, steps + 1)[1:].tolist():
            there = at_value(model, parameter, value)
            plan = Continuation(parameter=parameter, start=here, steps=1)
            tables, _, _ = follow(there, plan, course, progress)
            note(there, tables)
            course, here = course_of(there, tables["path"]), value
    rows = [(value, *at) for value, at in sorted(branch.items())]
    return pd.DataFrame(rows, columns=["value", "hhi", "peak"])


# --- what is differentiated ------------------------------------------------------------------------------


def game_optimum(model: MeanFieldGame, tables: Tables) -> Differentiable:
    """Return the square program of the horizon, solved from the answer: the branch that was found."""
    course = course_of(model, tables["path"])
    doublings = max(0, round((len(course.density) - 1) / model.steps) - 1)
    rest = course_of(model, tables["rest"]) if model.horizon == "infinite" else None

    def build(other: MeanFieldGame) -> pyo.ConcreteModel:
        return horizon_program(other, doublings)

    def read(other: MeanFieldGame, program: pyo.ConcreteModel) -> dict[str, pd.DataFrame]:
        return other.read(program)

    def follow(other: MeanFieldGame, before: pyo.ConcreteModel) -> pyo.ConcreteModel:
        return followed(build, other, before, NEWTON)

    program = build(model)
    start_from(model, program, course._replace(wages=np.maximum(course.wages, 1e-300)), rest)
    solve_program(program, NEWTON)
    return Differentiable(program, build, read, follow, "the equilibrium's equations, on its branch")
