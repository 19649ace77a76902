r"""Myopic migration, evaluated from tables: wages at every time, and the law of motion between times.

Nothing is shared with the integrator: wages are tested with the full matrix of trade costs, the law of
motion by Simpson's rule over every two intervals, with rates computed anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import pandas as pd

from agora.models.certificate import Condition, worst_case
from agora.models.migration.conditions.trade import Movers
from agora.typing import Vector


class MigrationParameters(Movers, Protocol):
    """What the definition needs to know."""

    @property
    def radius(self) -> float: ...  # noqa: D102
    @property
    def dynamics(self) -> str: ...  # noqa: D102
    @property
    def cells(self) -> int: ...  # noqa: D102
    @property
    def start(self) -> Vector: ...  # noqa: D102
    @property
    def times(self) -> Vector: ...  # noqa: D102


def migration_conditions(
    model: MigrationParameters, tables: Mapping[str, pd.DataFrame], tolerance: float
) -> tuple[Condition, ...]:
    """Evaluate every condition of a myopic path and every identity of the tables."""
    frame, concentration, n = tables["path"], tables["concentration"], model.cells
    times = model.times
    if len(frame) != n * len(times) or len(concentration) != len(times):
        return (Condition("every time and cell has its row", float("nan"), f"{len(frame)} rows", tolerance),)
    shape = (len(times), n)
    at, x, density, wage, real = (
        frame[name].to_numpy(dtype=float).reshape(shape)
        for name in ("time", "x", "density", "wage", "real_wage")
    )
    labels = [f"time {time:g}" for time in times]

    def timewise(name: str, violations: Vector) -> Condition:
        return worst_case(name, np.abs(violations).reshape(len(times), -1).max(axis=1), labels, tolerance)

    angles = 2 * np.pi * np.arange(n) / n
    basic = (
        timewise("times are the given ones", at - times[:, None]),
        timewise("positions are the given ones", x - angles),
        worst_case(
            "the path starts at the initial density", np.abs(density[0] - model.start), range(n), tolerance
        ),
        timewise("mass: ∫ μ dm = 1", density.mean(axis=1) - 1),
    )
    positive = timewise("density, wage and real wage > 0", np.where((density > 0) & (wage > 0), 0.0, np.inf))
    if not positive.passed:
        return (*basic, positive)
    power = model.elasticity - (model.variant != "eaton-kortum")
    apart = np.abs(angles[:, None] - angles)
    costs = np.exp(model.trade_cost_rate * model.radius * np.minimum(apart, 2 * np.pi - apart))
    market, value = np.empty(shape), np.empty(shape)
    for k in range(len(times)):
        people = density[k] if model.variant == "krugman" else np.ones(n)
        offered = people * density[k] ** (model.spillover * power) / n
        cheapness = offered[:, None] * (wage[k][:, None] * costs) ** -power
        index, income = cheapness.sum(axis=0), wage[k] * density[k] / n
        market[k] = (cheapness / index) @ income / income - 1
        value[k] = density[k] ** -model.congestion * wage[k] * index ** (1 / power)
    rates = np.array([_rate(model, density[k], value[k]) for k in range(len(times))])
    span = 2 * (times[1] - times[0])
    moved = span * (rates[:-2] + 4 * rates[1:-1] + rates[2:]) / 6
    motion = np.abs(density[2:] - density[:-2] - moved).max(axis=1)
    return (
        *basic,
        positive,
        timewise("goods markets clear at every time", market),
        timewise("normalisation: ∫ w μ dm = 1 at every time", (wage * density).mean(axis=1) - 1),
        timewise("real wage: V = B w / P", real / value - 1),
        worst_case("law of motion, by Simpson's rule", motion, labels[1:-1], max(tolerance, 1e-5)),
        timewise("concentration: times", concentration["time"].to_numpy(dtype=float) - times),
        timewise(
            "concentration: H = ∫ μ² dm",
            concentration["hhi"].to_numpy(dtype=float) - (density**2).mean(axis=1),
        ),
    )


def _rate(model: MigrationParameters, density: Vector, real: Vector) -> Vector:
    """Return the change of the density per unit of time, cell by cell."""
    speed = 1 / (model.discount * model.moving_cost)
    if model.dynamics == "replicator":
        rate: Vector = speed * density * (real - (density * real).mean())
        return rate
    h, n = 2 * np.pi * model.radius / model.cells, model.cells
    change = np.zeros(n)
    for i in range(n):
        j = (i + 1) % n
        gain = speed * (real[j] - real[i]) / h
        moving = gain * (density[i] if gain > 0 else density[j]) + model.noise * (density[i] - density[j]) / h
        change[i] -= moving / h
        change[j] += moving / h
    return change
