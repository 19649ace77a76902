"""A user's own tables, checked against what a model declares: each failure is one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agora.data.checks import MISSING, InputError, nearest
from agora.models.model import Model
from agora.models.table_spec import Column, TableSpec
from agora.typing import Vector

FEW_NAMES = 12
"""Names up to which a sentence lists all that are allowed."""

_HOLDS = {
    "number": "finite numbers",
    "whole": "whole numbers",
    "truth": "true or false",
    "name": "names",
    "spot": "names or numbers",
}


def checked_tables(model: Model, tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return a user's tables as the model would write them: all there, with its names and in its order.

    Tables and columns that the model does not declare are left as they are. A model that declares no tables
    takes everything. Raises `InputError` for the first table or column that is missing, entry that may not be
    as it is, or row that is unknown, given twice or missing: names the table, the column, the row and what is
    allowed.
    """
    checked, rows = dict(tables), model.expected_rows()
    for name, spec in model.expected_tables().items():
        if name in checked:
            checked[name] = _Check(name, spec, checked[name]).against(rows.get(name))
        elif not spec.optional:
            columns = ", ".join(column.name for column in spec.columns)
            raise InputError(f"tables[{name!r}]", MISSING, f"a table with the columns {columns}")
    return checked


class _Check:
    """One table against its declaration."""

    def __init__(self, name: str, spec: TableSpec, table: pd.DataFrame) -> None:
        if not isinstance(table, pd.DataFrame):
            raise InputError(f"tables[{name!r}]", table, "a pandas DataFrame")
        self.name, self.spec = name, spec
        self.table = table.reset_index(drop=True)
        self.columns = [str(column) for column in table.columns]
        self.key = [column for column in spec.key if column in self.columns]

    def against(self, expected: pd.DataFrame | None) -> pd.DataFrame:
        """Return the table, its rows in the order of those expected, if it is sound."""
        for column in self.spec.columns:
            self._check_column(column)
        if not self.spec.key and len(self.table) != 1:
            raise InputError(f"{self.name} (rows)", len(self.table), "1, a table of one row")
        if self.spec.complete and not len(self.table):
            raise InputError(f"{self.name} (rows)", 0, "at least 1")
        if expected is not None:
            return self._matched(expected)
        self._check_distinct(self.key)
        return self.table

    def fault(self, column: str, row: int, allowed: str) -> InputError:
        """Return the sentence about an entry: table, column and row, the entry, what is allowed."""
        entry = self.table[column].tolist()[row]
        here = self.table[[name for name in self.key if name != column]].iloc[row].tolist()
        place = f" ({', '.join(map(str, here))})" if here else ""
        return InputError(f"{self.name}.{column} in row {row + 1}{place}", entry, allowed)

    def _refuse(self, column: str, wrong: NDArray[np.bool_], allowed: str) -> None:
        """Raise the sentence about the first entry that is wrong, if there is one."""
        if wrong.any():
            raise self.fault(column, int(wrong.argmax()), allowed)

    # --- entries -------------------------------------------------------------------------------

    def _check_column(self, column: Column) -> None:
        names = [name for name in self.columns if column.stands_for(name)]
        if not names and not column.optional:
            unit = f", in {column.unit}" if column.unit else ""
            allowed = f"a column of {_HOLDS[column.kind]}{unit}"
            raise InputError(f"{self.name}.{column.name}", MISSING, allowed)
        for name in names:
            entries = self.table[name]
            if column.kind in ("number", "whole"):
                self._check_numbers(column, name, entries)
            else:
                allowed = "true or false" if column.kind == "truth" else "a name"
                self._refuse(name, entries.isna().to_numpy(), allowed)

    def _check_numbers(self, column: Column, name: str, entries: pd.Series) -> None:
        if isinstance(entries.dtype, np.dtype) and entries.dtype.kind in "if":
            numbers: Vector = entries.to_numpy(dtype=float)
            wrong = np.zeros(len(numbers), dtype=bool)
        else:
            numbers = pd.to_numeric(entries, errors="coerce").to_numpy(dtype=float)
            wrong = entries.notna().to_numpy() & np.isnan(numbers)
        if not column.missing:
            wrong = wrong | ~np.isfinite(numbers)
        if column.kind == "whole":
            wrong = wrong | (numbers != np.round(numbers))
        self._refuse(name, wrong, "a whole number" if column.kind == "whole" else "a finite number")
        if entries.dtype.kind not in ("i" if column.kind == "whole" else "if"):
            self.table[name] = numbers if column.kind == "number" else numbers.astype(np.int64)

    # --- rows ----------------------------------------------------------------------------------

    def _matched(self, expected: pd.DataFrame) -> pd.DataFrame:
        """Return the table with the expected names, every row once and in their order."""
        named = [str(name) for name in expected if not pd.api.types.is_float_dtype(expected[name])]
        for name in named:
            self._rename(name, expected[name].tolist())
        self._check_distinct(self.key)
        if not self.spec.complete or not len(expected):
            return self.table
        free = [name for name in self.key if name not in expected]
        if len(named) < len(expected.columns):  # some are numbers: that there are as many is all that is told
            self._check_number(free, len(expected))
            return self.table
        listed_places = zip(*(expected[name].tolist() for name in named), strict=True)
        places = {place: k for k, place in enumerate(listed_places)}
        listed = zip(*(self.table[name].tolist() for name in named), strict=True)
        positions = np.array([places.get(place, -1) for place in listed], dtype=int)
        self._refuse(named[-1], positions < 0, _one_of(expected[named[-1]].tolist()))
        self._check_complete(free, positions, list(places))
        order = np.lexsort([positions, *(self.table[name].to_numpy() for name in reversed(free))])
        if (np.diff(order) == 1).all():
            return self.table
        return self.table.iloc[order].reset_index(drop=True)

    def _rename(self, column: str, names: list[Any]) -> None:
        """Put the model's own names for those of a column: a file may have made numbers of text."""
        known = {str(name): name for name in names}
        entries = self.table[column].tolist()
        written = [_written(entry) for entry in entries]
        for row, name in enumerate(written):
            if name not in known:
                raise self.fault(column, row, _one_of(list(known), name))
        own = [known[name] for name in written]
        if own != entries:
            self.table[column] = own

    def _check_distinct(self, key: list[str]) -> None:
        again = self.table.duplicated(key) if key else pd.Series(dtype=bool)
        if again.any():
            row = int(again.argmax())
            same = (self.table[key] == self.table[key].iloc[row]).all(axis=1)
            raise self.fault(key[-1], row, f"left out: row {int(same.argmax()) + 1} has it too")

    def _check_number(self, free: list[str], number: int) -> None:
        counts = self.table.groupby(free, sort=False).size() if free else pd.Series([len(self.table)])
        wrong = counts[counts != number]
        if len(wrong) or not len(counts):
            where = f" ({wrong.index[0]})" if free and len(wrong) else ""
            rows = int(wrong.iloc[0]) if len(wrong) else 0
            raise InputError(f"{self.name} (rows){where}", rows, f"{number}, one a place")

    def _check_complete(self, free: list[str], positions: NDArray[np.int_], places: list[Any]) -> None:
        """Raise `InputError` unless every place has its row, once for every entry of the free columns."""
        groups = (
            self.table.groupby(free, sort=False).ngroup().to_numpy() if free else np.zeros(len(positions))
        )
        number = int(groups.max(initial=-1)) + 1
        if len(positions) == max(number, 1) * len(places):
            return
        for group in range(max(number, 1)):
            here = groups == group
            lacking = sorted(set(range(len(places))) - set(positions[here].tolist()))
            if lacking:
                place = ", ".join(map(str, places[lacking[0]]))
                at = self.table[free][here].iloc[0].tolist() if free and number else []
                clock = "".join(f", {name} {value:g}" for name, value in zip(free, at, strict=False))
                field = f"{self.name} (the row of {place}{clock})"
                raise InputError(field, MISSING, "there, as every row is")


def _written(entry: Any) -> str:
    """Return a name as text; 3.0 is 3, since a file may have written a whole number so."""
    whole = isinstance(entry, float | np.floating) and float(entry).is_integer()
    return str(int(entry)) if whole else str(entry)


def _one_of(names: list[Any], given: object = None) -> str:
    """Return what is allowed: all names if they are few, else the nearest."""
    few = [str(name) for name in names]
    if len(few) <= FEW_NAMES:
        return nearest(str(given), dict.fromkeys(few))
    return f"one of the model's {len(few)} names, such as {few[0]} or {few[-1]}"
