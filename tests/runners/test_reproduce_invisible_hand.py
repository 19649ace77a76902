"""The claims on the invisible hand: every computation is bound, and the quick ones are reproduced."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agora.data.published import read_paper
from agora.runners.reproduce import reproduce
from agora.runners.reproductions import COMPUTATIONS, computations
from agora.runners.reproductions.invisible_hand import statements
from agora.runners.reproductions.invisible_hand.economies import PAPER, distance


def test_every_claim_has_its_computation() -> None:
    known = computations(PAPER)
    assert {claim.computation for claim in read_paper(PAPER).claim} <= set(known)


@pytest.mark.parametrize(
    ("name", "arguments", "value", "tolerance"),
    [
        ("consumption-at-start", {}, 0.783998, 5e-7),
        ("decay-rate", {"substitution": 0.5}, 4.187, 1e-3),
        ("decay-rate", {"substitution": 2.0, "externality": 0.9, "growth": True}, -0.2559, 5e-4),
        ("stability-threshold", {}, 1.0, 1e-6),
    ],
)
def test_numbers_of_the_model(name: str, arguments: dict[str, float], value: float, tolerance: float) -> None:
    # spec/invisible-hand.md, "True facts to test against" and "Extensions"
    computations(PAPER)
    found = COMPUTATIONS[name](**arguments)
    number = getattr(found, "computed", found)
    assert number == pytest.approx(value, abs=tolerance)


def test_labour_productivity_stays_apart() -> None:
    assert statements.productivity_stays_apart().computed is True


def test_distance_on_a_line() -> None:
    mass = np.array([1.0, 0.0, 0.0, 0.0])
    assert distance(mass, np.roll(mass, 3), 0.25) == pytest.approx(0.75, abs=1e-6)


@pytest.mark.heavy
def test_all_claims_are_reproduced(tmp_path: Path) -> None:
    table = reproduce(PAPER, tmp_path / "out")
    assert set(table["verdict"]) == {"reproduced"}
    for name in ("path", "rates", "rest-points"):
        assert (tmp_path / "out" / f"{name}.png").stat().st_size > 10_000
