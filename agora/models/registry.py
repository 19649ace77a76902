"""Finding a model by its name: the models of this package and any subclass a user has defined."""

from __future__ import annotations

from importlib import import_module

from agora.data.checks import InputError, nearest
from agora.models import city, marketplaces, migration, price_formation, sectors
from agora.models.model import Model

FAMILIES = (city, marketplaces, migration, price_formation, sectors)
"""The families of models of this package; each names its models."""


def _shipped() -> dict[str, str]:
    """Return name → ``module:class`` of the models of this package."""
    listed = [(family.__name__, *each) for family in FAMILIES for each in family.MODELS.items()]
    return {name: f"{family}.{module_and_class}" for family, name, module_and_class in listed}


def model_names() -> list[str]:
    """Return the names of all models, sorted: those of this package and users' own."""
    return sorted({*_shipped(), *Model.registry})


def model_named(name: str) -> type[Model]:
    """Return the model class of that name.

    Raises `InputError` if there is none; names the known ones.
    """
    if name not in Model.registry:
        shipped = _shipped()
        if name not in shipped:
            raise InputError("model", name, nearest(name, model_names()))
        module, class_name = shipped[name].split(":")
        model: type[Model] = getattr(import_module(module), class_name)
        return model
    return Model.registry[name]
