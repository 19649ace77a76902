"""A price-formation game solved: by its structure, by the price, by mixed replies, or by its program."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
import pyomo.environ as pyo
from pydantic import Field

from agora.data.checks import InputError
from agora.methods.answers import (
    Answer,
    Options,
    Progress,
    answer,
    collector_paused,
    options_class,
    silent,
)
from agora.methods.price_formation.closed_forms import Found, mean_field, price_level
from agora.methods.price_formation.column_generation import TradingGame, balance
from agora.models.price_formation.conditions.market import exploitability
from agora.models.price_formation.price_formation import PriceFormation
from agora.solvers import SolverRecord, solve_program
from agora.solvers.classify import objective_of
from agora.typing import Vector

NOT_ENOUGH = "clears the market, not an equilibrium"
"""What an answer is called at which somebody gains by another reply."""


class PriceOptions(Options):
    """How to solve a price-formation game.

    Parameters
    ----------
    method : str
        ``auto``; ``structure`` for quadratic costs; ``variational`` where only the final state costs;
        ``mixed`` for mixed replies by column generation; ``program`` for the trajectory program, whose
        solutions are local unless the costs are convex.
    start : str
        From where ``program`` starts: ``still`` (nobody moves), ``supply`` (everybody follows supply), or
        ``random``.
    seed : int
        Of a random start.
    """

    method: Literal["auto", "structure", "variational", "mixed", "program"] = "auto"
    start: Literal["still", "supply", "random"] = "still"
    seed: int = Field(default=1, ge=0, json_schema_extra={"allowed": "a whole number >= 0"})


def solve_price_formation(
    model: PriceFormation, chosen: PriceOptions | None = None, progress: Progress = silent
) -> Answer:
    """Return the equilibrium price and everybody's replies."""
    options = chosen or PriceOptions()
    method = options.method
    if method == "auto":
        if model.quadratic:
            method = "structure"
        elif model.bounded or model.assets > 1 or not model.supply.known:
            method = "program"
        else:
            method = "variational" if model.running.absent else "mixed"
    if method == "structure":
        if not model.quadratic:
            raise InputError("method", method, "another unless costs are quadratic and nothing is bounded")
        proof = "agents enter a quadratic game through their mean: the equilibrium in closed form"
        return _answer(model, mean_field(model), {"method": method, "road": proof}, (), options)
    if method == "variational":
        found, facts, records = price_level(model, progress)
        return _answer(model, found, {"method": method, **facts}, records, options)
    if method == "mixed":
        return _mixed(model, options, progress)
    return _by_program(model, options, progress)


def _mixed(model: PriceFormation, options: PriceOptions, progress: Progress) -> Answer:
    if model.bounded or model.assets > 1 or not model.supply.known:
        raise InputError("method", "mixed", "another with bounds, several assets or random supply")
    game = TradingGame(model)
    found = balance(game, -model.control_cost * game.supply, progress)
    facts = {
        "method": "mixed",
        "generations": found.generations,
        "newton_steps": found.rounds,
        "mixed_agents": int((np.bincount(found.agents) > 1).sum()),
    }
    replies = Found(found.prices[None], found.agents, found.states[:, None], found.shares)
    return _answer(model, replies, facts, (), options)


def _answer(
    model: PriceFormation,
    found: Found,
    facts: dict[str, Any],
    records: tuple[SolverRecord, ...],
    options: PriceOptions,
) -> Answer:
    tables = model.tables(found.prices, found.states, found.agents, found.masses)
    return _judged(model, tables, facts, records, options.tolerance)


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
    proved = bool(gains.proof) and not exploited
    known = {
        **facts,
        "J": revenue - value,
        "J_lower_bound": -float(totals["population_cost"]),
        "exploited_agents": int((gains.largest > tolerance).sum()),
        "best_replies": gains.proof or "dynamic programming on a grid and Newton's method, not proved",
    }
    known["proof"] = (
        "J(ω) meets its lower bound, and no agent gains by any other reply: " + gains.proof
        if proved
        else "none: agents gain by other replies"
        if exploited
        else "none: best replies are not proved"
    )
    status = NOT_ENOUGH if exploited else "equilibrium"
    return Answer(status, float(totals["population_cost"]), proved, tables, known, records)


def _by_program(model: PriceFormation, options: PriceOptions, progress: Progress) -> Answer:
    """Solve the trajectory program as it stands: global if the costs are convex, local otherwise.

    By IPOPT, which takes convex quadratic costs several times quicker than an active set.
    """
    progress("building")
    with collector_paused():
        program = model.program()
        if options.start != "still":
            model.start_from(program, _start(model, options))
    progress("solving")
    record = solve_program(program, unique=model.convex, interior=True)
    objective = float(pyo.value(objective_of(program)))
    tables = model.read(program)
    judged = _judged(model, tables, {"method": "program"}, (record,), options.tolerance)
    return Answer(judged.status, objective, judged.is_global, tables, judged.facts, (record,))


def _start(model: PriceFormation, options: PriceOptions) -> Vector:
    """Return trajectories (agents, assets, places) to start from."""
    supply, places = model.supply.values, len(model.befores)
    moved = np.zeros((places, model.assets))
    for place in range(1, places):
        moved[place] = moved[model.befores[place]] + model.step * supply[model.befores[place]]
    states = model.starts[:, :, None] + moved.T[None]
    if options.start == "random":
        noise = np.random.default_rng(options.seed).normal(scale=0.3, size=states.shape[:2])
        along = np.concatenate([model.supply.depths, [model.steps] * (places - len(model.supply.depths))])
        states = states + noise[:, :, None] * along / model.steps
    return states


@answer.register
def _(model: PriceFormation, options: dict[str, Any], progress: Progress) -> tuple[Answer, Options]:
    chosen = PriceOptions.model_validate(options)
    return solve_price_formation(model, chosen, progress), chosen


@options_class.register
def _(model: PriceFormation) -> type[Options]:
    return PriceOptions
