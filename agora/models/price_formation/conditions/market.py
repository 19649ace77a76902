r"""The equilibrium of a price-formation game, evaluated from tables.

ω is an equilibrium price if the market clears at every time while every agent is at a best reply among all
replies. So beside the clearing residual the certificate holds the *exploitability*: what agents would gain by
their best reply to ω, on average and at most, with proof
(`agora.models.price_formation.conditions.best_replies`); and the gap between J(ω) = ∫ωQ − Φ(ω) and its lower
bound, minus what the population spends. Clearing alone is not equilibrium: with two wells an agent can sit at
a path that is best among those near by. Nothing is shared with the programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agora.data.price_formation.laws_and_supply import SupplyTree
from agora.data.price_formation.state_costs import QuadraticCost, StateCost
from agora.models.certificate import Condition, worst_case
from agora.models.price_formation.conditions.best_replies import (
    Agent,
    Cheapest,
    cheapest_replies,
    quadratic_values,
)
from agora.models.price_formation.conditions.bounded_replies import dual_gains
from agora.solvers.reuse import once
from agora.typing import Vector


class Parameters(Protocol):
    """What the definition needs to know of a market."""

    @property
    def horizon(self) -> float: ...  # noqa: D102
    @property
    def steps(self) -> int: ...  # noqa: D102
    @property
    def control_cost(self) -> float: ...  # noqa: D102
    @property
    def starts(self) -> Vector: ...  # noqa: D102
    @property
    def masses(self) -> Vector: ...  # noqa: D102
    @property
    def supply(self) -> SupplyTree: ...  # noqa: D102
    @property
    def running(self) -> StateCost: ...  # noqa: D102
    @property
    def terminal(self) -> StateCost: ...  # noqa: D102
    @property
    def state_bounds(self) -> tuple[float | None, float | None]: ...  # noqa: D102
    @property
    def control_bounds(self) -> tuple[float | None, float | None]: ...  # noqa: D102


@dataclass(frozen=True)
class Exploitability:
    """What agents would gain by their best replies."""

    gains: Vector
    """Upper bound of the gain of each agent, averaged over the replies it mixes, (agents,)."""
    largest: Vector
    """The same for the worst of the replies that have mass, (agents,)."""
    values: Vector
    """Lower bound of what a best reply costs, φ(x_n, ω), (agents,)."""
    proof: str
    """Why the bounds hold; empty if they are no bounds."""


@dataclass(frozen=True)
class _Arrays:
    """The tables as arrays: prices (assets, nodes), states and controls (replies, assets, places)."""

    prices: Vector
    supplies: Vector
    states: Vector
    controls: Vector
    agents: NDArray[np.int64]
    masses: Vector
    faults: dict[str, float]


class _Tree:
    """Nodes and places of the supply's tree."""

    def __init__(self, market: Parameters) -> None:
        supply = market.supply
        parents, depths = np.array(supply.parents), np.array(supply.depths)
        self.chance = np.array(supply.probabilities)
        self.nodes = len(parents)
        last = np.flatnonzero(depths == depths.max())
        self.before = np.concatenate([parents, last])
        self.places = self.nodes + len(last)
        self.step = market.horizon / market.steps
        self.time = self.step * np.concatenate([depths, depths[last] + 1])
        self.end_chance = self.chance[last]


def exploitability(
    market: Parameters, tables: Mapping[str, pd.DataFrame], accuracy: float = 1e-7
) -> Exploitability:
    """Return what each agent would gain by its best reply to the prices, from ``price`` and ``paths``.

    `accuracy` is how close the bounds are to the truth, in the numéraire.
    """
    tree = _Tree(market)
    return _exploitability(market, tree, _arrays(market, tables, tree), accuracy)


def _exploitability(market: Parameters, tree: _Tree, arrays: _Arrays, accuracy: float) -> Exploitability:
    costs = _costs(market, tree, arrays, arrays.prices)
    number, shares = len(market.masses), arrays.masses
    if _bounded(market):
        gains = _bounded_gains(market, tree, arrays)
        values = np.full(number, np.inf)
        np.minimum.at(values, arrays.agents, costs - gains)
        known = Cheapest(values, values, "weak duality at convex costs")
    else:
        known = _cheapest(market, arrays.prices, accuracy)
    gains = costs - known.bounds[arrays.agents]
    mass = np.zeros(number)
    np.add.at(mass, arrays.agents, shares)
    mean = np.zeros(number)
    with np.errstate(all="ignore"):
        np.add.at(mean, arrays.agents, gains * shares / mass[arrays.agents])
    largest = np.full(number, -np.inf)
    used = shares > 1e-9 * market.masses[arrays.agents]
    np.maximum.at(largest, arrays.agents[used], gains[used])
    return Exploitability(mean, largest, known.bounds, known.proof)


def _cheapest(market: Parameters, prices: Vector, accuracy: float) -> Cheapest:
    step, costs = market.horizon / market.steps, (market.running, market.terminal)
    if all(cost.absent or isinstance(cost, QuadraticCost) for cost in costs):
        running, terminal = (_matrix(cost, market.starts.shape[1]) for cost in costs)
        return quadratic_values(
            market.starts, prices, market.supply, step, market.control_cost, running, terminal
        )
    if not np.isfinite(prices).all():
        nothing = np.full(len(market.starts), np.nan)
        return Cheapest(nothing, nothing, "")
    agent = Agent(prices[0], step, market.control_cost, *costs)
    distinct, which = np.unique(market.starts[:, 0], return_inverse=True)
    asked = (prices.tobytes(), distinct.tobytes(), step, market.control_cost, accuracy, *map(_said, costs))
    cheapest = once(("best replies", *asked), lambda: cheapest_replies(agent, distinct, accuracy))
    return Cheapest(cheapest.values[which], cheapest.bounds[which], cheapest.proof)


def _said(cost: StateCost) -> tuple[Any, ...]:
    """Return what decides a cost: its kind and its parameters."""
    return type(cost), *(getattr(cost, name) for name in type(cost).model_fields)


def _matrix(cost: StateCost, assets: int) -> tuple[Vector, Vector]:
    if isinstance(cost, QuadraticCost):
        return cost.matrix(assets), cost.targets(assets)
    return np.zeros((assets, assets)), np.zeros(assets)


def _holding(cost: StateCost, states: Vector) -> tuple[Vector, Vector]:
    """Return a cost of states (replies, assets, places) as (replies, places), and its gradient."""
    if isinstance(cost, QuadraticCost):
        matrix, target = _matrix(cost, states.shape[1])
        away = states - target[:, None]
        pull = np.einsum("ij,kjp->kip", matrix, away)
        return (away * pull).sum(axis=1) / 2, pull
    return cost.value(states).sum(axis=1), cost.slope(states)


def _costs(market: Parameters, tree: _Tree, arrays: _Arrays, prices: Vector) -> Vector:
    """Return what each reply costs at some prices (replies,)."""
    paid = tree.step * (prices * arrays.controls).sum(axis=1) @ tree.chance
    costs: Vector = paid + sum(_parts(market, tree, arrays).values())
    return costs


def _parts(market: Parameters, tree: _Tree, arrays: _Arrays) -> dict[str, Vector]:
    """Return what trading, holding and the end cost each reply, payments aside (replies,)."""
    traded = market.control_cost / 2 * (arrays.controls**2).sum(axis=1)
    held, _ = _holding(market.running, arrays.states[..., : tree.nodes])
    last, _ = _holding(market.terminal, arrays.states[..., tree.nodes :])
    return {
        "trading_cost": tree.step * traded @ tree.chance,
        "running_cost": tree.step * held @ tree.chance,
        "terminal_cost": last @ tree.end_chance,
    }


def _control_gradient(market: Parameters, tree: _Tree, arrays: _Arrays) -> Vector:
    """Return the derivative of each reply's cost by each of its controls (replies, assets, nodes)."""
    nodes = tree.nodes
    _, running = _holding(market.running, arrays.states[..., :nodes])
    _, terminal = _holding(market.terminal, arrays.states[..., nodes:])
    pull = np.concatenate([tree.step * running * tree.chance, terminal * tree.end_chance], axis=2)
    later = np.zeros_like(pull)  # sums over all places after each
    if market.supply.known:
        later[..., :-1] = np.cumsum(pull[..., :0:-1], axis=2)[..., ::-1]
    else:
        for place in range(tree.places - 1, 0, -1):
            later[..., tree.before[place]] += later[..., place] + pull[..., place]
    paid = tree.chance * (market.control_cost * arrays.controls + arrays.prices)
    result: Vector = tree.step * (paid + later[..., :nodes])
    return result


def _margin(market: Parameters, tree: _Tree, arrays: _Arrays) -> Vector:
    """Return how far the value of a unit bought is from its price, at most, of each reply."""
    if _bounded(market):
        return np.zeros(len(arrays.masses))
    gradient = _control_gradient(market, tree, arrays) / (tree.step * tree.chance)
    return np.where(arrays.masses > 1e-9, np.abs(gradient).max(axis=(1, 2)), 0.0)


def _bounded(market: Parameters) -> bool:
    return (*market.state_bounds, *market.control_bounds) != (None,) * 4


def _bounded_gains(market: Parameters, tree: _Tree, arrays: _Arrays) -> Vector:
    """Return an upper bound of what each reply can gain within the bounds (replies,)."""
    gradient = _control_gradient(market, tree, arrays)
    gains: Vector = sum(
        dual_gains(
            arrays.states[:, asset], arrays.controls[:, asset], gradient[:, asset], tree.chance, tree.before,
            tree.step, market.control_cost, market.state_bounds, market.control_bounds,
        )
        for asset in range(len(arrays.prices))
    )  # type: ignore[assignment]  # fmt: skip
    return gains


# --- the conditions ------------------------------------------------------------------------------


@np.errstate(invalid="ignore", over="ignore")  # what is missing or absurd is a violation
def trading_conditions(
    market: Parameters, tables: Mapping[str, pd.DataFrame], tolerance: float
) -> tuple[Condition, ...]:
    """Evaluate clearing, exploitability, gap, and every identity of the tables."""
    tree = _Tree(market)
    arrays = _arrays(market, tables, tree)
    nodes, mass = tree.nodes, arrays.masses
    times = [f"time {t:g}" for t in tree.time[:nodes]]
    assets = len(arrays.prices)
    where = times if assets == 1 else [f"{t}, asset {j + 1}" for j in range(assets) for t in times]
    replies = [f"agent {n}" for n in arrays.agents]
    given = market.supply.values.T
    bought = np.einsum("k,kiv->iv", mass, arrays.controls)
    gains = _exploitability(market, tree, arrays, tolerance / 10)
    cost = float(mass @ _costs(market, tree, arrays, np.zeros_like(arrays.prices)))
    revenue = tree.step * float((arrays.prices * given).sum(axis=0) @ tree.chance)
    dual = revenue - float(market.masses @ gains.values)
    held = np.zeros(len(market.masses))
    np.add.at(held, arrays.agents, mass)
    astray = arrays.states[:, :, 0] - market.starts[arrays.agents]
    moved = arrays.states[..., 1:] - arrays.states[..., tree.before[1:]]
    followed = moved - tree.step * arrays.controls[..., tree.before[1:]]
    parts = ((arrays.states[..., 1:], market.state_bounds), (arrays.controls, market.control_bounds))
    out = np.max([_outside(values, bounds) for values, bounds in parts], axis=0)
    totals = tables["totals"].iloc[0] if len(tables.get("totals", ())) else pd.Series(dtype=float)

    each = partial(worst_case, tolerance=tolerance)
    costs = {name: float(mass @ each) for name, each in _parts(market, tree, arrays).items()}
    sums = {"population_cost": cost, "revenue": revenue, **costs}
    wrong = [abs(float(totals.get(name, np.nan)) - value) for name, value in sums.items()]
    agents = [f"agent {n}" for n in range(len(market.masses))]
    return (
        each("clearing", np.abs(bought - given).ravel(), where),
        each("exploitability_mean", abs(market.masses @ gains.gains), ["all agents"]),
        each("exploitability_max", np.abs(gains.largest), agents),
        each("gap", abs(dual + cost), ["J(ω) − its lower bound"]),
        each("the marginal value of what is bought is its price", _margin(market, tree, arrays), replies),
        each("agents start where the initial law says", np.abs(astray).max(axis=1), replies),
        each("states follow velocities", np.abs(followed).max(axis=(1, 2)), replies),
        each("states and velocities keep their bounds", out, replies),
        each("every agent has its mass", np.abs(held - market.masses), agents),
        each("no mass is negative", -mass, replies),
        each("supply is the given one", np.abs(arrays.supplies - given).ravel(), where),
        each("rows are in order", list(arrays.faults.values()), arrays.faults),
        each("totals add up", wrong, [f"totals: {name}" for name in sums]),
    )


def _outside(values: Vector, bounds: tuple[float | None, float | None]) -> Vector:
    """Return how far each reply is beyond its bounds, at most (replies,)."""
    low, high = (-np.inf if bounds[0] is None else bounds[0]), (np.inf if bounds[1] is None else bounds[1])
    beyond: Vector = np.maximum(np.maximum(low - values, values - high), 0.0).max(axis=(1, 2))
    return beyond


def _arrays(market: Parameters, tables: Mapping[str, pd.DataFrame], tree: _Tree) -> _Arrays:
    """Read prices and paths, in any order of rows; what is not as it must be is a fault."""
    assets, nodes, places = market.starts.shape[1], tree.nodes, tree.places
    keys = [*(["asset"] if assets > 1 else []), *([] if market.supply.known else ["node"])]
    order = [*keys, *(["time"] if market.supply.known else [])]
    prices, paths = _sorted(tables["price"], order), _sorted(tables["paths"], ["agent", "path", *order])
    block = assets * places
    number = len(paths) // block
    if len(prices) != assets * nodes or number * block != len(paths) or number == 0:
        raise ValueError("tables: price needs a row a node, paths a row a place of every path")

    def column(frame: pd.DataFrame, name: str, shape: tuple[int, ...]) -> Vector:
        return frame[name].to_numpy(dtype=float).reshape(shape)

    agent, path = (column(paths, name, (number, block)) for name in ("agent", "path"))
    weight = column(paths, "weight", (number, block))
    control = column(paths, "control", (number, assets, places))
    label = agent[:, 0]
    sound = (label == np.round(label)) & (label >= 0) & (label < len(market.masses))
    wanted: dict[str, Any] = {"time": tree.time}
    if assets > 1:
        wanted["asset"] = np.broadcast_to(np.arange(1, assets + 1)[:, None], (assets, places))
    if not market.supply.known:
        wanted["node"] = np.arange(places)
    faults = {
        "paths: agent": float(np.ptp(agent, axis=1).max()) + float((~sound).sum()),
        "paths: path": float(np.ptp(path, axis=1).max()),
        "paths: weight": _apart(weight, weight[:, :1]),
        "paths: nobody trades at the horizon": float((~np.isnan(control[..., nodes:])).sum()),
    }
    for name, entries in wanted.items():
        faults[f"price: {name}"] = _apart(column(prices, name, (assets, nodes)), entries[..., :nodes])
        faults[f"paths: {name}"] = _apart(column(paths, name, (number, assets, places)), entries)
    if not market.supply.known:
        chances = column(prices, "probability", (assets, nodes))
        faults["price: probability"] = _apart(chances, tree.chance)
    return _Arrays(
        prices=column(prices, "price", (assets, nodes)),
        supplies=column(prices, "supply", (assets, nodes)),
        states=column(paths, "state", (number, assets, places)),
        controls=control[..., :nodes],
        agents=np.where(sound, label, 0).astype(np.int64),
        masses=weight[:, 0],
        faults=faults,
    )


def _sorted(table: pd.DataFrame, order: list[str]) -> pd.DataFrame:
    """Return a table with its rows in order, itself if they are."""
    later = np.zeros(max(len(table) - 1, 0), dtype=bool)  # whether a row comes after the one before
    for name in order:
        column = table[name].to_numpy(dtype=float)
        if not (later | (column[1:] >= column[:-1])).all():
            return table.sort_values(order, kind="stable")
        later |= column[1:] > column[:-1]
    return table


def _apart(given: Vector, wanted: NDArray[Any]) -> float:
    """Return the largest difference; NaN if there is one."""
    return float(np.abs(given - wanted).max())
