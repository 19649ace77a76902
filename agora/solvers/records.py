"""What a solve leaves behind: the record for the manifest, and the failure that carries it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Any


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
