"""The pages of a reproduction: an index with a card a paper, and a page a paper; they open from disk.

Everything stands in the folder: styles and scripts within the pages; figures, tables and programs of a
paper in a folder of its name, because two papers may both have a figure 3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from agora.data.scenarios import read_scenario, shipped_scenarios
from agora.papers.claims import PrintedFigure, PublishedScenario
from agora.papers.site.verdicts import NOT_AS_PRINTED, VERDICTS, Reproduction, counted
from agora.runners.figures.pictures import save
from agora.runners.records.export import export_program
from agora.runners.solving import model_from

LARGEST_VECTOR = 1_000_000
"""Bytes of an SVG up to which the page shows it; of a larger one it shows the PNG."""
MOST_ROWS = 30
"""Rows of a table that the page shows; all are in its CSV file."""


def write_pages(
    folder: Path, result: Sequence[Reproduction], manifest: Mapping[str, Any], command: str
) -> None:
    """Write ``index.html`` and a page a paper, with their figures and tables, into a folder.

    The folder holds already ``verdicts.csv``, ``verdicts.json`` and ``manifest.json``, of which `manifest` is
    the content; `command` is what stands after ``agora reproduce``.
    """
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_text),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"shown": _shown, "css": _css}
    environment.globals |= {
        "style": Markup(_text("site.css")),
        "script": Markup(_text("claims.js")),
        "manifest": manifest,
        "command": command,
        "meanings": VERDICTS,
    }
    papers = [_paper(each, folder, not manifest.get("quick", False)) for each in result]
    index = environment.get_template("index.html").render(
        papers=papers,
        total=sum(len(paper["rows"]) for paper in papers),
        counts=counted(row["verdict"] for paper in papers for row in paper["rows"]),
    )
    (folder / "index.html").write_text(index, encoding="utf-8")
    for paper in papers:
        text = environment.get_template("paper.html").render(paper=paper)
        (folder / f"{paper['name']}.html").write_text(text, encoding="utf-8")


def _paper(each: Reproduction, folder: Path, exported: bool) -> dict[str, Any]:
    rows = [
        {
            "id": verdict.claim.id,
            "group": _group(verdict.claim.item),
            "computation": verdict.claim.computation,
            "arguments": verdict.claim.arguments,
            "seconds": verdict.seconds,
            "certificate": verdict.certificate,
            "why": verdict.why,
            **verdict.row(),
        }
        for verdict in each.verdicts
    ]
    wrong = Counter(row["group"] for row in rows if row["verdict"] in NOT_AS_PRINTED)
    captions = {figure.name: figure for figure in each.paper.figure}
    order = {name: index for index, name in enumerate(captions)}
    inside = folder / each.paper.name
    programs = {
        name: f"{inside.name}/{export_program(model, 'gms', inside / f'{name}.gms').name}"
        for name, model in each.beyond.programs.items()
    }
    scenarios = [_scenario(entry, inside, exported) for entry in each.paper.scenario]
    for row, verdict in zip(rows, each.verdicts, strict=True):
        row["program"] = programs.get(verdict.claim.program, "")
        row["scenarios"] = [entry for entry in scenarios if verdict.claim.id in entry["claims"]]
    return {
        "name": each.paper.name,
        "title": each.paper.title or each.paper.name,
        "citation": each.paper.citation,
        "note": each.paper.note,
        "rows": rows,
        "counts": counted(row["verdict"] for row in rows),
        "groups": Counter(row["group"] for row in rows),
        "wrong": dict(wrong),
        "seconds": sum(row["seconds"] or 0.0 for row in rows),
        "uncovered": each.paper.uncovered,
        "figures": [
            _figure(name, drawn, inside, captions.get(name), f"agora reproduce {each.paper.name}")
            for name, drawn in sorted(
                each.beyond.figures.items(), key=lambda item: order.get(item[0], len(order))
            )
        ],
        "tables": [_table(name, table, inside) for name, table in each.beyond.tables.items()],
        "programs": list(programs.values()),
        "scenarios": scenarios,
    }


def _figure(
    name: str, drawn: Any, folder: Path, caption: PrintedFigure | None, command: str
) -> dict[str, str]:
    caption = caption or PrintedFigure(name=name, item="Beyond the printed", title=name, alt=name)
    vector, raster = save(drawn, folder, name)
    shown = vector if vector.stat().st_size <= LARGEST_VECTOR else raster
    return {
        "name": name,
        "file": f"{folder.name}/{shown.name}",
        "item": caption.item,
        "title": caption.title,
        "printed": caption.printed,
        "alt": caption.alt,
        "command": command,
    }


def _table(name: str, table: Any, folder: Path) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    table.to_csv(folder / f"{name}.csv", index=False)
    return {
        "title": name.replace("-", " "),
        "file": f"{folder.name}/{name}.csv",
        "columns": [str(column) for column in table.columns],
        "rows": list(table.head(MOST_ROWS).itertuples(index=False, name=None)),
        "number": len(table),
    }


def _scenario(entry: PublishedScenario, folder: Path, exported: bool) -> dict[str, Any]:
    """Copy a shipped scenario into the folder, with its program for GAMS in a full run."""
    file = shipped_scenarios()[entry.name]
    text = file.read_text(encoding="utf-8")
    folder.mkdir(exist_ok=True)
    (folder / file.name).write_text(text, encoding="utf-8")
    program = ""
    if entry.gams and exported:
        model = model_from(read_scenario(entry.name))
        program = f"{folder.name}/{export_program(model, 'gms', folder / f'{entry.name}.gms').name}"
    return {
        "name": entry.name,
        "item": entry.item,
        "claims": set(entry.claims),
        "title": text.partition("\n")[0].removeprefix("#").strip(),
        "file": f"{folder.name}/{file.name}",
        "program": program,
    }


def _group(item: str) -> str:
    """Return the part of the paper in which an item stands: the words before the first comma."""
    return item.partition(",")[0].strip()


def _text(name: str) -> str:
    return (Path(str(files(__name__))) / name).read_text(encoding="utf-8")


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "holds" if value else "does not hold"
    return f"{value:.10g}" if isinstance(value, int | float) else str(value)


def _css(verdict: str) -> str:
    return verdict.replace(" ", "-")
