r"""A city on the lattice of Lemma 1: every cell empty, half full or full of firms.

With equal cells of land a, φ = 1 and no excess land every maximiser of a strictly convex f less the
commuting cost is such a distribution (Osawa & Akamatsu 2019, Lemma 1; on any geography by the vertices
of the program). Then f is a linear function of whole numbers, and the city a mixed-integer linear program.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pyomo.environ as pyo
from pyomo.core.expr.numeric_expr import LinearExpression

from agora.typing import Vector


def add_lattice_firms(block: pyo.Block) -> None:
    r"""Let cells be full of firms, empty of firms, or half full.

    .. math:: m_i = \tfrac{a_i}{2} (1 + p_i - e_i), \quad p_i + e_i \le 1, \quad p_i, e_i \in \{0, 1\}
              \quad \text{for all } i

    Osawa & Akamatsu (2019), Lemma 1 (a). The rows have no economic multiplier: the program is not
    convex.
    """
    block.full = pyo.Var(block.cells, domain=pyo.Binary, initialize=0, doc="p_i, cell i is full of firms")
    block.empty = pyo.Var(block.cells, domain=pyo.Binary, initialize=0, doc="e_i, cell i has no firms")

    def lattice_rule(b: pyo.Block, *cell: Any) -> Any:
        return b.firms[cell] - b.land[cell] / 2 * (1 + b.full[cell] - b.empty[cell]) == 0

    def use_rule(b: pyo.Block, *cell: Any) -> Any:
        return (None, b.full[cell] + b.empty[cell], 1)

    block.lattice_balance = pyo.Constraint(block.cells, rule=lattice_rule, doc="m_i ∈ {0, a/2, a}")
    block.use_limit = pyo.Constraint(block.cells, rule=use_rule, doc="not full and empty at once")


def add_lattice_production(block: pyo.Block, kernel: Vector) -> None:
    r"""Write the production potential on the lattice as a linear function: squares are whole numbers.

    .. math:: \tfrac{8}{a^2} f = 1'D1 + 2 \sum_i R_i u_i + \sum_i R_i (p_i + e_i)
              - \sum_{i<j} d_{ij} s_{ij}, \qquad u = p - e, \quad R = D1

    .. math:: s_{ij} \ge |u_i - u_j|, \qquad s_{ij} \ge 3 |u_i - u_j| - 2 \qquad \text{for all } i < j

    from u_i² = p_i + e_i and u'Du = Σ R_i u_i² − Σ_{i<j} d_ij (u_i − u_j)². In a maximum s_ij is the
    square of u_i − u_j ∈ {−2, …, 2}, since d_ij ≥ 0. Osawa & Akamatsu (2019), (4.10). The unit is
    a²/8 numéraire, so that coefficients are of order one and solvers' tolerances mean something.
    """
    cells = list(block.cells)
    pairs = [(i, j) for i, j in combinations(range(len(cells)), 2) if kernel[i, j] > 0]
    full, empty = list(block.full.values()), list(block.empty.values())
    block.pairs = pyo.Set(initialize=range(len(pairs)), doc="pairs of cells that affect each other")
    block.squared_difference = pyo.Var(
        block.pairs, bounds=(0, 4), initialize=0.0, doc="s_ij = (u_i − u_j)² on the lattice"
    )

    def difference_rule(b: pyo.Block, pair: int, slope: int, sign: int) -> Any:
        i, j = pairs[pair]
        difference = full[i] - empty[i] - full[j] + empty[j]
        return (1.0 - slope, b.squared_difference[pair] - sign * slope * difference, None)

    block.difference_limit = pyo.Constraint(
        block.pairs, (1, 3), (-1, 1), rule=difference_rule, doc="s_ij ≥ |u_i − u_j|, s_ij ≥ 3|u_i − u_j| − 2"
    )
    reach = kernel.sum(axis=1)
    coefficients = [*(3 * reach).tolist(), *(-reach).tolist(), *(-float(kernel[i, j]) for i, j in pairs)]
    variables = [*full, *empty, *block.squared_difference.values()]
    potential = LinearExpression(
        constant=float(kernel.sum()), linear_coefs=coefficients, linear_vars=variables
    )
    block.production_potential = pyo.Expression(expr=potential, doc="f(m), unit a²/8")
