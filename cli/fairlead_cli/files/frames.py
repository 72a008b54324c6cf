"""What the compiler process tells its parent, and how it crosses the pipe.

A frame is four bytes of length, big-endian, then msgpack. Of this folder the parent imports only this module,
``problems`` and ``arguments``, so they must stay free of YAML, pydantic and the compiler.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, BinaryIO, Literal

import msgspec

from fairlead_cli.files.problems import Problem
from fairlead_contract.snapshot import Credentials

if TYPE_CHECKING:
    import asyncio  # only the parent has a loop; importing one would delay the child's first frame

MAX_FRAME_BYTES = 256 * 1024 * 1024
"""More than any folder compiles to; a longer announcement is noise on the pipe, not a frame."""

_PREFIX_BYTES = 4


class BadFrame(Exception):
    """The pipe holds something that is no frame: print statements, or another version on the other side."""


class LocatedFinding(msgspec.Struct, frozen=True):
    """A finding of the compiler with the place of its field."""

    file: str
    """Empty when the object stands in no file."""
    line: int
    column: int
    kind: str
    namespace: str
    name: str
    field: str
    severity: Literal["Error", "Warning"]
    reason: str
    message: str

    def __str__(self) -> str:
        subject = f"{self.kind} {self.namespace}/{self.name} {self.field}"
        place = f"{self.file}:{self.line}:{self.column}"
        return f"{place}: {self.severity.lower()}: {subject}: {self.message} [{self.reason}]"


class Frame(msgspec.Struct, frozen=True):
    """One compilation with everything around it."""

    sealed: bytes
    """The snapshot in its wire form; empty if nothing could be compiled yet."""
    credentials: Credentials
    """Those that this very snapshot refers to."""
    findings: list[LocatedFinding]
    problems: list[Problem]
    objects: int
    """Objects of our kinds that were declared."""


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Frame)


def encode(frame: Frame) -> bytes:
    """``frame`` as it goes into the pipe."""
    return prefixed(_ENCODER.encode(frame))


def prefixed(body: bytes) -> bytes:
    """``body`` behind its length, as everything goes through the pipes between the two processes."""
    return len(body).to_bytes(_PREFIX_BYTES, "big") + body


def read_prefixed(pipe: BinaryIO) -> bytes:
    """What :func:`prefixed` made, or as much of it as there is before the pipe ends."""
    return pipe.read(int.from_bytes(pipe.read(_PREFIX_BYTES), "big"))


async def read_frames(reader: asyncio.StreamReader) -> AsyncIterator[Frame]:
    """The frames of a pipe until it ends. A frame cut short by the end is dropped. Raises :class:`BadFrame`."""
    while True:
        try:
            length = int.from_bytes(await reader.readexactly(_PREFIX_BYTES), "big")
            if length > MAX_FRAME_BYTES:
                raise BadFrame(f"a frame of {length} bytes is announced, at most {MAX_FRAME_BYTES} are allowed")
            body = await reader.readexactly(length)
        except EOFError:  # asyncio.IncompleteReadError is one
            return
        try:
            yield _DECODER.decode(body)
        except msgspec.MsgspecError as error:
            raise BadFrame(f"a frame cannot be read: {error}") from error
