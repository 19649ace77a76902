"""What happens to the answers of a family when its algebra has an error: runs in a process of its own.

The error is planted before `agora` is imported, so nothing here may import it at the top.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import CodeType, FrameType, ModuleType
from typing import Any

import numpy as np

from .mutations import FORMULATIONS, ROOT, Mutant

PRELOADED = (
    "casadi", "highspy", "matplotlib.pyplot", "networkx", "pydantic", "pyomo.environ", "pytest",
    "scipy.optimize", "scipy.sparse.linalg",
)  # fmt: skip
"""What the processes share; not `agora`, which each of them imports anew."""
LIMIT = 30
"""Seconds of processor time after which answers are said not to end; all of a family take some five."""
TESTS = {
    "city/commuting_numbers.py": ("city/test_commuting.py",),
    "city/network_kernels.py": ("city/test_network_kernels.py",),
    "city/smooth_commuting.py": ("city/test_smooth_commuting.py",),
    "city/spillovers.py": ("city/test_externalities.py", "city/test_large_cities.py"),
    "marketplaces/coalition_numbers.py": ("marketplaces/test_coalition.py",),
    "marketplaces/grounds.py": ("marketplaces/test_marketplace_grounds.py",),
    "marketplaces/market_equilibrium.py": ("marketplaces/test_marketplaces.py",),
    "marketplaces/preferences.py": ("marketplaces/test_marketplaces.py",),
    "migration/kernels.py": ("migration/test_kernels.py",),
    "migration/mean_field_numbers.py": ("migration/test_mean_field_numbers.py",),
    "migration/monotonicity.py": ("migration/test_racetrack.py",),
    "migration/myopic.py": ("migration/test_myopic_migration.py",),
    "migration/racetrack.py": ("migration/test_racetrack.py",),
    "migration/trade.py": ("migration/test_trade.py",),
    "sectors/reallocation_numbers.py": ("sectors/test_invisible_hand.py",),
    "sectors/short_run_numbers.py": ("sectors/test_short_run.py", "sectors/test_invisible_hand.py"),
}
"""Tests of what is a formula and no program: they are run where lines and programs show nothing."""

CAUGHT, WRONG, EQUAL, UNREACHED = "caught", "wrong and certified", "same answer", "nothing calls it"
"""What may come of an error."""

Reached = frozenset[tuple[str, int]]
"""Functions, as module and first line."""


@dataclass(frozen=True)
class Probe:
    """A line of the harness or a program, solved without errors.

    Attributes
    ----------
    sort : str
        ``line`` or ``program``.
    name : str
        Its name there.
    reached : frozenset
        The functions of the formulations that it calls.
    seconds : float
        Processor time.
    columns : mapping
        ``table.column`` → its entries, of a line.
    tolerance : float
        How closely they are known.
    """

    sort: str
    name: str
    reached: Reached
    seconds: float
    columns: Mapping[str, np.ndarray]
    tolerance: float


@dataclass(frozen=True)
class Verdict:
    """What came of an error.

    Attributes
    ----------
    verdict : str
        `CAUGHT`, `WRONG`, `EQUAL` or `UNREACHED`.
    how : str
        By what it was caught, or what it changed.
    difference : float
        The largest difference in a certified answer, relative to the largest entry of its column.
    """

    verdict: str
    how: str = ""
    difference: float = 0.0

    def caught(self, how: str) -> Verdict:
        """Return the verdict once something has shown the error, be it after a certified answer changed."""
        before = f" (before, wrong and certified: {self.how})" if self.verdict == WRONG else ""
        return Verdict(CAUGHT, how + before, self.difference)


# --- without errors --------------------------------------------------------------------------------


def baseline(family: str) -> list[Probe]:
    """Solve every line and every program of a family, and note what they call; the quickest stand first."""
    _alone()
    from .economies import LINES
    from .programs import PROGRAMS, Solving

    probes = []
    for name in _of_family(LINES, family):
        reached, seconds, solution = _noted(lambda name=name: _solve(name))
        line = LINES[name]
        tolerance = max(1e-6, line.accuracy)
        probes.append(Probe("line", name, reached, seconds, _columns(solution, line.unchecked), tolerance))
    for name in _of_family(PROGRAMS, family):
        _forget()  # so that what other entries have solved is solved, and noted, again
        reached, seconds, _ = _noted(lambda name=name: PROGRAMS[name].compare(Solving()))
        probes.append(Probe("program", name, reached, seconds, {}, 0.0))
    return sorted(probes, key=lambda probe: (probe.sort, probe.seconds))


def _of_family(names: Mapping[str, Any], family: str) -> list[str]:
    """Return the names whose model, before the first comma or dot, is of a family."""
    from importlib import import_module

    models = import_module(f"agora.models.{family}").MODELS
    return [name for name in names if name.split(",")[0].split(".")[0] in models]


def _solve(name: str) -> Any:
    from .economies import solved

    return solved(name)


def _forget() -> None:
    from . import economies, programs

    for module in (economies, programs):
        for each in vars(module).values():
            if hasattr(each, "cache_clear"):
                each.cache_clear()


def _noted(work: Callable[[], Any]) -> tuple[Reached, float, Any]:
    """Do some work; return what it called, the processor time it took, and what it returned."""
    called: set[CodeType] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            called.add(frame.f_code)

    start = time.process_time()
    sys.setprofile(note)
    try:
        result = work()
    finally:
        sys.setprofile(None)
    reached = set()
    for code in called:
        if code.co_filename.startswith(str(FORMULATIONS)):
            reached.add((os.path.relpath(code.co_filename, FORMULATIONS), code.co_firstlineno))
    return frozenset(reached), time.process_time() - start, result


def _columns(solution: Any, unchecked: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Return every column of an answer but what a method tells of its search, and the objective."""
    found = {"objective": np.array([solution.objective], dtype=float)}
    for table, frame in solution.tables.items():
        for column in frame:
            if f"{table}.{column}" not in unchecked:
                found[f"{table}.{column}"] = frame[column].to_numpy()
    return found


# --- with an error ---------------------------------------------------------------------------------


def trial(mutant: Mutant, probes: list[Probe]) -> Verdict:
    """Solve what reaches the error: lines, programs, tests, up to the first that shows it."""
    _alone()
    sys.meta_path.insert(0, _Planted(mutant))
    touched = [probe for probe in probes if (mutant.module, mutant.line) in probe.reached]
    verdict = Verdict(EQUAL if touched else UNREACHED)
    for probe in touched:
        found = _line(probe) if probe.sort == "line" else _program(probe)
        largest = max(found.difference, verdict.difference)
        how = f"{probe.sort} {probe.name}: {found.how}"
        if found.verdict == CAUGHT:
            return verdict.caught(how)
        if found.verdict == WRONG and verdict.verdict != WRONG:
            verdict = Verdict(WRONG, how, largest)
        verdict = replace(verdict, difference=largest)
    failed = _failing_test(mutant)
    return verdict.caught(f"test {failed}") if failed else verdict


def _line(probe: Probe) -> Verdict:
    """Compare the answer of a line with what it is without the error."""
    from .economies import LINES

    try:
        solution = _solve(probe.name)
    except Exception as error:
        return Verdict(CAUGHT, _sentence(error))
    found = _columns(solution, LINES[probe.name].unchecked)
    if found.keys() != probe.columns.keys():
        return Verdict(WRONG, "other columns", np.inf)
    gaps = {name: _difference(found[name], wanted) for name, wanted in probe.columns.items()}
    worst = max(gaps, key=gaps.__getitem__)
    if gaps[worst] > probe.tolerance:
        return Verdict(WRONG, worst, gaps[worst])
    return Verdict(EQUAL, "", gaps[worst])


def _program(probe: Probe) -> Verdict:
    from .programs import PROGRAMS, Solving

    try:
        PROGRAMS[probe.name].compare(Solving())
    except Exception as error:
        return Verdict(CAUGHT, _sentence(error))
    return Verdict(EQUAL)


def _failing_test(mutant: Mutant) -> str:
    """Run the tests of the module, if it has some, up to the first that fails; return its name."""
    import pytest

    class Failed:
        name = ""

        def pytest_runtest_logreport(self, report: Any) -> None:
            if report.failed and not self.name:
                self.name = report.nodeid

    files = [str(ROOT / "tests" / file) for file in TESTS.get(mutant.module, ())]
    if not files:
        return ""
    used, failed = int(time.process_time()), Failed()
    resource.setrlimit(resource.RLIMIT_CPU, (used + 3 * LIMIT, resource.RLIM_INFINITY))
    code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}", *files], [failed])
    return "" if code == pytest.ExitCode.OK else failed.name or files[0]


def _difference(found: np.ndarray, wanted: np.ndarray) -> float:
    """Return the largest difference of two columns, relative to the largest entry; infinite of words."""
    if found.shape != wanted.shape:
        return np.inf
    if wanted.dtype.kind not in "fiu":
        return 0.0 if (found == wanted).all() else np.inf
    if not np.array_equal(np.isnan(found), np.isnan(wanted)):
        return np.inf
    scale = float(np.nanmax(np.abs(wanted), initial=0.0))
    gap = float(np.nanmax(np.abs(found - wanted), initial=0.0))
    return gap / scale if scale > 1e-6 else gap


def _sentence(error: Exception) -> str:
    first = next((line for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {first.strip()[:120]}"


class _Planted(importlib.abc.MetaPathFinder):
    """Finds one module of the package with its error."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> Any:
        """Return the module if it is the one."""
        if name != self.mutant.name:
            return None
        loader = _WithError(name, str(FORMULATIONS / self.mutant.module))
        loader.tree = self.mutant.tree()
        return importlib.util.spec_from_loader(name, loader)


class _WithError(importlib.machinery.SourceFileLoader):
    """Loads a syntax tree in the place of a file."""

    tree: Any

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of the tree."""
        return compile(self.tree, self.path, "exec")


# --- processes -------------------------------------------------------------------------------------


def run(connection: Any, work: str, *given: Any) -> None:
    """Do some work in this process; send what comes of it, the processor time, and how it failed."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # what solvers and libraries print
        os.dup2(nowhere, stream)
    result, failure = None, ""
    try:
        result = {"baseline": baseline, "trial": trial}[work](*given)
    except BaseException:
        failure = traceback.format_exc()
    connection.send((result, time.process_time(), failure))
    os._exit(0)  # no answer is left to be written, and what an error left behind need not be tidied


def _alone() -> None:
    """Limit the processor time, and find the tests' packages as the tests do."""
    assert "agora" not in sys.modules
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, resource.RLIM_INFINITY))
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
