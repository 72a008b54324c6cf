"""What the other tests rely on when they stop, kill and set back a control plane."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from devcluster.control_plane import ControlPlane, KubectlFailed, running_control_plane
from devcluster.processes import ProcessFailed
from devcluster.programs import version


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """One for all tests here, each of which has an event loop of its own."""
    running = ControlPlane(tmp_path_factory.mktemp("control-plane"))
    try:
        asyncio.run(running.start())
        yield running
    finally:
        asyncio.run(running.stop())


async def test_it_answers_as_the_pinned_version(control_plane: ControlPlane) -> None:
    versions = json.loads(await control_plane.kubectl("version", "--output=json"))
    assert versions["serverVersion"]["gitVersion"] == versions["clientVersion"]["gitVersion"] == version("kubernetes")


async def test_controllers_run_so_a_deleted_owner_takes_its_objects_along(control_plane: ControlPlane) -> None:
    owner = json.loads(await control_plane.kubectl("create", "configmap", "owner", "--output=json"))
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    owned = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "owned", "ownerReferences": [reference]},
    }
    await control_plane.kubectl("create", "--filename=-", input=json.dumps(owned))
    await control_plane.kubectl("delete", "configmap", "owner")
    await control_plane.kubectl("wait", "--for=delete", "configmap/owned", "--timeout=30s")


async def test_a_token_speaks_for_its_service_account_and_may_what_rbac_grants(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    await control_plane.kubectl("create", "serviceaccount", "reader")
    token = await control_plane.token("default", "reader")
    kubeconfig = control_plane.write_kubeconfig(tmp_path / "reader.kubeconfig", token=token)
    as_reader = f"--kubeconfig={kubeconfig}"
    whoami = json.loads(await control_plane.kubectl("auth", "whoami", "--output=json", as_reader))
    assert whoami["status"]["userInfo"]["username"] == "system:serviceaccount:default:reader"
    with pytest.raises(KubectlFailed, match=r"(?s)kubectl get secrets .*Forbidden.*cannot list resource"):
        await control_plane.kubectl("get", "secrets", as_reader)
    await control_plane.kubectl("create", "role", "reading", "--verb=list", "--resource=secrets")
    await control_plane.kubectl("create", "rolebinding", "r", "--role=reading", "--serviceaccount=default:reader")
    await control_plane.kubectl("get", "secrets", as_reader)


@pytest.mark.parametrize("how", ["stop_api_server", "kill_api_server"])
async def test_an_api_server_that_went_comes_back_at_its_address_with_all_objects(
    control_plane: ControlPlane, how: str
) -> None:
    name = how.replace("_", "-")
    await control_plane.kubectl("create", "configmap", name)
    await getattr(control_plane, how)()
    with pytest.raises(KubectlFailed, match="refused"):
        await control_plane.kubectl("get", "configmap", name)
    await control_plane.start_api_server()
    await control_plane.kubectl("get", "configmap", name)


async def test_a_paused_api_server_holds_its_connections_and_answers_nothing_until_resumed(
    control_plane: ControlPlane,
) -> None:
    control_plane.api_server.pause()
    try:
        with pytest.raises(KubectlFailed, match=r"(?i)timeout"):
            await control_plane.kubectl("get", "configmaps", "--request-timeout=1s")
    finally:
        control_plane.api_server.resume()
    await control_plane.kubectl("get", "configmaps")


async def test_without_etcd_nothing_is_written_and_later_all_is_as_before(control_plane: ControlPlane) -> None:
    await control_plane.kubectl("create", "configmap", "kept")
    await control_plane.stop_etcd()
    with pytest.raises(KubectlFailed):
        await control_plane.kubectl("create", "configmap", "unheard", "--request-timeout=1s")
    await control_plane.start_etcd()
    await control_plane.wait_ready()
    await control_plane.kubectl("get", "configmap", "kept")


async def test_a_restore_brings_back_the_old_state_and_gives_out_revisions_anew(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    await control_plane.kubectl("create", "configmap", "saved")
    await control_plane.save_etcd(tmp_path / "saved")
    before = await control_plane.compact_etcd()
    await control_plane.kubectl("delete", "configmap", "saved")
    for number in range(20):
        await control_plane.kubectl("create", "configmap", f"lost-{number}")
    lost = await control_plane.compact_etcd()
    await control_plane.restore_etcd(tmp_path / "saved")
    names = (await control_plane.kubectl("get", "configmaps", "--output=name")).split()
    assert "configmap/saved" in names
    assert not [name for name in names if "lost" in name]
    assert before <= await control_plane.compact_etcd() < lost


async def test_a_watch_from_before_a_compaction_is_gone(tmp_path: Path) -> None:
    """The watch cache would answer out of its own memory."""
    flags = ["--watch-cache=false"]
    async with running_control_plane(tmp_path, controller_manager=False, api_server_flags=flags) as control_plane:
        made = json.loads(await control_plane.kubectl("create", "configmap", "first", "--output=json"))
        revision = made["metadata"]["resourceVersion"]
        await control_plane.kubectl("create", "configmap", "second")
        event = await _first_event(control_plane, revision)
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "second")
        await control_plane.kubectl("create", "configmap", "third")
        await control_plane.compact_etcd()
        event = await _first_event(control_plane, revision)
        assert (event["type"], event["object"]["code"]) == ("ERROR", 410)


async def test_a_program_that_does_not_start_shows_its_log(tmp_path: Path) -> None:
    with pytest.raises(ProcessFailed, match=r"(?s)kube-apiserver: ended .*exit code 1.*unknown flag: --no-such"):
        async with running_control_plane(tmp_path, api_server_flags=["--no-such"]):
            pass


async def _first_event(control_plane: ControlPlane, revision: str) -> dict[str, Any]:
    connector = aiohttp.TCPConnector(ssl=control_plane.ssl_context(control_plane.admin))
    question = {"watch": "1", "resourceVersion": revision}
    async with (
        aiohttp.ClientSession(control_plane.url, connector=connector) as http,
        http.get("/api/v1/namespaces/default/configmaps", params=question) as answer,
    ):
        event: dict[str, Any] = json.loads(await answer.content.readline())
        return event
