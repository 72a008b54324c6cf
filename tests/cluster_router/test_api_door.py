"""A router on what is published at a real API server: what it takes, what it refuses, and what it does when that is away."""

from __future__ import annotations

import asyncio
import base64
import os
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from devcluster.control_plane import ControlPlane
from fairlead_contract.delivery import SNAPSHOT_KEY, snapshot_fields
from fairlead_contract.fragments import AnyFragment, Simulated
from fairlead_contract.snapshot import Credentials, Sealed
from fairlead_router.config.doors.mounted import MountedFiles
from fairlead_router.config.doors.open import Sources, follow_sources
from tests.cluster_router.publishing import CONFIG_MAP, SECRET, Publisher
from tests.router_e2e.fake_upstream import FakeUpstream
from tests.router_e2e.harness import Harness, eventually, serving
from tests.router_e2e.world import credentials, policy, provider, sealed, secret
from tests.standalone.running import serving as process
from tests.standalone.running import wait_for

BOTH = (("configmaps", CONFIG_MAP), ("secrets", SECRET))


@asynccontextmanager
async def routing(sources: Sources) -> AsyncIterator[Harness]:
    """A router with these doors open."""
    async with serving() as router:
        context = router.running.context
        task = asyncio.create_task(
            follow_sources(
                sources,
                router.running.receiver,
                context.doors,
                degraded=context.degraded,
                user_agent="fairlead-router/test",
                draw=lambda: 0.0,
            )
        )
        try:
            yield router
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def revision(router: Harness) -> int:
    return router.running.receiver.table.used.revision


async def runs(router: Harness, wanted: int, seconds: float = 20) -> None:
    await eventually(lambda: revision(router) == wanted, f"revision {wanted} runs", seconds)


async def shown(router: Harness) -> dict[str, Any]:
    """``/-/config``."""
    result: dict[str, Any] = (await router.request("GET", "/-/config", admin=True)).json
    return result


def degraded(router: Harness) -> dict[str, str]:
    return router.running.context.degraded


def fragments(upstream: FakeUpstream, name: str = "route", **fields: Any) -> tuple[AnyFragment, AnyFragment]:
    return provider(upstream.url, **fields), policy("acme/small", name=name)


async def test_what_is_published_runs_and_so_does_what_is_published_next(
    publisher: Publisher, upstream: FakeUpstream
) -> None:
    async with routing(Sources(published=publisher.published())) as router:
        assert (await router.request("GET", "/health/ready")).status == 503
        keyed = fragments(upstream, credential=secret())
        await publisher.publish(sealed(*keyed, revision=1), credentials("sk-first"))
        await runs(router, 1)
        assert (await router.request("GET", "/health/ready")).status == 200
        assert (await router.chat()).status == 200
        await publisher.publish(sealed(*keyed, policy("acme/small", name="more", models=("more",)), revision=2), None)
        await publisher.put_credentials(credentials("sk-second"))
        await runs(router, 2)
        await eventually(
            lambda: router.running.receiver.credentials == credentials("sk-second"), "the new credentials arrive"
        )
        assert (await router.chat("more")).status == 200
        assert [each.headers["authorization"] for each in upstream.received] == ["Bearer sk-first", "Bearer sk-second"]
        said = await shown(router)
        assert (said["source"], said["lastRejected"]) == ("api", None)
        door = said["doors"]["api"]
        assert (door["connected"], door["error"], door["revision"]) == (True, None, 2)
        assert await router.metric("fairlead_config_source_connected", door="api") == 1
        assert 0 <= await router.metric("fairlead_config_age_seconds") < 20
        assert degraded(router) == {}


async def test_kubectl_can_publish_what_a_file_holds(
    publisher: Publisher, upstream: FakeUpstream, tmp_path: Path
) -> None:
    """A rollback by hand: the files of a mounted volume, taken back to the API server."""
    snapshot = sealed(*fragments(upstream), revision=7)
    (tmp_path / "snapshot").write_bytes(snapshot.to_bytes())
    (tmp_path / "manifest.json").write_bytes(msgspec.json.encode(snapshot.manifest))
    async with routing(Sources(published=publisher.published())) as router:
        await publisher.cluster.kubectl(
            "create", "configmap", CONFIG_MAP, f"--from-file={tmp_path}", f"--namespace={publisher.namespace}"
        )
        await runs(router, 7)


def half_written(now: Sealed, before: Sealed) -> dict[str, Any]:
    return {**snapshot_fields(now), "data": snapshot_fields(before)["data"]}


def with_payload(snapshot: Sealed, change: Callable[[bytearray], None]) -> Sealed:
    body = bytearray(zlib.decompress(snapshot.payload))
    change(body)
    return Sealed(snapshot.manifest, zlib.compress(bytes(body)))


def with_manifest(snapshot: Sealed, **fields: Any) -> Sealed:
    return Sealed(msgspec.structs.replace(snapshot.manifest, **fields), snapshot.payload)


def turn_a_bit(body: bytearray) -> None:
    body[-9] ^= 1


GOOD = provider("http://127.0.0.1:1/v1"), policy("acme/small", name="newer")
NEXT = sealed(*GOOD, revision=6)
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("Malformed", half_written(NEXT, sealed(*GOOD, revision=5)), "half-written"),
    ("Malformed", {"data": {"unrelated": "yes"}}, "manifest.json"),
    (
        "Malformed",
        {**snapshot_fields(NEXT), "binaryData": {SNAPSHOT_KEY: base64.b64encode(b"?").decode()}},
        "cut short",
    ),
    ("Malformed", snapshot_fields(Sealed(NEXT.manifest, NEXT.payload[:-10])), "cut short"),
    ("TooLarge", snapshot_fields(with_manifest(NEXT, body_bytes=1 << 40)), "limit"),
    ("Stale", snapshot_fields(sealed(*GOOD, revision=4)), "not newer"),
    ("Stale", snapshot_fields(sealed(*GOOD, revision=9, epoch=0)), "not newer"),
    ("Stale", snapshot_fields(sealed(*GOOD, revision=5)), "not newer"),
    ("SchemaUnsupported", snapshot_fields(with_manifest(NEXT, schema_version=99)), "upgrade the routers"),
    ("DigestMismatch", snapshot_fields(with_payload(NEXT, turn_a_bit)), "digest"),
]


@pytest.mark.parametrize(("reason", "fields", "words"), REFUSED)
async def test_what_must_not_run_is_refused_by_name_and_what_runs_goes_on(
    publisher: Publisher, upstream: FakeUpstream, reason: str, fields: dict[str, Any], words: str
) -> None:
    async with routing(Sources(published=publisher.published())) as router:
        await publisher.publish(sealed(*fragments(upstream), revision=5))
        await runs(router, 5)
        await publisher.put_config_map(fields)
        await eventually(lambda: router.running.receiver.rejected is not None, "the refusal")
        said = await shown(router)
        assert (said["revision"], said["lastRejected"]["source"], said["lastRejected"]["reason"]) == (5, "api", reason)
        assert words in said["lastRejected"]["message"]
        assert await router.metric("fairlead_config_rejections_total", reason=reason) == 1
        assert await router.metric("fairlead_config_last_reload_success") == 0
        assert (await router.chat()).headers["x-fairlead-policy"] == "team/route"
        await publisher.put_snapshot(sealed(*fragments(upstream, "mended"), revision=10))
        await runs(router, 10)
        assert await router.metric("fairlead_config_last_reload_success") == 1
        assert (await shown(router))["doors"]["api"]["error"] is None


async def test_the_metric_recovers_when_what_runs_is_published_again(
    publisher: Publisher, upstream: FakeUpstream
) -> None:
    async with routing(Sources(published=publisher.published())) as router:
        good = sealed(*fragments(upstream), revision=5)
        await publisher.publish(good)
        await runs(router, 5)
        await publisher.put_config_map({"data": {"manifest.json": "half of"}})
        await eventually(lambda: not router.running.receiver.last_offer_runs, "the refusal")
        await publisher.put_snapshot(good)
        await eventually(lambda: router.running.receiver.last_offer_runs, "the running snapshot to be confirmed")


async def test_an_unreadable_secret_is_refused_without_a_word_of_it_and_the_last_one_is_used(
    publisher: Publisher, upstream: FakeUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    async with routing(Sources(published=publisher.published())) as router:
        await publisher.publish(sealed(*fragments(upstream, credential=secret()), revision=1), credentials("sk-first"))
        await runs(router, 1)
        broken = base64.b64encode(b'{"entries":["sk-broken"]}').decode()
        await publisher.put_secret({"data": {"credentials": broken}})
        await eventually(lambda: router.running.receiver.rejected is not None, "the refusal")
        said = await router.request("GET", "/-/config", admin=True)
        assert f"Secret {publisher.namespace}/{SECRET}: " in said.json["lastRejected"]["message"]
        await publisher.put_snapshot(sealed(*fragments(upstream, "next", credential=secret()), revision=2))
        await runs(router, 2)
        assert (await router.chat()).status == 200
        assert upstream.received[-1].headers["authorization"] == "Bearer sk-first"
        assert "sk-" not in said.body.decode() + caplog.text


async def test_objects_that_a_chart_has_made_empty_are_waited_for_and_refused_by_nobody(
    publisher: Publisher, upstream: FakeUpstream
) -> None:
    await publisher.put_config_map({})
    await publisher.put_secret({})
    async with routing(Sources(published=publisher.published())) as router:
        doors = router.running.context.doors
        await eventually(lambda: "api" in (said := doors.report()) and "is empty" in str(said["api"].error), "the wait")
        assert router.running.receiver.rejected is None
        await publisher.publish(sealed(*fragments(upstream, credential=secret()), revision=1), credentials("sk"))
        await runs(router, 1)
        assert (await router.chat()).status == 200
        assert upstream.received[-1].headers["authorization"] == "Bearer sk"


async def test_an_empty_secret_is_fine_until_there_was_a_credential_and_then_takes_nothing_away(
    publisher: Publisher, upstream: FakeUpstream
) -> None:
    await publisher.put_secret({})
    await publisher.put_snapshot(sealed(*fragments(upstream), revision=1))
    async with routing(Sources(published=publisher.published())) as router:
        doors = router.running.context.doors
        await runs(router, 1)
        assert doors.report()["api"].error is None
        await publisher.publish(sealed(*fragments(upstream, credential=secret()), revision=2), credentials("sk"))
        await runs(router, 2)
        await publisher.put_secret({})
        await eventually(lambda: "is empty" in str(doors.report()["api"].error), "the loss")
        assert (await router.chat()).status == 200
        assert upstream.received[-1].headers["authorization"] == "Bearer sk"


@pytest.mark.parametrize("which", [0, 1], ids=["ConfigMap", "Secret"])
async def test_an_object_that_is_deleted_takes_nothing_away_and_its_return_is_noticed(
    publisher: Publisher, upstream: FakeUpstream, which: int
) -> None:
    async with routing(Sources(published=publisher.published())) as router:
        await publisher.publish(sealed(*fragments(upstream, credential=secret()), revision=1), credentials("sk"))
        await runs(router, 1)
        await publisher.delete(*BOTH[which])
        await eventually(
            lambda: "does not exist" in str(router.running.context.doors.report()["api"].error), "the loss"
        )
        assert (await router.chat()).status == 200
        assert upstream.received[-1].headers["authorization"] == "Bearer sk"
        assert router.running.receiver.rejected is None
        assert (await shown(router))["doors"]["api"]["connected"]
        await publisher.publish(sealed(*fragments(upstream, "next"), revision=2), credentials("sk"))
        await runs(router, 2)
        await eventually(lambda: router.running.context.doors.report()["api"].error is None, "the report to go")


async def test_without_the_api_server_everything_goes_on_and_its_return_brings_what_was_missed(
    publisher: Publisher, upstream: FakeUpstream, cluster: ControlPlane
) -> None:
    async with routing(Sources(published=publisher.published())) as router:
        await publisher.publish(sealed(*fragments(upstream), revision=1))
        await runs(router, 1)
        await cluster.kill_api_server()
        await eventually(lambda: "api" in degraded(router), "the loss to be named")
        assert degraded(router)["api"].startswith("ApiServerUnreachable: ")
        assert (await router.chat()).status == 200
        assert (await router.request("GET", "/health/ready")).status == 200
        assert (await router.request("GET", "/health/detailed")).json["status"] == "degraded"
        assert await router.metric("fairlead_config_source_connected", door="api") == 0
        assert not (await shown(router))["doors"]["api"]["connected"]
        await cluster.start_api_server()
        await publisher.publish(sealed(*fragments(upstream, "next"), revision=2))
        await runs(router, 2)
        await eventually(lambda: degraded(router) == {}, "the return to be named")
        assert await router.metric("fairlead_config_source_connected", door="api") == 1


async def test_a_router_that_starts_while_the_api_server_is_away_begins_with_the_last_good_state(
    publisher: Publisher, upstream: FakeUpstream, cluster: ControlPlane, tmp_path: Path
) -> None:
    sources = Sources(last_good=tmp_path / "kept", published=publisher.published())
    async with routing(sources) as router:
        await publisher.publish(sealed(*fragments(upstream, credential=secret()), revision=3), credentials("sk-kept"))
        await runs(router, 3)
    await cluster.stop_api_server()
    async with routing(sources) as router:
        await runs(router, 3)
        assert (await router.request("GET", "/health/ready")).status == 200
        assert (await router.chat()).status == 200
        assert upstream.received[-1].headers["authorization"] == "Bearer sk-kept"
        assert (await shown(router))["source"] == "last-good"
        await eventually(lambda: "api" in degraded(router), "the loss to be named")
        await cluster.start_api_server()
        await publisher.put_snapshot(sealed(*fragments(upstream, "next", credential=secret()), revision=4))
        await runs(router, 4)
        assert (await shown(router))["source"] == "api"
        assert router.running.receiver.rejected is None


async def test_a_router_that_finds_nothing_anywhere_is_not_ready_and_goes_on_trying(
    publisher: Publisher, upstream: FakeUpstream, cluster: ControlPlane, tmp_path: Path
) -> None:
    await publisher.publish(sealed(*fragments(upstream), revision=1))
    await cluster.stop_api_server()
    async with routing(Sources(last_good=tmp_path / "kept", published=publisher.published())) as router:
        await eventually(lambda: "api" in degraded(router), "the loss to be named")
        assert (await router.request("GET", "/health/ready")).status == 503
        await cluster.start_api_server()
        await runs(router, 1)
        assert (await router.request("GET", "/health/ready")).status == 200


async def test_a_mounted_file_is_a_seed_and_lags_behind_in_silence(
    publisher: Publisher, upstream: FakeUpstream, cluster: ControlPlane, tmp_path: Path
) -> None:
    files = MountedFiles(tmp_path / "snapshot")
    files.snapshot.write_bytes(sealed(*fragments(upstream), revision=2).to_bytes())
    await publisher.publish(sealed(*fragments(upstream), revision=5))
    await cluster.stop_api_server()
    async with routing(Sources(files=files, published=publisher.published())) as router:
        await runs(router, 2)
        await cluster.start_api_server()
        await runs(router, 5)
        files.snapshot.write_bytes(sealed(*fragments(upstream), revision=4).to_bytes())
        await eventually(lambda: router.running.context.doors.report()["file"].revision == 4, "the file is seen")
        assert (revision(router), router.running.receiver.rejected) == (5, None)


async def test_a_role_that_names_the_two_objects_is_enough(
    publisher: Publisher, upstream: FakeUpstream, tmp_path: Path
) -> None:
    access = await publisher.router_account(tmp_path / "token", BOTH)
    async with routing(Sources(published=publisher.published(access))) as router:
        await publisher.publish(sealed(*fragments(upstream, credential=secret()), revision=1), credentials("sk"))
        await runs(router, 1)
        await publisher.put_snapshot(sealed(*fragments(upstream, "next", credential=secret()), revision=2))
        await runs(router, 2)
        assert (await router.chat()).status == 200
        assert degraded(router) == {}


async def test_a_secret_that_may_not_be_read_is_named_and_does_not_hold_the_rest_back(
    publisher: Publisher, upstream: FakeUpstream, tmp_path: Path
) -> None:
    access = await publisher.router_account(tmp_path / "token", BOTH[:1])
    async with routing(Sources(published=publisher.published(access))) as router:
        await publisher.publish(sealed(*fragments(upstream), revision=1), Credentials())
        await runs(router, 1)
        assert f"Secret {publisher.namespace}/{SECRET}: KubeError: 403 Forbidden" in degraded(router)["api"]
        await publisher.allow(BOTH)
        await eventually(lambda: degraded(router) == {}, "the right to take effect", 20)


async def test_a_token_that_is_renewed_is_used(publisher: Publisher, upstream: FakeUpstream, tmp_path: Path) -> None:
    access = await publisher.router_account(tmp_path / "token", BOTH)
    good = (tmp_path / "token").read_text()
    (tmp_path / "token").write_text("outdated")
    async with routing(Sources(published=publisher.published(access))) as router:
        await eventually(lambda: "401" in degraded(router).get("api", ""), "the refusal to be named")
        (tmp_path / "token.new").write_text(good)
        os.replace(tmp_path / "token.new", tmp_path / "token")
        await publisher.publish(sealed(*fragments(upstream), revision=1))
        await runs(router, 1)


async def test_of_many_snapshots_in_a_row_the_newest_runs(publisher: Publisher, upstream: FakeUpstream) -> None:
    async with routing(Sources(published=publisher.published())) as router:
        for number in range(1, 31):
            await publisher.publish(sealed(*fragments(upstream, f"route-{number}"), revision=number))
        await runs(router, 30)
        assert router.running.receiver.rejected is None
        assert (await router.chat()).headers["x-fairlead-policy"] == "team/route-30"


async def test_the_process_serves_what_is_published_and_after_kill_9_what_it_kept_while_the_api_server_is_away(
    publisher: Publisher, cluster: ControlPlane, tmp_path: Path
) -> None:
    """``fairlead serve --kubernetes`` as it runs in a pod, with a ServiceAccount of its own."""
    await publisher.router_account(tmp_path / "token", BOTH)
    environment = {
        "FAIRLEAD_KUBE_SERVER": cluster.url,
        "FAIRLEAD_KUBE_CA_FILE": str(cluster.ca_file),
        "FAIRLEAD_KUBE_TOKEN_FILE": str(tmp_path / "token"),
        "FAIRLEAD_LAST_GOOD_DIR": str(tmp_path / "kept"),
    }
    command = ("--kubernetes", "--namespace", publisher.namespace)
    simulated = provider((), type="Simulated", simulated=Simulated(first_byte_milliseconds=0, per_token_milliseconds=0))
    await publisher.publish(sealed(simulated, policy("acme/small"), revision=3))

    def first() -> None:
        with process(*command, log=tmp_path / "log", **environment) as running:
            assert running.chat()[0] == 200
            wait_for(lambda: (tmp_path / "kept" / "last-good").exists(), "the state to be kept")
            wait_for(lambda: "Fairlead serves 1 models" in running.log.read_text(), "the banner")
            running.process.kill()

    def second() -> None:
        with process(*command, log=tmp_path / "log", **environment) as running:
            assert running.chat()[0] == 200
            _, said = running.get("/-/config", admin=True)
            assert (said["revision"], said["source"]) == (3, "last-good")
            wait_for(lambda: running.get("/health/detailed")[1]["degraded"], "the loss to be named")

    await asyncio.to_thread(first)
    await cluster.stop_api_server()
    await asyncio.to_thread(second)
