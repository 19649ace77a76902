"""Datasets of scenarios solved: thousands of rows, any engine, nothing ever lost.

The rows are checked, keyed and put into blocks of neighbours (`plan`); pieces of blocks go to the
engine's workers (`work`), whose lines the parent appends to its journal (`journal`); at the end, and
whenever a run stops early, the tables are made from all journals of the folder (`tables`).
"""

from agora.runners.sweeps.run import Progress, Summary, sweep

__all__ = ["Progress", "Summary", "sweep"]
