"""The picture of the invisible hand: a ring, a grid, a graph, a path; files that repeat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from makers import as_svg, nothing_cut_off
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from agora.data import circle, grid, segment
from agora.models import InvisibleHand, Solution
from agora.runners import solve
from agora.runners.figures.pictures import save


def graph() -> nx.Graph:
    """Return a connected random graph of nine sectors."""
    drawn = nx.connected_watts_strogatz_graph(9, 4, 0.5, seed=3)
    nx.set_edge_attributes(drawn, 1.0, "length")
    nx.set_node_attributes(drawn, 1.0 / 9, "land")
    return drawn


GEOGRAPHIES = {"path": segment(10), "ring": circle(10), "grid": grid(3, 3), "graph": graph()}


def solved(name: str, **changes: Any) -> Solution:
    network = GEOGRAPHIES[name]
    number = len(network)
    return solve(
        InvisibleHand(
            geography=network,
            firm_share=0.35,
            substitution=2.0,
            productivity=np.linspace(0.8, 1.2, number).tolist(),
            initial=np.linspace(1.5, 0.5, number).tolist(),
            **{"horizon": 0.2, "step": 0.05, **changes},
        )
    )


@pytest.fixture(scope="module", params=sorted(GEOGRAPHIES))
def solution(request: pytest.FixtureRequest) -> Solution:
    return solved(request.param)


def drawn(solution: Solution) -> Figure:
    return solution.pictures["invisible-hand"]()


@pytest.fixture(scope="module")
def figure(solution: Solution) -> Figure:
    return drawn(solution)


def test_it_shows_firms_consumption_and_profit_rates(solution: Solution, figure: Figure) -> None:
    top, middle, low = figure.axes[:3]
    aggregate, path = solution.tables["aggregate"], solution.tables["path"]
    assert np.asarray(middle.lines[0].get_ydata()) == pytest.approx(aggregate["consumption"])
    assert np.asarray(low.lines[0].get_ydata()) == pytest.approx(aggregate["profit_spread"])
    assert isinstance(solution.model, InvisibleHand)
    land = solution.model.network.land
    end = path["firms"].to_numpy()[-len(land) :] / land
    images = top.findobj(QuadMesh)
    in_order = max(links for _, links in solution.model.geography.degree) <= 2
    assert bool(images) != in_order
    if images:  # sectors without an order, by their density at the end
        [image] = images
        assert isinstance(image, QuadMesh)
        last = np.asarray(image.get_array()).reshape(len(land), -1)[:, -1]
        assert last == pytest.approx(np.sort(end))
    else:
        at_end = top.lines[-2]  # the long run is drawn last
        assert np.asarray(at_end.get_ydata()) == pytest.approx(end)


def test_nothing_is_cut_off(figure: Figure) -> None:
    assert nothing_cut_off(figure)


@pytest.mark.parametrize("solution", [pytest.param("ring", marks=pytest.mark.heavy), "graph"], indirect=True)
def test_files_repeat(solution: Solution, figure: Figure, tmp_path: Path) -> None:
    vector, picture = save(figure, tmp_path, "hand")
    assert vector.read_bytes() == as_svg(drawn(solution))
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_noise_has_no_long_run_in_closed_form() -> None:
    figure = drawn(solved("path", noise=0.01))
    assert "long run" not in [line.get_label() for line in figure.axes[0].lines]
