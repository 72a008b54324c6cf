"""The store of exactly one process: dictionaries, bounded, no waiting."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice

from fairlead_router.state.store import Balance, Granted, Limit, Refused

_EXPIRE_AT_ONCE = 5_000
"""Values looked at in one go, oldest first: more would hold the event loop. Reads never give back what is too old."""

_MAX_VALUES = 100_000
"""Values kept at most; the least recently put goes first."""

_MAX_VALUE_BYTES = 32 * 1024 * 1024
"""All values together; the least recently put goes first."""

_CHARGED_SECONDS = 86_400.0
"""How long a name that was charged or expired is remembered, so that it is not charged again."""


@dataclass(slots=True)
class _Account:
    spent: int
    reserved: int
    expires_at: float


@dataclass(slots=True)
class _Reservation:
    accounts: tuple[str, ...]
    micro_usd: int
    expires_at: float


class MemoryStore:
    """In-process :class:`~fairlead_router.state.store.StateStore`: each method runs to its end without awaiting."""

    def __init__(self, *, max_values: int = _MAX_VALUES, max_value_bytes: int = _MAX_VALUE_BYTES) -> None:
        self._accounts: dict[str, _Account] = {}
        self._reservations: OrderedDict[str, _Reservation] = OrderedDict()
        self._charged: OrderedDict[str, float] = OrderedDict()
        self._values: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._value_bytes = 0
        self._max_values = max_values
        self._max_value_bytes = max_value_bytes
        self._boards: dict[str, dict[str, tuple[bytes, float]]] = {}

    async def reserve(
        self, reservation: str, limits: tuple[Limit, ...], micro_usd: int, *, now: float, expires_at: float
    ) -> Granted | Refused:
        """See the interface."""
        if self._charged and self._charged.get(reservation, now) > now:
            return Granted(reservation)
        accounts = [self._account(limit, now) for limit in limits]
        for limit, account in zip(limits, accounts, strict=True):
            ceiling = limit.limit_micro_usd
            if ceiling is not None and account.spent + account.reserved + micro_usd > ceiling:
                return Refused(limit, Balance(account.spent, account.reserved))
        for account in accounts:
            account.reserved += micro_usd
        held = self._reservations.get(reservation)
        if held is None:
            names = tuple(limit.account for limit in limits)
            self._reservations[reservation] = _Reservation(names, micro_usd, expires_at)
        else:
            held.micro_usd += micro_usd
            held.expires_at = max(held.expires_at, expires_at)
        return Granted(reservation)

    async def settle(self, reservation: str, micro_usd: int, *, now: float) -> bool:
        """See the interface."""
        held = self._reservations.pop(reservation, None)
        if held is None:
            return False
        self._charge(held, micro_usd)
        return True

    async def charge(self, reservation: str, limits: tuple[Limit, ...], micro_usd: int, *, now: float) -> bool:
        """See the interface."""
        if self._charged.get(reservation, now) > now:
            return False
        self._charged[reservation] = now + _CHARGED_SECONDS
        held = self._reservations.pop(reservation, None)
        if held is not None:
            self._charge(held, micro_usd)
            return True
        for limit in limits:
            self._account(limit, now).spent += micro_usd
        return True

    async def expire(self, *, now: float) -> int:
        """See the interface."""
        late = [name for name, held in self._reservations.items() if held.expires_at <= now]
        for name in late:
            held = self._reservations.pop(name)
            self._charge(held, held.micro_usd)
            self._charged[name] = now + _CHARGED_SECONDS
        while self._charged and next(iter(self._charged.values())) <= now:
            self._charged.popitem(last=False)
        looked_at = islice(self._values.items(), _EXPIRE_AT_ONCE)
        for key in [key for key, (_, expires_at) in looked_at if expires_at <= now]:
            self._forget(key)
        for topic, board in list(self._boards.items()):
            for key in [key for key, (_, expires_at) in board.items() if expires_at <= now]:
                del board[key]
            if not board:
                del self._boards[topic]
        for account in [name for name, held in self._accounts.items() if held.expires_at <= now and not held.reserved]:
            del self._accounts[account]
        return len(late)

    async def balance(self, account: str, *, now: float) -> Balance:
        """See the interface."""
        held = self._accounts.get(account)
        return Balance() if held is None or held.expires_at <= now else Balance(held.spent, held.reserved)

    async def get(self, key: str, *, now: float) -> bytes | None:
        """See the interface."""
        found = self._values.get(key)
        return None if found is None or found[1] <= now else found[0]

    async def put(self, key: str, value: bytes, *, now: float, ttl_seconds: float) -> None:
        """See the interface."""
        self._forget(key)
        self._values[key] = (value, now + ttl_seconds)
        self._value_bytes += len(value)
        while len(self._values) > self._max_values or self._value_bytes > self._max_value_bytes:
            self._forget(next(iter(self._values)))

    async def put_if_absent(self, key: str, value: bytes, *, now: float, ttl_seconds: float) -> bool:
        """See the interface."""
        if await self.get(key, now=now) is not None:
            return False
        await self.put(key, value, now=now, ttl_seconds=ttl_seconds)
        return True

    async def delete(self, key: str, *, now: float, only: bytes | None = None) -> bool:
        """See the interface."""
        found = await self.get(key, now=now)
        if found is None or (only is not None and found != only):
            return False
        self._forget(key)
        return True

    async def share(self, topic: str, key: str, value: bytes, *, now: float, ttl_seconds: float) -> None:
        """See the interface."""
        self._boards.setdefault(topic, {})[key] = (value, now + ttl_seconds)

    async def shared(self, topic: str, *, now: float) -> dict[str, bytes]:
        """See the interface."""
        return {key: value for key, (value, until) in self._boards.get(topic, {}).items() if until > now}

    async def close(self) -> None:
        """See the interface."""

    def _forget(self, key: str) -> None:
        found = self._values.pop(key, None)
        if found is not None:
            self._value_bytes -= len(found[0])

    def _account(self, limit: Limit, now: float) -> _Account:
        account = self._accounts.get(limit.account)
        if account is None or (account.expires_at <= now and not account.reserved):
            account = self._accounts[limit.account] = _Account(0, 0, limit.expires_at)
        return account

    def _charge(self, held: _Reservation, micro_usd: int) -> None:
        for name in held.accounts:
            account = self._accounts.get(name)
            if account is not None:
                account.reserved -= held.micro_usd
                account.spent += micro_usd
