"""Every metric of the router: its name, what it means, its labels, its buckets. ``docs/observability.md`` is made from it.

Names come from three places: the model-router-service document (``model_router_*``), OpenTelemetry's conventions for
generative AI in Prometheus' spelling (``gen_ai_*``, with the buckets that they prescribe), and our own (``fairlead_*``).
Label values are names of declared objects and fixed words, never what a client says.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

_DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_OVERHEADS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
_GEN_AI_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_GEN_AI_TOKENS = tuple(4**power for power in range(14))
_FIRST_TOKEN = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_OUTPUT_TOKEN = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5)

_TARGET = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "server_address", "server_port")
_SERVED = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")


class MetricType(Enum):
    """Prometheus' types."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One metric as it is declared."""

    name: str
    """Without the suffix ``_total`` of a counter."""
    type: MetricType
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def exposed_name(self) -> str:
        """As it is written at ``/metrics``."""
        return f"{self.name}_total" if self.type is MetricType.COUNTER else self.name


def _counter(name: str, help_: str, *labels: str) -> MetricSpec:
    return MetricSpec(name, MetricType.COUNTER, help_, labels)


def _gauge(name: str, help_: str, *labels: str) -> MetricSpec:
    return MetricSpec(name, MetricType.GAUGE, help_, labels)


def _histogram(name: str, help_: str, buckets: tuple[float, ...], *labels: str) -> MetricSpec:
    return MetricSpec(name, MetricType.HISTOGRAM, help_, labels, buckets)


class Metric(Enum):
    """All of them."""

    REQUESTS = _counter(
        "model_router_requests", "Requests answered, by the model that answered and the HTTP status.", "model", "status"
    )
    REQUEST_DURATION = _histogram(
        "model_router_request_duration_seconds",
        "Time from a request's arrival to the end of its answer.",
        _DURATIONS,
        "model",
    )
    HEALTH_SCORE = _gauge(
        "model_router_model_health_score",
        "0 to 1: how far an endpoint of a model can be relied on. 0 while its circuit breaker is open or active "
        "checks find it unhealthy, at most 0.5 while it is half open, else the share of recent calls that worked.",
        "model",
        "endpoint",
    )
    RULE_MATCHES = _counter("model_router_routing_rule_matches", "Requests decided by a RoutingPolicy.", "policy")

    GEN_AI_OPERATION_DURATION = _histogram(
        "gen_ai_client_operation_duration_seconds",
        "Time of one call to a provider (OpenTelemetry: gen_ai.client.operation.duration). error_type is empty for a "
        "call that worked.",
        _GEN_AI_SECONDS,
        *_TARGET,
        "error_type",
    )
    GEN_AI_TOKEN_USAGE = _histogram(
        "gen_ai_client_token_usage",
        "Billable tokens of one call to a provider (OpenTelemetry: gen_ai.client.token.usage), where the provider said "
        "how many.",
        _GEN_AI_TOKENS,
        *_TARGET,
        "gen_ai_token_type",
    )
    GEN_AI_REQUEST_DURATION = _histogram(
        "gen_ai_server_request_duration_seconds",
        "Time of one request as its client saw it (OpenTelemetry: gen_ai.server.request.duration), retries and "
        "fallbacks included.",
        _GEN_AI_SECONDS,
        *_SERVED,
        "error_type",
    )
    GEN_AI_FIRST_TOKEN = _histogram(
        "gen_ai_server_time_to_first_token_seconds",
        "Time from a request's arrival to the first event of its streamed answer (OpenTelemetry: "
        "gen_ai.server.time_to_first_token).",
        _FIRST_TOKEN,
        *_SERVED,
    )
    GEN_AI_OUTPUT_TOKEN = _histogram(
        "gen_ai_server_time_per_output_token_seconds",
        "Mean time per token after the first of a streamed answer (OpenTelemetry: gen_ai.server.time_per_output_token).",
        _OUTPUT_TOKEN,
        *_SERVED,
    )

    OVERHEAD = _histogram("fairlead_overhead_seconds", "Time a request spent in the router itself.", _OVERHEADS)
    ATTEMPTS = _counter("fairlead_attempts", "Calls to providers, by how they ended.", "model", "outcome")
    FALLBACKS = _counter(
        "fairlead_fallbacks",
        "Requests that went on to another model than with all well, by why: a cause as in fallbacks[].on, Broken "
        "(breakers or checks kept them from those that come first), or Other.",
        "policy",
        "cause",
    )
    RETRIES_WITHHELD = _counter(
        "fairlead_retries_withheld", "Retries that found no room in the retry budget of their provider.", "provider"
    )
    TOKENS = _counter("fairlead_tokens", "Billable tokens.", "model", "direction")
    COST = _counter("fairlead_cost_usd", "Cost of all attempts, in dollars.", "model")
    CACHE_REQUESTS = _counter(
        "fairlead_cache_requests", "Requests of policies with a cache, by what it had for them.", "result"
    )
    CACHE_BYTES = _counter(
        "fairlead_cache_bytes", "Bytes of answers kept (stored) or given again (served).", "direction"
    )
    CACHE_FAULTS = _counter(
        "fairlead_cache_faults",
        "Faults of what keeps answers: unreadable (changed, or sealed with another key), slow, unreachable, crowded.",
        "fault",
    )
    IDEMPOTENT_REQUESTS = _counter(
        "fairlead_idempotent_requests", "Requests with an Idempotency-Key, by what became of them.", "result"
    )
    CLASSIFICATIONS = _counter(
        "fairlead_classifications",
        "Texts classified, by who named the category (Rules, Learned, Agreement) and by why the rules decided alone "
        "although they were not sure (none: they were, or were not alone).",
        "path",
        "fallback",
    )
    CLASSIFICATION_DURATION = _histogram(
        "fairlead_classification_duration_seconds", "Time of one classification, waiting included.", _OVERHEADS, "path"
    )
    CLASSIFIER_QUEUE = _gauge("fairlead_classifier_queue", "Texts that wait for the learned classifier.")
    CLASSIFIER_BATCH_SIZE = _histogram(
        "fairlead_classifier_batch_size", "Texts given to the learned classifier in one go.", (1, 2, 4, 8, 16, 32, 64)
    )
    CLASSIFIER_CACHE = _counter(
        "fairlead_classifier_cache",
        "Texts that the rules were not sure of, by where the learned classifier's answer was found: process, store, "
        "shared (the same text was under way), miss.",
        "result",
    )
    CLASSIFIER_BUNDLE = _gauge("fairlead_classifier_bundle_info", "1 for the bundle in force.", "digest")
    CLASSIFIER_LOADS = _counter(
        "fairlead_classifier_loads",
        "Bundles and files of rules that were new, by whether they are in force (loaded) or not (refused).",
        "part",
        "result",
    )
    IN_FLIGHT = _gauge("fairlead_requests_in_flight", "Requests being served.")
    QUEUED = _gauge("fairlead_requests_queued", "Requests that wait for a place.")
    QUEUE_WAIT = _histogram(
        "fairlead_queue_wait_seconds", "Time that requests waited for a place, of those that had to.", _DURATIONS
    )
    BUFFERED_BYTES = _gauge("fairlead_buffered_bytes", "Request bodies held in memory.")
    REFUSED = _counter("fairlead_requests_refused", "Requests and connections refused for want of room.", "reason")

    CONFIG_EPOCH = _gauge("fairlead_config_epoch", "Epoch of the running snapshot.")
    CONFIG_REVISION = _gauge("fairlead_config_revision", "Revision of the running snapshot.")
    CONFIG_RELOAD_SUCCESS = _gauge(
        "fairlead_config_last_reload_success", "1 if the last snapshot offered runs, 0 if it was refused."
    )
    CONFIG_PENDING_CREDENTIALS = _gauge(
        "fairlead_config_pending_credentials",
        "Secret values that the running snapshot names and that have not arrived; their providers wait.",
    )
    CONFIG_SOURCE_CONNECTED = _gauge(
        "fairlead_config_source_connected", "1 if the door reaches its source of snapshots, 0 if not.", "door"
    )
    CONFIG_AGE = _gauge("fairlead_config_age_seconds", "Time since the API server last confirmed what is published.")
    CONFIG_REJECTIONS = _counter(
        "fairlead_config_rejections", "Snapshots refused since the start; the running table stayed.", "reason"
    )

    STORE_AVAILABLE = _gauge("fairlead_store_available", "1 if the shared state store answers, 0 if not.")
    STORE_OWED = _gauge(
        "fairlead_store_owed_usd", "Money of ended requests that the state store was not told yet, in dollars."
    )
    BREAKER_SHARING_LAG = _gauge(
        "fairlead_breaker_sharing_lag_seconds",
        "How old at most what this router knows of the breakers of others is.",
    )

    DEGRADED = _gauge(
        "fairlead_degraded", "1 for each named state in which something works less well than it should.", "component"
    )
    LINES_DROPPED = _counter("fairlead_log_lines_dropped", "Lines that no reader took.")
    TELEMETRY_EXPORTED = _counter(
        "fairlead_telemetry_exported",
        "Requests with their spans (traces), and decision events (events), that a collector took.",
        "signal",
    )
    TELEMETRY_DROPPED = _counter(
        "fairlead_telemetry_dropped",
        "Requests (traces) and decision events (events) given up: the queue was full, or no collector took them.",
        "signal",
    )
    SERIES_OVERFLOWED = _counter(
        "fairlead_metric_overflows",
        "Values counted under the label value '_overflow', because the metric had as many series as it may have.",
        "metric",
    )
