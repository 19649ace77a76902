"""Picture of the invisible hand: firms over time, and the consumption and profit rates they make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from agora.models.sectors.invisible_hand import InvisibleHand
from agora.runners.figures import style
from agora.typing import Tables, Vector

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


SNAPSHOTS = 6
"""Dates at which the distribution is drawn."""
ON_A_LINE = ("segment", "circle")
"""Geographies whose sectors have an order: densities are drawn as lines over it."""
LONG_RUN: dict[str, Any] = {"color": style.INK, "linewidth": 1.6, "linestyle": (0, (4, 2)), "zorder": 1}


def draw_invisible_hand(model: InvisibleHand, tables: Tables) -> Figure:
    """Draw the distribution of firms at a few dates, aggregate consumption and the spread of profit rates.

    Densities are lines, pale at first and dark at the end, dashed in the long run (where there is one); where
    sectors have no order, an image, sectors by their density at the end.
    """
    with style.drawing(8.6) as figure:
        top, middle, low = figure.subplots(3, 1, height_ratios=[1.7, 1, 1])
        times, density = densities(model, tables["path"])
        if model.geography.graph.get("kind") in ON_A_LINE:
            draw_snapshots(top, model, times, density)
        else:
            _draw_image(top, times, density)
        draw_consumption(middle, model, tables["aggregate"])
        draw_spread(low, tables["aggregate"])
        figure.align_ylabels([top, middle, low])
        figure.suptitle(
            f"Firms in {model.network.number} sectors: α = {model.firm_share:g}, σ = {model.substitution:g}"
        )
    return figure


def densities(model: InvisibleHand, path: pd.DataFrame) -> tuple[Vector, Vector]:
    """Return the dates (T,) and the masses of firms per unit of land (T, I)."""
    masses = path["firms"].to_numpy(dtype=float).reshape(-1, model.network.number)
    return path["time"].to_numpy(dtype=float)[:: model.network.number], masses / model.network.land


def draw_snapshots(axes: Axes, model: InvisibleHand, times: Vector, density: Vector) -> None:
    """Draw densities over the sectors at dates that share the way of the firms evenly."""
    way = np.concatenate([[0.0], np.abs(np.diff(density, axis=0)).sum(axis=1).cumsum()])
    chosen = sorted({int(np.searchsorted(way, part * way[-1])) for part in np.linspace(0, 1, SNAPSHOTS)})
    shade = style.light_to_dark()
    for number, date in enumerate(chosen):
        part = 0.25 + 0.75 * number / max(len(chosen) - 1, 1)
        axes.plot(
            model.positions, density[date], color=shade(part), linewidth=2.0, label=f"t = {times[date]:.3g}"
        )
    if model.economy.curvature < 1 and model.noise == 0:
        axes.plot(model.positions, model.rest / model.network.land, label="long run", **LONG_RUN)
    axes.set_ylim(bottom=0.0)
    axes.set(xlabel="sector x", ylabel="firms per variety")
    axes.legend(ncols=2, loc="upper right")


def _draw_image(axes: Axes, times: Vector, density: Vector) -> None:
    """Draw densities as an image, sectors by their density at the end, dates in their order."""
    order = np.argsort(density[-1], kind="stable")
    image = axes.pcolormesh(
        np.arange(len(times)), np.arange(density.shape[1]), density[:, order].T, cmap=style.light_to_dark(),
        rasterized=True, shading="nearest",
    )  # fmt: skip
    ticks = np.unique(np.linspace(0, len(times) - 1, 5).astype(int))
    axes.set_xticks(ticks, [f"{times[k]:.3g}" for k in ticks])
    axes.set(xlabel="time (steps evenly spaced)", ylabel="sectors, by firms at the end")
    bar = axes.figure.colorbar(image, ax=axes, pad=0.02)
    bar.set_label("firms per variety")


def draw_consumption(axes: Axes, model: InvisibleHand, aggregate: pd.DataFrame) -> None:
    """Draw aggregate consumption over time, and the highest that firms could bring about."""
    axes.plot(aggregate["time"], aggregate["consumption"], color=style.RENTS, linewidth=2.4)
    if model.economy.curvature < 1 and model.noise == 0:
        highest = float(model.economy.consumption(model.rest))
        axes.axhline(highest, **LONG_RUN)
        look: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "top"}
        style.note(axes, f"C* = {highest:.4g}", (1.0, highest), (-2, -4), **look)
    axes.set(xlabel="time", ylabel="consumption C")
    _scale_time(axes, aggregate)


def draw_spread(axes: Axes, aggregate: pd.DataFrame) -> None:
    """Draw the spread of profit rates over time, highest less lowest, on a logarithmic scale."""
    spread = np.maximum(aggregate["profit_spread"].to_numpy(dtype=float), 1e-16)
    axes.semilogy(aggregate["time"], spread, color=style.FIRMS, linewidth=2.4)
    axes.set(xlabel="time", ylabel="spread of profit rates")
    _scale_time(axes, aggregate)


def _scale_time(axes: Axes, aggregate: pd.DataFrame) -> None:
    """Show long horizons with long steps on a logarithmic scale, from the first step on."""
    times = aggregate["time"].to_numpy(dtype=float)
    if len(times) > 2 and times[-1] > 20 * np.median(times[1:]):
        axes.set_xscale("log")
        axes.set_xlim(times[1], times[-1])
    axes.grid(color=style.GUIDES, linewidth=0.8)
    axes.set_axisbelow(True)
