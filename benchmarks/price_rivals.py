"""The published primal–dual iteration, in NumPy and in PyTorch: ``python -m benchmarks.price_rivals FILE …``.

    a ← a − τ_a ∇_a L(a, ω),   ω ← ω + τ_ω (mean(2a⁺ − a) − Q)

on controls (agents, steps), arXiv 2506.04169, (31) and (32). NumPy has the gradient by hand, PyTorch by
automatic differentiation as in the paper. Neither needs Agora: what to solve comes in a file, and PyTorch
may live in an environment of its own. Error is the largest difference from the exact price of the scheme.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

CHECK_EVERY = 20
"""Iterations between two looks at the clock and the error; the looking itself is not counted."""


def numpy_iteration(given: dict[str, Any], slow: float, fast: float) -> tuple[Any, Callable[[], Any]]:
    """Return a function that does CHECK_EVERY iterations, and one that returns the price."""
    starts, supply, h, c = given["starts"][:, None], given["supply"], given["step"], given["control_cost"]
    running, terminal = given["running"], given["terminal"]
    number, steps = len(starts), len(supply)
    a, before = np.zeros((number, steps)), np.empty((number, steps))
    x, pull = np.empty((number, steps)), np.empty((number, steps))
    price = np.zeros(steps)
    slope, final = _slopes(np, running), _slopes(np, terminal)

    def some() -> None:
        nonlocal price, a, before
        for _ in range(CHECK_EVERY):
            np.cumsum(a, axis=1, out=x)
            np.multiply(x, h, out=x)
            np.add(x, starts, out=x)  # x_1 … x_N
            if slope is None:
                pull[:] = final(x[:, -1:]) if final is not None else 0.0
            else:
                pull[:, -1:] = final(x[:, -1:]) if final is not None else 0.0
                np.multiply(slope(x[:, :-1]), h, out=pull[:, :-1])
                np.cumsum(pull[:, ::-1], axis=1, out=pull[:, ::-1])
            np.copyto(before, a)
            pull.__iadd__(price)
            a *= 1 - slow * c
            np.multiply(pull, slow, out=pull)
            a -= pull
            price = price + fast * (2 * a.mean(axis=0) - before.mean(axis=0) - supply)

    return some, lambda: price


def torch_iteration(given: dict[str, Any], slow: float, fast: float) -> tuple[Any, Callable[[], Any]]:
    """Return the same in PyTorch, with automatic differentiation."""
    import torch

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64 if given["double"] else torch.float32)
    starts = torch.tensor(given["starts"][:, None]).to(torch.get_default_dtype())
    supply = torch.tensor(given["supply"]).to(torch.get_default_dtype())
    h, c, number = given["step"], given["control_cost"], len(given["starts"])
    a = torch.zeros((number, len(supply)), requires_grad=True)
    price = torch.zeros(len(supply))
    running, terminal = _costs(given["running"]), _costs(given["terminal"])

    def cost(a: Any, price: Any) -> Any:
        x = starts + h * torch.cumsum(a, dim=1)
        total = h * (c / 2 * a * a + price * a).sum()
        if running is not None:
            total = total + h * running(x[:, :-1]).sum()
        if terminal is not None:
            total = total + terminal(x[:, -1]).sum()
        return total

    def some() -> None:
        nonlocal a, price
        for _ in range(CHECK_EVERY):
            (gradient,) = torch.autograd.grad(cost(a, price), a)
            with torch.no_grad():
                moved = a - (slow / h) * gradient
                price = price + fast * ((2 * moved - a).mean(dim=0) - supply)
            a = moved.requires_grad_(True)

    return some, lambda: price.numpy()


def _slopes(xp: Any, cost: dict[str, Any]) -> Any:
    kind = cost["kind"]
    if kind == "none":
        return None
    weight = cost["weight"]
    if kind == "quadratic":
        target = cost["target"]
        return lambda x: weight * (x - target)
    low, high = cost["wells"]
    return lambda x: weight * (x - low) * (x - high) * (2 * x - low - high)


def _costs(cost: dict[str, Any]) -> Any:
    kind = cost["kind"]
    if kind == "none":
        return None
    weight = cost["weight"]
    if kind == "quadratic":
        target = cost["target"]
        return lambda x: weight / 2 * (x - target) ** 2
    low, high = cost["wells"]
    return lambda x: weight / 2 * ((x - low) * (x - high)) ** 2


def tuned(given: dict[str, Any], iterations: int = 400) -> tuple[float, float]:
    """Return the steps τ_a, τ_ω with the least error after some iterations; not counted as time."""
    best = (np.inf, 0.1, 1.0)
    for fast in (0.3, 0.6, 1.0, 2.0, 4.0, 8.0):
        for share in (0.5, 0.8, 0.95):
            slow = share / (given["lipschitz"] / 2 + fast)
            some, price = numpy_iteration(given, slow, fast)
            with np.errstate(all="ignore"):
                for _ in range(iterations // CHECK_EVERY):
                    some()
            error = float(np.abs(price() - given["price"]).max())
            best = min(best, (error if np.isfinite(error) else np.inf, slow, fast))
    return best[1], best[2]


def run(given: dict[str, Any], package: str, slow: float, fast: float, most: int) -> dict[str, Any]:
    """Return times and errors along the iteration, every few looks."""
    maker = numpy_iteration if package == "numpy" else torch_iteration
    some, price = maker(given, slow, fast)
    spent, history = 0.0, []
    for look in range(1, most // CHECK_EVERY + 1):
        start = time.perf_counter()
        some()
        spent += time.perf_counter() - start
        error = float(np.abs(price() - given["price"]).max())
        history.append((look * CHECK_EVERY, spent, error))
        if error < 1e-12 or not np.isfinite(error):
            break
    return {"history": history}


def main(file: str, package: str, slow: float, fast: float, most: int) -> None:
    """Print the history as a line of JSON; tune only, if the package is ``tune``."""
    given = json.loads(Path(file).read_text(encoding="utf-8"))
    for name in ("starts", "supply", "price"):
        given[name] = np.array(given[name])
    if package == "tune":
        print(json.dumps({"steps": tuned(given)}))
    elif package != "numpy" and not find_spec("torch"):
        print(json.dumps({"skipped": "PyTorch is not installed; see benchmarks/README.md"}))
    else:
        given["double"] = package != "torch32"
        print(json.dumps(run(given, package, slow, fast, most)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
