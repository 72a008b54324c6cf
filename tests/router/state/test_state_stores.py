"""The contract over every implementation, and laws against a model of the simplest kind."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fairlead_router.state.memory import MemoryStore
from fairlead_router.state.store import Balance, Granted, Limit, StateStore
from tests.router.state.contract import NOW, StateStoreContract

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
            await store.put(name, name, now=NOW, ttl_seconds=10)
        assert await store.get_prefix("", now=NOW) == {"a": "a", "c": "c"}


def now_done(step: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that never waits."""
    try:
        step.send(None)
    except StopIteration as finished:
        return finished.value
    raise AssertionError("it waited")


class MoneyMachine(RuleBasedStateMachine):
    """Reserve, top up, settle and expire in any order, held against sums kept by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.store: StateStore = MemoryStore()
        self.now = NOW
        self.open: dict[str, tuple[tuple[str, ...], int, float]] = {}
        self.spent = dict.fromkeys(ACCOUNTS, 0)

    def reserved(self, account: str) -> int:
        return sum(amount for accounts, amount, _ in self.open.values() if account in accounts)

    def charge(self, accounts: tuple[str, ...], micro_usd: int) -> None:
        for account in accounts:
            self.spent[account] += micro_usd

    @rule(
        name=RESERVATIONS,
        accounts=st.lists(st.sampled_from(sorted(ACCOUNTS)), min_size=1, unique=True).map(tuple),
        micro_usd=st.integers(0, 80),
        seconds=st.integers(1, 100),
    )
    def reserve(self, name: str, accounts: tuple[str, ...], micro_usd: int, seconds: int) -> None:
        held = self.open.get(name)
        accounts = accounts if held is None else held[0]
        before = {account: self.spent[account] + self.reserved(account) for account in accounts}
        ceilings = {account: ACCOUNTS[account] for account in accounts}
        fits = all(ceiling is None or before[account] + micro_usd <= ceiling for account, ceiling in ceilings.items())
        expires_at = self.now + seconds
        limits = tuple(LIMITS[account] for account in accounts)
        answer = now_done(self.store.reserve(name, limits, micro_usd, now=self.now, expires_at=expires_at))
        assert isinstance(answer, Granted) is fits
        if fits:
            amount, until = (0, 0.0) if held is None else held[1:]
            self.open[name] = (accounts, amount + micro_usd, max(until, expires_at))

    @rule(name=RESERVATIONS, micro_usd=st.integers(0, 120))
    def settle(self, name: str, micro_usd: int) -> None:
        held = self.open.pop(name, None)
        assert now_done(self.store.settle(name, micro_usd, now=self.now)) is (held is not None)
        if held is not None:
            self.charge(held[0], micro_usd)

    @precondition(lambda self: self.open)
    @rule(seconds=st.integers(0, 60))
    def time_passes_and_what_is_late_expires(self, seconds: int) -> None:
        self.now += seconds
        late = [name for name, (_, _, until) in self.open.items() if until <= self.now]
        assert now_done(self.store.expire(now=self.now)) == len(late)
        for name in late:
            accounts, amount, _ = self.open.pop(name)
            self.charge(accounts, amount)

    @invariant()
    def money_is_conserved(self) -> None:
        for account in ACCOUNTS:
            held = now_done(self.store.balance(account, now=self.now))
            assert held == Balance(self.spent[account], self.reserved(account))


TestMoney = MoneyMachine.TestCase
TestMoney.settings = settings(max_examples=50)


def test_reservations_made_at_once_from_many_tasks_stay_within_the_limit() -> None:
    async def everybody() -> int:
        store = MemoryStore()
        tasks = [store.reserve(f"r{number}", (LIMITS["day"],), 30, now=NOW, expires_at=NOW + 9) for number in range(20)]
        return sum(isinstance(answer, Granted) for answer in await asyncio.gather(*tasks))

    assert asyncio.run(everybody()) == 3
