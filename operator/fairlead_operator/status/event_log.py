"""A memory of the events of the last minutes, so that one that repeats does not become a flood of objects."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from fairlead_operator.status.events import EventToPost

T = TypeVar("T")


class Posting(StrEnum):
    """What to do with an event."""

    NEW = "New"
    """Create it. If the API server has one of that name from longer ago, write its series instead."""
    SERIES = "Series"
    """It is there: write the count into its series."""
    SUPPRESSED = "Suppressed"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and how often the event was seen by now."""

    posting: Posting
    count: int


@dataclass(slots=True)
class _Seen:
    at: float
    count: int = 0
    posted: bool = False


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class _Recent(Generic[T]):
    """The entries used last, so many of them."""

    def __init__(self, capacity: int) -> None:
        self._items: OrderedDict[str, T] = OrderedDict()
        self._capacity = capacity

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: str) -> T | None:
        item = self._items.get(key)
        if item is not None:
            self._items.move_to_end(key)
        return item

    def put(self, key: str, item: T) -> T:
        self._items[key] = item
        self._items.move_to_end(key)
        if len(self._items) > self._capacity:
            self._items.popitem(last=False)
        return item


class EventLog:
    """Decides which events are posted.

    An event seen again within ``window_seconds`` of the last time counts up; every write about one object takes a token
    of its bucket (as client-go's EventSourceObjectSpamFilter does it, with its defaults of 25 and one in five minutes
    for a source), so that an object that flips between two states cannot fill etcd.
    """

    def __init__(
        self, capacity: int = 4096, window_seconds: float = 600.0, burst: int = 10, refill_seconds: float = 60.0
    ) -> None:
        self._seen: _Recent[_Seen] = _Recent(capacity)
        self._buckets: _Recent[_Bucket] = _Recent(capacity)
        self._window_seconds = window_seconds
        self._burst = burst
        self._refill_seconds = refill_seconds

    def __len__(self) -> int:
        return len(self._seen)

    def decide(self, event: EventToPost, now: float) -> Decision:
        """Take note of ``event`` at ``now``, seconds of a clock that never goes back."""
        key = f"{event.regarding.namespace}/{event.name}"
        seen = self._seen.get(key)
        if seen is None or (now - seen.at > self._window_seconds and not event.once):
            seen = self._seen.put(key, _Seen(now))
        seen.at = now
        seen.count += 1
        if (event.once and seen.posted) or not self._take_token(event, now):
            return Decision(Posting.SUPPRESSED, seen.count)
        posting = Posting.SERIES if seen.posted else Posting.NEW
        seen.posted = True
        return Decision(posting, seen.count)

    def forget(self, event: EventToPost) -> None:
        """``event`` could not be posted after all: seen again, it is new."""
        seen = self._seen.get(f"{event.regarding.namespace}/{event.name}")
        if seen is not None:
            seen.posted = False

    def _take_token(self, event: EventToPost, now: float) -> bool:
        about = event.regarding
        key = about.uid or f"{about.kind}/{about.namespace}/{about.name}"
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets.put(key, _Bucket(float(self._burst), now))
        bucket.tokens = min(float(self._burst), bucket.tokens + max(0.0, now - bucket.at) / self._refill_seconds)
        bucket.at = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True
