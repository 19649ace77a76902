r"""Trade between locations with given people: Krugman, Armington and Eaton–Kortum in one model.

The static layer of Bahlali, Boucekkine & Petit (2026): wages at which every location sells what it earns, for
iceberg costs from a matrix, a table, or a rate on a geography.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import networkx as nx
import numpy as np
import pandas as pd
import pyomo.environ as pyo
from numpy.typing import ArrayLike
from pydantic import Field, JsonValue, field_validator, model_validator
from scipy.sparse.csgraph import connected_components

from agora.data.checks import MISSING, InputError, finite
from agora.data.fields import kinds, read_kind
from agora.data.frozen_geographies import frozen_geography, given_geography
from agora.data.geographies import CellNetwork
from agora.data.migration import TradeRate, TradeTable, as_trade_costs, read_trade_costs
from agora.data.profiles import Cosine
from agora.formulations.migration import trade
from agora.formulations.migration.kernels import DenseKernel, Kernel, ring_kernel, torus_kernel
from agora.models.certificate import Condition
from agora.models.migration.conditions.trade import trade_conditions
from agora.models.migration.tables import TRADE_TABLES
from agora.models.model import Model, ModelCard
from agora.models.table_spec import TableSpec
from agora.typing import Tables, Vector

MOST_PAIRS = 2500
"""Pairs of locations up to which the table ``trade`` lists every flow."""

_NUMBERS: dict[str, JsonValue] = {"allowed": "a number > 0, or one a location"}


class TradeModel(Model):
    """What models of trade share beside `MeanFieldGame`: whose varieties are traded, and how elastically."""

    variant: Literal["krugman", "armington", "eaton-kortum"] = "krugman"
    elasticity: float = Field(
        gt=0, json_schema_extra={"allowed": "a finite number > 1 (> 0 for eaton-kortum)"}
    )

    @model_validator(mode="after")
    def _elastic(self) -> Self:
        if self.variant != "eaton-kortum" and self.elasticity <= 1:
            raise InputError("elasticity", self.elasticity, f"a finite number > 1 for {self.variant} (σ)")
        return self

    @property
    def power(self) -> float:
        """The trade elasticity σ − 1, or θ."""
        return self.elasticity - (self.variant != "eaton-kortum")


class SpatialTrade(TradeModel):
    """An economy whose locations trade at iceberg costs, with the people of each given.

    Parameters
    ----------
    variant : str
        ``krugman`` (χ = 1: varieties in proportion to people), ``armington`` or ``eaton-kortum`` (χ = 0).
    elasticity : float
        σ > 1; θ > 0 for ``eaton-kortum``.
    trade_cost : matrix, {rate} or {file, sheet}
        τ(o, d) ≥ 1, rows origins, columns destinations, within locations too; or e^{rate · distance}
        on the geography; or a table (CSV, Parquet, XLSX) with the columns origin, destination, cost.
    population : sequence of float or {kind = "cosine", amplitude, mode}, optional
        Density μ > 0 of people with respect to `weights`, Σ μ m = 1; uniform unless given. A wave
        1 + amplitude · cos(mode · 2πi/N) needs a geography of kind circle.
    weights : sequence of float, optional
        Base measure m > 0; 1 each unless given, with a geography its land as shares.
    productivity, amenity : float or sequence of float
        Ā (T for ``eaton-kortum``) and B̄, > 0.
    spillover, congestion : float
        α and β: productivity is Ā μ^α, amenity B̄ μ^{−β}.
    geography : networkx.Graph, optional
        Needed for a rate.

    Raises
    ------
    InputError
        One sentence that names the field, its value, and what is allowed.
    """

    unit_of: ClassVar[Mapping[str, str]] = {"population": "people per unit of the base measure"}
    tables_spec: ClassVar[Mapping[str, TableSpec]] = TRADE_TABLES

    card: ClassVar[ModelCard] = ModelCard(
        name="spatial-trade",
        question="What are wages and real wages where, given who lives where?",
        program="square: 6N + 1 equations and unknowns, each row sparse; objective 0",
        citation="Bahlali, M., R. Boucekkine and Q. Petit (2026), When Lasry-Lions meet Krugman: "
        "a mean-field game theory of spatial dynamics (slides)",
        assumptions=("iceberg costs", "CES demand or Fréchet productivities", "one factor, labour"),
        left_out=("migration (see spatial-game, myopic-migration)", "land", "intermediate goods"),
    )

    trade_cost: tuple[tuple[float, ...], ...] | TradeRate
    population: tuple[float, ...] | None = None
    weights: tuple[float, ...] | None = None
    productivity: float | tuple[float, ...] = Field(default=1.0, json_schema_extra=_NUMBERS)
    amenity: float | tuple[float, ...] = Field(default=1.0, json_schema_extra=_NUMBERS)
    spillover: float = 0.0
    congestion: float = 0.0
    geography: nx.Graph | None = None
    locations: tuple[str, ...] | None = None

    @model_validator(mode="before")
    @classmethod
    def _read(cls, given: Any) -> Any:
        """Turn a table of costs into a matrix and names, and a wave into a density."""
        if not isinstance(given, Mapping):
            return given
        fields = dict(given)
        costs = fields.get("trade_cost", MISSING)
        if costs is not MISSING:
            costs = as_trade_costs("trade_cost", costs)
            if isinstance(costs, TradeTable):
                names, costs = read_trade_costs(costs)
                fields.setdefault("locations", names)
            fields["trade_cost"] = costs
        if isinstance(fields.get("population"), Mapping):
            fields["population"] = _wave(fields["population"], fields.get("geography"))
        for name in ("population", "weights", "productivity", "amenity"):
            if isinstance(fields.get(name), list | tuple | np.ndarray):
                numbers = enumerate(fields[name])
                fields[name] = tuple(finite(f"{name}[{k}]", v, "a finite number > 0") for k, v in numbers)
        return fields

    @field_validator("geography", mode="before")
    @classmethod
    def _checked_geography(cls, given: Any) -> Any:
        return None if given is None else given_geography(given)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if isinstance(self.trade_cost, TradeRate) and self.network is None:
            raise InputError("geography", MISSING, "given when trade_cost is a rate")
        number = self.number
        if self.network is not None and self.network.number != number:
            allowed = f"a matrix with a row for each of the geography's {self.network.number} cells"
            raise InputError("trade_cost", f"{number} rows", allowed)
        if self.locations is not None and len(set(self.locations)) != number:
            raise InputError("locations", list(self.locations), f"{number} different names")
        for name in ("population", "weights", "productivity", "amenity"):
            given = getattr(self, name)
            entries = given if isinstance(given, tuple) else (given,) * number
            if len(entries) != number:
                raise InputError(name, list(entries), f"a list of {number} numbers, one a location")
            for location, entry in enumerate(entries):
                if entry is not None and entry <= 0:
                    field = f"{name}[{location}]" if isinstance(given, tuple) else name
                    raise InputError(field, entry, "a finite number > 0")
        people = float(self.density @ self.base_weights)
        if abs(people - 1) > 1e-9:
            allowed = "1, within 1e-9: shares of the world's people"
            raise InputError("population · weights (sum)", people, allowed)
        if connected_components(self.freeness > 0, directed=True, connection="strong")[0] > 1:
            raise InputError(
                "trade_cost",
                f"up to {self.costs.max():.3g}",
                "low enough that no location is cut off: τ^(1-σ) is zero in floating point",
            )
        return self

    # --- numbers -------------------------------------------------------------------------------

    @cached_property
    def network(self) -> CellNetwork | None:
        """The geography as arrays, if there is one."""
        return None if self.geography is None else frozen_geography(self.geography).network

    @property
    def number(self) -> int:
        """N, number of locations."""
        if not isinstance(self.trade_cost, TradeRate):
            return len(self.trade_cost)
        assert self.network is not None
        return self.network.number

    @property
    def names(self) -> tuple[object, ...]:
        """Names of the locations: given, the geography's cells, or 0 … N − 1."""
        if self.locations is not None:
            return self.locations
        return tuple(range(self.number)) if self.network is None else self.network.cells

    @cached_property
    def costs(self) -> Vector:
        """τ(o, d), (N, N), rows origins, columns destinations."""
        if isinstance(self.trade_cost, TradeRate):
            assert self.network is not None
            return np.exp(self.trade_cost.rate * self.network.distances)
        return np.array(self.trade_cost)

    @cached_property
    def freeness(self) -> Vector:
        """K(o, d) = τ(o, d)^{1−σ}, (N, N)."""
        return self.costs**-self.power

    @cached_property
    def base_weights(self) -> Vector:
        """The base measure m, (N,)."""
        if self.weights is not None:
            return np.array(self.weights)
        if self.network is None:
            return np.ones(self.number)
        shares: Vector = self.network.land / self.network.land.sum()
        return shares

    @cached_property
    def density(self) -> Vector:
        """The density μ of people with respect to m, (N,)."""
        if self.population is not None:
            return np.array(self.population)
        return np.full(self.number, 1 / float(self.base_weights.sum()))

    @property
    def productivities(self) -> Vector:
        """Ā (T for Eaton–Kortum), (N,)."""
        return np.broadcast_to(np.array(self.productivity, dtype=float), (self.number,))

    @property
    def amenities(self) -> Vector:
        """B̄, (N,)."""
        return np.broadcast_to(np.array(self.amenity, dtype=float), (self.number,))

    @cached_property
    def economy(self) -> trade.TradeEconomy:
        """The numbers of the trade equilibrium."""
        return trade.trade_economy(
            self.variant,
            self.elasticity,
            self.number,
            productivity=self.productivities,
            amenity=self.amenities,
            spillover=self.spillover,
            congestion=self.congestion,
        )

    @cached_property
    def dense_kernel(self) -> DenseKernel:
        """K(o, d) with the base measure, number by number."""
        return DenseKernel(self.freeness, self.base_weights)

    @cached_property
    def kernel(self) -> Kernel:
        """The sparsest exact form: recurrences for a rate on a circle or torus of equal cells, or dense."""
        candidate = self._regular_kernel()
        if candidate is None or not np.allclose(self.base_weights, candidate.weights, rtol=1e-13, atol=0):
            return self.dense_kernel
        same = np.allclose(candidate.dense(), self.freeness, rtol=1e-11, atol=1e-300)
        return candidate if same else self.dense_kernel

    def _regular_kernel(self) -> Kernel | None:
        """Return what the kernel would be if the cells were in the order of the constructor."""
        network, cost = self.network, self.trade_cost
        if network is None or not isinstance(cost, TradeRate) or cost.rate == 0 or self.geography is None:
            return None
        decay, length = cost.rate * self.power, float(network.lengths[0])
        kind = self.geography.graph.get("kind")
        if kind == "circle":
            return ring_kernel(network.number, decay, length * network.number)
        if kind == "torus":
            heights = {data.get("y") for _, data in self.geography.nodes(data=True)}
            if len(heights) > 1 and network.number % len(heights) == 0 and network.number > len(heights):
                return torus_kernel(len(heights), network.number // len(heights), decay, length)
        return None

    # --- program -------------------------------------------------------------------------------

    def program(self, kernel: Kernel | None = None, wages: ArrayLike | None = None) -> pyo.ConcreteModel:
        """Return the square program of the equilibrium; a feasible point is the equilibrium.

        Parameters
        ----------
        kernel : Kernel, optional
            Another form of the kernel, or that of other trade costs; `kernel` unless given.
        wages : (N,) array, optional
            Where wages start; a few steps of the wage map unless given.
        """
        program = pyo.ConcreteModel(name="spatial-trade")
        density = self.density.tolist()
        trade.add_trade_equilibrium(program, self.economy, kernel or self.kernel, density, wages)
        trade.add_real_wage(program, self.economy, density)
        program.nothing = pyo.Objective(expr=0.0, doc="a square program: nothing to choose")
        return program

    def read(self, program: pyo.ConcreteModel) -> dict[str, pd.DataFrame]:
        """Return the solved program's answer; see `tables`."""

        def column(component: Any) -> Vector:
            return np.array([float(pyo.value(part)) for part in component.values()])

        wage, access = column(program.wage), column(program.supplier_access)
        supply, real = column(program.supply_capacity), column(program.real_wage)
        return self.tables(wage, access, supply, real, float(program.walras_slack.value))

    def tables(
        self, wage: Vector, access: Vector, supply: Vector, real: Vector, slack: float = 0.0
    ) -> dict[str, pd.DataFrame]:
        """Return locations, totals and, among few locations, who buys what where.

        Parameters
        ----------
        wage, access, supply, real : (N,) array
            w, G, e and V.
        slack : float
            Walras' slack z.
        """
        income = wage * self.density * self.base_weights
        shares = self.freeness * (self.base_weights * supply)[:, None] / access
        locations = pd.DataFrame(
            {
                "location": list(self.names),
                "population": self.density,
                "weight": self.base_weights,
                "productivity": self.productivities,
                "amenity": self.amenities,
                "wage": wage,
                "price_index": access ** (-1 / self.power),
                "real_wage": real,
            }
        )
        totals = pd.DataFrame(
            {
                "income": [float(income.sum())],
                "mean_real_wage": [float((self.base_weights * self.density) @ real)],
                "own_share": [float(np.diag(shares) @ income / income.sum())],
                "walras_slack": [slack],
            }
        )
        tables = {"locations": locations, "totals": totals}
        if self.number**2 <= MOST_PAIRS:
            numbers = {"cost": self.costs, "share": shares, "flow": shares * income}
            tables["trade"] = self._pairs.assign(**{name: each.ravel() for name, each in numbers.items()})
        return tables

    def expected_rows(self) -> dict[str, pd.DataFrame]:
        """Return what the rows of the tables are about: locations, and ordered pairs of them."""
        return {"locations": pd.DataFrame({"location": list(self.names)}), "trade": self._pairs}

    @property
    def _pairs(self) -> pd.DataFrame:
        """Ordered pairs of locations, origin by origin."""
        names = list(self.names)
        pairs = {"origin": [name for name in names for _ in names], "destination": names * len(names)}
        return pd.DataFrame(pairs)

    def conditions(self, tables: Tables, tolerance: float) -> tuple[Condition, ...]:
        """Evaluate the definition of a trade equilibrium from the tables."""
        return trade_conditions(self, tables, tolerance)


def _wave(given: Mapping[str, Any], geography: Any) -> tuple[float, ...]:
    """Return 1 + amplitude · cos(mode · 2πi/N) on a circle of N cells."""
    profile = read_kind("population", given, kinds(Cosine), "; or a list")
    if not isinstance(geography, nx.Graph) or geography.graph.get("kind") != "circle":
        raise InputError("population.kind", "cosine", "used with a geography of kind circle")
    cells = geography.number_of_nodes()
    wave = profile.over(2 * np.pi * np.arange(cells) / cells)
    return tuple((wave / wave.mean()).tolist())
