"""The visual language of every figure: colours, legends, arrows, and positions of cells on paper.

One quantity has one look everywhere. Every cell is drawn alike, with its land as its area: as a piece of a
`Ring` or of a `Row`, or as a disc on a `Map`.

Colours are from the palette of Okabe and Ito (2008), which colour-blind readers can distinguish. In grey
print firms are dark, households light and hatched, vacant land nearly white, rents solid and wages dashed.
Matplotlib is loaded when something is drawn, not before.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from agora.data.geographies import cell_network, positions
from agora.typing import Vector

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import EllipseCollection
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.text import Text


FIRMS = "#D55E00"
HOUSEHOLDS = "#9CD3F5"
VACANT = "#EFEFEF"
RENTS = "#009E73"
WAGES = "#0072B2"
INK = "#222222"
LINKS = "#A9A9A9"
FLOWS = "#8A8A8A"
GUIDES = "#DDDDDD"
NO_VALUE = "#DADADA"
PLAIN = "#56B4E9"
"""Cells on which nothing is shown."""
CATEGORIES = ("#E69F00", "#0072B2", "#CC79A7", "#009E73", "#F0E442", "#56B4E9", "#D55E00", "#444444")
"""Colours of values that are words and have no colour of their own."""
LAND_USES = {
    "business": FIRMS,
    "residential": HOUSEHOLDS,
    "integrated": "#F0E442",
    "mixed": "#CC79A7",
    "vacant": VACANT,
}
"""Colours of the words in the column ``use`` of a city's cells."""

HATCH = "////"
"""Laid over households, in white."""
RENT_LINE: dict[str, Any] = {"color": RENTS, "linewidth": 3.2}
WAGE_LINE: dict[str, Any] = {"color": WAGES, "linewidth": 1.7, "linestyle": (0, (3, 1.4))}
"""Wages lie over rents: where the two agree, both are seen."""

WIDTH = 5.6
"""Of a figure, in inches: with letters of 10 to 13 points, still legible on the width of a phone."""
TEXT, SMALL, TITLE = 12.0, 10.0, 13.0
"""Sizes of letters, in points."""

MOST_NUMBERS = 24
"""Cells of a circle or a line up to which every one is numbered; beyond, a few are."""
MOST_VECTORS = 2000
"""Cells of a map up to which an SVG holds them as shapes; of more, as an image."""

SETTINGS: dict[str, Any] = {
    "axes.edgecolor": INK,
    "axes.facecolor": "white",
    "axes.labelcolor": INK,
    "axes.labelsize": TEXT,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "white",
    "figure.titlesize": TITLE,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": TEXT,
    "hatch.linewidth": 0.9,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "agora",
    "text.color": INK,
    "xtick.color": INK,
    "xtick.labelsize": SMALL,
    "ytick.color": INK,
    "ytick.labelsize": SMALL,
}
"""Matplotlib's settings while a figure is drawn or saved; the user's own stay as they are."""


@contextmanager
def settings() -> Iterator[None]:
    """Draw or save in this language."""
    from matplotlib import rc_context

    ours: Any = SETTINGS  # the names that matplotlib's own types allow differ between its versions
    with rc_context(ours):
        yield


def figure(height: float) -> Figure:
    """Return an empty figure of the usual width and a height in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH, height), layout="constrained")


def fix_layout(drawn: Figure) -> None:
    """Lay a figure out once and for all, so that it is the same however and however often it is saved.

    The solver of the layout goes through its unknowns in the order of their addresses in memory, and an SVG
    names areas after all digits of their positions: these are rounded to a billionth of the figure.
    """
    drawn.draw_without_rendering()
    drawn.set_layout_engine("none")
    for axes in drawn.axes:
        left, bottom, width, height = np.round(axes.get_position(original=True).bounds, 9).tolist()
        axes.set_position((left, bottom, width, height))


@contextmanager
def drawing(height: float) -> Iterator[Figure]:
    """Give an empty figure of a height in inches to draw on in this language; it is laid out at the end."""
    with settings():
        drawn = figure(height)
        yield drawn
        fix_layout(drawn)


def light_to_dark() -> Colormap:
    """Return the colour map of quantities: from pale to dark through the colour of rents."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = ["#FFFAD1", "#8CD0A4", RENTS, "#00402E"]
    return LinearSegmentedColormap.from_list("light to dark", colours).with_extremes(bad=NO_VALUE)


def patch(colour: str, label: str, *, edge: str = "white", hatch: str | None = None) -> Patch:
    """Return a legend's entry for an area."""
    from matplotlib.patches import Patch

    return Patch(facecolor=colour, edgecolor=edge, hatch=hatch, label=label, linewidth=0.6)


def line(label: str, **look: Any) -> Line2D:
    """Return a legend's entry for a line."""
    from matplotlib.lines import Line2D

    return Line2D([0, 1], [0, 0], label=label, **look)


def arrow(label: str) -> Line2D:
    """Return a legend's entry for arrows."""
    return line(label, color=INK, linewidth=2.0, marker=">", markevery=[1], markersize=7)


def note(axes: Axes, text: str, at: tuple[float, float], aside: tuple[float, float], **look: Any) -> None:
    """Write a small text beside a point, `aside` by so many points."""
    axes.annotate(text, at, aside, textcoords="offset points", **{"fontsize": SMALL, **look})


def draw_kinds(
    axes: Axes, grid: tuple[ArrayLike, ArrayLike], kinds: ArrayLike, colours: Sequence[str], **look: Any
) -> None:
    """Fill the cells of a grid (across, up), each in the colour of its kind 0, 1, …; NaN has none."""
    from matplotlib.colors import ListedColormap

    colouring: Any = {"cmap": ListedColormap(list(colours)), "vmin": -0.5, "vmax": len(colours) - 0.5}
    axes.pcolormesh(*grid, kinds, shading="nearest", **colouring, **look)


def add_legend(
    axes: Axes, entries: Sequence[Patch | Line2D], *, title: str = "", above: bool = False, gap: float = 0.5
) -> None:
    """Put a legend under or above the axes, in as few rows as the width of the figure allows.

    `gap` is the distance from the axes, in letters.
    """
    letters = [len(str(entry.get_label())) for entry in entries]
    columns = len(letters)
    while columns > 1:
        widest = [max(column) + 7 for column in np.array_split(letters, columns)]
        if sum(widest) <= 68:
            break
        columns -= 1
    axes.legend(
        handles=list(entries), loc="lower center" if above else "upper center", ncols=columns,
        bbox_to_anchor=(0.5, 1.0 if above else 0.0), title=title or None, columnspacing=1.2, handlelength=2.0,
        borderaxespad=gap,
    )  # fmt: skip


def add_arrows(axes: Axes, curves: Sequence[Vector], flows: Sequence[float], widest: float = 4.0) -> None:
    """Add one arrow a curve (three control points), as wide as its flow; the largest is `widest` points."""
    from matplotlib.patches import ArrowStyle, FancyArrowPatch
    from matplotlib.path import Path

    widest = widest if len(flows) <= 12 else min(widest, 2.2)
    for curve, flow in zip(curves, flows, strict=True):
        width = max(widest * flow / max(flows), 0.5)
        head = 2.2 + 2 * width
        axes.add_patch(
            FancyArrowPatch(
                path=Path(curve, [Path.MOVETO, Path.CURVE3, Path.CURVE3]),
                arrowstyle=ArrowStyle.Simple(head_length=head, head_width=head, tail_width=width),
                mutation_scale=1, facecolor=INK, edgecolor="white", linewidth=0.4, clip_on=False, zorder=5,
            )
        )  # fmt: skip


def profile_legend() -> list[Any]:
    """Return the legend's entries for the lines of a profile."""
    rent = line("land rent, per unit of land", **RENT_LINE)
    return [rent, line("wage, per worker", **WAGE_LINE)]


def numbered(number: int) -> list[int]:
    """Return the positions that are numbered: all, or about a dozen."""
    every = 1
    if number > MOST_NUMBERS:
        tenth = 10 ** math.floor(math.log10(number / 12))
        every = next(int(step * tenth) for step in (1, 2, 5, 10) if step * tenth >= number / 12)
    return list(range(0, number, every))


# --- positions on paper -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Ring:
    """Positions on a ring of cells, cell 0 in the east, counter-clockwise as on the map.

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
class Row:
    """Positions in a row of cells, land downwards from 0 to -1, arrows above."""

    number: int
    closed = False

    def at(self, along: ArrayLike, up: ArrayLike) -> Vector:
        """Return x and y in the last axis."""
        return np.stack(np.broadcast_arrays(np.asarray(along, dtype=float), -np.asarray(up)), axis=-1)

    def bend(self, home: float, work: float) -> Vector:
        """Return start, control point and end of an arrow above the row, up to 2 high."""
        height = 0.3 + 3.7 * abs(work - home) / max(self.number - 1, 1)
        return np.array([(home, 0.08), ((home + work) / 2, height), (work, 0.08)])


class Map:
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
        return float(np.clip((WIDTH - 0.2) * high / wide, 1.2, most))

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
        collection = LineCollection(list(lines), colors=LINKS, linewidths=width, zorder=1)
        collection.set_rasterized(network.number > MOST_VECTORS)
        axes.add_collection(collection, autolim=False)
        axes.set(xlim=(self.low[0], self.high[0]), ylim=(self.low[1], self.high[1]), aspect="equal")
        axes.set_axis_off()

    def add_discs(
        self, axes: Axes, radii: Vector, colour: Any, *, edge: str = INK, hatch: str | None = None
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
        return 2 * float(np.median(self.radii)) * 72 * WIDTH / float((self.high - self.low)[0])

    @property
    def arrow_width(self) -> float:
        """Width of the widest arrow, in points."""
        return float(np.clip(0.2 * self.disc, 1.0, 4.0))

    def show_numbers(self, axes: Axes, values: Vector, label: str) -> None:
        """Draw discs whose colour follows the value (NaN: none), and the colour bar."""
        from matplotlib.ticker import MaxNLocator

        discs = self.add_discs(axes, self.radii, None)
        discs.set_array(np.ma.masked_invalid(values))
        discs.set_cmap(light_to_dark())
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

    def show_words(self, axes: Axes, values: NDArray[Any], label: str) -> None:
        """Draw discs in one colour a word (None: grey), and the legend; the rarest of many words are one."""
        ranked = [word for word, _ in Counter(word for word in values if word is not None).most_common()]
        if set(ranked) <= set(LAND_USES):
            colours = {word: colour for word, colour in LAND_USES.items() if word in ranked}
        else:
            colours = dict(zip(ranked, CATEGORIES, strict=False))
        others = f"{len(ranked) - len(CATEGORIES) + 1} others"
        if len(ranked) > len(CATEGORIES):
            colours[others] = colours.pop(ranked[len(CATEGORIES) - 1])
        if None in values:
            colours["no value"] = NO_VALUE
        shown = ["no value" if word is None else word if word in colours else others for word in values]
        self.add_discs(axes, self.radii, [colours[word] for word in shown])
        add_legend(axes, [patch(colour, word, edge=INK) for word, colour in colours.items()], title=label)

    def draw_flows(self, axes: Axes, flows: Mapping[tuple[int, int], float]) -> None:
        """Draw the flow on each link as a wedge, broad where it comes from, pointed where it goes."""
        from matplotlib.collections import PolyCollection

        links = np.array(sorted(flows), dtype=int)
        mass = np.array([flows[link] for link in sorted(flows)])
        lines, number = self.segments(links)
        start, end = lines[:, 0], lines[:, 1]
        ahead = end - start
        length = np.maximum(np.hypot(*ahead.T), 1e-300)
        across = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1) / length[:, None]
        widest = 0.55 * float(np.median(self.radii))
        half = across * (widest * (0.15 + 0.85 * mass[number] / mass.max()))[:, None]
        wedges = PolyCollection(
            list(np.stack([start - half, start + half, end], axis=1)), facecolor=INK, edgecolor="white",
            linewidth=0.3 if self.disc > 6 else 0.0, zorder=4,
        )  # fmt: skip
        wedges.set_rasterized(self.network.number > MOST_VECTORS)
        axes.add_collection(wedges, autolim=False)

    def write_names(self, axes: Axes, names: Sequence[str], curves: Sequence[Vector] = ()) -> None:
        """Write names beside their discs, each where it hides least of discs, names, links and arrows.

        The layout must be fixed; `curves` are the arrows, three control points each.
        """
        shown = [k for k, name in enumerate(names) if name]
        boxes = np.empty((len(shown), len(_SIDES), 4))
        texts = []
        for row, k in enumerate(shown):
            plate = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.2}
            texts.append(axes.text(0, 0, names[k], fontsize=SMALL, bbox=plate, zorder=6))
            for column, side in enumerate(_SIDES):
                self._set_beside(texts[row], k, side)
                boxes[row, column] = texts[row].get_window_extent().extents
        reach = self.radii[:, None]
        lower, upper = (axes.transData.transform(self.points + part) for part in (-reach, reach))
        discs = np.concatenate([lower - 9, upper + 9], axis=1)  # with room: a name belongs to one disc
        links, _ = self.segments(np.stack([self.network.tails, self.network.heads], axis=1))
        part = np.linspace(0, 1, 40)[:, None]
        paths = [(start + (end - start) * part, 0.6) for start, end in links]
        paths += [((1 - part) ** 2 * a + 2 * part * (1 - part) * b + part**2 * c, 2.0) for a, b, c in curves]
        strokes = [np.empty((0, 4))]
        for points, half in paths:
            dots = axes.transData.transform(points)
            strokes.append(np.concatenate([dots - half, dots + half], axis=1))
        page, map_part = axes.figure.bbox, axes.bbox
        frame = np.array([page.x0, map_part.y0 - 4, page.x1, map_part.y1 + 4])
        chosen = _least_hiding(boxes, discs, np.array(shown, dtype=int), np.concatenate(strokes), frame)
        for text, k, column in zip(texts, shown, chosen, strict=True):
            self._set_beside(text, k, _SIDES[column])

    def _set_beside(self, text: Text, cell: int, side: tuple[float, float]) -> None:
        x, y = self.points[cell] + np.array(side) * (self.radii[cell] + 0.008 * self.span)
        text.set(x=x, y=y)
        text.set_horizontalalignment("right" if side[0] < 0 else "left" if side[0] > 0 else "center")
        text.set_verticalalignment("top" if side[1] < 0 else "bottom" if side[1] > 0 else "center")


_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (0.7, 0.7), (0.7, -0.7), (-0.7, 0.7), (-0.7, -0.7))
"""Where a name may stand beside its disc, best first."""


def _least_hiding(
    boxes: Vector, discs: Vector, own: NDArray[np.int64], strokes: Vector, frame: Vector
) -> list[int]:
    """Choose one of the boxes (names, positions, 4) of every name: a few rounds of best responses.

    A box (left, bottom, right, top) costs the area it shares with the strokes, more with the discs (but its
    `own`), much more with the other names, and most where it sticks out of the frame.
    """
    columns = np.arange(boxes.shape[1])
    below, above = frame[:2] - boxes[..., :2], boxes[..., 2:] - frame[2:]
    outside = np.maximum(below, 0).sum(axis=-1) + np.maximum(above, 0).sum(axis=-1)
    fixed = 1e3 * outside + 4.0 * columns
    for row, cell in enumerate(own):
        others = np.delete(discs, cell, axis=0)
        fixed[row] += [2 * _overlap(box, others).sum() + _overlap(box, strokes).sum() for box in boxes[row]]
    chosen = [0] * len(boxes)
    for _ in range(4):
        for row in range(len(boxes)):
            names = np.array([boxes[k, choice] for k, choice in enumerate(chosen) if k != row]).reshape(-1, 4)
            chosen[row] = int(np.argmin(fixed[row] + [9 * _overlap(box, names).sum() for box in boxes[row]]))
    return chosen


def _overlap(box: Vector, others: Vector) -> Vector:
    """Return the area that a box (left, bottom, right, top) shares with each of the others."""
    wide = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
    high = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
    area: Vector = np.maximum(wide, 0) * np.maximum(high, 0)
    return area
