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

    def __init__(self, *, max_values: int = _MAX_VALUES) -> None:
        self._accounts: dict[str, _Account] = {}
        self._reservations: OrderedDict[str, _Reservation] = OrderedDict()
        self._values: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._max_values = max_values

    async def reserve(
        self, reservation: str, limits: tuple[Limit, ...], micro_usd: int, *, now: float, expires_at: float
    ) -> Granted | Refused:
        """See the interface."""
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

    async def expire(self, *, now: float) -> int:
        """See the interface."""
        late = [name for name, held in self._reservations.items() if held.expires_at <= now]
        for name in late:
            held = self._reservations.pop(name)
            self._charge(held, held.micro_usd)
        looked_at = islice(self._values.items(), _EXPIRE_AT_ONCE)
        old = [key for key, (_, expires_at) in looked_at if expires_at <= now]
        for key in old:
            del self._values[key]
        for account in [name for name, held in self._accounts.items() if held.expires_at <= now and not held.reserved]:
            del self._accounts[account]
        return len(late)

    async def balance(self, account: str, *, now: float) -> Balance:
        """See the interface."""
        held = self._accounts.get(account)
        return Balance() if held is None or held.expires_at <= now else Balance(held.spent, held.reserved)

    async def get(self, key: str, *, now: float) -> str | None:
        """See the interface."""
        found = self._values.get(key)
        return None if found is None or found[1] <= now else found[0]

    async def put(self, key: str, value: str, *, now: float, ttl_seconds: float) -> None:
        """See the interface."""
        self._values[key] = (value, now + ttl_seconds)
        self._values.move_to_end(key)
        while len(self._values) > self._max_values:
            self._values.popitem(last=False)

    async def get_prefix(self, prefix: str, *, now: float) -> dict[str, str]:
        """See the interface."""
        return {
            key: value
            for key, (value, expires_at) in self._values.items()
            if key.startswith(prefix) and expires_at > now
        }

    async def close(self) -> None:
        """See the interface."""

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
