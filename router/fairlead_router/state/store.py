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


class Granted(msgspec.Struct, frozen=True):
    """Money set aside until it is settled or ``expires_at`` passes."""

    reservation: str


class Refused(msgspec.Struct, frozen=True):
    """The first account without room, and what it holds."""

    limit: Limit
    balance: Balance


class StateStore(Protocol):
    """Shared memory of the routers. Each method is atomic; times are Unix seconds given by the caller."""

    async def reserve(
        self, reservation: str, limits: tuple[Limit, ...], micro_usd: int, *, now: float, expires_at: float
    ) -> Granted | Refused:
        """Set ``micro_usd`` aside on all accounts, or on none if any has no room.

        Reserving again under the same name adds to it: that is how an attempt on a dearer model tops up.
        """
        ...

    async def settle(self, reservation: str, micro_usd: int, *, now: float) -> bool:
        """Turn a reservation into ``micro_usd`` spent, whatever was reserved. False if it is unknown or expired already."""
        ...

    async def expire(self, *, now: float) -> int:
        """Drop reservations and facts that are past their time, charging each dropped reservation in full. Returns how many.

        A reservation that nobody settled belongs to a router that died; the provider may well have billed it.
        """
        ...

    async def balance(self, account: str, *, now: float) -> Balance:
        """What the account holds; zero if it is unknown or past its time."""
        ...

    async def get(self, key: str, *, now: float) -> str | None:
        """The value last put, unless its time has passed."""
        ...

    async def put(self, key: str, value: str, *, now: float, ttl_seconds: float) -> None:
        """Remember ``value`` for ``ttl_seconds``."""
        ...

    async def get_prefix(self, prefix: str, *, now: float) -> dict[str, str]:
        """All live values whose key starts with ``prefix``."""
        ...

    async def close(self) -> None:
        """Release what the store holds open."""
        ...
