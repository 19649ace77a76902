"""Phase diagrams: a discrete feature over two parameters, refined where it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from agora.data.checks import InputError, whole
from agora.methods.method import Progress, silent
from agora.models.model import Model
from agora.runners.studies.expressions import read_expression
from agora.runners.studies.parameters import Parameter, parameter
from agora.runners.studies.threshold import Feature, Features, interval

COARSE, DEPTH = 8, 3
"""Cells along a side to begin with, and how often a cell on a boundary is quartered."""

Cell = tuple[int, int, int]
"""Left, lower and size, on the finest lattice."""


@dataclass(frozen=True)
class PhaseDiagram:
    """A feature over a rectangle of two parameters.

    Attributes
    ----------
    points : DataFrame
        One row a solve: both parameters and the feature.
    cells : DataFrame
        A partition of the rectangle: low and high of both parameters, the feature at the corners
        (several, joined by " | ", in a cell that a boundary crosses), boundary (true there).
    where : str
        The feature.
    parameters : (str, str)
        Horizontal, vertical.
    resolution : (float, float)
        Size of the smallest cells: the boundary is known up to it.
    full_grid : int
        Solves that a grid of that resolution takes.
    """

    points: pd.DataFrame
    cells: pd.DataFrame
    where: str
    parameters: tuple[str, str]
    resolution: tuple[float, float]
    full_grid: int

    def record(self) -> dict[str, Any]:
        """Return plain data, as ``agora threshold --json`` prints it."""
        return {
            "parameters": list(self.parameters),
            "where": self.where,
            "resolution": list(self.resolution),
            "solves": len(self.points),
            "full_grid": self.full_grid,
            "cells": self.cells.to_dict(orient="records"),
            "points": self.points.to_dict(orient="records"),
        }


def phase_diagram(  # noqa: PLR0913 (options that users type by name)
    model: Model,
    paths: tuple[str, str],
    where: str,
    *,
    between: tuple[tuple[float, float] | None, tuple[float, float] | None] = (None, None),
    coarse: int = COARSE,
    depth: int = DEPTH,
    options: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> PhaseDiagram:
    """Draw the regions of a discrete feature over two parameters.

    The corners of a coarse grid are solved; a cell whose corners, or the points that its neighbours have
    solved on its sides, differ is quartered, `depth` times. A region smaller than a coarse cell that
    touches none of its corners is not seen.

    Parameters
    ----------
    model : Model
        Any model.
    paths : (str, str)
        Parameters: horizontal, vertical.
    where : str
        The feature, see `agora.runners.studies.expressions`.
    between : pair of (float, float), optional
        Their intervals; from half to twice the present value unless given.
    coarse, depth : int
        Cells along a side to begin with; refinements.
    options : dict, optional
        How to solve.

    Raises
    ------
    InputError
        For bad input.
    """
    expression = read_expression(where)
    first, second = (parameter(model, path) for path in paths)
    if first.name == second.name:
        raise InputError("--parameter", second.name, "two parameters that differ")
    spans = (interval(first, between[0]), interval(second, between[1]))
    number, levels = whole("--grid", coarse, 1), whole("--depth", depth, 0)
    if number * 2**levels > 4096:
        raise InputError("--grid", number, f"at most {4096 // 2**levels} with a depth of {levels}")
    features = Features(expression, dict(options or {}), progress)
    lattice = _Lattice(model, first, second, spans, number * 2**levels, features)
    cells = lattice.refined(2**levels)
    resolution = [(high - low) / lattice.finest for low, high in spans]
    points = [
        {first.name: v[0], second.name: v[1], "feature": f} for v, f in sorted(lattice.features.known.items())
    ]
    return PhaseDiagram(
        points=pd.DataFrame(points),
        cells=pd.DataFrame([lattice.row(cell) for cell in sorted(cells)]),
        where=where,
        parameters=(first.name, second.name),
        resolution=(resolution[0], resolution[1]),
        full_grid=(lattice.finest + 1) ** 2,
    )


@dataclass
class _Lattice:
    """The finest grid, of which few points are solved."""

    model: Model
    first: Parameter
    second: Parameter
    spans: tuple[tuple[float, float], tuple[float, float]]
    finest: int
    features: Features

    def value(self, axis: int, k: int) -> float:
        low, high = self.spans[axis]
        return high if k == self.finest else low + (high - low) * k / self.finest

    def at(self, i: int, j: int) -> Feature:
        values = (self.value(0, i), self.value(1, j))
        return self.features.at(values, partial(self.build, *values))

    def build(self, first: float, second: float) -> Model:
        return parameter(self.first.at(first), self.second.name).at(second)

    def seen(self, cell: Cell) -> set[Feature]:
        """Return the features at the corners of a cell and at the points already solved on its sides."""
        i, j, size = cell
        result = {self.at(i + a, j + b) for a in (0, size) for b in (0, size)}
        for k in range(size + 1):
            for point in ((i + k, j), (i + k, j + size), (i, j + k), (i + size, j + k)):
                values = (self.value(0, point[0]), self.value(1, point[1]))
                if values in self.features.known:
                    result.add(self.features.known[values])
        return result

    def refined(self, size: int) -> set[Cell]:
        """Return the cells, quartered wherever the feature changes until none is left to be."""
        steps = range(0, self.finest, size)
        cells: set[Cell] = {(i, j, size) for i in steps for j in steps}
        for cell in sorted(cells):
            self.seen(cell)
        while True:
            crossed = [c for c in sorted(cells) if c[2] > 1 and len(self.seen(c)) > 1]
            if not crossed:
                return cells
            for i, j, old in crossed:
                half = old // 2
                cells.remove((i, j, old))
                quarters = [(i + a, j + b, half) for a in (0, half) for b in (0, half)]
                cells.update(quarters)
                for quarter in quarters:
                    self.seen(quarter)

    def row(self, cell: Cell) -> dict[str, Any]:
        i, j, size = cell
        seen = sorted(_written(feature) for feature in self.seen(cell))
        return {
            f"{self.first.name}_low": self.value(0, i),
            f"{self.first.name}_high": self.value(0, i + size),
            f"{self.second.name}_low": self.value(1, j),
            f"{self.second.name}_high": self.value(1, j + size),
            "feature": " | ".join(seen),
            "boundary": len(seen) > 1,
        }


def _written(feature: Feature) -> str:
    if isinstance(feature, bool):
        return "true" if feature else "false"
    return feature if isinstance(feature, str) else f"{feature:.9g}"
