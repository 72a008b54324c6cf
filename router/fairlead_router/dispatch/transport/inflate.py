"""Undoes the compression of an answer, never by more than a piece at a time: a bomb is read like any other long answer."""

from __future__ import annotations

import zlib

from fairlead_router.dispatch.transport.base import CallFailed

_PIECE_BYTES = 256 * 1024
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class Inflate:
    """Of ``Content-Encoding`` gzip or deflate. Providers are asked for neither; some compress all the same."""

    def __init__(self, encoding: str) -> None:
        """Raises ``CallFailed`` for an encoding that was not asked for and is not known."""
        if encoding.strip().lower() not in {"gzip", "x-gzip", "deflate"}:
            raise CallFailed("encoding_not_understood", connected=True)
        self._stream = zlib.decompressobj(_GZIP_OR_ZLIB)

    @property
    def waiting(self) -> bool:
        """Whether :meth:`feed` without data would give more."""
        return bool(self._stream.unconsumed_tail)

    @property
    def finished(self) -> bool:
        """Whether the compressed stream has come to its own end, and nothing follows it."""
        return self._stream.eof and not self._stream.unused_data

    def feed(self, data: bytes = b"") -> bytes:
        """The next piece of at most 256 KiB. Raises ``CallFailed`` for what is not compressed as it says."""
        if self._stream.eof:  # zlib would gather what comes now, without end.
            raise CallFailed("answer_cut", connected=True)
        try:
            return self._stream.decompress(self._stream.unconsumed_tail + data, _PIECE_BYTES)
        except zlib.error as error:
            raise CallFailed("answer_cut", connected=True) from error
