"""Asking a classifier that is a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from fairlead_contract.decision import Classification, ClassificationFallback, ClassificationPath
from fairlead_router.classify.remote import MEDIA_TYPE, RemoteClassifier
from fairlead_router.dispatch.transport.base import Answer, CallTimedOut
from fairlead_router.dispatch.transport.http1 import Http1Transport
from fairlead_router.settings import Settings, networks
from tests.router.builders import a_classification

SAID = a_classification(category="math", probabilities={"math": 0.9, "coding": 0.1})


def encoded(**changed: Any) -> bytes:
    return msgspec.json.encode(msgspec.to_builtins(SAID) | changed)


class Process:
    """Answers ``POST /classify`` as a test says."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, str | None]] = []
        self.status, self.body = 200, msgspec.json.encode(SAID)
        self.go = asyncio.Event()
        self.go.set()
        self.told: list[str | None] = []
        self.peers: set[object] = set()
        self.now = 0.0

    async def classify(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        self.peers.add(request.transport.get_extra_info("peername"))
        self.asked.append((await request.json(), request.headers.get("Accept")))
        await self.go.wait()
        headers = {"Location": "/classify"}
        return web.Response(status=self.status, body=self.body, content_type=MEDIA_TYPE, headers=headers)


class Swallowing:
    """A transport whose connections are not made in the time that they are given."""

    connect_seconds = 0.0

    async def request(
        self,
        method: str,
        url: URL,
        headers: CIMultiDict[str],
        body: bytes,
        *,
        connect_seconds: float,
        extra: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        self.connect_seconds = connect_seconds
        raise CallTimedOut

    async def close(self) -> None:
        return


@asynccontextmanager
async def running(*, max_under_way: int = 10, path: str = "") -> AsyncIterator[tuple[Process, RemoteClassifier]]:
    process, app = Process(), web.Application()
    app.router.add_post(f"{path}/classify", process.classify)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    transport = Http1Transport(Settings(allow_networks=networks("loopback")))
    remote = RemoteClassifier(
        transport,
        URL(f"http://127.0.0.1:{port}{path}"),
        max_under_way=max_under_way,
        clock=lambda: process.now,
        tell=process.told.append,
    )
    try:
        yield process, remote
    finally:
        process.go.set()
        await transport.close()
        await runner.cleanup()


@pytest.mark.parametrize("path", ["", "/behind/a/path"])
async def test_what_it_says_is_taken_as_it_is(path: str) -> None:
    async with running(path=path) as (process, remote):
        assert await remote.classify("What is 1 + 1?", 5) == SAID
        ((body, accept),) = process.asked
        assert (body["prompt"], accept) == ("What is 1 + 1?", MEDIA_TYPE)
        assert 0 < body["deadline_ms"] < 5000, "it knows when nobody waits any more"
        assert process.told == []


async def test_halves_of_surrogate_pairs_are_sent_as_question_marks() -> None:
    async with running() as (process, remote):
        assert await remote.classify("a\ud800b", 5) == SAID
        assert process.asked[0][0]["prompt"] == "a?b"


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (503, b"", "it answers with status 503"),
        (200, b"{}", "its answer is no classification"),
        (200, b"<html>", "its answer is no classification"),
        (200, b" " * 300_000, "answer_too_large"),
        (200, b'{"x":' + b"[" * 50_000, "its answer is no classification"),
        (200, b'{"category": "\xff"}', "its answer is no classification"),
        (200, encoded(category="x" * 1000), "too many names, or some that are none"),
        (200, encoded(category="two\nlines"), "too many names, or some that are none"),
        (200, encoded(evidence=[f"rule {n}" for n in range(1000)]), "too many names, or some that are none"),
        (200, encoded(confidence=7), "numbers that are no probabilities"),
        (200, encoded(probabilities={"math": -1}), "numbers that are no probabilities"),
        (302, b"", "it answers with status 302"),
    ],
)
async def test_after_a_failure_it_is_left_alone_for_a_second_and_its_state_has_a_name(
    status: int, body: bytes, words: str
) -> None:
    async with running() as (process, remote):
        process.status, process.body = status, body
        for _ in range(3):
            assert await remote.classify("a", 5) is ClassificationFallback.FAILED
        assert len(process.asked) == 1
        (told,) = process.told
        assert told is not None
        assert told.startswith("ClassifierUnreachable: ")
        assert words in told
        process.status, process.body, process.now = 200, msgspec.json.encode(SAID), 1.0
        assert await remote.classify("a", 5) == SAID
        assert process.told == [told, None]


@pytest.mark.parametrize(
    ("changed", "path", "fallback"),
    [
        ({"new": [{"deep": 1}], "path": "Learned"}, ClassificationPath.LEARNED, None),
        ({"path": "Pooled"}, ClassificationPath.LEARNED, None),
        ({"path": "Pooled", "probabilities": {}}, ClassificationPath.RULES, None),
        ({"path": ["Rules"]}, ClassificationPath.LEARNED, None),
        ({"fallback": "Throttled"}, None, ClassificationFallback.FAILED),
        ({"fallback": "EncoderAbsent"}, None, ClassificationFallback.ENCODER_ABSENT),
    ],
)
async def test_a_process_of_another_version_is_understood(
    changed: dict[str, Any], path: ClassificationPath | None, fallback: ClassificationFallback | None
) -> None:
    async with running() as (process, remote):
        process.body = encoded(**changed)
        said = await remote.classify("a", 5)
        if fallback is not None:
            assert said is fallback, "of what it was not sure of it knows no more than the rules here"
        else:
            assert isinstance(said, Classification)
            assert (said.path, said.category) == (path, "math")
        assert process.told == []


async def test_one_connection_serves_one_question_after_the_other() -> None:
    async with running() as (process, remote):
        for _ in range(3):
            await remote.classify("a", 5)
        assert len(process.peers) == 1


async def test_one_that_never_answers_is_left_alone_after_ten_times() -> None:
    async with running() as (process, remote):
        process.go.clear()
        said = [await remote.classify("a", 0.01) for _ in range(11)]
        late, failed = ClassificationFallback.DEADLINE_EXCEEDED, ClassificationFallback.FAILED
        assert said == [late] * 9 + [failed] * 2
        assert process.told[0] is not None
        assert "no answer in time, 10 times on end" in process.told[0]


async def test_an_address_that_swallows_connections_is_a_failure_and_not_only_late() -> None:
    told: list[str | None] = []
    swallowing = Swallowing()
    remote = RemoteClassifier(
        swallowing, URL("http://classifier"), max_under_way=1, clock=lambda: 0.0, tell=told.append
    )
    assert await remote.classify("a", 5) is ClassificationFallback.FAILED
    assert swallowing.connect_seconds == 2.5, "with as much as the deadline, that would pass first, and each time again"
    assert told[0] is not None
    assert "no connection in time" in told[0]


async def test_when_no_time_is_left_nobody_is_asked() -> None:
    async with running() as (process, remote):
        assert await remote.classify("a", 0.0) is ClassificationFallback.DEADLINE_EXCEEDED
        assert process.asked == []


async def test_nobody_listening_is_a_failure() -> None:
    async with running() as (process, remote):
        pass
    transport = Http1Transport(Settings(allow_networks=networks("loopback")))
    remote = RemoteClassifier(
        transport, URL("http://127.0.0.1:1"), max_under_way=1, clock=lambda: 0.0, tell=process.told.append
    )
    assert await remote.classify("a", 5) is ClassificationFallback.FAILED
    await transport.close()


async def test_after_the_deadline_nobody_waits() -> None:
    async with running() as (process, remote):
        process.go.clear()
        assert await remote.classify("a", 0.02) is ClassificationFallback.DEADLINE_EXCEEDED


async def test_no_more_are_under_way_than_may_be() -> None:
    async with running(max_under_way=1) as (process, remote):
        process.go.clear()
        first = asyncio.create_task(remote.classify("a", 5))
        await asyncio.sleep(0)
        assert await remote.classify("b", 5) is ClassificationFallback.QUEUE_FULL
        process.go.set()
        assert await first == SAID
        assert await remote.classify("b", 5) == SAID
