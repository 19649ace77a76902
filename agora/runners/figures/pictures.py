"""Which pictures belong to which model, and how figures are written to disk."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, singledispatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agora.methods.families import nearest_listed
from agora.runners.figures import style
from agora.typing import Tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@singledispatch
def pictures(model: Any, tables: Tables) -> dict[str, Callable[[], Figure]]:
    """Return a model's pictures, as the table of its family says: file name → function that draws it.

    A user's model registers a function of its own, or has none.
    """
    draw = nearest_listed(type(model), "runners.figures", "PICTURES") or {}
    if isinstance(draw, dict):
        return {name: partial(each, model, tables) for name, each in draw.items()}
    named: dict[str, Callable[[], Figure]] = draw(model, tables)
    return named


def save(figure: Figure, folder: str | Path, name: str) -> tuple[Path, Path]:
    """Write a figure as ``name.svg``, in the same bytes every time, and ``name.png`` (150 dots per inch).

    The folder is made if it does not exist. Returns both files.
    """
    vector, raster = (Path(folder) / f"{name}.{suffix}" for suffix in ("svg", "png"))
    vector.parent.mkdir(parents=True, exist_ok=True)
    with style.settings():
        figure.savefig(vector, format="svg", dpi=150, metadata={"Date": None})
        figure.savefig(raster, format="png", dpi=150)
    return vector, raster
