"""What the tables of models of sectors hold."""

from __future__ import annotations

from agora.models.table_spec import Column, TableSpec, columns

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
