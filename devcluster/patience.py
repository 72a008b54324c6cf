"""What takes minutes shows that it goes on: programs with a sign of life now and then, and steps with the time they began."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

HEARTBEAT_SECONDS = 20.0


def complete(
    command: Sequence[str],
    still: Callable[[float], None],
    *,
    environment: Mapping[str, str],
    folder: Path | None = None,
    every: float = HEARTBEAT_SECONDS,
) -> subprocess.CompletedProcess[str]:
    """Run it whatever comes of it; ``still`` hears every so many seconds how many have passed.

    Raises ``FileNotFoundError`` if there is no such program. Whatever interrupts the wait kills the program.
    """
    started = time.monotonic()
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=pipe,
        stderr=pipe,
        text=True,
        errors="replace",
    ) as child:
        try:
            while True:
                try:
                    printed, said = child.communicate(timeout=every)
                    return subprocess.CompletedProcess(command, child.returncode, printed, said)
                except subprocess.TimeoutExpired:
                    still(time.monotonic() - started)
        except BaseException:
            child.kill()
            raise


def progress(name: str) -> Callable[[str], None]:
    """Prints lines to stderr, each with ``name`` and the seconds since now."""
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{name}: [{time.monotonic() - started:5.1f} s] {text}", file=sys.stderr, flush=True)

    return say
