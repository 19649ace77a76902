"""Tables told apart by their kind: what is wrong with one is said alike wherever it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from makers import complaint

from agora.data.city import KINDS as EXTERNALITIES
from agora.data.fields import Kind, read_kind
from agora.data.geographies import GEOGRAPHIES
from agora.data.migration import TRADE_COSTS, as_trade_costs
from agora.data.price_formation.laws_and_supply import LAWS, SUPPLIES, as_initial_law, as_supply
from agora.data.price_formation.state_costs import KINDS as COSTS
from agora.data.price_formation.state_costs import as_state_cost
from agora.data.scenarios import scenario_from
from agora.models.migration.spatial_game import PROFILES


def _geography(given: Any) -> object:
    return scenario_from({"model": "any", "geography": given}, name="any", folder=Path())


def _reads(field: str, known: Mapping[str, type[Kind]]) -> Callable[[Any], object]:
    return lambda given: read_kind(field, given, known)


FAMILIES: list[tuple[str, Callable[[Any], object], list[str], dict[str, Any]]] = [
    ("geography", _geography, [*GEOGRAPHIES, "file"], {"kind": "circle", "cells": 8}),
    (
        "externality",
        _reads("externality", EXTERNALITIES),
        [*EXTERNALITIES],
        {"kind": "power", "exponent": 0.5},
    ),
    ("initial", _reads("initial", PROFILES), [*PROFILES], {"kind": "cosine", "amplitude": 0.5}),
    (
        "terminal",
        lambda given: as_state_cost("terminal", given),
        [*COSTS],
        {"kind": "quadratic", "weight": 1.0},
    ),
    ("agents", as_initial_law, [*LAWS], {"kind": "linspace", "from": 0, "to": 1, "number": 3}),
    ("supply", lambda given: as_supply(given, 1.0, 4), [*SUPPLIES], {"kind": "sine", "frequency": 1.0}),
]


@pytest.mark.parametrize(("field", "read", "known", "good"), FAMILIES, ids=[family[0] for family in FAMILIES])
def test_a_table_of_a_kind_is_read_or_refused_in_a_sentence(
    field: str, read: Callable[[Any], object], known: list[str], good: dict[str, Any]
) -> None:
    assert read(good) is not None
    names = ", ".join(known)
    wrong = good["kind"][:-1]
    assert complaint(read, {**good, "kind": wrong}) == (
        f"{field}.kind is {wrong!r}, but must be one of {names} (did you mean {good['kind']}?)."
    )
    without = {name: value for name, value in good.items() if name != "kind"}
    assert complaint(read, without).startswith(f"{field}.kind is missing, but must be one of {names}")
    assert complaint(read, {**good, "kind": ["circle"]}).startswith(
        f"{field}.kind is ['circle'], but must be"
    )
    assert complaint(read, 3).startswith(f"{field} is 3, but must be a table")
    first = next(iter(without))
    said = complaint(read, {**good, f"{first}s": 1})
    assert said.startswith(f"{field}.{first}s is 1, but must be left out, or a")
    assert f"{good['kind']!r}: one of {first}" in said
    assert said.endswith(f"(did you mean {first}?).")
    assert complaint(read, {"kind": good["kind"]}).startswith(f"{field}.{first} is missing")
    assert complaint(read, {**good, first: "much"}).startswith(f"{field}.{first} is 'much', but must be ")


def test_a_kind_without_fields_says_so() -> None:
    assert complaint(as_state_cost, "running", {"kind": "none", "weight": 1}) == (
        "running.weight is 1, but must be left out, or a field of kind 'none': it has none."
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rate": "much"}, "trade_cost.rate is 'much', but must be a finite number >= 0."),
        ({"rat": 1}, "trade_cost.rat is 1, but must be left out, or a field of kind 'rate': one of rate ("),
        ({"file": 3}, "trade_cost.file is 3, but must be the path of a file."),
        (
            {"file": "t.csv", "shet": "a"},
            "trade_cost.shet is 'a', but must be left out, or a field of kind 'file'",
        ),
        ({"kind": "rates", "rate": 1}, "trade_cost.kind is 'rates', but must be one of rate, file (did"),
        (3, "trade_cost is 3, but must be a square matrix"),
    ],
)
def test_trade_costs_may_leave_out_their_kind(given: Any, said: str) -> None:
    assert list(TRADE_COSTS) == ["rate", "file"]
    assert as_trade_costs("trade_cost", {"rate": 1}) == as_trade_costs(
        "trade_cost", {"kind": "rate", "rate": 1}
    )
    assert complaint(as_trade_costs, "trade_cost", given).startswith(said)
