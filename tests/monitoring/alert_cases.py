"""For each alert: series with which it fires, and series that come close and must not raise it.

Series are in promtool's notation: ``0+6x60`` is a counter that grows by six a minute, ``1x60`` a gauge that stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Series = Mapping[str, str]

AT = 'namespace="ns"'
ROUTER = f'{AT},instance="r1"'
OTHER = f'{AT},instance="r2"'
MODEL = f'{ROUTER},model="team/acme/small"'
OPERATOR = f'{AT},instance="o1"'
STANDBY = f'{AT},instance="o2"'


@dataclass(frozen=True, slots=True)
class Case:
    """``fires``: the labels that the alert has, besides its name and severity."""

    alert: str
    loud: Series
    quiet: Series
    fires: str = AT
    after: str = "60m"


def requests(status: int, values: str) -> dict[str, str]:
    return {f'model_router_requests_total{{{MODEL},status="{status}"}}': values}


def served(error: str, values: str) -> dict[str, str]:
    name = "gen_ai_server_request_duration_seconds_count"
    return {f'{name}{{{ROUTER},gen_ai_request_model="small",error_type="{error}"}}': values}


def attempts(outcome: str, values: str) -> dict[str, str]:
    return {f'fairlead_attempts_total{{{MODEL},outcome="{outcome}"}}': values}


def matched(values: str) -> dict[str, str]:
    return {f'model_router_routing_rule_matches_total{{{ROUTER},policy="team/route"}}': values}


def fell_back(cause: str, values: str) -> dict[str, str]:
    return {f'fairlead_fallbacks_total{{{ROUTER},policy="team/route",cause="{cause}"}}': values}


def health(model: str, endpoint: str, values: str, at: str = ROUTER) -> dict[str, str]:
    return {f'model_router_model_health_score{{{at},model="{model}",endpoint="{endpoint}"}}': values}


def gauge(name: str, values: str, labels: str = ROUTER) -> dict[str, str]:
    return {f"{name}{{{labels}}}": values}


def overhead(slow: str) -> dict[str, str]:
    bucket = f"fairlead_overhead_seconds_bucket{{{ROUTER},le="
    return {
        f'{bucket}"0.05"}}': "0+60x80",
        f'{bucket}"0.1"}}': slow,
        f'{bucket}"+Inf"}}': slow,
        f"fairlead_overhead_seconds_count{{{ROUTER}}}": slow,
    }


PROVIDER = f'{AT},provider="team/acme"'
FOREVER = "1x60"
_EPOCH, _REVISION = "fairlead_config_epoch", "fairlead_config_revision"
_LISTED = "fairlead_operator_last_list_timestamp_seconds"
_PUBLICATIONS = "fairlead_operator_publications_total"

CASES = [
    # Objective: 2 % fail, against one in a thousand, which is allowed for ever.
    Case(
        "FairleadErrorBudgetBurnsFast",
        requests(200, "0+980x120") | requests(502, "0+20x120"),
        requests(200, "0+9990x120") | requests(502, "0+10x120"),
    ),
    Case(
        "FairleadErrorBudgetBurnsSlowly",
        requests(200, "0+9960x60") | requests(503, "0+40x60"),
        requests(200, "0+9995x60") | requests(503, "0+5x60"),
    ),
    Case(
        "FairleadRouterWithoutConfiguration",
        gauge(_EPOCH, "0x60") | gauge(_REVISION, "0x60"),
        gauge(_EPOCH, "0x60") | gauge(_REVISION, "7x60"),
        fires=ROUTER,
    ),
    Case(
        "FairleadConfigurationRefused",
        gauge("fairlead_config_last_reload_success", "1x30 0x30"),
        gauge("fairlead_config_last_reload_success", "1x59 0"),
        fires=ROUTER,
    ),
    Case(
        "FairleadConfigurationStale",
        gauge("fairlead_config_age_seconds", "0+60x60"),
        gauge("fairlead_config_age_seconds", "0+60x14 0+60x14 0+60x14 0+60x14 0+60x14"),
        fires=ROUTER,
    ),
    Case(
        "FairleadRouterDisconnected",
        gauge("fairlead_config_source_connected", "0x60", f'{ROUTER},door="api"'),
        gauge("fairlead_config_source_connected", "0x60", f'{ROUTER},door="last-good"'),
        fires=f'{ROUTER},door="api"',
    ),
    Case(
        "FairleadRoutersDisagree",
        gauge(_REVISION, "5x60") | gauge(_REVISION, "6x60", OTHER) | gauge(_EPOCH, "1x60"),
        gauge(_REVISION, "5x50 6x10") | gauge(_REVISION, "5x47 6x13", OTHER),
    ),
    Case(
        "FairleadCredentialsPending",
        gauge("fairlead_config_pending_credentials", "2x60"),
        gauge("fairlead_config_pending_credentials", "0x57 1x3"),
        fires=ROUTER,
    ),
    Case(
        "FairleadOperatorGone",
        gauge(_EPOCH, FOREVER),
        gauge(_EPOCH, FOREVER) | gauge("fairlead_operator_leader", "0x60", OPERATOR),
    ),
    Case(
        "FairleadOperatorWithoutLeader",
        gauge("fairlead_operator_leader", "0x60", OPERATOR) | gauge("fairlead_operator_leader", "0x60", STANDBY),
        gauge("fairlead_operator_leader", "0x60", OPERATOR) | gauge("fairlead_operator_leader", "1x60", STANDBY),
    ),
    Case(
        "FairleadOperatorTwoLeaders",
        gauge("fairlead_operator_leader", "1x60", OPERATOR) | gauge("fairlead_operator_leader", "1x60", STANDBY),
        gauge("fairlead_operator_leader", "1x59 1", OPERATOR) | gauge("fairlead_operator_leader", "0x59 1", STANDBY),
    ),
    Case(
        "FairleadOperatorCannotRead",
        gauge(_LISTED, "60x60", OPERATOR),
        gauge(_LISTED, "0+60x60", OPERATOR),
        fires=OPERATOR,
    ),
    Case(
        "FairleadPublishingFails",
        gauge(_PUBLICATIONS, "0+1x60", f'{OPERATOR},result="failed"'),
        gauge(_PUBLICATIONS, "0x55 2x5", f'{OPERATOR},result="failed"')
        | gauge(_PUBLICATIONS, "0+9x60", f'{OPERATOR},result="published"'),
    ),
    Case(  # the series appears with the first defect
        "FairleadCompilationFails",
        gauge(_PUBLICATIONS, "_x50 1x10", f'{OPERATOR},result="defect"'),
        gauge(_PUBLICATIONS, "1x60", f'{OPERATOR},result="defect"'),
    ),
    Case(
        "FairleadRoutersUnreachable",
        gauge("fairlead_operator_routers", "2x60", f'{OPERATOR},state="unreachable"'),
        gauge("fairlead_operator_routers", "2x60", f'{OPERATOR},state="reachable"'),
    ),
    Case(
        "FairleadOperatorSeesNoRouters",
        gauge("fairlead_operator_leader", "1x60", OPERATOR)
        | gauge("fairlead_operator_routers", "0x60", f'{OPERATOR},state="reachable"'),
        gauge("fairlead_operator_leader", "0x60", OPERATOR)
        | gauge("fairlead_operator_routers", "0x60", f'{OPERATOR},state="reachable"'),
        fires=OPERATOR,
    ),
    Case(
        "FairleadHistoryLost",
        gauge("fairlead_operator_history_losses_total", "0x50 1x10", OPERATOR),
        gauge("fairlead_operator_history_losses_total", "1x60", OPERATOR),
    ),
    Case(
        "FairleadSnapshotNearLimit",
        gauge("fairlead_operator_snapshot_bytes", "650000x60", OPERATOR),
        gauge("fairlead_operator_snapshot_bytes", "430000x60", OPERATOR),
    ),
    Case(
        "FairleadDeletionsMissed",
        gauge(
            "fairlead_operator_list_corrections_total",
            "0+1x60",
            f'{OPERATOR},resource="secrets",what="phantoms"',
        ),
        gauge("fairlead_operator_list_corrections_total", "0+1x60", f'{OPERATOR},resource="secrets",what="added"'),
        fires=f'{AT},resource="secrets"',
    ),
    Case(
        "FairleadStatusNotWritten",
        gauge("fairlead_operator_status_writes_total", "0+2x60", f'{OPERATOR},result="failed"'),
        gauge("fairlead_operator_status_writes_total", "0+90x60", f'{OPERATOR},result="written"'),
    ),
    Case(
        "FairleadProviderDown",
        health("team/acme/small", "main", "0x60") | health("team/acme/large", "main", "0x60"),
        health("team/acme/small", "main", "0x60") | health("team/acme/large", "main", "1x60"),
        fires=PROVIDER,
    ),
    Case(  # when everything of a provider is down, one alert says so
        "FairleadEndpointDown",
        health("team/acme/small", "main", "0x60") | health("team/acme/small", "backup", "1x60"),
        health("team/acme/small", "main", "0x60") | health("team/acme/small", "main", "1x60", OTHER),
        fires=f'{PROVIDER},model="team/acme/small",endpoint="main"',
    ),
    Case(
        "FairleadProviderErrors",
        attempts("Succeeded", "0+50x60") | attempts("Failed", "0+5x60") | attempts("TimedOut", "0+5x60"),
        attempts("Succeeded", "0+50x60") | attempts("Failed", "0+2x60") | attempts("RateLimited", "0+9x60"),
        fires=PROVIDER,
    ),
    Case(
        "FairleadProviderRateLimits",
        attempts("Succeeded", "0+50x60") | attempts("RateLimited", "0+30x60"),
        attempts("Succeeded", "0+50x60") | attempts("Failed", "0+30x60"),
        fires=PROVIDER,
    ),
    Case(
        "FairleadRateLimitsReachClients",
        served("", "0+50x60") | served("upstream_rate_limited", "0+10x60"),
        served("", "0+50x60") | served("upstream_error", "0+10x60"),
    ),
    Case(
        "FairleadFurtherTriesFrequent",
        served("", "0+60x60") | attempts("Succeeded", "0+60x60") | attempts("Failed", "0+30x60"),
        served("", "0+60x60") | attempts("Succeeded", "0+60x60") | attempts("Failed", "0+6x60"),
    ),
    Case(
        "FairleadFallbacksFrequent",
        matched("0+60x60") | fell_back("Error", "0+10x60") | fell_back("Broken", "0+10x60"),
        matched("0+60x60") | fell_back("Error", "0+10x60"),
        fires=f'{AT},policy="team/route"',
    ),
    Case(
        "FairleadRetriesWithheld",
        gauge("fairlead_retries_withheld_total", "0+60x60", f'{ROUTER},provider="team/acme"'),
        gauge("fairlead_retries_withheld_total", "0+1x60", f'{ROUTER},provider="team/acme"'),
        fires=PROVIDER,
    ),
    Case(  # the operator is still there, the routers are not
        "FairleadRoutersGone",
        gauge("fairlead_operator_leader", "1x60", OPERATOR) | gauge(_EPOCH, "1x30 _x30"),
        gauge("fairlead_operator_leader", "1x60", OPERATOR) | gauge(_EPOCH, "0x60"),
    ),
    Case(
        "FairleadRequestsRefused",
        gauge("fairlead_requests_refused_total", "0+60x60", f'{ROUTER},reason="queue_full"'),
        gauge("fairlead_requests_refused_total", "0+1x60", f'{ROUTER},reason="queue_full"'),
        fires=f'{AT},reason="queue_full"',
    ),
    Case(
        "FairleadRequestsQueue",
        gauge("fairlead_requests_queued", "3x60"),
        gauge("fairlead_requests_queued", "3x7 0 3x7 0 3x7 0 3x7 0 3x7 0 3x7 0 3x7"),
    ),
    Case("FairleadOverheadHigh", overhead("0+70x80"), overhead("0+61x80")),
    Case(  # FairleadStoreAway speaks of the store, and hides nothing else
        "FairleadDegraded",
        gauge("fairlead_degraded", "1x60", f'{ROUTER},component="classifier"')
        | gauge("fairlead_store_available", "0x60"),
        gauge("fairlead_degraded", "1x60", f'{ROUTER},component="store"') | gauge("fairlead_store_available", "0x60"),
        fires=f'{ROUTER},component="classifier"',
    ),
    Case(
        "FairleadStoreAway",
        gauge("fairlead_store_available", "0x60"),
        gauge("fairlead_store_available", "1x59 0"),
        fires=ROUTER,
    ),
    Case(
        "FairleadClassifierFallsBack",
        gauge("fairlead_classifications_total", "0+30x60", f'{ROUTER},path="Rules",fallback="DeadlineExceeded"')
        | gauge("fairlead_classifications_total", "0+60x60", f'{ROUTER},path="Learned",fallback="none"'),
        gauge("fairlead_classifications_total", "0+30x60", f'{ROUTER},path="Rules",fallback="none"')
        | gauge("fairlead_classifications_total", "0+2x60", f'{ROUTER},path="Rules",fallback="QueueFull"'),
    ),
    Case(
        "FairleadTelemetryDropped",
        gauge("fairlead_telemetry_dropped_total", "0+6x60", f'{ROUTER},signal="traces"')
        | gauge("fairlead_telemetry_exported_total", "0+60x60", f'{ROUTER},signal="traces"'),
        gauge("fairlead_telemetry_dropped_total", "6x60", f'{ROUTER},signal="traces"')
        | gauge("fairlead_telemetry_exported_total", "0+60x60", f'{ROUTER},signal="traces"'),
        fires=f'{AT},signal="traces"',
    ),
    Case(
        "FairleadLogLinesDropped",
        gauge("fairlead_log_lines_dropped_total", "0x50 40x10"),
        gauge("fairlead_log_lines_dropped_total", "40x60"),
    ),
    Case(
        "FairleadMetricsOverflow",
        gauge("fairlead_metric_overflows_total", "0x30 5x30", f'{ROUTER},metric="fairlead_attempts_total"'),
        gauge("fairlead_metric_overflows_total", "0x60", f'{ROUTER},metric="fairlead_attempts_total"'),
        fires=f'{AT},metric="fairlead_attempts_total"',
    ),
    Case(
        "FairleadCacheFaulty",
        gauge("fairlead_cache_faults_total", "0+60x60", f'{ROUTER},fault="slow"'),
        gauge("fairlead_cache_faults_total", "0+1x60", f'{ROUTER},fault="slow"'),
        fires=f'{AT},fault="slow"',
    ),
]
