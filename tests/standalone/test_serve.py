"""``fairlead serve`` on a folder: obeys edits, survives what editors and accidents do to files, stops cleanly."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead_contract.fragments import Simulated
from tests.router_e2e import world
from tests.standalone.running import FAIRLEAD, Serving, free_port, serving, wait_for

PROVIDER = """
apiVersion: fairlead.dev/v1alpha1
kind: ModelProvider
metadata: {name: sim}
spec:
  type: Simulated
  simulated: {firstByteMilliseconds: %(delay)d, perTokenMilliseconds: 0, outputTokens: 3}
  models: [{name: one}, {name: two}]
"""
POLICY = """
apiVersion: fairlead.dev/v1alpha1
kind: RoutingPolicy
metadata: {name: route}
spec:
  strategy: Priority
  targets: [{name: only, modelRef: {providerRef: {name: sim}, model: %(model)s}}]
"""


def write(folder: Path, *, model: str = "one", delay: int = 0) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "provider.yaml").write_text(PROVIDER % {"delay": delay})
    (folder / "policy.yaml").write_text(POLICY % {"model": model})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "resources")
    return tmp_path / "resources"


@pytest.fixture
def running(folder: Path, tmp_path: Path) -> Iterator[Serving]:
    with serving("--resources", str(folder), log=tmp_path / "log") as serving_now:
        yield serving_now


def answers(running: Serving) -> str | None:
    status, body = running.chat()
    return str(body["model"]) if status == 200 else None


def findings(running: Serving) -> list[dict[str, object]]:
    _, body = running.get("/-/config", admin=True)
    return list(body["findings"])


def test_the_next_request_after_an_edit_obeys_it(running: Serving, folder: Path) -> None:
    assert answers(running) == "one"
    write(folder, model="two")
    wait_for(lambda: answers(running) == "two", "the edit to take effect")


def test_a_file_replaced_by_rename_takes_effect(running: Serving, folder: Path) -> None:
    draft = folder / ".policy.yaml.swp"
    draft.write_text(POLICY % {"model": "two"})
    os.replace(draft, folder / "policy.yaml")
    wait_for(lambda: answers(running) == "two", "the rename to take effect")


def test_a_half_written_file_keeps_the_last_good_policy_and_is_reported(running: Serving, folder: Path) -> None:
    (folder / "policy.yaml").write_text((POLICY % {"model": "two"})[:-20])
    wait_for(lambda: findings(running), "the broken file to be reported")
    assert answers(running) == "one"
    write(folder, model="two")
    wait_for(lambda: answers(running) == "two", "the completed file to take effect")
    wait_for(lambda: not findings(running), "the report to go")


def test_an_invalid_object_keeps_its_last_generation_while_others_change(running: Serving, folder: Path) -> None:
    (folder / "policy.yaml").write_text((POLICY % {"model": "two"}).replace("Priority", "Priorty"))
    (folder / "more.yaml").write_text((PROVIDER % {"delay": 0}).replace("{name: sim}", "{name: other}"))
    wait_for(lambda: running.chat("other/one")[0] == 200, "the new provider")
    assert answers(running) == "one"
    [finding] = [each for each in findings(running) if each.get("kind") == "RoutingPolicy"]
    assert finding["field"] == "spec.strategy"
    assert "Priority" in str(finding["message"])


def test_a_deleted_folder_changes_nothing_and_its_return_does(running: Serving, folder: Path) -> None:
    shutil.rmtree(folder)
    wait_for(lambda: findings(running), "the missing folder to be reported")
    assert answers(running) == "one"
    write(folder, model="two")
    wait_for(lambda: answers(running) == "two", "the folder's return to take effect")


def test_a_removed_policy_is_gone(running: Serving, folder: Path) -> None:
    (folder / "policy.yaml").unlink()
    wait_for(lambda: running.chat()[0] == 503, "the policy to go")
    assert running.chat()[1]["error"]["code"] == "no_policy"
    assert running.chat("one")[0] == 200


def test_a_compiler_that_dies_is_started_again_and_requests_do_not_notice(running: Serving, folder: Path) -> None:
    children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children")
    first = int(children.read_text().split()[0])
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: running.get("/health/detailed")[1]["status"] == "degraded", "the loss to be visible")
    assert "CompilerDown" in running.get("/health/detailed")[1]["degraded"]["compiler"]
    assert answers(running) == "one"
    wait_for(lambda: running.get("/health/detailed")[1]["status"] == "healthy", "the compiler's return")
    write(folder, model="two")
    wait_for(lambda: answers(running) == "two", "an edit after the compiler's return")


def test_sigterm_lets_a_request_in_flight_finish(folder: Path, tmp_path: Path) -> None:
    write(folder, delay=700)
    with serving("--resources", str(folder), log=tmp_path / "log") as running:
        results: list[int] = []
        client = threading.Thread(target=lambda: results.append(running.chat()[0]))
        client.start()
        wait_for(lambda: running.get("/health/detailed")[1]["checks"]["requests"]["inFlight"] == 1, "the request")
        running.process.terminate()
        client.join()
        assert results == [200]
        assert running.process.wait(timeout=20) == 0


def test_an_access_line_is_one_json_object_a_request(folder: Path, tmp_path: Path) -> None:
    with serving("--resources", str(folder), log=tmp_path / "log") as running:
        running.chat(workspace="ws-a")
        running.post("/v1/chat/completions", b"{")
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines() if line.startswith("{")]
    served, refused = [line for line in lines if "requestId" in line]
    assert (served["status"], served["workspace"], served["modelId"]) == (200, "ws-a", "default/sim/one")
    assert (refused["status"], refused["error"]) == (400, "invalid_json")


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["--resources", "examples/quickstart", "--allow-networks", "nonsense"], 2, "allow-networks"),
        (["--resources", "examples/quickstart", "--api-keys-file", "/nonexistent"], 1, "/nonexistent"),
        ([], 2, "--resources"),
        (["--last-good-dir", "kept"], 2, "say where the configuration comes from"),
        (["--credentials", "file"], 2, "--snapshot"),
        (["--kubernetes", "--credentials", "file"], 2, "--credentials belongs to --snapshot"),
        (["--resources", "examples/quickstart", "--kubernetes"], 2, "--resources goes with none of"),
        (["--resources", "examples/quickstart", "--snapshot", "file"], 2, "--resources goes with none of"),
        (["--resources", "examples/quickstart", "--last-good-dir", "kept"], 2, "--resources goes with none of"),
        (["--kubernetes"], 2, "this is no pod"),
    ],
)
def test_a_start_that_cannot_work_says_why(arguments: list[str], status: int, says: str) -> None:
    command = [str(FAIRLEAD), "serve", *arguments, "--port", str(free_port()), "--admin-port", str(free_port())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("no certificate")
    (tmp_path / "token").write_text("t")
    command = [str(FAIRLEAD), "serve", "--kubernetes", "--namespace", "n", "--host", "127.0.0.1"]
    command += ["--port", str(free_port()), "--admin-port", str(free_port())]
    environment = os.environ | {
        "FAIRLEAD_KUBE_SERVER": "https://127.0.0.1:1",
        "FAIRLEAD_KUBE_CA_FILE": str(tmp_path / "ca.crt"),
        "FAIRLEAD_KUBE_TOKEN_FILE": str(tmp_path / "token"),
    }
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.returncode == 1, done.stderr
    assert "--kubernetes: a certificate for https://127.0.0.1:1 cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_snapshot_file_is_served_and_kept_for_a_start_without_it(tmp_path: Path) -> None:
    snapshot, kept = tmp_path / "snapshot", tmp_path / "kept"
    write_snapshot(snapshot, revision=4)
    arguments = ("--snapshot", str(snapshot), "--last-good-dir", str(kept))
    with serving(*arguments, log=tmp_path / "log") as running:
        assert answers(running) == "one"
        write_snapshot(snapshot, revision=5, model="two")
        wait_for(lambda: answers(running) == "two", "the new file to take effect")
    snapshot.unlink()
    with serving(*arguments, log=tmp_path / "log") as running:
        assert answers(running) == "two"
        _, said = running.get("/-/config", admin=True)
        assert (said["source"], said["revision"]) == ("last-good", 5)

        def missed() -> bool:
            doors = running.get("/-/config", admin=True)[1]["doors"]
            return "No such file" in (doors.get("file", {}).get("error") or "")

        wait_for(missed, "the file to be missed")
        write_snapshot(snapshot, revision=4)
        wait_for(lambda: running.get("/-/config", admin=True)[1]["lastRejected"], "the older file to be refused")
        assert running.get("/-/config", admin=True)[1]["lastRejected"]["reason"] == "Stale"
        assert answers(running) == "two"


def write_snapshot(path: Path, *, revision: int, model: str = "one") -> None:
    simulated = Simulated(first_byte_milliseconds=0, per_token_milliseconds=0)
    models = (world.model("one", upstream_name="one"), world.model("two", upstream_name="two"))
    provider = world.provider((), "sim", type="Simulated", simulated=simulated, models=models)
    draft = path.with_suffix(".draft")
    draft.write_bytes(world.sealed(provider, world.policy(f"sim/{model}"), revision=revision).to_bytes())
    os.replace(draft, path)


def test_a_port_in_use_is_named(running: Serving) -> None:
    command = [str(FAIRLEAD), "serve", "--resources", "examples/quickstart", "--port", str(running.port)]
    command += ["--host", "127.0.0.1", "--admin-port", str(free_port())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert str(running.port) in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_setting_in_the_environment_that_cannot_be_used_is_named() -> None:
    command = [str(FAIRLEAD), "serve", "--resources", "examples/quickstart"]
    environment = os.environ | {"FAIRLEAD_MAX_BODY_BYTES": "lots"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.returncode == 2
    assert "FAIRLEAD_MAX_BODY_BYTES" in done.stderr


def test_why_says_when_a_decision_or_a_router_is_not_there(running: Serving) -> None:
    admin = f"http://127.0.0.1:{running.admin_port}"
    for arguments, says in (
        (["nobody", "--admin", admin], "nobody"),
        (["x", "--admin", "http://127.0.0.1:1"], "no router"),
    ):
        done = subprocess.run(
            [str(FAIRLEAD), "why", *arguments], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 1
        assert says in done.stderr
