"""The command line as a user meets it: outputs, exit codes, and what is left on disk."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from commands import agora

from agora.data import shipped_scenarios

SMALL = """
model = "fujita-ogawa"
[geography]
kind = "circle"
cells = 8
[parameters]
commuting_cost = 0.05
decay = 8.0
firm_mass = 0.5
labor_per_firm = 1.0
[solve]
method = "best-response"
starts = 4
seed = 1
"""


UNCERTIFIED = SMALL.replace('"best-response"', '"ipopt"').replace("seed = 1", "seed = 1\ntolerance = 1e-15")


def write(folder: Path, text: str) -> Path:
    file = folder / "scenario.toml"
    file.write_text(text)
    return file


@pytest.fixture(scope="module")
def run_before(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Return a folder with the scenario and what it gave, in ``out``, and what the command said."""
    folder = tmp_path_factory.mktemp("solved")
    return folder, agora("solve", write(folder, SMALL), "--out", "out", folder=folder)


def test_solve_prints_and_writes_everything(
    run_before: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, run = run_before
    assert run.returncode == 0, run.stderr
    assert "certificate: passed" in run.stdout
    assert "build" in run.stdout
    written = {path.name for path in (folder / "out").iterdir()}
    for table in ("cells", "commuting", "totals", "equilibria", "certificate"):
        assert {f"{table}.parquet", f"{table}.csv"} <= written
    assert {"manifest.json", "city.svg", "city.png"} <= written
    cells = pd.read_parquet(folder / "out" / "cells.parquet")
    assert cells["firms"].sum() == pytest.approx(0.5)
    assert pd.read_csv(folder / "out" / "cells.csv")["rent"].tolist() == cells["rent"].tolist()
    manifest = json.loads((folder / "out" / "manifest.json").read_text())
    assert manifest["parameters"]["decay"] == 8.0
    assert manifest["solvers"][0]["solver"] == "HiGHS"
    assert len(manifest["hash"]) == 64
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_json_is_one_object_with_what_the_interface_names(tmp_path: Path) -> None:
    run = agora("solve", write(tmp_path, SMALL), "--json", folder=tmp_path)
    assert run.returncode == 0, run.stderr
    answer = json.loads(run.stdout)
    assert answer["model"] == "fujita-ogawa"
    assert answer["global"] is False
    assert set(answer["seconds"]) == {"build", "solve", "check"}
    assert {"name", "worst", "where", "tolerance"} <= set(answer["certificate"]["conditions"][0])
    assert {"cell", "land", "firms", "residents", "employment", "wage", "rent", "profit", "use"} <= set(
        answer["tables"]["cells"][0]
    )
    assert {"origin", "destination", "flow"} <= set(answer["tables"]["commuting"][0])
    assert (tmp_path / "runs" / "scenario" / "manifest.json").is_file()


def test_the_same_scenario_gives_the_same_tables(
    run_before: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    file, first = write(tmp_path, SMALL), run_before[0] / "out"
    shutil.copytree(first, tmp_path / "second")  # an earlier run, which is replaced
    (tmp_path / "second" / "cells.csv").write_text("of an earlier run")
    assert agora("solve", file, "--out", "second", folder=tmp_path).returncode == 0
    for name in ("cells.csv", "commuting.csv", "equilibria.csv", "city.svg"):
        assert (first / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


MARKETS = """
model = "marketplaces"
[parameters]
sites = [0.0, 1.0]
makes = [1, 2]
commodity_shares = [0.25, 0.25]
leisure_share = 0.25
land_share = 0.25
setup_cost = 0.1
setup_shares = [0.5, 0.5]
marketplaces = [0.5]
"""

BAD = {
    "marketplace outside D": (MARKETS.replace("[0.5]\n", "[1.5]\n"), "within the region D = [0, 1]"),
    "unaffordable set-up": (MARKETS.replace("0.1\n", "9.0\n"), "setup_cost is 9.0, but must be below"),
    "unknown field": (SMALL.replace("decay", "decy"), "decy is 8.0, but must be left out, or a known field"),
    "unknown section": (SMALL + "[solver]\n", "solver is {}, but must be left out, or a known section"),
    "NaN": (SMALL.replace("0.05", "nan"), "commuting_cost is nan, but must be a finite number > 0"),
    "zero land": (SMALL.replace("cells = 8", "cells = 8\nland = 0.0"), "land"),
    "negative land": (
        SMALL.replace("cells = 8", "cells = 3\nland = [0.3, -0.1, 0.8]"),
        "-0.1",
    ),
    "too many firms": (SMALL.replace("0.5", "0.7"), "firm_mass is 0.7, but must be at most 0.5"),
    "asymmetric kernel": (
        SMALL.replace(
            "decay = 8.0", "externality = { kind = 'matrix', values = [[1, 0.2], [0.1, 1]] }"
        ).replace('kind = "circle"\ncells = 8', 'kind = "two-cell"'),
        "no potential exists",
    ),
    "unknown option": (
        SMALL.replace("starts", "stars"),
        "stars is 4, but must be left out, or a known field",
    ),
    "unknown method": (SMALL.replace("best-response", "worst-response"), "method is 'worst-response'"),
    "unknown model": (SMALL.replace("fujita-ogawa", "fujita"), "model is 'fujita', but must be one of"),
    "unknown geography": (SMALL.replace('"circle"', '"donut"'), "geography.kind is 'donut'"),
    "no TOML": ("model = ", "but must be a TOML file"),
    "missing geography": ('model = "fujita-ogawa"\n[parameters]\n', "geography is missing"),
    "missing file": (
        SMALL.replace('kind = "circle"\ncells = 8', 'kind = "file"\nfile = "nowhere.tntp"'),
        "nowhere.tntp",
    ),
    "unreadable TNTP": (
        SMALL.replace('kind = "circle"\ncells = 8', 'kind = "file"\nfile = "broken_net.tntp"'),
        "broken_net.tntp",
    ),
    "disconnected": (
        SMALL.replace('kind = "circle"\ncells = 8', 'kind = "file"\nfile = "islands.csv"'),
        "largest_component",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_sentence_and_leaves_nothing(case: str, tmp_path: Path) -> None:
    text, sentence = BAD[case]
    (tmp_path / "broken_net.tntp").write_text("<NUMBER OF NODES> 2\n<END OF METADATA>\n1 2 three ;\n")
    (tmp_path / "islands.csv").write_text("origin,destination,length\na,b,1\nc,d,1\n")
    file = write(tmp_path, text)
    before = sorted(path.name for path in tmp_path.iterdir())
    run = agora("solve", file, folder=tmp_path)
    assert run.returncode == 2, run.stdout + run.stderr
    assert sentence in run.stderr
    assert run.stderr.strip().count("\n") == 0
    assert "Traceback" not in run.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_missing_scenario_names_the_nearest(tmp_path: Path) -> None:
    run = agora("solve", "circle-9", folder=tmp_path)
    assert run.returncode == 2
    assert "did you mean circle-" in run.stderr


def test_other_files_are_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    run = agora("solve", write(tmp_path, SMALL), "--out", "mine", folder=tmp_path)
    assert run.returncode == 2
    assert "a new or empty folder" in run.stderr
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_an_answer_that_is_not_certified_exits_with_3(tmp_path: Path) -> None:
    run = agora("solve", write(tmp_path, UNCERTIFIED), folder=tmp_path)
    assert run.returncode == 3
    assert "FAILED" in run.stdout
    assert "is violated by" in run.stderr
    assert not (tmp_path / "runs").exists()


INTERRUPTED = """
import signal, sys
from agora import solvers
from agora.cli import main

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
solve, solves = solvers.LinearProgram.solve, 0

def waits_at_the_twentieth(self, **named):
    global solves
    solves += 1
    if solves == 20:
        print("in the middle", file=sys.stderr, flush=True)
        while True:
            signal.pause()
    return solve(self, **named)

solvers.LinearProgram.solve = waits_at_the_twentieth
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_leaves_no_half_written_folder(tmp_path: Path) -> None:
    file = write(tmp_path, SMALL.replace("starts = 4", "starts = 50"))
    command = [sys.executable, "-c", INTERRUPTED, "solve", str(file), "--out", "out"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline() == "in the middle\n"
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate()
        finally:
            process.kill()
    assert process.returncode == 130
    assert stdout == ""
    assert stderr == "agora: interrupted; nothing was written.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["scenario.toml"]


@pytest.mark.heavy
def test_a_process_of_its_own_says_the_same(tmp_path: Path) -> None:
    write(tmp_path, UNCERTIFIED)
    words = ["solve", "scenario.toml"]
    command = [sys.executable, "-m", "agora.cli", *words]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    here = agora(*words, folder=tmp_path)
    assert (ran.returncode, ran.stdout, ran.stderr) == (3, here.stdout, here.stderr)
    assert (here.returncode, here.stdout.count("FAILED"), here.stderr.count("\n")) == (3, 1, 1)


@pytest.mark.parametrize("fmt", ["gms", "nl", "lp"])
def test_export(fmt: str, tmp_path: Path) -> None:
    run = agora("export", write(tmp_path, SMALL), "--format", fmt, folder=tmp_path)
    assert run.returncode == 0, run.stderr
    text = (tmp_path / f"scenario.{fmt}").read_text()
    assert {"gms": "SOLVE", "nl": "g3", "lp": "labor_balance(0)"}[fmt] in text


def test_export_of_a_linear_program_as_mps(tmp_path: Path) -> None:
    run = agora("export", "commuting-corner", "--format", "mps", "--out", "c.mps", folder=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "ROWS" in (tmp_path / "c.mps").read_text()


def test_export_to_an_unknown_format(tmp_path: Path) -> None:
    run = agora("export", "circle-8", "--format", "mod", folder=tmp_path)
    assert run.returncode == 2
    assert "--format is 'mod'" in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_doctor_and_scenarios(tmp_path: Path) -> None:
    run = agora("doctor", "--json", folder=tmp_path)
    assert run.returncode == 0
    assert all(program["passed"] for program in json.loads(run.stdout)["programs"])
    listed = agora("scenarios", folder=tmp_path)
    assert listed.returncode == 0
    for name in shipped_scenarios():
        assert name in listed.stdout
