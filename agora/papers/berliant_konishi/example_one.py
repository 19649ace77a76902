"""Example 1: two types, the frontiers, ideal locations, a chord beyond the frontier, an empty core.

A type's utility goes by its formula. The utilities printed for types 1 and 2 are min{2c₁, c₂} and
min{c₁, c₂}; the printed locations belong to min{2c₁, c₂} and min{c₁, 2c₂}, in the other order. Every point of
figures 3 and 4 is the solution of a program; the marketplace's ideal locations are found, not typed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyomo.environ as pyo

from agora.methods.marketplaces.coalition import CoreTest, core_test, most_improving_coalition
from agora.models.marketplaces.example_one import (
    FIRST,
    SECOND_AS_LOCATED,
    SECOND_AS_PRINTED,
    example_one,
    net_output,
    one_taste,
)
from agora.papers.computations import Finding, computes
from agora.runners.figures import style
from agora.solvers import solve_program
from agora.typing import Vector

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


UTILITIES = {"min{2c₁, c₂}": FIRST, "min{c₁, c₂}": SECOND_AS_PRINTED, "min{c₁, 2c₂}": SECOND_AS_LOCATED}
"""Coefficients of the utilities of both readings, by formula."""
TYPE_1 = "min{2c₁, c₂}"
_FORMS = {"−4 + ½√78": math.sqrt(78) / 2 - 4, "5 − ½√78": 5 - math.sqrt(78) / 2, "½": 0.5}
"""Closed forms that a computed location is compared with."""
_PROOF = 1e-8
"""How much more utility than found is left unproved at an ideal location."""
_NOISE = 1e-6
"""Differences of locations and shares of output that are none."""


@dataclass(frozen=True)
class Ideal:
    """What a type would choose alone: location, consumption a head (2,), utility, and its proved bound."""

    location: float
    consumption: Vector
    utility: float
    bound: float


def ideal(coefficients: Sequence[float]) -> Ideal:
    """Return a type's ideal marketplace and consumption, with a proof over all locations."""
    result = most_improving_coalition(one_taste(coefficients), tolerance=_PROOF)
    location, utility = float(result.tables["marketplaces"]["location"].iloc[0]), 1 + result.objective
    return Ideal(location, utility * np.array(coefficients), utility, 1 + result.facts["bound"])


@cache
def alone(utility: str) -> Ideal:
    """Return what people who all have the same utility choose."""
    return ideal(UTILITIES[utility])


@cache
def core(second: str) -> CoreTest:
    """Return the test of the core of Example 1 with a utility of type 2."""
    return core_test(example_one(UTILITIES[second]))


def _most(coefficients: tuple[float, float], location: float) -> float:
    """Return the highest utility with the marketplace at `location`."""
    program = one_taste(coefficients).program([location])
    solve_program(program)
    return 1 + float(pyo.value(program.gain))


@computes("frontier-deviation")
def frontier_deviation(location: float, output: float, points: int = 21) -> Finding:
    """Return how far x₁ + x₂ is from `output` on the frontier of one location, at most."""
    shares = np.linspace(0, 1, points).tolist()
    made = np.array([_most((share, 1 - share), location) for share in shares])
    return Finding(
        float(np.abs(made - output).max()),
        note=f"x₁ + x₂ from {made.min():.9f} to {made.max():.9f}",
        certificate=f"the most that can be consumed in each of {points} proportions of x₁ and x₂, a convex "
        "program each",
    )


@computes("ideal-location")
def ideal_location(utility: str, compared: float) -> Finding:
    """Return the ideal location for a utility; compare utility there and at a printed location."""
    own, there = alone(utility), _most(UTILITIES[utility], compared)
    location = own.location
    form = "".join(f" = {name}" for name, value in _FORMS.items() if abs(location - value) <= _NOISE)
    note = f"{utility} reaches {own.utility:.6f} at d = {location:.5f}{form}"
    if abs(location - compared) > 5 * _NOISE:
        owners = [name for name in UTILITIES if abs(alone(name).location - compared) <= 5 * _NOISE]
        note += f" and {there:.6f} at d = {compared:.5f}, which is ideal for {' and '.join(owners) or 'none'}"
    return Finding(
        location,
        note=note,
        certificate=f"no location gives more than {own.bound:.9f}: branch and bound, proved",
    )


@computes("chord-beyond-frontier")
def chord_beyond_frontier(seconds: list[str]) -> Finding:
    """Test that E, halfway between the ideal consumption of both types, cannot be made at any d."""
    beyond, notes = [], []
    for second in seconds:
        middle = (alone(TYPE_1).consumption + alone(second).consumption) / 2
        most = ideal((middle / middle.sum()).tolist()).bound / middle.sum()
        beyond.append(bool(most < 1 - _NOISE))
        notes.append(
            f"for {TYPE_1} and {second} C¹ and C² can be made, and of E, halfway at "
            f"({middle[0]:.6f}, {middle[1]:.6f}), at most {100 * most:.4f} %"
        )
    return Finding(
        all(beyond),
        note="; ".join(notes),
        certificate="the most in E's proportions over all locations: branch and bound with proof",
    )


@computes("core-is-empty")
def core_is_empty(second: str) -> Finding:
    """Test that the core is proved to be empty."""
    result = core(second)
    bound = float(result.best.facts["bound"])
    reached = " and ".join(f"{utility:.6f}" for utility in result.utility.values())
    note = f"alone the types reach {reached}; no allocation gives both more than (1 + λ) times that, "
    note += f"λ = {bound:.8f}"
    if result.empty:
        note += (
            f"; so in every allocation some members of a type gain ε = {100 * result.at_least:.6f} % "
            "or more by leaving with their own marketplace"
        )
    return Finding(result.empty, note=note, certificate=str(result.best.facts["proof"]))


@computes("utility-with-marketplaces")
def utility_with_marketplaces(locations: list[float]) -> Finding:
    """Return the highest utility that anybody reaches with marketplaces where nobody has to travel."""
    most = {}
    for name, coefficients in UTILITIES.items():
        test = one_taste(coefficients).model_copy(update={"marketplaces": len(locations)})
        if test.travel(locations).any():
            raise ValueError(f"somebody travels to {locations}")
        program = test.price_program(locations)
        solve_program(program)
        most[name] = 1 + float(pyo.value(program.gain))
    return Finding(
        max(most.values()),
        note="; ".join(f"{name}: {value:.2g}" for name, value in most.items()),
        certificate="prices at which nobody could afford more; as nobody travels, as many marketplaces "
        "elsewhere give no more",
    )


@computes("who-prefers-the-other")
def who_prefers_the_other(first: str, second: str) -> Finding:
    """Return who is nearer to the marketplace of the other type when each type has its own."""
    locations = {"type 1": alone(first).location, "type 2": alone(second).location}
    envious = []
    for name, other in (("type 1", "type 2"), ("type 2", "type 1")):
        for location, position in ((1, 0.0), (2, 1.0)):
            saved = abs(position - locations[name]) - abs(position - locations[other])
            if saved > _NOISE:
                envious.append((name, location, saved))
    note = f"marketplaces of types 1 and 2 at {locations['type 1']:.5f} and {locations['type 2']:.5f}"
    if envious:
        note += f"; the way to the other is shorter by {envious[0][2]:.5f}"
    return Finding(
        ", ".join(f"{name} in location {location}" for name, location, _ in envious),
        note=note,
        certificate="ideal locations with proof over all locations",
    )


# --- figures ---------------------------------------------------------------------------------------

COLOURS = (style.WAGES, style.FIRMS)
"""Of the two types."""
ENVELOPE: dict[str, Any] = {"color": style.INK, "linewidth": 2.4}
CHORD: dict[str, Any] = {"color": style.FLOWS, "linewidth": 1.4, "linestyle": (0, (4, 2))}


@dataclass(frozen=True)
class Frontier:
    """Points of the production possibility frontier over all locations of the marketplace."""

    output: Vector  # x₁, x₂ a head (points, 2)
    location: Vector  # d, where the marketplace is (points,)


def envelope(points: int = 41) -> Frontier:
    """Return the envelope of the frontiers, one program for each direction from the origin."""
    output, location, start = [], [], 0.0
    for angle in np.linspace(0, np.pi / 2, points):
        direction = np.maximum([np.cos(angle), np.sin(angle)], 0.0)
        direction = np.where(direction < 1e-12, 0.0, direction / direction.sum())
        program = one_taste(direction.tolist()).location_program([start])
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


def draw_frontier(locations: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0), points: int = 41) -> Figure:
    """Draw figure 3: the frontiers for some locations d ∈ [0, 1], and their envelope AB in so many points."""
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
            style.line("type 1: ideal, indifference", color=COLOURS[0], linewidth=1.6, marker="o"),
            style.line("type 2: ideal, indifference", color=COLOURS[1], linewidth=1.6, marker="s"),
        ]
        figure.legend(handles=entries, loc="outside lower center", ncols=2)
    return figure


def _draw_plane(axes: Axes, whole: Frontier, ideals: tuple[Ideal, Ideal], *, labelled: bool) -> None:
    """Draw consumption, with the kinks of the indifference curves through the ideal points."""
    axes.plot(*whole.output.T, **ENVELOPE, zorder=2)
    for k, (own, colour) in enumerate(zip(ideals, COLOURS, strict=True)):
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
    for k, (own, colour) in enumerate(zip(ideals, COLOURS, strict=True)):
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
    place: Any = {"ha": "right" if right else "left", "va": "center", "zorder": 6}
    style.note(axes, name, tuple(point), side, color=colour, **place)


def _name_line(axes: Axes, ends: Vector, name: str, colour: str) -> None:
    """Write a name along a frontier, near the end where it lies deeper inside the envelope."""
    far = ends[0] if ends[0, 0] < ends[1, 1] else ends[1]
    near = ends[1] if ends[0, 0] < ends[1, 1] else ends[0]
    slope = float(np.degrees(np.arctan2(ends[0, 1] - ends[1, 1], ends[0, 0] - ends[1, 0])))
    x, y = (far + 0.13 * (near - far)).tolist()
    look: Any = {"rotation": slope, "rotation_mode": "anchor", "ha": "center", "va": "top"}
    axes.text(x, y, name, color=colour, fontsize=style.SMALL, **look)
