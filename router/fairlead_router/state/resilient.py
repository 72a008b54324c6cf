"""A store that may go away, made into one that always answers: in the worst case it says what this process alone knows.

While the store answers, what needs its word is asked (money with a ceiling, values, boards), each for a bounded time; what
does not is written behind, see :mod:`~fairlead_router.state.owed`. At the first failure everything is local at once, so that no
request waits for a dead store twice; a probe finds out when it is back, and what was spent meanwhile is then charged once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from fairlead_router.state.memory import MemoryStore
from fairlead_router.state.owed import Held, Owed
from fairlead_router.state.store import Balance, Granted, Limit, Refused, StateStore, StoreUnavailable

logger = logging.getLogger("fairlead.store")

_WRITE_SECONDS = 0.01
"""Pause between two rounds of writing behind: requests that end within it cost the store one charge for all of them."""

_LOCAL_VALUES = 10_000
_LOCAL_BYTES = 8 * 1024 * 1024
_PROBE_SECONDS = 5.0
_PROBE_TTL_SECONDS = 60.0

Result = TypeVar("Result")


class ResilientStore:
    """:class:`~fairlead_router.state.store.StateStore` over another one; no method raises ``StoreUnavailable``.

    Call :meth:`start` before the first request and run :meth:`keep` as a task. ``changed`` hears why the store is away, or
    ``None`` when it is back.
    """

    def __init__(
        self,
        inner: StateStore,
        *,
        changed: Callable[[str | None], None],
        operation_seconds: float = 0.25,
        probe_seconds: float = 1.0,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """``operation_seconds``: the longest that a request waits for the store."""
        self._inner = inner
        self._changed = changed
        self._operation_seconds = operation_seconds
        self._probe_seconds = probe_seconds
        self._wall = wall
        self._wake = asyncio.Event()
        self._local = _local()
        self._owed = Owed()
        self._away: str | None = "it was not asked yet"

    @property
    def available(self) -> bool:
        """Whether the store answered last."""
        return self._away is None

    @property
    def owed_micro_usd(self) -> int:
        """Money of ended requests that is not yet in the store."""
        return self._owed.micro_usd

    async def start(self) -> None:
        """Ask the store for the first time. Raises ``StoreUnavailable``; whoever goes on then, goes on degraded."""
        try:
            await self._probe()
        except StoreUnavailable as error:
            self._lost(str(error))
            raise

    async def keep(self) -> None:
        """Write behind while the store is there, and look for it while it is not, until cancelled."""
        while True:
            if self._away is None:
                await self._wake.wait()
                self._wake.clear()
                with suppress(StoreUnavailable):
                    await self._write()
                await asyncio.sleep(_WRITE_SECONDS)
                continue
            try:
                await self._probe()
            except StoreUnavailable as error:
                self._lost(str(error))
                await asyncio.sleep(self._probe_seconds)

    # ------------------------------------------------------------------------------------------------ money

    async def reserve(
        self, reservation: str, limits: tuple[Limit, ...], micro_usd: int, *, now: float, expires_at: float
    ) -> Granted | Refused:
        """See the interface. Accounts without a ceiling cannot refuse, so nobody waits for them."""
        held = self._owed.held(reservation, limits, expires_at)
        if all(limit.limit_micro_usd is None for limit in limits):
            self._owed.begin(reservation, held, micro_usd)
            self._wake.set()
            return Granted(reservation)
        if self._away is None:
            with suppress(StoreUnavailable):
                return await self._reserve_there(reservation, held, micro_usd, now=now, expires_at=expires_at)
        answer = await self._local.reserve(reservation, limits, micro_usd, now=now, expires_at=expires_at)
        if isinstance(answer, Granted):
            held.micro_usd += micro_usd
        return answer

    async def settle(self, reservation: str, micro_usd: int, *, now: float) -> bool:
        """See the interface. Written behind."""
        await self._local.settle(reservation, micro_usd, now=now)
        known = self._owed.end(reservation, micro_usd)
        self._wake.set()
        return known

    async def charge(self, reservation: str, limits: tuple[Limit, ...], micro_usd: int, *, now: float) -> bool:
        """See the interface. Written behind."""
        known = self._owed.charge(reservation, limits, micro_usd)
        self._wake.set()
        return known

    async def expire(self, *, now: float) -> int:
        """See the interface."""
        await self._local.expire(now=now)
        late = self._owed.expire(now)
        self._wake.set()
        there = 0
        if self._away is None:
            with suppress(StoreUnavailable):
                there = await self._ask(self._inner.expire(now=now))
        return late + there

    async def balance(self, account: str, *, now: float) -> Balance:
        """See the interface."""
        if self._away is None:
            with suppress(StoreUnavailable):
                return await self._ask(self._inner.balance(account, now=now))
        return await self._local.balance(account, now=now)

    # ------------------------------------------------------------------------------------------------ values and boards

    async def get(self, key: str, *, now: float) -> bytes | None:
        """See the interface."""
        if self._away is None:
            with suppress(StoreUnavailable):
                return await self._ask(self._inner.get(key, now=now))
        return await self._local.get(key, now=now)

    async def put(self, key: str, value: bytes, *, now: float, ttl_seconds: float) -> None:
        """See the interface."""
        if self._away is None:
            with suppress(StoreUnavailable):
                await self._ask(self._inner.put(key, value, now=now, ttl_seconds=ttl_seconds))
                return
        await self._local.put(key, value, now=now, ttl_seconds=ttl_seconds)

    async def put_if_absent(self, key: str, value: bytes, *, now: float, ttl_seconds: float) -> bool:
        """See the interface. While the store is away, of each router one succeeds."""
        if self._away is None:
            with suppress(StoreUnavailable):
                return await self._ask(self._inner.put_if_absent(key, value, now=now, ttl_seconds=ttl_seconds))
        return await self._local.put_if_absent(key, value, now=now, ttl_seconds=ttl_seconds)

    async def delete(self, key: str, *, now: float, only: bytes | None = None) -> bool:
        """See the interface."""
        if self._away is None:
            with suppress(StoreUnavailable):
                return await self._ask(self._inner.delete(key, now=now, only=only))
        return await self._local.delete(key, now=now, only=only)

    async def share(self, topic: str, key: str, value: bytes, *, now: float, ttl_seconds: float) -> None:
        """See the interface."""
        if self._away is None:
            with suppress(StoreUnavailable):
                await self._ask(self._inner.share(topic, key, value, now=now, ttl_seconds=ttl_seconds))
                return
        await self._local.share(topic, key, value, now=now, ttl_seconds=ttl_seconds)

    async def shared(self, topic: str, *, now: float) -> dict[str, bytes]:
        """See the interface."""
        if self._away is None:
            with suppress(StoreUnavailable):
                return await self._ask(self._inner.shared(topic, now=now))
        return await self._local.shared(topic, now=now)

    async def close(self) -> None:
        """Write what is owed, if the store is there, and say what it does not get."""
        if self._away is None:
            with suppress(StoreUnavailable):
                await self._write()
        if self._owed.micro_usd:
            logger.error(
                "stopping with $%.6f spent that the store was not told; reservations that it holds expire in full",
                self._owed.micro_usd / 1e6,
            )
        await self._inner.close()

    # ------------------------------------------------------------------------------------------------ inside

    async def _reserve_there(
        self, reservation: str, held: Held, micro_usd: int, *, now: float, expires_at: float
    ) -> Granted | Refused:
        before = held.asked, held.doubt
        held.asked = held.doubt = True
        step = self._inner.reserve(reservation, held.limits, micro_usd, now=now, expires_at=expires_at)
        answer = await self._ask(step)
        held.asked, held.doubt = before
        if isinstance(answer, Granted):
            held.asked = True
            held.micro_usd += micro_usd
        return answer

    async def _write(self) -> None:
        """One round of what is written behind, at once. Raises ``StoreUnavailable``; what failed is kept for the next."""
        now = self._wall()
        steps = [self._begin(name, held, now) for name, held in self._owed.take_beginnings()]
        steps += [self._end(name, held, now) for name, held in self._owed.endings(now)]
        failed = [each for each in await asyncio.gather(*steps, return_exceptions=True) if each is not None]
        if failed:
            raise failed[0]

    async def _begin(self, name: str, held: Held, now: float) -> None:
        doubt_before = held.doubt
        held.asked = held.doubt = True
        micro_usd, held.pending = held.pending, 0
        await self._ask(self._inner.reserve(name, held.limits, micro_usd, now=now, expires_at=held.expires_at))
        held.doubt = doubt_before

    async def _end(self, name: str, held: Held, now: float) -> None:
        """Charge what a request cost, once.

        A reservation of which every call was answered is settled. That may be repeated, but a "no" is then ambiguous: settled
        by a call whose answer was lost, or forgotten by a store that lost its data. Only a first "no" means the latter, and is
        made good. Where there is doubt the name is charged: of that the store keeps a note, which costs it memory, and by
        which it knows a second charge, and a reservation that arrives after all.
        """
        spent = held.spent
        if not held.asked:
            await self._begin(name, held, now)
        if held.doubt:
            await self._ask(self._inner.charge(name, held.limits, spent, now=now))
        else:
            first, held.settling = not held.settling, True
            if not await self._ask(self._inner.settle(name, spent, now=now)) and first:
                held.doubt = True
                await self._ask(self._inner.charge(name, held.limits, spent, now=now))
        self._owed.written(name)

    async def _ask(self, step: Awaitable[Result]) -> Result:
        """At most ``operation_seconds``. Raises ``StoreUnavailable``, after which the store is away."""
        try:
            async with asyncio.timeout(self._operation_seconds):
                return await step
        except TimeoutError:
            error = StoreUnavailable(f"no answer within {self._operation_seconds:g} s")
        except StoreUnavailable as unavailable:
            error = unavailable
        self._lost(str(error))
        raise error

    async def _probe(self) -> None:
        """A write, as a replica that was a master answers reads. May take as long as connecting takes."""
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                await self._inner.put("probe", b"", now=self._wall(), ttl_seconds=_PROBE_TTL_SECONDS)
        except TimeoutError:
            raise StoreUnavailable(f"no answer within {_PROBE_SECONDS:g} s") from None
        self._away = None
        self._local = _local()
        self._changed(None)
        self._wake.set()
        logger.info("the state store answers")

    def _lost(self, reason: str) -> None:
        if self._away is None:
            logger.error("the state store is away: %s; this router goes on by itself", reason)
        self._away = reason
        self._changed(reason)
        self._wake.set()


def _local() -> MemoryStore:
    """What this router knows while the store is away; forgotten afterwards."""
    return MemoryStore(max_values=_LOCAL_VALUES, max_value_bytes=_LOCAL_BYTES)
