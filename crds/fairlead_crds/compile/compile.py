"""compile_resources: the whole way from declared objects to a sealed snapshot, on one page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fairlead_contract.snapshot import Entry, Sealed
from fairlead_crds.compile.declared import Declarations, Declared, ObjectKey, gather
from fairlead_crds.compile.findings import Finding, ObjectState, Reason, Severity
from fairlead_crds.compile.intents import Lowered
from fairlead_crds.compile.judge import judge
from fairlead_crds.compile.link import AnyIntent, Linked
from fairlead_crds.compile.lower import lower
from fairlead_crds.compile.memo import Memo
from fairlead_crds.compile.permissions import claims, existing_namespaces, refuse
from fairlead_crds.compile.previous import Previous, index
from fairlead_crds.compile.publish import Publication, publish
from fairlead_crds.compile.report import Judged, Report
from fairlead_crds.compile.resources import Resources, Settings
from fairlead_crds.compile.tenancy import settle
from fairlead_crds.compile.withdraw import less_and_less
from fairlead_crds.compile.world import cross_check, link_all


@dataclass(frozen=True, slots=True)
class Compilation:
    """A snapshot and everything there is to say about how it came to be."""

    snapshot: Sealed
    findings: tuple[Finding, ...]
    """Sorted."""
    states: tuple[ObjectState, ...]
    """One per declared object, sorted."""
    changed: bool
    """Whether ``snapshot`` is another than before."""
    previous: Previous
    """For the next call."""
    left_out: str | None = None
    """Why ``snapshot`` holds nothing that was added or edited, only what was withdrawn; ``None``: it holds all."""


def compile_resources(
    resources: Resources, previous: Previous | None, settings: Settings, *, epoch: int | None = None
) -> Compilation:
    """Compile ``resources``; what is invalid or paused stays at the generation that ``previous`` published.

    ``epoch`` starts a new history (at revision 1) where the caller knows that the old one is lost.
    """
    memo = Memo(None if previous is None else previous.memo)
    declarations = gather(resources.objects, memo)
    lowered = _lower_all(declarations.objects, previous)
    judged = [
        judge(declared, lowering, previous, settings)
        for declared, lowering in zip(declarations.objects, lowered, strict=True)
    ]
    namespaces = existing_namespaces(resources, judged)
    claimed = claims(judged)
    tenancy = memo.once("tenancy", (claimed, namespaces, settings), lambda: settle(claimed, namespaces, settings))
    refuse(judged, tenancy, settings)

    report = Report()
    report.add(declarations.findings)
    for item in judged:
        report.add(item.lowered.findings)
        report.add(each for each in (item.held, item.refused) if each is not None)

    world = link_all(judged, resources, namespaces, tenancy, settings, report, previous, memo)
    cross_check(judged, world, namespaces, report, memo)
    linked = world.linked
    less = () if previous is None else less_and_less(judged, resources, namespaces, settings, previous)
    publication = publish([item.entry for item in linked.values()], less, previous, settings, epoch)
    if publication.rejected is not None:
        _report_too_large(publication, linked, judged, report)
    published = previous.entries if previous is not None and not publication.changed else index(publication.entries)
    return Compilation(
        snapshot=publication.sealed,
        findings=report.findings(),
        states=_states(declarations, judged, published, report),
        changed=publication.changed,
        previous=Previous(
            publication.sealed,
            published,
            {
                key: lowering
                for declared, lowering in zip(declarations.objects, lowered, strict=True)
                if (key := declared.memo_key) is not None
            },
            linked,
            memo,
        ),
        left_out=publication.rejected,
    )


def _lower_all(objects: Iterable[Declared], previous: Previous | None) -> list[Lowered]:
    known = {} if previous is None else previous.lowered
    result = []
    for declared in objects:
        key = declared.memo_key
        found = None if key is None else known.get(key)
        result.append(lower(declared) if found is None else found)
    return result


def _report_too_large(
    publication: Publication, linked: Mapping[ObjectKey, Linked[AnyIntent]], judged: list[Judged], report: Report
) -> None:
    """Say so at every object that is published in another form than the one it has come to."""
    published = index(publication.entries)
    for item in judged:
        key = item.declared.key
        compiled = linked.get(key)
        before = published.get(key)
        if compiled is None or (before is not None and before.digest == compiled.entry.digest):
            continue
        entry = compiled.entry
        in_force = before is not None and entry.uid and (before.uid, before.generation) == (entry.uid, entry.generation)
        severity = Severity.WARNING if in_force else Severity.ERROR
        finding = Finding(*key, "", severity, Reason.SNAPSHOT_TOO_LARGE, publication.rejected or "")
        report.add((finding,))
        if not in_force:
            item.refused = item.refused or finding


def _states(
    declarations: Declarations, judged: Iterable[Judged], published: Mapping[ObjectKey, Entry], report: Report
) -> tuple[ObjectState, ...]:
    states = []
    for item in judged:
        entry = published.get(item.declared.key)
        in_force = entry.generation if entry is not None and entry.uid == item.declared.uid else None
        states.append(report.state(item, in_force))
    for declared in declarations.duplicates:
        reason = Reason.DUPLICATE.value
        states.append(ObjectState(*declared.key, declared.uid, declared.generation, None, False, reason, False, reason))
    states.sort(
        key=lambda state: (state.kind, state.namespace, state.name, state.accepted_reason == "Duplicate", state.uid)
    )
    return tuple(states)
