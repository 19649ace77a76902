"""What models of sectors share: tables, preferences, technology, labour, numbers that vary over sectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import networkx as nx
import numpy as np
from pydantic import Field, JsonValue, field_validator, model_validator

from agora.data.checks import InputError, positive
from agora.data.fields import NOT_NEGATIVE, POSITIVE, kinds, read_kind
from agora.data.profiles import Bump, Profile, Sine, Uniform
from agora.formulations.sectors.short_run_numbers import ShortRun
from agora.models.spatial import SpatialModel
from agora.models.table_spec import Column, TableSpec, columns
from agora.typing import Vector

_SHARE: dict[str, JsonValue] = {"allowed": "a number > 0 and < 1"}
_PROFILES: dict[str, type[Profile]] = kinds(Uniform, Sine, Bump)


_SECTOR, _TIME = Column("sector", kind="name"), Column("time", "time")
_FIRMS, _LABOR = Column("firms", "mass of firms"), Column("labor", "mass of workers")
_OUTPUT = Column("output", "units of the sector's good")
_CONSUMPTION = Column("consumption", "units of the consumption index")

SHORT_RUN_TABLES: dict[str, TableSpec] = {
    "sectors": TableSpec(
        (
            *(_SECTOR, _FIRMS, _LABOR, _OUTPUT),
            Column("price", "consumption per unit of output"),
            Column("wage", "consumption per worker"),
            Column("profit_rate", "consumption per firm"),
        ),
        key=("sector",),
    ),
    "totals": TableSpec((_CONSUMPTION,)),
}
"""Tables of the short run, in units of the consumption index."""

REALLOCATION_TABLES: dict[str, TableSpec] = {
    "path": TableSpec(
        (
            *(_TIME, _SECTOR, _FIRMS),
            Column("profit_rate", "numéraire per firm"),
            _LABOR,
            Column("price", "numéraire per unit of output"),
            _OUTPUT,
            Column("wage", "numéraire per worker"),
        ),
        key=("time", "sector"),
    ),
    "aggregate": TableSpec(
        (
            *(_TIME, _CONSUMPTION),
            Column("reallocation_cost", "numéraire"),
            Column("profit_spread", "numéraire per firm"),
            Column("potential", "numéraire"),
        ),
        key=("time",),
    ),
    "reallocation": TableSpec(
        (_TIME, *columns("origin", "destination", kind="name"), Column("flow", "mass of firms")),
        key=("time", "origin", "destination"),
        optional="method 'minimizing-movement' alone",
    ),
}
"""Tables of firms on the move."""


def profile(field: str, given: Any) -> tuple[float, ...] | Profile:
    """Return a checked profile from a number, a list of numbers > 0, or a table such as {kind = "sine"}.

    The position x of a sector is the node attribute ``x``; on a circle its number over that of sectors.
    """
    allowed = "a number > 0, a list of numbers > 0, or a table { kind = 'uniform', 'sine' or 'bump', … }"
    if isinstance(given, Profile):
        return given
    if isinstance(given, Mapping):
        return read_kind(field, given, _PROFILES)
    if isinstance(given, int | float) and not isinstance(given, bool):
        return (positive(field, given),)
    values = given.tolist() if hasattr(given, "tolist") else given
    if isinstance(values, str) or not isinstance(values, Sequence) or not values:
        raise InputError(field, given, allowed)
    return tuple(positive(f"{field}[{k}]", value) for k, value in enumerate(values))


class SectorEconomy(SpatialModel):
    """Sectors on a geography that make differentiated goods from firms and labour.

    The land of a sector is its number of varieties, λ: on a segment of I cells each is 1/I of a continuum of
    goods, and sums over sectors weighted by land are integrals over [0, 1]. ``firms`` and ``labor`` in tables
    are masses, which sum to N and L̄; densities are masses per unit of land.
    """

    needs_one_piece: ClassVar[bool] = False
    unit_of: ClassVar[Mapping[str, str]] = {
        "land": "varieties",
        "firms": "mass of firms",
        "labor": "mass of workers",
    }

    firm_share: float = Field(gt=0, lt=1, json_schema_extra=_SHARE)
    substitution: float = Field(gt=0, json_schema_extra=POSITIVE)
    firms: float = Field(default=1.0, gt=0, json_schema_extra=POSITIVE)
    labor: float = Field(default=1.0, gt=0, json_schema_extra=POSITIVE)
    productivity: tuple[float, ...] | Profile = (1.0,)
    preferences: tuple[float, ...] | Profile = (1.0,)
    externality: float = Field(default=0.0, ge=0, json_schema_extra=NOT_NEGATIVE)
    immobile_labor: tuple[float, ...] | Profile | None = None

    @field_validator("geography", mode="after")
    @classmethod
    def _both_ways(cls, graph: nx.Graph) -> nx.Graph:
        if graph.is_directed():
            allowed = "undirected: firms move both ways at the same cost (undirected = true reads it so)"
            raise InputError("geography", "a directed graph", allowed)
        return graph

    @field_validator("productivity", "preferences", "immobile_labor", mode="before")
    @classmethod
    def _profiles(cls, given: Any, info: Any) -> Any:
        mobile = info.field_name == "immobile_labor" and given is None
        return None if mobile else profile(info.field_name, given)

    @model_validator(mode="after")
    def _lengths(self) -> SectorEconomy:
        if 0 < abs(self.substitution - 1) < 1e-6:
            raise InputError("substitution", self.substitution, "1, or at least 1e-6 away from it")
        for name in ("productivity", "preferences", "immobile_labor"):
            given = getattr(self, name)
            if given is not None:
                self.over_sectors(name, given)
        return self

    def over_sectors(self, name: str, given: tuple[float, ...] | Profile) -> Vector:
        """Return a profile as an array (I,), in the sorted order of the sectors; raises `InputError`."""
        number = self.network.number
        if isinstance(given, Profile):
            values = given.over(np.zeros(number) if isinstance(given, Uniform) else self._positions(name))
            if not values.min() > 0:
                cell = self.network.cells[int(values.argmin())]
                allowed = "a number > 0 in every sector (add a floor)"
                raise InputError(name, f"{values.min():g} in sector {cell!r}", allowed)
            return values
        if len(given) == 1:
            return np.full(number, given[0])
        if len(given) != number:
            raise InputError(name, f"{len(given)} numbers", f"a number, or one a sector, {number} in all")
        return np.array(given)

    def _positions(self, name: str) -> Vector:
        graph, cells = self.geography, self.network.cells
        if graph.graph.get("kind") == "circle":
            return np.arange(len(cells)) / len(cells)
        if not all("x" in graph.nodes[cell] for cell in cells):
            raise InputError(name, "a function of x", "a list, since the sectors have no attribute x")
        return np.array([graph.nodes[cell]["x"] for cell in cells], dtype=float)

    @cached_property
    def positions(self) -> Vector:
        """Where sectors stand on the axis of a picture: as profiles see them, else their number."""
        try:
            return self._positions("positions")
        except InputError:
            return np.arange(self.network.number, dtype=float)

    @cached_property
    def economy(self) -> ShortRun:
        """Preferences, technology and labour as arrays."""
        land = self.network.land
        tastes = land * self.over_sectors("preferences", self.preferences)
        fixed = None
        if self.immobile_labor is not None:
            fixed = land * self.over_sectors("immobile_labor", self.immobile_labor)
            fixed = self.labor * fixed / fixed.sum()
        return ShortRun(
            firm_share=self.firm_share,
            substitution=self.substitution,
            externality=self.externality,
            tastes=tastes / tastes.sum() if self.substitution == 1 else tastes,
            productivity=self.over_sectors("productivity", self.productivity),
            varieties=land,
            labor=self.labor,
            immobile=fixed,
        )

    def by_sector(self, values: Vector) -> dict[Any, float]:
        """Return numbers (I,) by the names of the sectors."""
        return dict(zip(self.network.cells, values.tolist(), strict=True))

    def spread_out(self, name: str, given: tuple[float, ...] | Profile) -> Vector:
        """Return masses of firms (I,) that sum to N, in proportion to land times a profile of densities."""
        relative = self.network.land * self.over_sectors(name, given)
        masses: Vector = self.firms * relative / relative.sum()
        return masses
