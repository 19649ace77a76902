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


FILLED = {
    "agora/methods/method.py: _registered": "methods that users register enter it",
    "agora/papers/computations.py: COMPUTATIONS": "computations enter it when they are imported",
    "agora/papers/computations.py: ADDITIONS": "papers enter it when they are imported",
    "agora/runners/sweeps/work.py: _benches": "the workbench of a worker process, kept while its block lasts",
}
"""Containers of modules that functions fill, and why."""

CACHED = {
    "agora/methods/method.py: _shipped": "the methods that a family lists for a model",
    "agora/standard_output.py: _waiting_room": "the lasting stand-in of a stream, one for each",
    "agora/runners/sweeps/plan.py: _definition": "a digest of the file that defines a model",
}
"""Functions with arguments, outside the papers' computations, that remember what they returned, and why."""

CHANGING: dict[str, str] = {}
"""Frozen classes that fill a member, and why."""

_FILLING = {
    "add", "append", "appendleft", "clear", "difference_update", "discard", "extend", "insert",
    "intersection_update", "move_to_end", "pop", "popitem", "popleft", "remove", "setdefault",
    "symmetric_difference_update", "update",
}  # fmt: skip
_CONTAINERS = re.compile(
    r"^(dict|list|set|bytearray|deque|defaultdict|Counter|OrderedDict|\w*Weak\w*)(\[.*\])?\(", re.S
)


def _containers(tree: ast.Module) -> set[str]:
    """Return the names of a module's dictionaries, lists, sets and the like."""
    found = set()
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        display = isinstance(value, ast.Dict | ast.List | ast.Set | ast.DictComp | ast.ListComp | ast.SetComp)
        if display or (isinstance(value, ast.Call) and _CONTAINERS.match(ast.unparse(value))):
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def _root(node: ast.expr) -> str:
    """Return the name in front of subscripts and attributes."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _entries(target: ast.expr) -> list[ast.Subscript]:
    """Return the entries of containers that an assignment writes."""
    if isinstance(target, ast.Tuple | ast.List):
        return [entry for each in target.elts for entry in _entries(each)]
    if isinstance(target, ast.Starred):
        return _entries(target.value)
    return [target] if isinstance(target, ast.Subscript) else []


def _writes(function: ast.AST) -> set[str]:
    """Return the names whose containers a function fills, empties or replaces."""
    names: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Global):
            names |= set(node.names)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _FILLING:
            names.add(_root(node.func.value))
        targets = node.targets if isinstance(node, ast.Assign | ast.Delete) else []
        if isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        names |= {_root(entry) for target in targets for entry in _entries(target)}
    return names


def _filled(tree: ast.Module) -> set[str]:
    """Return the containers of a module that its functions fill or replace."""
    containers = _containers(tree)
    if not containers:
        return set()
    functions = [
        n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    ]
    return containers & {name for function in functions for name in _writes(function)}


def _frozen_that_change(tree: ast.Module) -> set[str]:
    """Return the frozen classes whose methods fill a member of their own."""
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any(re.search(r"frozen\s*=\s*True", ast.unparse(d)) for d in node.decorator_list)
        and any("self" in _writes(m) for m in node.body if isinstance(m, ast.FunctionDef))
    }


def test_no_module_has_a_hidden_memory() -> None:
    """A result depends on what is asked, not on what was asked before: no container of a module fills up."""
    filled, cached, changing = set(), set(), set()
    for path in ROOT.glob("agora/**/*.py"):
        name, tree = path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))
        filled |= {f"{name}: {container}" for container in _filled(tree)}
        changing |= {f"{name}: {frozen}" for frozen in _frozen_that_change(tree)}
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and not name.startswith("agora/papers/"):
                remembers = any(
                    re.match(r"(functools\.)?(lru_)?cache\b", ast.unparse(d)) for d in node.decorator_list
                )
                if remembers and (node.args.args or node.args.kwonlyargs or node.args.vararg):
                    cached.add(f"{name}: {node.name}")
    assert filled - FILLED.keys() == set()
    assert cached - CACHED.keys() == set()
    assert changing - CHANGING.keys() == set()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("A = {}\ndef f(x):\n    A[x] = 1", {"A"}),
        ("A: dict[int, list] = {1: []}\ndef f(x):\n    A[1].append(x)", {"A"}),
        ("A = defaultdict(list)\nf = lambda x: A.setdefault(x, 1)", {"A"}),
        ("A = [0]\ndef f(x):\n    A[:] = [x]", {"A"}),
        ("A = WeakKeyDictionary[int, str]()\ndef f(x):\n    del A[x]", {"A"}),
        ("A = set()\ndef f():\n    global A\n    A = set()", {"A"}),
        ("A = {1: 2}\ndef f(x):\n    return A[x]", set()),
        ("A = {1: 2}\ndef f(x):\n    x[A[1]] = 2", set()),
        ("A = {}\ndef f(x):\n    x, A[1] = 2, 3", {"A"}),
        ("A = {1: 2}\nA[3] = 4\ndef f(x):\n    B = {}\n    B[x] = A[1]\n    return B", set()),
    ],
)
def test_a_memory_is_recognised(text: str, names: set[str]) -> None:
    assert _filled(ast.parse(text)) == names


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        ("self.seen[x] = 1", True),
        ("self.seen.append(x)", True),
        ("seen = {self.y[x]: 1}; seen[x] = 2", False),
    ],
)
def test_a_frozen_class_that_changes_is_recognised(body: str, changes: bool) -> None:
    text = f"@dataclass(frozen=True)\nclass A:\n    def f(self, x):\n        {body}"
    assert _frozen_that_change(ast.parse(text)) == ({"A"} if changes else set())
    assert _frozen_that_change(ast.parse(text.replace("frozen=True", "order=True"))) == set()


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
