"""Numbers that vary over locations, by name: ``{ kind = "sine", amplitude = 0.5 }`` and the like."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, Literal

import numpy as np
from pydantic import Field, JsonValue

from agora.data.fields import Count, Finite, Kind, Positive
from agora.typing import Vector

_AMPLITUDE: dict[str, JsonValue] = {
    "allowed": "between -1 and 1, both excluded, so that everything stays positive"
}


class Profile(Kind):
    """Numbers over locations, a function of where they are."""

    @abstractmethod
    def over(self, x: Vector) -> Vector:
        """Return the numbers at positions or angles `x`, of their shape."""


class Uniform(Profile):
    """1 everywhere."""

    kind: Literal["uniform"] = "uniform"

    def over(self, x: Vector) -> Vector:  # noqa: D102
        return np.ones_like(x)


class Sine(Profile):
    """1 + amplitude sin(2π mode x)."""

    kind: Literal["sine"] = "sine"
    amplitude: float = Field(gt=-1, lt=1, json_schema_extra=_AMPLITUDE)
    mode: Count = 1

    def over(self, x: Vector) -> Vector:  # noqa: D102
        return 1 + self.amplitude * np.sin(2 * math.pi * self.mode * x)


class Cosine(Profile):
    """1 + amplitude cos(mode · x), x an angle."""

    kind: Literal["cosine"] = "cosine"
    amplitude: float = Field(gt=-1, lt=1, json_schema_extra=_AMPLITUDE)
    mode: Count = 1

    def over(self, x: Vector) -> Vector:  # noqa: D102
        return 1 + self.amplitude * np.cos(self.mode * x)


class Bump(Profile):
    """floor + exp(−((x − at)/width)²/2)."""

    kind: Literal["bump"] = "bump"
    at: Finite = 0.0
    width: Positive = 1.0
    floor: float = Field(default=0.0, ge=0, json_schema_extra={"allowed": "a number >= 0"})

    def over(self, x: Vector) -> Vector:  # noqa: D102
        return self.floor + np.exp(-0.5 * ((x - self.at) / self.width) ** 2)


class Listed(Kind):
    """Numbers one by one."""

    kind: Literal["list"] = "list"
    values: Any
