"""The visual language of every figure: colours, sizes, settings. One quantity, one look, everywhere.

Colours are from the palette of Okabe and Ito (2008), which colour-blind readers can tell apart. In grey
print firms are dark, households light and hatched, vacant land white, rents solid and wages dashed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

FIRMS = "#D55E00"
HOUSEHOLDS = "#9CD3F5"
VACANT = "#FFFFFF"
RENTS = "#009E73"
WAGES = "#0072B2"
INK = "#222222"
LINKS = "#A9A9A9"
FLOWS = "#8A8A8A"
NO_VALUE = "#E4E4E4"
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

WIDTH = 5.6
"""Of a figure, in inches: with letters of 12 points, still legible on the width of a phone."""
TEXT, SMALL, TITLE = 12.0, 10.0, 13.0
"""Sizes of letters, in points."""

SETTINGS: dict[str, Any] = {
    "axes.edgecolor": INK,
    "axes.facecolor": "white",
    "axes.labelcolor": INK,
    "axes.labelsize": TEXT,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": TEXT,
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


def light_to_dark() -> Colormap:
    """Return the colour map of quantities: from pale to dark through the colour of rents."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = ["#FFFAD1", "#8CD0A4", RENTS, "#00402E"]
    return LinearSegmentedColormap.from_list("light to dark", colours).with_extremes(bad=NO_VALUE)
