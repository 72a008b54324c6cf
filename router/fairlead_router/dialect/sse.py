"""Splits a byte stream into server-sent events, wherever the network cut it.

Only framing lives here: events end at a blank line, whatever mixture of LF and CRLF, and bytes are never decoded, so a
character that arrives in two pieces is no concern. Source: WHATWG HTML, section 9.2.6, without the bare CR that no
provider sends.
"""

from __future__ import annotations


class EventTooLarge(Exception):
    """One event grew beyond the limit."""


class EventSplitter:
    """Feed bytes, take whole events."""

    __slots__ = ("_limit", "_rest", "_searched")

    def __init__(self, *, max_event_bytes: int) -> None:
        self._limit = max_event_bytes
        self._rest = b""
        self._searched = 0

    @property
    def pending(self) -> bytes:
        """What has arrived of an event that is not complete."""
        return self._rest

    def feed(self, data: bytes) -> list[bytes]:
        """Complete events, each with the blank line that ends it. Raises :class:`EventTooLarge`."""
        whole = len(data) - 2
        if not self._rest and whole >= 0 and data.find(b"\n\n") == whole < self._limit - 1 and b"\r" not in data:
            return [data]  # One event, as from a provider that flushes after each.
        buffer = self._rest + data if self._rest else data
        events: list[bytes] = []
        start, search = 0, self._searched
        while True:
            end = _event_end(buffer, search)
            if end < 0:
                break
            if end - start > self._limit:
                raise EventTooLarge
            events.append(buffer[start:end])
            start = search = end
        self._rest = buffer[start:] if start else buffer
        if len(self._rest) > self._limit:
            raise EventTooLarge
        self._searched = max(0, len(self._rest) - 3)
        return events


def _event_end(buffer: bytes, search: int) -> int:
    plain = buffer.find(b"\n\n", search)
    # Both may share a line feed (``\n\r\n\n``): whichever ends first counts, or the answer would depend on the cuts.
    mixed = buffer.find(b"\n\r\n", search, plain + 1 if plain >= 0 else len(buffer))
    if mixed >= 0:
        return mixed + 3
    return plain + 2 if plain >= 0 else -1


def event_data(event: bytes) -> bytes | None:
    """The joined ``data`` lines of an event; ``None`` for one that carries none (a comment, a keep-alive)."""
    if event.startswith(b"data:") and event.count(b"\n") <= 2:
        return event[5:].strip()
    lines = [line[5:].removeprefix(b" ") for line in event.splitlines() if line.startswith(b"data:")]
    return b"\n".join(lines) if lines else None
