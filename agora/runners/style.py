"""The visual language of every figure: colours, sizes, legends, arrows. One quantity, one look, everywhere.

Colours are from the palette of Okabe and Ito (2008), which colour-blind readers can tell apart. In grey
print firms are dark, households light and hatched, vacant land white, rents solid and wages dashed.
Matplotlib is loaded when something is drawn, not before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

FIRMS = "#D55E00"
HOUSEHOLDS = "#9CD3F5"
VACANT = "#FFFFFF"
RENTS = "#009E73"
WAGES = "#0072B2"
INK = "#222222"
LINKS = "#A9A9A9"
FLOWS = "#8A8A8A"
GUIDES = "#DDDDDD"
NO_VALUE = "#E4E4E4"
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


def settle(drawn: Figure) -> None:
    """Lay a figure out once and for all, so that it is the same however and however often it is saved."""
    drawn.draw_without_rendering()
    drawn.set_layout_engine("none")


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


def add_legend(
    axes: Axes, entries: Sequence[Patch | Line2D], *, title: str = "", above: bool = False
) -> None:
    """Put a legend under or above the axes, in as few rows as the width of the figure allows."""
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
    )  # fmt: skip


def add_arrows(
    axes: Axes, curves: Sequence[NDArray[np.float64]], flows: Sequence[float], widest: float = 4.0
) -> None:
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
