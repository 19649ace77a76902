r"""Efficiency of cities: the welfare optimum, the price of anarchy, the subsidy that decentralises.

The welfare program (W) maximises Σ A_i m_i − ȟ, firms' aggregate profit. Where A is homogeneous of
degree k, Σ A_i m_i = (k + 1) f, so (W) at commuting cost t is k + 1 times the potential's program (P) at
t/(k + 1): what the potential's maximiser is at (τ, t), the optimum is at (τ, (k + 1) t) (Osawa & Akamatsu
2019, Remark 3). A certificate for the one is a certificate for the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
import pandas as pd

from agora.data.checks import InputError
from agora.methods.changed_programs import refuse_changed_programs
from agora.methods.city.all_equilibria import every_equilibrium
from agora.methods.city.certified_map import business_centres, certified_envelope, filled_city
from agora.methods.city.chain_bounds import Pool
from agora.methods.city.firms_game import FirmsGame
from agora.methods.city.global_search import GlobalOptions, certified_maximiser
from agora.methods.method import Progress, silent
from agora.models.city.fujita_ogawa import FujitaOgawa
from agora.typing import Vector


def degree(city: FujitaOgawa) -> float:
    """Return the degree k of homogeneity of the city's externality, A(s m) = s^k A(m).

    Raises
    ------
    InputError
        For a function of the user, whose degree is not known.
    """
    known = city.spillover.degree
    if known is None:
        allowed = "a kind whose degree of homogeneity is known"
        raise InputError("externality.kind", city.spillover.kind, allowed)
    return known


def welfare(city: FujitaOgawa, firms: Vector) -> float:
    """Return Σ A_i m_i − ȟ(m) of a distribution of firms (I,), numéraire."""
    game = FirmsGame(city)
    return float(city.interaction.level(firms) @ firms) - game.state(firms).total_commuting_cost


@dataclass(frozen=True)
class Optimum:
    """A welfare optimum and the subsidy with which firms choose it."""

    firms: Vector
    """The optimal distribution of firms m° (I,)."""
    welfare: float
    bound: float
    """Σ A_i m_i − ȟ, and a value that no distribution exceeds, numéraire."""
    is_global: bool
    """Whether the bound is reached."""
    subsidy: Vector
    """The subsidy s_i (I,), numéraire per firm."""
    shortfall: float
    """What firms could still gain, in total, at m° with the subsidy: 0 where it decentralises m°."""
    budget: float
    """The cost of the subsidy, Σ s_i m_i, numéraire."""


def welfare_optimum(city: FujitaOgawa, seconds: float = 60.0, progress: Progress = silent) -> Optimum:
    """Return the certified welfare optimum and the subsidy that decentralises it.

    Raises
    ------
    InputError
        As for the global maximiser of the potential, which is asked for at t/(k + 1); for a user's class that
        changes a program of the city.
    """
    refuse_changed_programs(type(city), (), "city", type(city).__name__, "one whose programs are Agora's")
    factor = degree(city) + 1
    cheaper = city.model_copy(update={"commuting_cost": city.commuting_cost / factor})
    answer = certified_maximiser(cheaper, GlobalOptions(seconds=seconds), progress)
    firms = answer.tables["cells"]["firms"].to_numpy(dtype=float)
    subsidy = decentralising_subsidy(city, firms)
    return Optimum(
        firms, factor * answer.objective, factor * float(answer.facts["bound"]), answer.is_global, subsidy,
        shortfall(city, firms, subsidy), float(subsidy @ firms),
    )  # fmt: skip


def decentralising_subsidy(city: FujitaOgawa, firms: Vector) -> Vector:
    r"""Return what each firm gives to all others, the subsidy that makes an optimum an equilibrium (I,).

    .. math:: s_i = \sum_j m_j \frac{\partial A_j}{\partial m_i}

    numéraire per firm. An optimum m° satisfies the conditions of (W), in which A_i + s_i stands where
    the equilibrium has A_i; for A linear and symmetric s_i = A_i.
    """
    with np.errstate(invalid="ignore"):
        given = np.nan_to_num(city.interaction.jacobian(firms) * firms[:, None], nan=0.0)
    return np.asarray(given.sum(axis=0))


def shortfall(city: FujitaOgawa, firms: Vector, subsidy: Vector) -> float:
    """Return what firms could gain in total by best responses at a distribution, given a subsidy."""
    game = FirmsGame(city)
    state = game.state(firms)
    level = city.interaction.level(firms) + subsidy
    best = game.respond(level)
    return best.answer.objective - (float(level @ firms) - state.total_commuting_cost)


def anarchy_map(
    geography: nx.Graph,
    decays: Sequence[float] | Vector,
    costs: Sequence[float] | Vector,
    *,
    seconds: float = 60.0,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Compare the welfare optimum with the equilibrium that the potential selects, over a plane.

    Parameters
    ----------
    geography : networkx.Graph
        A circle or a line of equal cells; φ = 1, no excess land, exponential externality.
    decays, costs : sequence of float
        τ per unit of length, t in numéraire per unit of length.
    seconds : float
        For each search.

    Returns
    -------
    DataFrame
        One row a point: decay, commuting_cost, centres_optimum, centres_equilibrium, welfare_optimum,
        welfare_equilibrium (numéraire), anarchy (their ratio), certified (both, with proof).
    """
    rows, pool = [], Pool()
    for number, decay in enumerate(decays, start=1):
        progress(f"decay {number} of {len(decays)}")
        city, low, high = filled_city(geography, float(decay)), float(min(costs)) / 2, float(max(costs))
        lattice, envelope = certified_envelope(city, low, high, seconds, pool)
        unit = lattice.land**2 / 8
        for cost in costs:
            chosen, ideal = envelope.best(cost), envelope.best(cost / 2)
            optimum, equilibrium = (
                2 * lattice.potential(float(envelope.production[k]))
                - unit * envelope.rate * cost * float(envelope.travel[k])
                for k in (ideal, chosen)
            )
            rows.append(
                {
                    "decay": float(decay),
                    "commuting_cost": float(cost),
                    "centres_optimum": business_centres(envelope.configurations[ideal]),
                    "centres_equilibrium": business_centres(envelope.configurations[chosen]),
                    "welfare_optimum": optimum,
                    "welfare_equilibrium": equilibrium,
                    "anarchy": optimum / equilibrium,
                    "certified": envelope.certified(cost) and envelope.certified(cost / 2),
                }
            )
    return pd.DataFrame(rows)


def worst_anarchy_map(
    geography: nx.Graph,
    decays: Sequence[float] | Vector,
    costs: Sequence[float] | Vector,
    *,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Compare the welfare optimum with every equilibrium of a small city, over a plane.

    Parameters
    ----------
    geography : networkx.Graph
        Small enough that all equilibria are listed (`agora.methods.city.all_equilibria`); φ = 1, no
        excess land, exponential externality.
    decays, costs : sequence of float
        τ per unit of length, t in numéraire per unit of length.

    Returns
    -------
    DataFrame
        One row a point: decay, commuting_cost, equilibria (their number), welfare_optimum,
        welfare_selected (of the potential's maximiser), welfare_best, welfare_worst (of all equilibria),
        welfare_worst_stable (of the local maximisers), numéraire; and anarchy_selected, anarchy_worst,
        anarchy_worst_stable, the optimum's welfare over theirs, infinite where theirs is not positive.

    Raises
    ------
    InputError
        As for all equilibria, and as for the global maximiser.
    """
    rows = []
    for number, decay in enumerate(decays, start=1):
        progress(f"decay {number} of {len(decays)}")
        for cost in costs:
            city = filled_city(geography, float(decay)).model_copy(update={"commuting_cost": float(cost)})
            game = FirmsGame(city)
            every = every_equilibrium(game)
            values = np.array([e.potential + city.interaction.potential(e.state.firms) for e in every])
            stable = np.array([e.kind == "local maximiser" for e in every])
            optimum = welfare_optimum(city).welfare
            welfares = {
                "selected": float(values[0]),
                "best": float(values.max()),
                "worst": float(values.min()),
                "worst_stable": float(values[stable].min()),
            }
            ratios = {
                f"anarchy_{name}": optimum / value if value > 0 else np.inf
                for name, value in welfares.items()
                if name != "best"
            }
            rows.append(
                {
                    "decay": float(decay),
                    "commuting_cost": float(cost),
                    "equilibria": len(every),
                    "welfare_optimum": optimum,
                    **{f"welfare_{name}": value for name, value in welfares.items()},
                    **ratios,
                }
            )
    return pd.DataFrame(rows)
