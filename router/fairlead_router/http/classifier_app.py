"""The two applications of a classifier that runs as a process of its own: it classifies, and knows no models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiohttp import web

from fairlead_router.classify.info import ClassifierState
from fairlead_router.errors import method_not_allowed, not_served
from fairlead_router.http.classification import Desk, serve_classification
from fairlead_router.http.leaving import Leaving
from fairlead_router.http.responses import error_response, json_response
from fairlead_router.record.metrics import Metrics

_GET = ("/info", "/health", "/health/ready", "/healthz")
_METHODS = {"/classify": "POST", **dict.fromkeys(_GET, "GET")}
_ADMIN_METHODS = {"/metrics": "GET"}
_NOT_YET = frozenset({ClassifierState.NOT_LOADED, ClassifierState.LOADING})


@dataclass(frozen=True, slots=True)
class ClassifierContext:
    """Everything that its handlers may need."""

    desk: Desk
    metrics: Metrics
    degraded: dict[str, str]
    leaving: Leaving = field(default_factory=Leaving)


_CONTEXT = web.AppKey("classifier_context", ClassifierContext)


def make_classifier_app(context: ClassifierContext, *, max_body_bytes: int) -> web.Application:
    """The application that routers and other clients ask."""
    app = web.Application(client_max_size=max_body_bytes)
    app[_CONTEXT] = context
    app.on_response_prepare.append(context.leaving.on_response_prepare)
    serve_classification(app, context.desk)
    app.router.add_get("/health", health)
    app.router.add_get("/health/ready", ready)
    app.router.add_get("/healthz", healthz)
    app.router.add_route("*", "/{path:.*}", unknown_path)
    return app


def make_classifier_admin_app(context: ClassifierContext) -> web.Application:
    """The application on the admin port."""
    app = web.Application()
    app[_CONTEXT] = context
    app.router.add_get("/metrics", metrics)
    app.router.add_route("*", "/{path:.*}", unknown_admin_path)
    return app


async def health(request: web.Request) -> web.Response:
    """The process serves HTTP; ``degraded`` names what works less well than it should."""
    context = request.app[_CONTEXT]
    return _report(context, "degraded" if context.degraded else "healthy", 200)


async def ready(request: web.Request) -> web.Response:
    """It knows whether there is a learned classifier, and is not about to end. Without one the rules answer."""
    context = request.app[_CONTEXT]
    if context.leaving.announced:
        return _report(context, "stopping", 503)
    if context.desk.classifier.info().state in _NOT_YET:
        return _report(context, "not ready", 503)
    return _report(context, "ready", 200)


async def healthz(request: web.Request) -> web.Response:
    """The process serves HTTP, in three bytes."""
    return web.Response(text="ok\n")


async def metrics(request: web.Request) -> web.Response:
    """Prometheus text format."""
    return web.Response(body=request.app[_CONTEXT].metrics.render(), headers={"Content-Type": Metrics.content_type})


async def unknown_path(request: web.Request) -> web.Response:
    """404 or 405 in the shape clients understand."""
    return _unknown(request, _METHODS, "POST /classify and GET /info")


async def unknown_admin_path(request: web.Request) -> web.Response:
    """As :func:`unknown_path`."""
    return _unknown(request, _ADMIN_METHODS, "GET /metrics")


def _unknown(request: web.Request, methods: Mapping[str, str], served: str) -> web.Response:
    method = methods.get(request.path)
    if method is None:
        return error_response(not_served(request.method, request.path, served))
    response = error_response(method_not_allowed(request.path, method, request.method))
    response.headers["Allow"] = method
    return response


def _report(context: ClassifierContext, status: str, code: int) -> web.Response:
    return json_response(
        {
            "status": status,
            "timestamp": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "service": "classifier",
            "version": context.desk.version,
            "classifier": context.desk.classifier.info().state,
            "degraded": context.degraded,
        },
        code,
    )
