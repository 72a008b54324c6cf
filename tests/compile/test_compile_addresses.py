"""Addresses that no provider may have, in all their spellings."""

from __future__ import annotations

import pytest

from fairlead_crds.compile.addresses import refusal
from tests.compile.objects import broken, compiled, fragments, policy, provider, said, state, the_provider

REFUSED = [
    "169.254.169.254",
    "169.254.0.1",
    "2852039166",
    "0xA9FEA9FE",
    "0xa9.0xfe.0xa9.0xfe",
    "0251.0376.0251.0376",
    "169.254.43518",
    "169.16689662",
    "0251.254.0xa9fe",
    "169.254.169.254.",
    "169。254。169。254",
    "169%2e254%2e169%2e254",
    "１６９.254.169.254",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[::169.254.169.254]",
    "[64:ff9b::169.254.169.254]",
    "[64:ff9b:1::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[fd00:0ec2:0:0:0:0:0:0254]",
    "100.100.100.200",
    "168.63.129.16",
    "0.0.0.0",
    "0",
    "0.1.2.3",
    "[::]",
    "224.0.0.1",
    "255.255.255.255",
    "[ff02::1]",
    "metadata.google.internal",
    "METADATA.google.internal.",
    "metadata",
    "instance-data.ec2.internal",
]
LET_THROUGH = [
    "127.0.0.1",
    "[::1]",
    "localhost",
    "10.0.0.1",
    "192.168.1.1",
    "8.8.8.8",
    "134744072",
    "[2001:db8::1]",
    "[64:ff9b::8.8.8.8]",
    "api.openai.com",
    "169.254.169.254.example.com",
    "256.1.1.1",
    "1.2.3.4.5",
    "09.1.1.1",
    "0xfoo",
    "metadata.example.com",
]


@pytest.mark.parametrize("host", REFUSED)
def test_refused(host: str) -> None:
    assert refusal(f"https://{host}:8443/v1") is not None


@pytest.mark.parametrize("host", LET_THROUGH)
def test_let_through(host: str) -> None:
    assert refusal(f"https://{host}:8443/v1") is None


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "2852039166", "0xA9FEA9FE", "[::ffff:169.254.169.254]", "metadata.goog"]
)
def test_a_provider_with_such_an_address_is_not_accepted_and_told_at_the_field(host: str) -> None:
    endpoints = [{"name": "a", "url": "https://ok.example"}, {"name": "b", "url": f"http://{host}/latest"}]
    result = compiled(provider(endpoints=endpoints), policy())
    assert ("team-a/openai", "spec.endpoints[1].url", "AddressNotAllowed") in said(result)
    assert state(result, "ModelProvider", "team-a/openai").accepted_reason == "AddressNotAllowed"
    assert "ModelProvider team-a/openai" not in fragments(result)


def test_the_message_says_what_the_spelling_means_and_what_to_do() -> None:
    result = compiled(provider(url="http://2852039166/"))
    assert (
        "2852039166, that is 169.254.169.254, is the address of a cloud metadata service" in result.findings[0].message
    )
    assert "give the address of the model API" in result.findings[0].message


def test_the_generation_before_stays() -> None:
    first = compiled(provider())
    moved = broken(provider(), endpoints=[{"name": "primary", "url": "http://169.254.169.254/"}])
    second = compiled(moved, previous=first)
    assert the_provider(second) == the_provider(first)
    assert second.snapshot is first.snapshot
