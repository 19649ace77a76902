r"""Forward-looking workers on any geography: a finite-state mean-field game on the edges of a graph.

The trade model and the workers of Bahlali, Boucekkine & Petit (2026) on a map: goods are shipped along
shortest paths, workers move along edges, at a quadratic or an entropic cost (Guéant 2015 for mean-field games
on graphs).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import networkx as nx
import numpy as np
import pandas as pd
from pydantic import field_validator, model_validator

from agora.data.checks import InputError, positive
from agora.formulations.migration.kernels import Kernel, sparse_kernel
from agora.formulations.migration.mean_field import Arcs, Technology, exponential, upwind
from agora.models.migration.conditions.game import Space
from agora.models.migration.game import MeanFieldGame
from agora.models.model import ModelCard
from agora.models.spatial import SpatialModel
from agora.typing import Vector


class GraphGame(MeanFieldGame, SpatialModel):
    """A mean-field game of workers on a geography; further parameters in `MeanFieldGame`.

    Land is the base measure, in shares; densities are workers per share of land. Shocks and plans take
    workers along an edge of length ℓ at rates in proportion to 1/ℓ² and to the land at its end (relative to
    the mean of both ends), so that shocks alone spread them evenly over the land.

    Parameters
    ----------
    geography : networkx.Graph
        Land on nodes, lengths on edges, every edge both ways.
    initial : list of float, optional
        μ⁰ in the order of the sorted cells, > 0; scaled to mean 1 over the land. Even unless given.
    productivity, amenity : float or list of float
        Ā (T for Eaton–Kortum) and B̄ > 0 of the cells; 1 unless given.
    moving : str
        ``quadratic`` (c0ℓ² rate²/2 along each edge, beyond the shocks) or ``entropic``.

    Raises
    ------
    InputError
        One sentence that names the field, its value, and what is allowed.
    """

    card: ClassVar[ModelCard] = ModelCard(
        name="graph-game",
        question="Where on a map do workers who foresee the economy move?",
        program="square: values backward, densities forward along edges, wages at every instant",
        citation="Bahlali, M., R. Boucekkine and Q. Petit (2026), When Lasry–Lions meet Krugman (slides), "
        "on a graph; Guéant, O. (2015), Existence and uniqueness result for mean field games with congestion "
        "effect on graphs",
        assumptions=(
            "identical workers",
            "moves along edges only",
            "iceberg trade costs along shortest paths",
        ),
        left_out=("commuting", "congestion of edges"),
    )

    initial: tuple[float, ...] | None = None
    productivity: float | tuple[float, ...] = 1.0
    amenity: float | tuple[float, ...] = 1.0
    moving: Literal["quadratic", "entropic"] = "quadratic"

    @field_validator("initial", "productivity", "amenity", mode="before")
    @classmethod
    def _listed(cls, given: Any, info: Any) -> Any:
        name = str(info.field_name)
        if given is None and name == "initial":
            return given
        if isinstance(given, list | tuple | np.ndarray):
            return tuple(positive(f"{name}[{k}]", each) for k, each in enumerate(np.ravel(given).tolist()))
        if name == "initial":
            raise InputError(name, given, "a list of numbers > 0, one a cell")
        return positive(name, given)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        network = self.network
        for name in ("initial", "productivity", "amenity"):
            given = getattr(self, name)
            if isinstance(given, tuple) and len(given) != network.number:
                raise InputError(name, f"{len(given)} numbers", f"{network.number} numbers, one a cell")
        if isinstance(self.geography, nx.DiGraph):
            raise InputError("geography", "a graph with one-way links", "a graph whose links go both ways")
        return self

    # --- the space -----------------------------------------------------------------------------

    @cached_property
    def land(self) -> Vector:
        """Shares of land, the base weights m, (N,)."""
        shares: Vector = self.network.land / self.network.land.sum()
        return shares

    @property
    def rates(self) -> Literal["upwind", "central", "exponential"]:
        """Quadratic moves are the monotone scheme's, entropic ones the exponential scheme's."""
        return "upwind" if self.moving == "quadratic" else "exponential"

    @property
    def technology(self) -> Technology:
        """The algebra of `moving`."""
        return upwind(self.smoothing) if self.moving == "quadratic" else exponential()

    @cached_property
    def arcs(self) -> Arcs:
        """Both directions of every edge."""
        network, land = self.network, self.land
        there = land[network.heads]
        openness = 2 * there / (there + land[network.tails]) / network.lengths**2
        return Arcs(
            weights=land,
            tails=network.tails,
            heads=network.heads,
            noise=self.noise * openness,
            ease=openness / self.moving_cost,
        )

    @cached_property
    def trade_kernel(self) -> Kernel:
        """The kernel of shortest paths, truncated where that is sparser (its error is in the facts)."""
        return sparse_kernel(self.freeness(self.network.distances), self.land)

    @cached_property
    def space(self) -> Space:
        """Shortest paths and moves as dense matrices."""
        network, land = self.network, self.land
        openness = np.zeros((network.number, network.number))
        for cell, neighbour, length in zip(network.tails, network.heads, network.lengths, strict=True):
            openness[cell, neighbour] = land[neighbour] / (land[[cell, neighbour]].mean() * length**2)
        return Space(network.distances, openness, land)

    @property
    def levels(self) -> tuple[Vector, Vector]:
        """Productivity Ā (T for Eaton–Kortum) and amenity B̄ of the cells, (N,) each."""
        number = self.network.number
        return (
            np.broadcast_to(np.asarray(self.productivity, dtype=float), (number,)).copy(),
            np.broadcast_to(np.asarray(self.amenity, dtype=float), (number,)).copy(),
        )

    @cached_property
    def initial_density(self) -> Vector:
        """μ⁰, (N,), scaled to mean 1."""
        if self.initial is None:
            return np.ones(self.network.number)
        given = np.asarray(self.initial)
        return given / float(self.land @ given)

    @property
    def places(self) -> pd.DataFrame:
        """The cells' names."""
        return pd.DataFrame({"cell": list(self.network.cells)})
