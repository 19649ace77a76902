"""From programs to derivatives: the same functions as by the NL file, compiled once a structure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import casadi
import numpy as np
import pyomo.environ as pyo
import pytest
from pyomo.repn.plugins.nl_writer import NLWriter

from agora.data.scenarios import read_scenario
from agora.models import InvisibleHand, Marketplaces, ShortRunCompetition, SpatialTrade
from agora.models.price_formation.price_formation import PriceFormation
from agora.runners.solving import model_from
from agora.solvers import NonlinearProgram
from agora.solvers.compiled import ProgramFunctions, algebra, derivatives, take_apart
from agora.solvers.reuse import Workbench, working_at


def market(**changes: Any) -> Marketplaces:
    given = {
        "sites": [0.0, 0.33, 0.67, 1.0], "makes": [1, 1, 2, 2], "commodity_shares": [0.25, 0.25],
        "leisure_share": 0.25, "land_share": 0.25, "setup_cost": 0.2, "setup_shares": [0.5, 0.5],
        "marketplaces": [0.5],
    }  # fmt: skip
    return Marketplaces.model_validate(given | changes)


def trade(**changes: Any) -> SpatialTrade:
    costs = [[1.0, 1.3, 1.8], [1.5, 1.0, 1.2], [1.4, 1.6, 1.0]]
    given = {"elasticity": 5.0, "trade_cost": costs, "population": [0.5, 0.3, 0.2]}
    return SpatialTrade.model_validate(given | changes)


def traders(**changes: Any) -> PriceFormation:
    given = {
        "horizon": 1.0, "steps": 5, "control_cost": 1.0,
        "agents": {"kind": "linspace", "from": 0, "to": 1, "number": 3},
        "supply": {"kind": "sine", "frequency": 3.0},
        "running": {"kind": "quadratic", "weight": 2.0, "target": 0.2},
        "terminal": {"kind": "double-well", "weight": 5.0, "wells": [0.25, 0.75]},
    }  # fmt: skip
    return PriceFormation.model_validate(given | changes)


def hand() -> InvisibleHand:
    model = model_from(read_scenario("invisible-hand"))
    assert isinstance(model, InvisibleHand)
    return model


def short_run() -> ShortRunCompetition:
    model = model_from(read_scenario("short-run"))
    assert isinstance(model, ShortRunCompetition)
    return model


def everything() -> pyo.ConcreteModel:
    """Return a program with every operation, a fixed variable, shared expressions, a maximum."""
    program = pyo.ConcreteModel()
    program.x = pyo.Var(range(4), initialize={0: 0.3, 1: 0.4, 2: 0.5, 3: 0.6})
    program.k = pyo.Var(initialize=1.7)
    program.k.fix()
    program.q = pyo.Param(initialize=2.5, mutable=True)
    x = program.x
    program.e = pyo.Expression(expr=x[0] * x[1] + 2.0)
    program.d = pyo.Expression(expr=program.e**2 - program.k * x[2])
    functions = (
        pyo.sin, pyo.cos, pyo.tan, pyo.asin, pyo.acos, pyo.atan, pyo.sinh, pyo.cosh, pyo.tanh,
        pyo.exp, pyo.log, pyo.log10, pyo.sqrt,
    )  # fmt: skip
    program.o = pyo.Objective(expr=sum(f(x[2]) for f in functions) - program.d, sense=pyo.maximize)
    program.a = pyo.Constraint(expr=program.d * x[3] / (1 + x[0]) - abs(x[1]) <= 4)
    program.b = pyo.Constraint(expr=(x[0] + 2 * x[1]) * program.q - program.k * x[3] == 1 + x[2])
    program.c = pyo.Constraint(expr=(0.0, x[0] ** 0.5 + x[1] ** -1 + x[2] ** program.q + (-x[3]), 9.0))
    program.f = pyo.Constraint(expr=x[0] + x[1] - 2 * x[3] + 3 >= 0)
    program.g = pyo.Constraint(expr=x[2] + program.k >= 0.1)
    program.h = pyo.Constraint(expr=x[1] ** x[2] <= 5)
    return program


PROGRAMS = {
    "everything": everything,
    "marketplaces": lambda: market().program(),
    "ces": lambda: market(substitution=0.6).program(),
    "trade": lambda: trade().program(),
    "prices": lambda: traders().program(),
    "short run": lambda: short_run().program(),
    "step": lambda: hand().program(),
}


class ByNlFile:
    """The functions of a program as Pyomo's writer and CasADi's reader of NL files give them."""

    def __init__(self, program: pyo.ConcreteModel, folder: Path) -> None:
        with (folder / "program.nl").open("w", encoding="utf-8") as stream:
            info = NLWriter().write(program, stream, linear_presolve=False, scale_model=False)
        builder = casadi.NlpBuilder()
        builder.import_nl(str(folder / "program.nl"))
        self.variables, self.rows = list(info.variables), list(info.constraints)
        self.lower, self.upper = np.array(builder.g_lb), np.array(builder.g_ub)
        x, y = casadi.vertcat(*builder.x), casadi.MX.sym("y", len(self.rows))
        g = casadi.vertcat(*builder.g) if self.rows else casadi.MX(0, 1)
        (objective,) = program.component_data_objects(pyo.Objective, active=True)
        # a maximisation is handed over as the minimisation of the negative
        f = builder.f if objective.sense == pyo.minimize else -builder.f
        lagrangian = f - casadi.dot(y, g)
        parts = [casadi.gradient(lagrangian, x), g, casadi.hessian(lagrangian, x)[0], casadi.jacobian(g, x)]
        self.all = casadi.Function("all", [x, y], parts)


@pytest.mark.parametrize("name", PROGRAMS)
def test_functions_are_those_of_the_nl_file(name: str, tmp_path: Path) -> None:
    program = PROGRAMS[name]()
    ours, other = ProgramFunctions(program), ByNlFile(program, tmp_path)
    assert {id(v) for v in ours.variables} == {id(v) for v in other.variables}
    column = {id(v): k for k, v in enumerate(ours.variables)}
    place = {id(row): k for k, row in enumerate(ours.rows)}
    columns, rows = [column[id(v)] for v in other.variables], [place[id(row)] for row in other.rows]
    random = np.random.default_rng(1)
    x = ours.point() + random.uniform(0.01, 0.02, len(columns))
    y = random.normal(size=len(rows))
    slope, level, hessian, jacobian = (np.array(part) for part in other.all(x[columns], y[rows]))
    slope_here, level_here = ours.values(x, y)
    hessian_here, jacobian_here = ours.matrices(x, y)
    side = np.where(np.isfinite(ours.row_lower), ours.row_lower, ours.row_upper)[rows]
    shift = side - np.where(np.isfinite(other.lower), other.lower, other.upper)
    assert level_here[rows] - shift == pytest.approx(level.ravel(), rel=1e-10, abs=1e-12)
    assert slope_here[columns] == pytest.approx(slope.ravel(), rel=1e-9, abs=1e-9)
    assert hessian_here.toarray()[np.ix_(columns, columns)] == pytest.approx(hessian, rel=1e-8, abs=1e-8)
    assert jacobian_here.toarray()[np.ix_(rows, columns)] == pytest.approx(jacobian, rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("name", PROGRAMS)
def test_ipopt_gets_the_same_derivatives(name: str) -> None:
    """The functions that IPOPT calls are those of `ProgramFunctions`, but for the sign of a maximum."""
    program = PROGRAMS[name]()
    functions, structure = ProgramFunctions(program), take_apart(program)
    handed = derivatives(algebra(structure), structure)
    random = np.random.default_rng(2)
    x = functions.point() + random.uniform(0.01, 0.02, len(functions.variables))
    y = random.normal(size=len(functions.rows))
    hessian, jacobian = functions.matrices(x, y)
    level, slope = handed["jac_g"](x, structure.numbers)
    assert np.array(level).ravel() == pytest.approx(functions.values(x, y)[1])
    assert slope.sparse().toarray() == pytest.approx(jacobian.toarray())
    upper = handed["hess_lag"](x, structure.numbers, structure.sign, -y).sparse().toarray()
    if upper.any() or not structure.square:
        assert upper == pytest.approx(np.triu(hessian.toarray()), rel=1e-8, abs=1e-8)


def test_functions_of_one_structure_are_compiled_once() -> None:
    first = ProgramFunctions(market().program())
    other = ProgramFunctions(market(setup_cost=0.3).program(), first)
    alone = ProgramFunctions(market(setup_cost=0.3).program())
    assert other.shared is first.shared
    assert ProgramFunctions(market(substitution=0.6).program(), first).shared is not first.shared
    x, y = alone.point(), np.ones(len(alone.rows))
    assert (other.values(x, y)[1] == alone.values(x, y)[1]).all()
    assert (other.values(x, y)[1] != first.values(x, y)[1]).any()


def test_programs_that_differ_in_numbers_have_one_structure() -> None:
    first = take_apart(market().program())
    other = take_apart(market(setup_cost=0.3, time=3.0, land=[1, 2, 3, 4], marketplaces=[0.4]).program())
    assert first.key == other.key
    assert hash(first.key) == hash(other.key)
    assert (first.numbers != other.numbers).any()
    assert first.key != take_apart(market(leisure_share=0.0, land_share=0.5).program()).key
    assert first.key != take_apart(market(substitution=0.6).program()).key
    assert take_apart(trade().program()).key == take_apart(trade(elasticity=4.0).program()).key


def test_what_has_no_derivative_here_is_named() -> None:
    program = pyo.ConcreteModel()
    program.x = pyo.Var(initialize=1.0)
    program.o = pyo.Objective(expr=pyo.Expr_if(program.x >= 1, program.x**2, program.x))
    with pytest.raises(TypeError, match="no derivative is known of"):
        take_apart(program)


def test_a_structure_is_compiled_once_and_nothing_of_a_solve_stays() -> None:
    """Solve A, B, A: the last is the first, to the last bit, and B is what B is by itself."""

    def solved(cost: float) -> list[float]:
        program = market(setup_cost=cost).program()
        NonlinearProgram(program).solve()
        duals = [program.dual[row] for row in program.component_data_objects(pyo.Constraint)]
        return [v.value for v in program.component_data_objects(pyo.Var)] + duals

    alone = solved(0.3)
    bench = Workbench()
    with working_at(bench):
        first, between, last = solved(0.2), solved(0.3), solved(0.2)
    assert bench.reused == 2
    assert first == last
    assert between == alone
