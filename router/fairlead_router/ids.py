"""Ids of decisions."""

from __future__ import annotations

import secrets
import time


class DecisionIds:
    """Makes decision ids: sortable by time, not guessable. 48 bits of milliseconds, 80 random bits.

    The kernel is asked for random bytes of many ids at once: it takes microseconds each time, tens of them in a sandbox.
    """

    _RANDOM_BYTES, _AT_ONCE = 10, 256

    def __init__(self) -> None:
        self._random = b""
        self._used = 0

    def __call__(self) -> str:
        start, end = self._used, self._used + self._RANDOM_BYTES
        if end > len(self._random):
            self._random = secrets.token_bytes(self._RANDOM_BYTES * self._AT_ONCE)
            start, end = 0, self._RANDOM_BYTES
        self._used = end
        return f"{time.time_ns() // 1_000_000:012x}{self._random[start:end].hex()}"
