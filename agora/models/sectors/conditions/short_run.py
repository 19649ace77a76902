r"""The short-run competitive equilibrium, evaluated from tables at any number of dates.

Firms maximise profits and take wages, prices and the external factor as given; workers go where wages are
highest, or cannot move; consumers spend what firms and workers earn. Everything is in the numéraire; arrays
have a row a date and a column a sector. Nothing is shared with the program.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import pandas as pd

from agora.models.certificate import Condition, worst_case
from agora.typing import Vector

COLUMNS = ("firms", "labor", "output", "price", "wage", "profit_rate")
"""Columns of a sector that the definition reads."""


class Parameters(Protocol):
    """What the definition needs to know of an economy of sectors."""

    @property
    def firm_share(self) -> float: ...  # noqa: D102
    @property
    def substitution(self) -> float: ...  # noqa: D102
    @property
    def externality(self) -> float: ...  # noqa: D102
    @property
    def firms(self) -> float: ...  # noqa: D102
    @property
    def labor(self) -> float: ...  # noqa: D102
    @property
    def productivity(self) -> Any: ...  # noqa: D102
    @property
    def preferences(self) -> Any: ...  # noqa: D102
    @property
    def immobile_labor(self) -> Any: ...  # noqa: D102
    @property
    def network(self) -> Any: ...  # noqa: D102
    def over_sectors(self, name: str, given: Any) -> Vector: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class Dates:
    """The table of sectors as arrays (T, I), one a column, in the order of the network's sectors."""

    times: Vector
    names: list[str]
    columns: dict[str, Vector]

    def __getitem__(self, name: str) -> Vector:
        return self.columns[name]

    @property
    def places(self) -> list[str]:
        """What each entry of an array is called."""
        if len(self.times) == 1:
            return [f"sector {name}" for name in self.names]
        return [f"sector {name} at time {time:g}" for time in self.times for name in self.names]


def dates_of(frame: pd.DataFrame, cells: Sequence[object], columns: Sequence[str]) -> Dates:
    """Return a long table (time, sector, …) as arrays; a table without times is one date.

    Raises `ValueError` if sectors are missing, repeated or out of order.
    """
    names = [str(cell) for cell in cells]
    times = frame["time"].to_numpy(dtype=float) if "time" in frame else np.zeros(len(frame))
    number = len(names)
    if len(frame) == 0 or frame["sector"].astype(str).tolist() != names * (len(frame) // number):
        raise ValueError("a table of sectors needs every sector once a date, in the order of the geography")
    stamps = times.reshape(-1, number)
    if np.any(stamps != stamps[:, :1]):
        raise ValueError("all sectors of a date have its time")
    arrays = {name: frame[name].to_numpy(dtype=float).reshape(-1, number) for name in columns}
    return Dates(stamps[:, 0], names, arrays)


def tastes_of(economy: Parameters) -> Vector:
    """Return the weights of the sectors' goods in consumption, λ b (summing to one if σ = 1)."""
    weights: Vector = economy.network.land * economy.over_sectors("preferences", economy.preferences)
    return weights / weights.sum() if economy.substitution == 1 else weights


def consumption_of(economy: Parameters, output: Vector) -> Vector:
    """Return the CES index of outputs (…, I) → (…)."""
    tastes, sigma = tastes_of(economy), economy.substitution
    if sigma == 1:
        product: Vector = np.exp((tastes * np.log(output / tastes)).sum(axis=-1))
        return product
    rho = (sigma - 1) / sigma
    index: Vector = (tastes ** (1 / sigma) * output**rho).sum(axis=-1) ** (1 / rho)
    return index


def price_level_of(economy: Parameters, prices: Vector) -> Vector:
    """Return what a unit of consumption costs at least (…, I) → (…)."""
    tastes, sigma = tastes_of(economy), economy.substitution
    if sigma == 1:
        level: Vector = np.exp((tastes * np.log(prices)).sum(axis=-1))
        return level
    cost: Vector = (tastes * prices ** (1 - sigma)).sum(axis=-1) ** (1 / (1 - sigma))
    return cost


def short_run_conditions(
    economy: Parameters, dates: Dates, consumption: Vector, tolerance: float
) -> tuple[Condition, ...]:
    """Evaluate the short-run equilibrium at every date; violations are relative unless a name says otherwise.

    `consumption` (T,) is what the tables say of C.
    """
    land = economy.network.land
    n, labor, output, price, wage, rate = (dates[name] for name in COLUMNS)
    alpha, sigma = economy.firm_share, economy.substitution
    technology = economy.over_sectors("productivity", economy.productivity)
    with np.errstate(all="ignore"):
        made = technology * n**alpha * labor ** (1 - alpha) * (n / land) ** economy.externality
        revenue = price * output
        level, eaten = price_level_of(economy, price), consumption_of(economy, output)
        spent = (level * eaten)[:, None]
        demand = tastes_of(economy) * eaten[:, None] * (price / level[:, None]) ** -sigma
        size = spent / len(land)
        product = (1 - alpha) * revenue / labor
    at_dates = [f"time {time:g}" for time in dates.times] if len(dates.times) > 1 else ["the economy"]

    at_sectors = partial(worst_case, places=dates.places, tolerance=tolerance)

    def at_all(name: str, violations: Vector) -> Condition:
        return worst_case(name, np.abs(violations), at_dates, tolerance)

    if economy.immobile_labor is None:
        workers: tuple[Condition, ...] = (
            at_all("labour market clears", labor.sum(axis=1) / economy.labor - 1),
            at_sectors("nobody earns more in another sector", wage.max(axis=1, keepdims=True) / wage - 1),
        )
    else:
        given = land * economy.over_sectors("immobile_labor", economy.immobile_labor)
        given = economy.labor * given / given.sum()
        workers = (at_sectors("workers stay in their sector", np.abs(labor / given - 1)),)
    return (
        at_sectors("firms > 0", np.where(n > 0, 0.0, 1.0 + np.abs(n))),
        at_sectors("output is what firms and workers make", np.abs(output / made - 1)),
        *workers,
        at_sectors("wage is the value of the marginal product", np.abs(wage / product - 1)),
        at_sectors("profits are revenue less wages", np.abs(rate * n + wage * labor - revenue) / size),
        at_sectors("goods markets clear at the consumers' demand", np.abs(output / demand - 1)),
        at_all("what is spent is what is earned", ((rate * n + wage * labor).sum(axis=1) / spent[:, 0]) - 1),
        at_all("consumption is the index of outputs", consumption / eaten - 1),
    )
