"""The worker's side of a sweep: rows in, lines of the journal out.

Models are built here. Every row is caught for itself: whatever goes wrong with it becomes its record.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

from agora.data.checks import InputError
from agora.models.solution import Solution
from agora.runners.solving import solve
from agora.runners.sweeps.journal import FAILED, SOLVED, UNCERTIFIED, line
from agora.runners.sweeps.plan import Rows
from agora.solvers import SolveFailed
from agora.solvers.reuse import Workbench, working_at

_one_at_a_time = threading.Lock()
"""Linear solvers are not safe in threads; a worker with several waits."""

_rows = Rows()

_benches: dict[str, Workbench] = {}

_PLAIN = frozenset((float, int, str, bool, type(None)))


@dataclass(frozen=True)
class Piece:
    """Some rows of one block, as they are sent to a worker."""

    block: str  # names the block; its first row is where all others start from
    first: tuple[str, Mapping[str, Any]]  # key and content of the block's first row
    rows: tuple[tuple[str, Mapping[str, Any]], ...]  # keys and contents of the rows to solve
    folder: str  # anchors the files that scenarios name
    modules: tuple[str, ...] = ()  # modules that define the models, of this package or a user's
    warm: bool = True


def solve_piece(piece: Piece) -> tuple[bytes, float]:
    """Return the journal lines of the rows of a piece, and the seconds they took."""
    start = time.perf_counter()
    with _one_at_a_time:
        for module in piece.modules:
            import_module(module)
        bench, fresh = _bench(piece)
        lines = []
        if fresh and piece.warm and piece.rows[0][0] != piece.first[0]:
            _solved_first(piece, bench)
        for row in piece.rows:
            first = piece.warm and row[0] == piece.first[0]
            outcome, record = _solved_first(piece, bench) if first else _solved(row, piece, bench)
            lines.append(line(row[0], outcome, record))
        return b"".join(lines), time.perf_counter() - start


def _solved_first(piece: Piece, bench: Workbench) -> tuple[bytes, dict[str, Any]]:
    """Solve the block's first row from nothing, for others to start where it ends."""
    bench.start_block()
    outcome, record = _solved(piece.first, piece, bench)
    if outcome != FAILED:
        bench.mark()
    return outcome, record


def _bench(piece: Piece) -> tuple[Workbench, bool]:
    """Return this process's workbench, and whether the piece's block is new to it."""
    if not piece.warm:
        return Workbench(), True
    if piece.block in _benches:
        return _benches[piece.block], False
    bench = next(iter(_benches.values()), None) or Workbench()
    _benches.clear()
    _benches[piece.block] = bench
    bench.start_block()
    return bench, True


def _solved(
    row: tuple[str, Mapping[str, Any]], piece: Piece, bench: Workbench
) -> tuple[bytes, dict[str, Any]]:
    """Solve one row, and once more from nothing if a warm start ended without a certified answer."""
    outcome, record = _attempt(row, piece, bench if piece.warm else Workbench())
    if outcome != SOLVED and record["work"]["start"] == "warm":
        again, other = _attempt(row, piece, Workbench())
        if again != FAILED or outcome == FAILED:
            outcome, record = again, other
        record["work"] |= {"start": "cold, after a warm start failed"}
    return outcome, record


def _attempt(
    row: tuple[str, Mapping[str, Any]], piece: Piece, bench: Workbench
) -> tuple[bytes, dict[str, Any]]:
    """Solve one row at a workbench; what goes wrong is its outcome."""
    key, content = row
    start = time.perf_counter()
    bench.start_row()
    outcome, record = FAILED, dict[str, Any]()
    try:
        with working_at(bench):
            scenario, model = _rows.model(content, key, Path(piece.folder))
            solution = solve(model, raise_uncertified=False, **scenario.solve)
    except InputError as error:
        record = failure("bad input", str(error))
    except SolveFailed as error:
        record = failure("not solved", str(error))
    except Exception as error:  # an error of ours, or of a library, belongs to its row and stops no other
        record = failure(type(error).__name__, str(error))
    else:
        outcome, record = SOLVED if solution.certificate.passed else UNCERTIFIED, record_of(solution)
    record["work"] |= {
        "start": "warm" if bench.warm else "cold",
        "kept": bench.reused,
        "row_seconds": time.perf_counter() - start,
    }
    return outcome, record


def failure(kind: str, message: str) -> dict[str, Any]:
    """Return the record of a row without an answer."""
    return {"error": {"kind": kind, "message": message}, "work": {}}


def record_of(solution: Solution) -> dict[str, Any]:
    """Return what the journal keeps of a solution: tables by column, the certificate, the effort."""
    certificate = solution.certificate
    worst = certificate.worst
    solvers = solution.manifest["solvers"]
    return {
        "status": solution.status,
        "objective": float(solution.objective),
        "global": bool(solution.is_global),
        "certified": certificate.passed,
        "worst": worst.record(),
        "facts": {name: _plain(fact) for name, fact in certificate.facts.items()},
        "tables": {name: _columns(table) for name, table in solution.tables.items()},
        "work": {
            "seconds": solution.seconds,
            "iterations": sum(int(solver["iterations"] or 0) for solver in solvers),
            "solvers": sorted({f"{solver['solver']} {solver['version']}" for solver in solvers}),
        },
    }


def _columns(table: pd.DataFrame) -> dict[str, list[Any]]:
    values = table.to_numpy(dtype=object).T.tolist()  # one pass; a column after the other is slow
    return {str(name): list(map(_plain, column)) for name, column in zip(table, values, strict=True)}


def _plain(value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    if hasattr(value, "item"):
        value = value.item()
    return value if type(value) in _PLAIN else str(value)
