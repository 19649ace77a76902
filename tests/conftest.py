"""What every test has: shared makers, random examples that are the same on every machine, one thread each."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

STARTED = time.perf_counter()

sys.path.insert(0, str(Path(__file__).parent))

for library in ("OMP", "OPENBLAS", "MKL"):  # before any is loaded: a worker a core, a thread a worker
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

# no deadline on work, nor on the drawing of examples: a machine may be busy with something else
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", patient, derandomize=True)
settings.register_profile("explore", patient)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Have one worker run all tests of a file, so that what they share is made once."""
    if getattr(config.option, "numprocesses", None) and config.option.dist == "no":
        config.option.dist = "loadfile"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what the run took; the processes of pytest-xdist have ended by now, so that they are counted."""
    spent = os.times()
    processor = spent.user + spent.system + spent.children_user + spent.children_system
    wall = time.perf_counter() - STARTED
    terminalreporter.write_line(
        f"{wall:.0f} s on {os.cpu_count()} cores, {processor:.0f} s of processor time"
    )
