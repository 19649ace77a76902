"""Old places of modules that the README and the documentation have named: they work for one version.

Importing one gives the names of the module where it is now, and says once where that is. Nothing here
is loaded before somebody asks for an old place.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MOVED = {
    "agora.data.panels": ("agora.data.sectors", "agora.data"),
    "agora.formulations.envy_free": (
        "agora.formulations.marketplaces.envy_free",
        "agora.formulations.marketplaces.envy_free",
    ),
    "agora.runners.convergence": ("agora.runners.studies.convergence", "agora.runners"),
    "agora.runners.export": ("agora.runners.records.export", "agora.runners"),
    "agora.runners.methods.certified_map": ("agora.methods.city.certified_map", "agora.runners"),
    "agora.runners.methods.differentiable": ("agora.methods.differentiable", "agora.methods.differentiable"),
    "agora.runners.methods.efficiency": ("agora.methods.city.efficiency", "agora.runners"),
    "agora.runners.phase": ("agora.runners.studies.phase", "agora.runners"),
    "agora.runners.sensitivity": ("agora.runners.studies.sensitivity.sensitivity", "agora.runners"),
    "agora.runners.sweep": ("agora.runners.sweeps", "agora.runners"),
    "agora.runners.threshold": ("agora.runners.studies.threshold", "agora.runners"),
}
"""Old place → the module now, and where to import from what users call."""


class _CallableModule(ModuleType):
    """A module that is called as its function of the same name.

    An import binds a module to the name in its package, where the package now offers a function:
    ``agora.runners.sensitivity`` has to be both.
    """

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.__dict__[self.__name__.rpartition(".")[2]](*arguments, **named)


class OldPlaces:
    """Finds modules at their old places; last in line, so that what is there comes first."""

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to load a module that has moved, or a package that held one."""
        if name not in MOVED and not any(old.startswith(f"{name}.") for old in MOVED):
            return None
        loader: Any = cls  # not derived from importlib.abc.Loader, which is slow to import
        return ModuleSpec(name, loader, is_package=name not in MOVED)

    @staticmethod
    def create_module(spec: ModuleSpec) -> ModuleType:
        """Return the empty module."""
        if spec.name not in MOVED:
            return ModuleType(spec.name)
        module = import_module(MOVED[spec.name][0])
        same = getattr(module, spec.name.rpartition(".")[2], None)
        return (_CallableModule if callable(same) else ModuleType)(spec.name)

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """Fill in the names of the module where it is now, and say where that is."""
        old = module.__name__
        if old not in MOVED:
            return
        new, offered = MOVED[old]
        names = vars(import_module(new))
        vars(module).update({name: value for name, value in names.items() if not name.startswith("__")})
        module.__doc__ = names["__doc__"]
        elsewhere = f"; import what you call from {offered}" if offered != new else ""
        warnings.warn(  # a FutureWarning is shown to users, also outside scripts of their own
            f"{old} is {new} now, and the old name works in this version only{elsewhere}.",
            FutureWarning,
            stacklevel=2,
        )


def know_old_places() -> None:
    """Let imports of old places succeed."""
    if OldPlaces not in sys.meta_path:
        sys.meta_path.append(OldPlaces)
