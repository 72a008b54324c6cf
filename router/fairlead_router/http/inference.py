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
from fairlead_router.dispatch.stream import StreamEnd
from fairlead_router.errors import RouterError, internal
from fairlead_router.flow import Flow
from fairlead_router.http.client import AiohttpClient, Client, Reply, to_response
from fairlead_router.http.context import CONTEXT, Context
from fairlead_router.http.heads import check_head
from fairlead_router.http.responses import JSON, decision_headers, error_reply
from fairlead_router.pipeline import Pipeline

logger = logging.getLogger("fairlead.http")

_CLIENT_CLOSED_REQUEST = 499
_SENT_AT_ONCE_BYTES = 1 << 16
"""What the transport's own buffer takes."""


def serving(operation: Operation) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """aiohttp's handler of one operation."""

    async def handle(request: web.Request) -> web.StreamResponse:
        client = AiohttpClient(request)
        return response_of(client, await serve(request.app[CONTEXT], client, operation))

    return handle


def response_of(client: AiohttpClient, reply: Reply | None) -> web.StreamResponse:
    """What aiohttp is told of a request that was served."""
    if reply is not None and client.response is not None:
        client.abort()  # What was sent must not look complete, and nothing else can be said in it.
        raise ConnectionAbortedError("a part of another answer is sent already")
    if reply is not None:
        return to_response(reply)
    assert client.response is not None, "what is no reply was sent"
    return client.response


async def serve(context: Context, client: Client, operation: Operation, flow: Flow | None = None) -> Reply | None:
    """Decide, call, pass on; whatever happens, exactly one record and one settlement. ``None``: all is sent already.

    ``flow``: of a request that arrived already.
    """
    pipeline, admission = context.pipeline, context.pipeline.admission
    flow = pipeline.arrive() if flow is None else flow
    status, outcome = _CLIENT_CLOSED_REQUEST, Outcome.CANCELLED
    error_code: str | None = CLIENT_CLOSED
    try:
        try:
            check_head(client.headers)
            pipeline.identify(flow, client.headers)
            pipeline.expect_place(flow, client.headers)
            before = pipeline.elapsed(flow)
            body = await client.read_body(admission, seconds=context.settings.body_seconds)
            flow.waited += pipeline.elapsed(flow) - before
            flow.held = len(body)
            if not admission.take():
                await pipeline.wait_for_place(flow, client.headers, body)
            try:
                answer = await pipeline.answer(flow, operation, client.headers, body)
                if isinstance(answer, Begun):
                    end = await _stream(client, pipeline, flow, answer)
                    status, outcome, error_code = 200, end.outcome, end.code
                    return None
                reply = await _whole(client, pipeline, flow, answer)
                status = answer.status
                outcome, error_code = (
                    (Outcome.SUCCEEDED, None) if status == 200 else (Outcome.REFUSED, "request_refused")
                )
                return reply
            finally:
                admission.leave()
        except RouterError as error:
            status, error_code = error.status, error.code
            outcome = _outcome(error)
            return error_reply(error, decision_headers(pipeline, flow))
        except (asyncio.CancelledError, ConnectionError) as gone:
            if flow.end is not None and not isinstance(gone, ConnectionAbortedError):
                # It left with its whole answer: many clients hang up at ``[DONE]``.
                status, outcome, error_code = 200, flow.end.outcome, flow.end.code
            raise
        except Exception:
            logger.exception("decision %s failed", flow.id)
            failure = internal(flow.id)
            status, outcome, error_code = failure.status, Outcome.FAILED, failure.code
            return error_reply(failure, decision_headers(pipeline, flow))
    finally:
        await pipeline.finish(
            flow, method=client.method, path=client.path, status=status, outcome=outcome, error=error_code
        )


def _outcome(error: RouterError) -> Outcome:
    if error.status == 504:
        return Outcome.TIMED_OUT
    if error.code == "upstream_rate_limited":
        return Outcome.RATE_LIMITED
    return Outcome.FAILED if error.status == 502 else Outcome.REFUSED


async def _whole(client: Client, pipeline: Pipeline, flow: Flow, answer: Whole) -> Reply | None:
    flow.committed = pipeline.elapsed(flow)
    headers = decision_headers(pipeline, flow)
    if answer.event_stream:
        _as_stream(headers)
    else:
        headers["Content-Type"] = JSON
    reply = Reply(answer.status, headers, answer.body)
    if len(answer.body) <= _SENT_AT_ONCE_BYTES:
        return reply
    # Until the client has taken it, it has its place: answers that nobody reads would pile up otherwise.
    try:
        await client.send(reply)
    finally:
        if flow.job is not None:
            flow.job.waited += pipeline.elapsed(flow) - flow.committed
    return None


def _as_stream(headers: CIMultiDict[str]) -> None:
    headers["Cache-Control"] = "no-cache"
    headers["X-Accel-Buffering"] = "no"
    headers["Content-Type"] = "text/event-stream; charset=utf-8"


async def _stream(client: Client, pipeline: Pipeline, flow: Flow, begun: Begun) -> StreamEnd:
    headers = decision_headers(pipeline, flow)
    headers["x-fairlead-model"] = begun.running.entry.key
    headers["x-fairlead-attempts"] = str(len(begun.running.job.attempts) + 1)
    _as_stream(headers)
    try:
        stream = await client.open_stream(headers)
    except BaseException:
        await pipeline.discard(begun)
        raise
    try:
        # The error event tells of a cut; the framing stays whole and the connection open, or a pooled client's next
        # request, which nothing warned off, would meet a closed connection.
        return await pipeline.relay(flow, begun, stream.write, stream.write_eof)
    except ConnectionAbortedError:
        # The client is there and does not read; closing in the usual way would wait for it to take what is buffered.
        client.abort()
        raise
