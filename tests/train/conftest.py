"""Tests that need PyTorch: `make train-test` runs them in .venv-train."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fairlead_learning.bundles.bundle import Bundle
from fairlead_learning.encoder.default import DEFAULT_ENCODER
from fairlead_learning.train.encoder import DEFAULT_MODEL, make_encoder

_DATA = Path(__file__).parents[2] / "learning" / "data" / "prompts_train.jsonl"


@pytest.fixture(scope="session")
def prompts() -> list[str]:
    """Sixty of the training prompts, from all sources. Their licences stand in the rows."""
    rows = [json.loads(line) for line in _DATA.read_bytes().splitlines()]
    return [row["text"] for row in rows[:: len(rows) // 60]][:60]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The default encoder, made here, with the version of the committed one."""
    committed = Bundle.open(DEFAULT_ENCODER).manifest
    return make_encoder(DEFAULT_MODEL, tmp_path_factory.mktemp("made") / "encoder", version=committed.version)
