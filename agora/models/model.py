"""The shapes every model shares: its card, its parameters, its program and its definition of equilibrium."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
import pyomo.environ as pyo

from agora.data.fields import Fields
from agora.models.certificate import Condition
from agora.typing import Tables

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class ModelCard:
    """What a model is, for a reader who has not seen the paper."""

    name: str
    question: str
    program: str
    citation: str
    assumptions: tuple[str, ...]
    left_out: tuple[str, ...]


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

    def check(self) -> None:
        """Raise `InputError` for what takes more than a look at the fields; called before anything is solved.

        A constructor checks fields and searches for nothing, so that models are cheap to build and to change.
        """

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
