"""Pictures of a game of moving workers: where they are over time, and what concentrates them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from agora.models.migration.game import MeanFieldGame
from agora.models.migration.graph_game import GraphGame
from agora.models.migration.spatial_game import SpatialGame
from agora.runners.figures import style
from agora.typing import Tables, Vector

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


FORCES = {
    "shocks": ("idiosyncratic shocks", "#0072B2", "-"),
    "myopic": ("myopic adjustment", "#D55E00", "-"),
    "uncertainty": ("uncertainty", "#CC79A7", "--"),
    "expectations": ("expectations", "#009E73", "--"),
    "gradient": ("squared gradient", "#8A8A8A", ":"),
}
"""Columns of the forces: how they are called and drawn."""


def _density(model: MeanFieldGame, path: pd.DataFrame) -> tuple[Vector, Vector]:
    """Return the dates (T,) of a path and the densities (T, N)."""
    density = path["density"].to_numpy(dtype=float).reshape(-1, model.arcs.number)
    return path["time"].to_numpy()[:: model.arcs.number], density


def draw_racetrack(model: SpatialGame, tables: Tables) -> Figure:
    """Draw the density on a racetrack over time as a map of space and time, or at rest as a line."""
    times, density = _density(model, tables["path"])
    with style.drawing(4.4 if len(times) > 1 else 3.4) as figure:
        axes = figure.subplots()
        if len(times) > 1:
            show_space_and_time(axes, times, density)
            axes.set_title("Workers round the racetrack", fontsize=style.TITLE)
        else:
            turns, closed = round_the_circle(density)
            axes.plot(turns, closed[0], color=style.RENTS, linewidth=2.4)
            axes.set_ylim(bottom=0)
            axes.set_ylabel("density μ (mean 1)")
            mark_the_circle(axes)
            axes.set_title("Workers round the racetrack, at rest", fontsize=style.TITLE)
    return figure


def round_the_circle(values: Vector) -> tuple[Vector, Vector]:
    """Return locations x/(πR) from −1 to 1 (N + 1,), and values (…, N) there: the first is also the last."""
    number = values.shape[-1]
    order = np.arange(number + 1) - number // 2
    return order * 2 / number, np.take(values, order, axis=-1, mode="wrap")


def mark_the_circle(axes: Axes) -> None:
    """Write −π … π along the horizontal axis."""
    axes.set_xticks([-1, -0.5, 0, 0.5, 1], ["−π", "−π/2", "0", "π/2", "π"])
    axes.set_xlabel("location x/R")


def show_space_and_time(axes: Axes, times: Vector, density: Vector) -> None:
    """Draw densities (T, N) on a circle as a map of space and time, with its colour bar."""
    turns, closed = round_the_circle(density)
    mesh = axes.pcolormesh(
        turns, times, closed, cmap=style.light_to_dark(), shading="gouraud", rasterized=True
    )
    axes.figure.colorbar(mesh, ax=axes, label="density μ (mean 1)")
    axes.set_ylabel("time")
    mark_the_circle(axes)


def draw_torus(model: SpatialGame, tables: Tables) -> Figure:
    """Draw the density on a torus at the beginning, in the middle and at the end of its path."""
    times, density = _density(model, tables["path"])
    density = density.reshape(-1, *model.shape)
    shown = sorted({0, len(density) // 2, len(density) - 1})
    with style.drawing(2.9 if len(shown) > 1 else 4.6) as figure:
        panels = np.atleast_1d(figure.subplots(1, len(shown), sharey=True))
        low, high = float(density.min()), float(density.max())
        for axes, now in zip(panels, shown, strict=True):
            image = axes.imshow(
                density[now].T, origin="lower", extent=(0, 2, 0, 2), cmap=style.light_to_dark(),
                vmin=low, vmax=high if high > low else low + 1,
            )  # fmt: skip
            axes.set_title(f"time {times[now]:.4g}", fontsize=style.TEXT)
            axes.set_xticks([0, 1, 2], ["0", "π", "2π"])
            axes.set_yticks([0, 1, 2], ["0", "π", "2π"])
            axes.set_xlabel("x/R")
        panels[0].set_ylabel("y/R")
        figure.colorbar(image, ax=list(panels), label="density μ", shrink=0.8)
    return figure


def draw_map(model: GraphGame, tables: Tables) -> Figure:
    """Draw the density on a map at the end of the path."""
    times, density = _density(model, tables["path"])
    chart = style.Map(model.geography)
    with style.drawing(chart.height(6.0) + 0.9) as figure:
        axes = figure.subplots()
        chart.draw_links(axes)
        chart.show_numbers(axes, density[-1], f"workers per share of land at time {times[-1]:.4g} (mean 1)")
    return figure


def draw_concentration(_: MeanFieldGame, tables: Tables) -> Figure:
    """Draw the concentration H over time, and below the forces of its growth H'/2."""
    table = tables["concentration"]
    times = table["time"].to_numpy()
    with style.drawing(6.4) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1.5])
        upper.plot(times, table["hhi"], color=style.INK, linewidth=2.2)
        upper.set_ylabel("H = ∫ μ² dm")
        upper.set_title("Concentration and its forces", fontsize=style.TITLE)
        _draw_forces(lower, times, table)
    return figure


def _draw_forces(axes: Axes, times: Vector, table: pd.DataFrame) -> None:
    axes.axhline(0.0, color=style.GUIDES, linewidth=1.0, zorder=0)
    for column, (label, colour, dash) in FORCES.items():
        axes.plot(times, table[column], color=colour, linestyle=dash, linewidth=1.9, label=label)
    axes.plot(times, table["growth"], color=style.INK, linewidth=2.6, alpha=0.8, label="sum, H′/2")
    axes.set(xlabel="time", ylabel="contribution to H′/2, per time")
    entries: Any = axes.get_legend_handles_labels()[0]
    style.add_legend(axes, entries, gap=3.6)


def _moving_pictures(model: MeanFieldGame, tables: Tables) -> dict[str, Callable[[], Figure]]:
    if len(tables["concentration"]) < 2:
        return {}
    return {"concentration": partial(draw_concentration, model, tables)}


def ring_pictures(model: SpatialGame, tables: Tables) -> dict[str, Callable[[], Figure]]:
    """Return the pictures of a solution."""
    draw = draw_racetrack if len(model.shape) == 1 else draw_torus
    return {"density": partial(draw, model, tables), **_moving_pictures(model, tables)}


def graph_pictures(model: GraphGame, tables: Tables) -> dict[str, Callable[[], Figure]]:
    """Return the pictures of a solution."""
    return {"density": partial(draw_map, model, tables), **_moving_pictures(model, tables)}
