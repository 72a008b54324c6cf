"""Ends connections whose client does not take what is written to it."""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios

_MIN_TAKEN_BYTES_PER_SECOND = 512
"""What a client must take of its answer while the router waits for it: a fifth of the slowest modem, and more than zero."""


class StallWatch:
    """Watches one connection from :meth:`paused` to :meth:`resumed`."""

    __slots__ = ("_loop", "_seconds", "_timer", "_transport")

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, seconds: float) -> None:
        self._loop = loop
        self._transport = transport
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    def paused(self) -> None:
        """More is written than the client takes; from now on it must take some."""
        self._watch(self._unsent())

    def resumed(self) -> None:
        """It has taken most of it, or is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _watch(self, unsent: int) -> None:
        self._timer = self._loop.call_later(self._seconds, self._hang_up_if_stalled, unsent)

    def _hang_up_if_stalled(self, before: int) -> None:
        self._timer = None
        now = self._unsent()
        if before - now < _MIN_TAKEN_BYTES_PER_SECOND * self._seconds:
            # Closing in the usual way would wait for the client to take what is buffered.
            self._transport.abort()
        else:
            self._watch(now)

    def _unsent(self) -> int:
        """Bytes that the client has not acknowledged: the transport's and the kernel's, which takes megabytes at once."""
        sock = self._transport.get_extra_info("socket")
        try:
            queued = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]
        except (OSError, AttributeError):
            queued = 0
        return int(self._transport.get_write_buffer_size()) + int(queued)
