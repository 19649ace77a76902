"""One run of a sweep: what is missing is solved and written down, row by row."""

from __future__ import annotations

import random
import time
import warnings
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from agora.data.checks import Caution, InputError
from agora.data.datasets import BadRows, Dataset, read_dataset
from agora.runners.sweeps.engines import Engine, engine
from agora.runners.sweeps.journal import (
    FAILED,
    Journal,
    Journals,
    line,
    manifest_before,
    outdated_caution,
    outdated_rows,
    parse,
    write_whole,
)
from agora.runners.sweeps.plan import Block, Plan, Ready, lines_of, plan, units
from agora.runners.sweeps.tables import INVALID, SCENARIOS, write_tables
from agora.runners.sweeps.work import Piece, failure, solve_piece

MANIFEST, ROWS = "_manifest.json", "_rows"
PIECE_SECONDS = 0.4
"""Work in a piece: what a kill can cost each worker, beside the row it is at."""
MOST_IN_PIECE = 64
REFRESH_SECONDS = 2.0
"""How often a run looks what other runs on its folder have finished."""


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes
    ----------
    rows, done, failed : int
        Scenarios in all; on disk, from earlier runs too; of these failed or not certified.
    rate : float
        Scenarios a second in this run.
    left : float
        Seconds left at this rate; NaN before the first.
    """

    rows: int
    done: int
    failed: int
    rate: float
    left: float


@dataclass(frozen=True)
class Summary:
    """What a run has done.

    Attributes
    ----------
    folder : Path
        The sweep's folder.
    rows, solved, failed, uncertified, invalid, missing : int
        Scenarios in all, and how many are solved and certified, failed, solved but not certified,
        not valid, not solved yet.
    outdated : int
        Rows on disk that other code, or other versions of solvers and libraries, have finished; they do
        not count among the others.
    fresh : int
        Solved by this run.
    seconds : float
        It took.
    table : DataFrame
        One row a scenario, as in ``scenarios.parquet``.
    """

    folder: Path
    rows: int
    solved: int
    failed: int
    uncertified: int
    invalid: int
    missing: int
    outdated: int
    fresh: int
    seconds: float
    table: pd.DataFrame = field(repr=False)

    @property
    def complete(self) -> bool:
        """Whether every row is solved and certified."""
        return self.solved == self.rows

    def record(self) -> dict[str, Any]:
        """Return the numbers as plain data."""
        numbers = {name: value for name, value in self.__dict__.items() if name not in ("folder", "table")}
        return {"folder": str(self.folder), **numbers, "reasons": dict(self.reasons())}

    def reasons(self) -> list[tuple[str, int]]:
        """Return why rows failed or were not certified, the most frequent reason first."""
        table = self.table
        reasons = pd.Series(dtype=object)
        if "message" in table:
            reasons = table["message"].dropna()
        if "certified" in table:
            bad = table.loc[~table["certified"].fillna(True), "worst_condition"]
            reasons = pd.concat([reasons, "not certified: " + bad])
        return [(str(reason), int(number)) for reason, number in reasons.value_counts().items()]

    def sentence(self) -> str:
        """Return the numbers as one sentence."""
        parts = [f"{self.solved} of {self.rows} scenarios solved and certified"]
        numbers = (self.uncertified, self.failed, self.invalid, self.missing)
        names = ("solved but not certified", "failed", "not valid", "not solved yet")
        parts += [f"{number} {name}" for number, name in zip(numbers, names, strict=True) if number]
        rate = f", {self.fresh / self.seconds:.3g} a second" if self.fresh and self.seconds else ""
        return f"{', '.join(parts)}; {self.fresh} in this run, {self.seconds:.1f} s{rate}"


def sweep(  # noqa: PLR0913 (options that users type by name)
    dataset: Dataset | str | Path,
    out: str | Path,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    retry_failed: bool = False,
    skip_invalid: bool = False,
    warm: bool = True,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Summary:
    """Solve every row of a dataset that is not on disk yet.

    Parameters
    ----------
    dataset : Dataset, path or str
        A dataset, its file, or the name of a shipped one.
    out : path
        The sweep's folder; new, empty, or of an earlier sweep.
    workers : int, optional
        Processes on this machine; one a core unless given; 0: all in this process.
    scheduler : str, optional
        Address of a Dask scheduler, instead.
    retry_failed : bool
        Solve rows again that failed or were not certified.
    skip_invalid : bool
        Leave out rows that are not valid (they are listed in ``_invalid.csv``) instead of raising.
    warm : bool
        If False, every row is built and solved from nothing.
    progress : callable, optional
        Called a few times a second.

    Returns
    -------
    Summary
        Counts, and the tidy table.

    Raises
    ------
    InputError
        For a bad dataset, bad rows (`BadRows`, which lists them all), folder or engine.
    NotWritten
        If the disk is full; what was finished is safe.

    Warns
    -----
    Caution
        If the folder holds rows that other code has finished, before others are solved in their place.
    """
    begin = time.perf_counter()
    folder = Path(out)
    read = dataset if isinstance(dataset, Dataset) else read_dataset(dataset)
    _check_folder(folder)
    planned = plan(read)
    number = len(read.rows) + len(read.faults)
    if planned.faults and (not skip_invalid or not planned.ready):
        raise BadRows(planned.faults, number)
    folder.mkdir(parents=True, exist_ok=True)
    before = manifest_before(folder / MANIFEST)
    _write_manifest(folder, planned, number, {})
    _write_invalid(folder, planned)
    journals = Journals(folder / ROWS)
    journals.refresh()
    outdated = outdated_rows(journals, planned.fingerprint, before)
    run = _Run(planned, journals, retry_failed, warm, progress)
    if run.missing:
        for maker, rows in outdated.items():
            warnings.warn(outdated_caution(rows, maker, folder), Caution, stacklevel=2)
    try:
        if run.missing:
            with engine(workers, scheduler) as works, Journal(folder / ROWS, planned.fingerprint) as journal:
                run.go(works, journal)
    finally:
        journals.refresh()
        table = write_tables(planned, journals, folder)
        outcomes = table["outcome"].value_counts()
        counts = {
            "solved": int(outcomes.get("solved", 0)),
            "failed": int(outcomes.get("failed", 0)),
            "uncertified": int(outcomes.get("not certified", 0)),
            "invalid": number - len(planned.ready),
            "missing": int(outcomes.get("missing", 0)),
            "outdated": outdated.total(),
        }
        _write_manifest(folder, planned, number, counts)
    return Summary(
        folder, number, fresh=run.fresh, seconds=time.perf_counter() - begin, table=table, **counts
    )


class _Run:
    """What is left to do, what flies, and what came back."""

    def __init__(
        self,
        planned: Plan,
        journals: Journals,
        retry_failed: bool,
        warm: bool,
        progress: Callable[[Progress], None],
    ) -> None:
        self.plan, self.journals, self.warm, self.progress = planned, journals, warm, progress
        self.modules = tuple(sorted({m.__module__ for m in planned.models.values()} - {"__main__"}))
        entries = journals.entries
        keys = {ready.key for ready in planned.ready}
        self.missing = {k for k in keys if k not in entries or (retry_failed and not entries[k].good)}
        self.unique = len(keys)
        self.failed = sum(not entries[key].good for key in keys - self.missing)
        self.fresh, self.seconds_a_row = 0, 0.0
        self.started = time.monotonic()
        self.flying: dict[Future[tuple[bytes, float]], Piece] = {}
        self.suspects: deque[Piece] = deque()
        self.looked = self.started

    def go(self, works: Engine, journal: Journal) -> None:
        """Keep the engine busy until nothing is missing."""
        blocks = self.plan.blocks()
        if self._others_write(journal):
            random.Random(str(journal.file)).shuffle(blocks)
        waiting = deque((block, list(block.rows)) for block in blocks)
        self.started = time.monotonic()
        try:
            while True:
                self._fill(works, waiting)
                if not self.flying:
                    break
                done, _ = wait(self.flying, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in done:
                    self._take(future, works, journal)
                self._report()
        except BaseException:
            works.stop()
            raise

    def _others_write(self, journal: Journal) -> bool:
        """Tell whether another run has written here within the last minute."""
        files = journal.folder.glob("*.journal")
        return any(time.time() - file.stat().st_mtime < 60 for file in files if file != journal.file)

    def _fill(self, works: Engine, waiting: deque[tuple[Block, list[Ready]]]) -> None:
        if time.monotonic() - self.looked > REFRESH_SECONDS:
            self._look_around()
        if self.suspects:  # one at a time, so that the row that ends its worker is known
            if not self.flying:
                self._submit(works, self.suspects.popleft())
            return
        while waiting and len(self.flying) < 2 * works.width:
            piece = self._next_piece(waiting)
            if piece is not None:
                self._submit(works, piece)

    def _next_piece(self, waiting: deque[tuple[Block, list[Ready]]]) -> Piece | None:
        block, left = waiting[0]
        size = 1 if not self.seconds_a_row else round(PIECE_SECONDS / self.seconds_a_row)
        rows: list[tuple[str, Mapping[str, Any]]] = []
        while left and len(rows) < min(max(size, 1), MOST_IN_PIECE):
            ready = left.pop(0)
            if ready.key in self.missing:
                rows.append((ready.key, ready.row.content))
        if not left:
            waiting.popleft()
        if not rows:
            return None
        first = block.rows[0]
        return Piece(
            block.name, (first.key, first.row.content), tuple(rows), str(first.row.folder),
            self.modules, self.warm,
        )  # fmt: skip

    def _submit(self, works: Engine, piece: Piece) -> None:
        try:
            self.flying[works.executor.submit(solve_piece, piece)] = piece
        except (BrokenExecutor, RuntimeError):
            self._recover(works, [piece])

    def _take(self, future: Future[tuple[bytes, float]], works: Engine, journal: Journal) -> None:
        """Write down what a piece of work has brought."""
        if future not in self.flying:
            return
        piece = self.flying.pop(future)
        try:
            lines, seconds = future.result()
        except (BrokenExecutor, CancelledError):
            self._blame(piece, works, journal)
            return
        except Exception as error:  # Dask's KilledWorker, or a task that could not travel
            if len(piece.rows) > 1:
                self.suspects.extend(_single(piece))
                return
            kind = type(error).__name__
            lines, seconds = line(piece.rows[0][0], FAILED, failure(kind, str(error))), 0.0
        each = seconds / len(piece.rows)
        self.seconds_a_row = (self.seconds_a_row + each) / 2 if self.seconds_a_row else each
        self._write(lines, journal)

    def _blame(self, piece: Piece, works: Engine, journal: Journal) -> None:
        """Find the row that ended its worker: alone in the air it is to blame, else all are tried singly."""
        if not self.flying and len(piece.rows) == 1:
            message = "the worker process died: killed, out of memory, or a crash in a solver"
            self._write(line(piece.rows[0][0], FAILED, failure("worker died", message)), journal)
            works.renew()
            return
        self._recover(works, [piece, *self.flying.values()])

    def _recover(self, works: Engine, pieces: list[Piece]) -> None:
        self.flying.clear()
        for piece in pieces:
            self.suspects.extend(_single(piece))
        works.renew()

    def _write(self, lines: bytes, journal: Journal) -> None:
        journal.append(lines)
        for text in lines.splitlines(keepends=True):
            result = parse(text)
            if result is not None:
                self.missing.discard(result[0])
                self.fresh += 1
                self.failed += result[1] != b"S"

    def _look_around(self) -> None:
        """Leave out what other runs on this folder have finished meanwhile."""
        self.looked = time.monotonic()
        self.journals.refresh()
        entries = self.journals.entries
        self.missing -= {key for key in self.missing if key in entries and entries[key].good}

    def _report(self) -> None:
        elapsed = time.monotonic() - self.started
        rate = self.fresh / elapsed if elapsed > 0 else 0.0
        left = len(self.missing) / rate if rate > 0 else float("nan")
        done = self.unique - len(self.missing)
        self.progress(Progress(self.unique, done, self.failed, rate, left))


def _single(piece: Piece) -> list[Piece]:
    return [replace(piece, rows=(row,)) for row in piece.rows]


def _check_folder(folder: Path) -> None:
    """Raise `InputError` if `folder` cannot become a sweep's folder without harm to other files."""
    if folder.exists() and not folder.is_dir():
        raise InputError("--out", str(folder), "a folder, not a file")
    others = folder.is_dir() and any(not file.name.startswith(f".{MANIFEST}") for file in folder.iterdir())
    if others and not (folder / MANIFEST).is_file():
        raise InputError("--out", str(folder), "a new or empty folder, or that of an earlier sweep")


def _write_manifest(folder: Path, planned: Plan, rows: int, counts: Mapping[str, int]) -> None:
    """Write what the sweep is: dataset, units of the columns, versions, counts."""
    from agora.runners.records.run_folder import as_json

    content = {
        "kind": "sweep",
        "dataset": planned.dataset.name,
        "columns": list(planned.dataset.columns),
        "models": sorted(planned.models),
        "units": units(planned.models.values()),
        "rows": rows,
        **counts,
        "tables": {"scenarios": SCENARIOS, "locations": "_locations.parquet", "work": "_work.parquet"},
        **planned.fingerprint,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_whole(folder / MANIFEST, (as_json(content) + "\n").encode())


def _write_invalid(folder: Path, planned: Plan) -> None:
    file = folder / INVALID
    if planned.faults:
        text = pd.DataFrame(list(lines_of(planned.faults))).to_csv(index=False)
        write_whole(file, text.encode())
    else:
        file.unlink(missing_ok=True)
