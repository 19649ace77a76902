"""Small errors in the algebra, one at a time: a sign, an index, a bound, an exponent, a factor.

Places are read from the syntax tree of each module of `agora.formulations`. Texts, types, messages of errors
and the starts of variables are left alone: no answer depends on them.
"""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FORMULATIONS = ROOT / "agora" / "formulations"
FAMILIES = tuple(
    sorted(folder.name for folder in FORMULATIONS.iterdir() if (folder / "__init__.py").exists())
)
KINDS = ("sign", "index", "bound", "exponent", "factor")

Change = tuple[str, Callable[[Any], ast.AST]]
"""Kind of an error, and the function that makes the wrong node of a copy of the right one."""


@dataclass(frozen=True)
class Mutant:
    """A module with one error.

    Attributes
    ----------
    module : str
        ``family/name.py``.
    function : str
        Where the error is, with the functions around it.
    line : int
        The first line of that function, with its decorators: how a process tells that it was called.
    kind : str
        One of `KINDS`.
    change : str
        The right and the wrong text.
    statement : str
        The statement that it stands in.
    place : int
        Which place of the module it is, in the order of the syntax tree.
    again : int
        How often the function has the same change before.
    """

    module: str
    function: str
    line: int
    kind: str
    change: str
    statement: str
    place: int
    again: int

    @property
    def key(self) -> str:
        """What names the mutant wherever its lines stand."""
        number = f" ({self.again + 1})" if self.again else ""
        return f"{self.module} {self.function}: {self.change}{number}"

    @property
    def order(self) -> str:
        """What the choice of a sample follows from."""
        return f"{self.key} in {self.statement}"

    @property
    def name(self) -> str:
        """The module's name in Python."""
        return "agora.formulations." + self.module.removesuffix(".py").replace("/", ".")

    @property
    def family(self) -> str:
        """The family that it is of."""
        return self.module.split("/")[0]

    def tree(self) -> ast.Module:
        """Return the module with the error."""
        return _Planted(self.place).visit(ast.parse(source(self.module)))


def modules(family: str) -> list[str]:
    """Return the modules of a family's formulations."""
    files = sorted((FORMULATIONS / family).glob("*.py"))
    return [f"{family}/{file.name}" for file in files if file.name != "__init__.py"]


def source(module: str) -> str:
    """Return the text of a module."""
    return (FORMULATIONS / module).read_text(encoding="utf-8")


@cache
def mutants(module: str) -> tuple[Mutant, ...]:
    """Return every error that can be planted in a module; no two have the same key."""
    walk = _Listed()
    walk.visit(ast.parse(source(module)))
    found, seen = [], Counter[tuple[str, str]]()
    for place, (kind, change, function, line, statement) in enumerate(walk.found):
        again = seen[function, change]
        seen[function, change] += 1
        found.append(Mutant(module, function, line, kind, change, statement, place, again))
    return tuple(found)


def every() -> Iterator[Mutant]:
    """Yield every error that can be planted in any module."""
    for family in FAMILIES:
        for module in modules(family):
            yield from mutants(module)


def sample(given: Iterable[Mutant], number: int, seed: int = 0) -> list[Mutant]:
    """Return some of them, from as many functions and of as many kinds as there are.

    The choice follows from the keys, so that most of it stays when other functions change.
    """
    left = sorted(given, key=lambda mutant: hashlib.sha256(f"{seed} {mutant.order}".encode()).digest())
    chosen: list[Mutant] = []
    functions, kinds = Counter[str](), Counter[str]()
    while left and len(chosen) < number:
        best = min(left, key=lambda mutant: functions[mutant.function] + kinds[mutant.kind])
        left.remove(best)
        chosen.append(best)
        functions[best.function] += 1
        kinds[best.kind] += 1
    return sorted(chosen, key=lambda mutant: mutant.place)


# --- the syntax tree -------------------------------------------------------------------------------

_LEFT_ALONE = (ast.Raise, ast.Assert, ast.JoinedStr, ast.Import, ast.ImportFrom)
_START = {"Var": ("initialize", "doc"), "": ("doc",)}
"""Arguments that no answer depends on, by the name of what is called."""


class _Places(ast.NodeTransformer):
    """Goes through the places where an error can stand, what is inside first."""

    def __init__(self) -> None:
        self.place = -1
        self._starts: set[str] = set()
        self._around: list[str] = []
        self._lines: list[int] = []
        self._statement: ast.AST = ast.Module([], [])

    def error(self, kind: str, right: Any, make: Callable[[Any], ast.AST]) -> ast.AST | None:
        """Return what stands at this place instead, or nothing."""
        raise NotImplementedError

    def visit(self, node: ast.AST) -> Any:
        """Visit what is inside first, then try the errors of the node itself."""
        if isinstance(node, _LEFT_ALONE):
            return node
        if isinstance(node, ast.Module):
            self._starts = set(_starts(node))
        if isinstance(node, ast.stmt) and not hasattr(node, "body"):
            self._statement = node
        right = there = super().visit(node)
        if self._lines and isinstance(node, ast.expr | ast.AugAssign):
            for kind, make in _changes(right):
                self.place += 1
                there = self.error(kind, right, make) or there
        return there

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Visit the methods."""
        self._around.append(node.name)
        node.body = [self.visit(each) if isinstance(each, ast.FunctionDef) else each for each in node.body]
        self._around.pop()
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Visit the body alone: neither types nor defaults nor decorators; not where a variable starts."""
        if node.name in self._starts:
            return node
        first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
        self._around.append(node.name)
        self._lines.append(first)
        node.body = [self.visit(each) for each in node.body]
        self._around.pop()
        self._lines.pop()
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """Leave the type alone."""
        node.value = None if node.value is None else self.visit(node.value)
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        """Let the text of a place in a condition be the condition."""
        return self._headed(node, "test")

    def visit_While(self, node: ast.While) -> ast.AST:
        """Let the text of a place in a condition be the condition."""
        return self._headed(node, "test")

    def visit_For(self, node: ast.For) -> ast.AST:
        """Let the text of a place in what is gone through be that."""
        return self._headed(node, "iter")

    def _headed(self, node: Any, head: str) -> ast.AST:
        self._statement = node
        setattr(node, head, self.visit(getattr(node, head)))
        node.body = [self.visit(each) for each in node.body]
        node.orelse = [self.visit(each) for each in node.orelse]
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Leave texts alone, and where variables start."""
        called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        skipped = _START.get(called, _START[""])
        node.args = [self.visit(each) for each in node.args]
        for keyword in node.keywords:
            if keyword.arg not in skipped:
                keyword.value = self.visit(keyword.value)
        return node


class _Listed(_Places):
    """Lists the errors."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str, int, str]] = []

    def error(self, kind: str, right: Any, make: Callable[[Any], ast.AST]) -> None:
        """Note the error."""
        change = f"{ast.unparse(right)} → {ast.unparse(make(deepcopy(right)))}"
        where = ".".join(self._around)
        self.found.append((kind, change, where, self._lines[-1], _text(self._statement)))


class _Planted(_Places):
    """Plants the error of one place."""

    def __init__(self, wanted: int) -> None:
        super().__init__()
        self.wanted = wanted

    def error(self, kind: str, right: Any, make: Callable[[Any], ast.AST]) -> ast.AST | None:
        """Return the error if it is the one."""
        if self.place != self.wanted:
            return None
        return ast.fix_missing_locations(ast.copy_location(make(deepcopy(right)), right))


def _text(statement: ast.AST) -> str:
    """Return a statement, or the head of one with a body."""
    head = getattr(statement, "test", getattr(statement, "iter", None))
    if head is None or not hasattr(statement, "body"):
        return ast.unparse(statement)
    return f"{type(statement).__name__.lower()} {ast.unparse(head)}"


def _starts(tree: ast.Module) -> Iterator[str]:
    """Yield the functions that say where variables start."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "Var":
            for keyword in node.keywords:
                if keyword.arg == "initialize" and isinstance(keyword.value, ast.Name):
                    yield keyword.value.id


def _changes(node: ast.AST) -> Iterator[Change]:
    """Yield the errors that can be made of a node."""
    for kind in (_of_operation, _of_sign, _of_comparison, _of_index, _of_row, _of_call):
        yield from kind(node)


def _of_operation(node: ast.AST) -> Iterator[Change]:
    if not isinstance(node, ast.BinOp | ast.AugAssign):
        return
    if isinstance(node.op, ast.Add | ast.Sub) and not _is_text(node):
        yield "sign", _with_operator(ast.Sub() if isinstance(node.op, ast.Add) else ast.Add())
    elif isinstance(node.op, ast.Mult | ast.Div):
        if isinstance(node, ast.BinOp) and (_is_number(node.left) or _is_number(node.right)):
            yield "factor", _twice
        elif not _is_list(node):
            yield "factor", _with_operator(ast.Div() if isinstance(node.op, ast.Mult) else ast.Mult())
    elif isinstance(node.op, ast.Pow):
        yield "exponent", _one_more


def _of_sign(node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign", lambda wrong: wrong.operand
    elif isinstance(node, ast.Attribute) and node.attr in ("maximize", "minimize"):
        yield "sign", _other_attribute({"maximize": "minimize", "minimize": "maximize"})


_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.LtE: ast.GtE, ast.GtE: ast.LtE, ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.Eq: ast.GtE,
}  # fmt: skip


def _of_comparison(node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _OPPOSITE:
        opposite = _OPPOSITE[type(node.ops[0])]

        def turned(wrong: ast.Compare) -> ast.Compare:
            wrong.ops = [opposite()]
            return wrong

        yield "bound", turned


def _of_index(node: ast.AST) -> Iterator[Change]:
    if not isinstance(node, ast.Subscript):
        return
    if isinstance(node.slice, ast.Tuple) and len(node.slice.elts) > 1:
        first, second = node.slice.elts[:2]
        if not isinstance(first, ast.Slice) and not isinstance(second, ast.Slice):
            yield "index", _swapped
    elif isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int):
        yield "index", _next_index
    elif isinstance(node.value, ast.Subscript) and _is_name(node.slice) and _is_name(node.value.slice):
        yield "index", _transposed


def _of_row(node: ast.AST) -> Iterator[Change]:
    """Turn a row ``(low, body, high)``, of which one limit is None, and move a limit that is a number."""
    if not (isinstance(node, ast.Tuple) and len(node.elts) == 3 and isinstance(node.ctx, ast.Load)):
        return
    if _is_none(node.elts[0]) or _is_none(node.elts[2]):
        yield "bound", lambda wrong: ast.Tuple(wrong.elts[::-1], ast.Load())


_OTHER_NAMES = {
    "maximum": "minimum", "minimum": "maximum", "max": "min", "min": "max",
    "argmax": "argmin", "argmin": "argmax",
}  # fmt: skip


def _of_call(node: ast.AST) -> Iterator[Change]:
    if not isinstance(node, ast.Call):
        return
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name in _OTHER_NAMES:
        yield "bound", _other_function
    if name == "Var":
        for position, keyword in enumerate(node.keywords):
            if keyword.arg in ("bounds", "domain"):
                yield "bound", _without(position)


def _with_operator(operator: ast.operator) -> Callable[[Any], ast.AST]:
    def change(wrong: Any) -> ast.AST:
        wrong.op = operator
        return wrong

    return change


def _twice(wrong: ast.BinOp) -> ast.AST:
    number = wrong.left if _is_number(wrong.left) else wrong.right
    number.value *= 2
    return wrong


def _one_more(wrong: Any) -> ast.AST:
    side = "right" if isinstance(wrong, ast.BinOp) else "value"
    exponent = getattr(wrong, side)
    more = (
        ast.Constant(exponent.value + 1)
        if _is_number(exponent)
        else ast.BinOp(exponent, ast.Add(), ast.Constant(1))
    )
    setattr(wrong, side, more)
    return wrong


def _swapped(wrong: Any) -> ast.AST:
    first, second, *rest = wrong.slice.elts
    wrong.slice.elts = [second, first, *rest]
    return wrong


def _next_index(wrong: Any) -> ast.AST:
    wrong.slice = ast.Constant(wrong.slice.value + 1)
    return wrong


def _transposed(wrong: Any) -> ast.AST:
    wrong.slice, wrong.value.slice = wrong.value.slice, wrong.slice
    return wrong


def _other_attribute(names: dict[str, str]) -> Callable[[Any], ast.AST]:
    def change(wrong: Any) -> ast.AST:
        wrong.attr = names[wrong.attr]
        return wrong

    return change


def _other_function(wrong: Any) -> ast.AST:
    if isinstance(wrong.func, ast.Attribute):
        wrong.func.attr = _OTHER_NAMES[wrong.func.attr]
    else:
        wrong.func.id = _OTHER_NAMES[wrong.func.id]
    return wrong


def _without(position: int) -> Callable[[Any], ast.AST]:
    def change(wrong: Any) -> ast.AST:
        del wrong.keywords[position]
        return wrong

    return change


def _is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Name)


def _is_text(node: Any) -> bool:
    sides = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.value,)
    return any(isinstance(side, ast.Constant) and isinstance(side.value, str) for side in sides)


def _is_list(node: Any) -> bool:
    sides = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.value,)
    return any(isinstance(side, ast.List) for side in sides)
