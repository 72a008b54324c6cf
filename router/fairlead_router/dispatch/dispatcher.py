"""The attempt loop: try the plan in order, each target as often as its retries allow, then the fallbacks for the cause."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fairlead_contract.fragments import Cause
from fairlead_router.config.table import EndpointEntry, ModelEntry, Table
from fairlead_router.dispatch import failures
from fairlead_router.dispatch.answers import Begun, Failed, Whole
from fairlead_router.dispatch.attempt import Attempts
from fairlead_router.dispatch.breaker import BreakerRegistry, BreakerRules
from fairlead_router.dispatch.course import final_error, next_target, opening_causes, with_larger_window
from fairlead_router.dispatch.endpoints import take_endpoint
from fairlead_router.dispatch.failures import Failure
from fairlead_router.dispatch.health import HealthRegistry
from fairlead_router.dispatch.job import Bounds, Job
from fairlead_router.dispatch.retry_budget import RetryBudgets
from fairlead_router.dispatch.statistics import StatisticsRegistry
from fairlead_router.dispatch.telling import tell_next, tell_unavailable, tell_waiting
from fairlead_router.errors import RouterError
from fairlead_router.select.draws import DrawSource

_BACKOFF_SECONDS, _MAX_BACKOFF_SECONDS = 0.1, 2.0
_OVERLOADED_SECONDS, _MAX_OVERLOADED_SECONDS = 1.0, 10.0
"""The same for a provider that says it has too much to do."""
_EARLY_SECONDS = 0.002
"""By how much a timer may be early (uvloop's go by whole milliseconds): a breaker would still be open then."""


class Dispatcher:
    """Decides who is tried next and when. Clock, sleep and random numbers are passed in.

    ``draws`` choose endpoints and are recorded; ``draw`` spreads waits, on which no decision depends.
    """

    def __init__(
        self,
        attempts: Attempts,
        breakers: BreakerRegistry,
        *,
        draws: DrawSource,
        health: HealthRegistry | None = None,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        draw: Callable[[], float],
    ) -> None:
        self.attempts = attempts
        self.breakers = breakers
        self.health = health or HealthRegistry()
        self.retry_budgets = RetryBudgets()
        self._draws = draws
        self._clock = clock
        self._sleep = sleep
        self._draw = draw

    @property
    def statistics(self) -> StatisticsRegistry:
        """What attempts have measured."""
        return self.attempts.statistics

    def retain(self, table: Table) -> None:
        """Forget what was learned of models, endpoints and providers that ``table`` does not know."""
        places = {(key, endpoint.name) for key, entry in table.models.items() for endpoint in entry.provider.endpoints}
        self.breakers.retain(places)
        self.statistics.retain(places)
        self.retry_budgets.retain(set(table.providers))

    async def dispatch(self, job: Job) -> Whole | Begun:
        """The first answer that succeeds, or the provider's own refusal of the request (status 4xx).

        Raises ``RouterError``: the last failure, or that nothing could be tried at all.
        """
        waiting, standing_by = list(job.selection.plan), list(job.selection.fallbacks)
        causes = opening_causes(job.selection)
        passed_over: list[ModelEntry] = []
        last: Failed | None = None
        while True:
            entry = next_target(waiting, standing_by, causes)
            if entry is None and passed_over:
                # Nobody else is left: waiting for what others find out would only refuse this request.
                job.panic = True
                waiting = sorted(passed_over, key=lambda each: self._opens_again(job, each))
                passed_over = []
                continue
            if entry is None:
                raise final_error(job, last)
            if last is not None:
                tell_next(job.decision_id, entry, last.failure)
            open_causes = {cause for fallback in standing_by for cause in fallback.causes}
            result = await self._try_target(job, entry, others_left=bool(waiting), fallback_causes=open_causes)
            if isinstance(result, Whole | Begun):
                return result
            if result is None:
                tell_unavailable(job.decision_id, entry)
                if not job.panic:
                    passed_over.append(entry)
                causes = causes | {"Error"}
                continue
            last = result
            causes = set() if result.failure.cause is None else {result.failure.cause}
            if result.refusal is not None:
                waiting = with_larger_window(waiting, entry) if "ContextWindow" in causes else []
                if not waiting and not causes & open_causes:
                    return result.refusal

    async def _try_target(
        self, job: Job, entry: ModelEntry, *, others_left: bool, fallback_causes: set[Cause]
    ) -> Whole | Begun | Failed | None:
        """All tries on one target. ``None``: its breakers let nothing through, and it was not tried.

        A target that was tried and is broken since is tried again all the same if nobody else is left (panic).
        A wait that the provider asks for is waited for only if nobody else could be asked meanwhile, and no longer than
        ``totalSeconds``; else it goes to the client.
        """
        retries = job.retries
        bounds = Bounds.of(entry.provider.fragment.timeouts, job.timeouts)
        rules = self.attempts.rules(job, entry)
        budget = self.retry_budgets.of(entry.provider.fragment.key)
        tried: set[str] = set()
        result: Failed | None = None
        others = True
        for number in range(retries.attempts + 1):
            remaining = self._remaining(job)
            if remaining <= 0:
                return result or Failed(failures.timed_out("total_timeout"))
            endpoint = self._take(job, entry, tried, rules)
            if endpoint is None and not others:
                job.panic = True
                endpoint = self._take(job, entry, tried, rules)
            if endpoint is None:
                return result
            tried.add(endpoint.name)
            try:
                running = await self.attempts.reserve(job, entry, endpoint, bounds)
            except RouterError as error:
                self.breakers.of(entry.key, endpoint.name).release()
                # Without money for a retry, what failed before it still opens its fallbacks, which may be cheaper.
                return result or Failed(failures.no_money(), error=error)
            except BaseException:
                self.breakers.of(entry.key, endpoint.name).release()
                raise
            if number == 0:
                budget.count_first(self._clock())
            attempt = await self.attempts.run(running, rules, min(remaining, _bound(retries.per_attempt_seconds)))
            if isinstance(attempt, Whole | Begun):
                return attempt
            result, failure = attempt, attempt.failure
            if failure.retry_on is None or failure.retry_on not in retries.retry_on or number == retries.attempts:
                return result
            wait = self._backoff(number, failure)
            others = others_left or failure.cause in fallback_causes
            asked = failure.retry_after_seconds is not None
            if others and (asked or failure.retry_on == "RateLimited"):
                return result
            if wait >= self._remaining(job) or (asked and wait >= bounds.total):
                return result
            if not budget.take(self._clock()):
                return result
            tell_waiting(job.decision_id, entry, wait, asked=asked)
            await self._pause(job, wait)
        return result

    def _take(self, job: Job, entry: ModelEntry, tried: set[str], rules: BreakerRules) -> EndpointEntry | None:
        return take_endpoint(
            job, entry, tried, self, rules, now=self._clock(), draw=lambda: self._draw_endpoint(job, entry)
        )

    def _opens_again(self, job: Job, entry: ModelEntry) -> float:
        """Seconds until a breaker of ``entry`` lets a probe through."""
        now = self._clock()
        places = job.selection.hard.endpoints_allowed(entry)
        return min(self.breakers.view(entry.key, place.name, now).opens_again_in_seconds for place in places)

    def _remaining(self, job: Job) -> float:
        return _bound(job.retries.total_seconds) - (self._clock() - job.started)

    def _backoff(self, number: int, failure: Failure) -> float:
        """Full jitter (Brooker 2015), or what the provider asked for if that is longer."""
        first, longest = _BACKOFF_SECONDS, _MAX_BACKOFF_SECONDS
        if failure.overloaded:
            first, longest = _OVERLOADED_SECONDS, _MAX_OVERLOADED_SECONDS
        jittered: float = self._draw() * min(longest, first * 2**number)
        return jittered if failure.retry_after_seconds is None else max(jittered, failure.retry_after_seconds)

    def _draw_endpoint(self, job: Job, entry: ModelEntry) -> float:
        """Each choice of a request has a purpose of its own, so that a replay finds its draw."""
        purpose = f"endpoint:{len(job.draws) + 1}"
        draw = self._draws.draw(purpose, entry.provider.fragment.uid, "Request", job.decision_id)
        job.draws.append(draw)
        return draw.value

    async def _pause(self, job: Job, seconds: float) -> None:
        before = self._clock()
        await self._sleep(seconds + _EARLY_SECONDS)
        job.waited += self._clock() - before


def _bound(seconds: int | None) -> float:
    return float("inf") if seconds is None else float(seconds)
