"""The paths of the classification document: ``/classify``, ``/route``, the models and ``/update``."""

from __future__ import annotations

from fairlead_router.http.openapi.parts import (
    DECIDING,
    READING,
    Json,
    answer,
    list_of,
    parameters,
    refusals,
    schema,
    text,
)

_WHO = ("workspace",)
_ASKING = ("workspace", "agentType", "user", "session", "requestId")


def paths() -> Json:
    """What is added to the client port's document."""
    return classifier_paths() | {
        "/route": _post(
            "route",
            "Which model a request would go to, or (`generate`) its answer, as a chat completion has it",
            "RouteQuestion",
            {"anyOf": [schema("Recommendation"), schema("Generated")]},
            (*READING, *DECIDING, 422, 500, 502, 504),
            *_ASKING,
            "priority",
            "queueTimeout",
        ),
        "/update": _post(
            "update",
            "Change models, where the router reads its resources from a folder",
            "Update",
            schema("Updated"),
            (*READING, 401, 403, 404, 409, 422, 503),
        ),
        "/status": _get("status", "How many models there are, since when, from where", "ModelsStatus"),
        "/models": _get("listDeclaredModels", "The models of the caller's workspace", "ListedModels"),
        "/models/{id}": _get("getDeclaredModel", "One model", "ListedModel", by_name=True),
        "/metrics/models": _get("listModelMetrics", "What was measured of each model", "ModelsMetrics"),
        "/metrics/{id}": _get("getModelMetrics", "What was measured of one model", "ModelMetrics", by_name=True),
    }


def classifier_paths() -> Json:
    """What a classifier alone serves too."""
    return {
        "/classify": _post(
            "classify",
            "What a text is about",
            "ClassificationQuestion",
            {"anyOf": [schema("Classified"), list_of(schema("Classified"))]},
            (*READING, 401, 503),
        ),
        "/info": _get("classifierInfo", "What classifies here", "ClassifierInfo", refused=(400, 401)),
    }


def _post(operation: str, summary: str, body: str, response: Json, refused: tuple[int, ...], *said: str) -> Json:
    return {
        "post": {
            "operationId": operation,
            "summary": summary,
            "parameters": parameters(*said),
            "requestBody": {"required": True, "content": {"application/json": {"schema": schema(body)}}},
            "responses": {"200": answer("The answer.", json=response)} | refusals(*refused),
        }
    }


def _get(
    operation: str, summary: str, response: str, *, by_name: bool = False, refused: tuple[int, ...] = (400, 401, 503)
) -> Json:
    name: list[Json] = [{"name": "id", "in": "path", "required": True, "schema": text(minLength=1)}]
    return {
        "get": {
            "operationId": operation,
            "summary": summary,
            "parameters": (name if by_name else []) + parameters(*_WHO),
            "responses": {"200": answer("The answer.", json=schema(response))}
            | refusals(*refused, *((404, 409) if by_name else ())),
        }
    }
