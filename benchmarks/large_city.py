"""A local maximiser of a city of ten thousand cells: products with the kernel against the kernel itself.

    python -m benchmarks.large_city             # about five minutes
    python -m benchmarks.large_city --sides 30 --out somewhere

Each route climbs from the same start by the same linear programs, tests what kind of state it reached and
certifies it, in a process of its own on one thread (`benchmarks.measuring`):

* ``product``: A = D m as two small products, `agora.formulations.city.network_kernels`;
* ``dense``: all shortest paths and the whole kernel, as small cities are solved.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.measuring import ROOT, in_child, machine, peak_megabytes

ROUTES = ("product", "dense")
DECAY, COST = 20.0, 0.012


def measure(route: str, side: int) -> dict[str, Any]:
    """Climb once on a grid; return seconds by part, peak memory, the potential and what was reached."""
    import numpy as np

    from agora.data import grid
    from agora.formulations.city import spillovers as externalities
    from agora.methods.city.firms_game import FirmsGame
    from agora.methods.city.starts import filled
    from agora.models import FujitaOgawa
    from agora.runners.certifying import certify

    externalities.LARGEST_DENSE = 0 if route == "product" else 10**9
    city = FujitaOgawa(
        geography=grid(side, side), commuting_cost=COST, decay=DECAY, firm_mass=0.5, labor_per_firm=1.0
    )
    row, column = np.divmod(np.arange(side**2), side)
    centre = (side - 1) / 2
    begin = time.perf_counter()
    start = filled(city, np.abs(row - centre) + np.abs(column - centre))
    city.interaction.level(start)
    kernel = time.perf_counter()
    game = FirmsGame(city)
    state = game.climb(start)
    kind = game.kind(state)
    eigenvalue = game.definiteness[0]
    climbed = time.perf_counter()
    allocation, _ = game.allocation(state)
    tables = city.tables(allocation)
    tabled = time.perf_counter()
    certificate = certify(city, tables, 1e-6)
    checked = time.perf_counter()
    return {
        "seconds": [kernel - begin, climbed - kernel, tabled - climbed, checked - tabled],
        "programs": game.linear.solves,
        "megabytes": peak_megabytes(),
        "potential": game.potential(state),
        "eigenvalue": eigenvalue,
        "kind": kind if certificate.passed else "not certified",
    }


def row(side: int, route: str, result: dict[str, Any]) -> str:
    """Return a row of the table."""
    if "skipped" in result:
        return f"| {side**2} | {route} | {result['skipped']} | | | | | | |"
    seconds = " | ".join(f"{s:.2f}" for s in result["seconds"])
    return (
        f"| {side**2} | {route} | {seconds} | {result['programs']} | {result['megabytes']:.0f} | "
        f"{result['potential']:.12f}, {result['kind']} |"
    )


def main() -> None:
    """Measure every route at every size; write a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sides", type=int, nargs="*", default=[30, 50, 70, 100])
    parser.add_argument("--limit", type=float, default=300.0)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--one", nargs=2, metavar=("ROUTE", "SIDE"))
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one[0], int(given.one[1]))))
        return
    lines = [
        "| cells | route | kernel | climb and kind | prices and tables | certificate | linear programs "
        "| peak MB | potential, state |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for side in given.sides:
        potentials = []
        for route in ROUTES:
            print(f"{route}, {side} × {side}", file=sys.stderr)
            result = in_child("benchmarks.large_city", ["--one", route, side], given.limit)
            lines.append(row(side, route, result))
            if "potential" in result:
                potentials.append(result["potential"])
        if potentials and max(potentials) - min(potentials) > 1e-9 * max(potentials):
            raise RuntimeError(f"the routes reach different states on {side} × {side} cells: {potentials}")
    text = (
        "# Local maximisers of large cities on a grid\n\n"
        f"Command: `python -m benchmarks.large_city`. τ = {DECAY:g}, t = {COST:g}, M = ½, φ = 1, one start "
        f"in the middle; a route is stopped after {given.limit:g} s.\nSeconds on one thread, of which the "
        "climb is mostly HiGHS; only ratios within the table compare.\n\n"
        + "\n".join(lines)
        + "\n\n"
        + "\n".join(f"* {line}" for line in machine(["highspy", "pyomo", "numpy", "scipy"]))
        + "\n"
    )
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "large-city.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
