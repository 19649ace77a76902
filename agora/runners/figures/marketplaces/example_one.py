"""Figures 3 and 4 of Berliant & Konishi (2000): why Example 1 has an empty core.

Every point is the solution of a program; the marketplace's ideal locations are found, not typed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyomo.environ as pyo

from agora.methods.marketplaces.coalition import most_improving_coalition
from agora.models.marketplaces.example_one import (
    FIRST,
    SECOND_AS_LOCATED,
    SECOND_AS_PRINTED,
    net_output,
    one_taste,
)
from agora.runners.figures import style
from agora.solvers import solve_program
from agora.typing import Vector

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


TYPE_1, TYPE_2 = style.WAGES, style.FIRMS
"""Colours of the two types."""
ENVELOPE: dict[str, Any] = {"color": style.INK, "linewidth": 2.4}
CHORD: dict[str, Any] = {"color": style.FLOWS, "linewidth": 1.4, "linestyle": (0, (4, 2))}


# --- what is drawn ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Frontier:
    """Points of the production possibility frontier over all locations of the marketplace.

    Attributes
    ----------
    output : array (points, 2)
        x₁, x₂ a head.
    location : array (points,)
        d, where the marketplace is.
    """

    output: Vector
    location: Vector


def envelope(points: int = 41) -> Frontier:
    """Return the envelope of the frontiers, one program for each direction from the origin."""
    output, location, start = [], [], 0.0
    for angle in np.linspace(0, np.pi / 2, points):
        direction = np.maximum([np.cos(angle), np.sin(angle)], 0.0)
        direction = np.where(direction < 1e-12, 0.0, direction / direction.sum())
        test = one_taste(direction.tolist())
        program = test.location_program([start])
        solve_program(program)
        start = float(np.clip(pyo.value(program.location[1]), 0.0, 1.0))
        output.append((1 + pyo.value(program.gain)) * direction)
        location.append(start)
    return Frontier(np.array(output), np.array(location))


def frontier(location: float) -> Vector:
    """Return the two ends (2, 2) of the frontier with the marketplace at `location`: a straight line."""
    ends = []
    for direction in ((1.0, 0.0), (0.0, 1.0)):
        program = one_taste(direction).program([location])
        solve_program(program)
        people = [pyo.value(program.member_mass["all", site]) for site in (0, 1)]
        ends.append(net_output(location, people[0]))
    return np.array(ends)


@dataclass(frozen=True)
class Ideal:
    """What a type would choose alone: location, consumption a head (2,), utility."""

    location: float
    consumption: Vector
    utility: float


def ideal(coefficients: Sequence[float]) -> Ideal:
    """Return a type's ideal marketplace and consumption, with a proof by `most_improving_coalition`."""
    result = most_improving_coalition(one_taste(coefficients), tolerance=1e-8)
    utility = 1 + result.objective
    location = float(result.tables["marketplaces"]["location"].iloc[0])
    return Ideal(location, utility * np.array(coefficients), utility)


# --- figures ---------------------------------------------------------------------------------------


def draw_frontier(locations: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0), points: int = 41) -> Figure:
    """Draw figure 3: the frontiers for some locations of the marketplace, and their envelope AB.

    Parameters
    ----------
    locations : sequence of float
        d ∈ [0, 1].
    points : int
        Of the envelope.
    """
    whole = envelope(points)
    with style.drawing(6.2) as figure:
        axes = figure.subplots()
        for location in locations:
            middle = abs(location - 0.5) < 1e-9
            colour = style.RENTS if middle else style.LINKS
            ends = frontier(location)
            axes.plot(*ends.T, color=colour, linewidth=2.0 if middle else 1.2, zorder=2 + middle)
            if not middle:
                _name_line(axes, ends, f"d = {location:g}", style.INK)
        axes.plot(*whole.output.T, **ENVELOPE, zorder=2.5)
        axes.fill_between(*whole.output.T, color=style.VACANT, alpha=0.5, linewidth=0, zorder=0)
        for name, point, side in (("A", whole.output[-1], (8, 4)), ("B", whole.output[0], (4, 10))):
            _mark(axes, point, name, style.INK, side)
        _quadrant(axes, 0.62)
        entries = [
            style.line("envelope over all d", **ENVELOPE),
            style.line("$x_1 + x_2 = ½$  (d = ½)", color=style.RENTS, linewidth=2.0),
            style.line("other locations d", color=style.LINKS, linewidth=1.2),
        ]
        style.add_legend(axes, entries, above=True)
    return figure


def draw_empty_core(points: int = 61) -> Figure:
    """Draw figure 4: ideal consumption C¹ and C² in both readings, and E, which cannot be had.

    Left, utilities as printed; right, utilities for which the printed locations are ideal. Above, the
    plane of consumption; below, the height over the line x₁ + x₂ = ½, enlarged, so that the chord's
    points, such as E, are seen to lie beyond the envelope.
    """
    whole = envelope(points)
    readings = (
        (SECOND_AS_PRINTED, "utilities as printed", r"$\min\{c_1, c_2\}$"),
        (SECOND_AS_LOCATED, "locations as printed", r"$\min\{c_1, 2c_2\}$"),
    )
    with style.drawing(7.6) as figure:
        panels = figure.subplots(2, 2, sharey="row")
        for column, (second, title, utility) in enumerate(readings):
            ideals = (ideal(FIRST), ideal(second))
            above, below = panels[:, column]
            above.set_title(f"{title}:\n" + r"$\min\{2c_1, c_2\}$ and " + utility, fontsize=style.SMALL)
            _draw_plane(above, whole, ideals, labelled=not column)
            _draw_height(below, whole, ideals, labelled=not column)
        entries = [
            style.line("envelope", **ENVELOPE),
            style.line("chord, infeasible", **CHORD),
            style.line("$x_1 + x_2 = ½$  (d = ½)", color=style.RENTS, linewidth=1.2),
            style.line("type 1: ideal, indifference", color=TYPE_1, linewidth=1.6, marker="o"),
            style.line("type 2: ideal, indifference", color=TYPE_2, linewidth=1.6, marker="s"),
        ]
        figure.legend(handles=entries, loc="outside lower center", ncols=2)
    return figure


def _draw_plane(axes: Axes, whole: Frontier, ideals: tuple[Ideal, Ideal], *, labelled: bool) -> None:
    """Draw consumption, with the kinks of the indifference curves through the ideal points."""
    axes.plot(*whole.output.T, **ENVELOPE, zorder=2)
    for k, (own, colour) in enumerate(zip(ideals, (TYPE_1, TYPE_2), strict=True)):
        x, y = own.consumption
        axes.plot([x, x, 0.62], [0.62, y, y], color=colour, linewidth=1.6, zorder=3)
        axes.plot([0, 3 * x], [0, 3 * y], color=colour, linewidth=0.8, linestyle=":", zorder=1)
        _mark(axes, own.consumption, f"$C^{k + 1}$", colour, (-6, -7), marker="os"[k], right=True)
    axes.plot(*_chord(ideals).T, **CHORD, zorder=2.5)
    _mark(axes, _chord(ideals).mean(axis=0), "E", style.INK, (4, 3), marker="X")
    _quadrant(axes, 0.6)
    if not labelled:
        axes.set_ylabel("")


def _draw_height(axes: Axes, whole: Frontier, ideals: tuple[Ideal, Ideal], *, labelled: bool) -> None:
    """Draw how much more than the frontier of d = ½ is made, in thousandths, against x₁."""
    axes.axhline(0.0, color=style.RENTS, linewidth=1.2, zorder=1)
    axes.plot(whole.output[:, 0], _height(whole.output), **ENVELOPE, zorder=2)
    chord = _chord(ideals)
    axes.plot(chord[:, 0], _height(chord), **CHORD, zorder=2.5)
    for k, (own, colour) in enumerate(zip(ideals, (TYPE_1, TYPE_2), strict=True)):
        point = np.array([own.consumption[0], float(_height(own.consumption))])
        side = -6 if own.location > 0.5 else 7
        _mark(axes, point, f"$C^{k + 1}$", colour, (side, -8), marker="os"[k], right=side < 0)
        axes.text(
            0.5, 0.21 - 0.11 * k, f"$C^{k + 1}$ at d = {own.location:.5f}", transform=axes.transAxes,
            color=colour, fontsize=style.SMALL, ha="center", va="center",
        )  # fmt: skip
    middle = chord.mean(axis=0)
    _mark(axes, np.array([middle[0], float(_height(middle))]), "E", style.INK, (-3, 7), marker="X")
    axes.set(xlim=(0.05, 0.45), ylim=(-4.5, 9.5), xlabel="$x_1$, a head")
    if labelled:
        axes.set_ylabel("$(x_1 + x_2 - ½) · 1000$")


def _chord(ideals: tuple[Ideal, Ideal]) -> Vector:
    return np.array([own.consumption for own in ideals])


def _height(output: Vector) -> Vector:
    height: Vector = 1000 * (output.sum(axis=-1) - 0.5)
    return height


def _quadrant(axes: Axes, most: float) -> None:
    axes.set(xlim=(0, most), ylim=(0, most), aspect="equal", xlabel="$x_1$, a head", ylabel="$x_2$, a head")


def _mark(
    axes: Axes,
    point: Vector,
    name: str,
    colour: str,
    side: tuple[float, float],
    *,
    marker: str = "o",
    right: bool = False,
) -> None:
    """Mark a point and write its name beside it, ending there if `right`; `side` is in points."""
    look: dict[str, Any] = {"color": colour, "markeredgecolor": "white", "markersize": 7, "zorder": 5}
    axes.plot(*point, marker=marker, linestyle="", clip_on=False, **look)
    axes.annotate(
        name, tuple(point), xytext=side, textcoords="offset points", color=colour, fontsize=style.SMALL,
        ha="right" if right else "left", va="center", zorder=6,
    )  # fmt: skip


def _name_line(axes: Axes, ends: Vector, name: str, colour: str) -> None:
    """Write a name along a frontier, near the end where it lies deeper inside the envelope."""
    far = ends[0] if ends[0, 0] < ends[1, 1] else ends[1]
    near = ends[1] if ends[0, 0] < ends[1, 1] else ends[0]
    slope = float(np.degrees(np.arctan2(ends[0, 1] - ends[1, 1], ends[0, 0] - ends[1, 0])))
    location = far + 0.13 * (near - far)
    x, y = location.tolist()
    axes.text(
        x, y, name, color=colour, fontsize=style.SMALL, rotation=slope, rotation_mode="anchor", ha="center",
        va="top",
    )  # fmt: skip
