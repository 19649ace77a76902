"""The shapes every model shares: card, model, condition, certificate, solution."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
import pyomo.environ as pyo
from numpy.typing import ArrayLike

from agora.data.fields import Fields

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class ModelCard:
    """What a model is, for a reader who has not seen the paper."""

    name: str
    question: str
    program: str
    citation: str
    assumptions: tuple[str, ...]
    left_out: tuple[str, ...]


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


class Model(Fields):
    """A published model: parameters in, one Pyomo program out, and its definition of equilibrium.

    A new model is one file: a subclass with a `card`, parameters as fields, and the three methods
    below; `agora.runners.solve` does the rest.
    """

    card: ClassVar[ModelCard]
    symbols: ClassVar[Mapping[str, str]] = {}
    """The paper's symbol → the parameter."""
    unit_of: ClassVar[Mapping[str, str]] = {}
    """Parameter, column, or ``table.column`` where tables differ → its unit; nothing is dimensionless."""
    registry: ClassVar[dict[str, type[Model]]] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Make the model known by the name on its card."""
        if "card" in cls.__dict__:
            Model.registry[cls.card.name] = cls

    @classmethod
    def unit_for(cls, name: str) -> str:
        """Return the unit of a parameter or of a column of a table, see `unit_in`."""
        return unit_in(cls.unit_of, name)

    @abstractmethod
    def program(self) -> pyo.ConcreteModel:
        """Return the model's program, newly built and the caller's to change."""

    @abstractmethod
    def read(self, program: pyo.ConcreteModel) -> dict[str, pd.DataFrame]:
        """Return the solved program's answer in economic words, as tables."""

    @abstractmethod
    def conditions(self, tables: Tables, tolerance: float) -> tuple[Condition, ...]:
        """Evaluate the definition of equilibrium from the tables and the parameters alone."""

    def __getstate__(self) -> dict[Any, Any]:
        """Pickle the parameters only; what is derived from them is derived again."""
        state = super().__getstate__()
        fields = type(self).model_fields
        return {**state, "__dict__": {name: v for name, v in state["__dict__"].items() if name in fields}}

    def __copy__(self) -> Self:
        """Copy the parameters only, so that ``model_copy(update=…)`` derives everything anew."""
        copied = super().__copy__()
        for name in set(copied.__dict__) - set(type(self).model_fields):
            del copied.__dict__[name]
        return copied

    def describe(self) -> dict[str, Any]:
        """Return the parameters as plain data, for the record."""
        return {name: plain(getattr(self, name)) for name in type(self).model_fields}


def unit_in(units: Mapping[str, str], name: str) -> str:
    """Return the unit of what a dotted name stands for; nothing if it is dimensionless.

    Parameters
    ----------
    units : mapping
        Parameter, column or ``table.column`` → unit.
    name : str
        A parameter with a place in it (``land.2``), or a column with or without its table
        (``totals.profit``). The whole name counts first, then its parts from the last to the first;
        the number of a place at the end (``firms_0``) does not matter.
    """
    names = (name, *reversed(name.split(".")))
    every = (*names, *(each.rstrip("0123456789").removesuffix("_") for each in names))
    return next((units[known] for known in every if known in units), "")


def plain(value: Any) -> Any:
    """Return a parameter as numbers, text, lists and dictionaries."""
    if type(value) in (float, int, str, bool):
        return value
    if isinstance(value, Fields):
        return {name: plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, tuple | list):
        return [plain(entry) for entry in value]
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if hasattr(value, "nodes") and hasattr(value, "edges"):
        return {
            "kind": value.graph.get("kind", "graph"),
            "cells": [
                [plain(node), {k: plain(v) for k, v in data.items()}] for node, data in value.nodes(data=True)
            ],
            "links": [[plain(u), plain(v), plain(data["length"])] for u, v, data in value.edges(data=True)],
        }
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value if isinstance(value, str | int | float | bool | None) else repr(value)


def price(program: pyo.ConcreteModel, constraint: Any) -> float:
    """Turn the multiplier of a constraint into a price; the only place where signs are decided.

    ``program.dual`` holds d(objective)/d(right-hand side), whatever the solver. The price is what
    the constraint's scarcity is worth to the objective's owner, ≥ 0 for a limit from above or from
    below; for an equality it is the value (in a maximisation) or the cost (in a minimisation) of
    one more unit on the right-hand side.

    Parameters
    ----------
    program : ConcreteModel
        A solved program with a ``dual`` suffix.
    constraint : Constraint data
        One constraint of it.
    """
    multiplier = float(program.dual[constraint])
    if constraint.equality:
        return multiplier
    objective = next(program.component_data_objects(pyo.Objective, active=True))
    gain = multiplier if objective.sense == pyo.maximize else -multiplier
    return gain if constraint.upper is not None else -gain


@dataclass(frozen=True)
class Solution:
    """An answer: tables, certificate, and how it was reached. Nothing in it changes.

    Attributes
    ----------
    model : Model
        What was solved.
    status : str
        What the answer is, such as ``global maximiser``, ``local maximiser``, ``equilibrium``.
    objective : float
        The value of the model's objective.
    is_global : bool
        True only if the certificate holds a proof.
    tables : dict of DataFrame
        The answer in economic words.
    certificate : Certificate
        How good it is.
    manifest : dict
        Versions, solver, linear solver, options, parameters, hash.
    seconds : dict
        Time spent building, solving, checking.
    pictures : dict
        Name → function that draws a matplotlib figure.
    """

    model: Model
    status: str
    objective: float
    is_global: bool
    tables: dict[str, pd.DataFrame]
    certificate: Certificate
    manifest: dict[str, Any]
    seconds: dict[str, float]
    pictures: Mapping[str, Callable[[], Figure]] = field(default_factory=dict, repr=False)

    def record(self) -> dict[str, Any]:
        """Return the solution as plain data, as ``agora solve --json`` prints it."""
        return {
            "model": self.model.card.name,
            "status": self.status,
            "objective": self.objective,
            "global": self.is_global,
            "certificate": self.certificate.record(),
            "tables": {name: table.to_dict(orient="records") for name, table in self.tables.items()},
            "seconds": self.seconds,
            "manifest": self.manifest,
        }

    def _repr_html_(self) -> str:
        """Show picture, first table and certificate in a notebook."""
        import base64
        import io

        parts = [f"<p><b>{self.model.card.name}</b>: {self.status}, objective {self.objective:.9g}</p>"]
        for draw in self.pictures.values():
            buffer = io.BytesIO()
            draw().savefig(buffer, format="png", dpi=110)
            picture = base64.b64encode(buffer.getvalue()).decode()
            parts.append(f'<img alt="{self.model.card.name}" src="data:image/png;base64,{picture}">')
            break
        first = next(iter(self.tables.values()))
        parts.append(first.head(30).to_html(index=False, float_format="{:.6g}".format))
        parts.append(self.certificate.table().to_html(index=False, float_format="{:.3g}".format))
        return "\n".join(parts)
