"""Folders that an earlier version has written are read, gone on from, and never spoilt."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from commands import agora

from agora import __version__
from agora.data import Caution, read_scenario
from agora.data.tables import now_called
from agora.models.registry import model_named
from agora.runners import certify, solve_scenario, sweep, write_run
from agora.runners.solving import model_from
from agora.runners.sweeps import plan as planning
from agora.runners.sweeps.journal import SOLVED, Journal, Journals, line

OLD = Path(__file__).resolve().parents[1] / "old"
DATASET = OLD / "cities.toml"
FOLDERS = {"finished": 8, "unfinished": 5}
"""Folder of a sweep → rows that Agora 0.1.0 has finished in it."""


def copied(name: str, folder: Path) -> Path:
    return Path(shutil.copytree(OLD / name, folder / name))


def journals_in(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (folder / "_rows").iterdir()}


def table_of(file: Path) -> pd.DataFrame:
    """Return an old table with the names that its columns have today."""
    table = pd.read_parquet(file)
    return table.rename(columns={name: now_called(f"{file.stem}.{name}").split(".")[-1] for name in table})


# --- run folders -----------------------------------------------------------------------------------


def test_the_tables_of_an_old_run_pass_todays_definition_of_equilibrium() -> None:
    manifest = json.loads((OLD / "run" / "manifest.json").read_text(encoding="utf-8"))
    tables = {
        file.stem: table_of(file) for file in (OLD / "run").glob("*.parquet") if file.stem != "certificate"
    }
    model = model_from(read_scenario("two-cell-low"))
    assert type(model) is model_named(manifest["model"])
    described = model.describe()
    assert {name: described[name] for name in manifest["parameters"]} == manifest["parameters"]
    facts = {"kind": "read", "proof": "as in the manifest"}
    certificate = certify(model, tables, manifest["options"]["tolerance"], facts)
    assert certificate.passed
    old = {condition["name"] for condition in manifest["result"]["certificate"]["conditions"]}
    renamed = {"totals: commuting cost": "totals: total commuting cost"}
    assert {renamed.get(name, name) for name in old} <= set(certificate.table()["name"])
    dearer = tables["cells"].assign(rent=tables["cells"]["rent"] + 0.1)
    assert not certify(model, {**tables, "cells": dearer}, 1e-6, facts).passed


def test_a_new_run_gives_the_numbers_of_the_old_one_and_takes_its_place(tmp_path: Path) -> None:
    folder = copied("run", tmp_path)
    write_run(solve_scenario(read_scenario("two-cell-low")), folder)
    for file in (OLD / "run").glob("*.parquet"):
        if file.stem != "certificate":
            before, after = table_of(file), pd.read_parquet(folder / file.name)
            pd.testing.assert_frame_equal(after[before.columns], before, rtol=1e-9, atol=1e-12)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["result"]["status"] == "global maximiser"


# --- sweeps ----------------------------------------------------------------------------------------


def test_an_old_sweep_is_drawn(
    tmp_path: Path,
) -> None:
    folder = copied("finished", tmp_path)
    for words in (
        ["--x", "commuting_cost", "--y", "totals.profit", "--panels", "geography.land"],
        ["--x", "commuting_cost", "--y", "cells.rent", "--color", "location"],
        ["--x", "commuting_cost", "--y", "geography.land", "--z", "objective"],
    ):
        ran = agora("plot", str(folder), *words, folder=tmp_path)
        code, out, said = ran.returncode, ran.stdout, ran.stderr
        assert code == 0, said
        assert all(Path(file).stat().st_size > 1000 for file in out.splitlines())


@pytest.mark.parametrize("name", FOLDERS)
def test_a_sweep_goes_on_in_an_old_folder_and_says_what_was_finished_before(
    tmp_path: Path, name: str
) -> None:
    folder, old = copied(name, tmp_path), FOLDERS[name]
    before = journals_in(folder)
    words = ["sweep", str(DATASET), "--out", str(folder), "--workers", "0", "--json"]
    ran = agora(*words, folder=tmp_path)
    code, out, said = ran.returncode, ran.stdout, ran.stderr
    assert code == 0, said
    assert f"warning: {old} rows were finished in {folder} by Agora 0.1.0 with other code" in said
    assert "is solved anew, and the journals are kept" in said
    summary = json.loads(out)
    assert (summary["outdated"], summary["fresh"], summary["solved"], summary["rows"]) == (old, 8, 8, 8)
    after = journals_in(folder)
    assert before.items() <= after.items()
    assert len(after) == len(before) + 1
    ran = agora(*words, folder=tmp_path)
    code, out, said = ran.returncode, ran.stdout, ran.stderr  # and once more: nothing is left to solve or say
    assert (code, said) == (0, "")
    assert json.loads(out)["fresh"] == 0
    assert journals_in(folder) == after


def test_what_is_solved_anew_is_what_the_old_version_found(tmp_path: Path) -> None:
    before = pd.read_parquet(OLD / "finished").rename(columns=now_called)
    with pytest.warns(Caution, match="8 rows were finished"):
        summary = sweep(DATASET, copied("finished", tmp_path), workers=0)
    for column in ("objective", "totals.profit", "totals.total_commuting_cost", "facts.centres"):
        expected = pytest.approx(before[column].to_numpy(), rel=1e-9)
        assert summary.table[column].to_numpy() == expected, column


def test_it_is_said_before_anything_is_solved(tmp_path: Path) -> None:
    folder = copied("unfinished", tmp_path)
    order = []
    with pytest.warns(Caution) as caught:
        sweep(DATASET, folder, workers=0, progress=lambda _: order.append(len(caught)))
    assert order
    assert set(order) == {1}


def test_a_run_that_was_interrupted_again_still_knows_the_old_rows(tmp_path: Path) -> None:
    """By then the manifest is this version's, and the old journal does not say who wrote it."""
    folder = copied("unfinished", tmp_path)

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.warns(Caution), pytest.raises(KeyboardInterrupt):
        sweep(DATASET, folder, workers=0, progress=interrupt)
    with pytest.warns(Caution, match="5 rows were finished in .* by an earlier version of Agora"):
        summary = sweep(DATASET, folder, workers=0)
    assert summary.complete
    assert 0 < summary.fresh < 8
    assert summary.outdated == 5


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"code": "0"}, f"by Agora {__version__} with other code"),
        ({"ipopt": "another"}, f"by Agora {__version__} with another version of IPOPT"),
        ({"versions": {"highspy": "0"}}, f"by Agora {__version__} with another version of highspy"),
    ],
)
def test_a_journal_says_which_code_wrote_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, object], said: str
) -> None:
    sweep(DATASET, tmp_path / "out", workers=0)
    known = planning._fingerprint()
    other = {**known, **changed}
    if "versions" in changed:
        other["versions"] = {**known["versions"], "highspy": "0"}
    monkeypatch.setattr(planning, "_fingerprint", lambda: other)
    (tmp_path / "out" / "_manifest.json").write_text("{}", encoding="utf-8")  # the journal knows without it
    with pytest.warns(Caution, match=f"8 rows were finished in .* {said}"):
        assert sweep(DATASET, tmp_path / "out", workers=0).outdated == 8


def test_the_first_line_of_a_journal_is_no_row(tmp_path: Path) -> None:
    maker = {"code": "abc", "versions": {"agora": "0.2.0"}}
    with Journal(tmp_path, maker) as journal:
        journal.append(line("a", SOLVED, {"x": 1}))
        journal.append(line("b", SOLVED, {"x": 2}))
    seen = Journals(tmp_path)
    seen.refresh()
    assert list(seen.entries) == ["a", "b"]
    assert seen.makers == {journal.file: maker}
    assert list(seen.records(["b", "a"])) == [{"x": 2}, {"x": 1}]
    assert len(journal.file.read_bytes().splitlines()) == 3
