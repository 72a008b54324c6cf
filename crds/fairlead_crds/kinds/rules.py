"""Cross-field rules and list shapes, each written once.

A `Rule` sits beside the model it is about: pydantic runs its `check`, the CRD carries its `cel`, both say its
`message`. The list shapes do the same for what a list may hold: `ListMap` and `ListSet` become
`x-kubernetes-list-type` in the CRD and a check here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, ValidationError, core_schema


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule over several fields of an object.

    `cel` is judged by the API server with `self` as the object, `check` by us with the model; they must agree.
    `field` is the JSON name of the field an error points at; without it the error points at the object. `message`
    says how to mend.
    """

    cel: str
    message: str
    check: Callable[[Any], bool]
    field: str = ""

    def published(self) -> dict[str, str]:
        """The rule as an entry of `x-kubernetes-validations`."""
        entry = {"rule": self.cel, "message": self.message}
        return entry | {"fieldPath": f".{self.field}"} if self.field else entry


def enforce(title: str, rules: Iterable[Rule], instance: object) -> None:
    """Raise one ValidationError that holds every broken rule."""
    broken = [rule for rule in rules if not rule.check(instance)]
    if broken:
        raise _errors(title, [(((rule.field,) if rule.field else ()), "rule", rule.message) for rule in broken])


def _errors(title: str, details: Sequence[tuple[tuple[str | int, ...], str, str]]) -> ValidationError:
    lines = [
        InitErrorDetails(type=PydanticCustomError(kind, "{text}", {"text": message}), loc=loc, input=None)
        for loc, kind, message in details
    ]
    return ValidationError.from_exception_data(title, lines, hide_input=True)


@dataclass(frozen=True)
class _ListShape:
    """Bounds of a list and what makes two of its items the same."""

    max: int
    min: int = 0
    list_type: ClassVar[str] = "atomic"

    def published(self) -> dict[str, Any]:
        return {"x-kubernetes-list-type": self.list_type}

    def identity(self, item: Any) -> tuple[object, str] | None:
        """What must not occur twice, and how to call it in an error."""
        return None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema: dict[str, Any] = dict(handler(source))
        assert schema["type"] == "tuple"
        # A list from YAML must do for a tuple; the items stay strict.
        schema["strict"] = False
        schema["max_length"] = self.max
        if self.min:
            schema["min_length"] = self.min
        return core_schema.no_info_after_validator_function(self._refuse_repeats, cast(CoreSchema, schema))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(schema) | self.published()

    def _refuse_repeats(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        first: dict[object, int] = {}
        repeats = []
        for index, item in enumerate(items):
            if (identity := self.identity(item)) is None:
                continue
            key, words = identity
            if first.setdefault(key, index) != index:
                repeats.append(
                    ((index,), "duplicate", f"{words} is already used by item {first[key]}; every item needs its own")
                )
        if repeats:
            raise _errors("list", repeats)
        return items


class Atomic(_ListShape):
    """A list that is written as a whole; items may repeat."""


class ListSet(_ListShape):
    """A list of plain values, each at most once."""

    list_type = "set"

    def identity(self, item: Any) -> tuple[object, str]:
        return item, f"{item!s}"


@dataclass(frozen=True)
class ListMap(_ListShape):
    """A list of objects told apart by `keys`, so that several owners can each apply their own items."""

    keys: tuple[str, ...] = ("name",)
    list_type = "map"

    def published(self) -> dict[str, Any]:
        return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(self.keys)}

    def identity(self, item: Any) -> tuple[object, str]:
        values = item.values_of(self.keys)
        return values, ", ".join(f"{key} {value!s}" for key, value in zip(self.keys, values, strict=True))
