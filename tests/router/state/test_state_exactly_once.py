"""Whatever becomes of single calls to the store, each request is charged exactly once when all is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from enum import Enum
from typing import TypeVar

from hypothesis import example, given, settings
from hypothesis import strategies as st

from fairlead_router.state.memory import MemoryStore
from fairlead_router.state.resilient import ResilientStore
from fairlead_router.state.store import Balance, Granted, Limit, Refused, StoreUnavailable

NOW = 1000.0
Result = TypeVar("Result")


class Fate(Enum):
    """What becomes of a call."""

    ANSWERED = 0
    NEVER_ARRIVED = 1
    ANSWER_LOST = 2
    LATE = 3
    """It is carried out when its caller has long gone on: at the very end, after all that was done meanwhile."""


class FatefulStore(MemoryStore):
    """A store behind a network."""

    def __init__(self, fates: list[Fate]) -> None:
        super().__init__()
        self.fates = fates
        self.late: list[Callable[[], Coroutine[None, None, object]]] = []

    async def meet(self, call: Callable[[], Coroutine[None, None, Result]]) -> Result:
        fate = self.fates.pop(0) if self.fates else Fate.ANSWERED
        if fate is Fate.LATE:
            self.late.append(call)
        if fate in (Fate.LATE, Fate.NEVER_ARRIVED):
            raise StoreUnavailable(fate.name)
        result = await call()
        if fate is Fate.ANSWER_LOST:
            raise StoreUnavailable(fate.name)
        return result

    async def reserve(
        self, reservation: str, limits: tuple[Limit, ...], micro_usd: int, *, now: float, expires_at: float
    ) -> Granted | Refused:
        real = super().reserve
        return await self.meet(lambda: real(reservation, limits, micro_usd, now=now, expires_at=expires_at))

    async def settle(self, reservation: str, micro_usd: int, *, now: float) -> bool:
        real = super().settle
        return await self.meet(lambda: real(reservation, micro_usd, now=now))

    async def charge(self, reservation: str, limits: tuple[Limit, ...], micro_usd: int, *, now: float) -> bool:
        real = super().charge
        return await self.meet(lambda: real(reservation, limits, micro_usd, now=now))


class Step(Enum):
    """What a client, or the router's own task, does next."""

    RESERVE = 0
    SETTLE = 1
    WRITE = 2
    PROBE = 3


STEPS = st.lists(st.tuples(st.sampled_from(Step), st.sampled_from("abc")), max_size=30)
FATES = st.lists(st.sampled_from(Fate), max_size=30)


@settings(max_examples=500)
@given(steps=STEPS, fates=FATES, ceiling=st.sampled_from([None, 10_000]))
@example(  # a top-up that arrives when all is settled
    steps=[(Step.PROBE, "a"), (Step.RESERVE, "a"), (Step.RESERVE, "a"), (Step.SETTLE, "a")],
    fates=[Fate.ANSWERED, Fate.LATE],
    ceiling=10_000,
)
def test_each_request_is_charged_exactly_once(
    steps: list[tuple[Step, str]], fates: list[Fate], ceiling: int | None
) -> None:
    async def play() -> None:
        inner = FatefulStore(list(fates))
        store = ResilientStore(inner, changed=lambda _: None, wall=lambda: NOW)
        limits = (Limit("day", ceiling, NOW + 86_400),)
        running: dict[str, str] = {}
        spent = 0

        async def end(name: str, micro_usd: int) -> int:
            assert await store.settle(name, micro_usd, now=NOW) is True
            return micro_usd

        for number, (step, who) in enumerate(steps):
            match step:
                case Step.RESERVE:
                    name = running.setdefault(who, f"{who}{number}")
                    assert await store.reserve(name, limits, 10, now=NOW, expires_at=NOW + 900) == Granted(name)
                case Step.SETTLE if who in running:
                    spent += await end(running.pop(who), 7 + number)
                case Step.WRITE if store.available:
                    with suppress(StoreUnavailable):
                        await store._write()
                case Step.PROBE:
                    await store._probe()
                case _:
                    pass
        for name in running.values():
            spent += await end(name, 5)
        while store.owed_micro_usd:
            await store._probe()
            with suppress(StoreUnavailable):
                await store._write()
        for late in inner.late:
            await late()
        await inner.expire(now=NOW + 1000)
        assert await inner.balance("day", now=NOW) == Balance(spent, 0)

    asyncio.run(play())
