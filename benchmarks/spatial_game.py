"""The dynamic game as one square program against the damped fixed-point iteration of the literature.

``python -m benchmarks.spatial_game [--cells 32 64 128] [--limit 120] [--out FOLDER]`` writes
``spatial-game.md`` and ``spatial-game.csv``, and measures again only what is not yet in the latter. Seconds
are of the processor (one thread), whoever else uses the machine. The route ``newton`` is that of searches for
further equilibria, with wages eliminated. The rival iterates density → wages → values → density with
relaxation ω, wages warm from the last round and solved for all times at once by fast Fourier transforms,
values by policy iteration with sparse factorisations; or with Anderson acceleration on top. It stops when no
density moves by more than 1e-8; every ω of the list is tried and the quickest counts.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.measuring import in_child

CASES: dict[str, dict[str, Any]] = {
    "A1": {"variant": "armington", "moving_cost": 1.0, "horizon": 20.0},
    "K1": {"variant": "krugman", "moving_cost": 120.0, "horizon": 100.0},
    "K2": {"variant": "krugman", "moving_cost": 400.0, "horizon": 20.0},
}
RELAXATIONS = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02)
MIXINGS = (1.0, 0.3, 0.1)
RIVALS = (*(f"fixed-point-{w:g}" for w in RELAXATIONS), *(f"anderson-{w:g}" for w in MIXINGS))
LIMIT = 120.0
ROUTES = ("program", "program-dense", "newton", *RIVALS)
ACCURACY, ROUNDS, DEPTH = 1e-8, 2000, 8


def model_of(case: str, cells: int, kernel: str = "sparse") -> Any:
    from agora.models.migration.spatial_game import SpatialGame

    return SpatialGame(
        elasticity=5.0, trade_cost_rate=0.5, noise=0.01, discount=0.05, cells=cells, steps=cells,
        initial={"kind": "cosine", "amplitude": 0.5}, kernel=kernel, **CASES[case],
    )  # fmt: skip


def run_program(case: str, cells: int, kernel: str) -> dict[str, Any]:
    import numpy as np

    from agora.methods.migration.continuation import solve_once
    from agora.solvers.ipopt import ipopt_route

    model = model_of(case, cells, kernel)
    ipopt_route()
    start = time.process_time()
    tables, record = solve_once(model)
    seconds = time.process_time() - start
    conditions = model.conditions(tables, ACCURACY)
    worst = max(condition.worst for condition in conditions)
    density = tables["path"]["density"].to_numpy().reshape(-1, cells)
    return {
        "seconds": seconds, "solver_seconds": record.seconds, "rounds": record.iterations, "residual": worst,
        "hhi": float(np.square(density[-1]).mean()), "nonzeros": kernel_nonzeros(model),
    }  # fmt: skip


def run_newton(case: str, cells: int) -> dict[str, Any]:
    """Solve with wages eliminated, by Newton's method as searches do."""
    import numpy as np

    from agora.methods.migration.path_newton import Course, PathEquations, newton_path

    start = time.process_time()
    model = model_of(case, cells)
    steps = model.period_lengths()
    left = np.append(steps[::-1].cumsum()[::-1], 0.0)
    values = float(model.initial_real_wage.mean()) / model.discount * -np.expm1(-model.discount * left)
    density = np.tile(model.initial_density, (cells + 1, 1))
    value = np.tile(values[:, None], (1, cells))
    result, rounds = newton_path(model, Course(density, value, density), tolerance=ACCURACY)
    seconds = time.process_time() - start
    gap = PathEquations(model).residual(np.stack([result.value[:-1], result.density[1:]]))
    return {
        "seconds": seconds, "rounds": rounds, "residual": float(np.abs(gap).max()),
        "hhi": float(np.square(result.density[-1]).mean()),
    }  # fmt: skip


def kernel_nonzeros(model: Any) -> int:
    """Return the non-zeros of the kernel's rows in one time step."""
    from pyomo.core.expr.visitor import identify_variables

    block = model.path_program(model.period_lengths()[:1]).instant[1]
    rows = (block.supplier_access_balance, block.market_access_balance)
    return sum(sum(1 for _ in identify_variables(row.body)) for part in rows for row in part.values())


class Rival:
    """The map density path → best reply's density path, as quick as it was made to be."""

    def __init__(self, model: Any) -> None:
        import numpy as np

        self.model, self.steps = model, model.period_lengths()
        self.arcs, self.technology = model.arcs, model.technology
        kernel = model.trade_kernel
        self.share = np.fft.rfft(kernel.dense()[0]) / len(kernel.weights)
        self.wages = np.ones((len(self.steps) + 1, self.arcs.number))

    def through(self, sources: Any) -> Any:
        """Return the kernel's product at every time."""
        import numpy as np

        return np.fft.irfft(self.share * np.fft.rfft(sources, axis=1), self.arcs.number, axis=1)

    def real_wages(self, mu: Any) -> Any:
        """Return V of all times at once: the wage map iterated from the last wages to 1e-12."""
        import numpy as np

        economy, w = self.model.economy, self.wages
        theta, c = economy.trade_elasticity, economy.density_exponent
        for _ in range(500):
            access = self.through(mu**c * w**-theta)
            new = (mu ** (c - 1) * self.through(w * mu / access)) ** (1 / (theta + 1))
            new /= (new * mu).mean(axis=1, keepdims=True)
            moved, w = float(np.abs(new - w).max()), new
            if moved < 1e-12:
                break
        self.wages = w
        return w * self.through(mu**c * w**-theta) ** (1 / theta)

    def generator(self, value: Any) -> tuple[Any, Any]:
        """Return the value of moving and the generator of the moves."""
        import numpy as np
        from scipy.sparse import csc_array

        tails, heads = self.arcs.tails, self.arcs.heads
        values, rate = self.technology(value[heads] - value[tails], self.arcs.noise, self.arcs.ease)
        count = self.arcs.number
        rows, columns = np.concatenate([tails, tails]), np.concatenate([heads, tails])
        matrix = csc_array((np.concatenate([rate, -rate]), (rows, columns)), shape=(count, count))
        return np.bincount(tails, values, count), matrix

    def __call__(self, mu: Any) -> Any:
        """Return the densities of the best replies to a path of densities."""
        import numpy as np
        from scipy.sparse import eye_array
        from scipy.sparse.linalg import splu

        real, rho = self.real_wages(mu), self.model.discount
        eye = eye_array(self.arcs.number, format="csc")
        value, plans = np.zeros(self.arcs.number), []
        for n in range(len(self.steps) - 1, -1, -1):
            rate = 1 / self.steps[n] + rho
            right = value / self.steps[n] + real[n + 1]
            for _ in range(50):
                values, matrix = self.generator(value)
                change = splu((rate * eye - matrix).tocsc()).solve(rate * value - values - right)
                value = value - change
                if np.abs(change).max() < 1e-12 * max(1.0, float(np.abs(value).max())):
                    break
            plans.append(self.generator(value)[1])
        density = np.empty_like(mu)
        density[0] = mu[0]
        for n, matrix in enumerate(reversed(plans)):
            density[n + 1] = splu((eye - self.steps[n] * matrix.T).tocsc()).solve(density[n])
        return density


def run_fixed_point(
    case: str, cells: int, relaxation: float, limit: float, *, anderson: bool = False
) -> dict[str, Any]:
    """Iterate to 1e-8 with a relaxation, or with Anderson acceleration that mixes so much of the reply."""
    import numpy as np

    model = model_of(case, cells)
    start = time.process_time()
    reply = Rival(model)
    mu = np.tile(model.initial_density, (cells + 1, 1))
    gaps: list[Any] = []
    points: list[Any] = []
    why = f"no equilibrium in {ROUNDS} rounds"
    for rounds in range(1, ROUNDS + 1):
        try:
            with np.errstate(all="ignore"):
                gap = reply(mu) - mu
        except (RuntimeError, ValueError) as crash:
            why = f"crashed ({str(crash).lower()})"
            break
        residual = float(np.abs(gap).max())
        if not np.isfinite(residual) or residual > 1e6:
            why = "diverged"
            break
        if residual <= ACCURACY:
            hhi = float(np.square(mu[-1]).mean())
            return {
                "seconds": time.process_time() - start, "rounds": rounds, "residual": residual, "hhi": hhi
            }  # fmt: skip
        if time.process_time() - start > limit:
            why = f"stopped after {limit:g} s at {residual:.1e}"
            break
        if not anderson:
            mu = mu + relaxation * gap
        else:
            points, gaps = [*points, mu.ravel()][-DEPTH:], [*gaps, gap.ravel()][-DEPTH:]
            mixed = points[-1] + relaxation * gaps[-1]
            if len(gaps) > 1:
                slopes = np.diff(np.array(gaps), axis=0).T
                moves = np.diff(np.array(points), axis=0).T
                weights = np.linalg.lstsq(slopes, gaps[-1], rcond=1e-10)[0]
                mixed = mixed - (moves + relaxation * slopes) @ weights
            mu = np.maximum(mixed.reshape(mu.shape), 1e-8)
    return {"failed": why, "rounds": rounds}


def child(route: str, case: str, cells: int, limit: float) -> dict[str, Any]:
    if route.startswith("program"):
        return run_program(case, cells, "dense" if route.endswith("dense") else "sparse")
    if route == "newton":
        return run_newton(case, cells)
    relaxation = float(route.rsplit("-", 1)[1])
    return run_fixed_point(case, cells, relaxation, limit, anderson=route.startswith("anderson"))


def written(rows: list[dict[str, Any]], cells: list[int]) -> str:
    """Return the tables: seconds of every route, and how the best fixed point compares."""
    loads = [row["load"] for row in rows if "load" in row]
    limits = sorted({row["limit"] for row in rows if "limit" in row})
    lines = [
        "# The dynamic game: one program against fixed points", "",
        f"Python {platform.python_version()}, {platform.machine()}. Processor seconds from the model to "
        "residual 1e-8 (program: build, translation, solve and reading; fixed points: no density moves by "
        "more), with rounds or iterations. A rival that failed, or took over twice as long as the best "
        f"of its kind, is not tried on the next larger grid; every rival has {limits[-1]:g} s. One "
        f"process of one thread at a time, load of the machine {min(loads):.1f} to {max(loads):.1f}. "
        "`newton` makes no tables and no certificate; what it finds is solved once more by the program "
        "in a search.", "",
    ]  # fmt: skip
    for case in CASES:
        lines += [f"## {case}", "", "| route | " + " | ".join(f"{n}×{n}" for n in cells) + " |"]
        lines += ["|---|" + "---|" * len(cells)]
        for route in ROUTES:
            texts = []
            for n in cells:
                row = next((r for r in rows if (r["case"], r["cells"], r["route"]) == (case, n, route)), {})
                if "seconds" in row:
                    texts.append(f"{row['seconds']:.2f} s ({row['rounds']}), H(T) {row['hhi']:.6f}")
                else:
                    texts.append(row.get("failed") or row.get("skipped") or "not run")
            lines.append(f"| {route} | " + " | ".join(texts) + " |")
        lines.append("| quickest | " + " | ".join(quickest(rows, case, n) for n in cells) + " |")
        for ours in ("program", "newton"):
            lines.append(
                f"| best fixed point / {ours} | " + " | ".join(_ratios(rows, case, cells, ours)) + " |"
            )
        lines.append("")
    lines += ["Non-zeros of the kernel's rows in one time step:", ""]
    for n in cells:
        counts = {r["route"]: r["nonzeros"] for r in rows if r["cells"] == n and "nonzeros" in r}
        lines.append(f"* {n} cells: sparse {counts.get('program')}, dense {counts.get('program-dense')}")
    return "\n".join(lines) + "\n"


def quickest(rows: list[dict[str, Any]], case: str, cells: int) -> str:
    """Return the route that was quickest on a grid."""
    here = [row for row in rows if (row["case"], row["cells"]) == (case, cells) and "seconds" in row]
    return str(min(here, key=lambda row: row["seconds"])["route"]) if here else "not run"


def _ratios(rows: list[dict[str, Any]], case: str, cells: list[int], ours: str) -> list[str]:
    """Return how many times longer the quickest fixed point takes than a method of ours, by size."""
    results = []
    for n in cells:
        here = {row["route"]: row["seconds"] for row in rows
                if (row["case"], row["cells"]) == (case, n) and "seconds" in row}  # fmt: skip
        rivals = [seconds for route, seconds in here.items() if route.startswith(("fixed-point", "anderson"))]
        known = rivals and ours in here
        results.append(f"{min(rivals) / here[ours]:.2f}" if known else "not measured, or none arrived")
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--cases", nargs="+", default=list(CASES))
    parser.add_argument("--routes", nargs="+", default=list(ROUTES))
    parser.add_argument("--limit", type=float, default=LIMIT)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--child", nargs=3)
    given = parser.parse_args()
    if given.child:
        route, case, cells = given.child
        print(json.dumps(child(route, case, int(cells), given.limit)))
        return
    file = given.out / "spatial-game.csv"
    given.out.mkdir(parents=True, exist_ok=True)
    rows = kept(file)
    for cells in given.cells:
        for case in given.cases:
            for route in given.routes:
                if any((row["case"], row["cells"], row["route"]) == (case, cells, route) for row in rows):
                    continue
                if why := hopeless(rows, case, cells, route):
                    rows.append({"case": case, "cells": cells, "route": route, "skipped": why})
                    continue
                call = ["--limit", given.limit, "--child", route, case, cells]
                report = in_child("benchmarks.spatial_game", call, 10 * given.limit + 60)
                how = {"limit": given.limit, "load": os.getloadavg()[0]}
                rows.append({"case": case, "cells": cells, "route": route, **how, **report})
                print(rows[-1], file=sys.stderr)
                save(rows, file)
    (given.out / "spatial-game.md").write_text(written(rows, given.cells), encoding="utf-8")


def hopeless(rows: list[dict[str, Any]], case: str, cells: int, route: str) -> str:
    """Return why a rival need not be tried on this grid, by what it did on the next smaller; or nothing."""
    smaller = [row for row in rows if row["case"] == case and row["cells"] < cells and row["route"] in RIVALS]
    if route not in RIVALS or not smaller:
        return ""
    before = max(row["cells"] for row in smaller)
    kind = route.partition("-")[0]
    alike = {r["route"]: r for r in smaller if r["cells"] == before and r["route"].startswith(kind)}
    if route not in alike:
        return ""
    own, arrived = alike[route], [row["seconds"] for row in alike.values() if "seconds" in row]
    if "seconds" not in own:
        return str(own.get("skipped") or f"not tried: failed on {before} cells")
    return f"not tried: slow on {before} cells" if own["seconds"] > 2 * min(arrived) else ""


def save(rows: list[dict[str, Any]], file: Path) -> None:
    columns = sorted({key for row in rows for key in row})
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)


def kept(file: Path) -> list[dict[str, Any]]:
    """Return the rows of an earlier run."""
    if not file.is_file():
        return []
    numbers = {"cells": int, "rounds": int, "nonzeros": int}
    numbers |= dict.fromkeys(("seconds", "solver_seconds", "residual", "hhi", "limit", "load"), float)
    with file.open(encoding="utf-8", newline="") as stream:
        return [
            {key: numbers.get(key, str)(text) for key, text in row.items() if text != ""}
            for row in csv.DictReader(stream)
        ]


if __name__ == "__main__":
    main()
