"""Old places of modules, as documented before: they work for one version and say where to look."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

import agora
import agora.data
import agora.formulations
import agora.runners
from agora.moved import MOVED

OLD_THEN_NEW = """
import agora.runners.convergence as module
from agora.runners.sweep import sweep as function
import agora.runners.sensitivity
from agora.runners import convergence, sensitivity, sweep
"""

NEW_THEN_OLD = """
from agora.runners import convergence, sensitivity, sweep
import agora.runners.convergence as module
from agora.runners.sweep import sweep as function
import agora.runners.sensitivity
"""

ANSWERS = """
import agora.runners
from agora.data import read_panel, two_cell
from agora.models import FujitaOgawa

panel = read_panel("synthetic-sectors")
for each in (convergence, agora.runners.convergence, module.convergence):
    assert not each(panel).regressions.empty
city = FujitaOgawa(
    geography=two_cell(land=[0.6, 0.4]), commuting_cost=0.1, decay=2.0, firm_mass=0.5, labor_per_firm=1.0
)
for each in (sensitivity, agora.runners.sensitivity, agora.runners.sensitivity.sensitivity):
    assert not each(city, ["t"], options={"method": "global"}, verify=False).table.empty
with open("one.csv", "w") as file:
    file.write("scenario\\ntwo-cell-low\\n")
assert function("one.csv", "out", workers=0).fresh == 1
for each in (sweep, agora.runners.sweep):
    assert each("one.csv", "out", workers=0).solved == 1
"""


def script(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Run a user's script, with the warnings that users see."""
    file = folder / "theirs.py"
    file.write_text(text, encoding="utf-8")
    return subprocess.run(
        [sys.executable, str(file)], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def unknown() -> Iterator[None]:
    """Forget the old places for a while, and then that they were imported."""
    parents = [sys.modules[name] for name in ("agora.data", "agora.formulations", "agora.runners")]
    names = [dict(vars(parent)) for parent in parents]
    imported = {old: sys.modules.pop(old) for old in MOVED if old in sys.modules}
    yield
    for old in MOVED:
        sys.modules.pop(old, None)
    sys.modules.update(imported)
    for parent, known in zip(parents, names, strict=True):
        vars(parent).clear()
        vars(parent).update(known)


@pytest.mark.usefixtures("unknown")
def test_every_old_place_gives_what_is_at_the_new_one_and_says_so_once() -> None:
    for old, (new, _) in MOVED.items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            shim = import_module(old)
            exec(f"import {old}")
        module = import_module(new)
        public = [name for name in vars(module) if not name.startswith("_")]
        assert public
        assert all(getattr(shim, name) is getattr(module, name) for name in public), old
        (warned,) = caught
        assert warned.category is FutureWarning
        assert str(warned.message).startswith(f"{old} is {new} now")


@pytest.mark.parametrize("order", [OLD_THEN_NEW, pytest.param(NEW_THEN_OLD, marks=pytest.mark.heavy)])
def test_functions_are_called_by_their_new_name_whatever_was_imported_before(
    tmp_path: Path, order: str
) -> None:
    run = script(tmp_path, order + ANSWERS)
    assert run.returncode == 0, run.stderr
    warned = [line for line in run.stderr.splitlines() if "FutureWarning" in line]
    assert len(warned) == 3, run.stderr  # shown by Python itself, once each, at the line of the script
    assert all("theirs.py" in line for line in warned)


def test_what_is_not_in_the_table_is_not_there() -> None:
    assert find_spec("agora.runners.methods.city") is None
    with pytest.raises(ModuleNotFoundError, match=r"agora\.runners\.cli"):
        import_module("agora.runners.cli")


def test_old_places_stand_empty_and_new_ones_do_not() -> None:
    root = Path(agora.__file__).parent
    for old, (new, offered) in MOVED.items():
        place = root.joinpath(*old.split(".")[1:])
        assert not place.with_suffix(".py").exists()
        assert not (place / "__init__.py").exists()
        import_module(new)
        import_module(offered)
