"""Circuit breakers per (model, endpoint): a pure state machine, and the registry of those of this process.

Sources: Nygard, *Release It!*; defaults and traps from Envoy's outlier detection and LiteLLM's cooldowns: a second, longer
wait extends the first, a request that is the client's fault never counts, a 429 is a wait and not a failure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from fairlead_contract.fragments import CircuitBreaker
from fairlead_router.select.view import CLOSED, BreakerState, BreakerView


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """When to open and for how long; see ``circuitBreaker`` in the API reference."""

    window_seconds: int = 60
    min_requests: int = 10
    failure_percent: int = 50
    consecutive_failures: int = 5
    open_seconds: int = 10
    max_open_seconds: int = 120
    half_open_requests: int = 1

    @classmethod
    @lru_cache(maxsize=1024)  # every request asks for the same few
    def of(cls, provider: CircuitBreaker, policy: CircuitBreaker) -> BreakerRules:
        """The policy's word, else the provider's, else the default."""
        chosen = {}
        for name in cls.__slots__:
            value = getattr(policy, name)
            value = getattr(provider, name) if value is None else value
            if value is not None:
                chosen[name] = value
        return cls(**chosen)


class Breaker:
    """One breaker. ``draw`` supplies the jitter: numbers in [0, 1)."""

    __slots__ = (
        "_closed_at",
        "_consecutive",
        "_draw",
        "_openings",
        "_outcomes",
        "_probes",
        "_until",
        "failures",
        "successes",
    )

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw
        self._outcomes: deque[tuple[float, bool]] = deque()
        self.successes = 0
        self.failures = 0
        self._consecutive = 0
        self._openings = 0
        self._closed_at = 0.0
        """How often it opened in a row counts until a whole window after closing has passed without a failure."""
        self._until: float | None = None
        self._probes = 0

    def view(self, now: float) -> BreakerView:
        """How it stands."""
        if self._until is None:
            return CLOSED
        if now < self._until:
            return BreakerView(BreakerState.OPEN, self._until - now)
        return BreakerView(BreakerState.HALF_OPEN)

    def acquire(self, now: float, rules: BreakerRules) -> bool:
        """Whether a request may go through now; half open, only so many probes at a time."""
        state = self.view(now).state
        if state is BreakerState.CLOSED:
            return True
        if state is BreakerState.OPEN or self._probes >= rules.half_open_requests:
            return False
        self._probes += 1
        return True

    def release(self) -> None:
        """A request ended without telling anything of the provider (the client hung up, or its fault)."""
        self._probes = max(0, self._probes - 1)

    def succeeded(self, now: float, rules: BreakerRules) -> None:
        """An answer came. A probe that succeeds closes the breaker."""
        self._consecutive = 0
        if self._until is not None:
            if now >= self._until:
                self._close(now)
            return
        if not self.failures and now - self._closed_at >= rules.window_seconds:
            self._openings = 0
        self._note(now, True, rules)

    def failed(self, now: float, rules: BreakerRules, *, retry_after_seconds: float | None = None) -> None:
        """The provider failed. ``retry_after_seconds`` lengthens the opening and never shortens it."""
        self._consecutive += 1
        if self._until is not None:
            if now >= self._until:
                self._open(now, rules, retry_after_seconds)
            elif retry_after_seconds is not None:
                self._until = max(self._until, now + min(retry_after_seconds, rules.max_open_seconds))
            return
        self._note(now, False, rules)
        total = self.successes + self.failures
        too_many = total >= rules.min_requests and 100 * self.failures >= rules.failure_percent * total
        if too_many or self._consecutive >= rules.consecutive_failures:
            self._open(now, rules, retry_after_seconds)

    def wait(self, now: float, seconds: float, rules: BreakerRules) -> None:
        """The provider asked for a pause (429 with Retry-After): open that long without counting a failure."""
        if seconds <= 0:
            return
        until = now + min(seconds, rules.max_open_seconds)
        self._probes = 0
        self._until = until if self._until is None else max(self._until, until)

    def _open(self, now: float, rules: BreakerRules, retry_after_seconds: float | None) -> None:
        seconds = min(rules.open_seconds * 2.0**self._openings, rules.max_open_seconds)
        seconds *= 0.9 + 0.2 * self._draw()
        if retry_after_seconds is not None:
            seconds = max(seconds, min(retry_after_seconds, rules.max_open_seconds))
        self._openings = min(self._openings + 1, 16)
        self._probes = 0
        self._until = now + seconds if self._until is None else max(self._until, now + seconds)

    def _close(self, now: float) -> None:
        self._until = None
        self._closed_at = now
        self._probes = 0
        self._outcomes.clear()
        self.successes = self.failures = 0

    def _note(self, now: float, success: bool, rules: BreakerRules) -> None:
        outcomes = self._outcomes
        outcomes.append((now, success))
        if success:
            self.successes += 1
        else:
            self.failures += 1
        horizon = now - rules.window_seconds
        while outcomes[0][0] <= horizon:
            _, old = outcomes.popleft()
            if old:
                self.successes -= 1
            else:
                self.failures -= 1


class BreakerRegistry:
    """The breakers of this process. They outlive tables: a change of configuration forgives nobody."""

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw
        self._breakers: dict[tuple[str, str], Breaker] = {}

    def of(self, model: str, endpoint: str) -> Breaker:
        """The breaker, made at first use."""
        key = (model, endpoint)
        breaker = self._breakers.get(key)
        if breaker is None:
            breaker = self._breakers[key] = Breaker(self._draw)
        return breaker

    def view(self, model: str, endpoint: str, now: float) -> BreakerView:
        """See :class:`fairlead_router.select.view.Breakers`."""
        breaker = self._breakers.get((model, endpoint))
        return CLOSED if breaker is None else breaker.view(now)

    def retain(self, models: set[str]) -> None:
        """Forget the breakers of models that no table knows any more."""
        for key in [key for key in self._breakers if key[0] not in models]:
            del self._breakers[key]

    def snapshot(self, now: float) -> dict[str, BreakerView]:
        """All breakers by ``model@endpoint``."""
        return {f"{model}@{endpoint}": breaker.view(now) for (model, endpoint), breaker in self._breakers.items()}
