"""Rows a second of a sweep: programs shared and warm, every row from nothing, a plain Pyomo loop.

``python -m benchmarks.sweeps [--rows N] [--out FOLDER]``. Each method solves the same neighbouring
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
from collections.abc import Iterator, Mapping
from functools import cache
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
METHODS = ("shared", "anew", "plain")


def measure(case: str, method: str, rows: int) -> float:
    """Return the processor's seconds a row of one method for the scenarios of a case."""
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
    if method == "plain":
        run = plain_loop(block)
        run(block[:2])
        start = time.process_time()
        run(block)
    else:
        warm = method == "shared"
        solve_piece(Piece("first", block[0], tuple(block[:2]), ".", (), warm))  # imports are not counted
        start = time.process_time()
        lines, _ = solve_piece(Piece("case", block[0], tuple(block), ".", (), warm))
        bad = [line for line in lines.splitlines() if line.split(b" ", 3)[2] != b"S"]
        assert not bad, bad[0]
    return (time.process_time() - start) / len(block)


def plain_loop(block: list[Any]) -> Any:
    """Return the loop that a user would write for the model of these rows."""
    from agora.runners.sweeps.plan import Rows

    rows = Rows()

    def models(part: list[Any]) -> Iterator[tuple[Any, Any]]:
        return (rows.model(content, key, Path()) for key, content in part)

    _, first = next(models(block))
    solve = PLAIN_LOOPS.get(type(first).__name__, solve_plainly)

    def run(part: list[Any]) -> None:
        for scenario, model in models(part):
            solve(scenario, model)

    return run


@cache
def highs() -> Any:
    """Return Pyomo's interface to HiGHS, made once as a user would."""
    import pyomo.environ as pyo

    return pyo.SolverFactory("appsi_highs")


def solve_city(scenario: Any, city: Any) -> None:
    """Repeat best responses from one start or many, every program built anew."""
    import numpy as np
    import pyomo.environ as pyo

    from agora.methods.city.starts import starting_points

    starts = 1 if scenario.solve.get("method") == "global" else 20
    for start in starting_points(city, starts, np.random.default_rng(1)):
        firms = start
        for _ in range(100):
            program = city.best_response_program(city.interaction.level(firms))
            highs().solve(program)
            better = np.array([pyo.value(m) for m in program.firms.values()])
            if np.abs(better - firms).max() < 1e-9:
                break
            firms = better


def solve_commuting(scenario: Any, market: Any) -> None:
    """Solve a commuting market once, with multipliers."""
    import pyomo.environ as pyo

    program = market.program()
    program.dual = pyo.Suffix(direction=pyo.Suffix.IMPORT)
    highs().solve(program)


def solve_marketplaces(scenario: Any, economy: Any) -> None:
    """Solve an economy with its marketplaces where they are, or with one in the middle."""
    from agora.solvers import solve_program

    locations = economy.marketplaces if isinstance(economy.marketplaces, tuple) else (0.5,)
    solve_program(economy.fixed_program(locations))


def solve_invisible_hand(scenario: Any, hand: Any) -> None:
    """Solve the program of every step, one after the other."""
    import numpy as np
    import pyomo.environ as pyo

    from agora.solvers import solve_program

    firms = hand.start
    for _ in range(round(hand.horizon / hand.step)):
        program = hand.step_program(firms, hand.step)
        solve_program(program, {"tol": 1e-12})
        firms = np.array([pyo.value(mass) for mass in program.firms.values()])


def solve_plainly(scenario: Any, model: Any) -> None:
    """Solve the model's program once."""
    from agora.solvers import solve_program

    solve_program(model.program())


PLAIN_LOOPS = {
    "FujitaOgawa": solve_city,
    "CommutingMarket": solve_commuting,
    "Marketplaces": solve_marketplaces,
    "InvisibleHand": solve_invisible_hand,
}


def write(seconds: Mapping[tuple[str, str], float], rows: int, folder: Path) -> None:
    """Write the table: seconds a row of each case and method as rates, and their ratios."""
    lines = [
        "# Sweeps", "", f"`python -m benchmarks.sweeps --rows {rows}`", "",
        *machine(["pyomo", "highspy", "casadi"]), "",
        f"{rows} neighbouring rows a case; rows a second of the processor's time, imports not counted, nor, "
        "for shared programs, what is built once a process; mean load of the machine meanwhile "
        f"{os.getloadavg()[1]:.1f}. Agora's two methods end with tables, prices and a certificate, the plain "
        "loop with a solved program, which it builds anew in every row. Where the answer is global the plain "
        "loop does less still: it climbs "
        "from one start without a proof, and of free marketplaces it solves one location.", "",
        "| case | programs shared | every row anew | plain Pyomo loop | shared / anew | shared / plain |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for case in CASES:
        shared, anew, plain = (1 / seconds.get((case, method), float("nan")) for method in METHODS)
        lines.append(
            f"| {case} | {shared:.3g} | {anew:.3g} | {plain:.3g} "
            f"| {shared / anew:.2f} | {shared / plain:.2f} |"
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sweeps.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Measure every case by every method, one after the other in this process, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    chosen = parser.parse_args()
    seconds = {}
    for case in CASES:
        for method in METHODS:
            seconds[case, method] = measure(case, method, chosen.rows)
            print(
                f"{case}, {method}: {1 / seconds[case, method]:.3g} rows a second",
                file=sys.stderr,
                flush=True,
            )
    write(seconds, chosen.rows, chosen.out)


if __name__ == "__main__":
    main()
