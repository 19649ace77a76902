"""A user's own tables before they are certified: what is wrong is one sentence, rows may be in any order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from agora.data.checks import InputError
from agora.data.geographies import segment
from agora.data.scenarios import read_scenario
from agora.models.sectors.short_run import ShortRunCompetition
from agora.models.solution import Solution
from agora.models.table_spec import kinds_of, place_columns
from agora.runners import certify
from agora.runners.solving import solve, solve_scenario


@pytest.fixture(scope="module")
def city() -> Solution:
    return solve_scenario(read_scenario("two-cell-low"))


@pytest.fixture(scope="module")
def sectors() -> Solution:
    return solve(ShortRunCompetition(geography=segment(3), firm_share=0.4, substitution=2.0))


def changed(table: pd.DataFrame, row: int, column: str, entry: Any) -> pd.DataFrame:
    spoiled = table.astype({column: object})
    spoiled.loc[row, column] = entry
    return spoiled


CELLS: dict[str, tuple[Any, str]] = {
    "NaN": (
        lambda t: changed(t, 1, "rent", np.nan),
        "cells.rent in row 2 (1) is nan, but must be a finite number.",
    ),
    "text": (
        lambda t: changed(t, 0, "wage", "high"),
        "cells.wage in row 1 (0) is 'high', but must be a finite number.",
    ),
    "no column": (
        lambda t: t.drop(columns="rent"),
        "cells.rent is missing, but must be a column of finite numbers, in numéraire per unit of land.",
    ),
    "unknown": (
        lambda t: changed(t, 1, "cell", 7),
        "cells.cell in row 2 is 7, but must be one of 0, 1.",
    ),
    "twice": (
        lambda t: changed(t, 1, "cell", 0),
        "cells.cell in row 2 is 0, but must be left out: row 1 has it too.",
    ),
    "too few": (lambda t: t.iloc[:1], "cells (the row of 1) is missing, but must be there, as every row is."),
    "empty": (lambda t: t.iloc[:0], "cells (rows) is 0, but must be at least 1."),
    "no name": (lambda t: changed(t, 1, "use", None), "cells.use in row 2 (1) is None, but must be a name."),
}


@pytest.mark.parametrize("name", CELLS)
def test_what_is_wrong_with_a_table_is_one_sentence(city: Solution, name: str) -> None:
    spoil, sentence = CELLS[name]
    with pytest.raises(InputError) as error:
        certify(city.model, {**city.tables, "cells": spoil(city.tables["cells"])}, 1e-6)
    assert str(error.value) == sentence


def test_a_table_that_is_missing_or_no_table_or_has_two_rows_of_sums(city: Solution) -> None:
    without = {name: table for name, table in city.tables.items() if name != "commuting"}
    sentence = "commuting.. is missing, but must be a table with the columns origin, destination, flow, cost"
    with pytest.raises(InputError, match=sentence):
        certify(city.model, without, 1e-6)
    with pytest.raises(InputError, match="must be a pandas DataFrame"):
        certify(city.model, {**city.tables, "totals": {"firms": 1.0}}, 1e-6)  # type: ignore[dict-item]
    twice = pd.concat([city.tables["totals"]] * 2)
    with pytest.raises(InputError, match=r"totals \(rows\) is 2, but must be 1"):
        certify(city.model, {**city.tables, "totals": twice}, 1e-6)


def test_rows_may_be_in_any_order_and_names_as_a_file_writes_them(city: Solution) -> None:
    cells = city.tables["cells"].iloc[::-1]
    as_text = cells.assign(cell=cells["cell"].astype(str))
    as_floats = cells.assign(cell=cells["cell"].astype(float), extra="a note of one's own")
    for table in (cells, as_text, as_floats):
        assert certify(city.model, {**city.tables, "cells": table}, 1e-6).passed
    numbers = city.tables["cells"].astype({"rent": str})
    assert certify(city.model, {**city.tables, "cells": numbers}, 1e-6).passed
    assert cells["cell"].tolist() == [1, 0]  # the caller's table is as it was


def test_swapped_places_are_not_certified(city: Solution) -> None:
    cells = city.tables["cells"].assign(cell=[1, 0])
    assert not certify(city.model, {**city.tables, "cells": cells}, 1e-6).passed


def test_sectors_in_another_order_are_certified_and_half_a_date_is_named(sectors: Solution) -> None:
    table = sectors.tables["sectors"]
    assert certify(sectors.model, {**sectors.tables, "sectors": table.iloc[[2, 0, 1]]}, 1e-6).passed
    with pytest.raises(InputError, match=r"sectors \(the row of 2\) is missing"):
        certify(sectors.model, {**sectors.tables, "sectors": table.iloc[:2]}, 1e-6)


def test_what_an_undeclared_table_holds_is_told_by_its_entries() -> None:
    table = pd.DataFrame(
        {"place": ["a", "b"], "year": [1, 2], "open": [True, False], "number": [3, 4], "price": [1.0, 2.5]}
    )
    kinds = {"place": "name", "year": "whole", "open": "truth", "number": "whole", "price": "number"}
    assert kinds_of(None, table) == kinds
    assert kinds_of(None, {name: table[name].tolist() for name in table}) == kinds
    assert place_columns(None, table) == ["place", "year"]
