"""One attempt: reserve, call, read as far as needed, tell the breaker, write it down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from fairlead_contract.decision import Outcome, Usage
from fairlead_router.account.cost import price_at, upper_bound
from fairlead_router.config.table import EndpointEntry, ModelEntry
from fairlead_router.dialect.openai_error import openai_error_body
from fairlead_router.dialect.openai_response import BadAnswer, StreamReader, error_code
from fairlead_router.dialect.operations import OPERATIONS
from fairlead_router.dialect.sse import EventSplitter
from fairlead_router.dispatch import failures
from fairlead_router.dispatch.answers import Begun, Failed, Whole, pass_events
from fairlead_router.dispatch.breaker import BreakerRegistry, BreakerRules
from fairlead_router.dispatch.deadlines import Deadlines
from fairlead_router.dispatch.failures import Blame, Failure
from fairlead_router.dispatch.job import Bounds, Job, Running
from fairlead_router.dispatch.providers.base import Adapter, Call
from fairlead_router.dispatch.statistics import StatisticsRegistry
from fairlead_router.dispatch.telling import tell_failed
from fairlead_router.dispatch.transport.base import Answer, CallFailed, CallTimedOut
from fairlead_router.dispatch.waits import asked_wait
from fairlead_router.errors import invalid_request
from fairlead_router.select.view import BreakerState

_MAX_ERROR_BYTES = 1024 * 1024


class Attempts:
    """Makes single attempts. ``clock`` is monotonic, ``wall`` is Unix time."""

    def __init__(
        self,
        adapters: Mapping[str, Adapter],
        breakers: BreakerRegistry,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
        max_response_bytes: int,
        max_event_bytes: int,
        statistics: StatisticsRegistry | None = None,
    ) -> None:
        self._adapters = adapters
        self._breakers = breakers
        self._clock = clock
        self._wall = wall
        self._max_response_bytes = max_response_bytes
        self._max_event_bytes = max_event_bytes
        self.deadlines = Deadlines()
        self.statistics = statistics or StatisticsRegistry()

    def rules(self, job: Job, entry: ModelEntry) -> BreakerRules:
        """The breaker rules that hold for this request on this model."""
        return BreakerRules.of(entry.provider.fragment.circuit_breaker, job.circuit_breaker)

    async def reserve(self, job: Job, entry: ModelEntry, endpoint: EndpointEntry, bounds: Bounds) -> Running:
        """Set aside what an attempt may cost. Raises ``RouterError`` when there is no money for it."""
        price = price_at(entry.model, self._wall())
        bound = upper_bound(
            price,
            entry.model,
            body_bytes=len(job.request.body),
            max_output_tokens=job.request.max_output_tokens,
            generations=job.request.generations,
        )
        await job.account.reserve(bound, seconds=bounds.total)
        return Running(job, entry, endpoint, bounds, price, bound, self._clock())

    async def run(self, running: Running, rules: BreakerRules, seconds: float) -> Whole | Begun | Failed:
        """Call, and read as much as decides whether it worked, in at most ``seconds``. Writes the attempt down."""
        job, entry, bounds = running.job, running.entry, running.bounds
        number = len(job.attempts) + 1
        call = Call(job.request, entry, running.endpoint, job.decision_id, number, bounds.connect, job.trace)
        adapter = self._adapters.get(entry.provider.fragment.type)
        limit = min(seconds, bounds.total, bounds.first_byte if job.request.stream else bounds.total)
        answer: Answer | None = None
        refusal: Whole | None = None
        before = self._clock()
        self.statistics.begin(entry.key, running.endpoint.name)
        try:
            with self.deadlines.after(limit):
                if adapter is None:  # a newer operator's; somebody else may serve the request
                    raise CallFailed("type_not_supported", connected=False)
                answer = await adapter.open(call)
                running.first_byte = self._clock()
                if answer.status != 200:
                    failure, refusal = await self._refused(answer)
                elif job.request.stream:
                    begun = await self._begin(running, answer)
                    answer = None
                    running.first_event = self._clock()
                    return begun
                else:
                    body = await answer.read(self._max_response_bytes)
                    usage = OPERATIONS[job.request.type].read(
                        body, estimated_input_tokens=job.request.estimated_input_tokens
                    )
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
            self.statistics.end(entry.key, running.endpoint.name)
            raise
        finally:
            job.waited += self._clock() - before
            if answer is not None:
                answer.close()
        self._note_failure(running, failure, rules)
        tell_failed(running, failure, self._clock() - running.started)
        return Failed(failure, refusal)

    async def _refused(self, answer: Answer) -> tuple[Failure, Whole | None]:
        try:
            code = error_code(body := await answer.read(_MAX_ERROR_BYTES))
        except CallFailed:  # The status has arrived and says enough.
            code, body = None, b""
        wait = asked_wait(answer.status, answer.header, now=self._wall())
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
            strip_usage=not request.client_wants_usage,
            estimated_input_tokens=request.estimated_input_tokens,
            choices=request.choices,
        )
        if not answer.is_event_stream:
            answer.close()
            raise BadAnswer("not_an_event_stream")
        first = b""
        try:
            while True:
                chunk = await answer.read_chunk()
                if not chunk:
                    raise BadAnswer("empty_stream")
                passed, said_something = pass_events(splitter, reader, chunk)
                first += passed
                if said_something:
                    return Begun(running, answer, splitter, reader, first)
                if len(first) > self._max_event_bytes:  # of comments
                    raise BadAnswer("event_too_large")
        except BaseException:
            answer.close()
            raise

    def _complete(self, running: Running, body: bytes, usage: Usage, rules: BreakerRules) -> Whole:
        now = self._clock()
        self._breakers.of(running.entry.key, running.endpoint.name).succeeded(now, rules)
        self._measure_success(running, usage, now)
        running.finish(Outcome.SUCCEEDED, now, status=200, usage=usage)
        return Whole(body)

    def _note_failure(self, running: Running, failure: Failure, rules: BreakerRules) -> None:
        now = self._clock()
        model, endpoint = running.entry.key, running.endpoint.name
        breaker = self._breakers.of(model, endpoint)
        self.statistics.end(model, endpoint)
        if failure.blame is Blame.PROVIDER:
            breaker.failed(now, rules, retry_after_seconds=failure.retry_after_seconds)
            in_vain = failure.outcome is Outcome.TIMED_OUT and failure.status is None
            waited = now - running.started if in_vain else None
            self.statistics.failed(model, endpoint, now, waited=waited, stream=running.job.request.stream)
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
        """The first byte goes to the client: a probe has shown what it had to. A success counts when the stream ends."""
        running, now = begun.running, self._clock()
        breaker = self._breakers.of(running.entry.key, running.endpoint.name)
        if breaker.view(now).state is BreakerState.HALF_OPEN and breaker.ramp_percent is None:
            breaker.succeeded(now, self.rules(running.job, running.entry))

    def settle_stream(self, begun: Begun, outcome: Outcome, error: str | None) -> None:
        """A stream that was committed has ended, one way or another: charge what was used."""
        running = begun.running
        now = self._clock()
        breaker = self._breakers.of(running.entry.key, running.endpoint.name)
        rules = self.rules(running.job, running.entry)
        if outcome is Outcome.SUCCEEDED:
            breaker.succeeded(now, rules)
            self._measure_success(running, begun.reader.usage, now)
        else:
            self.statistics.end(running.entry.key, running.endpoint.name)
        if outcome is Outcome.TRUNCATED:
            breaker.failed(now, rules)
            self.statistics.failed(running.entry.key, running.endpoint.name, now, stream=True)
        running.finish(outcome, now, status=200, error=error, usage=begun.reader.usage)

    def give_up(self, running: Running) -> None:
        """The client hung up before an answer was committed: the provider may bill the input it read."""
        self._breakers.of(running.entry.key, running.endpoint.name).release()
        self.statistics.end(running.entry.key, running.endpoint.name)
        usage = Usage(input_tokens=running.job.request.estimated_input_tokens, estimated=True)
        running.finish(Outcome.CANCELLED, self._clock(), error=failures.CLIENT_CLOSED, usage=usage)

    def _measure_success(self, running: Running, usage: Usage, now: float) -> None:
        model, endpoint = running.entry.key, running.endpoint.name
        self.statistics.end(model, endpoint)
        self.statistics.succeeded(
            model,
            endpoint,
            now,
            seconds=now - running.started,
            first_byte=None if running.first_event is None else running.first_event - running.started,
            output_tokens=usage.output_tokens,
        )
