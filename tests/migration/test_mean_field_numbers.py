"""Sweeps in time against the solved game: its values follow from its wages, its densities from its values."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest

from agora.formulations.migration.mean_field_numbers import backward_values, forward_density
from agora.models.migration.game import MeanFieldGame
from agora.models.migration.graph_game import GraphGame
from agora.models.migration.spatial_game import SpatialGame
from agora.runners import solve

WORKERS: dict[str, Any] = {
    "elasticity": 4.0, "trade_cost_rate": 0.4, "noise": 0.05, "discount": 0.1, "moving_cost": 2.0,
    "horizon": 1.0, "steps": 3, "initial": (0.7, 1.3, 1.0), "productivity": (1.0, 1.1, 0.9),
}  # fmt: skip


def uneven() -> nx.Graph:
    """Return three cells of uneven land."""
    graph = nx.Graph([(0, 1, {"length": 0.4}), (1, 2, {"length": 0.6}), (0, 2, {"length": 0.7})])
    nx.set_node_attributes(graph, {0: 0.5, 1: 0.3, 2: 0.4}, "land")
    return graph


GAMES = {
    "implicit": SpatialGame(**WORKERS, cells=3),
    "trapezoid": SpatialGame(**WORKERS, cells=3, time_scheme="trapezoid", scheme="exponential"),
    "graph": GraphGame(**WORKERS, geography=uneven()),
}


@pytest.mark.parametrize("name", GAMES)
def test_sweeps_are_the_solved_path(name: str) -> None:
    model: MeanFieldGame = GAMES[name]
    path, trapezoid = solve(model).tables["path"], name == "trapezoid"
    value, density, real = (path[each].to_numpy().reshape(4, 3) for each in ("value", "density", "real_wage"))
    game, steps = (model.arcs, model.technology), np.full(3, 1 / 3)
    backward = backward_values(*game, steps, model.discount, real, np.zeros(3), trapezoid=trapezoid)
    forward = forward_density(*game, steps, value, density[0], trapezoid=trapezoid)
    np.testing.assert_allclose(backward, value, rtol=0, atol=1e-7)
    np.testing.assert_allclose(forward, density, rtol=0, atol=1e-7)
    assert np.abs(density[-1] - density[0]).max() > 0.01
