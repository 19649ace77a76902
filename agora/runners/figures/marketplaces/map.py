"""Map of a marketplace economy in the plane or on a network: population, trade and land rent.

Sites are discs with their population as area, in the colour of what they make on the upper map and of their
rent on the lower one; marketplaces are diamonds, and a thin line joins each site to the one it uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from agora.data.geographies import cell_network, positions
from agora.models.marketplaces.marketplaces import Marketplaces
from agora.runners.figures import style
from agora.runners.figures.marketplaces.words import add_heading, colour_of, key_of_goods, key_of_marketplaces
from agora.typing import Tables, Vector

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


LARGEST, SMALLEST = 22.0, 3.0
"""Diameter of the largest and the smallest disc, in points."""
DIAMOND = 10.0


def draw_marketplace_map(model: Marketplaces, tables: Tables) -> Figure:
    """Draw a marketplace economy of the plane or of a network as two maps.

    Parameters
    ----------
    model : Marketplaces
        Its sites or geography.
    tables : mapping of DataFrame
        Its ``sites``, ``marketplaces`` and ``totals``.
    """
    sites, markets = tables["sites"], tables["marketplaces"]
    homes, locations = _points(model, sites, markets)
    number = {name: k for k, name in enumerate(markets["location"])}
    used = locations[[number[name] for name in sites["marketplace"]]]
    people = np.maximum(sites["population"].to_numpy(dtype=float), 0.0)
    diameter = np.maximum(LARGEST * np.sqrt(people / people.max()), SMALLEST)
    every = np.concatenate([homes, locations])
    low, high = every.min(axis=0), every.max(axis=0)
    margin = 0.07 * float((high - low).max())
    wide, tall = high - low + 2 * margin
    height = float(np.clip((style.WIDTH - 1.4) * tall / wide, 2.0, 5.0))
    with style.drawing(2 * height + 1.2) as figure:
        upper, lower = figure.subplots(2, 1)
        makes = sites["makes"].tolist()
        _draw_ground(upper, model, homes)
        _draw_sites(upper, homes, used, diameter, [colour_of(good) for good in makes], None)
        _draw_ground(lower, model, homes)
        rents = sites["rent"].to_numpy(dtype=float)
        shown = _draw_sites(lower, homes, used, diameter, rents, style.light_to_dark())
        figure.colorbar(shown, ax=lower, shrink=0.8, label="rent of land (share of the unit simplex)")
        for axes in (upper, lower):
            axes.scatter(
                *locations.T, s=DIAMOND**2, marker="D", c=style.INK, edgecolors="white", linewidths=0.8,
                zorder=5, label="marketplaces",
            )  # fmt: skip
            axes.set(
                xlim=(low[0] - margin, high[0] + margin), ylim=(low[1] - margin, high[1] + margin),
                aspect="equal",
            )  # fmt: skip
            axes.set_axis_off()
        uses = style.line("uses", color=style.FLOWS, linewidth=1.2, linestyle=(0, (2, 1.5)))
        style.add_legend(upper, [*key_of_goods(makes), key_of_marketplaces(), uses])
        add_heading(figure, model, tables, "; area of a disc: population")
    return figure


def _points(model: Marketplaces, sites: pd.DataFrame, markets: pd.DataFrame) -> tuple[Vector, Vector]:
    """Return where sites and marketplaces are on paper."""
    if model.geography is None:
        return sites[["x", "y"]].to_numpy(dtype=float), markets[["x", "y"]].to_numpy(dtype=float)
    homes = positions(model.geography)
    row = {cell: k for k, cell in enumerate(cell_network(model.geography).cells)}
    locations = []
    for near, far, way in zip(markets["cell"], markets["towards"], markets["distance"], strict=True):
        share = way / model.geography.edges[near, far]["length"]
        locations.append((1 - share) * homes[row[near]] + share * homes[row[far]])
    return homes, np.array(locations)


def _draw_ground(axes: Axes, model: Marketplaces, homes: Vector) -> None:
    """Draw the network's edges, if there is a network."""
    from matplotlib.collections import LineCollection

    if model.geography is not None:
        cells = cell_network(model.geography)
        lines = np.stack([homes[cells.tails], homes[cells.heads]], axis=1)
        axes.add_collection(LineCollection(list(lines), colors=style.LINKS, linewidths=1.2, zorder=1))


def _draw_sites(axes: Axes, homes: Vector, used: Vector, diameter: Vector, colours: Any, scale: Any) -> Any:
    """Draw a disc for every site, the larger ones below, and its line to the marketplace it uses."""
    from matplotlib.collections import LineCollection

    lines = np.stack([homes, used], axis=1)
    axes.add_collection(
        LineCollection(list(lines), colors=style.FLOWS, linewidths=0.9, linestyles=[(0, (2, 1.5))], zorder=2)
    )
    order = np.argsort(-diameter, kind="stable")
    return axes.scatter(
        homes[order, 0], homes[order, 1], s=diameter[order] ** 2, c=[colours[k] for k in order], cmap=scale,
        edgecolors=style.INK, linewidths=0.5, zorder=3, label="sites",
    )  # fmt: skip
