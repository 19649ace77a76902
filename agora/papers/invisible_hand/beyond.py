"""Beyond the claims: the base economy over time, decay and growth rates, rest points, order of the steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from agora.papers.computations import Beyond, goes_beyond
from agora.papers.invisible_hand.economies import PAPER, economy, even, growth_rate, path
from agora.papers.invisible_hand.statements import STEPS, distances_by_step, rest_with_fixed_cost
from agora.runners.figures import style
from agora.runners.figures.sectors.firms import draw_invisible_hand

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIGMAS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0)
ETAS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25)


@goes_beyond(PAPER)
def paths_and_rates() -> Beyond:
    """Return the tables of rates and distances, and the figures."""
    decay = pd.DataFrame(
        [(s, -growth_rate(even(s)), np.pi**2 * 0.35 / (1 + 0.35 * (s - 1))) for s in SIGMAS],
        columns=["substitution", "computed", "theory"],
    )
    growth = pd.DataFrame(
        [(e, growth_rate(even(2.0, e)), -(np.pi**2) * 0.35 * (1 - e) / 1.35) for e in ETAS],
        columns=["externality", "computed", "theory"],
    )
    order = pd.DataFrame({"step": STEPS, "distance": distances_by_step()})
    base = path()
    return Beyond(
        tables={"decay-rates": decay, "growth-rates": growth, "order-of-the-steps": order},
        figures={
            "path": draw_invisible_hand(economy(), base.tables),
            "rates": _draw_rates(decay, growth),
            "rest-points": _draw_rest_points(),
        },
    )


def _draw_rates(decay: pd.DataFrame, growth: pd.DataFrame) -> Figure:
    """Draw decay rates against σ and growth rates against η: computed as dots, theory as lines."""
    with style.drawing(6.0) as figure:
        upper, lower = figure.subplots(2, 1)
        sigma = np.linspace(SIGMAS[0], SIGMAS[-1], 200)
        eta = np.linspace(ETAS[0], ETAS[-1], 200)
        line: dict[str, Any] = {"color": style.GUIDES, "linewidth": 5.0}
        upper.plot(sigma, np.pi**2 * 0.35 / (1 + 0.35 * (sigma - 1)), label="theory", **line)
        upper.plot(decay["substitution"], decay["computed"], "o", color=style.RENTS, label="400 sectors")
        upper.set(xlabel="elasticity of substitution σ", ylabel="decay rate", ylim=(0, None))
        lower.axhline(0.0, color=style.LINKS, linewidth=0.8)
        lower.axvline(1.0, color=style.LINKS, linewidth=0.8, linestyle="--")
        style.note(lower, "η = 1/(σ − 1)", (1.0, -2.0), (6, 0))
        lower.plot(eta, -(np.pi**2) * 0.35 * (1 - eta) / 1.35, **line)
        lower.plot(growth["externality"], growth["computed"], "o", color=style.FIRMS)
        lower.set(xlabel="externality η (σ = 2)", ylabel="growth rate")
        upper.legend()
    return figure


def _draw_rest_points() -> Figure:
    """Draw where firms rest with a fixed cost, from three starts, among identical sectors."""
    with style.drawing(3.8) as figure:
        axes = figure.subplots()
        for colour, at in zip(style.CATEGORIES, (0.15, 0.5, 0.85), strict=False):
            density = rest_with_fixed_cost(at) * 40
            location = (np.arange(40) + 0.5) / 40
            axes.plot(location, density, color=colour, linewidth=2.2, label=f"start at {at:g}")
        axes.axhline(1.0, color=style.INK, linewidth=1.6, linestyle=(0, (4, 2)), label="φ = 0")
        axes.set(xlabel="sector x", ylabel="firms per variety at rest", ylim=(0, None))
        axes.legend(ncols=2)
        figure.suptitle("Where firms rest with a fixed cost φ = .05")
    return figure
