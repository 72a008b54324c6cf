"""The little HTTP of the admin port, against clients good and bad, and a real server behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from fairlead_cli.workers.admin import Admin, Ledger, Member
from fairlead_cli.workers.plain_http import MAX_HEAD_BYTES, Request, Response, ask, serve_connection


async def echo(request: Request) -> Response:
    return Response(200, "text/plain", f"{request.method} {request.target} {request.accept}|".encode() + request.body)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server = await asyncio.start_server(lambda r, w: serve_connection(echo, r, w), "127.0.0.1", 0, limit=MAX_HEAD_BYTES)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_a_request_is_read_and_answered(port: int) -> None:
    url, headers = f"http://127.0.0.1:{port}/a?b=c", {"Accept": "x/y"}
    async with aiohttp.ClientSession() as session, session.put(url, data=b"body", headers=headers) as response:
        assert (response.status, await response.read()) == (200, b"PUT /a?b=c x/y|body")
        assert response.headers["Connection"] == "close"


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET nothing HTTP/1.1\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nx: " + b"y" * MAX_HEAD_BYTES * 3,
    ],
)
async def test_what_is_no_request_is_a_400(port: int, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
    writer.close()


async def test_a_client_that_leaves_early_harms_nobody(port: int) -> None:
    for sent in (b"", b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab"):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        writer.close()
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/") as response:
        assert response.status == 200


class Behind:
    """A worker's admin API, and what it was told."""

    def __init__(self, path: Path, level: str) -> None:
        self.path = path
        self.level = level

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/-/log-levels", self.read)
        app.router.add_put("/-/log-levels", self.write)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.UnixSite(runner, self.path).start()
        return runner

    async def read(self, request: web.Request) -> web.Response:
        return web.Response(text=self.level)

    async def write(self, request: web.Request) -> web.Response:
        self.level = await request.text()
        return web.Response(text="done")


async def test_what_is_changed_is_changed_in_every_worker_and_in_one_that_comes_later(tmp_path: Path) -> None:
    workers = [Behind(tmp_path / str(number), "info") for number in range(3)]
    runners = [await worker.start() for worker in workers]
    members = [Member(number, number, str(worker.path), False) for number, worker in enumerate(workers)]
    admin = Admin(lambda: members[:2], Ledger(), dict)
    change = Request("PUT", "/-/log-levels", body=b"debug")
    assert (await admin.answer(change)).status == 200
    assert [worker.level for worker in workers] == ["debug", "debug", "info"]
    await admin.settle(members[2])
    assert workers[2].level == "debug"
    assert (await admin.answer(Request("GET", "/-/log-levels"))).body == b"debug"
    for runner in runners:
        await runner.cleanup()


async def test_a_worker_that_is_silent_is_named_and_one_that_leaves_is_not_missed(tmp_path: Path) -> None:
    worker = Behind(tmp_path / "1", "info")
    runner = await worker.start()
    there, away = Member(1, 0, str(worker.path), False), Member(2, 1, str(tmp_path / "nobody"), False)
    leaving = Member(2, 1, str(tmp_path / "nobody"), True)
    change = Request("PUT", "/-/log-levels", body=b"debug")
    refused = await Admin(lambda: [there, away], Ledger(), dict).answer(change)
    assert refused.status == 503
    assert b"worker 1" in refused.body
    assert (await Admin(lambda: [there, leaving], Ledger(), dict).answer(change)).status == 200
    assert (await Admin(list, Ledger(), dict).answer(change)).status == 503
    assert (await Admin(list, Ledger(), dict).answer(Request("GET", "/metrics"))).status == 200
    with pytest.raises(OSError, match="No such file"):
        await ask(away.admin_socket, change)
    await runner.cleanup()
