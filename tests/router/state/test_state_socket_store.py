"""The store that the workers of one machine share over a Unix socket: the contract, and what only a connection can suffer."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from fairlead_router.state.memory import MemoryStore
from fairlead_router.state.socket_client import METHODS, SocketStore
from fairlead_router.state.socket_server import serve_store
from fairlead_router.state.socket_wire import MAX_FRAME_BYTES, AnswerFrame, BadFrame, FrameReader, encode, framed
from fairlead_router.state.store import Balance, Granted, Limit, StateStore, StoreUnavailable
from tests.router.state.contract import LATER, NOW, StateStoreContract
from tests.router_e2e.harness import eventually

DAY = Limit("day", 100, NOW + 86_400)


@asynccontextmanager
async def answering(path: Path, store: StateStore | None = None) -> AsyncIterator[asyncio.Server]:
    """A process's worth of store at ``path``."""
    server = await serve_store(store or MemoryStore(), path)
    try:
        yield server
    finally:
        server.close()
        with suppress(FileNotFoundError):
            os.unlink(path)


@asynccontextmanager
async def connected(path: Path) -> AsyncIterator[SocketStore]:
    """A worker's side of it."""
    store = SocketStore(path)
    await store.connect()
    try:
        yield store
    finally:
        await store.close()


class TestSocketStore(StateStoreContract):
    """The third implementation."""

    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[StateStore]:  # type: ignore[override]
        async with answering(tmp_path / "s"), connected(tmp_path / "s") as store:
            yield store


def test_every_method_of_the_interface_goes_over_the_socket() -> None:
    public = {name for name, _ in inspect.getmembers(StateStore, inspect.isfunction) if not name.startswith("_")}
    assert public - {"close"} == METHODS.keys()


async def test_workers_share_money_and_none_exceeds_the_limit_together(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with answering(path), connected(path) as one, connected(path) as other:
        answers = await asyncio.gather(
            *(
                store.reserve(f"r{number}", (DAY,), 7, now=NOW, expires_at=LATER)
                for number, store in enumerate([one, other] * 20)
            )
        )
        assert sum(isinstance(answer, Granted) for answer in answers) == 100 // 7
        assert await one.balance("day", now=NOW) == await other.balance("day", now=NOW) == Balance(0, 98)


async def test_many_calls_are_under_way_on_one_connection_and_each_hears_its_own_answer(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with answering(path), connected(path) as store:
        keys = [f"k{number}" for number in range(2000)]
        await asyncio.gather(*(store.put(key, key.encode(), now=NOW, ttl_seconds=9) for key in keys))
        assert await asyncio.gather(*(store.get(key, now=NOW) for key in keys)) == [key.encode() for key in keys]


async def test_a_value_of_megabytes_passes_whole(tmp_path: Path) -> None:
    path = tmp_path / "s"
    value = bytes(range(256)) * 4096 * 8
    async with answering(path), connected(path) as store:
        await store.put("large", value, now=NOW, ttl_seconds=9)
        assert await store.get("large", now=NOW) == value


async def test_a_call_that_nobody_waits_for_any_more_disturbs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with answering(path), connected(path) as store:
        abandoned = asyncio.create_task(store.get("k", now=NOW))
        await asyncio.sleep(0)
        abandoned.cancel()
        assert await asyncio.gather(abandoned, return_exceptions=True) != [None]
        assert await store.balance("day", now=NOW) == Balance()


async def test_while_the_store_is_away_calls_fail_at_once_and_when_it_is_back_they_work(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with answering(path) as server, connected(path) as store:
        await store.put("k", b"v", now=NOW, ttl_seconds=9)
        server.close()
        store._line._transport.abort()  # type: ignore[union-attr]
        with pytest.raises(StoreUnavailable):
            await store.get("k", now=NOW)
        os.unlink(path)
        async with answering(path):
            await eventually(lambda: store.connected, "the connection to be made again")
            assert await store.get("k", now=NOW) is None


async def test_calls_under_way_when_the_store_dies_fail_and_none_waits_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "s"

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    server = await asyncio.start_unix_server(deaf, str(path))
    async with connected(path) as store:
        answers = await asyncio.gather(*(store.get(f"k{n}", now=NOW) for n in range(5)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [StoreUnavailable] * 5
    server.close()


async def test_noise_ends_its_own_connection_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with answering(path), connected(path) as store:
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"\0\0\0\4nope")
        assert await reader.read() == b""
        writer.close()
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write((MAX_FRAME_BYTES + 1).to_bytes(4, "big"))
        assert await reader.read() == b""
        writer.close()
        assert await store.get("k", now=NOW) is None


async def test_a_call_that_cannot_be_done_says_so_and_the_connection_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with answering(path), connected(path) as store:
        with pytest.raises(StoreUnavailable, match="get: ValidationError"):
            await store.get(3, now=NOW)  # type: ignore[arg-type]
        assert await store.get("k", now=NOW) is None


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_frames_cut_anywhere_come_out_whole(size: int) -> None:
    frames = [AnswerFrame(number, msgspec.Raw(encode("x" * number))) for number in range(50)]
    stream = b"".join(framed(frame) for frame in frames)
    reader = FrameReader()
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert [body for piece in pieces for body in reader.feed(piece)] == [encode(frame) for frame in frames]


def test_an_announcement_of_too_much_is_refused() -> None:
    with pytest.raises(BadFrame, match="announced"):
        list(FrameReader().feed((MAX_FRAME_BYTES + 1).to_bytes(4, "big")))
