"""Beyond what is printed: the q̄ at which structures change, and everything against q̄ in a figure."""

from __future__ import annotations

from agora.runners.reproductions import Beyond, goes_beyond
from agora.runners.reproductions.berliant_konishi.figures import draw_sweep
from agora.runners.reproductions.berliant_konishi.printed_cells import PAPER
from agora.runners.reproductions.berliant_konishi.sweep import thresholds


@goes_beyond(PAPER)
def thresholds_and_sweep() -> Beyond:
    """Return the table of thresholds and the figure of the sweep."""
    return Beyond(tables={"thresholds": thresholds()}, figures={"sweep": draw_sweep()})
