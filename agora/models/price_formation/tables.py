"""What the tables of a market over time hold."""

from __future__ import annotations

from agora.models.table_spec import Column, TableSpec

_ASSET = Column("asset", kind="whole", optional="several assets")
_NODE = Column("node", kind="whole", optional="random supply")
_TIME, _COST = Column("time", "time"), "numéraire per agent"

MARKET_TABLES: dict[str, TableSpec] = {
    "price": TableSpec(
        (
            _ASSET,
            _NODE,
            _TIME,
            Column("probability", "dimensionless", optional="random supply"),
            Column("price", "numéraire per unit of the asset"),
            Column("supply", "units of the asset per agent and time"),
        ),
        key=("asset", "node", "time"),
    ),
    "paths": TableSpec(
        (
            Column("agent", kind="whole"),
            Column("path", kind="whole"),
            _ASSET,
            _NODE,
            _TIME,
            Column("state", "units of the asset per agent"),
            Column(
                "control", "units of the asset per agent and time", missing="nobody trades at the horizon"
            ),
            Column("weight", "mass of agents"),
        ),
        key=("agent", "path", "asset", "node", "time"),
    ),
    "totals": TableSpec(
        (
            Column("population_cost", _COST),
            Column("trading_cost", _COST),
            Column("running_cost", _COST),
            Column("terminal_cost", _COST),
            Column("revenue", _COST),
        )
    ),
}
"""Tables of prices and of everybody's trades."""
