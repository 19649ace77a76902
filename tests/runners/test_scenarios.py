"""Every shipped scenario is solved and certified."""

from __future__ import annotations

import pytest

from agora.data import read_scenario, shipped_scenarios
from agora.runners import solve_scenario


@pytest.mark.parametrize("name", sorted(shipped_scenarios()))
def test_shipped_scenario(name: str) -> None:
    solution = solve_scenario(read_scenario(name))
    assert solution.certificate.passed
    assert solution.certificate.worst.worst <= 1e-9
    if solution.is_global and solution.model.card.name == "fujita-ogawa":
        assert "vertices" in solution.certificate.facts["proof"]


def test_figure_7_two_centres() -> None:
    # t = .16 lies between t*** = .1380 and t** = .1869 at τ = 8 (threshold table of the spec)
    cells = solve_scenario(read_scenario("circle-8")).tables["cells"]
    uses = "".join(use[0] for use in cells["use"])
    assert uses in {"bbrrbbrr", "brrbbrrb", "rrbbrrbb", "rbbrrbbr"}
