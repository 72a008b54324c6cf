"""Who reaches whom, as the NetworkPolicies of the chart have it where a network enforces them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chart.helm import Helm
from tests.chart.network import End, component, passes

_EVERYTHING: dict[str, Any] = {
    "redis": {"enabled": True},
    "classifier": {"enabled": True},
    "simulatedProvider": {"enabled": True},
}
_COMPONENTS = ("router", "operator", "classifier", "redis", "simulated", "test")
_OUTSIDE = {
    "a pod of a team": End(labels={"app": "shop"}, namespace="team-a"),
    "Prometheus": End(labels={"app.kubernetes.io/name": "prometheus"}, namespace="monitoring"),
    "the cluster's DNS": End(labels={"k8s-app": "kube-dns"}, namespace="kube-system"),
    "DNS on the node": End("169.254.20.10"),
    "the API server": End("10.0.0.1"),
    "the API server behind its Service": End("192.168.0.10"),
    "a client outside": End("203.0.113.7"),
    "a provider": End("198.51.100.20"),
    "a provider by IPv6": End("2001:db8::1"),
    "a model in the cluster": End(labels={"app": "vllm"}, namespace="team-a"),
    "a Redis elsewhere": End("10.9.8.7"),
    "the metadata service": End("169.254.169.254"),
}

_OPEN: list[tuple[str, str, int, str]] = [
    ("a pod of a team", "router", 3003, "TCP"),
    ("a client outside", "router", 3003, "TCP"),
    ("test", "router", 3003, "TCP"),
    ("operator", "router", 9090, "TCP"),
    ("Prometheus", "router", 9090, "TCP"),
    ("Prometheus", "operator", 8080, "TCP"),
    ("Prometheus", "classifier", 9090, "TCP"),
    ("router", "redis", 6379, "TCP"),
    ("classifier", "redis", 6379, "TCP"),
    ("router", "classifier", 5001, "TCP"),
    ("router", "simulated", 8000, "TCP"),
    ("router", "a provider", 443, "TCP"),
    ("router", "a provider by IPv6", 443, "TCP"),
    ("router", "a model in the cluster", 8000, "TCP"),
    *(
        (name, server, port, "TCP")
        for name in ("router", "operator")
        for server, port in (("the API server", 443), ("the API server behind its Service", 6443))
    ),
    *(
        (name, server, 53, protocol)
        for name in ("router", "operator", "classifier", "test")
        for server in ("the cluster's DNS", "DNS on the node")
        for protocol in ("UDP", "TCP")
    ),
]
_CLOSED: list[tuple[str, str, int, str]] = [
    ("a pod of a team", "router", 9090, "TCP"),
    ("a client outside", "router", 9090, "TCP"),
    ("test", "router", 9090, "TCP"),
    ("classifier", "router", 9090, "TCP"),
    ("a pod of a team", "operator", 8080, "TCP"),
    ("a pod of a team", "classifier", 5001, "TCP"),
    ("a pod of a team", "classifier", 9090, "TCP"),
    ("a pod of a team", "redis", 6379, "TCP"),
    ("operator", "redis", 6379, "TCP"),
    ("simulated", "redis", 6379, "TCP"),
    ("a pod of a team", "simulated", 8000, "TCP"),
    ("router", "the metadata service", 80, "TCP"),
    ("operator", "a provider", 80, "TCP"),
    ("operator", "redis", 6379, "TCP"),
    ("classifier", "a provider", 443, "TCP"),
    ("classifier", "the API server", 443, "TCP"),
    ("redis", "a provider", 443, "TCP"),
    ("redis", "the cluster's DNS", 53, "UDP"),
    ("simulated", "a provider", 443, "TCP"),
    ("test", "a provider", 443, "TCP"),
]


async def _open(helm: Helm, values: dict[str, Any], flows: list[tuple[str, str, int, str]]) -> list[bool]:
    objects = await helm.render(values)
    ends = _OUTSIDE | {name: component(objects, name) for name in _COMPONENTS}
    return [passes(objects, ends[source], ends[target], port, protocol) for source, target, port, protocol in flows]


async def test_what_has_to_talk_may_and_nothing_else(helm: Helm) -> None:
    found = await _open(helm, _EVERYTHING, _OPEN + _CLOSED)
    assert [flow for flow, passed in zip(_OPEN + _CLOSED, found, strict=True) if passed != (flow in _OPEN)] == []


async def test_the_listed_clients_reach_routers_and_no_other_does_but_helm_test(helm: Helm) -> None:
    clients = [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "shop"}}}]
    values = _EVERYTHING | {"networkPolicy": {"clients": clients}}
    sources = ("a pod of a team", "test", "a model in the cluster", "a client outside")
    flows = [(source, "router", 3003, "TCP") for source in sources]
    assert await _open(helm, values, flows) == [True, True, False, False]


@pytest.mark.parametrize(("providers", "reached"), [(None, True), ([], False)])
async def test_a_redis_elsewhere_is_reached_where_providers_may_be(
    helm: Helm, providers: list[Any] | None, reached: bool
) -> None:
    values = _EVERYTHING | {"redis": {"url": "redis://10.9.8.7:6379"}}
    if providers is not None:
        values["networkPolicy"] = {"providers": providers}
    objects = await helm.render(values)
    elsewhere = _OUTSIDE["a Redis elsewhere"]
    for name in ("router", "classifier"):
        assert passes(objects, component(objects, name), elsewhere, 6379) is reached, name


async def test_without_policies_everybody_is_free(helm: Helm) -> None:
    found = await _open(helm, _EVERYTHING | {"networkPolicy": {"enabled": False}}, _OPEN + _CLOSED)
    assert all(found)
