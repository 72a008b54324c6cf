"""The fields of one kind that the snapshot alone tells."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from fairlead_crds.compile import Compilation, Previous, Settings
from fairlead_crds.compile.declared import ObjectKey
from fairlead_crds.kinds import KINDS
from fairlead_operator.status import summaries
from fairlead_operator.status.summary import MAX_NAMES
from tests.compile.objects import broken, budget, compiled, edited, experiment, model, policy, provider, ref
from tests.compile.worlds import World, worlds

TOO_SMALL = Settings(max_compressed_bytes=10)


def the_summary(result: Compilation, name: str, kind: str = "RoutingPolicy") -> dict[str, Any] | None:
    return summaries(result).get(ObjectKey(kind, "team-a", name))


def the_provider(result: Compilation, name: str = "openai") -> dict[str, Any] | None:
    return the_summary(result, name, "ModelProvider")


def test_a_provider_counts_its_models_and_the_policies_that_name_one() -> None:
    result = compiled(
        provider(models=[model("small"), model("large")]),
        provider("idle"),
        policy("both", targets=[ref(), ref(model="large")], match={"agentTypes": ["a"]}),
        policy("fallback", targets=[ref("idle")], fallbacks=[{"on": ["Error"], "modelRef": ref()}], priority=1),
        policy("canary", targets=[ref("idle")], canary={"modelRef": ref(), "weightPercent": 5}, priority=2),
    )
    assert the_provider(result) == {"modelCount": 2, "usedByPolicies": 3}
    assert the_provider(result, "idle") == {"modelCount": 1, "usedByPolicies": 2}


def test_a_provider_is_used_from_other_namespaces_too() -> None:
    shared = provider(namespace="team-a", allowedNamespaces={"from": "All"})
    result = compiled(shared, policy(namespace="team-b", targets=[ref(namespace="team-a")]))
    assert the_provider(result) == {"modelCount": 1, "usedByPolicies": 1}


def test_counts_are_of_what_is_in_force_not_of_what_is_written() -> None:
    first = compiled(provider(), policy())
    second = compiled(broken(provider(), models=[model(), model()]), edited(policy(), suspend=True), previous=first)
    assert the_provider(second) == {"modelCount": 1, "usedByPolicies": 0}


def test_what_is_not_in_force_has_no_summary() -> None:
    result = compiled(broken(provider()), edited(policy(canary={"modelRef": ref(), "weightPercent": 5}), suspend=True))
    assert summaries(result) == {}


def test_a_policy_names_who_keeps_all_requests_from_it_and_the_other_way_round() -> None:
    result = compiled(provider(), policy("above", priority=9), policy("b"), policy("a"))
    assert the_summary(result, "above") == {"effective": {"shadows": ["team-a/a", "team-a/b"]}}
    assert the_summary(result, "a") == {"effective": {"overriddenBy": ["team-a/above"]}}


def test_more_shadows_than_the_schema_holds_are_left_out() -> None:
    result = compiled(provider(), policy("above", priority=9), *[policy(f"p{number:02d}") for number in range(40)])
    found = the_summary(result, "above")
    assert found is not None
    assert found["effective"]["shadows"] == [f"team-a/p{number:02d}" for number in range(MAX_NAMES)]


def test_policies_that_do_not_meet_say_nothing_of_each_other() -> None:
    result = compiled(provider(), policy("a", match={"agentTypes": ["a"]}), policy("b", match={"agentTypes": ["b"]}))
    assert the_summary(result, "a") is None


def test_a_canary_has_the_share_it_was_given() -> None:
    result = compiled(provider(), policy(canary={"modelRef": ref(), "weightPercent": 5}))
    assert the_summary(result, "main") == {"canary": {"weightPercent": 5, "reason": "AsSpecified"}}


def test_a_canary_whose_model_is_missing_has_no_share_and_says_why() -> None:
    result = compiled(provider(), policy(canary={"modelRef": ref(model="gone"), "weightPercent": 5}))
    assert the_summary(result, "main") == {"canary": {"weightPercent": 0, "reason": "ModelNotFound"}}


def test_budgets_and_experiments_have_none_yet() -> None:
    arms = [{"modelRef": ref()}, {"modelRef": ref()}]
    result = compiled(provider(), budget("team-a"), experiment(arms=arms, match={}))
    assert {key.kind for key in summaries(result)} == {"ModelProvider"}


def test_while_a_snapshot_is_too_large_the_published_one_is_told_of() -> None:
    first = compiled(provider(), policy())
    later = [edited(provider(), models=[model(), model("large")]), policy()]
    assert the_provider(compiled(*later, previous=first)) == {"modelCount": 2, "usedByPolicies": 1}
    kept = compiled(*later, previous=first, settings=TOO_SMALL)
    assert the_provider(kept) == {"modelCount": 1, "usedByPolicies": 1}


@given(worlds())
def test_a_summary_fits_the_schema_and_survives_a_restart(world: World) -> None:
    first = compiled(*world.objects.values(), namespaces=world.namespaces, secrets=world.secrets)
    again = compiled(
        *world.objects.values(),
        namespaces=world.namespaces,
        secrets=world.secrets,
        previous=Previous.from_snapshot(first.snapshot),
    )
    found = summaries(first)
    assert summaries(again) == found
    for key, fields in found.items():
        KINDS[key.kind].status.model_validate(fields)
