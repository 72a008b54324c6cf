"""Addresses that a provider must not have, whatever they are written as.

Routers check the resolved address again when they connect; this check says so early, at the field that is wrong.
"""

from __future__ import annotations

import ipaddress
import unicodedata
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import unquote, urlsplit

Address = IPv4Address | IPv6Address

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
_METADATA_ADDRESSES: frozenset[Address] = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Azure, Google Cloud, OpenStack …
        "169.254.170.2",  # AWS ECS
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure's wire server
        "192.0.0.192",  # Oracle Cloud
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",  # AWS EKS Pod Identity
        "fd20:ce::254",  # Google Cloud
    )
)
_THIS_NETWORK = IPv4Network("0.0.0.0/8")
_BROADCAST = IPv4Address("255.255.255.255")
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_V4_COMPATIBLE = IPv6Network("::/96")


@lru_cache(maxsize=8192)
def host_of(url: str) -> str:
    """The host as a resolver would see it: unescaped, compatibility forms folded, lower case, without a final dot."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    return unicodedata.normalize("NFKC", unquote(host)).replace("。", ".").lower().rstrip(".")


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


def embedded_addresses(address: Address) -> tuple[Address, ...]:
    """The address and every IPv4 address that an IPv6 one is translated or tunnelled to."""
    if isinstance(address, IPv4Address):
        return (address,)
    found: list[Address] = [address]
    if address.ipv4_mapped is not None:
        found.append(address.ipv4_mapped)
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found.extend(address.teredo)
    if any(address in network for network in (*_NAT64, _V4_COMPATIBLE)) and int(address) > 1:
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return tuple(found)


def refusal(url: str) -> str | None:
    """Why the host of ``url`` must not be called; ``None`` if nothing speaks against it before it is resolved."""
    host = host_of(url)
    if host in _METADATA_NAMES:
        return f"{host} is a cloud metadata service"
    address = literal_address(host)
    if address is None:
        return None
    for each in embedded_addresses(address):
        kind = _refused_kind(each)
        if kind is not None:
            seen = host if str(each) == host else f"{host}, that is {each},"
            return f"{seen} is {kind}"
    return None


def _refused_kind(address: Address) -> str | None:
    if address in _METADATA_ADDRESSES:
        return "the address of a cloud metadata service"
    if address.is_link_local:
        return "a link-local address"
    if address.is_multicast or address == _BROADCAST:
        return "a multicast or broadcast address"
    if address.is_unspecified or (isinstance(address, IPv4Address) and address in _THIS_NETWORK):
        return "an unspecified address"
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
