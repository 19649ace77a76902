"""The nonlinear game on the racetrack: the reference cases solved, their forces, and how they look."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from agora.models.migration.spatial_game import SpatialGame
from agora.models.solution import Solution
from agora.papers.computations import Finding, computes
from agora.papers.spatial_dynamics.cases import CASES, DISCOUNT, ELASTICITY, NOISE, RADIUS, RATE
from agora.runners.figures import style
from agora.runners.solving import solve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELLS = STEPS = 64
LOOKS: dict[str, dict[str, Any]] = {
    "shocks": {"color": style.CATEGORIES[7], "linewidth": 1.8, "linestyle": (0, (1.2, 1.2))},
    "myopic": {"color": style.CATEGORIES[6], "linewidth": 2.0, "linestyle": (0, (4, 1.6))},
    "uncertainty": {"color": style.CATEGORIES[2], "linewidth": 1.8, "linestyle": (0, (6, 1.4, 1.2, 1.4))},
    "expectations": {"color": style.CATEGORIES[1], "linewidth": 2.4},
}
"""One look a force."""


@cache
def solved(case: str) -> Solution:
    """Return the certified game of a reference case from μ⁰ = 1 + .5 cos x, 64 cells and 64 steps."""
    variant, moving_cost, horizon = CASES[case]
    model = SpatialGame(
        variant=variant, elasticity=ELASTICITY, trade_cost_rate=RATE, radius=RADIUS, noise=NOISE,
        discount=DISCOUNT, moving_cost=moving_cost, horizon=horizon, cells=CELLS, steps=STEPS,
        initial={"kind": "cosine", "amplitude": 0.5, "mode": 1},
    )  # fmt: skip
    return solve(model)


@computes("sign-of-a-nonlinear-force")
def sign_of_a_nonlinear_force(case: str, force: str, sign: int) -> Finding:
    """Test the sign of a force of the exact decomposition at all times but the last two of a solved game."""
    solution = solved(case)
    table = solution.tables["concentration"].iloc[:-2]
    kept = np.sign(table[force].to_numpy(dtype=float)) == sign
    times = table["time"].to_numpy(dtype=float)
    note = f"{case}, δ = .5: the stated sign at {int(kept.sum())} of {len(kept)} times"
    if not kept.all():
        note += f", not from t = {times[int(np.argmin(kept))]:.4g} on"
    return Finding(bool(kept.all()), note=note, certificate="the game certified with best replies")


def draw_evolution() -> Figure:
    """Draw the density over space and time of the Krugman (K1) and the Armington (A1) game as heat maps."""
    with style.drawing(4.4) as figure:
        panels = figure.subplots(1, 2)
        for axes, (case, title) in zip(
            panels, (("K1", "Krugman (K1)"), ("A1", "Armington (A1)")), strict=True
        ):
            path = solved(case).tables["path"].pivot(index="time", columns="x", values="density")
            centred = np.roll(path.to_numpy(), CELLS // 2, axis=1)
            x = 2 * np.pi * (np.arange(CELLS) - CELLS // 2) / CELLS
            image = axes.pcolormesh(
                x,
                path.index.to_numpy(),
                centred,
                cmap=style.light_to_dark(),
                rasterized=True,
                shading="nearest",
            )
            axes.set_title(f"{title}, c₀ = {CASES[case][1]:g}", fontsize=style.TEXT)
            axes.set_xticks([-np.pi, 0, np.pi * (1 - 2 / CELLS)], ["−π", "0", "π"])
            axes.set_xlabel("place x")
            axes.locator_params(axis="y", nbins=5)
            figure.colorbar(image, ax=axes, location="bottom", label="density μ")
        panels[0].set_ylabel("time")
    return figure


def draw_forces() -> Figure:
    """Draw concentration and the forces of the exact decomposition over time for K1 and A1."""
    with style.drawing(6.4) as figure:
        panels = figure.subplots(2, 2, sharex="col", height_ratios=(1, 1.6))
        for column, (case, title) in enumerate((("K1", "Krugman (K1)"), ("A1", "Armington (A1)"))):
            table = solved(case).tables["concentration"].iloc[:-1]
            top, bottom = panels[0, column], panels[1, column]
            top.set_title(f"{title}, c₀ = {CASES[case][1]:g}", fontsize=style.TEXT)
            top.plot(table["time"], table["hhi"], color=style.INK, linewidth=2.0)
            bottom.axhline(0, color=style.GUIDES, linewidth=1.0, zorder=0)
            bottom.plot(table["time"], table["growth"], color=style.CATEGORIES[0], linewidth=3.4, zorder=1)
            for name, look in LOOKS.items():
                bottom.plot(table["time"], table[name], **look)
            bottom.set_xlabel("time")
            bottom.ticklabel_format(axis="y", style="sci", scilimits=(-1, 2), useMathText=True)
        panels[0, 0].set_ylabel("concentration H", fontsize=style.SMALL)
        panels[1, 0].set_ylabel("forces, parts of H′/2", fontsize=style.SMALL)
        figure.align_ylabels(panels[:, 0])
        entries = [style.line(name, **look) for name, look in LOOKS.items()]
        entries.append(style.line("H′/2", color=style.CATEGORIES[0], linewidth=3.4))
        figure.legend(
            handles=entries, loc="outside lower center", ncols=3, columnspacing=1.0, handlelength=2.2
        )
    return figure
