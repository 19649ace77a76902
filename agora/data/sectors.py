"""Panels of sectors: a table (sector, year, firms, profit_rate, productivity), a user's own or a shipped one.

The shipped ``synthetic-sectors`` is synthetic: made by `agora.runners.studies.synthetic_panel` from a seeded
model economy, in order to show the tool. It says nothing about any real economy.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from agora.data.checks import MISSING, InputError
from agora.data.scenarios import find_file, shipped
from agora.data.tables import read_table

COLUMNS = ("sector", "year", "firms", "profit_rate", "productivity")
"""Columns of a panel; firms are > 0, profit rates per firm or unit of capital, productivity per worker."""


def shipped_panels() -> dict[str, Path]:
    """Return the panels that come with Agora: name → file."""
    return shipped("panels", ".csv")


def read_panel(name_or_file: str | Path) -> pd.DataFrame:
    """Return a checked panel from a CSV, Parquet or XLSX file, or a shipped one by its name.

    Raises `InputError` if there is no such file, or `check_panel` refuses its table.
    """
    table = read_table(find_file("panel", name_or_file, shipped_panels()), "panel")
    return check_panel(table.frame(), table.position)


def check_panel(
    table: pd.DataFrame, position: Callable[[int], str] = lambda row: f"row {row + 1}"
) -> pd.DataFrame:
    """Return the panel's columns, sorted by sector and year; the table handed in stays as it is.

    Parameters
    ----------
    table : DataFrame
        The panel.
    position : callable
        Position of a row → how a complaint calls it.

    Raises
    ------
    InputError
        A column that is missing, a value that is no finite number (or not > 0 where it must be), a sector
        twice in a year, a sector without all years, fewer than 3 sectors or 3 years.
    """
    for column in COLUMNS:
        if column not in table:
            known = ", ".join(map(str, table))
            raise InputError(f"column {column}", MISSING, f"in the panel, which has {known}")
    panel = table[list(COLUMNS)].copy()
    panel["sector"] = panel["sector"].astype(str)
    for column in COLUMNS[1:]:
        numbers = pd.to_numeric(panel[column], errors="coerce").to_numpy(dtype=float)
        positive = column in ("firms", "productivity")
        bad = ~np.isfinite(numbers) | (positive & ~(numbers > 0))
        if column == "year":
            bad |= numbers != np.round(numbers)
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            allowed = "a whole number" if column == "year" else "a finite number" + " > 0" * positive
            raise InputError(f"{column} in {position(row)}", table[column].tolist()[row], allowed)
        panel[column] = numbers.astype(int) if column == "year" else numbers
    twice = panel.duplicated(["sector", "year"])
    if twice.any():
        again = panel[twice].iloc[0]
        given = f"sector {again['sector']} in {again['year']} twice"
        raise InputError("panel", given, "one row a sector and year")
    sectors, years = panel["sector"].nunique(), panel["year"].nunique()
    if sectors < 3 or years < 3:
        raise InputError("panel", f"{sectors} sectors, {years} years", "3 sectors or more in 3 years or more")
    if len(panel) != sectors * years:
        counts = panel.groupby("sector")["year"].count()
        sector = str(counts.idxmin())
        raise InputError("panel", f"{counts.min()} years for sector {sector}", f"balanced: all {years} years")
    return panel.sort_values(["sector", "year"], ignore_index=True)
