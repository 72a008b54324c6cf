"""Whatever becomes of a request, its place among a half-open breaker's probes is given back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from fairlead_contract.decision import Outcome
from fairlead_contract.fragments import Endpoint, Retries
from fairlead_router.account.ledger import Account
from fairlead_router.config.table import PolicyEntry
from fairlead_router.dialect.openai_chat import parse_chat_request
from fairlead_router.dispatch.answers import Begun, Whole
from fairlead_router.dispatch.attempt import Attempts
from fairlead_router.dispatch.breaker import BreakerRegistry, BreakerRules
from fairlead_router.dispatch.dispatcher import Dispatcher
from fairlead_router.dispatch.job import Job
from fairlead_router.dispatch.providers.base import Call
from fairlead_router.dispatch.transport.base import Answer
from fairlead_router.errors import RouterError
from fairlead_router.select.selection import select
from fairlead_router.select.view import BreakerState, StateView
from fairlead_router.state.memory import MemoryStore
from fairlead_router.state.store import Granted, Limit, Refused
from tests.router.builders import (
    ChosenDraws,
    a_pipeline,
    a_policy,
    a_provider,
    a_receiver,
    a_target,
    key,
    linked,
    some_facts,
)

ANSWER = b'{"choices":[{"message":{"content":"hello"}}]}'
CHUNK = b'data: {"choices":[{"delta":{"content":"hello"}}]}\n\n'
LIMIT = Limit("workspace/ws/day/1", 10, 1e9)


class Played:
    """An answer that was written before."""

    def __init__(self, body: bytes, *, stream: bool) -> None:
        self.status = 200
        self.is_event_stream = stream
        self.closed = False
        self._body = body

    def header(self, name: str) -> str | None:
        return None

    async def read(self, max_bytes: int) -> bytes:
        return self._body

    async def read_chunk(self) -> bytes:
        body, self._body = self._body, b""
        return body

    def close(self) -> None:
        self.closed = True


class Scripted:
    """An adapter that does what a test says, and remembers which endpoints were called."""

    def __init__(self, script: Callable[[Call], Awaitable[Answer]]) -> None:
        self._script = script
        self.called: list[str] = []
        self.first_call = asyncio.Event()

    async def open(self, call: Call) -> Answer:
        self.called.append(call.endpoint.name)
        self.first_call.set()
        return await self._script(call)


async def answers(call: Call) -> Answer:
    return Played(CHUNK if call.request.stream else ANSWER, stream=call.request.stream)


async def explodes(call: Call) -> Answer:
    raise ZeroDivisionError("a fault of ours")


async def never_answers(call: Call) -> Answer:
    await asyncio.Event().wait()
    raise AssertionError


class Scene:
    """A model with two endpoints, of which the first is half open."""

    def __init__(
        self,
        script: Callable[[Call], Awaitable[Answer]] = answers,
        *,
        endpoints: int = 2,
        store: MemoryStore | None = None,
    ) -> None:
        self.adapter = Scripted(script)
        self.breakers = BreakerRegistry(lambda: 0.0)
        self.breakers.of(key(), "e0").wait(0.0, 5.0, BreakerRules())
        places = tuple(Endpoint(f"e{number}", f"https://{number}.example") for number in range(endpoints))
        policy = a_policy(targets=(a_target(),), retries=Retries(attempts=0))
        self.policy: PolicyEntry = linked(policy, a_provider(endpoints=places))
        self.store = store or MemoryStore()
        attempts = Attempts(
            {"OpenAICompatible": self.adapter},
            self.breakers,
            clock=lambda: 10.0,
            wall=lambda: 0.0,
            max_response_bytes=1000,
            max_event_bytes=1000,
        )
        self.dispatcher = Dispatcher(
            attempts,
            self.breakers,
            draws=ChosenDraws(),
            clock=lambda: 10.0,
            sleep=asyncio.sleep,
            draw=lambda: 0.0,
        )

    def job(self, *, stream: bool = False) -> Job:
        body = b'{"model":"auto","messages":[{"content":"hi"}],"stream":%s}' % (b"true" if stream else b"false")
        view = StateView(self.breakers)
        selection = select(self.policy, some_facts(), None, view, ChosenDraws(), decision_id="d", now=10.0)
        account = Account(self.store, "d", (LIMIT,), lambda: 0.0)
        return Job("d", parse_chat_request(body), selection, self.policy, account, 10.0)

    @property
    def probe_is_free(self) -> bool:
        state = self.breakers.view(key(), "e0", 10.0).state
        assert state is BreakerState.HALF_OPEN
        return self.breakers.of(key(), "e0").acquire(10.0, BreakerRules())


async def test_while_the_probe_of_one_endpoint_is_out_the_next_endpoint_is_taken() -> None:
    scene = Scene()
    assert scene.probe_is_free
    answer = await scene.dispatcher.dispatch(scene.job())
    assert isinstance(answer, Whole)
    assert scene.adapter.called == ["e1"]


async def test_while_the_only_endpoints_probe_is_out_a_request_is_tried_all_the_same() -> None:
    scene = Scene(endpoints=1)
    assert scene.probe_is_free
    job = scene.job()
    assert isinstance(await scene.dispatcher.dispatch(job), Whole)
    assert scene.adapter.called == ["e0"]
    assert job.panic


async def test_a_probe_that_succeeds_closes_the_breaker() -> None:
    scene = Scene()
    await scene.dispatcher.dispatch(scene.job())
    assert scene.adapter.called == ["e0"]
    assert scene.breakers.view(key(), "e0", 10.0).state is BreakerState.CLOSED


async def test_a_fault_of_the_router_gives_the_probe_back() -> None:
    scene = Scene(explodes)
    with pytest.raises(ZeroDivisionError):
        await scene.dispatcher.dispatch(scene.job())
    assert scene.probe_is_free


async def test_a_client_that_hangs_up_gives_the_probe_back() -> None:
    scene = Scene(never_answers)
    job = scene.job()
    running = asyncio.create_task(scene.dispatcher.dispatch(job))
    await scene.adapter.first_call.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert scene.probe_is_free
    assert [attempt.outcome for attempt in job.attempts] == [Outcome.CANCELLED]


class BrokenStore(MemoryStore):
    """A store that is away."""

    async def reserve(
        self, reservation: str, limits: tuple[Limit, ...], micro_usd: int, *, now: float, expires_at: float
    ) -> Granted | Refused:
        raise ConnectionError


async def test_a_store_that_fails_gives_the_probe_back() -> None:
    scene = Scene(store=BrokenStore())
    with pytest.raises(ConnectionError):
        await scene.dispatcher.dispatch(scene.job())
    assert scene.probe_is_free


async def test_a_budget_without_room_gives_the_probe_back() -> None:
    scene = Scene()
    await scene.store.reserve("other", (LIMIT,), 10, now=0, expires_at=900)
    await scene.store.settle("other", 11, now=0)
    with pytest.raises(RouterError) as raised:
        await scene.dispatcher.dispatch(scene.job())
    assert raised.value.code == "budget_exceeded"
    assert scene.probe_is_free


async def test_a_stream_whose_client_left_before_its_first_byte_gives_the_probe_back() -> None:
    scene = Scene()
    begun = await scene.dispatcher.dispatch(scene.job(stream=True))
    assert isinstance(begun, Begun)
    pipeline = a_pipeline(a_receiver(), dispatcher=scene.dispatcher, breakers=scene.breakers)
    await pipeline.discard(begun)
    assert scene.probe_is_free
    assert [attempt.outcome for attempt in begun.running.job.attempts] == [Outcome.CANCELLED]


async def test_on_the_ramp_a_stream_counts_once_and_only_when_it_has_ended() -> None:
    scene = Scene()
    breaker, rules = scene.breakers.of(key(), "e0"), BreakerRules()
    breaker.opened_elsewhere(0.0, 6.0, 1)
    assert breaker.acquire(10.0, rules)
    breaker.succeeded(10.0, rules)
    for ended in range(3):
        assert breaker.ramp_percent == 10, ended
        while (begun := await scene.dispatcher.dispatch(scene.job(stream=True))) and scene.adapter.called[-1] != "e0":
            pass  # nine of ten go elsewhere
        assert isinstance(begun, Begun)
        scene.dispatcher.attempts.committed(begun)
        assert breaker.ramp_percent == 10, ended
        scene.dispatcher.attempts.settle_stream(begun, Outcome.SUCCEEDED, None)
    assert breaker.ramp_percent == 50
