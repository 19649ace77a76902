"""What an installation gets: the versions of the lock file by the README's commands, others by `.ci`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK: dict[str, Any] = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
CONSTRAINTS = [
    Requirement(line) for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
]
MACHINES = {
    "linux": {"platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"},
    "win32": {"platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"},
    "darwin": {"platform_system": "Darwin", "os_name": "posix", "platform_machine": "arm64"},
}


def environment(python: str, platform: str) -> dict[str, str]:
    """Return what markers ask about CPython of a version on a platform."""
    return {
        **{name: str(value) for name, value in default_environment().items()},
        "implementation_name": "cpython",
        "implementation_version": python,
        "platform_python_implementation": "CPython",
        "python_full_version": python,
        "python_version": ".".join(python.split(".")[:2]),
        "sys_platform": platform,
        **MACHINES[platform],
    }


def locked(where: dict[str, str]) -> set[str]:
    """Return the releases that the lock file gives Agora with all its extras, itself left out."""
    packages: dict[str, list[dict[str, Any]]] = {}
    for package in LOCK["package"]:
        packages.setdefault(package["name"], []).append(package)

    def chosen(edges: Iterable[dict[str, Any]]) -> Iterable[tuple[dict[str, Any], str]]:
        for edge in edges:
            if "marker" in edge and not Marker(edge["marker"]).evaluate(where):
                continue
            (package,) = (
                each
                for each in packages[edge["name"]]
                if each["version"] == edge.get("version", each["version"])
            )
            for extra in ("", *edge.get("extra", ())):
                yield package, extra

    (agora,) = packages["agora"]
    waiting = [(agora, extra) for extra in ("", *agora["optional-dependencies"])]
    seen = set()
    while waiting:
        package, extra = waiting.pop()
        key = (package["name"], package["version"], extra)
        if key not in seen:
            seen.add(key)
            edges = package.get("optional-dependencies", {}).get(extra, ()) if extra else ()
            waiting.extend(chosen(edges if extra else package.get("dependencies", ())))
    return {f"{name}=={version}" for name, version, _ in seen if name != "agora"}


@pytest.mark.parametrize("platform", sorted(MACHINES))
@pytest.mark.parametrize("python", ["3.11.0", "3.11.9", "3.12.4", "3.13.2", "3.14.1"])
def test_the_constraints_are_the_lock_file(python: str, platform: str) -> None:
    """If they differ, `.ci/lock` writes them anew."""
    where = environment(python, platform)
    assert sum(Marker(each).evaluate(where) for each in LOCK["resolution-markers"]) == 1
    active = {
        f"{canonicalize_name(each.name)}{each.specifier}"
        for each in CONSTRAINTS
        if each.marker is None or each.marker.evaluate(where)
    }
    assert len(active) > 100
    assert active == locked(where)


def test_every_constraint_is_one_release() -> None:
    for each in CONSTRAINTS:
        (specifier,) = each.specifier
        assert specifier.operator == "=="
        assert "*" not in specifier.version
        assert each.url is None
        assert not each.extras


def test_the_lock_file_has_the_bounds_of_the_project() -> None:
    wanted = [
        *((Requirement(each), "") for each in PROJECT["dependencies"]),
        *(
            (Requirement(each), extra)
            for extra, listed in PROJECT["optional-dependencies"].items()
            for each in listed
        ),
    ]
    agora = next(each for each in LOCK["package"] if each["name"] == "agora")
    known = {
        (each["name"], each.get("marker", ""), SpecifierSet(each.get("specifier", "")))
        for each in agora["metadata"]["requires-dist"]
        if each["name"] != "agora"
    }
    assert known == {
        (
            canonicalize_name(each.name),
            f"extra == '{extra}'" if extra else "",
            each.specifier,
        )
        for each, extra in wanted
        if each.name != "agora"
    }
    versions = {canonicalize_name(each.name): each.specifier for each in CONSTRAINTS if each.marker is None}
    for each, _ in wanted:
        for specifier in versions.get(canonicalize_name(each.name), ()):
            assert each.specifier.contains(specifier.version), each


def test_every_dependency_has_a_lowest_release() -> None:
    """`.ci/lowest` installs it."""
    for each in PROJECT["dependencies"]:
        operators = [specifier.operator for specifier in Requirement(each).specifier]
        assert operators.count(">=") == 1, each
        assert set(operators) <= {">=", "<", "!="}, each


def test_the_readme_installs_the_constraints() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^python3 -m venv .*$", text, re.M)
    assert len(commands) == 2
    assert all(" install --quiet -c constraints.txt " in command for command in commands)
