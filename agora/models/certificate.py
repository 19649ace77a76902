"""The certificate: conditions of the definition of equilibrium, evaluated, and what is proved."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Condition:
    """One condition of the definition of equilibrium, evaluated."""

    name: str
    """The condition in the words of the field, with its equation number."""
    worst: float
    """Its largest violation, in the unit that `name` says (NaN counts as violated)."""
    where: str
    """The place of the largest violation."""
    tolerance: float
    """What is accepted."""

    @property
    def passed(self) -> bool:
        """Whether the largest violation is within the tolerance."""
        return bool(self.worst <= self.tolerance)

    def record(self) -> dict[str, Any]:
        """Return the condition as plain data."""
        return {**asdict(self), "passed": self.passed}


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
class Proof:
    """What is proved of an answer, and by what."""

    kind: Literal["enumeration", "bound", "convexity", "uniqueness", "none"]
    """``enumeration`` (every candidate evaluated), ``bound`` (nothing exceeds a bound, and the answer
    reaches it), ``convexity`` (local is global), ``uniqueness`` (there is no other solution), ``none``."""
    words: str
    """The proof as a sentence, or what is missing."""
    bound: float | None = None
    """What no answer exceeds (or undercuts, where the objective is minimised); a proof by enumeration or
    by a bound has one."""
    gap: float | None = None
    """What is left between the answer and the bound, in the units of `promised`."""
    promised: float = 0.0
    """The largest gap that the method was to leave."""
    assumptions: tuple[str, ...] = ()
    """What the proof rests on and the method has checked."""

    @property
    def is_global(self) -> bool:
        """Whether the answer is proved to be global: never by a bound or a gap that is infinite or NaN."""
        numbers = (self.bound, self.gap)
        if self.kind == "none" or (self.kind in ("enumeration", "bound") and None in numbers):
            return False
        finite = all(number is None or math.isfinite(number) for number in numbers)
        return finite and abs(self.gap or 0.0) <= self.promised

    def facts(self) -> dict[str, Any]:
        """Return what a certificate says of the proof: its sentence, and bound and gap if there are any."""
        numbers = {"bound": self.bound, "gap": self.gap}
        return {"proof": self.words, **{name: v for name, v in numbers.items() if v is not None}}


@dataclass(frozen=True)
class Certificate:
    """How good an answer is: every condition of the definition of equilibrium, and what is proved."""

    conditions: tuple[Condition, ...]
    """Evaluated from the tables by code that shares nothing with the program."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What else is known, such as the kind of the equilibrium and the proof that it is global."""

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
