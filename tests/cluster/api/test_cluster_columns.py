"""`kubectl get`: is it live, what does it do, and if not, why not."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from devcluster.control_plane import ControlPlane
from fairlead_crds.kinds import KINDS
from tests.cluster.api.api_requests import administrator, collection, placed, with_change
from tests.crds.crd_objects import FULL, SMALL, Object

MANAGER = "fairlead-operator-status"
SINCE = "2026-03-01T00:00:00Z"


def _condition(name: str, status: str, reason: str) -> Object:
    return {"type": name, "status": status, "reason": reason, "message": "words", "lastTransitionTime": SINCE}


READY = [_condition("Programmed", "True", "Programmed"), _condition("Ready", "True", "Ready")]
ILL = [*READY, _condition("Degraded", "True", "AllEndpointsUnhealthy")]
STALE = [_condition("Programmed", "False", "LastGoodInForce"), _condition("Ready", "False", "Invalid")]
POLICY: Object = with_change(
    SMALL["RoutingPolicy"],
    {"spec.canary": {"modelRef": SMALL["RoutingPolicy"]["spec"]["targets"][0]["modelRef"], "weightPercent": 20}},
)

WRITTEN: dict[str, tuple[Object, Object]] = {
    "live-provider": (SMALL["ModelProvider"], {"conditions": READY, "modelCount": 1, "usedByPolicies": 3}),
    "ill-provider": (SMALL["ModelProvider"], {"conditions": ILL, "modelCount": 1, "usedByPolicies": 0}),
    "live-policy": (POLICY, {"conditions": READY, "canary": {"weightPercent": 20, "reason": "AsSpecified"}}),
    "stale-policy": (
        SMALL["RoutingPolicy"],
        {"conditions": STALE, "effective": {"overriddenBy": ["default/live-policy"]}},
    ),
    "decided-test": (
        with_change(SMALL["ABTest"], {"spec.endTime": "2026-03-15T00:00:00Z"}),
        {"conditions": READY, "decision": "Won", "winner": "other"},
    ),
    "budget": (
        FULL["budget"],
        {"conditions": READY, "windows": [{"name": "Daily", "spentUSD": "1"}, {"name": "Monthly", "spentUSD": "7.5"}]},
    ),
}

LINES = {
    ("mprov", "live-provider"): (
        "NAME TYPE MODELS POLICIES DEGRADED READY REASON AGE",
        "live-provider OpenAI 1 3 True Ready <age>",
        "NAME TYPE MODELS POLICIES DEGRADED ENDPOINT PROGRAMMED READY REASON AGE",
        "live-provider OpenAI 1 3 https://api.openai.com/v1 Programmed True Ready <age>",
    ),
    ("mprov", "ill-provider"): (
        "NAME TYPE MODELS POLICIES DEGRADED READY REASON AGE",
        "ill-provider OpenAI 1 0 AllEndpointsUnhealthy True Ready <age>",
        "NAME TYPE MODELS POLICIES DEGRADED ENDPOINT PROGRAMMED READY REASON AGE",
        "ill-provider OpenAI 1 0 AllEndpointsUnhealthy https://api.openai.com/v1 Programmed True Ready <age>",
    ),
    ("rpol", "live-policy"): (
        "NAME STRATEGY PRIORITY TARGET CANARY READY REASON AGE",
        "live-policy Weighted 0 gpt-4-turbo 20 True Ready <age>",
        "NAME STRATEGY PRIORITY TARGET CANARY PRECEDENCE OVERRIDDENBY PROGRAMMED READY REASON AGE",
        "live-policy Weighted 0 gpt-4-turbo 20 Normal Programmed True Ready <age>",
    ),
    ("rpol", "stale-policy"): (
        "NAME STRATEGY PRIORITY TARGET CANARY READY REASON AGE",
        "stale-policy Weighted 0 gpt-4-turbo False Invalid <age>",
        "NAME STRATEGY PRIORITY TARGET CANARY PRECEDENCE OVERRIDDENBY PROGRAMMED READY REASON AGE",
        "stale-policy Weighted 0 gpt-4-turbo Normal default/live-policy LastGoodInForce False Invalid <age>",
    ),
    ("abt", "decided-test"): (
        "NAME POLICY DECISION WINNER READY REASON AGE",
        "decided-test creative Won other True Ready <age>",
        "NAME POLICY DECISION WINNER METRIC ENDS PROGRAMMED READY REASON AGE",
        "decided-test creative Won other Quality 2026-03-15T00:00:00Z Programmed True Ready <age>",
    ),
    ("wsb", "budget"): (
        "NAME WORKSPACE LIMIT/DAY LIMIT/WEEK LIMIT/MONTH SPENT/MONTH READY REASON AGE",
        "budget ws-marketing-001 100 500 2000 7.5 True Ready <age>",
        "NAME WORKSPACE LIMIT/DAY LIMIT/WEEK LIMIT/MONTH SPENT/MONTH ONEXCEEDED PROGRAMMED READY REASON AGE",
        "budget ws-marketing-001 100 500 2000 7.5 Downgrade Programmed True Ready <age>",
    ),
}


@pytest.fixture
async def written(api: ControlPlane) -> AsyncIterator[ControlPlane]:
    """One object of each kind, with the status that the operator would write."""
    async with administrator(api) as client:
        for name, (document, status) in WRITTEN.items():
            created = await client.create(collection(document["kind"]), placed(document, name))
            body: dict[str, Any] = {
                key: created[key] if key != "metadata" else {"name": name} for key in ("apiVersion", "kind", "metadata")
            }
            path = f"{collection(document['kind'])}/{name}/status"
            await client.apply(path, {**body, "status": status}, manager=MANAGER)
        yield api
        for name, (document, _) in WRITTEN.items():
            await client.request("DELETE", f"{collection(document['kind'])}/{name}")


def _lines(printed: str) -> list[str]:
    """Without the padding, and without the age, which passes."""
    return [re.sub(r" [0-9]+s$", " <age>", " ".join(line.split())) for line in printed.splitlines()]


async def test_the_columns_tell_whether_it_is_live_and_what_it_does(written: ControlPlane) -> None:
    printed = {}
    for short_name, name in LINES:
        plain = await written.kubectl("get", short_name, name)
        wide = await written.kubectl("get", short_name, name, "-o", "wide")
        printed[short_name, name] = tuple(_lines(plain) + _lines(wide))
    assert printed == LINES


async def test_all_objects_of_ours_are_listed_by_their_category(written: ControlPlane) -> None:
    printed = await written.kubectl("get", "fairlead", "--all-namespaces", "--no-headers")
    named = {line.split()[1] for line in printed.splitlines()}
    assert named == {
        f"{KINDS[document['kind']].name.lower()}.fairlead.dev/{name}" for name, (document, _) in WRITTEN.items()
    }


async def test_objects_can_be_selected_by_what_they_do(written: ControlPlane) -> None:
    assert await written.kubectl("get", "mprov", "--field-selector", "spec.type=OpenAI", "-o", "name")
    assert not (await written.kubectl("get", "mprov", "--field-selector", "spec.type=Bedrock", "-o", "name")).strip()


async def test_an_object_that_nobody_has_looked_at_says_so(api: ControlPlane) -> None:
    async with administrator(api) as client:
        await client.create(collection("ModelProvider"), placed(SMALL["ModelProvider"], "unseen"))
        try:
            printed = _lines(await api.kubectl("get", "mprov", "unseen"))
        finally:
            await client.request("DELETE", f"{collection('ModelProvider')}/unseen")
    assert printed[1] == "unseen OpenAI Unknown Pending <age>"
