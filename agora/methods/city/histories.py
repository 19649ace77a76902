r"""Histories: dynamics of the firms' game, and the equilibrium to which each leads.

Firms earn F_i(m) = A_i(m) − c_i(m), c the gradient of the commuting cost (4.7); there is room for a_i − m_i
more in cell i. In every dynamic m stays in ℳ, the potential never falls, and rest points are the equilibria
(Osawa & Akamatsu 2019, (4.4), (4.5)). The usual forms live on a simplex; here they respect capacities
(Remark B.3), ρ_i = a_i − m_i:

* best response (Gilboa & Matsui 1991): ṁ = b − m, b a best response to A(m), households included;
* projection (Dupuis & Nagurney 1993): ṁ the projection of F on the directions that stay in ℳ, by implicit
  steps m⁺ = argmax A(m)·z − ȟ(z) − |z − m|²/(2Δ), a convex quadratic program that knows no trouble at kinks;
* Smith (1984): ṁ_i = ρ_i Σ_j m_j [F_i − F_j]₊ − m_i Σ_j ρ_j [F_j − F_i]₊;
* Brown & von Neumann (1950), Nash (1951): ṁ_i = ρ_i [F_i − F̄]₊ − m_i [F̄ − F_i]₊, with the F̄ that
  balances entry and exit;
* replicator (Taylor & Jonker 1978), the Riemannian dynamic of Mertikopoulos & Sandholm (2018) with metric
  1/m_i + 1/ρ_i: ṁ_i = q_i (F_i − Σ q F / Σ q), q_i = m_i ρ_i / a_i.

The last three ask for prices at kinks too and use the smoothed cost of `SmoothCommuting`; their potential is
f − ȟ_ε.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import pyomo.environ as pyo
from pydantic import Field
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from agora.data.checks import InputError, nearest
from agora.data.fields import POSITIVE
from agora.formulations.city.smooth_commuting import SmoothCommuting
from agora.methods.city.firms_game import FirmsGame, city_method
from agora.methods.method import Answer, Count, Options, Progress, Proof, Whole, silent
from agora.models.city.fujita_ogawa import FujitaOgawa
from agora.models.city.tables import cell_names
from agora.solvers import NonlinearProgram, SolveFailed, solve_program
from agora.typing import Vector

Dynamic = Literal["best-response", "projection", "smith", "bnn", "replicator"]
DYNAMICS: tuple[str, ...] = get_args(Dynamic)

HORIZONS = {
    "best-response": 20.0,
    "projection": 40.0,
    "smith": 20_000.0,
    "bnn": 4_000.0,
    "replicator": 4_000.0,
}
"""How long each dynamic is followed unless told otherwise; their clocks differ."""
SMOOTHING = 1e-3
"""Width ε of the smoothed commuting cost, as a share of the mean land of a cell."""
SCALE = 100.0
"""Of the objective of an implicit step: small steps gain little."""
TIGHT = {"tol": 1e-12, "compl_inf_tol": 1e-12, "nlp_scaling_method": "none", "mu_strategy": "adaptive"}
"""IPOPT's options where HiGHS's active-set method for quadratic programs gives up."""
FALL = 1e-9
"""Fall of the potential between two times, relative, that counts as rounding."""


@dataclass(frozen=True)
class History:
    """A path of the firms' distribution."""

    times: Vector
    """Without a unit, (K,): that of the payoffs' inverse, for best response of the rate of revision."""
    firms: Vector
    """m along the path (K, I)."""
    potential: Vector
    """Potential that the dynamic raises (K,), numéraire."""
    end: Vector
    """The equilibrium reached by best responses from the last distribution (I,)."""
    distance: float
    """Largest difference between the last distribution and `end`, as a share of the mean land of a
    cell."""


def history(game: FirmsGame, dynamic: str, start: Vector, horizon: float, steps: int = 100) -> History:
    """Follow one of `DYNAMICS` from a distribution of firms (I,), 0 ≤ m ≤ a, Σ m = M, until `horizon` > 0.

    The path is recorded at so many `steps`: also the implicit ones of best response and projection.

    Raises
    ------
    InputError
        For an unknown dynamic, a start outside ℳ, or excess land where the smoothed cost is needed.
    RuntimeError
        If the integrator gives up, a smoothed flow is not found, or the potential falls.
    """
    city = game.city
    if dynamic not in DYNAMICS:
        raise InputError("dynamic", dynamic, nearest(dynamic, DYNAMICS))
    start = _checked_start(city, start)
    times = np.linspace(0.0, horizon, steps + 1)
    if dynamic in ("best-response", "projection"):
        move = _best_response if dynamic == "best-response" else _projection(city)
        path = [start]
        while len(path) <= steps:
            path.append(game.feasible(move(game, path[-1], horizon / steps)))
        firms = np.array(path)
        potential = np.array([game.potential(game.lower_stage(m)) for m in firms])
    else:
        firms, potential = _integrated(game, dynamic, start, times)
    drop = float(np.diff(potential).min())
    if drop < -FALL * float(np.abs(potential).max()):
        raise RuntimeError(
            f"the potential falls by {-drop:.3g} along the dynamic {dynamic}: a smaller step is needed"
        )
    end = game.climb(game.feasible(firms[-1])).firms
    distance = float(np.abs(end - firms[-1]).max()) / game.scale
    return History(times, firms, potential, end, distance)


def _checked_start(city: FujitaOgawa, start: Vector) -> Vector:
    firms = np.asarray(start, dtype=float)
    land = city.network.land
    if firms.shape != land.shape or not np.isfinite(firms).all():
        raise InputError("start", start, f"{len(land)} finite numbers, the firms of each cell")
    if (firms < -1e-9 * land).any() or (firms > land * (1 + 1e-9)).any():
        raise InputError("start", firms.tolist(), "between 0 and the land of each cell")
    if abs(firms.sum() - city.firm_mass) > 1e-9 * city.firm_mass:
        raise InputError("start (sum)", float(firms.sum()), f"the mass of firms, {city.firm_mass:g}")
    return np.asarray(np.clip(firms, 0.0, land))


# --- by programs -------------------------------------------------------------------------------------


def _best_response(game: FirmsGame, firms: Vector, step: float) -> Vector:
    """Return the firms after a time in which ṁ = b − m while b stays the best response."""
    target = game.respond(game.city.interaction.level(firms)).firms
    return np.asarray(target + np.exp(-step) * (firms - target))


def _projection(city: FujitaOgawa) -> Callable[[FirmsGame, Vector, float], Vector]:
    """Return the implicit step of the projection dynamic, its program built once."""
    program = city.best_response_program(np.zeros(city.network.number))
    program.output.deactivate()
    program.level = pyo.Param(program.cells, initialize=0.0, mutable=True, within=pyo.Reals)
    program.before = pyo.Param(program.cells, initialize=0.0, mutable=True, within=pyo.Reals)
    program.pace = pyo.Param(initialize=1.0, mutable=True)
    cells = list(program.cells)

    def movement_rule(p: pyo.ConcreteModel) -> Any:
        gain = pyo.quicksum(p.level[c] * p.firms[c] for c in cells) - p.total_commuting_cost
        return SCALE * (gain - p.pace * pyo.quicksum((p.firms[c] - p.before[c]) ** 2 for c in cells))

    program.movement = pyo.Objective(rule=movement_rule, sense=pyo.maximize)

    def move(_: FirmsGame, firms: Vector, step: float) -> Vector:
        program.level.store_values(dict(zip(cells, city.interaction.level(firms).tolist(), strict=True)))
        program.before.store_values(dict(zip(cells, firms.tolist(), strict=True)))
        program.pace.set_value(0.5 / step)
        try:
            solve_program(program)
        except SolveFailed:
            NonlinearProgram(program, TIGHT).solve()
        return np.array([float(program.firms[c].value) for c in cells])

    return move


# --- by integration --------------------------------------------------------------------------------------


def _integrated(game: FirmsGame, dynamic: str, start: Vector, times: Vector) -> tuple[Vector, Vector]:
    city, land = game.city, game.land
    if not city.no_excess_land or city.geography.is_directed():
        allowed = "best-response or projection on directed geographies and with excess land, M(1 + φ) < Σ a"
        raise InputError("dynamic", dynamic, allowed)
    width = SMOOTHING * game.scale
    commuting = SmoothCommuting(city.network, city.commuting_cost, city.labor_per_firm, width)
    velocity = {"smith": _smith, "bnn": _bnn, "replicator": _replicator}[dynamic]
    flows = commuting.flows(start)

    def motion(_: float, firms: Vector) -> Vector:
        nonlocal flows  # the integrator asks for nearby distributions in turn: each starts from the last
        inside = np.clip(firms, 0.0, land)
        flows = commuting.flows(inside, start=flows)
        payoff = city.interaction.level(inside) - commuting.firm_cost_with(flows)
        return velocity(payoff, inside, land - inside)

    span, atol = (0.0, float(times[-1])), 1e-10 * game.scale
    solved = solve_ivp(motion, span, start, method="LSODA", t_eval=times, rtol=1e-8, atol=atol)
    if not solved.success:
        raise RuntimeError(f"the integration of the dynamic {dynamic} failed: {solved.message}")
    firms = np.array([game.feasible(m) for m in solved.y.T])
    potential = np.array([city.interaction.potential(m) - commuting.cost(m) for m in firms])
    return firms, potential


def _smith(payoff: Vector, firms: Vector, room: Vector) -> Vector:
    gain = np.maximum(payoff[:, None] - payoff[None, :], 0.0)  # of moving from the column to the row
    flow = room[:, None] * gain * firms[None, :]
    return np.asarray(flow.sum(axis=1) - flow.sum(axis=0))


def _bnn(payoff: Vector, firms: Vector, room: Vector) -> Vector:
    def surplus(level: float) -> float:
        entry = room @ np.maximum(payoff - level, 0.0)
        return float(entry - firms @ np.maximum(level - payoff, 0.0))

    low, high = float(payoff.min()), float(payoff.max())
    level = brentq(surplus, low, high, xtol=1e-15) if high > low else low
    return room * np.maximum(payoff - level, 0.0) - firms * np.maximum(level - payoff, 0.0)


def _replicator(payoff: Vector, firms: Vector, room: Vector) -> Vector:
    weight = firms * room / (firms + room)
    return weight * (payoff - float(weight @ payoff) / max(float(weight.sum()), 1e-300))


# --- the answer ------------------------------------------------------------------------------------------


class HistoryOptions(Options):
    """How to follow a history."""

    dynamic: Dynamic = "best-response"
    """``best-response``, ``projection``, ``smith``, ``bnn``, ``replicator``."""
    start: tuple[float, ...] | None = None
    """Firms of each cell at the beginning, in the sorted order of the cells; unless given, the even
    distribution disturbed at random."""
    horizon: float | None = Field(default=None, gt=0, json_schema_extra=POSITIVE)
    """Length of the history; unless given, `HORIZONS`."""
    steps: Count = 100
    """Times recorded."""
    seed: Whole = 1
    """Seed of the disturbance."""

    def _idle(self) -> Iterator[tuple[str, str]]:
        if self.start is not None:
            yield "seed", "no start is given"


def reached_equilibrium(city: FujitaOgawa, chosen: HistoryOptions, progress: Progress = silent) -> Answer:
    """Return the equilibrium to which a history leads, with the path in tables of its own.

    Raises `InputError` as `history` does, and for a city without a potential.
    """
    city.check_potential()
    dynamic = chosen.dynamic
    game = FirmsGame(city)
    if chosen.start is None:
        even = city.firm_mass * game.land / game.land.sum()
        disturbed = even * (1 + 0.2 * np.random.default_rng(chosen.seed).uniform(-1, 1, len(even)))
        begin = game.feasible(disturbed * city.firm_mass / disturbed.sum())
    else:
        begin = np.array(chosen.start, dtype=float)
    progress(f"following the dynamic {dynamic}")
    path = history(game, dynamic, begin, chosen.horizon or HORIZONS[dynamic], chosen.steps)
    state = game.climb(path.end)
    kind = game.kind(state)
    allocation, prices = game.allocation(state)
    names = cell_names(city.network)
    tables = {
        **city.tables(allocation),
        "history": pd.DataFrame({"time": path.times, "potential": path.potential}),
        "history_firms": pd.DataFrame(
            {
                "time": np.repeat(path.times, len(names)),
                "cell": names * len(path.times),
                "firms": path.firms.ravel(),
            }
        ),
    }
    facts = {
        "kind": kind,
        "dynamic": dynamic,
        "distance_at_the_end": path.distance,
        "smallest_rise": float(np.diff(path.potential).min()),
    }
    proof = Proof("none", "none: the equilibrium to which this history leads")
    return Answer(kind, game.potential(state), tables, proof, facts, (game.linear.record(), prices))


METHOD = city_method("history", HistoryOptions, reached_equilibrium)
"""The equilibrium to which a dynamic leads."""
