"""Dynamics of the firms' game: the potential rises, paths stay in ℳ, rest points are the equilibria."""

from __future__ import annotations

import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import city, complaint, geographies

from agora.data import circle, segment
from agora.formulations.city.smooth_commuting import SmoothCommuting
from agora.methods.city.all_equilibria import even_distributions, every_equilibrium
from agora.methods.city.firms_game import FirmsGame
from agora.methods.city.histories import DYNAMICS, HORIZONS, _bnn, _replicator, _smith, history
from agora.models import FujitaOgawa
from agora.runners import solve


def at_half(cells: int, t: float) -> FujitaOgawa:
    """Return the circular city with δ = ½."""
    return city(circle(cells), t, -cells * math.log(0.5))


@pytest.mark.parametrize("dynamic", DYNAMICS)
@pytest.mark.parametrize(
    ("cells", "t", "seed"), [(3, 0.15, 5), pytest.param(4, 0.1, 2, marks=pytest.mark.heavy)]
)
def test_a_history_climbs_to_an_equilibrium(dynamic: str, cells: int, t: float, seed: int) -> None:
    game = FirmsGame(at_half(cells, t))
    start = even_distributions(game, 1, np.random.default_rng(seed))[0]
    path = history(game, dynamic, start, HORIZONS[dynamic], steps=60)
    assert np.diff(path.potential).min() >= -1e-10  # what the integrator is accurate to
    assert path.potential[-1] > path.potential[0] + 1e-4
    assert path.firms.min() >= 0
    assert (path.firms <= game.land + 1e-15).all()
    assert path.firms.sum(axis=1) == pytest.approx(np.full(61, 0.5))
    assert path.distance < 5e-3
    listed = every_equilibrium(game)
    reached = [e for e in listed if np.abs(e.state.firms - path.end).max() < 1e-7]
    assert len(reached) == 1
    assert reached[0].kind == "local maximiser"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_velocities_keep_the_mass_and_point_uphill(seed: int, cells: int) -> None:
    random = np.random.default_rng(seed)
    payoff, land = random.normal(size=cells), random.uniform(0.5, 2.0, cells)
    firms = land * random.choice([0.0, 1.0, 0.3, 0.7], cells)
    for velocity in (_smith, _bnn, _replicator):
        moved = velocity(payoff, firms, land - firms)
        assert moved.sum() == pytest.approx(0.0, abs=1e-12)
        assert payoff @ moved >= -1e-12
        assert (moved[firms == 0] >= -1e-13).all()
        assert (moved[firms == land] <= 1e-13).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_smith_and_bnn_rest_at_equilibria_only(seed: int, cells: int) -> None:
    # no firm gains where there is room ⇔ some π* divides: used cells earn ≥ π*, cells with room ≤ π*
    random = np.random.default_rng(seed)
    payoff = random.choice([0.0, 0.5, 1.0], cells)
    land = np.ones(cells)
    firms = random.choice([0.0, 1.0, 0.4], cells)
    used, room = payoff[firms > 0], payoff[firms < 1]
    equilibrium = not len(used) or not len(room) or used.min() >= room.max()
    for velocity in (_smith, _bnn):
        assert (np.abs(velocity(payoff, firms, land - firms)).max() <= 1e-12) == equilibrium


@settings(max_examples=20, deadline=None)
@given(geographies(largest=6), st.floats(0.05, 1.0), st.integers(0, 1000))
def test_the_smoothed_cost_is_the_cost_and_its_gradient_is_right(
    graph: nx.Graph, t: float, seed: int
) -> None:
    at = city(graph, t, 2.0)
    game = FirmsGame(at)
    firms = even_distributions(game, 1, np.random.default_rng(seed))[0]
    links = graph.number_of_edges()
    longest = max(x for *_, x in graph.edges(data="length"))
    smooth = SmoothCommuting(at.network, t, 1.0, 1e-5)
    exact = game.lower_stage(firms).total_commuting_cost
    assert smooth.cost(firms) <= exact + 1e-12
    assert smooth.cost(firms) >= exact - 1e-5 * t * links * longest
    wide = SmoothCommuting(at.network, t, 1.0, 0.05)
    direction = np.random.default_rng(seed).normal(size=len(firms))
    direction -= direction.mean()
    rise = (wide.cost(firms + 1e-5 * direction) - wide.cost(firms - 1e-5 * direction)) / 2e-5
    assert rise == pytest.approx(float(wide.firm_cost(firms) @ direction), abs=1e-6)


def test_dynamics_may_lead_to_different_equilibria() -> None:
    game = FirmsGame(at_half(8, 0.05))
    start = game.feasible(np.random.default_rng(1).dirichlet(np.full(8, 8.0)) * 0.5)
    ends = {d: history(game, d, start, HORIZONS[d], steps=40).end for d in ("best-response", "bnn")}
    values = {d: game.potential(game.lower_stage(end)) for d, end in ends.items()}
    assert values["best-response"] > values["bnn"] + 1e-3


def test_with_excess_land_best_response_and_projection_still_climb() -> None:
    game = FirmsGame(city(segment(4), 0.1, 3.0, firm_mass=0.4))
    start = np.array([0.05, 0.2, 0.1, 0.05])
    for dynamic in ("best-response", "projection"):
        path = history(game, dynamic, start, 30.0, steps=40)
        assert path.potential[-1] > path.potential[0]
        assert path.distance < 1e-3


def test_as_a_user_meets_it() -> None:
    solution = solve(at_half(4, 0.1), method="history", dynamic="replicator", seed=3)
    facts = solution.certificate.facts
    assert facts["dynamic"] == "replicator"
    assert facts["smallest_rise"] >= -1e-10
    assert not solution.is_global
    table = solution.tables["history_firms"]
    assert len(table) == 4 * len(solution.tables["history"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"dynamic": "logit"}, "dynamic"),
        ({"start": [0.5, 0.0, 0.0]}, "4 finite numbers"),
        ({"start": [0.5, 0.0, 0.0, 0.0]}, "between 0 and the land"),
        ({"start": [0.1, 0.1, 0.1, 0.1]}, "the mass of firms, 0.5"),
        ({"start": [float("nan"), 0.1, 0.1, 0.1]}, "start"),
        ({"horizon": -1.0}, "horizon"),
    ],
)
def test_bad_histories_get_one_sentence(options: dict[str, object], sentence: str) -> None:
    assert sentence in complaint(solve, at_half(4, 0.1), method="history", **options)
    excess = city(circle(4), 0.1, 2.0, firm_mass=0.4)
    assert "excess land" in complaint(solve, excess, method="history", dynamic="smith")
