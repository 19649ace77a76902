"""Beyond the claims: where structures change, figures 1 to 4, everything against q̄, all rows for GAMS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from agora.models.marketplaces.marketplaces import Marketplaces
from agora.papers.berliant_konishi.economies import QUANTITIES, SITES, economy, solution
from agora.papers.berliant_konishi.example_one import draw_empty_core, draw_frontier
from agora.papers.berliant_konishi.printed_cells import PAPER, printed_rows, printed_structure
from agora.papers.berliant_konishi.sweep import CASES, GRID, path, thresholds
from agora.papers.computations import Beyond, goes_beyond
from agora.runners.figures import style
from agora.runners.figures.marketplaces.economy import draw_marketplaces

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOOKS: tuple[dict[str, Any], ...] = (
    {"color": style.CATEGORIES[1], "linewidth": 3.0},
    {"color": style.CATEGORIES[3], "linewidth": 2.6},
    {"color": style.CATEGORIES[0], "linewidth": 1.5, "linestyle": (0, (4, 1.6))},
    {"color": style.CATEGORIES[7], "linewidth": 1.5, "linestyle": (0, (1.2, 1.2))},
)
"""Of the lines of sites a to d; where two agree, both are seen."""
_UNITS = {
    "marketplaces": "position on the line",
    "population": "share of people",
    "production": "units per head",
    "rent": "unit simplex",
}
_TITLES = {"case1": "Case 1: α₁ = α₂ = .25", "case2": "Case 2: α₁ = .2, α₂ = .3"}


@goes_beyond(PAPER)
def thresholds_and_figures() -> Beyond:
    """Return the thresholds, figures 1 to 4, the sweep, and the program of every printed row.

    The programs have as many marketplaces as printed, free in their locations.
    """
    rows = {
        f"{case}-{cost:g}": economy(case, cost, marketplaces=len(printed_structure(case, cost).split()))
        for case, cost in printed_rows()
    }
    return Beyond(
        tables={"thresholds": thresholds()},
        figures={
            "figure-1": _draw_structure(0.1, (0.5,)),
            "figure-2": _draw_structure(0.05, (0.167, 0.833)),
            "figure-3": draw_frontier(),
            "figure-4": draw_empty_core(),
            "sweep": draw_sweep(),
        },
        programs=rows,
    )


def _draw_structure(setup_cost: float, locations: tuple[float, ...]) -> Figure:
    """Draw the equilibrium of case 1 with given marketplaces."""
    result = solution("case1", setup_cost, locations)
    assert isinstance(result.model, Marketplaces)
    return draw_marketplaces(result.model, result.tables)


def draw_sweep() -> Figure:
    """Draw locations, population, production and rent against q̄, one column a case.

    Where structures tie, the one with most people in b and c is drawn. Lines break where the
    number of marketplaces changes.
    """
    with style.drawing(9.2) as figure:
        panels = figure.subplots(1 + len(QUANTITIES), len(CASES), sharex=True, sharey="row")
        for column, case in enumerate(CASES):
            panels[0, column].set_title(_TITLES[case], fontsize=style.TEXT)
            _draw_locations(panels[0, column], case)
            for line, quantity in enumerate(QUANTITIES, start=1):
                _draw_quantity(panels[line, column], case, quantity)
            for axes in panels[:, column]:
                _mark_changes(axes, case)
            panels[-1, column].set_xlabel("set-up cost q̄ (composites)", fontsize=style.SMALL)
        for line, name in enumerate(("marketplaces", *QUANTITIES)):
            panels[line, 0].set_ylabel(f"{name}\n({_UNITS[name]})", fontsize=style.SMALL)
            if name in QUANTITIES:
                panels[line, 0].set_ylim(bottom=0)
        figure.align_ylabels(panels[:, 0])
        names = list(SITES)
        entries = [style.line(f"site {name}", **look) for name, look in zip(names, _LOOKS, strict=True)]
        entries.append(style.line("marketplace", color=style.INK, marker="o", markersize=4, linestyle=""))
        figure.legend(
            handles=entries, loc="outside lower center", ncols=5, columnspacing=1.0, handlelength=1.6
        )
    return figure


def _draw_locations(axes: Axes, case: str) -> None:
    locations = [
        (cost, location) for cost, at in zip(GRID, path(case), strict=True) for location in at.locations
    ]
    for position in SITES.values():
        axes.axhline(position, color=style.GUIDES, linewidth=0.8, zorder=0)
    axes.plot(*np.array(locations).T, color=style.INK, marker="o", markersize=2.6, linestyle="")
    axes.set_yticks(list(SITES.values()), list(SITES))
    axes.set_ylim(-0.07, 1.07)


def _draw_quantity(axes: Axes, case: str, quantity: str) -> None:
    values = np.array([getattr(at, quantity) for at in path(case)])
    number = np.array([len(at.locations) for at in path(case)])
    costs = np.array(GRID)
    ends = np.flatnonzero(np.diff(number)) + 1
    for site, look in enumerate(_LOOKS):
        axes.plot(
            np.insert(costs, ends, np.nan), np.insert(values[:, site], ends, np.nan), zorder=2 + site, **look
        )


def _mark_changes(axes: Axes, case: str) -> None:
    table = thresholds()
    for at in table.loc[table["case"] == case, "setup_cost"]:
        axes.axvline(at, color=style.GUIDES, linewidth=1.0, zorder=0)
    axes.set_xlim(0, max(GRID))
