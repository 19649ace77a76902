"""Programs that a user's model changes: a method that solves another one is refused."""

from __future__ import annotations

from collections.abc import Collection

from agora.data.checks import InputError
from agora.models.model import Model


def changed_programs(model: type[Model]) -> list[str]:
    """Return the functions of a model of Agora that build a program and that a user's class changes.

    Their names end in ``program``. A class that derives from no model of Agora changes none.
    """
    shipped = next((kind for kind in model.__mro__ if _is_agoras(kind)), None)
    if shipped is None:
        return []
    builders = (name for name in dir(shipped) if name.endswith("program"))
    return [name for name in builders if getattr(model, name) is not getattr(shipped, name)]


def _is_agoras(kind: type) -> bool:
    return "card" in vars(kind) and kind.__module__.startswith("agora.models.")


def refuse_changed_programs(
    model: type[Model], solved: Collection[str], field: str, value: object, allowed: str
) -> None:
    """Raise `InputError` about a field if a user's class changes a program that is not among those solved."""
    ignored = [name for name in changed_programs(model) if name not in solved]
    if ignored:
        why = f"since {model.__name__} changes {' and '.join(f'{name}()' for name in ignored)}"
        raise InputError(field, value, f"{allowed}, {why}")
