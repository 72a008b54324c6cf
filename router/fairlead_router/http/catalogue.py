"""``/status``, ``/models`` and ``/metrics/…``: what the router knows of the models that a caller may use.

The paths and words of the classification document; nothing here decides anything.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web

from fairlead_contract.fragments import Price
from fairlead_router.account.cost import price_at
from fairlead_router.config.table import ModelEntry
from fairlead_router.errors import RouterError
from fairlead_router.http.callers import Caller
from fairlead_router.http.context import CONTEXT, Context
from fairlead_router.http.responses import error_response, json_response
from fairlead_router.pipeline import Pipeline

_MICRO = 1_000_000


class ListedModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model as it is declared."""

    id: str
    """The shortest name by which the caller may call it."""
    key: str
    """``namespace/provider/model``."""
    provider: str
    display_name: str
    status: str
    """``active``, ``inactive`` or ``deprecated``."""
    type: str
    capabilities: tuple[str, ...]
    context_window_tokens: int | None
    max_output_tokens: int | None
    compliance: tuple[str, ...]
    tags: tuple[str, ...]


def serve_catalogue(app: web.Application) -> None:
    """Add the paths to ``app``."""
    app.router.add_get("/status", status, allow_head=False)
    app.router.add_get("/models", list_models, allow_head=False)
    app.router.add_get("/models/{id:.+}", one_model, allow_head=False)
    app.router.add_get("/metrics/models", list_metrics, allow_head=False)
    app.router.add_get("/metrics/{id:.+}", one_metrics, allow_head=False)


def listed(caller: Caller, entry: ModelEntry) -> ListedModel:
    """``entry`` as ``caller`` sees it."""
    model = entry.model
    return ListedModel(
        id=caller.name_of(entry),
        key=entry.key,
        provider=entry.ref.provider,
        display_name=model.display_name or model.name,
        status=model.state.lower(),
        type=model.type,
        capabilities=model.capabilities,
        context_window_tokens=model.context_window_tokens,
        max_output_tokens=model.max_output_tokens,
        compliance=model.compliance,
        tags=model.tags,
    )


async def status(request: web.Request) -> web.Response:
    """``GET /status``: how many models there are for the caller, since when, and from where."""
    context = request.app[CONTEXT]
    try:
        caller = Caller.of(context.pipeline, request.headers)
    except RouterError as error:
        return error_response(error)
    models = caller.models()
    receiver = context.pipeline.receiver
    applied = receiver.applied
    sources = {each.value for each in context.doors.open} | ({applied.source} if applied else set())
    return json_response(
        {
            "status": "degraded" if context.degraded or not receiver.last_offer_runs else "operational",
            "total_models": len(models),
            "active_models": sum(entry.model.state != "Inactive" for entry in models),
            "last_sync": None if applied is None else _time(applied.at),
            "data_sources": sorted(sources),
        }
    )


async def list_models(request: web.Request) -> web.Response:
    """``GET /models``: those in use and those that are not."""
    try:
        caller = Caller.of(request.app[CONTEXT].pipeline, request.headers)
    except RouterError as error:
        return error_response(error)
    return json_response({"models": [listed(caller, entry) for entry in caller.models()]})


async def one_model(request: web.Request) -> web.Response:
    """``GET /models/{id}``, by any name that a request may give."""
    try:
        caller = Caller.of(request.app[CONTEXT].pipeline, request.headers)
        return json_response(listed(caller, caller.find(request.match_info["id"], in_use=False)))
    except RouterError as error:
        return error_response(error)


async def list_metrics(request: web.Request) -> web.Response:
    """``GET /metrics/models``: every model with its prices and what was measured of it."""
    context = request.app[CONTEXT]
    try:
        caller = Caller.of(context.pipeline, request.headers)
    except RouterError as error:
        return error_response(error)
    return json_response({"models": [_metrics(context, caller, entry) for entry in caller.models()]})


async def one_metrics(request: web.Request) -> web.Response:
    """``GET /metrics/{id}``, by any name that a request may give."""
    context = request.app[CONTEXT]
    try:
        caller = Caller.of(context.pipeline, request.headers)
        entry = caller.find(request.match_info["id"], in_use=False)
    except RouterError as error:
        return error_response(error)
    return json_response(_metrics(context, caller, entry))


def _metrics(context: Context, caller: Caller, entry: ModelEntry) -> dict[str, Any]:
    model = listed(caller, entry)
    pipeline: Pipeline = context.pipeline
    condition = pipeline.model_condition(entry)
    return {
        "id": model.id,
        "key": model.key,
        "provider": model.provider,
        "display_name": model.display_name,
        "status": model.status,
        "prices": _prices(price_at(entry.model, pipeline.unix_now())),
        "endpoints": condition.endpoints,
        "mean_output_tokens": condition.mean_output_tokens,
    }


def _prices(price: Price | None) -> dict[str, Any] | None:
    """Dollars, of the price that holds now; ``None``: none is known."""
    if price is None:
        return None
    return {
        "effective_time": _time(price.effective_at),
        "input_usd_per_million_tokens": price.input / _MICRO,
        "output_usd_per_million_tokens": price.output / _MICRO,
        "cached_input_usd_per_million_tokens": (price.input if price.cached_input is None else price.cached_input)
        / _MICRO,
        "request_usd": price.request / _MICRO,
    }


def _time(unix_seconds: float) -> str:
    return datetime.fromtimestamp(unix_seconds, UTC).isoformat().replace("+00:00", "Z")
