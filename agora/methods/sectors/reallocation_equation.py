"""The equation of motion integrated by scipy: the oracle of the minimising movements."""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp
from scipy.sparse import block_array, coo_array, csr_array

from agora.data.checks import InputError
from agora.methods.method import Answer, Method, Options, Progress, Proof, silent
from agora.models.sectors.invisible_hand import InvisibleHand
from agora.solvers import SolveFailed, SolverRecord
from agora.typing import Vector

ACCURACY: dict[str, Any] = {"method": "BDF", "rtol": 1e-9, "atol": 1e-12}


def orbit(model: InvisibleHand, times: Vector, **accuracy: Any) -> tuple[Vector, Vector, SolverRecord]:
    """Return masses (T, I) and the costs paid so far (T,) at times (T,) that ascend from 0.

    By `scipy.integrate.solve_ivp`, whose ``method``, ``rtol`` and ``atol`` are those of `ACCURACY` unless
    given. With a fixed cost the equation is discontinuous, and refused.
    """
    if model.fixed_cost > 0:
        raise InputError("method", "ode", "'minimizing-movement' where a fixed cost makes firms stop and go")
    motion, chosen = model.motion, {**ACCURACY, **accuracy}
    start = time.perf_counter()

    def rates(_: float, state: Vector) -> Vector:
        change, paid = motion.change(state[:-1])
        return np.append(change, paid)

    def slopes(_: float, state: Vector) -> csr_array:
        return _jacobian(model, state[:-1])

    first, span = np.append(model.start, 0.0), (0.0, float(times[-1]))
    solved = solve_ivp(rates, span, first, t_eval=times, jac=slopes, **chosen)
    record = SolverRecord(
        "scipy.integrate.solve_ivp", version("scipy"), "-", "scipy", "ordinary differential equation", chosen,
        str(solved.message), int(solved.nfev), time.perf_counter() - start,
    )  # fmt: skip
    if not solved.success:
        raise SolveFailed(f"scipy stopped with '{solved.message}'.", record)
    return solved.y[:-1].T, solved.y[-1], record


def _jacobian(model: InvisibleHand, firms: Vector) -> csr_array:
    """Return the derivative of the equation of motion, but for what comes through C, which is small.

    The integrator needs it for convergence only, not for accuracy.
    """
    motion, links, number = model.motion, model.links, len(firms)
    weights = 1 / (model.moving_cost * links.lengths**2)
    value, mass = motion.value(firms), motion.on_links(firms)
    own = model.economy.profit_slopes(firms)[0] * float(motion.unit(firms))
    own = own - model.moving_cost * model.noise / firms
    push = 0.5 * weights * (value[links.heads] - value[links.tails])
    tail = push - weights * mass * own[links.tails]
    head = push + weights * mass * own[links.heads]
    rows = np.concatenate([links.heads, links.heads, links.tails, links.tails])
    columns = np.concatenate([links.tails, links.heads, links.tails, links.heads])
    values = np.concatenate([tail, head, -tail, -head])
    inside = coo_array((values, (rows, columns)), shape=(number, number))
    return csr_array(block_array([[inside, None], [None, csr_array((1, 1))]]))


def integrate(model: InvisibleHand, chosen: Options, progress: Progress = silent) -> Answer:
    """Return the path that scipy integrates, at the ends of the model's steps."""
    if model.horizon == "long-run":
        raise InputError("horizon", "long-run", "a finite number > 0 for method 'ode'")
    horizon = float(model.horizon)
    times = np.linspace(0.0, horizon, max(2, round(horizon / model.step) + 1))
    progress("integrating")
    masses, paid, record = orbit(model, times)
    tables = model.state_tables(times, masses, paid)
    proof = Proof("none", "none needed: the solution of the equation of motion is unique")
    consumption = float(tables["aggregate"]["consumption"].iloc[-1])
    return Answer("orbit", consumption, tables, proof, {"steps": record.iterations}, (record,))


METHOD = Method("ode", Options, integrate, solves=())
"""The equation of motion, integrated by scipy."""
