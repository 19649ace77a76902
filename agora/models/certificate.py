"""The certificate: conditions of the definition of equilibrium, evaluated, and what is proved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Condition:
    """One condition of the definition of equilibrium, evaluated.

    Attributes
    ----------
    name : str
        The condition in the words of the field, with its equation number.
    worst : float
        Its largest violation, in the unit that `name` says (NaN counts as violated).
    where : str
        The place of the largest violation.
    tolerance : float
        What is accepted.
    """

    name: str
    worst: float
    where: str
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the largest violation is within the tolerance."""
        return bool(self.worst <= self.tolerance)

    def record(self) -> dict[str, Any]:
        """Return the condition as plain data."""
        return {
            "name": self.name,
            "worst": self.worst,
            "where": self.where,
            "tolerance": self.tolerance,
            "passed": self.passed,
        }


def worst_case(name: str, violations: ArrayLike, places: Iterable[object], tolerance: float) -> Condition:
    """Return the condition whose violation at each place is given; NaN is the worst of all."""
    numbers = np.asarray(violations, dtype=float).ravel()
    names = list(places)
    if len(numbers) != len(names):
        raise ValueError(f"{name}: {len(numbers)} violations at {len(names)} places")
    if not len(numbers):
        return Condition(name, 0.0, "nowhere", tolerance)
    worst = int(np.argmax(np.where(np.isnan(numbers), np.inf, numbers)))
    return Condition(name, float(max(numbers[worst], 0.0)) + 0.0, str(names[worst]), tolerance)


@dataclass(frozen=True)
class Certificate:
    """How good an answer is: every condition of the definition of equilibrium, and what is proved.

    Attributes
    ----------
    conditions : tuple of Condition
        Evaluated from the tables by code that shares nothing with the program.
    facts : dict
        What else is known, such as the kind of the equilibrium and the proof that it is global.
    """

    conditions: tuple[Condition, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every condition holds within its tolerance."""
        return bool(self.conditions) and all(condition.passed for condition in self.conditions)

    @property
    def worst(self) -> Condition:
        """The condition that is violated most, relative to its tolerance."""
        return max(
            self.conditions, key=lambda c: np.inf if np.isnan(c.worst) else c.worst / max(c.tolerance, 1e-300)
        )

    def table(self) -> pd.DataFrame:
        """Return one row a condition."""
        return pd.DataFrame([condition.record() for condition in self.conditions])

    def record(self) -> dict[str, Any]:
        """Return the certificate as plain data."""
        return {"passed": self.passed, "conditions": [c.record() for c in self.conditions], **self.facts}
