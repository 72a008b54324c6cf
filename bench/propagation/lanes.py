"""What is edited: lanes of two policies each, whose answer after any edit is known beforehand.

Requests name their lane in a header. Both policies of a lane match it, or match nobody; of those that match, the one with the
higher priority decides.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

HEADER = "x-lane"
_MODELS = ("one", "two", "three", "four")
_LOW, _MIDDLE, _HIGH = 10, 20, 30
_API_VERSION = "fairlead.dev/v1alpha1"


@dataclass(frozen=True, slots=True)
class Rule:
    """One policy."""

    model: str
    priority: int
    matches: bool = True

    def spec(self, lane: int) -> dict[str, Any]:
        """As the API has it."""
        reference = {"providerRef": {"name": "sim"}, "model": self.model}
        return {
            "priority": self.priority,
            "match": {"headers": [{"name": HEADER, "exact": str(lane) if self.matches else "nobody"}]},
            "strategy": "Priority",
            "targets": [{"name": "only", "modelRef": reference}],
        }


class Edit(NamedTuple):
    """One PATCH and what it brings about."""

    lane: int
    policy: str
    patch: dict[str, Any]
    wanted: str
    """The model that answers in the lane from then on; another did before."""


class Lanes:
    """All lanes as they were last written."""

    def __init__(self, count: int, draw: random.Random) -> None:
        self._draw = draw
        self._lanes = [[Rule(draw.choice(_MODELS), _HIGH), Rule(draw.choice(_MODELS), _MIDDLE)] for _ in range(count)]

    def __len__(self) -> int:
        return len(self._lanes)

    def objects(self) -> Iterator[dict[str, Any]]:
        """To create in the beginning."""
        models = [{"name": name} for name in _MODELS]
        simulated = {"firstByteMilliseconds": 0, "perTokenMilliseconds": 0, "outputTokens": 1}
        yield _object("ModelProvider", "sim", {"type": "Simulated", "simulated": simulated, "models": models})
        for lane, rules in enumerate(self._lanes):
            for number, rule in enumerate(rules):
                yield _object("RoutingPolicy", _name(lane, number), rule.spec(lane))

    def edit(self) -> Edit:
        """One at random, of those that change which model answers: of a target, a priority or a match."""
        while True:
            lane = self._draw.randrange(len(self._lanes))
            number = self._draw.randrange(2)
            before = self._lanes[lane]
            field, rule = self._changed(before[number], number)
            after = [rule if position == number else other for position, other in enumerate(before)]
            wanted = _answer(after)
            if wanted is not None and wanted != _answer(before):
                self._lanes[lane] = after
                return Edit(lane, _name(lane, number), {"spec": {field: rule.spec(lane)[field]}}, wanted)

    def _changed(self, rule: Rule, number: int) -> tuple[str, Rule]:
        match self._draw.choice(("targets", "priority", "match")):
            case "priority" if number == 0:
                return "priority", replace(rule, priority=_LOW + _HIGH - rule.priority)
            case "match":
                return "match", replace(rule, matches=not rule.matches)
        return "targets", replace(rule, model=self._draw.choice(_MODELS))


def _answer(rules: list[Rule]) -> str | None:
    return (
        max((rule for rule in rules if rule.matches), key=lambda rule: rule.priority, default=Rule("", 0)).model or None
    )


def _name(lane: int, number: int) -> str:
    return f"lane-{lane:02d}-{'ab'[number]}"


def _object(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": _API_VERSION, "kind": kind, "metadata": {"name": name, "namespace": "default"}, "spec": spec}
