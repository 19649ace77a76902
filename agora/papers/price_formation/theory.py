"""What the paper proves about values and prices, tested on instances."""

from __future__ import annotations

from typing import Any

import numpy as np

from agora.methods.price_formation.column_generation import TradingGame
from agora.models.price_formation.conditions.best_replies import Agent, Cheapest, cheapest_replies
from agora.models.price_formation.price_formation import PriceFormation
from agora.papers.computations import Finding, computes
from agora.papers.price_formation.cases import CASES, equilibrium, market, price
from agora.runners.solving import solve
from agora.typing import Vector

AGENTS, STEPS = 20, 100
ACCURACY = 1e-9
"""Of best replies, in the numéraire."""


def _best(model: PriceFormation, prices: Vector, starts: Vector) -> Cheapest:
    """Return what best replies from some states cost, proved within `ACCURACY`."""
    agent = Agent(prices, model.step, model.control_cost, model.running, model.terminal)
    return cheapest_replies(agent, starts, ACCURACY)


def _population_cost(model: PriceFormation, prices: Vector) -> float:
    """Return Φ(ω), (4)."""
    return float(model.masses @ _best(model, prices, model.starts[:, 0]).values)


def _walks(random: np.random.Generator, steps: int) -> Vector:
    """Return two random walks over the horizon (2, N)."""
    result: Vector = random.normal(size=(2, 1)) + random.normal(size=(2, steps)).cumsum(axis=1) / np.sqrt(
        steps
    )
    return result


@computes("population-cost-is-concave")
def population_cost_is_concave(cases: list[str]) -> Finding:
    """Return by how much Φ falls below its chords at most, on random segments of prices."""
    random, worst = np.random.default_rng(1), {}
    for case in cases:
        model, below = market(case, agents=AGENTS, steps=STEPS), 0.0
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
        + f"; 4 segments between random walks a case, {AGENTS} agents, {STEPS} steps",
        certificate=f"best replies proved within {ACCURACY:g}",
    )


@computes("derivative-of-the-population-cost")
def derivative_of_the_population_cost(cases: list[str]) -> Finding:
    """Return how far the derivative of Φ is from what agents buy at best replies, at random prices."""
    random, worst = np.random.default_rng(2), {}
    for case in cases:
        model, apart = market(case, agents=AGENTS, steps=STEPS), 0.0
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
    game = TradingGame(model)
    columns = game.generate(game.multipliers(prices))
    order = np.lexsort((columns.costs, columns.agents))
    best = order[np.r_[True, np.diff(columns.agents[order]) > 0]]
    states = game.states(columns.states[best])
    return model.masses[columns.agents[best]] @ np.diff(states, axis=1) / model.step


@computes("values-are-semiconcave")
def values_are_semiconcave(case: str) -> Finding:
    """Test that φ(·, ω) is Lipschitz and semiconcave at the equilibrium price of a case with terminal costs.

    A reply shifted by d(1 − t/T) costs c₀d²/(2T) more to second order and ends where it did: the second
    derivative of φ is at most c₀/T.
    """
    model = market(case, agents=AGENTS, steps=STEPS)
    starts = np.linspace(0.0, 1.0, 401)
    values = _best(model, price(solve(model).tables), starts).values
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
        gain = {c.name: c.worst for c in solution.certificate.conditions}["exploitability_max"]
        largest = max(largest, gain if solution.is_global else np.inf)
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
