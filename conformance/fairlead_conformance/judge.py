"""What cases have in common: each judge returns what was seen, or raises ``Failed`` with it."""

from __future__ import annotations

from fairlead_conformance.client import Ended
from fairlead_conformance.lab import Failed, Seen
from fairlead_conformance.script import HELLO_TEXT


def whole_stream(seen: Seen, text: str = HELLO_TEXT) -> str:
    """A complete answer: all its words, one ``[DONE]`` at the end, no error."""
    if seen.status != 200:
        raise Failed(f"HTTP {seen.status} for an answer that was good: {short(seen.body)}")
    found = seen.answer
    if found.errors:
        raise Failed(f"an error event in an answer that was good: {found.errors[0].get('message')!r:.80}")
    if seen.reply.ended is not Ended.COMPLETE:
        raise Failed(f"the body was {seen.reply.ended.value} although the answer was whole")
    if found.garbage or found.left.strip():
        raise Failed(f"broken event: {short(found.garbage[0] if found.garbage else found.left)}")
    if found.text != text:
        raise Failed(f"the text became {len(found.text)} characters: {found.text[:40]!r}")
    if found.dones != 1 or found.after_done:
        raise Failed(f"{found.dones} × [DONE], {len(found.after_done)} events behind it")
    return f"{len(found.chunks)} events, text intact, one [DONE]"


def good_words(seen: Seen, text: str = HELLO_TEXT) -> str:
    """An answer with all its words and no error; whether ``[DONE]`` is there is another question."""
    found = seen.answer
    if seen.status != 200 or found.errors or seen.reply.ended is not Ended.COMPLETE:
        raise Failed(f"a good answer came as {manner(seen)}")
    if found.text != text:
        raise Failed(f"the text became {found.text[:40]!r}")
    return f"text intact, {found.dones} × [DONE]"


def told_of_cut(seen: Seen, sent: str | None = None) -> str:
    """A stream that broke off after its first words: they arrive, then a typed error event, and no ``[DONE]``."""
    if seen.status != 200:
        return refused(seen)
    found = seen.answer
    if not found.errors:
        raise Failed(f"no error event: {manner(seen)}")
    if found.done_after_error or found.dones:
        raise Failed("an error event, but with [DONE] beside it")
    if seen.reply.ended is not Ended.COMPLETE:
        raise Failed(f"an error event, but the body was {seen.reply.ended.value}")
    if sent is not None and found.text != sent:
        raise Failed(f"an error event, but what had arrived was lost: {found.text!r:.40} of {sent!r:.40}")
    error = found.errors[0]
    return f"error event {error.get('code') or error.get('type')}, no [DONE]"


def refused(seen: Seen, *statuses: int) -> str:
    """A real HTTP status with an error of OpenAI's shape, before anything of an answer."""
    if seen.status < 400:
        raise Failed(manner(seen))
    error = seen.reply.error
    if error is None:
        raise Failed(f"HTTP {seen.status}, but no OpenAI error: {short(seen.body)}")
    if statuses and seen.status not in statuses:
        raise Failed(f"HTTP {seen.status} where {' or '.join(map(str, statuses))} was due")
    return f"HTTP {seen.status}, {error.get('code') or error.get('type')}"


def refused_or_whole(seen: Seen) -> str:
    """Before the first byte: either a status, or one whole answer from another try."""
    if seen.status >= 400:
        return refused(seen)
    return f"{whole_stream(seen)}, after {len(seen.calls)} calls"


def manner(seen: Seen) -> str:
    """In words how a stream ended."""
    if seen.status != 200:
        return f"HTTP {seen.status}: {short(seen.body)}"
    found = seen.answer
    if found.errors:
        return f"HTTP 200 and an error event, body {seen.reply.ended.value}"
    if seen.reply.ended is not Ended.COMPLETE:
        return f"HTTP 200 and {len(found.text)} characters, then the connection {seen.reply.ended.value} without a word"
    end = "[DONE]" if found.dones else "a clean close"
    return f"HTTP 200, {len(found.chunks)} events and {end}: looks whole"


def short(body: bytes) -> str:
    """The beginning of a body, on one line."""
    return " ".join(body[:90].decode("utf-8", "replace").split()) or "empty"
