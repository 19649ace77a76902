"""Myopic migration by an integrator of stiff equations, with the trade equilibrium solved inside."""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import NoReturn

import numpy as np
from pydantic import Field
from scipy.integrate import solve_ivp

from agora.data.checks import InputError
from agora.data.fields import POSITIVE
from agora.formulations.migration.trade import TradeState, solve_wages
from agora.methods.method import Answer, Method, Options, Progress, Proof, silent
from agora.models.migration.myopic import MyopicMigration
from agora.solvers import SolveFailed, SolverRecord
from agora.typing import Tables, Vector


class MyopicOptions(Options):
    """How to integrate."""

    accuracy: float = Field(default=1e-9, gt=0, json_schema_extra=POSITIVE)
    """Relative error of a step of the integrator (LSODA)."""


def integrate(model: MyopicMigration, accuracy: float) -> tuple[Vector, list[TradeState], SolverRecord]:
    """Return the densities (S, N) at the model's times, their trade equilibria, and the solver's record.

    Raises
    ------
    SolveFailed
        If the integrator stops, or a density leaves the domain of the trade equilibrium.
    """
    last = np.ones(model.cells)
    calls = 0

    def rate(_: float, density: Vector) -> Vector:
        nonlocal last, calls
        calls += 1
        mu = np.maximum(density, 1e-12)
        state = solve_wages(model.economy, model.kernel, mu, last)
        last = state.wage
        return model.rate(mu, state.real_wage)

    start = time.perf_counter()
    try:
        path = solve_ivp(
            rate, (0.0, model.horizon), model.start, "LSODA", model.times, rtol=accuracy, atol=accuracy / 10
        )
        fault = None if path.success else str(path.message)
        states = [solve_wages(model.economy, model.kernel, mu) for mu in path.y.T] if path.success else []
    except ArithmeticError as error:
        fault = str(error)
    record = SolverRecord(
        "LSODA", version("scipy"), "-", "scipy", "initial value", {"accuracy": accuracy}, fault or "solved",
        calls, time.perf_counter() - start,
    )  # fmt: skip
    if fault is not None:
        raise SolveFailed(f"The integrator stopped: {fault}", record)
    return path.y.T, states, record


def solve_myopic(model: MyopicMigration, chosen: MyopicOptions, progress: Progress = silent) -> Answer:
    """Return the path that the integrator finds, with the trade equilibrium at every time."""
    progress("integrating")
    density, states, record = integrate(model, chosen.accuracy)
    wage, real = (np.array([getattr(state, name) for state in states]) for name in ("wage", "real_wage"))
    proof = Proof(
        "none", "unique: rates are Lipschitz where people are everywhere; found to the accuracy stated"
    )
    tables = model.tables(model.times, density, wage, real)
    facts = {"accuracy": chosen.accuracy, "calls": record.iterations}
    return Answer("path", 0.0, tables, proof, facts, (record,))


def no_optimum(model: MyopicMigration, tables: Tables) -> NoReturn:
    """Say that an integrator's path is no optimum, so that it cannot be differentiated as one."""
    allowed = "one whose answer is the optimum of a program; an integrator follows this path"
    raise InputError("model", model.card.name, allowed)


METHOD = Method("ode", MyopicOptions, solve_myopic, solves=())
"""The equation of motion, integrated by scipy."""
