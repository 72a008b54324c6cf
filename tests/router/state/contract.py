"""What every state store promises. Subclass it in a test file and make ``make_store`` return the implementation.

Times are passed in, so nothing here waits. A store that counts time itself is made to see the time of the test; as it goes on
counting between two calls, tests keep :data:`MARGIN` away from every deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from fairlead_router.state.store import Balance, Granted, Limit, Refused, StateStore

NOW = 1000.0
LATER = NOW + 900
MARGIN = 30.0
DAY = Limit("day", 100, NOW + 86_400)
WEEK = Limit("week", 150, NOW + 7 * 86_400)
COUNTED = Limit("counted", None, NOW + 86_400)


class StateStoreContract:
    """One test a promise."""

    async def make_store(self) -> StateStore:
        """A store that holds nothing."""
        raise NotImplementedError

    @pytest.fixture
    async def store(self) -> AsyncIterator[StateStore]:
        store = await self.make_store()
        yield store
        await store.close()

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
        assert await store.expire(now=LATER - MARGIN) == 0
        late = LATER + MARGIN
        assert await store.expire(now=late) == 1
        assert await store.expire(now=late) == 0
        assert await store.settle("r", 5, now=late) is False
        assert await store.balance("day", now=late) == Balance(40, 0)
        assert await store.balance("week", now=late) == Balance(40, 0)

    async def test_a_top_up_prolongs_the_whole_reservation_and_never_shortens_it(self, store: StateStore) -> None:
        await store.reserve("r", (DAY,), 40, now=NOW, expires_at=LATER)
        await store.reserve("r", (DAY,), 1, now=NOW, expires_at=LATER + 500)
        await store.reserve("r", (DAY,), 1, now=NOW, expires_at=LATER - 500)
        assert await store.expire(now=LATER + 500 - MARGIN) == 0
        assert await store.expire(now=LATER + 500 + MARGIN) == 1

    async def test_an_account_past_its_time_begins_anew(self, store: StateStore) -> None:
        brief = Limit("brief", 100, NOW + 1000)
        await store.reserve("a", (brief,), 100, now=NOW, expires_at=NOW + 500)
        await store.settle("a", 100, now=NOW)
        late = NOW + 1000 + MARGIN
        assert await store.balance("brief", now=late) == Balance()
        again = Limit("brief", 100, NOW + 5000)
        assert await store.reserve("b", (again,), 100, now=late, expires_at=late + 900) == Granted("b")

    async def test_an_account_that_nobody_heard_of_holds_nothing(self, store: StateStore) -> None:
        assert await store.balance("unheard", now=NOW) == Balance()

    @pytest.mark.parametrize("really", [0, 30, 1000])
    async def test_what_was_spent_without_asking_is_charged_whatever_the_limit(
        self, store: StateStore, really: int
    ) -> None:
        assert await store.charge("r", (DAY, WEEK), really, now=NOW) is True
        assert await store.balance("day", now=NOW) == Balance(really, 0)
        assert await store.balance("week", now=NOW) == Balance(really, 0)

    async def test_charging_takes_the_place_of_the_reservation_and_keeps_to_its_accounts(
        self, store: StateStore
    ) -> None:
        await store.reserve("r", (DAY,), 40, now=NOW, expires_at=LATER)
        assert await store.charge("r", (DAY, WEEK), 30, now=NOW) is True
        assert await store.balance("day", now=NOW) == Balance(30, 0)
        assert await store.balance("week", now=NOW) == Balance()

    async def test_a_name_is_charged_once_however_often_and_by_whomever_it_is_tried(self, store: StateStore) -> None:
        charged = await asyncio.gather(*(store.charge("r", (DAY,), 30, now=NOW) for _ in range(10)))
        assert sum(charged) == 1
        assert await store.charge("r", (DAY,), 30, now=NOW + 3600) is False
        assert await store.settle("r", 30, now=NOW) is False
        assert await store.balance("day", now=NOW) == Balance(30, 0)

    async def test_what_expired_is_not_charged_again(self, store: StateStore) -> None:
        await store.reserve("r", (DAY,), 40, now=NOW, expires_at=LATER)
        await store.expire(now=LATER + MARGIN)
        assert await store.charge("r", (DAY,), 30, now=LATER + MARGIN) is False
        assert await store.balance("day", now=LATER + MARGIN) == Balance(40, 0)

    async def test_a_reservation_that_arrives_after_its_charge_sets_nothing_aside(self, store: StateStore) -> None:
        await store.charge("r", (DAY,), 30, now=NOW)
        assert await store.reserve("r", (DAY,), 40, now=NOW, expires_at=LATER) == Granted("r")
        assert await store.balance("day", now=NOW) == Balance(30, 0)
        assert await store.expire(now=LATER + MARGIN) == 0

    async def test_sums_beyond_what_a_float_counts_in_thousandths_stay_exact(self, store: StateStore) -> None:
        large = 9_000_000_000_000_001  # nine billion dollars and one micro-dollar
        await store.reserve("r", (COUNTED,), large, now=NOW, expires_at=LATER)
        await store.settle("r", large, now=NOW)
        await store.charge("another", (COUNTED,), 1, now=NOW)
        assert await store.balance("counted", now=NOW) == Balance(large + 1, 0)

    # -------------------------------------------------------------------------------------------- values

    async def test_a_value_is_there_until_its_time_is_past(self, store: StateStore) -> None:
        await store.put("key", b"value", now=NOW, ttl_seconds=1000)
        assert await store.get("key", now=NOW + 1000 - MARGIN) == b"value"
        assert await store.get("key", now=NOW + 1000 + MARGIN) is None
        assert await store.get("another", now=NOW) is None

    async def test_putting_again_replaces_value_and_time(self, store: StateStore) -> None:
        await store.put("key", b"one", now=NOW, ttl_seconds=10000)
        await store.put("key", b"two", now=NOW + 100, ttl_seconds=500)
        assert await store.get("key", now=NOW + 600 - MARGIN) == b"two"
        assert await store.get("key", now=NOW + 600 + MARGIN) is None

    async def test_of_all_who_put_what_is_absent_one_succeeds_and_its_value_stays(self, store: StateStore) -> None:
        tries = [store.put_if_absent("key", b"%d" % number, now=NOW, ttl_seconds=1000) for number in range(10)]
        succeeded = await asyncio.gather(*tries)
        assert sum(succeeded) == 1
        assert await store.get("key", now=NOW) == b"%d" % succeeded.index(True)

    async def test_what_is_past_its_time_is_absent(self, store: StateStore) -> None:
        await store.put("key", b"one", now=NOW, ttl_seconds=1000)
        assert await store.put_if_absent("key", b"two", now=NOW + 1000 - MARGIN, ttl_seconds=1000) is False
        late = NOW + 1000 + MARGIN
        assert await store.put_if_absent("key", b"two", now=late, ttl_seconds=1000) is True
        assert await store.get("key", now=late + 1000 - MARGIN) == b"two"
        assert await store.get("key", now=late + 1000 + MARGIN) is None

    async def test_a_deleted_value_is_gone_and_may_be_put_again(self, store: StateStore) -> None:
        await store.put("key", b"one", now=NOW, ttl_seconds=1000)
        assert await store.delete("key", now=NOW) is True
        assert await store.delete("key", now=NOW) is False
        assert await store.get("key", now=NOW) is None
        assert await store.put_if_absent("key", b"two", now=NOW, ttl_seconds=1000) is True

    async def test_who_deletes_only_its_own_value_leaves_that_of_another(self, store: StateStore) -> None:
        await store.put("lock", b"mine", now=NOW, ttl_seconds=1000)
        assert await store.delete("lock", now=NOW, only=b"yours") is False
        assert await store.get("lock", now=NOW) == b"mine"
        assert await store.delete("lock", now=NOW, only=b"mine") is True
        assert await store.delete("lock", now=NOW, only=b"mine") is False

    async def test_expiring_drops_no_value_that_lives(self, store: StateStore) -> None:
        await store.put("short", b"x", now=NOW, ttl_seconds=100)
        await store.put("long", b"y", now=NOW, ttl_seconds=10000)
        await store.expire(now=NOW + 100 + MARGIN)
        assert await store.get("long", now=NOW + 100 + MARGIN) == b"y"
        assert await store.get("short", now=NOW + 100 + MARGIN) is None

    @pytest.mark.parametrize("size", [0, 1, 70_000, 1_000_000])
    async def test_bytes_of_any_kind_come_back_as_they_were(self, store: StateStore, size: int) -> None:
        odd = "ключ/{x}:* \n\0🚀"
        value = (bytes(range(256)) * (size // 256 + 1))[:size]
        await store.put(odd, value, now=NOW, ttl_seconds=1000)
        assert await store.get(odd, now=NOW) == value

    # -------------------------------------------------------------------------------------------- boards

    async def test_what_is_shared_on_a_board_is_read_by_all_and_on_no_other(self, store: StateStore) -> None:
        await store.share("breakers", "a", b"1", now=NOW, ttl_seconds=1000)
        await store.share("breakers", "b", b"\0\xff", now=NOW, ttl_seconds=1000)
        await store.share("statistics", "c", b"3", now=NOW, ttl_seconds=1000)
        assert await store.shared("breakers", now=NOW) == {"a": b"1", "b": b"\0\xff"}
        assert await store.shared("empty", now=NOW) == {}

    async def test_each_entry_of_a_board_has_its_own_time(self, store: StateStore) -> None:
        await store.share("breakers", "long", b"1", now=NOW, ttl_seconds=10000)
        await store.share("breakers", "short", b"2", now=NOW, ttl_seconds=1000)
        assert await store.shared("breakers", now=NOW + 1000 - MARGIN) == {"long": b"1", "short": b"2"}
        await store.expire(now=NOW + 1000 + MARGIN)
        assert await store.shared("breakers", now=NOW + 1000 + MARGIN) == {"long": b"1"}
        assert await store.shared("breakers", now=NOW + 10000 + MARGIN) == {}

    async def test_sharing_again_replaces_value_and_time_and_may_shorten_it(self, store: StateStore) -> None:
        await store.share("breakers", "a", b"open", now=NOW, ttl_seconds=10000)
        await store.share("breakers", "a", b"closed", now=NOW, ttl_seconds=500)
        assert await store.shared("breakers", now=NOW + 500 - MARGIN) == {"a": b"closed"}
        assert await store.shared("breakers", now=NOW + 500 + MARGIN) == {}

    async def test_boards_and_values_of_the_same_name_are_apart(self, store: StateStore) -> None:
        await store.share("name", "name", b"board", now=NOW, ttl_seconds=1000)
        await store.put("name", b"value", now=NOW, ttl_seconds=1000)
        await store.delete("name", now=NOW)
        assert await store.shared("name", now=NOW) == {"name": b"board"}
