"""Snapshots in files: a mounted volume that is swapped, a file that a person replaces, and what is wrong with either."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import msgspec
import pytest

from fairlead_contract.snapshot import Credentials, RejectReason, Sealed
from fairlead_router.config.doors.mounted import MountedDoor, MountedFiles
from fairlead_router.config.doors.status import Door, DoorName
from fairlead_router.config.receiver import ConfigReceiver
from tests.router.builders import NO_CREDENTIALS, a_policy, a_provider, a_receiver, sealed
from tests.router.config.test_config_build import credentials, secret


class Volume:
    """A folder as the kubelet mounts it: files are links into ``..data``, a link that is swapped as a whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = MountedFiles(folder / "snapshot", folder / "credentials")
        self._versions: Iterator[int] = count()
        folder.mkdir()

    def put(self, snapshot: Sealed | bytes, values: Credentials | bytes = NO_CREDENTIALS) -> None:
        version = self.folder / f"..version-{next(self._versions)}"
        version.mkdir()
        (version / "snapshot").write_bytes(snapshot if isinstance(snapshot, bytes) else snapshot.to_bytes())
        (version / "credentials").write_bytes(values if isinstance(values, bytes) else msgspec.json.encode(values))
        draft = self.folder / "..data_tmp"
        draft.symlink_to(version.name)
        os.replace(draft, self.folder / "..data")
        for name in ("snapshot", "credentials"):
            with suppress(FileExistsError):
                (self.folder / name).symlink_to(f"..data/{name}")


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path / "volume")


def a_door(volume: Volume, *, seed: bool = False) -> tuple[MountedDoor, ConfigReceiver, Door]:
    receiver, door = a_receiver(), Door(lambda: 7.0)
    return MountedDoor(volume.files, receiver, door, seed=seed, poll_seconds=0.01), receiver, door


def revision(receiver: ConfigReceiver) -> int:
    return receiver.table.used.revision


async def test_what_is_mounted_runs_and_so_does_what_it_is_swapped_for(volume: Volume) -> None:
    mounted, receiver, door = a_door(volume)
    volume.put(sealed(a_policy(), revision=1))
    await mounted.look()
    assert revision(receiver) == 1
    volume.put(sealed(a_policy(), revision=2))
    await mounted.look()
    assert revision(receiver) == 2
    assert receiver.applied is not None
    assert receiver.applied.source == DoorName.FILE
    report = door.report()
    assert (report.connected, report.last_contact, report.error, report.revision) == (True, 7.0, None, 2)


async def test_files_that_did_not_change_are_not_offered_again(volume: Volume) -> None:
    mounted, receiver, _ = a_door(volume)
    volume.put(sealed(a_policy(), revision=1))
    await mounted.look()
    await receiver.offer(sealed(a_policy(), revision=2), NO_CREDENTIALS, source="other")
    await mounted.look()
    assert receiver.rejected is None


@pytest.mark.parametrize("seed", [False, True])
async def test_an_older_file_is_refused_unless_it_only_lags_behind_another_door(volume: Volume, seed: bool) -> None:
    mounted, receiver, door = a_door(volume, seed=seed)
    await receiver.offer(sealed(a_policy(), revision=5), NO_CREDENTIALS, source="other")
    volume.put(sealed(a_policy(), revision=4))
    await mounted.look()
    assert revision(receiver) == 5
    assert receiver.rejections == ({} if seed else {RejectReason.STALE: 1})
    assert receiver.last_offer_runs is seed
    assert door.report().revision == 4


async def test_a_seed_does_not_bring_back_credentials_that_were_replaced(volume: Volume) -> None:
    mounted, receiver, _ = a_door(volume, seed=True)
    snapshot = sealed(a_provider("one", credential=secret("v1")), revision=5)
    await receiver.offer(snapshot, credentials("v1", value="new"), source="other")
    volume.put(snapshot, credentials("v1", value="old"))
    await mounted.look()
    assert receiver.credentials == credentials("v1", value="new")


async def test_a_seed_completes_credentials_that_were_late(volume: Volume) -> None:
    mounted, receiver, _ = a_door(volume, seed=True)
    snapshot = sealed(a_provider("one", credential=secret("v1")), revision=5)
    volume.put(snapshot)
    await mounted.look()
    volume.put(snapshot, credentials("v1"))
    await mounted.look()
    assert not receiver.table.pending
    assert "team-a/one" in receiver.table.providers


@pytest.mark.parametrize("broken", [b"{", b"[]", b'{"entries":"\xff"}', b'{"x":' + b"[" * 100_000])
async def test_credentials_that_cannot_be_read_are_refused_and_the_table_stays(volume: Volume, broken: bytes) -> None:
    mounted, receiver, door = a_door(volume)
    volume.put(sealed(a_policy(), revision=1))
    await mounted.look()
    volume.put(sealed(a_policy(), revision=2), broken)
    await mounted.look()
    assert revision(receiver) == 1
    assert receiver.rejected is not None
    assert (receiver.rejected.reason, receiver.rejected.source) == (RejectReason.MALFORMED, DoorName.FILE)
    assert "credentials" in str(door.report().error)
    volume.put(sealed(a_policy(), revision=2))
    await mounted.look()
    assert (revision(receiver), door.report().error) == (2, None)


async def test_a_snapshot_that_is_none_is_refused_once_and_the_table_stays(volume: Volume) -> None:
    mounted, receiver, door = a_door(volume)
    volume.put(b"half")
    await mounted.look()
    await mounted.look()
    assert not receiver.ready
    assert receiver.rejections == {RejectReason.MALFORMED: 1}
    assert (door.report().connected, door.report().revision) == (True, None)


async def test_files_that_go_away_change_nothing_and_their_return_is_noticed(volume: Volume) -> None:
    mounted, receiver, door = a_door(volume)
    volume.put(sealed(a_policy(), revision=1))
    await mounted.look()
    volume.folder.rename(volume.folder.with_name("away"))
    await mounted.look()
    assert revision(receiver) == 1
    assert not door.connected
    assert "No such file" in str(door.error)
    volume.folder.with_name("away").rename(volume.folder)
    await mounted.look()
    assert (door.connected, door.error, receiver.rejected) == (True, None, None)


async def test_a_plain_file_that_is_written_later_is_found_while_following(tmp_path: Path) -> None:
    receiver, door = a_receiver(), Door(lambda: 7.0)
    mounted = MountedDoor(MountedFiles(tmp_path / "snapshot"), receiver, door, poll_seconds=0.001)
    following = asyncio.create_task(mounted.follow())
    async with asyncio.timeout(5):
        while door.error is None:  # noqa: ASYNC110 - a thread looks, and sets no event
            await asyncio.sleep(0)
        (tmp_path / "snapshot").write_bytes(sealed(a_provider()).to_bytes())
        await receiver.first_applied.wait()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
