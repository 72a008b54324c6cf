"""The OpenAPI documents tell all that is served, and schemathesis finds no answer that they do not declare."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from fairlead_router.http.admin import make_admin_app
from fairlead_router.http.openapi.document import admin, documents, main, public
from fairlead_router.http.public import make_public_app
from tests.router_e2e.fake_upstream import FakeUpstream
from tests.router_e2e.harness import serving
from tests.router_e2e.world import policy, provider
from tests.standalone.running import Serving
from tests.standalone.running import serving as serving_process

ROOT = Path(__file__).parents[2]
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")

RESOURCES = """
apiVersion: fairlead.dev/v1alpha1
kind: ModelProvider
metadata: {name: sim}
spec:
  type: Simulated
  simulated: {firstByteMilliseconds: 0, perTokenMilliseconds: 0, outputTokens: 2, seed: 1}
  models:
    - {name: small, type: Chat}
    - {name: text, type: Completion}
    - {name: vector, type: Embedding, capabilities: [Embeddings]}
---
apiVersion: fairlead.dev/v1alpha1
kind: RoutingPolicy
metadata: {name: all}
spec:
  strategy: Priority
  targets:
    - {name: small, modelRef: {providerRef: {name: sim}, model: small}, fallbackOrder: 1}
    - {name: text, modelRef: {providerRef: {name: sim}, model: text}, fallbackOrder: 2}
    - {name: vector, modelRef: {providerRef: {name: sim}, model: vector}, fallbackOrder: 3}
"""

CONFIG = """
[checks.not_a_server_error]
# A request that no model can serve is a declared 503; every other 5xx is a fault.
expected-statuses = ["2xx", "3xx", "4xx", 503]
[checks.positive_data_acceptance]
# 403: an update, without a key that may. 422: the same Idempotency-Key with another body, which the run does all the time.
expected-statuses = ["2xx", 403, 404, 409, 422, 503]
"""


def served(app: web.Application) -> set[tuple[str, str]]:
    """Method and path of every route but the one for everything else."""
    routes = {(route.method.lower(), route.resource.canonical) for route in app.router.routes() if route.resource}
    return {(method, path) for method, path in routes if method not in {"*", "head"}}


def declared(document: dict[str, object]) -> set[tuple[str, str]]:
    paths: dict[str, dict[str, object]] = document["paths"]  # type: ignore[assignment]
    return {(method, path) for path, methods in paths.items() for method in methods}


async def test_every_route_is_declared_and_every_declared_one_is_served(upstream: FakeUpstream) -> None:
    published = documents()
    async with serving(provider(upstream.url), policy("acme/small")) as router:
        for is_admin, name in ((False, "openapi.json"), (True, "openapi-admin.json")):
            reply = await router.request("GET", "/openapi.json", admin=is_admin)
            assert (reply.status, reply.body) == (200, published[name])
        context = router.running.context
    assert declared(public()) == served(make_public_app(context))
    assert declared(admin()) == served(make_admin_app(context))


def test_the_published_documents_are_what_is_served(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--check", str(ROOT / "docs")]) == 0
    assert main(["--check", str(tmp_path)]) == 1
    assert "run `make generate`" in capsys.readouterr().err


@pytest.mark.parametrize("document", [public(), admin()], ids=["public", "admin"])
def test_no_reference_leads_nowhere_and_none_is_missing(document: dict[str, dict[str, dict[str, object]]]) -> None:
    text = json.dumps(document)
    for kind in ("schemas", "responses", "parameters", "headers"):
        named = {part.split('"')[0] for part in text.split(f"#/components/{kind}/")[1:]}
        assert named <= document["components"][kind].keys(), kind
    schemas = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert schemas == document["components"]["schemas"].keys()


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A router as a person would start it, whose models answer at once."""
    folder = tmp_path_factory.mktemp("resources")
    (folder / "all.yaml").write_text(RESOURCES)
    with serving_process("--resources", str(folder), log=folder.parent / "router.log") as running:
        assert running.chat()[0] == 200
        yield running


@pytest.mark.timeout(120)
@pytest.mark.parametrize("port", ["public", "admin"])
@pytest.mark.parametrize(
    ("phase", "options"),
    [
        ("examples,coverage", ()),
        # JSON Schema takes 1.0 for an integer, the router does not: a number with a point is passed on as what it is.
        ("fuzzing", ("--exclude-checks", "positive_data_acceptance")),
    ],
    ids=["coverage", "fuzzing"],
)
def test_schemathesis_finds_nothing(
    process: Serving, tmp_path: Path, port: str, phase: str, options: tuple[str, ...]
) -> None:
    number = process.port if port == "public" else process.admin_port
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    command = [str(SCHEMATHESIS), "run", f"http://127.0.0.1:{number}/openapi.json", "--phases", phase]
    command += ["--seed", "1", "--generation-deterministic", "--max-examples", "25", "--continue-on-failure"]
    done = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert process.get("/health/ready")[0] == 200
