"""The solution: tables, certificate, and how the answer was reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from agora.data.checks import InputError, nearest
from agora.data.tables import current_name
from agora.models.certificate import Certificate, Proof
from agora.models.model import Model

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Solution:
    """An answer: tables, certificate, and how it was reached. Nothing in it changes.

    Attributes
    ----------
    model : Model
        What was solved.
    status : str
        What the answer is, such as ``global maximiser``, ``local maximiser``, ``equilibrium``.
    objective : float
        The value of the model's objective.
    tables : dict of DataFrame
        The answer in economic words.
    certificate : Certificate
        How good it is.
    proof : Proof
        Whether it is global, and why.
    manifest : dict
        Versions, solver, linear solver, options, parameters, hash.
    seconds : dict
        Time spent building, solving, checking.
    pictures : dict
        Name → function that draws a matplotlib figure.
    """

    model: Model
    status: str
    objective: float
    tables: dict[str, pd.DataFrame]
    certificate: Certificate
    proof: Proof
    manifest: dict[str, Any]
    seconds: dict[str, float]
    pictures: Mapping[str, Callable[[], Figure]] = field(default_factory=dict, repr=False)

    @property
    def is_global(self) -> bool:
        """Whether the answer is proved to be global."""
        return self.proof.is_global

    def __getitem__(self, name: str) -> Any:
        """Return a table by its name, or a column of one as ``table.column``.

        Raises `InputError` if there is no such table or column.
        """
        if name in self.tables:
            return self.tables[name]
        columns = [f"{table}.{column}" for table, frame in self.tables.items() for column in frame.columns]
        asked = current_name(name, columns)
        if asked not in columns:
            raise InputError("solution[...]", name, nearest(name, [*self.tables, *columns]))
        table, column = asked.split(".", 1)
        return self.tables[table][column]

    def record(self) -> dict[str, Any]:
        """Return the solution as plain data, as ``agora solve --json`` prints it."""
        return {
            "model": self.model.card.name,
            "status": self.status,
            "objective": self.objective,
            "global": self.is_global,
            "certificate": self.certificate.record(),
            "tables": {name: table.to_dict(orient="records") for name, table in self.tables.items()},
            "seconds": self.seconds,
            "manifest": self.manifest,
        }

    def _repr_html_(self) -> str:
        """Show picture, first table and certificate in a notebook."""
        import base64
        import io

        parts = [f"<p><b>{self.model.card.name}</b>: {self.status}, objective {self.objective:.9g}</p>"]
        for draw in self.pictures.values():
            buffer = io.BytesIO()
            draw().savefig(buffer, format="png", dpi=110)
            picture = base64.b64encode(buffer.getvalue()).decode()
            parts.append(f'<img alt="{self.model.card.name}" src="data:image/png;base64,{picture}">')
            break
        first = next(iter(self.tables.values()))
        parts.append(first.head(30).to_html(index=False, float_format="{:.6g}".format))
        parts.append(self.certificate.table().to_html(index=False, float_format="{:.3g}".format))
        return "\n".join(parts)
