"""The one error type of the client border, and the table of everything it can say."""

from __future__ import annotations


class RouterError(Exception):
    """An answer to the client that is no success. Mapped once, by the dialect, into the client's shape.

    ``message`` says what happened, where, and what to do next; it never contains text of a provider or of a prompt.
    """

    def __init__(
        self,
        status: int,
        type_: str,
        code: str,
        message: str,
        *,
        param: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type = type_
        self.code = code
        self.message = message
        self.param = param
        self.retry_after_seconds = retry_after_seconds


def invalid_request(message: str, *, code: str = "invalid_request", param: str | None = None) -> RouterError:
    """400: the request itself must change."""
    return RouterError(400, "invalid_request_error", code, message, param=param)


def unauthenticated(message: str) -> RouterError:
    """401: no credential, or one this router does not know."""
    return RouterError(401, "authentication_error", "invalid_api_key", message)


def not_an_administrator(*, keys: bool) -> RouterError:
    """403: the caller may not change what is declared."""
    message = (
        'this API key may not change models; ask for one with "admin": true'
        if keys
        else 'models are changed only with an API key that has "admin": true, and this router asks for no keys; '
        "start it with --api-keys-file"
    )
    return RouterError(403, "permission_error", "admin_required", message)


def managed_elsewhere(source: str) -> RouterError:
    """409: the router does not own the resources that it runs."""
    message = (
        f"this router runs what came through {source} and writes nothing there; change the ModelProvider itself, "
        "with kubectl or in Git"
    )
    return RouterError(409, "conflict_error", "managed_elsewhere", message)


def update_refused(status: int, code: str, message: str, param: str | None) -> RouterError:
    """404, 409 or 422: nothing was written, for a reason that lies in the resources."""
    return RouterError(status, "invalid_request_error", code, message, param=param)


def model_not_found(name: str, workspace: str) -> RouterError:
    """404: nothing of that name is visible to the workspace."""
    message = (
        f"no model {name!r} is visible to workspace {workspace!r}, and no policy matches that name; "
        "GET /v1/models lists what may be called"
    )
    return RouterError(404, "invalid_request_error", "model_not_found", message, param="model")


def unknown_url(method: str, path: str) -> RouterError:
    """404: nothing is served there."""
    return not_served(method, path, "/v1/chat/completions, /v1/completions, /v1/embeddings and /v1/models")


def not_served(method: str, path: str, served: str) -> RouterError:
    """404: nothing is served there, but ``served`` is."""
    message = f"there is no {method} {path} here; this process serves {served}"
    return RouterError(404, "invalid_request_error", "unknown_url", message)


def decision_not_kept(decision_id: str, kept: int) -> RouterError:
    """404: the router does not have the record, or no longer."""
    message = f"no decision {decision_id} is kept here; this router keeps the last {kept} of its own"
    return RouterError(404, "not_found", "not_found", message, param="id")


def method_not_allowed(path: str, allowed: str, method: str) -> RouterError:
    """405: the path takes another method."""
    message = f"{path} takes {allowed}, not {method}"
    return RouterError(405, "invalid_request_error", "method_not_allowed", message)


def model_ambiguous(name: str, keys: list[str]) -> RouterError:
    """409: several providers offer that name."""
    message = f"model {name!r} is offered by several providers; name one of {', '.join(keys)}"
    return RouterError(409, "invalid_request_error", "model_ambiguous", message, param="model")


def too_large(limit_bytes: int) -> RouterError:
    """413: the body is over the router's limit."""
    message = f"the request body is larger than {limit_bytes} bytes, the most this router takes"
    return RouterError(413, "invalid_request_error", "request_too_large", message)


def body_too_slow(seconds: float, bytes_per_second: int) -> RouterError:
    """408: the body did not arrive in time."""
    message = (
        f"the request body must arrive within {seconds:g} s, and at no less than {bytes_per_second} bytes a second"
    )
    return RouterError(408, "invalid_request_error", "request_timeout", message)


def head_too_slow(seconds: float) -> RouterError:
    """408: the head of a request began to arrive and was not complete in time."""
    message = f"the head of the request did not arrive within {seconds:g} s, the time this router waits for it"
    return RouterError(408, "invalid_request_error", "request_timeout", message)


def unsupported_encoding() -> RouterError:
    """415: the body is compressed in a way that this router does not unpack."""
    message = "send the body as it is, or with Content-Encoding gzip or deflate"
    return RouterError(415, "invalid_request_error", "unsupported_encoding", message, param="content-encoding")


def malformed_http(message: str) -> RouterError:
    """400: the bytes are no HTTP request, or one that two parsers could understand differently."""
    return RouterError(400, "invalid_request_error", "malformed_http", message)


def head_too_large() -> RouterError:
    """431: the request line or a header is over the limit, or there are too many headers."""
    message = "the request line or a header is larger than this router takes"
    return RouterError(431, "invalid_request_error", "head_too_large", message)


def expectation_failed() -> RouterError:
    """417: the client expects something other than 100-continue."""
    return RouterError(417, "invalid_request_error", "expectation_failed", "the only 'Expect' known is 100-continue")


def overloaded(limit: int, waiting: int, retry_after_seconds: float) -> RouterError:
    """503: the router's own concurrency limit."""
    line = f", and {waiting} more wait" if waiting else ""
    message = f"this router already serves {limit} requests, its limit{line}; try again shortly"
    return RouterError(
        503, "service_unavailable_error", "router_overloaded", message, retry_after_seconds=retry_after_seconds
    )


def queue_timeout(retry_after_seconds: float) -> RouterError:
    """503: the request waited for a place as long as it may."""
    message = "no place became free while the request waited in line; try again shortly"
    return RouterError(
        503, "service_unavailable_error", "queue_timeout", message, retry_after_seconds=retry_after_seconds
    )


def buffers_full(limit_bytes: int) -> RouterError:
    """503: the bodies of all requests together are over the router's limit."""
    message = f"this router already holds {limit_bytes} bytes of request bodies, its limit; try again shortly"
    return RouterError(503, "service_unavailable_error", "router_overloaded", message, retry_after_seconds=1)


def too_many_connections() -> RouterError:
    """503: the router's own limit of connections."""
    message = "this router has as many connections as it takes; try again shortly, or use those that are open"
    return RouterError(503, "service_unavailable_error", "too_many_connections", message, retry_after_seconds=1)


def not_ready() -> RouterError:
    """503: no snapshot has arrived yet."""
    message = "this router has no configuration yet; see /health/detailed"
    return RouterError(503, "service_unavailable_error", "not_ready", message, retry_after_seconds=1)


def no_policy(workspace: str) -> RouterError:
    """503: ``auto`` was asked for and no policy matches."""
    message = (
        f"no RoutingPolicy matches this request of workspace {workspace!r}; "
        "POST the request to /api/routing/test to see why, or name a model from GET /v1/models"
    )
    return RouterError(503, "service_unavailable_error", "no_policy", message, param="model")


def no_candidate(policy: str, why: str) -> RouterError:
    """503: a policy matched, but nothing it may choose can serve the request."""
    return RouterError(503, "service_unavailable_error", "no_candidate", f"{policy} cannot serve this request: {why}")


def operation_not_supported(why: str) -> RouterError:
    """400: nobody who could answer does this kind of request."""
    return RouterError(400, "invalid_request_error", "operation_not_supported", why, param="model")


def context_length_exceeded(why: str) -> RouterError:
    """400: the request fits into no candidate's context window."""
    return RouterError(400, "invalid_request_error", "context_length_exceeded", why, param="messages")


def idempotency_key_reused() -> RouterError:
    """422: the Idempotency-Key was that of another request."""
    message = "this Idempotency-Key came with another body before; make a new key for every new request"
    return RouterError(422, "invalid_request_error", "idempotency_key_reused", message, param="idempotency-key")


def repeated_while_running(retry_after_seconds: float) -> RouterError:
    """409: a repeat of a request that is still under way."""
    message = "the first request with this Idempotency-Key is still under way; try again with the same key"
    return RouterError(
        409,
        "conflict_error",
        "idempotency_key_in_use",
        message,
        param="idempotency-key",
        retry_after_seconds=retry_after_seconds,
    )


def repeated_answer_not_kept() -> RouterError:
    """409: a repeat of a request that was answered with more than is kept."""
    message = (
        "the request with this Idempotency-Key was answered, and the answer was too large to be kept; "
        "send it under a new key to have it made and billed again"
    )
    return RouterError(409, "conflict_error", "idempotent_answer_not_kept", message, param="idempotency-key")


def budget_exceeded(message: str, retry_after_seconds: float | None) -> RouterError:
    """429: the workspace has no money left for this request."""
    return RouterError(429, "insufficient_quota", "budget_exceeded", message, retry_after_seconds=retry_after_seconds)


def upstream_failed(message: str) -> RouterError:
    """502: every attempt failed and the last failure was the provider's."""
    return RouterError(502, "server_error", "upstream_error", message)


def upstream_timed_out(message: str) -> RouterError:
    """504: every attempt failed and the last one was too slow."""
    return RouterError(504, "server_error", "upstream_timeout", message)


def upstream_rate_limited(message: str, retry_after_seconds: float | None) -> RouterError:
    """429: every attempt failed and the last provider asked to slow down."""
    return RouterError(
        429, "rate_limit_error", "upstream_rate_limited", message, retry_after_seconds=retry_after_seconds
    )


def upstream_cut(message: str) -> RouterError:
    """Inside a stream that had begun: the provider broke off."""
    return RouterError(502, "server_error", "upstream_stream_interrupted", message)


def router_stopping() -> RouterError:
    """Inside a stream that had begun: this router ends and waited for it as long as it could."""
    message = "the router is being stopped and cut this answer short; ask again, another router answers"
    return RouterError(503, "service_unavailable_error", "router_stopping", message, retry_after_seconds=1)


def internal(decision_id: str) -> RouterError:
    """500: a fault of the router; the log line of the same id has the traceback."""
    message = f"the router failed on this request; its log has the details under {decision_id}"
    return RouterError(500, "server_error", "internal_error", message)
