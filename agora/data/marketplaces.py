"""Parameters of economies with marketplaces: consumers by their tastes, set-up needs, sites and railways."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

import networkx as nx
import numpy as np
from pydantic import Field, JsonValue, field_validator, model_validator

from agora.data.checks import InputError, finite, whole
from agora.data.fields import NOT_NEGATIVE, POSITIVE, Fields
from agora.data.frozen_geographies import given_geography

SHARES: Any = {"allowed": "a list of finite numbers >= 0"}
Number = Annotated[float, Field(ge=0)]


class Leontief(Fields):
    """Fixed proportions: u = min_i c_i / a_i."""

    kind: Literal["leontief"] = "leontief"
    coefficients: tuple[Number, ...] = Field(json_schema_extra=SHARES)
    """a_i ≥ 0 (I,), units of commodity i per unit of utility; not all zero."""

    @field_validator("coefficients")
    @classmethod
    def _some(cls, given: tuple[float, ...]) -> tuple[float, ...]:
        if not any(given):
            raise InputError("coefficients", given, "a list of numbers >= 0 that are not all zero")
        return given

    @property
    def goods(self) -> int:
        """Number of commodities, I."""
        return len(self.coefficients)


class CobbDouglas(Fields):
    """Constant expenditure shares: u = Π c_i^α_i · leisure^α_ℓ · land^α_L."""

    kind: Literal["cobb-douglas"] = "cobb-douglas"
    commodities: tuple[Number, ...] = Field(json_schema_extra=SHARES)
    """α_i ≥ 0 (I,)."""
    leisure: float = Field(default=0.0, ge=0, json_schema_extra=NOT_NEGATIVE)
    land: float = Field(default=0.0, ge=0, lt=1, json_schema_extra={"allowed": "a finite number in [0, 1)"})
    """α_ℓ and α_L ≥ 0; all exponents sum to one."""

    simplexes: ClassVar[tuple[tuple[str, ...], ...]] = (("commodities", "leisure", "land"),)

    @model_validator(mode="after")
    def _sums_to_one(self) -> Self:
        total = sum(self.commodities) + self.leisure + self.land
        if abs(total - 1) > 1e-9:
            raise InputError("sum of exponents", total, "1, over commodities, leisure and land")
        return self

    @property
    def goods(self) -> int:
        """Number of commodities, I."""
        return len(self.commodities)


class ConsumerType(Fields):
    """A type of consumers and what the tested allocation gives them."""

    name: str = Field(min_length=1)
    """Of the type, chosen by it."""
    mass: float = Field(gt=0, json_schema_extra=POSITIVE)
    """> 0, how many there are."""
    taste: Leontief | CobbDouglas = Field(discriminator="kind")
    """Utility, homogeneous of degree one."""
    utility: float = Field(ge=0, json_schema_extra=NOT_NEGATIVE)
    """ū ≥ 0, in the tested allocation."""


class SetupNeeds(Fields):
    """What one marketplace needs a head: fixed amounts of commodities, or of local labour."""

    kind: Literal["needs"] = "needs"
    amounts: tuple[Number, ...] = Field(json_schema_extra=SHARES)
    """Q_i ≥ 0 (I,), units a head and marketplace."""


class SetupComposite(Fields):
    """What one marketplace needs a head: q̄ units of the composite Π Q_i^γ_i."""

    simplexes: ClassVar[tuple[tuple[str, ...], ...]] = (("shares",),)

    kind: Literal["composite"] = "composite"
    amount: float = Field(gt=0, json_schema_extra=POSITIVE)
    """q̄ > 0, units a head and marketplace."""
    shares: tuple[Number, ...] = Field(json_schema_extra=SHARES)
    """γ_i ≥ 0 (I,), summing to one."""

    @field_validator("shares")
    @classmethod
    def _sums_to_one(cls, given: tuple[float, ...]) -> tuple[float, ...]:
        if abs(sum(given) - 1) > 1e-9:
            raise InputError("shares", given, "a list of numbers >= 0 that sum to 1")
        return given


class CoalitionParameters(Fields):
    """Whose coalition is looked for, and where; see `agora.models.marketplaces.coalition.CoalitionTest`."""

    types: tuple[ConsumerType, ...] = Field(min_length=1)
    sites: tuple[float, ...] = Field(min_length=1)
    makes: tuple[int, ...]
    setup: SetupNeeds | SetupComposite = Field(discriminator="kind")
    region: tuple[float, float]
    marketplaces: int = Field(default=1, ge=1, le=3, json_schema_extra={"allowed": "1, 2 or 3"})
    time: float = Field(default=2.0, gt=0, json_schema_extra=POSITIVE)
    plot: float = Field(default=1.0, gt=0, json_schema_extra=POSITIVE)
    everybody: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [kind.name for kind in self.types]
        if len(set(names)) < len(names):
            raise InputError("types (names)", names, "all different")
        if len(self.makes) != len(self.sites):
            raise InputError("makes (length)", len(self.makes), f"{len(self.sites)}, one for each site")
        needs = self.setup.amounts if isinstance(self.setup, SetupNeeds) else self.setup.shares
        for kind in self.types:
            if kind.taste.goods != len(needs):
                field, allowed = f"commodities of type {kind.name}", f"{len(needs)}, as in the set-up"
                raise InputError(field, kind.taste.goods, allowed)
        if set(self.makes) != set(range(1, len(needs) + 1)):
            raise InputError("makes", self.makes, f"a list that holds each commodity 1 … {len(needs)}")
        if not self.region[0] <= self.region[1]:
            raise InputError("region", self.region, "an interval (low, high) with low <= high")
        return self


# --- economies of identical people -------------------------------------------------------------------

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
                allowed = "a number >= 0, or a list of (from, to, cost)"
                raise InputError("railway.cost_per_length", given, allowed)
            return float(given)
        stretches = [tuple(finite("railway.cost_per_length", v) for v in stretch) for stretch in given]
        for before, after in zip([None, *stretches[:-1]], stretches, strict=True):
            if len(after) != 3 or after[1] <= after[0] or after[2] < 0 or (before and before[1] != after[0]):
                allowed = "a list of adjoining (from, to, cost) with from < to and cost >= 0"
                raise InputError("railway.cost_per_length", given, allowed)
        return tuple(stretches)


class MarketplaceParameters(Fields):
    """Sites, people and set-up costs; see `agora.models.marketplaces.marketplaces.Marketplaces`."""

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
            return tuple(_point(f"sites[{j}]", each) for j, each in enumerate(given))
        return tuple(finite(f"sites[{j}]", each) for j, each in enumerate(given))

    @field_validator("geography", mode="before")
    @classmethod
    def _two_way(cls, given: Any) -> Any:
        graph = given_geography(given)
        if graph.is_directed():
            raise InputError("geography", "a graph with one-way edges", "a graph with two-way edges only")
        return graph

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.geography is not None and self.sites:
            raise InputError("sites", list(self.sites), "left out: the sites are the cells of the geography")
        number, goods = self.number, len(self.commodity_shares)
        if self.geography is None and (number < 2 or len(set(self.sites)) < number):
            raise InputError("sites", list(self.sites), "two or more different positions")
        if len(self.makes) != number:
            raise InputError("makes", list(self.makes), f"one commodity a site, {number} in all")
        if len(self.setup_shares) != goods:
            allowed = f"one share a commodity, {goods} in all"
            raise InputError("setup_shares", list(self.setup_shares), allowed)
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

    @property
    def number(self) -> int:
        """Number of sites, J."""
        return len(self.sites) if self.geography is None else self.geography.number_of_nodes()


def _point(field: str, given: Any) -> tuple[float, ...]:
    """Return a pair of coordinates."""
    if not isinstance(given, list | tuple) or len(given) != 2:
        raise InputError(field, given, "a pair [x, y], as the other sites are")
    return tuple(finite(field, number) for number in given)
