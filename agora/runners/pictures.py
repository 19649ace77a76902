"""Which pictures belong to which model, and how figures are written to disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, singledispatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from agora.models.commuting import CommutingMarket
from agora.models.fujita_ogawa import FujitaOgawa
from agora.models.marketplaces import Marketplaces
from agora.runners import style
from agora.runners.figures import RENT, draw_city, draw_geography
from agora.runners.marketplace_figures import draw_marketplaces

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Tables = Mapping[str, pd.DataFrame]


@singledispatch
def pictures(model: Any, tables: Tables) -> dict[str, Callable[[], Figure]]:
    """Return a model's pictures: file name → function that draws it. None by default."""
    return {}


@pictures.register(FujitaOgawa)
def _(model: FujitaOgawa, tables: Tables) -> dict[str, Callable[[], Figure]]:
    return {"city": partial(draw_city, model, tables)}


@pictures.register(CommutingMarket)
def _(model: CommutingMarket, tables: Tables) -> dict[str, Callable[[], Figure]]:
    return {"rents": partial(draw_rents, model, tables)}


@pictures.register(Marketplaces)
def _(model: Marketplaces, tables: Tables) -> dict[str, Callable[[], Figure]]:
    return {"marketplaces": partial(draw_marketplaces, model, tables)}


def draw_rents(model: CommutingMarket, tables: Tables) -> Figure:
    """Draw the land rents of a commuting market on its geography."""
    cells, title = tables["cells"], f"Commuting to given jobs: land rents at t = {model.commuting_cost:g}"
    return draw_geography(model.geography, cells["rent"], label=RENT, title=title, cells=list(cells["cell"]))


def save(figure: Figure, folder: str | Path, name: str) -> tuple[Path, Path]:
    """Write a figure as ``name.svg`` and ``name.png``, the SVG in the same bytes every time.

    Parameters
    ----------
    figure : Figure
        Any figure; those of this module come out the same however often they are saved.
    folder : path
        Made if it does not exist.
    name : str
        The files' name without suffix.

    Returns
    -------
    tuple of Path
        The SVG and the PNG (150 dots per inch).
    """
    vector, raster = (Path(folder) / f"{name}.{suffix}" for suffix in ("svg", "png"))
    vector.parent.mkdir(parents=True, exist_ok=True)
    with style.settings():
        figure.savefig(vector, format="svg", dpi=150, metadata={"Date": None})
        figure.savefig(raster, format="png", dpi=150)
    return vector, raster
