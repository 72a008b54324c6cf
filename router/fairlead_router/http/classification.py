"""``POST /classify`` and ``GET /info``: what a text is about, and who says so. Served by routers and by classifiers alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from aiohttp import web

from fairlead_contract.decision import Classification, ClassificationFallback, ClassificationPath
from fairlead_router.admit.limits import Admission
from fairlead_router.classify.info import ClassifierInfo, ClassifierState
from fairlead_router.classify.remote import MEDIA_TYPE
from fairlead_router.classify.service import ClassifierService
from fairlead_router.dialect.openai_request import decode
from fairlead_router.errors import RouterError, invalid_request
from fairlead_router.http.bodies import read_body
from fairlead_router.http.heads import check_head, expect
from fairlead_router.http.responses import JSON, error_response, json_response
from fairlead_router.identify.identity import Identifier

_LOAD_SECONDS = 3.0
"""How long ``GET /info`` waits for a learned classifier that nobody has needed before."""

MAX_PROMPTS = 64
_TOGETHER = 16
"""Of several prompts, how many may stand in line for the learned classifier at a time: requests that are to be routed come
between them, whose deadlines are short."""

DEADLINE_SECONDS = 1.0
"""Who asks here wants the learned answer, and has no other request waiting for it."""

Method = Literal["rule-based", "ml-based", "hybrid"]
_METHODS: dict[ClassificationPath, Method] = {
    ClassificationPath.RULES: "rule-based",
    ClassificationPath.LEARNED: "ml-based",
    ClassificationPath.AGREEMENT: "hybrid",
}


@dataclass(frozen=True, slots=True)
class Desk:
    """What the handlers need, be it of a router or of a classifier alone."""

    classifier: ClassifierService
    identifier: Identifier
    admission: Admission
    body_seconds: float
    version: str


_DESK = web.AppKey("desk", Desk)


class Classified(msgspec.Struct, frozen=True, kw_only=True):
    """A classification in the words of the classification document, and after them in ours."""

    primary_use_case: str
    complexity_score: float
    creativity_score: float
    domain_confidence: float
    """Calibrated probability that ``primary_use_case`` is right."""
    classification_method: Method
    ml_confidence: float | None
    """Of the learned classifier in its own first choice; ``None``: it was not asked, or did not answer."""
    difficulty: str
    """``easy``, ``medium`` or ``hard``."""
    language: str | None
    contains_code: bool
    needs_reasoning: bool
    conformal_set: tuple[str, ...]
    probabilities: dict[str, float]
    evidence: tuple[str, ...]
    fallback: ClassificationFallback | None
    bundle: str | None
    cached: bool
    ms: float

    @classmethod
    def of(cls, said: Classification) -> Classified:
        """``said`` in these words."""
        return cls(
            primary_use_case=said.category,
            complexity_score=round(said.complexity, 4),
            creativity_score=round(said.creativity, 4),
            domain_confidence=round(said.confidence, 4),
            classification_method=_METHODS[said.path],
            ml_confidence=round(max(said.probabilities.values()), 4) if said.probabilities else None,
            difficulty=said.difficulty.lower(),
            language=said.language,
            contains_code=said.contains_code,
            needs_reasoning=said.needs_reasoning,
            conformal_set=said.conformal_set,
            probabilities={name: round(value, 4) for name, value in said.probabilities.items()},
            evidence=said.evidence,
            fallback=said.fallback,
            bundle=said.bundle_digest,
            cached=said.cached,
            ms=said.microseconds / 1000,
        )


class _Question(msgspec.Struct, forbid_unknown_fields=True):
    prompt: str | None = None
    prompts: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MAX_PROMPTS)] | None = None
    deadline_ms: Annotated[float, msgspec.Meta(gt=0, le=60_000)] | None = None


_QUESTION = msgspec.json.Decoder(_Question)
_Shape = Callable[[Classification], object]


def serve_classification(app: web.Application, desk: Desk) -> None:
    """Add both paths to ``app``."""
    app[_DESK] = desk
    app.router.add_post("/classify", classify, expect_handler=expect)
    app.router.add_get("/info", info, allow_head=False)


async def classify(request: web.Request) -> web.Response:
    """``POST /classify``: one classification for a ``prompt``, a list of them for ``prompts``."""
    desk = request.app[_DESK]
    try:
        check_head(request.headers)
        desk.identifier.identify(request.headers)  # Nobody else's body is read.
        body = await read_body(request, desk.admission, seconds=desk.body_seconds)
        try:
            with desk.admission.place():
                question = _read(body)
                return await _answer(desk, question, request.headers.get("accept", ""))
        finally:
            desk.admission.buffers.give_back(len(body))
    except RouterError as error:
        return error_response(error)


async def info(request: web.Request) -> web.Response:
    """``GET /info``: what classifies here."""
    desk = request.app[_DESK]
    try:
        check_head(request.headers)
        desk.identifier.identify(request.headers)
    except RouterError as error:
        return error_response(error)
    await desk.classifier.wake(_LOAD_SECONDS)
    return json_response(described(desk.classifier.info(), desk.version))


def described(known: ClassifierInfo, version: str) -> dict[str, object]:
    """``known`` in the words of the classification document, and after them in ours."""
    available = known.state in {ClassifierState.READY, ClassifierState.REMOTE}
    return {
        "service": "Fairlead hybrid classifier",
        "version": version,
        "ml_model_available": available,
        "ml_model": known.model,
        "categories": known.categories,
        "classification_methods": list(_METHODS.values()) if available else ["rule-based"],
        "state": known.state,
        "bundle": known.bundle_digest,
        "thresholds": {"rules": known.rule_threshold, "learned": known.learned_threshold},
        "deadline_ms": known.deadline_seconds * 1000,
        "waiting": known.waiting,
    }


def _read(body: bytes) -> _Question:
    question = decode(_QUESTION, body)
    if (question.prompt is None) == (question.prompts is None):
        raise invalid_request("send one 'prompt', or several as 'prompts'", param="prompt")
    return question


async def _answer(desk: Desk, question: _Question, accept: str) -> web.Response:
    shape, content_type = _shape(accept)
    deadline = DEADLINE_SECONDS if question.deadline_ms is None else question.deadline_ms / 1000
    prompts = question.prompts if question.prompt is None else [question.prompt]
    assert prompts is not None, "one of both is there"
    said = [shape(each) for each in await classify_all(desk.classifier, prompts, deadline)]
    answer = said if question.prompt is None else said[0]
    return web.Response(body=msgspec.json.encode(answer), content_type=content_type)


async def classify_all(
    classifier: ClassifierService, texts: Sequence[str], deadline_seconds: float
) -> list[Classification]:
    """Of each text, in the same order; ``deadline_seconds`` are for all of them."""
    loop = asyncio.get_running_loop()
    due = loop.time() + deadline_seconds
    said: list[Classification] = []
    for start in range(0, len(texts), _TOGETHER):
        async with asyncio.TaskGroup() as group:
            asked = []
            for text in texts[start : start + _TOGETHER]:
                left = max(0.0, due - loop.time())
                asked.append(group.create_task(classifier.classify(text, deadline_seconds=left)))
                await asyncio.sleep(0)  # Rules may take milliseconds for each; nobody waits for those of all.
        said += [each.result() for each in asked]
    return said


def _shape(accept: str) -> tuple[_Shape, str]:
    if MEDIA_TYPE in accept.lower():
        return lambda said: said, MEDIA_TYPE
    return Classified.of, JSON
