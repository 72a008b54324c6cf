"""What is sent to the paths of the classification document and what comes back, as JSON Schema."""

from __future__ import annotations

from typing import get_args

from fairlead_contract.decision import ClassificationFallback
from fairlead_router.classify.info import ClassifierState
from fairlead_router.dialect.route_request import Capability
from fairlead_router.http.openapi.parts import Json, an_object, list_of, or_null, schema, text

_METHODS = ["rule-based", "ml-based", "hybrid"]
_SHARE: Json = {"type": "number", "minimum": 0, "maximum": 1}
_NUMBER: Json = {"type": ["number", "null"], "minimum": 0}
_INTEGER: Json = {"type": "integer", "minimum": 0}
_STATUS = ["active", "inactive", "deprecated"]
_TEXTS = list_of({"type": "string"})
_DOLLARS = or_null("string", "US dollars, as a decimal.", pattern=r"^[0-9]{1,9}(\.[0-9]{1,9})?$")
_NAME: Json = {"minLength": 1, "maxLength": 253}

_NAMED: Json = {
    "id": text("By which the caller may call it."),
    "provider": text(),
    "display_name": text(),
}
_LISTED: Json = {
    **_NAMED,
    "key": text("`namespace/provider/model`."),
    "status": {"enum": _STATUS},
}


def _closed(description: str, required: tuple[str, ...], **properties: Json) -> Json:
    return an_object(description, required, **properties) | {"additionalProperties": False}


def _one_of(one: str, one_type: str, other: str, other_type: str) -> list[Json]:
    """Either field, the other being left out or null."""
    return [
        {"required": [name], "properties": {name: {"type": type_}, without: {"type": "null"}}}
        for name, type_, without in ((one, one_type, other), (other, other_type, one))
    ]


_CONSTRAINTS = {
    "type": ["object", "null"],
    "description": "Hard, and added to those of the policy that decides.",
    "properties": {
        "max_tokens": or_null("integer", "Of the answer.", minimum=1, maximum=2**31 - 1),
        "max_cost_usd": or_null("number", "Of the request, by its upper bound.", minimum=0, maximum=1_000_000),
        "max_latency_ms": or_null(
            "integer", "To the end of the answer, as models take on average.", minimum=1, maximum=86_400_000
        ),
        "required_capabilities": list_of({"enum": [*get_args(Capability)]}, maxItems=16),
    },
    "additionalProperties": False,
}

REQUESTS: dict[str, Json] = {
    "ClassificationQuestion": {
        "description": "One prompt, or several.",
        "type": "object",
        "properties": {
            "prompt": or_null("string"),
            "prompts": {"type": ["array", "null"], "items": {"type": "string"}, "minItems": 1, "maxItems": 64},
            "deadline_ms": or_null(
                "number",
                "After which the rules answer alone; 1,000 by default.",
                exclusiveMinimum=0,
                maximum=60_000,
            ),
        },
        "oneOf": _one_of("prompt", "string", "prompts", "array"),
        "additionalProperties": False,
    },
    "RouteQuestion": {
        "description": "A prompt, or the messages of a chat.",
        "type": "object",
        "properties": {
            "prompt": or_null("string"),
            "messages": {"type": ["array", "null"], "items": schema("Message"), "minItems": 1},
            "mode": {"enum": ["recommend", "generate"], "default": "recommend"},
            "constraints": _CONSTRAINTS,
            "stream": {"enum": [False, None], "description": "Answers come whole here."},
        },
        "oneOf": _one_of("prompt", "string", "messages", "array"),
        "additionalProperties": False,
    },
    "Update": _closed(
        "Models as they shall be: all of them, or none is written.",
        ("models",),
        models=list_of(schema("ModelChange"), minItems=1, maxItems=100),
    ),
    "ModelChange": _closed(
        "One model. What is left out stays as it is.",
        ("id", "provider"),
        id=text("Its name in the ModelProvider.", **_NAME),
        provider=text("Name of a ModelProvider, or `namespace/name`.", **_NAME),
        display_name=or_null("string", minLength=1, maxLength=128),
        status={"enum": [*_STATUS, None]},
        version=or_null("string", "What the provider calls it.", **_NAME),
        type={"enum": ["Chat", "Completion", "Embedding", None]},
        capabilities={"type": ["array", "null"], "items": {"type": "string"}, "maxItems": 16},
        context_window_tokens=or_null("integer", minimum=1, maximum=100_000_000),
        max_output_tokens=or_null("integer", minimum=1, maximum=10_000_000),
        input_usd_per_million_tokens=_DOLLARS,
        output_usd_per_million_tokens=_DOLLARS,
    ),
}

ANSWERS: dict[str, Json] = {
    "Classified": an_object(
        "What a text is about.",
        ("primary_use_case", "domain_confidence", "classification_method", "difficulty"),
        primary_use_case=text(),
        complexity_score=_SHARE,
        creativity_score=_SHARE,
        domain_confidence=_SHARE | {"description": "Calibrated probability that `primary_use_case` is right."},
        classification_method={"enum": _METHODS},
        ml_confidence={
            "type": ["number", "null"],
            "description": "Of the learned classifier in its own first choice; null: it was not asked, or did not answer.",
        },
        difficulty={"enum": ["easy", "medium", "hard"]},
        language=or_null("string", "ISO 639-1."),
        contains_code={"type": "boolean"},
        needs_reasoning={"type": "boolean"},
        conformal_set=_TEXTS | {"description": "Categories that cannot be excluded."},
        probabilities={"type": "object", "additionalProperties": _SHARE},
        evidence=_TEXTS | {"description": "Names of the rules that spoke."},
        fallback={
            "enum": [*(each.value for each in ClassificationFallback), None],
            "description": "Why the rules decided alone although they were not sure.",
        },
        bundle=or_null("string", "Digest of the bundle that was asked."),
        cached={"type": "boolean"},
        ms={"type": "number", "minimum": 0},
    ),
    "ClassifierInfo": an_object(
        "What classifies here.",
        ("service", "version", "ml_model_available", "categories", "classification_methods", "state"),
        service=text(),
        version=text(),
        ml_model_available={"type": "boolean"},
        ml_model=or_null("string"),
        categories=_TEXTS,
        classification_methods=list_of({"enum": _METHODS}),
        state={"enum": [each.value for each in ClassifierState]},
        bundle=or_null("string"),
        thresholds={"type": "object", "additionalProperties": _SHARE},
        deadline_ms={"type": "number"},
        waiting=_INTEGER,
    ),
    "About": an_object(
        "What the request is about.",
        ("category", "difficulty", "ms"),
        category=text(),
        difficulty={"enum": ["easy", "medium", "hard"]},
        confidence=_SHARE,
        ms={"type": "number", "minimum": 0},
    ),
    "NamedModel": an_object("A model.", tuple(_NAMED), **_NAMED),
    "RankedModel": an_object(
        "A model among the candidates.",
        (*_NAMED, "rank", "probability", "removed"),
        **_NAMED,
        rank=or_null("integer", "In the order of trying; null: it is out, or stands by.", minimum=1),
        probability=_SHARE | {"description": "With which such a request goes to it first."},
        roles=list_of({"enum": ["target", "canary", "fallback", "arm", "direct"]}),
        expected_ms=_NUMBER,
        expected_cost_usd=_NUMBER,
        removed={
            "type": ["object", "null"],
            "description": "Why it is out.",
            "properties": {"by": text(), "message": text()},
        },
    ),
    "Recommendation": an_object(
        "Where the request would go.",
        ("classification", "recommended_model", "ranking"),
        classification=schema("About"),
        recommended_model=schema("NamedModel"),
        ranking=list_of(schema("RankedModel")),
        policy=text(),
    ),
    "Generated": an_object(
        "Where the request went, and what came of it.",
        ("classification", "recommended_model", "model", "response", "decision"),
        classification=schema("About"),
        recommended_model=schema("NamedModel"),
        model=schema("NamedModel"),
        response=or_null("string"),
        finish_reason=or_null("string"),
        usage=or_null("object"),
        cost_usd={"type": "number", "minimum": 0},
        decision=text(),
        ranking=list_of(schema("RankedModel")),
    ),
    "ModelsStatus": an_object(
        "How many models there are for the caller.",
        ("status", "total_models", "active_models", "last_sync", "data_sources"),
        status={"enum": ["operational", "degraded"]},
        total_models=_INTEGER,
        active_models=_INTEGER,
        last_sync=or_null("string", format="date-time"),
        data_sources=_TEXTS,
    ),
    "ListedModel": an_object(
        "A model as it is declared.",
        tuple(_LISTED),
        **_LISTED,
        type=text(),
        capabilities=_TEXTS,
        context_window_tokens=or_null("integer"),
        max_output_tokens=or_null("integer"),
        compliance=_TEXTS,
        tags=_TEXTS,
    ),
    "ListedModels": an_object("All of them.", ("models",), models=list_of(schema("ListedModel"))),
    "ModelMetrics": an_object(
        "A model, its prices, and what this router measured of it.",
        (*_LISTED, "prices", "endpoints"),
        **_LISTED,
        prices={"type": ["object", "null"]},
        endpoints=list_of(
            an_object(
                "One address.",
                ("endpoint", "breaker", "running", "succeeded", "failed"),
                endpoint=text(),
                breaker={"enum": ["Closed", "Open", "HalfOpen"]},
                running=_INTEGER,
                succeeded=_INTEGER,
                failed=_INTEGER,
                success_percent=_NUMBER,
                latency_p50_ms=_NUMBER,
                latency_mean_ms=_NUMBER,
                first_byte_ms=_NUMBER,
            )
        ),
        mean_output_tokens=_NUMBER,
    ),
    "ModelsMetrics": an_object("All of them.", ("models",), models=list_of(schema("ModelMetrics"))),
    "Updated": an_object(
        "What was written.",
        ("changed", "warnings"),
        changed=list_of(
            an_object(
                "One model.",
                ("id", "provider", "change"),
                id=text(),
                provider=text(),
                change={"enum": ["added", "updated", "unchanged"]},
                fields=_TEXTS,
                file=text(),
            )
        ),
        warnings=_TEXTS,
    ),
}
