"""API keys: who may ask, and what a caller may say about itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fairlead_contract.fragments import Match
from fairlead_router.identify.api_keys import ApiKeysError
from tests.router_e2e.fake_upstream import FakeUpstream
from tests.router_e2e.harness import Harness, serving
from tests.router_e2e.world import policy, provider

KEYS: list[dict[str, Any]] = [
    {"name": "red", "workspace": "red", "agentType": "coder", "user": "alice", "userTier": "gold"},
    {"name": "plain"},
    {"name": "proxy", "actForOthers": True},
    {"name": "red-proxy", "workspace": "red", "actForOthers": True},
]
SAID = {"x-fairlead-workspace": "blue", "x-fairlead-agent-type": "writer", "x-fairlead-user": "bob"}


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


@asynccontextmanager
async def with_keys(upstream: FakeUpstream, folder: Path) -> AsyncIterator[Harness]:
    """A router that knows :data:`KEYS`; the secret of ``red`` is ``sk-red`` and so on."""
    file = folder / "keys.json"
    file.write_text(json.dumps({"keys": [each | {"sha256": digest(f"sk-{each['name']}")} for each in KEYS]}))
    gold = policy("acme/small", name="gold", priority=1, match=Match(user_tiers=("gold",)))
    async with serving(provider(upstream.url), policy("acme/small"), gold, api_keys_file=file) as router:
        yield router


CASES: list[tuple[str, dict[str, Any]]] = [
    ("red", {"workspace": "red", "agentType": "coder", "userTier": "gold", "subject": "red"}),
    ("plain", {"workspace": "default", "agentType": None, "userTier": None, "subject": "plain"}),
    ("proxy", {"workspace": "blue", "agentType": "writer", "userTier": None, "subject": "proxy"}),
    ("red-proxy", {"workspace": "red", "agentType": "writer", "userTier": None, "subject": "red-proxy"}),
]


@pytest.mark.parametrize(("name", "facts"), CASES, ids=[case[0] for case in CASES])
async def test_what_a_key_says_wins_over_what_its_bearer_says(
    upstream: FakeUpstream, tmp_path: Path, name: str, facts: dict[str, Any]
) -> None:
    async with with_keys(upstream, tmp_path) as router:
        said = SAID | {"Authorization": f"Bearer sk-{name}", "x-fairlead-user-tier": "gold"}
        reply = await router.chat(headers=said)
        found = (await router.record(reply))["facts"]
        assert {key: found.get(key) for key in facts} == facts
        assert reply.headers["x-fairlead-policy"] == ("team/gold" if facts["userTier"] else "team/route")
        assert "authorization" not in upstream.received[0].headers


async def test_users_are_told_apart_by_hash_only_and_only_where_they_are_believed(
    upstream: FakeUpstream, tmp_path: Path
) -> None:
    async with with_keys(upstream, tmp_path) as router:
        hashes: dict[str, str | None] = {}
        for name in ("red", "plain", "proxy"):
            reply = await router.chat(headers=SAID | {"Authorization": f"Bearer sk-{name}"})
            hashes[name] = (await router.record(reply))["facts"].get("userHash")
        assert hashes["plain"] is None
        assert hashes["red"] != hashes["proxy"]
        assert len(str(hashes["red"])) == 32


REFUSED = [
    ("none", {}),
    ("unknown", {"Authorization": "Bearer sk-nobody"}),
    ("another scheme", {"Authorization": "Basic sk-red"}),
    ("no token", {"Authorization": "Bearer "}),
    ("the digest itself", {"Authorization": f"Bearer {digest('sk-red')}"}),
]


@pytest.mark.parametrize("headers", [case[1] for case in REFUSED], ids=[case[0] for case in REFUSED])
async def test_without_a_known_key_nothing_is_answered(
    upstream: FakeUpstream, tmp_path: Path, headers: dict[str, str]
) -> None:
    async with with_keys(upstream, tmp_path) as router:
        asked = [
            ("POST", "/v1/chat/completions", b"{}"),
            ("GET", "/v1/models", None),
            ("POST", "/api/routing/test", b"{}"),
        ]
        for method, path, body in asked:
            reply = await router.request(method, path, data=body, headers=headers)
            assert (reply.status, reply.error_code) == (401, "invalid_api_key"), path
            assert reply.json["error"]["type"] == "authentication_error"
        assert (await router.request("GET", "/health")).status == 200
        assert upstream.received == []


async def test_a_key_that_is_no_text_is_401(upstream: FakeUpstream, tmp_path: Path) -> None:
    from tests.router_e2e.raw_http import chat_head, raw_connection

    async with with_keys(upstream, tmp_path) as router, raw_connection(router) as connection:
        await connection.send(chat_head("Authorization: Bearer \xff\xfe", "Content-Length: 2") + b"{}")
        assert await connection.error() == (401, "invalid_api_key")


@pytest.mark.parametrize("text", ["", "{}", '{"keys": [{"name": "a", "sha256": "short"}]}', '{"keys": [{"nam": "a"}]}'])
async def test_a_file_of_keys_that_cannot_be_used_stops_the_start(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys.json"
    file.write_text(text)
    with pytest.raises(ApiKeysError, match=r"keys\.json"):
        async with serving(api_keys_file=file):
            pass


async def test_without_a_file_everybody_may_ask_and_say_who_they_are(upstream: FakeUpstream) -> None:
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        facts = (await router.record(await router.chat(headers=SAID)))["facts"]
        assert (facts["workspace"], facts["agentType"], facts.get("subject")) == ("blue", "writer", None)
