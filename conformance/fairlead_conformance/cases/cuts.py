"""A provider that breaks off after the first words: the client is told, and nobody answers a second time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from fairlead_conformance.case import SHOULD, case
from fairlead_conformance.client import connection
from fairlead_conformance.judge import refused, told_of_cut, whole_stream
from fairlead_conformance.lab import Failed, Lab, NotApplicable, Seen, within
from fairlead_conformance.script import (
    CLOSE,
    DONE,
    FINISH,
    HANG,
    HELLO,
    HELLO_TEXT,
    LAST,
    RESET,
    WHOLE,
    Gate,
    Pause,
    Script,
    Step,
    error_body,
    framed,
    head,
    stream,
    word,
)

_OPEN = stream(*HELLO, ends=False)
_MARGIN_SECONDS = 4.0
_TELLING_SECONDS = 10.0
"""From the request to the end of an answer that breaks off at once."""

_AFTERWARDS_SECONDS = 0.7
"""How long to look for a call that should not come: longer than a first backoff of any gateway known to us."""

_ERROR_EVENT = b"data: " + error_body() + b"\n\n"


async def _broken(lab: Lab, *then: Step, opening: Script = _OPEN, answers_again: bool = False, **fields: Any) -> Seen:
    """A stream that goes on with ``then`` once the client has its first words; a further call would get a whole answer."""
    words = asyncio.Event()
    plays: list[Script] = [[*opening, Gate(words), *then], *([stream(*WHOLE)] if answers_again else [])]
    async with lab.talk(*plays, **fields) as talk:
        try:
            async with asyncio.timeout(_TELLING_SECONDS):
                seen = await talk.reply()
                await seen.reply.until(b"world")
                words.set()
                await seen.reply.rest()
        except TimeoutError:
            raise Failed(f"{_TELLING_SECONDS:g} s later the client still waited to hear of it") from None
        return seen


@case("cut-close", "S7")
async def cut_close(lab: Lab) -> str:
    """The provider closes in mid-stream, inside its framing"""
    return told_of_cut(await _broken(lab, CLOSE), HELLO_TEXT)


@case("cut-reset", "S7")
async def cut_reset(lab: Lab) -> str:
    """The provider's connection is torn down in mid-stream"""
    return told_of_cut(await _broken(lab, RESET), HELLO_TEXT)


@case("cut-until-close", "S8")
async def cut_until_close(lab: Lab) -> str:
    """A stream whose end is the end of the connection stops before its finish"""
    return told_of_cut(await _broken(lab, CLOSE, opening=[head(chunked=False), *HELLO]), HELLO_TEXT)


@case("cut-clean-end", "S8")
async def cut_clean_end(lab: Lab) -> str:
    """A body that ends properly, with neither finish_reason nor [DONE], is truncated"""
    return told_of_cut(await _broken(lab, LAST), HELLO_TEXT)


@case("cut-one-choice", "S8", SHOULD)
async def cut_one_choice(lab: Lab) -> str:
    """Of two choices one never finishes, and there is no [DONE]"""
    other = framed(word("Good", index=1))
    return told_of_cut(await _broken(lab, other, framed(FINISH), LAST, n=2), HELLO_TEXT)


@case("cut-in-event", "S7")
async def cut_in_event(lab: Lab) -> str:
    """The provider ends in the middle of an event"""
    return told_of_cut(await _broken(lab, framed(FINISH[:-25]), LAST), HELLO_TEXT)


@case("cut-in-framing", "S7")
async def cut_in_framing(lab: Lab) -> str:
    """The chunked coding turns to garbage"""
    return told_of_cut(await _broken(lab, b"no size\r\n", CLOSE), HELLO_TEXT)


@case("error-event", "S7")
async def error_event(lab: Lab) -> str:
    """The provider reports an error in mid-stream, then says [DONE] as if nothing was"""
    return told_of_cut(await _broken(lab, framed(_ERROR_EVENT), framed(DONE), LAST), HELLO_TEXT)


@case("error-event-then-close", "S7")
async def error_event_then_close(lab: Lab) -> str:
    """The provider reports an error in mid-stream and closes"""
    return told_of_cut(await _broken(lab, framed(_ERROR_EVENT), CLOSE), HELLO_TEXT)


@case("garbage-event", "S7", SHOULD)
async def garbage_event(lab: Lab) -> str:
    """An event that is no JSON is not passed on as if it were"""
    garbage = framed(b"data: {]\n\n")
    return told_of_cut(await _broken(lab, garbage, framed(FINISH), framed(DONE), LAST), HELLO_TEXT)


@case("error-typed", "S7", SHOULD)
async def error_typed(lab: Lab) -> str:
    """The error of a cut has message, type and code, and the code says what happened"""
    seen = await _broken(lab, CLOSE)
    told_of_cut(seen)
    error = seen.answer.errors[0] if seen.status == 200 else seen.reply.error or {}
    if not isinstance(error.get("type"), str) or not isinstance(error.get("code"), str):
        raise Failed(f"type {error.get('type')!r}, code {error.get('code')!r}")
    return f"type {error['type']}, code {error['code']}"


@case("idle", "S10")
async def idle(lab: Lab) -> str:
    """A provider that falls silent is given up within the idle timeout"""
    seconds = lab.declared.idle_seconds
    if seconds is None:
        raise NotApplicable("no idle timeout was declared (--idle-seconds)")
    async with lab.talk([*_OPEN, HANG]) as talk:
        seen = await talk.words(b"world")
        if not await within(seconds + _MARGIN_SECONDS, seen.reply.rest):
            raise Failed(f"still open {seconds + _MARGIN_SECONDS:g} s after the last event")
    return told_of_cut(seen, HELLO_TEXT)


@case("idle-frees", "S10")
async def idle_frees(lab: Lab) -> str:
    """A provider that falls silent is hung up on"""
    seconds = lab.declared.idle_seconds
    if seconds is None:
        raise NotApplicable("no idle timeout was declared (--idle-seconds)")
    async with lab.talk([*_OPEN, HANG]) as talk:
        call = await talk.arrived()
        if not await within(seconds + _MARGIN_SECONDS, call.hung_up.wait):
            raise Failed(f"its connection was still open after {seconds + _MARGIN_SECONDS:g} s")
    return "the provider saw the connection close"


@case("slow-is-not-idle", "S10")
async def slow_is_not_idle(lab: Lab) -> str:
    """A stream that takes longer than the idle timeout, but never stops for so long, is whole"""
    seconds = lab.declared.idle_seconds
    if seconds is None:
        raise NotApplicable("no idle timeout was declared (--idle-seconds)")
    steps = [step for text in HELLO for step in (text, Pause(seconds * 0.4))]
    return whole_stream(await lab.ask(stream(*steps, FINISH, DONE)))


@case("once", "S6")
async def once(lab: Lab) -> str:
    """After the first byte nobody generates the answer again, whatever breaks"""
    ways: dict[str, Sequence[Step]] = {
        "close": [CLOSE],
        "reset": [RESET],
        "clean end": [LAST],
        "error event": [framed(_ERROR_EVENT), LAST],
    }
    found = await asyncio.gather(*(_broken(lab, *then, answers_again=True) for then in ways.values()))
    await asyncio.sleep(_AFTERWARDS_SECONDS)
    again = [
        name
        for name, seen in zip(ways, found, strict=True)
        if len(seen.calls) != 1 and not seen.calls[0].gates_missed  # held back: nothing was committed
    ]
    if again:
        raise Failed(f"called again after: {', '.join(again)}")
    return f"one call each for {', '.join(ways)}"


@case("one-answer", "S6")
async def one_answer(lab: Lab) -> str:
    """The words of a broken answer and those of another are never joined"""
    text = (seen := await _broken(lab, CLOSE, answers_again=True)).answer.text
    if seen.status == 200 and text != HELLO_TEXT:
        raise Failed(f"the client read {text!r:.60}")
    return f"the client read {text!r}" if seen.status == 200 else refused(seen)


@case("reusable", "S7")
async def reusable(lab: Lab) -> str:
    """After a cut the client's connection serves its next request, unless its close was announced"""
    async with connection(lab.gateway) as link:
        nonce, part = lab.part([*_OPEN, Pause(), CLOSE])
        await link.send(lab.body(nonce))
        first = Seen(await link.reply(), part)
        await first.reply.rest()
        if not first.reply.keeps_alive:
            if first.reply.head.get("connection").lower() == "close":
                return "the gateway had announced that it would close"
            raise Failed(f"the body was {first.reply.ended.value} and the connection is of no more use")
        nonce, part = lab.part(stream(*WHOLE))
        await link.send(lab.body(nonce))
        second = Seen(await link.reply(), part)
        await second.reply.rest()
    return "the next answer on it: " + whole_stream(second)


@case("cut-late", "S8", SHOULD)
async def cut_late(lab: Lab) -> str:
    """A provider that breaks off between finish_reason and [DONE] has given the whole text"""
    seen = await _broken(lab, CLOSE, opening=stream(*HELLO, FINISH, ends=False))
    if seen.status != 200 or seen.answer.text != HELLO_TEXT:
        raise Failed(f"HTTP {seen.status}, text {seen.answer.text!r:.40}")
    if not seen.answer.errors and seen.answer.dones != 1:
        raise Failed("neither [DONE] nor an error event")
    return "an error event" if seen.answer.errors else "[DONE]"
