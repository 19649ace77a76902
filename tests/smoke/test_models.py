"""One shipped scenario of every model, solved and certified."""

from __future__ import annotations

import pytest
from shipped import LONG, SMOKE, check

from agora.data import shipped_scenarios
from agora.data.datasets import shipped_overview

pytestmark = pytest.mark.smoke


@pytest.mark.parametrize("name", SMOKE)
def test_a_model_is_solved_and_certified(name: str) -> None:
    check(name)


def test_no_model_is_left_out() -> None:
    overview = shipped_overview()
    models = {name: overview[name]["model"] for name in shipped_scenarios()}
    assert {models[name] for name in SMOKE} == set(models.values())
    assert set(SMOKE).isdisjoint(LONG)
