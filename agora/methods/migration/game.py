"""A mean-field game solved as one square program, from one start or along a branch of equilibria."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from agora.data.checks import Caution, InputError, whole
from agora.formulations.migration.mean_field_numbers import backward_values, forward_density
from agora.formulations.migration.monotonicity import largest_quotient
from agora.formulations.migration.trade import real_wage_jacobian, solve_wages
from agora.methods.method import Answer, Method, Options, Progress, Proof, Whole, silent
from agora.methods.migration.continuation import (
    Continuation,
    at_value,
    branch_row,
    course_of,
    follow,
    solve_once,
)
from agora.methods.migration.path_newton import Course, newton_path
from agora.models.migration.game import MeanFieldGame
from agora.solvers import SolveFailed, SolverRecord
from agora.typing import Tables, Vector

MOST_DOUBLINGS = 12
"""Times that an infinite horizon is doubled, at most."""

PEAKS = (6.0, 4.0, 3.0, 2.0, 1.5, 1.0, 0.5)
"""Steepness of the crowds from which a stationary equilibrium is sought."""

SMALLEST_SHARE = 4e-3
"""Of the way from rest to an initial density, the share below which it is not halved again."""

CROWD = 1.02
"""Concentration from which a density is a crowd."""

SAME = 1e-4
"""Equilibria whose densities differ by less, somewhere, some time, count as one."""


class GameOptions(Options):
    """How to solve a mean-field game."""

    start: Literal["initial", "agglomerated"] = "initial"
    """``initial``: the initial density for ever. ``agglomerated``: everybody moves to the first cell or to
    the cells `centres` in equal parts (best replies from there, `replies` of them, before the program). With
    an infinite horizon, from where the stationary equilibrium is sought at which the path ends."""
    centres: tuple[int, ...] = Field(default=(0,), min_length=1)
    """Cells, counted from 0, to which everybody moves in an agglomerated start."""
    replies: Whole = 20
    """Best replies to the start before the program is solved."""
    continuation: Continuation | None = None
    """Start at another value of a parameter and follow the branch."""
    starts: Whole = 0
    """Further starts in search of other equilibria; what they find is the table ``branches``."""
    seed: Whole = 1
    """Seed of the further starts."""

    def _idle(self) -> Iterator[tuple[str, str]]:
        if self.start == "initial":
            yield "centres", "start is agglomerated"
            if not self.starts:
                yield "replies", "start is agglomerated or starts > 0"
        if not self.starts:
            yield "seed", "starts > 0"


# --- starts --------------------------------------------------------------------------------------


def crowded(model: MeanFieldGame, centres: Sequence[int], strength: float, times: int) -> Vector:
    """Return densities (times, cells) that flow into the cells `centres`, evenly, at a steady pace."""
    m = model.arcs.weights
    peak = np.zeros(model.arcs.number)
    for centre in centres:
        peak[centre] += 1.0 / m[centre] / len(centres)
    share = strength * np.linspace(0.0, 1.0, times)[:, None] if times > 1 else np.array([[strength]])
    return (1 - share) * model.initial_density + share * peak


def replied(model: MeanFieldGame, density: Vector, replies: int, steps: Vector) -> Course:
    """Return the course after best replies to a path of densities, each to the last."""
    trapezoid, moves = model.time_scheme == "trapezoid", (model.arcs, model.technology, steps)
    mu = density
    for reply in range(replies + 1):
        states = [solve_wages(model.economy, model.trade_kernel, np.maximum(now, 1e-9)) for now in mu]
        real = np.array([state.real_wage for state in states])
        value = backward_values(*moves, model.discount, real, np.zeros_like(mu[0]), trapezoid=trapezoid)
        if reply < replies:
            mu = forward_density(*moves, value, model.initial_density, trapezoid=trapezoid)
    return Course(mu, value, np.array([state.wage for state in states]))


def rest_course(model: MeanFieldGame, density: Vector) -> Course:
    """Return a density (N,) as a start at rest: wages clear, values balance shocks and moves."""
    state = solve_wages(model.economy, model.trade_kernel, density)
    value = model.noise * model.moving_cost * np.log(density)
    m = model.arcs.weights * density
    value = value + float(m @ state.real_wage) / model.discount - float(m @ value)
    return Course(density[None, :], value[None, :], state.wage[None, :])


# --- a game ----------------------------------------------------------------------------------------


def first_start(model: MeanFieldGame, chosen: GameOptions) -> tuple[Course | None, str]:
    """Return where the first solve starts, and what that is called."""
    for number, cell in enumerate(chosen.centres):
        whole(f"centres[{number}]", cell, at_least=0)
        if cell >= model.arcs.number:
            raise InputError(f"centres[{number}]", cell, f"at most {model.arcs.number - 1}, the last cell")
    if chosen.start == "initial":
        if model.horizon == "stationary":
            return rest_course(model, model.initial_density), "the initial density"
        return None, "the initial density for ever"
    if model.horizon == "stationary":
        return crowd_at_rest(model, chosen.centres), f"a crowd around {_named(chosen.centres)}"
    steps = model.period_lengths()
    crowd = crowded(model, chosen.centres, 0.3, len(steps) + 1)
    name = f"{chosen.replies} best replies to a rush to {_named(chosen.centres)}"
    return replied(model, crowd, chosen.replies, steps), name


def _named(centres: Sequence[int]) -> str:
    if tuple(centres) == (0,):
        return "the first cell"
    return ("cell " if len(centres) == 1 else "cells ") + ", ".join(map(str, centres))


def crowd_at_rest(model: MeanFieldGame, centres: Sequence[int] = (0,)) -> Course:
    """Return the first stationary equilibrium that is a crowd, from crowds of falling steepness."""
    reached: list[tuple[float, Course]] = []
    for peak in PEAKS:
        try:
            bells = np.mean([bell(model, centre, peak) for centre in centres], axis=0)
            tables, _ = solve_once(model, rest_course(model, bells))
        except SolveFailed:
            continue
        hhi = float(tables["concentration"]["hhi"].iloc[0])
        reached.append((hhi, course_of(model, tables["path"])))
        if hhi > CROWD:
            break
    if not reached:
        return rest_course(model, bell(model, centres[0], PEAKS[-1]))
    return max(reached, key=lambda each: each[0])[1]


def bell(model: MeanFieldGame, centre: int, peak: float) -> Vector:
    """Return a density with one peak at a cell, falling with the distance to it; `peak` is its steepness."""
    distance = model.space.distances[centre]
    shape = np.exp(peak * np.cos(np.pi * distance / distance.max()))
    return np.asarray(shape / float(model.arcs.weights @ shape))


def solve_game(model: MeanFieldGame, chosen: GameOptions, progress: Progress = silent) -> Answer:
    """Return an equilibrium of the game, with how its branch was reached and what else was found."""
    for sentence in model.cautions():
        warnings.warn(sentence, Caution, stacklevel=2)
    progress("solving")
    if model.horizon == "infinite":
        tables, rows, records, facts = _infinite(model, chosen, progress)
    else:
        plan = chosen.continuation
        if plan is not None:
            model.branch_value(plan.parameter)
        begin = model if plan is None else at_value(model, plan.parameter, plan.start)
        start, name = first_start(begin, chosen)
        facts = {"reached": f"Newton's method from {name}"}
        if plan is not None:
            tables, rows, records = follow(model, plan, start, progress)
            moved = f"continuation in {plan.parameter} from {plan.start:g} in {plan.steps} steps"
            facts["reached"] = f"{moved}, the first from {name}"
        else:
            tables, record = solve_once(model, start)
            records = [record]
            rows = [branch_row(0, "moving_cost", model.moving_cost, tables, record)]
    tables["branch"] = pd.DataFrame(rows)
    if chosen.starts:
        tables["branches"], more = search(model, tables, chosen, progress)
        records += more
        facts["equilibria_found"] = int(tables["branches"]["new"].sum()) + 1
    worst = lasry_lions_quotient(model, tables["path"])
    facts["lasry_lions_quotient"] = worst
    words = "none: the equilibrium is one of possibly many"
    if worst <= 0:
        words = "none: monotone near this path (Lasry–Lions quotient ≤ 0): no other equilibrium is near"
    return Answer("equilibrium", 0.0, tables, Proof("none", words), facts, tuple(records))


def lasry_lions_quotient(model: MeanFieldGame, path: pd.DataFrame) -> float:
    """Return the Lasry–Lions quotient along the path, at its worst time."""
    densities = path["density"].to_numpy(dtype=float).reshape(-1, model.arcs.number)
    some = densities[np.unique(np.linspace(0, len(densities) - 1, 9).astype(int))]
    m = model.arcs.weights
    return max(
        largest_quotient(real_wage_jacobian(model.economy, model.trade_kernel, density), m)[0]
        for density in some
    )


def search(
    model: MeanFieldGame, tables: Tables, chosen: GameOptions, progress: Progress = silent
) -> tuple[pd.DataFrame, list[SolverRecord]]:
    """Solve from further starts and say which equilibria differ from all found before.

    Starts are rushes to a random cell, of random strength, after some best replies; a table row each. Where
    one leads to nothing or to what is known, Newton's method with deflation goes on from there; what is new
    is solved again by the program.
    """
    random = np.random.default_rng(chosen.seed)
    known = [tables["path"]["density"].to_numpy(dtype=float).reshape(-1, model.arcs.number)]
    rows: list[dict[str, Any]] = []
    records: list[SolverRecord] = []
    for number in range(1, chosen.starts + 1):
        progress(f"start {number} of {chosen.starts}")
        centre, strength = int(random.integers(model.arcs.number)), float(random.uniform(0.05, 0.7))
        row: dict[str, Any] = {"start": number, "centre": centre, "strength": strength, "deflated": False}
        row |= {"solved": False, "new": False, "hhi": np.nan, "mean_value": np.nan}
        try:
            if model.horizon == "stationary":
                start, deflations = rest_course(model, bell(model, centre, 10 * strength)), [False]
            else:
                steps = model.period_lengths()
                crowd = crowded(model, [centre], strength, len(steps) + 1)
                start = replied(model, crowd, int(random.integers(0, chosen.replies + 1)), steps)
                deflations = [False, True]
        except ArithmeticError:
            rows.append(row)
            continue
        for deflated in deflations:
            row["deflated"] = deflated
            try:
                course = start
                if model.horizon != "stationary":
                    course, _ = newton_path(model, start, known if deflated else ())
                    row |= {"solved": True, **_described(model, course)}
                    if not _is_new(course, known):
                        continue
                solved, record = solve_once(model, course)
            except (SolveFailed, ArithmeticError):
                continue
            records.append(record)
            course = course_of(model, solved["path"])
            row |= {"solved": True, "new": _is_new(course, known), **_described(model, course)}
            if row["new"]:
                known.append(course.density)
                break
        rows.append(row)
    return pd.DataFrame(rows), records


def _is_new(course: Course, known: list[Vector]) -> bool:
    return all(float(np.abs(course.density - other).max()) > SAME for other in known)


def _described(model: MeanFieldGame, course: Course) -> dict[str, float]:
    """Return the concentration at the end and the workers' mean value at the beginning."""
    m = model.arcs.weights
    mean = float((m * course.density[0]) @ course.value[0])
    return {"hhi": float(m @ course.density[-1] ** 2), "mean_value": mean}


def _infinite(
    model: MeanFieldGame, chosen: GameOptions, progress: Progress
) -> tuple[dict[str, pd.DataFrame], list[dict[str, Any]], list[SolverRecord], dict[str, Any]]:
    """Double the horizon until the path does not move; it ends at the stationary equilibrium.

    The doublings are Newton's, with wages eliminated; the last path is solved by the program.
    """
    if chosen.continuation is not None:
        raise InputError("continuation", chosen.continuation.parameter, "left out for an infinite horizon")
    still = at_value(model, "horizon", "stationary")
    start, name = first_start(still, chosen)
    rest_tables, record = solve_once(still, start)
    rest = course_of(model, rest_tables["path"])
    records, rows, moved = [record], [], np.inf
    before = Course(*(part[:0] for part in rest))
    for doublings in range(MOST_DOUBLINGS + 1):
        lengths = model.period_lengths(doublings)
        progress(f"horizon {lengths.sum():.6g}")
        now, taken = _longer(model, before, rest, lengths, record)
        moved = _moved(model, before, now)
        row = {"step": doublings, "parameter": "time", "value": float(lengths.sum())}
        hhi = float(model.arcs.weights @ now.density[-1] ** 2)
        rows.append({**row, "hhi": hhi, "iterations": taken, "moved": moved})
        away = float(np.abs(now.density[-1] - rest.density[0]).max())
        if max(moved, away) <= model.turnpike:
            break
        if doublings < MOST_DOUBLINGS:
            before = now
    tables, record = solve_once(model, now, doublings, rest)
    records.append(record)
    now = course_of(model, tables["path"])
    moved, away = _moved(model, before, now), float(np.abs(now.density[-1] - rest.density[0]).max())
    row = branch_row(doublings, "time", float(lengths.sum()), tables, record)
    rows[-1] = {**row, "iterations": taken, "moved": moved}
    facts = {
        "reached": f"the horizon doubled, from the stationary equilibrium for ever; that one from {name}",
        "horizon": float(lengths.sum()),
        "turnpike_residual": moved,
        "distance_to_rest": away,
    }
    return tables, rows, records, facts


def _longer(
    model: MeanFieldGame, before: Course, rest: Course, lengths: Vector, record: SolverRecord
) -> tuple[Course, int]:
    """Return the path over a longer horizon, which starts as `before` and goes on at rest."""
    more = len(lengths) + 1 - len(before.density)
    pairs = zip(before, rest, strict=True)
    start = Course(*(np.concatenate([known, np.tile(part, (more, 1))]) for known, part in pairs))
    try:
        return newton_path(model, start, steps=lengths, end=rest.value[0])
    except ArithmeticError:
        return _from_rest(model, start, rest, lengths, record)


def _from_rest(
    model: MeanFieldGame, start: Course, rest: Course, lengths: Vector, record: SolverRecord
) -> tuple[Course, int]:
    """Return a path to rest, followed as its beginning is moved from rest to the initial density."""
    at_rest = rest.density[0] / float(model.arcs.weights @ rest.density[0])
    done, share, taken = 0.0, 0.25, 0
    course = Course(*(np.tile(part[-1], (len(part), 1)) for part in start))
    while done < 1:
        there = min(1.0, done + share)
        between = (1 - there) * at_rest + there * model.initial_density
        here = model if there == 1 else at_value(model, "initial", between.tolist())
        try:
            course, steps = newton_path(here, course, steps=lengths, end=rest.value[0], limit=20)
        except ArithmeticError as failure:
            share /= 2
            if share < SMALLEST_SHARE:
                raise SolveFailed(
                    f"No path to the stationary equilibrium was found over {lengths.sum():.6g} of time: "
                    f"it was followed {done:.3g} of the way from there to the initial density. Perhaps none "
                    "ends there: the equilibrium at the end is found from `start` (initial or agglomerated), "
                    "and no path ends at an even one from which waves grow. Else more cells, more steps or "
                    "a longer first_horizon may help.",
                    record,
                ) from failure
        else:
            done, taken, share = there, taken + steps, 2 * share
    return course, taken


def _moved(model: MeanFieldGame, before: Course, now: Course) -> float:
    """Return how far the earlier path, but for half of its last periods, moved; infinity if there is none."""
    half = len(before.density) - model.steps // 2
    if half <= 0:
        return np.inf
    return max(
        float(np.abs(new[:half] - old[:half]).max()) for new, old in zip(now[:2], before[:2], strict=True)
    )


METHOD = Method("newton", GameOptions, solve_game, solves=("rest_program", "path_program"))
"""The square program of the horizon, from one start or many."""
