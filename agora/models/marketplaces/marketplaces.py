r"""The endogenous formation of marketplaces and cities (Berliant & Konishi 2000).

Identical people choose where to live and work, travel to the nearest marketplace to trade, and build
marketplaces and a railway between them out of what they make. By Corollary 3 the core is the set of
envy-free Pareto optima: maximise the utility common to all, over populations, consumption, work, and
the number and locations of marketplaces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import combinations, islice
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import pyomo.environ as pyo
from pydantic import model_validator

from agora.data.checks import InputError
from agora.data.frozen_geographies import frozen_geography
from agora.data.marketplaces import MarketplaceParameters
from agora.formulations.marketplaces import envy_free
from agora.formulations.marketplaces.grounds import Ground, Line, Network, Plane, nearest
from agora.formulations.marketplaces.market_equilibrium import Economy, MarketEquilibrium, largest_need
from agora.models.certificate import Condition
from agora.models.marketplaces.conditions.economy import marketplace_conditions
from agora.models.marketplaces.tables import MARKETPLACE_TABLES, marketplace_rows
from agora.models.model import Model, ModelCard
from agora.models.prices import price
from agora.models.table_spec import TableSpec
from agora.typing import Tables, Vector


class Marketplaces(MarketplaceParameters, Model):
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

    @model_validator(mode="after")
    def _on_the_ground(self) -> Self:
        if isinstance(self.marketplaces, tuple):
            for location in self.marketplaces:
                self.ground.coordinates(location)
        if self.railway.scale == "once" and not isinstance(self.ground, Line):
            raise InputError("railway.scale", "once", "'per-marketplace' unless the sites are on a line")
        plots = self.plots
        if len(plots) != self.number or plots.min() <= 0:
            raise InputError("land", self.land, "a number > 0, or one a site")
        if self.substitution == 1.0:
            raise InputError("substitution", 1.0, "left out (Cobb–Douglas), or a number > 0 other than 1")
        return self

    def check(self) -> None:
        """Raise `InputError` with the largest set-up cost if no structure can be paid for."""
        most = self.largest_setup_cost
        if self.setup_cost >= most:
            allowed = f"below {most:.6g}, the largest that all work could pay for"
            raise InputError("setup_cost", self.setup_cost, allowed)

    # --- numbers -------------------------------------------------------------------------------

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
    def given_locations(self) -> Vector:
        """The given marketplaces as numbers of the ground, in ascending order on a line."""
        if not isinstance(self.marketplaces, tuple):
            raise InputError("marketplaces", self.marketplaces, "a list of locations")
        locations = np.concatenate([self.ground.coordinates(location) for location in self.marketplaces])
        return np.sort(locations) if isinstance(self.ground, Line) else locations

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
            structures = [self.given_locations]
        else:
            wanted = self.marketplaces if isinstance(self.marketplaces, int) else None
            within = [np.linspace(p[:, 0], p[:, 1], 9) for p in self.ground.pieces]
            single = np.concatenate([self.ground.candidates, *within])
            goods = sum(share > 0 for share in self.setup_shares)
            structures = [np.tile(location, wanted or 1) for location in single]
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

    def _rail(self, location: Vector) -> Vector:
        """Return the cost of a railway from the left end of D to `location`, in units of q̄."""
        cost = self.railway.cost_per_length
        if isinstance(cost, float):
            return cost * location
        marks = np.array([cost[0][0], *(end for _, end, _ in cost)])
        spent = np.concatenate([[0.0], np.cumsum([(end - start) * c for start, end, c in cost])])
        result: Vector = np.interp(location, marks, spent)
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
            return self.fixed_program(self.given_locations)
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
        locations = np.asarray(locations, dtype=float)
        locations = np.sort(locations) if isinstance(self.ground, Line) else locations
        program = self._common()
        travel = dict(zip(program.sites, self.travel(locations).tolist(), strict=True))
        envy_free.add_time_balance(program, self.time, travel)
        need = self.setup_cost * float(self.units(locations))
        envy_free.add_setup_composite(program, self.setup_shares, need)
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
                allowed = "a list of locations for the program of a network: the search chooses the edges"
                raise InputError("marketplaces", self.marketplaces, allowed)
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
            locations = np.array([float(location.value) for location in program.location.values()])
        else:
            locations = self.given_locations
        return self.tables(program, locations)

    def tables(self, program: pyo.ConcreteModel, locations: Vector) -> dict[str, pd.DataFrame]:
        """Return the tables of a solved program with marketplaces at `locations`."""
        sites, goods = list(program.sites), list(program.goods)
        commodity = np.array([price(program, program.commodity_balance[i]) for i in goods])
        wage = np.array([price(program, program.time_balance[j]) for j in sites])
        rent = np.array([price(program, program.land_balance[j]) for j in sites])
        unit = commodity.sum() + wage.sum() + rent.sum()
        names, home = self.ground.names(locations), nearest(self.ground, locations)

        def column(variable: Any) -> list[float]:
            return [float(variable[j].value) for j in sites]

        table = pd.DataFrame(
            {
                "site": sites,
                **self.ground.site_columns(),
                "makes": self.makes,
                "marketplace": [names[k] for k in home],
                "travel": self.travel(locations),
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
        users = [float(table["population"][home == k].sum()) for k in range(len(names))]
        prices = self.expected_rows()["prices"].assign(price=np.concatenate([commodity, wage, rent]) / unit)
        inputs = {f"setup_input_{i}": [float(program.setup_input[i].value)] for i in goods}
        totals = pd.DataFrame(
            {
                "utility": [float(program.utility.value)],
                "marketplaces": [len(names)],
                "setup_need": [self.setup_cost * float(self.units(locations))],
                "fee": [float(sum(commodity[i - 1] * inputs[f"setup_input_{i}"][0] for i in goods) / unit)],
                "rent_income": [float((rent * self.plots).sum() / unit)],
                **inputs,
            }
        )
        return {
            "sites": table,
            "marketplaces": pd.DataFrame(
                {"marketplace": range(len(names)), **self.ground.columns(locations), "users": users}
            ),
            "prices": prices,
            "totals": totals,
        }

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


def start_from(
    model: Marketplaces, program: pyo.ConcreteModel, at: MarketEquilibrium, locations: Vector
) -> None:
    """Start a program at an equilibrium, so that IPOPT needs a few steps only."""
    wages, people = at.prices[model.economy.makes], np.maximum(at.population, 1e-8)
    income = np.maximum(at.income, float(at.income @ at.population))
    tastes, level = model.economy.preferences, max(at.utility, 1e-6)
    goods, rest = tastes.other_shares(at.prices, wages, income, level)
    goods, rest = (
        np.broadcast_to(goods, (len(people), len(at.prices))),
        np.broadcast_to(rest, len(people)),
    )
    spent, travel = people * income, model.travel(locations)
    for j in program.sites:
        program.population[j].set_value(float(people[j]))
        for good in program.goods:
            eaten = goods[j, good - 1] * spent[j] / at.prices[good - 1]
            program.consumption[good, j].set_value(float(max(eaten, 1e-12)))
        leisure = float(max(rest[j] * spent[j] / wages[j], 1e-12))
        program.leisure[j].set_value(leisure)
        program.work[j].set_value(float(max((model.time - travel[j]) * people[j] - leisure, 1e-12)))
        program.land_used[j].set_value(float(model.plots[j]))
    for good in program.goods:
        used = model.setup_shares[good - 1] * at.fee / at.prices[good - 1]
        program.setup_input[good].set_value(max(used, 1e-12))
    program.utility.set_value(at.utility)
