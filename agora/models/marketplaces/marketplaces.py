r"""The endogenous formation of marketplaces and cities (Berliant & Konishi 2000).

Identical people choose where to live and work, travel to the nearest marketplace to trade, and build
marketplaces and a railway between them out of what they make. By Corollary 3 the core is the set of
envy-free Pareto optima: maximise the utility common to all, over populations, consumption, work, and
the number and places of marketplaces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import combinations, islice
from typing import Any, ClassVar, Literal, Self

import networkx as nx
import numpy as np
import pandas as pd
import pyomo.environ as pyo
from pydantic import Field, JsonValue, field_validator, model_validator

from agora.data.checks import InputError, finite, whole
from agora.data.fields import Fields
from agora.data.frozen_geographies import frozen_geography
from agora.formulations.marketplaces import envy_free
from agora.formulations.marketplaces.grounds import Ground, Line, Network, Plane, plane_points
from agora.formulations.marketplaces.market_equilibrium import Economy, largest_need
from agora.models.certificate import Condition
from agora.models.marketplaces.conditions.economy import marketplace_conditions
from agora.models.marketplaces.table_specs import MARKETPLACE_TABLES, marketplace_rows
from agora.models.marketplaces.tables import marketplace_tables
from agora.models.model import Model, ModelCard
from agora.models.spatial import POSITIVE
from agora.models.table_spec import TableSpec
from agora.typing import Tables, Vector

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
    """An economy whose people choose homes, work and marketplaces, on a line, in the plane or on a network.

    Parameters
    ----------
    sites : sequence of float or of (float, float)
        Positions of the sites on a line, or in the plane.
    geography : networkx.Graph, optional
        Instead of `sites`: they are its cells, in sorted order, and marketplaces are anywhere on its edges.
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
    marketplaces : "free", int or list
        To be chosen; their number; or where they are: positions, pairs, or cells of the geography and
        (cell, neighbour, distance from the first).
    region : (float, float) or two corners of a rectangle, optional
        D, where marketplaces may be; the stretch or rectangle of the sites unless given.
    time_per_distance : float
        Time a unit of distance takes; 1 unless given.
    land : float or sequence, optional
        Land of each site per head; the geography's, or else 1, unless given.
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
        "region": "distance",
        "time_per_distance": "hours per distance",
    }
    tables_spec: ClassVar[Mapping[str, TableSpec]] = MARKETPLACE_TABLES
    simplexes: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("commodity_shares", "leisure_share", "land_share"),
        ("setup_shares",),
    )

    sites: tuple[float, ...] | tuple[tuple[float, float], ...] = ()
    geography: nx.Graph | None = None
    makes: tuple[int, ...]
    commodity_shares: tuple[float, ...]
    leisure_share: float = Field(ge=0, lt=1, json_schema_extra=_SHARE)
    land_share: float = Field(gt=0, lt=1, json_schema_extra={"allowed": "a number > 0 and < 1"})
    time: float = Field(default=2.0, gt=0, json_schema_extra=POSITIVE)
    setup_cost: float = Field(gt=0, json_schema_extra=POSITIVE)
    setup_shares: tuple[float, ...]
    railway: Railway = Railway()
    marketplaces: Literal["free"] | int | tuple[Any, ...] = "free"
    region: tuple[float, float] | tuple[tuple[float, float], tuple[float, float]] | None = None
    time_per_distance: float = Field(default=1.0, gt=0, json_schema_extra=POSITIVE)
    land: float | tuple[float, ...] | None = None
    substitution: float | None = Field(default=None, gt=0, json_schema_extra=POSITIVE)

    @field_validator("marketplaces", mode="before")
    @classmethod
    def _places(cls, given: Any) -> Any:
        if given == "free":
            return given
        if isinstance(given, list | tuple):
            if not given:
                raise InputError("marketplaces", given, "'free', a whole number >= 1, or a list of locations")
            return tuple(tuple(d) if isinstance(d, list) else d for d in given)
        return whole("marketplaces", given, at_least=1)

    @field_validator("sites", mode="before")
    @classmethod
    def _positions(cls, given: Any) -> Any:
        if not isinstance(given, list | tuple):
            raise InputError("sites", given, "a list of positions, or of pairs [x, y]")
        if any(isinstance(each, list | tuple) for each in given):
            return tuple(map(tuple, plane_points(given).tolist()))
        return tuple(finite(f"sites[{j}]", each) for j, each in enumerate(given))

    @field_validator("geography", mode="before")
    @classmethod
    def _two_way(cls, given: Any) -> Any:
        if not isinstance(given, nx.Graph):
            raise InputError("geography", given, "a networkx graph, or a [geography] table in a scenario")
        graph = frozen_geography(given)
        if graph.is_directed():
            raise InputError("geography", "a graph with one-way edges", "a graph with two-way edges only")
        return graph

    @model_validator(mode="after")
    def _consistent(self) -> Self:  # noqa: C901 (to be grouped)
        if self.geography is not None and self.sites:
            raise InputError("sites", list(self.sites), "left out: the sites are the cells of the geography")
        number, goods = self.number, len(self.commodity_shares)
        if self.geography is None and (number < 2 or len(set(self.sites)) < number):
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
        self._check_region()
        if isinstance(self.marketplaces, tuple):
            for place in self.marketplaces:
                self.ground.place(place)
        if self.railway.scale == "once" and not isinstance(self.ground, Line):
            raise InputError("railway.scale", "once", "'per-marketplace' unless the sites are on a line")
        plots = self.plots
        if len(plots) != number or plots.min() <= 0:
            raise InputError("land", self.land, "a number > 0, or one a site")
        if self.substitution == 1.0:
            raise InputError("substitution", 1.0, "left out (Cobb–Douglas), or a number > 0 other than 1")
        return self

    def _check_region(self) -> None:
        """Raise `InputError` if D is not of the kind of the sites, or empty."""
        region = self.region
        if region is None:
            return
        if self.geography is not None:
            raise InputError("region", region, "left out: marketplaces may be anywhere on the network")
        corners = np.array(region)
        if corners.shape != (2, *np.shape(self.sites)[1:]) or not (corners[0] < corners[1]).all():
            wanted = "(from, to) with from < to" if np.ndim(self.sites) == 1 else "two corners of a rectangle"
            raise InputError("region", region, wanted)

    def check(self) -> None:
        """Raise `InputError` with the largest set-up cost if no structure can be paid for."""
        most = self.largest_setup_cost
        if self.setup_cost >= most:
            raise InputError(
                "setup_cost", self.setup_cost, f"below {most:.6g}, the largest that all work could pay for"
            )

    # --- numbers -------------------------------------------------------------------------------

    @property
    def number(self) -> int:
        """Number of sites, J."""
        return len(self.sites) if self.geography is None else self.geography.number_of_nodes()

    @cached_property
    def ground(self) -> Ground:
        """Where sites are, where marketplaces may be, and how far it is."""
        pace, positions = self.time_per_distance, np.array(self.sites)
        if self.geography is not None:
            return Network(frozen_geography(self.geography).network, pace)
        if positions.ndim == 2:
            box = np.array(self.region or (positions.min(axis=0), positions.max(axis=0)))
            (left, low), (right, high) = box.tolist()
            return Plane(positions, ((left, low), (right, high)), pace)
        low, high = np.array(self.region or (min(self.sites), max(self.sites))).tolist()
        return Line(positions, (low, high), pace, self.rail_marks)

    @property
    def given_places(self) -> Vector:
        """The given marketplaces as numbers of the ground, in ascending order on a line."""
        if not isinstance(self.marketplaces, tuple):
            raise InputError("marketplaces", self.marketplaces, "a list of locations")
        places = np.concatenate([self.ground.place(place) for place in self.marketplaces])
        return np.sort(places) if isinstance(self.ground, Line) else places

    @property
    def plots(self) -> Vector:
        """Land of each site per head (J,)."""
        if isinstance(self.land, tuple):
            return np.array(self.land)
        if self.land is None and isinstance(self.ground, Network):
            return np.array(self.ground.cells.land)
        return np.full(self.number, 1.0 if self.land is None else self.land)

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

    @cached_property
    def largest_setup_cost(self) -> float:
        """The set-up cost from which on no structure can be paid for, by a search over structures.

        Where nobody travels far: with one marketplace at a candidate or within a piece of the ground, or with
        up to one a commodity at candidates, of which the first thousands are tried.
        """
        if isinstance(self.marketplaces, tuple):
            structures = [self.given_places]
        else:
            wanted = self.marketplaces if isinstance(self.marketplaces, int) else None
            within = [np.linspace(p[:, 0], p[:, 1], 9) for p in self.ground.pieces]
            single = np.concatenate([self.ground.candidates, *within])
            goods = sum(share > 0 for share in self.setup_shares)
            structures = [np.tile(place, wanted or 1) for place in single]
            for k in range(2, min(wanted or self.number, goods) + 1):
                several = islice(combinations(self.ground.candidates, k), 5000)
                structures += [np.concatenate([*d, *[d[0]] * ((wanted or k) - k)]) for d in several]
            if isinstance(self.ground, Line):
                structures = [np.sort(d) for d in structures]
        return max(largest_need(self.economy, self.travel(d)) / float(self.units(d)) for d in structures)

    def travel(self, locations: Vector) -> Vector:
        """Return each site's travel time to the nearest of `locations`, (…, k · width) → (…, J)."""
        return self.ground.travel(locations)

    def units(self, locations: Vector) -> Vector:
        """Return the set-up need in units of q̄ for `locations`, ascending on a line, (…, k · width) → (…)."""
        if self.railway.scale == "per-marketplace":
            return np.full(locations.shape[:-1], float(locations.shape[-1] // self.ground.width))
        length = self._rail(locations[..., -1]) - self._rail(locations[..., 0])
        return 1.0 + length

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

    @property
    def railway_stretches(self) -> list[tuple[float, float, float]]:
        """The line as (from, to, cost of a railway per length)."""
        cost, marks = self.railway.cost_per_length, self.ground.candidates.ravel()
        return [(marks[0], marks[-1], cost)] if isinstance(cost, float) else list(cost)

    # --- programs ------------------------------------------------------------------------------

    def program(self) -> pyo.ConcreteModel:
        """Return the envy-free Pareto program: for the given marketplaces, or with free ones.

        Free marketplaces start with the sites in equal consecutive groups, one marketplace each; which
        grouping is best is for the structure search, `agora.runners.solve`. `InputError` if no structure can
        be paid for.
        """
        self.check()
        if isinstance(self.marketplaces, tuple):
            return self.fixed_program(self.given_places)
        most = self.marketplaces if isinstance(self.marketplaces, int) else self.number
        first = np.array(self.sites)[:, 0] if np.ndim(self.sites) == 2 else np.array(self.sites)
        order = np.argsort(first)
        groups = np.empty(len(order), dtype=int)
        groups[order] = np.arange(len(order)) * min(most, len(order)) // max(len(order), 1)
        return self.free_program([int(g) for g in groups])

    def fixed_program(self, locations: Sequence[float] | Vector) -> pyo.ConcreteModel:
        r"""Return max u for marketplaces at `locations`: a global optimum is any local one.

        For fixed u the constraints are convex, and lowering u keeps them satisfied; so the set of
        feasible u is an interval and every local solution is global.
        """
        places = np.asarray(locations, dtype=float)
        places = np.sort(places) if isinstance(self.ground, Line) else places
        program = self._common()
        travel = dict(zip(program.sites, self.travel(places).tolist(), strict=True))
        envy_free.add_time_balance(program, self.time, travel)
        envy_free.add_setup_composite(program, self.setup_shares, self.setup_cost * float(self.units(places)))
        return program

    def free_program(self, groups: Sequence[int]) -> pyo.ConcreteModel:
        """Return max u over locations too, each site using the marketplace of its group; nonconvex."""
        program = self._common()
        number = max(groups) + 1
        need: Any = self.setup_cost * number
        match self.ground:
            case Line(positions=positions, region=region):
                envy_free.add_travel_on_line(
                    program, positions.tolist(), region, groups, self.time_per_distance
                )
                envy_free.add_railway_length(program, self.railway_stretches)
                if self.railway.scale == "once":
                    need = self.setup_cost * (1.0 + program.railway_cost)
            case Plane(positions=positions, region=region):
                envy_free.add_travel_in_plane(
                    program, positions.tolist(), region, groups, self.time_per_distance
                )
            case _:
                raise InputError(
                    "marketplaces",
                    self.marketplaces,
                    "a list of locations for the program of a network: the search chooses the edges",
                )
        envy_free.add_time_balance(program, self.time, program.travel)
        envy_free.add_setup_composite(program, self.setup_shares, need)
        return program

    def _common(self) -> pyo.ConcreteModel:
        program = pyo.ConcreteModel(name="marketplaces")
        envy_free.add_sites(program, range(self.number), len(self.commodity_shares))
        envy_free.add_population_balance(program)
        envy_free.add_land_balance(program, self.plots.tolist())
        envy_free.add_commodity_balance(program, self.makes)
        if self.substitution is None:
            envy_free.add_envy_freeness_cobb_douglas(
                program, self.commodity_shares, self.leisure_share, self.land_share
            )
        else:
            envy_free.add_envy_freeness_ces(
                program, self.commodity_shares, self.leisure_share, self.land_share, self.substitution
            )
        program.common_utility = pyo.Objective(expr=program.utility, sense=pyo.maximize, doc="u")
        return program

    # --- reading -------------------------------------------------------------------------------

    def read(self, program: pyo.ConcreteModel) -> dict[str, pd.DataFrame]:
        """Return ``sites``, ``marketplaces``, ``prices``, ``totals`` of a solved program.

        Prices are multipliers on the unit simplex over commodities, wages and rents.
        """
        if program.component("location") is not None:
            places = np.array([float(place.value) for place in program.location.values()])
        else:
            places = self.given_places
        return self.tables(program, places)

    def tables(self, program: pyo.ConcreteModel, locations: Vector) -> dict[str, pd.DataFrame]:
        """Return the tables of a solved program with marketplaces at `locations`."""
        return marketplace_tables(self, program, locations)

    def expected_tables(self) -> dict[str, TableSpec]:
        """Return the tables, with the columns that this ground and its commodities have."""
        having = {Line: set(), Plane: {"x", "y"}, Network: {"cell", "towards", "distance"}}[type(self.ground)]
        goods = range(1, len(self.commodity_shares) + 1)
        each = {"consumption_*": goods, "setup_input_*": goods}
        spec = {name: table.narrowed(having, each) for name, table in self.tables_spec.items()}
        return {**spec, "structures": self.tables_spec["structures"]}

    def expected_rows(self) -> dict[str, pd.DataFrame]:
        """Return what the rows of the tables are about: sites, and what has a price."""
        return marketplace_rows(self.number, len(self.commodity_shares))

    def conditions(self, tables: Tables, tolerance: float = 1e-6) -> tuple[Condition, ...]:
        """Evaluate Definition 2.13, the equilibrium with market utilisation fees, from the tables alone."""
        return marketplace_conditions(self, tables, tolerance)
