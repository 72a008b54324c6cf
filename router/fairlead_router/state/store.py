"""The interface of every state store. ``tests/router/state/contract.py`` holds for each implementation."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Limit(msgspec.Struct, frozen=True):
    """Money that may be spent on one account, in micro-dollars. An account is one window of one budget."""

    account: str
    limit_micro_usd: int | None
    """``None``: count, never refuse."""
    expires_at: float
    """Unix seconds after which the account's figures may be forgotten."""


class Balance(msgspec.Struct, frozen=True):
    """What an account holds, in micro-dollars."""

    spent: int = 0
    reserved: int = 0


class Granted(msgspec.Struct, frozen=True, tag=True):
    """Money set aside until it is settled or ``expires_at`` passes."""

    reservation: str


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The first account without room, and what it holds."""

    limit: Limit
    balance: Balance


class StoreUnavailable(Exception):
    """The store did not answer, or said that it cannot work now. What was asked for may have happened or not."""


class StateStore(Protocol):
    """Shared memory of the routers. Each method is atomic; times are Unix seconds given by the caller.

    Arguments and results are what msgspec encodes, so that a store may live in another process. A store that is elsewhere
    measures spans by one clock of its own, from the caller's ``now`` on: routers whose clocks differ do not disturb each
    other. Every method of such a store may raise :class:`StoreUnavailable`.
    """

    # ------------------------------------------------------------------------------------------------ money

    async def reserve(
        self, reservation: str, limits: tuple[Limit, ...], micro_usd: int, *, now: float, expires_at: float
    ) -> Granted | Refused:
        """Set ``micro_usd`` aside on all accounts, or on none if any has no room.

        Reserving again under the same name adds to it: that is how an attempt on a dearer model tops up. Under a name that
        was charged already nothing is set aside: the request has ended and this call of it came late.
        """
        ...

    async def settle(self, reservation: str, micro_usd: int, *, now: float) -> bool:
        """Turn a reservation into ``micro_usd`` spent, whatever was reserved. False if it is unknown or expired already."""
        ...

    async def charge(self, reservation: str, limits: tuple[Limit, ...], micro_usd: int, *, now: float) -> bool:
        """Spend ``micro_usd``, whatever the limits say: in place of the reservation if there is one, else on ``limits``.

        For money spent while the store was away. It happens once for each name: False if that name was charged before, or
        expired. (What :meth:`settle` has settled is not remembered: do not charge that.)
        """
        ...

    async def expire(self, *, now: float) -> int:
        """Drop reservations and facts that are past their time, charging each dropped reservation in full. Returns how many.

        A reservation that nobody settled belongs to a router that died; the provider may well have billed it.
        """
        ...

    async def balance(self, account: str, *, now: float) -> Balance:
        """What the account holds; zero if it is unknown or past its time."""
        ...

    # ------------------------------------------------------------------------------------------------ values

    async def get(self, key: str, *, now: float) -> bytes | None:
        """The value last put, unless its time has passed."""
        ...

    async def put(self, key: str, value: bytes, *, now: float, ttl_seconds: float) -> None:
        """Remember ``value`` for ``ttl_seconds``."""
        ...

    async def put_if_absent(self, key: str, value: bytes, *, now: float, ttl_seconds: float) -> bool:
        """Remember ``value`` unless there is one under this key. Of all who try at once one hears True."""
        ...

    async def delete(self, key: str, *, now: float, only: bytes | None = None) -> bool:
        """Forget a value; with ``only``, if it is this one (so that nobody lets go of a lock that is another's by now).

        True if it was there and is gone.
        """
        ...

    # ------------------------------------------------------------------------------------------------ boards

    async def share(self, topic: str, key: str, value: bytes, *, now: float, ttl_seconds: float) -> None:
        """Write ``value`` under ``key`` on the board ``topic`` for ``ttl_seconds``. Topics are few and boards small."""
        ...

    async def shared(self, topic: str, *, now: float) -> dict[str, bytes]:
        """Everything on a board whose time has not passed."""
        ...

    async def close(self) -> None:
        """Release what the store holds open."""
        ...
