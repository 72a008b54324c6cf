"""The client API: ``/v1``, health, the explanation of a request that is not sent, and the classification document's paths."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from fairlead_router.config.table import ModelEntry
from fairlead_router.dialect.operations import OPERATIONS
from fairlead_router.errors import RouterError, method_not_allowed, unknown_url
from fairlead_router.explain.requests import explain_request
from fairlead_router.http.bodies import read_body
from fairlead_router.http.callers import Caller
from fairlead_router.http.catalogue import serve_catalogue
from fairlead_router.http.classification import Desk, serve_classification
from fairlead_router.http.context import CONTEXT, Context
from fairlead_router.http.heads import expect
from fairlead_router.http.inference import serving
from fairlead_router.http.openapi.document import documents
from fairlead_router.http.openapi.handler import serves
from fairlead_router.http.responses import error_response, json_response
from fairlead_router.http.route import route
from fairlead_router.http.updates import update
from fairlead_router.match.match import AUTO

_METHODS = {
    "/v1/models": "GET",
    **dict.fromkeys(("/api/routing/test", "/classify", "/route", "/update"), "POST"),
    **dict.fromkeys(("/info", "/status", "/models"), "GET"),
    **dict.fromkeys(("/health", "/health/ready", "/health/detailed", "/healthz", "/openapi.json"), "GET"),
    **{f"/v1/{operation.path}": "POST" for operation in OPERATIONS.values()},
}
_READ_BELOW = ("/v1/models/", "/models/", "/metrics/")


def make_public_app(context: Context) -> web.Application:
    """The application on the client port."""
    app = web.Application(client_max_size=context.settings.max_body_bytes)
    app[CONTEXT] = context
    app.on_response_prepare.append(context.leaving.on_response_prepare)
    for operation in OPERATIONS.values():
        app.router.add_post(f"/v1/{operation.path}", serving(operation), expect_handler=expect)
    app.router.add_get("/v1/models", list_models, allow_head=False)
    app.router.add_get("/v1/models/{model:.+}", get_model, allow_head=False)
    app.router.add_post("/api/routing/test", routing_test, expect_handler=expect)
    app.router.add_post("/route", route, expect_handler=expect)
    app.router.add_post("/update", update, expect_handler=expect)
    serve_classification(
        app,
        Desk(
            context.classifier,
            context.pipeline.identifier,
            context.pipeline.admission,
            context.settings.body_seconds,
            context.version,
        ),
    )
    serve_catalogue(app)
    app.router.add_get("/health", health)
    app.router.add_get("/health/ready", health_ready)
    app.router.add_get("/health/detailed", health_detailed)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/openapi.json", serves(documents()["openapi.json"]))
    app.router.add_route("*", "/{path:.*}", unknown_path)
    return app


async def list_models(request: web.Request) -> web.Response:
    """``GET /v1/models``: what the caller's workspace may name."""
    try:
        caller = Caller.of(request.app[CONTEXT].pipeline, request.headers)
    except RouterError as error:
        return error_response(error)
    models = [_model(AUTO, None)] if caller.may_say_auto else []
    models += [_model(caller.name_of(entry), entry) for entry in caller.models() if caller.may_call(entry)]
    return json_response({"object": "list", "data": models})


async def get_model(request: web.Request) -> web.Response:
    """``GET /v1/models/{model}``, by any name that a request may give."""
    wanted = request.match_info["model"]
    try:
        caller = Caller.of(request.app[CONTEXT].pipeline, request.headers)
        if wanted == AUTO and caller.may_say_auto:
            return json_response(_model(AUTO, None))
        return json_response(_model(wanted, caller.find(wanted, in_use=True)))
    except RouterError as error:
        return error_response(error)


async def routing_test(request: web.Request) -> web.Response:
    """``POST /api/routing/test``: what would be decided, with every reason; nobody is called."""
    context = request.app[CONTEXT]
    try:
        Caller.of(context.pipeline, request.headers)  # Nobody else's body is read.
        admission = context.pipeline.admission
        body = await read_body(request, admission, seconds=context.settings.body_seconds)
        try:
            # The same bounds as for a request that is served, without standing in line: no question keeps anybody waiting.
            with admission.place():
                return json_response(await explain_request(context.pipeline, request.headers, body))
        finally:
            admission.buffers.give_back(len(body))
    except RouterError as error:
        return error_response(error)


async def health(request: web.Request) -> web.Response:
    """The process serves HTTP."""
    return json_response(_health(request.app[CONTEXT], "healthy"))


async def healthz(request: web.Request) -> web.Response:
    """The process serves HTTP, in three bytes."""
    return web.Response(text="ok\n")


async def health_ready(request: web.Request) -> web.Response:
    """A table runs, in every worker, and the router is not about to end. Never depends on API server, store or provider."""
    context = request.app[CONTEXT]
    if context.leaving.announced:
        return json_response(_health(context, "stopping"), 503)
    ready = context.pipeline.receiver.ready and not context.wait_for_all
    return json_response(_health(context, "ready" if ready else "not ready"), 200 if ready else 503)


async def health_detailed(request: web.Request) -> web.Response:
    """Every component by name; ``degraded`` names what works less well than it should."""
    context = request.app[CONTEXT]
    pipeline = context.pipeline
    receiver = pipeline.receiver
    breakers = pipeline.breakers.snapshot(pipeline.now())
    rejected = receiver.rejected
    body = _health(context, "degraded" if context.degraded or not receiver.ready else "healthy")
    body["checks"] = {
        "configuration": {
            "ready": receiver.ready,
            "epoch": receiver.table.used.epoch,
            "revision": receiver.table.used.revision,
            "source": None if receiver.applied is None else receiver.applied.source,
            "policies": len(receiver.table.policies),
            "models": len(receiver.table.models),
            "lastRejected": None if rejected is None else {"reason": rejected.reason, "message": rejected.message},
        },
        "requests": {"inFlight": pipeline.admission.in_flight, "refused": pipeline.admission.refused},
        "breakers": {key: view.state for key, view in sorted(breakers.items()) if view.state != "Closed"},
        "endpoints": {
            f"{each.provider}@{each.name}": each.state
            async for each in pipeline.endpoint_conditions()
            if each.state not in {"Healthy", "Unknown"}
        },
    }
    body["degraded"] = context.degraded
    return json_response(body)


async def unknown_path(request: web.Request) -> web.Response:
    """404 or 405 in the shape clients understand."""
    below = any(request.path.startswith(above) and request.path != above for above in _READ_BELOW)
    method = "GET" if below else _METHODS.get(request.path)
    if method is not None:
        response = error_response(method_not_allowed(request.path, method, request.method))
        response.headers["Allow"] = method
        return response
    return error_response(unknown_url(request.method, request.path))


def _health(context: Context, status: str) -> dict[str, object]:
    return {
        "status": status,
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "service": "model-router",
        "version": context.version,
    }


def _model(name: str, entry: ModelEntry | None) -> dict[str, object]:
    owner = "fairlead" if entry is None else entry.ref.provider
    model: dict[str, object] = {"id": name, "object": "model", "created": 0, "owned_by": owner}
    if entry is not None and entry.model.display_name is not None:
        model["display_name"] = entry.model.display_name
    if entry is not None and entry.model.tags:
        model["tags"] = entry.model.tags
    return model
