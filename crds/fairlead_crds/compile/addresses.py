"""Addresses that a provider must not have, whatever they are written as.

Routers check the resolved address again when they connect; this check says so early, at the field that is wrong.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

from fairlead_contract.addresses import Address, embedded_addresses, host_of, refused_kind

_METADATA_NAMES = frozenset(
    {
        "instance-data",
        "instance-data.ec2.internal",
        "metadata",
        "metadata.azure.internal",
        "metadata.goog",
        "metadata.google.internal",
        "metadata.tencentyun.com",
    }
)


def literal_address(host: str) -> Address | None:
    """The address that ``host`` is, or ``None`` if it is a name.

    Also reads what resolvers accept beside dotted decimals (RFC 6943, 3.1.1): fewer parts, octal and hexadecimal.
    """
    text = host.partition("%")[0].strip("[]")
    if ":" in text:
        try:
            return IPv6Address(text)
        except ValueError:
            return None
    return _loose_ipv4(text)


def _loose_ipv4(text: str) -> IPv4Address | None:
    parts = text.split(".")
    if not 1 <= len(parts) <= 4:
        return None
    numbers = []
    for part in parts:
        number = _number(part)
        if number is None:
            return None
        numbers.append(number)
    *leading, last = numbers
    if any(number > 255 for number in leading) or last >= 256 ** (5 - len(numbers)):
        return None
    value = last
    for position, number in enumerate(leading):
        value |= number << (24 - 8 * position)
    return IPv4Address(value)


def _number(part: str) -> int | None:
    if not part.isascii() or not part or len(part) > 32:
        return None
    digits, base = (part[2:] or "0", 16) if part.startswith("0x") else (part, 8 if part.startswith("0") else 10)
    if not digits.isalnum():
        return None
    try:
        return int(digits, base)
    except ValueError:
        return None


def refusal(url: str) -> str | None:
    """Why the host of ``url`` must not be called; ``None`` if nothing speaks against it before it is resolved."""
    host = host_of(url)
    if host in _METADATA_NAMES:
        return f"{host} is a cloud metadata service"
    address = literal_address(host)
    if address is None:
        return None
    for each in embedded_addresses(address):
        kind = refused_kind(each)
        if kind is not None:
            seen = host if str(each) == host else f"{host}, that is {each},"
            return f"{seen} is {kind}"
    return None


def travels_in_clear(url: str) -> bool:
    """Whether what is sent to ``url`` crosses networks beyond this machine and this cluster unencrypted."""
    if urlsplit(url).scheme.lower() != "http":
        return False
    host = host_of(url)
    address = literal_address(host)
    if address is not None:
        return not any(each.is_loopback for each in embedded_addresses(address))
    return "." in host and not host.endswith((".svc", ".svc.cluster.local", ".localhost"))
