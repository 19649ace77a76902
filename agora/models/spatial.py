"""What all models on a geography share."""

from __future__ import annotations

from typing import Any, ClassVar

import networkx as nx
from pydantic import field_validator

from agora.data.frozen_geographies import frozen_geography, given_geography
from agora.data.geographies import CellNetwork
from agora.models.model import Model


class SpatialModel(Model):
    """A model on a geography; the graph is checked and copied, and never changed."""

    geography: nx.Graph
    needs_one_piece: ClassVar[bool] = True
    """Whether all cells must be joined."""

    @field_validator("geography", mode="before")
    @classmethod
    def _checked_geography(cls, given: Any) -> nx.Graph:
        return given_geography(given, connected=cls.needs_one_piece)

    @property
    def network(self) -> CellNetwork:
        """The geography as arrays, in the sorted order of the cells; models of one geography share them."""
        return frozen_geography(self.geography, connected=self.needs_one_piece).network
