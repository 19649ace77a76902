"""What a reproduction found, as the pages and tables show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from agora.papers.claims import Claim, Paper
from agora.papers.computations import Beyond, Finding

VERDICTS = {
    "reproduced": "the printed number or statement holds",
    "corrected": "another number or text is true",
    "refuted": "the printed statement is false",
    "not computable": "nothing here can decide it",
    "failed": "the computation broke",
    "not run": "left out of a quick run",
}
"""What each verdict means, in the order in which they are counted."""
NOT_AS_PRINTED = ("corrected", "refuted")
"""The verdicts of what a reader of the paper should not rely on."""


def counted(verdicts: Iterable[str]) -> dict[str, int]:
    """Return how often each verdict occurs, those that do occur in the order of `VERDICTS`."""
    counts = Counter(verdicts)
    return {verdict: counts[verdict] for verdict in VERDICTS if counts[verdict]}


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim."""

    paper: str  # name of the paper
    claim: Claim  # what is printed
    finding: Finding | None = None  # what was computed; None if the computation broke or was left out
    verdict: str = "not run"  # one of `VERDICTS`
    trouble: str = ""  # what broke
    seconds: float | None = None  # time of the computation; None if it was left out

    @property
    def printed(self) -> float | str:
        """What is printed, and the value of a printed formula."""
        if self.finding is None or self.finding.printed is None:
            return self.claim.printed
        return f"{self.claim.printed}, which is {self.finding.printed:.12g}"

    @property
    def computed(self) -> float | str | bool | None:
        """What came out."""
        return None if self.finding is None else self.finding.computed

    @property
    def certificate(self) -> str:
        """Why what came out can be trusted."""
        return "" if self.finding is None else self.finding.certificate

    @property
    def why(self) -> str:
        """The notes on the claim and on what was found, in sentences."""
        notes = [self.trouble, self.claim.note, "" if self.finding is None else self.finding.note]
        return " ".join(_sentence(note) for note in notes if note)

    def row(self) -> dict[str, Any]:
        """Return the row of ``verdicts.csv``."""
        checked = _sentence(f"Checked by: {self.certificate}") if self.certificate else ""
        return {
            "paper": self.paper,
            "item": self.claim.item,
            "quantity": self.claim.quantity,
            "printed": self.printed,
            "computed": self.computed,
            "unit": self.claim.unit,
            "tolerance": self.claim.tolerance,
            "verdict": self.verdict,
            "note": " ".join(part for part in (self.why, checked) if part),
        }


@dataclass(frozen=True)
class Reproduction:
    """A paper and what was found out about it."""

    paper: Paper
    verdicts: tuple[Verdict, ...]
    beyond: Beyond


def _sentence(text: str) -> str:
    first = text.split(maxsplit=1)[0]
    if len(first) > 1 and first.isalpha():  # a word, not a symbol
        text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
