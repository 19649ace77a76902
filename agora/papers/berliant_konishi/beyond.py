"""Beyond the claims: where structures change, figures 1 to 4, everything against q̄, all rows for GAMS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agora.models.marketplaces.marketplaces import Marketplaces
from agora.papers.berliant_konishi.economies import economy, solution
from agora.papers.berliant_konishi.figures import draw_sweep
from agora.papers.berliant_konishi.printed_cells import PAPER, printed_rows, printed_structure
from agora.papers.berliant_konishi.sweep import thresholds
from agora.papers.computations import Beyond, goes_beyond
from agora.runners.figures.marketplaces.economy import draw_marketplaces
from agora.runners.figures.marketplaces.example_one import draw_empty_core, draw_frontier

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@goes_beyond(PAPER)
def thresholds_and_figures() -> Beyond:
    """Return the thresholds, figures 1 to 4, the sweep, and the program of every printed row.

    The programs have as many marketplaces as printed, free in their places.
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
