r"""Moving mass on a graph: what a reallocation costs, in flux form and as a transport plan.

A firm that moves at speed v (length per time) pays (c/2) v² per unit of time. Over a step of length τ the
cheapest way from masses m to masses n costs (c/2τ) W₂²(m, n). Flux form (Benamou and Brenier 2000; on graphs
Maas 2011, with the arithmetic mean as mobility): choose the net flow J on every link. Kantorovich's form:
choose the mass that goes from each sector to each other one. Masses in any unit, lengths and times as in the
geography and the model; costs in the numéraire.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray
from pyomo.core.expr.numeric_expr import LinearExpression
from scipy.sparse import csr_array

from agora.data.geographies import CellNetwork
from agora.formulations.sectors.short_run import named
from agora.typing import Vector


@dataclass(frozen=True, eq=False)
class Links:
    """The undirected links of a geography, each once, from the sector that comes first."""

    tails: NDArray[np.int64]
    """Position of each link's first end, (E,)."""
    heads: NDArray[np.int64]
    """Position of its other end, (E,); a positive flow goes from tail to head."""
    lengths: Vector
    """ℓ > 0, (E,)."""

    @property
    def number(self) -> int:
        """Number of links, E."""
        return len(self.lengths)

    def arrivals(self, flows: Vector, sectors: int) -> Vector:
        """Return what each sector gains from flows on the links, (…, E) → (…, I)."""
        rows, ones = np.arange(self.number), np.ones(self.number)
        shape = (self.number, sectors)
        arriving = csr_array((ones, (rows, self.heads)), shape=shape)
        leaving = csr_array((ones, (rows, self.tails)), shape=shape)
        gained: Vector = flows @ (arriving - leaving)
        return gained


def links_of(network: CellNetwork) -> Links:
    """Return the links of a network whose links may be used both ways."""
    once = network.tails < network.heads
    return Links(network.tails[once], network.heads[once], network.lengths[once])


def add_step(block: pyo.Block, previous: Mapping[Hashable, float], step: float) -> None:
    """Add where the firms were, ``previous`` m_i, and ``step`` τ: parameters, as variables with equal bounds.

    `block` has ``sectors``. A kept program then follows them from step to step.
    """

    def at(_: pyo.Block, *sector: Any) -> tuple[float, float]:
        mass = previous[named(sector)]
        return (mass, mass)

    block.previous = pyo.Var(block.sectors, bounds=at, initialize=dict(previous), doc="m_i, before the step")
    block.step = pyo.Var(bounds=(step, step), initialize=step, doc="τ, length of the step")


def add_reallocation_flows(block: pyo.Block, links: Links, slabs: int = 1) -> None:
    r"""Let firms flow along the links, the step cut into S slabs.

    .. math:: n^s_i = n^{s-1}_i + \sum_{e \to i} J^s_e - \sum_{e \leftarrow i} J^s_e, \qquad
              n^0 = m, \quad n^S = n \quad \text{for all } i, s

    Adds ``links``, ``slabs``, ``flow`` J (mass, from tail to head), ``between`` (n^s inside the step) and the
    expressions ``mobility``, the mass on a link,

    .. math:: M^s_e = \tfrac14 \bigl(n^{s-1}_i + n^{s-1}_j + n^s_i + n^s_j\bigr), \qquad e = (i, j)

    Multiplier of the balance: the value of a firm in i after the slab, V_i (numéraire).
    """
    sectors = list(block.sectors)
    start = {sector: float(block.firms[sector].value) for sector in sectors}
    block.links = pyo.RangeSet(0, links.number - 1, doc="links e, each once")
    block.slabs = pyo.RangeSet(1, slabs, doc="slabs of the step")
    block.inner_slabs = pyo.RangeSet(1, slabs - 1, doc="ends of slabs inside the step")
    block.flow = pyo.Var(block.slabs, block.links, initialize=0.0, doc="J_e, net mass from tail to head")

    def begin(_: pyo.Block, __: int, *sector: Any) -> float:
        return start[named(sector)]

    block.between = pyo.Var(block.inner_slabs, block.sectors, bounds=(0.0, None), initialize=begin, doc="n^s")

    def mass(slab: int, sector: Any) -> Any:
        if slab == 0:
            return block.previous[sector]
        return block.firms[sector] if slab == slabs else block.between[slab, sector]

    touching: list[list[tuple[float, int]]] = [[] for _ in sectors]
    for link, (tail, head) in enumerate(zip(links.tails.tolist(), links.heads.tolist(), strict=True)):
        touching[tail].append((1.0, link))
        touching[head].append((-1.0, link))
    block.firm_flow_balance = pyo.Constraint(block.slabs, range(len(sectors)), doc="multiplier: V_i")
    block.mobility = pyo.Expression(block.slabs, block.links)
    for slab in block.slabs:
        for index, sector in enumerate(sectors):
            coefficients = [1.0, -1.0, *(sign for sign, _ in touching[index])]
            variables = [mass(slab, sector), mass(slab - 1, sector)]
            variables += [block.flow[slab, link] for _, link in touching[index]]
            body = LinearExpression(linear_coefs=coefficients, linear_vars=variables)
            block.firm_flow_balance[slab, index] = body == 0.0
        for link, (tail, head) in enumerate(zip(links.tails.tolist(), links.heads.tolist(), strict=True)):
            ends = [sectors[tail], sectors[head]]
            block.mobility[slab, link] = 0.25 * sum(mass(s, i) for s in (slab - 1, slab) for i in ends)


def add_quadratic_cost(block: pyo.Block, links: Links, moving_cost: float) -> None:
    r"""Pay for speed: the flux form of (c/2τ) W₂².

    .. math:: \frac{c S}{2 \tau} \sum_s \sum_e \frac{\ell_e^2 (J^s_e)^2}{M^s_e}

    Jointly convex in flows and masses. Adds the expression ``reallocation_cost`` (numéraire).
    """
    scale = 0.5 * moving_cost * len(block.slabs)
    lengths = links.lengths.tolist()
    block.reallocation_cost = pyo.Expression(
        expr=pyo.quicksum(
            scale * lengths[e] ** 2 * block.flow[s, e] ** 2 / (block.step * block.mobility[s, e])
            for s in block.slabs
            for e in block.links
        )
    )


def add_quadratic_and_fixed_cost(
    block: pyo.Block, links: Links, moving_cost: float, fixed_cost: float
) -> None:
    r"""Pay for speed, and φ for every unit of time on the move.

    A mass M of which a part moves at speed u pays, at least, τ M L(v), v = J ℓ / (τ M) the mean speed and

    .. math:: L(v) = \sqrt{2 c \varphi}\, |v| + \tfrac{c}{2} (|v| - \hat v)_+^2, \qquad
              \hat v = \sqrt{2 \varphi / c},

    the convex envelope of (c/2) v² + φ·1[v ≠ 0]: below v̂ some firms move at v̂ and the others stay. With
    J = J⁺ − J⁻ and an excess x_e ≥ J⁺ + J⁻ − v̂ τ M_e / (S ℓ_e) the cost is

    .. math:: \sum_s \sum_e \sqrt{2 c \varphi}\, \ell_e (J^+_e + J^-_e)
              + \frac{c S \ell_e^2 x_e^2}{2 \tau M_e}

    Nobody moves where profits differ by less than √(2cφ) per unit of length. Adds ``forward`` J⁺,
    ``backward`` J⁻, ``excess`` x and ``reallocation_cost``.
    """
    slabs, lengths = len(block.slabs), links.lengths.tolist()
    threshold, speed = (2 * moving_cost * fixed_cost) ** 0.5, (2 * fixed_cost / moving_cost) ** 0.5
    block.forward = pyo.Var(block.slabs, block.links, bounds=(0.0, None), initialize=0.0, doc="J⁺")
    block.backward = pyo.Var(block.slabs, block.links, bounds=(0.0, None), initialize=0.0, doc="J⁻")
    block.excess = pyo.Var(block.slabs, block.links, bounds=(0.0, None), initialize=0.0, doc="x")

    def split_rule(b: pyo.Block, s: int, e: int) -> Any:
        return b.flow[s, e] - b.forward[s, e] + b.backward[s, e] == 0.0

    def excess_rule(b: pyo.Block, s: int, e: int) -> Any:
        free = speed / (slabs * lengths[e]) * b.step * b.mobility[s, e]
        return (0.0, b.excess[s, e] - b.forward[s, e] - b.backward[s, e] + free, None)

    block.flow_direction_balance = pyo.Constraint(block.slabs, block.links, rule=split_rule)
    block.excess_limit = pyo.Constraint(block.slabs, block.links, rule=excess_rule)
    scale = 0.5 * moving_cost * slabs
    block.reallocation_cost = pyo.Expression(
        expr=pyo.quicksum(
            threshold * lengths[e] * (block.forward[s, e] + block.backward[s, e])
            + scale * lengths[e] ** 2 * block.excess[s, e] ** 2 / (block.step * block.mobility[s, e])
            for s in block.slabs
            for e in block.links
        )
    )


def add_transport_plan(
    block: pyo.Block, distances: Vector, moving_cost: float, reach: float | None = None
) -> None:
    r"""Move firms from sector to sector by a plan: Kantorovich's form of (c/2τ) W₂².

    .. math:: \sum_j \gamma_{ij} = m_i, \qquad \sum_i \gamma_{ij} = n_j, \qquad \gamma \ge 0, \qquad
              \frac{c}{2 \tau} \sum_{ij} d_{ij}^2 \gamma_{ij}

    d the shortest-path lengths (I, I); pairs further apart than `reach` are left out. Adds ``pairs``,
    ``plan`` γ, ``departure_balance`` (multiplier: what a firm that started in i gains), ``arrival_balance``
    (multiplier: the value of a firm in j, V_j) and ``reallocation_cost``. A firm that started in i goes
    where V_j − c d_ij²/2τ is largest: the plan is everybody's best reply.
    """
    sectors = list(block.sectors)
    near = distances <= (np.inf if reach is None else reach)
    pairs = [(int(i), int(j)) for i, j in np.argwhere(near)]
    block.pairs = pyo.Set(initialize=pairs, dimen=2, doc="positions of origin and destination")
    stay = {(i, j): float(block.previous[sectors[i]].value) if i == j else 0.0 for i, j in pairs}
    block.plan = pyo.Var(block.pairs, bounds=(0.0, None), initialize=stay, doc="γ_ij")
    leaving: list[list[Any]] = [[] for _ in sectors]
    arriving: list[list[Any]] = [[] for _ in sectors]
    for i, j in pairs:
        leaving[i].append(block.plan[i, j])
        arriving[j].append(block.plan[i, j])
    block.departure_balance = pyo.Constraint(range(len(sectors)))
    block.arrival_balance = pyo.Constraint(range(len(sectors)), doc="multiplier: V_j")
    for k, sector in enumerate(sectors):
        for row, parts, mass in (
            (block.departure_balance, leaving[k], block.previous[sector]),
            (block.arrival_balance, arriving[k], block.firms[sector]),
        ):
            coefficients = [1.0, *[-1.0] * len(parts)]
            row[k] = LinearExpression(linear_coefs=coefficients, linear_vars=[mass, *parts]) == 0.0
    carried = pyo.quicksum(float(distances[i, j]) ** 2 * block.plan[i, j] for i, j in pairs if i != j)
    block.reallocation_cost = pyo.Expression(expr=0.5 * moving_cost / block.step * carried)
