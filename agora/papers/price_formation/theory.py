"""What the paper proves about values and prices and says of replies, tested on instances."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from agora.methods.price_formation.column_generation import TradingGame
from agora.models.price_formation.conditions.best_replies import Agent, Cheapest, cheapest_replies
from agora.models.price_formation.price_formation import PriceFormation
from agora.papers.computations import Finding, computes, violation
from agora.papers.price_formation.cases import CASES, equilibrium, level, market, price, upper_share
from agora.runners.solving import solve
from agora.typing import Vector

ACCURACY = 1e-9
"""Of best replies, in the numéraire."""


def _small(case: str, agents: int = 20, steps: int = 100, **changes: Any) -> PriceFormation:
    return market(case, agents=agents, steps=steps, **changes)


def _cheapest(model: PriceFormation, prices: Vector, starts: Vector) -> Cheapest:
    """Return what best replies from some states cost, proved within `ACCURACY`."""
    agent = Agent(prices, model.step, model.control_cost, model.running, model.terminal)
    return cheapest_replies(agent, starts, ACCURACY)


def _population_cost(model: PriceFormation, prices: Vector) -> float:
    """Return Φ(ω), (4)."""
    return float(model.masses @ _cheapest(model, prices, model.starts[:, 0]).values)


def _walks(random: np.random.Generator, steps: int) -> Vector:
    """Return two random walks over the horizon (2, N)."""
    start, changes = random.normal(size=(2, 1)), random.normal(size=(2, steps))
    result: Vector = start + changes.cumsum(axis=1) / np.sqrt(steps)
    return result


@computes("population-cost-is-concave")
def population_cost_is_concave(cases: list[str]) -> Finding:
    """Return by how much Φ falls below its chords at most, on random segments of prices."""
    random, worst = np.random.default_rng(1), {}
    for case in cases:
        model, below = _small(case), 0.0
        for _ in range(4):
            one, two = _walks(random, model.steps)
            ends = [_population_cost(model, one), _population_cost(model, two)]
            for share in (0.25, 0.5, 0.75):
                between = _population_cost(model, (1 - share) * one + share * two)
                below = max(below, (1 - share) * ends[0] + share * ends[1] - between)
        worst[case] = below
    return Finding(
        max(worst.values()),
        note="; ".join(f"case {case}: {value:.1e}" for case, value in worst.items())
        + "; 4 segments between random walks a case, 20 agents, 100 steps",
        certificate=f"best replies proved within {ACCURACY:g}",
    )


@computes("derivative-of-the-population-cost")
def derivative_of_the_population_cost(cases: list[str]) -> Finding:
    """Return how far the derivative of Φ is from what agents buy at best replies, at random prices."""
    random, worst = np.random.default_rng(2), {}
    for case in cases:
        model, apart = _small(case), 0.0
        for _ in range(3):
            prices, direction = _walks(random, model.steps)
            small = 1e-4
            slope = (
                _population_cost(model, prices + small * direction)
                - _population_cost(model, prices - small * direction)
            ) / (2 * small)
            apart = max(apart, abs(slope - model.step * float(direction @ _bought(model, prices))))
        worst[case] = apart
    return Finding(
        max(worst.values()),
        note="; ".join(f"case {case}: {value:.1e}" for case, value in worst.items())
        + "; central differences at 3 random walks of the price a case",
        certificate=f"best replies proved within {ACCURACY:g}",
    )


def _bought(model: PriceFormation, prices: Vector) -> Vector:
    """Return E[a_ω] (N,) at best replies."""
    result: Vector = model.masses @ np.diff(_best(TradingGame(model), prices), axis=1) / model.step
    return result


@computes("values-are-semiconcave")
def values_are_semiconcave(case: str) -> Finding:
    """Test that φ(·, ω) is Lipschitz and semiconcave at the equilibrium price of a case with terminal costs.

    A reply shifted by d(1 − t/T) costs c₀d²/(2T) more to second order and ends where it did: the second
    derivative of φ is at most c₀/T.
    """
    model = _small(case)
    starts = np.linspace(0.0, 1.0, 401)
    values = _cheapest(model, price(solve(model).tables), starts).values
    width = float(starts[1] - starts[0])
    slope = np.diff(values) / width
    bend = np.diff(slope) / width
    limit = model.control_cost / model.horizon
    return Finding(
        bool(bend.max() <= limit + 1e-3 and np.isfinite(slope).all()),
        note=f"steepest slope {np.abs(slope).max():.3f}, largest second difference {bend.max():.4f}, at most "
        f"c₀/T = {limit:g}; the least, {bend.min():.1f}, is a kink at the agent who is indifferent",
        certificate=f"best replies proved within {ACCURACY:g}",
    )


@computes("every-supply-has-an-equilibrium")
def every_supply_has_an_equilibrium(number: int) -> Finding:
    """Test that an equilibrium is found and proved for supplies that are rough, jump, or oscillate."""
    random, steps = np.random.default_rng(3), 60
    law = {"kind": "linspace", "from": 0.0, "to": 1.0, "number": 15}
    largest, wells = 0.0, CASES["3"]["terminal"]
    for k in range(number):
        supplies: list[Any] = [
            random.normal(size=steps).cumsum() / np.sqrt(steps),
            np.repeat(random.normal(size=6), steps // 6),
            np.sin(random.uniform(1, 40) * np.arange(steps) / steps),
        ]
        costs = {"terminal": wells} if k % 2 else {"running": wells}
        model = PriceFormation(horizon=1.0, steps=steps, agents=law, supply=supplies[k % 3].tolist(), **costs)
        solution = solve(model, raise_uncertified=False)
        largest = max(largest, violation(solution, "exploitability_max") if solution.is_global else np.inf)
    return Finding(
        bool(largest <= 1e-6),
        note=f"{number} supplies, random walks, steps and sines, each with two wells at the end or all "
        f"along; the largest gain of any agent is below {largest:.1e}",
        certificate="exploitability of every agent, proved",
    )


@computes("clusters-form-earlier")
def clusters_form_earlier(early: str, late: str) -> Finding:
    """Test that half-way agents are nearer to the wells in one case than in another."""
    away = {}
    for case in (early, late):
        paths = equilibrium(case).tables["paths"]
        middle = paths[np.isclose(paths["time"], 0.5)]
        state = middle["state"].to_numpy(dtype=float)
        gap = np.minimum(np.abs(state - 0.25), np.abs(state - 0.75))
        away[case] = float(middle["weight"].to_numpy(dtype=float) @ gap)
    return Finding(
        away[early] < away[late],
        note=f"mean distance to the nearer well at t = .5: {away[early]:.4f} in case {early}, "
        f"{away[late]:.4f} in case {late}",
        certificate="equilibria with proof",
    )


@computes("price-is-smooth")
def price_is_smooth(case: str) -> Finding:
    """Test that the price is as smooth as its supply: second differences fall with the square of the step."""
    omega = price(equilibrium(case).tables)
    bends = [float(np.abs(np.diff(omega[::every], 2)).max()) for every in (1, 2, 4)]
    return Finding(
        bool(bends[2] > 3.5 * bends[1] > 3.5**2 * bends[0]),
        note="largest second difference with steps h, 2h, 4h: " + ", ".join(f"{bend:.2e}" for bend in bends),
        certificate="an equilibrium with proof",
    )


@computes("euler-lagrange")
def euler_lagrange(cases: list[str]) -> Finding:
    """Return the largest residual of the Euler–Lagrange equation over all replies with mass.

    c₀a + ω changes by h l'(x) from step to step and is −g'(x) at the end: it is smooth though ω is not.
    """
    worst = {}
    for case in cases:
        model, tables = market(case), equilibrium(case).tables
        omega = price(tables)
        states, controls = _replies(tables["paths"], model.steps)
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
    model = _small(case, 30, 200)
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
        certificate="all agents of a market of 30 agents and 200 steps",
    )


def _best(game: TradingGame, omega: Vector) -> Vector:
    """Return a best reply of every agent to a price, as states (agents, N + 1)."""
    columns = game.generate(game.multipliers(omega))
    order = np.lexsort((columns.costs, columns.agents))
    first = order[np.r_[True, np.diff(columns.agents[order]) > 0]]
    states: Vector = game.states(columns.states[first])
    return states


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
    model = _small(case, 30, 200)
    turned = _small(case, 30, 200, supply=model.supply.values[::-1, 0].tolist())
    shares, levels = [], []
    for each in (model, turned):
        tables = solve(each).tables
        shares.append(upper_share(tables))
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
