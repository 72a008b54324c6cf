"""What would become of a request that is only asked about."""

from __future__ import annotations

import json
from typing import Any

import pytest
from multidict import CIMultiDict

from fairlead_contract.fragments import AnyFragment, Fallback, Match
from fairlead_router.errors import RouterError
from fairlead_router.explain.requests import Explanation, explain_request
from fairlead_router.identify.api_keys import ApiKey, ApiKeys
from fairlead_router.identify.identity import Identifier
from fairlead_router.pipeline import Pipeline
from tests.router.builders import (
    NO_CREDENTIALS,
    SaidClassifier,
    a_classification,
    a_model,
    a_pipeline,
    a_policy,
    a_provider,
    a_receiver,
    a_target,
    key,
    ref,
    sealed,
    tenancy,
)
from tests.router.identify.test_identify_identity import SECRET, digest

HI = [{"role": "user", "content": "hi"}]
PROVIDER = a_provider(models=[a_model("small", context_window_tokens=50), a_model("large")])


async def pipeline_with(*fragments: AnyFragment, **rooms: Any) -> Pipeline:
    receiver = a_receiver()
    assert await receiver.offer(sealed(tenancy(), PROVIDER, *fragments), NO_CREDENTIALS, source="test")
    return a_pipeline(receiver, **rooms)


async def asked(pipeline: Pipeline, question: Any, **headers: str) -> Explanation:
    sent = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return await explain_request(pipeline, sent, json.dumps(question).encode())


TIERED = a_policy(targets=(a_target(),), match=Match(agent_types=("coder",), user_tiers=("premium",)))
SHORT = {"prompt": "hi", "agentType": "coder", "userTier": "premium", "workspaceId": "ws", "userId": "ann"}


async def test_the_short_form_of_the_question_states_the_facts_itself() -> None:
    explained = await asked(await pipeline_with(TIERED), SHORT)
    assert explained.error is None
    assert explained.decided_by is not None
    assert explained.plan == (key(),)
    assert explained.facts.workspace == "ws"
    assert explained.facts.user_hash not in {None, "ann"}
    assert explained.decision_id == "made-by-the-router"


@pytest.mark.parametrize(
    "question",
    [
        {"model": "auto", "messages": HI},
        {"request": {"model": "auto", "messages": HI}},
        {"prompt": "hi"},
        {"prompt": "hi", "model": "auto", "request": None},
    ],
)
async def test_a_whole_request_may_be_asked_about_in_every_form(question: Any) -> None:
    explained = await asked(await pipeline_with(a_policy(targets=(a_target(),))), question)
    assert (explained.plan, explained.facts.content_length_characters) == ((key(),), 2)


async def test_the_explanation_is_the_decision_that_a_request_of_that_id_would_get() -> None:
    targets = tuple(a_target(name, name) for name in ("small", "large"))
    pipeline = await pipeline_with(a_policy(targets=targets))
    explained = [await asked(pipeline, {"prompt": "hi", "decisionId": f"d-{number}"}) for number in range(40)]
    again = [await asked(pipeline, {"prompt": "hi", "decisionId": f"d-{number}"}) for number in range(40)]
    assert explained == again
    assert {each.plan[0] for each in explained} == {key("small"), key("large")}


@pytest.mark.parametrize(("model", "status", "code"), [("auto", 503, "no_policy"), ("unheard", 404, "model_not_found")])
async def test_what_nothing_decides_says_what_the_client_would_be_told(model: str, status: int, code: str) -> None:
    explained = await asked(await pipeline_with(TIERED), {"prompt": "hi", "model": model})
    assert explained.error is not None
    assert (explained.error["status"], explained.error["code"]) == (status, code)
    assert [each.decides for each in explained.policies] == [False]


async def test_a_model_called_by_name_needs_no_policy() -> None:
    explained = await asked(await pipeline_with(), {"prompt": "hi", "model": "large"})
    assert (explained.decided_by, explained.plan, explained.strategy) == (None, (key("large"),), "Direct")


LONG = {"prompt": "x" * 400}


async def test_a_request_that_fits_no_candidate_is_told_so_as_its_client_would_be() -> None:
    explained = await asked(await pipeline_with(a_policy(targets=(a_target(),))), LONG)
    assert explained.plan == ()
    assert explained.error is not None
    assert (explained.error["status"], explained.error["code"]) == (400, "context_length_exceeded")


async def test_a_fallback_that_takes_over_from_targets_that_are_removed_is_no_error() -> None:
    policy = a_policy(targets=(a_target(),), fallbacks=(Fallback(("ContextWindow",), ref("large")),))
    explained = await asked(await pipeline_with(policy), LONG)
    assert explained.plan == ()
    assert explained.fallbacks == ({"model": key("large"), "on": ["ContextWindow"]},)
    assert explained.error is None


async def test_a_question_cannot_borrow_what_its_credential_does_not_allow() -> None:
    keys = ApiKeys([ApiKey(name="ci", sha256=digest(SECRET), workspace="own", user_tier="free")])
    identifier = Identifier(keys, default_workspace="default", hash_key=b"k")
    pipeline = await pipeline_with(TIERED, identifier=identifier)
    question = SHORT | {"headers": {"Authorization": "Bearer another", "x-fairlead-agent-type": "coder"}}
    explained = await asked(pipeline, question, authorization=f"Bearer {SECRET}")
    facts = explained.facts
    assert (facts.subject, facts.workspace, facts.user_tier, facts.agent_type) == ("ci", "own", "free", None)
    with pytest.raises(RouterError) as raised:
        await asked(pipeline, SHORT | {"headers": {"Authorization": f"Bearer {SECRET}"}})
    assert raised.value.status == 401


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b'{"prompt":"\xff"}', "invalid_json"),
        (b"[" * 100_000, "invalid_request"),
        (b"[]", "invalid_request"),
        (b"{}", "invalid_request"),
        (b'{"prompt":7}', "invalid_request"),
        (b'{"headers":[]}', "invalid_request"),
        (b'{"prompt":"x","bogus":1}', "invalid_request"),
        (b'{"prompt":"x","requestType":"dance"}', "invalid_request"),
        (b'{"request":{"model":"auto","messages":[{"content":"x"}]},"prompt":"x"}', "invalid_request"),
    ],
)
async def test_what_is_no_question_is_refused(body: bytes, code: str) -> None:
    pipeline = await pipeline_with()
    with pytest.raises(RouterError) as raised:
        await explain_request(pipeline, CIMultiDict(), body)
    assert (raised.value.status, raised.value.code) == (400, code)


async def test_the_request_type_of_the_short_form_counts() -> None:
    explained = await asked(await pipeline_with(), SHORT | {"requestType": "embedding"})
    assert explained.facts.request_type == "Embedding"


async def test_before_any_snapshot_there_is_nothing_to_explain() -> None:
    with pytest.raises(RouterError) as raised:
        await asked(a_pipeline(a_receiver()), SHORT)
    assert raised.value.code == "not_ready"


async def test_who_has_a_key_is_shown_no_policies_of_other_tenants() -> None:
    keys = ApiKeys([ApiKey(name="ci", sha256=digest(SECRET), workspace="ws")])
    identifier = Identifier(keys, default_workspace="default", hash_key=b"k")
    policies = [
        a_policy("own", targets=(a_target(),)),
        a_policy("foreign", namespace="team-b", match=Match(workspaces=("secret-project",))),
        a_policy("common", namespace="platform", platform=True, precedence="Default"),
    ]
    pipeline = await pipeline_with(*policies, identifier=identifier)
    explained = await asked(pipeline, {"prompt": "hi"}, authorization=f"Bearer {SECRET}")
    assert [each.policy for each in explained.policies] == ["team-a/own", "platform/common"]
    anonymous = await asked(await pipeline_with(*policies), {"prompt": "hi"})
    assert len(anonymous.policies) == 3


async def test_an_explanation_shows_what_the_request_is_about_where_that_matters() -> None:
    classifier = SaidClassifier(said := a_classification(category="coding", language="en"))
    coding = a_policy("coding", priority=1, targets=(a_target(),), match=Match(categories=("coding",)))
    german = a_policy("german", priority=2, targets=(a_target(),), match=Match(languages=("de",)))
    pipeline = await pipeline_with(coding, german, a_policy(targets=(a_target(),)), classifier=classifier)
    explained = await asked(pipeline, {"prompt": "a function"})
    assert explained.classification == said
    assert classifier.asked == ["a function"]
    assert explained.decided_by is not None
    assert explained.decided_by.name == "coding"
    assert [(each.policy, each.reason) for each in explained.policies] == [
        ("team-a/german", "match.languages wants one of de, found en"),
        ("team-a/coding", "every condition holds, and no policy before it matched"),
        ("team-a/main", "every condition holds, but a policy before it decides"),
    ]


async def test_an_explanation_of_a_request_that_need_not_be_classified_says_so() -> None:
    classifier = SaidClassifier(a_classification())
    first = a_policy("first", priority=1, targets=(a_target(),))
    coding = a_policy("coding", targets=(a_target(),), match=Match(categories=("coding",)))
    explained = await asked(await pipeline_with(first, coding, classifier=classifier), {"prompt": "a function"})
    assert (explained.classification, classifier.asked) == (None, [])
    assert explained.policies[1].reason == (
        "match.categories wants one of coding, found nothing: the request was not classified, since no policy that could "
        "decide asks for it"
    )
