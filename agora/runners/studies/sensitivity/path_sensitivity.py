r"""Sensitivities of a path: the implicit function theorem, step after step.

Every step is the optimum of a program that begins with what the step before has left, m_k = n_{k-1}. Its
conditions move with the parameter itself and with m_k, whose derivative is known when the step's turn comes:

.. math:: K_k \begin{pmatrix} x_k' \\ -y_k' \end{pmatrix}
          = - \frac{d}{dp} F_k\bigl(x_k, y_k;\, p,\, m_k(p)\bigr), \qquad m_{k+1}' = n_k'

with one decomposition of the Karush–Kuhn–Tucker matrix K_k a step for all parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from agora.methods.sectors.differentiable import DifferentiablePath
from agora.models.model import Model
from agora.models.solution import Solution
from agora.runners.studies.parameters import Parameter
from agora.runners.studies.sensitivity.optimality import NoOptimum, Optimum, optimum
from agora.runners.studies.sensitivity.program_sensitivity import (
    SAME_ANSWER,
    STENCILS,
    Move,
    Study,
    allows,
    drift_of,
    moved,
    open_sides,
    step_of,
)
from agora.runners.studies.sensitivity.ranging import ALLOWED, Direction, Range, edge, first_order_range
from agora.runners.studies.sensitivity.readings import flatten
from agora.solvers.compiled import ProgramFunctions


class PathStudy(Study):
    """A path, to be differentiated in many parameters."""

    def __init__(self, model: Model, what: DifferentiablePath) -> None:
        self.model, self.path = model, what
        self.what: Any = what
        self._spans: dict[str, Range] = {}
        self.steps: list[Optimum] = []
        held = what.begin(model)
        functions: ProgramFunctions | None = None
        for number, (program, length) in enumerate(zip(what.walk(), what.lengths(model), strict=True)):
            functions = functions or ProgramFunctions(program)
            here = self._holding(functions, held, float(length))
            x, y = here.point(), here.multipliers()
            for name, value in (*held.items(), (what.length, float(length))):
                x[here.columns[name]] = value
            try:
                at = optimum(here, x, y)
            except NoOptimum as error:
                raise NoOptimum(f"step {number + 1}: {error}") from None
            if at.degenerate or at.system.null.shape[1]:
                raise NoOptimum(
                    f"step {number + 1}: two regimes meet or the optimum is not unique, so that the "
                    "path has no derivative there"
                )
            self.steps.append(at)
            held = {name: float(at.x[here.columns[source]]) for name, source in what.carry.items()}
        self.at = self.steps[-1]
        self.base = self._read(model)

    def _holding(self, functions: ProgramFunctions, held: Mapping[str, float], length: float) -> Any:
        """Return the functions with a step's held variables at their values; derivatives are shared."""
        here = copy(functions)
        here.lower, here.upper = functions.lower.copy(), functions.upper.copy()
        for name, value in (*held.items(), (self.path.length, length)):
            here.lower[here.columns[name]] = here.upper[here.columns[name]] = value
        return here

    def _read(self, model: Any, change: float = 0.0, moves: list[Direction] | None = None) -> pd.Series:
        """Return every number of the tables, at the path or so far along its move."""
        values = []
        for k, at in enumerate(self.steps):
            x = at.x if moves is None else at.x + change * moves[k].x
            values.append(dict(zip(at.functions.columns, x.tolist(), strict=True)))
        return flatten(self.path.read(model, values), model.tables_spec)

    def check_against(self, solution: Solution) -> None:
        """Raise `NoOptimum` unless the path is the solution's."""
        reported = flatten(solution.tables, solution.model.tables_spec).reindex(self.base.index)
        apart = (reported - self.base).abs() > SAME_ANSWER * np.maximum(1e-2, self.base.abs())
        if apart.any() or reported.isna().any():
            table, place, quantity = self.base.index[(apart | reported.isna()).to_numpy()][0]
            raise NoOptimum(f"the answer is not this path: {table} {place} {quantity} differs")

    # --- derivatives ---------------------------------------------------------------------------

    def moves(self, each: Parameter) -> list[Move]:
        """Return the derivative: on both sides at once, or where the model allows one side only, on it."""
        sides = open_sides(each)
        side = "both" if len(sides) == 2 else sides[0]
        result = self._chained(each, side)
        table = self.derivative(each, side, self.base, partial(self._read, moves=result))
        self._spans[each.name] = _narrowest(result, each.value)
        last = result[-1]
        return [Move(side, last.at, last.x, last.y, last.drift, table, self.base)]

    def _chained(self, each: Parameter, side: str) -> list[Direction]:
        offsets, step = STENCILS[side][0], step_of(each)
        models = [each.at(each.value + offset * step) if offset else self.model for offset in offsets]
        like = self.steps[0].functions if self.steps else None
        functions = [ProgramFunctions(self.path.build(model), like) for model in models]
        lengths = [self.path.lengths(model) for model in models]
        if any(len(those) != len(self.steps) for those in lengths):
            raise NoOptimum(f"the number of steps changes with {each.name}")
        held = [self.path.begin(model) for model in models]
        results: list[Direction] = []
        for k, at in enumerate(self.steps):
            others = [
                self._holding(function, values, float(those[k]))
                for function, values, those in zip(functions, held, lengths, strict=True)
            ]
            drift = drift_of(at, others, side, step)
            x, y = moved(at, drift)
            results.append(Direction(side, at, x, y, drift))
            places = {name: at.functions.columns[source] for name, source in self.path.carry.items()}
            held = [
                {name: float(at.x[place] + offset * step * x[place]) for name, place in places.items()}
                for offset in offsets
            ]
        return results

    def range(self, each: Parameter, moves: list[Move], verify: bool) -> Range:
        """Return the range of all steps, to first order."""
        span = self._spans[each.name]
        low, high = (edge(each, end) for end in (span.low, span.high))
        if low > span.low or not allows(each, "left"):
            span = replace(span, low=low if allows(each, "left") else each.value, low_is=ALLOWED)
        if high < span.high or not allows(each, "right"):
            span = replace(span, high=high if allows(each, "right") else each.value, high_is=ALLOWED)
        return span


def _narrowest(moves: list[Direction], value: float) -> Range:
    """Return the values between which no limit of any step starts or ceases to bind, to first order."""
    span = Range()
    for number, move in enumerate(moves):
        own = first_order_range(move, value)
        if not own.low <= span.low:
            span = replace(span, low=own.low, at_low=f"step {number + 1}: {own.at_low}")
        if not own.high >= span.high:
            span = replace(span, high=own.high, at_high=f"step {number + 1}: {own.at_high}")
    return span
