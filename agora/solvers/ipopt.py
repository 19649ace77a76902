"""IPOPT: the first that works of the idaes binaries, an executable on the PATH, and the CasADi wheel."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyomo.environ as pyo
from pyomo.contrib.solver.solvers.ipopt import Ipopt

from agora.solvers.classify import ProgramClass, sign_test_program
from agora.solvers.records import SolverRecord, iterations_of, load_optimum, release

IPOPT_OPTIONS: dict[str, Any] = {
    "tol": 1e-9,
    "acceptable_iter": 0,
    "max_iter": 3000,
    "bound_relax_factor": 0.0,
}
"""Options with which IPOPT runs here, where they differ from its own."""


@dataclass(frozen=True)
class IpoptRoute:
    """How IPOPT is reached on this machine."""

    source: str
    executable: Path | None
    linear_solver: str
    version: str
    libraries: Path | None = None


def idaes_folder() -> Path:
    """Return the folder where idaes keeps its binaries."""
    if "IDAES_DATA" in os.environ:
        return Path(os.environ["IDAES_DATA"]) / "bin"
    if platform.system() == "Windows":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "idaes" / "bin"
    return Path.home() / ".idaes" / "bin"


@contextmanager
def library_path(folder: Path | None) -> Iterator[None]:
    """Let an executable find the libraries beside it, for the time of one solve."""
    name = "PATH" if platform.system() == "Windows" else "LD_LIBRARY_PATH"
    before = os.environ.get(name)
    if folder is not None:
        os.environ[name] = f"{folder}{os.pathsep}{before}" if before else str(folder)
    try:
        yield
    finally:
        if folder is not None:
            if before is None:
                del os.environ[name]
            else:
                os.environ[name] = before


@lru_cache(maxsize=1)
def ipopt_route() -> IpoptRoute:
    """Return the first IPOPT of the chain that solves a two-variable program."""
    folder = idaes_folder()
    suffix = ".exe" if platform.system() == "Windows" else ""
    candidates: list[tuple[str, Path, Path | None]] = [("idaes binaries", folder / f"ipopt{suffix}", folder)]
    on_path = shutil.which("ipopt")
    if on_path:
        candidates.append(("the PATH", Path(on_path), None))
    for source, executable, libraries in candidates:
        if not (executable.is_file() and os.access(executable, os.X_OK)):
            continue
        for linear_solver in ("ma57", "ma27", "mumps"):
            route = IpoptRoute(source, executable, linear_solver, "", libraries)
            program = sign_test_program()
            try:
                record = solve_with_executable(program, route, dict(IPOPT_OPTIONS))
            except Exception:  # whatever a foreign binary does, the chain goes on
                continue
            if abs(pyo.value(program.x) - 1.1) < 1e-5:
                return IpoptRoute(source, executable, linear_solver, record.version, libraries)
    return IpoptRoute("the CasADi wheel", None, "mumps", casadi_version())


def casadi_version() -> str:
    """Return the release of the IPOPT in CasADi's wheel."""
    return f"3.14 (CasADi {release('casadi')})"


def solve_with_executable(
    program: pyo.ConcreteModel, route: IpoptRoute, options: dict[str, Any]
) -> SolverRecord:
    """Solve a program by an executable."""
    chosen = {**options, "linear_solver": route.linear_solver}
    start = time.perf_counter()
    with library_path(route.libraries):
        solver = Ipopt(executable=str(route.executable))
        solver._version_timeout = 60  # a loaded machine is slow, not without IPOPT
        number = ".".join(map(str, solver.version() or ()))
        result = solver.solve(
            program,
            solver_options=chosen,
            writer_config={"linear_presolve": False},
            load_solutions=False,
            raise_exception_on_nonoptimal_result=False,
        )
    record = SolverRecord(
        "IPOPT", number, route.linear_solver, str(route.executable), ProgramClass.NLP.value, chosen,
        str(result.termination_condition.name), iterations_of(result), time.perf_counter() - start,
    )  # fmt: skip
    load_optimum(program, result, record, with_duals=True)
    return record
