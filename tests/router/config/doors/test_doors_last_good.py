"""The last good state on disk: whole at any moment, or named for what it is."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import random
import resource
import signal
import stat
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_contract.snapshot import Credential, Credentials, RejectReason, Sealed
from fairlead_router.config.doors.last_good import (
    CURRENT,
    PREVIOUS,
    LastGoodDoor,
    LastGoodFiles,
    NotLastGood,
    decode_state,
    encode_state,
)
from fairlead_router.config.doors.status import Door, DoorName
from fairlead_router.config.receiver import ConfigReceiver
from tests.router.builders import a_policy, a_receiver, sealed

SIZES = (1_000, 400_000, 30_000, 4_000, 120_000)


def state(revision: int, size: int = 100) -> tuple[Sealed, Credentials]:
    """A snapshot of about ``size`` bytes, which says its revision again in its credentials."""
    template = sealed(a_policy(), revision=revision)
    payload = random.Random(revision).randbytes(size)
    values = Credentials((Credential("team-a", "keys", "api-key", str(revision), f"sk-{revision}"),))
    return Sealed(template.manifest, payload), values


def revisions(folder: Path) -> list[int]:
    """Those of the whole states, the newest first; fails if snapshot and credentials are of two moments."""
    loaded = LastGoodFiles(folder).load()
    assert all(values.entries[0].version == str(snapshot.manifest.revision) for snapshot, values in loaded)
    return [snapshot.manifest.revision for snapshot, _ in loaded]


def files_of(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "here"


def test_what_is_written_is_read_with_the_one_before_it(folder: Path) -> None:
    files = LastGoodFiles(folder)
    assert files.load() == []
    for revision in (1, 2, 3):
        files.write(*state(revision))
    assert LastGoodFiles(folder).load() == [state(3), state(2)]
    assert files_of(folder) == {CURRENT, PREVIOUS}


def test_nobody_else_may_read_it(folder: Path) -> None:
    files = LastGoodFiles(folder)
    files.write(*state(1))
    files.write(*state(2))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


@pytest.mark.parametrize("size", [0, 1, 400_000])
def test_a_state_comes_out_as_it_went_in(size: int) -> None:
    assert decode_state(encode_state(*state(1, size))) == state(1, size)


def test_no_beginning_of_a_state_is_taken_for_one() -> None:
    data = encode_state(*state(1))
    for length in range(len(data)):
        with pytest.raises(NotLastGood):
            decode_state(data[:length])


@given(st.data())
def test_a_damaged_state_is_refused_or_unharmed(data: st.DataObject) -> None:
    whole = bytearray(encode_state(*state(1)))
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = decode_state(bytes(whole))
    except NotLastGood:
        return
    assert found == state(1)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_without_surprise(data: bytes) -> None:
    with pytest.raises(NotLastGood):
        decode_state(data)


def test_a_later_format_is_refused_by_its_number() -> None:
    data = encode_state(*state(1)).replace(b'"formatVersion":1', b'"formatVersion":2')
    with pytest.raises(NotLastGood, match="format version 2"):
        decode_state(data)


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def test_a_damaged_file_is_named_and_the_one_before_it_is_read(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = LastGoodFiles(folder)
    files.write(*state(1))
    files.write(*state(2))
    damage(folder / CURRENT)
    with caplog.at_level(logging.ERROR):
        assert revisions(folder) == [1]
    assert f"{folder / CURRENT} is skipped: it is cut short" in caplog.text


def test_a_damaged_file_never_takes_the_place_of_a_whole_one(folder: Path) -> None:
    files = LastGoodFiles(folder)
    files.write(*state(1))
    files.write(*state(2))
    damage(folder / CURRENT)
    again = LastGoodFiles(folder)
    again.load()
    again.write(*state(3))
    assert revisions(folder) == [3, 1]


def test_the_newer_one_comes_first_whichever_file_it_is_in(folder: Path) -> None:
    files = LastGoodFiles(folder)
    files.write(*state(9))
    files.write(*state(4))
    assert revisions(folder) == [9, 4]


def test_leftovers_of_a_killed_writer_are_removed(folder: Path) -> None:
    files = LastGoodFiles(folder)
    files.write(*state(1))
    (folder / "last-good.tmp-123").write_bytes(b"half")
    (folder / "last-good.tmp-123-link").write_bytes(b"half")
    assert revisions(folder) == [1]
    assert files_of(folder) == {CURRENT}


def fork(child: Callable[[], None]) -> int:
    """A process that runs ``child`` and ends without a trace. Returns its id."""
    process = os.fork()
    if process == 0:
        try:
            child()
        finally:
            os._exit(1)
    return process


def killed(process: int) -> None:
    """Wait for ``process``; it must have been killed, not have failed."""
    _, status = os.waitpid(process, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL


def steps_of_a_write(folder: Path) -> int:
    files = LastGoodFiles(folder)
    files.load()
    return len(list(files.steps(*state(2))))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # fork in a process with threads: the child starts none
def test_a_process_killed_after_any_step_leaves_the_new_state_or_the_one_before(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    LastGoodFiles(other).write(*state(1))
    count = steps_of_a_write(other)
    assert count >= 7
    seen = set()
    for stop_after in range(count + 1):
        place = folder / str(stop_after)
        LastGoodFiles(place).write(*state(1))

        def write(place: Path = place, stop_after: int = stop_after) -> None:
            files = LastGoodFiles(place)
            files.load()
            steps = files.steps(*state(2))
            for _ in range(stop_after):
                next(steps)
            os.kill(os.getpid(), signal.SIGKILL)

        killed(fork(write))
        found = revisions(place)
        assert found in ([1], [2, 1], [1, 1]), stop_after
        seen.add(found[0])
        # And whoever comes next can write, whatever was left lying around.
        after = LastGoodFiles(place)
        after.load()
        after.write(*state(3))
        assert revisions(place) == [3, found[0]], stop_after
        assert files_of(place) == {CURRENT, PREVIOUS}
    assert seen == {1, 2}


@pytest.mark.timeout(180)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_thousand_kills_at_any_moment_leave_a_state_that_was_being_written_or_the_one_before(folder: Path) -> None:
    """The child tells through a pipe which state it begins to write, and which it has written."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    payloads = [state(0, size)[0].payload for size in SIZES]
    template = state(0)[0].manifest
    LastGoodFiles(folder).write(*state(0))
    begun = kept_before = cut_short = 0

    for _ in range(1000):
        reading, writing = os.pipe()

        def child(first: int = begun + 1, told: int = writing) -> None:
            files = LastGoodFiles(folder)
            files.load()
            for revision in itertools.count(first):
                manifest = msgspec.structs.replace(template, revision=revision)
                values = Credentials((Credential("team-a", "keys", "api-key", str(revision), "v"),))
                os.write(told, b"b")
                files.write(Sealed(manifest, payloads[revision % len(payloads)]), values)
                os.write(told, b"w")

        process = fork(child)
        os.close(writing)
        with open(reading, "rb") as pipe:
            told = pipe.read(1)  # it is at work: from now on any moment is as good as another
            time.sleep(draw.random() ** 2 * 0.015)
            os.kill(process, signal.SIGKILL)
            killed(process)
            told += pipe.read()
        written = begun + told.count(b"w") if b"w" in told else kept_before
        begun += told.count(b"b")
        found = revisions(folder)
        assert found, f"nothing is whole after {begun} was begun; seed {seed}"
        assert found[0] in {written, begun}, (found, written, begun, seed)
        cut_short += found[0] < begun
        kept_before = found[0]
    assert cut_short > 100, "hardly any kill came in the middle of a write: the test tests nothing"
    assert begun > 1100, "hardly any write was finished: the test tests nothing"


@asynccontextmanager
async def following(folder: Path, receiver: ConfigReceiver) -> AsyncIterator[tuple[LastGoodDoor, Door, dict[str, str]]]:
    degraded: dict[str, str] = {}
    door = Door(lambda: 7.0)
    last_good = LastGoodDoor(folder, receiver, door, degraded=degraded, draw=lambda: 0.0)
    await last_good.load()
    task = asyncio.create_task(last_good.follow())
    try:
        yield last_good, door, degraded
    finally:
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - of a thread and of files, which set no event
            await asyncio.sleep(0.005)


def kept(folder: Path) -> list[int]:
    return [snapshot.manifest.revision for snapshot, _ in LastGoodFiles(folder).load()]


CREDENTIALS = Credentials((Credential("team-a", "keys", "api-key", "1", "sk-kept"),))


async def test_what_runs_is_kept_and_is_what_the_next_start_begins_with(folder: Path) -> None:
    async with following(folder, receiver := a_receiver()) as (_, door, degraded):
        await receiver.offer(sealed(a_policy(), revision=3), CREDENTIALS, source="api")
        await until(lambda: door.report().revision == 3)
        assert degraded == {}
    async with following(folder, again := a_receiver()):
        assert again.applied is not None
        assert again.applied.source == DoorName.LAST_GOOD
        assert again.table.used.revision == 3
        assert again.credentials == CREDENTIALS


async def test_what_was_read_from_disk_is_not_written_there_again(folder: Path) -> None:
    LastGoodFiles(folder).write(sealed(a_policy(), revision=1), CREDENTIALS)
    before = (folder / CURRENT).stat().st_mtime_ns
    async with following(folder, a_receiver()):
        await asyncio.sleep(0.05)
    assert (folder / CURRENT).stat().st_mtime_ns == before


async def test_a_refused_snapshot_is_not_kept(folder: Path) -> None:
    async with following(folder, receiver := a_receiver()):
        await receiver.offer(sealed(a_policy(), revision=3), CREDENTIALS, source="api")
        good = sealed(a_policy("other"), revision=4)
        assert not await receiver.offer(Sealed(good.manifest, good.payload[:-5]), CREDENTIALS, source="api")
    assert kept(folder) == [3]


async def test_only_the_newest_of_many_is_written_and_stopping_waits_for_it(folder: Path) -> None:
    async with following(folder, receiver := a_receiver()):
        for revision in range(1, 30):
            await receiver.offer(sealed(a_policy(), revision=revision), CREDENTIALS, source="api")
    assert kept(folder)[0] == 29


async def test_new_credentials_of_the_same_snapshot_are_kept(folder: Path) -> None:
    async with following(folder, receiver := a_receiver()):
        await receiver.offer(sealed(a_policy(), revision=1), Credentials(), source="api")
        await receiver.offer(sealed(a_policy(), revision=1), CREDENTIALS, source="api")
    assert LastGoodFiles(folder).load()[0][1] == CREDENTIALS


async def test_a_state_that_this_version_refuses_gives_way_to_the_one_before(folder: Path) -> None:
    files = LastGoodFiles(folder)
    files.write(sealed(a_policy(), revision=1), CREDENTIALS)
    newer = sealed(a_policy(), revision=2)
    files.write(Sealed(msgspec.structs.replace(newer.manifest, schema_version=99), newer.payload), CREDENTIALS)
    async with following(folder, receiver := a_receiver()):
        assert receiver.table.used.revision == 1
        assert receiver.rejected is not None
        assert (receiver.rejected.reason, receiver.rejected.source) == (RejectReason.SCHEMA_UNSUPPORTED, "last-good")


async def test_a_folder_that_cannot_be_written_is_named_and_nothing_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    folder = tmp_path / "file" / "below"
    async with following(folder, receiver := a_receiver()) as (_, door, degraded):
        assert degraded["last-good"].startswith("LastGoodNotWritten: ")
        assert str(tmp_path / "file") in degraded["last-good"]
        assert await receiver.offer(sealed(a_policy()), CREDENTIALS, source="api")
        (tmp_path / "file").unlink()
        await until(lambda: not degraded)
        assert door.report().connected
    assert kept(folder) == [1]


async def test_a_full_disk_is_named_and_what_was_kept_stays(folder: Path) -> None:
    LastGoodFiles(folder).write(sealed(a_policy(), revision=1), CREDENTIALS)
    large = Credentials((Credential("team-a", "keys", "api-key", "1", "k" * 400_000),))
    async with following(folder, receiver := a_receiver()) as (_, _door, degraded):
        with no_file_beyond(100_000):
            await receiver.offer(sealed(a_policy(), revision=2), large, source="api")
            await until(lambda: bool(degraded))
        assert "LastGoodNotWritten" in degraded["last-good"]
        assert kept(folder) == [1]
        await until(lambda: not degraded)
    assert kept(folder) == [2, 1]


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """Writing fails half-way, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
