"""Which generation of an object is to be linked: the one written, the last good one, or none."""

from __future__ import annotations

import msgspec

from fairlead_crds.compile.declared import PAUSED_ANNOTATION, Declared
from fairlead_crds.compile.findings import Finding, Reason, Severity
from fairlead_crds.compile.intents import Intent, Lowered
from fairlead_crds.compile.previous import Previous
from fairlead_crds.compile.report import Judged
from fairlead_crds.compile.resources import Settings
from fairlead_crds.errors import path_of


def judge(declared: Declared, lowering: Lowered, previous: Previous | None, settings: Settings) -> Judged:
    """Choose by the object itself; whether it may be in force is for others to say."""
    if declared.paused and settings.heed_pauses:
        return _paused(declared, lowering, previous)
    if lowering.intent is not None or lowering.suspended or lowering.error is None or previous is None:
        return Judged(declared, lowering, lowering.intent)
    kept = previous.last_good(declared)
    return Judged(declared, lowering, kept, kept_back=kept is not None)


def _paused(declared: Declared, lowering: Lowered, previous: Previous | None) -> Judged:
    """What is in force stays. Nothing is remarked upon as long as removing the annotation would change nothing."""
    kept = None if previous is None else previous.last_good(declared)
    if kept is None:
        held = None if lowering.suspended and lowering.error is None else _nothing_in_force(declared)
        return Judged(declared, lowering, None, paused=True, held=held)
    if declared.uid and kept.generation == declared.generation:
        return Judged(declared, lowering, kept, paused=True)
    if lowering.intent == msgspec.structs.replace(kept, generation=declared.generation):
        # Where generations are counted by content, as with files, the annotation itself begins a new one.
        return Judged(declared, lowering, lowering.intent, paused=True)
    return Judged(declared, lowering, kept, kept_back=True, paused=True, held=_older_in_force(declared, lowering, kept))


def _nothing_in_force(declared: Declared) -> Finding:
    return _finding(
        declared,
        f"nothing of this {declared.key.kind} is in force, because it is paused and there was nothing before: "
        f"remove the annotation {PAUSED_ANNOTATION} to let generation {declared.generation} in",
    )


def _older_in_force(declared: Declared, lowering: Lowered, kept: Intent) -> Finding:
    mend = "" if lowering.error is None else ", and mend what else is reported of it"
    return _finding(
        declared,
        f"generation {kept.generation} stays in force because this {declared.key.kind} is paused: remove the annotation "
        f"{PAUSED_ANNOTATION} to let generation {declared.generation} in{mend}",
    )


def _finding(declared: Declared, message: str) -> Finding:
    field = path_of(("metadata", "annotations", PAUSED_ANNOTATION))
    return Finding(*declared.key, field, Severity.WARNING, Reason.PAUSED, message)
