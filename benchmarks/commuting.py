"""Least commuting cost by five routes, side by side: ``python -m benchmarks.commuting``.

Writes ``commuting.csv``, ``commuting.md``, ``commuting.svg`` and ``commuting.png`` into the folder
``--out`` and prints the tables. Fails if two routes disagree on an optimum by more than 1e-9 of it.
"""

from __future__ import annotations

import argparse
import csv
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring import DISTURBED, ENOUGH, PHASES, REPEATS, in_child, machine, seconds

ROUTES = {
    "edges": "(S) on edges, Pyomo + HiGHS",
    "dual": "(D) on edges, Pyomo + HiGHS",
    "pairs": "(S) in pairs n_ij, Pyomo + HiGHS",
    "emd": "POT network simplex, dense",
    "formula": "closed form, Agora",
    "ot-circle": "closed form, POT",
    "certified": "agora.runners.solve: (S) on edges, prices, certificate",
}
ON_THE_CIRCLE = ("formula", "edges", "dual", "pairs", "emd", "ot-circle")
ON_THE_GRID = ("edges", "certified", "dual", "emd")
CITIES = (("circle", 48), ("circle", 240), ("grid", 30))
PACKAGES = ("agora", "pyomo", "highspy", "numpy", "scipy", "networkx", "pandas", "POT")
AGREEMENT = 1e-9
COLUMNS = (
    "geography", "cells", "route", "variables", "build_s", "solve_s", "check_s", "total_s", "memory_mb",
    "objective", "repeats", "note",
)  # fmt: skip


class Disagreement(RuntimeError):
    """Two routes to one optimum differ: no timing means anything."""


@dataclass(frozen=True)
class Measurement:
    """A route on a geography: seconds by phase, MB (10^6 bytes) beyond the imports, the optimum found."""

    route: str
    kind: str
    size: int
    report: dict[str, Any]
    imports: float

    @property
    def cells(self) -> int:
        """Number of cells."""
        return self.size if self.kind == "circle" else self.size**2

    @property
    def done(self) -> bool:
        """Whether it ran to the end."""
        return "skipped" not in self.report

    @property
    def total(self) -> float:
        """Seconds of all phases."""
        return seconds(self.report)

    @property
    def note(self) -> str:
        """What a reader must know of the time, if anything."""
        waited = self.report["waited"]
        return f"busy machine: waited {waited:.0%} of the time" if waited > DISTURBED else ""

    @property
    def megabytes(self) -> float:
        """Peak memory less that of a process which only imports."""
        return float(self.report["megabytes"]) - self.imports

    def row(self) -> dict[str, Any]:
        """Return a row of the CSV file."""
        case = {"geography": self.kind, "cells": self.cells, "route": self.route}
        if not self.done:
            return {**case, "note": self.report["skipped"]}
        return {
            **case,
            "variables": self.report.get("variables"),
            **{f"{phase}_s": self.report.get(phase) for phase in PHASES},
            "total_s": self.total,
            "memory_mb": self.megabytes,
            "objective": self.report["objective"],
            "repeats": self.report["repeats"],
            "note": self.note,
        }


# --- measuring -----------------------------------------------------------------------------------


def memory_of_imports() -> float:
    children = [in_child("benchmarks.commuting_routes", ("imports", "circle", 0), 60) for _ in range(3)]
    return statistics.median(float(child["megabytes"]) for child in children)


def measured(route: str, kind: str, size: int, limit: float, imports: float) -> Measurement:
    report = in_child("benchmarks.commuting_routes", (route, kind, size), limit)
    result = Measurement(route, kind, size, report, imports)
    said = f"{result.total:.3g} s" if result.done else report["skipped"]
    print(f"  {kind} of {result.cells} cells, {route}: {said}", flush=True)
    return result


def on_circles(cells: Iterable[int], limit: float, imports: float) -> list[Measurement]:
    """Measure all routes on all circles; a route that hit the limit is not tried on larger ones."""
    results: list[Measurement] = []
    too_slow: dict[str, int] = {}
    for size in sorted(cells):
        for route in ON_THE_CIRCLE:
            if route in too_slow:
                reason = {"skipped": f"stopped after {limit:g} s on {too_slow[route]} cells already"}
                results.append(Measurement(route, "circle", size, reason, imports))
                continue
            results.append(measured(route, "circle", size, limit, imports))
            if "stopped" in results[-1].report.get("skipped", ""):
                too_slow[route] = size
    return results


def largest_disagreement(results: Sequence[Measurement]) -> float:
    """Return the largest relative difference between optima of one geography.

    Raises
    ------
    Disagreement
        If it is above 1e-9, or an optimum is no number; names the routes.
    """
    worst = 0.0
    for case in {(one.kind, one.size) for one in results}:
        optima = {m.route: m.report["objective"] for m in results if (m.kind, m.size) == case and m.done}
        if not all(map(math.isfinite, optima.values())):
            raise Disagreement(f"{case}: {optima}")
        low, high = min(optima, key=optima.__getitem__), max(optima, key=optima.__getitem__)
        gap = (optima[high] - optima[low]) / abs(optima[low])
        if not gap <= AGREEMENT:
            raise Disagreement(
                f"{case}: {low} found {optima[low]!r}, {high} found {optima[high]!r} ({gap:.2g})"
            )
        worst = max(worst, gap)
    return worst


# --- words and tables ----------------------------------------------------------------------------


def number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}".replace(",", " ")


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a table, its columns aligned so that it reads as plain text too."""
    body = [list(head), *map(list, rows)]
    widths = [max(len(row[k]) for row in body) for k in range(len(head))]
    lines = ["| " + " | ".join(row[k].ljust(widths[k]) for k in range(len(head))) + " |" for row in body]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def table(results: Iterable[Measurement]) -> list[str]:
    head = ("cells", "route", "variables", "build s", "solve s", "check s", "total s", "memory MB", "note")
    rows = []
    for one in results:
        start = [number(one.cells), ROUTES[one.route]]
        if not one.done:
            rows.append([*start, *[""] * 6, one.report["skipped"]])
            continue
        phases = [number(one.report.get(phase)) for phase in PHASES]
        variables = number(one.report["variables"]) if one.report["variables"] else "none"
        rows.append([*start, variables, *phases, number(one.total), f"{one.megabytes:.1f}", one.note])
    return markdown(head, rows)


def ratios(results: Sequence[Measurement]) -> list[str]:
    """Return time and memory of the routes as multiples of the edge form's on the same circle."""
    asked = [("pairs", "total"), ("pairs", "megabytes"), ("emd", "total"), ("emd", "megabytes")]
    asked += [("dual", "total"), ("formula", "total")]
    words = {"total": "time", "megabytes": "memory"}
    rows = []
    for size in sorted({one.size for one in results}):
        by_route = {one.route: one for one in results if one.size == size and one.done}
        rows.append([number(size), *(ratio(by_route, route, "edges", what) for route, what in asked)])
    return markdown(("cells", *(f"{route}, {words[what]}" for route, what in asked)), rows)


def ratio(by_route: dict[str, Measurement], route: str, unit: str, what: str) -> str:
    """Return time or memory of a route as a multiple of another's, if both ran."""
    if not {route, unit} <= set(by_route):
        return "not measured"
    return number(getattr(by_route[route], what) / getattr(by_route[unit], what))


def city_table(cities: Iterable[Measurement]) -> list[str]:
    head = ("city", "starts", "build s", "solve s", "check s", "total s", "potential", "what it is", "note")
    rows = []
    for one in cities:
        name = f"{one.kind} of {number(one.cells)} cells"
        if not one.done:
            rows.append([name, *[""] * 7, one.report["skipped"]])
            continue
        phases = [number(one.report[phase]) for phase in PHASES]
        answer = [f"{one.report['objective']:.12f}", one.report["status"], one.note]
        rows.append([name, str(one.report["starts"]), *phases, number(one.total), *answer])
    return markdown(head, rows)


def why_no_pairs(results: Sequence[Measurement], cells: int) -> str:
    """Say what the pairs form would take on the grid, from the bytes a variable measured here."""
    sizes = [one for one in results if one.route == "pairs" and one.done]
    if not sizes:
        return "The pairs form was not measured, so nothing is said about its memory."
    largest = max(sizes, key=lambda one: one.cells)
    bytes_each = largest.megabytes * 1e6 / largest.cells**2
    return (
        f"The pairs form is not built on {number(cells)} cells: {number(largest.cells)} cells took "
        f"{bytes_each:.0f} bytes a variable at the peak ({largest.megabytes:.0f} MB for "
        f"{number(largest.cells**2)} variables), so {number(cells**2)} variables would take about "
        f"{number(bytes_each * cells**2 / 1e9)} GB."
    )


def on_the_grid_in_words(grid: Sequence[Measurement]) -> str:
    by_route = {one.route: one for one in grid if one.done}
    against = ", ".join(
        f"{ratio(by_route, 'emd', unit, 'total')} in time and {ratio(by_route, 'emd', unit, 'megabytes')} "
        f"in memory of {words}"
        for unit, words in (
            ("edges", "the edge form"),
            ("certified", "the edge form with tables, prices and certificate"),
        )
    )
    return f"On the grid POT's network simplex took these multiples: {against}."


def report(
    circles: Sequence[Measurement], grid: Sequence[Measurement], cities: Sequence[Measurement], worst: float
) -> list[str]:
    return [
        "# Least commuting cost by rival routes",
        "",
        "Written by `python -m benchmarks.commuting`; how it is measured stands in `benchmarks/README.md`.",
        "Times are of one run on one machine and only their ratios travel.",
        "",
        *(f"* {line}" for line in machine(PACKAGES)),
        f"* quickest of up to {REPEATS} repeats, no more begun after {ENOUGH:g} s",
        f"* largest relative difference between optima of one geography: {worst:.1e} (limit {AGREEMENT:g})",
        "",
        "## Circles, jobs in five clusters, no excess land",
        "",
        *table(circles),
        "",
        "Multiples of the edge form's time (build and solve) and memory; memory below about 1 MB is noise:",
        "",
        *ratios(circles),
        "",
        "## Grid",
        "",
        *table(grid),
        "",
        on_the_grid_in_words(grid),
        "",
        why_no_pairs(circles, grid[0].cells),
        "",
        "## Cities: best responses",
        "",
        "τ = 25, t = .05, M = ½, φ = 1, land and side (circumference) 1; climbs from all starts, prices and",
        "certificate. ‘Solve’ is time inside HiGHS and its interface, ‘build’ the rest before the check.",
        "",
        *city_table(cities),
    ]


def write(folder: Path, lines: Sequence[str], results: Sequence[Measurement]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "commuting.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with (folder / "commuting.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(one.row() for one in results)


# --- the command ---------------------------------------------------------------------------------


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.commuting", description=__doc__)
    parser.add_argument("--cells", type=int, nargs="+", default=[48, 120, 240, 480, 1000], help="circles")
    parser.add_argument("--grid", type=int, default=100, help="side of the grid")
    parser.add_argument("--limit", type=float, default=90.0, help="seconds a route may take")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder")
    return parser.parse_args()


def main() -> None:
    """Measure, compare, write."""
    given = arguments()
    imports = memory_of_imports()
    circles = on_circles(given.cells, given.limit, imports)
    grid = [measured(route, "grid", given.grid, given.limit, imports) for route in ON_THE_GRID]
    cities = [measured("city", kind, size, given.limit, imports) for kind, size in CITIES]
    worst = largest_disagreement([*circles, *grid])
    lines = report(circles, grid, cities, worst)
    print("\n".join(["", *lines]))
    write(given.out, lines, [*circles, *grid, *cities])
    from benchmarks.commuting_figure import draw  # after the last measurement, see measuring.py

    draw(given.out / "commuting.csv", given.out)


if __name__ == "__main__":
    main()
