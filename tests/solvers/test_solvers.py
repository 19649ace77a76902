"""HiGHS and IPOPT: signs of multipliers on every route, the chain, failures, the kept linear program."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyomo.environ as pyo
import pytest

from agora.models import price
from agora.runners import SolveFailed, solve_program
from agora.solvers import LinearProgram, NonlinearProgram
from agora.solvers.classify import ProgramClass, classify, sign_test_program
from agora.solvers.doctor import advice, diagnose
from agora.solvers.ipopt import ipopt_route


@pytest.fixture
def fresh_route(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Look for IPOPT anew, in an empty idaes folder and without a PATH."""
    monkeypatch.setenv("IDAES_DATA", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    ipopt_route.cache_clear()
    yield tmp_path / "bin"
    ipopt_route.cache_clear()


@pytest.mark.parametrize("sense", [pyo.minimize, pyo.maximize])
def test_signs_of_ipopt_multipliers(sense: object) -> None:
    # spec/solvers.md: c −1.83329, d 1.93329; as a maximum of the negative, reversed
    program = sign_test_program(sense)
    record = solve_program(program)
    sign = 1.0 if sense == pyo.minimize else -1.0
    assert record.solver == "IPOPT"
    assert program.dual[program.c] == pytest.approx(-1.83329 * sign, abs=1e-5)
    assert program.dual[program.d] == pytest.approx(1.93329 * sign, abs=1e-5)
    assert price(program, program.d) == pytest.approx(1.93329, abs=1e-5)


def test_multiplier_is_the_finite_difference() -> None:
    values = []
    for shift in (-1e-4, 1e-4):
        program = sign_test_program()
        program.c.set_value(program.x + program.y == 2 + shift)
        solve_program(program)
        values.append(pyo.value(program.o))
    assert (values[1] - values[0]) / 2e-4 == pytest.approx(-1.83329, abs=1e-4)


def test_the_casadi_wheel_is_the_last_resort(fresh_route: Path) -> None:
    route = ipopt_route()
    assert route.executable is None
    assert route.linear_solver == "mumps"


def test_a_broken_idaes_folder_is_passed_over(fresh_route: Path) -> None:
    fresh_route.mkdir()
    (fresh_route / "ipopt").write_text("#!/bin/sh\nexit 1\n")
    (fresh_route / "ipopt").chmod(0o755)
    (fresh_route / "libipopt.so").write_text("left behind by a failed download")
    assert ipopt_route().executable is None


def test_idaes_binaries_win_when_present(fresh_route: Path) -> None:
    found = shutil.which("pounce", path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip(
            "needs an AMPL executable that reads IPOPT's options: pip install 'agora[second-opinion]'"
        )
    fresh_route.mkdir()
    (fresh_route / "ipopt").symlink_to(found)
    route = ipopt_route()
    assert route.source == "idaes binaries"
    for sense, sign in ((pyo.minimize, 1.0), (pyo.maximize, -1.0)):
        program = sign_test_program(sense)
        record = solve_program(program)
        assert record.path == str(fresh_route / "ipopt")
        assert program.dual[program.c] == pytest.approx(-1.83329 * sign, abs=1e-5)
        assert program.dual[program.d] == pytest.approx(1.93329 * sign, abs=1e-5)
    assert "LD_LIBRARY_PATH" not in os.environ or str(fresh_route) not in os.environ["LD_LIBRARY_PATH"]


def small(sense: object, quadratic: bool = False, domain: object = pyo.NonNegativeReals) -> pyo.ConcreteModel:
    program = pyo.ConcreteModel(name="small")
    program.x = pyo.Var(domain=domain)
    program.y = pyo.Var(domain=domain)
    cost = 2 * program.x + 3 * program.y + (program.x**2 + program.y**2 if quadratic else 0.0)
    program.o = pyo.Objective(expr=cost if sense == pyo.minimize else -cost, sense=sense)
    program.c = pyo.Constraint(expr=(4.0, program.x + program.y, None))
    program.d = pyo.Constraint(expr=(None, program.x, 1.0))
    return program


@pytest.mark.parametrize("sense", [pyo.minimize, pyo.maximize])
@pytest.mark.parametrize(("quadratic", "scarce", "limited"), [(False, 3.0, 1.0), (True, 9.0, 5.0)])
def test_prices_from_highs(sense: object, quadratic: bool, scarce: float, limited: float) -> None:
    program = small(sense, quadratic)
    record = solve_program(program)
    assert record.solver == "HiGHS"
    assert price(program, program.c) == pytest.approx(scarce, abs=1e-6)
    assert price(program, program.d) == pytest.approx(limited, abs=1e-6)


@pytest.mark.parametrize("sense", [pyo.minimize, pyo.maximize])
def test_the_kept_linear_program_agrees_with_highs_through_pyomo(sense: object) -> None:
    program = small(sense)
    solve_program(program)
    answer = LinearProgram(small(sense)).solve()
    assert answer.objective == pytest.approx(pyo.value(program.o), abs=1e-12)
    assert answer.values == pytest.approx([1.0, 3.0], abs=1e-12)
    assert sorted(answer.multipliers) == pytest.approx(sorted(program.dual.values()), abs=1e-9)


def test_costs_and_bounds_change_and_the_face_is_left_as_it_was() -> None:
    program = small(pyo.minimize)
    linear = LinearProgram(program)
    columns = linear.columns([program.x, program.y])
    linear.set_costs(columns, np.array([1.0, 1.0]))
    answer = linear.solve()
    assert answer.objective == pytest.approx(4.0)
    widths = []
    with linear.optimal_face(answer):
        for sign in (1.0, -1.0):
            linear.set_costs(columns[:1], np.array([sign]))
            widths.append(linear.solve().values[0])
    assert sorted(widths) == pytest.approx([0.0, 1.0])
    assert linear.solve().objective == pytest.approx(4.0)
    linear.set_bounds(columns[:1], np.array([0.5]), np.array([0.5]))
    linear.set_costs(columns, np.array([2.0, 3.0]))
    assert linear.solve().values == pytest.approx([0.5, 3.5])


def test_classes() -> None:
    assert classify(small(pyo.minimize)) is ProgramClass.LP
    assert classify(small(pyo.minimize, domain=pyo.NonNegativeIntegers)) is ProgramClass.MIP
    assert classify(small(pyo.minimize, quadratic=True)) is ProgramClass.QP
    assert classify(small(pyo.maximize, quadratic=True)) is ProgramClass.QP
    nonconvex = small(pyo.minimize)
    nonconvex.o.set_value(nonconvex.x * nonconvex.y)
    assert classify(nonconvex) is ProgramClass.NLP
    assert classify(sign_test_program()) is ProgramClass.NLP


def test_infeasible_programs_say_so() -> None:
    program = small(pyo.minimize)
    program.e = pyo.Constraint(expr=program.x + program.y <= 3)
    with pytest.raises(SolveFailed, match=r"Infeasible.*contradict") as failure:
        solve_program(program)
    assert failure.value.record.solver == "HiGHS"
    nonlinear = sign_test_program()
    nonlinear.e = pyo.Constraint(expr=nonlinear.x**2 + nonlinear.y**2 <= 1.0)
    with pytest.raises(SolveFailed, match=r"Infeasible.*largest violated row"):
        solve_program(nonlinear)


def test_an_iteration_limit_is_no_success() -> None:
    with pytest.raises(SolveFailed, match="Maximum_Iterations_Exceeded"):
        solve_program(sign_test_program(), {"max_iter": 1})


def test_the_doctor_finds_all_classes_well() -> None:
    findings = diagnose()
    assert [f.passed for f in findings] == [True] * 4, [f.detail for f in findings]
    assert {f.solver for f in findings} == {"HiGHS", "IPOPT"}
    assert advice()


def test_linear_rows_split_off_keep_their_multipliers() -> None:
    # a program with nonlinear and linear rows, variables that stand only in linear rows, and a constant
    program = pyo.ConcreteModel()
    program.x = pyo.Var(range(3), initialize=1.0, bounds=(0, None))
    program.z = pyo.Var(initialize=0.0)
    program.o = pyo.Objective(expr=(program.x[0] - 3) ** 2 + (program.x[1] - 2) ** 2)
    program.n = pyo.Constraint(expr=program.x[0] ** 2 + program.x[1] ** 2 <= 8)
    program.l = pyo.Constraint(expr=program.x[0] + program.x[2] + 1 == 3)
    program.k = pyo.Constraint(expr=program.z - 2 * program.x[1] == 0)
    solve_program(program)
    assert program.x[0].value <= 2 + 1e-7
    assert program.z.value == pytest.approx(2 * program.x[1].value, abs=1e-8)
    stationarity = 2 * (program.x[0].value - 3) - program.dual[program.n] * 2 * program.x[0].value
    assert stationarity - program.dual[program.l] == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("sense", [pyo.minimize, pyo.maximize])
def test_a_kept_nonlinear_program_follows_its_parameters(sense: object) -> None:
    """A variable whose bounds are equal is a parameter; warm and cold solves agree with a fresh program."""

    def program(right: float) -> pyo.ConcreteModel:
        built = sign_test_program(sense)
        built.r = pyo.Var(initialize=right, bounds=(right, right))
        built.c.set_value(built.x + built.y - built.r == 0)
        return built

    kept = program(2.0)
    solver = NonlinearProgram(kept)
    counts = []
    for right, warm in ((2.0, False), (2.01, True), (2.5, False)):
        kept.r.setlb(right)
        kept.r.setub(right)
        record = solver.solve(warm=warm)
        fresh = program(right)
        solve_program(fresh)
        counts.append(record.iterations)
        for name in ("x", "y"):
            assert pyo.value(kept.component(name)) == pytest.approx(
                pyo.value(fresh.component(name)), abs=1e-7
            )
        for row in ("c", "d"):
            assert kept.dual[kept.component(row)] == pytest.approx(fresh.dual[fresh.component(row)], abs=1e-6)
    assert solver.solves == 3
    assert counts[1] - counts[0] < counts[0]
    assert solver.record().iterations == counts[2]


def test_a_kept_nonlinear_program_says_when_it_fails() -> None:
    program = sign_test_program()
    program.impossible = pyo.Constraint(expr=(4.0, pyo.exp(program.x), 1.0 + 4.0))
    program.other = pyo.Constraint(expr=(None, pyo.exp(program.x), 2.0))
    with pytest.raises(SolveFailed, match="largest violated row"):
        NonlinearProgram(program).solve()
