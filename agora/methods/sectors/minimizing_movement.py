"""Minimising movements: a path as a sequence of programs, one kept in IPOPT and solved again and again.

Each step is solved from the values and multipliers of the last; what changes are the bounds of two
parameters. Under step control the length of a step follows an estimate of its error, so that long horizons
take few steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal

import numpy as np
from pydantic import Field

from agora.data.fields import POSITIVE
from agora.methods.method import Answer, Method, Options, Progress, Proof, collector_paused, silent
from agora.models.sectors.invisible_hand import InvisibleHand
from agora.solvers import NonlinearProgram, SolveFailed, SolverRecord
from agora.typing import Vector

ACCURACY = {"tol": 1e-12, "bound_push": 1e-9, "bound_frac": 1e-9, "mu_init": 1e-4}
"""Masses of many sectors are small numbers; the first step starts where firms are."""

LONGEST = 1e5
"""Times the model's step: a longer step, whose movements cost next to nothing, is no better determined."""

MOST_STEPS = 20_000
"""Steps after which a path without end is given up."""

CONVEX = Proof(
    "convexity",
    "each step a convex program, its gap to the optimum bounded in the certificate",
    assumptions=("consumption is concave in the firms",),
)
LOCAL = Proof("none", "none: consumption is not concave in the firms, each step is a local optimum")


class StepOptions(Options):
    """How to follow the firms."""

    step_control: Literal["auto", "fixed", "adaptive"] = "auto"
    """``fixed`` (every step is the model's), ``adaptive`` (by an estimate of the error), or ``auto``:
    adaptive for the long run, else fixed."""
    step_tolerance: float = Field(default=1e-3, gt=0, json_schema_extra=POSITIVE)
    """Share of all firms that a step may misplace under step control."""
    equal_within: float = Field(
        default=1e-7, ge=1e-9, le=1e-3, json_schema_extra={"allowed": "a number from 1e-9 to 1e-3"}
    )
    """Relative difference of neighbours' profit rates per length at which the long run is reached."""

    def _idle(self) -> Iterator[tuple[str, str]]:
        if self.step_control == "fixed":
            yield "step_tolerance", "step_control is adaptive or auto"


@dataclass
class Mover:
    """The program of a step, kept."""

    model: InvisibleHand

    def __post_init__(self) -> None:
        with collector_paused():
            self.program = self.model.step_program(self.model.start, self.model.step)
            chosen = ACCURACY if self.model.is_convex else {**ACCURACY, "tol": 1e-10}
            self.kept = NonlinearProgram(self.program, chosen)
        self._firms = list(self.program.firms.values())
        self._previous = list(self.program.previous.values())
        self._flows = list(self.program.flow.values())

    def flows(self, firms: Vector, step: float) -> Vector:
        """Return the optimal flows (E,) of a step from masses (I,)."""
        numbers = (*firms.tolist(), step)
        for parameter, number in zip((*self._previous, self.program.step), numbers, strict=True):
            parameter.setlb(number)
            parameter.setub(number)
            parameter.set_value(number)
        try:
            self.kept.solve(warm=True)
        except SolveFailed:  # far from the last step
            self._stay(firms)
            self.kept.solve()
        return np.array([float(flow.value) for flow in self._flows])

    def _stay(self, firms: Vector) -> None:
        """Start the next solve from where the firms are, without multipliers."""
        for variable, mass in zip(self._firms, firms.tolist(), strict=True):
            variable.set_value(mass)
        for variable in self._flows:
            variable.set_value(0.0)
        self.program.firm_index.set_value(self.model.firm_index(firms))


@dataclass(frozen=True)
class Steps:
    """A path: times (K + 1,), masses (K + 1, I), flows (K, E)."""

    times: Vector
    firms: Vector
    flows: Vector


def minimizing_movement(
    model: InvisibleHand,
    *,
    adaptive: bool = False,
    step_tolerance: float = 1e-3,
    equal_within: float = 1e-7,
    progress: Progress = silent,
) -> tuple[Steps, SolverRecord]:
    """Return the path of the minimising movements and the record of its solver.

    Under step control, `adaptive`, the model's step is only the first; see `StepOptions` for the tolerances.
    """
    mover = Mover(model)
    times, firms, flows = [0.0], [model.start], []
    control = _Control(model, step_tolerance) if adaptive else None
    for end in _ends(model, control):
        if len(times) > MOST_STEPS:
            raise SolveFailed(f"the long run was not reached in {MOST_STEPS} steps.", mover.kept.record())
        progress(f"step {len(times)} at time {times[-1]:.6g}")
        taken = end - times[-1]
        moved = mover.flows(firms[-1], taken)
        after = firms[-1] + model.links.arrivals(moved, model.network.number)
        if control is not None and not control.accepts(after - firms[-1], taken):
            continue
        times.append(end)
        flows.append(moved)
        firms.append(after)
        if model.horizon == "long-run" and at_rest(model, after, equal_within):
            break
    return Steps(np.array(times), np.array(firms), np.array(flows)), mover.kept.record()


def _ends(model: InvisibleHand, control: _Control | None) -> Iterator[float]:
    """Give the time at which the next step ends, until the horizon."""
    horizon = float("inf") if model.horizon == "long-run" else float(model.horizon)
    if control is None:
        yield from step_ends(model)
        return
    while control.time < horizon * (1 - 1e-12):
        yield min(control.time + control.step, horizon)


def step_ends(model: InvisibleHand) -> Iterator[float]:
    """Give the times at which steps of the model's length end, until the horizon if there is one."""
    if model.horizon == "long-run":
        yield from (number * model.step for number in count(1))
    horizon = float(model.horizon)
    whole = max(1, round(horizon / model.step))
    exact = abs(whole * model.step - horizon) <= 1e-9 * horizon
    ends = np.arange(1, (whole if exact else int(horizon / model.step)) + 1) * model.step
    yield from ends[:-1].tolist() if exact else ends.tolist()
    yield horizon


@dataclass
class _Control:
    """The length of the next step: the error of a step is about half the change of the rates during it."""

    model: InvisibleHand
    tolerance: float
    time: float = 0.0

    def __post_init__(self) -> None:
        self.step = self.model.step
        self._rates = self.model.motion.change(self.model.start)[0]

    def accepts(self, moved: Vector, step: float) -> bool:
        """Say whether a step is accurate enough, and choose the next one (or the same one, shorter)."""
        rates = moved / step
        error = 0.25 * step * float(np.abs(rates - self._rates).sum()) / self.model.firms
        factor = 0.9 * np.sqrt(self.tolerance / max(error, 1e-300))
        if error > 2 * self.tolerance and step > 1e-9 * self.model.step:
            self.step = step * max(factor, 0.1)
            return False
        self.time += step
        self.step = min(step * float(np.clip(factor, 0.2, 4.0)), LONGEST * self.model.step)
        self._rates = rates
        return True


def at_rest(model: InvisibleHand, firms: Vector, equal_within: float) -> bool:
    """Say whether nobody gains by moving: profit rates equal along all links, or differences below √(2cφ)."""
    value, links = model.motion.value(firms), model.links
    slope = np.abs(value[links.heads] - value[links.tails]) / links.lengths
    threshold = np.sqrt(2 * model.moving_cost * model.fixed_cost)
    return bool(np.all(slope <= threshold + equal_within * np.abs(value).max()))


def follow_firms(model: InvisibleHand, chosen: StepOptions, progress: Progress = silent) -> Answer:
    """Return the path of the minimising movements, a program a step."""
    long_run = model.horizon == "long-run"
    steps, record = minimizing_movement(
        model,
        adaptive=chosen.step_control == "adaptive" or (chosen.step_control == "auto" and long_run),
        step_tolerance=chosen.step_tolerance,
        equal_within=chosen.equal_within,
        progress=progress,
    )
    tables = model.path_tables(steps.times, steps.firms, steps.flows)
    aggregate = tables["aggregate"]
    gain = float(aggregate["potential"].iloc[-1] - aggregate["potential"].iloc[0])
    paid = float(aggregate["reallocation_cost"].iloc[-1])
    consumption = float(aggregate["consumption"].iloc[-1])
    facts: dict[str, Any] = {
        "steps": len(steps.flows),
        "curvature": model.economy.curvature,
        "cost_over_gain": paid / gain if gain > 0 else None,
    }
    if model.economy.curvature < 1:
        facts["long_run_consumption"] = float(model.economy.consumption(model.rest))
        facts["firms_misplaced"] = 0.5 * float(np.abs(steps.firms[-1] - model.rest).sum()) / model.firms
    status, proof = ("path of global optima", CONVEX) if model.is_convex else ("path of local optima", LOCAL)
    return Answer(status, consumption, tables, proof, facts, (record,))


METHOD = Method("minimizing-movement", StepOptions, follow_firms, solves=("step_program",))
"""A program a step."""
