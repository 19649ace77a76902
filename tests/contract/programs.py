"""Every program of every model, solved as it is stated and compared with an answer by another route.

An entry takes `solve`, hands it a function that builds a program, and compares the solved program with a
method's answer, a closed form, an optimality condition, or the definition of equilibrium. So no formulation
stands that nothing solves: `test_programs` lists those that no entry builds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import combinations
from types import CodeType
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pyomo.environ as pyo
import pytest
from scipy.optimize import fsolve, minimize

from agora.data.city import ProductionFunction
from agora.data.geographies import circle, segment, torus
from agora.formulations.city.commuting import add_commuting_pairs
from agora.formulations.marketplaces.market_equilibrium import add_median_choice
from agora.formulations.migration.kernels import Kernel, RingKernel, TorusKernel, low_rank_kernel
from agora.formulations.migration.trade import solve_wages
from agora.models import (
    CommutingMarket,
    FujitaOgawa,
    InvisibleHand,
    Marketplaces,
    Model,
    MyopicMigration,
    ShortRunCompetition,
    SpatialGame,
    SpatialTrade,
    price,
)
from agora.models.city.tables import CityAllocation, Commuters
from agora.models.marketplaces.example_one import example_one
from agora.models.migration.game import MeanFieldGame
from agora.models.solution import Solution
from agora.runners import certify
from agora.runners.solving import solve
from agora.solvers import solve_program

from .economies import (
    city,
    firms_on_the_move,
    graph_game,
    myopic,
    on_a_tree,
    racetrack,
    short_run,
    solved,
    within_bounds,
)

TOLERANCE = 1e-6
"""Largest difference between a program's answer and that of another route."""
TIGHT = {"tol": 1e-11, "bound_push": 1e-9, "bound_frac": 1e-9}
"""Options of IPOPT where quantities are compared to 1e-6."""


class Solving:
    """Builds a program, starts it, solves it: what an entry is handed."""

    def __call__(
        self,
        build: Callable[[], pyo.ConcreteModel],
        start: Callable[[pyo.ConcreteModel], object] | None = None,
        options: Mapping[str, Any] | None = None,
        interior: bool = False,
    ) -> pyo.ConcreteModel:
        """Return the solved program; starts are given after it is built."""
        program = self.construct(build)
        if start is not None:
            start(program)
        solve_program(program, options, interior=interior)
        return program

    def construct(self, build: Callable[[], pyo.ConcreteModel]) -> pyo.ConcreteModel:
        """Return the program that is solved."""
        return build()


class _Built(Exception):
    """Ends an entry once its program is built."""


class Building(Solving):
    """Builds a program, notes every function that was called, and goes no further."""

    def __init__(self) -> None:
        self.program: pyo.ConcreteModel | None = None
        self.called: set[CodeType] = set()

    def __call__(self, build: Callable[[], pyo.ConcreteModel], *_: Any, **__: Any) -> pyo.ConcreteModel:
        """Build under a profile and leave the entry."""

        def note(frame: Any, event: str, _: Any) -> None:
            if event == "call":
                self.called.add(frame.f_code)

        before = sys.getprofile()
        sys.setprofile(note)
        try:
            self.program = build()
        finally:
            sys.setprofile(before)
        raise _Built


@dataclass(frozen=True)
class Entry:
    """One program: what compares it, and whether its equations are kept as golden text."""

    compare: Callable[[Solving], None]
    golden: bool


PROGRAMS: dict[str, Entry] = {}
"""``model.method, variant`` → entry."""


def program(name: str, *, golden: bool = True) -> Callable[[Callable[[Solving], None]], Callable[..., None]]:
    """Return a decorator that puts an entry into the table."""

    def register(compare: Callable[[Solving], None]) -> Callable[[Solving], None]:
        assert name not in PROGRAMS
        PROGRAMS[name] = Entry(compare, golden)
        return compare

    return register


@cache
def _building(name: str) -> Building:
    building = Building()
    with pytest.raises(_Built):
        PROGRAMS[name].compare(building)
    return building


def built(name: str) -> pyo.ConcreteModel:
    """Return the program of an entry, not solved."""
    return _building(name).program


def called(name: str) -> set[CodeType]:
    """Return the functions that the program of an entry is built by."""
    return _building(name).called


# --- comparing -----------------------------------------------------------------------------------


def agree(found: Any, wanted: Any, tolerance: float = TOLERANCE) -> None:
    """Assert that numbers are the same."""
    np.testing.assert_allclose(np.asarray(found, dtype=float), np.asarray(wanted, dtype=float), 0, tolerance)


def same(found: Mapping[str, pd.DataFrame], wanted: Mapping[str, pd.DataFrame], *names: str) -> None:
    """Assert that all numbers of some tables are the same, in the same rows."""
    for name in names:
        left, right = found[name], wanted[name]
        pd.testing.assert_frame_equal(left, right, check_dtype=False, rtol=0, atol=TOLERANCE, obj=name)


def hold(model: Model, tables: Mapping[str, pd.DataFrame]) -> None:
    """Assert that a program's tables are certified."""
    certificate = certify(model, tables, TOLERANCE)
    assert certificate.passed, certificate.worst


def values(component: Any) -> np.ndarray:
    """Return the values of an indexed component as an array."""
    return np.array([float(pyo.value(each)) for each in component.values()])


def column(solution: Solution, table: str, name: str) -> np.ndarray:
    """Return a column of a solution."""
    return solution.tables[table][name].to_numpy(dtype=float)


# --- the city ------------------------------------------------------------------------------------


@cache
def known(model: FujitaOgawa) -> Solution:
    """Return what best responses find from many starts."""
    return solve(model, starts=30)


def one_of(model: FujitaOgawa, program: pyo.ConcreteModel) -> pd.Series:
    """Return the equilibrium that best responses know and that a program has found."""
    equilibria = known(model).tables["equilibria"]
    firms = equilibria[[name for name in equilibria if name.startswith("firms_")]]
    (rows,) = np.nonzero((np.abs(firms - values(program.firms)) < TOLERANCE).all(axis=1))
    assert len(rows) == 1, (values(program.firms), firms)
    return equilibria.iloc[rows[0]]


def overall(solving: Solving, model: FujitaOgawa, build: Callable[[], pyo.ConcreteModel]) -> None:
    """Compare the overall program (P0), in any form: an equilibrium that best responses find too."""
    program = solving(build, begin, CLOSE)
    tables = model.read(program)
    hold(model, tables)
    found = one_of(model, program)
    agree(pyo.value(program.potential), found["potential"])
    agree(pyo.value(program.total_commuting_cost), found["total_commuting_cost"])
    assert found["total_commuting_cost"] > 0.01  # somebody travels


CENTRE = (0.48, 0.04, 0.013)
"""Firms from which the programs of `city` start."""
CLOSE = {**TIGHT, "mu_init": 1e-6}
"""Options of IPOPT that keep it near its start: a city has several equilibria."""


def begin(built: pyo.ConcreteModel) -> None:
    """Start a program of `TOWN` near the equilibrium that `solved` holds: firms and travel, not prices."""
    found = solved("fujita-ogawa")
    TOWN.start_from(built, CENTRE)
    cells, travel = found.tables["cells"], found.tables["commuting"]
    starts = {
        "residents": cells["residents"], "resident_stock": cells["residents"],
        "job_stock": cells["employment"], "commuting_flow": flow_of(TOWN, travel),
    }  # fmt: skip
    for name, masses in starts.items():
        if isinstance(built.component(name), pyo.Var):
            for variable, mass in zip(built.component(name).values(), masses, strict=True):
                variable.set_value(float(mass))
    if built.component("commuters") is not None:
        position = {name: k for k, name in enumerate(cells["cell"])}
        for home, job, mass in travel[["origin", "destination", "flow"]].itertuples(index=False):
            built.commuters[position[home], position[job]].set_value(mass)


@program("fujita-ogawa.program")
def _(solving: Solving) -> None:
    overall(solving, TOWN, TOWN.program)


@program("fujita-ogawa.program, pairs")
def _(solving: Solving) -> None:
    overall(solving, TOWN, partial(TOWN.program, add_commuting_pairs))


@program("fujita-ogawa.reduced_program")
def _(solving: Solving) -> None:
    """Compare the rent with what households bid and what firms bid above it: r = ř + r̂."""
    program = solving(TOWN.reduced_program, begin, CLOSE)
    found = one_of(TOWN, program)
    agree(pyo.value(program.potential), found["potential"])
    tables = TOWN.read(program)
    above = np.array([price(program, row) for row in program.firm_land_limit.values()])
    rent = tables["cells"]["rent"] + above
    cells = tables["cells"].assign(rent=rent, profit=tables["cells"]["profit"] - above)
    paid = tables["totals"].assign(aggregate_rent=float(rent @ TOWN.network.land))
    hold(TOWN, {**tables, "cells": cells, "totals": paid})
    assert above.max() > 0.01  # the centre is full of firms


@program("fujita-ogawa.welfare_program")
def _(solving: Solving) -> None:
    """Firms that keep what they give to others: the potential of a city with twice the spillovers."""
    program = solving(TOWN.welfare_program, begin, CLOSE)
    twice = 2 * np.exp(-2.0 * TOWN.network.distances)
    planned = town_with({"kind": "matrix", "values": twice.tolist()})
    found = one_of(planned, program)
    agree(pyo.value(program.welfare), found["potential"])
    agree(pyo.value(program.total_commuting_cost), found["total_commuting_cost"])


@program("fujita-ogawa.lattice_program")
def _(solving: Solving) -> None:
    model = FujitaOgawa(geography=segment(4, spacing=0.25), commuting_cost=0.1, decay=3.0, firm_mass=0.5,
                        labor_per_firm=1.0)  # fmt: skip
    program = solving(model.lattice_program)
    found = solve(model, method="global")
    unit = model.network.land[0] ** 2 / 8
    agree(unit * pyo.value(program.potential), found.objective)
    firms = values(program.firms)
    assert min(np.abs(firms - column(found, "cells", "firms")).max(),
               np.abs(firms[::-1] - column(found, "cells", "firms")).max()) < TOLERANCE  # fmt: skip


@program("fujita-ogawa.lattice_program, circle", golden=False)
def _(solving: Solving) -> None:
    """Take a circle where whole numbers matter: with either kind free to be a fraction more is promised."""
    graph = nx.cycle_graph(5)
    for (u, v), length in {(0, 1): 0.2, (1, 2): 0.2, (2, 3): 0.1, (3, 4): 0.1, (0, 4): 0.3}.items():
        graph.edges[u, v]["length"] = length
    nx.set_node_attributes(graph, 0.25, "land")
    model = FujitaOgawa(geography=graph, commuting_cost=0.3, decay=6.0, firm_mass=0.625, labor_per_firm=1.0)
    program = solving(model.lattice_program)
    agree(0.25**2 / 8 * pyo.value(program.potential), solve(model, method="global").objective)


@program("fujita-ogawa.home_first_program")
def _(solving: Solving) -> None:
    two_stages(solving, TOWN.home_first_program)


@program("fujita-ogawa.job_first_program")
def _(solving: Solving) -> None:
    two_stages(solving, TOWN.job_first_program)


def two_stages(solving: Solving, build: Callable[[], pyo.ConcreteModel]) -> None:
    """Compare a program whose households choose home and job one after the other with the overall one."""
    program = solving(build, begin, CLOSE)
    found = one_of(TOWN, program)
    agree(pyo.value(program.potential), found["potential"])
    overall_one = TOWN.program()
    begin(overall_one)
    solve_program(overall_one, CLOSE)
    for name in ("firms", "residents", "employment"):
        agree(values(getattr(program, name)), values(getattr(overall_one, name)))
    agree(pyo.value(program.total_commuting_cost), found["total_commuting_cost"])
    assert found["total_commuting_cost"] > 0.01


@program("fujita-ogawa.best_response_program")
def _(solving: Solving) -> None:
    """Firms stay where they are if production levels are those that they make."""
    found = solved("fujita-ogawa")
    model, totals = found.model, found.tables["totals"].iloc[0]
    program = solving(partial(model.best_response_program, column(found, "cells", "production")))
    agree(values(program.firms), column(found, "cells", "firms"))
    agree(pyo.value(program.output), totals["production"] - totals["total_commuting_cost"])
    lowest = min(price(program, row) for row in program.land_limit.values())
    profit = price(program, program.firm_mass_balance) + (1 + model.labor_per_firm) * lowest
    hold(model, model.read(program))
    assert profit > 0.1


@program("fujita-ogawa.supporting_price_program")
def _(solving: Solving) -> None:
    supported(solving, solved("fujita-ogawa"))


@program("fujita-ogawa.supporting_price_program, twenty times as large", golden=False)
def _(solving: Solving) -> None:
    """Measure masses and money in other units."""
    graph = TOWN.geography.copy()
    for place in graph.nodes.values():
        place["land"] *= 20
    large = FujitaOgawa(
        geography=graph, commuting_cost=20 * TOWN.commuting_cost, decay=2.0, firm_mass=20 * TOWN.firm_mass,
        labor_per_firm=TOWN.labor_per_firm,
    )  # fmt: skip
    supported(solving, solve(large, starts=12))


def supported(solving: Solving, found: Solution) -> None:
    """Compare the prices of the highest profit with those that a method reports."""
    model, network = found.model, found.model.network
    stated = model.program()
    model.start_from(stated, column(found, "cells", "firms"))
    firms, residents, employment = (
        column(found, "cells", name) for name in ("firms", "residents", "employment")
    )
    flow = flow_of(model, found.tables["commuting"])
    wage = rent = np.zeros(network.number)
    allocation = CityAllocation(
        firms, residents, employment, Commuters(flow), wage, rent, 0.0, model.commuting_cost
    )
    program = solving(partial(model.supporting_price_program, allocation))
    agree(pyo.value(program.profit), found.tables["totals"]["profit"].iloc[0])
    agree(values(program.rent), column(found, "cells", "rent"))
    working = employment > 0
    agree(values(program.wage)[working], column(found, "cells", "wage")[working])


def flow_of(model: FujitaOgawa, commuting: pd.DataFrame) -> np.ndarray:
    """Return the flow on the links of a geography whose links are all shortest ways."""
    links = {ends: k for k, ends in enumerate(zip(model.network.tails, model.network.heads, strict=True))}
    position = {str(cell): k for k, cell in enumerate(model.network.cells)}
    flow = np.zeros(len(links))
    for home, job, mass in commuting[["origin", "destination", "flow"]].itertuples(index=False):
        if home != job:
            flow[links[position[home], position[job]]] += mass
    return flow


@program("fujita-ogawa.complementarity_program")
def _(solving: Solving) -> None:
    """Definition 1 needs no potential: here what firms give each other is not symmetric."""
    lopsided = np.exp(-2.0 * TOWN.network.distances) * [[1.0, 1.0, 1.2], [1.1, 1.0, 0.9], [1.0, 1.2, 1.0]]
    model = town_with({"kind": "matrix", "values": lopsided.tolist()})

    def relaxed(built: pyo.ConcreteModel) -> None:
        model.start_from(built, CENTRE)
        pyo.TransformationFactory("mpec.simple_nonlinear").apply_to(built, mpec_bound=1e-9)

    program = solving(model.complementarity_program, relaxed, {"tol": 1e-11})
    hold(model, model.read(program))
    assert not model.has_potential
    assert pyo.value(program.total_commuting_cost) > 0.01


@program("fujita-ogawa.program, spillovers within a cell")
def _(solving: Solving) -> None:
    model = town_with({"kind": "power", "exponent": 0.5})
    overall(solving, model, model.program)


@program("fujita-ogawa.program, spillovers by a function", golden=False)
def _(solving: Solving) -> None:
    """Take a function of the user's: more than in proportion to who is near."""
    near = np.exp(-2.0 * TOWN.network.distances).tolist()

    def levels(firms: Sequence[Any]) -> list[Any]:
        around = [sum(share * mass for share, mass in zip(row, firms, strict=True)) for row in near]
        total = sum(mass * level for mass, level in zip(firms, around, strict=True))
        return [4 * total * level for level in around]

    model = town_with(ProductionFunction(function=levels))
    overall(solving, model, model.program)


def town_with(externality: Mapping[str, Any] | ProductionFunction) -> FujitaOgawa:
    """Return the city of `TOWN` with another externality."""
    return FujitaOgawa(
        geography=TOWN.geography, commuting_cost=TOWN.commuting_cost, firm_mass=TOWN.firm_mass,
        labor_per_firm=TOWN.labor_per_firm, externality=externality,
    )  # fmt: skip


TOWN = city((0, 1, 2))

# --- commuting to given jobs ---------------------------------------------------------------------


@program("commuting.program")
def _(solving: Solving) -> None:
    found = solved("commuting")
    tables = found.model.read(solving(found.model.program))
    same(tables, found.tables, "cells", "commuting", "totals")


@program("commuting.program, pairs")
def _(solving: Solving) -> None:
    found = solved("commuting")
    tables = found.model.read(solving(partial(found.model.program, add_commuting_pairs)))
    same(tables, found.tables, "cells", "commuting", "totals")


@program("commuting.dual_program")
def _(solving: Solving) -> None:
    duality(solving, pairs=False)


@program("commuting.dual_program, pairs")
def _(solving: Solving) -> None:
    duality(solving, pairs=True)


@program("commuting.program, pairs, one way")
def _(solving: Solving) -> None:
    found = solve(one_way())
    tables = found.model.read(solving(partial(found.model.program, add_commuting_pairs)))
    same(tables, found.tables, "cells", "commuting", "totals")


@program("commuting.dual_program, one way")
def _(solving: Solving) -> None:
    duality(solving, pairs=False, found=solve(one_way()))


@program("commuting.dual_program, pairs, one way")
def _(solving: Solving) -> None:
    duality(solving, pairs=True, found=solve(one_way()))


def one_way() -> CommutingMarket:
    """Return a market whose ways there and back differ, in cells that are named by pairs."""
    cells, graph = ((0, 0), (0, 1), (1, 1)), nx.DiGraph()
    for cell, land in zip(cells, (0.5, 0.3, 0.4), strict=True):
        graph.add_node(cell, land=land)
    for tail, head, length in ((0, 1, 0.4), (1, 2, 0.6), (2, 0, 0.7), (1, 0, 0.5)):
        graph.add_edge(cells[tail], cells[head], length=length)
    firms = (np.array((0.65, 0.25, 0.1)) * 1.2 / 2.25).tolist()
    return CommutingMarket(geography=graph, commuting_cost=0.1, labor_per_firm=1.25, firms=firms)


def duality(solving: Solving, *, pairs: bool, found: Solution | None = None) -> None:
    """Compare the wage bill less the rents of homes with the cost of commuting."""
    found = solved("commuting") if found is None else found
    model = found.model
    program = solving(partial(model.dual_program, pairs))
    agree(pyo.value(program.surplus), found.tables["totals"]["total_commuting_cost"].iloc[0])
    offered = values(program.wage)[None, :] - model.commuting_cost * model.network.distances
    assert (offered <= values(program.rent)[:, None] + TOLERANCE).all()
    assert found.tables["totals"]["total_commuting_cost"].iloc[0] > 0.01


# --- marketplaces --------------------------------------------------------------------------------

ECONOMY: dict[str, Any] = {
    "sites": (0.0, 1.0, 0.45), "makes": (1, 2, 1), "commodity_shares": (0.3, 0.25), "leisure_share": 0.25,
    "land_share": 0.2, "setup_cost": 0.1, "setup_shares": (0.4, 0.6),
}  # fmt: skip
INSIDE = {"tol": 1e-11}


@program("marketplaces.program")
def _(solving: Solving) -> None:
    """With free marketplaces the program's local optimum is the best structure that the search proves."""
    found = solved("marketplaces")
    program = solving(found.model.program, None, INSIDE)
    agree(program.utility.value, found.objective)
    tables = found.model.read(program)
    hold(found.model, tables)
    agree(tables["marketplaces"]["location"], column(found, "marketplaces", "location"), 1e-5)


@program("marketplaces.fixed_program")
def _(solving: Solving) -> None:
    given(solving, Marketplaces(**ECONOMY, marketplaces=(0.3, 0.9)))


@program("marketplaces.fixed_program, constant elasticity")
def _(solving: Solving) -> None:
    given(solving, Marketplaces(**ECONOMY, marketplaces=(0.3, 0.9), substitution=2.0))


def given(solving: Solving, model: Marketplaces) -> None:
    """Compare a program of given marketplaces with the method that finds prices first."""
    program = solving(partial(model.fixed_program, model.given_locations), None, INSIDE)
    found = solve(model)
    agree(program.utility.value, found.objective)
    tables = model.read(program)
    hold(model, tables)
    same(tables, found.tables, "sites", "prices", "totals")


@program("marketplaces.free_program, railway")
def _(solving: Solving) -> None:
    """Build dear land before cheap land, as the line has them."""
    railway(solving, [[0.0, 0.5, 2.0], [0.5, 1.0, 0.3]], (0, 1, 0))


@program("marketplaces.free_program, railway over cheap land")
def _(solving: Solving) -> None:
    railway(solving, [[0.0, 0.5, 0.3], [0.5, 1.0, 2.0]], (0, 1, 1))


@program("marketplaces.free_program, railway too dear")
def _(solving: Solving) -> None:
    """Leave no railway, and both marketplaces at one place."""
    railway(solving, 5.0, (0, 1, 1))


def railway(solving: Solving, cost: Any, groups: tuple[int, ...]) -> None:
    """Compare two marketplaces, joined by a railway, with the search over all places."""
    given = {**ECONOMY, "sites": (0.0, 0.8, 0.45), "setup_cost": 0.03 if len(np.shape(cost)) else 0.05}
    model = Marketplaces(**given, railway={"scale": "once", "cost_per_length": cost}, marketplaces=2)
    program = solving(partial(model.free_program, groups), None, INSIDE)
    found = solve(model)
    agree(program.utility.value, found.objective)
    places = np.unique(column(found, "marketplaces", "location"))
    agree(np.unique(values(program.location).round(5)), places.round(5), 2e-5)


@program("marketplaces.free_program, plane")
def _(solving: Solving) -> None:
    model = Marketplaces(
        **{**ECONOMY, "sites": [[0.0, 0.1], [1.0, 0.0], [0.4, 0.7]]}, marketplaces=1, land=(1.0, 0.8, 1.2)
    )
    program = solving(model.program, None, INSIDE)
    found = solve(model, gap=1e-7)
    agree(program.utility.value, found.objective)
    hold(model, model.read(program))


@program("marketplaces.median_choice")
def _(solving: Solving) -> None:
    """Two of four places, each site using the better one: against all pairs of places."""
    gains = np.array([[3.0, 0.2, 0.1], [0.5, 2.0, 0.3], [1.5, 1.4, 0.2], [0.1, 0.2, 1.7]])

    def build() -> pyo.ConcreteModel:
        built = pyo.ConcreteModel(name="medians")
        add_median_choice(built, gains, 2)
        return built

    program = solving(build)
    every = {pair: gains[list(pair)].max(axis=0).sum() for pair in combinations(range(4), 2)}
    agree(pyo.value(program.total_value), max(every.values()))
    opened = {place for place, share in program.opened.items() if share.value > 0.5}
    assert tuple(sorted(opened)) == max(every, key=every.__getitem__)
    levels = np.array([price(program, row) for row in program.use_balance.values()])
    more = np.maximum(gains - levels, 0.0).sum(axis=1).max()
    agree(levels.sum() + 2 * more, pyo.value(program.total_value))  # the dual bound is met


# --- coalitions ----------------------------------------------------------------------------------


@program("coalition-test.program")
def _(solving: Solving) -> None:
    best_coalition(solving, solved("coalition-test, some leave"))


@program("coalition-test.program, everybody")
def _(solving: Solving) -> None:
    best_coalition(solving, solved("coalition-test"))


@program("coalition-test.program, fixed proportions")
def _(solving: Solving) -> None:
    best_coalition(solving, in_fixed_proportions())


def best_coalition(solving: Solving, found: Solution) -> None:
    """Compare the coalition at the marketplaces that the search has found."""
    model, places = found.model, places_of(found)
    program = solving(partial(model.program, places), None, INSIDE)
    agree(program.gain.value, found.objective)
    tables = model.read(program)
    hold(model, tables)
    agree(tables["types"]["share"], column(found, "types", "share"), 1e-5)


def places_of(found: Solution) -> list[float]:
    """Return where an answer has its marketplaces, to six digits: the equations are the same anywhere."""
    return column(found, "marketplaces", "location").round(6).tolist()


@program("coalition-test.location_program")
def _(solving: Solving) -> None:
    found = solved("coalition-test, some leave")
    (place,) = places_of(found)
    near = [place + 0.05]
    started = found.model.location_program(near)
    agree([way.value for way in started.travel.values()], found.model.travel(near))
    program = solving(partial(found.model.location_program, near), None, INSIDE)
    agree(program.gain.value, found.objective)
    agree(program.location[1].value, place, 1e-4)


@program("coalition-test.price_program")
def _(solving: Solving) -> None:
    affordable(solving, solved("coalition-test, some leave"))


@program("coalition-test.price_program, everybody")
def _(solving: Solving) -> None:
    affordable(solving, solved("coalition-test"))


@program("coalition-test.price_program, fixed proportions")
def _(solving: Solving) -> None:
    affordable(solving, in_fixed_proportions())


def affordable(solving: Solving, found: Solution) -> None:
    """Compare the gain that nobody could afford to exceed with the coalition's."""
    model, places = found.model, places_of(found)
    program = solving(partial(model.price_program, places), None, {"tol": 1e-10})
    agree(program.gain.value, found.objective)
    tables = model.read_prices(program)
    hold(model, tables)
    direct = model.program(places)
    solve_program(direct, INSIDE)
    agree(direct.gain.value, program.gain.value)


@cache
def in_fixed_proportions() -> Solution:
    """Return what consumers in Example 1 of Berliant & Konishi gain by leaving."""
    return solve(example_one(marketplaces=1, utility=(0.5, 0.6)))


# --- moving workers ------------------------------------------------------------------------------


@program("graph-game.program")
def _(solving: Solving) -> None:
    game(solving, solved("graph-game").model)


@program("graph-game.program, entropic")
def _(solving: Solving) -> None:
    game(solving, graph_game((0, 1, 2), moving="entropic"))


@program("spatial-game.path_program")
def _(solving: Solving) -> None:
    game(solving, solved("spatial-game").model)


@program("spatial-game.path_program, trapezoid")
def _(solving: Solving) -> None:
    game(solving, racetrack((0, 1, 2), time_scheme="trapezoid", scheme="exponential", moving_cost=4.0))


@program("spatial-game.path_program, central, dense")
def _(solving: Solving) -> None:
    changes = {"scheme": "central", "kernel": "dense", "trade_cost_share": 0.8, "moving_cost": 4.0}
    game(solving, racetrack((0, 1, 2), **changes))


@program("spatial-game.path_program, torus", golden=False)
def _(solving: Solving) -> None:
    game(solving, SpatialGame(**WORKERS, cells=(3, 3), steps=1, initial=np.linspace(0.8, 1.2, 9)))


@program("spatial-game.path_program, infinite", golden=False)
def _(solving: Solving) -> None:
    """Begin at rest: the path stays there, and its block of rest is a stationary equilibrium."""
    model = SpatialGame(**{**WORKERS, "horizon": "infinite"}, cells=3, steps=1, productivity=(1.0, 1.1, 0.9))
    still = SpatialGame(**{**WORKERS, "horizon": "stationary"}, cells=3, productivity=(1.0, 1.1, 0.9))
    at_rest = solve(still).tables["path"]
    begun = model.model_copy(update={"initial": tuple(at_rest["density"].tolist())})
    program = solving(partial(begun.path_program, np.array([0.5, 1.0])), None, INSIDE)
    for name in ("density", "value", "wage", "real_wage"):
        state = begun.model_copy(update={"steps": 1}).read(program)["rest"][name]
        agree(state, at_rest[name])
        wages = name in ("wage", "real_wage")
        found = (
            [values(getattr(program.instant[t], name)) for t in program.times]
            if wages
            else values(getattr(program, name)).reshape(3, 3)
        )
        agree(found, np.tile(at_rest[name], (3, 1)))


@program("spatial-game.rest_program")
def _(solving: Solving) -> None:
    model = racetrack((0, 1, 2), horizon="stationary")
    game(solving, model)


@program("spatial-game.rest_program, alike")
def _(solving: Solving) -> None:
    """Where all cells are alike a crowd may stand anywhere: the program holds its position."""
    model = SpatialGame(
        **{**WORKERS, "horizon": "stationary", "moving_cost": 120.0, "noise": 0.01, "trade_cost_rate": 0.5},
        cells=6, initial={"kind": "cosine", "amplitude": 0.5}, scheme="exponential",
    )  # fmt: skip
    found = solve(model, start="agglomerated")
    path = found.tables["path"]

    def crowd(built: pyo.ConcreteModel) -> None:
        density = path["density"].to_numpy()
        aside = 0.02 * (np.roll(density, 1) - np.roll(density, -1))  # turned a little, and to be turned back
        model.start_rest(built, density + aside, *(path[name].to_numpy() for name in ("value", "wage")))

    program = solving(model.rest_program, crowd, INSIDE)
    tables = model.read(program)
    hold(model, tables)
    same(tables, found.tables, "path", "concentration")
    assert found.tables["concentration"]["hhi"].iloc[0] > 1.02


WORKERS: dict[str, Any] = {
    "elasticity": 4.0, "trade_cost_rate": 0.4, "noise": 0.05, "discount": 0.1, "moving_cost": 0.5,
    "horizon": 1.0,
}  # fmt: skip


def game(solving: Solving, model: MeanFieldGame) -> None:
    """Compare a game's program from its own start with the definition of equilibrium and the method."""
    program = solving(model.program, None, INSIDE)
    tables = model.read(program)
    hold(model, tables)
    same(tables, solve(model).tables, "path", "concentration")


@program("myopic-migration.program")
def _(solving: Solving) -> None:
    euler(solving, myopic((0, 1, 2, 3), steps=2))


@program("myopic-migration.program, replicator")
def _(solving: Solving) -> None:
    euler(solving, myopic((0, 1, 2, 3), steps=2, dynamics="replicator", noise=0.0))


def euler(solving: Solving, model: MyopicMigration) -> None:
    """Compare the path in steps of implicit Euler with the same steps of the integrator's own rates."""
    program = solving(model.program, None, INSIDE)
    before, length = model.start, model.horizon / model.steps
    for step in program.times:
        after = fsolve(partial(_left, model, before, length), before, xtol=1e-13)
        agree([program.density[step, i].value for i in range(model.cells)], after, 1e-8)
        before = after
    assert np.abs(before - model.start).max() > 0.01


def _left(model: MyopicMigration, before: np.ndarray, length: float, after: np.ndarray) -> np.ndarray:
    """Return by how much a step of implicit Euler is missed."""
    real = solve_wages(model.economy, model.kernel, after).real_wage
    return after - before - length * model.rate(after, real)


@program("spatial-trade.program")
def _(solving: Solving) -> None:
    trading_places(solving, solved("spatial-trade").model)


@program("spatial-trade.program, circle")
def _(solving: Solving) -> None:
    model = SpatialTrade(geography=circle(5), **PLACES, productivity=(1.0, 1.2, 0.9, 1.1, 1.0))
    assert isinstance(model.kernel, RingKernel)
    trading_places(solving, model)


@program("spatial-trade.program, torus", golden=False)
def _(solving: Solving) -> None:
    people = np.linspace(0.8, 1.2, 12)
    model = SpatialTrade(geography=torus(3, 4), **PLACES, population=people / people.mean())
    assert isinstance(model.kernel, TorusKernel)
    trading_places(solving, model)


@program("spatial-trade.program, low rank")
def _(solving: Solving) -> None:
    model = SpatialTrade(geography=circle(5), **PLACES, productivity=(1.0, 1.2, 0.9, 1.1, 1.0))
    kernel = low_rank_kernel(model.freeness, model.base_weights, 1e-12)
    trading_places(solving, model, kernel)


PLACES: dict[str, Any] = {"elasticity": 4.0, "trade_cost": {"rate": 0.8}}


def trading_places(solving: Solving, model: SpatialTrade, kernel: Kernel | None = None) -> None:
    """Compare the program with Newton's method on the wage equations alone."""
    program = solving(partial(model.program, kernel, np.ones(model.number)), None, INSIDE)
    tables, newton = model.read(program), solve(model, method="newton")
    hold(model, tables)
    same(tables, newton.tables, *newton.tables)


# --- a market over time --------------------------------------------------------------------------


@program("price-formation.program")
def _(solving: Solving) -> None:
    found = solved("price-formation")
    program = solving(found.model.program)
    tables = found.model.read(program)
    hold(found.model, tables)
    same(tables, found.tables, "price", "paths", "totals")
    agree(pyo.value(program.population_cost), found.objective)


@program("price-formation.program, random supply")
def _(solving: Solving) -> None:
    """Two assets on a tree of events: against the equilibrium in closed form."""
    model = on_a_tree((0, 1, 2))
    found = solve(model)
    tables = model.read(solving(model.program))
    hold(model, tables)
    same(tables, found.tables, "price", "paths", "totals")


@program("price-formation.program, bounds")
def _(solving: Solving) -> None:
    """States and velocities at their limits: against the definition, whose bounds are dual."""
    model = within_bounds((0, 1, 2))
    program = solving(model.program)
    hold(model, model.read(program))
    speeds = values(program.control)
    agree(np.abs(speeds).max(), 0.5)
    agree(max(state.value for state in program.state.values() if not state.fixed), 0.74)
    assert np.abs(column(solved("price-formation"), "paths", "control")[:3]).max() > 0.55


@program("price-formation.relaxed_program")
def _(solving: Solving) -> None:
    """Agents that mix two replies: against the price level at which they are indifferent."""
    found = solved("price-formation, two wells")
    model, paths = found.model, found.tables["paths"]
    agents = paths.groupby(["agent", "path"], sort=False).size().index.get_level_values(0).tolist()
    assert len(agents) > len(model.masses)  # somebody mixes
    states = paths["state"].to_numpy().reshape(len(agents), 1, -1)
    shares = paths["weight"].to_numpy().reshape(len(agents), -1)[:, 0]
    aside = 1e-3 * np.arange(model.steps + 1) / model.steps

    program = solving(
        partial(model.relaxed_program, agents),
        partial(model.start_from, states=states + aside, shares=shares),
        INSIDE,
    )
    tables = model.read(program)
    hold(model, tables)
    same(tables, found.tables, "price")
    agree(tables["totals"]["population_cost"], found.objective)


@program("price-formation.representative_program")
def _(solving: Solving) -> None:
    found = solved("price-formation")
    program = solving(found.model.representative_program)
    levels = [-price(program, row) / found.model.step for row in program.clearing_balance.values()]
    agree(levels, column(found, "price", "price"))


@program("price-formation.variational_program")
def _(solving: Solving) -> None:
    """Give the linear program in the price level the replies that agents are indifferent between."""
    found = solved("price-formation, two wells")
    model, paths = found.model, found.tables["paths"]
    each = paths.groupby(["agent", "path"], sort=False)
    bought = (each["state"].last() - each["state"].first()).to_numpy()
    step, speeds = model.step, paths["control"].fillna(0.0).to_numpy().reshape(len(bought), -1)
    ends = each["state"].last().to_numpy()
    paid = step * (0.5 * model.control_cost * speeds**2).sum(axis=1)
    supplied = -model.control_cost * model.supply.values[:, 0]  # the price beside its level
    paid += step * speeds[:, :-1] @ supplied + model.terminal.value(ends)
    agents = each.size().index.get_level_values(0).tolist()
    program = solving(partial(model.variational_program, agents, paid.tolist(), bought.tolist()))
    agree(program.price_level.value, found.certificate.facts["price_level"])


# --- sectors -------------------------------------------------------------------------------------

FINE = {**TIGHT, "tol": 1e-12}


@program("short-run-competition.program")
def _(solving: Solving) -> None:
    short(solving, solved("short-run-competition").model)


@program("short-run-competition.program, immobile labour, expenditure shares")
def _(solving: Solving) -> None:
    short(solving, short_run((0, 1, 2), substitution=1.0, immobile_labor=(0.5, 1.0, 0.8)))


def short(solving: Solving, model: ShortRunCompetition) -> None:
    """Compare the convex program with the equilibrium in closed form."""
    tables = model.read(solving(model.program, None, FINE))
    hold(model, tables)
    same(tables, model.closed_form(), "sectors", "totals")


@program("invisible-hand.step_program")
def _(solving: Solving) -> None:
    first_step(solving)


@program("invisible-hand.step_program, expenditure shares")
def _(solving: Solving) -> None:
    first_step(solving, substitution=1.0, numeraire="labor", noise=0.02)


@program("invisible-hand.step_program, fixed cost")
def _(solving: Solving) -> None:
    first_step(solving, fixed_cost=0.2)


def first_step(solving: Solving, **changes: Any) -> None:
    """Compare one step with the method's path of one step; the certificate bounds its gap to the optimum."""
    model = firms_on_the_move((0, 1, 2), horizon=0.01, **changes)
    program = solving(model.program, None, FINE)
    tables = model.read(program)
    hold(model, tables)
    found = solve(model)
    same(tables, found.tables, "path", "aggregate", "reallocation")
    assert np.abs(tables["reallocation"]["flow"]).max() > 1e-3
    agree(pyo.value(program.reallocation_cost), tables["aggregate"]["reallocation_cost"].iloc[-1])


@program("invisible-hand.step_program, slabs")
def _(solving: Solving) -> None:
    """Three slabs: the value is that of the flows, and other flows nearby are not better."""
    model, slabs = firms_on_the_move((0, 1, 2), horizon=0.1, step=0.1), 3
    program = solving(partial(model.program, slabs), None, FINE)
    flows, total = values(program.flow), partial(value_of_flows, model, slabs)
    agree(pyo.value(program.value), total(flows))
    aside = 1e-4 * np.eye(len(flows))
    agree([(total(flows + one) - total(flows - one)) / 2e-4 for one in aside], np.zeros(len(flows)), 1e-5)
    agree(values(program.firms), masses_of_flows(model, slabs, flows)[-1])
    assert np.abs(flows).max() > 1e-3


@program("invisible-hand.step_program, slabs, a sector without firms on the way", golden=False)
def _(solving: Solving) -> None:
    """Keep a small sector from lending a busy one more firms than it has: against a search over flows."""
    star = nx.Graph([(0, 1, {"length": 0.5}), (1, 2, {"length": 0.5}), (1, 3, {"length": 0.1})])
    nx.set_node_attributes(star, 1.0, "land")
    slabs, model = 2, InvisibleHand(
        geography=star, firm_share=0.35, substitution=2.0, preferences=(0.3, 0.3, 1.0, 0.1),
        initial=(2.0, 0.3, 0.3, 0.01), horizon=0.5, step=0.5, moving_cost=0.5,
    )  # fmt: skip
    program = solving(partial(model.program, slabs), None, FINE)
    masses = partial(masses_of_flows, model, slabs)
    found = minimize(
        lambda flows: -value_of_flows(model, slabs, flows), np.zeros(6), method="SLSQP",
        constraints={"type": "ineq", "fun": lambda flows: masses(flows)[1:].ravel() - 1e-12},
        options={"ftol": 1e-14, "maxiter": 1000},
    )  # fmt: skip
    agree(pyo.value(program.value), -found.fun)
    agree(values(program.between).min(), 0.0)


def masses_of_flows(model: InvisibleHand, slabs: int, flows: np.ndarray) -> np.ndarray:
    """Return the firms in each sector at the ends of slabs."""
    arrived = model.links.arrivals(flows.reshape(slabs, -1), model.network.number).cumsum(axis=0)
    return np.vstack([model.start, model.start + arrived])


def value_of_flows(model: InvisibleHand, slabs: int, flows: np.ndarray) -> float:
    """Return what climbs, less what moving costs."""
    masses = masses_of_flows(model, slabs, flows)
    crowd = model.motion.on_links(0.5 * (masses[1:] + masses[:-1]))
    moved = (model.links.lengths**2 * flows.reshape(slabs, -1) ** 2 / crowd).sum()
    return float(model.motion.potential(masses[-1])) - model.moving_cost * slabs / (2 * model.step) * moved


@program("invisible-hand.plan_program")
def _(solving: Solving) -> None:
    """Check that a firm that starts in i goes where the profit rate less c d²/2τ is largest."""
    model, step = firms_on_the_move((0, 1, 2), moving_cost=0.02), 0.05
    program = solving(partial(model.plan_program, model.start, step), None, FINE)
    plan, after = values(program.plan).reshape(3, 3), values(program.firms)
    agree(plan.sum(axis=1), model.start)
    agree(plan.sum(axis=0), after)
    payoff = model.motion.value(after) - 0.02 / (2 * step) * model.network.distances**2
    regret = payoff.max(axis=1, keepdims=True) - payoff
    assert (plan * regret).max() < TOLERANCE
    assert plan.trace() < 0.99 * plan.sum()  # somebody moves
    spent = 0.02 / (2 * step) * float((plan * model.network.distances**2).sum())
    agree(pyo.value(program.value), float(model.motion.potential(after)) - spent)
