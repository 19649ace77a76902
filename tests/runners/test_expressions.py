"""The expression language: what it says, where it faults, and that nothing else can be said in it."""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from makers import complaint

from agora.data import Caution, InputError
from agora.runners.studies import expressions
from agora.runners.studies.expressions import DEEPEST, LONGEST, Scope, read_expression

CELLS = pd.DataFrame(
    {
        "cell": [0, 1, 2, 3],
        "firms": [0.5, 0.0, 1e-17, 0.25],
        "use": ["business", "vacant", "vacant", "business"],
    }
)
TOTALS = pd.DataFrame({"profit": [-0.25], "marketplaces": [2], "open": [True]})
SCOPE = Scope(
    {
        "cells": CELLS,
        "totals": TOTALS,
        "others": pd.DataFrame({"firms": [1.0, 2.0]}),
        "area_m²": pd.DataFrame({"class": [4, 5]}),
    },
    {"objective": 3.0, "status": "local maximiser", "is": 2},
    {"cells": ([0, 1, 2, 3], [1, 2, 3, 0])},
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7.0),
        ("-2 ^ 2", -4.0),
        ("2 ** 3 ^ 2", 512.0),
        ("(1 + 2) * 3 / 4", 2.25),
        ("1e-3 * 1000 == 1", True),
        ("count(cells.firms > 0)", 2.0),
        ("count(cells.firms)", 4.0),
        ('count(cells.use == "vacant")', 2.0),
        ("blocks(cells.use == 'business')", 1.0),
        ("blocks(not cells.use == 'business')", 1.0),
        ("blocks(others.firms > 0)", 1.0),
        ("distinct(cells.use)", 2.0),
        ("distinct(cells.firms)", 3.0),
        ("sum(cells.firms) + max(cells.firms) - min(cells.firms)", 1.25),
        ("mean(others.firms)", 1.5),
        ("sign(totals.profit)", -1.0),
        ("sign(cells.firms[2])", 0.0),
        ("profit < 0 and not (marketplaces != 2 or false)", True),
        ("any(cells.firms >= 0.5) and all(cells.firms < 1)", True),
        ("abs(profit) * 4 == sqrt(1)", True),
        ("round(log(exp(1.2)))", 1.0),
        ('status == "local maximiser"', True),
        ("cells.use[3] != 'vacant'", True),
        ("objective", 3.0),
        ("open", True),
        ("1 / 0 > 5", True),
        ("9 ^ 9 ^ 9 > 1", True),
        ("2 * 3 ^ 2 / -3 - 1 - 1", -8.0),
        ("not open or open and 1 / 0 - 1 / 0 >= 0", False),
        ("'\\d' == \"\\d\"", True),
        (" area_m² . class [\n 1 ] ", 5.0),
        ("is > 1", True),
        ("1" + "+1" * 499, 500.0),
        ("(" * DEEPEST + "1" + ")" * DEEPEST, 1.0),
    ],
)
def test_what_expressions_say(text: str, value: float | bool) -> None:
    found = read_expression(text).evaluate(SCOPE)
    assert found == value
    assert isinstance(found, type(value))


def test_without_links_rows_lie_on_a_line() -> None:
    line = Scope({"cells": CELLS})
    assert read_expression("blocks(cells.use == 'business')").evaluate(line) == 2.0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "must be text"),
        ("1 +", "at character 4, is 'its end'"),
        ("1 + $", "at character 5, is '$', but must be free of this character"),
        ("count(cells.firms > 0", "at character 22, is 'its end', but must be ')'"),
        ("counts(cells.firms)", "did you mean count?"),
        ("cells.frims > 0", "did you mean firms?"),
        ("cell.firms > 0", "did you mean cells?"),
        ("profits > 0", "totals.profit"),
        ("firms > 0", "one of cells.firms, others.firms"),
        ("cells.firms > 0", "put count, sum"),
        ("cells.firms[9]", "a row of cells from 0 to 3"),
        ("cells.firms[-1]", "the number of a row"),
        ("cells.use > 1", "== or !="),
        ("cells.use + 1 == 2", "a number where it is calculated with"),
        ("count(cells.firms + others.firms > 0)", "of one length"),
        ("not 3", "a comparison where true or false is needed"),
        ("1 2", "an operator, or the end"),
        ("1 < 2 < 3", "at character 9, is '3', but must be joined by 'and'"),
        ("1 + not open", "at character 5, is 'not open', but must be a number"),
        ("open == not open", "at character 9"),
        ("(1) (2)", "an operator, or the end"),
        ("1)", "an operator, or the end"),
        ("count()", "must be a number, a column"),
        ("sum(*cells)", "must be a number, a column"),
        ("cells.firms(1)", "a function"),
        ("cells.", "a dot between two names"),
        ("cells.__class__", "a column of it"),
        ("().__class__", "must be a number, a column"),
        ("__import__('os')", "a function"),
        ("cells.firms.real", "at character 12, is '.real', but must be a dot between two names"),
        ("[x for x in cells]", "at character 1, is '[x for x in cells]', but must be free of this character"),
        ("1_000 > 0x10", "an operator, or the end"),
        ("1j", "an operator, or the end"),
        ("f'{cells}'", "an operator, or the end"),
        ("'a' 'b'", "an operator, or the end"),
        ("1 # one", "free of this character"),
        ("lambda: 1", "free of this character"),
        ("'a' * 999999999", "a number where it is calculated with"),
        ("and", "must be a number, a column"),
        ("1" * (LONGEST + 1), "characters long"),
        ("(" * (DEEPEST + 1) + "1", f"at most {DEEPEST}"),
        ("-" * (DEEPEST + 9) + "1", f"at most {DEEPEST}"),
        ("not " * (DEEPEST + 9) + "open", f"at most {DEEPEST}"),
        ("2^" * (DEEPEST + 9) + "2", f"at most {DEEPEST}"),
    ],
)
def test_faults_are_one_sentence(text: str, sentence: str) -> None:
    said = complaint(lambda: read_expression(text).evaluate(SCOPE))
    assert sentence in said
    assert "\n" not in said


_PIECES = st.sampled_from(
    [
        *"()[].+-*/^<>=!,'\"_@{};:\\ \n\t\x00é٣²",
        *("==", "**", "and", "or", "not", "count", "sum", "blocks", "cells", "firms", "use", "totals"),
        *("__import__", "os", "lambda", "9" * 40, "1e999", "exec", "profit", "'business'", "7"),
    ]
)


@given(st.one_of(st.text(max_size=60), st.lists(_PIECES, max_size=40).map("".join)))
def test_whatever_is_written_is_a_plain_value_or_one_sentence(text: str) -> None:
    calls = Counter[str]()
    before = sys.getprofile()
    sys.setprofile(lambda frame, event, _: calls.update([frame.f_code.co_filename] * (event == "call")))
    try:
        value = read_expression(text).evaluate(SCOPE)
    except InputError:
        value = 0.0
    finally:
        sys.setprofile(before)
    assert type(value) in (float, bool, str)
    assert calls[expressions.__file__] <= 30 * (len(text) + 1)  # in proportion to its length


_ATOMS = st.sampled_from(["cells.firms", "others.firms[1]", "profit", "2.0", "0.5", "1e300", "objective"])


def _wrapped(parts: tuple[str, str]) -> str:
    return f"{parts[0]}({parts[1]})"


_EXPRESSIONS = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(st.sampled_from(["abs", "sqrt", "exp", "-"]), inner).map(_wrapped),
    ),
    max_leaves=12,
)


@given(_EXPRESSIONS)
def test_arithmetic_is_that_of_floats(text: str) -> None:
    found = read_expression(f"sum({text})").evaluate(SCOPE)
    numbers = {"profit": -0.25, "objective": 3.0, "others.firms[1]": 2.0, "1e300": 1e300}
    plain = text.replace("cells.firms", "firms")
    for name, number in {**numbers, "0.5": 0.5}.items():
        plain = plain.replace(name, f"np.float64({number!r})")
    plain = plain.replace(" 2.0", " np.float64(2.0)").replace("(2.0 ", "(np.float64(2.0) ")
    names = {"np": np, "abs": np.abs, "sqrt": np.sqrt, "exp": np.exp, "firms": CELLS["firms"].to_numpy()}
    with np.errstate(all="ignore"):
        try:
            expected = float(np.sum(eval(plain, names)))
        except ZeroDivisionError:
            return
    assert found == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("text", ["totals.commuting_cost > 1", "commuting_cost > 1"])
def test_the_old_name_of_a_column_is_understood_with_a_caution(text: str) -> None:
    scope = Scope({"totals": pd.DataFrame({"total_commuting_cost": [2.0]})})
    with pytest.warns(Caution, match="commuting_cost is called total_commuting_cost now"):
        assert read_expression(text).evaluate(scope) is True


def test_a_parameter_of_the_old_name_is_no_column() -> None:
    scope = Scope({"totals": pd.DataFrame({"total_commuting_cost": [2.0]})}, {"commuting_cost": 0.5})
    assert read_expression("commuting_cost < 1").evaluate(scope) is True
