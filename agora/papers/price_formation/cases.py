"""The five published cases: their markets, equilibria, closed forms, and prices that merely clear."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agora.data.price_formation.state_costs import QuadraticCost, StateCost
from agora.methods.price_formation.column_generation import Columns, TradingGame
from agora.models.price_formation.conditions.market import Exploitability, exploitability
from agora.models.price_formation.price_formation import PriceFormation
from agora.models.solution import Solution
from agora.runners.solving import solve
from agora.typing import Vector

PAPER = "price-formation"
STEPS, AGENTS = 1000, 100
_WELLS = {"kind": "double-well", "weight": 50.0, "wells": [0.25, 0.75]}
_SINE, _WIENER = {"kind": "sine", "frequency": 10.0}, {"kind": "wiener", "seed": 1}
CASES: dict[str, dict[str, Any]] = {
    "1": {"supply": _SINE, "terminal": {"kind": "quadratic", "weight": 10.0, "target": 0.0}},
    "2": {"supply": _WIENER, "running": {"kind": "quadratic", "weight": 10.0, "target": 0.0}},
    "3": {"supply": _SINE, "terminal": _WELLS},
    "4a": {"supply": _SINE, "running": _WELLS},
    "4b": {"supply": _WIENER, "running": _WELLS},
}
"""What sets the cases apart; supply is sampled at the grid of times."""


def market(
    case: str, *, agents: int = AGENTS, steps: int = STEPS, released: bool = False, **changes: Any
) -> PriceFormation:
    """Return the market of a case; `released` samples the sine at i/(N − 1), as the released code does."""
    if released:
        changes["supply"] = np.sin(10.0 * np.arange(steps) / (steps - 1)).tolist()
    law = {"kind": "linspace", "from": 0.0, "to": 1.0, "number": agents}
    return PriceFormation(**{"horizon": 1.0, "steps": steps, "agents": law, **CASES[case], **changes})


@cache
def equilibrium(case: str, released: bool = False) -> Solution:
    """Return the certified equilibrium of a case."""
    return solve(market(case, released=released))


def price(tables: dict[str, pd.DataFrame]) -> Vector:
    """Return ω (N,)."""
    return tables["price"]["price"].to_numpy(dtype=float)


def level(model: PriceFormation, prices: Vector) -> float:
    """Return the mean of ω + c₀Q over time: with terminal costs only, the constant P."""
    return float((prices + model.control_cost * model.supply.values[:, 0]).mean())


def upper_share(tables: dict[str, pd.DataFrame]) -> float:
    """Return the share of agents who end nearer to the upper well than to the lower."""
    paths = tables["paths"]
    last = paths[paths["time"] == paths["time"].max()]
    return float(last.loc[last["state"] > 0.5, "weight"].sum())


@dataclass(frozen=True)
class Clearing:
    """Prices ω (N,) that clear the market while every agent stays in one well."""

    model: PriceFormation
    prices: Vector
    tables: dict[str, pd.DataFrame]  # as a solution has them

    @cached_property
    def gains(self) -> Exploitability:
        """What agents gain by their best replies."""
        return exploitability(self.model, self.tables)


def staying(model: PriceFormation, states: Vector, prices: Vector, rounds: int = 60) -> Clearing | None:
    """Return the price at which the market clears while nobody leaves the well of its trajectory.

    This is where the published iteration comes to rest: agents follow a path that is best among those
    near by. `states` (agents, N + 1) says where each one starts to look. None if a well vanishes.
    """
    game = TradingGame(model)
    multipliers = game.multipliers(prices)
    agents = np.arange(len(game.masses))
    relative, sound = game.local_minima(states - game.supplied, multipliers)
    columns = Columns(agents, relative, game.cost(relative, multipliers))
    if not sound.all():
        return None
    for _ in range(rounds):
        excess = game.excess(columns, game.masses)
        if np.abs(excess).max() < 1e-12:
            break
        direction = np.linalg.solve(game.inverses(columns, game.masses), excess)
        length = min(1.0, 0.5 / float(np.abs(np.cumsum(direction[::-1])).max()))
        multipliers = multipliers + length * direction
        relative, sound = game.local_minima(columns.states, multipliers)
        if not sound.all():
            return None
        columns = Columns(agents, relative, game.cost(relative, multipliers))
    else:
        return None
    prices = game.prices(multipliers)
    tables = model.tables(prices[None], game.states(columns.states)[:, None], agents, game.masses)
    return Clearing(model, prices, tables)


@cache
def clearing_levels(released: bool = True) -> dict[int, float]:
    """Return every level P of case 3 that clears with the k lowest agents in the lower well, by k.

    Trajectories follow from their ends ζ: c₀(ζ − x − ∫Q)/T + P + g'(ζ) = 0, and the mean of ζ is x̄ + ∫Q.
    Only those count at which every agent is at a local minimum, with a second derivative > 0.
    """
    model = market("3", released=released)
    supplied = model.step * float(model.supply.values.sum())
    starts, cost = model.starts[:, 0], model.terminal
    slack = model.control_cost / model.horizon
    results = {}
    for k in range(len(starts) + 1):
        ends = np.where(np.arange(len(starts)) < k, 0.25, 0.75)
        guess = 0.0
        for _ in range(100):
            stiff = slack + cost.curvature(ends)
            residual = slack * (ends - starts - supplied) + guess + cost.slope(ends)
            imbalance = float(ends.mean() - starts.mean() - supplied)
            # ends move by −(residual + ΔP)/stiff such that the mean is as it must be
            change = (imbalance - float((residual / stiff).mean())) / float((1 / stiff).mean())
            step = -(residual + change) / stiff
            length = min(1.0, 0.05 / max(float(np.abs(step).max()), 1e-300))
            ends, guess = ends + length * step, guess + length * change
            if np.abs(step).max() < 1e-14:
                break
        lower = ends < 0.5
        if np.abs(step).max() < 1e-10 and (slack + cost.curvature(ends) > 0).all() and int(lower.sum()) == k:
            results[k] = guess
    return results


@cache
def published_case_3(printed: float, released: bool = True) -> tuple[int, Clearing]:
    """Return the clearing price of case 3 nearest to the printed level, and how many agents sit low."""
    levels = clearing_levels(released)
    k = min(levels, key=lambda each: abs(levels[each] - printed))
    model = market("3", released=released)
    starts = model.starts[:, 0]
    ends = np.where(np.arange(len(starts)) < k, 0.25, 0.75)
    along = np.arange(model.steps + 1) / model.steps
    states = starts[:, None] + (ends - starts)[:, None] * along
    prices = levels[k] - model.control_cost * model.supply.values[:, 0]
    result = staying(model, states, prices)
    if result is None:
        raise RuntimeError("the wells of the printed level vanish")
    return k, result


@cache
def at_rest(case: str, released: bool = True) -> Clearing:
    """Return a clearing price of a case with agents in the wells they reach from rest.

    Agents begin as the published iteration does, near a velocity of zero, and slide to a path that is best
    near by while the price adapts: a damped gradient step for all, then the price that clears.
    """
    model = market(case, released=released and case in ("1", "3", "4a"))
    game = TradingGame(model)
    prices = np.zeros(model.steps)
    controls = np.zeros((len(game.masses), model.steps))
    slow, fast = 0.05, 0.5

    def states_of(controls: Vector) -> Vector:
        run: Vector = np.pad(model.step * np.cumsum(controls, axis=1), ((0, 0), (1, 0)))
        return run + model.starts

    for _ in range(4000):
        states = states_of(controls)
        running = model.step * model.running.slope(states[:, 1:-1])
        later = np.concatenate([running, model.terminal.slope(states[:, -1:])], axis=1)
        pull = np.cumsum(later[:, ::-1], axis=1)[:, ::-1]
        moved = controls - slow * (model.control_cost * controls + prices + pull)
        prices = prices + fast * ((2 * moved - controls).mean(axis=0) - game.supply)
        controls = moved
    result = staying(model, states_of(controls), prices)
    if result is None:
        raise RuntimeError(f"case {case}: the wells reached from rest vanish")
    return result


FREQUENCY = 10.0


def supplied(time: NDArray[Any]) -> Vector:
    """Return ∫₀ᵗ sin 10s ds."""
    result: Vector = (1 - np.cos(FREQUENCY * time)) / FREQUENCY
    return result


def _twice(time: NDArray[Any]) -> Vector:
    """Return ∫₀ᵗ ∫₀ˢ sin 10r dr ds."""
    result: Vector = time / FREQUENCY - np.sin(FREQUENCY * time) / FREQUENCY**2
    return result


def _numbers(cost: StateCost) -> tuple[float, float]:
    if isinstance(cost, QuadraticCost):
        return float(cost.matrix(1)[0, 0]), float(cost.targets(1)[0])
    return 0.0, 0.0


def continuous_price(model: PriceFormation, time: Vector) -> Vector:
    r"""Return ω(t) = −c₀Q + b(β − m(T)) + a ∫_t^T (α − m), m = x̄ + ∫Q; (34)."""
    (a, alpha), (b, beta) = _numbers(model.running), _numbers(model.terminal)
    end, mean = np.array(model.horizon), float(model.masses @ model.starts[:, 0])
    ahead = (alpha - mean) * (end - time) - (_twice(end) - _twice(time))
    result: Vector = (
        -model.control_cost * np.sin(FREQUENCY * time) + b * (beta - mean - supplied(end)) + a * ahead
    )
    return result


def continuous_states(model: PriceFormation) -> Vector:
    """Return x(t) = m(t) + (x₀ − x̄) ϕ(t) at the grid's times (agents, N + 1); (38), (39)."""
    (a, _), (b, _) = _numbers(model.running), _numbers(model.terminal)
    c, horizon = model.control_cost, model.horizon
    time = model.step * np.arange(model.steps + 1)
    left = horizon - time
    if a == 0:
        decay = (c + b * left) / (c + b * horizon)
    else:
        k = np.sqrt(a / c)
        decay = c * k * np.cosh(k * left) + b * np.sinh(k * left)
        decay = decay / decay[0]
    starts = model.starts[:, 0]
    mean = float(model.masses @ starts)
    result: Vector = mean + supplied(time) + (starts - mean)[:, None] * decay
    return result


def discrete_price(model: PriceFormation) -> Vector:
    r"""Return the exact price of the left Euler scheme for any supply, ω_i (N,).

    .. math:: \omega_i = -c_0 Q_i + b (\beta - m_N) + a h \sum_{j=i+1}^{N-1} (\alpha - m_j)
    """
    (a, alpha), (b, beta) = _numbers(model.running), _numbers(model.terminal)
    supply = model.supply.values[:, 0]
    mean = float(model.masses @ model.starts[:, 0]) + np.concatenate([[0.0], model.step * np.cumsum(supply)])
    ahead = np.append(np.cumsum((alpha - mean[1:-1])[::-1])[::-1], 0.0)
    result: Vector = -model.control_cost * supply + b * (beta - mean[-1]) + a * model.step * ahead
    return result
