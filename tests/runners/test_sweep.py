"""Sweeps: nothing is lost, nothing is solved twice, and the tables do not tell what happened on the way."""

from __future__ import annotations

import errno
import json
import os
import random
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from commands import agora

from agora.data.checks import InputError
from agora.data.datasets import BadRows
from agora.runners.sweeps import journal as journals
from agora.runners.sweeps import sweep
from agora.runners.sweeps.journal import FAILED, SOLVED, Journal, Journals, NotWritten, line
from agora.runners.sweeps.plan import plan
from agora.runners.sweeps.work import Piece, solve_piece

TWO_CELLS = """scenario = "two-cell-low"
[grid]
geography.land = [[0.6, 0.4], [0.5, 0.5]]
commuting_cost = { from = 0.01, to = 0.3, number = NUMBER }
"""

TABLES = ("scenarios.parquet", "_locations.parquet")


def dataset(folder: Path, number: int = 5) -> Path:
    file = folder / "cities.toml"
    file.write_text(TWO_CELLS.replace("NUMBER", str(number)), encoding="utf-8")
    return file


def tables(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in TABLES]


# --- what comes out --------------------------------------------------------------------------------


def test_one_tidy_table_and_one_long(tmp_path: Path) -> None:
    summary = sweep(dataset(tmp_path), tmp_path / "out", workers=0)
    assert summary.complete
    tidy = pd.read_parquet(tmp_path / "out")  # the folder itself, and nothing but the table of scenarios
    assert list(tidy["scenario"]) == list(range(1, 11))
    assert tidy["certified"].all()
    assert {"commuting_cost", "objective", "totals.profit", "facts.centres"} <= set(tidy.columns)
    long = pd.read_parquet(tmp_path / "out" / "_locations.parquet")
    firms = long[(long["table"] == "cells") & (long["quantity"] == "firms")]
    assert len(firms) == 20
    assert firms.groupby("scenario")["value"].sum().to_numpy() == pytest.approx([0.5] * 10)
    manifest = json.loads((tmp_path / "out" / "_manifest.json").read_text())
    assert manifest["solved"] == 10
    assert manifest["units"]["commuting_cost"] == "numéraire per household and length"


def test_a_second_run_solves_nothing_and_a_changed_row_is_another(tmp_path: Path) -> None:
    file, out = dataset(tmp_path), tmp_path / "out"
    sweep(file, out, workers=0)
    first = tables(out)
    assert sweep(file, out, workers=0).fresh == 0
    assert tables(out) == first
    file.write_text(file.read_text().replace("to = 0.3", "to = 0.31"), encoding="utf-8")
    assert sweep(file, out, workers=0).fresh == 8  # of five values a land all but the first are new
    file.write_text(file.read_text() + "labor_per_firm = [1]\n", encoding="utf-8")
    assert sweep(file, out, workers=0).fresh == 0  # an integer, and given: the same scenario


def test_another_solver_is_another_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agora.data.datasets import read_dataset
    from agora.runners.sweeps import plan as module

    read = read_dataset(dataset(tmp_path))
    before = [ready.key for ready in plan(read).ready]
    assert [ready.key for ready in plan(read).ready] == before
    known = module._fingerprint()
    other = {**known, "versions": {**known["versions"], "highspy": "0"}}
    monkeypatch.setattr(module, "_fingerprint", lambda: other)
    assert not set(before) & {ready.key for ready in plan(read).ready}


def test_warm_rows_are_those_solved_from_nothing(tmp_path: Path) -> None:
    file = dataset(tmp_path, 4)
    warm = sweep(file, tmp_path / "warm", workers=0).table
    cold = sweep(file, tmp_path / "cold", workers=0, warm=False).table
    for column in warm.select_dtypes("number").columns:
        if column not in ("worst_violation",):
            other = pytest.approx(cold[column].to_numpy(), abs=1e-9, nan_ok=True)
            assert warm[column].to_numpy() == other, column
    work = pd.read_parquet(tmp_path / "warm" / "_work.parquet")
    assert set(work["start"]) == {"cold", "warm"}
    assert set(pd.read_parquet(tmp_path / "cold" / "_work.parquet")["start"]) == {"cold"}


def test_the_order_of_the_work_leaves_no_trace(tmp_path: Path) -> None:
    from agora.data.datasets import read_dataset

    block = plan(read_dataset(dataset(tmp_path, 6))).blocks()[0]
    rows = [(ready.key, ready.row.content) for ready in block.rows]

    def answers(order: list[tuple[str, Any]], name: str) -> dict[str, Any]:
        found = {}
        for row in order:
            text, _ = solve_piece(Piece(name, rows[0], (row,), "."))
            key, record = text.split(b" ", 3)[1], json.loads(text.split(b" ", 3)[3])
            record.pop("work")
            found[key.decode()] = record
        return found

    shuffled = rows.copy()
    random.Random(1).shuffle(shuffled)
    assert answers(rows, "one") == answers(shuffled, "two")


# --- bad rows, failed rows -------------------------------------------------------------------------

BAD = """scenario,commuting_cost,decay,solve.starts,geography.kind
two-cell-low,0.02,,,
two-cell-low,-1,,,
two-cell-low,nan,,,
two-cell-low,0.02,fast,,
two-cell-low,0.02,,0,
two-cell-low,0.02,,,trapezium
nowhere,0.02,,,
"""


def test_every_bad_row_is_listed_before_anything_is_solved(tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(BAD, encoding="utf-8")
    with pytest.raises(BadRows) as caught:
        sweep(file, tmp_path / "out", workers=0)
    assert not (tmp_path / "out").exists()
    faults = [(fault.row, fault.column) for fault in caught.value.faults]
    assert faults == [
        (2, "commuting_cost"), (3, "commuting_cost"), (4, "decay"), (5, "solve.starts"),
        (6, "geography.kind"), (7, "scenario"),
    ]  # fmt: skip


def test_bad_rows_on_the_command_line_are_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text(BAD, encoding="utf-8")
    words = ("sweep", "bad.csv", "--out", "out", "--workers", "0")
    run = agora(*words, folder=tmp_path)
    assert run.returncode == 2
    assert "Traceback" not in run.stderr
    assert "row 2: commuting_cost is -1, but must be a finite number > 0." in run.stderr
    assert "row 6: geography.kind is 'trapezium'" in run.stderr
    run = agora(*words, "--skip-invalid", folder=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "1 of 7 scenarios solved and certified, 6 not valid" in run.stdout
    invalid = pd.read_csv(tmp_path / "out" / "_invalid.csv")
    assert list(invalid["row"]) == [2, 3, 4, 5, 6, 7]


def test_a_failed_row_keeps_its_reason_and_stops_no_other(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    # the global maximum is only enumerable without excess land: a bad input that shows when solving
    text = "scenario,firm_mass,solve.method\ntwo-cell-low,0.5,global\ntwo-cell-low,0.4,global\n"
    file.write_text(text, encoding="utf-8")
    summary = sweep(file, tmp_path / "out", workers=0)
    assert (summary.solved, summary.failed) == (1, 1)
    failed = summary.table.iloc[1]
    assert failed["outcome"] == "failed"
    assert "no excess land" in failed["message"]
    assert sweep(file, tmp_path / "out", workers=0).fresh == 0
    assert sweep(file, tmp_path / "out", workers=0, retry_failed=True).fresh == 1


def test_a_row_that_ends_its_worker_is_found_and_the_rest_is_solved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deadly.py").write_text(DEADLY, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    import deadly

    try:
        file = tmp_path / "t.csv"
        rows = [f"deadly,{k}" for k in range(2, 5)]
        file.write_text("\n".join(["model,weight", *rows]), encoding="utf-8")
        summary = sweep(file, tmp_path / "out", workers=1)
    finally:
        deadly.Model.registry.pop("deadly")
    assert (summary.solved, summary.failed) == (2, 1)
    assert "worker process died" in summary.table["message"].iloc[1]


DEADLY = """
import os
import pandas as pd
import pyomo.environ as pyo
from agora.models import Condition, Model, ModelCard

class Deadly(Model):
    card = ModelCard("deadly", "?", "linear", "none", (), ())
    weight: float

    def program(self):
        if self.weight == 3:
            os.kill(os.getpid(), 9)
        program = pyo.ConcreteModel()
        program.x = pyo.Var(bounds=(0, 1))
        program.o = pyo.Objective(expr=program.x * (1 + self.weight), sense=pyo.maximize)
        return program

    def read(self, program):
        return {"totals": pd.DataFrame({"x": [program.x.value]})}

    def conditions(self, tables, tolerance=1e-6):
        return (Condition("x is 1", abs(tables["totals"]["x"][0] - 1), "x", tolerance),)
"""


# --- nothing is lost -------------------------------------------------------------------------------

KILLED = """
import os, random, signal, sys
import agora.runners.sweeps.journal as journal
import agora.runners.sweeps.run as run
import agora.runners.sweeps.work as work
from agora.runners.sweeps import sweep

run.PIECE_SECONDS = 0.0  # a row a piece
file, out, calm, seed = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
chance, write, hits = random.Random(seed), os.write, 0
sweep(file, calm, workers=0)
work._benches.clear()

def cut(rows, share):
    def writes(handle, data):
        nonlocal rows
        rows -= 1
        if rows < 0:
            write(handle, bytes(data)[: int(share * len(data))])
            os.kill(os.getpid(), signal.SIGKILL)
        return write(handle, data)
    return writes

for kill in range(10):
    rows, share = chance.randrange(3), chance.random()
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(told)
        if kill % 2 == 0:  # in the middle of a line that is being written
            journal.os.write = cut(rows, share)
        sweep(file, out, workers=0, progress=lambda at: write(tell, b"."))
        os._exit(0)
    os.close(tell)
    if kill % 2 == 1:  # from outside, wherever the run may be after so many words of progress
        for _ in range(rows):
            os.read(told, 1)  # nothing when the run has ended
        os.kill(child, signal.SIGKILL)
    os.close(told)
    hits += os.WIFSIGNALED(os.waitpid(child, 0)[1])
complete = sweep(file, out, workers=0).complete

child = os.fork()  # two runs on one folder at the same time
both = sweep(file, "both", workers=0)
if child == 0:
    os._exit(0 if both.complete else 1)
print(hits, complete, both.complete, os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork to kill a run again and again")
@pytest.mark.parametrize("number", [6, pytest.param(500, marks=pytest.mark.heavy)])
def test_a_run_killed_ten_times_gives_the_same_tables(tmp_path: Path, number: int) -> None:
    file = dataset(tmp_path, number)
    script = tmp_path / "killed.py"
    script.write_text(KILLED, encoding="utf-8")
    words = [sys.executable, str(script), str(file), "killed", "calm", "7"]
    run = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    hits, *ended = run.stdout.split()
    assert ended == ["True", "True", "0"]
    assert int(hits) >= 1  # the first kill hits for certain; how many more depends on the machine
    assert tables(tmp_path / "killed") == tables(tmp_path / "calm")
    assert tables(tmp_path / "both") == tables(tmp_path / "calm")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs the list of processes")
def test_processes_end_with_the_run_that_is_killed(tmp_path: Path) -> None:
    file, out = dataset(tmp_path, 12), tmp_path / "out"
    run = watched(file, out, workers=1, start_new_session=True)
    try:
        assert run.stdout is not None
        assert run.stdout.readline() == "at work\n"
        run.kill()
        assert run.wait() == -signal.SIGKILL  # it was at work when it was killed
        # every process of the run holds the other end of this pipe: it is closed when the last has ended
        closed, _, _ = select.select([run.stdout], [], [], 600)
        assert closed, "workers outlived the run"
        assert run.stdout.read() == ""
        assert not alive(run.pid)
    finally:
        for process in alive(run.pid):
            os.kill(process, signal.SIGKILL)
        run.communicate()
    seen = Journals(out / "_rows")
    seen.refresh()
    assert seen.entries
    assert all(entry.good for entry in seen.entries.values())


WATCHED = """
import sys
from agora.runners.sweeps import sweep

told = False

def tell(at):
    global told
    if at.done and not told:
        told = True
        print("at work", flush=True)
        sys.stdin.readline()

if __name__ == "__main__":
    sweep(sys.argv[1], sys.argv[2], workers=int(sys.argv[3]), progress=tell)
"""


def watched(file: Path, out: Path, workers: int, **options: Any) -> subprocess.Popen[str]:
    """Start a sweep that says when its first rows are done, and then waits for a line to go on."""
    words = [sys.executable, "-c", WATCHED, str(file), str(out), str(workers)]
    pipe = subprocess.PIPE
    return subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True, **options)


def alive(group: int) -> list[int]:
    """Return the processes of a group that run; what has ended and was not fetched yet does not."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of_group = file.read_text().rpartition(")")[2].split()[:3]
        except OSError:  # it has ended meanwhile
            continue
        if int(of_group) == group and state not in "ZX":
            found.append(int(file.parent.name))
    return found


def test_a_line_cut_short_or_changed_is_not_there(tmp_path: Path) -> None:
    whole = line("a" * 64, SOLVED, {"x": 1.0})
    other = line("b" * 64, SOLVED, {"x": float("nan")})
    damaged = line("c" * 64, SOLVED, {"x": 2.0}).replace(b"2.0", b"3.0")
    (tmp_path / "one.journal").write_bytes(whole + damaged + other + whole[:40])
    seen = Journals(tmp_path)
    seen.refresh()
    assert set(seen.entries) == {"a" * 64, "b" * 64}
    records = list(seen.records(["b" * 64, "z", "a" * 64]))
    assert records[1:] == [None, {"x": 1.0}]


def test_a_solved_record_stands_before_a_failed_one(tmp_path: Path) -> None:
    with Journal(tmp_path) as one:
        one.append(line("a", FAILED, {"error": 1}))
        one.append(line("b", SOLVED, {"x": 1}))
    with Journal(tmp_path) as two:
        two.append(line("a", SOLVED, {"x": 2}))
        two.append(line("b", FAILED, {"error": 2}))
    seen = Journals(tmp_path)
    seen.refresh()
    assert list(seen.records(["a", "b"])) == [{"x": 2}, {"x": 1}]


def test_a_full_disk_costs_only_what_was_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, out = dataset(tmp_path, 4), tmp_path / "out"
    real, written = os.write, 0

    def write(handle: int, data: Any) -> int:
        nonlocal written
        written += 1
        if written == 3:
            return real(handle, bytes(data)[:50])  # some of it, and then no more
        if written > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle, data)

    monkeypatch.setattr(journals.os, "write", write)
    with pytest.raises(NotWritten):
        sweep(file, out, workers=0)
    monkeypatch.setattr(journals.os, "write", real)
    kept = next((out / "_rows").glob("*.journal")).read_bytes()
    assert kept.endswith(b"\n")
    summary = sweep(file, out, workers=0)
    assert summary.complete
    assert summary.fresh < 8
    sweep(file, tmp_path / "calm", workers=0)
    assert tables(out) == tables(tmp_path / "calm")


@pytest.mark.heavy  # that which is killed ten times has two runs by default
def test_two_runs_on_one_folder_do_not_harm_each_other(tmp_path: Path) -> None:
    file, out = dataset(tmp_path, 8), tmp_path / "out"
    with watched(file, out, workers=0) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "at work\n"
        other.stdin.write("go on\n")
        other.stdin.flush()
        sweep(file, out, workers=0)  # while the other is at work
        _, errors = other.communicate()
    assert other.returncode == 0, errors
    sweep(file, tmp_path / "calm", workers=0)
    assert tables(out) == tables(tmp_path / "calm")


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="that of an earlier sweep"):
        sweep(dataset(tmp_path), out, workers=0)
    with pytest.raises(InputError, match="--workers"):
        sweep(dataset(tmp_path), tmp_path / "new", workers=-1)
