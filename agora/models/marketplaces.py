r"""The endogenous formation of marketplaces and cities (Berliant & Konishi 2000).

Identical people choose where to live and work, travel to the nearest marketplace to trade, and build
marketplaces and a railway between them out of what they make. By Corollary 3 the core is the set of
envy-free Pareto optima: maximise the utility common to all, over populations, consumption, work, and
the number and places of marketplaces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
import pyomo.environ as pyo
from numpy.typing import NDArray
from pydantic import Field, JsonValue, field_validator, model_validator

from agora.data.checks import InputError, finite, whole
from agora.data.fields import Fields
from agora.formulations.envy_free import (
    add_commodity_balance,
    add_envy_freeness_ces,
    add_envy_freeness_cobb_douglas,
    add_land_balance,
    add_population_balance,
    add_setup_composite,
    add_sites,
    add_time_balance,
    add_travel_on_line,
)
from agora.formulations.market_settlement import Economy, Settlement, largest_need
from agora.models.equilibrium import Condition, Model, ModelCard, Tables, price
from agora.models.marketplaces_conditions import marketplace_conditions
from agora.models.spatial import POSITIVE

Vector = NDArray[np.float64]
_SHARE: dict[str, JsonValue] = {"allowed": "a number between 0 and 1"}


class Railway(Fields):
    """What marketplaces cost to set up, in units of `setup_cost`.

    ``scale = "per-marketplace"``: one unit each. ``scale = "once"``: one unit in all, and
    `cost_per_length` units per unit of railway between the outermost marketplaces: a number, or a list
    of (from, to, cost) where the land is uneven (first nature).
    """

    scale: Literal["per-marketplace", "once"] = "per-marketplace"
    cost_per_length: float | tuple[tuple[float, float, float], ...] = 0.0

    @field_validator("cost_per_length", mode="before")
    @classmethod
    def _stretches(cls, given: Any) -> Any:
        if isinstance(given, int | float) and not isinstance(given, bool):
            if finite("railway.cost_per_length", given) < 0:
                raise InputError(
                    "railway.cost_per_length", given, "a number >= 0, or a list of (from, to, cost)"
                )
            return float(given)
        stretches = [tuple(finite("railway.cost_per_length", v) for v in stretch) for stretch in given]
        for before, after in zip([None, *stretches[:-1]], stretches, strict=True):
            if len(after) != 3 or after[1] <= after[0] or after[2] < 0 or (before and before[1] != after[0]):
                raise InputError(
                    "railway.cost_per_length",
                    given,
                    "a list of adjoining (from, to, cost) with from < to and cost >= 0",
                )
        return tuple(stretches)


class Marketplaces(Model):
    """An economy whose people choose homes, work and marketplaces on a line.

    Parameters
    ----------
    sites : sequence of float
        Positions of the sites on the line; a unit of distance is a unit of time.
    makes : sequence of int
        The commodity (1, 2, …) that an hour of work makes at each site.
    commodity_shares, leisure_share, land_share : float
        α_i, α_ℓ, α_L of Cobb–Douglas utility, summing to one; with `substitution`, weights of CES.
    time : float
        T, time of a head.
    setup_cost : float
        q̄, units of the composite Π Q_i^{γ_i}.
    setup_shares : sequence of float
        γ_i, summing to one.
    railway : Railway
        How set-up costs grow with marketplaces and distance.
    marketplaces : "free", int or list of float
        To be chosen; their number; or where they are.
    region : (float, float), optional
        D, where marketplaces may be; the stretch of the sites unless given.
    land : float or sequence
        Land of each site per head; 1 unless given.
    substitution : float, optional
        σ > 0, σ ≠ 1: CES instead of Cobb–Douglas.

    Raises
    ------
    InputError
        One sentence that names the field, its value, and what is allowed.
    """

    card: ClassVar[ModelCard] = ModelCard(
        name="marketplaces",
        question="How many marketplaces form, where, and who lives where?",
        program="for given marketplaces convex once the utility is fixed; over their places nonconvex",
        citation="Berliant, M. and H. Konishi (2000), The endogenous formation of a city: population "
        "agglomeration and marketplaces in a location-specific production economy",
        assumptions=("identical people, a continuum of mass one", "set-up cost in proportion to the users"),
        left_out=("cost of moving goods between marketplaces", "several types of people"),
    )

    symbols: ClassVar[Mapping[str, str]] = {"q": "setup_cost", "q̄": "setup_cost", "T": "time"}
    unit_of: ClassVar[Mapping[str, str]] = {
        "sites": "distance",
        "time": "hours of a head",
        "setup_cost": "composites per marketplace",
        "land": "land per head",
        "location": "distance",
        "position": "distance",
        "travel": "hours of a head",
        "population": "share of people",
        "users": "share of people",
        "production": "units of the commodity",
        "leisure": "hours",
        "wage": "share of the unit simplex of prices",
        "rent": "share of the unit simplex of prices",
        "price": "share of the unit simplex of prices",
        "fee": "share of the unit simplex of prices",
        "rent_income": "share of the unit simplex of prices",
        "setup_need": "composites",
        "utility": "utility",
    }
    simplexes: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("commodity_shares", "leisure_share", "land_share"),
        ("setup_shares",),
    )

    sites: tuple[float, ...]
    makes: tuple[int, ...]
    commodity_shares: tuple[float, ...]
    leisure_share: float = Field(ge=0, lt=1, json_schema_extra=_SHARE)
    land_share: float = Field(gt=0, lt=1, json_schema_extra={"allowed": "a number > 0 and < 1"})
    time: float = Field(default=2.0, gt=0, json_schema_extra=POSITIVE)
    setup_cost: float = Field(gt=0, json_schema_extra=POSITIVE)
    setup_shares: tuple[float, ...]
    railway: Railway = Railway()
    marketplaces: Literal["free"] | int | tuple[float, ...] = "free"
    region: tuple[float, float] | None = None
    land: float | tuple[float, ...] = 1.0
    substitution: float | None = Field(default=None, gt=0, json_schema_extra=POSITIVE)

    @field_validator("marketplaces", mode="before")
    @classmethod
    def _places(cls, given: Any) -> Any:
        if given == "free":
            return given
        if isinstance(given, list | tuple):
            if not given:
                raise InputError("marketplaces", given, "'free', a whole number >= 1, or a list of locations")
            return tuple(sorted(finite(f"marketplaces[{k}]", d) for k, d in enumerate(given)))
        return whole("marketplaces", given, at_least=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        number, goods = len(self.sites), len(self.commodity_shares)
        if number < 2 or len(set(self.sites)) < number:
            raise InputError("sites", list(self.sites), "two or more different positions")
        if len(self.makes) != number:
            raise InputError("makes", list(self.makes), f"one commodity a site, {number} in all")
        if len(self.setup_shares) != goods:
            raise InputError(
                "setup_shares", list(self.setup_shares), f"one share a commodity, {goods} in all"
            )
        for name in ("commodity_shares", "setup_shares"):
            if min(getattr(self, name)) < 0:
                raise InputError(name, list(getattr(self, name)), "numbers >= 0")
        for good in range(1, goods + 1):
            wanted = self.commodity_shares[good - 1] + self.setup_shares[good - 1] > 0
            if wanted and good not in self.makes:
                raise InputError("makes", list(self.makes), f"such that some site makes commodity {good}")
        if not all(1 <= good <= goods for good in self.makes):
            raise InputError("makes", list(self.makes), f"whole numbers from 1 to {goods}")
        total = sum(self.commodity_shares) + self.leisure_share + self.land_share
        if abs(total - 1) > 1e-9:
            raise InputError("commodity_shares, leisure_share, land_share (sum)", round(total, 12), "1")
        if abs(sum(self.setup_shares) - 1) > 1e-9:
            raise InputError("setup_shares (sum)", round(sum(self.setup_shares), 12), "1")
        low, high = self.interval
        if not low < high:
            raise InputError("region", self.region, "(from, to) with from < to")
        if isinstance(self.marketplaces, tuple):
            for place in self.marketplaces:
                if not low <= place <= high:
                    raise InputError("marketplaces", place, f"within the region D = [{low:g}, {high:g}]")
        plots = self.plots
        if len(plots) != number or plots.min() <= 0:
            raise InputError("land", self.land, "a number > 0, or one a site")
        if self.substitution == 1.0:
            raise InputError("substitution", 1.0, "left out (Cobb–Douglas), or a number > 0 other than 1")
        self._check_affordable()
        return self

    def _check_affordable(self) -> None:
        """Raise `InputError` with the largest set-up cost if no structure can be paid for."""
        if isinstance(self.marketplaces, tuple):
            structures = [np.array(self.marketplaces)]
        else:
            numbers = (
                [self.marketplaces] if isinstance(self.marketplaces, int) else range(1, len(self.sites) + 1)
            )
            low, high = self.interval
            places = np.linspace(low, high, 41)
            structures = [np.array([d] * k) for k in numbers for d in places]
        units = [largest_need(self.economy, self.travel(d)) / float(self.units(d)) for d in structures]
        if self.setup_cost >= max(units):
            raise InputError(
                "setup_cost",
                self.setup_cost,
                f"below {max(units):.6g}, the largest that all work could pay for",
            )

    # --- numbers -------------------------------------------------------------------------------

    @property
    def interval(self) -> tuple[float, float]:
        """D, the interval where marketplaces may be."""
        return self.region or (min(self.sites), max(self.sites))

    @cached_property
    def positions(self) -> Vector:
        """Positions of the sites (J,)."""
        return np.array(self.sites)

    @property
    def plots(self) -> Vector:
        """Land of each site per head (J,)."""
        if isinstance(self.land, tuple):
            return np.array(self.land)
        return np.full(len(self.sites), self.land)

    @cached_property
    def economy(self) -> Economy:
        """Preferences and technology as arrays."""
        return Economy(
            makes=np.array(self.makes) - 1,
            shares=np.array(self.commodity_shares),
            leisure=self.leisure_share,
            land=self.land_share,
            plots=self.plots,
            time=self.time,
            setup_shares=np.array(self.setup_shares),
            substitution=self.substitution,
        )

    def travel(self, locations: Vector) -> Vector:
        """Return each site's distance to the nearest of `locations`, (…, k) → (…, J)."""
        distance: Vector = np.abs(self.positions[:, None] - locations[..., None, :]).min(axis=-1)
        return distance

    def units(self, locations: Vector) -> Vector:
        """Return the set-up need in units of q̄ for ascending `locations`, (…, k) → (…)."""
        if self.railway.scale == "per-marketplace":
            return np.full(locations.shape[:-1], float(locations.shape[-1]))
        length = self._rail(locations[..., -1]) - self._rail(locations[..., 0])
        result: Vector = 1.0 + length
        return result

    def _rail(self, place: Vector) -> Vector:
        """Return the cost of a railway from the left end of D to `place`, in units of q̄."""
        cost = self.railway.cost_per_length
        if isinstance(cost, float):
            return cost * place
        marks = np.array([cost[0][0], *(end for _, end, _ in cost)])
        spent = np.concatenate([[0.0], np.cumsum([(end - start) * c for start, end, c in cost])])
        result: Vector = np.interp(place, marks, spent)
        return result

    @property
    def rail_marks(self) -> Vector:
        """Positions where the cost of the railway changes."""
        cost = self.railway.cost_per_length
        return (
            np.zeros(0) if isinstance(cost, float) else np.array([cost[0][0], *(end for _, end, _ in cost)])
        )

    # --- programs ------------------------------------------------------------------------------

    def program(self) -> pyo.ConcreteModel:
        """Return the envy-free Pareto program: for the given marketplaces, or with free ones.

        Free marketplaces start with the sites in equal consecutive groups, one marketplace each; which
        grouping is best is for the structure search, `agora.runners.solve`.
        """
        if isinstance(self.marketplaces, tuple):
            return self.fixed_program(self.marketplaces)
        number = self.marketplaces if isinstance(self.marketplaces, int) else len(self.sites)
        order = np.argsort(self.positions)
        groups = np.empty(len(self.sites), dtype=int)
        groups[order] = np.arange(len(self.sites)) * min(number, len(self.sites)) // len(self.sites)
        return self.free_program([int(g) for g in groups])

    def fixed_program(self, locations: Sequence[float]) -> pyo.ConcreteModel:
        r"""Return max u for marketplaces at `locations`: a global optimum is any local one.

        For fixed u the constraints are convex, and lowering u keeps them satisfied; so the set of
        feasible u is an interval and every local solution is global.
        """
        places = np.sort(np.asarray(locations, dtype=float))
        program = self._common()
        travel = dict(zip(program.sites, self.travel(places).tolist(), strict=True))
        add_time_balance(program, self.time, travel)
        add_setup_composite(program, self.setup_shares, self.setup_cost * float(self.units(places)))
        return program

    def free_program(self, groups: Sequence[int]) -> pyo.ConcreteModel:
        """Return max u over locations too, each site using the marketplace of its group; nonconvex."""
        program = self._common()
        add_travel_on_line(program, self.sites, self.interval, groups)
        add_time_balance(program, self.time, program.travel)
        need: Any = self.setup_cost * (max(groups) + 1)
        if self.railway.scale == "once":
            if not isinstance(self.railway.cost_per_length, float):
                raise InputError(
                    "railway.cost_per_length",
                    self.railway.cost_per_length,
                    "one number for a program with free places; with uneven land give marketplaces as a list",
                )
            length = program.location[max(groups)] - program.location[0]
            need = self.setup_cost * (1.0 + self.railway.cost_per_length * length)
        add_setup_composite(program, self.setup_shares, need)
        return program

    def _common(self) -> pyo.ConcreteModel:
        program = pyo.ConcreteModel(name="marketplaces")
        add_sites(program, range(len(self.sites)), len(self.commodity_shares))
        add_population_balance(program)
        add_land_balance(program, self.plots.tolist())
        add_commodity_balance(program, self.makes)
        if self.substitution is None:
            add_envy_freeness_cobb_douglas(
                program, self.commodity_shares, self.leisure_share, self.land_share
            )
        else:
            add_envy_freeness_ces(
                program, self.commodity_shares, self.leisure_share, self.land_share, self.substitution
            )
        program.common_utility = pyo.Objective(expr=program.utility, sense=pyo.maximize, doc="u")
        return program

    def start_from(self, program: pyo.ConcreteModel, at: Settlement, locations: Vector) -> None:
        """Start a program at a settlement, so that IPOPT needs a few steps only."""
        wages, people = at.prices[self.economy.makes], np.maximum(at.population, 1e-8)
        income = np.maximum(at.income, float(at.income @ at.population))
        tastes, level = self.economy.preferences, max(at.utility, 1e-6)
        goods, rest = tastes.other_shares(at.prices, wages, income, level)
        goods, rest = (
            np.broadcast_to(goods, (len(people), len(at.prices))),
            np.broadcast_to(rest, len(people)),
        )
        spent, travel = people * income, self.travel(np.sort(locations))
        for j in program.sites:
            program.population[j].set_value(float(people[j]))
            for good in program.goods:
                eaten = goods[j, good - 1] * spent[j] / at.prices[good - 1]
                program.consumption[good, j].set_value(float(max(eaten, 1e-12)))
            leisure = float(max(rest[j] * spent[j] / wages[j], 1e-12))
            program.leisure[j].set_value(leisure)
            program.work[j].set_value(float(max((self.time - travel[j]) * people[j] - leisure, 1e-12)))
            program.land_used[j].set_value(float(self.plots[j]))
        for good in program.goods:
            used = self.setup_shares[good - 1] * at.fee / at.prices[good - 1]
            program.setup_input[good].set_value(max(used, 1e-12))
        program.utility.set_value(at.utility)

    # --- reading -------------------------------------------------------------------------------

    def read(self, program: pyo.ConcreteModel) -> dict[str, pd.DataFrame]:
        """Return ``sites``, ``marketplaces``, ``prices``, ``totals`` of a solved program.

        Prices are multipliers on the unit simplex over commodities, wages and rents.
        """
        if program.component("location") is not None:
            places = np.array([float(place.value) for place in program.location.values()])
        else:
            places = np.array(self.marketplaces)
        return self.tables(program, places)

    def tables(self, program: pyo.ConcreteModel, locations: Vector) -> dict[str, pd.DataFrame]:
        """Return the tables of a solved program with marketplaces at `locations`."""
        places = np.sort(locations)
        sites, goods = list(program.sites), list(program.goods)
        commodity = np.array([price(program, program.commodity_balance[i]) for i in goods])
        wage = np.array([price(program, program.time_balance[j]) for j in sites])
        rent = np.array([price(program, program.land_balance[j]) for j in sites])
        unit = commodity.sum() + wage.sum() + rent.sum()
        nearest = np.abs(self.positions[:, None] - places).argmin(axis=1)

        def column(variable: Any) -> list[float]:
            return [float(variable[j].value) for j in sites]

        table = pd.DataFrame(
            {
                "site": sites,
                "position": self.positions,
                "makes": self.makes,
                "marketplace": places[nearest],
                "travel": self.travel(places),
                "population": column(program.population),
                "production": column(program.work),
                "leisure": column(program.leisure),
                "land": column(program.land_used),
                "wage": wage / unit,
                "rent": rent / unit,
            }
        )
        for i in goods:
            table[f"consumption_{i}"] = [float(program.consumption[i, j].value) for j in sites]
        users = [float(table["population"][nearest == k].sum()) for k in range(len(places))]
        kinds = ["commodity"] * len(goods) + ["wage"] * len(sites) + ["rent"] * len(sites)
        prices = pd.DataFrame(
            {
                "kind": kinds,
                "of": [*goods, *sites, *sites],
                "price": np.concatenate([commodity, wage, rent]) / unit,
            }
        )
        inputs = {f"setup_input_{i}": [float(program.setup_input[i].value)] for i in goods}
        totals = pd.DataFrame(
            {
                "utility": [float(program.utility.value)],
                "marketplaces": [len(places)],
                "setup_need": [self.setup_cost * float(self.units(places))],
                "fee": [float(sum(commodity[i - 1] * inputs[f"setup_input_{i}"][0] for i in goods) / unit)],
                "rent_income": [float((rent * self.plots).sum() / unit)],
                **inputs,
            }
        )
        return {
            "sites": table,
            "marketplaces": pd.DataFrame(
                {"marketplace": range(len(places)), "location": places, "users": users}
            ),
            "prices": prices,
            "totals": totals,
        }

    def conditions(self, tables: Tables, tolerance: float = 1e-6) -> tuple[Condition, ...]:
        """Evaluate Definition 2.13, the equilibrium with market utilisation fees, from the tables alone."""
        return marketplace_conditions(self, tables, tolerance)
