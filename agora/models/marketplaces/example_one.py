r"""Example 1 of Berliant & Konishi (2000): two tastes, two sites, and an empty core.

Site 0 makes commodity 1, site 1 commodity 2; marketplaces lie between them; everybody has two hours, and a
marketplace needs half an hour of work at both sites a head. With a share m of the people at site 0 and
one marketplace at d, what is left to consume is ((2−d) m − ½, (1+d)(1−m) − ½) a head.

Erratum: the paper's ideal locations −4 + ½√78 = .41588 (type 1) and 5 − ½√78 = .58412 (type 2) do not
belong to its utilities min{2c₁, c₂} and min{c₁, c₂}. Type 1's ideal location is .58412, and type 2's is
½; the printed pair belongs, in the other order, to min{2c₁, c₂} and min{c₁, 2c₂}. Both readings are here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agora.data.marketplaces import ConsumerType, Leontief, SetupNeeds
from agora.models.marketplaces.coalition import CoalitionTest
from agora.typing import Vector

FIRST = (0.5, 1.0)
"""Type 1, min{2c₁, c₂}: units of each commodity per unit of utility."""
SECOND_AS_PRINTED = (1.0, 1.0)
"""Type 2 with the printed utility, min{c₁, c₂}."""
SECOND_AS_LOCATED = (1.0, 0.5)
"""Type 2 with the utility whose ideal location is printed, min{c₁, 2c₂}."""


def example_one(
    second: Sequence[float] = SECOND_AS_PRINTED,
    *,
    utility: Sequence[float] = (1.0, 1.0),
    everybody: bool = False,
    marketplaces: int = 2,
) -> CoalitionTest:
    """Return the test of an allocation of Example 1.

    Parameters
    ----------
    second : sequence of two floats
        Type 2's coefficients: `SECOND_AS_PRINTED` or `SECOND_AS_LOCATED`.
    utility : sequence of two floats
        ū of types 1 and 2.
    everybody : bool
        Whether the coalition must be everybody.
    marketplaces : int
        The largest number of marketplaces; two leave nothing to consume.
    """
    tastes = (FIRST, tuple(second))
    types = tuple(
        ConsumerType(name=f"type {k}", mass=0.5, taste=Leontief(coefficients=taste), utility=reached)
        for k, (taste, reached) in enumerate(zip(tastes, utility, strict=True), 1)
    )
    return _economy(types, everybody=everybody, marketplaces=marketplaces)


def one_taste(coefficients: Sequence[float], *, utility: float = 1.0) -> CoalitionTest:
    """Return Example 1 with consumers of one type only, who consume in fixed proportions.

    Their best marketplace is the type's ideal location, and what they then consume is the point of
    the envelope of all production possibilities in the direction of the coefficients.
    """
    taste = Leontief(coefficients=tuple(coefficients))
    return _economy((ConsumerType(name="all", mass=1.0, taste=taste, utility=utility),))


def _economy(
    types: tuple[ConsumerType, ...], *, everybody: bool = False, marketplaces: int = 1
) -> CoalitionTest:
    return CoalitionTest(
        types=types,
        sites=(0.0, 1.0),
        makes=(1, 2),
        setup=SetupNeeds(amounts=(0.5, 0.5)),
        region=(0.0, 1.0),
        marketplaces=marketplaces,
        everybody=everybody,
    )


def net_output(location: float, population: float | Vector) -> Vector:
    r"""Return what is left to consume with one marketplace, shape (…, 2).

    .. math:: x_1 = (2 - d) m - \tfrac12, \qquad x_2 = (1 + d)(1 - m) - \tfrac12

    Parameters
    ----------
    location : float
        d ∈ [0, 1].
    population : float or array
        m ∈ [0, 1], the share at site 0.
    """
    share = np.asarray(population, dtype=float)
    return np.stack([(2 - location) * share - 0.5, (1 + location) * (1 - share) - 0.5], axis=-1)
