"""A program's tables as numbers with names, read at any values and multipliers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_integer_dtype

from agora.data.checks import InputError
from agora.methods.differentiable import Differentiable
from agora.models.table_spec import TableSpec, kinds_of, place_columns
from agora.runners.studies.sensitivity.optimality import BOTH, LOWER, SLACK, Optimum
from agora.typing import Vector

UNIQUE = 1e-6
"""Numbers that change by less than this, relative to how far the optimum moves, are unique."""


def flatten(tables: Mapping[str, pd.DataFrame], specs: Mapping[str, TableSpec]) -> pd.Series:
    """Return every quantity of some tables, by (table, place, quantity).

    The place is what the first two columns before the quantities say (with the row's turn if several rows say
    the same), or nothing for a table of one row that is at most numbered.

    Parameters
    ----------
    tables : mapping of DataFrame
        A solution's tables.
    specs : mapping of TableSpec
        What they hold, see `Model.tables_spec`; undeclared columns are judged by their entries.
    """
    numbers: dict[tuple[str, str, str], float] = {}
    for name, table in tables.items():
        spec = specs.get(name)
        leading = place_columns(spec, table)
        if len(table) == 1 and len(leading) == 1 and is_integer_dtype(table[leading[0]]):
            leading = []
        keys = [""] if len(table) == 1 else [f"row {k}" for k in range(len(table))]
        if leading:
            columns = [table[column].tolist() for column in leading[:2]]
            keys = [" ".join(map(str, row)) for row in zip(*columns, strict=True)]
        if len(set(keys)) < len(keys):
            turn = pd.Series(keys).groupby(keys).cumcount()
            keys = [f"{key}, row {k}" for key, k in zip(keys, turn, strict=True)]
        for column, kind in kinds_of(spec, table).items():
            if kind == "number":
                for key, value in zip(keys, table[column].astype(float).tolist(), strict=True):
                    if np.isfinite(value):
                        numbers[name, key, column] = value
    index = pd.MultiIndex.from_tuples(list(numbers), names=["table", "place", "quantity"])
    return pd.Series(list(numbers.values()), index=index, dtype=float)


class Readings:
    """The tables of a program at values and multipliers of one's choice; programs are built once a model."""

    def __init__(self, what: Differentiable) -> None:
        self.what = what
        self._unsure: dict[int, frozenset[Any]] = {}

    def numbers(self, model: Any, at: Optimum, x: Vector | None = None, y: Vector | None = None) -> pd.Series:
        """Return the numbers of the tables of `model` at x, y; at the optimum's own unless given."""
        f = at.functions
        values = dict(zip(f.columns, (at.x if x is None else x).tolist(), strict=True))
        duals = dict(zip(f.positions, (at.y if y is None else y).tolist(), strict=True))
        program = self.what.build(model)
        import pyomo.environ as pyo

        for variable in program.component_data_objects(pyo.Var, descend_into=True):
            if variable.name in values:
                variable.set_value(values[variable.name], skip_validation=True)
        program.dual = pyo.Suffix(direction=pyo.Suffix.IMPORT)
        for row in program.component_data_objects(pyo.Constraint, active=True, descend_into=True):
            program.dual[row] = duals.get(row.name, 0.0)
        return flatten(self.what.read(model, program), model.tables_spec)

    def unsure(self, model: Any, at: Optimum) -> frozenset[Any]:
        """Return the numbers that other optima, or other multipliers of the same, give other values."""
        if id(at) not in self._unsure:
            self._unsure[id(at)] = self._search(model, at)
        return self._unsure[id(at)]

    def _search(self, model: Any, at: Optimum) -> frozenset[Any]:
        null = at.system.null
        if not null.shape[1]:
            return frozenset()
        base = self.numbers(model, at)
        random = np.random.default_rng(7)
        unsure: set[Any] = set()
        for _ in range(2):
            direction = null @ random.standard_normal(null.shape[1])
            direction /= np.abs(direction).max()
            x, y = at.spread(direction)
            step = 0.01 * _room(at, x, y)
            try:
                other = self.numbers(model, at, at.x + step * x, at.y + step * y)
            except (InputError, ValueError, ZeroDivisionError):
                return frozenset(base.index)
            change = (other.reindex(base.index) - base).abs() / max(step, 1e-12)
            unsure |= set(base.index[(change > UNIQUE) | change.isna()])
        return frozenset(unsure)


def _room(at: Optimum, x: Vector, y: Vector) -> float:
    """Return how far one may go along (x, y) until a limit is reached or a multiplier used up; 1 at most."""
    f = at.functions
    _, jacobian = at.matrices
    slope, level = f.values(at.x, at.y)
    drift, pull = jacobian @ x, -(jacobian.T @ y)
    room = [1.0]
    for value, change, lower, upper in (
        (at.x, x, f.lower, f.upper),
        (level, drift, f.row_lower, f.row_upper),
    ):
        slack = np.where(change < 0, value - lower, upper - value)
        falls = (np.abs(change) > 1e-9) & np.isfinite(slack) & (slack > 1e-12)
        room.append(float((slack[falls] / np.abs(change[falls])).min(initial=np.inf)))
    for states, multiplier, change in ((at.columns, slope, pull), (at.rows, at.y, y)):
        sign = f.sign * np.where(states == LOWER, 1.0, -1.0)
        falls = (states != SLACK) & (states != BOTH) & (sign * change < -1e-9) & (sign * multiplier > 1e-12)
        room.append(float((multiplier[falls] / -change[falls]).min(initial=np.inf)))
    return min(room)
