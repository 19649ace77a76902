"""Beyond the claims: where structures change, everything against q̄, figures 3 and 4, all rows for GAMS."""

from __future__ import annotations

from agora.runners.figures.example_one import draw_empty_core, draw_frontier
from agora.runners.reproductions import Beyond, goes_beyond
from agora.runners.reproductions.berliant_konishi.economies import economy
from agora.runners.reproductions.berliant_konishi.figures import draw_sweep
from agora.runners.reproductions.berliant_konishi.printed_cells import (
    PAPER,
    printed_rows,
    printed_structure,
)
from agora.runners.reproductions.berliant_konishi.sweep import thresholds


@goes_beyond(PAPER)
def thresholds_and_figures() -> Beyond:
    """Return the thresholds, the sweep, figures 3 and 4, and the program of every printed row.

    The programs have as many marketplaces as printed, free in their places.
    """
    rows = {
        f"{case}-{cost:g}": economy(case, cost, marketplaces=len(printed_structure(case, cost).split()))
        for case, cost in printed_rows()
    }
    return Beyond(
        tables={"thresholds": thresholds()},
        figures={"sweep": draw_sweep(), "figure-3": draw_frontier(), "figure-4": draw_empty_core()},
        programs=rows,
    )
