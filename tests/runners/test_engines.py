"""Engines: a real Dask scheduler with two workers on loopback, one of which is killed in the middle."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agora.data.checks import InputError
from agora.runners.sweeps import Progress, sweep
from agora.runners.sweeps.engines import engine

needs_dask = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="needs Dask: pip install 'agora[cluster]'"
)

DATASET = """scenario = "two-cell-low"
[grid]
commuting_cost = { from = 0.01, to = 0.3, number = 200 }
"""


def started(folder: Path, name: str, *command: str) -> subprocess.Popen[str]:
    whole = [sys.executable, "-m", *command]
    with (folder / f"{name}.log").open("w") as log:
        return subprocess.Popen(whole, stdout=log, stderr=subprocess.STDOUT, text=True, cwd=folder)


def found(folder: Path, name: str, pattern: str) -> str:
    limit = time.monotonic() + 300
    while time.monotonic() < limit:
        match = re.search(pattern, (folder / f"{name}.log").read_text())
        if match:
            return match.group(0)
        time.sleep(0.1)
    raise TimeoutError((folder / f"{name}.log").read_text())


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[str]]]]:
    options = ("--host", "127.0.0.1", "--no-dashboard")
    running = [started(tmp_path, "scheduler", "distributed.cli.dask_scheduler", "--port", "0", *options)]
    try:
        address = found(tmp_path, "scheduler", r"tcp://127\.0\.0\.1:\d+")
        for k in range(2):
            options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
            running.append(started(tmp_path, f"worker{k}", "distributed.cli.dask_worker", address, *options))
        for k in range(2):
            found(tmp_path, f"worker{k}", "Registered to")
        yield address, running
    finally:
        for process in reversed(running):
            process.kill()
        for process in running:
            process.wait()


@needs_dask
def test_dask_with_two_workers_one_of_which_is_killed(
    tmp_path: Path, cluster: tuple[str, list[subprocess.Popen[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agora.runners.sweeps.engines.CONNECT_SECONDS", 300)  # on a busy machine
    address, (_, victim, _) = cluster
    file = tmp_path / "cities.toml"
    file.write_text(DATASET, encoding="utf-8")

    def kill_one(at: Progress) -> None:
        if at.done > 20:
            with contextlib.suppress(ProcessLookupError):
                victim.send_signal(signal.SIGKILL)

    summary = sweep(file, tmp_path / "dask", scheduler=address, progress=kill_one)
    assert victim.wait(timeout=300) == -signal.SIGKILL
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
