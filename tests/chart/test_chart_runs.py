"""What the chart tells pods to run, run here as processes: its arguments, variables and accounts, at a real API server."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from devcluster.control_plane import ControlPlane
from devcluster.installation import Router, free_port
from devcluster.processes import Process
from tests.chart.helm import CHART, SYSTEM, Helm, Object, find, parse, pod_templates

_FAIRLEAD = Path(sys.executable).with_name("fairlead")
_HELM_TEST = CHART / "files" / "helm_test.py"
_LIKE_A_POD = {"metadata.namespace": SYSTEM, "metadata.name": "a-pod"}

pytestmark = pytest.mark.usefixtures("kinds")


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({}, id="everywhere"),
        pytest.param({"rbac": {"watchNamespaces": ["team-a"]}}, id="roles-only"),
    ],
)
async def test_operator_and_router_work_with_what_they_are_given_and_helm_test_says_so(
    control_plane: ControlPlane, cluster_helm: Helm, tmp_path: Path, values: Mapping[str, object]
) -> None:
    at = ("fairlead", "--namespace", SYSTEM)
    await cluster_helm.run("install", *at[:1], CHART, *at[1:], values={**values, "crds": {"enabled": False}})
    try:
        objects = parse(await cluster_helm.run("get", "manifest", *at))
        hooks = parse(await cluster_helm.run("get", "hooks", *at))
        async with _running(control_plane, objects, tmp_path) as (operator, router):
            # The public address is served only once a first snapshot has come through the API server.
            await router.process.wait_until(router.ready, "being ready")
            (provider,) = [each for each in hooks if each["kind"] == "ModelProvider"]
            status, said = await _helm_test(hooks, router.url, SECONDS="1")
            assert status == 1
            assert "status 404" in said
            await control_plane.kubectl("apply", "-f", "-", input=json.dumps(provider))
            status, said = await _helm_test(hooks, router.url)
            assert status == 0, said
            assert "helm-test answered" in said
            assert "orbidden" not in operator.log.read_text() + router.process.log.read_text()
            published = await control_plane.kubectl("-n", SYSTEM, "get", "configmap/fairlead-snapshot", "-o", "json")
            await cluster_helm.run("upgrade", *at[:1], CHART, *at[1:], "--reuse-values", "--set", "commonLabels.a=b")
            upgraded = await control_plane.kubectl("-n", SYSTEM, "get", "configmap/fairlead-snapshot", "-o", "json")
            assert json.loads(upgraded)["metadata"]["labels"]["a"] == "b"
            assert json.loads(upgraded)["binaryData"] == json.loads(published)["binaryData"]
    finally:
        await cluster_helm.run("uninstall", *at)
        for namespace in (SYSTEM, "team-a"):
            await control_plane.kubectl("-n", namespace, "delete", "modelproviders", "--all")
    left = await control_plane.kubectl("-n", SYSTEM, "get", "configmaps,secrets,leases", "-o", "name")
    assert left.split() == ["configmap/kube-root-ca.crt"]


async def test_helm_test_says_what_is_wrong_when_nobody_answers(cluster_helm: Helm) -> None:
    hooks = [
        each for each in await cluster_helm.render({}) if "helm.sh/hook" in each["metadata"].get("annotations", {})
    ]
    status, said = await _helm_test(hooks, f"http://127.0.0.1:{free_port()}", SECONDS="0")
    assert status == 1
    assert "FAILED" in said
    assert "refused" in said


@asynccontextmanager
async def _running(
    control_plane: ControlPlane, objects: list[Object], folder: Path
) -> AsyncIterator[tuple[Process, Router]]:
    port, admin_port = free_port(), free_port()
    token_file = folder / "router.token"
    token_file.write_text(await control_plane.token(SYSTEM, "fairlead-router"))
    router = Router(
        await _process(
            *(objects, "router", folder),
            FAIRLEAD_KUBE_SERVER=control_plane.url,
            FAIRLEAD_KUBE_CA_FILE=str(control_plane.ca_file),
            FAIRLEAD_KUBE_TOKEN_FILE=str(token_file),
            FAIRLEAD_PORT=str(port),
            FAIRLEAD_ADMIN_PORT=str(admin_port),
            FAIRLEAD_DRAIN_SECONDS="0",
        ),
        port,
        admin_port,
    )
    kubeconfig = control_plane.write_kubeconfig(
        folder / "operator.kubeconfig", token=await control_plane.token(SYSTEM, "fairlead-operator"), namespace=SYSTEM
    )
    operator = await _process(
        *(objects, "operator", folder, "--kubeconfig", str(kubeconfig)),
        FAIRLEAD_HTTP_PORT=str(free_port()),
        FAIRLEAD_ROUTERS=router.admin,
    )
    try:
        router.process.start()
        operator.start()
        yield operator, router
    finally:
        await asyncio.gather(operator.stop(), router.process.stop())


async def _process(objects: list[Object], component: str, folder: Path, *further: str, **environment: str) -> Process:
    """What the Deployment runs; folders that it mounts are below ``folder``, and files of Secrets are there."""
    (container,) = pod_templates(objects)[f"Deployment/fairlead-{component}"]["spec"]["containers"]
    told = {}
    for each in container["env"]:
        source = each.get("valueFrom", {})
        if "secretKeyRef" in source:
            told[each["name"]] = find(objects, "Secret", source["secretKeyRef"]["name"])["data"][
                source["secretKeyRef"]["key"]
            ]
        else:
            told[each["name"]] = each.get("value") or _LIKE_A_POD[source["fieldRef"]["fieldPath"]]
    for mount in container["volumeMounts"]:
        (folder / mount["mountPath"].lstrip("/")).mkdir(parents=True, exist_ok=True)
        told = {
            name: f"{folder}{value}" if value.startswith(mount["mountPath"]) else value for name, value in told.items()
        }
    (folder / "etc/fairlead/keys").mkdir(parents=True, exist_ok=True)
    (folder / "etc/fairlead/keys/cache-key").write_text("0" * 48)
    return Process(
        component,
        [_FAIRLEAD, *container["args"], *further],
        folder / f"{component}.log",
        {"PATH": os.environ["PATH"], **told, **environment},
    )


async def _helm_test(hooks: list[Object], url: str, **environment: str) -> tuple[int, str]:
    (pod,) = [each for each in hooks if each["kind"] == "Pod"]
    (container,) = pod["spec"]["containers"]
    assert container["command"][:2] == ["python3", "-c"]
    assert container["command"][2].strip() == _HELM_TEST.read_text().strip()
    told = {each["name"]: each["value"] for each in container["env"]}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", container["command"][2]),
        env={"PATH": os.environ["PATH"], **told, "URL": url, "SECONDS": "20", **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await child.communicate()
    assert child.returncode is not None
    return child.returncode, out.decode()
