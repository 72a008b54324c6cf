"""Names and seals of what is kept, from one secret: neither says anything of a request without it.

Every workspace has keys of its own, so that an entry of one can neither be found nor opened as another's. Names are BLAKE2b
with a key (RFC 7693), seals are AES-256-GCM (NIST SP 800-38D). Each entry has a key derived from its name, which keeps the
number of random 96-bit nonces under one key far below the 2^32 that GCM allows, however much is kept.
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from typing import NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = b"\x01"
_NONCE_BYTES = 12
_WORKSPACES = 1024
"""Workspaces whose keys are held ready; deriving them again takes microseconds."""

_PARTS = msgspec.msgpack.Encoder()

Part = str | bytes | None | tuple[tuple[str, str, int, bytes], ...]
"""What a name may be made of."""


class _Keys(NamedTuple):
    names: bytes
    seals: bytes


class Keyring:
    """Derives everything from ``secret``, which all routers of one store share."""

    def __init__(self, secret: bytes) -> None:
        root = hashlib.blake2b(secret, digest_size=32, person=b"fairlead-cache").digest()

        def derive(workspace: str) -> _Keys:
            text = workspace.encode()
            return _Keys(
                hashlib.blake2b(text, key=root, digest_size=32, person=b"names").digest(),
                hashlib.blake2b(text, key=root, digest_size=32, person=b"seals").digest(),
            )

        self._of = lru_cache(maxsize=_WORKSPACES)(derive)

    def digest(self, workspace: str, *parts: Part) -> bytes:
        """A keyed hash of ``parts``, each told apart from its neighbours: 256 bits."""
        key = self._of(workspace).names
        return hashlib.blake2b(_PARTS.encode((workspace, parts)), key=key, digest_size=32).digest()

    def name(self, room: str, workspace: str, *parts: Part) -> str:
        """The name in the store of what ``room`` keeps for ``parts``."""
        return f"{room}/{self.digest(workspace, room, *parts).hex()}"

    def seal(self, workspace: str, name: str, plain: bytes) -> bytes:
        """``plain`` for the entry ``name``, readable by nobody else."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher(workspace, name).encrypt(nonce, plain, name.encode())

    def open(self, workspace: str, name: str, sealed: bytes) -> bytes | None:
        """What was sealed under this very name; ``None`` if it was changed, moved, or sealed with another secret."""
        if not sealed.startswith(_VERSION):
            return None
        nonce, text = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._cipher(workspace, name).decrypt(nonce, text, name.encode())
        except (InvalidTag, ValueError):  # ValueError: too short to hold a nonce
            return None

    def _cipher(self, workspace: str, name: str) -> AESGCM:
        return AESGCM(hashlib.blake2b(name.encode(), key=self._of(workspace).seals, digest_size=32).digest())
