"""A program's equations as text, the same on every machine: ``python -m tests.contract.golden`` writes them.

Every file of ``golden`` holds the variables of one small program, with bounds and starts, its rows and its
objective. What changes there is a change of the algebra: look at it before you write it anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyomo.environ as pyo
from pyomo.mpec import Complementarity

FOLDER = Path(__file__).parent / "golden"
_NUMBER = re.compile(r"(?<![\w.\]])\d+\.\d+(?:e[+-]?\d+)?")


def equations(program: pyo.ConcreteModel) -> str:
    """Return the normal form of a program."""
    return "\n".join(_lines(program)) + "\n"


def _lines(program: pyo.ConcreteModel) -> Iterator[str]:
    yield f"program {program.name}"
    for part in program.component_objects(descend_into=True, sort=False):
        if isinstance(part, pyo.Var):
            yield from (_variable(each) for each in part.values())
        elif isinstance(part, pyo.Param):
            yield from (f"param {part.name}[{key}] = {_plain(value)}" for key, value in part.items())
        elif isinstance(part, pyo.Objective):
            sense = "maximize" if part.sense == pyo.maximize else "minimize"
            yield f"{sense} {part.name}: {_plain(part.expr)}"
        elif isinstance(part, Complementarity):
            for each in part.values():
                yield f"complementarity {each.name}: {_plain(each._args[0])}  _|_  {_plain(each._args[1])}"
        elif isinstance(part, pyo.Constraint):
            active = (each for each in part.values() if each.active)
            yield from (f"row {each.name}: {_plain(each.expr)}" for each in active)


def _variable(variable: Any) -> str:
    kind = "" if variable.is_continuous() else f" in {variable.domain}"
    if variable.fixed:
        return f"var {variable.name} = {_plain(variable.value)} (fixed)"
    low, high = (_plain(bound) for bound in (variable.lb, variable.ub))
    return f"var {variable.name} in [{low}, {high}]{kind} from {_plain(variable.value)}"


def _plain(expression: Any) -> str:
    """Return an expression or a number as text, its numbers to nine digits."""
    text = "none" if expression is None else str(expression)
    return _NUMBER.sub(lambda found: _digits(float(found.group())), text)


def _digits(number: float) -> str:
    return f"{0.0 if abs(number) < 1e-12 else number:.9g}"


def golden_programs() -> Iterator[tuple[str, pyo.ConcreteModel]]:
    """Yield the name of each file and the program that it holds."""
    from .economies import LINES
    from .programs import PROGRAMS, built

    for name, line in LINES.items():
        if line.smallest:
            yield name, line.build(line.smallest).program()
    for name, entry in PROGRAMS.items():
        if entry.golden:
            yield name, built(name)


def file_of(name: str) -> Path:
    """Return the file that holds a program's equations."""
    return FOLDER / (name.replace(", ", "--").replace(" ", "-") + ".txt")


def main() -> None:
    """Write every file anew."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.txt"):
        old.unlink()
    for name, program in golden_programs():
        file_of(name).write_text(equations(program), encoding="utf-8")


if __name__ == "__main__":
    main()
