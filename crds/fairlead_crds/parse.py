"""Plain data in; a typed object or every mistake in it out. Never raises, whatever it is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from fairlead_crds.errors import ErrorReason, FieldError, Location, path_of, sort_key
from fairlead_crds.kinds import API_VERSION, KINDS, Kind, ParsedObject
from fairlead_crds.translate import LocatedError, found, nearest, translate, without_consequences

__all__ = ["ErrorReason", "FieldError", "ParsedObject", "parse_object"]

ENVELOPE = ("apiVersion", "kind", "metadata", "spec")


def parse_object(raw: Mapping[str, Any]) -> ParsedObject | list[FieldError]:
    """Check one resource as it came from YAML, JSON or the API server.

    All errors are reported at once, in the order of their paths. `status` is not read. An object without
    `metadata.uid` has an empty one; the caller supplies it. Whether every field is implemented is another question:
    see `not_implemented`.
    """
    kind = _kind_of(raw)
    if not isinstance(kind, Kind):
        return kind
    document = {key: value for key, value in raw.items() if key != "status"}
    try:
        return kind.model.model_validate(document, by_alias=True, by_name=False)
    except ValidationError as error:
        return _ordered(without_consequences(_every_error(kind, document, error)))


def _kind_of(raw: object) -> Kind | list[FieldError]:
    if not isinstance(raw, Mapping):
        return [
            FieldError("", ErrorReason.WRONG_TYPE, f"expected an object with {', '.join(ENVELOPE)}; found {found(raw)}")
        ]
    version, name = raw.get("apiVersion"), raw.get("kind")
    errors = []
    if version is None:
        errors.append(FieldError("apiVersion", ErrorReason.REQUIRED, f"is missing; write {API_VERSION}"))
    elif version != API_VERSION:
        errors.append(
            FieldError("apiVersion", ErrorReason.UNKNOWN_VERSION, f"expected {API_VERSION}; found {found(version)}")
        )
    kind = KINDS.get(name) if isinstance(name, str) else None
    if name is None:
        errors.append(FieldError("kind", ErrorReason.REQUIRED, f"is missing; expected one of {', '.join(KINDS)}"))
    elif kind is None:
        hint = nearest(name, KINDS)
        errors.append(
            FieldError("kind", ErrorReason.UNKNOWN_KIND, f"{found(name)} is none of {', '.join(KINDS)}{hint}")
        )
    if errors or kind is None:
        return errors
    return kind


def _every_error(kind: Kind, document: dict[str, Any], error: ValidationError) -> list[LocatedError]:
    """All errors, including those of rules that only run once unknown fields are out of the way."""
    errors = translate(kind.model, document, error)
    unknown = [each.location for each in errors if each.removable]
    if unknown:
        try:
            kind.model.model_validate(_without(document, unknown), by_alias=True, by_name=False)
        except ValidationError as rest:
            known = {each.location for each in errors}
            errors += [f for f in translate(kind.model, document, rest) if f.location not in known]
    return errors


def _without(document: Any, locations: list[Location]) -> Any:
    """A copy without the named keys; shares everything off their paths."""
    direct = {location[0] for location in locations if len(location) == 1}
    deeper: dict[str | int, list[Location]] = {}
    for location in locations:
        if len(location) > 1:
            deeper.setdefault(location[0], []).append(location[1:])
    if isinstance(document, Mapping):
        return {
            key: _without(value, deeper[str(key)]) if str(key) in deeper else value
            for key, value in document.items()
            if str(key) not in direct
        }
    if isinstance(document, list | tuple):
        return [_without(value, deeper[i]) if i in deeper else value for i, value in enumerate(document)]
    return document


def _ordered(errors: list[LocatedError]) -> list[FieldError]:
    unique = {(f.location, f.reason, f.message): f for f in errors}
    ordered = sorted(unique.values(), key=lambda f: (sort_key(f.location), f.message))
    return [FieldError(path_of(f.location), f.reason, f.message) for f in ordered]
