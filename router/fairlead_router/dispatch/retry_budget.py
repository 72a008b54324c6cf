"""Retries limited to a share of the requests, so that a provider in trouble is not given a multiple of its load.

The token bucket of Finagle's ``RetryBudget`` and of Linkerd, with their defaults: every first attempt is worth a fifth of
a retry, ten retries a second are always free, and what is saved is forgotten after ten seconds. One for each provider, in
each process. It limits tries on the same target alone: a fallback is a first attempt at somebody else.
"""

from __future__ import annotations

RETRY_SHARE = 0.2
FREE_PER_SECOND = 10
KEPT_SECONDS = 10


class RetryBudget:
    """One provider's. Times are monotonic seconds."""

    __slots__ = ("_first", "_index", "_retries", "withheld")

    def __init__(self) -> None:
        self._first = [0] * KEPT_SECONDS
        self._retries = [0] * KEPT_SECONDS
        self._index = 0
        self.withheld = 0
        """Retries that found no room, in all."""

    def count_first(self, now: float) -> None:
        """A first attempt is made."""
        self._roll(now)
        self._first[self._index % KEPT_SECONDS] += 1

    def take(self, now: float) -> bool:
        """Whether a retry has room; it is taken."""
        self._roll(now)
        room = RETRY_SHARE * sum(self._first) + FREE_PER_SECOND * KEPT_SECONDS - sum(self._retries)
        if room < 1:
            self.withheld += 1
            return False
        self._retries[self._index % KEPT_SECONDS] += 1
        return True

    def _roll(self, now: float) -> None:
        index = int(now)
        if index <= self._index:
            return
        for place in range(max(self._index + 1, index - KEPT_SECONDS + 1), index + 1):
            self._first[place % KEPT_SECONDS] = self._retries[place % KEPT_SECONDS] = 0
        self._index = index


class RetryBudgets:
    """Those of this process, by provider."""

    def __init__(self) -> None:
        self._budgets: dict[str, RetryBudget] = {}
        self._withheld_by_forgotten = 0

    def of(self, provider: str) -> RetryBudget:
        """The budget, made at first use."""
        budget = self._budgets.get(provider)
        if budget is None:
            budget = self._budgets[provider] = RetryBudget()
        return budget

    @property
    def withheld(self) -> int:
        """Retries that found no room since the process began, at any provider."""
        return self._withheld_by_forgotten + sum(budget.withheld for budget in self._budgets.values())

    def withheld_by_provider(self) -> list[tuple[tuple[str], float]]:
        """Retries that found no room, of the providers in use."""
        return [((provider,), float(budget.withheld)) for provider, budget in self._budgets.items()]

    def retain(self, providers: set[str]) -> None:
        """Forget providers that no table knows any more."""
        for provider in [provider for provider in self._budgets if provider not in providers]:
            self._withheld_by_forgotten += self._budgets.pop(provider).withheld
