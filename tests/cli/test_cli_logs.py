"""Log lines of a process: JSON with the keys of the access line, and levels by component."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest

from fairlead_cli.logs import JsonFormatter

SCRIPT = """
import logging, sys
from fairlead_cli.logs import configure_logging
configure_logging(sys.argv[1])
for name in ("fairlead.dispatch", "fairlead.http", "other"):
    for level in ("debug", "info", "warning"):
        logging.getLogger(name).log(getattr(logging, level.upper()), "hello", extra={"requestId": "r1"})
"""


def line(**fields: object) -> dict[str, object]:
    record = logging.LogRecord("fairlead.dispatch", logging.INFO, "p", 1, "said %s", ("this",), None)
    record.__dict__.update(fields)
    result: dict[str, object] = json.loads(JsonFormatter().format(record))
    return result


def test_a_line_has_the_fields_of_the_document() -> None:
    written = line(requestId="req-1", modelId="team/openai/gpt-4", latency=1250.5)
    assert written.pop("timestamp")
    assert written == {
        "level": "info",
        "service": "model-router",
        "component": "fairlead.dispatch",
        "message": "said this",
        "requestId": "req-1",
        "modelId": "team/openai/gpt-4",
        "latency": 1250.5,
    }


def test_a_line_that_is_about_no_request_names_none() -> None:
    assert line().keys() == {"timestamp", "level", "service", "component", "message"}


def test_a_timestamp_is_of_rfc_3339_and_utc() -> None:
    assert str(line(created=1_700_000_000.25)["timestamp"]) == "2023-11-14T22:13:20.250+00:00"


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ("info", {"fairlead.dispatch": ["info", "warning"], "other": ["info", "warning"]}),
        ("warning,fairlead.dispatch=debug", {"fairlead.dispatch": ["debug", "info", "warning"], "other": ["warning"]}),
    ],
)
def test_a_process_obeys_levels_by_component(levels: str, expected: dict[str, list[str]]) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, levels], capture_output=True, text=True, check=True)
    lines = [json.loads(each) for each in done.stderr.splitlines()]
    for component, wanted in expected.items():
        assert [each["level"] for each in lines if each["component"] == component] == wanted
