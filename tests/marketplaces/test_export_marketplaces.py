"""All rows of the tables of Berliant & Konishi (2000) as GAMS files, read back by a small strict reader."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyomo.environ as pyo
import pytest
from makers import FOUR_SITES

from agora.models.marketplaces.marketplaces import Marketplaces
from agora.papers import berliant_konishi
from agora.runners.records.export import export_program

CASES: dict[str, dict[str, Any]] = {
    "case1": {},
    "case2": {"commodity_shares": [0.2, 0.3]},
    "case3": {"setup_shares": [0.3, 0.7]},
    "case4": {"railway": {"scale": "once", "cost_per_length": 3.0}},
    "case5": {"railway": {"scale": "once", "cost_per_length": [(0.0, 0.5, 9.0), (0.5, 1.0, 0.3)]}},
}
TABLES = pd.read_csv(Path(berliant_konishi.__file__).parent / "printed.csv")
ROWS = sorted(set(TABLES[["case", "setup_cost", "n_markets"]].itertuples(index=False, name=None)))
NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
FUNCTIONS = {"log": math.log, "exp": math.exp, "sqrt": math.sqrt, "power": pow}


@dataclass
class GamsFile:
    """What a GAMS file declares and says."""

    equations: list[str]
    variables: list[str]
    definitions: dict[str, tuple[str, str, str]]
    levels: dict[str, float]
    solve: tuple[str, str, str]


def read(text: str) -> GamsFile:
    """Read a file of scalar equations; anything that is not of the forms it knows is an error.

    It knows: one list of equations and lists of variables, each name declared once, legal (a letter, then
    letters, digits and underscores, at most 63) and not a word of the language; for every declared equation
    one definition `name.. left =e= (=l=, =g=) right ;` with balanced parentheses over numbers, declared
    variables and known functions; bounds and levels `name.lo = number;`; one MODEL and one SOLVE of it.
    """
    assert all(len(line) <= 80000 for line in text.splitlines())
    head, _, rest = text.partition("\n\n\n")
    equations: list[str] = []
    variables: list[str] = []
    assert len(re.findall(r"^EQUATIONS$", head, re.M)) == 1
    for block in re.split(r";", head):
        words = block.split()
        words = [word for word in words if not word.startswith("$")]
        if words[:1] == ["EQUATIONS"]:
            equations += words[1:]
        elif "VARIABLES" in words[:2]:
            variables += words[words.index("VARIABLES") + 1 :]
        else:
            assert not words, block
    names = [name.lower() for name in [*equations, *variables]]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]\w{0,62}", name) for name in names)
    assert not {"model", "solve", "set", "parameter", "scalar", "table", "option", "all"} & set(names)
    definitions: dict[str, tuple[str, str, str]] = {}
    levels: dict[str, float] = {}
    body, _, tail = rest.partition("MODEL ")
    for statement in body.split(";"):
        one = " ".join(statement.split())
        if not one:
            continue
        if match := re.fullmatch(r"(\w+)\.\. (.*) =([elg])= (.*)", one):
            name, left, sense, right = match.groups()
            assert name in equations
            assert name not in definitions
            definitions[name] = left, sense, right
            for side in (left, right):
                _check_expression(side, variables)
        else:
            match = re.fullmatch(rf"(\w+)\.(l|lo|up|fx) = ({NUMBER})", one)
            assert match, one
            assert match[1] in variables
            if match[2] == "l":
                levels[match[1]] = float(match[3])
    assert set(definitions) == set(equations)
    model = re.match(r"(\w+) /all/ ;", tail)
    solved = re.search(r"^SOLVE (\w+) USING (\w+) (maximizing|minimizing) (\w+);", tail, re.M)
    assert model
    assert solved
    assert solved[1] == model[1]
    assert solved[4] in variables
    return GamsFile(equations, variables, definitions, levels, (solved[2], solved[3], solved[4]))


def _check_expression(text: str, variables: list[str]) -> None:
    depth = 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        assert depth >= 0, text
    assert depth == 0, text
    rest = re.sub(r"(?<![\w.])\d+(?:\.\d+)?(?:[eE][-+]?\d+)?", " ", text)
    for word in re.findall(r"[A-Za-z_]\w*", rest):
        assert word in FUNCTIONS or word in variables, word
    assert re.fullmatch(r"[\s\w+\-*/(),.]*", text), text


@pytest.mark.parametrize(("case", "cost", "number"), ROWS)
def test_every_row_is_a_gams_file_with_free_marketplaces(
    case: str, cost: float, number: int, tmp_path: Path
) -> None:
    model = Marketplaces(**{**FOUR_SITES, **CASES[case], "setup_cost": cost, "marketplaces": int(number)})
    file = read(export_program(model, "gms", tmp_path / "row.gms").read_text())
    program = model.program()
    assert len([name for name in file.variables if name.startswith("location")]) == number
    assert file.solve == ("nlp", "maximizing", "GAMS_OBJECTIVE")
    limits = list(program.component_data_objects(pyo.Constraint, active=True))
    assert len(file.equations) == len(limits) + 1
    # read as GAMS would, every equation has the value that the program's row has
    for value in program.component_data_objects(pyo.Var):
        assert value.value is not None
    known = {**FUNCTIONS, **dict.fromkeys(file.variables, 0.0), **file.levels}
    said = sorted(_value(left, known) - _value(right, known) for left, _, right in file.definitions.values())
    assert all(math.isfinite(each) for each in said)
    meant = [pyo.value(row.body) - pyo.value(row.upper) for row in limits if row.upper is not None]
    meant += [pyo.value(row.lower) - pyo.value(row.body) for row in limits if row.upper is None]
    meant.append(0.0 - program.utility.value)
    assert said == pytest.approx(sorted(meant), abs=1e-9)


def _value(text: str, known: dict[str, Any]) -> float:
    return float(eval(text, {"__builtins__": {}}, known))


def test_the_rows_are_those_of_the_paper() -> None:
    assert len(ROWS) == 17


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("=e=", "="),
        ("log(", "ln("),
        ("log(utility)", "log(utilty)"),
        ("SOLVE GAMS_MODEL", "SOLVE OTHER"),
        ("land_balance_1_..", "land_balance_0_.."),
        ("(-2))", "(-2)"),
    ],
)
def test_the_reader_refuses_what_gams_would(before: str, after: str, tmp_path: Path) -> None:
    model = Marketplaces(**{**FOUR_SITES, "marketplaces": 1})
    text = export_program(model, "gms", tmp_path / "row.gms").read_text()
    spoiled = (
        text.replace(before, after, 1)
        if before != "utility"
        else text.replace("log(utility)", "log(utilty)", 1)
    )
    assert spoiled != text
    with pytest.raises(AssertionError):
        read(spoiled)
