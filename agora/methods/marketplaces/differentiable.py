"""The programs that marketplaces and the coalition test are differentiated through."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyomo.environ as pyo

from agora.data.checks import InputError
from agora.formulations.marketplaces.grounds import Line
from agora.formulations.marketplaces.market_equilibrium import solve_market
from agora.methods.differentiable import ACCURATE, Differentiable, followed
from agora.methods.marketplaces.marketplaces import IPOPT_FROM_SOLUTION
from agora.models.marketplaces.coalition import CoalitionTest
from agora.models.marketplaces.marketplaces import Marketplaces, start_from
from agora.solvers import solve_program
from agora.typing import Tables

FROM_NEAR_BY: dict[str, Any] = {**IPOPT_FROM_SOLUTION, "max_iter": 200}
SAME_PLACE = 1e-6
"""Positions closer than this are the same."""


def marketplaces_optimum(model: Marketplaces, tables: Tables) -> Differentiable:
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
            start_from(model, program, solve_market(model.economy, model.travel(places), need), places)
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
    start_from(model, program, solve_market(model.economy, travel, need), places)
    for k, place in enumerate(places.tolist()):
        program.location[k].set_value(place)
    for site, hours in enumerate(travel.tolist()):
        program.travel[site].set_value(hours)
    solve_program(program, FROM_NEAR_BY)
    return program


# --- the coalition test ---


def coalition_optimum(model: CoalitionTest, tables: Tables) -> Differentiable:
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
