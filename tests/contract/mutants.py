"""Errors planted in the formulations, one at a time: ``python -m tests.contract.mutants`` tells which are seen.

Every error is solved in a process of its own: the lines of `economies` that reach it and the programs of
`programs`. What nothing sees must be argued in `equivalent`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

for _library in ("OMP", "OPENBLAS", "MKL"):  # before any is loaded: an error a process, a thread a process
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

import pandas as pd

from . import trial
from .equivalent import EQUIVALENT
from .mutations import FAMILIES, Mutant, modules, mutants, sample
from .trial import Probe, Verdict

EACH = 4
"""Errors a module."""


def campaign(families: Sequence[str], chosen: Sequence[Mutant], workers: int) -> Iterator[dict[str, Any]]:
    """Yield what came of each error."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(trial.PRELOADED))
    with ThreadPoolExecutor(workers) as pool:
        for family in families:
            probes, _ = _apart(context, "baseline", family)
            own = [mutant for mutant in chosen if mutant.family == family]
            tried = pool.map(lambda mutant, probes=probes: _tried(context, mutant, probes), own)
            yield from tried


def _tried(context: Any, mutant: Mutant, probes: list[Probe]) -> dict[str, Any]:
    found, seconds = _apart(context, "trial", mutant, probes)
    verdict = found if found is not None else Verdict("caught", "did not end")
    argument = EQUIVALENT.get(mutant.key, "")
    if verdict.verdict in ("same answer", "nothing calls it") and argument:
        verdict = Verdict("equivalent", argument, verdict.difference)
    return {
        "module": mutant.module, "function": mutant.function, "kind": mutant.kind, "change": mutant.change,
        "verdict": verdict.verdict, "how": verdict.how, "difference": verdict.difference,
        "seconds": seconds, "key": mutant.key,
    }  # fmt: skip


def _apart(context: Any, work: str, *given: Any) -> tuple[Any, float]:
    """Do some work in another process; nothing comes of it if the process has ended before."""
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=trial.run, args=(sending, work, *given))
    process.start()
    sending.close()
    try:
        return receiving.recv()
    except EOFError:
        return None, float(trial.LIMIT)
    finally:
        process.join()


def main() -> int:
    """Try the errors, print what came of each, and count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=f"of {', '.join(FAMILIES)}; default: all")
    parser.add_argument("--each", type=int, default=EACH, help="errors a module")
    parser.add_argument("--seed", type=int, default=0, help="another choice of errors")
    parser.add_argument("--workers", type=int, default=1, help="processes at a time")
    parser.add_argument("--only", help="only errors whose name holds this text")
    parser.add_argument("--csv", help="file for the table")
    given = parser.parse_args()
    families, rows = given.families or FAMILIES, []
    chosen = [m for f in families for n in modules(f) for m in sample(mutants(n), given.each, given.seed)]
    chosen = [mutant for mutant in chosen if not given.only or given.only in mutant.key]
    for row in campaign(families, chosen, given.workers):
        rows.append(row)
        print(f"{row['verdict']:<19} {row['module']} {row['function']}: {row['change'][:90]}", flush=True)
    table = pd.DataFrame(rows)
    if given.csv:
        table.to_csv(given.csv, index=False)
    print(table["verdict"].value_counts())
    return 0


if __name__ == "__main__":
    sys.exit(main())
