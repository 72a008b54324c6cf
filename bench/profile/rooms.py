"""Which room a sample of the router's stack belongs to. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_FILE = re.compile(r"\(([^():]+)(?::\d+)?\)$")
_ROUTER = "fairlead_router/"

LOOP = "event loop: uvloop, system calls between handlers"
THREADS = "threads: lines written, spans exported"

ROOMS = {
    "http/": "http: connections, requests, answers",
    "aiohttp": "http: connections, requests, answers",
    "identify/": "identify",
    "admit/": "admit",
    "match/": "match",
    "select/": "select",
    "dispatch/transport/": "dispatch/transport: bytes to and from the provider",
    "dispatch/": "dispatch: attempts, breakers, statistics",
    "dialect/": "dialect: JSON in and out",
    "account/": "account and state",
    "state/": "account and state",
    "record/": "record: decision record, metrics, access line",
    "decision.py": "record: decision record, metrics, access line",
    "trace/": "trace",
    "cache/": "cache",
    "pipeline.py": "pipeline",
}


_IDLE = ("wait (", "Condition.wait (", "_worker (", "select (")
"""Innermost frames of threads that have nothing to do."""


def room_of(stack: str) -> str | None:
    """The room of the innermost frame that has one; ``None`` for an idle thread.

    ``stack`` is as py-spy writes it: frames from the outermost, with ``;`` between them.
    """
    frames = stack.split(";")
    if "Runner.run" not in stack:
        return None if frames[-1].startswith(_IDLE) else THREADS
    for frame in reversed(frames):
        found = _FILE.search(frame)
        path = "" if found is None else found[1]
        inside = path.partition(_ROUTER)[2]
        for start, room in ROOMS.items():
            if inside.startswith(start) or (not inside and (f"/{start}/" in path or path.startswith(f"{start}/"))):
                return room
        if path.endswith("fairlead_contract/decision.py"):
            return ROOMS["decision.py"]
    return LOOP


def shares(lines: Iterable[str]) -> dict[str, float]:
    """Share of the samples in each room, the largest first. ``lines``: a stack, a space and a count each."""
    counts: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rstrip().rpartition(" ")
        if (room := room_of(stack)) is not None:
            counts[room] += int(count)
    total = sum(counts.values()) or 1
    return {room: count / total for room, count in counts.most_common()}
