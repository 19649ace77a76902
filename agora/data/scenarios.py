"""Scenario files: one model, its parameters, its geography and how to solve it, in TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import networkx as nx

from agora.data.checks import MISSING, InputError, nearest
from agora.data.fields import known_kind
from agora.data.geographies import GEOGRAPHIES, build_geography
from agora.data.geography_files import read_geography

SECTIONS = ("geography", "parameters", "solve")
"""The tables of a scenario file."""


@dataclass(frozen=True)
class Scenario:
    """What a scenario file says, checked for its shape; the model checks the parameters."""

    name: str
    """The file's name without its ending."""
    model: str
    """The model's name, such as ``fujita-ogawa``."""
    geography: nx.Graph | None
    """The checked geography, if the scenario names one."""
    parameters: Mapping[str, Any]
    solve: Mapping[str, Any]
    """The tables of the same names, ``[parameters]`` and ``[solve]``."""
    content: Mapping[str, Any] = field(repr=False)
    """The whole file as read, for the record."""


def shipped(folder: str, suffix: str = ".toml") -> dict[str, Path]:
    """Return the files that come with Agora in a folder of its data: name → file, sorted by name."""
    source = Path(str(files("agora.data"))) / "shipped" / folder
    return {path.stem: path for path in sorted(source.glob(f"*{suffix}"))}


def shipped_scenarios() -> dict[str, Path]:
    """Return the scenarios that come with Agora: name → file, sorted by name."""
    return shipped("scenarios")


def find_file(what: str, name_or_file: str | Path, names: Mapping[str, Path]) -> Path:
    """Return the file meant by a path or by one of some names.

    Raises `InputError` about `what` if there is no such file and no such name.
    """
    path = Path(name_or_file)
    if path.is_file():
        return path
    if str(name_or_file) in names:
        return names[str(name_or_file)]
    raise InputError(what, str(name_or_file), f"a file, or {nearest(str(name_or_file), names)}")


def find_scenario(name_or_file: str | Path) -> Path:
    """Return the file meant by a path or by the name of a shipped scenario.

    Raises `InputError` if there is no such file and no such shipped scenario.
    """
    return find_file("scenario", name_or_file, shipped_scenarios())


def read_scenario(name_or_file: str | Path) -> Scenario:
    """Read a scenario file, or a shipped scenario by its name.

    Raises `InputError` if the file is missing, is no TOML, has unknown sections, or its geography is not
    valid.
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
    check_sections(content, ("model", *SECTIONS))
    if not isinstance(content.get("model"), str):
        given = content.get("model", MISSING)
        raise InputError("model", given, "the name of a model, such as 'fujita-ogawa'")
    read = anchored(content, folder)
    geography = _geography(read["geography"]) if "geography" in read else None
    parameters, solve = (dict(read.get(section, {})) for section in ("parameters", "solve"))
    return Scenario(name, content["model"], geography, parameters, solve, dict(content))


def check_sections(content: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raise `InputError` for a section that is not known, or one of a scenario that is no table."""
    for key in content:
        if key not in known:
            raise InputError(key, content[key], f"left out, or a known section: {nearest(key, known)}")
    for section in SECTIONS:
        if not isinstance(content.get(section, {}), Mapping):
            raise InputError(section, content[section], f"a table, [{section}]")


def anchored(content: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a scenario whose files, of its geography and its parameters, are found from anywhere."""
    anchored_content = dict(content)
    geography, parameters = content.get("geography"), content.get("parameters")
    if isinstance(geography, Mapping):
        named = {key: str(folder / str(geography[key])) for key in ("file", "nodes") if key in geography}
        anchored_content["geography"] = {**geography, **named}
    if isinstance(parameters, Mapping):
        anchored_content["parameters"] = {
            name: {**table, "file": str(folder / table["file"])}
            if isinstance(table, Mapping) and isinstance(table.get("file"), str)
            else table
            for name, table in parameters.items()
        }
    return anchored_content


def _geography(table: Any) -> nx.Graph:
    kind, arguments = known_kind("geography", table, (*GEOGRAPHIES, "file"))
    if kind != "file":
        return build_geography(kind, **arguments)
    if "file" not in arguments:
        raise InputError("geography.file", MISSING, "the path of a geography's file")
    return read_geography(arguments.pop("file"), **arguments)
