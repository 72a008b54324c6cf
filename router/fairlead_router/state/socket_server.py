"""One store for all workers of a machine: answers calls that come over a Unix socket, in the order they come."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from fairlead_router.state.socket_client import METHODS
from fairlead_router.state.socket_wire import (
    AnswerFrame,
    BadFrame,
    FrameReader,
    Method,
    decode_call,
    encode,
    framed,
)
from fairlead_router.state.store import StateStore

logger = logging.getLogger("fairlead.state.server")

_NOTHING = msgspec.Raw(encode(None))


async def serve_store(store: StateStore, path: Path) -> asyncio.Server:
    """Answer calls at ``path`` from ``store``, whose methods must run to their end without waiting."""
    loop = asyncio.get_running_loop()
    return await loop.create_unix_server(lambda: _Connection(store, METHODS), str(path), backlog=128)


class _Connection(asyncio.Protocol):
    """One worker. While it does not read its answers, its calls are not read either."""

    def __init__(self, store: StateStore, methods: Mapping[str, Method]) -> None:
        self._store = store
        self._methods = methods
        self._reader = FrameReader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def pause_writing(self) -> None:
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        answers: list[bytes] = []
        try:
            answers.extend(self._answer(body) for body in self._reader.feed(data))
        except (BadFrame, msgspec.MsgspecError) as error:
            logger.error("a worker sent what is no call, so its connection ends: %s", error)
            self._transport.close()
        if answers:
            self._transport.write(b"".join(answers))

    def _answer(self, body: bytes) -> bytes:
        """Raises ``msgspec.MsgspecError`` for what is no call at all."""
        frame = decode_call(body)
        method = self._methods.get(frame.method)
        if method is None:
            return framed(AnswerFrame(frame.number, _NOTHING, f"there is no method {frame.method}"))
        try:
            arguments = method.arguments_decoder.decode(frame.arguments)
            named = {name: getattr(arguments, name) for name in method.arguments.__struct_fields__}
            result = _finished(getattr(self._store, method.name)(**named))
            return framed(AnswerFrame(frame.number, msgspec.Raw(encode(result))))
        except Exception as error:
            # One call that cannot be done must not take the connection of all others of its worker with it.
            logger.exception("%s failed", method.name)
            return framed(AnswerFrame(frame.number, _NOTHING, f"{method.name}: {type(error).__name__}"))


def _finished(call: Coroutine[Any, Any, object]) -> object:
    """The result of a coroutine that never waits: a task for each would cost more than the work itself."""
    try:
        call.send(None)
    except StopIteration as finished:
        return finished.value
    call.close()
    raise RuntimeError("a store that waits cannot be served over a socket")
