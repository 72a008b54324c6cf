"""A snapshot in a file, and the credentials beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fairlead_cli import snapshot_file
from tests.router.builders import a_provider, a_receiver, sealed


@pytest.mark.parametrize("broken", [b"{", b"[]", b'{"entries":"\xff"}', b'{"x":' + b"[" * 100_000])
async def test_credentials_that_cannot_be_read_do_not_end_the_watch(
    tmp_path: Path, broken: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_file, "_POLL_SECONDS", 0.01)
    snapshot, credentials = tmp_path / "snapshot", tmp_path / "credentials"
    snapshot.write_bytes(sealed(a_provider()).to_bytes())
    credentials.write_bytes(broken)
    receiver = a_receiver()
    watch = asyncio.create_task(snapshot_file.follow_snapshot_file(snapshot, credentials, receiver))
    await asyncio.sleep(0.1)
    assert not watch.done()
    credentials.write_bytes(b'{"entries":[]}')
    async with asyncio.timeout(5):
        await receiver.first_applied.wait()
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
