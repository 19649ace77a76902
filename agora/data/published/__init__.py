"""What the papers print: one file of claims a paper, facts only, and one reader.

A claim says where it stands, what it is about, what is printed there, and which computation of
`agora.runners.reproductions` checks it with which arguments. The verdict is never stored.
"""

from __future__ import annotations

import tomllib
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


class Uncovered(Fields):
    """What a paper claims and nothing here checks, and why."""

    item: str
    reason: str


class Paper(Fields):
    """A paper and what it claims.

    Parameters
    ----------
    name : str
        The name a user types.
    citation : str
        Authors, year, title, journal.
    note : str
        What holds for the whole list.
    claim : list of Claim
        In the order of the paper.
    uncovered : list of Uncovered
        Claims that are not in the list, with the reason.
    """

    name: str
    citation: str
    note: str = ""
    claim: list[Claim]
    uncovered: list[Uncovered] = Field(default_factory=list)


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
    found = _claim_files()
    if paper not in found:
        raise InputError("paper", paper, nearest(paper, sorted(found)))
    content = tomllib.loads(found[paper].read_text(encoding="utf-8"))
    return Paper.model_validate({"name": paper, **content})


def read_claims(paper: str) -> list[Claim]:
    """Return what a paper claims, in its order; an unknown paper raises `InputError`."""
    return read_paper(paper).claim


def _claim_files() -> dict[str, Path]:
    folder = Path(str(files("agora.data"))) / "published"
    return {path.stem: path for path in folder.glob("*.toml")}
