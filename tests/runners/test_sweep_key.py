"""The key of a row covers the code that decides its answer, all of it, and no other."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import agora
from agora.runners.sweeps.plan import code_digest, deciding_files

PACKAGE = Path(agora.__file__).parent


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the package's folder, to be changed."""
    leave = shutil.ignore_patterns("__pycache__", "shipped")
    return Path(shutil.copytree(PACKAGE, tmp_path / "agora", ignore=leave))


def test_the_digest_does_not_depend_on_where_the_package_is(copy: Path) -> None:
    assert code_digest(copy) == code_digest(PACKAGE)


@pytest.mark.parametrize(
    "place",
    [
        "data", "formulations/city", "methods/migration", "models/sectors/conditions", "solvers",
        "runners/sweeps", "models/a_new_family", "solvers/deep/er",
    ],
)  # fmt: skip
def test_a_new_file_changes_the_key_however_deep_it_is(copy: Path, place: str) -> None:
    before = code_digest(copy)
    (copy / place).mkdir(parents=True, exist_ok=True)
    (copy / place / "added.py").write_text("", encoding="utf-8")
    added = code_digest(copy)
    assert added != before
    (copy / place / "added.py").rename(copy / place / "renamed.py")
    assert code_digest(copy) not in {before, added}


@pytest.mark.parametrize(
    "place", ["cli", "papers", "papers/osawa_akamatsu", "runners/figures", "runners/studies"]
)
def test_commands_papers_figures_and_studies_do_not_change_the_key(copy: Path, place: str) -> None:
    before = code_digest(copy)
    (copy / place / "added.py").write_text("", encoding="utf-8")
    (copy / place / "__init__.py").write_text("changed = True\n", encoding="utf-8")
    assert code_digest(copy) == before


def test_every_module_that_a_worker_loads_is_in_the_key() -> None:
    """Whoever puts code that solves into another room is told here."""
    code = """
import sys
import agora.runners.sweeps.work
from agora.methods.method import methods_of
from agora.models.registry import model_named, model_names
for name in model_names():
    methods_of(model_named(name))
print(*(sys.modules[name].__file__ for name in sys.modules if name.startswith("agora.")), sep="\\n")
"""
    command = [sys.executable, "-P", "-c", code]  # -P: the package that is tested, not a checkout around it
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {Path(file) for file in run.stdout.splitlines()}
    deciding = set(deciding_files(PACKAGE))
    assert len(loaded & deciding) > 100
    others = {file.relative_to(PACKAGE).as_posix() for file in loaded - deciding}
    decide_nothing = {
        "moved.py",
        "standard_output.py",
        "typing.py",
        "runners/__init__.py",
    }  # old names, types, names offered
    assert {name for name in others if not name.startswith("runners/figures/")} == decide_nothing


def test_what_is_changed_in_a_deciding_file_changes_the_key(copy: Path) -> None:
    before = code_digest(copy)
    for name in ("runners/solving.py", "runners/certifying.py", "methods/city/global_search.py"):
        (copy / name).write_text((copy / name).read_text(encoding="utf-8") + "# \n", encoding="utf-8")
        after = code_digest(copy)
        assert after != before
        before = after
