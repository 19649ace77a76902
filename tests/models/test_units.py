"""Units: one word a model for each parameter and column, the same in tables, sensitivities and pictures."""

from __future__ import annotations

import pytest

from agora.data.checks import InputError
from agora.models.city.fujita_ogawa import FujitaOgawa
from agora.models.model import unit_in
from agora.models.registry import model_named, model_names
from agora.models.table_spec import DIMENSIONLESS, Column
from agora.runners.sweeps.plan import units


def test_every_model_that_has_parameters_with_units_says_them() -> None:
    for name in model_names():
        model = model_named(name)
        if model.__module__.startswith("agora."):
            assert model.unit_of, name


def test_a_total_has_its_own_unit_and_places_within_a_name_do_not_matter() -> None:
    assert FujitaOgawa.unit_for("commuting_cost") == "numéraire per household and length"
    assert FujitaOgawa.unit_for("totals.total_commuting_cost") == "numéraire"
    assert FujitaOgawa.unit_for("geography.land.2") == "land"
    assert FujitaOgawa.unit_for("externality.decay") == "per unit of length"
    assert FujitaOgawa.unit_for("equilibria.firms_12") == "mass of firms"
    assert FujitaOgawa.unit_for("equilibria.firms_Leiden") == "mass of firms"
    assert FujitaOgawa.unit_for("equilibria.total_commuting_cost") == "numéraire"
    assert unit_in({"production": "tons"}, "production_share") == ""


def test_models_that_disagree_are_both_heard() -> None:
    both = units([FujitaOgawa, model_named("price-formation"), model_named("spatial-trade")])
    assert both["population"] == "people per unit of the base measure"
    assert both["wage"] == "numéraire per household or share of world income"
    assert both["locations.wage"] == "share of world income"
    assert both["trade.cost"] == ""


def test_a_quantity_without_a_unit_is_refused() -> None:
    with pytest.raises(InputError, match="unit of the column rent is '', but must be given"):
        Column("rent")
    assert Column("share", DIMENSIONLESS).unit == "dimensionless"
