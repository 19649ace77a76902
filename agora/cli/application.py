"""The application that commands are added to, and how all of them print."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Annotated, Any, TextIO, TypeVar

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    import pandas as pd

    from agora.models import Solution

Function = TypeVar("Function", bound=Callable[..., Any])

_answer: ContextVar[TextIO | None] = ContextVar("answer", default=None)
"""Where the answer of the command that runs goes."""


class Command(TyperCommand):
    """A command to whose standard output nothing goes but what it says itself.

    What a library prints while it runs goes to stderr: logs, warnings, greetings.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        found = sys.stdout
        token = _answer.set(found)
        sys.stdout = sys.stderr
        try:
            return super().invoke(ctx)
        finally:
            sys.stdout = found
            _answer.reset(token)


class Application(typer.Typer):
    """A Typer application whose commands are of the class `Command`."""

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Function], Function]:
        """Return a decorator that adds a command."""
        return super().command(name, **{"cls": Command, **settings})


app = Application(
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


def say(text: str) -> None:
    """Print a line of the answer."""
    print(text, file=_answer.get() or sys.stdout)


def say_json(value: Any) -> None:
    """Print the whole answer as one JSON object."""
    from agora.runners.records.run_folder import as_json

    say(as_json(value))


def tell(text: object) -> None:
    """Print a line for the user, beside the answer."""
    print(f"agora: {text}", file=sys.stderr)


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
        say_json(solution.record())
        return
    certificate = solution.certificate
    table = certificate.table()
    columns = ["name", "worst", "where"] + ([] if certificate.passed else ["tolerance", "passed"])
    verdict = "passed" if certificate.passed else "FAILED"
    title = f"certificate: {verdict}, {len(table)} conditions, tolerance {table['tolerance'].max():g}"
    print_table(table[columns], title, rows=len(table), digits=2)
    for name, fact in certificate.facts.items():
        say(f"{name.replace('_', ' ')}: {fact}")


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
    console = Console(file=_answer.get())
    console.print(table)
    if len(frame) > rows:
        console.print(f"… {len(frame) - rows} more rows in the run folder")
