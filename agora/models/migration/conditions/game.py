r"""The equilibrium of a game of moving workers, evaluated from tables.

Definition: along the path, wages clear all markets given the density; workers' values solve the backward
equation given real wages; the density is carried by the moves the values call for; nobody gains by any other
plan. All with dense matrices and code of its own: nothing is shared with the program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd

from agora.models.certificate import Condition, worst_case
from agora.models.migration.conditions.trade import Movers
from agora.typing import Tables, Vector

FORCES = ("hhi", "growth", "shocks", "myopic", "uncertainty", "expectations", "gradient", "rest")
"""Columns of the table ``concentration`` beside the time."""


@dataclass(frozen=True, eq=False)
class Space:
    """A space as dense matrices."""

    distances: Vector
    """From origin (row) to destination, for trade, (N, N)."""
    openness: Vector
    """1/ℓ² of the move from row to column, on even land; 0 where there is none, (N, N)."""
    weights: Vector
    """Base weights m, summing to one, (N,)."""


class Parameters(Movers, Protocol):
    """What the definition needs to know of a game."""

    @property
    def trade_cost_share(self) -> float: ...  # noqa: D102
    @property
    def turnpike(self) -> float: ...  # noqa: D102
    @property
    def horizon(self) -> float | Literal["stationary", "infinite"]: ...  # noqa: D102
    @property
    def time_scheme(self) -> Literal["implicit-euler", "trapezoid"]: ...  # noqa: D102
    @property
    def smoothing(self) -> float: ...  # noqa: D102
    @property
    def trade_elasticity(self) -> float: ...  # noqa: D102
    @property
    def space(self) -> Space: ...  # noqa: D102
    @property
    def rates(self) -> Literal["upwind", "central", "exponential"]: ...  # noqa: D102
    @property
    def levels(self) -> tuple[Vector, Vector]: ...  # noqa: D102
    @property
    def initial_density(self) -> Vector: ...  # noqa: D102
    @property
    def places(self) -> pd.DataFrame: ...  # noqa: D102


Moving = Callable[[Vector], tuple[Vector, Vector, Vector]]


def game_conditions(game: Parameters, tables: Tables, tolerance: float) -> tuple[Condition, ...]:
    """Evaluate every condition of the definition and every identity of the tables."""
    path, places = tables["path"], game.places
    count = len(places)
    if len(path) % count:
        return (worst_case("the path has every cell at every time", [np.nan], ["the path"], tolerance),)
    table = {name: path[name].to_numpy(dtype=float).reshape(-1, count) for name in _NUMBERS}
    times = table["time"][:, 0]
    cells = [", ".join(str(part) for part in row) for row in places.itertuples(index=False)]
    instants = [f"time {clock:.6g}" for clock in times]
    spots = [f"{instant}, {cell}" for instant in instants for cell in cells]

    everywhere = partial(worst_case, places=spots, tolerance=tolerance)
    mu, wage = table["density"], table["wage"]
    named = [_differs(path[name], pd.concat([places[name]] * len(times))) for name in places]
    conditions = [
        everywhere("every cell at the same times", np.abs(table["time"] - times[:, None])),
        everywhere("cells are the model's", np.max(named, axis=0)),
        everywhere("densities and wages > 0", np.where((mu > 0) & (wage > 0), 0.0, np.inf)),
        everywhere(
            "everybody lives somewhere, ∫ μ dm = 1", np.abs(mu @ game.space.weights - 1), places=instants
        ),
        *_static(game, mu, wage, table["real_wage"], everywhere),
    ]
    if game.horizon == "stationary":
        conditions.append(everywhere("a stationary equilibrium is at time 0", np.abs(table["time"])))
        conditions += _at_rest(game, table, everywhere)
    else:
        conditions += _along(game, times, table, cells, tables, tolerance)
    conditions += _concentration(game, times, table, tables["concentration"], tolerance)
    if "branch" in tables:
        conditions += _branch(game, tables["branch"], tables["concentration"], tolerance)
    return tuple(conditions)


_NUMBERS = ("time", "density", "value", "wage", "real_wage")


def _differs(given: pd.Series, wanted: pd.Series) -> Vector:
    """Return the difference of two columns, of numbers or of names, row by row."""
    if pd.api.types.is_numeric_dtype(wanted):
        gap: Vector = np.abs(given.to_numpy(dtype=float) - wanted.to_numpy(dtype=float))
        return gap
    return np.where(given.astype(str).to_numpy() == wanted.astype(str).to_numpy(), 0.0, np.inf)


# --- the static layer ----------------------------------------------------------------------------


def _static(
    game: Parameters, mu: Vector, wage: Vector, real: Vector, everywhere: Callable[..., Condition]
) -> list[Condition]:
    """Evaluate the trade equilibrium of every time: all N wage equations, of which one is redundant."""
    theta, m = game.trade_elasticity, game.space.weights
    productivity, amenity = game.levels
    technology = productivity if game.variant == "eaton-kortum" else productivity**theta
    free_entry = 1.0 if game.variant == "krugman" else 0.0
    costs = np.exp(game.trade_cost_rate * game.space.distances)
    freeness = (game.trade_cost_share * costs + (1 - game.trade_cost_share)) ** -theta
    with np.errstate(all="ignore"):
        supply = technology * mu ** (free_entry + game.spillover * theta)
        access = (m * supply * wage**-theta) @ freeness
        sales = supply * wage**-theta * ((m * wage * mu / access) @ freeness.T)
        bought = amenity * mu**-game.congestion * wage * access ** (1 / theta)
    rows = [f"time {number} of the path" for number in range(len(mu))]
    return [
        everywhere("every place sells what it earns (one redundant: Walras' law)", np.abs(sales - wage * mu)),
        everywhere("world income is the numéraire, ∫ w μ dm = 1", np.abs((wage * mu) @ m - 1), places=rows),
        everywhere("real wage = amenity × wage / price index", np.abs(bought - real)),
    ]


# --- moving ----------------------------------------------------------------------------------------


def _moving(game: Parameters, *, smooth: bool) -> Moving:
    """Return values (N,) → the Hamiltonian, what moving is worth (N,), its rates (N, N) and their cost (N,).

    Without `smooth` the monotone technology is the quadratic one itself, moves up only.
    """
    open_to, nu, c0 = game.space.openness, game.noise, game.moving_cost

    def moving(value: Vector) -> tuple[Vector, Vector, Vector]:
        gain = np.where(open_to > 0, value[None, :] - value[:, None], 0.0)
        if game.rates == "exponential":
            rate = nu * open_to * np.exp(gain / (2 * nu * c0))
            hamiltonian = 2 * nu * c0 * (rate - nu * open_to)
        elif game.rates == "central":
            hamiltonian = open_to * (nu * gain + gain**2 / (4 * c0))
            rate = open_to * (nu + gain / (2 * c0))
        else:
            bend = np.sqrt(gain**2 + game.smoothing**2) if smooth else np.abs(gain)
            up = (gain + bend) / 2
            slope = up**2 / bend if smooth else up
            hamiltonian = open_to * (nu * gain + up**2 / (2 * c0))
            rate = open_to * (nu + slope / c0)
        return hamiltonian.sum(axis=1), rate, _cost(game, rate)

    return moving


def _cost(game: Parameters, rate: Vector) -> Vector:
    """Return what it costs a worker to move at these rates, (N,): real wage."""
    nu, c0 = game.noise, game.moving_cost
    open_to = game.space.openness
    there = open_to > 0
    safe = np.where(there, open_to, 1.0)
    if game.rates == "exponential":
        ratio = np.where(there, rate / (nu * safe), 1.0)
        each = 2 * nu * c0 * nu * safe * (ratio * np.log(ratio) - ratio + 1)
    else:
        half = 1.0 if game.rates == "central" else 0.5
        each = half * c0 * (rate - nu * open_to) ** 2 / safe
    total: Vector = np.where(there, each, 0.0).sum(axis=1)
    return total


def _generator(rate: Vector) -> Vector:
    """Return the matrix of moves: off the diagonal the rates, rows that sum to zero."""
    return rate - np.diag(rate.sum(axis=1))


def best_reply(game: Parameters, income: Vector, span: float, then: Vector, guess: Vector) -> Vector:
    """Return the best value u with u − span·(F(u) − ρu) = then + span·income, by policy iteration.

    The moving technology is the exact one, without smoothing. An infinite `span` is a stationary problem.
    """
    moving = _moving(game, smooth=False)
    value, weight = guess, 1.0 / span
    eye = (weight + game.discount) * np.eye(len(guess))
    for _ in range(100):
        _, rate, cost = moving(value)
        better = np.asarray(np.linalg.solve(eye - _generator(rate), weight * then + income - cost), float)
        change = float(np.abs(better - value).max())
        value = better
        if change <= 1e-13 * max(1.0, float(np.abs(value).max())):
            break
    return value


def _policy(game: Parameters, policy: Vector, income: Vector, span: float, then: Vector) -> Vector:
    """Return what the plan made for the values `policy` is worth, if it is followed."""
    _, rate, _ = _moving(game, smooth=True)(policy)
    weight = 1.0 / span
    matrix = (weight + game.discount) * np.eye(len(then)) - _generator(rate)
    return np.asarray(np.linalg.solve(matrix, weight * then + income - _cost(game, rate)), float)


# --- along a path ----------------------------------------------------------------------------------


def _along(
    game: Parameters, times: Vector, table: Mapping[str, Vector], cells: list[str], tables: Tables,
    tolerance: float,
) -> list[Condition]:  # fmt: skip
    """Evaluate the dynamic conditions of a path."""
    mu, u, real, m = table["density"], table["value"], table["real_wage"], game.space.weights
    lengths = np.diff(times)
    smooth = _moving(game, smooth=True)
    middle = game.time_scheme == "trapezoid"
    if len(times) < 2 or not (lengths > 0).all():
        return [worst_case("times increase", [np.nan], ["the path"], tolerance)]
    periods = [f"time {start:.6g}, {cell}" for start in times[:-1] for cell in cells]
    decided = (u[:-1] + u[1:]) / 2 if middle else u[:-1]
    crowd = (mu[:-1] + mu[1:]) / 2 if middle else mu[1:]
    income = (real[:-1] + real[1:]) / 2 if middle else real[1:]
    backward, forward, negative = (np.empty_like(crowd) for _ in range(3))
    for n, length in enumerate(lengths):
        hamiltonian, rate, _ = smooth(decided[n])
        backward[n] = (u[n] - u[n + 1]) / length - hamiltonian + game.discount * decided[n] - income[n]
        carried = (m * crowd[n]) @ _generator(rate) / m
        forward[n] = (mu[n + 1] - mu[n]) / length - carried
        negative[n] = -rate.min(axis=1)
    end = tables["rest"]["value"].to_numpy(dtype=float) if "rest" in tables else np.zeros(len(m))
    reply, plan = end, end
    half = 2.0 if middle else 1.0
    for n in range(len(lengths) - 1, -1, -1):
        span = lengths[n] / half
        best = best_reply(game, income[n], span, reply, decided[n])
        kept = _policy(game, decided[n], income[n], span, plan)
        reply, plan = (2 * best - reply, 2 * kept - plan) if middle else (best, kept)
    gain = reply - plan
    each = partial(worst_case, tolerance=tolerance)
    conditions = [
        each("the density begins as given", np.abs(mu[0] - game.initial_density), cells),
        each("the value ends as given", np.abs(u[-1] - end), cells),
        each("values solve the backward equation (HJB)", np.abs(backward), periods),
        each("the moves carry the density (Fokker–Planck)", np.abs(forward), periods),
        each("rates of moving ≥ 0 (the grid is fine enough)", negative, periods),
        each("exploitability, mean over workers", abs(gain @ (m * mu[0])), ["time 0"]),
        each("exploitability, best placed worker", np.abs(gain), cells),
        worst_case("values are those of the plans", np.abs(plan - u[0]), cells, 10 * tolerance),
    ]
    if isinstance(game.horizon, float):
        ends = [abs(times[0]), abs(times[-1] - game.horizon)]
        conditions.append(each("the path fills the horizon", ends, ["time 0", "the end"]))
    if game.horizon == "infinite":
        conditions += _rest_of(game, tables["rest"], times[-1], cells, tolerance)
        conditions.append(_come_to_rest(game, mu[-1], tables["rest"], cells))
        conditions.append(_long_enough(game, tables.get("branch")))
    return conditions


def _at_rest(
    game: Parameters, table: Mapping[str, Vector], everywhere: Callable[..., Condition]
) -> list[Condition]:
    """Evaluate the conditions of a stationary equilibrium; the arrays have one row."""
    mu, u, real, m = (*(table[name][0] for name in ("density", "value", "real_wage")), game.space.weights)
    hamiltonian, rate, _ = _moving(game, smooth=True)(u)
    backward = game.discount * u - hamiltonian - real
    forward = (m * mu) @ _generator(rate) / m
    gain = best_reply(game, real, np.inf, u, u) - _policy(game, u, real, np.inf, u)
    return [
        everywhere("values solve the stationary equation (HJB)", np.abs(backward)),
        everywhere("as many come as go (Fokker–Planck)", np.abs(forward)),
        everywhere("rates of moving ≥ 0 (the grid is fine enough)", -rate.min(axis=1)),
        everywhere("exploitability, best placed worker", np.abs(gain)),
    ]


def _rest_of(
    game: Parameters, rest: pd.DataFrame, end: float, cells: list[str], tolerance: float
) -> list[Condition]:
    """Evaluate the stationary equilibrium at which an infinite horizon ends."""
    table = {name: rest[name].to_numpy(dtype=float)[None, :] for name in _NUMBERS}

    def everywhere(name: str, violations: Vector, places: list[str] = cells) -> Condition:
        return worst_case(f"at rest: {name}", violations, places, tolerance)

    named = [_differs(rest[name], game.places[name]) for name in game.places]
    return [
        everywhere("at the end of the path", np.abs(table["time"] - end)),
        everywhere("cells are the model's", np.max(named, axis=0)),
        everywhere("∫ μ dm = 1", np.abs(table["density"] @ game.space.weights - 1), ["everywhere"]),
        *_static(game, table["density"], table["wage"], table["real_wage"], everywhere),
        *_at_rest(game, table, everywhere),
    ]


def _come_to_rest(game: Parameters, density: Vector, rest: pd.DataFrame, cells: list[str]) -> Condition:
    """Compare the density at the end of the path with the one at rest, from which nothing moves."""
    gap = np.abs(density - rest["density"].to_numpy(dtype=float))
    return worst_case("the path ends at rest (turnpike)", gap, cells, game.turnpike)


def _long_enough(game: Parameters, branch: pd.DataFrame | None) -> Condition:
    """Say how far the path moved when its horizon was last doubled; unknown counts as violated."""
    moved = np.nan if branch is None or "moved" not in branch else float(branch["moved"].iloc[-1])
    name = "the path stands still when its horizon is doubled (turnpike)"
    return worst_case(name, [moved], ["the last doubling"], game.turnpike)


# --- concentration and branch ------------------------------------------------------------------------


def _concentration(
    game: Parameters, times: Vector, table: Mapping[str, Vector], given: pd.DataFrame, tolerance: float
) -> list[Condition]:
    """Compute the concentration and its forces anew and compare."""
    names = [f"time {clock:.6g}" for clock in times]
    if len(given) != len(times):
        return [worst_case("concentration at every time", [np.nan], ["the table"], tolerance)]
    m, open_to, nu = game.space.weights, game.space.openness, game.noise
    scale = -1 / (game.discount * game.moving_cost)
    laplacian = _generator(open_to)
    wanted: list[dict[str, float]] = []
    for mu, u, real in zip(table["density"], table["value"], table["real_wage"], strict=True):
        hamiltonian, rate, _ = _moving(game, smooth=True)(u)
        crowding = m * (laplacian @ mu**2) / 2
        curved = nu * (laplacian @ u)
        forces = {
            "hhi": float(m @ mu**2),
            "growth": float((m * mu) @ _generator(rate) @ mu),
            "shocks": float(nu * (m * mu) @ laplacian @ mu),
            "myopic": scale * float(real @ crowding),
            "uncertainty": scale * float(curved @ crowding),
            "expectations": scale * float((game.discount * u - real - hamiltonian) @ crowding),
            "gradient": scale * float((hamiltonian - curved) @ crowding),
        }
        forces["rest"] = forces["growth"] - sum(list(forces.values())[2:])
        wanted.append(forces)
    gaps = {name: np.abs(given[name].to_numpy(float) - [row[name] for row in wanted]) for name in FORCES}
    gap = np.abs(given["time"].to_numpy() - times)
    return [
        worst_case("concentration at the times of the path", gap, names, tolerance),
        *(worst_case(f"concentration: {name}", each, names, tolerance) for name, each in gaps.items()),
    ]


def _branch(
    game: Any, branch: pd.DataFrame, concentration: pd.DataFrame, tolerance: float
) -> list[Condition]:
    """Compare the last step of the branch with the model and its answer."""
    last, end = branch.iloc[-1], float(concentration["time"].iloc[-1])
    steps = branch["step"].to_numpy(dtype=float)
    reached = end if last["parameter"] == "time" else game.branch_value(last["parameter"])
    gaps = [
        np.abs(steps - np.arange(len(branch))).max(),
        abs(last["hhi"] - concentration["hhi"].iloc[-1]),
        abs(last["value"] - reached),
    ]
    return [worst_case("the branch ends at the answer", gaps, ["step", "hhi", "value"], tolerance)]
