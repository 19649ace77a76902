"""Pictures of a marketplace economy: on its line over panels of what each site is, or as two maps.

On a line marketplaces and the railway stand above the sites, so that a site with a marketplace hides neither;
everything is drawn to the same scale of positions, and the marketplaces' locations are marked through all
panels. In the plane or on a network sites are discs with their population as area, in the colour of what they
make on the upper map and of their rent on the lower one; a thin line joins each to the marketplace it uses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agora.data.geographies import cell_network, positions
from agora.formulations.marketplaces.grounds import Line
from agora.models.marketplaces.marketplaces import Marketplaces
from agora.runners.figures import style
from agora.typing import Tables, Vector

if TYPE_CHECKING:
    from matplotlib.axes import Axes
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
    look: dict[str, Any] = {"marker": "o", "markersize": 9, "markeredgecolor": "white", "linestyle": "none"}
    spans = {colour: str(made[0]) + (f"–{made[-1]}" if made[1:] else "") for colour, made in goods.items()}
    return [style.line(f"makes {span}", color=colour, **look) for colour, span in spans.items()]


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


PANELS = {
    "population": "population (share of people)",
    "production": "production (units per head of the economy)",
    "rent": "rent of land (share of the unit simplex)",
}
"""Columns of the sites that have a panel, and what is written on its axis."""
POSITION = "position (a unit of distance takes a unit of time)"

LINE, ABOVE = 0.0, 1.0
"""Heights of the sites and of the marketplaces."""
WIDE = 350.0
"""Width of the panels, about, in points."""
LARGEST, SMALLEST = 34.0, 9.0
"""Diameter of the disc of the largest population, at most and at least, in points."""
MAP_LARGEST, MAP_SMALLEST = 22.0, 3.0
"""Diameter of the largest and the smallest disc of a map, in points."""
DIAMOND, MAP_DIAMOND = 12.0, 10.0
MARKETPLACES: dict[str, Any] = {
    "label": "marketplaces",
    "marker": "D", "c": style.INK, "edgecolors": "white", "linewidths": 0.8, "zorder": 5,
}  # fmt: skip
RAILWAY: dict[str, Any] = {"color": style.INK, "linewidth": 4.6}
ROOM_BETWEEN: dict[str, Any] = {"color": "white", "linewidth": 2.2}
AT_MARKET: dict[str, Any] = {"color": style.LINKS, "linewidth": 0.9, "linestyle": (0, (1, 2)), "zorder": 0.5}


def draw_marketplaces(model: Marketplaces, tables: Tables) -> Figure:
    """Draw a marketplace economy on its line, with population, production and rent below.

    Sites are discs with their population as area, marketplaces diamonds, an arrow leads from each site that
    has to travel, the railway is a double line. Positions are written where there is room for them.
    """
    sites = tables["sites"].sort_values("position")
    locations = np.sort(tables["marketplaces"]["location"].to_numpy(dtype=float))
    low, high = model.ground.candidates[[0, -1], 0].tolist()
    ends = np.array([low, high, sites["position"].min(), sites["position"].max()])
    margin = 0.06 * float(np.ptp(ends))
    limits = (float(ends.min()) - margin, float(ends.max()) + margin)
    colours = [colour_of(good) for good in sites["makes"].tolist()]
    with style.drawing(8.2) as figure:
        axes, *panels = figure.subplots(
            1 + len(PANELS), 1, height_ratios=[1.9, 1, 1, 1], gridspec_kw={"hspace": 0.08}
        )
        _draw_line(axes, model, sites, locations, colours, limits)
        _add_legend(axes, sites["makes"].tolist(), railway=len(locations) > 1)
        for panel, (column, label) in zip(panels, PANELS.items(), strict=True):
            _draw_panel(panel, sites, column, colours, locations)
            panel.set_xlim(limits)
            panel.set_ylabel(label, rotation=0, ha="left", va="bottom")
            panel.yaxis.set_label_coords(0.0, 1.02)
            panel.tick_params(labelbottom=panel is panels[-1])
        panels[-1].set_xlabel(POSITION)
        add_heading(figure, model, tables, " (share of the unit simplex)")
    return figure


# --- the line --------------------------------------------------------------------------------------


def _draw_line(
    axes: Axes,
    model: Marketplaces,
    sites: pd.DataFrame,
    locations: Vector,
    colours: Sequence[str],
    limits: tuple[float, float],
) -> None:
    """Draw D, sites, marketplaces, travel and railway, with positions below and above."""
    position = sites["position"].to_numpy(dtype=float)
    points = WIDE / (limits[1] - limits[0])
    people = np.maximum(sites["population"].to_numpy(dtype=float), 0.0)
    diameter = _diameters(position * points, people)
    low, high = model.ground.candidates[[0, -1], 0].tolist()
    axes.plot([low, high], [LINE, LINE], color=style.LINKS, linewidth=2.4, zorder=1, solid_capstyle="round")
    axes.vlines(locations, LINE - 0.5, ABOVE, **AT_MARKET)
    if len(locations) > 1:
        for look, order in ((RAILWAY, 2.0), (ROOM_BETWEEN, 2.1)):
            axes.plot(locations[[0, -1]], [ABOVE, ABOVE], solid_capstyle="butt", zorder=order, **look)
    _draw_travel(axes, sites, diameter, negligible=1e-4 * (limits[1] - limits[0]))
    larger_first = np.argsort(-diameter, kind="stable")
    axes.scatter(
        position[larger_first], np.full(len(position), LINE), s=diameter[larger_first] ** 2,
        c=[colours[k] for k in larger_first], edgecolors="white", linewidths=0.8, zorder=4, label="sites",
    )  # fmt: skip
    axes.scatter(locations, np.full(len(locations), ABOVE), s=DIAMOND**2, **MARKETPLACES)
    axes.set(xlim=limits, ylim=(LINE - 0.26, ABOVE + 0.35))
    axes.spines[:].set_visible(False)
    axes.set_yticks([])
    _write_positions(axes, position, people, points)
    names = [f"{location:.3g}" for location in locations]
    for k in _with_room(locations * points, [7.5 * len(name) for name in names], -np.arange(len(locations))):
        style.note(axes, names[k], (locations[k], ABOVE), (0, 10), ha="center", va="bottom")


def _diameters(position: Vector, people: Vector) -> Vector:
    """Return the diameters of the discs in points, areas as the populations, few of them overlapping."""
    size = np.sqrt(people / people.max())
    touching = np.diff(position) / ((size[1:] + size[:-1]) / 2 + 1e-9)
    largest = np.clip(0.95 * np.percentile(touching, 20), SMALLEST, LARGEST)
    diameters: Vector = largest * size
    return diameters


def _draw_travel(axes: Axes, sites: pd.DataFrame, diameter: Vector, negligible: float) -> None:
    """Add an arrow from every site to its marketplace, unless the site is there."""
    from matplotlib.patches import FancyArrowPatch

    width = 0.9 if len(sites) <= 30 else 0.5
    rows = sites[["position", "marketplace", "travel"]].itertuples(index=False, name=None)
    for (home, market, travel), size in zip(rows, diameter.tolist(), strict=True):
        if travel > negligible:
            axes.add_patch(
                FancyArrowPatch(
                    (home, LINE), (market, ABOVE), arrowstyle="-|>", mutation_scale=8, linewidth=width,
                    color=style.FLOWS, shrinkA=size / 2, shrinkB=DIAMOND / 2 + 3, zorder=3,
                )
            )  # fmt: skip


def _write_positions(axes: Axes, position: Vector, people: Vector, points: float) -> None:
    """Write the sites' positions under them, upright if they need it, of many the most populous first.

    They are rounded to about a hundredth of their span.
    """
    decimals = 2 - round(math.log10(float(np.ptp(position))))
    names = [f"{round(location, decimals) + 0.0:g}" for location in position.tolist()]
    shown = _with_room(position * points, [7.0 * len(name) + 4 for name in names], people)
    upright = len(shown) < len(names)
    if upright:
        shown = _with_room(position * points, [style.SMALL + 1.5] * len(names), people)
    axes.set_xticks(position[shown], [names[k] for k in shown], rotation=90 if upright else 0)
    axes.tick_params(axis="x", length=0, pad=1)


def _with_room(middle: Vector, widths: Sequence[float], weight: NDArray[Any]) -> list[int]:
    """Return those of the names at `middle` that can stand side by side, the weightiest first."""
    shown: list[int] = []
    for k in np.argsort(-weight, kind="stable").tolist():
        if all(abs(middle[k] - middle[other]) >= (widths[k] + widths[other]) / 2 for other in shown):
            shown.append(k)
    return sorted(shown)


def _add_legend(axes: Axes, makes: Sequence[int], *, railway: bool) -> None:
    """Add what discs, diamonds, arrows and the double line are, above the line."""
    entries: list[Any] = [*key_of_goods(makes), key_of_marketplaces()]
    entries.append(
        style.line("travel", color=style.FLOWS, linewidth=1.2, marker=">", markevery=[1], markersize=5)
    )
    if railway:
        from matplotlib.patches import Patch

        entries.append(Patch(facecolor="white", edgecolor=style.INK, linewidth=1.2, label="railway"))
    style.add_legend(axes, entries, above=True)


# --- the panels ------------------------------------------------------------------------------------


def _draw_panel(
    axes: Axes, sites: pd.DataFrame, column: str, colours: Sequence[str], locations: Vector
) -> None:
    """Draw one quantity of the sites as stems; the rent in the colour of rents."""
    from matplotlib.ticker import MaxNLocator

    position, value = (sites[name].to_numpy(dtype=float) for name in ("position", column))
    shown = [style.RENTS] * len(sites) if column == "rent" else list(colours)
    width = float(np.clip(60 / len(sites), 1.4, 6.0))
    for location in locations:
        axes.axvline(location, **AT_MARKET)
    axes.vlines(position, 0.0, value, colors=shown, linewidth=width, zorder=2, label=column)
    axes.scatter(position, value, s=(width + 2.5) ** 2, c=shown, edgecolors="white", linewidths=0.5, zorder=3)
    axes.set_ylim(0.0, 1.12 * float(value.max(initial=0.0)) or 1.0)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.grid(axis="y", color=style.GUIDES, linewidth=0.8)
    axes.set_axisbelow(True)


def marketplace_pictures(model: Marketplaces, tables: Tables) -> dict[str, Callable[[], Figure]]:
    """Return the pictures of a solution."""
    draw = draw_marketplaces if isinstance(model.ground, Line) else draw_marketplace_map
    return {"marketplaces": partial(draw, model, tables)}


def draw_marketplace_map(model: Marketplaces, tables: Tables) -> Figure:
    """Draw a marketplace economy of the plane or of a network as two maps."""
    sites, markets = tables["sites"], tables["marketplaces"]
    homes, locations = _points(model, sites, markets)
    number = {name: k for k, name in enumerate(markets["location"])}
    used = locations[[number[name] for name in sites["marketplace"]]]
    people = np.maximum(sites["population"].to_numpy(dtype=float), 0.0)
    diameter = np.maximum(MAP_LARGEST * np.sqrt(people / people.max()), MAP_SMALLEST)
    every = np.concatenate([homes, locations])
    low, high = every.min(axis=0), every.max(axis=0)
    margin = 0.07 * float((high - low).max())
    sides = np.stack([low - margin, high + margin], axis=1)
    wide, tall = high - low + 2 * margin
    height = float(np.clip((style.WIDTH - 1.4) * tall / wide, 2.0, 5.0))
    with style.drawing(2 * height + 1.2) as figure:
        upper, lower = figure.subplots(2, 1)
        makes = sites["makes"].tolist()
        _draw_ground(upper, model, homes)
        _draw_sites(upper, homes, used, diameter, [colour_of(good) for good in makes], None)
        _draw_ground(lower, model, homes)
        rents = sites["rent"].to_numpy(dtype=float)
        shown = _draw_sites(lower, homes, used, diameter, rents, style.light_to_dark())
        figure.colorbar(shown, ax=lower, shrink=0.8, label="rent of land (share of the unit simplex)")
        for axes in (upper, lower):
            axes.scatter(*locations.T, s=MAP_DIAMOND**2, **MARKETPLACES)
            axes.set(xlim=sides[0], ylim=sides[1], aspect="equal")
            axes.set_axis_off()
        uses = style.line("uses", color=style.FLOWS, linewidth=1.2, linestyle=(0, (2, 1.5)))
        style.add_legend(upper, [*key_of_goods(makes), key_of_marketplaces(), uses])
        add_heading(figure, model, tables, "; area of a disc: population")
    return figure


def _points(model: Marketplaces, sites: pd.DataFrame, markets: pd.DataFrame) -> tuple[Vector, Vector]:
    """Return where sites and marketplaces are on paper."""
    if model.geography is None:
        return sites[["x", "y"]].to_numpy(dtype=float), markets[["x", "y"]].to_numpy(dtype=float)
    homes = positions(model.geography)
    row = {cell: k for k, cell in enumerate(cell_network(model.geography).cells)}
    locations = []
    for near, far, way in zip(markets["cell"], markets["towards"], markets["distance"], strict=True):
        share = way / model.geography.edges[near, far]["length"]
        locations.append((1 - share) * homes[row[near]] + share * homes[row[far]])
    return homes, np.array(locations)


def _draw_ground(axes: Axes, model: Marketplaces, homes: Vector) -> None:
    """Draw the network's edges, if there is a network."""
    from matplotlib.collections import LineCollection

    if model.geography is not None:
        cells = cell_network(model.geography)
        lines = np.stack([homes[cells.tails], homes[cells.heads]], axis=1)
        axes.add_collection(LineCollection(list(lines), colors=style.LINKS, linewidths=1.2, zorder=1))


def _draw_sites(axes: Axes, homes: Vector, used: Vector, diameter: Vector, colours: Any, scale: Any) -> Any:
    """Draw a disc for every site, the larger ones below, and its line to the marketplace it uses."""
    from matplotlib.collections import LineCollection

    lines = np.stack([homes, used], axis=1)
    axes.add_collection(
        LineCollection(list(lines), colors=style.FLOWS, linewidths=0.9, linestyles=[(0, (2, 1.5))], zorder=2)
    )
    order = np.argsort(-diameter, kind="stable")
    return axes.scatter(
        homes[order, 0], homes[order, 1], s=diameter[order] ** 2, c=[colours[k] for k in order], cmap=scale,
        edgecolors=style.INK, linewidths=0.5, zorder=3, label="sites",
    )  # fmt: skip
