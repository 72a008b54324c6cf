"""The pieces of the classifier's measurement: its texts, its requests, its service, its goals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from bench.classify.__main__ import report_latency
from bench.classify.inside import classified, make_service
from bench.classify.load import classify_requests
from bench.classify.servers import ask
from bench.classify.texts import sure_texts, unsure_texts
from bench.proxy.processes import free_port
from bench.report import Report
from fairlead_learning.hybrid import Thresholds, decided_by_rules
from fairlead_learning.rules import Rulebook, judge
from fairlead_learning.text.surface import surface
from fairlead_learning.verdict import LearnedVerdict

TOKENIZER = Path(__file__).parents[2] / "learning/fairlead_learning/default_bundle/encoder/tokenizer.json"


class _Counting:
    """A ``Learned`` that counts what it is asked."""

    labels = ("coding", "chat")
    digest = "d" * 64

    def __init__(self) -> None:
        self.asked = 0

    def classify(self, texts: Sequence[str]) -> list[LearnedVerdict]:
        self.asked += len(texts)
        return [LearnedVerdict((0.9, 0.1), ("coding",))] * len(texts)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    made = Tokenizer.from_file(str(TOKENIZER))
    made.no_truncation()
    made.no_padding()
    return made


def _sure(text: str) -> bool:
    return decided_by_rules(judge(Rulebook.default(), text, surface(text)), Thresholds())


@pytest.mark.parametrize("tokens", [24, 60])
def test_texts_have_the_tokens_they_should_and_leave_the_rules_unsure(tokenizer: Tokenizer, tokens: int) -> None:
    texts = unsure_texts(tokenizer, tokens, 20)
    assert len(set(texts)) == 20
    assert {len(tokenizer.encode(text, add_special_tokens=False).ids) for text in texts} == {tokens}
    assert not any(map(_sure, texts))


def test_too_many_texts_cannot_be_had(tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match="texts of 6000 tokens, 1 are needed"):
        unsure_texts(tokenizer, 6000, 1)


def test_texts_on_which_rules_decide_are_such() -> None:
    assert all(map(_sure, sure_texts(20)))


def test_requests_carry_one_text_after_another_and_begin_again() -> None:
    requests = classify_requests(5001, ["one", "zwölf"])
    sent = [next(requests) for _ in range(3)]
    assert sent[2] == sent[0]
    head, body = sent[1].data.split(b"\r\n\r\n")
    assert json.loads(body) == {"prompt": "zwölf"}
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")


@pytest.mark.parametrize(("ttl_seconds", "asked"), [(0.0, 3), (3600.0, 1)])
async def test_only_what_is_remembered_is_not_asked_again(tokenizer: Tokenizer, ttl_seconds: float, asked: int) -> None:
    learned = _Counting()
    service = make_service(learned, ttl_seconds=ttl_seconds)
    (text,) = unsure_texts(tokenizer, 24, 1)
    for _ in range(3):
        await classified(service, text)
    await service.close()
    assert learned.asked == asked


async def test_a_service_that_falls_back_is_not_measured(tokenizer: Tokenizer) -> None:
    service = make_service(_Counting(), ttl_seconds=0)
    service.learned = None
    with pytest.raises(RuntimeError, match="did not answer: EncoderAbsent"):
        await classified(service, unsure_texts(tokenizer, 24, 1)[0])
    await service.close()


def test_goals_are_met_at_their_bounds_and_ratios_are_beside_the_same_texts() -> None:
    report = Report("title")
    report_latency(report, {"rules": 0.2, "sure": 9.0, "24": 5.01, "60": 12.0}, {"24": 10.02, "60": 24.0})
    assert {row.name: row.met for row in report.rows if row.met is not None} == {
        "rules, 24 tokens, one core": True,
        "hybrid, 24 tokens, one core, uncached": False,
        "hybrid, 60 tokens, one core, uncached": True,
    }
    ratios = {row.name: row.value for row in report.rows if "/ hybrid" in row.name}
    assert ratios == {
        "sentence-transformers / hybrid, 24 tokens": pytest.approx(2.0),
        "sentence-transformers / hybrid, 60 tokens": pytest.approx(2.0),
    }


def test_without_sentence_transformers_the_rest_is_told() -> None:
    report = Report("title")
    report_latency(report, {"rules": 0.1, "sure": 0.1, "24": 4.0, "60": 9.0}, None)
    assert len(report.rows) == 4


def test_nobody_at_the_port_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match="refused"):
        ask(free_port(), "GET", "/info")
