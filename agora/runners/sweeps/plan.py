"""Before anything is solved: every row of a dataset checked, keyed, and put beside its neighbours."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import networkx as nx

import agora
from agora.data.checks import InputError
from agora.data.datasets import Dataset, Fault, Row
from agora.data.scenarios import Scenario, scenario_from
from agora.methods.method import choose
from agora.models.model import Model, plain
from agora.runners.solving import model_from, versions

MOST_GEOGRAPHIES = 256
"""Geographies that a process keeps."""
BLOCK = 128
"""Rows that start from the same first row."""

_SOLVING = ("numpy", "scipy", "pyomo", "highspy", "casadi", "networkx")
_CODE = (
    "data",
    "formulations",
    "methods",
    "models",
    "numerics.py",
    "solvers",
    "runners/certifying.py",
    "runners/solving.py",
    "runners/sweeps",
)
"""What decides a result; commands, papers and figures do not."""


class Rows:
    """Builds scenarios and models; rows on equal geographies share one checked graph."""

    def __init__(self) -> None:
        self._geographies: dict[str, nx.Graph | InputError] = {}

    def model(self, content: Mapping[str, Any], name: str, folder: Path) -> tuple[Scenario, Model]:
        """Return a row's scenario and model, or raise `InputError`."""
        table = content.get("geography")
        if not isinstance(table, Mapping):
            scenario = scenario_from(content, name=name, folder=folder)
            return scenario, model_from(scenario)
        rest = {key: value for key, value in content.items() if key != "geography"}
        bare = scenario_from(rest, name=name, folder=folder)
        key = f"{folder}\0{json.dumps(table, sort_keys=True, default=str)}"
        graph = self._geographies.get(key)
        if graph is None:
            graph = self._built(bare.model, table, name, folder)
        if isinstance(graph, InputError):
            self._keep(key, graph)
            raise graph
        scenario = Scenario(name, bare.model, graph, bare.parameters, bare.solve, content)
        model = model_from(scenario)
        self._keep(key, getattr(model, "geography", graph))
        return scenario, model

    def _built(self, model: str, table: Mapping[str, Any], name: str, folder: Path) -> nx.Graph | InputError:
        try:
            return scenario_from({"model": model, "geography": table}, name=name, folder=folder).geography
        except InputError as error:
            return error

    def _keep(self, key: str, graph: nx.Graph | InputError) -> None:
        self._geographies.setdefault(key, graph)
        if len(self._geographies) > MOST_GEOGRAPHIES:
            del self._geographies[next(iter(self._geographies))]


@dataclass(frozen=True)
class Ready:
    """A row that has passed all checks."""

    row: Row  # as it stands in the dataset
    key: str  # SHA-256 of the model, its parameters and options, the code and the solvers' versions
    group: str  # rows of one group share the structure of their program


@dataclass(frozen=True)
class Block:
    """Neighbouring rows of one group; all start from the first."""

    name: str
    rows: tuple[Ready, ...]


@dataclass(frozen=True)
class Plan:
    """A dataset ready to be solved."""

    dataset: Dataset  # as read
    ready: tuple[Ready, ...]  # the rows to solve, in the order of the dataset
    faults: tuple[Fault, ...]  # what is wrong with the others
    models: Mapping[str, type[Model]]  # name → class of the models that occur
    fingerprint: Mapping[str, Any] = field(repr=False)
    """What the keys hold besides the scenario: versions and code."""

    def blocks(self) -> list[Block]:
        """Return the rows in blocks of neighbours, the same whatever has been solved already."""
        groups: dict[str, dict[str, Ready]] = {}
        for ready in self.ready:
            groups.setdefault(ready.group, {}).setdefault(ready.key, ready)
        blocks = []
        for unique in groups.values():
            rows = tuple(unique.values())
            for start in range(0, len(rows), BLOCK):
                part = rows[start : start + BLOCK]
                name = hashlib.sha256("".join(ready.key for ready in part).encode()).hexdigest()
                blocks.append(Block(name, part))
        return blocks


def plan(dataset: Dataset) -> Plan:
    """Check every row of a dataset; nothing is solved and nothing is raised for a bad row."""
    fingerprint = _fingerprint()
    rows, digests = Rows(), WeakKeyDictionary[nx.Graph, str]()
    ready, faults = [], list(dataset.faults)
    models: dict[str, type[Model]] = {}
    for row in dataset.rows:
        try:
            checked, model = _checked(row, rows, digests, fingerprint)
        except InputError as error:
            column = _column(error.field, dataset.columns)
            faults.append(Fault(row.number, column, error.value, error.allowed))
            continue
        ready.append(checked)
        models[model.card.name] = type(model)
    faults.sort(key=lambda fault: fault.row)
    return Plan(dataset, tuple(ready), tuple(faults), models, fingerprint)


def _checked(
    row: Row, rows: Rows, digests: WeakKeyDictionary[nx.Graph, str], fingerprint: Mapping[str, Any]
) -> tuple[Ready, Model]:
    """Return a row with its key, and its model, or raise what is wrong with it."""
    scenario, model = rows.model(row.content, row.name, row.folder)
    model.check()
    graph = getattr(model, "geography", None)
    if graph is not None and graph not in digests:
        digests[graph] = _digest(plain(graph))
    geography = "" if graph is None else digests[graph]
    method, chosen = choose(type(model), scenario.solve)
    options = {"method": method.name, **chosen.model_dump()}
    fields = type(model).model_fields
    parameters = {name: plain(getattr(model, name)) for name in fields if name != "geography"}
    problem = {
        "model": scenario.model,
        "geography": geography,
        "parameters": parameters,
        "options": options,
        **fingerprint,
        "definition": [_definition(type(model)), _definition(method.run)],
    }
    structure = {
        "model": scenario.model,
        "geography": geography,
        "options": options,
        "parameters": {name: _shape(value) for name, value in parameters.items()},
    }
    return Ready(row, _digest(problem), _digest(structure)), model


def _column(field_name: str, columns: tuple[str, ...]) -> str:
    """Return the dataset's column that a fault is about, or the field as it is named."""
    for column in columns:
        if column.split(".", 1)[-1] == field_name and "." in column:
            return column
    return field_name


def _shape(value: Any) -> Any:
    """Return a value without its numbers: what decides how large a program is."""
    if isinstance(value, Mapping):
        return {key: _shape(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_shape(entry) for entry in value]
    if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool)):
        return "number"
    return value


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def deciding_files(root: Path) -> list[Path]:
    """Return the code below a package's folder that decides what a row's answer is."""
    return [file for part in _CODE for file in sorted((root / part).rglob("*.py")) or [root / part]]


def code_digest(root: Path) -> str:
    """Return a digest of the deciding files of a package: names and contents."""
    code = hashlib.sha256()
    for file in deciding_files(root):
        name = file.relative_to(root).as_posix()
        code.update(name.encode() + b"\0" + file.read_bytes() + b"\0")
    return code.hexdigest()


@lru_cache(maxsize=1)
def _fingerprint() -> dict[str, Any]:
    """Return what decides a result besides the scenario: code, Python, libraries, solvers."""
    from agora.solvers.ipopt import ipopt_route

    route = ipopt_route()
    return {
        "code": code_digest(Path(agora.__file__).parent),
        "versions": versions(_SOLVING),
        "ipopt": f"{route.source} {route.version} {route.linear_solver}",
    }


@lru_cache(maxsize=256)
def _definition(thing: Any) -> str:
    """Return a digest of the file that defines a user's model or method; one of Agora's is in the code."""
    module = sys.modules.get(thing.__module__)
    file = getattr(module, "__file__", None)
    if thing.__module__.startswith("agora.") or file is None:
        return str(thing.__qualname__)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def lines_of(faults: tuple[Fault, ...]) -> Iterator[dict[str, Any]]:
    """Return one record a fault: row, column, value, allowed."""
    for each in faults:
        yield {"row": each.row, "column": each.column, "value": repr(each.value), "allowed": each.allowed}


def units(models: Iterable[type[Model]]) -> dict[str, str]:
    """Return parameter or column of a table → unit; where models differ, each unit that it may have."""
    results: dict[str, list[str]] = {}
    for model in models:
        for name, unit in model.known_units().items():
            known = results.setdefault(name, [])
            if unit and unit not in known:
                known.append(unit)
    return {name: " or ".join(each) for name, each in results.items()}
