"""The static layer of spatial dynamics: sparse against dense kernels, and Newton's method on many locations.

    python -m benchmarks.trade            # about five minutes
    python -m benchmarks.trade --cells 32 64 --places 100 --out somewhere

Each measurement runs in a process of its own, on one thread (`benchmarks.measuring`); the quicker of two
runs counts.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measuring import ROOT, in_child

KERNELS = ("sparse", "dense", "low-rank")


def best_of(run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the quicker of two runs."""
    return min((run() for _ in range(2)), key=lambda report: report["build"] + report["solve"])


def measure(route: str, number: int) -> dict[str, Any]:
    """Solve one economy by one route; return seconds, non-zeros and the wage of the first location."""
    import numpy as np
    import pyomo.environ as pyo
    from pyomo.repn import generate_standard_repn

    from agora.data import circle
    from agora.formulations.migration.kernels import sparse_kernel
    from agora.formulations.migration.trade import solve_wages
    from agora.methods.migration.trade import IPOPT_ACCURACY
    from agora.models import SpatialTrade
    from agora.solvers import solve_program

    if route.startswith("places"):
        random = np.random.default_rng(1)
        costs = 1 + random.uniform(0, 1, (number, number)) * (1 - np.eye(number))
        people = random.dirichlet(np.full(number, 3.0))
        model = SpatialTrade(elasticity=5.0, trade_cost=costs.tolist(), population=people.tolist())
    else:
        model = SpatialTrade(
            elasticity=5.0,
            trade_cost={"rate": 0.5},
            geography=circle(number, circumference=2 * np.pi),
            population={"kind": "cosine", "amplitude": 0.5, "mode": 1},
        )
    if route.endswith("newton"):

        def newton() -> dict[str, Any]:
            start = time.perf_counter()
            state = solve_wages(model.economy, model.dense_kernel, model.density)
            return {"build": 0.0, "solve": time.perf_counter() - start, "wage": float(state.wage[0])}

        return {**best_of(newton), "truncation": 0.0}
    name = route.split()[1]
    form = {
        "sparse": lambda: model.kernel,
        "dense": lambda: model.dense_kernel,
        "low-rank": lambda: sparse_kernel(model.freeness, model.base_weights, 1e-10),
    }[name]()  # type: ignore[no-untyped-call]
    nonzeros = 0

    def program() -> dict[str, Any]:
        nonlocal nonzeros
        start = time.perf_counter()
        built = model.program(form)
        middle = time.perf_counter()
        record = solve_program(built, IPOPT_ACCURACY)
        end = time.perf_counter()
        nonzeros = sum(
            len(generate_standard_repn(row.body).linear_vars)
            for rows in (built.supplier_access_balance, built.market_access_balance)
            for row in rows.values()
        )
        return {
            "build": middle - start,
            "solve": end - middle,
            "wage": float(pyo.value(built.wage[0])),
            "iterations": record.iterations,
        }

    return {**best_of(program), "nonzeros": nonzeros, "truncation": form.truncation_error}


def main() -> None:
    """Measure every route at every size; write a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, nargs="*", default=[32, 64, 128, 256])
    parser.add_argument("--places", type=int, nargs="*", default=[100, 300, 1000])
    parser.add_argument("--limit", type=float, default=90.0)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--one", nargs=2, metavar=("ROUTE", "NUMBER"))
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one[0], int(given.one[1]))))
        return
    lines = [
        "| economy | N | route | non-zeros of K | build s | solve s | iterations | truncation | wage |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    jobs = [(f"ring {kernel}", n) for n in given.cells for kernel in (*KERNELS, "newton")]
    jobs += [("places newton", n) for n in given.places] + [("places dense", min(given.places, default=0))]
    for route, number in jobs:
        if not number:
            continue
        print(f"{route}, {number}", file=sys.stderr)
        result = in_child("benchmarks.trade", ["--one", route, number], given.limit)
        economy, name = route.split()
        if "skipped" in result:
            lines.append(f"| {economy} | {number} | {name} | {result['skipped']} | | | | | |")
            continue
        lines.append(
            f"| {economy} | {number} | {name} | {result.get('nonzeros', '')} | {result['build']:.3f} "
            f"| {result['solve']:.3f} | {result.get('iterations', '')} | {result['truncation']:.1g} "
            f"| {result['wage']:.10f} |"
        )
    given.out.mkdir(parents=True, exist_ok=True)
    text = (
        "# The static layer: kernels and sizes\n\n"
        "Command: `python -m benchmarks.trade`. Seconds on one thread, the quicker of two runs; only ratios\n"
        "within the table compare. Non-zeros are those of both products with K.\n\n"
    )
    text += "\n".join(lines) + "\n"
    (given.out / "trade.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
