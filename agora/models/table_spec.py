"""What a model's tables hold: their columns, keys and units, declared once, and read by whoever needs it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import pandas as pd
from pandas.api.types import infer_dtype

from agora.data.checks import InputError

DIMENSIONLESS = "dimensionless"
"""The unit of a number that has none."""

Kind = Literal["number", "whole", "truth", "name", "spot"]
"""What a column holds: a quantity; a whole number that counts or numbers; true or false; text or a whole
number that names something; a place that is a number on a line and a name elsewhere."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name : str
        Its name; a name that ends in ``*`` stands for one column a commodity, a cell and the like.
    unit : str
        The unit of a quantity, in words, or `DIMENSIONLESS`; nothing for what is no quantity.
    kind : str
        See `Kind`.
    missing : str
        Why an entry may be missing or infinite; nothing if it may not.
    optional : str
        When the table has the column; nothing if always.
    """

    name: str
    unit: str = ""
    kind: Kind = "number"
    missing: str = ""
    optional: str = ""

    def __post_init__(self) -> None:
        if self.kind == "number" and not self.unit:
            raise InputError(f"unit of the column {self.name}", self.unit, "given, or 'dimensionless'")

    @property
    def stem(self) -> str | None:
        """What the names of several columns begin with; None for one column."""
        return self.name[:-1] if self.name.endswith("*") else None

    def stands_for(self, name: str) -> bool:
        """Tell whether a column of a table is this one, or one of these."""
        return name == self.name or bool(self.stem and name.startswith(self.stem) and name != self.stem)


def columns(*names: str, unit: str = "", **further: Any) -> tuple[Column, ...]:
    """Return columns that differ in their names alone; `further` as in `Column`."""
    return tuple(Column(name, unit, **further) for name in names)


@dataclass(frozen=True)
class TableSpec:
    """One table of a model.

    Parameters
    ----------
    columns : tuple of Column
        In the order of the table.
    key : tuple of str
        The columns that identify its rows; none for a table of one row.
    complete : bool
        Whether every place of the model has its row (see `Model.expected_rows`).
    optional : str
        When an answer has the table; nothing if always.
    """

    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    complete: bool = True
    optional: str = ""

    def column(self, name: str) -> Column | None:
        """Return what is declared of a column, or None."""
        exact = next((each for each in self.columns if each.name == name), None)
        return exact or next((each for each in self.columns if each.stands_for(name)), None)

    def narrowed(
        self, having: Collection[str] = (), each: Mapping[str, Iterable[object]] | None = None
    ) -> TableSpec:
        """Return the table of one model: of the optional columns those it has, and stars spelled out.

        Parameters
        ----------
        having : collection of str
            The optional columns that the table has.
        each : mapping, optional
            Name with a star → what stands in its place, one column each.
        """
        spelled = each or {}
        columns: list[Column] = []
        for column in self.columns:
            if column.name in spelled:
                parts = spelled[column.name]
                columns += [replace(column, name=f"{column.stem}{part}", optional="") for part in parts]
            elif not column.optional or column.name in having:
                columns.append(replace(column, optional=""))
        names = {column.name for column in columns}
        return TableSpec(tuple(columns), tuple(name for name in self.key if name in names), self.complete)


def kind_of(column: Column | None, entries: Sequence[Any] | pd.Series) -> Kind:
    """Return what a column holds: as declared; of an undeclared one by its entries.

    Text, and whole numbers, name something; true and false are truths; all else are numbers. A place is a
    name unless its entries are numbers with a point.
    """
    if column is not None and column.kind != "spot":
        return column.kind
    told = infer_dtype(entries, skipna=False)
    if told == "boolean":
        return "truth"
    if told in ("string", "integer", "mixed-integer", "empty"):
        return "whole" if told == "integer" else "name"
    return "number"


def kinds_of(spec: TableSpec | None, table: pd.DataFrame | Mapping[str, Sequence[Any]]) -> dict[str, Kind]:
    """Return column → what it holds, for all columns of a table; `spec` is None for an undeclared table."""
    return {
        str(name): kind_of(spec.column(str(name)) if spec else None, table[name])  # type: ignore[index]
        for name in table
    }


def place_columns(spec: TableSpec | None, table: pd.DataFrame | Mapping[str, Sequence[Any]]) -> list[str]:
    """Return the columns that say which place a row is about: all before the first quantity or truth."""
    leading: list[str] = []
    for name, kind in kinds_of(spec, table).items():
        if kind in ("number", "truth"):
            break
        leading.append(name)
    return leading


def units_of(specs: Mapping[str, TableSpec]) -> dict[str, str]:
    """Return ``table.column`` → unit of every quantity, and column → the unit it has where it stands first.

    Nothing for dimensionless numbers, as in `Model.unit_for`.
    """
    units: dict[str, str] = {}
    for table, spec in specs.items():
        for column in spec.columns:
            if column.unit:
                unit = "" if column.unit == DIMENSIONLESS else column.unit
                units[f"{table}.{column.name}"] = unit
                units.setdefault(column.name, unit)
    return units
