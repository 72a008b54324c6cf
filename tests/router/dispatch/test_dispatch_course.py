"""The course of a dispatch when breakers open and money runs out in the midst of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest

from fairlead_contract.decision import Outcome
from fairlead_contract.fragments import Cause, Fallback, Price, Retries
from fairlead_router.account.ledger import Account
from fairlead_router.dialect.openai_chat import parse_chat_request
from fairlead_router.dispatch.answers import Whole
from fairlead_router.dispatch.attempt import Attempts
from fairlead_router.dispatch.breaker import BreakerRegistry, BreakerRules
from fairlead_router.dispatch.dispatcher import Dispatcher
from fairlead_router.dispatch.job import Job
from fairlead_router.dispatch.providers.base import Call
from fairlead_router.dispatch.transport.base import Answer
from fairlead_router.errors import RouterError
from fairlead_router.select.selection import select
from fairlead_router.select.view import StateView
from fairlead_router.state.memory import MemoryStore
from fairlead_router.state.store import Limit
from tests.router.builders import ChosenDraws, a_model, a_policy, a_provider, a_target, key, linked, ref, some_facts

BODY = b'{"model":"auto","messages":[{"content":"hi"}],"max_tokens":10}'
TWICE = Retries(attempts=1, retry_on=("ServerError", "RateLimited"))


class Played:
    """An answer of some status."""

    is_event_stream = False

    def __init__(self, status: int) -> None:
        self.status = status

    def header(self, name: str) -> str | None:
        return None

    async def read(self, max_bytes: int) -> bytes:
        return b'{"choices":[{"message":{"content":"hello"}}]}' if self.status == 200 else b"{}"

    async def read_chunk(self) -> bytes:
        return b""

    def close(self) -> None:
        pass


class Scene:
    """Models of one endpoint each that answer with these statuses, one after the other."""

    def __init__(
        self,
        statuses: Mapping[str, Sequence[int]],
        *,
        targets: str,
        fallbacks: Mapping[str, Cause] | None = None,
        retries: Retries = TWICE,
        room: int | None = None,
        prices: Mapping[str, int] | None = None,
    ) -> None:
        """``room``: micro-dollars in the budget; ``prices``: micro-dollars of a token of output."""
        self._statuses = {name: list(each) for name, each in statuses.items()}
        self.called = ""
        self.meanwhile: Callable[[str], None] = lambda _: None
        """Happens while a call runs, whose model it is given."""
        self.breakers = BreakerRegistry(lambda: 0.5)
        priced = prices or {}
        models = [a_model(name, prices=(Price(0, 0, priced.get(name, 0) * 1_000_000),)) for name in statuses]
        policy = a_policy(
            strategy="Priority",
            targets=tuple(a_target(name, name, fallback_order=place) for place, name in enumerate(targets)),
            fallbacks=tuple(Fallback((cause,), ref(name)) for name, cause in (fallbacks or {}).items()),
            retries=retries,
        )
        self.policy = linked(policy, a_provider(models=models))
        self._account = Account(MemoryStore(), "d", (Limit("ws", room, 1e9),), lambda: 0.0)
        attempts = Attempts(
            {"OpenAICompatible": self},
            self.breakers,
            clock=lambda: 10.0,
            wall=lambda: 0.0,
            max_response_bytes=1000,
            max_event_bytes=1000,
        )
        self.dispatcher = Dispatcher(
            attempts, self.breakers, draws=ChosenDraws(), clock=lambda: 10.0, sleep=self._sleep, draw=lambda: 0.0
        )
        view = StateView(self.breakers)
        selection = select(self.policy, some_facts(), None, view, ChosenDraws(), decision_id="d", now=10.0)
        self.job = Job("d", parse_chat_request(BODY), selection, self.policy, self._account, 10.0)

    async def open(self, call: Call) -> Answer:
        """Make a call."""
        name = call.model.model.name
        self.called += name
        self.meanwhile(name)
        return Played(self._statuses[name].pop(0))

    async def _sleep(self, seconds: float) -> None:
        """No time passes."""

    def opens(self, name: str, seconds: float = 30.0) -> None:
        """Another request is told by ``name`` to wait so long."""
        self.breakers.of(key(name), "primary").wait(10.0, seconds, BreakerRules())

    def open_all(self, **seconds: float) -> None:
        for name, each in seconds.items():
            self.opens(name, each)

    async def dispatch(self) -> Whole:
        answer = await self.dispatcher.dispatch(self.job)
        assert isinstance(answer, Whole)
        return answer


async def test_a_retry_passes_a_breaker_that_opened_meanwhile_if_nobody_else_is_left() -> None:
    scene = Scene({"a": [500, 200]}, targets="a")
    scene.meanwhile = scene.opens
    assert (await scene.dispatch()).status == 200
    assert scene.called == "aa"
    assert scene.job.panic


async def test_a_retry_does_not_pass_a_breaker_that_opened_meanwhile_while_somebody_else_is_left() -> None:
    scene = Scene({"a": [500], "b": [200]}, targets="ab")
    scene.meanwhile = lambda _: scene.opens("a")
    assert (await scene.dispatch()).status == 200
    assert scene.called == "ab"
    assert not scene.job.panic


async def test_a_target_whose_breaker_opened_meanwhile_is_tried_after_another_has_failed() -> None:
    scene = Scene({"a": [500, 500], "b": [200]}, targets="ab")
    scene.meanwhile = lambda _: scene.opens("b")
    assert (await scene.dispatch()).status == 200
    assert scene.called == "aab"
    assert scene.job.panic


async def test_of_several_that_broke_meanwhile_the_one_that_opens_again_soonest_is_tried_first() -> None:
    scene = Scene({"a": [500, 500], "b": [], "c": [200]}, targets="abc")
    scene.meanwhile = lambda _: scene.open_all(b=60.0, c=5.0)
    assert (await scene.dispatch()).status == 200
    assert scene.called == "aac"


async def test_a_target_that_broke_meanwhile_is_tried_after_all_even_when_the_retries_of_another_were_in_panic() -> (
    None
):
    scene = Scene({"a": [200], "b": [500, 500]}, targets="ab")
    scene.opens("a")
    scene.meanwhile = lambda _: scene.opens("b")
    assert (await scene.dispatch()).status == 200
    assert scene.called == "bba"


async def test_fallbacks_for_what_failed_first_open_though_the_next_target_is_broken() -> None:
    scene = Scene({"a": [429, 429], "b": [], "f": [200]}, targets="ab", fallbacks={"f": "RateLimited"})
    scene.meanwhile = lambda _: scene.opens("b")
    assert (await scene.dispatch()).status == 200
    assert scene.called == "af"


async def test_a_fallback_for_errors_comes_before_what_is_broken() -> None:
    scene = Scene({"a": [500, 500], "b": [], "f": [200]}, targets="ab", fallbacks={"f": "Error"})
    scene.meanwhile = lambda _: scene.opens("b")
    assert (await scene.dispatch()).status == 200
    assert scene.called == "aaf"
    assert not scene.job.panic


async def test_when_all_that_is_broken_fails_too_the_request_fails_with_what_was_tried() -> None:
    scene = Scene({"a": [500, 500], "b": [500, 500]}, targets="ab")
    scene.meanwhile = lambda _: scene.opens("b")
    with pytest.raises(RouterError) as raised:
        await scene.dispatch()
    assert raised.value.status == 502
    assert scene.called == "aabb"


async def test_a_retry_for_which_there_is_no_money_leaves_the_cheaper_fallback_open() -> None:
    scene = Scene({"a": [500], "f": [200]}, targets="a", fallbacks={"f": "Error"}, room=150, prices={"a": 10, "f": 1})
    assert (await scene.dispatch()).status == 200
    assert scene.called == "af"
    assert [attempt.outcome for attempt in scene.job.attempts] == [Outcome.FAILED, Outcome.SUCCEEDED]


async def test_a_first_try_for_which_there_is_no_money_says_so() -> None:
    scene = Scene({"a": []}, targets="a", room=50, prices={"a": 10})
    with pytest.raises(RouterError) as raised:
        await scene.dispatch()
    assert raised.value.code == "budget_exceeded"
    assert scene.called == ""
