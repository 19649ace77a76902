"""The command ``reproduce``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from agora.cli.application import Json, app, print_table, progress, say, say_json, tell


@app.command()
def reproduce(
    paper: Annotated[
        str, typer.Argument(help="A paper whose claims are listed, such as osawa-akamatsu; or all.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder; runs/reproduce-PAPER unless given.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out the claims that take longest.")] = False,
    claim: Annotated[
        list[str] | None, typer.Option("--claim", help="Only the claim with this identifier; repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compute every claim of a paper anew, and say which hold."""
    from agora.papers.reproducing import count_verdicts
    from agora.papers.reproducing import reproduce as run

    folder = out or Path("runs") / f"reproduce-{paper}"
    with progress(quiet=as_json) as report:
        table = run(paper, folder, quick=quick, progress=report, claims=claim or ())
    counts = count_verdicts(table)
    if as_json:
        verdicts = table.to_dict(orient="records")
        say_json({"paper": paper, "counts": counts, "verdicts": verdicts, "folder": str(folder)})
    else:
        others = table[table["verdict"] != "reproduced"]
        columns = ["item", "quantity", "printed", "computed", "verdict"]
        print_table(others[columns], f"{paper}: what is not as printed", rows=len(others))
        say(", ".join(f"{number} {verdict}" for verdict, number in counts.items()))
        say(f"written to {folder}; read {folder / 'index.html'}")
    for row in table[table["verdict"] == "failed"].itertuples(index=False):
        tell(f"{row.item} failed: {row.note}")
    if "failed" in counts:
        sys.exit(3)
