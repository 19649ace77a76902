"""Checks of what a user hands in: each failure is one sentence."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from typing import Any


class Caution(UserWarning):
    """What a user should know of a valid input before trusting an answer, in one sentence."""


class _Missing:
    """The value of a field that was not given."""

    def __repr__(self) -> str:
        return "missing"


MISSING = _Missing()


class InputError(Exception):
    """Bad input, said in one sentence: the field, its value, and what is allowed.

    Not a `ValueError`, so that it passes through pydantic's validators unchanged.

    Parameters
    ----------
    field : str
        The name a user typed or could type, dotted for tables (``geography.cells``).
    value : object
        What was given.
    allowed : str
        What is allowed, to be read after "must be".
    """

    def __init__(self, field: str, value: object, allowed: str) -> None:
        self.field = field
        self.value = value
        self.allowed = allowed
        shown = repr(value)
        if len(shown) > 120:
            shown = shown[:117] + "..."
        super().__init__(f"{field} is {shown}, but must be {allowed}.")


def nearest(word: str, known: Iterable[str]) -> str:
    """List the known names, the one closest to `word` first: 'a, b or c (did you mean b?)'."""
    names = [str(name) for name in known]
    guess = difflib.get_close_matches(word, names, n=1)
    hint = f" (did you mean {guess[0]}?)" if guess else ""
    return f"one of {', '.join(names)}{hint}"


def positive(field: str, value: Any) -> float:
    """Return `value` as a float if it is a finite number > 0, else raise `InputError`."""
    number = finite(field, value, "a finite number > 0")
    if number <= 0:
        raise InputError(field, value, "a finite number > 0")
    return number


def finite(field: str, value: Any, allowed: str = "a finite number") -> float:
    """Return `value` as a float if it is a finite number (no bool, no text), else raise `InputError`."""
    if isinstance(value, bool | str | bytes):
        raise InputError(field, value, allowed)
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(field, value, allowed) from None
    if not math.isfinite(number):
        raise InputError(field, value, allowed)
    return number


def whole(field: str, value: Any, at_least: int) -> int:
    """Return `value` as an int if it is a whole number >= `at_least`, else raise `InputError`."""
    allowed = f"a whole number >= {at_least}"
    number = finite(field, value, allowed)
    if number != int(number) or number < at_least:
        raise InputError(field, value, allowed)
    return int(number)
