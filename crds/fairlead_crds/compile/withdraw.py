"""What is published instead of a snapshot that is too large: the one before, less all that was withdrawn since.

A withdrawal is whatever takes something out of force or makes an object's references, Secrets, visibility or claim less
than they were. It must not wait until somebody has made room for what was added beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import msgspec

from fairlead_contract.fragments import PolicyFragment, ProviderFragment, TenancyFragment
from fairlead_contract.snapshot import Entry, decode_fragment
from fairlead_crds.compile.link import AnyIntent, Linked
from fairlead_crds.compile.memo import Memo
from fairlead_crds.compile.permissions import claims, refuse
from fairlead_crds.compile.previous import Previous
from fairlead_crds.compile.report import Judged, Report
from fairlead_crds.compile.resources import Namespace, Resources, Settings
from fairlead_crds.compile.tenancy import settle
from fairlead_crds.compile.world import TENANCY_KEY, link_all


def less_and_less(
    judged: list[Judged],
    resources: Resources,
    namespaces: Mapping[str, Namespace],
    settings: Settings,
    previous: Previous,
) -> Iterator[list[Entry]]:
    """Entries to try one after the other, none of which adds anything to what ``previous`` published.

    ``judged`` is what today's newest generations come to: what is not in force of them at all is left out. Of the rest the
    published generations are linked with today's world, apart from namespaces that are new.
    """
    kept = [_as_published(item, previous) for item in judged if item.intent is not None]
    before = _tenancy(previous)
    known = {name: item for name, item in namespaces.items() if before is not None and name in before.owners}
    published = [item for item in kept if item is not None]
    tenancy = settle(claims(published), known, settings)
    refuse(published, tenancy, settings)
    linked = link_all(published, resources, known, tenancy, settings, Report(), previous, Memo()).linked
    if before is None:
        linked = {key: item for key, item in linked.items() if key != TENANCY_KEY}
    yield [item.entry for item in linked.values()]
    # The marks of what was withdrawn take room too, if only a few bytes.
    yield [entry for key, item in linked.items() if (entry := _unmarked(item, previous.entries[key])) is not None]


def _as_published(item: Judged, previous: Previous) -> Judged | None:
    """With the published intent, except that who may use a provider is as written now unless that is sure to be more."""
    before, now = previous.last_good(item.declared), item.intent
    if before is None:
        return None
    if (
        isinstance(before, ProviderFragment)
        and isinstance(now, ProviderFragment)
        and before.visible_from != "Same"
        and now.visible_from != "All"
    ):
        before = msgspec.structs.replace(before, visible_from=now.visible_from, visible_selector=now.visible_selector)
    return replace(item, intent=before, refused=None)


def _tenancy(previous: Previous) -> TenancyFragment | None:
    entry = previous.entries.get(TENANCY_KEY)
    fragment = None if entry is None else _decoded(entry)
    return fragment if isinstance(fragment, TenancyFragment) else None


def _unmarked(linked: Linked[AnyIntent], before: Entry) -> Entry | None:
    """What stands for an entry without taking more room; ``None``: nothing, it has to go.

    A provider that lost anything goes. A policy stays as it was, lest the next one take its requests without its
    constraints: a reference of it that may no longer be followed leads to a provider that is gone.
    """
    if linked.entry.digest == before.digest or isinstance(linked.fragment, TenancyFragment):
        return linked.entry
    if isinstance(linked.fragment, PolicyFragment):
        fragment = _decoded(before)
        if isinstance(fragment, PolicyFragment) and fragment.platform == linked.fragment.platform:
            return before
    return None


def _decoded(entry: Entry) -> object:
    try:
        return decode_fragment(entry.fragment)
    except msgspec.ValidationError:
        return None
