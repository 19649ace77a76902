"""One measurement in one fresh process: best time of a few, peak memory, the machine.

A process starts with the peak memory of the one that spawned it, so whoever calls `in_child` keeps
itself small: numpy, matplotlib and the package are imported only after the last measurement.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
PHASES = ("build", "solve", "check")
REPEATS, ENOUGH = 5, 12.0
"""A measurement is repeated up to 5 times, as long as less than 12 seconds have been spent on it."""
DISTURBED, PATIENCE = 0.1, 40.0
"""Waiting more than a tenth of the time for a busy machine, it is repeated up to 40 seconds."""


def in_child(module: str, arguments: Sequence[object], limit: float) -> dict[str, Any]:
    """Run ``python -m module arguments`` and return the JSON object it prints, or why there is none."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    environment = {**os.environ, **ONE_THREAD}
    try:
        child = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return {"skipped": f"stopped after {limit:g} s"}
    if child.returncode:
        raise RuntimeError(f"{' '.join(command[2:])} failed:\n{child.stderr}")
    report: dict[str, Any] = json.loads(child.stdout.splitlines()[-1])
    return report


def peak_megabytes() -> float:
    """Return the largest resident memory of this process so far, in MB (10^6 bytes)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def best_of(run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Repeat `run` and return its quickest report; the memory is that after the first.

    `run` reports the seconds of its phases, ``build``, ``solve`` and perhaps ``check``. ``waited`` is
    added: the share of its time that this process, which has one thread, was not running.
    """
    reports: list[dict[str, Any]] = []
    peaks: list[float] = []
    while _again(reports):
        gc.collect()
        wall, running = time.perf_counter(), time.process_time()
        report = run()
        wall, running = time.perf_counter() - wall, time.process_time() - running
        reports.append({**report, "waited": max(0.0, 1 - running / wall)})
        peaks.append(peak_megabytes())
    return {**min(reports, key=seconds), "megabytes": peaks[0], "repeats": len(reports)}


def _again(reports: list[dict[str, Any]]) -> bool:
    spent = sum(map(seconds, reports))
    disturbed = all(report["waited"] > DISTURBED for report in reports)
    return len(reports) < REPEATS and (spent < ENOUGH or (disturbed and spent < PATIENCE))


def seconds(report: dict[str, Any]) -> float:
    """Return the seconds of all phases of a report."""
    return float(sum(report.get(phase, 0.0) for phase in PHASES))


def machine(packages: Sequence[str]) -> list[str]:
    """Describe where the numbers come from, a line each."""
    return [
        f"{_processor()}, {os.cpu_count()} cores, {platform.system()}; every measurement on one thread",
        f"Python {platform.python_version()}, " + ", ".join(f"{name} {_version(name)}" for name in packages),
    ]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
