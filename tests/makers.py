"""What tests share: random geographies, small cities, the four sites, and one-sentence complaints."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import strategies as st
from matplotlib.figure import Figure

from agora.data import InputError
from agora.models import FujitaOgawa
from agora.runners.figures import style


@st.composite
def geographies(draw: st.DrawFn, largest: int = 7, directed: bool = False) -> nx.Graph:
    """Return a random connected geography: a random tree and some more links, uneven land and lengths."""
    number = draw(st.integers(2, largest))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    graph = nx.Graph()
    land = random.uniform(0.5, 2.0, number)
    for cell, share in enumerate(land / land.sum()):
        graph.add_node(cell, land=float(share))
    for cell in range(1, number):
        graph.add_edge(cell, int(random.integers(cell)), length=float(random.uniform(0.1, 1.0)))
    for _ in range(int(random.integers(number))):
        u, v = (int(k) for k in random.choice(number, 2, replace=False))
        graph.add_edge(u, v, length=float(random.uniform(0.1, 1.0)))
    if directed:
        graph = graph.to_directed()
        for u, v in list(graph.edges):
            graph.edges[u, v]["length"] *= float(random.uniform(0.5, 2.0))
    return graph


def city(graph: nx.Graph, t: float, tau: float, firm_mass: float = 0.5, phi: float = 1.0) -> FujitaOgawa:
    """Return a Fujita–Ogawa city with exponential spillovers."""
    return FujitaOgawa(geography=graph, commuting_cost=t, decay=tau, firm_mass=firm_mass, labor_per_firm=phi)


def firms_within(graph: nx.Graph, share: float, seed: int) -> list[float]:
    """Return a random distribution of firms that fits, using `share` of the land with their φ = 1 workers."""
    random = np.random.default_rng(seed)
    land = np.array([graph.nodes[cell]["land"] for cell in sorted(graph)])
    firms = np.zeros(len(land))
    left = share * land.sum() / 2
    for cell in random.permutation(len(land)):
        firms[cell] = min(left, land[cell]) * (random.uniform(0.3, 1.0) if random.random() < 0.7 else 1.0)
        left -= firms[cell]
    return [float(mass) for mass in firms]


def complaint(call: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    """Return the one sentence with which a call refuses its input."""
    with pytest.raises(InputError) as caught:
        call(*arguments, **named)
    return str(caught.value)


def write(path: Path, text: str) -> Path:
    """Write a file and return its path."""
    path.write_text(text, encoding="utf-8")
    return path


FOUR_SITES: dict[str, Any] = {
    "sites": [0.0, 0.33, 0.67, 1.0],
    "makes": [1, 1, 2, 2],
    "commodity_shares": [0.25, 0.25],
    "leisure_share": 0.25,
    "land_share": 0.25,
    "time": 2.0,
    "setup_cost": 0.05,
    "setup_shares": [0.5, 0.5],
}
"""The four sites of Berliant & Konishi (2000), section 5, case 1."""


def as_svg(figure: Figure) -> bytes:
    """Return the SVG that `save` writes of a figure."""
    written = io.BytesIO()
    with style.settings():
        figure.savefig(written, format="svg", dpi=150, metadata={"Date": None})
    return written.getvalue()


def nothing_cut_off(figure: Figure) -> bool:
    """Whether every axes of a figure, its words included, is on the paper."""
    figure.draw_without_rendering()
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    return all(
        box is not None
        and min(box.x0, box.y0) >= -1
        and box.x1 <= figure.bbox.x1 + 1
        and box.y1 <= figure.bbox.y1 + 1
        for box in boxes
    )
