"""Datasets of scenarios: a table with one row a scenario, or a grid that makes such a table.

A dataset is a CSV, Parquet or XLSX file whose columns are the fields of the model, or a TOML file with
a scenario and the values that its fields take. A column is named as the field: ``commuting_cost``,
``railway.cost_per_length``, ``geography.cells``, ``solve.starts``. The columns ``model`` and ``scenario``
say what a row starts from; ``name`` is the row's own label. Nothing in a file is ever run: cells are
numbers, text, or lists and tables written as JSON.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agora.data.checks import MISSING, InputError, finite, whole
from agora.data.scenarios import (
    SECTIONS,
    anchored,
    check_sections,
    find_file,
    find_scenario,
    read_toml,
    shipped,
    shipped_scenarios,
)
from agora.data.tables import read_table

MOST_ROWS = 1_000_000
"""Rows up to which a grid is written out."""

_RESERVED = ("model", "scenario", "name")
_SPACED = ("from", "to", "number")


@dataclass(frozen=True)
class Fault:
    """What is wrong with one cell of a dataset."""

    row: int
    """The row, from 1."""
    column: str
    """The column, or the field that is at fault."""
    value: object
    """What was given."""
    allowed: str
    """What is allowed, to be read after "must be"."""

    def sentence(self) -> str:
        """Return the fault as one sentence."""
        return f"row {self.row}: {InputError(self.column, self.value, self.allowed)}"


@dataclass(frozen=True)
class Row:
    """One scenario of a dataset."""

    number: int
    """Its number in the dataset, from 1."""
    values: Mapping[str, Any]
    """Column → value; cells that were left empty are not there."""
    content: Mapping[str, Any]
    """The scenario as its file would say it."""
    folder: Path
    """Anchors the files that the scenario names."""

    @property
    def name(self) -> str:
        """The row's label, or its number."""
        return str(self.values.get("name", self.number))


@dataclass(frozen=True)
class Dataset:
    """A table of scenarios as read, checked for its shape; models check the values."""

    name: str
    """The file's name without its ending."""
    columns: tuple[str, ...]
    """The columns in their order."""
    rows: tuple[Row, ...] = field(repr=False)
    """The rows that can be read."""
    faults: tuple[Fault, ...] = ()
    """The cells that cannot."""


class BadRows(InputError):
    """A dataset with bad rows; every one is listed."""

    def __init__(self, faults: tuple[Fault, ...], rows: int) -> None:
        self.faults = faults
        bad = len({fault.row for fault in faults})
        super().__init__("dataset", f"{bad} bad of {rows} rows", "free of bad rows (--skip-invalid goes on)")
        self.args = ("\n".join([str(self), *(fault.sentence() for fault in faults)]),)


def shipped_datasets() -> dict[str, Path]:
    """Return the datasets that come with Agora: name → file, sorted by name."""
    return shipped("datasets")


def shipped_overview() -> dict[str, dict[str, str]]:
    """Return what comes with Agora, scenarios and then datasets: name → kind, model, title.

    The title is the comment in the file's first line, or empty.
    """
    overview = {}
    for kind, files in (("scenario", shipped_scenarios()), ("dataset", shipped_datasets())):
        for name, path in files.items():
            first, content = path.read_text(encoding="utf-8").splitlines()[0], read_toml(path, kind)
            if "model" not in content:
                content = read_toml(find_scenario(content["scenario"]))
            title = first.lstrip("# ") if first.startswith("#") else ""
            overview[name] = {"kind": kind, "model": content["model"], "title": title}
    return overview


def read_dataset(name_or_file: str | Path) -> Dataset:
    """Read a dataset from a file, or a shipped one by its name.

    Parameters
    ----------
    name_or_file : path or str
        A ``.csv``, ``.parquet``, ``.xlsx`` or ``.toml`` file, or the name of a shipped dataset.

    Raises
    ------
    InputError
        If there is no such file, or it is no table: empty, without a header, with a column twice, no
        valid TOML, a grid of more than a million rows.
    """
    path = find_file("dataset", name_or_file, shipped_datasets())
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError("dataset", path.name, f"a file that ends in {', '.join(sorted(_READERS))}")
    columns, lines, base = reader(path)
    _check_columns(columns)
    rows, faults, number = [], [], 0
    read: dict[str, dict[str, Any]] = {}
    for number, values in enumerate(lines, start=1):
        try:
            if isinstance(values, InputError):
                raise values
            rows.append(_row(number, values, base, path.parent, read))
        except InputError as error:
            faults.append(Fault(number, error.field, error.value, error.allowed))
    if number == 0:
        raise InputError("dataset", f"{path.name}, without a row", "a table with one row a scenario")
    return Dataset(path.stem, tuple(columns), tuple(rows), tuple(faults))


def _check_columns(columns: list[str]) -> None:
    for number, column in enumerate(columns, start=1):
        if not column.strip():
            raise InputError(f"column {number}", column, "named: a field of the model")
        if columns.count(column) > 1:
            raise InputError("columns", column, "named once each")


def _row(
    number: int,
    values: dict[str, Any],
    base: Mapping[str, Any],
    folder: Path,
    read: dict[str, dict[str, Any]],
) -> Row:
    """Put the values of a row into the scenario it starts from."""
    start = _scenario(values["scenario"], folder, read) if "scenario" in values else {}
    content = _merged(start, base)
    if "model" in values:
        content["model"] = values["model"]
    for column, value in values.items():
        if column not in _RESERVED:
            section, *path = column.split(".")
            if section not in SECTIONS:
                section, path = "parameters", [section, *path]
            _put(content.setdefault(section, {}), path, column, value)
    return Row(number, values, content, folder)


def _put(table: dict[str, Any], path: list[str], column: str, value: Any) -> None:
    """Set a field of a nested table; tables on the way are copied, those of the base stay as they are."""
    if not all(path):
        raise InputError("column", column, "a field, dotted for tables, such as geography.cells")
    for part in path[:-1]:
        inner = table.get(part)
        table[part] = dict(inner) if isinstance(inner, Mapping) else {}
        table = table[part]
    table[path[-1]] = value


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return `below` with the sections of `above` laid over it, field by field."""
    merged = {key: dict(v) if isinstance(v, Mapping) else v for key, v in below.items()}
    for key, value in above.items():
        under = merged.get(key)
        sections = isinstance(value, Mapping) and isinstance(under, dict | None)
        merged[key] = {**(under or {}), **value} if sections else value
    return merged


def _scenario(name: Any, folder: Path, read: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the scenario that a row starts from; `read` keeps what the dataset has read so far."""
    if not isinstance(name, str):
        raise InputError("scenario", name, "a file, or the name of a shipped scenario")
    if name not in read:
        beside = folder / name
        path = (beside if beside.is_file() else find_scenario(name)).resolve()
        read[name] = anchored(read_toml(path), path.parent)
    return read[name]


# --- tables ----------------------------------------------------------------------------------------

Lines = Iterator[dict[str, Any] | InputError]
Table = tuple[list[str], Lines, dict[str, Any]]


def _read_table(path: Path) -> Table:
    table = read_table(path, "dataset", ragged=True)

    def rows() -> Lines:
        for cells in table.rows:
            if len(cells) != len(table.columns):
                yield InputError("cells", len(cells), f"{len(table.columns)} a row, as in the header")
                continue
            named = zip(table.columns, cells, strict=True)
            yield {column: _cell(cell) for column, cell in named if cell is not None}

    return list(table.columns), rows(), {}


def _cell(value: Any) -> Any:
    """Return a cell as a number, list or table where it is one, else as it stands."""
    if isinstance(value, bool | int | float | list | dict):
        return value
    if not isinstance(value, str):
        return str(value)
    try:
        return json.loads(value, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return value


def _no_constant(name: str) -> Any:
    raise ValueError(name)


# --- grids -----------------------------------------------------------------------------------------


def _read_toml(path: Path) -> Table:
    content = read_toml(path, "dataset")
    check_sections(content, ("model", "scenario", *SECTIONS, "grid", "zip"))
    grid, zips = content.pop("grid", {}), content.pop("zip", [])
    if not isinstance(grid, Mapping):
        raise InputError("grid", grid, "a table, [grid], of columns and their values")
    if not isinstance(zips, list) or not all(isinstance(each, Mapping) for each in zips):
        raise InputError("zip", zips, "tables, [[zip]], of columns that change together")
    axes: list[list[dict[str, Any]]] = []
    for each in zips:
        columns = {column: _values(f"zip.{column}", given) for column, given in _flat(each)}
        lengths = {column: len(values) for column, values in columns.items()}
        if len(set(lengths.values())) != 1:
            raise InputError("zip", lengths, "columns of equal length")
        axes.append([dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)])
    axes += [[{column: v} for v in _values(f"grid.{column}", given)] for column, given in _flat(grid)]
    names = [column for axis in axes for column in axis[0]]
    rows = math.prod(len(axis) for axis in axes)
    if rows > MOST_ROWS:
        raise InputError("grid (number of rows)", rows, f"at most {MOST_ROWS}")
    start = _scenario(content.pop("scenario"), path.parent, {}) if "scenario" in content else {}
    base = _merged(start, content)

    def lines() -> Lines:
        for cells in itertools.product(*axes):
            yield {column: value for part in cells for column, value in part.items()}

    return names, lines(), base


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Return columns and their values; a table without ``from`` is a column's name with dots."""
    for key, value in table.items():
        if isinstance(value, Mapping) and "from" not in value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _values(field_name: str, given: Any) -> list[Any]:
    """Return the values of a column: a list as it stands, or numbers between two ends."""
    allowed = "a list of values, or { from = …, to = …, number = …, spacing = 'linear' or 'logarithmic' }"
    if isinstance(given, list):
        if not given:
            raise InputError(field_name, given, "a list of at least one value")
        return given
    if not isinstance(given, Mapping):
        raise InputError(field_name, given, allowed)
    for key in given:
        if key not in (*_SPACED, "spacing"):
            raise InputError(f"{field_name}.{key}", given[key], f"left out; the column is {allowed}")
    first, last = (finite(f"{field_name}.{key}", given.get(key, MISSING)) for key in ("from", "to"))
    number = whole(f"{field_name}.number", given.get("number", MISSING), at_least=2)
    if number > MOST_ROWS:
        raise InputError(f"{field_name}.number", number, f"at most {MOST_ROWS}")
    spacing = given.get("spacing", "linear")
    shares = [k / (number - 1) for k in range(number)]
    if spacing == "linear":
        return [first + (last - first) * share for share in shares[:-1]] + [last]
    if spacing != "logarithmic":
        raise InputError(f"{field_name}.spacing", spacing, "one of linear, logarithmic")
    if not (first > 0 and last > 0):
        raise InputError(f"{field_name}.from", first, "a number > 0, and so 'to', for logarithmic spacing")
    return [first * (last / first) ** share for share in shares[:-1]] + [last]


_READERS: dict[str, Callable[[Path], Table]] = {
    **dict.fromkeys((".csv", ".parquet", ".xlsx"), _read_table), ".toml": _read_toml,
}  # fmt: skip
