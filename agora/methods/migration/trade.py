"""The trade equilibrium: its square program by IPOPT, directly or along the homotopy in trade costs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Literal

import numpy as np
import pandas as pd
import pyomo.environ as pyo
from pydantic import Field

from agora.formulations.migration.kernels import DenseKernel, Kernel, sparse_kernel
from agora.formulations.migration.trade import solve_wages
from agora.methods.method import Answer, Method, Options, Progress, Proof, collector_paused, silent
from agora.models.migration.spatial_trade import SpatialTrade
from agora.solvers import SolveFailed, SolverRecord, solve_program
from agora.typing import Vector

IPOPT_ACCURACY = {"tol": 1e-12, "max_iter": 200}
"""A square program is solved to the last digits in a step or two more."""

MANY = 300
"""Locations beyond which the reduced equations are solved unless the user asks for the program."""

SMALLEST_STEP = 1 / 1024
"""Of the homotopy, before it gives up."""

UNIQUE = Proof(
    "uniqueness",
    "unique: with given people and a positive trade elasticity excess demand has the gross-substitute "
    "property and no location is cut off, so that wages are determined up to the numéraire (slides, "
    "theorem 1)",
    assumptions=("a positive trade elasticity", "no location is cut off"),
)


class KernelOptions(Options):
    """How the program of a trade equilibrium is written."""

    kernel: Literal["sparse", "dense", "low-rank"] = "sparse"
    """``sparse`` (recurrences on circles and tori, else dense), ``dense``, or ``low-rank``."""
    truncation: float = Field(
        default=1e-10, gt=0, lt=1, json_schema_extra={"allowed": "a number > 0 and < 1"}
    )
    """Largest relative truncation error of a low-rank kernel."""

    def _idle(self) -> Iterator[tuple[str, str]]:
        if self.kernel != "low-rank":
            yield "truncation", "kernel is low-rank"


@dataclass(frozen=True)
class Homotopy:
    """A path of equilibria in trade costs, from none to the model's."""

    steps: tuple[tuple[float, Vector], ...]
    """s and wages (N,), from s = 0 to s = 1."""
    program: pyo.ConcreteModel
    """The last program, solved."""
    records: tuple[SolverRecord, ...]
    """One record of each solve."""
    halved: int
    """How often a step failed and was halved."""


def trade_cost_homotopy(
    model: SpatialTrade, kernel: Kernel, steps: int = 4, progress: Progress = silent
) -> Homotopy:
    r"""Follow the equilibrium along τ_s = 1 + s (τ − 1) from costless trade, where it is known.

    Without trade costs :math:`w \propto (a \mu^{c-1})^{1/\sigma}`. The path is that of the uniqueness proof
    of Bahlali, Boucekkine & Petit (2026); a step that fails is halved.

    Raises
    ------
    SolveFailed
        If a step of `SMALLEST_STEP` fails.
    """
    economy, density = model.economy, model.density
    wages = economy.technology * density ** (economy.density_exponent - 1)
    wages = wages ** (1 / (economy.trade_elasticity + 1))
    wages = wages / float((model.base_weights * density) @ wages)
    path, records, halved = [(0.0, wages)], [], 0
    at, step = 0.0, 1 / steps
    while True:
        goal = min(1.0, at + step)
        progress(f"homotopy in trade costs, s = {goal:.4g}")
        part = DenseKernel((1 + goal * (model.costs - 1)) ** -model.power, model.base_weights)
        with collector_paused():
            program = model.program(kernel if goal == 1.0 else part, wages)
        try:
            records.append(solve_program(program, IPOPT_ACCURACY, interior=True))
        except SolveFailed:
            halved, step = halved + 1, step / 2
            if step < SMALLEST_STEP:
                raise
            continue
        wages = np.array([float(wage.value) for wage in program.wage.values()])
        path.append((goal, wages))
        at = goal
        if at == 1.0:
            return Homotopy(tuple(path), program, tuple(records), halved)


def by_any(model: SpatialTrade, chosen: KernelOptions, progress: Progress = silent) -> Answer:
    """Return the equilibrium by newton for more than `MANY` locations, else directly, or by the homotopy."""
    if chosen.kernel == "sparse" and model.number > MANY:
        return by_newton(model, chosen, progress)
    try:
        return by_program(model, chosen, progress)
    except SolveFailed:
        return by_homotopy(model, chosen, progress)


def by_program(model: SpatialTrade, chosen: KernelOptions, progress: Progress = silent) -> Answer:
    """Return the equilibrium from the program, solved by IPOPT."""
    kernel = _kernel(model, chosen)
    progress("building")
    with collector_paused():
        program = model.program(kernel)
    progress("solving")
    record = solve_program(program, IPOPT_ACCURACY, interior=True)
    branch = "the program by IPOPT, from a few steps of the wage map"
    return _answer(model.read(program), kernel, branch, (record,))


def by_homotopy(model: SpatialTrade, chosen: KernelOptions, progress: Progress = silent) -> Answer:
    """Return the equilibrium at the end of the homotopy in trade costs."""
    kernel = _kernel(model, chosen)
    path = trade_cost_homotopy(model, kernel, progress=progress)
    branch = f"homotopy in trade costs, {len(path.steps) - 1} steps, {path.halved} halved"
    return _answer(model.read(path.program), kernel, branch, path.records)


def _answer(
    tables: dict[str, pd.DataFrame], kernel: Kernel, branch: str, records: tuple[SolverRecord, ...]
) -> Answer:
    facts = {"kernel": type(kernel).__name__, "truncation_error": kernel.truncation_error, "branch": branch}
    return Answer("equilibrium", 0.0, tables, UNIQUE, facts, records)


def by_newton(model: SpatialTrade, chosen: Options, progress: Progress = silent) -> Answer:
    """Solve the N wage equations alone; the program's other variables follow."""
    progress("Newton's method on the wage equations")
    start = time.perf_counter()
    economy, density = model.economy, model.density
    record = SolverRecord(
        "Newton", version("numpy"), "LAPACK", "numpy", "square nonlinear", {"tolerance": 1e-13}, "", None, 0.0
    )
    try:
        state = solve_wages(economy, model.dense_kernel, density)
    except ArithmeticError as error:
        raise SolveFailed(f"{error}; method = 'homotopy' may help.", record) from None
    record = replace(
        record, status="solved", iterations=state.iterations, seconds=time.perf_counter() - start
    )
    supply = economy.technology * density**economy.density_exponent * state.wage**-economy.trade_elasticity
    tables = model.tables(state.wage, state.supplier_access, supply, state.real_wage)
    branch = "Newton's method on the reduced wage equations, from wages of one"
    return _answer(tables, model.dense_kernel, branch, (record,))


def _kernel(model: SpatialTrade, chosen: KernelOptions) -> Kernel:
    if chosen.kernel == "dense":
        return model.dense_kernel
    if chosen.kernel == "sparse":
        return model.kernel
    return sparse_kernel(model.freeness, model.base_weights, chosen.truncation)


AUTO = Method("auto", KernelOptions, by_any, solves=())
"""Newton's method for many locations, else the program, and the homotopy if that fails."""
DIRECT = Method("direct", KernelOptions, by_program, solves=("program",))
"""The program by IPOPT."""
HOMOTOPY = Method("homotopy", KernelOptions, by_homotopy, solves=("program",))
"""The programs for τ_s = 1 + s (τ − 1), s from 0 to 1."""
NEWTON = Method("newton", Options, by_newton, solves=())
"""The reduced wage equations with dense matrices."""
