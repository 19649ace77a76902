"""Units of a sweep's columns, from what the models say of their parameters and tables."""

from __future__ import annotations

from collections.abc import Iterable

from agora.models.model import Model


def units(models: Iterable[type[Model]]) -> dict[str, str]:
    """Return parameter or column of a table → unit; where models differ, each unit that it may have."""
    results: dict[str, list[str]] = {}
    for model in models:
        for name, unit in model.known_units().items():
            known = results.setdefault(name, [])
            if unit and unit not in known:
                known.append(unit)
    return {name: " or ".join(each) for name, each in results.items()}
