"""Programs kept between the rows of a sweep: built once, changed by numbers, started alike.

A method asks for a program with `kept`. Outside a sweep it is simply built. Inside one a program of the
same structure that an earlier row has left is handed out again, with its solver set back to where the
block's first row ended (a warm start), or to nothing (cold). What a row finds therefore depends on the
block it belongs to and not on which rows were solved before it in this process: a sweep that was
interrupted gives the same tables, to the last bit, as one that was not.

Within a single solve `once` keeps what is asked for twice, and forgets it when the solve ends.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar, cast

MOST_KEPT = 64
"""Programs, and numbers, that a process keeps; the least recently used goes first."""


class Kept(Protocol):
    """A program in its solver."""

    def state(self) -> Any:
        """Return where the solver stands: a basis, or a primal and dual point."""

    def rewind(self, state: Any | None) -> None:
        """Set the solver to a state, or to a cold start; counters start at zero."""


KeptType = TypeVar("KeptType", bound=Kept)
Value = TypeVar("Value")


class Workbench:
    """What a process keeps from row to row: programs, states to start from, numbers.

    `warm` says whether a program of this row started where one of the block's first row ended, `reused` how
    many programs and numbers of this row were there already.
    """

    def __init__(self) -> None:
        self._programs: OrderedDict[Hashable, Kept] = OrderedDict()
        self._values: OrderedDict[Hashable, object] = OrderedDict()
        self._states: dict[Hashable, Any] = {}
        self._lent: dict[Hashable, Kept] = {}
        self.warm, self.reused = False, 0

    def start_block(self) -> None:
        """Forget the states to start from: the next row, the block's first, starts cold."""
        self._states = {}

    def start_row(self) -> None:
        """Take back what was lent to the last row."""
        self._lent = {}
        self.warm, self.reused = False, 0

    def mark(self) -> None:
        """Remember where the programs of this row, the block's first, ended."""
        self._states = {key: program.state() for key, program in self._lent.items()}

    def start_beside(self, key: Hashable, program: Kept) -> bool:
        """Set a row's own program where the block's first row left one of that structure, if it did."""
        if key in self._lent:
            return False
        self._lent[key] = program
        state = self._states.get(key)
        if state is not None:
            self.warm = True
            program.rewind(state)
        return state is not None

    def take(self, key: Hashable, build: Callable[[], KeptType]) -> KeptType:
        """Return the program of that structure, set back; a second one in the same row is built anew."""
        if key in self._lent:
            return build()
        self.reused += key in self._programs
        if key not in self._programs:
            self._programs[key] = build()
            if len(self._programs) > MOST_KEPT:
                self._programs.popitem(last=False)
        self._programs.move_to_end(key)
        program = self._lent[key] = self._programs[key]
        state = self._states.get(key)
        self.warm = self.warm or state is not None
        program.rewind(state)
        return cast(KeptType, program)

    def know(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """Return what depends on `key` alone, computed at most once."""
        self.reused += key in self._values
        if key not in self._values:
            self._values[key] = compute()
            if len(self._values) > MOST_KEPT:
                self._values.popitem(last=False)
        return cast(Value, self._values[key])


_bench: ContextVar[Workbench | None] = ContextVar("bench", default=None)


@contextmanager
def working_at(bench: Workbench) -> Iterator[None]:
    """Let the methods called inside use what is kept at a workbench."""
    token = _bench.set(bench)
    try:
        yield
    finally:
        _bench.reset(token)


def kept(key: Hashable, build: Callable[[], KeptType]) -> KeptType:
    """Return a program of the structure that `key` names, kept or newly built.

    The key holds all that `build` depends on; what else changes from row to row is set after this call.
    """
    bench = _bench.get()
    return build() if bench is None else bench.take(key, build)


def sweeping() -> bool:
    """Tell whether this is a row of a sweep."""
    return _bench.get() is not None


def start_beside(key: Hashable, program: Kept) -> bool:
    """Set a program where the block's first row left one of the structure `key`; say if there was one."""
    bench = _bench.get()
    return bench is not None and bench.start_beside(key, program)


def known(key: Hashable, compute: Callable[[], Value]) -> Value:
    """Return what depends on `key` alone, such as an enumeration, kept or computed."""
    bench = _bench.get()
    return compute() if bench is None else bench.know(key, compute)


# --- within one solve ------------------------------------------------------------------------------

_computed: ContextVar[dict[Hashable, object] | None] = ContextVar("computed", default=None)


@contextmanager
def one_solve() -> Iterator[None]:
    """Let what the method and the certificate of one solve both ask for be computed once."""
    token = _computed.set({})
    try:
        yield
    finally:
        _computed.reset(token)


def once(key: Hashable, compute: Callable[[], Value]) -> Value:
    """Return what depends on `key` alone; computed once within a solve, and at every call outside one."""
    computed = _computed.get()
    if computed is None:
        return compute()
    if key not in computed:
        computed[key] = compute()
    return cast(Value, computed[key])
