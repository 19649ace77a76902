"""Figures: a city on its circle, any geography on its map."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, singledispatch
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from agora.models.fujita_ogawa import FujitaOgawa


@singledispatch
def pictures(model: Any, tables: Mapping[str, pd.DataFrame]) -> dict[str, Callable[[], Figure]]:
    """Return a model's pictures: file name → function that draws it. None by default."""
    return {}


@pictures.register
def _(model: FujitaOgawa, tables: Mapping[str, pd.DataFrame]) -> dict[str, Callable[[], Figure]]:
    return {"city": partial(draw_city, model, tables)}


def draw_city(model: FujitaOgawa, tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw a city (placeholder until the drawing lands)."""
    return Figure()
