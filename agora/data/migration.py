"""Trade costs as users hand them in: a matrix, a table of pairs, or a rate on a geography."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field

from agora.data.checks import MISSING, InputError, finite
from agora.data.fields import NOT_NEGATIVE, FilePath, Kind, kinds, read_kind
from agora.data.tables import read_table

COLUMNS = ("origin", "destination", "cost")
"""Columns of a table of trade costs."""


class TradeRate(Kind):
    """Iceberg costs e^{rate · distance} along the shortest path of a geography."""

    kind: Literal["rate"] = "rate"
    rate: float = Field(ge=0, json_schema_extra=NOT_NEGATIVE)
    """Logarithmic cost per unit of length, ≥ 0."""


class TradeTable(Kind):
    """Iceberg costs in a table with the columns origin, destination, cost, see `read_trade_costs`."""

    kind: Literal["file"] = "file"
    file: FilePath
    """CSV, Parquet or XLSX."""
    sheet: str | None = None
    """The sheet of an XLSX file; its first unless given."""


TRADE_COSTS: dict[str, type[TradeRate | TradeTable]] = kinds(TradeRate, TradeTable)
"""The kinds of tables of trade costs; a table without a kind is told by its fields."""


def as_trade_costs(field: str, given: Any) -> TradeRate | TradeTable | tuple[tuple[float, ...], ...]:
    """Return trade costs as a user means them: a table of a kind, or a matrix.

    Raises `InputError` as `checked_costs`, or for a bad table.
    """
    if isinstance(given, TradeRate | TradeTable):
        return given
    if isinstance(given, Mapping):
        kind = "file" if "file" in given else "rate"
        return read_kind(field, {"kind": kind, **given}, TRADE_COSTS)
    return checked_costs(field, given)


def checked_costs(field: str, given: Any) -> tuple[tuple[float, ...], ...]:
    """Return a square matrix of iceberg costs τ(o, d) ≥ 1, rows origins, columns destinations.

    A location's cost of serving itself may exceed 1 (distances within it). The matrix need not be symmetric,
    nor obey the triangle inequality. Raises `InputError` if it is not square with at least two rows, or an
    entry is not a finite number ≥ 1.
    """
    shape = "a square matrix of at least 2 rows, one list of costs an origin"
    if not isinstance(given, list | tuple | np.ndarray) or len(given) < 2:
        raise InputError(field, given, shape)
    for origin, row in enumerate(given):
        if not isinstance(row, list | tuple | np.ndarray) or len(row) != len(given):
            raise InputError(
                f"{field}[{origin}]", row, f"a list of {len(given)} costs, as many as there are rows"
            )
    try:
        costs = np.array([[float(cost) for cost in row] for row in given])
    except (TypeError, ValueError):
        costs = None
    if costs is None or not (np.isfinite(costs) & (costs >= 1)).all():
        for origin, row in enumerate(given):
            for destination, cost in enumerate(row):
                entry, allowed = f"{field}[{origin}][{destination}]", "a finite number >= 1"
                if finite(entry, cost, allowed) < 1:
                    raise InputError(entry, cost, allowed)
    assert costs is not None
    return tuple(map(tuple, costs.tolist()))


def read_trade_costs(given: TradeTable) -> tuple[tuple[str, ...], tuple[tuple[float, ...], ...]]:
    """Read trade costs from a file with the columns origin, destination, cost.

    Every ordered pair of different locations has one row; a location's cost to itself is 1 unless given.

    Returns
    -------
    tuple
        The names of the locations in sorted order (numbers by size), and the matrix of costs.

    Raises
    ------
    InputError
        For a file that cannot be read, columns that are missing, a bad cost, a pair twice or not at all.
    """
    field = "trade_cost.file"
    table = read_table(given.file, field, sheet=given.sheet)
    origins, destinations = (table.names(column, of="a location") for column in COLUMNS[:2])
    pairs: dict[tuple[str, str], float] = {}
    costs_there = zip(origins, destinations, table.numbers("cost"), strict=True)
    for row, (origin, destination, cost) in enumerate(costs_there):
        if (origin, destination) in pairs:
            raise InputError(table.position(row), f"{origin} to {destination}", "a pair that is given once")
        if cost < 1:
            raise InputError(f"cost in {table.position(row)}", cost, "a finite number >= 1")
        pairs[origin, destination] = cost
    names = sorted({name for pair in pairs for name in pair})
    if all(name.isdecimal() for name in names):
        names.sort(key=int)
    if len(names) < 2:
        raise InputError(field, table.file.name, "a table of at least 2 locations")
    costs = np.ones((len(names), len(names)))
    for o, origin in enumerate(names):
        for d, destination in enumerate(names):
            if o != d and (origin, destination) not in pairs:
                raise InputError(f"{field}, cost from {origin} to {destination}", MISSING, "given in a row")
            costs[o, d] = pairs.get((origin, destination), 1.0)
    return tuple(names), tuple(map(tuple, costs.tolist()))
