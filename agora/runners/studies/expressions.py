"""Expressions over tables, such as ``count(sites.population > 0.2)``: read, checked, and evaluated safely.

The language is its own: numbers, text, columns, arithmetic, comparisons, ``and``, ``or``, ``not`` and a
short list of functions. Nothing of Python is reachable from it; numbers are floats of bounded size, columns
never grow, and the length and depth of an expression are limited. So an expression of a stranger costs no
more than the tables it reads.

    expression  := conjunction {"or" conjunction}
    conjunction := negation {"and" negation}
    negation    := "not" negation | comparison
    comparison  := sum [("==" | "!=" | "<" | "<=" | ">" | ">=") sum]
    sum         := product {("+" | "-") product}
    product     := factor {("*" | "/") factor}
    factor      := ("-" | "+") factor | power
    power       := atom [("^" | "**") factor]
    atom        := number | text | function "(" expression ")" | column ["[" row "]"] | "(" expression ")"
    column      := name | table "." name
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agora.data.checks import InputError, nearest

Value = float | bool | str | NDArray[Any]
Links = tuple[Sequence[int], Sequence[int]]

LONGEST, DEEPEST = 1000, 40
"""Characters of an expression, and brackets and signs within each other, at most."""
SAME = 1e-9
"""Numbers closer than this are equal; what is smaller has no sign."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[^\W\d]\w*)"
    r"|(?P<text>\"[^\"]*\"|'[^']*')|(?P<sign>\*\*|==|!=|<=|>=|[-+*/^<>().\[\]]))"
)
_WORDS = {"and", "or", "not", "true", "false"}


@dataclass(frozen=True)
class Scope:
    """What an expression can read.

    Attributes
    ----------
    tables : mapping of DataFrame
        By name; a table of one row stands for numbers, others for columns.
    scalars : mapping
        Further numbers and texts by name.
    links : mapping
        Table → ends of links between its rows, for `blocks`; rows follow each other on a line unless given.
    """

    tables: Mapping[str, pd.DataFrame]
    scalars: Mapping[str, float | bool | str] = field(default_factory=dict)
    links: Mapping[str, Links] = field(default_factory=dict)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int


@dataclass(frozen=True)
class _Operand:
    """A value with the table it comes from, so that `blocks` knows which rows are neighbours."""

    value: Value
    table: str = ""


_Node = Callable[[Scope], _Operand]


@dataclass(frozen=True)
class Expression:
    """An expression that was read without a fault; `evaluate` gives its value in a scope."""

    text: str
    node: _Node = field(repr=False, compare=False)

    def evaluate(self, scope: Scope) -> float | bool | str:
        """Return the value: one number, truth value or text.

        Raises
        ------
        InputError
            If a name is unknown, kinds do not fit, or the value is a column.
        """
        with np.errstate(all="ignore"):
            value = self.node(scope).value
        if isinstance(value, np.ndarray):
            if value.size != 1:
                reduce = "one value: put count, sum, max, min, mean, any, all or blocks around it"
                raise InputError("expression", self.text, f"{reduce} (it is a column of {value.size})")
            value = value.ravel()[0].item()
        return value


def read_expression(text: str) -> Expression:
    """Read an expression.

    Raises
    ------
    InputError
        With the place of the first fault, counted in characters from 1.
    """
    if not isinstance(text, str) or not text.strip():
        raise InputError("expression", text, "text such as count(cells.firms > 0)")
    if len(text) > LONGEST:
        raise InputError("expression", text, f"at most {LONGEST} characters long (it has {len(text)})")
    return Expression(text, _Reader(text).whole())


# --- reading --------------------------------------------------------------------------------------


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.depth, self.next = text, 0, 0
        self.tokens: list[_Token] = []
        at = 0
        while at < len(text.rstrip()):
            found = _TOKEN.match(text, at)
            if found is None or found.end() == at:
                at += len(text[at:]) - len(text[at:].lstrip())
                raise self.fault(at, "free of this character")
            kind = str(found.lastgroup)
            self.tokens.append(_Token(kind, found.group(kind), found.start(kind)))
            at = found.end()
        self.tokens.append(_Token("end", "", len(text)))

    def fault(self, at: int, allowed: str) -> InputError:
        return InputError(
            f"expression, at character {at + 1},", self.text[at : at + 20] or "its end", allowed
        )

    @property
    def here(self) -> _Token:
        return self.tokens[self.next]

    def took(self, *texts: str) -> str:
        """Take the next token if it is one of these."""
        token = self.here
        if token.kind in ("sign", "name") and token.text in texts:
            self.next += 1
            return token.text
        return ""

    def expect(self, text: str) -> None:
        if not self.took(text):
            raise self.fault(self.here.at, f"'{text}'")

    def whole(self) -> _Node:
        node = self.expression()
        if self.here.kind != "end":
            raise self.fault(self.here.at, "an operator, or the end of the expression")
        return node

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.fault(self.here.at, f"at most {DEEPEST} brackets and signs within each other")

    def expression(self) -> _Node:
        self.deeper()
        node = self.conjunction()
        while self.took("or"):
            node = _joined(np.logical_or, node, self.conjunction())
        self.depth -= 1
        return node

    def conjunction(self) -> _Node:
        node = self.negation()
        while self.took("and"):
            node = _joined(np.logical_and, node, self.negation())
        return node

    def negation(self) -> _Node:
        if not self.took("not"):
            return self.comparison()
        self.deeper()
        inner = self.negation()
        self.depth -= 1
        return lambda scope: _map(lambda v: np.logical_not(_truth(v)), inner(scope))

    def comparison(self) -> _Node:
        left = self.sum()
        sign = self.took("==", "!=", "<", "<=", ">", ">=")
        if not sign:
            return left
        right = self.sum()
        return lambda scope: _pair(lambda a, b: _compare(sign, a, b), left(scope), right(scope))

    def sum(self) -> _Node:
        node = self.product()
        while sign := self.took("+", "-"):
            node = _calculated(np.add if sign == "+" else np.subtract, node, self.product())
        return node

    def product(self) -> _Node:
        node = self.factor()
        while sign := self.took("*", "/"):
            node = _calculated(np.multiply if sign == "*" else np.divide, node, self.factor())
        return node

    def factor(self) -> _Node:
        sign = self.took("-", "+")
        if not sign:
            return self.power()
        self.deeper()
        inner = self.factor()
        self.depth -= 1
        return lambda scope: _map(lambda v: (-1.0 if sign == "-" else 1.0) * _number(v), inner(scope))

    def power(self) -> _Node:
        base = self.atom()
        if not self.took("^", "**"):
            return base
        self.deeper()
        exponent = self.factor()
        self.depth -= 1
        return _calculated(np.power, base, exponent)

    def atom(self) -> _Node:
        token = self.here
        self.next += 1
        if token.kind == "number":
            number = float(token.text)
            return lambda _: _Operand(number)
        if token.kind == "text":
            return lambda _: _Operand(token.text[1:-1])
        if token.kind == "sign" and token.text == "(":
            node = self.expression()
            self.expect(")")
            return node
        if token.kind == "name" and token.text in ("true", "false"):
            return lambda _: _Operand(token.text == "true")
        if token.kind != "name" or token.text in _WORDS:
            self.next -= 1
            raise self.fault(token.at, "a number, a column, a function or '('")
        if self.took("("):
            return self.call(token)
        return self.column(token)

    def call(self, token: _Token) -> _Node:
        if token.text not in FUNCTIONS:
            raise self.fault(token.at, f"a function: {nearest(token.text, FUNCTIONS)}")
        function = FUNCTIONS[token.text]
        argument = self.expression()
        self.expect(")")
        return lambda scope: function(argument(scope), scope)

    def column(self, token: _Token) -> _Node:
        table, name = "", token.text
        if self.took("."):
            table, name = name, self.here.text
            if self.here.kind != "name":
                raise self.fault(self.here.at, f"the name of a column of {table}")
            self.next += 1
        row: int | None = None
        if self.took("["):
            if self.here.kind != "number" or not self.here.text.isdigit():
                raise self.fault(self.here.at, "the number of a row, from 0")
            row = int(self.here.text)
            self.next += 1
            self.expect("]")
        return lambda scope: _look_up(scope, table, name, row, token.at)


# --- evaluating -----------------------------------------------------------------------------------


def _look_up(scope: Scope, table: str, name: str, row: int | None, at: int) -> _Operand:
    where = f"expression, at character {at + 1},"
    if not table:
        if name in scope.scalars and row is None:
            value = scope.scalars[name]
            return _Operand(value if isinstance(value, bool | str) else float(value))
        having = [key for key, frame in scope.tables.items() if name in frame.columns]
        if not having:
            columns = [f"{key}.{column}" for key, frame in scope.tables.items() for column in frame.columns]
            raise InputError(where, name, nearest(name, [*scope.scalars, *columns]))
        if len(having) > 1:
            raise InputError(where, name, f"one of {', '.join(f'{key}.{name}' for key in having)}")
        table = having[0]
    if table not in scope.tables:
        raise InputError(where, table, f"a table: {nearest(table, scope.tables)}")
    frame = scope.tables[table]
    if name not in frame.columns:
        raise InputError(
            where, f"{table}.{name}", f"a column of it: {nearest(name, map(str, frame.columns))}"
        )
    values: NDArray[Any] = frame[name].to_numpy()
    if values.dtype.kind in "iuf":
        values = values.astype(float)
    elif values.dtype.kind != "b":
        values = np.array([str(v) for v in values], dtype=object)
    if row is None and len(values) != 1:
        return _Operand(values, table)
    if row is not None and row >= len(values):
        raise InputError(where, f"{name}[{row}]", f"a row of {table} from 0 to {len(values) - 1}")
    one = values[row or 0]
    return _Operand(one.item() if isinstance(one, np.generic) else one)


def _number(value: Value) -> Any:
    kinds = value.dtype.kind if isinstance(value, np.ndarray) else "O" if isinstance(value, str) else "f"
    if kinds not in "fb":
        raise InputError("expression", "text", "a number where it is calculated with")
    return value.astype(float) if isinstance(value, np.ndarray) else float(value)


def _truth(value: Value) -> Any:
    boolean = value.dtype.kind == "b" if isinstance(value, np.ndarray) else isinstance(value, bool)
    if not boolean:
        raise InputError("expression", "a number or text", "a comparison where true or false is needed")
    return value


def _map(function: Callable[[Value], Any], operand: _Operand) -> _Operand:
    return _Operand(_plain(function(operand.value)), operand.table)


def _pair(function: Callable[[Value, Value], Any], left: _Operand, right: _Operand) -> _Operand:
    sizes = {len(o.value) for o in (left, right) if isinstance(o.value, np.ndarray)}
    if len(sizes) > 1:
        raise InputError("expression", f"columns of {' and '.join(map(str, sorted(sizes)))}", "of one length")
    return _Operand(_plain(function(left.value, right.value)), left.table or right.table)


def _plain(value: Any) -> Value:
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        plain: Value = value.item()
        return plain
    result: Value = value
    return result


def _calculated(function: Any, left: _Node, right: _Node) -> _Node:
    return lambda scope: _pair(lambda a, b: function(_number(a), _number(b)), left(scope), right(scope))


def _joined(function: Any, left: _Node, right: _Node) -> _Node:
    return lambda scope: _pair(lambda a, b: function(_truth(a), _truth(b)), left(scope), right(scope))


def _is_text(value: Value) -> bool:
    return isinstance(value, str) or (isinstance(value, np.ndarray) and value.dtype.kind == "O")


def _compare(sign: str, left: Value, right: Value) -> Any:
    if _is_text(left) or _is_text(right):
        if _is_text(left) != _is_text(right) or sign not in ("==", "!="):
            raise InputError("expression", sign, "== or != where text is compared, with text on both sides")
        equal = np.equal(left, right)
        return equal.astype(bool) if sign == "==" else ~np.asarray(equal, dtype=bool)
    gap = _number(left) - _number(right)
    near = np.asarray(np.abs(gap) <= SAME)
    if sign in ("==", "!="):
        return near if sign == "==" else ~near
    if sign in ("<=", ">="):
        return near | (gap < 0 if sign == "<=" else gap > 0)
    return ~near & (gap < 0 if sign == "<" else gap > 0)


def _column(operand: _Operand) -> NDArray[Any]:
    return np.atleast_1d(np.asarray(operand.value))


def _reduced(function: Any) -> Callable[[_Operand, Scope], _Operand]:
    def call(operand: _Operand, _: Scope) -> _Operand:
        values = np.atleast_1d(_number(operand.value))
        if not values.size:
            raise InputError("expression", "an empty column", "a column with rows")
        return _Operand(float(function(values)))

    return call


def _elementwise(function: Any) -> Callable[[_Operand, Scope], _Operand]:
    return lambda operand, _: _map(lambda v: function(_number(v)), operand)


def _logical(function: Any) -> Callable[[_Operand, Scope], _Operand]:
    return lambda operand, _: _Operand(bool(function(_truth(operand.value))))


def _count(operand: _Operand, _: Scope) -> _Operand:
    values = _column(operand)
    return _Operand(float(values.sum() if values.dtype.kind == "b" else len(values)))


def _distinct(operand: _Operand, _: Scope) -> _Operand:
    values = _column(operand)
    if values.dtype.kind == "O":
        return _Operand(float(len(set(values.tolist()))))
    ordered = np.sort(_number(values))
    return _Operand(float(len(ordered) and 1 + int((np.diff(ordered) > 1e-6).sum())))


def _blocks(operand: _Operand, scope: Scope) -> _Operand:
    chosen = np.atleast_1d(_truth(operand.value))
    tails, heads = scope.links.get(operand.table, (range(len(chosen) - 1), range(1, len(chosen))))
    group = list(range(len(chosen)))

    def top(k: int) -> int:
        while group[k] != k:
            group[k] = group[group[k]]
            k = group[k]
        return k

    for tail, head in zip(tails, heads, strict=True):
        if tail < len(chosen) and head < len(chosen) and chosen[tail] and chosen[head]:
            group[top(int(tail))] = top(int(head))
    return _Operand(float(len({top(k) for k in np.flatnonzero(chosen).tolist()})))


def _sign(values: Any) -> Any:
    return np.where(np.abs(values) <= SAME, 0.0, np.sign(values))


FUNCTIONS: dict[str, Callable[[_Operand, Scope], _Operand]] = {
    "count": _count,
    "blocks": _blocks,
    "distinct": _distinct,
    "sum": _reduced(np.sum),
    "max": _reduced(np.max),
    "min": _reduced(np.min),
    "mean": _reduced(np.mean),
    "any": _logical(np.any),
    "all": _logical(np.all),
    "abs": _elementwise(np.abs),
    "sign": _elementwise(_sign),
    "sqrt": _elementwise(np.sqrt),
    "log": _elementwise(np.log),
    "exp": _elementwise(np.exp),
    "round": _elementwise(np.round),
}
"""``count`` of true rows, or of rows; ``blocks`` of true rows that hang together; the usual others."""
