"""A provider that fails before its first event: a real status, or an answer from somewhere else, and never both."""

from __future__ import annotations

import asyncio

from fairlead_conformance.case import SHOULD, case
from fairlead_conformance.judge import manner, refused, refused_or_whole, whole_stream
from fairlead_conformance.lab import Failed, Lab, NotApplicable, within
from fairlead_conformance.provider import PRIMARY, Call
from fairlead_conformance.script import (
    CLOSE,
    DONE,
    HANG,
    RESET,
    WHOLE,
    Pause,
    Script,
    answer,
    error_body,
    fails,
    head,
    stream,
)

_MARGIN_SECONDS = 4.0
_WAIT_SECONDS = 90
"""Longer than any gateway known to us waits by itself before it tries again."""

_WAIT = f"retry-after: {_WAIT_SECONDS}"


@case("cut-before", "S2")
async def cut_before(lab: Lab) -> str:
    """Every try is closed before its head: a real error status"""
    return refused(await lab.ask([CLOSE]))


@case("reset-before", "S2")
async def reset_before(lab: Lab) -> str:
    """Every try is torn down before its head: a real error status"""
    return refused(await lab.ask([RESET]))


@case("cut-after-head", "S2")
async def cut_after_head(lab: Lab) -> str:
    """Every try closes between its head and its first event: a real error status"""
    return refused(await lab.ask([head(), Pause(), CLOSE]))


@case("cut-before-once", "S1")
async def cut_before_once(lab: Lab) -> str:
    """The first try is closed before its head: one whole answer or a real error status"""
    return refused_or_whole(await lab.ask([CLOSE], stream(*WHOLE)))


@case("retry", "S1", SHOULD)
async def retry(lab: Lab) -> str:
    """A first try that fails before its first event is made again without the client's noticing"""
    first: dict[str, Script] = {
        "close": [CLOSE],
        "reset": [RESET],
        "503": fails(503),
        "close after the head": [head(), Pause(), CLOSE],
    }
    found = await asyncio.gather(*(lab.ask(script, stream(*WHOLE)) for script in first.values()))
    gave_up = [name for name, seen in zip(first, found, strict=True) if seen.status != 200]
    if gave_up:
        raise Failed(f"not tried again after: {', '.join(gave_up)}")
    for seen in found:
        whole_stream(seen)
    return f"one whole answer each after {', '.join(first)}"


@case("fallback", "S1")
async def fallback(lab: Lab) -> str:
    """When the first provider fails every time, the second one answers, once"""
    if not lab.declared.fallback:
        raise NotApplicable("no fallback was declared (--fallback)")

    def primary_fails(call: Call) -> Script:
        return fails(500) if call.port == PRIMARY else stream(*WHOLE)

    seen = await lab.ask(primary_fails)
    ports = [call.port for call in seen.calls]
    return f"{whole_stream(seen)} ({' → '.join(ports)})"


@case("status", "S2", last=True)
async def status(lab: Lab) -> str:
    """A provider's error status is an error status, not a stream"""
    codes = (400, 401, 404, 429, 500, 503)
    found = await asyncio.gather(*(lab.ask(fails(each, code=None)) for each in codes))
    return ", ".join(f"{sent} → {refused(seen).split(',')[0]}" for sent, seen in zip(codes, found, strict=True))


@case("status-kept", "S2", last=True)
async def status_kept(lab: Lab) -> str:
    """What the client must mend stays 400, what it must wait for stays 429"""
    refused(await lab.ask(fails(400, code="invalid_value", type_="invalid_request_error")), 400)
    refused(await lab.ask(fails(429, _WAIT, code="rate_limit_exceeded", type_="rate_limit_error")), 429)
    return "400 → 400, 429 → 429"


@case("retry-after", "S2", SHOULD, last=True)
async def retry_after(lab: Lab) -> str:
    """A 429 says how long to wait, as the provider said"""
    seen = await lab.ask(fails(429, _WAIT, code="rate_limit_exceeded", type_="rate_limit_error"))
    refused(seen, 429)
    given = seen.reply.head.get("retry-after")
    if not given.isdecimal() or not 60 <= int(given) <= _WAIT_SECONDS:
        raise Failed(f"Retry-After {given!r} where the provider had said {_WAIT_SECONDS}")
    return f"Retry-After {given}"


@case("refused-once", "S2", SHOULD)
async def refused_once(lab: Lab) -> str:
    """A request that the provider calls wrong is not sent again"""
    seen = await lab.ask(fails(400, code="invalid_value", type_="invalid_request_error"))
    refused(seen)
    if len(seen.calls) != 1:
        raise Failed(f"sent {len(seen.calls)} times")
    return "one call"


@case("html-error", "S2")
async def html_error(lab: Lab) -> str:
    """A proxy's HTML page becomes an error in JSON"""
    return refused(await lab.ask(answer(b"<html>Bad Gateway</html>", status=502, kind="text/html")))


@case("error-in-200", "S3")
async def error_in_200(lab: Lab) -> str:
    """A JSON error with status 200 is an error"""
    return refused_or_whole(await lab.ask(answer(error_body()), stream(*WHOLE)))


@case("error-event-first", "S3")
async def error_event_first(lab: Lab) -> str:
    """An error as the first event is still a real status, or another try"""
    wrong = b"data: " + error_body() + b"\n\n"
    return refused_or_whole(await lab.ask(stream(wrong), stream(*WHOLE)))


@case("empty-stream", "S3")
async def empty_stream(lab: Lab) -> str:
    """A stream without any event is an error"""
    return refused(await lab.ask(stream()))


@case("comments-only", "S3", SHOULD)
async def comments_only(lab: Lab) -> str:
    """A stream of nothing but keep-alives is an error"""
    return refused(await lab.ask(stream(b": alive\n\n", b": alive\n\n")))


@case("done-only", "S3", SHOULD)
async def done_only(lab: Lab) -> str:
    """A stream of nothing but [DONE] is not taken for an answer"""
    seen = await lab.ask(stream(DONE))
    return manner(seen) if seen.answer.errors else refused(seen)


@case("garbage-first", "S3", SHOULD)
async def garbage_first(lab: Lab) -> str:
    """Garbage as the first event is an error"""
    return refused(await lab.ask(stream(b"data: {]\n\n", *WHOLE)))


@case("first-byte", "S10")
async def first_byte(lab: Lab) -> str:
    """A provider that never begins is given up within the first-byte timeout"""
    seconds = lab.declared.first_byte_seconds
    if seconds is None:
        raise NotApplicable("no first-byte timeout was declared (--first-byte-seconds)")
    async with lab.talk([HANG], stream(*WHOLE)) as talk:
        reply = None

        async def answered() -> None:
            nonlocal reply
            reply = await talk.reply()
            await reply.reply.rest()

        if not await within(seconds + _MARGIN_SECONDS, answered) or reply is None:
            raise Failed(f"no status {seconds + _MARGIN_SECONDS:g} s after the request")
    return refused_or_whole(reply)


@case("uncommitted", "S1", SHOULD)
async def uncommitted(lab: Lab) -> str:
    """The client gets no status before the first event: until then another try is possible"""
    async with lab.talk([head(), Pause(1.0), *stream(*WHOLE)[1:]]) as talk:
        await talk.arrived()
        head_first = await within(0.5, talk.reply)
    if head_first:
        raise Failed("the status was sent before there was any event")
    return "no status while there was no event"
