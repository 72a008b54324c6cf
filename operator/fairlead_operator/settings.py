"""Every setting of the operator, in one place, each from a flag or an environment variable."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields


class SettingError(ValueError):
    """A setting that cannot be used: names it and says what it takes."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How one operator process runs. Each field is the variable ``FAIRLEAD_<NAME>`` in capitals. Times are in seconds."""

    namespace: str = "fairlead-system"
    """Where the snapshot, the credentials and the Lease live."""
    watch_namespaces: tuple[str, ...] = ()
    """Namespaces to obey, comma-separated; empty: all of them. With a list the operator needs Roles only."""
    secret_namespaces: tuple[str, ...] = ()
    """Where labelled Secrets are looked for; ``*``: everywhere, which takes the right to read every Secret of the cluster.
    Empty: ``watch_namespaces``, or the platform namespaces if those are all."""
    platform_namespaces: tuple[str, ...] = ()
    """May set Override and Default and claim any workspace; empty: ``namespace`` alone."""
    default_namespace: str | None = None
    """Owns the workspaces that nobody claims."""
    snapshot_config_map: str = "fairlead-snapshot"
    """ConfigMap that is published."""
    credentials_secret: str = "fairlead-credentials"  # noqa: S105
    """Secret that is published beside it."""
    router_service: str = "fairlead-router"
    """Its EndpointSlices name the routers that are asked what they run."""
    router_admin_port: str = "admin"
    """Name of the admin port in those slices."""
    routers: tuple[str, ...] = ()
    """URLs of the routers' admin ports instead, for processes outside a cluster; one that does not answer is not ready."""
    lease_name: str = "fairlead-operator"
    """Lease by which replicas agree on a leader."""
    lease_duration: float = 15.0
    """How long a silent leader is respected."""
    identity: str = field(default_factory=lambda: f"{os.uname().nodename}-{os.getpid()}")
    """This replica in the Lease."""
    debounce: float = 0.1
    """Quiet time after a change before compiling."""
    debounce_max: float = 0.5
    """A change never waits longer than this for others."""
    resync: float = 15.0
    """Every kind is listed this often, to notice what a watch did not tell."""
    http_host: str = "0.0.0.0"  # noqa: S104 - probes come from the kubelet
    """Address that the port below is opened on."""
    http_port: int = 8080
    """``/livez``, ``/readyz`` and ``/metrics``."""
    log_level: str = "info"
    """``debug``, ``info``, ``warning`` or ``error``."""

    @property
    def platform(self) -> frozenset[str]:
        """Platform namespaces with their default."""
        return frozenset(self.platform_namespaces or (self.namespace,))

    @property
    def object_scopes(self) -> tuple[str | None, ...]:
        """Namespaces in which our kinds are watched; ``None`` stands for all."""
        return self.watch_namespaces or (None,)

    @property
    def secret_scopes(self) -> tuple[str | None, ...]:
        """Namespaces in which labelled Secrets are watched; ``None`` stands for all."""
        if "*" in self.secret_namespaces:
            return (None,)
        return self.secret_namespaces or self.watch_namespaces or tuple(sorted(self.platform | {self.namespace}))


def from_environment(environment: Mapping[str, str], **overrides: object) -> Settings:
    """Settings from ``FAIRLEAD_*`` variables; ``overrides`` (flags) win. Raises :class:`SettingError`."""
    values: dict[str, object] = {}
    for setting in fields(Settings):
        given = overrides.get(setting.name)
        if given is not None:
            values[setting.name] = given
            continue
        variable = "FAIRLEAD_" + setting.name.upper()
        text = environment.get(variable)
        if text:
            values[setting.name] = _convert(variable, setting.type, text)
    settings = Settings(**values)  # type: ignore[arg-type]
    if settings.debounce_max < settings.debounce:
        raise SettingError("FAIRLEAD_DEBOUNCE_MAX must not be smaller than FAIRLEAD_DEBOUNCE")
    if settings.lease_duration < 3:
        raise SettingError("FAIRLEAD_LEASE_DURATION takes at least 3 seconds")
    return settings


def names(text: str) -> tuple[str, ...]:
    """What stands between commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _convert(variable: str, kind: object, text: str) -> object:
    if kind == "tuple[str, ...]":
        return names(text)
    if kind not in {"int", "float"}:
        return text
    try:
        number = int(text) if kind == "int" else float(text)
    except ValueError:
        number = -1
    if not 0 <= number < math.inf:
        raise SettingError(f"{variable}={text!r}: takes a number of at least 0")
    return number
