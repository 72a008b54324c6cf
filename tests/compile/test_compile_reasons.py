"""Every reason there is, with the smallest world that gives it."""

from __future__ import annotations

import pytest

from fairlead_crds.compile import Compilation, Reason, Settings
from tests.compile.objects import (
    annotated,
    broken,
    budget,
    compiled,
    experiment,
    model,
    namespace,
    policy,
    provider,
    ref,
    secret,
)

CREDENTIALS = {"secretRef": {"name": "keys", "key": "key"}}
LOCKED = provider(credentials=CREDENTIALS)
ARMS = [{"modelRef": ref()}, {"policyRef": {"name": "main"}}]

CASES: dict[Reason, Compilation] = {
    Reason.INVALID: compiled(broken(provider())),
    Reason.NOT_IMPLEMENTED: compiled(policy(strategy="Pareto")),
    Reason.CONFLICT: compiled(budget("team-a"), budget("team-a", "second")),
    Reason.NOT_PERMITTED: compiled(budget("ws")),
    Reason.ADDRESS_NOT_ALLOWED: compiled(provider(url="http://169.254.169.254/")),
    Reason.PROVIDER_NOT_FOUND: compiled(policy()),
    Reason.MODEL_NOT_FOUND: compiled(provider(models=[model("other")]), policy()),
    Reason.POLICY_NOT_FOUND: compiled(provider(), experiment(arms=ARMS, policyRef={"name": "gone"})),
    Reason.REFERENCE_NOT_PERMITTED: compiled(provider(namespace="b"), policy(targets=[ref(namespace="b")])),
    Reason.SECRET_NOT_FOUND: compiled(LOCKED),
    Reason.SECRET_KEY_NOT_FOUND: compiled(LOCKED, secrets=[secret(keys={})]),
    Reason.SECRET_NOT_LABELLED: compiled(LOCKED, secrets=[secret(labels={})]),
    Reason.HOST_NOT_ALLOWED: compiled(LOCKED, secrets=[secret(hosts="other.example")]),
    Reason.PROVIDER_UNAVAILABLE: compiled(LOCKED, policy()),
    Reason.MODEL_INACTIVE: compiled(provider(models=[model(state="Inactive")]), policy()),
    Reason.MODEL_DEPRECATED: compiled(provider(models=[model(state="Deprecated")]), policy()),
    Reason.WORKSPACE_NOT_CLAIMED: compiled(
        provider(), policy(match={"workspaces": ["ws"]}), namespaces=[namespace("team-b", workspaces="ws")]
    ),
    Reason.NO_CANDIDATE: compiled(provider(), policy(constraints={"compliance": ["GDPR"]})),
    Reason.SHADOWED: compiled(provider(), policy("a"), policy("b")),
    Reason.CYCLE: compiled(provider(), policy(), experiment(arms=ARMS, policyRef={"name": "main"})),
    Reason.FORBIDDEN_ARM: compiled(
        provider(), budget("team-a", compliance=["GDPR"]), policy(), experiment(arms=ARMS, policyRef={"name": "main"})
    ),
    Reason.AMBIGUOUS_MODEL_NAME: compiled(provider("a"), provider("b")),
    Reason.UNKNOWN_PRICE: compiled(provider(models=[{"name": "free"}])),
    Reason.CREDENTIAL_IN_CLEAR: compiled(provider(url="http://api.example.com", credentials=CREDENTIALS)),
    Reason.DUPLICATE: compiled(provider(uid="a"), provider(uid="b")),
    Reason.SNAPSHOT_TOO_LARGE: compiled(provider(), settings=Settings(max_compressed_bytes=10)),
    Reason.PAUSED: compiled(annotated(provider(), "fairlead.dev/paused", "true")),
}
WARNINGS = {
    Reason.PROVIDER_UNAVAILABLE,
    Reason.MODEL_INACTIVE,
    Reason.MODEL_DEPRECATED,
    Reason.NO_CANDIDATE,
    Reason.SHADOWED,
    Reason.AMBIGUOUS_MODEL_NAME,
    Reason.UNKNOWN_PRICE,
    Reason.CREDENTIAL_IN_CLEAR,
    Reason.PAUSED,
}


@pytest.mark.parametrize("reason", Reason)
def test_it_is_given_with_its_severity_and_a_remedy(reason: Reason) -> None:
    found = [item for item in CASES[reason].findings if item.reason is reason]
    assert found
    for item in found:
        assert (item.severity == "Warning") is (reason in WARNINGS)
        if reason not in (Reason.INVALID, Reason.MODEL_NOT_FOUND):
            assert any(mark in item.message for mark in (":", ";", "."))
