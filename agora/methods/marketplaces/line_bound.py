r"""Many sites: a bound on every structure at once, by dynamic programming, and a climb from it.

At given prices p and price of a head μ the Lagrangian of a structure is a sum over sites, convex in the
locations between neighbouring sites, so the best structure at these prices has its marketplaces at
sites (or at the kinks of the railway's cost) and a dynamic program along the line finds it. With
φ_j = u^{-1/α_L} ψ_j the utility it allows has a closed form,

.. math:: u(p, \mu) = \Bigl(\max_d \frac{\sum_j \psi_j(\delta_j(d))}{F(d) - \mu}\Bigr)^{\alpha_L},

an upper bound for every structure with that many marketplaces, at any (p, μ); it is made small by
minimising over (p, μ). The gap to the best structure found is what mixing structures would gain.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize

from agora.formulations.marketplaces.grounds import Line
from agora.formulations.marketplaces.market_equilibrium import MarketEquilibrium, site_values
from agora.methods.marketplaces.branch_and_bound import StructureProblem, StructureResult, prices_and_head
from agora.typing import Vector


def bounded_structure(problem: StructureProblem, number: int, enough: float = 0.0) -> StructureResult:
    """Return a good structure with `number` marketplaces, and a bound that no such structure exceeds.

    The bound is made as small as it gets, or no larger than `enough` or the structure's own utility.
    """
    marks = line_of(problem).marks
    spread = marks[np.linspace(0, len(marks) - 1, number + 2).round().astype(int)[1:-1]]
    start = problem.solve(spread)
    locations, state = _climbed(problem, marks, spread, start)
    at = state if state.utility > 0 else replace(start, utility=0.5)
    bound, candidates = _least_bound(problem, number, marks, at, enough)
    for _ in range(3):
        if bound <= state.utility * (1 + 1e-11):
            break
        other, reached = _climbed(problem, marks, candidates, state)
        if reached.utility <= state.utility * (1 + 1e-12):
            break
        locations, state = other, reached
        better, candidates = _least_bound(problem, number, marks, state, enough)
        bound = min(bound, better)
    return StructureResult(number, np.sort(locations), state.utility, max(bound, state.utility), 0, state)


def line_of(problem: StructureProblem) -> Line:
    """Return the ground of a problem on a line."""
    if not isinstance(problem.ground, Line):
        raise TypeError("a dynamic program along a line needs a line")
    return problem.ground


class _Enough(Exception):
    """The bound is as small as is of use."""


def _least_bound(
    problem: StructureProblem, number: int, marks: Vector, at: MarketEquilibrium, enough: float
) -> tuple[float, Vector]:
    """Minimise the bound over log prices and μ, from the prices of `at`, until it is `enough`."""
    enough = max(enough, at.utility * (1 + 1e-11))
    best: tuple[float, Vector] = (np.inf, marks[:number])

    def bound(x: Vector) -> float:
        nonlocal best
        utility, locations = allowed_utility(problem, number, marks, *prices_and_head(x))
        if utility < best[0]:
            best = utility, locations
            if utility <= enough:
                raise _Enough
        return float(np.log(max(utility, 1e-300)))

    first = np.append(np.log(at.prices[1:]), at.fee - at.rent_income)
    simplex = np.vstack([first, first + 0.05 * np.eye(len(first))])
    options = {"initial_simplex": simplex, "xatol": 1e-7, "fatol": 1e-10, "maxfev": 150 * len(first)}
    with suppress(_Enough):
        minimize(bound, first, method="Nelder-Mead", options=options)
    return best


def allowed_utility(
    problem: StructureProblem, number: int, marks: Vector, prices: Vector, head: float
) -> tuple[float, Vector]:
    """Return u(p, μ), a bound for every structure of `number` marketplaces, and the locations behind it.

    Infinite where some structure costs no more than μ. The best locations at a utility allow a higher one,
    and so on (Dinkelbach's method), a few dynamic programs in turn; each gives a bound, converged or not: if
    the value of all sites exceeds the cost of the railway by V at u, and the rest costs `least`, no utility
    beyond u (V / least)^ε can be reached, with ε the elasticity of the preferences.
    """
    economy = problem.economy
    tastes, unit, wages = economy.preferences, economy.setup_price(prices), prices[economy.makes]
    line = line_of(problem)
    ways = line.travel(marks[:, None])
    ends = np.stack(np.broadcast_arrays(marks[:, None], marks[None, :]), axis=-1)
    base = float(problem.need(np.full((1, number), marks[0]))[0])
    rail = np.array(problem.need(np.sort(ends, axis=-1))) - float(problem.need(np.full((1, 2), marks[0]))[0])
    least = unit * base - head
    if least <= 0:
        return np.inf, marks[:number]
    utility, proved, locations = 0.5, np.inf, marks[:number]
    for _ in range(30):
        values = site_values(economy, prices, utility, ways, head).T
        if not np.isfinite(values).all():
            utility *= 2
            continue
        value, locations = _along_the_line(line.positions, marks, values, unit * rail, number)
        if value <= 0:
            utility /= 2
            continue
        proved = min(proved, utility * max(value / least, 1.0) ** tastes.elasticity)
        beyond = unit * (float(problem.need(np.sort(locations)[None, :])[0]) - base)
        margin = wages * (economy.time - problem.travel(np.sort(locations))) - head
        after = tastes.utility_for_land_value(prices, wages, margin, economy.plots, least + beyond)
        if after >= proved * (1 - 1e-13) or abs(after - utility) <= 1e-13 * utility:
            break
        utility = after
    return proved * (1 + 1e-12), locations


def _along_the_line(
    sites: Vector, marks: Vector, values: Vector, toll: Vector, number: int
) -> tuple[float, Vector]:
    """Return the best `number` marks by dynamic programming: each site counts its best marketplace.

    `values` is (J, marks); `toll` (marks, marks) is charged between neighbouring marketplaces.
    """
    count = len(marks)
    between = np.zeros((count, count))
    for a in range(count):
        inside = (sites > marks[a]) & (sites[:, None] <= marks[None, :]).T
        best = np.maximum(values[:, [a]], values)
        between[a] = np.where(inside, best.T, 0.0).sum(axis=1)
    between -= toll
    between[np.tril_indices(count, -1)] = -np.inf
    left = np.where((sites[:, None] <= marks[None, :]), values, 0.0).sum(axis=0)
    right = np.where((sites[:, None] > marks[None, :]), values, 0.0).sum(axis=0)
    value, came = left.copy(), []
    for _ in range(number - 1):
        table = value[:, None] + between
        came.append(table.argmax(axis=0))
        value = table.max(axis=0)
    last = int((value + right).argmax())
    total, chosen = float(value[last] + right[last]), [last]
    for step in reversed(came):
        chosen.append(int(step[chosen[-1]]))
    return total, marks[chosen[::-1]]


def _climbed(
    problem: StructureProblem, marks: Vector, locations: Vector, start: MarketEquilibrium
) -> tuple[Vector, MarketEquilibrium]:
    """Move one marketplace at a time to a neighbouring mark while that helps, then off the marks."""
    here = np.searchsorted(marks, locations).clip(0, len(marks) - 1)
    state = problem.solve(marks[here], start)
    moved = True
    while moved:
        moved = False
        for k in range(len(here)):
            for step in (-1, 1):
                trial = here.copy()
                trial[k] = np.clip(trial[k] + step, 0, len(marks) - 1)
                reached = problem.solve(marks[trial], state)
                if reached.utility > state.utility * (1 + 1e-12):
                    here, state, moved = trial, reached, True
    locations = marks[here].astype(float)
    for k in range(len(here)):
        for target in (marks[max(here[k] - 1, 0)], marks[min(here[k] + 1, len(marks) - 1)]):
            trial = locations.copy()
            trial[k] = (locations[k] + target) / 2
            reached = problem.solve(trial, state)
            if reached.utility > state.utility * (1 + 1e-12):
                locations, state = trial, reached
    return locations, state
