"""The command line: ``agora doctor | solve | export | reproduce | scenarios``.

Exit codes: 0 solved and certified; 2 bad input, one sentence on stderr; 3 not solved, or solved and
not certified. Heavy imports happen inside the commands, so that ``agora --help`` is quick.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
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


def main() -> None:
    """Run the command line; turn bad input into one sentence and an exit code."""
    from agora.data.checks import InputError

    try:
        app()
    except InputError as error:
        print(f"agora: {error}", file=sys.stderr)
        sys.exit(2)
    except SystemExit as stop:
        if stop.code == 130:
            print("agora: interrupted; nothing was written.", file=sys.stderr)
        raise


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say which solver is used for each class of program, and test each in about a second."""
    from agora.runners import records
    from agora.runners.doctor import advice, diagnose

    findings = diagnose()
    if as_json:
        print(records.as_json({"programs": [f.record() for f in findings], "advice": advice()}))
    else:
        import pandas as pd

        frame = pd.DataFrame([f.record() for f in findings]).drop(columns="detail")
        _print_table(frame, "Solvers", digits=3)
        for finding in findings:
            if not finding.passed:
                print(f"{finding.program}: {finding.detail}")
        print(advice())
    if not all(finding.passed for finding in findings):
        sys.exit(3)


@app.command()
def scenarios() -> None:
    """List the shipped scenarios; `agora solve NAME` takes a shipped name."""
    from agora.data.scenarios import shipped_scenarios

    for name, path in shipped_scenarios().items():
        first = path.read_text(encoding="utf-8").splitlines()[0]
        print(f"{name:24s} {first.lstrip('# ') if first.startswith('#') else ''}")


@app.command()
def solve(
    scenario: ScenarioName,
    out: Annotated[Path | None, typer.Option("--out", help="Run folder; runs/NAME unless given.")] = None,
    as_json: Json = False,
) -> None:
    """Solve a scenario: tables, certificate, and a run folder with everything in it."""
    from agora.data.scenarios import read_scenario
    from agora.runners import records
    from agora.runners.certify import NotCertified
    from agora.runners.solve import solve_scenario
    from agora.runners.solvers import SolveFailed

    read = read_scenario(scenario)
    folder = out or Path("runs") / read.name
    records.check_folder(folder)
    try:
        with _progress(quiet=as_json) as report:
            solution = solve_scenario(read, progress=report)
    except NotCertified as failure:
        _print_certificate(failure.solution, as_json)
        print(f"agora: {failure}", file=sys.stderr)
        sys.exit(3)
    except SolveFailed as failure:
        if as_json:
            print(
                records.as_json(
                    {"model": read.model, "status": "not solved", "solver": failure.record.record()}
                )
            )
        print(f"agora: {failure}", file=sys.stderr)
        sys.exit(3)
    records.write_run(solution, folder)
    if as_json:
        print(records.as_json(solution.record()))
        return
    for name, table in solution.tables.items():
        _print_table(table, name)
    _print_certificate(solution, False)
    times = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in solution.seconds.items())
    claim = "global, proved" if solution.is_global else "no claim of global optimality"
    print(f"{solution.status} ({claim}); objective {solution.objective:.9g}; {times}")
    print(f"written to {folder}")


@app.command()
def export(
    scenario: ScenarioName,
    fmt: Annotated[str, typer.Option("--format", help="gms, nl, lp or mps.")],
    out: Annotated[Path | None, typer.Option("--out", help="File; NAME.FORMAT unless given.")] = None,
) -> None:
    """Write a scenario's program for GAMS (gms), AMPL solvers (nl), or as lp or mps."""
    from agora.data.scenarios import read_scenario
    from agora.runners.export import export_program
    from agora.runners.solve import model_from

    read = read_scenario(scenario)
    print(export_program(model_from(read), fmt, out or Path(f"{read.name}.{fmt}")))


@app.command()
def reproduce(
    paper: Annotated[
        str, typer.Argument(help="A paper whose claims are listed, such as osawa-akamatsu; or all.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder; runs/reproduce-PAPER unless given.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out the claims that take longest.")] = False,
) -> None:
    """Compute every claim of a paper anew, and say which hold."""
    from agora.runners.reproduce import count_verdicts
    from agora.runners.reproduce import reproduce as run

    folder = out or Path("runs") / f"reproduce-{paper}"
    with _progress(quiet=False) as report:
        table = run(paper, folder, quick=quick, progress=report)
    others = table[table["verdict"] != "reproduced"]
    columns = ["item", "quantity", "printed", "computed", "verdict"]
    _print_table(others[columns], f"{paper}: what is not as printed", rows=len(others))
    counts = count_verdicts(table)
    print(", ".join(f"{number} {verdict}" for verdict, number in counts.items()))
    print(f"written to {folder}; read {folder / 'index.html'}")
    for row in table[table["verdict"] == "failed"].itertuples(index=False):
        print(f"agora: {row.item} failed: {row.note}", file=sys.stderr)
    if "failed" in counts:
        sys.exit(3)


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[str], None]]:
    """Show what is going on, on a terminal only, on stderr."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:
        yield lambda text: status.update(text)


def _print_certificate(solution: Solution, as_json: bool) -> None:
    if as_json:
        from agora.runners import records

        print(records.as_json(solution.record()))
        return
    certificate = solution.certificate
    table = certificate.table()
    columns = ["name", "worst", "where"] + ([] if certificate.passed else ["tolerance", "passed"])
    verdict = "passed" if certificate.passed else "FAILED"
    title = f"certificate: {verdict}, {len(table)} conditions, tolerance {table['tolerance'].max():g}"
    _print_table(table[columns], title, rows=len(table), digits=2)
    for name, fact in certificate.facts.items():
        print(f"{name.replace('_', ' ')}: {fact}")


def _print_table(frame: pd.DataFrame, title: str, rows: int = 24, digits: int = 6) -> None:
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


if __name__ == "__main__":
    main()
