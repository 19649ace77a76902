"""What the paper states about prices and trajectories, each statement computed."""

from __future__ import annotations

import numpy as np

from agora.methods.price_formation.closed_forms import mean_field
from agora.papers.computations import Finding, computes, violation
from agora.papers.price_formation.cases import (
    CASES,
    at_rest,
    clearing_levels,
    continuous_price,
    continuous_states,
    equilibrium,
    level,
    market,
    price,
    published_case_3,
    upper_share,
)


def _proof(case: str, released: bool = False) -> str:
    solution = equilibrium(case, released)
    worst = max(violation(solution, "exploitability_max"), 1e-14)
    by = solution.certificate.facts["best_replies"]
    return f"exploitability of every agent proved below {worst:.0e} by {by}"


@computes("order-of-convergence")
def order_of_convergence(case: str, quantity: str) -> Finding:
    """Return the order at which a quadratic case tends to its closed form in continuous time."""
    errors = []
    for steps in (250, 500, 1000, 2000):
        # with the sine of case 1 the closed form is elementary
        model = market(case, steps=steps, supply=CASES["1"]["supply"])
        result = mean_field(model)
        if quantity == "price":
            gap = result.prices[0] - continuous_price(model, model.times)
        else:
            gap = result.states[:, 0] - continuous_states(model)
        errors.append(float(np.abs(gap).max()))
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    return Finding(
        float(orders[-1]),
        note="largest errors with 250, 500, 1000 and 2000 steps: " + ", ".join(f"{e:.3e}" for e in errors),
        certificate="the closed form, (34)–(39), and the program's exact solution at every step size",
    )


@computes("opposite-trends")
def opposite_trends(case: str) -> Finding:
    """Test that the price falls whenever supply rises, and rises whenever it falls."""
    table = equilibrium(case).tables["price"]
    change = np.diff(table["price"]) * np.diff(table["supply"])
    share = float((change <= 1e-12).mean())
    return Finding(
        share == 1.0, note=f"in {100 * share:.1f} % of the steps the two move against each other",
        certificate=_proof(case),
    )  # fmt: skip


@computes("smooth-combination")
def smooth_combination(case: str) -> Finding:
    """Test that ω + c₀Q is smooth where ω is not: its roughness falls with the step, that of ω does not."""
    table = equilibrium(case).tables["price"]
    rough = table["price"].to_numpy(dtype=float)
    smooth = rough + market(case).control_cost * table["supply"].to_numpy(dtype=float)
    variation = [
        [float((np.diff(values[::every]) ** 2).sum()) for every in (1, 2, 4)] for values in (rough, smooth)
    ]
    holds = variation[1][0] < 0.6 * variation[1][1] < 0.36 * variation[1][2] and variation[0][0] > 0.5
    return Finding(
        holds,
        note=f"quadratic variation of ω with steps h, 2h, 4h: {variation[0][0]:.3f}, {variation[0][1]:.3f}, "
        f"{variation[0][2]:.3f}, as a Wiener path has; of ω + c₀Q: {variation[1][0]:.2e}, "
        f"{variation[1][1]:.2e}, {variation[1][2]:.2e}, in proportion to the step",
        certificate=_proof(case),
    )


@computes("price-level")
def price_level_of_case_3(printed: float) -> Finding:
    """Return the equilibrium level P of case 3; say what the printed one is."""
    released, grid = equilibrium("3", True).tables, equilibrium("3").tables
    low, clearing = published_case_3(printed)
    gains = clearing.gains
    exploited = gains.largest > 1e-6
    initial = clearing.model.starts[exploited, 0]
    spent = float(clearing.tables["totals"]["revenue"].iloc[0] - clearing.model.masses @ gains.values)
    best = -float(released["totals"]["population_cost"].iloc[0])
    return Finding(
        level(market("3", released=True), price(released)),
        note=f"at P = {level(clearing.model, clearing.prices):.4f} the market clears with {low} of "
        f"{len(gains.gains)} agents in the lower well, but {int(exploited.sum())} agents, x0 from "
        f"{initial.min():.2f} to {initial.max():.2f}, gain up to {gains.largest.max():.4f} by moving to the "
        f"other, on average {float(clearing.model.masses @ gains.gains):.4f}; J exceeds its minimum by "
        f"{spent - best:.4f}. "
        f"Supply sampled at the grid of times: P = {level(market('3'), price(grid)):.6f}",
        certificate=_proof("3", True),
    )


@computes("one-level-clears")
def one_level_clears() -> Finding:
    """Test that only one level of case 3 clears while agents stay at locally best paths."""
    levels = sorted(clearing_levels().values())
    return Finding(
        len(levels) == 1,
        note=f"{len(levels)} levels from {levels[0]:.3f} to {levels[-1]:.3f} clear, one for each number of "
        "agents in the lower well that has one; where the iteration stops depends on where it starts",
        certificate="each clears exactly with every agent at a strict local minimum",
    )


@computes("final-clusters")
def final_clusters(case: str) -> Finding:
    """Test that at the end more agents are near the upper well than near the lower."""
    paths = equilibrium(case).tables["paths"]
    upper = upper_share(equilibrium(case).tables)
    mixing = sorted(set(paths.loc[paths["path"] > 0, "agent"].tolist()))
    return Finding(
        upper > 0.5,
        note=f"{100 * upper:.1f} % near .75, {100 * (1 - upper):.1f} % near .25; agents who mix: {mixing}",
        certificate=_proof(case),
    )


@computes("collapses")
def collapses(case: str) -> Finding:
    """Test that agents end in one narrow region instead of two clusters."""
    paths = equilibrium(case).tables["paths"]
    last = paths.loc[paths["time"] == paths["time"].max(), "state"].to_numpy(dtype=float)
    gaps = np.diff(np.sort(last))
    return Finding(
        bool(np.ptp(last) < 0.2 and gaps.max() < 0.25),
        note=f"final states from {last.min():.3f} to {last.max():.3f}, largest gap {gaps.max():.3f}; the "
        "Wiener path is Agora's own, seed 1, with a downward trend too",
        certificate=_proof(case),
    )


@computes("iteration-finds-equilibrium")
def iteration_finds_equilibrium(case: str) -> Finding:
    """Test that agents who slide from rest to a path best near by are at global best replies."""
    result = at_rest(case)
    gains = result.gains
    exploited = np.flatnonzero(gains.largest > 1e-5)
    return Finding(
        not len(exploited),
        note=f"{len(exploited)} agents gain by another reply, at most {max(gains.largest.max(), 0):.5f}; "
        f"mean of ω + c₀Q {level(result.model, result.prices):.4f}",
        certificate=f"best replies by {gains.proof}",
    )


@computes("minimisers-are-equilibria")
def minimisers_are_equilibria(cases: list[str]) -> Finding:
    """Return the largest gap between J and its lower bound at the equilibria of all cases."""
    gaps = {case: violation(equilibrium(case), "gap") for case in cases}
    return Finding(
        max(gaps.values()),
        note="; ".join(f"case {case}: {gap:.1e}" for case, gap in gaps.items()),
        certificate="J from proved best replies, its lower bound from what the population spends",
    )
