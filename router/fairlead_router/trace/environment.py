"""What OpenTelemetry's standard environment variables say, as settings of the router. Pure.

Source: OpenTelemetry specification, "Environment Variable Specification" and "OTLP Exporter". Headers, timeout, compression,
certificates and resource attributes are read by the SDK itself.
"""

from __future__ import annotations

from collections.abc import Mapping

_PROTOCOL = "http/protobuf"


def opentelemetry_settings(environment: Mapping[str, str]) -> dict[str, object]:
    """Values by name of the setting, only of what is said. Raises ``ValueError`` naming the variable."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return {}
    values: dict[str, object] = {}
    for signal, setting, exporter in (
        ("TRACES", "otlp_traces_endpoint", "OTEL_TRACES_EXPORTER"),
        ("LOGS", "otlp_logs_endpoint", "OTEL_LOGS_EXPORTER"),
    ):
        endpoint = _endpoint(environment, signal, exporter)
        if endpoint is not None:
            values[setting] = endpoint
    return values | _sampler(environment)


def _endpoint(environment: Mapping[str, str], signal: str, exporter: str) -> str | None:
    wanted = environment.get(exporter, "otlp").strip() or "otlp"
    if wanted != "otlp":
        if wanted != "none":
            raise ValueError(f"{exporter}={wanted!r}: this router exports by otlp, or none")
        return None
    for variable, path in (
        (f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", ""),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", f"/v1/{signal.lower()}"),
    ):
        text = environment.get(variable, "").strip()
        if not text:
            continue
        if not text.startswith(("http://", "https://")):
            raise ValueError(f"{variable}={text!r}: takes a URL that begins with http:// or https://")
        for name in (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
            protocol = environment.get(name, "").strip()
            if protocol and protocol != _PROTOCOL:
                raise ValueError(f"{name}={protocol!r}: this router speaks {_PROTOCOL}, usually on port 4318")
            if protocol:
                break
        return text.rstrip("/") + path if path else text
    return None


def _sampler(environment: Mapping[str, str]) -> dict[str, object]:
    variable = "OTEL_TRACES_SAMPLER"
    name = environment.get(variable, "").strip()
    argument = environment.get("OTEL_TRACES_SAMPLER_ARG", "").strip()
    if not name:
        return {"trace_sample_percent": _percent(argument)} if argument else {}
    kind = name.removeprefix("parentbased_")
    if kind not in {"always_on", "always_off", "traceidratio"}:
        raise ValueError(
            f"{variable}={name!r}: takes always_on, always_off or traceidratio, each also with parentbased_ before it"
        )
    percent = {"always_on": 100.0, "always_off": 0.0}.get(kind)
    if percent is None:
        percent = _percent(argument) if argument else 100.0
    return {"trace_sample_percent": percent, "trace_parent_based": kind != name}


def _percent(argument: str) -> float:
    try:
        ratio = float(argument)
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio <= 1:
        raise ValueError(f"OTEL_TRACES_SAMPLER_ARG={argument!r}: takes a ratio from 0 to 1")
    return ratio * 100
