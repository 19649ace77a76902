"""What firms gain from other firms: the kinds of technological externality, as parameters.

An externality gives the production level A(m) of every cell from the distribution of firms m
(Osawa & Akamatsu 2019, section 3.1). How each kind is written as algebra is in
`agora.formulations.city.spillovers`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from agora.data.checks import InputError, finite
from agora.data.fields import POSITIVE, Kind, kinds
from agora.data.geographies import CellNetwork


class Externality(Kind):
    """What firms gain from the firms around them, and the facts on which proofs about it rest.

    An externality of a user's own is a subclass with its parameters as fields; without these facts it is
    refused. Its algebra and its numbers are registered beside those of the other kinds, with
    `add_production`, `interaction` and `production_level`.
    """

    @property
    @abstractmethod
    def degree(self) -> float | None:
        """The degree k of homogeneity, A(s m) = s^k A(m) for all s > 0, or None if no k is known."""

    @property
    @abstractmethod
    def is_linear(self) -> bool:
        """Whether A(m) is known to be linear in m, so that its Jacobian is the same everywhere."""

    @abstractmethod
    def is_symmetric(self, network: CellNetwork) -> bool | None:
        """Whether the Jacobian of A is symmetric on a network, or None if that is not known."""


class LinearExternality(Externality):
    """An externality that is linear in the distribution of firms, whatever its parameters."""

    @property
    def degree(self) -> float:  # noqa: D102
        return 1.0

    @property
    def is_linear(self) -> bool:  # noqa: D102
        return True


class ExponentialDecay(LinearExternality):
    r"""Spillovers that fade exponentially with distance.

    .. math:: A_i(m) = \sum_j e^{-\tau \ell_{ij}} m_j

    Osawa & Akamatsu (2019), Assumption 2; `decay` is τ, per unit of length.
    """

    kind: Literal["exponential"] = "exponential"
    decay: float = Field(gt=0, json_schema_extra=POSITIVE)

    def is_symmetric(self, network: CellNetwork) -> bool | None:  # noqa: D102
        return network.two_way or None  # as far one way as the other


class WithinCellPower(Externality):
    r"""Spillovers within each cell only.

    .. math:: A_i(m) = m_i^{\alpha}

    Osawa & Akamatsu (2019), Example 1; `exponent` is α, dimensionless.
    """

    kind: Literal["power"] = "power"
    exponent: float = Field(gt=0, json_schema_extra=POSITIVE)

    @property
    def degree(self) -> float:  # noqa: D102
        return self.exponent

    @property
    def is_linear(self) -> bool:  # noqa: D102
        return self.exponent == 1

    def is_symmetric(self, network: CellNetwork) -> bool | None:  # noqa: D102
        return True


class InteractionMatrix(LinearExternality):
    r"""Any linear externality.

    .. math:: A_i(m) = \sum_j d_{ij} m_j

    `values` is D, one row a cell, rows and columns in the sorted order of the cells; entries >= 0.
    A potential exists only if D is symmetric.
    """

    kind: Literal["matrix"] = "matrix"
    values: tuple[tuple[float, ...], ...]

    @field_validator("values", mode="before")
    @classmethod
    def _square_and_nonnegative(cls, values: Any) -> tuple[tuple[float, ...], ...]:
        rows = [list(row) for row in values]
        for i, row in enumerate(rows):
            if len(row) != len(rows):
                allowed = f"a row of {len(rows)} entries"
                raise InputError(f"values[{i}]", f"a row of {len(row)} entries", allowed)
            for j, entry in enumerate(row):
                if finite(f"values[{i}][{j}]", entry) < 0:
                    raise InputError(f"values[{i}][{j}]", entry, "a finite number >= 0")
        return tuple(tuple(float(entry) for entry in row) for row in rows)

    def is_symmetric(self, network: CellNetwork) -> bool | None:  # noqa: D102
        given = np.array(self.values)
        return bool(np.abs(given - given.T).max(initial=0.0) <= 1e-9 * given.max(initial=0.0))


class ProductionFunction(Externality):
    """Any smooth externality written in Python, for models built in Python (not in scenario files).

    Parameters
    ----------
    function : callable
        Takes the sequence of firm masses (I,), in the sorted order of the cells, and returns the I
        production levels. It is called with numbers and with Pyomo expressions, so it is written
        with arithmetic and with Pyomo's ``exp``, ``log`` and so on.
    potential : callable, optional
        Takes the same sequence and returns f(m) with gradient A(m). Without it f is the line
        integral (3.11) by Gauss–Legendre quadrature with 16 nodes, exact for polynomials of
        degree below 32.
    """

    kind: Literal["function"] = "function"
    function: Callable[[Sequence[Any]], Sequence[Any]]
    potential: Callable[[Sequence[Any]], Any] | None = None

    @property
    def degree(self) -> None:  # noqa: D102
        return None

    @property
    def is_linear(self) -> bool:  # noqa: D102
        return False

    def is_symmetric(self, network: CellNetwork) -> bool | None:  # noqa: D102
        return None


KINDS: dict[str, type[Externality]] = kinds(ExponentialDecay, WithinCellPower, InteractionMatrix)
"""The kinds a scenario file may name."""
