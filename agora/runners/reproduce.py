"""Reproduce papers: compute every listed claim anew, and write a table of verdicts.

``verdicts.csv``, ``verdicts.json`` and ``index.html`` appear together or not at all, and with them
the tables and figures with which a reproduction goes beyond what is printed.
"""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

from agora import __version__
from agora.data.checks import InputError, nearest
from agora.data.published import Claim, Paper, papers, read_paper
from agora.runners.figures.pictures import save
from agora.runners.methods.answers import Progress, silent
from agora.runners.records import MANIFEST, as_json, check_folder, whole_folder
from agora.runners.reproductions import ADDITIONS, Beyond, Finding, check, computations, judge

COLUMNS = ("paper", "item", "quantity", "printed", "computed", "unit", "tolerance", "verdict", "note")
VERDICTS = {
    "reproduced": "the printed number or statement holds",
    "corrected": "another number or text is true",
    "refuted": "the printed statement is false",
    "not computable": "nothing here can decide it",
    "failed": "the computation broke",
    "not run": "left out of a quick run",
}
"""What each verdict means, in the order in which they are counted."""

_PACKAGES = ("highspy", "networkx", "numpy", "pandas", "pyomo", "scipy")


def reproduce(paper: str, out: str | Path, quick: bool = False, progress: Progress = silent) -> pd.DataFrame:
    """Compute every claim of a paper, and write the verdicts into a folder.

    Parameters
    ----------
    paper : str
        The name of a paper whose claims are listed, or ``all``.
    out : path
        A new or empty folder, or an earlier run folder, which is then replaced as a whole.
    quick : bool
        Leave out the claims that take longest, with the verdict ``not run``, and what goes beyond them.
    progress : callable, optional
        Called with a short text as the work goes on.

    Returns
    -------
    DataFrame
        One row a claim, with the columns `COLUMNS`. A computation that breaks gives the verdict
        ``failed``, its error in the note, and no other row is touched.

    Raises
    ------
    InputError
        For an unknown paper, or a folder that holds something else.
    """
    known = papers()
    if paper != "all" and paper not in known:
        raise InputError("paper", paper, nearest(paper, [*known, "all"]))
    folder = Path(out)
    check_folder(folder)
    start = time.perf_counter()
    chosen = [read_paper(name) for name in (known if paper == "all" else [paper])]
    tables = [_verdicts(each, quick, progress) for each in chosen]
    beyond = {} if quick else {each.name: _added(each.name, progress) for each in chosen}
    table = pd.DataFrame([row for rows in tables for row in rows], columns=list(COLUMNS), dtype=object)
    manifest = {
        "reproduced": [each.name for each in chosen],
        "quick": quick,
        "verdicts": count_verdicts(table),
        "seconds": time.perf_counter() - start,
        "versions": {
            "agora": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES},
        },
        "platform": platform.platform(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with whole_folder(folder) as draft:
        (draft / MANIFEST).write_text(as_json(manifest) + "\n", encoding="utf-8")
        (draft / "verdicts.json").write_text(
            as_json(table.to_dict(orient="records")) + "\n", encoding="utf-8"
        )
        table.to_csv(draft / "verdicts.csv", index=False)
        (draft / "index.html").write_text(page(chosen, table, paper, beyond), encoding="utf-8")
        for added in beyond.values():
            _write(added, draft)
    return table


def _added(paper: str, progress: Progress) -> Beyond:
    """Return what goes beyond the claims of a paper; if that breaks, a table that says why."""
    if paper not in ADDITIONS:
        return Beyond()
    progress(f"{paper}, beyond the printed")
    try:
        return ADDITIONS[paper]()
    except Exception as error:  # the verdicts stand without it
        return Beyond(tables={f"{paper}-failed": pd.DataFrame({type(error).__name__: [str(error)]})})


def _write(added: Beyond, folder: Path) -> None:
    for name, rows in added.tables.items():
        rows.to_csv(folder / f"{name}.csv", index=False)
    for name, figure in added.figures.items():
        save(figure, folder, name)


def count_verdicts(table: pd.DataFrame) -> dict[str, int]:
    """Return how often each verdict occurs, those that do occur in the order of `VERDICTS`."""
    counts = Counter(table["verdict"])
    return {verdict: counts[verdict] for verdict in VERDICTS if counts[verdict]}


def _verdicts(paper: Paper, quick: bool, progress: Progress) -> list[dict[str, Any]]:
    known = computations(paper.name)
    rows = []
    for number, claim in enumerate(paper.claim, start=1):
        progress(f"{paper.name}, {number} of {len(paper.claim)}: {claim.item}")
        if quick and claim.slow:
            rows.append(_row(paper.name, claim, None, "not run", ""))
            continue
        try:
            finding = check(claim, known)
            rows.append(_row(paper.name, claim, finding, judge(claim, finding), ""))
        except Exception as error:  # whatever breaks is this claim's verdict; the others go on
            rows.append(_row(paper.name, claim, None, "failed", f"{type(error).__name__}: {error}"))
    return rows


def _row(paper: str, claim: Claim, finding: Finding | None, verdict: str, trouble: str) -> dict[str, Any]:
    printed: float | str = claim.printed
    notes = [trouble, claim.note]
    if finding is not None:
        notes.append(finding.note)
        if finding.certificate:
            notes.append(f"Checked by: {finding.certificate}")
        if finding.printed is not None:
            printed = f"{claim.printed}, which is {finding.printed:.12g}"
    values = (
        paper,
        claim.item,
        claim.quantity,
        printed,
        None if finding is None else finding.computed,
        claim.unit,
        claim.tolerance,
        verdict,
        " ".join(_sentence(note) for note in notes if note),
    )
    return dict(zip(COLUMNS, values, strict=True))


def _sentence(text: str) -> str:
    first = text.split(maxsplit=1)[0]
    if len(first) > 1 and first.isalpha():  # a word, not a symbol
        text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


# --- the page ----------------------------------------------------------------------------------


def page(
    chosen: Sequence[Paper], table: pd.DataFrame, command: str, beyond: Mapping[str, Beyond] | None = None
) -> str:
    """Return the verdicts as one HTML page that needs nothing from anywhere."""
    added = beyond or {}
    style = (Path(str(files("agora.runners"))) / "reproductions" / "page.css").read_text(encoding="utf-8")
    chips = "".join(
        f'<li class="{_css(verdict)}"><b>{number}</b> {verdict}<small>{VERDICTS[verdict]}</small></li>'
        for verdict, number in count_verdicts(table).items()
    )
    sections = "".join(
        _section(paper, table[table["paper"] == paper.name], added.get(paper.name, Beyond()))
        for paper in chosen
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>Agora: verdicts on {escape(command)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"<h1>What is printed, and what comes out</h1>\n"
        f"<p>{len(table)} claims, each computed anew by Agora {escape(__version__)}. This page is made by "
        f"<code>agora reproduce {escape(command)}</code>.</p>\n"
        f'<ul class="counts">{chips}</ul>\n{sections}</body>\n</html>\n'
    )


def _section(paper: Paper, table: pd.DataFrame, beyond: Beyond) -> str:
    heads = ("where", "claim", "printed", "computed", "verdict", "note")
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join(_table_row(row) for row in table.to_dict(orient="records"))
    note = f"<p>{escape(paper.note)}</p>\n" if paper.note else ""
    return (
        f'<section>\n<h2 id="{escape(paper.name)}">{escape(paper.name)}</h2>\n'
        f"<p>{escape(paper.citation)}</p>\n{note}"
        f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n'
        f"</table></div>\n{_beyond(beyond)}{_uncovered(paper)}</section>\n"
    )


def _beyond(beyond: Beyond) -> str:
    """Return the tables that go beyond the printed, and the names of the figures' files."""
    parts = []
    for name, rows in beyond.tables.items():
        head = "".join(f'<th scope="col">{escape(str(column))}</th>' for column in rows.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{_shown(value)}</td>" for value in row) + "</tr>\n"
            for row in rows.itertuples(index=False)
        )
        parts.append(
            f'<p>{escape(name)}.csv</p>\n<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n'
            f"<tbody>\n{body}</tbody>\n</table></div>\n"
        )
    parts += [f"<p>Figure {escape(name)}.svg, {escape(name)}.png</p>\n" for name in beyond.figures]
    return f"<h3>Beyond the printed</h3>\n{''.join(parts)}" if parts else ""


def _table_row(row: dict[Any, Any]) -> str:
    unit = "" if row["unit"] == "dimensionless" else f"<small>{escape(row['unit'])}</small>"
    tolerance = "" if row["tolerance"] is None else f"<small>± {row['tolerance']:g}</small>"
    css, verdict = _css(row["verdict"]), escape(row["verdict"])
    return (
        f'<tr class="{css}"><th scope="row">{escape(row["item"])}</th><td>{escape(row["quantity"])}</td>'
        f"<td>{_shown(row['printed'])}{unit}</td><td>{_shown(row['computed'])}{tolerance}</td>"
        f'<td><span class="verdict">{verdict}</span></td><td class="note">{escape(row["note"])}</td></tr>\n'
    )


def _uncovered(paper: Paper) -> str:
    if not paper.uncovered:
        return ""
    entries: Iterable[str] = (
        f"<dt>{escape(entry.item)}</dt><dd>{escape(entry.reason)}</dd>" for entry in paper.uncovered
    )
    return f"<h3>Not in the list</h3>\n<dl>{''.join(entries)}</dl>\n"


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "holds" if value else "does not hold"
    return f"{value:.10g}" if isinstance(value, int | float) else escape(str(value))


def _css(verdict: str) -> str:
    return verdict.replace(" ", "-")
