"""Geographies: counts, lengths and distances against hand values, and the sentence of every bad input."""

from __future__ import annotations

import math
from typing import Any

import networkx as nx
import numpy as np
import pytest
from makers import complaint

from agora.data.geographies import (
    GEOGRAPHIES,
    as_geography,
    build_geography,
    cell_network,
    circle,
    grid,
    hexagonal,
    positions,
    segment,
    star,
    torus,
    tree,
    two_cell,
)


@pytest.mark.parametrize(
    ("kind", "arguments", "cells", "edges", "length"),
    [
        ("two-cell", {}, 2, 1, 1.0),
        ("two-cell", {"length": 0.5, "land": [0.6, 0.4]}, 2, 1, 0.5),
        ("circle", {"cells": 8}, 8, 8, 1 / 8),
        ("circle", {"cells": 2}, 2, 1, 1 / 2),
        ("circle", {"cells": 3, "circumference": 6}, 3, 3, 2.0),
        ("segment", {"cells": 10}, 10, 9, 0.1),
        ("segment", {"cells": 3, "spacing": 2}, 3, 2, 2.0),
        ("grid", {"rows": 3, "columns": 4}, 12, 17, 1 / 4),
        ("grid", {"rows": 1, "columns": 2}, 2, 1, 1 / 2),
        ("grid", {"rows": 5, "columns": 1, "spacing": 3}, 5, 4, 3.0),
        ("torus", {"rows": 3, "columns": 4}, 12, 24, 1 / 4),
        ("torus", {"rows": 2, "columns": 2}, 4, 4, 1 / 2),
        ("torus", {"rows": 2, "columns": 5}, 10, 15, 1 / 5),
        ("torus", {"rows": 1, "columns": 4}, 4, 4, 1 / 4),
        ("torus", {"rows": 3.0, "columns": 3.0}, 9, 18, 1 / 3),
        ("tree", {"branching": 2, "height": 3}, 15, 14, 1.0),
        ("tree", {"branching": 1, "height": 3, "length": 2.0}, 4, 3, 2.0),
        ("star", {"leaves": 5}, 6, 5, 1.0),
        ("star", {"leaves": 1, "length": 4.0}, 2, 1, 4.0),
        ("hexagonal", {"rings": 1}, 7, 12, 1.0),
        ("hexagonal", {"rings": 3, "spacing": 2.0}, 37, 90, 2.0),
    ],
)
def test_constructors_have_the_counts_lengths_and_total_land(
    kind: str, arguments: dict[str, Any], cells: int, edges: int, length: float
) -> None:
    graph = build_geography(kind, **arguments)
    assert type(graph) is nx.Graph
    assert graph.graph["kind"] == kind
    assert list(graph) == list(range(cells))
    assert all(type(cell) is int for cell in graph)
    assert graph.number_of_edges() == edges
    assert nx.number_of_selfloops(graph) == 0
    assert [data for *_, data in graph.edges(data="length")] == pytest.approx([length] * edges, rel=1e-15)
    assert math.fsum(nx.get_node_attributes(graph, "land").values()) == pytest.approx(1.0, rel=1e-15)
    for data in graph.nodes.values():
        assert sorted(data) == ["land", "x", "y"]
        assert all(type(value) is float for value in data.values())
    checked = as_geography(graph)
    assert nx.utils.graphs_equal(checked, graph)  # what a constructor returns is already checked


def test_every_kind_has_a_constructor() -> None:
    kinds = ["two-cell", "circle", "segment", "grid", "torus", "tree", "star", "hexagonal"]
    assert list(GEOGRAPHIES) == kinds
    assert [constructor.__name__ for constructor in GEOGRAPHIES.values()] == [
        k.replace("-", "_") for k in kinds
    ]


@pytest.mark.parametrize("cells", [2, 3, 4, 7, 12])
def test_circle_distances_go_the_shorter_way_round(cells: int) -> None:
    apart = np.abs(np.subtract.outer(np.arange(cells), np.arange(cells)))
    expected = np.minimum(apart, cells - apart) / cells
    np.testing.assert_allclose(cell_network(circle(cells)).distances, expected, rtol=0, atol=1e-15)
    radius = np.hypot(*positions(circle(cells, circumference=3.0)).T)
    np.testing.assert_allclose(2 * math.pi * radius, 3.0, rtol=1e-14)


@pytest.mark.parametrize(("rows", "columns"), [(1, 4), (2, 2), (2, 5), (3, 4), (5, 3)])
def test_grid_and_torus_distances_are_taxicab(rows: int, columns: int) -> None:
    row, column = np.divmod(np.arange(rows * columns), columns)
    down, across = (np.abs(np.subtract.outer(axis, axis)) for axis in (row, column))
    spacing = 1 / max(rows, columns)
    flat = cell_network(grid(rows, columns)).distances
    wrapped = cell_network(torus(rows, columns)).distances
    np.testing.assert_allclose(flat, spacing * (down + across), rtol=0, atol=1e-14)
    around = np.minimum(down, rows - down) + np.minimum(across, columns - across)
    np.testing.assert_allclose(wrapped, spacing * around, rtol=0, atol=1e-14)
    places = positions(torus(rows, columns))
    np.testing.assert_allclose(places, spacing * np.stack([column, row], axis=1), rtol=0, atol=1e-15)


def test_segment_cells_stand_at_their_centres() -> None:
    np.testing.assert_allclose(
        positions(segment(4)), [[0.125, 0], [0.375, 0], [0.625, 0], [0.875, 0]], atol=1e-15
    )
    np.testing.assert_allclose(cell_network(segment(4)).distances[0], [0, 0.25, 0.5, 0.75], atol=1e-15)


def test_tree_and_star_distances() -> None:
    distances = cell_network(tree(2, 2)).distances  # 0; 1, 2; 3, 4 below 1 and 5, 6 below 2
    assert distances[0].tolist() == [0, 1, 1, 2, 2, 2, 2]
    assert distances[3].tolist() == [2, 1, 3, 0, 2, 4, 4]
    assert cell_network(star(3, length=2.0)).distances[1].tolist() == [2, 0, 4, 4]
    levels = np.hypot(*positions(tree(3, 2, length=0.5)).T)
    np.testing.assert_allclose(levels, [0] + [0.5] * 3 + [1.0] * 9, atol=1e-15)
    assert len({tuple(place) for place in np.round(positions(tree(2, 3)), 9)}) == 15


def test_hexagonal_distances_count_lattice_steps() -> None:
    graph = hexagonal(3, spacing=2.0)
    places = positions(graph) / 2.0
    r = np.rint(places[:, 1] / (math.sqrt(3) / 2))
    q = np.rint(places[:, 0] - r / 2)
    dq, dr = (np.subtract.outer(axis, axis) for axis in (q, r))
    steps = (np.abs(dq) + np.abs(dr) + np.abs(dq + dr)) / 2
    np.testing.assert_allclose(cell_network(graph).distances, 2.0 * steps, rtol=0, atol=1e-12)
    assert np.bincount(steps[0].astype(int)).tolist() == [1, 6, 12, 18]
    assert steps[0].tolist() == sorted(steps[0])  # numbered ring by ring
    for tail, head in graph.edges:  # neighbours are as far apart in the plane as on the graph
        assert np.hypot(*(places[tail] - places[head])) == pytest.approx(1.0, abs=1e-12)


def test_land_may_be_a_number_a_sequence_or_an_array() -> None:
    assert [land for _, land in circle(3, land=2).nodes(data="land")] == [2.0, 2.0, 2.0]
    assert [land for _, land in circle(3, land=[1, 2, 3]).nodes(data="land")] == [1.0, 2.0, 3.0]
    assert [land for _, land in star(1, land=np.array([1.5, 2.5])).nodes(data="land")] == [1.5, 2.5]
    assert [land for _, land in two_cell(land=(0.7, 0.3)).nodes(data="land")] == [0.7, 0.3]
    assert [land for _, land in two_cell(land=np.float64(2)).nodes(data="land")] == [2.0, 2.0]


@pytest.mark.parametrize(
    ("kind", "arguments", "sentence"),
    [
        (
            "circl",
            {},
            "geography.kind is 'circl', but must be one of two-cell, circle, segment, grid, torus, "
            "tree, star, hexagonal (did you mean circle?).",
        ),
        (
            ["circle"],
            {},
            "geography.kind is ['circle'], but must be one of two-cell, circle, segment, grid, torus, "
            "tree, star, hexagonal (did you mean circle?).",
        ),
        (
            "circle",
            {"cels": 8},
            "geography.cels is 8, but must be left out, or an argument of 'circle': one of cells, "
            "circumference, land (did you mean cells?).",
        ),
        ("circle", {}, "geography.cells is missing, but must be given: 'circle' has no default for it."),
        (
            "grid",
            {"rows": 2},
            "geography.columns is missing, but must be given: 'grid' has no default for it.",
        ),
        ("circle", {"cells": 1}, "geography.cells is 1, but must be a whole number >= 2."),
        ("segment", {"cells": 2.5}, "geography.cells is 2.5, but must be a whole number >= 2."),
        ("segment", {"cells": "8"}, "geography.cells is '8', but must be a whole number >= 2."),
        (
            "circle",
            {"cells": 3, "circumference": 0},
            "geography.circumference is 0, but must be a finite number > 0.",
        ),
        ("segment", {"cells": 3, "spacing": -1}, "geography.spacing is -1, but must be a finite number > 0."),
        ("two-cell", {"length": math.inf}, "geography.length is inf, but must be a finite number > 0."),
        ("tree", {"branching": 0, "height": 2}, "geography.branching is 0, but must be a whole number >= 1."),
        ("tree", {"branching": 2, "height": 0}, "geography.height is 0, but must be a whole number >= 1."),
        ("star", {"leaves": 0}, "geography.leaves is 0, but must be a whole number >= 1."),
        ("hexagonal", {"rings": 0}, "geography.rings is 0, but must be a whole number >= 1."),
        ("torus", {"rows": 0, "columns": 3}, "geography.rows is 0, but must be a whole number >= 1."),
        (
            "grid",
            {"rows": 1, "columns": 1},
            "geography.columns is 1, but must be a whole number >= 2 where rows is 1.",
        ),
        (
            "two-cell",
            {"land": [1, 2, 3]},
            "geography.land is [1, 2, 3], but must be a number, or 2 numbers, one for each cell.",
        ),
        ("two-cell", {"land": [1, 0]}, "geography.land[1] is 0, but must be a finite number > 0."),
        ("two-cell", {"land": "1"}, "geography.land is '1', but must be a finite number > 0."),
        ("circle", {"cells": 3, "land": math.nan}, "geography.land is nan, but must be a finite number > 0."),
    ],
)
def test_build_geography_says_what_is_wrong(kind: object, arguments: dict[str, Any], sentence: str) -> None:
    assert complaint(build_geography, kind, **arguments) == sentence


def test_constructors_name_the_argument_itself() -> None:
    assert complaint(circle, 1) == "cells is 1, but must be a whole number >= 2."
