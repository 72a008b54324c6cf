"""Open breakers on a board that all routers read: what one has learned the hard way, the others know within a second.

A router writes its openings at once and reads those of others four times a second, so the age of what it knows is bounded and
measured. Each opening has a number and counts once, from when it is read: no two clocks are compared, and a breaker that closed
here after a good probe does not open again for old news. A router that starts while one is on the board may keep it for up to
twice its time.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from contextlib import suppress

import msgspec

from fairlead_router.dispatch.breaker import BreakerRegistry
from fairlead_router.state.store import StateStore, StoreUnavailable

logger = logging.getLogger("fairlead.sharing")

TOPIC = "breakers"
_READ_SECONDS = 0.25
_GROWN_SECONDS = 0.25
"""An opening is told again when it has become longer by more than this: a storm of 429s lengthens it with each answer."""

_MAX_SECONDS = 3600.0
"""What a breaker of a router of any version may ask for."""


class Opening(msgspec.Struct, frozen=True, array_like=True):
    """A breaker opened, or stays open for longer than it said before."""

    number: int
    """Grows with each opening that its router tells."""
    model: str
    endpoint: str
    seconds: float
    openings: int
    """How often it opened in a row; 0 for a pause that the provider asked for."""


class BreakerSharing:
    """Tells and hears openings. Run :meth:`run` as a task; ``clock`` is monotonic, ``wall`` Unix time.

    ``available`` says whether the store reaches others: what was told while it did not is told again.
    """

    def __init__(
        self,
        store: StateStore,
        breakers: BreakerRegistry,
        *,
        available: Callable[[], bool],
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._store = store
        self._breakers = breakers
        self._available = available
        self._clock = clock
        self._wall = wall
        self._router = secrets.token_hex(6)
        self._news = asyncio.Event()
        self._number = 0
        self._untold: dict[tuple[str, str], tuple[float, int]] = {}
        self._told_until: dict[tuple[str, str], float] = {}
        self._heard: dict[str, int] = {}
        self._read_at = clock()
        breakers.on_open = self._opened

    def lag_seconds(self) -> float:
        """How old what this router knows of the others is at most."""
        return self._clock() - self._read_at

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._tell()
                await self._hear()
            except StoreUnavailable:
                logger.debug("the board of breakers cannot be reached")
            except Exception:
                logger.exception("sharing breakers failed; it goes on")
            with suppress(TimeoutError):
                async with asyncio.timeout(_READ_SECONDS):
                    await self._news.wait()
            self._news.clear()

    def _opened(self, model: str, endpoint: str, seconds: float, openings: int) -> None:
        key, until = (model, endpoint), self._clock() + seconds
        if until > self._told_until.get(key, 0.0) + _GROWN_SECONDS:
            self._told_until[key] = until
            self._untold[key] = (until, openings)
            self._news.set()

    async def _tell(self) -> None:
        now = self._clock()
        self._told_until = {key: until for key, until in self._told_until.items() if until > now}
        for key, (until, openings) in list(self._untold.items()):
            if until > now:
                self._number += 1
                opening = Opening(self._number, *key, until - now, openings)
                name = f"{self._router} {opening.model}@{opening.endpoint}"
                value = msgspec.json.encode(opening)
                await self._store.share(TOPIC, name, value, now=self._wall(), ttl_seconds=opening.seconds)
                if not self._available():
                    return
            if self._untold[key] == (until, openings):
                del self._untold[key]

    async def _hear(self) -> None:
        board = await self._store.shared(TOPIC, now=self._wall())
        if not self._available():
            return
        now = self._read_at = self._clock()
        heard = {}
        for name, value in board.items():
            if name.startswith(f"{self._router} "):
                continue
            try:
                opening = msgspec.json.decode(value, type=Opening)
            except msgspec.DecodeError:  # of a router of another version
                continue
            heard[name] = opening.number
            if opening.number > self._heard.get(name, 0):
                breaker = self._breakers.of(opening.model, opening.endpoint)
                breaker.opened_elsewhere(now, min(opening.seconds, _MAX_SECONDS), opening.openings)
        self._heard = heard
