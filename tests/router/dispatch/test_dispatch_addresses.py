"""Which addresses a provider's name may resolve to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_router.dispatch.addresses import refusal
from fairlead_router.settings import networks

METADATA = "the address of a cloud metadata service"
LINK_LOCAL = "a link-local address"
LOOPBACK = "a loopback address"
MULTICAST = "a multicast address"
UNSPECIFIED = "an unspecified address"
RESERVED = "a reserved or broadcast address"


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.0.0.1", LOOPBACK),
        ("127.255.255.254", LOOPBACK),
        ("::1", LOOPBACK),
        ("169.254.169.254", METADATA),
        ("169.254.0.1", LINK_LOCAL),
        ("fe80::1", LINK_LOCAL),
        ("fe80::1%eth0", LINK_LOCAL),
        ("fd00:ec2::254", METADATA),
        ("100.100.100.200", METADATA),
        ("168.63.129.16", METADATA),
        ("192.0.0.192", METADATA),
        ("::ffff:127.0.0.1", LOOPBACK),
        ("::ffff:169.254.169.254", METADATA),
        ("64:ff9b::7f00:1", LOOPBACK),
        ("64:ff9b::a9fe:a9fe", METADATA),
        ("::7f00:1", LOOPBACK),
        ("0.0.0.0", UNSPECIFIED),
        ("0.1.2.3", UNSPECIFIED),
        ("::", UNSPECIFIED),
        ("224.0.0.1", MULTICAST),
        ("ff02::1", MULTICAST),
        ("240.0.0.1", RESERVED),
        ("255.255.255.255", RESERVED),
        ("2002:a9fe:a9fe::1", METADATA),
        ("2002:7f00:1::1", LOOPBACK),
        ("64:ff9b:1::7f00:1", LOOPBACK),
        ("fd20:ce::254", METADATA),
    ],
)
def test_addresses_of_the_node_of_metadata_services_and_of_no_host_are_refused(address: str, why: str) -> None:
    assert refusal(address, ()) == why


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "10.0.0.1",
        "172.16.3.4",
        "192.168.1.1",
        "100.64.0.1",
        "fd12:3456::1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ],
)
def test_public_private_and_carrier_addresses_are_allowed(address: str) -> None:
    assert refusal(address, ()) is None


@pytest.mark.parametrize(
    ("allowed", "address", "passes"),
    [
        ("loopback", "127.0.0.1", True),
        ("loopback", "::1", True),
        ("loopback", "::ffff:127.0.0.1", True),
        ("loopback", "169.254.169.254", False),
        ("127.0.0.1/32", "127.0.0.1", True),
        ("127.0.0.1/32", "127.0.0.2", False),
        ("169.254.169.254/32", "169.254.169.254", True),
        ("::/0", "127.0.0.1", False),
        ("0.0.0.0/0", "::1", False),
    ],
)
def test_a_network_that_is_allowed_admits_its_addresses_and_no_others(allowed: str, address: str, passes: bool) -> None:
    assert (refusal(address, networks(allowed)) is None) is passes


@given(st.ip_addresses())
def test_whatever_address_a_name_resolves_to_there_is_an_answer_and_allowing_it_admits_it(address: object) -> None:
    refusal(str(address), ())
    everything = networks("0.0.0.0/0,::/0")
    assert refusal(str(address), everything) is None
