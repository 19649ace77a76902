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
from agora.typing import Tables, Vector

FROM_NEAR_BY: dict[str, Any] = {**IPOPT_FROM_SOLUTION, "max_iter": 200}
SAME_LOCATION = 1e-6
"""Positions closer than this are the same."""


def marketplaces_optimum(model: Marketplaces, tables: Tables) -> Differentiable:
    """Return the envy-free Pareto program, its locations given or, of the best structure, free to move."""
    line_of(model)
    locations = np.array(tables["marketplaces"]["location"], dtype=float)
    if isinstance(model.marketplaces, tuple):
        given = _FixedLocations([("given", k) for k in range(len(locations))])
        return given.differentiable(model, "the marketplaces stay where they are given")
    if isinstance(model.railway.cost_per_length, float):
        nearest = np.abs(line_of(model).positions[:, None] - locations).argmin(axis=1)
        return _free_locations(model, [int(k) for k in nearest], locations)
    anchors = []
    for location in locations:
        site = int(np.abs(line_of(model).positions - location).argmin())
        mark = int(np.abs(model.rail_marks - location).argmin())
        if abs(line_of(model).positions[site] - location) <= SAME_LOCATION:
            anchors.append(("site", site))
        elif abs(model.rail_marks[mark] - location) <= SAME_LOCATION:
            anchors.append(("mark", mark))
        else:
            raise InputError(
                "railway.cost_per_length",
                model.railway.cost_per_length,
                "one number where a marketplace lies between the sites and the ends of stretches",
            )
    return _FixedLocations(anchors).differentiable(
        model, "marketplaces stay at their sites and ends of stretches"
    )


def line_of(model: Marketplaces) -> Line:
    """Return the line of sites, or raise `InputError`: on other grounds nothing is differentiated yet."""
    if not isinstance(model.ground, Line):
        raise InputError("sites", "in the plane or on a network", "on a line for sensitivities")
    return model.ground


@dataclass(frozen=True)
class _FixedLocations:
    """Marketplaces that are parameters, or move with a site or with the end of a stretch of railway."""

    anchors: list[tuple[str, int]]

    def locations(self, model: Marketplaces) -> Vector:
        at = {"site": line_of(model).positions, "mark": model.rail_marks, "given": model.marketplaces}
        return np.array([float(at[kind][k]) for kind, k in self.anchors])  # type: ignore[index]

    def build(self, model: Marketplaces) -> pyo.ConcreteModel:
        return model.fixed_program(self.locations(model).tolist())

    def read(self, model: Marketplaces, program: pyo.ConcreteModel) -> dict[str, pd.DataFrame]:
        return model.tables(program, self.locations(model))

    def follow(self, model: Marketplaces, before: pyo.ConcreteModel) -> pyo.ConcreteModel:
        program, locations = self.build(model), self.locations(model)
        if model.substitution is None:
            _start(model, program, model.travel(locations), locations)
        solve_program(program, FROM_NEAR_BY if model.substitution is None else ACCURATE)
        return program

    def differentiable(self, model: Marketplaces, note: str) -> Differentiable:
        program = self.follow(model, pyo.ConcreteModel())
        return Differentiable(program, self.build, self.read, self.follow, note)


def _free_locations(model: Marketplaces, groups: list[int], locations: Vector) -> Differentiable:
    def build(other: Marketplaces) -> pyo.ConcreteModel:
        return other.free_program(groups)

    def follow(other: Marketplaces, before: pyo.ConcreteModel) -> pyo.ConcreteModel:
        start = np.array([float(location.value) for location in before.location.values()])
        return _solved_from(other, build(other), start, groups)

    program = _solved_from(model, build(model), locations, groups)
    return Differentiable(
        program, build, lambda other, solved: other.read(solved), follow,
        "the best structure, its marketplaces free to move, each site at the same marketplace",
    )  # fmt: skip


def _solved_from(
    model: Marketplaces, program: pyo.ConcreteModel, locations: Vector, groups: list[int]
) -> pyo.ConcreteModel:
    low, high = line_of(model).region
    locations = np.clip(locations, low, high)
    travel = np.abs(line_of(model).positions - locations[groups])
    _start(model, program, travel, locations)
    for k, location in enumerate(locations.tolist()):
        program.location[k].set_value(location)
    for site, hours in enumerate(travel.tolist()):
        program.travel[site].set_value(hours)
    solve_program(program, FROM_NEAR_BY)
    return program


def _start(model: Marketplaces, program: pyo.ConcreteModel, travel: Vector, locations: Vector) -> None:
    """Start a program from the equilibrium of its marketplaces, which sites reach in the hours `travel`."""
    need = model.setup_cost * float(model.units(np.sort(locations)))
    start_from(model, program, solve_market(model.economy, travel, need), locations)


# --- the coalition test ---


def coalition_optimum(model: CoalitionTest, tables: Tables) -> Differentiable:
    """Return the coalition's program with marketplaces that may move, from those of the solution."""
    locations = sorted(float(location) for location in tables["marketplaces"]["location"])

    def build(other: CoalitionTest) -> pyo.ConcreteModel:
        return other.location_program(locations)

    program = build(model)
    solve_program(program, ACCURATE)
    return Differentiable(
        program, build, lambda other, solved: other.read(solved), partial(followed, build),
        "the coalition's program, its marketplaces free to move",
    )  # fmt: skip
