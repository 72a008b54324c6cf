"""``POST /update`` of a router that reads a folder: who may, what is written, and that the next request obeys it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.router_e2e import world
from tests.standalone.running import Serving, serving, wait_for

RESOURCES = """\
# Kept by hand.
apiVersion: fairlead.dev/v1alpha1
kind: ModelProvider
metadata: {name: openai}
spec:
  type: Simulated
  simulated: {firstByteMilliseconds: 0, perTokenMilliseconds: 0, outputTokens: 3}
  models:
    - name: old-model  # the first
"""
ADDED = {"models": [{"id": "new-model", "provider": "openai", "display_name": "New Model", "status": "active"}]}
ADMIN, CLIENT = {"Authorization": "Bearer sk-admin"}, {"Authorization": "Bearer sk-client"}


def key(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "sha256": hashlib.sha256(f"sk-{name}".encode()).hexdigest()} | fields


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "resources"
    folder.mkdir()
    (folder / "openai.yaml").write_text(RESOURCES)
    return folder


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [key("admin", admin=True), key("client")]}))
    return file


@pytest.fixture
def running(folder: Path, keys: Path, tmp_path: Path) -> Iterator[Serving]:
    options = ("--resources", str(folder), "--api-keys-file", str(keys))
    with serving(*options, log=tmp_path / "log") as serving_now:
        yield serving_now


def call(running: Serving, name: str) -> int:
    body = {"model": name, "messages": [{"role": "user", "content": "Which way?"}]}
    return running.post("/v1/chat/completions", body, ADMIN)[0]


def test_the_document_s_example_adds_a_model_that_the_next_request_may_call(running: Serving, folder: Path) -> None:
    assert call(running, "new-model") == 404
    status, said = running.post("/update", ADDED, ADMIN)
    assert (status, said["warnings"]) == (200, [])
    assert said["changed"] == [
        {
            "id": "new-model",
            "provider": "default/openai",
            "change": "added",
            "fields": ["name", "displayName"],
            "file": "openai.yaml",
        }
    ]
    text = (folder / "openai.yaml").read_text()
    assert text == RESOURCES + "    - {name: new-model, displayName: New Model}\n"
    wait_for(lambda: call(running, "new-model") == 200, "the model to be served")
    off = {"models": [{"id": "new-model", "provider": "openai", "status": "inactive"}]}
    assert running.post("/update", off, ADMIN)[1]["changed"][0]["change"] == "updated"
    wait_for(lambda: call(running, "new-model") != 200, "the model to be taken out of use")
    assert running.post("/update", off, ADMIN)[1]["changed"][0]["change"] == "unchanged"


REFUSED: list[tuple[str, Any, dict[str, str], int, str, str]] = [
    ("no key", ADDED, {}, 401, "invalid_api_key", "API key"),
    ("an unknown key", ADDED, {"Authorization": "Bearer sk-other"}, 401, "invalid_api_key", "does not know"),
    ("a key that may not", ADDED, CLIENT, 403, "admin_required", '"admin": true'),
    ("no JSON", b"{", ADMIN, 400, "invalid_json", "JSON"),
    ("no models", {"models": []}, ADMIN, 400, "invalid_request", "models"),
    ("no provider", {"models": [{"id": "m"}]}, ADMIN, 400, "invalid_request", "provider"),
    (
        "an unknown status",
        {"models": [{"id": "m", "provider": "openai", "status": "retired"}]},
        ADMIN,
        400,
        "invalid_request",
        "models[0].status",
    ),
    (
        "an unknown field",
        {"models": [{"id": "m", "provider": "openai", "price": 1}]},
        ADMIN,
        400,
        "invalid_request",
        "price",
    ),
    ("an unknown provider", {"models": [{"id": "m", "provider": "x"}]}, ADMIN, 404, "provider_not_found", "declare it"),
    (
        "what would not be valid, beside what would",
        {"models": [*ADDED["models"], {"id": "auto", "provider": "openai"}]},
        ADMIN,
        422,
        "invalid_resources",
        "pick another name",
    ),
]


def test_whoever_may_not_or_asks_for_what_cannot_be_changes_nothing(running: Serving, folder: Path) -> None:
    for name, body, headers, status, code, says in REFUSED:
        found, said = running.post("/update", body, headers)
        assert (found, said["error"]["code"]) == (status, code), name
        assert says in said["error"]["message"], name
    assert (folder / "openai.yaml").read_text() == RESOURCES
    assert [path.name for path in folder.iterdir()] == ["openai.yaml"]


def test_a_router_without_keys_tells_how_to_allow_it(folder: Path, tmp_path: Path) -> None:
    with serving("--resources", str(folder), log=tmp_path / "log") as running:
        status, said = running.post("/update", ADDED)
        assert (status, said["error"]["code"]) == (403, "admin_required")
        assert "--api-keys-file" in said["error"]["message"]


def test_a_router_that_runs_a_snapshot_tells_who_owns_it(keys: Path, tmp_path: Path) -> None:
    file = tmp_path / "snapshot"
    file.write_bytes(world.sealed(world.provider("http://127.0.0.1:1")).to_bytes())
    with serving("--snapshot", str(file), "--api-keys-file", str(keys), log=tmp_path / "log") as running:
        status, said = running.post("/update", ADDED, ADMIN)
        assert (status, said["error"]["code"]) == (409, "managed_elsewhere")
        assert "kubectl" in said["error"]["message"]


def test_any_of_several_workers_writes_and_all_of_them_obey(folder: Path, keys: Path, tmp_path: Path) -> None:
    options = ("--resources", str(folder), "--api-keys-file", str(keys), "--workers", "2")
    with serving(*options, log=tmp_path / "log") as running:
        bodies = [{"models": [{"id": f"m{number}", "provider": "openai"}]} for number in range(4)]
        assert [running.post("/update", body, ADMIN)[0] for body in bodies] == [200] * 4
        for number in range(4):
            wait_for(lambda name=f"m{number}": call(running, name) == 200, "the model to be served")  # type: ignore[misc]
