"""Figures: a city on its circle, any geography on its map.

Every cell is drawn alike: its area is its land, stacked as firms, residents and vacant land. On a circle or a
line the cells are a ring or a row of such stacks (Osawa & Akamatsu 2019, Figure 7a); on any other geography
they are discs on the map, firms innermost. Matplotlib is loaded when something is drawn, not before, and
nothing global is touched, so that figures may be drawn without a screen and in parallel processes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import dijkstra

from agora.data.checks import InputError
from agora.data.city import ExponentialDecay
from agora.data.geographies import CellNetwork
from agora.models.city.commuting import CommutingMarket
from agora.models.city.fujita_ogawa import FujitaOgawa
from agora.models.city.tables import cell_names
from agora.runners.figures import style
from agora.typing import Tables, Vector

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


MOST_ARROWS = 60
"""Pairs of cells whose commuters are drawn one by one; of more, the net flow on each link is drawn."""
MOST_NAMES = 40
"""Cells of a map up to which their names are written."""

RENT = "land rent (numéraire per unit of land)"


# --- any geography ---------------------------------------------------------------------------------


def draw_geography(
    graph: nx.Graph,
    values: Mapping[Any, Any] | ArrayLike | None = None,
    *,
    label: str = "",
    title: str = "",
    cells: Sequence[Any] | None = None,
) -> Figure:
    """Draw a map of a geography, and on it any quantity of its cells.

    The area of a disc follows the land of the cell; names that are words are written if there are at most
    `MOST_NAMES`.

    Parameters
    ----------
    graph : networkx graph
        A geography (see `agora.data.geographies`).
    values : mapping or array, optional
        Cell → value, or the values in the order of `cells` (of the geography unless given): numbers, or words
        (then a legend names them). Cells without a value, or with NaN, are grey.
    label : str
        What the values are, with their unit, such as ``land rent (numéraire per unit of land)``.
    title : str
        Written above.
    cells : sequence, optional
        The cells that an array of `values` belongs to, such as the column ``cell`` of a table.

    Raises
    ------
    InputError
        An invalid geography, a value for a cell that does not exist, too few or too many values.
    """
    chart = style.Map(graph)
    known = _values_in_order(chart.network, values, cells)
    with style.settings():
        figure = style.figure(chart.height(6.5) + (0.4 if title else 0.0) + (0.0 if known is None else 0.9))
        axes = figure.subplots()
        chart.draw_links(axes)
        if known is None:
            chart.add_discs(axes, chart.radii, style.PLAIN)
        elif known.dtype == object:
            chart.show_words(axes, known, label)
        else:
            chart.show_numbers(axes, known, label)
        if title:
            figure.suptitle(title)
        style.fix_layout(figure)
        if chart.network.number <= MOST_NAMES:
            chart.write_names(axes, [cell if isinstance(cell, str) else "" for cell in chart.network.cells])
    return figure


def _values_in_order(
    network: CellNetwork, values: Mapping[Any, Any] | ArrayLike | None, cells: Sequence[Any] | None
) -> NDArray[Any] | None:
    """Return one value a cell, in the order of the network: floats (NaN: none), or words (None: none)."""
    if values is None:
        return None
    if not isinstance(values, Mapping):
        listed: list[Any] = list(values) if isinstance(values, Sequence) else np.atleast_1d(values).tolist()
        keys = list(network.cells if cells is None else cells)
        if len(listed) != len(keys):
            raise InputError("number of values", len(listed), f"{len(keys)}, one for each cell")
        values = dict(zip(keys, listed, strict=True))
    number: dict[Any, int] = {str(cell): k for k, cell in enumerate(network.cells)}
    number |= {cell: k for k, cell in enumerate(network.cells)}
    ordered = np.full(network.number, None, dtype=object)
    for cell, value in values.items():
        if cell not in number:
            raise InputError("values", cell, "given for cells of the geography only")
        missing = value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))
        ordered[number[cell]] = None if missing else value
    if any(isinstance(value, str | bool | np.bool_) for value in ordered):
        return np.array([None if value is None else str(value) for value in ordered], dtype=object)
    try:
        return ordered.astype(float)
    except (TypeError, ValueError):
        raise InputError("values", values, "numbers or words") from None


# --- cities ----------------------------------------------------------------------------------------


def draw_city(model: FujitaOgawa, tables: Tables) -> Figure:
    """Draw a city: land use, commuting, rents; tables of another geography raise `InputError`.

    A circle (the geography's kind) is a ring of cells and a line (segment, two-cell) a row of them, over the
    profile of rent and wage; any other geography is a map of land use over a map of rents. Commuters are
    arrows from home to work; of more than `MOST_ARROWS` pairs the net flow on each link is drawn.
    """
    city = _City(model, tables)
    kind = model.geography.graph.get("kind")
    circle, line = kind == "circle", kind in ("segment", "two-cell")
    network = model.network
    closed = len(network.lengths) == 2 * network.number
    order = network.walk if (circle or line) and closed == (circle and network.number > 2) else None
    with style.settings():
        if order is None:
            return _draw_map_city(city)
        return _draw_ring_city(city, order) if circle else _draw_line_city(city, order)


class _City:
    """A city's numbers in the order of its network."""

    def __init__(self, model: FujitaOgawa, tables: Tables) -> None:
        self.model = model
        self.network = model.network
        self.names = cell_names(self.network)
        table = tables["cells"]
        if table["cell"].tolist() != self.names:
            raise InputError("tables['cells']", table["cell"].tolist(), "of this model's cells, in order")
        self.firms, self.residents, self.rent, self.wage = (
            table[column].to_numpy(dtype=float) for column in ("firms", "residents", "rent", "wage")
        )
        number = {name: k for k, name in enumerate(self.names)}
        travel = tables["commuting"].query("origin != destination and flow > 0")
        rows = travel[["origin", "destination", "flow"]].itertuples(index=False, name=None)
        self.pairs = [
            (number[origin], number[destination], float(flow)) for origin, destination, flow in rows
        ]
        self.few_pairs = len(self.pairs) <= MOST_ARROWS
        self.totals = tables["totals"].iloc[0]

    @property
    def thickness(self) -> Vector:
        """How thick cells of equal width are drawn, at most 1: like their land, unless some would vanish."""
        land = self.network.land
        return land / land.max() if land.max() <= 4 * land.min() else np.ones_like(land)

    def tilted_names(self, order: list[int]) -> float:
        """Return the height in inches of upright names of cells under a profile; 0 if they fit as usual."""
        letters = [len(str(self.names[order[along]])) for along in style.numbered(len(order))]
        return 0.085 * max(letters) if sum(letters) + len(letters) > 60 else 0.0

    @cached_property
    def link_flow(self) -> dict[tuple[int, int], float]:
        """Net flow on each link that has one, in its direction: every pair on a shortest route."""
        flow: dict[tuple[int, int], float] = {}
        homes = sorted({home for home, _, _ in self.pairs})
        matrix = self.network.matrix()
        for first in range(0, len(homes), 200):
            block = homes[first : first + 200]
            _, before = dijkstra(matrix, indices=block, return_predecessors=True)
            row = {home: k for k, home in enumerate(block)}
            for home, work, mass in self.pairs:
                here = work
                while home in row and here != home:
                    tail = int(before[row[home], here])
                    flow[tail, here] = flow.get((tail, here), 0.0) + mass
                    here = tail
        net = {(u, v): mass - flow.get((v, u), 0.0) for (u, v), mass in flow.items()}
        negligible = 1e-9 * max(net.values(), default=0.0)
        return {link: mass for link, mass in net.items() if mass > negligible}

    def head(self, figure: Figure) -> None:
        """Write the parameters above the city."""
        model, spillover = self.model, self.model.spillover
        decay = f"{spillover.kind} externality"
        if isinstance(spillover, ExponentialDecay):
            decay = f"decay τ = {spillover.decay:g}"
        figure.suptitle(
            f"Fujita–Ogawa city: {self.network.number} cells\n"
            f"t = {model.commuting_cost:g}, {decay}, M = {model.firm_mass:g}, φ = {model.labor_per_firm:g}"
        )

    def foot(self, figure: Figure, remark: str = "") -> None:
        """Write the totals, and a remark, below the city."""
        sums = [f"total commuting cost {self.totals['total_commuting_cost']:.4g}"]
        if math.isfinite(self.totals["potential"]):
            sums.append(f"potential {self.totals['potential']:.4g}")
        caption = f"{', '.join(sums)} (numéraire)" + (f"\n{remark}" if remark else "")
        figure.supxlabel(caption, fontsize=style.SMALL)

    def legend(self, *, hatch: str | None = style.HATCH) -> list[Any]:
        """Return the legend's entries for the colours and the arrows."""
        handles: list[Any] = [
            style.patch(style.FIRMS, "firms"),
            style.patch(style.HOUSEHOLDS, "households", hatch=hatch),
        ]
        if (self.firms + self.residents < 0.995 * self.network.land).any():
            handles.append(style.patch(style.VACANT, "vacant land", edge=style.LINKS))
        if self.pairs:
            flows = [flow for *_, flow in self.pairs] if self.few_pairs else list(self.link_flow.values())
            label = "commuters" if self.few_pairs else "net commuters"
            handles.append(style.arrow(f"{label}, widest {max(flows, default=0.0):.3g}"))
        return handles


# --- circles and lines -----------------------------------------------------------------------------


def _draw_ring_city(city: _City, order: list[int]) -> Figure:
    tilted = city.tilted_names(order)
    upper, lower = max(6.1 - 1.5 * tilted, 3.8), 2.5 + tilted
    figure = style.figure(upper + lower)
    parts = figure.subfigures(2, 1, height_ratios=[upper, lower], squeeze=False)[:, 0]
    axes, profile_axes = (part.subplots() for part in parts)
    ring = style.Ring(len(order))
    thick = city.thickness[order]
    _draw_cells(axes, ring, city, order, thick)
    _draw_commuting(axes, ring, city, order)
    for along in style.numbered(len(order)):
        x, y = ring.at(along, 1.0)
        turn = math.degrees(math.atan2(y, x))
        axes.annotate(
            str(city.names[order[along]]), ring.at(along, thick[along]), (7 * x, 7 * y),
            textcoords="offset points", fontsize=style.SMALL if tilted else style.TEXT,
            ha="center" if abs(abs(turn) - 90) < 25 else "left" if x > 0 else "right",
            va="center" if abs(y) < 0.5 else "bottom" if y > 0 else "top",
        )  # fmt: skip
    axes.set(xlim=(-1.02, 1.02), ylim=(-1.02, 1.02), aspect="equal")
    axes.set_axis_off()
    style.add_legend(axes, city.legend() + style.profile_legend(), gap=2.6)
    strip_axes = profile_axes.inset_axes((0, 1.03, 1, 0.12))
    _draw_cells(strip_axes, style.Row(len(order)), city, order, np.ones(len(order)))
    strip_axes.set(xlim=(-0.5, len(order) - 0.5), ylim=(-1.05, 0.05))
    strip_axes.set_axis_off()
    _draw_profile(profile_axes, city, order, "cell, in the order of the circle")
    return _finish(figure, city, "thickness of a cell: its land")


def _draw_line_city(city: _City, order: list[int]) -> Figure:
    upper, lower = 2.4 if city.pairs else 1.2, 2.2
    figure = style.figure(upper + lower + 1.8 + city.tilted_names(order))
    row_axes, profile_axes = figure.subplots(2, 1, height_ratios=[upper, lower])
    row = style.Row(len(order))
    _draw_cells(row_axes, row, city, order, city.thickness[order])
    top = _draw_commuting(row_axes, row, city, order)
    row_axes.set(xlim=(-0.5, len(order) - 0.5), ylim=(-1.05, top))
    row_axes.set_axis_off()
    style.add_legend(row_axes, city.legend() + style.profile_legend(), above=True)
    _draw_profile(profile_axes, city, order, "cell, in the order of the line")
    return _finish(figure, city, "height of a cell: its land")


def _finish(figure: Figure, city: _City, remark: str) -> Figure:
    city.head(figure)
    city.foot(figure, remark if np.ptp(city.thickness) > 1e-9 else "")
    style.fix_layout(figure)
    return figure


def _draw_cells(
    axes: Axes, shape: style.Ring | style.Row, city: _City, order: list[int], thick: Vector
) -> None:
    """Draw every cell as a stack of firms, residents and vacant land, `thick` for all its land."""
    from matplotlib.collections import PolyCollection

    shares = np.stack([0 * city.firms, city.firms, city.firms + city.residents, city.network.land])
    base, firms, both, land = (shares / city.network.land)[:, order] * thick
    steps = np.linspace(-0.5, 0.5, 2 + 360 // len(order) if isinstance(shape, style.Ring) else 2)
    border = float(np.clip(60 / len(order), 0.5, 1.8)) if len(order) <= 120 else 0.0
    layers = (
        (style.FIRMS, None, base, firms),
        (style.HOUSEHOLDS, style.HATCH, firms, both),
        (style.VACANT, None, both, land),
    )
    for colour, hatch, low, high in layers:
        seen = np.flatnonzero(high - low > 5e-3 * land)
        along = seen[:, None] + steps
        below = shape.at(along, low[seen, None])
        above = shape.at(along[:, ::-1], high[seen, None])
        outlines = list(np.concatenate([below, above], axis=1))
        # Twice: first without seams between cells, then the hatching and the borders.
        axes.add_collection(
            PolyCollection(outlines, facecolor=colour, edgecolor=colour, linewidth=0.5), autolim=False
        )
        axes.add_collection(
            PolyCollection(outlines, facecolor="none", edgecolor="white", hatch=hatch, linewidth=border),
            autolim=False,
        )


def _draw_commuting(axes: Axes, shape: style.Ring | style.Row, city: _City, order: list[int]) -> float:
    """Draw commuters: arrows between cells, or a band as thick as the net flow on each link.

    Returns the height that the drawing needs above a row of cells.
    """
    if not city.pairs:
        return 0.05
    if city.few_pairs:
        ends = _spread_ends(city, order, shape.closed)
        curves = [shape.bend(home, work) for home, work in ends]
        style.add_arrows(axes, curves, [flow for _, _, flow in city.pairs])
        return 0.2 + max(float(curve[1, 1] + curve[0, 1]) / 2 for curve in curves)
    _add_bands(axes, shape, city, order)
    return 0.6


def _add_bands(axes: Axes, shape: style.Ring | style.Row, city: _City, order: list[int]) -> None:
    """Add a band along the cells, as thick as the net flow on each link, and heads that show its way."""
    from matplotlib.collections import PolyCollection

    number, flow = len(order), city.link_flow
    ahead = list(zip(order, order[1:] + order[:1], strict=True))
    net = np.array([flow.get((a, b), 0.0) - flow.get((b, a), 0.0) for a, b in ahead])
    used = np.flatnonzero(net)
    height = 0.3 * np.abs(net[used]) / np.abs(net).max(initial=1e-300)
    along = used[:, None] + np.linspace(0, 1, 4)
    near = shape.at(along, np.full_like(along, -0.06))
    far = shape.at(along[:, ::-1], np.broadcast_to(-0.06 - height[:, None], along.shape))
    outlines = list(np.concatenate([near, far], axis=1))
    bands = PolyCollection(outlines, facecolor=style.FLOWS, edgecolor=style.FLOWS, linewidth=0.5)
    axes.add_collection(bands, autolim=False)
    heads = []
    for link, deep in zip(used.tolist(), height.tolist(), strict=True):
        if link % max(1, round(number / 30)) or deep < 0.03:
            continue
        middle, turn, top = link + 0.5, math.copysign(number / 90, net[link]), -0.12 - deep
        corners = [(middle - turn, top), (middle + turn, top - 0.045), (middle - turn, top - 0.09)]
        heads.append([shape.at(*corner) for corner in corners])
    axes.add_collection(PolyCollection(heads, facecolor=style.INK, edgecolor="none"), autolim=False)


def _spread_ends(city: _City, order: list[int], closed: bool) -> list[tuple[float, float]]:
    """Return where each pair's arrow starts and ends along the cells: side by side within a cell."""
    number = len(order)
    position = {cell: along for along, cell in enumerate(order)}
    arrows = [(position[home], position[work]) for home, work, _ in city.pairs]
    at: dict[int, list[tuple[float, int, int]]] = {}
    for arrow, (home, work) in enumerate(arrows):
        way = work - home
        if closed:
            way = (way + number // 2) % number - number // 2
        # The nearest outside, so that arrows do not cross.
        at.setdefault(home, []).append((1 / way, arrow, 0))
        at.setdefault(work, []).append((-1 / way, arrow, 1))
    ends = np.array(arrows, dtype=float)
    for met in at.values():
        for rank, (_, arrow, end) in enumerate(sorted(met)):
            ends[arrow, end] += 0.6 * ((rank + 0.5) / len(met) - 0.5)
    return [(float(home), float(work)) for home, work in ends]


def _draw_profile(axes: Axes, city: _City, order: list[int], label: str) -> None:
    """Draw rent and wage over the cells."""
    number = len(order)
    edges = np.arange(number + 1) - 0.5
    axes.stairs(city.rent[order], edges, baseline=None, **style.RENT_LINE)
    axes.stairs(city.wage[order], edges, baseline=None, **style.WAGE_LINE)
    axes.set(xlim=(-0.5, number - 0.5), xlabel=label, ylabel="numéraire")
    axes.margins(y=0.08)
    if not max(city.rent.max(), city.wage.max()):
        axes.set_ylim(-0.08, 1.0)
    names = [str(city.names[cell]) for cell in order]
    shown = style.numbered(number)
    axes.set_xticks(shown, [names[k] for k in shown], rotation=90 if city.tilted_names(order) else 0)
    axes.grid(axis="y", color=style.GUIDES, linewidth=0.8)
    axes.set_axisbelow(True)


# --- maps ------------------------------------------------------------------------------------------


def _draw_map_city(city: _City) -> Figure:
    arrows = city.few_pairs and bool(city.pairs)
    rent_chart = style.Map(city.model.geography)
    chart = style.Map(city.model.geography, room_for_arrows=True) if arrows else rent_chart
    figure = style.figure(2 * chart.height(4.6) + 2.6)
    use_axes, rent_axes = figure.subplots(2, 1)
    hatch = style.HATCH if chart.disc > 12 else None
    chart.draw_links(use_axes)
    land, both = city.network.land, city.firms + city.residents
    housed, busy = (np.where(part > 5e-3 * land, part, 0.0) for part in (both, city.firms))
    chart.add_discs(use_axes, np.where(both < 0.995 * land, chart.radii, 0.0), style.VACANT, edge=style.LINKS)
    chart.add_discs(use_axes, chart.scale * np.sqrt(housed), style.HOUSEHOLDS, edge="white", hatch=hatch)
    chart.add_discs(use_axes, chart.scale * np.sqrt(busy), style.FIRMS, edge="white")
    curves = [chart.bend(home, work) for home, work, _ in city.pairs] if arrows else []
    if arrows:
        style.add_arrows(use_axes, curves, [flow for *_, flow in city.pairs], chart.arrow_width)
    elif city.link_flow:
        chart.draw_flows(use_axes, city.link_flow)
    style.add_legend(use_axes, city.legend(hatch=hatch))
    rent_chart.draw_links(rent_axes)
    rent_chart.show_numbers(rent_axes, city.rent, RENT)
    city.head(figure)
    city.foot(figure)
    style.fix_layout(figure)
    if chart.network.number <= MOST_NAMES:
        names = [str(cell) for cell in city.names]
        chart.write_names(use_axes, names, curves)
        rent_chart.write_names(rent_axes, names)
    return figure


def draw_rents(model: CommutingMarket, tables: Tables) -> Figure:
    """Draw the land rents of a commuting market on its geography."""
    cells, title = tables["cells"], f"Commuting to given jobs: land rents at t = {model.commuting_cost:g}"
    return draw_geography(model.geography, cells["rent"], label=RENT, title=title, cells=list(cells["cell"]))
