"""Beyond the claims: the q̄ at which structures change, everything against q̄, and figures 3 and 4."""

from __future__ import annotations

from agora.runners.figures.example_one import draw_empty_core, draw_frontier
from agora.runners.reproductions import Beyond, goes_beyond
from agora.runners.reproductions.berliant_konishi.figures import draw_sweep
from agora.runners.reproductions.berliant_konishi.printed_cells import PAPER
from agora.runners.reproductions.berliant_konishi.sweep import thresholds


@goes_beyond(PAPER)
def thresholds_and_figures() -> Beyond:
    """Return the table of thresholds, the figure of the sweep, and Example 1's figures 3 and 4."""
    return Beyond(
        tables={"thresholds": thresholds()},
        figures={"sweep": draw_sweep(), "figure-3": draw_frontier(), "figure-4": draw_empty_core()},
    )
