"""What the paper says of replies: their equation, how they depend on the price, where they end and why."""

from __future__ import annotations

import numpy as np
import pandas as pd

from agora.methods.price_formation.column_generation import TradingGame
from agora.models.price_formation.conditions.best_replies import Agent
from agora.models.price_formation.price_formation import PriceFormation
from agora.papers.computations import Finding, computes
from agora.papers.price_formation.cases import CASES, equilibrium, level, market, price
from agora.runners.solving import solve
from agora.typing import Vector

AGENTS, STEPS = 30, 200


@computes("euler-lagrange")
def euler_lagrange(cases: list[str]) -> Finding:
    """Return the largest residual of the Euler–Lagrange equation over all replies with mass.

    c₀a + ω changes by h l'(x) from step to step and is −g'(x) at the end: it is smooth though ω is not.
    """
    worst = {}
    for case in cases:
        solution = equilibrium(case)
        model = solution.model
        assert isinstance(model, PriceFormation)
        omega = price(solution.tables)
        states, controls = _replies(solution.tables["paths"], model.steps)
        momentum = model.control_cost * controls + omega
        inside = np.diff(momentum, axis=1) / model.step - model.running.slope(states[:, 1:-1])
        end = momentum[:, -1] + model.terminal.slope(states[:, -1])
        worst[case] = max(float(np.abs(inside).max()) * model.step, float(np.abs(end).max()))
    return Finding(
        max(worst.values()),
        note="; ".join(f"case {case}: {value:.1e}" for case, value in worst.items()),
        certificate="evaluated from the tables of paths and prices alone",
    )


def _replies(paths: pd.DataFrame, steps: int) -> tuple[Vector, Vector]:
    """Return states (B, N + 1) and controls (B, N) of all replies with mass."""
    paths = paths[paths["weight"] > 0]
    states = paths["state"].to_numpy(dtype=float).reshape(-1, steps + 1)
    controls = paths["control"].to_numpy(dtype=float).reshape(-1, steps + 1)[:, :-1]
    return states, controls


@computes("replies-are-stable")
def replies_are_stable(case: str) -> Finding:
    """Test that best replies to prices that tend to a price tend to a best reply to it."""
    model = market(case, agents=AGENTS, steps=STEPS)
    game, omega = TradingGame(model), price(solve(model).tables)
    wave = np.random.default_rng(4).normal(size=model.steps).cumsum() / np.sqrt(model.steps)
    aimed = _best(game, omega)
    agent = Agent(omega, model.step, model.control_cost, model.running, model.terminal)
    sizes, apart, behind = (1e-1, 1e-2, 1e-3), [], []
    for size in sizes:
        moved = _best(game, omega + size * wave)
        same = np.abs(moved - aimed).max(axis=1) < 0.1
        apart.append(float(np.abs(moved - aimed)[same].max()))
        behind.append(float((agent.cost(moved) - agent.cost(aimed)).max()))
    holds = apart[2] < 0.2 * apart[1] < 0.04 * apart[0] and behind[2] < 0.2 * behind[1] < 0.04 * behind[0]
    reported = ", ".join(f"{gap:.1e} and {cost:.1e}" for gap, cost in zip(apart, behind, strict=True))
    return Finding(
        bool(holds),
        note=f"with disturbances of {', '.join(f'{size:g}' for size in sizes)} of the price the replies of "
        f"those who stay in their well differ by, and all replies cost more than the best by: {reported}",
        certificate=f"all agents of a market of {AGENTS} agents and {STEPS} steps",
    )


def _best(game: TradingGame, omega: Vector) -> Vector:
    """Return a best reply of every agent to a price, as states (agents, N + 1)."""
    columns = game.generate(game.multipliers(omega))
    order = np.lexsort((columns.costs, columns.agents))
    first = order[np.r_[True, np.diff(columns.agents[order]) > 0]]
    return game.states(columns.states[first])


@computes("two-clusters")
def two_clusters(case: str, time: float) -> Finding:
    """Return how far agents are at a time from the nearer of the wells .25 and .75, at most."""
    paths = equilibrium(case).tables["paths"]
    now = paths[np.isclose(paths["time"], time) & (paths["weight"] > 0)]
    state = now["state"].to_numpy(dtype=float)
    away = np.minimum(np.abs(state - 0.25), np.abs(state - 0.75))
    low = state < 0.5
    empty = float(state[~low].min() - state[low].max())
    return Finding(
        bool(away.max() < 0.1 and low.any() and not low.all()),
        note=f"at t = {time:g} nobody is further than {away.max():.3f} from a well, and between the clusters "
        f"{empty:.3f} are empty",
        certificate="an equilibrium with proof",
    )


@computes("share-depends-on-the-total")
def share_depends_on_the_total(case: str) -> Finding:
    """Test that the share of agents near the upper well would be lower if supply fell first and rose later.

    Supply is run backwards: its total over time is the same.
    """
    model = market(case, agents=AGENTS, steps=STEPS)
    backwards = {**CASES[case], "supply": model.supply.values[::-1, 0].tolist()}
    law = {"kind": "linspace", "from": 0.0, "to": 1.0, "number": AGENTS}
    turned = PriceFormation(**{"horizon": model.horizon, "steps": STEPS, "agents": law, **backwards})
    shares, levels = [], []
    for each in (model, turned):
        tables = solve(each).tables
        paths = tables["paths"]
        last = paths[paths["time"] == paths["time"].max()]
        shares.append(float(last.loc[last["state"] > 0.5, "weight"].sum()))
        levels.append(level(each, price(tables)))
    return Finding(
        shares[1] < shares[0] - 1e-3,
        note=f"{100 * shares[0]:.2f} % end near the upper well, and {100 * shares[1]:.2f} % where the same "
        f"supply comes in the reverse order; price levels P = {levels[0]:.6f} and {levels[1]:.6f}. "
        "With a terminal cost only, final states depend on ∫Q alone: clearing fixes their mean at x̄ + ∫Q",
        certificate="two equilibria with proof",
    )


@computes("sampling-error")
def sampling_error(case: str) -> Finding:
    """Return by how much the price differs if supply is sampled at i/(N − 1) instead of at the grid."""
    exact, released = (price(equilibrium(case, way).tables) for way in (False, True))
    apart = np.abs(exact - released)
    return Finding(
        float(apart.max()),
        note=f"largest at t = {int(apart.argmax()) / len(apart):.3f}; mean {apart.mean():.4f}; the error of "
        f"the scheme itself is of the order of the step, {1 / len(apart):g}",
        certificate="both prices meet the discrete closed form of their own supply",
    )
