"""Computations that check what papers claim, bound to the names their claims use.

A paper's computations live in the package named like the paper, hyphens as underscores. A
computation takes a claim's arguments and returns a `Finding`, or plainly what it computed; nothing
it returns is typed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from agora.papers.claims import Claim

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from agora.models.model import Model
    from agora.models.solution import Solution

Verdict = Literal["reproduced", "corrected", "refuted", "not computable"]
Value = float | str | bool


@dataclass(frozen=True)
class Finding:
    """What a computation found out about a claim."""

    computed: Value
    """The counterpart of what is printed; a bool says whether a printed statement holds."""
    verdict: Verdict | None = None
    """Given where comparing `computed` with what is printed does not decide (see `judge`)."""
    note: str = ""  # what else was found, such as the true statement
    certificate: str = ""  # why the computed value can be trusted
    printed: float | None = None  # the value of a printed formula at the claim's arguments


Computation = Callable[..., Finding | Value]
_Bound = TypeVar("_Bound", bound=Callable[..., Any])

COMPUTATIONS: dict[str, Computation] = {}
"""Every computation imported so far, by name."""


def _binding(known: dict[str, Any], name: str, twice: str) -> Callable[[_Bound], _Bound]:
    """Return the decorator that enters a function once; `twice` is the error of a second one."""

    def bind(function: _Bound) -> _Bound:
        if name in known:
            raise ValueError(twice)
        known[name] = function
        return function

    return bind


def computes(name: str) -> Callable[[_Bound], _Bound]:
    """Bind a computation to the name that claims use for it."""
    return _binding(COMPUTATIONS, name, f"two computations are named {name!r}")


def computations(paper: str) -> Mapping[str, Computation]:
    """Return all computations known once those of `paper` are imported."""
    package = import_module(f"agora.papers.{paper.replace('-', '_')}")
    for module in iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")
    return COMPUTATIONS


@dataclass(frozen=True)
class Beyond:
    """What a reproduction adds to the verdicts, by names of files without suffix."""

    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)  # as CSV, and shown on the page
    figures: Mapping[str, Figure] = field(default_factory=dict)  # as SVG and PNG
    programs: Mapping[str, Model] = field(default_factory=dict)  # whose programs are written for GAMS


ADDITIONS: dict[str, Callable[[], Beyond]] = {}
"""What goes beyond the printed claims of the papers imported so far, by paper."""


def goes_beyond(paper: str) -> Callable[[_Bound], _Bound]:
    """Bind a function to the paper to whose verdicts it adds tables and figures."""
    return _binding(ADDITIONS, paper, f"two additions to {paper!r}")


def violation(solution: Solution, words: str) -> float:
    """Return the largest violation of the conditions whose name contains `words`, of a certificate."""
    return max(float(each.worst) for each in solution.certificate.conditions if words in each.name)


def check(claim: Claim, known: Mapping[str, Computation]) -> Finding:
    """Run a claim's computation; whatever it raises is the caller's."""
    result = known[claim.computation](**claim.arguments)
    return result if isinstance(result, Finding) else Finding(result)


def judge(claim: Claim, finding: Finding) -> Verdict:
    """Compare what was computed with what is printed.

    A statement that holds, and a number within the tolerance of the printed one, is reproduced; a
    statement that fails is refuted; another number, or another text, corrects the printed one.

    Raises
    ------
    ValueError
        If a number cannot be compared: it is not finite, or text is printed in its place.
    """
    if finding.verdict is not None:
        return finding.verdict
    if isinstance(finding.computed, bool):
        return "reproduced" if finding.computed else "refuted"
    printed = claim.printed if finding.printed is None else finding.printed
    if isinstance(finding.computed, str):
        return "reproduced" if finding.computed == printed else "corrected"
    if isinstance(printed, str) or not (math.isfinite(finding.computed) and math.isfinite(printed)):
        raise ValueError(f"{finding.computed!r} cannot be compared with {printed!r}")
    return "reproduced" if abs(finding.computed - printed) <= (claim.tolerance or 0.0) else "corrected"
