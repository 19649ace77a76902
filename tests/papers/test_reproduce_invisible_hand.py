"""The claims on the invisible hand: every computation is bound, and the quick ones are reproduced."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agora.papers.claims import read_paper
from agora.papers.computations import COMPUTATIONS, check, computations, judge
from agora.papers.invisible_hand import statements
from agora.papers.invisible_hand.economies import PAPER, distance
from agora.papers.invisible_hand.statements import resting_state
from agora.papers.reproducing import reproduce

CLAIMS = {claim.id: claim for claim in read_paper(PAPER).claim}


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


@pytest.mark.parametrize(
    "claim",
    [
        "heterogeneity",
        "mass",
        pytest.param("rise", marks=pytest.mark.heavy),
        "long-run-firms",
        "long-run-profit",
        pytest.param("gap-0.5", marks=pytest.mark.heavy),
        "preferences-long-run",
        "externality-private",
        pytest.param("immobile-long-run", marks=pytest.mark.heavy),
    ],
)
def test_facts_of_the_model(claim: str) -> None:
    found = CLAIMS[claim]
    assert judge(found, check(found, computations(PAPER))) == "reproduced"


@pytest.mark.heavy
def test_the_closed_forms_could_fail() -> None:
    """The path of one economy is not at rest where another's closed form says."""
    known = computations(PAPER)
    found = resting_state("base")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statements, "resting_state", lambda kind: found)
        for claim in ("preferences-long-run", "immobile-long-run"):
            assert judge(CLAIMS[claim], check(CLAIMS[claim], known)) == "corrected"


def test_labour_productivity_stays_apart() -> None:
    assert statements.productivity_stays_apart().computed is True


def test_distance_on_a_line() -> None:
    mass = np.array([1.0, 0.0, 0.0, 0.0])
    assert distance(mass, np.roll(mass, 3), 0.25) == pytest.approx(0.75, abs=1e-6)


@pytest.mark.heavy
def test_gaps_of_two_economies_differ() -> None:
    known = computations(PAPER)
    assert check(CLAIMS["gap-0.5"], known).computed != check(CLAIMS["gap-1"], known).computed


@pytest.mark.heavy
def test_all_claims_are_reproduced(tmp_path: Path) -> None:
    table = reproduce(PAPER, tmp_path / "out")
    assert set(table["verdict"]) == {"reproduced"}
    for name in ("path", "rates", "rest-points"):
        assert (tmp_path / "out" / PAPER / f"{name}.png").stat().st_size > 10_000
