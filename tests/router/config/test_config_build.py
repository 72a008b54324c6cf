"""A table built from what the last one left over is the table built from nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from fairlead_contract.fragments import (
    AnyFragment,
    Canary,
    Endpoint,
    Fallback,
    Header,
    ModelRef,
    PolicyFragment,
    ProviderFragment,
    SecretKey,
    Simulated,
    Target,
    TenancyFragment,
    WorkspaceFragment,
)
from fairlead_contract.snapshot import Credential, Credentials, RejectReason, SnapshotRejected
from fairlead_router.config.build import Reusable, empty_table
from fairlead_router.config.table import Table
from tests.router.builders import (
    a_model,
    a_policy,
    a_provider,
    a_table,
    a_target,
    a_workspace,
    built,
    key,
    linked,
    ref,
    some_facts,
    tenancy,
)

NAMESPACES = ("team-a", "team-b")
VERSIONS = ("v1", "v2")


def secret(version: str = "v1", name: str = "keys") -> SecretKey:
    return SecretKey(name, "api", version)


def credentials(*versions: str, namespace: str = "team-a", value: str = "sk") -> Credentials:
    return Credentials(tuple(Credential(namespace, "keys", "api", each, f"{value}-{each}") for each in versions))


EVERY_CREDENTIAL = Credentials(
    tuple(Credential(namespace, "keys", "api", version, "x") for namespace in NAMESPACES for version in VERSIONS)
)
places = st.tuples(st.sampled_from(NAMESPACES), st.sampled_from(("one", "two")))
references = st.builds(lambda place, model: ModelRef(place[0], place[1], model), places, st.sampled_from(("a", "b")))


@st.composite
def providers(draw: st.DrawFn) -> ProviderFragment:
    namespace, name = draw(places)
    visible = draw(st.sampled_from(("Same", "All", "Selector")))
    return a_provider(
        name,
        [a_model(model) for model in draw(st.sets(st.sampled_from("ab"), min_size=1).map(sorted))],
        namespace=namespace,
        generation=draw(st.integers(1, 2)),
        credential=draw(st.none() | st.builds(secret, st.sampled_from(VERSIONS))),
        visible_from=visible,
        visible_namespaces=("team-b",) if visible == "Selector" else (),
        withheld=draw(st.none() | st.just("SecretNotFound")),
    )


@st.composite
def policies(draw: st.DrawFn) -> PolicyFragment:
    namespace, name = draw(places)
    unresolved = st.none() | st.just("NotAllowed")
    return a_policy(
        name,
        namespace=namespace,
        priority=draw(st.integers(0, 2)),
        precedence=draw(st.sampled_from(("Override", "Normal", "Default"))),
        targets=(Target("t", draw(references), unresolved=draw(unresolved)),),
        fallbacks=draw(st.just(()) | st.tuples(st.builds(Fallback, st.just(("Error",)), references))),
        canary=draw(st.none() | st.builds(Canary, references, st.just(5))),
    )


workspaces = st.builds(a_workspace, st.sampled_from(("ws", "other")), allowed_models=st.none() | st.just((ref(),)))
tenancies = st.builds(tenancy, st.none() | st.sampled_from(NAMESPACES))


@st.composite
def snapshots(draw: st.DrawFn) -> list[AnyFragment]:
    many: list[AnyFragment] = [
        *draw(st.lists(providers(), max_size=4, unique_by=lambda each: each.key)),
        *draw(st.lists(policies(), max_size=4, unique_by=lambda each: each.key)),
        *draw(st.lists(workspaces, max_size=2, unique_by=lambda each: each.key)),
    ]
    one: list[TenancyFragment] = draw(st.lists(tenancies, max_size=1))
    return [*many, *one]


def contents(table: Table) -> dict[str, Any]:
    """Everything in a table but its index, which has no equality; it is asked instead."""
    return {
        "policies": table.policies,
        "models": table.models,
        "order": list(table.models),
        "providers": table.providers,
        "workspaces": table.workspaces,
        "tenancy": table.tenancy,
        "everywhere": table.visible_everywhere,
        "from": table.visible_from,
        "decides": [table.index.matching(some_facts(namespace=each)) for each in (None, *NAMESPACES)],
    }


@settings(max_examples=60)
@given(st.lists(snapshots(), min_size=1, max_size=5))
def test_after_any_history_of_edits_the_table_is_the_one_built_from_nothing(history: list[list[AnyFragment]]) -> None:
    left_over = Reusable()
    for fragments in history:
        table, left_over = built(*fragments, credentials=EVERY_CREDENTIAL, previous=left_over)
        cold, _ = built(*fragments, credentials=EVERY_CREDENTIAL)
        assert contents(table) == contents(cold)


@given(snapshots())
def test_what_did_not_change_is_the_very_same_object(fragments: list[AnyFragment]) -> None:
    before, left_over = built(*fragments, credentials=EVERY_CREDENTIAL)
    after, _ = built(*fragments, credentials=EVERY_CREDENTIAL, previous=left_over)
    assert all(after.models[name] is entry for name, entry in before.models.items())
    assert all(after.providers[name] is entry for name, entry in before.providers.items())
    for one, other in zip(before.policies, after.policies, strict=True):
        assert one.fragment is other.fragment


WITH_SECRET = a_provider("one", credential=secret("v1"))
WITHOUT_SECRET = a_provider("two")
POLICY = a_policy(targets=(Target("t", ref(provider="two")),))


def test_a_new_value_of_a_secret_relinks_its_provider_and_nobody_else() -> None:
    before, left_over = built(WITH_SECRET, WITHOUT_SECRET, POLICY, credentials=credentials("v1"))
    changed = credentials("v1", value="new")
    after, _ = built(WITH_SECRET, WITHOUT_SECRET, POLICY, credentials=changed, previous=left_over)
    assert after.providers["team-a/one"].endpoints[0].headers["Authorization"] == "Bearer new-v1"
    assert before.providers["team-a/one"].endpoints[0].headers["Authorization"] == "Bearer sk-v1"
    assert after.providers["team-a/two"] is before.providers["team-a/two"]
    assert after.policies[0] is before.policies[0]


def test_a_credential_of_somebody_else_relinks_nobody() -> None:
    before, left_over = built(WITH_SECRET, credentials=credentials("v1"))
    more = Credentials((*credentials("v1").entries, *credentials("v1", namespace="team-b").entries))
    after, _ = built(WITH_SECRET, credentials=more, previous=left_over)
    assert after.providers["team-a/one"] is before.providers["team-a/one"]


def test_a_policy_is_linked_anew_when_a_model_it_names_changes() -> None:
    before, left_over = built(WITHOUT_SECRET, POLICY)
    edited = a_provider("two", [a_model(display_name="Small")])
    after, _ = built(edited, POLICY, previous=left_over)
    assert after.policies[0].targets[0].entry is after.models[key(provider="two")]
    assert before.policies[0].targets[0].entry is before.models[key(provider="two")]


@pytest.mark.parametrize("arrived", [Credentials(), credentials("v2"), credentials("v1", namespace="team-b")])
def test_a_route_waits_for_its_credential_in_the_very_version_it_names(arrived: Credentials) -> None:
    with pytest.raises(SnapshotRejected) as raised:
        built(WITH_SECRET, credentials=arrived)
    assert raised.value.reason is RejectReason.CREDENTIALS_PENDING
    assert raised.value.message == (
        "Secret team-a/keys key api has not arrived in version v1 for ModelProvider team-a/one"
    )


def test_a_credential_that_is_withdrawn_refuses_the_table_although_the_provider_is_unchanged() -> None:
    _, left_over = built(WITH_SECRET, credentials=credentials("v1"))
    with pytest.raises(SnapshotRejected):
        built(WITH_SECRET, credentials=Credentials(), previous=left_over)


def test_a_withheld_provider_needs_no_credential_and_has_no_endpoint() -> None:
    table = a_table(a_provider("one", credential=secret("v1"), withheld="SecretNotFound"))
    entry = table.providers["team-a/one"]
    assert (entry.endpoints, entry.fragment.withheld) == ((), "SecretNotFound")


def test_headers_of_an_endpoint_win_over_the_credential_and_may_be_secret_themselves() -> None:
    headers = (Header("authorization", value="Custom"), Header("x-key", secret=secret("v2")), Header("x-empty"))
    fragment = a_provider(credential=secret("v1"), endpoints=(Endpoint("e", "https://x.example/v1/", headers=headers),))
    endpoint = built(fragment, credentials=credentials("v1", "v2"))[0].providers["team-a/openai"].endpoints[0]
    assert endpoint.headers == CIMultiDict(
        {"Authorization": "Custom", "x-key": "sk-v2", "x-empty": "", "Content-Type": "application/json"}
    )
    assert "sk-" not in repr(endpoint)


@pytest.mark.parametrize("url", ["https://x.example/v1", "https://x.example/v1/", "https://x.example/v1//"])
def test_the_path_of_an_endpoint_is_a_folder_whether_or_not_it_ends_in_a_slash(url: str) -> None:
    endpoint = a_table(a_provider(endpoints=(Endpoint("e", url),))).providers["team-a/openai"].endpoints[0]
    assert str(endpoint.url) == "https://x.example/v1/"


def test_a_simulated_provider_has_an_endpoint_of_its_own() -> None:
    fragment = a_provider(type="Simulated", endpoints=(), simulated=Simulated())
    assert [each.name for each in a_table(fragment).providers["team-a/openai"].endpoints] == ["simulated"]


@pytest.mark.parametrize(
    ("unresolved", "model", "reason"),
    [(None, "small", None), (None, "gone", "ModelNotFound"), ("NotAllowed", "small", "NotAllowed")],
)
def test_a_target_is_linked_unless_its_reference_may_not_or_cannot_be_followed(
    unresolved: str | None, model: str, reason: str | None
) -> None:
    target = linked(a_policy(targets=(a_target(model=model, unresolved=unresolved),)), a_provider()).targets[0]
    assert (target.unresolved, target.entry is None) == (reason, reason is not None)


def test_policies_stand_in_the_order_in_which_they_are_consulted() -> None:
    named = {
        "default": a_policy("default", precedence="Default", priority=9),
        "low": a_policy("low", priority=1),
        "younger": a_policy("younger", priority=5, created_at=2),
        "older": a_policy("older", priority=5, created_at=1),
        "same-age": a_policy("same-age", priority=5, created_at=2, namespace="team-0"),
        "override": a_policy("override", precedence="Override", priority=-9),
    }
    table = a_table(*named.values())
    assert [policy.fragment.name for policy in table.policies] == [
        "override",
        "older",
        "same-age",
        "younger",
        "low",
        "default",
    ]


@pytest.mark.parametrize(
    ("namespace", "name", "found"),
    [
        ("team-a", "small", ["team-a/own/small", "team-b/shared/small"]),
        ("team-a", "own/small", ["team-a/own/small"]),
        ("team-a", "team-a/own/small", ["team-a/own/small"]),
        ("team-b", "own/small", []),
        ("team-b", "small", ["team-b/selected/small", "team-b/shared/small"]),
        ("team-c", "small", ["team-b/selected/small", "team-b/shared/small"]),
        (None, "small", ["team-b/shared/small"]),
        (None, "unheard", []),
    ],
)
def test_a_model_is_found_by_its_names_where_its_provider_is_visible(
    namespace: str | None, name: str, found: list[str]
) -> None:
    table = a_table(
        a_provider("own"),
        a_provider("shared", namespace="team-b", visible_from="All"),
        a_provider("selected", namespace="team-b", visible_from="Selector", visible_namespaces=("team-c",)),
    )
    assert sorted(entry.key for entry in table.models_named(namespace, name)) == found
    everything = {entry.key for entry in table.models_of(namespace)}
    assert everything.issuperset(found)


def test_an_empty_table_matches_nothing_and_knows_no_model() -> None:
    table = empty_table()
    assert table.index.first(some_facts()) is None
    assert table.models_of(None) == []
    assert table.tenancy.owner_of("ws") is None


def test_the_rules_of_a_workspace_are_found_by_its_name() -> None:
    rules: WorkspaceFragment = a_workspace("ws", allowed_models=(ref(),))
    assert a_table(rules, tenancy(ws="team-a")).workspaces == {"ws": rules}
