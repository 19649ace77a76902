"""Example 1: two types, the frontier at d = ½, ideal locations, a chord beyond the frontier, an empty core.

A type's utility goes by its formula. The utilities printed for types 1 and 2 are min{2c₁, c₂} and
min{c₁, c₂}; the printed locations belong to min{2c₁, c₂} and min{c₁, 2c₂}, in the other order.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pyomo.environ as pyo

from agora.methods.marketplaces.coalition import CoreTest, core_test, most_improving_coalition
from agora.methods.method import Answer
from agora.models.marketplaces.example_one import (
    FIRST,
    SECOND_AS_LOCATED,
    SECOND_AS_PRINTED,
    example_one,
    one_taste,
)
from agora.papers.computations import Finding, computes
from agora.solvers import solve_program
from agora.typing import Vector

UTILITIES = {"min{2c₁, c₂}": FIRST, "min{c₁, c₂}": SECOND_AS_PRINTED, "min{c₁, 2c₂}": SECOND_AS_LOCATED}
"""Coefficients of the utilities of both readings, by formula."""
TYPE_1 = "min{2c₁, c₂}"
_FORMS = {"−4 + ½√78": math.sqrt(78) / 2 - 4, "5 − ½√78": 5 - math.sqrt(78) / 2, "½": 0.5}
"""Closed forms that a computed location is compared with."""
_PROOF = 1e-8
"""How much more utility than found is left unproved at an ideal location."""
_NOISE = 1e-6
"""Differences of locations and shares of output that are none."""


@cache
def alone(utility: str) -> Answer:
    """Return what people who all have the same utility choose, with a proof over all locations."""
    return most_improving_coalition(one_taste(UTILITIES[utility]), tolerance=_PROOF)


def ideal_place(utility: str) -> float:
    """Return the ideal location of the marketplace."""
    return float(alone(utility).tables["marketplaces"]["location"].iloc[0])


def ideal_consumption(utility: str) -> Vector:
    """Return consumption of both commodities a head with the marketplace at its ideal location."""
    return (1 + alone(utility).objective) * np.array(UTILITIES[utility])


@cache
def core(second: str) -> CoreTest:
    """Return the test of the core of Example 1 with a utility of type 2."""
    return core_test(example_one(UTILITIES[second]))


def _most(coefficients: tuple[float, float], location: float) -> float:
    """Return the highest utility with the marketplace at `location`."""
    program = one_taste(coefficients).program([location])
    solve_program(program)
    return 1 + float(pyo.value(program.gain))


@computes("frontier-deviation")
def frontier_deviation(location: float, output: float, points: int = 21) -> Finding:
    """Return how far x₁ + x₂ is from `output` on the frontier of one location, at most."""
    shares = np.linspace(0, 1, points).tolist()
    made = np.array([_most((share, 1 - share), location) for share in shares])
    return Finding(
        float(np.abs(made - output).max()),
        note=f"x₁ + x₂ from {made.min():.9f} to {made.max():.9f}",
        certificate=f"the most that can be consumed in each of {points} proportions of x₁ and x₂, a convex "
        "program each",
    )


@computes("ideal-location")
def ideal_location(utility: str, compared: float) -> Finding:
    """Return the ideal location for a utility; compare utility there and at a printed location."""
    answer, location = alone(utility), ideal_place(utility)
    own, there = 1 + answer.objective, _most(UTILITIES[utility], compared)
    note = f"{utility} reaches {own:.6f} at d = {location:.5f}{_form(location)}"
    if abs(location - compared) > 5 * _NOISE:
        owners = [name for name in UTILITIES if abs(ideal_place(name) - compared) <= 5 * _NOISE]
        note += f" and {there:.6f} at d = {compared:.5f}, which is ideal for {' and '.join(owners) or 'none'}"
    return Finding(
        location,
        note=note,
        certificate=f"no location gives more than {1 + answer.facts['bound']:.9f}: branch and bound, proved",
    )


def _form(location: float) -> str:
    return "".join(f" = {name}" for name, value in _FORMS.items() if abs(location - value) <= _NOISE)


@computes("chord-beyond-frontier")
def chord_beyond_frontier(seconds: list[str]) -> Finding:
    """Test that E, halfway between the ideal consumption of both types, cannot be made at any d."""
    beyond, notes = [], []
    for second in seconds:
        middle = (ideal_consumption(TYPE_1) + ideal_consumption(second)) / 2
        answer = most_improving_coalition(one_taste((middle / middle.sum()).tolist()), tolerance=_PROOF)
        most = (1 + answer.facts["bound"]) / middle.sum()
        beyond.append(bool(most < 1 - _NOISE))
        notes.append(
            f"for {TYPE_1} and {second} C¹ and C² can be made, and of E, halfway at "
            f"({middle[0]:.6f}, {middle[1]:.6f}), at most {100 * most:.4f} %"
        )
    return Finding(
        all(beyond),
        note="; ".join(notes),
        certificate="the most in E's proportions over all locations: branch and bound with proof",
    )


@computes("core-is-empty")
def core_is_empty(second: str) -> Finding:
    """Test that the core is proved to be empty."""
    result = core(second)
    bound = float(result.best.facts["bound"])
    reached = " and ".join(f"{utility:.6f}" for utility in result.utility.values())
    note = f"alone the types reach {reached}; no allocation gives both more than (1 + λ) times that, "
    note += f"λ = {bound:.8f}"
    if result.empty:
        note += (
            f"; so in every allocation some members of a type gain ε = {100 * result.at_least:.6f} % "
            "or more by leaving with their own marketplace"
        )
    return Finding(result.empty, note=note, certificate=str(result.best.facts["proof"]))


@computes("utility-with-marketplaces")
def utility_with_marketplaces(locations: list[float]) -> Finding:
    """Return the highest utility that anybody reaches with marketplaces where nobody has to travel."""
    most = {}
    for name, coefficients in UTILITIES.items():
        test = one_taste(coefficients).model_copy(update={"marketplaces": len(locations)})
        if test.travel(locations).any():
            raise ValueError(f"somebody travels to {locations}")
        program = test.price_program(locations)
        solve_program(program)
        most[name] = 1 + float(pyo.value(program.gain))
    return Finding(
        max(most.values()),
        note="; ".join(f"{name}: {value:.2g}" for name, value in most.items()),
        certificate="prices at which nobody could afford more; as nobody travels, as many marketplaces "
        "elsewhere give no more",
    )


@computes("who-prefers-the-other")
def who_prefers_the_other(first: str, second: str) -> Finding:
    """Return who is nearer to the marketplace of the other type when each type has its own."""
    locations = {"type 1": ideal_place(first), "type 2": ideal_place(second)}
    envious = []
    for name, other in (("type 1", "type 2"), ("type 2", "type 1")):
        for location, position in ((1, 0.0), (2, 1.0)):
            saved = abs(position - locations[name]) - abs(position - locations[other])
            if saved > _NOISE:
                envious.append((name, location, saved))
    note = f"marketplaces of types 1 and 2 at {locations['type 1']:.5f} and {locations['type 2']:.5f}"
    if envious:
        note += f"; the way to the other is shorter by {envious[0][2]:.5f}"
    return Finding(
        ", ".join(f"{name} in location {location}" for name, location, _ in envious),
        note=note,
        certificate="ideal locations with proof over all locations",
    )
