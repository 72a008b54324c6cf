"""Addresses that no provider may have, and hosts that a Secret's value may be sent to.

The compiler holds literal addresses against this, routers every resolved one.

Whether loopback is allowed is each router's own setting, so it is not decided here.
"""

from __future__ import annotations

import ipaddress
import unicodedata
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import unquote, urlsplit

Address = IPv4Address | IPv6Address

_METADATA: frozenset[Address] = frozenset(
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
_THIS_NETWORK, _RESERVED = IPv4Network("0.0.0.0/8"), IPv4Network("240.0.0.0/4")
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_V4_COMPATIBLE = IPv6Network("::/96")


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


def refused_kind(address: Address) -> str | None:
    """What speaks against this one address (not those embedded in it), with its article; ``None`` if nothing does."""
    if address in _METADATA:
        return "the address of a cloud metadata service"
    if address.is_link_local:
        return "a link-local address"
    if address.is_multicast:
        return "a multicast address"
    if address.is_unspecified or (isinstance(address, IPv4Address) and address in _THIS_NETWORK):
        return "an unspecified address"
    if isinstance(address, IPv4Address) and address in _RESERVED:
        return "a reserved or broadcast address"
    return None


@lru_cache(maxsize=8192)
def host_of(url: str) -> str:
    """The host as a resolver would see it: unescaped, compatibility forms folded, lower case, without a final dot."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    return unicodedata.normalize("NFKC", unquote(host)).replace("。", ".").lower().rstrip(".")


def host_allowed(host: str, allowed: tuple[str, ...]) -> bool:
    """``*.`` stands for one or more labels before the rest."""
    return any(host == item or (item.startswith("*.") and host.endswith(item[1:])) for item in allowed)
