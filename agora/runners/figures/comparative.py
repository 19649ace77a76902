"""Pictures of comparative statics: tornado of elasticities, phase diagram of a feature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from agora.runners.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RISES, FALLS = style.FIRMS, style.WAGES
MOST_BARS = 12
PHASES = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#F0E442", "#0072B2", "#D55E00", "#999999")


def draw_tornado(sensitivities: pd.DataFrame, quantities: Sequence[str] | None = None) -> Figure:
    """Draw which parameters move a few numbers most: bars of elasticities, the longest on top.

    `sensitivities` is the table of a `Sensitivity`, `quantities` are up to four of its ``totals``; the first
    that vary unless given, a panel each. A one-sided elasticity is hatched; where there is none, it is said.
    """
    totals = sensitivities[sensitivities["table"] == "totals"]
    if totals.empty:
        totals = sensitivities
    totals = totals.assign(label=(totals["quantity"] + " " + totals["place"]).str.strip())
    chosen = list(quantities or _moving(totals))[:4]
    rows = int(totals["parameter"].nunique())
    shown = min(rows, MOST_BARS)
    with style.drawing(0.6 + len(chosen) * (0.75 + 0.33 * shown)) as figure:
        panels = figure.subplots(len(chosen), 1, squeeze=False)[:, 0]
        for axes, quantity in zip(panels, chosen, strict=True):
            part = totals[totals["label"] == quantity]
            size = part.groupby("parameter")["elasticity"].apply(lambda e: float(e.abs().max()))
            order = size.fillna(-1.0).sort_values().index[-MOST_BARS:].tolist()
            widest = max(float(np.nanmax(part["elasticity"].abs().to_numpy(), initial=0.0)), 1e-12)
            for line, name in enumerate(order):
                for row in part[part["parameter"] == name].itertuples(index=False):
                    value = float(row.elasticity)
                    if not np.isfinite(value):
                        missing = f"no elasticity ({row.exists})"
                        axes.text(0.02 * widest, line, missing, va="center", fontsize=style.SMALL)
                        continue
                    sided = row.exists != "yes"
                    axes.barh(
                        line, value, height=0.62, color=RISES if value > 0 else FALLS,
                        hatch=style.HATCH if sided else None, edgecolor="white", linewidth=0.5,
                    )  # fmt: skip
                    written = f"{value:.3g}" + (f" ({row.exists})" if sided else "")
                    ha, aside = ("left", 4) if value >= 0 else ("right", -4)
                    style.note(axes, written, (value, line), (aside, 0), va="center", ha=ha)
            axes.axvline(0.0, color=style.INK, linewidth=0.8)
            axes.set_yticks(range(len(order)), order)
            axes.set_ylim(-0.6, len(order) - 0.4)
            sides = part["exists"][part["elasticity"].notna()]
            room = 1.35 if (sides == "yes").all() else 2.1  # for what stands beside the bars
            axes.set_xlim(-room * widest, room * widest)
            axes.set_title(quantity.replace("_", " "), loc="left", fontsize=style.TEXT)
        panels[-1].set_xlabel("elasticity (percent for one percent more)")
    return figure


def _moving(totals: pd.DataFrame) -> list[str]:
    """Return the quantities with an elasticity somewhere, as they come; any if there is none."""
    size = totals.groupby("label", sort=False)["elasticity"].apply(lambda e: float(e.abs().max()))
    moving = [str(name) for name, value in size.items() if value > 1e-9]
    return moving or [str(size.index[0])]


def draw_phases(
    cells: pd.DataFrame, parameters: tuple[str, str], where: str, units: tuple[str, str] = ("", "")
) -> Figure:
    """Draw the cells of a `PhaseDiagram`: each region in its colour, those that a boundary crosses in grey.

    The parameters (horizontal, vertical) stand on the axes with their units, `where` over the legend.
    """
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    names = sorted(set(cells.loc[~cells["boundary"], "feature"]), key=_order)
    colours = {name: PHASES[k % len(PHASES)] for k, name in enumerate(names)}
    first, second = parameters
    with style.drawing(4.9) as figure:
        axes = figure.subplots()
        boxes, fills = [], []
        for row in cells.to_dict(orient="records"):
            low = (float(row[f"{first}_low"]), float(row[f"{second}_low"]))
            size = (float(row[f"{first}_high"]) - low[0], float(row[f"{second}_high"]) - low[1])
            boxes.append(Rectangle(low, *size))
            fills.append(style.INK if row["boundary"] else colours[row["feature"]])
        axes.add_collection(PatchCollection(boxes, facecolors=fills, edgecolors=fills, linewidths=0.2))
        axes.set_xlim(cells[f"{first}_low"].min(), cells[f"{first}_high"].max())
        axes.set_ylim(cells[f"{second}_low"].min(), cells[f"{second}_high"].max())
        for setter, name, unit in ((axes.set_xlabel, first, units[0]), (axes.set_ylabel, second, units[1])):
            setter(name.replace("_", " ") + (f" ({unit})" if unit else ""))
        entries = [style.patch(colours[name], name) for name in names]
        entries.append(style.patch(style.INK, "boundary within"))
        style.add_legend(axes, entries, title=where, above=True)
    return figure


def _order(name: str) -> tuple[int, float, str]:
    try:
        return (0, float(name), name)
    except ValueError:
        return (1, 0.0, name)
