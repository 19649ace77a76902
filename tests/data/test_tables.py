"""Tables of files: every cell is read as it stands, and what is wrong is said with its line."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from makers import complaint, write

from agora.data.price_formation.laws_and_supply import as_supply
from agora.data.tables import read_table

FRAME = pd.DataFrame(
    {"place": ["a", "b"], "year": [2000, 2001], "rent": [0.1, 1e-300], "open": [True, False]}
)


@pytest.mark.parametrize("ending", ["csv", "parquet", "xlsx"])
def test_every_kind_of_file_says_the_same(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"t.{ending}"
    {"csv": FRAME.to_csv, "parquet": FRAME.to_parquet, "xlsx": FRAME.to_excel}[ending](file, index=False)
    table = read_table(file)
    assert table.columns == ("place", "year", "rent", "open")
    assert table.numbers("rent") == [0.1, 1e-300]
    assert table.names("year", of="a year") == ["2000", "2001"]
    frame = table.frame()
    assert frame["year"].tolist() == [2000, 2001]
    assert frame["year"].dtype == int
    assert frame["rent"].dtype == float
    assert frame["place"].tolist() == ["a", "b"]
    second = {"csv": "line 3", "parquet": "row 2", "xlsx": "row 3"}[ending]
    assert table.position(1) == f"{second} of t.{ending}"


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
def test_numbers_are_read_to_the_last_digit(
    tmp_path_factory: pytest.TempPathFactory, given: list[float]
) -> None:
    file = write(tmp_path_factory.mktemp("t") / "t.csv", "x\n" + "\n".join(map(repr, given)) + "\n")
    assert read_table(file).numbers("x") == given
    assert read_table(file).frame()["x"].tolist() == given


def test_comments_blank_lines_and_quoted_line_breaks_are_counted(tmp_path: Path) -> None:
    text = '\ufeff# made by "us, the\n\n# second\nname, x \n"two\nlines",1\n\n b ,much\n'
    table = read_table(write(tmp_path / "t.csv", text))
    assert table.columns == ("name", "x")
    assert table.rows == (("two\nlines", "1"), ("b", "much"))
    assert complaint(table.numbers, "x") == "x in line 8 of t.csv is 'much', but must be a finite number."
    assert read_table(write(tmp_path / "u.csv", "name\n#1\n")).rows == (("#1",),)


def test_empty_cells_are_empty(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "t.csv", "a,b,c\n1, ,x\n2,007,\n"))
    assert table.rows == (("1", None, "x"), ("2", "007", None))
    assert complaint(table.numbers, "b") == "b in line 2 of t.csv is missing, but must be a finite number."
    assert (
        complaint(table.names, "c", of="a cell")
        == "c in line 3 of t.csv is missing, but must be the name of a cell."
    )
    frame = table.frame()
    assert frame["b"].isna().tolist() == [True, False]
    assert frame["c"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "file is 't.csv', but must be a table with a header and at least one row."),
        ("# nothing\n", "file is 't.csv', but must be a table with a header and at least one row."),
        ("a,b\n", "file is 't.csv', but must be a table with a header and at least one row."),
        ("1,2\n3,4\n", "header of t.csv is '1, 2', but must be the names of the columns."),
        ("a;b\n1;0,5\n", "header of t.csv is 'a;b', but must be names separated by commas, not by ';'."),
        ("a\tb\n1\t2\n", "but must be names separated by commas, not by '\\t'."),
        ("a,b,a\n1,2,3\n", "columns of t.csv is 'a', but must be named once each."),
        ("a,b\n1\n", "line 2 of t.csv is '1', but must be 2 values: a, b."),
        (
            "a,b\n1,2\n\n3,0,5\n",
            "line 4 of t.csv is '3,0,5', but must be 2 values: a, b (decimals after a point).",
        ),
        ('a,b\n1,"2\n', "file is 't.csv', but must be a CSV table in UTF-8 (unexpected end of data)."),
    ],
)
def test_what_is_no_table_is_said_in_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    assert complaint(read_table, write(tmp_path / "t.csv", text)).endswith(said)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("0,51", "a finite number, its decimals after a point."),
        ("1.234,5", "a finite number, its decimals after a point."),
        ("-3,1e5", "a finite number, its decimals after a point."),
        ("1_000", "a finite number."),
        ("nan", "a finite number."),
        ("-inf", "a finite number."),
        ("a, b", "a finite number."),
    ],
)
def test_what_is_no_number_is_said_with_its_line(tmp_path: Path, cell: str, said: str) -> None:
    table = read_table(write(tmp_path / "t.csv", f'x,y\n1,2\n3,"{cell}"\n'))
    sentence = complaint(table.numbers, "y")
    assert sentence.startswith("y in line 3 of t.csv is ")
    assert sentence.endswith(f"but must be {said}")


def test_sheets_of_a_workbook(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "notes"
    page = book.create_sheet("land use")
    for row in ([], ["cell", "rent", None], ["a", 1], [None, None, None], ["b", True], ["c", 2, "stray"]):
        page.append(row)
    book.save(tmp_path / "t.xlsx")
    table = read_table(tmp_path / "t.xlsx", sheet="land use", ragged=True)
    assert table.columns == ("cell", "rent")
    assert table.rows == (("a", 1), ("b", True), ("c", 2, "stray"))
    assert complaint(table.numbers, "rent") == "rent in row 5 of t.xlsx is True, but must be a finite number."
    said = complaint(read_table, tmp_path / "t.xlsx", sheet="land use")
    assert (
        said == "row 6 of t.xlsx is 'c,2,stray', but must be 2 values: cell, rent (decimals after a point)."
    )
    assert "(did you mean land use?)" in complaint(read_table, tmp_path / "t.xlsx", sheet="landuse")
    assert "a table with a header" in complaint(read_table, tmp_path / "t.xlsx")
    other = write(tmp_path / "t.csv", "a\nx\n")
    assert complaint(read_table, other, sheet="notes").startswith("sheet is 'notes', but must be left out")


def test_a_workbook_that_states_too_small_a_range_is_read_whole(tmp_path: Path) -> None:
    FRAME.to_excel(tmp_path / "good.xlsx", index=False)
    with zipfile.ZipFile(tmp_path / "good.xlsx") as old, zipfile.ZipFile(tmp_path / "t.xlsx", "w") as new:
        for name in old.namelist():
            new.writestr(name, re.sub(rb'dimension ref="[^"]*"', b'dimension ref="A1:B2"', old.read(name)))
    good, bad = read_table(tmp_path / "good.xlsx"), read_table(tmp_path / "t.xlsx")
    assert (bad.columns, bad.rows) == (good.columns, good.rows)


def test_an_index_of_pandas_is_no_column_of_the_table(tmp_path: Path) -> None:
    FRAME[FRAME["year"] > 2000].to_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").columns == ("place", "year", "rent", "open")
    FRAME.to_csv(tmp_path / "t.csv")
    assert read_table(tmp_path / "t.csv").columns == ("", "place", "year", "rent", "open")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", None, "supply.file is 't.csv', but must be the path of a file that exists."),
        (
            "t.dat",
            b"a\nx\n",
            "supply.file is 't.dat', but must be a table with suffix .csv, .parquet or .xlsx.",
        ),
        (
            "t.csv",
            b"a,b\n\xff,2\n",
            "supply.file is 't.csv', but must be a CSV table in UTF-8 ('utf-8' codec",
        ),
        (
            "t.xlsx",
            b"none",
            "supply.file is 't.xlsx', but must be an XLSX file that can be read (File is not",
        ),
        ("t.parquet", b"none", "supply.file is 't.parquet', but must be a Parquet file that can be read ("),
    ],
)
def test_what_is_no_file_of_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes | None, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path(name).write_bytes(content)
    assert complaint(read_table, name, "supply.file").startswith(said)


@pytest.mark.parametrize("rows", ["0:00,0,51\n1:00,0,73\n", '0:00,"0,51"\n1:00,"0,73"\n'])
def test_supply_with_decimal_commas_is_refused(tmp_path: Path, rows: str) -> None:
    given: dict[str, Any] = {"kind": "table", "file": str(write(tmp_path / "s.csv", "time,supply\n" + rows))}
    said = complaint(as_supply, given, 1.0, 2)
    assert "line 2 of s.csv" in said
    assert "decimals after a point" in said
