"""From pydantic's errors to sentences: what was found, what is expected, what to write instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from fairlead_crds.errors import ErrorReason, Location
from fairlead_crds.kinds.common import json_name
from fairlead_crds.kinds.scalars import PATTERN_WORDS, DecimalString

LISTED_NAMES = 24
SHOWN_CHARS = 60

QUOTE_ON = (
    'quote it ("on"): YAML 1.1, which kubectl reads, takes an unquoted key `on:` as the boolean true; '
    'write `"on": [Error, Timeout]`'
)

_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing_size": "a whole number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "an object with fields",
    "mapping_type": "an object with fields",
    "model_type": "an object with fields",
    "model_attributes_type": "an object with fields",
}


@dataclass(frozen=True, slots=True)
class LocatedError:
    """A FieldError with its location still in parts; `removable` marks keys that can be left out to judge the rest."""

    location: Location
    reason: ErrorReason
    message: str
    removable: bool = False


def translate(model: type[BaseModel], document: Mapping[str, Any], error: ValidationError) -> list[LocatedError]:
    """Every error of one validation, in plain words."""
    lines = error.errors(include_url=False, include_input=False)
    return [_located_error(model, document, line) for line in lines if not _only_shortened(document, line)]


def without_consequences(errors: list[LocatedError]) -> list[LocatedError]:
    """Where `on` was read as true, only that is said, not also that `on` is missing."""
    unquoted = {f.location[:-1] for f in errors if f.message == QUOTE_ON}
    return [f for f in errors if not (f.location[-1:] == ("on",) and f.location[:-1] in unquoted)]


def _only_shortened(document: Any, line: ErrorDetails) -> bool:
    """Faulty items do not count for pydantic, which then calls a list short that is not."""
    value = _value_at(document, line["loc"])
    return line["type"] == "too_short" and isinstance(value, list | tuple) and len(value) >= line["ctx"]["min_length"]


def _located_error(model: type[BaseModel], document: Any, line: ErrorDetails) -> LocatedError:
    kind: str = line["type"]
    context: dict[str, Any] = line.get("ctx", {})
    location: Location = tuple(part for part in line["loc"] if part != "[key]")
    if kind == "invalid_key":
        location = (*location[:-1], _written_key(_value_at(document, location[:-1]), location[-1]))
    where = _annotation_at(model, location)
    match kind:
        case "missing":
            return LocatedError(location, ErrorReason.REQUIRED, f"is missing; expected {_expected(where)}")
        case "extra_forbidden" | "invalid_key":
            return _unknown_field(model, location)
        case "rule":
            return LocatedError(location, ErrorReason.RULE, context["text"])
        case "duplicate":
            return LocatedError(location, ErrorReason.DUPLICATE, context["text"])
        case _:
            value = _value_at(document, location)
            reason, message = _about_value(kind, context, where, value)
            return LocatedError(location, reason, message)


def _written_key(parent: object, key: str | int) -> str:
    """A key that is no text, as text; pydantic reports the boolean true as the number 1."""
    keys = parent if isinstance(parent, Mapping) else ()
    return next((str(written) for written in keys if not isinstance(written, str) and written == key), str(key))


def _unknown_field(model: type[BaseModel], location: Location) -> LocatedError:
    key = str(location[-1])
    names = _field_names(_annotation_at(model, location[:-1]))
    if key in ("True", "true") and "on" in names:
        return LocatedError(location, ErrorReason.UNKNOWN_FIELD, QUOTE_ON, removable=True)
    allowed = f"; allowed here: {', '.join(names)}" if 0 < len(names) <= LISTED_NAMES else ""
    message = f"is not a field of this object{nearest(key, names)}{allowed}"
    return LocatedError(location, ErrorReason.UNKNOWN_FIELD, message, removable=True)


def _about_value(kind: str, context: dict[str, Any], where: Any, value: object) -> tuple[ErrorReason, str]:
    match kind:
        case "enum" | "literal_error":
            choices = _choices(where)
            wrong_type = not isinstance(value, str)
            reason = ErrorReason.WRONG_TYPE if wrong_type else ErrorReason.INVALID_VALUE
            return reason, f"expected one of {', '.join(choices)}; found {found(value)}{nearest(value, choices)}"
        case "string_pattern_mismatch":
            words = PATTERN_WORDS.get(context["pattern"], f"text that matches {context['pattern']}")
            return ErrorReason.INVALID_VALUE, f"expected {words}; found {found(value)}"
        case "instant":
            reason = ErrorReason.INVALID_VALUE if isinstance(value, str) else ErrorReason.WRONG_TYPE
            return reason, f"expected {_expected(where)}; found {found(value)}{_quote_hint(value)}"
        case "string_too_long":
            return (
                ErrorReason.INVALID_VALUE,
                f"is too long: at most {context['max_length']} characters, found {len(str(value))}",
            )
        case "string_too_short":
            least = context["min_length"]
            return (
                ErrorReason.INVALID_VALUE,
                "must not be empty" if least == 1 else f"is too short: at least {least} characters",
            )
        case "too_long":
            return (
                ErrorReason.INVALID_VALUE,
                f"has too many items: at most {context['max_length']}, found {_size(value)}",
            )
        case "too_short":
            return (
                ErrorReason.INVALID_VALUE,
                (
                    f"needs at least {context['min_length']} item{'s' if context['min_length'] > 1 else ''}, found "
                    f"{_size(value)}"
                ),
            )
        case "greater_than_equal":
            return ErrorReason.INVALID_VALUE, f"must be at least {context['ge']}; found {found(value)}"
        case "less_than_equal":
            return ErrorReason.INVALID_VALUE, f"must be at most {context['le']}; found {found(value)}"
    if kind == "string_type" and _is_decimal(where):
        return ErrorReason.WRONG_TYPE, f"expected {_expected(where)}; found {found(value)}{_quote_hint(value)}"
    if kind in _WANTED:
        hint = _quote_hint(value) if kind == "string_type" else _unquote_hint(kind, value)
        return ErrorReason.WRONG_TYPE, f"expected {_WANTED[kind]}; found {found(value)}{hint}"
    return ErrorReason.INVALID_VALUE, f"expected {_expected(where)}; found {found(value)}"


def _quote_hint(value: object) -> str:
    if isinstance(value, bool | int | float | date):
        return ": put it in quotes"
    return ""


def _unquote_hint(kind: str, value: object) -> str:
    if kind.startswith("int") and isinstance(value, str) and value.strip().lstrip("-").isdigit():
        return ": remove the quotes"
    if kind == "bool_type" and isinstance(value, str) and value.lower() in ("true", "false"):
        return ": remove the quotes"
    return ""


def _size(value: object) -> str:
    return str(len(value)) if isinstance(value, list | tuple | Mapping) else "another number"


def found(value: object) -> str:
    """A value in plain words and short."""
    match value:
        case None:
            return "nothing (null)"
        case bool():
            return f"the boolean {str(value).lower()}"
        case int():
            return f"the number {value}" if abs(value) < 10**SHOWN_CHARS else "an enormous number"
        case float():
            return f"the decimal number {value}"
        case str():
            shown = value if len(value) <= SHOWN_CHARS else value[: SHOWN_CHARS - 3] + "..."
            return f"the text {ascii(shown) if not shown.isprintable() else chr(34) + shown + chr(34)}"
        case date():
            return f"the date {value.isoformat()}"
        case Mapping():
            return "an object with fields" if value else "an empty object"
        case list() | tuple():
            return f"a list of {len(value)} item{'' if len(value) == 1 else 's'}"
        case bytes():
            return "binary data"
        case _:
            return "something that is not plain data"


def nearest(word: object, candidates: Iterable[str]) -> str:
    """A suggestion such as ` (did you mean targets?)`, or nothing."""
    if not isinstance(word, str):
        return ""
    import difflib  # only needed once something is wrong

    by_lower = {candidate.lower(): candidate for candidate in candidates}
    close = difflib.get_close_matches(word.lower()[:128], by_lower, n=1, cutoff=0.6)
    return f" (did you mean {by_lower[close[0]]}?)" if close else ""


def _expected(annotation: Any) -> str:
    """What may be written at a field, in plain words."""
    bare = _bare(annotation)
    if choices := _choices(annotation):
        return f"one of {', '.join(choices)}"
    if isinstance(bare, type):
        if issubclass(bare, DecimalString):
            return PATTERN_WORDS[bare.pattern]
        if issubclass(bare, BaseModel):
            required = [json_name(name) for name, field in bare.model_fields.items() if field.is_required()]
            return f"an object with {', '.join(required)}" if required else "an object with fields"
        if issubclass(bare, date):
            return "an RFC 3339 time such as 2026-01-31T09:00:00Z, in quotes"
        return {str: "text", int: "a whole number", bool: "true or false", dict: "an object with fields"}.get(
            bare, "another value"
        )
    if get_origin(bare) is tuple:
        return "a list"
    if get_origin(bare) is dict:
        return "an object with fields"
    return "another value"


def _choices(annotation: Any) -> tuple[str, ...]:
    bare = _bare(annotation)
    if isinstance(bare, type) and issubclass(bare, Enum):
        return tuple(str(member.value) for member in bare)
    return ()


def _is_decimal(annotation: Any) -> bool:
    bare = _bare(annotation)
    return isinstance(bare, type) and issubclass(bare, DecimalString)


def _bare(annotation: Any) -> Any:
    """The type behind `Annotated` and `| None`."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in (Union, UnionType):
            annotation = next(arm for arm in get_args(annotation) if arm is not type(None))
        else:
            return annotation


def _field_names(annotation: Any) -> tuple[str, ...]:
    bare = _bare(annotation)
    if isinstance(bare, type) and issubclass(bare, BaseModel):
        return tuple(json_name(name) for name in bare.model_fields)
    return ()


def _annotation_at(model: type[BaseModel], location: Location) -> Any:
    """The declared type at a location, or None where the schema does not reach."""
    annotation: Any = model
    for part in location:
        bare = _bare(annotation)
        if isinstance(part, int) and get_origin(bare) is tuple:
            annotation = get_args(bare)[0]
        elif get_origin(bare) is dict:
            annotation = get_args(bare)[1]
        elif isinstance(bare, type) and issubclass(bare, BaseModel):
            fields = {json_name(name): field for name, field in bare.model_fields.items()}
            if part not in fields:
                return None
            annotation = fields[str(part)].annotation
        else:
            return None
    return annotation


def _value_at(document: Any, location: Location) -> object:
    for part in location:
        if isinstance(document, Mapping):
            document = document.get(part)
        elif isinstance(document, list | tuple) and isinstance(part, int) and part < len(document):
            document = document[part]
        else:
            return None
    return document
