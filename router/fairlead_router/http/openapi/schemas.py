"""What is sent and what comes back, as JSON Schema."""

from __future__ import annotations

from fairlead_router.http.openapi.parts import Json, an_object, list_of, or_null, schema, text
from fairlead_router.record.log_levels import COMPONENTS, LEVELS

_MODEL = text(
    "A model's name, `provider/model`, or `auto` for a policy to choose.", minLength=1, maxLength=512, examples=["auto"]
)
_TOKENS = or_null("integer", minimum=1, maximum=2**31 - 1)
_COUNT = or_null("integer", minimum=1, maximum=128)
_STREAM_OPTIONS: Json = {
    "type": ["object", "null"],
    "properties": {"include_usage": or_null("boolean")},
}
_TOKEN_IDS = list_of({"type": "integer"})
_TEXTS: Json = {
    "description": "A text, several, a list of token ids, or several.",
    "anyOf": [
        {"type": "string"},
        list_of({"type": "string"}, minItems=1),
        _TOKEN_IDS | {"minItems": 1},
        list_of(_TOKEN_IDS, minItems=1),
    ],
}
_PASSED_ON = "All other fields go to the provider as they came."

_DESCRIPTION: Json = {
    "headers": {"type": "object", "additionalProperties": {"type": "string"}},
    **{name: or_null("string", maxLength=256) for name in ("workspaceId", "agentType", "userId", "sessionId")},
    "userTier": or_null("string"),
    "decisionId": or_null("string", "Draw as this decision did."),
}


def _described(kind: str, *, optional: bool) -> Json:
    """A request with the circumstances it would have; a chat need not say that it is one."""
    return {
        "type": "object",
        "required": ["request"] if optional else ["request", "requestType"],
        "properties": _DESCRIPTION
        | {"request": schema(f"{kind}Request"), "requestType": {"enum": [kind, None]} if optional else {"const": kind}},
        "additionalProperties": False,
    }


REQUESTS: dict[str, Json] = {
    "ChatRequest": an_object(
        f"A chat, as OpenAI's API takes it. {_PASSED_ON}",
        ("model", "messages"),
        model=_MODEL,
        messages=list_of(schema("Message"), minItems=1),
        stream=or_null("boolean", "Answer with events."),
        stream_options=_STREAM_OPTIONS,
        max_tokens=_TOKENS,
        max_completion_tokens=_TOKENS,
        n=_COUNT,
        tools=or_null("array"),
        functions=or_null("array"),
        response_format={"type": ["object", "null"], "properties": {"type": {"type": "string"}}},
    ),
    "Message": an_object(
        "One message.",
        role=text(),
        content={
            "anyOf": [
                {"type": ["string", "null"]},
                list_of({"anyOf": [{"type": "string"}, schema("Part")]}),
            ]
        },
    ),
    "Part": an_object("A part of a message: text, an image, …", type=text(), text=or_null("string")),
    "CompletionRequest": an_object(
        f"A text to be continued, or several. {_PASSED_ON}",
        ("model",),
        model=_MODEL,
        prompt=_TEXTS,
        stream=or_null("boolean", "Answer with events."),
        stream_options=_STREAM_OPTIONS,
        max_tokens=or_null("integer", minimum=0, maximum=2**31 - 1),
        n=_COUNT,
        best_of=_COUNT,
    ),
    "EmbeddingRequest": an_object(
        f"Texts to be embedded. {_PASSED_ON}", ("model", "input"), model=_MODEL, input=_TEXTS
    ),
    "RoutingQuestion": {
        "description": "What would become of a request: the request itself, or one described.",
        "anyOf": [
            schema("ChatRequest"),
            schema("EmbeddingRequest"),
            *(_described(kind, optional=kind == "Chat") for kind in ("Chat", "Completion", "Embedding")),
            {
                "type": "object",
                "required": ["prompt"],
                "properties": _DESCRIPTION
                | {
                    "prompt": {"type": "string"},
                    "model": or_null("string", "`auto` by default.", maxLength=512),
                    "requestType": {"enum": ["Chat", "Completion", "Embedding", None]},
                },
                "additionalProperties": False,
            },
        ],
    },
}

_HEALTH = {
    "status": text(),
    "timestamp": text(format="date-time"),
    "service": {"const": "model-router"},
    "version": text(),
}

ANSWERS: dict[str, Json] = {
    "Error": an_object(
        "Every error, in the shape of OpenAI's API.",
        ("error",),
        error=an_object(
            "What happened, where, and what to do next.",
            ("message",),
            message=text(),
            type=or_null("string"),
            param=or_null("string", "The field or header at fault."),
            code={"type": ["string", "integer", "null"], "description": "For programs."},
        ),
    ),
    "Answer": {"type": "object", "description": "The provider's answer, as it came."},
    "Model": an_object(
        "One model.",
        ("id", "object", "created", "owned_by"),
        id=text(),
        object={"const": "model"},
        created={"type": "integer"},
        owned_by=text("The provider's name."),
        display_name=text(),
        tags=list_of({"type": "string"}),
    ),
    "Models": an_object("A list.", ("object", "data"), object={"const": "list"}, data=list_of(schema("Model"))),
    "Explanation": an_object(
        "Everything that would lead to the answer.",
        ("decisionId", "snapshot", "facts", "policies"),
        decisionId=text(),
        snapshot={"type": "object"},
        facts={"type": "object"},
        policies=list_of({"type": "object"}),
        candidates=list_of({"type": "object"}),
        plan=list_of({"type": "string"}),
        propensity={"type": "number", "minimum": 0, "maximum": 1},
        error={"type": "object", "description": "What the client would be told, where no model would be called."},
    ),
    "Health": an_object("How it is.", tuple(_HEALTH), **_HEALTH),
    "DetailedHealth": an_object(
        "How each part is.",
        (*_HEALTH, "checks", "degraded"),
        **_HEALTH,
        checks={"type": "object"},
        degraded={"type": "object", "additionalProperties": {"type": "string"}},
    ),
}

_LEVEL: Json = {"enum": list(LEVELS)}

ADMIN: dict[str, Json] = {
    "Configuration": an_object(
        "What runs since when, and what was refused last. No secret value is in it.",
        ("epoch", "revision", "digest", "lastOfferRuns", "doors", "pending"),
        epoch={"type": "integer"},
        revision={"type": "integer"},
        digest=text(),
        source=or_null("string"),
        lastRejected=or_null("object"),
        lastOfferRuns={"type": "boolean"},
        doors={},
        pending={},
    ),
    "Endpoints": an_object(
        "All declared endpoints, by provider and name.",
        ("endpoints", "retriesWithheld"),
        retriesWithheld={"type": "integer"},
        endpoints=list_of(
            an_object(
                "As this router sees it.",
                ("provider", "name", "state", "scorePercent", "breaker", "calls"),
                provider=text(),
                name=text(),
                state={"enum": ["Healthy", "Degraded", "Unhealthy", "Unknown"]},
                scorePercent={"type": "integer"},
                breaker={"enum": ["Closed", "Open", "HalfOpen"]},
                calls={"type": "integer"},
                latencyP50Milliseconds={"type": "integer"},
                errorPercent={"type": "number"},
                check={"type": "object"},
            )
        ),
    ),
    "LogLevels": {
        "type": "object",
        "description": "Levels by component.",
        "additionalProperties": an_object("One component.", ("level",), level=text(), set={"type": "boolean"}),
    },
    "LogLevelChange": {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"enum": list(COMPONENTS)},
        "additionalProperties": {
            "anyOf": [
                _LEVEL,
                {"type": "null"},
                {
                    "type": "object",
                    "required": ["level"],
                    "properties": {
                        "level": _LEVEL,
                        "seconds": {"type": ["number", "null"], "minimum": 1, "maximum": 604800},
                    },
                    "additionalProperties": False,
                },
            ]
        },
    },
    "Decisions": an_object("Ids, newest first.", ("decisions",), decisions=list_of({"type": "string"})),
    "Decision": an_object("A record and its explanation.", ("record",), record={"type": "object"}),
}
