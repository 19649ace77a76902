r"""Forward-looking workers on a racetrack or a torus (Bahlali, Boucekkine & Petit 2026).

Equal cells round a circle of radius R, or round two such circles, goods shipped along them. The schemes are
moving technologies of `agora.formulations.migration.mean_field`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, field_validator, model_validator

from agora.data.checks import InputError, finite, positive, whole
from agora.data.fields import POSITIVE, kinds, read_kind
from agora.data.profiles import Cosine, Listed, Profile, Uniform
from agora.formulations.migration import kernels
from agora.formulations.migration.mean_field import Arcs, Technology, central, exponential, upwind
from agora.formulations.migration.racetrack import LinearGame, squared_wavenumber, wave_eigenvalue
from agora.models.migration.conditions.game import Space
from agora.models.migration.game import MeanFieldGame
from agora.models.model import ModelCard
from agora.typing import Vector

PROFILES: dict[str, type[Uniform | Cosine | Listed]] = kinds(Uniform, Cosine, Listed)
"""The kinds of quantities over the cells; on a torus the angle of a cosine is that on the first circle."""
Over = float | tuple[float, ...] | Profile
"""A quantity over the cells: one number, a list, or a named profile."""


class SpatialGame(MeanFieldGame):
    """A mean-field game of workers on a racetrack or a torus; further parameters in `MeanFieldGame`.

    Parameters
    ----------
    radius : float
        R > 0, of each circle; length.
    cells : int or (int, int)
        N ≥ 3 cells of the racetrack; rows and columns of a torus.
    initial : table or list
        μ⁰, workers per base weight (mean 1): ``{kind = "cosine", amplitude, mode}``, ``{kind = "uniform"}``,
        ``{kind = "list", values = […]}`` or a list.
    productivity, amenity : float, list or table
        Ā (T for Eaton–Kortum) and B̄ > 0; 1 unless given.
    scheme : str
        ``upwind`` (monotone, first order), ``central`` or ``exponential`` (both second order).

    Raises
    ------
    InputError
        One sentence that names the field, its value, and what is allowed.
    """

    card: ClassVar[ModelCard] = ModelCard(
        name="spatial-game",
        question="Where do workers who foresee the economy move, and does it agglomerate?",
        program="square: Hamilton–Jacobi–Bellman backward, Fokker–Planck forward, wages at every instant",
        citation="Bahlali, M., R. Boucekkine and Q. Petit (2026), When Lasry–Lions meet Krugman: a "
        "mean-field game theory of spatial dynamics (slides)",
        assumptions=("identical workers", "quadratic cost of moving", "iceberg trade costs e^{τd}"),
        left_out=("capital", "common shocks", "jumps of workers"),
    )

    radius: float = Field(default=1.0, gt=0, json_schema_extra=POSITIVE)
    cells: int | tuple[int, int]
    initial: tuple[float, ...] | Profile = Uniform()
    productivity: Over = 1.0
    amenity: Over = 1.0
    scheme: Literal["upwind", "central", "exponential"] = "upwind"

    @field_validator("cells", mode="before")
    @classmethod
    def _grid(cls, given: Any) -> Any:
        if isinstance(given, list | tuple):
            if len(given) != 2:
                raise InputError("cells", given, "a whole number >= 3, or [rows, columns] of a torus")
            return tuple(whole("cells", each, at_least=3) for each in given)
        return whole("cells", given, at_least=3)

    @field_validator("initial", "productivity", "amenity", mode="before")
    @classmethod
    def _listed(cls, given: Any, info: Any) -> Any:
        name = str(info.field_name)
        if isinstance(given, Mapping):
            given = read_kind(name, given, PROFILES)
        if isinstance(given, Profile):
            return given
        if isinstance(given, Listed):
            given = given.values
        if isinstance(given, list | tuple | np.ndarray):
            return tuple(positive(f"{name}[{k}]", each) for k, each in enumerate(np.ravel(given).tolist()))
        if name == "initial":
            raise InputError(name, given, "a list of densities, or a table with kind uniform, cosine or list")
        return positive(name, finite(name, given))

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for name in ("initial", "productivity", "amenity"):
            given = getattr(self, name)
            if isinstance(given, tuple) and len(given) != self.number:
                raise InputError(name, f"{len(given)} numbers", f"{self.number} numbers, one a cell")
        mean = float(self.initial_density.mean())
        if abs(mean - 1.0) > 1e-9:
            allowed = "1: densities are relative to the base weights"
            raise InputError("initial (mean)", round(mean, 12), allowed)
        return self

    # --- the space -----------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """(N,) of a racetrack, (rows, columns) of a torus."""
        return (self.cells,) if isinstance(self.cells, int) else self.cells

    @property
    def number(self) -> int:
        """Number of cells, N."""
        return int(np.prod(self.shape))

    @cached_property
    def angles(self) -> tuple[Vector, ...]:
        """x/R of every cell along each circle, (N,) each."""
        each = [2 * np.pi * np.arange(count) / count for count in self.shape]
        return tuple(axis.ravel() for axis in np.meshgrid(*each, indexing="ij"))

    @property
    def rates(self) -> Literal["upwind", "central", "exponential"]:
        """The scheme."""
        return self.scheme

    @property
    def technology(self) -> Technology:
        """The scheme's algebra."""
        if self.scheme == "upwind":
            return upwind(self.smoothing)
        return central() if self.scheme == "central" else exponential()

    @cached_property
    def arcs(self) -> Arcs:
        """Moves to the next cells."""
        positions = np.arange(self.number).reshape(self.shape)
        tails, heads, lengths = [], [], []
        for axis, count in enumerate(self.shape):
            for way in (1, -1):
                tails.append(positions.ravel())
                heads.append(np.roll(positions, -way, axis=axis).ravel())
                lengths.append(np.full(self.number, 2 * np.pi * self.radius / count))
        squared = np.concatenate(lengths) ** 2
        return Arcs(
            weights=np.full(self.number, 1.0 / self.number),
            tails=np.concatenate(tails),
            heads=np.concatenate(heads),
            noise=self.noise / squared,
            ease=1.0 / (self.moving_cost * squared),
        )

    @cached_property
    def trade_kernel(self) -> kernels.Kernel:
        """Three-point recurrences round each circle; low rank where trade costs are next to nothing.

        Costs of which only a share is charged have no recurrence: their kernel is truncated to 1e-10.
        """
        if self.trade_cost_share < 1:
            return kernels.sparse_kernel(self.freeness(self.space.distances), self.space.weights)
        decay = self.trade_elasticity * self.trade_cost_rate
        around = 2 * np.pi * self.radius
        if isinstance(self.cells, int):
            return kernels.ring_kernel(self.cells, decay, around)
        torus = kernels.TorusKernel(*(kernels.RingKernel(count, decay, around) for count in self.cells))
        smooth = min(torus.down.step, torus.across.step) < kernels.SMALLEST_STEP
        return kernels.low_rank_kernel(torus.dense(), torus.weights, 1e-14) if smooth else torus

    @cached_property
    def space(self) -> Space:
        """Distances and moves as dense matrices."""
        distances, openness = np.zeros((2, self.number, self.number))
        turns = [np.abs(axis[:, None] - axis) for axis in self.angles]
        apart = [np.minimum(turn, 2 * np.pi - turn) for turn in turns]
        for gap, count in zip(apart, self.shape, strict=True):
            step = 2 * np.pi / count
            others = sum(other for other in apart if other is not gap) if len(apart) > 1 else 0.0
            beside = np.isclose(gap, step) & np.isclose(others, 0.0)
            distances += self.radius * gap
            openness += beside / (self.radius * step) ** 2
        return Space(distances, openness, np.full(self.number, 1.0 / self.number))

    def _over(self, given: Over) -> Vector:
        if isinstance(given, Profile):
            return given.over(self.angles[0])
        return np.broadcast_to(np.asarray(given, dtype=float), (self.number,)).copy()

    @cached_property
    def directions(self) -> list[Vector]:
        """Slopes of the initial density along each circle, where all cells are alike and it is not even."""
        if not self._alike:
            return []
        table = self.initial_density.reshape(self.shape)
        slopes = [np.roll(table, -1, axis) - np.roll(table, 1, axis) for axis in range(len(self.shape))]
        return [slope.ravel() / np.abs(slope).max() for slope in slopes if np.abs(slope).max() > 1e-9]

    @property
    def levels(self) -> tuple[Vector, Vector]:
        """Productivity Ā (T for Eaton–Kortum) and amenity B̄ of the cells, (N,) each."""
        return self._over(self.productivity), self._over(self.amenity)

    @cached_property
    def initial_density(self) -> Vector:
        """μ⁰, (N,)."""
        return self._over(self.initial)

    @property
    def places(self) -> pd.DataFrame:
        """Position x along the first circle, and y along the second."""
        return pd.DataFrame(dict(zip("xy", (self.radius * axis for axis in self.angles), strict=False)))

    # --- what the linear theory says -----------------------------------------------------------

    def wave(self, mode: int) -> LinearGame:
        """Return a small wave round the racetrack in closed form, exact in space for an even economy.

        The horizon is T, or infinity; the amplitude is that of the initial density's wave of this mode.
        """
        decay, cells = self.trade_elasticity * self.trade_cost_rate, self.shape[0]
        here = 2 * np.mean(self.initial_density * np.cos(mode * self.angles[0]))
        return LinearGame(
            eigenvalue=wave_eigenvalue(self.economy, decay, self.radius, mode, cells),
            squared_wavenumber=squared_wavenumber(mode, self.radius, cells),
            noise=self.noise,
            discount=self.discount,
            moving_cost=self.moving_cost,
            horizon=self.horizon if isinstance(self.horizon, float) else np.inf,
            amplitude=float(here),
        )

    @property
    def is_even(self) -> bool:
        """Whether all cells are alike but for the density, so that waves are in closed form."""
        return self._alike and self.trade_cost_rate > 0 and self.trade_cost_share == 1

    @property
    def _alike(self) -> bool:
        """Whether all cells are alike but for the density."""
        return all(np.ptp(level) == 0.0 for level in self.levels)

    @cached_property
    def critical_horizon(self) -> tuple[float, int]:
        """T*, the shortest horizon at which a wave of an even racetrack has no linear path, and its mode.

        Infinity (and mode 1) where every wave has one, and off the even racetrack.
        """
        if not self.is_even or len(self.shape) > 1:
            return float("inf"), 1
        modes = range(1, self.number // 2 + 1)
        return min((self.wave(mode).critical_horizon, mode) for mode in modes)

    def cautions(self) -> list[str]:
        """Return a sentence if the horizon is beyond T*, or the grid seems too coarse for the scheme."""
        sentences = []
        critical, mode = self.critical_horizon
        if isinstance(self.horizon, float) and self.horizon > critical:
            sentences.append(
                f"horizon is {self.horizon:g}, beyond T* = {critical:.6g}, where the linearised game has no "
                f"path for waves of mode {mode} (mode 1: T* = {self.wave(1).critical_horizon:.6g}); expect "
                "several equilibria."
            )
        if self.scheme == "central":
            limit = 2 * self.noise * self.moving_cost
            span = self.horizon if isinstance(self.horizon, float) else np.inf
            gains = self.initial_real_wage[self.arcs.heads] - self.initial_real_wage[self.arcs.tails]
            gain = float(np.abs(gains).max()) / self.discount * -float(np.expm1(-self.discount * span))
            if gain > limit:
                cells = int(np.ceil(max(self.shape) * gain / limit))
                sentences.append(
                    f"cells is {self.cells}, but the central scheme may move workers at negative rates: "
                    f"gains between cells may reach {gain:.3g}, above 2νc0 = {limit:.3g}; about {cells} "
                    "cells would do, or the scheme upwind or exponential."
                )
        return sentences
