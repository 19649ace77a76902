"""Games and paths of migration: what is differentiated of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyomo.environ as pyo

from agora.data.checks import InputError
from agora.methods.differentiable import Differentiable, followed
from agora.methods.migration.continuation import NEWTON, course_of
from agora.models.migration.game import MeanFieldGame
from agora.models.migration.myopic import MyopicMigration
from agora.solvers import solve_program
from agora.typing import Tables


def game_optimum(model: MeanFieldGame, tables: Tables) -> Differentiable:
    """Take the square program of the horizon, started at the answer: the branch that was found."""
    course = course_of(model, tables["path"])

    def build(other: MeanFieldGame) -> pyo.ConcreteModel:
        if other.horizon == "stationary":
            return other.rest_program()
        return other.path_program(other.period_lengths(doublings))

    def read(other: MeanFieldGame, program: pyo.ConcreteModel) -> dict[str, pd.DataFrame]:
        return other.read(program)

    def follow(other: MeanFieldGame, before: pyo.ConcreteModel) -> pyo.ConcreteModel:
        return followed(build, other, before, NEWTON)

    periods = len(course.density) - 1
    doublings = max(0, round(periods / model.steps) - 1)
    program = build(model)
    if model.horizon == "stationary":
        model.start_rest(program, course.density[0], course.value[0], course.wages[0])
    else:
        if model.horizon == "infinite":
            rest = course_of(model, tables["rest"])
            model.start_rest(program.rest, rest.density[0], rest.value[0], rest.wages[0])
        model.start(program, course.density, course.value, np.maximum(course.wages, 1e-300))
    solve_program(program, NEWTON)
    return Differentiable(program, build, read, follow, "the equilibrium's equations, on its branch")


def no_optimum(model: MyopicMigration, tables: Tables) -> Differentiable:
    """Say that an integrator's path is no optimum."""
    raise InputError(
        "model",
        model.card.name,
        "one whose answer is the optimum of a program; an integrator follows this path",
    )
