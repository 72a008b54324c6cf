"""The journal of money: what running requests hold, and what ended ones cost that the store does not know yet.

Bounded without dropping anything: one entry for each running request, one for each that the store was asked about and that
ended while it was away (at most as many as ran when it went), and one sum for each set of accounts.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from fairlead_router.state.store import Limit

_HOLD_SECONDS = 900.0
"""How long the reservation of a sum waits for being settled, right after it was made."""


@dataclass(slots=True)
class Held:
    """The reservation of one request."""

    limits: tuple[Limit, ...]
    expires_at: float
    micro_usd: int = 0
    """Set aside, there or here."""
    pending: int = 0
    """Of it, what the store has not been asked to set aside yet."""
    asked: bool = False
    """The store was asked: it may hold a reservation of this name."""
    doubt: bool = False
    """Of a call it is not known whether it arrived, or whether it still will."""
    spent: int = 0
    settling: bool = False
    """The store was asked to settle it, and may have done so."""


class Owed:
    """Moves reservations from running to ended to written. Does nothing by itself, and never waits."""

    def __init__(self) -> None:
        self.micro_usd = 0
        """Of all ended requests."""
        self._running: dict[str, Held] = {}
        self._beginnings: dict[str, Held] = {}
        self._endings: dict[str, Held] = {}
        self._sums: dict[tuple[str, ...], Held] = {}

    def held(self, name: str, limits: tuple[Limit, ...], expires_at: float) -> Held:
        """What the request of this name holds."""
        found = self._running.get(name)
        if found is None:
            found = self._running[name] = Held(limits, expires_at)
        found.expires_at = max(found.expires_at, expires_at)
        return found

    def begin(self, name: str, held: Held, micro_usd: int) -> None:
        """Set aside at the next round, unless the request has ended by then."""
        held.micro_usd += micro_usd
        held.pending += micro_usd
        if micro_usd:
            self._beginnings[name] = held

    def end(self, name: str, micro_usd: int) -> bool:
        """The request cost ``micro_usd``. False if none of this name runs."""
        held = self._running.pop(name, None)
        if held is None:
            return False
        self._beginnings.pop(name, None)
        if held.asked:
            held.spent = micro_usd
            self._endings[name] = held
            self.micro_usd += micro_usd
        else:
            self._owe(held.limits, micro_usd)
        return True

    def charge(self, name: str, limits: tuple[Limit, ...], micro_usd: int) -> bool:
        """Spend without having asked, once while it is not written."""
        if name in self._endings:
            return False
        self._running.setdefault(name, Held(limits, 0.0)).asked = True
        return self.end(name, micro_usd)

    def expire(self, now: float) -> int:
        """Requests past their time: what the store granted it charges itself, what it did not is owed in full."""
        late = [name for name, held in self._running.items() if held.expires_at <= now]
        owed = 0
        for name in late:
            held = self._running[name]
            if held.asked and not held.doubt:
                del self._running[name]
                self._beginnings.pop(name, None)
            else:
                self.end(name, held.micro_usd)
                owed += 1
        return owed

    # ------------------------------------------------------------------------------------------------ writing

    def take_beginnings(self) -> list[tuple[str, Held]]:
        """Reservations to make. What becomes of them is written into each."""
        taken, self._beginnings = self._beginnings, {}
        return list(taken.items())

    def endings(self, now: float) -> list[tuple[str, Held]]:
        """Requests to settle one by one, and sums, which from now on stand for one request each."""
        for held in self._sums.values():
            held.expires_at = now + _HOLD_SECONDS
            self._endings[f"sum-{secrets.token_hex(12)}"] = held
        self._sums = {}
        return list(self._endings.items())

    def written(self, name: str) -> None:
        """The store has it."""
        held = self._endings.pop(name)
        self.micro_usd -= held.spent

    def _owe(self, limits: tuple[Limit, ...], micro_usd: int) -> None:
        if not micro_usd:
            return
        accounts = tuple(limit.account for limit in limits)
        held = self._sums.get(accounts)
        if held is None:
            counted = tuple(
                Limit(limit.account, None, limit.expires_at) for limit in limits
            )  # it is spent: never refused
            held = self._sums[accounts] = Held(counted, 0.0)
        held.pending += micro_usd
        held.spent += micro_usd
        self.micro_usd += micro_usd
