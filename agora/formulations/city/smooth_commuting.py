r"""Least commuting cost without kinks, for dynamics that ask for prices everywhere.

The cost of a flow x on a link is t ℓ sqrt(x² + ε²) in place of t ℓ |x|, so that the price of a worker
is defined at every distribution of firms; as ε → 0 cost and prices become those of the lower stage (S)
of Osawa & Akamatsu (2019). Without excess land every household lives somewhere and the flow follows
from the firms up to circulations, over which the cost is minimised by the primal-dual Newton method of
Chan, Golub & Mulet (1999), A nonlinear primal-dual method for total variation-based image restoration,
SIAM Journal on Scientific Computing 20, 1964-1977, whose total variation is this sum of roots.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import networkx as nx
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from agora.data.checks import InputError, positive
from agora.data.geographies import CellNetwork
from agora.typing import Vector

ROUNDING = float(np.finfo(float).eps)
STEPS = 200
"""Newton steps before giving up; widths of 1e-10 of a cell's land, the narrowest tried, take some 40."""
HALVINGS = 60
"""Of a step, after which it changes nothing."""


@dataclass(frozen=True)
class SmoothCommuting:
    r"""ȟ_ε(m) and its gradient on an undirected geography without excess land.

    .. math:: ȟ_ε(m) = \min_x t \sum_e \ell_e \Bigl(\sqrt{x_e^2 + ε^2} - ε\Bigr), \qquad
              (1+\phi) m_i - a_i = \sum_{e \to i} x_e - \sum_{e \leftarrow i} x_e

    Raises `InputError` for a width that is not a finite number > 0.
    """

    network: CellNetwork
    """The geography, every link in both directions."""
    commuting_cost: float
    """t, numéraire per unit of length."""
    labor_per_firm: float
    """φ."""
    width: float
    """ε > 0, mass of households: flows much larger cost what they do without smoothing."""

    def __post_init__(self) -> None:
        positive("width", self.width)

    @cached_property
    def _links(self) -> tuple[NDArray[np.int_], NDArray[np.int_], Vector]:
        """Tails, heads and lengths (E,) of the links, each once."""
        once = self.network.tails < self.network.heads
        return self.network.tails[once], self.network.heads[once], self.network.lengths[once]

    @cached_property
    def _tree(self) -> tuple[Vector, Vector, NDArray[np.int_]]:
        """Paths (I, E) from the first cell along a tree, circulations (E, C), the links (C,) they close."""
        tails, heads, _ = self._links
        links = list(zip(tails.tolist(), heads.tolist(), strict=True))
        position = {frozenset(pair): e for e, pair in enumerate(links)}
        graph = nx.Graph(links)
        tree = nx.bfs_tree(graph, 0)
        number = self.network.number
        paths = np.zeros((number, len(tails)))
        for parent, child in nx.bfs_edges(graph, 0):
            e = position[frozenset((parent, child))]
            paths[child] = paths[parent]
            paths[child, e] = 1.0 if tails[e] == parent else -1.0
        outside = [e for e, (u, v) in enumerate(links) if not (tree.has_edge(u, v) or tree.has_edge(v, u))]
        circulations = np.zeros((len(tails), len(outside)))
        for k, e in enumerate(outside):
            circulations[:, k] = paths[tails[e]] - paths[heads[e]]
            circulations[e, k] += 1.0
        return paths, circulations, np.array(outside, dtype=np.int_)

    @cached_property
    def _even(self) -> Vector:
        """The circulation (C, E) that makes Σ ℓ x² least, for each unit of flow on a link."""
        _, circulations, _ = self._tree
        root = np.sqrt(self._links[2])
        turns: Vector = -np.linalg.lstsq(root[:, None] * circulations, np.diag(root), rcond=None)[0]
        return turns

    def flows(self, firms: Vector, start: Vector | None = None) -> Vector:
        """Return the net flow on each undirected link (E,), from its lower to its higher end.

        `firms` are their masses m (I,). `start` may hold the flows (E,) of other firms, from which these are
        found faster if the firms differ little; wherever the search starts, it ends at the same flows but for
        rounding. Raises `InputError` for firms that are not finite numbers and `RuntimeError` if the
        circulation of least cost is not found.
        """
        if not np.isfinite(firms).all():
            raise InputError("firms", np.asarray(firms).tolist(), "finite numbers, the firms of each cell")
        paths, circulations, closing = self._tree
        flow: Vector = ((1 + self.labor_per_firm) * firms - self.network.land) @ paths
        if not len(closing):
            return flow
        turn = self._even @ flow if start is None else start[closing]
        return flow + circulations @ self._circulation(flow, turn)

    def _circulation(self, flow: Vector, turn: Vector) -> Vector:
        r"""Return the circulation y (C,) that makes the cost of x = flow + C y least, from a first guess.

        The conditions are :math:`C^\top (\ell w) = 0` and w r = x, r = sqrt(x² + ε²): ℓ w is a difference of
        prices. With u = x / r a Newton step in y and w is

        .. math:: C^\top D C\, Δy = -C^\top (\ell u), \quad
                  w + Δw = u + (1 - w u)\, C Δy / r, \quad D = \mathrm{diag}(\ell (1 - w u) / r)

        Newton's method in y alone is w = u. Its curvature ℓ ε²/r³ is that of the cost within ε of x only;
        w lags behind and keeps steps within reach. Any |w| < 1 gives a direction of falling cost.
        """
        _, circulations, _ = self._tree
        _, _, lengths = self._links
        w, before, last, converged = np.zeros(len(flow)), turn, np.inf, False
        for _ in range(STEPS):
            x = flow + circulations @ turn
            root = np.hypot(x, self.width)
            u, cost = x / root, self._length(x, root)
            if converged:
                w = u  # the decrement is then that of the cost itself
            w = w * min(1.0, (1 - 2 * ROUNDING) / max(float(np.abs(w).max()), ROUNDING))
            curve = (1 - w * u) / root
            slope = circulations.T @ (lengths * u)
            step = -_normal_solve(np.sqrt(lengths * curve)[:, None] * circulations, slope)
            decrement = abs(float(slope @ step))
            if not np.isfinite(decrement):
                break
            # Once a step promises less than the cost is rounded to, cost no longer tells good steps from
            # bad, but prices still gain: whole steps are taken until the promise stops shrinking.
            within = decrement <= ROUNDING * cost
            if within and converged and (decrement <= ROUNDING**2 * cost or decrement >= last / 4):
                return turn if decrement <= last else before
            along = circulations @ step
            share = 1.0 if within else self._share(x, along, cost, decrement)
            before, turn = turn, turn + share * step
            w = u + curve * along
            last, converged = decrement if converged else np.inf, within
        wide = self.width / float(np.abs(flow).max())
        raise RuntimeError(
            f"the smoothed commuting flow of least cost was not found in {STEPS} steps of Newton's method: "
            f"the last one promised {decrement:.1e} of a cost of {cost:.1e} (per unit of t), with a width of "
            f"{wide:.1e} of the largest flow; a larger width is easier"
        )

    def _share(self, x: Vector, along: Vector, cost: float, decrement: float) -> float:
        """Return how much of a step to take: the slope along it falls by half, or is not yet positive."""
        _, _, lengths = self._links
        for share in (0.5 ** np.arange(HALVINGS + 1)).tolist():
            trial = x + share * along
            root = np.hypot(trial, self.width)
            slope = float((lengths * trial / root) @ along)
            # up to a slope that is not positive the cost, being convex, has fallen all the way
            lower = slope <= 0 or self._length(trial, root) <= cost * (1 + ROUNDING)
            if slope <= decrement / 2 and lower:
                break
        return float(share)

    def _length(self, x: Vector, root: Vector) -> float:
        """Return Σ ℓ (root − ε), root = sqrt(x² + ε²), without the cancellation."""
        return float(self._links[2] @ (x * x / (root + self.width)))

    def cost(self, firms: Vector) -> float:
        """Return ȟ_ε(m), numéraire; raises as `flows` does."""
        x = self.flows(firms)
        return self.commuting_cost * self._length(x, np.hypot(x, self.width))

    def firm_cost(self, firms: Vector) -> Vector:
        """Return the gradient c (I,) of ȟ_ε: wage bill and rent of a firm, up to a constant, numéraire.

        Raises as `flows` does.
        """
        return self.firm_cost_with(self.flows(firms))

    def firm_cost_with(self, flows: Vector) -> Vector:
        """Return the gradient c (I,) of ȟ_ε where `flows` (E,) are those of the firms."""
        paths, _, _ = self._tree
        rise = self.commuting_cost * self._links[2] * flows / np.hypot(flows, self.width)
        return (1 + self.labor_per_firm) * (paths @ rise)


def _normal_solve(matrix: Vector, right: Vector) -> Vector:
    """Return the solution z of MᵀM z = right, from a QR factorisation of M (E, C).

    The product MᵀM would lose loops on which all flows are wide: their curvature may be 1e-18 of others'.
    """
    factor = lapack.dgeqrf(matrix)[0][: matrix.shape[1]]  # R in the upper triangle, all that dpotrs reads
    solved: Vector = lapack.dpotrs(factor, right)[0]
    return solved
