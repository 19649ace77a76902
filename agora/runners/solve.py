"""From a model to a certified solution: model → method → tables → certificate."""

from __future__ import annotations

import gc
import hashlib
import json
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import singledispatch
from importlib.metadata import version
from typing import Any, Literal

import pyomo.environ as pyo
from pydantic import Field

from agora import __version__
from agora.data.fields import Fields
from agora.data.scenarios import Scenario
from agora.formulations.commuting import add_commuting_edges, add_commuting_pairs
from agora.models.coalition import CoalitionTest
from agora.models.equilibrium import Model, Solution
from agora.models.fujita_ogawa import FujitaOgawa
from agora.models.marketplaces import Marketplaces
from agora.models.registry import model_named
from agora.models.spatial import POSITIVE
from agora.runners.certify import NotCertified, certify
from agora.runners.methods.answers import Answer, Progress, silent
from agora.runners.methods.best_response import best_response
from agora.runners.methods.coalition_search import most_improving_coalition
from agora.runners.methods.marketplace_search import solve_marketplaces
from agora.runners.methods.nonlinear import complementarity, potential_program
from agora.runners.methods.vertex_enumeration import global_maximiser
from agora.runners.pictures import pictures
from agora.runners.programs import objective_of
from agora.runners.solvers import solve_program

_PACKAGES = ("casadi", "highspy", "networkx", "numpy", "pandas", "pyomo", "scipy")


class Options(Fields):
    """How to solve any model.

    Parameters
    ----------
    tolerance : float
        Largest violation the certificate accepts, in the units of each condition.
    """

    tolerance: float = Field(default=1e-6, gt=0, json_schema_extra={"allowed": "a finite number > 0"})


class CityOptions(Options):
    """How to solve a Fujita–Ogawa city.

    Parameters
    ----------
    method : str
        ``best-response`` (local maximisers, linear programs), ``global`` (enumeration with proof, up
        to 10 cells), ``ipopt`` (the overall program (P0) by IPOPT), ``complementarity``
        (Definition 1, for externalities without a potential).
    starts : int
        Number of starting points.
    seed : int
        Seed of everything random.
    commuting : str
        ``edges`` or ``pairs``: the formulation of commuting for method ``ipopt``.
    """

    method: Literal["best-response", "global", "ipopt", "complementarity"] = "best-response"
    starts: int = Field(default=20, ge=1, json_schema_extra={"allowed": "a whole number >= 1"})
    seed: int = Field(default=1, ge=0, json_schema_extra={"allowed": "a whole number >= 0"})
    commuting: Literal["edges", "pairs"] = "edges"


@contextmanager
def collector_paused() -> Iterator[None]:
    """Build without the garbage collector: a program is millions of small objects that all stay."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


@singledispatch
def answer(model: Any, options: dict[str, Any], progress: Progress) -> tuple[Answer, Options]:
    """Solve a model by its method; without one of its own, its program goes to the solver as it is."""
    chosen = Options.model_validate(options)
    progress("building")
    with collector_paused():
        program = model.program()
    progress("solving")
    record = solve_program(program)
    tables = model.read(program)
    objective = float(pyo.value(objective_of(program)))
    convex = record.solver == "HiGHS"
    proof = (
        f"HiGHS closed the gap of a {record.program_class} program" if convex else "none: a local solution"
    )
    status = "global optimum" if convex else "local optimum"
    return Answer(status, objective, convex, tables, {"proof": proof}, (record,)), chosen


@answer.register
def _(model: FujitaOgawa, options: dict[str, Any], progress: Progress) -> tuple[Answer, Options]:
    chosen = CityOptions.model_validate(options)
    methods: dict[str, Callable[[], Answer]] = {
        "best-response": lambda: best_response(model, chosen.starts, chosen.seed, progress),
        "global": lambda: global_maximiser(model, progress),
        "ipopt": lambda: potential_program(
            model,
            {"edges": add_commuting_edges, "pairs": add_commuting_pairs}[chosen.commuting],
            chosen.starts,
            chosen.seed,
            progress,
        ),
        "complementarity": lambda: complementarity(model, chosen.seed, chosen.starts, progress),
    }
    return methods[chosen.method](), chosen


class SearchOptions(Options):
    """How to search over structures.

    Parameters
    ----------
    seconds : float
        Time for the search; when it runs out, the bound reached is reported.
    """

    seconds: float = Field(default=60.0, gt=0, json_schema_extra=POSITIVE)


class MarketplaceOptions(SearchOptions):
    """How to solve a marketplace economy.

    Parameters
    ----------
    gap : float
        Relative gap to which every number of marketplaces is proved.
    """

    gap: float = Field(default=1e-9, gt=0, json_schema_extra=POSITIVE)


@answer.register
def _(model: Marketplaces, options: dict[str, Any], progress: Progress) -> tuple[Answer, Options]:
    chosen = MarketplaceOptions.model_validate(options)
    return solve_marketplaces(model, gap=chosen.gap, seconds=chosen.seconds, progress=progress), chosen


class CoalitionOptions(SearchOptions):
    """How to search for an improving coalition.

    Parameters
    ----------
    gain_tolerance : float
        Gain up to which "no coalition improves" is proved.
    """

    gain_tolerance: float = Field(default=1e-6, gt=0, json_schema_extra=POSITIVE)


@answer.register
def _(model: CoalitionTest, options: dict[str, Any], progress: Progress) -> tuple[Answer, Options]:
    chosen = CoalitionOptions.model_validate(options)
    found = most_improving_coalition(
        model, tolerance=chosen.gain_tolerance, seconds=chosen.seconds, progress=progress
    )
    return found, chosen


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
        As in the [solve] table of a scenario; see `Options` and `CityOptions`.

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
    start = time.perf_counter()
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
            **{name: version(name) for name in _PACKAGES},
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
