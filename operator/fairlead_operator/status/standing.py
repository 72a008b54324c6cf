"""Since which snapshot each object has been as it is, so that an edit of one leaves the others Programmed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fairlead_contract.snapshot import Entry, Version
from fairlead_crds.compile import ObjectState, Reason
from fairlead_crds.compile.declared import ObjectKey

Mark = tuple[str, int | None, str | None]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is in force of an object, and the first snapshot in which it was."""

    since: Version
    mark: Mark
    """Of an object in the snapshot: uid, generation in force, digest. Of any other: uid, generation as written, ``None``;
    routers obey it once they run a snapshot without it."""


def track(
    before: Mapping[ObjectKey, Standing],
    entries: Mapping[ObjectKey, Entry],
    states: Iterable[ObjectState],
    version: Version,
) -> dict[ObjectKey, Standing]:
    """The standing of all objects under the snapshot ``version``, which is made of ``entries``.

    With nothing ``before``, as after a restart, everything stands since ``version``: too late for most, which shows only
    until all routers run it.
    """
    result: dict[ObjectKey, Standing] = {}
    for state in states:
        if state.accepted_reason == Reason.DUPLICATE:
            continue
        key = ObjectKey(state.kind, state.namespace, state.name)
        entry = entries.get(key)
        mark: Mark = (state.uid, state.generation, None)
        if entry is not None and entry.uid == state.uid:
            mark = (state.uid, entry.generation, entry.digest)
        known = before.get(key)
        result[key] = known if known is not None and known.mark == mark else Standing(version, mark)
    return result
