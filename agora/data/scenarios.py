"""Scenario files: one model, its parameters, its geography and how to solve it, in TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import networkx as nx

from agora.data.checks import MISSING, InputError, nearest
from agora.data.geographies import GEOGRAPHIES, build_geography
from agora.data.readers import read_geography

SECTIONS = ("geography", "parameters", "solve")
"""The tables of a scenario file."""


@dataclass(frozen=True)
class Scenario:
    """What a scenario file says, checked for its shape; the model checks the parameters.

    Attributes
    ----------
    name : str
        The file's name without its ending.
    model : str
        The model's name, such as ``fujita-ogawa``.
    geography : networkx.Graph or None
        The checked geography, if the scenario names one.
    parameters, solve : dict
        The tables of the same names.
    content : dict
        The whole file as read, for the record.
    """

    name: str
    model: str
    geography: nx.Graph | None
    parameters: Mapping[str, Any]
    solve: Mapping[str, Any]
    content: Mapping[str, Any] = field(repr=False)


def shipped_scenarios() -> dict[str, Path]:
    """Return the scenarios that come with Agora: name → file, sorted by name."""
    folder = Path(str(files("agora.data"))) / "scenarios"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find_scenario(name_or_file: str | Path) -> Path:
    """Return the file meant by a path or by the name of a shipped scenario.

    Raises
    ------
    InputError
        If there is no such file and no such shipped scenario.
    """
    path = Path(name_or_file)
    if path.is_file():
        return path
    shipped = shipped_scenarios()
    if str(name_or_file) in shipped:
        return shipped[str(name_or_file)]
    raise InputError("scenario", str(name_or_file), f"a file, or {nearest(str(name_or_file), shipped)}")


def read_scenario(name_or_file: str | Path) -> Scenario:
    """Read a scenario file, or a shipped scenario by its name.

    Raises
    ------
    InputError
        If the file is missing, is no TOML, has unknown sections, or its geography is not valid.
    """
    path = find_scenario(name_or_file)
    return scenario_from(read_toml(path), name=path.stem, folder=path.parent)


def read_toml(path: Path, what: str = "scenario") -> dict[str, Any]:
    """Return the content of a TOML file; one that is none raises `InputError` about `what`."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(what, str(path), f"a TOML file ({error})") from None


def scenario_from(content: Mapping[str, Any], *, name: str, folder: Path) -> Scenario:
    """Build a `Scenario` from the content of its file; `folder` anchors the files it names."""
    for key in content:
        if key != "model" and key not in SECTIONS:
            raise InputError(
                key, content[key], f"left out, or a known section: {nearest(key, ('model', *SECTIONS))}"
            )
    if not isinstance(content.get("model"), str):
        raise InputError(
            "model", content.get("model", MISSING), "the name of a model, such as 'fujita-ogawa'"
        )
    for section in SECTIONS:
        if not isinstance(content.get(section, {}), Mapping):
            raise InputError(section, content[section], f"a table, [{section}]")
    geography = _geography(content["geography"], folder) if "geography" in content else None
    return Scenario(
        name=name,
        model=content["model"],
        geography=geography,
        parameters=_anchored(content.get("parameters", {}), folder),
        solve=dict(content.get("solve", {})),
        content=dict(content),
    )


def _anchored(parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the parameters with the files that their tables name found from the scenario's folder."""
    found = dict(parameters)
    for name, table in parameters.items():
        if isinstance(table, Mapping) and isinstance(table.get("file"), str):
            found[name] = {**table, "file": str(folder / table["file"])}
    return found


def _geography(table: Mapping[str, Any], folder: Path) -> nx.Graph:
    arguments = dict(table)
    kind = arguments.pop("kind", MISSING)
    if kind == "file":
        for key in ("file", "nodes"):
            if key in arguments and not Path(str(arguments[key])).is_absolute():
                arguments[key] = str(folder / str(arguments[key]))
        if "file" not in arguments:
            raise InputError("geography.file", MISSING, "the path of a geography's file")
        return read_geography(arguments.pop("file"), **arguments)
    if kind is MISSING or not isinstance(kind, str):
        raise InputError("geography.kind", kind, f"file, or {nearest('', GEOGRAPHIES)}")
    return build_geography(kind, **arguments)
