"""Trade costs as users hand them in: a matrix, a table of pairs, or a rate on a geography."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from agora.data.checks import MISSING, InputError, finite
from agora.data.fields import Fields
from agora.data.tables import read_table

COLUMNS = ("origin", "destination", "cost")
"""Columns of a table of trade costs."""


class TradeRate(Fields):
    """Iceberg costs e^{rate · distance} along the shortest path of a geography.

    Parameters
    ----------
    rate : float
        Logarithmic cost per unit of length, ≥ 0.
    """

    rate: float = Field(ge=0, json_schema_extra={"allowed": "a finite number >= 0"})


def checked_costs(field: str, given: Any) -> tuple[tuple[float, ...], ...]:
    """Return a square matrix of iceberg costs τ(o, d) ≥ 1, rows origins, columns destinations.

    A place's cost of serving itself may exceed 1 (distances within the place). The matrix need not be
    symmetric, nor obey the triangle inequality.

    Raises
    ------
    InputError
        If it is not square with at least two rows, or an entry is not a finite number ≥ 1.
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
                place, allowed = f"{field}[{origin}][{destination}]", "a finite number >= 1"
                if finite(place, cost, allowed) < 1:
                    raise InputError(place, cost, allowed)
    assert costs is not None
    return tuple(map(tuple, costs.tolist()))


def read_trade_costs(
    file: str | Path, sheet: str | None = None
) -> tuple[tuple[str, ...], tuple[tuple[float, ...], ...]]:
    """Read trade costs from a CSV, Parquet or XLSX file with the columns origin, destination, cost.

    Every ordered pair of different places stands in one row; a place's cost to itself is 1 unless given.

    Returns
    -------
    tuple
        The names of the places in sorted order (numbers by size), and the matrix of costs.

    Raises
    ------
    InputError
        For a file that cannot be read, columns that are missing, a bad cost, a pair twice or not at all.
    """
    field = "trade_cost.file"
    table = read_table(file, field, sheet=sheet)
    origins, destinations = (table.names(column, of="a place") for column in COLUMNS[:2])
    pairs: dict[tuple[str, str], float] = {}
    costs_there = zip(origins, destinations, table.numbers("cost"), strict=True)
    for row, (origin, destination, cost) in enumerate(costs_there):
        if (origin, destination) in pairs:
            raise InputError(table.place(row), f"{origin} to {destination}", "a pair that is given once")
        if cost < 1:
            raise InputError(f"cost in {table.place(row)}", cost, "a finite number >= 1")
        pairs[origin, destination] = cost
    names = sorted({name for pair in pairs for name in pair})
    if all(name.isdecimal() for name in names):
        names.sort(key=int)
    if len(names) < 2:
        raise InputError(field, str(file), "a table of at least 2 places")
    costs = np.ones((len(names), len(names)))
    for o, origin in enumerate(names):
        for d, destination in enumerate(names):
            if o != d and (origin, destination) not in pairs:
                raise InputError(f"{field}, cost from {origin} to {destination}", MISSING, "given in a row")
            costs[o, d] = pairs.get((origin, destination), 1.0)
    return tuple(names), tuple(map(tuple, costs.tolist()))


def trade_cost_table(
    given: Mapping[str, Any],
) -> tuple[tuple[str, ...], tuple[tuple[float, ...], ...]] | None:
    """Return names and costs if a mapping names a file, else None."""
    if set(given) != {"file"}:
        return None
    if not isinstance(given["file"], str | Path):
        raise InputError("trade_cost.file", given["file"], "the path of a CSV file")
    return read_trade_costs(given["file"])
