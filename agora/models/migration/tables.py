"""What the tables of trade and migration hold, and the concentration of a path with the forces behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from agora.models.table_spec import DIMENSIONLESS, Column, TableSpec, columns
from agora.typing import Vector

if TYPE_CHECKING:
    from agora.models.migration.game import MeanFieldGame

UNITS_OF_MOVES: dict[str, str] = {
    "trade_cost_rate": "per unit of length",
    "radius": "length",
    "noise": "squared length per time",
    "discount": "per unit of time",
    "moving_cost": "real wage × time³ per squared length",
    "horizon": "time",
}
"""Units of parameters where people move for the sake of real wages."""

_TIME, _HHI = Column("time", "time"), Column("hhi", DIMENSIONLESS)
_X = Column("x", "length")
_DENSITY = Column("density", "workers per unit of land")
_WAGES = (Column("wage", "income of the mean worker"), Column("real_wage", "real wage"))
_WORTH = "real wage × time"

MYOPIC_TABLES: dict[str, TableSpec] = {
    "path": TableSpec((_TIME, _X, _DENSITY, *_WAGES), key=("time", "x")),
    "concentration": TableSpec((_TIME, _HHI), key=("time",)),
}
"""Tables of a path whose workers do not foresee."""

_INCOME = "share of world income"
TRADE_TABLES: dict[str, TableSpec] = {
    "locations": TableSpec(
        (
            Column("location", kind="name"),
            Column("population", "people per unit of the base measure"),
            *columns("weight", "productivity", "amenity", unit=DIMENSIONLESS),
            Column("wage", _INCOME),
            Column("price_index", DIMENSIONLESS),
            Column("real_wage", "real wage"),
        ),
        key=("location",),
    ),
    "totals": TableSpec(
        (
            Column("income", _INCOME),
            Column("mean_real_wage", "real wage"),
            *columns("own_share", "walras_slack", unit=DIMENSIONLESS),
        )
    ),
    "trade": TableSpec(
        (
            *columns("origin", "destination", kind="name"),
            *columns("cost", "share", unit=DIMENSIONLESS),
            Column("flow", _INCOME),
        ),
        key=("origin", "destination"),
        optional="few places",
    ),
}
"""Tables of a trade equilibrium."""

_STATE = TableSpec(
    (
        _TIME,
        replace(_X, optional="a racetrack or a torus"),
        Column("y", "length", optional="a torus"),
        Column("cell", kind="name", optional="a graph"),
        _DENSITY,
        Column("value", _WORTH),
        *_WAGES,
    ),
    key=("time", "x", "y", "cell"),
)
_FORCES = ("growth", "shocks", "myopic", "uncertainty", "expectations", "gradient", "rest")
_NOT_FOUND = "this start led to no equilibrium"
_FIRST = "the first horizon has none before it"
GAME_TABLES: dict[str, TableSpec] = {
    "path": _STATE,
    "concentration": TableSpec(
        (_TIME, _HHI, *columns(*_FORCES, unit="per unit of time")),
        key=("time",),
    ),
    "rest": replace(_STATE, optional="an infinite horizon"),
    "branch": TableSpec(
        (
            Column("step", kind="whole"),
            Column("parameter", kind="name"),
            Column("value", "that of the parameter"),
            _HHI,
            Column("iterations", kind="whole"),
            replace(_DENSITY, name="moved", missing=_FIRST, optional="an infinite horizon"),
        ),
        key=("step",),
        optional="answers of a method",
    ),
    "branches": TableSpec(
        (
            *columns("start", "centre", kind="whole"),
            Column("strength", DIMENSIONLESS),
            *columns("deflated", "solved", "new", kind="truth"),
            replace(_HHI, missing=_NOT_FOUND),
            Column("mean_value", _WORTH, missing=_NOT_FOUND),
        ),
        key=("start",),
        optional="a search from further starts",
    ),
}
"""Tables of a mean-field game, those of single methods too."""


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

    hamiltonian, rate = game.technology(u[:, heads] - u[:, tails], arcs.noise, arcs.ease)
    won = onto_tails(hamiltonian)
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
