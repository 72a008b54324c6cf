"""Static API keys from a file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Literal

import msgspec

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class ApiKey(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One key and what it proves. ``sha256`` is the key's digest in hexadecimal, so that the file holds no secret."""

    name: Name
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    workspace: Name | None = None
    agent_type: Name | None = None
    user: Name | None = None
    user_tier: Name | None = None
    act_for_others: bool = False
    """Whether workspace, agent type and user may come from the request's headers where the key does not set them."""
    max_priority: Literal["low", "normal", "high"] = "normal"
    """The highest priority in line that its requests may ask for; a request that asks for nothing is normal at most."""
    admin: bool = False
    """Whether its holder may change what is declared, where a router writes such changes at all."""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    keys: list[ApiKey]


class ApiKeysError(ValueError):
    """The file of keys cannot be used: says where and why."""


class ApiKeys:
    """Keys by digest. Looking one up compares digests only, so that its timing says nothing about a key."""

    def __init__(self, keys: list[ApiKey]) -> None:
        self._by_digest = {key.sha256: key for key in keys}

    def __len__(self) -> int:
        return len(self._by_digest)

    def find(self, secret: str) -> ApiKey | None:
        """The key whose digest is that of ``secret``."""
        # A header may hold bytes that are no text; they arrive as surrogates and match no key.
        return self._by_digest.get(hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest())


def read_api_keys(path: Path) -> ApiKeys:
    """Read a JSON file ``{"keys": [{"name": …, "sha256": …, "workspace": …}]}``. Raises :class:`ApiKeysError`."""
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise ApiKeysError(f"{path}: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ApiKeysError(f"{path}: {error}; `printf %s KEY | sha256sum` makes a digest") from error
    names = [key.name for key in file.keys]
    for repeated in sorted({name for name in names if names.count(name) > 1}):
        raise ApiKeysError(f"{path}: two keys are named {repeated!r}")
    known: dict[str, str] = {}
    for key in file.keys:
        if key.sha256 in known:
            raise ApiKeysError(f"{path}: {known[key.sha256]!r} and {key.name!r} are the same key")
        known[key.sha256] = key.name
    return ApiKeys(file.keys)
