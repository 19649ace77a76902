"""What the tables of marketplace economies and of coalitions hold."""

from __future__ import annotations

import pandas as pd

from agora.models.table_spec import Column, TableSpec, columns

_HOURS, _GOODS, _PRICE = "hours of a head", "units of the commodity", "share of the unit simplex of prices"
_PLANE, _NETWORK = "sites in the plane", "sites on a network"
_POINT = columns("x", "y", unit="distance", optional=_PLANE)
_SEARCH = "marketplaces that are not given"
_GAIN = "share of the tested utility (utility where that is nothing)"

MARKETPLACE_TABLES: dict[str, TableSpec] = {
    "sites": TableSpec(
        (
            Column("site", kind="whole"),
            Column("position", "distance", kind="spot"),
            *_POINT,
            Column("makes", kind="whole"),
            Column("marketplace", "distance", kind="spot"),
            Column("travel", _HOURS),
            Column("population", "share of people"),
            Column("production", _GOODS),
            Column("leisure", "hours"),
            Column("land", "land"),
            *columns("wage", "rent", unit=_PRICE),
            Column("consumption_*", _GOODS),
        ),
        key=("site",),
    ),
    "marketplaces": TableSpec(
        (
            Column("marketplace", kind="whole"),
            Column("location", "distance", kind="spot"),
            *_POINT,
            *columns("cell", "towards", kind="name", optional=_NETWORK),
            Column("distance", "distance", optional=_NETWORK),
            Column("users", "share of people"),
        ),
        key=("marketplace",),
    ),
    "prices": TableSpec(
        (Column("kind", kind="name"), Column("of", kind="whole"), Column("price", _PRICE)), key=("kind", "of")
    ),
    "totals": TableSpec(
        (
            Column("utility", "utility"),
            Column("marketplaces", kind="whole"),
            Column("setup_need", "composites"),
            *columns("fee", "rent_income", unit=_PRICE),
            Column("setup_input_*", _GOODS),
        )
    ),
    "structures": TableSpec(
        (
            Column("marketplaces", kind="whole"),
            *columns("utility", "bound", unit="utility"),
            Column("locations", kind="name"),
            Column("used", kind="whole", optional=_SEARCH),
            Column("distinct", kind="truth", optional=_SEARCH),
            Column("boxes", kind="whole", optional=_SEARCH),
        ),
        key=("marketplaces", "locations"),
        optional="answers of a method",
    ),
}
"""Tables of a marketplace economy, that of the search too."""


COALITION_TABLES: dict[str, TableSpec] = {
    "members": TableSpec(
        (
            Column("type", kind="name"),
            Column("site", kind="whole"),
            Column("mass", "mass of people"),
            *columns("work", "leisure", unit="hours"),
            Column("land", "land"),
            Column("consumption_*", _GOODS),
            Column("utility", "utility", missing="nobody of the type lives there"),
        ),
        key=("type", "site"),
    ),
    "types": TableSpec(
        (
            Column("type", kind="name"),
            Column("share", "dimensionless"),
            Column("mass", "mass of people"),
            *columns("tested_utility", "required_utility", unit="utility"),
        ),
        key=("type",),
    ),
    "marketplaces": TableSpec(
        (Column("marketplace", kind="whole"), Column("location", "distance")), key=("marketplace",)
    ),
    "commodities": TableSpec(
        (
            Column("commodity", kind="whole"),
            Column("setup_input", _GOODS),
            Column("price", "numéraire per unit of the commodity"),
        ),
        key=("commodity",),
    ),
    "sites": TableSpec(
        (
            Column("site", kind="whole"),
            Column("travel", _HOURS),
            Column("rent", "numéraire per unit of land"),
        ),
        key=("site",),
    ),
    "totals": TableSpec((Column("gain", _GAIN), Column("coalition_mass", "mass of people"))),
    "structures": TableSpec(
        (
            Column("number", kind="whole"),
            *columns("gain", "bound", unit=_GAIN),
            Column("locations", kind="name"),
            *columns("solved", "simplices", kind="whole"),
        ),
        key=("number",),
        optional="answers of a method",
    ),
}
"""Tables of a coalition of mass one; the numéraire is a unit of each commodity."""


def coalition_rows(types: list[str], sites: int, goods: int) -> dict[str, pd.DataFrame]:
    """Return what the rows of a coalition's tables are about, see `Model.expected_rows`."""
    members = {"type": [name for name in types for _ in range(sites)], "site": [*range(sites)] * len(types)}
    return {
        "members": pd.DataFrame(members),
        "types": pd.DataFrame({"type": types}),
        "commodities": pd.DataFrame({"commodity": range(1, goods + 1)}),
        "sites": pd.DataFrame({"site": range(sites)}),
    }


def marketplace_rows(sites: int, goods: int) -> dict[str, pd.DataFrame]:
    """Return what the rows of an economy's tables are about, see `Model.expected_rows`."""
    kinds = ["commodity"] * goods + ["wage"] * sites + ["rent"] * sites
    numbers = [*range(1, goods + 1), *range(sites), *range(sites)]
    return {
        "sites": pd.DataFrame({"site": range(sites)}),
        "prices": pd.DataFrame({"kind": kinds, "of": numbers}),
    }
