"""What the papers print: one file of claims a paper, facts only, and one reader.

A claim says where it stands, what it is about, what is printed there, and which computation of
`agora.papers.computations` checks it with which arguments. The verdict is never stored. The cells
of a printed table stand in a CSV file; each is a claim, made from it by a `PrintedColumn`.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import Field

from agora.data.checks import InputError, nearest
from agora.data.fields import Fields


class Claim(Fields):
    """One claim of a paper."""

    id: str  # unique within the paper
    item: str  # where it stands: "Proposition 4", "Section 6.1", "footnote 19", "(E.6)"
    quantity: str  # what is claimed, in one sentence
    printed: float | str  # the number, formula or statement as printed
    unit: str = "dimensionless"  # unit of `printed`, or ``dimensionless``
    computation: str  # name of the computation that checks the claim
    arguments: dict[str, Any] = Field(default_factory=dict)  # arguments of the computation
    tolerance: float | None = Field(default=None, ge=0, json_schema_extra={"allowed": "a finite number >= 0"})
    """Largest difference that counts as the printed number, in `unit`; without one only equality does."""
    note: str = ""  # what a reader should know to judge the verdict
    slow: bool = False  # whether a quick run leaves the claim out
    program: str = ""
    """Name of the program that the reproduction writes for GAMS and that the claim is about, if any."""


class Uncovered(Fields):
    """What a paper claims and nothing here checks, and why."""

    item: str
    reason: str


class PrintedFigure(Fields):
    """A figure of a reproduction: a printed one redrawn, or one that goes beyond the paper."""

    name: str  # name of the drawing and of its files
    item: str  # which figure of the paper: "Figure 7b", or "Beyond the paper"
    title: str  # what is drawn, in one sentence
    printed: str = ""  # what the printed figure shows, and how the two differ; empty for a figure of our own
    alt: str  # what a reader who cannot see it should know


class PublishedScenario(Fields):
    """A shipped scenario that solves an economy of the paper."""

    name: str  # as ``agora solve`` takes it
    item: str  # where the paper has it
    claims: list[str] = Field(default_factory=list)  # identifiers of the claims that are about it
    gams: bool = True
    """Whether its program is written for GAMS; false where it is too large to be of use there."""


class PrintedColumn(Fields):
    """A column of a printed table, whose cells are claims."""

    name: str  # the column's name in the CSV file
    quantity: str  # what is claimed, with the names of other columns in braces: "Population of site {site}"
    # the columns that say what a cell is about; they are arguments of the computation, which also gets the
    # column's name as ``column`` and the cell as printed as ``printed``
    of: list[str]
    computation: str  # name of the computation that checks the cells
    text: bool = False  # whether the cells are text even where they look like numbers
    unit: str = "dimensionless"  # unit of the cells


class PrintedTable(Fields):
    """A printed table as a CSV file, one row a printed row and site."""

    file: str  # the CSV file, in the folder of the claims
    item: str  # where a row stands, with names of columns in braces
    words: dict[str, dict[str, str]] = Field(default_factory=dict)
    """For a column, what its values are called in `item` and in what is claimed."""
    program: str = ""  # name of the program of a row, with names of columns in braces
    column: list[PrintedColumn]  # the columns that are claimed; cells that repeat one already seen count once

    def claims(self, folder: Path) -> Iterator[Claim]:
        """Give a claim for every printed cell; a number must agree within half its last digit."""
        seen = set()
        with (folder / self.file).open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                called = {name: self.words.get(name, {}).get(value, value) for name, value in row.items()}
                for column in self.column:
                    identifier = "-".join([*(row[name] for name in column.of), column.name])
                    if identifier not in seen:
                        seen.add(identifier)
                        yield self._claim(identifier, row, called, column)

    def _claim(
        self, identifier: str, row: dict[str, str], called: dict[str, str], column: PrintedColumn
    ) -> Claim:
        cell = row[column.name]
        number = None if column.text else float(cell)
        return Claim(
            id=identifier,
            item=self.item.format_map(called),
            quantity=column.quantity.format_map(called),
            printed=cell if number is None else number,
            unit=column.unit,
            computation=column.computation,
            arguments={
                **{name: _number_or_text(row[name]) for name in column.of},
                "column": column.name,
                "printed": cell,
            },
            tolerance=None if number is None or "." not in cell else half_a_digit(cell),
            program=self.program.format_map(row),
        )


def half_a_digit(printed: str) -> float:
    """Return half a unit of the last digit of a decimal number as printed."""
    return 0.5 * 10.0 ** -len(printed.partition(".")[2])


def _number_or_text(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


class Paper(Fields):
    """A paper and what it claims."""

    name: str  # the name a user types
    title: str = ""  # what it is about, in a few words
    citation: str  # authors, year, title, journal
    note: str = ""  # what holds for the whole list
    claim: list[Claim]  # the cells of its tables, then the others in the order of the paper
    uncovered: list[Uncovered] = Field(default_factory=list)
    """Claims that are not in the list, with the reason."""
    figure: list[PrintedFigure] = Field(default_factory=list)  # the figures that the reproduction draws
    scenario: list[PublishedScenario] = Field(default_factory=list)
    """The shipped scenarios that solve economies of the paper."""


def papers() -> list[str]:
    """Return the names of the papers whose claims are listed, sorted."""
    return sorted(_claim_files())


def read_paper(paper: str) -> Paper:
    """Return a paper with its claims.

    Raises
    ------
    InputError
        If no claims of such a paper are listed.
    """
    files = _claim_files()
    if paper not in files:
        raise InputError("paper", paper, nearest(paper, sorted(files)))
    content = tomllib.loads(files[paper].read_text(encoding="utf-8"))
    tables = [PrintedTable.model_validate(table) for table in content.pop("table", [])]
    cells = [claim for table in tables for claim in table.claims(files[paper].parent)]
    named = [Claim.model_validate(claim) for claim in content.pop("claim", [])]
    return Paper.model_validate({"name": paper, **content, "claim": cells + named})


def read_claims(paper: str) -> list[Claim]:
    """Return what a paper claims, in its order; an unknown paper raises `InputError`."""
    return read_paper(paper).claim


def _claim_files() -> dict[str, Path]:
    folder = Path(str(files("agora.papers")))
    return {path.parent.name.replace("_", "-"): path for path in folder.glob("*/claims.toml")}
