"""A program that a user changes is the one that is solved, or the method is refused: for every model."""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo
import pytest
from contract.economies import LINES
from makers import complaint

from agora.data import two_cell
from agora.methods.city.efficiency import welfare_optimum
from agora.methods.differentiable import differentiable
from agora.methods.method import methods_of
from agora.models import FujitaOgawa, Model
from agora.runners import solve

FIRST = {type(line.economy): line for line in reversed(LINES.values())}
"""Model → its first line."""
EVERY = [
    pytest.param(model, builder, method, id=f"{model.__name__}.{builder}-{method}")
    for model in sorted(FIRST, key=lambda each: each.__name__)
    for builder in sorted(name for name in dir(model) if name.endswith("program"))
    for method in methods_of(model)
]


class Used(Exception):
    """The changed program was asked for."""


def changed(model: type[Model], builder: str) -> type[Model]:
    """Return a user's class, one of whose programs is changed."""

    def build(self: Any, *arguments: Any, **named: Any) -> pyo.ConcreteModel:
        raise Used

    return type(
        "Own", (model,), {builder: build, "__module__": "theirs", "__doc__": "A model of a user's own."}
    )


def economy(model: type[Model], own: type[Model], **update: Any) -> Model:
    """Return the first line's economy as one of a user's class."""
    usual = FIRST[model].economy
    given = {name: getattr(usual, name) for name in usual.model_fields_set}
    return own.model_validate({**given, **update})


@pytest.mark.parametrize(("model", "builder", "method"), EVERY)
def test_a_changed_program_is_solved_or_refused(model: type[Model], builder: str, method: str) -> None:
    own = changed(model, builder)
    solved = methods_of(model)[method].solves
    assert solved is not None  # every method of Agora says what it solves
    if builder in solved:
        update = {"rest_program": {"horizon": "stationary"}, "path_program": {"horizon": 2.0}}.get(
            builder, {}
        )
        with pytest.raises(Used):
            solve(economy(model, own, **update), method=method)
    else:
        said = complaint(solve, economy(model, own), method=method)
        assert said.startswith(f"method is '{method}', but must be one that solves what is changed: ")
        assert said.endswith(f", since Own changes {builder}().")


class Zoned(FujitaOgawa):
    """A city in whose first cell some land is for firms alone."""

    def program(self, *arguments: Any) -> pyo.ConcreteModel:
        """Return the city's program with one row more."""
        program = super().program(*arguments)
        program.zoning = pyo.Constraint(expr=next(iter(program.firms.values())) == 0.3)
        return program


def test_what_a_user_adds_is_kept_and_nothing_is_claimed_of_it() -> None:
    city = Zoned(
        geography=two_cell(land=[0.6, 0.4]), commuting_cost=0.02, decay=2.0, firm_mass=0.5, labor_per_firm=1.0
    )
    assert complaint(solve, city) == (
        "method is 'best-response', but must be one that solves what is changed: ipopt, "
        "since Zoned changes program()."
    )
    solution = solve(city, method="ipopt", raise_uncertified=False)
    assert solution.tables["cells"]["firms"].iloc[0] == pytest.approx(0.3, abs=1e-6)
    assert not solution.certificate.passed  # with the row it is no equilibrium as the paper defines it
    assert solution.proof.words == "none: Zoned changes program(), of which nothing is proved"
    assert "bound" not in solution.certificate.facts


def test_studies_of_another_program_are_refused() -> None:
    city = Zoned(
        geography=two_cell(land=[0.6, 0.4]), commuting_cost=0.02, decay=2.0, firm_mass=0.5, labor_per_firm=1.0
    )
    assert "since Zoned changes program()" in complaint(welfare_optimum, city)
    assert "since Zoned changes program()" in complaint(differentiable, city, {})
