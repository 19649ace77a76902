"""Tables 1 and 2 and cases 3 to 5, cell by cell, and the parameters that a printed row belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from agora.papers.berliant_konishi.economies import (
    GAP,
    QUANTITIES,
    SITES,
    Outcome,
    best,
    best_with,
    named,
    printed_or_best,
    runner_up,
    search,
    solution,
)
from agora.papers.claims import Claim, half_a_digit, read_claims
from agora.papers.computations import Finding, computes

PAPER = "berliant-konishi"
_EDGE = 1e-9
"""What a number may stand beyond half a digit, so that a tie of rounding counts as equal."""


# --- what is printed -----------------------------------------------------------------------------


@cache
def printed_rows() -> dict[tuple[str, float], list[Claim]]:
    """Return the claims of every printed row, by case and q̄."""
    rows: dict[tuple[str, float], list[Claim]] = {}
    for claim in read_claims(PAPER):
        if claim.computation in ("printed-cell", "printed-marketplaces"):
            row = claim.arguments["case"], claim.arguments["setup_cost"]
            rows.setdefault(row, []).append(claim)
    return rows


def printed_structure(case: str, setup_cost: float) -> str:
    """Return where the marketplaces of a printed row are, as printed."""
    claims = printed_rows()[case, setup_cost]
    return next(str(each.printed) for each in claims if each.arguments["column"] == "market_locations")


def row(case: str, setup_cost: float) -> Outcome:
    """Return the best structure of a printed row; of those that tie the printed one."""
    return printed_or_best(case, setup_cost, printed_structure(case, setup_cost))


def digits_off(printed: str, computed: float) -> int:
    """Return by how many units of the last printed digit a number differs; 0 if equal after rounding."""
    unit = 2 * half_a_digit(printed)
    return int(np.ceil(abs(computed - float(printed)) / unit - 0.5 - _EDGE))


def difference(printed: str, computed: float) -> str:
    """Say in words how a number differs from what is printed."""
    off = digits_off(printed, computed)
    if off == 0:
        return "equal after rounding to the printed digits"
    return "differs in the last printed digit, by one" if off == 1 else f"differs, by {off} in the last digit"


# --- which parameters a printed row belongs to ---------------------------------------------------


@dataclass(frozen=True)
class Match:
    """An economy of the paper and how many cells of a printed row are its own."""

    case: str
    setup_cost: float
    number: int  # of marketplaces
    structure: str  # where they are
    equal: int  # cells of population, production and rent equal after rounding
    close: int  # and those within one of it in the last printed digit
    distance: float  # sum of all differences in units of the last printed digit


def matches(case: str, setup_cost: float) -> Iterator[Match]:
    """Compare a printed row with every economy of the tables and every number of marketplaces."""
    cells = [each for each in printed_rows()[case, setup_cost] if each.computation == "printed-cell"]
    for other_case, other_cost in printed_rows():
        for number in range(1, len(SITES) + 1):
            for each in best_with(other_case, other_cost, number):
                off = [_units(cell, each) for cell in cells]
                equal = sum(part <= 0.5 + _EDGE for part in off)
                close = sum(part <= 1.5 + _EDGE for part in off)
                yield Match(other_case, other_cost, number, each.name, equal, close, sum(off))


def _units(cell: Claim, at: Outcome) -> float:
    printed = cell.arguments["printed"]
    return abs(value(at, cell.arguments["column"], cell.arguments["site"]) - float(printed)) / (
        2 * half_a_digit(printed)
    )


def value(at: Outcome, column: str, site: str) -> float:
    """Return what a column of the tables holds for a site."""
    if column not in QUANTITIES:
        raise ValueError(f"no such column: {column}")
    return float(getattr(at, column)[list(SITES).index(site)])


@cache
def best_match(case: str, setup_cost: float) -> tuple[Match, Match]:
    """Return the economy that most cells of a printed row agree with, and the row's own."""
    every = list(matches(case, setup_cost))
    structure = row(case, setup_cost).name
    own = next(each for each in every if (each.case, each.setup_cost) == (case, setup_cost)
               and each.structure == structure)  # fmt: skip
    top = min(every, key=lambda each: (-each.equal, each.distance))
    return (own if top.equal == own.equal else top), own


def whose_row(case: str, setup_cost: float) -> str:
    """Say which economy of the paper a printed row agrees with best."""
    top, own = best_match(case, setup_cost)
    cells = len(QUANTITIES) * len(SITES)
    if top == own:
        return (
            f"the printed row agrees with {own.equal} of {cells} cells here, and with no more of any other "
            "economy of the tables"
        )
    count = {1: "one marketplace", 2: "two marketplaces", 3: "three marketplaces", 4: "four marketplaces"}
    return (
        f"the printed row is the solution for q̄ = {top.setup_cost:g} with {count[top.number]} at "
        f"{top.structure} in {top.case.replace('case', 'case ')}: {top.equal} of {cells} cells are equal and "
        f"{top.close} within one in the last digit; for q̄ = {setup_cost:g} {own.equal} and {own.close}"
    )


# --- computations ----------------------------------------------------------------------------------


@computes("printed-cell")
def printed_cell(case: str, setup_cost: float, site: str, column: str, printed: str) -> Finding:
    """Return population, production or rent of a site in the best structure, from the solved program."""
    result = row(case, setup_cost)
    solved = solution(case, setup_cost, result.locations)
    sites = solved.tables["sites"]
    computed = float(sites[column].iloc[list(SITES).index(site)])
    if abs(computed - value(result, column, site)) > 1e-6:
        raise ValueError(f"two methods differ: {computed} and {value(result, column, site)}")
    note = difference(printed, computed)
    if digits_off(printed, computed):
        note = f"{note}; {whose_row(case, setup_cost)}"
    return Finding(computed, note=note, verdict=None if digits_off(printed, computed) else "reproduced")


@computes("printed-marketplaces")
def printed_marketplaces(case: str, setup_cost: float, column: str, printed: str) -> Finding:
    """Return number or locations of the marketplaces of the best structure; locations in printed digits."""
    result, other = row(case, setup_cost), runner_up(case, setup_cost)
    note = f"utility {result.utility:.6f}"
    if other is not None:
        note += f"; next best: {len(other.locations)} at {other.name}, utility {other.utility:.6f}"
    else:
        note += "; no other number of marketplaces can be paid for"
    proof = f"all structures searched by branch and bound, relative gap {GAP:.0e}"
    if column == "n_markets":
        return Finding(float(len(result.locations)), note=note, certificate=proof)
    tokens = printed.split()
    if len(tokens) != len(result.locations):
        return Finding(result.name, note=note, certificate=proof)
    written = [
        named(location) if token in SITES else f"{location:.{len(token.partition('.')[2])}f}"
        for token, location in zip(tokens, result.locations, strict=True)
    ]
    exact = [
        f"{location:.6f}"
        for token, location in zip(tokens, result.locations, strict=True)
        if token not in SITES
    ]
    if exact:
        note = f"at {', '.join(exact)} to six digits; {note}"
    tied = [each.name for each in best(case, setup_cost) if each.name != result.name]
    if tied:
        note += f"; as good: {', '.join(tied)}"
    boxes = sum(search(case, setup_cost, number).boxes for number in range(1, len(SITES) + 1))
    return Finding(" ".join(written), note=note, certificate=f"{proof}, {boxes} boxes")
