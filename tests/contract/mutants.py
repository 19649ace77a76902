"""Plant errors in the formulations, one at a time: ``python -m tests.contract.mutants`` tells which are seen.

Each is solved in a process of its own: the lines of `economies` that reach it, then the programs of
`programs`, then the tests of its module, up to the first that shows it. An error that nothing shows must
stand in `equivalent` with an argument. The exit code is 1 if one does not, if an answer is wrong and
certified, or if an argument is refuted.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd

from .equivalent import EQUIVALENT
from .mutations import FAMILIES, Mutant, every, modules, mutants, sample
from .trial import CAUGHT, EQUAL, LIMIT, PRELOADED, UNREACHED, Probe, Verdict, run

EACH = 4
"""Errors a module, unless another number is asked for."""
ARGUED, REFUTED = "equivalent", "argument refuted"
GOOD = {CAUGHT, ARGUED}


def campaign(chosen: Sequence[Mutant], workers: int = 1) -> Iterator[dict[str, Any]]:
    """Yield what comes of each error, family by family."""
    for library in ("OMP", "OPENBLAS", "MKL"):  # read when the others' libraries are loaded
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    with ThreadPoolExecutor(workers) as pool:
        for family in FAMILIES:
            own = [mutant for mutant in chosen if mutant.family == family]
            if own:
                probes, _ = _apart(context, "baseline", family)
                yield from pool.map(lambda mutant, probes=probes: _tried(context, mutant, probes), own)


def _tried(context: Any, mutant: Mutant, probes: list[Probe]) -> dict[str, Any]:
    """Return the row of one error."""
    found, seconds = _apart(context, "trial", mutant, probes)
    verdict = Verdict(CAUGHT, "did not end") if found is None else found
    word, how = verdict.verdict, verdict.how
    if mutant.key in EQUIVALENT:
        word = {EQUAL: ARGUED, UNREACHED: ARGUED, CAUGHT: REFUTED}.get(word, word)
        how = how or EQUIVALENT[mutant.key]
    return {
        "module": mutant.module, "function": mutant.function, "kind": mutant.kind, "change": mutant.change,
        "statement": mutant.statement, "verdict": word, "how": how, "difference": verdict.difference,
        "seconds": seconds,
    }  # fmt: skip


def _apart(context: Any, work: str, *given: Any) -> tuple[Any, float]:
    """Do some work in another process; nothing comes of it if the system ends the process."""
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=run, args=(sending, work, *given))
    process.start()
    sending.close()
    try:
        result, seconds, failure = receiving.recv()
    except EOFError:  # the limit of its time, or a fault in a solver
        result, seconds, failure = None, float(LIMIT), ""
    process.join()
    if failure:
        raise RuntimeError(f"{work} of {given[0]} has failed:\n{failure}")
    return result, seconds


def chosen(families: Sequence[str], each: int = EACH, seed: int = 0) -> list[Mutant]:
    """Return some errors of every module of some families."""
    return [
        mutant
        for family in families
        for module in modules(family)
        for mutant in sample(mutants(module), each, seed)
    ]


def summary(table: pd.DataFrame) -> str:
    """Return verdicts by family, and what all of them took."""
    counts = pd.crosstab(table["module"].str.split("/").str[0], table["verdict"])
    words = ", ".join(f"{number} {word}" for word, number in table["verdict"].value_counts().items())
    spent = f"{table['seconds'].sum():.0f} s of processor time"
    return f"{counts.to_string()}\n\n{len(table)} errors: {words}; {spent}"


def main() -> int:
    """Try errors, print what comes of each, and count."""
    parser = argparse.ArgumentParser(prog="python -m tests.contract.mutants", description=__doc__)
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=f"{', '.join(FAMILIES)}; default: all")
    parser.add_argument("--each", type=int, default=EACH, help="errors a module (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another number chooses other errors")
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="those whose module, function or text has it"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes at a time")
    parser.add_argument("--csv", metavar="FILE", help="where the table is written")
    given = parser.parse_args()
    for name in ("each", "workers"):
        if getattr(given, name) < 1:
            parser.error(f"--{name} is {getattr(given, name)}, but must be a whole number >= 1")
    if unknown := set(given.families) - set(FAMILIES):
        parser.error(f"FAMILY is {sorted(unknown)[0]!r}, but must be one of {', '.join(FAMILIES)}")
    if stale := set(EQUIVALENT) - {mutant.key for mutant in every()}:
        parser.error(f"equivalent.py argues about an error that there is not: {sorted(stale)[0]}")
    rows = []
    planted = chosen(given.families or FAMILIES, given.each, given.seed)
    for row in campaign([mutant for mutant in planted if given.only in mutant.key], given.workers):
        rows.append(row)
        place = f"{row['module']} {row['function']}"
        print(f"{row['verdict']}: {place}: {row['kind']}: {row['change']}\n    {row['how']}", flush=True)
        if row["verdict"] not in GOOD:
            print(f"    in {row['statement']}; largest difference {row['difference']:.2g}", flush=True)
    table = pd.DataFrame(rows)
    if given.csv:
        table.to_csv(given.csv, index=False)
    print(summary(table) if rows else "no error has that text")
    return int(not rows or not set(table["verdict"]) <= GOOD)


if __name__ == "__main__":
    sys.exit(main())
