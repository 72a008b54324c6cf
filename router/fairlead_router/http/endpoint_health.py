"""``GET /-/health`` on the admin port: how each endpoint of each provider fares, as this router sees it."""

from __future__ import annotations

from aiohttp import web

from fairlead_router.http.context import CONTEXT
from fairlead_router.http.responses import json_response


async def endpoint_health(request: web.Request) -> web.Response:
    """Every declared endpoint with its state, score, breaker, latency, errors and what active checks found.

    ``retriesWithheld``: how many retries found no room in their provider's budget since the process began.
    """
    pipeline = request.app[CONTEXT].pipeline
    endpoints = [each async for each in pipeline.endpoint_conditions()]
    return json_response({"endpoints": endpoints, "retriesWithheld": pipeline.retries_withheld})
