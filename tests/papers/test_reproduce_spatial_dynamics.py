"""The slides on spatial dynamics: every claim has its verdict, and the computations can say no."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from agora.papers.claims import read_paper
from agora.papers.computations import ADDITIONS, check, computations, judge
from agora.papers.spatial_dynamics.forces import cannot_reverse, sign_of_a_force
from agora.papers.spatial_dynamics.multiplicity import (
    agglomerated,
    monotonicity,
    stationary_density,
    stationary_residual,
)
from agora.papers.spatial_dynamics.static_layer import denser_is_better

PAPER = read_paper("spatial-dynamics")
NOT_REPRODUCED = {
    "equation-1": "corrected",
    "image-of-w0": "corrected",
    "derivative-of-wages": "corrected",
    "free-trade-armington": "refuted",
    "krugman-expectations": "refuted",
    "always-agglomerate": "refuted",
    "cannot-reverse": "refuted",
    "nonlinear-expectations-krugman": "refuted",
}
"""What does not hold as stated; the reasons are in the notes."""
SMALLER: dict[str, dict[str, Any]] = {
    "congestion-unique": {"cells": 4, "starts": 2},
    "infinite-horizon": {"cells": 8, "steps": 8},
    "linearised-armington": {"cells": [6, 12]},
    "linearised-krugman": {"cells": [6, 12]},
    "self-fulfilling": {"cells": 16, "centres": [[0]]},
    "torus": {"cells": 4},
}
"""Smaller instances, which the default tests solve in place of what heavy ones do."""


@pytest.mark.parametrize(
    "claim",
    [
        pytest.param(
            claim,
            id=claim.id,
            marks=[pytest.mark.heavy]
            if claim.slow or claim.id in {*SMALLER, "infinite-horizon-krugman"}
            else [],
        )
        for claim in PAPER.claim
    ],
)
def test_every_claim_has_its_verdict(claim: Any) -> None:
    finding = check(claim, computations("spatial-dynamics"))
    assert judge(claim, finding) == NOT_REPRODUCED.get(claim.id, "reproduced"), finding.note


@pytest.mark.parametrize(
    "identifier",
    [
        pytest.param(
            name, marks=[pytest.mark.heavy] if name in ("self-fulfilling", "linearised-krugman") else []
        )
        for name in SMALLER
    ],
)
def test_a_smaller_instance_has_the_same_verdict(identifier: str) -> None:
    [claim] = [claim for claim in PAPER.claim if claim.id == identifier]
    arguments = {**claim.arguments, **SMALLER[identifier]}
    assert set(arguments) == set(claim.arguments)
    smaller = claim.model_copy(update={"arguments": arguments})
    finding = check(smaller, computations("spatial-dynamics"))
    assert judge(smaller, finding) == "reproduced", finding.note


@pytest.mark.heavy
def test_claims_are_unique_and_figures_are_drawn() -> None:
    assert max(Counter(claim.id for claim in PAPER.claim).values()) == 1
    computations("spatial-dynamics")
    added = ADDITIONS["spatial-dynamics"]()
    assert {figure.name for figure in PAPER.figure} <= set(added.figures)
    table = added.tables["moving-cost-thresholds"]
    assert (table["game_threshold"] < table["myopic_threshold"]).all()
    at = table.loc[table["noise"] == 0.01].iloc[0]
    assert at["game_threshold"] == pytest.approx(231.498307, abs=1e-6)
    assert at["myopic_threshold"] == pytest.approx(277.797969, abs=1e-6)
    forces = added.tables["linear-forces"]
    parts = forces[["shocks", "myopic", "uncertainty", "expectations"]].sum(axis=1)
    np.testing.assert_allclose(parts, forces["growth"], rtol=1e-9)


def test_computations_can_say_no() -> None:
    assert not sign_of_a_force("armington", "myopic", 1).computed
    assert not denser_is_better("armington").computed
    assert not monotonicity("krugman", 0.0, 3).computed
    assert cannot_reverse(300.0).computed


def test_the_stationary_agglomeration() -> None:
    """N = 64, c0 = 120, continued down from 220: derived independently, nine digits."""
    peak = agglomerated(120.0)
    assert peak[0] == pytest.approx(5.53667167, abs=1e-7)
    assert (peak**2).mean() == pytest.approx(3.82618290, abs=1e-7)
    assert stationary_residual(peak, 120.0) < 1e-9
    assert stationary_residual(peak, 121.0) > 1e-4
    np.testing.assert_allclose(stationary_density(np.ones(64), 120.0), 1.0, atol=1e-9)
