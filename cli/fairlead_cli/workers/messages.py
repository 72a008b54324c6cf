"""What supervisor and worker say to each other, over a pair of sockets: four bytes of length, big-endian, then msgpack."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec

from fairlead_cli.files.frames import MAX_FRAME_BYTES, BadFrame, Frame, prefixed
from fairlead_contract.snapshot import Credentials

_PREFIX_BYTES = 4


class Place(msgspec.Struct, frozen=True, tag=True):
    """The first message to a worker: where it stands among the others."""

    slot: int
    listeners: tuple[int, ...]
    """File descriptors of the listening sockets, one a slot, that all workers inherit."""
    runtime_dir: str
    admin_socket: str
    state_socket: str | None
    """``None``: the settings name a store that is shared already."""
    draw_key: str | None


class Listen(msgspec.Struct, frozen=True, tag=True):
    """Accept connections on these slots' sockets and on no others."""

    slots: tuple[int, ...]
    ready: bool
    """Whether all workers run a configuration, so that readiness may say so."""


class Offer(msgspec.Struct, frozen=True, tag=True):
    """To a worker: a snapshot to run. From the one that watches: a snapshot that came through a door and runs."""

    sealed: bytes
    credentials: Credentials
    source: str


class Compiled(msgspec.Struct, frozen=True, tag=True):
    """What the compiler said."""

    frame: Frame


class Degraded(msgspec.Struct, frozen=True, tag=True):
    """A named state of a component begins, or (``None``) is over."""

    component: str
    state: str | None


class Watch(msgspec.Struct, frozen=True, tag=True):
    """Follow the doors, for all workers."""


class Leave(msgspec.Struct, frozen=True, tag=True):
    """To a worker: take nothing new after ``notice_seconds``, finish, end. From a worker: it does so, unasked."""

    notice_seconds: float = 0.0


class Hurry(msgspec.Struct, frozen=True, tag=True):
    """Wait for nobody any more."""


class Started(msgspec.Struct, frozen=True, tag=True):
    """The worker's admin API answers."""


class Runs(msgspec.Struct, frozen=True, tag=True):
    """The worker runs this snapshot from now on."""

    epoch: int
    revision: int


class Beat(msgspec.Struct, frozen=True, tag=True):
    """The worker's event loop turns."""


class Farewell(msgspec.Struct, frozen=True, tag=True):
    """The last word: what it counted, in Prometheus' text form."""

    metrics: bytes


ToWorker = Place | Listen | Offer | Compiled | Degraded | Watch | Leave | Hurry
FromWorker = Started | Runs | Offer | Beat | Farewell | Leave
Message = ToWorker | FromWorker

_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def encode(message: Message) -> bytes:
    """``message`` as it goes into the socket."""
    return prefixed(_ENCODER.encode(message))


async def read_messages(reader: asyncio.StreamReader) -> AsyncIterator[Message]:
    """The messages of a socket until it ends. Raises :class:`BadFrame`."""
    while True:
        try:
            length = int.from_bytes(await reader.readexactly(_PREFIX_BYTES), "big")
            if length > MAX_FRAME_BYTES:
                raise BadFrame(f"a message of {length} bytes is announced, at most {MAX_FRAME_BYTES} are allowed")
            body = await reader.readexactly(length)
        except (EOFError, ConnectionError):
            return
        try:
            yield _DECODER.decode(body)
        except msgspec.MsgspecError as error:
            raise BadFrame(f"a message cannot be read: {error}") from error
