"""What the tables of a market over time hold."""

from __future__ import annotations

from agora.models.table_spec import Column, TableSpec, columns

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
