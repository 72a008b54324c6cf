"""A router process between providers that a test breaks and a handful of clients that never stop asking."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from fairlead_contract.fragments import AnyFragment, CircuitBreaker, Endpoint, Retries
from fairlead_contract.snapshot import Sealed
from tests.router_e2e.fake_upstream import FakeUpstream
from tests.router_e2e.harness import eventually
from tests.router_e2e.world import endpoint, fallback, policy, provider, sealed, timeouts
from tests.standalone.running import Serving, serving

CLIENTS = 4
PAUSE_SECONDS = 0.005
CALM_REQUESTS = 20
FAULT_REQUESTS = 150
RECOVERED = 20
"""So many answers in a row from the main provider, each at its first attempt, and it is back."""

PATIENCE_SECONDS = 25.0
BREAKER = CircuitBreaker(consecutive_failures=5, open_seconds=1, max_open_seconds=2)
BOUNDS = timeouts(connect=1, first_byte=1, idle=1, total=1)


class Switched:
    """A provider that can go away and come back at the same address."""

    def __init__(self) -> None:
        self.upstream = FakeUpstream(0)
        self._server: asyncio.Server | None = None

    async def up(self) -> None:
        """Listen, on the port of before if there was one."""
        port = self.upstream.port
        self._server = await asyncio.start_server(self.upstream.serve, "127.0.0.1", port, limit=1 << 20)
        self.upstream.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Hang up on everybody and refuse connections."""
        assert self._server is not None
        self._server.close()
        await self.upstream.stop()
        await self._server.wait_closed()


@asynccontextmanager
async def switched() -> AsyncIterator[Switched]:
    """Up at first, and gone in the end."""
    made = Switched()
    await made.up()
    try:
        yield made
    finally:
        await made.down()


@dataclass(frozen=True, slots=True)
class Answered:
    """One request as its client saw it."""

    at: float
    works: bool
    told: bool
    """A stream that broke off said so in an event of type error."""
    model: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Of the requests that ended while the fault lasted."""

    requests: int
    failed: int
    retried: int
    fallback_percent: int
    recovery_seconds: float
    silently: int
    """Streams that broke off without a word."""


@dataclass
class Traffic:
    """Clients that ask on and on."""

    url: str
    stream: bool
    answered: list[Answered] = field(default_factory=list)

    async def ask(self, session: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        """One client."""
        body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}], "stream": self.stream}
        while not stop.is_set():
            async with session.post(f"{self.url}/v1/chat/completions", json=body) as response:
                data = await response.read()
                headers = response.headers
            works, told = response.status == 200, False
            if works and self.stream:
                works = data.endswith(b"data: [DONE]\n\n")
                last = data.rstrip(b"\n").rpartition(b"data: ")[2]
                told = not works and "error" in json.loads(last)
            self.answered.append(
                Answered(
                    time.monotonic(),
                    works,
                    told,
                    headers.get("x-fairlead-model", ""),
                    int(headers.get("x-fairlead-attempts", "0")),
                )
            )
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), PAUSE_SECONDS)

    def back_since(self, start: int) -> float | None:
        """When the first of a row of untroubled answers came, among those from number ``start`` on."""
        row: list[Answered] = []
        for each in self.answered[start:]:
            row = [*row, each] if each.works and each.attempts == 1 and "/main/" in each.model else []
            if len(row) >= RECOVERED:
                return row[0].at
        return None


class Scene:
    """The process, its configuration and the traffic."""

    def __init__(self, folder: Path, spare: Switched) -> None:
        self._folder = folder
        self._spare = spare
        self._revision = 0
        self.router: Serving | None = None

    def publish(self, *places: Endpoint, fallbacks: bool = True, attempts: int = 1) -> None:
        """Let the main provider have these endpoints from now on."""
        fragments: Iterable[AnyFragment] = (
            provider(places, "main", circuit_breaker=BREAKER, timeouts=BOUNDS),
            provider(self._spare.upstream.url, "spare", timeouts=BOUNDS),
            policy(
                "main/small",
                fallbacks=(fallback("spare/small", "Error", "RateLimited", "Timeout"),) if fallbacks else (),
                retries=Retries(attempts=attempts),
            ),
        )
        self._revision += 1
        self._write(sealed(*fragments, revision=self._revision))

    def _write(self, snapshot: Sealed) -> None:
        new = self._folder / "new"
        new.write_bytes(snapshot.to_bytes())
        new.replace(self._folder / "snapshot")

    async def measure(
        self, begin: Callable[[], Awaitable[None]], end: Callable[[], Awaitable[None]], *, stream: bool = False
    ) -> Measured:
        """Ask all the while; ``begin`` and ``end`` the fault; wait until the main provider serves as before."""
        assert self.router is not None
        traffic, stop = Traffic(f"http://127.0.0.1:{self.router.port}", stream), asyncio.Event()
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(CLIENTS):
                group.create_task(traffic.ask(session, stop))
            answered = traffic.answered
            await eventually(lambda: traffic.back_since(0) is not None, "calm before the fault", PATIENCE_SECONDS)
            await begin()
            before = len(answered)
            await eventually(
                lambda: len(answered) >= before + FAULT_REQUESTS, "requests in the fault", PATIENCE_SECONDS
            )
            after, ended = len(answered), time.monotonic()
            await end()
            await eventually(lambda: traffic.back_since(after) is not None, "recovery", PATIENCE_SECONDS)
            back = traffic.back_since(after)
            stop.set()
        assert back is not None
        during = answered[before:]
        hit = answered[before:after]
        return Measured(
            requests=len(hit),
            failed=sum(not each.works for each in during),
            retried=sum(each.attempts > 1 for each in hit),
            fallback_percent=round(100 * sum("/spare/" in each.model for each in hit) / len(hit)),
            recovery_seconds=max(0.0, back - ended),
            silently=sum(not each.works and not each.told for each in during),
        )


@asynccontextmanager
async def scene(folder: Path, spare: Switched, *places: Endpoint, attempts: int = 1) -> AsyncIterator[Scene]:
    """A router process whose main provider has ``places``."""
    made = Scene(folder, spare)
    made.publish(*places, attempts=attempts)
    process = serving(
        *("--snapshot", str(folder / "snapshot"), "--allow-networks", "loopback", "--no-access-log"),
        log=folder / "log",
    )
    made.router = await asyncio.to_thread(process.__enter__)
    try:
        yield made
    finally:
        await asyncio.to_thread(process.__exit__, None, None, None)


def main_endpoint(switch: Switched, name: str = "a") -> Endpoint:
    """An endpoint of the main provider."""
    return endpoint(switch.upstream.url, name)
