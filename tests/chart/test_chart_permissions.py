"""What each ServiceAccount of a release may do, as the API server sees it: just what ``permissions.yaml`` lists."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.control_plane import ControlPlane
from fairlead_kube.access import KubeAccess
from fairlead_kube.client import KubeClient
from fairlead_kube.errors import KubeError
from tests.chart.conftest import TEAMS
from tests.chart.helm import CHART, SYSTEM, Helm

LISTED: Mapping[str, Any] = yaml.safe_load(Path(__file__).with_name("permissions.yaml").read_text())
PLACES = {"home": SYSTEM, **{team: team for team in TEAMS}, "elsewhere": "kube-public"}

Grant = tuple[str, str, str, str]
"""Verb, group, resource, name; an empty name is any."""

pytestmark = pytest.mark.usefixtures("kinds")


@asynccontextmanager
async def _installed(helm: Helm, values: Mapping[str, Any]) -> AsyncIterator[None]:
    at = ("--namespace", SYSTEM)
    await helm.run("install", "fairlead", CHART, *at, values={**values, "crds": {"enabled": False}})
    try:
        yield
    finally:
        await helm.run("uninstall", "fairlead", *at)


@pytest.mark.parametrize("installation", LISTED)
async def test_every_account_may_do_what_is_listed_and_nothing_else(
    control_plane: ControlPlane, cluster_helm: Helm, installation: str
) -> None:
    accounts = LISTED[installation]["accounts"]
    async with _installed(cluster_helm, LISTED[installation]["values"]):
        found = await control_plane.kubectl("-n", SYSTEM, "get", "serviceaccounts", "-o", "name")
        assert {name.removeprefix("serviceaccount/") for name in found.split()} == set(accounts)
        async with await _client(control_plane, "kube-public", "default") as anybody:
            everyone = await _granted(anybody, "kube-public")
        for account, listed in accounts.items():
            anywhere = _grants(listed.get("elsewhere", ()))
            async with await _client(control_plane, SYSTEM, account) as client:
                found_at = {place: await _granted(client, namespace) - everyone for place, namespace in PLACES.items()}
            for place, granted in found_at.items():
                wanted = anywhere | _grants(listed.get(place, ()))
                assert granted - wanted == set(), f"{account} may do more in {PLACES[place]} than is listed"
                assert wanted - granted == set(), f"{account} may not do in {PLACES[place]} what is listed"


def _grants(rules: Iterable[Mapping[str, Any]]) -> set[Grant]:
    return {
        (verb, rule["group"], resource, rule.get("name", ""))
        for rule in rules
        for verb in rule["verbs"]
        for resource in rule["resources"]
    }


async def _granted(client: KubeClient, namespace: str) -> set[Grant]:
    """What it may do in the namespace, the rules of the cluster and paths that are no resources included."""
    question = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    answer = await client.create("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", question)
    status = answer["status"]
    assert not status["incomplete"]
    resources = {
        (verb, group, resource, name)
        for rule in status["resourceRules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames") or ("",)
    }
    paths = {
        (verb, "", path, "")
        for rule in status["nonResourceRules"]
        for verb in rule["verbs"]
        for path in rule["nonResourceURLs"]
    }
    return resources | paths


async def _client(control_plane: ControlPlane, namespace: str, account: str) -> KubeClient:
    """With a token such as a pod of that account has."""
    access = KubeAccess(control_plane.url, control_plane.ca_file, token=await control_plane.token(namespace, account))
    return KubeClient(access, user_agent=account, request_seconds=20)


_HOME = f"/api/v1/namespaces/{SYSTEM}"
_SNAPSHOT = {"fieldSelector": "metadata.name=fairlead-snapshot"}
_CREDENTIALS = {"fieldSelector": "metadata.name=fairlead-credentials"}
_OTHER = {"fieldSelector": "metadata.name=fairlead-router-keys"}
_KINDS = "/apis/fairlead.dev/v1alpha1"


_DOORS: list[tuple[str, str, dict[str, str], int]] = [
    ("fairlead-router", f"{_HOME}/configmaps", _SNAPSHOT, 200),
    ("fairlead-router", f"{_HOME}/secrets", _CREDENTIALS, 200),
    ("fairlead-router", f"{_HOME}/secrets", {}, 403),
    ("fairlead-router", f"{_HOME}/secrets", _OTHER, 403),
    ("fairlead-router", f"{_HOME}/secrets/fairlead-router-keys", {}, 403),
    ("fairlead-router", f"{_HOME}/configmaps", {}, 403),
    ("fairlead-router", f"{_HOME}/configmaps/kube-root-ca.crt", {}, 403),
    ("fairlead-router", "/api/v1/secrets", _CREDENTIALS, 403),
    ("fairlead-router", "/api/v1/namespaces/team-a/secrets", _CREDENTIALS, 403),
    ("fairlead-router", "/api/v1/namespaces", {}, 403),
    ("fairlead-router", f"{_KINDS}/modelproviders", {}, 403),
    ("fairlead-operator", f"{_KINDS}/modelproviders", {}, 200),
    ("fairlead-operator", "/api/v1/namespaces", {}, 200),
    ("fairlead-operator", f"{_HOME}/secrets", {}, 200),
    ("fairlead-operator", "/api/v1/namespaces/team-a/secrets", {}, 403),
    ("fairlead-operator", "/api/v1/secrets", {}, 403),
    ("fairlead-operator", f"{_HOME}/pods", {}, 403),
    ("fairlead-redis", f"{_HOME}/secrets/fairlead-redis", {}, 403),
    ("fairlead-simulated", f"{_KINDS}/modelproviders", {}, 403),
]


async def test_a_token_opens_the_doors_it_is_for_and_no_other(control_plane: ControlPlane, cluster_helm: Helm) -> None:
    said = {}
    async with _installed(cluster_helm, {"redis": {"enabled": True}, "simulatedProvider": {"enabled": True}}):
        for account in {account for account, *_ in _DOORS}:
            async with await _client(control_plane, SYSTEM, account) as client:
                for _, path, query, _ in [door for door in _DOORS if door[0] == account]:
                    said[account, path, *query.values()] = await _status(client, path, query)
    assert said == {(account, path, *query.values()): status for account, path, query, status in _DOORS}


async def _status(client: KubeClient, path: str, query: dict[str, str]) -> int:
    try:
        await client.request("GET", path, query)
    except KubeError as error:
        return error.status
    return 200
