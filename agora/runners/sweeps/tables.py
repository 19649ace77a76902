"""The tables of a sweep, made from the journals: one row a scenario, and one long table of locations.

``scenarios.parquet`` is all that `pandas.read_parquet` of the folder sees, since other names begin with
an underscore. Both tables are the same to the last byte however often the sweep was interrupted; what
differs from run to run (times, which rows started warm) stands in ``_work.parquet``.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow
import pyarrow.parquet

from agora.models.table_spec import TableSpec, place_columns
from agora.runners.sweeps.journal import Journals, draft_of, write_whole
from agora.runners.sweeps.plan import Plan

SCENARIOS, LOCATIONS = "scenarios.parquet", "_locations.parquet"
WORK, INVALID = "_work.parquet", "_invalid.csv"

_LONG = pyarrow.schema(
    [
        ("scenario", pyarrow.int64()),
        ("table", pyarrow.dictionary(pyarrow.int32(), pyarrow.string())),
        ("row", pyarrow.int64()),
        ("location", pyarrow.string()),
        ("quantity", pyarrow.dictionary(pyarrow.int32(), pyarrow.string())),
        ("value", pyarrow.float64()),
        ("text", pyarrow.string()),
    ]
)
TOTALS = "totals"
"""The table of one row that every model may have: its columns are scalars of the scenario."""
_LONG_ROWS = 200_000
"""Rows of the long table written at a time."""


def write_tables(plan: Plan, journals: Journals, folder: Path) -> pd.DataFrame:
    """Write the tables of all rows of a plan that are on disk, each whole or not at all.

    Returns
    -------
    DataFrame
        The tidy table, one row a scenario.
    """
    keys = [ready.key for ready in plan.ready]
    tidy, work = [], []
    for ready, record in zip(plan.ready, journals.records(keys), strict=True):
        start = {"scenario": ready.row.number}
        given = {c: ready.row.values.get(c) for c in plan.dataset.columns}
        tidy.append({**start, **given, "model": ready.row.content.get("model"), **_scalars(record)})
        work.append({**start, "key": ready.key, **_effort(record)})
    table = _typed(tidy)
    _write(table, folder / SCENARIOS)
    _write(_typed(work), folder / WORK)
    _write_long(plan, journals.records(keys), folder / LOCATIONS)
    return table


def _scalars(record: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a record says in single numbers and words: the answer, its certificate, its totals."""
    if record is None:
        return {"outcome": "missing"}
    if "error" in record:
        error = record["error"]
        return {"outcome": "failed", "error": error["kind"], "message": error["message"]}
    worst = record["worst"]
    scalars = {
        "outcome": "solved" if record["certified"] else "not certified",
        "status": record["status"],
        "objective": record["objective"],
        "global": record["global"],
        "certified": record["certified"],
        "worst_condition": worst["name"],
        "worst_violation": worst["worst"],
        "worst_where": worst["where"],
        "tolerance": worst["tolerance"],
    }
    scalars |= {f"facts.{name}": fact for name, fact in record["facts"].items()}
    for name, columns in record["tables"].items():
        if name == TOTALS:
            scalars |= {f"{name}.{column}": values[0] for column, values in columns.items()}
    return scalars


def _effort(record: Mapping[str, Any] | None) -> dict[str, Any]:
    if record is None:
        return {}
    work = dict(record["work"])
    seconds = {f"seconds.{name}": value for name, value in work.pop("seconds", {}).items()}
    solvers = ", ".join(work.pop("solvers", []))
    return {**work, **seconds, "solvers": solvers}


# --- the long table --------------------------------------------------------------------------------


def _write_long(plan: Plan, records: Iterable[Mapping[str, Any] | None], file: Path) -> None:
    with draft_of(file) as draft, pyarrow.parquet.ParquetWriter(draft, _LONG) as writer:
        batch: list[tuple[Any, ...]] = []
        for ready, record in zip(plan.ready, records, strict=True):
            if record is not None and "error" not in record:
                specs = plan.models[ready.row.content["model"]].tables_spec
                batch.extend(_long(ready.row.number, record["tables"], specs))
            if len(batch) >= _LONG_ROWS:
                writer.write_table(_as_long(batch))
                batch = []
        writer.write_table(_as_long(batch))


def _long(
    number: int, tables: Mapping[str, Mapping[str, list[Any]]], specs: Mapping[str, TableSpec]
) -> Iterator[tuple[Any, ...]]:
    """Return one row a quantity and location of every table but the totals."""
    for table, columns in tables.items():
        if table == TOTALS:
            continue
        named = place_columns(specs.get(table), columns)
        locations = list(zip(*(columns[name] for name in named), strict=True))
        for column, values in columns.items():
            if column in named and len(named) == 1:
                continue
            for row, value in enumerate(values):
                location = " → ".join(map(str, locations[row])) if named else str(row)
                truth = str(value).lower() if isinstance(value, bool) else None
                text = value if isinstance(value, str) else truth
                figure = None if value is None or text is not None else float(value)
                yield number, table, row, location, column, figure, text


def _as_long(batch: list[tuple[Any, ...]]) -> pyarrow.Table:
    columns = list(zip(*batch, strict=True)) or [()] * len(_LONG)
    return pyarrow.table(
        {
            entry.name: pyarrow.array(list(column), type=pyarrow.string()).dictionary_encode()
            if pyarrow.types.is_dictionary(entry.type)
            else pyarrow.array(list(column), type=entry.type)
            for entry, column in zip(_LONG, columns, strict=True)
        },
        schema=_LONG,
    )


# --- the tidy table --------------------------------------------------------------------------------


def _typed(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return records as a table whose columns hold one kind each: numbers, truths or text."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pd.DataFrame({name: _column([row.get(name) for row in rows]) for name in names})


def _column(values: list[Any]) -> Any:
    given = [value for value in values if value is not None]
    if given and all(isinstance(value, bool) for value in given):
        return pd.array(values, dtype="boolean")
    if given and all(type(value) is int and abs(value) < 2**63 for value in given):
        return pd.array(values, dtype="Int64" if len(given) < len(values) else "int64")
    if given and all(isinstance(value, int | float) and not isinstance(value, bool) for value in given):
        return pd.array([float("nan") if v is None else float(v) for v in values], dtype="float64")
    return pd.array([v if v is None or isinstance(v, str) else json.dumps(v) for v in values], dtype="string")


def _write(table: pd.DataFrame, file: Path) -> None:
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    write_whole(file, buffer.getvalue())
