"""Rows a second of a sweep: programs shared and warm, every row from nothing, a plain Pyomo loop.

``python -m benchmarks.sweeps [--rows N] [--out FOLDER]``. Each road solves the same neighbouring
scenarios in one process on one thread; what is reported is the processor's time, so that other work on
the machine disturbs little. The plain loop is what a user would write: a Pyomo program a row (a step, of a
path), handed to ``SolverFactory`` or, where IPOPT is needed, to ``solve_program``; it makes no tables and no
certificate.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.measuring import ROOT, machine

STARTS = """scenario = "{scenario}"
[parameters]
{parameters}
[solve]
{solve}
[grid]
{grid}
"""

PLAIN = {"parameters": "", "solve": ""}
CASES: dict[str, dict[str, str]] = {
    "two cells, global": {
        "scenario": "two-cell-low",
        "solve": 'method = "global"',
        "grid": "commuting_cost = {{ from = 0.01, to = 0.3, number = {rows} }}",
    },
    "two cells, best responses": {
        "scenario": "two-cell-low",
        "solve": 'method = "best-response"',
        "grid": "commuting_cost = {{ from = 0.01, to = 0.3, number = {rows} }}",
    },
    "eight cells, global": {
        "scenario": "circle-8",
        "solve": 'method = "global"',
        "grid": "commuting_cost = {{ from = 0.01, to = 0.25, number = {rows} }}",
    },
    "eight cells, best responses": {
        "scenario": "circle-8",
        "solve": 'method = "best-response"',
        "grid": "commuting_cost = {{ from = 0.01, to = 0.25, number = {rows} }}",
    },
    "commuting, jobs in a corner": {
        "scenario": "commuting-corner",
        "grid": "commuting_cost = {{ from = 0.01, to = 0.25, number = {rows} }}",
    },
    "marketplaces, free": {
        "scenario": "marketplaces-case-1",
        "grid": "setup_cost = {{ from = 0.02, to = 0.4, number = {rows} }}",
    },
    "marketplaces, given": {
        "scenario": "marketplaces-case-1",
        "grid": "marketplaces = [[0.5]]\nsetup_cost = {{ from = 0.02, to = 0.4, number = {rows} }}",
    },
    "trade, 3 places": {
        "scenario": "krugman-three",
        "grid": "elasticity = {{ from = 4.0, to = 7.0, number = {rows} }}",
    },
    "trade, ring of 64": {
        "scenario": "racetrack-64",
        "grid": "elasticity = {{ from = 4.0, to = 7.0, number = {rows} }}",
    },
    "price formation, bounded": {
        "scenario": "price-bounded",
        "grid": "control_cost = {{ from = 0.8, to = 1.5, number = {rows} }}",
    },
    "short run, 20 sectors": {
        "scenario": "short-run",
        "grid": "firm_share = {{ from = 0.25, to = 0.5, number = {rows} }}",
    },
    "game, 12 cells × 12 periods": {
        "scenario": "spatial-game-k1",
        "parameters": "cells = 12\nsteps = 12",
        "grid": "moving_cost = {{ from = 150.0, to = 200.0, number = {rows} }}",
    },
    "invisible hand, 60 sectors, 10 steps": {
        "scenario": "invisible-hand-immobile-labor",
        "parameters": "horizon = 0.1",
        "grid": "moving_cost = {{ from = 0.8, to = 1.5, number = {rows} }}",
    },
}
ROADS = ("shared", "anew", "plain")


def measure(case: str, road: str, rows: int) -> float:
    """Return the processor's seconds a row of one road through the scenarios of a case."""
    import tempfile

    from agora.data.datasets import read_dataset
    from agora.runners.sweeps.plan import plan
    from agora.runners.sweeps.work import Piece, solve_piece

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "case.toml"
        given = {**PLAIN, **CASES[case], "grid": CASES[case]["grid"].format(rows=rows)}
        file.write_text(STARTS.format(**given), encoding="utf-8")
        planned = plan(read_dataset(file))
    block = [(ready.key, ready.row.content) for part in planned.blocks() for ready in part.rows]
    if road == "plain":
        run = plain_loop(block)
        run(block[:2])
        start = time.process_time()
        run(block)
    else:
        warm = road == "shared"
        solve_piece(Piece("first", block[0], tuple(block[:2]), ".", (), warm))  # imports are not counted
        start = time.process_time()
        lines, _ = solve_piece(Piece("case", block[0], tuple(block), ".", (), warm))
        bad = [line for line in lines.splitlines() if line.split(b" ", 3)[2] != b"S"]
        assert not bad, bad[0]
    return (time.process_time() - start) / len(block)


def plain_loop(block: list[Any]) -> Any:
    """Return the loop that a user would write for the model of these rows."""
    import numpy as np
    import pyomo.environ as pyo

    from agora.methods.city.starts import starting_points
    from agora.runners.sweeps.rows import Rows
    from agora.solvers import solve_program

    rows = Rows()
    highs = pyo.SolverFactory("appsi_highs")

    def models(part: list[Any]) -> list[Any]:
        return [rows.model(content, key, Path()) for key, content in part]

    def cities(part: list[Any]) -> None:
        for scenario, city in models(part):
            starts = 1 if scenario.solve.get("method") == "global" else 20
            for start in starting_points(city, starts, np.random.default_rng(1)):
                firms = start
                for _ in range(100):
                    program = city.best_response_program(city.interaction.level(firms))
                    highs.solve(program)
                    better = np.array([pyo.value(m) for m in program.firms.values()])
                    if np.abs(better - firms).max() < 1e-9:
                        break
                    firms = better

    def commuting(part: list[Any]) -> None:
        for _, market in models(part):
            program = market.program()
            program.dual = pyo.Suffix(direction=pyo.Suffix.IMPORT)
            highs.solve(program)

    def marketplaces(part: list[Any]) -> None:
        for _, economy in models(part):
            places = economy.marketplaces if isinstance(economy.marketplaces, tuple) else (0.5,)
            solve_program(economy.fixed_program(places))

    def programs(part: list[Any]) -> None:
        for _, model in models(part):
            solve_program(model.program())

    def paths(part: list[Any]) -> None:
        for _, hand in models(part):
            firms = hand.start
            for _ in range(round(hand.horizon / hand.step)):
                program = hand.step_program(firms, hand.step)
                solve_program(program, {"tol": 1e-12})
                firms = np.array([pyo.value(mass) for mass in program.firms.values()])

    return {
        "FujitaOgawa": cities,
        "CommutingMarket": commuting,
        "Marketplaces": marketplaces,
        "InvisibleHand": paths,
    }.get(type(models(block[:1])[0][1]).__name__, programs)


def write(seconds: Mapping[tuple[str, str], float], rows: int, folder: Path) -> None:
    """Write the table: seconds a row of each case and road as rates, and their ratios."""
    lines = [
        "# Sweeps", "", f"`python -m benchmarks.sweeps --rows {rows}`", "",
        *machine(["pyomo", "highspy", "casadi"]), "",
        f"{rows} neighbouring rows a case; rows a second of the processor's time, imports not counted, nor, "
        "for shared programs, what is built once a process; mean load of the machine meanwhile "
        f"{os.getloadavg()[1]:.1f}. The roads of Agora end with tables, prices and a certificate, the plain "
        "loop with a solved program, which it builds anew in every row. Where the answer is global the plain "
        "loop does less still: it climbs "
        "from one start without a proof, and of free marketplaces it solves one place.", "",
        "| case | programs shared | every row anew | plain Pyomo loop | shared / anew | shared / plain |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for case in CASES:
        shared, anew, plain = (1 / seconds.get((case, road), float("nan")) for road in ROADS)
        lines.append(
            f"| {case} | {shared:.3g} | {anew:.3g} | {plain:.3g} "
            f"| {shared / anew:.2f} | {shared / plain:.2f} |"
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sweeps.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Measure every case on every road, one after the other in this process, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    chosen = parser.parse_args()
    seconds = {}
    for case in CASES:
        for road in ROADS:
            seconds[case, road] = measure(case, road, chosen.rows)
            print(f"{case}, {road}: {1 / seconds[case, road]:.3g} rows a second", file=sys.stderr, flush=True)
    write(seconds, chosen.rows, chosen.out)


if __name__ == "__main__":
    main()
