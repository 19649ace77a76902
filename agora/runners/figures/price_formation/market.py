"""Picture of a price-formation game: the price over time, and how agents trade."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from agora.data.price_formation.state_costs import DoubleWell
from agora.models.price_formation.price_formation import PriceFormation
from agora.runners.figures import style
from agora.typing import Tables, Vector

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


SHOWN = 10
"""Agents whose trajectories are drawn."""
PRICE: dict[str, Any] = {"color": style.RENTS, "linewidth": 2.6}
ANALYTIC: dict[str, Any] = {"color": style.INK, "linewidth": 1.1, "linestyle": (0, (4, 2.5))}
SMOOTH: dict[str, Any] = {"color": style.WAGES, "linewidth": 1.6, "linestyle": (0, (1.2, 1.4))}
OTHER: dict[str, Any] = {"color": style.FIRMS, "linewidth": 1.4, "linestyle": (0, (5, 1.5, 1, 1.5))}
SPLIT: dict[str, Any] = {"color": style.FIRMS, "linewidth": 1.8}
WELL: dict[str, Any] = {"color": style.LINKS, "linewidth": 0.9, "linestyle": (0, (1, 2)), "zorder": 0.5}


def draw_trading(
    model: PriceFormation,
    tables: Tables,
    *,
    title: str = "",
    analytic: Vector | None = None,
    other: tuple[str, Vector] | None = None,
    analytic_states: Vector | None = None,
) -> Figure:
    """Draw the price and ω + c₀Q of a market of one asset above, the states of ten agents below.

    A price (N,) and trajectories (agents, N + 1) in closed form are drawn over the computed ones; `other` is
    a further price and its name. With random supply every branch of the tree is a line. Agents who mix are
    drawn in a colour of their own, each path as wide as its share.
    """
    with style.drawing(6.6) as figure:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1.1])
        entries = _draw_prices(above, model, tables, analytic, other)
        style.add_legend(above, entries, above=True)
        mixed = _draw_paths(below, model, tables, analytic_states)
        above.set_ylabel("price (numéraire per unit)", fontsize=style.SMALL)
        below.set_ylabel("state (units of the asset)", fontsize=style.SMALL)
        below.set_xlabel("time", fontsize=style.SMALL)
        below.set_xlim(0.0, model.horizon)
        what = [style.line("an agent's state", color=style.RENTS, linewidth=1.8)]
        if analytic_states is not None:
            what.append(style.line("closed form", **ANALYTIC))
        if mixed:
            what.append(style.line("agent who mixes two paths", **SPLIT))
        if isinstance(model.running, DoubleWell) or isinstance(model.terminal, DoubleWell):
            what.append(style.line("wells", **WELL))
        style.add_legend(below, what, above=True, gap=0.2)
        if title:
            figure.suptitle(title)
        figure.align_ylabels([above, below])
    return figure


def _draw_prices(
    axes: Axes,
    model: PriceFormation,
    tables: Tables,
    analytic: Vector | None,
    other: tuple[str, Vector] | None,
) -> list[Any]:
    table = tables["price"]
    time, price, supply = (table[name].to_numpy(dtype=float) for name in ("time", "price", "supply"))
    smooth = price + model.control_cost * supply
    if model.supply.known:
        axes.plot(time, price, **PRICE)
        axes.plot(time, smooth, **SMOOTH)
    else:
        before = model.befores[: len(time)]
        for values, look in ((price, {**PRICE, "linewidth": 1.2}), (smooth, {**SMOOTH, "linewidth": 0.9})):
            pieces = [
                np.array([[time[p], values[p]], [time[k], values[k]]]) for k, p in enumerate(before) if k
            ]
            _add_lines(axes, pieces, look)
    entries = [style.line("price ω", **PRICE), style.line("ω + c₀Q", **SMOOTH)]
    if analytic is not None:
        axes.plot(time, analytic, **ANALYTIC)
        entries.insert(1, style.line("closed form", **ANALYTIC))
    if other is not None:
        axes.plot(time, other[1], **OTHER)
        entries.append(style.line(other[0], **OTHER))
    return entries


def _add_lines(axes: Axes, pieces: list[Vector], look: Mapping[str, Any]) -> None:
    from matplotlib.collections import LineCollection

    names = {"color": "colors", "linewidth": "linewidths", "linestyle": "linestyles"}
    axes.add_collection(LineCollection(pieces, **{names[key]: value for key, value in look.items()}))
    axes.autoscale()


def _draw_paths(axes: Axes, model: PriceFormation, tables: Tables, analytic: Vector | None) -> bool:
    paths = tables["paths"]
    number = len(model.masses)
    order = np.argsort(model.starts[:, 0], kind="stable")
    shown = set(order[np.round(np.linspace(0, number - 1, min(SHOWN, number))).astype(int)].tolist())
    split = set(paths.loc[paths["path"] > 0, "agent"].tolist())
    for _, path in paths[paths["agent"].isin(shown | split)].groupby(["agent", "path"]):
        agent = int(path["agent"].iloc[0])
        state = path["state"].to_numpy(dtype=float)
        look: dict[str, Any] = {"color": style.RENTS, "linewidth": 1.4 if analytic is None else 2.2}
        if agent in split:
            share = float(path["weight"].iloc[0]) / float(model.masses[agent])
            look = {**SPLIT, "linewidth": 0.6 + 2.0 * share}
        if model.supply.known:
            axes.plot(path["time"], state, zorder=3 if agent in split else 2, **look)
        else:
            time = path["time"].to_numpy(dtype=float)
            pieces = [
                np.array([[time[p], state[p]], [time[k], state[k]]]) for k, p in enumerate(model.befores) if k
            ]
            _add_lines(axes, pieces, {**look, "linewidth": 0.7})
    if analytic is not None:
        time = model.step * np.arange(model.steps + 1)
        for agent in sorted(shown):
            axes.plot(time, analytic[agent], zorder=4, **ANALYTIC)
    for cost in (model.running, model.terminal):
        if isinstance(cost, DoubleWell):
            for well in cost.wells:
                axes.axhline(well, **WELL)
    return bool(split)


def price_pictures(model: PriceFormation, tables: Tables) -> dict[str, Callable[[], Figure]]:
    """Return the pictures of a solution."""
    return {"trading": partial(draw_trading, model, tables)} if model.assets == 1 else {}
