"""A price-formation game solved: by its structure, by the price, by mixed replies, or by its program."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyomo.environ as pyo

from agora.data.checks import InputError
from agora.methods.method import Answer, Method, Options, Progress, Proof, Whole, collector_paused, silent
from agora.methods.price_formation.closed_forms import Equilibrium, mean_field, price_level
from agora.methods.price_formation.column_generation import TradingGame, balance
from agora.models.price_formation.conditions.market import exploitability
from agora.models.price_formation.price_formation import PriceFormation
from agora.solvers import SolverRecord, solve_program
from agora.solvers.classify import objective_of
from agora.typing import Vector

NO_EQUILIBRIUM = "clears the market, not an equilibrium"
"""Status of an answer at which an agent gains by another reply."""


class TrajectoryOptions(Options):
    """How to solve the trajectory program."""

    start: Literal["still", "supply", "random"] = "still"
    """``still`` (nobody moves), ``supply`` (everybody follows supply), or ``random``."""
    seed: Whole = 1
    """Seed of a random start."""

    def _idle(self) -> Iterator[tuple[str, str]]:
        if self.start != "random":
            yield "seed", "start is random"


def by_costs(model: PriceFormation, chosen: Options, progress: Progress = silent) -> Answer:
    """Return the equilibrium price and everybody's replies, by the method for such costs."""
    if model.quadratic:
        return by_structure(model, chosen, progress)
    if model.bounded or model.assets > 1 or not model.supply.known:
        return by_program(model, TrajectoryOptions(tolerance=chosen.tolerance), progress)
    return (by_level if model.running.absent else by_mixing)(model, chosen, progress)


def by_structure(model: PriceFormation, chosen: Options, progress: Progress = silent) -> Answer:
    """Return the equilibrium of a quadratic game in closed form."""
    if not model.quadratic:
        raise InputError("method", "structure", "another unless costs are quadratic and nothing is bounded")
    why = "agents enter a quadratic game through their mean: the equilibrium in closed form"
    return _answer(model, mean_field(model), {"method": "structure", "why": why}, (), chosen)


def by_level(model: PriceFormation, chosen: Options, progress: Progress = silent) -> Answer:
    """Return the equilibrium of a game whose final state alone costs, by its price level."""
    equilibrium, facts, records = price_level(model, progress)
    return _answer(model, equilibrium, {"method": "variational", **facts}, records, chosen)


def by_mixing(model: PriceFormation, chosen: Options, progress: Progress = silent) -> Answer:
    """Return the equilibrium in mixed replies, by column generation."""
    if model.bounded or model.assets > 1 or not model.supply.known:
        raise InputError("method", "mixed", "another with bounds, several assets or random supply")
    game = TradingGame(model)
    balanced = balance(game, -model.control_cost * game.supply, progress)
    facts = {
        "method": "mixed",
        "generations": balanced.generations,
        "newton_steps": balanced.rounds,
        "mixed_agents": int((np.bincount(balanced.equilibrium.agents) > 1).sum()),
    }
    return _answer(model, balanced.equilibrium, facts, (), chosen)


def _answer(
    model: PriceFormation,
    equilibrium: Equilibrium,
    facts: dict[str, Any],
    records: tuple[SolverRecord, ...],
    chosen: Options,
) -> Answer:
    prices, agents = equilibrium.prices, equilibrium.agents
    tables = model.tables(prices, equilibrium.states, agents, equilibrium.masses)
    return _judged(model, tables, facts, records, chosen.tolerance)


def _judged(
    model: PriceFormation,
    tables: dict[str, pd.DataFrame],
    facts: dict[str, Any],
    records: tuple[SolverRecord, ...],
    tolerance: float,
) -> Answer:
    """Return an answer that says what it is: an equilibrium with proof, or not one although it clears."""
    gains = exploitability(model, tables, accuracy=tolerance / 10)
    worst, totals = float(gains.largest.max()), tables["totals"].iloc[0]
    exploited = not worst <= tolerance
    revenue, value = float(totals["revenue"]), float(model.masses @ gains.values)
    cost = float(totals["population_cost"])
    known = {
        **facts,
        "J": revenue - value,
        "J_lower_bound": -cost,
        "exploited_agents": int((gains.largest > tolerance).sum()),
        "best_replies": gains.proof or "dynamic programming on a grid and Newton's method, not proved",
    }
    if exploited:
        proof = Proof("none", "none: agents gain by other replies")
    elif not gains.proof:
        proof = Proof("none", "none: best replies are not proved")
    else:
        words = "J(ω) meets its lower bound, and no agent gains by any other reply: " + gains.proof
        proof = Proof("bound", words, value - revenue, cost + revenue - value, tolerance)
    return Answer(NO_EQUILIBRIUM if exploited else "equilibrium", cost, tables, proof, known, records)


def by_program(model: PriceFormation, chosen: TrajectoryOptions, progress: Progress = silent) -> Answer:
    """Solve the trajectory program as it stands: global if the costs are convex, local otherwise.

    By IPOPT, which takes convex quadratic costs several times quicker than an active set.
    """
    progress("building")
    with collector_paused():
        program = model.program()
        if chosen.start != "still":
            model.start_from(program, _start(model, chosen))
    progress("solving")
    record = solve_program(program, unique=model.convex, interior=True)
    objective = float(pyo.value(objective_of(program)))
    tables = model.read(program)
    judged = _judged(model, tables, {"method": "program"}, (record,), chosen.tolerance)
    return replace(judged, objective=objective)


def _start(model: PriceFormation, chosen: TrajectoryOptions) -> Vector:
    """Return trajectories (agents, assets, nodes) to start from."""
    supply, nodes = model.supply.values, len(model.befores)
    moved = np.zeros((nodes, model.assets))
    for node in range(1, nodes):
        moved[node] = moved[model.befores[node]] + model.step * supply[model.befores[node]]
    states = model.starts[:, :, None] + moved.T[None]
    if chosen.start == "random":
        noise = np.random.default_rng(chosen.seed).normal(scale=0.3, size=states.shape[:2])
        along = np.concatenate([model.supply.depths, [model.steps] * (nodes - len(model.supply.depths))])
        states = states + noise[:, :, None] * along / model.steps
    return states


AUTO = Method("auto", Options, by_costs, solves=())
"""The method that the costs call for."""
STRUCTURE = Method("structure", Options, by_structure, solves=())
"""For quadratic costs."""
VARIATIONAL = Method("variational", Options, by_level, solves=())
"""Where only the final state costs."""
MIXED = Method("mixed", Options, by_mixing, solves=())
"""Mixed replies by column generation."""
PROGRAM = Method("program", TrajectoryOptions, by_program, solves=("program",))
"""The trajectory program, whose solutions are local unless the costs are convex."""
