"""Reserve before each attempt, top up for the next, settle once at the end."""

from __future__ import annotations

from collections.abc import Callable

from fairlead_contract.decision import BudgetUse
from fairlead_router.errors import budget_exceeded
from fairlead_router.state.store import Limit, Refused, StateStore

_HOLD_SECONDS = 900.0
"""How long a reservation outlives the attempt it was made for."""


class Account:
    """The money of one request. Use it as long as the request lives, then :meth:`settle`."""

    __slots__ = ("_clock", "_id", "_limits", "_store", "reserved")

    def __init__(
        self, store: StateStore, decision_id: str, limits: tuple[Limit, ...], clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._id = decision_id
        self._limits = limits
        self._clock = clock
        self.reserved = 0

    async def reserve(self, micro_usd: int, *, seconds: float = 0.0) -> None:
        """Set aside what an attempt of at most ``seconds`` may cost, on top of what earlier ones may still be billed for.

        Raises ``RouterError`` 429 ``budget_exceeded`` when a limit has no room for it; nothing is set aside then.
        """
        if not self._limits:
            return
        now = self._clock()
        # After the attempt there may be a pause, of at most its own time, before the next one tops this up.
        expires_at = now + 2 * seconds + _HOLD_SECONDS
        answer = await self._store.reserve(self._id, self._limits, micro_usd, now=now, expires_at=expires_at)
        if isinstance(answer, Refused):
            left = max(0, (answer.limit.limit_micro_usd or 0) - answer.balance.spent - answer.balance.reserved)
            message = (
                f"{answer.limit.account} has ${left / 1e6:.6f} left and this request may cost ${micro_usd / 1e6:.6f}; "
                "lower max_tokens, choose a cheaper model, or ask for a larger budget"
            )
            raise budget_exceeded(message, max(1.0, answer.limit.expires_at - now))
        self.reserved += micro_usd

    def uses(self) -> tuple[BudgetUse, ...]:
        """What was set aside on which account, for the record."""
        return tuple(BudgetUse(account=limit.account, reserved_micro_usd=self.reserved) for limit in self._limits)

    async def settle(self, micro_usd: int) -> None:
        """Replace everything set aside by what the request really cost."""
        if self._limits:
            await self._store.settle(self._id, micro_usd, now=self._clock())
