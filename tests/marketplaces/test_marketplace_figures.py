"""The picture of a marketplace economy: what is drawn and written, and files that repeat."""

from __future__ import annotations

import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from makers import FOUR_SITES, as_svg
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from agora.models import Marketplaces, Solution
from agora.runners import solve
from agora.runners.figures import style
from agora.runners.figures.marketplaces.economy import PANELS, POSITION, draw_marketplaces
from agora.runners.figures.pictures import pictures, save

PAPER = {**FOUR_SITES, "commodity_shares": [0.2, 0.3]}


def solved(**changes: Any) -> Solution:
    return solve(Marketplaces(**{**PAPER, **changes}))


def drawing(solution: Solution) -> Figure:
    [draw] = pictures(solution.model, solution.tables).values()
    return draw()


def discs(axes: Axes, label: str) -> PathCollection:
    [found] = [c for c in axes.collections if isinstance(c, PathCollection) and c.get_label() == label]
    return found


@pytest.fixture(scope="module")
def two() -> Solution:
    return solved(marketplaces=[0.33, 0.67])


@pytest.fixture(scope="module")
def figure(two: Solution) -> Figure:
    return drawing(two)


def made_up(number: int, places: list[float], goods: int) -> tuple[Marketplaces, dict[str, pd.DataFrame]]:
    """Return an economy of random sites, out of order, and tables of random numbers that fit it."""
    draw = np.random.default_rng(number)
    sites, makes = draw.random(number), np.arange(number) % goods + 1
    shares = [0.5 / goods] * goods
    changes: dict[str, Any] = {
        "commodity_shares": shares,
        "setup_shares": [1 / goods] * goods,
        "marketplaces": places,
    }
    changes["setup_cost"] = 1e-3
    model = Marketplaces(
        **{**PAPER, **changes, "sites": sites.tolist(), "makes": makes.tolist(), "region": (0.0, 1.0)}
    )
    people = draw.dirichlet(np.full(number, 0.3))
    nearest = np.array(places)[np.abs(sites[:, None] - places).argmin(axis=1)]
    table = pd.DataFrame({"site": range(number), "position": sites, "makes": makes, "marketplace": nearest})
    table = table.assign(travel=abs(sites - nearest), population=people, production=people, rent=0.1 * people)
    totals = pd.DataFrame({"utility": [1.0], "fee": [0.01]})
    return model, {"sites": table, "marketplaces": pd.DataFrame({"location": places}), "totals": totals}


def test_every_axis_has_its_unit(figure: Figure) -> None:
    _, *panels = figure.axes
    assert [panel.get_ylabel() for panel in panels] == list(PANELS.values())
    assert panels[-1].get_xlabel() == POSITION
    assert all("(" in label for label in (*PANELS.values(), POSITION))
    assert len({panel.get_xlim() for panel in figure.axes}) == 1


@pytest.mark.parametrize("places", [[0.67], [0.33, 0.67], [0.0, 0.33, 0.67, 1.0]])
def test_as_many_marketplaces_as_in_the_table_and_a_railway_between_them(places: list[float]) -> None:
    solution = solved(marketplaces=places)
    figure = drawing(solution)
    line = figure.axes[0]
    drawn = np.asarray(discs(line, "marketplaces").get_offsets())
    assert drawn[:, 0] == pytest.approx(solution.tables["marketplaces"]["location"].to_numpy())
    legend = line.get_legend()
    assert legend is not None
    assert ("railway" in {text.get_text() for text in legend.get_texts()}) == (len(places) > 1)
    tracks = [np.ptp(track.get_xdata()) for track in line.lines[1:]]
    assert tracks == pytest.approx([places[-1] - places[0]] * (2 if len(places) > 1 else 0))
    assert figure.get_suptitle().startswith(f"{len(places)} marketplace" + "s" * (len(places) > 1) + " for")


def test_sites_are_discs_with_population_as_area_and_arrows_are_travel(two: Solution, figure: Figure) -> None:
    sites, line = two.tables["sites"], figure.axes[0]
    drawn = discs(line, "sites")
    order = np.argsort(np.asarray(drawn.get_offsets())[:, 0])
    area, people = np.asarray(drawn.get_sizes())[order], sites["population"].to_numpy()
    assert area / area.sum() == pytest.approx(people / people.sum())
    colours = [to_hex(colour) for colour in np.asarray(drawn.get_facecolor())[order]]
    assert colours == [style.CATEGORIES[good - 1].lower() for good in sites["makes"]]
    assert [tick.get_text() for tick in line.get_xticklabels()] == ["0", "0.33", "0.67", "1"]
    arrows = [patch for patch in line.patches if isinstance(patch, FancyArrowPatch)]
    assert len(arrows) == (sites["travel"] > 0).sum() == 2


def test_panels_show_the_columns_of_the_sites(two: Solution, figure: Figure) -> None:
    for panel, column in zip(figure.axes[1:], PANELS, strict=True):
        [stems] = [c for c in panel.collections if isinstance(c, LineCollection) and c.get_label() == column]
        tops = [segment[1] for segment in stems.get_segments()]
        assert np.array(tops) == pytest.approx(two.tables["sites"][["position", column]].to_numpy())


def test_title_and_caption_have_the_numbers(two: Solution, figure: Figure) -> None:
    totals = two.tables["totals"].iloc[0]
    assert figure.get_suptitle() == "2 marketplaces for 4 sites, q̄ = 0.05"
    caption = f"utility {totals['utility']:.4g}, fee {totals['fee']:.4g} a head (share of the unit simplex)"
    assert figure.get_supxlabel() == caption


@pytest.mark.parametrize(
    ("number", "places", "goods"),
    [
        (2, [0.4], 1),
        pytest.param(20, [0.2, 0.5, 0.8], 2, marks=pytest.mark.heavy),
        (60, [0.1, 0.5, 0.51, 0.9], 12),
    ],
)
def test_two_to_sixty_sites_without_warnings_or_names_that_overlap(
    number: int, places: list[float], goods: int, tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = draw_marketplaces(*made_up(number, places, goods))
        save(figure, tmp_path, "marketplaces")
    with style.settings():
        figure.draw_without_rendering()
    line = figure.axes[0]
    assert len(discs(line, "sites").get_offsets()) == number
    boxes = [tick.get_window_extent() for tick in line.get_xticklabels()]
    assert boxes
    assert all(left.x1 <= right.x0 + 0.5 for left, right in pairwise(boxes))
    page = figure.bbox
    texts = [figure.axes[-1].xaxis.label, *(panel.yaxis.label for panel in figure.axes[1:])]
    assert all(page.x0 <= t.get_window_extent().x0 and t.get_window_extent().x1 <= page.x1 for t in texts)


@pytest.mark.parametrize("rounds", [2, pytest.param(6, marks=pytest.mark.heavy)])
def test_the_svg_has_the_same_bytes_every_time(two: Solution, tmp_path: Path, rounds: int) -> None:
    """Also with other figures in between, after which memory is laid out in another way."""
    written = {save(drawing(two), tmp_path, "marketplaces")[0].read_bytes()}
    for round_ in range(1, rounds):
        others = [made_up(2 + round_, [0.2, 0.5][: 1 + round_ % 2], 2) for _ in range(round_ % 3)]
        kept = [draw_marketplaces(*other) for other in others]
        written.add(as_svg(drawing(two)))
        assert len(kept) == len(others)
    assert len(written) == 1
