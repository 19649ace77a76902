"""The claims of the abstract, and what follows for the model here, computed."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.optimize import brentq

from agora.data.geographies import segment
from agora.methods.sectors.reallocation_equation import orbit
from agora.models.sectors.short_run import ShortRunCompetition
from agora.models.solution import Solution
from agora.papers.computations import Finding, computes, violation
from agora.papers.invisible_hand.economies import BASE, distance, economy, even, growth_rate, masses, path
from agora.runners.solving import solve
from agora.typing import Vector

STEPS = (0.1, 0.05, 0.025, 0.0125)
"""Steps with which the minimising movements are held against the equation of motion."""


@computes("profit-is-marginal-consumption")
def profit_is_marginal_consumption() -> Finding:
    """Return the largest relative difference of multipliers and derivatives of C by central differences."""
    worst = 0.0
    for sigma in (0.5, 0.9, 1.5, 2.0, 5.0):
        for alpha in (0.3, 0.6):
            model = ShortRunCompetition(
                geography=segment(20), firm_share=alpha, substitution=sigma,
                productivity=BASE["productivity"], distribution=BASE["initial"],
            )  # fmt: skip
            rates = solve(model).tables["sectors"]["profit_rate"].to_numpy(dtype=float)
            worst = max(worst, float(np.abs(rates / _slopes(model.economy, model.masses) - 1).max()))
    return Finding(worst, certificate="multipliers of a convex program against the closed form of C")


def _slopes(sectors: Any, firms: Vector) -> Vector:
    """Return the derivatives of C by the firms of every sector, by central differences."""
    consumed, pushes = sectors.consumption, np.diag(1e-5 * firms)
    slopes: Vector = (consumed(firms + pushes) - consumed(firms - pushes)) / (2e-5 * firms)
    return slopes


@computes("steps-are-global-optima")
def steps_are_global_optima() -> Finding:
    """Test that every step of the base economy is a certified global optimum and everybody's best reply."""
    solution = path()
    gap, regret = (violation(solution, words) for words in ("bound on the gap", "at another speed"))
    return Finding(
        solution.is_global and gap <= 1e-6 and regret <= 1e-6,
        note=f"{len(solution.tables['aggregate']) - 1} steps; gap at most {gap:.1e}, regret {regret:.1e}",
        certificate="the gap follows from concavity and the best replies of firms on all links",
    )


@computes("order-of-the-steps")
def order_of_the_steps() -> Finding:
    """Return the mean order at which the distance to the equation of motion falls with the step."""
    result = distances_by_step()
    orders = [np.log2(far / near) for far, near in pairwise(result)]
    reported = ", ".join(f"{value:.3g} at τ = {step:g}" for step, value in zip(STEPS, result, strict=True))
    return Finding(float(np.mean(orders)), note=f"Wasserstein distances {reported}")


@cache
def distances_by_step() -> list[float]:
    """Return W₂ to the equation of motion at t = .3, a number a step."""
    exact = orbit(economy(), np.array([0.0, 0.3]))[0][-1]
    return [distance(masses(path(horizon=0.3, step=step))[-1], exact, 0.01) for step in STEPS]


@computes("orbits-agree")
def orbits_agree() -> Finding:
    """Return the largest distance between states of equal consumption under three numéraires."""
    times = np.linspace(0.0, 0.5, 51)
    reference = economy()
    states = orbit(reference, np.linspace(0.0, 2.0, 4001))[0]
    levels, worst = reference.economy.consumption(states), 0.0
    for numeraire in ("labor", "expenditure"):
        others = orbit(economy(numeraire=numeraire), times)[0][1:]
        for state in others:
            level = float(reference.economy.consumption(state))
            if level < levels[-1]:
                near = int(np.searchsorted(levels, level))
                part = (level - levels[near - 1]) / (levels[near] - levels[near - 1])
                match = (1 - part) * states[near - 1] + part * states[near]
                worst = max(worst, 0.5 * float(np.abs(state - match).sum()))
    return Finding(worst, note="numéraires: consumption, labour, expenditure; share of firms misplaced")


@computes("consumption-increases")
def consumption_increases() -> Finding:
    """Test that C rises at every step of the base economy."""
    level = path().tables["aggregate"]["consumption"].to_numpy(dtype=float)
    return Finding(
        bool(np.all(np.diff(level) > 0)), note=f"from {level[0]:.6f} to {level[-1]:.6f}, the highest is 1"
    )


@computes("cost-over-gain")
def cost_over_gain() -> Finding:
    """Return the costs of reallocation over the gain in consumption along the equation of motion."""
    model = economy()
    states, paid, _ = orbit(model, np.linspace(0.0, 1.0, 11))
    level = model.economy.consumption(states)
    share = paid[-1] / (level[-1] - level[0])
    return Finding(float(share), certificate="costs integrated beside the equation of motion")


@computes("long-run-gap")
def long_run_gap(externality: float = 0.0, substitution: float = 2.0) -> Finding:
    """Return C* less consumption when firms have come to rest."""
    solution = path(horizon="long-run", externality=externality, substitution=substitution)
    highest = solution.certificate.facts["long_run_consumption"]
    steps = solution.certificate.facts["steps"]
    return Finding(
        abs(highest - solution.objective),
        note=f"C* = {highest:.9f} by the closed form, reached in {steps} steps under step control",
    )


@computes("long-run-spread")
def long_run_spread() -> Finding:
    """Return the spread of profit rates when firms have come to rest, relative to their mean."""
    tables = path(horizon="long-run").tables
    last = tables["path"]["profit_rate"].to_numpy(dtype=float)[-100:]
    return Finding(float(np.ptp(last) / last.mean()), note=f"profit rate {last.mean():.9f} = α C*/N")


@computes("consumption-at-start")
def consumption_at_start() -> float:
    """Return C of the base economy before anybody has moved."""
    model = economy()
    return float(model.economy.consumption(model.start))


@computes("decay-rate")
def decay_rate(substitution: float, externality: float = 0.0, growth: bool = False) -> Finding:
    """Return the rate at which the longest wave around the even distribution decays, or grows."""
    rate = growth_rate(even(substitution, externality))
    curvature = (0.35 + externality) * (substitution - 1) / (1 + 0.35 * (substitution - 1))
    theory = np.pi**2 * 0.35 * (1 - curvature)
    return Finding(
        rate if growth else -rate, note=f"in the continuum {abs(theory):.4f}; computed on 400 sectors"
    )


@computes("stability-threshold")
def stability_threshold() -> float:
    """Return the externality at which the longest wave neither grows nor decays, σ = 2."""
    return float(brentq(lambda eta: growth_rate(even(2.0, eta, cells=100)), 0.5, 1.5, xtol=1e-10))


@computes("productivity-stays-apart")
def productivity_stays_apart() -> Finding:
    """Test that profit rates equalise and output per worker does not where labour cannot move."""
    frame = resting_state("immobile labour").tables["path"].tail(60)
    rate = frame["profit_rate"].to_numpy(dtype=float)
    product = (frame["price"] * frame["output"] / frame["labor"]).to_numpy(dtype=float)
    apart = [float(np.ptp(values) / values.mean()) for values in (rate, product)]
    return Finding(
        apart[0] < 1e-6 and apart[1] > 0.1,
        note=f"relative to their means profit rates differ by {apart[0]:.1e}, productivity by {apart[1]:.2g}",
    )


@computes("rest-depends-on-history")
def rest_depends_on_history() -> Finding:
    """Test that firms rest at different locations, all with differences of profit rates below √(2cφ)."""
    ends = [rest_with_fixed_cost(at) for at in (0.15, 0.85)]
    apart = 0.5 * float(np.abs(ends[0] - ends[1]).sum())
    return Finding(
        apart > 0.01,
        note=f"starts at .15 and .85 end with {apart:.1%} of the firms in different places; φ = .05",
        certificate="nobody would move any more: differences of profit rates per length at most √(2cφ)",
    )


def rest_with_fixed_cost(at: float) -> Any:
    """Return masses of firms where they rest, started at a location, φ = .05."""
    changes = {"horizon": "long-run", "fixed_cost": 0.05, "productivity": 1.0}
    start = {**BASE["initial"], "at": at}
    return masses(solve(economy(40, initial=start, **changes)))[-1]


# --- the model here --------------------------------------------------------------------------------


@cache
def resting_state(kind: str) -> Solution:
    """Return the long run of the base economy, with other preferences, or with immobile labour."""
    changes: dict[str, dict[str, Any]] = {
        "base": {},
        "asymmetric preferences": {"preferences": {"kind": "sine", "amplitude": 0.4, "mode": 2}},
        "immobile labour": {"immobile_labor": {"kind": "sine", "amplitude": 0.6, "mode": 2}},
    }
    return solve(economy(60, horizon="long-run", **changes[kind]))


@computes("profits-differ-at-first")
def profits_differ_at_first() -> Finding:
    """Test that profit rates differ before firms move, and not between equals with firms spread evenly."""
    spreads = []
    for model in (economy(), even(2.0, cells=100)):
        rates = model.economy.profit_rates(model.start)
        spreads.append(float(np.ptp(rates) / rates.mean()))
    return Finding(
        spreads[0] > 0.1 and spreads[1] < 1e-12,
        note=f"spread over the mean: {spreads[0]:.3g} in the base economy at the start, {spreads[1]:.1e} "
        "among equal sectors with firms spread evenly",
    )


@computes("mass-is-conserved")
def mass_is_conserved() -> Finding:
    """Return the largest change of the number of firms along the base economy's path."""
    totals = masses(path()).sum(axis=1)
    return Finding(float(np.abs(totals - totals[0]).max()), note=f"{len(totals)} dates")


@computes("rise-of-consumption")
def rise_of_consumption() -> Finding:
    """Return the largest relative difference of dC/dt and (1/c) Σ n |∇π|² along the equation of motion."""
    model = economy()
    consumed, worst = model.economy.consumption, 0.0
    for firms in orbit(model, np.linspace(0.0, 1.0, 11))[0]:
        change, paid = model.motion.change(firms)
        small = 1e-6 * float((firms / np.maximum(np.abs(change), 1e-300)).min())
        rise = (consumed(firms + small * change) - consumed(firms - small * change)) / (2 * small)
        worst = max(worst, abs(float(rise) / (2 * paid) - 1))
    return Finding(
        worst,
        note="at eleven dates; (1/c) Σ n |∇π|² is twice the cost of reallocation per unit of time",
        certificate="central differences of C against the costs on the links",
    )


@computes("gap-at")
def gap_at(time: float) -> Finding:
    """Return C* less consumption of the base economy at a time, steps of .01."""
    table = path().tables["aggregate"]
    near = table.iloc[int((table["time"] - time).abs().argmin())]
    model = economy()
    highest = float(model.economy.consumption(model.rest))
    exact = orbit(model, np.array([0.0, time]))[0][-1]
    limit = highest - float(model.economy.consumption(exact))
    return Finding(
        highest - float(near["consumption"]),
        note=f"by minimising movements; {limit:.3e} along the equation of motion in continuous time",
        certificate="every step a convex program with its gap",
    )


@computes("rest-in-closed-form")
def rest_in_closed_form(kind: str) -> Finding:
    """Return the largest relative difference of firms in the long run from the closed form.

    n* ∝ b A^{σ−1} where labour moves; n* ∝ [b^{1−ρ} (A L^{1−α})^ρ]^{1/(1−αρ)}, ρ = (σ − 1)/σ, where not.
    """
    solution = resting_state(kind)
    model = solution.model
    result = masses(solution)[-1]
    location = (np.arange(len(result)) + 0.5) / len(result)
    made = 1 + 0.5 * np.sin(2 * np.pi * location)
    waves: Vector = np.sin(4 * np.pi * location)
    liked = 1 + 0.4 * waves if kind == "asymmetric preferences" else np.ones(len(result))
    sigma, alpha = 2.0, 0.35
    if kind == "immobile labour":
        rho = (sigma - 1) / sigma
        inside = liked ** (1 - rho) * (made * (1 + 0.6 * waves) ** (1 - alpha)) ** rho
        shape = inside ** (1 / (1 - alpha * rho))
    else:
        shape = liked * made ** (sigma - 1)
    closed = shape / shape.sum()
    return Finding(
        float(np.abs(result / closed - 1).max()),
        note=f"{len(result)} sectors, {solution.certificate.facts['steps']} steps under step control",
        certificate=f"the path of {type(model).__name__} against a formula that shares nothing with it",
    )


@computes("long-run-profit-rate")
def long_run_profit_rate(kind: str) -> Finding:
    """Return the largest relative difference of profit rates in the long run from α C*/N."""
    solution = resting_state(kind)
    table = solution.tables["path"].tail(60)
    level = 0.35 * float(solution.tables["aggregate"]["consumption"].iloc[-1])
    rates = table["profit_rate"].to_numpy(dtype=float)
    return Finding(float(np.abs(rates / level - 1).max()), note=f"α C*/N = {level:.9f}")


@computes("private-share-of-the-gain")
def private_share_of_the_gain(externality: float) -> Finding:
    """Return the largest relative difference of profit rates from α/(α + η) δC/δn with an externality."""
    model = economy(40, externality=externality)
    rates, slopes = model.economy.profit_rates(model.start), _slopes(model.economy, model.start)
    return Finding(
        float(np.abs(rates / (0.35 / (0.35 + externality) * slopes) - 1).max()),
        note="firms earn the same part of what they add in every sector, so they move as the whole would "
        "have them move",
        certificate="central differences of C",
    )
