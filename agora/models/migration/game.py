r"""Workers who foresee and move: a trade equilibrium at every instant inside a mean-field game.

What games on a racetrack, a torus and a road network share (Bahlali, Boucekkine & Petit 2026): a worker's
value runs backward in time, the density of workers forward, wages clear at every instant. One square program,
objective 0. The spaces are in `agora.models.migration.spatial_game` and `agora.models.migration.graph_game`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
import pyomo.environ as pyo
from pydantic import Field, JsonValue, field_validator, model_validator

from agora.data.checks import InputError, finite
from agora.data.fields import NOT_NEGATIVE, POSITIVE, Fields
from agora.formulations.migration import mean_field, trade
from agora.formulations.migration.kernels import DenseKernel, Kernel
from agora.models.certificate import Condition
from agora.models.migration.conditions.game import Space, game_conditions
from agora.models.migration.tables import GAME_TABLES, UNITS_OF_MOVES, concentration_table
from agora.models.model import Model
from agora.models.table_spec import TableSpec
from agora.typing import Tables, Vector

SHARE: dict[str, JsonValue] = {"allowed": "a number from 0 to 1"}
HORIZON = "a finite number > 0, 'stationary' or 'infinite'"


class MeanFieldGame(Model):
    """A game of moving workers with wages from trade; the parameters common to all spaces.

    Parameters
    ----------
    variant : str
        ``krugman``, ``armington`` or ``eaton-kortum``.
    elasticity : float
        σ > 1, or θ > 0 for ``eaton-kortum``.
    trade_cost_rate : float
        τ ≥ 0: goods shipped over a distance d cost e^{τd}; per unit of length.
    trade_cost_share : float
        s in [0, 1]: of what trade costs add, the share that is charged, 1 + s(e^{τd} − 1); 1 unless given.
    noise : float
        ν ≥ 0, of shocks that move workers; length² per time.
    discount : float
        ρ > 0, per time.
    moving_cost : float
        c0 > 0, real wage × time³ / length² of squared speed.
    horizon : float, "stationary" or "infinite"
        T > 0 in the unit of time; a stationary equilibrium; or a path to one.
    steps : int
        Periods of the horizon; of each doubling of it if infinite.
    first_horizon : float, optional
        First T of an infinite horizon, before it is doubled; 5/ρ unless given.
    time_scheme : str
        ``implicit-euler`` (first order, monotone) or ``trapezoid`` (second order).
    spillover, congestion : float
        α and β: productivity Ā μ^α, amenity B̄ μ^{−β}.
    kernel : str
        ``sparse`` or ``dense``: how the trade kernel enters the program; the numbers are the same.
    smoothing : float
        ε > 0 of the monotone scheme, in units of value.
    turnpike : float
        How far an infinite horizon's path may end from rest, and move when its horizon is doubled.
    """

    unit_of: ClassVar[Mapping[str, str]] = {**UNITS_OF_MOVES, "first_horizon": "time"}
    tables_spec: ClassVar[Mapping[str, TableSpec]] = GAME_TABLES

    variant: Literal["krugman", "armington", "eaton-kortum"] = "krugman"
    elasticity: float = Field(gt=0, json_schema_extra=POSITIVE)
    trade_cost_rate: float = Field(ge=0, json_schema_extra=NOT_NEGATIVE)
    trade_cost_share: float = Field(default=1.0, ge=0, le=1, json_schema_extra=SHARE)
    noise: float = Field(ge=0, json_schema_extra=NOT_NEGATIVE)
    discount: float = Field(gt=0, json_schema_extra=POSITIVE)
    moving_cost: float = Field(gt=0, json_schema_extra=POSITIVE)
    horizon: float | Literal["stationary", "infinite"] = Field(json_schema_extra={"allowed": HORIZON})
    steps: int = Field(default=64, ge=1, json_schema_extra={"allowed": "a whole number >= 1"})
    first_horizon: float | None = Field(default=None, gt=0, json_schema_extra=POSITIVE)
    time_scheme: Literal["implicit-euler", "trapezoid"] = "implicit-euler"
    spillover: float = 0.0
    congestion: float = 0.0
    kernel: Literal["sparse", "dense"] = "sparse"
    smoothing: float = Field(default=1e-6, gt=0, json_schema_extra=POSITIVE)
    turnpike: float = Field(default=1e-4, gt=0, json_schema_extra=POSITIVE)

    @field_validator("horizon", mode="before")
    @classmethod
    def _horizon(cls, given: Any) -> Any:
        if given in ("stationary", "infinite"):
            return given
        if finite("horizon", given, HORIZON) <= 0:
            raise InputError("horizon", given, HORIZON)
        return float(given)

    @model_validator(mode="after")
    def _common(self) -> Self:
        if self.variant != "eaton-kortum" and self.elasticity <= 1:
            raise InputError("elasticity", self.elasticity, "a finite number > 1 (σ), for " + self.variant)
        if self.noise == 0 and (self.rates != "upwind" or self.horizon in ("stationary", "infinite")):
            allowed = "a finite number > 0; 0 goes with the upwind scheme and a finite horizon only"
            raise InputError("noise", 0.0, allowed)
        return self

    # --- the space, by subclass ----------------------------------------------------------------

    @property
    @abstractmethod
    def arcs(self) -> mean_field.Arcs:
        """Where workers may move."""

    @property
    @abstractmethod
    def trade_kernel(self) -> Kernel:
        """The kernel K(o, d) = (1 + s(e^{τd} − 1))^{1−σ} in its sparse form."""

    @property
    @abstractmethod
    def space(self) -> Space:
        """Distances and moves as dense matrices, for the definition of equilibrium."""

    @property
    @abstractmethod
    def rates(self) -> Literal["upwind", "central", "exponential"]:
        """How the gain from moving turns into a rate."""

    @property
    @abstractmethod
    def technology(self) -> mean_field.Technology:
        """The algebra of `rates`."""

    @property
    @abstractmethod
    def initial_density(self) -> Vector:
        """Return μ⁰, (N,)."""

    @property
    def directions(self) -> list[Vector]:
        """The ways a stationary equilibrium could turn without change; none unless the cells are alike."""
        return []

    @property
    @abstractmethod
    def levels(self) -> tuple[Vector, Vector]:
        """Productivity Ā (T for Eaton–Kortum) and amenity B̄ of the cells, (N,) each."""

    @property
    @abstractmethod
    def places(self) -> pd.DataFrame:
        """The columns that name the cells in the tables."""

    # --- numbers -------------------------------------------------------------------------------

    @cached_property
    def economy(self) -> trade.TradeEconomy:
        """The static layer's numbers."""
        productivity, amenity = self.levels
        return trade.trade_economy(
            self.variant,
            self.elasticity,
            self.arcs.number,
            productivity=productivity,
            amenity=amenity,
            spillover=self.spillover,
            congestion=self.congestion,
        )

    @property
    def trade_elasticity(self) -> float:
        """σ − 1, or θ."""
        return self.elasticity if self.variant == "eaton-kortum" else self.elasticity - 1.0

    def freeness(self, distances: Vector) -> Vector:
        """Return K(o, d) of distances: (1 + s(e^{τd} − 1))^{1−σ}."""
        costs = 1.0 + self.trade_cost_share * np.expm1(self.trade_cost_rate * distances)
        return costs**-self.trade_elasticity

    @cached_property
    def kernel_form(self) -> Kernel:
        """The kernel as it enters the program."""
        kernel = self.trade_kernel
        return kernel if self.kernel == "sparse" else DenseKernel(kernel.dense(), kernel.weights)

    def period_lengths(self, doublings: int = 0) -> Vector:
        """Return the lengths of the periods (Δt): equal up to T, and doubled for each doubling of it."""
        if isinstance(self.horizon, float):
            return np.full(self.steps, self.horizon / self.steps)
        first = self.first_horizon or 5.0 / self.discount
        longer = [1.0, *(2.0**k for k in range(doublings))]
        return np.repeat(first * np.array(longer) / self.steps, self.steps)

    @cached_property
    def initial_real_wage(self) -> Vector:
        """V of the initial density, (N,)."""
        return trade.solve_wages(self.economy, self.trade_kernel, self.initial_density).real_wage

    def cautions(self) -> list[str]:
        """Return what a user should know before an answer is trusted, one sentence each."""
        return []

    def branch_value(self, parameter: str) -> float:
        """Return a number of the model that a branch can be followed in, dotted for tables.

        Raises `InputError` if there is no such number.
        """
        number: Any = self
        for name in parameter.split("."):
            number = getattr(number, name, None) if isinstance(number, Fields) else None
        if isinstance(number, bool) or not isinstance(number, int | float):
            numbers = [n for n in type(self).model_fields if isinstance(getattr(self, n), float)]
            allowed = f"a number of the model: {', '.join(numbers)}"
            raise InputError("continuation.parameter", parameter, allowed)
        return float(number)

    # --- programs ------------------------------------------------------------------------------

    def program(self) -> pyo.ConcreteModel:
        """Return the square program of the horizon: a path, a stationary equilibrium, or a path to one.

        Objective 0. Paths start at the initial density for ever, and at the value of the real wage it
        gives; a stationary equilibrium starts there too. `start` sets another start.
        """
        if self.horizon == "stationary":
            return self.rest_program()
        return self.path_program(self.period_lengths(doublings=1))

    def rest_program(self) -> pyo.ConcreteModel:
        """Return the program of a stationary equilibrium."""
        program = pyo.ConcreteModel(name=self.card.name)
        self._add_rest(program)
        program.nothing = pyo.Objective(expr=0.0, doc="a system of equations")
        return program

    def path_program(self, steps: Vector) -> pyo.ConcreteModel:
        """Return the program of a path with periods of the lengths `steps`.

        For an infinite horizon it holds a block ``rest``, the stationary equilibrium where it ends.
        """
        program, count = pyo.ConcreteModel(name=self.card.name), self.arcs.number
        lengths = steps.tolist()
        mean_field.add_times(program, lengths, count)
        mean_field.add_values_and_densities(program, self.initial_density, np.zeros(count))
        if self.horizon == "infinite":
            program.rest = pyo.Block(doc="the stationary equilibrium at the end")
            self._add_rest(program.rest)
            mean_field.add_terminal_value(program, program.rest)
        trapezoid = self.time_scheme == "trapezoid"
        add_moving = (
            mean_field.add_moving_rates_midpoint if trapezoid else mean_field.add_moving_rates_implicit
        )
        add_moving(program, self.arcs, self.technology)
        program.instant = pyo.Block(program.times, doc="the trade equilibrium of each time")
        real_wage: dict[tuple[int, int], Any] = {}
        for time in program.times:
            block = program.instant[time]
            self._add_wages(block, [program.density[time, cell] for cell in program.cells])
            real_wage.update(((time, cell), block.real_wage[cell]) for cell in program.cells)
        add_values = (
            mean_field.add_value_balance_trapezoid if trapezoid else mean_field.add_value_balance_implicit
        )
        add_values(program, self.arcs, lengths, self.discount, real_wage)
        add_densities = (
            mean_field.add_density_balance_trapezoid if trapezoid else mean_field.add_density_balance_implicit
        )
        add_densities(program, self.arcs, lengths)
        program.nothing = pyo.Objective(expr=0.0, doc="a system of equations")
        self.start(program)
        return program

    def _add_wages(self, block: pyo.Block, density: list[Any]) -> None:
        given = [float(mu.value) if mu.fixed else mu for mu in density]
        trade.add_trade_equilibrium(block, self.economy, self.kernel_form, given)
        trade.add_real_wage(block, self.economy, given)

    def _add_rest(self, block: pyo.Block) -> None:
        mean_field.add_rest(block, self.arcs.number)
        for cell, mu in zip(block.cells, self.initial_density.tolist(), strict=True):
            block.density[cell].set_value(mu)
            block.value[cell].set_value(float(self.initial_real_wage.mean()) / self.discount)
        mean_field.add_moving_rates_at_rest(block, self.arcs, self.technology)
        block.instant = pyo.Block(doc="the trade equilibrium")
        self._add_wages(block.instant, list(block.density.values()))
        if self.directions:
            mean_field.add_position(block, self.directions)
        mean_field.add_value_balance_at_rest(block, self.arcs, self.discount, block.instant.real_wage)
        mean_field.add_density_balance_at_rest(block, self.arcs)

    def start(
        self,
        program: pyo.ConcreteModel,
        density: Vector | None = None,
        value: Vector | None = None,
        wages: Vector | None = None,
    ) -> None:
        """Start a path's program at a density and a value (times, cells); wages follow from the density.

        Without a density: the initial one for ever; without a value: that of its average real wage.
        `wages` (times, cells) are where the trade equilibria start, 1 unless given.
        """
        times, cells = list(program.times), list(program.cells)
        steps = self._lengths_of(program)
        mu = np.tile(self.initial_density, (len(times), 1)) if density is None else density
        if value is None:
            left = steps[::-1].cumsum()[::-1]
            far = 0.0 if self.horizon == "infinite" else 1.0
            perpetuity = float(self.arcs.weights @ self.initial_real_wage) / self.discount
            fade = np.append(1 - far * np.exp(-self.discount * left), 1.0 - far)
            value = np.tile((perpetuity * fade)[:, None], (1, len(cells)))
        for k, time in enumerate(times):
            for cell in cells:
                if not program.value[time, cell].fixed:
                    program.value[time, cell].set_value(float(value[k, cell]))
                if not program.density[time, cell].fixed:
                    program.density[time, cell].set_value(float(mu[k, cell]))
            now = [program.density[time, cell] for cell in cells]
            w = None if wages is None else wages[k]
            trade.start_trade(program.instant[time], self.economy, self.kernel_form, now, w)

    def start_rest(
        self, block: pyo.Block, density: Vector, value: Vector | None = None, wages: Vector | None = None
    ) -> None:
        """Start a stationary program at a density and a value (N,); wages follow from the density."""
        for cell, mu in zip(block.cells, density.tolist(), strict=True):
            block.density[cell].set_value(mu)
            if value is not None:
                block.value[cell].set_value(float(value[cell]))
        trade.start_trade(block.instant, self.economy, self.kernel_form, list(block.density.values()), wages)

    def _lengths_of(self, program: pyo.ConcreteModel) -> Vector:
        """Return the periods' lengths of a program of this model, whatever its doublings."""
        if isinstance(self.horizon, float):
            return self.period_lengths()
        return self.period_lengths(doublings=len(program.periods) // self.steps - 1)

    # --- reading -------------------------------------------------------------------------------

    def read(self, program: pyo.ConcreteModel) -> dict[str, pd.DataFrame]:
        """Return ``path`` and ``concentration`` of a solved program, and ``rest`` of an infinite horizon."""
        if self.horizon == "stationary":
            path = self._rows(program, program.instant, 0.0, list(program.cells))
            return self._tables(path)
        ends = np.concatenate([[0.0], np.cumsum(self._lengths_of(program))]).tolist()
        rows = []
        for time, clock in zip(program.times, ends, strict=True):
            keys = [(time, cell) for cell in program.cells]
            rows.append(self._rows(program, program.instant[time], clock, keys))
        tables = self._tables(pd.concat(rows, ignore_index=True))
        if self.horizon == "infinite":
            rest = program.rest
            tables["rest"] = self._rows(rest, rest.instant, ends[-1], list(rest.cells))
        return tables

    def _rows(self, block: pyo.Block, instant: pyo.Block, clock: float, keys: list[Any]) -> pd.DataFrame:
        rows = self.places.copy()
        rows.insert(0, "time", clock)
        rows["density"] = [float(block.density[key].value) for key in keys]
        rows["value"] = [float(block.value[key].value) for key in keys]
        rows["wage"] = [float(wage.value) for wage in instant.wage.values()]
        rows["real_wage"] = [float(pyo.value(real)) for real in instant.real_wage.values()]
        return rows

    def _tables(self, path: pd.DataFrame) -> dict[str, pd.DataFrame]:
        return {"path": path, "concentration": concentration_table(self, path)}

    def expected_tables(self) -> dict[str, TableSpec]:
        """Return the tables, with the columns that name this space's cells and the rest of its horizon."""
        infinite = self.horizon == "infinite"
        having = {*self.places.columns, *(["moved"] if infinite else [])}
        narrowed = {name: spec.narrowed(having) for name, spec in self.tables_spec.items()}
        given = {name: self.tables_spec[name].optional for name in ("branch", "branches")}
        narrowed |= {name: replace(narrowed[name], optional=when) for name, when in given.items()}
        if not infinite:
            del narrowed["rest"]
        return narrowed

    def expected_rows(self) -> dict[str, pd.DataFrame]:
        """Return what the rows of the tables are about: the cells."""
        return {"path": self.places, "rest": self.places}

    def conditions(self, tables: Tables, tolerance: float = 1e-6) -> tuple[Condition, ...]:
        """Evaluate the definition of equilibrium from the tables alone, exploitability included."""
        return game_conditions(self, tables, tolerance)
