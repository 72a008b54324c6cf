"""What requests notice of a swap: whole requests in one loop with a receiver that is offered snapshot after snapshot."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from array import array
from collections.abc import Sequence
from itertools import cycle
from statistics import median

import msgspec
import uvloop
from multidict import CIMultiDict

from bench.report import Report, percentile
from fairlead_contract.decision import Outcome
from fairlead_contract.fragments import PolicyFragment
from fairlead_contract.snapshot import Credentials, Sealed
from fairlead_router.admit.limits import Admission
from fairlead_router.config.receiver import ConfigReceiver
from fairlead_router.config.table import Table
from fairlead_router.dispatch.attempt import Attempts
from fairlead_router.dispatch.breaker import BreakerRegistry
from fairlead_router.dispatch.dispatcher import Dispatcher
from fairlead_router.dispatch.providers.base import Call
from fairlead_router.dispatch.transport.base import Answer
from fairlead_router.errors import RouterError
from fairlead_router.identify.identity import Identifier
from fairlead_router.ids import DecisionIds
from fairlead_router.pipeline import Pipeline
from fairlead_router.record.metrics import Metrics
from fairlead_router.record.recorder import Recorder
from fairlead_router.record.sink import RecordSink
from fairlead_router.select.draws import KeyedDraws
from fairlead_router.server import SWITCH_SECONDS
from fairlead_router.state.memory import MemoryStore

RATIO_GOAL = 2.0
_ROUNDS = 8
_RATE = 500
"""Requests a second: each arrives when it is due, whether or not the one before was answered."""

_ANSWER = msgspec.json.encode(
    {
        "id": "chatcmpl-bench",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "north"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 1},
    }
)


class _Instant:
    """An answer without delay: it takes two turns of the loop, in which building a table may come first."""

    status = 200
    is_event_stream = False

    async def open(self, call: Call) -> Answer:
        await asyncio.sleep(0)
        return self

    def header(self, name: str) -> str | None:
        return None

    async def read(self, max_bytes: int) -> bytes:
        await asyncio.sleep(0)
        return _ANSWER

    async def read_chunk(self) -> bytes:
        return b""

    def close(self) -> None:
        """Nothing is held."""


def make_pipeline() -> Pipeline:
    """Everything a router has between its HTTP server and its HTTP client."""
    breakers = BreakerRegistry(random.random)
    return Pipeline(
        receiver=ConfigReceiver(wall_clock=time.time, monotonic=time.monotonic),
        identifier=Identifier(None, default_workspace="default", hash_key=b"a key for this benchmark"),
        admission=Admission(max_body_bytes=1 << 20, max_concurrent_requests=10_000),
        store=MemoryStore(),
        breakers=breakers,
        draws=KeyedDraws(b"a key for this benchmark"),
        dispatcher=Dispatcher(
            Attempts(
                {"OpenAICompatible": _Instant()},
                breakers,
                clock=time.monotonic,
                wall=time.time,
                max_response_bytes=1 << 20,
                max_event_bytes=1 << 20,
            ),
            breakers,
            clock=time.monotonic,
            sleep=asyncio.sleep,
            draw=random.random,
        ),
        recorder=Recorder(RecordSink(capacity=2000), Metrics(), None, router="bench"),
        clock=time.monotonic,
        wall=time.time,
        new_id=DecisionIds(),
    )


class _Stream:
    """A steady stream of requests, each timed from the moment it was due."""

    def __init__(self, pipeline: Pipeline, table: Table, seed: int) -> None:
        self._pipeline = pipeline
        draw = random.Random(seed)
        anonymous = [policy.fragment for policy in table.policies if not policy.fragment.match.user_tiers]
        self._requests = cycle([self._request(draw, draw.choice(anonymous)) for _ in range(997)])

    @staticmethod
    def _request(draw: random.Random, policy: PolicyFragment) -> tuple[CIMultiDict[str], bytes]:
        match = policy.match
        headers: CIMultiDict[str] = CIMultiDict({item.name: item.exact or "yes" for item in match.headers})
        headers["x-fairlead-workspace"] = (
            draw.choice(match.workspaces) if match.workspaces else f"ws-{policy.namespace}-{draw.randrange(20)}"
        )
        if match.agent_types:
            headers["x-fairlead-agent-type"] = draw.choice(match.agent_types)
        headers["x-fairlead-session"] = f"session-{draw.randrange(1000)}"
        text = "n" * max(match.min_characters or 0, 200)
        body = {"model": draw.choice(match.models or ("auto",)), "messages": [{"role": "user", "content": text}]}
        return headers, msgspec.json.encode(body)

    async def run(self, seconds: float) -> array[float]:
        """Send for ``seconds``; the times that the requests took."""
        times: array[float] = array("d")
        began = time.perf_counter()
        running: set[asyncio.Task[None]] = set()
        for number in range(int(seconds * _RATE)):
            due = began + number / _RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            task = asyncio.create_task(self._one(due, times))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)
        return times

    async def _one(self, due: float, times: array[float]) -> None:
        pipeline, (headers, body) = self._pipeline, next(self._requests)
        flow = pipeline.arrive()
        status, outcome, error = 200, Outcome.SUCCEEDED, None
        try:
            pipeline.identify(flow, headers)
            await pipeline.answer(flow, headers, body)
        except RouterError as refused:
            status, outcome, error = refused.status, Outcome.REFUSED, refused.code
        await pipeline.finish(flow, method="POST", path="/", status=status, outcome=outcome, error=error)
        times.append(time.perf_counter() - due)


async def _offer(pipeline: Pipeline, snapshots: Sequence[Sealed], credentials: Credentials, swaps: list[float]) -> None:
    """One swap after the other, without a pause worth speaking of, for ever."""
    payloads = cycle(snapshots)
    while True:
        epoch, revision = pipeline.receiver.table.used.epoch, pipeline.receiver.table.used.revision
        edited = next(payloads)
        newer = msgspec.structs.replace(edited.manifest, epoch=epoch, revision=revision + 1)
        began = time.perf_counter()
        if not await pipeline.receiver.offer(Sealed(newer, edited.payload), credentials, source="bench"):
            raise AssertionError(f"a snapshot was refused: {pipeline.receiver.rejected}")
        swaps.append(time.perf_counter() - began)
        await asyncio.sleep(0.05)


async def _measure(
    report: Report, snapshots: Sequence[Sealed], credentials: Credentials, seconds: float, seed: int
) -> None:
    pipeline = make_pipeline()
    await pipeline.receiver.offer(snapshots[0], credentials, source="bench")
    stream = _Stream(pipeline, pipeline.receiver.table, seed)
    swaps: list[float] = []
    await stream.run(0.5)
    quiet, swapping, count = [], [], 0
    for _ in range(_ROUNDS):
        quiet.append(await stream.run(seconds / _ROUNDS / 2))
        offering = asyncio.create_task(_offer(pipeline, snapshots, credentials, swaps))
        swapping.append(await stream.run(seconds / _ROUNDS / 2))
        offering.cancel()
        await asyncio.gather(offering, return_exceptions=True)
        count += len(quiet[-1])
    for label, rounds in (("without swaps", quiet), ("with swaps", swapping)):
        worst = median([percentile(times, 99) for times in rounds])
        usual = median([percentile(times, 50) for times in rounds])
        note = f"{count:,} requests at {_RATE}/s, p50 {usual * 1e6:.0f} µs"
        report.add(f"request {label}, p99", worst * 1e6, "µs", note=note)
    ratios = [percentile(one, 99) / percentile(other, 99) for one, other in zip(swapping, quiet, strict=True)]
    note = f"{len(swaps)} swaps of {percentile(swaps, 50) * 1000:.0f} ms; rounds {', '.join(f'{each:.1f}' for each in ratios)}"
    report.add("p99 with swaps / without", median(ratios), at_most=RATIO_GOAL, note=note)


def measure_swapping(
    report: Report, snapshots: Sequence[Sealed], credentials: Credentials, seconds: float, seed: int
) -> None:
    """Alternate between quiet and swapping, so that whatever else the machine does falls on both."""
    sys.setswitchinterval(SWITCH_SECONDS)
    uvloop.run(_measure(report, snapshots, credentials, seconds, seed))
