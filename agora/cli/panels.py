"""The command that reads a panel of sectors: ``convergence``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agora.cli.application import Json, app, print_table, say, say_json


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
