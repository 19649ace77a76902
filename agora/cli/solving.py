"""Commands about one scenario, and the machine: ``solve``, ``export``, ``scenarios``, ``doctor``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from agora.cli.application import (
    Json,
    ScenarioName,
    app,
    print_certificate,
    print_table,
    progress,
    say,
    say_json,
    tell,
)


@app.command()
def scenarios(as_json: Json = False) -> None:
    """List what is shipped: scenarios for `agora solve NAME`, datasets for `agora sweep NAME`."""
    from agora.data.datasets import shipped_overview

    shipped = shipped_overview()
    if as_json:
        say_json(shipped)
        return
    for kind, title in (("scenario", []), ("dataset", ["\ndatasets, for agora sweep"])):
        lines = [f"{name:24s} {entry['title']}" for name, entry in shipped.items() if entry["kind"] == kind]
        say("\n".join([*title, *lines]))


@app.command()
def solve(
    scenario: ScenarioName,
    out: Annotated[Path | None, typer.Option("--out", help="Run folder; runs/NAME unless given.")] = None,
    as_json: Json = False,
) -> None:
    """Solve a scenario: tables, certificate, and a run folder with everything in it."""
    from agora.data.scenarios import read_scenario
    from agora.runners.certifying import NotCertified
    from agora.runners.records import run_folder as records
    from agora.runners.solving import solve_scenario
    from agora.solvers import SolveFailed

    read = read_scenario(scenario)
    folder = out or Path("runs") / read.name
    records.check_folder(folder)
    try:
        with progress(quiet=as_json) as report:
            solution = solve_scenario(read, progress=report)
    except NotCertified as failure:
        print_certificate(failure.solution, as_json)
        if not as_json:
            say(f"{failure.solution.status} (not certified); nothing is written")
        tell(failure)
        sys.exit(3)
    except SolveFailed as failure:
        if as_json:
            say_json({"model": read.model, "status": "not solved", "solver": failure.record.record()})
        tell(failure)
        sys.exit(3)
    records.write_run(solution, folder)
    if as_json:
        say_json(solution.record())
        return
    for name, table in solution.tables.items():
        print_table(table, name)
    print_certificate(solution, False)
    times = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in solution.seconds.items())
    claim = "global, proved" if solution.is_global else "no claim of global optimality"
    say(f"{solution.status} ({claim}); objective {solution.objective:.9g}; {times}")
    say(f"written to {folder}")


@app.command()
def export(
    scenario: ScenarioName,
    fmt: Annotated[str, typer.Option("--format", help="gms, nl, lp or mps.")],
    out: Annotated[Path | None, typer.Option("--out", help="File; NAME.FORMAT unless given.")] = None,
    as_json: Json = False,
) -> None:
    """Write a scenario's program for GAMS (gms), AMPL solvers (nl), or as lp or mps."""
    from agora.data.scenarios import read_scenario
    from agora.runners.records.export import export_program
    from agora.runners.solving import model_from

    read = read_scenario(scenario)
    file = export_program(model_from(read), fmt, out or Path(f"{read.name}.{fmt}"))
    if as_json:
        say_json({"model": read.model, "format": fmt, "files": [str(file)]})
    else:
        say(str(file))


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say which solver is used for each class of program, and test each in about a second."""
    from agora.solvers.doctor import advice, diagnose

    findings = diagnose()
    if as_json:
        say_json({"programs": [f.record() for f in findings], "advice": advice()})
    else:
        import pandas as pd

        frame = pd.DataFrame([f.record() for f in findings]).drop(columns="detail")
        print_table(frame, "Solvers", digits=3)
        for finding in findings:
            if not finding.passed:
                say(f"{finding.program}: {finding.detail}")
        say(advice())
    if not all(finding.passed for finding in findings):
        sys.exit(3)
