"""Every setting of the router, in one place, each from a flag or an environment variable."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class SettingError(ValueError):
    """A setting that cannot be used: names it and says what it takes."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How one router process runs. Each field is the variable ``FAIRLEAD_<NAME>`` in capitals."""

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
    log_level: str = "info"
    shutdown_seconds: float = 30.0
    """How long requests in flight may go on after SIGTERM."""


def from_environment(environment: Mapping[str, str], **overrides: object) -> Settings:
    """Settings from ``FAIRLEAD_*`` variables; ``overrides`` (flags) win. Raises :class:`SettingError`."""
    values: dict[str, object] = {}
    for setting in fields(Settings):
        name = setting.name
        given = overrides.get(name)
        if given is not None:
            values[name] = given
            continue
        variable = "FAIRLEAD_" + name.upper()
        text = environment.get(variable)
        if text is None and name == "port":
            variable, text = "PORT", environment.get("PORT")
        if text is None and name == "log_level":
            variable, text = "LOG_LEVEL", environment.get("LOG_LEVEL")
        if text is not None and text != "":
            values[name] = _convert(variable, name, text)
    return Settings(**values)  # type: ignore[arg-type]


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
        if (number := kind(text)) >= 0:
            return number
    raise ValueError(f"takes a {'whole ' if kind is int else ''}number of at least 0")


def _convert(variable: str, name: str, text: str) -> object:
    default = Settings.__dataclass_fields__[name].default
    try:
        if name == "allow_networks":
            return networks(text)
        if name in {"api_keys_file", "decision_log", "last_good_dir"}:
            return Path(text)
        if isinstance(default, bool):
            lowered = text.lower()
            if lowered not in {"true", "false", "1", "0"}:
                raise ValueError("takes true or false")
            return lowered in {"true", "1"}
        if isinstance(default, int | float):
            return _number(text, type(default))
    except ValueError as error:
        raise SettingError(f"{variable}={text!r}: {error}") from error
    return text
