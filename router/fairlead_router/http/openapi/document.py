"""Puts the documents together, and writes them: ``python -m fairlead_router.http.openapi.document DIR [--check]``."""

from __future__ import annotations

import sys
from importlib.metadata import version

import msgspec

from fairlead_contract.generated import write_all
from fairlead_router.dialect.openai_request import RequestType
from fairlead_router.dialect.operations import OPERATIONS
from fairlead_router.http.openapi import classification, classification_schemas
from fairlead_router.http.openapi.parts import (
    DECIDING,
    READING,
    Json,
    all_refusals,
    answer,
    header,
    parameters,
    refusals,
    schema,
    text,
)
from fairlead_router.http.openapi.schemas import ADMIN, ANSWERS, REQUESTS

_HEADER_NAME = {"maxLength": 256}
_PARAMETERS = {
    "workspace": header("x-fairlead-workspace", "Who pays, where a key leaves it open.", **_HEADER_NAME),
    "agentType": header("x-fairlead-agent-type", "For policies that ask for it.", **_HEADER_NAME),
    "user": header("x-fairlead-user", "Kept as a keyed hash only.", **_HEADER_NAME),
    "session": header(
        "x-fairlead-session", "Requests that belong together; kept as a keyed hash only.", **_HEADER_NAME
    ),
    "requestId": header("x-fairlead-request-id", "The client's own id of the request, shown in its record."),
    "priority": header(
        "x-fairlead-priority",
        "Who goes first when requests must wait. A key may allow more or less; without one it can only be lowered.",
        enum=["low", "normal", "high"],
    ),
    "queueTimeout": header(
        "x-fairlead-queue-timeout-ms", "How long to wait for a place, in milliseconds.", pattern="^[0-9]{1,9}$"
    ),
    "idempotencyKey": header(
        "Idempotency-Key",
        "A new one for each request, the same when it is sent again: who repeats a request gets its answer again.",
        pattern="^[!-~]{1,255}$",
    ),
    "cacheControl": header(
        "Cache-Control",
        "`no-cache`: give no answer kept earlier. `no-store`: nor keep this one. All else is no matter.",
    ),
}
_ASKING = ("workspace", "agentType", "user", "session", "requestId")

_HEADERS = {
    "x-fairlead-decision": {"description": "Id of the decision; `fairlead why ID` tells about it.", "schema": text()},
    "x-fairlead-model": {"description": "The model that answered.", "schema": text()},
    "x-fairlead-policy": {"description": "The policy that decided.", "schema": text()},
    "x-fairlead-attempts": {"description": "Calls to providers.", "schema": {"type": "integer", "minimum": 0}},
    "x-fairlead-overhead-ms": {"description": "Time spent in the router itself.", "schema": {"type": "number"}},
    "x-fairlead-cache": {
        "description": "What the policy's cache had. Absent where the policy has none.",
        "schema": text(enum=["hit", "miss", "bypass"]),
    },
    "x-fairlead-idempotent-replay": {
        "description": "The answer is that of an earlier request with the same Idempotency-Key.",
        "schema": text(enum=["true"]),
    },
    "Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}},
    "Allow": {"description": "The method that the path takes.", "schema": text()},
}
_DECISION_HEADERS = tuple(name for name in _HEADERS if name.startswith("x-"))

_BODIES: dict[RequestType, tuple[str, str]] = {
    "Chat": ("Answer a chat", "ChatRequest"),
    "Completion": ("Continue a text", "CompletionRequest"),
    "Embedding": ("Embed texts", "EmbeddingRequest"),
}


def _body(name: str) -> Json:
    return {"required": True, "content": {"application/json": {"schema": schema(name)}}}


def _inference() -> Json:
    paths: Json = {}
    for operation in OPERATIONS.values():
        summary, body = _BODIES[operation.type]
        types = {"json": schema("Answer")}
        if operation.type != "Embedding":
            types["events"] = {"description": "Server-sent events whose data are chunks in JSON, and at last `[DONE]`."}
        paths[f"/v1/{operation.path}"] = {
            "post": {
                "operationId": operation.type.lower(),
                "summary": summary,
                "parameters": parameters(*_ASKING, "priority", "queueTimeout", "idempotencyKey", "cacheControl"),
                "requestBody": _body(body),
                "responses": {"200": answer("The answer.", headers=_DECISION_HEADERS, **types)}
                | refusals(*READING, *DECIDING, 422, 500, 502, 504),
            }
        }
    return paths


def _health(operation: str, summary: str, name: str, *more: int) -> Json:
    responses = {"200": answer("So it is.", json=schema(name))} | {
        str(status): answer("So it is not.", json=schema(name)) for status in more
    }
    return {"get": {"operationId": operation, "summary": summary, "security": [], "responses": responses}}


def public() -> Json:
    """The document of the client port."""
    paths = _inference() | {
        "/v1/models": {
            "get": {
                "operationId": "listModels",
                "summary": "What the caller may name",
                "parameters": parameters(*_ASKING),
                "responses": {"200": answer("Models.", json=schema("Models"))} | refusals(400, 401, 503),
            }
        },
        "/v1/models/{model}": {
            "get": {
                "operationId": "getModel",
                "summary": "One model, by any name that a request may give",
                "parameters": [
                    {"name": "model", "in": "path", "required": True, "schema": text(minLength=1)},
                    *parameters(*_ASKING),
                ],
                "responses": {"200": answer("The model.", json=schema("Model"))} | refusals(400, 401, 404, 409, 503),
            }
        },
        "/api/routing/test": {
            "post": {
                "operationId": "testRouting",
                "summary": "What would be decided, with every reason; nobody is called",
                "parameters": parameters(*_ASKING),
                "requestBody": _body("RoutingQuestion"),
                "responses": {"200": answer("The explanation.", json=schema("Explanation"))}
                | refusals(*READING, 401, 503),
            }
        },
        **classification.paths(),
        "/health": _health("health", "Whether the process serves HTTP", "Health"),
        "/health/ready": _health("ready", "Whether a configuration runs", "Health", 503),
        "/health/detailed": _health("detailedHealth", "How each part is", "DetailedHealth"),
        "/healthz": {
            "get": {
                "operationId": "healthz",
                "summary": "Whether the process serves HTTP, in three bytes",
                "security": [],
                "responses": {"200": answer("It does.", text={"const": "ok\n"})},
            }
        },
        "/openapi.json": _itself(),
    }
    schemas = REQUESTS | ANSWERS | classification_schemas.REQUESTS | classification_schemas.ANSWERS
    return _document("Fairlead", "The client API of a Fairlead router.", paths, schemas) | {
        "security": [{}, {"apiKey": []}],
    }


def admin() -> Json:
    """The document of the admin port, which has no authentication and no public Service."""
    levels = answer("Every component.", json=schema("LogLevels"))
    decision_id: Json = {"name": "id", "in": "path", "required": True, "schema": text(minLength=1)}
    brief: Json = {"name": "brief", "in": "query", "schema": text("`true` leaves out what is in force.")}

    def get(operation: str, summary: str, response: Json, *given: Json, errors: Json | None = None) -> Json:
        made: Json = {"operationId": operation, "summary": summary, "responses": {"200": response} | (errors or {})}
        return {"get": made | ({"parameters": list(given)} if given else {})}

    paths = {
        "/metrics": get(
            "metrics", "Metrics in the Prometheus text format", answer("Metrics.", text={"type": "string"})
        ),
        "/-/config": get("config", "What runs", answer("The configuration.", json=schema("Configuration")), brief),
        "/-/health": get("health", "How each endpoint fares", answer("The endpoints.", json=schema("Endpoints"))),
        "/-/log-levels": get("logLevels", "Which component says how much", levels)
        | {
            "put": {
                "operationId": "setLogLevels",
                "summary": "Set levels, for a while if wanted, or undo",
                "requestBody": _body("LogLevelChange"),
                "responses": {"200": levels} | refusals(400),
            }
        },
        "/-/decisions": get("decisions", "The newest decisions", answer("Ids.", json=schema("Decisions"))),
        "/-/decisions/{id}": get(
            "decision",
            "What became of a request; with `Accept: text/plain` in words",
            answer("The decision.", json=schema("Decision"), text={"type": "string"}),
            decision_id,
            errors=refusals(404),
        ),
        "/openapi.json": _itself(),
    }
    schemas = ADMIN | {"Error": ANSWERS["Error"]}
    return _document("Fairlead, for operators", "The admin port of a Fairlead router.", paths, schemas)


def _itself() -> Json:
    response = answer("This document.", json={"type": "object"})
    return {
        "get": {"operationId": "openapi", "summary": "This document", "security": [], "responses": {"200": response}}
    }


def _document(title: str, description: str, paths: Json, schemas: dict[str, Json]) -> Json:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": version("fairlead"),
            "description": description,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": all_refusals(),
            "parameters": _PARAMETERS,
            "headers": _HEADERS,
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "description": "Where keys are required."}
            },
        },
    }


def documents() -> dict[str, bytes]:
    """File name → document."""
    return {
        name: msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
        for name, document in (("openapi.json", public()), ("openapi-admin.json", admin()))
    }


def main(arguments: list[str]) -> int:
    """Write the documents, or with ``--check`` name those that differ. Returns the exit status."""
    return write_all(arguments, documents())


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
