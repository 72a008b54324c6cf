"""What NetworkPolicies let through, by the rules of Kubernetes: for clusters of tests, whose networks enforce none."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.chart.helm import SYSTEM, Object, pod_templates


@dataclass(frozen=True, slots=True)
class End:
    """Of a connection. Without labels it is no pod: selectors never choose it, and blocks of addresses never choose a pod."""

    address: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace: str = SYSTEM
    ports: Mapping[str, int] = field(default_factory=dict)
    """Of its containers, by name."""


def component(objects: list[Object], name: str) -> End:
    """A pod of that component of a release."""
    for template in pod_templates(objects).values():
        labels = template["metadata"]["labels"]
        if labels["app.kubernetes.io/component"] == name:
            ports = (port for container in template["spec"]["containers"] for port in container.get("ports", ()))
            return End(labels=labels, ports={port["name"]: port["containerPort"] for port in ports})
    raise AssertionError(f"no pod of {name}")


def passes(objects: list[Object], source: End, target: End, port: int, protocol: str = "TCP") -> bool:
    """Whether the source may connect to that port of the target: each of the two has to allow it."""
    policies = [each["spec"] for each in objects if each["kind"] == "NetworkPolicy"]
    return _allowed(policies, "egress", source, target, target, port, protocol) and _allowed(
        policies, "ingress", target, source, target, port, protocol
    )


def _allowed(
    policies: Iterable[Mapping[str, Any]], way: str, own: End, other: End, target: End, port: int, protocol: str
) -> bool:
    """Whom no policy chooses is free; else one rule of one of its policies has to allow it."""
    mine = [
        policy
        for policy in policies
        if own.namespace == SYSTEM and _selects(policy["podSelector"], own) and way.title() in policy["policyTypes"]
    ]
    return not mine or any(
        _peers(rule.get("to" if way == "egress" else "from"), other) and _ports(rule, target, port, protocol)
        for policy in mine
        for rule in policy[way]
    )


def _ports(rule: Mapping[str, Any], target: End, port: int, protocol: str) -> bool:
    def numbers() -> Iterator[tuple[str, int | None]]:
        for each in rule["ports"]:
            number = each["port"]
            yield each.get("protocol", "TCP"), target.ports.get(number) if isinstance(number, str) else number

    return "ports" not in rule or (protocol, port) in numbers()


def _peers(peers: list[Mapping[str, Any]] | None, other: End) -> bool:
    return not peers or any(_is(peer, other) for peer in peers)


def _is(peer: Mapping[str, Any], other: End) -> bool:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        return (
            not other.labels and _within(block["cidr"], other) and not any(_within(c, other) for c in block["except"])
        )
    if not other.labels or ("namespaceSelector" not in peer and other.namespace != SYSTEM):
        return False
    assert not peer.get("namespaceSelector"), "labels of namespaces are not known here"
    return _selects(peer.get("podSelector", {}), other)


def _within(cidr: str, end: End) -> bool:
    return ipaddress.ip_address(end.address) in ipaddress.ip_network(cidr)


def _selects(selector: Mapping[str, Any], end: End) -> bool:
    assert selector.keys() <= {"matchLabels"}
    return bool(end.labels) and selector.get("matchLabels", {}).items() <= end.labels.items()
