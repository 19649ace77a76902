"""Engines: a real Dask scheduler with two workers on loopback, one of which is killed in the middle."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from agora.data.checks import InputError
from agora.runners.sweeps import Progress, sweep
from agora.runners.sweeps.engines import engine

needs_dask = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="needs Dask: pip install 'agora[cluster]'"
)

DATASET = """scenario = "two-cell-low"
[grid]
commuting_cost = { from = 0.01, to = 0.3, number = NUMBER }
"""


class Started:
    """A process, and what it says line by line."""

    def __init__(self, folder: Path, *command: str) -> None:
        whole = [sys.executable, "-u", "-m", *command]
        pipe, both = subprocess.PIPE, subprocess.STDOUT
        self.process = subprocess.Popen(whole, stdout=pipe, stderr=both, text=True, cwd=folder)
        self.said: SimpleQueue[str] = SimpleQueue()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.said.put(line)
        self.said.put("")

    def says(self, pattern: str) -> str:
        """Return what matches in the next line that does; fail if the process ends without such a line."""
        before = ""
        while line := self.said.get():
            before += line
            match = re.search(pattern, line)
            if match:
                return match.group(0)
        raise AssertionError(before)

    def end(self) -> None:
        """Kill the process and wait until it has ended."""
        self.process.kill()
        self.process.wait()
        self.reader.join()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[Started]]]:
    options = ("--host", "127.0.0.1", "--no-dashboard")
    running = [Started(tmp_path, "distributed.cli.dask_scheduler", "--port", "0", *options)]
    try:
        address = running[0].says(r"tcp://127\.0\.0\.1:\d+")
        for _ in range(2):
            alone = ("--nthreads", "1", "--no-nanny")
            running.append(Started(tmp_path, "distributed.cli.dask_worker", address, *alone, *options))
        for worker in running[1:]:
            worker.says("Registered to")
        yield address, running
    finally:
        for each in reversed(running):
            each.end()


WITHIN_A_PROCESS = """
import sys
from distributed import LocalCluster
from agora.runners.sweeps import engines
from agora.runners.sweeps import run, sweep

engines.CONNECT_SECONDS = 300  # on a busy machine
run.PIECE_SECONDS = 0.0  # a row a piece

def leave(at):
    if at.done > 2:
        cluster.scale(1)

with LocalCluster(
    n_workers=2, threads_per_worker=1, processes=False, protocol="tcp", host="127.0.0.1",
    dashboard_address=None,
) as cluster:
    before = len(cluster.workers)
    summary = sweep(sys.argv[1], sys.argv[2], scheduler=cluster.scheduler_address, progress=leave)
    print(before, len(cluster.workers), summary.complete, summary.fresh)
"""


@needs_dask
def test_dask_with_two_workers_one_of_which_leaves(tmp_path: Path) -> None:
    file = tmp_path / "cities.toml"
    file.write_text(DATASET.replace("NUMBER", "12"), encoding="utf-8")
    words = [sys.executable, "-c", WITHIN_A_PROCESS, str(file), str(tmp_path / "dask")]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    assert run.stdout.split() == ["2", "1", "True", "12"], run.stderr
    sweep(file, tmp_path / "here", workers=0)
    for name in ("scenarios.parquet", "_locations.parquet"):
        assert (tmp_path / "dask" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


@needs_dask
@pytest.mark.heavy
def test_dask_with_two_workers_one_of_which_is_killed(
    tmp_path: Path, cluster: tuple[str, list[Started]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agora.runners.sweeps.engines.CONNECT_SECONDS", 300)  # on a busy machine
    monkeypatch.setattr("agora.runners.sweeps.run.PIECE_SECONDS", 0.0)  # a row a piece
    address, (_, worker, _) = cluster
    victim = worker.process
    file = tmp_path / "cities.toml"
    file.write_text(DATASET.replace("NUMBER", "40"), encoding="utf-8")

    def kill_one(at: Progress) -> None:
        if at.done > 5:
            with contextlib.suppress(ProcessLookupError):
                victim.send_signal(signal.SIGKILL)

    summary = sweep(file, tmp_path / "dask", scheduler=address, progress=kill_one)
    assert victim.wait() == -signal.SIGKILL
    assert summary.complete
    sweep(file, tmp_path / "here", workers=0)
    for name in ("scenarios.parquet", "_locations.parquet"):
        assert (tmp_path / "dask" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


@needs_dask
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x"])
def test_a_scheduler_that_does_not_answer_is_bad_input(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agora.runners.sweeps.engines.CONNECT_SECONDS", 0.5)
    with pytest.raises(InputError, match="a running Dask scheduler"), engine(scheduler=address):
        pass
