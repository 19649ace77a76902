"""The house itself: documents that run, commands that are what they say, names that are there."""

from __future__ import annotations

import ast
import re
import runpy
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from agora.models import Model
from agora.models.registry import model_named

ROOT = Path(__file__).resolve().parents[1]


def test_write_your_own_model_in_one_page(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "write-your-own-model.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.S)
    assert len(blocks) == 3
    script = tmp_path / "own_model.py"
    script.write_text("\n".join(blocks), encoding="utf-8")
    try:
        names = runpy.run_path(str(script))
        assert model_named("spatial-price-equilibrium") is names["SpatialPriceEquilibrium"]
    finally:
        Model.registry.pop("spatial-price-equilibrium", None)
    solution = names["solution"]
    assert solution.certificate.passed
    assert solution.is_global
    trade = solution.tables["trade"]
    assert trade["shipped"].max() > 0.1
    again = names["again"]
    assert again.manifest["options"] == {"method": "interior", "tolerance": 1e-6, "accuracy": 1e-11}
    assert again.is_global
    assert again.objective == pytest.approx(solution.objective, abs=1e-8)


def test_the_definition_of_equilibrium_bites_in_the_one_page_model(tmp_path: Path) -> None:
    from agora.runners import certify

    page = (ROOT / "docs" / "write-your-own-model.md").read_text(encoding="utf-8")
    script = tmp_path / "own_model.py"
    script.write_text("\n".join(re.findall(r"```python\n(.*?)```", page, re.S)), encoding="utf-8")
    try:
        solution = runpy.run_path(str(script))["solution"]
    finally:
        Model.registry.pop("spatial-price-equilibrium", None)
    for column in ("price", "demand", "supply"):
        markets = solution.tables["markets"].copy()
        markets.loc[1, column] += 1e-3
        assert not certify(solution.model, {**solution.tables, "markets": markets}, 1e-6).passed


def test_the_python_beside_gams_runs(tmp_path: Path) -> None:
    """Both columns of the page say the same: the program in pieces has the model's optimum."""
    page = (ROOT / "docs" / "coming-from-gams.md").read_text(encoding="utf-8")
    script = tmp_path / "beside_gams.py"
    script.write_text("\n".join(re.findall(r"```python\n(.*?)```", page, re.S)), encoding="utf-8")
    names = runpy.run_path(str(script))
    assert names["program"].utility.value == pytest.approx(names["solution"].objective, abs=1e-7)


def test_the_readme_has_its_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^python3 -m venv .*$", text, re.M)
    assert len(commands) == 2
    assert "agora solve" in commands[0]
    assert "pytest" in commands[1]


def test_the_readme_python_runs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", text, re.S):
        exec(compile(block, "README.md", "exec"), {})


def test_only_one_room_imports_a_solver() -> None:
    solver = re.compile(
        r"^\s*(from|import) (casadi|highspy|pyomo\.opt|pyomo\.contrib\.(solver|appsi))|SolverFactory", re.M
    )
    knowing = {
        path.relative_to(ROOT / "agora").parts[0]
        for path in ROOT.glob("agora/**/*.py")
        if solver.search(path.read_text(encoding="utf-8"))
    }
    assert knowing == {"solvers"}


def test_highs_is_made_in_one_place() -> None:
    """There it is kept from greeting on standard output."""
    places = {
        path.name
        for path in ROOT.glob("agora/**/*.py")
        if re.search(r"\bHighs\(\)", path.read_text(encoding="utf-8"))
    }
    assert places == {"highs.py"}


def test_every_equation_of_a_formulation_is_in_its_docstring() -> None:
    """What adds a row to a program says in mathematics which, so that the reference shows it."""
    silent = set()
    for path in ROOT.glob("agora/formulations/**/*.py"):
        text = path.read_text(encoding="utf-8")
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("add_"):
                adds = re.search(r"\.(Constraint|Objective)\(", ast.get_source_segment(text, node) or "")
                if adds and ".. math::" not in (ast.get_docstring(node) or ""):
                    silent.add(f"{path.stem}.{node.name}")
    assert silent == set()


def test_the_documentation_has_no_orphans() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in ROOT.glob("docs/**/*.md")}
    assert "reference" in pages
    assert {page for page in pages if page != "index" and page not in index.split()} == set()


def test_the_repository_speaks_of_itself_alone() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.splitlines():
        if name.endswith((".py", ".md", ".toml", ".yaml", ".cff")) and name != "tests/test_house.py":
            text = (ROOT / name).read_text(encoding="utf-8")
            assert not re.search(r"(?<![\w.}])/(home|root|tmp|work|Users)/", text), name


def test_the_command_line_starts_without_the_heavy_libraries() -> None:
    heavy = "{'pandas', 'pyomo', 'scipy', 'networkx'}"
    code = f"import sys, agora.cli.sweeping; sys.exit(len({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "package", ["agora.data", "agora.methods", "agora.models", "agora.papers", "agora.runners"]
)
def test_every_name_a_package_offers_is_there(package: str) -> None:
    module = import_module(package)
    assert module.__all__
    assert all(getattr(module, name) is not None for name in module.__all__)
    assert sorted(module.__all__) == list(module.__all__)
    assert set(module.__all__) <= set(dir(module))
    assert not {inner.name for inner in iter_modules(module.__path__)} & set(module.__all__)


def test_documents_import_from_the_packages_that_offer_names() -> None:
    """Where a file stands inside a package may change; formulations are a library and named by file."""
    pages = [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    places = set(re.findall(r"^ *(?:from|import) (agora[.\w]*)", text, re.M))
    named = {place for place in places if not place.startswith("agora.formulations.")}
    assert named == {"agora.data", "agora.methods", "agora.models", "agora.runners"}
    for path in sorted(set(re.findall(r"`(agora(?:\.\w+)+)`", text))):
        place, _, name = path.rpartition(".")
        assert find_spec(path) if place == "agora" else hasattr(import_module(place), name) or find_spec(path)


def test_the_readme_calls_what_packages_offer() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = "\n".join(row for row in text.splitlines() if row.startswith("| "))
    spans = [re.sub(r"'[^']*'|\"[^\"]*\"", "", span) for span in re.findall(r"`([^`]+)`", rows)]
    called = {name for span in spans for name in re.findall(r"(?<![\w.])([A-Za-z_]\w*)\(", span)}
    offered = {name for package in ("data", "models", "runners") for name in offer(package)}
    assert len(called) > 20
    assert called <= offered


def offer(package: str) -> list[str]:
    names: list[str] = import_module(f"agora.{package}").__all__
    return names


def test_the_lock_file_knows_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    (agora,) = (each for each in locked if each["name"] == "agora")
    wanted = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    names = {canonicalize_name(Requirement(each).name) for each in wanted} - {"agora"}
    assert names == {each["name"] for each in agora["metadata"]["requires-dist"]} - {"agora"}
