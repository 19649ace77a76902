"""Datasets: what a table or a grid becomes, and how bad ones are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from agora.data.checks import InputError
from agora.data.datasets import read_dataset, shipped_datasets
from agora.data.scenarios import scenario_from


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_a_grid_is_every_combination_the_last_varies_fastest(tmp_path: Path) -> None:
    text = """scenario = "two-cell-low"
[[zip]]
decay = [1.0, 2.0]
firm_mass = [0.5, 0.4]
[grid]
geography.land = [[0.6, 0.4], [0.5, 0.5]]
commuting_cost = { from = 0.1, to = 0.3, number = 3 }
"""
    read = read_dataset(written(tmp_path, "grid.toml", text))
    assert read.columns == ("decay", "firm_mass", "geography.land", "commuting_cost")
    assert len(read.rows) == 2 * 2 * 3
    assert [row.values["commuting_cost"] for row in read.rows[:3]] == pytest.approx([0.1, 0.2, 0.3])
    last = read.rows[-1].content
    assert last["parameters"]["decay"] == 2.0
    assert last["parameters"]["firm_mass"] == 0.4
    assert last["parameters"]["labor_per_firm"] == 1.0  # of the scenario it starts from
    assert last["geography"] == {"kind": "two-cell", "land": [0.5, 0.5]}


def test_logarithmic_spacing_meets_both_ends(tmp_path: Path) -> None:
    grid = 'decay = { from = 0.1, to = 10.0, number = 3, spacing = "logarithmic" }'
    text = f'scenario = "two-cell-low"\n[grid]\n{grid}'
    rows = read_dataset(written(tmp_path, "log.toml", text)).rows
    assert [row.values["decay"] for row in rows] == pytest.approx([0.1, 1.0, 10.0])


def test_csv_xlsx_and_parquet_say_the_same(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "scenario": ["two-cell-low", "two-cell-low"],
            "commuting_cost": [0.02, 0.03],
            "geography.land": ["[0.5, 0.5]", None],
            "solve.method": ["global", "best-response"],
        }
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_excel(tmp_path / "t.xlsx", index=False)
    frame.to_parquet(tmp_path / "t.parquet", index=False)
    read = [read_dataset(tmp_path / f"t.{ending}") for ending in ("csv", "xlsx", "parquet")]
    contents = [[dict(row.content) for row in each.rows] for each in read]
    assert contents[0] == contents[1] == contents[2]
    assert contents[0][0]["geography"]["land"] == [0.5, 0.5]
    assert contents[0][1]["geography"]["land"] == [0.6, 0.4]
    assert contents[0][1]["solve"]["method"] == "best-response"


def test_a_cell_is_never_run(tmp_path: Path) -> None:
    text = "scenario,commuting_cost\ntwo-cell-low,__import__('os').getcwd()\ntwo-cell-low,=1+1\n"
    rows = read_dataset(written(tmp_path, "t.csv", text)).rows
    assert [row.values["commuting_cost"] for row in rows] == ["__import__('os').getcwd()", "=1+1"]


def test_bad_rows_are_kept_apart(tmp_path: Path) -> None:
    text = "scenario,commuting_cost\ntwo-cell-low,0.1\nnowhere,0.1\ntwo-cell-low\ntwo-cell-low,0.2\n"
    read = read_dataset(written(tmp_path, "t.csv", text))
    assert [row.number for row in read.rows] == [1, 4]
    assert [(fault.row, fault.column) for fault in read.faults] == [(2, "scenario"), (3, "cells")]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("t.csv", "", "a table with a header"),
        ("t.csv", "commuting_cost\n", "at least one row"),
        ("t.csv", "a,a\n1,2\n", "named once each"),
        ("t.csv", "a,\n1,2\n", "named: a field of the model"),
        ("t.csv", 'a,b\n1,"2\n', "a CSV table in UTF-8"),
        ("t.txt", "a\n1\n", "a file that ends in .csv"),
        ("t.parquet", "no", "a Parquet file"),
        ("t.xlsx", "no", "an XLSX file"),
        ("t.toml", "[grid", "a TOML file"),
        ("t.toml", "grid = 3", "a table, [grid]"),
        ("t.toml", "[gird]\na = [1]", "did you mean grid?"),
        ("t.toml", "[grid]\na = 3", "a list of values"),
        ("t.toml", "[grid]\na = []", "at least one value"),
        ("t.toml", "[grid]\na = { from = 1, to = 2 }", "a whole number >= 2"),
        ("t.toml", "[grid]\na = { from = 1, to = inf, number = 3 }", "a finite number"),
        ("t.toml", "[grid]\na = { from = 1, to = 2, number = 1e300 }", "at most 1000000"),
        ("t.toml", "[grid]\na = { from = 0, to = 2, number = 3, spacing = 'logarithmic' }", "a number > 0"),
        ("t.toml", "[grid]\na = { from = 1, to = 2, step = 3 }", "left out"),
        ("t.toml", "[[zip]]\na = [1, 2]\nb = [1]", "columns of equal length"),
        ("t.toml", "[[zip]]\na = [1, 2]\n[grid]\na = [1]", "named once each"),
        ("t.toml", "scenario = 'nowhere'\n[grid]\na = [1]", "a file, or one of "),
        ("t.toml", "scenario = 3\n[grid]\na = [1]", "the name of a shipped scenario"),
    ],
)
def test_what_is_no_dataset_is_said_in_a_sentence(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read_dataset(written(tmp_path, name, text))
    assert said in str(caught.value)


def test_a_grid_too_large_to_write_out_is_refused_at_once(tmp_path: Path) -> None:
    axes = "\n".join(f"{name} = {{ from = 0, to = 1, number = 1000 }}" for name in ("a", "b", "c"))
    with pytest.raises(InputError, match="at most 1000000"):
        read_dataset(written(tmp_path, "t.toml", f"[grid]\n{axes}"))


def test_shipped_datasets_are_read_and_say_what_they_are() -> None:
    files = shipped_datasets()
    assert {"circle-8-1000", "two-cell-figure-2"} <= set(files)
    for name, file in files.items():
        read = read_dataset(name)
        assert read.rows
        assert not read.faults
        assert file.read_text(encoding="utf-8").startswith("# ")


def test_a_parquet_table_may_hold_lists(tmp_path: Path) -> None:
    frame = pd.DataFrame({"model": ["fujita-ogawa"], "geography.land": [np.array([0.5, 0.5])]})
    frame.to_parquet(tmp_path / "t.parquet", index=False)
    assert read_dataset(tmp_path / "t.parquet").rows[0].content["geography"]["land"] == [0.5, 0.5]


def test_a_scenario_that_was_edited_is_read_again(tmp_path: Path) -> None:
    rows = written(tmp_path, "t.csv", "scenario,decay\nbase.toml,1.0\nbase.toml,2.0\n")
    for cost in (0.02, 0.9):
        written(tmp_path, "base.toml", f'model = "fujita-ogawa"\n[parameters]\ncommuting_cost = {cost}\n')
        found = [row.content["parameters"]["commuting_cost"] for row in read_dataset(rows).rows]
        assert found == [cost, cost]


def test_files_that_a_scenario_names_are_found_from_another_folder(tmp_path: Path) -> None:
    """A dataset elsewhere starts from a scenario: the scenario's tables stay beside the scenario."""
    (tmp_path / "models").mkdir()
    (tmp_path / "tables").mkdir()
    (tmp_path / "models" / "supply.csv").write_text("time,supply\n0.0,0.1\n0.5,-0.2\n", encoding="utf-8")
    text = """model = "price-formation"
[parameters]
horizon = 1.0
steps = 2
control_cost = 1.0
agents = { kind = "linspace", from = 0.0, to = 1.0, number = 2 }
supply = { kind = "table", file = "supply.csv" }
running = { kind = "none" }
terminal = { kind = "quadratic", weight = 1.0, target = 0.0 }
"""
    (tmp_path / "models" / "market.toml").write_text(text, encoding="utf-8")
    table = "scenario,control_cost\n../models/market.toml,2.0\n"
    read = read_dataset(written(tmp_path / "tables", "t.csv", table))
    row = read.rows[0]
    scenario = scenario_from(row.content, name=row.name, folder=row.folder)
    assert scenario.parameters["control_cost"] == 2.0
    assert Path(scenario.parameters["supply"]["file"]).samefile(tmp_path / "models" / "supply.csv")
