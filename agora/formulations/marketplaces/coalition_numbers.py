r"""The prices of a coalition test as arrays: incomes, costs of living, and the gain that they allow.

The NumPy twin of `add_price_test` in `agora.formulations.marketplaces.coalitions`. At any prices nobody
joins a coalition who could not pay for more than now, so every price vector gives an upper bound of the
gain.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agora.formulations.marketplaces.coalitions import Setup, Taste
from agora.numerics import bisected
from agora.typing import Vector


def setup_fee(setup: Setup, prices: Vector) -> float:
    r"""Return F(p), the least cost a head of what the marketplaces need.

    .. math:: F(p) = \sum_i q_i p_i \quad \text{or} \quad F(p) = q \prod_i (p_i / \gamma_i)^{\gamma_i}
    """
    if setup.composite > 0:
        shares = np.array(setup.shares)
        paid = shares > 0
        return setup.composite * float(np.prod((prices[paid] / shares[paid]) ** shares[paid]))
    return float(np.dot(setup.needs, prices))


def living_costs(tastes: Sequence[Taste], makes: Sequence[int], prices: Vector, rents: Vector) -> Vector:
    """Return e_tj (types, J), the least cost of a unit of utility; see `add_living_cost`."""
    costs = np.empty((len(tastes), len(makes)))
    for t, taste in enumerate(tastes):
        shares = np.array([*taste.commodities, taste.leisure, taste.land])
        used = shares > 0
        for j, good in enumerate(makes):
            level = np.array([*prices, prices[good - 1], rents[j]])
            if taste.substitutes:
                costs[t, j] = np.prod((level[used] / shares[used]) ** shares[used])
            else:
                costs[t, j] = shares @ level
    return costs


def least_gain(
    income: Vector, costs: Vector, utility: Vector, unit: Vector, least: float, shares: Vector | None
) -> float:
    """Return the least λ ≥ λ̲ at which nobody gains by joining, for every one of several price vectors.

    `income` is that of a member at each site (prices, J), `costs` those of a unit of utility (prices, types,
    J), `utility` and `unit` are ū_t and g_t (types,) and `least` is λ̲, −1 or 0. `shares` are s_t (types,) if
    the coalition is everybody, so that types may transfer income.
    """
    with np.errstate(divide="ignore", over="ignore"):
        alone = (income[:, None, :] / np.maximum(costs, 1e-300) - utility[:, None]) / unit[:, None]
    best = alone.max(axis=-1)
    if shares is None:
        return max(float(best.max()), least)

    def gained(more: float) -> bool:
        left = income[:, None, :] - (utility + more * unit)[:, None] * costs
        return bool((left.max(axis=-1) @ shares).max() > 0)

    return bisected(gained, least, max(float(best.max()), least))[1]
