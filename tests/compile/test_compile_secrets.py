"""Secrets: which may be used, and where their values may go."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead_crds.compile import SecretVersions
from tests.compile.objects import broken, compiled, provider, said, secret, state, the_provider

CREDENTIALS = {"secretRef": {"name": "keys", "key": "key"}}


@pytest.mark.parametrize(
    ("given", "withheld"),
    [
        (None, "SecretNotFound"),
        (secret(), None),
        (secret(namespace="team-b"), "SecretNotFound"),
        (secret(name="other"), "SecretNotFound"),
        (secret(labels={}), "SecretNotLabelled"),
        (secret(labels={"fairlead.dev/credentials": "access"}), "SecretNotLabelled"),
        (secret(keys={"other": "v1"}), "SecretKeyNotFound"),
        (secret(keys={}, labels={}), "SecretNotLabelled"),
        (secret(hosts="api.openai.com"), None),
        (secret(hosts=" API.OpenAI.com. , x.example"), None),
        (secret(hosts="*.openai.com"), None),
        (secret(hosts="*.com"), None),
        (secret(hosts="openai.com"), "HostNotAllowed"),
        (secret(hosts="*.api.openai.com"), "HostNotAllowed"),
        (secret(hosts="*"), "HostNotAllowed"),
        (secret(hosts=""), "HostNotAllowed"),
    ],
)
def test_a_credential_is_used_only_if_the_secret_says_so(given: SecretVersions | None, withheld: str | None) -> None:
    result = compiled(provider(credentials=CREDENTIALS), secrets=[] if given is None else [given])
    found = the_provider(result)
    conditions = state(result, "ModelProvider", "team-a/openai")
    assert found.withheld == withheld
    assert conditions.accepted
    assert conditions.resolved_refs is (withheld is None)
    if withheld is not None:
        assert said(result) == [("team-a/openai", "spec.credentials.secretRef", withheld)]
        assert conditions.resolved_refs_reason == withheld


def test_a_secret_that_is_not_to_be_seen_may_only_lack_its_label() -> None:
    (finding,) = compiled(provider(credentials=CREDENTIALS)).findings
    assert finding.message == (
        "no Secret team-a/keys with the label fairlead.dev/credentials: provider is to be seen: create it with the key "
        "key and that label, or label it"
    )


def test_the_version_and_the_hosts_travel_with_the_reference() -> None:
    result = compiled(
        provider(credentials=CREDENTIALS), secrets=[secret(keys={"key": "v7"}, hosts="b.example,*.openai.com")]
    )
    found = the_provider(result).credential
    assert found is not None
    assert (found.version, found.allowed_hosts) == ("v7", ("*.openai.com", "b.example"))


def test_every_endpoint_must_be_allowed() -> None:
    endpoints = [
        {"name": "one", "url": "https://api.openai.com/v1"},
        {"name": "two", "url": "https://evil.example/v1", "role": "Backup"},
    ]
    result = compiled(provider(endpoints=endpoints, credentials=CREDENTIALS), secrets=[secret(hosts="api.openai.com")])
    assert the_provider(result).withheld == "HostNotAllowed"
    assert "evil.example" in result.findings[0].message


def test_an_address_literal_is_compared_like_a_name() -> None:
    item = provider(url="https://[2001:db8::1]:8443/v1", credentials=CREDENTIALS)
    assert the_provider(compiled(item, secrets=[secret(hosts="[2001:DB8::1]")])).withheld is None


HEADER = {"name": "X-Team-Key", "valueFrom": {"secretRef": {"name": "keys", "key": "team"}}}


@pytest.mark.parametrize(
    ("given", "withheld"),
    [(secret(keys={"team": "v3"}), None), (secret(), "SecretKeyNotFound"), (secret(labels={}), "SecretNotLabelled")],
)
def test_a_header_from_a_secret_is_checked_like_a_credential(given: SecretVersions, withheld: str | None) -> None:
    endpoints = [
        {"name": "one", "url": "https://api.openai.com/v1", "headers": [{"name": "x-plain", "value": "1"}, HEADER]}
    ]
    result = compiled(provider(endpoints=endpoints), secrets=[given])
    found = the_provider(result)
    assert found.withheld == withheld
    assert [header.name for header in found.endpoints[0].headers] == ["x-plain", "x-team-key"]
    if withheld is None:
        held = found.endpoints[0].headers[1].secret
        assert held is not None
        assert held.version == "v3"
    else:
        field = "spec.endpoints[0].headers[1].valueFrom.secretRef"
        assert said(result) == [("team-a/openai", field, withheld)]


def test_the_secret_of_a_header_may_be_bound_to_that_endpoint_alone() -> None:
    endpoints: list[dict[str, Any]] = [
        {"name": "one", "url": "https://one.example/v1", "headers": [HEADER]},
        {"name": "two", "url": "https://two.example/v1"},
    ]
    result = compiled(provider(endpoints=endpoints), secrets=[secret(keys={"team": "v1"}, hosts="one.example")])
    assert the_provider(result).withheld is None


def test_a_secret_withdrawn_takes_effect_on_a_generation_kept_back() -> None:
    item = provider(credentials=CREDENTIALS)
    first = compiled(item, secrets=[secret()])
    second = compiled(broken(item), previous=first)
    assert the_provider(second).withheld == "SecretNotFound"
    assert the_provider(second).generation == 1
    assert any("in generation 1, the last accepted one" in finding.message for finding in second.findings)


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://api.example.com/v1", True),
        ("http://203.0.113.7/v1", True),
        ("http://10.0.0.7/v1", True),
        ("https://api.example.com/v1", False),
        ("http://localhost:8080/v1", False),
        ("http://127.0.0.1:8080/v1", False),
        ("http://[::1]:8080/v1", False),
        ("http://vllm/v1", False),
        ("http://vllm.models.svc:8000/v1", False),
        ("http://vllm.models.svc.cluster.local/v1", False),
        ("http://vllm.models.svc.example.com/v1", True),
    ],
)
def test_a_credential_that_would_travel_in_clear_is_warned_about(url: str, warned: bool) -> None:
    result = compiled(provider(url=url, credentials=CREDENTIALS), secrets=[secret()])
    expected = [("team-a/openai", "spec.endpoints[0].url", "CredentialInClear")] if warned else []
    assert said(result) == expected
    assert said(compiled(provider(url=url))) == []
