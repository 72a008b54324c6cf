"""The money of one request."""

from __future__ import annotations

import pytest

from fairlead_contract.decision import BudgetUse
from fairlead_router.errors import RouterError
from fairlead_router.state.memory import MemoryStore
from fairlead_router.state.store import Balance, Limit
from tests.router.builders import an_account

DAY = Limit("workspace/ws/day/1", 100, 5000.0)
MONTH = Limit("workspace/ws/month/1", 1000, 90_000.0)
NOW = 1000.0


async def test_what_is_reserved_stands_on_every_account_until_it_is_settled() -> None:
    store = MemoryStore()
    account = an_account(store, limits=(DAY, MONTH), clock=lambda: NOW)
    await account.reserve(30)
    await account.reserve(50)
    assert account.reserved == 80
    assert account.uses() == (
        BudgetUse(account=DAY.account, reserved_micro_usd=80),
        BudgetUse(account=MONTH.account, reserved_micro_usd=80),
    )
    assert await store.balance(MONTH.account, now=NOW) == Balance(spent=0, reserved=80)
    await account.settle(42)
    assert await store.balance(DAY.account, now=NOW) == Balance(spent=42, reserved=0)
    assert await store.balance(MONTH.account, now=NOW) == Balance(spent=42, reserved=0)


async def test_settling_twice_charges_once() -> None:
    store = MemoryStore()
    account = an_account(store, limits=(DAY,), clock=lambda: NOW)
    await account.reserve(30)
    await account.settle(10)
    await account.settle(10)
    assert await store.balance(DAY.account, now=NOW) == Balance(spent=10)


async def test_a_top_up_without_room_is_refused_and_what_was_set_aside_stays() -> None:
    store = MemoryStore()
    account = an_account(store, limits=(MONTH, DAY), clock=lambda: NOW)
    await account.reserve(70)
    with pytest.raises(RouterError) as raised:
        await account.reserve(31)
    error = raised.value
    assert (error.status, error.code, error.retry_after_seconds) == (429, "budget_exceeded", 4000.0)
    assert error.message == (
        "workspace/ws/day/1 has $0.000030 left and this request may cost $0.000031; "
        "lower max_tokens, choose a cheaper model, or ask for a larger budget"
    )
    assert account.reserved == 70
    assert await store.balance(MONTH.account, now=NOW) == Balance(reserved=70)


async def test_a_budget_overspent_by_others_says_that_nothing_is_left() -> None:
    store = MemoryStore()
    await store.reserve("other", (DAY,), 100, now=NOW, expires_at=NOW + 900)
    await store.settle("other", 250, now=NOW)
    with pytest.raises(RouterError, match=r"has \$0\.000000 left"):
        await an_account(store, limits=(DAY,), clock=lambda: NOW).reserve(0)


async def test_without_limits_nothing_is_kept() -> None:
    store = MemoryStore()
    account = an_account(store)
    await account.reserve(30)
    await account.settle(30)
    assert (account.reserved, account.uses()) == (0, ())
    assert await store.expire(now=1e12) == 0


async def test_a_reservation_that_nobody_settles_is_charged_in_full_when_its_time_is_over() -> None:
    store = MemoryStore()
    await an_account(store, limits=(MONTH,), clock=lambda: NOW).reserve(30)
    assert await store.expire(now=NOW + 899) == 0
    assert await store.expire(now=NOW + 900) == 1
    assert await store.balance(MONTH.account, now=NOW + 900) == Balance(spent=30)


async def test_a_top_up_gives_the_whole_reservation_more_time() -> None:
    store, now = MemoryStore(), [NOW]
    account = an_account(store, limits=(MONTH,), clock=lambda: now[0])
    await account.reserve(30)
    now[0] += 800
    await account.reserve(10)
    assert await store.expire(now=NOW + 1000) == 0


async def test_a_reservation_outlives_an_attempt_however_long_it_may_take() -> None:
    store = MemoryStore()
    account = an_account(store, limits=(MONTH,), clock=lambda: NOW)
    await account.reserve(30, seconds=3600)
    assert await store.expire(now=NOW + 3600) == 0
    await account.settle(5)
    assert await store.balance(MONTH.account, now=NOW) == Balance(spent=5)
