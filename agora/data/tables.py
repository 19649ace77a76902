"""The one reader of tables that users hand in as files: CSV, Parquet and XLSX.

A table has a header in its first line; in a CSV, lines above it that begin with ``#`` are comments. Cells are
separated by commas, decimals have a point, text is UTF-8. What a table has wrong is one sentence that names
the file, the line as a text editor or a spreadsheet counts it, and the column.
"""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from agora.data.checks import MISSING, Caution, InputError, finite, nearest

if TYPE_CHECKING:
    import pandas as pd

Line: TypeAlias = tuple[int, tuple[Any, ...]]
"""A line's number as a user counts it, and its cells; None where a cell is empty."""

_WHOLE = re.compile(r"0|-?[1-9][0-9]*")


@dataclass(frozen=True)
class FileTable:
    """A table as it stands in a file."""

    file: Path
    """Where it stands."""
    columns: tuple[str, ...]
    """The header; a column without a name, such as pandas writes for an index, is an empty text."""
    rows: tuple[tuple[Any, ...], ...] = field(repr=False)
    """The cells: the text of a CSV, the values of the others, None where a cell is empty."""
    lines: tuple[int, ...] = field(repr=False)
    """The line of each row: of the text, of the sheet; in Parquet the row, from 1."""

    def position(self, row: int) -> str:
        """Return where the row of this position (from 0) stands, such as 'line 3 of roads.csv'."""
        unit = "line" if self.file.suffix.lower() == ".csv" else "row"
        return f"{unit} {self.lines[row]} of {self.file.name}"

    def column(self, name: str) -> list[tuple[str, Any]]:
        """Return the cells of a column, each with what to call it in a complaint.

        Raises `InputError` if there is no such column; the nearest is named.
        """
        if name not in self.columns:
            raise InputError(f"column of {self.file.name}", name, nearest(str(name), self.columns))
        at = self.columns.index(name)
        return [(f"{name} in {self.position(row)}", cells[at]) for row, cells in enumerate(self.rows)]

    def numbers(self, name: str) -> list[float]:
        """Return a column of finite numbers; anything else is an `InputError` that names its line."""
        return [as_number(position, cell) for position, cell in self.column(name)]

    def names(self, name: str, of: str) -> list[str]:
        """Return a column of names, whole numbers as text; one that is missing is an `InputError`."""
        return [as_name(position, cell, of) for position, cell in self.column(name)]

    def frame(self) -> pd.DataFrame:
        """Return the table as a DataFrame: columns of whole numbers, of numbers, or of what stands there."""
        import pandas as pd

        return pd.DataFrame(
            {name: _converted([row[k] for row in self.rows]) for k, name in enumerate(self.columns)}
        )


def read_table(
    path: str | Path, field: str = "file", *, sheet: str | None = None, ragged: bool = False
) -> FileTable:
    """Read a table from a CSV, Parquet or XLSX file.

    Parameters
    ----------
    path : path
        The file.
    field : str
        What the user called it; complaints about the whole file begin with it.
    sheet : str, optional
        The sheet of an XLSX file; its first unless given.
    ragged : bool
        Keep rows that have more or fewer cells than the header, for a caller who reports them.

    Raises
    ------
    InputError
        A file that is missing, broken, empty, or of another kind; a header that is none, or names a column
        twice; a row with more or fewer cells than the header.
    """
    file = existing(field, path)
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise InputError(field, file.name, "a table with suffix .csv, .parquet or .xlsx")
    if sheet is not None and reader is not _xlsx_lines:
        raise InputError("sheet", sheet, "left out: only an XLSX file has sheets")
    lines = reader(file, field, sheet)
    _, header = next(lines, (0, ()))
    columns = tuple("" if cell is None else str(cell) for cell in header)
    kept = list(lines)
    if not columns or not kept:
        raise InputError(field, file.name, "a table with a header and at least one row")
    _check_header(file, columns)
    table = FileTable(file, columns, tuple(cells for _, cells in kept), tuple(line for line, _ in kept))
    if not ragged:
        _check_widths(table)
    return table


def existing(field: str, path: object) -> Path:
    """Return the path of a file that exists, else raise `InputError`."""
    if not isinstance(path, str | Path) or not Path(path).is_file():
        raise InputError(field, str(path), "the path of a file that exists")
    return Path(path)


def as_number(field: str, cell: object) -> float:
    """Return the finite number that a cell of a file holds, as a number or as text; else `InputError`."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        raise InputError(field, MISSING, "a finite number")
    if not isinstance(cell, str):
        return finite(field, cell)
    try:
        return finite(field, float(cell.replace("_", "?")))  # Python alone reads 1_000 as a number
    except ValueError:
        comma = re.fullmatch(r"[-+]?[\d.\s]*,\d+(e[-+]?\d+)?", cell, re.IGNORECASE)
        hint = ", its decimals after a point" if comma else ""
        raise InputError(field, cell, f"a finite number{hint}") from None


def as_name(field: str, cell: object, of: str) -> str:
    """Return the name that a cell holds, a whole number as text; `of` says of what, should it be missing."""
    if cell is None or cell != cell:
        raise InputError(field, MISSING, f"the name of {of}")
    if isinstance(cell, float) and cell.is_integer():  # a table library's integers next to a gap
        return str(int(cell))
    return str(cell).strip()


def _check_header(file: Path, columns: tuple[str, ...]) -> None:
    where = f"header of {file.name}"
    if len(columns) == 1 and (other := re.search(r"[;\t|]", columns[0])):
        raise InputError(where, columns[0], f"names separated by commas, not by {other[0]!r}")
    if all(_is_number(name) for name in columns):
        raise InputError(where, ", ".join(columns), "the names of the columns")
    for name in columns:
        if columns.count(name) > 1:
            raise InputError(f"columns of {file.name}", name, "named once each")


def _check_widths(table: FileTable) -> None:
    for row, cells in enumerate(table.rows):
        if len(cells) != len(table.columns):
            shown = ",".join("" if cell is None else str(cell) for cell in cells)
            hint = " (decimals after a point)" if len(cells) > len(table.columns) else ""
            allowed = f"{len(table.columns)} values: {', '.join(table.columns)}{hint}"
            raise InputError(table.position(row), shown, allowed)


def _is_number(cell: object) -> bool:
    try:
        return not isinstance(cell, bool) and as_number("", cell) is not None
    except InputError:
        return False


def _converted(cells: list[Any]) -> list[Any]:
    """Return a column's cells as whole numbers or as numbers if all that are not empty are such."""
    filled = [cell for cell in cells if cell is not None]
    if any(isinstance(cell, bool) or not _is_number(cell) for cell in filled):
        return cells
    whole = len(filled) == len(cells) and all(_WHOLE.fullmatch(str(cell)) for cell in cells)
    return [int(cell) if whole else float("nan") if cell is None else float(cell) for cell in cells]


# --- the kinds of files ----------------------------------------------------------------------------


def _csv_lines(file: Path, field: str, sheet: str | None) -> Iterator[Line]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            above, header = 0, ""
            for header in stream:
                if header.strip() and not header.startswith("#"):
                    break
                above, header = above + 1, ""
            reader = csv.reader(chain([header], stream), strict=True)
            line = above + 1
            for cells in reader:
                values = tuple(cell.strip() or None for cell in cells)
                if any(values):
                    yield line, values
                line = above + reader.line_num + 1
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(field, file.name, f"a CSV table in UTF-8 ({error})") from None


def _parquet_lines(file: Path, field: str, sheet: str | None) -> Iterator[Line]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(file)
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(field, file.name, f"a Parquet file that can be read ({_one_line(error)})") from None
    names = table.column_names
    kept = [k for k, name in enumerate(names) if not re.fullmatch("__index_level_[0-9]+__", name)]
    yield 0, tuple(names[k] for k in kept)
    yield from enumerate(zip(*(table.column(k).to_pylist() for k in kept), strict=True), start=1)


def _xlsx_lines(file: Path, field: str, sheet: str | None) -> Iterator[Line]:
    import openpyxl

    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        with_names = {page.title: page for page in book.worksheets}
        page = with_names.get(sheet or next(iter(with_names), ""))
        if page is not None:
            page.reset_dimensions()  # some programs state a range that is too small
        lines = [] if page is None else [tuple(cells) for cells in page.iter_rows(values_only=True)]
        book.close()
    except Exception as error:  # a broken archive or broken XML: openpyxl raises what it meets
        raise InputError(field, file.name, f"an XLSX file that can be read ({_one_line(error)})") from None
    if sheet is not None and sheet not in with_names:
        raise InputError("sheet", sheet, f"a sheet of {file.name}: {nearest(sheet, with_names)}")
    width = 0
    for line, cells in enumerate(lines, start=1):
        values = tuple((cell.strip() or None) if isinstance(cell, str) else cell for cell in cells)
        last = max((k for k, cell in enumerate(values, start=1) if cell is not None), default=0)
        if last:
            width = width or last
            yield line, (*values[: max(last, width)], *(None,) * (width - len(values)))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


_READERS: dict[str, Callable[[Path, str, str | None], Iterator[Line]]] = {
    ".csv": _csv_lines,
    ".parquet": _parquet_lines,
    ".xlsx": _xlsx_lines,
}

# --- columns that have a new name -------------------------------------------------------------------

RENAMED = {"commuting_cost": "total_commuting_cost"}
"""Old name of a table's column → its name now; the parameter `commuting_cost` is t alone."""


def now_called(column: str) -> str:
    """Return the name that a column ``table.column`` of an old file has now; a parameter keeps its own."""
    table, dot, name = column.rpartition(".")
    return f"{table}{dot}{RENAMED.get(name, name)}" if dot else column


def current_name(name: str, known: Container[str]) -> str:
    """Return the name a column has now, for a name that is not known and had another once.

    Parameters
    ----------
    name : str
        A column, or ``table.column``; the number of a location may follow.
    known : container of str
        The names there are; a known name stays as it is.
    """
    if name in known:
        return name
    table, dot, column = name.rpartition(".")
    new = f"{table}{dot}{RENAMED.get(column, column)}"
    if new == name or new not in known:
        return name
    warnings.warn(Caution(f"the column {name} is called {new} now"), stacklevel=3)
    return new
