"""``python skewed_clock.py FILE ARGUMENTS…``: the ``fairlead`` command with a wall clock that can be set while it runs.

``FILE`` holds eight bytes, the offset in seconds (a little-endian double). Monotonic clocks are left alone, which no jump
touches, and the clock that TLS checks certificates with, which would refuse them.
"""

from __future__ import annotations

import datetime
import mmap
import struct
import sys
import time
from pathlib import Path

OFFSET = struct.Struct("<d")


def set_offset(path: Path, seconds: float) -> None:
    """Let the clock of whoever runs with ``path`` jump."""
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.write(OFFSET.pack(seconds))


def skew(path: Path) -> None:
    """Replace what Python code can ask for the time of day."""
    with path.open("r+b") as file:
        shared = mmap.mmap(file.fileno(), OFFSET.size)
    real, real_nanoseconds = time.time, time.time_ns

    def offset() -> float:
        seconds: float = OFFSET.unpack_from(shared)[0]
        return seconds

    class SkewedDatetime(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> SkewedDatetime:
            return cls.fromtimestamp(time.time(), tz)

        @classmethod
        def utcnow(cls) -> SkewedDatetime:
            return cls.now(datetime.UTC).replace(tzinfo=None)

    time.time = lambda: real() + offset()
    time.time_ns = lambda: real_nanoseconds() + int(offset() * 1e9)
    datetime.datetime = SkewedDatetime  # type: ignore[misc]


if __name__ == "__main__":
    skew(Path(sys.argv[1]))
    from fairlead_cli.main import main

    raise SystemExit(main(sys.argv[2:]))
