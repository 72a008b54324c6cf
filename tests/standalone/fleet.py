"""``fairlead serve --workers N`` as seen from outside: its processes, and clients that do not forgive."""

from __future__ import annotations

import asyncio
import json
import os
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.standalone.running import Serving, serving, wait_for

_BODY = {"model": "auto", "max_tokens": 5, "messages": [{"role": "user", "content": "Which way?"}]}


def children(pid: int) -> dict[int, str]:
    """Processes that ``pid`` started and that live, with their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            status = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(status[1]) == pid and status[0] != "Z":
                found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
    return found


def alive(pid: int) -> bool:
    """Whether a process runs; one that nobody waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def workers(running: Serving) -> set[int]:
    """Process ids of the workers."""
    return {pid for pid, line in children(running.process.pid).items() if "workers.worker" in line}


def store(running: Serving) -> int:
    """Process id of the store."""
    [pid] = [pid for pid, line in children(running.process.pid).items() if "store_process" in line]
    return pid


def metrics(running: Serving) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """All samples of the admin port."""
    with urllib.request.urlopen(f"http://127.0.0.1:{running.admin_port}/metrics", timeout=10) as response:
        text = response.read().decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def requests_counted(running: Serving) -> float:
    """Requests that any model answered with 200."""
    return sum(
        value
        for (name, labels), value in metrics(running).items()
        if name == "model_router_requests_total" and dict(labels)["status"] == "200"
    )


@contextmanager
def fleet(folder: Path, log: Path, *more: str, count: int = 2, **environment: str) -> Iterator[Serving]:
    """A supervisor with workers on ``folder``; at its end nothing of it is left."""
    with serving("--resources", str(folder), "--workers", str(count), *more, log=log, **environment) as running:
        everybody = children(running.process.pid)
        yield running
        everybody |= children(running.process.pid)
    wait_for(lambda: not any(alive(pid) for pid in everybody), "all processes to be gone")


@dataclass
class Load:
    """What became of requests that were sent without pause, by clients that never try again."""

    whole: int = 0
    streams: int = 0
    failures: list[str] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """All of them."""
        return self.whole + self.streams


@asynccontextmanager
async def under_load(port: int, *, kept: int = 4, fresh: int = 2, streams: int = 2) -> AsyncIterator[Load]:
    """Clients on kept connections, clients that connect anew for each request, and clients that read streams."""
    load = Load()
    over = asyncio.Event()
    url = f"http://127.0.0.1:{port}/v1/chat/completions"

    async def ask(session: aiohttp.ClientSession, stream: bool) -> None:
        async with session.post(url, json=_BODY | {"stream": stream}) as response:
            body = await response.read()
            if response.status != 200:
                load.failures.append(f"{response.status}: {body[:200]!r}")
            elif stream and not body.endswith(b"data: [DONE]\n\n"):
                load.failures.append(f"a stream without its end: {body[-200:]!r}")
            elif not stream:
                json.loads(body)
            load.decisions.append(response.headers.get("x-fairlead-decision", ""))

    async def client(force_close: bool, stream: bool) -> None:
        connector = aiohttp.TCPConnector(force_close=force_close)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30)) as session:
            while not over.is_set():
                try:
                    await ask(session, stream)
                except (aiohttp.ClientError, OSError, TimeoutError) as error:
                    load.failures.append(f"{'stream' if stream else 'whole'}, kept={not force_close}: {error!r}")
                if stream:
                    load.streams += 1
                else:
                    load.whole += 1
                await asyncio.sleep(0.002)

    kinds = [(False, False)] * kept + [(True, False)] * fresh + [(False, True)] * streams + [(True, True)]
    tasks = [asyncio.create_task(client(*kind)) for kind in kinds]
    try:
        yield load
    finally:
        over.set()
        await asyncio.gather(*tasks)


@asynccontextmanager
async def balanced(*routers: Serving) -> AsyncIterator[int]:
    """The port of a balancer that passes connections, in turn, to the routers whose readiness says yes."""
    ready = set(range(len(routers)))
    turn = 0
    pipes: set[asyncio.Task[None]] = set()

    async def look() -> None:
        while True:
            for number, router in enumerate(routers):
                status, _ = await asyncio.to_thread(router.get, "/health/ready")
                (ready.add if status == 200 else ready.discard)(number)
            await asyncio.sleep(0.05)

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.write_eof()
        except OSError:
            writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal turn
        turn += 1
        choices = sorted(ready)
        port = routers[choices[turn % len(choices)]].port
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", port)
        both = [
            asyncio.create_task(pipe(reader, upstream_writer)),
            asyncio.create_task(pipe(upstream_reader, writer)),
        ]
        pipes.update(both)
        await asyncio.gather(*both, return_exceptions=True)
        for each in (writer, upstream_writer):
            each.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    looking = asyncio.create_task(look())
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        looking.cancel()
        server.close()
        for each in pipes:
            each.cancel()
        await asyncio.gather(looking, *pipes, return_exceptions=True)


async def until(condition: object, what: str, seconds: float = 40) -> None:
    """Wait in the event loop until ``condition()`` holds."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, f"never came true: {what}"
        await asyncio.sleep(0.02)


def kill(pid: int, number: int) -> None:
    """Send a signal."""
    os.kill(pid, number)
