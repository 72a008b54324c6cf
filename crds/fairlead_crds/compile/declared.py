"""Which objects there are: identity read from raw data, deleted ones left out, duplicates set aside.

Nothing here looks into a spec, so an object that no model would accept still has a name to report on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from fairlead_crds.compile.findings import Finding, Reason, Severity
from fairlead_crds.compile.memo import Memo
from fairlead_crds.errors import path_of
from fairlead_crds.kinds.scalars import epoch_seconds

PAUSED_ANNOTATION = "fairlead.dev/paused"
_PAUSED, _RUNNING = "true", "false"

_CANONICAL = msgspec.json.Encoder(order="sorted", enc_hook=str)


class ObjectKey(NamedTuple):
    """What can exist only once."""

    kind: str
    namespace: str
    name: str


class Declared(NamedTuple):
    """One declared object with what its metadata says."""

    key: ObjectKey
    uid: str
    generation: int
    created_at: int
    """Unix seconds; 0 when unknown."""
    raw: Mapping[str, Any]
    pause: object = None
    """The annotation as written; ``None``: there is none. It changes without a new generation."""

    @property
    def paused(self) -> bool:
        """Whether what is in force is to stay, whatever the spec says."""
        return self.pause == _PAUSED

    @property
    def memo_key(self) -> tuple[ObjectKey, str, int] | None:
        """Identifies the spec; ``None`` when the source gives no uid, so that nothing may be remembered by it."""
        return (self.key, self.uid, self.generation) if self.uid else None


@dataclass(frozen=True, slots=True)
class Declarations:
    """All objects that count, sorted by key, and those set aside because their key was taken."""

    objects: tuple[Declared, ...]
    duplicates: tuple[Declared, ...]
    findings: tuple[Finding, ...]


def gather(raws: Iterable[Mapping[str, Any]], memo: Memo) -> Declarations:
    """Read identities, leave out what is being deleted, and keep the first uid of each key."""
    declare_one = memo.each("declared", None)
    found = [declare_one(id(raw), raw, partial(_declare, raw)) for raw in raws]
    declared = sorted((item for item in found if item is not None), key=itemgetter(0, 1))
    kept: list[Declared] = []
    duplicates: list[Declared] = []
    start = 0
    for position in range(1, len(declared) + 1):
        if position < len(declared) and declared[position].key == declared[start].key:
            continue
        group = declared[start:position]
        if len(group) > 1:
            group.sort(key=lambda item: (item.uid, item.generation, _CANONICAL.encode(item.raw)))
            duplicates.extend(group[1:])
        kept.append(group[0])
        start = position
    findings = [
        Finding(
            *item.key,
            "metadata.name",
            Severity.ERROR,
            Reason.DUPLICATE,
            f"this {item.key.kind} is declared more than once and only the one with the first uid counts: "
            "remove or rename the others",
        )
        for item in duplicates
    ]
    findings += [_unclear_pause(item) for item in kept if item.pause not in (None, _PAUSED, _RUNNING)]
    return Declarations(tuple(kept), tuple(duplicates), tuple(findings))


def _unclear_pause(item: Declared) -> Finding:
    return Finding(
        *item.key,
        path_of(("metadata", "annotations", PAUSED_ANNOTATION)),
        Severity.WARNING,
        Reason.INVALID,
        f'the annotation pauses this {item.key.kind} only if it is "{_PAUSED}", so it does not: write '
        f'"{_PAUSED}" in quotes, or remove it',
    )


def _declare(raw: Mapping[str, Any]) -> Declared | None:
    found = raw.get("metadata")
    metadata: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    if metadata.get("deletionTimestamp"):
        return None
    generation = metadata.get("generation")
    annotations = metadata.get("annotations")
    return Declared(
        ObjectKey(_text(raw.get("kind")), _text(metadata.get("namespace")) or "default", _text(metadata.get("name"))),
        _text(metadata.get("uid")),
        generation if isinstance(generation, int) else 0,
        created_at(metadata),
        raw,
        annotations.get(PAUSED_ANNOTATION) if isinstance(annotations, Mapping) else None,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def created_at(metadata: Mapping[str, Any]) -> int:
    """Unix seconds; 0 when unknown."""
    value = metadata.get("creationTimestamp")
    if isinstance(value, str):
        return _parsed_seconds(value)
    return _since_epoch(value) if isinstance(value, datetime) else 0


@lru_cache(maxsize=16384)
def _parsed_seconds(text: str) -> int:
    try:
        return _since_epoch(datetime.fromisoformat(text.upper()))
    except ValueError:
        return 0


def _since_epoch(instant: datetime) -> int:
    return epoch_seconds(instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC))
