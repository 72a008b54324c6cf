"""Opens a bundle, or a file of rules, once somebody needs it, and again whenever it has changed on disk.

Looking, opening, verifying and testing happen on a thread; what passes is put in force by swapping one reference, and what
does not leaves in force what was. A change is seen by the names, times and sizes of files, so it does not matter whether a
bundle was switched by ``fairlead bundle activate``, a mounted volume or a copy.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Generic, TypeVar

from fairlead_router.classify.counts import ClassifierCounts, Loaded
from fairlead_router.classify.info import ClassifierState
from fairlead_router.classify.worker import give_way

logger = logging.getLogger("fairlead.classify")

A = TypeVar("A")
R = TypeVar("R")
T = TypeVar("T")

Stamp = tuple[tuple[str, int, int, int, int], ...]
"""Path, times of content and of owner or mode, size and inode of each file; empty when there is none."""

Seen = tuple[Stamp, bytes]
"""With what it is opened beside them."""

ENCODER_ABSENT = "EncoderAbsent"
"""The name of the state in which there is no learned classifier."""

_LOOK_SECONDS = 1.0
_LOOKS_BEFORE_TRYING_AGAIN = 60
"""What was refused is tried again after so many looks: memory, or a file system, may have been short."""

_MAX_FILES = 1000
"""Looked at below a folder. What has more is no bundle, but may be anything."""


@dataclass(frozen=True, slots=True, eq=False)
class Part(Generic[T]):
    """Something that is loaded from disk."""

    name: str
    """``bundle`` or ``rules``."""
    place: Callable[[], Path | None]
    """Where it is now, ``None``: nowhere. Blocks. Any exception says why it is nowhere."""
    open: Callable[[Path], T]
    """Blocks. Any exception says why it cannot be used."""
    install: Callable[[T], None]
    """Puts it in force, on the event loop."""
    tell: Callable[[str | None], None]
    """Hears, on the event loop, why what is there is not in force, and ``None`` when it is."""
    absent: str
    """The name of the state in which there is nothing, and what to do about it."""
    refused: str
    """The name of the state in which there is something that cannot be used."""
    otherwise: str
    """What happens while nothing is in force."""
    beside: Callable[[], bytes] = bytes
    """What else it is opened with: when that has changed, it is opened again."""


class Loader(Generic[T]):
    """Follows one part until cancelled."""

    def __init__(
        self,
        part: Part[T],
        counts: ClassifierCounts,
        *,
        sleep: Callable[[float], Awaitable[None]],
        seen: Seen | None = None,
    ) -> None:
        """``seen``: of what was looked at before; ``None``: nothing was."""
        self._part = part
        self._counts = counts
        self._sleep = sleep
        self._seen = seen
        self._in_force = False
        self._problem: str | None = None
        """Why what was seen last is not in force."""
        self._looks = 0
        """Since it was opened last, or tried to be."""
        self._wanted = asyncio.Event()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=f"classifier-{part.name}", initializer=give_way)

    def want(self) -> None:
        """Somebody needs it: begin."""
        self._wanted.set()

    def state(self) -> ClassifierState:
        """How it fares."""
        if self._in_force:
            return ClassifierState.READY
        if not self._wanted.is_set():
            return ClassifierState.NOT_LOADED
        return ClassifierState.LOADING if self._seen is None else ClassifierState.ABSENT

    async def run(self) -> None:
        """Wait until somebody needs it; from then on look every second."""
        try:
            await self._wanted.wait()
            while True:
                await self._look()
                await self._sleep(_LOOK_SECONDS)
        finally:
            self._executor.shutdown(wait=False, cancel_futures=True)

    async def _look(self) -> None:
        part, loop = self._part, asyncio.get_running_loop()
        problem = part.absent
        place, stamp = None, Stamp()
        try:
            place, stamp = await loop.run_in_executor(self._executor, _in_thread, _found, part)
        except Exception as error:  # noqa: BLE001 - whatever is wrong there, what is in force stays
            problem = _stated(part, error)
        seen = stamp, part.beside()
        if seen == self._seen and self._nothing_new(stamp, problem):
            return
        self._looks = 0
        if place is not None and stamp:
            try:
                value = await loop.run_in_executor(self._executor, _in_thread, part.open, place)
            except Exception as error:  # noqa: BLE001
                problem = _stated(part, error)
                self._counts.loaded(part.name, Loaded.REFUSED)
            else:
                part.install(value)
                self._seen, self._in_force, self._problem = seen, True, None
                part.tell(None)
                self._counts.loaded(part.name, Loaded.LOADED)
                logger.info("the classifier's %s at %s is in force", part.name, place)
                return
        known, self._seen, self._problem = (self._seen, self._problem), seen, problem
        if known != (seen, problem):
            problem = f"{problem}; {'what was in force before stays' if self._in_force else part.otherwise}"
            part.tell(problem)
            logger.warning("the classifier's %s: %s", part.name, problem)

    def _nothing_new(self, stamp: Stamp, problem: str) -> bool:
        """Of what was seen before: whether there is no other reason to act."""
        self._looks += 1
        if not stamp:
            return self._problem in {problem, None}
        return self._problem is None or self._looks < _LOOKS_BEFORE_TRYING_AGAIN


def stamp_of(place: Path) -> Stamp:
    """Of one file, or of all below a folder."""
    try:
        real = place.resolve(strict=True)
        files = sorted(islice(real.rglob("*"), _MAX_FILES)) if real.is_dir() else [real]
        found = [(str(each), each.stat()) for each in files if each.is_file()]
    except FileNotFoundError:
        return ()
    return tuple(
        (path, status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino) for path, status in found
    )


def _in_thread(call: Callable[[A], R], argument: A) -> R:
    """``call``, with an ``Exception`` for whatever it raises: a panic in Rust is none, and would end the following."""
    try:
        return call(argument)
    except Exception:
        raise
    except BaseException as error:
        raise RuntimeError(f"{type(error).__name__}: {error}") from error


def _found(part: Part[T]) -> tuple[Path | None, Stamp]:
    place = part.place()
    return place, () if place is None else stamp_of(place)


def _stated(part: Part[T], error: Exception) -> str:
    return f"{ENCODER_ABSENT if isinstance(error, ImportError) else part.refused}: {error}"
