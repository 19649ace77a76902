"""Columns that have a new name: the old one is understood for one version, with a caution."""

from __future__ import annotations

import warnings
from collections.abc import Container

from agora.data.checks import Caution

RENAMED = {"commuting_cost": "total_commuting_cost"}
"""Old name of a table's column → its name now; the parameter `commuting_cost` is t alone."""


def now_called(column: str) -> str:
    """Return the name that a column ``table.column`` of an old file has now; a parameter keeps its own."""
    table, dot, name = column.rpartition(".")
    return f"{table}{dot}{RENAMED.get(name, name)}" if dot else column


def current_name(name: str, known: Container[str]) -> str:
    """Return the name a column has now, for a name that is not known and had another once.

    Parameters
    ----------
    name : str
        A column, or ``table.column``; the number of a location may follow.
    known : container of str
        The names there are; a known name stays as it is.
    """
    if name in known:
        return name
    table, dot, column = name.rpartition(".")
    new = f"{table}{dot}{RENAMED.get(column, column)}"
    if new == name or new not in known:
        return name
    warnings.warn(Caution(f"the column {name} is called {new} now"), stacklevel=3)
    return new
