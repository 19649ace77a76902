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
REPEATS, ENOUGH = 5, 5.0
"""A measurement is repeated up to 5 times, as long as less than 5 seconds have been spent on it."""


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


def best_of(
    fresh: Callable[[], Any], build: Callable[[Any], Any], solve: Callable[[Any], float]
) -> dict[str, Any]:
    """Time `build` and `solve` on fresh data; the memory is that of the first of the repeats."""
    trials: list[dict[str, Any]] = []
    while len(trials) < REPEATS and sum(trial["build"] + trial["solve"] for trial in trials) < ENOUGH:
        data = fresh()
        gc.collect()
        start = time.perf_counter()
        built = build(data)
        middle = time.perf_counter()
        objective = solve(built)
        end = time.perf_counter()
        del data, built
        trials.append(
            {
                "build": middle - start,
                "solve": end - middle,
                "objective": objective,
                "megabytes": peak_megabytes(),
            }
        )
    best = min(trials, key=lambda trial: trial["build"] + trial["solve"])
    return {**best, "megabytes": trials[0]["megabytes"], "repeats": len(trials)}


def machine(packages: Sequence[str]) -> list[str]:
    """Describe where the numbers come from, a line each."""
    return [
        f"{_processor()}, {os.cpu_count()} cores, {platform.system()}; every measurement on one thread",
        f"Python {platform.python_version()}, "
        + ", ".join(f"{name} {_version(name)}" for name in packages),
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
