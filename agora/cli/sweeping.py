"""The commands ``sweep`` and ``plot``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agora.cli.application import Interrupted, Json, app, say, say_json, tell

if TYPE_CHECKING:
    from agora.runners.sweeps import Progress


@app.command()
def sweep(
    dataset: Annotated[
        str,
        typer.Argument(help="A dataset (.csv, .parquet, .xlsx, .toml) or the name of a shipped one."),
    ],
    out: Annotated[Path | None, typer.Option("--out", help="Folder; runs/NAME unless given.")] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Processes; one a core unless given; 0: this process.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="Address of a Dask scheduler, tcp://HOST:PORT.")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Solve rows again that failed or were not certified.")
    ] = False,
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Leave out rows that are not valid.")
    ] = False,
    cold: Annotated[bool, typer.Option("--cold", help="Build and solve every row from nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Solve every scenario of a dataset; what is on disk already is not solved again."""
    from agora.runners.sweeps import sweep as run
    from agora.runners.sweeps.journal import NotWritten

    folder = out or Path("runs") / Path(dataset).stem
    try:
        with _bar(quiet=as_json) as report:
            summary = run(
                dataset, folder, workers=workers, scheduler=scheduler, retry_failed=retry_failed,
                skip_invalid=skip_invalid, warm=not cold, progress=report,
            )  # fmt: skip
    except KeyboardInterrupt:
        tell(f"interrupted; finished rows are safe in {folder}, and the same command goes on.")
        raise Interrupted from None
    except NotWritten as error:
        tell(
            f"{folder} cannot be written ({error.strerror}); finished rows are safe, and the same command "
            "goes on."
        )
        sys.exit(3)
    if as_json:
        say_json(summary.record())
    else:
        say(summary.sentence())
        say(f"written to {folder}; read it with pandas.read_parquet({str(folder)!r})")
    for reason, number in summary.reasons()[:5]:
        tell(f"{number} × {reason}")
    if summary.solved + summary.invalid < summary.rows:
        sys.exit(3)


@contextmanager
def _bar(quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Show rows done, rate, failures and time left, on a terminal only, on stderr."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich import progress as rich
    from rich.console import Console

    columns = (
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TextColumn(
            "{task.fields[rate]:.3g} a second, {task.fields[failed]} failed, {task.fields[left]} left"
        ),
    )
    with rich.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None, rate=0.0, failed=0, left="")

        def report(at: Progress) -> None:
            bar.update(
                task, total=at.rows, completed=at.done, rate=at.rate, failed=at.failed, left=_clock(at.left)
            )

        yield report


def _clock(seconds: float) -> str:
    if seconds != seconds:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


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
