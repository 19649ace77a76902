"""Expressions over tables, such as ``count(sites.population > 0.2)``: read, checked, and evaluated safely.

The language has numbers, text, columns, arithmetic, comparisons, ``and``, ``or``, ``not`` and a short list of
functions::

    sum(cells.firms) / objective    count(cells.use == "vacant") > 2 and not open    cells.rent[3] ^ 2

A column is ``name`` or ``table.name``, with ``[row]`` one of its rows from 0. Words bind as in Python, ``^``
as ``**``. Python's parser only puts the words in order: numbers, text and names are numbered before it sees
them, so that they mean what is said here, and what it returns must consist of the nodes listed here. Numbers
are floats of bounded size, columns never grow, and the length and depth of an expression are limited: an
expression of a stranger costs no more than the tables it reads.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from agora.data.checks import InputError, nearest
from agora.data.tables import current_name

Values = NDArray[Any]
"""Numbers, truths or text (objects): a column, or a single value without an axis."""
Links = tuple[Sequence[int], Sequence[int]]

LONGEST, DEEPEST = 1000, 40
"""Characters of an expression, and brackets or signs within each other, at most."""
SAME = 1e-9
"""Numbers closer than this are equal; what is smaller has no sign."""

_TOKEN = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<text>\"[^\"]*\"|'[^']*')"
    r"|(?P<sign>(?:and|or|not)\b|\*\*|[=!<>]=|[-+*/^<>()])"
    r"|(?:(?P<table>[^\W\d]\w*)\s*\.\s*)?(?P<name>[^\W\d]\w*)(?:\s*\[\s*(?P<row>\d+)\s*\])?"
    r"|(?P<space>\s+)|(?P<other>.)",
    re.DOTALL,
)
_BEFORE_NOT = ("", "(", "and", "or", "not")
_AFTER = {
    "[": "the number of a row, from 0, as in [2]",
    ".": "a dot between two names, of a table and its column",
}
_TRUTHS = {"true": True, "false": False}
_STARTED, _CONTINUED = "a number, a column, a function or '('", "an operator, or the end of the expression"
_OTHER = "free of this character"
_SHALLOW = f"at most {DEEPEST} brackets and signs within each other"


@dataclass(frozen=True)
class Scope:
    """What an expression can read."""

    tables: Mapping[str, pd.DataFrame]  # by name; a table of one row stands for numbers, others for columns
    scalars: Mapping[str, float | bool | str] = field(default_factory=dict)
    """Further numbers and texts by name."""
    links: Mapping[str, Links] = field(default_factory=dict)
    """Table → ends of links between its rows, for `blocks`; rows follow each other on a line unless given."""


@dataclass(frozen=True)
class _Operand:
    """Values with the links between their rows, so that `blocks` knows which are neighbours."""

    values: Values
    links: Links | None = None


_Node = Callable[[Scope], _Operand]
_Function = Callable[[_Operand], Any]
_Pairing = Callable[[Values, Values], Any]


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
            values = self.node(scope).values
        if values.size != 1:
            reduce = "one value: put count, sum, max, min, mean, any, all or blocks around it"
            raise InputError("expression", self.text, f"{reduce} (it is a column of {values.size})")
        value: float | bool | str = values.item()
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
    reader = _Reader(text)
    return Expression(text, reader.node(reader.tree))


# --- reading --------------------------------------------------------------------------------------


class _Reader:
    """Cuts text into tokens, has Python put them in order, and turns its tree into a function of a scope."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [found for found in _TOKEN.finditer(text) if found.lastgroup != "space"]
        self.check()
        words = [
            token[0].replace("^", "**") if token["sign"] else f"_{number}"
            for number, token in enumerate(self.tokens)
        ]
        self.starts = list(accumulate((len(word) + 1 for word in words), initial=0))
        self.tree = ast.parse(" ".join(words), mode="eval").body

    def fault(self, at: int, allowed: str) -> InputError:
        shown = self.text[at : at + 20] or "its end"
        return InputError(f"expression, at character {at + 1},", shown, allowed)

    def position(self, tree: ast.expr) -> int:
        return self.tokens[bisect(self.starts, tree.col_offset) - 1].start()

    def check(self) -> None:
        """Refuse what Python's parser would, and unknown characters: operands and operators out of turn."""
        depth, done, before = 0, False, ""  # open brackets; whether an operand has just ended; last sign
        for token in self.tokens:
            at, sign = token.start(), token["sign"] or ""
            if token["other"]:
                raise self.fault(at, _AFTER.get(token[0], _OTHER) if done else _OTHER)
            if done and (sign in ("", "not") or (sign == "(" and before == ")")):
                raise self.fault(at, _CONTINUED)
            if not done and sign not in ("", "(", "-", "+") and (sign != "not" or before not in _BEFORE_NOT):
                raise self.fault(at, _STARTED)
            depth += (sign == "(") - (sign == ")")
            if not 0 <= depth <= DEEPEST:
                raise self.fault(at, _SHALLOW if depth > 0 else _CONTINUED)
            done, before = not sign or sign == ")", sign
        if depth or not done:
            raise self.fault(len(self.text), "')'" if done else _STARTED)

    def node(self, tree: ast.expr, depth: int = 0) -> _Node:
        """Return the function of a node; only the nodes named here may stand in an expression."""
        if depth > DEEPEST:
            raise self.fault(self.position(tree), _SHALLOW)
        match tree:
            case ast.Name(id=name):
                return self.operand(self.tokens[int(name[1:])])
            case ast.Call(func=ast.Name(id=name), args=[argument]):
                return _applied(self.function(self.tokens[int(name[1:])]), self.node(argument, depth))
            case ast.UnaryOp():
                return _applied(_UNARY[type(tree.op)], self.node(tree.operand, depth + 1))
            case ast.BoolOp(op=op, values=[first, *others]):
                return self.chain(first, [(op, other) for other in others], depth)
            case ast.Compare(ops=[sign], comparators=[right]):
                return self.chain(tree.left, [(sign, right)], depth)
            case ast.Compare(comparators=[_, second, *_]):
                raise self.fault(self.position(second), "joined by 'and', as in a < b and b < c")
            case ast.BinOp():
                steps: list[tuple[ast.AST, ast.expr]] = []
                start: ast.expr = tree
                while isinstance(start, ast.BinOp):  # a sum of many terms leans to the left
                    steps.insert(0, (start.op, start.right))
                    start = start.left
                return self.chain(start, steps, depth)
        raise self.fault(self.position(tree), _STARTED)

    def chain(self, start: ast.expr, steps: list[tuple[ast.AST, ast.expr]], depth: int) -> _Node:
        first = self.node(start, depth)
        rest = [(_BINARY[type(op)], self.node(part, depth + isinstance(op, ast.Pow))) for op, part in steps]

        def value(scope: Scope) -> _Operand:
            found = first(scope)
            for function, part in rest:
                found = _joined(function, found, part(scope))
            return found

        return value

    def operand(self, token: re.Match[str]) -> _Node:
        if token["name"] and token[0] not in _TRUTHS:
            return partial(_look_up, token)
        text, number = token["text"], token["number"]
        constant = text[1:-1] if text else float(number) if number else _TRUTHS[token[0]]
        return lambda _: _Operand(_values([constant]).reshape(()))

    def function(self, token: re.Match[str]) -> _Function:
        if token[0] not in FUNCTIONS:
            raise self.fault(token.start(), f"a function: {nearest(token[0], FUNCTIONS)}")
        return FUNCTIONS[token[0]]


# --- evaluating -----------------------------------------------------------------------------------


def _applied(function: _Function, inner: _Node) -> _Node:
    def value(scope: Scope) -> _Operand:
        operand = inner(scope)
        found = np.asarray(function(operand))
        return _Operand(found, operand.links if found.ndim else None)

    return value


def _joined(function: _Pairing, left: _Operand, right: _Operand) -> _Operand:
    sizes = {o.values.size for o in (left, right) if o.values.ndim}
    if len(sizes) > 1:
        raise InputError("expression", f"columns of {' and '.join(map(str, sorted(sizes)))}", "of one length")
    return _Operand(np.asarray(function(left.values, right.values)), left.links or right.links)


def _look_up(token: re.Match[str], scope: Scope) -> _Operand:
    where, table, name, row = (
        f"expression, at character {token.start() + 1},",
        *token.group("table", "name", "row"),
    )
    if not table:
        if name in scope.scalars and row is None:
            return _Operand(_values([scope.scalars[name]]).reshape(()))
        name = current_name(name, {column for frame in scope.tables.values() for column in frame.columns})
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
    name = current_name(name, frame.columns)
    if name not in frame.columns:
        raise InputError(where, f"{table}.{name}", f"a column of it: {nearest(name, frame.columns)}")
    values = _values(frame[name])
    if row is None and len(values) != 1:
        return _Operand(values, scope.links.get(table, (range(len(values) - 1), range(1, len(values)))))
    if int(row or 0) >= len(values):
        raise InputError(where, f"{name}[{row}]", f"a row of {table} from 0 to {len(values) - 1}")
    return _Operand(values[int(row or 0), None].reshape(()))


def _values(given: Any) -> Values:
    """Return a column as floats, truths or text (objects)."""
    values = np.asarray(given)
    if values.dtype.kind in "iuf":
        return values.astype(float)
    return values if values.dtype.kind == "b" else np.array([str(v) for v in given], dtype=object)


def _number(values: Values) -> Values:
    if values.dtype.kind not in "fb":
        raise InputError("expression", "text", "a number where it is calculated with")
    return values.astype(float)


def _filled(values: Values) -> Values:
    if not values.size:
        raise InputError("expression", "an empty column", "a column with rows")
    return _number(values)


def _truth(values: Values) -> Values:
    if values.dtype.kind != "b":
        raise InputError("expression", "a number or text", "a comparison where true or false is needed")
    return values


def _of(check: Callable[[Values], Values], function: Callable[..., Any]) -> _Function:
    return lambda operand: function(check(operand.values))


def _of_two(check: Callable[[Values], Values], function: Callable[..., Any]) -> _Pairing:
    return lambda left, right: function(check(left), check(right))


def _equal(left: Values, right: Values) -> Any:
    if (left.dtype.kind == "O") != (right.dtype.kind == "O"):
        raise InputError("expression", "a number and a text", "two numbers or two texts where == compares")
    return left == right if left.dtype.kind == "O" else np.abs(_number(left) - _number(right)) <= SAME


def _ordered(values: Values) -> Values:
    if values.dtype.kind == "O":
        raise InputError("expression", "text", "compared by == or != with another text")
    return _number(values)


def _count(operand: _Operand) -> float:
    values = operand.values
    return float(values.sum() if values.dtype.kind == "b" else values.size)


def _distinct(operand: _Operand) -> float:
    if operand.values.dtype.kind == "O":
        return float(len(set(operand.values.ravel().tolist())))
    ordered = np.sort(_number(operand.values), axis=None)
    return float(len(ordered) and 1 + int((np.diff(ordered) > 1e-6).sum()))


def _blocks(operand: _Operand) -> float:
    chosen = np.atleast_1d(_truth(operand.values))
    pairs = [(t, h) for t, h in zip(*(operand.links or ((), ())), strict=True) if chosen[t] and chosen[h]]
    ends = tuple(np.array(pairs, dtype=int).reshape(-1, 2).T)
    graph = csr_array((np.ones(len(pairs)), ends), shape=(len(chosen), len(chosen)))
    return float(len(set(connected_components(graph, directed=False)[1][chosen].tolist())))


def _sign(values: Values) -> Values:
    return np.where(np.abs(values) <= SAME, 0.0, np.sign(values))


_UNARY: dict[type[ast.AST], _Function] = {
    ast.Not: _of(_truth, np.logical_not),
    ast.USub: _of(_number, np.negative),
    ast.UAdd: _of(_number, np.positive),
}
_BINARY: dict[type[ast.AST], _Pairing] = {
    ast.And: _of_two(_truth, np.logical_and),
    ast.Or: _of_two(_truth, np.logical_or),
    ast.Add: _of_two(_number, np.add),
    ast.Sub: _of_two(_number, np.subtract),
    ast.Mult: _of_two(_number, np.multiply),
    ast.Div: _of_two(_number, np.divide),
    ast.Pow: _of_two(_number, np.power),
    ast.Eq: _equal,
    ast.NotEq: lambda left, right: np.logical_not(_equal(left, right)),
    ast.Lt: _of_two(_ordered, lambda left, right: left - right < -SAME),
    ast.LtE: _of_two(_ordered, lambda left, right: left - right <= SAME),
    ast.Gt: _of_two(_ordered, lambda left, right: left - right > SAME),
    ast.GtE: _of_two(_ordered, lambda left, right: left - right >= -SAME),
}
FUNCTIONS: dict[str, _Function] = {
    "count": _count,
    "blocks": _blocks,
    "distinct": _distinct,
    "sum": _of(_filled, np.sum),
    "max": _of(_filled, np.max),
    "min": _of(_filled, np.min),
    "mean": _of(_filled, np.mean),
    "any": _of(_truth, np.any),
    "all": _of(_truth, np.all),
    "abs": _of(_number, np.abs),
    "sign": _of(_number, _sign),
    "sqrt": _of(_number, np.sqrt),
    "log": _of(_number, np.log),
    "exp": _of(_number, np.exp),
    "round": _of(_number, np.round),
}
"""``count`` of true rows, or of rows; ``blocks`` of true rows that hang together; the usual others."""
