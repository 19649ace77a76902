"""The command ``plot``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agora.cli.application import Json, app, say, say_json


@app.command()
def plot(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a sweep.")],
    x: Annotated[str, typer.Option("--x", help="Column on the horizontal axis, or location.")],
    y: Annotated[list[str], typer.Option("--y", help="Column on the vertical axis; may be repeated.")],
    z: Annotated[str | None, typer.Option("--z", help="Column shown by colour over x and y.")] = None,
    color: Annotated[str | None, typer.Option("--color", help="Column that tells lines apart.")] = None,
    panels: Annotated[
        str | None, typer.Option("--panels", help="Column with a panel for each value.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File (.png and .svg are written); DIR/_figures/… unless given."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Draw a sweep: lines, points, heat maps and phase diagrams, from its folder alone."""
    from agora.runners.figures.pictures import save
    from agora.runners.figures.sweeps import draw

    figure = draw(folder, x, y, z=z, color=color, panels=panels)
    parts = [*y, *([z] if z else []), x, *([panels] if panels else [])]
    name = "-".join(part.replace(".", "_") for part in parts)
    target = out or folder / "_figures" / name
    if target.suffix in (".png", ".svg"):
        target = target.with_suffix("")
    _, raster = save(figure, target.parent, target.name)
    files = [str(raster), str(raster.with_suffix(".svg"))]
    if as_json:
        say_json({"files": files})
    else:
        say("\n".join(files))
