"""Turning multipliers into prices, for every solver and both senses."""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo


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
