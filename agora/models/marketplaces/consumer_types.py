"""Types of consumers by their tastes, and what marketplaces need: the data of a coalition test."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from agora.data.checks import InputError
from agora.data.fields import Fields
from agora.formulations.marketplaces.coalitions import Taste
from agora.models.spatial import NOT_NEGATIVE, POSITIVE

SHARES: Any = {"allowed": "a list of finite numbers >= 0"}
Number = Annotated[float, Field(ge=0)]


class Leontief(Fields):
    """Fixed proportions: u = min_i c_i / a_i.

    Parameters
    ----------
    coefficients : tuple of float, length I
        a_i ≥ 0, units of commodity i per unit of utility; not all zero.
    """

    kind: Literal["leontief"] = "leontief"
    coefficients: tuple[Number, ...] = Field(json_schema_extra=SHARES)

    @field_validator("coefficients")
    @classmethod
    def _some(cls, given: tuple[float, ...]) -> tuple[float, ...]:
        if not any(given):
            raise InputError("coefficients", given, "a list of numbers >= 0 that are not all zero")
        return given

    @property
    def taste(self) -> Taste:
        """The utility as numbers."""
        return Taste(self.coefficients, 0.0, 0.0, substitutes=False)


class CobbDouglas(Fields):
    """Constant expenditure shares: u = Π c_i^α_i · leisure^α_ℓ · land^α_L.

    Parameters
    ----------
    commodities : tuple of float, length I
        α_i ≥ 0.
    leisure, land : float
        α_ℓ, α_L ≥ 0; all exponents sum to one.
    """

    kind: Literal["cobb-douglas"] = "cobb-douglas"
    commodities: tuple[Number, ...] = Field(json_schema_extra=SHARES)
    leisure: float = Field(default=0.0, ge=0, json_schema_extra=NOT_NEGATIVE)
    land: float = Field(default=0.0, ge=0, lt=1, json_schema_extra={"allowed": "a finite number in [0, 1)"})

    simplexes: ClassVar[tuple[tuple[str, ...], ...]] = (("commodities", "leisure", "land"),)

    @model_validator(mode="after")
    def _sums_to_one(self) -> Self:
        total = sum(self.commodities) + self.leisure + self.land
        if abs(total - 1) > 1e-9:
            raise InputError("sum of exponents", total, "1, over commodities, leisure and land")
        return self

    @property
    def taste(self) -> Taste:
        """The utility as numbers."""
        return Taste(self.commodities, self.leisure, self.land, substitutes=True)


class ConsumerType(Fields):
    """A type of consumers and what the tested allocation gives them.

    Parameters
    ----------
    name : str
        Of the type.
    mass : float
        > 0, how many there are.
    taste : Leontief or CobbDouglas
        Utility, homogeneous of degree one.
    utility : float
        ū ≥ 0, in the tested allocation.
    """

    name: str = Field(min_length=1)
    mass: float = Field(gt=0, json_schema_extra=POSITIVE)
    taste: Leontief | CobbDouglas = Field(discriminator="kind")
    utility: float = Field(ge=0, json_schema_extra=NOT_NEGATIVE)


class SetupNeeds(Fields):
    """What one marketplace needs a head: fixed amounts of commodities, or of local labour.

    Parameters
    ----------
    amounts : tuple of float, length I
        Q_i ≥ 0, units a head and marketplace.
    """

    kind: Literal["needs"] = "needs"
    amounts: tuple[Number, ...] = Field(json_schema_extra=SHARES)


class SetupComposite(Fields):
    """What one marketplace needs a head: q̄ units of the composite Π Q_i^γ_i.

    Parameters
    ----------
    amount : float
        q̄ > 0, units a head and marketplace.
    shares : tuple of float, length I
        γ_i ≥ 0, summing to one.
    """

    simplexes: ClassVar[tuple[tuple[str, ...], ...]] = (("shares",),)

    kind: Literal["composite"] = "composite"
    amount: float = Field(gt=0, json_schema_extra=POSITIVE)
    shares: tuple[Number, ...] = Field(json_schema_extra=SHARES)

    @field_validator("shares")
    @classmethod
    def _sums_to_one(cls, given: tuple[float, ...]) -> tuple[float, ...]:
        if abs(sum(given) - 1) > 1e-9:
            raise InputError("shares", given, "a list of numbers >= 0 that sum to 1")
        return given
