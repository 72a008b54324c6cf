"""What all workers say on their admin APIs, as one answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

_DECISIONS = 100


class _Brief(msgspec.Struct, rename="camel"):
    """The part of ``/-/config`` that is compared."""

    epoch: int
    revision: int
    source: str | None = None
    last_offer_runs: bool = True


class _Decisions(msgspec.Struct):
    decisions: list[str]


@dataclass(frozen=True, slots=True)
class Said:
    """One worker's answer."""

    status: int
    content_type: str
    body: bytes


_NOTHING = msgspec.Raw(b"{}")
_OF_REFUSING = ("lastRejected", "lastOfferRuns")


def merged_config(answers: Sequence[tuple[int, Said]]) -> Said:
    """``/-/config`` of several workers, each with its slot: what the one says that is furthest behind.

    A generation is in force when every worker runs it. A refusal by any of them is told, and doors are those of the one that
    watches. ``workers`` says what each of them runs.
    """
    failed = next((said for _, said in answers if said.status != 200), None)
    if failed is not None:
        return failed
    read = [
        (slot, msgspec.json.decode(said.body, type=_Brief), msgspec.json.decode(said.body, type=dict[str, msgspec.Raw]))
        for slot, said in answers
    ]
    _, _, behind = min(read, key=lambda one: (one[1].source is not None, one[1].epoch, one[1].revision))
    result = dict(behind)
    for _, brief, raw in read:
        if not brief.last_offer_runs:
            result |= {name: raw[name] for name in _OF_REFUSING if name in raw}
        if bytes(raw.get("doors", _NOTHING)) != bytes(_NOTHING):
            result["doors"] = raw["doors"]
    workers = [
        {"worker": slot, "epoch": brief.epoch, "revision": brief.revision, "source": brief.source}
        for slot, brief, _ in read
    ]
    result["workers"] = msgspec.Raw(msgspec.json.encode(workers))
    return Said(200, "application/json", msgspec.json.encode(result))


def newest_decisions(answers: Sequence[Said]) -> Said:
    """``/-/decisions``: the newest of all; their ids begin with the time."""
    ids = [
        decision
        for said in answers
        if said.status == 200
        for decision in msgspec.json.decode(said.body, type=_Decisions).decisions
    ]
    newest = sorted(ids, reverse=True)[:_DECISIONS]
    return Said(200, "application/json", msgspec.json.encode({"decisions": newest}))


def first_found(answers: Sequence[Said]) -> Said:
    """The answer of whoever has it; if nobody has, one of those that say so."""
    return min(answers, key=lambda said: said.status)


def worst(answers: Sequence[Said]) -> Said:
    """What was done everywhere is done; if one could not do it, that is the answer."""
    return max(answers, key=lambda said: said.status)
