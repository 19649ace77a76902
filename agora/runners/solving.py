"""From a model to a certified solution: model → method → tables → certificate."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from typing import Any

from agora import __version__
from agora.data.scenarios import Scenario
from agora.methods.answers import Answer, Options, Progress, answer, silent
from agora.models import registry
from agora.models.model import Model
from agora.models.registry import model_named
from agora.models.solution import Solution
from agora.runners.certifying import NotCertified, certify
from agora.runners.figures.pictures import pictures
from agora.solvers.records import release
from agora.solvers.reuse import one_solve
from agora.solvers.solve_program import SolveFailed as SolveFailed
from agora.solvers.solve_program import solve_program as solve_program

_PACKAGES = ("casadi", "highspy", "networkx", "numpy", "pandas", "pyomo", "scipy")


@cache
def know_all_methods() -> None:
    """Import the methods and the pictures that the families name."""
    for family in registry.FAMILIES:
        name = family.__name__.rpartition(".")[2]
        for module in import_module(f"agora.methods.{name}").METHODS:
            import_module(f"agora.methods.{name}.{module}")
        for module in import_module(f"agora.runners.figures.{name}").PICTURES:
            import_module(f"agora.runners.figures.{name}.{module}")


@one_solve()
def solve(
    model: Model, *, progress: Progress = silent, raise_uncertified: bool = True, **options: Any
) -> Solution:
    """Solve a model and certify the answer.

    Parameters
    ----------
    model : Model
        Parameters and geography.
    progress : callable, optional
        Called with a short text as the work goes on.
    raise_uncertified : bool
        If False, an answer that fails its certificate is returned instead of raised.
    **options
        As in the [solve] table of a scenario; see `Options` and the options of the model's method.

    Returns
    -------
    Solution
        Tables, certificate, manifest.

    Raises
    ------
    InputError
        For bad options, or a model that the method cannot treat.
    SolveFailed
        If a solver stops without an optimum.
    NotCertified
        If the definition of equilibrium is violated; names the worst condition and the place.
    """
    know_all_methods()
    start = time.perf_counter()
    model.check()
    found, chosen = answer(model, options, progress)
    solved = time.perf_counter()
    progress("checking")
    certificate = certify(model, found.tables, chosen.tolerance, found.facts)
    checked = time.perf_counter()
    inside = min(sum(record.seconds for record in found.solvers), solved - start)
    solution = Solution(
        model=model,
        status=found.status,
        objective=found.objective,
        is_global=found.is_global,
        tables=found.tables,
        certificate=certificate,
        manifest=manifest(model, chosen, found),
        seconds={"build": solved - start - inside, "solve": inside, "check": checked - solved},
        pictures=pictures(model, found.tables),
    )
    if raise_uncertified and not certificate.passed:
        raise NotCertified(solution)
    return solution


@cache
def _versions() -> dict[str, str]:
    """Return the versions of the packages that do the work."""
    return {name: release(name) for name in _PACKAGES}


def manifest(model: Model, options: Options, found: Answer) -> dict[str, Any]:
    """Return what is needed to repeat a solve: versions, solvers, options, parameters, hash."""
    problem = {"model": model.card.name, "parameters": model.describe(), "options": options.model_dump()}
    return {
        **problem,
        "hash": hashlib.sha256(json.dumps(problem, sort_keys=True).encode()).hexdigest(),
        "solvers": [record.record() for record in found.solvers],
        "versions": {
            "agora": __version__,
            "python": platform.python_version(),
            **_versions(),
        },
        "platform": platform.platform(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def model_from(scenario: Scenario) -> Model:
    """Return the model a scenario describes.

    Raises
    ------
    InputError
        For an unknown model or bad parameters.
    """
    parameters = dict(scenario.parameters)
    if scenario.geography is not None:
        parameters["geography"] = scenario.geography
    return model_named(scenario.model).model_validate(parameters)


def solve_scenario(
    scenario: Scenario, *, progress: Progress = silent, raise_uncertified: bool = True
) -> Solution:
    """Solve a scenario with the options it names; see `solve`."""
    return solve(
        model_from(scenario), progress=progress, raise_uncertified=raise_uncertified, **scenario.solve
    )
