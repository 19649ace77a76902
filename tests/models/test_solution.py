"""What a solution gives when it is asked by name."""

from __future__ import annotations

import pytest
from makers import complaint

from agora.data import Caution, two_cell
from agora.models import FujitaOgawa, Solution
from agora.runners import solve


@pytest.fixture(scope="module")
def solution() -> Solution:
    return solve(
        FujitaOgawa(geography=two_cell(), commuting_cost=0.05, decay=1.0, firm_mass=0.5, labor_per_firm=1.0)
    )


def test_tables_and_columns_by_name(solution: Solution) -> None:
    assert solution["cells"] is solution.tables["cells"]
    assert solution["cells.rent"].equals(solution.tables["cells"]["rent"])


def test_the_old_name_of_a_column_still_works_and_names_the_new(solution: Solution) -> None:
    with pytest.warns(Caution, match="is called totals.total_commuting_cost now"):
        old = solution["totals.commuting_cost"]
    assert old.equals(solution.tables["totals"]["total_commuting_cost"])
    assert "commuting_cost" not in solution.tables["totals"].columns


def test_an_unknown_name_gets_the_nearest(solution: Solution) -> None:
    assert "did you mean cells.rent?" in complaint(lambda: solution["cells.rents"])
