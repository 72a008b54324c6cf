"""``/status``, ``/models`` and ``/metrics/…``: what a caller's workspace may use, and what was measured of it."""

from __future__ import annotations

import pytest

from tests.router_e2e.fake_upstream import FakeUpstream
from tests.router_e2e.harness import serving
from tests.router_e2e.world import model, policy, provider, workspace

SLASHED = "org/model"


def world(upstream: FakeUpstream) -> list[object]:
    models = [model("small", display_name="Small", tags=("fast",)), model("gone", state="Inactive"), model(SLASHED)]
    return [
        provider(upstream.url, models=models),
        provider(upstream.url, "zenith", models=["small"]),
        provider(upstream.url, "hidden", models=["secret"], namespace="elsewhere"),
        workspace("narrow", allowed=["acme/small"]),
        policy("acme/small"),
    ]


async def test_models_in_use_and_not_are_listed_by_names_that_can_be_called(upstream: FakeUpstream) -> None:
    async with serving(*world(upstream)) as router:  # type: ignore[arg-type]
        listed = (await router.request("GET", "/models")).json["models"]
        assert [(each["id"], each["provider"], each["status"]) for each in listed] == [
            ("gone", "acme", "inactive"),
            (SLASHED, "acme", "active"),
            ("acme/small", "acme", "active"),
            ("zenith/small", "zenith", "active"),
        ]
        assert listed[2]["display_name"] == "Small"
        assert listed[2]["tags"] == ["fast"]
        status = (await router.request("GET", "/status")).json
        assert (status["status"], status["total_models"], status["active_models"]) == ("operational", 4, 3)
        assert status["data_sources"] == ["test"]
        assert status["last_sync"].endswith("Z")
        metrics = (await router.request("GET", "/metrics/models")).json["models"]
        assert [each["id"] for each in metrics] == [each["id"] for each in listed]


NAMES = [
    ("zenith/small", 200, "team/zenith/small"),
    ("team/acme/small", 200, "team/acme/small"),
    (SLASHED, 200, f"team/acme/{SLASHED}"),
    (f"acme/{SLASHED}", 200, f"team/acme/{SLASHED}"),
    ("gone", 200, "team/acme/gone"),
    ("small", 409, "acme/small, zenith/small"),
    ("secret", 404, "GET /v1/models"),
    ("none", 404, "GET /v1/models"),
]


@pytest.mark.parametrize(("name", "status", "says"), NAMES, ids=[case[0] for case in NAMES])
@pytest.mark.parametrize("below", ["/models/", "/metrics/"])
async def test_one_model_is_found_by_any_name_that_is_unambiguous(
    upstream: FakeUpstream, below: str, name: str, status: int, says: str
) -> None:
    async with serving(*world(upstream)) as router:  # type: ignore[arg-type]
        reply = await router.request("GET", below + name)
        assert reply.status == status
        assert says in (reply.json["key"] if status == 200 else reply.json["error"]["message"])


@pytest.mark.parametrize("path", ["/models/", "/metrics/", "/v1/models/"])
async def test_a_path_that_ends_where_a_name_is_due_is_not_there(path: str) -> None:
    async with serving() as router:
        reply = await router.request("GET", path)
        assert (reply.status, reply.error_code) == (404, "unknown_url")


async def test_a_workspace_sees_only_what_it_may_use(upstream: FakeUpstream) -> None:
    narrow = {"x-fairlead-workspace": "narrow"}
    async with serving(*world(upstream)) as router:  # type: ignore[arg-type]
        listed = (await router.request("GET", "/models", headers=narrow)).json["models"]
        assert [each["key"] for each in listed] == ["team/acme/small"]
        assert (await router.request("GET", "/metrics/gone", headers=narrow)).status == 404
        assert (await router.request("GET", "/status", headers=narrow)).json["total_models"] == 1


async def test_metrics_hold_prices_breakers_and_what_calls_took(upstream: FakeUpstream) -> None:
    async with serving(*world(upstream)) as router:  # type: ignore[arg-type]
        before = (await router.request("GET", "/metrics/acme/small")).json
        assert before["prices"]["input_usd_per_million_tokens"] == 1
        assert before["prices"]["output_usd_per_million_tokens"] == 2
        assert (before["mean_output_tokens"], before["endpoints"][0]["latency_p50_ms"]) == (None, None)
        for _ in range(3):
            assert (await router.chat()).status == 200
        after = (await router.request("GET", "/metrics/acme/small")).json
        [endpoint] = after["endpoints"]
        assert (endpoint["endpoint"], endpoint["breaker"], endpoint["running"]) == ("main", "Closed", 0)
        assert (endpoint["succeeded"], endpoint["failed"]) == (3, 0)
        assert endpoint["latency_p50_ms"] > 0
        assert after["mean_output_tokens"] > 0


async def test_nothing_is_told_before_there_is_a_configuration() -> None:
    async with serving() as router:
        for path in ("/status", "/models", "/metrics/models", "/models/small"):
            assert (await router.request("GET", path)).error_code == "not_ready"
