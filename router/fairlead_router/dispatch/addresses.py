"""Which addresses a provider may have. Checked on the address that is really connected to, after name resolution.

A name that resolves to a metadata service, to the node or to the router itself would turn a declared provider into a way
into the cluster, so link-local, loopback, multicast and unspecified addresses are refused unless a setting allows them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from fairlead_contract.addresses import embedded_addresses, refused_kind
from fairlead_router.settings import Network


def refusal(address: str, allowed: Sequence[Network]) -> str | None:
    """Why ``address`` may not be connected to, such as ``a loopback address``; ``None`` when it may."""
    every = embedded_addresses(ipaddress.ip_address(address.partition("%")[0]))
    if any(each.version == network.version and each in network for each in every for network in allowed):
        return None
    for each in every:
        kind = refused_kind(each)
        if kind is None and each.is_loopback:
            kind = "a loopback address"
        if kind is not None:
            return kind
    return None
