r"""The invisible hand, evaluated from tables: the short run at every date, every firm's choice in every step.

A path with flows is a sequence of steps: mass goes where flows say, the gain of each step covers its cost,
and no firm on any link would rather move at another speed. By concavity the last bounds how far each step is
from the global optimum of its program. A path without flows is a solution of the equation of motion: its
costs are half of the gain. Nothing is shared with the program.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

import networkx as nx
import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from agora.models.certificate import Condition, worst_case
from agora.models.sectors.conditions import short_run
from agora.typing import Vector


class MovingParameters(short_run.Parameters, Protocol):
    """What the definition needs to know beside the short run."""

    @property
    def geography(self) -> Any: ...  # noqa: D102
    @property
    def moving_cost(self) -> float: ...  # noqa: D102
    @property
    def fixed_cost(self) -> float: ...  # noqa: D102
    @property
    def noise(self) -> float: ...  # noqa: D102
    @property
    def numeraire(self) -> str: ...  # noqa: D102
    @property
    def horizon(self) -> Any: ...  # noqa: D102
    @property
    def initial(self) -> Any: ...  # noqa: D102
    @property
    def is_convex(self) -> bool: ...  # noqa: D102


def invisible_hand_conditions(
    model: MovingParameters, tables: Mapping[str, pd.DataFrame], tolerance: float
) -> tuple[Condition, ...]:
    """Evaluate the definition of the path and every identity of its tables."""
    dates = short_run.dates_of(tables["path"], model.network.cells, short_run.COLUMNS)
    aggregate = tables["aggregate"]
    n, rate, times = dates["firms"], dates["profit_rate"], dates.times
    if len(aggregate) != len(times):
        return (Condition("every date has its row", float("nan"), f"{len(aggregate)} rows", tolerance),)
    said = {name: aggregate[name].to_numpy(dtype=float) for name in aggregate.columns}
    at_dates = [f"time {time:g}" for time in times]
    eaten = short_run.consumption_of(model, dates["output"])
    level = short_run.price_level_of(model, dates["price"])
    wealth = {"consumption": level, "labor": dates["wage"][:, 0], "expenditure": level * eaten}
    climbing = _potential(model, n, eaten)
    start = model.network.land * model.over_sectors("initial", model.initial)
    start = model.firms * start / start.sum()
    lost = np.abs(np.diff(_by_piece(model, n), axis=0)).max(axis=1, initial=0.0)

    at_all = partial(worst_case, places=at_dates, tolerance=tolerance)
    after_steps = partial(worst_case, places=at_dates[1:], tolerance=tolerance)
    conditions = [
        at_all("both tables have the same dates", np.abs(said["time"] - times)),
        after_steps("time moves on", np.where(np.diff(times) > 0, 0.0, 1.0)),
        worst_case("firms start where they are", np.abs(n[0] / start - 1),
                   [f"sector {name}" for name in dates.names], tolerance),
        after_steps("no firm is lost in any piece", lost),
        *short_run.short_run_conditions(model, dates, said["consumption"], tolerance),
        at_all(f"{model.numeraire} is the numéraire", np.abs(wealth[model.numeraire] - 1)),
        at_all("the spread of profit rates", np.abs(said["profit_spread"] / rate.max(axis=1)
                                                    - np.ptp(rate, axis=1) / rate.max(axis=1))),
        at_all("the potential", np.abs(said["potential"] - climbing)),
        after_steps("the potential never falls", -np.diff(climbing)),
    ]  # fmt: skip
    if model.noise == 0:
        conditions.append(after_steps("consumption never falls", -np.diff(eaten)))
    if model.horizon == "long-run":
        conditions.append(_rest(model, dates, tolerance))
    paid = np.diff(said["reallocation_cost"], prepend=0.0)
    if "reallocation" in tables:
        conditions += _steps(model, dates, tables["reallocation"], climbing, paid, tolerance)
    elif model.fixed_cost == 0:
        half = 0.5 * (climbing - climbing[0])
        gap = np.abs(said["reallocation_cost"] - half)
        conditions.append(at_all("costs so far are half of the gain", gap))
    return tuple(conditions)


def _potential(model: MovingParameters, n: Vector, eaten: Vector) -> Vector:
    """Return (α/κ) f(C) − cν Σ n log(n/λ), (T,)."""
    value = eaten if model.numeraire == "consumption" else np.log(eaten)
    if model.numeraire == "labor":
        value = value * model.labor / (1 - model.firm_share)
    value = value * model.firm_share / (model.firm_share + model.externality)
    with np.errstate(all="ignore"):
        crowding = (n * np.log(n / model.network.land)).sum(axis=1)
    return value - (model.moving_cost * model.noise * crowding if model.noise else 0.0)


def _by_piece(model: MovingParameters, n: Vector) -> Vector:
    """Return the mass of each connected piece (T, pieces)."""
    position = {cell: k for k, cell in enumerate(model.network.cells)}
    pieces = [[position[cell] for cell in piece] for piece in nx.connected_components(model.geography)]
    return np.array([n[:, piece].sum(axis=1) for piece in pieces]).T


def _value(model: MovingParameters, n: Vector, rate: Vector) -> Vector:
    """Return what a firm earns in each sector, net of the crowding that noise makes."""
    if model.noise == 0:
        return rate
    value: Vector = rate - model.moving_cost * model.noise * (np.log(n / model.network.land) + 1)
    return value


def _ends(model: MovingParameters) -> tuple[Vector, Vector, Vector]:
    """Return tails, heads and lengths of the links, each once."""
    network = model.network
    once = network.tails < network.heads
    return network.tails[once], network.heads[once], network.lengths[once]


def _rest(model: MovingParameters, dates: short_run.Dates, tolerance: float) -> Condition:
    """Return whether nobody would move at the end: equal profit rates, or differences not worth φ."""
    tails, heads, lengths = _ends(model)
    value = _value(model, dates["firms"], dates["profit_rate"])[-1]
    slope = np.abs(value[heads] - value[tails]) / lengths
    threshold = np.sqrt(2 * model.moving_cost * model.fixed_cost)
    links = [f"link {dates.names[i]} - {dates.names[j]}" for i, j in zip(tails, heads, strict=True)]
    name = "nobody would move any more (difference of profit rates per length)"
    return worst_case(name, np.maximum(slope - threshold, 0.0) / np.abs(value).max(), links, tolerance)


def _steps(
    model: MovingParameters,
    dates: short_run.Dates,
    frame: pd.DataFrame,
    climbing: Vector,
    paid: Vector,
    tolerance: float,
) -> list[Condition]:
    """Evaluate every step: balances, costs, the best reply of firms on every link, the gap to the optimum."""
    tails, heads, lengths = _ends(model)
    number, names, links = len(dates.times) - 1, dates.names, len(lengths)
    expected: dict[str, Any] = {
        "origin": [names[k] for k in tails] * number,
        "destination": [names[k] for k in heads] * number,
        "time": np.repeat(dates.times[1:], links),
    }
    wrong = [frame[key].tolist() != list(values) for key, values in expected.items()]
    if len(frame) != number * links or any(wrong):
        return [worst_case("flows on every link in every step", [np.inf], ["reallocation"], tolerance)]
    flow = frame["flow"].to_numpy(dtype=float).reshape(number, links)
    n, step = dates["firms"], np.diff(dates.times)[:, None]
    at_head = csr_array((np.ones(links), (np.arange(links), heads)), shape=(links, len(names)))
    at_tail = csr_array((np.ones(links), (np.arange(links), tails)), shape=(links, len(names)))
    arrived = flow @ (at_head - at_tail)
    middle = 0.5 * (n[:-1] + n[1:])
    mass = 0.5 * (middle[:, tails] + middle[:, heads])
    speed = flow * lengths / (step * mass)
    c, phi = model.moving_cost, model.fixed_cost
    slow = np.sqrt(2 * phi / c)
    fast = np.abs(speed) > slow
    envelope = np.where(fast, 0.5 * c * speed**2 + phi, c * slow * np.abs(speed))
    released = np.where(fast, 0.5 * c * speed**2 - phi, 0.0)  # what another firm on the link would save
    value = _value(model, n, dates["profit_rate"])[1:] + 0.25 * step * released @ (at_head + at_tail)
    slope = (value[:, heads] - value[:, tails]) / lengths
    best = np.maximum(0.5 * slope**2 / c - phi, 0.0)
    regret = step * (best + envelope - slope * speed)
    bid = np.where(fast, c * speed, np.clip(slope, -c * slow, c * slow))  # the marginal cost that is nearest
    idle = np.where(fast, 0.0, c * slow * np.abs(flow) - bid * flow)
    gap = (lengths * (np.abs(slope - bid) * (np.abs(flow) + model.firms) + idle)).sum(axis=1)
    if not model.is_convex:  # where the last firms have left, nobody can leave any faster
        left = n[1:] <= 1e-6 * model.firms
        regret = np.where(left[:, tails] | left[:, heads], 0.0, regret)
    at_steps = [f"step to time {time:g}" for time in dates.times[1:]]
    on_links = [f"link {names[i]} - {names[j]}" for i, j in zip(tails, heads, strict=True)]
    everywhere = [f"{link}, {at}" for at in at_steps for link in on_links]
    cost = (step * mass * envelope).sum(axis=1)
    astray = np.abs(np.diff(n, axis=0) - arrived).max(axis=1)
    each = partial(worst_case, tolerance=tolerance)
    overpaid = np.abs(paid - np.concatenate([[0.0], cost]))
    conditions = [
        each("flows move the firms", astray, at_steps),
        each("costs so far are those of all flows", overpaid, ["time 0", *at_steps]),
        each("the gain of each step covers its cost", cost - np.diff(climbing), at_steps),
        each("no firm would rather move at another speed (gain over the step)", regret, everywhere),
    ]
    if model.is_convex:
        conditions.append(each("each step is the global optimum (bound on the gap)", gap, at_steps))
    return conditions
