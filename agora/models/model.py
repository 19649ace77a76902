"""The shapes every model shares: its card, its parameters, its program and its definition of equilibrium."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import pyomo.environ as pyo

from agora.data.fields import Fields
from agora.models.certificate import Condition
from agora.models.table_spec import TableSpec, units_of
from agora.typing import Tables


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
    below; `agora.runners.solve` does the rest. With `tables_spec` its tables have units, and a user's own
    tables are checked before they are certified.
    """

    card: ClassVar[ModelCard]
    symbols: ClassVar[Mapping[str, str]] = {}
    """The paper's symbol → the parameter."""
    unit_of: ClassVar[Mapping[str, str]] = {}
    """Parameter → its unit; nothing is dimensionless."""
    tables_spec: ClassVar[Mapping[str, TableSpec]] = {}
    """Name → what each table of an answer holds, those of single methods too; nothing if undeclared."""
    registry: ClassVar[dict[str, type[Model]]] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Make the model known by the name on its card."""
        if "card" in cls.__dict__:
            Model.registry[cls.card.name] = cls

    @classmethod
    def unit_for(cls, name: str) -> str:
        """Return the unit of a parameter or of a column of a table, see `unit_in`."""
        return unit_in(cls.known_units(), name)

    @classmethod
    def known_units(cls) -> dict[str, str]:
        """Return parameter, ``table.column`` and column → unit; a parameter's where a column has its name."""
        return {**units_of(cls.tables_spec), **cls.unit_of}

    def expected_tables(self) -> Mapping[str, TableSpec]:
        """Return the tables of this model's answers: `tables_spec`, with what its parameters decide."""
        return self.tables_spec

    def expected_rows(self) -> Mapping[str, pd.DataFrame]:
        """Return table → the names that its rows are about, in the order of the model.

        The columns are columns of the table's key, those whose entries the parameters tell. A complete table
        has each row once (once a time, where its key holds more columns); in another one only the entries
        must be among those of their column.
        """
        return {}

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
        the place at the end of a name (``firms_0``) does not matter.
    """
    names = (name, *reversed(name.split(".")))
    for each in names:
        if each in units:
            return units[each]
        begun = (known for known in units if known.endswith("*") and each.startswith(known[:-1]))
        if (known := next(begun, None)) is not None:
            return units[known]
    stems = (each.rstrip("0123456789").removesuffix("_") for each in names)
    return next((units[stem] for stem in stems if stem in units), "")


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
