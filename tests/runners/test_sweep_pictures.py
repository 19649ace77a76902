"""Pictures of sweeps, and the page about datasets as it is written."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from agora.data.checks import Caution, InputError
from agora.data.datasets import read_dataset
from agora.runners.figures.pictures import save
from agora.runners.figures.sweeps import SweepTables, draw
from agora.runners.sweeps import sweep

PAGE = Path(__file__).resolve().parents[2] / "docs" / "datasets.md"

GRID = """scenario = "two-cell-low"
[grid]
decay = [1.0, 2.0, 4.0]
commuting_cost = { from = 0.02, to = 0.4, number = 6 }
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("swept")
    (folder / "grid.toml").write_text(GRID, encoding="utf-8")
    sweep(folder / "grid.toml", folder / "out", workers=0)
    return folder / "out"


def test_lines_are_the_table(swept: Path) -> None:
    axes = draw(swept, "commuting_cost", ["totals.profit"], color="decay").axes[0]
    table = SweepTables(swept).scenarios
    drawn = [sorted(zip(*line.get_data(), strict=True)) for line in axes.lines]
    for decay, part in table.groupby("decay"):
        assert sorted(zip(part["commuting_cost"], part["totals.profit"], strict=True)) in drawn, decay
    assert axes.get_xlabel() == "commuting cost (numéraire per household and length)"
    assert axes.get_ylabel().replace("\n", " ") == "profit (numéraire per firm)"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["1", "2", "4"]


def test_one_line_a_scenario_over_places(swept: Path) -> None:
    figure = draw(swept, "location", ["cells.rent"], color="decay", panels="decay")
    assert [len(axes.lines) for axes in figure.axes] == [6, 6, 6]
    assert [axes.get_title() for axes in figure.axes] == ["decay 1", "decay 2", "decay 4"]


def test_one_line_a_place_over_a_parameter(swept: Path) -> None:
    axes = draw(swept, "commuting_cost", ["cells.wage"], panels="decay").axes[0]
    assert len(axes.lines) == 2


def test_few_values_make_phases_and_many_a_heat_map(swept: Path) -> None:
    phases = draw(swept, "decay", ["commuting_cost"], z="facts.centres")
    table = SweepTables(swept).scenarios
    shown = phases.axes[0].collections[0].get_array().reshape(6, 3)
    kinds = sorted(table["facts.centres"].unique())
    wanted = table.pivot(index="commuting_cost", columns="decay", values="facts.centres").to_numpy()
    assert [[kinds[int(k)] for k in row] for row in shown] == wanted.tolist()
    heat = draw(swept, "decay", ["commuting_cost"], z="objective")
    assert len(heat.axes) == 2  # the map and its colour bar
    assert heat.axes[1].get_ylabel() == "objective"


def test_points_where_places_differ_from_scenario_to_scenario(swept: Path, tmp_path: Path) -> None:
    figure = draw(swept, "commuting_cost", ["equilibria.firms_0"], color="location")
    table = SweepTables(swept).places
    points = table[table["name"] == "equilibria.firms_0"]
    assert len(figure.axes[0].collections[0].get_offsets()) == len(points)
    vector, raster = save(figure, tmp_path, "points")
    assert vector.stat().st_size > 1000
    assert raster.stat().st_size > 1000


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"x": "commuting_cots", "y": ["totals.profit"]}, "did you mean commuting_cost?"),
        ({"x": "commuting_cost", "y": ["cells.rents"]}, "did you mean cells.rent?"),
        ({"x": "decay", "y": ["a", "b"], "z": "objective"}, "one column where --z is given"),
        ({"x": "sites.rent", "y": ["cells.rent"]}, "one of"),
    ],
)
def test_a_column_that_is_not_there_is_said_in_a_sentence(
    swept: Path, options: dict[str, object], said: str
) -> None:
    with pytest.raises(InputError) as caught:
        draw(swept, **options)
    assert said in str(caught.value)


def test_a_folder_that_is_no_sweep_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the folder of a sweep"):
        draw(tmp_path, "a", ["b"])


def test_the_page_about_datasets_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = PAGE.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (grid,) = re.findall(r"```toml\n(.*?)```", text, re.S)
    Path("docs-example.toml").write_text(grid, encoding="utf-8")
    (table,) = re.findall(r"```text\n(.*?)```", text, re.S)
    Path("table.csv").write_text(table, encoding="utf-8")
    assert len(read_dataset("docs-example.toml").rows) == 3 * 2 * 4
    assert [row.content["solve"]["method"] for row in read_dataset("table.csv").rows] == [
        "global", "best-response"
    ]  # fmt: skip
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    Path("page.py").write_text(code, encoding="utf-8")
    names = runpy.run_path("page.py")
    assert names["summary"].complete
    assert names["wide"].shape == (24, 2)
    listed = set(re.findall(r"^\| `([\w.]+)` ", text, re.M))
    assert {file.name for file in names["out"].iterdir() if file.is_file()} <= listed


def test_too_many_panels_are_refused(swept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agora.runners.figures.sweeps.MOST_PANELS", 2)
    with pytest.raises(InputError, match="at most 2 values"):
        draw(swept, "commuting_cost", ["objective"], panels="decay")


def test_the_old_name_of_a_column_is_understood_with_a_caution(swept: Path) -> None:
    with pytest.warns(Caution, match=r"totals\.commuting_cost is called totals\.total_commuting_cost now"):
        axes = draw(swept, "commuting_cost", ["totals.commuting_cost"]).axes[0]
    assert "total commuting cost" in axes.get_ylabel()
    assert axes.get_xlabel().startswith("commuting cost (")
