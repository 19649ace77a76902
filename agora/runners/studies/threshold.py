"""Where a discrete feature of the answer changes: bracketed to a tolerance, every solve used once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pandas as pd

from agora.data.checks import InputError, finite, positive, whole
from agora.methods.method import Progress, silent
from agora.models.model import Model
from agora.models.solution import Solution
from agora.models.spatial import SpatialModel
from agora.runners.certifying import NotCertified
from agora.runners.solving import solve
from agora.runners.studies.expressions import Expression, Scope, read_expression
from agora.runners.studies.parameters import Parameter, parameter
from agora.solvers import SolveFailed

Feature = float | bool | str
NOT_SOLVED, NOT_CERTIFIED, NOT_ALLOWED = "(not solved)", "(not certified)", "(not allowed)"
"""What stands for the feature where there is no answer."""
SCAN = 16
"""Intervals that are looked at before brackets are narrowed."""
MOST_SOLVES = 2000
"""Solves after which a search gives up."""


def scope_of(solution: Solution) -> Scope:
    """Return what an expression can read of a solution: its tables, ``objective``, ``status`` and facts."""
    facts = {
        name: value
        for name, value in solution.certificate.facts.items()
        if isinstance(value, bool | int | float | str)
    }
    scalars = {**facts, "objective": solution.objective, "status": solution.status}
    links = {}
    if isinstance(solution.model, SpatialModel):
        network = solution.model.network
        for name, table in solution.tables.items():
            if len(table) == network.number:
                links[name] = (network.tails.tolist(), network.heads.tolist())
    return Scope(solution.tables, scalars, links)


@dataclass
class Features:
    """The feature at any model, each solved once.

    Attributes
    ----------
    expression : Expression
        The feature.
    options : dict
        How to solve.
    known : dict
        Parameter values → the feature there.
    """

    expression: Expression
    options: Mapping[str, Any]
    progress: Progress = silent
    known: dict[tuple[float, ...], Feature] = field(default_factory=dict)
    objectives: dict[tuple[float, ...], float] = field(default_factory=dict)

    def at(self, values: tuple[float, ...], build: Callable[[], Model]) -> Feature:
        """Return the feature at these values of the parameters."""
        if values not in self.known:
            if len(self.known) >= MOST_SOLVES:
                raise InputError("--where", self.expression.text, f"decided after {MOST_SOLVES} solves")
            self.progress(f"solve {len(self.known) + 1}, at {', '.join(f'{v:.9g}' for v in values)}")
            self.known[values] = self._found(values, build)
        return self.known[values]

    def _found(self, values: tuple[float, ...], build: Callable[[], Model]) -> Feature:
        try:
            model = build()
        except InputError:
            return NOT_ALLOWED
        try:
            solution = solve(model, **dict(self.options))
        except SolveFailed:
            return NOT_SOLVED
        except NotCertified:
            return NOT_CERTIFIED
        self.objectives[values] = solution.objective
        return _discrete(self.expression.evaluate(scope_of(solution)))

    def crossing(self, low: float, high: float) -> float | None:
        """Return where the objectives of a bracket's two sides meet, drawn on from the last two solves.

        Where the best of several states changes, this is the threshold to first order.
        """
        lines = []
        for end, sign in ((low, -1.0), (high, 1.0)):
            same = [v[0] for v, f in self.known.items() if sign * (v[0] - end) >= 0 and f == self.known[end,]]
            near = sorted(same, key=lambda v, end=end: abs(v - end))[:2]  # type: ignore[misc]
            if len(near) < 2 or any((v,) not in self.objectives for v in near):
                return None
            first, second = (self.objectives[v,] for v in near)
            slope = (second - first) / (near[1] - near[0])
            lines.append((first - slope * near[0], slope))
        (level, slope), (other_level, other_slope) = lines
        if slope == other_slope:
            return None
        at = (other_level - level) / (slope - other_slope)
        return at if low < at < high else None


def _discrete(value: Feature) -> Feature:
    """Return a number without its rounding noise."""
    if isinstance(value, bool | str):
        return value
    return float(f"{value:.9g}") + 0.0


@dataclass(frozen=True)
class Thresholds:
    """Where a feature changes.

    Attributes
    ----------
    table : DataFrame
        One row a change: parameter, threshold (the middle of the bracket), low, high, below, above.
    scan : DataFrame
        Every value of the parameter that was solved, in order, with the feature.
    where, parameter : str
        The feature and the parameter.
    tolerance : float
        Largest width of a bracket, in the unit of the parameter.
    """

    table: pd.DataFrame
    scan: pd.DataFrame
    where: str
    parameter: str
    tolerance: float

    def record(self) -> dict[str, Any]:
        """Return plain data, as ``agora threshold --json`` prints it."""
        return {
            "parameter": self.parameter,
            "where": self.where,
            "tolerance": self.tolerance,
            "changes": self.table.to_dict(orient="records"),
            "solves": len(self.scan),
            "scan": self.scan.to_dict(orient="records"),
        }


def interval(each: Parameter, between: tuple[float, float] | None) -> tuple[float, float]:
    """Return the interval to search, half to twice the parameter's value unless given.

    Raises
    ------
    InputError
        If it is empty, or the model does not allow an end.
    """
    if between is None:
        if each.value == 0:
            raise InputError("--between", "missing", f"given, since {each.name} is 0")
        between = (min(each.value / 2, each.value * 2), max(each.value / 2, each.value * 2))
        for end in between:
            try:
                each.at(end)
            except InputError as error:
                why = f"given, since {end:g} is not allowed: {error}"
                raise InputError("--between", "missing", why) from None
    low, high = (finite("--between", end) for end in between)
    if not low < high:
        raise InputError("--between", f"{low:g} {high:g}", "two numbers, the first below the second")
    for end in (low, high):
        each.at(end)
    return low, high


def thresholds(  # noqa: PLR0913 (options that users type by name)
    model: Model,
    path: str | Parameter,
    where: str,
    *,
    between: tuple[float, float] | None = None,
    tolerance: float | None = None,
    scan: int = SCAN,
    options: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> Thresholds:
    """Find where a discrete feature of the answer changes along a parameter.

    The interval is scanned in equal steps; wherever neighbours differ the bracket is halved until it is
    narrower than the tolerance, and if a third value turns up in it both halves are followed. A feature
    that changes and changes back within one step of the scan is not seen: take a finer scan.

    Parameters
    ----------
    model : Model
        Any model.
    path : str or Parameter
        The parameter that varies.
    where : str
        The feature, see `agora.runners.studies.expressions`: ``count(marketplaces.users > 0)``,
        ``blocks(cells.use == "business")``, ``sign(totals.profit)``.
    between : (float, float), optional
        Where to search; from half to twice the present value unless given.
    tolerance : float, optional
        Largest width of a bracket; 1e-6 of the interval unless given.
    scan : int
        Number of steps of the scan.
    options : dict, optional
        How to solve, as in the [solve] table of a scenario.

    Raises
    ------
    InputError
        For bad input, or a feature that is not discrete.
    """
    expression = read_expression(where)
    each = path if isinstance(path, Parameter) else parameter(model, path)
    low, high = interval(each, between)
    width = 1e-6 * (high - low) if tolerance is None else positive("--tolerance", tolerance)
    steps = whole("--scan", scan, 1)
    features = Features(expression, dict(options or {}), progress)

    def at(value: float) -> Feature:
        return features.at((value,), lambda: each.at(value))

    marks = [low + (high - low) * k / steps for k in range(steps)] + [high]
    values = [at(mark) for mark in marks]
    _check_discrete(values, where)
    results: list[tuple[float, float]] = []
    open_ = [(a, b, True) for a, b in pairwise(marks) if at(a) != at(b)]
    while open_:
        a, b, guess = open_.pop()
        if b - a <= width or not a < (a + b) / 2 < b:
            results.append((a, b))
            continue
        _check_discrete(features.known.values(), where)
        inner = _probe(features, a, b, width) if guess else (a + b) / 2
        parts = [pair for pair in ((a, inner), (inner, b)) if at(pair[0]) != at(pair[1])]
        open_ += [(c, d, d - c < 0.5 * (b - a) or not guess) for c, d in parts]
    rows = [(each.name, (a + b) / 2, a, b, at(a), at(b)) for a, b in sorted(results)]
    seen = pd.DataFrame([{each.name: v[0], "feature": f} for v, f in sorted(features.known.items())])
    columns = ["parameter", "threshold", "low", "high", "below", "above"]
    return Thresholds(pd.DataFrame(rows, columns=columns), seen, where, each.name, width)


def _probe(features: Features, low: float, high: float, width: float) -> float:
    """Return the next value to solve in a bracket: beside the crossing of the objectives, or the middle."""
    crossing = features.crossing(low, high)
    if crossing is None:
        return (low + high) / 2
    margin = max(0.4 * width, 0.01 * (high - low))
    beside = crossing + margin if high - crossing >= crossing - low else crossing - margin
    return beside if low < beside < high else (low + high) / 2


def _check_discrete(values: Iterable[Feature], where: str) -> None:
    """Raise `InputError` if the feature takes ever more values, as a continuous one does."""
    numbers = [v for v in values if isinstance(v, float) and not v.is_integer()]
    if len(numbers) > 5 and len(set(numbers)) > max(5, 0.5 * len(numbers)):
        few = "a feature that takes few values, such as a count, a comparison or sign(…)"
        raise InputError("--where", where, few)
