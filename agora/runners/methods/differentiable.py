"""Which program a model's answer is differentiated through, and how it is followed to other parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial, singledispatch
from typing import Any

import numpy as np
import pandas as pd
import pyomo.environ as pyo

from agora.data.checks import InputError
from agora.data.grounds import Line
from agora.formulations.market_settlement import settle
from agora.models.coalition import CoalitionTest
from agora.models.fujita_ogawa import FujitaOgawa
from agora.models.marketplace_tables import start_from
from agora.models.marketplaces import Marketplaces
from agora.runners.methods.firms_game import FirmsGame, State
from agora.runners.methods.marketplace_search import IPOPT_FROM_SOLUTION
from agora.runners.solvers import solve_program

Tables = Mapping[str, pd.DataFrame]
ACCURATE: dict[str, Any] = {"tol": 1e-10}
FROM_NEAR_BY: dict[str, Any] = {**IPOPT_FROM_SOLUTION, "max_iter": 200}
SAME_PLACE = 1e-6
"""Positions closer than this are the same."""


@dataclass(frozen=True)
class Differentiable:
    """A model's answer as the optimum of one program.

    Attributes
    ----------
    program : ConcreteModel
        Holds the answer: values, and multipliers in ``dual``.
    build : callable
        Model with other parameters → the same program for it, not solved.
    read : callable
        Model, program → tables.
    follow : callable
        Model with parameters near by, program that holds an optimum → the program of that model,
        solved from there.
    note : str
        What is held or free, in words.
    """

    program: pyo.ConcreteModel
    build: Callable[[Any], pyo.ConcreteModel]
    read: Callable[[Any, pyo.ConcreteModel], dict[str, pd.DataFrame]]
    follow: Callable[[Any, pyo.ConcreteModel], pyo.ConcreteModel]
    note: str = ""


@singledispatch
def differentiable(model: Any, tables: Tables) -> Any:
    """Return the program whose optimum a solution is; without a method of its own, the model's program.

    A `Differentiable`, or a `DifferentiablePath` where the answer is a sequence of optima.

    Parameters
    ----------
    model : Model
        The model that was solved.
    tables : mapping of DataFrame
        The solution's tables.
    """

    def build(other: Any) -> pyo.ConcreteModel:
        program: pyo.ConcreteModel = other.program()
        return program

    def read(other: Any, program: pyo.ConcreteModel) -> dict[str, pd.DataFrame]:
        answer: dict[str, pd.DataFrame] = other.read(program)
        return answer

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


# --- the Fujita–Ogawa city ------------------------------------------------------------------------


@differentiable.register
def _(model: FujitaOgawa, tables: Tables) -> Differentiable:
    """Take (P0): the firms where the solution has them, its multipliers supporting them."""
    firms = np.array(tables["cells"]["firms"], dtype=float)
    game = FirmsGame(model)
    strict = game.kind(game.settle(game.feasible(firms)), tolerance=1e-6) == "local maximiser"

    def build(other: FujitaOgawa) -> pyo.ConcreteModel:
        return other.program()

    def follow(other: FujitaOgawa, before: pyo.ConcreteModel) -> pyo.ConcreteModel:
        if not strict:
            raise InputError("the answer", "no local maximiser", "a local maximiser, to be followed")
        near = FirmsGame(other)
        start = np.array([float(mass.value) for mass in before.firms.values()])
        return _city_program(near, near.climb(near.feasible(start)))

    state = game.respond(game.city.interaction.level(firms)) if strict else game.settle(game.feasible(firms))
    if strict and np.abs(state.firms - firms).max() > 1e-6 * float(model.network.land.max()):
        state = game.climb(game.feasible(firms))
    note = "(P0) at the local maximiser" if strict else "(P0) at an equilibrium that is no local maximiser"
    return Differentiable(
        _city_program(game, state), build, lambda other, program: other.read(program), follow, note
    )


def _city_program(game: FirmsGame, state: State) -> pyo.ConcreteModel:
    """Return (P0) holding a state: quantities, and the multipliers of the best response to it."""
    city, linear = game.city, game.linear
    program = city.program()
    at_response = State(state.firms, state.commuting_cost, state.answer)
    if abs(linear._costs[game.columns]).max() == 0:
        at_response = game.respond(city.interaction.level(state.firms))
    values = dict(zip((v.name for v in linear.variables), at_response.answer.values.tolist(), strict=True))
    duals = dict(zip((r.name for r in linear.rows), at_response.answer.multipliers.tolist(), strict=True))
    for variable in program.component_data_objects(pyo.Var):
        if variable.name in values:
            variable.set_value(values[variable.name], skip_validation=True)
    city.start_from(program, np.array([float(v.value) for v in program.firms.values()]))
    program.dual = pyo.Suffix(direction=pyo.Suffix.IMPORT)
    for row in program.component_data_objects(pyo.Constraint, active=True):
        program.dual[row] = duals.get(row.name, 0.0)
    if program.component("production_balance") is not None:
        for cell in program.cells:
            # ½ Σ A m is stationary in A
            program.dual[program.production_balance[cell]] = 0.5 * float(program.firms[cell].value)
    return program


# --- marketplaces ---------------------------------------------------------------------------------


@differentiable.register
def _(model: Marketplaces, tables: Tables) -> Differentiable:
    """Take the envy-free Pareto program: for the given places, or with the best structure's free to move."""
    line_of(model)
    places = np.array(tables["marketplaces"]["location"], dtype=float)
    if isinstance(model.marketplaces, tuple):
        given = _GivenPlaces([("given", k) for k in range(len(places))])
        return given.differentiable(model, "the marketplaces stay where they are given")
    if isinstance(model.railway.cost_per_length, float):
        nearest = np.abs(line_of(model).positions[:, None] - places).argmin(axis=1)
        return _free_places(model, [int(k) for k in nearest], places)
    anchors = []
    for place in places:
        site = int(np.abs(line_of(model).positions - place).argmin())
        mark = int(np.abs(model.rail_marks - place).argmin())
        if abs(line_of(model).positions[site] - place) <= SAME_PLACE:
            anchors.append(("site", site))
        elif abs(model.rail_marks[mark] - place) <= SAME_PLACE:
            anchors.append(("mark", mark))
        else:
            raise InputError(
                "railway.cost_per_length",
                model.railway.cost_per_length,
                "one number where a marketplace lies between the sites and the ends of stretches",
            )
    return _GivenPlaces(anchors).differentiable(
        model, "marketplaces stay at their sites and ends of stretches"
    )


def line_of(model: Marketplaces) -> Line:
    """Return the line of sites, or raise `InputError`: on other grounds nothing is differentiated yet."""
    if not isinstance(model.ground, Line):
        raise InputError("sites", "in the plane or on a network", "on a line for sensitivities")
    return model.ground


@dataclass(frozen=True)
class _GivenPlaces:
    """Marketplaces that are parameters, or move with a site or with the end of a stretch of railway."""

    anchors: list[tuple[str, int]]

    def places(self, model: Marketplaces) -> np.ndarray[Any, np.dtype[np.float64]]:
        at = {"site": line_of(model).positions, "mark": model.rail_marks, "given": model.marketplaces}
        return np.array([float(at[kind][k]) for kind, k in self.anchors])  # type: ignore[index]

    def build(self, model: Marketplaces) -> pyo.ConcreteModel:
        return model.fixed_program(self.places(model).tolist())

    def read(self, model: Marketplaces, program: pyo.ConcreteModel) -> dict[str, pd.DataFrame]:
        return model.tables(program, self.places(model))

    def follow(self, model: Marketplaces, before: pyo.ConcreteModel) -> pyo.ConcreteModel:
        program, places = self.build(model), self.places(model)
        if model.substitution is None:
            need = model.setup_cost * float(model.units(np.sort(places)))
            start_from(model, program, settle(model.economy, model.travel(places), need), places)
        solve_program(program, FROM_NEAR_BY if model.substitution is None else ACCURATE)
        return program

    def differentiable(self, model: Marketplaces, note: str) -> Differentiable:
        program = self.follow(model, pyo.ConcreteModel())
        return Differentiable(program, self.build, self.read, self.follow, note)


def _free_places(model: Marketplaces, groups: list[int], places: np.ndarray[Any, Any]) -> Differentiable:
    def build(other: Marketplaces) -> pyo.ConcreteModel:
        return other.free_program(groups)

    def follow(other: Marketplaces, before: pyo.ConcreteModel) -> pyo.ConcreteModel:
        start = np.array([float(place.value) for place in before.location.values()])
        return _solved_from(other, build(other), start, groups)

    program = _solved_from(model, build(model), places, groups)
    return Differentiable(
        program, build, lambda other, solved: other.read(solved), follow,
        "the best structure, its marketplaces free to move, each site at the same marketplace",
    )  # fmt: skip


def _solved_from(
    model: Marketplaces, program: pyo.ConcreteModel, places: np.ndarray[Any, Any], groups: list[int]
) -> pyo.ConcreteModel:
    low, high = line_of(model).region
    places = np.clip(places, low, high)
    travel = np.abs(line_of(model).positions - places[groups])
    need = model.setup_cost * float(model.units(np.sort(places)))
    start_from(model, program, settle(model.economy, travel, need), places)
    for k, place in enumerate(places.tolist()):
        program.location[k].set_value(place)
    for site, hours in enumerate(travel.tolist()):
        program.travel[site].set_value(hours)
    solve_program(program, FROM_NEAR_BY)
    return program


# --- the coalition test ---------------------------------------------------------------------------


@differentiable.register
def _(model: CoalitionTest, tables: Tables) -> Differentiable:
    """Take the coalition's program with marketplaces that may move, from those of the solution."""
    places = sorted(float(place) for place in tables["marketplaces"]["location"])

    def build(other: CoalitionTest) -> pyo.ConcreteModel:
        return other.location_program(places)

    program = build(model)
    solve_program(program, ACCURATE)
    return Differentiable(
        program, build, lambda other, solved: other.read(solved), partial(followed, build),
        "the coalition's program, its marketplaces free to move",
    )  # fmt: skip
