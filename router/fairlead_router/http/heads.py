"""What the head of a request may say: once, where twice would leave open which counts."""

from __future__ import annotations

from aiohttp import web

from fairlead_router.errors import expectation_failed, invalid_request, too_large
from fairlead_router.http.client import Headers
from fairlead_router.http.responses import error_response

_ONCE = frozenset(
    {
        "authorization",
        "content-encoding",
        "content-type",
        "idempotency-key",
        "traceparent",
        "x-api-key",
        "api-key",
        "x-stainless-read-timeout",
        "x-stainless-timeout",
    }
)
_OURS = "x-fairlead-"


def check_head(headers: Headers) -> None:
    """Refuse a header that decides something and is there twice. Raises ``RouterError`` 400.

    Something in front of the router (a proxy that checks keys, a log) may have read the other one. aiohttp itself refuses
    repeated ``Content-Length``, ``Transfer-Encoding`` and ``Host``.
    """
    names = list(headers)  # each once, whatever its case
    if len(names) == len(headers):
        return
    for name in names:
        folded = name.lower()
        if (folded in _ONCE or folded.startswith(_OURS)) and len(headers.getall(name)) > 1:
            raise invalid_request(f"header {folded} is there more than once; send it once", param=folded)


async def expect(request: web.Request) -> web.Response | None:
    """Answer ``Expect``: ask for the body with 100, or refuse one that is too large before it is sent."""
    if request.headers["Expect"].lower() != "100-continue":
        return error_response(expectation_failed())
    limit = request.client_max_size
    if request.content_length is not None and request.content_length > limit:
        return error_response(too_large(limit))
    writer = request.writer
    await writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    # What is sent of the answer itself starts now; aiohttp's own handler does the same.
    writer.output_size = 0
    return None
