"""Makes ``docs/equations.md``: every equation of the formulations, its function, and the tests that know it.

Run ``python docs/equations.py`` after a change to a formulation or to a test's name. Nothing is imported:
docstrings and names are read from the files. Numbers are those that a docstring gives, in prose, of the
work it cites or its file does.

Tests are found by name: those that name the function or, where none does, those that name what uses it,
step by step, up to the model. That a test names a model does not show that it would fail without the
equation; a name in the column "by way of" says that there is this distance.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "equations.md"
COMMAND = "python docs/equations.py"
SHOWN = 2
"""Tests named in a row."""
FAMILIES = tuple(sorted(path.parent.name for path in ROOT.glob("agora/formulations/*/__init__.py")))

WORK = r"(?:arXiv \d{4}\.\d{5}|[A-Z]\w+(?:(?:, | & )[A-Z]\w+)* \((?:19|20)\d\d(?:\)|, ))"
NUMBER = r"(?<![\w)])\((?:[A-Z]\.)?\d{1,2}(?:\.\d+)?[a-z]?\)"
NAMED = r"(?<=, )\((?:S|D|W|HJB|Fokker–Planck)\)"
PLACE = (
    r"(?:Assumption|Corollary|Definition|Example|Lemma|Proposition|Remark|Theorem) \d+(?:\.\d+)?"
    r"|sections? \d+(?:\.\d+)?(?:(?:, |–| and )\d+(?:\.\d+)?)*"
)


@dataclass(frozen=True)
class Equation:
    """A function of a formulation that states an equation.

    Attributes
    ----------
    family, file, function : str
        Where it is; the file within ``agora/formulations``.
    says : str
        The docstring's first line.
    work : str
        What it cites; empty: nothing.
    numbers, places : tuple of str
        Equation numbers of the work, and sections, lemmas and the like.
    """

    family: str
    file: str
    function: str
    says: str
    work: str
    numbers: tuple[str, ...]
    places: tuple[str, ...]


# --- docstrings -------------------------------------------------------------------------------------


def equations() -> list[Equation]:
    """Return what the formulations state: functions and classes with mathematics or a number."""
    found = []
    for path in sorted((ROOT / "agora" / "formulations").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        file_says = prose(tree)
        for node in tree.body:
            if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
                continue
            text, stated = prose(node), ".. math::" in (ast.get_docstring(node) or "")
            work = cited(text) or cited(file_says)
            numbers = tuple(numbered(text)) if work else ()
            if stated or numbers:
                file = path.relative_to(ROOT / "agora" / "formulations").as_posix()
                places = tuple(dict.fromkeys(re.findall(PLACE, text)))
                says = text.split(".. ")[0].split(". ")[0].split(":")[0].rstrip(".")
                found.append(Equation(file.split("/")[0], file, node.name, says, work, numbers, places))
    return found


def prose(node: ast.Module | ast.FunctionDef | ast.ClassDef) -> str:
    """Return a docstring as one line, its displayed mathematics left out."""
    text = ast.get_docstring(node) or ""
    lines, inside = [], False
    for line in text.splitlines():
        inside = line.lstrip().startswith(".. math::") or (inside and line.startswith(" "))
        if not inside:
            lines.append(line.strip())
    return " ".join(" ".join(lines).split())


def cited(text: str) -> str:
    """Return the first work that a text cites, or nothing."""
    match = re.search(WORK, text)
    return match[0].rstrip(", )").replace(" (", " ") if match else ""


def numbered(text: str) -> Iterator[str]:
    """Return the equation numbers in a text, ranges written out, each once."""
    for first, last in re.findall(rf"({NUMBER})–({NUMBER})", text):
        stem, low, high = first[1:-1].rpartition("."), first[1:-1].split(".")[-1], last[1:-1].split(".")[-1]
        between = [f"({stem[0]}{stem[1]}{k})" for k in range(int(low), int(high) + 1)]
        text = text.replace(f"{first}–{last}", " ".join(between))
    yield from dict.fromkeys(re.findall(f"{NUMBER}|{NAMED}", text))


# --- names ------------------------------------------------------------------------------------------


@dataclass
class Names:
    """Who names whom within a family or outside all: in the package and in the tests."""

    users: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Name → definitions of the package that use it."""
    tests: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Name → tests that use it, or that call a helper of theirs that does."""
    text_of: dict[str, str] = field(default_factory=dict)
    """Test → its source."""

    def knowing(self, function: str) -> tuple[list[str], set[str]]:
        """Return by way of what, and which tests, a function is known: those nearest to it."""
        names, seen = {function}, {function}
        while names:
            known = sorted(name for name in names if self.tests.get(name))
            if known:
                tests = {test for name in known for test in self.tests[name]}
                return [name for name in known if name != function], tests
            names = {user for name in names for user in self.users.get(name, ())} - seen
            seen |= names
        return [], set()


def names(family: str) -> Names:
    """Read the names that the package and the tests use, other families left out."""
    found, others = Names(), set(FAMILIES) - {family}
    packaged = [path for path in files("agora", others) if path.name != "__init__.py"]
    definitions = [(path, *each) for path in packaged for each in defined(path)]
    often: dict[str, int] = defaultdict(int)
    for _, _, method, _ in definitions:
        often[method] += 1
    for _, owner, method, used in definitions:
        name = method if often[method] == 1 or not owner else owner
        for each in used - {name}:
            found.users[each].add(name)
    helpers = {name: used for path in (ROOT / "tests").glob("*.py") for _, name, used in plain(path)}
    for path in files("tests", others):
        own = {name: used for _, name, used in plain(path)}
        for test, text, used in tests_in(path):
            found.text_of[test] = text
            for name in reached(used, {**helpers, **own}):
                found.tests[name].add(test)
    return found


@cache
def tests_in(path: Path) -> list[tuple[str, str, set[str]]]:
    """Return name, source and names used of every test of a file."""
    place = path.relative_to(ROOT / "tests").as_posix()
    lines = path.read_text(encoding="utf-8").splitlines()
    return [
        (f"{place}::{node.name}", "\n".join(lines[node.lineno - 1 : node.end_lineno]), used_in(node))
        for node in parsed(path).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


def files(room: str, others: set[str]) -> list[Path]:
    """Return the Python files of a folder but those of other families."""
    paths = sorted((ROOT / room).rglob("*.py"))
    return [path for path in paths if not others & set(path.relative_to(ROOT).parts)]


def plain(path: Path) -> Iterator[tuple[str, str, set[str]]]:
    """Return the definitions of a file that are no tests."""
    return (each for each in defined(path) if not each[1].startswith("test_"))


@cache
def defined(path: Path) -> list[tuple[str, str, set[str]]]:
    """Return class or nothing, name, and names used, of every function, method and constant of a file."""
    return list(_defined(parsed(path)))


@cache
def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def _defined(tree: ast.Module) -> Iterator[tuple[str, str, set[str]]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            general = [name for name in map(registered, node.decorator_list) if name]
            for name in general:  # a case of a general function is known by it, also if it is called _
                yield "", name, used_in(node) | {node.name}
            if not general or node.name != "_":
                yield "", node.name, used_in(node)
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef):
                    yield node.name, inner.name, used_in(inner)
                else:
                    yield node.name, node.name, used_in(inner)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    yield "", target.id, used_in(node)


def registered(decorator: ast.expr) -> str:
    """Return the function of which ``@function.register`` makes another a case, or nothing."""
    of = decorator.func if isinstance(decorator, ast.Call) else decorator
    if isinstance(of, ast.Attribute) and of.attr == "register" and isinstance(of.value, ast.Name):
        return of.value.id
    return ""


@cache
def used_in(node: ast.AST) -> set[str]:
    """Return the names and attributes in a piece of code."""
    used = set()
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            used.add(each.id)
        elif isinstance(each, ast.Attribute):
            used.add(each.attr)
    return used


def reached(used: set[str], helpers: dict[str, set[str]]) -> set[str]:
    """Return the names used, by helpers too."""
    waiting, seen = list(used), set(used)
    while waiting:
        more = helpers.get(waiting.pop(), set()) - seen
        seen |= more
        waiting.extend(more)
    return seen


# --- the page ---------------------------------------------------------------------------------------


def checked_in(family: str, number: str) -> list[str]:
    """Return the files of a family's definitions of equilibrium that give a number."""
    folder = ROOT / "agora" / "models" / family
    definitions = [*folder.glob("conditions.py"), *sorted(folder.glob("conditions/*.py"))]
    return [
        file.relative_to(ROOT / "agora" / "models").as_posix()
        for file in definitions
        if re.search(rf"(?<![\w)]){re.escape(number)}", file.read_text(encoding="utf-8"))
    ]


def order(number: str) -> tuple[object, ...]:
    """Return what equation numbers are sorted by: (2), (3.9), (3.10), (C.1b), (D)."""
    parts = re.findall(r"\d+|[A-Za-z–]+", number)
    return tuple((not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts)


def tests_of(each: Equation, known: Names) -> tuple[str, str]:
    """Return by way of what, and which tests, know an equation: first those that read it."""
    ways, tests = known.knowing(each.function)

    def rank(test: str) -> tuple[bool, bool, bool, str]:
        text, named = known.text_of[test], re.search("golden|equation", test)
        return (
            not any(number in text for number in each.numbers),
            not named,
            not test.startswith(f"{each.family}/"),
            test,
        )

    shown = sorted(tests, key=rank)[:SHOWN]
    more = " and more" if len(tests) > len(shown) else ""
    words = ", ".join(f"`{test}`" for test in shown) + more
    return ", ".join(f"`{way}`" for way in ways), words or "none by name"


def page() -> str:
    """Return the page."""
    families: dict[str, list[Equation]] = defaultdict(list)
    for each in equations():
        families[each.family].append(each)
    lines = [
        "# Equations, functions, tests",
        "",
        f"Made by `{COMMAND}` from the docstrings of `agora/formulations` and the names in the tests; a test",
        "checks that it is up to date. Files are those of that folder, of `agora/models` and of `tests`.",
        "*Checked in* names the definition of equilibrium that gives the number. Tests are those that name",
        "the function or, where none does, what uses it: *by way of*. That a test names a model does not",
        "show that it would fail without the equation. Of many, two are shown, first those that give the",
        "number or compare the rows of a program with a golden text.",
    ]
    for family, found in families.items():
        lines += ["", f"## {family.replace('_', ' ').capitalize()}", ""]
        lines += table(found, names(family))
    return "\n".join(lines) + "\n"


def table(found: list[Equation], known: Names) -> list[str]:
    """Return the rows of a family: numbered equations by work and number, then the others by file."""
    rows = ["| equation | function | checked in | by way of | tests |", "|---|---|---|---|---|"]
    pairs = [(each, number) for each in found for number in each.numbers]
    pairs.sort(key=lambda pair: (pair[0].work, order(pair[1]), pair[0].file, pair[0].function))
    for each, number in pairs:
        way, tests = tests_of(each, known)
        checks = ", ".join(f"`{file}`" for file in checked_in(each.family, number))
        rows.append(f"| {number} {each.work}: {each.says} | {where(each)} | {checks} | {way} | {tests} |")
    for each in found:
        if not each.numbers:
            way, tests = tests_of(each, known)
            source = ", ".join([each.work, *each.places] if each.work else each.places)
            said = each.says + (f" ({source})" if source else "")
            rows.append(f"| {said} | {where(each)} | | {way} | {tests} |")
    return rows


def where(each: Equation) -> str:
    """Return file and function."""
    return f"`{each.file}`: `{each.function}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
