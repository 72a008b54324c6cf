"""Builds responses: JSON, errors in OpenAI's shape, the headers every answer carries."""

from __future__ import annotations

import math

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from fairlead_router.dialect.openai_error import openai_error_body
from fairlead_router.errors import RouterError
from fairlead_router.flow import Flow
from fairlead_router.http.client import Reply, to_response
from fairlead_router.pipeline import Pipeline

JSON = "application/json"


def json_response(value: object, status: int = 200) -> web.Response:
    """``value`` as JSON."""
    return web.Response(body=msgspec.json.encode(value), status=status, content_type=JSON)


def decision_headers(pipeline: Pipeline, flow: Flow) -> CIMultiDict[str]:
    """The headers that tell a client what became of its request."""
    headers: CIMultiDict[str] = CIMultiDict({"x-fairlead-decision": flow.id, "x-request-id": flow.id})
    if flow.policy is not None:
        headers["x-fairlead-policy"] = flow.policy.fragment.key
    job = flow.job
    if job is not None:
        running = job.selection.plan[0] if job.chosen is None and job.selection.plan else job.chosen
        if running is not None:
            headers["x-fairlead-model"] = running.key
        headers["x-fairlead-attempts"] = str(len(job.attempts))
    if flow.ticket is not None:
        headers.update(flow.ticket.headers())
    headers["x-fairlead-overhead-ms"] = f"{pipeline.overhead_milliseconds(flow):.3f}"
    return headers


def error_reply(error: RouterError, headers: CIMultiDict[str] | None = None) -> Reply:
    """The one place where a :class:`RouterError` becomes HTTP."""
    headers = CIMultiDict() if headers is None else headers
    headers["Content-Type"] = JSON
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_seconds)))
    return Reply(error.status, headers, openai_error_body(error), close=error.status in {408, 413})


def error_response(error: RouterError) -> web.Response:
    """:func:`error_reply` for aiohttp."""
    return to_response(error_reply(error))
