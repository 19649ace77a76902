"""What follows for the model here: conservation, energy, gaps, closed forms of where firms end."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from agora.methods.sectors.reallocation_equation import orbit
from agora.models.solution import Solution
from agora.papers.computations import Finding, computes
from agora.papers.invisible_hand.economies import economy, even, masses, path
from agora.runners.solving import solve
from agora.typing import Vector

ASYMMETRIC: dict[str, Any] = {"kind": "sine", "amplitude": 0.4, "mode": 2}
"""Preferences b(x) of an economy that likes some goods better."""
IMMOBILE: dict[str, Any] = {"kind": "sine", "amplitude": 0.6, "mode": 2}
"""Labour L(x) that cannot move."""


@cache
def resting_state(kind: str) -> Solution:
    """Return the long run of the base economy, with other preferences, or with immobile labour."""
    changes: dict[str, dict[str, Any]] = {
        "base": {},
        "asymmetric preferences": {"preferences": ASYMMETRIC},
        "immobile labour": {"immobile_labor": IMMOBILE},
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
    firms, consumed = model.start, model.economy.consumption
    pushes = np.diag(1e-5 * firms)
    slopes = (consumed(firms + pushes) - consumed(firms - pushes)) / (2e-5 * firms)
    rates = model.economy.profit_rates(firms)
    return Finding(
        float(np.abs(rates / (0.35 / (0.35 + externality) * slopes) - 1).max()),
        note="firms earn the same part of what they add in every sector, so they move as the whole would "
        "have them move",
        certificate="central differences of C",
    )
