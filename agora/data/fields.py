"""Parameters as frozen pydantic classes whose every complaint is one sentence."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Self, TypeVar, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    JsonValue,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.functional_validators import ModelWrapValidatorHandler

from agora.data.checks import MISSING, InputError, finite, nearest, positive, whole

POSITIVE: dict[str, JsonValue] = {"allowed": "a finite number > 0"}
"""What a field > 0 says is allowed."""
NOT_NEGATIVE: dict[str, JsonValue] = {"allowed": "a finite number >= 0"}
"""What a field ≥ 0 says is allowed."""

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
        errors = report.errors(include_url=False)
        unknown = [error for error in errors if error["type"] == "extra_forbidden"]
        first = (unknown or errors)[0]  # a name that is unknown explains one that is missing
        kind, context = first["type"], first.get("ctx", {})
        name, *inside = [str(part) for part in first["loc"]] or [""]
        if len(cls._types(name)) > 1:
            inside = inside[1:]  # pydantic's name of one of the types
        field = ".".join([name, *inside]) or cls.__name__
        if kind == "extra_forbidden":
            return InputError(field, first["input"], f"left out, or {cls._known(name)}")
        stated = cls._allowed(name)
        if kind == "missing":
            return InputError(field, MISSING, f"given: {stated}" if stated else "given")
        allowed = stated or _in_words(kind, context, first["msg"])
        return InputError(field, first["input"], allowed)

    @classmethod
    def _types(cls, name: str) -> list[Any]:
        """Return the types among which a field may choose, None aside."""
        annotation = cls.model_fields[name].annotation if name in cls.model_fields else None
        several = get_origin(annotation) in (Union, UnionType)
        return [each for each in get_args(annotation) if each is not NoneType] if several else [annotation]

    @classmethod
    def _known(cls, name: str) -> str:
        """Return which fields there are, the one closest to `name` first."""
        return f"a known field: {nearest(name, cls.model_fields)}"

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


# --- tables of several kinds ------------------------------------------------------------------------


class Kind(Fields):
    """One of several tables, chosen by ``kind``, such as ``{ kind = "sine", amplitude = 0.5 }``.

    A subclass states its kind, ``kind: Literal["sine"] = "sine"``, and its other fields. What a family of
    kinds must say is abstract in the class that they share.
    """

    kind: str

    def __new__(cls, *_: Any, **__: Any) -> Self:
        """Refuse a class that does not say what its family must say."""
        for name in sorted(getattr(cls, "__abstractmethods__", ())):
            stated = str(inspect.getdoc(getattr(cls, name))).splitlines()[0].rstrip(".")
            raise InputError(f"{cls.__name__}.{name}", MISSING, f"stated by the class: {stated}")
        return super().__new__(cls)

    @classmethod
    def _known(cls, name: str) -> str:
        shown = [info.alias or field for field, info in cls.model_fields.items() if field != "kind"]
        known = nearest(name, shown) if shown else "it has none"
        return f"a field of kind {cls.model_fields['kind'].default!r}: {known}"


K = TypeVar("K", bound=Kind)


def kinds(*classes: type[K]) -> dict[str, type[K]]:
    """Return classes by the kind that each states."""
    return {each.model_fields["kind"].default: each for each in classes}


def known_kind(
    field: str, given: Any, known: Iterable[str], otherwise: str = ""
) -> tuple[str, dict[str, Any]]:
    """Return the kind that a table names, one of those known, and its other entries.

    Raises `InputError` if it is no table (`otherwise` says what else may be given), or its kind is missing or
    not known.
    """
    names = tuple(known)
    if not isinstance(given, Mapping):
        raise InputError(field, given, f"a table with kind = {nearest('', names)}{otherwise}")
    table = dict(given)
    kind = table.pop("kind", MISSING)
    if not isinstance(kind, str) or kind not in names:
        raise InputError(f"{field}.kind", kind, nearest(str(kind), names))
    return kind, table


def read_kind(field: str, given: Any, known: Mapping[str, type[K]], otherwise: str = "") -> K:
    """Return a table as the class of its kind; complaints begin with `field`.

    Raises `InputError` as `known_kind`, and for an entry that is missing, unknown or not allowed.
    """
    kind, table = known_kind(field, given, known, otherwise)
    return within(field, known[kind], table)


def within(field: str, kind: type[K], table: Mapping[str, Any]) -> K:
    """Return a kind built from its fields; complaints name `field` too, and fields as users write them."""
    try:
        return kind.model_validate(table)
    except InputError as error:
        head, dot, rest = error.field.partition(".")
        shown = kind.model_fields[head].alias or head if head in kind.model_fields else head
        raise InputError(f"{field}.{shown}{dot}{rest}", error.value, error.allowed) from None


def _as(check: Callable[[str, Any], Any]) -> BeforeValidator:
    def validate(value: Any, info: ValidationInfo) -> Any:
        return check(str(info.field_name), value)

    return BeforeValidator(validate)


Finite = Annotated[float, _as(finite)]
"""A finite number; text and truth values are none."""
Positive = Annotated[float, _as(positive)]
"""A finite number > 0."""
Count = Annotated[int, _as(partial(whole, at_least=1))]
"""A whole number >= 1."""
Index = Annotated[int, _as(partial(whole, at_least=0))]
"""A whole number >= 0."""


def _path(field: str, value: Any) -> str:
    if not isinstance(value, str | Path):
        raise InputError(field, value, "the path of a file")
    return str(value)


FilePath = Annotated[str, _as(_path)]
"""The path of a file, as text or as a `Path`."""
