r"""Who commutes where: the lower stage of the Fujita–Ogawa city, (S), and its dual, (D).

Two formulations of the same commuting, to be handed to a model as arguments:

* `add_commuting_pairs`, the paper's n_ij: I² variables;
* `add_commuting_edges`, flow on the edges of the geography: O(edges) variables, the same optimum
  because t_ij = t × (length of the shortest path).

Both add ``residents``, ``employment`` and ``total_commuting_cost`` to the block, which
`agora.formulations.city.land_labor` ties to land and labour. Their duals, (D), are
`add_commuting_prices_pairs` and `add_commuting_prices_edges`.

Source: Osawa & Akamatsu (2019), sections 3.2–4.1.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pyomo.environ as pyo
from pyomo.core.expr.numeric_expr import LinearExpression

from agora.data.geographies import CellNetwork


def add_commuting_edges(block: pyo.Block, network: CellNetwork, commuting_cost: float) -> None:
    r"""Let households commute as a flow x_e ≥ 0 on the directed edges, from homes to jobs.

    .. math:: N_j = y_j + \sum_{e \to j} x_e - \sum_{e \leftarrow j} x_e,
              \qquad h = t \sum_e \ell_e x_e \qquad \text{for all } j

    where y_j are the residents and N_j the workers of cell j (mass of households). Equal in optimum
    to (3.10) with (3.12), (3.13), Osawa & Akamatsu (2019), since t_ij is t times a shortest path.
    """
    add_links(block, network)
    block.residents = pyo.Var(
        block.cells, domain=pyo.NonNegativeReals, initialize=0.0, doc="y_i, households living in i"
    )
    block.commuting_flow = pyo.Var(
        block.links, domain=pyo.NonNegativeReals, initialize=0.0, doc="x_e, households travelling along e"
    )
    flows = list(block.commuting_flow.values())
    signs: list[list[float]] = [[1.0] for _ in network.cells]
    terms: list[list[Any]] = [[block.residents[cell]] for cell in network.cells]
    for flow, tail, head in zip(flows, network.tails.tolist(), network.heads.tolist(), strict=True):
        for cell, sign in ((tail, -1.0), (head, 1.0)):
            signs[cell].append(sign)
            terms[cell].append(flow)
    position = {cell: i for i, cell in enumerate(network.cells)}

    def employment_rule(_: pyo.Block, *cell: Any) -> LinearExpression:
        i = position[label(cell)]
        return LinearExpression(linear_coefs=signs[i], linear_vars=terms[i])

    block.employment = pyo.Expression(block.cells, rule=employment_rule, doc="N_i, households working in i")
    block.total_commuting_cost = pyo.Expression(
        expr=LinearExpression(linear_coefs=(commuting_cost * network.lengths).tolist(), linear_vars=flows),
        doc="h, total commuting cost (numéraire)",
    )


def add_commuting_pairs(block: pyo.Block, network: CellNetwork, commuting_cost: float) -> None:
    r"""Let a mass n_ij ≥ 0 of households live in i and work in j.

    .. math:: y_i = \sum_j n_{ij}, \qquad N_j = \sum_i n_{ij}, \qquad
              h = \sum_i \sum_j t_{ij} n_{ij}, \quad t_{ij} = t \ell_{ij}

    for all i, j. Osawa & Akamatsu (2019), (3.10) and Assumption 2.
    """
    cells, costs = network.cells, (commuting_cost * network.distances).ravel().tolist()
    numbers = range(len(cells))
    block.pairs = pyo.Set(initialize=list(product(numbers, repeat=2)), dimen=2, doc="home, workplace")
    block.commuters = pyo.Var(
        block.pairs,
        domain=pyo.NonNegativeReals,
        initialize=0.0,
        doc="n_ij, households living in i and working in j",
    )
    n = [[block.commuters[i, j] for j in numbers] for i in numbers]
    position = {cell: i for i, cell in enumerate(cells)}
    ones = [1.0] * len(cells)

    def residents_rule(_: pyo.Block, *cell: Any) -> LinearExpression:
        return LinearExpression(linear_coefs=ones, linear_vars=n[position[label(cell)]])

    def employment_rule(_: pyo.Block, *cell: Any) -> LinearExpression:
        j = position[label(cell)]
        return LinearExpression(linear_coefs=ones, linear_vars=[row[j] for row in n])

    block.residents = pyo.Expression(block.cells, rule=residents_rule, doc="y_i, households living in i")
    block.employment = pyo.Expression(block.cells, rule=employment_rule, doc="N_i, households working in i")
    block.total_commuting_cost = pyo.Expression(
        expr=LinearExpression(linear_coefs=costs, linear_vars=list(block.commuters.values())),
        doc="h, total commuting cost (numéraire)",
    )


def add_commuting_prices_edges(block: pyo.Block, network: CellNetwork, commuting_cost: float) -> None:
    r"""State on the edges the wages and rents that no household can improve upon.

    .. math:: w_j - w_i \le t \ell_e \quad \text{for all } e = (i, j), \qquad
              w_i \le \check r_i \quad \text{for all } i

    Osawa & Akamatsu (2019), (D), for t_ij = t × (shortest path). The multiplier of the first is the
    flow x_e ≥ 0, of the second the residents y_i ≥ 0. `block` has ``wage`` and ``rent``.
    """
    add_links(block, network)
    block.wage_gap_limit = pyo.Constraint(block.links)
    wage = list(block.wage.values())
    tolls = (commuting_cost * network.lengths).tolist()
    for link, tail, head, toll in zip(block.links, network.tails, network.heads, tolls, strict=True):
        block.wage_gap_limit[link] = (None, wage[head] - wage[tail], toll)

    def home_rule(b: pyo.Block, *cell: Any) -> Any:
        return (None, b.wage[cell] - b.rent[cell], 0.0)

    block.wage_limit = pyo.Constraint(block.cells, rule=home_rule)


def add_commuting_prices_pairs(block: pyo.Block, network: CellNetwork, commuting_cost: float) -> None:
    r"""State for every pair of cells the wages and rents that no household can improve upon.

    .. math:: w_j - t_{ij} - \check r_i \le 0 \quad \text{for all } i, j

    Osawa & Akamatsu (2019), (D). The multiplier is n_ij ≥ 0. `block` has ``wage`` and ``rent``.
    """
    cells, costs = network.cells, (commuting_cost * network.distances).tolist()
    numbers = range(len(cells))
    block.pairs = pyo.Set(initialize=list(product(numbers, repeat=2)), dimen=2)

    def pair_rule(b: pyo.Block, i: int, j: int) -> Any:
        return (None, b.wage[cells[j]] - b.rent[cells[i]], costs[i][j])

    block.utility_limit = pyo.Constraint(block.pairs, rule=pair_rule)


def add_links(block: pyo.Block, network: CellNetwork) -> None:
    """Add the set ``links`` of directed edges (tail, head), in the order of the network."""
    cells = network.cells
    ends = [(cells[tail], cells[head]) for tail, head in zip(network.tails, network.heads, strict=True)]
    block.links = pyo.Set(initialize=ends, dimen=None, ordered=True, doc="directed edges (tail, head)")


def label(index: tuple[Any, ...]) -> Any:
    """Undo Pyomo's spreading of an index over arguments: a cell may itself be a tuple."""
    return index[0] if len(index) == 1 else index
