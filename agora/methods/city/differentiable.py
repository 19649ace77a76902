"""The program that a city is differentiated through: (P0) at an equilibrium."""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo

from agora.data.checks import InputError
from agora.methods.city.firms_game import FirmsGame, State
from agora.methods.differentiable import Differentiable
from agora.models.city.fujita_ogawa import FujitaOgawa
from agora.typing import Tables


def city_optimum(model: FujitaOgawa, tables: Tables) -> Differentiable:
    """Return (P0) at the solution's firms, with the multipliers that support them."""
    firms = np.array(tables["cells"]["firms"], dtype=float)
    game = FirmsGame(model)
    strict = game.kind(game.state(firms), tolerance=1e-6) == "local maximiser"

    def build(other: FujitaOgawa) -> pyo.ConcreteModel:
        return other.program()

    def follow(other: FujitaOgawa, before: pyo.ConcreteModel) -> pyo.ConcreteModel:
        if not strict:
            raise InputError("the answer", "no local maximiser", "a local maximiser, to be followed")
        near = FirmsGame(other)
        start = np.array([float(mass.value) for mass in before.firms.values()])
        return _city_program(near, near.climb(near.feasible(start)))

    state = game.respond(game.city.interaction.level(firms)) if strict else game.state(firms)
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
    at_response = State(state.firms, state.total_commuting_cost, state.answer)
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
