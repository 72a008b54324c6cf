"""Which snapshots are taken, and what happens to those that are not."""

from __future__ import annotations

import asyncio
import itertools

import msgspec
import pytest

from fairlead_contract.snapshot import (
    Credential,
    Credentials,
    Entry,
    RejectReason,
    Sealed,
    fragment_digest,
    seal,
)
from fairlead_router.config.receiver import ConfigReceiver
from fairlead_router.config.table import PendingCredential
from tests.router.builders import NO_CREDENTIALS, a_policy, a_provider, a_receiver, sealed
from tests.router.config.test_config_build import credentials, secret


async def offered(receiver: ConfigReceiver, snapshot: Sealed, values: Credentials = NO_CREDENTIALS) -> bool:
    return await receiver.offer(snapshot, values, source="test")


def version(receiver: ConfigReceiver) -> tuple[int, int]:
    return receiver.table.used.epoch, receiver.table.used.revision


async def test_the_first_snapshot_is_taken_whatever_its_version() -> None:
    receiver = a_receiver()
    assert not receiver.ready
    assert await offered(receiver, sealed(a_policy(), epoch=0, revision=0))
    assert receiver.ready
    assert receiver.first_applied.is_set()
    assert receiver.applied is not None
    assert (receiver.applied.source, receiver.applied.at) == ("test", 1_700_000_000.0)


@pytest.mark.parametrize(
    ("second", "taken"),
    [((2, 6), True), ((3, 1), True), ((2, 4), False), ((1, 9), False), ((2, 5), False)],
)
async def test_only_a_newer_snapshot_is_taken_and_the_epoch_beats_the_revision(
    second: tuple[int, int], taken: bool
) -> None:
    receiver = a_receiver()
    await offered(receiver, sealed(a_policy("one"), epoch=2, revision=5))
    before = receiver.table
    other = sealed(a_policy("two"), epoch=second[0], revision=second[1])
    assert await offered(receiver, other) is taken
    assert version(receiver) == (second if taken else (2, 5))
    assert (receiver.table is before) is not taken
    if not taken:
        assert receiver.rejected is not None
        assert receiver.rejected.reason is RejectReason.STALE
        assert receiver.rejections == {RejectReason.STALE: 1}


async def test_the_running_snapshot_offered_again_changes_nothing_and_is_no_error() -> None:
    receiver, snapshot = a_receiver(), sealed(a_policy())
    await offered(receiver, snapshot)
    before = receiver.table
    assert await offered(receiver, snapshot)
    assert receiver.table is before
    assert receiver.rejected is None


async def test_the_same_snapshot_with_other_credentials_is_loaded_again() -> None:
    receiver, snapshot = a_receiver(), sealed(a_provider("one", credential=secret("v1")))
    await offered(receiver, snapshot, credentials("v1"))
    assert await offered(receiver, snapshot, credentials("v1", value="new"))
    endpoint = receiver.table.providers["team-a/one"].endpoints[0]
    assert endpoint.headers["Authorization"] == "Bearer new-v1"


async def test_a_snapshot_whose_credential_is_late_runs_and_its_provider_follows(
    caplog: pytest.LogCaptureFixture,
) -> None:
    receiver = a_receiver()
    older = a_provider("one", credential=secret("v1"))
    await offered(receiver, sealed(older, revision=1), credentials("v1"))
    newer = sealed(a_provider("one", generation=2, credential=secret("v2")), a_policy("two"), revision=2)
    assert await offered(receiver, newer, credentials("v1"))
    assert version(receiver) == (1, 2)
    assert [policy.fragment.name for policy in receiver.table.policies] == ["two"]
    assert receiver.table.providers["team-a/one"].fragment == older
    assert receiver.table.pending == (PendingCredential("team-a/one", "keys", "api", "v2"),)
    assert "ModelProvider team-a/one stays as it was" in caplog.text
    assert "sk-v1" not in caplog.text
    assert await offered(receiver, newer, credentials("v1", "v2"))
    assert receiver.table.providers["team-a/one"].endpoints[0].headers["Authorization"] == "Bearer sk-v2"
    assert receiver.table.pending == ()
    assert receiver.rejections == {}


def corrupted(snapshot: Sealed, **fields: object) -> Sealed:
    return Sealed(msgspec.structs.replace(snapshot.manifest, **fields), snapshot.payload)


def with_fragment(data: bytes) -> Sealed:
    entry = Entry("RoutingPolicy", "ns", "name", "uid", 1, fragment_digest(data), msgspec.Raw(data))
    return seal([entry], compiler_version="test", epoch=1, revision=2)


GOOD = sealed(a_policy("two"), revision=2)


@pytest.mark.parametrize(
    ("snapshot", "reason"),
    [
        (Sealed(GOOD.manifest, b"garbage"), RejectReason.MALFORMED),
        (Sealed(GOOD.manifest, GOOD.payload[:-3]), RejectReason.MALFORMED),
        (corrupted(GOOD, digest="sha256:00"), RejectReason.DIGEST_MISMATCH),
        (corrupted(GOOD, schema_version=99), RejectReason.SCHEMA_UNSUPPORTED),
        (corrupted(GOOD, body_bytes=10**12), RejectReason.TOO_LARGE),
        (with_fragment(b'{"kind":"Unheard"}'), RejectReason.MALFORMED),
        (with_fragment(b'{"kind":"RoutingPolicy"}'), RejectReason.MALFORMED),
        (with_fragment(b'{"kind":"\xff"}'), RejectReason.MALFORMED),
        (with_fragment(b"7"), RejectReason.MALFORMED),
    ],
)
async def test_a_bad_snapshot_is_refused_with_its_reason_and_the_running_table_stays(
    snapshot: Sealed, reason: RejectReason
) -> None:
    receiver = a_receiver()
    await offered(receiver, sealed(a_policy("one"), revision=1))
    before = receiver.table
    assert not await offered(receiver, snapshot)
    assert receiver.table is before
    rejected = receiver.rejected
    assert rejected is not None
    assert (rejected.reason, rejected.epoch, rejected.revision, rejected.source) == (reason, 1, 2, "test")
    assert receiver.rejections == {reason: 1}
    assert await offered(receiver, GOOD)


async def test_a_bad_snapshot_before_any_other_leaves_the_router_without_one() -> None:
    receiver = a_receiver()
    assert not await offered(receiver, Sealed(GOOD.manifest, b""))
    assert not receiver.ready
    assert not receiver.first_applied.is_set()


async def test_the_table_is_swapped_at_once_and_requests_get_their_turn_while_it_is_built() -> None:
    clock = itertools.count()
    receiver = a_receiver(monotonic=lambda: float(next(clock)))
    await offered(receiver, sealed(a_policy("one"), revision=1))
    many = sealed(*(a_policy(f"p{number}") for number in range(500)), revision=2)
    seen: list[int] = []
    loading = asyncio.create_task(offered(receiver, many))
    while not loading.done():
        seen.append(len(receiver.table.policies))
        await asyncio.sleep(0)
    assert await loading
    assert set(seen) <= {1, 500}
    assert seen.count(1) > 500 / 32


async def test_of_snapshots_offered_at_once_the_newest_runs_in_the_end() -> None:
    receiver = a_receiver()
    snapshots = [sealed(a_policy(f"p{number}"), revision=number) for number in (3, 1, 5, 2, 4)]
    await asyncio.gather(*(offered(receiver, snapshot) for snapshot in snapshots))
    assert version(receiver) == (1, 5)


def test_a_credential_shows_its_value_to_nobody() -> None:
    assert "sk-1" not in repr(Credentials((Credential("ns", "keys", "api", "v1", "sk-1"),)))
