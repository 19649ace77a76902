"""Draw time and memory of the routes from ``commuting.csv``."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

LINES = {
    "pairs": ("pairs $n_{ij}$ (Pyomo, HiGHS)", "#b2182b", "s"),
    "edges": ("edges (Pyomo, HiGHS)", "#2166ac", "o"),
    "dual": ("dual on edges (Pyomo, HiGHS)", "#67a9cf", "^"),
    "emd": ("network simplex, dense (POT)", "#e08214", "D"),
    "ot-circle": ("circle formula (POT)", "#fdb863", "v"),
    "formula": ("circle formula (Agora)", "#4d4d4d", "P"),
}
NOISE = 1.0
"""MB below which a difference of two processes' memory means nothing."""


def draw(file: Path, folder: Path) -> None:
    """Write ``commuting.svg`` and ``commuting.png`` into `folder`."""
    rows = pd.read_csv(file)
    rows = rows[rows["total_s"].notna() & rows["route"].isin(LINES)]
    rows = rows.assign(memory_mb=rows["memory_mb"].clip(lower=NOISE))
    figure = Figure(figsize=(10.5, 4.6), layout="constrained")
    time, memory = figure.subplots(1, 2)
    _panel(time, rows, "total_s", "time to build and solve (seconds)")
    _panel(memory, rows, "memory_mb", "peak memory beyond imports (MB)")
    time.set_title("filled: circles; hollow: square grid", fontsize=9, color="0.35", loc="left")
    figure.legend(*time.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    with mpl.rc_context({"svg.hashsalt": "agora", "svg.fonttype": "none"}):
        figure.savefig(folder / "commuting.svg", metadata={"Date": None})
    figure.savefig(folder / "commuting.png", dpi=150)


def _panel(axes: Axes, rows: pd.DataFrame, column: str, label: str) -> None:
    for route, (name, colour, marker) in LINES.items():
        circles = rows[(rows["route"] == route) & (rows["geography"] == "circle")].sort_values("cells")
        grid = rows[(rows["route"] == route) & (rows["geography"] == "grid")]
        axes.plot(circles["cells"], circles[column], color=colour, marker=marker, ms=5, lw=1.6, label=name)
        axes.plot(grid["cells"], grid[column], color=colour, marker=marker, ms=7, ls="none", mfc="white")
    axes.set(xscale="log", yscale="log", xlabel="number of cells", ylabel=label)
    axes.grid(color="0.9", lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
