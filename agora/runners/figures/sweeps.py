"""Pictures of a sweep, made from its folder alone: lines, points, heat maps, phase diagrams, panels.

A column is one of the table of scenarios (``commuting_cost``, ``totals.profit``, ``facts.centres``), or
``table.quantity`` of the table of locations (``cells.rent``); ``location`` is the location itself. What is
drawn follows from the columns: a third column ``z`` makes a heat map, or a phase diagram where it has
few values; a quantity over locations makes one line a scenario; over a parameter, one line a location, or
points where the locations differ from scenario to scenario.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from agora.data.checks import InputError, nearest
from agora.data.tables import current_name, now_called
from agora.models.model import unit_in
from agora.runners.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PLACE = "location"
MOST_LINES_NAMED = 8
MOST_PHASES = 8
"""Values up to which a whole-numbered or worded ``z`` is a phase diagram."""
MOST_PANELS = 12


@dataclass(frozen=True)
class SweepTables:
    """The tables in a sweep's folder, read when they are asked for."""

    folder: Path

    def __post_init__(self) -> None:
        if not all((self.folder / name).is_file() for name in ("_manifest.json", "scenarios.parquet")):
            raise InputError("DIR", str(self.folder), "the folder of a sweep, as agora sweep writes it")

    @cached_property
    def units(self) -> dict[str, str]:
        """Column → unit."""
        text = (self.folder / "_manifest.json").read_text(encoding="utf-8")
        return {now_called(name): unit for name, unit in json.loads(text).get("units", {}).items()}

    @cached_property
    def scenarios(self) -> pd.DataFrame:
        """One row a scenario."""
        return pd.read_parquet(self.folder / "scenarios.parquet").rename(columns=now_called)

    @cached_property
    def places(self) -> pd.DataFrame:
        """One row a scenario, location and quantity, with the name ``table.quantity``."""
        long = pd.read_parquet(self.folder / "_locations.parquet")
        long["name"] = (long["table"].astype(str) + "." + long["quantity"].astype(str)).map(now_called)
        return long

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All columns, of scenarios and of locations."""
        return (*self.scenarios.columns, *sorted(self.places["name"].unique()), PLACE)

    def is_scalar(self, option: str, column: str) -> bool:
        """Tell whether a column is one of scenarios, else one of locations; neither raises `InputError`."""
        if column in self.scenarios.columns:
            return True
        if column in self.names:
            return False
        raise InputError(option, column, nearest(column, self.names))

    def label(self, column: str) -> str:
        """Return the words on an axis: the column's name and its unit."""
        name = column.split(".", 1)[-1] if column.split(".", 1)[0] in _SILENT else column
        words = name.replace("_", " ").replace(".", ": ")
        unit = unit_in(self.units, column)
        return f"{words} ({unit})" if unit else words

    def frame(self, columns: dict[str, str]) -> pd.DataFrame:
        """Return role → column as one table, a row a scenario or a scenario and location."""
        scalars = {role: c for role, c in columns.items() if self.is_scalar(f"--{role}", c)}
        frame = pd.DataFrame({"scenario": self.scenarios["scenario"]})
        for role, column in scalars.items():
            frame[role] = self.scenarios[column].to_numpy()
        local = {role: c for role, c in columns.items() if role not in scalars}
        quantities = {role: c for role, c in local.items() if c != PLACE}
        if not local:
            return frame
        tables = sorted({c.split(".", 1)[0] for c in quantities.values()})
        if len(tables) != 1:
            raise InputError("columns", [*local.values()], "of one table of places, such as cells")
        rows = self.places[self.places["table"] == tables[0]]
        wide = rows.drop_duplicates(["scenario", "row"])[["scenario", "row", PLACE]]
        for role, column in quantities.items():
            one = rows[rows["name"] == column][["scenario", "row", "value", "text"]]
            values = one["value"] if one["text"].isna().all() else one["text"]
            wide = wide.merge(one[["scenario", "row"]].assign(**{role: values}), on=["scenario", "row"])
        for role, column in local.items():
            if column == PLACE:
                wide[role] = _numbers(wide[PLACE])
        return frame.merge(wide, on="scenario")


_SILENT = ("totals", "facts", "geography", "solve")


def _numbers(values: pd.Series[Any]) -> pd.Series[Any]:
    numbers = pd.to_numeric(values, errors="coerce")
    return values if numbers.isna().any() else numbers


def draw(
    folder: str | Path,
    x: str,
    y: Sequence[str],
    *,
    z: str | None = None,
    color: str | None = None,
    panels: str | None = None,
) -> Figure:
    """Return the picture of a sweep.

    Parameters
    ----------
    folder : path
        The sweep's folder.
    x : str
        Column on the horizontal axis.
    y : sequence of str
        Columns on vertical axes, one row of panels each; one column where `z` is given.
    z : str, optional
        Column shown by colour over x and y.
    color : str, optional
        Column that tells lines apart.
    panels : str, optional
        Column each of whose values has a panel of its own.

    Raises
    ------
    InputError
        For a folder that is no sweep's, or a column that it does not have.
    """
    tables = SweepTables(Path(folder))
    x, y = current_name(x, tables.names), [current_name(column, tables.names) for column in y]
    z, color, panels = (column and current_name(column, tables.names) for column in (z, color, panels))
    if z is not None and len(y) != 1:
        raise InputError("--y", list(y), "one column where --z is given")
    roles = {"x": x} | ({"z": z} if z else {}) | ({"color": color} if color else {})
    roles |= {"panels": panels} if panels else {}
    frames = [tables.frame({**roles, "y": column}) for column in y]
    values: list[Any] = _distinct(frames[0]["panels"]) if panels else [None]
    if len(values) > MOST_PANELS:
        raise InputError("--panels", panels, f"a column of at most {MOST_PANELS} values")
    columns = min(len(values), 3) if len(y) == 1 else len(values)
    rows = math.ceil(len(values) / columns) if len(y) == 1 else len(y)
    with style.drawing(0.6 + 3.2 * rows) as drawn:
        drawn.set_size_inches(max(style.WIDTH, 3.6 * columns), 0.6 + 3.2 * rows)
        axes = drawn.subplots(rows, columns, squeeze=False, sharex=True, sharey="row")
        for row, (column, frame) in enumerate(zip(y, frames, strict=True)):
            for k, value in enumerate(values):
                at = axes[row, k] if len(y) > 1 else axes[k // columns, k % columns]
                part = frame if value is None else frame[frame["panels"] == value]
                if value is not None and row == 0:
                    at.set_title(f"{tables.label(panels or '').split(' (')[0]} {_word(value)}")
                if z is not None:
                    _map(drawn, at, part, frame, tables.label(z))
                else:
                    _curves(at, part, frame, tables, (x, column, color), named=k == columns - 1)
                if k % columns == 0:
                    at.set_ylabel(_wrapped(tables.label(column)))
        for at in axes.flat[len(values) if len(y) == 1 else len(axes.flat) :]:
            at.set_visible(False)
        if columns > 1:
            drawn.supxlabel(tables.label(x), fontsize=style.TEXT)
        else:
            axes[-1, 0].set_xlabel(tables.label(x))
    return drawn


def _distinct(values: pd.Series[Any]) -> list[Any]:
    return sorted(values.dropna().unique().tolist(), key=lambda v: (isinstance(v, str), v))


def _word(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _wrapped(label: str) -> str:
    return label if len(label) < 26 else label.replace(" (", "\n(")


# --- lines and points -----------------------------------------------------------------------------


def _curves(
    axes: Axes,
    part: pd.DataFrame,
    whole: pd.DataFrame,
    tables: SweepTables,
    columns: tuple[str, str, str | None],
    named: bool,
) -> None:
    """Draw one line a group: a scenario, a value of `color`, or a location over a parameter."""
    x, y, color = columns
    part = part.dropna(subset=["x", "y"])
    counted = pd.api.types.is_numeric_dtype(whole["y"]) and (whole["y"].dropna() % 1 == 0).all()
    over_places = not tables.is_scalar("--x", x)
    local = not tables.is_scalar("--y", y)
    steady = local and whole.groupby("scenario")["row"].agg(tuple).nunique() == 1
    groups: str | None = "color" if color else None
    table = y.split(".", 1)[0]
    title = table if color == PLACE else tables.label(color) if color else ""
    if over_places:
        groups, title = "scenario", title
    elif local and steady and groups is None:
        groups, title = PLACE, table
    key = "color" if color else groups
    shades = _shades(_distinct(whole[key])) if key else {}
    widths = cycle([0.9] if len(shades) > MOST_LINES_NAMED else np.linspace(4.0, 1.4, max(len(shades), 1)))
    as_points = not over_places and (
        (local and not steady) or (groups is None and part["x"].duplicated().any())
    )
    if as_points:
        colours = [shades.get(v, style.INK) for v in part[key]] if key else style.INK
        axes.scatter(part["x"], part["y"], s=7, c=colours, linewidths=0)
    else:
        for value, line in part.groupby(groups, sort=True) if groups else [(None, part)]:
            line = line.sort_values("x", kind="stable")
            shade = shades.get(line["color"].iloc[0] if color else value, style.INK)
            steps = "steps-mid" if counted and not local else "default"
            axes.plot(line["x"], line["y"], color=shade, linewidth=next(widths), drawstyle=steps)
    if counted:
        from matplotlib.ticker import MaxNLocator

        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    if key and named and len(shades) > 1:
        shown = list(shades)
        if len(shown) > MOST_LINES_NAMED:
            ticks = np.linspace(0, len(shown) - 1, 5).round().astype(int)
            shown = [shown[k] for k in ticks]
        entries = [style.line(_word(value), color=shades[value]) for value in shown]
        axes.legend(
            handles=entries, title=(title or key).split(" (")[0], fontsize=style.SMALL - 1, loc="best"
        )


def _shades(values: list[Any]) -> dict[Any, Any]:
    """Return value → colour: a named one each, or from pale to dark where there are many numbers."""
    if len(values) <= len(style.CATEGORIES):
        return dict(zip(values, style.CATEGORIES, strict=False))
    shades = style.light_to_dark()(np.linspace(0.25, 1.0, len(values)))
    return dict(zip(values, map(tuple, shades), strict=True))


# --- maps -----------------------------------------------------------------------------------------


def _map(drawn: Figure, axes: Axes, part: pd.DataFrame, whole: pd.DataFrame, label: str) -> None:
    """Draw z over x and y: as phases with a legend where it has few values, else with a colour bar."""
    kinds = _distinct(whole["z"])
    numbers = pd.to_numeric(whole["z"], errors="coerce")
    whole_numbers = not numbers.isna().any() and (numbers == numbers.round()).all()
    words = numbers.isna().any()
    if words and len(kinds) > MOST_PHASES:
        raise InputError("--z", f"{len(kinds)} different words", f"numbers, or at most {MOST_PHASES} words")
    across, up = _distinct(part["x"]), _distinct(part["y"])
    table = part.drop_duplicates(["x", "y"]).pivot(index="y", columns="x", values="z").reindex(up)[across]
    if words or (whole_numbers and len(kinds) <= MOST_PHASES):
        index = {kind: k for k, kind in enumerate(kinds)}
        cells = table.map(lambda v: index.get(v, np.nan)).to_numpy(dtype=float)
        style.draw_kinds(axes, (across, up), cells, style.CATEGORIES[: len(kinds)])
        entries = [style.patch(style.CATEGORIES[k], _word(kind)) for k, kind in enumerate(kinds)]
        style.add_legend(axes, entries, title=label, above=True)
        return
    low, high = float(numbers.min()), float(numbers.max())
    shown = axes.pcolormesh(
        across, up, table.to_numpy(dtype=float), cmap=style.light_to_dark(), vmin=low, vmax=high,
        shading="nearest",
    )  # fmt: skip
    drawn.colorbar(shown, ax=axes, label=label)
