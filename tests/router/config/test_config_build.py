"""A table built from what the last one left over is the table built from nothing."""

from __future__ import annotations

from typing import Any

import msgspec
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
from fairlead_contract.snapshot import Credential, Credentials
from fairlead_router.config.build import Reusable, empty_table
from fairlead_router.config.table import PendingCredential, Table
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
        "pending": table.pending,
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


LATE = [Credentials(), credentials("v1"), credentials("v2", namespace="team-b")]
"""What may have arrived while version v2 of the key is awaited."""
AWAITED = PendingCredential("team-a/one", "keys", "api", "v2")
TO_ONE = a_policy(
    targets=(Target("t", ref(provider="one")),),
    fallbacks=(Fallback(("Error",), ref(provider="one")),),
    canary=Canary(ref(provider="one"), 5),
)


def rotated(**fields: Any) -> ProviderFragment:
    """``WITH_SECRET``, edited and with the next version of its key."""
    return msgspec.structs.replace(WITH_SECRET, **{"generation": 2, "credential": secret("v2"), **fields})


def reasons(table: Table) -> list[str | None]:
    """Why each reference of the one policy leads nowhere."""
    (policy,) = table.policies
    canary = policy.canary
    assert canary is not None
    linked_targets = [*policy.targets, *(each.target for each in policy.fallbacks), canary]
    assert all((target.entry is None) is (target.unresolved is not None) for target in linked_targets)
    return [target.unresolved for target in linked_targets]


@pytest.mark.parametrize("arrived", LATE)
def test_a_new_provider_whose_credential_is_late_is_not_in_force_and_nobody_else_waits(arrived: Credentials) -> None:
    table, left_over = built(rotated(), WITHOUT_SECRET, TO_ONE, credentials=arrived)
    assert table.pending == (AWAITED,)
    assert list(table.providers) == ["team-a/two"]
    assert list(table.models) == [key(provider="two")]
    assert table.models_named("team-a", "one/small") == ()
    assert reasons(table) == ["CredentialsPending"] * 3
    after, _ = built(rotated(), WITHOUT_SECRET, TO_ONE, credentials=credentials("v2"), previous=left_over)
    assert after.pending == ()
    assert reasons(after) == [None] * 3


@pytest.mark.parametrize("arrived", LATE)
def test_a_provider_whose_credential_is_late_stays_whole_as_it_was(arrived: Credentials) -> None:
    before, left_over = built(WITH_SECRET, TO_ONE, credentials=credentials("v1"))
    newer = rotated(
        models=(a_model("large"),), endpoints=(Endpoint("primary", "https://elsewhere.example/v1"),), type="Other"
    )
    new_model = a_policy("new", targets=(Target("t", ref("large", "one")),))
    after, left_over = built(newer, TO_ONE, new_model, credentials=arrived, previous=left_over)
    assert after.pending == (AWAITED,)
    assert after.providers["team-a/one"] is before.providers["team-a/one"]
    assert list(after.models) == [key(provider="one")]
    assert [target.unresolved for policy in after.policies for target in policy.targets] == [None, "CredentialsPending"]
    again, left_over = built(newer, TO_ONE, new_model, credentials=Credentials(), previous=left_over)
    assert again.providers["team-a/one"] is before.providers["team-a/one"]
    done, _ = built(newer, credentials=credentials("v2"), previous=left_over)
    assert contents(done) == contents(built(newer, credentials=credentials("v2"))[0])


def test_a_value_that_disappears_is_kept_until_another_comes() -> None:
    before, left_over = built(WITH_SECRET, credentials=credentials("v1"))
    without, left_over = built(WITH_SECRET, credentials=Credentials(), previous=left_over)
    assert without.providers["team-a/one"] is before.providers["team-a/one"]
    assert without.pending == (PendingCredential("team-a/one", "keys", "api", "v1"),)
    back, _ = built(WITH_SECRET, credentials=credentials("v1", value="new"), previous=left_over)
    assert back.providers["team-a/one"].endpoints[0].headers["Authorization"] == "Bearer new-v1"
    assert back.pending == ()


def test_a_provider_made_anew_does_not_inherit_the_key_of_its_namesake() -> None:
    _, left_over = built(WITH_SECRET, credentials=credentials("v1"))
    table, _ = built(rotated(uid="another"), TO_ONE, credentials=credentials("v1"), previous=left_over)
    assert table.providers == {}
    assert reasons(table) == ["CredentialsPending"] * 3


def test_withholding_a_provider_does_not_wait_for_any_credential() -> None:
    _, left_over = built(WITH_SECRET, credentials=credentials("v1"))
    table, _ = built(rotated(withheld="HostNotAllowed"), credentials=Credentials(), previous=left_over)
    assert table.pending == ()
    assert table.providers["team-a/one"].fragment.withheld == "HostNotAllowed"
    assert table.providers["team-a/one"].endpoints == ()


@pytest.mark.parametrize("visible", ["Same", "All", "Selector"])
@pytest.mark.parametrize("before", ["Same", "All", "Selector"])
def test_who_may_use_a_provider_does_not_wait_for_its_credential(before: str, visible: str) -> None:
    def seen(word: str, namespace: str) -> dict[str, Any]:
        return {"visible_from": word, "visible_namespaces": (namespace,) if word == "Selector" else ()}

    older = msgspec.structs.replace(WITH_SECRET, **seen(before, "team-b"))
    _, left_over = built(older, credentials=credentials("v1"))
    table, left_over = built(rotated(**seen(visible, "team-c")), previous=left_over)
    found = [place for place in ("team-a", "team-b", "team-c") if table.models_named(place, "small")]
    assert (
        found == {"Same": ["team-a"], "All": ["team-a", "team-b", "team-c"], "Selector": ["team-a", "team-c"]}[visible]
    )
    assert table.providers["team-a/one"].endpoints[0].headers["Authorization"] == "Bearer sk-v1"
    assert table.providers["team-a/one"].fragment.generation == 1
    again, _ = built(rotated(**seen(visible, "team-c")), previous=left_over)
    assert again.providers["team-a/one"] is table.providers["team-a/one"]


def test_where_a_key_may_be_sent_does_not_wait_for_its_next_version() -> None:
    def limited(version: str, *hosts: str) -> SecretKey:
        return SecretKey("keys", "api", version, hosts)

    left = Endpoint("left", "https://left.example/v1")
    right = Endpoint("right", "https://right.example/v1", headers=(Header("x-key", secret=secret("v1", "others")),))
    keys = (*credentials("v1").entries, Credential("team-a", "others", "api", "v1", "other"))
    _, running = built(
        msgspec.structs.replace(WITH_SECRET, endpoints=(left, right)), TO_ONE, credentials=Credentials(keys)
    )

    def names(**fields: Any) -> list[str] | None:
        table, again = built(rotated(**fields), TO_ONE, previous=running)
        twice, _ = built(rotated(**fields), TO_ONE, previous=again)
        assert twice.providers == table.providers
        if not table.providers:
            assert reasons(table) == ["CredentialsPending"] * 3
            return None
        provider = table.providers["team-a/one"]
        found = [endpoint.name for endpoint in provider.endpoints]
        assert [endpoint.name for endpoint in provider.fragment.endpoints] == found
        return found

    assert names() == ["left", "right"]
    assert names(credential=limited("v2", "left.example"), endpoints=(left,)) == ["left"]
    assert names(credential=limited("v2", "*.example"), endpoints=(left,)) == ["left", "right"]
    assert names(credential=limited("v2", "new.example")) is None
    header = Header("x-key", secret=SecretKey("others", "api", "v2", ("left.example",)))
    assert names(endpoints=(Endpoint("left", "https://left.example/v1", headers=(header,)),)) == ["left"]


def test_a_credential_awaited_in_several_places_is_named_once() -> None:
    twice = (Header("x-one", secret=secret("v2")), Header("x-two", secret=secret("v2", "others")))
    table, _ = built(rotated(endpoints=(Endpoint("e", "https://x.example/v1", headers=twice),)))
    assert [(item.secret, item.version) for item in table.pending] == [("keys", "v2"), ("others", "v2")]


@settings(max_examples=60)
@given(st.lists(st.tuples(snapshots(), st.sets(st.sampled_from(VERSIONS))), min_size=1, max_size=5))
def test_once_all_credentials_are_there_nothing_is_left_of_the_wait(
    history: list[tuple[list[AnyFragment], set[str]]],
) -> None:
    left_over = Reusable()
    for fragments, arrived in history:
        some = Credentials(tuple(each for each in EVERY_CREDENTIAL.entries if each.version in arrived))
        table, left_over = built(*fragments, credentials=some, previous=left_over)
        waiting = {item.provider for item in table.pending}
        for fragment in fragments:
            if isinstance(fragment, ProviderFragment) and fragment.key not in waiting:
                assert table.providers[fragment.key].fragment == fragment
    table, _ = built(*history[-1][0], credentials=EVERY_CREDENTIAL, previous=left_over)
    assert contents(table) == contents(built(*history[-1][0], credentials=EVERY_CREDENTIAL)[0])


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
    assert table.index.matching(some_facts()) == 0
    assert table.models_of(None) == []
    assert table.tenancy.owner_of("ws") is None


def test_the_rules_of_a_workspace_are_found_by_its_name() -> None:
    rules: WorkspaceFragment = a_workspace("ws", allowed_models=(ref(),))
    assert a_table(rules, tenancy(ws="team-a")).workspaces == {"ws": rules}
