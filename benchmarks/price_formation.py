"""Agora against the published primal–dual iteration: ``python -m benchmarks.price_formation``.

Cases 1 and 2 of arXiv 2506.04169, whose exact price is known, at three sizes, in one run. Writes
``price-formation.csv`` and ``price-formation.md`` into the folder ``--out`` and prints the tables. PyTorch
is used from the interpreter ``--torch-python``, which needs torch and numpy only, and skipped where it is
absent.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measuring import ONE_THREAD, ROOT, machine

SIZES = ((50, 100), (100, 200), (100, 1000))
RIVALS = {"numpy": "NumPy, gradient by hand", "torch": "PyTorch, float64", "torch32": "PyTorch, float32"}
MOST, PUBLISHED = 2000, 10_000
"""Iterations done, beyond which no error falls any more, and iterations of the published runs."""
PACKAGES = ("agora", "numpy", "scipy", "pyomo", "highspy", "casadi")


def child(python: str, arguments: list[Any], limit: float = 900.0) -> dict[str, Any]:
    """Run a rival in a process of its own, on one thread, and return what it prints."""
    command = [python, str(ROOT / "benchmarks" / "price_rivals.py"), *map(str, arguments)]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **ONE_THREAD},
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"skipped": f"stopped after {limit:g} s"}
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[1:])} failed:\n{done.stderr}")
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def market(case: str, agents: int, steps: int) -> Any:
    from agora.papers.price_formation.cases import market as published

    return published(case, agents=agents, steps=steps)


def problem(case: str, agents: int, steps: int) -> dict[str, Any]:
    """Return a case as plain numbers with its exact price."""
    from agora.papers.price_formation.cases import discrete_price

    model = market(case, agents, steps)
    costs = {name: getattr(model, name).model_dump() for name in ("running", "terminal")}
    lipschitz = 1.0 + (10.0 if case == "1" else 4.1)
    return {
        "starts": model.starts[:, 0].tolist(),
        "supply": model.supply.values[:, 0].tolist(),
        "step": model.step,
        "control_cost": model.control_cost,
        "price": discrete_price(model).tolist(),
        "lipschitz": lipschitz,
        **costs,
    }


def ours(case: str, agents: int, steps: int, exact: list[float]) -> list[dict[str, Any]]:
    """Return times and errors of Agora's methods: best of five, or one run if that takes over two seconds."""
    import numpy as np

    from agora.methods.price_formation.closed_forms import mean_field
    from agora.runners.solving import solve
    from agora.solvers import NonlinearProgram

    def structure() -> Any:
        return mean_field(market(case, agents, steps)).prices[0]

    def certified() -> Any:
        return solve(market(case, agents, steps)).tables["price"]["price"].to_numpy()

    def program() -> Any:
        model = market(case, agents, steps)
        built = model.program()
        NonlinearProgram(built).solve()
        return model.read(built)["price"]["price"].to_numpy()

    routes = {"structure: price and all paths": structure, "certified: tables and proof": certified}
    if agents * steps <= 20_000:
        routes["trajectory program: Pyomo + IPOPT"] = program
    results = []
    for name, route in routes.items():
        best, error, spent = np.inf, 0.0, 0.0
        while spent == 0.0 or (spent < 2.0 and best * 5 > spent):
            start = time.perf_counter()
            price = route()
            took = time.perf_counter() - start
            best, spent = min(best, took), spent + took
            error = float(np.abs(price - np.array(exact)).max())
        results.append({"route": name, "seconds": best, "error": error})
    return results


def rows_of(case: str, agents: int, steps: int, torch_python: str, folder: Path) -> list[dict[str, Any]]:
    given = problem(case, agents, steps)
    file = folder / f"{case}-{agents}-{steps}.json"
    file.write_text(json.dumps(given), encoding="utf-8")
    slow, fast = child(sys.executable, [file, "tune", 0, 0, 0])["steps"]
    mine = ours(case, agents, steps, given["price"])
    size = {"case": case, "agents": agents, "steps": steps}
    rows = [{**size, **entry} for entry in mine]
    budget = {entry["route"]: entry["seconds"] for entry in mine}
    quick, whole = (budget[name] for name in list(budget)[:2])
    for rival, named in RIVALS.items():
        python = sys.executable if rival == "numpy" else torch_python
        report = child(python, [file, rival, slow, fast, MOST])
        if "skipped" in report:
            rows.append({**size, "route": named, "note": report["skipped"]})
            continue
        history = report["history"]
        least = min(error for _, _, error in history)
        number, seconds, error = next(h for h in history if h[2] <= 1.1 * least)
        within = [error for _, spent, error in history if spent <= whole]
        rows.append(
            {
                **size, "route": named, "seconds": seconds, "error": error, "iterations": number,
                "ratio_structure": seconds / quick, "ratio_certified": seconds / whole,
                "error_in_our_time": min(within) if within else None,
                "seconds_10000": history[-1][1] * PUBLISHED / history[-1][0],
                "note": f"τ_a = {slow:.3g}, τ_ω = {fast:g}",
            }
        )  # fmt: skip
        print(f"  case {case}, {agents} × {steps}, {named}: {seconds:.3g} s, error {error:.1e}", flush=True)
    return rows


COLUMNS = (
    "case", "agents", "steps", "route", "seconds", "error", "iterations", "ratio_structure",
    "ratio_certified", "error_in_our_time", "seconds_10000", "note",
)  # fmt: skip
HEAD = (
    "case", "agents × steps", "route", "seconds", "largest error of ω", "iterations", "times `structure`",
    "times `certified`", "error in the time of `certified`", "10 000 iterations, s", "note",
)  # fmt: skip


def shown(value: Any) -> str:
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def markdown(rows: list[dict[str, Any]]) -> list[str]:
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    for row in rows:
        cells = [row["case"], f"{row['agents']} × {row['steps']}", *(shown(row.get(c)) for c in COLUMNS[3:])]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch-python", default=sys.executable, help="an interpreter that has torch")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    arguments = parser.parse_args()
    os.environ.update(ONE_THREAD)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for agents, steps in SIZES:
            for case in ("1", "2"):
                rows += rows_of(case, agents, steps, arguments.torch_python, Path(folder))
    arguments.out.mkdir(parents=True, exist_ok=True)
    with (arguments.out / "price-formation.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    text = [
        "# Price formation: Agora and the published iteration",
        "",
        "Made by `python -m benchmarks.price_formation`; what is compared, and how, stands in the README.",
        "",
        *machine(PACKAGES),
        "",
        *markdown(rows),
        "",
    ]
    (arguments.out / "price-formation.md").write_text("\n".join(text), encoding="utf-8")
    print("\n".join(text))


if __name__ == "__main__":
    main()
