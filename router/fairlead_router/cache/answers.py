"""The response cache: the same question of the same workspace to the same models gets the answer it got before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from fairlead_contract.decision import CacheResult
from fairlead_contract.fragments import Cache
from fairlead_router.cache.canonical import canonical
from fairlead_router.cache.counts import CacheCounts
from fairlead_router.cache.flights import Flights, Turn
from fairlead_router.cache.kept import Kept
from fairlead_router.cache.keyring import Keyring
from fairlead_router.cache.leases import Leases
from fairlead_router.cache.question import Directives, Question
from fairlead_router.cache.vault import Vault

_ROOM = "cache"
_POLL_SECONDS, _MAX_POLL_SECONDS = 0.02, 0.25
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Kept)


@dataclass(slots=True)
class CacheHold:
    """One request's place at the cache."""

    result: CacheResult
    workspace: str = ""
    name: str | None = None
    """Where its answer goes; ``None``: nowhere."""
    ttl_seconds: int = 0
    leads: bool = False
    """Whether others wait for its answer."""
    claimed: bool = False
    """Whether other routers do."""
    waited: float = 0.0
    """Seconds spent waiting for somebody else's answer."""
    kept: Kept | None = None
    """The answer found."""


class ResponseCache:
    """Opt-in by policy. ``shared``: other routers keep answers in the same store."""

    def __init__(
        self,
        vault: Vault,
        keyring: Keyring,
        leases: Leases,
        counts: CacheCounts,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
        wait_seconds: float,
        shared: bool,
    ) -> None:
        self._vault = vault
        self._keyring = keyring
        self._leases = leases
        self._counts = counts
        self._clock = clock
        self._wall = wall
        self._wait = wait_seconds
        self._shared = shared
        self.flights: Flights[Kept] = Flights()

    async def ask(self, question: Question, cache: Cache, hold: CacheHold) -> None:
        """Fill in ``hold``: an answer, or the turn to get one. :meth:`give_up` comes next if this is cancelled."""
        directives = Directives.of(question.headers)
        name = None if directives.unkept else await question.hashed(lambda: self._name(question))
        if name is None:
            return
        hold.workspace, hold.name, hold.ttl_seconds = question.workspace, name, cache.ttl_seconds
        if directives.fresh:
            return
        hold.result = CacheResult.MISS
        came = self._clock()
        try:
            turn = await self.flights.enter(name, self._wait)
        finally:
            hold.waited = self._clock() - came
        if isinstance(turn, Kept):
            if question.may_be_answered_by(turn.model):
                hold.result, hold.kept = CacheResult.SHARED, turn
        elif turn is Turn.LEAD:
            hold.leads = True
            found = await self._find(question, hold, came + self._wait)
            if found is not None:
                hold.result, hold.kept = CacheResult.HIT, found
                self._land(hold, found)

    async def keep(self, hold: CacheHold, answer: Kept) -> None:
        """Keep a complete answer, and give it to those who wait for it."""
        # Kept first: whoever comes between the two would find neither the leader nor its answer.
        if hold.name is not None and await self._vault.keep(
            hold.workspace, hold.name, _ENCODER.encode(answer), ttl_seconds=hold.ttl_seconds
        ):
            self._counts.stored(len(answer.body))
        self._land(hold, answer)
        await self._let_go(hold)

    async def pass_over(self, hold: CacheHold) -> None:
        """The answer is none to be kept; those who wait ask for themselves."""
        self._land(hold, None)
        await self._let_go(hold)

    async def give_up(self, hold: CacheHold) -> None:
        """There is no answer: the next who waits takes this one's place."""
        if hold.leads:
            hold.leads = False
            assert hold.name is not None
            self.flights.hand_over(hold.name)
        await self._let_go(hold)

    def _land(self, hold: CacheHold, answer: Kept | None) -> None:
        """Tell those who wait in this process."""
        if hold.leads:
            hold.leads = False
            assert hold.name is not None
            self.flights.land(hold.name, answer)

    async def _let_go(self, hold: CacheHold) -> None:
        if hold.claimed and hold.name is not None:
            hold.claimed = False
            await self._leases.release(hold.name)

    def _name(self, question: Question) -> str | None:
        """Of the entry; ``None`` if an answer can only be this request's own."""
        policy, request = question.policy, question.request
        body = canonical(request.body, stream=request.stream)
        if policy is None or body is None:
            return None
        selection = question.selection
        canary = selection.canary
        on_canary = canary is not None and (canary.assigned or selection.affinity == canary.model)
        return self._keyring.name(
            _ROOM,
            question.workspace,
            policy.fragment.uid,
            # A canary is judged by answers of its own, or its share of the traffic would not be the one declared.
            canary.model if canary is not None and on_canary else None,
            question.versions(),
            request.type,
            body,
        )

    async def _find(self, question: Question, hold: CacheHold, patience: float) -> Kept | None:
        """The answer kept, at once, or (until ``patience``) once another router that is at work on it has kept it."""
        assert hold.name is not None
        pause = _POLL_SECONDS
        while True:
            found = await self._fetch(question, hold)
            if found is not None or not self._shared:
                return found
            hold.claimed = await self._leases.claim(hold.name)
            if hold.claimed or self._clock() + pause > patience:
                return None
            await asyncio.sleep(pause)
            hold.waited += pause
            pause = min(2 * pause, _MAX_POLL_SECONDS)

    async def _fetch(self, question: Question, hold: CacheHold) -> Kept | None:
        assert hold.name is not None
        plain = await self._vault.fetch(question.workspace, hold.name)
        if plain is None:
            return None
        try:
            found = _DECODER.decode(plain)
        except msgspec.MsgspecError:  # Kept by another version.
            return None
        young = self._wall() - found.at < hold.ttl_seconds  # The policy may have become stricter since.
        return found if young and question.may_be_answered_by(found.model) else None
