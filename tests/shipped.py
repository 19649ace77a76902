"""Shipped scenarios, and what their answers must stand."""

from __future__ import annotations

from agora.data import read_scenario
from agora.runners import solve_scenario

LONG = (
    "circle-240",
    "circle-48-global",
    "grid-30",
    "grid-100",
    "marketplaces-plane-25",
    "marketplaces-randstad",
    "price-case-4a",
    "price-case-4b",
    "spatial-game-a1",
    "spatial-game-k1",
    "tree-63",
)
"""Scenarios that take about a second or more; smaller ones of their kind stay in the default tests."""

SMOKE = (
    "armington-three",
    "circle-3",
    "commuting-corner",
    "invisible-hand-long-run",
    "marketplaces-case-1",
    "price-bounded",
    "price-case-1",
    "racetrack-myopic",
    "randstad-game",
    "short-run",
    "spatial-game-torus",
)
"""A scenario of each model, of price formation one a method: solved by other versions of libraries too."""


def check(name: str) -> None:
    """Solve a shipped scenario; its answer is certified, and about as exact as numbers can be."""
    solution = solve_scenario(read_scenario(name))
    assert solution.certificate.passed
    conditions = solution.certificate.table()
    proved_to = 2e-7 if "exploitability_max" in set(conditions["name"]) else 1e-9
    exact = conditions[conditions["tolerance"] <= 1e-6]  # how far a long horizon is at rest is no rounding
    assert exact["worst"].max() <= proved_to
    if solution.is_global and solution.model.card.name == "fujita-ogawa":
        proof = solution.certificate.facts["proof"]
        assert "vertices" in proof or "all 69 equilibria" in proof
