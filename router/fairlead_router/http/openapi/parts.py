"""Small makers of the parts that OpenAPI documents repeat."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
"""A part of a document, on its way into a file."""

JSON, EVENTS, TEXT = "application/json", "text/event-stream", "text/plain"

_REFUSALS = {
    400: "The request cannot be understood, or two readers of it could understand different things.",
    401: "No API key, or one that this router does not know.",
    403: "The API key may not do this.",
    404: "There is no such thing here, or not for this caller.",
    405: "The path takes another method.",
    408: "The head or the body of the request did not arrive in time. The connection is closed.",
    409: "Several things have that name, or the first request with this `Idempotency-Key` is still being served, or its "
    "answer was too large to be kept, or the resources belong to somebody else.",
    413: "The body is larger than this router takes. The connection is closed.",
    415: "The body is packed in a way that this router does not unpack.",
    417: "`Expect` takes `100-continue` only.",
    422: "A provider refused the request, in its own words, or its `Idempotency-Key` was that of another body, or what was to "
    "be declared would not be valid.",
    429: "A budget or a provider's rate limit is spent; `Retry-After` says when to come back.",
    431: "The request line or a header is larger than this router takes. The connection is closed.",
    500: "A fault of the router.",
    502: "Every provider that was tried failed.",
    503: "No room, no configuration yet, or nobody who can serve this request.",
    504: "Every provider that was tried was too slow.",
}

READING = (400, 408, 413, 415, 417, 431)
"""Refusals of what has a body."""
DECIDING = (401, 404, 409, 429, 503)


def schema(name: str) -> Json:
    """A reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def an_object(description: str, required: tuple[str, ...] = (), **properties: Json) -> Json:
    """An object that may have other fields too."""
    made: Json = {"type": "object", "description": description, "properties": properties}
    return made | ({"required": list(required)} if required else {})


def text(description: str = "", **bounds: Any) -> Json:
    """A string."""
    return {"type": "string"} | ({"description": description} if description else {}) | bounds


def or_null(type_: str, description: str = "", **bounds: Any) -> Json:
    """A value that may be null, which is the same as leaving it out."""
    return {"type": [type_, "null"]} | ({"description": description} if description else {}) | bounds


def list_of(items: Json, **bounds: Any) -> Json:
    """An array."""
    return {"type": "array", "items": items} | bounds


def answer(description: str, *, headers: tuple[str, ...] = (), **by_type: Json) -> Json:
    """A response; ``by_type`` has ``json``, ``events`` and ``text``."""
    types = {"json": JSON, "events": EVENTS, "text": TEXT}
    made: Json = {
        "description": description,
        "content": {types[name]: {"schema": content} for name, content in by_type.items()},
    }
    return made | ({"headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers}} if headers else {})


def refusals(*statuses: int) -> Json:
    """Responses that are errors, by their status."""
    return {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(set(statuses))}


def all_refusals() -> Json:
    """What :func:`refusals` refers to."""
    made = {}
    for status, description in _REFUSALS.items():
        headers = ("Retry-After",) if status in {409, 429, 503} else ("Allow",) if status == 405 else ()
        made[str(status)] = answer(description, headers=headers, json=schema("Error"))
    return made


def parameters(*names: str) -> list[Json]:
    """References to declared parameters."""
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def header(name: str, description: str, **bounds: Any) -> Json:
    """A request header."""
    return {"name": name, "in": "header", "required": False, "description": description, "schema": text(**bounds)}
