"""The objects there are, gathered from two unreliable narrators: watches that may stall and lists that come late.

Each object is kept with its resource version, and each list with the version it was read at, so that neither an event
delivered late can bring back what a newer list no longer had, nor a list begun early can undo a newer event. The API
promises an order of versions within one resource (KEP-5504); when the numbers go back, history was lost, and only a list
is believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fairlead_operator.observe.sources import Source

Raw = Mapping[str, Any]


class Place(NamedTuple):
    """One object of a source."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Item:
    """One object as last heard of."""

    declared: Raw
    """Without status and managed fields. The very same mapping as long as nothing in it changes, which the compiler's
    memory relies on."""
    status: Raw
    version: int


@dataclass(frozen=True, slots=True)
class Difference:
    """What a list knew better than the watch."""

    added: tuple[Place, ...] = ()
    changed: tuple[Place, ...] = ()
    phantoms: tuple[Place, ...] = ()
    """Known, but not there any more: their deletion was never delivered."""
    history_lost: bool = False
    """The list, or an object in it, is older than what was known before: etcd was restored."""

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.phantoms)


@dataclass(slots=True)
class Inventory:
    """Everything declared, by source."""

    items: dict[Source, dict[Place, Item]] = field(default_factory=lambda: {source: {} for source in Source})
    newest: int = 0
    """The highest resource version ever heard of."""
    _deleted: dict[Source, dict[Place, int]] = field(default_factory=lambda: {source: {} for source in Source})
    """Versions of the deletions heard of since the last list, for a list that was begun before them."""
    _listed_at: dict[tuple[Source, str | None], int] = field(default_factory=dict)
    """Version of the last list of each scope."""

    def take_event(self, source: Source, kind: str | None, raw: Raw, scope: str | None = None) -> bool:
        """One event of a watch: ``ADDED``, ``MODIFIED``, ``DELETED``, or ``None`` for an item of Kopf's own list.

        ``scope`` is the namespace that is watched, ``None`` for all. Returns whether anything but a status changed.
        """
        place, version = _place(raw), _version(raw)
        known = self.items[source].get(place)
        if version <= self._listed_at.get((source, scope), -1) and (known is None or known.version >= version):
            return False
        if known is not None and version < known.version:
            return False
        self.newest = max(self.newest, version)
        if kind == "DELETED":
            self._deleted[source][place] = version
            if known is None or not _same_uid(known.declared, raw):
                return False
            del self.items[source][place]
            return True
        return self._put(source, place, raw, version)

    def heard_until(self, source: Source, scope: str | None = None) -> int:
        """The highest version of what there is or was deleted since the last list. ``scope`` as in :meth:`take_event`."""
        versions = (
            *((place, item.version) for place, item in self.items[source].items()),
            *self._deleted[source].items(),
        )
        return max((version for place, version in versions if scope is None or place.namespace == scope), default=0)

    def take_list(
        self, source: Source, raws: Iterable[Raw], listed_at: str, scope: str | None = None, *, heard_until: int = 0
    ) -> Difference:
        """A complete list, which is the truth as of its version. ``scope`` as in :meth:`take_event`; ``heard_until``:
        :meth:`heard_until` when the list was asked for.
        """
        at = int(listed_at or 0)
        items, deleted = self.items[source], self._deleted[source]
        listed = [(_place(raw), _version(raw), raw) for raw in raws]
        # A watch may run ahead of a list while that is on its way; what it told before the list was asked for, the list
        # knows too, as does each later list. Numbers that were set back may have caught up since: then an object is older
        # than it had been before this list.
        history_lost = at < max(self._listed_at.get((source, scope), -1), heard_until) or any(
            place in items and version < items[place].version <= at for place, version, _ in listed
        )
        self._listed_at[(source, scope)] = at
        for place in [each for each, version in deleted.items() if history_lost or version <= at]:
            if scope is None or place.namespace == scope:
                del deleted[place]
        added: list[Place] = []
        changed: list[Place] = []
        seen: set[Place] = set()
        for place, version, raw in listed:
            seen.add(place)
            if deleted.get(place, -1) > version:
                continue
            known = items.get(place)
            if known is not None and known.version >= version and not history_lost:
                continue
            if self._put(source, place, raw, version):
                (added if known is None else changed).append(place)
        missing = [
            place
            for place, item in items.items()
            if place not in seen
            and (scope is None or place.namespace == scope)
            and (history_lost or item.version <= at)
        ]
        for place in missing:
            del items[place]
        self.newest = at if history_lost else max(self.newest, at)
        return Difference(tuple(added), tuple(changed), tuple(missing), history_lost)

    def take_status(self, source: Source, raw: Raw) -> None:
        """What the API server answered to a write of status. The spec in it is left to the watch to tell."""
        place, version = _place(raw), _version(raw)
        known = self.items[source].get(place)
        if known is not None and known.version < version and _same_uid(known.declared, raw):
            # Its version is kept, so that an event that brings a newer spec under it still counts.
            self.items[source][place] = Item(known.declared, raw.get("status") or {}, known.version)

    def _put(self, source: Source, place: Place, raw: Raw, version: int) -> bool:
        declared = _declared(raw)
        known = self.items[source].get(place)
        same = known is not None and known.declared == declared
        self.items[source][place] = Item(
            known.declared if known is not None and same else declared, raw.get("status") or {}, version
        )
        return not same


_KEPT_METADATA = (
    "name",
    "namespace",
    "uid",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "labels",
    "annotations",
)


def _declared(raw: Raw) -> Raw:
    metadata = raw.get("metadata") or {}
    kept = {name: metadata[name] for name in _KEPT_METADATA if name in metadata}
    annotations = kept.get("annotations")
    if annotations and _LAST_APPLIED in annotations:
        kept["annotations"] = {name: value for name, value in annotations.items() if name != _LAST_APPLIED}
    return {**{name: value for name, value in raw.items() if name not in {"status", "metadata"}}, "metadata": kept}


_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def _place(raw: Raw) -> Place:
    metadata = raw.get("metadata") or {}
    return Place(metadata.get("namespace") or "", metadata.get("name") or "")


def _version(raw: Raw) -> int:
    return int((raw.get("metadata") or {}).get("resourceVersion") or 0)


def _same_uid(declared: Raw, raw: Raw) -> bool:
    return bool((declared.get("metadata") or {}).get("uid") == (raw.get("metadata") or {}).get("uid"))
