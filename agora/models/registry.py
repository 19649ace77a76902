"""Finding a model by its name: the models of this package and any subclass a user has defined."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import agora.models
from agora.data.checks import InputError, nearest
from agora.models.equilibrium import Model


def model_names() -> list[str]:
    """Return the names of all models, sorted: every file of this package that defines one, and users' own."""
    for module in pkgutil.iter_modules(agora.models.__path__):
        import_module(f"agora.models.{module.name}")
    return sorted(Model.registry)


def model_named(name: str) -> type[Model]:
    """Return the model class of that name.

    Raises
    ------
    InputError
        If there is none; names the known ones.
    """
    if name not in Model.registry:
        names = model_names()
        if name not in names:
            raise InputError("model", name, nearest(name, names))
    return Model.registry[name]
