"""Which addresses a provider may have. Checked on the address that is really connected to, after name resolution.

A name that resolves to a metadata service, to the node or to the router itself would turn a declared provider into a way
into the cluster, so link-local, loopback, multicast and unspecified addresses are refused unless a setting allows them.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

from aiohappyeyeballs import AddrInfoType

from fairlead_router.settings import Network

_METADATA = (
    ipaddress.ip_network("169.254.0.0/16"),
    ipaddress.ip_network("fe80::/10"),
    ipaddress.ip_network("fd00:ec2::/32"),
    ipaddress.ip_network("100.100.100.200/32"),
    ipaddress.ip_network("168.63.129.16/32"),
    ipaddress.ip_network("192.0.0.192/32"),
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NOBODY = (ipaddress.ip_network("0.0.0.0/8"), ipaddress.ip_network("240.0.0.0/4"))


class AddressRefused(OSError):
    """The address a provider's name resolved to is one that providers may not have."""


def refusal(address: str, allowed: Sequence[Network]) -> str | None:
    """Why ``address`` may not be connected to; ``None`` when it may."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        ip = _embedded(ip) or ip
    if any(ip.version == network.version and ip in network for network in allowed):
        return None
    if any(ip.version == network.version and ip in network for network in _METADATA) or ip.is_link_local:
        return "link-local or metadata address"
    if ip.is_loopback:
        return "loopback address"
    reserved = ip.is_reserved and not ip.is_private
    if ip.is_multicast or ip.is_unspecified or reserved or any(ip.version == 4 and ip in each for each in _NOBODY):
        return "not an address of a host"
    return None


def _embedded(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a mapped, NAT64, 6to4 or Teredo address leads to."""
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo is not None else None)


class GuardedSockets:
    """A socket factory for aiohttp's connector that refuses before it connects."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed

    def __call__(self, info: AddrInfoType) -> socket.socket:
        """Raises :class:`AddressRefused`."""
        family, kind, protocol, _, address = info
        if why := refusal(str(address[0]), self._allowed):
            raise AddressRefused(
                f"{address[0]} is a {why}; providers may not be there unless FAIRLEAD_ALLOW_NETWORKS lists the network"
            )
        sock = socket.socket(family=family, type=kind, proto=protocol)
        sock.setblocking(False)
        return sock
