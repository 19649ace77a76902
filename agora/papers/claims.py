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
    """One claim of a paper.

    Parameters
    ----------
    id : str
        Unique within the paper.
    item : str
        Where it stands: "Proposition 4", "Section 6.1", "footnote 19", "(E.6)".
    quantity : str
        What is claimed, in one sentence.
    printed : float or str
        The number, formula or statement as printed.
    unit : str
        Unit of `printed`, or ``dimensionless``.
    computation : str
        Name of the computation that checks the claim.
    arguments : dict
        Arguments of the computation.
    tolerance : float, optional
        Largest difference that counts as the printed number, in `unit`; without one only equality does.
    note : str
        What a reader should know to judge the verdict.
    slow : bool
        Whether a quick run leaves the claim out.
    program : str
        Name of the program that the reproduction writes for GAMS and that the claim is about, if any.
    """

    id: str
    item: str
    quantity: str
    printed: float | str
    unit: str = "dimensionless"
    computation: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    tolerance: float | None = Field(default=None, ge=0, json_schema_extra={"allowed": "a finite number >= 0"})
    note: str = ""
    slow: bool = False
    program: str = ""


class Uncovered(Fields):
    """What a paper claims and nothing here checks, and why."""

    item: str
    reason: str


class PrintedFigure(Fields):
    """A figure of a reproduction: a printed one redrawn, or one that goes beyond the paper.

    Parameters
    ----------
    name : str
        Name of the drawing and of its files.
    item : str
        Which figure of the paper: "Figure 7b", or "Beyond the paper".
    title : str
        What is drawn, in one sentence.
    printed : str
        What the printed figure shows, and how the two differ; empty for a figure of our own.
    alt : str
        What a reader who cannot see it should know.
    """

    name: str
    item: str
    title: str
    printed: str = ""
    alt: str


class PublishedScenario(Fields):
    """A shipped scenario that solves an economy of the paper.

    Parameters
    ----------
    name : str
        As ``agora solve`` takes it.
    item : str
        Where the paper has it.
    claims : list of str
        Identifiers of the claims that are about it.
    gams : bool
        Whether its program is written for GAMS; false where it is too large to be of use there.
    """

    name: str
    item: str
    claims: list[str] = Field(default_factory=list)
    gams: bool = True


class PrintedColumn(Fields):
    """A column of a printed table, whose cells are claims.

    Parameters
    ----------
    name : str
        The column's name in the CSV file.
    quantity : str
        What is claimed, with the names of other columns in braces: "Population of site {site}".
    of : list of str
        The columns that say what a cell is about; they are arguments of the computation, which also
        gets the column's name as ``column`` and the cell as printed as ``printed``.
    computation : str
        Name of the computation that checks the cells.
    text : bool
        Whether the cells are text even where they look like numbers.
    unit : str
        Unit of the cells.
    """

    name: str
    quantity: str
    of: list[str]
    computation: str
    text: bool = False
    unit: str = "dimensionless"


class PrintedTable(Fields):
    """A printed table as a CSV file, one row a printed row and site.

    Parameters
    ----------
    file : str
        The CSV file, in the folder of the claims.
    item : str
        Where a row stands, with names of columns in braces.
    words : dict of dict
        For a column, what its values are called in `item` and in what is claimed.
    program : str
        Name of the program of a row, with names of columns in braces.
    column : list of PrintedColumn
        The columns that are claimed; cells that repeat one already seen count once.
    """

    file: str
    item: str
    words: dict[str, dict[str, str]] = Field(default_factory=dict)
    program: str = ""
    column: list[PrintedColumn]

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
    """A paper and what it claims.

    Parameters
    ----------
    name : str
        The name a user types.
    title : str
        What it is about, in a few words.
    citation : str
        Authors, year, title, journal.
    note : str
        What holds for the whole list.
    claim : list of Claim
        The cells of its tables, then the others in the order of the paper.
    uncovered : list of Uncovered
        Claims that are not in the list, with the reason.
    figure : list of PrintedFigure
        The figures that the reproduction draws.
    scenario : list of PublishedScenario
        The shipped scenarios that solve economies of the paper.
    """

    name: str
    title: str = ""
    citation: str
    note: str = ""
    claim: list[Claim]
    uncovered: list[Uncovered] = Field(default_factory=list)
    figure: list[PrintedFigure] = Field(default_factory=list)
    scenario: list[PublishedScenario] = Field(default_factory=list)


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
