"""Whether a request went on to another model than it would have had with all well, and why. Pure."""

from __future__ import annotations

from fairlead_contract.decision import DecisionRecord, RemovedBy

BROKEN = "Broken"
"""Breakers or active checks kept the request from those that come first."""

OTHER = "Other"
"""Those before were not even called: a breaker that probes had no room, or a budget no money. Or they failed for what no
fallback can be declared for."""

_BROKEN_BY = frozenset({RemovedBy.CIRCUIT_BREAKER, RemovedBy.HEALTH})


def fallback_cause(record: DecisionRecord) -> str | None:
    """A cause as in ``fallbacks[].on``, or one of the above; ``None``: it went to one of those that come first.

    Weighted targets share what a broken one of them leaves: that is no fallback, but the weights of what is left.
    """
    tried = [attempt for attempt in record.attempts if attempt.model != record.chosen]
    if tried:
        return tried[-1].cause or OTHER
    if record.plan and record.plan[0] != record.chosen:
        return OTHER
    return _cause_of_removal(record)


def _cause_of_removal(record: DecisionRecord) -> str | None:
    """Why nobody before the chosen one was left to try."""
    listed = [(place, each) for place, each in enumerate(record.candidates) if each.removed is None]
    found = next(((place, each) for place, each in listed if each.model == record.chosen), None)
    if found is None:
        return None
    place, chosen = found
    before = record.candidates[:place] if record.strategy == "Priority" else ()
    if chosen.role == "Fallback" or (chosen.role == "Target" and chosen.weight == 0):
        before = record.candidates
    removed = {each.removed.by for each in before if each.removed is not None and each.role != "Fallback"}
    if removed & _BROKEN_BY:
        return BROKEN
    if chosen.role == "Fallback" and RemovedBy.CONTEXT_WINDOW in removed:
        return "ContextWindow"
    return None
