"""What every model of this package does, whichever it is; a model is one line of `economies`.

Numbers are planted wrong by a thousandth of the largest of their column, whole numbers by one: up and down in
the first line of each model, up or down in turn in its other lines.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from contract.economies import LINES, Line, solved
from contract.golden import equations, file_of
from pandas.testing import assert_frame_equal

from agora.data.checks import InputError
from agora.models.registry import FAMILIES
from agora.models.solution import Solution
from agora.models.table_spec import DIMENSIONLESS, Kind, kinds_of
from agora.runners import certify, solve
from agora.runners.certifying import evaluated
from agora.runners.studies.parameters import parameter
from agora.runners.studies.sensitivity.readings import flatten
from agora.runners.studies.sensitivity.sensitivity import sensitivity

ROOT = Path(__file__).resolve().parents[2]
TOLERANCE = 1e-6
ERROR = 1e-3

every_line = pytest.mark.parametrize("name", LINES)
every_shape = pytest.mark.parametrize("name", [name for name, line in LINES.items() if not line.regime])
turned_lines = pytest.mark.parametrize("name", [name for name, line in LINES.items() if line.turned])


def tables_of(line: Line) -> list[str]:
    """Return the tables that an answer must have: those of the model, and those of its method."""
    tables = line.economy.expected_tables().items()
    return [table for table, spec in tables if not spec.optional or table in line.also]


def test_every_model_of_this_package_has_a_line() -> None:
    shipped = {name for family in FAMILIES for name in family.MODELS}
    assert {line.economy.card.name for line in LINES.values()} == shipped
    assert all(name.split(",")[0] == line.economy.card.name for name, line in LINES.items())
    whole = {name for name, line in LINES.items() if line.turned and line.smallest and line.parameter}
    assert whole == shipped  # every model has a line that is turned, differentiated, and kept as text


# --- built, solved, certified --------------------------------------------------------------------


@turned_lines
def test_the_equations_of_a_small_economy_are_the_golden_ones(name: str) -> None:
    line = LINES[name]
    golden = file_of(name).read_text(encoding="utf-8")
    assert equations(line.build(line.smallest).program()) == golden


@every_line
def test_the_answer_is_certified(name: str) -> None:
    solution = solved(name)
    assert solution.certificate.passed, solution.certificate.worst
    assert certify(solution.model, solution.tables, TOLERANCE).passed


# --- tables and units ----------------------------------------------------------------------------


@every_shape
def test_tables_hold_what_is_declared_and_every_number_has_a_unit(name: str) -> None:
    solution = solved(name)
    assert sorted(solution.tables) == sorted(tables_of(LINES[name]))
    expected = solution.model.expected_tables()
    for table, frame in solution.tables.items():
        spec = expected[table]
        for column in spec.columns:
            present = any(column.stands_for(str(given)) for given in frame)
            assert present or column.optional, f"{table}.{column.name}"
        for given, kind in kinds_of(spec, frame).items():
            declared = spec.column(given)
            assert declared is not None, f"{table}.{given} is not declared"
            holds = {"number": "f", "whole": "i", "truth": "b"}.get(kind)
            assert holds in (None, frame[given].dtype.kind), f"{table}.{given} is no {kind}"
            if kind == "number":
                assert declared.unit
                unit = "" if declared.unit == DIMENSIONLESS else declared.unit
                assert type(solution.model).unit_for(f"{table}.{given}") == unit


# --- planted errors ------------------------------------------------------------------------------


def plants(
    name: str, table: str, column: str, kind: Kind, both_ways: bool
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each entry of a column, and the table with that entry wrong."""
    frame = solved(name).tables[table]
    if kind not in ("number", "whole"):
        for row, entry in enumerate(frame[column].tolist()):
            words = frame[column].astype(object).tolist()
            words[row] = not entry if kind == "truth" else "elsewhere"
            yield f"{column}[{row}]", frame.assign(**{column: words})
        return
    entries = frame[column].to_numpy(dtype=float)
    known = np.isfinite(entries)
    scale = float(np.abs(entries[known]).max(initial=0.0))
    size = 1.0 if kind == "whole" else ERROR * (scale if scale > 1e-9 else 1.0)
    for row in np.flatnonzero(known).tolist():
        for sign in (1, -1) if both_ways else ((-1) ** row,):
            wrong = entries.copy()
            wrong[row] += sign * size
            yield f"{column}[{row}] {'+' if sign > 0 else '-'}", frame.assign(**{column: wrong})


def missed(name: str, table: str, column: str, *, both_ways: bool) -> Iterator[str]:
    """Yield each entry of a column whose error the certificate does not see."""
    solution = solved(name)
    spec = solution.model.expected_tables()[table]
    kind = kinds_of(spec, solution.tables[table])[column]
    for entry, spoiled in plants(name, table, column, kind, both_ways):
        tables = {**solution.tables, table: spoiled}
        if kind != "number" or column in spec.key:
            try:
                passed = certify(solution.model, tables, TOLERANCE).passed
            except InputError:
                passed = False
        else:  # a finite number passes the check of the table, so that the definition alone may see it
            passed = evaluated(solution.model, tables, TOLERANCE).passed
        if passed:
            yield entry


def numeric(solution: Solution, table: str) -> list[str]:
    """Return the columns of numbers of a table."""
    kinds = kinds_of(solution.model.expected_tables()[table], solution.tables[table])
    return [column for column, kind in kinds.items() if kind in ("number", "whole")]


def unread(name: str, table: str) -> bool:
    """Tell whether nothing reads a table of a line."""
    return all(f"{table}.{column}" in LINES[name].unchecked for column in numeric(solved(name), table))


def planted() -> Iterator[Any]:
    """Yield every line and table; where an earlier line has the same columns of a model, it is heavy.

    Lines that are turned come first: both signs are planted in them.
    """
    known = set[Any]()
    for name, line in sorted(LINES.items(), key=lambda each: not each[1].turned):
        for table in tables_of(line):
            columns = line.economy.card.name, table, line.economy.expected_tables()[table].columns
            yield pytest.param(name, table, marks=pytest.mark.heavy if columns in known else ())
            known.add(columns)


@pytest.mark.parametrize(("name", "table"), list(planted()))
def test_every_planted_error_is_caught(name: str, table: str) -> None:
    solution, known = solved(name), LINES[name].unchecked
    both_ways, found = bool(LINES[name].turned), {}
    for column in solution.tables[table]:
        if f"{table}.{column}" not in known:
            found[column] = list(missed(name, table, column, both_ways=both_ways))
    assert {column: entries for column, entries in found.items() if entries} == {}


UNCHECKED = [
    pytest.param(name, *place.split("."), marks=pytest.mark.xfail(strict=True, reason=reason))
    for name, line in LINES.items()
    for place, reason in line.unchecked.items()
]


@pytest.mark.parametrize(("name", "table", "column"), UNCHECKED)
def test_planted_errors_that_nothing_sees_yet(name: str, table: str, column: str) -> None:
    assert column in solved(name).tables[table]
    assert next(missed(name, table, column, both_ways=True), None) is None


# --- tables from elsewhere -----------------------------------------------------------------------


@every_shape
def test_a_number_that_is_missing_is_one_sentence(name: str) -> None:
    solution = solved(name)
    for table, frame in solution.tables.items():
        spec = solution.model.expected_tables()[table]
        for column in numeric(solution, table):
            holed = frame.astype({column: float}).copy()
            holed.loc[holed.index[0], column] = np.nan
            tables = {**solution.tables, table: holed}
            if spec.column(column).missing:
                assert f"{table}.{column}" in LINES[name].unchecked or not certify(
                    solution.model, tables, TOLERANCE
                ).passed  # fmt: skip
            else:
                with pytest.raises(
                    InputError, match=rf"^{table}\.{column} in row 1( \(.*\))? is nan, but must"
                ):
                    certify(solution.model, tables, TOLERANCE)


@every_shape
def test_a_missing_column_and_a_missing_table_are_one_sentence(name: str) -> None:
    solution = solved(name)
    for table, frame in solution.tables.items():
        spec = solution.model.expected_tables()[table]
        for column in spec.columns:
            if not column.optional:
                tables = {**solution.tables, table: frame.drop(columns=column.name)}
                with pytest.raises(
                    InputError, match=rf"^{table}\.{column.name} is missing, but must be a column"
                ):
                    certify(solution.model, tables, TOLERANCE)
        left = {known: other for known, other in solution.tables.items() if known != table}
        if not spec.optional:
            with pytest.raises(InputError, match=rf"^tables\['{table}'\] is missing, but must be a table"):
                certify(solution.model, left, TOLERANCE)
        else:
            evaluated(solution.model, left, TOLERANCE)


@every_shape
def test_a_row_too_few_or_too_many_is_never_certified_nor_a_crash(name: str) -> None:
    solution = solved(name)
    for table, frame in solution.tables.items():
        if unread(name, table):
            continue
        for rows in (frame.iloc[:-1], pd.concat([frame, frame.iloc[-1:]]), frame.iloc[:0]):
            try:
                passed = certify(solution.model, {**solution.tables, table: rows}, TOLERANCE).passed
            except InputError:
                passed = False
            assert not passed, (table, len(rows))


@every_shape
def test_rows_with_names_may_be_in_any_order(name: str) -> None:
    solution = solved(name)
    expected = solution.model.expected_rows()
    named = [t for t, rows in expected.items() if not any(k.kind == "f" for k in rows.dtypes)]
    tables = {t: f.iloc[::-1] if t in named else f for t, f in solution.tables.items()}
    assert certify(solution.model, tables, TOLERANCE).passed


# --- names, copies, processes --------------------------------------------------------------------


@turned_lines
def test_the_answer_does_not_depend_on_the_names_of_places(name: str) -> None:
    line, base = LINES[name], solved(name)
    turned = solve(line.build(line.turned), **line.options)
    for table, spec in base.model.expected_tables().items():
        if table in base.tables and not unread(name, table):
            found = turned.tables[table].copy()
            for column in set(spec.key) & set(line.names):
                about = found["kind"] != "commodity" if column == "of" else slice(None)  # prices of sites
                found.loc[about, column] = renamed(found.loc[about, column], line.names[column], line.turned)
            frames = [by_key(frame, spec.key, name) for frame in (found, base.tables[table])]
            assert_frame_equal(*frames, rtol=0, atol=line.accuracy, obj=f"{name}: {table}")


def by_key(frame: pd.DataFrame, key: tuple[str, ...], name: str) -> pd.DataFrame:
    """Return a table in the order of its key, links without a direction in the order of their ends."""
    if name == "invisible-hand" and "origin" in frame:
        back = frame["origin"] > frame["destination"]
        ends = frame[["origin", "destination"]].to_numpy()
        frame = frame.assign(
            origin=ends.min(axis=1),
            destination=ends.max(axis=1),
            flow=frame["flow"].where(~back, -frame["flow"]),
        )
    order = [column for column in key if column in frame]
    return frame.sort_values(order).reset_index(drop=True) if order else frame


def renamed(column: pd.Series, names: Sequence[Any], order: tuple[int, ...]) -> list[Any]:
    """Return the names that places have in the order 0, 1, … instead of those of another order."""
    if isinstance(names[0], str):
        positions = [list(names).index(entry) for entry in column]
    else:
        positions = [int(np.abs(np.asarray(names) - entry).argmin()) for entry in column]
    return [names[order[position]] for position in positions]


@every_shape
def test_model_and_solution_are_pickled(name: str) -> None:
    solution = solved(name)
    copy = pickle.loads(pickle.dumps(solution))
    assert copy.model.describe() == solution.model.describe()
    assert copy.objective == solution.objective
    assert copy.certificate.record() == solution.certificate.record()
    assert copy.pictures.keys() == solution.pictures.keys()
    assert copy.tables.keys() == solution.tables.keys()
    for table, frame in solution.tables.items():
        assert_frame_equal(copy.tables[table], frame, check_exact=True)
    assert evaluated(copy.model, copy.tables, TOLERANCE).passed


@pytest.mark.parametrize(
    "names",
    [
        pytest.param([name for name, line in LINES.items() if line.turned], id="first lines"),
        pytest.param(list(LINES), id="all lines", marks=pytest.mark.heavy),
    ],
)
def test_hash_seeds_and_numbers_of_threads_do_not_matter(names: list[str], tmp_path: Path) -> None:
    """Solve lines in a process with another hash seed and another number of threads than this one has."""
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    threads = "2" if os.environ.get("OMP_NUM_THREADS") == "1" else "1"
    pools = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
    file = tmp_path / "tables"
    command = [sys.executable, "-m", "tests.contract.answers", str(file), *names]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed, **pools}, check=True)
    found = pickle.loads(file.read_bytes())
    assert list(found) == names
    for name, tables in found.items():
        for table, frame in tables.items():
            here = solved(name).tables[table]
            assert_frame_equal(frame, here, rtol=1e-12, atol=1e-12, obj=f"{name}: {table}")


# --- sensitivities -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.heavy if name == "graph-game" else ())  # as spatial-game
        for name, line in LINES.items()
        if line.turned
    ],
)
def test_sensitivities_are_differences(name: str) -> None:
    line, model = LINES[name], solved(name).model
    if line.refusal:
        with pytest.raises(InputError, match=line.refusal):
            sensitivity(model, [line.parameter], options=line.options)
        return
    table = sensitivity(model, [line.parameter], options=line.options, verify=False).table
    sure = table[table["exists"] == "yes"].set_index(["table", "place", "quantity"])["derivative"]
    assert len(sure) > 5
    each = parameter(model, line.parameter)
    step = line.step * each.value
    above, below = (
        flatten(solve(each.at(each.value + change), **line.options).tables, model.tables_spec)
        for change in (step, -step)
    )
    differences = ((above - below) / (2 * step)).reindex(sure.index)
    gap = (sure - differences).abs() / np.maximum(sure.abs(), 0.1)
    assert gap.max() < line.difference, gap.idxmax()
    assert sure.abs().max() > 1e-3  # something moves
