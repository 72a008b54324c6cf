"""What one compilation hands to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from fairlead_contract.snapshot import Entry, Sealed, decode_fragment, unseal
from fairlead_crds.compile.declared import Declared, ObjectKey
from fairlead_crds.compile.intents import Intent, Lowered, intent_of
from fairlead_crds.compile.link import AnyIntent, Linked
from fairlead_crds.compile.memo import Memo


@dataclass(frozen=True, slots=True)
class Previous:
    """The published snapshot, which alone decides what is last good, and tables that only save work."""

    sealed: Sealed
    entries: Mapping[ObjectKey, Entry]
    lowered: Mapping[tuple[ObjectKey, str, int], Lowered] = field(default_factory=dict)
    linked: Mapping[ObjectKey, Linked[AnyIntent]] = field(default_factory=dict)
    memo: Memo = field(default_factory=Memo)

    @classmethod
    def from_snapshot(cls, sealed: Sealed) -> Previous:
        """After a restart. Raises :class:`~fairlead_contract.snapshot.SnapshotRejected` if it cannot be read."""
        return cls(sealed, index(unseal(sealed).entries))

    def last_good(self, declared: Declared) -> Intent | None:
        """The published generation of this very object, without what the world had added; ``None``: there is none."""
        entry = self.entries.get(declared.key)
        if entry is None or entry.uid != declared.uid:
            return None
        try:
            return intent_of(decode_fragment(entry.fragment))
        except msgspec.ValidationError:
            return None


def index(entries: list[Entry]) -> dict[ObjectKey, Entry]:
    """Entries by the key of their object."""
    return {ObjectKey(entry.kind, entry.namespace, entry.name): entry for entry in entries}
