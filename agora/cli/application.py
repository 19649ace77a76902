"""The application that commands are added to, and how all of them print."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import accumulate, takewhile
from typing import TYPE_CHECKING, Annotated, Any, Literal, TextIO, TypeVar

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


TEXT = 24
"""Characters of a column of text beyond which its words may stand below each other."""


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
    """Print the first rows of a table; where a line is too short, columns go below, and no number is cut."""
    from pandas.api.types import is_float_dtype, is_numeric_dtype
    from rich.console import Console
    from rich.table import Table

    console, frame = Console(file=_answer.get()), frame.rename(columns=str)
    cells = {
        str(name): [f"{v:.{digits}g}" if isinstance(v, float) else str(v) for v in column.head(rows)]
        for name, column in frame.items()
    }
    numeric = {name: is_numeric_dtype(frame[name]) for name in cells}
    longest = {name: max(map(len, [name, *column])) for name, column in cells.items()}
    widths = {name: size if numeric[name] else min(size, TEXT) for name, size in longest.items()}
    first, *rest = widths
    leading = [first, *takewhile(lambda name: not is_float_dtype(frame[name]), rest)]
    for number, names in enumerate(_side_by_side(widths, leading, console.width)):
        table = Table(title=title if number == 0 else None, title_justify="left")
        for name in names:
            side: Literal["left", "right"] = "right" if numeric[name] else "left"
            table.add_column(name, justify=side, no_wrap=numeric[name], overflow="fold")
        for row in zip(*(cells[name] for name in names), strict=True):
            table.add_row(*row)
        console.print(table)
    if len(frame) > rows:
        console.print(f"… {len(frame) - rows} more rows in the run folder")


def _side_by_side(widths: dict[str, int], leading: list[str], room: int) -> Iterator[list[str]]:
    """Give the columns that stand side by side in so many characters; what names a row comes each time."""
    taken = list(accumulate((widths[name] + 3 for name in leading), initial=1))
    while len(leading) > 1 and taken[len(leading)] > 2 * room / 3:
        leading = leading[:-1]
    names, used = list(leading), taken[len(leading)]
    for name in list(widths)[len(leading) :]:
        if used + widths[name] + 3 > room and len(names) > len(leading):
            yield names
            names, used = list(leading), taken[len(leading)]
        names.append(name)
        used += widths[name] + 3
    yield names
