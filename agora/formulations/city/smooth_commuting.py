r"""Least commuting cost without kinks, for dynamics that ask for prices everywhere.

The cost of a flow x on a link is t ℓ sqrt(x² + ε²) in place of t ℓ |x|, so that the price of a worker
is defined at every distribution of firms; as ε → 0 cost and prices become those of the lower stage (S)
of Osawa & Akamatsu (2019). Without excess land every household lives somewhere and the flow follows
from the firms up to circulations, over which Newton's method minimises.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from agora.data.geographies import CellNetwork
from agora.typing import Vector


@dataclass(frozen=True)
class SmoothCommuting:
    r"""ȟ_ε(m) and its gradient on an undirected geography without excess land.

    .. math:: ȟ_ε(m) = \min_x t \sum_e \ell_e \Bigl(\sqrt{x_e^2 + ε^2} - ε\Bigr), \qquad
              (1+\phi) m_i - a_i = \sum_{e \to i} x_e - \sum_{e \leftarrow i} x_e

    Attributes
    ----------
    network : CellNetwork
        The geography, every link in both directions.
    commuting_cost : float
        t, numéraire per unit of length.
    labor_per_firm : float
        φ.
    width : float
        ε, mass of households: flows much larger cost what they do without smoothing.
    """

    network: CellNetwork
    commuting_cost: float
    labor_per_firm: float
    width: float

    @cached_property
    def _links(self) -> tuple[NDArray[np.int_], NDArray[np.int_], Vector]:
        once = self.network.tails < self.network.heads
        return self.network.tails[once], self.network.heads[once], self.network.lengths[once]

    @cached_property
    def _tree(self) -> tuple[Vector, Vector, Vector]:
        """Flows (E, I) to each cell from the first, circulations (E, C), paths from the first cell (I, E)."""
        tails, heads, _ = self._links
        position = {
            frozenset(pair): e for e, pair in enumerate(zip(tails.tolist(), heads.tolist(), strict=True))
        }
        graph = nx.Graph(zip(tails.tolist(), heads.tolist(), strict=True))
        tree = nx.bfs_tree(graph, 0)
        number = self.network.number
        paths = np.zeros((number, len(tails)))
        for parent, child in nx.bfs_edges(graph, 0):
            e = position[frozenset((parent, child))]
            paths[child] = paths[parent]
            paths[child, e] = 1.0 if tails[e] == parent else -1.0
        outside = [
            e
            for e, (u, v) in enumerate(zip(tails.tolist(), heads.tolist(), strict=True))
            if not (tree.has_edge(u, v) or tree.has_edge(v, u))
        ]
        circulations = np.zeros((len(tails), len(outside)))
        for k, e in enumerate(outside):
            circulations[:, k] = paths[tails[e]] - paths[heads[e]]
            circulations[e, k] += 1.0
        return paths.T, circulations, paths

    def flows(self, firms: Vector) -> Vector:
        """Return the net flow on each undirected link, from its lower to its higher end."""
        from_first, circulations, _ = self._tree
        demand = (1 + self.labor_per_firm) * firms - self.network.land
        flow = from_first @ demand
        if not circulations.shape[1]:
            return np.asarray(flow)
        turn = self._last.get("turn", np.zeros(circulations.shape[1]))
        found = self._circulate(flow, turn, self.width)
        width = float(np.abs(flow).max())
        while found is None:  # from a wide smoothing to the one asked for
            wider = self._circulate(flow, turn, width)
            if wider is None:
                raise RuntimeError("the circulation of least cost was not found")
            turn, width = wider, max(self.width, width / 4)
            found = self._circulate(flow, turn, self.width)
        self._last["turn"] = found
        return np.asarray(flow + circulations @ found)

    @cached_property
    def _last(self) -> dict[str, Vector]:
        """The circulation found last: distributions come one after another."""
        return {}

    def _circulate(self, flow: Vector, turn: Vector, width: float) -> Vector | None:
        """Return the circulation of least cost by Newton's method, or None if it takes too long."""
        _, circulations, _ = self._tree
        _, _, lengths = self._links
        for _ in range(60):
            x = flow + circulations @ turn
            root = np.sqrt(x**2 + width**2)
            slope = circulations.T @ (lengths * x / root)
            if np.abs(slope).max() <= 1e-11 * float(lengths.sum()):
                return turn
            curve = circulations.T @ ((lengths * width**2 / root**3)[:, None] * circulations)
            step = np.linalg.solve(curve, slope)
            cost, share, fall = float(lengths @ root), 1.0, float(slope @ step)
            while share > 1e-12:
                trial = turn - share * step
                if (
                    float(lengths @ np.hypot(flow + circulations @ trial, width))
                    <= cost - 1e-4 * share * fall + 1e-16 * cost
                ):
                    break
                share /= 2
            turn = trial
        return None

    def cost(self, firms: Vector) -> float:
        """Return ȟ_ε(m), numéraire."""
        _, _, lengths = self._links
        root = np.hypot(self.flows(firms), self.width) - self.width
        return self.commuting_cost * float(lengths @ root)

    def firm_cost(self, firms: Vector) -> Vector:
        """Return the gradient c (I,) of ȟ_ε: wage bill and rent of a firm, up to a constant, numéraire."""
        x = self.flows(firms)
        _, _, lengths = self._links
        rise = self.commuting_cost * lengths * x / np.hypot(x, self.width)
        gradient: Vector = (1 + self.labor_per_firm) * (self._tree[2] @ rise)
        return gradient
