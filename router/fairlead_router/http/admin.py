"""The operators' view: metrics, the running configuration, and what became of a request."""

from __future__ import annotations

from aiohttp import web

from fairlead_router.errors import decision_not_kept
from fairlead_router.explain.decisions import explain_decision
from fairlead_router.explain.words import decision_in_words
from fairlead_router.http.context import CONTEXT, Context
from fairlead_router.http.endpoint_health import endpoint_health
from fairlead_router.http.log_levels import serve_log_levels
from fairlead_router.http.openapi.document import documents
from fairlead_router.http.openapi.handler import serves
from fairlead_router.http.responses import error_response, json_response
from fairlead_router.record.metrics import Metrics


def make_admin_app(context: Context) -> web.Application:
    """The application on the admin port, which no public Service names."""
    app = web.Application()
    app[CONTEXT] = context
    serve_log_levels(app, context.settings.log_level)
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/-/config", config)
    app.router.add_get("/-/health", endpoint_health)
    app.router.add_get("/-/decisions", decisions)
    app.router.add_get("/-/decisions/{id}", decision)
    app.router.add_get("/openapi.json", serves(documents()["openapi-admin.json"]))
    return app


async def metrics(request: web.Request) -> web.Response:
    """Prometheus text format."""
    recorder = request.app[CONTEXT].recorder
    return web.Response(body=recorder.render_metrics(), headers={"Content-Type": Metrics.content_type})


async def config(request: web.Request) -> web.Response:
    """Which snapshot runs since when, what was refused last, which credentials are missing, and what is in force.

    No secret value is in it. ``?brief=true`` leaves out what is in force: the operator asks often.
    """
    context = request.app[CONTEXT]
    receiver = context.pipeline.receiver
    table, rejected = receiver.table, receiver.rejected
    running = {
        "epoch": table.used.epoch,
        "revision": table.used.revision,
        "digest": table.used.digest,
        "source": None if receiver.applied is None else receiver.applied.source,
        "appliedAt": None if receiver.applied is None else receiver.applied.at,
        "buildSeconds": None if receiver.applied is None else receiver.applied.build_seconds,
        "lastRejected": rejected,
        "lastOfferRuns": receiver.last_offer_runs,
        "doors": context.doors.report(),
        "pending": table.pending,
    }
    if request.query.get("brief") == "true":
        return json_response(running)
    return json_response(
        {
            **running,
            "policies": [policy.fragment for policy in table.policies],
            "providers": [provider.fragment for _, provider in sorted(table.providers.items())],
            "workspaces": [rules for _, rules in sorted(table.workspaces.items())],
            "tenancy": table.tenancy,
            "findings": context.findings,
        }
    )


async def decisions(request: web.Request) -> web.Response:
    """Ids of the newest decisions."""
    return json_response({"decisions": request.app[CONTEXT].recorder.latest(100)})


async def decision(request: web.Request) -> web.Response:
    """One decision: the record and its explanation, as JSON or (``Accept: text/plain``) in words."""
    context = request.app[CONTEXT]
    wanted = request.match_info["id"]
    record = context.recorder.find(wanted)
    if record is None:
        return error_response(decision_not_kept(wanted, context.settings.decision_buffer))
    explained = explain_decision(context.pipeline.receiver.table, record)
    if "text/plain" in request.headers.get("accept", ""):
        return web.Response(text=decision_in_words(explained))
    return json_response(explained)
