"""All equilibria of a city of two or three cells, by its faces."""

from __future__ import annotations

from itertools import product

import numpy as np

from agora.methods.city.firms_game import FirmsGame, State
from agora.typing import Vector


def all_equilibria(game: FirmsGame) -> list[State]:
    """Return every equilibrium distribution of firms of a city of at most three cells.

    There ȟ bends only where a cell passes from exporting to importing labour, (1+φ) m_i = a_i. So
    the sets on which each cell is empty, exports, is balanced, imports, or is full are faces on
    which g is f less an affine function, strictly convex: at most one point of a face is
    stationary along it. Each of the 5^I candidates is then tested for being a best response to
    itself.

    Raises
    ------
    ValueError
        For more than three cells, where ȟ has other bends, and with excess land.
    """
    city, land = game.city, game.land
    if len(land) > 3 or not city.no_excess_land:
        raise ValueError("the faces are known for at most three cells without excess land only")
    balanced = land / (1 + city.labor_per_firm)
    zero = np.zeros_like(land)
    below = (zero, zero, balanced, balanced, land)
    above = (zero, balanced, balanced, land, land)
    results = []
    for faces in product(range(5), repeat=len(land)):
        low = np.array([below[face][cell] for cell, face in enumerate(faces)])
        high = np.array([above[face][cell] for cell, face in enumerate(faces)])
        firms = _stationary(game, low, high)
        if firms is not None:
            state = game.settle(firms)
            if game.gap(state) <= 1e-10:
                results.append(state)
    return results


def _stationary(game: FirmsGame, low: Vector, high: Vector) -> Vector | None:
    """Return the stationary point of g inside {low < m < high, Σ m = M} (equal ends: fixed), if any."""
    free = np.flatnonzero(high > low)
    missing = game.city.firm_mass - float(low.sum())
    if not len(free):
        return low if abs(missing) <= 1e-12 else None
    share = missing / float((high - low).sum())
    if not 1e-9 < share < 1 - 1e-9:
        return None
    inside = low + share * (high - low)
    moves = np.zeros((len(free) - 1, len(low)))
    moves[:, free[0]] = -1.0
    moves[np.arange(len(free) - 1), free[1:]] = 1.0
    step = 0.1 * float(np.minimum(inside - low, high - inside)[free].min())
    rise = (game.commuting_costs(inside + step * moves) - game.commuting_costs(inside)) / step
    jacobian = game.city.interaction.jacobian(inside)
    slope = moves @ game.city.interaction.level(inside) - rise
    firms = inside - np.linalg.solve(moves @ jacobian @ moves.T, slope) @ moves
    margin = 1e-9 * game.scale
    strictly = (firms[free] > low[free] + margin).all() and (firms[free] < high[free] - margin).all()
    return firms if strictly else None
