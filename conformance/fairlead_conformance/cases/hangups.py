"""A client that goes away takes the call to the provider with it."""

from __future__ import annotations

from fairlead_conformance.case import case
from fairlead_conformance.lab import Failed, Lab, within
from fairlead_conformance.provider import Play
from fairlead_conformance.script import (
    HANG,
    HELLO,
    Pause,
    Step,
    answer,
    completion,
    framed,
    head,
    stream,
    word,
)

_SOON_SECONDS = 0.15
"""Between the provider's getting the request and the client's leaving: the gateway has time to settle into waiting."""

_TALK: list[Step] = [step for _ in range(400) for step in (framed(word("more ")), Pause(0.02))]


async def _leaves(lab: Lab, play: Play, *, reads: bytes = b"", streamed: bool = True, reset: bool = False) -> str:
    async with lab.talk(play, stream=streamed) as talk:
        call = await talk.arrived()
        if reads:
            await talk.words(reads)
        else:
            await within(_SOON_SECONDS, call.hung_up.wait)
        talk.connection.hang_up(reset=reset)
        limit = lab.declared.hang_up_seconds
        if not await within(limit, call.hung_up.wait):
            raise Failed(f"{limit:g} s later the provider's connection was still open")
        calls = len(talk.part.calls)
    if calls != 1:
        raise Failed(f"the provider was called {calls} times for a client that was gone")
    return "the provider saw the connection close"


@case("hangup-before-head", "S12")
async def hangup_before_head(lab: Lab) -> str:
    """Before the provider has said anything, a stream"""
    return await _leaves(lab, [HANG])


@case("hangup-before-event", "S12")
async def hangup_before_event(lab: Lab) -> str:
    """Between the provider's head and its first event"""
    return await _leaves(lab, [head(), framed(b": alive\n\n"), HANG])


@case("hangup-quiet", "S12")
async def hangup_quiet(lab: Lab) -> str:
    """In mid-stream, while the provider is quiet"""
    return await _leaves(lab, [*stream(*HELLO, ends=False), HANG], reads=b"world")


@case("hangup-talking", "S12")
async def hangup_talking(lab: Lab) -> str:
    """In mid-stream, while the provider goes on talking"""
    return await _leaves(lab, [*stream(*HELLO, ends=False), *_TALK], reads=b"world")


@case("hangup-reset", "S12")
async def hangup_reset(lab: Lab) -> str:
    """In mid-stream, by a reset"""
    return await _leaves(lab, [*stream(*HELLO, ends=False), HANG], reads=b"world", reset=True)


@case("hangup-whole", "S12")
async def hangup_whole(lab: Lab) -> str:
    """Before the head of an answer that is not streamed"""
    return await _leaves(lab, [HANG], streamed=False)


@case("hangup-in-whole", "S12")
async def hangup_in_whole(lab: Lab) -> str:
    """In the middle of an answer that is not streamed"""
    (body,) = answer(completion())
    assert isinstance(body, bytes), "an answer is one piece"
    return await _leaves(lab, [body[:-40], HANG], streamed=False)


@case("hangup-whole-reset", "S12")
async def hangup_whole_reset(lab: Lab) -> str:
    """Before the head of an answer that is not streamed, by a reset"""
    return await _leaves(lab, [HANG], streamed=False, reset=True)
