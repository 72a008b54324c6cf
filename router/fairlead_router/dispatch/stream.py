"""The life of a streamed answer: uncommitted → committed → settled.

Uncommitted, nothing has reached the client, and dispatch may try again or elsewhere. Committed, the first byte is out: the
answer is never generated again, and a provider that breaks off ends in a typed error event, never in a clean close. Settled,
usage is billed, whatever part of it there was.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from fairlead_contract.decision import Outcome
from fairlead_router.dialect.openai_error import openai_error_body
from fairlead_router.dialect.openai_response import BadAnswer
from fairlead_router.dialect.sse import event_data
from fairlead_router.dispatch.answers import Begun, pass_events
from fairlead_router.dispatch.attempt import Attempts
from fairlead_router.dispatch.failures import CLIENT_CLOSED
from fairlead_router.dispatch.transport.base import CallFailed
from fairlead_router.errors import RouterError, router_stopping, upstream_cut

_DONE = b"data: [DONE]\n\n"
_DRAIN_SECONDS = 0.1
"""How long to wait for the end of a body after ``[DONE]``, so that its connection can be used again."""

_LAST_WORD_SECONDS = 5.0
"""How long a client may take to accept the end of its stream once the stream's own time is over."""


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """How a committed stream ended."""

    outcome: Outcome
    error: RouterError | None = None

    @property
    def code(self) -> str | None:
        """The error's code, if it ended in one."""
        return None if self.error is None else self.error.code


async def relay(
    begun: Begun, write: Callable[[bytes], Awaitable[None]], attempts: Attempts, clock: Callable[[], float]
) -> StreamEnd:
    """Pass a begun stream on to its end and settle it. The first write commits it.

    ``write`` raises ``ConnectionError`` when the client is gone; so is it when this is cancelled. Then the provider is
    hung up on, what was used is charged, and the exception goes on. After a success the provider's connection is still
    open: :func:`let_go` and closing it come next.
    """
    outcome = Outcome.CANCELLED
    code: str | None = CLIENT_CLOSED
    before = clock()
    try:
        end = await _pass_on(begun, write, attempts, clock)
        outcome, code = end.outcome, end.code
        return end
    finally:
        begun.running.job.waited += clock() - before
        if outcome is not Outcome.SUCCEEDED:
            begun.answer.close()
        attempts.settle_stream(begun, outcome, code)


async def let_go(
    begun: Begun, write_end: Callable[[], Awaitable[None]], attempts: Attempts, clock: Callable[[], float]
) -> None:
    """End the answer to the client, and then the provider's, whose end may be a moment behind its ``[DONE]``.

    The stream is settled already: a client that leaves now has its whole answer.
    """
    before = clock()
    try:
        await _in_time(write_end(), attempts)
        if begun.reader.done:
            with suppress(TimeoutError, CallFailed), attempts.deadlines.after(_DRAIN_SECONDS):
                while await begun.answer.read_chunk():
                    pass
    finally:
        begun.running.job.waited += clock() - before


async def _pass_on(
    begun: Begun, write: Callable[[bytes], Awaitable[None]], attempts: Attempts, clock: Callable[[], float]
) -> StreamEnd:
    running = begun.running
    bounds, reader, answer = running.bounds, begun.reader, begun.answer
    remaining = max(0.0, bounds.total - (clock() - running.started))
    attempts.committed(begun)
    cut: str | None = None
    rest = b""
    deadline = attempts.deadlines.after(remaining, idle_seconds=bounds.idle, ends_at_stop=True)
    try:
        with deadline:
            await write(begun.first)
            while not reader.done:
                deadline.reads += 1
                deadline.reading = True
                chunk = await answer.read_chunk()
                deadline.reading = False
                if not chunk:
                    break
                passed, _ = pass_events(begun.splitter, reader, chunk)
                if passed:
                    await write(passed)
    except TimeoutError as error:
        if attempts.deadlines.stopping:
            # Nobody's fault but ours: the provider's breaker must not hear of it.
            failure = router_stopping()
            await _in_time(write(b"data: " + openai_error_body(failure) + b"\n\n"), attempts)
            return StreamEnd(Outcome.CANCELLED, failure)
        if not deadline.reading:
            raise ConnectionAbortedError("the client does not read its stream") from error
        cut = "the provider fell silent, or took longer than totalSeconds"
    except CallFailed:
        cut = "the provider broke off"
    except BadAnswer as error:
        rest = error.before
        cut = f"the provider sent what is no part of an answer ({error.error})"
    if cut is None and not reader.done and not (reader.finished and _says_nothing(begun.splitter.pending)):
        cut = "the provider ended the stream before the answer was complete"
    if cut is not None:
        failure = upstream_cut(f"{running.entry.key}: {cut}; what was sent so far is not the whole answer")
        await _in_time(write(rest + b"data: " + openai_error_body(failure) + b"\n\n"), attempts)
        return StreamEnd(Outcome.TRUNCATED, failure)
    if not reader.done:
        await _in_time(write(_DONE), attempts)
    return StreamEnd(Outcome.SUCCEEDED)


def _says_nothing(pending: bytes) -> bool:
    """Whether what the end of a body cut off is no part of the answer: at most a comment, or ``[DONE]``."""
    return event_data(pending) in {None, b"", b"[DONE]"}


async def _in_time(last_word: Awaitable[None], attempts: Attempts) -> None:
    """Send the end of a stream. Raises ``ConnectionError`` when the client does not take it."""
    try:
        with attempts.deadlines.after(_LAST_WORD_SECONDS):
            await last_word
    except TimeoutError as error:
        raise ConnectionAbortedError("the client does not read the end of its stream") from error
