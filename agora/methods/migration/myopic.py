"""Myopic migration by an integrator of stiff equations, with the trade equilibrium solved inside."""

from __future__ import annotations

import time
from importlib.metadata import version

import numpy as np
from pydantic import Field
from scipy.integrate import solve_ivp

from agora.formulations.migration.trade import TradeState, solve_wages
from agora.methods.method import Answer, Method, Options, Progress, Proof, silent
from agora.models.migration.myopic import MyopicMigration
from agora.models.spatial import POSITIVE
from agora.solvers import SolveFailed, SolverRecord
from agora.typing import Vector


class MyopicOptions(Options):
    """How to integrate."""

    accuracy: float = Field(default=1e-9, gt=0, json_schema_extra=POSITIVE)
    """Relative error of a step of the integrator (LSODA)."""


def integrate(model: MyopicMigration, accuracy: float = 1e-9) -> tuple[Vector, list[TradeState], int]:
    """Return the densities (S, N) at the model's times, their trade equilibria, and the calls of the rate.

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
    options = {"method": "LSODA", "accuracy": accuracy}
    try:
        path = solve_ivp(
            rate, (0.0, model.horizon), model.start, "LSODA", model.times, rtol=accuracy, atol=accuracy / 10
        )
        message, done = str(path.message), bool(path.success)
        states = [solve_wages(model.economy, model.kernel, mu) for mu in path.y.T] if done else []
    except ArithmeticError as error:
        message, done = str(error), False
    if not done:
        record = SolverRecord(
            "LSODA", version("scipy"), "-", "scipy", "initial value", options, message, calls,
            time.perf_counter() - start,
        )  # fmt: skip
        raise SolveFailed(f"The integrator stopped: {message}", record)
    return path.y.T, states, calls


def solve_myopic(model: MyopicMigration, chosen: MyopicOptions, progress: Progress = silent) -> Answer:
    """Return the path that the integrator finds, with the trade equilibrium at every time."""
    progress("integrating")
    start = time.perf_counter()
    density, states, calls = integrate(model, chosen.accuracy)
    record = SolverRecord(
        "LSODA", version("scipy"), "-", "scipy", "initial value", {"accuracy": chosen.accuracy}, "solved",
        calls, time.perf_counter() - start,
    )  # fmt: skip
    wage, real = (np.array([getattr(state, name) for state in states]) for name in ("wage", "real_wage"))
    proof = Proof(
        "none", "unique: rates are Lipschitz where people are everywhere; found to the accuracy stated"
    )
    tables = model.tables(model.times, density, wage, real)
    return Answer("path", 0.0, tables, proof, {"accuracy": chosen.accuracy, "calls": calls}, (record,))


METHOD = Method("ode", MyopicOptions, solve_myopic)
"""The equation of motion, integrated by scipy."""
