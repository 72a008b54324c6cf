"""A router that is one of several: ``python -m fairlead_cli.workers.worker`` with the words of ``fairlead serve``.

Standard input is a socket to the supervisor. It says when to listen and what to run, and when it is gone, so is this process.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

import uvloop

from fairlead_cli.feed import RouterFeed
from fairlead_cli.logs import configure_logging
from fairlead_cli.serve import compiler_options, read_arguments
from fairlead_cli.sources import follow, make_sources
from fairlead_cli.updates import FolderUpdates
from fairlead_cli.workers.listeners import Listeners
from fairlead_cli.workers.messages import (
    Beat,
    Compiled,
    Degraded,
    Farewell,
    FromWorker,
    Hurry,
    Leave,
    Listen,
    Message,
    Offer,
    Place,
    Runs,
    Started,
    Watch,
    encode,
    read_messages,
)
from fairlead_contract.snapshot import Credentials, Sealed
from fairlead_kube.errors import NoAccess
from fairlead_router.composition import WorkerPlace
from fairlead_router.config.doors.open import Sources
from fairlead_router.identify.api_keys import ApiKeysError
from fairlead_router.server import RunningRouter, running_router
from fairlead_router.settings import SettingError, Settings

_BEAT_SECONDS = 2.0
_STORE_SECONDS, _LOOK_SECONDS = 2.0, 0.01
_ORPHAN_SECONDS = 5.0
"""What answers in flight have left once the supervisor is gone: whoever starts the next one wants this machine."""


def main() -> int:
    """Serve until told to leave. Returns the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the supervisor decides
    arguments, settings = read_arguments(sys.argv[1:])
    configure_logging(settings.log_level)
    try:
        sources = None if arguments.resources is not None else make_sources(settings, arguments)
        uvloop.run(_work(settings, sources, arguments))
    except (ApiKeysError, NoAccess, OSError, SettingError) as error:
        print(f"fairlead serve: {error}", file=sys.stderr)
        return 1
    return 0


async def _work(settings: Settings, sources: Sources | None, arguments: argparse.Namespace) -> None:
    line = socket.socket(fileno=os.dup(0))
    reader, writer = await asyncio.open_unix_connection(sock=line, limit=1 << 20)
    messages = read_messages(reader)
    place = await anext(messages, None)
    if not isinstance(place, Place):
        return
    if place.draw_key is not None:
        settings = replace(settings, draw_key=place.draw_key)
    state = None if place.state_socket is None else Path(place.state_socket)
    if state is not None:
        # The store of this machine is started again by the supervisor whenever it ends: nobody refuses to serve for it.
        settings = replace(settings, store_required=False)
        await _appears(state)
    async with AsyncExitStack() as stack:
        lock = stack.enter_context((Path(place.runtime_dir) / "lines.lock").open("ab"))
        worker_place = WorkerPlace(Path(place.admin_socket), state, partial(write_lines, lock))
        router = await stack.enter_async_context(running_router(settings, worker_place))
        if arguments.resources is not None:
            router.context.updates = FolderUpdates(arguments.resources, compiler_options(arguments))
        worker = _Worker(router, sources, Listeners(router.public, place.listeners), writer)
        await worker.serve(messages)
        worker.tell(Farewell(router.context.recorder.render_metrics()))
        await writer.drain()


async def _appears(path: Path) -> None:
    """Wait for a moment until the store listens: it was started with this process."""
    for _ in range(round(_STORE_SECONDS / _LOOK_SECONDS)):
        if _listens(path):
            return
        await asyncio.sleep(_LOOK_SECONDS)


def _listens(path: Path) -> bool:
    return path.exists()


def write_lines(lock: BinaryIO, data: bytes) -> None:
    """Write whole lines to standard output. A pipe mixes what several processes write at once if it is long."""
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)


class _Worker:
    """Does as it is told, until it has left."""

    def __init__(
        self, router: RunningRouter, sources: Sources | None, listeners: Listeners, writer: asyncio.StreamWriter
    ) -> None:
        self._router = router
        self._sources = sources
        self._listeners = listeners
        self._writer = writer
        self._feed = RouterFeed(router.context)
        self._leaving = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    def tell(self, message: FromWorker) -> None:
        """Say it to the supervisor."""
        if not self._writer.is_closing():
            self._writer.write(encode(message))

    async def serve(self, messages: AsyncIterator[Message]) -> None:
        """Until the supervisor, or a signal to this process alone, says that it is enough and nobody is served any more."""
        context = self._router.context
        context.wait_for_all = True
        receiver = self._router.receiver
        receiver.on_running.append(self._runs)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._leave_unasked)
        tasks = [asyncio.create_task(self._obey(messages)), asyncio.create_task(self._beat())]
        self.tell(Started())
        try:
            waiting = asyncio.create_task(self._leaving.wait())
            # A task that ends by itself has failed.
            done, _ = await asyncio.wait({waiting, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {waiting}:
                task.result()
            self._listeners.keep_own()
            await self._router.leave()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _obey(self, messages: AsyncIterator[Message]) -> None:
        async for message in messages:
            match message:
                case Listen(slots, ready):
                    self._router.context.wait_for_all = not ready
                    await self._listeners.listen(slots)
                case Offer(sealed, credentials, source):
                    await self._router.receiver.offer(Sealed.from_bytes(sealed), credentials, source=source)
                case Compiled(frame):
                    await self._feed.compiled(frame)
                case Degraded(component, state):
                    self._feed.degraded(component, state)
                case Watch():
                    assert self._sources is not None, "whoever compiles needs no watcher"
                    self._watching = asyncio.create_task(self._watch(self._sources), name="doors")
                case Leave(notice_seconds):
                    self._leave(notice_seconds)
                case Hurry():
                    self._router.context.leaving.hurry()
        # The supervisor is gone, and nobody would ever end this process.
        self._leave(0.0)
        asyncio.get_running_loop().call_later(_ORPHAN_SECONDS, self._router.context.leaving.hurry)
        await asyncio.Event().wait()

    def _leave(self, notice_seconds: float) -> None:
        if self._watching is not None:
            self._watching.cancel()
        self._router.context.leaving.notice_seconds = notice_seconds
        self._leaving.set()

    def _leave_unasked(self) -> None:
        self.tell(Leave())
        self._leave(0.0)

    async def _watch(self, sources: Sources) -> None:
        self._router.receiver.on_running.append(self._found)
        try:
            await follow(sources, self._router.context)
        except NoAccess as error:
            print(f"fairlead serve: --kubernetes: {error}", file=sys.stderr)
            os._exit(1)

    async def _beat(self) -> None:
        while True:
            self.tell(Beat())
            await asyncio.sleep(_BEAT_SECONDS)

    def _runs(self, sealed: Sealed, credentials: Credentials, source: str) -> None:
        self.tell(Runs(*sealed.manifest.version))

    def _found(self, sealed: Sealed, credentials: Credentials, source: str) -> None:
        self.tell(Offer(sealed.to_bytes(), credentials, source))


if __name__ == "__main__":
    raise SystemExit(main())
