"""Errors planted in the formulations are seen, or argued to change no answer."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from contract.equivalent import EQUIVALENT
from contract.mutants import chosen
from contract.mutations import FAMILIES, KINDS, every, modules, mutants, sample, source

ROOT = Path(__file__).resolve().parents[2]


def test_errors_are_of_all_kinds_and_in_all_modules() -> None:
    planted = chosen(FAMILIES)
    assert len(planted) >= 60
    assert {mutant.kind for mutant in planted} == set(KINDS)
    algebra = {name for family in FAMILIES for name in modules(family) if mutants(name)}
    assert {mutant.module for mutant in planted} == algebra
    assert len({mutant.key for mutant in every()}) == len(list(every()))


@pytest.mark.parametrize("module", [name for family in FAMILIES for name in modules(family)])
def test_an_error_changes_one_statement(module: str) -> None:
    """Leave the rest of the module as it was, and make code that Python reads."""
    right = ast.unparse(ast.parse(source(module))).splitlines()
    for mutant in sample(mutants(module), 2):
        tree = mutant.tree()
        compile(tree, module, "exec")
        lines = zip(right, ast.unparse(tree).splitlines(), strict=True)
        assert sum(line != wrong for line, wrong in lines) == 1, mutant.key


def test_every_argument_is_about_an_error_and_is_a_sentence() -> None:
    assert set(EQUIVALENT) - {mutant.key for mutant in every()} == set()
    assert [key for key, argument in EQUIVALENT.items() if len(argument.split()) < 8] == []


@pytest.mark.heavy
@pytest.mark.parametrize("family", FAMILIES)
def test_no_error_survives_without_an_argument(family: str) -> None:
    command = [sys.executable, "-m", "tests.contract.mutants", family]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
