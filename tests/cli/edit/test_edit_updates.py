"""A router hands updates to a process: whoever asks may leave, and what cannot be started is said so."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from fairlead_cli.updates import FolderUpdates
from fairlead_contract.updates import ModelChange, NotWritten, Written
from tests.cli.edit.test_edit_update import FLOW, models

OPTIONS = ("--default-namespace", "default", "--platform-namespace", "default")


async def test_an_update_goes_on_when_its_client_leaves_and_the_next_one_waits_for_it(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(FLOW)
    updates = FolderUpdates(tmp_path, OPTIONS)
    asked = asyncio.create_task(updates.write((ModelChange(id="new-model", provider="openai"),)))
    await asyncio.sleep(0)
    asked.cancel()
    with suppress(asyncio.CancelledError):
        await asked
    result = await updates.write((ModelChange(id="new-model", provider="openai"),))
    assert isinstance(result, Written), result
    assert result.changed[0].change == "unchanged"
    assert models(tmp_path / "flow.yaml")[-1] == {"name": "new-model"}


async def test_a_process_that_cannot_be_started_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nobody"))
    result = await FolderUpdates(tmp_path, OPTIONS).write(())
    assert isinstance(result, NotWritten)
    assert "log" in result.message
