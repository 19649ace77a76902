"""What a method is: its options, the answer it hands back and the proof; and the method of every model."""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, Generic, Self, TypeVar
from weakref import WeakKeyDictionary

import pandas as pd
import pyomo.environ as pyo
from pydantic import Field, model_validator

from agora.data.checks import InputError, nearest
from agora.data.fields import POSITIVE, Fields
from agora.methods.changed_programs import changed_programs, refuse_changed_programs
from agora.methods.families import listed
from agora.models.certificate import Proof as Proof
from agora.models.model import Model
from agora.solvers import SolverRecord, solve_program
from agora.solvers.classify import ProgramClass, objective_of

Progress = Callable[[str], None]

Whole = Annotated[int, Field(ge=0, json_schema_extra={"allowed": "a whole number >= 0"})]
Count = Annotated[int, Field(ge=1, json_schema_extra={"allowed": "a whole number >= 1"})]


def silent(_: str) -> None:
    """Report progress to nobody."""


@dataclass(frozen=True)
class Answer:
    """A method's answer, before it is certified."""

    status: str
    """What the answer is claimed to be."""
    objective: float
    """Value of the model's objective."""
    tables: dict[str, pd.DataFrame]
    """The model's tables, and the method's own."""
    proof: Proof
    """What is proved of it."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What else is known: kind, number of starts; completed by what the proof says."""
    solvers: tuple[SolverRecord, ...] = ()
    """Which solvers did the work."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "facts", {**self.facts, **self.proof.facts()})

    @property
    def is_global(self) -> bool:
        """Whether the answer is proved to be global."""
        return self.proof.is_global


# --- options -----------------------------------------------------------------------------------------


class Options(Fields):
    """How to solve any model."""

    tolerance: float = Field(default=1e-6, gt=0, json_schema_extra={"allowed": "a finite number > 0"})
    """Largest violation the certificate accepts, in the units of each condition."""

    def _idle(self) -> Iterable[tuple[str, str]]:
        """Return the options that do nothing beside the others, and when each of them would do something."""
        return ()

    @model_validator(mode="after")
    def _nothing_idle(self) -> Self:
        for name, when in self._idle():
            if getattr(self, name) != type(self).model_fields[name].default:
                raise InputError(name, getattr(self, name), f"left out unless {when}")
        return self


class SearchOptions(Options):
    """How to search over structures."""

    seconds: float = Field(default=60.0, gt=0, json_schema_extra=POSITIVE)
    """Time for the search; when it runs out, the bound reached is reported."""


# --- methods -----------------------------------------------------------------------------------------

AnyModel = TypeVar("AnyModel", bound=Model)
AnyOptions = TypeVar("AnyOptions", bound=Options)


@dataclass(frozen=True)
class Method(Generic[AnyModel, AnyOptions]):
    """A way to solve a model."""

    name: str
    """What ``method`` says in a scenario."""
    options: type[AnyOptions]
    """The options it has; others are refused."""
    run: Callable[[AnyModel, AnyOptions, Progress], Answer]
    """Model, options, progress → answer."""
    solves: Collection[str] | None = None
    """The model's functions whose programs it solves, so that its answer is theirs whatever a user adds to
    them; None for a method that leaves this to the user who registers it."""


_registered: WeakKeyDictionary[type, dict[str, Method[Any, Any]]] = WeakKeyDictionary()


def register(model: type[AnyModel], method: Method[AnyModel, Any]) -> None:
    """Give a model a method: its first is the default, unless Agora has methods for it.

    Those that derive from the model have the method too, after their own. A method of the same name that was
    registered before is replaced.

    Raises
    ------
    InputError
        If Agora has a method of that name for the model.
    """
    if method.name in _shipped(model):
        raise InputError("method", method.name, f"a name that {model.__name__} has no method of yet")
    _registered.setdefault(model, {})[method.name] = method


@lru_cache(maxsize=64)
def _shipped(kind: type) -> dict[str, Method[Any, Any]]:
    """Return the methods that the table of a model's family names."""
    return listed(kind, "methods", "METHODS") or {}


def methods_of(model: type[Model]) -> dict[str, Method[Any, Any]]:
    """Return the methods of a model in order, the default first.

    A model for which Agora has none is solved by those that a user has registered, or by its program as it
    stands.
    """
    methods: dict[str, Method[Any, Any]] = {}
    for kind in model.__mro__:
        for name, method in {**_shipped(kind), **_registered.get(kind, {})}.items():
            methods.setdefault(name, method)
    if not any(map(_shipped, model.__mro__)):
        methods.setdefault(PROGRAM.name, PROGRAM)
    return methods


def choose(model: type[Model], options: Mapping[str, Any]) -> tuple[Method[Any, Any], Options]:
    """Return the method of a model's class that a scenario's [solve] table names, and its options, checked.

    Raises
    ------
    InputError
        For an unknown method, an option of another method, an unknown option, or a bad value; for a method
        that does not solve a program that a user's class has changed.
    """
    methods = methods_of(model)
    given = dict(options)
    name = given.pop("method", next(iter(methods)))
    if not isinstance(name, str) or name not in methods:
        raise InputError("method", name, nearest(str(name), methods))
    method = methods[name]
    for option in given:
        others = [each.name for each in methods.values() if option in each.options.model_fields]
        if others and name not in others:
            have = f"{', '.join(others)} {'has' if len(others) == 1 else 'have'} it"
            raise InputError(option, given[option], f"left out: the method {name} has no such option; {have}")
    if method.solves is not None:
        refuse_changed_programs(model, method.solves, "method", name, _solving(model, methods))
    return method, method.options.model_validate(given)


def _solving(model: type[Model], methods: Mapping[str, Method[Any, Any]]) -> str:
    """Return which methods solve what a user's class has changed, in words."""
    changed = changed_programs(model)
    able = [name for name, each in methods.items() if each.solves is None or set(changed) <= set(each.solves)]
    others = "a method that is registered for this class, or solve_program for its program"
    return f"one that solves what is changed: {', '.join(able) or others}"


# --- the method that every model has -----------------------------------------------------------------


@contextmanager
def collector_paused() -> Iterator[None]:
    """Build without the garbage collector: a program is millions of small objects that all stay."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def solve_as_stated(model: Model, chosen: Options, progress: Progress = silent) -> Answer:
    """Return the optimum of a model's program, which goes to the solver as it is."""
    progress("building")
    with collector_paused():
        program = model.program()
    progress("solving")
    record = solve_program(program)
    tables = model.read(program)
    objective = float(pyo.value(objective_of(program)))
    proof = _proved(record, objective)
    status = "global optimum" if proof.is_global else "local optimum"
    return Answer(status, objective, tables, proof, solvers=(record,))


def _proved(record: SolverRecord, objective: float) -> Proof:
    """Return what an optimum proves, by the class of its program."""
    kind = ProgramClass(record.program_class)
    if kind is ProgramClass.NLP:
        return Proof("none", "none: a local solution")
    words = f"{record.solver} closed the gap of a {kind.value} program"
    if kind is not ProgramClass.MIP:
        return Proof("convexity", words, assumptions=(f"the program is {kind.value}",))
    bound = float("nan") if record.bound is None else float(record.bound)
    promised = max(record.options["mip_abs_gap"], record.options["mip_rel_gap"] * abs(objective))
    return Proof("bound", words, bound, abs(bound - objective), promised)


PROGRAM = Method("program", Options, solve_as_stated, solves=("program",))
"""The method of a model for which Agora has no other."""
