"""Circuit breakers per (model, endpoint): a pure state machine, and the registry of those of this process.

Sources: Nygard, *Release It!*; defaults and traps from Envoy's outlier detection and LiteLLM's cooldowns: a second, longer
wait extends the first, a request that is the client's fault never counts, a 429 is a wait and not a failure. A breaker
that failures opened does not close at the first good probe: it lets a tenth, then half of the requests through first, or
the burst that broke the provider would meet it again at full strength.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass
from functools import lru_cache, partial

from fairlead_contract.fragments import CircuitBreaker
from fairlead_router.dispatch.window import OutcomeWindow
from fairlead_router.select.view import CLOSED, HALF_OPEN, BreakerState, BreakerView


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


_RAMP = (10, 50)
"""Percentages of the requests that pass after a good probe, stage by stage, before all do."""

_STAGE_SUCCESSES = 3
_STAGE_SECONDS = 5.0
"""A stage ends after so many successes, or after so long without a failure: rare traffic must not be held back for ever."""


class Breaker:
    """One breaker. ``draw`` supplies the jitter: numbers in [0, 1).

    ``tell`` hears each time that it opens or stays open for longer: for how many seconds from now on, and how often it opened
    in a row (0: the provider only asked for a pause).
    """

    __slots__ = (
        "_closed_at",
        "_consecutive",
        "_credit",
        "_draw",
        "_openings",
        "_probes",
        "_stage",
        "_stage_since",
        "_stage_successes",
        "_tell",
        "_until",
        "window",
    )

    def __init__(self, draw: Callable[[], float], tell: Callable[[float, int], None] | None = None) -> None:
        self._draw = draw
        self._tell = tell
        self.window = OutcomeWindow()
        self._consecutive = 0
        self._openings = 0
        self._closed_at = 0.0
        """How often it opened in a row counts until a whole window after closing has passed without a failure."""
        self._until: float | None = None
        self._probes = 0
        self._stage: int | None = None
        """Place in the ramp; ``None``: it has not begun."""
        self._stage_since = 0.0
        self._stage_successes = 0
        self._credit = 0

    def view(self, now: float) -> BreakerView:
        """How it stands. On the ramp it is still half open."""
        if self._until is None:
            return CLOSED
        if now < self._until:
            return BreakerView(BreakerState.OPEN, self._until - now)
        if self._stage is not None and now - self._stage_since >= _STAGE_SECONDS * (len(_RAMP) - self._stage):
            return CLOSED
        return HALF_OPEN

    @property
    def ramp_percent(self) -> int | None:
        """The percentage of requests that pass while it closes step by step; ``None`` when it does not."""
        return None if self._stage is None else _RAMP[self._stage]

    def acquire(self, now: float, rules: BreakerRules) -> bool:
        """Whether a request may go through now; half open, only so many probes at a time, then a share of all."""
        if self._until is None:
            return True
        if now < self._until:
            return False
        if self._stage is not None:
            self._climb(now)
            return self._on_ramp()
        if self._probes >= rules.half_open_requests:
            return False
        self._probes += 1
        return True

    def release(self) -> None:
        """A request ended without telling anything of the provider (the client hung up, or its fault)."""
        self._probes = max(0, self._probes - 1)

    def succeeded(self, now: float, rules: BreakerRules) -> None:
        """An answer came. A good probe begins the ramp; after a mere wait it closes the breaker."""
        self._consecutive = 0
        self._climb(now)
        if self._until is not None:
            if now < self._until:
                return
            if self._stage is None:
                self._begin_ramp(now)
            else:
                self._stage_successes += 1
                self._climb(now)
            return
        if not self.window.failures and now - self._closed_at >= rules.window_seconds:
            self._openings = 0
        self.window.add(now, True, rules.window_seconds)

    def failed(self, now: float, rules: BreakerRules, *, retry_after_seconds: float | None = None) -> None:
        """The provider failed. ``retry_after_seconds`` lengthens the opening and never shortens it."""
        self._consecutive += 1
        self._climb(now)
        if self._until is not None:
            if now >= self._until:
                self._open(now, rules, retry_after_seconds)
            elif retry_after_seconds is not None:
                self._stay_open(now, min(retry_after_seconds, rules.max_open_seconds))
            return
        self.window.add(now, False, rules.window_seconds)
        successes, failures = self.window.counts(now, rules.window_seconds)
        total = successes + failures
        too_many = total >= rules.min_requests and 100 * failures >= rules.failure_percent * total
        if too_many or self._consecutive >= rules.consecutive_failures:
            self._open(now, rules, retry_after_seconds)

    def wait(self, now: float, seconds: float, rules: BreakerRules) -> None:
        """The provider asked for a pause (429 with Retry-After): open that long without counting a failure."""
        if seconds <= 0:
            return
        self._probes = 0
        self._stage = None
        self._stay_open(now, min(seconds, rules.max_open_seconds))

    def opened_elsewhere(self, now: float, seconds: float, openings: int) -> None:
        """Another router has opened its own: lengthens and never shortens, and is not told on."""
        until = now + seconds
        if self._until is not None and until <= self._until:
            return
        self._openings = max(self._openings, openings)
        self._probes = 0
        self._stage = None
        self._until = until

    def _open(self, now: float, rules: BreakerRules, retry_after_seconds: float | None) -> None:
        seconds = min(rules.open_seconds * 2.0**self._openings, rules.max_open_seconds)
        seconds *= 0.9 + 0.2 * self._draw()
        if retry_after_seconds is not None:
            seconds = max(seconds, min(retry_after_seconds, rules.max_open_seconds))
        self._openings = min(self._openings + 1, 16)
        self._probes = 0
        self._stage = None
        self._stay_open(now, seconds)

    def _stay_open(self, now: float, seconds: float) -> None:
        self._until = now + seconds if self._until is None else max(self._until, now + seconds)
        if self._tell is not None:
            self._tell(self._until - now, self._openings)

    def _begin_ramp(self, now: float) -> None:
        if not self._openings:
            self._close(now)
            return
        self._probes = 0
        self._enter(0, now)

    def _enter(self, stage: int, now: float) -> None:
        self._stage = stage
        self._stage_since = now
        self._stage_successes = 0
        self._credit = 100 - _RAMP[stage]  # the first request of a stage passes

    def _climb(self, now: float) -> None:
        """Leave the stages whose successes or seconds are reached; after the last the breaker is closed."""
        while self._stage is not None:
            late = now - self._stage_since >= _STAGE_SECONDS
            if not late and self._stage_successes < _STAGE_SUCCESSES:
                return
            ended = self._stage_since + _STAGE_SECONDS if late else now
            if self._stage + 1 == len(_RAMP):
                self._close(ended)
            else:
                self._enter(self._stage + 1, ended)

    def _on_ramp(self) -> bool:
        """Counted, not drawn: of ten requests in a row one passes, wherever the row begins."""
        if self._stage is None:
            return True
        self._credit += _RAMP[self._stage]
        if self._credit < 100:
            return False
        self._credit -= 100
        return True

    def _close(self, now: float) -> None:
        self._until = None
        self._closed_at = now
        self._probes = 0
        self._stage = None
        self.window.clear()


class BreakerRegistry:
    """The breakers of this process. They outlive tables: a change of configuration forgives nobody."""

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw
        self._breakers: dict[tuple[str, str], Breaker] = {}
        self.on_open: Callable[[str, str, float, int], None] | None = None
        """Hears what each breaker tells, with its model and endpoint."""

    def of(self, model: str, endpoint: str) -> Breaker:
        """The breaker, made at first use."""
        key = (model, endpoint)
        breaker = self._breakers.get(key)
        if breaker is None:
            breaker = self._breakers[key] = Breaker(self._draw, partial(self._opened, model, endpoint))
        return breaker

    def known(self, model: str, endpoint: str) -> Breaker | None:
        """The breaker, if there was ever use for it."""
        return self._breakers.get((model, endpoint))

    def view(self, model: str, endpoint: str, now: float) -> BreakerView:
        """See :class:`fairlead_router.select.view.Breakers`."""
        breaker = self._breakers.get((model, endpoint))
        return CLOSED if breaker is None else breaker.view(now)

    def _opened(self, model: str, endpoint: str, seconds: float, openings: int) -> None:
        if self.on_open is not None:
            self.on_open(model, endpoint, seconds, openings)

    def retain(self, places: Set[tuple[str, str]]) -> None:
        """Forget the breakers of all but these models and endpoints."""
        for key in [key for key in self._breakers if key not in places]:
            del self._breakers[key]

    def snapshot(self, now: float) -> dict[str, BreakerView]:
        """All breakers by ``model@endpoint``."""
        return {f"{model}@{endpoint}": breaker.view(now) for (model, endpoint), breaker in self._breakers.items()}
