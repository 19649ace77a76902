"""A model's parameters by their paths, each as a number that may vary: ``setup_cost``, ``sites.1``.

A path is a field's name, then names or positions (from 0) inside it, joined by dots; in a geography it is
``geography.land.CELL`` or ``geography.length.TAIL.HEAD``. A paper's own symbol, such as ``t``, stands for
the field that the model lists under it. A share of a group that sums to one varies with the others of
the group in proportion, so that they go on summing to one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import networkx as nx

from agora.data.checks import InputError, finite, nearest
from agora.data.fields import Fields
from agora.data.scenarios import Scenario, scenario_from
from agora.models.model import Model
from agora.runners.solving import model_from


@dataclass(frozen=True)
class Parameter:
    """A number of a model that may vary."""

    name: str  # its path
    value: float  # what it is
    unit: str  # its unit, as the model states it; empty if it states none
    at: Callable[[float], Model] = field(repr=False, compare=False)
    """Value → the model with that value; raises `InputError` for a value the model does not allow."""


def parameter(model: Model, path: str) -> Parameter:
    """Return a parameter of a model by its path.

    Raises
    ------
    InputError
        If there is none of that path (the nearest is named), or it is no number that varies continuously.
    """
    parts = str(path).split(".")
    parts[0] = model.symbols.get(parts[0], parts[0])
    name = ".".join(parts)
    if parts[0] not in type(model).model_fields:
        known = [*type(model).model_fields, *model.symbols]
        raise InputError("parameter", path, nearest(parts[0], known))
    if parts[0] == "geography":
        return _of_geography(model, name, parts[1:])
    value = _number(model, parts, name)

    def at(number: float) -> Model:
        changed: Model = _changed(model, parts, number)
        return _checked(changed)

    return Parameter(name, value, model.unit_for(name), at)


def scenario_parameter(scenario: Scenario, path: str) -> Parameter:
    """Return a parameter of a scenario: of its model, or a number of its [geography] table.

    Raises
    ------
    InputError
        As `parameter`.
    """
    model = model_from(scenario)
    table = scenario.content.get("geography", {})
    head, _, key = str(path).partition(".")
    if head != "geography" or not isinstance(table.get(key), float) or table.get("kind") == "file":
        return parameter(model, path)

    def at(number: float) -> Model:
        content = {**scenario.content, "geography": {**table, key: finite(path, number)}}
        return _checked(model_from(scenario_from(content, name=scenario.name, folder=Path())))

    return Parameter(path, float(table[key]), "", at)


def _checked(model: Model) -> Model:
    """Return a model that can be solved as it stands, or raise `InputError`."""
    model.check()
    return model


def _number(model: Model, parts: list[str], name: str) -> float:
    value: Any = model
    for depth, part in enumerate(parts):
        so_far = ".".join(parts[:depth]) or "the model"
        value = _inside(value, part, name, so_far)
    if isinstance(value, bool) or not isinstance(value, float):
        first = next(iter(type(value).model_fields), "0") if isinstance(value, Fields) else "0"
        many = isinstance(value, tuple | Fields)
        allowed = f"a number in it, such as {name}.{first}," if many else "a number"
        raise InputError("parameter", name, f"{allowed} that varies continuously")
    return value


def _inside(value: Any, part: str, name: str, so_far: str) -> Any:
    if isinstance(value, Fields):
        if part in type(value).model_fields:
            return getattr(value, part)
    elif isinstance(value, tuple):
        if part.isascii() and part.isdigit() and int(part) < len(value):
            return value[int(part)]
        raise InputError("parameter", name, f"{so_far}. followed by a position from 0 to {len(value) - 1}")
    else:
        raise InputError("parameter", name, f"{so_far}, which has nothing inside it")
    raise InputError("parameter", name, f"{so_far}. followed by {nearest(part, type(value).model_fields)}")


def _changed(value: Any, parts: list[str], number: float) -> Any:
    """Return `value` with the number at the path replaced; nothing given is changed."""
    if not parts:
        return number
    if isinstance(value, tuple):
        k = int(parts[0])
        return (*value[:k], _changed(value[k], parts[1:], number), *value[k + 1 :])
    given = _given(value)
    for group in value.simplexes:
        if parts[0] in group:
            given |= _rescaled(value, group, parts, number)
    given[parts[0]] = _changed(given[parts[0]], parts[1:], number)
    return type(value).model_validate(given)


def _given(value: Fields) -> dict[str, Any]:
    """Return the fields that say something."""
    every = {name: getattr(value, name) for name in type(value).model_fields}
    return {name: part for name, part in every.items() if part is not None}


def _rescaled(owner: Fields, group: tuple[str, ...], parts: list[str], number: float) -> dict[str, Any]:
    """Return the fields of a group of shares, rescaled so that one of them can be `number`."""
    value: Any = owner
    for part in parts:
        value = value[int(part)] if isinstance(value, tuple) else getattr(value, part)
    if value >= 1:
        raise InputError(".".join(parts), value, "below 1, so that the other shares can make up for it")
    factor = (1 - number) / (1 - value)
    shares = {name: getattr(owner, name) for name in group}
    return {
        name: tuple(factor * each for each in share) if isinstance(share, tuple) else factor * share
        for name, share in shares.items()
    }


def _of_geography(model: Model, name: str, parts: list[str]) -> Parameter:
    graph: nx.Graph | None = model.geography  # type: ignore[attr-defined]
    if graph is None:
        raise InputError("parameter", name, "a parameter of the model: it has no geography")
    cells = {str(cell): cell for cell in graph}
    kind, *named = parts or [""]
    ends = [cells.get(each, each) for each in named]
    a_cell = kind == "land" and len(ends) == 1 and ends[0] in graph
    a_link = kind == "length" and len(ends) == 2 and graph.has_edge(*ends)
    if not (a_cell or a_link):
        allowed = "geography.land.CELL or geography.length.TAIL.HEAD of the geography"
        raise InputError("parameter", name, allowed)

    def data(of: nx.Graph) -> dict[str, Any]:
        found: dict[str, Any] = of.nodes[ends[0]] if a_cell else of.edges[ends[0], ends[1]]
        return found

    def at(number: float) -> Model:
        copy = graph.copy()
        data(copy)[kind] = number
        return _checked(type(model).model_validate({**_given(model), "geography": copy}))

    return Parameter(name, float(data(graph)[kind]), kind, at)
