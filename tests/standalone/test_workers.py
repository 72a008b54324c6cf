"""``fairlead serve --workers N``: one router to everybody outside, whatever happens to the processes inside."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standalone.fleet import (
    alive,
    balanced,
    children,
    fleet,
    metrics,
    requests_counted,
    store,
    under_load,
    until,
    workers,
)
from tests.standalone.running import FAIRLEAD, ROOT, Serving, free_port, serving, wait_for
from tests.standalone.test_serve import write_snapshot

PROVIDER = """
apiVersion: fairlead.dev/v1alpha1
kind: ModelProvider
metadata: {name: sim}
spec:
  type: Simulated
  simulated: {firstByteMilliseconds: %(first)d, perTokenMilliseconds: %(token)d, outputTokens: %(tokens)d}
  models: [{name: one}, {name: two}]
"""
POLICY = """
apiVersion: fairlead.dev/v1alpha1
kind: RoutingPolicy
metadata: {name: route}
spec:
  strategy: %(strategy)s
  targets:
  - {name: only, modelRef: {providerRef: {name: sim}, model: %(model)s}}
"""


def write(folder: Path, *, model: str = "one", first: int = 5, token: int = 3, tokens: int = 10) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "provider.yaml").write_text(PROVIDER % {"first": first, "token": token, "tokens": tokens})
    (folder / "policy.yaml").write_text(POLICY % {"model": model, "strategy": "Priority"})
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "resources")


@pytest.fixture
def running(folder: Path, tmp_path: Path) -> Iterator[Serving]:
    with fleet(folder, tmp_path / "log") as serving_now:
        yield serving_now


def serves_with(running: Serving, count: int) -> bool:
    return metrics(running)["fairlead_workers", (("phase", "serving"),)] == count


async def test_a_rolling_restart_under_load_fails_no_request(running: Serving) -> None:
    before = workers(running)
    async with under_load(running.port) as load:
        await until(lambda: load.sent > 50, "the load to flow")
        running.process.send_signal(signal.SIGHUP)
        await until(lambda: len(workers(running)) == 2 and not before & workers(running), "all workers to be new")
        sent = load.sent
        await until(lambda: load.sent > sent + 50, "the load to go on")
    assert load.failures == []
    await until(lambda: requests_counted(running) == load.sent, "every request to be counted")


async def test_a_worker_that_is_asked_to_end_is_replaced_and_fails_no_request(running: Serving) -> None:
    victim = min(workers(running))
    async with under_load(running.port) as load:
        await until(lambda: load.sent > 50, "the load to flow")
        os.kill(victim, signal.SIGTERM)
        await until(lambda: victim not in workers(running) and serves_with(running, 2), "a successor")
        sent = load.sent
        await until(lambda: load.sent > sent + 50, "the load to go on")
    assert load.failures == []


async def test_merged_metrics_count_every_request_once_and_every_decision_is_found(running: Serving) -> None:
    async with under_load(running.port) as load:
        await until(lambda: load.sent > 100, "the load to flow")
    assert load.failures == []
    await until(lambda: requests_counted(running) == load.sent, "every request to be counted")
    each = [running.get(f"/-/decisions/{decision}", admin=True)[0] for decision in load.decisions[-20:]]
    assert set(each) == {200}
    assert running.get("/-/decisions/none", admin=True)[0] == 404
    newest = running.get("/-/decisions", admin=True)[1]["decisions"]
    assert newest == sorted(load.decisions, reverse=True)[:100]
    duration = sum(
        v for (name, _), v in metrics(running).items() if name == "model_router_request_duration_seconds_count"
    )
    assert duration == load.sent


async def test_of_a_worker_that_is_killed_only_its_own_requests_fail_and_it_comes_back(running: Serving) -> None:
    before = workers(running)
    victim = min(before)
    async with under_load(running.port, kept=4, fresh=2, streams=2) as load:
        await until(lambda: load.sent > 50, "the load to flow")
        os.kill(victim, signal.SIGKILL)
        await until(lambda: victim not in workers(running) and len(workers(running)) == 2, "a new worker")
        await until(lambda: serves_with(running, 2), "it to serve")
        sent, failed = load.sent, len(load.failures)
        await until(lambda: load.sent > sent + 50, "the load to go on")
        assert len(load.failures) == failed
    # Each client had one request in flight at most, and one more may have crossed with the closing of its connection.
    assert failed <= 2 * 9
    assert metrics(running)["fairlead_worker_exits_total", (("reason", "signal 9"),)] == 1
    assert before - {victim} <= workers(running)


async def test_sigterm_under_load_fails_nothing_that_was_taken(folder: Path, tmp_path: Path) -> None:
    write(folder, first=50, token=20, tokens=20)
    with fleet(folder, tmp_path / "log", FAIRLEAD_DRAIN_SECONDS="0.5") as running:
        async with under_load(running.port, fresh=0, streams=4) as load:
            await until(lambda: load.sent > 20, "the load to flow")
            running.process.terminate()
            await until(lambda: running.get("/health/ready")[0] == 503, "readiness to say no")
            await until(lambda: running.process.poll() is not None, "the end")
    refused = [failure for failure in load.failures if "ConnectorError" in failure]
    assert [failure for failure in load.failures if failure not in refused] == []
    assert running.process.returncode == 0


async def test_a_router_that_is_stopped_behind_a_balancer_fails_no_request(folder: Path, tmp_path: Path) -> None:
    """Two routers of one process each, as replicas are: one goes, with notice."""
    resources = ("--resources", str(folder))
    with (
        serving(*resources, log=tmp_path / "one", FAIRLEAD_DRAIN_SECONDS="3") as one,
        serving(*resources, log=tmp_path / "other") as other,
    ):
        async with balanced(one, other) as port, under_load(port) as load:
            await until(lambda: load.sent > 50, "the load to flow")
            one.process.terminate()
            await until(lambda: one.process.poll() is not None, "its end")
            sent = load.sent
            await until(lambda: load.sent > sent + 50, "the load to go on")
        assert load.failures == []
        assert one.process.returncode == 0


async def test_a_change_is_acknowledged_when_every_worker_runs_it(running: Serving, folder: Path) -> None:
    def config() -> dict[str, object]:
        return dict(running.get("/-/config?brief=true", admin=True)[1])

    revision = int(str(config()["revision"]))
    runs = f"snapshot 1.{revision + 1} from files runs"
    one, _ = workers(running)
    os.kill(one, signal.SIGSTOP)
    try:
        write(folder, model="two")
        await until(lambda: running.log.read_text().count(runs) == 1, "the other worker to obey")
        assert running.get("/-/config?brief=true", admin=True)[0] == 503
    finally:
        os.kill(one, signal.SIGCONT)
    await until(lambda: running.log.read_text().count(runs) == 2, "this one to obey too")
    said = config()
    assert said["revision"] == revision + 1
    assert [each["revision"] for each in said["workers"]] == [revision + 1] * 2  # type: ignore[attr-defined]
    assert {running.chat()[1]["model"] for _ in range(20)} == {"two"}


def test_no_process_survives_a_supervisor_that_is_killed(folder: Path, tmp_path: Path) -> None:
    with serving("--resources", str(folder), "--workers", "2", log=tmp_path / "log") as running:
        everybody = children(running.process.pid)
        assert len(everybody) == 4
        runtime = next(line.split()[-1] for line in everybody.values() if "store_process" in line)
        running.process.kill()
        running.process.wait()
        wait_for(lambda: not any(alive(pid) for pid in everybody), "all of them to end")
        wait_for(lambda: not Path(runtime).parent.exists(), "the runtime folder to be gone")


async def test_a_store_that_dies_is_named_and_started_again_and_no_request_fails(running: Serving) -> None:
    first = store(running)
    async with under_load(running.port) as load:
        await until(lambda: load.sent > 30, "the load to flow")
        os.kill(first, signal.SIGKILL)
        await until(lambda: "store process" in running.get("/health/detailed")[1]["degraded"], "the loss to be visible")
        await until(lambda: running.get("/health/detailed")[1]["degraded"] == {}, "its return")
        sent = load.sent
        await until(lambda: load.sent > sent + 30, "the load to go on")
    assert load.failures == []
    assert store(running) != first


def test_a_store_of_one_machine_keeps_a_session_on_its_model_whichever_worker_is_asked(
    folder: Path, tmp_path: Path
) -> None:
    spread = (POLICY % {"model": "one", "strategy": "Weighted"}) + (
        "  - {name: other, modelRef: {providerRef: {name: sim}, model: two}}\n"
        "  affinity: {unit: Session, ttlSeconds: 600}\n"
    )
    (folder / "policy.yaml").write_text(spread)
    with fleet(folder, tmp_path / "log") as running:
        for number in range(8):
            assert len({running.chat(session=f"s{number}")[1]["model"] for _ in range(12)}) == 1
        assert len({running.chat(session=f"t{number}")[1]["model"] for number in range(40)}) == 2


async def test_one_worker_watches_for_all_and_when_it_dies_another_does(tmp_path: Path) -> None:
    snapshot, kept = tmp_path / "snapshot", tmp_path / "kept"
    write_snapshot(snapshot, revision=1)
    arguments = ("--snapshot", str(snapshot), "--last-good-dir", str(kept), "--workers", "2")

    def revisions() -> list[int]:
        status, said = running.get("/-/config?brief=true", admin=True)
        return [each["revision"] for each in said["workers"]] if status == 200 else []

    with serving(*arguments, log=tmp_path / "log") as running:
        write_snapshot(snapshot, revision=2, model="two")
        await until(lambda: revisions() == [2, 2], "both to run it")
        assert {running.chat()[1]["model"] for _ in range(10)} == {"two"}
        for revision, victim in enumerate(sorted(workers(running)), 3):
            os.kill(victim, signal.SIGKILL)
            await until(lambda gone=victim: gone not in workers(running) and serves_with(running, 2), "a successor")
            write_snapshot(snapshot, revision=revision)
            await until(lambda wanted=revision: revisions() == [wanted] * 2, "both to run what came later")
        running.process.send_signal(signal.SIGHUP)
        await until(lambda: running.log.read_text().count(" has ended") == 2, "the restart")
        write_snapshot(snapshot, revision=9)
        await until(lambda: revisions() == [9, 9], "new workers to watch")
    snapshot.unlink()
    with serving(*arguments, log=tmp_path / "log") as running:
        assert revisions() == [9, 9]
        assert running.get("/-/config?brief=true", admin=True)[1]["source"] == "last-good"


def test_two_supervisors_do_not_share_a_port_by_accident(running: Serving) -> None:
    command = [str(FAIRLEAD), "serve", "--resources", "examples/quickstart", "--workers", "2", "--host", "127.0.0.1"]
    command += ["--port", str(running.port), "--admin-port", str(free_port())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert done.returncode == 1
    assert str(running.port) in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_start_that_cannot_work_ends_with_its_reason_and_does_not_go_round(folder: Path) -> None:
    command = [str(FAIRLEAD), "serve", "--resources", str(folder), "--workers", "2", "--host", "127.0.0.1"]
    command += ["--port", "0", "--admin-port", "0", "--api-keys-file", "/nonexistent"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "/nonexistent" in done.stderr
    assert "giving up" in done.stderr
    assert "Traceback" not in done.stderr


async def test_a_restart_that_fails_leaves_the_old_workers_serving_and_is_named(folder: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    digest = hashlib.sha256(b"key").hexdigest()
    good = {"keys": [{"name": "ci", "sha256": digest, "workspace": "ws", "userTier": "premium", "actForOthers": False}]}
    keys.write_text(json.dumps(good))
    with fleet(folder, tmp_path / "log", "--api-keys-file", str(keys)) as running:
        before = workers(running)
        keys.write_text("{")
        running.process.send_signal(signal.SIGHUP)
        await until(lambda: "restart" in running.get("/health/detailed")[1]["degraded"], "the restart to fail")
        assert workers(running) == before
        assert running.get("/health/detailed")[1]["degraded"].keys() == {"restart"}
        keys.write_text(json.dumps(good))
        running.process.send_signal(signal.SIGHUP)
        await until(lambda: not before & workers(running) and serves_with(running, 2), "the next restart to work")
        await until(lambda: running.get("/health/detailed")[1]["degraded"] == {}, "all to be well")


def test_a_hurried_stop_ends_streams_with_an_error_that_says_why(folder: Path, tmp_path: Path) -> None:
    write(folder, token=100, tokens=500)
    with fleet(folder, tmp_path / "log") as running:
        body = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": "Which way?"}]}
        url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
        request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as response:
            assert response.readline().startswith(b"data: ")
            running.process.terminate()
            wait_for(lambda: running.get("/health/ready")[0] != 200, "it to stop")
            running.process.terminate()
            rest = response.read()
        assert b"router_stopping" in rest
        assert b"[DONE]" not in rest
        assert running.process.wait(timeout=20) == 0


def test_two_workers_are_ready_about_as_soon_as_one(folder: Path, tmp_path: Path) -> None:
    def seconds(*more: str) -> float:
        started = time.monotonic()
        with serving("--resources", str(folder), *more, log=tmp_path / "log"):
            return time.monotonic() - started

    alone, together = min(seconds() for _ in range(2)), min(seconds("--workers", "2") for _ in range(2))
    # On one core both would take their turns, and there is a store and a supervisor besides.
    assert together < 5 * alone, (alone, together)
