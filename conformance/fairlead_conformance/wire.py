"""HTTP/1.1 by hand, as far as both sides need it: heads, and bodies in their three framings, as they arrive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

LIMIT = 1 << 20
"""Of a head, or of a line between two chunks."""

_PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Head:
    """The first line and the headers of a message."""

    line: str
    headers: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str:
        """The first value of a header, or an empty string."""
        return next((value for key, value in self.headers if key == name), "")

    @property
    def chunked(self) -> bool:
        """Whether the body says its own end, chunk by chunk."""
        return "chunked" in self.get("transfer-encoding").lower()

    @property
    def length(self) -> int | None:
        """The length of the body, if it was told."""
        text = self.get("content-length")
        return int(text) if text.isdecimal() else None


async def read_head(reader: asyncio.StreamReader, first: bytes = b"") -> Head:
    """The next head, of which ``first`` was read before. Raises ``IncompleteReadError`` at the end of the connection."""
    data = first + await reader.readuntil(b"\r\n\r\n")
    line, *rest = data.decode("latin-1").split("\r\n")
    pairs = (each.partition(":") for each in rest)
    return Head(line, tuple((name.strip().lower(), value.strip()) for name, colon, value in pairs if colon))


async def body_pieces(reader: asyncio.StreamReader, head: Head, *, to_the_close: bool) -> AsyncIterator[bytes]:
    """The body as it arrives, its framing taken off.

    Without chunks and length it reaches ``to_the_close`` of the connection (an answer) or is empty (a request). Raises
    ``IncompleteReadError`` when the connection ends inside the framing, ``ValueError`` when that is broken.
    """
    if head.chunked:
        while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
            async for piece in _exactly(reader, size):
                yield piece
            if await reader.readexactly(2) != b"\r\n":
                raise ValueError("a chunk is longer than it said")
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass
    elif head.length is not None:
        async for piece in _exactly(reader, head.length):
            yield piece
    elif to_the_close:
        while piece := await reader.read(_PIECE):
            yield piece


async def _exactly(reader: asyncio.StreamReader, size: int) -> AsyncIterator[bytes]:
    while size:
        piece = await reader.read(min(size, _PIECE))
        if not piece:
            raise asyncio.IncompleteReadError(b"", size)
        size -= len(piece)
        yield piece
