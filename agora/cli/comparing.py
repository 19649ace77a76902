"""Commands that compare answers: ``sensitivity``, ``threshold``, ``convergence``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agora.cli.application import (
    Json,
    ScenarioName,
    app,
    print_table,
    progress,
    say,
    say_json,
    tell,
)

if TYPE_CHECKING:
    from agora.data.scenarios import Scenario


Out = Annotated[Path | None, typer.Option("--out", help="Folder to write; runs/… unless given.")]
Interval = tuple[float, float] | None
_USUAL = "half to twice its value unless given."
First = Annotated[Interval, typer.Option("--between", help=f"Interval of the first parameter; {_USUAL}")]
Second = Annotated[Interval, typer.Option("--and", help=f"Interval of the second parameter; {_USUAL}")]


@app.command()
def sensitivity(
    scenario: ScenarioName,
    wrt: Annotated[
        str, typer.Option("--wrt", help="Parameters, joined by commas: setup_cost,sites.1,commodity_shares.0")
    ],
    elasticities: Annotated[
        bool, typer.Option("--elasticities", help="Show elasticities instead of derivatives.")
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Ranges to first order, not verified by solves.")
    ] = False,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Differentiate a scenario's whole answer, and say how far each parameter may go."""
    from agora.data.scenarios import read_scenario
    from agora.runners.figures.comparative import draw_tornado
    from agora.runners.records import run_folder as records
    from agora.runners.solving import model_from
    from agora.runners.studies.parameters import scenario_parameter
    from agora.runners.studies.sensitivity.sensitivity import sensitivity as differentiate

    read = read_scenario(scenario)
    model = model_from(read)
    paths = [path.strip() for path in wrt.split(",")]
    chosen = [scenario_parameter(read, path) for path in paths if path]
    folder = out or Path("runs") / f"{read.name}-sensitivity"
    records.check_folder(folder)
    with _failures(read, as_json), progress(quiet=as_json) as report:
        found = differentiate(
            model, [], parameters=chosen, options=read.solve, verify=not quick, progress=report
        )
    tables = {"sensitivities": found.table, "ranges": found.ranges}
    _leave(found.record(), folder, tables, {"tornado": partial(draw_tornado, found.table)})
    if as_json:
        say_json(found.record())
        return
    number = "elasticity" if elasticities else "derivative"
    columns = ["table", "place", "quantity", "value", "parameter", number, "exists"]
    moving = found.table[found.table["derivative"] != 0]
    print_table(moving[columns], f"{found.solution.status}: what moves", rows=60)
    print_table(found.ranges, "ranges: the same limits bind from … to", rows=len(found.ranges))
    say(f"differentiated: {found.note}")
    say(f"written to {folder}")


@app.command()
def threshold(
    scenario: ScenarioName,
    parameters: Annotated[
        list[str], typer.Option("--parameter", help="The parameter that varies; two for a phase diagram.")
    ],
    where: Annotated[
        str, typer.Option("--where", help='The feature, such as blocks(cells.use == "business").')
    ],
    between: First = None,
    and_between: Second = None,
    tolerance: Annotated[
        float | None, typer.Option("--tolerance", help="Largest width of a bracket; 1e-6 of the interval.")
    ] = None,
    scan: Annotated[int, typer.Option("--scan", help="Steps of the scan before brackets are narrowed.")] = 16,
    grid: Annotated[int, typer.Option("--grid", help="Cells along a side of a phase diagram, at first.")] = 8,
    depth: Annotated[int, typer.Option("--depth", help="How often cells on a boundary are quartered.")] = 3,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Find where a discrete feature of the answer changes, along one parameter or over two."""
    from agora.data.checks import InputError
    from agora.data.scenarios import read_scenario
    from agora.runners.records import run_folder as records

    read = read_scenario(scenario)
    if len(parameters) > 2:
        raise InputError("--parameter", parameters, "given once or twice")
    if len(parameters) == 1 and and_between is not None:
        raise InputError("--and", and_between, "left out unless there are two parameters")
    folder = out or Path("runs") / f"{read.name}-threshold"
    records.check_folder(folder)
    if len(parameters) == 2:
        _phases(read, parameters, where, (between, and_between), (grid, depth), folder, as_json)
        return
    from agora.runners.solving import model_from
    from agora.runners.studies.parameters import scenario_parameter
    from agora.runners.studies.threshold import thresholds

    each = scenario_parameter(read, parameters[0])
    with _failures(read, as_json), progress(quiet=as_json) as report:
        found = thresholds(
            model_from(read), each, where, between=between, tolerance=tolerance, scan=scan,
            options=read.solve, progress=report,
        )  # fmt: skip
    changes, scanned = found.table.astype({"below": str, "above": str}), found.scan.astype({"feature": str})
    _leave(found.record(), folder, {"changes": changes, "scan": scanned})
    if as_json:
        say_json(found.record())
        return
    if found.table.empty:
        say(f"{where} is {found.scan['feature'].iloc[0]} at all {len(found.scan)} values that were solved")
    else:
        print_table(found.table, f"{where} changes ({len(found.scan)} solves)", rows=200, digits=9)
    say(f"written to {folder}")


def _phases(
    read: Scenario,
    parameters: list[str],
    where: str,
    between: tuple[Interval, Interval],
    size: tuple[int, int],
    folder: Path,
    as_json: bool,
) -> None:
    from agora.runners.figures.comparative import draw_phases
    from agora.runners.solving import model_from
    from agora.runners.studies.phase import phase_diagram

    model = model_from(read)
    with _failures(read, as_json), progress(quiet=as_json) as report:
        found = phase_diagram(
            model, (parameters[0], parameters[1]), where, between=between, coarse=size[0], depth=size[1],
            options=read.solve, progress=report,
        )  # fmt: skip
    units = (model.unit_for(found.parameters[0]), model.unit_for(found.parameters[1]))
    tables = {"cells": found.cells, "points": found.points.astype({"feature": str})}
    draw = partial(draw_phases, found.cells, found.parameters, where, units)
    _leave(found.record(), folder, tables, {"phases": draw})
    if as_json:
        say_json(found.record())
        return
    inside = found.cells[~found.cells["boundary"]]
    print_table(inside.groupby("feature").size().rename("cells").reset_index(), where)
    say(f"{len(found.points)} solves where a full grid takes {found.full_grid}")
    say(f"written to {folder}")


def _leave(
    record: dict[str, Any], folder: Path, tables: dict[str, Any], pictures: dict[str, Any] | None = None
) -> None:
    """Write a study into its folder; the manifest holds what stands in none of its tables."""
    from agora.runners.records.run_folder import write_folder

    rest = {name: value for name, value in record.items() if name not in tables}
    write_folder(rest, folder, tables, pictures or {})


@contextmanager
def _failures(read: Scenario, as_json: bool) -> Iterator[None]:
    """Say in one sentence what was not solved, certified or differentiable, and leave with code 3."""
    from agora.runners.certifying import NotCertified
    from agora.runners.studies.sensitivity.optimality import NoOptimum
    from agora.solvers import SolveFailed

    statuses = {NoOptimum: "no optimum", NotCertified: "not certified", SolveFailed: "not solved"}
    try:
        yield
    except (NoOptimum, NotCertified, SolveFailed) as failure:
        if as_json:
            status = next(word for kind, word in statuses.items() if isinstance(failure, kind))
            say_json({"model": read.model, "status": status, "reason": str(failure)})
        tell(failure)
        sys.exit(3)


@app.command()
def convergence(
    panel: Annotated[str, typer.Argument(help="A table (CSV, Parquet), or the shipped synthetic-sectors.")],
    level: Annotated[float, typer.Option("--level", help="Of the confidence intervals.")] = 0.95,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for tables and figure.")] = None,
    as_json: Json = False,
) -> None:
    """Test a panel of sectors for convergence of profit rates and of labour productivity."""
    from agora.data.sectors import read_panel
    from agora.runners.studies.convergence import QUANTITIES, write_report
    from agora.runners.studies.convergence import convergence as run

    report = run(read_panel(panel), level=level)
    if out is not None:
        write_report(report, out)
    if as_json:
        say_json(report.record())
        return
    shown = report.regressions[["quantity", "kind", "coefficient", "low", "high", "p_value"]]
    print_table(shown, f"convergence of {panel}, {level:.0%} confidence intervals", digits=3)
    for name, label in QUANTITIES.items():
        say(f"{label}: {'converges' if report.converges(name) else 'no convergence shown'}")
