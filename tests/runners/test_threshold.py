"""Where features change: thresholds that the theory knows, and what bad input is told."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from commands import agora
from makers import FOUR_SITES, city, complaint

from agora.data import circle, two_cell
from agora.models import FujitaOgawa, Marketplaces
from agora.runners.figures.comparative import draw_phases
from agora.runners.figures.pictures import save
from agora.runners.studies.phase import phase_diagram
from agora.runners.studies.threshold import thresholds

DELTA = 0.1
GLOBAL: dict[str, Any] = {"method": "global"}


@pytest.fixture(scope="module")
def town() -> FujitaOgawa:
    return city(two_cell(land=[0.6, 0.4]), 0.1, -math.log(DELTA))


def test_the_two_cell_city_changes_where_proposition_4_says(town: FujitaOgawa) -> None:
    found = thresholds(
        town, "t", 'count(cells.use == "integrated")', between=(0.05, 0.35), options=GLOBAL, tolerance=1e-9
    )
    assert len(found.table) == 1
    row = found.table.iloc[0]
    # t* = (t̂ + t̃)/2 with t̂ = (1 − δ)/4, t̃ = (1 − δ)/20
    assert row["low"] <= (1 - DELTA) * 0.15 <= row["high"]
    assert row["high"] - row["low"] <= 1e-9
    assert (row["below"], row["above"]) == (0.0, 2.0)
    assert len(found.scan) < 32  # the scan's 17 and a few beside the crossing of the two potentials


def test_several_changes_and_none(town: FujitaOgawa) -> None:
    found = thresholds(
        city(circle(4), 0.1, 4.0), "t", 'blocks(cells.use == "business")', between=(0.05, 0.4), options=GLOBAL
    )
    delta = math.exp(-1)
    assert found.table["threshold"].tolist() == pytest.approx([(1 - delta**2) / 4], abs=1e-6)
    none = thresholds(town, "t", 'blocks(cells.use == "vacant")', between=(0.1, 0.2), scan=2, options=GLOBAL)
    assert none.table.empty
    assert len(none.scan) == 3


def test_a_third_value_within_a_bracket_is_found(town: FujitaOgawa) -> None:
    where = "(cells.production[1] > 0.05) + (cells.production[1] > 0.1)"  # M e^{−τ}
    found = thresholds(town, "decay", where, between=(1.0, 3.0), scan=1, tolerance=1e-6, options=GLOBAL)
    assert found.table["below"].tolist() == [2.0, 1.0]
    assert found.table["above"].tolist() == [1.0, 0.0]
    assert found.table["threshold"].tolist() == pytest.approx([math.log(5), math.log(10)], abs=1e-6)


def test_where_the_model_allows_no_answer_the_feature_says_so() -> None:
    economy = Marketplaces(**{**FOUR_SITES, "marketplaces": [0.33, 0.67]})
    found = thresholds(economy, "sites.0", "totals.utility > 0", between=(0.1, 0.2), scan=1)
    assert found.table.empty
    found = thresholds(
        economy, "sites.0", "totals.utility > 0", between=(0.32, 0.34), scan=2
    )  # meets sites.1
    assert "(not allowed)" in set(found.scan["feature"])


@pytest.mark.heavy
def test_marketplaces_become_fewer_where_the_paper_lies() -> None:
    economy = Marketplaces(**FOUR_SITES)
    found = thresholds(
        economy, "setup_cost", "totals.marketplaces", between=(0.02, 0.1), scan=8, tolerance=1e-6
    )
    assert found.table["threshold"].tolist() == pytest.approx([0.036781, 0.085], abs=2e-6)
    assert found.table["above"].tolist() == [2.0, 1.0]


@pytest.mark.heavy
def test_eight_cells_change_where_proposition_7_says() -> None:
    found = thresholds(
        city(circle(8), 0.15, 8.0), "t", 'blocks(cells.use == "business")', between=(0.1, 0.25),
        scan=6, tolerance=1e-6, options=GLOBAL,
    )  # fmt: skip
    assert found.table["threshold"].tolist() == pytest.approx([0.138032915375, 0.186911268104], abs=1e-6)
    assert found.table["above"].tolist() == [2.0, 0.0]


def test_a_phase_diagram_refines_the_boundary_alone(town: FujitaOgawa, tmp_path: Path) -> None:
    where = 'count(cells.use == "integrated")'
    drawn = phase_diagram(
        town, ("t", "tau"), where, between=((0.02, 0.3), (0.5, 3.0)), coarse=3, depth=2, options=GLOBAL
    )
    assert len(drawn.points) < 0.6 * drawn.full_grid
    area = sum(
        (row["commuting_cost_high"] - row["commuting_cost_low"]) * (row["decay_high"] - row["decay_low"])
        for row in drawn.cells.to_dict(orient="records")
    )
    assert area == pytest.approx(0.28 * 2.5)
    for row in drawn.cells.to_dict(orient="records"):
        corners = [
            (t, 0.15 * (1 - math.exp(-tau)))
            for t in (row["commuting_cost_low"], row["commuting_cost_high"])
            for tau in (row["decay_low"], row["decay_high"])
        ]
        sides = {t > threshold for t, threshold in corners}
        assert row["boundary"] == (len(sides) > 1)
        if not row["boundary"]:
            assert row["feature"] == ("2" if sides == {True} else "0")
    crossed = drawn.cells[drawn.cells["boundary"]]
    widths = crossed["commuting_cost_high"] - crossed["commuting_cost_low"]
    assert widths.max() == pytest.approx(drawn.resolution[0])
    figure = draw_phases(drawn.cells, drawn.parameters, where, ("numéraire", "per length"))
    written = save(figure, tmp_path, "phases")
    assert all(path.stat().st_size > 5000 for path in written)


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        ({"path": "commuting_cots"}, "did you mean commuting_cost?"),
        ({"between": (0.2, 0.1)}, "two numbers, the first below the second"),
        ({"between": (0.2, 0.2)}, "two numbers, the first below the second"),
        ({"between": (float("nan"), 0.2)}, "--between is nan"),
        ({"between": (-0.1, 0.2)}, "commuting_cost is -0.1"),
        ({"tolerance": 0.0}, "--tolerance is 0.0"),
        ({"scan": 0}, "--scan is 0"),
        ({"where": "count(cells.use == 'vacant'"}, "at character 28"),
        ({"where": "cells.use"}, "put count"),
        ({"where": "totals.potential"}, "a feature that takes few values"),
    ],
)
def test_bad_input_is_one_sentence(named: dict[str, Any], sentence: str, town: FujitaOgawa) -> None:
    given: dict[str, Any] = {"path": "t", "where": "count(cells.firms > 0)", "between": (0.1, 0.2), **named}
    said = complaint(thresholds, town, options=GLOBAL, **given)
    assert sentence in said


def test_the_document_runs() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "sensitivity.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.S)
    assert len(blocks) == 4
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "sensitivity.md", "exec"), names)
    assert "not unique" in set(names["rents"]["exists"])


def test_threshold_on_the_command_line(tmp_path: Path) -> None:
    line = ["threshold", "two-cell-low", "--parameter", "t", "--where", 'count(cells.use == "integrated")']
    run = agora(*line, "--between", "0.05", "0.35", "--scan", "4", "--json", folder=tmp_path)
    assert run.returncode == 0, run.stderr
    answer = json.loads(run.stdout)
    assert answer["changes"][0]["threshold"] == pytest.approx(0.135, abs=1e-6)
    folder = tmp_path / "runs" / "two-cell-low-threshold"
    assert {path.name for path in folder.iterdir()} >= {"changes.csv", "scan.csv", "manifest.json"}
    run = agora(
        *line, "--parameter", "tau", "--between", "0.05", "0.3", "--and", "1", "3", "--grid", "2",
        "--depth", "1", "--out", "phases", folder=tmp_path,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "solves where a full grid takes 25" in run.stdout
    assert (tmp_path / "phases" / "phases.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--parameter", "tt", "--where", "1 > 0"], "one of geography, commuting_cost"),
        (["--parameter", "t", "--where", "1 >"], "at character 4"),
        (["--parameter", "t", "--where", "1 > 0", "--and", "1", "2"], "left out unless"),
        (["--parameter", "t", "--parameter", "t", "--where", "1 > 0"], "two parameters that differ"),
        (["--parameter", "t", "--where", "open('x')"], "a function"),
    ],
)
def test_bad_commands_are_one_sentence(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
) -> None:
    run = agora("threshold", "two-cell-low", *arguments, folder=tmp_path)
    assert run.returncode == 2
    assert sentence in run.stderr
    assert list(tmp_path.iterdir()) == []
