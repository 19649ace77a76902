r"""Price formation in a mean-field game: the price at which a continuum of agents buys what is supplied.

Each agent chooses how fast to buy or sell an asset; agents meet only in the market. An equilibrium
price clears the market at every time while *every* agent is at a best reply among all replies, not
only among those near by. Source: arXiv 2506.04169, after Gomes & Saúde (2021).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import pyomo.environ as pyo
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator
from pyomo.core.expr.visitor import identify_variables

from agora.data.checks import InputError, finite, positive, whole
from agora.data.fields import POSITIVE
from agora.data.price_formation.laws_and_supply import InitialLaw, SupplyTree, as_initial_law, as_supply
from agora.data.price_formation.state_costs import QuadraticCost, StateCost, as_state_cost
from agora.formulations.price_formation import trajectories
from agora.models.certificate import Condition
from agora.models.model import Model, ModelCard
from agora.models.price_formation.conditions.market import trading_conditions
from agora.models.prices import price
from agora.models.table_spec import Column, TableSpec, columns
from agora.typing import Tables, Vector

Bounds = tuple[float | None, float | None]

_ASSET = Column("asset", kind="whole", optional="several assets")
_NODE = Column("node", kind="whole", optional="random supply")
_TIME, _COST = Column("time", "time"), "numéraire per agent"
_FLOW = "units of the asset per agent and time"

MARKET_TABLES: dict[str, TableSpec] = {
    "price": TableSpec(
        (
            *(_ASSET, _NODE, _TIME),
            Column("probability", "dimensionless", optional="random supply"),
            Column("price", "numéraire per unit of the asset"),
            Column("supply", _FLOW),
        ),
        key=("asset", "node", "time"),
    ),
    "paths": TableSpec(
        (
            *columns("agent", "path", kind="whole"),
            *(_ASSET, _NODE, _TIME),
            Column("state", "units of the asset per agent"),
            Column("control", _FLOW, missing="nobody trades at the horizon"),
            Column("weight", "mass of agents"),
        ),
        key=("agent", "path", "asset", "node", "time"),
    ),
    "totals": TableSpec(
        columns("population_cost", "trading_cost", "running_cost", "terminal_cost", "revenue", unit=_COST)
    ),
}
"""Tables of prices and of everybody's trades."""


class PriceFormation(Model):
    r"""A market in which agents trade an asset over time, at a price that clears it.

    .. math:: \min_a \int_0^T \tfrac{c_0}{2} a^2 + l(x) + \omega a \, dt + g(x(T)), \quad \dot x = a,
              \qquad \mathbb{E}[a(t)] = Q(t)

    in N left Euler steps of length h = T/N.

    Parameters
    ----------
    horizon : float
        T, in units of time.
    steps : int
        N.
    control_cost : float
        c₀, numéraire per (unit of the asset per unit of time)² and unit of time.
    agents : list, table, or InitialLaw
        The law of initial states, see `agora.data.price_formation.laws_and_supply.as_initial_law`.
    supply : table, list, callable, DiGraph, or SupplyTree
        Q, units of the asset per agent and unit of time, see
        `agora.data.price_formation.laws_and_supply.as_supply`.
    running, terminal : table, callable, or StateCost
        l (numéraire per unit of time) and g (numéraire), see `agora.data.price_formation.state_costs`. In
        Python also any function of a state that returns a Pyomo expression.
    state_bounds, control_bounds : (float or None, float or None), optional
        Limits of x after the start, and of a; for convex costs.

    Raises
    ------
    InputError
        One sentence that names the field, its value, and what is allowed; where bounds make clearing
        impossible, the first time at which it is.
    """

    unit_of: ClassVar[Mapping[str, str]] = {
        "horizon": "time",
        "control_cost": "numéraire × time per squared unit of the asset",
        "supply": "units of the asset per agent and time",
        "state_bounds": "units of the asset per agent",
        "control_bounds": "units of the asset per agent and time",
    }
    tables_spec: ClassVar[Mapping[str, TableSpec]] = MARKET_TABLES

    card: ClassVar[ModelCard] = ModelCard(
        name="price-formation",
        question="At which price does a continuum of agents buy what is supplied at every time?",
        program="convex quadratic for quadratic costs; nonconvex otherwise, convex once replies may be mixed",
        citation="A primal-dual price-optimization method for computing equilibrium prices in mean-field "
        "games models, arXiv 2506.04169",
        assumptions=("agents differ in their initial state only", "the cost of trading is quadratic"),
        left_out=("common noise other than random supply", "a price impact of single agents"),
    )

    horizon: float = Field(gt=0, json_schema_extra=POSITIVE)
    steps: int = Field(ge=1, json_schema_extra={"allowed": "a whole number >= 1"})
    control_cost: float = Field(default=1.0, gt=0, json_schema_extra=POSITIVE)
    agents: InitialLaw
    supply: SupplyTree
    running: StateCost = StateCost()
    terminal: StateCost = StateCost()
    state_bounds: Bounds = (None, None)
    control_bounds: Bounds = (None, None)

    @field_validator("agents", mode="before")
    @classmethod
    def _law(cls, given: Any) -> InitialLaw:
        return as_initial_law(given)

    @field_validator("running", "terminal", mode="before")
    @classmethod
    def _cost(cls, given: Any, info: Any) -> StateCost:
        return as_state_cost(str(info.field_name), given)

    @field_validator("state_bounds", "control_bounds", mode="before")
    @classmethod
    def _limits(cls, given: Any, info: Any) -> Bounds:
        allowed = '(lowest, highest) with lowest < highest, each a number or left out (None, or "none")'
        if not isinstance(given, list | tuple) or len(given) != 2:
            raise InputError(str(info.field_name), given, allowed)
        low, high = (
            None if v is None or v == "none" else finite(str(info.field_name), v, allowed) for v in given
        )
        if low is not None and high is not None and low >= high:
            raise InputError(str(info.field_name), given, allowed)
        return low, high

    @model_validator(mode="before")
    @classmethod
    def _sampled(cls, given: Any) -> Any:
        """Put supply on the grid of times, once horizon and steps are known to be sound."""
        if not isinstance(given, dict) or "supply" not in given:
            return given
        if "horizon" not in given or "steps" not in given:
            return {name: value for name, value in given.items() if name != "supply"}
        horizon, steps = positive("horizon", given["horizon"]), whole("steps", given["steps"], at_least=1)
        return {**given, "supply": as_supply(given["supply"], horizon, steps)}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        assets = len(self.supply.supplies[0])
        if max(self.supply.depths) + 1 != self.steps:
            allowed = f"one number a step, {self.steps}"
            raise InputError("supply", f"{max(self.supply.depths) + 1} steps", allowed)
        if self.agents.assets != assets:
            allowed = f"states of {assets}, as many as are supplied"
            raise InputError("agents", f"states of {self.agents.assets} assets", allowed)
        for name in ("running", "terminal"):
            cost = getattr(self, name)
            if isinstance(cost, QuadraticCost):
                given = (cost.weight, cost.target)
                if any(isinstance(v, tuple) and len(v) != assets for v in given):
                    raise InputError(name, given, f"weights and targets for {assets} assets")
            elif assets > 1 and not cost.absent:
                raise InputError(f"{name}.kind", cost.kind, "none or quadratic with several assets")
            if not self.supply.known and not cost.absent and not isinstance(cost, QuadraticCost):
                raise InputError(f"{name}.kind", cost.kind, "none or quadratic with random supply")
        if self.bounded and not self.convex:
            raise InputError("state_bounds, control_bounds", "given", "left out unless the costs are convex")
        self._check_clearing()
        return self

    def _check_clearing(self) -> None:
        """Raise `InputError` with the first time at which bounds keep the market from clearing."""
        if not self.bounded:
            return
        h, (low, high), (least, most) = self.step, self.control_bounds, self.state_bounds
        lowest, highest = -np.inf if least is None else least, np.inf if most is None else most
        slowest, fastest = -np.inf if low is None else low, np.inf if high is None else high
        supplies, depths, masses = self.supply.values, self.supply.depths, self.masses
        reach = {0: (self.starts, self.starts, masses @ self.starts)}  # lowest and highest states, their mean
        for place, node in list(enumerate(self.befores.tolist()))[1:]:
            bottom, top, mean = reach[node]
            for asset, amount in enumerate(supplies[node]):
                if not slowest - 1e-12 <= amount <= fastest + 1e-12:
                    raise InputError(
                        "control_bounds", self.control_bounds,
                        f"such that the market can clear: at time {depths[node] * h:g} the mean velocity "
                        f"must be {amount:g} (asset {asset + 1})",
                    )  # fmt: skip
            mean = mean + h * supplies[node]
            bottom, top = np.maximum(bottom + h * slowest, lowest), np.minimum(top + h * fastest, highest)
            reach[place] = bottom, top, mean
            bad = (mean < masses @ bottom - 1e-12) | (mean > masses @ top + 1e-12)
            if bad.any() or (bottom > top + 1e-12).any():
                raise InputError(
                    "state_bounds", self.state_bounds,
                    f"such that the market can clear: at time {(depths[node] + 1) * h:g} the mean state must "
                    "be " + ", ".join(f"{value:g}" for value in mean),
                )  # fmt: skip

    # --- numbers -------------------------------------------------------------------------------

    @property
    def step(self) -> float:
        """h = T/N, the length of a step."""
        return self.horizon / self.steps

    @property
    def bounded(self) -> bool:
        """Whether states or controls have limits."""
        return (*self.state_bounds, *self.control_bounds) != (None,) * 4

    @property
    def convex(self) -> bool:
        """Whether both costs are proved to be convex."""
        return self.running.convex and self.terminal.convex

    @property
    def quadratic(self) -> bool:
        """Whether both costs are quadratic or absent, and nothing is bounded."""
        costs = (self.running, self.terminal)
        return not self.bounded and all(c.absent or isinstance(c, QuadraticCost) for c in costs)

    @property
    def assets(self) -> int:
        """Number of assets."""
        return self.agents.assets

    @cached_property
    def starts(self) -> Vector:
        """Initial states (agents, assets)."""
        return np.array(self.agents.states)

    @cached_property
    def masses(self) -> Vector:
        """Masses of the agents (agents,), summing to one."""
        return np.array(self.agents.masses)

    @cached_property
    def times(self) -> Vector:
        """Time of every node (nodes,)."""
        return self.step * np.array(self.supply.depths, dtype=float)

    @cached_property
    def befores(self) -> NDArray[np.int64]:
        """The node before every place (nodes + ends,), −1 for the first."""
        parents = np.array(self.supply.parents)
        childless = np.setdiff1d(np.arange(len(parents)), parents)
        return np.concatenate([parents, childless])

    # --- programs ------------------------------------------------------------------------------

    def program(self) -> pyo.ConcreteModel:
        """Return the trajectory program: one reply an agent; convex if the costs are.

        With costs that are not convex its solutions are local: they clear the market, and an agent may
        still gain by a reply far away.
        """
        program = pyo.ConcreteModel(name="price formation: trajectories")
        self._trade(program, self.starts.tolist())
        masses = dict(enumerate(self.masses.tolist()))
        self._add_market(program, masses)
        return program

    def relaxed_program(self, agents: Sequence[int]) -> pyo.ConcreteModel:
        """Return the program in mixed replies: reply k is one of agent ``agents[k]``, and has a share.

        With enough replies of every agent its optimum is that of the convex problem over all mixtures of
        trajectories, and the price its multiplier; which replies are needed is what best replies tell.
        """
        missing = set(range(len(self.masses))) - set(agents)
        if missing:
            allowed = f"at least one reply of every agent, also of {min(missing)}"
            raise InputError("agents", list(agents), allowed)
        program = pyo.ConcreteModel(name="price formation: mixed replies")
        self._trade(program, [self.agents.states[agent] for agent in agents])
        trajectories.add_shares(program, agents, self.masses.tolist())
        self._add_market(program, program.share)
        return program

    def variational_program(
        self, agents: Sequence[int], costs: Sequence[float], purchases: Sequence[float]
    ) -> pyo.ConcreteModel:
        """Return the linear program in the price level P, for models whose only holding cost is terminal.

        Reply k belongs to ``agents[k]``, buys ``purchases[k]`` in all and costs ``costs[k]`` beyond what
        is paid for the asset.
        """
        if not self.running.absent or not self.supply.known or self.assets > 1 or self.bounded:
            allowed = "none, one asset and no bounds, for one price level to be enough"
            raise InputError("running", self.running.kind, allowed)
        program = pyo.ConcreteModel(name="price formation: the price")
        supplied = self.step * float(self.supply.values.sum())
        trajectories.add_price_cuts(program, agents, self.masses.tolist(), costs, purchases, supplied)
        return program

    def representative_program(self) -> pyo.ConcreteModel:
        """Return the trajectory program of one agent with the mean initial state, for quadratic costs.

        Agents enter a quadratic game through their mean only: its multipliers are the price for all.
        """
        if not self.quadratic:
            raise InputError("running, terminal", (self.running.kind, self.terminal.kind), "quadratic")
        mean = (self.masses @ self.starts)[None, :]
        program = pyo.ConcreteModel(name="price formation: the representative agent")
        self._trade(program, mean.tolist())
        self._add_market(program, {0: 1.0})
        return program

    def _trade(self, program: pyo.ConcreteModel, starts: Sequence[Sequence[float]]) -> None:
        trajectories.add_replies(
            program, starts, self.supply.parents, self.supply.probabilities, self.state_bounds,
            self.control_bounds,
        )  # fmt: skip
        trajectories.add_state_dynamics(program, self.step)

    def _add_market(self, program: pyo.ConcreteModel, masses: Any) -> None:
        """Add clearing and the cost of replies of these masses, numbers or variables."""
        costs = (self.step, self.control_cost, self.running, self.terminal)
        trajectories.add_clearing_balance(program, self.supply.supplies, masses)
        trajectories.add_population_cost(program, masses, *costs)

    def start_from(self, program: pyo.ConcreteModel, states: Vector, shares: Vector | None = None) -> None:
        """Start a program at trajectories (replies, assets, places)."""
        controls = self.controls(states)
        for reply, asset in ((k, j) for k in program.replies for j in program.assets):
            for place, value in enumerate(states[reply, asset - 1].tolist()):
                if place:
                    program.state[reply, asset, place].set_value(value, skip_validation=True)
            for node, value in enumerate(controls[reply, asset - 1].tolist()):
                program.control[reply, asset, node].set_value(value, skip_validation=True)
        if shares is not None:
            for reply, value in enumerate(shares.tolist()):
                program.share[reply].set_value(value)

    def controls(self, states: Vector) -> Vector:
        """Return velocities (…, nodes) of trajectories (…, places)."""
        nodes = len(self.supply.parents)
        after = np.empty(nodes, dtype=int)
        places = np.arange(1, len(self.befores))
        after[self.befores[1:]] = places  # any place after a node tells its velocity
        return (states[..., after] - states[..., :nodes]) / self.step

    # --- reading -------------------------------------------------------------------------------

    def read(self, program: pyo.ConcreteModel) -> dict[str, pd.DataFrame]:
        """Return ``price``, ``paths``, ``totals`` of a solved trajectory or mixed-reply program."""
        chance, assets = np.array(self.supply.probabilities), range(1, self.assets + 1)
        nodes = range(len(chance))
        prices = np.array(
            [[-price(program, program.clearing_balance[j, v]) for v in nodes] for j in assets]
        ) / (self.step * chance)
        states = np.array(
            [
                [[float(program.state[k, j, p].value) for p in program.moments] for j in assets]
                for k in program.replies
            ]
        )
        if program.component("share") is None:
            return self.tables(prices, states, np.arange(len(states)), self.masses)
        shares = np.array([float(program.share[k].value) for k in program.replies])
        owner = {
            id(share): agent
            for agent in program.traders
            for share in identify_variables(program.share_balance[agent].body)
        }
        agents = np.array([owner[id(program.share[k])] for k in program.replies])
        return self.tables(prices, states, agents, shares)

    def tables(
        self, prices: Vector, states: Vector, agents: NDArray[np.int64], masses: Vector
    ) -> dict[str, pd.DataFrame]:
        """Return the tables of prices (assets, nodes) and replies: states (replies, assets, places).

        In ``paths`` an agent with a mixed reply has several paths; `weight` is the mass of agents on a
        path, and at the horizon, where nobody trades, the control is missing. With several assets both
        tables have a column ``asset``, with random supply a column ``node``.
        """
        nodes, replies = len(self.supply.parents), len(states)
        controls = self.controls(states)
        places, assets = states.shape[2], self.assets
        depth = np.array(self.supply.depths)
        time = self.step * np.concatenate([depth, depth[self.befores[nodes:]] + 1])
        path = np.zeros(replies, dtype=int)
        for k in range(1, replies):
            path[k] = path[k - 1] + 1 if agents[k] == agents[k - 1] else 0
        padded = np.concatenate([controls, np.full((*controls.shape[:2], places - nodes), np.nan)], axis=2)
        per_row = assets * places
        paths: dict[str, NDArray[Any]] = {
            "agent": np.repeat(agents, per_row),
            "path": np.repeat(path, per_row),
            "asset": np.tile(np.repeat(np.arange(1, assets + 1), places), replies),
            "node": np.tile(np.arange(places), replies * assets),
            "time": np.tile(time, replies * assets),
            "state": states.ravel(),
            "control": padded.ravel(),
            "weight": np.repeat(masses, per_row),
        }
        listed: dict[str, NDArray[Any]] = {
            "asset": np.repeat(np.arange(1, assets + 1), nodes),
            "node": np.tile(np.arange(nodes), assets),
            "time": np.tile(self.times, assets),
            "probability": np.tile(self.supply.probabilities, assets),
            "price": prices.ravel(),
            "supply": self.supply.values.T.ravel(),
        }
        hidden = ([] if assets > 1 else ["asset"]) + (["node", "probability"] if self.supply.known else [])
        totals = self._totals(prices, states, controls, masses)
        return {
            "price": pd.DataFrame({k: v for k, v in listed.items() if k not in hidden}),
            "paths": pd.DataFrame({k: v for k, v in paths.items() if k not in hidden}),
            "totals": totals,
        }

    def _totals(self, prices: Vector, states: Vector, controls: Vector, masses: Vector) -> pd.DataFrame:
        nodes = len(self.supply.parents)
        chance = np.array(self.supply.probabilities)
        ends = chance[self.befores[nodes:]]
        trading = self.step * self.control_cost / 2 * ((controls**2).sum(axis=1) @ chance)
        held = self.step * self._holding(self.running, states[..., :nodes]) @ chance
        final = self._holding(self.terminal, states[..., nodes:]) @ ends
        return pd.DataFrame(
            {
                "population_cost": [float(masses @ (trading + held + final))],
                "trading_cost": [float(masses @ trading)],
                "running_cost": [float(masses @ held)],
                "terminal_cost": [float(masses @ final)],
                "revenue": [float(self.step * ((prices * self.supply.values.T).sum(axis=0) @ chance))],
            }
        )

    def _holding(self, cost: StateCost, states: Vector) -> Vector:
        """Return a cost of states (replies, assets, places) as (replies, places)."""
        if cost.absent:
            return np.zeros((states.shape[0], states.shape[2]))
        if isinstance(cost, QuadraticCost):
            away = states - cost.targets(self.assets)[None, :, None]
            held: Vector = np.einsum("kip,ij,kjp->kp", away, cost.matrix(self.assets), away) / 2
            return held
        return cost.value(states[:, 0, :])

    def expected_tables(self) -> dict[str, TableSpec]:
        """Return the tables, with columns for assets and nodes where there are several."""
        having = {"asset"} if self.assets > 1 else set()
        having |= set() if self.supply.known else {"node", "probability"}
        tables = {name: spec.narrowed(having) for name, spec in self.tables_spec.items()}
        if self.supply.known:
            return tables
        keys = {name: tuple(k for k in spec.key if k != "time") for name, spec in tables.items()}
        return {name: replace(spec, key=keys[name]) for name, spec in tables.items()}  # a node has its time

    def expected_rows(self) -> dict[str, pd.DataFrame]:
        """Return what the rows are about: nodes (or times) of every asset, on every path places too."""
        places, nodes = len(self.befores), len(self.times)
        every = {"price": nodes, "paths": places}
        assets, rows = np.arange(1, self.assets + 1), {}
        for name, count in every.items():
            steps = "time" if self.supply.known else "node"
            when = self.step * np.arange(count) if self.supply.known else np.arange(count)
            frame = pd.DataFrame({"asset": np.repeat(assets, count), steps: np.tile(when, len(assets))})
            rows[name] = frame if self.assets > 1 else frame[[steps]]
        return rows

    def conditions(self, tables: Tables, tolerance: float = 1e-6) -> tuple[Condition, ...]:
        """Evaluate clearing and every agent's gain from a best reply, from the tables alone."""
        return trading_conditions(self, tables, tolerance)
