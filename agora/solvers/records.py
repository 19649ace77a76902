"""What a solve leaves behind: values and multipliers in the program, a record for the manifest, a failure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import pyomo.environ as pyo
from pyomo.contrib.solver.common.results import SolutionStatus

from agora.solvers.classify import explain


class SolveFailed(RuntimeError):
    """A solver stopped without an optimum; carries the record of the attempt."""

    def __init__(self, message: str, record: SolverRecord) -> None:
        super().__init__(message)
        self.record = record


release = lru_cache(version)
"""The release of an installed package; looked up once."""


@dataclass(frozen=True)
class SolverRecord:
    """Which solver did what, for the manifest; of a mixed-integer program also the bound it has proved."""

    solver: str
    version: str
    linear_solver: str
    path: str
    program_class: str
    options: Mapping[str, Any]
    status: str
    iterations: int | None
    seconds: float
    bound: float | None = None

    def record(self) -> dict[str, Any]:
        """Return plain data."""
        known = {name: v for name, v in self.__dict__.items() if name != "bound" or v is not None}
        return {**known, "options": dict(self.options)}


def multipliers_of(program: pyo.ConcreteModel) -> Any:
    """Return the suffix ``dual`` of a program, emptied for the multipliers to come."""
    if not hasattr(program, "dual"):
        program.dual = pyo.Suffix(direction=pyo.Suffix.IMPORT)
    program.dual.clear()
    return program.dual


def load_optimum(program: pyo.ConcreteModel, result: Any, record: SolverRecord, with_duals: bool) -> None:
    """Put an optimum into the program, or raise."""
    if result.solution_status is not SolutionStatus.optimal:
        raise SolveFailed(explain(program, record), record)
    result.solution_loader.load_vars()
    duals = multipliers_of(program)
    if with_duals:
        for constraint, value in result.solution_loader.get_duals().items():
            duals[constraint] = value


def iterations_of(result: Any) -> int | None:
    """Return the iteration count, if the interface tells."""
    count = result.extra_info.get("iteration_count")
    return count if isinstance(count, int) else None
