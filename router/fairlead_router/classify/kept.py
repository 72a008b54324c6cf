"""What was said of a text, found again by a keyed hash of it: whole in this process, and the learned part in the store.

A name is BLAKE2b under a key that is derived from the bundle and the rules as well, so that a new bundle finds nothing of
the old one. Neither name nor value says anything of the text to who has not got the key. A store that fails or is slow is
no cache, never an error, and is left alone for a second.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import TypeVar

import msgspec

from fairlead_contract.decision import Classification
from fairlead_learning.verdict import Learned, LearnedVerdict
from fairlead_router.state.store import StateStore, StoreUnavailable

T = TypeVar("T")

_MAX_BYTES = 12 * 1024 * 1024
"""Of classifications in this process: some ten thousand with seven categories, fewer with more."""

_BYTES_EACH, _BYTES_A_CATEGORY = 850, 64
"""What one takes with its name, and for each probability. A little more than was measured."""

_STORE_SECONDS = 0.01
"""How long the store may take: a fifth of the usual deadline, after which there is still time to ask."""

_PAUSE_SECONDS = 1.0


class _Verdict(msgspec.Struct, frozen=True, array_like=True):
    probabilities: tuple[float, ...]
    conformal_set: tuple[int, ...]
    """Places of its labels."""


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Verdict)


class Kept:
    """A small memory, and the store behind it where several routers share that."""

    def __init__(
        self,
        key: bytes,
        store: StateStore | None,
        *,
        ttl_seconds: float,
        clock: Callable[[], float],
        wall: Callable[[], float],
        max_bytes: int = _MAX_BYTES,
    ) -> None:
        """``key``: 16 to 64 bytes, the same for all routers that are to find each other's; 0 ``ttl_seconds`` keep nothing."""
        self._store = store if ttl_seconds > 0 else None
        self._ttl = ttl_seconds
        self._clock = clock
        self._wall = wall
        self._max_bytes = max_bytes
        self._bytes = 0
        self._memory: OrderedDict[bytes, tuple[Classification, float]] = OrderedDict()
        self._paused_until = 0.0

        def derive(bundle: bytes, rules: bytes) -> bytes:
            parts = _ENCODER.encode((bundle, rules))
            return hashlib.blake2b(parts, key=key, digest_size=32, person=b"classified").digest()

        self._key_of = lru_cache(maxsize=8)(derive)

    @property
    def shares(self) -> bool:
        """Whether it is worth asking the store."""
        return self._store is not None and self._clock() >= self._paused_until

    def name(self, text: str, bundle: bytes, rules: bytes) -> bytes:
        """The keyed hash of ``text`` for this bundle and these rules."""
        data = text.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(data, key=self._key_of(bundle, rules), digest_size=16).digest()

    def find(self, name: bytes) -> Classification | None:
        """What this process has."""
        found = self._memory.get(name)
        if found is None:
            return None
        classification, until = found
        if until <= self._clock():
            self._forget(name)
            return None
        self._memory.move_to_end(name)
        return classification

    def keep(self, name: bytes, classification: Classification) -> None:
        """Have it from now on."""
        if self._ttl <= 0:
            return
        if name in self._memory:
            self._forget(name)
        self._memory[name] = classification, self._clock() + self._ttl
        self._bytes += size_of(classification)
        while self._bytes > self._max_bytes:
            self._forget(next(iter(self._memory)))

    async def fetch(self, name: bytes, learned: Learned) -> LearnedVerdict | None:
        """The answer of ``learned`` that the store has."""
        data = await self._ask(lambda store: store.get(_key(name), now=self._wall()))
        return None if data is None else _decoded(data, learned.labels)

    async def share(self, name: bytes, verdict: LearnedVerdict, learned: Learned) -> None:
        """Let all that use the store have the answer of ``learned``."""
        places = {label: place for place, label in enumerate(learned.labels)}
        kept = _Verdict(verdict.probabilities, tuple(places[label] for label in verdict.conformal_set))
        data = _ENCODER.encode(kept)
        await self._ask(lambda store: store.put(_key(name), data, now=self._wall(), ttl_seconds=self._ttl))

    def _forget(self, name: bytes) -> None:
        classification, _ = self._memory.pop(name)
        self._bytes -= size_of(classification)

    async def _ask(self, call: Callable[[StateStore], Awaitable[T]]) -> T | None:
        if self._store is None or not self.shares:
            return None
        try:
            async with asyncio.timeout(_STORE_SECONDS):
                return await call(self._store)
        except (TimeoutError, StoreUnavailable, OSError):
            self._paused_until = self._clock() + _PAUSE_SECONDS
        return None


def size_of(classification: Classification) -> int:
    """Bytes that it takes in memory, about."""
    return _BYTES_EACH + _BYTES_A_CATEGORY * len(classification.probabilities)


def _key(name: bytes) -> str:
    return f"classifier/{name.hex()}"


def _decoded(data: bytes, labels: tuple[str, ...]) -> LearnedVerdict | None:
    """``None`` for what cannot be an answer of a classifier with these labels."""
    try:
        kept = _DECODER.decode(data)
    except (msgspec.MsgspecError, RecursionError):
        return None
    fits = len(kept.probabilities) == len(labels) and all(0 <= each <= 1 for each in kept.probabilities)
    if not fits or not all(0 <= place < len(labels) for place in kept.conformal_set):
        return None
    return LearnedVerdict(kept.probabilities, tuple(labels[place] for place in kept.conformal_set))
