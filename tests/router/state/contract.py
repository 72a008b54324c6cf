"""What every state store promises. Subclass it in a test file and make ``make_store`` return the implementation.

Times are passed in, so nothing here waits; an implementation that counts time itself must be driven by a clock of the test.
"""

from __future__ import annotations

import asyncio

import pytest

from fairlead_router.state.store import Balance, Granted, Limit, Refused, StateStore

NOW = 1000.0
LATER = NOW + 900
DAY = Limit("day", 100, NOW + 86_400)
WEEK = Limit("week", 150, NOW + 7 * 86_400)
COUNTED = Limit("counted", None, NOW + 86_400)


class StateStoreContract:
    """One test a promise."""

    async def make_store(self) -> StateStore:
        """A store that holds nothing."""
        raise NotImplementedError

    @pytest.fixture
    async def store(self) -> StateStore:
        return await self.make_store()

    # -------------------------------------------------------------------------------------------- money

    async def test_a_reservation_stands_on_every_account_it_names(self, store: StateStore) -> None:
        granted = await store.reserve("r", (DAY, WEEK), 40, now=NOW, expires_at=LATER)
        assert granted == Granted("r")
        assert await store.balance("day", now=NOW) == Balance(0, 40)
        assert await store.balance("week", now=NOW) == Balance(0, 40)

    async def test_a_limit_may_be_reserved_to_the_last_micro_dollar_and_no_further(self, store: StateStore) -> None:
        assert await store.reserve("a", (DAY,), 100, now=NOW, expires_at=LATER) == Granted("a")
        assert await store.reserve("b", (DAY,), 1, now=NOW, expires_at=LATER) == Refused(DAY, Balance(0, 100))

    async def test_if_one_account_has_no_room_nothing_is_set_aside_on_any(self, store: StateStore) -> None:
        await store.reserve("a", (WEEK,), 100, now=NOW, expires_at=LATER)
        refused = await store.reserve("b", (COUNTED, DAY, WEEK), 60, now=NOW, expires_at=LATER)
        assert refused == Refused(WEEK, Balance(0, 100))
        assert await store.balance("day", now=NOW) == Balance()
        assert await store.balance("counted", now=NOW) == Balance()
        assert await store.settle("b", 60, now=NOW) is False

    async def test_the_first_account_without_room_is_named(self, store: StateStore) -> None:
        refused = await store.reserve("a", (WEEK, DAY), 151, now=NOW, expires_at=LATER)
        assert refused == Refused(WEEK, Balance())

    async def test_an_account_without_a_limit_counts_and_never_refuses(self, store: StateStore) -> None:
        for name in ("a", "b"):
            assert await store.reserve(name, (COUNTED,), 10**12, now=NOW, expires_at=LATER) == Granted(name)
        assert await store.balance("counted", now=NOW) == Balance(0, 2 * 10**12)

    async def test_many_reservations_at_once_never_exceed_the_limit(self, store: StateStore) -> None:
        answers = await asyncio.gather(
            *(store.reserve(f"r{number}", (DAY, WEEK), 7, now=NOW, expires_at=LATER) for number in range(50))
        )
        assert sum(isinstance(answer, Granted) for answer in answers) == 100 // 7
        assert await store.balance("day", now=NOW) == Balance(0, 98)
        assert await store.balance("week", now=NOW) == Balance(0, 98)

    async def test_reserving_again_under_the_same_name_adds_to_it(self, store: StateStore) -> None:
        await store.reserve("r", (DAY,), 40, now=NOW, expires_at=LATER)
        assert await store.reserve("r", (DAY,), 60, now=NOW, expires_at=LATER) == Granted("r")
        assert await store.balance("day", now=NOW) == Balance(0, 100)
        assert await store.settle("r", 5, now=NOW) is True
        assert await store.balance("day", now=NOW) == Balance(5, 0)

    async def test_a_top_up_without_room_leaves_what_was_reserved(self, store: StateStore) -> None:
        await store.reserve("r", (DAY,), 40, now=NOW, expires_at=LATER)
        assert await store.reserve("r", (DAY,), 61, now=NOW, expires_at=LATER) == Refused(DAY, Balance(0, 40))
        assert await store.settle("r", 40, now=NOW) is True
        assert await store.balance("day", now=NOW) == Balance(40, 0)

    @pytest.mark.parametrize("really", [0, 30, 40, 1000])
    async def test_settling_replaces_what_was_reserved_by_what_was_spent(self, store: StateStore, really: int) -> None:
        await store.reserve("r", (DAY, WEEK), 40, now=NOW, expires_at=LATER)
        assert await store.settle("r", really, now=NOW) is True
        assert await store.balance("day", now=NOW) == Balance(really, 0)
        assert await store.balance("week", now=NOW) == Balance(really, 0)

    async def test_settling_a_second_time_or_what_never_was_charges_nothing(self, store: StateStore) -> None:
        await store.reserve("r", (DAY,), 40, now=NOW, expires_at=LATER)
        await store.settle("r", 30, now=NOW)
        assert await store.settle("r", 30, now=NOW) is False
        assert await store.settle("never", 30, now=NOW) is False
        assert await store.balance("day", now=NOW) == Balance(30, 0)

    async def test_settled_many_times_at_once_it_is_charged_once(self, store: StateStore) -> None:
        await store.reserve("r", (DAY,), 40, now=NOW, expires_at=LATER)
        settled = await asyncio.gather(*(store.settle("r", 30, now=NOW) for _ in range(10)))
        assert sum(settled) == 1
        assert await store.balance("day", now=NOW) == Balance(30, 0)

    async def test_money_that_was_settled_below_its_reservation_is_there_again(self, store: StateStore) -> None:
        await store.reserve("a", (DAY,), 100, now=NOW, expires_at=LATER)
        await store.settle("a", 10, now=NOW)
        assert await store.reserve("b", (DAY,), 90, now=NOW, expires_at=LATER) == Granted("b")

    async def test_an_account_that_is_overspent_refuses_even_nothing(self, store: StateStore) -> None:
        await store.reserve("a", (DAY,), 100, now=NOW, expires_at=LATER)
        await store.settle("a", 130, now=NOW)
        assert await store.reserve("b", (DAY,), 0, now=NOW, expires_at=LATER) == Refused(DAY, Balance(130, 0))

    async def test_a_reservation_that_nobody_settled_is_charged_in_full_once_its_time_is_past(
        self, store: StateStore
    ) -> None:
        await store.reserve("r", (DAY, WEEK), 40, now=NOW, expires_at=LATER)
        assert await store.expire(now=LATER - 0.001) == 0
        assert await store.expire(now=LATER) == 1
        assert await store.expire(now=LATER) == 0
        assert await store.settle("r", 5, now=LATER) is False
        assert await store.balance("day", now=LATER) == Balance(40, 0)
        assert await store.balance("week", now=LATER) == Balance(40, 0)

    async def test_a_top_up_prolongs_the_whole_reservation_and_never_shortens_it(self, store: StateStore) -> None:
        await store.reserve("r", (DAY,), 40, now=NOW, expires_at=LATER)
        await store.reserve("r", (DAY,), 1, now=NOW, expires_at=LATER + 100)
        await store.reserve("r", (DAY,), 1, now=NOW, expires_at=LATER - 100)
        assert await store.expire(now=LATER + 99) == 0
        assert await store.expire(now=LATER + 100) == 1

    async def test_an_account_past_its_time_begins_anew(self, store: StateStore) -> None:
        brief = Limit("brief", 100, NOW + 10)
        await store.reserve("a", (brief,), 100, now=NOW, expires_at=NOW + 5)
        await store.settle("a", 100, now=NOW)
        assert await store.balance("brief", now=NOW + 10) == Balance()
        again = Limit("brief", 100, NOW + 1000)
        assert await store.reserve("b", (again,), 100, now=NOW + 10, expires_at=LATER) == Granted("b")

    async def test_an_account_that_nobody_heard_of_holds_nothing(self, store: StateStore) -> None:
        assert await store.balance("unheard", now=NOW) == Balance()

    # -------------------------------------------------------------------------------------------- values

    async def test_a_value_is_there_until_its_time_is_past(self, store: StateStore) -> None:
        await store.put("key", "value", now=NOW, ttl_seconds=10)
        assert await store.get("key", now=NOW + 9.99) == "value"
        assert await store.get("key", now=NOW + 10) is None
        assert await store.get("another", now=NOW) is None

    async def test_putting_again_replaces_value_and_time(self, store: StateStore) -> None:
        await store.put("key", "one", now=NOW, ttl_seconds=100)
        await store.put("key", "two", now=NOW + 1, ttl_seconds=5)
        assert await store.get("key", now=NOW + 5) == "two"
        assert await store.get("key", now=NOW + 6) is None

    async def test_all_live_values_under_a_prefix_are_found_and_no_others(self, store: StateStore) -> None:
        for name in ("affinity/a", "affinity/b", "affinit", "other/affinity/c", "affinity*"):
            await store.put(name, name.upper(), now=NOW, ttl_seconds=10)
        await store.put("affinity/old", "x", now=NOW, ttl_seconds=1)
        found = await store.get_prefix("affinity/", now=NOW + 1)
        assert found == {"affinity/a": "AFFINITY/A", "affinity/b": "AFFINITY/B"}
        assert await store.get_prefix("none", now=NOW) == {}

    async def test_expiring_drops_no_value_that_lives(self, store: StateStore) -> None:
        await store.put("short", "x", now=NOW, ttl_seconds=1)
        await store.put("long", "y", now=NOW, ttl_seconds=100)
        await store.expire(now=NOW + 1)
        assert await store.get("long", now=NOW + 1) == "y"
        assert await store.get_prefix("", now=NOW + 1) == {"long": "y"}

    async def test_text_of_any_kind_comes_back_as_it_was(self, store: StateStore) -> None:
        odd = "ключ/{x}:* \n\0🚀"
        await store.put(odd, odd, now=NOW, ttl_seconds=10)
        assert await store.get(odd, now=NOW) == odd
