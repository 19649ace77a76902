"""From a model to a certified solution: model → method → tables → certificate."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from agora import __version__
from agora.data.scenarios import Scenario
from agora.methods.changed_programs import changed_programs
from agora.methods.method import Answer, Method, Options, Progress, Proof, choose, silent
from agora.models.model import Model
from agora.models.registry import model_named
from agora.models.solution import Solution
from agora.runners.certifying import NotCertified, evaluated
from agora.runners.figures.pictures import pictures
from agora.solvers import SolveFailed as SolveFailed
from agora.solvers import solve_program as solve_program
from agora.solvers.records import release
from agora.solvers.reuse import one_solve

_PACKAGES = ("casadi", "highspy", "networkx", "numpy", "pandas", "pyomo", "scipy")


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
        As in the [solve] table of a scenario: the method, and the options that it has.

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
    method, chosen = choose(type(model), options)
    start = time.perf_counter()
    model.check()
    found = method.run(model, chosen, progress)
    if method.solves is not None and (changed := changed_programs(type(model))):
        words = f"none: {type(model).__name__} changes {changed[0]}(), of which nothing is proved"
        facts = {name: fact for name, fact in found.facts.items() if name not in ("bound", "gap")}
        found = replace(found, proof=Proof("none", words), facts=facts)
    solved = time.perf_counter()
    progress("checking")
    certificate = evaluated(model, found.tables, chosen.tolerance, found.facts)
    checked = time.perf_counter()
    inside = min(sum(record.seconds for record in found.solvers), solved - start)
    solution = Solution(
        model=model,
        status=found.status,
        objective=found.objective,
        tables=found.tables,
        certificate=certificate,
        proof=found.proof,
        manifest=manifest(model, method, chosen, found),
        seconds={"build": solved - start - inside, "solve": inside, "check": checked - solved},
        pictures=pictures(model, found.tables),
    )
    if raise_uncertified and not certificate.passed:
        raise NotCertified(solution)
    return solution


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of Agora, of Python and of some packages."""
    own = {"agora": __version__, "python": platform.python_version()}
    return {**own, **{name: release(name) for name in packages}}


def manifest(model: Model, method: Method[Any, Any], chosen: Options, found: Answer) -> dict[str, Any]:
    """Return what is needed to repeat a solve: versions, solvers, options, parameters, hash."""
    options = {"method": method.name, **chosen.model_dump()}
    problem = {"model": model.card.name, "parameters": model.describe(), "options": options}
    return {
        **problem,
        "hash": hashlib.sha256(json.dumps(problem, sort_keys=True).encode()).hexdigest(),
        "solvers": [record.record() for record in found.solvers],
        "versions": versions(_PACKAGES),
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
