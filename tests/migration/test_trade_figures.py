"""Pictures of trade between places and of myopic migration: what is drawn, and files that repeat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from makers import as_svg, nothing_cut_off
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure
from matplotlib.text import Text

from agora.data import circle, grid, segment
from agora.models import MyopicMigration, Solution, SpatialTrade
from agora.runners import solve
from agora.runners.figures.migration.trade import MOST_BARS, PANELS
from agora.runners.figures.pictures import save


def places(number: int, **changes: Any) -> SpatialTrade:
    costs = 1.2 - 0.2 * np.eye(number) + 0.1 * np.triu(np.ones((number, number)), 1)
    people = np.linspace(1.0, 2.0, number)
    given = {"trade_cost": costs.tolist(), "population": (people / people.sum()).tolist(), **changes}
    return SpatialTrade(elasticity=5.0, **given)


def on(graph: Any) -> SpatialTrade:
    return SpatialTrade(elasticity=5.0, trade_cost={"rate": 0.3}, geography=graph)


def drawn(solution: Solution) -> Figure:
    [draw] = solution.pictures.values()
    return draw()


def panels(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.get_title(loc="left")]


def test_few_places_are_bars_with_their_names() -> None:
    solution = solve(places(3, locations=("Ash", "Beech", "Cedar")))
    figure = drawn(solution)
    assert [axes.get_title(loc="left") for axes in panels(figure)] == [label for label, _ in PANELS.values()]
    for axes, column in zip(panels(figure), PANELS, strict=True):
        heights = [bar.get_height() for bar in axes.patches]  # type: ignore[attr-defined]
        assert heights == pytest.approx(solution.tables["locations"][column].tolist())
    words = {text.get_text() for text in figure.findobj(Text)}
    assert {"Ash", "Beech", "Cedar"} <= words


@pytest.mark.parametrize(("model", "points"), [(on(circle(6)), 7), (on(segment(5)), 5)])
def test_a_circle_is_closed_and_a_segment_is_not(model: SpatialTrade, points: int) -> None:
    solution = solve(model)
    for axes, column in zip(panels(drawn(solution)), PANELS, strict=True):
        values = np.asarray(axes.lines[0].get_ydata(), dtype=float)
        assert len(values) == points
        assert set(values) == set(solution.tables["locations"][column])


def test_many_places_are_a_line() -> None:
    figure = drawn(solve(places(MOST_BARS + 1)))
    assert not any(axes.patches for axes in panels(figure))


def test_a_geography_is_four_maps() -> None:
    solution = solve(on(grid(2, 3)))
    figure = drawn(solution)
    maps = figure.findobj(EllipseCollection)
    assert len(maps) == 4
    for discs, column in zip(maps, PANELS, strict=True):
        assert isinstance(discs, EllipseCollection)
        assert np.asarray(discs.get_array()) == pytest.approx(solution.tables["locations"][column].to_numpy())
    assert {axes.get_xlabel() for axes in figure.axes} >= {label for label, _ in PANELS.values()}


@pytest.fixture(scope="module")
def myopic() -> Solution:
    return solve(
        MyopicMigration(
            elasticity=5.0,
            trade_cost_rate=0.5,
            noise=0.01,
            discount=0.05,
            moving_cost=120.0,
            horizon=10.0,
            cells=8,
            steps=10,
            initial={"kind": "cosine", "amplitude": 0.4},
        )
    )


def test_myopic_migration_shows_density_and_concentration(myopic: Solution) -> None:
    figure = drawn(myopic)
    upper, lower = figure.axes[:2]
    mesh = np.asarray(upper.collections[0].get_array()).reshape(11, 9)
    density = myopic.tables["path"]["density"].to_numpy().reshape(11, 8)
    np.testing.assert_allclose(mesh[:, 4:8], density[:, :4])
    np.testing.assert_allclose(mesh[:, 0], mesh[:, -1])
    assert np.asarray(lower.lines[0].get_ydata()) == pytest.approx(myopic.tables["concentration"]["hhi"])


MODELS = {"bars": places(3), "line": places(12), "ring": on(circle(8)), "map": on(grid(2, 2))}


@pytest.fixture(scope="module", params=sorted(MODELS))
def solution(request: pytest.FixtureRequest) -> Solution:
    return solve(MODELS[request.param])


@pytest.fixture(scope="module")
def figure(solution: Solution) -> Figure:
    return drawn(solution)


def test_nothing_is_cut_off(figure: Figure) -> None:
    assert nothing_cut_off(figure)


@pytest.mark.parametrize("solution", [pytest.param("ring", marks=pytest.mark.heavy), "map"], indirect=True)
def test_files_repeat(solution: Solution, figure: Figure, tmp_path: Path) -> None:
    vector, picture = save(figure, tmp_path, "trade")
    assert vector.read_bytes() == as_svg(drawn(solution))
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.heavy
@pytest.mark.parametrize("model", [on(circle(12)), on(grid(4, 4))])
def test_nothing_is_cut_off_of_more_cells(model: SpatialTrade) -> None:
    assert nothing_cut_off(drawn(solve(model)))
