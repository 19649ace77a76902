"""Beyond the slides: who agglomerates at which noise and moving cost; concentration and forces over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from agora.papers.computations import Beyond, goes_beyond
from agora.papers.spatial_dynamics.cases import CASES, PAPER, linear_game
from agora.papers.spatial_dynamics.game import LOOKS, draw_evolution, draw_forces
from agora.papers.spatial_dynamics.multiplicity import stationary_branch
from agora.runners.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GAME: dict[str, Any] = {"color": style.CATEGORIES[1], "linewidth": 2.4}
_MYOPIC: dict[str, Any] = {"color": style.CATEGORIES[6], "linewidth": 2.4, "linestyle": (0, (4, 1.6))}


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
        axes.set_xlabel("noise ν")
        axes.set_ylabel("moving cost c₀")
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
            axes.annotate(
                case, (0.01, CASES[case][1]), (6, -4), textcoords="offset points", fontsize=style.SMALL
            )
        entries = [
            style.line("game: c₀ = λ/(ν(νk² + ρ))", **_GAME),
            style.line("myopic: c₀ = λ/(νρ)", **_MYOPIC),
        ]
        style.add_legend(axes, entries, above=True)
    return figure


def draw_linear_forces() -> Figure:
    """Draw concentration and the four forces over time for Krugman (K1) and Armington (A1), linearised."""
    with style.drawing(6.4) as figure:
        panels = figure.subplots(2, 2, sharex="col", height_ratios=(1, 1.6))
        for column, (case, title) in enumerate((("K1", "Krugman (K1)"), ("A1", "Armington (A1)"))):
            game = linear_game(case)
            t = np.linspace(0, game.horizon, 400)
            top, bottom = panels[0, column], panels[1, column]
            top.set_title(f"{title}, c₀ = {game.moving_cost:g}", fontsize=style.TEXT)
            top.plot(t, game.concentration(t) - 1, color=style.INK, linewidth=2.0)
            for name, force in game.forces(t).items():
                bottom.plot(t, force, **LOOKS[name])
            bottom.plot(t, game.concentration_growth(t), color=style.CATEGORIES[0], linewidth=3.4, zorder=1)
            bottom.axhline(0, color=style.GUIDES, linewidth=1.0, zorder=0)
            if np.isfinite(game.expectations_turn) and game.expectations_turn > 0:
                bottom.axvline(game.expectations_turn, color=style.GUIDES, linewidth=1.2, zorder=0)
                bottom.annotate(
                    f"t = {game.expectations_turn:.2f}:\nexpectations\nturn",
                    (game.expectations_turn, bottom.get_ylim()[0]),
                    (-4, 6),
                    textcoords="offset points",
                    ha="right",
                    fontsize=style.SMALL - 1,
                )
            bottom.set_xlabel("time")
            top.set_ylim(bottom=0)
            bottom.ticklabel_format(axis="y", style="sci", scilimits=(-1, 2), useMathText=True)
        panels[0, 0].set_ylabel("(H − 1)/δ²", fontsize=style.SMALL)
        panels[1, 0].set_ylabel("forces, parts of H′/(2δ²)", fontsize=style.SMALL)
        figure.align_ylabels(panels[:, 0])
        names = {"shocks": "shocks F₁", "myopic": "myopic F₂", "uncertainty": "uncertainty F₃"}
        names |= {"expectations": "expectations F₄"}
        entries = [style.line(names[name], **look) for name, look in LOOKS.items()]
        entries.append(style.line("sum, H′/2", color=style.CATEGORIES[0], linewidth=3.4))
        figure.legend(
            handles=entries, loc="outside lower center", ncols=3, columnspacing=1.0, handlelength=2.2
        )
    return figure


def draw_bifurcation() -> Figure:
    """Draw concentration of the stationary Krugman states against the moving cost, on 64 cells."""
    branch = stationary_branch()
    threshold = linear_game("K1", horizon=np.inf).game_threshold
    with style.drawing(4.2) as figure:
        axes = figure.subplots()
        axes.plot([threshold, 300], [1, 1], color=style.CATEGORIES[1], linewidth=2.4)
        axes.plot([40, threshold], [1, 1], color=style.CATEGORIES[1], linewidth=1.8, linestyle=(0, (2, 1.6)))
        axes.plot(*np.array([*branch, (threshold, 1.0)]).T, color=style.CATEGORIES[6], linewidth=2.4)
        axes.annotate(
            f"c₀ = {threshold:.2f}",
            (threshold, 1.0),
            (0, 14),
            textcoords="offset points",
            fontsize=style.SMALL,
        )
        axes.set(xlabel="moving cost c₀", ylabel="concentration H", xlim=(40, 300), ylim=(0.7, None))
        entries = [
            style.line("agglomerated", color=style.CATEGORIES[6], linewidth=2.4),
            style.line("uniform", color=style.CATEGORIES[1], linewidth=2.4),
            style.line(
                "uniform, waves grow", color=style.CATEGORIES[1], linewidth=1.8, linestyle=(0, (2, 1.6))
            ),
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
