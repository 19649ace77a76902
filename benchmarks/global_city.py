"""The global maximiser of a city on a circle, with proof: dynamic programming against general solvers.

    python -m benchmarks.global_city            # about five minutes
    python -m benchmarks.global_city --cells 8 12 --limit 60 --out somewhere

Each route answers the same question, the highest potential of a city of I equal cells on a circle and
the proof that none is higher, in a process of its own on one thread (`benchmarks.measuring`):

* ``search``: `agora.methods.city.chain_bounds`, bounds by dynamic programming, then a search;
* ``highs``: `FujitaOgawa.lattice_program`, a mixed-integer linear program, by HiGHS;
* ``scip``: (P), a nonconvex quadratic program in firms and flows, by SCIP through PySCIPOpt, if installed.

The general solvers get a limit and report the relative gap that is left when it is reached.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.measuring import ROOT, in_child, machine

ROUTES = ("search", "highs", "scip")
DECAY, COST = 25.0, 0.05
REPEATS, START = 3, 60.0
"""Runs of the quick route, of which the quickest counts; seconds allowed for a process to start and end."""


def measure(route: str, cells: int, limit: float) -> dict[str, Any]:
    """Solve one city by one route; return seconds, potential, bound."""
    from agora.data import circle
    from agora.models import FujitaOgawa

    city = FujitaOgawa(
        geography=circle(cells), commuting_cost=COST, decay=DECAY, firm_mass=0.5, labor_per_firm=1.0
    )
    if route == "scip":
        return _scip(city, limit)
    if route == "highs":
        return _highs(city, limit)
    reports = [_search(city, limit) for _ in range(REPEATS)]
    return min(reports, key=lambda report: report["seconds"])


def _search(city: Any, limit: float) -> dict[str, Any]:
    from agora.methods.city.chain_bounds import ChainBounds
    from agora.methods.city.lattice_city import lattice_city

    start = time.perf_counter()
    lattice = lattice_city(city)
    result = ChainBounds(lattice).maximum(city.commuting_cost, seconds=limit)
    value = lattice.potential(result.value)
    bound = value if result.complete else lattice.potential(result.bound)
    return {"seconds": time.perf_counter() - start, "value": value, "bound": bound}


def _highs(city: Any, limit: float) -> dict[str, Any]:
    import pyomo.environ as pyo

    from agora.solvers import SolveFailed, solve_within

    unit = float(city.network.land[0]) ** 2 / 8
    start = time.perf_counter()
    program = city.lattice_program()
    try:
        _, bound = solve_within(program, limit)
    except SolveFailed:
        return {"seconds": time.perf_counter() - start, "value": None, "bound": None}
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "value": float(pyo.value(program.potential)) * unit, "bound": bound * unit}


def _scip(city: Any, limit: float) -> dict[str, Any]:
    import numpy as np
    from pyscipopt import Model, quicksum

    start = time.perf_counter()
    network, number = city.network, city.network.number
    kernel = np.asarray(city.interaction.jacobian(np.zeros(number)))
    model = Model()
    model.hideOutput()
    model.setParam("limits/time", limit)
    model.setParam("limits/gap", 1e-9)
    firms = [model.addVar(lb=0, ub=float(land)) for land in network.land]
    flows = [model.addVar(lb=0, ub=1) for _ in network.tails]
    unit = float(network.land[0]) ** 2 / 8  # as in the other programs: SCIP's tolerances are absolute
    highest = model.addVar(lb=None)
    model.addCons(quicksum(firms) == city.firm_mass)
    for cell in range(number):
        arriving = quicksum(flows[e] for e in range(len(flows)) if network.heads[e] == cell)
        leaving = quicksum(flows[e] for e in range(len(flows)) if network.tails[e] == cell)
        # residents at most the land left by firms: Σ in − Σ out ≥ (1 + φ) m − a
        model.addCons(
            arriving - leaving >= (1 + city.labor_per_firm) * firms[cell] - float(network.land[cell])
        )
    made = quicksum(
        0.5 / unit * float(kernel[i, j]) * firms[i] * firms[j] for i in range(number) for j in range(number)
    )
    travel = quicksum(
        float(length) / unit * flow for length, flow in zip(network.lengths, flows, strict=True)
    )
    model.addCons(highest <= made - city.commuting_cost * travel)
    model.setObjective(highest, "maximize")
    model.optimize()
    value = float(model.getPrimalbound()) * unit if model.getNSols() else None
    return {
        "seconds": time.perf_counter() - start,
        "value": value,
        "bound": float(model.getDualbound()) * unit,
    }


def row(route: str, cells: int, result: dict[str, Any]) -> str:
    """Return a row of the table."""
    if "skipped" in result:
        return f"| {cells} | {route} | {result['skipped']} | | | |"
    value, bound = result["value"], result["bound"]
    if value is None:
        return f"| {cells} | {route} | {result['seconds']:.3f} | none found | | |"
    gap = (bound - value) / abs(value)
    shown = "closed" if gap <= 1e-6 else f"{gap:.2g}"
    return f"| {cells} | {route} | {result['seconds']:.3f} | {value:.12f} | {bound:.12f} | {shown} |"


def main() -> None:
    """Measure every route at every size; write a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, nargs="*", default=[8, 12, 24])
    parser.add_argument("--limit", type=float, default=60.0)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--one", nargs=2, metavar=("ROUTE", "CELLS"))
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one[0], int(given.one[1]), given.limit)))
        return
    lines = ["| cells | route | seconds | potential | bound | relative gap |", "|---|---|---|---|---|---|"]
    for cells in given.cells:
        values = []
        for route in ROUTES:
            if route == "scip" and find_spec("pyscipopt") is None:
                lines.append(f"| {cells} | scip | not installed | | | |")
                continue
            print(f"{route}, {cells}", file=sys.stderr)
            arguments = ["--one", route, cells, "--limit", given.limit]
            result = in_child("benchmarks.global_city", arguments, given.limit + START)
            lines.append(row(route, cells, result))
            if (
                result.get("value") is not None
                and result["bound"] - result["value"] <= 1e-6 * result["value"]
            ):
                values.append(result["value"])
        if values and max(values) - min(values) > 1e-6 * max(values):
            raise RuntimeError(f"proved optima differ at {cells} cells: {values}")
    packages = ["highspy", "pyomo", "pyscipopt", "numpy"]
    text = (
        "# The global maximiser of a city on a circle\n\n"
        f"Command: `python -m benchmarks.global_city --limit {given.limit:g}`. τ = {DECAY:g}, t = {COST:g}, "
        "M = ½, φ = 1.\nSeconds on one thread to the proof, or to the limit; only ratios within the table "
        "compare.\n\n"
        + "\n".join(lines)
        + "\n\n"
        + "\n".join(f"* {line}" for line in machine(packages))
        + "\n"
    )
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "global-city.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
