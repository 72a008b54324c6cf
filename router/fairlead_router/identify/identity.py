"""The facts about a caller, from a credential or from headers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from fairlead_router.errors import invalid_request, unauthenticated
from fairlead_router.identify.api_keys import ApiKeys

_MAX_HEADER_CHARACTERS = 256
_KEPT_OF_REQUEST_ID = 128


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller. ``user`` and ``session`` leave this process only as keyed hashes."""

    workspace: str
    subject: str | None = None
    agent_type: str | None = None
    user: str | None = None
    session: str | None = None
    user_tier: str | None = None
    client_request_id: str | None = None
    max_priority: str = "normal"
    """The most it may say of its priority: ``low``, ``normal`` or ``high``."""
    admin: bool = False
    """Whether it may change what is declared. Only a key can say so."""


class Identifier:
    """Turns headers into an identity.

    Without keys every request is anonymous and says for itself which workspace, agent type, user and session it belongs
    to. With keys a request must bring one; only a subject that may act for others is believed what it says beyond that.
    The tier is never taken from a client.
    """

    def __init__(
        self,
        keys: ApiKeys | None,
        *,
        default_workspace: str,
        hash_key: bytes,
        anonymous_max_priority: str = "normal",
    ) -> None:
        self._keys = keys
        self._default_workspace = default_workspace
        self._hash_key = hash_key
        self._anonymous_max_priority = anonymous_max_priority

    def identify(self, headers: Mapping[str, str]) -> Identity:
        """Raises ``RouterError`` 401 for a missing or unknown key, 400 for a header that cannot be a name."""
        workspace = self._stated(headers, "x-fairlead-workspace")
        agent_type = self._stated(headers, "x-fairlead-agent-type")
        user = self._stated(headers, "x-fairlead-user")
        session = self._stated(headers, "x-fairlead-session")
        request_id = _label(headers.get("x-fairlead-request-id"))
        if self._keys is None:
            return Identity(
                workspace=workspace or self._default_workspace,
                agent_type=agent_type,
                user=user,
                session=session,
                client_request_id=request_id,
                max_priority=self._anonymous_max_priority,
            )
        secret = headers.get("authorization", "")
        scheme, _, token = secret.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise unauthenticated("send an API key of this router as 'Authorization: Bearer …'")
        key = self._keys.find(token.strip())
        if key is None:
            raise unauthenticated("this router does not know that API key; ask the platform team for one")
        if not key.act_for_others:
            workspace = agent_type = user = None
        return Identity(
            workspace=key.workspace or workspace or self._default_workspace,
            subject=key.name,
            agent_type=key.agent_type or agent_type,
            user=key.user or user,
            # A session only groups requests of one subject, so every subject may name its own.
            session=session,
            user_tier=key.user_tier,
            client_request_id=request_id,
            max_priority=key.max_priority,
            admin=key.admin,
        )

    def hashed(self, scope: str, value: str | None) -> str | None:
        """A keyed hash of a user or session within ``scope`` (its workspace): 128 bits in hexadecimal."""
        if value is None:
            return None
        text = f"{scope}\0{value}".encode()
        return hashlib.blake2b(text, key=self._hash_key, digest_size=16, person=b"fairlead-subject").hexdigest()

    @staticmethod
    def _stated(headers: Mapping[str, str], name: str) -> str | None:
        value = headers.get(name)
        if value is None or not (value := value.strip()):
            return None
        if len(value) > _MAX_HEADER_CHARACTERS or not value.isprintable():
            raise invalid_request(
                f"header {name} takes at most {_MAX_HEADER_CHARACTERS} printable characters", param=name
            )
        return value


def _label(text: str | None) -> str | None:
    """A client's own id of its request is only ever shown, so whatever it is, it is cut and not refused."""
    if text is None:
        return None
    return "".join(filter(str.isprintable, text.strip()))[:_KEPT_OF_REQUEST_ID] or None
