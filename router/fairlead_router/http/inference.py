"""``POST /v1/chat/completions``."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from fairlead_contract.decision import Outcome
from fairlead_router.dispatch.answers import Begun, Whole
from fairlead_router.dispatch.failures import CLIENT_CLOSED
from fairlead_router.errors import RouterError, body_too_slow, internal, invalid_request, too_large
from fairlead_router.http.context import CONTEXT
from fairlead_router.http.responses import JSON, decision_headers, error_response
from fairlead_router.pipeline import Flow, Pipeline

logger = logging.getLogger("fairlead.http")

_CLIENT_CLOSED_REQUEST = 499
_BODY_SECONDS = 60
"""How long a client may take to send its body: meanwhile it holds a place among the requests in flight."""


async def read_body(request: web.Request, pipeline: Pipeline) -> bytes:
    """The body within the limits. Raises ``RouterError`` 413, 408, or 400 for one that is cut short or cannot be unpacked."""
    pipeline.admission.check_length(request.content_length)
    try:
        if request.content.is_eof():
            return await request.read()
        async with asyncio.timeout(_BODY_SECONDS):
            return await request.read()
    except TimeoutError as error:
        raise body_too_slow(_BODY_SECONDS) from error
    except web.HTTPRequestEntityTooLarge as error:
        raise too_large(pipeline.admission.max_body_bytes) from error
    except (ConnectionError, asyncio.IncompleteReadError):
        raise
    except (ValueError, web.RequestPayloadError) as error:
        raise invalid_request("the request body could not be read", code="invalid_body") from error


async def chat_completions(request: web.Request) -> web.StreamResponse:
    """Decide, call, pass on; whatever happens, exactly one record and one settlement."""
    pipeline = request.app[CONTEXT].pipeline
    flow = pipeline.arrive()
    status, outcome = _CLIENT_CLOSED_REQUEST, Outcome.CANCELLED
    error_code: str | None = CLIENT_CLOSED
    try:
        try:
            pipeline.identify(flow, request.headers)
            with pipeline.admission.place():
                body = await read_body(request, pipeline)
                answer = await pipeline.answer(flow, request.headers, body)
                if isinstance(answer, Begun):
                    response, outcome, error_code = await _stream(request, pipeline, flow, answer)
                    status = response.status
                    return response
                status = answer.status
                outcome, error_code = (
                    (Outcome.SUCCEEDED, None) if status == 200 else (Outcome.REFUSED, "request_refused")
                )
                return _whole(pipeline, flow, answer)
        except RouterError as error:
            status, error_code = error.status, error.code
            outcome = _outcome(error)
            return error_response(error, decision_headers(pipeline, flow))
        except (asyncio.CancelledError, ConnectionError) as gone:
            if flow.end is not None and not isinstance(gone, ConnectionAbortedError):
                # It left with its whole answer: many clients hang up at ``[DONE]``.
                status, outcome, error_code = 200, flow.end.outcome, flow.end.code
            raise
        except Exception:
            logger.exception("decision %s failed", flow.id)
            failure = internal(flow.id)
            status, outcome, error_code = failure.status, Outcome.FAILED, failure.code
            return error_response(failure, decision_headers(pipeline, flow))
    finally:
        await pipeline.finish(
            flow, method=request.method, path=request.path, status=status, outcome=outcome, error=error_code
        )


def _outcome(error: RouterError) -> Outcome:
    if error.status == 504:
        return Outcome.TIMED_OUT
    if error.code == "upstream_rate_limited":
        return Outcome.RATE_LIMITED
    return Outcome.FAILED if error.status == 502 else Outcome.REFUSED


def _whole(pipeline: Pipeline, flow: Flow, answer: Whole) -> web.Response:
    flow.committed = pipeline.elapsed(flow)
    headers = decision_headers(pipeline, flow)
    headers["Content-Type"] = JSON
    return web.Response(body=answer.body, status=answer.status, headers=headers)


async def _stream(
    request: web.Request, pipeline: Pipeline, flow: Flow, begun: Begun
) -> tuple[web.StreamResponse, Outcome, str | None]:
    headers = decision_headers(pipeline, flow)
    headers["x-fairlead-model"] = begun.running.entry.key
    headers["x-fairlead-attempts"] = str(len(begun.running.job.attempts) + 1)
    headers["Cache-Control"] = "no-cache"
    headers["X-Accel-Buffering"] = "no"
    headers["Content-Type"] = "text/event-stream; charset=utf-8"
    response = web.StreamResponse(headers=headers)
    try:
        await response.prepare(request)
    except BaseException:
        await pipeline.discard(begun)
        raise
    try:
        # The error event tells of a cut; the framing stays whole and the connection open, or a pooled client's next
        # request, which nothing warned off, would meet a closed connection.
        end = await pipeline.relay(flow, begun, response.write, response.write_eof)
    except ConnectionAbortedError:
        # The client is there and does not read; closing in the usual way would wait for it to take what is buffered.
        if request.transport is not None:
            request.transport.abort()
        raise
    return response, end.outcome, end.code
