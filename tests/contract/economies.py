"""One line a model: a small economy, how it is turned, and what nothing checks yet.

Every model of `agora.models.registry` has a line here; `test_contract` passes all of them through the same
tests. An economy is built from an order of its places: the data of place ``order[k]`` stand at position k,
whose name is always the same, so that another order is the same economy with its places renamed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import networkx as nx
import numpy as np

from agora.models import (
    CoalitionTest,
    CommutingMarket,
    FujitaOgawa,
    GraphGame,
    InvisibleHand,
    Marketplaces,
    Model,
    MyopicMigration,
    PriceFormation,
    ShortRunCompetition,
    SpatialGame,
    SpatialTrade,
)
from agora.models.solution import Solution
from agora.runners.solving import solve

Order = Sequence[int]


@dataclass(frozen=True)
class Line:
    """What the harness needs to know of a model.

    Attributes
    ----------
    build : callable
        Order of places → economy.
    turned : tuple of int
        An order that the answer must follow.
    names : mapping
        Column of the tables → the names that stand in it, position by position.
    smallest : tuple of int
        The order of the economy whose equations are kept as golden text.
    parameter : str
        What the answer is differentiated by.
    refusal : str
        The sentence with which a derivative is refused; nothing if there is one.
    options : mapping
        How it is solved.
    also : tuple of str
        Tables that its answer has beyond those that every answer of the model has.
    unchecked : mapping
        ``table.column`` → why nothing checks it yet.
    places : int
        How many places it has, where it is not turned.
    regime : bool
        Whether the line is another regime of a model, with tables as in its first line: only its answer and
        planted errors are tested.
    accuracy : float
        How closely the turned answer is the same.
    step, difference : float
        Of the differences in `parameter`: their step, relative, and how closely they are the derivative.
    """

    build: Callable[[Order], Model]
    turned: tuple[int, ...] = ()
    names: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    smallest: tuple[int, ...] = ()
    parameter: str = ""
    refusal: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    unchecked: Mapping[str, str] = field(default_factory=dict)
    regime: bool = False
    places: int = 3
    accuracy: float = 1e-6
    step: float = 1e-3
    difference: float = 1e-4

    @property
    def order(self) -> tuple[int, ...]:
        """The order that is solved."""
        return tuple(range(len(self.turned) or self.places))

    @property
    def economy(self) -> Model:
        """The economy that is solved."""
        return self.build(self.order)


CELLS = ("a", "b", "c")
LAND = (0.5, 0.3, 0.4)
LENGTHS = {frozenset({0, 1}): 0.4, frozenset({1, 2}): 0.6, frozenset({0, 2}): 0.7}


def at(order: Order, numbers: Sequence[Any]) -> list[Any]:
    """Return the numbers of places in an order."""
    return [numbers[place] for place in order]


def town(order: Order, links: Sequence[tuple[int, int]] = ((0, 1), (1, 2), (0, 2))) -> nx.Graph:
    """Return three cells of uneven land, joined by links of uneven length; with two places, a pair."""
    graph, position = nx.Graph(), {place: k for k, place in enumerate(order)}
    for k, place in enumerate(order):
        graph.add_node(CELLS[k], land=LAND[place])
    for u, v in links:
        if u in position and v in position:
            graph.add_edge(CELLS[position[u]], CELLS[position[v]], length=LENGTHS[frozenset({u, v})])
    return graph


def city(order: Order) -> FujitaOgawa:
    return FujitaOgawa(
        geography=town(order), commuting_cost=0.1, decay=2.0, firm_mass=sum(at(order, LAND)) / 2.25,
        labor_per_firm=1.25,
    )  # fmt: skip


def pair(order: Order) -> FujitaOgawa:
    """Return two cells, which have few equilibria."""
    return city(order[:2])


def market(order: Order) -> CommutingMarket:
    graph, shares = town(order), np.array(at(order, (0.65, 0.25, 0.1)))
    firms = shares / shares.sum() * sum(at(order, LAND)) / 2.25  # they and their workers fill the land
    return CommutingMarket(geography=graph, commuting_cost=0.1, labor_per_firm=1.25, firms=firms.tolist())


def marketplaces(order: Order) -> Marketplaces:
    return Marketplaces(
        sites=at(order, (0.0, 1.0, 0.45)), makes=at(order, (1, 2, 1)), commodity_shares=(0.3, 0.25),
        leisure_share=0.25, land_share=0.2, setup_cost=0.1, setup_shares=(0.4, 0.6), marketplaces=1,
    )  # fmt: skip


def on_a_plane(order: Order) -> Marketplaces:
    sites = at(order, ((0.0, 0.1), (1.0, 0.0), (0.4, 0.7)))
    return marketplaces(order).model_copy(
        update={"sites": tuple(sites), "marketplaces": ((0.45, 0.3), (0.9, 0.05))}
    )


def on_a_network(order: Order) -> Marketplaces:
    given = marketplaces(order).model_dump()
    return Marketplaces(
        **{**given, "sites": (), "geography": town(order), "marketplaces": [("a", "b", 0.1), "c"]}
    )


def coalition(order: Order, *, everybody: bool = True) -> CoalitionTest:
    kinds = (
        {"name": "first", "mass": 0.6, "utility": 0.3,
         "taste": {"kind": "cobb-douglas", "commodities": [0.45, 0.2], "leisure": 0.15, "land": 0.2}},
        {"name": "second", "mass": 0.4, "utility": 0.318,
         "taste": {"kind": "cobb-douglas", "commodities": [0.2, 0.4], "leisure": 0.15, "land": 0.25}},
    )  # fmt: skip
    return CoalitionTest.model_validate(
        {
            "types": at(order, kinds), "sites": (0.0, 1.0), "makes": (1, 2), "region": (0.4, 0.6),
            "everybody": everybody, "setup": {"kind": "composite", "amount": 0.2, "shares": [0.5, 0.5]},
        }
    )  # fmt: skip


def some_leave(order: Order) -> CoalitionTest:
    return coalition(order[:2], everybody=False)


def graph_game(order: Order, **changes: Any) -> GraphGame:
    given = {
        "geography": town(order), "elasticity": 4.0, "trade_cost_rate": 0.4, "noise": 0.05, "discount": 0.1,
        "moving_cost": 0.5, "horizon": 1.0, "steps": 2, "initial": at(order, (0.8, 1.3, 1.0)),
        "productivity": at(order, (1.0, 1.1, 0.9)),
    }  # fmt: skip
    return GraphGame.model_validate(given | changes)


def myopic(order: Order, **changes: Any) -> MyopicMigration:
    given = {
        "elasticity": 4.0, "trade_cost_rate": 0.4, "noise": 0.02, "discount": 0.1, "moving_cost": 5.0,
        "horizon": 0.2, "cells": 4, "steps": 4, "initial": at(order, (1.3, 1.05, 0.75, 0.9)),
    }  # fmt: skip
    return MyopicMigration.model_validate(given | changes)


def racetrack(order: Order, **changes: Any) -> SpatialGame:
    given = {
        "elasticity": 4.0, "trade_cost_rate": 0.4, "noise": 0.05, "discount": 0.1, "moving_cost": 0.5,
        "horizon": 1.0, "steps": 2, "cells": 3, "initial": at(order, (0.8, 1.2, 1.0)),
        "productivity": at(order, (1.0, 1.1, 0.9)),
    }  # fmt: skip
    return SpatialGame.model_validate(given | changes)


def for_ever(order: Order) -> SpatialGame:
    return racetrack(order, horizon="infinite", steps=1, first_horizon=20.0, turnpike=1e-2)


def on_a_torus(order: Order) -> SpatialGame:
    changes = {"cells": (3, 3), "steps": 1, "initial": np.linspace(0.4, 1.6, 9), "productivity": 1.0}
    return racetrack(order, **changes, noise=0.1)


def trade(order: Order) -> SpatialTrade:
    costs = np.array([[1.0, 1.3, 1.8], [1.5, 1.0, 1.2], [1.4, 1.6, 1.0]])[np.ix_(order, order)]
    people = np.array(at(order, (0.5, 0.3, 0.2)))
    return SpatialTrade(
        elasticity=5.0, trade_cost=costs.tolist(), population=(people / people.sum()).tolist(),
        productivity=at(order, (1.0, 1.2, 0.9)), amenity=at(order, (1.1, 1.0, 0.95)),
        locations=CELLS[: len(order)],
    )  # fmt: skip


def trading(order: Order, **changes: Any) -> PriceFormation:
    given = {
        "horizon": 1.0, "steps": 3, "control_cost": 1.0, "supply": (0.3, -0.2, 0.1),
        "agents": {
            "kind": "list", "states": at(order, (0.1, 0.45, 0.9)), "weights": at(order, (0.5, 0.3, 0.2))
        },
        "running": {"kind": "quadratic", "weight": 2.0, "target": 0.2},
        "terminal": {"kind": "quadratic", "weight": 3.0, "target": 0.4},
    }  # fmt: skip
    return PriceFormation.model_validate(given | changes)


def on_a_tree(order: Order) -> PriceFormation:
    """Return a market of two assets whose supply is known at first and may then rise or fall."""
    events = nx.DiGraph()
    events.add_node("now", supply=(0.3, 0.1))
    for name, chance, supply in (("rise", 0.4, (0.5, -0.1)), ("fall", 0.6, (-0.4, 0.2))):
        events.add_node(name, supply=supply, probability=chance)
        events.add_edge("now", name)
    states = at(order[:2], ((0.1, 0.3), (0.45, 0.0), (0.9, 0.5)))
    coupled = {"kind": "quadratic", "weight": [[3.0, 1.0], [1.0, 2.0]], "target": [0.2, 0.1]}
    agents = {"kind": "list", "states": states}
    return trading(order, steps=2, supply=events, agents=agents, running=coupled)


def sectors(order: Order) -> dict[str, Any]:
    return {
        "geography": town(order), "firm_share": 0.35, "substitution": 2.0,
        "productivity": at(order, (1.0, 1.3, 0.8)), "preferences": at(order, (1.0, 0.8, 1.1)),
    }  # fmt: skip


def firms_on_the_move(order: Order, **changes: Any) -> InvisibleHand:
    given = {
        **sectors(order), "initial": at(order, (0.6, 1.0, 1.5)), "horizon": 0.02, "step": 0.01,
        "moving_cost": 0.5,
    }  # fmt: skip
    return InvisibleHand.model_validate(given | changes)


def short_run(order: Order, **changes: Any) -> ShortRunCompetition:
    given = {**sectors(order), "distribution": at(order, (0.6, 1.0, 1.5))}
    return ShortRunCompetition.model_validate(given | changes)


def at_rest(order: Order) -> SpatialGame:
    changes = {"horizon": "stationary", "scheme": "exponential", "productivity": at(order, (1.0, 1.5, 0.7))}
    return racetrack(order, **changes)


def in_proportion(order: Order) -> MyopicMigration:
    return myopic(order, dynamics="replicator", noise=0.0)


def within_bounds(order: Order) -> PriceFormation:
    return trading(order, control_bounds=(-0.5, 0.5), state_bounds=(None, 0.74))


def two_wells(order: Order) -> PriceFormation:
    """Return a market in which one agent is indifferent between two wells and mixes."""
    wells = {"kind": "double-well", "weight": 50.0, "wells": [0.25, 0.75]}
    return trading(order, running={"kind": "none"}, terminal=wells)


def wells_on_the_way(order: Order) -> PriceFormation:
    wells = {"kind": "double-well", "weight": 50.0, "wells": [0.25, 0.75]}
    return trading(order, running=wells, terminal={"kind": "none"})


def at_a_fixed_cost(order: Order) -> InvisibleHand:
    return firms_on_the_move(order, fixed_cost=0.2)


def bound_to_sectors(order: Order) -> ShortRunCompetition:
    return short_run(order, substitution=1.0, immobile_labor=at(order, (0.5, 1.0, 0.8)), externality=0.2)


IN_CELLS = dict.fromkeys(("cell", "origin", "destination", "location", "sector"), CELLS)
CYCLE = (1, 2, 0)
ON_THE_RING = {3: 2 * np.pi * np.arange(3) / 3, 4: 2 * np.pi * np.arange(4) / 4}
OF_METHOD = "what a method tells of its search: the definition of equilibrium does not read it"
LAST_ROW = "the last row alone is compared"
MARKETS = {
    **{f"structures.{name}": OF_METHOD for name in ("marketplaces", "utility", "bound", "locations")},
}

COALITION = {
    "structures.number": OF_METHOD,
    "structures.locations": OF_METHOD,
    "structures.gain": OF_METHOD,
    "structures.bound": OF_METHOD,
    "structures.solved": OF_METHOD,
    "structures.simplices": OF_METHOD,
}

LINES: dict[str, Line] = {
    "fujita-ogawa": Line(
        city, CYCLE, IN_CELLS, (0, 1), "commuting_cost",
        options={"starts": 12},
        also=("equilibria",),
        unchecked=dict.fromkeys(
            (
                "equilibria.equilibrium", "equilibria.potential", "equilibria.kind",
                "equilibria.total_commuting_cost",
                "equilibria.reached", "equilibria.firms_a", "equilibria.firms_b", "equilibria.firms_c",
            ),
            OF_METHOD,
        ),
    ),
    "fujita-ogawa, every equilibrium": Line(
        pair,
        options={"method": "all-equilibria", "samples": 2},
        also=("equilibria", "equilibrium_firms"),
        unchecked=dict.fromkeys(
            (
                "equilibria.equilibrium", "equilibria.potential", "equilibria.kind",
                "equilibria.total_commuting_cost",
                "equilibria.orbit", "equilibria.orbit_size", "equilibria.basin",
                "equilibrium_firms.firms",
            ),
            OF_METHOD,
        ),
    ),
    "fujita-ogawa, history": Line(
        city,
        options={"method": "history", "dynamic": "smith", "steps": 3},
        also=("history", "history_firms"),
        unchecked=dict.fromkeys(
            ("history.time", "history.potential", "history_firms.firms"), OF_METHOD
        ),
    ),
    "commuting": Line(market, CYCLE, IN_CELLS, (0, 1), "commuting_cost"),
    "marketplaces": Line(
        marketplaces, CYCLE, {"site": (0, 1, 2), "of": (0, 1, 2)}, (0, 1), "setup_cost",
        also=("structures",),
        unchecked={
            **MARKETS,
            **{f"structures.{name}": OF_METHOD for name in ("used", "boxes", "distinct")},
        },
        accuracy=1e-4, step=0.02, difference=2e-3,  # places are found to the root of the accuracy of utility
    ),
    "marketplaces, plane": Line(
        on_a_plane, also=("structures",),
        unchecked={**MARKETS, "sites.position": "words for people: x and y count"},
    ),
    "marketplaces, network": Line(on_a_network, also=("structures",), unchecked=MARKETS),
    "coalition-test": Line(
        coalition, (1, 0), {}, (0,), "setup.amount", also=("structures",), unchecked=COALITION, accuracy=1e-5
    ),
    "coalition-test, some leave": Line(
        some_leave, also=("structures",), unchecked=COALITION
    ),
    "myopic-migration, replicator": Line(in_proportion, regime=True, places=4),
    "spatial-game, at rest": Line(
        at_rest, regime=True, also=("branch",), unchecked={"branch.iterations": OF_METHOD}
    ),
    "price-formation, bounds": Line(within_bounds, regime=True),
    "price-formation, two wells": Line(two_wells, regime=True),
    "price-formation, wells on the way": Line(wells_on_the_way, regime=True),
    "invisible-hand, fixed cost": Line(at_a_fixed_cost, regime=True, also=("reallocation",)),
    "short-run-competition, bound to sectors": Line(bound_to_sectors, regime=True),
    "graph-game": Line(
        graph_game, CYCLE, IN_CELLS, (0, 1), "moving_cost",
        also=("branch",), unchecked={"branch.iterations": OF_METHOD},
    ),
    "myopic-migration": Line(
        myopic, (1, 2, 3, 0), {"x": ON_THE_RING[4]}, (0, 1, 2, 3), "moving_cost",
        refusal="model is 'myopic-migration', but must be one whose answer is the optimum of a program",
    ),
    "spatial-game": Line(
        racetrack, CYCLE, {"x": ON_THE_RING[3]}, (0, 1, 2), "moving_cost",
        also=("branch",), unchecked={"branch.iterations": OF_METHOD},
    ),
    "spatial-game, infinite": Line(
        for_ever,
        also=("branch",),
        unchecked={
            "branch.iterations": OF_METHOD,
            **dict.fromkeys(("branch.parameter", "branch.value", "branch.hhi", "branch.moved"), LAST_ROW),
        },
    ),
    "spatial-game, torus": Line(
        on_a_torus,
        options={"starts": 1},
        also=("branch", "branches"),
        unchecked=dict.fromkeys(
            (
                "branch.iterations", "branches.start", "branches.centre", "branches.strength",
                "branches.hhi", "branches.mean_value", "branches.deflated", "branches.solved", "branches.new",
            ),
            OF_METHOD,
        ),
    ),
    "spatial-trade": Line(trade, CYCLE, IN_CELLS, (0, 1), "elasticity", also=("trade",)),
    "price-formation": Line(trading, CYCLE, {"agent": (0, 1, 2)}, (0, 1), "control_cost"),
    "price-formation, random supply": Line(on_a_tree),
    "invisible-hand": Line(
        firms_on_the_move, CYCLE, IN_CELLS, (0, 1), "moving_cost", also=("reallocation",)
    ),
    "invisible-hand, equation of motion": Line(firms_on_the_move, options={"method": "ode"}),
    "short-run-competition": Line(short_run, CYCLE, IN_CELLS, (0, 1), "firm_share"),
}  # fmt: skip
"""The models of this package, and further lines for tables that only some of their answers have."""


@cache
def solved(name: str) -> Solution:
    """Return the answer of a line, solved once."""
    line = LINES[name]
    return solve(line.economy, **line.options)
