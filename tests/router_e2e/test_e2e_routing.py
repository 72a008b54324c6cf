"""Who may answer: policies, names, tenancy, constraints, shares of traffic and affinity, seen from outside."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from fairlead_contract.fragments import Affinity, AnyFragment, Canary, Constraints, HeaderMatch, Match
from tests.router_e2e.fake_upstream import FakeUpstream
from tests.router_e2e.harness import attempts, serving
from tests.router_e2e.world import endpoint, model, policy, provider, ref, target, tenancy, workspace

VISION = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]
TOOLS = [{"type": "function", "function": {"name": "f"}}]


def two(upstream: FakeUpstream, **fields: Any) -> list[AnyFragment]:
    """The same model name at two providers, and one name that only the second has."""
    return [
        provider(upstream.url, **fields),
        provider(upstream.url, "zenith", models=["small", "large"]),
        policy("acme/small"),
    ]


NAMES = [
    ("large", 200, "team/zenith/large"),
    ("zenith/large", 200, "team/zenith/large"),
    ("team/zenith/small", 200, "team/zenith/small"),
    ("acme/small", 200, "team/acme/small"),
    ("auto", 200, "team/acme/small"),
    ("small", 409, "model_ambiguous"),
    ("none", 404, "model_not_found"),
    ("acme/none", 404, "model_not_found"),
    ("AUTO", 404, "model_not_found"),
    ("größe\u2028/€", 404, "model_not_found"),
]


@pytest.mark.parametrize(("name", "status", "wanted"), NAMES, ids=[case[0] for case in NAMES])
async def test_a_model_is_called_by_a_name_that_is_unambiguous(
    upstream: FakeUpstream, name: str, status: int, wanted: str
) -> None:
    async with serving(*two(upstream)) as router:
        reply = await router.chat(name)
        assert reply.status == status
        assert wanted == (reply.headers["x-fairlead-model"] if status == 200 else reply.error_code)
        if status == 409:
            assert "acme/small, zenith/small" in reply.json["error"]["message"]


async def test_listed_ids_can_be_called_and_belong_to_who_offers_them(upstream: FakeUpstream) -> None:
    shared = provider(upstream.url, "acme", namespace="platform", visible_from="All")
    async with serving(shared, provider(upstream.url, "zenith")) as router:
        listed = (await router.request("GET", "/v1/models")).json["data"]
        assert {(each["id"], each["owned_by"]) for each in listed} == {
            ("acme/small", "acme"),
            ("zenith/small", "zenith"),
        }
        for each in listed:
            reply = await router.chat(each["id"])
            assert reply.headers["x-fairlead-model"].split("/", 1)[1] == each["id"]


async def test_auto_without_a_policy_is_503_and_says_how_to_find_out(upstream: FakeUpstream) -> None:
    async with serving(provider(upstream.url)) as router:
        reply = await router.chat()
        assert (reply.status, reply.error_code) == (503, "no_policy")
        assert "/api/routing/test" in reply.json["error"]["message"]


REMOVED: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any], str]] = [
    # name, provider, policy, request, who removed it
    ("withheld", {"withheld": "SecretNotFound"}, {}, {}, "Provider"),
    ("inactive", {"models": [model(state="Inactive")]}, {}, {}, "ModelState"),
    ("no chat model", {"models": [model(type="Embedding")]}, {}, {}, "RequestType"),
    ("no vision", {"models": [model(capabilities=("Tools",))]}, {}, {"messages": VISION}, "Capability"),
    ("no tools", {"models": [model(capabilities=("Vision",))]}, {}, {"tools": TOOLS}, "Capability"),
    ("undeclared capability", {}, {"constraints": Constraints(required_capabilities=("Vision",))}, {}, "Capability"),
    ("compliance", {}, {"constraints": Constraints(compliance=("GDPR",))}, {}, "Compliance"),
    ("region", {}, {"constraints": Constraints(regions=("eu",))}, {}, "Region"),
    ("context", {"models": [model(context_window_tokens=1)]}, {}, {}, "ContextWindow"),
]


@pytest.mark.parametrize(("offered", "ruled", "asked", "by"), [c[1:] for c in REMOVED], ids=[c[0] for c in REMOVED])
async def test_a_model_that_may_not_serve_is_never_called(
    upstream: FakeUpstream,
    other: FakeUpstream,
    offered: dict[str, Any],
    ruled: dict[str, Any],
    asked: dict[str, Any],
    by: str,
) -> None:
    fine = model(capabilities=("Tools", "Vision"), compliance=("GDPR",))
    able = provider([endpoint(other.url, region="eu")], "zenith", models=[fine])
    unable = provider(upstream.url, **offered)
    alone = policy("acme/small", name="alone", models=("alone",), **ruled)
    async with serving(unable, able, policy("acme/small", "zenith/small", **ruled), alone) as router:
        record = await router.record(await router.chat(**asked))
        assert attempts(record) == [("zenith/small", "Succeeded", None)]
        assert record["candidates"][0]["removed"]["by"] == by
        reply = await router.chat("alone", **asked)
        assert (reply.status, reply.error_code) == {
            "ContextWindow": (400, "context_length_exceeded"),
            "RequestType": (400, "operation_not_supported"),
        }.get(by, (503, "no_candidate"))
        if not ruled:
            assert (await router.chat("acme/small", **asked)).status in {400, 503}
        assert upstream.received == []


async def test_regions_hold_for_every_endpoint_that_is_tried(upstream: FakeUpstream, other: FakeUpstream) -> None:
    places = [endpoint(upstream.url, "us", region="us", weight=1000), endpoint(other.url, "eu", region="eu", weight=1)]
    async with serving(provider(places), policy("acme/small", constraints=Constraints(regions=("eu",)))) as router:
        for _ in range(10):
            assert (await router.chat()).status == 200
        assert upstream.received == []


async def test_allowed_models_bind_direct_calls_and_policies(upstream: FakeUpstream) -> None:
    limits = workspace("strict", allowed=["zenith/small"])
    fragments = [*two(upstream), policy("acme/small", "zenith/small", name="both", models=("both",)), limits]
    async with serving(*fragments) as router:
        strict = {"x-fairlead-workspace": "strict"}
        assert (await router.chat("zenith/small", headers=strict)).status == 200
        for name in ("acme/small", "auto", "large"):
            reply = await router.chat(name, headers=strict)
            assert (reply.status, reply.error_code) == (503, "no_candidate"), name
        assert (await router.chat("both", headers=strict)).headers["x-fairlead-model"] == "team/zenith/small"
        listed = (await router.request("GET", "/v1/models", headers=strict)).json["data"]
        assert [each["id"] for each in listed if each["id"] != "auto"] == ["zenith/small"]
        assert (await router.chat("acme/small")).status == 200


async def test_a_workspace_sees_its_own_namespace_and_what_is_shared(upstream: FakeUpstream) -> None:
    fragments = [
        provider(upstream.url, "mine", namespace="a", models=["private"]),
        provider(upstream.url, "open", namespace="platform", models=["shared"], visible_from="All"),
        provider(
            upstream.url, "some", namespace="c", models=["lent"], visible_from="Selector", visible_namespaces=("a",)
        ),
        policy(namespace="a", name="own", models=("mine",)),
        tenancy({"wa": "a", "wb": "b"}, default=None),
    ]
    visible = {"wa": {"private", "shared", "lent"}, "wb": {"shared"}, "nobody": {"shared"}}
    async with serving(*fragments) as router:
        for name, wanted in visible.items():
            said = {"x-fairlead-workspace": name}
            listed = (await router.request("GET", "/v1/models", headers=said)).json["data"]
            assert {each["id"] for each in listed} == wanted
            for asked in ("private", "a/mine/private", "lent", "shared"):
                status = (await router.chat(asked, headers=said)).status
                assert status == (200 if asked.rpartition("/")[2] in wanted else 404), (name, asked)
        assert (await router.chat("mine", headers={"x-fairlead-workspace": "wa"})).error_code == "no_candidate"
        assert (await router.chat("mine", headers={"x-fairlead-workspace": "wb"})).error_code == "model_not_found"


async def test_conditions_choose_among_policies_in_their_order(upstream: FakeUpstream) -> None:
    match = {
        "header": Match(headers=(HeaderMatch("x-team", exact="red"),)),
        "agent": Match(agent_types=("coder",)),
        "long": Match(min_characters=100),
    }
    policies = [policy("acme/small", name=name, priority=5, match=each) for name, each in match.items()]
    override = policy("acme/small", name="z", platform=True, precedence="Override", match=Match(workspaces=("held",)))
    async with serving(provider(upstream.url), policy("acme/small"), override, *policies) as router:
        long = [{"role": "user", "content": "x" * 100}]
        for wanted, asked in {
            "route": {},
            "header": {"headers": {"X-Team": "red"}},
            "agent": {"headers": {"X-Fairlead-Agent-Type": "coder"}},
            "long": {"messages": long},
            "z": {"headers": {"X-Fairlead-Workspace": "held", "X-Team": "red"}},
        }.items():
            reply = await router.chat(**asked)  # type: ignore[arg-type]
            assert reply.headers["x-fairlead-policy"] == f"team/{wanted}"


async def test_weights_are_kept_on_the_whole(upstream: FakeUpstream) -> None:
    weighted = policy(target("acme/a", 80), target("acme/b", 20), target("acme/c", 0), strategy="Weighted")
    async with serving(provider(upstream.url, models=["a", "b", "c"]), weighted) as router:
        used = Counter([(await router.chat()).headers["x-fairlead-model"] for _ in range(300)])
        # Draws differ between runs: the bounds are five standard deviations wide.
        assert 205 < used["team/acme/a"] < 275
        assert used["team/acme/c"] == 0


async def test_a_canary_takes_its_share_of_users_and_keeps_them(upstream: FakeUpstream) -> None:
    canary = Canary(model=ref("acme/new"), weight_percent=30, unit="User", spec_hash="h1")
    fragments = provider(upstream.url, models=["old", "new"]), policy("acme/old", canary=canary)
    async with serving(*fragments) as router:
        seen: dict[str, str] = {}
        for user in [f"user-{number}" for number in range(60)] * 2:
            reply = await router.chat(headers={"x-fairlead-user": user})
            assert seen.setdefault(user, reply.headers["x-fairlead-model"]) == reply.headers["x-fairlead-model"]
        # The draw key and the users are fixed, and so is this number.
        assert 9 <= Counter(seen.values())["team/acme/new"] <= 27
        record = await router.newest_record()
        assert record["canary"]["weightPercent"] == 30
        assert record["draws"][0]["unit"] == "User"
    async with serving(*fragments) as again:
        for user, chosen in seen.items():
            assert (await again.chat(headers={"x-fairlead-user": user})).headers["x-fairlead-model"] == chosen


async def test_affinity_keeps_a_session_on_the_model_that_served_it(upstream: FakeUpstream) -> None:
    weighted = policy(
        target("acme/a", 50), target("acme/b", 50), strategy="Weighted", affinity=Affinity(unit="Session")
    )
    async with serving(provider(upstream.url, models=["a", "b"]), weighted) as router:
        for session in range(10):
            said = {"x-fairlead-session": f"s{session}"}
            used = [(await router.chat(headers=said)).headers["x-fairlead-model"] for _ in range(6)]
            assert len(set(used)) == 1
        record = await router.newest_record()
        assert record["affinity"] == used[0]
        without = {(await router.chat()).headers["x-fairlead-model"] for _ in range(40)}
        assert without == {"team/acme/a", "team/acme/b"}
