"""``/classify`` and ``/info``: the words of the classification document, ours after them, and refusals that name the fault."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import msgspec
import pytest

from fairlead_contract.decision import Classification
from fairlead_router.classify.remote import MEDIA_TYPE
from fairlead_router.http.classification import classify_all
from tests.router_e2e.harness import Harness, Reply, serving

POEM = "Create a beautiful poem about nature"
DOCUMENT = {
    "primary_use_case",
    "complexity_score",
    "creativity_score",
    "domain_confidence",
    "classification_method",
    "ml_confidence",
    "difficulty",
}
OURS = {
    "language",
    "contains_code",
    "needs_reasoning",
    "conformal_set",
    "probabilities",
    "evidence",
    "fallback",
    "bundle",
    "cached",
    "ms",
}


async def classify(router: Harness, body: Any, **headers: str) -> Reply:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await router.request("POST", "/classify", data=data, headers=headers)


async def test_a_prompt_is_classified_in_the_words_of_the_document() -> None:
    async with serving(classifier="off") as router:
        reply = await classify(router, {"prompt": POEM})
        assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json")
        said = reply.json
        assert said.keys() == DOCUMENT | OURS
        assert (said["primary_use_case"], said["classification_method"]) == ("creative_writing", "rule-based")
        assert (said["ml_confidence"], said["probabilities"], said["bundle"]) == (None, {}, None)
        assert said["difficulty"] in {"easy", "medium", "hard"}
        for score in ("complexity_score", "creativity_score", "domain_confidence"):
            assert 0 <= said[score] <= 1
        assert said["evidence"]


async def test_several_prompts_get_a_list_in_their_order() -> None:
    prompts = [POEM, "```python\nimport os\n```", POEM]
    async with serving(classifier="off") as router:
        listed = (await classify(router, {"prompts": prompts})).json
        assert [each["primary_use_case"] for each in listed] == ["creative_writing", "coding", "creative_writing"]


async def test_many_prompts_leave_the_loop_to_others_between_any_two_of_them() -> None:
    async with serving(classifier="off") as router:
        asked = asyncio.create_task(classify_all(router.running.context.classifier, [POEM] * 64, 1.0))
        turns = 0
        while not asked.done():
            turns += 1
            await asyncio.sleep(0)
        assert {each.category for each in await asked} == {"creative_writing"}
        assert turns >= 64


async def test_a_router_elsewhere_gets_the_contract_s_own_form() -> None:
    async with serving(classifier="off") as router:
        reply = await classify(router, {"prompt": POEM}, Accept=f"{MEDIA_TYPE}, */*")
        assert reply.headers["Content-Type"].startswith(MEDIA_TYPE)
        said = msgspec.json.decode(reply.body, type=Classification)
        assert said.category == "creative_writing"


@pytest.mark.parametrize(
    "text",
    ["", " \t\n", "\0", "\ud800", "🦜" * 50, "a" * 100_000, "שלום", "(" * 5000],
    ids=lambda text: ascii(text[:4]),
)
async def test_every_text_is_classified(text: str) -> None:
    async with serving(classifier="off") as router:
        body = json.dumps({"prompt": text}, ensure_ascii="\ud800" not in text).encode("utf-8", "replace")
        reply = await classify(router, body)
        assert (reply.status, set(reply.json)) == (200, DOCUMENT | OURS)


REFUSED: list[tuple[str, bytes, int, str, str | None]] = [
    ("no JSON", b"prompt=hi", 400, "invalid_json", None),
    ("no object", b'["hi"]', 400, "invalid_request", None),
    ("nothing", b"", 400, "invalid_json", None),
    ("no prompt", b"{}", 400, "invalid_request", "prompt"),
    ("another type", b'{"prompt": 1}', 400, "invalid_request", "prompt"),
    ("both", b'{"prompt": "a", "prompts": ["a"]}', 400, "invalid_request", "prompt"),
    ("no prompts", b'{"prompts": []}', 400, "invalid_request", "prompts"),
    ("too many", json.dumps({"prompts": ["a"] * 65}).encode(), 400, "invalid_request", "prompts"),
    ("one of them is none", b'{"prompts": ["a", 1]}', 400, "invalid_request", "prompts[1]"),
    ("no deadline", b'{"prompt": "a", "deadline_ms": 0}', 400, "invalid_request", "deadline_ms"),
    ("an unknown field", b'{"prompt": "a", "promt": "b"}', 400, "invalid_request", None),
    ("too large", b'{"prompt": "' + b"a" * 2000 + b'"}', 413, "request_too_large", None),
]


@pytest.mark.parametrize(("body", "status", "code", "param"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED])
async def test_what_is_no_question_is_refused_by_name_and_never_quoted(
    body: bytes, status: int, code: str, param: str | None
) -> None:
    async with serving(classifier="off", max_body_bytes=1000) as router:
        reply = await classify(router, body)
        assert (reply.status, reply.error_code, reply.json["error"]["param"]) == (status, code, param)
        if code == "invalid_request" and param is None:
            assert "promt" in reply.json["error"]["message"] or "object" in reply.json["error"]["message"]


async def test_paths_take_their_method_and_say_so() -> None:
    async with serving(classifier="off") as router:
        for method, path, allowed in (
            ("GET", "/classify", "POST"),
            ("PUT", "/route", "POST"),
            ("DELETE", "/update", "POST"),
            ("POST", "/info", "GET"),
            ("POST", "/models/a/b", "GET"),
            ("PUT", "/metrics/models", "GET"),
            ("HEAD", "/status", "GET"),
        ):
            reply = await router.request(method, path)
            assert (reply.status, reply.headers["Allow"]) == (405, allowed), path


async def test_a_packed_body_and_an_expectation_are_understood() -> None:
    async with serving(classifier="off") as router:
        body = gzip.compress(json.dumps({"prompt": POEM}).encode())
        reply = await classify(router, body, **{"Content-Encoding": "gzip", "Expect": "100-continue"})
        assert reply.json["primary_use_case"] == "creative_writing"


async def test_it_classifies_before_there_is_a_configuration_and_gives_back_what_it_took() -> None:
    async with serving(classifier="off", max_concurrent_requests=1) as router:
        assert (await classify(router, {"prompt": POEM})).status == 200
        assert (await classify(router, b"{")).status == 400
        assert (await classify(router, {"prompt": POEM})).status == 200
        assert (router.in_flight, router.body_bytes) == (0, 0)


async def test_info_says_who_classifies() -> None:
    async with serving(classifier="off") as router:
        info = (await router.request("GET", "/info")).json
        assert info["version"] == router.running.context.version
        assert set(info["categories"]) >= {
            "coding",
            "creative_writing",
            "analysis",
            "math",
            "question",
            "chat",
            "general",
        }
        assert (info["ml_model_available"], info["ml_model"], info["state"]) == (False, None, "RulesOnly")
        assert info["classification_methods"] == ["rule-based"]
        assert info["thresholds"] == {"rules": 0.7, "learned": 0.8}
