"""What every picture of a marketplace economy shares: its legend, its heading, and the line below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agora.models.marketplaces.marketplaces import Marketplaces
from agora.runners.figures import style
from agora.typing import Tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D


def colour_of(good: int) -> str:
    """Return the colour of a commodity 1, 2, …; all beyond the palette have the last."""
    return style.CATEGORIES[min(good, len(style.CATEGORIES)) - 1]


def key_of_goods(makes: Sequence[int]) -> list[Line2D]:
    """Return an entry of the legend for every commodity; those that share a colour share one."""
    goods: dict[str, list[int]] = {}
    for good in sorted(set(makes)):
        goods.setdefault(colour_of(good), []).append(good)
    look: dict[str, Any] = {
        "marker": "o",
        "markersize": 9,
        "markeredgecolor": "white",
        "linestyle": "none",
    }
    return [
        style.line(
            f"makes {made[0]}" if made[0] == made[-1] else f"makes {made[0]}–{made[-1]}", color=colour, **look
        )
        for colour, made in goods.items()
    ]


def key_of_marketplaces() -> Line2D:
    """Return the entry of the legend for marketplaces."""
    return style.line("marketplace", color=style.INK, marker="D", markersize=8, linestyle="none")


def add_heading(figure: Figure, model: Marketplaces, tables: Tables, note: str = "") -> None:
    """Add how many marketplaces there are above the figure, and utility and fee below it."""
    number = len(tables["marketplaces"])
    count = f"{number} marketplace" + ("s" if number != 1 else "")
    figure.suptitle(f"{count} for {len(tables['sites'])} sites, q̄ = {model.setup_cost:g}")
    totals = tables["totals"].iloc[0]
    figure.supxlabel(
        f"utility {totals['utility']:.4g}, fee {totals['fee']:.4g} a head{note}", fontsize=style.SMALL
    )
