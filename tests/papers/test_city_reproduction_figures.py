"""The redrawn figures of the city: what they show is computed, and every one has its caption."""

from __future__ import annotations

import numpy as np
import pytest

from agora.papers.claims import read_paper
from agora.papers.osawa_akamatsu import landscapes, regions
from agora.papers.osawa_akamatsu.beyond import figures_and_map
from agora.papers.osawa_akamatsu.many_cells import certified_by_decay, certified_points
from agora.papers.osawa_akamatsu.small_circle import maximisers_named, remaining_corners


def test_the_partition_of_eight_cells_has_the_thresholds_of_proposition_7() -> None:
    # τ = 8: t*** = .138032915375, t** = .186911268104; τ = 4: t* = .156008152041 (closed forms of its proof)
    low, high = regions._winners(8, np.array([4.0, 8.0]))
    assert [centres for centres, _ in low] == [1, 0]
    assert low[0][1] == pytest.approx(0.156008152041, abs=1e-11)
    assert [centres for centres, _ in high] == [1, 2, 0]
    assert [end for _, end in high[:2]] == pytest.approx([0.138032915375, 0.186911268104], abs=1e-11)


def test_figure_5_shows_every_equilibrium() -> None:
    drawn = landscapes.draw_equilibria()
    shown = [sum(len(line.get_xdata()) for line in axes.lines) for axes in drawn.axes]
    assert shown == [25, 13, 1]
    assert [axes.get_title() for axes in drawn.axes] == [
        "t = 0.15: 25 equilibria", "t = 0.2: 13 equilibria", "t = 0.26: 1 equilibrium",
    ]  # fmt: skip


def test_the_triangular_lattice_covers_all_distributions() -> None:
    firms, triangles = landscapes._lattice(30)
    assert firms.sum(axis=1) == pytest.approx(0.5)
    assert firms.min() == 0
    assert firms.max() == pytest.approx(1 / 3)
    # ℳ is the triangle Σ m = ½ less three corners of a ninth of its area each: 6/9 of 30² small ones
    assert len(triangles.triangles) == 600


@pytest.mark.parametrize(
    ("delta", "cost", "expected"),
    [
        # δ = .1: 2200 iff t < ½(1−δ²) = .495; 2020 iff t < ½(1−δ)² = .405; 2110 on (.045, .45); 2101 never
        (0.1, 0.03, ("1111", "2200", "2020")),
        (0.1, 0.2, ("1111", "2200", "2020", "2110")),
        (0.1, 0.42, ("1111", "2200", "2110")),
        (0.1, 0.47, ("1111", "2200")),
        (0.1, 0.5, ("1111",)),
    ],
)
def test_local_maximisers_of_four_cells(delta: float, cost: float, expected: tuple[str, ...]) -> None:
    assert maximisers_named(delta, cost) == expected


def test_a_point_without_proof_is_marked() -> None:
    points = certified_points(8, [4.0, 8.0], [0.1, 0.15, 0.2])
    assert points["certified"].all()
    points.loc[2, "certified"] = False
    axes = regions.draw_certified(points, 8).axes[0]
    assert axes.get_title() == "8 cells: 5 of 6 points certified"
    assert [len(line.get_xdata()) for line in axes.lines] == [1]


def test_the_snapshots_of_figure_1_show_the_printed_maximisers() -> None:
    # caption: 1, 3 and 2 local maximisers; t = (3/2) t̂, (2/3) t̃ + (1/3) t̂, (1/2) t̃ with t̂ = .225, t̃ = .045
    drawn = landscapes.draw_snapshots()
    assert [axes.get_title().split("t = ")[1] for axes in drawn.axes] == ["0.3375", "0.105", "0.0225"]
    black = [
        sum(line.get_marker() == "o" for line in axes.lines if len(line.get_xdata()) == 1)
        for axes in drawn.axes
    ]
    assert black == [1, 3, 2]


def test_the_corners_of_figure_a1() -> None:
    # (A.5): among the patterns of Proposition A.1 all but (2, 1, 1, 0), which is halfway between two corners
    corners = remaining_corners().tolist()
    assert len(corners) == 5
    for pattern in ([1, 1, 1, 1], [2, 0, 2, 0], [2, 1, 0, 1], [2, 2, 0, 0]):
        assert pattern in corners


def test_the_map_by_decay_counts_what_is_open() -> None:
    points = certified_points(8, {"from": 4.0, "to": 8.0, "number": 2}, [0.1, 0.15, 0.2])
    table = certified_by_decay(points)
    assert table["certified"].tolist() == [3, 3]
    # thresholds of Proposition 7: τ = 4: 1 → uniform at .156; τ = 8: 1 → 2 at .138, 2 → uniform at .187
    assert table["centres as t rises"].tolist() == ["1 → uniform", "1 → 2 → uniform"]
    points.loc[2, "certified"] = False
    assert certified_by_decay(points)["open"].tolist() == [1, 0]


@pytest.mark.heavy
def test_every_figure_is_drawn_and_has_a_caption() -> None:
    added = figures_and_map()
    assert set(added.figures) == {figure.name for figure in read_paper("osawa-akamatsu").figure}
    points = added.tables["certified-points-24"]
    assert len(points) == 600
    assert points["certified"].all()
    # the repaired conjecture: the winner is uniform or m^J with 4J | 24
    assert set(points["centres"]) <= {0, 1, 2, 3, 6}
    points = added.tables["certified-points-48"]
    assert len(points) == 164 * 33
    assert set(points.loc[points["certified"], "centres"]) <= {0, 1, 2, 3, 4, 6, 12}
