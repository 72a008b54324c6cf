"""The attempt loop: try the plan in order, each target as often as its retries allow, then the fallbacks for the cause."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import msgspec

from fairlead_contract.decision import Outcome, RemovedBy, Usage
from fairlead_contract.fragments import Cause, CircuitBreaker
from fairlead_router.account.cost import cost, price_at, upper_bound
from fairlead_router.config.table import EndpointEntry, ModelEntry
from fairlead_router.dialect.openai_response import BadAnswer, StreamReader, error_code, read_answer
from fairlead_router.dialect.sse import EventSplitter, EventTooLarge, event_data
from fairlead_router.dispatch import failures
from fairlead_router.dispatch.breaker import BreakerRegistry, BreakerRules
from fairlead_router.dispatch.deadlines import Deadlines
from fairlead_router.dispatch.failures import Blame, Failure
from fairlead_router.dispatch.job import Bounds, Job, Running
from fairlead_router.dispatch.providers.base import Adapter, Answer, Call, CallFailed, CallTimedOut
from fairlead_router.errors import (
    RouterError,
    context_length_exceeded,
    invalid_request,
    no_candidate,
    openai_error_body,
    upstream_failed,
    upstream_rate_limited,
    upstream_timed_out,
)
from fairlead_router.select.selection import PlannedFallback
from fairlead_router.select.view import BreakerState

_MAX_ERROR_BYTES = 1024 * 1024
_BACKOFF_SECONDS, _MAX_BACKOFF_SECONDS = 0.1, 2.0


class Whole(msgspec.Struct, frozen=True):
    """A complete answer; the attempt is settled."""

    body: bytes
    status: int = 200


@dataclass(frozen=True, slots=True)
class Failed:
    """A target that gave no answer."""

    failure: Failure
    refusal: Whole | None = None
    """The provider's own words to the client, when the request is at fault."""
    error: RouterError | None = None
    """What the client is told instead of the failure (a budget without room)."""


@dataclass(slots=True)
class Begun:
    """A stream whose first event has arrived and is not sent yet."""

    running: Running
    answer: Answer
    splitter: EventSplitter
    reader: StreamReader
    first: bytes
    """What may be passed on already."""


class Dispatcher:
    """Makes attempts. Clock, sleep and random numbers are passed in; ``clock`` is monotonic, ``wall`` is Unix time."""

    def __init__(
        self,
        adapters: Mapping[str, Adapter],
        breakers: BreakerRegistry,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        draw: Callable[[], float],
        max_response_bytes: int,
        max_event_bytes: int,
    ) -> None:
        self._adapters = adapters
        self._breakers = breakers
        self._clock = clock
        self._wall = wall
        self._sleep = sleep
        self._draw = draw
        self._max_response_bytes = max_response_bytes
        self._max_event_bytes = max_event_bytes
        self.deadlines = Deadlines()

    async def dispatch(self, job: Job) -> Whole | Begun:
        """The first answer that succeeds, or the provider's own refusal of the request (status 4xx).

        Raises ``RouterError``: the last failure, or that nothing could be tried at all.
        """
        waiting, standing_by = list(job.selection.plan), list(job.selection.fallbacks)
        causes = _causes_of_removals(job)
        last: Failed | None = None
        while (entry := _next_target(waiting, standing_by, causes)) is not None:
            open_causes = {cause for fallback in standing_by for cause in fallback.causes}
            result = await self._try_target(job, entry, others_left=bool(waiting), fallback_causes=open_causes)
            if isinstance(result, Whole | Begun):
                return result
            if result is None:
                causes = {"Error"}
                continue
            last = result
            causes = set() if result.failure.cause is None else {result.failure.cause}
            if result.refusal is not None:
                if not any(causes & fallback.causes for fallback in standing_by):
                    return result.refusal
                waiting.clear()
        raise _final_error(job, last)

    def rules(self, job: Job, entry: ModelEntry) -> BreakerRules:
        """The breaker rules that hold for this request on this model."""
        policy = CircuitBreaker() if job.policy is None else job.policy.breaker
        return BreakerRules.of(entry.provider.fragment.circuit_breaker, policy)

    async def _try_target(
        self, job: Job, entry: ModelEntry, *, others_left: bool, fallback_causes: set[Cause]
    ) -> Whole | Begun | Failed | None:
        """All tries on one target. ``None``: its breakers let nothing through.

        A wait that the provider asks for is waited for only if nobody else could be asked meanwhile, and no longer than
        ``totalSeconds``; else it goes to the client.
        """
        retries = job.retries
        bounds = Bounds.of(entry.provider.fragment.timeouts, None if job.policy is None else job.policy.timeouts)
        rules = self.rules(job, entry)
        tried: set[str] = set()
        result: Failed | None = None
        for number in range(retries.attempts + 1):
            remaining = self._remaining(job)
            if remaining <= 0:
                return result or Failed(failures.timed_out("total_timeout"))
            endpoint = self._take_endpoint(job, entry, tried, rules)
            if endpoint is None:
                return result
            tried.add(endpoint.name)
            try:
                running = await self._reserve(job, entry, endpoint, bounds)
            except RouterError as error:
                self._breakers.of(entry.key, endpoint.name).release()
                return Failed(failures.no_money(), error=error)
            except BaseException:
                self._breakers.of(entry.key, endpoint.name).release()
                raise
            attempt = await self._attempt(running, rules, min(remaining, _bound(retries.per_attempt_seconds)))
            if isinstance(attempt, Whole | Begun):
                return attempt
            result, failure = attempt, attempt.failure
            if failure.retry_on is None or failure.retry_on not in retries.retry_on or number == retries.attempts:
                return result
            wait = self._backoff(number, failure)
            others = others_left or failure.cause in fallback_causes
            if failure.retry_after_seconds is not None and (others or wait >= min(self._remaining(job), bounds.total)):
                return result
            await self._pause(job, wait)
        return result

    def _remaining(self, job: Job) -> float:
        return _bound(job.retries.total_seconds) - (self._clock() - job.started)

    def _backoff(self, number: int, failure: Failure) -> float:
        """Full jitter (Brooker 2015), or what the provider asked for if that is longer."""
        jittered: float = self._draw() * min(_MAX_BACKOFF_SECONDS, _BACKOFF_SECONDS * 2**number)
        return jittered if failure.retry_after_seconds is None else max(jittered, failure.retry_after_seconds)

    async def _pause(self, job: Job, seconds: float) -> None:
        before = self._clock()
        await self._sleep(seconds)
        job.waited += self._clock() - before

    def _take_endpoint(self, job: Job, entry: ModelEntry, tried: set[str], rules: BreakerRules) -> EndpointEntry | None:
        """The next endpoint whose breaker lets this request through; of one that is half open, all probes may be out."""
        allowed = [endpoint for endpoint in entry.provider.endpoints if job.selection.hard.endpoint_allowed(endpoint)]
        while (endpoint := self._endpoint(job, entry, allowed, tried)) is not None:
            if self._acquire(job, entry, endpoint, rules):
                return endpoint
            allowed = [each for each in allowed if each is not endpoint]
        return None

    def _endpoint(
        self, job: Job, entry: ModelEntry, allowed: list[EndpointEntry], tried: set[str]
    ) -> EndpointEntry | None:
        """By role, then by weight, among those the constraints allow: first untried ones whose breaker is not open."""
        now = self._clock()
        alive = [
            endpoint
            for endpoint in allowed
            if self._breakers.view(entry.key, endpoint.name, now).state is not BreakerState.OPEN
        ]
        pool = alive or (allowed if job.selection.panic else [])
        pool = [endpoint for endpoint in pool if endpoint.name not in tried] or pool
        pool = [endpoint for endpoint in pool if not endpoint.backup] or pool
        if len(pool) < 2:
            return pool[0] if pool else None
        total = sum(endpoint.weight for endpoint in pool)
        point = self._draw() * total
        for endpoint in pool:
            point -= endpoint.weight
            if point < 0:
                return endpoint
        return pool[-1]

    def _acquire(self, job: Job, entry: ModelEntry, endpoint: EndpointEntry, rules: BreakerRules) -> bool:
        return self._breakers.of(entry.key, endpoint.name).acquire(self._clock(), rules) or job.selection.panic

    async def _reserve(self, job: Job, entry: ModelEntry, endpoint: EndpointEntry, bounds: Bounds) -> Running:
        price = price_at(entry.model, self._wall())
        bound = upper_bound(
            price,
            entry.model,
            body_bytes=len(job.request.body),
            max_output_tokens=job.request.max_output_tokens,
            choices=job.request.choices,
        )
        await job.account.reserve(bound)
        return Running(job, entry, endpoint, bounds, price, bound, self._clock())

    async def _attempt(self, running: Running, rules: BreakerRules, seconds: float) -> Whole | Begun | Failed:
        job, entry, bounds = running.job, running.entry, running.bounds
        call = Call(job.request, entry, running.endpoint, job.decision_id, len(job.attempts) + 1, bounds.connect)
        adapter = self._adapters[entry.provider.fragment.type]
        limit = min(seconds, bounds.first_byte if job.request.stream else bounds.total)
        answer: Answer | None = None
        refusal: Whole | None = None
        before = self._clock()
        try:
            async with self.deadlines.after(limit):
                answer = await adapter.open(call)
                running.first_byte = self._clock()
                if answer.status != 200:
                    failure, refusal = await self._refused(answer)
                elif job.request.stream:
                    begun = await self._begin(running, answer)
                    answer = None
                    return begun
                else:
                    body = await answer.read(self._max_response_bytes)
                    usage = read_answer(body, estimated_input_tokens=job.request.estimated_input_tokens)
                    return self._complete(running, body, usage, rules)
        except CallFailed as error:
            failure = failures.not_reached(error.error, connected=error.connected)
        except CallTimedOut:
            failure = failures.timed_out("connect_timeout")
        except TimeoutError:
            failure = failures.timed_out("first_byte_timeout" if job.request.stream else "total_timeout")
        except BadAnswer as error:
            failure = failures.bad_answer(error.error)
        except asyncio.CancelledError:
            self.give_up(running)
            raise
        except BaseException:
            self._breakers.of(entry.key, running.endpoint.name).release()
            raise
        finally:
            job.waited += self._clock() - before
            if answer is not None:
                answer.close()
        self._note_failure(running, failure, rules)
        return Failed(failure, refusal)

    async def _refused(self, answer: Answer) -> tuple[Failure, Whole | None]:
        body = await answer.read(_MAX_ERROR_BYTES)
        code = error_code(body)
        wait = failures.retry_after_seconds(*answer.retry_after, now=self._wall())
        failure = failures.answered(answer.status, code, wait)
        if failure.outcome is not Outcome.REFUSED:
            return failure, None
        shown = body if code is not None else openai_error_body(invalid_request("the provider refused the request"))
        return failure, Whole(shown, answer.status)

    async def _begin(self, running: Running, answer: Answer) -> Begun:
        """Wait for the first event that says something. Until it is passed on, everything may still be tried again."""
        request = running.job.request
        splitter = EventSplitter(max_event_bytes=self._max_event_bytes)
        reader = StreamReader(
            strip_usage=not request.client_wants_usage, estimated_input_tokens=request.estimated_input_tokens
        )
        if not answer.is_event_stream:
            answer.close()
            raise BadAnswer("not_an_event_stream")
        try:
            while True:
                chunk = await answer.read_chunk()
                if not chunk:
                    raise BadAnswer("empty_stream")
                first, said_something = pass_events(splitter, reader, chunk)
                if said_something:
                    return Begun(running, answer, splitter, reader, first)
        except BaseException:
            answer.close()
            raise

    def _complete(self, running: Running, body: bytes, usage: Usage, rules: BreakerRules) -> Whole:
        now = self._clock()
        self._breakers.of(running.entry.key, running.endpoint.name).succeeded(now, rules)
        running.finish(Outcome.SUCCEEDED, now, status=200, usage=usage, cost=cost)
        return Whole(body)

    def _note_failure(self, running: Running, failure: Failure, rules: BreakerRules) -> None:
        now = self._clock()
        breaker = self._breakers.of(running.entry.key, running.endpoint.name)
        if failure.blame is Blame.PROVIDER:
            breaker.failed(now, rules, retry_after_seconds=failure.retry_after_seconds)
        elif failure.blame is Blame.WAIT:
            breaker.release()
            if failure.retry_after_seconds is not None:
                breaker.wait(now, failure.retry_after_seconds, rules)
        else:
            breaker.release()
        running.finish(
            failure.outcome,
            now,
            status=failure.status,
            cause=failure.cause,
            error=failure.error,
            retry_after_seconds=failure.retry_after_seconds,
        )

    def committed(self, begun: Begun) -> None:
        """The first byte goes to the client: the provider works."""
        running = begun.running
        rules = self.rules(running.job, running.entry)
        self._breakers.of(running.entry.key, running.endpoint.name).succeeded(self._clock(), rules)

    def settle_stream(self, begun: Begun, outcome: Outcome, error: str | None) -> None:
        """A stream that was committed has ended, one way or another: charge what was used."""
        running = begun.running
        now = self._clock()
        if outcome is Outcome.TRUNCATED:
            rules = self.rules(running.job, running.entry)
            self._breakers.of(running.entry.key, running.endpoint.name).failed(now, rules)
        running.finish(outcome, now, status=200, error=error, usage=begun.reader.usage, cost=cost)

    def give_up(self, running: Running) -> None:
        """The client hung up before an answer was committed: the provider may bill the input it read."""
        self._breakers.of(running.entry.key, running.endpoint.name).release()
        usage = Usage(input_tokens=running.job.request.estimated_input_tokens, estimated=True)
        running.finish(Outcome.CANCELLED, self._clock(), error="client_closed_request", usage=usage, cost=cost)


def pass_events(splitter: EventSplitter, reader: StreamReader, chunk: bytes) -> tuple[bytes, bool]:
    """What of ``chunk`` the client gets, and whether any event carried data. Raises :class:`BadAnswer`."""
    try:
        events = splitter.feed(chunk)
    except EventTooLarge as error:
        raise BadAnswer("event_too_large") from error
    said_something = False
    passed = []
    for event in events:
        data = event_data(event)
        if data is None:
            passed.append(event)
            continue
        said_something = True
        if reader.passes(data):
            passed.append(event)
    return b"".join(passed), said_something


def _bound(seconds: int | None) -> float:
    return float("inf") if seconds is None else float(seconds)


def _next_target(
    waiting: list[ModelEntry], standing_by: list[PlannedFallback], causes: set[Cause]
) -> ModelEntry | None:
    """Take the next of the plan, or else the first fallback for one of ``causes``."""
    if waiting:
        return waiting.pop(0)
    for place, fallback in enumerate(standing_by):
        if causes & fallback.causes:
            return standing_by.pop(place).entry
    return None


def _causes_of_removals(job: Job) -> set[Cause]:
    """Which fallbacks open before anything was tried, because nothing of the plan is left."""
    if job.selection.plan:
        return set()
    removed = {candidate.removed.by for candidate in job.selection.candidates if candidate.removed is not None}
    causes: set[Cause] = set()
    if RemovedBy.CONTEXT_WINDOW in removed:
        causes.add("ContextWindow")
    if RemovedBy.CIRCUIT_BREAKER in removed:
        causes.add("Error")
    return causes


def _final_error(job: Job, last: Failed | None) -> RouterError:
    subject = "this model" if job.policy is None else f"RoutingPolicy {job.policy.fragment.key}"
    if last is None:
        removals = [(each.model, each.removed) for each in job.selection.candidates if each.removed is not None]
        text = "; ".join(f"{model}: {removed.message}" for model, removed in removals[:5])
        if {removed.by for _, removed in removals} == {RemovedBy.CONTEXT_WINDOW}:
            return context_length_exceeded(text)
        return no_candidate(subject, text or "its circuit breakers are open; try again shortly")
    if last.error is not None:
        return last.error
    tries = "; ".join(
        f"{attempt.model}: {attempt.error}" + (f" ({attempt.status})" if attempt.status else "")
        for attempt in job.attempts[-5:]
    )
    message = f"{len(job.attempts)} attempt(s) of {subject} failed: {tries or last.failure.error}"
    if last.failure.outcome is Outcome.TIMED_OUT:
        return upstream_timed_out(message)
    if last.failure.outcome is Outcome.RATE_LIMITED:
        return upstream_rate_limited(message, last.failure.retry_after_seconds)
    return upstream_failed(message)
