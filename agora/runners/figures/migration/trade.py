"""Pictures of trade between locations and of myopic migration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from agora.data.migration import TradeRate
from agora.models.migration.myopic import MyopicMigration
from agora.models.migration.spatial_trade import SpatialTrade
from agora.runners.figures import style
from agora.runners.figures.migration.games import mark_the_circle, round_the_circle, show_space_and_time
from agora.typing import Tables, Vector

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


PANELS = {
    "population": ("population density μ", "#444444"),
    "wage": ("wage w (numéraire)", style.WAGES),
    "price_index": ("price index P (numéraire)", style.FIRMS),
    "real_wage": ("real wage w/P · B", style.RENTS),
}
"""Columns of the locations that are drawn: label and colour."""
MOST_BARS = 60
"""Locations up to which every one has a bar of its own; more are drawn as a line."""
MOST_NAMES = 12
"""Bars up to which the names of their locations are written."""


def draw_trade(model: SpatialTrade, tables: Tables) -> Figure:
    """Draw people, wages, price indices and real wages of all locations in four panels.

    They are lines round a circle and along a segment, maps on any other geography, and without one bars (a
    line for more than `MOST_BARS` locations).
    """
    locations = tables["locations"]
    kind = None if model.geography is None else model.geography.graph.get("kind")
    mapped = model.geography is not None and kind not in ("circle", "segment")
    chart = style.Map(model.geography) if mapped else None
    with style.drawing(7.6 if chart is None else 2 * (chart.height(6.0) / 2 + 0.75) + 0.5) as figure:
        if chart is not None:
            for axes, (column, (label, _)) in zip(figure.subplots(2, 2).flat, PANELS.items(), strict=True):
                chart.draw_links(axes)
                chart.show_numbers(axes, locations[column].to_numpy(dtype=float), label)
        else:
            panels = figure.subplots(4, 1, sharex=True)
            for axes, (column, (label, colour)) in zip(panels, PANELS.items(), strict=True):
                _draw_row(axes, locations[column].to_numpy(dtype=float), kind, colour)
                axes.set_title(label, fontsize=style.SMALL, loc="left", color=colour)
            _mark_places(panels[-1], model, kind)
        figure.suptitle(_title(model))
    return figure


def _title(model: SpatialTrade) -> str:
    names = {"krugman": "Krugman", "armington": "Armington", "eaton-kortum": "Eaton–Kortum"}
    letter = "θ" if model.variant == "eaton-kortum" else "σ"
    cost = f", τ = {model.trade_cost.rate:g} per length" if isinstance(model.trade_cost, TradeRate) else ""
    return f"{names[model.variant]} trade, {model.number} places: {letter} = {model.elasticity:g}{cost}"


def _draw_row(axes: Axes, values: Vector, kind: str | None, colour: str) -> None:
    """Draw values in the order of their locations: lines on a ring or for many locations, or bars."""
    if kind == "circle":
        axes.plot(*round_the_circle(values), color=colour, linewidth=2.2)
    elif kind == "segment" or len(values) > MOST_BARS:
        axes.plot(np.arange(len(values)), values, color=colour, linewidth=2.2 if kind else 0.8)
    else:
        axes.bar(np.arange(len(values)), values, color=colour, width=0.7)
        if len(values) <= MOST_NAMES:
            for bar, value in enumerate(values):
                style.note(axes, f"{value:.3g}", (bar, value), (0, 2), ha="center")
        axes.margins(y=0.25)
    axes.grid(axis="y", color=style.GUIDES, linewidth=0.8)
    axes.set_axisbelow(True)
    spread = float(np.ptp(values))
    if spread <= 1e-9 * float(np.abs(values).max()):
        axes.set_ylim(0.0, 1.4 * float(values.max()))


def _mark_places(axes: Axes, model: SpatialTrade, kind: str | None) -> None:
    if kind == "circle":
        mark_the_circle(axes)
        return
    if model.number <= MOST_NAMES:
        names = [str(name) for name in model.names]
        tilted = max(map(len, names)) * len(names) > 45
        look: dict[str, Any] = {"rotation": 30, "ha": "right"} if tilted else {}
        axes.set_xticks(range(model.number), names, **look)
    axes.set_xlabel("location, in the order of the model")


def draw_myopic(model: MyopicMigration, tables: Tables) -> Figure:
    """Draw where people who do not foresee are over time, and how concentrated they are."""
    density = tables["path"]["density"].to_numpy(dtype=float).reshape(-1, model.cells)
    table = tables["concentration"]
    times = table["time"].to_numpy(dtype=float)
    with style.drawing(6.4) as figure:
        upper, lower = figure.subplots(2, 1, height_ratios=[1.6, 1])
        show_space_and_time(upper, times, density)
        lower.plot(times, table["hhi"], color=style.INK, linewidth=2.2)
        lower.axhline(1.0, color=style.LINKS, linewidth=0.8, linestyle="--")
        style.note(lower, "everywhere alike", (0.0, 1.0), (4, 3), color=style.FLOWS)
        lower.set(xlabel="time", ylabel="H = ∫ μ² dm")
        lower.margins(x=0.0, y=0.15)
        figure.align_ylabels([upper, lower])
        figure.suptitle(f"Myopic migration: {model.dynamics} dynamics, {model.variant.title()} trade")
    return figure
