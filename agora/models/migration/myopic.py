r"""Myopic migration on a racetrack: the same trade equilibrium, no expectations.

The comparison for the mean-field game of Bahlali, Boucekkine & Petit (2026): people move as if today's real
wages lasted for ever, by the gradient or by the replicator dynamics.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
import pyomo.environ as pyo
from pydantic import Field, field_validator, model_validator

from agora.data.checks import InputError, finite
from agora.data.fields import NOT_NEGATIVE, POSITIVE, kinds, read_kind
from agora.data.profiles import Cosine, Profile, Uniform
from agora.formulations.migration import myopic, trade
from agora.formulations.migration.kernels import Kernel, ring_kernel
from agora.models.certificate import Condition
from agora.models.migration.conditions.myopic import migration_conditions
from agora.models.migration.spatial_trade import TradeModel
from agora.models.migration.tables import MYOPIC_TABLES, UNITS_OF_MOVES
from agora.models.model import ModelCard
from agora.models.table_spec import TableSpec
from agora.typing import Tables, Vector

_PROFILES: dict[str, type[Profile]] = kinds(Uniform, Cosine)


class MyopicMigration(TradeModel):
    """A racetrack economy whose people follow today's real wages.

    Parameters
    ----------
    variant, elasticity, spillover, congestion
        As in `SpatialTrade`.
    trade_cost_rate : float
        τ > 0: trade costs e^{τ d}, d along the circle.
    radius : float
        R of the circle.
    noise, discount, moving_cost : float
        ν ≥ 0 (none in the replicator dynamics), ρ > 0, c0 > 0; the speed of adjustment is 1/(ρ c0).
    dynamics : str
        ``gradient`` or ``replicator``.
    horizon : float
        T; `steps` (even) equal parts of it are tabulated.
    cells : int
        N ≥ 4.
    initial : {kind = "cosine", amplitude, mode} or sequence of float
        μ at time 0, > 0 with mean 1.

    Raises
    ------
    InputError
        One sentence that names the field, its value, and what is allowed.
    """

    unit_of: ClassVar[Mapping[str, str]] = UNITS_OF_MOVES
    tables_spec: ClassVar[Mapping[str, TableSpec]] = MYOPIC_TABLES

    card: ClassVar[ModelCard] = ModelCard(
        name="myopic-migration",
        question="Where do people go who take today's real wages for lasting?",
        program="square: implicit Euler with a trade equilibrium in every step; objective 0",
        citation="Bahlali, M., R. Boucekkine and Q. Petit (2026), When Lasry-Lions meet Krugman: "
        "a mean-field game theory of spatial dynamics (slides)",
        assumptions=("the value of a place is V/ρ", "iceberg costs along a circle"),
        left_out=("expectations (see spatial-game)",),
    )

    trade_cost_rate: float = Field(gt=0, json_schema_extra=POSITIVE)
    radius: float = Field(default=1.0, gt=0, json_schema_extra=POSITIVE)
    spillover: float = 0.0
    congestion: float = 0.0
    noise: float = Field(default=0.0, ge=0, json_schema_extra=NOT_NEGATIVE)
    discount: float = Field(gt=0, json_schema_extra=POSITIVE)
    moving_cost: float = Field(gt=0, json_schema_extra=POSITIVE)
    dynamics: Literal["gradient", "replicator"] = "gradient"
    horizon: float = Field(gt=0, json_schema_extra=POSITIVE)
    cells: int = Field(default=64, ge=4, json_schema_extra={"allowed": "a whole number >= 4"})
    steps: int = Field(default=64, ge=2, json_schema_extra={"allowed": "an even whole number >= 2"})
    initial: tuple[float, ...] | Profile

    @field_validator("initial", mode="before")
    @classmethod
    def _checked_initial(cls, given: Any) -> Any:
        if isinstance(given, list | tuple | np.ndarray):
            return tuple(
                finite(f"initial[{k}]", value, "a finite number > 0") for k, value in enumerate(given)
            )
        if isinstance(given, Profile):
            return given
        return read_kind("initial", given, _PROFILES, "; or a list of densities > 0")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.steps % 2:
            raise InputError("steps", self.steps, "an even whole number >= 2")
        start = self.start
        if len(start) != self.cells:
            raise InputError("initial", f"{len(start)} densities", f"one a cell, {self.cells}")
        if start.min() <= 0:
            raise InputError(f"initial[{int(start.argmin())}]", float(start.min()), "a finite number > 0")
        if abs(start.mean() - 1) > 1e-9:
            raise InputError("initial (mean)", float(start.mean()), "1, within 1e-9")
        return self

    # --- numbers -------------------------------------------------------------------------------

    @property
    def positions(self) -> Vector:
        """Angles x of the cells, (N,), in radians."""
        return 2 * np.pi * np.arange(self.cells) / self.cells

    @property
    def times(self) -> Vector:
        """The tabulated times, (steps + 1,)."""
        return np.linspace(0.0, self.horizon, self.steps + 1)

    @cached_property
    def start(self) -> Vector:
        """The density μ at time 0, (N,)."""
        if isinstance(self.initial, tuple):
            return np.array(self.initial)
        wave = self.initial.over(self.positions)
        density: Vector = wave / wave.mean()
        return density

    @cached_property
    def kernel(self) -> Kernel:
        """K = e^{−(σ−1) τ d} on the ring."""
        return ring_kernel(self.cells, self.trade_cost_rate * self.power, 2 * np.pi * self.radius)

    @cached_property
    def economy(self) -> trade.TradeEconomy:
        """The numbers of the trade equilibrium."""
        return trade.trade_economy(
            self.variant, self.elasticity, self.cells, spillover=self.spillover, congestion=self.congestion
        )

    @property
    def speed(self) -> float:
        """Speed of adjustment, 1/(ρ c0)."""
        return 1 / (self.discount * self.moving_cost)

    @property
    def step(self) -> float:
        """Length of a cell, h."""
        return 2 * np.pi * self.radius / self.cells

    def rate(self, density: Vector, real_wage: Vector) -> Vector:
        """Return ∂_t μ, (N,), at a density and its real wages."""
        if self.dynamics == "replicator":
            return myopic.replicator_rate(density, real_wage, self.kernel.weights, self.speed)
        return myopic.gradient_rate(density, real_wage, self.step, self.noise, self.speed)

    # --- program -------------------------------------------------------------------------------

    def program(self) -> pyo.ConcreteModel:
        """Return the whole path as a square program, by implicit Euler over the tabulated times."""
        program = pyo.ConcreteModel(name="myopic-migration")
        program.times = pyo.RangeSet(1, self.steps)
        start = dict(enumerate(self.start.tolist()))
        program.density = pyo.Var(
            program.times,
            range(self.cells),
            initialize={(n, i): mu for n in program.times for i, mu in start.items()},
            bounds=(1e-9, None),
            doc="μ",
        )
        program.trade = pyo.Block(program.times)
        before: list[Any] = list(start.values())
        pace: dict[str, Any] = {"length": self.horizon / self.steps, "speed": self.speed}
        for n in program.times:
            after, block = [program.density[n, i] for i in range(self.cells)], program.trade[n]
            trade.add_trade_equilibrium(block, self.economy, self.kernel, after)
            trade.add_real_wage(block, self.economy, after)
            real = list(block.real_wage.values())
            moved = (block, before, after, real)
            if self.dynamics == "replicator":
                myopic.add_replicator_migration(*moved, weights=self.kernel.weights, **pace)
            else:
                myopic.add_gradient_migration(*moved, step=self.step, noise=self.noise, **pace)
            before = after
        program.nothing = pyo.Objective(expr=0.0, doc="a square program: nothing to choose")
        return program

    def read(self, program: pyo.ConcreteModel) -> dict[str, pd.DataFrame]:
        """Return the path that the program's steps give, from the first on; time 0 is not in it."""
        density = np.array([[program.density[n, i].value for i in range(self.cells)] for n in program.times])
        wage, real = (
            np.array(
                [[pyo.value(v) for v in getattr(program.trade[n], name).values()] for n in program.times]
            )
            for name in ("wage", "real_wage")
        )
        return self.tables(self.times[1:], density, wage, real)

    def tables(self, times: Vector, density: Vector, wage: Vector, real: Vector) -> dict[str, pd.DataFrame]:
        """Return the tables of a path; the arrays but `times` are (S, N)."""
        path = pd.DataFrame(
            {
                "time": np.repeat(times, self.cells),
                "x": np.tile(self.positions, len(times)),
                "density": density.ravel(),
                "wage": wage.ravel(),
                "real_wage": real.ravel(),
            }
        )
        concentration = pd.DataFrame({"time": times, "hhi": (density**2).mean(axis=1)})
        return {"path": path, "concentration": concentration}

    def expected_rows(self) -> dict[str, pd.DataFrame]:
        """Return what the rows of the path are about: the cells."""
        return {"path": pd.DataFrame({"x": self.positions})}

    def conditions(self, tables: Tables, tolerance: float) -> tuple[Condition, ...]:
        """Evaluate wages at every time and the law of motion from the tables."""
        return migration_conditions(self, tables, tolerance)
