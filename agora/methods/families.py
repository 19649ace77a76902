"""What the tables of the families say of a model; the modules that they name are imported when asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def listed(kind: type, room: str, table: str) -> Any:
    """Return what the table of a model's family names for it, or None for what is no model of this package.

    The table is a dictionary in the family's package of a room, such as ``methods``: name on the card →
    ``module:name`` in that package, or a dictionary of such references. A class without a card is in none.
    """
    if "card" not in vars(kind) or not kind.__module__.startswith("agora.models."):
        return None
    package = f"agora.{room}.{kind.__module__.split('.')[2]}"
    references = getattr(import_module(package), table, {}).get(vars(kind)["card"].name)

    def load(reference: str) -> Any:
        module, name = reference.split(":")
        return getattr(import_module(f"{package}.{module}"), name)

    if isinstance(references, dict):
        return {name: load(reference) for name, reference in references.items()}
    return references and load(references)


def nearest_listed(model: type, room: str, table: str) -> Any:
    """Return what a table names for a model, or for the nearest one it derives from, or None."""
    entries = (listed(kind, room, table) for kind in model.__mro__)
    return next((entry for entry in entries if entry is not None), None)
