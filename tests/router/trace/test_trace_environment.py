"""OpenTelemetry's standard variables as settings."""

from __future__ import annotations

import pytest

from fairlead_router.settings import SettingError, from_environment
from fairlead_router.trace.environment import opentelemetry_settings

BASE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/"}
TRACES, LOGS = "http://collector:4318/v1/traces", "http://collector:4318/v1/logs"


@pytest.mark.parametrize(
    ("environment", "settings"),
    [
        ({}, {}),
        (BASE, {"otlp_traces_endpoint": TRACES, "otlp_logs_endpoint": LOGS}),
        (BASE | {"OTEL_SDK_DISABLED": "true"}, {}),
        (BASE | {"OTEL_TRACES_EXPORTER": "none"}, {"otlp_logs_endpoint": LOGS}),
        (BASE | {"OTEL_LOGS_EXPORTER": "none"}, {"otlp_traces_endpoint": TRACES}),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://c/x"}, {"otlp_traces_endpoint": "https://c/x"}),
        ({"OTEL_TRACES_SAMPLER_ARG": "0.25"}, {"trace_sample_percent": 25.0}),
        ({"OTEL_TRACES_SAMPLER": "always_on"}, {"trace_sample_percent": 100.0, "trace_parent_based": False}),
        (
            {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"},
            {"trace_sample_percent": 50.0, "trace_parent_based": True},
        ),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, {"trace_sample_percent": 0.0, "trace_parent_based": True}),
    ],
)
def test_the_standard_variables_are_obeyed(environment: dict[str, str], settings: dict[str, object]) -> None:
    assert opentelemetry_settings(environment) == settings


@pytest.mark.parametrize(
    "environment",
    [
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"},
        BASE | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        BASE | {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"},
        BASE | {"OTEL_TRACES_EXPORTER": "zipkin"},
        {"OTEL_TRACES_SAMPLER": "jaeger_remote"},
        {"OTEL_TRACES_SAMPLER_ARG": "5"},
        {"OTEL_TRACES_SAMPLER_ARG": "nan"},
    ],
)
def test_what_cannot_be_obeyed_is_refused_by_the_name_of_its_variable(environment: dict[str, str]) -> None:
    with pytest.raises(SettingError, match="OTEL_"):
        from_environment(environment)


def test_our_own_variables_win() -> None:
    settings = from_environment(
        BASE
        | {
            "OTEL_TRACES_SAMPLER": "always_on",
            "FAIRLEAD_TRACE_SAMPLE_PERCENT": "0.5",
            "FAIRLEAD_DECISION_EVENTS": "both",
        }
    )
    assert (settings.otlp_traces_endpoint, settings.trace_sample_percent, settings.decision_events) == (
        TRACES,
        0.5,
        "both",
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FAIRLEAD_TRACE_SAMPLE_PERCENT", "101"),
        ("FAIRLEAD_TRACE_SAMPLE_PERCENT", "nan"),
        ("FAIRLEAD_DECISION_EVENTS", "some"),
        ("FAIRLEAD_LOG_LEVEL", "loud"),
        ("FAIRLEAD_LOG_LEVEL", "info,nobody=debug"),
    ],
)
def test_settings_of_telemetry_are_checked(variable: str, value: str) -> None:
    with pytest.raises(SettingError, match=variable):
        from_environment({variable: value})
