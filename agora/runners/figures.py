"""Figures: a city on its circle, any geography on its map.

Every cell is drawn alike: its area is its land, stacked as firms, residents and vacant land. On a circle or a
line the cells are a ring or a row of such stacks (Osawa & Akamatsu 2019, Figure 7a); on any other geography
they are discs on the map, firms innermost. Matplotlib is loaded when something is drawn, not before, and
nothing global is touched, so that figures may be drawn without a screen and in parallel processes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial, singledispatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from agora.data.checks import InputError
from agora.data.externalities import ExponentialDecay
from agora.data.geographies import CellNetwork, cell_network, positions
from agora.models.city_tables import cell_names
from agora.models.fujita_ogawa import FujitaOgawa
from agora.runners import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import EllipseCollection
    from matplotlib.figure import Figure

Vector = NDArray[np.float64]
Tables = Mapping[str, pd.DataFrame]

MOST_ARROWS = 60
"""Pairs of cells whose commuters are drawn one by one; of more, the net flow on each link is drawn."""
MOST_NAMES = 40
"""Cells of a map up to which their names are written."""
MOST_NUMBERS = 24
"""Cells of a circle or a line up to which every one is numbered; beyond, a few are."""
MOST_VECTORS = 2000
"""Cells up to which an SVG holds them as shapes; of more, as an image."""

RENT = "land rent (numéraire per unit of land)"


@singledispatch
def pictures(model: Any, tables: Tables) -> dict[str, Callable[[], Figure]]:
    """Return a model's pictures: file name → function that draws it. None by default."""
    return {}


@pictures.register(FujitaOgawa)
def _(model: FujitaOgawa, tables: Tables) -> dict[str, Callable[[], Figure]]:
    # Parameters without what was computed from them on the way: that cannot be sent to another process.
    given = {name: getattr(model, name) for name in FujitaOgawa.model_fields}
    return {"city": partial(draw_city, FujitaOgawa.model_construct(**given), tables)}


def save(figure: Figure, folder: str | Path, name: str) -> tuple[Path, Path]:
    """Write a figure as ``name.svg`` and ``name.png``, the SVG in the same bytes every time.

    Parameters
    ----------
    figure : Figure
        Any figure; those of this module come out the same however often they are saved.
    folder : path
        Made if it does not exist.
    name : str
        The files' name without suffix.

    Returns
    -------
    tuple of Path
        The SVG and the PNG (150 dots per inch).
    """
    vector, raster = (Path(folder) / f"{name}.{suffix}" for suffix in ("svg", "png"))
    vector.parent.mkdir(parents=True, exist_ok=True)
    with style.settings():
        figure.savefig(vector, format="svg", dpi=150, metadata={"Date": None})
        figure.savefig(raster, format="png", dpi=150)
    return vector, raster


# --- any geography ---------------------------------------------------------------------------------


def draw_geography(
    graph: nx.Graph,
    values: Mapping[Any, Any] | ArrayLike | None = None,
    *,
    label: str = "",
    title: str = "",
    cells: Sequence[Any] | None = None,
) -> Figure:
    """Draw a geography, and on it any quantity of its cells.

    Parameters
    ----------
    graph : networkx graph
        A geography (see `agora.data.geographies`). The area of a disc follows the land of the cell.
    values : mapping or array, optional
        Cell → value, or the values in the order of `agora.data.geographies.cell_network`, or of `cells`:
        numbers, or words (then a legend names them). Cells without a value, or with NaN, are grey.
    label : str
        What the values are, with their unit, such as ``land rent (numéraire per unit of land)``.
    title : str
        Written above.
    cells : sequence, optional
        The cells that an array of `values` belongs to, such as the column ``cell`` of a table.

    Returns
    -------
    Figure
        One map; names of cells that are words are written if there are at most `MOST_NAMES`.

    Raises
    ------
    InputError
        An invalid geography, a value for a cell that does not exist, too few or too many values.
    """
    place = _Map(graph)
    known = _values_in_order(place.network, values, cells)
    with style.settings():
        figure = style.figure(place.height(6.5) + (0.4 if title else 0.0) + (0.0 if known is None else 0.9))
        axes = figure.subplots()
        place.draw_links(axes)
        if known is None:
            place.add_discs(axes, place.radii, style.PLAIN)
        elif known.dtype == object:
            _draw_words(axes, place, known, label)
        else:
            _draw_numbers(axes, place, known, label)
        if title:
            figure.suptitle(title)
        style.settle(figure)
        if place.network.number <= MOST_NAMES:
            place.write_names(axes, [cell if isinstance(cell, str) else "" for cell in place.network.cells])
    return figure


def _values_in_order(
    network: CellNetwork, values: Mapping[Any, Any] | ArrayLike | None, cells: Sequence[Any] | None
) -> NDArray[Any] | None:
    """Return one value a cell, in the order of the network: floats (NaN: none), or words (None: none)."""
    if values is None:
        return None
    if not isinstance(values, Mapping):
        listed = np.asarray(values).tolist()
        keys = list(network.cells if cells is None else cells)
        if not isinstance(listed, list) or len(listed) != len(keys):
            given = len(listed) if isinstance(listed, list) else values
            raise InputError("values", given, f"{len(keys)} values, one for each cell")
        values = dict(zip(keys, listed, strict=True))
    number = {str(cell): k for k, cell in enumerate(network.cells)}
    number |= {cell: k for k, cell in enumerate(network.cells)}  # type: ignore[misc]
    ordered = np.full(network.number, None, dtype=object)
    for cell, value in values.items():
        if cell not in number:
            raise InputError("values", cell, "given for cells of the geography only")
        ordered[number[cell]] = None if pd.isna(value) else value
    if any(isinstance(value, str | bool | np.bool_) for value in ordered):
        return np.array([None if value is None else str(value) for value in ordered], dtype=object)
    try:
        return ordered.astype(float)
    except (TypeError, ValueError):
        raise InputError("values", values, "numbers or words") from None


def _draw_numbers(axes: Axes, place: _Map, values: Vector, label: str) -> None:
    """Draw discs whose colour follows the value, and the colour bar."""
    from matplotlib.ticker import MaxNLocator

    discs = place.add_discs(axes, place.radii, None)
    discs.set_array(np.ma.masked_invalid(values))
    discs.set_cmap(style.light_to_dark())
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        spread = 0.1 * abs(low) or 1.0
        low, high = low - spread, high + spread
    discs.set_clim(low, high)
    bar = axes.figure.colorbar(
        discs, ax=axes, orientation="horizontal", shrink=0.85, aspect=26, pad=0.03, ticks=MaxNLocator(5)
    )
    bar.set_label(label)
    bar.outline.set_linewidth(0.6)


def _draw_words(axes: Axes, place: _Map, values: NDArray[Any], label: str) -> None:
    """Draw discs in one colour a word, and the legend; beyond eight words the rarest are one."""
    words, counts = np.unique([value for value in values if value is not None], return_counts=True)
    ranked = [str(word) for word in words[np.argsort(-counts, kind="stable")]]
    if all(word in style.LAND_USES for word in ranked):
        colour = {word: style.LAND_USES[word] for word in style.LAND_USES if word in ranked}
    else:
        colour = dict(zip(ranked, style.CATEGORIES, strict=False))
        if len(ranked) > len(style.CATEGORIES):
            other = f"{len(ranked) - len(style.CATEGORIES) + 1} others"
            colour.pop(ranked[len(style.CATEGORIES) - 1])
            colour[other] = style.CATEGORIES[-1]
            values = np.array([v if v is None or v in colour else other for v in values], dtype=object)
    if any(value is None for value in values):
        colour["no value"] = style.NO_VALUE
        values = np.array(["no value" if value is None else value for value in values], dtype=object)
    place.add_discs(axes, place.radii, [colour[value] for value in values])
    handles = [style.patch(colour[word], word, edge=style.INK) for word in colour]
    style.add_legend(axes, handles, title=label)


# --- cities ----------------------------------------------------------------------------------------


def draw_city(model: FujitaOgawa, tables: Tables) -> Figure:
    """Draw a city: land use, commuting, rents.

    A circle (the geography's kind) is a ring of cells and a line (segment, two-cell) a row of them, over the
    profile of rent and wage; any other geography is a map of land use over a map of rents.

    Parameters
    ----------
    model : FujitaOgawa
        Parameters and geography.
    tables : mapping of DataFrame
        Its ``cells``, ``commuting`` and ``totals``, see `agora.models.city_tables.city_tables`.

    Returns
    -------
    Figure
        With commuters as arrows from home to work; from more than `MOST_ARROWS` pairs on, with the net flow
        on each link.

    Raises
    ------
    InputError
        Tables of another geography.
    """
    city = _City(model, tables)
    kind = model.geography.graph.get("kind")
    circle, line = kind == "circle", kind in ("segment", "two-cell")
    order = _walk(model.network, closed=circle) if circle or line else None
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
        self.pairs = [
            (number[origin], number[destination], float(flow))
            for origin, destination, flow in zip(
                travel["origin"], travel["destination"], travel["flow"], strict=True
            )
        ]
        self.longest = float(travel["cost"].max()) / model.commuting_cost if len(travel) else 0.0
        self.totals = tables["totals"].iloc[0]

    @property
    def thickness(self) -> Vector:
        """How thick cells of equal width are drawn, at most 1: like their land, unless some would vanish."""
        land = self.network.land
        return land / land.max() if land.max() <= 4 * land.min() else np.ones_like(land)

    @property
    def few_pairs(self) -> bool:
        """Whether every pair is drawn as an arrow."""
        return len(self.pairs) <= MOST_ARROWS

    @property
    def vacant(self) -> bool:
        """Whether there is vacant land to be seen."""
        return bool((self.firms + self.residents < 0.995 * self.network.land).any())

    @cached_property
    def link_flow(self) -> dict[tuple[int, int], float]:
        """Net flow on each link that has one, in its direction: every pair on a shortest route."""
        flow: dict[tuple[int, int], float] = {}
        homes = sorted({home for home, _, _ in self.pairs})
        matrix = self.network.matrix()
        for first in range(0, len(homes), 200):
            block = homes[first : first + 200]
            _, before = dijkstra(
                matrix, indices=block, return_predecessors=True, limit=self.longest * (1 + 1e-6)
            )
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
        sums = [f"total commuting cost {self.totals['commuting_cost']:.4g}"]
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
        if self.vacant:
            handles.append(style.patch(style.VACANT, "vacant land", edge=style.INK))
        if self.few_pairs and self.pairs:
            handles.append(style.arrow(f"commuters, widest {max(flow for *_, flow in self.pairs):.3g}"))
        elif self.pairs:
            handles.append(style.arrow(f"net commuters, widest {max(self.link_flow.values()):.3g}"))
        return handles


# --- circles and lines -----------------------------------------------------------------------------


def _walk(network: CellNetwork, *, closed: bool) -> list[int] | None:
    """Return the cells in their order along a circle (closed) or a line, or None if they form no such."""
    beside = [sorted(set(network.heads[list(arcs)].tolist())) for arcs in network.outgoing]
    ends = [cell for cell, near in enumerate(beside) if len(near) == 1]
    open_ends = 0 if closed and network.number > 2 else 2
    if len(ends) != open_ends or max(map(len, beside)) > 2:
        return None
    order = [min(ends, default=0)]
    while len(order) < network.number:
        order.append(next(cell for cell in beside[order[-1]] if cell not in order[-2:]))
    return order


@dataclass(frozen=True)
class _Ring:
    """Places on a ring of cells, cell 0 in the east, counter-clockwise as on the map.

    `along` counts cells; `up` is the share of a cell's land from the inner edge outwards (so that areas are
    true), and below 0 the room inside, down to -1 at the centre.
    """

    number: int
    inner = 0.64
    closed = True

    def at(self, along: ArrayLike, up: ArrayLike) -> Vector:
        """Return x and y in the last axis."""
        share = np.asarray(up, dtype=float)
        outwards = np.sqrt(self.inner**2 + np.maximum(share, 0) * (1 - self.inner**2))
        radius = np.where(share >= 0, outwards, self.inner * (1 + share))
        angle = 2 * np.pi * np.asarray(along) / self.number
        return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)

    def bend(self, home: float, work: float) -> Vector:
        """Return start, control point and end of an arrow through the inside."""
        start, end = self.at(home, -0.03), self.at(work, -0.03)
        middle = (start + end) / 2
        depth = float(np.hypot(*middle))
        inwards = min(depth, 0.5 * float(np.hypot(*(end - start))))
        return np.array([start, middle * (1 - inwards / max(depth, 1e-9)), end])


@dataclass(frozen=True)
class _Row:
    """Places in a row of cells, land downwards from 0 to -1, arrows above."""

    number: int
    closed = False

    def at(self, along: ArrayLike, up: ArrayLike) -> Vector:
        """Return x and y in the last axis."""
        return np.stack(np.broadcast_arrays(np.asarray(along, dtype=float), -np.asarray(up)), axis=-1)

    def bend(self, home: float, work: float) -> Vector:
        """Return start, control point and end of an arrow above the row, up to 2 high."""
        height = 0.3 + 3.7 * abs(work - home) / max(self.number - 1, 1)
        return np.array([(home, 0.08), ((home + work) / 2, height), (work, 0.08)])


def _draw_ring_city(city: _City, order: list[int]) -> Figure:
    figure = style.figure(8.6)
    parts = figure.subfigures(2, 1, height_ratios=[6.1, 2.5], squeeze=False)[:, 0]
    axes, profile_axes = (part.subplots() for part in parts)
    ring = _Ring(len(order))
    thick = city.thickness[order]
    _draw_cells(axes, ring, city, order, thick)
    _draw_commuting(axes, ring, city, order)
    for along in _numbered(len(order)):
        x, y = ring.at(along, 1.0)
        turn = math.degrees(math.atan2(y, x))
        axes.annotate(
            str(city.names[order[along]]), ring.at(along, thick[along]), (7 * x, 7 * y),
            textcoords="offset points", fontsize=style.TEXT,
            ha="center" if abs(abs(turn) - 90) < 25 else "left" if x > 0 else "right",
            va="center" if abs(y) < 0.5 else "bottom" if y > 0 else "top",
        )  # fmt: skip
    axes.set(xlim=(-1.02, 1.02), ylim=(-1.1, 1.1), aspect="equal")
    axes.set_axis_off()
    style.add_legend(axes, city.legend() + _profile_legend())
    strip_axes = profile_axes.inset_axes((0, 1.03, 1, 0.12))
    _draw_cells(strip_axes, _Row(len(order)), city, order, np.ones(len(order)))
    strip_axes.set(xlim=(-0.5, len(order) - 0.5), ylim=(-1.05, 0.05))
    strip_axes.set_axis_off()
    _draw_profile(profile_axes, city, order, "cell, in the order of the circle")
    return _finish(figure, city, "thickness of a cell: its land")


def _draw_line_city(city: _City, order: list[int]) -> Figure:
    figure = style.figure(6.4 if city.pairs else 5.2)
    row_axes, profile_axes = figure.subplots(2, 1, height_ratios=[2.4 if city.pairs else 1, 2.2])
    row = _Row(len(order))
    _draw_cells(row_axes, row, city, order, city.thickness[order])
    top = _draw_commuting(row_axes, row, city, order)
    row_axes.set(xlim=(-0.5, len(order) - 0.5), ylim=(-1.05, top))
    row_axes.set_axis_off()
    style.add_legend(row_axes, city.legend() + _profile_legend(), above=True)
    _draw_profile(profile_axes, city, order, "cell, in the order of the line")
    return _finish(figure, city, "height of a cell: its land")


def _finish(figure: Figure, city: _City, remark: str) -> Figure:
    city.head(figure)
    city.foot(figure, remark if np.ptp(city.thickness) > 1e-9 else "")
    style.settle(figure)
    return figure


def _draw_cells(axes: Axes, shape: _Ring | _Row, city: _City, order: list[int], thick: Vector) -> None:
    """Draw every cell as a stack of firms, residents and vacant land, `thick` for all its land."""
    from matplotlib.collections import PolyCollection

    shares = np.stack([0 * city.firms, city.firms, city.firms + city.residents, city.network.land])
    base, firms, both, land = (shares / city.network.land)[:, order] * thick
    steps = np.linspace(-0.5, 0.5, 2 + 360 // len(order) if isinstance(shape, _Ring) else 2)
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
        edge, border_colour = (style.LINKS, "none") if colour == style.VACANT else (colour, "white")
        axes.add_collection(
            PolyCollection(outlines, facecolor=colour, edgecolor=edge, linewidth=0.5), autolim=False
        )
        axes.add_collection(
            PolyCollection(
                outlines, facecolor="none", edgecolor=border_colour, hatch=hatch, linewidth=border
            ),
            autolim=False,
        )


def _draw_commuting(axes: Axes, shape: _Ring | _Row, city: _City, order: list[int]) -> float:
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
    from matplotlib.collections import PolyCollection

    number = len(order)
    ahead = list(zip(order, order[1:] + order[:1], strict=True))
    net = np.array([city.link_flow.get((a, b), 0.0) - city.link_flow.get((b, a), 0.0) for a, b in ahead])
    used = np.flatnonzero(net)
    height = 0.3 * np.abs(net) / np.abs(net).max()
    along = used[:, None] + np.linspace(0, 1, 4)
    near = shape.at(along, np.full_like(along, -0.06))
    far = shape.at(along[:, ::-1], np.broadcast_to(-0.06 - height[used, None], along.shape))
    bands = PolyCollection(
        list(np.concatenate([near, far], axis=1)), facecolor=style.FLOWS, edgecolor=style.FLOWS, linewidth=0.5
    )
    axes.add_collection(bands, autolim=False)
    every = max(1, round(number / 30))
    long = number / 90
    heads = []
    for k in used[(used % every == 0) & (height[used] > 0.03)]:
        turn = math.copysign(long, net[k])
        low = -0.12 - height[k]
        tip = [(k + 0.5 - turn, low), (k + 0.5 + turn, low - 0.045), (k + 0.5 - turn, low - 0.09)]
        heads.append([shape.at(*point) for point in tip])
    axes.add_collection(PolyCollection(heads, facecolor=style.INK, edgecolor="none"), autolim=False)
    return 0.6


def _spread_ends(city: _City, order: list[int], closed: bool) -> list[tuple[float, float]]:
    """Return where each pair's arrow starts and ends along the cells: side by side within a cell."""
    number = len(order)
    place = {cell: along for along, cell in enumerate(order)}
    arrows = [(place[home], place[work]) for home, work, _ in city.pairs]
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
    shown = _numbered(number)
    crowded = sum(len(names[k]) + 1 for k in shown) > 60
    axes.set_xticks(shown, [names[k] for k in shown], rotation=90 if crowded else 0)
    axes.grid(axis="y", color=style.GUIDES, linewidth=0.8)
    axes.set_axisbelow(True)


def _profile_legend() -> list[Any]:
    """Return the legend's entries for the lines of a profile."""
    rent = style.line("land rent, per unit of land", **style.RENT_LINE)
    return [rent, style.line("wage, per worker", **style.WAGE_LINE)]


def _numbered(number: int) -> list[int]:
    """Return the places that are numbered: all, or about a dozen."""
    every = 1
    if number > MOST_NUMBERS:
        tenth = 10 ** math.floor(math.log10(number / 12))
        every = next(int(step * tenth) for step in (1, 2, 5, 10) if step * tenth >= number / 12)
    return list(range(0, number, every))


# --- maps ------------------------------------------------------------------------------------------


class _Map:
    """A geography on paper: where its cells are, how large their discs, what joins them."""

    def __init__(self, graph: nx.Graph, *, room_for_arrows: bool = False) -> None:
        self.network = cell_network(graph)
        self.points = positions(graph)
        self.span = float(np.ptp(self.points, axis=0).max()) or 1.0
        self.scale = self._scale(room_for_arrows)
        self.radii = self.scale * np.sqrt(self.network.land)
        margin = float(self.radii.max()) + 0.02 * self.span
        self.low, self.high = self.points.min(axis=0) - margin, self.points.max(axis=0) + margin
        self.wrapped = graph.graph.get("kind") == "torus"

    def _scale(self, room_for_arrows: bool) -> float:
        """Return the radius of a unit of land, such that few discs touch their nearest neighbour."""
        size = np.sqrt(self.network.land)
        gaps, nearest = cKDTree(self.points).query(self.points, k=2)
        touching = gaps[:, 1] / (size + size[nearest[:, 1]])
        room = 0.86 * float(np.percentile(touching, 6))
        if room_for_arrows:
            room = min(room, 0.5 * float(np.median(touching)))
        typical = float(np.median(size))
        largest = self.span * min(0.12, 0.5 / math.sqrt(self.network.number))
        smallest = self.span / 300
        return max(min(room, largest / float(size.max())), smallest / typical)

    def height(self, most: float) -> float:
        """Return the height of the map in inches, in a figure of the usual width."""
        wide, high = self.high - self.low
        return float(np.clip((style.WIDTH - 0.2) * high / wide, 1.2, most))

    def segments(self, links: NDArray[np.int64]) -> tuple[Vector, NDArray[np.int64]]:
        """Return pieces of straight line (…, 2, 2) for links (…, 2), and the link each belongs to.

        Links round a torus are drawn as two stubs that leave the map, all others in one piece.
        """
        start, end = self.points[links[:, 0]], self.points[links[:, 1]]
        whole = np.stack([start, end], axis=1)
        number = np.arange(len(links))
        if not self.wrapped:
            return whole, number
        reach = np.hypot(*(end - start).T)
        usual = float(reach.min())
        far = reach > 1.5 * usual
        out = (start - end)[far] / reach[far, None] * usual / 2
        stubs = [np.stack([start[far], start[far] + out], 1), np.stack([end[far] - out, end[far]], 1)]
        return np.concatenate([whole[~far], *stubs]), np.concatenate([number[~far], number[far], number[far]])

    def draw_links(self, axes: Axes) -> None:
        """Draw every link as a thin line and give the map its frame."""
        from matplotlib.collections import LineCollection

        network = self.network
        ends = np.unique(np.sort(np.stack([network.tails, network.heads], axis=1), axis=1), axis=0)
        lines, _ = self.segments(ends)
        width = float(np.clip(14 / math.sqrt(network.number), 0.35, 1.6))
        collection = LineCollection(list(lines), colors=style.LINKS, linewidths=width, zorder=1)
        collection.set_rasterized(network.number > MOST_VECTORS)
        axes.add_collection(collection, autolim=False)
        axes.set(xlim=(self.low[0], self.high[0]), ylim=(self.low[1], self.high[1]), aspect="equal")
        axes.set_axis_off()

    def add_discs(
        self, axes: Axes, radii: Vector, colour: Any, *, edge: str = style.INK, hatch: str | None = None
    ) -> EllipseCollection:
        """Add a disc for every cell whose radius is not 0, in the units of the map."""
        from matplotlib.collections import EllipseCollection

        border = float(np.clip(8 / math.sqrt(self.network.number), 0.0, 0.8))
        seen = radii > 0
        size = 2 * radii[seen]
        if len(size) and np.ptp(size) < 1e-9 * self.span:
            size = size[:1]  # one shape, which an SVG then holds only once
        discs = EllipseCollection(
            size, size, np.zeros_like(size), units="xy", offsets=self.points[seen],
            offset_transform=axes.transData, facecolors=colour, edgecolors=edge, hatch=hatch,
            linewidths=border if border > 0.2 else 0.0, zorder=2,
        )  # fmt: skip
        discs.set_rasterized(self.network.number > MOST_VECTORS)
        axes.add_collection(discs, autolim=False)
        return discs

    def bend(self, home: int, work: int) -> Vector:
        """Return start, control point and end of an arrow from the edge of one disc to another's."""
        start, end = self.points[home], self.points[work]
        ahead = end - start
        length = max(float(np.hypot(*ahead)), 1e-9 * self.span)
        both = float(self.radii[home] + self.radii[work])
        crowded = min(max(1.5 - 0.5 * length / both, 0.0), 1.0)  # discs that nearly touch: a loop beside them
        aside = max(0.16 * length, 1.5 * crowded * both)
        control = (start + end) / 2 + aside / length * np.array([-ahead[1], ahead[0]])
        out, back = control - start, control - end
        gap = 0.004 * self.span
        start = start + out / np.hypot(*out) * (self.radii[home] + gap)
        end = end + back / np.hypot(*back) * (self.radii[work] + gap)
        return np.array([start, control, end])

    @property
    def disc(self) -> float:
        """Diameter of a usual disc, about, in points."""
        return 2 * float(np.median(self.radii)) * 72 * style.WIDTH / float((self.high - self.low)[0])

    @property
    def arrow_width(self) -> float:
        """Width of the widest arrow, in points."""
        return float(np.clip(0.2 * self.disc, 1.0, 4.0))

    def draw_flows(self, axes: Axes, flows: Mapping[tuple[int, int], float]) -> None:
        """Draw the flow on each link as a wedge, broad where it comes from, pointed where it goes."""
        from matplotlib.collections import PolyCollection

        links = np.array(sorted(flows), dtype=int)
        mass = np.array([flows[link] for link in sorted(flows)])
        lines, number = self.segments(links)
        start, end = lines[:, 0], lines[:, 1]
        ahead = end - start
        across = (
            np.stack([-ahead[:, 1], ahead[:, 0]], axis=1) / np.maximum(np.hypot(*ahead.T), 1e-300)[:, None]
        )
        widest = 0.55 * float(np.median(self.radii))
        half = across * (widest * (0.15 + 0.85 * mass[number] / mass.max()))[:, None]
        wedges = PolyCollection(
            list(np.stack([start - half, start + half, end], axis=1)), facecolor=style.INK, edgecolor="white",
            linewidth=0.3, zorder=4,
        )  # fmt: skip
        wedges.set_rasterized(self.network.number > MOST_VECTORS)
        axes.add_collection(wedges, autolim=False)

    def write_names(self, axes: Axes, names: Sequence[str], curves: Sequence[Vector] = ()) -> None:
        """Write names beside their discs, each where it hides least of discs, names and arrows.

        The layout must have settled.
        """
        from matplotlib.patheffects import withStroke

        shown = [k for k, name in enumerate(names) if name]
        sides = [(1, 0), (-1, 0), (0, 1), (0, -1), (0.7, 0.7), (0.7, -0.7), (-0.7, 0.7), (-0.7, -0.7)]
        pad = 0.008 * self.span
        boxes = np.empty((len(shown), len(sides), 4))
        texts = []
        for row, k in enumerate(shown):
            halo = [withStroke(linewidth=2.5, foreground="white")]
            text = axes.text(0, 0, names[k], fontsize=style.SMALL, path_effects=halo, zorder=6)
            for column, side in enumerate(sides):
                self._set_beside(text, k, side, pad)
                boxes[row, column] = text.get_window_extent().extents
            texts.append(text)
        reach = self.radii[:, None]
        lower, upper = (axes.transData.transform(self.points + part) for part in (-reach, reach))
        discs = np.concatenate(
            [lower - 5, upper + 5], axis=1
        )  # with room, so that a name belongs to one disc
        hidden = [np.empty((0, 4))]
        for start, control, end in curves:
            part = np.linspace(0, 1, 40)[:, None]
            dots = axes.transData.transform(
                (1 - part) ** 2 * start + 2 * part * (1 - part) * control + part**2 * end
            )
            hidden.append(np.concatenate([dots - 2, dots + 2], axis=1))
        arrows = np.concatenate(hidden)
        chosen = [0] * len(shown)
        for _ in range(4):
            for row in range(len(shown)):
                others = [boxes[other, chosen[other]] for other in range(len(shown)) if other != row]
                barred = np.concatenate(
                    [np.reshape(others, (-1, 4)), np.delete(discs, shown[row], axis=0), arrows]
                )
                costs = [
                    float(_overlap(box, barred).sum())
                    + 1e3 * _outside(box, np.array(axes.figure.bbox.extents))
                    + 0.5 * column
                    for column, box in enumerate(boxes[row])
                ]
                chosen[row] = int(np.argmin(costs))
        for text, k, column in zip(texts, shown, chosen, strict=True):
            self._set_beside(text, k, sides[column], pad)

    def _set_beside(self, text: Any, cell: int, side: tuple[float, float], pad: float) -> None:
        x, y = self.points[cell] + np.array(side) * (self.radii[cell] + pad)
        text.set(
            x=x,
            y=y,
            ha=_side(side[0], "right", "center", "left"),
            va=_side(side[1], "top", "center", "bottom"),
        )


def _side(number: float, below: str, zero: str, above: str) -> str:
    return below if number < 0 else above if number > 0 else zero


def _overlap(box: Vector, others: Vector) -> Vector:
    """Return the area that a box (left, bottom, right, top) shares with each of the others."""
    wide = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
    high = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
    area: Vector = np.maximum(wide, 0) * np.maximum(high, 0)
    return area


def _outside(box: Vector, frame: Vector) -> float:
    """Return by how much a box sticks out of a frame."""
    return float(np.maximum(frame[:2] - box[:2], 0).sum() + np.maximum(box[2:] - frame[2:], 0).sum())


def _draw_map_city(city: _City) -> Figure:
    arrows = city.few_pairs and bool(city.pairs)
    rent_place = _Map(city.model.geography)
    place = _Map(city.model.geography, room_for_arrows=True) if arrows else rent_place
    figure = style.figure(2 * place.height(4.6) + 2.6)
    use_axes, rent_axes = figure.subplots(2, 1)
    hatch = style.HATCH if place.disc > 12 else None
    place.draw_links(use_axes)
    land, both = city.network.land, city.firms + city.residents
    housed, busy = (np.where(part > 5e-3 * land, part, 0.0) for part in (both, city.firms))
    place.add_discs(use_axes, np.where(both < 0.995 * land, place.radii, 0.0), style.VACANT)
    place.add_discs(use_axes, place.scale * np.sqrt(housed), style.HOUSEHOLDS, edge="white", hatch=hatch)
    place.add_discs(use_axes, place.scale * np.sqrt(busy), style.FIRMS, edge="white")
    curves = [place.bend(home, work) for home, work, _ in city.pairs] if arrows else []
    if arrows:
        style.add_arrows(use_axes, curves, [flow for *_, flow in city.pairs], place.arrow_width)
    elif city.link_flow:
        place.draw_flows(use_axes, city.link_flow)
    style.add_legend(use_axes, city.legend(hatch=hatch))
    rent_place.draw_links(rent_axes)
    _draw_numbers(rent_axes, rent_place, city.rent, RENT)
    city.head(figure)
    city.foot(figure)
    style.settle(figure)
    if place.network.number <= MOST_NAMES:
        names = [str(cell) for cell in city.names]
        place.write_names(use_axes, names, curves)
        rent_place.write_names(rent_axes, names)
    return figure
