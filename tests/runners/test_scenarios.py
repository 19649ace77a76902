"""Every shipped scenario is solved and certified; those of tests/smoke there."""

from __future__ import annotations

import pytest
from makers import city
from shipped import LONG, SMOKE, check

from agora.data import circle, read_scenario, shipped_scenarios
from agora.runners import solve, solve_scenario
from agora.runners.solving import model_from


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.heavy] if name in LONG else [])
        for name in sorted(shipped_scenarios())
        if name not in SMOKE
    ],
)
def test_shipped_scenario(name: str) -> None:
    check(name)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.heavy] if name == "grid-100" else []) for name in LONG]
)
def test_a_long_scenario_is_read_without_fault(name: str) -> None:
    read = read_scenario(name)
    assert model_from(read).card.name == read.model


def test_figure_7_two_centres() -> None:
    # t = .16 lies between t*** = .1380 and t** = .1869 at τ = 8 (threshold table of the spec)
    cells = solve_scenario(read_scenario("circle-8")).tables["cells"]
    uses = "".join(use[0] for use in cells["use"])
    assert uses in {"bbrrbbrr", "brrbbrrb", "rrbbrrbb", "rbbrrbbr"}


@pytest.mark.parametrize(
    ("tau", "t", "known"),
    [(25.0, 0.05, 0.014208440100), (25.0, 0.13, 0.010656969200), (10.0, 0.12, 0.025552057842)],
)
def test_structured_starts_reach_the_known_maximum(tau: float, t: float, known: float) -> None:
    # the certified global values of the spec, circle I = 48; random starts almost never reach them
    solution = solve(city(circle(48), t, tau))
    assert solution.objective == pytest.approx(known, abs=1e-12)
    assert not solution.is_global
