"""The one list of what the API has and this version does not do yet.

A field on it is accepted by the schema and reported with reason NotImplemented when somebody writes it, so that
nothing is ever silently ignored; the reference marks it. Taking a line away here is the last step of implementing a
field.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from fairlead_crds.errors import ErrorReason, FieldError, Location, path_of, sort_key
from fairlead_crds.kinds import ParsedObject
from fairlead_crds.kinds.common import Model, json_name


@dataclass(frozen=True, slots=True)
class Gap:
    """Fields of one kind that are not implemented.

    `path` is written like a path in an error, with `[]` for every item of a list. With `values` only those values of
    the field are missing. `instead` tells the user what to do.
    """

    kind: str
    path: str
    instead: str
    values: frozenset[str] = frozenset()


_REMOVE = "remove it"


def _gap(kind: str, path: str, instead: str = _REMOVE, *values: str) -> Gap:
    return Gap(kind, path, instead, frozenset(values))


def _quality_constraint(kind: str) -> Gap:
    return _gap(kind, "spec.constraints.minQualityPercent", "remove it; all other constraints work")


GAPS: tuple[Gap, ...] = (
    _gap(
        "ModelProvider", "spec.type", "use OpenAICompatible with the provider's OpenAI-compatible address",
        "Anthropic", "Gemini", "Bedrock",
    ),
    _gap("ModelProvider", "spec.bedrock"),
    _gap("ModelProvider", "spec.endpoints[].tls", "remove it; the system's certificates are trusted"),
    _gap("ModelProvider", "spec.models[].quality"),
    _gap("ModelProvider", "spec.limits", "remove it; the provider's own 429 answers are respected"),
    _gap(
        "RoutingPolicy", "spec.match.requestTypes[]", "list Chat, Completion or Embedding, or nothing",
        "Response", "Message",
    ),
    _gap(
        "RoutingPolicy", "spec.strategy", "use Weighted, Priority, LeastCost or LowestLatency",
        "HighestQuality", "Pareto", "Learned", "Bandit",
    ),
    _gap("RoutingPolicy", "spec.canary.bundle", "use modelRef"),
    _gap("RoutingPolicy", "spec.canary.steps", "remove it and raise weightPercent by hand"),
    _gap("RoutingPolicy", "spec.canary.analysis", "remove it and judge the canary by its metrics"),
    _quality_constraint("RoutingPolicy"),
    _gap("RoutingPolicy", "spec.learned", "remove it and use strategy Weighted or Priority"),
    _gap("RoutingPolicy", "spec.bandit", "remove it and use strategy Weighted or Priority"),
    _gap("RoutingPolicy", "spec.hedge"),
    _gap("RoutingPolicy", "spec.shadow"),
    _gap("ABTest", "spec", "delete the object; split traffic with weights of a RoutingPolicy"),
    _gap("WorkspaceBudget", "spec.limits"),
    _gap("WorkspaceBudget", "spec.timeZone"),
    _gap("WorkspaceBudget", "spec.warnAtPercent"),
    _gap("WorkspaceBudget", "spec.onExceeded"),
    _gap("WorkspaceBudget", "spec.downgrade"),
    _gap("WorkspaceBudget", "spec.onStoreUnavailable"),
    _quality_constraint("WorkspaceBudget"),
    _gap("WorkspaceBudget", "spec.rateLimits"),
    _gap("WorkspaceBudget", "spec.access"),
)  # fmt: skip


def not_implemented(parsed: ParsedObject) -> list[FieldError]:
    """Every field that was written, not defaulted, and does nothing yet, in the order of paths."""
    hits = [
        (location, gap, value)
        for gap in GAPS
        if gap.kind == parsed.kind
        for location, value in _written(parsed, _steps(gap.path))
        if not gap.values or value in gap.values
    ]
    hits.sort(key=lambda hit: sort_key(hit[0]))
    return [
        FieldError(path_of(location), ErrorReason.NOT_IMPLEMENTED, _message(location, gap, value))
        for location, gap, value in hits
    ]


def gap_at(kind: str, path: str) -> Gap | None:
    """The entry about a field as a whole, by its path with `[]`; entries about single values are not meant."""
    whole = (gap for gap in GAPS if gap.kind == kind and not gap.values)
    return next((gap for gap in whole if path == gap.path or path.startswith((f"{gap.path}.", f"{gap.path}["))), None)


def missing_values(kind: str, path: str) -> frozenset[str]:
    """The values of a field, or of its items, by its path with `[]`, that are not implemented."""
    paths = (path, f"{path}[]")
    return frozenset[str]().union(*(gap.values for gap in GAPS if gap.kind == kind and gap.path in paths))


def _message(location: Location, gap: Gap, value: object) -> str:
    field = next(step for step in reversed(location) if isinstance(step, str))
    what = f"{field}: {value}" if gap.values else field
    return f"{what} is not implemented in this version: {gap.instead}"


@cache
def _steps(path: str) -> tuple[str, ...]:
    return tuple(path.replace("[]", ".[]").split("."))


def _written(value: Any, steps: tuple[str, ...], location: Location = ()) -> Iterator[tuple[Location, Any]]:
    """The places a path leads to, over fields that were written."""
    if not steps:
        yield location, value
    elif steps[0] == "[]":
        for index, item in enumerate(value):
            yield from _written(item, steps[1:], (*location, index))
    elif isinstance(value, Model):
        name = next((name for name in value.model_fields_set if json_name(name) == steps[0]), None)
        if name is not None and (inner := getattr(value, name)) is not None:
            yield from _written(inner, steps[1:], (*location, steps[0]))
