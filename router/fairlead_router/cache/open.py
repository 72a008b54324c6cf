"""Puts the room together from the settings and the store."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from fairlead_router.cache.answers import ResponseCache
from fairlead_router.cache.counts import CacheCounts
from fairlead_router.cache.keyring import Keyring
from fairlead_router.cache.leases import Leases
from fairlead_router.cache.repeats import Repeats
from fairlead_router.cache.reuse import Limits, Reuse
from fairlead_router.cache.vault import Vault
from fairlead_router.settings import SettingError, Settings
from fairlead_router.state.store import StateStore

KEY_MISSING = (
    "CacheKeyMissing: answers in a shared store are sealed with a key that all routers share; set FAIRLEAD_CACHE_KEY_FILE "
    "(or a FAIRLEAD_DRAW_KEY of at least 32 characters); until then nothing is cached and Idempotency-Key is not honoured"
)

_MIN_KEY_CHARACTERS = 32


def open_reuse(
    settings: Settings,
    store: StateStore,
    counts: CacheCounts,
    *,
    shared: bool,
    clock: Callable[[], float],
    wall: Callable[[], float],
) -> Reuse:
    """The room; if it cannot work it says so in ``degraded``. Raises :class:`SettingError` for a key that cannot be used.

    ``shared``: the store is used by others too. A store of this process alone dies with it, and a key made at random keeps
    what is in memory from being read in a dump that lacks the key's own page.
    """
    limits = Limits(settings.cache_max_entry_bytes, settings.idempotency_max_bytes)
    secret = _secret(settings)
    if secret is None:
        if shared:
            return Reuse(None, None, counts, limits, wall=wall, degraded=KEY_MISSING)
        secret = secrets.token_bytes(32)
    keyring = Keyring(secret)
    vault = Vault(store, keyring, counts, clock=clock, wall=wall, timeout_seconds=settings.cache_store_seconds)
    leases = Leases(vault)
    answers = ResponseCache(
        vault,
        keyring,
        leases,
        counts,
        clock=clock,
        wall=wall,
        wait_seconds=settings.cache_wait_seconds,
        shared=shared,
    )
    repeats = None
    if settings.idempotency:
        repeats = Repeats(
            vault,
            keyring,
            leases,
            counts,
            clock=clock,
            wait_seconds=settings.idempotency_wait_seconds,
            ttl_seconds=settings.idempotency_ttl_seconds,
            shared=shared,
        )
    return Reuse(answers, repeats, counts, limits, wall=wall, leases=leases)


def _secret(settings: Settings) -> bytes | None:
    """Raises :class:`SettingError` for a key that cannot be read or is too short to keep anything secret."""
    where, key = "FAIRLEAD_CACHE_KEY", settings.cache_key
    if key is None and settings.cache_key_file is not None:
        where = f"FAIRLEAD_CACHE_KEY_FILE={str(settings.cache_key_file)!r}"
        try:
            key = settings.cache_key_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingError(f"{where}: cannot be read: {error}") from error
    if key is None:
        key = settings.draw_key
        # A short one is good enough to draw by; from a store that somebody has read it could be guessed.
        return None if key is None or len(key) < _MIN_KEY_CHARACTERS else key.encode()
    if len(key) < _MIN_KEY_CHARACTERS:
        raise SettingError(
            f"{where}: takes at least {_MIN_KEY_CHARACTERS} characters; `openssl rand -hex 32` makes them"
        )
    return key.encode()
