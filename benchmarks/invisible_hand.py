"""Minimising movements against the equation of motion: ``python -m benchmarks.invisible_hand``.

Both follow the same firms over the same time on a path of sectors; the program takes 100 steps, scipy as
many as its tolerance asks for. Writes ``invisible-hand.md`` into the folder ``--out`` and prints it. Times
are of one run on the machine it names; only their ratios mean anything elsewhere.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from agora.data import segment
from agora.methods.sectors.minimizing_movement import minimizing_movement
from agora.methods.sectors.reallocation_equation import orbit
from agora.models.sectors.invisible_hand import InvisibleHand
from benchmarks.measuring import machine

PACKAGES = ("agora", "pyomo", "casadi", "numpy", "scipy")


def economy(cells: int) -> InvisibleHand:
    return InvisibleHand(
        geography=segment(cells), firm_share=0.35, substitution=2.0,
        productivity={"kind": "sine", "amplitude": 0.5},
        initial={"kind": "bump", "at": 0.15, "width": 0.06, "floor": 0.02}, horizon=1.0, step=0.01,
    )  # fmt: skip


def measure(cells: int) -> dict[str, float]:
    model = economy(cells)
    begin = time.perf_counter()
    steps, record = minimizing_movement(model)
    program = time.perf_counter() - begin
    times = steps.times
    seconds = {}
    for name, accuracy in (("loose", {"rtol": 1e-3, "atol": 1e-9}), ("tight", {"rtol": 1e-9, "atol": 1e-12})):
        begin = time.perf_counter()
        states, _, _ = orbit(model, times, **accuracy)
        seconds[name] = time.perf_counter() - begin
    apart = 0.5 * float(np.abs(states[-1] - steps.firms[-1]).sum())
    return {
        "cells": cells,
        "program": program,
        "iterations": float(record.iterations or 0),
        **seconds,
        "apart": apart,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    chosen = parser.parse_args()
    lines = ["# Invisible hand: 100 steps as programs, and the equation of motion", ""]
    lines += [f"* {line}" for line in machine(PACKAGES)]
    lines += ["* regenerate: `python -m benchmarks.invisible_hand`", ""]
    heads = ("sectors", "100 programs (s)", "IPOPT iterations", "ODE, rtol 1e-3", "ODE, rtol 1e-9", "apart")
    lines += [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for cells in chosen.cells:
        result = measure(cells)
        lines.append(
            f"| {cells} | {result['program']:.2f} | {result['iterations']:.0f} "
            f"| {result['loose'] / result['program']:.2f} × | {result['tight'] / result['program']:.2f} × "
            f"| {result['apart']:.1e} |"
        )
    lines += [
        "",
        "ODE columns: time of scipy's BDF with the sparse Jacobian, relative to the programs of a row.",
        "Apart: share of firms in other sectors at the end, which is the first-order error of the steps.",
        "",
    ]
    text = "\n".join(lines)
    print(text)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "invisible-hand.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
