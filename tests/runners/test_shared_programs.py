"""Programs shared between the rows of a sweep: the answers do not tell which row came before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from agora.data.datasets import read_dataset
from agora.runners.sweeps import sweep
from agora.runners.sweeps.plan import plan
from agora.runners.sweeps.work import Piece, solve_piece
from agora.solvers import NonlinearProgram

SHARED = {
    "short run": 'scenario = "short-run"\n[grid]\nfirm_share = { from = 0.3, to = 0.4, number = 4 }',
    "marketplaces": (
        'scenario = "marketplaces-case-1"\n'
        "[grid]\nmarketplaces = [[0.4], [0.5]]\nsetup_cost = { from = 0.1, to = 0.3, number = 2 }"
    ),
    "trade": 'scenario = "krugman-three"\n[grid]\nelasticity = { from = 4.0, to = 6.0, number = 4 }',
    "prices": (
        'scenario = "price-bounded"\n[parameters]\nsteps = 6\n'
        "[grid]\ncontrol_cost = { from = 1.0, to = 2.0, number = 4 }"
    ),
    "wells": (
        'scenario = "price-case-3"\n[parameters]\nsteps = 6\n'
        'agents = { kind = "linspace", from = 0.0, to = 1.0, number = 4 }\n'
        '[solve]\nmethod = "program"\n'
        "[grid]\ncontrol_cost = { from = 1.0, to = 2.0, number = 4 }"
    ),
    "game": (
        'scenario = "spatial-game-stationary"\n[parameters]\ncells = 8\n[solve]\nstart = "initial"\n'
        "[grid]\nmoving_cost = { from = 100.0, to = 200.0, number = 4 }"
    ),
    "path": (
        'scenario = "spatial-game-k1"\n[parameters]\ncells = 6\nsteps = 4\n'
        "[grid]\nmoving_cost = { from = 150.0, to = 200.0, number = 4 }"
    ),
    "firms": (
        'scenario = "invisible-hand"\n[parameters]\nhorizon = 0.02\n[geography]\ncells = 8\n'
        "[grid]\nmoving_cost = { from = 1.0, to = 2.0, number = 4 }"
    ),
}


@pytest.mark.parametrize("name", SHARED)
def test_rows_share_their_program_and_the_tables_do_not_tell(tmp_path: Path, name: str) -> None:
    """Rows with a shared program, in any order, are bit for bit the same, and those solved from nothing."""
    file = tmp_path / "shared.toml"
    file.write_text(SHARED[name], encoding="utf-8")
    rows = [(r.key, r.row.content) for b in plan(read_dataset(file)).blocks() for r in b.rows]
    assert len(rows) == 4

    def answers(order: list[int], block: str, warm: bool = True) -> dict[str, Any]:
        text = b""
        for number in order:
            text += solve_piece(Piece(block, rows[0], (rows[number],), ".", (), warm))[0]
        split = [each.split(b" ", 3) for each in text.splitlines()]
        return {key.decode(): json.loads(record) for _, key, _, record in split}

    found, again = answers([0, 1, 2, 3], "one"), answers([2, 0, 3, 1], "two")
    cold = answers([0, 1, 2, 3], "three", warm=False)
    kept = [record.pop("work") for record in found.values()]
    assert [work["kept"] > 0 for work in kept[1:]] == [True] * 3
    warm = name in ("short run", "prices")
    assert [work["start"] for work in kept[1:]] == ["warm" if warm else "cold"] * 3
    for record in (*again.values(), *cold.values()):
        record.pop("work")
    assert found == again
    for key, record in found.items():
        assert record["certified"] or name == "wells"
        for table, columns in record["tables"].items():
            for column, values in columns.items():
                numbers = all(isinstance(value, float) for value in values)
                other = cold[key]["tables"][table][column]
                assert values == (pytest.approx(other, rel=1e-6, abs=1e-7, nan_ok=True) if numbers else other)


def test_a_row_whose_warm_start_fails_is_solved_from_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "shared.toml"
    file.write_text(SHARED["short run"], encoding="utf-8")
    sweep(file, tmp_path / "cold", workers=0, warm=False)
    real = NonlinearProgram.rewind

    def astray(self: NonlinearProgram, place: Any) -> None:
        real(self, {name: float("nan") * values for name, values in place.items()})

    monkeypatch.setattr(NonlinearProgram, "rewind", astray)
    summary = sweep(file, tmp_path / "astray", workers=0)
    assert summary.complete
    work = pd.read_parquet(tmp_path / "astray" / "_work.parquet")
    assert list(work["start"]) == ["cold", *["cold, after a warm start failed"] * 3]
    for name in ("scenarios.parquet", "_locations.parquet"):
        assert (tmp_path / "astray" / name).read_bytes() == (tmp_path / "cold" / name).read_bytes()
