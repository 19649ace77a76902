"""The application that commands are added to, and how all of them print."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pandas as pd

    from agora.models import Solution

app = typer.Typer(
    name="agora",
    help="Economic equilibria on space and networks, solved and certified.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
ScenarioName = Annotated[
    str, typer.Argument(help="A scenario file (.toml) or the name of a shipped scenario.")
]


class Interrupted(SystemExit):
    """Ctrl-C, after the command has said itself what is left behind."""

    def __init__(self) -> None:
        super().__init__(130)


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[str], None]]:
    """Show what is going on, on a terminal only, on stderr."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:
        yield lambda text: status.update(text)


def print_certificate(solution: Solution, as_json: bool) -> None:
    """Print a certificate as a table, or the whole solution as one JSON object."""
    if as_json:
        from agora.runners.records import run_folder as records

        print(records.as_json(solution.record()))
        return
    certificate = solution.certificate
    table = certificate.table()
    columns = ["name", "worst", "where"] + ([] if certificate.passed else ["tolerance", "passed"])
    verdict = "passed" if certificate.passed else "FAILED"
    title = f"certificate: {verdict}, {len(table)} conditions, tolerance {table['tolerance'].max():g}"
    print_table(table[columns], title, rows=len(table), digits=2)
    for name, fact in certificate.facts.items():
        print(f"{name.replace('_', ' ')}: {fact}")


def print_table(frame: pd.DataFrame, title: str, rows: int = 24, digits: int = 6) -> None:
    """Print the first rows of a table."""
    from pandas.api.types import is_numeric_dtype
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for column in frame.columns:
        table.add_column(str(column), justify="right" if is_numeric_dtype(frame[column]) else "left")
    for row in frame.head(rows).itertuples(index=False):
        table.add_row(*(f"{v:.{digits}g}" if isinstance(v, float) else str(v) for v in row))
    console = Console()
    console.print(table)
    if len(frame) > rows:
        console.print(f"… {len(frame) - rows} more rows in the run folder")
