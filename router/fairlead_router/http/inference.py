"""``POST /v1/chat/completions``, ``/v1/completions`` and ``/v1/embeddings``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from multidict import CIMultiDict

from fairlead_contract.decision import Outcome
from fairlead_router.dialect.operations import Operation
from fairlead_router.dispatch.answers import Begun, Whole
from fairlead_router.dispatch.failures import CLIENT_CLOSED
from fairlead_router.errors import RouterError, internal
from fairlead_router.http.bodies import read_body
from fairlead_router.http.context import CONTEXT
from fairlead_router.http.heads import check_head
from fairlead_router.http.responses import JSON, decision_headers, error_response
from fairlead_router.pipeline import Flow, Pipeline

logger = logging.getLogger("fairlead.http")

_CLIENT_CLOSED_REQUEST = 499
_SENT_AT_ONCE_BYTES = 1 << 16
"""What the transport's own buffer takes."""


def serving(operation: Operation) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler of one operation."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await serve(request, operation)

    return handle


async def serve(request: web.Request, operation: Operation) -> web.StreamResponse:
    """Decide, call, pass on; whatever happens, exactly one record and one settlement."""
    context = request.app[CONTEXT]
    pipeline, admission = context.pipeline, context.pipeline.admission
    flow = pipeline.arrive()
    status, outcome = _CLIENT_CLOSED_REQUEST, Outcome.CANCELLED
    error_code: str | None = CLIENT_CLOSED
    try:
        try:
            check_head(request.headers)
            pipeline.identify(flow, request.headers)
            pipeline.expect_place(flow, request.headers)
            body = await read_body(request, admission, seconds=context.settings.body_seconds)
            flow.held = len(body)
            if not admission.take():
                await pipeline.wait_for_place(flow, request.headers, body)
            try:
                answer = await pipeline.answer(flow, operation, request.headers, body)
                if isinstance(answer, Begun):
                    response, outcome, error_code = await _stream(request, pipeline, flow, answer)
                    status = response.status
                    return response
                whole = await _whole(request, pipeline, flow, answer)
                status = answer.status
                outcome, error_code = (
                    (Outcome.SUCCEEDED, None) if status == 200 else (Outcome.REFUSED, "request_refused")
                )
                return whole
            finally:
                admission.leave()
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


async def _whole(request: web.Request, pipeline: Pipeline, flow: Flow, answer: Whole) -> web.Response:
    flow.committed = pipeline.elapsed(flow)
    headers = decision_headers(pipeline, flow)
    if answer.event_stream:
        _as_stream(headers)
    else:
        headers["Content-Type"] = JSON
    response = web.Response(body=answer.body, status=answer.status, headers=headers)
    if len(answer.body) > _SENT_AT_ONCE_BYTES:
        # Until the client has taken it, it has its place: answers that nobody reads would pile up otherwise.
        await response.prepare(request)
        await response.write_eof()
    return response


def _as_stream(headers: CIMultiDict[str]) -> None:
    headers["Cache-Control"] = "no-cache"
    headers["X-Accel-Buffering"] = "no"
    headers["Content-Type"] = "text/event-stream; charset=utf-8"


async def _stream(
    request: web.Request, pipeline: Pipeline, flow: Flow, begun: Begun
) -> tuple[web.StreamResponse, Outcome, str | None]:
    headers = decision_headers(pipeline, flow)
    headers["x-fairlead-model"] = begun.running.entry.key
    headers["x-fairlead-attempts"] = str(len(begun.running.job.attempts) + 1)
    _as_stream(headers)
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
