"""Label selectors, in the canonical text that a fragment carries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec


class Requirement(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, order=True):
    """One condition on a label."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """As Kubernetes defines it: ``NotIn`` also holds where the label is missing."""
        match self.operator:
            case "In":
                return self.key in labels and labels[self.key] in self.values
            case "NotIn":
                return self.key not in labels or labels[self.key] not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels


class Selector(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """All labels and all expressions must hold; an empty selector holds for everything."""

    match_labels: dict[str, str] = {}
    match_expressions: tuple[Requirement, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        wanted = all(labels.get(key) == value for key, value in self.match_labels.items())
        return wanted and all(requirement.holds(labels) for requirement in self.match_expressions)


_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODER = msgspec.json.Decoder(Selector)


def canonical(selector: Selector) -> str:
    """Equal selectors give equal text, whatever the order they were written in."""
    expressions = tuple(
        sorted(Requirement(item.key, item.operator, tuple(sorted(item.values))) for item in selector.match_expressions)
    )
    return _ENCODER.encode(Selector(selector.match_labels, expressions)).decode()


def from_canonical(text: str) -> Selector:
    """The inverse of :func:`canonical`."""
    return _DECODER.decode(text)
