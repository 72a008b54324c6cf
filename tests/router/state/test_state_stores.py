"""The contract over every implementation, and laws against a model of the simplest kind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from devcluster.redis_server import RedisServer
from fairlead_router.state.memory import MemoryStore
from fairlead_router.state.store import Balance, Granted, Limit, StateStore
from tests.router.state.contract import NOW, StateStoreContract
from tests.router.state.timed_redis import TimedRedisStore

Result = TypeVar("Result")
STEP = 100.0
ACCOUNTS = {"day": 100, "week": 150, "counted": None}
LIMITS = {name: Limit(name, limit, 1e9) for name, limit in ACCOUNTS.items()}
RESERVATIONS = st.sampled_from(("r1", "r2", "r3", "r4"))


class TestMemoryStore(StateStoreContract):
    """The store of one process."""

    async def make_store(self) -> StateStore:
        return MemoryStore()

    async def test_it_keeps_only_so_many_values_and_drops_the_one_put_longest_ago(self) -> None:
        store = MemoryStore(max_values=2)
        for name in ("a", "b", "a", "c"):
            await store.put(name, name.encode(), now=NOW, ttl_seconds=10)
        assert [await store.get(name, now=NOW) for name in "abc"] == [b"a", None, b"c"]

    async def test_it_keeps_only_so_many_bytes_of_values_and_drops_the_one_put_longest_ago(self) -> None:
        store = MemoryStore(max_value_bytes=10)
        for name, size in (("a", 4), ("b", 4), ("a", 2), ("c", 4), ("d", 4)):
            await store.put(name, b"x" * size, now=NOW, ttl_seconds=10)
        assert [await store.get(name, now=NOW) for name in "abcd"] == [b"xx", None, b"xxxx", b"xxxx"]
        await store.put("too large", b"x" * 11, now=NOW, ttl_seconds=10)
        assert await store.get("too large", now=NOW) is None
        await store.put("e", b"x" * 10, now=NOW, ttl_seconds=10)
        assert await store.get("e", now=NOW) == b"x" * 10


class TestRedisStore(StateStoreContract):
    """The store of many routers."""

    @pytest.fixture(autouse=True, params=["tcp", "unix socket"])
    def server(self, redis_server: RedisServer, request: pytest.FixtureRequest) -> None:
        self.redis = redis_server
        self.url = redis_server.url if request.param == "tcp" else redis_server.socket_url

    async def make_store(self) -> StateStore:
        return TimedRedisStore(self.redis, self.url)


class MoneyMachine(RuleBasedStateMachine):
    """Reserve, top up, settle, charge and expire in any order, held against sums kept by hand.

    It is always the middle of a step of time, and deadlines lie at its end: a store that counts time itself may lag.
    """

    def __init__(self, make_store: Callable[[], Awaitable[StateStore]]) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.store = self.wait(make_store())
        self.now = NOW + STEP / 2
        self.open: dict[str, tuple[tuple[str, ...], int, float]] = {}
        self.spent = dict.fromkeys(ACCOUNTS, 0)
        self.charged: set[str] = set()

    def teardown(self) -> None:
        self.wait(self.store.close())
        self.runner.close()

    def wait(self, step: Awaitable[Result]) -> Result:
        async def awaited() -> Result:
            return await step

        return self.runner.run(awaited())

    def reserved(self, account: str) -> int:
        return sum(amount for accounts, amount, _ in self.open.values() if account in accounts)

    def charge_to(self, accounts: tuple[str, ...], micro_usd: int) -> None:
        for account in accounts:
            self.spent[account] += micro_usd

    @rule(
        name=RESERVATIONS,
        accounts=st.lists(st.sampled_from(sorted(ACCOUNTS)), min_size=1, unique=True).map(tuple),
        micro_usd=st.integers(0, 80),
        steps=st.integers(1, 40),
    )
    def reserve(self, name: str, accounts: tuple[str, ...], micro_usd: int, steps: int) -> None:
        expires_at = self.now + (steps - 0.5) * STEP
        limits = tuple(LIMITS[account] for account in accounts)
        if name in self.charged:
            answer = self.wait(self.store.reserve(name, limits, micro_usd, now=self.now, expires_at=expires_at))
            assert isinstance(answer, Granted)
            return
        held = self.open.get(name)
        accounts = accounts if held is None else held[0]
        before = {account: self.spent[account] + self.reserved(account) for account in accounts}
        ceilings = {account: ACCOUNTS[account] for account in accounts}
        fits = all(ceiling is None or before[account] + micro_usd <= ceiling for account, ceiling in ceilings.items())
        limits = tuple(LIMITS[account] for account in accounts)
        answer = self.wait(self.store.reserve(name, limits, micro_usd, now=self.now, expires_at=expires_at))
        assert isinstance(answer, Granted) is fits
        if fits:
            amount, until = (0, 0.0) if held is None else held[1:]
            self.open[name] = (accounts, amount + micro_usd, max(until, expires_at))

    @rule(name=RESERVATIONS, micro_usd=st.integers(0, 120))
    def settle(self, name: str, micro_usd: int) -> None:
        held = self.open.pop(name, None)
        assert self.wait(self.store.settle(name, micro_usd, now=self.now)) is (held is not None)
        if held is not None:
            self.charge_to(held[0], micro_usd)

    @rule(name=RESERVATIONS, account=st.sampled_from(sorted(ACCOUNTS)), micro_usd=st.integers(0, 120))
    def charge(self, name: str, account: str, micro_usd: int) -> None:
        answer = self.wait(self.store.charge(name, (LIMITS[account],), micro_usd, now=self.now))
        assert answer is (name not in self.charged)
        if answer:
            self.charged.add(name)
            held = self.open.pop(name, None)
            self.charge_to((account,) if held is None else held[0], micro_usd)

    @precondition(lambda self: self.open)
    @rule(steps=st.integers(0, 15))
    def time_passes_and_what_is_late_expires(self, steps: int) -> None:
        self.now += steps * STEP
        late = [name for name, (_, _, until) in self.open.items() if until <= self.now]
        assert self.wait(self.store.expire(now=self.now)) == len(late)
        for name in late:
            accounts, amount, _ = self.open.pop(name)
            self.charge_to(accounts, amount)
            self.charged.add(name)

    @invariant()
    def money_is_conserved(self) -> None:
        for account in ACCOUNTS:
            held = self.wait(self.store.balance(account, now=self.now))
            assert held == Balance(self.spent[account], self.reserved(account))


async def make_memory_store() -> StateStore:
    return MemoryStore()


def test_money_is_conserved_in_memory() -> None:
    run_state_machine_as_test(lambda: MoneyMachine(make_memory_store), settings=settings(max_examples=50))


def test_money_is_conserved_in_redis(running_redis: RedisServer) -> None:
    async def make() -> StateStore:
        await running_redis.flush()
        return TimedRedisStore(running_redis)

    run_state_machine_as_test(lambda: MoneyMachine(make), settings=settings(max_examples=10, stateful_step_count=40))
