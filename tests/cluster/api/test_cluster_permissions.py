"""What the ServiceAccounts of operator and router may do: all they need, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from devcluster.control_plane import ControlPlane
from devcluster.installation import SYSTEM
from fairlead_crds.kinds import KINDS
from fairlead_kube.access import KubeAccess
from fairlead_kube.client import APPLY, KubeClient
from fairlead_kube.errors import KubeError
from tests.cluster.api.api_requests import administrator, collection, placed
from tests.crds.crd_objects import SMALL, Object

Grant = tuple[str, str, str, str]
"""Verb, group, resource, name; an empty name is any."""

PLURALS = sorted(kind.plural for kind in KINDS.values())
EVERYONE = {
    ("create", group, resource, "")
    for group, resource in (
        ("authentication.k8s.io", "selfsubjectreviews"),
        ("authorization.k8s.io", "selfsubjectaccessreviews"),
        ("authorization.k8s.io", "selfsubjectrulesreviews"),
    )
}


def _grants(verbs: Iterable[str], group: str, *resources: str, name: str = "") -> set[Grant]:
    return {(verb, group, resource, name) for verb in verbs for resource in resources}


READ = ("get", "list", "watch")
OPERATOR_ANYWHERE = (
    _grants(("list", "watch"), "fairlead.dev", *PLURALS)
    | _grants(("patch",), "fairlead.dev", *(f"{plural}/status" for plural in PLURALS))
    | _grants(("list", "watch"), "", "namespaces", "secrets")
    | _grants(("create", "patch"), "events.k8s.io", "events")
)
OPERATOR_AT_HOME = (
    OPERATOR_ANYWHERE
    | _grants(("create",), "", "configmaps", "secrets")
    | _grants(("get", "patch"), "", "configmaps", name="fairlead-snapshot")
    | _grants(("get", "patch"), "", "secrets", name="fairlead-credentials")
    | _grants(("create",), "coordination.k8s.io", "leases")
    | _grants(("get", "update"), "coordination.k8s.io", "leases", name="fairlead-operator")
    | _grants(("list",), "discovery.k8s.io", "endpointslices")
)
ROUTER_AT_HOME = _grants(READ, "", "configmaps", name="fairlead-snapshot") | _grants(
    READ, "", "secrets", name="fairlead-credentials"
)


async def _client(api: ControlPlane, account: str) -> KubeClient:
    return KubeClient(
        KubeAccess(api.url, api.ca_file, token=await api.token(SYSTEM, account)), user_agent=account, request_seconds=20
    )


@pytest.mark.parametrize(
    ("account", "namespace", "wanted"),
    [
        ("fairlead-operator", SYSTEM, OPERATOR_AT_HOME),
        ("fairlead-operator", "default", OPERATOR_ANYWHERE),
        ("fairlead-router", SYSTEM, ROUTER_AT_HOME),
        ("fairlead-router", "default", set()),
    ],
)
async def test_an_account_has_exactly_these_permissions(
    api: ControlPlane, account: str, namespace: str, wanted: set[Grant]
) -> None:
    question = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    async with await _client(api, account) as client:
        answer = await client.create("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", question)
    rules = answer["status"]["resourceRules"]
    assert not answer["status"]["incomplete"]
    granted = {
        (verb, group, resource, name)
        for rule in rules
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames") or ("",)
    }
    assert granted - EVERYONE == wanted


HOME = f"/api/v1/namespaces/{SYSTEM}"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases"
EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"
ONE = {"fieldSelector": "metadata.name=fairlead-snapshot"}
OTHER = {"fieldSelector": "metadata.name=kube-root-ca.crt"}


async def _status(client: KubeClient, method: str, path: str, query: dict[str, str], body: Any, content: str) -> int:
    async with asyncio.timeout(30):
        while True:
            try:
                await client.request(method, path, query, body, content)
            except KubeError as error:
                # The API server sets up the storage of a kind anew, as another test has just changed its CRD.
                if error.status != 429:
                    return error.status
                await asyncio.sleep(0.2)
            else:
                return 200


async def _answers(
    api: ControlPlane, account: str, requests: list[tuple[str, str, dict[str, str], Object | None]]
) -> dict[str, int]:
    """The status of each request; what would write is a dry run."""
    async with await _client(api, account) as client:
        said = {}
        for method, path, query, body in requests:
            writes = {} if method == "GET" else {"dryRun": "All"}
            patch = {"fieldManager": "test"} if method == "PATCH" else {}
            content = APPLY if method == "PATCH" else "application/json"
            text = " ".join((method, path, *query.values()))
            said[text] = await _status(client, method, path, {**query, **writes, **patch}, body, content)
        return said


def _named(kind: str, version: str, name: str, namespace: str = SYSTEM, **content: Any) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, **content}


async def test_the_operator_can_do_its_work(api: ControlPlane) -> None:
    async with administrator(api) as admin:
        await admin.create(collection("ModelProvider"), placed(SMALL["ModelProvider"], "permitted"))
        try:
            provider = f"{collection('ModelProvider')}/permitted"
            status = _named("ModelProvider", "fairlead.dev/v1alpha1", "permitted", "default", status={})
            snapshot = _named("ConfigMap", "v1", "fairlead-snapshot")
            credentials = _named("Secret", "v1", "fairlead-credentials")
            said = await _answers(
                api,
                "fairlead-operator",
                [
                    *(("GET", f"/apis/fairlead.dev/v1alpha1/{plural}", {}, None) for plural in PLURALS),
                    ("GET", "/api/v1/namespaces", {}, None),
                    ("GET", "/api/v1/secrets", {"labelSelector": "fairlead.dev/credentials"}, None),
                    ("PATCH", f"{provider}/status", {"force": "true"}, status),
                    ("PATCH", f"{HOME}/configmaps/fairlead-snapshot", {"force": "true"}, snapshot),
                    ("PATCH", f"{HOME}/secrets/fairlead-credentials", {"force": "true"}, credentials),
                    ("POST", LEASES, {}, _named("Lease", "coordination.k8s.io/v1", "fairlead-operator")),
                    ("GET", f"/apis/discovery.k8s.io/v1/namespaces/{SYSTEM}/endpointslices", {}, None),
                ],
            )
        finally:
            await admin.request("DELETE", f"{collection('ModelProvider')}/permitted")
    assert {text: status for text, status in said.items() if status != 200} == {}


async def test_the_operator_can_do_nothing_else(api: ControlPlane) -> None:
    provider = f"{collection('ModelProvider')}/permitted"
    spec = _named("ModelProvider", "fairlead.dev/v1alpha1", "permitted", "default", spec=SMALL["ModelProvider"]["spec"])
    said = await _answers(
        api,
        "fairlead-operator",
        [
            ("PATCH", provider, {}, spec),
            ("POST", collection("ModelProvider"), {}, spec),
            ("DELETE", provider, {}, None),
            ("GET", "/api/v1/pods", {}, None),
            ("GET", f"{HOME}/pods", {}, None),
            ("GET", "/api/v1/configmaps", {}, None),
            ("GET", f"{HOME}/configmaps/kube-root-ca.crt", {}, None),
            ("PATCH", f"{HOME}/configmaps/kube-root-ca.crt", {}, _named("ConfigMap", "v1", "kube-root-ca.crt")),
            ("PATCH", f"{HOME}/secrets/other", {}, _named("Secret", "v1", "other")),
            ("POST", "/api/v1/namespaces/default/secrets", {}, _named("Secret", "v1", "other", "default")),
            ("GET", "/api/v1/namespaces/default/secrets/any", {}, None),
            ("GET", f"{LEASES}/another", {}, None),
            ("DELETE", f"{HOME}/configmaps/fairlead-snapshot", {}, None),
            ("GET", EVENTS, {}, None),
            ("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {}, None),
        ],
    )
    assert {text: status for text, status in said.items() if status != 403} == {}


async def test_a_router_reads_what_is_published_and_nothing_else(api: ControlPlane) -> None:
    credentials = {"fieldSelector": "metadata.name=fairlead-credentials"}
    may = await _answers(
        api,
        "fairlead-router",
        [("GET", f"{HOME}/configmaps", ONE, None), ("GET", f"{HOME}/secrets", credentials, None)],
    )
    assert set(may.values()) == {200}
    may_not = await _answers(
        api,
        "fairlead-router",
        [
            ("GET", f"{HOME}/secrets", {}, None),
            ("GET", f"{HOME}/configmaps", {}, None),
            ("GET", f"{HOME}/configmaps", OTHER, None),
            ("GET", f"{HOME}/configmaps/kube-root-ca.crt", {}, None),
            ("GET", "/api/v1/secrets", credentials, None),
            ("GET", "/api/v1/namespaces/default/configmaps", ONE, None),
            ("GET", "/api/v1/namespaces", {}, None),
            *(("GET", f"/apis/fairlead.dev/v1alpha1/{plural}", {}, None) for plural in PLURALS),
            ("PATCH", f"{HOME}/configmaps/fairlead-snapshot", {}, _named("ConfigMap", "v1", "fairlead-snapshot")),
            ("POST", f"{HOME}/configmaps", {}, _named("ConfigMap", "v1", "more")),
            ("GET", LEASES, {}, None),
        ],
    )
    assert {text: status for text, status in may_not.items() if status != 403} == {}
