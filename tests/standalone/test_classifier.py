"""``fairlead classifier`` and a router that asks it, as two processes: while one is away the other serves all the same."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fairlead_cli.classifier import add_parser, read_settings
from fairlead_router.settings import SettingError, Settings
from tests.standalone.running import FAIRLEAD, ROOT, Serving, free_port, serving, wait_for

UNSURE = "lantern harbour quiet seven"
"""No rule is sure of it."""
RESOURCES = """
apiVersion: fairlead.dev/v1alpha1
kind: ModelProvider
metadata: {name: sim}
spec:
  type: Simulated
  simulated: {firstByteMilliseconds: 0, perTokenMilliseconds: 0, outputTokens: 3}
  models: [{name: coder}, {name: other}]
---
apiVersion: fairlead.dev/v1alpha1
kind: RoutingPolicy
metadata: {name: coding}
spec:
  priority: 1
  match: {categories: [coding]}
  strategy: Priority
  targets: [{name: only, modelRef: {providerRef: {name: sim}, model: coder}}]
---
apiVersion: fairlead.dev/v1alpha1
kind: RoutingPolicy
metadata: {name: rest}
spec:
  strategy: Priority
  targets: [{name: only, modelRef: {providerRef: {name: sim}, model: other}}]
"""


@contextmanager
def classifier(port: int, admin_port: int, log: Path) -> Iterator[Serving]:
    """A classifier on ``port``, ready to answer; ended with SIGTERM."""
    command = [str(FAIRLEAD), "classifier", "--host", "127.0.0.1", "--port", str(port), "--admin-port", str(admin_port)]
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=ROOT)
    running = Serving(process, port, admin_port, log)
    try:
        wait_for(lambda: running.get("/health/ready")[0] == 200 or process.poll() is not None, "the classifier")
        assert process.poll() is None, log.read_text()
        yield running
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with classifier(free_port(), free_port(), tmp_path_factory.mktemp("classifier") / "log") as running:
        yield running


def test_it_classifies_and_says_what_it_is(alone: Serving) -> None:
    status, said = alone.post("/classify", {"prompt": "Create a beautiful poem about nature"})
    assert (status, said["primary_use_case"]) == (200, "creative_writing")
    status, info = alone.get("/info")
    assert (status, "coding" in info["categories"]) == (200, True)
    assert alone.get("/health/ready")[1]["status"] == "ready"
    assert alone.get("/health")[1]["service"] == "classifier"


@pytest.mark.parametrize(("path", "status"), [("/v1/models", 404), ("/classify", 405), ("/nothing", 404)])
def test_it_serves_nothing_else_and_says_what_it_serves(alone: Serving, path: str, status: int) -> None:
    found, said = alone.get(path)
    assert (found, "/classify" in said["error"]["message"]) == (status, True)


def test_its_admin_port_serves_metrics_alone_and_says_so(alone: Serving) -> None:
    found, said = alone.get("/healthz", admin=True)
    assert (found, said["error"]["code"]) == (404, "unknown_url")
    assert "GET /metrics" in said["error"]["message"]


def test_its_metrics_count_what_it_classified(alone: Serving) -> None:
    alone.post("/classify", {"prompt": "Create a beautiful poem about nature"})
    with urllib.request.urlopen(f"http://127.0.0.1:{alone.admin_port}/metrics", timeout=20) as response:
        text = response.read().decode()
    assert 'fairlead_classifications_total{fallback="none",path="Rules"}' in text.replace(" ", "").replace(
        'path="Rules",fallback="none"', 'fallback="none",path="Rules"'
    )


def test_its_texts_are_in_no_log(alone: Serving) -> None:
    alone.post("/classify", {"prompt": "an unmistakable prompt"})
    alone.post("/classify", b'{"prompt": "an unmistakable prompt", "x": 1}')
    assert "unmistakable" not in alone.log.read_text()


def test_a_router_goes_on_with_rules_while_its_classifier_is_away_and_comes_back_to_it(tmp_path: Path) -> None:
    folder = tmp_path / "resources"
    folder.mkdir()
    (folder / "all.yaml").write_text(RESOURCES)
    port, admin_port, log = free_port(), free_port(), tmp_path / "classifier.log"
    options = ("--resources", str(folder))
    # A deadline that a busy machine meets too.
    environment = {"CLASSIFIER_URL": f"http://127.0.0.1:{port}", "FAIRLEAD_CLASSIFIER_DEADLINE_SECONDS": "2"}
    environment |= {"FAIRLEAD_CLASSIFIER_CACHE_TTL_SECONDS": "0"}
    with serving(*options, log=tmp_path / "router.log", **environment) as router:
        assert router.get("/info")[1]["state"] == "Remote"
        with classifier(port, admin_port, log) as asked:
            wanted = _judgement(_classified(asked))
            assert wanted["fallback"] != "Failed"
            wait_for(lambda: _decided(router) == wanted, "the router to say what the classifier says")
            asked.process.send_signal(signal.SIGKILL)
            asked.process.wait()
            assert _decided(router)["fallback"] == "Failed"
        wait_for(lambda: "classifier" in router.get("/health/detailed")[1]["degraded"], "the loss to be named")
        with classifier(port, admin_port, log):
            wait_for(lambda: _decided(router) == wanted, "the router to ask the classifier again")
            assert "classifier" not in router.get("/health/detailed")[1]["degraded"]


def _classified(process: Serving) -> dict[str, Any]:
    headers = {"Accept": "application/vnd.fairlead.classification+json"}
    status, said = process.post("/classify", {"prompt": UNSURE}, headers)
    assert status == 200
    return dict(said)


def _judgement(classification: dict[str, Any]) -> dict[str, Any]:
    names = ("category", "path", "fallback", "bundleDigest", "probabilities")
    return {name: classification.get(name) for name in names}


def _decided(router: Serving) -> dict[str, Any]:
    """What the record of a request, which must not fail, has of its classification."""
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": UNSURE}]}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{router.port}/v1/chat/completions", body)
    with urllib.request.urlopen(request, timeout=20) as response:
        decision = response.headers["x-fairlead-decision"]
    found = wait_for(
        lambda: (answer := router.get(f"/-/decisions/{decision}", admin=True))[0] == 200 and answer[1], "the record"
    )
    assert isinstance(found, dict)
    return _judgement(found["record"]["classification"])


def test_sigterm_is_obeyed_after_what_is_under_way(tmp_path: Path) -> None:
    with classifier(free_port(), free_port(), tmp_path / "log") as running:
        running.process.terminate()
        assert running.process.wait(timeout=20) == 0


SETTINGS: list[tuple[str, dict[str, str], dict[str, Any]]] = [
    ("nothing", {}, {"port": 5001, "classifier": "always", "redis_url": None, "classifier_cache_ttl_seconds": 3600.0}),
    ("the document's", {"REDIS_HOST": "redis", "REDIS_PORT": "6380", "CACHE_TTL": "60", "PORT": "5000"}, {
        "redis_url": "redis://redis:6380", "classifier_cache_ttl_seconds": 60.0, "port": 5000,
    }),
    ("a host alone", {"REDIS_HOST": "::1"}, {"redis_url": "redis://[::1]:6379"}),
    ("what Kubernetes sets", {"REDIS_HOST": "redis", "REDIS_PORT": "tcp://10.0.0.1:6379"}, {"redis_url": "redis://redis:6379"}),
    ("ours win", {"FAIRLEAD_REDIS_URL": "redis://a", "REDIS_HOST": "b", "FAIRLEAD_CLASSIFIER": "off"}, {
        "redis_url": "redis://a", "classifier": "off",
    }),
    ("a port alone is none", {"REDIS_PORT": "tcp://10.0.0.1:6379"}, {"redis_url": None}),
    ("asking on", {"CLASSIFIER_URL": "http://classifier:5000"}, {"classifier_url": None}),
]  # fmt: skip


@pytest.mark.parametrize(("environment", "wanted"), [case[1:] for case in SETTINGS], ids=[case[0] for case in SETTINGS])
def test_its_settings_are_a_router_s_and_the_document_s(environment: dict[str, str], wanted: dict[str, Any]) -> None:
    settings = _read(environment)
    assert {name: getattr(settings, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("host", "port", "says"),
    [
        ("redis", "many", "REDIS_PORT='many'"),
        ("redis", "65536", "REDIS_PORT='65536'"),
        ("redis:6379", "6379", "REDIS_HOST='redis:6379'.*REDIS_PORT"),
        ("redis://redis", "6379", "REDIS_HOST='redis://redis'"),
    ],
)
def test_a_redis_that_cannot_be_is_refused_by_name(host: str, port: str, says: str) -> None:
    with pytest.raises(SettingError, match=says):
        _read({"REDIS_HOST": host, "REDIS_PORT": port})


def test_a_level_that_is_none_is_refused_before_anything_starts() -> None:
    said = subprocess.run(
        [str(FAIRLEAD), "classifier", "--log-level", "loud"], capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stderr.count("\n")) == (2, 1)
    assert said.stderr.startswith("fairlead classifier: 'loud' is no level")


def _read(environment: dict[str, str]) -> Settings:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    return read_settings(environment, parser.parse_args(["classifier"]))
