"""Parameters as frozen pydantic classes whose every complaint is one sentence."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.functional_validators import ModelWrapValidatorHandler

from agora.data.checks import MISSING, InputError, nearest

_LIMITS = {"greater_than": ">", "greater_than_equal": ">=", "less_than": "<", "less_than_equal": "<="}


class Fields(BaseModel):
    """A frozen set of named parameters; a bad one raises `InputError` instead of a pydantic report."""

    simplexes: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Groups of fields whose numbers sum to one: when one varies, the others do in proportion."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False, strict=False
    )

    @model_validator(mode="wrap")
    @classmethod
    def _speak_in_sentences(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as report:
            raise cls._sentence(report) from None

    @classmethod
    def _sentence(cls, report: ValidationError) -> InputError:
        """Turn the first entry of a pydantic report into one sentence."""
        first = report.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or cls.__name__
        kind, context = first["type"], first.get("ctx", {})
        name = str(first["loc"][0]) if first["loc"] else ""
        if kind == "extra_forbidden":
            return InputError(
                field, first["input"], f"left out, or a known field: {nearest(name, cls.model_fields)}"
            )
        stated = cls._allowed(name)
        if kind == "missing":
            return InputError(field, MISSING, f"given: {stated}" if stated else "given")
        allowed = stated or _in_words(kind, context, first["msg"])
        return InputError(field, first["input"], allowed)

    @classmethod
    def _allowed(cls, name: str) -> str | None:
        """Return what the field's own description says is allowed."""
        info = cls.model_fields.get(name)
        extra = info.json_schema_extra if info else None
        return str(extra["allowed"]) if isinstance(extra, dict) and "allowed" in extra else None


def _in_words(kind: str, context: dict[str, Any], message: str) -> str:
    if kind in _LIMITS:
        return f"a finite number {_LIMITS[kind]} {next(iter(context.values()))}"
    if kind in ("float_parsing", "float_type", "finite_number"):
        return "a finite number"
    if kind in ("int_parsing", "int_type", "int_from_float"):
        return "a whole number"
    if kind == "literal_error":
        return f"one of {context['expected']}"
    return f"valid ({message[0].lower()}{message[1:]})"
