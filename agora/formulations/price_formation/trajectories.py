r"""Trajectories of agents who trade an asset, and the clearing of its market, piece by piece.

Direct transcription with left Euler steps of length h. The ``moments`` of a trajectory are the nodes of the
supply's tree, where agents choose a velocity, and the ends, one after each last node; supply that is
known is a tree without branches, whose nodes are the times 0 … N − 1 and whose end is N. A *reply* is
one trajectory of one agent; it has a mass. Source: arXiv 2506.04169, section 4, (28)–(30). Costs are in
the numéraire, states in units of the asset per agent, time in the unit of the horizon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyomo.environ as pyo

from agora.data.price_formation.state_costs import QuadraticCost, StateCost


def add_replies(
    block: pyo.Block,
    starts: Sequence[Sequence[float]],
    parents: Sequence[int],
    probabilities: Sequence[float],
    state_bounds: tuple[float | None, float | None],
    control_bounds: tuple[float | None, float | None],
) -> None:
    r"""Add ``state`` x and ``control`` a of every reply, asset and moment; the first state is given.

    `starts` gives the initial states (replies, assets). `parents` and `probabilities` describe the
    nodes 0 … V − 1 in the order of time; ends are numbered V, V + 1, … after the last nodes. Bounds
    hold for every state but the first and for every control: the state and control constraints that
    the paper leaves for later. Start: nobody moves, but for agents who start out of bounds.
    """
    childless = sorted(set(range(len(parents))) - set(parents))
    block.replies = pyo.RangeSet(0, len(starts) - 1, doc="trajectories")
    block.assets = pyo.RangeSet(1, len(starts[0]), doc="assets")
    block.nodes = pyo.RangeSet(0, len(parents) - 1, doc="times of trade, or nodes of the tree")
    block.ends = pyo.RangeSet(len(parents), len(parents) + len(childless) - 1, doc="ends of time")
    last = dict(zip(block.ends, childless, strict=True))
    block.before = dict(enumerate(parents)) | last
    block.chance = dict(enumerate(probabilities)) | {end: probabilities[node] for end, node in last.items()}
    lowest, highest = state_bounds

    def start_rule(b: pyo.Block, reply: int, asset: int, moment: int) -> float:
        inside = float(starts[reply][asset - 1])
        inside = inside if lowest is None else max(inside, lowest)
        return inside if highest is None else min(inside, highest)

    moments = list(block.nodes) + list(block.ends)
    block.moments = pyo.Set(initialize=moments, ordered=True, doc="nodes and ends")
    block.state = pyo.Var(
        block.replies, block.assets, block.moments, initialize=start_rule, bounds=state_bounds, doc="x"
    )
    block.control = pyo.Var(
        block.replies, block.assets, block.nodes, initialize=0.0, bounds=control_bounds, doc="a"
    )
    for reply in block.replies:
        for asset in block.assets:
            first = block.state[reply, asset, 0]
            first.setlb(None)
            first.setub(None)
            first.fix(float(starts[reply][asset - 1]))


def add_state_dynamics(block: pyo.Block, step: float) -> None:
    r"""States follow velocities.

    .. math:: x_{c} = x_{v} + h\, a_{v} \quad \text{for all replies, assets, nodes } v
              \text{ and moments } c \text{ right after } v

    arXiv 2506.04169, (29). Multiplier: the costate, the value of one more unit held at c.
    """

    def rule(b: pyo.Block, reply: int, asset: int, moment: int) -> Any:
        if moment == 0:
            return pyo.Constraint.Skip
        node = b.before[moment]
        held, bought = b.state[reply, asset, node], step * b.control[reply, asset, node]
        return b.state[reply, asset, moment] - held - bought == 0.0

    block.state_dynamics = pyo.Constraint(block.replies, block.assets, block.moments, rule=rule)


def add_shares(block: pyo.Block, agents: Sequence[int], masses: Sequence[float]) -> None:
    r"""Add ``share`` θ, how many agents choose each reply; all agents choose one.

    .. math:: \sum_{k \text{ of } n} \theta_k = w_n, \quad \theta \ge 0 \quad \text{for all agents } n

    `agents` says whose reply each is, `masses` gives w. Multiplier: what an agent's reply costs, its
    value φ(x_n, ω).
    """
    replies: dict[int, list[int]] = {}
    for reply, agent in enumerate(agents):
        replies.setdefault(agent, []).append(reply)
    block.traders = pyo.Set(initialize=sorted(replies), ordered=True, doc="agents")

    def start_rule(b: pyo.Block, reply: int) -> float:
        return masses[agents[reply]] / len(replies[agents[reply]])

    def rule(b: pyo.Block, agent: int) -> Any:
        return pyo.quicksum(b.share[reply] for reply in replies[agent]) == masses[agent]

    block.share = pyo.Var(block.replies, bounds=(0.0, 1.0), initialize=start_rule, doc="θ")
    block.share_balance = pyo.Constraint(block.traders, rule=rule)


def add_clearing_balance(
    block: pyo.Block, supply: Sequence[Sequence[float]], masses: Mapping[int, Any]
) -> None:
    r"""At every node agents buy what is supplied.

    .. math:: \sum_k \theta_k a_{k,v} = Q_v \quad \text{for all assets and nodes } v

    arXiv 2506.04169, (2). `masses` maps a reply to θ, a number or a variable. Multiplier: −h π_v ω_v, of
    either sign; ω_v is the price at v and π_v the probability of v.
    """

    def rule(b: pyo.Block, asset: int, node: int) -> Any:
        bought = pyo.quicksum(masses[reply] * b.control[reply, asset, node] for reply in b.replies)
        return bought == float(supply[node][asset - 1])

    block.clearing_balance = pyo.Constraint(block.assets, block.nodes, rule=rule)


def add_population_cost(
    block: pyo.Block,
    masses: Mapping[int, Any],
    step: float,
    control_cost: float,
    running: StateCost,
    terminal: StateCost,
) -> None:
    r"""Minimise what all agents spend on trading and holding; what they pay each other nets out.

    .. math:: \min \sum_k \theta_k \Bigl[ \sum_v \pi_v h \bigl( \tfrac{c_0}{2} |a_{k,v}|^2 + l(x_{k,v}) \bigr)
              + \sum_{\text{ends } e} \pi_e\, g(x_{k,e}) \Bigr]

    arXiv 2506.04169, (28), at the saddle point, where the price is the multiplier of clearing.
    """

    def spent(reply: int) -> Any:
        trading = pyo.quicksum(
            block.chance[node] * step * control_cost / 2 * block.control[reply, asset, node] ** 2
            for asset in block.assets
            for node in block.nodes
        )
        holding = _held(block, reply, running, block.nodes, step)
        return trading + holding + _held(block, reply, terminal, block.ends, 1.0)

    block.population_cost = pyo.Objective(
        expr=pyo.quicksum(masses[reply] * spent(reply) for reply in block.replies), sense=pyo.minimize
    )


def _held(block: pyo.Block, reply: int, cost: StateCost, moments: Any, factor: float) -> Any:
    """Return the expected cost of a reply's states at some ``moments``."""
    if cost.absent:
        return 0.0
    assets = list(block.assets)
    if len(assets) > 1 and isinstance(cost, QuadraticCost):
        matrix, target = cost.matrix(len(assets)), cost.targets(len(assets))
        return pyo.quicksum(
            factor * block.chance[moment] * float(matrix[i - 1, j - 1]) / 2
            * (block.state[reply, i, moment] - float(target[i - 1]))
            * (block.state[reply, j, moment] - float(target[j - 1]))
            for moment in moments
            for i in assets
            for j in assets
            if matrix[i - 1, j - 1] != 0.0
        )  # fmt: skip
    return pyo.quicksum(
        factor * block.chance[moment] * cost.expression(block.state[reply, asset, moment])
        for moment in moments
        for asset in assets
    )


def add_price_cuts(
    block: pyo.Block,
    agents: Sequence[int],
    masses: Sequence[float],
    costs: Sequence[float],
    purchases: Sequence[float],
    supplied: float,
) -> None:
    r"""State the price's variational problem by cuts, where only the final state costs: one level P.

    .. math:: \max_{P, v} \sum_n w_n v_n - P I, \qquad
              v_n \le c_k + P\, z_k \quad \text{for all replies } k \text{ of agent } n

    The price is ω(t) = P − c₀Q(t). A reply k buys z_k in all and costs c_k besides; I = ∫Q is supplied.
    The objective is −J(P) up to a constant, from above until the cuts hold the best replies at P.
    arXiv 2506.04169, (6). Multiplier of a cut: the share θ_k of agents who choose reply k; that of the
    price is clearing, Σ θ_k z_k = I.
    """
    block.traders = pyo.RangeSet(0, len(masses) - 1, doc="agents")
    block.cuts = pyo.RangeSet(0, len(agents) - 1, doc="replies known so far")
    block.price_level = pyo.Var(initialize=0.0, doc="P")
    block.agent_value = pyo.Var(block.traders, initialize=0.0, doc="v_n")

    def rule(b: pyo.Block, cut: int) -> Any:
        body = b.agent_value[agents[cut]] - float(purchases[cut]) * b.price_level
        return (None, body, float(costs[cut]))

    block.reply_limit = pyo.Constraint(block.cuts, rule=rule, doc="multiplier: θ_k")
    block.dual_value = pyo.Objective(
        expr=pyo.quicksum(masses[n] * block.agent_value[n] for n in block.traders)
        - supplied * block.price_level,
        sense=pyo.maximize,
    )
