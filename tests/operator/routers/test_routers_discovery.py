"""The ready routers, as EndpointSlices name them."""

from __future__ import annotations

from typing import Any

from fairlead_operator.routers.discovery import ready_addresses


def endpoint(*addresses: str, **conditions: bool) -> dict[str, Any]:
    return {"addresses": list(addresses), "conditions": conditions}


def slice_(*endpoints: dict[str, Any], port: int = 9090, name: str = "admin") -> dict[str, Any]:
    return {"ports": [{"name": "http", "port": 3003}, {"name": name, "port": port}], "endpoints": list(endpoints)}


def test_every_ready_endpoint_is_named_once_in_order() -> None:
    slices = [
        slice_(endpoint("10.0.0.2", ready=True), endpoint("10.0.0.1", ready=True)),
        slice_(endpoint("10.0.0.2", ready=True)),
    ]
    assert ready_addresses(slices, "admin") == ("http://10.0.0.1:9090", "http://10.0.0.2:9090")


def test_what_is_not_ready_or_is_going_away_does_not_count() -> None:
    slices = [
        slice_(
            endpoint("10.0.0.1", ready=False),
            endpoint("10.0.0.2", ready=True, terminating=True),
            endpoint("10.0.0.3", ready=False, serving=True, terminating=True),
        )
    ]
    assert ready_addresses(slices, "admin") == ()


def test_unknown_readiness_counts_as_ready() -> None:
    assert ready_addresses([slice_({"addresses": ["10.0.0.1"]}, endpoint("10.0.0.2"))], "admin") == (
        "http://10.0.0.1:9090",
        "http://10.0.0.2:9090",
    )


def test_slices_without_the_port_are_passed_over_and_each_has_its_own_number() -> None:
    slices = [
        slice_(endpoint("10.0.0.1")),
        slice_(endpoint("10.0.0.2"), port=9191),
        slice_(endpoint("x"), name="other"),
    ]
    assert ready_addresses(slices, "admin") == ("http://10.0.0.1:9090", "http://10.0.0.2:9191")


def test_ipv6_gets_brackets() -> None:
    assert ready_addresses([slice_(endpoint("fd00::1"))], "admin") == ("http://[fd00::1]:9090",)


def test_a_slice_of_a_service_without_pods_is_empty() -> None:
    assert ready_addresses([{"ports": None, "endpoints": None}, {}], "admin") == ()
