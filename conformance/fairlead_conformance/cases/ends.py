"""How a good answer ends, and how it ends when the provider is careless about it."""

from __future__ import annotations

from fairlead_conformance.case import SHOULD, case
from fairlead_conformance.client import Ended
from fairlead_conformance.judge import good_words, whole_stream
from fairlead_conformance.lab import Failed, Lab, Seen, within
from fairlead_conformance.provider import Play
from fairlead_conformance.script import DONE, FINISH, HANG, HELLO, RESET, Pause, stream, word

_PROMPTLY_SECONDS = 3.0


@case("done-missing", "S9")
async def done_missing(lab: Lab) -> str:
    """An answer that finished is whole, [DONE] or not"""
    return good_words(await lab.ask(stream(*HELLO, FINISH)))


@case("done-supplied", "S9", SHOULD)
async def done_supplied(lab: Lab) -> str:
    """A client gets [DONE] even if the provider forgot it"""
    return whole_stream(await lab.ask(stream(*HELLO, FINISH)))


@case("done-unterminated", "S9")
async def done_unterminated(lab: Lab) -> str:
    """An answer whose [DONE] lacks the blank line behind it is whole"""
    return good_words(await lab.ask(stream(*HELLO, FINISH, DONE.strip())))


@case("finish-missing", "S9", SHOULD)
async def finish_missing(lab: Lab) -> str:
    """An answer that ends in [DONE] is whole even if no choice said why it finished"""
    return whole_stream(await lab.ask(stream(*HELLO, DONE)))


@case("done-twice", "S9")
async def done_twice(lab: Lab) -> str:
    """[DONE] is said once"""
    return whole_stream(await lab.ask(stream(*HELLO, FINISH, DONE, DONE)))


@case("after-done", "S9")
async def after_done(lab: Lab) -> str:
    """Nothing follows [DONE]"""
    return whole_stream(await lab.ask(stream(*HELLO, FINISH, DONE, word("late"), FINISH)))


@case("finish-twice", "S9")
async def finish_twice(lab: Lab) -> str:
    """A second finish_reason harms nothing"""
    return whole_stream(await lab.ask(stream(*HELLO, FINISH, FINISH, DONE)))


@case("open-after-done", "S9", SHOULD)
async def open_after_done(lab: Lab) -> str:
    """A body that stays open after [DONE] does not keep the client waiting"""
    return whole_stream(await _soon(lab, [*stream(*HELLO, FINISH, DONE, ends=False), HANG]))


@case("reset-after-done", "S9")
async def reset_after_done(lab: Lab) -> str:
    """A connection that breaks after [DONE] breaks nothing"""
    return whole_stream(await _soon(lab, [*stream(*HELLO, FINISH, DONE, ends=False), Pause(0.1), RESET]))


async def _soon(lab: Lab, play: Play) -> Seen:
    async with lab.talk(play) as talk:
        seen = await talk.words(b"[DONE]")
        in_time = await within(_PROMPTLY_SECONDS, seen.reply.rest)
    if not in_time and seen.reply.ended is Ended.NOT_YET:
        raise Failed(f"{_PROMPTLY_SECONDS:g} s after [DONE] the client still waited for the end")
    return seen
