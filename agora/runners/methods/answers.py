"""What a method hands back to the runner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from agora.runners.solvers import SolverRecord

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Answer:
    """A method's answer, before it is certified.

    Attributes
    ----------
    status : str
        What the answer is claimed to be.
    objective : float
        Value of the model's objective.
    is_global : bool
        True only with a proof, which `facts` then names.
    tables : dict of DataFrame
        The model's tables, and the method's own.
    facts : dict
        What else is known: kind, proof, bound, number of starts.
    solvers : tuple of SolverRecord
        Who did the work.
    """

    status: str
    objective: float
    is_global: bool
    tables: dict[str, pd.DataFrame]
    facts: Mapping[str, Any] = field(default_factory=dict)
    solvers: tuple[SolverRecord, ...] = ()


def silent(_: str) -> None:
    """Report progress to nobody."""
