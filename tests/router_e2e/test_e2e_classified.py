"""Routing by what a request is about, seen from outside."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from fairlead_contract.fragments import AnyFragment, Match
from tests.router.classify.classify_parts import HeldLearned
from tests.router_e2e.fake_upstream import FakeUpstream
from tests.router_e2e.harness import eventually, serving
from tests.router_e2e.world import policy, provider

CODE = "Write a Python function that sorts a list of dictionaries by a key."
VAGUE = "What about the other one"
"""Rules are sure of the first, and not of the second."""


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def fragments(upstream: FakeUpstream, **match: Any) -> list[AnyFragment]:
    """``coding`` goes to ``large``, all else to ``small``."""
    return [
        provider(upstream.url, models=["small", "large"]),
        policy("acme/large", name="coding", priority=1, match=Match(**({"categories": ("coding",)} | match))),
        policy("acme/small", name="rest"),
    ]


@pytest.mark.parametrize(("text", "wanted"), [(CODE, "large"), ("hello", "small")])
async def test_a_policy_matches_by_the_category_of_the_request(upstream: FakeUpstream, text: str, wanted: str) -> None:
    async with serving(*fragments(upstream), classifier="off") as router:
        reply = await router.chat("auto", messages=user(text))
        assert reply.headers["x-fairlead-model"] == f"team/acme/{wanted}"
        record = await router.record(reply.decision)
        said = record["classification"]
        assert (said["path"], "fallback" in said) == ("Rules", False)
        assert said["microseconds"] > 0
        assert text not in str(record)


async def test_who_learned_decides_what_the_rules_are_not_sure_of(upstream: FakeUpstream) -> None:
    async with serving(*fragments(upstream, categories=("math",)), classifier="off") as router:
        router.running.context.classifier.use_learned(HeldLearned())
        for cached in (False, True):
            reply = await router.chat("auto", messages=user(VAGUE))
            said = (await router.record(reply.decision))["classification"]
            assert reply.headers["x-fairlead-model"] == "team/acme/large"
            assert (said["path"], said["category"], said.get("cached", False)) == ("Learned", "math", cached)
            assert said["bundleDigest"] == "sha256:first"


async def test_a_classifier_that_takes_too_long_leaves_the_rules_and_says_so(upstream: FakeUpstream) -> None:
    settings = {"classifier": "off", "classifier_deadline_seconds": 0.02}
    async with serving(*fragments(upstream), **settings) as router:
        router.running.context.classifier.use_learned(learned := HeldLearned(held=True))
        reply = await router.chat("auto", messages=user(VAGUE))
        learned.let_go()
        assert reply.status == 200
        assert (await router.record(reply.decision))["classification"]["fallback"] == "DeadlineExceeded"


async def test_a_request_that_no_policy_need_classify_is_not_classified(upstream: FakeUpstream) -> None:
    async with serving(*fragments(upstream, models=("smart",)), classifier="off") as router:
        router.running.context.classifier.use_learned(learned := HeldLearned())
        reply = await router.chat("auto", messages=user(VAGUE))
        assert "classification" not in await router.record(reply.decision)
        assert learned.asked == []


async def test_a_bundle_that_is_not_there_is_a_named_state_once_a_policy_needs_it(
    upstream: FakeUpstream, tmp_path: Path
) -> None:
    async with serving(provider(upstream.url), policy("acme/small"), classifier_bundle=tmp_path / "none") as router:
        degraded = router.running.context.degraded
        assert "classifier" not in degraded
        await router.load(*fragments(upstream))
        await eventually(lambda: "classifier" in degraded, "the state is named")
        assert degraded["classifier"].startswith("EncoderAbsent: FAIRLEAD_CLASSIFIER_BUNDLE=")
        reply = await router.chat("auto", messages=user(VAGUE))
        assert reply.status == 200
        assert (await router.record(reply.decision))["classification"]["fallback"] == "EncoderAbsent"
        assert (await router.chat("auto", messages=user(CODE))).headers["x-fairlead-model"] == "team/acme/large"


async def test_rules_of_a_file_that_cannot_be_used_are_a_named_state_and_the_default_ones_judge(
    upstream: FakeUpstream, tmp_path: Path
) -> None:
    file = tmp_path / "rules.json"
    file.write_text("{")
    async with serving(*fragments(upstream), classifier="off", classifier_rules=file) as router:
        await eventually(lambda: "classifierRules" in router.running.context.degraded, "the state is named")
        reply = await router.chat("auto", messages=user(CODE))
        assert reply.headers["x-fairlead-model"] == "team/acme/large"


async def test_another_process_may_classify_and_while_it_is_away_the_rules_do(upstream: FakeUpstream) -> None:
    async with AsyncExitStack() as elsewhere:
        other = await elsewhere.enter_async_context(
            serving(provider(upstream.url), policy("acme/small"), classifier="off")
        )
        other.running.context.classifier.use_learned(HeldLearned())
        settings = {"classifier_url": other.url, "classifier_deadline_seconds": 5.0}
        async with serving(*fragments(upstream, categories=("math",)), **settings) as router:
            reply = await router.chat("auto", messages=user(VAGUE))
            assert reply.headers["x-fairlead-model"] == "team/acme/large"
            said = (await router.record(reply.decision))["classification"]
            assert (said["path"], said["bundleDigest"]) == ("Learned", "sha256:first")
            assert router.running.context.classifier.info().state == "Remote"

            await elsewhere.aclose()
            reply = await router.chat("auto", messages=user(VAGUE + " then"))
            assert (await router.record(reply.decision))["classification"]["fallback"] == "Failed"
            assert router.running.context.degraded["classifier"].startswith("ClassifierUnreachable: ")
