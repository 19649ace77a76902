"""Reproduce papers: compute every listed claim anew, and write a table of verdicts and the pages.

``verdicts.csv``, ``verdicts.json`` and the pages (`agora.papers.site`) appear together or not at all,
and with them the tables and figures with which a reproduction goes beyond what is printed.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path

import pandas as pd

from agora.data.checks import InputError, nearest
from agora.methods.method import Progress, silent
from agora.papers.claims import Claim, Paper, papers, read_paper
from agora.papers.computations import ADDITIONS, Beyond, Computation, check, computations, judge
from agora.papers.site import write_pages
from agora.papers.site.verdicts import Reproduction, Verdict, counted
from agora.runners.records.run_folder import MANIFEST, as_json, check_folder, whole_folder
from agora.runners.solving import versions

COLUMNS = ("paper", "item", "quantity", "printed", "computed", "unit", "tolerance", "verdict", "note")

_PACKAGES = ("highspy", "networkx", "numpy", "pandas", "pyomo", "scipy")


def reproduce(
    paper: str,
    out: str | Path,
    quick: bool = False,
    progress: Progress = silent,
    claims: Sequence[str] = (),
) -> pd.DataFrame:
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
    claims : sequence of str, optional
        Identifiers of the claims to compute; all unless given. What goes beyond them is then left out.

    Returns
    -------
    DataFrame
        One row a claim, with the columns `COLUMNS`. A computation that breaks gives the verdict
        ``failed``, its error in the note, and no other row is touched.

    Raises
    ------
    InputError
        For an unknown paper or claim, or a folder that holds something else.
    """
    known = papers()
    if paper != "all" and paper not in known:
        raise InputError("paper", paper, nearest(paper, [*known, "all"]))
    folder = Path(out)
    check_folder(folder)
    start = time.perf_counter()
    asked = [read_paper(name) for name in (known if paper == "all" else [paper])]
    _all_known(claims, asked)
    chosen = [
        each.model_copy(update={"claim": [c for c in each.claim if not claims or c.id in claims]})
        for each in asked
    ]
    result = [
        Reproduction(
            each,
            _verdicts(each, quick, progress),
            Beyond() if quick or claims else _added(each.name, progress),
        )
        for each in chosen
        if each.claim or not claims
    ]
    table = pd.DataFrame(
        [verdict.row() for each in result for verdict in each.verdicts], columns=list(COLUMNS), dtype=object
    )
    manifest = {
        "reproduced": [each.paper.name for each in result],
        "quick": quick,
        "verdicts": count_verdicts(table),
        "seconds": time.perf_counter() - start,
        "seconds_by_claim": {
            each.paper.name: {v.claim.id: v.seconds for v in each.verdicts} for each in result
        },
        "versions": versions(_PACKAGES),
        "platform": platform.platform(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with whole_folder(folder) as draft:
        (draft / MANIFEST).write_text(as_json(manifest) + "\n", encoding="utf-8")
        records = as_json(table.to_dict(orient="records"))
        (draft / "verdicts.json").write_text(records + "\n", encoding="utf-8")
        table.to_csv(draft / "verdicts.csv", index=False)
        write_pages(draft, result, manifest, paper)
    return table


def _all_known(claims: Sequence[str], papers_asked: Sequence[Paper]) -> None:
    listed = [entry.id for each in papers_asked for entry in each.claim]
    for claim in claims:
        if claim not in listed:
            close = get_close_matches(claim, listed, n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise InputError(
                "claim", claim, f"the identifier of a claim, as its row on the page names it{hint}"
            )


def _added(paper: str, progress: Progress) -> Beyond:
    """Return what goes beyond the claims of a paper; if that breaks, a table that says why."""
    if paper not in ADDITIONS:
        return Beyond()
    progress(f"{paper}, beyond the printed")
    try:
        return ADDITIONS[paper]()
    except Exception as error:  # the verdicts stand without it
        return Beyond(tables={f"{paper}-failed": pd.DataFrame({type(error).__name__: [str(error)]})})


def count_verdicts(table: pd.DataFrame) -> dict[str, int]:
    """Return how often each verdict occurs, those that do occur in the order of `VERDICTS`."""
    return counted(table["verdict"])


def _verdicts(paper: Paper, quick: bool, progress: Progress) -> tuple[Verdict, ...]:
    known = computations(paper.name)
    results = []
    for number, claim in enumerate(paper.claim, start=1):
        progress(f"{paper.name}, {number} of {len(paper.claim)}: {claim.item}")
        skipped = quick and claim.slow
        results.append(Verdict(paper.name, claim) if skipped else _verdict(paper.name, claim, known))
    return tuple(results)


def _verdict(paper: str, claim: Claim, known: Mapping[str, Computation]) -> Verdict:
    start = time.perf_counter()
    finding, trouble = None, ""
    try:
        finding = check(claim, known)
        judged: str = judge(claim, finding)
    except Exception as error:  # whatever breaks is this claim's verdict; the others go on
        finding, judged, trouble = None, "failed", f"{type(error).__name__}: {error}"
    return Verdict(paper, claim, finding, judged, trouble, time.perf_counter() - start)
