"""Regions of equilibria: figures 7 to 9, A.3, E.6 and E.7, and the map of certified points for 24 cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agora.methods.city.best_response import equivalent
from agora.methods.city.vertex_enumeration import check_enumerable, vertices
from agora.papers.osawa_akamatsu.cities import ANY_COST, centric, circle_cells, upper_envelope
from agora.papers.osawa_akamatsu.many_cells import (
    continuous_gain,
    continuous_sequence,
    relative_production,
    uniform_production,
)
from agora.runners.figures import style
from agora.typing import Vector

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_CENTRES = 50
"""K of figure 9, as printed."""
HATCHES = {"business": None, "integrated": None, "residential": style.HATCH}
"""Of the uses of land."""

Pieces = Sequence[tuple[int, float]]
"""Winners (number of centres, 0: uniform) for rising t, each with the t at which it gives way."""


def colour_of(centres: int) -> str:
    """Return the colour of a region: white for the uniform pattern, one colour a number of centres."""
    return "#FFFFFF" if centres == 0 else style.CATEGORIES[(centres - 1) % len(style.CATEGORIES)]


def _name(centres: int) -> str:
    return "uniform" if centres == 0 else f"{centres} centre{'s' if centres > 1 else ''}"


def _fill(axes: Axes, across: Vector, columns: Sequence[Pieces], last: float) -> None:
    """Fill the region of each winner; `columns` are the winners at each value of the horizontal axis."""
    for centres in sorted({winner for pieces in columns for winner, _ in pieces} - {0}):
        low, high = np.full(len(across), np.nan), np.full(len(across), np.nan)
        for k, pieces in enumerate(columns):
            start = 0.0
            for winner, end in pieces:
                if winner == centres:
                    low[k], high[k] = start, min(end, last)
                start = end
        axes.fill_between(
            across, low, high, facecolor=colour_of(centres), edgecolor=style.INK, linewidth=0.4, alpha=0.8
        )
        widths = np.nan_to_num(high - low)
        k = int(np.searchsorted(np.cumsum(widths), widths.sum() / 2))  # half of the region on either side
        if widths[k] > 0.04 * last:
            axes.text(
                across[k], (low[k] + high[k]) / 2, str(centres), ha="center", va="center", fontsize=style.TEXT
            )
    axes.set(xlim=(across[0], across[-1]), ylim=(0, last))


def _wheel(axes: Axes, firms: Vector) -> None:
    """Draw firms of equal cells on their circle: business, integrated, residential."""
    from matplotlib.patches import Wedge

    number = len(firms)
    border: dict[str, Any] = {"edgecolor": "white", "linewidth": 0.8 if number < 24 else 0.3}
    for cell, use in enumerate(np.rint(firms * 2 * number).astype(int)):
        word = ("residential", "integrated", "business")[use]
        ends, hatch = (360.0 * cell / number, 360.0 * (cell + 1) / number), HATCHES[word]
        look = {"width": 1.0 - style.Ring.inner, "facecolor": style.LAND_USES[word], "hatch": hatch, **border}
        axes.add_patch(Wedge((0.0, 0.0), 1.0, *ends, **look))
    axes.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal")
    axes.set_axis_off()


def draw_patterns() -> Figure:
    """Draw figures 7a and 8: the patterns of 8 cells and of 48."""
    with style.drawing(6.4) as figure:
        panels = figure.subplots(3, 3).ravel()
        wheels = [(8, number) for number in (0, 1, 2, 4)] + [(48, number) for number in range(5)]
        for axes, (cells, number) in zip(panels, wheels, strict=True):
            _wheel(axes, centric(cells, number))
            words = f"{cells} cells\n{_name(number)}"
            axes.text(0.0, 0.0, words, ha="center", va="center", fontsize=style.SMALL)
        entries = [style.patch(style.LAND_USES[use], use, hatch=hatch) for use, hatch in HATCHES.items()]
        figure.legend(handles=entries, loc="outside lower center", ncols=3)
    return figure


# --- few cells: every vertex ---------------------------------------------------------------------


def _winners(cells: int, decays: Vector) -> list[list[tuple[int, float]]]:
    """Return the global maximisers as t rises, proved by all vertices, at each τ.

    Raises
    ------
    ValueError
        If one is neither uniform nor centric.
    """
    corners = vertices(circle_cells(cells, ANY_COST)(ANY_COST))
    columns = []
    for decay in decays.tolist():
        city = circle_cells(cells, decay)(ANY_COST)
        game = check_enumerable(city)
        kernel = city.interaction.jacobian(np.zeros(cells))
        values = 0.5 * np.einsum("ki,ij,kj->k", corners, kernel, corners)
        result = upper_envelope(values, game.commuting_costs(corners) / ANY_COST)
        columns.append([(_centres(city.network, corners[p.candidate]), p.high) for p in result])
    return columns


def _centres(network: Any, firms: Vector) -> int:
    number = len(firms)
    for centres in (0, *(j for j in range(1, number // 2 + 1) if number % (2 * j) == 0)):
        if equivalent(network, firms, centric(number, centres)):
            return centres
    raise ValueError("a global maximiser is neither uniform nor centric")


def draw_eight_cells() -> Figure:
    """Draw figure 7b: the global maximiser of eight cells over the (τ, t) plane."""
    decays = np.linspace(0.1, 30.0, 200)
    with style.drawing(4.0) as figure:
        axes = figure.subplots()
        _fill(axes, decays, _winners(8, decays), 0.3)
        axes.text(2.0, 0.27, "uniform", fontsize=style.TEXT)
        axes.set(xlabel="spillovers' decay τ", ylabel="commuting cost t")
    return figure


# --- infinitely many cells -----------------------------------------------------------------------


def draw_many_cells() -> Figure:
    """Draw figure 9: the best of uniform and 50 centric patterns over the (τ, t) plane."""
    decays = np.linspace(0.1, 60.0, 400)
    with style.drawing(4.4) as figure:
        axes = figure.subplots()
        _fill(axes, decays, [continuous_sequence(tau, MOST_CENTRES) for tau in decays.tolist()], 0.15)
        guide: dict[str, Any] = {"color": style.INK, "linewidth": 1.0, "linestyle": (0, (4, 3))}
        axes.axvline(25, **guide)
        axes.axhline(0.08, **guide)
        axes.text(1.0, 0.143, "uniform", fontsize=style.TEXT)
        axes.set(xlabel="spillovers' decay τ", ylabel="commuting cost t")
    return figure


def _lines(axes: Axes, across: Vector, of: Callable[[int, float], float], label: str, name: str) -> None:
    for centres in range(1, 8):
        axes.plot(across, [of(centres, value) for value in across.tolist()], **_look_of(centres))
    axes.axhline(0, color=style.INK, linewidth=0.8)
    axes.set(xlabel=label, ylabel=name)
    axes.set_xlim(across[0], across[-1])


def _look_of(centres: int) -> dict[str, Any]:
    dash: Any = "-" if centres % 2 else (0, (4, 1.6))
    return {"color": colour_of(centres), "linewidth": 1.8, "linestyle": dash}


def _centres_legend(figure: Figure) -> None:
    entries = [style.line(str(k), **_look_of(k)) for k in range(1, 8)]
    figure.legend(handles=entries, loc="outside lower center", ncols=7, title="centres")


def draw_relative_production() -> Figure:
    """Draw figure E.6: Ψ_J and f_J of one to seven centres against τ."""
    decays = np.linspace(0.1, 60.0, 300)
    with style.drawing(5.6) as figure:
        upper, lower = figure.subplots(2, 1)
        _lines(upper, decays, relative_production, "spillovers' decay τ", "Ψ = f/f(uniform) − 1")
        _lines(
            lower, decays, lambda j, tau: uniform_production(tau) * (1 + relative_production(j, tau)),
            "spillovers' decay τ", "f (numéraire)",
        )  # fmt: skip
        _centres_legend(figure)
    return figure


def draw_relative_potential() -> Figure:
    """Draw figure E.7: g(m^J) − g(m̄) along the two broken lines of figure 9."""
    with style.drawing(5.6) as figure:
        upper, lower = figure.subplots(2, 1)
        costs, decays = np.linspace(0.0, 0.16, 200), np.linspace(0.1, 60.0, 300)
        name = "Δg (numéraire)"
        _lines(upper, costs, lambda j, t: continuous_gain(j, 25.0, t), "commuting cost t, τ = 25", name)
        along = "spillovers' decay τ, t = 0.08"
        _lines(lower, decays, lambda j, tau: continuous_gain(j, tau, 0.08), along, name)
        for axes in (upper, lower):
            axes.set_ylim(bottom=-0.006)
        _centres_legend(figure)
    return figure


# --- the certified map -----------------------------------------------------------------------------


def draw_certified(points: pd.DataFrame, cells: int) -> Figure:
    """Draw the winners at the points of a grid; crosses where optimality is not proved."""
    table = points.pivot(index="commuting_cost", columns="decay", values="centres")
    decays, costs = (axis.to_numpy(dtype=float) for axis in (table.columns, table.index))
    values: NDArray[np.int64] = table.to_numpy(dtype=int)
    kinds = sorted(set(values.ravel().tolist()))
    index = np.searchsorted(kinds, values)
    colours = [colour_of(rank if k else 0) for rank, k in enumerate(kinds, start=int(kinds[0] > 0))]
    sure = int(points["certified"].sum())
    with style.drawing(4.6) as figure:
        axes = figure.subplots()
        style.draw_kinds(axes, (decays, costs), index, colours, alpha=0.85)
        unsure = points[~points["certified"]]
        axes.plot(unsure["decay"], unsure["commuting_cost"], "x", color=style.INK, markersize=5)
        axes.set_title(f"{cells} cells: {sure} of {len(points)} points certified", fontsize=style.TEXT)
        axes.set(xlabel="spillovers' decay τ", ylabel="commuting cost t")
        entries = [
            style.patch(colour, _name(k), edge=style.INK) for colour, k in zip(colours, kinds, strict=True)
        ]
        figure.legend(handles=entries, loc="outside lower center", ncols=min(len(entries), 4))
    return figure
