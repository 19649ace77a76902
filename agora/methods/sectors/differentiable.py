"""A path that is a sequence of programs, each beginning where the one before has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyomo.environ as pyo

from agora.data.checks import InputError
from agora.methods.sectors.minimizing_movement import Mover, step_ends
from agora.models.sectors.invisible_hand import InvisibleHand
from agora.typing import Tables, Vector

Values = Mapping[str, float]


@dataclass(frozen=True)
class DifferentiablePath:
    """A model's answer as optima of a program that follow each other."""

    build: Callable[[Any], pyo.ConcreteModel]
    """Model → the program of a step, not solved."""
    walk: Callable[[], Iterator[pyo.ConcreteModel]]
    """Gives the program after each step, solved; the same object every time."""
    begin: Callable[[Any], dict[str, float]]
    """Model → what the first step begins with: variable, held by equal bounds → value."""
    carry: Mapping[str, str]
    """Variable held in a step → the variable of the step before whose value it has."""
    length: str
    """The variable held at the length of the step."""
    lengths: Callable[[Any], Vector]
    """Model → lengths of all steps (K,)."""
    read: Callable[[Any, Sequence[Values]], dict[str, pd.DataFrame]]
    """Model, values of the program's variables at each step → tables."""
    note: str
    """What is differentiated, in words."""


def path_of_optima(model: InvisibleHand, tables: Tables) -> DifferentiablePath:
    """Return the minimising movements of equal steps, one after the other."""
    if model.horizon == "long-run":
        raise InputError("horizon", model.horizon, "a number, for the sensitivities of a path")
    if "reallocation" not in tables:
        raise InputError("method", "ode", "minimizing-movement, for the sensitivities of a path")

    def lengths(other: InvisibleHand) -> Vector:
        return np.diff([0.0, *step_ends(other)])

    ends = np.array([0.0, *step_ends(model)])
    times = tables["aggregate"]["time"].to_numpy(dtype=float)
    if len(times) != len(ends) or not np.allclose(times, ends, rtol=1e-9, atol=0):
        raise InputError("step_control", "adaptive", "fixed, for the sensitivities of a path")
    mover = Mover(model)
    cells = list(mover.program.sectors)
    held = {cell: mover.program.previous[cell].name for cell in cells}
    flows = [variable.name for variable in mover.program.flow.values()]

    def walk() -> Iterator[pyo.ConcreteModel]:
        firms = model.start
        for length in lengths(model).tolist():
            flow = mover.flows(firms, length)
            firms = firms + model.links.arrivals(flow, model.network.number)
            yield mover.program

    def begin(other: InvisibleHand) -> dict[str, float]:
        return dict(zip(held.values(), other.start.tolist(), strict=True))

    def read(other: InvisibleHand, steps: Sequence[Values]) -> dict[str, pd.DataFrame]:
        moved = np.array([[values[name] for name in flows] for values in steps])
        when = np.concatenate([[0.0], np.cumsum(lengths(other))])
        return other.path_tables(when, other.start[None, :], moved)

    return DifferentiablePath(
        lambda other: other.program(), walk, begin,
        {held[cell]: mover.program.firms[cell].name for cell in cells}, mover.program.step.name,
        lengths, read,
        "the minimising movements, every step beginning where the one before has ended",
    )  # fmt: skip
