"""The paper's cities and patterns, all their equilibria, and where something changes with t."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from agora import numerics
from agora.data.frozen_geographies import frozen_geography
from agora.data.geographies import circle, two_cell
from agora.methods.city.best_response import equivalent
from agora.methods.city.firms_game import FirmsGame, State
from agora.methods.city.vertex_enumeration import check_enumerable, vertices
from agora.models.city.fujita_ogawa import FujitaOgawa
from agora.solvers.reuse import Workbench, working_at
from agora.typing import Vector

CityAt = Callable[[float], FujitaOgawa]
"""A city as a function of its commuting cost t."""

ANY_COST = 1.0
"""A commuting cost for what does not depend on it, and for ȟ/t."""


def two_cells(land: float, decay: float, firm_mass: float = 0.5, labor: float | None = None) -> CityAt:
    """Return the city of section 5: `land` in cell 1, the rest of 1 in cell 2, distance 1.

    Unless `labor` is given, φ = 1/M − 1: no excess land (Assumption 3).
    """
    geography = frozen_geography(two_cell(land=(land, 1 - land)))

    def city(cost: float) -> FujitaOgawa:
        return FujitaOgawa(
            geography=geography,
            commuting_cost=cost,
            decay=decay,
            firm_mass=firm_mass,
            labor_per_firm=1 / firm_mass - 1 if labor is None else labor,
        )

    return city


def circle_cells(cells: int, decay: float, firm_mass: float = 0.5) -> CityAt:
    """Return the city of section 6: equal cells on a circle of length 1, φ = 1.

    M = ½ leaves no excess land (Assumptions 3 to 5).
    """
    geography = frozen_geography(circle(cells))

    def city(cost: float) -> FujitaOgawa:
        return FujitaOgawa(
            geography=geography, commuting_cost=cost, decay=decay, firm_mass=firm_mass, labor_per_firm=1.0
        )

    return city


def decay_on_circle(cells: int, delta: float) -> float:
    """Return τ with δ = e^{−τ/I}, per unit of length."""
    return -cells * math.log(delta)


def firms_of(multiples: Sequence[float]) -> Vector:
    """Return the firms of a pattern on the circle given as multiples of m̄ = 1/(2I)."""
    return np.array(multiples, dtype=float) / (2 * len(multiples))


def centric(cells: int, centres: int) -> Vector:
    """Return m^J, (6.1): J business centres of I/(2J) cells, as far apart as can be; J = 0 is uniform."""
    if centres == 0:
        return firms_of([1.0] * cells)
    period = cells // centres
    if period * centres != cells or period % 2:
        raise ValueError(f"{centres} equal centres do not fit on {cells} cells")
    start = period // 4
    block = [2.0 if start <= cell < start + period // 2 else 0.0 for cell in range(period)]
    return firms_of(block * centres)


def production(city: FujitaOgawa, firms: Vector) -> float:
    """Return f(m)."""
    return city.interaction.potential(firms)


def parts_of(city: CityAt, firms: Vector) -> tuple[Vector, Vector]:
    """Return f and ȟ/t (N,) at distributions of firms (N, I)."""
    game = FirmsGame(city(ANY_COST))
    made = np.array([production(game.city, row) for row in firms])
    if game.city.no_excess_land:
        return made, game.commuting_costs(firms) / ANY_COST
    return made, np.array([game.lower_stage(row).total_commuting_cost for row in firms]) / ANY_COST


def kind_at(city: FujitaOgawa, firms: Vector) -> str:
    """Return what kind of state firms and the households' response to them are."""
    game = FirmsGame(city)
    return game.kind(game.lower_stage(firms))


def locally_maximises(city: FujitaOgawa, firms: Vector) -> bool:
    """Tell whether a distribution of firms is a strict local maximiser of g."""
    return kind_at(city, firms) == "local maximiser"


# --- where something changes -------------------------------------------------------------------


def turning_point(holds: Callable[[float], bool], low: float, high: float, halvings: int = 30) -> float:
    """Return where a statement that holds at exactly one of two ends changes, by bisection.

    The places are rows of a sweep, cold each: what programs `holds` asks for are built at the first.

    Raises
    ------
    ValueError
        If it holds at both ends or at neither.
    """
    bench = Workbench()

    def holds_at(place: float) -> bool:
        bench.start_row()
        return holds(place)

    with working_at(bench):
        at_low = holds_at(low)
        if holds_at(high) == at_low:
            raise ValueError(f"the statement is {at_low} at both {low:g} and {high:g}")
        low, high = numerics.bisected(lambda place: holds_at(place) == at_low, low, high, halvings)
    return (low + high) / 2


def holding_cost(city: CityAt, firms: Vector, low: float = 1e-6, high: float = 2.0) -> float:
    """Return the t at which a distribution of firms starts or ceases to be a strict local maximiser of g."""
    return turning_point(lambda cost: locally_maximises(city(cost), firms), low, high)


@dataclass(frozen=True)
class Piece:
    """A range of commuting costs over which one candidate has the highest potential."""

    candidate: int
    low: float
    high: float


def upper_envelope(production: Vector, commuting: Vector) -> list[Piece]:
    """Return which of the lines f − t c is highest, from t = 0 to infinity, exactly.

    `production` is f and `commuting` ȟ/t of each candidate (N,); of lines that are equal the first appears.
    """
    lines, kinks = numerics.upper_envelope(-commuting, production, 0.0, narrow=1e-13)
    ends = [0.0, *kinks.tolist(), math.inf]
    return [Piece(*piece) for piece in zip(lines.tolist(), ends[:-1], ends[1:], strict=True)]


@dataclass(frozen=True)
class Maximisers:
    """The global maximisers of g as t rises from 0, with the reason why there are no others."""

    firms: list[Vector]
    pieces: list[Piece]
    proof: str


def global_maximisers(city: CityAt, weight: float = 1.0) -> Maximisers:
    """Return the maximisers of `weight` × f − ȟ for every t: the upper envelope of all vertices.

    f is convex, so that the maximum over the polytope is at a vertex, and in t each vertex's value is
    a line. `weight` = 2 gives the welfare program where A is homogeneous of degree 1 (Remark 3).
    """
    game = check_enumerable(city(ANY_COST))
    corners = vertices(game.city)
    made, commuting = parts_of(city, corners)
    pieces = upper_envelope(weight * made, commuting)
    proof = (
        f"highest of all {len(corners)} vertices; f is convex (least tangent eigenvalue "
        f"{game.tangent_eigenvalue:.4g})"
    )
    return Maximisers([corners[piece.candidate] for piece in pieces], pieces, proof)


def switch(city: CityAt, below: Vector, above: Vector) -> tuple[float, str]:
    """Return the t at which the global maximiser changes from one pattern to another, and the proof.

    Patterns are meant up to the symmetries of the geography.

    Raises
    ------
    ValueError
        If it never changes from `below` to `above`.
    """
    network, result = city(ANY_COST).network, global_maximisers(city)
    for k in range(len(result.pieces) - 1):
        if equivalent(network, result.firms[k], below) and equivalent(network, result.firms[k + 1], above):
            return result.pieces[k].high, result.proof
    raise ValueError("the global maximiser never changes from the one pattern to the other")


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
            state = game.lower_stage(firms)
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
