"""Who is asking, from a key or from headers."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from fairlead_router.errors import RouterError
from fairlead_router.identify.api_keys import ApiKey, ApiKeys
from fairlead_router.identify.identity import Identifier, Identity

SECRET = "sk-secret"
SAID = {
    "x-fairlead-workspace": "said-ws",
    "x-fairlead-agent-type": "said-agent",
    "x-fairlead-user": "said-user",
    "x-fairlead-session": "said-session",
}


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def api_key(**fields: Any) -> ApiKey:
    return ApiKey(**({"name": "ci", "sha256": digest(SECRET)} | fields))


def identifier(*keys: ApiKey) -> Identifier:
    found = ApiKeys([*keys]) if keys else None
    return Identifier(found, default_workspace="default-ws", hash_key=b"k" * 32)


def identify(who: Identifier, **headers: str) -> Identity:
    return who.identify(CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()}))


@pytest.mark.parametrize(
    ("headers", "identity"),
    [
        ({}, Identity("default-ws")),
        (SAID, Identity("said-ws", None, "said-agent", "said-user", "said-session")),
        ({"X-FAIRLEAD-USER": " ann "}, Identity("default-ws", user="ann")),
        ({"x-fairlead-workspace": "  "}, Identity("default-ws")),
        ({"x-fairlead-user-tier": "premium"}, Identity("default-ws")),
        ({"x-fairlead-request-id": "r-1"}, Identity("default-ws", client_request_id="r-1")),
        ({"authorization": "Bearer anything"}, Identity("default-ws")),
    ],
)
def test_without_keys_every_caller_is_anonymous_and_says_who_it_is_but_never_its_tier(
    headers: dict[str, str], identity: Identity
) -> None:
    assert identifier().identify(CIMultiDict(headers)) == identity


@pytest.mark.parametrize(
    ("key", "identity"),
    [
        ({}, Identity("default-ws", "ci", session="said-session")),
        ({"workspace": "key-ws"}, Identity("key-ws", "ci", session="said-session")),
        ({"user_tier": "premium"}, Identity("default-ws", "ci", session="said-session", user_tier="premium")),
        (
            {"act_for_others": True},
            Identity("said-ws", "ci", "said-agent", "said-user", "said-session"),
        ),
        (
            {"act_for_others": True, "workspace": "key-ws", "user": "key-user", "agent_type": "key-agent"},
            Identity("key-ws", "ci", "key-agent", "key-user", "said-session"),
        ),
    ],
)
def test_what_a_key_says_wins_and_only_who_may_act_for_others_is_believed_beyond_it(
    key: dict[str, Any], identity: Identity
) -> None:
    headers = CIMultiDict(SAID | {"authorization": f"Bearer {SECRET}"})
    assert identifier(api_key(**key)).identify(headers) == identity


@pytest.mark.parametrize("authorization", [f"bearer {SECRET}", f"BEARER   {SECRET}  ", f"Bearer {SECRET}"])
def test_a_key_is_found_however_the_scheme_is_written(authorization: str) -> None:
    assert identify(identifier(api_key()), authorization=authorization).subject == "ci"


@pytest.mark.parametrize(
    ("authorization", "words"),
    [
        (None, "send an API key"),
        ("", "send an API key"),
        ("Bearer", "send an API key"),
        ("Bearer   ", "send an API key"),
        (f"Basic {SECRET}", "send an API key"),
        (SECRET, "send an API key"),
        ("Bearer wrong", "does not know that API key"),
        (f"Bearer {digest(SECRET)}", "does not know that API key"),
        ("Bearer sk-\udcff", "does not know that API key"),
        ("Bearer sk-secre\u0442", "does not know that API key"),
    ],
)
def test_with_keys_a_request_without_a_known_one_is_refused(authorization: str | None, words: str) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    with pytest.raises(RouterError, match=words) as raised:
        identify(identifier(api_key()), **headers)
    assert (raised.value.status, raised.value.code) == (401, "invalid_api_key")
    assert SECRET not in raised.value.message


@pytest.mark.parametrize("name", SAID)
@pytest.mark.parametrize("value", ["x" * 257, "a\tb", "a\x00b", "a\udcffb", "a\u202eb"])
def test_a_header_that_cannot_be_a_name_is_refused_with_its_own_name(name: str, value: str) -> None:
    with pytest.raises(RouterError) as raised:
        identifier().identify(CIMultiDict({name: value}))
    assert (raised.value.status, raised.value.param) == (400, name)


def test_a_clients_request_id_is_kept_to_128_characters() -> None:
    assert identify(identifier(), x_fairlead_request_id="x" * 2000).client_request_id == "x" * 128


@pytest.mark.parametrize(("value", "kept"), [("a\tb", "ab"), ("a\udcffb", "ab"), ("\x00", None), ("  ", None)])
def test_a_clients_request_id_is_never_refused(value: str, kept: str | None) -> None:
    headers = CIMultiDict({"x-fairlead-request-id": value})
    assert identifier().identify(headers).client_request_id == kept


scopes = st.text(min_size=1, max_size=5).filter(lambda text: "\0" not in text)


@given(scopes, scopes, scopes, scopes)
def test_hashes_of_users_agree_only_for_the_same_user_of_the_same_workspace(
    one_scope: str, one: str, other_scope: str, other: str
) -> None:
    who = identifier()
    same = (one_scope, one) == (other_scope, other)
    assert (who.hashed(one_scope, one) == who.hashed(other_scope, other)) is same


def test_hashes_depend_on_the_routers_key_and_show_nothing_of_the_user() -> None:
    other = Identifier(None, default_workspace="d", hash_key=b"another")
    found = identifier().hashed("ws", "ann")
    assert found is not None
    assert len(found) == 32
    assert found != other.hashed("ws", "ann")
    assert found not in {hashlib.sha256(b"ann").hexdigest()[:32], hashlib.blake2b(b"ann", digest_size=16).hexdigest()}


def test_nobody_has_no_hash() -> None:
    assert identifier().hashed("ws", None) is None
