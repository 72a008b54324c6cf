"""Which endpoint an attempt goes to: by role, health, weight and the calls that run; and how often the same target is tried."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from fairlead_contract.decision import Outcome
from fairlead_contract.fragments import CircuitBreaker, Endpoint, HealthCheck, Retries
from fairlead_router.account.ledger import Account
from fairlead_router.dialect.openai_chat import parse_chat_request
from fairlead_router.dispatch.attempt import Attempts
from fairlead_router.dispatch.breaker import BreakerRegistry, BreakerRules
from fairlead_router.dispatch.dispatcher import Dispatcher
from fairlead_router.dispatch.endpoints import take_endpoint
from fairlead_router.dispatch.job import Job
from fairlead_router.dispatch.providers.base import Call
from fairlead_router.dispatch.retry_budget import FREE_PER_SECOND, KEPT_SECONDS
from fairlead_router.dispatch.transport.base import Answer, CallFailed
from fairlead_router.errors import RouterError
from fairlead_router.select.draws import KeyedDraws
from fairlead_router.select.selection import select
from fairlead_router.select.view import StateView
from fairlead_router.state.memory import MemoryStore
from tests.router.builders import ChosenDraws, a_model, a_policy, a_provider, a_target, key, linked, some_facts

PROVIDER = "team-a/openai"
BODY = b'{"model":"auto","messages":[{"content":"hi"}]}'
NEVER_OPENS = CircuitBreaker(consecutive_failures=1000, min_requests=1000)


class Scene:
    """One model at several endpoints, and what is known of them."""

    def __init__(self, *endpoints: Endpoint, strategy: str = "Priority", **policy: Any) -> None:
        fragment = a_policy(targets=(a_target(),), strategy=strategy, **policy)
        provider = a_provider(endpoints=endpoints, models=(a_model(),), circuit_breaker=NEVER_OPENS)
        self.policy = linked(fragment, provider)
        self.calls = 0
        self.now = 0.0
        self.breakers = BreakerRegistry(lambda: 0.5)
        attempts = Attempts(
            {"OpenAICompatible": self},
            self.breakers,
            clock=lambda: self.now,
            wall=lambda: 0.0,
            max_response_bytes=1000,
            max_event_bytes=1000,
        )
        self.dispatcher = Dispatcher(
            attempts,
            self.breakers,
            draws=KeyedDraws(b"key"),
            clock=lambda: self.now,
            sleep=self.sleep,
            draw=lambda: 0.0,
        )

    async def open(self, call: Call) -> Answer:
        """An adapter that never reaches anybody."""
        self.calls += 1
        raise CallFailed("connect_failed", connected=False)

    async def sleep(self, seconds: float) -> None:
        """No time passes."""

    def job(self, decision: str = "d") -> Job:
        view = StateView(self.breakers, None, self.dispatcher.health, self.dispatcher.statistics)
        selection = select(self.policy, some_facts(), None, view, ChosenDraws(), decision_id=decision, now=self.now)
        account = Account(MemoryStore(), decision, (), lambda: 0.0)
        return Job(decision, parse_chat_request(BODY), selection, self.policy, account, self.now)

    def taken(self, number: float = 0.0, *tried: str, panic: bool = False) -> str | None:
        """The endpoint that is taken when ``number`` is drawn."""
        job = self.job()
        job.panic = job.panic or panic
        entry = self.policy.targets[0].entry
        assert entry is not None
        endpoint = take_endpoint(
            job, entry, set(tried), self.dispatcher, BreakerRules(), now=self.now, draw=lambda: number
        )
        return None if endpoint is None else endpoint.name

    def shares(self, cells: int = 1000) -> dict[str | None, float]:
        count = Counter(self.taken((cell + 0.5) / cells) for cell in range(cells))
        return {name: round(number / cells, 2) for name, number in sorted(count.items(), key=str)}

    def running(self, **calls: int) -> None:
        for name, number in calls.items():
            for _ in range(number):
                self.dispatcher.statistics.begin(key(), name)


def place(name: str, weight: int = 100, *, backup: bool = False) -> Endpoint:
    return Endpoint(name, f"https://{name}.example", backup, weight)


@pytest.mark.parametrize(
    ("weights", "running", "shares"),
    [
        ({"a": 100, "b": 100}, {}, {"a": 0.5, "b": 0.5}),
        ({"a": 300, "b": 100}, {}, {"a": 0.75, "b": 0.25}),
        ({"a": 100, "b": 100}, {"a": 3}, {"a": 0.2, "b": 0.8}),
        ({"a": 300, "b": 100}, {"a": 2}, {"a": 0.5, "b": 0.5}),
        ({"a": 100, "b": 100}, {"a": 9, "b": 9}, {"a": 0.5, "b": 0.5}),
        ({"a": 0, "b": 100}, {}, {"b": 1.0}),
        ({"a": 0, "b": 0}, {}, {"a": 0.5, "b": 0.5}),
    ],
)
def test_a_share_is_the_weight_over_the_calls_that_run(
    weights: dict[str, int], running: dict[str, int], shares: dict[str, float]
) -> None:
    scene = Scene(*(place(name, weight) for name, weight in weights.items()))
    scene.running(**running)
    assert scene.shares() == shares


def test_under_the_strategy_lowest_latency_the_faster_endpoint_has_the_larger_share() -> None:
    for strategy, expected in (("LowestLatency", {"a": 0.67, "b": 0.33}), ("Weighted", {"a": 0.5, "b": 0.5})):
        scene = Scene(place("a"), place("b"), strategy=strategy)
        for name, seconds in (("a", 0.5), ("b", 1.0)):
            scene.dispatcher.statistics.succeeded(key(), name, 0.0, seconds=seconds, first_byte=None, output_tokens=1)
        assert scene.shares() == expected


def test_an_endpoint_of_weight_zero_gets_nothing_when_the_other_was_tried_or_is_broken() -> None:
    scene = Scene(place("a"), place("drained", 0))
    assert scene.taken(0.5, "a") == "a"
    scene.breakers.of(key(), "a").wait(0.0, 5.0, BreakerRules())
    job = scene.job()
    assert job.panic
    assert scene.taken(panic=True) == "a"


def test_a_backup_is_taken_when_no_other_is_left() -> None:
    scene = Scene(place("a"), place("z", 1000, backup=True))
    assert scene.shares() == {"a": 1.0}
    assert scene.taken(0.5, "a") == "z"
    assert scene.taken(0.5, "a", "z") == "a"


def test_an_unhealthy_endpoint_is_left_out_and_in_panic_taken_all_the_same() -> None:
    scene = Scene(place("a"), place("b"))
    once = HealthCheck(failure_threshold=1)
    scene.dispatcher.health.report(PROVIDER, "a", "timeout", once)
    assert scene.shares() == {"b": 1.0}
    scene.dispatcher.health.report(PROVIDER, "b", "timeout", once)
    job = scene.job()
    assert job.panic
    assert job.selection.plan
    assert scene.taken(0.1) == "a"


def test_without_a_choice_nothing_is_drawn() -> None:
    scene = Scene(place("a"), place("z", backup=True))

    def never() -> float:
        raise AssertionError

    entry, job = scene.policy.targets[0].entry, scene.job()
    assert entry is not None
    assert take_endpoint(job, entry, set(), scene.dispatcher, BreakerRules(), now=0.0, draw=never) is not None
    assert job.state == []


async def test_each_choice_is_recorded_with_its_draw_and_the_shares_it_fell_on() -> None:
    scene = Scene(place("a", 300), place("b", 100), place("c"), retries=Retries(attempts=2))
    job = scene.job()
    with pytest.raises(RouterError):
        await scene.dispatcher.dispatch(job)
    tried = [attempt.endpoint for attempt in job.attempts]
    assert sorted(tried) == ["a", "b", "c"]
    assert [draw.purpose for draw in job.draws] == ["endpoint:1", "endpoint:2"]
    assert job.state[0].key == f"shares:1:{key()}"
    for draw, read, name in zip(job.draws, job.state, tried, strict=False):
        shares = {each.partition("=")[0]: float(each.partition("=")[2]) for each in read.value.split()}
        point, below = draw.value * sum(shares.values()), 0.0
        for candidate, share in shares.items():
            if point < below + share:
                assert candidate == name
                break
            below += share


async def test_whatever_becomes_of_calls_none_is_counted_as_running_afterwards() -> None:
    scene = Scene(place("a"), place("b"), retries=Retries(attempts=5))
    with pytest.raises(RouterError):
        await scene.dispatcher.dispatch(scene.job())
    assert scene.calls == 6
    assert [scene.dispatcher.statistics.outstanding(key(), name) for name in "ab"] == [0, 0]


async def test_in_an_outage_retries_stay_a_share_of_the_requests() -> None:
    scene = Scene(place("a"), retries=Retries(attempts=5))
    requests = 1000
    for number in range(requests):
        with pytest.raises(RouterError):
            await scene.dispatcher.dispatch(scene.job(str(number)))
    free = FREE_PER_SECOND * KEPT_SECONDS
    assert requests <= scene.calls <= requests * 1.2 + free
    assert scene.dispatcher.retry_budgets.withheld > 0


async def test_no_wait_is_begun_that_would_outlast_the_request() -> None:
    waits: list[float] = []
    scene = Scene(place("a"), retries=Retries(attempts=5, total_seconds=1))

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        scene.now += seconds

    dispatcher = Dispatcher(
        scene.dispatcher.attempts,
        scene.breakers,
        draws=KeyedDraws(b"key"),
        clock=lambda: scene.now,
        sleep=sleep,
        draw=lambda: 0.999,
    )
    with pytest.raises(RouterError):
        await dispatcher.dispatch(scene.job())
    assert sum(waits) < 1
    assert len(waits) == 3


async def test_a_client_that_hangs_up_during_a_backoff_ends_the_request() -> None:
    scene = Scene(place("a"), retries=Retries(attempts=5))
    waiting = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    dispatcher = Dispatcher(
        scene.dispatcher.attempts,
        scene.breakers,
        draws=KeyedDraws(b"key"),
        clock=lambda: scene.now,
        sleep=sleep,
        draw=lambda: 0.999,
    )
    job = scene.job()
    running = asyncio.create_task(dispatcher.dispatch(job))
    await waiting.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [attempt.outcome for attempt in job.attempts] == [Outcome.FAILED]
    assert scene.calls == 1
