"""Local sensitivities of a whole answer.

That of one optimum is differentiated by `agora.runners.studies.sensitivity.program_sensitivity`, a path of
optima step after step by `agora.runners.studies.sensitivity.path_sensitivity`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from agora.data.checks import InputError
from agora.methods.differentiable import differentiable
from agora.methods.method import Progress, silent
from agora.methods.sectors.differentiable import DifferentiablePath
from agora.models.model import Model
from agora.models.solution import Solution
from agora.runners.solving import solve
from agora.runners.studies.parameters import Parameter, parameter
from agora.runners.studies.sensitivity.path_sensitivity import PathStudy
from agora.runners.studies.sensitivity.program_sensitivity import Study


@dataclass(frozen=True)
class Sensitivity:
    """Derivatives of an answer.

    Attributes
    ----------
    solution : Solution
        The answer that was differentiated.
    table : DataFrame
        One row a number of the tables, parameter and side: table, quantity, place, value, unit,
        parameter, at, derivative, elasticity, exists (``yes``, ``left only``, ``right only``, ``left``,
        ``right``, ``not unique``, ``no``), and from … to, between which no limit starts or ceases to bind.
    ranges : DataFrame
        One row a parameter and end of its range: the value, what happens there, whether a solve near it
        has verified it.
    note : str
        Which program was differentiated, and what was held.
    """

    solution: Solution
    table: pd.DataFrame
    ranges: pd.DataFrame
    note: str

    def record(self) -> dict[str, Any]:
        """Return plain data, as ``agora sensitivity --json`` prints it."""
        return {
            "model": self.solution.model.card.name,
            "status": self.solution.status,
            "differentiated": self.note,
            "sensitivities": self.table.to_dict(orient="records"),
            "ranges": self.ranges.to_dict(orient="records"),
            "manifest": self.solution.manifest,
        }


def sensitivity(
    model: Model,
    wrt: Sequence[str],
    *,
    options: Mapping[str, Any] | None = None,
    verify: bool = True,
    parameters: Sequence[Parameter] | None = None,
    progress: Progress = silent,
) -> Sensitivity:
    """Solve a model and differentiate its whole answer with respect to parameters.

    Parameters
    ----------
    model : Model
        Any model.
    wrt : sequence of str
        Paths of parameters, see `agora.runners.studies.parameters`.
    options : dict, optional
        How to solve it, as in the [solve] table of a scenario.
    verify : bool
        Whether ranges are verified by solves near their ends.
    parameters : sequence of Parameter, optional
        The parameters themselves, instead of their paths.
    progress : callable, optional
        Called with a short text as the work goes on.

    Raises
    ------
    InputError
        For an unknown parameter, or one that does not vary continuously.
    SolveFailed, NotCertified
        If the model cannot be solved.
    NoOptimum
        If the answer is not the optimum of a program, so that there is nothing to differentiate.
    """
    chosen = list(parameters) if parameters is not None else [parameter(model, path) for path in wrt]
    if not chosen:
        raise InputError("--wrt", "", "one or more parameters, joined by commas")
    names = [each.name for each in chosen]
    if len(set(names)) < len(names):
        raise InputError("--wrt", ", ".join(names), "parameters that differ from each other")
    solution = solve(model, progress=progress, **dict(options or {}))
    progress("finding the optimum's conditions")
    what = differentiable(model, solution.tables)
    study = PathStudy(model, what) if isinstance(what, DifferentiablePath) else Study(model, what)
    study.check_against(solution)
    parts, ranges = [], []
    for each in chosen:
        progress(f"differentiating with respect to {each.name}")
        moves = study.moves(each)
        span = study.range(each, moves, verify)
        parts.append(study.rows(each, moves, span, solution))
        ranges += span.rows(each.name, each.value)
    note = study.what.note + study.left_out(solution)
    return Sensitivity(solution, pd.concat(parts, ignore_index=True), pd.DataFrame(ranges), note)
