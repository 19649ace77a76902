r"""The coalition test of a marketplace economy (Berliant & Konishi 2000, section 2.12).

Given what each type of consumer gets in an allocation, which coalition, with which marketplaces, would
make all its members better off, and by how much?
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import pyomo.environ as pyo

from agora.data.checks import InputError
from agora.data.marketplaces import CoalitionParameters, CobbDouglas, Leontief, SetupNeeds
from agora.formulations.marketplaces import coalitions
from agora.formulations.marketplaces.coalitions import Setup, Taste
from agora.models.certificate import Condition
from agora.models.marketplaces.conditions.coalition import coalition_conditions
from agora.models.marketplaces.tables import COALITION_TABLES, coalition_rows
from agora.models.model import Model, ModelCard
from agora.models.prices import price
from agora.models.table_spec import TableSpec
from agora.typing import Tables, Vector

FEW = 1e-7
"""Share of a coalition up to which a type does not limit how large the coalition is."""


class CoalitionTest(CoalitionParameters, Model):
    r"""Who improves upon an allocation: the coalition and the marketplaces with the greatest gain.

    The gain λ is the least over the members: a member of a type with ū > 0 reaches (1 + λ) ū, a share
    of its utility; a member of a type with ū = 0, for which every share is nothing, reaches λ itself,
    in units of utility, and then only λ ≥ 0 is considered. Either way members are strictly better off
    exactly if λ > 0.

    Parameters
    ----------
    types : tuple of ConsumerType
        Who there is, and what the tested allocation gives them.
    sites : tuple of float, length J
        Where people may live, on a line; hours of travel are distances.
    makes : tuple of int, length J
        The commodity (1 … I) that a site makes, one unit an hour.
    setup : SetupNeeds or SetupComposite
        What each marketplace needs a head.
    region : (float, float)
        The interval of the line where marketplaces may be.
    marketplaces : int
        k ≥ 1, the largest number of marketplaces that is considered.
    time : float
        T > 0, hours a head.
    plot : float
        Land of a head at every site, > 0.
    everybody : bool
        Whether the coalition must be the whole economy, types in proportion to their masses; then λ ≥ 0
        says that some allocation gives every type its ū at least.
    """

    unit_of: ClassVar[Mapping[str, str]] = {
        "sites": "distance",
        "region": "distance",
        "time": "hours of a head",
        "plot": "land per head",
    }
    tables_spec: ClassVar[Mapping[str, TableSpec]] = COALITION_TABLES

    card: ClassVar[ModelCard] = ModelCard(
        name="coalition-test",
        question="Which coalition, with which marketplaces, improves most upon an allocation?",
        program="quasi-concave for given marketplaces (convex for a given gain), nonconvex over locations",
        citation="Berliant, M. and H. Konishi (2000), The endogenous formation of a city: population "
        "agglomeration and marketplaces in a location-specific production economy, sections 2.9, 2.12 and 4",
        assumptions=(
            "set-up, land and time are proportional to the coalition's mass, so only its composition matters",
            "utilities are homogeneous of degree one; an hour of work makes one unit of the site's commodity",
            "sites and marketplaces lie on a line; everybody uses the nearest marketplace",
        ),
        left_out=(
            "railways between marketplaces, CES utilities and more than three marketplaces",
            "no marketplace at all: nobody then consumes anything",
        ),
    )

    # --- numbers -------------------------------------------------------------------------------

    @property
    def tastes(self) -> dict[str, Taste]:
        """Type → its utility as numbers."""
        return {kind.name: _taste(kind.taste) for kind in self.types}

    @property
    def utility(self) -> dict[str, float]:
        """Type → ū_t."""
        return {kind.name: kind.utility for kind in self.types}

    @property
    def unit(self) -> dict[str, float]:
        """Type → g_t, the utility that a gain of one adds: ū_t, or one if ū_t = 0."""
        return {kind.name: kind.utility or 1.0 for kind in self.types}

    @property
    def least_gain(self) -> float:
        """λ̲: −1, or 0 if some type has ū_t = 0."""
        return 0.0 if any(kind.utility == 0 for kind in self.types) else -1.0

    @property
    def masses(self) -> dict[str, float]:
        """Type → how many there are."""
        return {kind.name: kind.mass for kind in self.types}

    @property
    def shares(self) -> dict[str, float]:
        """Type → its share of the economy."""
        total = sum(self.masses.values())
        return {name: mass / total for name, mass in self.masses.items()}

    def needs(self, marketplaces: int) -> Setup:
        """Return what a number of marketplaces needs a head."""
        if isinstance(self.setup, SetupNeeds):
            return Setup(tuple(marketplaces * need for need in self.setup.amounts), 0.0, ())
        return Setup((), marketplaces * self.setup.amount, self.setup.shares)

    def travel(self, locations: Sequence[float] | Vector) -> Vector:
        """Return δ_j (J,), hours from each site to the nearest of the marketplaces."""
        distance = np.abs(np.subtract.outer(np.array(self.sites), np.array(locations, dtype=float)))
        hours: Vector = distance.min(axis=1)
        return hours

    def giving(self, utility: dict[str, float] | Sequence[float], *, everybody: bool | None = None) -> Self:
        """Return the test of another allocation, by its utilities (type → ū, or in the order of types)."""
        given = list(utility.values()) if isinstance(utility, dict) else list(utility)
        names = list(utility) if isinstance(utility, dict) else [kind.name for kind in self.types]
        if sorted(names) != sorted(kind.name for kind in self.types) or len(given) != len(names):
            raise InputError("utility", utility, f"given for each of {', '.join(k.name for k in self.types)}")
        reached = dict(zip(names, given, strict=True))
        types = [{**kind.model_dump(), "utility": reached[kind.name]} for kind in self.types]
        chosen = self.everybody if everybody is None else everybody
        return type(self).model_validate({**self.model_dump(), "types": types, "everybody": chosen})

    # --- programs ------------------------------------------------------------------------------

    def program(self, locations: Sequence[float] | None = None) -> pyo.ConcreteModel:
        r"""Return the coalition's program for given marketplaces: max λ over who does what where.

        Infeasible if nobody could set such marketplaces up.

        Parameters
        ----------
        locations : sequence of float, optional
            d′, where the marketplaces are; by default one in the middle of the region.
        """
        program, travel = self._structure(locations)
        self._add_members(program)
        self._add_limits(program, travel)
        return program

    def location_program(self, locations: Sequence[float] | None = None) -> pyo.ConcreteModel:
        """Return `program` with marketplaces that may move, from where they are given; a local program."""
        program, _ = self._structure(locations)
        start = list(program.location.values())
        program.del_component("location")
        self._add_members(program)
        coalitions.add_free_marketplaces(program, self.sites, self.region, start)
        self._add_limits(program, program.travel)
        return program

    def _add_members(self, program: pyo.ConcreteModel) -> None:
        coalitions.add_coalition(program, list(self.utility), self.makes, max(self.makes))
        if self.everybody:
            coalitions.add_economy_mass_balance(program, self.shares)
        else:
            coalitions.add_coalition_mass_balance(program)

    def _add_limits(self, program: pyo.ConcreteModel, travel: Any) -> None:
        coalitions.add_coalition_time_limit(program, self.time, travel)
        coalitions.add_coalition_land_limit(program, [self.plot] * len(self.sites))
        coalitions.add_coalition_commodity_balance(program, self.makes, self.needs(len(program.marketplaces)))
        coalitions.add_coalition_gain(program, self.tastes, self.utility, self.unit, self.least_gain)

    def price_program(self, locations: Sequence[float] | None = None) -> pyo.ConcreteModel:
        r"""Return the mirror of `program`: min λ over prices at which nobody could afford more.

        Always feasible; its multipliers are the coalition, and any of its points proves a bound.
        """
        program, travel = self._structure(locations)
        plots = [self.plot] * len(self.sites)
        coalitions.add_prices(program, list(self.utility), plots, max(self.makes), self.tastes)
        if self.everybody:
            coalitions.add_transfer_balance(program, self.shares)
        else:
            coalitions.add_no_transfers(program)
        coalitions.add_setup_cost(program, self.needs(len(program.marketplaces)))
        coalitions.add_living_cost(program, self.makes, self.tastes)
        coalitions.add_price_test(
            program, self.makes, self.time, travel, plots, self.utility, self.unit, self.least_gain
        )
        return program

    def _structure(self, locations: Sequence[float] | None) -> tuple[pyo.ConcreteModel, list[float]]:
        """Return an empty program that knows where the marketplaces are, and the hours of travel."""
        low, high = self.region
        locations = [(low + high) / 2] if locations is None else list(map(float, locations))
        if not 1 <= len(locations) <= self.marketplaces or not all(low <= at <= high for at in locations):
            allowed = f"1 to {self.marketplaces} numbers from {low:g} to {high:g}"
            raise InputError("locations", locations, allowed)
        program = pyo.ConcreteModel(name="coalition test")
        program.marketplaces = pyo.RangeSet(1, len(locations), doc="marketplaces")
        program.location = pyo.Param(program.marketplaces, initialize=dict(enumerate(locations, 1)), doc="d′")
        return program, self.travel(locations).tolist()

    # --- reading -------------------------------------------------------------------------------

    def read(self, program: pyo.ConcreteModel) -> dict[str, pd.DataFrame]:
        """Return the tables of a solved `program`: see `coalition_tables`."""
        sites, goods = list(program.sites), list(program.goods)
        members = {
            name: np.array([[pyo.value(variable[t, j]) for j in sites] for t in self.utility])
            for name, variable in (
                ("mass", program.member_mass), ("work", program.work),
                ("leisure", program.leisure), ("land", program.land_used),
            )
        }  # fmt: skip
        eaten = program.consumption
        members["consumption"] = np.array(
            [[[pyo.value(eaten[t, j, i]) for i in goods] for j in sites] for t in self.utility]
        )
        prices = np.array([price(program, program.coalition_commodity_balance[i]) for i in goods])
        rents = np.array([price(program, program.coalition_land_limit[j]) for j in sites])
        locations = [pyo.value(location) for location in program.location.values()]
        inputs = [pyo.value(used) for used in program.setup_input.values()]
        return coalition_tables(
            self, locations, float(pyo.value(program.gain)), members, inputs,
            prices / prices.sum(), rents / prices.sum(),
        )  # fmt: skip

    def read_prices(self, program: pyo.ConcreteModel) -> dict[str, pd.DataFrame]:
        """Return the same tables from a solved `price_program`: its multipliers are the members.

        Members buy what minimises the cost of their utility (Shephard's lemma). No members if
        nobody could set the marketplaces up.
        """
        names, sites = list(self.utility), range(len(self.sites))
        prices = np.array([pyo.value(p) for p in program.commodity_price.values()])
        rents = np.array([pyo.value(r) for r in program.land_rent.values()])
        gain = float(pyo.value(program.gain))
        people = np.array([[price(program, program.price_test[t, j]) for j in sites] for t in names])
        costs = np.array([[pyo.value(program.living_cost[t, j]) for j in sites] for t in names])
        unit, tested = np.array(list(self.unit.values())), np.array(list(self.utility.values()))
        nobody = (
            float(unit @ (people * costs).sum(axis=1)) < 0.5
        )  # one by stationarity in λ, unless λ is at its lower bound
        people = np.where((people > 1e-7 * people.sum()) & (not nobody), people, 0.0)
        people = people / max(people.sum(), 1e-300)
        reached = people * (tested + gain * unit)[:, None]
        leisure, land, eaten = *np.zeros((2, *people.shape)), np.zeros((*people.shape, len(prices)))
        for t, taste in enumerate(self.tastes.values()):
            shares, spent = np.array(taste.commodities), reached[t] * costs[t]
            if taste.substitutes:
                eaten[t] = np.outer(spent, shares / prices)
                leisure[t] = spent * taste.leisure / prices[np.array(self.makes) - 1]
                land[t] = spent * taste.land / rents
            else:
                eaten[t] = np.outer(reached[t], shares)
        locations = list(program.location.values())
        work = (self.time - self.travel(locations)) * people - leisure
        members = {"mass": people, "work": work, "leisure": leisure, "land": land, "consumption": eaten}
        setup, cost = self.needs(len(program.marketplaces)), pyo.value(program.setup_cost)
        needs = cost * np.array(setup.shares) / prices if setup.composite > 0 else np.array(setup.needs)
        inputs = 0 * needs if nobody else needs
        return coalition_tables(self, locations, gain, members, inputs, prices, rents)

    def expected_tables(self) -> dict[str, TableSpec]:
        """Return the tables, with a column for what is eaten of each commodity."""
        goods = {"consumption_*": range(1, max(self.makes) + 1)}
        narrowed = {name: spec.narrowed(each=goods) for name, spec in self.tables_spec.items()}
        return {**narrowed, "structures": self.tables_spec["structures"]}

    def expected_rows(self) -> dict[str, pd.DataFrame]:
        """Return what the rows of the tables are about: types, sites and commodities."""
        return coalition_rows([kind.name for kind in self.types], len(self.sites), max(self.makes))

    def conditions(self, tables: Tables, tolerance: float = 1e-6) -> tuple[Condition, ...]:
        """Evaluate section 2.12 from the tables alone: that it is a coalition, and gains that much."""
        return coalition_conditions(self, tables, tolerance)


def _taste(given: Leontief | CobbDouglas) -> Taste:
    """Return a utility as numbers."""
    if isinstance(given, Leontief):
        return Taste(given.coefficients, 0.0, 0.0, substitutes=False)
    return Taste(given.commodities, given.leisure, given.land, substitutes=True)


def coalition_tables(
    test: CoalitionTest,
    locations: Sequence[float],
    gain: float,
    members: Mapping[str, Vector],
    setup_input: Sequence[float] | Vector,
    prices: Vector,
    rents: Vector,
) -> dict[str, pd.DataFrame]:
    """Return the tables of a coalition of mass one.

    Parameters
    ----------
    test : CoalitionTest
        What is tested.
    locations : sequence (k,)
        d′, positions on the line.
    gain : float
        λ.
    members : mapping of array (types, J) and, for ``consumption``, (types, J, I)
        ``mass`` m_tj; totals of ``work``, ``leisure``, ``land``, ``consumption`` C_tji.
    setup_input, prices, rents : array (I,), (I,), (J,)
        Q_i; p_i summing to one; r_j.

    Returns
    -------
    dict of DataFrame
        ``members`` (type and site: mass, hours, land, ``consumption_1`` …, ``utility`` a head),
        ``types`` (share of the coalition, mass of the largest such coalition, tested utility, and what
        members must reach), ``marketplaces``, ``commodities`` (``setup_input``, ``price``), ``sites``
        (``travel``, ``rent``), ``totals`` (``gain``, ``coalition_mass``).
    """
    names, travel, consumption = list(test.utility), test.travel(locations), members["consumption"]
    shares, masses = members["mass"].sum(axis=1), np.array(list(test.masses.values()))
    large = shares > FEW
    scale = float((masses[large] / shares[large]).min()) if large.any() else 0.0
    frame = pd.DataFrame(
        {
            "type": np.repeat(names, len(travel)),
            "site": np.tile(np.arange(len(travel)), len(names)),
            **{name: members[name].ravel() for name in ("mass", "work", "leisure", "land")},
            **{f"consumption_{i + 1}": consumption[..., i].ravel() for i in range(consumption.shape[-1])},
        }
    )
    uses = np.concatenate([consumption, members["leisure"][..., None], members["land"][..., None]], axis=-1)
    reached = [_utility(test.tastes[name], uses[t]) for t, name in enumerate(names)]
    with np.errstate(divide="ignore", invalid="ignore"):
        frame["utility"] = np.where(frame["mass"] > 0, np.ravel(reached) / frame["mass"], np.nan)
    return {
        "members": frame,
        "types": pd.DataFrame(
            {
                "type": names,
                "share": shares,
                "mass": np.minimum(scale * shares, masses),
                "tested_utility": list(test.utility.values()),
                "required_utility": [test.utility[name] + gain * test.unit[name] for name in names],
            }
        ),
        "marketplaces": pd.DataFrame({"marketplace": range(1, len(locations) + 1), "location": locations}),
        "commodities": pd.DataFrame(
            {"commodity": range(1, len(prices) + 1), "setup_input": setup_input, "price": prices}
        ),
        "sites": pd.DataFrame({"site": range(len(travel)), "travel": travel, "rent": rents}),
        "totals": pd.DataFrame({"gain": [gain], "coalition_mass": [scale * float(shares.sum())]}),
    }


def _utility(taste: Taste, uses: Vector) -> Vector:
    """Return the utility of totals of commodities, leisure and land, (J, I + 2) → (J,)."""
    shares = np.array([*taste.commodities, taste.leisure, taste.land])
    used, kept = uses[:, shares > 0], shares[shares > 0]
    reached: Vector = (
        np.prod(np.maximum(used, 0.0) ** kept, axis=1) if taste.substitutes else (used / kept).min(axis=1)
    )
    return reached
