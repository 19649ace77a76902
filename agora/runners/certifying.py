"""The certificate: the definition of equilibrium evaluated, and an error that says where it fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from agora.data.checks import InputError
from agora.models.certificate import Certificate
from agora.models.model import Model
from agora.models.solution import Solution
from agora.models.table_check import checked_tables


class NotCertified(RuntimeError):
    """A solution that violates the definition of equilibrium; carries the solution."""

    def __init__(self, solution: Solution) -> None:
        worst = solution.certificate.worst
        super().__init__(
            f"The answer is no equilibrium within tolerance: '{worst.name}' is violated by {worst.worst:.3g} "
            f"at {worst.where} (accepted: {worst.tolerance:g})."
        )
        self.solution = solution


def certify(
    model: Model, tables: Mapping[str, pd.DataFrame], tolerance: float, facts: Mapping[str, Any] | None = None
) -> Certificate:
    """Evaluate a model's definition of equilibrium from tables alone.

    Parameters
    ----------
    model : Model
        Parameters and definition.
    tables : mapping of DataFrame
        A solution's tables, or a user's own in the same shape; rows that have names may be in any order.
    tolerance : float
        Largest accepted violation, in the units each condition names.
    facts : dict, optional
        What the method knows, kept with the certificate.

    Raises
    ------
    InputError
        If the tables cannot be those of the model: names the table, the column, the row, what is allowed.
    """
    try:
        return evaluated(model, checked_tables(model, tables), tolerance, facts)
    except KeyError as missing:
        if model.tables_spec:
            raise
        raise InputError(
            "tables", sorted(tables), f"such that the definition of {model.card.name} finds {missing} in them"
        ) from missing


def evaluated(
    model: Model, tables: Mapping[str, pd.DataFrame], tolerance: float, facts: Mapping[str, Any] | None = None
) -> Certificate:
    """Evaluate a model's definition of equilibrium from tables of its own, in which NaN is a violation."""
    return Certificate(model.conditions(tables, tolerance), dict(facts or {}))
