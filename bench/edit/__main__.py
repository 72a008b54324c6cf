"""An edited file and the requests after it: ``python -m bench.edit [--edits N] [--json FILE] [--strict]``."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import tempfile
import time
from pathlib import Path

from bench.proxy.processes import Server, router
from bench.report import Report, percentile

_BODY = json.dumps({"model": "auto", "max_tokens": 1, "messages": [{"role": "user", "content": "Which way?"}]})
_PROVIDER = """
apiVersion: fairlead.dev/v1alpha1
kind: ModelProvider
metadata: {name: sim}
spec:
  type: Simulated
  simulated: {firstByteMilliseconds: 0, perTokenMilliseconds: 0}
  models: [{name: one}, {name: two}]
"""
_POLICY = """
apiVersion: fairlead.dev/v1alpha1
kind: RoutingPolicy
metadata: {name: route}
spec:
  strategy: Priority
  targets: [{name: only, modelRef: {providerRef: {name: sim}, model: %s}}]
"""
_PATIENCE_SECONDS = 10.0


def main() -> int:
    """Measure, print, and say with the exit status whether a goal was missed, if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=100)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a goal is missed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "resources"
        folder.mkdir()
        (folder / "provider.yaml").write_text(_PROVIDER)
        _write(folder, "one")
        with router(("--resources", str(folder)), Path(place), on=set(os.sched_getaffinity(0))) as server:
            delays, failed = _edit(server, folder, options.edits)
    report = Report(f"From a write to the first request that obeys it, {len(delays)} edits")
    report.add("p50", percentile(delays, 50), "ms")
    report.add("p99", percentile(delays, 99), "ms", at_most=200)
    report.add("max", max(delays), "ms")
    report.add("failed requests", failed, at_most=0)
    return report.publish(options.json, strict=options.strict)


def _edit(server: Server, folder: Path, edits: int) -> tuple[list[float], int]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    delays, failed = [], 0
    for number in range(edits):
        wanted = ("two", "one")[number % 2]
        _write(folder, wanted)
        written = time.perf_counter()
        while True:
            connection.request("POST", "/v1/chat/completions", _BODY, {"Content-Type": "application/json"})
            response = connection.getresponse()
            body = response.read()
            waited = time.perf_counter() - written
            if response.status != 200:
                failed += 1
            elif json.loads(body)["model"] == wanted:
                delays.append(waited * 1000)
                break
            if waited > _PATIENCE_SECONDS:
                raise RuntimeError(f"edit {number} did not take effect within {_PATIENCE_SECONDS:.0f} s")
    return delays, failed


def _write(folder: Path, model: str) -> None:
    draft = folder / ".policy.tmp"
    draft.write_text(_POLICY % model)
    draft.replace(folder / "policy.yaml")


if __name__ == "__main__":
    raise SystemExit(main())
