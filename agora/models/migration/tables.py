"""Concentration of a path and the forces behind it, from the moves along arcs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from agora.typing import Vector

if TYPE_CHECKING:
    from agora.models.migration.game import MeanFieldGame


def concentration_table(game: MeanFieldGame, path: pd.DataFrame) -> pd.DataFrame:
    r"""Return H = ∫ μ² dm and the forces of its growth H'/2 at every time of a path.

    .. math:: \tfrac12 H' = \nu \int \mu \Delta\mu - \frac{1}{\rho c_0} \int \Bigl( V + \nu \Delta u
              + \partial_t u + \frac{|\nabla u|^2}{2 c_0} \Bigr) \hat q, \qquad
              \hat q = \tfrac12 \Delta(\mu^2)

    Bahlali, Boucekkine & Petit (2026), "Decomposition of HHI evolution", without linearising: the columns
    shocks, myopic, uncertainty, expectations, and gradient (the last term, absent there). ∂_t u is what the
    backward equation gives. The column growth is H'/2 by the moves themselves; rest is what the columns
    before leave of it, an error of the grid. Per unit of time; H is dimensionless.
    """
    arcs, count = game.arcs, game.arcs.number
    m, tails, heads = arcs.weights, arcs.tails, arcs.heads
    open_to = arcs.ease * game.moving_cost
    clock = path["time"].to_numpy(dtype=float).reshape(-1, count)[:, 0]
    mu, u, real = (
        path[name].to_numpy(dtype=float).reshape(-1, count) for name in ("density", "value", "real_wage")
    )

    def onto_tails(along: Vector) -> Vector:
        total = np.zeros((len(along), count))
        for arc, tail in enumerate(tails):
            total[:, tail] += along[:, arc]
        return total

    def laplacian(field: Vector) -> Vector:
        return onto_tails(open_to * (field[:, heads] - field[:, tails]))

    worth, rate = game.technology(u[:, heads] - u[:, tails], arcs.noise, arcs.ease)
    won = onto_tails(worth)
    curved = game.noise * laplacian(u)
    crowding = laplacian(mu**2) / 2
    scale = -1 / (game.discount * game.moving_cost)
    growth = onto_tails(rate * mu[:, tails] * (mu[:, heads] - mu[:, tails])) @ m
    parts = {
        "shocks": game.noise * (mu * laplacian(mu)) @ m,
        "myopic": scale * (real * crowding) @ m,
        "uncertainty": scale * (curved * crowding) @ m,
        "expectations": scale * ((game.discount * u - real - won) * crowding) @ m,
        "gradient": scale * ((won - curved) * crowding) @ m,
    }
    rest = growth - sum(parts.values())
    return pd.DataFrame({"time": clock, "hhi": mu**2 @ m, "growth": growth, **parts, "rest": rest})
