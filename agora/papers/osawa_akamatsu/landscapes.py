"""The potential of small cities with all its equilibria: figures 1, 2, 4 to 6, D.4 and D.5."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from agora.methods.city.all_equilibria import Equilibrium, every_equilibrium
from agora.methods.city.firms_game import FirmsGame
from agora.papers.osawa_akamatsu.cities import CityAt, circle_cells, decay_on_circle, parts_of, two_cells
from agora.runners.figures import style
from agora.typing import Vector

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.tri import Triangulation

DELTA = 0.5
"""δ of figures 4 to 6."""
COSTS = (0.15, 0.2, 0.26)
"""Commuting costs of figure 5: on them the three-cell city has 25, 13 and 1 equilibria."""
MAXIMISER: dict[str, Any] = {"marker": "o", "color": style.INK, "markeredgecolor": "white"}
OTHERS: dict[str, dict[str, Any]] = {
    "saddle": {"marker": "s", "color": "white", "markeredgecolor": style.INK},
    "local minimiser": {"marker": "v", "color": "white", "markeredgecolor": style.INK},
}
"""Looks of equilibria; a kind that is not listed is drawn as a saddle."""


def _look(kind: str) -> dict[str, Any]:
    if kind == "local maximiser":
        return MAXIMISER
    return OTHERS["local minimiser" if "minim" in kind else "saddle"]


def _marks_legend() -> list[Any]:
    looks = {"local maximiser": MAXIMISER, "saddle": OTHERS["saddle"], "minimiser": OTHERS["local minimiser"]}
    return [style.line(name, linestyle="", markersize=6, **look) for name, look in looks.items()]


# --- two cells -----------------------------------------------------------------------------------


def _two(city: CityAt, land: float, mass: float, number: int) -> tuple[Vector, Vector, Vector]:
    """Return the masses m_1 from the lowest to the highest, and f and ȟ/t at (m_1, M − m_1)."""
    masses = np.linspace(max(0.0, mass - (1 - land)), min(mass, land), number)
    return masses, *parts_of(city, np.stack([masses, mass - masses], axis=1))


def _over_cost(axes: Axes, land: float, mass: float) -> None:
    """Draw g over (t, m_1), relative to its range at each t, and all equilibria at 60 values of t."""
    city = two_cells(land, -math.log(DELTA), mass)
    masses, production, commuting = _two(city, land, mass, 161)
    low, high = float(masses[0]), float(masses[-1])
    last = 2.8 * mass * (1 - DELTA) * max(high - mass / 2, mass / 2 - low)
    costs = np.linspace(last / 60, last, 60)
    potential = production[:, None] - commuting[:, None] * costs
    potential = (potential - potential.min(axis=0)) / np.ptp(potential, axis=0)
    axes.contourf(costs, masses, potential, levels=12, cmap=style.light_to_dark(), alpha=0.75, zorder=0)
    for cost in costs:
        for result in every_equilibrium(FirmsGame(city(float(cost)))):
            best = result.kind == "local maximiser"
            axes.plot(
                cost, result.state.firms[0], marker="o", markersize=3.4 if best else 2.6,
                markeredgewidth=0.5, color=style.INK if best else "white", markeredgecolor=style.INK,
                clip_on=False, zorder=3,
            )  # fmt: skip
    axes.set(xlim=(0, last), ylim=(low, high))
    axes.set_xlabel("commuting cost t", fontsize=style.SMALL)
    axes.set_ylabel("firms in cell 1", fontsize=style.SMALL)
    axes.set_title(f"$a_1$ = {land:g}, M = {mass:g}", fontsize=style.TEXT)
    axes.tick_params(labelsize=style.SMALL)


def _draw_over_cost(cases: list[tuple[float, float]], height: float) -> Figure:
    with style.drawing(height) as figure:
        panels = figure.subplots(len(cases), 1)
        for axes, (land, mass) in zip(panels, cases, strict=True):
            _over_cost(axes, land, mass)
        look: dict[str, Any] = {"linestyle": "", "marker": "o", "markersize": 5}
        entries = [
            style.line("local maximiser", color=style.INK, **look),
            style.line("other equilibrium", color="white", markeredgecolor=style.INK, **look),
        ]
        figure.legend(handles=entries, loc="outside lower center", ncols=2)
    return figure


def draw_two_cells() -> Figure:
    """Draw figure 2: where g is high, and every equilibrium, against t, for three divisions of land."""
    return _draw_over_cost([(0.5, 0.5), (0.6, 0.5), (0.8, 0.5)], 7.4)


def draw_masses() -> Figure:
    """Draw figure D.5: the same for fewer and for more firms than cell 1 can hold."""
    return _draw_over_cost([(0.6, 0.4), (0.6, 0.7)], 5.2)


def draw_snapshots() -> Figure:
    """Draw figure 1: g, f and −ȟ without excess land, for t = (3/2) t̂, (2/3) t̃ + (1/3) t̂ and (1/2) t̃."""
    land, mass, delta = 0.6, 0.5, 0.1
    rate = 2 * mass * (1 - delta)  # Proposition 4: t̂ at the highest m_1, t̃ where nobody commutes
    highest, integrated = rate * (min(mass, land) - mass / 2), rate * (mass * land - mass / 2)
    costs = {"high": 1.5 * highest, "medium": (2 * integrated + highest) / 3, "low": integrated / 2}
    return _draw_snapshots(two_cells(land, -math.log(delta), mass), land, mass, costs)


def draw_excess_land() -> Figure:
    """Draw figure D.4: g, f and −ȟ with excess land, for high, medium and low t."""
    land, mass = 0.55, 0.4
    city = two_cells(land, -math.log(0.1), mass, labor=1.0)
    return _draw_snapshots(city, land, mass, {"high": 0.3, "medium": 0.1, "low": 0.01})


def _draw_snapshots(city: CityAt, land: float, mass: float, costs: dict[str, float]) -> Figure:
    masses, production, commuting = _two(city, land, mass, 201)
    middle = float(production.min())
    with style.drawing(6.6) as figure:
        panels = figure.subplots(3, 1, sharex=True)
        for axes, (name, cost) in zip(panels, costs.items(), strict=True):
            axes.plot(masses, production - middle, **style.RENT_LINE)
            axes.plot(masses, -cost * commuting, **style.WAGE_LINE)
            axes.plot(masses, production - middle - cost * commuting, color=style.INK, linewidth=2)
            for result in every_equilibrium(FirmsGame(city(cost))):
                axes.plot(
                    result.state.firms[0], result.potential - middle, markersize=7, clip_on=False, zorder=4,
                    **_look(result.kind),
                )  # fmt: skip
            axes.set_title(f"{name} commuting cost, t = {cost:g}", fontsize=style.TEXT)
            axes.set_ylabel("numéraire", fontsize=style.SMALL)
        panels[-1].set_xlabel("firms in cell 1")
        entries = [
            style.line("g", color=style.INK, linewidth=2), style.line("f", **style.RENT_LINE),
            style.line("−ȟ", **style.WAGE_LINE), *_marks_legend(),
        ]  # fmt: skip
        figure.legend(handles=entries, loc="outside lower center", ncols=3)
    return figure


# --- efficiency ----------------------------------------------------------------------------------


def draw_anarchy(points: pd.DataFrame) -> Figure:
    """Draw how much welfare the potential's equilibrium and the worst one lose, over (τ, t)."""
    panels = {"anarchy_selected": "selected by the potential", "anarchy_worst": "worst equilibrium"}
    highest = float(points[list(panels)].replace(np.inf, np.nan).max().max())
    with style.drawing(3.4) as figure:
        every = figure.subplots(1, 2, sharey=True)
        for axes, (column, title) in zip(every, panels.items(), strict=True):
            table = points.pivot(index="commuting_cost", columns="decay", values=column)
            across, up, values = (part.to_numpy(dtype=float) for part in (table.columns, table.index, table))
            drawn = axes.pcolormesh(
                across, up, values, cmap=style.light_to_dark(), vmin=1.0, vmax=highest, shading="nearest"
            )
            axes.set_title(title, fontsize=style.SMALL)
            axes.set_xlabel("spillovers' decay τ", fontsize=style.SMALL)
            axes.tick_params(labelsize=style.SMALL)
        every[0].set_ylabel("commuting cost t", fontsize=style.SMALL)
        bar = figure.colorbar(drawn, ax=every, location="bottom", shrink=0.6, aspect=40)
        bar.set_label("welfare of the optimum over that of the equilibrium", fontsize=style.SMALL)
        bar.ax.tick_params(labelsize=style.SMALL)
    return figure


# --- three cells ---------------------------------------------------------------------------------

CORNERS = np.array([(0.0, math.sqrt(3) / 2), (-0.5, 0.0), (0.5, 0.0)])
"""Where all firms in cell 1, 2, 3 stand on paper."""


_THREE = circle_cells(3, decay_on_circle(3, DELTA))


def _lattice(parts: int) -> tuple[Vector, Triangulation]:
    """Return distributions of firms on a triangular lattice over ℳ (a hexagon), and its triangles."""
    from matplotlib.tri import Triangulation

    most = 2 * parts // 3
    counts = [
        (i, j, parts - i - j) for i in range(most + 1) for j in range(most + 1) if 0 <= parts - i - j <= most
    ]
    number = {count: k for k, count in enumerate(counts)}
    triangles = []
    for i, j, k in counts:
        for shape in (((i + 1, j - 1, k), (i + 1, j, k - 1)), ((i, j + 1, k - 1), (i + 1, j, k - 1))):
            if all(corner in number for corner in shape):
                triangles.append((number[i, j, k], number[shape[0]], number[shape[1]]))
    firms = 0.5 * np.array(counts) / parts
    locations = 2 * firms @ CORNERS
    return firms, Triangulation(locations[:, 0], locations[:, 1], triangles)


def draw_levels(axes: Axes, triangles: Triangulation, values: Vector, width: float) -> None:
    """Draw the levels of a function over a triangulated area, with white lines between them."""
    axes.tricontourf(triangles, values, levels=12, cmap=style.light_to_dark())
    axes.tricontour(triangles, values, levels=12, colors="white", linewidths=width)


def _frame(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=style.SMALL)
    axes.set(xlim=(-0.38, 0.38), ylim=(-0.04, 0.65), aspect="equal")
    axes.set_axis_off()


def _mark(axes: Axes, equilibria: list[Equilibrium], size: float = 6.0) -> None:
    for result in equilibria:
        x, y = 2 * result.state.firms @ CORNERS
        axes.plot(x, y, markersize=size, markeredgewidth=0.8, zorder=4, clip_on=False, **_look(result.kind))


def draw_parts() -> Figure:
    """Draw figure 4: f and −ȟ of the three-cell city over its distributions of firms."""
    firms, triangles = _lattice(90)
    production, commuting = parts_of(_THREE, firms)
    with style.drawing(2.9) as figure:
        panels = figure.subplots(1, 2)
        for axes, values, title in (
            (panels[0], production, "f: production"),
            (panels[1], -commuting, "−ȟ: commuting"),
        ):
            draw_levels(axes, triangles, values, 0.5)
            _frame(axes, title)
    return figure


def draw_equilibria() -> Figure:
    """Draw figure 5: g over the distributions of firms and every equilibrium, for three values of t."""
    firms, triangles = _lattice(90)
    production, commuting = parts_of(_THREE, firms)
    with style.drawing(2.7) as figure:
        for axes, cost in zip(figure.subplots(1, 3), COSTS, strict=True):
            draw_levels(axes, triangles, production - cost * commuting, 0.4)
            equilibria = every_equilibrium(FirmsGame(_THREE(cost)))
            _mark(axes, equilibria, 5.0)
            plural = "equilibrium" if len(equilibria) == 1 else "equilibria"
            _frame(axes, f"t = {cost:g}: {len(equilibria)} {plural}")
        figure.legend(handles=_marks_legend(), loc="outside lower center", ncols=3)
    return figure


def draw_basins() -> Figure:
    """Draw figure 6: where best responses lead from everywhere, and each orbit's distribution of firms."""
    firms, triangles = _lattice(30)
    game = FirmsGame(_THREE(COSTS[0]))
    equilibria = every_equilibrium(game)
    states = np.array([result.state.firms for result in equilibria])
    reached = np.array([int(np.abs(states - game.climb(row).firms).max(axis=1).argmin()) for row in firms])
    ends = sorted(set(reached.tolist()))
    with style.drawing(3.9) as figure:
        left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
        for colour, end in zip(style.CATEGORIES, ends, strict=False):
            seen = reached == end
            left.scatter(triangles.x[seen], triangles.y[seen], s=24, color=colour, alpha=0.7, linewidths=0)
        _mark(left, equilibria)
        _frame(left, f"basins of the {len(ends)} maximisers, t = {COSTS[0]:g}")
        orbits = [next(e for e in equilibria if e.orbit == k) for k in sorted({e.orbit for e in equilibria})]
        mean = game.city.firm_mass / 3
        for line, result in enumerate(orbits):
            size = sum(e.orbit == result.orbit for e in equilibria)
            masses = np.sort(result.state.firms)[::-1] / mean
            right.bar(np.arange(3), 0.38 * masses, bottom=-line, width=0.8, color=style.FIRMS)
            right.bar(
                np.arange(3), 0.38 * (2 - masses), bottom=-line + 0.38 * masses, width=0.8,
                color=style.HOUSEHOLDS, hatch=style.HATCH, edgecolor="white", linewidth=0,
            )  # fmt: skip
            right.plot(-1.1, -line + 0.38, markersize=6, clip_on=False, **_look(result.kind))
            right.text(2.7, -line + 0.38, f"× {size}", va="center", fontsize=style.SMALL)
        right.set(xlim=(-1.5, 3.6), ylim=(-len(orbits) + 0.8, 0.9))
        right.set_title("one of each orbit", fontsize=style.SMALL)
        right.set_axis_off()
        entries = [*_marks_legend(), style.patch(style.FIRMS, "firms")]
        entries.append(style.patch(style.HOUSEHOLDS, "households", hatch=style.HATCH))
        figure.legend(handles=entries, loc="outside lower center", ncols=3)
    return figure
