"""Beyond the slides: who agglomerates at which noise and moving cost; concentration and forces over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from agora.papers.computations import Beyond, goes_beyond
from agora.papers.spatial_dynamics.cases import CASES, PAPER, linear_game, solved
from agora.papers.spatial_dynamics.multiplicity import stationary_branch
from agora.runners.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GAME: dict[str, Any] = {"color": style.CATEGORIES[1], "linewidth": 2.4}
_MYOPIC: dict[str, Any] = {"color": style.CATEGORIES[6], "linewidth": 2.4, "linestyle": (0, (4, 1.6))}
LOOKS: dict[str, dict[str, Any]] = {
    "shocks": {"color": style.CATEGORIES[7], "linewidth": 1.8, "linestyle": (0, (1.2, 1.2))},
    "myopic": {"color": style.CATEGORIES[6], "linewidth": 2.0, "linestyle": (0, (4, 1.6))},
    "uncertainty": {"color": style.CATEGORIES[2], "linewidth": 1.8, "linestyle": (0, (6, 1.4, 1.2, 1.4))},
    "expectations": {"color": style.CATEGORIES[1], "linewidth": 2.4},
}
"""One look a force."""
TITLES = {"K1": "Krugman (K1)", "A1": "Armington (A1)"}
"""The cases whose paths are drawn."""


def thresholds() -> pd.DataFrame:
    """Return the moving costs below which the first wave of the Krugman economy grows, by noise."""
    rows = []
    for noise in (0.002, 0.005, 0.01, 0.02, 0.05, 0.1):
        game = linear_game("K1", noise=noise, horizon=np.inf)
        rows.append((noise, game.game_threshold, game.myopic_threshold))
    return pd.DataFrame(rows, columns=["noise", "game_threshold", "myopic_threshold"])


def draw_phases() -> Figure:
    """Draw where myopic and forward-looking Krugman economies agglomerate, in (ν, c0)."""
    noise = np.geomspace(0.002, 0.1, 200)
    games = [linear_game("K1", noise=float(nu), horizon=np.inf) for nu in noise]
    game, myopic = (np.array([getattr(g, f"{k}_threshold") for g in games]) for k in ("game", "myopic"))
    low, high = 1.0, 3000.0
    with style.drawing(4.6) as figure:
        axes = figure.subplots()
        axes.fill_between(noise, low, game, color="#BFD9EC", linewidth=0)
        axes.fill_between(noise, game, myopic, color="#F6CDB2", linewidth=0)
        axes.fill_between(noise, myopic, high, color=style.VACANT, linewidth=0)
        axes.plot(noise, game, **_GAME)
        axes.plot(noise, myopic, **_MYOPIC)
        axes.set(xscale="log", yscale="log", xlim=(noise[0], noise[-1]), ylim=(low, high))
        axes.set(xlabel="noise ν", ylabel="moving cost c₀")
        axes.text(0.0035, 8.0, "both agglomerate", fontsize=style.TEXT)
        axes.text(0.03, 700.0, "both disperse", fontsize=style.TEXT)
        middle = 0.06
        at = np.searchsorted(noise, middle)
        axes.annotate(
            "the myopic economy agglomerates,\nthe game disperses",
            (middle, float(np.sqrt(game[at] * myopic[at]))),
            (0.0052, 2.2),
            fontsize=style.SMALL,
            arrowprops={"arrowstyle": "-", "color": style.INK, "linewidth": 0.9},
        )
        for case in ("K1", "K2"):
            axes.plot(0.01, CASES[case][1], marker="o", color=style.INK, markersize=5)
            style.note(axes, case, (0.01, CASES[case][1]), (6, -4))
        entries = [
            style.line("game: c₀ = λ/(ν(νk² + ρ))", **_GAME),
            style.line("myopic: c₀ = λ/(νρ)", **_MYOPIC),
        ]
        style.add_legend(axes, entries, above=True)
    return figure


def draw_forces() -> Figure:
    """Draw concentration and the forces of the exact decomposition over time for K1 and A1."""
    with style.drawing(6.4) as figure:
        tables = {case: solved(case).tables["concentration"].iloc[:-1] for case in TITLES}
        names = {**{name: name for name in LOOKS}, "growth": "H′/2"}
        _show_forces(figure, tables, ("concentration H", "forces, parts of H′/2"), names)
    return figure


def draw_linear_forces() -> Figure:
    """Draw concentration and the four forces over time for Krugman (K1) and Armington (A1), linearised."""
    tables, turns = {}, []
    for case in TITLES:
        game = linear_game(case)
        t = np.linspace(0, game.horizon, 400)
        growth = game.concentration_growth(t)
        tables[case] = pd.DataFrame(
            {"time": t, "hhi": game.concentration(t) - 1, **game.forces(t), "growth": growth}
        )
        turns.append(game.expectations_turn)
    names = {"shocks": "shocks F₁", "myopic": "myopic F₂", "uncertainty": "uncertainty F₃"}
    names |= {"expectations": "expectations F₄", "growth": "sum, H′/2"}
    with style.drawing(6.4) as figure:
        panels = _show_forces(figure, tables, ("(H − 1)/δ²", "forces, parts of H′/(2δ²)"), names)
        for (top, bottom), turn in zip(panels.T, turns, strict=True):
            top.set_ylim(bottom=0)
            if np.isfinite(turn) and turn > 0:
                bottom.axvline(turn, color=style.GUIDES, linewidth=1.2, zorder=0)
                at, look = (turn, bottom.get_ylim()[0]), {"ha": "right", "fontsize": style.SMALL - 1}
                style.note(bottom, f"t = {turn:.2f}:\nexpectations\nturn", at, (-4, 6), **look)
    return figure


def _show_forces(
    figure: Figure, tables: Mapping[str, pd.DataFrame], labels: tuple[str, str], names: Mapping[str, str]
) -> Any:
    """Draw concentration over forces, a column a case, and the legend; return the panels (2, cases)."""
    panels = figure.subplots(2, len(tables), sharex="col", height_ratios=(1, 1.6))
    total: dict[str, Any] = {"color": style.CATEGORIES[0], "linewidth": 3.4}
    for (top, bottom), (case, table) in zip(panels.T, tables.items(), strict=True):
        top.set_title(f"{TITLES[case]}, c₀ = {CASES[case][1]:g}", fontsize=style.TEXT)
        top.plot(table["time"], table["hhi"], color=style.INK, linewidth=2.0)
        bottom.axhline(0, color=style.GUIDES, linewidth=1.0, zorder=0)
        bottom.plot(table["time"], table["growth"], zorder=1, **total)
        for name, look in LOOKS.items():
            bottom.plot(table["time"], table[name], **look)
        bottom.set_xlabel("time")
        bottom.ticklabel_format(axis="y", style="sci", scilimits=(-1, 2), useMathText=True)
    for axes, label in zip(panels[:, 0], labels, strict=True):
        axes.set_ylabel(label, fontsize=style.SMALL)
    figure.align_ylabels(panels[:, 0])
    entries = [style.line(names[name], **look) for name, look in {**LOOKS, "growth": total}.items()]
    figure.legend(handles=entries, loc="outside lower center", ncols=3, columnspacing=1.0, handlelength=2.2)
    return panels


def draw_evolution() -> Figure:
    """Draw the density over space and time of the Krugman (K1) and the Armington (A1) game as heat maps."""
    with style.drawing(4.4) as figure:
        panels = figure.subplots(1, 2)
        for axes, (case, title) in zip(panels, TITLES.items(), strict=True):
            path = solved(case).tables["path"].pivot(index="time", columns="x", values="density")
            cells = path.shape[1]
            x = 2 * np.pi * (np.arange(cells) - cells // 2) / cells
            image = axes.pcolormesh(
                x, path.index.to_numpy(), np.roll(path.to_numpy(), cells // 2, axis=1),
                cmap=style.light_to_dark(), rasterized=True, shading="nearest",
            )  # fmt: skip
            axes.set_title(f"{title}, c₀ = {CASES[case][1]:g}", fontsize=style.TEXT)
            axes.set_xticks([-np.pi, 0, np.pi * (1 - 2 / cells)], ["−π", "0", "π"])
            axes.set_xlabel("place x")
            axes.locator_params(axis="y", nbins=5)
            figure.colorbar(image, ax=axes, location="bottom", label="density μ")
        panels[0].set_ylabel("time")
    return figure


def draw_bifurcation() -> Figure:
    """Draw concentration of the stationary Krugman states against the moving cost, on 64 cells."""
    branch = stationary_branch()
    threshold = linear_game("K1", horizon=np.inf).game_threshold
    waves: dict[str, Any] = {**_GAME, "linewidth": 1.8, "linestyle": (0, (2, 1.6))}
    with style.drawing(4.2) as figure:
        axes = figure.subplots()
        axes.plot([threshold, 300], [1, 1], **_GAME)
        axes.plot([40, threshold], [1, 1], **waves)
        axes.plot(*np.array([*branch, (threshold, 1.0)]).T, **_GAME | {"color": style.CATEGORIES[6]})
        style.note(axes, f"c₀ = {threshold:.2f}", (threshold, 1.0), (0, 14))
        axes.set(xlabel="moving cost c₀", ylabel="concentration H", xlim=(40, 300), ylim=(0.7, None))
        entries = [
            style.line("agglomerated", **_GAME | {"color": style.CATEGORIES[6]}),
            style.line("uniform", **_GAME),
            style.line("uniform, waves grow", **waves),
        ]
        style.add_legend(axes, entries, above=True)
    return figure


def force_table() -> pd.DataFrame:
    """Return the four forces of the reference cases at a quarter, half and three quarters of the horizon."""
    rows: list[dict[str, Any]] = []
    for case in CASES:
        game = linear_game(case)
        for share in (0.25, 0.5, 0.75):
            t = share * game.horizon
            forces = {name: float(value) for name, value in game.forces(t).items()}
            growth = float(game.concentration_growth(t))
            rows.append(
                {"case": case, "time": t, "hhi": float(game.concentration(t)), **forces, "growth": growth}
            )
    return pd.DataFrame(rows)


@goes_beyond(PAPER)
def phases_and_forces() -> Beyond:
    """Return the thresholds, the forces, the phase diagram and the forces over time."""
    return Beyond(
        tables={"moving-cost-thresholds": thresholds(), "linear-forces": force_table()},
        figures={
            "phases": draw_phases(),
            "linear-forces": draw_linear_forces(),
            "bifurcation": draw_bifurcation(),
            "evolution": draw_evolution(),
            "forces": draw_forces(),
        },
    )
