"""Every setting of the router, in one place, each from a flag or an environment variable."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from urllib.parse import urlsplit

from fairlead_learning.verdict import DEFAULT_ERROR_PERCENT
from fairlead_router.cores import worker_count
from fairlead_router.record.log_levels import parse_levels
from fairlead_router.trace.environment import opentelemetry_settings

_PATHS = frozenset(
    {
        "api_keys_file",
        "cache_key_file",
        "classifier_bundle",
        "classifier_bundles_dir",
        "classifier_rules",
        "decision_log",
        "last_good_dir",
        "redis_password_file",
        "redis_sentinel_password_file",
    }
)
_OTHER_NAMES = {
    "port": "PORT",
    "redis_url": "REDIS_URL",
    "log_level": "LOG_LEVEL",
    "classifier_url": "CLASSIFIER_URL",
    "classifier_cache_ttl_seconds": "CACHE_TTL",
}
"""Variables that the source documents name, read where ours is not set."""
_AT_LEAST_ONE = frozenset({"classifier_batch", "classifier_queue", "classifier_threads"})
_PORTS, _LAST_PORT = frozenset({"port", "admin_port"}), 65535
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class SettingError(ValueError):
    """A setting that cannot be used: names it and says what it takes."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How one router process runs. Each field is the variable ``FAIRLEAD_<NAME>`` in capitals."""

    workers: int = 1
    """Router processes on the same port; limits and sizes hold for each. ``auto``: one for each core."""
    host: str = "0.0.0.0"  # noqa: S104 - a server in a pod; the chart's Services and NetworkPolicies decide who reaches it
    port: int = 3003
    """Port of the client API. ``PORT`` is read too, as the service document has it."""
    admin_host: str = "127.0.0.1"
    admin_port: int = 9090
    """Metrics, running configuration and decisions; never part of the public Service."""
    snapshot_config_map: str = "fairlead-snapshot"
    """ConfigMap that the operator publishes, followed with ``--kubernetes``."""
    credentials_secret: str = "fairlead-credentials"  # noqa: S105 - a name
    """Secret beside it."""
    snapshot_namespace: str | None = None
    """Where both are. ``None``: the pod's own namespace."""
    last_good_dir: Path | None = None
    """Folder that keeps the snapshot that runs, with its credentials, for the next start. Best in memory (tmpfs)."""
    api_keys_file: Path | None = None
    """Static API keys (JSON). ``None``: requests are anonymous and state their facts in headers."""
    default_workspace: str = "default"
    """Workspace of a request that names none."""
    max_body_bytes: int = 10 * 1024 * 1024
    max_concurrent_requests: int = 1000
    """Requests in service; more wait in line."""
    max_queued_requests: int = 1000
    """Requests that wait; more are refused. 0: nobody waits."""
    queue_seconds: float = 10.0
    """How long a request may wait in line."""
    anonymous_max_priority: str = "normal"
    """What a client without an API key may say of its priority at most: ``low``, ``normal`` or ``high``."""
    max_buffered_bytes: int = 256 * 1024 * 1024
    """All request bodies together that are in memory at the same time."""
    body_seconds: float = 60.0
    """How long the body of a request may take to arrive."""
    head_seconds: float = 10.0
    """How long the head of a request may take to arrive, from its first byte on."""
    stalled_seconds: float = 20.0
    """How long a client that is sent to may take hardly anything before it is hung up on."""
    max_connections: int = 8192
    """Connections of clients, on each port."""
    max_connections_per_address: int = 0
    """Connections of one client address; 0 for no limit, as behind a load balancer."""
    max_header_bytes: int = 8190
    """The request line, and each header."""
    max_headers: int = 100
    max_response_bytes: int = 64 * 1024 * 1024
    """Largest answer that is held in memory (not streamed)."""
    max_event_bytes: int = 4 * 1024 * 1024
    """Largest single event of a stream."""
    max_upstream_connections: int = 1000
    allow_networks: tuple[Network, ...] = ()
    """Networks, otherwise refused (loopback, link-local, metadata), that providers may have addresses in."""
    decision_buffer: int = 2000
    """Decisions kept in memory for ``/-/decisions``."""
    decision_log: Path | None = None
    """File to which decision records are appended as JSON lines."""
    access_log: bool = True
    draw_key: str | None = field(default=None, repr=False)
    """Key of all draws and of user hashes; the same for all routers. ``None``: random at each start."""
    cache_key: str | None = field(default=None, repr=False)
    """What keeps answers sealed; the same for all routers of one store, at least 32 characters. ``None``: a draw key as long,
    or, in a store of this process alone, a random one. A new key forgets all answers kept."""
    cache_key_file: Path | None = None
    """File that holds it instead, as a mounted Secret does."""
    cache_max_entry_bytes: int = 256 * 1024
    """Largest answer that the response cache keeps."""
    cache_wait_seconds: float = 10.0
    """How long a request waits for the answer to the same one, which is under way, before it goes itself."""
    cache_store_seconds: float = 0.1
    """How long the store may take to find or keep an answer; then the request goes on without, and the store is left alone
    for a second."""
    idempotency: bool = True
    """Whether ``Idempotency-Key`` is honoured; the answers of requests that have one are kept, sealed, for a while."""
    idempotency_ttl_seconds: float = 3600.0
    """How long they are kept."""
    idempotency_max_bytes: int = 1024 * 1024
    """Largest of them; a repeat of a request with a larger answer is refused."""
    idempotency_wait_seconds: float = 30.0
    """How long a repeat waits for the first request, before it is told to come again."""
    classifier: str = "auto"
    """When the learned classifier is loaded. ``auto``: once a policy matches by what a request is about, or somebody asks;
    ``always``: at the start; ``off``: never, rules classify alone."""
    classifier_bundle: Path | None = None
    """Folder of the classifier's bundle. ``None``: the one in force in ``classifier_bundles_dir``, or else the one that comes
    with the package."""
    classifier_bundles_dir: Path | None = None
    """Folder in which ``fairlead bundle`` keeps versions of the bundle."""
    classifier_rules: Path | None = None
    """JSON file that adds categories, rules and examples to the classifier's own."""
    classifier_url: str | None = None
    """Address of a process that classifies what the rules are not sure of, such as ``http://classifier:3010``; nothing is
    loaded then. ``CLASSIFIER_URL`` is read too."""
    classifier_deadline_seconds: float = 0.05
    """How long a request waits for the learned classifier before the rules decide alone."""
    classifier_queue: int = 256
    """Texts that may wait for it; for more the rules decide alone at once."""
    classifier_batch: int = 16
    """Texts that it is given in one go at most; fewer, where so many would take more than a quarter of the deadline."""
    classifier_threads: int = 1
    """Threads that work on one text."""
    classifier_cache_ttl_seconds: float = 3600.0
    """How long its answers are kept, by a keyed hash of the text; 0: they are not. ``CACHE_TTL`` is read too."""
    classifier_error_percent: float = DEFAULT_ERROR_PERCENT
    """How often the right category may be missing among those that cannot be excluded."""
    otlp_traces_endpoint: str | None = None
    """URL that takes spans over OTLP/HTTP, such as ``http://collector:4318/v1/traces``. ``None``: nothing is traced."""
    otlp_logs_endpoint: str | None = None
    """URL that takes log events over OTLP/HTTP, such as ``http://collector:4318/v1/logs``."""
    trace_sample_percent: float = 1.0
    """Share of the traces that begin here."""
    trace_trust_clients: bool = True
    """Whether a client's ``traceparent`` is gone on with. Turn it off where clients are strangers."""
    trace_parent_based: bool = True
    """Whether a ``traceparent`` that is trusted also decides whether its request is sampled."""
    decision_events: str = "traces"
    """Where ``routeiq.router_decision.v1`` goes: ``none``, ``traces`` (on sampled spans), ``logs``, or ``both``."""
    decision_event_percent: float = 100.0
    """Share of the decisions that are sent as log events."""
    redis_url: str | None = field(default=None, repr=False)
    """State store that all routers share: ``redis://``, ``rediss://``, ``unix://`` or
    ``redis+sentinel://HOST:PORT,HOST:PORT/SERVICE/DB``. ``REDIS_URL`` is read too. ``None``: kept in process."""
    redis_password_file: Path | None = None
    """File with the password; wins over one in the URL."""
    redis_sentinel_password_file: Path | None = None
    redis_prefix: str = "fairlead"
    """What keys begin with; each installation on one Redis has its own."""
    redis_connect_seconds: float = 1.0
    redis_operation_seconds: float = 0.25
    """The longest that a request waits for the state store."""
    redis_max_connections: int = 16
    store_required: bool = False
    """Whether to refuse to start while the state store does not answer, instead of serving without it."""
    replicas: int = 1
    """Routers of this installation on all machines. More than one need ``redis_url``, or:"""
    allow_unshared_store: bool = False
    """Whether several routers may run, degraded, without a store that they share."""
    log_level: str = "info"
    """A level, and levels of single components: ``info,fairlead.dispatch=debug``."""
    shutdown_seconds: float = 30.0
    """How long requests in flight may go on once no new ones are taken."""
    drain_seconds: float = 0.0
    """How long new requests are still taken after SIGTERM, while readiness says no: until load balancers have noticed."""


def from_environment(environment: Mapping[str, str], **overrides: object) -> Settings:
    """Settings from ``FAIRLEAD_*`` variables; ``overrides`` (flags) win. Raises :class:`SettingError`."""
    values = _opentelemetry(environment)
    for setting in fields(Settings):
        name = setting.name
        given = overrides.get(name)
        if given is not None:
            number = isinstance(given, int | float) and not isinstance(given, bool)
            values[name] = _convert("--" + name.replace("_", "-"), name, str(given)) if number else given
            continue
        variable = "FAIRLEAD_" + name.upper()
        text = environment.get(variable)
        if text is None and name in _OTHER_NAMES:
            variable = _OTHER_NAMES[name]
            text = environment.get(variable)
        if text is not None and text != "":
            values[name] = _convert(variable, name, text)
    return Settings(**values)  # type: ignore[arg-type]


def _opentelemetry(environment: Mapping[str, str]) -> dict[str, object]:
    try:
        return opentelemetry_settings(environment)
    except ValueError as error:
        raise SettingError(str(error)) from error


def networks(text: str) -> tuple[Network, ...]:
    """Comma-separated CIDR networks; ``loopback`` stands for both loopback networks. Raises ``ValueError``."""
    result: list[Network] = []
    for item in (part.strip() for part in text.split(",")):
        if item == "loopback":
            result += [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")]
        elif item:
            result.append(ipaddress.ip_network(item))
    return tuple(result)


def _number(text: str, kind: type[int] | type[float]) -> int | float:
    """Raises ``ValueError``."""
    with suppress(ValueError):
        if 0 <= (number := kind(text)) < math.inf:
            return number
    raise ValueError(f"takes a {'whole ' if kind is int else ''}number of at least 0")


def _check_url(text: str) -> None:
    """Raises ``ValueError``."""
    url = urlsplit(text)
    _ = url.port  # Raises as well.
    if url.scheme not in {"http", "https"} or not url.hostname or url.query or url.fragment or url.username:
        raise ValueError("takes an address such as http://classifier:3010, without credentials, query or fragment")


def _convert(variable: str, name: str, text: str) -> object:
    default = Settings.__dataclass_fields__[name].default
    try:
        if name == "workers":
            return worker_count(text)
        if name == "allow_networks":
            return networks(text)
        if name in _PATHS:
            return Path(text)
        if isinstance(default, bool):
            lowered = text.lower()
            if lowered not in {"true", "false", "1", "0"}:
                raise ValueError("takes true or false")
            return lowered in {"true", "1"}
        if name == "anonymous_max_priority" and text not in {"low", "normal", "high"}:
            raise ValueError("takes low, normal or high")
        if name == "redis_prefix" and (not text.isprintable() or set("{} ") & set(text)):
            raise ValueError("takes printable characters other than braces and spaces")
        if name == "decision_events" and text not in {"none", "traces", "logs", "both"}:
            raise ValueError("takes none, traces, logs or both")
        if name == "classifier" and text not in {"auto", "always", "off"}:
            raise ValueError("takes auto, always or off")
        if name == "classifier_url":
            _check_url(text)
        if name in _PORTS and _number(text, int) > _LAST_PORT:
            raise ValueError(f"takes the number of a port, at most {_LAST_PORT}")
        if name in _AT_LEAST_ONE and _number(text, int) < 1:
            raise ValueError("takes a whole number of at least 1")
        if name == "log_level":
            parse_levels(text)
        if name.endswith("_percent") and (not (percent := _number(text, float)) <= 100):
            raise ValueError(f"takes a percentage, at most 100, not {percent:g}")
        if isinstance(default, int | float):
            return _number(text, type(default))
    except ValueError as error:
        raise SettingError(f"{variable}={text!r}: {error}") from error
    return text
