"""Idempotency-Key: a request sent again because its answer got lost is answered, not made again.

The header is that of the IETF draft draft-ietf-httpapi-idempotency-key-header, its limits are Stripe's: the first request
with a key runs; who repeats it meanwhile waits; who repeats it later gets its answer. What failed was not answered, so a
repeat runs anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from fairlead_router.cache.counts import CacheCounts, Repeat
from fairlead_router.cache.flights import Flights, Turn
from fairlead_router.cache.kept import Answered, Kept
from fairlead_router.cache.keyring import Keyring
from fairlead_router.cache.leases import Leases
from fairlead_router.cache.question import Question
from fairlead_router.cache.vault import Vault
from fairlead_router.errors import (
    RouterError,
    idempotency_key_reused,
    invalid_request,
    repeated_answer_not_kept,
    repeated_while_running,
)

HEADER = "idempotency-key"
_ROOM = "repeat"
_MAX_KEY_CHARACTERS = 255
"""As Stripe takes."""
_POLL_SECONDS, _MAX_POLL_SECONDS = 0.02, 0.25
_RETRY_AFTER_SECONDS = 1.0
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Answered)


@dataclass(slots=True)
class RepeatHold:
    """One request's place under its key."""

    workspace: str = ""
    name: str | None = None
    mark: bytes = b""
    leads: bool = False
    """Whether repeats wait for its answer."""
    claimed: bool = False
    """Whether repeats at other routers do."""
    waited: float = 0.0
    """Seconds spent waiting for the first request."""
    kept: Kept | None = None
    """The answer of the first request."""


class Repeats:
    """Remembers what became of requests with a key. ``shared``: other routers do so in the same store."""

    def __init__(
        self,
        vault: Vault,
        keyring: Keyring,
        leases: Leases,
        counts: CacheCounts,
        *,
        clock: Callable[[], float],
        wait_seconds: float,
        ttl_seconds: float,
        shared: bool,
    ) -> None:
        self._vault = vault
        self._keyring = keyring
        self._leases = leases
        self._counts = counts
        self._clock = clock
        self._wait = wait_seconds
        self._ttl = ttl_seconds
        self._shared = shared
        self._flights: Flights[Answered] = Flights()
        self._marks: dict[str, bytes] = {}
        """Of the requests that lead."""

    async def ask(self, question: Question, hold: RepeatHold) -> None:
        """Fill in ``hold``: an answer, or the turn to get one. :meth:`give_up` comes next if this is cancelled or raises.

        Raises ``RouterError``: 400 for a key that is none, 409 while the first request runs too long to wait for, 422 for
        a key that came with another body.
        """
        key = _key(question.headers[HEADER])
        hold.workspace = question.workspace
        # Only the credential: who is trusted to name users may name them differently when trying again.
        hold.name = name = self._keyring.name(_ROOM, question.workspace, question.subject, key)
        request = question.request
        hold.mark = await question.hashed(lambda: self._keyring.digest(question.workspace, request.type, request.body))
        if self._marks.get(name, hold.mark) != hold.mark:
            raise self._refused(idempotency_key_reused(), Repeat.REUSED)
        came = self._clock()
        try:
            turn = await self._flights.enter(name, self._wait)
        finally:
            hold.waited = self._clock() - came
        if isinstance(turn, Answered):
            hold.kept = self._given_again(turn, hold)
            return
        if turn is Turn.LATE:
            raise self._refused(repeated_while_running(_RETRY_AFTER_SECONDS), Repeat.CONFLICT)
        hold.leads = True
        self._marks[name] = hold.mark
        found = await self._find(hold, came + self._wait)
        if found is not None:
            self._land(hold, found)
            hold.kept = self._given_again(found, hold)
            return
        self._counts.repeated(Repeat.FIRST)

    async def keep(self, hold: RepeatHold, answer: Kept | None) -> None:
        """The request was answered; ``None``: with more than can be kept."""
        answered = Answered(hold.mark, answer)
        # Kept first: a repeat that comes between the two would find neither, and run again.
        if hold.name is not None and await self._vault.keep(
            hold.workspace, hold.name, _ENCODER.encode(answered), ttl_seconds=self._ttl
        ):
            self._counts.stored(0 if answer is None else len(answer.body))
        self._land(hold, answered)
        await self._let_go(hold)

    async def give_up(self, hold: RepeatHold) -> None:
        """There is no answer: the next who waits takes this one's place."""
        if hold.leads:
            hold.leads = False
            assert hold.name is not None
            self._marks.pop(hold.name, None)
            self._flights.hand_over(hold.name)
        await self._let_go(hold)

    def _land(self, hold: RepeatHold, answered: Answered) -> None:
        """Tell the repeats that wait in this process."""
        if hold.leads:
            hold.leads = False
            assert hold.name is not None
            self._marks.pop(hold.name, None)
            self._flights.land(hold.name, answered)

    def _given_again(self, answered: Answered, hold: RepeatHold) -> Kept:
        if answered.mark != hold.mark:
            raise self._refused(idempotency_key_reused(), Repeat.REUSED)
        if answered.answer is None:
            raise self._refused(repeated_answer_not_kept(), Repeat.CONFLICT)
        self._counts.repeated(Repeat.REPLAYED)
        return answered.answer

    def _refused(self, error: RouterError, repeat: Repeat) -> RouterError:
        self._counts.repeated(repeat)
        return error

    async def _let_go(self, hold: RepeatHold) -> None:
        if hold.claimed and hold.name is not None:
            hold.claimed = False
            await self._leases.release(hold.name)

    async def _find(self, hold: RepeatHold, patience: float) -> Answered | None:
        """What became of the first request, waiting (until ``patience``) for another router that is at work on it."""
        assert hold.name is not None
        pause = _POLL_SECONDS
        while True:
            plain = await self._vault.fetch(hold.workspace, hold.name)
            if plain is not None:
                try:
                    return _DECODER.decode(plain)
                except msgspec.MsgspecError:  # Kept by another version.
                    return None
            if not self._shared:
                return None
            hold.claimed = await self._leases.claim(hold.name)
            if hold.claimed:
                return None
            if self._clock() + pause > patience:
                raise self._refused(repeated_while_running(_RETRY_AFTER_SECONDS), Repeat.CONFLICT)
            await asyncio.sleep(pause)
            hold.waited += pause
            pause = min(2 * pause, _MAX_POLL_SECONDS)


def _key(text: str) -> str:
    key = text.strip()
    if not 1 <= len(key) <= _MAX_KEY_CHARACTERS or not key.isprintable():
        message = f"header Idempotency-Key takes 1 to {_MAX_KEY_CHARACTERS} printable characters; a UUID is best"
        raise invalid_request(message, code="idempotency_key_invalid", param=HEADER)
    return key
