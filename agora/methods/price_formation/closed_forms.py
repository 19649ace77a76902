r"""Closed forms of the price: the mean of a quadratic game, and one price level for terminal costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.optimize.elementwise import find_root
from scipy.sparse import diags, eye, kron
from scipy.sparse.linalg import splu

from agora.data.checks import InputError
from agora.data.price_formation.state_costs import QuadraticCost, StateCost
from agora.methods.method import Progress, silent
from agora.models.price_formation.price_formation import PriceFormation
from agora.numerics import bisected, reached
from agora.solvers import SolverRecord, solve_program
from agora.typing import Vector


@dataclass(frozen=True)
class Equilibrium:
    """Prices (assets, nodes), and replies: their agents, states (replies, assets, nodes) and masses."""

    prices: Vector
    agents: NDArray[np.int64]
    states: Vector
    masses: Vector


# --- quadratic costs -----------------------------------------------------------------------------


def mean_field(model: PriceFormation) -> Equilibrium:
    r"""Return the equilibrium of a quadratic game, in which agents matter through their mean only.

    The mean state is m = x̄ + ∫Q whatever the price, and the price is what makes it optimal for an agent who
    holds the mean,

    .. math:: \omega_v = -c_0 Q_v - \mathbb{E}\Bigl[\sum_{j > v} h R_1 (m_j - y_1) + R_2 (m_N - y_2) \Bigm| v
              \Bigr];

    deviations from the mean solve one linear system of the size of a single agent's problem. Random supply
    and several assets change nothing of this.
    """
    supply, step, assets = model.supply, model.step, model.assets
    nodes, before = len(supply.parents), model.befores
    chance = np.concatenate([supply.probabilities, np.array(supply.probabilities)[before[nodes:]]])
    mean, given = np.empty((len(before), assets)), step * supply.values
    mean[0] = model.masses @ model.starts
    if supply.known:
        mean[1:] = mean[0] + np.cumsum(given, axis=0)
    else:
        for node in range(1, len(before)):
            mean[node] = mean[before[node]] + given[before[node]]
    (weight, target), (last, aim) = (_numbers(c, assets) for c in (model.running, model.terminal))
    pull = np.concatenate([step * (mean[:nodes] - target) @ weight, (mean[nodes:] - aim) @ last])
    later = np.zeros((nodes, assets))  # expected pull after each node
    if supply.known:
        later = np.cumsum(pull[:0:-1], axis=0)[::-1]
    for node in range(len(before) - 1, 0, -1) if not supply.known else ():
        ahead = pull[node] + (later[node] if node < nodes else 0.0)
        later[before[node]] += chance[node] / chance[before[node]] * ahead
    prices = (-model.control_cost * supply.values - later).T
    decay = _deviations(model, weight, last)  # (steps + 1, assets, assets)
    depth = np.concatenate([supply.depths, np.array(supply.depths)[before[nodes:]] + 1])
    away = model.starts - mean[0]
    states = mean.T[None] + np.einsum("pij,nj->nip", decay[depth], away)
    return Equilibrium(prices, np.arange(len(model.masses)), states, model.masses)


def _deviations(model: PriceFormation, weight: Vector, last: Vector) -> Vector:
    """Return ϕ: what is left at every step of a unit's deviation from the mean at the start."""
    number, assets = model.steps, model.assets
    stiffness = model.control_cost / model.step
    inner, last_stiffness = np.full(number - 1, 2 * stiffness), stiffness
    if assets == 1:
        diagonal = np.append(inner + model.step * weight[0, 0], last_stiffness + last[0, 0])
        first = np.zeros(number)
        first[0] = stiffness
        *_, solved, _ = lapack.dptsv(diagonal, np.full(number - 1, -stiffness), first)
        return np.concatenate([[1.0], solved])[:, None, None]
    beside = np.full(number - 1, -stiffness)
    second = diags([np.append(inner, last_stiffness), beside, beside], [0, 1, -1])
    where = np.append(np.ones(number - 1), 0.0)
    held = kron(diags([model.step * where], [0]), weight) + kron(diags([1.0 - where], [0]), last)
    system = kron(second, eye(assets)) + held
    right = np.zeros((number * assets, assets))
    right[:assets] = stiffness * np.eye(assets)
    solved = splu(system.tocsc()).solve(right).reshape(number, assets, assets)
    return np.concatenate([np.eye(assets)[None], solved])


def _numbers(cost: StateCost, assets: int) -> tuple[Vector, Vector]:
    if isinstance(cost, QuadraticCost):
        return cost.matrix(assets), cost.targets(assets)
    return np.zeros((assets, assets)), np.zeros(assets)


# --- terminal costs ------------------------------------------------------------------------------


class PriceLevel:
    """A market in which only the final state costs: ω = P − c₀Q, and trajectories follow from their ends.

    A reply that buys z in all goes at the velocity Q + (z − ∫Q)/T and costs c₀(z − ∫Q)²/(2T) + g(x + z)
    besides what is paid at P.
    """

    GRID = 4001

    def __init__(self, model: PriceFormation) -> None:
        if not model.running.absent or not model.supply.known or model.assets > 1 or model.bounded:
            allowed = "another with running costs, bounds, several assets or random supply"
            raise InputError("method", "variational", allowed)
        self.model = model
        self.supplied = model.step * float(model.supply.values.sum())
        self.starts, self.masses = model.starts[:, 0], model.masses
        self._slack = model.control_cost / model.horizon

    def cost(self, purchases: Vector) -> Vector:
        """Return what replies (…, agents) cost besides the price."""
        waiting = self._slack / 2 * (purchases - self.supplied) ** 2
        return waiting + self.model.terminal.value(self.starts + purchases)

    def replies(self, level: float) -> Vector:
        """Return what every agent buys in a global best reply at the level P.

        Stationary final states ζ lie where x(ζ) = ζ − ∫Q + (T/c₀)(P + g'(ζ)) passes the agent's x; all
        crossings on a grid are refined and compared.
        """
        span = np.ptp(self.starts) + abs(level) / self._slack + abs(self.supplied) + 2.0
        ends = np.linspace(self.starts.min() - span, self.starts.max() + span, self.GRID)
        side = self._origin(ends, level)[None, :] >= self.starts[:, None]
        agents, cell = np.nonzero(side[:, 1:] != side[:, :-1])
        starts, brackets = self.starts[agents], (ends[cell], ends[cell + 1])
        ends = find_root(lambda end, start: self._origin(end, level) - start, brackets, args=(starts,)).x
        bought: Vector = ends - starts
        total = self._slack / 2 * (bought - self.supplied) ** 2 + self.model.terminal.value(ends)
        total += level * bought
        order = np.lexsort((total, agents))
        first = order[np.r_[True, np.diff(agents[order]) > 0]]
        return bought[first]

    def bought(self, level: float) -> float:
        """Return what all agents buy in best replies at the level P."""
        return float(self.masses @ self.replies(level))

    def _origin(self, ends: Vector, level: float) -> Vector:
        return ends - self.supplied + (level + self.model.terminal.slope(ends)) / self._slack

    def equilibrium(
        self, level: float, agents: NDArray[np.int64], bought: Vector, masses: Vector
    ) -> Equilibrium:
        """Return prices and trajectories of replies."""
        model = self.model
        drift = np.concatenate([[0.0], model.step * np.cumsum(model.supply.values[:, 0])])
        along = np.arange(model.steps + 1) / model.steps
        states = self.starts[agents][:, None] + drift + (bought - self.supplied)[:, None] * along
        prices = level - model.control_cost * model.supply.values.T
        return Equilibrium(prices, agents, states[:, None, :], masses)


def price_level(
    model: PriceFormation, progress: Progress = silent, rounds: int = 100
) -> tuple[Equilibrium, dict[str, float], tuple[SolverRecord, ...]]:
    """Return the equilibrium of a market with terminal costs only, by the variational program in P.

    The linear program of `PriceFormation.variational_program` is solved with the replies known, best replies
    at its P are added as cuts, until the upper bound, the program's optimum, meets the lower, the value of
    the best replies. A bisection then brings P to the last digit, and indifferent agents mix.
    """
    game, records = PriceLevel(model), []
    every = np.arange(len(game.masses))
    bought = [game.replies(level) for level in (-1.0, 0.0, 1.0)]
    span = 1.0
    while span < 1e9 and not game.masses @ bought[0] >= game.supplied >= game.masses @ bought[-1]:
        span *= 4  # the level lies further out
        bought = [game.replies(-span), *bought, game.replies(span)]
    best, level, upper = -np.inf, 0.0, np.inf
    for number in range(rounds):
        columns = np.stack(bought)
        agents, costs = np.tile(every, len(bought)), game.cost(columns)
        program = model.variational_program(agents.tolist(), costs.ravel().tolist(), columns.ravel().tolist())
        records.append(solve_program(program))
        level, upper = float(program.price_level.value), float(pyo.value(program.dual_value))
        answers = game.replies(level)
        lower = float(game.masses @ (game.cost(answers) + level * answers)) - level * game.supplied
        best = max(best, lower)
        progress(f"price level {level:.9g} after {number + 1} rounds, gap {upper - best:.1e}")
        if upper - best <= 1e-9 * (1 + abs(upper)):
            break
        bought.append(answers)
    widths = 1e-9 * (1 + abs(level)) * 4.0 ** np.arange(60)
    low = reached(lambda at: game.bought(at) >= game.supplied, level - widths)
    high = reached(lambda at: game.bought(at) <= game.supplied, level + widths)
    low, high = bisected(lambda at: game.bought(at) > game.supplied, low, high)
    more, less = game.replies(low), game.replies(high)
    jump = max(float(game.masses @ (more - less)), 1e-300)
    share = float(np.clip((game.supplied - float(game.masses @ less)) / jump, 0.0, 1.0))
    apart = np.abs(more - less) > 1e-6
    mixed, single = np.flatnonzero(apart), share * more + (1 - share) * less
    agents = np.concatenate([every, mixed])
    purchases = np.concatenate([np.where(apart, more, single), less[mixed]])
    masses = np.concatenate([np.where(apart, share, 1.0) * game.masses, (1 - share) * game.masses[mixed]])
    order = np.lexsort((-masses, agents))
    used = order[masses[order] > 0]
    facts = {"price_level": low, "bound_gap": upper - best, "cuts": float(len(bought) * len(every))}
    return game.equilibrium(low, agents[used], purchases[used], masses[used]), facts, tuple(records)
