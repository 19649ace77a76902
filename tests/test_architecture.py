"""What the documents say of the code's places: the index of equations, and where a newcomer has to look."""

from __future__ import annotations

import ast
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
QUESTIONS = dict(re.findall(r"^## ([^\n]+\?)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))


@pytest.fixture(scope="module")
def maker() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / "equations.py"))


# --- the index of equations ------------------------------------------------------------------------


def test_the_index_of_equations_is_up_to_date(maker: dict[str, Any]) -> None:
    written = (ROOT / "docs" / "equations.md").read_text(encoding="utf-8")
    assert written == maker["page"](), f"run `{maker['COMMAND']}`"


def test_the_index_holds_every_equation_of_a_formulation() -> None:
    index = (ROOT / "docs" / "equations.md").read_text(encoding="utf-8")
    missing = []
    for path in ROOT.glob("agora/formulations/**/*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and ".. math::" in (ast.get_docstring(node) or ""):
                place = path.relative_to(ROOT / "agora" / "formulations").as_posix()
                if f"| `{place}`: `{node.name}` |" not in index and not node.name.startswith("_"):
                    missing.append(f"{place}: {node.name}")
    assert missing == []


def test_every_equation_is_known_by_a_test() -> None:
    index = (ROOT / "docs" / "equations.md").read_text(encoding="utf-8")
    assert "none by name" not in index
    rows = [row for row in index.splitlines() if row.startswith("| (3.6) ")]
    assert any("add_city_complementarity" in row and "`city/conditions.py`" in row for row in rows)
    assert all("test_fujita_ogawa.py::test_golden_text_of_definition_1" in row for row in rows[:1])


def test_numbers_are_read_from_prose_and_ranges_written_out(maker: dict[str, Any]) -> None:
    numbered, cited = maker["numbered"], maker["cited"]
    text = "Osawa & Akamatsu (2019), (3.5)–(3.8); (3.10) too, and (C.1b), (D). For each r_j(1) in (i), f(2)."
    assert list(numbered(text)) == ["(3.5)", "(3.6)", "(3.7)", "(3.8)", "(3.10)", "(C.1b)", "(D)"]
    assert list(numbered("slides, (1)–(2).")) == ["(1)", "(2)"]
    assert cited(text) == "Osawa & Akamatsu 2019"
    assert cited("as in arXiv 2506.04169, (29)") == "arXiv 2506.04169"
    assert cited("the price p(t)") == ""
    assert sorted(["(C.1b)", "(3.10)", "(D)", "(3.9)", "(2)"], key=maker["order"]) == [
        "(2)", "(3.9)", "(3.10)", "(C.1b)", "(D)",
    ]  # fmt: skip


# --- where to look ---------------------------------------------------------------------------------


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_newcomers_question_leads_to_at_most_three_files(question: str) -> None:
    """The files are there, and so are the names that a row says they hold."""
    rows = [row.split("|")[1:3] for row in QUESTIONS[question].splitlines() if row.startswith("| `")]
    files = [ROOT / place.strip().strip("`") for place, _ in rows]
    assert 1 <= len(files) == len(set(files)) <= 3
    for file, (_, words) in zip(files, rows, strict=True):
        text = file.read_text(encoding="utf-8")
        for name in re.findall(r"`(\w+)`", words):
            assert re.search(rf"\b{name}\b", text), f"{name} is not in {file.name}"


def test_the_page_names_the_rooms_that_there_are() -> None:
    rooms = {path.parent.name for path in ROOT.glob("agora/*/__init__.py")}
    assert set(re.findall(r"^\| `agora/(\w+)` \|", PAGE, re.M)) == rooms
    assert len(QUESTIONS) == 5
