r"""A city as a lattice: where every local maximiser has each cell empty, half full or full of firms.

With equal cells of land a, φ = 1 and no excess land (Osawa & Akamatsu 2019, Assumptions 3 and 5), and
f strictly convex along the distributions of firms, every local maximiser is a vertex of the program,
and at a vertex m_i = (a/2)(1 + u_i) with u_i ∈ {−1, 0, 1} and whole flows x_e, in units of a (Lemma 1,
which holds on any geography: see `agora.methods.city.vertex_enumeration`). In these units

.. math:: \frac{8}{a^2} g = 1'D1 + V(u), \qquad V(u) = 2 (D1)'u + u'Du - \frac{8t}{a} \sum_e \ell_e |x_e|
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from agora.data.checks import InputError
from agora.data.city import ExponentialDecay
from agora.data.geographies import CellNetwork
from agora.formulations.city.commuting_numbers import closed_form_commuting_cost
from agora.formulations.city.spillovers import smallest_tangent_eigenvalue
from agora.models.city.fujita_ogawa import FujitaOgawa
from agora.typing import Vector

Steps = NDArray[np.int8]

EQUAL = 1e-12
"""Relative difference up to which land and lengths count as equal."""


@dataclass(frozen=True)
class LatticeCity:
    """The values of a city's lattice configurations, whatever its commuting cost."""

    network: CellNetwork
    """The geography; all cells have the same land a."""
    kernel: Vector
    """D (I, I), in the order of the network."""
    shape: str
    """``circle`` (links of equal length), ``line``, ``tree`` or ``graph``."""
    order: NDArray[np.int_]
    """The cells along the circle or the line (I,); else the order of the network."""
    lengths: Vector
    """Lengths of the links along the circle, (I,), the last of which closes it, or the line, (I − 1,)."""

    @property
    def land(self) -> float:
        """Land of a cell, a."""
        return float(self.network.land[0])

    @property
    def number(self) -> int:
        """Number of cells, I."""
        return self.network.number

    @cached_property
    def along(self) -> Vector:
        """D with rows and columns in the order along the chain."""
        return self.kernel[np.ix_(self.order, self.order)]

    @cached_property
    def attraction(self) -> Vector:
        """2 D1, along the chain: the value of a step where all other cells are half full."""
        total = 2 * self.along.sum(axis=1)
        return np.asarray(total - total.mean())  # Σ u = 0, so a constant does not matter

    @property
    def uniform(self) -> float:
        """Potential of the uniform distribution, (a²/8) 1'D1, numéraire."""
        return self.land**2 / 8 * float(self.kernel.sum())

    @cached_property
    def _travel(self) -> Callable[[Vector], Vector]:
        travel = closed_form_commuting_cost(self.network)
        if travel is None:
            raise ValueError("least travel has a closed form on circles and trees only")
        return travel

    def production(self, steps: Steps) -> Vector:
        """Return 2 (D1)'u + u'Du of configurations (N, I) along the chain."""
        u = np.asarray(steps, dtype=float)
        return np.asarray(((u @ self.along) * u).sum(axis=-1) + u @ self.attraction)

    def travel(self, steps: Steps) -> Vector:
        """Return Σ ℓ |x| of configurations (N, I) along the chain, land × length."""
        u = np.empty(np.shape(steps))
        u[..., self.order] = steps
        return self._travel(u)

    def firms(self, steps: Steps) -> Vector:
        """Return the distribution of firms (…, I), in the order of the network."""
        u = np.empty(np.shape(steps))
        u[..., self.order] = steps
        return self.land / 2 * (1 + u)

    def potential(self, value: float) -> float:
        """Turn a value V into a potential g, numéraire."""
        return self.uniform + self.land**2 / 8 * value

    def value(self, difference: float) -> float:
        """Turn a difference of potentials, numéraire, into one of values V."""
        return 8 / self.land**2 * difference

    def centres(self, number: int) -> Steps:
        """Return m^J, (6.1), on a circle whose cells 4J divides; J = 0 is uniform."""
        if number == 0:
            return np.zeros(self.number, dtype=np.int8)
        quarter = self.number // (4 * number)
        block = np.repeat(np.array([-1, 1, 1, -1], dtype=np.int8), quarter)
        return np.tile(block, number)

    def symmetric_patterns(self) -> dict[int, Steps]:
        """Return the patterns (6.1) that fit on the circle: number of centres → steps."""
        fitting = [j for j in range(1, self.number // 4 + 1) if self.number % (4 * j) == 0]
        return {j: self.centres(j) for j in [0, *fitting]}


def lattice_city(city: FujitaOgawa) -> LatticeCity:
    """Return the lattice of a city, or say which assumption of the lattice property fails.

    Raises
    ------
    InputError
        Unless land is equal, φ = 1, there is no excess land, the externality is linear and symmetric
        and its f is strictly convex along the distributions of firms.
    """
    network, needed = city.network, "for the lattice property (Lemma 1: m_i ∈ {0, a/2, a})"
    land = network.land
    if np.ptp(land) > EQUAL * land.mean():
        raise InputError("geography (land of the cells)", (land.min(), land.max()), f"equal {needed}")
    if abs(city.labor_per_firm - 1) > EQUAL:
        raise InputError(
            "labor_per_firm",
            city.labor_per_firm,
            f"1 {needed}, which Assumption 5, M = ½ of the land, gives; other cities of more than 10 cells "
            "have local maximisers (method = 'best-response') but no certified global one here",
        )
    if not city.no_excess_land:
        raise InputError(
            "firm_mass",
            city.firm_mass,
            f"{float(land.sum()) / 2:.12g} (no excess land, M(1 + φ) = Σ a) {needed}",
        )
    city.check_potential()
    if not city.interaction.linear:
        raise InputError("externality.kind", city.spillover.kind, f"exponential or matrix {needed}")
    kernel = np.asarray(city.interaction.jacobian(np.zeros(network.number)), dtype=float)
    check_convex(kernel)
    shape, order, lengths = _shape(network)
    if not isinstance(city.spillover, ExponentialDecay):
        shape = "graph"
    return LatticeCity(network, kernel, shape, order, lengths)


def check_convex(kernel: Vector) -> float:
    """Return the least eigenvalue of D on the tangent space, or say what is lost when it is not positive.

    Raises
    ------
    InputError
        If it is not > 0.
    """
    eigenvalue = smallest_tangent_eigenvalue(kernel)
    if eigenvalue <= 0:
        raise InputError(
            "externality (least eigenvalue on the tangent space)",
            eigenvalue,
            "> 0 for method = 'global': the kernel is not positive definite there, so f is not convex, and "
            "neither that maximisers are vertices (Lemma 1) nor that best responses raise the potential is "
            "guaranteed; method = 'best-response' still finds equilibria",
        )
    return eigenvalue


def _shape(network: CellNetwork) -> tuple[str, NDArray[np.int_], Vector]:
    """Return the shape of a geography, its cells in order, and the lengths of the links between them."""
    plain = ("graph", np.arange(network.number), np.zeros(0))
    if not network.two_way:
        return plain
    tree, order, lengths = len(network.lengths) == 2 * (network.number - 1), network.walk, network.matrix()
    if order is None:
        return ("tree", *plain[1:]) if tree else plain
    walk = np.array(order)
    links = np.array([lengths[pair] for pair in pairwise(order if tree else [*order, order[0]])])
    if tree:
        return "line", walk, links
    return ("circle", walk, links) if np.ptp(links) <= EQUAL * links.mean() else plain
